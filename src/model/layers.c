/* The free family: a list of layers, for pictures or for rows of numbers, whichever the data are.
 *
 *   layers:
 *     - {conv: 32, window: 3, padding: 1}
 *     - relu
 *     - {residual: [{conv: 32, window: 3, padding: 1}, batch_norm, relu]}
 *     - global_avg_pool
 *     - linear
 *
 * Parameters are named as in torch.nn.Sequential ("0.weight"), inside a residual "2.body.0.weight" and
 * "2.shortcut.0.weight". docs/layers.md has all layers; their rows are in layers_rows.c. */
#include "model/layers.h"

#include "gradus/nn.h"
#include "op/op.h"

#include <stdio.h>
#include <string.h>

enum { MOST_LAYERS = 1024, MOST_DEPTH = 8 };

typedef struct layers_config {
    gr__picture_config p; /* first; height 0: rows of numbers */
    int64_t inputs, outputs;
    const gr__conf *given; /* as it was read */
    gr__layer_list list;
} layers_config;

#define AT(field) offsetof(layers_config, field)
static const gr__conf_row rows[] = {
    GR__PICTURE_ROWS,
    {"inputs", GR__CONF_INT, AT(inputs), 0, GR__MOST_MAPS, NULL, "0", "rows of numbers: columns of x; 0: as the data",
     0},
    {"outputs", GR__CONF_INT, AT(outputs), 0, GR__MOST_MAPS, NULL, "0", "rows of numbers: columns of y; 0: as the data",
     0},
    {"layers", GR__CONF_SECTION, AT(given), 0, 0, NULL, NULL,
     "a list: {conv: 32, window: 3}, relu, {max_pool: 2}, flatten, linear, ... (docs/layers.md)", GR__CONF_REQUIRED},
};

/* ---- reading the list ---- */

/* The key of the map that is a layer's name; a text is a layer without anything else. */
static gr_status find_kind(const gr__conf *node, const gr__layer_kind **out)
{
    const char *names[64], *first = node->kind == GR__CONF_SCALAR ? node->text : NULL;
    for (size_t i = 0; i < gr__n_layer_kinds; i++) names[i] = gr__layer_kinds[i].name;
    if (node->kind == GR__CONF_SEQ || (node->kind == GR__CONF_MAP && !node->first))
        return gr__conf_fail(node, "a layer is a name, or a map like {conv: 32, window: 3}");
    for (const gr__conf *child = node->first; child || first; child = child ? child->next : NULL) {
        const char *name = first ? first : child->key;
        for (size_t i = 0; i < gr__n_layer_kinds; i++)
            if (strcmp(name, names[i]) == 0) {
                *out = &gr__layer_kinds[i];
                return GR_OK;
            }
        if (first) break;
    }
    const char *word = first ? first : node->first->key, *near = gr__str_nearest(word, names, gr__n_layer_kinds);
    return gr__conf_fail(node, "unknown layer '%.100s'%s%s%s", word, near ? "; did you mean '" : "", near ? near : "",
                         near ? "'?" : "; docs/layers.md lists them");
}

static gr_status read_list(const gr__conf *node, int depth, gr__arena *arena, int *total, gr__layer_list *out);

static gr_status read_layer(const gr__conf *node, int depth, gr__arena *arena, int *total, gr__layer *out)
{
    char path[64];
    *out = (gr__layer){.node = node};
    GR_TRY(find_kind(node, &out->kind));
    snprintf(path, sizeof path, "layer %s", out->kind->name);
    GR_TRY(
        gr__conf_read(node->kind == GR__CONF_MAP ? node : NULL, path, out->kind->rows, out->kind->n_rows, out, arena));
    if (out->off) return gr__conf_fail(node, "leave the layer out instead of saying 'false'");
    if (out->body_given) GR_TRY(read_list(out->body_given, depth + 1, arena, total, &out->body));
    if (out->shortcut_given) GR_TRY(read_list(out->shortcut_given, depth + 1, arena, total, &out->shortcut));
    return GR_OK;
}

static gr_status read_list(const gr__conf *node, int depth, gr__arena *arena, int *total, gr__layer_list *out)
{
    if (node->kind != GR__CONF_SEQ || node->count == 0)
        return gr__conf_fail(node, "a list of layers is needed, like [{conv: 32, window: 3}, relu]");
    if (depth > MOST_DEPTH) return gr__conf_fail(node, "layers lie more than %d deep in each other", MOST_DEPTH);
    if (node->count > MOST_LAYERS || (*total += (int)node->count) > MOST_LAYERS)
        return gr__conf_fail(node, "more than %d layers", MOST_LAYERS);
    *out = (gr__layer_list){.item = gr__arena_alloc(arena, node->count * sizeof *out->item), .n = node->count};
    if (!out->item) return gr__fail_memory("layers", node->count * sizeof *out->item);
    size_t i = 0;
    for (const gr__conf *child = node->first; child; child = child->next)
        GR_TRY(read_layer(child, depth, arena, total, &out->item[i++]));
    return GR_OK;
}

/* ---- building ---- */

/* Layers in a row; the first that cannot be built is told in in->failed. */
static gr_value build_list(gr_graph *g, const gr__layer_list *list, gr_value x, gr__layers_in *in);

static gr_value residual(gr_graph *g, const gr__layer *l, gr_value x, gr__layers_in *in)
{
    gr_value y, skip = x;
    gr_scope_push(g, "body");
    y = build_list(g, &l->body, x, in);
    gr_scope_pop(g);
    if (l->shortcut.n) {
        gr_scope_push(g, "shortcut");
        skip = build_list(g, &l->shortcut, x, in);
        gr_scope_pop(g);
    }
    if (!y || !skip) return 0;
    const gr__value *a = gr__value_get(g, y), *b = gr__value_get(g, skip);
    if (gr__same_shape(a, b)) return gr_add(g, y, skip);
    char had[96], got[96];
    return gr__graph_fail(g, GR_ERR_SHAPE, "the body gives %s, the shortcut %s%s",
                          gr__shape_text(got, a->rank - 1, a->dim + 1), gr__shape_text(had, b->rank - 1, b->dim + 1),
                          l->shortcut.n ? "" : "; give it layers: shortcut: [{conv: ...}]");
}

static gr_value build_list(gr_graph *g, const gr__layer_list *list, gr_value x, gr__layers_in *in)
{
    for (size_t i = 0; i < list->n && x; i++) {
        const gr__layer *l = &list->item[i];
        gr_scope_push(g, "%zu", i);
        gr_value y = l->kind->build ? l->kind->build(g, l, x, in) : residual(g, l, x, in);
        gr_scope_pop(g);
        if (!y && !in->failed) {
            const gr__value *v = gr__value_get(g, x);
            in->failed = l;
            gr__shape_text(in->got, v->rank - 1, v->dim + 1);
        }
        x = y;
    }
    return x;
}

static int64_t n_outputs(const layers_config *c) { return c->p.height ? c->p.classes : c->outputs; }

static gr_value build_picture(gr_graph *g, const void *config, const gr__picture_in *in)
{
    const layers_config *c = config;
    gr__layers_in all = {.base = *in, .outputs = n_outputs(c)};
    return build_list(g, &c->list, in->x, &all);
}

static gr_value build_vector(gr_graph *g, const void *config, gr_value x, bool train, const char *program)
{
    return build_picture(g, config, &(gr__picture_in){.x = x, .train = train, .program = program});
}

/* Builds it once, so that what does not fit is told with its place in the file. */
static gr_status check(const layers_config *c, gr_graph *g)
{
    const int64_t picture[] = {2, c->p.height, c->p.width, c->p.channels}, row[] = {2, c->inputs};
    bool flat = c->p.height == 0;
    gr__layers_in in = {.base = {.x = gr_input(g, "x", GR_F32, flat ? 2 : 4, flat ? row : picture)},
                        .outputs = n_outputs(c)};
    gr_value y = build_list(g, &c->list, in.base.x, &in);
    const gr__layer *last = &c->list.item[c->list.n - 1];
    char why[512], shape[96];
    gr_status status = gr_graph_status(g);
    if (status == GR_ERR_MEMORY) return status;
    if (status != GR_OK && in.failed) {
        snprintf(why, sizeof why, "%s", gr_message());
        return gr__conf_fail(in.failed->node, "%s; this layer gets %s", why, in.got);
    }
    GR_TRY(status);
    const gr__value *v = gr__value_get(g, y);
    if (v->rank == 2 && v->dim[1] == in.outputs) return GR_OK;
    return gr__conf_fail(last->node, "the last layer gives %s, but %lld numbers are wanted, one for each %s",
                         gr__shape_text(shape, v->rank - 1, v->dim + 1), (long long)in.outputs,
                         flat ? "column of y" : "label");
}

static gr_status finish(void *config, const gr__facts *facts)
{
    layers_config *c = config;
    gr_graph *g;
    int total = 0;
    if (facts->inputs || c->inputs) {
        if (!c->inputs) c->inputs = facts->inputs;
        if (!c->outputs) c->outputs = facts->outputs;
        GR_FAIL_IF(c->outputs == 0, GR_ERR_CONFIG, "'outputs' must be given: there are no data to take it from");
        GR_FAIL_IF(facts->inputs && (c->inputs != facts->inputs || c->outputs != facts->outputs), GR_ERR_CONFIG,
                   "'inputs' and 'outputs' are %lld and %lld, but the data have %lld and %lld columns",
                   (long long)c->inputs, (long long)c->outputs, (long long)facts->inputs, (long long)facts->outputs);
        c->p.height = 0;
    } else {
        GR_TRY(gr__picture_finish(&c->p, facts));
    }
    c->given = gr__conf_copy(c->given, facts->arena); /* the file's own goes with the file */
    if (!c->given) return gr__fail_memory("layers", sizeof *c->given);
    GR_TRY(read_list(c->given, 0, facts->arena, &total, &c->list));
    GR_TRY(gr_graph_new(&g));
    gr_status status = check(c, g);
    gr_graph_free(&g);
    return status;
}

static gr_model_kind kind_of(const void *config)
{
    return ((const layers_config *)config)->p.height ? GR_MODEL_PICTURE : GR_MODEL_VECTOR;
}

static void sizes(const void *config, int64_t *inputs, int64_t *outputs)
{
    *inputs = ((const layers_config *)config)->inputs;
    *outputs = ((const layers_config *)config)->outputs;
}

/* ---- config.json ---- */

static gr_status from_json(gr__json v, int depth, gr__arena *arena, gr__conf **out)
{
    const char *text;
    size_t n;
    gr__json_kind kind = gr__json_kind_of(v);
    GR_FAIL_IF(depth > 4 * MOST_DEPTH, GR_ERR_CORRUPT, "'layers' lie too deep in each other");
    gr__conf_kind to = kind == GR__JSON_ARRAY ? GR__CONF_SEQ : kind == GR__JSON_OBJECT ? GR__CONF_MAP : GR__CONF_SCALAR;
    *out = gr__conf_new(to, arena);
    if (!*out) return gr__fail_memory("layers", 64);
    if (to == GR__CONF_SEQ) {
        for (size_t i = 0; i < gr__json_count(v); i++) {
            gr__conf *child;
            GR_TRY(from_json(gr__json_at(v, i), depth + 1, arena, &child));
            GR_TRY(gr__conf_put(*out, NULL, child, arena));
        }
    } else if (to == GR__CONF_MAP) {
        for (void *it = gr__json_first(v); it; it = gr__json_next(v, it)) {
            gr__conf *child;
            GR_TRY(from_json(gr__json_value(it), depth + 1, arena, &child));
            GR_TRY(gr__conf_put(*out, gr__json_key(it), child, arena));
        }
    } else {
        GR_FAIL_IF(!gr__json_string(v, &text, &n), GR_ERR_CORRUPT, "'layers' must hold lists, maps and texts");
        (*out)->text = gr__arena_strndup(arena, text, n);
        if (!(*out)->text) return gr__fail_memory("layers", n);
    }
    return GR_OK;
}

/* Every value a text: the rows read them as they read YAML. */
static void to_json(const gr__conf *node, gr__str *out)
{
    if (node->kind == GR__CONF_SCALAR) {
        gr__json_add_string(out, node->text, strlen(node->text));
        return;
    }
    bool map = node->kind == GR__CONF_MAP;
    gr__str_add_char(out, map ? '{' : '[');
    for (const gr__conf *child = node->first; child; child = child->next) {
        if (child != node->first) gr__str_add(out, ", ");
        if (map) {
            gr__json_add_string(out, child->key, strlen(child->key));
            gr__str_add(out, ": ");
        }
        to_json(child, out);
    }
    gr__str_add_char(out, map ? '}' : ']');
}

static gr_status read_json(gr__json root, void *config, gr__arena *arena)
{
    layers_config *c = config;
    gr__conf *given;
    *c = (layers_config){.inputs = 0};
    GR_TRY(gr__hf_need(root, "layers"));
    if (gr__json_get(root, "inputs")) {
        GR_TRY(gr__hf_int(root, "inputs", 1, GR__MOST_MAPS, &c->inputs));
        GR_TRY(gr__hf_need(root, "outputs"));
        GR_TRY(gr__hf_int(root, "outputs", 1, GR__MOST_MAPS, &c->outputs));
    } else {
        GR_TRY(gr__picture_read_json(root, &c->p, arena));
    }
    GR_TRY(from_json(gr__json_get(root, "layers"), 0, arena, &given));
    c->given = given;
    return GR_OK;
}

static void write_json(const void *config, gr__str *out)
{
    const layers_config *c = config;
    gr__str list = {0};
    to_json(c->given, &list);
    if (list.failed) out->failed = true;
    if (c->p.height) {
        gr__picture_write_json(&c->p, out);
    } else {
        gr__hf_put_int(out, "inputs", c->inputs);
        gr__hf_put_int(out, "outputs", c->outputs);
    }
    gr__hf_put_raw(out, "layers", gr__str_get(&list));
    gr__str_release(&list);
}

static gr_model_info describe(const void *config) { return gr__picture_info(&((const layers_config *)config)->p); }

const gr__family gr__family_layers = {
    GR__PICTURE_FAMILY,
    .kind_of = kind_of,
    .name = "layers",
    .hf_type = "gradus_layers",
    .hf_class = "GradusLayers",
    .summary = "a list of layers, for pictures or rows of numbers",
    .config_bytes = sizeof(layers_config),
    .rows = rows,
    .n_rows = GR__COUNT(rows),
    .finish = finish,
    .build_picture = build_picture,
    .build_vector = build_vector,
    .sizes = sizes,
    .read_json = read_json,
    .write_json = write_json,
    .describe = describe,
};
