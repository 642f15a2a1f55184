/* Dense products: oneDNN where it is built in, else our own. */
#include "backend/cpu/dense.h"
#include "backend/cpu/product.h"
#include "backend/cpu/table.h"

#include "kernel/cpu.h"
#include "kernel/gemm.h"
#include "kernel/onednn.h"
#include "op/op.h"

#include <stdio.h>

static bool adds(const gr__args *a) { return a->n_in == 3 && gr__arg_there(&a->in[2]); }

static gr__gemm own_shape(const gr__args *a, const gr__product *p)
{
    return (gr__gemm){.batch = p->batch,
                      .m = p->m,
                      .n = p->n,
                      .k = p->k,
                      .dtype = a->in[0].dtype,
                      .c_dtype = a->out[0].dtype,
                      .a = a->in[0].data,
                      .a_row = p->a_row,
                      .a_col = p->a_col,
                      .a_batch = p->a_batch,
                      .b = a->in[1].data,
                      .b_row = p->b_row,
                      .b_col = p->b_col,
                      .b_batch = p->b_batch,
                      .c = a->out[0].data,
                      .c_row = p->c_row,
                      .c_batch = p->c_batch,
                      .accumulate = adds(a),
                      .split = !gr__cpu_strict(),
                      .scratch = a->scratch};
}

/* ---- oneDNN ---- */

static gr__dnn_matmul_shape dnn_shape(const gr__args *a, const gr__product *p)
{
    return (gr__dnn_matmul_shape){.batch = p->batch,
                                  .m = p->m,
                                  .n = p->n,
                                  .k = p->k,
                                  .a_dtype = a->in[0].dtype,
                                  .b_dtype = a->in[1].dtype,
                                  .c_dtype = a->out[0].dtype,
                                  .a_row = p->a_row,
                                  .a_col = p->a_col,
                                  .a_batch = p->a_batch,
                                  .b_row = p->b_row,
                                  .b_col = p->b_col,
                                  .b_batch = p->b_batch,
                                  .c_row = p->c_row,
                                  .c_col = p->c_col,
                                  .c_batch = p->c_batch,
                                  .accumulate = adds(a),
                                  .scratchpad = true}; /* all products share the plan's */
}

static bool unit(int64_t row, int64_t col, int64_t rows, int64_t cols)
{
    return row == 1 || col == 1 || rows == 1 || cols == 1;
}

static bool dnn_applicable(const gr__args *a, char *why)
{
    gr__product p;
    if (!gr__dnn_available()) return gr__refuse(why, "built without oneDNN");
    if (a->in[0].dtype != GR_F32 && a->in[0].dtype != GR_BF16) return gr__refuse(why, "dtype");
    if (!gr__product_of(a, &p, why)) return false;
    if (!unit(p.a_row, p.a_col, p.m, p.k) || !unit(p.b_row, p.b_col, p.k, p.n) || p.c_col != 1)
        return gr__refuse(why, "a matrix has no unit stride");
    if (p.m == 1 && p.batch == 1) return gr__refuse(why, "one row: our own is faster");
    gr__gemm own = own_shape(a, &p);
    if (gr__dense_own_is_faster(&own)) return gr__refuse(why, "our own is faster");
    gr__dnn_matmul_shape s = dnn_shape(a, &p);
    gr__dnn_matmul *mm = NULL;
    if (gr__dnn_matmul_new(&s, &mm) != GR_OK) return gr__refuse(why, "oneDNN has no implementation");
    gr__dnn_matmul_free(mm);
    return true;
}

static gr_status dnn_new(const gr__args *a, gr__dnn_matmul **out)
{
    gr__product p;
    char why[GR__WHY_BYTES];
    GR_FAIL_IF(!gr__product_of(a, &p, why), GR_ERR_INTERNAL, "matmul: %s", why);
    gr__dnn_matmul_shape s = dnn_shape(a, &p);
    return gr__dnn_matmul_new(&s, out);
}

static size_t dnn_scratch(const gr__args *a)
{
    gr__dnn_matmul *mm;
    if (dnn_new(a, &mm) != GR_OK) return 0; /* then 'prepare' fails too */
    size_t bytes = gr__dnn_matmul_scratch_bytes(mm);
    gr__dnn_matmul_free(mm);
    return bytes;
}

static gr_status dnn_prepare(const gr__args *a, void **state)
{
    gr__dnn_matmul *mm;
    GR_TRY(dnn_new(a, &mm));
    if (gr__dnn_matmul_scratch_bytes(mm) && !a->scratch) {
        gr__dnn_matmul_free(mm);
        return gr__fail_memory("a product", sizeof mm);
    }
    *state = mm;
    return GR_OK;
}

static void dnn_release(void *state) { gr__dnn_matmul_free(state); }

static gr_status dnn_run(const gr__args *a, void *state)
{
    gr__product_seed(a);
    return gr__dnn_matmul_run(state, a->in[0].data, a->in[1].data, a->out[0].data, NULL, a->scratch);
}

const gr__kernel gr__cpu_matmul_onednn = {
    .op = &gr__op_matmul,
    .name = "matmul.onednn",
    .in_strided = 7,
    .out_strided = 1,
    .applicable = dnn_applicable,
    .scratch_bytes = dnn_scratch,
    .prepare = dnn_prepare,
    .release = dnn_release,
    .run = dnn_run,
};

/* ---- own ---- */

static bool own_applicable(const gr__args *a, char *why)
{
    gr__product p;
    if (!gr__product_of(a, &p, why)) return false;
    if (p.c_col != 1 && p.n > 1) return gr__refuse(why, "the result has no unit stride");
    return true;
}

static size_t own_scratch(const gr__args *a)
{
    gr__product p;
    char why[GR__WHY_BYTES];
    if (!gr__product_of(a, &p, why)) return 0;
    gr__gemm g = own_shape(a, &p);
    return gr__gemm_scratch_bytes(&g);
}

static gr_status own_prepare(const gr__args *a, void **state)
{
    gr__product p;
    char why[GR__WHY_BYTES];
    gr__gemm *g = gr__alloc(sizeof *g);
    if (!g) return gr__fail_memory("a product", sizeof *g);
    if (!gr__product_of(a, &p, why)) {
        gr__free(g);
        return gr__fail(GR_ERR_INTERNAL, "matmul: %s", why);
    }
    *g = own_shape(a, &p);
    *state = g;
    return GR_OK;
}

static gr_status own_run(const gr__args *a, void *state)
{
    gr__product_seed(a);
    gr__gemm_run(state);
    return GR_OK;
}

const gr__kernel gr__cpu_matmul_own = {
    .op = &gr__op_matmul,
    .name = "matmul.own",
    .in_strided = 7,
    .out_strided = 1,
    .applicable = own_applicable,
    .scratch_bytes = own_scratch,
    .prepare = own_prepare,
    .release = gr__free,
    .run = own_run,
};
