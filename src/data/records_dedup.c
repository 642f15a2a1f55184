/* Rows that come twice, within a file and across two. */
#include "data/records.h"

#include "base/map.h"
#include "base/str.h"

#include <string.h>

/* Numbers of the columns that are compared, all where none is named; the caller frees *out, after a failure too. */
static gr_status choose(const gr_records *r, const char *const *columns, int64_t **out, int64_t *n)
{
    int64_t count = 0;
    while (columns && columns[count]) count++;
    *n = count ? count : r->columns;
    *out = gr__calloc((size_t)*n + 1, sizeof **out);
    if (!*out) return gr__fail_memory("columns", (size_t)*n * sizeof **out);
    gr_status status = GR_OK;
    for (int64_t i = 0; i < *n && status == GR_OK; i++)
        if (count)
            status = gr_records_column(r, columns[i], &(*out)[i]);
        else
            (*out)[i] = i;
    return status;
}

/* The cells that are compared, apart. */
static gr_status join(const gr_records *r, int64_t row, const int64_t *column, int64_t n, gr__str *out)
{
    gr__str_clear(out);
    for (int64_t i = 0; i < n; i++) {
        if (i) gr__str_add_char(out, 0x1F);
        gr__str_add_n(out, r->row[row].cell[column[i]].text, r->row[row].cell[column[i]].n);
    }
    return gr__str_check(out);
}

static void count_twin(const gr_records *r, int64_t row, int64_t twin, bool exact, gr_dedup_report *report)
{
    report->exact += exact;
    if (exact) return;
    if (report->near++ == 0) {
        report->line = r->row[row].line;
        report->twin = r->row[twin].line;
    }
}

gr_status gr_records_dedup(gr_records *r, const gr_dedup_options *options, gr_dedup_report *report)
{
    gr_dedup_options o = options ? *options : (gr_dedup_options){.near = 0};
    gr_dedup_report none, *out = report ? report : &none;
    gr__near *index = NULL;
    int64_t *column = NULL, n, twin;
    bool *keep = NULL, exact;
    gr__str text = {0};
    gr_status status = GR_OK;
    GR_FAIL_IF(!r, GR_ERR_ARGUMENT, "gr_records_dedup: an argument is NULL");
    *out = (gr_dedup_report){0};
    GR_TRY_DONE(choose(r, o.columns, &column, &n));
    GR_TRY_DONE(gr__near_new(o.near, &index));
    keep = gr__calloc((size_t)r->rows + 1, sizeof *keep);
    if (!keep) GR_TRY_DONE(gr__fail_memory("rows", (size_t)r->rows));
    for (int64_t i = 0; i < r->rows; i++) {
        GR_TRY_DONE(join(r, i, column, n, &text));
        GR_TRY_DONE(gr__near_look(index, gr__str_get(&text), text.n, i, true, &twin, &exact));
        keep[i] = twin < 0;
        if (twin >= 0) count_twin(r, i, twin, exact, out);
    }
    gr__records_keep(r, keep);
done:
    gr__near_free(&index);
    gr__free(column);
    gr__free(keep);
    gr__str_release(&text);
    return status;
}

static gr_status no_such_column(const gr_records *has, const gr_records *lacks, int64_t column)
{
    return gr__fail(GR_ERR_SHAPE, "'%s' has a column '%s', '%s' has none; name those to compare (--columns)", has->path,
                    has->name[column], lacks->path);
}

/* Of all columns of a: the place in b of the one with the same name. */
static gr_status match_names(const gr_records *a, const gr_records *b, int64_t *of_b)
{
    gr__map left = {0}; /* of b; -1: matched */
    gr_status status = GR_OK;
    for (int64_t i = 0; i < b->columns; i++) GR_TRY_DONE(gr__map_set_name(&left, b->name[i], i, NULL));
    for (int64_t i = 0; i < a->columns; i++) {
        int64_t *at = gr__map_get_name(&left, a->name[i]);
        if (!at || *at < 0) GR_TRY_DONE(no_such_column(a, b, i));
        of_b[i] = *at;
        *at = -1;
    }
    for (size_t i = 0; i < left.count; i++)
        if (left.entry[i].value >= 0) GR_TRY_DONE(no_such_column(b, a, left.entry[i].value));
done:
    gr__map_release(&left);
    return status;
}

/* The columns of both that are compared with each other, n pairs; the caller frees them. All: by name where the files have
 * names, else by place. */
static gr_status choose_pairs(const gr_records *a, const gr_records *b, const char *const *columns, int64_t *pair[2],
                              int64_t *n)
{
    int64_t other;
    GR_TRY(choose(a, columns, &pair[0], n));
    GR_TRY(choose(b, columns, &pair[1], &other));
    bool by_name = (!columns || !columns[0]) && a->named && b->named;
    GR_FAIL_IF(*n != other && !by_name, GR_ERR_SHAPE,
               "'%s' and '%s' have %lld and %lld columns; name those to compare (--columns)", a->path, b->path,
               (long long)*n, (long long)other);
    if (!by_name) return GR_OK;
    gr__free(pair[1]);
    pair[1] = gr__calloc((size_t)*n + 1, sizeof *pair[1]);
    return pair[1] ? match_names(a, b, pair[1]) : gr__fail_memory("columns", (size_t)*n * sizeof *pair[1]);
}

gr_status gr_records_overlap(const gr_records *a, const gr_records *b, const char *const *columns, double near,
                             int64_t *n, int64_t *line_a, int64_t *line_b)
{
    gr__near *index = NULL;
    int64_t *column[2] = {NULL, NULL}, count, twin, first[2] = {0, 0}, found = 0;
    const gr_records *side[2] = {a, b};
    bool exact;
    gr__str text = {0};
    gr_status status = GR_OK;
    GR_FAIL_IF(!a || !b || !n, GR_ERR_ARGUMENT, "gr_records_overlap: an argument is NULL");
    GR_TRY_DONE(choose_pairs(a, b, columns, column, &count));
    GR_TRY_DONE(gr__near_new(near, &index));
    for (int s = 0; s < 2; s++)
        for (int64_t i = 0; i < side[s]->rows; i++) {
            GR_TRY_DONE(join(side[s], i, column[s], count, &text));
            GR_TRY_DONE(gr__near_look(index, gr__str_get(&text), text.n, i, s == 0, &twin, &exact));
            if (s == 0 || twin < 0) continue;
            if (found++ == 0) first[0] = a->row[twin].line, first[1] = b->row[i].line;
        }
    *n = found;
    if (line_a) *line_a = first[0];
    if (line_b) *line_b = first[1];
done:
    gr__near_free(&index);
    gr__free(column[0]);
    gr__free(column[1]);
    gr__str_release(&text);
    return status;
}
