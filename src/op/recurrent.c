#include "op/recurrent.h"

#include "base/alloc.h"

#include <math.h>
#include <string.h>

const gr__cell_kind gr__cell_lstm = {4, 5, true}, gr__cell_gru = {3, 4, false}, gr__cell_rnn = {1, 0, false};

/* ---- shape rules ---- */

/* f32 (f64 for f64) or the dtype of x: biases and states. */
static gr_status want_state(const gr__infer *c, int i, int rank, const int64_t *dim, const char *what)
{
    if (!gr__given(c, i)) return GR_OK;
    gr_dtype x = c->in[GR__RNN_X]->dtype, got = c->in[i]->dtype;
    GR_FAIL_IF(got != x && got != gr__stats_dtype(x), GR_ERR_DTYPE, "%s: operand %d (%s) is %s beside %s", c->op, i,
               what, gr_dtype_name(got), gr_dtype_name(x));
    return gr__want_shape(c, i, rank, dim, what);
}

static gr_status want_lengths(const gr__infer *c, int i)
{
    if (!gr__given(c, i)) return GR_OK;
    GR_TRY(gr__want_dtype(c, i, GR_I32));
    return gr__want_shape(c, i, 1, c->in[GR__RNN_X]->dim, "lengths, one of each row of the batch");
}

/* x and the weights; the hidden size. */
static gr_status want_weights(const gr__infer *c, const gr__cell_kind *kind, int64_t *hidden)
{
    char sw[96];
    GR_TRY(gr__want_float(c, GR__RNN_X));
    GR_TRY(gr__want_rank(c, GR__RNN_X, 3));
    const gr__value *x = c->in[GR__RNN_X];
    for (int i = GR__RNN_W_IH; i <= GR__RNN_W_HH; i++) {
        GR_TRY(gr__want_dtype(c, i, x->dtype));
        GR_TRY(gr__want_rank(c, i, 2));
    }
    const gr__value *w = c->in[GR__RNN_W_IH];
    GR_FAIL_IF(w->dim[0] % kind->gates || w->dim[1] != x->dim[2], GR_ERR_SHAPE,
               "%s: weight_ih %s must have %d rows for each unit and as many columns as x has channels, %lld", c->op,
               gr__shape_text(sw, 2, w->dim), kind->gates, (long long)x->dim[2]);
    *hidden = w->dim[0] / kind->gates;
    return gr__want_shape(c, GR__RNN_W_HH, 2, (int64_t[]){w->dim[0], *hidden}, "weight_hh");
}

gr_status gr__recurrent_infer(gr__infer *c, const gr__cell_kind *kind)
{
    int64_t h;
    GR_TRY(want_weights(c, kind, &h));
    const gr__value *x = c->in[GR__RNN_X];
    int64_t rows = kind->gates * h, state[] = {x->dim[0], h};
    GR_TRY(want_state(c, GR__RNN_B_IH, 1, &rows, "bias_ih"));
    GR_TRY(want_state(c, GR__RNN_B_HH, 1, &rows, "bias_hh"));
    GR_TRY(want_lengths(c, GR__RNN_LENGTHS));
    GR_TRY(want_state(c, GR__RNN_H0, 2, state, "h0"));
    if (kind->cell) GR_TRY(want_state(c, GR__RNN_C0, 2, state, "c0"));
    gr_dtype stats = gr__stats_dtype(x->dtype);
    c->out[GR__RNN_Y] = (gr__value){.dtype = x->dtype, .rank = 3, .dim = {x->dim[0], x->dim[1], h}};
    c->out[GR__RNN_H_N] = (gr__value){.dtype = stats, .rank = 2, .dim = {x->dim[0], h}};
    c->out[GR__RNN_SAVED] = (gr__value){.dtype = stats, .rank = 3, .dim = {x->dim[0], x->dim[1], kind->saved * h}};
    c->out[GR__RNN_C_N] = c->out[GR__RNN_H_N];
    return GR_OK;
}

gr_status gr__recurrent_infer_grad(gr__infer *c, const gr__cell_kind *kind)
{
    int64_t h;
    GR_TRY(want_weights(c, kind, &h));
    const gr__value *x = c->in[GR__RNN_X];
    gr_dtype stats = gr__stats_dtype(x->dtype);
    int64_t y[] = {x->dim[0], x->dim[1], h}, saved[] = {x->dim[0], x->dim[1], kind->saved * h},
            *state = (int64_t[]){y[0], h};
    GR_TRY(gr__want_dtype(c, GR__RNN_GRAD_Y, x->dtype));
    GR_TRY(gr__want_shape(c, GR__RNN_GRAD_Y, 3, y, "y"));
    if (kind->saved) {
        GR_TRY(gr__want_dtype(c, GR__RNN_GRAD_SAVED, stats));
        GR_TRY(gr__want_shape(c, GR__RNN_GRAD_SAVED, 3, saved, "saved"));
    }
    if (gr__given(c, GR__RNN_GRAD_DY)) {
        GR_TRY(gr__want_dtype(c, GR__RNN_GRAD_DY, x->dtype));
        GR_TRY(gr__want_shape(c, GR__RNN_GRAD_DY, 3, y, "dy"));
    }
    GR_TRY(want_state(c, GR__RNN_GRAD_DH_N, 2, state, "dh_n"));
    GR_TRY(want_lengths(c, GR__RNN_GRAD_LENGTHS));
    GR_TRY(want_state(c, GR__RNN_GRAD_H0, 2, state, "h0"));
    if (kind->cell) GR_TRY(want_state(c, GR__RNN_GRAD_C0, 2, state, "c0"));
    if (kind->cell) GR_TRY(want_state(c, GR__RNN_GRAD_DC_N, 2, state, "dc_n"));
    for (int i = GR__RNN_DX; i <= GR__RNN_DW_HH; i++) c->out[i] = *c->in[i];
    c->out[GR__RNN_DH0] = (gr__value){.dtype = stats, .rank = 2, .dim = {x->dim[0], h}};
    c->out[GR__RNN_DB] = (gr__value){.dtype = stats, .rank = 1, .dim = {kind->gates * h}};
    c->out[GR__RNN_DC0] = c->out[kind->cell ? GR__RNN_DH0 : GR__RNN_DB];
    return GR_OK;
}

double gr__recurrent_flops(const gr__args *a)
{
    const gr__arg *x = &a->in[GR__RNN_X], *w = &a->in[GR__RNN_W_IH], *u = &a->in[GR__RNN_W_HH];
    return 2.0 * (double)(x->dim[0] * x->dim[1]) * (double)w->dim[0] * (double)(w->dim[1] + u->dim[1]);
}

double gr__recurrent_flops_grad(const gr__args *a) { return 2 * gr__recurrent_flops(a); }

/* ---- nodes ---- */

static gr_value operand(const gr__node *n, int i) { return i < n->n_in ? n->in[i] : 0; }

void gr__recurrent_grad(gr__grad *c, const gr__op *op, const gr__cell_kind *kind)
{
    const gr__node *n = c->node;
    gr_value d[GR__MAX_OUT] = {0}, *d_out = c->out_grad;
    gr__grad_only_first(c, 1u << GR__RNN_H_N | 1u << GR__RNN_C_N); /* a gradient into what is saved fails the graph */
    if (gr_graph_status(c->g) != GR_OK) return;
    gr_value in[GR__RNN_GRAD_COUNT] = {n->in[GR__RNN_X],
                                       n->in[GR__RNN_W_IH],
                                       n->in[GR__RNN_W_HH],
                                       n->out[GR__RNN_Y],
                                       kind->saved ? n->out[GR__RNN_SAVED] : 0,
                                       d_out[GR__RNN_Y],
                                       d_out[GR__RNN_H_N],
                                       operand(n, GR__RNN_LENGTHS),
                                       operand(n, GR__RNN_H0)};
    if (kind->cell) in[GR__RNN_GRAD_C0] = operand(n, GR__RNN_C0), in[GR__RNN_GRAD_DC_N] = d_out[GR__RNN_C_N];
    gr__node_add(c->g, op, in, op->max_in, n->attr, d);
    for (int i = GR__RNN_X; i <= GR__RNN_W_HH; i++) c->in_grad[i] = d[i];
    gr_value both[] = {d[GR__RNN_DB], kind == &gr__cell_gru ? d[GR__RNN_DB_HH] : d[GR__RNN_DB]};
    for (int i = GR__RNN_B_IH; i <= GR__RNN_C0; i++) {
        if (!operand(n, i) || !c->need[i] || i == GR__RNN_LENGTHS) continue;
        gr_value v = i <= GR__RNN_B_HH ? both[i - GR__RNN_B_IH] : d[i == GR__RNN_H0 ? GR__RNN_DH0 : GR__RNN_DC0];
        c->in_grad[i] = gr_cast(c->g, v, gr_value_dtype(c->g, n->in[i]));
    }
}

gr_value gr__recurrent_node(gr_graph *g, const gr__op *op, const gr_value *x_w_w, const gr_scan_options *o,
                            gr_value *out)
{
    gr__recurrent_attr a = {0};
    gr_value in[GR__RNN_C0 + 2] = {x_w_w[0], x_w_w[1], x_w_w[2]};
    if (o) {
        a = (gr__recurrent_attr){o->reverse, o->reset_before, o->relu};
        in[GR__RNN_B_IH] = o->bias_ih, in[GR__RNN_B_HH] = o->bias_hh, in[GR__RNN_LENGTHS] = o->lengths;
        in[GR__RNN_H0] = o->h0, in[GR__RNN_C0] = o->c0;
    }
    if (in[GR__RNN_C0] && op != &gr__op_lstm)
        return gr__graph_fail(g, GR_ERR_ARGUMENT, "%s: c0 is a state of lstm only", op->name);
    return gr__node_add(g, op, in, op->max_in, &a, out);
}

/* ---- references: forward ---- */

static const gr__arg *given(const gr__args *a, int i) { return gr__has(a, i) ? &a->in[i] : NULL; }

gr__recurrent_view gr__recurrent_view_of(const gr__args *a, const gr__cell_kind *kind, bool grad)
{
    const gr__arg *x = &a->in[GR__RNN_X], *w = &a->in[GR__RNN_W_HH];
    return (gr__recurrent_view){.kind = kind,
                                .attr = a->attr,
                                .x = x,
                                .w_ih = &a->in[GR__RNN_W_IH],
                                .w_hh = w,
                                .b_ih = grad ? NULL : given(a, GR__RNN_B_IH),
                                .b_hh = grad ? NULL : given(a, GR__RNN_B_HH),
                                .lengths = given(a, grad ? GR__RNN_GRAD_LENGTHS : GR__RNN_LENGTHS),
                                .h0 = given(a, grad ? GR__RNN_GRAD_H0 : GR__RNN_H0),
                                .c0 = kind->cell ? given(a, grad ? GR__RNN_GRAD_C0 : GR__RNN_C0) : NULL,
                                .batch = x->dim[0],
                                .steps = x->dim[1],
                                .in = x->dim[2],
                                .hidden = w->dim[1]};
}

bool gr__recurrent_real(const gr__recurrent_view *v, int64_t b, int64_t t)
{
    return t >= 0 && t < v->steps && (!v->lengths || t < gr__load_int(v->lengths, b * v->lengths->stride[0]));
}

int64_t gr__recurrent_before(const gr__recurrent_view *v, int64_t t) { return v->attr->reverse ? t + 1 : t - 1; }

static double bias(const gr__arg *b, int64_t j) { return b ? gr__load(b, j * b->stride[0]) : 0; }

double gr__recurrent_from_x(const gr__recurrent_view *v, int64_t b, int64_t t, int64_t j)
{
    const gr__arg *x = v->x, *w = v->w_ih;
    double sum = bias(v->b_ih, j);
    for (int64_t i = 0; i < v->in; i++)
        sum += gr__load(x, gr__offset(x, (int64_t[]){b, t, i})) * gr__load(w, j * w->stride[0] + i * w->stride[1]);
    return sum;
}

double gr__recurrent_from_h(const gr__recurrent_view *v, const double *h, int64_t j)
{
    double sum = bias(v->b_hh, j);
    for (int64_t k = 0; k < v->hidden; k++)
        sum += h[k] * gr__load(v->w_hh, j * v->w_hh->stride[0] + k * v->w_hh->stride[1]);
    return sum;
}

double gr__logistic(double x) { return 1 / (1 + exp(-x)); }

static void load_row(double *to, const gr__arg *from, int64_t n, const int64_t *index)
{
    int64_t at = from ? gr__row(from, index) : 0;
    for (int64_t k = 0; k < n; k++) to[k] = from ? gr__load(from, at + k * gr__step(from)) : 0;
}

static void store_row(const gr__args *a, int i, int64_t n, const int64_t *index, const double *from)
{
    if (i >= a->n_out || !gr__wanted(a, i)) return;
    const gr__arg *to = &a->out[i];
    int64_t at = gr__row(to, index);
    for (int64_t k = 0; k < n; k++) gr__store(to, at + k * gr__step(to), from[k]);
}

static void zero(double *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++) x[i] = 0;
}

gr_status gr__recurrent_reference(const gr__args *a, const gr__cell_kind *kind, gr__cell *cell)
{
    gr__recurrent_view v = gr__recurrent_view_of(a, kind, false);
    int64_t n = v.hidden, all = (4 + kind->saved) * n;
    double *h = gr__alloc((size_t)all * sizeof *h);
    if (!h) return gr__fail_memory("a recurrent layer", (size_t)all * sizeof *h);
    double *next = h + n, *c = next + n, *y = c + n, *saved = y + n;
    for (int64_t b = 0; b < v.batch; b++) {
        load_row(h, v.h0, n, &b);
        load_row(c, v.c0, n, &b);
        for (int64_t s = 0; s < v.steps; s++) {
            int64_t t = v.attr->reverse ? v.steps - 1 - s : s, at[] = {b, t, 0};
            zero(y, (1 + kind->saved) * n);
            if (gr__recurrent_real(&v, b, t)) {
                cell(&v, b, t, h, next, c, saved);
                memcpy(h, next, (size_t)n * sizeof *h);
                memcpy(y, next, (size_t)n * sizeof *h);
            }
            store_row(a, GR__RNN_Y, n, at, y);
            if (kind->saved) store_row(a, GR__RNN_SAVED, kind->saved * n, at, saved);
        }
        store_row(a, GR__RNN_H_N, n, &b, h);
        if (kind->cell) store_row(a, GR__RNN_C_N, n, &b, c);
    }
    gr__free(h);
    return GR_OK;
}

/* ---- decompositions ---- */

gr_value gr__unroll_gate(const gr__unroll *u, gr_value gates, int k)
{
    return gr_slice(u->g, gates, 1, k * u->hidden, u->hidden);
}

gr_value gr__unroll_product(const gr__unroll *u, gr_value h, int first, int n)
{
    gr_value w = gr_slice(u->g, u->w_hh, 0, first * u->hidden, n * u->hidden);
    gr_value y = gr_matmul(u->g, h, w, &(gr_matmul_options){.transpose_b = true});
    return u->b_hh ? gr_add(u->g, y, gr_slice(u->g, u->b_hh, 0, first * u->hidden, n * u->hidden)) : y;
}

/* x (B, n) put at step t of (B, T, n) and added to 'so_far' (0: nothing yet). */
static gr_value put(gr_graph *g, gr_value so_far, gr_value x, int64_t t, int64_t steps)
{
    gr_value one = gr_reshape(g, x, 3, (int64_t[]){gr_value_dim(g, x, 0), 1, gr_value_dim(g, x, 1)});
    gr_value placed = gr_pad_slice(g, one, 1, t, steps);
    return so_far ? gr_add(g, so_far, placed) : placed;
}

static gr_value state_of(gr_graph *g, gr_value given, gr_dtype dtype, int64_t batch, int64_t hidden)
{
    return given ? gr_cast(g, given, dtype) : gr_fill(g, dtype, 2, (int64_t[]){batch, hidden}, 0);
}

void gr__recurrent_decompose(gr_graph *g, const gr__node *n, gr_value *out, const gr__cell_kind *kind,
                             gr__cell_nodes *cell)
{
    const gr__recurrent_attr *attr = n->attr;
    gr__value x = *gr__value_get(g, n->in[GR__RNN_X]);
    gr_dtype dtype = gr__stats_dtype(x.dtype);
    int64_t batch = x.dim[0], steps = x.dim[1], hidden = gr_value_dim(g, n->in[GR__RNN_W_HH], 1);
    gr__unroll u = {.g = g, .attr = attr, .hidden = hidden, .w_hh = gr_cast(g, n->in[GR__RNN_W_HH], dtype)};
    if (operand(n, GR__RNN_B_HH)) u.b_hh = gr_cast(g, n->in[GR__RNN_B_HH], dtype);
    gr_value from_x = gr_matmul(g, gr_cast(g, n->in[GR__RNN_X], dtype), gr_cast(g, n->in[GR__RNN_W_IH], dtype),
                                &(gr_matmul_options){.transpose_b = true});
    if (operand(n, GR__RNN_B_IH)) from_x = gr_add(g, from_x, gr_cast(g, n->in[GR__RNN_B_IH], dtype));
    gr_value h = state_of(g, operand(n, GR__RNN_H0), dtype, batch, hidden), y = 0, saved = 0;
    gr_value c = kind->cell ? state_of(g, operand(n, GR__RNN_C0), dtype, batch, hidden) : 0,
             none = gr_scalar(g, dtype, 0);
    gr_value lengths = operand(n, GR__RNN_LENGTHS);
    if (lengths) lengths = gr_reshape(g, gr_cast(g, lengths, dtype), 2, (int64_t[]){batch, 1});
    for (int64_t s = 0; s < steps; s++) {
        int64_t t = attr->reverse ? steps - 1 - s : s;
        gr_value next = h, next_c = c, step_saved = 0;
        gr_value now = gr_reshape(g, gr_slice(g, from_x, 1, t, 1), 2, (int64_t[]){batch, kind->gates * hidden});
        cell(&u, now, &next, &next_c, &step_saved);
        gr_value shown = next;
        if (lengths) {
            gr_value real = gr_greater(g, lengths, gr_scalar(g, dtype, (double)t));
            h = gr_where(g, real, next, h);
            if (c) c = gr_where(g, real, next_c, c);
            shown = gr_where(g, real, next, none);
            if (step_saved) step_saved = gr_where(g, real, step_saved, none);
        } else {
            h = next, c = next_c;
        }
        y = put(g, y, shown, t, steps);
        if (step_saved) saved = put(g, saved, step_saved, t, steps);
    }
    out[GR__RNN_Y] = gr_cast(g, y, x.dtype);
    out[GR__RNN_H_N] = h;
    if (kind->saved) out[GR__RNN_SAVED] = saved;
    if (kind->cell) out[GR__RNN_C_N] = c;
}

/* ---- references: backward ---- */

double gr__recurrent_back(const gr__recurrent_view *v, const double *d, int gate, int64_t k)
{
    double sum = 0;
    for (int64_t j = gate * v->hidden; j < (gate + 1) * v->hidden; j++)
        sum += d[j] * gr__load(v->w_hh, j * v->w_hh->stride[0] + k * v->w_hh->stride[1]);
    return sum;
}

/* Sums over the whole batch, and one step's numbers. */
typedef struct sums {
    double *memory, *dw_ih, *dw_hh, *db_ih, *db_hh, *dx, *h, *c, *y, *saved;
    gr__step_back step;
} sums;

static gr_status sums_new(const gr__recurrent_view *v, sums *s)
{
    int64_t n = v->hidden, rows = v->kind->gates * n;
    int64_t all = rows * (v->in + n + 4) + v->in + (6 + v->kind->saved) * n;
    double *p = s->memory = gr__alloc((size_t)all * sizeof *p);
    if (!p) return gr__fail_memory("the gradient of a recurrent layer", (size_t)all * sizeof *p);
    zero(p, all);
    s->dw_ih = p, p += rows * v->in;
    s->dw_hh = p, p += rows * n;
    s->db_ih = p, p += rows;
    s->db_hh = p, p += rows;
    s->step.from_x = p, p += rows;
    s->step.from_h = p, p += rows;
    s->dx = p, p += v->in;
    s->step.h = s->h = p, p += n;
    s->step.c = s->c = p, p += n;
    s->step.y = s->y = p, p += n;
    s->step.dh = p, p += n;
    s->step.dc = p, p += n;
    s->step.seen = p, p += n;
    s->step.saved = s->saved = p;
    return GR_OK;
}

static void load_step(const gr__args *a, const gr__recurrent_view *v, int64_t b, int64_t t, sums *s)
{
    int64_t n = v->hidden, before = gr__recurrent_before(v, t), at[] = {b, t, 0}, was[] = {b, before, 0};
    bool first = !gr__recurrent_real(v, b, before);
    load_row(s->y, &a->in[GR__RNN_GRAD_Y], n, at);
    if (v->kind->saved) load_row(s->saved, &a->in[GR__RNN_GRAD_SAVED], v->kind->saved * n, at);
    load_row(s->h, first ? v->h0 : &a->in[GR__RNN_GRAD_Y], n, first ? &b : was);
    if (v->kind->cell && first) load_row(s->c, v->c0, n, &b);
    for (int64_t k = 0; v->kind->cell && !first && k < n; k++) {
        const gr__arg *saved = &a->in[GR__RNN_GRAD_SAVED];
        s->c[k] = gr__load(saved, gr__offset(saved, (int64_t[]){b, before, (v->kind->saved - 1) * n + k}));
    }
    memcpy(s->step.seen, s->h, (size_t)n * sizeof *s->h);
}

static void add_step(const gr__recurrent_view *v, int64_t b, int64_t t, sums *s)
{
    int64_t n = v->hidden, rows = v->kind->gates * n;
    for (int64_t j = 0; j < rows; j++) {
        const double *met = j >= rows - n ? s->step.seen : s->h;
        s->db_ih[j] += s->step.from_x[j];
        s->db_hh[j] += s->step.from_h[j];
        for (int64_t k = 0; k < n; k++) s->dw_hh[j * n + k] += s->step.from_h[j] * met[k];
        for (int64_t i = 0; i < v->in; i++) {
            s->dw_ih[j * v->in + i] += s->step.from_x[j] * gr__load(v->x, gr__offset(v->x, (int64_t[]){b, t, i}));
            s->dx[i] += s->step.from_x[j] * gr__load(v->w_ih, j * v->w_ih->stride[0] + i * v->w_ih->stride[1]);
        }
    }
}

gr_status gr__recurrent_reference_grad(const gr__args *a, const gr__cell_kind *kind, gr__cell_back *cell)
{
    gr__recurrent_view v = gr__recurrent_view_of(a, kind, true);
    const gr__arg *dy = given(a, GR__RNN_GRAD_DY);
    int64_t n = v.hidden, rows = kind->gates * n, none = 0;
    sums s;
    GR_TRY(sums_new(&v, &s));
    for (int64_t b = 0; b < v.batch; b++) {
        load_row(s.step.dh, given(a, GR__RNN_GRAD_DH_N), n, &b);
        load_row(s.step.dc, kind->cell ? given(a, GR__RNN_GRAD_DC_N) : NULL, n, &b);
        for (int64_t step = v.steps - 1; step >= 0; step--) {
            int64_t t = v.attr->reverse ? v.steps - 1 - step : step, at[] = {b, t, 0};
            zero(s.dx, v.in);
            if (gr__recurrent_real(&v, b, t)) {
                load_step(a, &v, b, t, &s);
                for (int64_t k = 0; dy && k < n; k++) s.step.dh[k] += gr__load(dy, gr__row(dy, at) + k * gr__step(dy));
                cell(&v, &s.step);
                add_step(&v, b, t, &s);
            }
            store_row(a, GR__RNN_DX, v.in, at, s.dx);
        }
        store_row(a, GR__RNN_DH0, n, &b, s.step.dh);
        if (kind->cell) store_row(a, GR__RNN_DC0, n, &b, s.step.dc);
    }
    for (int64_t j = 0; j < rows; j++) {
        store_row(a, GR__RNN_DW_IH, v.in, &j, s.dw_ih + j * v.in);
        store_row(a, GR__RNN_DW_HH, n, &j, s.dw_hh + j * n);
    }
    store_row(a, GR__RNN_DB, rows, &none, s.db_ih);
    if (!kind->cell) store_row(a, GR__RNN_DB_HH, rows, &none, s.db_hh);
    gr__free(s.memory);
    return GR_OK;
}
