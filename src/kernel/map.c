#include "kernel/map.h"

#include "kernel/copy.h"
#include "kernel/simd_int.h"

#include <string.h>

static const int n_args[GR__MAP_OP_COUNT] = {
#define GR_X(NAME, name, n_args, text) n_args,
#include "kernel/map_ops.def"
#undef GR_X
};

static const char *const names[GR__MAP_OP_COUNT] = {
#define GR_X(NAME, name, n_args, text) name,
#include "kernel/map_ops.def"
#undef GR_X
};

int gr__map_op_args(gr__map_op op) { return n_args[op]; }

const char *gr__map_op_name(gr__map_op op) { return names[op]; }

/* Can dimension k of every operand be appended to the dimension before it? */
static bool mergeable(const gr__map_job *m, int k)
{
    for (int i = 0; i < m->n_inputs; i++)
        if (m->input[i].stride[k - 1] != m->input[i].stride[k] * m->dim[k]) return false;
    for (int i = 0; i < m->n_outputs; i++)
        if (m->output[i].stride[k - 1] != m->output[i].stride[k] * m->dim[k]) return false;
    return true;
}

static void drop_dimension(gr__map_job *m, int k)
{
    for (int d = k; d + 1 < m->rank; d++) {
        m->dim[d] = m->dim[d + 1];
        for (int i = 0; i < m->n_inputs; i++) m->input[i].stride[d] = m->input[i].stride[d + 1];
        for (int i = 0; i < m->n_outputs; i++) m->output[i].stride[d] = m->output[i].stride[d + 1];
    }
    m->rank--;
}

/* May dimension k be the innermost one? */
static bool innermost(const gr__map_job *m, int k)
{
    for (int i = 0; i < m->n_inputs; i++)
        if (m->input[i].stride[k] != 0 && m->input[i].stride[k] != 1) return false;
    for (int i = 0; i < m->n_outputs; i++)
        if (m->output[i].stride[k] != 1) return false;
    return true;
}

/* Drops dimensions of size 1 and merges neighbours; what is left has long rows. */
static void merge(gr__map_job *m)
{
    for (int k = m->rank - 1; k >= 0; k--)
        if (m->dim[k] == 1 && (k < m->rank - 1 || k == 0 || innermost(m, k - 1))) drop_dimension(m, k);
    for (int k = m->rank - 1; k > 0; k--)
        if (mergeable(m, k)) {
            m->dim[k] *= m->dim[k - 1];
            drop_dimension(m, k - 1);
        }
}

static void fill_plan(gr__map_plan *p, const gr__map_job *m)
{
    p->map = m;
    p->n = m->rank ? m->dim[m->rank - 1] : 1;
    p->rank = m->rank ? m->rank - 1 : 0;
    p->rows = 1;
    for (int k = 0; k < p->rank; k++) {
        p->dim[k] = m->dim[k];
        p->rows *= m->dim[k];
        for (int i = 0; i < m->n_inputs; i++) p->in_stride[i][k] = m->input[i].stride[k];
        for (int i = 0; i < m->n_outputs; i++) p->out_stride[i][k] = m->output[i].stride[k];
    }
    for (int i = 0; i < m->n_inputs; i++) p->in_scalar[i] = m->rank && m->input[i].stride[m->rank - 1] == 0;
    p->rows_per_tile = GR__MAX(GR__MAP_TILE / GR__MAX(p->n, 1), 1);
    p->tiles_per_row = (p->n + GR__MAP_TILE - 1) / GR__MAP_TILE;
}

static int64_t units_of(const gr__map_plan *p)
{
    return p->tiles_per_row > 1 ? p->rows * p->tiles_per_row : (p->rows + p->rows_per_tile - 1) / p->rows_per_tile;
}

static void move_operand(gr__map_operand *o, int64_t row, int64_t column)
{
    int64_t by = row * o->stride[0] + column * o->stride[1];
    o->data = (char *)o->data + by * (int64_t)gr_dtype_size_bytes(o->dtype);
}

void gr__map_run_part(const gr__map_job *map, int64_t row, int64_t column, int64_t rows, int64_t columns, int input,
                      const float *block, int64_t ld)
{
    gr__map_job m = *map;
    gr__map_plan p;
    m.rank = 2;
    m.dim[0] = rows;
    m.dim[1] = columns;
    for (int i = 0; i < m.n_inputs; i++) move_operand(&m.input[i], row, column);
    for (int i = 0; i < m.n_outputs; i++) move_operand(&m.output[i], row, column);
    m.input[input] = (gr__map_operand){.data = (void *)(uintptr_t)block, .dtype = GR_F32, .stride = {ld, 1}};
    memset(&p, 0, sizeof p);
    fill_plan(&p, &m);
    gr__simd_get()->map(&p, 0, units_of(&p));
}

/* Nothing but a conversion of what lies in one piece: gr__cast() writes a large one past the caches. */
static bool only_converts(const gr__map_job *m)
{
    const gr__map_operand *in = &m->input[0], *out = &m->output[0];
    bool one = m->n_inputs == 1 && m->n_outputs == 1 && m->n_code == 1 && m->rank == 1;
    return one && m->code[0].op == GR__MAP_COPY && m->code[0].a == 0 && m->output_register[0] == m->code[0].dst &&
           in->stride[0] == 1 && gr__cast_is_fast(in->dtype, out->dtype);
}

void gr__map_run(const gr__map_job *map)
{
    gr__map_job m = *map;
    gr__map_plan p;
    memset(&p, 0, sizeof p);
    merge(&m);
    if (only_converts(&m)) {
        gr__cast(m.output[0].data, m.output[0].dtype, m.input[0].data, m.input[0].dtype, m.dim[0]);
        return;
    }
    fill_plan(&p, &m);
    if (p.n <= 0 || p.rows <= 0) return;
    gr__run_range(gr__simd_get()->map, &p, units_of(&p), 16, 1);
}
