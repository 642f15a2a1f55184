/* Models on disk: saving and opening again, files as other programs write them, and hostile ones: every refusal is a
 * sentence. */
#include "tests/test.h"

#include "base/rng.h"
#include "format/weights.h"
#include "model/family.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MUTANTS = 10000 };

static gr_model *make_model(const char *text, int64_t inputs, int64_t outputs)
{
    gr__arena arena = {0};
    gr__conf *conf;
    gr_model *m;
    assert_ok(gr__conf_parse(text, strlen(text), "test", &arena, &conf));
    gr__facts facts = {.vocab = inputs ? 0 : 21, .inputs = inputs, .outputs = outputs};
    assert_ok(gr__model_new(conf, &facts, NULL, &m));
    assert_ok(gr_store_prepare(gr_model_store(m), m->layout, 3));
    gr__arena_release(&arena);
    return m;
}

static const char *const confs[] = {
    "type: gpt\nlayers: 2\nheads: 2\nwidth: 8\ncontext: 6\n",
    "type: gpt\nlayers: 1\nheads: 1\nwidth: 6\ncontext: 6\nbias: false\ntied: false\nhidden: 7\nactivation: relu\n"
    "dropout: 0.1\n",
    "type: llama\nlayers: 2\nheads: 4\nkv_heads: 2\nwidth: 8\nhidden: 5\ncontext: 6\n",
    "type: llama\nlayers: 1\nheads: 2\nwidth: 8\nhead_dim: 6\ncontext: 6\ntied: false\nattention_bias: true\n"
    "mlp_bias: true\n",
};

static void same_logits(gr_model *a, gr_model *b)
{
    static const int32_t ids[] = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 20};
    float x[12 * 21], y[12 * 21];
    assert_int_equal(gr_model_describe(a).vocab, 21);
    assert_ok(gr_model_logits(a, ids, 2, 6, x));
    assert_ok(gr_model_logits(b, ids, 2, 6, y));
    assert_memory_equal(x, y, sizeof x);
}

static void saved_models_open_again(void **state)
{
    (void)state;
    for (size_t i = 0; i < GR__COUNT(confs); i++) {
        gr_model *m = make_model(confs[i], 0, 0), *again;
        const char *dir = test_tmpdir();
        m->bos = 1;
        m->eos[0] = 2;
        m->eos[1] = 7;
        m->n_eos = 2;
        assert_ok(gr_model_save(m, dir));
        assert_ok(gr_model_open(dir, &again));
        same_logits(m, again);
        gr_model_info a = gr_model_describe(m), b = gr_model_describe(again);
        assert_memory_equal(&a, &b, sizeof a);
        assert_int_equal(again->bos, 1);
        assert_int_equal(again->pad, -1);
        assert_int_equal(again->n_eos, 2);
        assert_int_equal(again->eos[1], 7);
        assert_memory_equal(m->config, again->config, m->family->config_bytes);
        gr_model_free(&m);
        gr_model_free(&again);
    }
    gr_model *m = make_model("type: mlp\nhidden: [5, 4]\nactivation: tanh\noutput_activation: sigmoid\ndropout: 0.25\n"
                             "init: he_uniform\nbias_init: uniform\nbias_init_b: 0.1\n",
                             3, 2),
             *again;
    const char *dir = test_tmpdir();
    assert_ok(gr_model_save(m, dir));
    assert_ok(gr_model_open(dir, &again));
    assert_int_equal(gr_store_count(gr_model_store(again)), 6);
    for (size_t i = 0; i < 6; i++) {
        const char *path;
        gr_tensor a, b;
        assert_true(gr_store_at(gr_model_store(m), i, &path, &a));
        assert_ok(gr_store_get(gr_model_store(again), path, &b));
        assert_memory_equal(a.data, b.data, gr_tensor_size_bytes(&a));
    }
    gr_tensor t;
    assert_ok(gr_store_get(gr_model_store(again), "net.6.weight", &t)); /* Linear, Tanh, Dropout, ... */
    assert_int_equal(t.dim[0], 2);
    assert_int_equal(gr_model_describe(again).parameters, 3 * 5 + 5 + 5 * 4 + 4 + 4 * 2 + 2);
    gr_model_free(&m);
    gr_model_free(&again);
}

/* Biases that GPT-2 of Hugging Face cannot do without are zeros in the file. */
static void missing_biases_are_zeros(void **state)
{
    (void)state;
    gr_model *m = make_model(confs[1], 0, 0);
    gr__weights *w;
    gr_tensor t;
    const char *dir = test_tmpdir();
    static const char *const names[] = {"transformer.h.0.ln_1.bias", "transformer.h.0.attn.c_attn.bias",
                                        "transformer.ln_f.bias", "transformer.h.0.mlp.c_fc.bias"};
    static const int64_t sizes[] = {6, 18, 6, 7};
    assert_ok(gr_model_save(m, dir));
    assert_ok(gr__weights_open(dir, &w));
    assert_string_equal(gr__weights_metadata(w, "format"), "pt");
    assert_int_equal(gr__weights_count(w), 3 + 1 + 6 + 1 + 6);
    for (size_t i = 0; i < 4; i++) {
        assert_ok(gr__weights_get(w, names[i], &t));
        assert_int_equal(t.dim[0], sizes[i]);
        for (int64_t k = 0; k < sizes[i]; k++) assert_true(gr_tensor_get(&t, k) == 0);
    }
    gr__weights_close(&w);
    gr_model_free(&m);
}

/* ---- beginnings ---- */

static double deviation(gr_model *m, const char *path, double *most)
{
    gr_tensor t;
    double sum = 0;
    assert_ok(gr_store_get(gr_model_store(m), path, &t));
    *most = 0;
    for (int64_t i = 0, n = gr_tensor_count(&t); i < n; i++) {
        double x = gr_tensor_get(&t, i);
        sum += x * x / (double)n;
        *most = fmax(*most, fabs(x));
    }
    return sqrt(sum);
}

static void weights_begin_as_published(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        double deviation;
    } want[] = {
        {"transformer.wte.weight", 0.02},
        {"transformer.h.1.attn.c_attn.weight", 0.02},
        {"transformer.h.1.attn.c_proj.weight", 0.02 / 2},
        {"transformer.h.0.mlp.c_proj.weight", 0.02 / 2},
        {"transformer.h.0.ln_1.weight", 1},
        {"transformer.h.0.mlp.c_fc.bias", 0},
    };
    gr_model *m = make_model("type: gpt\nlayers: 2\nheads: 2\nwidth: 64\ncontext: 6\ndropout: 0.5\n", 0, 0);
    double most;
    for (size_t i = 0; i < GR__COUNT(want); i++) {
        double d = deviation(m, want[i].path, &most);
        if (!(fabs(d - want[i].deviation) <= 0.08 * want[i].deviation))
            fail_msg("'%s' begins with %g", want[i].path, d);
    }
    for (int train = 0; train < 2; train++) { /* the embedding and two branches of each layer */
        gr_graph *g;
        gr_lm_values v;
        char *text;
        int n = 0;
        assert_ok(gr_graph_new(&g));
        assert_ok(gr_model_build_lm(m, g, 1, 6, train, &v));
        gr_output(g, "p", "hidden", v.hidden);
        assert_ok(gr_graph_print(g, &text));
        for (const char *at = text; (at = strstr(at, " dropout")) != NULL; at++) n++;
        assert_int_equal(n, train ? 5 : 0);
        gr_text_free(text);
        gr_graph_free(&g);
    }
    gr_model_free(&m);
    m = make_model("type: mlp\nhidden: [100]\n", 25, 100);
    deviation(m, "net.0.weight", &most);
    assert_true(most <= 0.2 && most > 0.195);
    deviation(m, "net.2.bias", &most);
    assert_true(most <= 0.1 && most > 0.08);
    gr_model_free(&m);
    m = make_model("type: mlp\nhidden: [100]\ninit: he_uniform\nbias_init: constant\nbias_init_a: 0.5\n", 24, 1);
    deviation(m, "net.0.weight", &most);
    assert_true(most <= 0.5 && most > 0.49); /* sqrt(6/24) */
    assert_true(fabs(deviation(m, "net.0.bias", &most) - 0.5) < 1e-9);
    gr_model_free(&m);
}

/* ---- files of others ---- */

typedef struct pack {
    gr__named_tensor item[64];
    char name[64][96];
    void *owned[64];
    size_t n;
} pack;

/* The tensors of a model's folder, to be changed and written again. */
static void pack_read(pack *p, gr__weights **w, const char *dir)
{
    assert_ok(gr__weights_open(dir, w));
    memset(p, 0, sizeof *p);
    for (; p->n < gr__weights_count(*w); p->n++) {
        const gr__stored *s = gr__weights_at(*w, p->n);
        snprintf(p->name[p->n], sizeof p->name[0], "%s", s->name);
        p->item[p->n] = (gr__named_tensor){p->name[p->n], s->tensor};
    }
}

static void pack_write(pack *p, const char *dir)
{
    char path[300];
    for (size_t i = 0; i < p->n; i++) p->item[i].name = p->name[i];
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    assert_ok(gr__safetensors_write(path, p->item, p->n, NULL, 0));
}

static void pack_release(pack *p, gr__weights **w)
{
    for (size_t i = 0; i < 64; i++) free(p->owned[i]);
    gr__weights_close(w);
}

static void pack_convert(pack *p, size_t i, gr_dtype dtype)
{
    gr_tensor from = p->item[i].tensor, to = from;
    to.dtype = dtype;
    to.data = p->owned[i] = malloc(gr_tensor_size_bytes(&to));
    for (int64_t k = 0; k < gr_tensor_count(&to); k++) gr_tensor_set(&to, k, gr_tensor_get(&from, k));
    p->item[i].tensor = to;
}

static size_t pack_find(const pack *p, const char *name)
{
    for (size_t i = 0; i < p->n; i++)
        if (strcmp(p->name[i], name) == 0) return i;
    fail_msg("no '%s'", name);
    return 0;
}

static void pack_add(pack *p, const char *name, gr_tensor t)
{
    snprintf(p->name[p->n], sizeof p->name[0], "%s", name);
    p->item[p->n++].tensor = t;
}

/* Without the prefix, with masks, with the output matrix a second time, in other types. */
static void older_files_open(void **state)
{
    (void)state;
    gr_model *m = make_model(confs[0], 0, 0), *again;
    gr__weights *w;
    pack p;
    float mask[36] = {0};
    const char *dir = test_tmpdir(), *out = test_tmpdir();
    assert_ok(gr_model_save(m, dir));
    assert_ok(gr_model_save(m, out));
    pack_read(&p, &w, dir);
    size_t wte = pack_find(&p, "transformer.wte.weight");
    pack_add(&p, "lm_head.weight", p.item[wte].tensor);
    pack_add(&p, "transformer.h.0.attn.bias",
             (gr_tensor){.dtype = GR_F32, .rank = 4, .dim = {1, 1, 6, 6}, .data = mask});
    pack_add(&p, "transformer.h.1.attn.masked_bias", (gr_tensor){.dtype = GR_F32, .data = mask});
    for (size_t i = 0; i < p.n; i++)
        if (strncmp(p.name[i], "transformer.", 12) == 0) memmove(p.name[i], p.name[i] + 12, strlen(p.name[i]) - 11);
    pack_convert(&p, pack_find(&p, "ln_f.weight"), GR_F64);
    pack_convert(&p, pack_find(&p, "h.0.ln_1.weight"), GR_BF16); /* ones */
    pack_convert(&p, pack_find(&p, "h.1.ln_2.weight"), GR_F16);
    pack_write(&p, out);
    assert_ok(gr_model_open(out, &again));
    same_logits(m, again);
    gr_model_free(&again);
    float other[21 * 8] = {1};
    p.item[pack_find(&p, "lm_head.weight")].tensor.data = other;
    pack_write(&p, out);
    assert_fails(gr_model_open(out, &again), GR_ERR_CORRUPT, "lm_head.weight");
    pack_release(&p, &w);
    gr_model_free(&m);
}

static void wrong_tensors_are_named(void **state)
{
    (void)state;
    gr_model *m = make_model(confs[2], 0, 0), *again = NULL;
    gr__weights *w;
    const char *dir = test_tmpdir(), *out = test_tmpdir(), *q = "model.layers.1.self_attn.q_proj.weight";
    assert_ok(gr_model_save(m, dir));
    assert_ok(gr_model_save(m, out));
    static const struct {
        const char *word;
        gr_status status;
    } wrong[] = {
        {"[7,8] in the file, config.json needs [8,8]", GR_ERR_CORRUPT},
        {"is missing", GR_ERR_CORRUPT},
        {"has no place", GR_ERR_CORRUPT},
        {"weights must be floats", GR_ERR_CORRUPT},
        {"[64] in the file", GR_ERR_CORRUPT},
        {"'extra' is there", GR_ERR_CORRUPT},
        {"the same parameter", GR_ERR_CORRUPT},
    };
    for (int i = 0; i < (int)GR__COUNT(wrong); i++) {
        pack p;
        pack_read(&p, &w, dir);
        size_t at = pack_find(&p, q);
        if (i == 0) p.item[at].tensor.dim[0] = 7;
        if (i == 1) p.item[at] = p.item[p.n - 1], memcpy(p.name[at], p.name[p.n - 1], 96), p.n--;
        if (i == 2) pack_add(&p, "model.layers.2.mlp.up_proj.weight", p.item[0].tensor);
        if (i == 3) p.item[at].tensor.dtype = GR_I32;
        if (i == 4) p.item[at].tensor.rank = 1, p.item[at].tensor.dim[0] = 64;
        if (i == 5) strcpy(p.name[at], "extra");
        if (i == 6) pack_add(&p, q + strlen("model."), p.item[at].tensor);
        pack_write(&p, out);
        assert_fails(gr_model_open(out, &again), wrong[i].status, wrong[i].word);
        assert_true(strstr(gr_message(), i == 2 ? "layers.2" : q + strlen("model.")) != NULL);
        assert_null(again);
        pack_release(&p, &w);
    }
    gr_model_free(&m);
}

/* ---- configurations ---- */

static char *read_text(const char *dir, const char *name, size_t *n)
{
    char path[300], *text;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_ok(gr__file_read(path, 1 << 20, &text, n));
    return text;
}

/* config.json with 'from' replaced by 'to'. */
static void refuses(const char *dir, const char *text, const char *from, const char *to, gr_status status,
                    const char *word)
{
    char changed[4096];
    gr_model *m;
    const char *at = strstr(text, from);
    if (!at) fail_msg("no %s", from);
    snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    test_write(dir, "config.json", changed, strlen(changed));
    assert_fails(gr_model_open(dir, &m), status, word);
}

static void refusals_name_the_key(void **state)
{
    (void)state;
    gr_model *m = make_model(confs[2], 0, 0);
    const char *dir = test_tmpdir();
    size_t n;
    assert_ok(gr_model_save(m, dir));
    gr_model_free(&m);
    char *t = read_text(dir, "config.json", &n);
    refuses(dir, t, "\"llama\"", "\"lama\"", GR_ERR_UNSUPPORTED, "did you mean 'llama'");
    refuses(dir, t, "\"model_type\"", "\"model_kind\"", GR_ERR_CORRUPT, "'model_type' is missing");
    refuses(dir, t, "\"rope_scaling\": null", "\"rope_scaling\": {\"rope_type\": \"llama3\"}", GR_ERR_UNSUPPORTED,
            "rope_scaling");
    refuses(dir, t, "\"rope_scaling\": null", "\"sliding_window\": 4", GR_ERR_UNSUPPORTED, "sliding_window");
    refuses(dir, t, "\"silu\"", "\"gelu\"", GR_ERR_UNSUPPORTED, "hidden_act");
    refuses(dir, t, "\"hidden_size\": 8", "\"hidden_size\": 8.5", GR_ERR_CORRUPT, "hidden_size");
    refuses(dir, t, "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3", GR_ERR_CORRUPT, "layers.2");
    refuses(dir, t, "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 900", GR_ERR_CORRUPT, "900 layers");
    refuses(dir, t, "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1", GR_ERR_CORRUPT, "no place");
    refuses(dir, t, "\"num_key_value_heads\": 2", "\"num_key_value_heads\": 3", GR_ERR_CORRUPT, "kv_heads");
    refuses(dir, t, "\"attention_bias\": false", "\"attention_bias\": true", GR_ERR_CORRUPT, "q_proj.bias' is missing");
    refuses(dir, t, "\"tie_word_embeddings\": true", "\"tie_word_embeddings\": false", GR_ERR_CORRUPT,
            "lm_head.weight");
    gr__free(t);
    m = make_model(confs[0], 0, 0);
    gr_tensor bias;
    assert_ok(gr_store_get(gr_model_store(m), "transformer.h.1.mlp.c_fc.bias", &bias));
    gr_tensor_set(&bias, 31, 0.5);
    assert_ok(gr_model_save(m, dir));
    gr_model_free(&m);
    t = read_text(dir, "config.json", &n);
    refuses(dir, t, "\"use_cache\": true", "\"scale_attn_weights\": false", GR_ERR_UNSUPPORTED, "scale_attn_weights");
    refuses(dir, t, "\"use_cache\": true", "\"add_cross_attention\": true", GR_ERR_UNSUPPORTED, "add_cross_attention");
    refuses(dir, t, "\"gelu_new\"", "\"mish\"", GR_ERR_UNSUPPORTED, "mish");
    refuses(dir, t, "\"n_embd\": 8", "\"n_embd\": 9", GR_ERR_CORRUPT, "'width' 9");
    refuses(dir, t, "\"use_cache\": true", "\"gradus_bias\": false", GR_ERR_CORRUPT,
            "'transformer.h.1.mlp.c_fc.bias' has no place");
    gr__free(t);
    gr_model *none;
    assert_fails(gr_model_open("/nonexistent", &none), GR_ERR_NOT_FOUND, "/nonexistent");
    assert_fails(gr_model_open(test_tmpdir(), &none), GR_ERR_NOT_FOUND, "config.json");
    assert_fails(gr_model_open(test_source("tests/test_model_open.c"), &none), GR_ERR_UNSUPPORTED, "folder");
}

static void sections_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *text, *word;
    } wrong[] = {
        {"type: gtp\n", "did you mean 'gpt'"},
        {"type: gpt\nlayer: 3\n", "did you mean 'layers'"},
        {"type: gpt\nwidth: 100\nheads: 3\n", "'width' 100"},
        {"type: gpt\nvocab: 5\n", "the tokenizer has 21"},
        {"type: gpt\ndropout: 1\n", "dropout"},
        {"type: llama\nheads: 3\nkv_heads: 2\nwidth: 6\n", "kv_heads"},
        {"type: llama\nheads: 2\nwidth: 6\n", "even"},
        {"type: mlp\n", "'inputs' must be given"},
        {"type: mlp\ninputs: 2\noutputs: 1\ninit: uniform\n", "init_a"},
        {"type: mlp\ninputs: 2\noutputs: 1\nbias_init: he_normal\n", "matrices"},
        {"type: mlp\ninputs: 2\noutputs: 1\nhidden: [3, 0]\n", "hidden"},
    };
    for (size_t i = 0; i < GR__COUNT(wrong); i++) {
        gr__arena arena = {0};
        gr__conf *conf;
        gr_model *m = NULL;
        assert_ok(gr__conf_parse(wrong[i].text, strlen(wrong[i].text), "test", &arena, &conf));
        assert_fails(gr__model_new(conf, &(gr__facts){.vocab = 21}, NULL, &m), GR_ERR_CONFIG, wrong[i].word);
        assert_null(m);
        gr__arena_release(&arena);
    }
    gr_model *m;
    assert_ok(gr__model_new(NULL, &(gr__facts){.vocab = 21}, NULL, &m));
    assert_string_equal(gr_model_family(m), "gpt");
    gr_model_free(&m);
}

/* ---- mutants ---- */

/* Bytes into an existing file, in place: ten thousand renamed files would be ten thousand flushes of the disk. */
static void rewrite(const char *path, const char *bytes, size_t n)
{
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    fflush(f);
    assert_int_equal(ftruncate(fileno(f), (off_t)n), 0);
    fclose(f);
}

static void open_mutant(const char *dir, int *opened)
{
    gr_model *m = NULL;
    gr_status status = gr_model_open(dir, &m);
    if (status == GR_OK) {
        (*opened)++;
        gr_model_free(&m);
    } else {
        if (status == GR_ERR_INTERNAL || status == GR_ERR_MEMORY || strlen(gr_message()) < 10)
            fail_msg("%s: %s", gr_status_name(status), gr_message());
        assert_null(m);
    }
}

static void mutate(gr__rng *r, const char *text, size_t n, char *out, size_t *n_out)
{
    static const char *const bits[] = {"-1", "0",  "99999999999", "1e308", "null",       "true", "\"\"",
                                       "[]", "{}", "\"",          ",",     "2147483648", "7"};
    memcpy(out, text, n);
    *n_out = n;
    if (gr__rng_below(r, 10) == 0) *n_out = (size_t)gr__rng_below(r, n);
    for (uint64_t k = 1 + gr__rng_below(r, 3); k > 0 && *n_out > 8; k--) {
        size_t at = (size_t)gr__rng_below(r, *n_out);
        uint64_t what = gr__rng_below(r, 4);
        if (what == 0) out[at] = (char)gr__rng_u32(r);
        if (what == 1) out[at] = (char)('0' + gr__rng_below(r, 10));
        if (what == 2) memmove(out + at, out + at + 1, --*n_out - at);
        if (what == 3) { /* another value for a key */
            char *colon = memchr(out + at, ':', *n_out - at),
                 *end = colon ? memchr(colon, ',', *n_out - (size_t)(colon - out)) : NULL;
            const char *bit = bits[gr__rng_below(r, GR__COUNT(bits))];
            if (!end) continue;
            size_t tail = *n_out - (size_t)(end - out), size = strlen(bit);
            memmove(colon + 1 + size, end, tail);
            memcpy(colon + 1, bit, size);
            *n_out = (size_t)(colon - out) + 1 + size + tail;
        }
    }
}

static void mutated_configs_never_crash(void **state)
{
    (void)state;
    gr__rng r = gr__rng_make(20, 1);
    int opened = 0;
    for (size_t i = 0; i < GR__COUNT(confs) + 2; i++) {
        gr_model *m = NULL;
        if (i < GR__COUNT(confs))
            m = make_model(confs[i], 0, 0);
        else if (i == GR__COUNT(confs))
            m = make_model("type: mlp\nhidden: [3]\n", 2, 1);
        else
            assert_ok(gr_model_open(test_source("tests/golden/models/roberta-tiny"), &m));
        const char *dir = test_tmpdir();
        char *text, *out, path[300];
        size_t n, n_out;
        assert_ok(gr_model_save(m, dir));
        gr_model_free(&m);
        text = read_text(dir, "config.json", &n);
        out = malloc(n + 100);
        snprintf(path, sizeof path, "%s/config.json", dir);
        for (int k = 0; k < MUTANTS / (int)(GR__COUNT(confs) + 2); k++) {
            mutate(&r, text, n, out, &n_out);
            rewrite(path, out, n_out);
            open_mutant(dir, &opened);
        }
        free(out);
        gr__free(text);
        test_rmtree(dir);
    }
    assert_in_range(opened, MUTANTS / 100, MUTANTS / 2); /* harmless changes exist, and not only those */
}

static void broken_weights_never_crash(void **state)
{
    (void)state;
    gr__rng r = gr__rng_make(21, 1);
    int opened = 0;
    for (size_t i = 0; i < 2; i++) {
        gr_model *m = make_model(confs[2 * i], 0, 0);
        const char *dir = test_tmpdir();
        char path[300];
        size_t n;
        assert_ok(gr_model_save(m, dir));
        gr_model_free(&m);
        char *text = read_text(dir, "model.safetensors", &n), *out = malloc(n);
        snprintf(path, sizeof path, "%s/model.safetensors", dir);
        for (int k = 0; k < 1000; k++) {
            size_t size = k % 4 == 0 ? (size_t)gr__rng_below(&r, n) : n;
            memcpy(out, text, n);
            for (int c = 0; c < 3; c++) out[gr__rng_below(&r, k % 2 ? 3000 : 16)] = (char)gr__rng_u32(&r);
            rewrite(path, out, size);
            open_mutant(dir, &opened);
        }
        free(out);
        gr__free(text);
        test_rmtree(dir);
    }
}

/* A llama2.c file is not JSON, but hostile all the same. */
static void broken_bins_never_crash(void **state)
{
    (void)state;
    const char *bin = test_data("models/stories260K/stories260K.bin"),
               *tok = test_data("models/stories260K/tok512.bin");
    if (!bin || !tok) skip();
    gr__rng r = gr__rng_make(22, 1);
    char *text, *t, path[300];
    size_t n, n_tok;
    gr_model *m;
    const char *dir = test_tmpdir();
    assert_ok(gr__file_read(bin, 1 << 24, &text, &n));
    assert_ok(gr__file_read(tok, 1 << 24, &t, &n_tok));
    test_write(dir, "tok512.bin", t, n_tok);
    snprintf(path, sizeof path, "%s", test_write(dir, "model.bin", text, n));
    assert_ok(gr_model_open(dir, &m)); /* the folder finds it */
    assert_non_null(gr_model_tokenizer(m));
    gr_model_free(&m);
    for (int k = 0; k < 200; k++) {
        size_t size = k % 4 == 0 ? (size_t)gr__rng_below(&r, n) : n, at = (size_t)gr__rng_below(&r, 28);
        char was = text[at];
        text[at] = (char)gr__rng_u32(&r);
        rewrite(path, text, size);
        int opened = 0;
        open_mutant(path, &opened);
        text[at] = was;
    }
    gr__free(text);
    gr__free(t);
}

/* A row without what its kind needs is a sentence, not a call of NULL; and all rows have it. */
static void rows_of_families_are_whole(void **state)
{
    (void)state;
    for (int i = 0; i < gr__n_families; i++) assert_ok(gr__family_check(gr__families[i], gr__families[i]->kind));
    gr__family f = gr__family_mlp;
    gr_model *m = NULL;
    f.sizes = NULL;
    assert_fails(gr__model_make(&f, &m), GR_ERR_INTERNAL, "the row of the family 'mlp' has no sizes");
    f = gr__family_mlp;
    f.describe = NULL;
    assert_fails(gr__model_make(&f, &m), GR_ERR_INTERNAL, "the row of the family 'mlp' has no describe");
    f = gr__family_mf;
    f.build_rating = NULL;
    assert_fails(gr__model_make(&f, &m), GR_ERR_INTERNAL, "has no build_rating, nor build_query and build_items");
    assert_null(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(saved_models_open_again),    cmocka_unit_test(missing_biases_are_zeros),
        cmocka_unit_test(weights_begin_as_published), cmocka_unit_test(older_files_open),
        cmocka_unit_test(wrong_tensors_are_named),    cmocka_unit_test(refusals_name_the_key),
        cmocka_unit_test(sections_are_checked),       cmocka_unit_test(mutated_configs_never_crash),
        cmocka_unit_test(broken_weights_never_crash), cmocka_unit_test(broken_bins_never_crash),
        cmocka_unit_test(rows_of_families_are_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
