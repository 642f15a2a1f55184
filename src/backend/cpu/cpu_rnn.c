/* lstm, gru, rnn and their gradients: products over all steps at once where nothing waits for them, one product a step for
 * the state. W x is made where the step then saves its gates.
 *
 * Forward, where W_hh can be packed, each gate's rows for themselves: a thread makes a block of units of a step, its columns of the
 * product and then its gates; see gr__parallel_steps(). Else the steps are calls one after the other. */
#include "backend/cpu/dense.h"
#include "backend/cpu/room.h"
#include "backend/cpu/table.h"

#include "base/alloc.h"
#include "base/parallel.h"
#include "kernel/copy.h"
#include "kernel/reduce.h"
#include "kernel/rnn.h"
#include "op/pack.h"
#include "op/recurrent.h"

#include <string.h>

typedef struct sizes {
    gr__rnn_kind kind;
    int64_t b, t, i, h, g, s; /* g, s: blocks of h, of what is made from x and of what the step leaves there */
    bool keeps;               /* for the backward pass */
    gr_dtype dtype;
    size_t item;
} sizes;

static sizes sizes_of(const gr__args *a)
{
    const gr__recurrent_attr *o = a->attr;
    bool lstm = a->op == &gr__op_lstm || a->op == &gr__op_lstm_grad,
         gru = a->op == &gr__op_gru || a->op == &gr__op_gru_grad;
    gr__rnn_kind kind = lstm  ? GR__RNN_LSTM
                        : gru ? (o->reset_before ? GR__RNN_GRU_BEFORE : GR__RNN_GRU)
                              : (o->relu ? GR__RNN_RELU : GR__RNN_TANH);
    const gr__arg *x = &a->in[GR__RNN_X];
    bool backward = a->op == &gr__op_lstm_grad || a->op == &gr__op_gru_grad || a->op == &gr__op_rnn_grad;
    bool keeps = backward || (a->n_out > GR__RNN_SAVED && gr__wanted(a, GR__RNN_SAVED));
    return (sizes){.kind = kind,
                   .b = x->dim[0],
                   .t = x->dim[1],
                   .i = x->dim[2],
                   .h = a->in[GR__RNN_W_HH].dim[1],
                   .g = gr__rnn_gates(kind),
                   .s = keeps ? gr__rnn_saved(kind) : gr__rnn_gates(kind),
                   .keeps = keeps,
                   .dtype = x->dtype,
                   .item = gr_dtype_size_bytes(x->dtype)};
}

static bool applicable(const gr__args *a, char *why)
{
    return gr__fast_float(&a->in[GR__RNN_X]) ? true : gr__refuse(why, "dtype");
}

/* ---- scratch ---- */

static gr__rows rows_of(void *data, gr_dtype dtype, int64_t ld) { return (gr__rows){data, dtype, ld}; }

/* An optional operand as floats; a bf16 one is widened into scratch. */
static float *floats(const gr__args *a, int i, gr__room *r)
{
    if (!gr__has(a, i)) return NULL;
    const gr__arg *x = &a->in[i];
    if (x->dtype == GR_F32) return x->data;
    int64_t n = gr__arg_count(x);
    float *to = gr__room_take(r, n, sizeof *to);
    if (to) gr__cast(to, GR_F32, x->data, GR_BF16, n);
    return to;
}

/* A state (B, H) that the steps change: the result itself where it is wanted. Begins as the operand or zeros. */
static float *state_of(const gr__args *a, int in, int out, int64_t n, gr__room *r)
{
    float *to = out < a->n_out && gr__wanted(a, out) ? a->out[out].data : gr__room_take(r, n, sizeof *to);
    if (!r->base) return NULL;
    if (!gr__has(a, in))
        memset(to, 0, (size_t)n * sizeof *to);
    else if (a->in[in].dtype == GR_F32)
        memcpy(to, a->in[in].data, (size_t)n * sizeof *to);
    else
        gr__cast(to, GR_F32, a->in[in].data, GR_BF16, n);
    return to;
}

/* ---- products ---- */

enum { LEAST_BLOCK = 64 }; /* units of a part of a step: so many or a multiple, see gr__gemm_run_columns() */
enum { MOST = 6 };
enum { IN, STEP, CANDIDATE };                                       /* forward */
enum { BACK_STEP, BACK_CANDIDATE, DX, DW_IH, DW_HH, DW_CANDIDATE }; /* backward */
typedef struct products {
    gr__dense *of[MOST];
    gr__gemm gate;     /* forward: h times a packed gate of W_hh */
    size_t gate_bytes; /* 0: STEP and CANDIDATE instead */
} products;

static void release(void *state)
{
    products *p = state;
    for (int k = 0; k < MOST; k++) gr__dense_free(p->of[k]);
    gr__free(p);
}

static bool before(const sizes *z) { return z->kind == GR__RNN_GRU_BEFORE; }

/* x (M, K) times wᵀ, w (N, K) -> f32 rows c_row apart. */
static gr__gemm times_weight(const sizes *z, int64_t m, int64_t n, int64_t k, int64_t c_row)
{
    return (gr__gemm){.m = m,
                      .n = n,
                      .k = k,
                      .dtype = z->dtype,
                      .c_dtype = GR_F32,
                      .a_row = k,
                      .a_col = 1,
                      .b_row = 1,
                      .b_col = k,
                      .c_row = c_row};
}

/* d (M, K), rows a_row apart, times w (K, N). */
static gr__gemm back_through(const sizes *z, int64_t m, int64_t n, int64_t k, int64_t a_row)
{
    return (gr__gemm){.m = m,
                      .n = n,
                      .k = k,
                      .dtype = z->dtype,
                      .c_dtype = GR_F32,
                      .a_row = a_row,
                      .a_col = 1,
                      .b_row = n,
                      .b_col = 1,
                      .c_row = n};
}

/* Elements from row to row where a row has k: an odd multiple of 32. Rows a power of two apart share a few lines of the cache. */
static int64_t row_for(int64_t k) { return ((k + 31) / 32 | 1) * 32; }

static int64_t gradient_row(const sizes *z) { return row_for(z->g * z->h); } /* of the gates' gradients */
/* Of what W_hh is multiplied with: zeros lie behind it, see gr__gemm_run_columns(). */
static int64_t operand_row(const sizes *z) { return row_for(z->h); }

/* M columns of d (B*T, G*H), transposed, times x (B*T, N): a gradient of a weight. */
static gr__gemm over_steps(const sizes *z, int64_t m, int64_t n)
{
    return (gr__gemm){.m = m,
                      .n = n,
                      .k = z->b * z->t,
                      .dtype = z->dtype,
                      .c_dtype = z->dtype,
                      .a_row = 1,
                      .a_col = gradient_row(z),
                      .b_row = n,
                      .b_col = 1,
                      .c_row = n};
}

static void make_gate(const sizes *z, products *p)
{
    p->gate = times_weight(z, z->b, z->h, z->h, z->g * z->h);
    p->gate.a_row = operand_row(z);
    p->gate.near = true;
    if (gr__gemm_can_pack(&p->gate)) p->gate_bytes = (gr__gemm_packed_bytes(&p->gate) + 63) & ~(size_t)63;
}

static gr_status make_forward(const gr__args *a, products *p)
{
    sizes z = sizes_of(a);
    int64_t h = z.h;
    gr__gemm in = times_weight(&z, z.b * z.t, z.g * h, z.i, z.s * h);
    gr__gemm step = times_weight(&z, z.b, before(&z) ? 2 * h : z.g * h, h, z.g * h);
    gr__gemm candidate = times_weight(&z, z.b, h, h, z.g * h);
    GR_TRY(gr__dense_new(&in, &p->of[IN]));
    make_gate(&z, p);
    if (p->gate_bytes) return GR_OK;
    step.a_row = candidate.a_row = operand_row(&z);
    GR_TRY(gr__dense_new(&step, &p->of[STEP]));
    return before(&z) ? gr__dense_new(&candidate, &p->of[CANDIDATE]) : GR_OK;
}

static gr_status make_backward(const gr__args *a, products *p)
{
    sizes z = sizes_of(a);
    int64_t h = z.h, rows = z.g * h, first = before(&z) ? 2 * h : rows;
    int64_t row = gradient_row(&z);
    gr__gemm step = back_through(&z, z.b, h, first, z.t * row), candidate = back_through(&z, z.b, h, h, z.t * row);
    gr__gemm dx = back_through(&z, z.b * z.t, z.i, rows, row);
    gr__gemm dw_ih = over_steps(&z, rows, z.i), dw_hh = over_steps(&z, first, h), dw_candidate = over_steps(&z, h, h);
    step.accumulate = true;
    dx.c_dtype = z.dtype;
    GR_TRY(gr__dense_new(&step, &p->of[BACK_STEP]));
    if (before(&z)) GR_TRY(gr__dense_new(&candidate, &p->of[BACK_CANDIDATE]));
    if (gr__wanted(a, GR__RNN_DX)) GR_TRY(gr__dense_new(&dx, &p->of[DX]));
    if (gr__wanted(a, GR__RNN_DW_IH)) GR_TRY(gr__dense_new(&dw_ih, &p->of[DW_IH]));
    if (!gr__wanted(a, GR__RNN_DW_HH)) return GR_OK;
    GR_TRY(gr__dense_new(&dw_hh, &p->of[DW_HH]));
    return before(&z) ? gr__dense_new(&dw_candidate, &p->of[DW_CANDIDATE]) : GR_OK;
}

static gr_status make(const gr__args *a, gr_status (*fill)(const gr__args *, products *), products **out)
{
    products *p = gr__calloc(1, sizeof *p);
    if (!p) return gr__fail_memory("a recurrent layer", sizeof *p);
    gr_status status = fill(a, p);
    if (status != GR_OK)
        release(p);
    else
        *out = p;
    return status;
}

static size_t most_scratch(const products *p)
{
    size_t most = 0;
    for (int k = 0; k < MOST; k++) most = GR__MAX(most, gr__dense_scratch_bytes(p->of[k]));
    if (!p->gate_bytes) return most;
    gr__gemm packing = p->gate, packed = p->gate;
    packed.packed_b = p; /* there or not */
    most = GR__MAX(most, gr__gemm_scratch_bytes(&packing));
    return GR__MAX(most, gr__gemm_scratch_bytes(&packed));
}

/* Weights that every step multiplies with, packed once a run where that pays; returns what runs borrow then. */
static void *pack_once(gr__dense *first, const void *w, gr__dense *second, const void *w2, gr__room *r)
{
    void *one = gr__room_take(r, (int64_t)gr__dense_packed_bytes(first), 1),
         *two = gr__room_take(r, (int64_t)gr__dense_packed_bytes(second), 1);
    if (!r->base) return NULL;
    void *borrowed = r->base + r->used;
    if (gr__dense_packed_bytes(first)) gr__dense_pack(first, w, one, borrowed);
    if (gr__dense_packed_bytes(second)) gr__dense_pack(second, w2, two, borrowed);
    return borrowed;
}

/* Of W_hh (G*H, H) the rows of the candidate, which has a product of its own. */
static const char *candidate_of(const sizes *z, const void *w_hh)
{
    return w_hh ? (const char *)w_hh + (size_t)(2 * z->h * z->h) * z->item : NULL;
}

/* ---- weights packed before the runs ---- */

static bool packed_before(const gr__args *a) { return gr__has(a, gr__recurrent_packed(a->op)); }

/* Packed weights: W_ih, then the gates of W_hh. */
static size_t in_bytes(const products *p) { return (gr__dense_packed_bytes(p->of[IN]) + 63) & ~(size_t)63; }

static size_t forward_packed(const gr__args *a)
{
    products *p = NULL;
    sizes z = sizes_of(a);
    if (make(a, make_forward, &p) != GR_OK) return 0; /* then 'prepare' fails too */
    size_t bytes = p->gate_bytes ? in_bytes(p) + (size_t)z.g * p->gate_bytes : 0;
    release(p);
    return bytes;
}

static void pack_gates(const products *p, const void *w_hh, int64_t gates, char *to, void *scratch)
{
    gr__gemm g = p->gate; /* w_hh (G*H, H) */
    g.scratch = scratch;
    for (int64_t j = 0; j < gates; j++) {
        g.b = (const char *)w_hh + (size_t)(j * g.n * g.k) * gr_dtype_size_bytes(g.dtype);
        gr__gemm_pack_b(&g, to + (size_t)j * p->gate_bytes);
    }
}

static bool packs(const gr__args *a, char *why)
{
    return ((const gr__pack_attr *)a->attr)->scan || gr__refuse(why, "a weight of a product");
}

static gr_status pack_prepare(const gr__args *a, void **state)
{
    const gr__pack_attr *o = a->attr;
    const gr__arg in[] = {gr__arg_of(&o->x), a->in[0], a->in[1]};
    products *p = NULL;
    GR_TRY(make(&(gr__args){.op = o->scan, .in = in, .n_in = 3, .attr = &o->scan_attr}, make_forward, &p));
    *state = p;
    return GR_OK;
}

static size_t pack_scratch(const gr__args *a)
{
    void *state = NULL;
    if (pack_prepare(a, &state) != GR_OK) return 0; /* then 'prepare' fails too */
    size_t bytes = most_scratch(state);
    release(state);
    return bytes;
}

static gr_status pack(const gr__args *a, void *state)
{
    const products *p = state;
    char *to = a->out[0].data;
    if (in_bytes(p)) gr__dense_pack(p->of[IN], a->in[0].data, to, a->scratch);
    pack_gates(p, a->in[1].data, a->in[1].dim[0] / a->in[1].dim[1], to + in_bytes(p), a->scratch);
    return GR_OK;
}

/* ---- forward ---- */

typedef struct scan {
    sizes z;
    const products *p;
    gr__rnn job;
    const char *packed;
    char *operand[2]; /* (B, operand_row): read by a step, by the next one */
    float *product;   /* (B, G*H) */
    void *scratch;
} scan;

/* The job, and the memory of what the products give and take. */
static scan forward_scan(const gr__args *a, gr__room *r)
{
    sizes z = sizes_of(a);
    int64_t n = z.b * z.h;
    bool lstm = z.kind == GR__RNN_LSTM;
    scan s = {.z = z,
              .job = {.kind = z.kind,
                      .blocks = z.s,
                      .keeps = z.keeps,
                      .batch = z.b,
                      .steps = z.t,
                      .hidden = z.h,
                      .reverse = ((const gr__recurrent_attr *)a->attr)->reverse,
                      .lengths = gr__has(a, GR__RNN_LENGTHS) ? a->in[GR__RNN_LENGTHS].data : NULL,
                      .bias_ih = floats(a, GR__RNN_B_IH, r),
                      .bias_hh = floats(a, GR__RNN_B_HH, r),
                      .h = state_of(a, GR__RNN_H0, GR__RNN_H_N, n, r),
                      .c = lstm ? state_of(a, GR__RNN_C0, GR__RNN_C_N, n, r) : NULL,
                      .block = GR__RNN_BLOCK}};
    s.job.saved = z.keeps ? a->out[GR__RNN_SAVED].data : gr__room_take(r, z.b * z.t * z.s * z.h, sizeof(float));
    if (gr__wanted(a, GR__RNN_Y)) s.job.y = rows_of(a->out[GR__RNN_Y].data, z.dtype, z.h);
    for (int k = 0; k < 2; k++) s.operand[k] = gr__room_take(r, z.b * operand_row(&z), z.item);
    s.product = gr__room_take(r, z.b * z.g * z.h, sizeof(float));
    s.job.product = s.product;
    return s;
}

static size_t forward_scratch(const gr__args *a)
{
    products *p = NULL;
    gr__room r = {0};
    if (make(a, make_forward, &p) != GR_OK) return 0; /* then 'prepare' fails too */
    scan s = forward_scan(a, &r);
    if (!packed_before(a)) gr__room_take(&r, s.z.g, p->gate_bytes);
    size_t bytes = r.used + most_scratch(p);
    release(p);
    return bytes;
}

static gr_status forward_prepare(const gr__args *a, void **state)
{
    products *p = NULL;
    if (!a->scratch) return gr__fail_memory("a recurrent layer", sizeof *p);
    GR_TRY(make(a, make_forward, &p));
    *state = p;
    return GR_OK;
}

/* Zeros behind each row of both, h before the first step in the one that this reads. */
static void fill_operands(const scan *s)
{
    const sizes *z = &s->z;
    int64_t row = operand_row(z);
    for (int k = 0; k < 2; k++) memset(s->operand[k], 0, (size_t)(z->b * row) * z->item);
    for (int64_t b = 0; b < z->b; b++)
        gr__cast(s->operand[0] + (size_t)(b * row) * z->item, z->dtype, s->job.h + b * z->h, GR_F32, z->h);
}

static int64_t stages(const sizes *z) { return before(z) ? 2 : 1; }

/* Stage 'at' of all the steps' stages. */
static gr__rnn stage_job(const scan *s, int64_t at)
{
    gr__rnn job = s->job;
    int64_t step = at / stages(&s->z);
    job.t = job.reverse ? s->z.t - 1 - step : step;
    job.stage = (int)(at % stages(&s->z));
    job.low = rows_of(s->operand[(at + 1) % 2], s->z.dtype, operand_row(&s->z));
    return job;
}

static void scan_block(void *context, int64_t at, int64_t block, int thread)
{
    const scan *s = context;
    gr__rnn job = stage_job(s, at);
    gr__gemm g = s->p->gate;
    int64_t first = job.stage ? 2 : 0, gates = before(&s->z) ? 2 - job.stage : s->z.g, column = block * job.block;
    g.a = s->operand[at % 2];
    g.scratch = s->scratch;
    for (int64_t k = 0; k < gates; k++) {
        int64_t j = first + (at % 2 ? gates - 1 - k : k); /* in turned order, like the blocks */
        g.packed_b = s->packed + (size_t)j * s->p->gate_bytes;
        g.c = s->product + j * g.n;
        gr__gemm_run_columns(&g, column, GR__MIN(job.block, g.n - column), thread);
    }
    gr__rnn_forward_block(&job, block);
}

static gr_status run_steps(scan *s, const void *w_hh)
{
    for (int64_t at = 0; at < s->z.t * stages(&s->z); at++) {
        gr__rnn job = stage_job(s, at);
        const void *w = job.stage ? candidate_of(&s->z, w_hh) : w_hh, *operand = s->operand[at % 2];
        float *product = s->product + (job.stage ? 2 * s->z.h : 0);
        GR_TRY(gr__dense_run(s->p->of[job.stage ? CANDIDATE : STEP], operand, w, product, s->scratch));
        gr__rnn_forward(&job);
    }
    return GR_OK;
}

static gr_status forward(const gr__args *a, void *state)
{
    gr__room r = {.base = a->scratch};
    scan s = forward_scan(a, &r);
    const sizes *z = &s.z;
    const void *w_hh = a->in[GR__RNN_W_HH].data;
    s.p = state;
    const char *before_runs = packed_before(a) ? a->in[gr__recurrent_packed(a->op)].data : NULL;
    char *own = before_runs ? NULL : gr__room_take(&r, z->g, s.p->gate_bytes);
    s.scratch = r.base + r.used;
    s.packed = before_runs ? before_runs + in_bytes(s.p) : own;
    if (before_runs && in_bytes(s.p)) gr__dense_use_packed(s.p->of[IN], before_runs);
    if (!before_runs && s.p->gate_bytes) pack_gates(s.p, w_hh, z->g, own, s.scratch);
    fill_operands(&s);
    GR_TRY(gr__dense_run(s.p->of[IN], a->in[GR__RNN_X].data, a->in[GR__RNN_W_IH].data, s.job.saved, s.scratch));
    if (!s.p->gate_bytes) return run_steps(&s, w_hh);
    /* As large as gives each thread one: pieces of few columns cost more. */
    int64_t least = LEAST_BLOCK * gr__parallel_width();
    s.job.block = (z->h + least - 1) / least * LEAST_BLOCK;
    gr__parallel_steps(z->t * stages(z), gr__rnn_blocks(&s.job), scan_block, &s);
    return GR_OK;
}

/* ---- backward ---- */

static gr__rnn backward_job(const gr__args *a, gr__room *r, float **product)
{
    sizes z = sizes_of(a);
    int64_t n = z.b * z.h, all = z.b * z.t;
    bool lstm = z.kind == GR__RNN_LSTM;
    gr__rnn job = {.kind = z.kind,
                   .blocks = z.s,
                   .batch = z.b,
                   .steps = z.t,
                   .hidden = z.h,
                   .block = GR__RNN_BLOCK,
                   .reverse = ((const gr__recurrent_attr *)a->attr)->reverse,
                   .lengths = gr__has(a, GR__RNN_GRAD_LENGTHS) ? a->in[GR__RNN_GRAD_LENGTHS].data : NULL,
                   .y = rows_of(a->in[GR__RNN_GRAD_Y].data, z.dtype, z.h),
                   .saved = gr__has(a, GR__RNN_GRAD_SAVED) ? a->in[GR__RNN_GRAD_SAVED].data : NULL,
                   .h0 = floats(a, GR__RNN_GRAD_H0, r),
                   .c0 = lstm ? floats(a, GR__RNN_GRAD_C0, r) : NULL,
                   .dh = state_of(a, GR__RNN_GRAD_DH_N, GR__RNN_DH0, n, r),
                   .dc = lstm ? state_of(a, GR__RNN_GRAD_DC_N, GR__RNN_DC0, n, r) : NULL};
    if (gr__has(a, GR__RNN_GRAD_DY)) job.dy = rows_of(a->in[GR__RNN_GRAD_DY].data, z.dtype, z.h);
    int64_t row = gradient_row(&z);
    job.from_x = rows_of(gr__room_take(r, all * row, z.item), z.dtype, row);
    job.from_h = z.kind == GR__RNN_GRU ? rows_of(gr__room_take(r, all * row, z.item), z.dtype, row) : job.from_x;
    if (gr__wanted(a, GR__RNN_DW_HH)) job.before = rows_of(gr__room_take(r, all * z.h, z.item), z.dtype, z.h);
    if (before(&z)) job.seen = rows_of(gr__room_take(r, all * z.h, z.item), z.dtype, z.h);
    *product = before(&z) ? gr__room_take(r, n, sizeof(float)) : NULL;
    job.product = *product;
    return job;
}

static size_t sum_scratch(const sizes *z) { return gr__reduce_scratch_bytes(1, z->b * z->t, z->g * z->h); }

static size_t backward_scratch(const gr__args *a)
{
    products *p = NULL;
    gr__room r = {0};
    float *product;
    sizes z = sizes_of(a);
    if (make(a, make_backward, &p) != GR_OK) return 0; /* then 'prepare' fails too */
    backward_job(a, &r, &product);
    pack_once(p->of[BACK_STEP], NULL, p->of[BACK_CANDIDATE], NULL, &r);
    size_t bytes = r.used + GR__MAX(most_scratch(p), sum_scratch(&z));
    release(p);
    return bytes;
}

static gr_status backward_prepare(const gr__args *a, void **state)
{
    products *p = NULL;
    if (!a->scratch) return gr__fail_memory("the gradient of a recurrent layer", sizeof *p);
    GR_TRY(make(a, make_backward, &p));
    *state = p;
    return GR_OK;
}

/* What waits for nothing: gradients of x, of the weights and of the biases. */
static gr_status over_all_steps(const gr__args *a, const products *p, const gr__rnn *job, void *borrowed)
{
    sizes z = sizes_of(a);
    const char *from_h = job->from_h.data;
    size_t first = (size_t)(2 * z.h) * z.item;
    if (p->of[DX])
        GR_TRY(gr__dense_run(p->of[DX], job->from_x.data, a->in[GR__RNN_W_IH].data, a->out[GR__RNN_DX].data, borrowed));
    if (p->of[DW_IH])
        GR_TRY(
            gr__dense_run(p->of[DW_IH], job->from_x.data, a->in[GR__RNN_X].data, a->out[GR__RNN_DW_IH].data, borrowed));
    if (p->of[DW_HH])
        GR_TRY(gr__dense_run(p->of[DW_HH], from_h, job->before.data, a->out[GR__RNN_DW_HH].data, borrowed));
    if (p->of[DW_CANDIDATE])
        GR_TRY(gr__dense_run(p->of[DW_CANDIDATE], from_h + first, job->seen.data,
                             (char *)a->out[GR__RNN_DW_HH].data + first * (size_t)z.h, borrowed));
    if (gr__wanted(a, GR__RNN_DB))
        gr__sum_rows(z.b * z.t, z.g * z.h, job->from_x, a->out[GR__RNN_DB].data, false, borrowed);
    if (a->op == &gr__op_gru_grad && gr__wanted(a, GR__RNN_DB_HH))
        gr__sum_rows(z.b * z.t, z.g * z.h, job->from_h, a->out[GR__RNN_DB_HH].data, false, borrowed);
    return GR_OK;
}

static gr_status backward(const gr__args *a, void *state)
{
    const products *p = state;
    sizes z = sizes_of(a);
    gr__room r = {.base = a->scratch};
    float *product;
    gr__rnn job = backward_job(a, &r, &product);
    const void *w_hh = a->in[GR__RNN_W_HH].data, *w_candidate = candidate_of(&z, w_hh);
    void *borrowed = pack_once(p->of[BACK_STEP], w_hh, p->of[BACK_CANDIDATE], w_candidate, &r);
    for (int64_t s = z.t - 1; s >= 0; s--) {
        job.t = job.reverse ? z.t - 1 - s : s;
        job.stage = 0;
        const char *d = (const char *)job.from_h.data + (size_t)(job.t * gradient_row(&z)) * z.item;
        gr__rnn_backward(&job);
        if (before(&z)) {
            GR_TRY(
                gr__dense_run(p->of[BACK_CANDIDATE], d + (size_t)(2 * z.h) * z.item, w_candidate, product, borrowed));
            job.stage = 1;
            gr__rnn_backward(&job);
        }
        GR_TRY(gr__dense_run(p->of[BACK_STEP], d, w_hh, job.dh, borrowed));
    }
    return over_all_steps(a, p, &job, borrowed);
}

#define FORWARD                                                                                 \
    .applicable = applicable, .scratch_bytes = forward_scratch, .packed_bytes = forward_packed, \
    .prepare = forward_prepare, .release = release, .run = forward
#define BACKWARD                                                                                                  \
    .applicable = applicable, .scratch_bytes = backward_scratch, .prepare = backward_prepare, .release = release, \
    .run = backward
const gr__kernel gr__cpu_pack_scan = {.op = &gr__op_pack,
                                      .name = "pack.scan",
                                      .applicable = packs,
                                      .scratch_bytes = pack_scratch,
                                      .prepare = pack_prepare,
                                      .release = release,
                                      .run = pack};
const gr__kernel gr__cpu_lstm = {.op = &gr__op_lstm, .name = "lstm", FORWARD};
const gr__kernel gr__cpu_gru = {.op = &gr__op_gru, .name = "gru", FORWARD};
const gr__kernel gr__cpu_rnn = {.op = &gr__op_rnn, .name = "rnn", FORWARD};
const gr__kernel gr__cpu_lstm_grad = {.op = &gr__op_lstm_grad, .name = "lstm_grad", BACKWARD};
const gr__kernel gr__cpu_gru_grad = {.op = &gr__op_gru_grad, .name = "gru_grad", BACKWARD};
const gr__kernel gr__cpu_rnn_grad = {.op = &gr__op_rnn_grad, .name = "rnn_grad", BACKWARD};
