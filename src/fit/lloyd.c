#include "fit/lloyd.h"

#include "base/alloc.h"
#include "base/parallel.h"
#include "base/rng.h"
#include "kernel/gemm.h"

#include <math.h>
#include <string.h>

enum { ROWS = 64, LEAST_COLUMNS = 64, PANEL = 8, MOST_CANDIDATES = 32 };

typedef struct work {
    const gr__points *p;
    const gr__kmeans_options *o;
    double *square;              /* (n): of the rows */
    double *distance;            /* (n), squared: to the nearest centre */
    int32_t *label, *before;     /* (n): the nearest centre, now and a pass ago */
    double *centre, *fresh;      /* (clusters, width) */
    double *length;              /* (clusters): squares of what products are made with */
    int64_t *count;              /* (clusters) */
    double *candidate, *offered; /* (candidates, width); (candidates, n): squared distances with each */
    /* of a pass over blocks of rows */
    const double *with; /* (many, width) */
    double *panel;      /* the same as products read it: (many / PANEL, width, PANEL), zeros at the end */
    int64_t many, room_bytes;
    int64_t columns; /* that are summed together: a column's rows come in their order, whoever has it */
    char *room;      /* room_bytes for each thread */
    void (*take)(struct work *w, int64_t first, int64_t rows, const double *x, const double *products);
} work;

/* ---- products of all rows with a few vectors ---- */

static int64_t padded(int64_t many) { return (many + PANEL - 1) / PANEL * PANEL; }

/* c: (rows, padded(many)) */
static void multiply_rows(const work *w, int64_t rows, const double *x, double *c)
{
    int64_t width = w->p->width;
    gr__gemm_run(&(gr__gemm){.batch = padded(w->many) / PANEL,
                             .m = rows,
                             .n = PANEL,
                             .k = width,
                             .dtype = GR_F64,
                             .c_dtype = GR_F64,
                             .a = x,
                             .a_row = width,
                             .a_col = 1,
                             .b = w->panel,
                             .b_row = PANEL,
                             .b_col = 1,
                             .b_batch = width * PANEL,
                             .c = c,
                             .c_row = padded(w->many),
                             .c_batch = PANEL});
}

static void widen(const float *from, int64_t n, double *to)
{
    int64_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (int k = 0; k < 8; k++) to[i + k] = (double)from[i + k];
    for (; i < n; i++) to[i] = (double)from[i];
}

static void multiply_block(void *context, int64_t chunk, int thread)
{
    work *w = context;
    int64_t width = w->p->width, first = chunk * ROWS, rows = GR__MIN((int64_t)ROWS, w->p->n - first);
    double *x = (double *)(void *)(w->room + thread * w->room_bytes), *c = x + ROWS * width;
    widen(w->p->x + first * width, rows * width, x);
    multiply_rows(w, rows, x, c);
    w->take(w, first, rows, x, c);
}

/* 'take' gets all blocks of rows, from any thread, with their products with (many, width). */
static gr_status multiply(work *w, const double *with, int64_t many,
                          void (*take)(work *w, int64_t first, int64_t rows, const double *x, const double *products))
{
    int64_t width = w->p->width, need = ROWS * (width + padded(many)) * (int64_t)sizeof(double);
    w->with = with, w->many = many, w->take = take;
    if (need > w->room_bytes) {
        gr__free(w->room);
        w->room = gr__alloc((size_t)need * (size_t)gr__parallel_width());
        w->room_bytes = w->room ? need : 0;
        if (!w->room) return gr__fail_memory("distances", (size_t)need * (size_t)gr__parallel_width());
    }
    memset(w->panel, 0, (size_t)(padded(many) * width) * sizeof *w->panel);
    for (int64_t k = 0; k < many; k++) {
        w->length[k] = 0;
        for (int64_t j = 0; j < width; j++) {
            double v = with[k * width + j];
            w->length[k] += v * v;
            w->panel[(k / PANEL * width + j) * PANEL + k % PANEL] = v;
        }
    }
    gr__parallel((w->p->n + ROWS - 1) / ROWS, multiply_block, w);
    return GR_OK;
}

static double apart(const double *x, const double *y, int64_t n)
{
    double sum[4] = {0};
    int64_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (int k = 0; k < 4; k++) sum[k] += (x[i + k] - y[i + k]) * (x[i + k] - y[i + k]);
    for (; i < n; i++) sum[0] += (x[i] - y[i]) * (x[i] - y[i]);
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

static void take_squares(work *w, int64_t first, int64_t rows, const double *x, const double *products)
{
    (void)products;
    for (int64_t i = 0; i < rows; i++) {
        double sum = 0;
        for (int64_t j = 0; j < w->p->width; j++) sum += x[i * w->p->width + j] * x[i * w->p->width + j];
        w->square[first + i] = sum;
    }
}

/* The first of the nearest ones. */
static void take_nearest(work *w, int64_t first, int64_t rows, const double *x, const double *products)
{
    for (int64_t i = 0; i < rows; i++) {
        const double *dot = products + i * padded(w->many);
        int64_t best = 0;
        double least = w->length[0] - 2 * dot[0];
        for (int64_t k = 1; k < w->many; k++) {
            double d = w->length[k] - 2 * dot[k];
            if (d < least) least = d, best = k;
        }
        w->label[first + i] = (int32_t)best;
        w->distance[first + i] = apart(x + i * w->p->width, w->with + best * w->p->width, w->p->width);
    }
}

/* What the distance to the nearest centre is with each candidate; exact where the short way cancels, so that equal rows are
 * at 0. */
static void take_candidates(work *w, int64_t first, int64_t rows, const double *x, const double *products)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t k = 0; k < w->many; k++) {
            double all = w->square[first + i] + w->length[k], d = all - 2 * products[i * padded(w->many) + k];
            if (d < 1e-6 * all) d = apart(x + i * w->p->width, w->with + k * w->p->width, w->p->width);
            w->offered[k * w->p->n + first + i] = fmin(d, w->distance[first + i]);
        }
}

/* ---- k-means++ ---- */

static double sum_of(const double *v, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += v[i];
    return sum;
}

/* A row, drawn by its share of the sum of distances. */
static int64_t draw(const work *w, double at)
{
    int64_t last = 0;
    double sum = 0;
    for (int64_t i = 0; i < w->p->n; i++) {
        if (w->distance[i] > 0) last = i;
        sum += w->distance[i];
        if (sum > at && w->distance[i] > 0) return i;
    }
    return last;
}

static void copy_row(const work *w, int64_t row, double *out)
{
    for (int64_t j = 0; j < w->p->width; j++) out[j] = (double)w->p->x[row * w->p->width + j];
}

static gr_status draw_centres(work *w, int64_t start)
{
    int64_t clusters = w->o->clusters, width = w->p->width, n = w->p->n;
    int64_t candidates = GR__MIN(2 + (int64_t)log((double)clusters), (int64_t)MOST_CANDIDATES);
    gr__rng r = gr__rng_make(w->o->seed, 0x6b6d65616e730000u + (uint64_t)start);
    for (int64_t i = 0; i < n; i++) w->distance[i] = (double)INFINITY;
    for (int64_t k = 0; k < clusters; k++) {
        int64_t many = k ? candidates : 1, best = 0;
        double sum = k ? sum_of(w->distance, n) : 0, least = (double)INFINITY;
        GR_FAIL_IF(k && sum == 0, GR_ERR_DATA, "there are only %lld different rows, fewer than %lld clusters",
                   (long long)k, (long long)clusters);
        for (int64_t c = 0; c < many; c++) {
            double at = gr__rng_uniform(&r);
            copy_row(w, k ? draw(w, at * sum) : (int64_t)(at * (double)n), w->candidate + c * width);
        }
        GR_TRY(multiply(w, w->candidate, many, take_candidates));
        for (int64_t c = 0; c < many; c++) {
            double left = sum_of(w->offered + c * n, n);
            if (left < least) least = left, best = c;
        }
        memcpy(w->distance, w->offered + best * n, (size_t)n * sizeof *w->distance);
        memcpy(w->centre + k * width, w->candidate + best * width, (size_t)width * sizeof *w->centre);
    }
    return GR_OK;
}

/* ---- Lloyd ---- */

static void add_row(const float *row, int64_t n, double *sum)
{
    int64_t j = 0;
    for (; j + 8 <= n; j += 8)
        for (int k = 0; k < 8; k++) sum[j + k] += (double)row[j + k];
    for (; j < n; j++) sum[j] += (double)row[j];
}

static void add_columns(void *context, int64_t chunk, int thread)
{
    (void)thread;
    work *w = context;
    int64_t width = w->p->width, from = chunk * w->columns, to = GR__MIN(from + w->columns, width);
    for (int64_t k = 0; k < w->o->clusters; k++)
        for (int64_t j = from; j < to; j++) w->fresh[k * width + j] = 0;
    for (int64_t i = 0; i < w->p->n; i++) {
        double *sum = w->fresh + w->label[i] * width;
        add_row(w->p->x + i * width + from, to - from, sum + from);
    }
}

/* Each cluster without a row takes the farthest one that is not alone. */
static void fill_empty(work *w)
{
    memset(w->count, 0, (size_t)w->o->clusters * sizeof *w->count);
    for (int64_t i = 0; i < w->p->n; i++) w->count[w->label[i]]++;
    for (int64_t k = 0; k < w->o->clusters; k++) {
        if (w->count[k] > 0) continue;
        int64_t far = -1;
        for (int64_t i = 0; i < w->p->n; i++)
            if (w->count[w->label[i]] > 1 && (far < 0 || w->distance[i] > w->distance[far])) far = i;
        if (far < 0) return;
        w->count[w->label[far]]--;
        w->count[k] = 1;
        w->label[far] = (int32_t)k;
        w->distance[far] = 0;
    }
}

/* Centres become the means of their rows; how far they went, squared. */
static double move_centres(work *w)
{
    int64_t width = w->p->width;
    double moved = 0;
    fill_empty(w);
    w->columns = GR__MAX((width / gr__parallel_width() + PANEL) / PANEL * PANEL, (int64_t)LEAST_COLUMNS);
    gr__parallel((width + w->columns - 1) / w->columns, add_columns, w);
    for (int64_t k = 0; k < w->o->clusters; k++)
        for (int64_t j = 0; j < width; j++) {
            double *c = &w->centre[k * width + j], v = w->count[k] ? w->fresh[k * width + j] / (double)w->count[k] : *c;
            moved += (v - *c) * (v - *c);
            *c = v;
        }
    return moved;
}

/* How many passes all starts will have taken: those that are done tell of those to come. */
static int64_t expected(const work *w, int64_t start, int64_t pass, int64_t done)
{
    int64_t before = done - pass - 1, each = start ? (before + start - 1) / start : w->o->passes;
    return GR__MAX(done + 1, before + each * (w->o->starts - start));
}

/* Passes of one start, from w->centre; *passes and *rests as in the result. */
static gr_status lloyd(work *w, double least, int64_t start, const gr__watch *watch, int64_t *passes, bool *rests)
{
    size_t bytes = (size_t)w->p->n * sizeof *w->label;
    *rests = false;
    for (int64_t pass = 0; pass < w->o->passes; pass++) {
        memcpy(w->before, w->label, bytes);
        GR_TRY(multiply(w, w->centre, w->o->clusters, take_nearest));
        double inertia = sum_of(w->distance, w->p->n);
        bool same = pass > 0 && memcmp(w->before, w->label, bytes) == 0;
        ++*passes;
        if (gr__watch_pass(watch, *passes, expected(w, start, pass, *passes), inertia / (double)w->p->n))
            return gr__fail(GR_ERR_STOPPED, "stopped in pass %lld of start %lld", (long long)pass + 1,
                            (long long)start + 1);
        double moved = same ? 0 : move_centres(w);
        if (same || moved <= least) {
            *rests = true;
            break;
        }
    }
    return multiply(w, w->centre, w->o->clusters, take_nearest);
}

static double mean_variance(const gr__points *p)
{
    double all = 0;
    for (int64_t j = 0; j < p->width; j++) {
        double mean = 0, squares = 0;
        for (int64_t i = 0; i < p->n; i++) mean += (double)p->x[i * p->width + j];
        mean /= (double)p->n;
        for (int64_t i = 0; i < p->n; i++) {
            double v = (double)p->x[i * p->width + j] - mean;
            squares += v * v;
        }
        all += squares / (double)p->n;
    }
    return all / (double)p->width;
}

static gr_status run_starts(work *w, const gr__watch *watch, double *centre, gr__kmeans_result *out)
{
    size_t bytes = (size_t)(w->o->clusters * w->p->width) * sizeof *centre;
    double least = w->o->tolerance > 0 ? w->o->tolerance * mean_variance(w->p) : 0;
    *out = (gr__kmeans_result){.inertia = (double)INFINITY};
    GR_TRY(multiply(w, w->centre, 1, take_squares));
    for (int64_t start = 0; start < (w->o->from ? 1 : w->o->starts); start++) {
        bool rests;
        if (w->o->from)
            memcpy(w->centre, w->o->from, bytes);
        else
            GR_TRY(draw_centres(w, start));
        GR_TRY(lloyd(w, least, start, watch, &out->passes, &rests));
        double inertia = sum_of(w->distance, w->p->n);
        if (inertia >= out->inertia) continue;
        out->inertia = inertia, out->start = start, out->rests = rests;
        memcpy(centre, w->centre, bytes);
    }
    return GR_OK;
}

gr_status gr__kmeans_fit(const gr__points *p, const gr__kmeans_options *o, const gr__watch *watch, double *centre,
                         gr__kmeans_result *out)
{
    GR_FAIL_IF(p->n < o->clusters, GR_ERR_DATA, "there are only %lld rows, fewer than %lld clusters", (long long)p->n,
               (long long)o->clusters);
    size_t n = (size_t)p->n, k = (size_t)o->clusters, width = (size_t)p->width, most = GR__MAX(k, MOST_CANDIDATES);
    size_t candidates = GR__MIN(2 + (size_t)log((double)k), (size_t)MOST_CANDIDATES);
    work w = {.p = p,
              .o = o,
              .square = gr__calloc(n, sizeof(double)),
              .distance = gr__calloc(n, sizeof(double)),
              .label = gr__calloc(n, sizeof(int32_t)),
              .before = gr__calloc(n, sizeof(int32_t)),
              .centre = gr__calloc(k * width, sizeof(double)),
              .fresh = gr__calloc(k * width, sizeof(double)),
              .length = gr__calloc(most, sizeof(double)),
              .panel = gr__calloc((size_t)padded((int64_t)most) * width, sizeof(double)),
              .count = gr__calloc(k, sizeof(int64_t)),
              .candidate = gr__calloc(candidates * width, sizeof(double)),
              .offered = gr__calloc(candidates * n, sizeof(double))};
    gr_status status = w.square && w.distance && w.label && w.before && w.centre && w.fresh && w.length && w.panel &&
                               w.count && w.candidate && w.offered
                           ? run_starts(&w, watch, centre, out)
                           : gr__fail_memory("clusters", (candidates + 4) * n * sizeof(double));
    void *all[] = {w.square, w.distance, w.label,     w.before,  w.centre, w.fresh,
                   w.length, w.count,    w.candidate, w.offered, w.panel,  w.room};
    for (size_t i = 0; i < GR__COUNT(all); i++) gr__free(all[i]);
    return status;
}
