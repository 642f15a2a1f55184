/* A whole CSV file in memory: texts in an arena, cells row by row. */
#include "format/csv_int.h"

#include "base/arena.h"

#include <math.h>
#include <string.h>

typedef struct growing {
    size_t cells, lines; /* capacities */
} growing;

static gr_status take_row(gr__csv_table *t, growing *g, const gr__csv *csv, gr__arena *texts)
{
    const gr__cell *from = gr__csv_cells(csv);
    size_t need, bytes = 0;
    if (!gr__mul_size(t->rows + 1, t->columns, &need)) return gr__fail_memory("a table", SIZE_MAX);
    GR_TRY(gr__grow(&t->cell, sizeof *t->cell, need, &g->cells));
    GR_TRY(gr__grow(&t->line, sizeof *t->line, t->rows + 1, &g->lines));
    for (size_t i = 0; i < t->columns; i++) bytes += from[i].n + 1;
    char *text = gr__arena_alloc(texts, bytes); /* one block per row */
    if (!text) return gr__fail_memory("a table", bytes);
    for (size_t i = 0; i < t->columns; i++) {
        memcpy(text, from[i].text, from[i].n);
        t->cell[t->rows * t->columns + i] = (gr__cell){text, from[i].n, from[i].quoted};
        text += from[i].n + 1;
    }
    t->line[t->rows++] = gr__csv_line(csv);
    return GR_OK;
}

static gr_status take_all(gr__csv_table *t, gr__csv *csv, const char *path, gr__arena *texts)
{
    growing g = {0};
    bool more = true;
    t->columns = gr__csv_columns(csv);
    t->separator = gr__csv_separator(csv);
    t->has_header = gr__csv_has_header(csv);
    t->decimal_comma = gr__csv_decimal_comma(csv);
    t->path = gr__strdup(path);
    t->name = gr__calloc(t->columns, sizeof *t->name);
    if (!t->path || !t->name) return gr__fail_memory("a table", t->columns * sizeof *t->name);
    for (size_t i = 0; i < t->columns; i++)
        if (!(t->name[i] = gr__arena_strdup(texts, gr__csv_name(csv, i)))) return gr__fail_memory("a table", 64);
    for (;;) {
        GR_TRY(gr__csv_next_row(csv, &more));
        if (!more) return GR_OK;
        GR_TRY(take_row(t, &g, csv, texts));
    }
}

gr_status gr__csv_read(const char *path, const gr__csv_options *options, gr__csv_table *out)
{
    gr__csv *csv;
    gr__csv_table t = {0};
    *out = t;
    GR_TRY(gr__csv_open(path, options, &csv));
    gr__arena *texts = gr__calloc(1, sizeof *texts);
    t.texts = texts;
    gr_status status = texts ? take_all(&t, csv, path, texts) : gr__fail_memory("a table", sizeof *texts);
    gr__csv_close(&csv);
    if (status == GR_OK)
        *out = t;
    else
        gr__csv_table_release(&t);
    return status;
}

void gr__csv_table_release(gr__csv_table *t)
{
    if (t->texts) gr__arena_release(t->texts);
    gr__free(t->texts);
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
    return gr__csv_no_column(t->path, name, t->name, t->columns);
}

gr_status gr__csv_table_doubles(const gr__csv_table *t, size_t column, double *out)
{
    GR_FAIL_IF(column >= t->columns, GR_ERR_ARGUMENT, "'%s' has no column %zu", t->path, column);
    for (size_t i = 0; i < t->rows; i++) {
        const gr__cell *cell = &t->cell[i * t->columns + column];
        if (gr__cell_is_missing(cell))
            out[i] = (double)NAN;
        else if (!gr__cell_number(cell, t->decimal_comma, &out[i]))
            return gr__fail(GR_ERR_DATA, "%s:%lld: '%.60s' in column '%s' is not a number", t->path,
                            (long long)t->line[i], cell->text, t->name[column]);
    }
    return GR_OK;
}
