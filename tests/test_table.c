/* Tables from end to end on small data: types, training, raw files afterwards, folds, and bad input named by file and
 * line. */
#include "tests/large_rig.h"
#include "tests/golden_rig.h"
#include "tests/run_rig.h"

#include "base/file.h"
#include "base/spill.h"
#include "gradus/table.h"
#include "gradus/tools.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 200 };
static const char *folder;

/* The path is the process's. */
static const char *written(const char *name, const char *text) { return test_write(folder, name, text, strlen(text)); }

/* Columns x (a number, every tenth missing), shape (two words), price = 3x + 10*[round], kind = [price > 30]. */
static const char *houses(void)
{
    gr__str s = {0};
    gr__str_add(&s, "id,x,shape,price,kind\n");
    for (int i = 0; i < ROWS; i++) {
        double x = i * 7 % 20, price = 3 * x + (i % 2 ? 10 : 0);
        gr__str_printf(&s, "%d,", i + 1);
        if (i % 10) gr__str_printf(&s, "%g", x);
        gr__str_printf(&s, ",%s,%g,%s\n", i % 2 ? "round" : "long", price, price > 30 ? "dear" : "cheap");
    }
    const char *path = test_write(folder, "houses.csv", gr__str_get(&s), s.n);
    gr__str_release(&s);
    return path;
}

static gr_status open_with(const char *source, const char *a, const char *b, const char *out, gr_run **run)
{
    const char *set[] = {"train.epochs=60", "train.batch=16", "model.hidden=[16]", "model.dropout=0", a, b};
    return run_with(source, set, 4 + (a != NULL) + (b != NULL), out, run);
}

static void a_folder_alone_predicts(void **state)
{
    (void)state;
    const char *source = houses();
    char *out = gr__path_join(folder, "run");
    gr_run *run;
    gr_metric m[16], again[16];
    int n, k;
    assert_ok(open_with(source, "data.target=kind", "data.ignore=[price]", out, &run));
    assert_string_equal(gr_run_describe(run).task, "table");
    assert_non_null(strstr(gr_run_report(run), "numbers the rows"));
    assert_ok(gr_run_train(run, NULL));
    assert_ok(gr_run_evaluate(run, m, 16, &n));
    assert_true(value_of(m, n, "auc") > 0.9);
    assert_true(evaluation_shows(out, "<h2>Labels</h2>") && evaluation_shows(out, "ROC") &&
                evaluation_shows(out, "dear"));
    gr_run_close(&run);
    char *numbers = gr__path_join(folder, "numbers");
    assert_ok(open_with(source, "data.target=price", "data.ignore=[kind]", numbers, &run));
    assert_ok(gr_run_evaluate(run, m, 16, &n));
    assert_ok(gr_run_train(run, NULL));
    assert_ok(gr_run_evaluate(run, m, 16, &n));
    assert_true(evaluation_shows(numbers, "<h2>Predictions</h2>") && evaluation_shows(numbers, "Errors"));
    gr_run_close(&run);
    gr__free(numbers);

    gr_model *model;
    gr_predictions *p;
    gr_prediction row;
    assert_ok(gr_model_open(out, &model));
    assert_ok(gr_table_score(model, source, NULL, again, 16, &k));
    assert_true(value_of(again, k, "accuracy") > 0.85);
    assert_fails(gr_table_score(model, source, NULL, again, -4, &k), GR_ERR_ARGUMENT, "-4 metrics");
    static const double likely[3] = {0.2, 0.7, 0.1};
    assert_int_equal(gr_model_decide(model, likely, 2), 1);
    assert_int_equal(gr_model_decide(model, likely, 3), -1); /* not so many labels */
    /* other order, a category and a cell that training did not know */
    assert_ok(gr_table_predict(model, written("new.csv", "shape,x\nround,19\nlong,0\nsquare,many\n"), NULL, &p));
    assert_true(gr_predictions_get(p, 0, &row));
    assert_string_equal(row.label, "dear");
    assert_true(gr_predictions_get(p, 1, &row));
    assert_string_equal(row.label, "cheap");
    assert_true(fabs(row.probability[0] + row.probability[1] - 1) < 1e-9);
    assert_true(gr_predictions_get(p, 2, &row));
    assert_false(gr_predictions_get(p, 3, &row) || gr_predictions_get(p, -1, &row));
    assert_non_null(strstr(gr_predictions_note(p, 0), "new.csv:4: 'many'"));
    assert_non_null(strstr(gr_predictions_note(p, 1), "new.csv:4: 'square'"));
    gr_predictions_free(&p);
    assert_int_equal(gr_table_predict(model, written("less.csv", "x,y\n1,2\n"), NULL, &p), GR_ERR_DATA);
    assert_non_null(strstr(gr_message(), "no column 'shape'"));
    gr_model_free(&model);
    gr__free(out);
}

static void numbers_are_measured_on_their_scale(void **state)
{
    (void)state;
    gr_run *run;
    gr_metric m[16];
    int n;
    assert_ok(open_with(houses(), "data.target=price", "data.ignore=[kind]", NULL, &run));
    assert_ok(gr_run_train(run, NULL));
    assert_ok(gr_run_evaluate(run, m, 16, &n));
    assert_true(value_of(m, n, "r2") > 0.8);
    assert_true(value_of(m, n, "rmse") > 0.1 && value_of(m, n, "rmse") < 10);
    gr_run_close(&run);
}

static void folds_see_every_row_once(void **state)
{
    (void)state;
    const char *set[] = {"data.target=kind", "data.ignore=[price]", "train.epochs=20", "train.batch=16"};
    gr_metric mean[16], deviation[16];
    int n;
    assert_ok(gr_run_folds(houses(), &(gr_run_options){.overrides = set, .n_overrides = 4}, 4, NULL, NULL, NULL, mean,
                           deviation, 16, &n));
    assert_true(value_of(mean, n, "auc") > 0.8);
    assert_true(value_of(deviation, n, "auc") >= 0);
    assert_int_equal(gr_run_folds(houses(), NULL, 1, NULL, NULL, NULL, mean, deviation, 16, &n), GR_ERR_ARGUMENT);
    assert_fails(gr_run_folds(written("book.txt", "a text\n"), NULL, 2, NULL, NULL, NULL, mean, deviation, 16, &n),
                 GR_ERR_UNSUPPORTED, "the task 'text-generation' cannot be cut");
}

static void settings_that_are_no_list(void **state)
{
    (void)state;
    static const char *const none[2] = {NULL, NULL}, *const wrong[] = {"data.target=price", "data.bogus=1"};
    static const struct {
        gr_run_options o;
        gr_status status;
        const char *says;
    } cases[] = {{{.n_overrides = -1}, GR_ERR_ARGUMENT, "no list of -1"},
                 {{.n_overrides = 2}, GR_ERR_ARGUMENT, "no list of 2"},
                 {{.overrides = none, .n_overrides = 1}, GR_ERR_ARGUMENT, "override 0 is NULL"},
                 {{.overrides = wrong, .n_overrides = 2, .no_write = true}, GR_ERR_CONFIG, "override: unknown key"}};
    const char *source = houses();
    for (size_t i = 0; i < GR__COUNT(cases); i++) {
        gr_run *run;
        gr_metric m[2];
        int n;
        assert_fails(gr_run_open(source, &cases[i].o, &run), cases[i].status, cases[i].says);
        if (cases[i].status == GR_ERR_ARGUMENT)
            assert_fails(gr_run_folds(source, &cases[i].o, 2, NULL, NULL, NULL, m, m, 2, &n), cases[i].status,
                         cases[i].says);
    }
}

/* A linear model of a named column reads a table, which nobody need say. */
static void a_target_makes_a_table(void **state)
{
    (void)state;
    gr_run *run;
    const char *set[] = {"data.target=kind", "data.ignore=[price]", "model={type: linear}"};
    assert_ok(run_with(houses(), set, 3, NULL, &run));
    assert_string_equal(gr_run_describe(run).task, "table");
    gr_run_close(&run);
}

/* Rows that stay in their file, and blocks that lie in another, give the same bytes. */
static void larger_than_memory(void **state)
{
    (void)state;
    const char *source = houses(), *report[2];
    char *out[2] = {gr__path_join(folder, "inside"), gr__path_join(folder, "outside")};
    gr_run *run;
    for (int way = 0; way < 2; way++) {
        gr__set_large_bytes(way ? 64 : 0);
        assert_ok(open_with(source, "data.target=kind", "data.ignore=[price]", out[way], &run));
        report[way] = strdup(gr_run_report(run));
        assert_ok(gr_run_train(run, NULL));
        gr_run_close(&run);
    }
    gr__set_large_bytes(0);
    assert_string_equal(report[0], report[1]);
    assert_same_run(out[0], out[1]);
    for (int way = 0; way < 2; way++) {
        free((char *)report[way]);
        gr__free(out[way]);
    }
}

/* Looking for rows that come twice reads the header as training does. */
static void header_as_told(void **state)
{
    (void)state;
    static const struct {
        const char *header, *target;
        int64_t twice;
    } c[] = {{"data.header=no", "data.target=column_2", 28}, {"data.header=yes", "data.target=yes", 27}};
    gr__str s = {0};
    for (int i = 0; i < 30; i++) gr__str_add(&s, i % 2 ? "high,no\n" : "low,yes\n");
    const char *path = test_write(folder, "texts.csv", gr__str_get(&s), s.n);
    for (int i = 0; i < 2; i++) {
        gr_run *run;
        int64_t n;
        assert_ok(open_with(path, c[i].header, c[i].target, NULL, &run));
        assert_ok(gr_run_duplicates(run, &n));
        assert_int_equal(n, c[i].twice);
        gr_run_close(&run);
    }
    gr__str_release(&s);
}

static void bad_input_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *text, *set, *says;
    } cases[] = {
        {"a,y\n1,2\n3\n4,5\n", NULL, ":3"},
        {"a,y\n1,same\n3,same\n", NULL, "nothing to tell apart"},
        {"a,y\n,1\nNaN,2\n,3\n", "data.columns={a: number}", "no number"},
        {"a,y\n,1\nNaN,2\n,3\n", NULL,
         "no column to predict from beside 'y': 'a' is left out (no cell holds anything)"},
        {"a,y\n5,1\n6,2\n7,3\n", "data.ignore=a", "no column to predict from beside 'y'"},
        {"a,z\n1,2\n3,4\n", NULL, "'y'"},
        {"a,y\n1,u\n2,v\n", "data.columns={b: ignore}", "'b'"},
        {"a,y\n1,u\n2,v\n", "loss=mse", "is for numbers"},
        {"u,v\nw,u\nu,v\n", NULL, "its first row was taken for data: data.header=yes"},
        {"a,y\n1,5\n2,6\n3,1e300\n4,8\n", NULL, "bad.csv:4: 1e+300 in column 'y' is too large"},
        {"a,y\n1,5\n-1e308,6\n3,7\n4,8\n", NULL, "bad.csv:3: -1e+308 in column 'a' is too large"},
        {"a,y\n1,0\n2,1\n", "data.columns={y: ignore}", "the column to predict cannot be ignored"},
    };
    for (size_t i = 0; i < GR__COUNT(cases); i++) {
        gr_run *run = NULL;
        gr_status s = open_with(written("bad.csv", cases[i].text), "data.target=y", cases[i].set, NULL, &run);
        if (s == GR_OK) fail_msg("case %zu was taken", i);
        if (!strstr(gr_message(), cases[i].says)) fail_msg("case %zu says: %s", i, gr_message());
    }
}

/* Values that are names of columns too, and a number that none is, hide no header whose target is named. */
static void a_target_is_in_the_header(void **state)
{
    (void)state;
    static const char *const texts[] = {"x,c,y\n1,c,u\ninf,b,v\n2,c,u\n3,b,v\n", "x,c,y\nq,c,u\nr,b,v\nq,c,u\nx,b,y\n"};
    for (size_t i = 0; i < GR__COUNT(texts); i++) {
        gr_run *run;
        assert_ok(open_with(written("named.csv", texts[i]), "data.target=y", "data.valid=0", NULL, &run));
        assert_int_equal(gr_run_describe(run).samples, 4);
        gr_run_close(&run);
    }
}

/* Left out, or tamed by a logarithm. */
static void numbers_too_large(void **state)
{
    (void)state;
    static const char *const taken[][3] = {{"data.target=y", "data.skip_bad=true", "data.valid=0.2"},
                                           {"data.target=y", "data.columns={a: {log: true}}", "data.log_target=true"}};
    char path[700];
    snprintf(path, sizeof path, "%s",
             written("large.csv", "a,y\n1,5\n2,6\n3,1e300\n1e39,8\n5,9\n6,2\n7,1\n8,3\n9,4\n10,5\n"));
    for (size_t i = 0; i < GR__COUNT(taken); i++) {
        gr_run *run;
        assert_ok(run_with(path, taken[i], 3, NULL, &run));
        gr_run_plan p = gr_run_describe(run);
        assert_int_equal(p.train_units + p.valid_units, i ? 10 : 8);
        gr_run_close(&run);
    }
    char test[700];
    gr_run *run;
    snprintf(test, sizeof test, "data.test_source=%s", written("late.csv", "a,y\n1,5\n1e300,6\n"));
    const char *set[] = {"data.target=y", "data.skip_bad=true", "data.all={clip: 0}", test};
    assert_fails(run_with(path, set, 4, NULL, &run), GR_ERR_DATA, "late.csv:3: 1e+300 in column 'a' is too large");
}

/* Two values are a class unless the configuration says number, at either place. */
static void a_target_is_what_was_told(void **state)
{
    (void)state;
    static const char *const number[] = {"data.predict=number", "data.columns.y=number"};
    const char *path = written("two.csv", "a,y\n1,0\n2,1\n5,1\n3,0\n4,1\n6,0\n7,1\n8,0\n9,1\n10,0\n");
    gr_run *run;
    assert_ok(open_with(path, "data.target=y", NULL, NULL, &run));
    assert_int_equal(gr_run_describe(run).labels, 2);
    gr_run_close(&run);
    for (int i = 0; i < 2; i++) {
        assert_ok(open_with(path, "data.target=y", number[i], NULL, &run));
        assert_int_equal(gr_run_describe(run).labels, 0);
        gr_run_close(&run);
    }
    char both[700];
    snprintf(both, sizeof both, "data={source: %s, target: y, predict: class, columns: {y: number}}", path);
    assert_fails(open_with(path, both, NULL, NULL, &run), GR_ERR_CONFIG, "data.predict says something else");
    assert_ok(open_with(houses(), "data.target=price", "data.columns.price=category", NULL, &run));
    assert_true(gr_run_describe(run).labels > 2);
    gr_run_close(&run);
}

static void classes_are_balanced(void **state)
{
    (void)state;
    static const struct {
        const char *set;
        int64_t rows;
    } cases[] = {{NULL, 40}, {"data.balance=over", 60}, {"data.balance=under", 20}, {"data.balance=smote", 60}};
    gr__str s = {0};
    gr__str_add(&s, "x,w,y\n");
    for (int i = 0; i < 40; i++)
        gr__str_printf(&s, "%d,%s,%s\n", i * 7 % 41, i % 3 ? "u" : "v", i < 30 ? "often" : "rare");
    const char *path = written("uneven.csv", gr__str_get(&s));
    gr__str_release(&s);
    for (size_t i = 0; i < GR__COUNT(cases); i++) {
        gr_run *run;
        gr_run_options o = {.overrides = (const char *[]){"data.target=y", "data.valid=0", "train.epochs=20",
                                                          "train.batch=10", cases[i].set},
                            .n_overrides = cases[i].set ? 5 : 4,
                            .no_write = true};
        assert_ok(gr_run_open(path, &o, &run));
        assert_int_equal(gr_run_describe(run).samples, cases[i].rows);
        assert_ok(gr_run_train(run, NULL));
        gr_run_close(&run);
    }
    gr_run *run;
    const char *lonely = written("lonely.csv", "x,y\n1,a\n2,a\n3,b\n");
    assert_fails(open_with(lonely, "data.target=y", "data.balance=smote", NULL, &run), GR_ERR_DATA, "single row");
    assert_fails(open_with(path, "data.target=x", "data.balance=over", NULL, &run), GR_ERR_CONFIG, "for classes");
}

/* Of the rows with x = 1 three in ten are 'yes', of the others none in a hundred or so: the likelier label is 'no' for all. */
static const char *rare(void)
{
    gr__str s = {0};
    gr__str_add(&s, "x,y\n");
    for (int i = 0; i < 600; i++)
        gr__str_printf(&s, "%d,%s\n", i % 2, (i % 2 ? i % 20 < 6 : i % 200 == 0) ? "yes" : "no");
    const char *path = written("rare.csv", gr__str_get(&s));
    gr__str_release(&s);
    return path;
}

/* What the model in 'out' says of x = 1. */
static const char *says(gr_model *model, const char *path)
{
    static char label[16];
    gr_predictions *p;
    gr_prediction row;
    assert_ok(gr_table_predict(model, path, NULL, &p));
    assert_true(gr_predictions_get(p, 0, &row));
    snprintf(label, sizeof label, "%s", row.label);
    gr_predictions_free(&p);
    return label;
}

static void a_threshold_is_tuned_and_kept(void **state)
{
    (void)state;
    static const char *const wishes[] = {NULL, "threshold=f1", "threshold=youden", "threshold=0.25"};
    const char *source = rare();
    char one[4200];
    snprintf(one, sizeof one, "%s", written("one.csv", "x\n1\n"));
    for (int i = 0; i < 4; i++) {
        char name[24];
        snprintf(name, sizeof name, "rare%d", i);
        char *out = gr__path_join(folder, name);
        gr_run *run;
        gr_model *model;
        gr_metric m[16], again[16];
        int n, k;
        assert_ok(open_with(source, "data.target=y", wishes[i], out, &run));
        assert_ok(gr_run_train(run, NULL));
        assert_ok(gr_run_evaluate(run, m, 16, &n));
        double f1 = value_of(m, n, "f1"), used = gr_model_threshold(gr_run_model(run));
        if (!i) assert_true(f1 == 0 && isnan(used));
        if (i) assert_true(f1 > 0.3 && used > 0.02 && used < 0.4 && value_of(m, n, "threshold") == used);
        if (i == 1) assert_true(f1 == value_of(m, n, "best_f1"));
        if (i == 3) assert_true(used == 0.25);
        assert_true(evaluation_shows(out, "Precision, recall and F1 by threshold"));
        gr_run_close(&run);

        assert_ok(gr_model_open(out, &model));
        assert_true(i ? gr_model_threshold(model) == used : isnan(gr_model_threshold(model)));
        assert_string_equal(says(model, one), i ? "yes" : "no");
        assert_ok(gr_table_score(model, source, NULL, again, 16, &k));
        assert_true(i ? value_of(again, k, "f1") > 0.3 : value_of(again, k, "f1") == 0);
        assert_ok(gr_model_set_threshold(model, i ? 0.9 : 0.1)); /* somebody else's */
        assert_string_equal(says(model, one), i ? "no" : "yes");
        assert_fails(gr_model_set_threshold(model, 1.5), GR_ERR_ARGUMENT, "0 to 1");
        gr_model_free(&model);

        if (i == 1) { /* done stays done, with its threshold */
            assert_ok(open_with(source, "data.target=y", wishes[i], out, &run));
            assert_ok(gr_run_train(run, NULL));
            assert_true(gr_model_threshold(gr_run_model(run)) == used);
            gr_run_close(&run);
        }
        gr__free(out);
    }
}

static void thresholds_that_make_no_sense(void **state)
{
    (void)state;
    static const struct {
        const char *target, *set, *says;
    } cases[] = {{"data.target=y", "threshold=f2", "did you mean 'f1'?"},
                 {"data.target=y", "threshold=1.5", "from 0 to 1"},
                 {"data.target=x", "threshold=f1", "two labels"},
                 {"data.target=z", "threshold=f1", "two labels"}};
    const char *source = written("three.csv", "x,y,z\n1,a,p\n2.5,b,q\n3,a,r\n4,b,p\n5,a,q\n");
    for (size_t i = 0; i < GR__COUNT(cases); i++) {
        gr_run *run;
        assert_fails(open_with(source, cases[i].target, cases[i].set, NULL, &run), GR_ERR_CONFIG, cases[i].says);
    }
    gr_run *run;
    gr_run_options o = {
        .overrides = (const char *[]){"threshold=f1", "model=kmeans"}, .n_overrides = 2, .no_write = true};
    assert_fails(gr_run_open(source, &o, &run), GR_ERR_CONFIG, "knows no threshold");
}

/* tests/golden/make_sequence.py: embeddings, one-hot words, an indicator, classes and a number. */
static void families_are_pytorchs(void **state)
{
    (void)state;
    static const char *const names[] = {"tabular-classes", "tabular-number", "tabular-linear"},
                             *const inputs[] = {"numbers", "codes", "y", NULL}, *const output = "prediction";
    for (size_t k = 0; k < GR__COUNT(names); k++) {
        golden_rig r;
        rig_open(&r, names[k]);
        const gr_tensor *t = rig_find(&r, "y");
        gr_value said = gr__model_build_table(r.model, r.g, t->dim[0], false), y = rig_input(&r, "y");
        gr_loss loss = t->dtype == GR_I32 ? gr_loss_cross_entropy(r.g, said, y, NULL) : gr_loss_mse(r.g, said, y, NULL);
        rig_check(&r, loss, inputs, &output, &said, 1, 2e-6);
        rig_close(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(families_are_pytorchs),
        cmocka_unit_test(a_folder_alone_predicts),
        when_large(a_folder_alone_predicts),
        cmocka_unit_test(numbers_are_measured_on_their_scale),
        cmocka_unit_test(folds_see_every_row_once),
        cmocka_unit_test(settings_that_are_no_list),
        cmocka_unit_test(a_target_is_what_was_told),
        cmocka_unit_test(classes_are_balanced),
        cmocka_unit_test(a_target_makes_a_table),
        cmocka_unit_test(larger_than_memory),
        cmocka_unit_test(header_as_told),
        cmocka_unit_test(bad_input_is_named),
        cmocka_unit_test(numbers_too_large),
        cmocka_unit_test(a_target_is_in_the_header),
        cmocka_unit_test(a_threshold_is_tuned_and_kept),
        cmocka_unit_test(thresholds_that_make_no_sense),
    };
    folder = test_tmpdir();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
