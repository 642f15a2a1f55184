/* Rows that nothing can be learnt from: refused by line, or with data.skip_bad no longer usable. */
#include "data/table_int.h"

#include "base/log.h"

typedef struct check {
    size_t (*odd)(const gr__table_work *w, int64_t row); /* the column that is; SIZE_MAX: none */
    gr_status (*refuse)(const gr__table_work *w, int64_t row, size_t column);
    const char *what; /* "left out: N rows with" */
} check;

static gr_status check_rows(gr__table_work *w, const check *c)
{
    int64_t n = 0, first = 0;
    for (int64_t i = 0; i < w->n_rows; i++) {
        size_t column = c->odd(w, w->row[i]);
        if (column == SIZE_MAX) {
            w->row[n++] = w->row[i];
            continue;
        }
        if (!w->o->skip_bad) return c->refuse(w, w->row[i], column);
        if (i == n) first = w->csv.line[w->row[i]];
    }
    if (n < w->n_rows)
        gr__log(GR_LOG_WARNING, "left out: %lld rows of '%s' with %s, the first in line %lld",
                (long long)(w->n_rows - n), w->csv.path, c->what, (long long)first);
    w->n_rows = n;
    return GR_OK;
}

/* The first of the target and the features of this row for which 'is' holds. */
static size_t find_column(const gr__table_work *w, int64_t row, bool (*is)(const gr__table_work *, int64_t, size_t))
{
    if (w->target != SIZE_MAX && is(w, row, w->target)) return w->target;
    for (size_t i = 0; i < w->columns->n; i++)
        if (is(w, row, w->feature[i])) return w->feature[i];
    return SIZE_MAX;
}

/* ---- texts ---- */

static bool is_no_utf8(const gr__table_work *w, int64_t row, size_t column)
{
    if (w->fact[column].kind != GR__COLUMN_CATEGORY) return false;
    const gr__cell *cell = gr__csv_table_cell(&w->csv, row, column);
    for (size_t i = 0, step; i < cell->n; i += step)
        if (!(step = gr__utf8_step(cell->text + i, cell->n - i))) return true;
    return false;
}

static size_t odd_text(const gr__table_work *w, int64_t row) { return find_column(w, row, is_no_utf8); }

static gr_status refuse_text(const gr__table_work *w, int64_t row, size_t column)
{
    return gr__fail(GR_ERR_DATA,
                    "%s:%lld: the text in column '%.100s' is not UTF-8; convert the file, ignore the column "
                    "(data.ignore=%s), or leave such rows out (--skip-bad)",
                    w->csv.path, (long long)w->csv.line[row], w->csv.name[column], w->csv.name[column]);
}

gr_status gr__table_check_texts(gr__table_work *w)
{
    return check_rows(w, &(check){odd_text, refuse_text, "texts that are not UTF-8"});
}

/* ---- numbers ---- */

/* Whether a model sees this column as a number whose size nothing tames. */
static bool may_be_large(const gr__table_work *w, size_t column)
{
    const gr__column *target = &w->columns->target;
    if (!(w->fact[column].most > GR__CSV_MOST_SCALED)) return false;
    return column == w->target ? target->kind == GR__COLUMN_NUMBER && !target->log
                               : w->fact[column].kind == GR__COLUMN_NUMBER && !w->fact[column].set.log;
}

static bool is_large(const gr__table_work *w, int64_t row, size_t column)
{
    double v;
    return may_be_large(w, column) &&
           gr__cell_number(gr__csv_table_cell(&w->csv, row, column), w->csv.decimal_comma, &v) &&
           (v > GR__CSV_MOST_SCALED || v < -GR__CSV_MOST_SCALED);
}

static size_t large_number(const gr__table_work *w, int64_t row) { return find_column(w, row, is_large); }

static gr_status refuse_number(const gr__table_work *w, int64_t row, size_t column)
{
    double v = 0;
    gr__cell_number(gr__csv_table_cell(&w->csv, row, column), w->csv.decimal_comma, &v);
    return gr__csv_too_large(w->csv.path, w->csv.line[row], w->csv.name[column], v, GR__CSV_MOST_SCALED);
}

gr_status gr__table_check_numbers(gr__table_work *w)
{
    bool any = w->target != SIZE_MAX && may_be_large(w, w->target);
    for (size_t i = 0; i < w->columns->n && !any; i++) any = may_be_large(w, w->feature[i]);
    if (!any) return GR_OK;
    return check_rows(w, &(check){large_number, refuse_number, "numbers that are too large"});
}
