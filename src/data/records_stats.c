/* What the columns of records hold. */
#include "data/records.h"

#include "base/distinct.h"
#include "base/map.h"
#include "base/spill.h"
#include "metric/order.h"
#include "metric/sum.h"

#include <math.h>
#include <string.h>

enum { OFTEN = 3, LONG_TEXT = 24, MOST_COUNTED = 1 << 20 };

static gr_status describe_numbers(double *v, int64_t rows, gr_column_stats *out)
{
    gr__sum sum = {0}, squares = {0};
    size_t n = 0;
    for (int64_t i = 0; i < rows; i++)
        if (!isnan(v[i])) v[n++] = v[i];
    if (n == 0) return GR_OK;
    for (size_t i = 0; i < n; i++) gr__sum_add(&sum, v[i]);
    out->mean = gr__sum_get(&sum) / (double)n;
    for (size_t i = 0; i < n; i++) gr__sum_add(&squares, (v[i] - out->mean) * (v[i] - out->mean));
    out->deviation = n > 1 ? sqrt(gr__sum_get(&squares) / (double)(n - 1)) : 0;
    GR_TRY(gr__sort(v, n));
    out->least = v[0], out->most = v[n - 1];
    out->quarter = gr__percentile(v, n, 0.25);
    out->median = gr__percentile(v, n, 0.5);
    out->three_quarters = gr__percentile(v, n, 0.75);
    return GR_OK;
}

/* The most frequent cells, of equals the first. */
static void find_often(const gr__map *count, gr_column_stats *out)
{
    for (size_t i = 0; i < count->count; i++) {
        int at = OFTEN;
        while (at > 0 && (!out->often[at - 1] || out->often_count[at - 1] < count->entry[i].value)) at--;
        if (at == OFTEN) continue;
        for (int k = OFTEN - 1; k > at; k--)
            out->often[k] = out->often[k - 1], out->often_count[k] = out->often_count[k - 1];
        out->often[at] = count->entry[i].key;
        out->often_count[at] = count->entry[i].value;
    }
}

/* The map holds the first MOST_COUNTED different cells: its memory has an end. */
static gr_status count_cells(const gr_records *r, int64_t column, gr__map *count, gr__distinct *seen,
                             gr_column_stats *out)
{
    double length = 0;
    int64_t there = 0;
    for (int64_t i = 0; i < r->rows; i++) {
        const gr__cell *c = &r->row[i].cell[column];
        if (gr__cell_is_missing(c)) {
            out->missing++;
            continue;
        }
        int64_t *n = gr__map_get(count, c->text, c->n);
        if (n)
            ++*n;
        else if (count->count < MOST_COUNTED)
            GR_TRY(gr__map_set(count, c->text, c->n, 1, NULL));
        if (!n) GR_TRY(gr__distinct_add(seen, gr__hash_stable(c->text, c->n, 0), NULL));
        there++;
        for (size_t k = 0; k < c->n; k++) length += ((unsigned char)c->text[k] & 0xC0) != 0x80;
    }
    out->distinct = GR__MIN(gr__distinct_count(seen), there);
    out->length = there ? length / (double)there : 0;
    return GR_OK;
}

/* The keys of the map die with it: texts of the records stand for them. */
static void borrow_often(const gr_records *r, int64_t column, gr_column_stats *out)
{
    for (int k = 0; k < OFTEN && out->often[k]; k++)
        for (int64_t i = 0; i < r->rows; i++)
            if (strcmp(r->row[i].cell[column].text, out->often[k]) == 0) {
                out->often[k] = r->row[i].cell[column].text;
                break;
            }
}

gr_status gr_records_stats(const gr_records *r, int64_t column, gr_column_stats *out)
{
    GR_FAIL_IF(!r || !out, GR_ERR_ARGUMENT, "gr_records_stats: an argument is NULL");
    GR_FAIL_IF(column < 0 || column >= r->columns, GR_ERR_ARGUMENT, "there is no column %lld", (long long)column);
    gr__map count = {0};
    gr__distinct seen = {0};
    gr_column_stats s = {.missing = 0};
    double *v = gr__spill_new((size_t)r->rows + 1, sizeof *v);
    gr_status status = v ? GR_OK : gr__fail_memory("a column", (size_t)r->rows * sizeof *v);
    GR_TRY_DONE(status);
    GR_TRY_DONE(count_cells(r, column, &count, &seen, &s));
    bool numbers = gr__records_numbers(r, column, v);
    int64_t there = r->rows - s.missing;
    s.type = there == 0                                               ? GR_COLUMN_EMPTY
             : numbers                                                ? GR_COLUMN_NUMBERS
             : s.distinct * 2 > there && s.length > (double)LONG_TEXT ? GR_COLUMN_TEXT
                                                                      : GR_COLUMN_WORDS;
    if (s.type == GR_COLUMN_NUMBERS) GR_TRY_DONE(describe_numbers(v, r->rows, &s));
    find_often(&count, &s);
    borrow_often(r, column, &s);
    *out = s;
done:
    gr__map_release(&count);
    gr__distinct_release(&seen);
    gr__spill_free(v);
    return status;
}
