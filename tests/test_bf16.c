/* train.dtype=bf16 with every family that steps train: near f32 before a step, and a step is done. */
#include "tests/run_rig.h"

#include "format/sound.h"
#include "model/family.h"

enum { EDGE = 16, EACH = 6, RATE = 8000 };

static const char *folder;

/* ---- data ---- */

static void write_pictures(const char *name, int frames)
{
    char path[400], bytes[32 + 3 * EDGE * EDGE];
    for (int i = 0; i < 2 * EACH * frames; i++) {
        int k = i / frames, n = snprintf(bytes, sizeof bytes, "P6 %d %d 255\n", EDGE, EDGE);
        for (int p = 0; p < 3 * EDGE * EDGE; p++)
            bytes[n++] = (char)(k % 2 * 90 + (k * 31 + i * 3 + p * 7 + p / EDGE * 13) % 120);
        snprintf(path, sizeof path, "%s/%s/%s%d%s%d.ppm", folder, name, k % 2 ? "dark/" : "light/", k,
                 frames > 1 ? "/" : "_", i % frames);
        char *end = strrchr(path, '/');
        *end = 0;
        assert_ok(gr__dir_make(path));
        test_write(path, end + 1, bytes, (size_t)n);
    }
}

static void write_boxes(void)
{
    static const char *const parts[] = {"boxes/JPEGImages", "boxes/Annotations"};
    char name[64], text[512], bytes[32 + 3 * EDGE * EDGE];
    for (size_t i = 0; i < GR__COUNT(parts); i++) {
        char *path = gr__path_join(folder, parts[i]);
        assert_ok(gr__dir_make(path));
        gr__free(path);
    }
    for (int i = 0; i < EACH; i++) {
        int n = snprintf(bytes, sizeof bytes, "P6 %d %d 255\n", EDGE, EDGE);
        memset(bytes + n, 40 + 20 * i, 3 * EDGE * EDGE);
        snprintf(name, sizeof name, "boxes/JPEGImages/p%d.ppm", i);
        test_write(folder, name, bytes, (size_t)n + 3 * EDGE * EDGE);
        n = snprintf(text, sizeof text,
                     "<annotation><filename>p%d.ppm</filename><object><name>%s</name><bndbox><xmin>2</xmin>"
                     "<ymin>%d</ymin><xmax>11</xmax><ymax>14</ymax></bndbox></object></annotation>\n",
                     i, i % 2 ? "a" : "b", i);
        snprintf(name, sizeof name, "boxes/Annotations/p%d.xml", i);
        test_write(folder, name, text, (size_t)n);
    }
}

static void write_sounds(void)
{
    float room[RATE / 2];
    char name[64];
    gr__str table = {0};
    gr__str_add(&table, "path\ttext\n");
    for (int i = 0; i < EACH; i++) {
        for (int k = 0; k < RATE / 2; k++) room[k] = (float)(0.4 * sin((0.1 + 0.05 * i) * k));
        gr__sound s = {.frames = RATE / 2, .channels = 1, .rate = RATE, .samples = room};
        snprintf(name, sizeof name, "%d.wav", i);
        char *path = gr__path_join(folder, name);
        assert_ok(gr__wav_write(path, &s, false));
        gr__free(path);
        gr__str_printf(&table, "%s\t%s\n", name, i % 2 ? "ab" : "ba");
    }
    test_write(folder, "sounds.tsv", gr__str_get(&table), table.n);
    gr__str_release(&table);
}

static void write_rows(void)
{
    gr__str table = {0}, series = {0}, ratings = {0}, texts = {0};
    gr__str_add(&table, "x,letter,y\n");
    gr__str_add(&series, "t,a,b\n");
    gr__str_add(&ratings, "user,item,rating,time\n");
    gr__str_add(&texts, "label\ttext\n");
    for (int i = 0; i < 60; i++) {
        gr__str_printf(&table, "%d,%c,%s\n", i % 7, 'a' + i % 3, i % 2 ? "yes" : "no");
        gr__str_printf(&series, "%d,%d,%d\n", i, i % 12, (i + 5) % 9);
        gr__str_printf(&ratings, "u%d,i%d,%d,%d\n", i / 6, (3 * i + i / 6) % 20, 1 + i % 5, i);
        gr__str_printf(&texts, "%s\tthe %s is number %d here\n", i % 2 ? "odd" : "even", i % 3 ? "cat" : "dog", i % 5);
    }
    test_write(folder, "table.csv", gr__str_get(&table), table.n);
    test_write(folder, "series.csv", gr__str_get(&series), series.n);
    test_write(folder, "ratings.csv", gr__str_get(&ratings), ratings.n);
    test_write(folder, "texts.tsv", gr__str_get(&texts), texts.n);
    test_write(folder, "corpus.txt", gr__str_get(&texts), texts.n);
    gr__str *const all[] = {&table, &series, &ratings, &texts};
    for (size_t i = 0; i < GR__COUNT(all); i++) gr__str_release(all[i]);
}

/* ---- families ---- */

typedef struct subject {
    const char *task, *source, *set[2], *model[14]; /* model: up to NULL, each begins with the family's name */
} subject;

static const subject subjects[] = {
    {"text-generation",
     "corpus.txt",
     {"tokenizer.type=char"},
     {"gpt, layers: 1, heads: 2, width: 16, context: 12", "llama, layers: 1, heads: 2, width: 16, context: 12",
      "rnn, layers: 1, width: 16, context: 12"}},
    {"vector",
     NULL,
     {"data={source: random, rows: 64, inputs: 3, outputs: 2, targets: normal}"},
     {"mlp, hidden: [16]", "linear", "layers, layers: [{linear: 16}, batch_norm, tanh, linear]"}},
    {"text-classification",
     "texts.tsv",
     {"tokenizer.type=word"},
     {"bert, layers: 1, heads: 2, width: 16, context: 12", "roberta, layers: 1, heads: 2, width: 16, context: 12",
      "distilbert, layers: 1, heads: 2, width: 16, context: 12", "textcnn, width: 16, context: 12",
      "textrnn, width: 16, hidden: 16, context: 12", "bag, width: 16, context: 12"}},
    {"image-classification",
     "pictures",
     {NULL},
     {"lenet", "resnet, depth: 8", "vgg, layers: [1, 1], base: 8, hidden: [16]", "mobilenet",
      "vit, dim: 24, layers: 1, heads: 3",
      "layers, layers: [{conv: 4, padding: 1}, batch_norm, relu, flatten, linear]"}},
    {"object-detection", "boxes", {NULL}, {"detector, base: 8, layers: [1, 1], neck: 16"}},
    {"image-generation",
     "pictures",
     {NULL},
     {"autoencoder, latent: 4, maps: [8, 8]", "vae, latent: 4, maps: [8, 8]", "dcgan, latent: 4, maps: [8, 8]"}},
    {"table", "table.csv", {"data.target=y"}, {"linear", "tabular", "fm, width: 4"}},
    {"speech-recognition",
     "sounds.tsv",
     {"data.features={mels: 16, window_ms: 32, hop_ms: 16}"},
     {"ctc, maps: [8, 8], stride: [2, 1], hidden: 16"}},
    {"clip-classification", "clips", {"data.frames=4"}, {"clip, maps: [4, 8], hidden: 16"}},
    {"forecasting",
     "series.csv",
     {NULL},
     {"dlinear, window: 12, horizon: 3", "lstm_forecast, window: 12, horizon: 3, hidden: 16",
      "patchtst, window: 12, horizon: 3, patch: 4, stride: 2, layers: 1, heads: 2"}},
    {"recommendation",
     "ratings.csv",
     {NULL},
     {"mf, width: 16", "two_tower, width: 16, hidden: [16]", "next_item, width: 16"}},
};

static void steps_in(const subject *s, const char *model, double loss[2])
{
    char task[64], source[500], type[200];
    gr_run *run;
    snprintf(task, sizeof task, "task=%s", s->task);
    snprintf(source, sizeof source, "data.source=%s/%s", folder, s->source);
    snprintf(type, sizeof type, "model={type: %s}", model);
    const char *config = test_write(folder, "config.yaml", "{}\n", 3);
    for (int low = 0; low < 2; low++) {
        const char *set[10] = {task,
                               type,
                               "train.batch=4",
                               "train.epochs=0",
                               "train.steps=1",
                               "train.seed=3",
                               low ? "train.dtype=bf16" : "train.dtype=f32"};
        int n = 7;
        if (s->source) set[n++] = source;
        for (int i = 0; i < 2 && s->set[i]; i++) set[n++] = s->set[i];
        gr_status status = run_with(config, set, n, NULL, &run);
        if (status != GR_OK) fail_msg("%s in %s: %s", model, low ? "bf16" : "f32", gr_message());
        loss[low] = metric_of(run, "loss");
        assert_ok(gr_run_train(run, NULL));
        assert_true(isfinite(metric_of(run, "loss")));
        gr_run_close(&run);
    }
}

static void every_family_steps(void **state)
{
    (void)state;
    bool stepped[64] = {false};
    write_pictures("pictures", 1);
    write_pictures("clips", 4);
    write_boxes();
    write_sounds();
    write_rows();
    for (size_t i = 0; i < GR__COUNT(subjects); i++)
        for (const char *const *m = subjects[i].model; *m; m++) {
            double loss[2];
            const gr__family *f;
            char name[32];
            snprintf(name, sizeof name, "%.*s", (int)strcspn(*m, ","), *m);
            assert_ok(gr__family_find(name, &f));
            steps_in(&subjects[i], *m, loss);
            if (!(fabs(loss[1] - loss[0]) <= 0.02 * fabs(loss[0])))
                fail_msg("%s: the loss is %g in bf16, %g in f32", *m, loss[1], loss[0]);
            for (int k = 0; k < gr__n_families; k++) stepped[k] |= gr__families[k] == f;
        }
    for (int k = 0; k < gr__n_families; k++)
        if (!stepped[k] && gr__families[k]->kind != GR_MODEL_FITTED)
            fail_msg("no case of the family '%s'", gr__families[k]->name);
}

int main(void)
{
    folder = test_tmpdir();
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_family_steps)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    test_rmtree(folder);
    return failed;
}
