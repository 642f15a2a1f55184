#include "data/series.h"

#include "base/spill.h"
#include "data/date.h"
#include "format/csv.h"

#include <math.h>
#include <string.h>

/* ---- times ---- */

static bool all_numbers(const gr__csv_table *t, size_t column)
{
    double number;
    for (size_t r = 0; r < t->rows; r++) {
        const gr__cell *c = gr__csv_table_cell(t, (int64_t)r, column);
        if (!gr__cell_is_missing(c) && !gr__cell_number(c, t->decimal_comma, &number)) return false;
    }
    return true;
}

static gr_status find_time(const gr__series_options *o, const gr__csv_table *t, size_t *out)
{
    *out = SIZE_MAX;
    if (o->time) return gr__csv_table_column(t, o->time, out);
    if (!all_numbers(t, 0)) *out = 0;
    return GR_OK;
}

/* What the cells of that column are. */
enum { NUMBERS, YEAR_FIRST, DAY_FIRST, MONTH_FIRST, FORMS, NAMES = FORMS };

typedef struct times {
    size_t column; /* SIZE_MAX: there is none */
    int form;
    bool ordered; /* can be told; not where a day may as well be a month */
    double before;
    gr__str text; /* of the row before */
} times;

static bool read_time(const gr__csv_table *t, const gr__cell *c, int form, double *out)
{
    static const gr__date_form date[] = {
        [YEAR_FIRST] = GR__DATE_YEAR_FIRST, [DAY_FIRST] = GR__DATE_DAY_FIRST, [MONTH_FIRST] = GR__DATE_MONTH_FIRST};
    return form == NUMBERS ? gr__cell_number(c, t->decimal_comma, out) : gr__date_read(c->text, date[form], out);
}

/* The form that most cells have. Of a column that nobody named few numbers among words are words. */
static void find_form(const gr__csv_table *t, bool named, times *w)
{
    size_t count[FORMS] = {0}, there = 0;
    bool rises[FORMS] = {true, true, true, true};
    double now, last[FORMS] = {-INFINITY, -INFINITY, -INFINITY, -INFINITY};
    for (size_t r = 0; r < t->rows; r++) {
        const gr__cell *c = gr__csv_table_cell(t, (int64_t)r, w->column);
        if (gr__cell_is_missing(c)) continue;
        there++;
        for (int f = 0; f < FORMS; f++) {
            if (!read_time(t, c, f, &now)) continue;
            count[f]++;
            rises[f] = rises[f] && now > last[f];
            last[f] = now;
        }
    }
    int best = NUMBERS;
    for (int f = 0; f < FORMS; f++)
        if (count[f] > count[best] || (f == MONTH_FIRST && count[f] == count[best] && rises[f] && !rises[best]))
            best = f;
    w->form = count[best] == 0 || (!named && 2 * count[best] < there) ? NAMES : best;
    bool either = (best == DAY_FIRST || best == MONTH_FIRST) && count[DAY_FIRST] == count[MONTH_FIRST];
    w->ordered = w->form != NAMES && !(either && rises[DAY_FIRST] == rises[MONTH_FIRST]);
}

/* Blank cells are no times either, where others are. */
static gr_status take_time(const gr__csv_table *t, size_t r, const gr__cell *c, times *w)
{
    double now = 0;
    GR_FAIL_IF(w->form != NAMES && !read_time(t, c, w->form, &now), GR_ERR_DATA,
               "%s:%lld: '%.*s' in column '%.100s' is no time, as others there are; correct it, or leave the row out",
               t->path, (long long)t->line[r], (int)GR__MIN(c->n, 60), c->text, t->name[w->column]);
    GR_FAIL_IF(w->ordered && r > 0 && now <= w->before, GR_ERR_DATA,
               "%s:%lld: the time '%.*s' does not come after '%.60s'; sort the rows", t->path, (long long)t->line[r],
               (int)GR__MIN(c->n, 60), c->text, gr__str_get(&w->text));
    w->before = now;
    gr__str_clear(&w->text);
    gr__str_add_n(&w->text, c->text, c->n);
    return gr__str_check(&w->text);
}

/* ---- values ---- */

static bool is_ignored(const gr__series_options *o, const char *name)
{
    for (size_t i = 0; i < o->ignore.n; i++)
        if (strcmp(o->ignore.item[i], name) == 0) return true;
    return false;
}

static gr_status choose(const gr__series_options *o, const gr__csv_table *t, size_t time, size_t *column, size_t *n)
{
    size_t unused;
    *n = 0;
    for (size_t i = 0; i < o->ignore.n; i++) GR_TRY(gr__csv_table_column(t, o->ignore.item[i], &unused));
    for (size_t i = 0; i < o->columns.n; i++) GR_TRY(gr__csv_table_column(t, o->columns.item[i], &column[(*n)++]));
    for (size_t c = 0; c < t->columns && o->columns.n == 0; c++)
        if (c != time && !is_ignored(o, t->name[c])) column[(*n)++] = c;
    GR_FAIL_IF(*n == 0, GR_ERR_DATA, "'%s' has no column with a series", t->path);
    return GR_OK;
}

static gr_status take(const gr__series_options *o, const gr__csv_table *t, size_t r, size_t column, const gr__cell *c,
                      gr__series_data *s, double *to)
{
    bool missing = gr__cell_is_missing(c);
    if (missing && o->fill && r > 0) {
        *to = to[-s->n];
        s->filled++;
        return GR_OK;
    }
    if (!missing && gr__cell_number(c, t->decimal_comma, to))
        return fabs(*to) <= GR__CSV_MOST_SCALED
                   ? GR_OK
                   : gr__csv_too_large(t->path, t->line[r], t->name[column], *to, GR__CSV_MOST_SCALED);
    return gr__fail(GR_ERR_DATA, "%s:%lld: '%.*s' in column '%.100s' is not a number%s", t->path, (long long)t->line[r],
                    (int)GR__MIN(c->n, 60), c->text, t->name[column],
                    !missing  ? ""
                    : o->fill ? "; there is no value before that data.fill could repeat"
                              : "; data.fill=true repeats the value before");
}

static gr_status take_rows(const gr__series_options *o, const gr__csv_table *t, size_t time, const size_t *column,
                           gr__arena *arena, gr__series_data *s)
{
    times w = {.column = time};
    gr_status status = GR_OK;
    if (time != SIZE_MAX) find_form(t, o->time != NULL, &w);
    for (size_t r = 0; r < t->rows; r++) {
        const gr__cell *row = gr__csv_table_row(t, (int64_t)r);
        double *to = s->value + r * (size_t)s->n;
        for (int64_t k = 0; k < s->n; k++) GR_TRY_DONE(take(o, t, r, column[k], &row[column[k]], s, to + k));
        if (time == SIZE_MAX) continue;
        GR_TRY_DONE(take_time(t, r, &row[time], &w));
        if (r == 0 && !(s->first = gr__arena_strdup(arena, gr__str_get(&w.text))))
            GR_TRY_DONE(gr__fail_memory("a time", w.text.n));
    }
    if (time != SIZE_MAX && !(s->last = gr__arena_strdup(arena, gr__str_get(&w.text))))
        status = gr__fail_memory("a time", w.text.n);
done:
    gr__str_release(&w.text);
    return status;
}

static gr_status copy(const gr__series_options *o, const gr__csv_table *t, gr__arena *arena, gr__series_data *s)
{
    size_t n, time, *column = gr__arena_alloc(arena, (t->columns + o->columns.n + 1) * sizeof *column);
    if (!column) return gr__fail_memory("series", t->columns * sizeof *column);
    GR_FAIL_IF(t->rows == 0, GR_ERR_DATA, "'%s' has no rows", t->path);
    GR_TRY(find_time(o, t, &time));
    GR_TRY(choose(o, t, time, column, &n));
    *s = (gr__series_data){.rows = (int64_t)t->rows, .n = (int64_t)n};
    s->names.item = gr__arena_alloc(arena, n * sizeof *s->names.item);
    s->value = gr__spill_new(t->rows * n, sizeof *s->value);
    s->line = gr__spill_new(t->rows, sizeof *s->line);
    if (!s->names.item || !s->value || !s->line) return gr__fail_memory("series", t->rows * n * sizeof *s->value);
    memcpy(s->line, t->line, t->rows * sizeof *s->line);
    for (; s->names.n < n; s->names.n++)
        if (!(s->names.item[s->names.n] = gr__arena_strdup(arena, t->name[column[s->names.n]])))
            return gr__fail_memory("a name", 64);
    GR_TRY(take_rows(o, t, time, column, arena, s));
    return gr__csv_table_check(t);
}

gr_status gr__series_read(const gr__series_options *o, gr__arena *arena, gr__series_data *out)
{
    gr__csv_table t;
    *out = (gr__series_data){0};
    gr__csv_options how = {
        .header = (gr__csv_choice)o->header, .named = o->columns.n ? o->columns.item[0] : o->time, .may_stay = true};
    GR_TRY(gr__csv_read(o->source, &how, &t));
    gr_status status = copy(o, &t, arena, out);
    gr__csv_table_release(&t);
    if (status != GR_OK) gr__series_release(out);
    return status;
}

void gr__series_release(gr__series_data *s)
{
    gr__spill_free(s->value);
    gr__spill_free(s->line);
    *s = (gr__series_data){0};
}
