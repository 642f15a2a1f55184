/* A Transformer over patches of each series by itself (PatchTST, Nie et al. 2023): the window is normalised by its own mean
 * and deviation (Kim et al. 2022), cut in patches that overlap, each a token; what the encoder makes of all tokens gives the
 * future. LayerNorm where the paper has batch norm. Parameters are those of
 *
 *   patch = torch.nn.Linear(patch, width);  position: (patches, width)
 *   layers.<i> = torch.nn.TransformerEncoderLayer(width, heads, hidden, activation="gelu", batch_first=True)
 *   head = torch.nn.Linear(patches*width, horizon)
 *
 * The end of the window is repeated for one more stride, as in the paper. */
#include "gradus/nn.h"
#include "model/lm.h"
#include "model/series.h"

enum { MOST_PIECES = 16 }; /* strides in a patch: operands of a concat */

typedef struct patchtst_config {
    gr__series_config s; /* first */
    int64_t patch, stride, layers, heads, width, hidden;
    double dropout;
} patchtst_config;

#define AT(field) offsetof(patchtst_config, field)
static const gr__conf_row rows[] = {
    GR__SERIES_ROWS,
    {"patch", GR__CONF_INT, AT(patch), 1, GR__MOST_ROWS_OF_SERIES, NULL, "16", "rows of a patch", 0},
    {"stride", GR__CONF_INT, AT(stride), 1, GR__MOST_ROWS_OF_SERIES, NULL, "8", "rows from patch to patch", 0},
    {"layers", GR__CONF_INT, AT(layers), 1, GR__MOST_LAYERS, NULL, "3", "blocks of attention and MLP", 0},
    {"heads", GR__CONF_INT, AT(heads), 1, GR__MOST_HEADS, NULL, "4", "heads of attention; divide the width", 0},
    {"width", GR__CONF_INT, AT(width), 1, GR__MOST_WIDTH, NULL, "16", "size of a patch's vector", 0},
    {"hidden", GR__CONF_INT, AT(hidden), 1, GR__MOST_HIDDEN, NULL, "128", "size inside the MLP", 0},
    {"dropout", GR__CONF_DOUBLE, AT(dropout), 0, 1, NULL, "0.3", "of the patches, both branches and the head",
     GR__CONF_BELOW_MAX},
};

static gr_status finish(void *config, const gr__facts *facts)
{
    patchtst_config *c = config;
    GR_FAIL_IF(c->width % c->heads != 0, GR_ERR_CONFIG, "'width' %lld is not a multiple of 'heads' %lld",
               (long long)c->width, (long long)c->heads);
    GR_FAIL_IF(c->patch > c->s.window, GR_ERR_CONFIG, "'patch' %lld is longer than 'window' %lld", (long long)c->patch,
               (long long)c->s.window);
    GR_FAIL_IF(c->patch > MOST_PIECES * c->stride, GR_ERR_CONFIG, "'patch' %lld is more than %d times 'stride' %lld",
               (long long)c->patch, MOST_PIECES, (long long)c->stride);
    return gr__series_finish(&c->s, facts);
}

/* x (R, T) -> (R, patches, patch), R rows of one series each. */
static gr_value cut(gr_graph *g, const patchtst_config *c, gr_value x, int64_t *n)
{
    int64_t rows_of = gr_value_dim(g, x, 0), time = c->s.window + c->stride;
    gr_value end = gr_broadcast_to(g, gr_slice(g, x, 1, c->s.window - 1, 1), 2, (int64_t[]){rows_of, c->stride});
    *n = (time - c->patch) / c->stride + 1;
    gr_value longer = gr_concat(g, (gr_value[]){x, end}, 2, 1);
    /* element k of every patch: a slice with a stride, as a column of a matrix of strides */
    int64_t whole = (c->patch + c->stride - 1) / c->stride, need = (*n + whole) * c->stride;
    gr_value full = need > time ? gr_pad_slice(g, longer, 1, 0, need) : gr_slice(g, longer, 1, 0, need);
    gr_value grid = gr_reshape(g, full, 3, (int64_t[]){rows_of, *n + whole, c->stride}), part[MOST_PIECES];
    int parts = 0;
    for (int64_t k = 0; k < whole; k++) {
        gr_value piece = gr_slice(g, grid, 1, k, *n);
        int64_t left = c->patch - k * c->stride;
        part[parts++] = left < c->stride ? gr_slice(g, piece, 2, 0, left) : piece;
    }
    return parts == 1 ? part[0] : gr_concat(g, part, parts, 2);
}

static gr_value layer(gr_graph *g, const patchtst_config *c, gr_value x, double p)
{
    int64_t r = gr_value_dim(g, x, 0), n = gr_value_dim(g, x, 1), w = c->width,
            heads[] = {r, n, c->heads, w / c->heads};
    gr_init standard = {.kind = GR_INIT_XAVIER_UNIFORM}, zeros = {.kind = GR_INIT_ZEROS};
    gr_scope_push(g, "self_attn");
    gr_value in = gr_param(g, "in_proj_weight", 2, (int64_t[]){3 * w, w}, &standard);
    gr_value bias = gr_param(g, "in_proj_bias", 1, (int64_t[]){3 * w}, &zeros), q[3];
    gr_value all = gr_add(g, gr_matmul(g, x, in, &(gr_matmul_options){.transpose_b = true}), bias);
    for (int i = 0; i < 3; i++) q[i] = gr_reshape(g, gr_slice(g, all, 2, i * w, w), 4, heads);
    gr_value h = gr_reshape(g, gr_attention(g, q[0], q[1], q[2], NULL), 3, (int64_t[]){r, n, w});
    h = gr_linear(g, "out_proj", h, w, NULL);
    gr_scope_pop(g);
    x = gr_layer_norm_layer(g, "norm1", gr_add(g, x, gr__lm_dropout(g, h, p)), NULL);
    h = gr__lm_dropout(g, gr_gelu(g, gr_linear(g, "linear1", x, c->hidden, NULL)), p);
    h = gr_linear(g, "linear2", h, w, NULL);
    return gr_layer_norm_layer(g, "norm2", gr_add(g, x, gr__lm_dropout(g, h, p)), NULL);
}

static gr_value build_series(gr_graph *g, const void *config, gr_value x, bool train)
{
    const patchtst_config *c = config;
    double p = train ? c->dropout : 0;
    int64_t batch = gr_value_dim(g, x, 0), series = gr_value_dim(g, x, 2), r = batch * series, n;
    gr_init small = {.kind = GR_INIT_NORMAL, .b = 0.02};
    x = gr_reshape(g, gr__series_turn(g, x), 2, (int64_t[]){r, c->s.window});
    gr_value mean = gr_mean(g, x, 2, true), centred = gr_sub(g, x, mean);
    gr_value std = gr_sqrt(g, gr_affine(g, gr_mean(g, gr_square(g, centred), 2, true), 1, 1e-5));
    gr_value patches = cut(g, c, gr_div(g, centred, std), &n);
    x = gr_linear(g, "patch", patches, c->width, NULL);
    x = gr__lm_dropout(g, gr_add(g, x, gr_param(g, "position", 2, (int64_t[]){n, c->width}, &small)), p);
    for (int64_t i = 0; i < c->layers; i++) {
        gr_block_push(g, "layers.%lld", (long long)i);
        x = layer(g, c, x, p);
        gr_scope_pop(g);
    }
    x = gr__lm_dropout(g, gr_reshape(g, x, 2, (int64_t[]){r, n * c->width}), p);
    x = gr_add(g, gr_mul(g, gr_linear(g, "head", x, c->s.horizon, NULL), std), mean);
    return gr__series_turn(g, gr_reshape(g, x, 3, (int64_t[]){batch, series, c->s.horizon}));
}

static gr_status read_json(gr__json root, void *config, gr__arena *arena)
{
    patchtst_config *c = config;
    *c = (patchtst_config){.patch = 16, .stride = 8, .layers = 3, .heads = 4, .width = 16, .hidden = 128};
    GR_TRY(gr__series_read_json(root, &c->s, arena));
    GR_TRY(gr__hf_int(root, "patch_length", 1, GR__MOST_ROWS_OF_SERIES, &c->patch));
    GR_TRY(gr__hf_int(root, "patch_stride", 1, GR__MOST_ROWS_OF_SERIES, &c->stride));
    GR_TRY(gr__hf_int(root, "num_hidden_layers", 1, GR__MOST_LAYERS, &c->layers));
    GR_TRY(gr__hf_int(root, "num_attention_heads", 1, GR__MOST_HEADS, &c->heads));
    GR_TRY(gr__hf_int(root, "hidden_size", 1, GR__MOST_WIDTH, &c->width));
    GR_TRY(gr__hf_int(root, "intermediate_size", 1, GR__MOST_HIDDEN, &c->hidden));
    return gr__hf_double(root, "dropout", 0, 0.999, &c->dropout);
}

static void write_json(const void *config, gr__str *out)
{
    const patchtst_config *c = config;
    gr__hf_put_double(out, "dropout", c->dropout);
    gr__hf_put_int(out, "hidden_size", c->width);
    gr__hf_put_int(out, "intermediate_size", c->hidden);
    gr__hf_put_int(out, "num_attention_heads", c->heads);
    gr__hf_put_int(out, "num_hidden_layers", c->layers);
    gr__hf_put_int(out, "patch_length", c->patch);
    gr__hf_put_int(out, "patch_stride", c->stride);
    gr__series_write_json(&c->s, out);
}

static gr_model_info describe(const void *config)
{
    const patchtst_config *c = config;
    gr_model_info info = gr__series_info(&c->s);
    info.layers = c->layers;
    info.heads = c->heads;
    info.width = c->width;
    return info;
}

const gr__family gr__family_patchtst = {
    GR__SERIES_FAMILY,
    .name = "patchtst",
    .hf_type = "gradus_patchtst",
    .hf_class = "GradusPatchTST",
    .summary = "a Transformer over patches of each series",
    .config_bytes = sizeof(patchtst_config),
    .rows = rows,
    .n_rows = GR__COUNT(rows),
    .finish = finish,
    .build_series = build_series,
    .read_json = read_json,
    .write_json = write_json,
    .describe = describe,
};
