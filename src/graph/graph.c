/* Building: values, nodes, scopes, programs. */
#include "graph/graph.h"

#include "graph/op_row.h"

#include <stdio.h>
#include <string.h>

gr_status gr_graph_new(gr_graph **out)
{
    GR_FAIL_IF(!out, GR_ERR_ARGUMENT, "gr_graph_new: 'out' is NULL");
    gr_graph *g = gr__calloc(1, sizeof *g);
    if (!g) return gr__fail_memory("a graph", sizeof *g);
    *out = g;
    return GR_OK;
}

void gr_graph_free(gr_graph **graph)
{
    if (!graph || !*graph) return;
    gr_graph *g = *graph;
    for (size_t i = 0; i < g->n_programs; i++) {
        gr__free(g->program[i].output);
        gr__free(g->program[i].update);
        gr__free(g->program[i].guard);
        gr__map_release(&g->program[i].updated);
    }
    gr__free(g->program);
    gr__free(g->block);
    gr__free(g->value);
    gr__free(g->node);
    gr__map_release(&g->leaves);
    gr__map_release(&g->ordinals);
    gr__str_release(&g->scope);
    gr__arena_release(&g->arena);
    gr__free(g);
    *graph = NULL;
}

gr_status gr_graph_status(const gr_graph *g)
{
    GR_FAIL_IF(!g, GR_ERR_ARGUMENT, "the graph is NULL");
    return g->status == GR_OK ? GR_OK : gr__fail(g->status, "%s", g->message);
}

const gr__value gr__no_value = {.producer = -1};

int64_t gr__value_count(const gr__value *v)
{
    int64_t n = 1;
    for (int i = 0; i < v->rank; i++) n *= v->dim[i];
    return n;
}

char *gr__shape_text(char *text, int rank, const int64_t *dim)
{
    size_t n = (size_t)snprintf(text, 96, "[");
    for (int i = 0; i < rank && n < 80; i++)
        n += (size_t)snprintf(text + n, 96 - n, "%s%lld", i ? "," : "", (long long)dim[i]);
    snprintf(text + n, 96 - n, "]");
    return text;
}

gr__arg gr__arg_of(const gr__value *v)
{
    gr__arg a = {.dtype = v->dtype, .rank = v->rank};
    memcpy(a.dim, v->dim, sizeof a.dim);
    gr__arg_strides(&a);
    return a;
}

gr_value gr__graph_fail(gr_graph *g, gr_status status, const char *format, ...)
{
    if (gr__graph_failed(g)) return 0;
    char text[720]; /* and 300 of the scope: a long one does not push the sentence out */
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const char *scope = gr__str_get(&g->scope);
    snprintf(g->message, sizeof g->message, "%.300s%s%s", scope, *scope ? ": " : "", text);
    g->status = status;
    gr__fail(status, "%s", g->message);
    return 0;
}

/* Forwards a failure whose sentence is already set. */
static gr_value forward(gr_graph *g, gr_status status)
{
    char text[900];
    snprintf(text, sizeof text, "%s", gr_message());
    return gr__graph_fail(g, status, "%s", text);
}

gr_value gr__require(gr_graph *g, const char *builder, gr_value v)
{
    if (gr__graph_failed(g)) return 0;
    return gr__is_value(g, v) ? v
                              : gr__graph_fail(g, GR_ERR_ARGUMENT, "%s: %d is not a value of this graph", builder, v);
}

static gr_value value_add(gr_graph *g, const gr__value *v)
{
    gr_status s = gr__grow(&g->value, sizeof *g->value, g->n_values + 1, &g->value_capacity);
    if (s != GR_OK) return forward(g, s);
    if (g->n_values >= INT32_MAX - 1) return gr__graph_fail(g, GR_ERR_LIMIT, "a graph has too many values");
    g->value[g->n_values++] = *v;
    return (gr_value)g->n_values;
}

/* ---- leaves ---- */

/* More elements than any array may have, or a size below 1: the axis; -1: none. */
static int impossible_axis(int rank, const int64_t *dim)
{
    int64_t n = 1;
    for (int i = 0; i < rank; i++) {
        if (dim[i] < 1 || n > ((int64_t)1 << 46) / dim[i]) return i;
        n *= dim[i];
    }
    return -1;
}

static bool leaf_ok(gr_graph *g, const char *what, const char *name, gr_dtype dtype, int rank, const int64_t *dim)
{
    if (gr_dtype_size_bytes(dtype) == 0)
        return gr__graph_fail(g, GR_ERR_DTYPE, "%s '%s': %d is not a dtype", what, name, (int)dtype);
    if (rank < 0 || rank > GR_MAX_RANK)
        return gr__graph_fail(g, GR_ERR_SHAPE, "%s '%s' has rank %d; 0 to %d are possible", what, name, rank,
                              GR_MAX_RANK);
    if (rank && !dim) return gr__graph_fail(g, GR_ERR_ARGUMENT, "%s '%s' has no sizes", what, name);
    int i = impossible_axis(rank, dim);
    if (i < 0) return true;
    return gr__graph_fail(g, GR_ERR_SHAPE, "%s '%s' has size %lld in axis %d", what, name, (long long)dim[i], i);
}

static gr_value leaf(gr_graph *g, const char *kind, const char *name, gr__value v, const int64_t *dim)
{
    if (!leaf_ok(g, kind, name, v.dtype, v.rank, dim)) return 0;
    if (v.rank) memcpy(v.dim, dim, (size_t)v.rank * sizeof *dim);
    char *key = gr__arena_printf(&g->arena, "%s:%s", kind, name);
    if (!key) return forward(g, gr__fail_memory("a graph", strlen(name)));
    int64_t *known = gr__map_get_name(&g->leaves, key);
    if (known) {
        const gr__value *o = gr__value_get(g, (gr_value)*known);
        if (o->dtype != v.dtype || o->rank != v.rank || memcmp(o->dim, v.dim, sizeof v.dim) != 0)
            return gr__graph_fail(g, GR_ERR_SHAPE, "%s '%s' is declared twice with different shapes or dtypes", kind,
                                  name);
        if (o->per_session != v.per_session)
            return gr__graph_fail(g, GR_ERR_ARGUMENT, "%s '%s' is declared both as the session's and as the store's",
                                  kind, name);
        return (gr_value)*known;
    }
    v.name = strchr(key, ':') + 1;
    v.producer = -1;
    gr_value id = value_add(g, &v);
    if (id) {
        gr_status s = gr__map_set_name(&g->leaves, key, id, NULL);
        if (s != GR_OK) return forward(g, s);
    }
    return id;
}

static bool named(gr_graph *g, const char *what, const char *name)
{
    if (gr__graph_failed(g)) return false;
    return (name && *name) || gr__graph_fail(g, GR_ERR_ARGUMENT, "%s without a name", what);
}

gr_value gr_input(gr_graph *g, const char *name, gr_dtype dtype, int rank, const int64_t *dim)
{
    if (!named(g, "an input", name)) return 0;
    return leaf(g, "input", name, (gr__value){.dtype = dtype, .rank = rank, .role = GR__ROLE_INPUT}, dim);
}

static gr_value state(gr_graph *g, const char *path, gr__value v, const int64_t *dim, const gr_init *init)
{
    if (!named(g, "a state", path)) return 0;
    v.role = GR__ROLE_STATE;
    if (init) v.init = *init;
    const char *scope = gr__str_get(&g->scope);
    char *full = *scope ? gr__arena_printf(&g->arena, "%s.%s", scope, path) : gr__arena_strdup(&g->arena, path);
    if (!full) return forward(g, gr__fail_memory("a graph", strlen(path)));
    return leaf(g, "state", full, v, dim);
}

gr_value gr_param(gr_graph *g, const char *path, int rank, const int64_t *dim, const gr_init *init)
{
    return state(g, path, (gr__value){.dtype = GR_F32, .rank = rank, .trainable = true}, dim, init);
}

gr_value gr_state(gr_graph *g, const char *path, gr_dtype dtype, int rank, const int64_t *dim, const gr_init *init)
{
    return state(g, path, (gr__value){.dtype = dtype, .rank = rank}, dim, init);
}

gr_value gr_session_state(gr_graph *g, const char *path, gr_dtype dtype, int rank, const int64_t *dim)
{
    return state(g, path, (gr__value){.dtype = dtype, .rank = rank, .per_session = true}, dim, NULL);
}

/* ---- scopes ---- */

static void scope_push(gr_graph *g, const char *format, va_list args)
{
    if (gr__graph_failed(g)) return;
    if (!format) {
        gr__graph_fail(g, GR_ERR_ARGUMENT, "a scope without a name");
        return;
    }
    if (g->n_scopes == GR__MAX_SCOPES) {
        gr__graph_fail(g, GR_ERR_LIMIT, "more than %d scopes are open", GR__MAX_SCOPES);
        return;
    }
    g->scope_mark[g->n_scopes++] = g->scope.n;
    if (g->scope.n) gr__str_add_char(&g->scope, '.');
    gr__str_vprintf(&g->scope, format, args);
    gr_status s = gr__str_check(&g->scope);
    if (s != GR_OK) forward(g, s);
}

void gr_scope_push(gr_graph *g, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    scope_push(g, format, args);
    va_end(args);
}

void gr_block_push(gr_graph *g, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    scope_push(g, format, args);
    va_end(args);
    if (gr__graph_failed(g)) return;
    char *name = gr__arena_strdup(&g->arena, gr__str_get(&g->scope));
    if (!name || gr__grow(&g->block, sizeof *g->block, g->n_blocks + 1, &g->block_capacity) != GR_OK)
        gr__graph_fail(g, GR_ERR_MEMORY, "out of memory for a block");
    else
        g->block[g->n_blocks++] = name;
}

void gr_scope_pop(gr_graph *g)
{
    if (!g || g->n_scopes == 0) return;
    g->scope.n = g->scope_mark[--g->n_scopes];
    if (g->scope.text) g->scope.text[g->scope.n] = 0;
}

/* ---- nodes ---- */

static uint64_t random_stream(gr_graph *g, const char *scope)
{
    int64_t ordinal = 0, *known = gr__map_get_name(&g->ordinals, scope);
    if (known)
        ordinal = ++*known;
    else {
        gr_status s = gr__map_set_name(&g->ordinals, scope, 0, NULL);
        if (s != GR_OK) forward(g, s);
    }
    return gr__hash_stable(scope, strlen(scope), (uint64_t)ordinal);
}

static gr_status append(gr_graph *g, const gr__node *like, const gr_value *in, int n_in, const gr__value *out,
                        gr_value *outs)
{
    GR_TRY(gr__grow(&g->node, sizeof *g->node, g->n_nodes + 1, &g->node_capacity));
    gr__node n = *like;
    n.n_in = n_in;
    n.in = gr__arena_alloc(&g->arena, (size_t)(n_in + n.n_out) * sizeof(gr_value));
    if (!n.in) return gr__fail_memory("a graph", 64);
    n.out = n.in + n_in;
    if (n_in) memcpy(n.in, in, (size_t)n_in * sizeof *in);
    for (int i = 0; i < n.n_out; i++) {
        gr__value v = {.dtype = out[i].dtype, .rank = out[i].rank, .producer = (int32_t)g->n_nodes, .out_index = i};
        memcpy(v.dim, out[i].dim, sizeof v.dim);
        n.out[i] = value_add(g, &v);
        if (!n.out[i]) return g->status;
        if (outs) outs[i] = n.out[i];
    }
    g->node[g->n_nodes++] = n;
    return GR_OK;
}

gr_status gr__op_infer(const gr__op *op, gr__infer *c)
{
    char shape[96];
    GR_TRY(op->infer(c));
    for (int i = 0; i < c->n_out; i++)
        GR_FAIL_IF(impossible_axis(c->out[i].rank, c->out[i].dim) >= 0, GR_ERR_SHAPE, "%s: a result of shape %s", c->op,
                   gr__shape_text(shape, c->out[i].rank, c->out[i].dim));
    return GR_OK;
}

gr_value gr__node_add(gr_graph *g, const gr__op *op, const gr_value *in, int n_in, const void *attr, gr_value *outs)
{
    if (outs) memset(outs, 0, sizeof *outs * (size_t)(op->n_out ? op->n_out : 1));
    if (gr__graph_failed(g)) return 0;
    if (n_in < op->min_in || n_in > op->max_in)
        return gr__graph_fail(g, GR_ERR_ARGUMENT, "%s takes %d to %d operands, not %d", op->name, op->min_in,
                              op->max_in, n_in);
    gr__infer c = {.op = op->name, .attr = attr, .n_in = n_in, .n_out = op->n_out};
    for (int i = 0; i < n_in; i++) {
        if (!gr__is_value(g, in[i]) && (in[i] != 0 || i < op->min_in))
            return gr__graph_fail(g, GR_ERR_ARGUMENT, "%s: operand %d is not a value of this graph", op->name, i);
        c.in[i] = in[i] ? gr__value_get(g, in[i]) : NULL;
    }
    gr_status s = gr__op_infer(op, &c);
    if (s != GR_OK) return forward(g, s);
    gr__node n = {.op = op,
                  .n_out = c.n_out,
                  .order = g->order_at > 0 ? g->order_at : (double)g->n_nodes + 1,
                  .flags = g->node_flags};
    n.scope = gr__arena_strdup(&g->arena, gr__str_get(&g->scope));
    if (op->attr_bytes) {
        n.attr = gr__arena_alloc(&g->arena, op->attr_bytes);
        if (n.attr && attr) memcpy(n.attr, attr, op->attr_bytes);
    }
    if (!n.scope || (op->attr_bytes && !n.attr)) return forward(g, gr__fail_memory("a graph", op->attr_bytes));
    if (op->random) n.stream = random_stream(g, n.scope);
    gr_value all[GR__MAX_OUT] = {0};
    s = append(g, &n, in, n_in, c.out, all);
    if (s != GR_OK) return forward(g, s);
    if (outs) memcpy(outs, all, (size_t)n.n_out * sizeof *outs);
    return all[0];
}

gr_status gr__node_clone(gr_graph *g, int32_t index, const gr_value *in, double order, uint32_t flags, gr_value *outs)
{
    gr__node n = g->node[index];
    gr__value out[GR__MAX_OUT];
    for (int i = 0; i < n.n_out; i++) out[i] = *gr__value_get(g, n.out[i]);
    n.order = order;
    n.flags |= flags;
    return append(g, &n, in, n.n_in, out, outs);
}

gr__place gr__place_enter(gr_graph *g, const gr__node *like, double order, uint32_t flags)
{
    gr__place outer = {g->scope, g->node_flags, g->order_at};
    g->scope = (gr__str){0};
    gr__str_add(&g->scope, like->scope);
    gr_status s = gr__str_check(&g->scope);
    if (s != GR_OK) forward(g, s);
    g->node_flags = flags;
    g->order_at = order;
    return outer;
}

void gr__place_leave(gr_graph *g, gr__place *place)
{
    gr__str_release(&g->scope);
    g->scope = place->scope;
    g->node_flags = place->flags;
    g->order_at = place->order;
}

/* ---- looking ---- */

int gr_value_rank(const gr_graph *g, gr_value v) { return gr__value_get(g, v)->rank; }

int64_t gr_value_dim(const gr_graph *g, gr_value v, int axis)
{
    const gr__value *x = gr__value_get(g, v);
    if (axis < 0) axis += x->rank;
    return axis < 0 || axis >= x->rank ? 1 : x->dim[axis];
}

gr_dtype gr_value_dtype(const gr_graph *g, gr_value v) { return gr__value_get(g, v)->dtype; }

int gr_graph_params(const gr_graph *g, gr_value *out, int capacity)
{
    int n = 0;
    for (size_t i = 0; g && i < g->n_values; i++)
        if (g->value[i].trainable) {
            if (out && n < capacity) out[n] = (gr_value)(i + 1);
            n++;
        }
    return n;
}

const char *gr_value_path(const gr_graph *g, gr_value v)
{
    const gr__value *x = gr__value_get(g, v);
    return x->role == GR__ROLE_STATE ? x->name : "";
}
