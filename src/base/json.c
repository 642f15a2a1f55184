/* The shim over jansson. Its own depth limit is 2,048 and fixed when it was compiled, so the text is scanned for depth
 * first (a linear pass over bytes). Its memory does not go through our allocator: the only way to change that is a
 * setting for the whole process, which belongs to the program that uses this library. */
#include "base/json.h"

#include "base/file.h"
#include "base/limits.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

struct gr__json_doc {
    json_t *root;
};

static gr_status check_depth(const char *text, size_t n, const char *name, size_t first_line)
{
    size_t depth = 0, line = first_line, start = 0;
    bool in_string = false;
    for (size_t i = 0; i < n; i++) {
        char c = text[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '\n') {
            line++;
            start = i + 1;
        } else if (c == '[' || c == '{') {
            GR_FAIL_IF(++depth > GR__LIMIT_NESTING, GR_ERR_LIMIT, "%s:%zu:%zu: nested deeper than %d levels", name,
                       line, i - start + 1, GR__LIMIT_NESTING);
        } else if ((c == ']' || c == '}') && depth > 0) {
            depth--;
        }
    }
    return GR_OK;
}

/* jansson quotes the text near the error as it is: keep one printable line of it. */
static void tidy(char *text)
{
    for (size_t i = 0; text[i];) {
        size_t step = gr__utf8_step(text + i, strlen(text + i));
        if (step == 0 || (unsigned char)text[i] < 0x20 || text[i] == 0x7f) text[i] = '?';
        i += step ? step : 1;
    }
}

gr_status gr__json_parse(const char *text, size_t n, const char *name, gr__json_doc **out)
{
    return gr__json_parse_line(text, n, name, 1, out);
}

gr_status gr__json_parse_line(const char *text, size_t n, const char *name, size_t first_line, gr__json_doc **out)
{
    json_error_t error;
    GR_TRY(check_depth(text, n, name, first_line));
    gr__json_doc *doc = gr__calloc(1, sizeof *doc);
    if (!doc) return gr__fail_memory("a JSON document", sizeof *doc);
    const size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL;
    doc->root = json_loadb(text, n, flags, &error);
    /* Transformers writes 10^30 for "no limit": then all whole numbers are read as reals, which gr__json_int() takes. */
    if (!doc->root && json_error_code(&error) == json_error_numeric_overflow)
        doc->root = json_loadb(text, n, flags | JSON_DECODE_INT_AS_REAL, &error);
    if (doc->root) {
        *out = doc;
        return GR_OK;
    }
    gr__free(doc);
    if (json_error_code(&error) == json_error_out_of_memory) return gr__fail_memory("a JSON document", n);
    tidy(error.text);
    size_t line = first_line - 1 + (size_t)(error.line > 0 ? error.line : 1);
    return gr__fail(GR_ERR_CORRUPT, "%s:%zu:%d: %s", name, line, error.column, error.text);
}

gr_status gr__json_read(const char *path, size_t most, gr__json_doc **out)
{
    char *text;
    size_t n;
    GR_TRY(gr__file_read(path, most, &text, &n));
    gr_status status = gr__json_parse(text, n, path, out);
    gr__free(text);
    return status;
}

void gr__json_free(gr__json_doc **doc)
{
    if (!*doc) return;
    json_decref((*doc)->root);
    gr__free(*doc);
    *doc = NULL;
}

gr__json gr__json_root(const gr__json_doc *doc) { return doc->root; }

gr__json_kind gr__json_kind_of(gr__json v)
{
    if (!v) return GR__JSON_NONE;
    switch (json_typeof((const json_t *)v)) {
    case JSON_OBJECT: return GR__JSON_OBJECT;
    case JSON_ARRAY: return GR__JSON_ARRAY;
    case JSON_STRING: return GR__JSON_STRING;
    case JSON_INTEGER: return GR__JSON_INT;
    case JSON_REAL: return GR__JSON_REAL;
    case JSON_TRUE:
    case JSON_FALSE: return GR__JSON_BOOL;
    case JSON_NULL: return GR__JSON_NULL;
    }
    return GR__JSON_NONE;
}

gr__json gr__json_get(gr__json object, const char *key) { return json_object_get(object, key); }

size_t gr__json_count(gr__json v)
{
    return json_is_object((const json_t *)v) ? json_object_size(v) : json_array_size(v);
}

gr__json gr__json_at(gr__json array, size_t i) { return json_array_get(array, i); }

/* jansson's iterators ask for an object that is not const, and leave it alone. */
static json_t *unconst(gr__json v)
{
    json_t *j;
    memcpy(&j, &v, sizeof j);
    return j;
}

void *gr__json_first(gr__json object) { return json_object_iter(unconst(object)); }
void *gr__json_next(gr__json object, void *it) { return json_object_iter_next(unconst(object), it); }
const char *gr__json_key(void *it) { return json_object_iter_key(it); }
gr__json gr__json_value(void *it) { return json_object_iter_value(it); }

bool gr__json_string(gr__json v, const char **out, size_t *n)
{
    if (!json_is_string((const json_t *)v)) return false;
    *out = json_string_value(v);
    if (n) *n = json_string_length(v);
    return true;
}

bool gr__json_int(gr__json v, int64_t *out)
{
    if (json_is_integer((const json_t *)v)) {
        *out = json_integer_value(v);
        return true;
    }
    if (!json_is_real((const json_t *)v)) return false;
    double real = json_real_value(v);
    if (real != floor(real) || real < -0x1p63 || real >= 0x1p63) return false;
    *out = (int64_t)real;
    return true;
}

bool gr__json_double(gr__json v, double *out)
{
    if (!json_is_number((const json_t *)v)) return false;
    *out = json_number_value(v);
    return true;
}

bool gr__json_bool(gr__json v, bool *out)
{
    if (!json_is_boolean((const json_t *)v)) return false;
    *out = json_is_true((const json_t *)v);
    return true;
}

static bool starts_number(char c) { return (c >= '0' && c <= '9') || c == '-'; }
static bool goes_on_number(char c) { return starts_number(c) || c == '+' || c == '.' || c == 'e' || c == 'E'; }

const char *gr__json_next_number(const char **at, const char *end, size_t *n)
{
    const char *p = *at;
    for (bool in_string = false; p < end && (in_string || !starts_number(*p)); p++)
        if (in_string && *p == '\\' && p + 1 < end)
            p++;
        else if (*p == '"')
            in_string = !in_string;
    const char *number = p;
    while (p < end && goes_on_number(*p)) p++;
    *n = (size_t)(p - number);
    *at = p;
    return number;
}

/* ---- writing ---- */

void gr__json_add_string(gr__str *s, const char *text, size_t n)
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    gr__str_add_char(s, '"');
    for (size_t i = 0; i < n;) {
        size_t step = gr__utf8_step(text + i, n - i);
        const char *short_form = text[i] ? strchr(from, text[i]) : NULL;
        if (step == 0)
            gr__str_add(s, "\xEF\xBF\xBD"); /* U+FFFD: the result is valid whatever came in */
        else if (short_form)
            gr__str_printf(s, "\\%c", to[short_form - from]);
        else if ((unsigned char)text[i] < 0x20)
            gr__str_printf(s, "\\u%04x", (unsigned)text[i]);
        else
            gr__str_add_n(s, text + i, step);
        i += step ? step : 1;
    }
    gr__str_add_char(s, '"');
}

void gr__json_add_double(gr__str *s, double value)
{
    char text[32];
    gr__format_double(text, value);
    if (value == floor(value) && fabs(value) < 1e15)
        gr__str_printf(s, "%.0f", value); /* counts stay readable */
    else
        gr__str_add(s, isfinite(value) ? text : "null");
}

static void add_members(gr__str *s, gr__json object)
{
    bool first = true;
    gr__str_add_char(s, '{');
    for (void *it = gr__json_first(object); it; it = gr__json_next(object, it)) {
        gr__str_add(s, first ? "" : ", ");
        gr__json_add_string(s, gr__json_key(it), strlen(gr__json_key(it)));
        gr__str_add(s, ": ");
        gr__json_add(s, gr__json_value(it));
        first = false;
    }
    gr__str_add_char(s, '}');
}

/* As deep as what was parsed, which has a limit. */
void gr__json_add(gr__str *s, gr__json v)
{
    const char *text;
    size_t n;
    int64_t whole;
    double number;
    bool flag;
    switch (gr__json_kind_of(v)) {
    case GR__JSON_STRING:
        if (gr__json_string(v, &text, &n)) gr__json_add_string(s, text, n);
        break;
    case GR__JSON_INT:
        if (gr__json_int(v, &whole)) gr__str_printf(s, "%lld", (long long)whole);
        break;
    case GR__JSON_REAL:
        if (gr__json_double(v, &number)) gr__json_add_double(s, number);
        break;
    case GR__JSON_BOOL:
        if (gr__json_bool(v, &flag)) gr__str_add(s, flag ? "true" : "false");
        break;
    case GR__JSON_ARRAY:
        gr__str_add_char(s, '[');
        for (size_t i = 0; i < gr__json_count(v); i++) {
            gr__str_add(s, i ? ", " : "");
            gr__json_add(s, gr__json_at(v, i));
        }
        gr__str_add_char(s, ']');
        break;
    case GR__JSON_OBJECT: add_members(s, v); break;
    default: gr__str_add(s, "null");
    }
}
