/* One matrix product, C (M, N) = A (M, K) · B (K, N), by Gradus' own kernel or by oneDNN. C is f32. */
#include "run/bench_int.h"

#include "base/alloc.h"
#include "kernel/gemm.h"
#include "kernel/onednn.h"

#include <stdio.h>

/* Enough copies of B that none is in a cache when its turn comes again. */
#define COLD_BYTES ((size_t)160 << 20)

typedef struct product {
    gr__gemm own;
    gr__dnn_matmul *dnn; /* NULL: own */
    unsigned char *data; /* B copies, A, C, scratch */
    size_t bytes, b_bytes, scratch;
    int64_t copies, next;
} product;

static size_t line(size_t bytes) { return (bytes + GR__ALIGN - 1) & ~(size_t)(GR__ALIGN - 1); }

static gr_status make_dnn(product *p)
{
    const gr__gemm *g = &p->own;
    GR_FAIL_IF(!gr__dnn_available(), GR_ERR_UNSUPPORTED, "this build has no oneDNN");
    return gr__dnn_matmul_new(&(gr__dnn_matmul_shape){.m = g->m,
                                                      .n = g->n,
                                                      .k = g->k,
                                                      .a_dtype = g->dtype,
                                                      .b_dtype = g->dtype,
                                                      .c_dtype = GR_F32,
                                                      .a_row = g->a_row,
                                                      .a_col = g->a_col,
                                                      .b_row = g->b_row,
                                                      .b_col = g->b_col,
                                                      .c_row = g->c_row,
                                                      .c_col = 1,
                                                      .scratchpad = true},
                              &p->dnn);
}

static void describe(gr_bench *b, const product *p)
{
    static const char *const layouts[GR_BENCH_LAYOUT_COUNT] = {"NT", "NN", "TN"};
    const gr_bench_options *o = &b->o;
    b->info.flops = 2.0 * (double)o->m * (double)o->n * (double)o->k;
    if (o->cold) b->info.read_bytes = (double)p->b_bytes;
    snprintf(b->info.text, sizeof b->info.text, "%lldx%lldx%lld %s %s %s%s", (long long)o->m, (long long)o->n,
             (long long)o->k, layouts[o->layout], o->bf16 ? "bf16" : "f32", o->onednn ? "onednn" : "own",
             o->cold ? " cold" : "");
}

/* One block for all: [B 0][B 1]...[A][C][scratch], each on a cache line. */
static gr_status make_data(product *p, bool cold)
{
    gr__gemm *g = &p->own;
    size_t total = 0, size = gr_dtype_size_bytes(g->dtype), a_bytes = line((size_t)(g->m * g->k) * size);
    size_t c_bytes = line((size_t)(g->m * g->n) * sizeof(float));
    size_t scratch = p->dnn ? gr__dnn_matmul_scratch_bytes(p->dnn) : gr__gemm_scratch_bytes(g);
    p->b_bytes = line((size_t)(g->k * g->n) * size);
    p->copies = cold ? (int64_t)(COLD_BYTES / p->b_bytes) + 2 : 1;
    bool fits = gr__mul_size(p->b_bytes, (size_t)p->copies, &total);
    size_t a_at = total;
    fits = fits && gr__add_size(total, a_bytes + c_bytes, &total) && gr__add_size(total, scratch, &p->bytes);
    p->data = fits ? gr__alloc_large(p->bytes) : NULL;
    if (!p->data) return gr__fail_memory("matrices", fits ? p->bytes : SIZE_MAX);
    for (int64_t i = 0; i < p->copies; i++)
        gr__bench_fill(p->data + (size_t)i * p->b_bytes, g->dtype, g->k * g->n, 1, (uint64_t)i + 2);
    gr__bench_fill(p->data + a_at, g->dtype, g->m * g->k, 1, 1);
    g->a = p->data + a_at;
    g->c = p->data + a_at + a_bytes;
    g->scratch = scratch ? p->data + a_at + a_bytes + c_bytes : NULL;
    return GR_OK;
}

static gr_status open(gr_bench *b)
{
    const gr_bench_options *o = &b->o;
    product *p = b->own = gr__calloc(1, sizeof *p);
    if (!p) return gr__fail_memory("a product", sizeof *p);
    bool ta = o->layout == GR_BENCH_TN, tb = o->layout == GR_BENCH_NT;
    p->own = (gr__gemm){.m = o->m,
                        .n = o->n,
                        .k = o->k,
                        .dtype = o->bf16 ? GR_BF16 : GR_F32,
                        .c_dtype = GR_F32,
                        .a_row = ta ? 1 : o->k,
                        .a_col = ta ? o->m : 1,
                        .b_row = tb ? 1 : o->n,
                        .b_col = tb ? o->k : 1,
                        .c_row = o->n};
    if (o->onednn) GR_TRY(make_dnn(p));
    GR_TRY(make_data(p, o->cold));
    describe(b, p);
    return GR_OK;
}

static gr_status run(gr_bench *b)
{
    product *p = b->own;
    p->own.b = p->data + (size_t)(p->next++ % p->copies) * p->b_bytes;
    if (p->dnn) return gr__dnn_matmul_run(p->dnn, p->own.a, p->own.b, p->own.c, NULL, p->own.scratch);
    gr__gemm_run(&p->own);
    return GR_OK;
}

static void close(gr_bench *b)
{
    product *p = b->own;
    if (!p) return;
    if (p->dnn) gr__dnn_matmul_free(p->dnn);
    gr__free_large(p->data, p->bytes);
    gr__free(p);
    b->own = NULL;
}

const gr__bench_case gr__bench_gemm = {.name = "gemm",
                                       .summary = "one matrix product, own kernel or oneDNN",
                                       .defaults = {.m = 1024, .n = 1024, .k = 1024},
                                       .open = open,
                                       .run = run,
                                       .close = close};
