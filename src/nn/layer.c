/* Layers with parameters. Names and shapes are PyTorch's, so that its state dicts load as they are. */
#include "gradus/nn.h"

#include "graph/graph.h"
#include "nn/layer.h"

#include <math.h>
#include <stdio.h>

bool gr__layer_enter(gr_graph *g, const char *name)
{
    if (!name || !*name) return false;
    gr_scope_push(g, "%s", name);
    return true;
}

void gr__layer_leave(gr_graph *g, bool entered)
{
    if (entered) gr_scope_pop(g);
}

gr_value gr_linear(gr_graph *g, const char *name, gr_value x, int64_t out, const gr_linear_options *options)
{
    gr_linear_options o = options ? *options : (gr_linear_options){0};
    if (!gr__require(g, "linear", x)) return 0;
    int64_t in = gr_value_dim(g, x, -1);
    double bound = 1 / sqrt((double)in);
    gr_init standard = {.kind = GR_INIT_UNIFORM, .a = -bound, .b = bound};
    gr_init init = o.init ? *o.init : standard;
    init.fan_out_first = !o.in_out;
    bool entered = gr__layer_enter(g, name);
    gr_value w = gr_param(g, "weight", 2, o.in_out ? (int64_t[]){in, out} : (int64_t[]){out, in}, &init);
    gr_value y = gr_matmul(g, x, w, &(gr_matmul_options){.transpose_b = !o.in_out});
    if (!o.no_bias) y = gr_add(g, y, gr_param(g, "bias", 1, &out, o.bias_init ? o.bias_init : &standard));
    gr__layer_leave(g, entered);
    return y;
}

gr_value gr_embedding_layer(gr_graph *g, const char *name, gr_value ids, int64_t v, int64_t c, const gr_init *init)
{
    static const gr_init standard = {.kind = GR_INIT_NORMAL, .b = 1};
    bool entered = gr__layer_enter(g, name);
    gr_value table = gr_param(g, "weight", 2, (int64_t[]){v, c}, init ? init : &standard);
    gr_value y = gr_embedding(g, table, ids);
    gr__layer_leave(g, entered);
    return y;
}

static const gr_init ones = {.kind = GR_INIT_CONSTANT, .a = 1};

gr_value gr_layer_norm_layer(gr_graph *g, const char *name, gr_value x, const gr_norm_options *options)
{
    gr_norm_options o = options ? *options : (gr_norm_options){0};
    int64_t c = gr_value_dim(g, x, -1);
    bool entered = gr__layer_enter(g, name);
    gr_value gamma = o.no_affine ? 0 : gr_param(g, "weight", 1, &c, &ones);
    gr_value beta = o.no_affine || o.no_bias ? 0 : gr_param(g, "bias", 1, &c, NULL);
    gr_value y = gr_layer_norm(g, x, gamma, beta, o.eps);
    gr__layer_leave(g, entered);
    return y;
}

gr_value gr_rms_norm_layer(gr_graph *g, const char *name, gr_value x, const gr_norm_options *options)
{
    gr_norm_options o = options ? *options : (gr_norm_options){0};
    int64_t c = gr_value_dim(g, x, -1);
    bool entered = gr__layer_enter(g, name);
    gr_value gamma = o.no_affine ? 0 : gr_param(g, "weight", 1, &c, &ones);
    gr_value y = gr_rms_norm(g, x, gamma, o.eps);
    gr__layer_leave(g, entered);
    return y;
}

gr_value gr_mlp(gr_graph *g, const char *name, gr_value x, const int64_t *size, int n, const gr_mlp_options *options)
{
    gr_mlp_options o = options ? *options : (gr_mlp_options){0};
    if (n < 1 || !size) return gr__graph_fail(g, GR_ERR_ARGUMENT, "mlp '%s' has no layers", name ? name : "");
    if (!(o.dropout >= 0 && o.dropout < 1))
        return gr__graph_fail(g, GR_ERR_ARGUMENT, "mlp '%s': dropout %g is not in [0, 1)", name ? name : "", o.dropout);
    bool entered = gr__layer_enter(g, name);
    for (int i = 0, module = 0; i < n; i++, module++) {
        char number[16];
        snprintf(number, sizeof number, "%d", module);
        bool last = i == n - 1;
        gr_activation_kind activation = last ? o.output_activation : o.activation;
        x = gr_linear(g, number, x, size[i], &o.linear);
        x = gr_activation(g, activation, x);
        if (activation != GR_ACTIVATION_NONE) module++;
        if (!last && o.dropout > 0) {
            if (!o.evaluate) x = gr_dropout(g, x, o.dropout);
            module++;
        }
    }
    gr__layer_leave(g, entered);
    return x;
}
