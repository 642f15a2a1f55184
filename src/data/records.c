#include "data/records.h"

#include "base/map.h"
#include "base/spill.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void gr_records_free(gr_records **r)
{
    if (!r || !*r) return;
    gr__arena_release(&(*r)->arena);
    gr__free((*r)->path);
    gr__free((*r)->name);
    gr__spill_free((*r)->row);
    gr__free((*r)->first_bad);
    gr__free(*r);
    *r = NULL;
}

int64_t gr_records_rows(const gr_records *r) { return r->rows; }
int64_t gr_records_columns(const gr_records *r) { return r->columns; }
int64_t gr_records_bad(const gr_records *r) { return r->bad; }
const char *gr_records_first_bad(const gr_records *r) { return r->first_bad; }

const char *gr_records_name(const gr_records *r, int64_t column)
{
    return column >= 0 && column < r->columns ? r->name[column] : NULL;
}

const char *gr_records_cell(const gr_records *r, int64_t row, int64_t column)
{
    if (row < 0 || row >= r->rows || column < 0 || column >= r->columns) return NULL;
    return r->row[row].cell[column].text;
}

bool gr_records_named(const gr_records *r, bool *guessed)
{
    if (guessed) *guessed = r->guessed;
    return r->named;
}

int64_t gr_records_line(const gr_records *r, int64_t row) { return row >= 0 && row < r->rows ? r->row[row].line : 0; }

gr_status gr_records_column(const gr_records *r, const char *name, int64_t *column)
{
    GR_FAIL_IF(!r || !name || !column, GR_ERR_ARGUMENT, "gr_records_column: an argument is NULL");
    const gr__csv_table names = {.columns = (size_t)r->columns, .name = r->name, .path = r->path};
    size_t found;
    GR_TRY(gr__csv_table_column(&names, name, &found));
    *column = (int64_t)found;
    return GR_OK;
}

/* ---- inside ---- */

void gr__record_number(char out[32], double value)
{
    if (value == floor(value) && fabs(value) < 1e15)
        snprintf(out, 32, "%.0f", value);
    else
        gr__format_double(out, value);
}

gr_status gr__records_add(gr_records *r, int64_t line, gr__cell **cell)
{
    GR_TRY(gr__spill_grow(&r->row, sizeof *r->row, (size_t)r->rows + 1, &r->capacity));
    *cell = gr__arena_alloc(&r->arena, (size_t)r->columns * sizeof **cell);
    if (!*cell) return gr__fail_memory("a row", (size_t)r->columns * sizeof **cell);
    for (int64_t i = 0; i < r->columns; i++) (*cell)[i].text = "";
    r->row[r->rows++] = (gr__record){*cell, line};
    return GR_OK;
}

void gr__records_keep(gr_records *r, const bool *keep)
{
    int64_t n = 0;
    for (int64_t i = 0; i < r->rows; i++)
        if (keep[i]) r->row[n++] = r->row[i];
    r->rows = n;
}

gr_status gr__records_like(const gr_records *r, gr_records **out)
{
    gr_records *p = gr__calloc(1, sizeof *p);
    if (!p) return gr__fail_memory("a part of a file", sizeof *p);
    p->arena.spills = true;
    p->columns = r->columns;
    p->named = r->named;
    p->guessed = r->guessed;
    p->path = gr__strdup(r->path);
    p->name = gr__calloc((size_t)r->columns + 1, sizeof *p->name);
    if (!p->path || !p->name) {
        gr_records_free(&p);
        return gr__fail_memory("a part of a file", (size_t)r->columns * sizeof *p->name);
    }
    memcpy(p->name, r->name, (size_t)r->columns * sizeof *p->name);
    *out = p;
    return GR_OK;
}

bool gr__records_numbers(const gr_records *r, int64_t column, double *out)
{
    bool all = true;
    for (int64_t i = 0; i < r->rows; i++) {
        const gr__cell *c = &r->row[i].cell[column];
        out[i] = (double)NAN;
        if (!gr__cell_is_missing(c)) all &= gr__cell_number(c, false, &out[i]);
    }
    return all;
}

gr_status gr__records_codes(const gr_records *r, int64_t column, int32_t **out, int32_t *n)
{
    gr__map map = {0};
    gr_status status = GR_OK;
    int32_t *code = gr__calloc((size_t)r->rows + 1, sizeof *code);
    if (!code) return gr__fail_memory("a column", (size_t)r->rows * sizeof *code);
    for (int64_t i = 0; i < r->rows && status == GR_OK; i++) {
        const gr__cell *c = &r->row[i].cell[column];
        const int64_t *known = gr__map_get(&map, c->text, c->n);
        code[i] = known ? (int32_t)*known : (int32_t)map.count;
        if (!known) status = gr__map_set(&map, c->text, c->n, code[i], NULL);
    }
    *n = (int32_t)map.count;
    gr__map_release(&map);
    if (status == GR_OK)
        *out = code;
    else
        gr__free(code);
    return status;
}
