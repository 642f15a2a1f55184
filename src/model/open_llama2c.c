/* llama2.c's models as Llama models. It turns neighbours (2i, 2i+1) where Hugging Face turns halves (i, i + D/2), so
 * the rows of each head of q and k are put in the order of halves, as Hugging Face does with Meta's weights. */
#include "format/llama2c.h"
#include "graph/graph.h"
#include "model/family.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The angles in the file are those of theta = 10000; another table would be another model. */
static gr_status check_angles(const gr__llama2c *b)
{
    int64_t half = b->dim / b->heads / 2;
    for (int64_t t = 0; t < b->context; t++)
        for (int64_t i = 0; i < half; i++) {
            double angle = (double)t * pow(10000, -(double)i / (double)half);
            GR_FAIL_IF(!(fabs((double)b->freq_real[t * half + i] - cos(angle)) < 1e-2) ||
                           !(fabs((double)b->freq_imag[t * half + i] - sin(angle)) < 1e-2),
                       GR_ERR_UNSUPPORTED, "its rotary angles are not those of theta 10000");
        }
    return GR_OK;
}

static gr_status configure(gr_model *m, const gr__llama2c *b)
{
    gr__str json = {0};
    gr__json_doc *doc;
    gr__str_printf(&json,
                   "{\"num_hidden_layers\": %lld, \"num_attention_heads\": %lld, \"num_key_value_heads\": %lld, "
                   "\"hidden_size\": %lld, \"intermediate_size\": %lld, \"max_position_embeddings\": %lld, "
                   "\"vocab_size\": %lld, \"rms_norm_eps\": 1e-5, \"tie_word_embeddings\": %s}",
                   (long long)b->layers, (long long)b->heads, (long long)b->kv_heads, (long long)b->dim,
                   (long long)b->hidden, (long long)b->context, (long long)b->vocab, b->tied ? "true" : "false");
    gr_status status = gr__str_check(&json);
    if (status == GR_OK) status = gr__json_parse(json.text, json.n, "its header", &doc);
    gr__str_release(&json);
    GR_TRY(status);
    status = m->family->read_json(gr__json_root(doc), m->config, &m->arena);
    gr__json_free(&doc);
    return status;
}

typedef struct piece {
    const char *name;  /* behind "model.layers.<i>." */
    const float *from; /* (L, rows, columns) */
    int64_t rows, columns;
    int64_t heads; /* > 0: rows of this many heads become halves */
    bool vector;
} piece;

static void copy_rows(const piece *p, const float *from, float *to)
{
    int64_t size = p->heads ? p->rows / p->heads : 0, half = size / 2;
    if (!p->heads) {
        memcpy(to, from, (size_t)(p->rows * p->columns) * sizeof *to);
        return;
    }
    for (int64_t r = 0; r < p->rows; r++) {
        int64_t d = r % size, pair = d / 2 + d % 2 * half;
        memcpy(to + (r - d + pair) * p->columns, from + r * p->columns, (size_t)p->columns * sizeof *to);
    }
}

static gr_status put(gr_model *m, const char *path, const piece *p, const float *from)
{
    int64_t dim[] = {p->rows, p->columns};
    gr_tensor t;
    GR_TRY(gr_store_add(m->store, path, GR_F32, p->vector ? 1 : 2, dim, &t));
    copy_rows(p, from, t.data);
    return GR_OK;
}

static gr_status load(gr_model *m, const gr__llama2c *b)
{
    int64_t C = b->dim, F = b->hidden, K = b->kv_heads * (C / b->heads);
    const piece pieces[] = {
        {"input_layernorm.weight", b->attention_norm, C, 1, 0, true},
        {"self_attn.q_proj.weight", b->wq, C, C, b->heads, false},
        {"self_attn.k_proj.weight", b->wk, K, C, b->kv_heads, false},
        {"self_attn.v_proj.weight", b->wv, K, C, 0, false},
        {"self_attn.o_proj.weight", b->wo, C, C, 0, false},
        {"post_attention_layernorm.weight", b->ffn_norm, C, 1, 0, true},
        {"mlp.gate_proj.weight", b->w1, F, C, 0, false},
        {"mlp.down_proj.weight", b->w2, C, F, 0, false},
        {"mlp.up_proj.weight", b->w3, F, C, 0, false},
    };
    const piece table = {"", b->token_embedding, b->vocab, C, 0, false}, norm = {"", b->final_norm, C, 1, 0, true};
    GR_TRY(put(m, "model.embed_tokens.weight", &table, b->token_embedding));
    GR_TRY(put(m, "model.norm.weight", &norm, b->final_norm));
    if (!b->tied) GR_TRY(put(m, "lm_head.weight", &table, b->output));
    for (int64_t i = 0; i < b->layers; i++)
        for (size_t k = 0; k < GR__COUNT(pieces); k++) {
            char path[96];
            const piece *p = &pieces[k];
            snprintf(path, sizeof path, "model.layers.%lld.%s", (long long)i, p->name);
            GR_TRY(put(m, path, p, p->from + i * p->rows * p->columns));
        }
    gr_store_touch(m->store);
    return GR_OK;
}

/* tok<V>.bin, tokenizer.bin or tokenizer.json beside the model; none is fine. */
static gr_status open_tokenizer(gr_model *m, const char *path, int64_t vocab)
{
    char numbered[48];
    snprintf(numbered, sizeof numbered, "tok%lld.bin", (long long)vocab);
    const char *const names[] = {numbered, "tokenizer.bin", "tokenizer.json"}, *slash = strrchr(path, '/');
    char *folder = slash ? gr__strndup(path, (size_t)(slash - path) + 1) : gr__strdup("./");
    gr_status status = folder ? GR_OK : gr__fail_memory("a file name", strlen(path));
    for (size_t i = 0; i < GR__COUNT(names) && status == GR_OK && !m->tokenizer; i++) {
        char *file = gr__path_join(folder, names[i]);
        if (!file)
            status = gr__fail_memory("a file name", strlen(path));
        else if (gr__file_exists(file))
            status = gr_tokenizer_open(file, &m->tokenizer);
        gr__free(file);
    }
    gr__free(folder);
    return status;
}

gr_status gr__model_open_llama2c(const char *path, gr_model **out)
{
    gr__llama2c bin;
    gr_model *m = NULL;
    GR_TRY(gr__llama2c_open(path, &bin));
    gr_status status = gr__model_make(&gr__family_llama, &m);
    if (status == GR_OK) status = check_angles(&bin);
    if (status == GR_OK) status = configure(m, &bin);
    if (status == GR_OK) status = open_tokenizer(m, path, bin.vocab);
    if (status == GR_OK) status = gr__model_finish(m, &(gr__facts){0});
    if (status == GR_ERR_CONFIG) status = GR_ERR_CORRUPT;
    if (status == GR_OK) status = load(m, &bin);
    gr__llama2c_close(&bin);
    if (status != GR_OK) {
        gr_model_free(&m);
        return gr__fail_prefix(status, "cannot open '%s'", path);
    }
    *out = m;
    return GR_OK;
}
