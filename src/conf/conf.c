/* The tree itself: looking, building, merging, and failures that show their place. */
#include "conf/conf.h"

#include "base/limits.h"

#include <stdio.h>
#include <string.h>

/* ---- looking ---- */

static gr__conf *child_keyed(const gr__conf *map, const char *key)
{
    gr__conf *c = map->kind == GR__CONF_MAP ? map->first : NULL;
    while (c && strcmp(c->key, key) != 0) c = c->next;
    return c;
}

const gr__conf *gr__conf_get(const gr__conf *map, const char *key) { return map ? child_keyed(map, key) : NULL; }

/* The child that 'part' (n bytes of a dotted path) names: a key of a map or a number in a list. */
static gr__conf *child_named(const gr__conf *parent, const char *part, size_t n)
{
    if (parent->kind == GR__CONF_SCALAR || n == 0) return NULL;
    int64_t at = 0;
    for (size_t i = 0; parent->kind == GR__CONF_SEQ && i < n; i++) {
        if (part[i] < '0' || part[i] > '9' || i > 8) return NULL;
        at = at * 10 + (part[i] - '0');
    }
    for (gr__conf *c = parent->first; c; c = c->next)
        if (parent->kind == GR__CONF_SEQ ? at-- == 0 : strncmp(c->key, part, n) == 0 && c->key[n] == 0) return c;
    return NULL;
}

const gr__conf *gr__conf_find(const gr__conf *root, const char *path)
{
    const gr__conf *node = root;
    while (node && *path) {
        size_t n = strcspn(path, ".");
        node = child_named(node, path, n);
        path += n + (path[n] == '.');
    }
    return node;
}

const char *gr__conf_text(const gr__conf *root, const char *path, const char *otherwise)
{
    const gr__conf *node = gr__conf_find(root, path);
    return node && node->kind == GR__CONF_SCALAR && !gr__conf_is_null(node) ? node->text : otherwise;
}

bool gr__conf_is_null(const gr__conf *node)
{
    if (!node) return true;
    if (node->kind != GR__CONF_SCALAR || node->quoted) return false;
    static const char *const nothing[] = {"", "~", "null", "Null", "NULL"};
    for (size_t i = 0; i < GR__COUNT(nothing); i++)
        if (strcmp(node->text, nothing[i]) == 0) return true;
    return false;
}

const char *gr__conf_kind_name(gr__conf_kind kind)
{
    static const char *const names[GR__CONF_KIND_COUNT] = {"text", "a map", "a list"};
    return (unsigned)kind < GR__CONF_KIND_COUNT ? names[kind] : "nothing";
}

const char *gr__conf_origin(const gr__conf *node, gr__arena *arena)
{
    if (!node || !node->source) return "default";
    if (!node->source->is_file) return node->source->name;
    return gr__arena_printf(arena, "%s:%d:%d", node->source->name, node->line, node->column);
}

/* ---- failures ---- */

/* "\n  the line\n    ^". Long lines are cut to a window around the column. */
static void add_excerpt(gr__str *s, const gr__conf_source *source, int line, int column)
{
    enum { WINDOW = 100 };
    const char *p = source->text, *end = p + source->n;
    for (int i = 1; i < line && p < end; p++)
        if (*p == '\n' || (*p == '\r' && (p + 1 == end || p[1] != '\n'))) i++;
    if (p == end && source->n > 0 && line > 1) return; /* behind the last line */
    const char *stop = p;
    while (stop < end && *stop != '\n' && *stop != '\r') stop++;
    const char *at = p; /* the column counts characters */
    for (int i = 1; i < column && at < stop; i++) {
        size_t step = gr__utf8_step(at, (size_t)(stop - at));
        at += step ? step : 1;
    }
    while (at - p > WINDOW / 2 && stop - p > WINDOW) {
        size_t step = gr__utf8_step(p, (size_t)(stop - p));
        p += step ? step : 1;
    }
    size_t shown = 0;
    while (p + shown < stop && shown < WINDOW) {
        size_t step = gr__utf8_step(p + shown, (size_t)(stop - p) - shown);
        shown += step ? step : 1;
    }
    gr__str_add(s, "\n  ");
    gr__str_add_n(s, p, shown);
    gr__str_add(s, "\n  ");
    while (p < at) {
        size_t step = gr__utf8_step(p, (size_t)(at - p));
        gr__str_add_char(s, *p == '\t' ? '\t' : ' ');
        p += step ? step : 1;
    }
    gr__str_add_char(s, '^');
}

static gr_status fail_at(const gr__conf_source *source, int line, int column, const char *format, va_list args)
{
    char sentence[1024];
    gr__str s = {0};
    vsnprintf(sentence, sizeof sentence, format, args);
    if (source && source->is_file && line > 0)
        gr__str_printf(&s, "%s:%d:%d: ", source->name, line, column);
    else if (source)
        gr__str_printf(&s, "%s: ", source->name);
    gr__str_add(&s, sentence);
    if (source && source->text && line > 0) add_excerpt(&s, source, line, column);
    gr_status status = gr__str_check(&s);
    if (status == GR_OK) status = gr__fail(GR_ERR_CONFIG, "%s", gr__str_get(&s));
    gr__str_release(&s);
    return status;
}

gr_status gr__conf_fail(const gr__conf *node, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    gr_status status =
        fail_at(node ? node->source : NULL, node ? node->line : 0, node ? node->column : 0, format, args);
    va_end(args);
    return status;
}

gr_status gr__conf_fail_at_key(const gr__conf *node, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    gr_status status =
        node && node->key_line > 0
            ? fail_at(node->source, node->key_line, node->key_column, format, args)
            : fail_at(node ? node->source : NULL, node ? node->line : 0, node ? node->column : 0, format, args);
    va_end(args);
    return status;
}

const gr__conf *gr__conf_main(const gr__conf *section, const char *key)
{
    if (!section || section->kind != GR__CONF_MAP) return section;
    const gr__conf *named = gr__conf_get(section, key);
    return gr__conf_is_null(named) ? gr__conf_get(section, "") : named;
}

/* ---- building ---- */

gr__conf *gr__conf_new(gr__conf_kind kind, gr__arena *arena)
{
    gr__conf *node = gr__arena_alloc(arena, sizeof *node);
    if (!node) return NULL;
    node->kind = kind;
    node->text = "";
    return node;
}

gr__conf *gr__conf_new_text(const char *text, bool quoted, gr__arena *arena)
{
    gr__conf *node = gr__conf_new(GR__CONF_SCALAR, arena);
    if (!node || !(node->text = gr__arena_strdup(arena, text))) return NULL;
    node->quoted = quoted;
    return node;
}

static void append(gr__conf *parent, gr__conf *child)
{
    child->next = NULL;
    if (parent->last)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
    parent->count++;
}

/* Gives 'place' the value of 'from'; it keeps its key and its neighbours. */
static void replace(gr__conf *place, const gr__conf *from)
{
    gr__conf fresh = *from;
    fresh.key = place->key;
    fresh.next = place->next;
    *place = fresh;
}

gr_status gr__conf_put(gr__conf *parent, const char *key, gr__conf *child, gr__arena *arena)
{
    if (!child) return gr__fail_memory("a configuration", sizeof *child);
    gr__conf *old = key ? child_keyed(parent, key) : NULL;
    if (old) {
        replace(old, child);
        return GR_OK;
    }
    if (key && !(child->key = gr__arena_strdup(arena, key))) return gr__fail_memory("a configuration", strlen(key));
    append(parent, child);
    return GR_OK;
}

/* A scalar that turns out to have keys becomes a map; what it said stays under "", the main value. */
static gr_status make_map(gr__conf *node, gr__arena *arena)
{
    if (node->kind != GR__CONF_SCALAR) return GR_OK;
    gr__conf *value = NULL;
    if (!gr__conf_is_null(node)) {
        if (!(value = gr__conf_new(GR__CONF_SCALAR, arena))) return gr__fail_memory("a configuration", sizeof *value);
        *value = *node;
        value->key = "";
    }
    node->kind = GR__CONF_MAP;
    node->text = "";
    node->quoted = false;
    node->first = node->last = NULL;
    node->count = 0;
    if (value) append(node, value);
    return GR_OK;
}

gr_status gr__conf_set_node(gr__conf *root, const char *path, gr__conf *value, gr__arena *arena)
{
    gr__conf *node = root;
    int depth = 0;
    if (!value) return gr__fail_memory("a configuration", sizeof *value);
    for (const char *part = path;;) {
        size_t n = strcspn(part, ".");
        GR_FAIL_IF(n == 0 || n > GR__LIMIT_CONFIG_KEY_BYTES || ++depth > GR__LIMIT_NESTING, GR_ERR_CONFIG,
                   "'%s' is not a path of keys; write it like train.lr", path);
        GR_TRY(make_map(node, arena));
        gr__conf *child = child_named(node, part, n);
        if (!child) {
            GR_FAIL_IF(node->kind == GR__CONF_SEQ, GR_ERR_CONFIG,
                       "'%s': '%.*s' is not a place in a list of %zu; places count from 0", path, (int)n, part,
                       node->count);
            char *key = gr__arena_strndup(arena, part, n);
            child = gr__conf_new(GR__CONF_SCALAR, arena); /* unquoted "": nothing yet */
            if (!key || !child) return gr__fail_memory("a configuration", n);
            child->key = key;
            child->source = value->source;
            append(node, child);
        }
        node = child;
        if (part[n] == 0) break;
        part += n + 1;
    }
    replace(node, value);
    return GR_OK;
}

gr_status gr__conf_set(gr__conf *root, const char *path, const char *text, gr__arena *arena)
{
    gr__conf *value = gr__conf_new_text(text, false, arena);
    if (value && gr__conf_is_null(value)) value->quoted = true; /* the caller means this text */
    return gr__conf_set_node(root, path, value, arena);
}

gr_status gr__conf_set_int(gr__conf *root, const char *path, int64_t value, gr__arena *arena)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)value);
    return gr__conf_set(root, path, text, arena);
}

gr_status gr__conf_set_double(gr__conf *root, const char *path, double value, gr__arena *arena)
{
    char text[32];
    gr__format_double(text, value);
    return gr__conf_set(root, path, text, arena);
}

/* Recursion is bounded: trees come from the parser or from paths, each at most 64 deep. */
gr__conf *gr__conf_copy(const gr__conf *node, gr__arena *arena)
{
    gr__conf *copy = gr__arena_alloc(arena, sizeof *copy);
    if (!copy) return NULL;
    *copy = *node;
    copy->first = copy->last = copy->next = NULL;
    copy->count = 0;
    copy->text = gr__arena_strdup(arena, node->text);
    copy->key = node->key ? gr__arena_strdup(arena, node->key) : NULL;
    if (!copy->text || (node->key && !copy->key)) return NULL;
    for (const gr__conf *c = node->first; c; c = c->next) {
        gr__conf *child = gr__conf_copy(c, arena);
        if (!child) return NULL;
        append(copy, child);
    }
    return copy;
}

gr_status gr__conf_merge(gr__conf *into, const gr__conf *over, gr__arena *arena)
{
    if (over->kind != GR__CONF_MAP || into->kind == GR__CONF_SEQ) {
        gr__conf *copy = gr__conf_copy(over, arena);
        if (!copy) return gr__fail_memory("a configuration", sizeof *copy);
        replace(into, copy);
        return GR_OK;
    }
    GR_TRY(make_map(into, arena));
    for (const gr__conf *c = over->first; c; c = c->next) {
        gr__conf *old = child_keyed(into, c->key);
        if (old)
            GR_TRY(gr__conf_merge(old, c, arena));
        else
            GR_TRY(gr__conf_put(into, c->key, gr__conf_copy(c, arena), arena));
    }
    return GR_OK;
}
