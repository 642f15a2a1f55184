/* The formats that records are written in. */
#include "data/records.h"

#include "base/file.h"
#include "base/json.h"
#include "format/columns.h"
#include "format/npy.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { FLUSH_BYTES = 1 << 20 };

typedef enum form { FORM_TABLE, FORM_JSON, FORM_ARRAY, FORM_TEXT } form;

typedef struct writing {
    const gr_records *r;
    char separator;
    bool quote_first; /* name */
    int64_t text;     /* column of FORM_TEXT */
} writing;

static form form_of(const char *path)
{
    if (gr__str_ends(path, ".csv") || gr__str_ends(path, ".tsv")) return FORM_TABLE;
    if (gr__str_ends(path, ".jsonl") || gr__str_ends(path, ".ndjson")) return FORM_JSON;
    return gr__str_ends(path, ".npy") ? FORM_ARRAY : FORM_TEXT;
}

/* ---- rows ---- */

static bool is_plain(const gr__cell *c, const writing *w)
{
    if (c->n == 0) return !c->quoted && w->r->columns > 1; /* an empty line is no row */
    for (size_t i = 0; i < c->n; i++)
        if (c->text[i] == w->separator || c->text[i] == '"' || c->text[i] == '\n' || c->text[i] == '\r') return false;
    return c->text[0] != ' ' && c->text[c->n - 1] != ' ';
}

static void add_cell(gr__str *s, const gr__cell *c, bool plain)
{
    if (plain) {
        gr__str_add_n(s, c->text, c->n);
        return;
    }
    gr__str_add_char(s, '"');
    for (size_t i = 0; i < c->n; i++) {
        if (c->text[i] == '"') gr__str_add_char(s, '"');
        gr__str_add_char(s, c->text[i]);
    }
    gr__str_add_char(s, '"');
}

static gr__cell name_of(const gr_records *r, int64_t column)
{
    return (gr__cell){r->name[column], (uint32_t)strlen(r->name[column]), false};
}

static void add_names(gr__str *s, const writing *w)
{
    for (int64_t i = 0; i < w->r->columns; i++) {
        const gr__cell c = name_of(w->r, i);
        if (i) gr__str_add_char(s, w->separator);
        add_cell(s, &c, is_plain(&c, w) && !(i == 0 && w->quote_first));
    }
    gr__str_add_char(s, '\n');
}

/* In TAB files most quotes are just characters: whoever reads one takes them for quotes only where they are seen early and hold
 * no line break. So the first name says it for cells that come late, and a line break cannot be written. */
static gr_status look_for_quotes(writing *w)
{
    const gr_records *r = w->r;
    for (int64_t i = -1; i < r->rows; i++)
        for (int64_t k = 0; k < r->columns; k++) {
            const gr__cell c = i < 0 ? name_of(r, k) : r->row[i].cell[k];
            if (is_plain(&c, w)) continue;
            w->quote_first = true;
            if (memchr(c.text, '\n', c.n))
                return gr__fail(
                    GR_ERR_DATA,
                    "%s:%lld: the text in column '%.60s' has a line break: a .tsv cannot hold it; write .csv "
                    "or .jsonl, or clean it first (data clean)",
                    r->path, (long long)(i < 0 ? 1 : r->row[i].line), r->name[k]);
        }
    return GR_OK;
}

/* A number as JSON writes it: "007" and "1." are texts. */
static bool is_json_number(const gr__cell *c)
{
    double value;
    const char *p = c->text + (c->n && c->text[0] == '-');
    size_t n = c->n - (size_t)(p - c->text);
    if (c->quoted || n == 0 || !gr__cell_number(c, false, &value)) return false;
    if (p[0] < '0' || p[0] > '9' || (p[0] == '0' && n > 1 && p[1] >= '0' && p[1] <= '9')) return false;
    const char *dot = memchr(p, '.', n);
    return p[n - 1] >= '0' && p[n - 1] <= '9' && (!dot || (dot[1] >= '0' && dot[1] <= '9'));
}

static bool is_word(const gr__cell *c, const char *word)
{
    return !c->quoted && c->n == strlen(word) && memcmp(c->text, word, c->n) == 0;
}

/* Every line has every key: columns keep their order, and an empty one stays. */
static void add_object(gr__str *s, const gr_records *r, const gr__cell *cell)
{
    gr__str_add_char(s, '{');
    for (int64_t i = 0; i < r->columns; i++) {
        if (i) gr__str_add(s, ", ");
        gr__json_add_string(s, r->name[i], strlen(r->name[i]));
        gr__str_add(s, ": ");
        if (cell[i].n == 0 && !cell[i].quoted)
            gr__str_add(s, "null");
        else if (is_json_number(&cell[i]) || is_word(&cell[i], "true") || is_word(&cell[i], "false"))
            gr__str_add_n(s, cell[i].text, cell[i].n);
        else
            gr__json_add_string(s, cell[i].text, cell[i].n);
    }
    gr__str_add(s, "}\n");
}

/* One line stays one line. */
static void add_line(gr__str *s, const gr__cell *c)
{
    for (size_t i = 0; i < c->n; i++) gr__str_add_char(s, c->text[i] == '\n' || c->text[i] == '\r' ? ' ' : c->text[i]);
    gr__str_add_char(s, '\n');
}

static void add_row(gr__str *s, const writing *w, form f, const gr__cell *cell)
{
    if (f == FORM_JSON) {
        add_object(s, w->r, cell);
    } else if (f == FORM_TEXT) {
        add_line(s, &cell[w->text]);
    } else {
        for (int64_t k = 0; k < w->r->columns; k++) {
            if (k) gr__str_add_char(s, w->separator);
            add_cell(s, &cell[k], is_plain(&cell[k], w));
        }
        gr__str_add_char(s, '\n');
    }
}

/* Which no reader of tables or texts takes; only JSON has a way to write it. */
static gr_status no_zero_byte(const gr_records *r, const gr__record *row)
{
    for (int64_t k = 0; k < r->columns; k++)
        GR_FAIL_IF(memchr(row->cell[k].text, 0, row->cell[k].n), GR_ERR_DATA,
                   "%s:%lld: the text in column '%.60s' has a 0 byte, which only .jsonl can hold", r->path,
                   (long long)row->line, r->name[k]);
    return GR_OK;
}

static gr_status write_rows(const writing *w, form f, const char *path)
{
    gr__writer *out;
    gr__str s = {0};
    GR_TRY(gr__writer_open(path, 0, &out));
    gr_status status = GR_OK;
    if (f == FORM_TABLE) add_names(&s, w);
    for (int64_t i = 0; i < w->r->rows && status == GR_OK; i++) {
        if (f != FORM_JSON) status = no_zero_byte(w->r, &w->r->row[i]);
        add_row(&s, w, f, w->r->row[i].cell);
        if (s.n < FLUSH_BYTES && i + 1 < w->r->rows) continue;
        if (status == GR_OK) status = gr__str_check(&s);
        if (status == GR_OK) status = gr__writer_write(out, gr__str_get(&s), s.n);
        gr__str_clear(&s);
    }
    gr__str_release(&s);
    if (status == GR_OK) return gr__writer_commit(&out);
    gr__writer_drop(&out);
    return status;
}

/* ---- arrays ---- */

static gr_status no_number(const gr_records *r, int64_t column)
{
    double v;
    for (int64_t i = 0; i < r->rows; i++) {
        const gr__cell *c = &r->row[i].cell[column];
        if (!gr__cell_is_missing(c) && !gr__cell_number(c, false, &v))
            return gr__fail(GR_ERR_DATA, "%s:%lld: '%.60s' in column '%s' is not a number: an array cannot hold it",
                            r->path, (long long)r->row[i].line, c->text, r->name[column]);
    }
    return GR_OK;
}

/* The digits of an integer without its sign and the zeros in front; 0 of them: it is none, or zero. */
static size_t integer_digits(const gr__cell *cell, const char **digits, bool *minus)
{
    size_t n;
    const char *p = gr__cell_trimmed(cell, &n), *end = p + n;
    *minus = n && *p == '-';
    p += n && (*p == '-' || *p == '+');
    while (p < end && *p == '0') p++;
    *digits = p;
    while (p < end && *p >= '0' && *p <= '9') p++;
    return p == end ? (size_t)(p - *digits) : 0;
}

/* Whether f64 keeps every digit of a cell that is an integer. */
static bool is_kept(const gr__cell *c, double value)
{
    enum { SURE = 15 };
    const char *digits;
    char kept[80];
    bool minus;
    if (c->n <= SURE) return true;
    size_t n = integer_digits(c, &digits, &minus);
    if (n <= SURE) return true;
    snprintf(kept, sizeof kept, "%.0f", fabs(value));
    return strlen(kept) == n && memcmp(kept, digits, n) == 0;
}

/* As i64 or u64 (in two's complement); false: it is no integer, or too large. */
static bool take_integer(const gr__cell *c, bool is_signed, uint64_t *out)
{
    const char *digits;
    bool minus;
    double v;
    uint64_t value = 0;
    size_t n = integer_digits(c, &digits, &minus);
    if (n == 0 && !(gr__cell_number(c, false, &v) && v == 0)) return false;
    for (size_t i = 0; i < n; i++) {
        uint64_t digit = (uint64_t)(digits[i] - '0');
        if (value > (UINT64_MAX - digit) / 10) return false;
        value = 10 * value + digit;
    }
    *out = minus ? 0 - value : value;
    return is_signed ? value <= (uint64_t)INT64_MAX + minus : !minus || value == 0;
}

static bool take_integers(const gr_records *r, bool is_signed, uint64_t *out)
{
    for (int64_t i = 0; i < r->rows; i++)
        for (int64_t k = 0; k < r->columns; k++)
            if (!take_integer(&r->row[i].cell[k], is_signed, &out[i * r->columns + k])) return false;
    return true;
}

/* Where f64 would change an integer, row 'row' of column 'column' being the first. */
static gr_status write_integers(const gr_records *r, const char *path, int64_t row, int64_t column)
{
    size_t n = (size_t)(r->rows * r->columns);
    uint64_t *all = gr__calloc(n + 1, sizeof *all);
    if (!all) return gr__fail_memory("an array", n * sizeof *all);
    bool is_signed = take_integers(r, true, all);
    gr_status status;
    if (is_signed || take_integers(r, false, all))
        status = gr__npy_write(
            path,
            &(gr_tensor){.dtype = is_signed ? GR_I64 : GR_U64, .rank = 2, .dim = {r->rows, r->columns}, .data = all});
    else
        status = gr__fail(GR_ERR_DATA,
                          "%s:%lld: '%.60s' in column '%s' has more digits than f64 keeps, and other cells are no "
                          "integers of 64 bits, so that the array cannot be one of integers; leave the column out, or "
                          "write .csv or .jsonl",
                          r->path, (long long)r->row[row].line, r->row[row].cell[column].text, r->name[column]);
    gr__free(all);
    return status;
}

static gr_status write_array(const gr_records *r, const char *path)
{
    size_t n = (size_t)(r->rows * r->columns);
    int64_t lost = -1; /* the first cell that f64 would change */
    double *all = gr__calloc(n + 1, sizeof *all), *column = gr__calloc((size_t)r->rows + 1, sizeof *column);
    gr_status status = all && column ? GR_OK : gr__fail_memory("an array", n * sizeof *all);
    for (int64_t k = 0; k < r->columns && status == GR_OK; k++) {
        if (!gr__records_numbers(r, k, column)) status = no_number(r, k);
        for (int64_t i = 0; i < r->rows; i++) {
            all[i * r->columns + k] = column[i];
            if (lost < 0 && !isnan(column[i]) && !is_kept(&r->row[i].cell[k], column[i])) lost = i * r->columns + k;
        }
    }
    if (status == GR_OK && lost < 0)
        status =
            gr__npy_write(path, &(gr_tensor){.dtype = GR_F64, .rank = 2, .dim = {r->rows, r->columns}, .data = all});
    gr__free(all);
    gr__free(column);
    return status == GR_OK && lost >= 0 ? write_integers(r, path, lost / r->columns, lost % r->columns) : status;
}

gr_status gr_records_save(const gr_records *r, const char *path)
{
    GR_FAIL_IF(!r || !path, GR_ERR_ARGUMENT, "gr_records_save: an argument is NULL");
    GR_FAIL_IF(gr__str_ends(path, ".gz"), GR_ERR_UNSUPPORTED, "'%s': files are written unpacked; leave .gz out", path);
    form f = form_of(path);
    bool tabs = r->columns > 1 && gr__str_ends(path, ".tsv"); /* one column has no TAB to tell */
    writing w = {.r = r, .separator = tabs ? '\t' : ','};
    if (f == FORM_ARRAY) return write_array(r, path);
    if (tabs) GR_TRY(look_for_quotes(&w));
    if (f == FORM_TEXT && r->columns > 1) {
        GR_FAIL_IF(
            !gr__str_ends(path, ".txt"), GR_ERR_UNSUPPORTED,
            "'%s': this ending names no format for %lld columns; .csv, .tsv, .jsonl, .ndjson and .npy do, and .txt, "
            "which holds the column 'text' alone",
            path, (long long)r->columns);
        GR_TRY(gr_records_column(r, "text", &w.text));
    }
    return write_rows(&w, f, path);
}
