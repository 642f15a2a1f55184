/* One matrix product, C (M, N) = A (M, K) · B (K, N), by Gradus' own kernel or by oneDNN. C is f32. */
#include "run/bench_int.h"

#include "base/alloc.h"
#include "kernel/gemm.h"
#include "kernel/onednn.h"

#include <stdio.h>
#include <unistd.h>

/* Enough copies of B that none is in a cache when its turn comes again: past the last one by a quarter. */
static size_t cold_bytes(void)
{
    long cache = sysconf(_SC_LEVEL3_CACHE_SIZE);
    size_t least = (size_t)160 << 20, most = (size_t)1 << 30, wanted = cache > 0 ? (size_t)cache / 4 * 5 : 0;
    return wanted < least ? least : wanted > most ? most : wanted;
}

typedef struct product {
    gr__gemm own;
    gr__dnn_matmul *dnn;   /* NULL: own */
    unsigned char *data;   /* B copies, A, C, scratch */
    size_t bytes, b_bytes; /* of all, of a B as it is read */
    int64_t copies, next;
} product;

static size_t line(size_t bytes) { return (bytes + GR__ALIGN - 1) & ~(size_t)(GR__ALIGN - 1); }

static gr_status make_dnn(product *p, bool packed)
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
                                                      .ordered_b = packed,
                                                      .scratchpad = true},
                              &p->dnn);
}

static void describe(gr_bench *b, const product *p)
{
    static const char *const layouts[GR_BENCH_LAYOUT_COUNT] = {"NT", "NN", "TN"};
    const gr_bench_options *o = &b->o;
    b->info.flops = 2.0 * (double)o->m * (double)o->n * (double)o->k;
    if (o->cold) b->info.read_bytes = (double)p->b_bytes;
    snprintf(b->info.text, sizeof b->info.text, "%lldx%lldx%lld %s %s %s%s%s", (long long)o->m, (long long)o->n,
             (long long)o->k, layouts[o->layout], o->bf16 ? "bf16" : "f32",
             !o->onednn ? "own"
             : p->dnn   ? gr__dnn_matmul_name(p->dnn)
                        : "onednn",
             o->packed ? " packed" : "", o->cold ? " cold" : "");
}

/* One B, random, as the engine reads it; 'plain' has room for one as it is written in a matrix, where that is another. */
static gr_status make_b(product *p, void *to, void *plain, uint64_t stream)
{
    gr__gemm g = p->own;
    gr__bench_fill(plain ? plain : to, g.dtype, g.k * g.n, 1, stream);
    if (!plain) return GR_OK;
    if (p->dnn) return gr__dnn_matmul_order(p->dnn, plain, to);
    g.b = plain;
    g.packed_b = NULL;
    gr__gemm_pack_b(&g, to);
    return GR_OK;
}

/* One block for all: [B 0][B 1]...[A][C][scratch], each on a cache line. */
static gr_status make_data(product *p, bool cold, bool packed)
{
    gr__gemm *g = &p->own;
    size_t total = 0, size = gr_dtype_size_bytes(g->dtype), a_bytes = line((size_t)(g->m * g->k) * size);
    size_t c_bytes = line((size_t)(g->m * g->n) * sizeof(float)), plain_bytes = line((size_t)(g->k * g->n) * size);
    if (packed && !p->dnn) g->packed_b = p; /* there or not: the scratch depends on it */
    size_t scratch = p->dnn ? gr__dnn_matmul_scratch_bytes(p->dnn) : gr__gemm_scratch_bytes(g);
    if (packed && !p->dnn) {
        gr__gemm packing = *g;
        packing.packed_b = NULL;
        scratch = GR__MAX(scratch, gr__gemm_scratch_bytes(&packing));
    }
    p->b_bytes = plain_bytes;
    if (packed) p->b_bytes = line(p->dnn ? gr__dnn_matmul_ordered_bytes(p->dnn) : gr__gemm_packed_bytes(g));
    p->copies = cold ? (int64_t)(cold_bytes() / p->b_bytes) + 2 : 1;
    bool fits = gr__mul_size(p->b_bytes, (size_t)p->copies, &total);
    size_t a_at = total;
    fits = fits && gr__add_size(total, a_bytes + c_bytes, &total) && gr__add_size(total, scratch, &p->bytes);
    p->data = fits ? gr__alloc_large(p->bytes) : NULL;
    void *plain = packed ? gr__alloc_large(plain_bytes) : NULL;
    if (!p->data || (packed && !plain)) {
        gr__free_large(plain, plain_bytes);
        return gr__fail_memory("matrices", fits ? p->bytes : SIZE_MAX);
    }
    gr__bench_fill(p->data + a_at, g->dtype, g->m * g->k, 1, 1);
    g->a = p->data + a_at;
    g->c = p->data + a_at + a_bytes;
    g->scratch = scratch ? p->data + a_at + a_bytes + c_bytes : NULL;
    gr_status status = GR_OK;
    for (int64_t i = 0; i < p->copies && status == GR_OK; i++)
        status = make_b(p, p->data + (size_t)i * p->b_bytes, plain, (uint64_t)i + 2);
    gr__free_large(plain, plain_bytes);
    return status;
}

static gr_status open_product(gr_bench *b)
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
                        .c_row = o->n,
                        .split = !o->strict};
    if (o->onednn) GR_TRY(make_dnn(p, o->packed));
    GR_TRY(make_data(p, o->cold, o->packed));
    describe(b, p);
    return GR_OK;
}

static gr_status run(gr_bench *b)
{
    product *p = b->own;
    const void *from = p->data + (size_t)(p->next++ % p->copies) * p->b_bytes;
    if (p->dnn) return gr__dnn_matmul_run(p->dnn, p->own.a, from, p->own.c, NULL, p->own.scratch);
    if (p->own.packed_b)
        p->own.packed_b = from;
    else
        p->own.b = from;
    gr__gemm_run(&p->own);
    return GR_OK;
}

static void close_product(gr_bench *b)
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
                                       .open = open_product,
                                       .run = run,
                                       .close = close_product};
