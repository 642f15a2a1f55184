/* As many rows of each value of a column: rows again, rows left out, or new ones between old ones. */
#include "data/records.h"

#include "base/rng.h"
#include "metric/order.h"

#include <math.h>
#include <string.h>

/* Rows by value: those of value k are row[start[k]] ... row[start[k + 1] - 1]. */
typedef struct values {
    int32_t n;
    int64_t *row, *start;
} values;

static void release(values *v)
{
    gr__free(v->row);
    gr__free(v->start);
}

static gr_status group(const gr_records *r, int64_t column, values *out)
{
    int32_t *code;
    GR_TRY(gr__records_codes(r, column, &code, &out->n));
    out->row = gr__calloc((size_t)r->rows + 1, sizeof *out->row);
    out->start = gr__calloc((size_t)out->n + 2, sizeof *out->start);
    gr_status status = out->row && out->start ? GR_OK : gr__fail_memory("rows", (size_t)r->rows * sizeof *out->row);
    if (status == GR_OK) {
        for (int64_t i = 0; i < r->rows; i++) out->start[code[i] + 2]++;
        for (int32_t k = 2; k <= out->n + 1; k++) out->start[k] += out->start[k - 1];
        for (int64_t i = 0; i < r->rows; i++) out->row[out->start[code[i] + 1]++] = i;
    }
    gr__free(code);
    return status;
}

static int64_t count(const values *v, int32_t k) { return v->start[k + 1] - v->start[k]; }

/* The i-th row of value k in an order drawn by the seed, again and again in other orders. */
static int64_t draw(const values *v, int32_t k, uint64_t seed, int64_t i)
{
    return v->row[v->start[k] + gr__rng_row(seed, 0x62616c0000000000u + (uint64_t)k * 0x100000, count(v, k), i)];
}

static gr_status undersample(gr_records *r, const values *v, uint64_t seed, int64_t least)
{
    bool *keep = gr__calloc((size_t)r->rows + 1, sizeof *keep);
    if (!keep) return gr__fail_memory("rows", (size_t)r->rows);
    for (int32_t k = 0; k < v->n; k++)
        for (int64_t i = 0; i < least; i++) keep[draw(v, k, seed, i)] = true;
    gr__records_keep(r, keep);
    gr__free(keep);
    return GR_OK;
}

static gr_status oversample(gr_records *r, const values *v, uint64_t seed, int64_t most)
{
    for (int32_t k = 0; k < v->n; k++)
        for (int64_t i = count(v, k); i < most; i++) {
            const gr__record from = r->row[draw(v, k, seed, i - count(v, k))];
            gr__cell *cell;
            GR_TRY(gr__records_add(r, from.line, &cell));
            memcpy(cell, from.cell, (size_t)r->columns * sizeof *cell);
        }
    return GR_OK;
}

/* ---- SMOTE ---- */

typedef struct space {
    int64_t n;                  /* rows */
    int64_t target;             /* column */
    double *number;             /* (columns, n): scaled to variance 1; NULL entries are words */
    bool *is_number, *is_whole; /* (columns) */
    double *deviation;          /* (columns) */
    double word;                /* what two different words add to a squared distance */
} space;

static void space_release(space *s)
{
    gr__free(s->number);
    gr__free(s->is_number);
    gr__free(s->deviation);
}

static gr_status measure(gr_records *r, space *s, int64_t column)
{
    double *v = s->number + column * s->n, mean = 0, square = 0;
    s->is_number[column] = gr__records_numbers(r, column, v);
    s->is_whole[column] = true;
    for (int64_t i = 0; i < s->n && s->is_number[column]; i++) {
        if (isnan(v[i]))
            return gr__fail(GR_ERR_DATA,
                            "%s:%lld: no number in column '%s': fill what is missing first (data clean --fill)",
                            r->path, (long long)r->row[i].line, r->name[column]);
        mean += v[i] / (double)s->n;
        s->is_whole[column] &= v[i] == floor(v[i]);
    }
    for (int64_t i = 0; i < s->n; i++) square += (v[i] - mean) * (v[i] - mean) / (double)s->n;
    s->deviation[column] = s->is_number[column] && square > 0 ? sqrt(square) : 1;
    return GR_OK;
}

/* The median of the deviations; numbers are kept as they are. */
static gr_status make_space(gr_records *r, int64_t target, space *s)
{
    size_t c = (size_t)r->columns;
    *s = (space){.n = r->rows, .target = target};
    s->number = gr__calloc(c * (size_t)s->n + 1, sizeof *s->number);
    s->is_number = gr__calloc(2 * c + 1, sizeof *s->is_number);
    s->deviation = gr__calloc(2 * c + 1, sizeof *s->deviation);
    if (!s->number || !s->is_number || !s->deviation) return gr__fail_memory("rows", c * (size_t)s->n * 8);
    s->is_whole = s->is_number + c;
    size_t numbers = 0;
    double *sorted = s->deviation + c;
    for (int64_t k = 0; k < r->columns; k++) {
        if (k == target) continue;
        GR_TRY(measure(r, s, k));
        if (s->is_number[k]) sorted[numbers++] = s->deviation[k];
    }
    GR_FAIL_IF(numbers == 0, GR_ERR_DATA, "'%s' has no column of numbers: there is nothing between two rows", r->path);
    GR_TRY(gr__sort(sorted, numbers));
    double median = gr__percentile(sorted, numbers, 0.5);
    s->word = median * median;
    return GR_OK;
}

static double distance(const gr_records *r, const space *s, int64_t a, int64_t b)
{
    double sum = 0;
    for (int64_t k = 0; k < r->columns; k++) {
        if (k == s->target) continue;
        if (s->is_number[k]) {
            double d = s->number[k * s->n + a] - s->number[k * s->n + b];
            sum += d * d;
        } else if (strcmp(r->row[a].cell[k].text, r->row[b].cell[k].text) != 0) {
            sum += s->word;
        }
    }
    return sum;
}

/* The nearest rows of the same value, the nearest first; *n at most 'wanted'. */
static void find_near(const gr_records *r, const space *s, const values *v, int32_t k, int64_t row, int64_t wanted,
                      int64_t *near, double *far, int64_t *n)
{
    *n = 0;
    for (int64_t i = v->start[k]; i < v->start[k + 1]; i++) {
        if (v->row[i] == row) continue;
        double d = distance(r, s, row, v->row[i]);
        int64_t at = *n;
        while (at > 0 && far[at - 1] > d) at--;
        if (at == wanted) continue;
        *n = GR__MIN(*n + 1, wanted);
        memmove(near + at + 1, near + at, (size_t)(*n - 1 - at) * sizeof *near);
        memmove(far + at + 1, far + at, (size_t)(*n - 1 - at) * sizeof *far);
        near[at] = v->row[i], far[at] = d;
    }
}

/* The word that most of the neighbours have; of equals the nearest one's. */
static const gr__cell *most_common(const gr_records *r, int64_t column, const int64_t *near, int64_t n)
{
    const gr__cell *best = NULL;
    int64_t most = 0;
    for (int64_t i = 0; i < n; i++) {
        const gr__cell *c = &r->row[near[i]].cell[column];
        int64_t same = 0;
        for (int64_t j = 0; j < n; j++) same += strcmp(r->row[near[j]].cell[column].text, c->text) == 0;
        if (same > most) most = same, best = c;
    }
    return best;
}

static gr_status make_row(gr_records *r, const space *s, int64_t row, const int64_t *near, int64_t n, gr__rng *rng)
{
    int64_t other = near[gr__rng_below(rng, (uint64_t)n)];
    double share = gr__rng_uniform(rng);
    gr__cell *cell;
    GR_TRY(gr__records_add(r, 0, &cell));
    for (int64_t k = 0; k < r->columns; k++) {
        if (k == s->target || !s->is_number[k]) {
            cell[k] = k == s->target ? r->row[row].cell[k] : *most_common(r, k, near, n);
            continue;
        }
        double a = s->number[k * s->n + row], b = s->number[k * s->n + other], v = a + share * (b - a);
        char text[32];
        gr__format_double(text, s->is_whole[k] ? round(v) : v);
        char *own = gr__arena_strdup(&r->arena, text);
        if (!own) return gr__fail_memory("a number", 32);
        cell[k] = (gr__cell){own, strlen(own), false};
    }
    return GR_OK;
}

static gr_status smote(gr_records *r, const values *v, const gr_balance_options *o, int64_t target, int64_t most)
{
    space s;
    int64_t wanted = o->neighbours ? o->neighbours : 5, n;
    int64_t *near = gr__calloc((size_t)wanted + 1, sizeof *near);
    double *far = gr__calloc((size_t)wanted + 1, sizeof *far);
    gr_status status = make_space(r, target, &s);
    if (status == GR_OK && (!near || !far)) status = gr__fail_memory("neighbours", (size_t)wanted * 16);
    for (int32_t k = 0; k < v->n && status == GR_OK; k++) {
        gr__rng rng = gr__rng_make(o->seed, 0x736d6f7465000000u + (uint64_t)k);
        if (count(v, k) < 2 && count(v, k) < most)
            status = gr__fail(GR_ERR_DATA, "'%s': '%s' stands in a single row; there is nothing between one row",
                              r->path, r->row[v->row[v->start[k]]].cell[target].text);
        for (int64_t i = count(v, k); i < most && status == GR_OK; i++) {
            int64_t row = draw(v, k, o->seed, i - count(v, k));
            find_near(r, &s, v, k, row, wanted, near, far, &n);
            status = make_row(r, &s, row, near, n, &rng);
        }
    }
    space_release(&s);
    gr__free(near);
    gr__free(far);
    return status;
}

gr_status gr_records_balance(gr_records *r, const gr_balance_options *options)
{
    GR_FAIL_IF(!r || !options || !options->target, GR_ERR_ARGUMENT, "balancing wants the column of the target");
    const gr_balance_options *o = options;
    values v = {0};
    int64_t column, least = INT64_MAX, most = 0;
    GR_FAIL_IF(o->neighbours < 0, GR_ERR_ARGUMENT, "%lld neighbours are not possible", (long long)o->neighbours);
    GR_TRY(gr_records_column(r, o->target, &column));
    gr_status status = group(r, column, &v);
    for (int32_t k = 0; k < v.n && status == GR_OK; k++) {
        least = GR__MIN(least, count(&v, k));
        most = GR__MAX(most, count(&v, k));
    }
    if (status == GR_OK && v.n < 2)
        status = gr__fail(GR_ERR_DATA, "'%s': all rows have the same '%s'; there is nothing to balance", r->path,
                          r->name[column]);
    if (status == GR_OK)
        status = o->how == GR_BALANCE_UNDER   ? undersample(r, &v, o->seed, least)
                 : o->how == GR_BALANCE_SMOTE ? smote(r, &v, o, column, most)
                                              : oversample(r, &v, o->seed, most);
    release(&v);
    return status;
}
