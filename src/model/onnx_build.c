/* The walk over a model's nodes, and what operators are written with. */
#include "model/onnx_build.h"

#include "base/limits.h"

#include <math.h>
#include <string.h>

/* ---- dtypes ---- */

gr_dtype gr__onnx_stored(gr_dtype t)
{
    switch (t) {
    case GR_F32:
    case GR_F16:
    case GR_BF16:
    case GR_BOOL: return GR_F32;
    case GR_DTYPE_NONE: return GR_DTYPE_NONE;
    default: return GR_F64;
    }
}

bool gr__onnx_is_float(gr_dtype t) { return t == GR_F32 || t == GR_F64 || t == GR_F16 || t == GR_BF16; }
bool gr__onnx_is_int(gr_dtype t) { return t != GR_DTYPE_NONE && t != GR_BOOL && !gr__onnx_is_float(t); }

int64_t gr__onnx_count(const gr__onnx_value *x)
{
    int64_t n = 1;
    for (int i = 0; i < x->rank; i++) n *= x->dim[i];
    return n;
}

/* ---- failures ---- */

static gr_status fail_at(gr_status status, const gr__onnx_call *c)
{
    const char *name = *c->node->name ? c->node->name : c->node->n_out ? c->node->out[0] : "";
    return gr__fail_prefix(status, "'%s': %s node '%s'", c->b->name, c->node->op, name);
}

gr_status gr__onnx_refuse(const gr__onnx_call *c, const char *format, ...)
{
    (void)c;
    va_list args;
    va_start(args, format);
    gr__fail_va(GR_ERR_UNSUPPORTED, format, args);
    va_end(args);
    return GR_ERR_UNSUPPORTED;
}

gr_status gr__onnx_invalid(const gr__onnx_call *c, const char *format, ...)
{
    (void)c;
    va_list args;
    va_start(args, format);
    gr__fail_va(GR_ERR_DATA, format, args);
    va_end(args);
    return GR_ERR_DATA;
}

/* ---- attributes and operands ---- */

bool gr__onnx_has(const gr__onnx_call *c, int i) { return i < c->n_in && c->in[i].dtype != GR_DTYPE_NONE; }

const gr__onnx_attribute *gr__onnx_attr(const gr__onnx_call *c, const char *name)
{
    for (size_t i = 0; i < c->node->n_attributes; i++)
        if (strcmp(c->node->attribute[i].name, name) == 0) return &c->node->attribute[i];
    return NULL;
}

int64_t gr__onnx_int(const gr__onnx_call *c, const char *name, int64_t otherwise)
{
    const gr__onnx_attribute *a = gr__onnx_attr(c, name);
    return a && a->kind == GR__ONNX_INT ? a->i : otherwise;
}

double gr__onnx_float(const gr__onnx_call *c, const char *name, double otherwise)
{
    const gr__onnx_attribute *a = gr__onnx_attr(c, name);
    return a && a->kind == GR__ONNX_FLOAT ? (double)a->f : otherwise;
}

const char *gr__onnx_word(const gr__onnx_call *c, const char *name, const char *otherwise)
{
    const gr__onnx_attribute *a = gr__onnx_attr(c, name);
    return a && a->kind == GR__ONNX_STRING ? a->s : otherwise;
}

gr_status gr__onnx_axis(const gr__onnx_call *c, int64_t axis, int rank, int *out)
{
    if (axis < -rank || axis >= rank)
        return gr__onnx_invalid(c, "axis %lld of an array with %d axes", (long long)axis, rank);
    *out = (int)(axis < 0 ? axis + rank : axis);
    return GR_OK;
}

/* Marks the inputs that 'v' is computed from; refuses large arrays on the way. */
static gr_status bake(gr__onnx_build *b, gr_value v)
{
    gr_graph *g = b->g;
    bool *live = gr__calloc(g->n_nodes + 1, sizeof *live);
    if (!live) return gr__fail_memory("a list of nodes", g->n_nodes);
    gr__program asked = {.name = "known", .guard = &v, .n_guards = 1};
    gr_status status = gr__graph_reach(g, &asked, live);
    bool *touched = gr__calloc(g->n_values + 1, sizeof *touched);
    if (status == GR_OK && !touched) status = gr__fail_memory("a list of values", g->n_values);
    if (status == GR_OK) touched[v] = true;
    for (size_t n = 0; status == GR_OK && n < g->n_nodes; n++)
        for (int i = 0; live[n] && i < g->node[n].n_in + g->node[n].n_out; i++) {
            const gr__node *node = &g->node[n];
            touched[i < node->n_in ? node->in[i] : node->out[i - node->n_in]] = true;
        }
    for (size_t i = 1; status == GR_OK && i <= g->n_values; i++) {
        const gr__value *x = &g->value[i - 1];
        int64_t count = 1;
        for (int k = 0; k < x->rank; k++) count *= x->dim[k];
        if (touched[i] && count > GR__LIMIT_ONNX_BAKED)
            status = gr__fail(GR_ERR_UNSUPPORTED,
                              "a shape depends on the numbers of an array with %lld elements, at most %d are followed",
                              (long long)count, GR__LIMIT_ONNX_BAKED);
    }
    for (size_t i = 0; status == GR_OK && i < b->model->n_inputs; i++)
        if (b->input[i] && touched[b->input[i]]) b->baked[i] = true;
    gr__free(live);
    gr__free(touched);
    return status;
}

gr_status gr__onnx_known(const gr__onnx_call *c, int i, const double **out, int64_t *n)
{
    gr__onnx_build *b = c->b;
    *out = NULL;
    *n = 0;
    if (!gr__onnx_has(c, i)) return gr__onnx_invalid(c, "operand %d is missing", i);
    gr_value v = c->in[i].v;
    if (!v) return GR_OK;
    GR_TRY(bake(b, v));
    GR_TRY(gr__interpret_run(b->interpret, &v, 1));
    const gr_tensor *t = gr__interpret_get(b->interpret, v);
    int64_t count = gr_tensor_count(t);
    double *x = gr__arena_alloc(&b->arena, (size_t)count * sizeof *x);
    if (!x) return gr__fail_memory("numbers", (size_t)count * sizeof *x);
    for (int64_t k = 0; k < count; k++) x[k] = gr_tensor_get(t, k);
    *out = x;
    *n = count;
    return GR_OK;
}

gr_status gr__onnx_list(const gr__onnx_call *c, int i, const char *name, int64_t *out, int most, int *n, bool *there)
{
    const gr__onnx_attribute *a = name ? gr__onnx_attr(c, name) : NULL;
    bool operand = i >= 0 && gr__onnx_has(c, i);
    const double *x = NULL;
    int64_t count = 0;
    *n = 0;
    *there = operand || a;
    if (!*there) return GR_OK;
    if (operand)
        GR_TRY(gr__onnx_known(c, i, &x, &count));
    else
        count = a->kind == GR__ONNX_INT ? 1 : (int64_t)a->n;
    if (count > most) return gr__onnx_refuse(c, "a list of %lld numbers, at most %d fit", (long long)count, most);
    for (int64_t k = 0; k < count; k++) {
        if (operand && !(fabs(x[k]) <= 0x1p63)) return gr__onnx_invalid(c, "%g is not a whole number", x[k]);
        if (!operand && a->kind != GR__ONNX_INT && !a->ints)
            return gr__onnx_invalid(c, "'%s' is not a list of whole numbers", name);
        out[k] = operand ? (x[k] < 0x1p63 ? (int64_t)x[k] : INT64_MAX) : a->kind == GR__ONNX_INT ? a->i : a->ints[k];
    }
    *n = (int)count;
    return GR_OK;
}

gr_status gr__onnx_number(const gr__onnx_call *c, int i, double *out)
{
    const double *x;
    int64_t n;
    GR_TRY(gr__onnx_known(c, i, &x, &n));
    if (n != 1) return gr__onnx_invalid(c, "operand %d has %lld elements, not 1", i, (long long)n);
    *out = x[0];
    return GR_OK;
}

/* ---- results ---- */

gr_status gr__onnx_set(gr__onnx_call *c, int k, gr_value v, gr_dtype dtype)
{
    if (k >= c->n_out) return gr_graph_status(c->g);
    if (!v) {
        GR_TRY(gr_graph_status(c->g));
        return gr__fail(GR_ERR_INTERNAL, "an operator gave nothing");
    }
    gr_dtype stored = gr__onnx_stored(dtype);
    if (dtype == GR_F16 || dtype == GR_BF16) v = gr_cast(c->g, v, dtype); /* rounded */
    v = gr_cast(c->g, v, stored);
    GR_TRY(gr_graph_status(c->g));
    const gr__value *x = gr__value_get(c->g, v);
    c->out[k] = (gr__onnx_value){.v = v, .dtype = dtype, .rank = x->rank};
    memcpy(c->out[k].dim, x->dim, sizeof x->dim);
    return GR_OK;
}

gr_status gr__onnx_set_empty(gr__onnx_call *c, int k, gr_dtype dtype, int rank, const int64_t *dim)
{
    int64_t others = 1; /* the other sizes may be large, but their product must stay a number */
    if (k >= c->n_out) return GR_OK;
    for (int i = 0; i < rank; i++) {
        if (dim[i] < 0 || (dim[i] && others > ((int64_t)1 << 46) / dim[i]))
            return gr__onnx_invalid(c, "size %lld in axis %d of an array without elements", (long long)dim[i], i);
        if (dim[i]) others *= dim[i];
    }
    c->out[k] = (gr__onnx_value){.dtype = dtype, .rank = rank};
    for (int i = 0; i < rank; i++) c->out[k].dim[i] = dim[i];
    return GR_OK;
}

gr_status gr__onnx_set_numbers(gr__onnx_call *c, int k, gr_dtype dtype, int rank, const int64_t *dim, const double *x)
{
    gr_tensor t = {.dtype = GR_F64, .rank = rank};
    for (int i = 0; i < rank; i++) t.dim[i] = dim[i]; /* NULL where rank is 0 */
    if (gr_tensor_count(&t) == 0) return gr__onnx_set_empty(c, k, dtype, rank, dim);
    memcpy(&t.data, &x, sizeof x);
    return gr__onnx_set(c, k, gr_constant(c->g, &t), dtype);
}

gr_status gr__onnx_set_ints(gr__onnx_call *c, int k, gr_dtype dtype, int n, const int64_t *x)
{
    double number[GR_MAX_RANK];
    if (n > GR_MAX_RANK) return gr__fail(GR_ERR_INTERNAL, "%d numbers for a shape", n);
    for (int i = 0; i < n; i++) number[i] = (double)x[i];
    return gr__onnx_set_numbers(c, k, dtype, 1, (int64_t[]){n}, number);
}

gr_status gr__onnx_same(gr__onnx_call *c, int k, const gr__onnx_value *x)
{
    if (k < c->n_out) c->out[k] = *x;
    return GR_OK;
}

/* ---- arrays that are known ---- */

gr_status gr__onnx_check_range(const gr_tensor *t)
{
    int64_t n = gr_tensor_count(t), most = (int64_t)1 << 53;
    for (int64_t i = 0; i < n && (t->dtype == GR_I64 || t->dtype == GR_U64); i++) {
        int64_t v = ((const int64_t *)t->data)[i];
        bool no_end = v == INT64_MAX || v == INT64_MIN; /* of a slice: exporters write so, and no arithmetic follows */
        bool fits = t->dtype == GR_I64 ? no_end || (v >= -most && v <= most) : v >= 0 && v <= most;
        GR_FAIL_IF(!fits, GR_ERR_UNSUPPORTED, "element %lld of an %s array is beyond 2^53", (long long)i,
                   gr_dtype_name(t->dtype));
    }
    return GR_OK;
}

/* Copied as it is stored, into fresh memory (gr__free). */
static gr_status stored_copy(const gr_tensor *t, gr_tensor *out)
{
    GR_TRY(gr__onnx_check_range(t));
    *out = *t;
    out->dtype = gr__onnx_stored(t->dtype);
    size_t bytes = gr_tensor_size_bytes(out);
    int64_t n = gr_tensor_count(out);
    if (!(out->data = gr__alloc(bytes))) return gr__fail_memory("an array", bytes);
    if (out->dtype == t->dtype)
        memcpy(out->data, t->data, bytes);
    else
        for (int64_t i = 0; i < n; i++) gr_tensor_set(out, i, gr_tensor_get(t, i));
    return GR_OK;
}

gr_status gr__onnx_import(gr__onnx_build *b, const gr_tensor *t, gr__onnx_value *out)
{
    gr_tensor copy;
    *out = (gr__onnx_value){.dtype = t->dtype, .rank = t->rank};
    memcpy(out->dim, t->dim, sizeof t->dim);
    if (gr_tensor_count(t) == 0) return GR_OK;
    if (gr__onnx_stored(t->dtype) == t->dtype)
        out->v = gr_constant(b->g, t);
    else {
        GR_TRY(stored_copy(t, &copy));
        out->v = gr_constant(b->g, &copy);
        gr__free(copy.data);
    }
    return gr_graph_status(b->g);
}

static gr_status import_input(gr__onnx_build *b, size_t i, gr__onnx_value *out)
{
    const gr_tensor *t = &b->given[i];
    gr_tensor copy;
    *out = (gr__onnx_value){.dtype = t->dtype, .rank = t->rank};
    memcpy(out->dim, t->dim, sizeof t->dim);
    b->input[i] = 0;
    if (gr_tensor_count(t) == 0) return GR_OK;
    out->v = b->input[i] =
        gr_input(b->g, b->model->input[i].name, gr__onnx_stored(t->dtype), t->rank, t->rank ? t->dim : NULL);
    GR_TRY(gr_graph_status(b->g));
    if (gr_tensor_count(t) > GR__LIMIT_ONNX_BAKED) return GR_OK;
    GR_TRY(stored_copy(t, &copy));
    gr_status status = gr__interpret_set(b->interpret, out->v, &copy);
    gr__free(copy.data);
    return status;
}

/* ---- small builders ---- */

gr_value gr__onnx_last(gr_graph *g, gr_value x)
{
    int rank = gr_value_rank(g, x), order[GR_MAX_RANK] = {0};
    for (int i = 1; i + 1 < rank; i++) order[i] = i + 1;
    if (rank > 1) order[rank - 1] = 1;
    return gr_permute(g, x, order);
}

gr_value gr__onnx_first(gr_graph *g, gr_value x)
{
    int rank = gr_value_rank(g, x), order[GR_MAX_RANK] = {0};
    if (rank > 1) order[1] = rank - 1;
    for (int i = 2; i < rank; i++) order[i] = i - 1;
    return gr_permute(g, x, order);
}

gr_value gr__onnx_to_end(gr_graph *g, gr_value x, int axis)
{
    int rank = gr_value_rank(g, x), order[GR_MAX_RANK] = {0};
    for (int i = 0; i < rank; i++) order[i] = i < axis ? i : i + 1 < rank ? i + 1 : axis;
    return gr_permute(g, x, order);
}

gr_value gr__onnx_from_end(gr_graph *g, gr_value x, int axis)
{
    int rank = gr_value_rank(g, x), order[GR_MAX_RANK] = {0};
    for (int i = 0; i < rank; i++) order[i] = i < axis ? i : i == axis ? rank - 1 : i - 1;
    return gr_permute(g, x, order);
}

gr_value gr__onnx_truncate(gr_graph *g, gr_value x) { return gr_mul(g, gr_sign(g, x), gr_floor(g, gr_abs(g, x))); }
gr_value gr__onnx_round_down(gr_graph *g, gr_value x) { return gr_floor(g, x); }
gr_value gr__onnx_not(gr_graph *g, gr_value x) { return gr_affine(g, x, -1, 1); }

gr_value gr__onnx_concat(gr_graph *g, const gr_value *x, int n, int axis)
{
    gr_value so_far = n ? x[0] : 0, part[16];
    for (int i = 1; i < n;) {
        int k = 1;
        part[0] = so_far;
        while (k < 16 && i < n) part[k++] = x[i++];
        so_far = gr_concat(g, part, k, axis);
    }
    return so_far;
}

gr_value gr__onnx_rows(gr_graph *g, gr_value x, int axis, const int64_t *rows, int64_t n)
{
    bool run = n > 0;
    for (int64_t i = 1; i < n; i++) run = run && rows[i] == rows[i - 1] + 1;
    if (run) return gr_slice(g, x, axis, rows[0], n);
    if (!x) return 0;
    gr__value from = *gr__value_get(g, x);
    gr_tensor ids = {.dtype = GR_I32, .rank = 1, .dim = {n}, .data = gr__alloc((size_t)(n + 1) * sizeof(int32_t))};
    if (!ids.data) return gr__graph_fail(g, GR_ERR_MEMORY, "out of memory for %lld indices", (long long)n);
    for (int64_t i = 0; i < n; i++) ((int32_t *)ids.data)[i] = (int32_t)rows[i];
    int64_t rest = 1, dim[GR_MAX_RANK];
    int k = 1, order[GR_MAX_RANK], back[GR_MAX_RANK];
    order[0] = axis;
    dim[0] = n;
    for (int i = 0; i < from.rank; i++) {
        if (i == axis) continue;
        rest *= from.dim[i];
        dim[k] = from.dim[i];
        order[k++] = i;
    }
    for (int i = 0; i < from.rank; i++) back[order[i]] = i;
    gr_value table = gr_reshape(g, gr_permute(g, x, order), 2, (int64_t[]){from.dim[axis], rest});
    gr_value y = gr_embedding(g, table, gr_constant(g, &ids));
    gr__free(ids.data);
    return gr_permute(g, gr_reshape(g, y, from.rank, dim), back);
}

/* ---- the walk ---- */

static gr_status add_value(gr__onnx_build *b, const char *name, const gr__onnx_value *x)
{
    bool was_there;
    GR_TRY(gr__grow(&b->value, sizeof *b->value, b->n_values + 1, &b->capacity));
    GR_TRY(gr__map_set_name(&b->names, name, (int64_t)b->n_values, &was_there));
    GR_FAIL_IF(was_there, GR_ERR_DATA, "'%s': two values are named '%s'", b->name, name);
    b->value[b->n_values++] = *x;
    return GR_OK;
}

static gr_status add_initializers(gr__onnx_build *b)
{
    for (size_t i = 0; i < b->model->n_initializers; i++) {
        const gr__onnx_tensor *t = &b->model->initializer[i];
        gr__onnx_value x;
        GR_FAIL_IF(t->why, GR_ERR_UNSUPPORTED, "'%s': tensor '%s' cannot be read: %s", b->name, t->name, t->why);
        gr_status status = gr__onnx_import(b, &t->tensor, &x);
        if (status != GR_OK) return gr__fail_prefix(status, "'%s': tensor '%s'", b->name, t->name);
        GR_TRY(add_value(b, t->name, &x));
    }
    return GR_OK;
}

static const gr__onnx_op *find_op(const gr__onnx_call *c, gr_status *status)
{
    const gr__onnx_node *n = c->node;
    bool known = false;
    *status = GR_OK;
    if (!*n->domain || strcmp(n->domain, "ai.onnx") == 0)
        for (size_t i = 0; i < gr__onnx_n_ops; i++) {
            const gr__onnx_op *o = &gr__onnx_ops[i];
            if (strcmp(o->name, n->op) != 0) continue;
            known = true;
            if (c->opset >= o->first && (!o->last || c->opset <= o->last)) return o;
        }
    *status = known
                  ? gr__onnx_refuse(c, "opset %lld is not supported", (long long)c->opset)
                  : gr__onnx_refuse(c, "the operator %s%s%s is not supported", n->domain, *n->domain ? "." : "", n->op);
    return NULL;
}

static gr_status check_operands(const gr__onnx_call *c)
{
    int n = c->n_in, least = c->op->min_in, most = c->op->max_in;
    if (n < least || (most >= 0 && n > most))
        return gr__onnx_invalid(c, "%d operands; %d to %d are possible", n, least, most);
    for (int i = 0; i < n; i++) {
        if (c->in[i].dtype == GR_DTYPE_NONE) {
            if (i < least) return gr__onnx_invalid(c, "operand %d is missing", i);
        } else if (!c->in[i].v && !(c->op->flags & GR__ONNX_EMPTY))
            return gr__onnx_refuse(c, "operand %d has no elements", i);
    }
    return GR_OK;
}

static gr_status run_node(gr__onnx_call *c, gr__onnx_value *in, gr__onnx_value *out)
{
    const gr__onnx_node *n = c->node;
    gr_status status;
    for (size_t i = 0; i < n->n_in; i++) {
        if (!*n->in[i]) continue;
        const int64_t *at = gr__map_get_name(&c->b->names, n->in[i]);
        if (!at) return gr__onnx_invalid(c, "'%s' is not computed before it is read", n->in[i]);
        in[i] = c->b->value[*at];
    }
    if (!(c->op = find_op(c, &status))) return status;
    GR_TRY(check_operands(c));
    GR_TRY(c->op->build(c));
    for (size_t k = 0; k < n->n_out; k++) {
        if (!*n->out[k]) continue;
        if (out[k].dtype == GR_DTYPE_NONE) return gr__onnx_refuse(c, "output %zu is not provided", k);
        GR_TRY(add_value(c->b, n->out[k], &out[k]));
    }
    return GR_OK;
}

static gr_status add_node(gr__onnx_build *b, const gr__onnx_node *n)
{
    gr__onnx_call c = {
        .b = b, .g = b->g, .node = n, .opset = b->model->opset, .n_in = (int)n->n_in, .n_out = (int)n->n_out};
    GR_FAIL_IF(n->n_in > INT16_MAX || n->n_out > INT16_MAX, GR_ERR_LIMIT,
               "'%s': %s node '%s' has more than %d operands", b->name, n->op, n->name, INT16_MAX);
    gr__onnx_value *in = gr__calloc(n->n_in + 1, sizeof *in), *out = gr__calloc(n->n_out + 1, sizeof *out);
    c.in = in;
    c.out = out;
    while (c.n_in && !*n->in[c.n_in - 1]) c.n_in--;
    gr_status status = in && out ? run_node(&c, in, out) : gr__fail_memory("a node", n->n_in);
    gr__free(in);
    gr__free(out);
    return status == GR_OK ? GR_OK : fail_at(status, &c);
}

gr_status gr__onnx_build_graph(gr__onnx_build *b, gr__onnx_value *out)
{
    const gr__onnx *m = b->model;
    GR_FAIL_IF(m->n_sparse, GR_ERR_UNSUPPORTED, "'%s': sparse tensors are not supported", b->name);
    GR_TRY(add_initializers(b));
    for (size_t i = 0; i < m->n_inputs; i++) {
        gr__onnx_value x;
        gr_status status = import_input(b, i, &x);
        if (status != GR_OK) return gr__fail_prefix(status, "'%s': input '%s'", b->name, m->input[i].name);
        GR_TRY(add_value(b, m->input[i].name, &x));
    }
    for (size_t i = 0; i < m->n_nodes; i++) GR_TRY(add_node(b, &m->node[i]));
    for (size_t i = 0; i < m->n_outputs; i++) {
        const int64_t *at = gr__map_get_name(&b->names, m->output[i].name);
        GR_FAIL_IF(!at, GR_ERR_DATA, "'%s': output '%s' is not computed", b->name, m->output[i].name);
        out[i] = b->value[*at];
        if (out[i].v) gr_output(b->g, "run", m->output[i].name, out[i].v);
    }
    return gr_graph_status(b->g);
}
