/* Text from models: stories260K against llama2.c's own answer, decoding with caches against the whole forward pass,
 * stop texts, streaming, sampling, overflow of the context. */
#include "tests/test.h"

#include "base/json.h"
#include "gradus/train.h"
#include "model/family.h"
#include "model/sample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static gr_model *open_stories(void)
{
    gr_model *m;
    const char *path = test_data("models/stories260K/stories260K.bin");
    if (!path) skip();
    assert_ok(gr_model_open(path, &m));
    return m;
}

/* A model of two layers with a byte tokenizer; weights of seed 7. */
static gr_model *make_model(const char *text)
{
    gr__arena arena = {0};
    gr__conf *conf;
    gr_tokenizer *tok;
    gr_model *m;
    assert_ok(gr__conf_parse(text, strlen(text), "test", &arena, &conf));
    assert_ok(gr_tokenizer_train(GR_TOKENIZER_BYTE, NULL, NULL, 0, &tok));
    assert_ok(gr__model_new(conf, &(gr__facts){.vocab = gr_tokenizer_vocab_size(tok)}, tok, &m));
    assert_ok(gr_store_prepare(gr_model_store(m), m->layout, 7));
    gr__arena_release(&arena);
    return m;
}

static const char *const small_gpt = "type: gpt\nlayers: 2\nheads: 2\nwidth: 16\ncontext: 48\n";
static const char *const small_llama =
    "type: llama\nlayers: 2\nheads: 4\nkv_heads: 2\nwidth: 32\ncontext: 48\ntied: false\n";
static const char *const small_lstm = "type: rnn\nlayers: 2\nwidth: 16\ncontext: 48\n",
                         *const small_gru =
                             "type: rnn\ncell: gru\nlayers: 1\nwidth: 16\nhidden: 24\ntied: false\ncontext: 48\n";

/* ---- stories260K ---- */

typedef struct heard {
    char text[4096];
    size_t n, calls, most_calls;
    bool whole; /* every piece was UTF-8 of its own */
} heard;

static bool listen(void *user, const char *text, size_t n)
{
    heard *h = user;
    size_t step;
    for (size_t at = 0; at < n; at += step)
        if ((step = gr__utf8_step(text + at, n - at)) == 0) {
            h->whole = false;
            break;
        }
    if (h->n + n < sizeof h->text) memcpy(h->text + h->n, text, n);
    h->n += n;
    h->calls++;
    return h->most_calls == 0 || h->calls < h->most_calls;
}

static void stories_are_llama2cs(void **state)
{
    (void)state;
    gr_model *m = open_stories();
    gr__json_doc *doc;
    const char *want;
    size_t n;
    char *text;
    gr_generate_result r;
    heard h = {.whole = true};
    assert_ok(gr__json_read(test_data("models/stories260K/expected_greedy.json"), 1 << 20, &doc));
    gr__json ids = gr__json_get(gr__json_root(doc), "greedy_token_ids");
    assert_true(gr__json_string(gr__json_get(gr__json_root(doc), "expected_text"), &want, &n));
    int64_t steps = (int64_t)gr__json_count(ids), first;
    assert_true(gr__json_int(gr__json_at(ids, 0), &first));
    assert_int_equal(first, m->bos);
    gr_generate_options o = {.greedy = true, .max_tokens = steps - 1};
    assert_ok(gr_generate(m, "", &o, listen, &h, &text, &r));
    assert_int_equal(r.tokens, steps - 1);
    assert_int_equal(r.reason, GR_FINISH_LENGTH);
    assert_int_equal(strlen(text), n);
    assert_memory_equal(text, want, n);
    assert_int_equal(h.n, strlen(text));
    assert_memory_equal(h.text, text, h.n);
    assert_true(h.whole && h.calls > 50);
    gr_text_free(text);

    gr_lm_decoder *d;
    const float *logits;
    assert_ok(gr_lm_decoder_new(m, 0, false, &d));
    for (size_t i = 0; i + 1 < gr__json_count(ids); i++) {
        int64_t id, next;
        assert_true(gr__json_int(gr__json_at(ids, i), &id) && gr__json_int(gr__json_at(ids, i + 1), &next));
        assert_ok(gr_lm_decoder_feed(d, &(int32_t){(int32_t)id}, 1, &logits));
        int32_t best = 0;
        for (int32_t k = 1; k < 512; k++)
            if (logits[k] > logits[best]) best = k;
        assert_int_equal(best, next);
    }
    gr_lm_decoder_free(&d);
    gr__json_free(&doc);
    gr_model_free(&m);
}

static void stories_survive_saving(void **state)
{
    (void)state;
    gr_model *m = open_stories(), *again;
    char *a, *b;
    gr_lm_score sa, sb;
    int32_t *ids;
    size_t n;
    const char *dir = test_tmpdir(),
               *tale = "Once upon a time, there was a little dog. He liked to run in the park with Tom.";
    assert_ok(gr_model_save(m, dir));
    assert_ok(gr_model_open(dir, &again));
    assert_string_equal(gr_model_family(again), "llama");
    assert_int_equal(gr_model_describe(again).parameters, gr_model_describe(m).parameters);
    gr_generate_options o = {.max_tokens = 40, .seed = 3, .top_p = 0.9};
    assert_ok(gr_generate(m, "Lily saw", &o, NULL, NULL, &a, NULL));
    assert_ok(gr_generate(again, "Lily saw", &o, NULL, NULL, &b, NULL));
    assert_string_equal(a, b);
    assert_ok(gr_tokenizer_encode(gr_model_tokenizer(m), tale, strlen(tale), GR_ENCODE_TEMPLATE, &ids, &n));
    assert_ok(gr_model_score(m, ids, (int64_t)n, NULL, &sa));
    assert_ok(gr_model_score(again, ids, (int64_t)n, &(gr_eval_options){.bf16 = true}, &sb));
    assert_int_equal(sa.tokens, n - 1);
    assert_int_equal(sa.bytes, strlen(tale) + 1); /* and the space in front */
    assert_true(sa.loss > 0.5 && sa.loss < 2.5);
    assert_true(fabs(sa.loss - sb.loss) < 0.02);
    assert_true(fabs(sa.perplexity - exp(sa.loss)) < 1e-9);
    assert_true(fabs(sa.bits_per_byte - sa.loss * (double)sa.tokens / log(2) / (double)sa.bytes) < 1e-9);
    gr_text_free(a);
    gr_text_free(b);
    gr_text_free(ids);
    gr_model_free(&m);
    gr_model_free(&again);
}

/* ---- caches ---- */

static double apart(const float *a, const float *b, int64_t n)
{
    double most = 0, scale = 0;
    for (int64_t i = 0; i < n; i++) {
        most = fmax(most, fabs((double)a[i] - (double)b[i]));
        scale = fmax(scale, fabs((double)b[i]));
    }
    return most / scale;
}

/* Logits behind each position: from the whole forward pass, token by token, and in pieces of all sizes, rewound. */
static void caches_change_nothing_of(const char *conf)
{
    gr_model *m = make_model(conf);
    gr_lm_decoder *d, *low;
    const float *logits;
    int32_t ids[48];
    int64_t V = gr_model_describe(m).vocab;
    for (int i = 0; i < 48; i++) ids[i] = (i * 37 + 11) % 256;
    float *full = malloc(sizeof *full * 48 * (size_t)V);
    assert_ok(gr_model_logits(m, ids, 1, 48, full));
    assert_ok(gr_lm_decoder_new(m, 0, false, &d));
    for (int64_t i = 0; i < 48; i++) {
        assert_ok(gr_lm_decoder_feed(d, ids + i, 1, &logits));
        assert_true(apart(logits, full + i * V, V) < 1e-5);
    }
    for (int64_t piece = 2; piece <= 48; piece += piece < 8 ? 1 : 5) {
        int64_t keep = piece % 7;
        gr_lm_decoder_rewind(d, keep);
        for (int64_t at = keep; at < 48; at += piece) {
            int64_t n = GR__MIN(piece, 48 - at);
            assert_ok(gr_lm_decoder_feed(d, ids + at, n, &logits));
            assert_true(apart(logits, full + (at + n - 1) * V, V) < 1e-5);
        }
    }
    assert_fails(gr_lm_decoder_feed(d, ids, 1, &logits), GR_ERR_LIMIT, "context is full");
    gr_lm_decoder_rewind(d, 5);
    assert_fails(gr_lm_decoder_feed(d, &(int32_t){(int32_t)V}, 1, &logits), GR_ERR_DATA, "outside the vocabulary");
    assert_fails(gr_lm_decoder_feed(d, &(int32_t){-1}, 1, &logits), GR_ERR_DATA, "-1");
    assert_fails(gr_lm_decoder_feed(d, ids, 0, &logits), GR_ERR_ARGUMENT, NULL);
    assert_ok(gr_lm_decoder_feed(d, ids + 5, 3, &logits)); /* a refusal left it as it was */
    assert_true(apart(logits, full + 7 * V, V) < 1e-5);
    gr_lm_decoder_free(&d);
    assert_ok(gr_lm_decoder_new(m, 20, true, &low));
    assert_ok(gr_lm_decoder_feed(low, ids, 19, &logits));
    assert_ok(gr_lm_decoder_feed(low, ids + 19, 1, &logits));
    assert_true(apart(logits, full + 19 * V, V) < 0.05);
    gr_lm_decoder_free(&low);
    assert_fails(gr_lm_decoder_new(m, 49, false, &d), GR_ERR_ARGUMENT, "48");
    assert_ok(gr_lm_decoder_new(m, 1, false, &d));
    assert_ok(gr_lm_decoder_feed(d, ids, 1, &logits));
    assert_true(apart(logits, full, V) < 1e-5);
    gr_lm_decoder_free(&d);
    free(full);
    gr_model_free(&m);
}

static void caches_change_nothing(void **state)
{
    (void)state;
    caches_change_nothing_of(small_gpt);
    caches_change_nothing_of(small_llama);
    caches_change_nothing_of(small_lstm);
    caches_change_nothing_of(small_gru);
}

static void windows_score_as_logits_say(void **state)
{
    (void)state;
    gr_model *m = make_model(small_gpt);
    int32_t ids[30];
    int64_t V = gr_model_describe(m).vocab;
    gr_lm_score s;
    double sum = 0;
    float *logits = malloc(sizeof *logits * 8 * (size_t)V);
    for (int i = 0; i < 30; i++) ids[i] = (i * 91 + 5) % 256;
    for (int64_t at = 0; at < 29; at += 8) {
        int64_t n = GR__MIN(8, 29 - at);
        assert_ok(gr_model_logits(m, ids + at, 1, n, logits));
        for (int64_t i = 0; i < n; i++) {
            double z = 0;
            for (int64_t k = 0; k < V; k++) z += exp((double)logits[i * V + k]);
            sum += log(z) - (double)logits[i * V + ids[at + i + 1]];
        }
    }
    for (int64_t batch = 0; batch < 7; batch += 3) {
        assert_ok(gr_model_score(m, ids, 30, &(gr_eval_options){.context = 8, .batch = batch}, &s));
        assert_true(fabs(s.loss * 29 - sum) < 1e-4);
        assert_int_equal(s.bytes, 29);
    }
    assert_fails(gr_model_score(m, ids, 1, NULL, &s), GR_ERR_DATA, "at least 2");
    assert_fails(gr_model_score(m, ids, 30, &(gr_eval_options){.context = 49}, &s), GR_ERR_ARGUMENT,
                 "context 49 is not possible; the model's context is 48, so 1 to 48 are");
    assert_null(strstr(gr_message(), "batch")); /* nobody gave one */
    assert_fails(gr_model_score(m, ids, 30, &(gr_eval_options){.batch = -1}, &s), GR_ERR_ARGUMENT, "batch -1");
    ids[3] = 1000;
    assert_fails(gr_model_score(m, ids, 30, NULL, &s), GR_ERR_DATA, "1000");
    assert_fails(gr_model_logits(m, ids, 1, 30, logits), GR_ERR_DATA, "1000");
    assert_fails(gr_model_logits(m, ids, 1, 49, logits), GR_ERR_ARGUMENT, "49");
    free(logits);
    gr_model_free(&m);
}

/* ---- text ---- */

static void stop_texts_end_the_text(void **state)
{
    (void)state;
    gr_model *m = open_stories();
    char *all, *text;
    gr_generate_result r;
    gr_generate_options o = {.greedy = true, .max_tokens = 60};
    assert_ok(gr_generate(m, "", &o, NULL, NULL, &all, NULL));
    static const char *const stops[] = {"zebra", "One day", "park. One da", "k. One day, sh"};
    for (int n = 1; n <= 4; n++) {
        heard h = {.whole = true};
        const char *cut = NULL;
        o.stop = stops;
        o.n_stop = n;
        for (int i = 0; i < n; i++) {
            const char *at = strstr(all, stops[i]);
            if (at && (!cut || at < cut)) cut = at;
        }
        assert_ok(gr_generate(m, "", &o, listen, &h, &text, &r));
        size_t want = cut ? (size_t)(cut - all) : strlen(all);
        assert_int_equal(r.reason, cut ? GR_FINISH_STOP : GR_FINISH_LENGTH);
        assert_int_equal(strlen(text), want);
        assert_int_equal(h.n, want); /* nothing of a stop text was handed out */
        assert_memory_equal(h.text, all, want);
        gr_text_free(text);
    }
    heard few = {.most_calls = 5};
    assert_ok(gr_generate(m, "", &(gr_generate_options){.greedy = true}, listen, &few, &text, &r));
    assert_int_equal(r.reason, GR_FINISH_USER);
    assert_int_equal(few.calls, 5);
    gr_text_free(text);
    gr_text_free(all);
    gr_model_free(&m);
}

static void long_texts_drop_the_oldest_half(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        gr_model *m = make_model(i ? small_llama : small_gpt);
        char *text, prompt[200];
        gr_generate_result r;
        heard h = {.whole = true};
        memset(prompt, 'a', sizeof prompt);
        prompt[199] = 0;
        gr_generate_options o = {.max_tokens = 130, .seed = 5, .ignore_eos = true};
        assert_ok(gr_generate(m, prompt, &o, listen, &h, &text, &r)); /* far more than the context of 48 */
        assert_int_equal(r.tokens, 130);
        assert_int_equal(r.prompt_tokens, 199);
        assert_int_equal(r.prompt_left_out, 168); /* seven halves of the context of 48 */
        assert_true(h.whole);                     /* although random bytes are no text */
        assert_int_equal(h.n, strlen(text));
        gr_text_free(text);
        assert_ok(gr_generate(m, "", &o, NULL, NULL, &text, &r));
        assert_int_equal(r.prompt_tokens, 1);
        assert_int_equal(r.prompt_left_out, 0);
        gr_text_free(text);
        gr_model_free(&m);
    }
}

static void options_are_checked(void **state)
{
    (void)state;
    gr_model *m = make_model(small_gpt);
    char *text;
    static const char *const empty[] = {""}, *const broken[] = {"\xff"};
    const struct {
        gr_generate_options o;
        const char *word;
    } wrong[] = {
        {{.temperature = -1}, "temperature"},
        {{.temperature = NAN}, "temperature"},
        {{.temperature = INFINITY}, "temperature"},
        {{.top_k = -1}, "top_k"},
        {{.top_p = 1.5}, "top_p"},
        {{.top_p = NAN}, "top_p"},
        {{.min_p = -0.1}, "min_p"},
        {{.min_p = NAN}, "min_p"},
        {{.repetition_penalty = -2}, "penalty"},
        {{.repetition_penalty = NAN}, "penalty"},
        {{.max_tokens = -1}, "max_tokens"},
        {{.n_stop = 1}, "stop"},
        {{.n_stop = -1}, "stop"},
        {{.n_stop = 1, .stop = empty}, "empty"},
        {{.n_stop = 1, .stop = broken}, "UTF-8"},
    };
    for (size_t i = 0; i < GR__COUNT(wrong); i++)
        assert_fails(gr_generate(m, "x", &wrong[i].o, NULL, NULL, &text, NULL), GR_ERR_ARGUMENT, wrong[i].word);
    assert_fails(gr_generate(m, NULL, NULL, NULL, NULL, &text, NULL), GR_ERR_ARGUMENT, NULL);
    gr_model_free(&m);
}

/* ---- sampling ---- */

enum { TOKENS = 6, DRAWS = 20000 };
static const float six[TOKENS] = {2, 1, 0, -1, 3, -2};

static void draw(const gr_generate_options *o, int count[TOKENS], int32_t seen)
{
    gr__sampler *s;
    memset(count, 0, TOKENS * sizeof *count);
    assert_ok(gr__sampler_new(o, TOKENS, &s));
    if (seen >= 0) gr__sampler_see(s, seen);
    for (int i = 0; i < DRAWS; i++) {
        int32_t id;
        assert_ok(gr__sampler_next(s, six, &id));
        count[id]++;
    }
    gr__sampler_free(&s);
}

/* Draws come as often as softmax(six/temperature) over the tokens that 'kept' names. */
static void check_draws(const gr_generate_options *o, const char *kept, double temperature)
{
    int count[TOKENS];
    double sum = 0;
    draw(o, count, -1);
    for (int i = 0; i < TOKENS; i++)
        if (kept[i] == '1') sum += exp((double)six[i] / temperature);
    for (int i = 0; i < TOKENS; i++) {
        double p = kept[i] == '1' ? exp((double)six[i] / temperature) / sum : 0;
        assert_true(fabs(count[i] - p * DRAWS) <= 5 * sqrt(p * (1 - p) * DRAWS) + (p > 0));
    }
}

static void draws_follow_the_options(void **state)
{
    (void)state;
    int a[TOKENS], b[TOKENS];
    check_draws(&(gr_generate_options){.seed = 1}, "111111", 1);
    check_draws(&(gr_generate_options){.temperature = 2.5}, "111111", 2.5);
    check_draws(&(gr_generate_options){.greedy = true}, "000010", 1);
    check_draws(&(gr_generate_options){.top_k = 1}, "000010", 1);
    check_draws(&(gr_generate_options){.top_k = 3}, "110010", 1);
    check_draws(&(gr_generate_options){.top_k = 100}, "111111", 1);
    check_draws(&(gr_generate_options){.top_p = 1e-9}, "000010", 1);
    check_draws(&(gr_generate_options){.top_p = 0.7}, "100010", 1); /* 0.636, 0.870 */
    check_draws(&(gr_generate_options){.top_p = 0.9}, "110010", 1); /* 0.956 */
    check_draws(&(gr_generate_options){.min_p = 0.2}, "100010", 1); /* e^-1 is above, e^-2 below */
    check_draws(&(gr_generate_options){.min_p = 0.2, .temperature = 3}, "111110", 3);
    check_draws(&(gr_generate_options){.top_k = 5, .top_p = 0.9, .min_p = 0.2}, "100010", 1);
    draw(&(gr_generate_options){.seed = 9}, a, -1);
    draw(&(gr_generate_options){.seed = 9}, b, -1);
    assert_memory_equal(a, b, sizeof a);
    draw(&(gr_generate_options){.seed = 10}, b, -1);
    assert_memory_not_equal(a, b, sizeof a);
    draw(&(gr_generate_options){.greedy = true, .repetition_penalty = 2}, a, 4); /* 3/2 is below 2 */
    assert_int_equal(a[0], DRAWS);
    float bad[TOKENS] = {0, NAN}, none[TOKENS] = {-INFINITY, -INFINITY, -INFINITY, -INFINITY, -INFINITY, -INFINITY};
    gr__sampler *s;
    int32_t id;
    assert_ok(gr__sampler_new(&(gr_generate_options){0}, TOKENS, &s));
    assert_fails(gr__sampler_next(s, bad, &id), GR_ERR_NUMERIC, "token 1");
    assert_fails(gr__sampler_next(s, none, &id), GR_ERR_NUMERIC, "infinite");
    gr__sampler_free(&s);
}

/* ---- no memory ---- */

typedef struct scarce {
    long left; /* allocations until one fails; below 0: it has */
} scarce;

static void *scarce_resize(void *user, void *pointer, size_t old_size, size_t size, size_t alignment)
{
    scarce *s = user;
    void *fresh = NULL;
    if (size == 0) {
        free(pointer);
        return NULL;
    }
    if (s->left-- == 0) return NULL;
    if (posix_memalign(&fresh, alignment, size) != 0) return NULL;
    if (pointer) {
        memcpy(fresh, pointer, GR__MIN(old_size, size));
        free(pointer);
    }
    return fresh;
}

static gr_status everything(const char *dir)
{
    gr_model *m = NULL;
    char *text = NULL;
    gr_lm_score score;
    static const int32_t ids[] = {72, 101, 108, 108, 111};
    gr_status status = gr_model_open(dir, &m);
    if (status == GR_OK)
        status = gr_generate(m, "Hi", &(gr_generate_options){.max_tokens = 2}, NULL, NULL, &text, NULL);
    if (status == GR_OK) status = gr_model_score(m, ids, 5, NULL, &score);
    if (status == GR_OK) status = gr_model_save(m, dir);
    gr_text_free(text);
    gr_model_free(&m);
    return status;
}

/* A recurrent model learns one sentence, and its folder goes on with it from anywhere. */
static void a_trained_rnn_goes_on(void **state)
{
    (void)state;
    static const char sentence[] = "the quick cat jumps over a lazy dog. ";
    static const char *const cells[] = {"model.cell=lstm", "model.cell=gru"};
    gr__str s = {0};
    for (int i = 0; i < 120; i++) gr__str_add(&s, sentence);
    for (size_t k = 0; k < GR__COUNT(cells); k++) {
        const char *set[] = {"model.type=rnn",      "model.layers=1",  "model.width=48", "model.context=24",
                             "tokenizer.type=byte", "train.steps=450", "train.batch=8",  "train.lr=0.02",
                             "data.valid=0.1",      cells[k]};
        const char *dir = test_tmpdir();
        gr_run *run;
        gr_model *m;
        char *text;
        gr_run_options o = {.overrides = set, .n_overrides = 10, .out = dir, .text = s.text, .text_bytes = s.n};
        assert_ok(gr_run_open(NULL, &o, &run));
        assert_ok(gr_run_train(run, NULL));
        gr_run_close(&run);
        assert_ok(gr_model_open(dir, &m));
        gr_generate_options greedy = {.max_tokens = 60, .greedy = true}; /* past the context too */
        assert_ok(gr_generate(m, "over a lazy dog. the qui", &greedy, NULL, NULL, &text, NULL));
        if (strncmp(text, "ck cat jumps over a lazy dog. the quick cat jumps over a la", 59) != 0)
            fail_msg("%s goes on with '%s'", cells[k], text);
        gr_text_free(text);
        gr_model_free(&m);
        test_rmtree(dir);
    }
    gr__str_release(&s);
}

/* Each of the first allocations fails once, then some: a status, no leak (under the sanitizer), no crash. */
static void lost_allocations_are_borne(void **state)
{
    (void)state;
    const char *dir = test_tmpdir();
    scarce s = {0};
    gr_model *m = make_model("type: gpt\nlayers: 1\nheads: 1\nwidth: 4\ncontext: 4\n");
    assert_ok(gr_model_save(m, dir));
    gr_model_free(&m);
    assert_ok(everything(dir)); /* what is made once for the process is made now */
    int failures = 0;
    for (long n = 0;; n += n < 300 ? 1 : 97) {
        s.left = n;
        gr_set_allocator(&(gr_allocator){.resize = scarce_resize, .user = &s});
        gr_status status = everything(dir);
        gr_set_allocator(NULL);
        if (s.left >= 0) { /* none failed */
            assert_int_equal(status, GR_OK);
            break;
        }
        if (status == GR_OK) continue; /* it could do without */
        if (status != GR_ERR_MEMORY) fail_msg("allocation %ld: %s: %s", n, gr_status_name(status), gr_message());
        failures++;
    }
    assert_true(failures > 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stories_are_llama2cs),       cmocka_unit_test(stories_survive_saving),
        cmocka_unit_test(caches_change_nothing),      cmocka_unit_test(windows_score_as_logits_say),
        cmocka_unit_test(stop_texts_end_the_text),    cmocka_unit_test(long_texts_drop_the_oldest_half),
        cmocka_unit_test(options_are_checked),        cmocka_unit_test(draws_follow_the_options),
        cmocka_unit_test(lost_allocations_are_borne), cmocka_unit_test(a_trained_rnn_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
