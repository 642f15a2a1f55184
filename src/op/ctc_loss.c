/* Connectionist temporal classification (Graves et al. 2006): -log of the probability that soft-max(logits) over time spells
 * the targets, when repeats are merged and blanks left out.
 * logits (B, T, V), targets i32 (B, S), input_lengths and target_lengths i32 (B) -> loss (B) and dlogits (B, T, V), f32 (f64
 * for f64). With blanks between and around the targets, l' of length L = 2*S + 1:
 *   alpha[t][s] = p(l'[s] at t)*(alpha[t-1][s] + alpha[t-1][s-1] + alpha[t-1][s-2] where l'[s] is neither blank nor l'[s-2])
 * and beta the same from the end. Of the share of all paths that pass l'[s] at t the gradient is
 *   dlogits[t][k] = p(k at t) - sum over s with l'[s] = k of alpha*beta/(p*exp(-loss))
 * Where no path is long enough the loss is infinite and the gradient not a number, or both 0 (zero_infinity), as
 * PyTorch's. Frames past input_lengths and targets past target_lengths do not count. */
#include "op/attr.h"

#include <math.h>

static gr_status infer(gr__infer *c)
{
    const gr__value *x = c->in[0];
    const gr__ctc_attr *o = c->attr;
    GR_TRY(gr__want_float(c, 0));
    GR_TRY(gr__want_rank(c, 0, 3));
    for (int i = 1; i < 4; i++) {
        GR_TRY(gr__want_dtype(c, i, GR_I32));
        GR_TRY(gr__want_rank(c, i, i == 1 ? 2 : 1));
        GR_FAIL_IF(c->in[i]->dim[0] != x->dim[0], GR_ERR_SHAPE,
                   "%s: operand %d is for a batch of %lld, the logits are one of %lld", c->op, i,
                   (long long)c->in[i]->dim[0], (long long)x->dim[0]);
    }
    GR_FAIL_IF(o->blank < 0 || o->blank >= x->dim[2], GR_ERR_ARGUMENT, "%s: the blank %lld is not one of %lld symbols",
               c->op, (long long)o->blank, (long long)x->dim[2]);
    c->out[0] = c->out[1] = *x;
    c->out[0].rank = 1;
    c->out[0].dtype = c->out[1].dtype = gr__stats_dtype(x->dtype);
    return GR_OK;
}

static void grad(gr__grad *c)
{
    const gr__node *n = c->node;
    if (!gr__grad_only_first(c, 0)) return;
    gr_value d = gr_mul(c->g, n->out[1], gr__expand(c->g, c->out_grad[0], n->out[1], 6));
    c->in_grad[0] = gr_cast(c->g, d, gr_value_dtype(c->g, n->in[0]));
}

static double log_add(double a, double b)
{
    double most = fmax(a, b), least = fmin(a, b);
    return least == -INFINITY ? most : most + log1p(exp(least - most));
}

/* One sample: log p, alpha and beta of every step, all written out. */
typedef struct sample {
    int64_t steps, symbols, length; /* length: of l' */
    double *lp, *alpha, *beta;      /* (T, V), (T, L), (T, L) */
    int64_t *symbol;                /* (L) */
} sample;

static double said(const sample *s, int64_t t, int64_t k)
{
    int64_t v = s->symbol[k];
    return v >= 0 && v < s->symbols ? s->lp[t * s->symbols + v] : -INFINITY;
}

/* Whether a path may go from l'[k] to l'[k + 2]. */
static bool jumps(const sample *s, int64_t k, int64_t blank)
{
    return s->symbol[k + 2] != blank && s->symbol[k + 2] != s->symbol[k];
}

static void fill_tables(const sample *s, int64_t blank)
{
    int64_t n = s->length;
    for (int64_t t = 0; t < s->steps; t++)
        for (int64_t k = 0; k < n; k++) {
            const double *before = s->alpha + (t - 1) * n;
            double sum = t == 0 ? (k < 2 ? 0 : -INFINITY) : before[k];
            if (t > 0 && k > 0) sum = log_add(sum, before[k - 1]);
            if (t > 0 && k > 1 && jumps(s, k - 2, blank)) sum = log_add(sum, before[k - 2]);
            s->alpha[t * n + k] = sum + said(s, t, k);
        }
    for (int64_t t = s->steps - 1; t >= 0; t--)
        for (int64_t k = 0; k < n; k++) {
            const double *after = s->beta + (t + 1) * n;
            bool last = t == s->steps - 1;
            double sum = last ? (k >= n - 2 ? 0 : -INFINITY) : after[k];
            if (!last && k + 1 < n) sum = log_add(sum, after[k + 1]);
            if (!last && k + 2 < n && jumps(s, k, blank)) sum = log_add(sum, after[k + 2]);
            s->beta[t * n + k] = sum + said(s, t, k);
        }
}

static double one(const gr__args *a, int64_t b, sample *s)
{
    const gr__ctc_attr *o = a->attr;
    const gr__arg *x = &a->in[0], *targets = &a->in[1];
    int64_t steps = gr__load_int(&a->in[2], b * a->in[2].stride[0]);
    int64_t n = gr__load_int(&a->in[3], b * a->in[3].stride[0]);
    s->steps = GR__MIN(GR__MAX(steps, 0), x->dim[1]);
    s->symbols = x->dim[2];
    s->length = 2 * GR__MIN(GR__MAX(n, 0), targets->dim[1]) + 1;
    for (int64_t k = 0; k < s->length; k++)
        s->symbol[k] = k % 2 ? gr__load_int(targets, b * targets->stride[0] + k / 2 * targets->stride[1]) : o->blank;
    for (int64_t t = 0; t < s->steps; t++) {
        double most = -INFINITY, sum = 0, *row = s->lp + t * s->symbols;
        for (int64_t v = 0; v < s->symbols; v++) {
            row[v] = gr__load(x, b * x->stride[0] + t * x->stride[1] + v * x->stride[2]);
            most = fmax(most, row[v]);
        }
        for (int64_t v = 0; v < s->symbols; v++) sum += exp(row[v] - most);
        for (int64_t v = 0; v < s->symbols; v++) row[v] -= most + log(sum);
    }
    if (s->steps == 0) return s->length == 1 ? 0 : INFINITY;
    fill_tables(s, o->blank);
    const double *end = s->alpha + s->steps * s->length - 1;
    return -(s->length > 1 ? log_add(end[0], end[-1]) : end[0]);
}

static double slope(const sample *s, int64_t t, int64_t v, double loss)
{
    double share = 0;
    for (int64_t k = 0; k < s->length; k++)
        if (s->symbol[k] == v) {
            double both = s->alpha[t * s->length + k] + s->beta[t * s->length + k];
            share += exp(both - s->lp[t * s->symbols + v] + loss);
        }
    return exp(s->lp[t * s->symbols + v]) - share;
}

static gr_status reference(const gr__args *a)
{
    const gr__ctc_attr *o = a->attr;
    const gr__arg *x = &a->in[0], *d = &a->out[1];
    int64_t steps = x->dim[1], symbols = x->dim[2], length = 2 * a->in[1].dim[1] + 1;
    size_t cells = (size_t)(steps * (symbols + 2 * length) + length);
    double *room = gr__calloc(cells, sizeof *room);
    if (!room) return gr__fail_memory("a CTC loss", cells * sizeof *room);
    sample s = {.lp = room, .alpha = room + steps * symbols, .beta = room + steps * (symbols + length)};
    s.symbol = (int64_t *)(room + steps * (symbols + 2 * length));
    for (int64_t b = 0; b < x->dim[0]; b++) {
        double loss = one(a, b, &s);
        bool none = isinf(loss), zero = none && o->zero_infinity;
        if (gr__wanted(a, 0)) gr__store(&a->out[0], b * a->out[0].stride[0], zero ? 0 : loss);
        for (int64_t t = 0; gr__wanted(a, 1) && t < steps; t++)
            for (int64_t v = 0; v < symbols; v++) {
                bool counts = t < s.steps && !zero;
                double g = !counts ? 0 : none ? NAN : slope(&s, t, v, loss);
                gr__store(d, b * d->stride[0] + t * d->stride[1] + v * d->stride[2], g);
            }
    }
    gr__free(room);
    return GR_OK;
}

static double flops(const gr__args *a)
{
    double steps = (double)(a->in[0].dim[0] * a->in[0].dim[1]);
    return steps * (20.0 * (double)a->in[1].dim[1] + 4.0 * (double)a->in[0].dim[2]);
}

#define IDS(B, S, low, high)                                                      \
    {                                                                             \
        2, {B, S}, .dtype = GR_I32, .fill = GR__FILL_INDEX, .lo = low, .hi = high \
    }
#define LENGTHS(B, low, high)                                                  \
    {                                                                          \
        1, {B}, .dtype = GR_I32, .fill = GR__FILL_INDEX, .lo = low, .hi = high \
    }
static const gr__ctc_attr plain = {0}, last = {.blank = 4}, zero = {.zero_infinity = true}, outside = {.blank = 5};
static const gr__case cases[] = {
    {.name = "rows",
     .n_in = 4,
     .in = {{3, {3, 8, 5}}, IDS(3, 3, 1, 5), LENGTHS(3, 7, 9), LENGTHS(3, 1, 4)},
     .attr = &plain,
     .tolerance = 4},
    {.name = "repeats",
     .n_in = 4,
     .in = {{3, {4, 9, 5}}, IDS(4, 4, 1, 2), LENGTHS(4, 8, 10), LENGTHS(4, 3, 5)},
     .attr = &plain,
     .tolerance = 4},
    {.name = "blank last",
     .n_in = 4,
     .in = {{3, {5, 6, 5}}, IDS(5, 2, 0, 4), LENGTHS(5, 5, 7), LENGTHS(5, 0, 3)},
     .attr = &last,
     .tolerance = 4},
    {.name = "impossible",
     .n_in = 4,
     .in = {{3, {9, 3, 5}}, IDS(9, 4, 1, 5), LENGTHS(9, 0, 4), LENGTHS(9, 0, 5)},
     .attr = &zero,
     .tolerance = 4},
    {.name = "empty",
     .n_in = 4,
     .in = {{3, {2, 3, 5}}, IDS(2, 1, 1, 5), LENGTHS(2, 1, 4), LENGTHS(2, 0, 1)},
     .attr = &plain,
     .tolerance = 4},
    {.name = "one",
     .n_in = 4,
     .in = {{3, {1, 1, 2}}, IDS(1, 1, 1, 2), LENGTHS(1, 1, 2), LENGTHS(1, 1, 2)},
     .attr = &plain,
     .tolerance = 4},
    {.name = "transposed",
     .n_in = 4,
     .in = {{3, {3, 7, 5}, .swap_b = 1}, IDS(3, 2, 1, 5), LENGTHS(3, 6, 8), LENGTHS(3, 1, 3)},
     .attr = &plain,
     .tolerance = 4},
    {.name = "misfit",
     .n_in = 4,
     .in = {{3, {3, 7, 5}}, IDS(2, 2, 1, 5), LENGTHS(3, 6, 8), LENGTHS(3, 1, 3)},
     .attr = &plain,
     .expect = GR_ERR_SHAPE},
    {.name = "no such blank",
     .n_in = 4,
     .in = {{3, {3, 7, 5}}, IDS(3, 2, 1, 5), LENGTHS(3, 6, 8), LENGTHS(3, 1, 3)},
     .attr = &outside,
     .expect = GR_ERR_ARGUMENT},
    {.name = "float targets",
     .n_in = 4,
     .in = {{3, {3, 7, 5}}, {2, {3, 2}}, LENGTHS(3, 6, 8), LENGTHS(3, 1, 3)},
     .attr = &plain,
     .expect = GR_ERR_DTYPE},
};

const gr__op gr__op_ctc_loss = {
    .name = "ctc_loss",
    .min_in = 4,
    .max_in = 4,
    .n_out = 2,
    .attr_bytes = sizeof(gr__ctc_attr),
    .autocast = GR__CAST_F32,
    .infer = infer,
    .grad = grad,
    .grad_reads_out = 2,
    .reference = reference,
    .flops = flops,
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

gr_value gr_ctc_loss(gr_graph *g, gr_value logits, gr_value targets, gr_value input_lengths, gr_value target_lengths,
                     const gr_ctc_options *options)
{
    gr__ctc_attr attr = options ? (gr__ctc_attr){options->blank, options->zero_infinity} : (gr__ctc_attr){0};
    gr_value in[] = {logits, targets, input_lengths, target_lengths}, out[2];
    return gr__node_add(g, &gr__op_ctc_loss, in, 4, &attr, out) ? out[0] : 0;
}
