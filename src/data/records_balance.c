/* As many rows of each value of a column: rows again, rows left out, or new ones between old ones. */
#include "data/records.h"

#include "data/smote.h"

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

/* Which of the rows of value k is the i-th in an order drawn by the seed, again and again in other orders. */
static int64_t pick(const values *v, int32_t k, uint64_t seed, int64_t i)
{
    return gr__rng_row(seed, 0x62616c0000000000u + (uint64_t)k * 0x100000, count(v, k), i);
}

static int64_t draw(const values *v, int32_t k, uint64_t seed, int64_t i)
{
    return v->row[v->start[k] + pick(v, k, seed, i)];
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

/* Columns other than the target as numbers or as codes of words. */
typedef struct space {
    gr__smote s;
    double *number, *column, *made; /* (rows, numbers), (rows), (numbers) */
    int32_t *word, *said;           /* (rows, words), (words) */
    int64_t *at;                    /* (columns): place among numbers, or -1 - place among words */
    bool *whole;                    /* (columns): all numbers are integers */
    const gr__cell **cell;          /* of words: the cell that a code stands for, (columns, rows) */
} space;

static void space_release(space *s)
{
    gr__free(s->number);
    gr__free(s->column);
    gr__free(s->made);
    gr__free(s->word);
    gr__free(s->said);
    gr__free(s->at);
    gr__free(s->whole);
    gr__free(s->cell);
}

static gr_status take_numbers(const gr_records *r, space *s, int64_t column)
{
    s->whole[column] = true;
    for (int64_t i = 0; i < r->rows; i++) {
        double v = s->column[i];
        if (isnan(v))
            return gr__fail(GR_ERR_DATA,
                            "%s:%lld: no number in column '%s': fill what is missing first (data clean --fill)",
                            r->path, (long long)r->row[i].line, r->name[column]);
        s->whole[column] &= v == floor(v);
        s->number[i * s->s.numbers + s->at[column]] = v;
    }
    return GR_OK;
}

static gr_status take_words(const gr_records *r, space *s, int64_t column)
{
    int32_t *code, n;
    GR_TRY(gr__records_codes(r, column, &code, &n));
    for (int64_t i = 0; i < r->rows; i++) {
        s->word[i * s->s.words - 1 - s->at[column]] = code[i];
        s->cell[column * r->rows + code[i]] = &r->row[i].cell[column];
    }
    gr__free(code);
    return GR_OK;
}

static gr_status fill_space(gr_records *r, int64_t target, space *s)
{
    size_t c = (size_t)r->columns, n = (size_t)r->rows;
    s->at = gr__calloc(c + 1, sizeof *s->at);
    s->whole = gr__calloc(c + 1, sizeof *s->whole);
    s->cell = gr__calloc(c * n + 1, sizeof *s->cell);
    s->number = gr__calloc(c * n + 1, sizeof *s->number);
    s->word = gr__calloc(c * n + 1, sizeof *s->word);
    s->column = gr__calloc(n + 1, sizeof *s->column);
    s->made = gr__calloc(c + 1, sizeof *s->made);
    s->said = gr__calloc(c + 1, sizeof *s->said);
    if (!s->at || !s->whole || !s->cell || !s->number || !s->word || !s->column || !s->made || !s->said)
        return gr__fail_memory("rows", c * n * 20);
    for (int64_t k = 0; k < r->columns; k++)
        if (k != target) s->at[k] = gr__records_numbers(r, k, s->column) ? s->s.numbers++ : -1 - s->s.words++;
    GR_FAIL_IF(s->s.numbers == 0, GR_ERR_DATA, "'%s' has no column of numbers: there is nothing between two rows",
               r->path);
    for (int64_t k = 0; k < r->columns; k++) {
        if (k == target) continue;
        if (s->at[k] >= 0) gr__records_numbers(r, k, s->column);
        GR_TRY(s->at[k] >= 0 ? take_numbers(r, s, k) : take_words(r, s, k));
    }
    s->s.n = r->rows;
    s->s.number = s->number;
    s->s.word = s->word;
    return gr__smote_prepare(&s->s);
}

static gr_status add_made(gr_records *r, const space *s, int64_t target, const gr__cell *value, int64_t old_rows)
{
    gr__cell *cell;
    GR_TRY(gr__records_add(r, 0, &cell));
    for (int64_t k = 0; k < r->columns; k++) {
        if (k == target) {
            cell[k] = *value;
        } else if (s->at[k] < 0) {
            cell[k] = *s->cell[k * old_rows + s->said[-1 - s->at[k]]];
        } else {
            char text[32];
            gr__record_number(text, s->whole[k] ? round(s->made[s->at[k]]) : s->made[s->at[k]]);
            char *own = gr__arena_strdup(&r->arena, text);
            if (!own) return gr__fail_memory("a number", 32);
            cell[k] = (gr__cell){own, (uint32_t)strlen(own), false};
        }
    }
    return GR_OK;
}

static gr_status smote(gr_records *r, const values *v, const gr_balance_options *o, int64_t target, int64_t most)
{
    space s = {0};
    int64_t wanted = o->neighbours ? o->neighbours : GR__SMOTE_NEIGHBOURS, rows = r->rows;
    gr_status status = fill_space(r, target, &s);
    for (int32_t k = 0; k < v->n && status == GR_OK; k++) {
        gr__rng rng = gr__rng_make(o->seed, 0x736d6f7465000000u + (uint64_t)k);
        const int64_t *row = v->row + v->start[k];
        gr__cell value = r->row[row[0]].cell[target];
        if (count(v, k) < 2 && count(v, k) < most)
            status = gr__fail(GR_ERR_DATA, "'%s': '%s' stands in a single row; there is nothing between one row",
                              r->path, value.text);
        for (int64_t i = count(v, k); i < most && status == GR_OK; i++) {
            gr__smote_row(&s.s, row, count(v, k), pick(v, k, o->seed, i - count(v, k)), wanted, &rng, s.made, s.said);
            status = add_made(r, &s, target, &value, rows);
        }
    }
    space_release(&s);
    return status;
}

/* Nothing says of what value they are. */
static gr_status leave_out_missing(gr_records *r, int64_t column)
{
    bool *keep = gr__calloc((size_t)r->rows + 1, sizeof *keep);
    if (!keep) return gr__fail_memory("rows", (size_t)r->rows);
    for (int64_t i = 0; i < r->rows; i++) keep[i] = !gr__cell_is_missing(&r->row[i].cell[column]);
    gr__records_keep(r, keep);
    gr__free(keep);
    GR_FAIL_IF(r->rows == 0, GR_ERR_DATA, "'%s': column '%s', the target, is empty", r->path, r->name[column]);
    return GR_OK;
}

gr_status gr_records_balance(gr_records *r, const gr_balance_options *options)
{
    GR_FAIL_IF(!r || !options, GR_ERR_ARGUMENT, "gr_records_balance: an argument is NULL");
    GR_FAIL_IF(!options->target, GR_ERR_ARGUMENT, "balancing wants the column of the target");
    GR_FAIL_IF((unsigned)options->how >= GR_BALANCE_COUNT, GR_ERR_ARGUMENT, "there is no way %d of balancing",
               (int)options->how);
    const gr_balance_options *o = options;
    values v = {0};
    int64_t column, least = INT64_MAX, most = 0;
    GR_FAIL_IF(o->neighbours < 0 || o->neighbours > GR__SMOTE_MOST, GR_ERR_ARGUMENT,
               "%lld neighbours are not possible; 1 to %d are", (long long)o->neighbours, GR__SMOTE_MOST);
    GR_TRY(gr_records_column(r, o->target, &column));
    GR_TRY(leave_out_missing(r, column));
    gr_status status = group(r, column, &v);
    for (int32_t k = 0; k < v.n && status == GR_OK; k++) {
        least = GR__MIN(least, count(&v, k));
        most = GR__MAX(most, count(&v, k));
    }
    if (status == GR_OK && v.n < 2)
        status = gr__fail(GR_ERR_DATA, "'%s': all values of '%s' are the same; there is nothing to balance", r->path,
                          r->name[column]);
    if (status == GR_OK)
        status = o->how == GR_BALANCE_UNDER   ? undersample(r, &v, o->seed, least)
                 : o->how == GR_BALANCE_SMOTE ? smote(r, &v, o, column, most)
                                              : oversample(r, &v, o->seed, most);
    release(&v);
    return status;
}
