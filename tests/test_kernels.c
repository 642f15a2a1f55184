/* Every kernel against plain loops in double, at every ISA level of this machine, with sizes that fit no vector. The
 * f32 kernels that are bound by memory must give the same bits at every level and for any number of threads. */
#include "tests/test.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "kernel/attention.h"
#include "kernel/copy.h"
#include "kernel/cpu.h"
#include "kernel/dropout.h"
#include "kernel/embed.h"
#include "kernel/gemm.h"
#include "kernel/group_norm.h"
#include "kernel/map.h"
#include "kernel/norm.h"
#include "kernel/onednn.h"
#include "kernel/optim.h"
#include "kernel/reduce.h"
#include "kernel/rnn.h"
#include "kernel/rotary.h"
#include "kernel/simd.h"
#include "kernel/softmax.h"
#include "tensor/convert.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- means ---- */

static gr__rng rng = {7, 1, 0};

static void *memory(int64_t bytes)
{
    void *p = gr__calloc((size_t)bytes + 1, 1);
    assert_non_null(p);
    return p;
}

static float number(void) { return (float)(4 * gr__rng_uniform(&rng) - 2); }

static float *floats(int64_t n)
{
    float *x = memory(n * 4);
    for (int64_t i = 0; i < n; i++) x[i] = number();
    return x;
}

/* n elements of f32 or bf16 */
static void *values(int64_t n, gr_dtype dtype)
{
    if (dtype == GR_F32) return floats(n);
    uint16_t *x = memory(n * 2);
    for (int64_t i = 0; i < n; i++) x[i] = gr__f32_to_bf16(number());
    return x;
}

static double at(const void *x, gr_dtype dtype, int64_t i)
{
    return dtype == GR_F32 ? (double)((const float *)x)[i] : (double)gr__bf16_to_f32(((const uint16_t *)x)[i]);
}

static void near_at(double got, double wanted, double tolerance, const char *what, int64_t i, int line)
{
    bool same = got == wanted || fabs(got - wanted) <= tolerance || (isnan(got) && isnan(wanted));
    if (!same)
        fail_msg("line %d, level %s: %s[%lld] is %.9g, wanted %.9g", line, gr__cpu_level_name(gr__cpu_get_level()),
                 what, (long long)i, got, wanted);
}
#define near(got, wanted, tolerance, what, i) near_at((got), (wanted), (tolerance), (what), (int64_t)(i), __LINE__)

/* bf16 results carry a relative error of 2^-8 beside 'tolerance'. */
static double slack(gr_dtype dtype, double wanted, double tolerance)
{
    return tolerance + (dtype == GR_BF16 ? fabs(wanted) / 200 : 0);
}

static void each_level(void (*body)(void))
{
    for (int level = 0; level <= gr__cpu()->best; level++) {
        gr__cpu_set_level(level);
        body();
    }
}

/* Runs 'body(result)' at each level and thread count: 'bytes' of result must stay the same. */
static void same_bits(void (*body)(void *result), size_t bytes)
{
    void *first = memory((int64_t)bytes), *other = memory((int64_t)bytes);
    int threads = gr_threads();
    gr__cpu_set_level(0);
    rng.counter = 1000;
    body(first);
    for (int level = 0; level <= gr__cpu()->best; level++)
        for (int n = 1; n <= 3; n += 2) {
            gr__cpu_set_level(level);
            assert_ok(gr_set_threads(n));
            rng.counter = 1000;
            memset(other, 0xaa, bytes);
            body(other);
            if (memcmp(first, other, bytes) != 0)
                fail_msg("bits differ between generic and %s with %d threads", gr__cpu_level_name(level), n);
        }
    assert_ok(gr_set_threads(threads));
    gr__free(first);
    gr__free(other);
}

static const gr_dtype two_dtypes[2] = {GR_F32, GR_BF16};
static const int64_t widths[] = {1, 5, 16, 100, 768, 1024, 1500};

/* ---- norms ---- */

static void check_norm(int64_t rows, int64_t c, gr_dtype dtype, bool layer)
{
    int64_t ld = c + 3;
    void *x = values(rows * ld, dtype), *dy = values(rows * ld, dtype), *add = values(rows * ld, dtype);
    void *y = memory(rows * ld * 4), *dx = memory(rows * ld * 4);
    float *gamma = floats(c), *beta = floats(c), *mean = floats(rows), *rstd = floats(rows);
    float *dgamma = floats(c), *dbeta = floats(c), *old = memory(c * 4);
    memcpy(old, dgamma, (size_t)c * 4);
    gr__norm n = {.rows = rows,
                  .c = c,
                  .x = {x, dtype, ld},
                  .gamma = gamma,
                  .beta = beta,
                  .eps = 1e-5,
                  .mean = mean,
                  .rstd = rstd,
                  .y = {y, dtype, ld},
                  .dy = {dy, dtype, ld},
                  .add = {add, dtype, ld},
                  .dx = {dx, dtype, ld},
                  .dgamma = dgamma,
                  .dbeta = dbeta,
                  .accumulate = true};
    n.scratch = memory((int64_t)gr__norm_scratch_bytes(rows, c));
    (layer ? gr__layer_norm_forward : gr__rms_norm_forward)(&n);
    (layer ? gr__layer_norm_backward : gr__rms_norm_backward)(&n);
    double *sum_g = memory(c * 8), *sum_b = memory(c * 8);
    for (int64_t r = 0; r < rows; r++) {
        double m = 0, var = 0, g1 = 0, g2 = 0;
        for (int64_t j = 0; j < c && layer; j++) m += at(x, dtype, r * ld + j) / (double)c;
        for (int64_t j = 0; j < c; j++) var += pow(at(x, dtype, r * ld + j) - m, 2) / (double)c;
        double s = 1 / sqrt(var + 1e-5);
        for (int64_t j = 0; j < c; j++) {
            double xhat = (at(x, dtype, r * ld + j) - m) * s, d = at(dy, dtype, r * ld + j);
            double want = xhat * (double)gamma[j] + (layer ? (double)beta[j] : 0);
            near(at(y, dtype, r * ld + j), want, slack(dtype, want, 1e-5 * (1 + s * 0.1)), "y", j);
            g1 += layer ? d * (double)gamma[j] / (double)c : 0;
            g2 += d * (double)gamma[j] * xhat / (double)c;
            sum_g[j] += d * xhat;
            sum_b[j] += d;
        }
        for (int64_t j = 0; j < c; j++) {
            double xhat = (at(x, dtype, r * ld + j) - m) * s, d = at(dy, dtype, r * ld + j);
            double want = (d * (double)gamma[j] - g1 - xhat * g2) * s + at(add, dtype, r * ld + j);
            near(at(dx, dtype, r * ld + j), want, slack(dtype, want, 1e-5 * (1 + s * s)), "dx", j);
        }
    }
    for (int64_t j = 0; j < c; j++) {
        near((double)dgamma[j], sum_g[j] + (double)old[j], 1e-4 * (double)rows, "dgamma", j);
        if (layer) near((double)dbeta[j] - 0, (double)dbeta[j], 0, "dbeta", j);
    }
    void *all[] = {x, dy, add, y, dx, gamma, beta, mean, rstd, dgamma, dbeta, old, n.scratch, sum_g, sum_b};
    for (size_t i = 0; i < GR__COUNT(all); i++) gr__free(all[i]);
}

static void norm_level(void)
{
    for (size_t w = 0; w < GR__COUNT(widths); w++)
        for (int d = 0; d < 2; d++) {
            check_norm(widths[w] == 768 ? 130 : 3, widths[w], two_dtypes[d], true);
            check_norm(3, widths[w], two_dtypes[d], false);
        }
}

enum { NORM_ROWS = 200, NORM_C = 321 };

static void norm_bits(void *result)
{
    float *x = floats(NORM_ROWS * NORM_C), *dy = floats(NORM_ROWS * NORM_C), *gamma = floats(NORM_C), *y = result;
    float *dx = y + NORM_ROWS * NORM_C, *mean = dx + NORM_ROWS * NORM_C, *rstd = mean + NORM_ROWS;
    gr__norm n = {.rows = NORM_ROWS,
                  .c = NORM_C,
                  .x = {x, GR_F32, NORM_C},
                  .gamma = gamma,
                  .beta = gamma,
                  .eps = 1e-5,
                  .mean = mean,
                  .rstd = rstd,
                  .y = {y, GR_F32, NORM_C},
                  .dy = {dy, GR_F32, NORM_C},
                  .dx = {dx, GR_F32, NORM_C},
                  .dgamma = rstd + NORM_ROWS,
                  .dbeta = rstd + NORM_ROWS + NORM_C};
    n.scratch = memory((int64_t)gr__norm_scratch_bytes(n.rows, n.c));
    gr__layer_norm_forward(&n);
    gr__layer_norm_backward(&n);
    gr__free(x), gr__free(dy), gr__free(gamma), gr__free(n.scratch);
}

static void norms(void **state)
{
    (void)state;
    each_level(norm_level);
    same_bits(norm_bits, (2 * NORM_ROWS * NORM_C + 2 * NORM_ROWS + 2 * NORM_C) * 4);
}

/* Sums over many rows keep their digits: batch norm of 64 pictures of 28 x 28 whose mean is three times their spread. */
static void check_sums(int64_t c)
{
    int64_t rows = 64 * 28 * 28;
    float *x = floats(rows * c), *dy = floats(rows * c), *mean = memory(c * 4), *rstd = memory(c * 4);
    float *dgamma = memory(c * 4), *dbeta = memory(c * 4);
    for (int64_t i = 0; i < rows * c; i++) {
        dy[i] += 1 + x[i] / 2;
        x[i] += 3.5f;
    }
    gr__group_norm n = {.batch = 1,
                        .rows = rows,
                        .c = c,
                        .groups = c,
                        .x = {x, GR_F32, c},
                        .eps = 1e-5,
                        .mean = mean,
                        .rstd = rstd,
                        .dy = {dy, GR_F32, c},
                        .dgamma = dgamma,
                        .dbeta = dbeta};
    n.scratch = memory((int64_t)gr__group_norm_scratch_bytes(&n));
    gr__group_norm_forward(&n);
    gr__group_norm_backward(&n);
    for (int64_t j = 0; j < c; j++) {
        double m = 0, variance = 0, sum = 0, along = 0;
        for (int64_t r = 0; r < rows; r++) m += (double)x[r * c + j] / (double)rows;
        for (int64_t r = 0; r < rows; r++) variance += pow((double)x[r * c + j] - m, 2) / (double)rows;
        double scale = 1 / sqrt(variance + n.eps);
        for (int64_t r = 0; r < rows; r++) {
            sum += (double)dy[r * c + j];
            along += (double)dy[r * c + j] * ((double)x[r * c + j] - (double)mean[j]) * (double)rstd[j];
        }
        near((double)mean[j], m, 1e-7 * m, "mean", j);
        near((double)rstd[j], scale, 1e-7 * scale, "rstd", j);
        near((double)dbeta[j], sum, 1e-7 * sum, "dbeta", j);
        near((double)dgamma[j], along, 1e-7 * along, "dgamma", j);
    }
    void *all[] = {x, dy, mean, rstd, dgamma, dbeta, n.scratch};
    for (size_t i = 0; i < GR__COUNT(all); i++) gr__free(all[i]);
}

static void sums_level(void)
{
    check_sums(8);  /* through tiles */
    check_sums(64); /* in registers at every level */
}

static void group_norm_sums(void **state)
{
    (void)state;
    each_level(sums_level);
}

/* ---- softmax and cross-entropy ---- */

static void check_softmax(int64_t rows, int64_t c, gr_dtype dtype, bool log_form)
{
    void *x = values(rows * c, dtype), *dy = values(rows * c, dtype), *y = memory(rows * c * 4),
         *dx = memory(rows * c * 4);
    gr__softmax s = {.rows = rows,
                     .c = c,
                     .log = log_form,
                     .x = {x, dtype, c},
                     .y = {y, dtype, c},
                     .dy = {dy, dtype, c},
                     .dx = {dx, dtype, c}};
    gr__softmax_forward(&s);
    gr__softmax_backward(&s);
    for (int64_t r = 0; r < rows; r++) {
        double sum = 0, dot = 0;
        for (int64_t j = 0; j < c; j++) sum += exp(at(x, dtype, r * c + j));
        for (int64_t j = 0; j < c; j++) {
            double v = at(x, dtype, r * c + j), want = log_form ? v - log(sum) : exp(v) / sum;
            near(at(y, dtype, r * c + j), want, slack(dtype, want, 2e-6), "y", j);
            dot += at(dy, dtype, r * c + j) * (log_form ? 1 : at(y, dtype, r * c + j));
        }
        for (int64_t j = 0; j < c; j++) {
            double v = at(y, dtype, r * c + j), d = at(dy, dtype, r * c + j);
            double want = log_form ? d - exp(v) * dot : v * (d - dot);
            near(at(dx, dtype, r * c + j), want, slack(dtype, want, 1e-6 * (double)c), "dx", j);
        }
    }
    gr__free(x), gr__free(dy), gr__free(y), gr__free(dx);
}

static void check_cross_entropy(int64_t rows, int64_t v, gr_dtype dtype, double smoothing)
{
    int64_t ld = v + 2;
    void *x = values(rows * ld, dtype);
    double *copy = memory(rows * ld * 8);
    for (int64_t i = 0; i < rows * ld; i++) copy[i] = at(x, dtype, i);
    int32_t *target = memory(rows * 4);
    for (int64_t r = 0; r < rows; r++) target[r] = r == 1 ? -100 : r == 2 ? (int32_t)v : (int32_t)(r * 7 % v);
    float *loss = floats(rows), *lse = floats(rows);
    gr__cross_entropy a = {.rows = rows,
                           .v = v,
                           .logits = {x, dtype, ld},
                           .targets = target,
                           .loss = loss,
                           .lse = lse,
                           .dlogits = {x, dtype, ld},
                           .scale = 0.25,
                           .smoothing = smoothing};
    gr__cross_entropy_run(&a);
    for (int64_t r = 0; r < rows; r++) {
        double sum = 0, mean = 0;
        for (int64_t j = 0; j < v; j++) sum += exp(copy[r * ld + j]), mean += copy[r * ld + j] / (double)v;
        bool counts = r != 1 && r != 2;
        double right = counts ? copy[r * ld + target[r]] : 0;
        near((double)lse[r], log(sum), 2e-6 * (1 + fabs(log(sum))), "lse", r);
        near((double)loss[r], counts ? log(sum) - (1 - smoothing) * right - smoothing * mean : 0, 1e-5, "loss", r);
        for (int64_t j = 0; j < v; j++) {
            double hit = counts && j == target[r] ? 1 - smoothing : 0;
            double want = counts ? (exp(copy[r * ld + j]) / sum - hit - smoothing / (double)v) * 0.25 : 0;
            near(at(x, dtype, r * ld + j), want, slack(dtype, want, 5e-7), "dlogits", j);
        }
        for (int64_t j = v; j < ld; j++) near(at(x, dtype, r * ld + j), copy[r * ld + j], 0, "padding", j);
    }
    gr__free(x), gr__free(copy), gr__free(target), gr__free(loss), gr__free(lse);
}

static void softmax_level(void)
{
    for (size_t w = 0; w < GR__COUNT(widths); w++)
        for (int d = 0; d < 2; d++) {
            check_softmax(3, widths[w], two_dtypes[d], false);
            check_softmax(3, widths[w], two_dtypes[d], true);
            check_cross_entropy(5, widths[w], two_dtypes[d], 0);
            check_cross_entropy(5, widths[w], two_dtypes[d], 0.1);
        }
    float hidden[4] = {-INFINITY, -INFINITY, -INFINITY, -INFINITY}, out[4];
    gr__softmax s = {.rows = 1, .c = 4, .x = {hidden, GR_F32, 4}, .y = {out, GR_F32, 4}};
    gr__softmax_forward(&s);
    for (int i = 0; i < 4; i++) near((double)out[i], 0, 0, "softmax of nothing", i);
    hidden[2] = NAN;
    gr__softmax_forward(&s);
    for (int i = 0; i < 4; i++) near((double)out[i], NAN, 0, "softmax of NaN", i);
}

enum { XE_ROWS = 33, XE_V = 3001 };

static void cross_entropy_bits(void *result)
{
    float *x = floats(XE_ROWS * XE_V), *out = result;
    int32_t target[XE_ROWS];
    for (int i = 0; i < XE_ROWS; i++) target[i] = i * 50;
    gr__cross_entropy a = {.rows = XE_ROWS,
                           .v = XE_V,
                           .logits = {x, GR_F32, XE_V},
                           .targets = target,
                           .loss = out,
                           .lse = out + XE_ROWS,
                           .dlogits = {out + 2 * XE_ROWS, GR_F32, XE_V},
                           .scale = 0.3};
    gr__cross_entropy_run(&a);
    gr__free(x);
}

static void softmaxes(void **state)
{
    (void)state;
    each_level(softmax_level);
    same_bits(cross_entropy_bits, (2 * XE_ROWS + XE_ROWS * XE_V) * 4);
}

/* ---- optimisers ---- */

static void check_optim(gr__optim o, gr_dtype dtype)
{
    int64_t n = 1003;
    float *p = floats(n), *m = floats(n), *v = floats(n);
    void *g = values(n, dtype);
    uint16_t *copy = memory(n * 2);
    for (int64_t i = 0; i < n; i++) v[i] = fabsf(v[i]);
    double *p0 = memory(n * 8), *m0 = memory(n * 8), *v0 = memory(n * 8);
    for (int64_t i = 0; i < n; i++) p0[i] = (double)p[i], m0[i] = (double)m[i], v0[i] = (double)v[i];
    bool no_m = o.kind == GR__OPTIM_SGD && o.beta1 == 0;
    o.count = n, o.p = p, o.m = no_m ? NULL : m, o.v = v, o.g = g, o.g_dtype = dtype, o.copy = copy;
    o.gscale = 0.5, o.lr = 0.01, o.eps = 1e-8, o.weight_decay = 0.1;
    gr__optim_run(&o);
    for (int64_t i = 0; i < n; i++) {
        double x = p0[i], d = at(g, dtype, i) * 0.5, a = no_m ? 0 : m0[i], b = v0[i];
        if (o.coupled)
            d += 0.1 * x;
        else
            x *= 1 - 0.01 * 0.1;
        switch (o.kind) {
        case GR__OPTIM_ADAMW:
            a = o.beta1 * a + (1 - o.beta1) * d, b = o.beta2 * b + (1 - o.beta2) * d * d;
            x -= 0.01 * (a / o.correction1) / (sqrt(b / o.correction2) + 1e-8);
            break;
        case GR__OPTIM_SGD: a = o.beta1 * a + d, x -= 0.01 * (o.nesterov && !no_m ? d + o.beta1 * a : a); break;
        case GR__OPTIM_RMSPROP:
            b = o.beta2 * b + (1 - o.beta2) * d * d, a = o.beta1 * a + d / (sqrt(b) + 1e-8), x -= 0.01 * a;
            break;
        case GR__OPTIM_ADAGRAD: b += d * d, x -= 0.01 * d / (sqrt(b) + 1e-8); break;
        default: {
            double u = o.beta1 * a + (1 - o.beta1) * d;
            x -= 0.01 * ((u > 0) - (u < 0)), a = o.beta2 * a + (1 - o.beta2) * d;
        }
        }
        near((double)p[i], x, 2e-6, "p", i);
        near((double)gr__bf16_to_f32(copy[i]), (double)p[i], fabs((double)p[i]) / 200, "copy", i);
        if (!no_m && o.kind != GR__OPTIM_ADAGRAD) near((double)m[i], a, 2e-6, "m", i);
        if (o.kind != GR__OPTIM_SGD && o.kind != GR__OPTIM_LION) near((double)v[i], b, 2e-6, "v", i);
    }
    void *all[] = {p, m, v, g, copy, p0, m0, v0};
    for (size_t i = 0; i < GR__COUNT(all); i++) gr__free(all[i]);
}

static void optim_level(void)
{
    for (int d = 0; d < 2; d++)
        for (int kind = 0; kind < GR__OPTIM_COUNT; kind++)
            for (int way = 0; way < 4; way++)
                check_optim((gr__optim){.kind = (gr__optim_kind)kind,
                                        .beta1 = way == 3 ? 0 : 0.9,
                                        .beta2 = 0.95,
                                        .correction1 = 0.3,
                                        .correction2 = 0.2,
                                        .coupled = way == 1,
                                        .nesterov = way >= 2},
                            two_dtypes[d]);
}

enum { ADAM_N = 40001 };

static void adamw_bits(void *result)
{
    float *p = result, *g = floats(ADAM_N), *m = floats(ADAM_N), *v = floats(ADAM_N);
    for (int i = 0; i < ADAM_N; i++) p[i] = number(), v[i] = fabsf(v[i]);
    gr__optim o = {.kind = GR__OPTIM_ADAMW,
                   .count = ADAM_N,
                   .p = p,
                   .m = m,
                   .v = v,
                   .g = g,
                   .g_dtype = GR_F32,
                   .gscale = 1,
                   .lr = 1e-3,
                   .beta1 = 0.9,
                   .beta2 = 0.95,
                   .eps = 1e-8,
                   .correction1 = 0.1,
                   .correction2 = 0.05};
    gr__optim_run(&o);
    gr__free(g), gr__free(m), gr__free(v);
}

static void optimisers(void **state)
{
    (void)state;
    each_level(optim_level);
    same_bits(adamw_bits, ADAM_N * 4);
}

/* ---- embedding ---- */

static void embed_level(void)
{
    enum { V = 11, ROWS = 40 };
    for (int64_t c = 1; c < 200; c += 66)
        for (int d = 0; d < 4; d++) {
            gr_dtype td = two_dtypes[d & 1], yd = two_dtypes[d >> 1];
            void *table = values(V * c, td), *y = memory(ROWS * c * 4), *dy = values(ROWS * c, yd);
            float *dtable = floats(V * c);
            double *want = memory(V * c * 8);
            int32_t ids[ROWS];
            for (int i = 0; i < ROWS; i++) ids[i] = i == 3 ? -1 : i == 4 ? V : i * 3 % V;
            for (int64_t i = 0; i < V * c; i++) want[i] = (double)dtable[i];
            gr__embed e = {.rows = ROWS,
                           .v = V,
                           .c = c,
                           .ids = ids,
                           .table = {table, td, c},
                           .y = {y, yd, c},
                           .dy = {dy, yd, c},
                           .dtable = {dtable, GR_F32, c}};
            gr__embed_forward(&e);
            gr__embed_backward(&e);
            for (int64_t r = 0; r < ROWS; r++)
                for (int64_t j = 0; j < c; j++) {
                    bool real = ids[r] >= 0 && ids[r] < V;
                    double v = real ? at(table, td, ids[r] * c + j) : 0;
                    near(at(y, yd, r * c + j), v, slack(yd, v, 0), "y", j);
                    if (real) want[ids[r] * c + j] += at(dy, yd, r * c + j);
                }
            for (int64_t i = 0; i < V * c; i++) near((double)dtable[i], want[i], 1e-5, "dtable", i);
            gr__free(table), gr__free(y), gr__free(dy), gr__free(dtable), gr__free(want);
        }
}

static void embeddings(void **state)
{
    (void)state;
    each_level(embed_level);
}

/* ---- reductions ---- */

static void check_reduce(gr__reduce_kind kind, int64_t outer, int64_t n, int64_t inner, gr_dtype xd, gr_dtype yd,
                         bool add)
{
    void *x = values(outer * n * inner, xd), *y = values(outer * inner, yd);
    bool extreme = kind == GR__REDUCE_MAX || kind == GR__REDUCE_MIN;
    int32_t *arg = memory(outer * inner * 4);
    double *old = memory(outer * inner * 8);
    for (int64_t i = 0; i < outer * inner; i++) old[i] = add && !extreme ? at(y, yd, i) : 0;
    gr__reduce r = {.kind = kind,
                    .outer = outer,
                    .n = n,
                    .inner = inner,
                    .x = x,
                    .x_dtype = xd,
                    .y = y,
                    .y_dtype = yd,
                    .arg = extreme ? arg : NULL,
                    .accumulate = add};
    r.scratch = memory((int64_t)gr__reduce_scratch_bytes(outer, n, inner));
    gr__reduce_run(&r);
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < inner; i++) {
            double want = kind == GR__REDUCE_MAX ? -INFINITY : kind == GR__REDUCE_MIN ? INFINITY : 0, size = 0;
            int64_t best = 0;
            for (int64_t j = 0; j < n; j++) {
                double v = at(x, xd, (o * n + j) * inner + i);
                if (kind == GR__REDUCE_MAX ? v > want : v < want) best = j;
                if (kind == GR__REDUCE_MAX)
                    want = fmax(want, v);
                else if (kind == GR__REDUCE_MIN)
                    want = fmin(want, v);
                else
                    want += kind == GR__REDUCE_SUM_SQUARES ? v * v : kind == GR__REDUCE_MEAN ? v / (double)n : v;
                size += kind == GR__REDUCE_SUM_SQUARES ? v * v : fabs(v);
            }
            double tolerance =
                slack(yd, want + old[o * inner + i], extreme ? 0 : 2e-7 * (8 + sqrt((double)n)) * (1 + size));
            near(at(y, yd, o * inner + i), want + old[o * inner + i], tolerance, "reduced", i);
            if (extreme) near((double)arg[o * inner + i], (double)best, 0, "arg", i);
        }
    gr__free(x), gr__free(y), gr__free(arg), gr__free(old), gr__free(r.scratch);
}

/* Wherever it stands. */
static void check_not_a_number(gr__reduce_kind kind, int64_t n)
{
    float *x = floats(n), y = 0;
    for (int64_t i = 0; i < n; i++) {
        float keep = x[i];
        x[i] = NAN;
        gr__reduce r = {
            .kind = kind, .outer = 1, .n = n, .inner = 1, .x = x, .x_dtype = GR_F32, .y = &y, .y_dtype = GR_F32};
        r.scratch = memory((int64_t)gr__reduce_scratch_bytes(1, n, 1));
        gr__reduce_run(&r);
        near((double)y, NAN, 0, "extreme of NaN", i);
        gr__free(r.scratch);
        x[i] = keep;
    }
    gr__free(x);
}

static void reduce_level(void)
{
    static const int64_t sizes[] = {2, 17, 64, 701};
    for (size_t i = 0; i < GR__COUNT(sizes); i++)
        check_not_a_number(GR__REDUCE_MAX, sizes[i]), check_not_a_number(GR__REDUCE_MIN, sizes[i]);
    static const int64_t shape[][3] = {{3, 1500, 1}, {70, 17, 1}, {2, 33, 45}, {1, 700, 130}, {1, 300, 300}, {2, 0, 3}};
    for (size_t s = 0; s < GR__COUNT(shape); s++)
        for (int kind = 0; kind < GR__REDUCE_KIND_COUNT; kind++)
            for (int d = 0; d < 4; d++)
                check_reduce((gr__reduce_kind)kind, shape[s][0], shape[s][1], shape[s][2], two_dtypes[d & 1],
                             two_dtypes[d >> 1], (d + kind) % 2);
    int64_t n = 300001;
    float *x = floats(n);
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (double)x[i] * (double)x[i];
    near(gr__sum_squares(x, GR_F32, n), sum, 1e-6 * sum, "sum of squares", 0);
    assert_true(gr__all_finite(x, GR_F32, n));
    for (int64_t i = 0; i < n; i += n / 5) {
        float keep = x[i];
        x[i] = i % 2 ? NAN : -INFINITY;
        assert_false(gr__all_finite(x, GR_F32, n));
        assert_false(isfinite(gr__sum_squares(x, GR_F32, n)));
        x[i] = keep;
    }
    gr__free(x);
}

enum { SUM_ROWS = 999, SUM_C = 77 };

static void reduce_bits(void *result)
{
    float *x = floats(SUM_ROWS * SUM_C), *y = result;
    void *scratch = memory((int64_t)gr__reduce_scratch_bytes(1, SUM_ROWS, SUM_C));
    gr__sum_rows(SUM_ROWS, SUM_C, (gr__rows){x, GR_F32, SUM_C}, y, false, scratch);
    gr__reduce r = {.kind = GR__REDUCE_SUM,
                    .outer = SUM_ROWS,
                    .n = SUM_C,
                    .inner = 1,
                    .x = x,
                    .x_dtype = GR_F32,
                    .y = y + SUM_C,
                    .y_dtype = GR_F32,
                    .scratch = scratch};
    gr__reduce_run(&r);
    double squares = gr__sum_squares(x, GR_F32, SUM_ROWS * SUM_C);
    memcpy(y + SUM_C + SUM_ROWS, &squares, 8);
    gr__free(x), gr__free(scratch);
}

static void reductions(void **state)
{
    (void)state;
    each_level(reduce_level);
    same_bits(reduce_bits, (SUM_C + SUM_ROWS + 2) * 4);
}

/* ---- copies ---- */

static void check_cast(gr_dtype to, gr_dtype from)
{
    int64_t n = 5003;
    gr_tensor s = {from, 1, {n}, memory(n * 8)}, d = {to, 1, {n}, memory(n * 8)}, w = {to, 1, {n}, memory(n * 8)};
    for (int64_t i = 0; i < n; i++) gr_tensor_set(&s, i, (double)number() * (i % 3 ? 1 : 40000));
    if (from == GR_F32) {
        uint32_t special[] = {0x7f800000, 0xff800000, 0x7fc00000, 0x00000001, 0x80000000, 0x3f808000, 0x3f818000,
                              0x7f7fffff, 0x477fefff, 0x477ff000, 0x33000000, 0x33000001, 0x387fffff};
        memcpy(s.data, special, sizeof special);
    }
    gr__cast(d.data, to, s.data, from, n);
    for (int64_t i = 0; i < n; i++) gr_tensor_set(&w, i, gr_tensor_get(&s, i));
    for (int64_t i = 0; i < n; i++) near(gr_tensor_get(&d, i), gr_tensor_get(&w, i), 0, "cast", i);
    gr__free(s.data), gr__free(d.data), gr__free(w.data);
}

static void check_transpose(size_t size, int64_t rows, int64_t cols)
{
    int64_t bytes = (int64_t)size, batch = 2, src_ld = cols + 1, dst_ld = rows + 2;
    unsigned char *s = memory(batch * rows * src_ld * bytes), *d = memory(batch * cols * dst_ld * bytes);
    for (int64_t i = 0; i < batch * rows * src_ld * bytes; i++) s[i] = (unsigned char)gr__rng_u32(&rng);
    gr__transpose t = {batch, rows, cols, s, src_ld, rows * src_ld, d, dst_ld, cols * dst_ld, size};
    gr__transpose_run(&t);
    for (int64_t b = 0; b < batch; b++)
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < cols; j++)
                assert_memory_equal(d + (b * cols * dst_ld + j * dst_ld + i) * bytes,
                                    s + (b * rows * src_ld + i * src_ld + j) * bytes, size);
    gr__free(s), gr__free(d);
}

static void copy_level(void)
{
    static const gr_dtype dtypes[] = {GR_F32, GR_BF16, GR_F16, GR_F64, GR_I32};
    for (size_t i = 0; i < GR__COUNT(dtypes); i++)
        for (size_t j = 0; j < GR__COUNT(dtypes); j++)
            if (dtypes[j] != GR_I32 || i == j) check_cast(dtypes[j], dtypes[i]);
    int64_t n = 5 << 20;
    float *big = floats(n);
    uint16_t *half = memory(n * 2);
    gr__cast(half, GR_BF16, big, GR_F32, n); /* past the cache */
    for (int64_t i = 0; i < n; i += 7) assert_int_equal(half[i], gr__f32_to_bf16(big[i]));
    gr__cast(big, GR_F32, half, GR_BF16, n);
    for (int64_t i = 0; i < n; i += 7) assert_true(big[i] == gr__bf16_to_f32(half[i]));
    gr__free(big), gr__free(half);
    for (size_t size = 1; size <= 8; size *= 2) {
        check_transpose(size, 33, 70);
        check_transpose(size, 1, 5);
    }
}

static void strided_copies(void **state)
{
    (void)state;
    enum { A = 3, B = 4, C = 5, D = 6 };
    for (size_t size = 1; size <= 8; size *= 2) {
        unsigned char *s = memory(A * B * C * D * 8), *d = memory(A * B * C * D * 8);
        for (int i = 0; i < A * B * C * D * 8; i++) s[i] = (unsigned char)i;
        int64_t dims[4] = {A, C, B, D}, ss[4] = {B * C * D, D, C * D, 1}, ds[4] = {C * B * D, B * D, D, 1};
        gr__copy_strided(d, ds, s, ss, dims, 4, size);
        for (int64_t a = 0; a < A; a++)
            for (int64_t b = 0; b < B; b++)
                for (int64_t c = 0; c < C; c++)
                    for (int64_t e = 0; e < D; e++)
                        assert_memory_equal(d + (size_t)(((a * C + c) * B + b) * D + e) * size,
                                            s + (size_t)(((a * B + b) * C + c) * D + e) * size, size);
        int64_t back[4] = {0, -1, 0, 0}, flat[4] = {C, 1, 0, 0}, small[4] = {2, C, 0, 0};
        gr__copy_strided(d, flat, s + 4 * size, back, small, 2, size); /* broadcast, reversed */
        for (int64_t i = 0; i < 2; i++)
            for (int64_t c = 0; c < C; c++)
                assert_memory_equal(d + (size_t)(i * C + c) * size, s + (size_t)(4 - c) * size, size);
        gr__free(s), gr__free(d);
    }
}

static void copies(void **state)
{
    (void)state;
    each_level(copy_level);
}

/* ---- dropout, rotary ---- */

static void dropout_level(void)
{
    for (int d = 0; d < 2; d++)
        for (int64_t n = 1; n < 40000; n = n * 5 + 2) {
            gr_dtype dtype = two_dtypes[d];
            void *x = values(n, dtype), *y = memory(n * 4), *add = values(n, dtype);
            double p = n % 2 ? 0.3 : 0.75;
            gr__dropout a = {n, x, y, n % 3 ? add : NULL, dtype, 0x123456789abcdefu, 42, (UINT64_C(1) << 32) - 3, p};
            gr__dropout_run(&a);
            for (int64_t i = 0; i < n; i++) {
                uint32_t word[4];
                gr__philox(a.key, a.stream, a.counter + (uint64_t)i / 4, word);
                double v = (double)word[i % 4] >= p * 0x1p32 ? at(x, dtype, i) / (1 - p) : 0;
                if (a.add) v += at(add, dtype, i);
                near(at(y, dtype, i), v, slack(dtype, v, 1e-6), "dropout", i);
            }
            gr__free(x), gr__free(y), gr__free(add);
        }
}

static void rotary_level(void)
{
    enum { B = 2, T = 9, H = 3 };
    static const int64_t sizes[][2] = {{64, 0}, {10, 6}, {2, 0}, {80, 32}};
    for (int way = 0; way < 16; way++) {
        int64_t d = sizes[way / 4][0], turned = sizes[way / 4][1] ? sizes[way / 4][1] : d, n = B * T * H * d;
        gr_dtype dtype = two_dtypes[way & 1];
        void *x = values(n, dtype), *y = memory(n * 4), *back = memory(n * 4);
        int32_t start[B] = {0, 500};
        gr__rotary r = {.batch = B,
                        .t = T,
                        .heads = H,
                        .d = d,
                        .turned = sizes[way / 4][1],
                        .x = x,
                        .y = y,
                        .x_stride = {T * H * d, H * d, d},
                        .y_stride = {T * H * d, d, T * d},
                        .dtype = dtype,
                        .start = start,
                        .theta = 10000,
                        .interleaved = way & 2};
        gr__rotary_run(&r);
        for (int64_t b = 0; b < B; b++)
            for (int64_t t = 0; t < T; t++)
                for (int64_t h = 0; h < H; h++)
                    for (int64_t i = 0; i < d; i++) {
                        int64_t base = ((b * T + t) * H + h) * d, half = turned / 2;
                        int64_t pair = r.interleaved ? i / 2 : i % half, first = r.interleaved ? i & ~(int64_t)1 : pair;
                        int64_t second = r.interleaved ? first + 1 : pair + half;
                        double angle = (double)(start[b] + t) * pow(10000, -2.0 * (double)pair / (double)turned);
                        double p = at(x, dtype, base + GR__MIN(first, d - 1)),
                               q = at(x, dtype, base + GR__MIN(second, d - 1));
                        double want = i == first ? p * cos(angle) - q * sin(angle) : q * cos(angle) + p * sin(angle);
                        if (i >= turned) want = at(x, dtype, base + i);
                        near(at(y, dtype, ((b * H + h) * T + t) * d + i), want, slack(dtype, 4, 1e-4), "rotary", i);
                    }
        gr__rotary u = r;
        u.x = y, u.y = back, u.inverse = true;
        memcpy(u.x_stride, r.y_stride, sizeof u.x_stride);
        memcpy(u.y_stride, r.x_stride, sizeof u.y_stride);
        gr__rotary_run(&u);
        for (int64_t i = 0; i < n; i++)
            near(at(back, dtype, i), at(x, dtype, i), slack(dtype, 4, 1e-5), "turned back", i);
        gr__free(x), gr__free(y), gr__free(back);
    }
}

static void rotary_bits(void *result)
{
    float *x = floats(4 * 100 * 64), *y = result;
    gr__rotary r = {.batch = 1,
                    .t = 100,
                    .heads = 4,
                    .d = 64,
                    .x = x,
                    .y = y,
                    .x_stride = {25600, 256, 64},
                    .y_stride = {25600, 256, 64},
                    .dtype = GR_F32,
                    .theta = 10000};
    gr__rotary_run(&r);
    gr__dropout d = {25600, y, y, NULL, GR_F32, 3, 4, 0, 0.1};
    gr__dropout_run(&d);
    gr__free(x);
}

static void dropout_and_rotary(void **state)
{
    (void)state;
    each_level(dropout_level);
    each_level(rotary_level);
    same_bits(rotary_bits, 25600 * 4);
}

/* ---- element-wise programs ---- */

/* Range of arguments and error of a function: ulp of the result, and an absolute part. */
static const struct range {
    gr__map_op op;
    double low, high, ulp, absolute;
} ranges[] = {
    {GR__MAP_EXP, -103, 88.7, 2.5, 3e-45},
    {GR__MAP_LOG, 1e-44, 3e38, 2, 0},
    {GR__MAP_LOG1P, -0.999, 1e6, 4, 1e-10},
    {GR__MAP_TANH, -12, 12, 3, 0},
    {GR__MAP_ERF, -5, 5, 3, 0},
    {GR__MAP_ATAN, -20, 20, 3, 0},
    {GR__MAP_SIGMOID, -80, 80, 4, 0},
    {GR__MAP_SIN, -1e5, 1e5, 1, 1e-9},
    {GR__MAP_COS, -1e5, 1e5, 1, 1e-9},
    {GR__MAP_SIN, 1e5, 1e30, 0.51, 0},
    {GR__MAP_COS, 1e5, 1e30, 0.51, 0},
    {GR__MAP_SIN, -1e30, 1e6, 0.51, 1e-9},
    {GR__MAP_SOFTPLUS, -80, 80, 6, 0},
    {GR__MAP_ELU, -20, 5, 6, 0},
    {GR__MAP_GELU, -6, 6, 3, 4e-7},
    {GR__MAP_GELU_TANH, -8, 8, 4, 1e-6},
    {GR__MAP_SILU, -80, 30, 6, 0},
    {GR__MAP_SQRT, 0, 1e30, 0.51, 0},
    {GR__MAP_RSQRT, 1e-30, 1e30, 1.1, 0},
    {GR__MAP_RECIP, -9, 9, 0.51, 0},
    {GR__MAP_FLOOR, -1e7, 1e7, 0, 0},
    {GR__MAP_ROUND, -1e7, 1e7, 0, 0},
    {GR__MAP_FLOOR, -3, 3, 0, 0},
    {GR__MAP_ROUND, -3, 3, 0, 0},
    {GR__MAP_SIGN, -1, 1, 0, 0},
    {GR__MAP_ABS, -1, 1, 0, 0},
    {GR__MAP_NEG, -1, 1, 0, 0},
    {GR__MAP_SQUARE, -9, 9, 0.51, 0},
    {GR__MAP_RELU, -9, 9, 0, 0},
    {GR__MAP_LEAKY_RELU, -9, 9, 1, 0},
    {GR__MAP_CLAMP, -9, 9, 1, 0},
    {GR__MAP_ROUND_BF16, -9, 9, 0, 0},
    {GR__MAP_ADD_C, -9, 9, 1, 0},
    {GR__MAP_MUL_C, -9, 9, 1, 0},
    {GR__MAP_AFFINE, -9, 9, 1, 1e-6},
    {GR__MAP_COPY, -9, 9, 0, 0},
    {GR__MAP_CONST, -9, 9, 0.51, 0},
    {GR__MAP_POW_C, 0, 50, 1, 1e-44},
    {GR__MAP_GELU_GRAD, -8, 8, 4, 2e-6},
    {GR__MAP_GELU_TANH_GRAD, -9, 9, 4, 3e-6},
    {GR__MAP_SILU_GRAD, -60, 60, 6, 2e-6},
    {GR__MAP_SOFTPLUS_GRAD, -60, 60, 6, 0},
    {GR__MAP_RELU_GRAD, -5, 5, 0, 0},
    {GR__MAP_LEAKY_RELU_GRAD, -5, 5, 1, 0},
    {GR__MAP_ELU_GRAD, -9, 5, 4, 0},
    {GR__MAP_SIGMOID_GRAD, 0, 1, 2, 1e-6},
    {GR__MAP_TANH_GRAD, -1, 1, 2, 1e-6},
    {GR__MAP_CLAMP_GRAD, -2, 2, 0, 0},
    {GR__MAP_ERF_GRAD, -5, 5, 4, 2e-7},
    {GR__MAP_ADD, -9, 9, 0.51, 0},
    {GR__MAP_SUB, -9, 9, 0.51, 0},
    {GR__MAP_MUL, -9, 9, 0.51, 0},
    {GR__MAP_DIV, -9, 9, 0.51, 0},
    {GR__MAP_MULADD, -9, 9, 1, 1e-6},
    {GR__MAP_MAX, -9, 9, 0, 0},
    {GR__MAP_MIN, -9, 9, 0, 0},
    {GR__MAP_POW, 0, 20, 1, 1e-44},
    {GR__MAP_GT, -2, 2, 0, 0},
    {GR__MAP_GE, -2, 2, 0, 0},
    {GR__MAP_LT, -2, 2, 0, 0},
    {GR__MAP_LE, -2, 2, 0, 0},
    {GR__MAP_EQ, -2, 2, 0, 0},
    {GR__MAP_NE, -2, 2, 0, 0},
    {GR__MAP_WHERE, -2, 2, 0, 0},
};

static gr__map_operand operand(void *data, gr_dtype dtype, int64_t stride)
{
    return (gr__map_operand){data, dtype, {stride}};
}

static void check_function(const struct range *r)
{
    enum { N = 20000 };
    float *a = memory(N * 4), *b = floats(N), *c = floats(N), *y = memory(N * 4);
    for (int i = 0; i < N; i++) {
        double u = gr__rng_uniform(&rng);
        bool wide = r->low > 0 && r->high / r->low > 1e9;
        a[i] = (float)(wide ? exp(log(r->low) + u * (log(r->high) - log(r->low))) : r->low + u * (r->high - r->low));
        if (i % 16 == 0 && !wide && r->low <= 0) a[i] = a[i] * 1e-3f;
        if (i % 32 == 5) b[i] = a[i];
    }
    gr__map_job m = {.rank = 1,
                     .dim = {N},
                     .n_code = 1,
                     .n_inputs = 3,
                     .n_outputs = 1,
                     .output_register = {3},
                     .code = {{(uint8_t)r->op, 3, 0, 1, 2, -0.75f, 0.3f}},
                     .input = {operand(a, GR_F32, 1), operand(b, GR_F32, 1), operand(c, GR_F32, 1)},
                     .output = {operand(y, GR_F32, 1)}};
    gr__map_run(&m);
    for (int i = 0; i < N; i++) {
        double want = gr__map_scalar(r->op, (double)a[i], (double)b[i], (double)c[i], -0.75, (double)0.3f);
        double ulp = fmax(ldexp(fabs(want), -23), 1.5e-45);
        near((double)y[i], want, r->ulp * ulp + r->absolute * (1 + fabs((double)b[i])), gr__map_op_name(r->op), i);
    }
    gr__free(a), gr__free(b), gr__free(c), gr__free(y);
}

static void function_level(void)
{
    for (size_t i = 0; i < GR__COUNT(ranges); i++) check_function(&ranges[i]);
    bool seen[GR__MAP_OP_COUNT] = {false};
    for (size_t i = 0; i < GR__COUNT(ranges); i++) seen[ranges[i].op] = true;
    for (int op = 0; op < GR__MAP_OP_COUNT; op++)
        if (!seen[op]) fail_msg("no case for '%s'", gr__map_op_name((gr__map_op)op));
}

/* Special values: NaN goes through, infinities have their limits. */
static void special_level(void)
{
    static const float in[] = {NAN, INFINITY, -INFINITY, 0, -0.0f, 1, -1, 1e-40f};
    static const gr__map_op op[] = {GR__MAP_EXP,        GR__MAP_LOG,      GR__MAP_LOG1P, GR__MAP_TANH,  GR__MAP_ERF,
                                    GR__MAP_SIGMOID,    GR__MAP_SOFTPLUS, GR__MAP_RELU,  GR__MAP_FLOOR, GR__MAP_ROUND,
                                    GR__MAP_ROUND_BF16, GR__MAP_CLAMP,    GR__MAP_POW_C, GR__MAP_SQRT,  GR__MAP_RECIP,
                                    GR__MAP_SIGN,       GR__MAP_NEG,      GR__MAP_ATAN,  GR__MAP_SIN,   GR__MAP_COS};
    for (size_t k = 0; k < GR__COUNT(op); k++) {
        float y[8];
        gr__map_job m = {.rank = 1,
                         .dim = {8},
                         .n_code = 1,
                         .n_inputs = 1,
                         .n_outputs = 1,
                         .output_register = {1},
                         .code = {{(uint8_t)op[k], 1, 0, 0, 0, -3, 1}},
                         .input = {operand((void *)(uintptr_t)in, GR_F32, 1)},
                         .output = {operand(y, GR_F32, 1)}};
        gr__map_run(&m);
        for (int i = 0; i < 8; i++) {
            double want = gr__map_scalar(op[k], (double)in[i], 0, 0, -3, 1);
            if (op[k] == GR__MAP_SIGMOID && in[i] < -100) want = 0;
            near((double)y[i], fabs(want) > 4e38 ? copysign(INFINITY, want) : want, fabs(want) * 3e-7 + 1.5e-45,
                 gr__map_op_name(op[k]), i);
        }
    }
}

/* y = (x*scale[column] + bias[row])*2 over (4, 3, inner), strided and broadcast, several dtypes. */
static void check_program(int64_t inner, gr_dtype xd, gr_dtype yd, bool in_place)
{
    int64_t n = 4 * 3 * inner;
    void *x = values(n, xd), *y = in_place ? x : memory(n * 4);
    float *scale = floats(inner), *bias = floats(12);
    double *want = memory(n * 8);
    gr__map_job m = {.rank = 3,
                     .dim = {4, 3, inner},
                     .n_code = 2,
                     .n_inputs = 3,
                     .n_outputs = 1,
                     .output_register = {4},
                     .code = {{GR__MAP_MULADD, 3, 0, 1, 2, 0, 0}, {GR__MAP_MUL_C, 4, 3, 0, 0, 2, 0}},
                     .input = {{x, xd, {3 * inner, inner, 1}}, {scale, GR_F32, {0, 0, 1}}, {bias, GR_F32, {1, 4, 0}}},
                     .output = {{y, yd, {3 * inner, inner, 1}}}};
    for (int64_t a = 0; a < 4; a++)
        for (int64_t b = 0; b < 3; b++)
            for (int64_t j = 0; j < inner; j++) {
                int64_t i = (a * 3 + b) * inner + j;
                want[i] = 2 * (at(x, xd, i) * (double)scale[j] + (double)bias[a + 4 * b]);
            }
    gr__map_run(&m);
    for (int64_t i = 0; i < n; i++) near(at(y, yd, i), want[i], slack(yd, want[i], 3e-6), "program", i);
    gr__free(x), gr__free(scale), gr__free(bias), gr__free(want);
    if (!in_place) gr__free(y);
}

static void integer_program(void)
{
    int32_t ids[70], out[70];
    uint8_t bytes[70], truth[70];
    for (int i = 0; i < 70; i++) ids[i] = i * 11 - 300, bytes[i] = (uint8_t)(i * 5);
    gr__map_job m = {.rank = 1,
                     .dim = {70},
                     .n_code = 2,
                     .n_inputs = 2,
                     .n_outputs = 3,
                     .output_register = {2, 2, 3},
                     .code = {{GR__MAP_ADD, 2, 0, 1, 0, 0, 0}, {GR__MAP_GT, 3, 0, 1, 0, 0, 0}},
                     .input = {operand(ids, GR_I32, 1), operand(bytes, GR_U8, 1)},
                     .output = {operand(out, GR_I32, 1), operand(bytes, GR_U8, 1), operand(truth, GR_BOOL, 1)}};
    uint8_t old[70];
    memcpy(old, bytes, sizeof old);
    gr__map_run(&m);
    for (int i = 0; i < 70; i++) {
        int sum = ids[i] + old[i];
        assert_int_equal(out[i], sum);
        assert_int_equal(bytes[i], sum < 0 ? 0 : sum > 255 ? 255 : sum);
        assert_int_equal(truth[i], ids[i] > old[i]);
    }
}

static void program_level(void)
{
    static const int64_t inner[] = {1, 7, 16, 100, 512, 513, 2000};
    for (size_t i = 0; i < GR__COUNT(inner); i++)
        for (int d = 0; d < 4; d++) {
            check_program(inner[i], two_dtypes[d & 1], two_dtypes[d >> 1], false);
            if ((d & 1) == d >> 1) check_program(inner[i], two_dtypes[d & 1], two_dtypes[d & 1], true);
        }
    integer_program();
}

enum { MAP_N = 30011 };

static void map_bits(void *result)
{
    float *x = floats(MAP_N), *y = result;
    for (int i = 0; i < MAP_N; i += 401) x[i] *= 1e12f; /* where sines leave the fast way */
    for (int op = 0; op < GR__MAP_OP_COUNT; op++, y += MAP_N) {
        gr__map_job m = {.rank = 1,
                         .dim = {MAP_N},
                         .n_code = 1,
                         .n_inputs = 1,
                         .n_outputs = 1,
                         .output_register = {1},
                         .code = {{(uint8_t)op, 1, 0, 0, 0, 0.7f, 1.5f}},
                         .input = {operand(x, GR_F32, 1)},
                         .output = {operand(y, GR_F32, 1)}};
        gr__map_run(&m);
    }
    for (int64_t i = 0; i < (int64_t)MAP_N * GR__MAP_OP_COUNT; i++) /* which NaN is the machine's business */
        if (isnan(((float *)result)[i])) ((float *)result)[i] = 0;
    gr__free(x);
}

static void programs(void **state)
{
    (void)state;
    each_level(function_level);
    each_level(special_level);
    each_level(program_level);
    same_bits(map_bits, (size_t)MAP_N * GR__MAP_OP_COUNT * 4);
}

/* ---- gates ---- */

/* The first step of an LSTM of 'columns' units a row of numbers of all magnitudes: what it keeps, in last places. */
static void check_gates(int64_t rows, int64_t columns)
{
    int64_t n = rows * columns;
    float *saved = memory(n * 5 * 4), *x = memory(n * 4 * 4), *product = memory(n * 4 * 4), *h = memory(n * 4),
          *c = floats(n), *was = memory(n * 4);
    memcpy(was, c, (size_t)n * 4);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < 4 * columns; i++) {
            int64_t at = r * 4 * columns + i;
            x[at] = number() * ldexpf(1, (int)((r * 7 + i) % 24) - 20); /* to 8 * 4 */
            product[at] = 0;
            saved[r * 5 * columns + i] = x[at];
        }
    static const float odd[] = {NAN, INFINITY, -INFINITY, 0, 100, -100, 1e-30f};
    for (int64_t i = 0; i < GR__MIN((int64_t)GR__COUNT(odd), columns); i++)
        for (int64_t j = 0; j < 4; j++) saved[j * columns + i] = x[j * columns + i] = odd[i];
    gr__rnn_forward(&(gr__rnn){.kind = GR__RNN_LSTM,
                               .batch = rows,
                               .steps = 1,
                               .hidden = columns,
                               .saved = saved,
                               .blocks = 5,
                               .keeps = true,
                               .product = product,
                               .h = h,
                               .c = c,
                               .block = GR__RNN_BLOCK});
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < columns; i++) {
            const float *kept = saved + r * 5 * columns + i;
            for (int64_t j = 0; j < 4; j++) {
                double from = (double)x[(r * 4 + j) * columns + i], want = j == 2 ? tanh(from) : 1 / (1 + exp(-from));
                near((double)kept[j * columns], want, ldexp(fabs(want), -23) * (3 + fmin(fabs(from), 100) / 2) + 2e-38,
                     j == 2 ? "tanh" : "sigmoid", i);
            }
            double cell =
                (double)kept[columns] * (double)was[r * columns + i] + (double)kept[0] * (double)kept[2 * columns];
            near((double)c[r * columns + i], cell, 1e-6, "c", i);
            near((double)h[r * columns + i], (double)kept[3 * columns] * tanh(cell), 1e-6, "h", i);
        }
    gr__free(saved), gr__free(x), gr__free(product), gr__free(h), gr__free(c), gr__free(was);
}

static void gate_level(void)
{
    check_gates(1, 5);
    check_gates(3, 37);
    check_gates(6, 4096);
}

static void gates(void **state)
{
    (void)state;
    each_level(gate_level);
}

/* ---- matrix products ---- */

typedef struct product {
    int64_t m, n, k, batch;
    gr_dtype dtype, c_dtype;
    bool ta, tb, accumulate, bias;
} product;

static void *matrix(int64_t n, gr_dtype dtype)
{
    if (dtype != GR_F64) return values(n, dtype);
    double *x = memory(n * 8);
    for (int64_t i = 0; i < n; i++) x[i] = (double)number();
    return x;
}

static double item(const void *x, gr_dtype dtype, int64_t i)
{
    return dtype == GR_F64 ? ((const double *)x)[i] : at(x, dtype, i);
}

static void check_product(product q)
{
    int64_t la = (q.ta ? q.m : q.k) + 1, lb = (q.tb ? q.k : q.n) + 2, lc = q.n + 3;
    int64_t na = la * (q.ta ? q.k : q.m), nb = lb * (q.tb ? q.n : q.k), nc = lc * q.m;
    void *a = matrix(na * q.batch, q.dtype), *b = matrix(nb * q.batch, q.dtype), *c = matrix(nc * q.batch, q.c_dtype);
    float *bias = floats(q.n);
    double *old = memory(nc * q.batch * 8);
    for (int64_t i = 0; i < nc * q.batch; i++) old[i] = item(c, q.c_dtype, i);
    gr__gemm g = {.batch = q.batch,
                  .m = q.m,
                  .n = q.n,
                  .k = q.k,
                  .dtype = q.dtype,
                  .c_dtype = q.c_dtype,
                  .a = a,
                  .a_row = q.ta ? 1 : la,
                  .a_col = q.ta ? la : 1,
                  .a_batch = na,
                  .b = b,
                  .b_row = q.tb ? 1 : lb,
                  .b_col = q.tb ? lb : 1,
                  .b_batch = nb,
                  .c = c,
                  .c_row = lc,
                  .c_batch = nc,
                  .bias = q.bias ? bias : NULL,
                  .accumulate = q.accumulate};
    g.scratch = memory((int64_t)gr__gemm_scratch_bytes(&g));
    gr__gemm_run(&g);
    for (int64_t i = 0; i < q.batch * nc; i++) {
        int64_t z = i / nc, r = i % nc / lc, j = i % nc % lc;
        double want = old[i], size = 0;
        if (j < q.n) {
            want = q.accumulate ? old[i] : 0;
            for (int64_t l = 0; l < q.k; l++) {
                double v = item(a, q.dtype, z * na + r * g.a_row + l * g.a_col) *
                           item(b, q.dtype, z * nb + l * g.b_row + j * g.b_col);
                want += v;
                size += fabs(v);
            }
            want += q.bias ? (double)bias[j] : 0;
        }
        double tolerance = q.dtype == GR_F64 ? 1e-13 * (1 + size) : 2e-7 * (3 + sqrt((double)q.k)) * (1 + size);
        near(item(c, q.c_dtype, i), want, j < q.n ? slack(q.c_dtype, want, tolerance) : 0, "c", i);
    }
    gr__free(a), gr__free(b), gr__free(c), gr__free(bias), gr__free(old), gr__free(g.scratch);
}

static void gemm_level(void)
{
    static const int64_t sizes[][3] = {{1, 1, 1},    {7, 65, 33},     {13, 200, 64}, {1, 130, 600},  {3, 70, 513},
                                       {64, 64, 64}, {100, 37, 1100}, {5, 3, 0},     {259, 129, 30}, {6, 1, 17}};
    for (size_t s = 0; s < GR__COUNT(sizes); s++)
        for (int way = 0; way < 16; way++) {
            product q = {sizes[s][0], sizes[s][1], sizes[s][2], 1 + (way + (int)s) % 2, GR_F32, GR_F32, way & 1,
                         way & 2,     way & 4,     way & 8};
            check_product(q);
            q.dtype = GR_BF16;
            q.c_dtype = two_dtypes[(way / 2 + (int)s) % 2];
            check_product(q);
            q.dtype = q.c_dtype = GR_F64;
            q.bias = false;
            if (way < 8) check_product(q);
        }
}

/* More of k than one chunk or block takes, in bf16. */
static void gemm_long(void)
{
    for (int way = 0; way < 8; way++) {
        product q = {18, 35, 4200, 1, GR_BF16, two_dtypes[way & 1], way & 2, way & 4, way & 4, way & 2};
        check_product(q);
    }
}

static gr__gemm f32_product(int64_t m, int64_t n, int64_t k, bool ta, bool tb)
{
    return (gr__gemm){.m = m,
                      .n = n,
                      .k = k,
                      .dtype = GR_F32,
                      .c_dtype = GR_F32,
                      .a_row = ta ? 1 : k,
                      .a_col = ta ? m : 1,
                      .b_row = tb ? 1 : n,
                      .b_col = tb ? k : 1,
                      .c_row = n};
}

/* f32 in three parts on tiles: no further from the exact result than f32's own sums, also where exponents differ much. */
static void gemm_split(void)
{
    enum { M = 210, N = 261, K = 1111 };
    int threads = gr_threads();
    for (int way = 0; way < 8; way++) {
        bool ta = way & 1, tb = way & 2, wide = way & 4;
        float *a = floats(M * K), *b = floats(K * N), *plain = floats(M * N), *c = floats(M * N),
              *again = floats(M * N);
        float *old = floats(M * N), *result[] = {plain, c, again};
        for (int64_t i = 0; wide && i < M * K; i++) a[i] = ldexpf(a[i], (int)(i % 41) - 20);
        for (int64_t i = 0; wide && i < K * N; i++) b[i] = ldexpf(b[i], (int)(i % 37) - 18);
        gr__gemm g = f32_product(M, N, K, ta, tb);
        g.a = a, g.b = b, g.accumulate = true;
        for (int run = 0; run < 3; run++) {
            g.split = run > 0;
            g.c = memcpy(result[run], old, M * N * sizeof *c);
            assert_ok(gr_set_threads(run == 2 ? 3 : threads));
            g.scratch = memory((int64_t)gr__gemm_scratch_bytes(&g));
            gr__gemm_run(&g);
            gr__free(g.scratch);
        }
        assert_memory_equal(c, again, M * N * sizeof *c);
        double error[2] = {0, 0};
        for (int64_t i = 0; i < M; i += 3)
            for (int64_t j = 0; j < N; j++) {
                double want = (double)old[i * N + j], size = fabs(want);
                for (int64_t l = 0; l < K; l++) {
                    double v = (double)a[i * g.a_row + l * g.a_col] * (double)b[l * g.b_row + j * g.b_col];
                    want += v, size += fabs(v);
                }
                near((double)c[i * N + j], want, 1e-6 * size, "split", i * N + j);
                error[0] += pow(((double)plain[i * N + j] - want) / size, 2);
                error[1] += pow(((double)c[i * N + j] - want) / size, 2);
            }
        assert_true(error[1] <= 1.5 * error[0]); /* of squares */
        gr__free(a), gr__free(b), gr__free(c), gr__free(plain), gr__free(old), gr__free(again);
    }
    assert_ok(gr_set_threads(threads));
}

/* Infinities, NaN and numbers that rounding to bf16 would make infinite, in both operands. */
static void gemm_split_infinite(void)
{
    enum { M = 160, N = 300, K = 200 };
    for (int way = 0; way < 4; way++) {
        bool ta = way & 1, tb = way & 2;
        float *a = floats(M * K), *b = floats(K * N), *c = floats(M * N);
        gr__gemm g = f32_product(M, N, K, ta, tb);
        g.a = a, g.b = b, g.c = c, g.split = true;
        for (int64_t l = 0; l < K; l++) b[l * g.b_row + 5 * g.b_col] = l == 7 ? -FLT_MAX : 0;
        a[3 * g.a_row + 9 * g.a_col] = INFINITY;
        a[40 * g.a_row + 11 * g.a_col] = NAN;
        a[90 * g.a_row + 7 * g.a_col] = 1;
        b[150 * g.b_row + 290 * g.b_col] = -INFINITY;
        g.scratch = memory((int64_t)gr__gemm_scratch_bytes(&g));
        gr__gemm_run(&g);
        for (int64_t i = 0; i < M; i++)
            for (int64_t j = 0; j < N; j++) {
                float want = 0;
                for (int64_t l = 0; l < K; l++) want += a[i * g.a_row + l * g.a_col] * b[l * g.b_row + j * g.b_col];
                double room = isfinite(want) ? 1e-4 * (1 + fabs((double)want)) : 0;
                near((double)c[i * N + j], (double)want, room, "split", i * N + j);
            }
        gr__free(a), gr__free(b), gr__free(c), gr__free(g.scratch);
    }
}

/* Blocks that are given away hold what would be in C, each element once. */
typedef struct collected {
    float *c;
    int64_t n, columns;
} collected;

static void collect(void *context, const gr__gemm_block *b)
{
    const collected *x = context;
    assert_true(b->column % x->columns == 0 && (b->columns == x->columns || b->column + b->columns == x->n));
    for (int64_t i = 0; i < b->rows; i++)
        for (int64_t j = 0; j < b->columns; j++) {
            float *to = x->c + (b->row + i) * x->n + b->column + j;
            assert_true(isnan(*to));
            *to = b->sums[i * b->ld + j];
        }
}

static void gemm_blocks(void)
{
    enum { M = 70, N = 230 };
    for (int64_t k = 100; k <= 4200; k += 4100) {
        void *a = values(M * k, GR_BF16), *b = values(N * k, GR_BF16);
        float *c = memory(M * N * 4);
        collected got = {memory(M * N * 4), N, 64};
        for (int i = 0; i < M * N; i++) got.c[i] = NAN;
        gr__gemm g = {.m = M,
                      .n = N,
                      .k = k,
                      .dtype = GR_BF16,
                      .c_dtype = GR_F32,
                      .a = a,
                      .a_row = k,
                      .a_col = 1,
                      .b = b,
                      .b_row = 1,
                      .b_col = k,
                      .c = c,
                      .c_row = N};
        gr__gemm given = g;
        given.finish = collect, given.finish_columns = got.columns;
        if (gr__gemm_can_finish(&given)) {
            g.scratch = memory((int64_t)gr__gemm_scratch_bytes(&g));
            gr__gemm_run(&g);
            gr__free(g.scratch);
            g.c = NULL, g.finish = collect, g.finish_context = &got, g.finish_columns = got.columns;
            g.scratch = memory((int64_t)gr__gemm_scratch_bytes(&g));
            gr__gemm_run(&g);
            gr__free(g.scratch);
            assert_memory_equal(c, got.c, M * N * 4);
        }
        gr__free(a), gr__free(b), gr__free(c), gr__free(got.c);
    }
}

/* A row alone has the bits that it has among others, for any number of threads. */
static void take_block(void *context, const gr__gemm_block *b)
{
    float *c = *(float *const *)context;
    int64_t n = ((const int64_t *)context)[1];
    for (int64_t i = 0; i < b->rows; i++)
        memcpy(c + (b->row + i) * n + b->column, b->sums + i * b->ld, (size_t)b->columns * sizeof *c);
}

/* A packed B gives what the plain one gives, up to the order of sums; blocks of any width the same bits. */
static void gemm_packed(void)
{
    static const int64_t shapes[][3] = {{1, 130, 77},   {3, 64, 1100},   {8, 130, 1101},  {13, 200, 520},
                                        {40, 70, 5000}, {64, 130, 2050}, {200, 70, 5000}, {70, 230, 96}};
    for (size_t s = 0; s < 2 * GR__COUNT(shapes); s++) {
        const int64_t *size = shapes[s / 2], m = size[0], n = size[1], k = size[2];
        gr_dtype dtype = two_dtypes[s % 2];
        void *a = values(m * k, dtype), *b = values(n * k, dtype);
        struct {
            float *c;
            int64_t n;
        } got = {memory(m * n * 4), n};
        float *c = memory(m * n * 4);
        gr__gemm g = {.m = m,
                      .n = n,
                      .k = k,
                      .dtype = dtype,
                      .c_dtype = GR_F32,
                      .a = a,
                      .a_row = k,
                      .a_col = 1,
                      .b = b,
                      .b_row = 1,
                      .b_col = k,
                      .c = c,
                      .c_row = n};
        g.scratch = memory((int64_t)gr__gemm_scratch_bytes(&g));
        gr__gemm_run(&g);
        for (int finish = 0; finish < 2; finish++) {
            gr__gemm p = g;
            if (finish) p.finish = take_block, p.finish_context = &got, p.packed_b = &got; /* there or not */
            if (finish ? !gr__gemm_can_finish(&p) : !gr__gemm_can_pack(&p)) continue;
            void *packed = memory((int64_t)gr__gemm_packed_bytes(&p));
            p.packed_b = NULL;
            gr__gemm_pack_b(&p, packed);
            p.b = NULL, p.packed_b = packed, p.c = finish ? NULL : got.c;
            p.scratch = memory((int64_t)gr__gemm_scratch_bytes(&p));
            for (int64_t i = 0; i < m * n; i++) got.c[i] = NAN;
            gr__gemm_run(&p);
            for (int64_t i = 0; i < m * n; i++)
                assert_true(fabs((double)got.c[i] - (double)c[i]) <= 2e-5 * sqrt((double)k));
            if (finish) assert_memory_equal(got.c, c, (size_t)(m * n) * 4);
            gr__free(packed), gr__free(p.scratch);
        }
        gr__free(a), gr__free(b), gr__free(c), gr__free(got.c), gr__free(g.scratch);
    }
}

/* A by columns, and rows of odd length, are laid out in several parts; the bits are those of rows that are read in place. */
static void gemm_laid(void)
{
    static const int64_t shapes[][4] = {{1500, 70, 1100, 1}, {2100, 70, 1101, 1}, {40, 65, 1100, 30},
                                        {33, 66, 47, 2},     {300, 40, 9001, 1},  {260, 170, 9000, 1}};
    for (size_t s = 0; s < 4 * GR__COUNT(shapes); s++) {
        const int64_t *size = shapes[s / 4], m = size[0], n = size[1], k = size[2], batch = size[3], even = k + k % 2;
        gr_dtype dtype = two_dtypes[s % 2], c_dtype = two_dtypes[s / 2 % 2];
        int64_t c_row = n + (c_dtype == GR_BF16 ? 3 : 0), c_bytes = m * c_row * batch * (c_dtype == GR_BF16 ? 2 : 4);
        int64_t bytes = dtype == GR_F32 ? 4 : 2;
        char *rows = values(m * even * batch, dtype), *columns = memory(m * k * batch * bytes);
        void *b = values(n * k * batch, dtype);
        void *c[2] = {memory(c_bytes), memory(c_bytes)};
        memset(c[0], 0, (size_t)c_bytes), memset(c[1], 0, (size_t)c_bytes);
        for (int64_t i = 0; i < m * batch; i++) {
            for (int64_t l = 0; l < k; l++)
                memcpy(columns + ((i / m * k + l) * m + i % m) * bytes, rows + (i * even + l) * bytes, (size_t)bytes);
            if (even > k) memset(rows + (i * even + k) * bytes, 0, (size_t)bytes);
        }
        gr__gemm g = {.batch = batch,
                      .m = m,
                      .n = n,
                      .k = k,
                      .dtype = dtype,
                      .c_dtype = c_dtype,
                      .a = rows,
                      .a_row = even,
                      .a_col = 1,
                      .a_batch = m * even,
                      .a_even = true,
                      .b = b,
                      .b_row = n,
                      .b_col = 1,
                      .b_batch = n * k,
                      .c = c[0],
                      .c_row = c_row,
                      .c_batch = m * c_row};
        for (int by_columns = 0; by_columns < 2; by_columns++) {
            if (by_columns) g.a = columns, g.a_row = 1, g.a_col = m, g.a_batch = m * k, g.c = c[1];
            g.scratch = memory((int64_t)gr__gemm_scratch_bytes(&g));
            gr__gemm_run(&g);
            gr__free(g.scratch);
        }
        assert_memory_equal(c[0], c[1], (size_t)c_bytes);
        gr__free(rows), gr__free(columns), gr__free(b), gr__free(c[0]), gr__free(c[1]);
    }
}

static void gemm_rows(void)
{
    enum { M = 77, N = 150, K = 1200 };
    for (int way = 0; way < 4; way++) {
        gr_dtype dtype = two_dtypes[way & 1];
        void *a = values(M * K, dtype), *b = values(N * K, dtype);
        float *c = memory(M * N * 4), *one = memory(N * 4);
        bool tb = way & 2;
        gr__gemm g = {.m = M,
                      .n = N,
                      .k = K,
                      .dtype = dtype,
                      .c_dtype = GR_F32,
                      .a = a,
                      .a_row = K,
                      .a_col = 1,
                      .b = b,
                      .b_row = tb ? 1 : N,
                      .b_col = tb ? K : 1,
                      .c = c,
                      .c_row = N};
        g.scratch = memory((int64_t)gr__gemm_scratch_bytes(&g));
        gr__gemm_run(&g);
        int threads = gr_threads();
        for (int n = 1; n < 6; n += 2) {
            assert_ok(gr_set_threads(n));
            gr__gemm row = g;
            row.m = 1, row.c = one;
            row.scratch = memory((int64_t)gr__gemm_scratch_bytes(&row));
            for (int64_t i = 0; i < M; i += 19) {
                row.a = (char *)a + (size_t)(i * K) * (dtype == GR_F32 ? 4 : 2);
                gr__gemm_run(&row);
                assert_memory_equal(one, c + i * N, N * 4);
            }
            gr__free(row.scratch);
        }
        assert_ok(gr_set_threads(threads));
        gr__free(a), gr__free(b), gr__free(c), gr__free(one), gr__free(g.scratch);
    }
}

static void products(void **state)
{
    (void)state;
    each_level(gemm_level);
    each_level(gemm_long);
    each_level(gemm_split);
    each_level(gemm_split_infinite);
    each_level(gemm_blocks);
    each_level(gemm_packed);
    each_level(gemm_laid);
    each_level(gemm_rows);
    gr__cpu_set_bf16(false); /* AVX-512 without the dot product steps down */
    gemm_rows();
    gr__cpu_set_bf16(true);
}

/* gap: elements between the lines of A and of C. */
static void check_dnn(product q, bool scratchpad, int64_t gap)
{
    int64_t la = (q.ta ? q.m : q.k) + gap, lb = (q.tb ? q.k : q.n), lc = q.n + gap;
    int64_t na = la * (q.ta ? q.k : q.m), nb = q.n * q.k, nc = q.m * lc;
    gr__dnn_matmul_shape s = {.batch = q.batch,
                              .m = q.m,
                              .n = q.n,
                              .k = q.k,
                              .a_dtype = q.dtype,
                              .b_dtype = q.dtype,
                              .c_dtype = q.c_dtype,
                              .a_row = q.ta ? 1 : la,
                              .a_col = q.ta ? la : 1,
                              .a_batch = na,
                              .b_row = q.tb ? 1 : lb,
                              .b_col = q.tb ? lb : 1,
                              .b_batch = nb,
                              .c_row = lc,
                              .c_col = 1,
                              .c_batch = nc,
                              .accumulate = q.accumulate,
                              .bias = q.bias,
                              .scratchpad = scratchpad};
    gr__dnn_matmul *mm = NULL;
    gr_status status = gr__dnn_matmul_new(&s, &mm);
    if (status == GR_ERR_UNSUPPORTED) return;
    assert_ok(status);
    void *a = values(q.batch * na, q.dtype), *b = values(q.batch * nb, q.dtype);
    void *c = values(q.batch * nc, q.c_dtype), *old = memory(q.batch * nc * 4);
    memcpy(old, c, (size_t)(q.batch * nc) * gr_dtype_size_bytes(q.c_dtype));
    float *bias = floats(q.n);
    void *scratch = memory((int64_t)gr__dnn_matmul_scratch_bytes(mm));
    assert_ok(gr__dnn_matmul_run(mm, a, b, c, q.bias ? bias : NULL, scratch));
    for (int64_t i = 0; i < q.batch * nc; i++) {
        int64_t z = i / nc, r = i % nc / lc, j = i % lc;
        if (j >= q.n) continue;
        double want = (q.accumulate ? at(old, q.c_dtype, i) : 0) + (q.bias ? (double)bias[j] : 0);
        for (int64_t l = 0; l < q.k; l++)
            want +=
                at(a, q.dtype, z * na + r * s.a_row + l * s.a_col) * at(b, q.dtype, z * nb + l * s.b_row + j * s.b_col);
        near(at(c, q.c_dtype, i), want, slack(q.c_dtype, want, 1e-4), gr__dnn_matmul_name(mm), i);
    }
    gr__free(a), gr__free(b), gr__free(c), gr__free(old), gr__free(bias), gr__free(scratch);
    gr__dnn_matmul_free(mm);
}

static void onednn_products(void **state)
{
    (void)state;
    if (!gr__dnn_available()) test_skip("there is no oneDNN");
    for (int way = 0; way < 64; way++) {
        gr_dtype dtype = two_dtypes[way >> 5], c = dtype == GR_F32 ? GR_F32 : two_dtypes[way >> 4 & 1];
        check_dnn((product){20, 48, 33, 1 + 2 * (way & 1), dtype, c, way & 2, way & 4, way & 8, way & 16}, way & 1, 0);
        check_dnn((product){1, 48, 33, 1, dtype, c, way & 2, way & 4, way & 8, false}, false, 0);
        check_dnn((product){4, 1, 5, 1, dtype, c, way & 2, way & 4, false, false}, true, 0);
        check_dnn((product){1, 3, 5, 1, dtype, c, way & 2, way & 4, way & 8, false}, true, 2);
        check_dnn((product){4, 1, 5, 1, dtype, c, way & 2, way & 4, way & 8, false}, true, 2);
        check_dnn((product){5, 6, 7, 1, dtype, c, way & 2, way & 4, way & 8, false}, true, 2);
    }
    check_dnn((product){4, 3, 0, 1, GR_F32, GR_F32, false, false, true, true}, false, 0);
    check_dnn((product){0, 3, 4, 1, GR_F32, GR_F32, false, false, false, false}, false, 0);
    gr__dnn_matmul *mm = NULL;
    gr__dnn_matmul_shape wrong = {.m = 2, .n = 2, .k = 2, .a_dtype = GR_F32, .b_dtype = GR_BF16, .c_dtype = GR_F32};
    assert_fails(gr__dnn_matmul_new(&wrong, &mm), GR_ERR_UNSUPPORTED, "f32 x bf16");
}

/* ---- attention ---- */

typedef struct look {
    int64_t batch, heads, kv_heads, tq, tk, d, window;
    gr_dtype dtype, kv_dtype;
    bool causal, starts, lengths, mask;
} look;

typedef struct world {
    gr__attention a;
    int32_t start[2], length[2];
    int64_t nq, nk;
} world;

static void set_strides(int64_t stride[3], int64_t t, int64_t h, int64_t d)
{
    stride[0] = t * h * d, stride[1] = h * d, stride[2] = d;
}

static void build(world *w, look l)
{
    w->nq = l.batch * l.tq * l.heads * l.d, w->nk = l.batch * l.tk * l.kv_heads * l.d;
    gr__attention *a = &w->a;
    *a = (gr__attention){.batch = l.batch,
                         .heads = l.heads,
                         .kv_heads = l.kv_heads,
                         .tq = l.tq,
                         .tk = l.tk,
                         .d = l.d,
                         .dtype = l.dtype,
                         .kv_dtype = l.kv_dtype,
                         .scale = 0.4f,
                         .causal = l.causal,
                         .window = l.window};
    a->q = values(w->nq, l.dtype), a->dout = values(w->nq, l.dtype), a->o = memory(w->nq * 4),
    a->dq = memory(w->nq * 4);
    a->k = values(w->nk, l.kv_dtype), a->v = values(w->nk, l.kv_dtype), a->dk = memory(w->nk * 4),
    a->dv = memory(w->nk * 4);
    a->lse = memory(l.batch * l.heads * l.tq * 4);
    int64_t *q_side[] = {a->q_stride, a->o_stride, a->dq_stride},
            *k_side[] = {a->k_stride, a->v_stride, a->dk_stride, a->dv_stride};
    for (int i = 0; i < 3; i++) set_strides(q_side[i], l.tq, l.heads, l.d);
    for (int i = 0; i < 4; i++) set_strides(k_side[i], l.tk, l.kv_heads, l.d);
    a->dout_stride[0] = l.tq * l.heads * l.d, a->dout_stride[1] = l.d,
    a->dout_stride[2] = l.tq * l.d; /* (B, H, T, D) */
    w->start[0] = (int32_t)(l.tk - l.tq), w->start[1] = 3;
    w->length[0] = (int32_t)l.tk - 1, w->length[1] = 0;
    if (l.starts) a->q_start = w->start;
    if (l.lengths) a->kv_len = w->length;
    uint8_t *mask = memory(l.batch * l.tk);
    for (int64_t i = 0; i < l.batch * l.tk; i++) mask[i] = i % 5 != 2;
    a->key_mask = l.mask ? mask : NULL;
    if (!l.mask) gr__free(mask);
    int threads = gr_threads();
    assert_ok(gr_set_threads(4));
    size_t bytes = gr__attention_forward_scratch_bytes(a) + 8 * gr__attention_backward_scratch_bytes(a);
    a->scratch = memory((int64_t)bytes);
    memset(a->scratch, 0xff, bytes); /* NaN: what is passed over is never read */
    assert_ok(gr_set_threads(threads));
}

static void drop(world *w)
{
    const gr__attention *a = &w->a;
    const void *all[] = {a->q, a->k, a->v, a->o, a->dout, a->dq, a->dk, a->dv, a->lse, a->scratch, a->key_mask};
    for (size_t i = 0; i < GR__COUNT(all); i++) gr__free((void *)(uintptr_t)all[i]);
}

static bool visible(const world *w, int64_t b, int64_t i, int64_t j)
{
    const gr__attention *a = &w->a;
    int64_t position = i + (a->q_start ? a->q_start[b] : 0);
    if (a->kv_len && j >= a->kv_len[b]) return false;
    if (a->key_mask && !a->key_mask[b * a->tk + j]) return false;
    if (!a->causal) return true;
    return j <= position && (a->window == 0 || j > position - a->window);
}

/* Naive attention of one (b, h): o, dq in place of the expected values, dk and dv added to. */
static void naive_head(const world *w, int64_t b, int64_t h, double *o, double *lse, double *dq, double *dk, double *dv)
{
    const gr__attention *a = &w->a;
    int64_t hkv = h / (a->heads / a->kv_heads), d = a->d;
    double *p = memory(a->tk * 8), *dp = memory(a->tk * 8);
    for (int64_t i = 0; i < a->tq; i++) {
        int64_t qi = ((b * a->tq + i) * a->heads + h) * d, di = ((b * a->heads + h) * a->tq + i) * d;
        double most = -INFINITY, sum = 0, delta = 0;
        for (int64_t j = 0; j < a->tk; j++) {
            int64_t kj = ((b * a->tk + j) * a->kv_heads + hkv) * d;
            p[j] = dp[j] = 0;
            for (int64_t e = 0; e < d; e++) {
                p[j] += at(a->q, a->dtype, qi + e) * at(a->k, a->kv_dtype, kj + e) * (double)a->scale;
                dp[j] += at(a->dout, a->dtype, di + e) * at(a->v, a->kv_dtype, kj + e);
            }
            if (!visible(w, b, i, j)) p[j] = -INFINITY;
            most = fmax(most, p[j]);
        }
        for (int64_t j = 0; j < a->tk; j++) sum += p[j] = p[j] == -INFINITY ? 0 : exp(p[j] - most);
        lse[(b * a->heads + h) * a->tq + i] = sum > 0 ? most + log(sum) : -INFINITY;
        for (int64_t j = 0; j < a->tk; j++) p[j] = sum > 0 ? p[j] / sum : 0, delta += p[j] * dp[j];
        for (int64_t j = 0; j < a->tk; j++) {
            int64_t kj = ((b * a->tk + j) * a->kv_heads + hkv) * d;
            double ds = p[j] * (dp[j] - delta) * (double)a->scale;
            for (int64_t e = 0; e < d; e++) {
                o[qi + e] += p[j] * at(a->v, a->kv_dtype, kj + e);
                dq[qi + e] += ds * at(a->k, a->kv_dtype, kj + e);
                dk[kj + e] += ds * at(a->q, a->dtype, qi + e);
                dv[kj + e] += p[j] * at(a->dout, a->dtype, di + e);
            }
        }
    }
    gr__free(p), gr__free(dp);
}

static void check_attention(look l)
{
    world w;
    build(&w, l);
    gr__attention *a = &w.a;
    gr__attention_forward(a);
    double *o = memory(w.nq * 8), *dq = memory(w.nq * 8), *dk = memory(w.nk * 8), *dv = memory(w.nk * 8);
    double *lse = memory(l.batch * l.heads * l.tq * 8);
    for (int64_t b = 0; b < l.batch; b++)
        for (int64_t h = 0; h < l.heads; h++) naive_head(&w, b, h, o, lse, dq, dk, dv);
    bool low = l.dtype == GR_BF16 || l.kv_dtype == GR_BF16;
    double soft = low ? 0.02 : 2e-5, hard = (low ? 0.03 : 4e-5) * (1 + sqrt((double)l.tq));
    for (int64_t i = 0; i < w.nq; i++) near(at(a->o, l.dtype, i), o[i], slack(l.dtype, o[i], soft), "o", i);
    for (int64_t i = 0; i < l.batch * l.heads * l.tq; i++) near((double)a->lse[i], lse[i], low ? 1e-4 : 1e-5, "lse", i);
    if (l.tq <= 0) goto done;
    gr__attention_backward(a);
    for (int64_t i = 0; i < w.nq; i++) near(at(a->dq, l.dtype, i), dq[i], slack(l.dtype, dq[i], hard), "dq", i);
    for (int64_t i = 0; i < w.nk; i++) near(at(a->dk, l.kv_dtype, i), dk[i], slack(l.kv_dtype, dk[i], hard), "dk", i);
    for (int64_t i = 0; i < w.nk; i++) near(at(a->dv, l.kv_dtype, i), dv[i], slack(l.kv_dtype, dv[i], hard), "dv", i);
done:
    gr__free(o), gr__free(dq), gr__free(dk), gr__free(dv), gr__free(lse);
    drop(&w);
}

static void attention_level(void)
{
    static const look looks[] = {
        {1, 2, 2, 70, 70, 64, 0, GR_F32, GR_F32, true, false, false, false},
        {2, 4, 2, 33, 150, 32, 0, GR_F32, GR_F32, true, true, true, true},
        {2, 3, 1, 17, 140, 13, 20, GR_F32, GR_F32, true, true, false, false},
        {1, 2, 1, 130, 300, 80, 0, GR_F32, GR_F32, false, false, false, true},
        {1, 2, 2, 5, 5, 128, 0, GR_F32, GR_F32, false, false, false, false},
        {2, 4, 1, 1, 200, 64, 0, GR_F32, GR_F32, true, true, true, false},
        {1, 2, 2, 64, 64, 32, 0, GR_F32, GR_F32, true, false, false, false},
        {2, 2, 1, 192, 195, 16, 0, GR_F32, GR_F32, true, true, true, false},
        {1, 2, 1, 96, 160, 16, 50, GR_F32, GR_F32, true, true, false, true},
        {2, 2, 2, 3, 40, 7, 9, GR_F32, GR_F32, true, true, false, true},
        {1, 1, 1, 1, 1, 1, 0, GR_F32, GR_F32, true, false, false, false},
    };
    for (size_t i = 0; i < GR__COUNT(looks); i++)
        for (int d = 0; d < 4; d++) {
            look l = looks[i];
            l.dtype = two_dtypes[d & 1];
            l.kv_dtype = two_dtypes[d >> 1];
            check_attention(l);
        }
}

/* One sweep or two, any number of threads: the same bits. */
static void attention_threads(void)
{
    for (int d = 0; d < 2; d++) {
        world w;
        rng.counter = 5000;
        build(&w, (look){1, 3, 1, 150, 200, 40, 0, two_dtypes[d], two_dtypes[d], true, true, false, false});
        gr__attention *a = &w.a;
        void *results[] = {a->o, a->dq, a->dk, a->dv};
        void *first[4] = {NULL};
        int threads = gr_threads();
        for (int n = 1; n <= 4; n++) {
            assert_ok(gr_set_threads(n));
            gr__attention_forward(a);
            gr__attention_backward(a);
            for (int i = 0; i < 4; i++) {
                size_t bytes = (size_t)(i < 2 ? w.nq : w.nk) * gr_dtype_size_bytes(a->dtype);
                if (!first[i]) memcpy(first[i] = memory((int64_t)bytes), results[i], bytes);
                assert_memory_equal(first[i], results[i], bytes);
            }
        }
        assert_ok(gr_set_threads(threads));
        for (int i = 0; i < 4; i++) gr__free(first[i]);
        drop(&w);
    }
}

static void attentions(void **state)
{
    (void)state;
    each_level(attention_level);
    each_level(attention_threads);
}

static int restore(void **state)
{
    (void)state;
    gr__cpu_set_level(GR__CPU_LEVEL_COUNT);
    rng = (gr__rng){7, 1, 0};
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(norms, restore),          cmocka_unit_test_setup(softmaxes, restore),
        cmocka_unit_test_setup(optimisers, restore),     cmocka_unit_test_setup(embeddings, restore),
        cmocka_unit_test_setup(reductions, restore),     cmocka_unit_test_setup(copies, restore),
        cmocka_unit_test_setup(strided_copies, restore), cmocka_unit_test_setup(dropout_and_rotary, restore),
        cmocka_unit_test_setup(programs, restore),       cmocka_unit_test_setup(gates, restore),
        cmocka_unit_test_setup(products, restore),       cmocka_unit_test_setup(onednn_products, restore),
        cmocka_unit_test_setup(attentions, restore),     cmocka_unit_test_setup(group_norm_sums, restore),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
