#include "kernel/eigen.h"

#include "base/alloc.h"
#include "base/parallel.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { ROWS = 16, COLUMNS = 256, MOST_SWEEPS = 60 };

static double dot(const double *x, const double *y, int64_t n)
{
    double sum[4] = {0};
    int64_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (int k = 0; k < 4; k++) sum[k] += x[i + k] * y[i + k];
    for (; i < n; i++) sum[0] += x[i] * y[i];
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/* ---- to a tridiagonal matrix ---- */

/* A reflection I - scale*v*v', v (m). */
typedef struct reflection {
    const double *v;
    double scale;
} reflection;

/* Turns x (m) into v, for which the reflection takes x to (*length, 0, ...). */
static double reflect(double *x, int64_t m, double *length)
{
    double norm = 0;
    for (int64_t i = 0; i < m; i++) norm = fmax(norm, fabs(x[i]));
    *length = x[0];
    if (m < 2 || norm == 0) return 0;
    double most = norm, squares = 0;
    for (int64_t i = 0; i < m; i++) squares += (x[i] / most) * (x[i] / most);
    norm = most * sqrt(squares);
    *length = x[0] > 0 ? -norm : norm; /* so that nothing cancels */
    x[0] -= *length;
    for (int64_t i = 0; i < m; i++) x[i] /= norm;
    return 2 / dot(x, x, m);
}

typedef struct update {
    double *a; /* (m, m) inside of (n, n) */
    int64_t n, m;
    const double *v, *w;
    double *p;
} update;

static void multiply(void *context, int64_t chunk, int thread)
{
    (void)thread;
    update *u = context;
    for (int64_t i = chunk * ROWS; i < GR__MIN((chunk + 1) * ROWS, u->m); i++)
        u->p[i] = dot(u->a + i * u->n, u->v, u->m);
}

static void subtract(void *context, int64_t chunk, int thread)
{
    (void)thread;
    update *u = context;
    for (int64_t i = chunk * ROWS; i < GR__MIN((chunk + 1) * ROWS, u->m); i++) {
        double *row = u->a + i * u->n, v = u->v[i], w = u->w[i];
        for (int64_t j = 0; j < u->m; j++) row[j] -= v * u->w[j] + w * u->v[j];
    }
}

static int64_t chunks_of(int64_t m) { return (m + ROWS - 1) / ROWS; }

/* d (n) and e (n - 1) of the tridiagonal matrix. Row k of 'a' then holds the k-th reflection's v behind its diagonal. */
static void tridiagonal(double *a, int64_t n, double *d, double *e, double *scale, double *p)
{
    for (int64_t k = 0; k + 1 < n; k++) {
        int64_t m = n - k - 1;
        double *v = a + k * n + k + 1;
        d[k] = a[k * n + k];
        double s = scale[k] = reflect(v, m, &e[k]);
        if (s == 0) continue;
        update u = {.a = a + (k + 1) * n + k + 1, .n = n, .m = m, .v = v, .p = p};
        gr__parallel(chunks_of(m), multiply, &u);
        for (int64_t i = 0; i < m; i++) p[i] *= s;
        double half = s / 2 * dot(p, v, m);
        for (int64_t i = 0; i < m; i++) p[i] -= half * v[i];
        u.w = p;
        gr__parallel(chunks_of(m), subtract, &u);
    }
    d[n - 1] = a[n * n - 1];
}

/* ---- the vectors of the reflections ---- */

typedef struct turn {
    double *q; /* rows first .., columns first .. of (n, n) */
    int64_t n, m;
    reflection h;
} turn;

static void turn_rows(void *context, int64_t chunk, int thread)
{
    (void)thread;
    turn *t = context;
    for (int64_t i = chunk * ROWS; i < GR__MIN((chunk + 1) * ROWS, t->m); i++) {
        double *row = t->q + i * t->n, s = t->h.scale * dot(row, t->h.v, t->m);
        for (int64_t j = 0; j < t->m; j++) row[j] -= s * t->h.v[j];
    }
}

/* q (n, n): the product of all reflections, transposed. */
static void gather(const double *a, int64_t n, const double *scale, double *q)
{
    memset(q, 0, (size_t)(n * n) * sizeof *q);
    for (int64_t i = 0; i < n; i++) q[i * n + i] = 1;
    for (int64_t k = n - 2; k >= 0; k--) {
        turn t = {.q = q + (k + 1) * n + k + 1, .n = n, .m = n - k - 1, .h = {a + k * n + k + 1, scale[k]}};
        if (scale[k] != 0) gr__parallel(chunks_of(t.m), turn_rows, &t);
    }
}

/* ---- the tridiagonal matrix ---- */

/* Rotations of rows low, low + 1, ... with their next one, kept until all columns take them. */
typedef struct sweep {
    double *q, *c, *s;
    int64_t n, low, high;
} sweep;

static void rotate_columns(void *context, int64_t chunk, int thread)
{
    (void)thread;
    sweep *w = context;
    int64_t from = chunk * COLUMNS, to = GR__MIN(from + COLUMNS, w->n);
    for (int64_t k = w->low; k < w->high; k++) {
        double *x = w->q + k * w->n, *y = x + w->n, c = w->c[k], s = w->s[k];
        for (int64_t j = from; j < to; j++) {
            double a = x[j], b = y[j];
            x[j] = c * a + s * b;
            y[j] = c * b - s * a;
        }
    }
}

/* One step with Wilkinson's shift on rows low .. high. */
static void step(double *d, double *e, sweep *w)
{
    int64_t low = w->low, high = w->high;
    double half = (d[high - 1] - d[high]) / 2, last = e[high - 1];
    double shift = d[high] - last * (last / (half + copysign(hypot(half, last), half)));
    double x = d[low] - shift, z = e[low];
    for (int64_t k = low; k < high; k++) {
        double r = hypot(x, z), c = r > 0 ? x / r : 1, s = r > 0 ? z / r : 0;
        double a = d[k], b = e[k], g = d[k + 1];
        if (k > low) e[k - 1] = r;
        d[k] = c * c * a + 2 * c * s * b + s * s * g;
        d[k + 1] = s * s * a - 2 * c * s * b + c * c * g;
        e[k] = c * s * (g - a) + (c * c - s * s) * b;
        x = e[k];
        if (k + 1 < high) {
            z = s * e[k + 1];
            e[k + 1] *= c;
        }
        w->c[k] = c, w->s[k] = s;
    }
}

static bool negligible(const double *d, const double *e, int64_t k)
{
    return fabs(e[k]) <= DBL_EPSILON * (fabs(d[k]) + fabs(d[k + 1])) || fabs(e[k]) < DBL_MIN;
}

/* q (n, n) or NULL: its rows become the vectors. */
static void diagonal(double *d, double *e, int64_t n, double *q, double *c, double *s)
{
    int64_t high = n - 1;
    for (int64_t count = 0; high > 0 && count < MOST_SWEEPS * n; count++) {
        while (high > 0 && negligible(d, e, high - 1)) high--;
        if (high == 0) break;
        int64_t low = high - 1;
        while (low > 0 && !negligible(d, e, low - 1)) low--;
        sweep w = {q, c, s, n, low, high};
        step(d, e, &w);
        if (q) gr__parallel((n + COLUMNS - 1) / COLUMNS, rotate_columns, &w);
    }
}

static void swap_rows(double *q, int64_t n, int64_t a, int64_t b)
{
    for (int64_t j = 0; j < n; j++) {
        double t = q[a * n + j];
        q[a * n + j] = q[b * n + j];
        q[b * n + j] = t;
    }
}

static void sort(double *value, double *vector, int64_t n)
{
    for (int64_t i = 0; i + 1 < n; i++) {
        int64_t most = i;
        for (int64_t k = i + 1; k < n; k++)
            if (value[k] > value[most]) most = k;
        if (most == i) continue;
        double t = value[i];
        value[i] = value[most], value[most] = t;
        if (vector) swap_rows(vector, n, i, most);
    }
}

gr_status gr__eigen_symmetric(double *a, int64_t n, double *value, double *vector)
{
    double *block = gr__calloc(5 * (size_t)n + 1, sizeof *block);
    if (!block) return gr__fail_memory("eigenvalues", 5 * (size_t)n * sizeof *block);
    double *e = block, *scale = e + n, *p = scale + n, *c = p + n, *s = c + n;
    tridiagonal(a, n, value, e, scale, p);
    if (vector) gather(a, n, scale, vector);
    diagonal(value, e, n, vector, c, s);
    sort(value, vector, n);
    gr__free(block);
    return GR_OK;
}
