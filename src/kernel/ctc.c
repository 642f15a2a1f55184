#include "kernel/ctc.h"

#include "base/parallel.h"

#include <math.h>
#include <string.h>

/* Scratch of a thread: lse of each step (T), alpha (T, L), two rows of beta (L), shares (V). */
size_t gr__ctc_scratch(const gr__ctc *c)
{
    size_t length = 2 * (size_t)c->most + 1;
    return (size_t)c->steps * (1 + length) + 2 * length + (size_t)c->symbols;
}

static double log_add3(double a, double b, double c)
{
    double most = fmax(fmax(a, b), c);
    return most == -INFINITY ? most : most + log(exp(a - most) + exp(b - most) + exp(c - most));
}

typedef struct path {
    const int32_t *target;
    int64_t blank, symbols, length;
    const float *x; /* (T, V) */
    const double *lse;
} path;

GR__INLINE int64_t symbol(const path *p, int64_t k) { return k % 2 ? p->target[k / 2] : p->blank; }

/* log p of l'[k] at t */
GR__INLINE double said(const path *p, int64_t t, int64_t k)
{
    int64_t v = symbol(p, k);
    return v >= 0 && v < p->symbols ? (double)p->x[t * p->symbols + v] - p->lse[t] : -INFINITY;
}

GR__INLINE bool jumps(const path *p, int64_t k)
{
    return symbol(p, k + 2) != p->blank && symbol(p, k + 2) != symbol(p, k);
}

static void measure(const float *x, int64_t symbols, double *lse)
{
    float most = x[0];
    double sum = 0;
    for (int64_t v = 1; v < symbols; v++) most = x[v] > most ? x[v] : most;
    for (int64_t v = 0; v < symbols; v++) sum += exp((double)x[v] - (double)most);
    *lse = (double)most + log(sum);
}

/* Only what the beginning reaches and what reaches the end by then: first .. last of l' at step t. */
static void window(const path *p, int64_t steps, int64_t t, int64_t *first, int64_t *last)
{
    *first = GR__MAX(p->length - 2 * (steps - t), 0);
    *last = GR__MIN(2 * t + 1, p->length - 1);
}

static void forward(const path *p, int64_t steps, double *alpha)
{
    int64_t n = p->length, first, last;
    for (int64_t t = 0; t < steps; t++) {
        double *row = alpha + t * n;
        const double *before = row - n;
        for (int64_t k = 0; k < n; k++) row[k] = -INFINITY;
        window(p, steps, t, &first, &last);
        for (int64_t k = first; k <= last; k++) {
            double sum = 0;
            if (t > 0)
                sum = log_add3(before[k], k > 0 ? before[k - 1] : -INFINITY,
                               k > 1 && jumps(p, k - 2) ? before[k - 2] : -INFINITY);
            row[k] = sum + said(p, t, k);
        }
    }
}

/* beta without the step's own p, so that alpha + beta + loss is the log of the share of paths through (t, k). */
static void backward(const path *p, int64_t steps, const double *alpha, double loss, double *rows, double *share,
                     float *d)
{
    int64_t n = p->length, first, last, v = p->symbols;
    double *now = rows, *after = rows + n; /* after: with the p of step t + 1 */
    for (int64_t t = steps - 1; t >= 0; t--) {
        window(p, steps, t, &first, &last);
        memset(share, 0, (size_t)v * sizeof *share);
        for (int64_t k = 0; k < n; k++) {
            now[k] = -INFINITY;
            if (k < first || k > last) continue;
            double beta = t == steps - 1 ? 0
                                         : log_add3(after[k], k + 1 < n ? after[k + 1] : -INFINITY,
                                                    k + 2 < n && jumps(p, k) ? after[k + 2] : -INFINITY);
            now[k] = beta + said(p, t, k);
            double through = alpha[t * n + k] + beta + loss;
            if (through > -700) share[symbol(p, k)] += exp(through);
        }
        for (int64_t i = 0; i < v; i++) d[t * v + i] = (float)(exp((double)p->x[t * v + i] - p->lse[t]) - share[i]);
        double *other = now;
        now = after, after = other;
    }
}

static void one(void *context, int64_t b, int thread)
{
    const gr__ctc *c = context;
    double *lse = c->scratch + (size_t)thread * gr__ctc_scratch(c), *alpha = lse + c->steps;
    double *rows = alpha + c->steps * (2 * c->most + 1), *share = rows + 2 * (2 * c->most + 1);
    int64_t steps = GR__MIN(GR__MAX(c->input_lengths[b], 0), c->steps), size = c->steps * c->symbols;
    path p = {.target = c->targets + b * c->most,
              .blank = c->blank,
              .symbols = c->symbols,
              .length = 2 * GR__MIN(GR__MAX(c->target_lengths[b], 0), c->most) + 1,
              .x = c->logits + b * size,
              .lse = lse};
    double loss = p.length == 1 ? 0 : INFINITY;
    for (int64_t t = 0; t < steps; t++) measure(p.x + t * p.symbols, p.symbols, lse + t);
    if (steps > 0) {
        forward(&p, steps, alpha);
        const double *end = alpha + steps * p.length - 1;
        loss = -log_add3(end[0], p.length > 1 ? end[-1] : -INFINITY, -INFINITY);
    }
    bool none = isinf(loss);
    if (c->loss) c->loss[b] = none && c->zero_infinity ? 0 : (float)loss;
    if (!c->dlogits) return;
    float *d = c->dlogits + b * size;
    memset(d, 0, (size_t)size * sizeof *d);
    if (none)
        for (int64_t i = 0; i < steps * p.symbols && !c->zero_infinity; i++) d[i] = NAN;
    else if (steps > 0)
        backward(&p, steps, alpha, loss, rows, share, d);
}

void gr__ctc_run(const gr__ctc *c) { gr__parallel(c->batch, one, (void *)(uintptr_t)c); }
