/* Activations by kind and name. */
#include "gradus/nn.h"

#include "nn/name.h"

#include "graph/graph.h"

#include <string.h>

static gr_value none(gr_graph *g, gr_value x) { return gr__require(g, "activation", x); }
static gr_value leaky_relu(gr_graph *g, gr_value x) { return gr_leaky_relu(g, x, 0.01); }
static gr_value elu(gr_graph *g, gr_value x) { return gr_elu(g, x, 1); }

static gr_value (*const build[])(gr_graph *, gr_value) = {
    [GR_ACTIVATION_NONE] = none,
    [GR_ACTIVATION_RELU] = gr_relu,
    [GR_ACTIVATION_LEAKY_RELU] = leaky_relu,
    [GR_ACTIVATION_ELU] = elu,
    [GR_ACTIVATION_GELU] = gr_gelu,
    [GR_ACTIVATION_GELU_TANH] = gr_gelu_tanh,
    [GR_ACTIVATION_SILU] = gr_silu,
    [GR_ACTIVATION_SIGMOID] = gr_sigmoid,
    [GR_ACTIVATION_TANH] = gr_tanh,
    [GR_ACTIVATION_SOFTPLUS] = gr_softplus,
};
_Static_assert(GR__COUNT(build) == GR_ACTIVATION_COUNT, "an activation without a builder");

static const char *const names[] = {
#define GR_X(code, name, text) name,
    GR_ACTIVATION_MAP(GR_X)
#undef GR_X
};

/* What Hugging Face's configurations call some of them. */
static const struct {
    const char *name;
    gr_activation_kind kind;
} aliases[] = {
    {"gelu_new", GR_ACTIVATION_GELU_TANH},
    {"gelu_pytorch_tanh", GR_ACTIVATION_GELU_TANH},
    {"swish", GR_ACTIVATION_SILU},
};

gr_value gr_activation(gr_graph *g, gr_activation_kind kind, gr_value x)
{
    if ((unsigned)kind >= GR_ACTIVATION_COUNT)
        return gr__graph_fail(g, GR_ERR_ARGUMENT, "%d is not a kind of activation", (int)kind);
    return build[kind](g, x);
}

const char *gr_activation_name(gr_activation_kind kind)
{
    return (unsigned)kind < GR_ACTIVATION_COUNT ? names[kind] : "";
}

gr_status gr_activation_from_name(const char *name, gr_activation_kind *out)
{
    for (size_t i = 0; name && i < GR__COUNT(aliases); i++)
        if (strcmp(aliases[i].name, name) == 0) {
            *out = aliases[i].kind;
            return GR_OK;
        }
    int kind;
    GR_TRY(gr__kind_from_name("an activation", names, GR_ACTIVATION_COUNT, name, &kind));
    *out = (gr_activation_kind)kind;
    return GR_OK;
}
