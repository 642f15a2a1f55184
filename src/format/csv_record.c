/* RFC 4180, one byte at a time: a record ends at a line break outside quotes; inside quotes only "" and " mean
 * something. LF, CRLF and CR end lines. */
#include "format/csv_int.h"

#include "base/limits.h"

#include <string.h>

static gr_status append(gr__csv_bytes *to, const unsigned char *bytes, size_t n)
{
    GR_TRY(gr__grow(&to->bytes, 1, to->n + n, &to->capacity));
    if (n) memcpy(to->bytes + to->n, bytes, n);
    to->n += n;
    return GR_OK;
}

gr_status gr__csv_fill(gr__csv_records *r)
{
    if (r->end || !r->stream) {
        r->end = true;
        return GR_OK;
    }
    GR_TRY(append(&r->gone, r->input + r->begin, r->filled - r->begin));
    r->used = r->begin = r->filled = 0;
    if (r->again.at < r->again.n) {
        r->filled = GR__MIN(r->again.n - r->again.at, GR__CSV_INPUT_BYTES);
        memcpy(r->input, r->again.bytes + r->again.at, r->filled);
        r->again.at += r->filled;
    } else if (!r->stream_ends) {
        GR_TRY(gr__stream_read(r->stream, r->input, GR__CSV_INPUT_BYTES, &r->filled));
        r->stream_ends = r->filled < GR__CSV_INPUT_BYTES;
    }
    r->end = r->stream_ends && r->again.at == r->again.n;
    return GR_OK;
}

/* The next byte, or -1 at the end of the file, without taking it. */
static gr_status look(gr__csv_records *r, int *c)
{
    if (r->used == r->filled && !r->end) GR_TRY(gr__csv_fill(r));
    *c = r->used < r->filled ? r->input[r->used] : -1;
    return GR_OK;
}

static gr_status bad_line(const gr__csv_records *r, int64_t line, const char *what)
{
    return gr__fail(GR_ERR_DATA, "%s:%lld: %s", r->path, (long long)line, what);
}

static gr_status put(gr__csv_records *r, const unsigned char *bytes, size_t n)
{
    const gr__csv_field *f = &r->field[r->count - 1];
    if (r->text_n + n - f->begin > GR__LIMIT_CSV_FIELD_BYTES)
        return gr__fail(GR_ERR_LIMIT, "%s:%lld: a field is larger than %d bytes; is a quote missing?", r->path,
                        (long long)r->line, GR__LIMIT_CSV_FIELD_BYTES);
    if (r->text_n + n > GR__LIMIT_CSV_LINE_BYTES)
        return gr__fail(GR_ERR_LIMIT, "%s:%lld: a row is larger than %d bytes", r->path, (long long)r->line,
                        GR__LIMIT_CSV_LINE_BYTES);
    GR_TRY(gr__grow(&r->text, 1, r->text_n + n + 1, &r->text_capacity));
    memcpy(r->text + r->text_n, bytes, n);
    r->text_n += n;
    return GR_OK;
}

static gr_status begin_field(gr__csv_records *r)
{
    if (r->count == GR__LIMIT_CSV_COLUMNS)
        return gr__fail(GR_ERR_LIMIT, "%s:%lld: a row has more than %d fields", r->path, (long long)r->line,
                        GR__LIMIT_CSV_COLUMNS);
    GR_TRY(gr__grow(&r->field, sizeof *r->field, r->count + 1, &r->field_capacity));
    r->field[r->count++] = (gr__csv_field){.begin = r->text_n};
    return GR_OK;
}

static gr_status end_field(gr__csv_records *r)
{
    gr__csv_field *f = &r->field[r->count - 1];
    f->n = r->text_n - f->begin;
    GR_TRY(gr__grow(&r->text, 1, r->text_n + 1, &r->text_capacity));
    r->text[r->text_n++] = 0;
    return GR_OK;
}

static gr_status quoted_field(gr__csv_records *r)
{
    int c = 0;
    bool after_cr = false;
    int64_t opened = r->next_line;
    r->used++; /* the opening quote */
    r->field[r->count - 1].quoted = true;
    for (;;) {
        GR_TRY(look(r, &c));
        if (c < 0) return bad_line(r, opened, "a quote is opened here and never closed");
        const unsigned char *start = r->input + r->used;
        size_t n = 0, most = r->filled - r->used;
        while (n < most && start[n] != '"') {
            if (start[n] == 0) return bad_line(r, r->next_line, "holds a NUL byte; is it a text file in UTF-8?");
            r->next_line += start[n] == '\r' || (start[n] == '\n' && !after_cr);
            after_cr = start[n] == '\r';
            n++;
        }
        GR_TRY(put(r, start, n));
        r->used += n;
        if (n == most) continue;
        r->used++; /* a quote */
        after_cr = false;
        GR_TRY(look(r, &c));
        if (c != '"') break;
        GR_TRY(put(r, (const unsigned char *)"\"", 1));
        r->used++;
    }
    if (c >= 0 && c != r->separator && c != '\n' && c != '\r')
        return bad_line(r, r->next_line, "text follows a closing quote; a quote inside quotes is written \"\"");
    return GR_OK;
}

static gr_status plain_field(gr__csv_records *r)
{
    for (;;) {
        int c;
        GR_TRY(look(r, &c));
        const unsigned char *start = r->input + r->used;
        size_t n = 0, most = r->filled - r->used;
        while (n < most && start[n] != (unsigned char)r->separator && start[n] != '\n' && start[n] != '\r') {
            if (start[n] == 0) return bad_line(r, r->next_line, "holds a NUL byte; is it a text file in UTF-8?");
            n++;
        }
        if (n) GR_TRY(put(r, start, n));
        r->used += n;
        if (c < 0 || n < most) return GR_OK;
    }
}

/* Takes a line break if one is next. */
static gr_status end_line(gr__csv_records *r)
{
    int c;
    GR_TRY(look(r, &c));
    if (c < 0) return GR_OK;
    r->used++;
    r->next_line++;
    if (c != '\r') return GR_OK;
    GR_TRY(look(r, &c));
    if (c == '\n') r->used++;
    return GR_OK;
}

bool gr__csv_simple_line(const gr__csv_records *r, size_t *n, size_t *taken)
{
    const unsigned char *line = r->input + r->used, *end = memchr(line, '\n', r->filled - r->used);
    if (!end) return false;
    *n = (size_t)(end - line);
    *taken = *n + 1;
    if (*n > 0 && line[*n - 1] == '\r') --*n;
    return !memchr(line, 0, *n) && !memchr(line, '\r', *n) && !(r->quotes && memchr(line, '"', *n));
}

/* One copy, whose separators become the ends of the fields. */
static gr_status read_simple_line(gr__csv_records *r, size_t n, size_t taken)
{
    const unsigned char *line = r->input + r->used;
    GR_TRY(gr__grow(&r->text, 1, n + 1, &r->text_capacity));
    memcpy(r->text, line, n);
    for (size_t at = 0;;) {
        char *stop = memchr(r->text + at, r->separator, n - at);
        r->text_n = at;
        GR_TRY(begin_field(r));
        r->field[r->count - 1].n = stop ? (size_t)(stop - r->text) - at : n - at;
        if (!stop) break;
        *stop = 0;
        at = (size_t)(stop - r->text) + 1;
    }
    r->text[n] = 0;
    r->text_n = n + 1;
    r->used += taken;
    r->next_line++;
    return GR_OK;
}

static gr_status read_record(gr__csv_records *r)
{
    int c;
    size_t n, taken;
    r->text_n = r->count = 0;
    r->line = r->next_line;
    if (gr__csv_simple_line(r, &n, &taken)) return read_simple_line(r, n, taken);
    do {
        GR_TRY(begin_field(r));
        GR_TRY(look(r, &c));
        GR_TRY(r->quotes && c == '"' ? quoted_field(r) : plain_field(r));
        GR_TRY(end_field(r));
        GR_TRY(look(r, &c));
        if (c == r->separator && c >= 0) r->used++;
    } while (c == r->separator && c >= 0);
    return end_line(r);
}

static void begin_here(gr__csv_records *r)
{
    r->begin = r->used;
    r->gone.n = 0;
}

/* To the line behind the first one of this record, whose bytes come again. */
static gr_status restart(gr__csv_records *r)
{
    int c;
    r->next_line = r->line;
    if (r->gone.n == 0) {
        r->used = r->begin;
    } else {
        GR_TRY(append(&r->gone, r->input + r->begin, r->filled - r->begin));
        GR_TRY(append(&r->gone, r->again.bytes + r->again.at, r->again.n - r->again.at));
        gr__csv_bytes spent = r->again;
        r->again = r->gone;
        r->again.at = 0;
        r->gone = spent;
        r->used = r->begin = r->filled = 0;
        r->end = false;
    }
    for (;;) {
        begin_here(r);
        GR_TRY(look(r, &c));
        if (c < 0 || c == '\n' || c == '\r') return end_line(r);
        r->used++;
    }
}

bool gr__csv_is_bad_record(gr_status status) { return status == GR_ERR_DATA || status == GR_ERR_LIMIT; }

gr_status gr__csv_next_record(gr__csv_records *r, bool *more)
{
    for (;;) {
        int c;
        *more = false;
        begin_here(r);
        GR_TRY(look(r, &c));
        if (c < 0) return GR_OK;
        gr_status status = read_record(r);
        if (gr__csv_is_bad_record(status)) GR_TRY(restart(r));
        GR_TRY(status);
        *more = true;
        if (r->count > 1 || r->field[0].n > 0 || r->field[0].quoted) return GR_OK;
    }
}

void gr__csv_records_release(gr__csv_records *r)
{
    gr__free(r->text);
    gr__free(r->field);
    gr__free(r->gone.bytes);
    gr__free(r->again.bytes);
    r->gone = r->again = (gr__csv_bytes){0};
    r->text = NULL;
    r->field = NULL;
    r->text_capacity = r->field_capacity = r->count = r->text_n = 0;
}
