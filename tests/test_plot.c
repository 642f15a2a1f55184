/* Charts, pages and sparklines: well-formed whatever the numbers and texts are (tests/markup.h). */
#include "tests/markup.h"

#include "base/rng.h"
#include "metric/html.h"
#include "metric/plot.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int count_of(const char *text, const char *part)
{
    int n = 0;
    for (const char *p = text; (p = strstr(p, part)); p += strlen(part)) n++;
    return n;
}

/* ---- ticks ---- */

static void ticks_are_round_and_inside(void **state)
{
    (void)state;
    gr__rng rng = gr__rng_make(1, 1);
    for (int i = 0; i < 20000; i++) {
        double a = gr__rng_normal(&rng) * pow(10, (double)gr__rng_below(&rng, 40) - 20);
        double b = a + fabs(gr__rng_normal(&rng)) * pow(10, (double)gr__rng_below(&rng, 40) - 20), tick[12];
        if (!(b > a)) continue;
        size_t n = gr__nice_ticks(a, b, 1 + (int)gr__rng_below(&rng, 9), tick);
        assert_true(n <= 12);
        for (size_t k = 0; k < n; k++) {
            double slack = (b - a) * 1e-6 + fabs(b) * 1e-12;
            assert_true(tick[k] >= a - slack && tick[k] <= b + slack);
            assert_true(k == 0 || tick[k] > tick[k - 1]);
        }
    }
    double tick[12];
    assert_int_equal(gr__nice_ticks(0, 1, 5, tick), 6);
    assert_true(fabs(tick[1] - 0.2) <= 1e-12);
    assert_int_equal(gr__nice_ticks(-1, 1, 4, tick), 5);
    assert_true(fabs(tick[2] - 0) <= 0);
    assert_true(gr__nice_ticks(2.4, 96, 5, tick) >= 4);
    assert_int_equal(gr__nice_ticks(1, 1, 5, tick), 0);
    assert_int_equal(gr__nice_ticks(2, 1, 5, tick), 0);
    assert_int_equal(gr__nice_ticks(0, INFINITY, 5, tick), 0);
    assert_int_equal(gr__nice_ticks(NAN, 1, 5, tick), 0);
    assert_int_equal(gr__nice_ticks(-1.7e308, 1.7e308, 5, tick), 0);
}

/* ---- charts ---- */

static void chart_of(const gr__chart *c, gr__str *out)
{
    gr__str_clear(out);
    gr__svg_chart(out, c);
    assert_ok(gr__str_check(out));
    assert_true(read_markup(out->text) > 3);
    assert_null(strstr(out->text, "nan"));
    assert_null(strstr(out->text, "inf"));
    assert_null(strstr(out->text, "script"));
}

static void charts_are_well_formed(void **state)
{
    (void)state;
    const double tame[] = {3, 2.5, 2.7, 1.1, 0.9}, gap[] = {1, NAN, 3, INFINITY, 5, -INFINITY}, flat[] = {7, 7, 7},
                 one[] = {0.25}, tiny[] = {1e-300, 2e-300}, big[] = {-1.7e308, 1.7e308, 1e300},
                 negative[] = {-5, -3, 0, 2}, close[] = {1e9, 1e9 + 1e-6}, none[] = {NAN, NAN};
    const struct {
        const double *y;
        size_t n;
    } data[] = {{tame, 5}, {gap, 6},      {flat, 3},  {one, 1},  {tiny, 2},
                {big, 3},  {negative, 4}, {close, 2}, {none, 2}, {NULL, 0}};
    gr__str out = {0};
    for (size_t i = 0; i < GR__COUNT(data); i++)
        for (int flags = 0; flags < 8; flags++) {
            const double *y = data[i].y;
            size_t n = data[i].n;
            gr__series s[2] = {{.y = y, .n = n, .label = "train <loss> & \"more\"", .points = flags & 1},
                               {.x = y, .y = y, .n = n, .label = "验证", .dashed = true}};
            gr__chart c = {.title = "Loss & <things>", .x_label = "step", .y_label = "it's 'loss'", .series = s};
            c.series_count = 2;
            c.log_y = (flags & 2) != 0;
            c.from_zero = (flags & 4) != 0;
            chart_of(&c, &out);
            assert_null(strstr(out.text, "<loss>"));
            assert_non_null(strstr(out.text, "&lt;loss&gt; &amp; &quot;more&quot;"));
        }
    chart_of(&(gr__chart){0}, &out);
    assert_non_null(strstr(out.text, "no data"));
    gr__str_release(&out);
}

static void chart_shows_its_values(void **state)
{
    (void)state;
    const double y[] = {0, 10, 0}, lone[] = {1, NAN, 2};
    gr__series s = {.y = y, .n = 3};
    gr__str out = {0};
    chart_of(&(gr__chart){.series = &s, .series_count = 1}, &out);
    /* left, middle and right of the plot; the peak is the highest point */
    const char *d = strstr(out.text, "d=\"M");
    assert_non_null(d);
    double x[3], v[3];
    assert_int_equal(sscanf(d, "d=\"M%lf %lfh0L%lf %lfL%lf %lf", &x[0], &v[0], &x[1], &v[1], &x[2], &v[2]), 6);
    assert_true(fabs(x[0] - 64) <= 0.06);
    assert_true(fabs(x[1] - 341) <= 0.06);
    assert_true(fabs(x[2] - 618) <= 0.06);
    assert_true(fabs(v[0] - v[2]) <= 0.06);
    assert_true(v[1] < v[0] - 200);

    s = (gr__series){.y = lone, .n = 3};
    chart_of(&(gr__chart){.series = &s, .series_count = 1}, &out);
    assert_int_equal(count_of(out.text, "h0"), 2); /* two dots, no line over the gap */
    gr__str_release(&out);
}

static double tick_text(const char *svg, const char *label)
{
    char part[64];
    snprintf(part, sizeof part, ">%s</text>", label);
    const char *p = strstr(svg, part);
    if (!p) fail_msg("no tick '%s'", label);
    while (p > svg && strncmp(p, "y=\"", 3)) p--;
    return strtod(p + 3, NULL);
}

/* Labels have the digits that tell neighbours apart, no exponents where a unit reads better. */
static void ticks_read_well(void **state)
{
    (void)state;
    static const struct {
        double low, high;
        const char *label[3];
    } row[] = {{0, 3000, {"0", "1000", "3000"}},
               {0, 2e6, {"500k", "1M", "2M"}},
               {0, 60000, {"20k", "40k", "60k"}},
               {2.001, 2.0035, {"2.001", "2.002", "2.003"}},
               {-4e-9, 4e-9, {"-4e-09", "0", "2e-09"}}};
    gr__str out = {0};
    for (size_t i = 0; i < GR__COUNT(row); i++) {
        const double y[] = {row[i].low, row[i].high};
        gr__series s = {.y = y, .n = 2};
        chart_of(&(gr__chart){.series = &s, .series_count = 1}, &out);
        for (int k = 0; k < 3; k++) tick_text(out.text, row[i].label[k]);
    }
    gr__str_release(&out);
}

static void log_axis_is_even(void **state)
{
    (void)state;
    const double y[] = {1000, 1, 0.01, 0, -4}, narrow[] = {1.21, 1.3, 1.4};
    gr__series s = {.y = y, .n = 5};
    gr__str out = {0};
    chart_of(&(gr__chart){.series = &s, .series_count = 1, .log_y = true}, &out);
    double a = tick_text(out.text, "0.01"), b = tick_text(out.text, "1"), c = tick_text(out.text, "100");
    assert_true(fabs((a - b) - (b - c)) < 0.2);
    assert_true(a > b);
    s = (gr__series){.y = narrow, .n = 3};
    chart_of(&(gr__chart){.series = &s, .series_count = 1, .log_y = true}, &out);
    assert_true(tick_text(out.text, "1.25") > tick_text(out.text, "1.35"));
    gr__str_release(&out);
}

/* A million points stay small, and the one peak among them is drawn. */
static void long_series_are_thinned(void **state)
{
    (void)state;
    enum { N = 1000000 };
    double *y = malloc(N * sizeof *y);
    assert_non_null(y);
    for (int i = 0; i < N; i++) y[i] = 1;
    y[777777] = 9;
    gr__series s = {.y = y, .n = N, .points = true};
    gr__str out = {0};
    chart_of(&(gr__chart){.series = &s, .series_count = 1}, &out);
    assert_true(out.n < 40000);
    double top = tick_text(out.text, "8"), highest = 1e9;
    for (const char *p = strstr(out.text, "d=\"M") + 4; *p && *p != '"'; p++)
        if (*p == ' ') highest = fmin(highest, strtod(p + 1, NULL));
    assert_true(highest < top - 5);
    gr__str_release(&out);
    free(y);
}

static void decimal_comma_does_no_harm(void **state)
{
    (void)state;
    const double y[] = {0.125, 0.625};
    gr__series s = {.y = y, .n = 2};
    gr__str plain = {0}, other = {0};
    chart_of(&(gr__chart){.series = &s, .series_count = 1}, &plain);
    bool found = setlocale(LC_NUMERIC, "de_DE.UTF-8") != NULL;
    gr__svg_chart(&other, &(gr__chart){.series = &s, .series_count = 1});
    setlocale(LC_NUMERIC, "C");
    assert_string_equal(plain.text, other.text);
    gr__str_release(&plain);
    gr__str_release(&other);
    if (!found) test_skip("there is no locale de_DE.UTF-8");
}

/* ---- pages ---- */

static void text_is_escaped(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } row[] = {
        {"a < b && c > \"d\" 'e'", "a &lt; b &amp;&amp; c &gt; &quot;d&quot; &#39;e&#39;"},
        {"你好 é 😀\n\t", "你好 é 😀\n\t"},
        {"\x01\x7F", "\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xFFx\xC0\xAFy\xE4\xBD", "\xEF\xBF\xBDx\xEF\xBF\xBD\xEF\xBF\xBDy\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"", ""},
    };
    for (size_t i = 0; i < GR__COUNT(row); i++) {
        gr__str out = {0};
        gr__html_text(&out, row[i].in);
        assert_string_equal(gr__str_get(&out), row[i].out);
        gr__str_release(&out);
    }
}

static void page_is_well_formed(void **state)
{
    (void)state;
    gr__str out = {0};
    const char *const head[] = {"name <b>", "value", "share"};
    const char *const cell[] = {"</td>", "12.5", "80%"}, *const words[] = {"", "x1", "%"};
    const double y[] = {2, 1, 0.5};
    gr__series s = {.y = y, .n = 3, .label = "loss"};
    gr__html_begin(&out, "Report of <run> & co");
    gr__html_facts_begin(&out);
    gr__html_fact(&out, "accuracy", "0.98");
    gr__html_facts_end(&out);
    gr__html_section(&out, "Curves");
    gr__html_charts_begin(&out);
    gr__svg_chart(&out, &(gr__chart){.title = "Loss", .series = &s, .series_count = 1});
    gr__html_charts_end(&out);
    gr__html_paragraph(&out, "text & more");
    gr__html_code(&out, "if (a < b) \"c\";");
    gr__html_table_begin(&out, head, 3);
    gr__html_table_row(&out, cell, 3);
    gr__html_table_row(&out, words, 3);
    const unsigned char png[24] = {[19] = 40}; /* the head of one that is 40 pixels wide */
    gr__str swatch = {0};
    gr__html_swatch(&swatch, (const unsigned char[]){255, 0, 128});
    gr__html_picture(&swatch, png, sizeof png, 80, "large <squares>");
    gr__html_table_row_with(&out, gr__str_get(&swatch), cell, 2);
    gr__str_clear(&swatch);
    gr__html_picture(&swatch, png, sizeof png, 40, "as it is");
    gr__html_table_row_with(&out, gr__str_get(&swatch), cell, 2);
    gr__str_release(&swatch);
    gr__html_table_end(&out);
    gr__html_table_begin(&out, NULL, 3);
    gr__html_table_end(&out);
    gr__html_end(&out);
    assert_ok(gr__str_check(&out));
    assert_true(read_markup(out.text) > 30);
    assert_int_equal(count_of(out.text, "<td class=\"n\">"), 4);
    assert_int_equal(count_of(out.text, "<td>"), 8);
    assert_non_null(
        strstr(out.text, "<td><span class=\"key\" style=\"background:#ff0080\"></span><img class=\"dots\""));
    assert_int_equal(count_of(out.text, "class=\"dots\""), 1); /* as many units as pixels: plain */
    assert_non_null(strstr(out.text, "img{max-width:100%"));
    assert_non_null(strstr(out.text, "<title>Report of &lt;run&gt; &amp; co</title>"));
    gr__str_release(&out);
}

/* Things that are counted have no halves. */
static void whole_places(void **state)
{
    (void)state;
    const double edge[] = {-0.5, 0.5, 1.5, 2.5}, y[] = {2000, 1000, 3000};
    gr__series s = {.x = edge, .y = y, .n = 3, .bars = true};
    for (int whole = 0; whole < 2; whole++) {
        gr__str out = {0};
        gr__svg_chart(&out, &(gr__chart){.series = &s, .series_count = 1, .whole_x = whole != 0, .from_zero = true});
        assert_int_equal(count_of(out.text, "0.5<") > 0, !whole);
        assert_true(count_of(out.text, ">1<") > 0);
        gr__str_release(&out);
    }
}

/* ---- sparklines ---- */

static void sparkline_shows_the_last_values(void **state)
{
    (void)state;
    const double y[] = {100, 0, 1, 2, 3, 4, 5, 6, 7}, gap[] = {1, NAN, 2}, flat[] = {3, 3};
    const double huge[] = {-1.7e308, 1.7e308};
    static const struct {
        size_t n, width;
        const char *want;
    } row[] = {{9, 8, "▁▂▃▄▅▆▇█"}, {9, 3, "▁▅█"}, {9, 0, ""}, {0, 8, ""}, {2, 8, "█▁"}};
    gr__str out = {0};
    for (size_t i = 0; i < GR__COUNT(row); i++) {
        gr__str_clear(&out);
        gr__sparkline(&out, y, row[i].n, row[i].width);
        assert_string_equal(gr__str_get(&out), row[i].want);
    }
    gr__str_clear(&out);
    gr__sparkline(&out, gap, 3, 9);
    assert_string_equal(out.text, "▁ █");
    gr__str_clear(&out);
    gr__sparkline(&out, flat, 2, 9);
    assert_string_equal(out.text, "▅▅");
    gr__str_clear(&out);
    gr__sparkline(&out, huge, 2, 9);
    assert_string_equal(out.text, "▁█");
    gr__str_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ticks_are_round_and_inside),
        cmocka_unit_test(charts_are_well_formed),
        cmocka_unit_test(chart_shows_its_values),
        cmocka_unit_test(log_axis_is_even),
        cmocka_unit_test(long_series_are_thinned),
        cmocka_unit_test(text_is_escaped),
        cmocka_unit_test(page_is_well_formed),
        cmocka_unit_test(whole_places),
        cmocka_unit_test(sparkline_shows_the_last_values),
        cmocka_unit_test(decimal_comma_does_no_harm),
        cmocka_unit_test(ticks_read_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
