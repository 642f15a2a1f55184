/* Initialisers: moments, ranges and orthogonality of every kind; a pure function of (seed, name, element). */
#include "tests/rig.h"

#include "gradus/nn.h"

#include <stdlib.h>

/* A tensor of zeros; free(t.data). */
static gr_tensor make(gr_dtype dtype, int rank, const int64_t *dim)
{
    gr_tensor t = {.dtype = dtype, .rank = rank};
    memcpy(t.dim, dim, (size_t)rank * sizeof *dim);
    t.data = calloc((size_t)gr_tensor_count(&t), gr_dtype_size_bytes(dtype));
    assert_non_null(t.data);
    return t;
}

typedef struct moments {
    double mean, variance, kurtosis, least, most;
} moments;

static moments measure(const gr_tensor *t)
{
    int64_t n = gr_tensor_count(t);
    moments m = {.least = INFINITY, .most = -INFINITY};
    double fourth = 0;
    for (int64_t i = 0; i < n; i++) {
        double x = gr_tensor_get(t, i);
        m.mean += x / (double)n;
        m.least = fmin(m.least, x);
        m.most = fmax(m.most, x);
    }
    for (int64_t i = 0; i < n; i++) {
        double d = gr_tensor_get(t, i) - m.mean;
        m.variance += d * d / (double)n;
        fourth += d * d * d * d / (double)n;
    }
    m.kurtosis = m.variance > 0 ? fourth / (m.variance * m.variance) : 0;
    return m;
}

enum shape { UNIFORM, NORMAL, TRUNCATED };
#define IN 200
#define OUT 300

static void moments_of_every_kind(void **state)
{
    (void)state;
    const double xavier = sqrt(6.0 / (IN + OUT)), he = sqrt(2) * sqrt(3.0 / IN), lecun = sqrt(3.0 / IN);
    const struct {
        gr_init init;
        enum shape shape;
        double mean, spread; /* half of the range, or the deviation */
    } cases[] = {
        {{.kind = GR_INIT_UNIFORM, .a = -0.5, .b = 1.5}, UNIFORM, 0.5, 1},
        {{.kind = GR_INIT_NORMAL, .a = 2, .b = 0.02}, NORMAL, 2, 0.02},
        {{.kind = GR_INIT_TRUNCATED_NORMAL, .a = -1, .b = 0.5}, TRUNCATED, -1, 0.5},
        {{.kind = GR_INIT_XAVIER_UNIFORM}, UNIFORM, 0, xavier},
        {{.kind = GR_INIT_XAVIER_UNIFORM, .a = 2}, UNIFORM, 0, 2 * xavier},
        {{.kind = GR_INIT_XAVIER_NORMAL}, NORMAL, 0, xavier / sqrt(3)},
        {{.kind = GR_INIT_HE_UNIFORM}, UNIFORM, 0, he},
        {{.kind = GR_INIT_HE_UNIFORM, .a = 1}, UNIFORM, 0, he / sqrt(2)},
        {{.kind = GR_INIT_HE_NORMAL}, NORMAL, 0, he / sqrt(3)},
        {{.kind = GR_INIT_LECUN_UNIFORM}, UNIFORM, 0, lecun},
        {{.kind = GR_INIT_LECUN_NORMAL}, NORMAL, 0, lecun / sqrt(3)},
    };
    for (size_t i = 0; i < GR__COUNT(cases); i++)
        for (int first = 0; first < 2; first++) {
            gr_tensor t = make(GR_F32, 2, first ? (int64_t[]){OUT, IN} : (int64_t[]){IN, OUT});
            gr_init init = cases[i].init;
            init.fan_out_first = first;
            assert_ok(gr_init_fill(&init, 7, "w", &t));
            moments m = measure(&t);
            double s = cases[i].spread, n = (double)gr_tensor_count(&t);
            static const double variances[] = {1.0 / 3, 1, 0.77374}, kurtoses[] = {1.8, 3, 2.3664};
            double variance = variances[cases[i].shape] * s * s, kurtosis = kurtoses[cases[i].shape];
            if (!(fabs(m.mean - cases[i].mean) < 4.5 * sqrt(variance / n)) ||
                !(fabs(m.variance / variance - 1) < 0.03) || !(fabs(m.kurtosis - kurtosis) < 0.1))
                fail_msg("kind %d: mean %g, variance %g of %g, kurtosis %g of %g", (int)init.kind, m.mean, m.variance,
                         variance, m.kurtosis, kurtosis);
            double reach = cases[i].shape == UNIFORM ? s : cases[i].shape == NORMAL ? 6.7 * s : 2 * s, tiny = 1e-6 * s;
            assert_true(m.least >= cases[i].mean - reach - tiny && m.most <= cases[i].mean + reach + tiny);
            if (cases[i].shape != NORMAL) /* and it is used to its ends */
                assert_true(m.least < cases[i].mean - 0.99 * reach && m.most > cases[i].mean + 0.99 * reach);
            free(t.data);
        }
}

static void constants(void **state)
{
    (void)state;
    gr_tensor t = make(GR_F64, 2, (int64_t[]){7, 9});
    assert_ok(gr_init_fill(&(gr_init){.kind = GR_INIT_CONSTANT, .a = 0.1}, 1, "w", &t));
    for (int64_t i = 0; i < 63; i++) assert_true(((double *)t.data)[i] == 0.1);
    assert_ok(gr_init_fill(&(gr_init){.kind = GR_INIT_ZEROS}, 1, "w", &t));
    for (int64_t i = 0; i < 63; i++) assert_true(((double *)t.data)[i] == 0);
    free(t.data);
}

/* A convolution's fans count its window: (out, in, 3, 3). */
static void fans_of_a_convolution(void **state)
{
    (void)state;
    gr_tensor t = make(GR_F32, 4, (int64_t[]){64, 32, 3, 3});
    assert_ok(gr_init_fill(&(gr_init){.kind = GR_INIT_HE_NORMAL, .fan_out_first = true}, 1, "w", &t));
    assert_close(measure(&t).variance * 32 * 9 / 2, 1, 0.02);
    assert_ok(gr_init_fill(&(gr_init){.kind = GR_INIT_XAVIER_NORMAL, .fan_out_first = true}, 1, "w", &t));
    assert_close(measure(&t).variance * (32 + 64) * 9 / 2, 1, 0.02);
    free(t.data);
}

/* The half-open range holds in f32, too, where the nearest float may be the upper end. */
static void uniform_is_half_open(void **state)
{
    (void)state;
    gr_tensor t = make(GR_F32, 1, (int64_t[]){1 << 20});
    assert_ok(gr_init_fill(&(gr_init){.kind = GR_INIT_UNIFORM, .a = 1 - 0x1p-20, .b = 1}, 3, "w", &t));
    moments m = measure(&t);
    assert_true(m.least >= 1 - 0x1p-20 && m.most < 1);
    free(t.data);
}

static double correlation(const float *a, const float *b, int n)
{
    double ab = 0, aa = 0, bb = 0;
    for (int i = 0; i < n; i++) {
        ab += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return ab / sqrt(aa * bb);
}

static void pure_function_of_seed_name_and_index(void **state)
{
    (void)state;
    enum { N = 40000 };
    static const gr_init kinds[] = {{.kind = GR_INIT_NORMAL, .b = 1},
                                    {.kind = GR_INIT_UNIFORM, .a = -1, .b = 1},
                                    {.kind = GR_INIT_TRUNCATED_NORMAL, .b = 1}};
    int threads = gr_threads();
    for (size_t k = 0; k < GR__COUNT(kinds); k++) {
        gr_tensor a = make(GR_F32, 1, (int64_t[]){N}), b = make(GR_F32, 2, (int64_t[]){N / 8, 16});
        float *x = a.data, *y = b.data;
        assert_ok(gr_set_threads(1));
        assert_ok(gr_init_fill(&kinds[k], 5, "h.0.w", &a));
        assert_ok(gr_set_threads(2));
        assert_ok(gr_init_fill(&kinds[k], 5, "h.0.w", &b));
        assert_memory_equal(x, y, N * sizeof *x); /* threads, shape and size do not matter */
        assert_ok(gr_init_fill(&kinds[k], 5, "h.1.w", &b));
        assert_true(fabs(correlation(x, y, N)) < 0.025);
        assert_ok(gr_init_fill(&kinds[k], 6, "h.0.w", &b));
        assert_true(fabs(correlation(x, y, N)) < 0.025);
        assert_true(fabs(correlation(x, x + 1, N - 1)) < 0.025);
        gr_tensor d = make(GR_F64, 1, (int64_t[]){N});
        assert_ok(gr_init_fill(&kinds[k], 5, "h.0.w", &d));
        for (int i = 0; i < N; i += 97) assert_true((float)((double *)d.data)[i] == x[i]);
        free(a.data);
        free(b.data);
        free(d.data);
    }
    assert_ok(gr_set_threads(threads));
}

/* rows (or columns, where there are more rows) · themselves = gain² · identity */
static void orthogonal(void **state)
{
    (void)state;
    static const int64_t shapes[][2] = {{5, 5}, {3, 40}, {40, 3}, {1, 9}, {64, 64}, {18, 36}};
    for (size_t s = 0; s < GR__COUNT(shapes); s++)
        for (int gain = 1; gain <= 2; gain++) {
            int64_t rows = shapes[s][0], cols = shapes[s][1], n = GR__MIN(rows, cols), len = GR__MAX(rows, cols);
            bool four = rows == 18; /* as a window: (18, 4, 3, 3) */
            gr_tensor t = four ? make(GR_F64, 4, (int64_t[]){18, 4, 3, 3}) : make(GR_F64, 2, shapes[s]);
            assert_ok(gr_init_fill(&(gr_init){.kind = GR_INIT_ORTHOGONAL, .a = gain == 1 ? 0 : gain}, 11, "w", &t));
            const double *q = t.data;
            int64_t along = rows > cols ? cols : 1, across = rows > cols ? 1 : cols;
            for (int64_t i = 0; i < n; i++)
                for (int64_t j = 0; j < n; j++) {
                    double dot = 0;
                    for (int64_t k = 0; k < len; k++) dot += q[i * across + k * along] * q[j * across + k * along];
                    assert_close(dot, i == j ? gain * gain : 0, 1e-12);
                }
            free(t.data);
        }
}

static void refuses(void **state)
{
    (void)state;
    gr_tensor t = make(GR_I32, 1, (int64_t[]){4}), v = make(GR_F32, 1, (int64_t[]){4});
    assert_fails(gr_init_fill(&(gr_init){.kind = GR_INIT_NORMAL, .b = 1}, 1, "ids", &t), GR_ERR_DTYPE, "'ids'");
    assert_fails(gr_init_fill(&(gr_init){.kind = GR_INIT_ORTHOGONAL}, 1, "v", &v), GR_ERR_ARGUMENT, "two axes");
    assert_fails(gr_init_fill(&(gr_init){.kind = GR_INIT_KIND_COUNT}, 1, "v", &v), GR_ERR_ARGUMENT, "unknown");
    free(t.data);
    free(v.data);
}

/* The store takes the initialiser of each declaration, by path. */
static void store_prepares(void **state)
{
    (void)state;
    gr_graph *g;
    assert_ok(gr_graph_new(&g));
    gr_value x = gr_input(g, "x", GR_F32, 2, (int64_t[]){2, 64});
    x = gr_linear(g, "fc", x, 32, &(gr_linear_options){.init = &(gr_init){.kind = GR_INIT_HE_UNIFORM}});
    gr_output(g, "run", "y", gr_layer_norm_layer(g, "ln", x, NULL));
    rig r;
    rig_open(&r, g);
    gr_tensor want = make(GR_F32, 2, (int64_t[]){32, 64});
    assert_ok(gr_init_fill(&(gr_init){.kind = GR_INIT_HE_UNIFORM, .fan_out_first = true}, 1, "fc.weight", &want));
    assert_memory_equal(rig_state(&r, "fc.weight"), want.data, gr_tensor_size_bytes(&want));
    assert_true(fabsf(rig_state(&r, "fc.bias")[3]) <= 0.125f && rig_state(&r, "fc.bias")[3] != 0);
    assert_true(rig_state(&r, "ln.weight")[31] == 1 && rig_state(&r, "ln.bias")[31] == 0);
    free(want.data);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments_of_every_kind),
        cmocka_unit_test(constants),
        cmocka_unit_test(fans_of_a_convolution),
        cmocka_unit_test(uniform_is_half_open),
        cmocka_unit_test(pure_function_of_seed_name_and_index),
        cmocka_unit_test(orthogonal),
        cmocka_unit_test(refuses),
        cmocka_unit_test(store_prepares),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
