/* The element-wise part of one step of a recurrent layer: a unit is a block of columns of one row of the batch. */
#include "kernel/rnn.h"
#include "kernel/simd/tile.h"
#include "kernel/simd/vmath.h"

/* n < GR__W: the last columns, padded with zeros. */
GR__INLINE vf get(const float *p, int64_t n)
{
    if (n >= GR__W) return vload(p);
    float some[GR__W] = {0};
    for (int64_t i = 0; i < n; i++) some[i] = p[i];
    return vload(some);
}

GR__INLINE void put(float *p, int64_t n, vf v)
{
    if (n >= GR__W) {
        vstore(p, v);
        return;
    }
    float some[GR__W];
    vstore(some, v);
    for (int64_t i = 0; i < n; i++) p[i] = some[i];
}

GR__INLINE vf get_or(const float *p, int64_t at, int64_t n)
{
    if (!p) return vzero();
    return get(p + at, n);
}

GR__INLINE vf get_row(const gr__rows *x, int64_t at, int64_t n)
{
    if (!x->data) return vzero();
    if (x->dtype == GR_F32) return get((const float *)x->data + at, n);
    const uint16_t *from = (const uint16_t *)x->data + at;
    if (n >= GR__W) return vload_bf16(from);
    float some[GR__W] = {0};
    widen_bf16(some, from, n);
    return vload(some);
}

GR__INLINE void put_row(const gr__rows *x, int64_t at, int64_t n, vf v)
{
    if (!x->data) return;
    if (x->dtype == GR_F32) {
        put((float *)x->data + at, n, v);
        return;
    }
    uint16_t *to = (uint16_t *)x->data + at;
    if (n >= GR__W) {
        vstore_bf16(to, v);
        return;
    }
    float some[GR__W];
    vstore(some, v);
    narrow_bf16(to, some, n);
}

/* One vector: its row, its first column, how many columns are left. */
typedef struct place {
    int64_t b, k, n;
    float *saved;         /* of the step, at the column */
    const float *product; /* of the row, at the column */
    bool real;
} place;

GR__INLINE place place_of(const gr__rnn *r, int64_t unit, int64_t gates)
{
    int64_t blocks = gr__rnn_blocks(r);
    place p = {.b = unit / blocks, .k = unit % blocks * r->block};
    p.n = GR__MIN(r->block, r->hidden - p.k);
    if (r->saved) p.saved = r->saved + (p.b * r->steps + r->t) * r->blocks * r->hidden + p.k;
    p.product = r->product ? r->product + p.b * gates * r->hidden + p.k : NULL;
    p.real = !r->lengths || r->t < r->lengths[p.b];
    return p;
}

GR__INLINE void step_on(place *p)
{
    p->k += GR__W;
    p->n -= GR__W;
    if (p->saved) p->saved += GR__W;
    if (p->product) p->product += GR__W;
}

/* Runs 'one' on each vector of the units, or 'rest' where a row has ended. Whole vectors have code of their own, without a test of
 * what is left. */
typedef void part_fn(const gr__rnn *r, const place *p);
GR__INLINE void walk(const gr__rnn *r, int64_t first, int64_t last, int64_t gates, part_fn *one, part_fn *rest)
{
    for (int64_t unit = first; unit < last; unit++) {
        place p = place_of(r, unit, gates);
        for (; !p.real && p.n > 0; step_on(&p)) rest(r, &p);
        for (; p.n >= GR__W; step_on(&p)) {
            place whole = p;
            whole.n = GR__W;
            one(r, &whole);
        }
        if (p.n > 0) one(r, &p);
    }
}

/* ---- forward ---- */

GR__INLINE vf sum_x(const gr__rnn *r, const place *p, int64_t j)
{
    return get(p->saved + j * r->hidden, p->n) + get_or(r->bias_ih, j * r->hidden + p->k, p->n);
}
GR__INLINE vf sum_h(const gr__rnn *r, const place *p, int64_t j)
{
    return get(p->product + j * r->hidden, p->n) + get_or(r->bias_hh, j * r->hidden + p->k, p->n);
}

/* W x + b + W h + b of gate j. */
GR__INLINE vf sum(const gr__rnn *r, const place *p, int64_t j)
{
    return sum_h(r, p, j) + (r->joined ? get_or(r->bias_ih, j * r->hidden + p->k, p->n) : sum_x(r, p, j));
}

/* W x of the same columns of the next row: too far from this one's to be seen coming. */
GR__INLINE void fetch_next_row(const gr__rnn *r, const place *p, int64_t gates)
{
    if (p->b + 1 >= r->batch || r->joined) return;
    for (int64_t j = 0; j < gates; j++) vprefetch(p->saved + (r->steps * r->blocks + j) * r->hidden);
}

GR__INLINE void finish(const gr__rnn *r, const place *p, vf h)
{
    int64_t at = p->b * r->hidden + p->k;
    put(r->h + at, p->n, h);
    put_row(&r->low, p->b * r->low.ld + p->k, p->n, h);
    put_row(&r->y, (p->b * r->steps + r->t) * r->hidden + p->k, p->n, h);
}

GR__INLINE void lstm_forward(const gr__rnn *r, const place *p)
{
    int64_t h = r->hidden, at = p->b * h + p->k;
    vf i = vsigmoid_fused(sum(r, p, 0)), f = vsigmoid_fused(sum(r, p, 1));
    vf g = vtanh_fused(sum(r, p, 2)), o = vsigmoid_fused(sum(r, p, 3));
    fetch_next_row(r, p, 4);
    vf c = f * get(r->c + at, p->n) + i * g;
    put(r->c + at, p->n, c);
    if (r->keeps) {
        put(p->saved, p->n, i);
        put(p->saved + h, p->n, f);
        put(p->saved + 2 * h, p->n, g);
        put(p->saved + 3 * h, p->n, o);
        put(p->saved + 4 * h, p->n, c);
    }
    finish(r, p, o * vtanh_fused(c));
}

/* Reset and update gate. */
GR__INLINE vf gru_gate(const gr__rnn *r, const place *p, int64_t j)
{
    vf gate = vsigmoid_fused(sum_x(r, p, j) + sum_h(r, p, j));
    if (r->keeps || r->kind == GR__RNN_GRU_BEFORE) put(p->saved + j * r->hidden, p->n, gate);
    return gate;
}

GR__INLINE void gru_forward(const gr__rnn *r, const place *p)
{
    int64_t h = r->hidden, at = p->b * h + p->k;
    bool before = r->kind == GR__RNN_GRU_BEFORE;
    vf was = get(r->h + at, p->n), from_h, z, seen;
    fetch_next_row(r, p, 3);
    if (before && r->stage == 0) {
        gru_gate(r, p, 1);
        seen = gru_gate(r, p, 0) * was;
        if (r->keeps) put(p->saved + 3 * h, p->n, seen);
        put_row(&r->low, p->b * r->low.ld + p->k, p->n, seen);
        return;
    }
    if (before) {
        from_h = sum_h(r, p, 2);
        z = get(p->saved + h, p->n);
    } else {
        seen = sum_h(r, p, 2);
        from_h = gru_gate(r, p, 0) * seen;
        z = gru_gate(r, p, 1);
        if (r->keeps) put(p->saved + 3 * h, p->n, seen);
    }
    vf n = vtanh_fused(sum_x(r, p, 2) + from_h);
    if (r->keeps) put(p->saved + 2 * h, p->n, n);
    finish(r, p, (vset(1.0f) - z) * n + z * was);
}

/* A step past the row's end: zeros are shown, the state stays. */
GR__INLINE void rest_forward(const gr__rnn *r, const place *p)
{
    int64_t at = p->b * r->hidden + p->k;
    if (r->kind == GR__RNN_GRU_BEFORE && r->stage == 0) return;
    for (int64_t j = 0; r->keeps && j < r->blocks; j++) put(p->saved + j * r->hidden, p->n, vzero());
    put_row(&r->low, p->b * r->low.ld + p->k, p->n, get(r->h + at, p->n));
    put_row(&r->y, (p->b * r->steps + r->t) * r->hidden + p->k, p->n, vzero());
}

GR__INLINE void plain_forward(const gr__rnn *r, const place *p)
{
    vf all = sum(r, p, 0), h = vtanh_fused(all);
    if (r->kind == GR__RNN_RELU) h = vmax(all, vzero());
    finish(r, p, h);
}

void GR__KERNEL(rnn_forward)(const void *args, int64_t first, int64_t last)
{
    const gr__rnn *r = args;
    int64_t gates = gr__rnn_gates(r->kind);
    if (r->kind == GR__RNN_LSTM)
        walk(r, first, last, gates, lstm_forward, rest_forward);
    else if (r->kind == GR__RNN_GRU || r->kind == GR__RNN_GRU_BEFORE)
        walk(r, first, last, gates, gru_forward, rest_forward);
    else
        walk(r, first, last, gates, plain_forward, rest_forward);
}

/* ---- backward ---- */

/* The state before the step: of the neighbour, which is real, or the first one. */
GR__INLINE bool begins(const gr__rnn *r, const place *p, int64_t *before)
{
    int64_t length = r->lengths ? GR__MIN(r->lengths[p->b], r->steps) : r->steps;
    *before = r->reverse ? r->t + 1 : r->t - 1;
    return *before < 0 || *before >= length;
}

GR__INLINE vf h_before(const gr__rnn *r, const place *p)
{
    int64_t before;
    if (begins(r, p, &before)) return get_or(r->h0, p->b * r->hidden + p->k, p->n);
    return get_row(&r->y, (p->b * r->steps + before) * r->hidden + p->k, p->n);
}

GR__INLINE vf c_before(const gr__rnn *r, const place *p)
{
    int64_t before, size = 5 * r->hidden;
    if (begins(r, p, &before)) return get_or(r->c0, p->b * r->hidden + p->k, p->n);
    return get(r->saved + (p->b * r->steps + before) * size + 4 * r->hidden + p->k, p->n);
}

GR__INLINE int64_t gate_at(const gr__rnn *r, const place *p, int64_t j)
{
    return (p->b * r->steps + r->t) * r->from_x.ld + j * r->hidden + p->k; /* from_h's rows lie alike */
}

GR__INLINE vf slope_sigmoid(vf y) { return y * (vset(1.0f) - y); }
GR__INLINE vf slope_tanh(vf y) { return vset(1.0f) - y * y; }

/* The gradient of the state that the step leaves, and the state before it, which is kept for the gradient of W_hh. */
GR__INLINE vf dh_after(const gr__rnn *r, const place *p)
{
    return get(r->dh + p->b * r->hidden + p->k, p->n) +
           get_row(&r->dy, (p->b * r->steps + r->t) * r->hidden + p->k, p->n);
}
GR__INLINE vf keep_before(const gr__rnn *r, const place *p)
{
    vf was = h_before(r, p);
    put_row(&r->before, (p->b * r->steps + r->t) * r->hidden + p->k, p->n, was);
    return was;
}

GR__INLINE void lstm_backward(const gr__rnn *r, const place *p)
{
    int64_t h = r->hidden, at = p->b * h + p->k;
    vf dh = dh_after(r, p);
    keep_before(r, p);
    vf i = get(p->saved, p->n), f = get(p->saved + h, p->n), g = get(p->saved + 2 * h, p->n);
    vf o = get(p->saved + 3 * h, p->n), bent = vtanh_fused(get(p->saved + 4 * h, p->n));
    vf dc = get(r->dc + at, p->n) + dh * o * slope_tanh(bent);
    put_row(&r->from_x, gate_at(r, p, 0), p->n, dc * g * slope_sigmoid(i));
    put_row(&r->from_x, gate_at(r, p, 1), p->n, dc * c_before(r, p) * slope_sigmoid(f));
    put_row(&r->from_x, gate_at(r, p, 2), p->n, dc * i * slope_tanh(g));
    put_row(&r->from_x, gate_at(r, p, 3), p->n, dh * bent * slope_sigmoid(o));
    put(r->dc + at, p->n, dc * f);
    put(r->dh + at, p->n, vzero());
}

GR__INLINE void gru_backward(const gr__rnn *r, const place *p)
{
    int64_t h = r->hidden, at = p->b * h + p->k;
    vf dh = dh_after(r, p), was = keep_before(r, p);
    vf reset = get(p->saved, p->n), z = get(p->saved + h, p->n), n = get(p->saved + 2 * h, p->n);
    vf seen = get(p->saved + 3 * h, p->n);
    vf dn = dh * (vset(1.0f) - z) * slope_tanh(n), dz = dh * (was - n) * slope_sigmoid(z);
    put(r->dh + at, p->n, dh * z);
    put_row(&r->from_x, gate_at(r, p, 1), p->n, dz);
    put_row(&r->from_x, gate_at(r, p, 2), p->n, dn);
    if (r->kind == GR__RNN_GRU_BEFORE) {
        put_row(&r->seen, (p->b * r->steps + r->t) * h + p->k, p->n, seen);
        return;
    }
    vf dr = dn * seen * slope_sigmoid(reset);
    put_row(&r->from_x, gate_at(r, p, 0), p->n, dr);
    put_row(&r->from_h, gate_at(r, p, 0), p->n, dr);
    put_row(&r->from_h, gate_at(r, p, 1), p->n, dz);
    put_row(&r->from_h, gate_at(r, p, 2), p->n, dn * reset);
}

/* What came back through the candidate's product. */
GR__INLINE void reset_backward(const gr__rnn *r, const place *p)
{
    int64_t at = p->b * r->hidden + p->k;
    vf reset = get(p->saved, p->n), dq = get(p->product, p->n);
    put_row(&r->from_x, gate_at(r, p, 0), p->n, dq * h_before(r, p) * slope_sigmoid(reset));
    put(r->dh + at, p->n, get(r->dh + at, p->n) + dq * reset);
}

GR__INLINE void rest_backward(const gr__rnn *r, const place *p)
{
    int64_t at = (p->b * r->steps + r->t) * r->hidden + p->k;
    for (int64_t j = 0; j < gr__rnn_gates(r->kind); j++) {
        put_row(&r->from_x, gate_at(r, p, j), p->n, vzero());
        if (r->kind == GR__RNN_GRU) put_row(&r->from_h, gate_at(r, p, j), p->n, vzero());
    }
    put_row(&r->before, at, p->n, vzero());
    put_row(&r->seen, at, p->n, vzero());
}

GR__INLINE void nothing(const gr__rnn *r, const place *p) { (void)r, (void)p; }

GR__INLINE void plain_backward(const gr__rnn *r, const place *p)
{
    vf dh = dh_after(r, p), y = get_row(&r->y, (p->b * r->steps + r->t) * r->hidden + p->k, p->n);
    keep_before(r, p);
    vf d = dh * slope_tanh(y);
    if (r->kind == GR__RNN_RELU) d = vselect(vgt(y, vzero()), dh, vzero());
    put_row(&r->from_x, gate_at(r, p, 0), p->n, d);
    put(r->dh + p->b * r->hidden + p->k, p->n, vzero());
}

void GR__KERNEL(rnn_backward)(const void *args, int64_t first, int64_t last)
{
    const gr__rnn *r = args;
    if (r->stage == 1)
        walk(r, first, last, 1, reset_backward, nothing);
    else if (r->kind == GR__RNN_LSTM)
        walk(r, first, last, 1, lstm_backward, rest_backward);
    else if (r->kind == GR__RNN_GRU || r->kind == GR__RNN_GRU_BEFORE)
        walk(r, first, last, 1, gru_backward, rest_backward);
    else
        walk(r, first, last, 1, plain_backward, rest_backward);
}
