#include "kernel/group_norm_int.h"

#include "base/parallel.h"
#include "kernel/simd.h"

#include <math.h>

static gr__rows seen(gr__rows x, int64_t c)
{
    x.ld = c;
    return x;
}

static gr__group_norm_plan make_plan(const gr__group_norm *n)
{
    gr__group_norm_plan p = {.norm = n, .fold = 1};
    while (p.fold < 16 && p.fold * n->c % 16 && n->rows % (2 * p.fold) == 0) p.fold *= 2;
    if (p.fold * n->c % 16) p.fold = 1;
    p.rows = n->rows / p.fold;
    p.c = n->c * p.fold;
    p.ld = (p.c + 15) & ~(int64_t)15;
    p.chunks = gr__chunks(p.rows, gr__least_rows(p.c), &p.per);
    p.x = seen(n->x, p.c), p.y = seen(n->y, p.c), p.dy = seen(n->dy, p.c), p.dx = seen(n->dx, p.c);
    p.column = n->scratch;
    p.parts = p.column ? p.column + n->batch * GR__COLUMN_COUNT * p.ld : NULL;
    return p;
}

size_t gr__group_norm_scratch_bytes(const gr__group_norm *n)
{
    gr__group_norm_plan p = make_plan(n);
    return (size_t)(n->batch * (GR__COLUMN_COUNT + 2 * p.chunks) * p.ld) * sizeof(float);
}

static float *column(const gr__group_norm_plan *p, int64_t b, int which)
{
    return p->column + (b * GR__COLUMN_COUNT + which) * p->ld;
}

static const float *part(const gr__group_norm_plan *p, int64_t b, int64_t chunk, int which)
{
    return p->parts + ((b * p->chunks + chunk) * 2 + which) * p->ld;
}

static int64_t chunk_rows(const gr__group_norm_plan *p, int64_t chunk)
{
    return GR__MIN(p->per, p->rows - chunk * p->per);
}

static void run(gr__range_kernel *fn, const gr__group_norm_plan *p)
{
    gr__run_range(fn, p, p->norm->batch * p->chunks, 1, 1);
}

/* Column j of the folded rows is channel j % c. */
static int64_t group_of(const gr__group_norm *n, int64_t j) { return j % n->c / (n->c / n->groups); }

/* ---- forward ---- */

/* Means and squares of the parts become those of a group (Chan et al. 1979), in doubles: they are few. */
static void join(const gr__group_norm_plan *p, int64_t b, int64_t g, double *mean, double *variance)
{
    const gr__group_norm *n = p->norm;
    double count = (double)n->rows * (double)(n->c / n->groups), sum = 0, squares = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t k = 0; k < p->chunks; k++) {
            const float *m = part(p, b, k, 0), *s = part(p, b, k, 1);
            double rows = (double)chunk_rows(p, k);
            int64_t each = n->c / n->groups;
            for (int64_t f = 0; f < p->fold; f++)
                for (int64_t j = f * n->c + g * each; j < f * n->c + (g + 1) * each; j++) {
                    double d = (double)m[j] - *mean;
                    if (pass == 0)
                        sum += rows * (double)m[j];
                    else
                        squares += (double)s[j] + rows * d * d;
                }
        }
        if (pass == 0) *mean = sum / count;
    }
    *variance = squares / count;
}

static void between(const void *args, int64_t first, int64_t last)
{
    const gr__group_norm_plan *p = args;
    const gr__group_norm *n = p->norm;
    int64_t each = n->c / n->groups;
    for (int64_t unit = first; unit < last; unit++) {
        int64_t b = unit / n->groups, g = unit % n->groups;
        double mean = 0, variance = 0;
        join(p, b, g, &mean, &variance);
        float rstd = (float)(1 / sqrt(variance + n->eps));
        if (n->mean) n->mean[unit] = (float)mean;
        if (n->rstd) n->rstd[unit] = rstd;
        for (int64_t f = 0; f < p->fold; f++)
            for (int64_t c = g * each; c < (g + 1) * each; c++) {
                column(p, b, GR__COLUMN_MEAN)[f * n->c + c] = (float)mean;
                column(p, b, GR__COLUMN_SCALE)[f * n->c + c] = n->gamma ? rstd * n->gamma[c] : rstd;
                column(p, b, GR__COLUMN_SHIFT)[f * n->c + c] = n->beta ? n->beta[c] : 0;
            }
    }
}

void gr__group_norm_forward(const gr__group_norm *n)
{
    gr__group_norm_plan p = make_plan(n);
    run(gr__simd_get()->group_norm_sums, &p);
    gr__run_range(between, &p, n->batch * n->groups, gr__least_rows(p.chunks * (p.c / n->groups)), 1);
    if (n->y.data) run(gr__simd_get()->group_norm_apply, &p);
}

/* ---- backward ---- */

static void known(const void *args, int64_t first, int64_t last)
{
    const gr__group_norm_plan *p = args;
    for (int64_t b = first; b < last; b++)
        for (int64_t j = 0; j < p->c; j++) {
            int64_t at = b * p->norm->groups + group_of(p->norm, j);
            column(p, b, GR__COLUMN_MEAN)[j] = p->norm->mean[at];
            column(p, b, GR__COLUMN_SCALE)[j] = p->norm->rstd[at];
        }
}

/* Sums of channel c in sample b: of dy and of dy*h. */
static void channel_sums(const gr__group_norm_plan *p, int64_t b, int64_t c, double *sum, double *along)
{
    *sum = *along = 0;
    for (int64_t k = 0; k < p->chunks; k++)
        for (int64_t f = 0; f < p->fold; f++) {
            *sum += (double)part(p, b, k, 0)[f * p->norm->c + c];
            *along += (double)part(p, b, k, 1)[f * p->norm->c + c];
        }
}

static void between_back(const void *args, int64_t first, int64_t last)
{
    const gr__group_norm_plan *p = args;
    const gr__group_norm *n = p->norm;
    int64_t each = n->c / n->groups;
    double count = (double)n->rows * (double)each;
    for (int64_t unit = first; unit < last; unit++) {
        int64_t b = unit / n->groups, g = unit % n->groups;
        double mean_g = 0, mean_gh = 0, sum, along, rstd = (double)n->rstd[unit];
        for (int64_t c = g * each; c < (g + 1) * each; c++) {
            double gamma = n->gamma ? (double)n->gamma[c] : 1;
            channel_sums(p, b, c, &sum, &along);
            mean_g += gamma * sum / count;
            mean_gh += gamma * along / count;
        }
        for (int64_t f = 0; f < p->fold; f++)
            for (int64_t c = g * each; c < (g + 1) * each; c++) {
                int64_t j = f * n->c + c;
                column(p, b, GR__COLUMN_SCALE)[j] = (float)(rstd * (n->gamma ? (double)n->gamma[c] : 1));
                column(p, b, GR__COLUMN_SLOPE)[j] = (float)(rstd * rstd * mean_gh);
                column(p, b, GR__COLUMN_SHIFT)[j] = (float)(rstd * mean_g);
            }
    }
}

static void parameter_gradients(const void *args, int64_t first, int64_t last)
{
    const gr__group_norm_plan *p = args;
    const gr__group_norm *n = p->norm;
    for (int64_t c = first; c < last; c++) {
        double dgamma = 0, dbeta = 0, sum, along;
        for (int64_t b = 0; b < n->batch; b++) {
            channel_sums(p, b, c, &sum, &along);
            dbeta += sum;
            dgamma += along;
        }
        if (n->dgamma) n->dgamma[c] = (float)dgamma;
        if (n->dbeta) n->dbeta[c] = (float)dbeta;
    }
}

void gr__group_norm_backward(const gr__group_norm *n)
{
    gr__group_norm_plan p = make_plan(n);
    gr__run_range(known, &p, n->batch, gr__least_rows(p.c), 1);
    run(gr__simd_get()->group_norm_back_sums, &p);
    if (n->dgamma || n->dbeta)
        gr__run_range(parameter_gradients, &p, n->c, gr__least_rows(n->batch * p.chunks * p.fold), 1);
    if (!n->dx.data) return;
    gr__run_range(between_back, &p, n->batch * n->groups, gr__least_rows(p.chunks * (p.c / n->groups)), 1);
    run(gr__simd_get()->group_norm_back_apply, &p);
}
