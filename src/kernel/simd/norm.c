/* Layer norm and RMS norm, forward and backward, row by row. Sums run over 16 virtual lanes; padding is chosen so that
 * it adds nothing. */
#include "kernel/simd_int.h"
#include "kernel/simd/tile.h"

/* Whole rows at once where no operand needs conversion, else tiles. */
static int64_t step_of(int64_t c, bool plain) { return plain && c % GR__LANES == 0 ? GR__MAX(c, 1) : GR__TILE; }

static float row_sum(const gr__rows *x, int64_t r, int64_t c, int64_t step, float *tile)
{
    lanes s = lanes_set(0);
    for (int64_t at = 0; at < c; at += step) {
        int64_t n = GR__MIN(step, c - at);
        const float *t = tile_load(x, r, at, n, 0, tile);
        for (int64_t i = 0; i < n; i += GR__LANES)
            for (int p = 0; p < GR__PARTS; p++) s.part[p] = s.part[p] + vload(t + i + p * GR__W);
    }
    return lanes_sum(&s);
}

/* Sum of (x - mean)^2. */
static float row_squares(const gr__rows *x, int64_t r, int64_t c, int64_t step, float mean, float *tile)
{
    lanes s = lanes_set(0);
    vf m = vset(mean);
    for (int64_t at = 0; at < c; at += step) {
        int64_t n = GR__MIN(step, c - at);
        const float *t = tile_load(x, r, at, n, mean, tile);
        for (int64_t i = 0; i < n; i += GR__LANES)
            for (int p = 0; p < GR__PARTS; p++) {
                vf d = vload(t + i + p * GR__W) - m;
                s.part[p] = s.part[p] + d * d;
            }
    }
    return lanes_sum(&s);
}

/* y = (x - mean)*rstd*gamma + beta */
static void row_normalise(const gr__norm *a, int64_t r, int64_t step, float mean, float rstd, const float *beta)
{
    float tx[GR__TILE], ty[GR__TILE], tg[GR__TILE], tb[GR__TILE];
    vf m = vset(mean), s = vset(rstd);
    for (int64_t at = 0; at < a->c; at += step) {
        int64_t n = GR__MIN(step, a->c - at);
        const float *x = tile_load(&a->x, r, at, n, 0, tx);
        float *y = tile_open(&a->y, r, at, n, ty);
        if (a->gamma && beta) {
            const float *g = vector_load(a->gamma, at, n, 1, tg), *b = vector_load(beta, at, n, 0, tb);
            for (int64_t i = 0; i < n; i += GR__W) vstore(y + i, (vload(x + i) - m) * s * vload(g + i) + vload(b + i));
        } else if (a->gamma) {
            const float *g = vector_load(a->gamma, at, n, 1, tg);
            for (int64_t i = 0; i < n; i += GR__W) vstore(y + i, (vload(x + i) - m) * s * vload(g + i));
        } else {
            const float *b = beta ? vector_load(beta, at, n, 0, tb) : NULL;
            for (int64_t i = 0; i < n; i += GR__W) {
                vf v = (vload(x + i) - m) * s;
                if (b) v = v + vload(b + i);
                vstore(y + i, v);
            }
        }
        tile_store(&a->y, r, at, n, y);
    }
}

static bool plain_forward(const gr__norm *a) { return a->x.dtype == GR_F32 && a->y.dtype == GR_F32; }

void GR__KERNEL(layer_norm_forward)(const void *args, int64_t first, int64_t last)
{
    const gr__norm *a = args;
    float tile[GR__TILE];
    int64_t step = step_of(a->c, plain_forward(a));
    for (int64_t r = first; r < last; r++) {
        float mean = row_sum(&a->x, r, a->c, step, tile) / (float)a->c;
        float variance = row_squares(&a->x, r, a->c, step, mean, tile) / (float)a->c;
        float rstd = 1.0f / sqrtf(variance + (float)a->eps);
        if (a->y.data) row_normalise(a, r, step, mean, rstd, a->beta); /* else only the statistics are wanted */
        if (a->mean) a->mean[r] = mean;
        if (a->rstd) a->rstd[r] = rstd;
    }
}

void GR__KERNEL(rms_norm_forward)(const void *args, int64_t first, int64_t last)
{
    const gr__norm *a = args;
    float tile[GR__TILE];
    int64_t step = step_of(a->c, plain_forward(a));
    for (int64_t r = first; r < last; r++) {
        float rstd = 1.0f / sqrtf(row_squares(&a->x, r, a->c, step, 0, tile) / (float)a->c + (float)a->eps);
        if (a->y.data) row_normalise(a, r, step, 0, rstd, NULL);
        if (a->rstd) a->rstd[r] = rstd;
    }
}

typedef struct row_state {
    int64_t r, step;
    float mean, rstd;
    float mean_g, mean_gx; /* means of dy*gamma and dy*gamma*xhat */
} row_state;

/* First sweep: the two means of the row, and its part of dgamma and dbeta. */
static void row_means(const gr__norm *a, row_state *s, float *dgamma, float *dbeta)
{
    float tx[GR__TILE], td[GR__TILE], tg[GR__TILE];
    vf m = vset(s->mean), k = vset(s->rstd);
    lanes sum_g = lanes_set(0), sum_gx = lanes_set(0);
    for (int64_t at = 0; at < a->c; at += s->step) {
        int64_t n = GR__MIN(s->step, a->c - at);
        const float *x = tile_load(&a->x, s->r, at, n, 0, tx), *dy = tile_load(&a->dy, s->r, at, n, 0, td);
        const float *g = a->gamma ? vector_load(a->gamma, at, n, 1, tg) : NULL;
        for (int64_t i = 0; i < n; i += GR__LANES)
            for (int p = 0; p < GR__PARTS; p++) {
                int64_t j = i + p * GR__W;
                vf d = vload(dy + j), dx = d * ((vload(x + j) - m) * k), w = vload_or(g, j, vset(1));
                sum_g.part[p] = sum_g.part[p] + d * w;
                sum_gx.part[p] = sum_gx.part[p] + dx * w;
                if (dgamma) vstore(dgamma + at + j, vload(dgamma + at + j) + dx);
                if (dbeta) vstore(dbeta + at + j, vload(dbeta + at + j) + d);
            }
    }
    s->mean_g = lanes_sum(&sum_g) / (float)a->c;
    s->mean_gx = lanes_sum(&sum_gx) / (float)a->c;
}

/* Second sweep: dx = (dy*gamma - mean_g - xhat*mean_gx)*rstd + add */
static void row_dx(const gr__norm *a, const row_state *s)
{
    float tx[GR__TILE], td[GR__TILE], tg[GR__TILE], ta[GR__TILE], to[GR__TILE];
    vf m = vset(s->mean), k = vset(s->rstd), mg = vset(s->mean_g), mx = vset(s->mean_gx);
    for (int64_t at = 0; at < a->c; at += s->step) {
        int64_t n = GR__MIN(s->step, a->c - at);
        const float *x = tile_load(&a->x, s->r, at, n, 0, tx), *dy = tile_load(&a->dy, s->r, at, n, 0, td);
        const float *g = a->gamma ? vector_load(a->gamma, at, n, 1, tg) : NULL;
        const float *add = a->add.data ? tile_load(&a->add, s->r, at, n, 0, ta) : NULL;
        float *dx = tile_open(&a->dx, s->r, at, n, to);
        for (int64_t i = 0; i < n; i += GR__W) {
            vf d = vload(dy + i), xhat = (vload(x + i) - m) * k;
            if (g) d = d * vload(g + i);
            vf v = (d - mg - xhat * mx) * k;
            if (add) v = v + vload(add + i);
            vstore(dx + i, v);
        }
        tile_store(&a->dx, s->r, at, n, dx);
    }
}

static bool plain_backward(const gr__norm *a)
{
    return a->x.dtype == GR_F32 && a->dy.dtype == GR_F32 && (!a->dx.data || a->dx.dtype == GR_F32) &&
           (!a->add.data || a->add.dtype == GR_F32);
}

static void backward(const gr__norm_backward *b, int64_t first, int64_t last, bool layer)
{
    const gr__norm *a = b->norm;
    float *dgamma = NULL, *dbeta = NULL;
    if (b->parts) {
        dgamma = b->parts + first / b->per * 2 * b->ld;
        dbeta = dgamma + b->ld;
        memset(dgamma, 0, (size_t)(2 * b->ld) * sizeof *dgamma);
    }
    row_state s = {.step = step_of(a->c, plain_backward(a))};
    for (s.r = first; s.r < last; s.r++) {
        s.mean = layer ? a->mean[s.r] : 0;
        s.rstd = a->rstd[s.r];
        row_means(a, &s, a->dgamma ? dgamma : NULL, layer && a->dbeta ? dbeta : NULL);
        if (!layer) s.mean_g = 0;
        if (a->dx.data) row_dx(a, &s);
    }
}

void GR__KERNEL(layer_norm_backward)(const void *args, int64_t first, int64_t last)
{
    backward(args, first, last, true);
}

void GR__KERNEL(rms_norm_backward)(const void *args, int64_t first, int64_t last)
{
    backward(args, first, last, false);
}
