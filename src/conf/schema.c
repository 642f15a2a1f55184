/* Reading a section by its rows. A value is converted by its row's type only; what a scalar looks like says nothing. */
#include "conf/schema.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct context {
    const gr__conf_row *rows;
    size_t n_rows;
    const char *path; /* of the section */
    void *out;
    gr__arena *arena;
} context;

const char *gr__conf_type_name(gr__conf_type type)
{
    static const char *const names[GR__CONF_TYPE_COUNT] = {
        [GR__CONF_INT] = "integer",
        [GR__CONF_INT32] = "integer",
        [GR__CONF_DOUBLE] = "number",
        [GR__CONF_BOOL] = "true or false",
        [GR__CONF_STRING] = "text",
        [GR__CONF_ENUM] = "choice",
        [GR__CONF_INT_LIST] = "list of integers",
        [GR__CONF_DOUBLE_LIST] = "list of numbers",
        [GR__CONF_STRING_LIST] = "list of texts",
        [GR__CONF_SECTION] = "section",
    };
    return (unsigned)type < GR__CONF_TYPE_COUNT ? names[type] : "unknown";
}

/* ---- describing ---- */

static bool has_range(const gr__conf_row *row)
{
    return row->min != 0 || row->max != 0 || row->flags & GR__CONF_ABOVE_MIN;
}

static double upper(const gr__conf_row *row) { return row->max > row->min ? row->max : (double)INFINITY; }

static void describe_range(const gr__conf_row *row, gr__str *out)
{
    char text[32];
    if (!has_range(row)) return;
    bool low = isfinite(row->min), high = isfinite(upper(row));
    if (low) {
        gr__format_double(text, row->min);
        gr__str_printf(out, " %s %s", row->flags & GR__CONF_ABOVE_MIN ? "above" : high ? "from" : "of at least", text);
    }
    if (high) {
        gr__format_double(text, upper(row));
        gr__str_printf(out, "%s %s %s", low && row->flags & (GR__CONF_ABOVE_MIN | GR__CONF_BELOW_MAX) ? " and" : "",
                       row->flags & GR__CONF_BELOW_MAX             ? "below"
                       : low && !(row->flags & GR__CONF_ABOVE_MIN) ? "to"
                                                                   : "up to",
                       text);
    }
}

void gr__conf_describe(const gr__conf_row *row, gr__str *out)
{
    static const char *const nouns[GR__CONF_TYPE_COUNT] = {
        "an integer", "an integer",         "a number",          "true or false",   "a text",
        "one of: ",   "a list of integers", "a list of numbers", "a list of texts", "a map of keys"};
    gr__str_add(out, nouns[row->type]);
    if (row->type == GR__CONF_STRING_LIST && row->choices) gr__str_add(out, " out of: ");
    for (size_t i = 0; row->choices && row->choices[i]; i++)
        gr__str_printf(out, "%s%s", i ? ", " : "", row->choices[i]);
    if (row->type != GR__CONF_ENUM) describe_range(row, out);
    if (row->flags & GR__CONF_AUTO) gr__str_add(out, " or auto");
}

static gr_status wrong_value(const context *c, const gr__conf_row *row, const gr__conf *node)
{
    gr__str wanted = {0}, found = {0};
    gr__conf_describe(row, &wanted);
    if (node->kind == GR__CONF_SCALAR)
        gr__str_printf(&found, "'%.100s'", node->text);
    else
        gr__str_add(&found, gr__conf_kind_name(node->kind));
    if (row->choices && node->kind == GR__CONF_SCALAR) {
        size_t n = 0;
        while (row->choices[n]) n++;
        const char *near = gr__str_nearest(node->text, row->choices, n);
        if (near) gr__str_printf(&found, "; did you mean '%s'?", near);
    }
    gr_status status = gr__conf_fail(node, "'%s%s%s' must be %s, found %s", c->path, *c->path ? "." : "", row->key,
                                     gr__str_get(&wanted), gr__str_get(&found));
    gr__str_release(&wanted);
    gr__str_release(&found);
    return status;
}

/* ---- scalars ---- */

/* "1_000_000" -> "1000000"; false where an underscore does not stand between digits. */
static bool without_underscores(const char *text, char out[64])
{
    size_t n = 0;
    for (size_t i = 0; text[i]; i++) {
        bool between = i > 0 && text[i - 1] >= '0' && text[i - 1] <= '9' && text[i + 1] >= '0' && text[i + 1] <= '9';
        if (text[i] == '_' && between) continue;
        if (text[i] == '_' || n == 63) return false;
        out[n++] = text[i];
    }
    out[n] = 0;
    return true;
}

static bool in_range(const gr__conf_row *row, double v)
{
    if (!isfinite(v)) return false;
    if (!has_range(row)) return true;
    if (row->flags & GR__CONF_ABOVE_MIN ? !(v > row->min) : !(v >= row->min)) return false;
    return row->flags & GR__CONF_BELOW_MAX ? v < upper(row) : v <= upper(row);
}

static bool read_int(const gr__conf_row *row, const char *text, int64_t *out)
{
    char digits[64];
    double v;
    if (row->flags & GR__CONF_AUTO && strcmp(text, "auto") == 0) {
        *out = GR__CONF_AUTO_INT;
        return true;
    }
    if (!without_underscores(text, digits)) return false;
    if (gr__parse_int(digits, out)) return in_range(row, (double)*out);
    if (!gr__parse_double(digits, &v) || v != floor(v) || fabs(v) > 0x1p53) return false;
    *out = (int64_t)v;
    return in_range(row, v);
}

static bool read_double(const gr__conf_row *row, const char *text, double *out)
{
    char digits[64];
    if (row->flags & GR__CONF_AUTO && strcmp(text, "auto") == 0) {
        *out = (double)NAN;
        return true;
    }
    return without_underscores(text, digits) && gr__parse_double(digits, out) && in_range(row, *out);
}

static bool read_bool(const char *text, bool *out)
{
    static const char *const words[] = {"false", "no", "off", "true", "yes", "on"};
    for (size_t i = 0; i < GR__COUNT(words); i++) {
        if (gr__str_distance(text, words[i], 0) != 0) continue; /* 0: equal but for case */
        *out = i >= 3;
        return true;
    }
    return false;
}

static int choice_of(const gr__conf_row *row, const char *text)
{
    for (int i = 0; row->choices[i]; i++)
        if (strcmp(row->choices[i], text) == 0) return i;
    return -1;
}

static gr_status read_scalar(const context *c, const gr__conf_row *row, const gr__conf *node, void *field)
{
    bool good = false;
    int64_t i = 0;
    if (node->kind != GR__CONF_SCALAR) return wrong_value(c, row, node);
    switch (row->type) {
    case GR__CONF_INT:
    case GR__CONF_INT_LIST: good = read_int(row, node->text, field); break;
    case GR__CONF_INT32:
        good = read_int(row, node->text, &i);
        if (i == GR__CONF_AUTO_INT) i = INT_MIN;
        good = good && i >= INT_MIN && i <= INT_MAX;
        if (good) *(int *)field = (int)i;
        break;
    case GR__CONF_DOUBLE:
    case GR__CONF_DOUBLE_LIST: good = read_double(row, node->text, field); break;
    case GR__CONF_BOOL: good = read_bool(node->text, field); break;
    case GR__CONF_ENUM:
        *(int *)field = choice_of(row, node->text);
        good = *(int *)field >= 0;
        break;
    default: /* texts */
        good = !row->choices || choice_of(row, node->text) >= 0;
        if (good && !(*(const char **)field = gr__arena_strdup(c->arena, node->text)))
            return gr__fail_memory("a configuration", strlen(node->text));
    }
    return good ? GR_OK : wrong_value(c, row, node);
}

/* ---- lists and everything ---- */

static size_t item_size(gr__conf_type type)
{
    return type == GR__CONF_INT_LIST ? sizeof(int64_t) : type == GR__CONF_DOUBLE_LIST ? sizeof(double) : sizeof(char *);
}

static gr_status read_list(const context *c, const gr__conf_row *row, const gr__conf *node, void *field)
{
    size_t n = node->kind == GR__CONF_SEQ ? node->count : 1, bytes;
    if (node->kind == GR__CONF_MAP) return wrong_value(c, row, node);
    if (!gr__mul_size(n, item_size(row->type), &bytes)) return gr__fail_memory("a list", n);
    char *items = gr__arena_alloc(c->arena, bytes);
    if (!items) return gr__fail_memory("a list", bytes);
    const gr__conf *item = node->kind == GR__CONF_SEQ ? node->first : node;
    for (size_t i = 0; i < n; i++, item = item->next)
        GR_TRY(read_scalar(c, row, item, items + i * item_size(row->type)));
    if (row->type == GR__CONF_INT_LIST)
        *(gr__conf_ints *)field = (gr__conf_ints){(int64_t *)(void *)items, n};
    else if (row->type == GR__CONF_DOUBLE_LIST)
        *(gr__conf_doubles *)field = (gr__conf_doubles){(double *)(void *)items, n};
    else
        *(gr__conf_strings *)field = (gr__conf_strings){(const char **)(void *)items, n};
    return GR_OK;
}

static bool is_list(gr__conf_type type)
{
    return type == GR__CONF_INT_LIST || type == GR__CONF_DOUBLE_LIST || type == GR__CONF_STRING_LIST;
}

static gr_status read_value(const context *c, const gr__conf_row *row, const gr__conf *node)
{
    void *field = (char *)c->out + row->offset;
    if (gr__conf_is_null(node)) return GR_OK; /* the default stays */
    if (row->type == GR__CONF_SECTION) {
        *(const gr__conf **)field = node;
        return GR_OK;
    }
    return is_list(row->type) ? read_list(c, row, node, field) : read_scalar(c, row, node, field);
}

/* The tree that a row's default stands for; quoted, so that "" is a text. */
static gr_status default_node(const gr__conf_row *row, gr__arena *arena, gr__conf **out)
{
    static const gr__conf_source source = {"default", NULL, 0, false};
    if (row->default_text[0] == '[') return gr__conf_parse_value(row->default_text, &source, 1, arena, out);
    *out = is_list(row->type) && !*row->default_text ? gr__conf_new(GR__CONF_SEQ, arena)
                                                     : gr__conf_new_text(row->default_text, true, arena);
    return *out ? GR_OK : gr__fail_memory("a configuration", sizeof **out);
}

static gr_status read_default(const context *c, const gr__conf_row *row)
{
    static const size_t sizes[GR__CONF_TYPE_COUNT] = {
        sizeof(int64_t),          sizeof(int),       sizeof(double),        sizeof(bool),
        sizeof(char *),           sizeof(int),       sizeof(gr__conf_ints), sizeof(gr__conf_doubles),
        sizeof(gr__conf_strings), sizeof(gr__conf *)};
    void *field = (char *)c->out + row->offset;
    memset(field, 0, sizes[row->type]);
    if (row->type == GR__CONF_ENUM) *(int *)field = -1;
    if (!row->default_text || row->type == GR__CONF_SECTION) return GR_OK;
    gr__conf *node;
    GR_TRY(default_node(row, c->arena, &node));
    return read_value(c, row, node);
}

/* ---- sections ---- */

static gr_status unknown_key(const context *c, const gr__conf *child)
{
    const char **keys = gr__calloc(c->n_rows, sizeof *keys);
    if (!keys) return gr__fail_memory("a list of keys", c->n_rows * sizeof *keys);
    gr__str hint = {0};
    for (size_t i = 0; i < c->n_rows; i++) keys[i] = c->rows[i].key;
    const char *near = gr__str_nearest(child->key, keys, c->n_rows);
    if (near)
        gr__str_printf(&hint, "; did you mean '%s'?", near);
    else
        for (size_t i = 0; i < c->n_rows && hint.n < 300; i++)
            gr__str_printf(&hint, "%s%s", i ? ", " : "; known keys: ", keys[i]);
    gr_status status = *c->path ? gr__conf_fail_at_key(child, "unknown key '%.100s' in '%s'%s", child->key, c->path,
                                                       gr__str_get(&hint))
                                : gr__conf_fail_at_key(child, "unknown key '%.100s'%s", child->key, gr__str_get(&hint));
    gr__str_release(&hint);
    gr__free(keys);
    return status;
}

static const gr__conf_row *main_row(const gr__conf_row *rows, size_t n_rows)
{
    for (size_t i = 0; i < n_rows; i++)
        if (rows[i].flags & GR__CONF_MAIN) return &rows[i];
    return NULL;
}

/* The key "" holds a scalar that stood for the whole section before an override added keys to it. */
static const gr__conf_row *row_of(const context *c, const char *key)
{
    if (!*key) return main_row(c->rows, c->n_rows);
    for (size_t i = 0; i < c->n_rows; i++)
        if (strcmp(c->rows[i].key, key) == 0) return &c->rows[i];
    return NULL;
}

static gr_status not_a_map(const context *c, const gr__conf *node)
{
    if (node->kind == GR__CONF_SCALAR)
        return gr__conf_fail(node, "'%s' must be a map of keys, found '%.100s'", c->path, node->text);
    return gr__conf_fail(node, "'%s' must be a map of keys, found %s", c->path, gr__conf_kind_name(node->kind));
}

static gr_status read_section(const context *c, const gr__conf *section)
{
    if (section->kind != GR__CONF_MAP) {
        const gr__conf_row *row = main_row(c->rows, c->n_rows);
        return row ? read_value(c, row, section) : not_a_map(c, section);
    }
    for (const gr__conf *child = section->first; child; child = child->next) {
        const gr__conf_row *row = row_of(c, child->key);
        if (!row) return *child->key ? unknown_key(c, child) : not_a_map(c, child);
        if (!*child->key && gr__conf_get(section, row->key)) continue; /* said by name too: the name wins */
        GR_TRY(read_value(c, row, child));
    }
    return GR_OK;
}

bool gr__conf_given(const gr__conf *section, const gr__conf_row *row)
{
    if (gr__conf_is_null(section)) return false;
    if (section->kind != GR__CONF_MAP) return row->flags & GR__CONF_MAIN;
    return !gr__conf_is_null(gr__conf_get(section, row->key)) ||
           (row->flags & GR__CONF_MAIN && !gr__conf_is_null(gr__conf_get(section, "")));
}

gr_status gr__conf_check_uses(const gr__conf *section, const gr__conf_use *use, size_t n, int kind, const char *what,
                              const char *name)
{
    for (size_t i = 0; i < n; i++) {
        const gr__conf *node = gr__conf_get(section, use[i].key);
        if (!gr__conf_is_null(node) && !(use[i].kinds >> kind & 1))
            return gr__conf_fail_at_key(node, "'%s' says nothing to the %s '%s'; leave it out", use[i].key, what, name);
    }
    return GR_OK;
}

gr_status gr__conf_read(const gr__conf *section, const char *path, const gr__conf_row *rows, size_t n_rows,
                        void *out_struct, gr__arena *arena)
{
    context c = {rows, n_rows, path, out_struct, arena};
    for (size_t i = 0; i < n_rows; i++) {
        gr_status status = read_default(&c, &rows[i]);
        if (status == GR_ERR_CONFIG) status = GR_ERR_INTERNAL; /* the table is wrong, not the user */
        GR_TRY(status);
    }
    if (!gr__conf_is_null(section)) GR_TRY(read_section(&c, section));
    for (size_t i = 0; i < n_rows; i++) {
        const gr__conf_row *row = &rows[i];
        if (!(row->flags & GR__CONF_REQUIRED) || gr__conf_given(section, row)) continue;
        gr__str wanted = {0};
        gr__conf_describe(row, &wanted);
        gr_status status = gr__conf_fail_at_key(section, "'%s%s%s' is missing: %s (%s)", path, *path ? "." : "",
                                                row->key, row->doc ? row->doc : "it is needed", gr__str_get(&wanted));
        gr__str_release(&wanted);
        return status;
    }
    return GR_OK;
}
