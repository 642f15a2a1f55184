#include "tests/op_harness.h"

#include "base/alloc.h"
#include "base/rng.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const union {
    max_align_t align;
    char bytes[1024];
} no_attributes;

static void *block(size_t bytes)
{
    void *p = gr__alloc(bytes);
    if (!p) abort();
    memset(p, 0xff, bytes);
    return p;
}

/* ---- filling ---- */

static bool swapped(const gr__case_in *x) { return x->swap_a != x->swap_b; }

static gr_dtype dtype_of(const gr__case_in *x, gr_dtype under_test)
{
    if (x->dtype == GR__STATS) return gr__stats_dtype(under_test);
    return x->dtype ? x->dtype : under_test;
}

static double draw(const gr__case_in *x, gr__rng *rng, uint64_t seed, int64_t i, int64_t n, int64_t last)
{
    double lo = x->lo, hi = x->hi, u = gr__rng_uniform(rng);
    if (lo == 0 && hi == 0 && x->fill != GR__FILL_INDEX) lo = -1, hi = 1;
    switch (x->fill) {
    case GR__FILL_INDEX: return floor(lo + u * (hi - lo));
    case GR__FILL_MASK: return i % last == 0 || u < 0.5;
    case GR__FILL_DISTINCT:
        return lo + (hi - lo) * ((double)gr__permute(seed, (uint64_t)n, (uint64_t)i) + 0.5) / (double)n;
    case GR__FILL_AWAY: return u < 0.5 ? -1 + 1.8 * u : 0.1 + 1.8 * (u - 0.5);
    default: return lo + u * (hi - lo);
    }
}

static void fill(gr__arg *a, const gr__case_in *x, uint64_t seed, int operand)
{
    gr__rng rng = gr__rng_make(seed, (uint64_t)operand);
    int64_t index[GR_MAX_RANK] = {0}, i = 0, n = gr__arg_count(a), last = a->rank ? a->dim[a->rank - 1] : 1;
    do gr__store(a, gr__offset(a, index), draw(x, &rng, seed + (uint64_t)operand, i++, n, last));
    while (gr__next_index(a->rank, a->dim, index));
}

/* ---- operands and outputs ---- */

static void describe(gr__arg *a, const gr__case_in *x, gr_dtype under_test)
{
    *a = (gr__arg){0};
    if (x->rank < 0) return;
    a->dtype = dtype_of(x, under_test);
    a->rank = x->rank;
    for (int i = 0; i < x->rank; i++) a->dim[i] = x->dim[i];
    int64_t t = a->dim[x->swap_a];
    if (swapped(x)) { /* contiguous as it is stored, then seen the other way round */
        a->dim[x->swap_a] = a->dim[x->swap_b];
        a->dim[x->swap_b] = t;
    }
    gr__arg_strides(a);
    if (!swapped(x)) return;
    t = a->dim[x->swap_a], a->dim[x->swap_a] = a->dim[x->swap_b], a->dim[x->swap_b] = t;
    t = a->stride[x->swap_a], a->stride[x->swap_a] = a->stride[x->swap_b], a->stride[x->swap_b] = t;
}

static gr__value value_of(const gr__arg *a)
{
    gr__value v = {.dtype = a->dtype, .rank = a->rank, .producer = -1};
    memcpy(v.dim, a->dim, sizeof v.dim);
    return v;
}

static gr_status make_outputs(op_run *r)
{
    gr__value in[GR__MAX_IN];
    gr__infer c = {.op = r->op->name, .attr = r->attr, .n_in = r->n_in, .n_out = r->op->n_out};
    for (int i = 0; i < r->n_in; i++) {
        in[i] = value_of(&r->in[i]);
        c.in[i] = gr__arg_there(&r->in[i]) ? &in[i] : NULL;
    }
    GR_TRY(gr__op_infer(r->op, &c));
    r->n_out = c.n_out;
    for (int i = 0; i < c.n_out; i++) {
        gr__arg *o = &r->out[i];
        *o = (gr__arg){.dtype = c.out[i].dtype, .rank = c.out[i].rank};
        memcpy(o->dim, c.out[i].dim, sizeof o->dim);
        gr__arg_strides(o);
        o->data = r->block[GR__MAX_IN + i] = block((size_t)gr__arg_count(o) * gr_dtype_size_bytes(o->dtype));
    }
    return GR_OK;
}

static void make_blocks(op_run *r)
{
    for (int i = 0; i < r->n_in; i++)
        if (gr__arg_there(&r->in[i]))
            r->in[i].data = r->block[i] = block((size_t)gr__arg_count(&r->in[i]) * gr_dtype_size_bytes(r->in[i].dtype));
}

gr_status op_run_make(op_run *r, const gr__op *op, const gr__case *c, gr_dtype dtype, uint64_t seed)
{
    *r = (op_run){.op = op, .c = c, .dtype = dtype, .n_in = c->n_in, .stream = seed * 77 + 5};
    r->attr = c->attr ? c->attr : op->attr_bytes ? &no_attributes : NULL;
    if (!c->attr && op->map_op) r->attr = NULL;
    r->control =
        (gr__control){.seed = seed, .micro_step = 3, .sample = 10, .update = 2, .learning_rate = 0.125, .ok = true};
    for (int i = 0; i < r->n_in; i++) describe(&r->in[i], &c->in[i], dtype);
    GR_TRY(make_outputs(r));
    make_blocks(r);
    for (int i = 0; i < r->n_in; i++)
        if (gr__arg_there(&r->in[i])) fill(&r->in[i], &c->in[i], seed, i);
    return GR_OK;
}

gr_status op_run_like(op_run *r, const op_run *from, gr_dtype dtype)
{
    *r = *from;
    r->dtype = dtype;
    memset(r->block, 0, sizeof r->block);
    for (int i = 0; i < r->n_in; i++) describe(&r->in[i], &r->c->in[i], dtype);
    GR_TRY(make_outputs(r));
    make_blocks(r);
    for (int i = 0; i < r->n_in; i++) {
        int64_t index[GR_MAX_RANK] = {0};
        const gr__arg *a = &from->in[i];
        if (!gr__arg_there(a)) continue;
        do gr__store(&r->in[i], gr__offset(&r->in[i], index), gr__load(a, gr__offset(a, index)));
        while (gr__next_index(a->rank, a->dim, index));
    }
    return GR_OK;
}

void op_run_free(op_run *r)
{
    for (size_t i = 0; i < GR__COUNT(r->block); i++) gr__free(r->block[i]);
    memset(r->block, 0, sizeof r->block);
}

/* An element-wise op without numbers still names itself in its attributes. */
static _Thread_local gr__map_attr bare[4];
static _Thread_local unsigned turn;

static const void *attributes(const op_run *r)
{
    if (r->attr || !r->op->attr_bytes) return r->attr;
    gr__map_attr *a = &bare[turn++ % GR__COUNT(bare)];
    *a = (gr__map_attr){r->op, 0, 0};
    return a;
}

gr__args op_run_args(op_run *r)
{
    return (gr__args){.op = r->op,
                      .in = r->in,
                      .out = r->out,
                      .n_in = r->n_in,
                      .n_out = r->n_out,
                      .wanted = (1u << r->n_out) - 1,
                      .attr = attributes(r),
                      .control = &r->control,
                      .stream = r->stream};
}

/* ---- comparing ---- */

double op_difference(const gr__arg *got, const gr__arg *wanted)
{
    double worst = 0;
    int64_t index[GR_MAX_RANK] = {0};
    if (got->rank != wanted->rank || memcmp(got->dim, wanted->dim, (size_t)got->rank * sizeof *got->dim) != 0)
        return INFINITY;
    do {
        double g = gr__load(got, gr__offset(got, index)), w = gr__load(wanted, gr__offset(wanted, index));
        if (g == w || (isnan(g) && isnan(w))) continue;
        if (!isfinite(g) || !isfinite(w)) return INFINITY;
        worst = fmax(worst, fabs(g - w) / fmax(1, fabs(w)));
    } while (gr__next_index(got->rank, got->dim, index));
    return worst;
}

/* ---- graphs ---- */

gr__arg op_tensor_arg(const gr_tensor *t)
{
    gr__arg a = {.data = t->data, .dtype = t->dtype, .rank = t->rank};
    memcpy(a.dim, t->dim, sizeof a.dim);
    gr__arg_strides(&a);
    return a;
}

gr_tensor op_operand(const gr__arg *a)
{
    gr_tensor t = {.dtype = a->dtype, .rank = a->rank};
    memcpy(t.dim, a->dim, sizeof t.dim);
    t.data = block(gr_tensor_size_bytes(&t));
    gr__arg to = op_tensor_arg(&t);
    gr__reference_copy(&(gr__args){.in = a, .out = &to, .n_in = 1, .n_out = 1});
    return t;
}

static gr__arg stored(const op_run *r, int i)
{
    gr__arg a = r->in[i];
    const gr__case_in *x = &r->c->in[i];
    if (!swapped(x)) return a;
    a.dim[x->swap_a] = r->in[i].dim[x->swap_b], a.dim[x->swap_b] = r->in[i].dim[x->swap_a];
    a.stride[x->swap_a] = r->in[i].stride[x->swap_b], a.stride[x->swap_b] = r->in[i].stride[x->swap_a];
    return a;
}

gr_tensor op_leaf(const op_run *r, int i)
{
    gr__arg a = stored(r, i);
    return op_operand(&a);
}

gr_status op_graph(gr_graph *g, const op_run *r, gr_value *leaf, gr_value *in, gr_value *out)
{
    for (int i = 0; i < r->n_in; i++) {
        char name[24];
        gr__arg a = stored(r, i);
        const gr__case_in *x = &r->c->in[i];
        snprintf(name, sizeof name, "in%d", i);
        leaf[i] = in[i] = 0;
        if (!gr__arg_there(&a)) continue;
        leaf[i] = gr_input(g, name, a.dtype, a.rank, a.dim);
        in[i] = swapped(x) ? gr_transpose(g, leaf[i], x->swap_a, x->swap_b) : leaf[i];
    }
    gr__node_add(g, r->op, in, r->n_in, attributes(r), out);
    return gr_graph_status(g);
}
