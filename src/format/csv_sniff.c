/* Guessing the form of a CSV file from its first 64 KiB, by reading that sample in every form that is possible. */
#include "format/columns.h"
#include "format/csv_int.h"

#include "base/limits.h"
#include "base/map.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SAMPLE_ROWS = 100, SAMPLE_COLUMNS = 256 };

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80); }

static gr__csv_records again(const gr__csv_records *sample, char separator, bool quotes)
{
    gr__csv_records r = *sample;
    r.stream = NULL;
    r.end = true;
    r.text = NULL;
    r.field = NULL;
    r.gone = r.again = (gr__csv_bytes){0};
    r.text_capacity = r.field_capacity = r.count = r.text_n = 0;
    r.separator = separator;
    r.quotes = quotes;
    return r;
}

/* A cut sample ends in the middle of a row: that row does not count. */
static gr_status next(gr__csv_records *r, const gr__csv_records *sample, bool *more)
{
    GR_TRY(gr__csv_next_record(r, more));
    if (r->used == r->filled && !sample->end) *more = false;
    return GR_OK;
}

/* How well this form explains the sample: the number of columns, and far more when no row disagrees; 0: not at all.
 * GR_ERR_MEMORY is the only failure. */
static gr_status score_of(const gr__csv_records *sample, char separator, bool quotes, size_t *score)
{
    gr__csv_records r = again(sample, separator, quotes);
    size_t rows = 0, agree = 0, columns = 0;
    bool more = true;
    gr_status status = GR_OK;
    while (more && rows < SAMPLE_ROWS) {
        status = next(&r, sample, &more);
        bool bad = gr__csv_is_bad_record(status);
        if (bad ? !sample->end : status != GR_OK || !more)
            break; /* a quote still open at the end of a cut sample is no fault */
        more = true;
        rows++;
        if (!bad && columns == 0) columns = r.count;
        agree += !bad && r.count == columns;
    }
    gr__csv_records_release(&r);
    if (status != GR_OK && !gr__csv_is_bad_record(status)) return status;
    bool good = columns > 1 && agree * 5 >= rows * 4;
    *score = good ? columns + (agree == rows ? GR__LIMIT_CSV_COLUMNS : 0) : 0;
    return GR_OK;
}

/* In a TAB file a quote is mostly just a character; it quotes where every field that starts with one ends with one. */
static bool tab_quotes(const gr__csv_records *sample)
{
    bool found = false, start = true;
    for (size_t i = sample->used; i < sample->filled; i++) {
        char c = (char)sample->input[i];
        if (start && c == '"') {
            size_t j = i + 1;
            while (j < sample->filled &&
                   (sample->input[j] != '"' || (j + 1 < sample->filled && sample->input[j + 1] == '"'))) {
                if (sample->input[j] == '\n') return false;
                j += sample->input[j] == '"' ? 2 : 1;
            }
            if (j + 1 >= sample->filled) return found;
            char after = (char)sample->input[j + 1];
            if (after != '\t' && after != '\n' && after != '\r') return false;
            found = true;
            i = j;
        }
        start = c == '\t' || c == '\n' || c == '\r';
    }
    return found;
}

/* A .tsv whose first line has a TAB: what its rows look like decides nothing. One column has none, and may have quotes. */
static bool is_tsv(const gr__csv_records *sample)
{
    const unsigned char *at = sample->input + sample->used, *end = sample->input + sample->filled;
    while (at < end && *at != '\t' && *at != '\n' && *at != '\r') at++;
    return gr__str_ends_packed(sample->path, ".tsv") && at < end && *at == '\t';
}

static gr_status sniff_separator(const gr__csv_records *sample, const gr__csv_options *o, char *separator, bool *quotes)
{
    static const char candidates[] = {',', ';', '\t', '|'};
    size_t best = 0;
    char told = o->separator ? o->separator : is_tsv(sample) ? '\t' : 0;
    *separator = told ? told : ',';
    for (size_t i = 0; i < sizeof candidates && !told; i++) {
        size_t score;
        bool q = o->quotes != GR__CSV_SNIFF ? o->quotes == GR__CSV_YES : candidates[i] != '\t' || tab_quotes(sample);
        GR_TRY(score_of(sample, candidates[i], q, &score));
        if (score > best) {
            best = score;
            *separator = candidates[i];
        }
    }
    *quotes = o->quotes != GR__CSV_SNIFF ? o->quotes == GR__CSV_YES : *separator != '\t' || tab_quotes(sample);
    return GR_OK;
}

/* ---- header and decimal comma ---- */

static gr__cell cell_of(const gr__csv_records *r, size_t i)
{
    return (gr__cell){r->text + r->field[i].begin, (uint32_t)r->field[i].n, r->field[i].quoted};
}

static bool looks_like_name(const gr__cell *cell)
{
    double v;
    return cell->n > 0 && cell->n <= 64 && !gr__cell_number(cell, false, &v) && !gr__cell_number(cell, true, &v) &&
           !memchr(cell->text, '\n', cell->n);
}

static bool is_text(const gr__cell *cell, const char *text)
{
    size_t n;
    const char *own = gr__cell_trimmed(cell, &n);
    return n == strlen(text) && memcmp(own, text, n) == 0;
}

/* inf, nan, 1e400: nothing to learn from, but among numbers no words either. */
static bool is_odd_number(const gr__cell *cell)
{
    double v;
    char text[32];
    size_t n;
    const char *own = gr__cell_trimmed(cell, &n);
    snprintf(text, sizeof text, "%.*s", (int)GR__MIN(n, sizeof text), own);
    return n < sizeof text && gr__parse_double(text, &v) && !isfinite(v);
}

/* A header is a first row of names, and not like what follows: a column below it holds numbers, or no name comes again in its
 * column, nor beside it. */
typedef struct evidence {
    bool names;       /* the first row could be one */
    bool data;        /* it cannot: it has a number or a long text */
    bool numbers;     /* some column below is all numbers */
    bool named;       /* it has a name that was looked for */
    bool twice;       /* a name comes again beside it */
    bool again;       /* or below it */
    bool identifiers; /* all names look like words of a program */
    size_t rows, columns;
    bool numeric[SAMPLE_COLUMNS];
    size_t commas, points; /* cells like 1,5 and like 1.5 */
} evidence;

static gr_status see_first(evidence *e, const gr__csv_records *r, const char *named, gr__map *names)
{
    e->columns = GR__MIN(r->count, (size_t)SAMPLE_COLUMNS);
    e->names = e->identifiers = true;
    for (size_t i = 0; i < e->columns; i++) {
        gr__cell cell = cell_of(r, i);
        bool twice, index = i == 0 && cell.n == 0 && e->columns > 1; /* pandas leaves its index without a name */
        e->names = e->names && (index || looks_like_name(&cell));
        e->named = e->named || (named && looks_like_name(&cell) && is_text(&cell, named));
        e->data = e->data || (cell.n > 0 && !looks_like_name(&cell));
        e->identifiers = e->identifiers && (index || (is_letter(cell.text[0]) && !memchr(cell.text, ' ', cell.n)));
        GR_TRY(gr__map_set(names, cell.text, cell.n, (int64_t)i, &twice));
        e->twice = e->twice || twice;
        e->numeric[i] = true;
    }
    return GR_OK;
}

static void see_row(evidence *e, const gr__csv_records *r, const gr__map *names)
{
    for (size_t i = 0; i < e->columns && i < r->count; i++) {
        gr__cell cell = cell_of(r, i);
        double v;
        bool point = gr__cell_number(&cell, false, &v), comma = !point && gr__cell_number(&cell, true, &v);
        const int64_t *at = gr__map_get(names, cell.text, cell.n);
        e->numeric[i] = e->numeric[i] && (point || comma || gr__cell_is_missing(&cell) || is_odd_number(&cell));
        e->again = e->again || (at && *at == (int64_t)i);
        e->commas += comma;
        e->points += point && memchr(cell.text, '.', cell.n) != NULL;
    }
}

/* A blank in a name tells much: rows of sentences have no other mark. So a header like "Review text" above nothing but texts is
 * taken for a row; but that was a guess, as it is where only the look of words speaks for names. */
static void decide_header(const evidence *e, gr__csv_choice choice, gr__csv_form *out)
{
    bool guess = e->named || (e->names && (!e->twice || e->numbers) &&
                              (e->rows == 1 ? e->identifiers : e->numbers || (!e->again && e->identifiers)));
    out->header = choice != GR__CSV_SNIFF ? choice == GR__CSV_YES : guess;
    out->header_guessed = choice == GR__CSV_SNIFF && !e->named && !e->numbers && !e->data && !e->twice && !e->again;
}

gr_status gr__csv_sniff(const gr__csv_records *sample, const gr__csv_options *o, gr__csv_form *out)
{
    evidence e = {0};
    gr__map names = {0};
    bool more = true;
    GR_TRY(sniff_separator(sample, o, &out->separator, &out->quotes));
    gr__csv_records r = again(sample, out->separator, out->quotes);
    gr_status status = GR_OK;
    while (e.rows < SAMPLE_ROWS && status == GR_OK) {
        status = next(&r, sample, &more);
        if (status != GR_OK || (!more && (e.rows > 0 || r.count == 0))) break;
        if (e.rows++ == 0)
            status = see_first(&e, &r, o->named, &names);
        else
            see_row(&e, &r, &names);
        if (!more) break;
    }
    gr__csv_records_release(&r);
    gr__map_release(&names);
    if (status == GR_ERR_MEMORY) return status; /* other faults are found again, and told, when the rows are read */
    for (size_t i = 0; i < e.columns && e.rows > 1; i++) e.numbers = e.numbers || e.numeric[i];
    decide_header(&e, o->header, out);
    out->decimal_comma = o->decimal_comma != GR__CSV_SNIFF ? o->decimal_comma == GR__CSV_YES
                                                           : out->separator != ',' && e.commas > 0 && e.points == 0;
    return GR_OK;
}
