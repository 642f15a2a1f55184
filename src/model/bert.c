/* BERT (Devlin et al. 2018) and what differs from it by little: RoBERTa (Liu et al. 2019) and DistilBERT (Sanh et al.
 * 2019). Learned positions, LayerNorm behind each part, attention in both directions. Names and shapes are those of
 * Hugging Face's ...Model and ...ForSequenceClassification.
 *
 *   x = norm(word[ids] + type[types] + position[shift .. shift+T-1])
 *   x = norm(x + dense(attention(query(x), key(x), value(x))));  x = norm(x + down(gelu(up(x))))     for each layer
 *   pooled = tanh(pooler(x[:, 0]));  logits = classifier(pooled)
 *
 * RoBERTa's positions begin behind the id of padding, and its head has a layer of its own in place of the pooler;
 * DistilBERT has no token types and no pooler. dropout falls on the embedding and on both residual branches, attention
 * probabilities are not dropped; head_dropout falls before the layers of the head. */
#include "model/hf_json.h"
#include "model/lm.h"

#include <stdio.h>
#include <math.h>
#include <string.h>

typedef struct bert_config bert_config;

typedef struct variant {
    const char *root, *layer; /* scopes */
    const char *query, *key, *value, *out, *norm_1, *up, *down, *norm_2;
    const char *class_of; /* Hugging Face's classes begin so */
    bool types, pooler_in_head, shifted;
    /* keys of config.json */
    const char *k_layers, *k_heads, *k_width, *k_hidden, *k_activation, *k_dropout, *k_attention_dropout,
        *k_head_dropout;
    gr_value (*head)(gr_graph *g, const bert_config *c, const gr__encoded *body, double dropout);
} variant;

enum { PROBLEM_OPEN, PROBLEM_ONE, PROBLEM_MANY, PROBLEM_NUMBERS };
static const char *const problems[] = {NULL, "single_label_classification", "multi_label_classification", "regression"};

struct bert_config {
    const variant *v;
    int64_t layers, heads, width, hidden, context, vocab, types, shift;
    double dropout, head_dropout, norm_eps;
    int activation, problem;
    bool pooler; /* BERT, RoBERTa: there is one */
    gr__conf_strings labels;
};

enum { MOST_TYPES = 1 << 16 };

/* ORDER ACTIVATION: our names, their kinds, Hugging Face's names */
static const char *const activations[] = {"gelu", "gelu_tanh", "relu", "silu", "tanh", NULL};
static const gr_activation_kind kinds[] = {GR_ACTIVATION_GELU, GR_ACTIVATION_GELU_TANH, GR_ACTIVATION_RELU,
                                           GR_ACTIVATION_SILU, GR_ACTIVATION_TANH};
static const char *const hf_activations[] = {"gelu", "gelu_new", "relu", "silu", "tanh"};

#define AT(field) offsetof(bert_config, field)
#define COMMON_ROWS(head_dropout_doc)                                                                                    \
    {"layers", GR__CONF_INT, AT(layers), 1, GR__MOST_LAYERS, NULL, "4", "blocks of attention and MLP", 0},               \
        {"heads", GR__CONF_INT, AT(heads), 1, GR__MOST_HEADS, NULL, "4", "heads of attention; divide the width", 0},     \
        {"width", GR__CONF_INT, AT(width), 1, GR__MOST_WIDTH, NULL, "128", "size of a token's vector", 0},               \
        {"context", GR__CONF_INT, AT(context), 1, GR__MOST_CONTEXT, NULL, "128", "most tokens that it sees at once", 0}, \
        {"hidden", GR__CONF_INT, AT(hidden), 0, GR__MOST_HIDDEN, NULL, "0", "size inside the MLP; 0: 4 times the width", \
         0},                                                                                                             \
        {"vocab", GR__CONF_INT, AT(vocab), 0, GR__MOST_VOCAB, NULL, "0", "rows of the embedding; 0: as the tokenizer",   \
         0},                                                                                                             \
        {"dropout",                                                                                                      \
         GR__CONF_DOUBLE,                                                                                                \
         AT(dropout),                                                                                                    \
         0,                                                                                                              \
         1,                                                                                                              \
         NULL,                                                                                                           \
         "0.1",                                                                                                          \
         "of the embedding and both residual branches (not of attention probabilities)",                                 \
         GR__CONF_BELOW_MAX},                                                                                            \
        {"head_dropout",                                                                                                 \
         GR__CONF_DOUBLE,                                                                                                \
         AT(head_dropout),                                                                                               \
         0,                                                                                                              \
         1,                                                                                                              \
         NULL,                                                                                                           \
         "auto",                                                                                                         \
         head_dropout_doc,                                                                                               \
         GR__CONF_BELOW_MAX | GR__CONF_AUTO},                                                                            \
    {                                                                                                                    \
        "activation", GR__CONF_ENUM, AT(activation), 0, 0, activations, "gelu", "inside the MLP", 0                      \
    }
#define TYPE_AND_EPS_ROWS(types_default, eps_default)                                                                   \
    {                                                                                                                   \
        "types", GR__CONF_INT, AT(types), 1, MOST_TYPES, NULL, types_default, "kinds of tokens: first and second text", \
        0},                                                                                                             \
    {                                                                                                                   \
        "norm_eps", GR__CONF_DOUBLE, AT(norm_eps), 0, 1, NULL, eps_default, "added to the variance in norms",           \
            GR__CONF_ABOVE_MIN                                                                                          \
    }

static const gr__conf_row bert_rows[] = {COMMON_ROWS("before the classifier; auto: as dropout"),
                                         TYPE_AND_EPS_ROWS("2", "1e-12")};
static const gr__conf_row roberta_rows[] = {COMMON_ROWS("before both layers of the head; auto: as dropout"),
                                            TYPE_AND_EPS_ROWS("1", "1e-5")};
static const gr__conf_row distilbert_rows[] = {COMMON_ROWS("before the classifier; auto: as dropout")};

/* ---- configuration ---- */

static gr_status finish(bert_config *c, const gr__facts *facts, const variant *v)
{
    bool fresh = c->v == NULL; /* not from config.json */
    c->v = v;
    if (facts->labels.n) c->labels = facts->labels;
    if (fresh || c->labels.n) c->pooler = v->pooler_in_head || (fresh && v->types && !c->labels.n);
    if (c->hidden == 0) c->hidden = 4 * c->width;
    if (isnan(c->head_dropout)) c->head_dropout = c->dropout;
    if (!v->types) c->types = 0, c->norm_eps = 1e-12;
    c->shift = v->shifted ? facts->pad + 1 : 0;
    GR_FAIL_IF(c->width % c->heads != 0, GR_ERR_CONFIG, "'width' %lld is not a multiple of 'heads' %lld",
               (long long)c->width, (long long)c->heads);
    return gr__lm_vocab(&c->vocab, facts);
}

static gr_model_info describe(const void *config)
{
    const bert_config *c = config;
    return (gr_model_info){.layers = c->layers,
                           .heads = c->heads,
                           .kv_heads = c->heads,
                           .width = c->width,
                           .context = c->context,
                           .vocab = c->vocab,
                           .types = c->types,
                           .labels = (int64_t)c->labels.n,
                           .pooled = c->pooler};
}

static const gr__conf_strings *labels(const void *config) { return &((const bert_config *)config)->labels; }

static gr_label_kind label_kind(const void *config)
{
    const bert_config *c = config;
    if (c->problem == PROBLEM_MANY) return GR_LABELS_MANY;
    return c->problem == PROBLEM_NUMBERS || (c->problem == PROBLEM_OPEN && c->labels.n == 1) ? GR_LABELS_NUMBERS
                                                                                             : GR_LABELS_ONE;
}

/* ---- graph ---- */

static const gr_init zeros = {.kind = GR_INIT_ZEROS}, normal = {.kind = GR_INIT_NORMAL, .b = 0.02};

static gr_value linear(gr_graph *g, const char *name, gr_value x, int64_t out)
{
    return gr_linear(g, name, x, out, &(gr_linear_options){.init = &normal, .bias_init = &zeros});
}

static gr_value norm(gr_graph *g, const bert_config *c, const char *name, gr_value x)
{
    return gr_layer_norm_layer(g, name, x, &(gr_norm_options){.eps = c->norm_eps});
}

static gr_value embed(gr_graph *g, const bert_config *c, const gr__encoder_in *in, double p)
{
    gr_scope_push(g, "embeddings");
    gr_value x = gr_embedding_layer(g, "word_embeddings", in->ids, c->vocab, c->width, &normal);
    gr_value at = gr_param(g, "position_embeddings.weight", 2, (int64_t[]){c->context + c->shift, c->width}, &normal);
    if (c->types) {
        gr_value table = gr_param(g, "token_type_embeddings.weight", 2, (int64_t[]){c->types, c->width}, &normal);
        x = gr_add(g, x, in->types ? gr_embedding(g, table, in->types) : gr_slice(g, table, 0, 0, 1));
    }
    x = gr_add(g, x, gr_slice(g, at, 0, c->shift, in->time));
    x = gr__lm_dropout(g, norm(g, c, "LayerNorm", x), p);
    gr_scope_pop(g);
    return x;
}

static gr_value heads_of(gr_graph *g, const bert_config *c, const gr__encoder_in *in, const char *name, gr_value x)
{
    int64_t dim[] = {in->batch, in->time, c->heads, c->width / c->heads};
    return gr_reshape(g, linear(g, name, x, c->width), 4, dim);
}

static gr_value layer(gr_graph *g, const bert_config *c, const gr__encoder_in *in, gr_value x, double p)
{
    const variant *v = c->v;
    int64_t flat[] = {in->batch, in->time, c->width};
    gr_value q = heads_of(g, c, in, v->query, x), k = heads_of(g, c, in, v->key, x);
    gr_value h = gr_attention(g, q, k, heads_of(g, c, in, v->value, x), &(gr_attention_options){.key_mask = in->mask});
    h = linear(g, v->out, gr_reshape(g, h, 3, flat), c->width);
    x = norm(g, c, v->norm_1, gr_add(g, x, gr__lm_dropout(g, h, p)));
    h = gr_activation(g, kinds[c->activation], linear(g, v->up, x, c->hidden));
    h = linear(g, v->down, h, c->width);
    return norm(g, c, v->norm_2, gr_add(g, x, gr__lm_dropout(g, h, p)));
}

/* What stands at the first token, (B, C). */
static gr_value first_of(gr_graph *g, const bert_config *c, gr_value hidden)
{
    int64_t dim[] = {gr_value_dim(g, hidden, 0), c->width};
    return gr_reshape(g, gr_slice(g, hidden, 1, 0, 1), 2, dim);
}

static void build_encoder(gr_graph *g, const void *config, const gr__encoder_in *in, gr__encoded *out)
{
    const bert_config *c = config;
    double p = in->train ? c->dropout : 0;
    gr_scope_push(g, "%s", c->v->root);
    gr_value x = embed(g, c, in, p);
    for (int64_t i = 0; i < c->layers; i++) {
        gr_block_push(g, "%s.%lld", c->v->layer, (long long)i);
        x = layer(g, c, in, x, p);
        gr_scope_pop(g);
    }
    out->hidden = x;
    out->pooled = c->pooler ? gr_tanh(g, linear(g, "pooler.dense", first_of(g, c, x), c->width)) : 0;
    gr_scope_pop(g);
}

static gr_value bert_head(gr_graph *g, const bert_config *c, const gr__encoded *body, double p)
{
    return linear(g, "classifier", gr__lm_dropout(g, body->pooled, p), (int64_t)c->labels.n);
}

static gr_value roberta_head(gr_graph *g, const bert_config *c, const gr__encoded *body, double p)
{
    gr_value x = gr__lm_dropout(g, first_of(g, c, body->hidden), p);
    x = gr__lm_dropout(g, gr_tanh(g, linear(g, "classifier.dense", x, c->width)), p);
    return linear(g, "classifier.out_proj", x, (int64_t)c->labels.n);
}

static gr_value distilbert_head(gr_graph *g, const bert_config *c, const gr__encoded *body, double p)
{
    gr_value x = gr_relu(g, linear(g, "pre_classifier", first_of(g, c, body->hidden), c->width));
    return linear(g, "classifier", gr__lm_dropout(g, x, p), (int64_t)c->labels.n);
}

static gr_value build_head(gr_graph *g, const void *config, const gr__encoder_in *in, const gr__encoded *body)
{
    const bert_config *c = config;
    return c->v->head(g, c, body, in->train ? c->head_dropout : 0);
}

/* ---- variants ---- */

#define BERT_LAYER                                                                                            \
    .layer = "encoder.layer", .query = "attention.self.query", .key = "attention.self.key",                   \
    .value = "attention.self.value", .out = "attention.output.dense", .norm_1 = "attention.output.LayerNorm", \
    .up = "intermediate.dense", .down = "output.dense", .norm_2 = "output.LayerNorm", .types = true,          \
    .k_layers = "num_hidden_layers", .k_heads = "num_attention_heads", .k_width = "hidden_size",              \
    .k_hidden = "intermediate_size", .k_activation = "hidden_act", .k_dropout = "hidden_dropout_prob",        \
    .k_attention_dropout = "attention_probs_dropout_prob", .k_head_dropout = "classifier_dropout"

static const variant bert = {.root = "bert", .class_of = "Bert", .pooler_in_head = true, .head = bert_head, BERT_LAYER};
static const variant roberta = {
    .root = "roberta", .class_of = "Roberta", .shifted = true, .head = roberta_head, BERT_LAYER};
static const variant distilbert = {.root = "distilbert",
                                   .class_of = "DistilBert",
                                   .head = distilbert_head,
                                   .layer = "transformer.layer",
                                   .query = "attention.q_lin",
                                   .key = "attention.k_lin",
                                   .value = "attention.v_lin",
                                   .out = "attention.out_lin",
                                   .norm_1 = "sa_layer_norm",
                                   .up = "ffn.lin1",
                                   .down = "ffn.lin2",
                                   .norm_2 = "output_layer_norm",
                                   .k_layers = "n_layers",
                                   .k_heads = "n_heads",
                                   .k_width = "dim",
                                   .k_hidden = "hidden_dim",
                                   .k_activation = "activation",
                                   .k_dropout = "dropout",
                                   .k_attention_dropout = "attention_dropout",
                                   .k_head_dropout = "seq_classif_dropout"};

/* ---- config.json: reading ---- */

static gr_status read_activation(gr__json root, bert_config *c)
{
    const char *name = "gelu";
    gr_activation_kind kind;
    GR_TRY(gr__hf_text(root, c->v->k_activation, &name));
    if (gr_activation_from_name(name, &kind) == GR_OK)
        for (size_t i = 0; i < GR__COUNT(kinds); i++)
            if (kinds[i] == kind) {
                c->activation = (int)i;
                return GR_OK;
            }
    return gr__fail(GR_ERR_UNSUPPORTED, "'%s': '%.100s' is not supported", c->v->k_activation, name);
}

static gr_status read_problem(gr__json root, bert_config *c)
{
    const char *name = NULL;
    GR_TRY(gr__hf_text(root, "problem_type", &name));
    if (!name) return GR_OK;
    for (size_t i = 1; i < GR__COUNT(problems); i++)
        if (strcmp(name, problems[i]) == 0) {
            c->problem = (int)i;
            return GR_OK;
        }
    return gr__fail(GR_ERR_UNSUPPORTED, "'problem_type': '%.100s' is not supported", name);
}

/* What the folder holds beside the body; heads that are not ours are left out (gr__family.ignored). */
static gr_status read_architecture(gr__json root, bert_config *c, gr__arena *arena)
{
    static const struct {
        const char *end;
        bool head, pooler;
    } known[] = {{"Model", false, true},
                 {"ForSequenceClassification", true, false},
                 {"ForPreTraining", false, true},
                 {"ForNextSentencePrediction", false, true},
                 {"ForMaskedLM", false, false}};
    const char *name = "Model";
    size_t n;
    if (gr__json_string(gr__json_at(gr__json_get(root, "architectures"), 0), &name, &n) &&
        strncmp(name, c->v->class_of, strlen(c->v->class_of)) == 0)
        name += strlen(c->v->class_of);
    for (size_t i = 0; i < GR__COUNT(known); i++) {
        if (strcmp(name, known[i].end) != 0) continue;
        c->pooler = c->v->types && known[i].pooler;
        return known[i].head ? gr__hf_read_labels(root, 2, arena, &c->labels) : GR_OK;
    }
    return gr__fail(GR_ERR_UNSUPPORTED, "'architectures': '%s%.100s' is not supported", c->v->class_of, name);
}

static gr_status refuse_variants(gr__json root)
{
    const char *position = "absolute";
    GR_TRY(gr__hf_text(root, "position_embedding_type", &position));
    GR_FAIL_IF(strcmp(position, "absolute") != 0, GR_ERR_UNSUPPORTED,
               "'position_embedding_type': '%.100s' is not supported", position);
    GR_TRY(gr__hf_refuse(root, "is_decoder", false));
    GR_TRY(gr__hf_refuse(root, "add_cross_attention", false));
    return gr__hf_refuse(root, "sinusoidal_pos_embds", false);
}

static gr_status read_json(gr__json root, bert_config *c, gr__arena *arena, const variant *v)
{
    const char *needed[] = {v->k_layers, v->k_heads, v->k_width, v->k_hidden, "vocab_size", "max_position_embeddings"};
    int64_t pad = 1;
    for (size_t i = 0; i < GR__COUNT(needed); i++) GR_TRY(gr__hf_need(root, needed[i]));
    *c = (bert_config){
        .v = v, .norm_eps = 1e-12, .types = v->types ? 2 : 0, .head_dropout = (double)NAN, .dropout = 0.1};
    GR_TRY(gr__hf_int(root, v->k_layers, 1, GR__MOST_LAYERS, &c->layers));
    GR_TRY(gr__hf_int(root, v->k_heads, 1, GR__MOST_HEADS, &c->heads));
    GR_TRY(gr__hf_int(root, v->k_width, 1, GR__MOST_WIDTH, &c->width));
    GR_TRY(gr__hf_int(root, v->k_hidden, 1, GR__MOST_HIDDEN, &c->hidden));
    GR_TRY(gr__hf_int(root, "vocab_size", 1, GR__MOST_VOCAB, &c->vocab));
    GR_TRY(gr__hf_int(root, "max_position_embeddings", 1, GR__MOST_CONTEXT, &c->context));
    if (v->shifted) {
        GR_TRY(gr__hf_int(root, "pad_token_id", 0, c->vocab - 1, &pad));
        c->context -= pad + 1;
        GR_FAIL_IF(c->context < 1, GR_ERR_CORRUPT, "'max_position_embeddings' leaves none behind 'pad_token_id' %lld",
                   (long long)pad);
    }
    if (v->types) {
        GR_TRY(gr__hf_int(root, "type_vocab_size", 1, MOST_TYPES, &c->types));
        GR_TRY(gr__hf_double(root, "layer_norm_eps", 1e-30, 1, &c->norm_eps));
    }
    GR_TRY(gr__hf_double(root, v->k_dropout, 0, 0.999, &c->dropout));
    GR_TRY(gr__hf_double(root, v->k_head_dropout, 0, 0.999, &c->head_dropout));
    GR_TRY(refuse_variants(root));
    GR_TRY(read_problem(root, c));
    GR_TRY(read_architecture(root, c, arena));
    return read_activation(root, c);
}

/* ---- config.json: writing ---- */

static void write_json(const void *config, gr__str *out)
{
    const bert_config *c = config;
    const variant *v = c->v;
    gr__hf_put_text(out, v->k_activation, hf_activations[c->activation]);
    gr__hf_put_double(out, v->k_attention_dropout, 0);
    gr__hf_put_double(out, v->k_dropout, c->dropout);
    gr__hf_put_double(out, v->k_head_dropout, c->head_dropout);
    gr__hf_put_int(out, v->k_heads, c->heads);
    gr__hf_put_int(out, v->k_hidden, c->hidden);
    gr__hf_put_int(out, v->k_layers, c->layers);
    gr__hf_put_int(out, v->k_width, c->width);
    if (c->labels.n) {
        gr__hf_put_labels(out, &c->labels);
        gr__hf_put_text(out, "problem_type", problems[c->problem]);
    }
    gr__hf_put_double(out, "initializer_range", 0.02);
    if (v->types) {
        gr__hf_put_double(out, "layer_norm_eps", c->norm_eps);
        gr__hf_put_text(out, "position_embedding_type", "absolute");
        gr__hf_put_int(out, "type_vocab_size", c->types);
    } else {
        gr__hf_put_bool(out, "sinusoidal_pos_embds", false);
    }
    gr__hf_put_int(out, "max_position_embeddings", c->context + c->shift);
    gr__hf_put_int(out, "vocab_size", c->vocab);
}

/* ---- the families ---- */

/* Buffers of older files, and heads of pretraining, which nothing here trains. */
static const char *const ignored[] = {
    "*embeddings.position_ids", "*pooler.dense.*",   "cls.*", "lm_head.*", "vocab_transform.*",
    "vocab_layer_norm.*",       "vocab_projector.*", NULL};
static const char *const begins[] = {"classifier.*", "pre_classifier.*", "*pooler.dense.*", NULL};
static const gr__old_name old_names[] = {
    {"LayerNorm.gamma", "LayerNorm.weight"}, {"LayerNorm.beta", "LayerNorm.bias"}, {NULL, NULL}};

#define FAMILY(id, model_type, text, default_pad, body, with_head)                                            \
    static gr_status id##_finish(void *config, const gr__facts *facts) { return finish(config, facts, &id); } \
    static gr_status id##_read_json(gr__json root, void *config, gr__arena *arena)                            \
    {                                                                                                         \
        return read_json(root, config, arena, &id);                                                           \
    }                                                                                                         \
    static const char *id##_architecture(const void *config)                                                  \
    {                                                                                                         \
        return ((const bert_config *)config)->labels.n ? with_head : body;                                    \
    }                                                                                                         \
    const gr__family gr__family_##id = {.name = model_type,                                                   \
                                        .hf_type = model_type,                                                \
                                        .summary = text,                                                      \
                                        .kind = GR_MODEL_ENCODER,                                             \
                                        .config_bytes = sizeof(bert_config),                                  \
                                        .rows = id##_rows,                                                    \
                                        .n_rows = GR__COUNT(id##_rows),                                       \
                                        .finish = id##_finish,                                                \
                                        .build_encoder = build_encoder,                                       \
                                        .build_head = build_head,                                             \
                                        .labels = labels,                                                     \
                                        .label_kind = label_kind,                                             \
                                        .architecture = id##_architecture,                                    \
                                        .read_json = id##_read_json,                                          \
                                        .write_json = write_json,                                             \
                                        .describe = describe,                                                 \
                                        .pad = default_pad,                                                   \
                                        .prefix = model_type ".",                                             \
                                        .ignored = ignored,                                                   \
                                        .old_names = old_names,                                               \
                                        .begins = begins}

FAMILY(bert, "bert", "BERT: encoder of text in both directions, with a head for labels", 0, "BertModel",
       "BertForSequenceClassification");
FAMILY(roberta, "roberta", "RoBERTa: BERT with shifted positions and a larger head", 1, "RobertaModel",
       "RobertaForSequenceClassification");
FAMILY(distilbert, "distilbert", "DistilBERT: BERT without token types and pooler", 0, "DistilBertModel",
       "DistilBertForSequenceClassification");
