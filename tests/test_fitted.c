/* k-means and principal components: the algorithms against scikit-learn's numbers and by their properties, then from rows of
 * a table, or pictures, to a folder that says what it says of others. */
#include "tests/run_rig.h"

#include "base/file.h"
#include "base/rng.h"
#include "fit/components.h"
#include "fit/lloyd.h"
#include "format/safetensors.h"
#include "gradus/base.h"
#include "gradus/table.h"
#include "kernel/eigen.h"

#include <math.h>
#include <string.h>

static const char *folder;

static const char *written(const char *name, const gr__str *s) { return test_write(folder, name, s->text, s->n); }

/* ---- eigenvalues ---- */

static void check_eigen(const double *a, int64_t n)
{
    double lost[48 * 48], value[48], v[48 * 48], alone[48];
    memcpy(lost, a, (size_t)(n * n) * sizeof *a);
    assert_ok(gr__eigen_symmetric(lost, n, value, v));
    memcpy(lost, a, (size_t)(n * n) * sizeof *a);
    assert_ok(gr__eigen_symmetric(lost, n, alone, NULL));
    double scale = 0;
    for (int64_t i = 0; i < n * n; i++) scale = fmax(scale, fabs(a[i]));
    for (int64_t k = 0; k < n; k++) {
        assert_true(fabs(alone[k] - value[k]) <= 1e-13 * scale * (double)n);
        if (k) assert_true(value[k] <= value[k - 1]);
        for (int64_t i = 0; i < n; i++) {
            double product = 0, dot = 0;
            for (int64_t j = 0; j < n; j++) {
                product += a[i * n + j] * v[k * n + j];
                dot += v[k * n + j] * v[i * n + j];
            }
            assert_true(fabs(product - value[k] * v[k * n + i]) <= 1e-13 * scale * (double)n);
            assert_true(fabs(dot - (i == k)) <= 1e-13 * (double)n);
        }
    }
}

static void eigenvectors_are_what_they_say(void **state)
{
    (void)state;
    static const int64_t sizes[] = {1, 2, 3, 5, 17, 48};
    double a[48 * 48];
    gr__rng r = gr__rng_make(3, 1);
    for (size_t s = 0; s < GR__COUNT(sizes); s++) {
        int64_t n = sizes[s];
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j <= i; j++) a[i * n + j] = a[j * n + i] = gr__rng_normal(&r);
        check_eigen(a, n);
        for (int64_t i = 0; i < n; i++) /* one direction alone: all values but one are equal */
            for (int64_t j = 0; j < n; j++) a[i * n + j] = (double)((i + 1) * (j + 1));
        check_eigen(a, n);
        for (int64_t i = 0; i < n * n; i++) a[i] = i % (n + 1) == 0 ? 2 : 0;
        check_eigen(a, n);
        memset(a, 0, sizeof a);
        check_eigen(a, n);
        for (int64_t i = 0; i + 1 < n; i++) a[i * n + i + 1] = a[(i + 1) * n + i] = pow(10, (double)(i % 7) * 3 - 12);
        check_eigen(a, n);
    }
}

/* ---- against scikit-learn ---- */

static gr__safetensors *golden;

static const gr_tensor *find(const char *a, const char *b)
{
    char name[64];
    snprintf(name, sizeof name, "%s%s", a, b);
    const gr__stored *t = gr__safetensors_find(golden, name);
    if (!t) fail_msg("no '%s'", name);
    return &t->tensor;
}

static void near(const double *a, const gr_tensor *b, double limit)
{
    for (int64_t i = 0; i < gr_tensor_count(b); i++)
        if (!(fabs(a[i] - gr_tensor_get(b, i)) <= limit * (1 + fabs(gr_tensor_get(b, i)))))
            fail_msg("number %lld is %.12g, not %.12g", (long long)i, a[i], gr_tensor_get(b, i));
}

static gr__points points_of(const char *name)
{
    const gr_tensor *t = find(name, "");
    return (gr__points){t->data, t->dim[0], t->dim[1]};
}

static void kmeans_is_that_of_sklearn(void **state)
{
    (void)state;
    static const char *const starts[] = {"start", "lonely"};
    gr__points p = points_of("rows");
    for (size_t i = 0; i < GR__COUNT(starts); i++) {
        const gr_tensor *from = find(starts[i], "");
        double centre[4 * 5];
        gr__kmeans_result r;
        gr__kmeans_options o = {.clusters = from->dim[0], .passes = 300, .from = from->data};
        assert_ok(gr__kmeans_fit(&p, &o, NULL, centre, &r));
        near(centre, find(starts[i], "/centres"), 1e-9);
        near(&r.inertia, find(starts[i], "/inertia"), 1e-9);
        assert_true(r.rests);
    }
}

static void components_are_those_of_sklearn(void **state)
{
    (void)state;
    static const char *const names[][2] = {{"rows", "pca"}, {"wide", "wide_pca"}};
    for (size_t i = 0; i < GR__COUNT(names); i++) {
        gr__points p = points_of(names[i][0]);
        double mean[20], component[3 * 20], variance[3];
        gr__pca out = {.mean = mean, .component = component, .variance = variance};
        assert_ok(gr__pca_fit(&p, 3, &out));
        near(mean, find(names[i][1], "/mean"), 1e-9);
        near(component, find(names[i][1], "/components"), 1e-9);
        near(variance, find(names[i][1], "/variance"), 1e-9);
        near(&out.total, find(names[i][1], "/total"), 1e-9);
    }
}

/* ---- properties ---- */

enum { MANY = 3000, WIDTH = 7, GROUPS = 9 };

/* Overlapping heaps. */
static float *heaps(void)
{
    static float x[MANY * WIDTH];
    gr__rng r = gr__rng_make(5, 2);
    for (int i = 0; i < MANY; i++)
        for (int j = 0; j < WIDTH; j++)
            x[i * WIDTH + j] = (float)(gr__rng_normal(&r) + 2 * ((i % GROUPS) >> (j % 4) & 1));
    return x;
}

static void threads_change_nothing(void **state)
{
    (void)state;
    gr__points p = {heaps(), MANY, WIDTH};
    double centre[2][GROUPS * WIDTH], mean[2][WIDTH], component[2][2 * WIDTH], variance[2][2];
    gr__kmeans_result r[2];
    for (int i = 0; i < 2; i++) {
        gr_set_threads(i ? 4 : 1);
        gr__kmeans_options o = {.clusters = GROUPS, .starts = 3, .passes = 100, .tolerance = 1e-4, .seed = 8};
        assert_ok(gr__kmeans_fit(&p, &o, NULL, centre[i], &r[i]));
        gr__pca out = {.mean = mean[i], .component = component[i], .variance = variance[i]};
        assert_ok(gr__pca_fit(&p, 2, &out));
    }
    gr_set_threads(0);
    assert_memory_equal(centre[0], centre[1], sizeof centre[0]);
    assert_memory_equal(component[0], component[1], sizeof component[0]);
    assert_true(r[0].inertia == r[1].inertia && r[0].start == r[1].start && r[0].passes == r[1].passes);
}

static void more_starts_are_no_worse(void **state)
{
    (void)state;
    gr__points p = {heaps(), MANY, WIDTH};
    double centre[GROUPS * WIDTH];
    gr__kmeans_result one, ten;
    gr__kmeans_options o = {.clusters = GROUPS, .starts = 1, .passes = 100, .seed = 8};
    assert_ok(gr__kmeans_fit(&p, &o, NULL, centre, &one));
    o.starts = 10;
    assert_ok(gr__kmeans_fit(&p, &o, NULL, centre, &ten));
    assert_true(ten.inertia <= one.inertia && ten.passes > one.passes);
    assert_true(ten.start > 0); /* with this seed the first is not the best */
}

static void what_cannot_be_fitted_is_said(void **state)
{
    (void)state;
    float x[] = {1, 2, 1, 2, 3, 4, 3, 4, 3, 4};
    double room[64];
    gr__kmeans_result r;
    gr__pca out = {.mean = room, .component = room + 8, .variance = room + 48};
    gr__points p = {x, 5, 2};
    gr__kmeans_options o = {.clusters = 2, .starts = 2, .passes = 10};
    assert_ok(gr__kmeans_fit(&p, &o, NULL, room, &r));
    assert_true(r.inertia == 0);
    o.clusters = 3;
    assert_fails(gr__kmeans_fit(&p, &o, NULL, room, &r), GR_ERR_DATA, "only 2 different rows, fewer than 3 clusters");
    o.clusters = 6;
    assert_fails(gr__kmeans_fit(&p, &o, NULL, room, &r), GR_ERR_DATA, "only 5 rows, fewer than 6 clusters");
    assert_ok(gr__pca_fit(&p, 2, &out));
    assert_fails(gr__pca_fit(&p, 3, &out), GR_ERR_DATA, "2 principal components at most, not 3");
    assert_fails(gr__pca_fit(&(gr__points){x, 2, 2}, 1, &out), GR_ERR_DATA, "all rows are the same");
    assert_fails(gr__pca_fit(&(gr__points){x, 2, 5}, 2, &out), GR_ERR_DATA, "1 principal components at most");
}

/* ---- from end to end ---- */

enum { ROWS = 120 };

/* Three heaps in x, y and a shape; 'kind' names them. */
static const char *heaps_file(void)
{
    gr__str s = {0};
    gr__rng r = gr__rng_make(1, 1);
    gr__str_add(&s, "x,y,shape,kind\n");
    for (int i = 0; i < ROWS; i++) {
        int k = i % 3;
        gr__str_printf(&s, "%.4f,%.4f,%s,%s\n", 10 * k + gr__rng_normal(&r), 5 * (k == 1) + gr__rng_normal(&r),
                       k == 2 ? "round" : "long",
                       k == 0   ? "a"
                       : k == 1 ? "b"
                                : "c");
    }
    const char *path = written("heaps.csv", &s);
    gr__str_release(&s);
    return path;
}

typedef struct counted {
    int passes, stop_after;
} counted;

static void count_pass(void *user, gr_run_event event, const gr_progress *p, const char *text)
{
    (void)text;
    counted *c = user;
    if (event == GR_EVENT_STEP) {
        c->passes++;
        assert_int_equal(p->step, c->passes);
    }
}

static bool stop_now(void *user)
{
    counted *c = user;
    return c->stop_after && c->passes >= c->stop_after;
}

static void heaps_are_found(void **state)
{
    (void)state;
    static const char *const set[] = {"model.type=kmeans", "model.clusters=3", "data.target=kind", "data.valid=0.25"};
    const char *source = heaps_file();
    char *out = gr__path_join(folder, "clusters");
    counted c = {.stop_after = 2};
    gr_train_hooks hooks = {.user = &c, .event = count_pass, .stop = stop_now};
    gr_run *run;
    gr_metric m[16], again[16];
    int n, k;
    assert_ok(run_with(source, set, 4, out, &run));
    assert_string_equal(gr_run_describe(run).task, "unsupervised");
    assert_int_equal(gr_run_describe(run).samples, 90);
    assert_fails(gr_run_train(run, &hooks), GR_ERR_STOPPED, "begins anew");
    assert_int_equal(c.passes, 2);
    gr_run_close(&run);

    c = (counted){0};
    assert_ok(run_with(source, set, 4, out, &run));
    assert_int_equal(gr_run_describe(run).start_step, 0);
    assert_fails(gr_run_check_gradients(run, 0, NULL, NULL), GR_ERR_UNSUPPORTED, "without gradients");
    assert_ok(gr_run_train(run, &hooks));
    assert_true(c.passes >= 20); /* ten starts */
    assert_ok(gr_run_evaluate(run, m, 16, &n));
    assert_true(value_of(m, n, "purity") == 1 && value_of(m, n, "adjusted_rand") == 1);
    assert_true(value_of(m, n, "silhouette") > 0.7);
    assert_true(fabs(value_of(m, n, "loss") * 30 - value_of(m, n, "inertia")) < 1e-4 * value_of(m, n, "inertia"));
    assert_true(evaluation_shows(out, "Sizes of the clusters") && evaluation_shows(out, "Rows, by cluster") &&
                evaluation_shows(out, "shape=round") && evaluation_shows(out, "most frequent class"));
    gr_run_close(&run);

    c.passes = 0; /* what is done stays */
    assert_ok(run_with(source, set, 4, out, &run));
    assert_true(gr_run_describe(run).start_step > 0);
    assert_ok(gr_run_train(run, &hooks));
    assert_int_equal(c.passes, 0);
    assert_ok(gr_run_evaluate(run, again, 16, &k));
    assert_true(value_of(again, k, "inertia") == value_of(m, n, "inertia"));
    gr_run_close(&run);

    gr_model *model;
    gr_predictions *p;
    gr_prediction row[4];
    gr__str s = {0};
    gr__str_add(&s, "shape,y,x\nlong,0,0\nlong,5,10\nround,0,20\nlong,0.1,1\n"); /* other order, no target */
    const char *other = written("other.csv", &s);
    assert_ok(gr_model_open(out, &model));
    assert_int_equal(gr_model_kind_of(model), GR_MODEL_FITTED);
    assert_ok(gr_table_predict(model, other, NULL, &p));
    for (int i = 0; i < 4; i++) assert_true(gr_predictions_get(p, i, &row[i]));
    assert_string_equal(row[0].label, row[3].label);
    assert_string_not_equal(row[0].label, row[1].label);
    assert_string_not_equal(row[1].label, row[2].label);
    assert_true(row[0].value == row[0].place[row[0].label[0] - '0'] &&
                row[0].value < row[0].place[row[1].label[0] - '0']);
    assert_null(row[0].probability);
    gr_predictions_free(&p);
    assert_ok(gr_table_score(model, source, NULL, again, 16, &k));
    assert_true(value_of(again, k, "purity") == 1);
    assert_ok(gr_table_score(model, other, NULL, again, 16, &k));
    for (int i = 0; i < k; i++) assert_string_not_equal(again[i].name, "purity");
    gr_model_free(&model);
    gr__str_release(&s);
    gr__free(out);
}

static void bf16_is_refused(void **state)
{
    (void)state;
    static const char *const models[] = {"model={type: kmeans, clusters: 3}", "model={type: pca, components: 2}"};
    for (size_t i = 0; i < GR__COUNT(models); i++) {
        const char *set[] = {models[i], "data.target=kind", "train.dtype=bf16"};
        gr_run *run;
        assert_fails(run_with(heaps_file(), set, 3, NULL, &run), GR_ERR_CONFIG, "leave out 'train.dtype'");
        set[2] = "train.dtype=f32";
        assert_ok(run_with(heaps_file(), set, 3, NULL, &run));
        gr_run_close(&run);
    }
}

/* The golden rows as a file without a header: columns as they are, so that the folder says what scikit-learn says. */
static void components_of_a_file(void **state)
{
    (void)state;
    const gr_tensor *rows = find("rows", "");
    gr__str s = {0};
    for (int64_t i = 0; i < rows->dim[0]; i++)
        for (int64_t j = 0; j < 5; j++)
            gr__str_printf(&s, "%.9g%s", gr_tensor_get(rows, i * 5 + j), j < 4 ? "," : "\n");
    const char *source = written("rows.csv", &s);
    for (int white = 0; white < 2; white++) {
        const char *set[] = {"model={type: pca, components: 3}", "data.valid=0", "data.all={scale: none, clip: 0}",
                             "data.header=no", "model.whiten=true"};
        char *out = gr__path_join(folder, white ? "white" : "components");
        gr_run *run;
        gr_model *model;
        gr_metric m[16];
        int n;
        gr_predictions *p;
        gr_prediction row;
        assert_ok(run_with(source, set, 4 + white, out, &run));
        assert_ok(gr_run_train(run, NULL));
        assert_ok(gr_run_evaluate(run, m, 16, &n));
        double share = 0, total = gr_tensor_get(find("pca", "/total"), 0);
        for (int k = 0; k < 3; k++) share += gr_tensor_get(find("pca", "/variance"), k) / total;
        assert_true(fabs(value_of(m, n, "explained_variance") - share) < 1e-5);
        assert_true(fabs(value_of(m, n, "loss") - value_of(m, n, "reconstruction_mse") * 5) < 1e-4);
        assert_true(evaluation_shows(out, "Share of the variance") &&
                    evaluation_shows(out, "What components are made of"));
        gr_run_close(&run);
        assert_ok(gr_model_open(out, &model));
        assert_ok(gr_table_predict(model, source, NULL, &p));
        for (int64_t i = 0; i < 8; i++) {
            assert_true(gr_predictions_get(p, i, &row));
            for (int64_t k = 0; k < 3; k++)
                assert_true(fabs(row.place[k] - gr_tensor_get(find("pca", white ? "/white" : "/said"), i * 3 + k)) <
                            1e-5);
            assert_null(row.label);
        }
        assert_string_equal(gr_model_label(model, 2), "component_2");
        gr_predictions_free(&p);
        gr_model_free(&model);
        gr__free(out);
    }
    gr__str_release(&s);
}

static void bad_configurations_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *text, *set[2], *says;
    } cases[] = {
        {"a,b\n1,2\n3,4\n5,9\n", {"model={type: kmeans, clusters: 8}", NULL}, "fewer than 8 clusters"},
        {"a,b\n1,2\n3,4\n5,9\n",
         {"model={type: pca, components: 3}", NULL},
         "'components' is 3, but a row has 2 numbers"},
        {"a,b\n1,2\n1,2\n1,2\n", {"model=pca", NULL}, "no column that tells rows apart"},
        {"a,b\nu,2\nv,4\nu,9\n", {"model=kmeans", "data.columns={a: {encode: embedding}}"}, "one_hot"},
        {"a,b\n1,2\n3,4\n5,9\n", {"task=unsupervised", "model=tabular"}, "use 'kmeans' or 'pca'"},
        {"a,b\n1,2\n3,4\n5,9\n", {"task=table", NULL}, "'data.target' is missing"},
        {"a,b\n1,2\n3,4\n5,9\n", {"model=kmeans", "data.target=c"}, "'c'"},
        {"a,b\n1,2\n3,4\n5,9\n", {"model=kmeans", "data.balance=over"}, "want a target"},
        {"a,b\n1,2\n3,4\n5,1e39\n",
         {"model=kmeans", "data.all={scale: none, clip: 0}"},
         ":4: 1e+39 in column 'b' is too large"},
    };
    for (size_t i = 0; i < GR__COUNT(cases); i++) {
        gr_run *run = NULL;
        gr__str s = {0};
        gr__str_add(&s, cases[i].text);
        const char *path = written("bad.csv", &s);
        const char *set[] = {"data.valid=0", cases[i].set[0], cases[i].set[1]};
        gr_status status = run_with(path, set, cases[i].set[1] ? 3 : 2, NULL, &run);
        if (status == GR_OK) status = gr_run_train(run, NULL);
        if (status == GR_OK) fail_msg("case %zu was taken", i);
        if (!strstr(gr_message(), cases[i].says)) fail_msg("case %zu says: %s", i, gr_message());
        gr_run_close(&run);
        gr__str_release(&s);
    }
}

static void digits_have_components(void **state)
{
    (void)state;
    const char *pictures = test_data("images/mnist/t10k-first3000-images-idx3-ubyte.gz");
    if (!pictures) skip();
    gr__str s = {0};
    gr__str_printf(&s, "data:\n  source: %s\n", pictures);
    gr__str_printf(&s, "  labels: %s\n", test_data("images/mnist/t10k-first3000-labels-idx1-ubyte.gz"));
    gr__str_add(&s, "  valid: 0\n  size: 14\nmodel: {type: pca, components: 10}\n");
    char *out = gr__path_join(folder, "digits");
    gr_run *run;
    gr_metric m[16];
    int n;
    assert_ok(run_with(written("digits.yaml", &s), NULL, 0, out, &run));
    assert_ok(gr_run_train(run, NULL));
    assert_ok(gr_run_evaluate(run, m, 16, &n));
    assert_true(value_of(m, n, "explained_variance") > 0.5 && value_of(m, n, "explained_variance") < 0.7);
    assert_true(evaluation_shows(out, "Rows, by class"));
    gr_run_close(&run);
    gr__str_release(&s);
    gr__free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eigenvectors_are_what_they_say),
        cmocka_unit_test(kmeans_is_that_of_sklearn),
        cmocka_unit_test(components_are_those_of_sklearn),
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(more_starts_are_no_worse),
        cmocka_unit_test(what_cannot_be_fitted_is_said),
        cmocka_unit_test(heaps_are_found),
        cmocka_unit_test(bf16_is_refused),
        cmocka_unit_test(components_of_a_file),
        cmocka_unit_test(bad_configurations_are_named),
        cmocka_unit_test(digits_have_components),
    };
    folder = test_tmpdir();
    assert_ok(gr__safetensors_open(test_source("tests/golden/fitted.safetensors"), &golden));
    int failed = test_run("fitted", tests, GR__COUNT(tests), NULL, NULL);
    gr__safetensors_close(&golden);
    return failed;
}
