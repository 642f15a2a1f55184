/* Vision Transformer (Dosovitskiy et al. 2020): patches as tokens behind a token of the class, norms before attention and MLP.
 * Names and shapes are those of Transformers' ViTForImageClassification (5.x). */
#include "gradus/nn.h"
#include "model/picture.h"

enum { MOST_WIDTH = 1 << 16, MOST_LAYERS = 1000 };

typedef struct vit_config {
    gr__picture_config p; /* first */
    int64_t patch, width, layers, heads, hidden;
    double dropout, eps;
} vit_config;

#define AT(field) offsetof(vit_config, field)
static const gr__conf_row rows[] = {
    GR__PICTURE_ROWS,
    {"patch", GR__CONF_INT, AT(patch), 1, 1024, NULL, "4", "edge of the squares that are the tokens", 0},
    {"dim", GR__CONF_INT, AT(width), 1, MOST_WIDTH, NULL, "192", "of a token", 0},
    {"layers", GR__CONF_INT, AT(layers), 1, MOST_LAYERS, NULL, "6", "of attention and MLP", 0},
    {"heads", GR__CONF_INT, AT(heads), 1, 4096, NULL, "3", "of the attention", 0},
    {"hidden", GR__CONF_INT, AT(hidden), 0, MOST_WIDTH, NULL, "0", "of the MLP; 0: 4 times 'dim'", 0},
    {"dropout", GR__CONF_DOUBLE, AT(dropout), 0, 1, NULL, "0", "behind attention, MLP and the embedding",
     GR__CONF_BELOW_MAX},
    {"eps", GR__CONF_DOUBLE, AT(eps), 0, 1, NULL, "1e-12", "of the norms", GR__CONF_ABOVE_MIN},
};

static gr_status finish(void *config, const gr__facts *facts)
{
    vit_config *c = config;
    GR_TRY(gr__picture_finish(&c->p, facts));
    if (c->hidden == 0) c->hidden = 4 * c->width;
    GR_FAIL_IF(c->width % c->heads, GR_ERR_CONFIG, "'dim' %lld is not a multiple of 'heads' %lld", (long long)c->width,
               (long long)c->heads);
    GR_FAIL_IF(c->p.height % c->patch || c->p.width % c->patch, GR_ERR_CONFIG,
               "pictures of %lld x %lld do not fall into patches of %lld; data.size resizes them",
               (long long)c->p.height, (long long)c->p.width, (long long)c->patch);
    return GR_OK;
}

static const gr_init normal = {.kind = GR_INIT_TRUNCATED_NORMAL, .b = 0.02}, zeros = {.kind = GR_INIT_ZEROS};

static gr_value linear(gr_graph *g, const char *name, gr_value x, int64_t out)
{
    return gr_linear(g, name, x, out, &(gr_linear_options){.init = &normal, .bias_init = &zeros});
}

static gr_value norm(gr_graph *g, const vit_config *c, const char *name, gr_value x)
{
    return gr_layer_norm_layer(g, name, x, &(gr_norm_options){.eps = c->eps});
}

/* (N, 1 + patches, C) */
static gr_value embed(gr_graph *g, const vit_config *c, const gr__picture_in *in)
{
    gr_scope_push(g, "embeddings");
    gr_scope_push(g, "patch_embeddings");
    gr_conv_layer_options o = {.stride = {c->patch}, .init = &normal, .bias_init = &zeros};
    gr_value x = gr_conv_layer(g, "projection", in->x, c->width, c->patch, &o);
    gr_scope_pop(g);
    int64_t n = gr_value_dim(g, in->x, 0), patches = (c->p.height / c->patch) * (c->p.width / c->patch);
    gr_value first = gr_param(g, "cls_token", 3, (int64_t[]){1, 1, c->width}, &normal);
    first = gr_cast_like(g, first, x); /* gr_concat() wants one dtype, and mixed precision makes x bf16 */
    gr_value tokens[] = {gr_broadcast_to(g, first, 3, (int64_t[]){n, 1, c->width}),
                         gr_reshape(g, x, 3, (int64_t[]){n, patches, c->width})};
    gr_value at = gr_param(g, "position_embeddings", 3, (int64_t[]){1, patches + 1, c->width}, &normal);
    x = gr_add(g, gr_concat(g, tokens, 2, 1), at);
    gr_scope_pop(g);
    return x;
}

static gr_value attend(gr_graph *g, const vit_config *c, gr_value x)
{
    static const char *const names[] = {"q_proj", "k_proj", "v_proj"};
    gr_value part[3];
    int64_t flat[] = {gr_value_dim(g, x, 0), gr_value_dim(g, x, 1), c->width};
    gr_scope_push(g, "attention");
    for (int i = 0; i < 3; i++)
        part[i] = gr_reshape(g, linear(g, names[i], x, c->width), 4,
                             (int64_t[]){flat[0], flat[1], c->heads, c->width / c->heads});
    x = gr_attention(g, part[0], part[1], part[2], NULL);
    x = linear(g, "o_proj", gr_reshape(g, x, 3, flat), c->width);
    gr_scope_pop(g);
    return x;
}

static gr_value drop(gr_graph *g, const vit_config *c, const gr__picture_in *in, gr_value x)
{
    return in->train && c->dropout > 0 ? gr_dropout(g, x, c->dropout) : x;
}

static gr_value build_picture(gr_graph *g, const void *config, const gr__picture_in *in)
{
    const vit_config *c = config;
    gr_scope_push(g, "vit");
    gr_value x = drop(g, c, in, embed(g, c, in));
    for (int64_t i = 0; i < c->layers && x; i++) {
        gr_block_push(g, "layers.%lld", (long long)i);
        x = gr_add(g, x, drop(g, c, in, attend(g, c, norm(g, c, "layernorm_before", x))));
        gr_value y = norm(g, c, "layernorm_after", x);
        gr_scope_push(g, "mlp");
        y = linear(g, "fc2", gr_gelu(g, linear(g, "fc1", y, c->hidden)), c->width);
        gr_scope_pop(g);
        x = gr_add(g, x, drop(g, c, in, y));
        gr_scope_pop(g);
    }
    x = norm(g, c, "layernorm", x);
    gr_scope_pop(g);
    if (!x) return 0;
    x = gr_reshape(g, gr_slice(g, x, 1, 0, 1), 2, (int64_t[]){gr_value_dim(g, x, 0), c->width});
    return linear(g, "classifier", x, c->p.classes);
}

static gr_status read_json(gr__json root, void *config, gr__arena *arena)
{
    vit_config *c = config;
    *c = (vit_config){.eps = 1e-12};
    GR_TRY(gr__picture_read_json(root, &c->p, arena));
    const struct {
        const char *key;
        int64_t *to, high;
    } number[] = {{"patch_size", &c->patch, 1024},
                  {"hidden_size", &c->width, MOST_WIDTH},
                  {"num_hidden_layers", &c->layers, MOST_LAYERS},
                  {"num_attention_heads", &c->heads, 4096},
                  {"intermediate_size", &c->hidden, MOST_WIDTH}};
    for (size_t i = 0; i < GR__COUNT(number); i++) {
        GR_TRY(gr__hf_need(root, number[i].key));
        GR_TRY(gr__hf_int(root, number[i].key, 1, number[i].high, number[i].to));
    }
    GR_TRY(gr__hf_double(root, "hidden_dropout_prob", 0, 0.999, &c->dropout));
    return gr__hf_double(root, "layer_norm_eps", 1e-30, 1, &c->eps);
}

static void write_json(const void *config, gr__str *out)
{
    const vit_config *c = config;
    gr__picture_write_json(&c->p, out);
    gr__hf_put_double(out, "hidden_dropout_prob", c->dropout);
    gr__hf_put_int(out, "hidden_size", c->width);
    gr__hf_put_int(out, "intermediate_size", c->hidden);
    gr__hf_put_double(out, "layer_norm_eps", c->eps);
    gr__hf_put_int(out, "num_attention_heads", c->heads);
    gr__hf_put_int(out, "num_hidden_layers", c->layers);
    gr__hf_put_int(out, "patch_size", c->patch);
}

static gr_model_info describe(const void *config)
{
    const vit_config *c = config;
    gr_model_info info = gr__picture_info(&c->p);
    info.layers = c->layers;
    info.heads = c->heads;
    info.width = c->width;
    return info;
}

const gr__family gr__family_vit = {
    GR__PICTURE_FAMILY,
    .name = "vit",
    .hf_type = "gradus_vit",
    .hf_class = "GradusViT",
    .summary = "Vision Transformer: patches as tokens",
    .config_bytes = sizeof(vit_config),
    .rows = rows,
    .n_rows = GR__COUNT(rows),
    .finish = finish,
    .build_picture = build_picture,
    .read_json = read_json,
    .write_json = write_json,
    .describe = describe,
};
