/* What people should know of a table before they believe a model of it: types, what is missing, rows that come twice, and
 * columns that tell the target outright. */
#include "data/table_int.h"

#include "base/distinct.h"
#include "base/map.h"

#include <math.h>
#include <string.h>

enum { NAME_WIDTH = 20 };

static void add_column(const gr__table_work *w, size_t i, gr__str *s)
{
    const gr__column_facts *f = &w->fact[i];
    bool target = i == w->target;
    const char *kind = target                         ? gr__columns_classes(w->columns) ? "class" : "number"
                       : f->ignored                   ? "ignored"
                       : f->kind == GR__COLUMN_NUMBER ? "number"
                                                      : "category";
    gr__str_printf(s, "  %-*s %-9s %lld values", NAME_WIDTH, w->csv.name[i], kind, (long long)f->distinct);
    if (f->missing) gr__str_printf(s, ", %lld missing", (long long)f->missing);
    if (target)
        gr__str_add(s, "; the target");
    else if (f->ignored)
        gr__str_printf(s, "; %s", f->ignored);
    else if (f->kind == GR__COLUMN_NUMBER && f->texts)
        gr__str_printf(s, "; %lld are no numbers (the first in line %lld) and count as missing", (long long)f->texts,
                       (long long)f->odd_line);
    gr__str_add(s, "\n");
}

static void add_classes(const gr__table_work *w, gr__str *s)
{
    const gr__conf_strings *words = &w->columns->target.words;
    for (size_t k = 0; k < words->n && k < 10; k++) {
        int64_t n = 0;
        for (int64_t i = 0; i < w->n_rows; i++) n += w->class[w->row[i]] == (int32_t)k;
        gr__str_printf(s, "%s%s: %lld", k ? ", " : "  classes: ", words->item[k], (long long)n);
    }
    gr__str_add(s, words->n > 10 ? ", ...\n" : "\n");
}

/* ---- rows that come twice ---- */

static uint64_t hash_row(const gr__csv_table *t, int64_t row)
{
    uint64_t h = 0;
    for (size_t i = 0; i < t->columns; i++) {
        size_t n;
        const char *text = gr__cell_trimmed(gr__csv_table_cell(t, row, i), &n);
        h = gr__hash_stable(text, n, h + i);
    }
    return h;
}

static gr_status add_doubles(const gr__csv_table *t, const gr__csv_table *test, gr__str *s)
{
    gr__distinct seen = {0};
    int64_t doubles = 0, shared = 0, first = 0;
    bool there = false;
    gr_status status = GR_OK;
    for (size_t i = 0; i < t->rows && status == GR_OK; i++) {
        status = gr__distinct_add(&seen, hash_row(t, (int64_t)i), &there);
        if (status == GR_OK && there && !doubles++) first = t->line[i];
    }
    for (size_t i = 0; i < test->rows && status == GR_OK; i++)
        shared += gr__distinct_has(&seen, hash_row(test, (int64_t)i));
    doubles = gr__distinct_scale(&seen, doubles);
    shared = gr__distinct_scale(&seen, shared);
    gr__distinct_release(&seen);
    if (doubles)
        gr__str_printf(s, "  note: %lld rows are equal to earlier ones (the first in line %lld)\n", (long long)doubles,
                       (long long)first);
    if (shared)
        gr__str_printf(s, "  note: %lld rows of '%s' stand in '%s' too\n", (long long)shared, test->path, t->path);
    return status;
}

/* ---- columns that tell the target ---- */

/* Each of its few values goes with one class only. */
static gr_status tells_class(const gr__table_work *w, size_t column, bool *tells)
{
    gr__map seen = {0};
    gr_status status = GR_OK;
    for (int64_t i = 0; i < w->n_rows && status == GR_OK && *tells; i++) {
        size_t n;
        const gr__cell *cell = gr__csv_table_cell(&w->csv, w->row[i], column);
        const char *text = gr__cell_trimmed(cell, &n);
        int64_t class = w->class[w->row[i]], *before = gr__map_get(&seen, text, n);
        if (before && *before != class) *tells = false;
        if (!before) status = gr__map_set(&seen, text, n, class, NULL);
    }
    gr__map_release(&seen);
    return status;
}

/* Its correlation with a target that is a number is 1 or -1. */
static bool tells_number(const gr__table_work *w, size_t column)
{
    double n = 0, x = 0, y = 0, xx = 0, yy = 0, xy = 0;
    for (int64_t i = 0; i < w->n_rows; i++) {
        double a, b;
        const gr__cell *left = gr__csv_table_cell(&w->csv, w->row[i], column),
                       *right = gr__csv_table_cell(&w->csv, w->row[i], w->target);
        if (!gr__cell_number(left, w->csv.decimal_comma, &a) || !gr__cell_number(right, w->csv.decimal_comma, &b))
            continue;
        n++;
        double da = a - x, db = b - y; /* Welford: sums of squares of values far from 0 would cancel */
        x += da / n;
        y += db / n;
        xx += da * (a - x);
        yy += db * (b - y);
        xy += da * (b - y);
    }
    return n > 2 && xx > 0 && yy > 0 && fabs(xy) > 0.99999 * sqrt(xx * yy);
}

static gr_status add_leaks(const gr__table_work *w, gr__str *s)
{
    int64_t classes = gr__columns_classes(w->columns);
    for (size_t i = 0; i < w->columns->n; i++) {
        size_t column = w->feature[i];
        const gr__column_facts *f = &w->fact[column];
        bool tells = classes ? f->distinct >= classes && 10 * f->distinct <= w->n_rows : true;
        if (classes && tells)
            GR_TRY(tells_class(w, column, &tells));
        else if (tells)
            tells = f->kind == GR__COLUMN_NUMBER && tells_number(w, column);
        if (tells)
            gr__str_printf(s,
                           "  note: column '%s' tells the target without a miss; if it is not known beforehand, "
                           "data.ignore=%s\n",
                           w->csv.name[column], w->csv.name[column]);
    }
    return GR_OK;
}

gr_status gr__table_report(const gr__table_work *w, const gr__csv_table *test, const char **out)
{
    gr__str s = {0};
    gr_status status = GR_OK;
    gr__str_printf(&s, "columns of '%s', %zu rows%s\n", w->csv.path, w->csv.rows,
                   w->csv.has_header ? "" : ", no header");
    for (size_t i = 0; i < w->csv.columns; i++) add_column(w, i, &s);
    if (gr__columns_classes(w->columns)) add_classes(w, &s);
    if (w->no_target)
        gr__str_printf(&s, "  note: %lld rows without the target are left out\n", (long long)w->no_target);
    GR_TRY_DONE(add_doubles(&w->csv, test, &s));
    if (!w->o->untold) GR_TRY_DONE(add_leaks(w, &s));
    GR_TRY_DONE(gr__str_check(&s));
    if (!(*out = gr__arena_strdup(w->arena, gr__str_get(&s)))) status = gr__fail_memory("a report", s.n);
done:
    gr__str_release(&s);
    return status;
}
