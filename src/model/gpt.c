/* GPT-2 (Radford et al. 2019): learned positions, LayerNorm before each part, GELU, weights (in, out). Names and shapes
 * are those of Hugging Face's GPT2LMHeadModel.
 *
 *   x = wte[ids] + wpe[0..T-1]
 *   x = x + c_proj(attention(c_attn(ln_1(x))));  x = x + c_proj(gelu(c_fc(ln_2(x))))     for each layer
 *   logits = ln_f(x)·wteᵀ
 *
 * dropout falls on the embedding and on both residual branches; attention probabilities are not dropped. */
#include "model/hf_json.h"
#include "model/lm.h"

#include "base/log.h"

#include <math.h>

typedef struct gpt_config {
    int64_t layers, heads, width, context, hidden, vocab;
    double dropout, norm_eps;
    int activation;
    bool bias, tied;
} gpt_config;

/* ORDER ACTIVATION: our names, their kinds, Hugging Face's names */
static const char *const activations[] = {"gelu_tanh", "gelu", "relu", "silu", "tanh", NULL};
static const gr_activation_kind kinds[] = {GR_ACTIVATION_GELU_TANH, GR_ACTIVATION_GELU, GR_ACTIVATION_RELU,
                                           GR_ACTIVATION_SILU, GR_ACTIVATION_TANH};
static const char *const hf_activations[] = {"gelu_new", "gelu", "relu", "silu", "tanh"};

#define AT(field) offsetof(gpt_config, field)
static const gr__conf_row rows[] = {
    {"layers", GR__CONF_INT, AT(layers), 1, GR__MOST_LAYERS, NULL, "4", "blocks of attention and MLP", 0},
    {"heads", GR__CONF_INT, AT(heads), 1, GR__MOST_HEADS, NULL, "4", "heads of attention; divide the width", 0},
    {"width", GR__CONF_INT, AT(width), 1, GR__MOST_WIDTH, NULL, "128", "size of a token's vector", 0},
    {"context", GR__CONF_INT, AT(context), 1, GR__MOST_CONTEXT, NULL, "128", "most tokens that it sees at once", 0},
    {"hidden", GR__CONF_INT, AT(hidden), 0, GR__MOST_HIDDEN, NULL, "0", "size inside the MLP; 0: 4 times the width", 0},
    {"vocab", GR__CONF_INT, AT(vocab), 0, GR__MOST_VOCAB, NULL, "0", "rows of the embedding; 0: as the tokenizer", 0},
    {"bias", GR__CONF_BOOL, AT(bias), 0, 0, NULL, "true", "biases in linear layers and norms", 0},
    {"tied", GR__CONF_BOOL, AT(tied), 0, 0, NULL, "true", "the output matrix is the embedding", 0},
    {"dropout", GR__CONF_DOUBLE, AT(dropout), 0, 1, NULL, "0",
     "of the embedding and both residual branches (not of attention probabilities)", GR__CONF_BELOW_MAX},
    {"activation", GR__CONF_ENUM, AT(activation), 0, 0, activations, "gelu_tanh", "inside the MLP", 0},
    {"norm_eps", GR__CONF_DOUBLE, AT(norm_eps), 0, 1, NULL, "1e-5", "added to the variance in norms",
     GR__CONF_ABOVE_MIN},
};

static gr_status finish(void *config, const gr__facts *facts)
{
    gpt_config *c = config;
    if (c->hidden == 0) c->hidden = 4 * c->width;
    GR_FAIL_IF(c->width % c->heads != 0, GR_ERR_CONFIG, "'width' %lld is not a multiple of 'heads' %lld",
               (long long)c->width, (long long)c->heads);
    return gr__lm_vocab(&c->vocab, facts);
}

/* ---- graph ---- */

static const gr_init zeros = {.kind = GR_INIT_ZEROS}, normal = {.kind = GR_INIT_NORMAL, .b = 0.02};

static gr_value linear(gr_graph *g, const gpt_config *c, const char *name, gr_value x, int64_t out, const gr_init *init)
{
    gr_linear_options o = {.no_bias = !c->bias, .in_out = true, .init = init, .bias_init = &zeros};
    return gr_linear(g, name, x, out, &o);
}

static gr_value norm(gr_graph *g, const gpt_config *c, const char *name, gr_value x)
{
    return gr_layer_norm_layer(g, name, x, &(gr_norm_options){.eps = c->norm_eps, .no_bias = !c->bias});
}

/* Part i of qkv (B, T, 3*C) as (B, T, H, D), a view. */
static gr_value heads_of(gr_graph *g, const gpt_config *c, const gr__lm_in *in, gr_value qkv, int i)
{
    int64_t dim[] = {in->batch, in->time, c->heads, c->width / c->heads};
    return gr_reshape(g, gr_slice(g, qkv, 2, i * c->width, c->width), 4, dim);
}

static gr_value block(gr_graph *g, const gpt_config *c, const gr__lm_in *in, gr_value x)
{
    double p = in->train ? c->dropout : 0;
    gr_init residual = {.kind = GR_INIT_NORMAL, .b = 0.02 / sqrt(2 * (double)c->layers)};
    int64_t flat[] = {in->batch, in->time, c->width};
    gr_value h = norm(g, c, "ln_1", x);
    gr_scope_push(g, "attn");
    gr_value qkv = linear(g, c, "c_attn", h, 3 * c->width, &normal);
    h = gr__lm_attend(g, in, heads_of(g, c, in, qkv, 0), heads_of(g, c, in, qkv, 1), heads_of(g, c, in, qkv, 2));
    h = linear(g, c, "c_proj", gr_reshape(g, h, 3, flat), c->width, &residual);
    gr_scope_pop(g);
    x = gr_add(g, x, gr__lm_dropout(g, h, p));
    h = norm(g, c, "ln_2", x);
    gr_scope_push(g, "mlp");
    h = gr_activation(g, kinds[c->activation], linear(g, c, "c_fc", h, c->hidden, &normal));
    h = linear(g, c, "c_proj", h, c->width, &residual);
    gr_scope_pop(g);
    return gr_add(g, x, gr__lm_dropout(g, h, p));
}

static void build_lm(gr_graph *g, const void *config, const gr__lm_in *in, gr_value *hidden, gr_value *head)
{
    const gpt_config *c = config;
    gr_scope_push(g, "transformer");
    gr_value wte = gr_param(g, "wte.weight", 2, (int64_t[]){c->vocab, c->width}, &normal);
    gr_value wpe = gr_param(g, "wpe.weight", 2, (int64_t[]){c->context, c->width}, &normal);
    gr_value at = in->start ? gr_embedding(g, wpe, in->positions) : gr_slice(g, wpe, 0, 0, in->time);
    gr_value x = gr__lm_dropout(g, gr_add(g, gr_embedding(g, wte, in->ids), at), in->train ? c->dropout : 0);
    for (int64_t i = 0; i < c->layers; i++) {
        gr_block_push(g, "h.%lld", (long long)i);
        x = block(g, c, in, x);
        gr_scope_pop(g);
    }
    *hidden = norm(g, c, "ln_f", x);
    gr_scope_pop(g);
    *head = c->tied ? wte : gr_param(g, "lm_head.weight", 2, (int64_t[]){c->vocab, c->width}, &normal);
}

/* ---- config.json ---- */

static gr_status read_activation(gr__json root, gpt_config *c)
{
    const char *name = "gelu_new";
    gr_activation_kind kind;
    GR_TRY(gr__hf_text(root, "activation_function", &name));
    if (gr_activation_from_name(name, &kind) == GR_OK)
        for (size_t i = 0; i < GR__COUNT(kinds); i++)
            if (kinds[i] == kind) {
                c->activation = (int)i;
                return GR_OK;
            }
    return gr__fail(GR_ERR_UNSUPPORTED, "'activation_function': '%.100s' is not supported", name);
}

static gr_status read_json(gr__json root, void *config, gr__arena *arena)
{
    (void)arena;
    gpt_config *c = config;
    static const char *const needed[] = {"n_layer", "n_head", "n_embd", "vocab_size"};
    for (size_t i = 0; i < GR__COUNT(needed); i++) GR_TRY(gr__hf_need(root, needed[i]));
    *c = (gpt_config){.norm_eps = 1e-5, .bias = true, .tied = true};
    GR_TRY(gr__hf_int(root, "n_layer", 1, GR__MOST_LAYERS, &c->layers));
    GR_TRY(gr__hf_int(root, "n_head", 1, GR__MOST_HEADS, &c->heads));
    GR_TRY(gr__hf_int(root, "n_embd", 1, GR__MOST_WIDTH, &c->width));
    GR_TRY(gr__hf_int(root, "n_ctx", 1, GR__MOST_CONTEXT, &c->context)); /* the older name */
    GR_TRY(gr__hf_int(root, "n_positions", 1, GR__MOST_CONTEXT, &c->context));
    GR_FAIL_IF(c->context == 0, GR_ERR_CORRUPT, "'n_positions' is missing");
    GR_TRY(gr__hf_int(root, "n_inner", 1, GR__MOST_HIDDEN, &c->hidden));
    GR_TRY(gr__hf_int(root, "vocab_size", 1, GR__MOST_VOCAB, &c->vocab));
    GR_TRY(gr__hf_double(root, "layer_norm_epsilon", 1e-12, 1, &c->norm_eps));
    GR_TRY(gr__hf_double(root, "resid_pdrop", 0, 0.999, &c->dropout));
    double embedding = c->dropout;
    GR_TRY(gr__hf_double(root, "embd_pdrop", 0, 0.999, &embedding));
    if (embedding != c->dropout)
        gr__log(GR_LOG_WARNING, "config.json: dropout %g of 'resid_pdrop' is taken for the embedding too, not %g",
                c->dropout, embedding);
    GR_TRY(gr__hf_bool(root, "tie_word_embeddings", &c->tied));
    GR_TRY(gr__hf_bool(root, "gradus_bias", &c->bias));
    GR_TRY(gr__hf_refuse(root, "scale_attn_weights", true));
    GR_TRY(gr__hf_refuse(root, "scale_attn_by_inverse_layer_idx", false));
    GR_TRY(gr__hf_refuse(root, "add_cross_attention", false));
    return read_activation(root, c);
}

static void write_json(const void *config, gr__str *out)
{
    const gpt_config *c = config;
    gr__hf_put_text(out, "activation_function", hf_activations[c->activation]);
    gr__hf_put_double(out, "attn_pdrop", 0);
    gr__hf_put_double(out, "embd_pdrop", c->dropout);
    if (!c->bias) gr__hf_put_bool(out, "gradus_bias", false);
    gr__hf_put_double(out, "initializer_range", 0.02);
    gr__hf_put_double(out, "layer_norm_epsilon", c->norm_eps);
    gr__hf_put_int(out, "n_ctx", c->context);
    gr__hf_put_int(out, "n_embd", c->width);
    gr__hf_put_int(out, "n_head", c->heads);
    gr__hf_put_int(out, "n_inner", c->hidden);
    gr__hf_put_int(out, "n_layer", c->layers);
    gr__hf_put_int(out, "n_positions", c->context);
    gr__hf_put_double(out, "resid_pdrop", c->dropout);
    gr__hf_put_bool(out, "tie_word_embeddings", c->tied);
    gr__hf_put_int(out, "vocab_size", c->vocab);
}

static gr_model_info describe(const void *config)
{
    const gpt_config *c = config;
    return (gr_model_info){.layers = c->layers,
                           .heads = c->heads,
                           .kv_heads = c->heads,
                           .width = c->width,
                           .context = c->context,
                           .vocab = c->vocab};
}

static bool zero_biases(const void *config) { return !((const gpt_config *)config)->bias; }

/* The causal mask, which older files carry in every layer. */
static const char *const ignored[] = {"*h.*.attn.bias", "*h.*.attn.masked_bias", NULL};
static const char *const biased[] = {"*h.*.weight", "*ln_f.weight", NULL};

const gr__family gr__family_gpt = {
    .name = "gpt",
    .hf_type = "gpt2",
    .hf_class = "GPT2LMHeadModel",
    .summary = "GPT-2: learned positions, LayerNorm, GELU",
    .kind = GR_MODEL_LM,
    .config_bytes = sizeof(gpt_config),
    .rows = rows,
    .n_rows = GR__COUNT(rows),
    .finish = finish,
    .build_lm = build_lm,
    .read_json = read_json,
    .write_json = write_json,
    .describe = describe,
    .prefix = "transformer.",
    .ignored = ignored,
    .head = "lm_head.weight",
    .embedding = "transformer.wte.weight",
    .zero_biases = zero_biases,
    .biased = biased,
};
