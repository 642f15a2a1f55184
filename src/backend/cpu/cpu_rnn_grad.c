/* Gradients of lstm, gru and rnn: products over all steps at once where nothing waits for them, one product a step for the
 * gradient of the state. */
#include "backend/cpu/dense.h"
#include "backend/cpu/scan.h"

#include "base/alloc.h"
#include "kernel/reduce.h"

/* ---- products ---- */

enum { STEP, CANDIDATE, DX, DW_IH, DW_HH, DW_CANDIDATE, MOST };
typedef struct products {
    gr__dense *of[MOST];
} products;

static void release(void *state)
{
    products *p = state;
    for (int k = 0; k < MOST; k++) gr__dense_free(p->of[k]);
    gr__free(p);
}

/* d (M, K), rows a_row apart, times w (K, N). */
static gr__gemm back_through(const gr__scan *z, int64_t m, int64_t n, int64_t k, int64_t a_row)
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

static int64_t gradient_row(const gr__scan *z) { return gr__scan_row(z->g * z->h); } /* of the gates' gradients */
/* M columns of d (B*T, G*H), transposed, times x (B*T, N): a gradient of a weight. */
static gr__gemm over_steps(const gr__scan *z, int64_t m, int64_t n)
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

static gr_status fill(const gr__args *a, products *p)
{
    gr__scan z = gr__scan_of(a);
    int64_t h = z.h, rows = z.g * h, first = gr__scan_resets_before(&z) ? 2 * h : rows;
    int64_t row = gradient_row(&z);
    gr__gemm step = back_through(&z, z.b, h, first, z.t * row), candidate = back_through(&z, z.b, h, h, z.t * row);
    gr__gemm dx = back_through(&z, z.b * z.t, z.i, rows, row);
    gr__gemm dw_ih = over_steps(&z, rows, z.i), dw_hh = over_steps(&z, first, h), dw_candidate = over_steps(&z, h, h);
    step.accumulate = true;
    dx.c_dtype = z.dtype;
    GR_TRY(gr__dense_new(&step, &p->of[STEP]));
    if (gr__scan_resets_before(&z)) GR_TRY(gr__dense_new(&candidate, &p->of[CANDIDATE]));
    if (gr__wanted(a, GR__RNN_DX)) GR_TRY(gr__dense_new(&dx, &p->of[DX]));
    if (gr__wanted(a, GR__RNN_DW_IH)) GR_TRY(gr__dense_new(&dw_ih, &p->of[DW_IH]));
    if (!gr__wanted(a, GR__RNN_DW_HH)) return GR_OK;
    GR_TRY(gr__dense_new(&dw_hh, &p->of[DW_HH]));
    return gr__scan_resets_before(&z) ? gr__dense_new(&dw_candidate, &p->of[DW_CANDIDATE]) : GR_OK;
}

static gr_status make(const gr__args *a, products **out)
{
    products *p = gr__calloc(1, sizeof *p);
    if (!p) return gr__fail_memory("the gradient of a recurrent layer", sizeof *p);
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
    return most;
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

/* ---- runs ---- */

static gr__rnn backward_job(const gr__args *a, gr__room *r, float **product)
{
    gr__scan z = gr__scan_of(a);
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
                   .y = gr__scan_rows(a->in[GR__RNN_GRAD_Y].data, z.dtype, z.h),
                   .saved = gr__has(a, GR__RNN_GRAD_SAVED) ? a->in[GR__RNN_GRAD_SAVED].data : NULL,
                   .h0 = gr__scan_floats(a, GR__RNN_GRAD_H0, r),
                   .c0 = lstm ? gr__scan_floats(a, GR__RNN_GRAD_C0, r) : NULL,
                   .dh = gr__scan_state(a, GR__RNN_GRAD_DH_N, GR__RNN_DH0, n, r),
                   .dc = lstm ? gr__scan_state(a, GR__RNN_GRAD_DC_N, GR__RNN_DC0, n, r) : NULL};
    if (gr__has(a, GR__RNN_GRAD_DY)) job.dy = gr__scan_rows(a->in[GR__RNN_GRAD_DY].data, z.dtype, z.h);
    int64_t row = gradient_row(&z);
    job.from_x = gr__scan_rows(gr__room_take(r, all * row, z.item), z.dtype, row);
    job.from_h = z.kind == GR__RNN_GRU ? gr__scan_rows(gr__room_take(r, all * row, z.item), z.dtype, row) : job.from_x;
    if (gr__wanted(a, GR__RNN_DW_HH)) job.before = gr__scan_rows(gr__room_take(r, all * z.h, z.item), z.dtype, z.h);
    if (gr__scan_resets_before(&z)) job.seen = gr__scan_rows(gr__room_take(r, all * z.h, z.item), z.dtype, z.h);
    *product = gr__scan_resets_before(&z) ? gr__room_take(r, n, sizeof(float)) : NULL;
    job.product = *product;
    return job;
}

static size_t sum_scratch(const gr__scan *z) { return gr__reduce_scratch_bytes(1, z->b * z->t, z->g * z->h); }

static size_t backward_scratch(const gr__args *a)
{
    products *p = NULL;
    gr__room r = {0};
    float *product;
    gr__scan z = gr__scan_of(a);
    if (make(a, &p) != GR_OK) return 0; /* then 'prepare' fails too */
    backward_job(a, &r, &product);
    pack_once(p->of[STEP], NULL, p->of[CANDIDATE], NULL, &r);
    size_t bytes = r.used + GR__MAX(most_scratch(p), sum_scratch(&z));
    release(p);
    return bytes;
}

static gr_status backward_prepare(const gr__args *a, void **state)
{
    products *p = NULL;
    if (!a->scratch) return gr__fail_memory("the gradient of a recurrent layer", sizeof *p);
    GR_TRY(make(a, &p));
    *state = p;
    return GR_OK;
}

/* What waits for nothing: gradients of x, of the weights and of the biases. */
static gr_status over_all_steps(const gr__args *a, const products *p, const gr__rnn *job, void *borrowed)
{
    gr__scan z = gr__scan_of(a);
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
    gr__scan z = gr__scan_of(a);
    gr__room r = {.base = a->scratch};
    float *product;
    gr__rnn job = backward_job(a, &r, &product);
    const void *w_hh = a->in[GR__RNN_W_HH].data, *w_candidate = gr__scan_candidate(&z, w_hh);
    void *borrowed = pack_once(p->of[STEP], w_hh, p->of[CANDIDATE], w_candidate, &r);
    for (int64_t s = z.t - 1; s >= 0; s--) {
        job.t = job.reverse ? z.t - 1 - s : s;
        job.stage = 0;
        const char *d = (const char *)job.from_h.data + (size_t)(job.t * gradient_row(&z)) * z.item;
        gr__rnn_backward(&job);
        if (gr__scan_resets_before(&z)) {
            GR_TRY(gr__dense_run(p->of[CANDIDATE], d + (size_t)(2 * z.h) * z.item, w_candidate, product, borrowed));
            job.stage = 1;
            gr__rnn_backward(&job);
        }
        GR_TRY(gr__dense_run(p->of[STEP], d, w_hh, job.dh, borrowed));
    }
    return over_all_steps(a, p, &job, borrowed);
}

#define BACKWARD                                                                                       \
    .applicable = gr__scan_applicable, .scratch_bytes = backward_scratch, .prepare = backward_prepare, \
    .release = release, .run = backward
const gr__kernel gr__cpu_lstm_grad = {.op = &gr__op_lstm_grad, .name = "lstm_grad", BACKWARD};
const gr__kernel gr__cpu_gru_grad = {.op = &gr__op_gru_grad, .name = "gru_grad", BACKWARD};
const gr__kernel gr__cpu_rnn_grad = {.op = &gr__op_rnn_grad, .name = "rnn_grad", BACKWARD};
