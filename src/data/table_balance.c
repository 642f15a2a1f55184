/* As many training rows of each class (data.balance). It is done to encoded rows, after the split: what validates is never
 * repeated or made up. */
#include "data/smote.h"
#include "data/table_int.h"

#include <string.h>

/* Rows by class: those of class k are row[start[k]] ... row[start[k + 1] - 1]. */
typedef struct classes {
    int64_t n, least, most; /* of the classes that occur */
    int64_t *row, *start;
} classes;

static int64_t count(const classes *c, int64_t k) { return c->start[k + 1] - c->start[k]; }

static gr_status group(const gr__table_part *p, int64_t n, classes *c)
{
    *c = (classes){.n = n, .least = p->n};
    c->row = gr__calloc((size_t)p->n + 1, sizeof *c->row);
    c->start = gr__calloc((size_t)n + 2, sizeof *c->start);
    if (!c->row || !c->start) return gr__fail_memory("rows", (size_t)p->n * sizeof *c->row);
    for (int64_t i = 0; i < p->n; i++) c->start[p->class[i] + 2]++;
    for (int64_t k = 2; k <= n + 1; k++) c->start[k] += c->start[k - 1];
    for (int64_t i = 0; i < p->n; i++) c->row[c->start[p->class[i] + 1]++] = i;
    for (int64_t k = 0; k < n; k++) {
        c->most = GR__MAX(c->most, count(c, k));
        if (count(c, k)) c->least = GR__MIN(c->least, count(c, k));
    }
    return GR_OK;
}

/* Which of the rows of class k is number i of those drawn. */
static int64_t pick(const classes *c, int64_t k, uint64_t seed, int64_t i)
{
    return gr__rng_row(seed, 0x62616c0000000000u + (uint64_t)k * 0x100000, count(c, k), i);
}

typedef struct widths {
    size_t numbers, codes;
} widths;

static void copy_row(const widths *w, const gr__table_part *from, int64_t i, gr__table_part *to, int64_t at)
{
    to->line[at] = from->line[i];
    to->number[at] = from->number[i];
    to->class[at] = from->class[i];
    memcpy(to->numbers + (size_t)at * w->numbers, from->numbers + (size_t)i * w->numbers,
           w->numbers * sizeof *to->numbers);
    memcpy(to->codes + (size_t)at * w->codes, from->codes + (size_t)i * w->codes, w->codes * sizeof *to->codes);
}

/* 'each' rows of each class that occurs: all in order while there are enough, then drawn; or all drawn. */
static void draw(const widths *w, const classes *c, const gr__table_part *from, int64_t each, uint64_t seed,
                 gr__table_part *to)
{
    int64_t at = 0;
    for (int64_t k = 0; k < c->n; k++) {
        int64_t n = count(c, k);
        for (int64_t i = 0; i < each && n; i++) {
            int64_t which = each >= n ? (i < n ? i : pick(c, k, seed, i - n)) : pick(c, k, seed, i);
            copy_row(w, from, c->row[c->start[k] + which], to, at++);
        }
    }
}

static gr_status make_up(const widths *w, const classes *c, const gr__table_part *from, uint64_t seed,
                         gr__table_part *to)
{
    size_t n = (size_t)from->n;
    double *number = gr__calloc((n + 1) * w->numbers, sizeof *number), *made = number + n * w->numbers;
    if (!number) return gr__fail_memory("rows", n * w->numbers * sizeof *number);
    for (size_t i = 0; i < n * w->numbers; i++) number[i] = (double)from->numbers[i];
    gr__smote s = {from->n, (int64_t)w->numbers, (int64_t)w->codes, number, from->codes, 0};
    gr_status status = gr__smote_prepare(&s);
    int64_t at = from->n;
    for (int64_t i = 0; i < from->n; i++) copy_row(w, from, i, to, i);
    for (int64_t k = 0; k < c->n && status == GR_OK; k++) {
        gr__rng rng = gr__rng_make(seed, 0x736d6f7465000000u + (uint64_t)k);
        const int64_t *row = c->row + c->start[k];
        for (int64_t i = count(c, k), n_class = i; i && i < c->most; i++, at++) {
            int64_t which = pick(c, k, seed, i - n_class);
            copy_row(w, from, row[which], to, at);
            gr__smote_row(&s, row, n_class, which, GR__SMOTE_NEIGHBOURS, &rng, made, to->codes + (size_t)at * w->codes);
            for (size_t j = 0; j < w->numbers; j++) to->numbers[(size_t)at * w->numbers + j] = (float)made[j];
        }
    }
    gr__free(number);
    return status;
}

static gr_status check_smote(const gr__columns *columns, const widths *w, const classes *c)
{
    GR_FAIL_IF(w->numbers == 0, GR_ERR_DATA, "data.balance=smote wants a column of numbers; 'over' works without");
    for (int64_t k = 0; k < c->n; k++)
        GR_FAIL_IF(count(c, k) == 1 && c->most > 1, GR_ERR_DATA,
                   "the class '%.100s' has a single row for training: there is nothing between one row; use "
                   "data.balance=over",
                   columns->target.words.item[k]);
    return GR_OK;
}

gr_status gr__table_balance_part(const gr__columns *columns, int how, uint64_t seed, gr__table_part *part)
{
    classes c;
    gr__table_part made = {0};
    widths w = {(size_t)gr__columns_numbers(columns), (size_t)gr__columns_codes(columns)};
    int64_t present = 0, rows = 0;
    if (how == GR__BALANCE_NONE) return GR_OK;
    gr_status status = GR_OK;
    GR_TRY_DONE(group(part, gr__columns_classes(columns), &c));
    if (how == GR__BALANCE_SMOTE) GR_TRY_DONE(check_smote(columns, &w, &c));
    for (int64_t k = 0; k < c.n; k++) present += count(&c, k) > 0;
    rows = present * (how == GR__BALANCE_UNDER ? c.least : c.most);
    GR_TRY_DONE(gr__table_part_new(columns, rows, &made));
    if (how == GR__BALANCE_SMOTE)
        GR_TRY_DONE(make_up(&w, &c, part, seed, &made));
    else
        draw(&w, &c, part, how == GR__BALANCE_UNDER ? c.least : c.most, seed, &made);
    gr__table_part old = *part;
    *part = made;
    made = old;
done:
    gr__table_part_release(&made);
    gr__free(c.row);
    gr__free(c.start);
    return status;
}
