/* YAML events (libyaml) -> tree. The subset is small on purpose: what is refused here (anchors, tags, more documents,
 * duplicate keys) is what makes YAML surprising or dangerous. Types are left to the schema: 'no' is the text "no". */
#include "conf/conf_int.h"

#include "base/file.h"
#include "base/limits.h"
#include "base/map.h"

#include <string.h>
#include <yaml.h>

typedef struct level {
    gr__conf *node;
    char *key; /* a key was read, its value comes next */
    int key_line, key_column;
    gr__map seen; /* keys of this map */
} level;

typedef struct reader {
    yaml_parser_t yaml;
    gr__arena *arena;
    const gr__conf_source *source;
    int column_offset; /* of a value inside an override */
    bool any_root;
    size_t documents;
    gr__conf *root;
    size_t depth;
    level stack[GR__LIMIT_NESTING];
} reader;

static gr_status fail_here(const reader *r, yaml_mark_t mark, const char *sentence)
{
    gr__conf place = {.source = r->source, .line = (int)mark.line + 1, .column = (int)mark.column + 1};
    if (mark.line == 0) place.column += r->column_offset;
    if (mark.line > 0 && !r->source->is_file) { /* a setting that ends too early */
        place.line = 1;
        place.column = (int)r->source->n + 1;
    }
    return gr__conf_fail(&place, "%s", sentence);
}

/* Fills the variables of a text in. */
static gr_status expand(const reader *r, yaml_mark_t mark, const char *hidden, const char **out)
{
    gr__str why = {0};
    gr_status status = gr__conf_expand(hidden, r->arena, out, &why);
    if (status == GR_ERR_CONFIG) status = fail_here(r, mark, gr__str_get(&why));
    gr__str_release(&why);
    return status;
}

/* ---- events ---- */

static gr_status add_node(reader *r, gr__conf_kind kind, yaml_mark_t mark, gr__conf **out)
{
    gr__conf *node = gr__conf_new(kind, r->arena);
    if (!node) return gr__fail_memory("a configuration", sizeof *node);
    node->source = r->source;
    node->line = (int)mark.line + 1;
    node->column = (int)mark.column + 1 + (mark.line == 0 ? r->column_offset : 0);
    *out = node;
    if (r->depth == 0) {
        r->root = node;
        return GR_OK;
    }
    level *top = &r->stack[r->depth - 1];
    if (top->node->kind == GR__CONF_MAP) {
        if (!top->key) return fail_here(r, mark, "a key must be a plain word, not a list or a map");
        node->key = top->key;
        node->key_line = top->key_line;
        node->key_column = top->key_column;
        top->key = NULL;
    }
    if (top->node->last)
        top->node->last->next = node;
    else
        top->node->first = node;
    top->node->last = node;
    top->node->count++;
    return GR_OK;
}

static gr_status push(reader *r, gr__conf_kind kind, yaml_mark_t mark)
{
    gr__conf *node;
    if (r->depth == GR__COUNT(r->stack)) return fail_here(r, mark, "nested deeper than 64 levels");
    GR_TRY(add_node(r, kind, mark, &node));
    r->stack[r->depth++] = (level){.node = node};
    return GR_OK;
}

static gr_status read_key(reader *r, const yaml_event_t *e)
{
    level *top = &r->stack[r->depth - 1];
    const char *text = (const char *)e->data.scalar.value;
    size_t n = e->data.scalar.length;
    bool was_there;
    if (n > GR__LIMIT_CONFIG_KEY_BYTES || memchr(text, 0, n)) return fail_here(r, e->start_mark, "the key is too long");
    GR_TRY(gr__map_set(&top->seen, text, n, 1, &was_there));
    if (was_there) return fail_here(r, e->start_mark, "this key stands twice in the same map; remove one of them");
    if (!(top->key = gr__arena_strndup(r->arena, text, n))) return gr__fail_memory("a configuration", n);
    gr__conf_unhide_variables(top->key);
    top->key_line = (int)e->start_mark.line + 1;
    top->key_column = (int)e->start_mark.column + 1 + (e->start_mark.line == 0 ? r->column_offset : 0);
    return GR_OK;
}

static gr_status read_scalar(reader *r, const yaml_event_t *e)
{
    gr__conf *node;
    if (r->depth > 0 && r->stack[r->depth - 1].node->kind == GR__CONF_MAP && !r->stack[r->depth - 1].key)
        return read_key(r, e);
    if (memchr(e->data.scalar.value, 0, e->data.scalar.length))
        return fail_here(r, e->start_mark, "a text may not hold a NUL character");
    GR_TRY(add_node(r, GR__CONF_SCALAR, e->start_mark, &node));
    node->quoted = e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    return expand(r, e->start_mark, (const char *)e->data.scalar.value, &node->text);
}

static gr_status take_event(reader *r, const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (r->documents++ > 0)
            return fail_here(r, e->start_mark, "a second document starts here; only one is allowed");
        return GR_OK;
    case YAML_ALIAS_EVENT: return fail_here(r, e->start_mark, "aliases (*name) are not allowed; repeat the value");
    case YAML_SCALAR_EVENT:
        if (e->data.scalar.anchor) return fail_here(r, e->start_mark, "anchors (&name) are not allowed");
        if (e->data.scalar.tag) return fail_here(r, e->start_mark, "tags (!name) are not allowed");
        return read_scalar(r, e);
    case YAML_MAPPING_START_EVENT:
        if (e->data.mapping_start.anchor) return fail_here(r, e->start_mark, "anchors (&name) are not allowed");
        if (e->data.mapping_start.tag) return fail_here(r, e->start_mark, "tags (!name) are not allowed");
        return push(r, GR__CONF_MAP, e->start_mark);
    case YAML_SEQUENCE_START_EVENT:
        if (e->data.sequence_start.anchor) return fail_here(r, e->start_mark, "anchors (&name) are not allowed");
        if (e->data.sequence_start.tag) return fail_here(r, e->start_mark, "tags (!name) are not allowed");
        return push(r, GR__CONF_SEQ, e->start_mark);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT: gr__map_release(&r->stack[--r->depth].seen); return GR_OK;
    default: return GR_OK;
    }
}

static gr_status yaml_failure(const reader *r)
{
    const yaml_parser_t *y = &r->yaml;
    if (y->error == YAML_MEMORY_ERROR) return gr__fail_memory("a configuration", r->source->n);
    gr__str s = {0};
    gr__str_printf(&s, "%s", y->problem ? y->problem : "this is not YAML");
    if (y->context) gr__str_printf(&s, " (%s)", y->context);
    bool tab = y->problem && strstr(y->problem, "cannot start any token") && y->problem_mark.index < r->source->n &&
               strchr(r->source->text, '\t');
    if (tab) gr__str_add(&s, "; indent with blanks, not tabs");
    gr_status status = gr__str_check(&s);
    if (status != GR_OK)
        return status;
    else if (y->error == YAML_READER_ERROR) /* bytes that are not text: the mark is not set */
        status = gr__fail(GR_ERR_CONFIG, "%s: byte %zu: %s", r->source->name, y->problem_offset, gr__str_get(&s));
    else
        status = fail_here(r, y->problem_mark, gr__str_get(&s));
    gr__str_release(&s);
    return status;
}

static gr_status parse_hidden(reader *r, const gr__str *text)
{
    if (!yaml_parser_initialize(&r->yaml)) return gr__fail_memory("a YAML parser", sizeof r->yaml);
    yaml_parser_set_encoding(&r->yaml, YAML_UTF8_ENCODING);
    size_t mark = strncmp(gr__str_get(text), "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    yaml_parser_set_input_string(&r->yaml, (const unsigned char *)gr__str_get(text) + mark, text->n - mark);
    gr_status status = GR_OK;
    for (bool end = false; !end && status == GR_OK;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&r->yaml, &event)) {
            status = yaml_failure(r);
            break;
        }
        end = event.type == YAML_STREAM_END_EVENT;
        status = take_event(r, &event);
        yaml_event_delete(&event);
    }
    while (r->depth > 0) gr__map_release(&r->stack[--r->depth].seen);
    yaml_parser_delete(&r->yaml);
    return status;
}

static gr_status parse(reader *r, const char *text, size_t n)
{
    gr__str hidden = {0};
    gr__conf_hide_variables(text, n, &hidden);
    gr_status status = gr__str_check(&hidden);
    if (status == GR_OK) status = parse_hidden(r, &hidden);
    gr__str_release(&hidden);
    return status;
}

gr_status gr__conf_parse(const char *text, size_t n, const char *name, gr__arena *arena, gr__conf **out)
{
    GR_FAIL_IF(n > GR__LIMIT_CONFIG_BYTES, GR_ERR_CONFIG, "%s: it is larger than %d bytes; is it a configuration?",
               name, GR__LIMIT_CONFIG_BYTES);
    gr__conf_source *source = gr__arena_alloc(arena, sizeof *source);
    if (!source) return gr__fail_memory("a configuration", sizeof *source);
    *source = (gr__conf_source){gr__arena_strdup(arena, name), gr__arena_strndup(arena, text, n), n, true};
    reader *r = gr__calloc(1, sizeof *r);
    if (!source->name || !source->text || !r) {
        gr__free(r);
        return gr__fail_memory("a configuration", n);
    }
    r->arena = arena;
    r->source = source;
    gr_status status = parse(r, source->text, n);
    gr__conf *root = r->root;
    gr__free(r);
    GR_TRY(status);
    if (!root) { /* nothing but comments */
        if (!(root = gr__conf_new(GR__CONF_MAP, arena))) return gr__fail_memory("a configuration", sizeof *root);
        root->source = source;
    }
    if (root->kind != GR__CONF_MAP)
        return gr__conf_fail(root, "a configuration is a map like 'train: {steps: 100}', found %s",
                             gr__conf_kind_name(root->kind));
    *out = root;
    return GR_OK;
}

gr_status gr__conf_load(const char *path, gr__arena *arena, gr__conf **out)
{
    char *text;
    size_t n;
    GR_TRY(gr__file_read(path, GR__LIMIT_CONFIG_BYTES, &text, &n));
    gr_status status = gr__conf_parse(text, n, path, arena, out);
    gr__free(text);
    return status;
}

/* The text itself, whatever YAML would think of it. */
static gr_status read_bare(reader *r, const char *text)
{
    gr__conf *node;
    gr__str hidden = {0};
    gr__conf_hide_variables(text, strlen(text), &hidden);
    gr_status status = gr__str_check(&hidden);
    if (status == GR_OK) status = add_node(r, GR__CONF_SCALAR, (yaml_mark_t){0}, &node);
    if (status == GR_OK) status = expand(r, (yaml_mark_t){0}, gr__str_get(&hidden), &node->text);
    gr__str_release(&hidden);
    return status;
}

gr_status gr__conf_parse_value(const char *text, const gr__conf_source *source, int column, gr__arena *arena,
                               gr__conf **out)
{
    GR_FAIL_IF(strlen(text) > GR__LIMIT_CONFIG_BYTES, GR_ERR_CONFIG, "%s: a value is too long", source->name);
    reader *r = gr__calloc(1, sizeof *r);
    if (!r) return gr__fail_memory("a configuration", sizeof *r);
    r->arena = arena;
    r->source = source;
    r->column_offset = column - 1;
    gr_status status;
    if (*text && strchr("[{\"'", *text))
        status = parse(r, text, strlen(text));
    else
        status = read_bare(r, text);
    if (status == GR_OK) *out = r->root;
    gr__free(r);
    return status;
}
