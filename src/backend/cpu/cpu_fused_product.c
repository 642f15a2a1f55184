/* Products whose sums go through an element-wise program while they are in cache, and weights packed for them: bf16 on tiles,
 * and few rows with packed weights on vectors. */
#include "backend/cpu/product.h"
#include "backend/cpu/table.h"

#include "base/alloc.h"
#include "kernel/conv.h"
#include "kernel/cpu.h"
#include "kernel/gemm_amx.h"
#include "kernel/map.h"
#include "op/conv.h"
#include "op/pack.h"

#include <string.h>

typedef struct job {
    gr__gemm gemm;
    gr__conv conv;
    bool is_conv;
    const float *bias; /* (columns) of a convolution */
    gr__map_job map;   /* over rows and columns */
    int at;
} job;

static void finish(void *context, const gr__gemm_block *b)
{
    const job *j = context;
    for (int64_t r = 0; j->bias && r < b->rows; r++)
        for (int64_t c = 0; c < b->columns; c++) b->sums[r * b->ld + c] += j->bias[b->column + c];
    gr__map_run_part(&j->map, b->row, b->column, b->rows, b->columns, j->at, b->sums, b->ld);
}

/* Strides of x from row to row of the last axis and along it, broadcast against (dim); false: rows have no one stride. */
static bool two_axes(const gr__arg *x, int rank, const int64_t *dim, int64_t *stride)
{
    int64_t rows = 1;
    memset(stride, 0, GR__MAP_RANK * sizeof *stride);
    for (int axis = rank - 1; axis >= 0; axis--) {
        int i = axis - (rank - x->rank);
        int64_t s = i < 0 || x->dim[i] == 1 ? 0 : x->stride[i];
        if (axis == rank - 1)
            stride[1] = s;
        else if (dim[axis] == 1)
            continue;
        else if (rows == 1)
            stride[0] = s, rows = dim[axis];
        else if (s != stride[0] * rows)
            return false;
        else
            rows *= dim[axis];
    }
    return true;
}

/* ---- the product ---- */

/* packed: named where the weight is packed. */
static bool fill_matmul(const gr__product_args *p, const void *packed, gr__gemm *g, char *why)
{
    enum { LEAST_COLUMNS = 48 }; /* packed panels of vectors are 64 columns wide */
    gr__product q;
    if (!gr__product_of(&p->args, &q, why)) return false;
    if (q.batch != 1) return gr__refuse(why, "a batch of products");
    *g = (gr__gemm){.batch = 1,
                    .m = q.m,
                    .n = q.n,
                    .k = q.k,
                    .dtype = p->in[0].dtype,
                    .c_dtype = GR_F32,
                    .a = p->in[0].data,
                    .a_row = q.a_row,
                    .a_col = q.a_col,
                    .b = p->in[1].data,
                    .b_row = q.b_row,
                    .b_col = q.b_col,
                    .split = !gr__cpu_strict(),
                    .finish = finish,
                    .packed_b = packed};
    /* Memory sets the pace of one row, and a second copy of all weights would only take more. */
    if (g->m == 1 && g->dtype == GR_F32) return gr__refuse(why, "one row");
    if ((g->n < LEAST_COLUMNS || g->m == 0 || g->k == 0) && !gr__gemm_amx_applicable(g))
        return gr__refuse(why, "few columns");
    return true;
}

static bool fill_conv(const gr__product_args *p, gr__conv *c, char *why)
{
    *c = (gr__conv){.shape = gr__conv_shape_of(p->args.attr, &p->in[0], &p->in[1], &p->out),
                    .result = GR__CONV_Y,
                    .dtype = p->in[0].dtype,
                    .out_dtype = GR_F32,
                    .x = p->in[0].data,
                    .w = p->in[1].data};
    if (p->args.n_in > 2 && gr__arg_there(&p->in[2]) && p->in[2].dtype != GR_F32)
        return gr__refuse(why, "the bias is not f32");
    return gr__conv_can_finish(c) || gr__refuse(why, "no kernel that finishes sums");
}

/* Where vectors multiply, a product that is written and a map behind it take less time than many rows of sums that go through a
 * program: there the packed weight is all there is to win. */
static bool writes_sums(const gr__fused_attr *map, const gr__gemm *g)
{
    return map->n_code == 0 && map->n_out == 1 && g->packed_b && gr__gemm_by_dots(g) && !gr__gemm_is_few(g);
}

static bool write_sums(const gr__args *a, gr__gemm *g, char *why)
{
    const gr__fused_attr *map = &((const gr__fused_product_attr *)a->attr)->map;
    int64_t stride[GR__MAP_RANK];
    g->finish = NULL;
    g->c_dtype = map->out_dtype[0];
    g->c_row = g->n;
    if (g->c_dtype != GR_F32 && g->c_dtype != GR_BF16) return gr__refuse(why, "dtype of the result");
    if (a->n_out == 0) return true; /* packing */
    if (!two_axes(&a->out[0], map->rank, map->dim, stride) || stride[1] != 1)
        return gr__refuse(why, "rows without one stride");
    g->c = a->out[0].data;
    g->c_row = stride[0];
    return true;
}

/* All but the program. packed: the weight is or will be packed. */
static bool fill_product(const gr__args *a, bool is_packed, job *j, char *why)
{
    const gr__fused_product_attr *f = a->attr;
    gr__product_args p;
    gr__product_args_of(a, &p);
    j->is_conv = f->op == &gr__op_conv;
    const void *there = f->packed_bytes ? a->in[1].data : NULL;
    const void *packed = !is_packed ? NULL : there ? there : &gr__op_pack; /* there or not */
    if (j->is_conv ? !fill_conv(&p, &j->conv, why) : !fill_matmul(&p, packed, &j->gemm, why)) return false;
    if (!j->is_conv && writes_sums(&f->map, &j->gemm)) {
        if (!write_sums(a, &j->gemm, why)) return false;
    } else if (!j->is_conv && !gr__gemm_can_finish(&j->gemm)) {
        return gr__refuse(why, "no kernel that finishes sums");
    }
    if (j->is_conv) {
        j->conv.finish = finish, j->conv.finish_context = j;
        j->conv.packed_w = packed, j->conv.scratch = a->scratch;
        j->bias = p.args.n_in > 2 ? p.in[2].data : NULL;
    } else {
        j->gemm.finish_context = j;
        j->gemm.scratch = a->scratch;
    }
    return true;
}

static bool is_packed(const gr__args *a) { return ((const gr__fused_product_attr *)a->attr)->packed_bytes != 0; }

/* ---- its program ---- */

static bool fill_map(const gr__args *a, job *j, char *why)
{
    const gr__fused_product_attr *f = a->attr;
    gr__map_job *m = &j->map;
    m->n_code = f->map.n_code;
    m->n_inputs = a->n_in - f->n_own + 1;
    m->n_outputs = f->map.n_out;
    memcpy(m->code, f->map.code, sizeof m->code);
    memcpy(m->output_register, f->map.output_register, sizeof m->output_register);
    j->at = f->at;
    const gr__arg *from = a->in + f->n_own;
    for (int i = 0; i < m->n_inputs + m->n_outputs; i++) {
        bool in = i < m->n_inputs;
        if (in && i == f->at) continue;
        const gr__arg *x = in ? from++ : &a->out[i - m->n_inputs];
        gr__map_operand *o = in ? &m->input[i] : &m->output[i - m->n_inputs];
        *o = (gr__map_operand){.data = x->data, .dtype = x->dtype};
        if (!two_axes(x, f->map.rank, f->map.dim, o->stride)) return gr__refuse(why, "rows without one stride");
        if (o->stride[1] > 1 || (!in && o->stride[1] != 1 && f->map.dim[f->map.rank - 1] > 1))
            return gr__refuse(why, "the last axis is not contiguous");
    }
    return true;
}

/* ---- the row ---- */

static bool applicable(const gr__args *a, char *why)
{
    job j = {.is_conv = false};
    return fill_product(a, is_packed(a), &j, why) && fill_map(a, &j, why);
}

static size_t scratch(const gr__args *a)
{
    job j = {.is_conv = false};
    char why[GR__WHY_BYTES];
    if (!fill_product(a, is_packed(a), &j, why)) return 0;
    return j.is_conv ? gr__conv_scratch_bytes(&j.conv) : gr__gemm_scratch_bytes(&j.gemm);
}

static size_t packed_bytes(const gr__args *a)
{
    job j = {.is_conv = false};
    char why[GR__WHY_BYTES];
    if (!fill_product(a, true, &j, why)) return 0;
    return j.is_conv ? gr__conv_packed_bytes(&j.conv) : gr__gemm_packed_bytes(&j.gemm);
}

static gr_status prepare(const gr__args *a, void **state)
{
    char why[GR__WHY_BYTES];
    job *j = gr__calloc(1, sizeof *j);
    if (!j) return gr__fail_memory("a product", sizeof *j);
    if (!fill_product(a, is_packed(a), j, why) || !fill_map(a, j, why)) {
        gr__free(j);
        return gr__fail(GR_ERR_INTERNAL, "fused_product: %s", why);
    }
    *state = j;
    return GR_OK;
}

static gr_status run(const gr__args *a, void *state)
{
    (void)a;
    const job *j = state;
    if (j->is_conv)
        gr__conv_run(&j->conv);
    else
        gr__gemm_run(&j->gemm);
    return GR_OK;
}

const gr__kernel gr__cpu_fused_product = {.op = &gr__op_fused_product,
                                          .name = "product.fused",
                                          .applicable = applicable,
                                          .scratch_bytes = scratch,
                                          .packed_bytes = packed_bytes,
                                          .prepare = prepare,
                                          .release = gr__free,
                                          .run = run};

/* ---- packing ---- */

/* The product that a weight is packed for, with the weight as it lies. */
static bool fill_packing(const gr__args *a, job *j)
{
    const gr__pack_attr *p = a->attr;
    gr__fused_product_attr plain = p->product;
    plain.packed_bytes = 0;
    plain.n_own = 2;
    gr__arg in[2] = {{.dtype = p->x.dtype, .rank = p->x.rank}, a->in[0]};
    memcpy(in[0].dim, p->x.dim, sizeof in[0].dim);
    gr__arg_strides(&in[0]);
    char why[GR__WHY_BYTES];
    if (!fill_product(&(gr__args){.attr = &plain, .in = in, .n_in = 2, .scratch = a->scratch}, true, j, why))
        return false;
    j->conv.packed_w = j->gemm.packed_b = NULL;
    return true;
}

static size_t pack_scratch(const gr__args *a)
{
    job j = {.is_conv = false};
    if (!fill_packing(a, &j)) return 0;
    return j.is_conv ? gr__conv_scratch_bytes(&j.conv) : gr__gemm_scratch_bytes(&j.gemm);
}

static gr_status pack(const gr__args *a, void *state)
{
    (void)state;
    job j = {.is_conv = false};
    GR_FAIL_IF(!fill_packing(a, &j), GR_ERR_INTERNAL, "pack: no kernel reads this weight");
    if (j.is_conv)
        gr__conv_pack_w(&j.conv, a->out[0].data);
    else
        gr__gemm_pack_b(&j.gemm, a->out[0].data);
    return GR_OK;
}

static bool packs(const gr__args *a, char *why)
{
    return !((const gr__pack_attr *)a->attr)->scan || gr__refuse(why, "a weight of a recurrent layer");
}

const gr__kernel gr__cpu_pack = {
    .op = &gr__op_pack, .name = "pack", .applicable = packs, .scratch_bytes = pack_scratch, .run = pack};
