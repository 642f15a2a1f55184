/* Series: families against PyTorch, reading and what is refused, training to a known end, continuing a file. */
#include "tests/large_rig.h"
#include "tests/golden_rig.h"
#include "tests/run_rig.h"

#include "gradus/table.h"
#include "gradus/train.h"

static const char *folder;

static void families_are_pytorchs(void **state)
{
    (void)state;
    static const char *const names[] = {"dlinear-tiny", "lstm-forecast-tiny", "patchtst-tiny"},
                             *const inputs[] = {"x", "y", NULL}, *const outputs[] = {"prediction"};
    for (int i = 0; i < 3; i++) {
        golden_rig r;
        rig_open(&r, names[i]);
        assert_int_equal(gr_model_kind_of(r.model), GR_MODEL_SERIES);
        gr_value x = rig_input(&r, "x"), y = rig_input(&r, "y");
        gr_value p = r.model->family->build_series(r.g, r.model->config, x, false);
        rig_check(&r, gr_loss_mse(r.g, p, y, NULL), inputs, outputs, &p, 1, 1e-5);
        rig_close(&r);
    }
}

/* ---- files ---- */

static const char *written(const char *name, const char *text) { return test_write(folder, name, text, strlen(text)); }

/* A season of 6 on a line, and a second series that is twice the first and 1. */
static double wave(int64_t i)
{
    static const double season[] = {0, 2, 5, 3, 1, -1};
    return 20 + 0.05 * (double)i + season[i % 6];
}

static const char *waves(int64_t rows)
{
    gr__str s = {0};
    gr__str_add(&s, "month,a,b\n");
    for (int64_t i = 0; i < rows; i++)
        gr__str_printf(&s, "%04d-%02d,%.9g,%.9g\n", (int)(1900 + i / 12), (int)(i % 12 + 1), wave(i), 2 * wave(i) + 1);
    const char *path = test_write(folder, "waves.csv", gr__str_get(&s), s.n);
    gr__str_release(&s);
    return path;
}

static void bad_files_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *text, *set, *message;
        gr_status status;
    } cases[] = {
        {"t,a\n2001-01,1\n2001-03,2\n2001-02,3\n2001-04,3\n", "data.valid=0", "bad.csv:4: the time '2001-02'",
         GR_ERR_DATA},
        {"t,a\n2001-01,1\n2001-02,\n2001-03,3\n", "data.valid=0", "bad.csv:3: '' in column 'a'", GR_ERR_DATA},
        {"t,a\n2001-01,1\n2001-02,x\n2001-03,3\n", "data.valid=0", "bad.csv:3: 'x' in column 'a'", GR_ERR_DATA},
        {"t,a\n2001-01,1\n2001-02,1e200\n2001-03,3\n", "data.valid=0", "bad.csv:3: 1e+200 in column 'a' is too large",
         GR_ERR_DATA},
        {"t,a\n2001-01,1\n2001-02,0\n2001-03,3\n", "data.log=true", "bad.csv:3: 0 in 'a' has no logarithm",
         GR_ERR_DATA},
        {"t,a\n2001-01,1\n2001-02,2\n2001-03,3\n", "data.columns=[c]", "'c'", GR_ERR_NOT_FOUND},
        {"t,a\n2001-01,1\n2001-02,2\n2001-03,3\n", "data.train_rows=9", "not in the 3 rows", GR_ERR_CONFIG},
        {"t,a\n2001-01,1\n2001-02,2\n2001-03,3\n", "data.valid=0", "less than model.window", GR_ERR_CONFIG},
        {"t,a\n2001-01,1\n2001-02,2\n2001-03,3\n", "data.valid=0", "set less, as model.window=1 model.horizon=1",
         GR_ERR_CONFIG},
        {"t,a\n2001-01,1\n2001-02,2\n2001-03,3\n", "data.skip_rows=9", "data: 0 rows for training, 9 between",
         GR_ERR_CONFIG},
        {"t,a\n2001-01,\n2001-02,2\n2001-03,3\n", "data.fill=true", "there is no value before that data.fill",
         GR_ERR_DATA},
    };
    for (size_t i = 0; i < GR__COUNT(cases); i++) {
        gr_run *run;
        const char *path = written("bad.csv", cases[i].text);
        const char *const set[] = {"task=forecasting", "model={type: dlinear, window: 3, horizon: 1}",
                                   "data.header=yes", cases[i].set};
        assert_fails(run_with(path, set, 4, NULL, &run), cases[i].status, cases[i].message);
    }
}

/* Times are numbers or dates where cells are; a column of words has no order. */
static void times_are_understood(void **state)
{
    (void)state;
    static const struct {
        const char *time[4], *message; /* NULL: taken */
    } cases[] = {
        {{"2020-01-30", "2020-01-31", "2020-02-31 99:00", "2020-02-02"}, "bad.csv:4: '2020-02-31 99:00' in column 't'"},
        {{"2020-01-30", "2020-01-31", "someday", "2020-02-02"}, "bad.csv:4: 'someday' in column 't' is no time"},
        {{"2020-01-30", "", "2020-02-01", "2020-02-02"}, "bad.csv:3: '' in column 't' is no time"},
        {{"2020-01-30", "2020-02-01 10:00", "2020-02-01", "2020-02-02"}, "bad.csv:4: the time '2020-02-01'"},
        {{"2020-01-30", "2020-01-30", "2020-02-01", "2020-02-02"}, "does not come after '2020-01-30'"},
        {{"30/01/2020 1:00", "31/01/2020 00:00", "01/02/2020 00:00", "31/01/2020 12:00"}, "bad.csv:5: the time"},
        {{"1/30/2020", "2/1/2020", "1/31/2020", "2/3/2020"}, "bad.csv:4: the time '1/31/2020'"},
        {{"1577836800", "1577840400", "1577836801", "1577847600"}, "bad.csv:4: the time '1577836801'"},
        {{"30/01/2020", "31/01/2020", "01/02/2020", "02/02/2020"}, NULL},
        {{"01/02/2020", "01/03/2020", "02/01/2020", "02/02/2020"}, NULL}, /* months first */
        {{"02/03/2020", "01/02/2020", "05/04/2020", "03/03/2020"}, NULL}, /* nobody knows */
        {{"1/2/2020 11:00 AM", "1/2/2020 12:00 PM", "1/2/2020 1:00 PM", "1/13/2020 1:00 AM"}, NULL},
        {{"2016/7/1 9:00", "2016/7/1 10:00", "2016/7/1 11:00 UTC", "2016/12/1"}, NULL},
        {{"first", "second", "", "first"}, NULL},
    };
    for (size_t i = 0; i < GR__COUNT(cases); i++) {
        static const char *const set[] = {"task=forecasting", "model={type: dlinear, window: 2, horizon: 1}",
                                          "data.time=t", "data.valid=0"};
        const char *const *t = cases[i].time;
        char text[300];
        gr_run *run;
        snprintf(text, sizeof text, "t,a\n%s,1\n%s,2\n%s,3\n%s,4\n", t[0], t[1], t[2], t[3]);
        gr_status s = run_with(written("bad.csv", text), set, 4, NULL, &run);
        if (s == GR_OK) gr_run_close(&run);
        if (s != (cases[i].message ? GR_ERR_DATA : GR_OK)) fail_msg("case %zu: %s", i, gr_message());
        if (s != GR_OK && !strstr(gr_message(), cases[i].message)) fail_msg("case %zu says: %s", i, gr_message());
    }
}

static void learns(const char *model, double limit)
{
    const char *const set[] = {"task=forecasting", model, "train.epochs=30", "train.lr=0.01", "train.batch=32"};
    gr_run *run;
    assert_ok(run_with(waves(300), set, 5, NULL, &run));
    assert_int_equal(gr_run_describe(run).valid_units, 60 - 6 + 1);
    assert_ok(gr_run_train(run, NULL));
    if (!(metric_of(run, "mse") < limit)) fail_msg("%s: mse %g", model, metric_of(run, "mse"));
    gr_run_close(&run);
}

static void families_learn(void **state)
{
    (void)state;
    learns("model={type: dlinear, window: 18, horizon: 6, average: 7}", 1e-2);
    learns("model={type: lstm_forecast, window: 12, horizon: 6, hidden: 24}", 0.05);
    learns("model={type: patchtst, window: 24, horizon: 6, patch: 6, stride: 3, layers: 1, heads: 2, dropout: 0}",
           0.05);
}

static void continues_a_file(void **state)
{
    (void)state;
    const char *dir = test_tmpdir();
    gr_run *run;
    gr_model *m;
    double said[2 * 6];
    const char *const set[] = {"task=forecasting", "model={type: dlinear, window: 18, horizon: 6, average: 7}",
                               "train.epochs=40", "train.lr=0.01", "data.log=true"};
    assert_ok(run_with(waves(300), set, 5, dir, &run));
    assert_ok(gr_run_train(run, NULL));
    gr_run_close(&run);
    assert_ok(gr_model_open(dir, &m));
    gr_model_info info = gr_model_describe(m);
    assert_true(info.window == 18 && info.horizon == 6 && info.series == 2);
    assert_string_equal(gr_model_label(m, 1), "b");
    assert_ok(gr_series_continue(m, waves(300), said));
    for (int h = 0; h < 6; h++) {
        assert_true(fabs(said[2 * h] - wave(300 + h)) < 0.5);
        assert_true(fabs(said[2 * h + 1] - 2 * wave(300 + h) - 1) < 1);
    }
    assert_fails(gr_series_continue(m, waves(17), said), GR_ERR_DATA, "17 rows");
    assert_fails(gr_series_continue(m, written("other.csv", "t,a\n2001-01,1\n2001-02,2\n"), said), GR_ERR_NOT_FOUND,
                 "'b'");
    gr_model_free(&m);
    test_rmtree(dir);
}

/* The custom's split of ETTh1, a few steps: far better than the mean already. */
static void electricity(void **state)
{
    (void)state;
    const char *path = test_data("timeseries/ETTh1.csv");
    if (!path) skip();
    const char *const set[] = {"task=forecasting",     "model={type: dlinear, window: 96, horizon: 24}",
                               "data.train_rows=8640", "data.skip_rows=2880",
                               "data.valid_rows=2880", "train.epochs=0",
                               "train.steps=60",       "train.batch=32",
                               "train.lr=0.01"};
    gr_run *run;
    assert_ok(run_with(path, set, 9, NULL, &run));
    assert_int_equal(gr_run_describe(run).valid_units, 2880 - 24 + 1);
    assert_ok(gr_run_train(run, NULL));
    double mse = metric_of(run, "mse");
    print_message("ETTh1 96 -> 24: mse %.3f after 60 steps\n", mse);
    assert_true(mse < 0.45);
    gr_run_close(&run);
}

int main(void)
{
    folder = test_tmpdir();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(families_are_pytorchs),
        cmocka_unit_test(bad_files_are_named),
        cmocka_unit_test(times_are_understood),
        cmocka_unit_test(families_learn),
        cmocka_unit_test(continues_a_file),
        when_large(bad_files_are_named),
        when_large(continues_a_file),
        cmocka_unit_test(electricity),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    test_rmtree(folder);
    return failed;
}
