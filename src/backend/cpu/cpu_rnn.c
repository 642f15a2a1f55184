/* lstm, gru and rnn. W x is made of all steps at once, where the step then saves its gates, or in the step (may_join()).
 *
 * Where W_hh can be packed, each gate's rows for themselves: a thread makes a block of units of a step, its columns of the
 * product and then its gates; see gr__parallel_steps(). Else the steps are calls one after the other. */
#include "backend/cpu/dense.h"
#include "backend/cpu/scan.h"

#include "base/alloc.h"
#include "base/parallel.h"
#include "kernel/copy.h"
#include "kernel/cpu.h"
#include "op/pack.h"

#include <string.h>

/* ---- products ---- */

enum { LEAST_BLOCK = 64 }; /* units of a part of a step: so many or a multiple, see gr__gemm_run_columns() */
typedef struct products {
    gr__dense *in, *step, *candidate; /* W x of all steps; W h of one, and in the second stage; or NULL */
    gr__gemm gate;                    /* h, or h and x, times a packed gate */
    size_t gate_bytes;                /* 0: step and candidate instead */
    bool joined;                      /* the gate takes h and x */
} products;

static void release(void *state)
{
    products *p = state;
    gr__dense_free(p->in);
    gr__dense_free(p->step);
    gr__dense_free(p->candidate);
    gr__free(p);
}

/* x (M, K) times wᵀ, w (N, K) -> f32 rows c_row apart. */
static gr__gemm times_weight(const gr__scan *z, int64_t m, int64_t n, int64_t k, int64_t c_row)
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

/* Of what a gate is multiplied with: h, and x where 'joined'; zeros lie behind it, see gr__gemm_run_columns(). */
static int64_t operand_row(const gr__scan *z, bool joined) { return gr__scan_row(z->h + (joined ? z->i : 0)); }

/* W x of a step with its W h: where a step has rows enough, and the weights lie in cache, so that reading W_ih at each step costs less
 * than W x of all steps on its way through memory. A GRU wants them apart, and tiles want many rows. */
enum { LEAST_JOINED = 16, MOST_JOINED_BYTES = 8 << 20 };
static bool may_join(const gr__scan *z)
{
    bool gru = z->kind == GR__RNN_GRU || z->kind == GR__RNN_GRU_BEFORE;
    bool near = z->g * z->h * (z->h + z->i) * (int64_t)z->item <= MOST_JOINED_BYTES;
    return !gru && near && z->b >= LEAST_JOINED && (gr__cpu_strict() || !gr__cpu_has_tiles());
}

static void make_gate(const gr__scan *z, products *p)
{
    p->joined = may_join(z);
    p->gate = times_weight(z, z->b, z->h, z->h + (p->joined ? z->i : 0), z->g * z->h);
    p->gate.a_row = operand_row(z, p->joined);
    p->gate.near = true;
    if (gr__gemm_can_pack(&p->gate)) p->gate_bytes = (gr__gemm_packed_bytes(&p->gate) + 63) & ~(size_t)63;
    p->joined = p->joined && p->gate_bytes;
}

static gr_status fill(const gr__args *a, products *p)
{
    gr__scan z = gr__scan_of(a);
    int64_t h = z.h;
    gr__gemm in = times_weight(&z, z.b * z.t, z.g * h, z.i, z.s * h);
    gr__gemm step = times_weight(&z, z.b, gr__scan_resets_before(&z) ? 2 * h : z.g * h, h, z.g * h);
    gr__gemm candidate = times_weight(&z, z.b, h, h, z.g * h);
    make_gate(&z, p);
    if (p->joined) return GR_OK;
    GR_TRY(gr__dense_new(&in, &p->in));
    if (p->gate_bytes) return GR_OK;
    step.a_row = candidate.a_row = operand_row(&z, false);
    GR_TRY(gr__dense_new(&step, &p->step));
    return gr__scan_resets_before(&z) ? gr__dense_new(&candidate, &p->candidate) : GR_OK;
}

static gr_status make(const gr__args *a, products **out)
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

static size_t join_bytes(const products *p)
{
    return p->joined ? (size_t)(p->gate.n * p->gate.k) * gr_dtype_size_bytes(p->gate.dtype) : 0;
}

static size_t most_scratch(const products *p)
{
    size_t most = GR__MAX(gr__dense_scratch_bytes(p->in), gr__dense_scratch_bytes(p->step));
    most = GR__MAX(most, gr__dense_scratch_bytes(p->candidate));
    if (!p->gate_bytes) return most;
    gr__gemm packing = p->gate, packed = p->gate;
    packed.packed_b = p; /* there or not */
    gr__room r = {0};
    gr__room_take(&r, 1, join_bytes(p));
    most = GR__MAX(most, r.used + gr__gemm_scratch_bytes(&packing));
    return GR__MAX(most, gr__gemm_scratch_bytes(&packed));
}

/* ---- weights packed before the runs ---- */

static bool packed_before(const gr__args *a) { return gr__has(a, gr__recurrent_packed(a->op)); }

/* Packed weights: W_ih, if it is not in the gates, then the gates. */
static size_t in_bytes(const products *p) { return (gr__dense_packed_bytes(p->in) + 63) & ~(size_t)63; }

static size_t forward_packed(const gr__args *a)
{
    products *p = NULL;
    gr__scan z = gr__scan_of(a);
    if (make(a, &p) != GR_OK) return 0; /* then 'prepare' fails too */
    size_t bytes = p->gate_bytes ? in_bytes(p) + (size_t)z.g * p->gate_bytes : 0;
    release(p);
    return bytes;
}

/* Rows of W_hh (G*H, H), each followed by that of W_ih (G*H, I). */
static void join(const products *p, const char *w_hh, const char *w_ih, int64_t first, char *to)
{
    size_t item = gr_dtype_size_bytes(p->gate.dtype), h = (size_t)p->gate.n * item, i = (size_t)p->gate.k * item - h;
    for (int64_t j = 0; j < p->gate.n; j++, to += h + i) {
        memcpy(to, w_hh + (size_t)(first + j) * h, h);
        memcpy(to + h, w_ih + (size_t)(first + j) * i, i);
    }
}

static void pack_gates(const products *p, const void *w_hh, const void *w_ih, int64_t gates, char *to, void *scratch)
{
    gr__room r = {.base = scratch};
    gr__gemm g = p->gate;
    char *both = gr__room_take(&r, 1, join_bytes(p));
    g.scratch = r.base + r.used;
    for (int64_t j = 0; j < gates; j++) {
        g.b = p->joined ? both : (const char *)w_hh + (size_t)(j * g.n * g.k) * gr_dtype_size_bytes(g.dtype);
        if (p->joined) join(p, w_hh, w_ih, j * g.n, both);
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
    GR_TRY(make(&(gr__args){.op = o->scan, .in = in, .n_in = 3, .attr = &o->scan_attr}, &p));
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
    if (in_bytes(p)) gr__dense_pack(p->in, a->in[0].data, to, a->scratch);
    pack_gates(p, a->in[1].data, a->in[0].data, a->in[1].dim[0] / a->in[1].dim[1], to + in_bytes(p), a->scratch);
    return GR_OK;
}

/* ---- forward ---- */

typedef struct scan {
    gr__scan z;
    const products *p;
    gr__rnn job;
    const char *packed;
    const char *x;    /* (B, T, I) where 'joined' */
    char *operand[2]; /* (B, operand_row): read by a step, by the next one */
    float *product;   /* (B, G*H) */
    void *scratch;
} scan;

/* The job, and the memory of what the products give and take. */
static scan forward_scan(const gr__args *a, const products *p, gr__room *r)
{
    gr__scan z = gr__scan_of(a);
    int64_t n = z.b * z.h;
    bool lstm = z.kind == GR__RNN_LSTM;
    scan s = {.z = z,
              .p = p,
              .x = a->in[GR__RNN_X].data,
              .job = {.kind = z.kind,
                      .blocks = z.s,
                      .keeps = z.keeps,
                      .joined = p->joined,
                      .batch = z.b,
                      .steps = z.t,
                      .hidden = z.h,
                      .reverse = ((const gr__recurrent_attr *)a->attr)->reverse,
                      .lengths = gr__has(a, GR__RNN_LENGTHS) ? a->in[GR__RNN_LENGTHS].data : NULL,
                      .bias_ih = gr__scan_floats(a, GR__RNN_B_IH, r),
                      .bias_hh = gr__scan_floats(a, GR__RNN_B_HH, r),
                      .h = gr__scan_state(a, GR__RNN_H0, GR__RNN_H_N, n, r),
                      .c = lstm ? gr__scan_state(a, GR__RNN_C0, GR__RNN_C_N, n, r) : NULL,
                      .block = GR__RNN_BLOCK}};
    if (z.keeps)
        s.job.saved = a->out[GR__RNN_SAVED].data;
    else if (!p->joined)
        s.job.saved = gr__room_take(r, z.b * z.t * z.s * z.h, sizeof(float));
    if (gr__wanted(a, GR__RNN_Y)) s.job.y = gr__scan_rows(a->out[GR__RNN_Y].data, z.dtype, z.h);
    for (int k = 0; k < 2; k++) s.operand[k] = gr__room_take(r, z.b * operand_row(&z, p->joined), z.item);
    s.product = gr__room_take(r, z.b * z.g * z.h, sizeof(float));
    s.job.product = s.product;
    return s;
}

static size_t forward_scratch(const gr__args *a)
{
    products *p = NULL;
    gr__room r = {0};
    if (make(a, &p) != GR_OK) return 0; /* then 'prepare' fails too */
    scan s = forward_scan(a, p, &r);
    if (!packed_before(a)) gr__room_take(&r, s.z.g, p->gate_bytes);
    size_t bytes = r.used + most_scratch(p);
    release(p);
    return bytes;
}

static gr_status forward_prepare(const gr__args *a, void **state)
{
    products *p = NULL;
    if (!a->scratch) return gr__fail_memory("a recurrent layer", sizeof *p);
    GR_TRY(make(a, &p));
    *state = p;
    return GR_OK;
}

static int64_t time_of(const scan *s, int64_t step) { return s->job.reverse ? s->z.t - 1 - step : step; }

/* x of the step number 'step', behind h of those rows. */
static void put_x(const scan *s, int64_t step, int64_t first, int64_t last)
{
    const gr__scan *z = &s->z;
    size_t row = (size_t)operand_row(z, true) * z->item, bytes = (size_t)z->i * z->item;
    if (step >= z->t) return;
    int64_t t = time_of(s, step);
    for (int64_t b = first; b < last; b++)
        memcpy(s->operand[step % 2] + (size_t)b * row + (size_t)z->h * z->item, s->x + (size_t)(b * z->t + t) * bytes,
               bytes);
}

/* Zeros behind each row of both, h before the first step, and its x, in the one that this reads. */
static void fill_operands(const scan *s)
{
    const gr__scan *z = &s->z;
    int64_t row = operand_row(z, s->p->joined);
    int64_t used = z->h + (s->p->joined ? z->i : 0);
    for (int64_t b = 0; b < z->b; b++) {
        for (int k = 0; k < 2; k++)
            memset(s->operand[k] + (size_t)(b * row + used) * z->item, 0, (size_t)(row - used) * z->item);
        gr__cast(s->operand[0] + (size_t)(b * row) * z->item, z->dtype, s->job.h + b * z->h, GR_F32, z->h);
    }
    if (s->p->joined) put_x(s, 0, 0, z->b);
}

static int64_t stages(const gr__scan *z) { return gr__scan_resets_before(z) ? 2 : 1; }

/* Stage 'at' of all the steps' stages. */
static gr__rnn stage_job(const scan *s, int64_t at)
{
    gr__rnn job = s->job;
    job.t = time_of(s, at / stages(&s->z));
    job.stage = (int)(at % stages(&s->z));
    job.low = gr__scan_rows(s->operand[(at + 1) % 2], s->z.dtype, operand_row(&s->z, s->p->joined));
    return job;
}

static void scan_block(void *context, int64_t at, int64_t block, int thread)
{
    const scan *s = context;
    gr__rnn job = stage_job(s, at);
    gr__gemm g = s->p->gate;
    int64_t first = job.stage ? 2 : 0, gates = gr__scan_resets_before(&s->z) ? 2 - job.stage : s->z.g,
            column = block * job.block;
    g.a = s->operand[at % 2];
    g.scratch = s->scratch;
    g.turned = at / stages(&s->z) % 2; /* the gates, the blocks, and the columns of each */
    for (int64_t k = 0; k < gates; k++) {
        int64_t j = first + (g.turned ? gates - 1 - k : k);
        g.packed_b = s->packed + (size_t)j * s->p->gate_bytes;
        g.c = s->product + j * g.n;
        gr__gemm_run_columns(&g, column, GR__MIN(job.block, g.n - column), thread);
    }
    gr__rnn_forward_block(&job, block);
    int64_t blocks = gr__rnn_blocks(&job);
    if (s->p->joined) put_x(s, at + 1, block * s->z.b / blocks, (block + 1) * s->z.b / blocks);
}

static gr_status run_steps(scan *s, const void *w_hh)
{
    for (int64_t at = 0; at < s->z.t * stages(&s->z); at++) {
        gr__rnn job = stage_job(s, at);
        const void *w = job.stage ? gr__scan_candidate(&s->z, w_hh) : w_hh, *operand = s->operand[at % 2];
        float *product = s->product + (job.stage ? 2 * s->z.h : 0);
        GR_TRY(gr__dense_run(job.stage ? s->p->candidate : s->p->step, operand, w, product, s->scratch));
        gr__rnn_forward(&job);
    }
    return GR_OK;
}

static gr_status forward(const gr__args *a, void *state)
{
    gr__room r = {.base = a->scratch};
    scan s = forward_scan(a, state, &r);
    const gr__scan *z = &s.z;
    const void *w_ih = a->in[GR__RNN_W_IH].data, *w_hh = a->in[GR__RNN_W_HH].data;
    const char *before_runs = packed_before(a) ? a->in[gr__recurrent_packed(a->op)].data : NULL;
    char *own = before_runs ? NULL : gr__room_take(&r, z->g, s.p->gate_bytes);
    s.scratch = r.base + r.used;
    s.packed = before_runs ? before_runs + in_bytes(s.p) : own;
    if (before_runs && in_bytes(s.p)) gr__dense_use_packed(s.p->in, before_runs);
    if (!before_runs && s.p->gate_bytes) pack_gates(s.p, w_hh, w_ih, z->g, own, s.scratch);
    fill_operands(&s);
    if (!s.p->joined) GR_TRY(gr__dense_run(s.p->in, s.x, w_ih, s.job.saved, s.scratch));
    if (!s.p->gate_bytes) return run_steps(&s, w_hh);
    /* As large as gives each thread one: pieces of few columns cost more. */
    int64_t least = LEAST_BLOCK * gr__parallel_width();
    s.job.block = (z->h + least - 1) / least * LEAST_BLOCK;
    gr__parallel_steps(z->t * stages(z), gr__rnn_blocks(&s.job), scan_block, &s);
    return GR_OK;
}

#define FORWARD                                                                                          \
    .applicable = gr__scan_applicable, .scratch_bytes = forward_scratch, .packed_bytes = forward_packed, \
    .prepare = forward_prepare, .release = release, .run = forward
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
