#include "data/labelled.h"

#include "base/json.h"
#include "base/lines.h"
#include "base/map.h"
#include "base/spill.h"
#include "format/csv.h"
#include "text/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static gr_status fail_at(const gr__labelled *l, int64_t line, const char *what)
{
    return gr__fail(GR_ERR_DATA, "%s:%lld: %s", l->path, (long long)line, what);
}

/* ---- one row ---- */

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

static void trim(const char **text, size_t *n)
{
    while (*n && is_blank((*text)[*n - 1])) --*n;
    while (*n && is_blank(**text)) ++*text, --*n;
}

static gr_status copy_text(gr__labelled *l, const gr__labelled_options *o, int64_t line, const char *text, size_t n,
                           const char **out, size_t *n_out)
{
    size_t at;
    if (!o->latin_1) {
        if (!gr__utf8_valid(text, n, &at))
            return gr__fail(GR_ERR_DATA,
                            "%s:%lld: byte 0x%02x is not UTF-8; if the file is ISO-8859-1, say data.encoding=latin-1",
                            l->path, (long long)line, (unsigned char)text[at]);
        *out = gr__arena_strndup(&l->arena, text, n);
        *n_out = n;
        return *out ? GR_OK : gr__fail_memory("a text", n);
    }
    char *wide = gr__arena_alloc(&l->arena, 2 * n + 1);
    if (!wide) return gr__fail_memory("a text", 2 * n + 1);
    size_t k = 0;
    for (size_t i = 0; i < n; i++) k += gr__utf8_put((unsigned char)text[i], wide + k);
    *out = wide;
    *n_out = k;
    return GR_OK;
}

gr_status gr__labelled_add(gr__labelled *l, const gr__labelled_row *row)
{
    GR_TRY(gr__spill_grow(&l->row, sizeof *l->row, (size_t)l->n + 1, &l->capacity));
    l->row[l->n++] = *row;
    return GR_OK;
}

static gr_status add_row(gr__labelled *l, const gr__labelled_options *o, int64_t line, const char *text, size_t n_text,
                         const char *label, size_t n_label)
{
    gr__labelled_row row = {.line = line};
    size_t n;
    trim(&text, &n_text);
    trim(&label, &n_label);
    if (n_label == 0 || n_text == 0)
        return gr__fail(GR_ERR_DATA, "%s:%lld: column '%.100s' is empty", l->path, (long long)line,
                        n_label ? o->text : o->label);
    if (memchr(label, 0, n_label) || memchr(text, 0, n_text)) return fail_at(l, line, "there is a 0 byte");
    GR_TRY(copy_text(l, o, line, text, n_text, &row.text, &row.n_text));
    GR_TRY(copy_text(l, o, line, label, n_label, &row.label, &n));
    return gr__labelled_add(l, &row);
}

/* What became of a row: a bad one is left out where the caller says so. */
static gr_status keep_or_skip(gr__labelled *l, const gr__labelled_options *o, gr_status status)
{
    if (status != GR_ERR_DATA || !o->skip_bad) return status;
    if (l->skipped++ == 0 && !(l->first_skipped = gr__arena_strdup(&l->arena, gr_message())))
        return gr__fail_memory("a message", 256);
    return GR_OK;
}

/* ---- tables ---- */

static gr_status read_rows(gr__csv *csv, const gr__labelled_options *o, gr__labelled *l)
{
    size_t text, label;
    bool more = true;
    GR_TRY(gr__csv_column(csv, o->text, &text));
    GR_TRY(gr__csv_column(csv, o->label, &label));
    for (;;) {
        GR_TRY(gr__csv_next_row(csv, &more));
        if (!more) return GR_OK;
        const gr__cell *a = &gr__csv_cells(csv)[text], *b = &gr__csv_cells(csv)[label];
        GR_TRY(keep_or_skip(l, o, add_row(l, o, gr__csv_line(csv), a->text, a->n, b->text, b->n)));
    }
}

static gr_status read_table(const char *path, const gr__labelled_options *o, gr__labelled *l)
{
    gr__csv *csv;
    GR_TRY(gr__csv_open(
        path, &(gr__csv_options){.header = (gr__csv_choice)o->header, .named = o->label, .skip_bad = o->skip_bad},
        &csv));
    gr_status status = read_rows(csv, o, l);
    gr__csv_close(&csv);
    return status;
}

/* ---- lines ---- */

static gr_status add_line(gr__labelled *l, const gr__labelled_options *o, int64_t line, const char *text, size_t n)
{
    size_t cut = 0;
    trim(&text, &n);
    while (cut < n && text[cut] != ' ' && text[cut] != '\t') cut++;
    if (cut == n) return fail_at(l, line, "a line is a label, a blank and a text");
    return add_row(l, o, line, text + cut, n - cut, text, cut);
}

static gr_status add_json(gr__labelled *l, const gr__labelled_options *o, int64_t line, const char *text, size_t n)
{
    gr__json_doc *doc;
    const char *body, *name = NULL;
    char number[32] = "";
    size_t n_body, n_name = 0;
    int64_t whole;
    bool truth;
    gr_status status = gr__json_parse_line(text, n, l->path, (size_t)line, &doc);
    if (status == GR_ERR_CORRUPT || status == GR_ERR_LIMIT) return gr__fail(GR_ERR_DATA, "%s", gr_message());
    GR_TRY(status);
    gr__json root = gr__json_root(doc), label = gr__json_get(root, o->label);
    if (gr__json_bool(label, &truth))
        name = truth ? "true" : "false";
    else if (gr__json_int(label, &whole))
        snprintf(number, sizeof number, "%lld", (long long)whole), name = number;
    if (name) n_name = strlen(name);
    if (gr__json_kind_of(root) != GR__JSON_OBJECT)
        status = fail_at(l, line, "the line is no object");
    else if (!gr__json_string(gr__json_get(root, o->text), &body, &n_body))
        status = gr__fail(GR_ERR_DATA, "%s:%lld: there is no text '%s'", l->path, (long long)line, o->text);
    else if (!name && !gr__json_string(label, &name, &n_name))
        status = gr__fail(GR_ERR_DATA, "%s:%lld: there is no label '%s': a text, or a whole number", l->path,
                          (long long)line, o->label);
    else
        status = add_row(l, o, line, body, n_body, name, n_name);
    gr__json_free(&doc);
    return status;
}

typedef gr_status (*line_fn)(gr__labelled *l, const gr__labelled_options *o, int64_t line, const char *text, size_t n);

static gr_status read_lines(const char *path, const gr__labelled_options *o, line_fn add, gr__labelled *l)
{
    gr__lines *lines;
    const char *text = NULL;
    size_t n = 0;
    bool more = true;
    GR_TRY(gr__lines_open(path, SIZE_MAX, &lines));
    gr_status status = GR_OK;
    while (status == GR_OK) {
        GR_TRY_DONE(gr__lines_next(lines, &text, &n, &more));
        if (!more) break;
        const char *begin = text; /* columns in messages count from the line's own */
        size_t left = n;
        trim(&begin, &left);
        if (left) status = keep_or_skip(l, o, add(l, o, (int64_t)gr__lines_number(lines), text, n));
    }
done:
    gr__lines_close(&lines);
    return status;
}

/* ---- the file ---- */

static gr__labelled_format format_of(const char *path)
{
    if (gr__str_ends_packed(path, ".csv") || gr__str_ends_packed(path, ".tsv")) return GR__LABELLED_TABLE;
    return gr__str_ends_packed(path, ".jsonl") ? GR__LABELLED_JSONL : GR__LABELLED_LINES;
}

gr_status gr__labelled_read(const char *path, const gr__labelled_options *o, gr__labelled *out)
{
    *out = (gr__labelled){.arena = {.spills = true}};
    gr_status status = GR_OK;
    int format = o->format == GR__LABELLED_AUTO ? (int)format_of(path) : o->format;
    out->path = gr__arena_strdup(&out->arena, path);
    if (!out->path)
        status = gr__fail_memory("a path", strlen(path));
    else if (format == GR__LABELLED_TABLE)
        status = read_table(path, o, out);
    else
        status = read_lines(path, o, format == GR__LABELLED_JSONL ? add_json : add_line, out);
    if (status == GR_OK && out->n == 0) status = gr__fail(GR_ERR_DATA, "'%s' holds no text with a label", path);
    if (status != GR_OK) gr__labelled_release(out);
    return status;
}

void gr__labelled_release(gr__labelled *l)
{
    gr__spill_free(l->row);
    gr__arena_release(&l->arena);
    *l = (gr__labelled){0};
}

/* ---- labels ---- */

static int by_bytes(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

static int by_number(const void *a, const void *b)
{
    int64_t x = 0, y = 0;
    gr__parse_int(*(const char *const *)a, &x);
    gr__parse_int(*(const char *const *)b, &y);
    return x != y ? (x > y) - (x < y) : by_bytes(a, b); /* "1" and "01" */
}

gr_status gr__labelled_names(const gr__labelled *l, size_t most, gr__arena *arena, gr__conf_strings *out)
{
    gr__map seen = {0};
    bool numbers = true;
    gr_status status = GR_OK;
    *out = (gr__conf_strings){0};
    for (int64_t i = 0; i < l->n; i++) {
        const char *label = l->row[i].label;
        int64_t number;
        if (!gr__map_get_name(&seen, label)) GR_TRY_DONE(gr__map_set_name(&seen, label, i, NULL));
        numbers = numbers && gr__parse_int(label, &number);
        if (seen.count > most)
            GR_TRY_DONE(gr__fail(GR_ERR_DATA,
                                 "%s:%lld: more than %zu different labels; is data.label the right column?", l->path,
                                 (long long)l->row[i].line, most));
    }
    out->item = gr__arena_alloc(arena, (seen.count + 1) * sizeof *out->item);
    if (!out->item) GR_TRY_DONE(gr__fail_memory("labels", seen.count * sizeof *out->item));
    for (size_t k = 0; k < seen.count; k++) out->item[out->n++] = l->row[seen.entry[k].value].label;
    qsort(out->item, out->n, sizeof *out->item, numbers ? by_number : by_bytes);
done:
    gr__map_release(&seen);
    return status;
}
