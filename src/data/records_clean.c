/* Cells made plain, what is missing filled, what is useless removed. */
#include "data/records.h"

#include "text/utf8.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Blanks at the ends go, runs of blanks become one, control characters go. Into a text of its own: rows may share one, and
 * that of a missing cell is nobody's. */
static gr_status trim(gr_records *r, gr__cell *c, gr__str *room, int64_t *n)
{
    gr__str_clear(room);
    for (size_t i = 0; i < c->n;) {
        uint32_t code;
        size_t step;
        if (gr__utf8_next(c->text + i, c->n - i, &code, &step) != GR__UTF8_GOOD) step = 1, code = 'x';
        bool blank = gr__utf8_is_space(code) || code == 0xFEFF, control = code < 0x20 || code == 0x7F;
        if (!blank && !control)
            gr__str_add_n(room, c->text + i, step);
        else if (blank && room->n && room->text[room->n - 1] != ' ')
            gr__str_add_char(room, ' ');
        i += step;
    }
    GR_TRY(gr__str_check(room));
    if (room->n && room->text[room->n - 1] == ' ') room->n--;
    if (room->n == c->n && memcmp(gr__str_get(room), c->text, c->n) == 0) return GR_OK;
    char *own = gr__arena_strndup(&r->arena, gr__str_get(room), room->n);
    if (!own) return gr__fail_memory("a text", room->n);
    *c = (gr__cell){own, (uint32_t)room->n, c->quoted};
    ++*n;
    return GR_OK;
}

static gr_status trim_all(gr_records *r, int64_t *n)
{
    gr__str room = {0};
    gr_status status = GR_OK;
    for (int64_t i = 0; i < r->rows && status == GR_OK; i++)
        for (int64_t k = 0; k < r->columns && status == GR_OK; k++) status = trim(r, &r->row[i].cell[k], &room, n);
    gr__str_release(&room);
    return status;
}

static int64_t characters(const gr__cell *c)
{
    int64_t n = 0;
    for (size_t i = 0; i < c->n; i++) n += ((unsigned char)c->text[i] & 0xC0) != 0x80;
    return n;
}

static bool is_row_bad(const gr_records *r, const gr_clean_options *o, int64_t row, int64_t target, int64_t text)
{
    const gr__cell *cell = r->row[row].cell;
    if (target >= 0 && gr__cell_is_missing(&cell[target])) return true;
    for (int64_t k = 0; k < r->columns && o->missing == GR_MISSING_DROP; k++)
        if (gr__cell_is_missing(&cell[k])) return true;
    if (text < 0) return false;
    int64_t n = characters(&cell[text]);
    return n < o->least || (o->most > 0 && n > o->most);
}

static gr_status remove_rows(gr_records *r, const gr_clean_options *o, int64_t target, int64_t text, int64_t *n)
{
    bool *keep = gr__calloc((size_t)r->rows + 1, sizeof *keep);
    if (!keep) return gr__fail_memory("rows", (size_t)r->rows);
    for (int64_t i = 0; i < r->rows; i++) *n += !(keep[i] = !is_row_bad(r, o, i, target, text));
    gr__records_keep(r, keep);
    gr__free(keep);
    GR_FAIL_IF(r->rows == 0, GR_ERR_DATA, "'%s': cleaning would leave no row", r->path);
    return GR_OK;
}

static void remove_column(gr_records *r, int64_t column)
{
    for (int64_t i = 0; i < r->rows; i++)
        memmove(r->row[i].cell + column, r->row[i].cell + column + 1,
                (size_t)(r->columns - column - 1) * sizeof(gr__cell));
    memmove(r->name + column, r->name + column + 1, (size_t)(r->columns - column - 1) * sizeof *r->name);
    r->columns--;
}

static gr_status set_number(gr_records *r, gr__cell *c, double value)
{
    char text[32];
    gr__record_number(text, value);
    char *own = gr__arena_strdup(&r->arena, text);
    if (!own) return gr__fail_memory("a number", 32);
    *c = (gr__cell){own, (uint32_t)strlen(own), false};
    return GR_OK;
}

static gr_status clip(gr_records *r, int64_t column, const gr_column_stats *s, double ranges, int64_t *n)
{
    double reach = ranges * (s->three_quarters - s->quarter), low = s->quarter - reach,
           high = s->three_quarters + reach, v;
    for (int64_t i = 0; i < r->rows; i++) {
        gr__cell *c = &r->row[i].cell[column];
        if (!gr__cell_number(c, false, &v) || (v >= low && v <= high)) continue;
        GR_TRY(set_number(r, c, v < low ? low : high));
        ++*n;
    }
    return GR_OK;
}

static gr_status fill(gr_records *r, int64_t column, const gr_column_stats *s, gr_missing how, int64_t *n)
{
    gr__cell by = {s->often[0], s->often[0] ? (uint32_t)strlen(s->often[0]) : 0, true};
    if (s->type == GR_COLUMN_EMPTY || s->missing == 0) return GR_OK;
    if (s->type == GR_COLUMN_NUMBERS) GR_TRY(set_number(r, &by, how == GR_MISSING_MEAN ? s->mean : s->median));
    for (int64_t i = 0; i < r->rows; i++) {
        gr__cell *c = &r->row[i].cell[column];
        if (!gr__cell_is_missing(c)) continue;
        *c = by;
        ++*n;
    }
    return GR_OK;
}

static gr_status clean_column(gr_records *r, const gr_clean_options *o, int64_t column, bool target, bool *useless,
                              gr_clean_report *report)
{
    gr_column_stats s;
    GR_TRY(gr_records_stats(r, column, &s));
    *useless = !target && !o->keep_constant && (s.distinct == 0 || (s.distinct == 1 && s.missing == 0 && r->rows > 1));
    if (*useless || target) return GR_OK;
    if (o->clip > 0 && s.type == GR_COLUMN_NUMBERS && s.least < s.most) {
        if (s.three_quarters > s.quarter)
            GR_TRY(clip(r, column, &s, o->clip, &report->clipped));
        else if (report->columns_unclipped++ == 0)
            report->unclipped = r->name[column];
    }
    if (o->missing == GR_MISSING_MEDIAN || o->missing == GR_MISSING_MEAN)
        GR_TRY(fill(r, column, &s, o->missing, &report->filled));
    return GR_OK;
}

gr_status gr_records_clean(gr_records *r, const gr_clean_options *options, gr_clean_report *report)
{
    gr_clean_options o = options ? *options : (gr_clean_options){.target = NULL};
    gr_clean_report none, *out = report ? report : &none;
    int64_t target = -1, text = -1;
    GR_FAIL_IF(!r, GR_ERR_ARGUMENT, "gr_records_clean: an argument is NULL");
    *out = (gr_clean_report){0};
    GR_FAIL_IF((unsigned)o.missing >= GR_MISSING_COUNT, GR_ERR_ARGUMENT,
               "there is no way %d of filling what is missing", (int)o.missing);
    GR_FAIL_IF(!(o.clip >= 0) || o.least < 0 || o.most < 0, GR_ERR_ARGUMENT, "cleaning wants numbers of 0 or more");
    if (o.target) GR_TRY(gr_records_column(r, o.target, &target));
    if (o.least > 0 || o.most > 0) {
        if (r->columns > 1)
            GR_TRY(gr_records_column(r, "text", &text));
        else
            text = 0;
    }
    if (!o.keep_spaces) GR_TRY(trim_all(r, &out->trimmed));
    GR_TRY(remove_rows(r, &o, target, text, &out->rows_removed));
    for (int64_t k = 0; k < r->columns; k++) {
        bool useless;
        GR_TRY(clean_column(r, &o, k, k == target, &useless, out));
        if (!useless || r->columns == 1) continue;
        remove_column(r, k--);
        target -= k + 1 < target;
        out->columns_removed++;
    }
    return GR_OK;
}
