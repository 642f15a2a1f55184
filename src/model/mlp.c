/* The multi-layer perceptron: rows of numbers in, rows of numbers out. Parameters are those of
 *
 *   net = torch.nn.Sequential(Linear, activation, Dropout, Linear, ...)
 *
 * "net.<i>.weight" (out, in) and "net.<i>.bias", i counting the activations and, where there is dropout, those too: in
 * evaluation as well, so that names do not depend on what a graph is for. hidden = [] is plain regression. */
#include "gradus/nn.h"
#include "model/family.h"
#include "model/hf_json.h"

#include <stdio.h>
#include <string.h>

enum { MOST_LAYERS = 256, MOST_SIZE = 1 << 24 };

typedef struct mlp_init {
    int kind; /* index into inits */
    double a, b;
} mlp_init;

typedef struct mlp_config {
    gr__conf_ints hidden;
    int64_t inputs, outputs;
    int activation, output_activation;
    double dropout;
    bool bias;
    mlp_init init, bias_init;
} mlp_config;

/* ORDER ACTIVATION: gr_activation_kind */
static const char *const activations[] = {
#define GR_X(code, name, text) name,
    GR_ACTIVATION_MAP(GR_X)
#undef GR_X
        NULL};
enum { OUTPUT_NONE, OUTPUT_SIGMOID };
static const char *const output_activations[] = {"none", "sigmoid", NULL};

/* ORDER INIT: gr_init_kind, behind the default */
static const char *const inits[] = {"default",          "zeros",          "constant",      "uniform",    "normal",
                                    "truncated_normal", "xavier_uniform", "xavier_normal", "he_uniform", "he_normal",
                                    "lecun_uniform",    "lecun_normal",   "orthogonal",    NULL};
_Static_assert(GR__COUNT(inits) == GR_INIT_KIND_COUNT + 2, "an initialiser without a name");

#define AT(field) offsetof(mlp_config, field)
#define INIT_DOC "default: uniform within 1/sqrt(inputs of the layer), as PyTorch"
static const gr__conf_row rows[] = {
    {"inputs", GR__CONF_INT, AT(inputs), 0, MOST_SIZE, NULL, "0", "columns of x; 0: as the data", 0},
    {"hidden", GR__CONF_INT_LIST, AT(hidden), 1, MOST_SIZE, NULL, "[64]", "sizes of the layers between; [] for none",
     0},
    {"outputs", GR__CONF_INT, AT(outputs), 0, MOST_SIZE, NULL, "0", "columns of y; 0: as the data", 0},
    {"activation", GR__CONF_ENUM, AT(activation), 0, 0, activations, "relu", "behind every layer but the last", 0},
    {"output_activation", GR__CONF_ENUM, AT(output_activation), 0, 0, output_activations, "none",
     "of predictions; losses work on what is before it", 0},
    {"dropout", GR__CONF_DOUBLE, AT(dropout), 0, 1, NULL, "0", "behind each activation", GR__CONF_BELOW_MAX},
    {"bias", GR__CONF_BOOL, AT(bias), 0, 0, NULL, "true", "biases", 0},
    {"init", GR__CONF_ENUM, AT(init.kind), 0, 0, inits, "default", "how weights begin; " INIT_DOC, 0},
    {"init_a", GR__CONF_DOUBLE, AT(init.a), 0, 0, NULL, "0", "constant, lowest, mean or gain of init (0: its own)", 0},
    {"init_b", GR__CONF_DOUBLE, AT(init.b), 0, 0, NULL, "0", "end or deviation of init", 0},
    {"bias_init", GR__CONF_ENUM, AT(bias_init.kind), 0, 0, inits, "default", "how biases begin; " INIT_DOC, 0},
    {"bias_init_a", GR__CONF_DOUBLE, AT(bias_init.a), 0, 0, NULL, "0", "as init_a", 0},
    {"bias_init_b", GR__CONF_DOUBLE, AT(bias_init.b), 0, 0, NULL, "0", "as init_b", 0},
};

/* PyTorch's kaiming_uniform with a = sqrt 5 is uniform within 1/sqrt(in); *out is for gr_linear, which knows 'in'. */
static const gr_init *init_of(const mlp_init *from, gr_init *out)
{
    if (from->kind == 0) return NULL;
    *out = (gr_init){.kind = (gr_init_kind)(from->kind - 1), .a = from->a, .b = from->b};
    return out;
}

static gr_status check_init(const char *key, const mlp_init *from, bool bias)
{
    int kind = from->kind - 1;
    GR_FAIL_IF(kind == GR_INIT_UNIFORM && !(from->a < from->b), GR_ERR_CONFIG,
               "'%s: uniform' needs '%s_a' below '%s_b'", key, key, key);
    GR_FAIL_IF((kind == GR_INIT_NORMAL || kind == GR_INIT_TRUNCATED_NORMAL) && !(from->b > 0), GR_ERR_CONFIG,
               "'%s: %s' needs its deviation '%s_b' above 0", key, inits[from->kind], key);
    GR_FAIL_IF(bias && kind > (int)GR_INIT_TRUNCATED_NORMAL, GR_ERR_CONFIG, "'%s: %s' is for matrices, not for biases",
               key, inits[from->kind]);
    return GR_OK;
}

static gr_status take_fact(const char *key, int64_t fact, int64_t *out)
{
    if (*out == 0) *out = fact;
    GR_FAIL_IF(*out == 0, GR_ERR_CONFIG, "'%s' must be given: there are no data to take it from", key);
    GR_FAIL_IF(fact && *out != fact, GR_ERR_CONFIG, "'%s' is %lld, but the data have %lld columns", key,
               (long long)*out, (long long)fact);
    return GR_OK;
}

static gr_status finish(void *config, const gr__facts *facts)
{
    mlp_config *c = config;
    GR_FAIL_IF(c->hidden.n > MOST_LAYERS, GR_ERR_CONFIG, "'hidden' has %zu layers; %d are possible", c->hidden.n,
               MOST_LAYERS);
    GR_TRY(take_fact("inputs", facts->inputs, &c->inputs));
    GR_TRY(take_fact("outputs", facts->outputs, &c->outputs));
    GR_TRY(check_init("init", &c->init, false));
    return check_init("bias_init", &c->bias_init, true);
}

/* ---- graph ---- */

static gr_value build_vector(gr_graph *g, const void *config, gr_value x, bool train, const char *program)
{
    (void)program;
    const mlp_config *c = config;
    gr_init weight, bias;
    gr_linear_options o = {
        .no_bias = !c->bias, .init = init_of(&c->init, &weight), .bias_init = init_of(&c->bias_init, &bias)};
    gr_mlp_options mlp = {
        .activation = (gr_activation_kind)c->activation, .dropout = c->dropout, .evaluate = !train, .linear = o};
    int64_t size[MOST_LAYERS + 1];
    for (size_t i = 0; i < c->hidden.n; i++) size[i] = c->hidden.item[i];
    size[c->hidden.n] = c->outputs;
    return gr_mlp(g, "net", x, size, (int)c->hidden.n + 1, &mlp);
}

static gr_value activate(gr_graph *g, const void *config, gr_value y)
{
    return ((const mlp_config *)config)->output_activation == OUTPUT_SIGMOID ? gr_sigmoid(g, y) : y;
}

static void sizes(const void *config, int64_t *inputs, int64_t *outputs)
{
    const mlp_config *c = config;
    *inputs = c->inputs;
    *outputs = c->outputs;
}

/* ---- config.json ---- */

static gr_status read_json(gr__json root, void *config, gr__arena *arena)
{
    mlp_config *c = config;
    *c = (mlp_config){.activation = GR_ACTIVATION_RELU, .bias = true};
    GR_TRY(gr__hf_need(root, "inputs"));
    GR_TRY(gr__hf_need(root, "outputs"));
    GR_TRY(gr__hf_int(root, "inputs", 1, MOST_SIZE, &c->inputs));
    GR_TRY(gr__hf_int(root, "outputs", 1, MOST_SIZE, &c->outputs));
    GR_FAIL_IF(!gr__json_get(root, "hidden"), GR_ERR_CORRUPT, "'hidden' must be a list of at most %d sizes",
               MOST_LAYERS);
    GR_TRY(gr__hf_ints(root, "hidden", MOST_LAYERS, 1, MOST_SIZE, arena, &c->hidden));
    GR_TRY(gr__hf_choice(root, "activation", activations, &c->activation));
    GR_TRY(gr__hf_choice(root, "output_activation", output_activations, &c->output_activation));
    GR_TRY(gr__hf_double(root, "dropout", 0, 0.999, &c->dropout));
    GR_TRY(gr__hf_bool(root, "bias", &c->bias));
    GR_TRY(gr__hf_choice(root, "init", inits, &c->init.kind));
    GR_TRY(gr__hf_double(root, "init_a", -1e300, 1e300, &c->init.a));
    GR_TRY(gr__hf_double(root, "init_b", -1e300, 1e300, &c->init.b));
    GR_TRY(gr__hf_choice(root, "bias_init", inits, &c->bias_init.kind));
    GR_TRY(gr__hf_double(root, "bias_init_a", -1e300, 1e300, &c->bias_init.a));
    return gr__hf_double(root, "bias_init_b", -1e300, 1e300, &c->bias_init.b);
}

static void write_json(const void *config, gr__str *out)
{
    const mlp_config *c = config;
    gr__hf_put_text(out, "activation", activations[c->activation]);
    gr__hf_put_bool(out, "bias", c->bias);
    gr__hf_put_text(out, "bias_init", inits[c->bias_init.kind]);
    gr__hf_put_double(out, "bias_init_a", c->bias_init.a);
    gr__hf_put_double(out, "bias_init_b", c->bias_init.b);
    gr__hf_put_double(out, "dropout", c->dropout);
    gr__hf_put_ints(out, "hidden", &c->hidden);
    gr__hf_put_text(out, "init", inits[c->init.kind]);
    gr__hf_put_double(out, "init_a", c->init.a);
    gr__hf_put_double(out, "init_b", c->init.b);
    gr__hf_put_int(out, "inputs", c->inputs);
    gr__hf_put_text(out, "output_activation", output_activations[c->output_activation]);
    gr__hf_put_int(out, "outputs", c->outputs);
}

static gr_model_info describe(const void *config)
{
    const mlp_config *c = config;
    return (gr_model_info){.layers = (int64_t)c->hidden.n + 1};
}

const gr__family gr__family_mlp = {
    .name = "mlp",
    .hf_type = "gradus_mlp",
    .hf_class = "GradusMlp",
    .summary = "multi-layer perceptron: rows of numbers in and out",
    .kind = GR_MODEL_VECTOR,
    .config_bytes = sizeof(mlp_config),
    .rows = rows,
    .n_rows = GR__COUNT(rows),
    .finish = finish,
    .build_vector = build_vector,
    .sizes = sizes,
    .activate = activate,
    .read_json = read_json,
    .write_json = write_json,
    .describe = describe,
};
