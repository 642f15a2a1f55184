/* The cases of tests/golden/metrics.json: numbers of scikit-learn, sacrebleu, rouge-score, jiwer and pycocotools that
 * tests/golden/make_metrics.py wrote down. tests/interop/metrics.py compares thousands of them. */
#include "tests/test.h"

#include "base/file.h"
#include "tests/metric_cases.h"

static void compare(gr__json want, gr__json got, const char *metric, size_t row)
{
    for (void *it = gr__json_first(want); it; it = gr__json_next(want, it)) {
        const char *key = gr__json_key(it), *a, *b;
        gr__json w = gr__json_value(it), g = gr__json_get(got, key);
        size_t n;
        double wanted = NAN, seen = NAN;
        if (gr__json_string(w, &a, &n)) {
            assert_true(gr__json_string(g, &b, &n));
            assert_string_equal(a, b);
            continue;
        }
        gr__json_double(w, &wanted);
        gr__json_double(g, &seen);
        bool near = isnan(wanted) ? g && isnan(seen) : fabs(seen - wanted) <= 1e-9 * (1 + fabs(wanted));
        if (!near) fail_msg("row %zu, %s of %s: %.17g instead of %.17g", row, key, metric, seen, wanted);
    }
}

static void numbers_of_others(void **state)
{
    (void)state;
    gr__json_doc *doc, *answer;
    assert_ok(gr__json_read(test_source("tests/golden/metrics.json"), 4 << 20, &doc));
    size_t rows = gr__json_count(gr__json_root(doc));
    assert_true(rows >= 200);
    for (size_t i = 0; i < rows; i++) {
        gr__json row = gr__json_at(gr__json_root(doc), i), c = gr__json_get(row, "case");
        const char *got = metric_answer(c);
        assert_ok(gr__json_parse(got, strlen(got), "answer", &answer));
        assert_true(gr__json_count(gr__json_get(row, "want")) > 0);
        compare(gr__json_get(row, "want"), gr__json_root(answer), text(gr__json_get(c, "metric")), i);
        gr__json_free(&answer);
    }
    gr__json_free(&doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(numbers_of_others)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
