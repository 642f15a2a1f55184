/* linear_cross_entropy in chunks of rows: the logits of a chunk are made, turned into their own gradient in place, and used
 * for dx and dweight. Each chunk reads the whole weight twice and reads and writes dweight: 8 Mi logits a chunk (16 MiB in
 * bf16) cost about a tenth of the time over 50,257 words that chunks of any size would; in f32, where a step needs more
 * memory and time anyway, a chunk has twice as many. */
#include "backend/cpu/dense.h"
#include "backend/cpu/table.h"

#include "kernel/softmax.h"
#include "op/op.h"

enum { LOGITS_F32 = 16 << 20, LOGITS_BF16 = 8 << 20, MOST_SIZES = 2 }; /* full chunks and the last one */

typedef struct gr__chunk_products {
    int64_t rows;
    gr__dense *logits, *dx, *dw_first, *dw_more;
} gr__chunk_products;

typedef struct gr__linear_ce {
    int64_t n, c, v, rows; /* rows of a chunk */
    gr__chunk_products size[MOST_SIZES];
} gr__linear_ce;

static int64_t chunk_rows(const gr__args *a)
{
    int64_t n = a->in[0].dim[0], logits = a->in[0].dtype == GR_F32 ? LOGITS_F32 : LOGITS_BF16;
    int64_t most = GR__MAX(logits / a->in[1].dim[0], 32), chunks = (n + most - 1) / most;
    return (n + chunks - 1) / chunks;
}

static bool wanted(const gr__args *a, int i) { return a->wanted >> i & 1; }

static bool applicable(const gr__args *a, char *why)
{
    if (!gr__all_fast(a) || a->in[0].dtype != a->in[1].dtype) return gr__refuse(why, "dtype");
    return true;
}

/* Scratch: the logits of a chunk, the loss of each row, what a product borrows. */
static size_t logit_bytes(const gr__args *a)
{
    int64_t rows = chunk_rows(a);
    size_t bytes = (size_t)(rows * a->in[1].dim[0]) * gr_dtype_size_bytes(a->in[0].dtype);
    return (bytes + 63) / 64 * 64;
}

static size_t loss_bytes(const gr__args *a) { return ((size_t)chunk_rows(a) * sizeof(float) + 63) / 64 * 64; }

static void release(void *state)
{
    gr__linear_ce *s = state;
    for (int i = 0; i < MOST_SIZES; i++) {
        gr__dense_free(s->size[i].logits);
        gr__dense_free(s->size[i].dx);
        gr__dense_free(s->size[i].dw_first);
        gr__dense_free(s->size[i].dw_more);
    }
    gr__free(s);
}

static gr_status make_products(const gr__args *a, const gr__linear_ce *s, int64_t rows, gr__chunk_products *p)
{
    gr_dtype t = a->in[0].dtype;
    int64_t c = s->c, v = s->v;
    gr__gemm logits = {.m = rows,
                       .n = v,
                       .k = c,
                       .dtype = t,
                       .c_dtype = t,
                       .a_row = c,
                       .a_col = 1,
                       .b_row = 1,
                       .b_col = c,
                       .c_row = v};
    gr__gemm dx = {.m = rows,
                   .n = c,
                   .k = v,
                   .dtype = t,
                   .c_dtype = t,
                   .a_row = v,
                   .a_col = 1,
                   .b_row = c,
                   .b_col = 1,
                   .c_row = c};
    gr__gemm dw = {.m = v,
                   .n = c,
                   .k = rows,
                   .dtype = t,
                   .c_dtype = GR_F32,
                   .a_row = 1,
                   .a_col = v,
                   .b_row = c,
                   .b_col = 1,
                   .c_row = c};
    p->rows = rows;
    GR_TRY(gr__dense_new(&logits, &p->logits));
    if (wanted(a, 2)) GR_TRY(gr__dense_new(&dx, &p->dx));
    if (!wanted(a, 3)) return GR_OK;
    GR_TRY(gr__dense_new(&dw, &p->dw_first));
    dw.accumulate = true;
    return gr__dense_new(&dw, &p->dw_more);
}

static gr_status make(const gr__args *a, void **state)
{
    gr__linear_ce *s = gr__calloc(1, sizeof *s);
    if (!s) return gr__fail_memory("a loss", sizeof *s);
    s->n = a->in[0].dim[0];
    s->c = a->in[0].dim[1];
    s->v = a->in[1].dim[0];
    s->rows = chunk_rows(a);
    gr_status status = make_products(a, s, s->rows, &s->size[0]);
    if (status == GR_OK && s->n % s->rows) status = make_products(a, s, s->n % s->rows, &s->size[1]);
    if (status != GR_OK)
        release(s);
    else
        *state = s;
    return status;
}

static size_t scratch(const gr__args *a)
{
    void *state;
    size_t most = 0;
    if (make(a, &state) != GR_OK) return 0; /* then 'prepare' fails too */
    const gr__linear_ce *s = state;
    for (int i = 0; i < MOST_SIZES; i++) {
        const gr__dense *each[] = {s->size[i].logits, s->size[i].dx, s->size[i].dw_first, s->size[i].dw_more};
        for (size_t k = 0; k < GR__COUNT(each); k++) most = GR__MAX(most, gr__dense_scratch_bytes(each[k]));
    }
    release(state);
    return logit_bytes(a) + loss_bytes(a) + most;
}

static gr_status prepare(const gr__args *a, void **state)
{
    return a->scratch ? make(a, state) : gr__fail_memory("a loss", logit_bytes(a));
}

static gr_status run_chunk(const gr__args *a, const gr__linear_ce *s, int64_t first, double *loss, int64_t *count)
{
    const gr__chunk_products *p = s->n - first >= s->rows ? &s->size[0] : &s->size[1];
    size_t item = gr_dtype_size_bytes(a->in[0].dtype);
    const char *x = (const char *)a->in[0].data + (size_t)(first * s->c) * item;
    const int32_t *targets = (const int32_t *)a->in[2].data + first;
    float *row_loss = (float *)((char *)a->scratch + logit_bytes(a));
    void *borrowed = (char *)row_loss + loss_bytes(a);
    gr__rows logits = {.data = a->scratch, .dtype = a->in[0].dtype, .ld = s->v};
    GR_TRY(gr__dense_run(p->logits, x, a->in[1].data, a->scratch, borrowed));
    gr__cross_entropy ce = {
        .rows = p->rows, .v = s->v, .logits = logits, .targets = targets, .loss = row_loss, .scale = 1};
    if (p->dx || p->dw_first) ce.dlogits = logits;
    gr__cross_entropy_run(&ce);
    for (int64_t r = 0; r < p->rows; r++) {
        *loss += row_loss[r];
        *count += targets[r] >= 0 && targets[r] < s->v;
    }
    char *dx = (char *)a->out[2].data + (size_t)(first * s->c) * item;
    if (p->dx) GR_TRY(gr__dense_run(p->dx, a->scratch, a->in[1].data, dx, borrowed));
    if (!p->dw_first) return GR_OK;
    return gr__dense_run(first == 0 ? p->dw_first : p->dw_more, a->scratch, x, a->out[3].data, borrowed);
}

static gr_status run(const gr__args *a, void *state)
{
    const gr__linear_ce *s = state;
    double loss = 0;
    int64_t count = 0;
    for (int64_t first = 0; first < s->n; first += s->rows) GR_TRY(run_chunk(a, s, first, &loss, &count));
    if (wanted(a, 0)) *(float *)a->out[0].data = (float)loss;
    if (wanted(a, 1)) *(float *)a->out[1].data = (float)count;
    return GR_OK;
}

const gr__kernel gr__cpu_linear_cross_entropy = {
    .op = &gr__op_linear_cross_entropy,
    .name = "linear_cross_entropy",
    .applicable = applicable,
    .scratch_bytes = scratch,
    .prepare = prepare,
    .release = release,
    .run = run,
};
