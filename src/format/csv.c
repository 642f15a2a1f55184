/* Rows of a CSV file with names for the columns, and what a cell means. */
#include "format/csv_int.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/map.h"

#include <math.h>
#include <string.h>

struct gr__csv {
    gr__csv_records records;
    gr__mapping map; /* or a stream */
    gr__arena arena; /* path and names */
    gr__csv_form form;
    bool waiting; /* the first row was read at opening and is data */
    bool skip_bad;
    int64_t bad; /* rows left out */
    const char *first_bad;
    size_t columns;
    const char **name;
    gr__cell *cell;
};

/* ---- opening ---- */

static gr_status refuse_utf16(const gr__csv_records *r)
{
    const unsigned char *p = r->input;
    bool utf16 = r->filled >= 2 && ((p[0] == 0xFF && p[1] == 0xFE) || (p[0] == 0xFE && p[1] == 0xFF));
    GR_FAIL_IF(utf16, GR_ERR_DATA, "%s:1: is in UTF-16; save it as UTF-8", r->path);
    return GR_OK;
}

static gr_status take_names(gr__csv *c)
{
    const gr__csv_records *r = &c->records;
    c->columns = r->count;
    if (!(c->name = gr__calloc(c->columns, sizeof *c->name)) || !(c->cell = gr__calloc(c->columns, sizeof *c->cell)))
        return gr__fail_memory("the columns of a table", c->columns * sizeof *c->cell);
    for (size_t i = 0; i < c->columns; i++) {
        const char *text = r->text + r->field[i].begin;
        size_t n = r->field[i].n;
        while (n > 0 && (text[0] == ' ' || text[0] == '\t')) text++, n--;
        while (n > 0 && (text[n - 1] == ' ' || text[n - 1] == '\t')) n--;
        c->name[i] = c->form.header && n > 0 ? gr__arena_strndup(&c->arena, text, n)
                                             : gr__arena_printf(&c->arena, "column_%zu", i + 1);
        if (!c->name[i]) return gr__fail_memory("the name of a column", n);
    }
    return GR_OK;
}

static gr_status stream_input(gr__csv *c)
{
    gr__csv_records *r = &c->records;
    if (!(r->input = gr__alloc(GR__CSV_INPUT_BYTES))) return gr__fail_memory("a file buffer", GR__CSV_INPUT_BYTES);
    GR_TRY(gr__stream_open(r->path, &r->stream));
    return gr__csv_fill(r);
}

static gr_status map_input(gr__csv *c)
{
    gr__csv_records *r = &c->records;
    GR_TRY(gr__file_map(r->path, &c->map));
    r->input = (unsigned char *)(uintptr_t)c->map.data; /* without a stream it is only read */
    r->filled = c->map.n;
    r->end = true;
    return GR_OK;
}

static gr_status start(gr__csv *c, const char *path, const gr__csv_options *options, bool mapped)
{
    static const gr__csv_options sniff_all = {0};
    gr__csv_records *r = &c->records;
    bool more = false;
    c->skip_bad = options && options->skip_bad;
    if (!(r->path = gr__arena_strdup(&c->arena, path))) return gr__fail_memory("a file name", strlen(path));
    GR_TRY(mapped ? map_input(c) : stream_input(c));
    GR_TRY(refuse_utf16(r));
    if (r->filled >= 3 && memcmp(r->input, "\xEF\xBB\xBF", 3) == 0) r->used = 3;
    r->next_line = 1;
    gr__csv_records sample = *r;
    sample.filled = GR__MIN(r->filled, GR__CSV_INPUT_BYTES);
    sample.end = r->end && sample.filled == r->filled;
    GR_TRY(gr__csv_sniff(&sample, options ? options : &sniff_all, &c->form));
    r->separator = c->form.separator;
    r->quotes = c->form.quotes;
    GR_TRY(gr__csv_next_record(r, &more));
    GR_FAIL_IF(!more, GR_ERR_DATA, "'%s' has no rows", path);
    c->waiting = !c->form.header;
    return take_names(c);
}

static gr_status open(const char *path, const gr__csv_options *options, bool mapped, gr__csv **out)
{
    gr__csv *c = gr__calloc(1, sizeof *c);
    if (!c) return gr__fail_memory("a CSV file", sizeof *c);
    gr_status status = start(c, path, options, mapped);
    if (status == GR_OK)
        *out = c;
    else
        gr__csv_close(&c);
    return status;
}

gr_status gr__csv_open(const char *path, const gr__csv_options *options, gr__csv **out)
{
    return open(path, options, false, out);
}

gr_status gr__csv_open_mapped(const char *path, const gr__csv_options *options, gr__csv **out)
{
    return open(path, options, true, out);
}

void gr__csv_close(gr__csv **csv)
{
    gr__csv *c = *csv;
    if (!c) return;
    gr__stream_close(&c->records.stream);
    gr__csv_records_release(&c->records);
    if (!c->map.base) gr__free(c->records.input);
    gr__file_unmap(&c->map);
    gr__free(c->name);
    gr__free(c->cell);
    gr__arena_release(&c->arena);
    gr__free(c);
    *csv = NULL;
}

/* ---- rows ---- */

/* The next row, whatever its number of fields; GR_ERR_DATA if that is not the file's. */
static gr_status next_row(gr__csv *c, bool *more)
{
    gr__csv_records *r = &c->records;
    *more = true;
    if (!c->waiting) GR_TRY(gr__csv_next_record(r, more));
    c->waiting = false;
    GR_FAIL_IF(*more && r->count != c->columns, GR_ERR_DATA, "%s:%lld: the row has %zu fields, expected %zu", r->path,
               (long long)r->line, r->count, c->columns);
    return GR_OK;
}

static gr_status warn_of_bad(const gr__csv *c)
{
    if (c->bad == 1) gr__log(GR_LOG_WARNING, "%s; this row was left out", c->first_bad);
    if (c->bad > 1)
        gr__log(GR_LOG_WARNING, "%s; this row and %lld more were left out", c->first_bad, (long long)(c->bad - 1));
    return GR_OK;
}

gr_status gr__csv_next_row(gr__csv *c, bool *more)
{
    const gr__csv_records *r = &c->records;
    gr_status status;
    while ((status = next_row(c, more)) != GR_OK && c->skip_bad && gr__csv_is_bad_record(status))
        if (c->bad++ == 0 && !(c->first_bad = gr__arena_strdup(&c->arena, gr_message())))
            return gr__fail_memory("a sentence", strlen(gr_message()));
    GR_TRY(status);
    if (!*more) return warn_of_bad(c);
    for (size_t i = 0; i < c->columns; i++)
        c->cell[i] = (gr__cell){r->text + r->field[i].begin, (uint32_t)r->field[i].n, r->field[i].quoted};
    return GR_OK;
}

bool gr__csv_take_simple_row(gr__csv *c, char *room, size_t left, gr__cell *cell, size_t *used)
{
    gr__csv_records *r = &c->records;
    size_t n, taken, k = 0;
    if (c->waiting || !gr__csv_simple_line(r, &n, &taken) || n == 0 || n + 1 > left) return false;
    memcpy(room, r->input + r->used, n);
    room[n] = 0;
    for (char *at = room, *end = room + n;;) {
        char *stop = memchr(at, r->separator, (size_t)(end - at));
        if (k == c->columns) return false;
        cell[k++] = (gr__cell){at, (uint32_t)((stop ? stop : end) - at), false};
        if (!stop) break;
        *stop = 0;
        at = stop + 1;
    }
    if (k != c->columns) return false;
    *used = n + 1;
    r->used += taken;
    r->line = r->next_line++;
    return true;
}

uint64_t gr__csv_place_of(const gr__csv *c) { return c->records.begin; }

void gr__csv_go_to(gr__csv *c, uint64_t place, int64_t line)
{
    c->records.used = (size_t)place;
    c->records.next_line = line;
    c->waiting = false;
}

const gr__cell *gr__csv_cells(const gr__csv *c) { return c->cell; }
int64_t gr__csv_line(const gr__csv *c) { return c->records.line; }
char gr__csv_separator(const gr__csv *c) { return c->records.separator; }
bool gr__csv_has_header(const gr__csv *c) { return c->form.header; }
bool gr__csv_header_guessed(const gr__csv *c) { return c->form.header_guessed; }
bool gr__csv_decimal_comma(const gr__csv *c) { return c->form.decimal_comma; }
size_t gr__csv_columns(const gr__csv *c) { return c->columns; }
const char *gr__csv_name(const gr__csv *c, size_t column) { return c->name[column]; }

gr_status gr__csv_column(const gr__csv *c, const char *name, size_t *out)
{
    int64_t number;
    for (size_t i = 0; i < c->columns; i++)
        if (strcmp(c->name[i], name) == 0) {
            *out = i;
            return GR_OK;
        }
    if (gr__parse_int(name, &number) && number >= 0 && (uint64_t)number < c->columns) {
        *out = (size_t)number;
        return GR_OK;
    }
    return gr__csv_no_column(c->records.path, name, c->name, c->columns, c->form.header);
}

gr_status gr__csv_no_column(const char *path, const char *name, const char *const *names, size_t n, bool header)
{
    gr__str hint = {0};
    const char *near = gr__str_nearest(name, names, n);
    if (near)
        gr__str_printf(&hint, "; did you mean '%s'?", near);
    else
        for (size_t i = 0; i < n && hint.n < 300; i++) gr__str_printf(&hint, "%s%s", i ? ", " : "; it has: ", names[i]);
    if (!header) gr__str_add(&hint, "; its first row was taken for data: data.header=yes where it holds names");
    gr_status status = gr__fail(GR_ERR_NOT_FOUND, "'%s' has no column '%s'%s", path, name, gr__str_get(&hint));
    gr__str_release(&hint);
    return status;
}

gr_status gr__csv_check_names(const char *path, const char *const *name, size_t n)
{
    gr__map seen = {0};
    gr_status status = GR_OK;
    for (size_t i = 0; i < n && status == GR_OK; i++) {
        bool twice = false;
        status = gr__map_set_name(&seen, name[i], (int64_t)i, &twice);
        if (twice)
            status = gr__fail(GR_ERR_DATA, "'%s': two columns have the name '%.100s'; rename one", path, name[i]);
    }
    gr__map_release(&seen);
    return status;
}

/* ---- cells ---- */

static gr__cell trimmed(const gr__cell *cell)
{
    gr__cell c = *cell;
    while (c.n > 0 && (c.text[0] == ' ' || c.text[0] == '\t')) c.text++, c.n--;
    while (c.n > 0 && (c.text[c.n - 1] == ' ' || c.text[c.n - 1] == '\t')) c.n--;
    return c;
}

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c; }

static bool same_word(const gr__cell *c, const char *word)
{
    size_t i = 0;
    while (i < c->n && word[i] && lower(c->text[i]) == lower(word[i])) i++;
    return i == c->n && !word[i];
}

bool gr__cell_is_missing(const gr__cell *cell)
{
    static const char *const words[] = {"NA", "N/A", "NaN", "null", "none", "?"};
    gr__cell c = trimmed(cell);
    if (c.n == 0) return true;
    for (size_t i = 0; i < GR__COUNT(words) && !c.quoted && c.n <= 4; i++)
        if (same_word(&c, words[i])) return true;
    return false;
}

/* Digits with a point in them, as most numbers are: up to 15 digits are exact in a double, and so is the one
 * product or quotient of the two (Clinger 1990). false: another way must be taken. */
static bool short_number(const gr__cell *c, char point, double *out)
{
    static const double power[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    const char *p = c->text, *end = p + c->n;
    bool minus = *p == '-';
    uint64_t whole = 0;
    if (c->n > 17) return false;
    p += minus || *p == '+';
    const char *first = p;
    for (unsigned d; p < end && (d = (unsigned char)*p - (unsigned)'0') <= 9; p++) whole = 10 * whole + d;
    size_t digits = (size_t)(p - first), places = 0;
    if (p < end && (*p == '.' || *p == point)) {
        const char *behind = ++p;
        for (unsigned d; p < end && (d = (unsigned char)*p - (unsigned)'0') <= 9; p++) whole = 10 * whole + d;
        places = (size_t)(p - behind);
    }
    digits += places;
    if (p < end || digits == 0 || digits > 15) return false;
    double value = places ? (double)whole / power[places] : (double)whole;
    *out = minus ? -value : value;
    return true;
}

bool gr__cell_number(const gr__cell *cell, bool decimal_comma, double *out)
{
    char text[64];
    if (cell->n && short_number(cell, decimal_comma ? ',' : '.', out)) return true;
    gr__cell c = trimmed(cell);
    if (c.n == 0 || c.n >= sizeof text) return false;
    for (size_t i = 0; i < c.n; i++) { /* no "inf", "nan" or hexadecimal */
        char x = c.text[i];
        bool good = (x >= '0' && x <= '9') || strchr("+-.eE", x) || (x == ',' && decimal_comma);
        if (!good || x == 0) return false;
        text[i] = x == ',' ? '.' : x;
    }
    text[c.n] = 0;
    return gr__parse_double(text, out) && isfinite(*out);
}

gr_status gr__csv_too_large(const char *path, int64_t line, const char *column, double value, double most)
{
    return gr__fail(GR_ERR_DATA,
                    "%s:%lld: %g in column '%.100s' is too large for a model, which computes with numbers up to %g; "
                    "clip it, or leave the row out",
                    path, (long long)line, value, column, most);
}
