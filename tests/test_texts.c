/* Classifiers of texts from nothing: words as tokens, noise, folds, the families textcnn, textrnn and bag, rows that are left out. */
#include "tests/run_rig.h"

#include "data/split.h"
#include "data/token_noise.h"
#include "gradus/table.h"
#include "gradus/text.h"
#include "gradus/train.h"

#include <math.h>
#include <string.h>

static const char *folder;

/* ---- words ---- */

static void words_are_tokens(void **state)
{
    (void)state;
    static const char *const text[] = {"The cat saw the dog.", "the CAT, again",
                                       "\xE4\xBD\xA0\xE5\xA5\xBD caf\xC3\xA9"};
    gr_text_source source[3];
    for (int i = 0; i < 3; i++) source[i] = (gr_text_source){text[i], strlen(text[i])};
    gr_tokenizer *tok, *kept;
    static const char *const special[] = {"[PAD]"};
    gr_tokenizer_options o = {
        .special = special, .n_special = 1, .no_end_of_text = true, .least_count = 1, .vocab_size = 50};
    assert_ok(gr_tokenizer_train(GR_TOKENIZER_WORD_PIECE, &o, source, 3, &tok));
    assert_int_equal(gr_tokenizer_id(tok, "[PAD]"), 0);
    assert_int_equal(gr_tokenizer_id(tok, "[UNK]"), 1);
    assert_int_equal(gr_tokenizer_id(tok, "the"), 2); /* three times */
    assert_int_equal(gr_tokenizer_id(tok, "cat"), 3); /* twice */
    assert_true(gr_tokenizer_id(tok, "\xE4\xBD\xA0") > 3);
    assert_true(gr_tokenizer_id(tok, "cafe") > 3);
    assert_int_equal(gr_tokenizer_id(tok, "The"), -1);
    const char *path = test_write(folder, "tokenizer.json", "", 0);
    assert_ok(gr_tokenizer_save(tok, path));
    assert_ok(gr_tokenizer_open(path, &kept));
    int32_t *ids;
    size_t n;
    assert_ok(gr_tokenizer_encode(kept, "THE zebra\xE5\xA5\xBD cats", 17, 0, &ids, &n));
    assert_int_equal(n, 4);
    assert_int_equal(ids[0], 2);
    assert_int_equal(ids[1], 1);
    assert_int_equal(ids[2], gr_tokenizer_id(tok, "\xE5\xA5\xBD"));
    assert_int_equal(ids[3], 1); /* no pieces of words */
    gr_text_free(ids);
    gr_tokenizer_close(&kept);
    gr_tokenizer_close(&tok);
    o.least_count = 2;
    o.keep_case = true;
    assert_ok(gr_tokenizer_train(GR_TOKENIZER_WORD_PIECE, &o, source, 3, &tok));
    assert_int_equal(gr_tokenizer_vocab_size(tok), 3); /* "the" alone is there twice */
    gr_tokenizer_close(&tok);
    o.vocab_size = 2;
    assert_fails(gr_tokenizer_train(GR_TOKENIZER_WORD_PIECE, &o, source, 3, &tok), GR_ERR_ARGUMENT, "vocab_size is 2");
    o.vocab_size = 9;
    source[0] = (gr_text_source){" \n", 2};
    assert_fails(gr_tokenizer_train(GR_TOKENIZER_WORD_PIECE, &o, source, 1, &tok), GR_ERR_DATA, "no words");
}

/* ---- noise ---- */

static void noise_keeps_what_it_must(void **state)
{
    (void)state;
    int64_t kept = 0, moved = 0;
    for (uint64_t k = 0; k < 500; k++) {
        int32_t ids[12];
        for (int i = 0; i < 12; i++) ids[i] = i;
        gr__rng r = gr__rng_make(3, k);
        int64_t n = gr__token_noise_apply(&(gr__token_noise){.drop = 0.3}, &r, ids, 12, 1, 1);
        assert_in_range(n, 3, 12);
        assert_int_equal(ids[0], 0);
        assert_int_equal(ids[n - 1], 11);
        for (int64_t i = 1; i < n; i++) assert_true(ids[i] > ids[i - 1]);
        kept += n - 2;
        for (int i = 0; i < 12; i++) ids[i] = i;
        n = gr__token_noise_apply(&(gr__token_noise){.swap = 0.2}, &r, ids, 12, 1, 1);
        assert_int_equal(n, 12);
        int sum = 0;
        for (int i = 0; i < 12; i++) sum += ids[i], moved += ids[i] != i;
        assert_int_equal(sum, 66);
        assert_true(ids[0] == 0 && ids[11] == 11);
    }
    assert_true(fabs((double)kept / 5000 - 0.7) < 0.03);
    assert_in_range(moved, 1000, 2000); /* of 4500 pairs a fifth or a little less, two tokens each */
    int32_t one[] = {5};
    gr__rng r = gr__rng_make(1, 1);
    for (int i = 0; i < 50; i++)
        assert_int_equal(gr__token_noise_apply(&(gr__token_noise){.drop = 0.9}, &r, one, 1, 0, 0), 1);
}

/* ---- parts ---- */

static void folds_are_parts_of_all(void **state)
{
    (void)state;
    enum { N = 103, FOLDS = 5 };
    int32_t group[N];
    int seen[N] = {0};
    for (int i = 0; i < N; i++) group[i] = i % 10 == 0;
    for (int f = 0; f < FOLDS; f++) {
        int64_t row[N], train, rare = 0;
        for (int i = 0; i < N; i++) row[i] = i;
        assert_ok(gr__split_rows(&(gr__split_options){.folds = FOLDS, .fold = f}, 7, group, 2, row, N, &train));
        assert_in_range(N - train, 20, 21);
        for (int64_t i = train; i < N; i++) seen[row[i]]++, rare += group[row[i]];
        assert_in_range(rare, 2, 3);
    }
    for (int i = 0; i < N; i++) assert_int_equal(seen[i], 1);
}

/* ---- training ---- */

/* Whether "not" stands right before "good": words in order, not words alone. */
static const char *reviews(bool bad_row)
{
    static const char *const begin[] = {"the food", "our room", "a film that", "this place", "she"};
    gr__str s = {0};
    gr__str_add(&s, "label,text\n");
    for (int i = 0; i < 120; i++) {
        bool good = i % 3 != 0;
        gr__str_printf(&s, "%s,\"%s was %s%s\"\n", good ? "good" : "bad", begin[i % 5],
                       good ? "good, not far" : "not good", i % 2 ? " at all" : " , far");
        if (bad_row && i == 9) gr__str_add(&s, "good,\n");
    }
    const char *path = test_write(folder, bad_row ? "bad.csv" : "reviews.csv", gr__str_get(&s), s.n);
    gr__str_release(&s);
    return path;
}

static const char *const common[] = {"task=text-classification",
                                     "tokenizer={type: word, vocab_size: 100, least_count: 1}",
                                     "model.width=16",
                                     "train.batch=16",
                                     "train.steps=120",
                                     "train.lr=0.01",
                                     "train.seed=3",
                                     "train.eval_every=1000",
                                     "model.context=16"};

static gr_status open_with(const char *source, const char *const *more, int n_more, const char *out, gr_run **run)
{
    const char *set[32];
    int n = 0;
    for (size_t i = 0; i < GR__COUNT(common); i++) set[n++] = common[i];
    for (int i = 0; i < n_more; i++) set[n++] = more[i];
    return run_with(source, set, n, out, run);
}

static double metric(const gr_metric *m, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcmp(m[i].name, name) == 0) return m[i].value;
    fail_msg("no metric '%s'", name);
    return NAN;
}

static void learns(const char *const *more, int n_more)
{
    gr_run *run;
    gr_metric m[16];
    int n;
    assert_ok(open_with(reviews(false), more, n_more, NULL, &run));
    assert_ok(gr_run_train(run, NULL));
    assert_ok(gr_run_evaluate(run, m, 16, &n));
    if (!(metric(m, n, "accuracy") == 1)) fail_msg("%s: accuracy %g", more[0], metric(m, n, "accuracy"));
    assert_true(metric(m, n, "auc") == 1);
    gr_run_close(&run);
}

static void families_learn(void **state)
{
    (void)state;
    learns((const char *const[]){"model.type=textcnn", "model.windows=[1, 2]", "model.maps=8"}, 3);
    learns((const char *const[]){"model.type=textcnn", "model.maps=8", "data.swap=0.01", "data.drop=0.02"}, 4);
    learns((const char *const[]){"model.type=textrnn", "model.hidden=16", "model.head_dropout=0"}, 3);
    learns((const char *const[]){"model.type=textrnn", "model.hidden=16", "model.cell=gru", "model.pool=last"}, 4);
    learns((const char *const[]){"model.type=textrnn", "model.hidden=16", "model.pool=mean", "model.layers=2"}, 4);
    learns((const char *const[]){"model.type=bag", "model.buckets=4096"}, 2);
}

static void folds_and_bad_rows(void **state)
{
    (void)state;
    static const char *const skip[] = {"model.type=textcnn", "data.skip_bad=true", "train.steps=60"};
    const char *path = reviews(true), *set[32];
    gr_run *run;
    gr_metric mean[16], deviation[16];
    int n = 0, n_set = 0;
    assert_fails(open_with(path, skip, 1, NULL, &run), GR_ERR_DATA, "bad.csv:12: column 'text' is empty");
    assert_ok(open_with(path, skip, 2, NULL, &run));
    assert_int_equal(gr_run_describe(run).samples + gr_run_describe(run).valid_units, 120);
    gr_run_close(&run);
    assert_fails(open_with(path, (const char *const[]){"data.folds=4", "data.fold=4"}, 2, NULL, &run), GR_ERR_CONFIG,
                 "data.fold less than it");
    for (size_t i = 0; i < GR__COUNT(common); i++) set[n_set++] = common[i];
    for (size_t i = 0; i < GR__COUNT(skip); i++) set[n_set++] = skip[i];
    gr_run_options o = {.overrides = set, .n_overrides = n_set};
    assert_ok(gr_run_folds(path, &o, 3, NULL, NULL, NULL, mean, deviation, 16, &n));
    assert_true(metric(mean, n, "accuracy") > 0.9);
}

/* The surest mistakes are told as the file has them, with their place in it. */
static void mistakes_are_of_the_source(void **state)
{
    (void)state;
    static const char *const cnn[] = {"model.type=textcnn", "train.steps=30", "tokenizer.least_count=5"};
    const char *dir = test_tmpdir();
    char source[4300], valid[4300], want[4400];
    gr_run *run;
    gr__str text = {0};
    gr__str_add(&text, "label,text\ngood,Why was Janis Joplin NOT good ?\n");
    gr__str_add(&text, "good,\"It was not good, ");
    for (int i = 0; i < 60; i++) gr__str_add(&text, "\xE7\x8C\xAB");
    gr__str_add(&text, "\"\n");
    test_write(folder, "valid.csv", gr__str_get(&text), text.n);
    gr__str_release(&text);
    snprintf(source, sizeof source, "%s", reviews(false));
    snprintf(valid, sizeof valid, "data.valid_source=%s/valid.csv", folder);
    assert_ok(open_with(source, (const char *const[]){cnn[0], cnn[1], cnn[2], valid}, 4, dir, &run));
    assert_ok(gr_run_train(run, NULL));
    assert_true(metric_of(run, "accuracy") == 0);
    gr_run_close(&run);
    snprintf(want, sizeof want, "%s/valid.csv:2: Why was Janis Joplin NOT good ?</td>", folder);
    assert_true(evaluation_shows(dir, want));
    assert_true(evaluation_shows(dir, "valid.csv:3: It was not good"));
    assert_true(evaluation_shows(dir, "\xE7\x8C\xAB\xE2\x80\xA6</td>"));
    assert_false(evaluation_shows(dir, "\xEF\xBF\xBD"));
    test_rmtree(dir);
}

/* What it left answers by itself, whatever stands beside the text. */
static void predicts_from_its_folder(void **state)
{
    (void)state;
    static const char *const cnn[] = {"model.type=textcnn", "model.windows=[1, 2]"};
    static const char *const text[] = {"it was not good", "it was good", "it was not good at all , far from the place"};
    const char *dir = test_tmpdir();
    gr_run *run;
    gr_model *m;
    float together[6], alone[2];
    assert_ok(open_with(reviews(false), cnn, 2, dir, &run));
    assert_ok(gr_run_train(run, NULL));
    gr_run_close(&run);
    assert_ok(gr_model_open(dir, &m));
    assert_string_equal(gr_model_label(m, 0), "bad");
    assert_ok(gr_classify(m, text, 3, NULL, together));
    assert_true(together[0] > 0.5f && together[3] > 0.5f);
    for (int i = 0; i < 3; i++) {
        assert_ok(gr_classify(m, text + i, 1, NULL, alone));
        assert_true(fabsf(alone[0] - together[2 * i]) < 1e-6f);
    }
    gr_model_free(&m);
    test_rmtree(dir);
}

int main(void)
{
    folder = test_tmpdir();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_tokens),           cmocka_unit_test(noise_keeps_what_it_must),
        cmocka_unit_test(folds_are_parts_of_all),     cmocka_unit_test(families_learn),
        cmocka_unit_test(folds_and_bad_rows),         cmocka_unit_test(predicts_from_its_folder),
        cmocka_unit_test(mistakes_are_of_the_source),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    test_rmtree(folder);
    return failed;
}
