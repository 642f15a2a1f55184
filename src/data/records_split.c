/* Records in parts for training, validation and test. */
#include "data/records.h"

#include "base/rng.h"
#include "base/spill.h"
#include "data/date.h"
#include "data/split.h"
#include "metric/order.h"

#include <math.h>

enum { TRAIN, VALID, TEST, PARTS };

/* part (rows): which one each row is for. */
static gr_status by_value(const gr_records *r, const gr_split_options *o, uint8_t *part)
{
    int32_t *code = NULL, values = 1;
    int64_t column, n_rest, n_train;
    if (o->by) {
        GR_TRY(gr_records_column(r, o->by, &column));
        GR_TRY(gr__records_codes(r, column, &code, &values));
    }
    int64_t *row = gr__calloc((size_t)r->rows + 1, sizeof *row);
    gr_status status = row ? GR_OK : gr__fail_memory("rows", (size_t)r->rows * sizeof *row);
    GR_TRY_DONE(status);
    for (int64_t i = 0; i < r->rows; i++) row[i] = i;
    GR_TRY_DONE(gr__split_rows(&(gr__split_options){.valid = o->test}, o->seed, code, values, row, r->rows, &n_rest));
    for (int64_t i = n_rest; i < r->rows; i++) part[row[i]] = TEST;
    GR_TRY_DONE(gr__split_rows(&(gr__split_options){.valid = o->valid / (1 - o->test)}, o->seed + 1, code, values, row,
                               n_rest, &n_train));
    for (int64_t i = n_train; i < n_rest; i++) part[row[i]] = VALID;
done:
    gr__free(row);
    gr__free(code);
    return status;
}

/* Groups in an order drawn by the seed, each to the part that lacks most of its share. */
static gr_status by_group(const gr_records *r, const gr_split_options *o, uint8_t *part)
{
    int32_t *code = NULL, groups;
    int64_t column, have[PARTS] = {0};
    const double share[PARTS] = {1 - o->valid - o->test, o->valid, o->test};
    GR_TRY(gr_records_column(r, o->group, &column));
    GR_TRY(gr__records_codes(r, column, &code, &groups));
    int64_t *size = gr__calloc((size_t)groups, sizeof *size);
    uint8_t *of = gr__calloc((size_t)groups, sizeof *of);
    gr_status status = size && of ? GR_OK : gr__fail_memory("groups", (size_t)groups * sizeof *size);
    GR_TRY_DONE(status);
    for (int64_t i = 0; i < r->rows; i++) size[code[i]]++;
    uint64_t key = gr__rng_key(o->seed, 0x67726f757073u);
    for (int32_t i = 0; i < groups; i++) {
        int64_t g = (int64_t)gr__permute(key, (uint64_t)groups, (uint64_t)i);
        int best = TRAIN;
        double most = -INFINITY;
        for (int p = 0; p < PARTS; p++) {
            double lack = share[p] * (double)r->rows - (double)have[p];
            if (share[p] > 0 && lack > most) most = lack, best = p;
        }
        of[g] = (uint8_t)best;
        have[best] += size[g];
    }
    for (int64_t i = 0; i < r->rows; i++) part[i] = of[code[i]];
done:
    gr__free(code);
    gr__free(size);
    gr__free(of);
    return status;
}

/* ---- by time ---- */

/* Anything else is refused: "10/2/2019" as a text comes before "9/1/2019". */
static gr_status read_dates(const gr_records *r, int64_t column, double *time)
{
    for (int64_t i = 0; i < r->rows; i++) {
        const char *text = r->row[i].cell[column].text;
        if (!gr__date_read(text, GR__DATE_ISO, &time[i]))
            return gr__fail(GR_ERR_DATA,
                            "%s:%lld: '%.60s' in column '%s' is no time that can be put in order; write dates as "
                            "YYYY-MM-DD (2024-05-31 or 2024-05-31 14:05), or numbers",
                            r->path, (long long)r->row[i].line, text, r->name[column]);
    }
    return GR_OK;
}

static gr_status by_time(const gr_records *r, const gr_split_options *o, uint8_t *part)
{
    int64_t column;
    GR_TRY(gr_records_column(r, o->time, &column));
    for (int64_t i = 0; i < r->rows; i++)
        if (gr__cell_is_missing(&r->row[i].cell[column]))
            return gr__fail(GR_ERR_DATA, "%s:%lld: the row has no time in column '%s'", r->path,
                            (long long)r->row[i].line, r->name[column]);
    size_t *index = gr__calloc((size_t)r->rows + 1, sizeof *index);
    double *time = gr__calloc((size_t)r->rows + 1, sizeof *time);
    gr_status status = index && time ? GR_OK : gr__fail_memory("times", (size_t)r->rows * sizeof *time);
    if (status == GR_OK && !gr__records_numbers(r, column, time)) status = read_dates(r, column, time);
    if (status == GR_OK) status = gr__order(time, (size_t)r->rows, false, index);
    int64_t test = llround(o->test * (double)r->rows), valid = llround(o->valid * (double)r->rows);
    for (int64_t i = 0; i < r->rows && status == GR_OK; i++)
        part[index[i]] = (uint8_t)(i >= r->rows - test ? TEST : i >= r->rows - test - valid ? VALID : TRAIN);
    gr__free(index);
    gr__free(time);
    return status;
}

/* Rows without a group are one group: where most are, hardly anything is left for the other parts. */
static gr_status empty_part(const gr_records *r, const gr_split_options *o, const char *part)
{
    int64_t column, missing = 0;
    if (o->group) {
        GR_TRY(gr_records_column(r, o->group, &column));
        for (int64_t i = 0; i < r->rows; i++) missing += gr__cell_is_missing(&r->row[i].cell[column]);
    }
    if (missing < 2) return gr__fail(GR_ERR_DATA, "'%s': the part for %s would be empty", r->path, part);
    return gr__fail(GR_ERR_DATA,
                    "'%s': the part for %s would be empty: %lld of %lld rows have nothing in column '%s' and stay "
                    "together as one group; fill them or leave them out first (data clean --target)",
                    r->path, part, (long long)missing, (long long)r->rows, r->name[column]);
}

static gr_status take(const gr_records *r, const gr_split_options *o, const uint8_t *part, int which, gr_records **out)
{
    static const char *const names[] = {"training", "validation", "test"};
    GR_TRY(gr__records_like(r, out));
    for (int64_t i = 0; i < r->rows; i++) {
        if (part[i] != which) continue;
        GR_TRY(gr__spill_grow(&(*out)->row, sizeof *r->row, (size_t)(*out)->rows + 1, &(*out)->capacity));
        (*out)->row[(*out)->rows++] = r->row[i];
    }
    return (*out)->rows ? GR_OK : empty_part(r, o, names[which]);
}

gr_status gr_records_split(const gr_records *r, const gr_split_options *options, gr_records *part[3])
{
    GR_FAIL_IF(!r || !options || !part, GR_ERR_ARGUMENT, "gr_records_split: an argument is NULL");
    const gr_split_options *o = options;
    part[TRAIN] = part[VALID] = part[TEST] = NULL;
    GR_FAIL_IF(!(o->valid >= 0 && o->test >= 0 && o->valid + o->test > 0 && o->valid + o->test < 1), GR_ERR_ARGUMENT,
               "shares of %g for validation and %g for test are not possible", o->valid, o->test);
    GR_FAIL_IF(!!o->by + !!o->group + !!o->time > 1, GR_ERR_ARGUMENT,
               "records are split by value, by group or by time: only one of them");
    uint8_t *which = gr__calloc((size_t)r->rows + 1, sizeof *which);
    if (!which) return gr__fail_memory("rows", (size_t)r->rows);
    gr_status status = (o->group ? by_group : o->time ? by_time : by_value)(r, o, which);
    const double share[PARTS] = {1, o->valid, o->test};
    for (int p = 0; p < PARTS && status == GR_OK; p++)
        if (share[p] > 0) status = take(r, o, which, p, &part[p]);
    gr__free(which);
    for (int p = 0; p < PARTS && status != GR_OK; p++) gr_records_free(&part[p]);
    return status;
}
