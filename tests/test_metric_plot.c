/* The pictures of gradus/metric.h: well-formed, titled and inside their frame whatever the data are; what they say is
 * there. `test_metric_plot FILE` writes a page with all of them, to be looked at. */
#include "tests/markup.h"

#include "base/file.h"
#include "base/rng.h"
#include "gradus/metric.h"
#include "metric/html.h"

#include <math.h>

enum { N = 400 };

static gr__str page;

static void keep(char *svg, const char *part)
{
    assert_non_null(svg);
    assert_true(read_markup(svg) > 3);
    assert_non_null(strstr(svg, "<title>"));
    assert_null(strstr(svg, "nan"));
    assert_null(strstr(svg, "inf"));
    if (part && !strstr(svg, part)) fail_msg("the picture does not say '%s'", part);
    gr__str_add(&page, svg);
    gr_text_free(svg);
}

static void curves(void **state)
{
    (void)state;
    gr_curve *c;
    char *svg;
    assert_ok(gr_curve_new(&c));
    assert_ok(gr_plot_roc(c, NULL, &svg));
    keep(svg, "no data");
    gr__rng rng = gr__rng_make(1, 1);
    for (int i = 0; i < N; i++) {
        int32_t actual = gr__rng_uniform(&rng) < 0.3;
        double score = gr__rng_normal(&rng) + 1.5 * actual;
        assert_ok(gr_curve_update(c, &score, &actual, 1));
        if (i == 0) {
            assert_ok(gr_plot_roc(c, NULL, &svg));
            keep(svg, "no data");
            assert_ok(gr_plot_precision_recall(c, NULL, &svg));
            keep(svg, NULL);
        }
    }
    assert_ok(gr_plot_roc(c, &(gr_plot_options){.title = "ROC of <spam>"}, &svg));
    keep(svg, "ROC of &lt;spam&gt;");
    assert_ok(gr_plot_precision_recall(c, NULL, &svg));
    keep(svg, "average precision 0.");
    gr_curve_free(&c);
}

static int count(const char *text, const char *part)
{
    int n = 0;
    for (const char *at = text; (at = strstr(at, part)); at += strlen(part)) n++;
    return n;
}

/* One line for each of the most frequent classes, with its name; the rest is said. */
static void curves_of_a_set(void **state)
{
    (void)state;
    enum { K = 11 };
    static const char *const names[K] = {"never", "zero & one", "b", "c", "d", "e", "f", "g", "h", "i", "rare"};
    gr_curve_set *s;
    char *svg;
    gr__rng rng = gr__rng_make(9, 1);
    assert_ok(gr_curve_set_new(K, &s));
    assert_ok(gr_plot_roc_set(s, NULL, &svg));
    keep(svg, "no data");
    for (int i = 0; i < N; i++) {
        double score[K];
        int32_t actual = i == 0 ? 10 : 1 + i % 9;
        for (int k = 0; k < K; k++) score[k] = gr__rng_normal(&rng) + (k == actual ? 2 : 0);
        assert_ok(gr_curve_set_update(s, score, &actual, 1));
    }
    const gr_plot_options o = {.class_names = names};
    assert_ok(gr_plot_roc_set(s, &o, &svg));
    assert_int_equal(count(svg, "<path"), 9); /* and what guessing gives */
    assert_null(strstr(svg, "rare"));
    assert_null(strstr(svg, "never"));
    assert_non_null(strstr(svg, "zero &amp; one 0."));
    keep(svg, "ROC, each against the rest; 3 not shown");
    assert_ok(gr_plot_precision_recall_set(s, &o, &svg));
    assert_int_equal(count(svg, "<path"), 8);
    keep(svg, "Precision and recall, each against the rest; 3 not shown");
    gr_curve_set_free(&s);
}

static void reliability(void **state)
{
    (void)state;
    gr_probability *p;
    char *svg;
    assert_ok(gr_probability_new(1, NULL, &p));
    assert_ok(gr_plot_reliability(p, NULL, &svg));
    keep(svg, "no data");
    gr__rng rng = gr__rng_make(2, 1);
    for (int i = 0; i < N; i++) {
        double q = gr__rng_uniform(&rng);
        int32_t actual = gr__rng_uniform(&rng) < q * q;
        assert_ok(gr_probability_update(p, &q, &actual, 1));
    }
    assert_ok(gr_plot_reliability(p, NULL, &svg));
    keep(svg, "calibration error 0.");
    gr_probability_free(&p);
}

static void tables(void **state)
{
    (void)state;
    static const char *const names[] = {"cat", "a very long <name>", "狗"};
    char *svg;
    for (int32_t k = 2; k <= 65; k += k < 4 ? 1 : 6) {
        gr_confusion *c;
        gr__rng rng = gr__rng_make(3, (uint64_t)k);
        assert_ok(gr_confusion_new(k, &c));
        for (int i = 0; i < N; i++) {
            int32_t a = (int32_t)gr__rng_below(&rng, (uint64_t)k), b = gr__rng_uniform(&rng) < 0.8 ? a : 0;
            assert_ok(gr_confusion_update(c, &a, &b, 1));
        }
        if (k > 64) {
            assert_fails(gr_plot_confusion(c, NULL, &svg), GR_ERR_LIMIT, "65 classes");
            assert_null(svg);
        } else {
            assert_ok(gr_plot_confusion(c, &(gr_plot_options){.class_names = k == 3 ? names : NULL}, &svg));
            keep(svg, k == 3 ? "a very long &lt;name&gt;" : "actual");
        }
        gr_confusion_free(&c);
    }
}

/* What is beside the cells is cut between characters; the cells tell the whole name. */
static void long_names_are_cut(void **state)
{
    (void)state;
    static const char *const names[] = {"an American breed of dogs with a long name", "猫猫猫猫猫猫猫猫猫猫猫猫猫猫"};
    gr_confusion *c;
    char *svg;
    assert_ok(gr_confusion_new(2, &c));
    assert_ok(gr_confusion_update(c, (const int32_t[]){0, 1}, (const int32_t[]){0, 1}, 2));
    assert_ok(gr_plot_confusion(c, &(gr_plot_options){.class_names = names}, &svg));
    assert_non_null(strstr(svg, ">an American breed…</text>"));
    assert_non_null(strstr(svg, ">猫猫猫猫猫猫猫猫猫…</text>"));
    keep(svg, "<title>an American breed of dogs with a long name as ");
    gr_confusion_free(&c);
}

static void numbers(void **state)
{
    (void)state;
    static double a[N * 10], b[N * 10], low[N], high[N];
    gr__rng rng = gr__rng_make(4, 1);
    char *svg;
    for (int i = 0; i < N * 10; i++) {
        a[i] = 20 + 5 * gr__rng_normal(&rng);
        b[i] = a[i] + gr__rng_normal(&rng);
    }
    assert_ok(gr_plot_scatter(a, b, 300, NULL, &svg));
    keep(svg, "predicted");
    assert_ok(gr_plot_scatter(a, b, N * 10, NULL, &svg));
    assert_true(strlen(svg) < 200000); /* thinned out */
    keep(svg, NULL);
    assert_ok(gr_plot_scatter(a, b, 0, NULL, &svg));
    keep(svg, "no data");
    assert_ok(gr_plot_histogram(a, N * 10, NULL, &svg));
    keep(svg, "count");
    assert_ok(gr_plot_histogram(a, 1, NULL, &svg));
    keep(svg, "<rect");
    assert_ok(gr_plot_histogram((const double[]){NAN, INFINITY}, 2, NULL, &svg));
    keep(svg, "no data");
    assert_ok(gr_plot_histogram((const double[]){-1.7e308, 1.7e308, 0}, 3, NULL, &svg));
    keep(svg, NULL);
    assert_fails(gr_plot_histogram(a, 1, &(gr_plot_options){.bins = 201}, &svg), GR_ERR_ARGUMENT, "201 bins");
    for (int i = 0; i < N; i++) a[i] = sin(i * 0.1) * 3 + 10 + 0.3 * gr__rng_normal(&rng);
    for (int i = 0; i < 80; i++) {
        b[i] = sin((N - 80 + i) * 0.1) * 3 + 10;
        low[i] = b[i] - 0.2 - 0.015 * i;
        high[i] = b[i] + 0.2 + 0.015 * i;
    }
    a[30] = low[7] = NAN;
    gr_forecast f = {.actual = a, .n = N, .forecast = b, .low = low, .high = high, .first = N - 80, .n_forecast = 80};
    assert_ok(gr_plot_forecast(&f, &(gr_plot_options){.x_label = "day", .y_label = "load"}, &svg));
    keep(svg, "interval");
    f.high = NULL;
    assert_fails(gr_plot_forecast(&f, NULL, &svg), GR_ERR_ARGUMENT, "both");
    assert_ok(gr_plot_forecast(&(gr_forecast){0}, NULL, &svg));
    keep(svg, "no data");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(curves), cmocka_unit_test(curves_of_a_set),    cmocka_unit_test(reliability),
        cmocka_unit_test(tables), cmocka_unit_test(long_names_are_cut), cmocka_unit_test(numbers)};
    gr__html_begin(&page, "Pictures");
    gr__html_charts_begin(&page);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    gr__html_charts_end(&page);
    gr__html_end(&page);
    if (argc > 1 && (gr__str_check(&page) != GR_OK || gr__file_write(argv[1], page.text, page.n) != GR_OK)) return 1;
    gr__str_release(&page);
    return failed;
}
