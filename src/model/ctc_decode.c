#include "model/ctc_decode.h"

#include "base/alloc.h"
#include "base/map.h"

#include <math.h>

void gr__ctc_greedy(const float *logits, int64_t steps, int64_t symbols, int32_t *out, int64_t *n)
{
    int64_t before = 0;
    *n = 0;
    for (int64_t t = 0; t < steps; t++) {
        const float *row = logits + t * symbols;
        int64_t best = 0;
        for (int64_t v = 1; v < symbols; v++)
            if (row[v] > row[best]) best = v;
        if (best != 0 && best != before) out[(*n)++] = (int32_t)best;
        before = best;
    }
}

/* ---- prefix beam search ---- */

/* A text: its last symbol behind another text. Log probabilities of all ways that end in a blank, or do not. */
typedef struct node {
    int32_t parent, symbol; /* parent -1: the empty text */
    double blank, other, next_blank, next_other;
    bool touched;
} node;

typedef struct beam {
    node *node;
    size_t n, capacity;
    gr__map child; /* (parent, symbol) -> node */
    int32_t *kept, *touched;
    size_t n_kept, n_touched, kept_capacity, touched_capacity;
} beam;

static double log_add(double a, double b)
{
    double most = fmax(a, b), least = fmin(a, b);
    return least == -INFINITY ? most : most + log1p(exp(least - most));
}

static double total(const node *x) { return log_add(x->blank, x->other); }

static gr_status touch(beam *b, int32_t i)
{
    if (b->node[i].touched) return GR_OK;
    GR_TRY(gr__grow(&b->touched, sizeof *b->touched, b->n_touched + 1, &b->touched_capacity));
    b->node[i].touched = true;
    b->node[i].next_blank = b->node[i].next_other = -INFINITY;
    b->touched[b->n_touched++] = i;
    return GR_OK;
}

static gr_status child_of(beam *b, int32_t parent, int32_t symbol, int32_t *out)
{
    const int32_t key[] = {parent, symbol};
    const int64_t *known = gr__map_get(&b->child, (const char *)key, sizeof key);
    if (known) {
        *out = (int32_t)*known;
        return GR_OK;
    }
    GR_FAIL_IF(b->n >= INT32_MAX, GR_ERR_LIMIT, "too many texts in a search; take a narrower beam");
    GR_TRY(gr__grow(&b->node, sizeof *b->node, b->n + 1, &b->capacity));
    b->node[b->n] = (node){.parent = parent, .symbol = symbol, .blank = -INFINITY, .other = -INFINITY};
    *out = (int32_t)b->n++;
    return gr__map_set(&b->child, (const char *)key, sizeof key, *out, NULL);
}

/* One step: every text that is kept goes on with every symbol; lp (V). */
static gr_status advance(beam *b, const double *lp, int64_t symbols)
{
    b->n_touched = 0;
    for (size_t k = 0; k < b->n_kept; k++) {
        int32_t i = b->kept[k], to;
        double both = total(&b->node[i]);
        GR_TRY(touch(b, i));
        node *x = &b->node[i];
        x->next_blank = log_add(x->next_blank, both + lp[0]);
        if (x->parent >= 0) x->next_other = log_add(x->next_other, x->other + lp[x->symbol]);
        for (int32_t v = 1; v < symbols; v++) {
            double from = v == b->node[i].symbol ? b->node[i].blank : both;
            if (from == -INFINITY) continue;
            GR_TRY(child_of(b, i, v, &to));
            GR_TRY(touch(b, to));
            b->node[to].next_other = log_add(b->node[to].next_other, from + lp[v]);
        }
    }
    return GR_OK;
}

/* The 'width' likeliest of those that were touched; ties go to the older text. */
static gr_status keep_best(beam *b, int64_t width)
{
    for (size_t k = 0; k < b->n_touched; k++) {
        node *x = &b->node[b->touched[k]];
        x->blank = x->next_blank, x->other = x->next_other, x->touched = false;
    }
    size_t most = GR__MIN((size_t)width, b->n_touched);
    GR_TRY(gr__grow(&b->kept, sizeof *b->kept, most + 1, &b->kept_capacity));
    b->n_kept = 0;
    for (size_t k = 0; k < b->n_touched; k++) { /* insertion into the sorted list */
        int32_t i = b->touched[k];
        double score = total(&b->node[i]);
        size_t at = b->n_kept;
        while (at > 0) {
            double other = total(&b->node[b->kept[at - 1]]);
            if (other > score || (other == score && b->kept[at - 1] < i)) break;
            at--;
        }
        if (at >= most) continue;
        if (b->n_kept < most) b->n_kept++;
        for (size_t m = b->n_kept - 1; m > at; m--) b->kept[m] = b->kept[m - 1];
        b->kept[at] = i;
    }
    return GR_OK;
}

static void write_out(const beam *b, int32_t i, int32_t *out, int64_t *n)
{
    *n = 0;
    for (int32_t k = i; b->node[k].parent >= 0; k = b->node[k].parent) ++*n;
    int64_t at = *n;
    for (int32_t k = i; b->node[k].parent >= 0; k = b->node[k].parent) out[--at] = b->node[k].symbol;
}

gr_status gr__ctc_beam(const float *logits, int64_t steps, int64_t symbols, int64_t width, int32_t *out, int64_t *n)
{
    beam b = {0};
    gr_status status = GR_OK;
    double *lp = gr__alloc((size_t)symbols * sizeof *lp);
    int32_t root;
    if (!lp) GR_TRY_DONE(gr__fail_memory("a search", (size_t)symbols * sizeof *lp));
    GR_TRY_DONE(child_of(&b, -1, 0, &root));
    GR_TRY_DONE(gr__grow(&b.kept, sizeof *b.kept, 1, &b.kept_capacity));
    b.node[root].blank = 0;
    b.kept[b.n_kept++] = root;
    for (int64_t t = 0; t < steps; t++) {
        const float *row = logits + t * symbols;
        double most = -INFINITY, sum = 0;
        for (int64_t v = 0; v < symbols; v++) most = fmax(most, (double)row[v]);
        for (int64_t v = 0; v < symbols; v++) sum += exp((double)row[v] - most);
        for (int64_t v = 0; v < symbols; v++) lp[v] = (double)row[v] - most - log(sum);
        GR_TRY_DONE(advance(&b, lp, symbols));
        GR_TRY_DONE(keep_best(&b, width));
    }
    write_out(&b, b.kept[0], out, n);
done:
    gr__map_release(&b.child);
    gr__free(b.node);
    gr__free(b.kept);
    gr__free(b.touched);
    gr__free(lp);
    return status;
}
