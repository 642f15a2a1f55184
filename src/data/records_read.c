/* The formats that records come in. */
#include "data/records.h"

#include "base/lines.h"
#include "base/map.h"
#include "format/jsonl.h"
#include "format/npy.h"
#include "format/npz.h"
#include "text/utf8.h"

#include <stdio.h>
#include <string.h>

enum { MOST_COLUMNS = 1 << 20 };

typedef struct reading {
    gr_records *r;
    gr_records_options o;
} reading;

/* What is bad is an error, or counted. */
static gr_status bad(reading *in, gr_status status)
{
    gr_records *r = in->r;
    if (!in->o.skip_bad || (status != GR_ERR_CORRUPT && !gr__csv_is_bad_record(status))) return status;
    if (r->bad++ == 0 && !(r->first_bad = gr__strdup(gr_message()))) return gr__fail_memory("a sentence", 128);
    return GR_OK;
}

static gr_status put(gr_records *r, gr__cell *cell, const char *text, size_t n, bool quoted)
{
    char *own = gr__arena_strndup(&r->arena, text, n);
    if (!own) return gr__fail_memory("a text", n);
    *cell = (gr__cell){own, (uint32_t)n, quoted};
    return GR_OK;
}

static gr_status check_utf8(const gr_records *r, int64_t line, const char *text, size_t n)
{
    size_t at;
    if (gr__utf8_valid(text, n, &at)) return GR_OK;
    return gr__fail(GR_ERR_DATA, "%s:%lld: byte 0x%02x is not UTF-8; convert the file", r->path, (long long)line,
                    (unsigned char)text[at]);
}

static gr_status name_columns(gr_records *r, int64_t n)
{
    r->columns = n;
    r->name = gr__calloc((size_t)n + 1, sizeof *r->name);
    return r->name ? GR_OK : gr__fail_memory("names", (size_t)n * sizeof *r->name);
}

/* ---- tables ---- */

/* What quotes say is text, unless nothing in the file is without them. */
static bool quotes_tell(const gr_records *r)
{
    for (int64_t i = 0; i < r->rows; i++)
        for (int64_t k = 0; k < r->columns; k++)
            if (r->row[i].cell[k].n > 0 && !r->row[i].cell[k].quoted) return true;
    return false;
}

static bool is_comma_column(const gr_records *r, int64_t column, bool quoted_too)
{
    double v;
    for (int64_t i = 0; i < r->rows; i++) {
        const gr__cell *c = &r->row[i].cell[column];
        bool counts = !gr__cell_is_missing(c) && (quoted_too || !c->quoted);
        if (counts && !gr__cell_number(c, true, &v)) return false;
    }
    return true;
}

/* Numbers have a point from here on; a column that holds anything else stays as it is in the file. */
static void take_commas(gr_records *r)
{
    bool quoted_too = !quotes_tell(r);
    for (int64_t k = 0; k < r->columns; k++) {
        if (!is_comma_column(r, k, quoted_too)) continue;
        for (int64_t i = 0; i < r->rows; i++) {
            const gr__cell *c = &r->row[i].cell[k];
            char *comma = quoted_too || !c->quoted ? memchr((char *)(uintptr_t)c->text, ',', c->n) : NULL;
            if (comma) *comma = '.';
        }
    }
}

static gr_status take_row(reading *in, const gr__csv *csv)
{
    gr_records *r = in->r;
    const gr__cell *from = gr__csv_cells(csv);
    gr__cell *cell;
    int64_t line = gr__csv_line(csv);
    for (int64_t i = 0; i < r->columns; i++) {
        gr_status s = check_utf8(r, line, from[i].text, from[i].n);
        if (s != GR_OK) return bad(in, s);
    }
    GR_TRY(gr__records_add(r, line, &cell));
    size_t bytes = 0;
    for (int64_t i = 0; i < r->columns; i++) bytes += from[i].n + 1;
    char *text = gr__arena_alloc(&r->arena, bytes); /* one for all: it is rounded up */
    if (!text) return gr__fail_memory("a row", bytes);
    memcpy(text, from[0].text, bytes); /* the cells of a row lie one behind the other */
    for (int64_t i = 0; i < r->columns; i++)
        cell[i] = (gr__cell){text + (from[i].text - from[0].text), from[i].n, from[i].quoted};
    return GR_OK;
}

static gr_status take_table(reading *in, gr__csv *csv)
{
    gr_records *r = in->r;
    bool more = true;
    GR_TRY(name_columns(r, (int64_t)gr__csv_columns(csv)));
    r->named = gr__csv_has_header(csv);
    r->guessed = gr__csv_header_guessed(csv);
    for (int64_t i = 0; i < r->columns; i++)
        if (!(r->name[i] = gr__arena_strdup(&r->arena, gr__csv_name(csv, (size_t)i))))
            return gr__fail_memory("a name", 64);
    GR_TRY(gr__csv_check_names(r->path, r->name, (size_t)r->columns));
    for (;;) {
        gr_status s = gr__csv_next_row(csv, &more);
        if (s != GR_OK)
            GR_TRY(bad(in, s));
        else if (!more)
            break;
        else
            GR_TRY(take_row(in, csv));
    }
    GR_FAIL_IF(r->rows == 0 && r->named && r->guessed, GR_ERR_DATA,
               "'%s' has no rows below its first one, which is taken for names; is it a row (--header no)?", r->path);
    if (gr__csv_decimal_comma(csv)) take_commas(r);
    return GR_OK;
}

static gr_status read_table(reading *in)
{
    static const gr__csv_choice choices[GR_HEADER_COUNT] = {
        [GR_HEADER_AUTO] = GR__CSV_SNIFF, [GR_HEADER_YES] = GR__CSV_YES, [GR_HEADER_NO] = GR__CSV_NO};
    gr__csv *csv;
    GR_TRY(gr__csv_open(in->r->path, &(gr__csv_options){.header = choices[in->o.header]}, &csv));
    gr_status s = take_table(in, csv);
    gr__csv_close(&csv);
    return s;
}

/* ---- JSON lines: once for the keys, once for the cells ---- */

/* *left .. end: the rest of the line, where the next number is this value if it is one. */
static gr_status take_value(gr_records *r, gr__json v, size_t line, const char *key, const char **left, const char *end,
                            gr__cell *cell)
{
    const char *text;
    size_t n;
    double number;
    bool flag;
    if (gr__json_string(v, &text, &n)) return put(r, cell, text, n, true);
    if (gr__json_bool(v, &flag)) return put(r, cell, flag ? "true" : "false", flag ? 4 : 5, false);
    if (gr__json_double(v, &number)) {
        text = gr__json_next_number(left, end, &n);
        return put(r, cell, text, n, false);
    }
    if (gr__json_kind_of(v) == GR__JSON_NULL) return GR_OK;
    return gr__fail(GR_ERR_UNSUPPORTED, "%s:%zu: '%.60s' is a list or an object; records are flat", r->path, line, key);
}

static gr_status take_object(gr_records *r, gr__json o, const gr__jsonl *lines, gr__map *keys, bool fill)
{
    size_t line = gr__jsonl_line(lines), n;
    const char *left = gr__jsonl_text(lines, &n), *end = left + n;
    gr__cell *cell = NULL;
    if (gr__json_kind_of(o) != GR__JSON_OBJECT)
        return gr__fail(GR_ERR_DATA, "%s:%zu: the line is no object", r->path, line);
    if (fill) GR_TRY(gr__records_add(r, (int64_t)line, &cell));
    for (void *it = gr__json_first(o); it; it = gr__json_next(o, it)) {
        const char *key = gr__json_key(it);
        const int64_t *at = gr__map_get_name(keys, key);
        if (fill)
            GR_TRY(take_value(r, gr__json_value(it), line, key, &left, end, &cell[*at]));
        else if (!at)
            GR_TRY(gr__map_set_name(keys, key, (int64_t)keys->count, NULL));
    }
    return GR_OK;
}

static gr_status take_lines(reading *in, gr__map *keys, bool fill)
{
    gr__jsonl *lines;
    gr__json v;
    bool more = true;
    GR_TRY(gr__jsonl_open(in->r->path, &lines));
    gr_status status = GR_OK;
    while (status == GR_OK) {
        gr_status s = gr__jsonl_next(lines, &v, &more);
        if (s == GR_OK && !more) break;
        if (s == GR_OK) s = take_object(in->r, v, lines, keys, fill);
        status = s == GR_OK                                               ? GR_OK
                 : fill                                                   ? bad(in, s)
                 : in->o.skip_bad && s != GR_ERR_IO && s != GR_ERR_MEMORY ? GR_OK
                                                                          : s;
    }
    gr__jsonl_close(&lines);
    return status;
}

static gr_status read_json(reading *in)
{
    gr__map keys = {0};
    gr_status status = GR_OK;
    GR_TRY_DONE(take_lines(in, &keys, false));
    if (keys.count > MOST_COLUMNS)
        status = gr__fail(GR_ERR_LIMIT, "'%s' has %zu different keys; is a key a value?", in->r->path, keys.count);
    GR_TRY_DONE(status);
    GR_TRY_DONE(name_columns(in->r, (int64_t)keys.count));
    in->r->named = true;
    for (size_t i = 0; i < keys.count; i++)
        if (!(in->r->name[i] = gr__arena_strdup(&in->r->arena, keys.entry[i].key)))
            GR_TRY_DONE(gr__fail_memory("a name", 64));
    status = take_lines(in, &keys, true);
done:
    gr__map_release(&keys);
    return status;
}

/* ---- arrays ---- */

/* false: it is missing. Integers of 64 bits may have more digits than a double. */
static bool element_text(const gr_tensor *t, int64_t i, char text[32])
{
    if (t->dtype == GR_I64) return snprintf(text, 32, "%lld", (long long)((const int64_t *)t->data)[i]) > 0;
    if (t->dtype == GR_U64) return snprintf(text, 32, "%llu", (unsigned long long)((const uint64_t *)t->data)[i]) > 0;
    double v = gr_tensor_get(t, i);
    gr__record_number(text, v);
    return v == v;
}

static gr_status take_array(gr_records *r, const gr_tensor *t)
{
    char text[32];
    gr__cell *cell;
    GR_FAIL_IF(t->rank < 1 || t->rank > 2, GR_ERR_UNSUPPORTED,
               "'%s' has %d dimensions; records are (n) or (n, columns)", r->path, t->rank);
    int64_t n = t->dim[0], columns = t->rank == 2 ? t->dim[1] : 1;
    GR_FAIL_IF(columns == 0, GR_ERR_DATA, "'%s' has no columns", r->path);
    GR_FAIL_IF(columns > MOST_COLUMNS, GR_ERR_LIMIT, "'%s' has %lld columns", r->path, (long long)columns);
    GR_TRY(name_columns(r, columns));
    for (int64_t k = 0; k < columns; k++)
        if (!(r->name[k] = gr__arena_printf(&r->arena, "column_%lld", (long long)k + 1)))
            return gr__fail_memory("a name", 16);
    for (int64_t i = 0; i < n; i++) {
        GR_TRY(gr__records_add(r, i, &cell));
        for (int64_t k = 0; k < columns; k++) {
            if (!element_text(t, i * columns + k, text)) continue;
            GR_TRY(put(r, &cell[k], text, strlen(text), false));
        }
    }
    return GR_OK;
}

/* Of an archive its only one. */
static gr_status open_array(const char *path, gr_tensor *t)
{
    gr__npz *archive;
    if (!gr__str_ends(path, ".npz")) return gr__npy_read(path, t);
    GR_TRY(gr__npz_open(path, &archive));
    size_t n = gr__npz_count(archive);
    gr_status s = n == 1
                      ? gr__npz_read(archive, gr__npz_name(archive, 0), t)
                      : gr__fail(GR_ERR_UNSUPPORTED,
                                 "'%s' holds %zu arrays; records are one: save it as a .npy file of its own", path, n);
    gr__npz_close(&archive);
    return s;
}

static gr_status read_array(reading *in)
{
    gr_tensor t;
    GR_TRY(open_array(in->r->path, &t));
    gr_status s = take_array(in->r, &t);
    gr__free(t.data);
    return s;
}

/* ---- lines ---- */

static gr_status take_text(reading *in, gr__lines *lines)
{
    gr_records *r = in->r;
    gr__cell *cell;
    const char *text;
    size_t n;
    bool more;
    GR_TRY(name_columns(r, 1));
    r->name[0] = "text";
    for (;;) {
        GR_TRY(gr__lines_next(lines, &text, &n, &more));
        if (!more) return GR_OK;
        int64_t line = (int64_t)gr__lines_number(lines);
        gr_status s = check_utf8(r, line, text, n);
        if (s != GR_OK) {
            GR_TRY(bad(in, s));
        } else if (n) {
            GR_TRY(gr__records_add(r, line, &cell));
            GR_TRY(put(r, cell, text, n, true));
        }
    }
}

static gr_status read_text(reading *in)
{
    gr__lines *lines;
    GR_TRY(gr__lines_open(in->r->path, UINT32_MAX - 1, &lines)); /* what a cell may hold */
    gr_status status = take_text(in, lines);
    gr__lines_close(&lines);
    return status;
}

gr_status gr_records_open(const char *path, const gr_records_options *options, gr_records **out)
{
    GR_FAIL_IF(!path || !out, GR_ERR_ARGUMENT, "gr_records_open: an argument is NULL");
    gr_records_options o = options ? *options : (gr_records_options){.skip_bad = false};
    GR_FAIL_IF((unsigned)o.header >= GR_HEADER_COUNT, GR_ERR_ARGUMENT, "there is no choice %d of a header",
               (int)o.header);
    gr_records *r = gr__calloc(1, sizeof *r);
    if (!r) return gr__fail_memory("records", sizeof *r);
    r->arena.spills = true;
    reading in = {r, o};
    r->path = gr__strdup(path);
    gr_status s = !r->path ? gr__fail_memory("a path", strlen(path))
                  : gr__str_ends_packed(path, ".csv") || gr__str_ends_packed(path, ".tsv")      ? read_table(&in)
                  : gr__str_ends_packed(path, ".jsonl") || gr__str_ends_packed(path, ".ndjson") ? read_json(&in)
                  : gr__str_ends_packed(path, ".npy") || gr__str_ends(path, ".npz")             ? read_array(&in)
                                                                                                : read_text(&in);
    if (s == GR_OK && r->rows == 0) s = gr__fail(GR_ERR_DATA, "'%s' has no rows", path);
    if (s != GR_OK)
        gr_records_free(&r);
    else
        *out = r;
    return s;
}
