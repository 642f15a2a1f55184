/* Columns as members of config.json. Everything that is read is checked: a file from elsewhere must not make codes or
 * divisors that the rest does not expect. */
#include "format/columns.h"

#include <math.h>
#include <string.h>

enum { MOST_WIDTH = 65536, MOST_BUCKETS = 1 << 24 };

/* ---- writing ---- */

static void put_text(gr__str *s, const char *key, const char *text)
{
    gr__str_printf(s, "\"%s\": ", key);
    gr__json_add_string(s, text, strlen(text));
}

static void put_number(gr__str *s, const char *key, double value)
{
    gr__str_printf(s, ", \"%s\": ", key);
    gr__json_add_double(s, value); /* an infinite bound is null */
}

static void put_list(gr__str *s, const gr__conf_strings *list)
{
    gr__str_add(s, "[");
    for (size_t i = 0; i < list->n; i++) {
        if (i) gr__str_add(s, ", ");
        gr__json_add_string(s, list->item[i], strlen(list->item[i]));
    }
    gr__str_add(s, "]");
}

static void put_column(gr__str *s, const gr__column *c)
{
    gr__str_add(s, "{");
    put_text(s, "name", c->name);
    gr__str_add(s, ", ");
    put_text(s, "kind", c->kind == GR__COLUMN_NUMBER ? "number" : "category");
    if (c->kind == GR__COLUMN_NUMBER) {
        gr__str_printf(s, ", \"log\": %s, \"indicator\": %s", c->log ? "true" : "false",
                       c->indicator ? "true" : "false");
        put_number(s, "low", c->low);
        put_number(s, "high", c->high);
        put_number(s, "fill", c->fill);
        put_number(s, "shift", c->shift);
        put_number(s, "scale", c->scale);
    } else {
        gr__str_printf(s, ", \"width\": %lld, \"buckets\": %lld, \"words\": ", (long long)c->width,
                       (long long)c->buckets);
        put_list(s, &c->words);
    }
    gr__str_add(s, "}");
}

void gr__columns_write(const gr__columns *c, gr__str *out)
{
    gr__str_add(out, ",\n  \"columns\": [");
    for (size_t i = 0; i < c->n; i++) {
        gr__str_add(out, i ? ",\n    " : "\n    ");
        put_column(out, &c->item[i]);
    }
    gr__str_add(out, "\n  ],\n  \"target\": ");
    put_column(out, &c->target);
    if (c->names.n) {
        gr__str_add(out, ",\n  \"names\": ");
        put_list(out, &c->names);
    }
    if (c->strip) {
        gr__str_add(out, ",\n  ");
        put_text(out, "strip", c->strip);
    }
}

/* ---- reading ---- */

static gr_status take_text(gr__json object, const char *key, gr__arena *arena, const char **out)
{
    const char *text;
    size_t n;
    GR_FAIL_IF(!gr__json_string(gr__json_get(object, key), &text, &n), GR_ERR_CORRUPT, "a column has no '%s'", key);
    *out = gr__arena_strndup(arena, text, n);
    return *out ? GR_OK : gr__fail_memory("a column", n);
}

static gr_status take_number(gr__json object, const char *key, double otherwise, double *out)
{
    gr__json v = gr__json_get(object, key);
    bool none = gr__json_kind_of(v) == GR__JSON_NONE || gr__json_kind_of(v) == GR__JSON_NULL;
    *out = otherwise;
    GR_FAIL_IF(none ? !isinf(otherwise) : !gr__json_double(v, out) || !isfinite(*out), GR_ERR_CORRUPT,
               "a column has no number '%s'", key);
    return GR_OK;
}

static gr_status take_int(gr__json object, const char *key, int64_t most, int64_t *out)
{
    GR_FAIL_IF(!gr__json_int(gr__json_get(object, key), out) || *out < 0 || *out > most, GR_ERR_CORRUPT,
               "'%s' of a column must be an integer from 0 to %lld", key, (long long)most);
    return GR_OK;
}

static gr_status take_list(gr__json object, const char *key, bool sorted, gr__arena *arena, gr__conf_strings *out)
{
    gr__json list = gr__json_get(object, key);
    size_t n = gr__json_count(list);
    GR_FAIL_IF(gr__json_kind_of(list) != GR__JSON_ARRAY, GR_ERR_CORRUPT, "there is no list '%s'", key);
    out->item = gr__arena_alloc(arena, (n + 1) * sizeof *out->item);
    if (!out->item) return gr__fail_memory("a column", n * sizeof *out->item);
    for (size_t i = 0; i < n; i++) {
        const char *text;
        size_t size;
        GR_FAIL_IF(!gr__json_string(gr__json_at(list, i), &text, &size), GR_ERR_CORRUPT, "'%s' must hold texts", key);
        if (!(out->item[i] = gr__arena_strndup(arena, text, size))) return gr__fail_memory("a column", size);
        GR_FAIL_IF(sorted && i && strcmp(out->item[i - 1], out->item[i]) >= 0, GR_ERR_CORRUPT,
                   "'%s' must be sorted, each once; '%.60s' is not", key, out->item[i]);
    }
    out->n = n;
    return GR_OK;
}

static gr_status take_column(gr__json object, gr__arena *arena, gr__column *out)
{
    const char *kind;
    gr__column c = {0};
    GR_FAIL_IF(gr__json_kind_of(object) != GR__JSON_OBJECT, GR_ERR_CORRUPT, "a column must be an object");
    GR_TRY(take_text(object, "name", arena, &c.name));
    GR_TRY(take_text(object, "kind", arena, &kind));
    if (strcmp(kind, "number") == 0) {
        GR_FAIL_IF(!gr__json_bool(gr__json_get(object, "log"), &c.log) ||
                       !gr__json_bool(gr__json_get(object, "indicator"), &c.indicator),
                   GR_ERR_CORRUPT, "column '%.100s' lacks 'log' or 'indicator'", c.name);
        GR_TRY(take_number(object, "low", -(double)INFINITY, &c.low));
        GR_TRY(take_number(object, "high", (double)INFINITY, &c.high));
        GR_TRY(take_number(object, "fill", 0, &c.fill));
        GR_TRY(take_number(object, "shift", 0, &c.shift));
        GR_TRY(take_number(object, "scale", 0, &c.scale));
        GR_FAIL_IF(!(c.scale > 0), GR_ERR_CORRUPT, "'scale' of column '%.100s' must be above 0", c.name);
    } else {
        GR_FAIL_IF(strcmp(kind, "category") != 0, GR_ERR_CORRUPT, "column '%.100s' is of the unknown kind '%.60s'",
                   c.name, kind);
        c.kind = GR__COLUMN_CATEGORY;
        GR_TRY(take_int(object, "width", MOST_WIDTH, &c.width));
        GR_TRY(take_int(object, "buckets", MOST_BUCKETS, &c.buckets));
        GR_TRY(take_list(object, "words", true, arena, &c.words));
    }
    *out = c;
    return GR_OK;
}

gr_status gr__columns_read(gr__json root, gr__arena *arena, gr__columns *out)
{
    gr__json list = gr__json_get(root, "columns");
    size_t n = gr__json_count(list);
    gr__columns c = {0};
    GR_FAIL_IF(gr__json_kind_of(list) != GR__JSON_ARRAY || n == 0, GR_ERR_CORRUPT, "'columns' must be a list");
    c.item = gr__arena_alloc(arena, n * sizeof *c.item);
    if (!c.item) return gr__fail_memory("columns", n * sizeof *c.item);
    for (; c.n < n; c.n++) GR_TRY(take_column(gr__json_at(list, c.n), arena, &c.item[c.n]));
    GR_TRY(take_column(gr__json_get(root, "target"), arena, &c.target));
    GR_FAIL_IF(c.target.kind == GR__COLUMN_CATEGORY && (c.target.words.n < 2 || c.target.buckets), GR_ERR_CORRUPT,
               "'target' must have two classes or more");
    if (gr__json_get(root, "names")) GR_TRY(take_list(root, "names", false, arena, &c.names));
    if (gr__json_get(root, "strip")) GR_TRY(take_text(root, "strip", arena, &c.strip));
    *out = c;
    return GR_OK;
}
