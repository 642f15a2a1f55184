/* Runs from end to end on small data: training, stopping and going on, broken checkpoints, bad data, numbers that
 * are not finite, full disks, memory, gradients of whole models. */
#include "tests/run_rig.h"

#include "gradus/store.h"
#include "base/file.h"
#include "base/json.h"
#include "gradus/stories.h"
#include "gradus/text.h"
#include "gradus/tools.h"
#include "gradus/train.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif

enum { MOST_SET = 32, STEPS = 12 };

/* ---- settings ---- */

typedef struct settings {
    const char *set[MOST_SET];
    int n;
} settings;

static void add(settings *s, const char *const *more)
{
    for (; more && *more; more++) {
        assert_true(s->n < MOST_SET);
        s->set[s->n++] = *more;
    }
}

static const char *const tiny_gpt[] = {"model.layers=1",
                                       "model.heads=2",
                                       "model.width=16",
                                       "model.context=16",
                                       "tokenizer.type=char",
                                       "train.batch=2",
                                       "train.steps=12",
                                       "train.lr=0.01",
                                       "train.seed=3",
                                       "train.checkpoint_every=4",
                                       "train.eval_every=5",
                                       "data.valid=0.2",
                                       NULL};
static const char *const everything[] = {"model.dropout=0.1", "train.accumulate=2", "train.ema=0.9", "train.clip=0.5",
                                         NULL};
static const char *const tiny_mlp[] = {"model.type=mlp",
                                       "model.hidden=[8]",
                                       "data.target=y",
                                       "data.valid=0.2",
                                       "train.batch=8",
                                       "train.steps=12",
                                       "train.lr=0.01",
                                       "train.seed=3",
                                       "train.checkpoint_every=4",
                                       "train.eval_every=5",
                                       NULL};

static char *stories;
static size_t stories_bytes;
static const char *folder; /* of this program's files */

static const char *csv(void)
{
    static char path[4096];
    char text[4096];
    size_t n = (size_t)snprintf(text, sizeof text, "a,b,y\n");
    for (int i = 0; i < 50; i++) {
        double a = sin(i), b = cos(3 * i);
        n += (size_t)snprintf(text + n, sizeof text - n, "%.4f,%.4f,%.4f\n", a, b, 2 * a - 3 * b + 0.1);
    }
    snprintf(path, sizeof path, "%s", test_write(folder, "table.csv", text, n));
    return path;
}

static gr_status open_run(const char *source, const settings *s, const char *out, gr_run **run)
{
    gr_run_options o = {.overrides = s->set, .n_overrides = s->n, .out = out, .no_write = out == NULL};
    if (!source) o.text = stories, o.text_bytes = stories_bytes;
    return gr_run_open(source, &o, run);
}

/* ---- hooks ---- */

typedef struct watch {
    int64_t stop_after; /* steps of this call; 0: never */
    int64_t die_at;     /* step at which the process ends at once */
    int64_t steps, skipped, validations;
    bool stop_in_validation;
    double first, last, valid; /* losses */
} watch;

static void watch_event(void *user, gr_run_event event, const gr_progress *p, const char *text)
{
    watch *w = user;
    (void)text;
    if (event == GR_EVENT_VALID) w->valid = p->valid_loss, w->validations++;
    if (event != GR_EVENT_STEP) return;
    if (w->steps++ == 0) w->first = p->loss;
    w->last = p->loss;
    w->skipped = p->skipped;
    if (w->die_at && p->step == w->die_at) _exit(9);
}

static bool watch_stop(void *user)
{
    const watch *w = user;
    return (w->stop_in_validation && w->validations) || (w->stop_after && w->steps >= w->stop_after);
}

static gr_status train(gr_run *run, watch *w)
{
    return gr_run_train(run, &(gr_train_hooks){.user = w, .event = watch_event, .stop = watch_stop});
}

/* Opened, trained, closed. */
static gr_status go(const char *source, const settings *s, const char *out, watch *w)
{
    gr_run *run;
    gr_status status = open_run(source, s, out, &run);
    if (status != GR_OK) return status;
    w->steps = 0;
    status = train(run, w);
    gr_run_close(&run);
    return status;
}

static const char *sub(const char *name)
{
    static char path[8][4200];
    static unsigned turn;
    char *p = path[turn++ % 8];
    snprintf(p, sizeof path[0], "%s/%s", folder, name);
    test_rmtree(p);
    return p;
}

/* ---- training ---- */

static void learns_text(void **state)
{
    (void)state;
    settings s = {.n = 0};
    watch w = {.steps = 0};
    const char *out = sub("learns"), *const more[] = {"train.steps=60", NULL};
    add(&s, tiny_gpt);
    add(&s, more);
    gr_run *run;
    assert_ok(open_run(NULL, &s, out, &run));
    gr_run_plan p = gr_run_describe(run);
    assert_string_equal(p.task, "text-generation");
    assert_true(p.steps == 60 && p.batch == 2 && p.start_step == 0 && p.parameters > 0 && p.vocab > 10);
    assert_true(p.units_per_step == 32 && p.flops_per_step > 0);
    assert_ok(train(run, &w));
    assert_true(w.last < 0.8 * w.first && w.valid < 0.9 * w.first);
    gr_metric m[8];
    int n;
    assert_ok(gr_run_evaluate(run, m, 8, &n));
    assert_true(n == 3 && strcmp(m[0].name, "loss") == 0 && fabs(m[1].value - exp(m[0].value)) < 1e-6 * m[1].value);
    char *text;
    assert_ok(gr_generate(gr_run_model(run), "The", &(gr_generate_options){.max_tokens = 8}, NULL, NULL, &text, NULL));
    gr_text_free(text);
    gr_run_close(&run);
    static const char *const files[] = {"config.yaml", "config.json", "tokenizer.json", "model.safetensors",
                                        "metrics.jsonl"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[4300];
        snprintf(path, sizeof path, "%s/%s", out, files[i]);
        if (!gr__file_exists(path)) fail_msg("no %s", files[i]);
    }
}

/* What a tokenizer does not know is no text less: the bits are those of the bytes that were there. */
static void bits_are_of_the_source(void **state)
{
    (void)state;
    static const char *const types[] = {"tokenizer.type=char", "tokenizer.type=word"};
    static const char *const source[] = {"\xE3\x81\x82\xE3\x81\x84 \xE3\x81\x86\xE3\x81\x88",
                                         "  \xE3\x81\x82\xE3\x81\x84   The  \xE3\x81\x86"};
    static const int64_t behind_first[] = {10, 11};
    for (int i = 0; i < 2; i++) {
        settings s = {.n = 0};
        watch w = {.steps = 0};
        gr_model *m;
        gr_lm_score a, b;
        const char *out = sub("bits"), *const more[] = {types[i], "train.steps=1", NULL};
        const char *text = test_write(folder, "other.txt", source[i], strlen(source[i]));
        add(&s, tiny_gpt);
        add(&s, more);
        assert_ok(go(NULL, &s, out, &w));
        assert_ok(gr_model_open(out, &m));
        assert_ok(gr_model_score_text(m, text, NULL, &a));
        assert_int_equal(a.bytes, behind_first[i]);
        double bits = a.loss * (double)a.tokens / log(2) / (double)behind_first[i];
        assert_true(fabs(a.bits_per_byte - bits) < 1e-9);
        int32_t unk = gr_tokenizer_special_ids(gr_model_tokenizer(m)).unk;
        assert_ok(gr_model_score(m, (const int32_t[]){0, unk, 1}, 3, NULL, &b));
        assert_true(isnan(b.bits_per_byte) && b.bytes == 0 && b.loss > 0);
        assert_ok(gr_model_score(m, (const int32_t[]){unk, 3, 4}, 3, NULL, &b)); /* the first is not scored */
        assert_true(b.bits_per_byte > 0 && b.bytes > 0);
        gr_model_free(&m);
        gr_run *run;
        char setting[4300];
        snprintf(setting, sizeof setting, "data.valid_source=%s", text);
        s.set[s.n++] = setting;
        assert_ok(open_run(NULL, &s, out, &run));
        gr_metric metric[8];
        int n;
        assert_ok(gr_run_evaluate(run, metric, 8, &n));
        assert_true(fabs(value_of(metric, n, "bits_per_byte") - a.bits_per_byte) < 1e-4 * a.bits_per_byte);
        gr_run_close(&run);
    }
}

static void documents_in_both_parts_are_told(void **state)
{
    (void)state;
    settings s = {.n = 0};
    char text[3000], same[4300];
    gr_run *run;
    for (size_t i = 0; i < sizeof text; i++) text[i] = "to be or not "[(i * i + i / 7) % 13];
    snprintf(same, sizeof same, "data.valid_source=%s", test_write(folder, "twin.txt", text, sizeof text));
    add(&s, tiny_gpt);
    s.set[s.n++] = same;
    assert_ok(open_run(test_write(folder, "text.txt", text, sizeof text), &s, NULL, &run));
    assert_non_null(gr_run_report(run));
    assert_non_null(
        strstr(gr_run_report(run), "note: 1 document of the validation part stands in the training part too"));
    gr_run_close(&run);
    text[9] = '.';
    assert_ok(open_run(test_write(folder, "text.txt", text, sizeof text), &s, NULL, &run));
    assert_null(gr_run_report(run));
    gr_run_close(&run);
}

static void learns_table(void **state)
{
    (void)state;
    settings s = {.n = 0};
    watch w = {.steps = 0};
    const char *const more[] = {"train.steps=80", "train.lr=0.03", NULL};
    add(&s, tiny_mlp);
    add(&s, more);
    assert_ok(go(csv(), &s, NULL, &w));
    assert_true(w.last < 0.3 * w.first && w.valid < 0.3 * w.first);
}

/* ---- stopping and going on ---- */

static void straight_and_stopped(const char *source, const settings *s, const char *name)
{
    watch w = {.steps = 0};
    char a[64], b[64];
    snprintf(a, sizeof a, "%s-straight", name);
    const char *whole = sub(a);
    assert_ok(go(source, s, whole, &w));
    static const int64_t every[] = {1, 3, 5};
    for (size_t i = 0; i < sizeof every / sizeof *every; i++) {
        snprintf(b, sizeof b, "%s-stopped-%d", name, (int)every[i]);
        const char *parts = sub(b);
        w.stop_after = every[i];
        gr_status status;
        int times = 0;
        while ((status = go(source, s, parts, &w)) == GR_ERR_STOPPED) assert_true(++times <= STEPS);
        assert_ok(status);
        assert_int_equal(times, STEPS / every[i]); /* the last one within the last validation */
        assert_same_run(whole, parts);
        w.stop_after = 0;
    }
}

static void resumes_text(void **state)
{
    settings s = {.n = 0};
    const char *const bf16[] = {"train.dtype=bf16", NULL}, *const none[] = {NULL};
    add(&s, tiny_gpt);
    add(&s, everything);
    add(&s, *state ? bf16 : none);
    straight_and_stopped(NULL, &s, *state ? "bf16" : "f32");
}

static void resumes_table(void **state)
{
    (void)state;
    settings s = {.n = 0};
    const char *const more[] = {"train.early_stop={patience: 50}",
                                "train.lr={peak: 0.01, schedule: reduce_on_plateau, patience: 1}", NULL};
    add(&s, tiny_mlp);
    add(&s, more);
    straight_and_stopped(csv(), &s, "table");
}

/* Who asks while a validation runs waits for no other step. */
static void stops_behind_a_validation(void **state)
{
    (void)state;
    watch w = {.stop_in_validation = true};
    const char *const more[] = {"train.eval_every=1", NULL};
    settings s = {.n = 0};
    add(&s, tiny_mlp);
    add(&s, more);
    assert_int_equal(go(csv(), &s, sub("behind"), &w), GR_ERR_STOPPED);
    assert_int_equal(w.steps, 1);
    assert_int_equal(w.validations, 1);
}

/* A run that stopped early is at its end: the same call only writes the model again. */
static void stops_early(void **state)
{
    (void)state;
    settings s = {.n = 0};
    watch w = {.steps = 0};
    const char *out = sub("early"), *source = csv();
    const char *const more[] = {"train.early_stop={patience: 2, min_delta: 1e6}", "train.eval_every=1", NULL};
    add(&s, tiny_mlp);
    add(&s, more);
    assert_ok(go(source, &s, out, &w));
    assert_int_equal(w.steps, 3); /* the first validation is the best one, and two more are no better */
    size_t n, m;
    char *before = read_all(out, "model.safetensors", &n);
    assert_ok(go(source, &s, out, &w));
    assert_int_equal(w.steps, 0);
    char *after = read_all(out, "model.safetensors", &m);
    assert_true(n == m && memcmp(before, after, n) == 0);
    gr_text_free(before);
    gr_text_free(after);
}

/* The same process goes on after a stop, also where nothing is written. */
static bool same_model(const char *a, const char *b)
{
    size_t n, m;
    char *x = read_all(a, "model.safetensors", &n), *y = read_all(b, "model.safetensors", &m);
    bool same = n == m && memcmp(x, y, n) == 0;
    gr_text_free(x);
    gr_text_free(y);
    return same;
}

/* The first validation is the best one here: its weights are the model in the end, and what a longer run goes on from. */
static void best_comes_back(void **state)
{
    (void)state;
    const char *early = sub("best"), *last = sub("last"), *one = sub("one"), *source = csv();
    const char *const stop[] = {"train.early_stop={patience: 2, min_delta: 1e6}", "train.eval_every=1", NULL},
                      *const no[] = {"train.best=no", NULL}, *const single[] = {"train.steps=1", NULL};
    settings s = {.n = 0}, kept = {.n = 0}, short_one = {.n = 0};
    watch w = {.steps = 0};
    gr_run *run;
    add(&s, tiny_mlp);
    add(&s, stop);
    kept = short_one = s;
    add(&kept, no);
    add(&short_one, single);
    assert_ok(go(source, &s, early, &w));
    assert_ok(go(source, &kept, last, &w));
    assert_ok(go(source, &short_one, one, &w));
    assert_true(same_model(early, one));
    assert_false(same_model(last, one));
    assert_ok(open_run(source, &s, early, &run)); /* evaluating looks at the checkpoint */
    double back = metric_of(run, "loss");
    gr_run_close(&run);
    assert_ok(open_run(source, &short_one, one, &run));
    assert_true(metric_of(run, "loss") == back);
    gr_run_close(&run);
    assert_ok(go(source, &s, early, &w));
    assert_int_equal(w.steps, 0);
    assert_true(same_model(early, one));
}

/* ---- keys that would do nothing ---- */

static void idle_keys_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *set[2], *says;
    } c[] = {
        {{"train.optimizer={type: sgd, beta1: 0.5}"}, "'beta1' says nothing to the optimiser 'sgd'"},
        {{"train.optimizer={type: adamw, momentum: 0.5}"}, "'momentum' says nothing to the optimiser 'adamw'"},
        {{"train.optimizer.alpha=0.5"}, "'alpha' says nothing to the optimiser 'adam'"},
        {{"train.lr={peak: 0.1, schedule: cosine, factor: 0.5}"}, "'factor' says nothing to the schedule 'cosine'"},
        {{"train.lr.patience=3"}, "'patience' says nothing to the schedule 'constant'"},
        {{"train.lr.min=0.3"}, "train.lr.min is 0.3, above the peak, 0.01"},
        {{"train.groups=[{match: nothing, lr: 0.1}]"}, "make the group optional"},
        {{"train.groups=[{match: nothing, lr: 0.1, optional: true}]"}, NULL},
        {{"train.early_stop=2", "data.valid=0"}, NULL}, /* these rows are scored where there are no others */
    };
    for (size_t i = 0; i < GR__COUNT(c); i++) {
        settings s = {.n = 0};
        gr_run *run;
        add(&s, tiny_mlp);
        for (int k = 0; k < 2 && c[i].set[k]; k++) s.set[s.n++] = c[i].set[k];
        if (c[i].says) {
            assert_fails(open_run(csv(), &s, NULL, &run), GR_ERR_CONFIG, c[i].says);
        } else {
            assert_ok(open_run(csv(), &s, NULL, &run));
            gr_run_close(&run);
        }
    }
    settings s = {.n = 0};
    gr_run *run;
    add(&s, tiny_gpt);
    s.set[s.n++] = "train.early_stop=2", s.set[s.n++] = "data.valid=0";
    assert_fails(open_run(NULL, &s, NULL, &run), GR_ERR_CONFIG, "nothing is left for them");
}

/* The defaults of language models are only that. */
static void rates_as_told(void **state)
{
    (void)state;
    static const char *const set[][2] = {
        {"train.lr.min=0"}, {"train.lr.warmup=0"}, {"train.lr.warmup=0", "train.lr.min=0"}, {NULL}};
    double last[4];
    for (int i = 0; i < 4; i++) {
        settings s = {.n = 0};
        watch w = {.steps = 0};
        const char *out = sub("rates");
        add(&s, tiny_gpt);
        for (int k = 0; k < 2 && set[i][k]; k++) s.set[s.n++] = set[i][k];
        s.set[s.n++] = "train.steps=40";
        assert_ok(go(NULL, &s, out, &w));
        last[i] = w.last;
    }
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < i; k++) assert_true(last[i] != last[k]);
}

static void same_object_goes_on(void **state)
{
    (void)state;
    settings s = {.n = 0};
    watch w = {.steps = 0}, whole = {.steps = 0};
    gr_run *run;
    add(&s, tiny_mlp);
    assert_ok(go(csv(), &s, NULL, &whole));
    assert_ok(open_run(csv(), &s, NULL, &run));
    w.stop_after = 5;
    assert_fails(train(run, &w), GR_ERR_STOPPED, "step 5 of 12");
    w.stop_after = 0;
    assert_ok(train(run, &w));
    assert_true(w.steps == STEPS && w.last == whole.last);
    gr_run_close(&run);
}

/* A process that dies at once goes on from its last checkpoint. */
static void killed(void **state)
{
    (void)state;
    settings s = {.n = 0};
    watch w = {.steps = 0};
    add(&s, tiny_gpt);
    add(&s, everything);
    const char *whole = sub("whole"), *out = sub("killed");
    assert_ok(go(NULL, &s, whole, &w));
    static const int64_t die[] = {3, 7, 12};
    for (size_t i = 0; i < sizeof die / sizeof *die; i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            w.die_at = die[i];
            go(NULL, &s, out, &w);
            _exit(0);
        }
        int how;
        assert_true(waitpid(child, &how, 0) == child && WIFEXITED(how) && WEXITSTATUS(how) == 9);
    }
    assert_ok(go(NULL, &s, out, &w));
    assert_same_run(whole, out);
}

/* ---- broken checkpoints ---- */

static void flip(const char *dir, const char *name)
{
    size_t n;
    char *bytes = read_all(dir, name, &n), path[4200];
    bytes[n - 3] ^= 4;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "wb");
    assert_true(f && fwrite(bytes, 1, n, f) == n && fclose(f) == 0);
    gr_text_free(bytes);
}

static void broken_checkpoint(void **state)
{
    (void)state;
    settings s = {.n = 0};
    watch w = {.steps = 0};
    gr_run *run;
    add(&s, tiny_gpt);
    const char *whole = sub("whole"), *out = sub("broken");
    assert_ok(go(NULL, &s, whole, &w));
    w.stop_after = 10;
    assert_fails(go(NULL, &s, out, &w), GR_ERR_STOPPED, "step 10");
    w.stop_after = 0;
    flip(out, "checkpoints/step-00000010.safetensors");
    assert_ok(open_run(NULL, &s, out, &run));
    int64_t start = gr_run_describe(run).start_step;
    assert_true(start > 0 && start < 10);
    assert_ok(train(run, &w));
    gr_run_close(&run);
    assert_same_run(whole, out);

    out = sub("broken-all");
    w.stop_after = 2;
    assert_fails(go(NULL, &s, out, &w), GR_ERR_STOPPED, "step 2");
    flip(out, "checkpoints/step-00000002.safetensors");
    assert_fails(open_run(NULL, &s, out, &run), GR_ERR_CORRUPT, "--fresh");
    gr_run_options fresh = {.overrides = s.set,
                            .n_overrides = s.n,
                            .out = out,
                            .fresh = true,
                            .text = stories,
                            .text_bytes = stories_bytes};
    assert_ok(gr_run_open(NULL, &fresh, &run));
    assert_true(gr_run_describe(run).start_step == 0);
    gr_run_close(&run);
}

static bool change_told(const gr_run *run, const char *line)
{
    for (int i = 0; gr_run_change(run, i); i++)
        if (strcmp(gr_run_change(run, i), line) == 0) return true;
    return false;
}

static void changed_configuration(void **state)
{
    (void)state;
    settings s = {.n = 0}, t = {.n = 0};
    watch w = {.stop_after = 4};
    gr_run *run;
    const char *out = sub("changed"), *const before[] = {"train.clip=0.7", NULL},
               *const after[] = {"train.lr=0.02", "train.batch=3", "data.valid=0.4", NULL};
    add(&s, tiny_gpt);
    add(&s, before);
    add(&t, tiny_gpt);
    add(&t, after);
    assert_fails(go(NULL, &s, out, &w), GR_ERR_STOPPED, NULL);
    assert_ok(open_run(NULL, &t, out, &run));
    assert_true(gr_run_describe(run).start_step == 4);
    assert_true(change_told(run, "train.lr: 0.01 -> 0.02"));
    assert_true(change_told(run, "train.batch: 2 -> 3"));
    assert_true(change_told(run, "train.clip: 0.7 -> (default)"));
    assert_true(strncmp(gr_run_change(run, 0), "samples for training: ", 22) == 0);
    assert_false(change_told(run, "train.seed: 3 -> 3"));
    gr_run_close(&run);
    settings other = {.n = 0};
    const char *const words[] = {"tokenizer.type=byte", NULL};
    add(&other, tiny_gpt);
    add(&other, words);
    assert_fails(open_run(NULL, &other, out, &run), GR_ERR_CONFIG, "'tokenizer.type' was");
    const char *const wider[] = {"model.width=32", NULL};
    add(&t, wider);
    assert_ok(open_run(NULL, &t, out, &run));
    w.stop_after = 0;
    assert_fails(train(run, &w), GR_ERR_CONFIG, "--fresh");
    gr_run_close(&run);
}

/* A corpus of the same size with other text in it, and a checkpoint that has no fingerprint. */
static void changed_corpus(void **state)
{
    (void)state;
    static const char note[] = "data for training: as many samples, but others";
    settings s = {.n = 0};
    watch w = {.stop_after = 4};
    gr_run *run;
    static char text[2400];
    for (size_t i = 0; i < sizeof text; i++) text[i] = "abc \n"[i * i % 11 % 5];
    const char *out = sub("changed-corpus"), *source = test_write(folder, "corpus.txt", text, sizeof text);
    add(&s, tiny_gpt);
    assert_fails(go(source, &s, out, &w), GR_ERR_STOPPED, NULL);
    assert_ok(open_run(source, &s, out, &run));
    assert_null(gr_run_change(run, 0));
    gr_run_close(&run);
    text[7] = text[7] == 'a' ? 'b' : 'a';
    test_write(folder, "corpus.txt", text, sizeof text);
    assert_ok(open_run(source, &s, out, &run));
    assert_string_equal(gr_run_change(run, 0), note);
    assert_null(gr_run_change(run, 1));
    gr_run_close(&run);
    size_t n;
    char *manifest = read_all(out, "checkpoints/step-00000004.json", &n), *key = strstr(manifest, "\"data\"");
    assert_non_null(key);
    key[1] = 'x';
    test_write(out, "checkpoints/step-00000004.json", manifest, n);
    gr_text_free(manifest);
    assert_ok(open_run(source, &s, out, &run));
    assert_null(gr_run_change(run, 0));
    gr_run_close(&run);
}

/* A second run in the same folder, what a killed writer left, and a tokenizer of a run that made no checkpoint. */
static void folder_in_use(void **state)
{
    (void)state;
    settings s = {.n = 0}, t = {.n = 0};
    watch w = {.stop_after = 0};
    gr_run *run, *second;
    const char *out = sub("in-use"), *const many[] = {"tokenizer.type=bpe", "tokenizer.vocab_size=300", NULL},
               *const few[] = {"tokenizer.type=bpe", "tokenizer.vocab_size=280", NULL};
    add(&s, tiny_gpt);
    add(&s, many);
    int other;
    assert_ok(open_run(NULL, &s, out, &run));
    assert_ok(gr__dir_lock(out, &other));
    assert_fails(train(run, &w), GR_ERR_IO, "in use by another run");
    assert_ok(open_run(NULL, &s, out, &second)); /* who only looks */
    gr_run_close(&second);
    gr__dir_unlock(&other);
    gr_run_close(&run);
    char path[600];
    snprintf(path, sizeof path, "%s/checkpoints", out);
    assert_ok(gr__dir_make(path));
    snprintf(path, sizeof path, "%s/checkpoints/step-00000003.safetensors.tmp-77", out);
    assert_ok(gr__file_write(path, "x", 1));
    add(&t, tiny_gpt);
    add(&t, few);
    assert_ok(open_run(NULL, &t, out, &run));
    assert_true(gr__file_exists(path));
    assert_ok(train(run, &w));
    assert_false(gr__file_exists(path));
    gr_run_close(&run);
    gr_tokenizer *tok;
    assert_ok(gr_tokenizer_open(out, &tok));
    assert_int_equal(gr_tokenizer_vocab_size(tok), 280);
    gr_tokenizer_close(&tok);
}

static void note_line(void *user, gr_log_level level, const char *line)
{
    (void)level;
    snprintf(user, 300, "%.299s", line);
}

/* Texts of a folder that cannot be read are named, and end the opening unless they are to be left out. */
static void unreadable_texts(void **state)
{
    (void)state;
    static const char *const bad[] = {"gone.txt", "pipe.md"}, *const why[] = {"a link to nothing", "no regular file"};
    char dir[4200], path[4300], said[300] = "";
    snprintf(dir, sizeof dir, "%s", sub("texts"));
    assert_ok(gr__dir_make(dir));
    test_write(dir, "a.txt", stories, stories_bytes);
    snprintf(path, sizeof path, "%s/folder", dir);
    assert_int_equal(symlink("..", path), 0);
    gr_set_log(note_line, said, GR_LOG_WARNING);
    for (int i = 0; i < 2; i++) {
        settings s = {.n = 0}, skip = {.n = 0};
        const char *const more[] = {"data.skip_bad=true", NULL};
        gr_run *run;
        add(&s, tiny_gpt);
        add(&skip, tiny_gpt);
        add(&skip, more);
        snprintf(path, sizeof path, "%s/%s", dir, bad[i]);
        assert_int_equal(i ? mkfifo(path, 0600) : symlink("no file", path), 0);
        assert_fails(open_run(dir, &s, NULL, &run), GR_ERR_DATA, why[i]);
        assert_non_null(strstr(said, "folder' is a link to a folder, which is not followed"));
        assert_ok(open_run(dir, &skip, NULL, &run));
        gr_run_close(&run);
        assert_true(strstr(said, "left out: ") && strstr(said, bad[i]));
        assert_ok(gr__file_remove(path));
        said[0] = 0;
    }
    gr_set_log(NULL, NULL, GR_LOG_WARNING);
}

/* What writers that were killed left is removed, the user's own files are not; a log that lost its end goes on in whole lines. */
static void left_by_others(void **state)
{
    (void)state;
    static const char *const gone[] = {"checkpoints/step-00000099.safetensors", "data/train.tokens.tmp-12",
                                       "config.yaml.tmp-9.1"},
                             *const kept[] = {"mine.tmp-9", "config.yaml.tmp-old", "data/train.tokens"};
    settings s = {.n = 0};
    watch w = {.stop_after = 6};
    const char *out = sub("left");
    char path[4300], said[300] = "";
    add(&s, tiny_gpt);
    assert_int_equal(go(NULL, &s, out, &w), GR_ERR_STOPPED);
    for (size_t i = 0; i < GR__COUNT(gone); i++) test_write(out, gone[i], "x", 1);
    for (size_t i = 0; i < 2; i++) test_write(out, kept[i], "x", 1);
    size_t n;
    char *log = read_all(out, "metrics.jsonl", &n);
    test_write(out, "metrics.jsonl", log, n - 40); /* within the last line */
    gr_text_free(log);
    w.stop_after = 0;
    gr_set_log(note_line, said, GR_LOG_WARNING);
    assert_ok(go(NULL, &s, out, &w));
    gr_set_log(NULL, NULL, GR_LOG_WARNING);
    assert_non_null(strstr(said, "metrics.jsonl' is shorter than it was"));
    log = read_all(out, "metrics.jsonl", &n);
    for (char *line = log, *end; (end = strchr(line, '\n')); line = end + 1) {
        gr__json_doc *doc = NULL;
        assert_ok(gr__json_parse(line, (size_t)(end - line), "line", &doc));
        gr__json_free(&doc);
    }
    assert_true(log[n - 1] == '\n');
    gr_text_free(log);
    for (size_t i = 0; i < GR__COUNT(gone) + GR__COUNT(kept); i++) {
        bool stays = i >= GR__COUNT(gone);
        const char *name = stays ? kept[i - GR__COUNT(gone)] : gone[i];
        snprintf(path, sizeof path, "%s/%s", out, name);
        if (gr__file_exists(path) != stays) fail_msg("'%s' %s", name, stays ? "is gone" : "is there");
    }
}

static bool move_away(void *user)
{
    char away[4300];
    snprintf(away, sizeof away, "%s-away", (const char *)user);
    rename(user, away);
    return false;
}

static void folder_moves(void **state)
{
    (void)state;
    settings s = {.n = 0};
    gr_run *run;
    const char *out = sub("moves");
    add(&s, tiny_gpt);
    assert_ok(open_run(NULL, &s, out, &run));
    assert_fails(gr_run_train(run, &(gr_train_hooks){.user = (void *)(uintptr_t)out, .stop = move_away}), GR_ERR_IO,
                 "was removed or moved away while it was written to");
    gr_run_close(&run);
    assert_false(gr__file_exists(out));
}

/* ---- a section that stands for its main value ---- */

static void type_stays(void **state)
{
    (void)state;
    static const struct {
        const char *set[4], *family;
    } c[] = {
        {{"model=rnn", "model.width=16", "model.context=16"}, "rnn"},
        {{"model=llama", "model.width=16", "model.heads=2", "model.context=16"}, "llama"},
        {{"model=linear", "data.target=c", "task=table"}, "linear"},
        {{"model=fm", "data.target=c", "task=table", "model.width=4"}, "fm"},
        {{"model=linear", "model.bias=false", "data.target=[c]", "task=vector"}, "linear"},
        {{"data.target=[c]", "task=vector"}, "mlp"},
        {{"model=pca", "model.components=1", "task=unsupervised"}, "pca"},
    };
    char table[1200];
    int n = snprintf(table, sizeof table, "a,b,c\n");
    for (int i = 0; i < 40; i++)
        n += snprintf(table + n, sizeof table - (size_t)n, "%d,%d,%d.5\n", i % 7, i * 3 % 11, i);
    for (size_t i = 0; i < GR__COUNT(c); i++) {
        bool text = i < 2;
        gr_run *run;
        gr_run_options o = {.overrides = c[i].set, .no_write = true};
        while (o.n_overrides < 4 && c[i].set[o.n_overrides]) o.n_overrides++;
        if (text) o.text = stories, o.text_bytes = stories_bytes;
        assert_ok(gr_run_open(text ? NULL : test_write(folder, "type.csv", table, (size_t)n), &o, &run));
        assert_string_equal(gr_model_family(gr_run_model(run)), c[i].family);
        gr_run_close(&run);
    }
}

/* ---- bad data ---- */

static void bad_data(void **state)
{
    (void)state;
    settings s = {.n = 0};
    gr_run *run;
    add(&s, tiny_gpt);
    gr_run_options o = {.overrides = s.set, .n_overrides = s.n, .no_write = true, .text = "too short", .text_bytes = 9};
    assert_fails(gr_run_open(NULL, &o, &run), GR_ERR_DATA, "context of 16");
    assert_non_null(strstr(gr_message(), "model.context=3"));
    o.text = "xy", o.text_bytes = 2; /* no context is short enough */
    assert_fails(gr_run_open(NULL, &o, &run), GR_ERR_DATA, "at least 2 are needed; use a longer text");
    assert_null(strstr(gr_message(), "model.context"));
    o.text = "", o.text_bytes = 0;
    assert_fails(gr_run_open(NULL, &o, &run), GR_ERR_DATA, "empty");
    assert_fails(gr_run_open(test_write(folder, "empty.txt", "", 0), &o, &run), GR_ERR_DATA, "empty.txt");
    assert_fails(gr_run_open(test_write(folder, "bad.txt", "good \xff bad", 10), &o, &run), GR_ERR_DATA, "UTF-8");
    o.text = "good \xff bad and long enough to be a text", o.text_bytes = strlen(o.text);
    assert_fails(gr_run_open(NULL, &o, &run), GR_ERR_DATA, "UTF-8");
    assert_fails(gr_run_open("/nowhere/at/all.txt", &o, &run), GR_ERR_NOT_FOUND, "/nowhere/at/all.txt");
    o.text = NULL;
    assert_fails(gr_run_open(NULL, &o, &run), GR_ERR_ARGUMENT, NULL);
    o.text = stories, o.text_bytes = stories_bytes;
    s.set[s.n] = "train.stesp=3";
    o.n_overrides = s.n + 1;
    assert_fails(gr_run_open(NULL, &o, &run), GR_ERR_CONFIG, "did you mean 'steps'");
    s.set[s.n] = "model.heads=3";
    assert_fails(gr_run_open(NULL, &o, &run), GR_ERR_CONFIG, "heads");
    const char *table = test_write(folder, "bad.csv", "a,y\n1,2\nx,3\n", 12);
    const char *const set[] = {"model.type=mlp", "data.target=y"};
    o = (gr_run_options){.overrides = set, .n_overrides = 2, .no_write = true};
    assert_fails(gr_run_open(table, &o, &run), GR_ERR_DATA, "bad.csv");
}

/* A start that fails leaves no new folder, and of an old one nothing that was there goes. */
static void failed_start(void **state)
{
    (void)state;
    settings s = {.n = 0}, gone = {.n = 0};
    gr_run *run;
    char empty[4200], path[4300];
    const char *out = sub("failed"), *source = test_write(folder, "short.txt", "too short", 9),
               *const nowhere[] = {"data.valid_source=/nowhere.txt", NULL};
    add(&s, tiny_gpt);
    add(&gone, tiny_gpt);
    add(&gone, nowhere);
    snprintf(empty, sizeof empty, "%s", sub("empty"));
    assert_ok(gr__dir_make(empty));
    assert_fails(open_run(NULL, &gone, out, &run), GR_ERR_NOT_FOUND, "/nowhere.txt");
    assert_false(gr__file_exists(out));
    assert_fails(open_run(empty, &s, out, &run), GR_ERR_DATA, "holds no text");
    assert_false(gr__file_exists(out));
    assert_fails(open_run(source, &s, out, &run), GR_ERR_DATA,
                 "no more than the context"); /* its tokens were written */
    assert_false(gr__file_exists(out));
    snprintf(path, sizeof path, "%s", test_write(empty, "tokenizer.json", "mine", 4));
    assert_fails(open_run(NULL, &gone, empty, &run), GR_ERR_NOT_FOUND, "/nowhere.txt");
    assert_true(gr__file_exists(path));
}

/* ---- numbers that are not finite ---- */

static void not_finite(void **state)
{
    (void)state;
    settings s = {.n = 0};
    watch w = {.steps = 0};
    gr_run *run;
    const char *out = sub("nonfinite"), *const more[] = {"train.lr=1e6", "model.hidden=[8,8,8,8]", NULL},
               *const skip_too[] = {"train.nonfinite=skip", NULL};
    add(&s, tiny_mlp);
    add(&s, more);
    assert_fails(go(csv(), &s, out, &w), GR_ERR_NUMERIC, "not finite");
    assert_non_null(strstr(gr_message(), "step "));
    assert_non_null(strstr(gr_message(), "nonfinite=skip"));
    add(&s, skip_too);
    out = sub("skipped");
    assert_ok(open_run(csv(), &s, out, &run));
    assert_ok(train(run, &w));
    assert_true(w.skipped > 0);
    gr_store *store = gr_model_store(gr_run_model(run));
    const char *path;
    gr_tensor t;
    for (size_t i = 0; gr_store_at(store, i, &path, &t); i++)
        for (int64_t k = 0; k < gr_tensor_count(&t); k++)
            if (!isfinite(gr_tensor_get(&t, k))) fail_msg("%s is not finite", path);
    gr_run_close(&run);
}

/* ---- disks ---- */

typedef struct fault {
    const char *call, *part; /* NULL: any */
    int64_t after;           /* calls that still succeed */
    bool once;
    int64_t calls, failed;
} fault;

static int full(void *user, const char *call, const char *path)
{
    fault *f = user;
    if ((f->call && strcmp(call, f->call) != 0) || (f->part && (!path || !strstr(path, f->part)))) return 0;
    if (f->calls++ < f->after || (f->once && f->failed)) return 0;
    f->failed++;
    return ENOSPC;
}

static void full_disk(void **state)
{
    (void)state;
    settings s = {.n = 0};
    watch w = {.steps = 0};
    gr_run *run;
    add(&s, tiny_gpt);
    const char *whole = sub("whole"), *out = sub("full");
    assert_ok(go(NULL, &s, whole, &w));
    fault f = {.call = "write", .part = "step-00000008"};
    gr__file_set_fault(full, &f);
    assert_fails(go(NULL, &s, out, &w), GR_ERR_IO, "step-00000008");
    gr__file_set_fault(NULL, NULL);
    assert_true(f.failed > 0);
    assert_ok(open_run(NULL, &s, out, &run));
    assert_true(gr_run_describe(run).start_step > 0 && gr_run_describe(run).start_step < 8);
    assert_ok(train(run, &w));
    gr_run_close(&run);
    assert_same_run(whole, out);
}

static int read_only(void *user, const char *call, const char *path)
{
    static const char *const writes[] = {"write", "rename", "mkdir", "fsync", "ftruncate", "unlink"};
    (void)path;
    for (size_t i = 0; i < GR__COUNT(writes); i++)
        if (strcmp(call, writes[i]) == 0) return ++*(int *)user, EROFS;
    return 0;
}

static void count_warning(void *user, gr_log_level level, const char *line)
{
    if (level == GR_LOG_WARNING && strstr(line, "the report lacks this evaluation")) ++*(int *)user;
}

/* What was trained is measured where nothing can be written: the same numbers, and a warning. */
static void evaluates_in_a_read_only_folder(void **state)
{
    (void)state;
    settings s = {.n = 0};
    watch w = {.steps = 0};
    gr_run *run;
    gr_metric m[16], again[16];
    int n, k, failed = 0, warned = 0;
    add(&s, tiny_mlp);
    const char *out = sub("locked"), *source = csv();
    assert_ok(open_run(source, &s, out, &run));
    assert_ok(train(run, &w));
    assert_ok(gr_run_evaluate(run, m, 16, &n));
    gr_run_close(&run);
    gr__file_set_fault(read_only, &failed);
    gr_set_log(count_warning, &warned, GR_LOG_WARNING);
    assert_ok(open_run(source, &s, out, &run));
    assert_ok(gr_run_evaluate(run, again, 16, &k));
    gr__file_set_fault(NULL, NULL);
    gr_set_log(NULL, NULL, GR_LOG_WARNING);
    gr_run_close(&run);
    assert_true(failed > 0 && warned == 1);
    assert_int_equal(n, k);
    for (int i = 0; i < n; i++) assert_true(m[i].value == again[i].value);
}

/* Every file call of a run fails once: a status and a sentence, and the next run ends as if nothing had been. */
static void every_file_call_fails(void **state)
{
    (void)state;
    settings s = {.n = 0};
    watch w = {.steps = 0};
    const char *const few[] = {"train.steps=4", "train.checkpoint_every=2", "train.eval_every=3", NULL};
    add(&s, tiny_mlp);
    add(&s, few);
    const char *source = csv(), *whole = sub("whole");
    fault count = {.after = INT64_MAX};
    gr__file_set_fault(full, &count);
    assert_ok(go(source, &s, whole, &w));
    gr__file_set_fault(NULL, NULL);
    assert_true(count.calls > 20);
    int64_t step = count.calls / 120 + 1;
    for (int64_t i = 0; i < count.calls; i += step) {
        const char *out = sub("fails");
        fault f = {.after = i, .once = true};
        gr__file_set_fault(full, &f);
        gr_status status = go(source, &s, out, &w);
        gr__file_set_fault(NULL, NULL);
        if (status == GR_ERR_INTERNAL || (status != GR_OK && !*gr_message()))
            fail_msg("call %d: %s", (int)i, gr_status_name(status));
        status = go(source, &s, out, &w);
        if (status != GR_OK) fail_msg("after call %d: %s", (int)i, gr_message());
        assert_same_run(whole, out);
    }
}

/* ---- memory ---- */

static size_t status_bytes(const char *key)
{
    char line[256];
    unsigned long kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, key, strlen(key)) == 0) sscanf(line + strlen(key), " %lu", &kib);
    if (f) fclose(f);
    return (size_t)kib * 1024;
}

static void memory_is_as_told(void **state)
{
    (void)state;
#ifdef SANITIZED
    test_skip("a sanitizer changes what memory is used");
#endif
    settings s = {.n = 0};
    watch w = {.steps = 0};
    gr_run *run;
    const char *const medium[] = {"model.layers=4",    "model.heads=4",       "model.width=256",
                                  "model.context=128", "tokenizer.type=char", "train.batch=8",
                                  "train.steps=3",     "train.eval_every=2",  NULL};
    add(&s, medium);
    assert_ok(open_run(NULL, &s, NULL, &run));
    double seconds;
    assert_ok(gr_run_time_step(run, &seconds)); /* as the command does before it tells */
    double told = (double)gr_run_describe(run).process_bytes;
    FILE *reset = fopen("/proc/self/clear_refs", "w");
    if (reset) fputs("5", reset), fclose(reset);
    assert_ok(train(run, &w));
    double measured = (double)status_bytes("VmHWM:");
    printf("told %.1f MB, measured %.1f MB\n", told / 1e6, measured / 1e6);
    gr_run_close(&run);
    if (!(fabs(told - measured) <= 0.05 * measured))
        fail_msg("told %.1f MB, measured %.1f MB", told / 1e6, measured / 1e6);
}

/* ---- gradients of whole models ---- */

typedef struct checked {
    int n;
    double worst;
} checked;

static void note_gradient(void *user, const char *path, double worst)
{
    checked *c = user;
    assert_true(*path != 0);
    c->n++;
    c->worst = fmax(c->worst, worst);
}

static void gradients(void **state)
{
    (void)state;
    static const char *const gpt[] = {"model.layers=2",      "model.heads=2",     "model.width=8", "model.context=8",
                                      "tokenizer.type=char", "model.dropout=0.2", "train.batch=2", NULL};
    static const char *const llama[] = {"model.type=llama",    "model.layers=1", "model.heads=2",
                                        "model.kv_heads=1",    "model.width=8",  "model.context=8",
                                        "tokenizer.type=char", "train.batch=2",  NULL};
    static const char *const mlp[] = {"model.type=mlp", "model.hidden=[6,5]", "data.target=y", "model.activation=tanh",
                                      NULL};
    static const char *const relu[] = {"model.type=mlp", "model.hidden=[12,7]", "data.target=y", "loss=huber", NULL};
    static const char *const *const sets[] = {gpt, llama, mlp, relu};
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        settings s = {.n = 0};
        checked c = {.n = 0};
        gr_run *run;
        const char *path;
        gr_tensor t;
        int params = 0;
        add(&s, sets[i]);
        assert_ok(open_run(i < 2 ? NULL : csv(), &s, NULL, &run));
        assert_ok(gr_run_check_gradients(run, i < 2 ? 2 : 4, note_gradient, &c));
        while (gr_run_param(run, params, &path, &t)) params++;
        assert_int_equal(c.n, params);
        printf("gradients of %s: %d arrays, worst %.2g\n", gr_run_describe(run).family, c.n, c.worst);
        gr_run_close(&run);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_as_told), /* first: nothing is left over from others */
        cmocka_unit_test(learns_text),
        cmocka_unit_test(bits_are_of_the_source),
        cmocka_unit_test(documents_in_both_parts_are_told),
        cmocka_unit_test(learns_table),
        cmocka_unit_test(resumes_text),
        {.name = "resumes_text in bf16", .test_func = resumes_text, .initial_state = (void *)tiny_gpt},
        cmocka_unit_test(resumes_table),
        cmocka_unit_test(stops_behind_a_validation),
        cmocka_unit_test(stops_early),
        cmocka_unit_test(same_object_goes_on),
        cmocka_unit_test(killed),
        cmocka_unit_test(broken_checkpoint),
        cmocka_unit_test(changed_configuration),
        cmocka_unit_test(changed_corpus),
        cmocka_unit_test(folder_in_use),
        cmocka_unit_test(unreadable_texts),
        cmocka_unit_test(left_by_others),
        cmocka_unit_test(folder_moves),
        cmocka_unit_test(type_stays),
        cmocka_unit_test(best_comes_back),
        cmocka_unit_test(idle_keys_are_refused),
        cmocka_unit_test(rates_as_told),
        cmocka_unit_test(bad_data),
        cmocka_unit_test(failed_start),
        cmocka_unit_test(not_finite),
        cmocka_unit_test(full_disk),
        cmocka_unit_test(evaluates_in_a_read_only_folder),
        cmocka_unit_test(every_file_call_fails),
        cmocka_unit_test(gradients),
    };
    if (gr_set_threads(1) != GR_OK) return 1; /* a process with a pool of threads cannot be forked */
    folder = test_tmpdir();
    if (gr_stories_write(&(gr_stories_options){.bytes = 3000}, &stories, &stories_bytes) != GR_OK) return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    gr_text_free(stories);
    return failed;
}
