/* Reading a table: a CSV file of four columns of decimals, two of whole numbers and two of words into numbers and texts, as
 * pandas' read_csv does it. The file is made at the beginning and lies in the page cache. */
#include "run/bench_int.h"

#include "base/alloc.h"
#include "base/file.h"
#include "format/csv.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { NUMBERS = 6, COLUMNS = 8 };

typedef struct reading {
    char path[64];
    double *column; /* (rows) */
    int64_t rows;
    double sum;
} reading;

static gr_status write_rows(reading *r)
{
    static const char *const words[] = {"red", "green", "blue", "violet", "orange", "yellow", "white", "black"};
    gr__str text = {0};
    int32_t *id = gr__alloc((size_t)(r->rows * COLUMNS) * sizeof *id);
    if (!id) return gr__fail_memory("a table", (size_t)(r->rows * COLUMNS) * sizeof *id);
    gr__bench_ids(id, r->rows * COLUMNS, 2000000, 1);
    gr__str_add(&text, "a,b,c,d,e,f,colour,kind\n");
    for (int64_t i = 0; i < r->rows; i++, id += COLUMNS) {
        for (int c = 0; c < 4; c++) gr__str_printf(&text, "%.4f,", (double)(id[c] - 1000000) / 1e4);
        gr__str_printf(&text, "%d,%d,%s,%s\n", (int)id[4], (int)id[5] % 100, words[id[6] % 8], words[id[7] % 3]);
    }
    gr__free(id - r->rows * COLUMNS);
    gr_status status = gr__str_check(&text);
    if (status == GR_OK) status = gr__file_write(r->path, text.text, text.n);
    gr__str_release(&text);
    return status;
}

static gr_status open(gr_bench *b)
{
    reading *r = b->own = gr__calloc(1, sizeof *r);
    if (!r) return gr__fail_memory("a table", sizeof *r);
    r->rows = b->o.rows;
    r->column = gr__alloc((size_t)r->rows * sizeof *r->column);
    if (!r->column) return gr__fail_memory("a table", (size_t)r->rows * sizeof *r->column);
    snprintf(r->path, sizeof r->path, "/tmp/gradus-bench-%ld.csv", (long)getpid());
    GR_TRY(write_rows(r));
    uint64_t bytes;
    GR_TRY(gr__file_size(r->path, &bytes));
    b->info.read_bytes = (double)bytes;
    b->info.units = (double)bytes;
    b->info.unit = "B";
    snprintf(b->info.text, sizeof b->info.text, "%lld rows of %d columns, %.1f MB", (long long)r->rows, COLUMNS,
             (double)bytes * 1e-6);
    return GR_OK;
}

static gr_status run(gr_bench *b)
{
    reading *r = b->own;
    gr__csv_table t;
    GR_TRY(gr__csv_read(r->path, NULL, &t));
    gr_status status = (int64_t)t.rows == r->rows && t.columns == COLUMNS
                           ? GR_OK
                           : gr__fail(GR_ERR_INTERNAL, "the table has %zu rows of %zu columns", t.rows, t.columns);
    for (size_t c = 0; c < NUMBERS && status == GR_OK; c++) {
        status = gr__csv_table_doubles(&t, c, r->column);
        r->sum += r->column[r->rows - 1];
    }
    gr__csv_table_release(&t);
    return status;
}

static void end(gr_bench *b)
{
    reading *r = b->own;
    if (!r) return;
    if (*r->path) unlink(r->path);
    gr__free(r->column);
    gr__free(r);
    b->own = NULL;
}

const gr__bench_case gr__bench_csv = {.name = "csv",
                                      .summary = "a CSV file into numbers and texts",
                                      .defaults = {.rows = 200000},
                                      .open = open,
                                      .run = run,
                                      .close = end};
