/* Small BERT, RoBERTa and DistilBERT models against Transformers' answers (tests/golden/make_models.py), on rows of
 * unequal length: hidden states, pooled output, logits, loss and every gradient. And what a folder of another kind, or
 * one that is only a beginning, gives. */
#include "tests/test.h"

#include "base/file.h"
#include "format/weights.h"
#include "gradus/nn.h"
#include "gradus/plan.h"
#include "model/family.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Of the largest element; PyTorch's own f32 is 2e-6 away. */
#define LIMIT 1e-5

static const char *const folders[] = {"bert-tiny",       "bert-old",     "bert-regression", "roberta-tiny",
                                      "distilbert-tiny", "textcnn-tiny", "textrnn-tiny",    "textrnn-last",
                                      "textrnn-mean",    "bag-tiny",     "bag-single"};

typedef struct subject {
    const char *name;
    gr_model *model;
    gr__safetensors *golden;
    gr_graph *g;
    gr_value param[80], grad[80];
    int n;
    int64_t batch, time;
} subject;

static const gr_tensor *golden(const subject *s, const char *name)
{
    const gr__stored *t = gr__safetensors_find(s->golden, name);
    return t ? &t->tensor : NULL;
}

static void subject_open(subject *s, const char *name)
{
    char path[300];
    *s = (subject){.name = name};
    snprintf(path, sizeof path, "tests/golden/models/%s", name);
    assert_ok(gr_model_open(test_source(path), &s->model));
    strcat(path, "/golden.safetensors");
    assert_ok(gr__safetensors_open(test_source(path), &s->golden));
    s->batch = golden(s, "ids")->dim[0];
    s->time = golden(s, "ids")->dim[1];
}

static void subject_close(subject *s)
{
    gr_graph_free(&s->g);
    gr__safetensors_close(&s->golden);
    gr_model_free(&s->model);
}

/* max|a - b| / max|b| */
static void check(const subject *s, const char *name, const gr_tensor *a)
{
    const gr_tensor *b = golden(s, name);
    double most = 0, scale = 0;
    if (!b) fail_msg("%s: no '%s'", s->name, name);
    assert_int_equal(gr_tensor_count(a), gr_tensor_count(b));
    for (int64_t i = 0, n = gr_tensor_count(a); i < n; i++) {
        most = fmax(most, fabs(gr_tensor_get(a, i) - gr_tensor_get(b, i)));
        if (!(fabs(gr_tensor_get(a, i)) < 1e30)) most = INFINITY;
        scale = fmax(scale, fabs(gr_tensor_get(b, i)));
    }
    if (!(most <= LIMIT * scale)) fail_msg("%s: '%s' is %g away", s->name, name, most / scale);
}

static void subject_build(subject *s)
{
    gr_encoder_values v;
    assert_ok(gr_graph_new(&s->g));
    assert_ok(gr_model_build_encoder(s->model, s->g, s->batch, s->time, false, &v));
    assert_int_equal(v.types != 0, golden(s, "types") != NULL && gr_model_describe(s->model).types > 1);
    assert_int_equal(v.pooled != 0, golden(s, "pooled") != NULL);
    gr_loss loss;
    if (gr_model_label_kind(s->model) == GR_LABELS_NUMBERS) {
        gr_value y = gr_input(s->g, "labels", GR_F32, 2, (int64_t[]){s->batch, 1});
        loss = gr_loss_mse(s->g, v.logits, y, NULL);
    } else {
        loss = gr_loss_cross_entropy(s->g, v.logits, gr_input(s->g, "labels", GR_I32, 1, &s->batch), NULL);
    }
    gr_output(s->g, "eval", "hidden", v.hidden);
    if (v.pooled) gr_output(s->g, "eval", "pooled", v.pooled);
    gr_output(s->g, "eval", "logits", v.logits);
    gr_value mean = gr_div(s->g, loss.sum, loss.weight);
    gr_output(s->g, "eval", "loss", mean);
    s->n = gr_graph_params(s->g, s->param, 80);
    assert_in_range(s->n, 1, 80);
    assert_ok(gr_grad(s->g, mean, s->param, s->n, s->grad));
    for (int i = 0; i < s->n; i++) gr_output(s->g, "eval", gr_value_path(s->g, s->param[i]), s->grad[i]);
    assert_ok(gr_graph_status(s->g));
}

static void fill(gr_session *session, const subject *s)
{
    static const char *const inputs[] = {"ids", "mask", "labels", "token_types"};
    for (size_t i = 0; i < GR__COUNT(inputs); i++) {
        gr_tensor t;
        const gr_tensor *from = golden(s, strcmp(inputs[i], "token_types") == 0 ? "types" : inputs[i]);
        if (gr_session_input(session, inputs[i], &t) != GR_OK) continue;
        assert_int_equal(gr_tensor_size_bytes(&t), gr_tensor_size_bytes(from));
        memcpy(t.data, from->data, gr_tensor_size_bytes(&t));
    }
}

/* Padding means nothing, and RoBERTa's has other positions here. */
static void hide_padding(const subject *s, gr_tensor *hidden)
{
    int64_t width = hidden->dim[2];
    const uint8_t *mask = golden(s, "mask")->data;
    for (int64_t i = 0; i < s->batch * s->time; i++)
        for (int64_t k = 0; !mask[i] && k < width; k++) ((float *)hidden->data)[i * width + k] = 0;
}

static void check_way(subject *s, const gr_plan_options *options)
{
    static const char *const values[] = {"hidden", "pooled", "logits", "loss"};
    gr_plan *plan;
    gr_session *session;
    gr_tensor t;
    assert_ok(gr_plan_compile(s->g, "eval", options, &plan));
    assert_ok(gr_session_new(plan, gr_model_store(s->model), &session));
    fill(session, s);
    assert_ok(gr_session_run(session));
    for (size_t i = 0; i < GR__COUNT(values); i++) {
        if (!golden(s, values[i])) continue;
        assert_ok(gr_session_output(session, values[i], &t));
        if (i == 0) hide_padding(s, &t);
        check(s, values[i], &t);
    }
    for (int i = 0; i < s->n; i++) {
        char name[200];
        const char *path = gr_value_path(s->g, s->param[i]);
        snprintf(name, sizeof name, "grad.%s", path);
        assert_ok(gr_session_output(session, path, &t));
        if (strstr(path, "key.bias") || strstr(path, "k_lin.bias")) /* zero but for rounding */
            for (int64_t k = 0; k < gr_tensor_count(&t); k++) assert_true(fabs(gr_tensor_get(&t, k)) < 1e-6);
        else
            check(s, name, &t);
    }
    gr_session_free(&session);
    gr_plan_free(&plan);
}

static void numbers_and_gradients_are_transformers(void **state)
{
    (void)state;
    static const gr_plan_options ways[] = {
        {0}, {.reference = true}, {.no_fuse = true}, {.recompute = GR_RECOMPUTE_BLOCKS}};
    for (size_t f = 0; f < GR__COUNT(folders); f++) {
        subject s;
        subject_open(&s, folders[f]);
        subject_build(&s);
        for (size_t w = 0; w < GR__COUNT(ways); w++) check_way(&s, &ways[w]);
        subject_close(&s);
    }
}

static void encode_gives_the_same(void **state)
{
    (void)state;
    for (size_t f = 0; f < GR__COUNT(folders); f++) {
        subject s;
        subject_open(&s, folders[f]);
        if (!golden(&s, "types") || gr_model_describe(s.model).types == 1) { /* else types are needed */
            gr_tensor t = *golden(&s, "logits");
            float logits[32];
            t.data = logits;
            assert_ok(gr_model_encode(s.model, golden(&s, "ids")->data, golden(&s, "mask")->data, s.batch, s.time, NULL,
                                      NULL, logits));
            check(&s, "logits", &t);
        }
        subject_close(&s);
    }
}

/* What is behind a mask does not matter. */
static void padding_is_not_seen(void **state)
{
    (void)state;
    gr_model *m;
    int32_t ids[] = {3, 4, 5, 0, 0, 3, 4, 5, 7, 8};
    uint8_t mask[] = {1, 1, 1, 0, 0, 1, 1, 1, 0, 0};
    float logits[6];
    assert_ok(gr_model_open(test_source("tests/golden/models/bert-tiny"), &m));
    assert_ok(gr_model_encode(m, ids, mask, 2, 5, NULL, NULL, logits));
    assert_memory_equal(logits, logits + 3, 3 * sizeof *logits);
    gr_model_free(&m);
}

/* ---- folders ---- */

static void labels_are_read_and_written(void **state)
{
    (void)state;
    for (size_t f = 0; f < GR__COUNT(folders); f++) {
        subject s;
        gr_model *again;
        subject_open(&s, folders[f]);
        const char *dir = test_tmpdir();
        assert_ok(gr_model_save(s.model, dir));
        assert_ok(gr_model_open(dir, &again));
        gr_model_info a = gr_model_describe(s.model), b = gr_model_describe(again);
        assert_memory_equal(&a, &b, sizeof a);
        assert_int_equal(gr_model_label_kind(s.model), gr_model_label_kind(again));
        for (int64_t i = 0; i < a.labels; i++)
            assert_string_equal(gr_model_label(s.model, i), gr_model_label(again, i));
        assert_null(gr_model_label(again, a.labels));
        for (size_t i = 0; i < gr_store_count(gr_model_store(again)); i++) {
            const char *path;
            gr_tensor x, y;
            assert_true(gr_store_at(gr_model_store(again), i, &path, &x));
            assert_ok(gr_store_get(gr_model_store(s.model), path, &y));
            assert_memory_equal(x.data, y.data, gr_tensor_size_bytes(&x));
        }
        gr_model_free(&again);
        subject_close(&s);
    }
    gr_model *m;
    assert_ok(gr_model_open(test_source("tests/golden/models/bert-tiny"), &m));
    assert_string_equal(gr_model_label(m, 2), "new \"line\"\n");
    gr_model_free(&m);
    assert_ok(gr_model_open(test_source("tests/golden/models/bert-old"), &m));
    assert_string_equal(gr_model_label(m, 1), "LABEL_1"); /* the file does not name them */
    gr_model_free(&m);
}

/* A copy of a golden folder whose config.json has 'old' replaced by 'fresh'. */
static const char *changed(const char *name, const char *old, const char *fresh)
{
    const char *dir = test_tmpdir();
    char from[300], *text, *at;
    size_t n;
    gr__str s = {0};
    snprintf(from, sizeof from, "tests/golden/models/%s/model.safetensors", name);
    assert_ok(gr__file_read(test_source(from), 1 << 20, &text, &n));
    test_write(dir, "model.safetensors", text, n);
    gr__free(text);
    snprintf(from, sizeof from, "tests/golden/models/%s/config.json", name);
    assert_ok(gr__file_read(test_source(from), 1 << 20, &text, &n));
    at = strstr(text, old);
    assert_non_null(at);
    gr__str_add_n(&s, text, (size_t)(at - text));
    gr__str_add(&s, fresh);
    gr__str_add(&s, at + strlen(old));
    test_write(dir, "config.json", gr__str_get(&s), s.n);
    gr__str_release(&s);
    gr__free(text);
    return dir;
}

static void other_folders_are_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *old, *fresh, *part;
        gr_status status;
    } cases[] = {
        {"BertForSequenceClassification", "BertForQuestionAnswering", "BertForQuestionAnswering", GR_ERR_UNSUPPORTED},
        {"\"hidden_act\": \"gelu\"", "\"hidden_act\": \"mish\"", "'mish'", GR_ERR_UNSUPPORTED},
        {"\"is_decoder\": false", "\"is_decoder\": true", "is_decoder", GR_ERR_UNSUPPORTED},
        {"\"use_cache\"", "\"position_embedding_type\": \"relative_key\", \"use_cache\"", "relative_key",
         GR_ERR_UNSUPPORTED},
        {"\"use_cache\"", "\"problem_type\": \"ranking\", \"use_cache\"", "'ranking'", GR_ERR_UNSUPPORTED},
        {"\"1\": \"spam\",", "\"5\": \"spam\",", "label 1", GR_ERR_CORRUPT},
        {"\"1\": \"spam\",", "", "label 1", GR_ERR_CORRUPT},
        {"\"hidden_size\": 16", "\"hidden_size\": 17", "multiple of 'heads'", GR_ERR_CORRUPT},
        {"\"type_vocab_size\": 2", "\"type_vocab_size\": 3", "token_type_embeddings", GR_ERR_CORRUPT},
        {"\"vocab_size\": 19", "\"vocab_size\": 0", "vocab_size", GR_ERR_CORRUPT},
        {"\"model_type\": \"bert\"", "\"model_type\": \"bart\"", "did you mean 'bert'", GR_ERR_UNSUPPORTED},
    };
    gr_model *m = NULL;
    for (size_t i = 0; i < GR__COUNT(cases); i++)
        assert_fails(gr_model_open(changed("bert-tiny", cases[i].old, cases[i].fresh), &m), cases[i].status,
                     cases[i].part);
    assert_fails(
        gr_model_open(changed("roberta-tiny", "\"max_position_embeddings\": 11", "\"max_position_embeddings\": 2"), &m),
        GR_ERR_CORRUPT, "max_position_embeddings");
    assert_fails(
        gr_model_open(changed("distilbert-tiny", "\"sinusoidal_pos_embds\": false", "\"sinusoidal_pos_embds\": true"),
                      &m),
        GR_ERR_UNSUPPORTED, "sinusoidal");
}

static void language_models_are_something_else(void **state)
{
    (void)state;
    gr_model *m;
    gr_graph *g;
    gr_encoder_values e;
    gr_lm_values l;
    float scores[3];
    const char *text = "a";
    assert_ok(gr_graph_new(&g));
    assert_ok(gr_model_open(test_source("tests/golden/models/gpt2-tiny"), &m));
    assert_fails(gr_model_build_encoder(m, g, 1, 1, false, &e), GR_ERR_UNSUPPORTED, "needs an encoder, not 'gpt'");
    assert_fails(gr_classify(m, &text, 1, NULL, scores), GR_ERR_UNSUPPORTED, "encoder");
    assert_null(gr_model_label(m, 0));
    gr_model_free(&m);
    assert_ok(gr_model_open(test_source("tests/golden/models/bert-tiny"), &m));
    assert_fails(gr_model_build_lm(m, g, 1, 1, false, &l), GR_ERR_UNSUPPORTED, "needs a language model, not 'bert'");
    assert_fails(gr_model_build_encoder(m, g, 1, 10, false, &e), GR_ERR_ARGUMENT, "context is 9");
    assert_fails(gr_classify(m, &text, 1, NULL, scores), GR_ERR_DATA, "no tokenizer");
    gr_model_free(&m);
    gr_graph_free(&g);
}

/* ---- beginnings ---- */

static bool has(gr_model *m, const char *path)
{
    gr_tensor t;
    return gr_store_get(gr_model_store(m), path, &t) == GR_OK;
}

static void a_folder_begins_with_other_labels(void **state)
{
    (void)state;
    const char *same[] = {"ham", "spam", "new \"line\"\n"}, *other[] = {"a", "b", "c"};
    const char *tiny = test_source("tests/golden/models/bert-tiny");
    gr__facts facts = {.labels = {same, 3}};
    gr_model *m;
    assert_ok(gr__model_open_as(tiny, &facts, &m));
    assert_true(has(m, "classifier.weight"));
    gr_model_free(&m);
    facts.labels.item = other;
    assert_ok(gr__model_open_as(tiny, &facts, &m));
    assert_string_equal(gr_model_label(m, 0), "a");
    assert_false(has(m, "classifier.weight"));
    assert_true(has(m, "bert.pooler.dense.weight"));
    assert_ok(gr_store_prepare(gr_model_store(m), m->layout, 1));
    assert_true(has(m, "classifier.weight"));
    gr_model_free(&m);
    /* a body alone has neither head nor labels; its head begins anew */
    const char *body = changed("bert-tiny", "BertForSequenceClassification", "BertForMaskedLM");
    assert_fails(gr_model_open(body, &m), GR_ERR_CORRUPT, "classifier.bias");
    facts.labels.n = 2;
    assert_ok(gr__model_open_as(body, &facts, &m));
    assert_int_equal(gr_model_describe(m).labels, 2);
    assert_false(has(m, "classifier.weight"));
    gr_model_free(&m);
    assert_fails(gr__model_open_as(test_source("tests/golden/models/gpt2-tiny"), &facts, &m), GR_ERR_UNSUPPORTED,
                 "encoder");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_and_gradients_are_transformers),
        cmocka_unit_test(encode_gives_the_same),
        cmocka_unit_test(padding_is_not_seen),
        cmocka_unit_test(labels_are_read_and_written),
        cmocka_unit_test(other_folders_are_refused_by_name),
        cmocka_unit_test(language_models_are_something_else),
        cmocka_unit_test(a_folder_begins_with_other_labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
