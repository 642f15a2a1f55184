/* A whole CSV file: its texts in an arena and its cells row by row, or only where each row begins. */
#include "format/csv_int.h"

#include "base/arena.h"
#include "base/parallel.h"
#include "base/spill.h"

#include <math.h>
#include <string.h>

#define LARGE ((uint64_t)1 << 20) /* bytes of a file */

typedef struct growing {
    size_t cells, lines; /* capacities */
    char *room;          /* for the texts of a file that is not packed, all in one block */
    size_t left;
} growing;

/* Blocks as the file's size lets expect them, on huge pages: with small ones the kernel needs as long as the reading. A guess
 * that is wrong costs nothing but the growing later. */
static gr_status reserve(gr__csv_table *t, growing *g, const gr__csv *csv, const char *path)
{
    uint64_t bytes;
    size_t row = 0, cells;
    for (size_t i = 0; i < t->columns; i++) row += gr__csv_cells(csv)[i].n + 1;
    if (gr__str_ends(path, ".gz") || gr__file_size(path, &bytes) != GR_OK || bytes < LARGE) return GR_OK;
    size_t rows = (size_t)(bytes / row) + 16;
    if (!gr__mul_size(rows + rows / 16, t->columns, &cells)) return GR_OK;
    GR_TRY(gr__grow(&t->cell, sizeof *t->cell, cells, &g->cells));
    GR_TRY(gr__grow(&t->line, sizeof *t->line, rows, &g->lines));
    g->left = (size_t)bytes + 1;
    if (!(g->room = t->block = gr__alloc(g->left))) return gr__fail_memory("a table", g->left);
    gr__alloc_advise_huge(t->cell, g->cells * sizeof *t->cell);
    gr__alloc_advise_huge(g->room, g->left);
    return GR_OK;
}

/* For the texts of a row. */
static char *take_room(growing *g, gr__arena *texts, size_t bytes)
{
    if (bytes > g->left) return gr__arena_alloc(texts, bytes);
    char *text = g->room;
    g->room += bytes;
    g->left -= bytes;
    return text;
}

static gr_status take_row(gr__csv_table *t, growing *g, gr__csv *csv, const char *path, gr__arena *texts, bool *more)
{
    const gr__cell *from;
    size_t need, bytes = 0;
    if (!gr__mul_size(t->rows + 1, t->columns, &need)) return gr__fail_memory("a table", SIZE_MAX);
    GR_TRY(gr__grow(&t->cell, sizeof *t->cell, need, &g->cells));
    GR_TRY(gr__grow(&t->line, sizeof *t->line, t->rows + 1, &g->lines));
    gr__cell *to = t->cell + t->rows * t->columns;
    *more = true;
    if (gr__csv_take_simple_row(csv, g->room, g->left, to, &bytes)) {
        g->room += bytes;
        g->left -= bytes;
    } else {
        GR_TRY(gr__csv_next_row(csv, more));
        if (!*more) return GR_OK;
        if (t->rows == 0) {
            GR_TRY(reserve(t, g, csv, path));
            to = t->cell;
        }
        from = gr__csv_cells(csv);
        for (size_t i = 0; i < t->columns; i++) bytes += from[i].n + 1;
        char *text = take_room(g, texts, bytes);
        if (!text) return gr__fail_memory("a table", bytes);
        memcpy(text, from[0].text, bytes); /* the cells of a row lie one behind the other */
        for (size_t i = 0; i < t->columns; i++)
            to[i] = (gr__cell){text + (from[i].text - from[0].text), from[i].n, from[i].quoted};
    }
    t->line[t->rows++] = gr__csv_line(csv);
    return GR_OK;
}

static gr_status take_form(gr__csv_table *t, const gr__csv *csv, const char *path, gr__arena *texts)
{
    t->columns = gr__csv_columns(csv);
    t->separator = gr__csv_separator(csv);
    t->has_header = gr__csv_has_header(csv);
    t->decimal_comma = gr__csv_decimal_comma(csv);
    t->path = gr__strdup(path);
    t->name = gr__calloc(t->columns, sizeof *t->name);
    if (!t->path || !t->name) return gr__fail_memory("a table", t->columns * sizeof *t->name);
    for (size_t i = 0; i < t->columns; i++)
        if (!(t->name[i] = gr__arena_strdup(texts, gr__csv_name(csv, i)))) return gr__fail_memory("a table", 64);
    return GR_OK;
}

static gr_status take_all(gr__csv_table *t, gr__csv *csv, const char *path, gr__arena *texts)
{
    growing g = {0};
    bool more = true;
    GR_TRY(take_form(t, csv, path, texts));
    while (more) GR_TRY(take_row(t, &g, csv, path, texts, &more));
    return GR_OK;
}

/* ---- rows that stay in the file ---- */

/* In memory a table takes several times the bytes of its file. */
static bool stays(const char *path)
{
    uint64_t bytes;
    return !gr__str_ends(path, ".gz") && gr__file_size(path, &bytes) == GR_OK && bytes >= gr__large_bytes();
}

static gr_status take_places(gr__csv_table *t, const char *path, const gr__csv_options *options, gr__arena *texts)
{
    size_t lines = 0, places = 0;
    bool more = true;
    struct gr__csv_place *p = t->place = gr__calloc(1, sizeof *p);
    if (!p) return gr__fail_memory("a table", sizeof *p);
    GR_TRY(gr__csv_open_mapped(path, options, &p->csv));
    GR_TRY(take_form(t, p->csv, path, texts));
    if (!(p->none = gr__calloc(t->columns, sizeof *p->none))) return gr__fail_memory("a table", t->columns * 16);
    for (size_t i = 0; i < t->columns; i++) p->none[i].text = "";
    for (;;) {
        GR_TRY(gr__csv_next_row(p->csv, &more));
        if (!more) break;
        GR_TRY(gr__spill_grow(&t->line, sizeof *t->line, t->rows + 1, &lines));
        GR_TRY(gr__spill_grow(&p->at, sizeof *p->at, t->rows + 1, &places));
        p->at[t->rows] = gr__csv_place_of(p->csv);
        t->line[t->rows++] = gr__csv_line(p->csv);
    }
    p->row = -1;
    return GR_OK;
}

const gr__cell *gr__csv_table_row(const gr__csv_table *t, int64_t row)
{
    if (t->cell) return t->cell + (size_t)row * t->columns;
    struct gr__csv_place *p = t->place;
    if (p->row != row) {
        bool more = false;
        gr__csv_go_to(p->csv, p->at[row], t->line[row]);
        gr_status status = gr__csv_next_row(p->csv, &more);
        p->row = status == GR_OK && more && gr__csv_place_of(p->csv) == p->at[row] ? row : -1;
        p->lost = p->lost || p->row < 0;
    }
    return p->row == row ? gr__csv_cells(p->csv) : p->none;
}

gr_status gr__csv_table_check(const gr__csv_table *t)
{
    GR_FAIL_IF(t->place && t->place->lost, GR_ERR_DATA, "'%s' was changed while it was read; try again", t->path);
    return GR_OK;
}

/* ---- reading ---- */

static gr_status read_all(const char *path, const gr__csv_options *options, gr__arena *texts, gr__csv_table *t)
{
    gr__csv *csv;
    GR_TRY(gr__csv_open(path, options, &csv));
    gr_status status = take_all(t, csv, path, texts);
    gr__csv_close(&csv);
    return status;
}

gr_status gr__csv_read(const char *path, const gr__csv_options *options, gr__csv_table *out)
{
    gr__csv_table t = {0};
    *out = t;
    gr__arena *texts = gr__calloc(1, sizeof *texts);
    if (!texts) return gr__fail_memory("a table", sizeof *texts);
    t.texts = texts;
    gr_status status = options && options->may_stay && stays(path) ? take_places(&t, path, options, texts)
                                                                   : read_all(path, options, texts, &t);
    if (status == GR_OK)
        *out = t;
    else
        gr__csv_table_release(&t);
    return status;
}

static void release_place(gr__csv_table *t)
{
    if (!t->place) return;
    gr__csv_close(&t->place->csv);
    gr__spill_free(t->place->at);
    gr__free(t->place->none);
    gr__free(t->place);
    gr__spill_free(t->line); /* else of gr__grow() */
    t->line = NULL;
}

void gr__csv_table_release(gr__csv_table *t)
{
    release_place(t);
    if (t->texts) gr__arena_release(t->texts);
    gr__free(t->texts);
    gr__free(t->block);
    gr__free(t->path);
    gr__free(t->name);
    gr__free(t->cell);
    gr__free(t->line);
    *t = (gr__csv_table){0};
}

gr_status gr__csv_table_column(const gr__csv_table *t, const char *name, size_t *out)
{
    int64_t number;
    for (size_t i = 0; i < t->columns; i++)
        if (strcmp(t->name[i], name) == 0) {
            *out = i;
            return GR_OK;
        }
    if (gr__parse_int(name, &number) && number >= 0 && (uint64_t)number < t->columns) {
        *out = (size_t)number;
        return GR_OK;
    }
    return gr__csv_no_column(t->path, name, t->name, t->columns, t->has_header);
}

typedef struct conversion {
    const gr__csv_table *t;
    size_t column;
    int64_t per;  /* rows of a chunk */
    int64_t *bad; /* of each chunk: its first row that is no number, or -1 */
    double *out;
} conversion;

static void convert(void *context, int64_t chunk, int thread)
{
    (void)thread;
    const conversion *c = context;
    const gr__csv_table *t = c->t;
    int64_t end = GR__MIN((chunk + 1) * c->per, (int64_t)t->rows);
    c->bad[chunk] = -1;
    for (int64_t i = chunk * c->per; i < end; i++) {
        const gr__cell *cell = &t->cell[(size_t)i * t->columns + c->column];
        if (gr__cell_number(cell, t->decimal_comma, &c->out[i])) continue;
        c->out[i] = (double)NAN;
        if (gr__cell_is_missing(cell)) continue;
        c->bad[chunk] = i;
        return;
    }
}

gr_status gr__csv_table_doubles(const gr__csv_table *t, size_t column, double *out)
{
    int64_t bad[256], per, chunks = gr__chunks((int64_t)t->rows, 4096, &per);
    GR_FAIL_IF(column >= t->columns, GR_ERR_ARGUMENT, "'%s' has no column %zu", t->path, column);
    gr__parallel(chunks, convert, &(conversion){t, column, per, bad, out});
    for (int64_t k = 0; k < chunks; k++)
        GR_FAIL_IF(bad[k] >= 0, GR_ERR_DATA, "%s:%lld: '%.60s' in column '%s' is not a number", t->path,
                   (long long)t->line[bad[k]], t->cell[(size_t)bad[k] * t->columns + column].text, t->name[column]);
    return GR_OK;
}
