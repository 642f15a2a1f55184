/* Networks that make pictures from numbers, three families on one pair of towers:
 *
 *   code    pictures down to 'latent' numbers: convs over two pixels, leaky ReLU, a linear layer (autoencoder, vae: twice)
 *   decode  numbers up to logits of pixels in [0, 1]: a linear layer, transposed convs with batch norm and ReLU
 *           (both: the layers of 'hidden' between the numbers and the smallest map)
 *   judge   the tower of 'code' with one number as its end: whether a picture is real (dcgan, Radford et al. 2015)
 *
 * vae is Kingma and Welling 2013, dcgan the adversarial game of Goodfellow et al. 2014. */
#include "graph/graph.h"
#include "gradus/nn.h"
#include "model/picture.h"

#include <stdio.h>

enum { MOST_STAGES = 6, MOST_HIDDEN = 4 };

typedef struct maker_config {
    gr__picture_config p; /* first; its only label stands for what the pictures show */
    int64_t latent;
    gr__conf_ints maps, hidden;
    double dropout;
    bool norm;
} maker_config;

#define AT(field) offsetof(maker_config, field)
#define ROWS(numbers)                                                                                                  \
    {                                                                                                                  \
        GR__PICTURE_ROW(height, GR__MOST_PICTURE, "of a picture; 0: as the data"),                                     \
            GR__PICTURE_ROW(width, GR__MOST_PICTURE, "of a picture; 0: as the data"),                                  \
            GR__PICTURE_ROW(channels, 4, "1 gray, 3 colours; 0: as the data"),                                         \
            {"latent", GR__CONF_INT, AT(latent), 1, 1 << 16, NULL, numbers, "numbers that a picture is made from", 0}, \
            {"maps",                                                                                                   \
             GR__CONF_INT_LIST,                                                                                        \
             AT(maps),                                                                                                 \
             1,                                                                                                        \
             GR__MOST_MAPS,                                                                                            \
             NULL,                                                                                                     \
             "[64, 32]",                                                                                               \
             "channels from the smallest map to the picture, each twice as large as the one before",                   \
             0},                                                                                                       \
            {"hidden",                                                                                                 \
             GR__CONF_INT_LIST,                                                                                        \
             AT(hidden),                                                                                               \
             1,                                                                                                        \
             GR__MOST_MAPS,                                                                                            \
             NULL,                                                                                                     \
             NULL,                                                                                                     \
             "sizes of layers between the numbers and the smallest map",                                               \
             0},                                                                                                       \
            {"dropout", GR__CONF_DOUBLE, AT(dropout), 0, 1, NULL, "0.3", "in the judge (dcgan)", GR__CONF_BELOW_MAX},  \
            {"norm", GR__CONF_BOOL, AT(norm), 0,                                                                       \
             0,      NULL,          "false",  "batch norm in the judge (dcgan), but for its first layer",              \
             0},                                                                                                       \
    }
static const gr__conf_row code_rows[] = ROWS("16"), noise_rows[] = ROWS("64");

static gr_status finish(void *config, const gr__facts *facts)
{
    maker_config *c = config;
    if (c->p.classes == 0) c->p.classes = 1;
    GR_TRY(gr__picture_finish(&c->p, facts));
    GR_FAIL_IF(c->maps.n > MOST_STAGES, GR_ERR_CONFIG, "'maps' has %zu stages; %d are possible", c->maps.n,
               MOST_STAGES);
    GR_FAIL_IF(c->hidden.n > MOST_HIDDEN, GR_ERR_CONFIG, "'hidden' has %zu layers; %d are possible", c->hidden.n,
               MOST_HIDDEN);
    int64_t step = (int64_t)1 << c->maps.n;
    GR_FAIL_IF(c->p.height % step || c->p.width % step, GR_ERR_CONFIG,
               "pictures of %lld x %lld cannot be halved %zu times; data.size resizes them", (long long)c->p.height,
               (long long)c->p.width, c->maps.n);
    return GR_OK;
}

static int64_t latent(const void *config) { return ((const maker_config *)config)->latent; }

/* Batch norm of a judge: real and made pictures each by their own batch. */
static gr_value judge_norm(gr_graph *g, const char *name, gr_value x)
{
    return gr_batch_norm_layer(g, name, x, &(gr_batch_norm_options){.no_running = true});
}

/* Down to (N, features of the smallest map, or of the last layer behind it). */
static gr_value down(gr_graph *g, const maker_config *c, gr_value x, double dropout, bool norm)
{
    char name[32];
    for (size_t i = c->maps.n; i-- > 0 && x;) {
        bool first = i + 1 == c->maps.n;
        gr_conv_layer_options o = {.stride = {2}, .padding = 1, .no_bias = norm && !first};
        snprintf(name, sizeof name, "conv%zu", c->maps.n - i);
        x = gr_conv_layer(g, name, x, c->maps.item[i], 4, &o);
        snprintf(name, sizeof name, "norm%zu", c->maps.n - i);
        x = gr_leaky_relu(g, norm && !first ? judge_norm(g, name, x) : x, 0.2);
        if (dropout > 0) x = gr_dropout(g, x, dropout);
    }
    if (!x) return 0;
    x = gr_reshape(g, x, 2, (int64_t[]){gr_value_dim(g, x, 0), -1});
    for (size_t i = c->hidden.n; i-- > 0;) {
        snprintf(name, sizeof name, "hidden%zu", c->hidden.n - i);
        x = gr_linear(g, name, x, c->hidden.item[i], &(gr_linear_options){.no_bias = norm});
        snprintf(name, sizeof name, "hidden_norm%zu", c->hidden.n - i);
        x = gr_leaky_relu(g, norm ? judge_norm(g, name, x) : x, 0.2);
        if (dropout > 0) x = gr_dropout(g, x, dropout);
    }
    return x;
}

static gr_value decode(gr_graph *g, const void *config, gr_value z, const gr__picture_in *in)
{
    const maker_config *c = config;
    int64_t h = c->p.height >> c->maps.n, w = c->p.width >> c->maps.n;
    char name[32];
    gr_value x = z;
    gr_scope_push(g, "decode");
    for (size_t i = 0; i < c->hidden.n; i++) {
        snprintf(name, sizeof name, "hidden%zu", i + 1);
        x = gr_linear(g, name, x, c->hidden.item[i], &(gr_linear_options){.no_bias = true});
        snprintf(name, sizeof name, "hidden_norm%zu", i + 1);
        x = gr_relu(g, gr__picture_norm(g, name, x, in));
    }
    x = gr_linear(g, "linear", x, h * w * c->maps.item[0], &(gr_linear_options){.no_bias = true});
    x = x ? gr_reshape(g, x, 4, (int64_t[]){gr_value_dim(g, z, 0), h, w, c->maps.item[0]}) : 0;
    x = gr_relu(g, gr__picture_norm(g, "norm0", x, in));
    for (size_t i = 1; i <= c->maps.n && x; i++) {
        bool last = i == c->maps.n;
        gr_conv_layer_options o = {.stride = {2}, .padding = 1, .no_bias = !last};
        snprintf(name, sizeof name, "conv%zu", i);
        x = gr_conv_transpose_layer(g, name, x, last ? c->p.channels : c->maps.item[i], 4, &o);
        snprintf(name, sizeof name, "norm%zu", i);
        if (!last) x = gr_relu(g, gr__picture_norm(g, name, x, in));
    }
    gr_scope_pop(g);
    return x;
}

static void code(gr_graph *g, const void *config, const gr__picture_in *in, gr_value *mean, gr_value *spread)
{
    const maker_config *c = config;
    gr_scope_push(g, "code");
    gr_value x = down(g, c, in->x, 0, false);
    *mean = gr_linear(g, "mean", x, c->latent, NULL);
    if (spread) *spread = gr_linear(g, "spread", x, c->latent, NULL);
    gr_scope_pop(g);
}

static void code_alone(gr_graph *g, const void *config, const gr__picture_in *in, gr_value *mean, gr_value *spread)
{
    *spread = 0;
    code(g, config, in, mean, NULL);
}

static gr_value judge(gr_graph *g, const void *config, const gr__picture_in *in)
{
    const maker_config *c = config;
    gr_scope_push(g, "judge");
    gr_value x = down(g, c, gr_affine(g, in->x, 2, -1), in->train ? c->dropout : 0, c->norm);
    x = gr_linear(g, "linear", x, 1, NULL);
    gr_scope_pop(g);
    return x;
}

static gr_status read_json(gr__json root, void *config, gr__arena *arena)
{
    maker_config *c = config;
    GR_TRY(gr__picture_read_json(root, &c->p, arena));
    GR_TRY(gr__hf_need(root, "latent"));
    GR_TRY(gr__hf_need(root, "maps"));
    GR_TRY(gr__hf_int(root, "latent", 1, 1 << 16, &c->latent));
    GR_TRY(gr__hf_double(root, "dropout", 0, 0.999, &c->dropout));
    GR_TRY(gr__hf_bool(root, "norm", &c->norm));
    GR_TRY(gr__hf_ints(root, "hidden", MOST_HIDDEN, 1, GR__MOST_MAPS, arena, &c->hidden));
    return gr__hf_ints(root, "maps", MOST_STAGES, 1, GR__MOST_MAPS, arena, &c->maps);
}

static void write_json(const void *config, gr__str *out)
{
    const maker_config *c = config;
    gr__picture_write_json(&c->p, out);
    gr__hf_put_double(out, "dropout", c->dropout);
    if (c->hidden.n) gr__hf_put_ints(out, "hidden", &c->hidden);
    gr__hf_put_int(out, "latent", c->latent);
    gr__hf_put_ints(out, "maps", &c->maps);
    if (c->norm) gr__hf_put_bool(out, "norm", true);
}

static gr_model_info describe(const void *config)
{
    const maker_config *c = config;
    gr_model_info info = gr__picture_info(&c->p);
    info.labels = 0;
    info.layers = 2 * (int64_t)(c->maps.n + c->hidden.n + 1);
    info.width = c->latent;
    return info;
}

#define MAKER(table)                                                                                             \
    .kind = GR_MODEL_GENERATOR, .config_bytes = sizeof(maker_config), .rows = table, .n_rows = GR__COUNT(table), \
    .finish = finish, .build_decode = decode, .latent = latent, .ignored = gr__picture_ignored,                  \
    .read_json = read_json, .write_json = write_json, .describe = describe

const gr__family gr__family_autoencoder = {
    MAKER(code_rows),
    .name = "autoencoder",
    .hf_type = "gradus_autoencoder",
    .hf_class = "GradusAutoencoder",
    .summary = "pictures to few numbers and back",
    .build_code = code_alone,
};

const gr__family gr__family_vae = {
    MAKER(code_rows),
    .name = "vae",
    .hf_type = "gradus_vae",
    .hf_class = "GradusVAE",
    .summary = "variational autoencoder: pictures from noise",
    .build_code = code,
};

const gr__family gr__family_dcgan = {
    MAKER(noise_rows),
    .name = "dcgan",
    .hf_type = "gradus_dcgan",
    .hf_class = "GradusDCGAN",
    .summary = "pictures from noise, trained against a judge",
    .build_judge = judge,
};
