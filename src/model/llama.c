/* Llama (Touvron et al. 2023): RMSNorm before each part, rotary positions in halves, SwiGLU, grouped keys and values.
 * Names and shapes are those of Hugging Face's LlamaForCausalLM, whose q_proj and k_proj are ordered for halves.
 *
 *   x = embed_tokens[ids]
 *   x = x + o_proj(attention(rotary(q), rotary(k), v));  x = x + down(silu(gate(h))*up(h))     for each layer
 *   logits = norm(x)·lm_headᵀ */
#include "model/hf_json.h"
#include "model/lm.h"

#include <string.h>

typedef struct llama_config {
    int64_t layers, heads, kv_heads, width, hidden, context, head_dim, vocab;
    double rope_theta, norm_eps;
    bool tied, attention_bias, mlp_bias;
} llama_config;

#define AT(field) offsetof(llama_config, field)
static const gr__conf_row rows[] = {
    {"layers", GR__CONF_INT, AT(layers), 1, GR__MOST_LAYERS, NULL, "4", "blocks of attention and MLP", 0},
    {"heads", GR__CONF_INT, AT(heads), 1, GR__MOST_HEADS, NULL, "4", "heads of attention", 0},
    {"kv_heads", GR__CONF_INT, AT(kv_heads), 0, GR__MOST_HEADS, NULL, "0",
     "heads of keys and values; divide the heads; 0: as many", 0},
    {"width", GR__CONF_INT, AT(width), 1, GR__MOST_WIDTH, NULL, "128", "size of a token's vector", 0},
    {"hidden", GR__CONF_INT, AT(hidden), 0, GR__MOST_HIDDEN, NULL, "0",
     "size inside the MLP; 0: 8/3 of the width, rounded up to a multiple of 32", 0},
    {"context", GR__CONF_INT, AT(context), 1, GR__MOST_CONTEXT, NULL, "128", "most tokens that it sees at once", 0},
    {"head_dim", GR__CONF_INT, AT(head_dim), 0, GR__MOST_WIDTH, NULL, "0", "size of a head; 0: width over heads", 0},
    {"vocab", GR__CONF_INT, AT(vocab), 0, GR__MOST_VOCAB, NULL, "0", "rows of the embedding; 0: as the tokenizer", 0},
    {"tied", GR__CONF_BOOL, AT(tied), 0, 0, NULL, "true", "the output matrix is the embedding", 0},
    {"rope_theta", GR__CONF_DOUBLE, AT(rope_theta), 1, 1e12, NULL, "10000", "base of the rotary positions", 0},
    {"norm_eps", GR__CONF_DOUBLE, AT(norm_eps), 0, 1, NULL, "1e-5", "added to the mean square in norms",
     GR__CONF_ABOVE_MIN},
    {"attention_bias", GR__CONF_BOOL, AT(attention_bias), 0, 0, NULL, "false", "biases in attention", 0},
    {"mlp_bias", GR__CONF_BOOL, AT(mlp_bias), 0, 0, NULL, "false", "biases in the MLP", 0},
};

static gr_status finish(void *config, const gr__facts *facts)
{
    llama_config *c = config;
    if (c->kv_heads == 0) c->kv_heads = c->heads;
    if (c->hidden == 0) c->hidden = ((8 * c->width + 2) / 3 + 31) / 32 * 32;
    GR_FAIL_IF(c->heads % c->kv_heads != 0, GR_ERR_CONFIG, "'heads' %lld is not a multiple of 'kv_heads' %lld",
               (long long)c->heads, (long long)c->kv_heads);
    GR_FAIL_IF(c->head_dim == 0 && c->width % c->heads != 0, GR_ERR_CONFIG,
               "'width' %lld is not a multiple of 'heads' %lld", (long long)c->width, (long long)c->heads);
    if (c->head_dim == 0) c->head_dim = c->width / c->heads;
    GR_FAIL_IF(c->head_dim % 2 != 0, GR_ERR_CONFIG, "the size of a head, %lld, must be even for rotary positions",
               (long long)c->head_dim);
    return gr__lm_vocab(&c->vocab, facts);
}

/* ---- graph ---- */

static const gr_init zeros = {.kind = GR_INIT_ZEROS}, normal = {.kind = GR_INIT_NORMAL, .b = 0.02};

static gr_value linear(gr_graph *g, const char *name, gr_value x, int64_t out, bool bias)
{
    return gr_linear(g, name, x, out, &(gr_linear_options){.no_bias = !bias, .init = &normal, .bias_init = &zeros});
}

static gr_value norm(gr_graph *g, const llama_config *c, const char *name, gr_value x)
{
    return gr_rms_norm_layer(g, name, x, &(gr_norm_options){.eps = c->norm_eps});
}

/* x (B, T, C) -> (B, T, heads, D) */
static gr_value project(gr_graph *g, const llama_config *c, const gr__lm_in *in, const char *name, gr_value x,
                        int64_t heads)
{
    int64_t dim[] = {in->batch, in->time, heads, c->head_dim};
    return gr_reshape(g, linear(g, name, x, heads * c->head_dim, c->attention_bias), 4, dim);
}

static gr_value attend(gr_graph *g, const llama_config *c, const gr__lm_in *in, gr_value x)
{
    gr_rotary_options turn = {.theta = c->rope_theta, .start = in->start};
    int64_t flat[] = {in->batch, in->time, c->heads * c->head_dim};
    gr_scope_push(g, "self_attn");
    gr_value q = gr_rotary(g, project(g, c, in, "q_proj", x, c->heads), &turn);
    gr_value k = gr_rotary(g, project(g, c, in, "k_proj", x, c->kv_heads), &turn);
    gr_value v = project(g, c, in, "v_proj", x, c->kv_heads);
    gr_value y = gr_reshape(g, gr__lm_attend(g, in, q, k, v), 3, flat);
    y = linear(g, "o_proj", y, c->width, c->attention_bias);
    gr_scope_pop(g);
    return y;
}

static gr_value mlp(gr_graph *g, const llama_config *c, gr_value x)
{
    gr_scope_push(g, "mlp");
    gr_value gate = gr_silu(g, linear(g, "gate_proj", x, c->hidden, c->mlp_bias));
    gr_value y = gr_mul(g, gate, linear(g, "up_proj", x, c->hidden, c->mlp_bias));
    y = linear(g, "down_proj", y, c->width, c->mlp_bias);
    gr_scope_pop(g);
    return y;
}

static void build_lm(gr_graph *g, const void *config, const gr__lm_in *in, gr_value *hidden, gr_value *head)
{
    const llama_config *c = config;
    gr_scope_push(g, "model");
    gr_value table = gr_param(g, "embed_tokens.weight", 2, (int64_t[]){c->vocab, c->width}, &normal);
    gr_value x = gr_embedding(g, table, in->ids);
    for (int64_t i = 0; i < c->layers; i++) {
        gr_block_push(g, "layers.%lld", (long long)i);
        x = gr_add(g, x, attend(g, c, in, norm(g, c, "input_layernorm", x)));
        x = gr_add(g, x, mlp(g, c, norm(g, c, "post_attention_layernorm", x)));
        gr_scope_pop(g);
    }
    *hidden = norm(g, c, "norm", x);
    gr_scope_pop(g);
    *head = c->tied ? table : gr_param(g, "lm_head.weight", 2, (int64_t[]){c->vocab, c->width}, &normal);
}

/* ---- config.json ---- */

/* 'rope_parameters' of newer files, 'rope_theta' and 'rope_scaling' of older ones: plain rotary positions only. */
static gr_status read_rope(gr__json root, llama_config *c)
{
    static const char *const keys[] = {"rope_scaling", "rope_parameters"};
    GR_TRY(gr__hf_double(root, "rope_theta", 1, 1e12, &c->rope_theta));
    for (size_t i = 0; i < GR__COUNT(keys); i++) {
        gr__json v = gr__json_get(root, keys[i]);
        const char *type = "default";
        if (!v || gr__json_kind_of(v) == GR__JSON_NULL) continue;
        GR_FAIL_IF(gr__json_kind_of(v) != GR__JSON_OBJECT, GR_ERR_CORRUPT, "'%s' must be a map", keys[i]);
        GR_TRY(gr__hf_text(v, "type", &type)); /* the older name */
        GR_TRY(gr__hf_text(v, "rope_type", &type));
        GR_FAIL_IF(strcmp(type, "default") != 0, GR_ERR_UNSUPPORTED,
                   "'%s': type '%.100s' is not supported, only 'default'", keys[i], type);
        GR_TRY(gr__hf_double(v, "rope_theta", 1, 1e12, &c->rope_theta));
        double turned = 1;
        GR_TRY(gr__hf_double(v, "partial_rotary_factor", 0, 1, &turned));
        GR_FAIL_IF(turned != 1, GR_ERR_UNSUPPORTED, "'partial_rotary_factor': %g is not supported", turned);
    }
    return GR_OK;
}

static gr_status read_json(gr__json root, void *config, gr__arena *arena)
{
    (void)arena;
    llama_config *c = config;
    static const char *const needed[] = {"num_hidden_layers", "num_attention_heads", "hidden_size",
                                         "intermediate_size", "vocab_size",          "max_position_embeddings"};
    const char *activation = "silu";
    int64_t window = 0;
    bool window_used = true;
    for (size_t i = 0; i < GR__COUNT(needed); i++) GR_TRY(gr__hf_need(root, needed[i]));
    *c = (llama_config){.norm_eps = 1e-6, .rope_theta = 10000};
    GR_TRY(gr__hf_int(root, "num_hidden_layers", 1, GR__MOST_LAYERS, &c->layers));
    GR_TRY(gr__hf_int(root, "num_attention_heads", 1, GR__MOST_HEADS, &c->heads));
    GR_TRY(gr__hf_int(root, "num_key_value_heads", 1, GR__MOST_HEADS, &c->kv_heads));
    GR_TRY(gr__hf_int(root, "hidden_size", 1, GR__MOST_WIDTH, &c->width));
    GR_TRY(gr__hf_int(root, "intermediate_size", 1, GR__MOST_HIDDEN, &c->hidden));
    GR_TRY(gr__hf_int(root, "vocab_size", 1, GR__MOST_VOCAB, &c->vocab));
    GR_TRY(gr__hf_int(root, "max_position_embeddings", 1, GR__MOST_CONTEXT, &c->context));
    GR_TRY(gr__hf_int(root, "head_dim", 1, GR__MOST_WIDTH, &c->head_dim));
    GR_TRY(gr__hf_double(root, "rms_norm_eps", 1e-12, 1, &c->norm_eps));
    GR_TRY(gr__hf_bool(root, "tie_word_embeddings", &c->tied));
    GR_TRY(gr__hf_bool(root, "attention_bias", &c->attention_bias));
    GR_TRY(gr__hf_bool(root, "mlp_bias", &c->mlp_bias));
    GR_TRY(gr__hf_text(root, "hidden_act", &activation));
    GR_FAIL_IF(strcmp(activation, "silu") != 0 && strcmp(activation, "swish") != 0, GR_ERR_UNSUPPORTED,
               "'hidden_act': '%.100s' is not supported, only 'silu'", activation);
    GR_TRY(gr__hf_int(root, "sliding_window", 0, INT64_MAX, &window));
    GR_TRY(gr__hf_bool(root, "use_sliding_window", &window_used));
    GR_FAIL_IF(window_used && window > 0 && window < c->context, GR_ERR_UNSUPPORTED,
               "'sliding_window' is not supported");
    return read_rope(root, c);
}

static void write_json(const void *config, gr__str *out)
{
    const llama_config *c = config;
    gr__str rope = {0};
    gr__hf_put_bool(out, "attention_bias", c->attention_bias);
    gr__hf_put_double(out, "attention_dropout", 0);
    gr__hf_put_int(out, "head_dim", c->head_dim);
    gr__hf_put_text(out, "hidden_act", "silu");
    gr__hf_put_int(out, "hidden_size", c->width);
    gr__hf_put_double(out, "initializer_range", 0.02);
    gr__hf_put_int(out, "intermediate_size", c->hidden);
    gr__hf_put_int(out, "max_position_embeddings", c->context);
    gr__hf_put_bool(out, "mlp_bias", c->mlp_bias);
    gr__hf_put_int(out, "num_attention_heads", c->heads);
    gr__hf_put_int(out, "num_hidden_layers", c->layers);
    gr__hf_put_int(out, "num_key_value_heads", c->kv_heads);
    gr__hf_put_double(out, "rms_norm_eps", c->norm_eps);
    gr__str_add(&rope, "{\"rope_theta\": ");
    gr__json_add_double(&rope, c->rope_theta);
    gr__str_add(&rope, ", \"rope_type\": \"default\"}");
    if (rope.failed) out->failed = true;
    gr__hf_put_raw(out, "rope_parameters", gr__str_get(&rope)); /* Transformers 5 */
    gr__hf_put_raw(out, "rope_scaling", "null");                /* and before */
    gr__hf_put_double(out, "rope_theta", c->rope_theta);
    gr__hf_put_bool(out, "tie_word_embeddings", c->tied);
    gr__hf_put_int(out, "vocab_size", c->vocab);
    gr__str_release(&rope);
}

static gr_model_info describe(const void *config)
{
    const llama_config *c = config;
    return (gr_model_info){.layers = c->layers,
                           .heads = c->heads,
                           .kv_heads = c->kv_heads,
                           .width = c->width,
                           .context = c->context,
                           .vocab = c->vocab};
}

/* The angles, which older files carry in every layer. */
static const char *const ignored[] = {"*rotary_emb.inv_freq", NULL};

const gr__family gr__family_llama = {
    .name = "llama",
    .hf_type = "llama",
    .hf_class = "LlamaForCausalLM",
    .summary = "Llama: rotary positions, RMSNorm, SwiGLU, grouped heads",
    .kind = GR_MODEL_LM,
    .config_bytes = sizeof(llama_config),
    .rows = rows,
    .n_rows = GR__COUNT(rows),
    .finish = finish,
    .build_lm = build_lm,
    .read_json = read_json,
    .write_json = write_json,
    .describe = describe,
    .prefix = "model.",
    .ignored = ignored,
    .head = "lm_head.weight",
    .embedding = "model.embed_tokens.weight",
};
