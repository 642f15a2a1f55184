/* Linear and logistic regression: the numbers that are known beforehand, from rows of numbers and from a table. */
#include "tests/run_rig.h"

#include "base/str.h"
#include "gradus/model.h"
#include "gradus/store.h"
#include "gradus/table.h"
#include "gradus/train.h"

#include <math.h>
#include <string.h>

static const char *folder;

static double parameter(gr_model *m, const char *path, int64_t i)
{
    gr_tensor t;
    assert_ok(gr_store_get(gr_model_store(m), path, &t));
    return gr_tensor_get(&t, i);
}

/* y = 2a - 3b + 1 (+ 4 where c is "q") */
static const char *plane(bool category)
{
    gr__str s = {0};
    gr__str_add(&s, category ? "a,b,c,y\n" : "a,b,y\n");
    for (int i = 0; i < 200; i++) {
        double a = (i * 37 % 101) / 50.0 - 1, b = (i * 53 % 97) / 48.0 - 1;
        bool q = i % 3 == 0;
        gr__str_printf(&s, "%.9g,%.9g,", a, b);
        if (category) gr__str_add(&s, q ? "q," : "p,");
        gr__str_printf(&s, "%.9g\n", 2 * a - 3 * b + 1 + (category && q ? 4 : 0));
    }
    const char *path = test_write(folder, "plane.csv", gr__str_get(&s), s.n);
    gr__str_release(&s);
    return path;
}

static void of_numbers(void **state)
{
    (void)state;
    const char *dir = test_tmpdir();
    static const char *const set[] = {"task=vector",     "data.target=[y]", "model=linear",
                                      "train.epochs=60", "train.batch=50",  "train.lr=0.05"};
    gr_run *run;
    gr_model *m;
    assert_ok(run_with(plane(false), set, 6, dir, &run));
    assert_int_equal(gr_run_describe(run).parameters, 3);
    assert_ok(gr_run_train(run, NULL));
    gr_run_close(&run);
    assert_ok(gr_model_open(dir, &m));
    assert_int_equal(gr_model_kind_of(m), GR_MODEL_VECTOR);
    assert_true(fabs(parameter(m, "linear.weight", 0) - 2) < 0.01);
    assert_true(fabs(parameter(m, "linear.weight", 1) + 3) < 0.01);
    assert_true(fabs(parameter(m, "linear.bias", 0) - 1) < 0.01);
    gr_model_free(&m);
    test_rmtree(dir);
}

static void of_numbers_too_large(void **state)
{
    (void)state;
    static const char *const set[] = {"task=vector", "data.target=[y]", "model=linear"};
    gr_run *run;
    const char *text = "a,y\n1,2\n2,1e300\n3,4\n", *path = test_write(folder, "large.csv", text, strlen(text));
    assert_fails(run_with(path, set, 3, NULL, &run), GR_ERR_DATA, "large.csv:3: 1e+300 in column 'y' is too large");
}

static void of_a_table(void **state)
{
    (void)state;
    const char *dir = test_tmpdir();
    static const char *const set[] = {"task=table",     "data.target=y", "model=linear", "train.epochs=80",
                                      "train.batch=40", "train.lr=0.03", "data.valid=0"};
    gr_run *run;
    gr_model *m;
    gr_predictions *p;
    gr_prediction row;
    assert_ok(run_with(plane(true), set, 7, dir, &run));
    assert_ok(gr_run_train(run, NULL));
    gr_run_close(&run);
    assert_ok(gr_model_open(dir, &m));
    assert_int_equal(gr_model_kind_of(m), GR_MODEL_TABLE);
    const char *fresh = "a,b,c\n0.5,0,q\n0,0.5,p\n";
    assert_ok(gr_table_predict(m, test_write(folder, "new.csv", fresh, strlen(fresh)), NULL, &p));
    assert_true(gr_predictions_get(p, 0, &row) && fabs(row.value - 6) < 0.1);
    assert_true(gr_predictions_get(p, 1, &row) && fabs(row.value + 0.5) < 0.1);
    gr_predictions_free(&p);
    gr_model_free(&m);
    test_rmtree(dir);
}

static void of_classes(void **state)
{
    (void)state;
    static const char *const set[] = {"task=table",      "data.target=side", "model=linear",
                                      "train.epochs=40", "train.batch=40",   "train.lr=0.05"};
    gr__str s = {0};
    gr__str_add(&s, "a,b,side\n");
    for (int i = 0; i < 300; i++) {
        double a = (i * 37 % 101) / 50.0 - 1, b = (i * 53 % 97) / 48.0 - 1;
        gr__str_printf(&s, "%.9g,%.9g,%s\n", a, b, a + b > 0.2 ? "up" : a - b > 0.3 ? "right" : "left");
    }
    const char *path = test_write(folder, "sides.csv", gr__str_get(&s), s.n);
    gr__str_release(&s);
    gr_run *run;
    gr_metric m[16];
    int n;
    double accuracy = 0;
    assert_ok(run_with(path, set, 6, NULL, &run));
    assert_ok(gr_run_train(run, NULL));
    assert_ok(gr_run_evaluate(run, m, 16, &n));
    for (int i = 0; i < n; i++)
        if (strcmp(m[i].name, "accuracy") == 0) accuracy = m[i].value;
    assert_true(accuracy > 0.85);
    gr_run_close(&run);
}

int main(void)
{
    folder = test_tmpdir();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_numbers),
        cmocka_unit_test(of_numbers_too_large),
        cmocka_unit_test(of_a_table),
        cmocka_unit_test(of_classes),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    test_rmtree(folder);
    return failed;
}
