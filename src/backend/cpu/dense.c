#include "backend/cpu/dense.h"

#include "base/alloc.h"
#include "kernel/conv_window.h"
#include "kernel/cpu.h"
#include "kernel/gemm_amx.h"
#include "kernel/onednn.h"

struct gr__dense {
    gr__dnn_matmul *dnn; /* NULL: own */
    gr__gemm own;
};

bool gr__dense_own_is_faster(const gr__gemm *g)
{
    enum { LARGE = 8192, TALL = 600, NARROW = 384, LANES = 64, LEAST_ROWS = 32, LEAST_COLUMNS = 48 };
    if (gr__gemm_amx_applicable(g)) return true;
    if (gr__gemm_by_dots(g->dtype) && g->batch <= 1 && g->m >= LEAST_ROWS && g->n >= LEAST_COLUMNS) return true;
    bool narrow = g->n > LANES && g->n <= NARROW && g->n % LANES == 0;
    if (g->dtype == GR_F32 && g->batch <= 1 && g->a_col == 1 && g->m >= TALL && narrow) return true;
    if (g->dtype == GR_F32) return g->n >= LARGE && g->b_row == 1;
    return g->m >= LARGE && g->a_row == 1;
}

/* `gradus bench resnet --dtype bf16 --profile`: on tiles gradients of weights always, the others where rows need not be packed, or
 * enough channels hide what that costs; by dot products all of enough channels. */
bool gr__conv_own_is_faster(const gr__conv *c)
{
    enum { SOME_CHANNELS = 64, MANY_CHANNELS = 128 };
    int64_t least = GR__MIN(c->shape.cin, c->shape.cout);
    if (!gr__conv_window_applicable(c)) return false;
    if (gr__gemm_by_dots(c->dtype)) return least >= SOME_CHANNELS;
    return c->result == GR__CONV_W || least >= (gr__conv_window_packs_rows(c) ? MANY_CHANNELS : SOME_CHANNELS);
}

gr_status gr__dense_new(const gr__gemm *g, gr__dense **out)
{
    gr__gemm split = *g;
    split.split = !gr__cpu_strict();
    gr__dense *d = gr__calloc(1, sizeof *d);
    if (!d) return gr__fail_memory("a product", sizeof *d);
    gr__dnn_matmul_shape s = {.batch = g->batch,
                              .m = g->m,
                              .n = g->n,
                              .k = g->k,
                              .a_dtype = g->dtype,
                              .b_dtype = g->dtype,
                              .c_dtype = g->c_dtype,
                              .a_row = g->a_row,
                              .a_col = g->a_col,
                              .a_batch = g->a_batch,
                              .b_row = g->b_row,
                              .b_col = g->b_col,
                              .b_batch = g->b_batch,
                              .c_row = g->c_row,
                              .c_col = 1,
                              .c_batch = g->c_batch,
                              .accumulate = g->accumulate,
                              .scratchpad = true};
    gr_status status =
        gr__dense_own_is_faster(&split) || !gr__dnn_available() ? GR_ERR_UNSUPPORTED : gr__dnn_matmul_new(&s, &d->dnn);
    if (status != GR_OK && status != GR_ERR_UNSUPPORTED) {
        gr__free(d);
        return status;
    }
    d->own = split;
    *out = d;
    return GR_OK;
}

size_t gr__dense_packed_bytes(const gr__dense *d)
{
    bool few = d && gr__gemm_is_few(&d->own); /* then our own is the faster one */
    return d && (few || !d->dnn) && gr__gemm_can_pack(&d->own) ? gr__gemm_packed_bytes(&d->own) : 0;
}

size_t gr__dense_scratch_bytes(const gr__dense *d)
{
    if (!d) return 0;
    size_t own = d->dnn ? 0 : gr__gemm_scratch_bytes(&d->own);
    if (gr__dense_packed_bytes(d)) {
        gr__gemm packed = d->own;
        packed.packed_b = d; /* there or not */
        own = GR__MAX(own, gr__gemm_scratch_bytes(&packed));
    }
    return d->dnn ? GR__MAX(own, gr__dnn_matmul_scratch_bytes(d->dnn)) : own;
}

void gr__dense_free(gr__dense *d)
{
    if (!d) return;
    gr__dnn_matmul_free(d->dnn);
    gr__free(d);
}

void gr__dense_pack(gr__dense *d, const void *b, void *to, void *scratch)
{
    gr__gemm g = d->own;
    g.b = b;
    g.packed_b = NULL;
    g.scratch = scratch;
    gr__gemm_pack_b(&g, to);
    d->own.packed_b = to;
}

void gr__dense_use_packed(gr__dense *d, const void *packed) { d->own.packed_b = packed; }

gr_status gr__dense_run(gr__dense *d, const void *a, const void *b, void *c, void *scratch)
{
    if (d->dnn && !d->own.packed_b) return gr__dnn_matmul_run(d->dnn, a, b, c, NULL, scratch);
    d->own.scratch = scratch;
    d->own.a = a;
    d->own.b = b;
    d->own.c = c;
    d->own.turned = !d->own.turned;
    gr__gemm_run(&d->own);
    return GR_OK;
}
