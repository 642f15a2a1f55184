/* LeNet-5 (LeCun et al. 1998) as it is taught today: maxima and ReLU. Names are those of PyTorch's tutorial, conv1, conv2,
 * fc1 .. fc3; the padding makes of MNIST's 28 x 28 the 32 x 32 of the paper. */
#include "gradus/nn.h"
#include "model/picture.h"

enum { CONVS = 2, MOST_HIDDEN = 8 };

typedef struct lenet_config {
    gr__picture_config p; /* first */
    gr__conf_ints maps, hidden;
    int64_t window, padding;
    int activation;
    double dropout;
} lenet_config;

/* ORDER ACTIVATION: gr_activation_kind */
static const char *const activations[] = {
#define GR_X(code, name, text) name,
    GR_ACTIVATION_MAP(GR_X)
#undef GR_X
        NULL};

#define AT(field) offsetof(lenet_config, field)
static const gr__conf_row rows[] = {
    GR__PICTURE_ROWS,
    {"maps", GR__CONF_INT_LIST, AT(maps), 1, GR__MOST_MAPS, NULL, "[6, 16]", "channels of both convolutions", 0},
    {"window", GR__CONF_INT, AT(window), 1, 31, NULL, "5", "edge of their windows", 0},
    {"padding", GR__CONF_INT, AT(padding), 0, 1024, NULL, "2", "zeros around the picture", 0},
    {"hidden", GR__CONF_INT_LIST, AT(hidden), 1, GR__MOST_MAPS, NULL, "[120, 84]", "sizes of the layers behind them",
     0},
    {"activation", GR__CONF_ENUM, AT(activation), 0, 0, activations, "relu", "behind every layer but the last", 0},
    {"dropout", GR__CONF_DOUBLE, AT(dropout), 0, 1, NULL, "0", "behind the layers of 'hidden'", GR__CONF_BELOW_MAX},
};

static gr_status finish(void *config, const gr__facts *facts)
{
    lenet_config *c = config;
    GR_FAIL_IF(c->maps.n != CONVS, GR_ERR_CONFIG, "'maps' needs %d numbers, not %zu", CONVS, c->maps.n);
    GR_FAIL_IF(c->hidden.n > MOST_HIDDEN, GR_ERR_CONFIG, "'hidden' has %zu layers; %d are possible", c->hidden.n,
               MOST_HIDDEN);
    return gr__picture_finish(&c->p, facts);
}

static gr_value build_picture(gr_graph *g, const void *config, const gr__picture_in *in)
{
    static const char *const conv[] = {"conv1", "conv2"}, *const fc[] = {"fc1", "fc2", "fc3", "fc4", "fc5",
                                                                         "fc6", "fc7", "fc8", "fc9"};
    const lenet_config *c = config;
    gr_activation_kind act = (gr_activation_kind)c->activation;
    gr_value x = in->x;
    for (size_t i = 0; i < CONVS; i++) {
        gr_conv_layer_options o = {.padding = i == 0 ? c->padding : 0};
        x = gr_activation(g, act, gr_conv_layer(g, conv[i], x, c->maps.item[i], c->window, &o));
        x = gr_max_pool(g, x, &(gr_pool_options){.size = {2}}, NULL);
    }
    if (!x) return 0;
    x = gr__picture_flatten(g, x);
    for (size_t i = 0; i < c->hidden.n; i++) {
        x = gr_activation(g, act, gr_linear(g, fc[i], x, c->hidden.item[i], NULL));
        if (in->train && c->dropout > 0) x = gr_dropout(g, x, c->dropout);
    }
    return gr_linear(g, fc[c->hidden.n], x, c->p.classes, NULL);
}

static gr_status read_json(gr__json root, void *config, gr__arena *arena)
{
    lenet_config *c = config;
    *c = (lenet_config){.window = 5, .padding = 2, .activation = GR_ACTIVATION_RELU};
    GR_TRY(gr__picture_read_json(root, &c->p, arena));
    GR_TRY(gr__hf_ints(root, "maps", CONVS, 1, GR__MOST_MAPS, arena, &c->maps));
    GR_TRY(gr__hf_ints(root, "hidden", MOST_HIDDEN, 1, GR__MOST_MAPS, arena, &c->hidden));
    GR_TRY(gr__hf_int(root, "window", 1, 31, &c->window));
    GR_TRY(gr__hf_int(root, "padding", 0, 1024, &c->padding));
    GR_TRY(gr__hf_double(root, "dropout", 0, 0.999, &c->dropout));
    return gr__hf_choice(root, "activation", activations, &c->activation);
}

static void write_json(const void *config, gr__str *out)
{
    const lenet_config *c = config;
    gr__picture_write_json(&c->p, out);
    gr__hf_put_text(out, "activation", activations[c->activation]);
    gr__hf_put_double(out, "dropout", c->dropout);
    gr__hf_put_ints(out, "hidden", &c->hidden);
    gr__hf_put_ints(out, "maps", &c->maps);
    gr__hf_put_int(out, "padding", c->padding);
    gr__hf_put_int(out, "window", c->window);
}

static gr_model_info describe(const void *config)
{
    const lenet_config *c = config;
    gr_model_info info = gr__picture_info(&c->p);
    info.layers = (int64_t)(CONVS + c->hidden.n + 1);
    return info;
}

const gr__family gr__family_lenet = {
    GR__PICTURE_FAMILY,
    .name = "lenet",
    .hf_type = "gradus_lenet",
    .hf_class = "GradusLeNet",
    .summary = "LeNet-5: two convolutions for small pictures",
    .config_bytes = sizeof(lenet_config),
    .rows = rows,
    .n_rows = GR__COUNT(rows),
    .finish = finish,
    .build_picture = build_picture,
    .read_json = read_json,
    .write_json = write_json,
    .describe = describe,
};
