/* What a run was fitted with stays: means, bands, columns and the threshold are the checkpoint's, whatever data it is opened with. */
#include "tests/run_rig.h"

#include "base/str.h"
#include "format/sound.h"
#include "gradus/table.h"
#include "model/family.h"
#include "run/run.h"

static const char *folder;

static const char *path_of(const char *name)
{
    static char path[4][4200];
    static int turn;
    snprintf(path[turn = (turn + 1) % 4], sizeof path[0], "%s/%s", folder, name);
    return path[turn];
}

static const char *written(const char *name, const char *text) { return test_write(folder, name, text, strlen(text)); }

static gr_status open_with(const char *source, const char *const *set, const char *more, const char *out, gr_run **run)
{
    const char *all[12];
    int n = 0;
    while (set[n]) all[n] = set[n], n++;
    if (more) all[n++] = more;
    return run_with(source, all, n, out ? path_of(out) : NULL, run);
}

/* Whether the two say the same of their data. */
static bool alike(const gr__conf_doubles *a, const gr__conf_doubles *b)
{
    return a->n == b->n && a->n && memcmp(a->item, b->item, a->n * sizeof *a->item) == 0;
}

static bool same_columns(const gr__columns *a, const gr__columns *b)
{
    bool same = a->n == b->n;
    for (size_t i = 0; same && i < a->n; i++) {
        const gr__column *x = &a->item[i], *y = &b->item[i];
        same = x->kind == GR__COLUMN_CATEGORY ? x->words.n == y->words.n : x->shift == y->shift && x->scale == y->scale;
    }
    return same;
}

static bool same_facts(gr_run *a, gr_run *b)
{
    gr__facts x = gr__model_facts(gr_run_model(a)), y = gr__model_facts(gr_run_model(b));
    if (x.columns) return same_columns(x.columns, y.columns);
    if (x.features) return alike(&x.features->mean, &y.features->mean) && alike(&x.features->std, &y.features->std);
    return alike(&x.mean, &y.mean) && alike(&x.std, &y.std);
}

/* A new run on the other data is fitted otherwise; the trained one is not, also where it goes on. */
static void stays(const char *source, const char *const *set, const char *other, const char *out)
{
    gr_run *first, *fresh, *again;
    assert_ok(open_with(source, set, NULL, out, &first));
    assert_ok(gr_run_train(first, NULL));
    assert_ok(open_with(source, set, other, NULL, &fresh));
    assert_false(same_facts(first, fresh));
    assert_ok(open_with(source, set, other, out, &again));
    assert_true(same_facts(first, again));
    gr_run_close(&first);
    gr_run_close(&fresh);
    gr_run_close(&again);
}

static void add_pictures(const char *set, int light)
{
    for (int i = 0; i < 12; i++) {
        char name[64], text[400];
        int n = snprintf(text, sizeof text, "P2 4 4 255\n");
        for (int k = 0; k < 16; k++)
            n += snprintf(text + n, sizeof text - (size_t)n, "%d ", light + (i * 37 + k * 11) % 90 + i % 2 * 30);
        snprintf(name, sizeof name, "%s/%s/%d.pgm", set, i % 2 ? "odd" : "even", i);
        char *parent = gr__strndup(path_of(name), strlen(path_of(name)) - strlen(strrchr(name, '/')));
        assert_ok(gr__dir_make(parent));
        gr__free(parent);
        written(name, text);
    }
}

static void pictures(void **state)
{
    (void)state;
    static const char *const set[] = {"task=image-classification", "model={type: layers, layers: [flatten, linear]}",
                                      "train.epochs=2", "train.batch=4", NULL};
    char other[4300];
    add_pictures("day", 100);
    add_pictures("night", 10);
    snprintf(other, sizeof other, "data.valid_source=%s", path_of("night"));
    stays(path_of("day"), set, other, "run-pictures"); /* all of 'day' is for training then */
}

static void sounds(void **state)
{
    (void)state;
    static const char *const set[] = {"task=sound-classification",
                                      "model={type: layers, layers: [flatten, linear]}",
                                      "data.features={mels: 8, window_ms: 32, hop_ms: 16}",
                                      "train.epochs=2",
                                      "train.batch=4",
                                      NULL};
    char other[4300];
    for (int i = 0; i < 12; i++) {
        char name[64];
        float room[1000];
        gr__sound s = {.frames = 600 + 30 * i, .channels = 1, .rate = 8000, .samples = room};
        for (int k = 0; k < s.frames; k++) room[k] = (float)sin(0.1 * (1 + i) * k) * 0.1f * (float)(1 + i % 3);
        snprintf(name, sizeof name, "tones/%s", i % 2 ? "odd" : "even");
        assert_ok(gr__dir_make(path_of(name)));
        snprintf(name, sizeof name, "tones/%s/%d.wav", i % 2 ? "odd" : "even", i);
        assert_ok(gr__wav_write(path_of(name), &s, false));
    }
    snprintf(other, sizeof other, "data.valid_source=%s", path_of("tones"));
    stays(path_of("tones"), set, other, "run-sounds");
}

static void series(void **state)
{
    (void)state;
    static const char *const set[] = {"task=forecasting", "model={type: dlinear, window: 6, horizon: 2, average: 3}",
                                      "train.epochs=2", NULL};
    gr__str text = {0}, more = {0};
    gr__str_add(&text, "load\n");
    gr__str_add(&more, "load\n");
    for (int i = 0; i < 80; i++) {
        gr__str_printf(&text, "%d\n", i * 7 % 12 + i);
        gr__str_printf(&more, "%d\n", 100 + i * 7 % 12 - i);
    }
    char source[4200], other[4300];
    snprintf(source, sizeof source, "%s", written("load.csv", gr__str_get(&text)));
    snprintf(other, sizeof other, "data.source=%s", written("later.csv", gr__str_get(&more)));
    stays(source, set, other, "run-series");
    gr__str_release(&text);
    gr__str_release(&more);
}

/* Columns: y is likelier where x is large, and rarer in the other file, so that another threshold is best for it. */
static const char *rows(const char *name, int n, int scale)
{
    gr__str s = {0};
    gr__str_add(&s, "x,kind,y\n");
    for (int i = 0; i < n; i++)
        gr__str_printf(&s, "%d,%c,%s\n", (i * 13 % 40) * scale, 'a' + i % 3,
                       (i * 13 % 40) * scale + i * 7 % 23 > 38 ? "yes" : "no");
    const char *path = written(name, gr__str_get(&s));
    gr__str_release(&s);
    return path;
}

static void tables(void **state)
{
    (void)state;
    static const char *const set[] = {"data.target=y",  "threshold=f1",     "train.epochs=30",
                                      "train.batch=16", "model.hidden=[8]", NULL};
    char source[4200], other[4200], more[4300];
    snprintf(source, sizeof source, "%s", rows("a.csv", 160, 1));
    snprintf(other, sizeof other, "%s", rows("b.csv", 60, 2));
    snprintf(more, sizeof more, "data.test_source=%s", other);
    stays(source, set, more, "run-table");

    gr_run *run;
    gr_model *model;
    gr_metric m[16], own[16];
    int n, k;
    assert_ok(open_with(source, set, more, "run-table", &run));
    assert_ok(gr_run_evaluate(run, m, 16, &n));
    assert_ok(gr_model_open(path_of("run-table"), &model));
    assert_ok(gr_table_score(model, other, NULL, own, 16, &k));
    static const char *const same[] = {"log_loss", "auc", "f1", "threshold"};
    for (size_t i = 0; i < GR__COUNT(same); i++)
        assert_float_equal(value_of(m, n, same[i]), value_of(own, k, same[i]), 1e-6);
    assert_true(value_of(m, n, "best_threshold") != value_of(m, n, "threshold"));
    gr_run_close(&run);
    assert_ok(open_with(source, set, "threshold=youden", "run-table", &run)); /* another wish is tuned */
    assert_ok(gr_run_evaluate(run, own, 16, &k));
    assert_true(value_of(m, n, "threshold") != value_of(own, k, "threshold"));
    gr_run_close(&run);
    gr_model_free(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures),
        cmocka_unit_test(sounds),
        cmocka_unit_test(series),
        cmocka_unit_test(tables),
    };
    folder = test_tmpdir();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
