/* Products whose sums go through an element-wise program, and weights packed for them: while they are in cache where bf16 is on tiles or
 * few rows meet packed weights on vectors; by dot products step by step in the registers that they were summed in, where each
 * instruction needs but the one before it. */
#include "backend/cpu/dense.h"
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
    bool has_bias;     /* of a convolution: */
    const float *bias; /* (columns) */
    gr__map_job map;   /* over rows and columns */
    int at;
    gr__gemm_step step[GR__GEMM_MOST_STEPS];
    int n_steps;
    bool steps; /* these in place of the program */
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
                    .packed_b = packed};
    /* Memory sets the pace of one row, and a second copy of all weights would only take more. */
    if (g->m == 1 && g->dtype == GR_F32) return gr__refuse(why, "one row");
    if ((g->n < LEAST_COLUMNS || g->m == 0 || g->k == 0) && !gr__gemm_amx_applicable(g))
        return gr__refuse(why, "few columns");
    return true;
}

static bool fill_conv(const gr__product_args *p, const void *packed, gr__conv *c, char *why)
{
    *c = (gr__conv){.shape = gr__conv_shape_of(p->args.attr, &p->in[0], &p->in[1], &p->out),
                    .result = GR__CONV_Y,
                    .dtype = p->in[0].dtype,
                    .out_dtype = GR_F32,
                    .x = p->in[0].data,
                    .w = p->in[1].data,
                    .packed_w = packed};
    return p->args.n_in < 3 || !gr__arg_there(&p->in[2]) || p->in[2].dtype == GR_F32 ||
           gr__refuse(why, "the bias is not f32");
}

static bool takes_steps(const job *j)
{
    if (j->is_conv) return gr__conv_can_step(&j->conv) && gr__conv_own_is_faster(&j->conv);
    return gr__gemm_can_step(&j->gemm) && (j->gemm.packed_b || gr__dense_own_is_faster(&j->gemm));
}

static bool can_finish(job *j)
{
    j->gemm.finish = j->conv.finish = finish;
    return j->is_conv ? gr__conv_can_finish(&j->conv) : gr__gemm_can_finish(&j->gemm);
}

/* All but the program. is_packed: the weight is or will be packed. */
static bool fill_product(const gr__args *a, bool is_packed, job *j, char *why)
{
    const gr__fused_product_attr *f = a->attr;
    gr__product_args p;
    gr__product_args_of(a, &p);
    j->is_conv = f->op == &gr__op_conv;
    const void *there = f->packed_bytes ? a->in[1].data : NULL;
    const void *packed = !is_packed ? NULL : there ? there : &gr__op_pack; /* there or not */
    if (j->is_conv ? !fill_conv(&p, packed, &j->conv, why) : !fill_matmul(&p, packed, &j->gemm, why)) return false;
    j->steps = takes_steps(j);
    if (!j->steps && !can_finish(j)) return gr__refuse(why, "no kernel that finishes sums");
    j->conv.scratch = j->gemm.scratch = a->scratch;
    j->has_bias = j->is_conv && p.args.n_in > 2 && gr__arg_there(&p.in[2]);
    j->bias = j->has_bias ? p.in[2].data : NULL;
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

/* ---- its program as steps ---- */

static bool add_step(job *j, gr__gemm_step_op op, const gr__map_operand *with)
{
    if (j->n_steps == GR__GEMM_MOST_STEPS) return false;
    gr__gemm_step *s = &j->step[j->n_steps++];
    *s = (gr__gemm_step){.op = op};
    if (!with) return true;
    if ((with->dtype != GR_F32 && with->dtype != GR_BF16) || with->stride[1] != 1) return false;
    if (op == GR__STEP_ADD_ROW && with->stride[0] != 0) s->op = GR__STEP_ADD;
    *s = (gr__gemm_step){.op = s->op, .with = with->data, .dtype = with->dtype, .row = with->stride[0]};
    return op != GR__STEP_MUL_ROW || with->stride[0] == 0;
}

/* One value that goes from instruction to instruction, beside operands as they were read. */
static bool fill_steps(job *j)
{
    const gr__map_job *m = &j->map;
    bool whole[GR__MAP_REGISTERS]; /* holds an operand */
    for (int i = 0; i < GR__MAP_REGISTERS; i++) whole[i] = i < m->n_inputs && i != j->at;
    int value = j->at;
    gr__map_operand bias = {.data = (void *)(uintptr_t)j->bias, .dtype = GR_F32, .stride = {0, 1}};
    j->n_steps = 0;
    if (j->has_bias && !add_step(j, GR__STEP_ADD_ROW, &bias)) return false;
    for (int i = 0; i < m->n_code; i++) {
        const gr__map_code *c = &m->code[i];
        bool two = c->op == GR__MAP_ADD || c->op == GR__MAP_MUL, first = c->a == value;
        int other = first ? c->b : c->a;
        if (!first && !(two && c->b == value)) return false;
        if (two && (other == value || !whole[other])) return false;
        const gr__map_operand *with = two ? &m->input[other] : NULL;
        bool done = false;
        switch ((gr__map_op)c->op) {
        case GR__MAP_COPY: done = true; break;
        case GR__MAP_ROUND_BF16: done = add_step(j, GR__STEP_ROUND, NULL); break;
        case GR__MAP_RELU: done = add_step(j, GR__STEP_RELU, NULL); break;
        case GR__MAP_ADD: done = add_step(j, GR__STEP_ADD_ROW, with); break;
        case GR__MAP_MUL: done = add_step(j, GR__STEP_MUL_ROW, with); break;
        default: break;
        }
        if (!done) return false;
        value = c->dst;
        whole[value] = false;
    }
    return m->n_outputs == 1 && m->output_register[0] == value;
}

/* Where C goes. */
static bool fill_result(job *j, char *why)
{
    enum { PANEL = 64, MANY = 256 }; /* columns: the rest of a panel takes its steps one by one */
    const gr__map_operand *out = &j->map.output[0];
    int64_t n = j->is_conv ? j->conv.shape.cout : j->gemm.n;
    if (!fill_steps(j)) return gr__refuse(why, "not a chain of steps");
    if (j->n_steps && n % PANEL != 0 && n < MANY) return gr__refuse(why, "few columns");
    if (out->dtype != GR_F32 && out->dtype != GR_BF16) return gr__refuse(why, "dtype of the result");
    j->gemm.c = j->conv.y = out->data;
    j->gemm.c_dtype = j->conv.out_dtype = out->dtype;
    j->gemm.c_row = j->conv.y_row = out->stride[0];
    j->gemm.step = j->conv.step = j->step;
    j->gemm.n_steps = j->conv.n_steps = j->n_steps;
    return true;
}

/* The whole job, which stays where it is. */
static bool fill(const gr__args *a, job *j, char *why)
{
    if (!fill_product(a, is_packed(a), j, why) || !fill_map(a, j, why)) return false;
    if (j->steps) return fill_result(j, why);
    j->gemm.finish_context = j->conv.finish_context = j;
    return true;
}

/* ---- the row ---- */

static bool applicable(const gr__args *a, char *why)
{
    job j = {.is_conv = false};
    return fill(a, &j, why);
}

static size_t scratch(const gr__args *a)
{
    job j = {.is_conv = false};
    char why[GR__WHY_BYTES];
    if (!fill(a, &j, why)) return 0;
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
    if (!fill(a, j, why)) {
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
