/* The interpreter of element-wise programs: registers are tiles of GR__MAP_TILE floats on the stack. Whole f32 tiles
 * are read where they lie, and the result of the last instruction goes straight to memory. */
#include "kernel/map.h"
#include "kernel/simd/map_fn.h"
#include "kernel/simd_int.h"

static const uint8_t n_args[GR__MAP_OP_COUNT] = {
#define GR_X(NAME, name, n_args, text) n_args,
#include "kernel/map_ops.def"
#undef GR_X
};

typedef struct machine {
    const gr__map_plan *plan;
    const float *reg[GR__MAP_REGISTERS]; /* where the value of a register lies now */
    float tile[GR__MAP_REGISTERS][GR__MAP_TILE] GR__ALIGNED(64);
    bool repeats[GR__MAP_MOST_INPUTS];
    int64_t held[GR__MAP_MOST_INPUTS]; /* elements in the tile of an input that repeats */
    int64_t n;                         /* elements of this tile */
    int64_t row, rows, at, per_row;    /* per_row elements from 'at' on of rows row .. row+rows-1 */
} machine;

static int64_t offset_of(const gr__map_plan *p, const int64_t *stride, int64_t row)
{
    int64_t offset = 0;
    for (int k = p->rank - 1; k > 0; k--) {
        offset += row % p->dim[k] * stride[k];
        row /= p->dim[k];
    }
    return p->rank ? offset + row * stride[0] : 0;
}

/* All tiles of the input are alike, and no instruction writes over its register. */
static bool repeats(const gr__map_plan *p, int input)
{
    for (int k = 0; k < p->rank; k++)
        if (p->in_stride[input][k]) return false;
    for (int i = 0; i < p->map->n_code; i++)
        if (p->map->code[i].dst == input) return false;
    return p->in_scalar[input] || p->tiles_per_row == 1;
}

static void load_run(float *d, const gr__map_operand *in, int64_t from, int64_t n)
{
    int64_t i = 0;
    switch (in->dtype) {
    case GR_F32: memcpy(d, (const float *)in->data + from, (size_t)n * sizeof *d); break;
    case GR_BF16: widen_bf16(d, (const uint16_t *)in->data + from, n); break;
    case GR_F16: {
        const uint16_t *s = (const uint16_t *)in->data + from;
        for (; i + GR__W <= n; i += GR__W) vstore(d + i, vload_f16(s + i));
        for (; i < n; i++) d[i] = gr__f16_to_f32(s[i]);
        break;
    }
    case GR_I32: {
        const int32_t *s = (const int32_t *)in->data + from;
        for (; i < n; i++) d[i] = (float)s[i];
        break;
    }
    default: {
        const uint8_t *s = (const uint8_t *)in->data + from;
        for (; i < n; i++) d[i] = (float)s[i];
    }
    }
}

/* The rows of the tile lie one behind the other. */
static bool in_one_run(const machine *m, const int64_t *stride)
{
    return m->rows == 1 || (m->plan->rank == 1 && stride[0] == m->per_row);
}

/* Rows that do not follow each other: those of the next tile are fetched, the machine does not see them coming. */
static void fetch_row(const machine *m, const gr__map_operand *o, const int64_t *stride, int64_t r)
{
    const gr__map_plan *p = m->plan;
    int64_t row = m->row + m->rows + r, size = o->dtype == GR_F32 ? 4 : 2;
    if (p->rank != 1 || row >= p->rows) return;
    const char *at = (const char *)o->data + (row * stride[0] + m->at) * size;
    for (int64_t i = 0; i < m->per_row * size; i += 64) vprefetch(at + i);
}

static void load(machine *m, int input)
{
    const gr__map_plan *p = m->plan;
    const gr__map_operand *in = &p->map->input[input];
    float *d = m->tile[input];
    m->reg[input] = d;
    if (m->repeats[input] && m->held[input] >= m->n) return;
    m->held[input] = m->n;
    if (!p->in_scalar[input] && in_one_run(m, p->in_stride[input])) {
        int64_t from = offset_of(p, p->in_stride[input], m->row) + m->at;
        if (in->dtype == GR_F32 && m->n % GR__LANES == 0) {
            m->reg[input] = (const float *)in->data + from;
            m->held[input] = 0;
        } else {
            load_run(d, in, from, m->n);
        }
        return;
    }
    for (int64_t r = 0; r < m->rows; r++, d += m->per_row) {
        int64_t from = offset_of(p, p->in_stride[input], m->row + r);
        if (p->in_scalar[input]) {
            load_run(d, in, from, 1);
            for (int64_t i = 1; i < m->per_row; i++) d[i] = d[0];
        } else {
            fetch_row(m, in, p->in_stride[input], r);
            load_run(d, in, from + m->at, m->per_row);
        }
    }
}

static void store_run(const gr__map_operand *out, int64_t to, const float *s, int64_t n)
{
    switch (out->dtype) {
    case GR_F32:
        if ((const float *)out->data + to != s) memcpy((float *)out->data + to, s, (size_t)n * sizeof *s);
        break;
    case GR_BF16: narrow_bf16((uint16_t *)out->data + to, s, n); break;
    case GR_I32: {
        int32_t *d = (int32_t *)out->data + to;
        for (int64_t i = 0; i < n; i++)
            d[i] = s[i] != s[i]             ? 0
                   : s[i] >= 2147483648.0f  ? INT32_MAX
                   : s[i] <= -2147483648.0f ? INT32_MIN
                                            : (int32_t)s[i];
        break;
    }
    default: {
        uint8_t *d = (uint8_t *)out->data + to;
        bool truth_only = out->dtype == GR_BOOL;
        for (int64_t i = 0; i < n; i++) {
            float v = s[i] >= 255.0f ? 255.0f : s[i] > 0 ? s[i] : 0;
            d[i] = truth_only ? (uint8_t)(s[i] != 0) : (uint8_t)v;
        }
    }
    }
}

static void store(machine *m, int output)
{
    const gr__map_plan *p = m->plan;
    const float *s = m->reg[p->map->output_register[output]];
    if (in_one_run(m, p->out_stride[output])) {
        store_run(&p->map->output[output], offset_of(p, p->out_stride[output], m->row) + m->at, s, m->n);
        return;
    }
    for (int64_t r = 0; r < m->rows; r++, s += m->per_row) {
        fetch_row(m, &p->map->output[output], p->out_stride[output], r);
        store_run(&p->map->output[output], offset_of(p, p->out_stride[output], m->row + r) + m->at, s, m->per_row);
    }
}

/* One case per instruction: 'result' is an expression on vectors a, b, c, p0, p1. */
#define MAP_CASE(name, result)                                          \
    case GR__MAP_##name:                                                \
        for (int64_t i = 0; i < n; i += GR__W) {                        \
            vf a = vload(ra + i), b = vload(rb + i), c = vload(rc + i); \
            (void)a, (void)b, (void)c;                                  \
            vstore(d + i, result);                                      \
        }                                                               \
        break;
#define MAP_SCALAR_CASE(name, result)                    \
    case GR__MAP_##name:                                 \
        for (int64_t i = 0; i < n; i++) d[i] = (result); \
        break;

/* No default: the compiler names an instruction that is missing here. */
static void apply(const gr__map_code *code, float *d, const float *ra, const float *rb, const float *rc, int64_t n)
{
    vf p0 = vset(code->p0), p1 = vset(code->p1);
    switch ((gr__map_op)code->op) {
        MAP_CASE(COPY, a)
        MAP_CASE(CONST, p0)
        MAP_CASE(ADD, a + b)
        MAP_CASE(SUB, a - b)
        MAP_CASE(MUL, a * b)
        MAP_CASE(DIV, a / b)
        MAP_CASE(MULADD, a * b + c)
        MAP_CASE(ADD_C, a + p0)
        MAP_CASE(MUL_C, a * p0)
        MAP_CASE(AFFINE, a * p0 + p1)
        MAP_CASE(MAX, map_max(a, b))
        MAP_CASE(MIN, map_min(a, b))
        MAP_SCALAR_CASE(POW, pow_one(ra[i], rb[i]))
        MAP_SCALAR_CASE(POW_C, pow_one(ra[i], code->p0))
        MAP_CASE(GT, truth(vgt(a, b)))
        MAP_CASE(GE, truth(vge(a, b)))
        MAP_CASE(LT, truth(vgt(b, a)))
        MAP_CASE(LE, truth(vge(b, a)))
        MAP_CASE(EQ, truth(veq(a, b)))
        MAP_CASE(NE, vset(1) - truth(veq(a, b)))
        MAP_CASE(WHERE, vselect(veq(a, vzero()), c, b))
        MAP_CASE(CLAMP, vclamp(a, code->p0, code->p1))
        MAP_CASE(NEG, vset(-0.0f) - a)
        MAP_CASE(ABS, vabs(a))
        MAP_CASE(SIGN, map_sign(a))
        MAP_CASE(FLOOR, map_floor(a))
        MAP_CASE(ROUND, map_round(a))
        MAP_CASE(SQRT, vsqrt(a))
        MAP_CASE(RSQRT, vset(1) / vsqrt(a))
        MAP_CASE(SQUARE, a * a)
        MAP_CASE(RECIP, vset(1) / a)
        MAP_CASE(EXP, vexp(a))
        MAP_CASE(LOG, vlog(a))
        MAP_CASE(LOG1P, vlog1p(a))
        MAP_CASE(ATAN, vatan(a))
        MAP_CASE(ERF, verf(a))
        MAP_CASE(TANH, vtanh(a))
        MAP_CASE(SIGMOID, vsigmoid(a))
        MAP_CASE(SOFTPLUS, map_softplus(a))
        MAP_CASE(RELU, vmax(vzero(), a))
        MAP_CASE(LEAKY_RELU, vselect(vgt(a, vzero()), a, p0 * a))
        MAP_CASE(ELU, map_elu(a, p0))
        MAP_CASE(GELU, map_gelu(a))
        MAP_CASE(GELU_TANH, map_gelu_tanh(a))
        MAP_CASE(SILU, a * vsigmoid(a))
        MAP_CASE(ROUND_BF16, vround_bf16(a))
        MAP_CASE(RELU_GRAD, vselect(vgt(a, vzero()), b, vzero()))
        MAP_CASE(LEAKY_RELU_GRAD, vselect(vgt(a, vzero()), b, p0 * b))
        MAP_CASE(ELU_GRAD, vselect(vgt(a, vzero()), b, b * p0 * vexp_negative(a)))
        MAP_CASE(GELU_GRAD, map_gelu_grad(a, b))
        MAP_CASE(GELU_TANH_GRAD, map_gelu_tanh_grad(a, b))
        MAP_CASE(SILU_GRAD, map_silu_grad(a, b))
        MAP_CASE(SIGMOID_GRAD, b * a * (vset(1) - a))
        MAP_CASE(TANH_GRAD, b * (vset(1) - a * a))
        MAP_CASE(SOFTPLUS_GRAD, b * vsigmoid(a))
        MAP_CASE(CLAMP_GRAD, vselect(vge(a, p0), vselect(vge(p1, a), b, vzero()), vzero()))
        MAP_CASE(ERF_GRAD, b * vset(1.1283792f) * vexp_negative(vzero() - a * a))
    case GR__MAP_SIN: trig(d, ra, n, 0); break;
    case GR__MAP_COS: trig(d, ra, n, 1); break;
    case GR__MAP_OP_COUNT: break;
    }
}

/* Where the only output may be computed in place by the last instruction. */
static float *direct_output(const machine *m)
{
    const gr__map_job *map = m->plan->map;
    const gr__map_operand *out = &map->output[0];
    if (map->n_outputs != 1 || map->n_code == 0 || out->dtype != GR_F32 || m->n % GR__LANES ||
        !in_one_run(m, m->plan->out_stride[0]))
        return NULL;
    if (map->code[map->n_code - 1].dst != map->output_register[0]) return NULL;
    return (float *)out->data + offset_of(m->plan, m->plan->out_stride[0], m->row) + m->at;
}

static void run_tile(machine *m)
{
    const gr__map_job *map = m->plan->map;
    int64_t n = round16(m->n);
    for (int i = 0; i < map->n_inputs; i++) load(m, i);
    for (int i = 0; i < map->n_code; i++) {
        const gr__map_code *c = &map->code[i];
        float *d = i + 1 == map->n_code ? direct_output(m) : NULL;
        if (!d) d = m->tile[c->dst];
        const float *a = m->reg[c->a];
        int args = n_args[c->op];
        if (args < 1) a = m->tile[c->dst];
        apply(c, d, a, args > 1 ? m->reg[c->b] : a, args > 2 ? m->reg[c->c] : a, n);
        m->reg[c->dst] = d;
    }
    for (int i = 0; i < map->n_outputs; i++) store(m, i);
}

void GR__KERNEL(map)(const void *args, int64_t first, int64_t last)
{
    const gr__map_plan *p = args;
    machine m; /* not cleared as a whole: that takes longer than a small program */
    m.plan = p;
    for (int i = 0; i < GR__MAP_REGISTERS; i++) m.reg[i] = m.tile[i];
    for (int i = 0; i < p->map->n_inputs; i++) {
        m.repeats[i] = repeats(p, i);
        m.held[i] = 0;
    }
    for (int64_t unit = first; unit < last; unit++) {
        if (p->tiles_per_row > 1) {
            m.row = unit / p->tiles_per_row;
            m.rows = 1;
            m.at = unit % p->tiles_per_row * GR__MAP_TILE;
            m.per_row = GR__MIN(GR__MAP_TILE, p->n - m.at);
        } else {
            m.row = unit * p->rows_per_tile;
            m.rows = GR__MIN(p->rows_per_tile, p->rows - m.row);
            m.at = 0;
            m.per_row = p->n;
        }
        m.n = m.rows * m.per_row;
        run_tile(&m);
    }
}
