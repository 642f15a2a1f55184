/* Layers over time, stacked and in both directions; names, shapes and first numbers are PyTorch's. */
#include "gradus/nn.h"

#include "nn/layer.h"
#include "op/op.h"

#include <math.h>
#include <stdio.h>

enum { MOST_STATES = 16 }; /* layers*directions: operands of a concat */

typedef gr_value scan_fn(gr_graph *g, gr_value x, gr_value w, gr_value u, const gr_scan_options *o, gr_value *h_n,
                         gr_value *c_n);

static gr_value gru_scan(gr_graph *g, gr_value x, gr_value w, gr_value u, const gr_scan_options *o, gr_value *h_n,
                         gr_value *c_n)
{
    (void)c_n;
    return gr_gru_scan(g, x, w, u, o, h_n);
}

static gr_value rnn_scan(gr_graph *g, gr_value x, gr_value w, gr_value u, const gr_scan_options *o, gr_value *h_n,
                         gr_value *c_n)
{
    (void)c_n;
    return gr_rnn_scan(g, x, w, u, o, h_n);
}

typedef struct stack {
    const gr_rnn_options *o;
    scan_fn *scan;
    int64_t gates, hidden, layers, directions;
    gr_value h[MOST_STATES], c[MOST_STATES]; /* (1, B, H) */
} stack;

/* "weight_ih_l0_reverse" */
static gr_value parameter(gr_graph *g, const stack *s, const char *what, int64_t layer, int64_t direction,
                          int64_t columns)
{
    char name[64];
    double bound = 1 / sqrt((double)s->hidden);
    gr_init standard = {.kind = GR_INIT_UNIFORM, .a = -bound, .b = bound}, init = s->o->init ? *s->o->init : standard;
    int64_t dim[] = {s->gates * s->hidden, columns};
    init.fan_out_first = true;
    snprintf(name, sizeof name, "%s_l%lld%s", what, (long long)layer, direction ? "_reverse" : "");
    return columns ? gr_param(g, name, 2, dim, &init) : gr_param(g, name, 1, dim, &standard);
}

/* State i of (layers*directions, B, H). */
static gr_value first_state(gr_graph *g, const stack *s, gr_value all, int64_t i)
{
    if (!all) return 0;
    return gr_reshape(g, gr_slice(g, all, 0, i, 1), 2, (int64_t[]){gr_value_dim(g, all, 1), s->hidden});
}

static gr_value one(gr_graph *g, stack *s, gr_value x, int64_t layer, int64_t direction)
{
    int64_t i = layer * s->directions + direction, batch = gr_value_dim(g, x, 0), state[] = {1, batch, s->hidden};
    gr_scan_options o = {.lengths = s->o->lengths,
                         .reverse = direction == 1,
                         .reset_before = s->o->reset_before,
                         .relu = s->o->relu,
                         .h0 = first_state(g, s, s->o->h0, i),
                         .c0 = first_state(g, s, s->o->c0, i)};
    gr_value w = parameter(g, s, "weight_ih", layer, direction, gr_value_dim(g, x, 2));
    gr_value u = parameter(g, s, "weight_hh", layer, direction, s->hidden), h = 0, c = 0;
    if (!s->o->no_bias) {
        o.bias_ih = parameter(g, s, "bias_ih", layer, direction, 0);
        o.bias_hh = parameter(g, s, "bias_hh", layer, direction, 0);
    }
    gr_value y = s->scan(g, x, w, u, &o, &h, &c);
    if (!y) return 0;
    s->h[i] = gr_reshape(g, h, 3, state);
    if (c) s->c[i] = gr_reshape(g, c, 3, state);
    return y;
}

static bool fits(gr_graph *g, const char *name, gr_value x, const stack *s)
{
    if (!gr__require(g, "recurrent layer", x)) return false;
    if (gr_value_rank(g, x) != 3) {
        gr__graph_fail(g, GR_ERR_SHAPE,
                       "recurrent layer '%s' of a value with %d axes; it needs batch, time and channels",
                       name ? name : "", gr_value_rank(g, x));
        return false;
    }
    if (s->hidden < 1 || s->hidden > INT32_MAX || s->layers < 1 || s->layers > MOST_STATES / s->directions) {
        gr__graph_fail(g, GR_ERR_ARGUMENT, "recurrent layer '%s': %lld layers of %lld units; up to %d directions fit",
                       name ? name : "", (long long)s->layers, (long long)s->hidden, MOST_STATES);
        return false;
    }
    if (!(s->o->dropout >= 0 && s->o->dropout < 1)) {
        gr__graph_fail(g, GR_ERR_ARGUMENT, "recurrent layer '%s': dropout %g is not in [0, 1)", name ? name : "",
                       s->o->dropout);
        return false;
    }
    const gr_value given[] = {s->o->h0, s->o->c0};
    int64_t states = s->layers * s->directions;
    for (int i = 0; i < 2; i++) {
        gr_value v = given[i];
        if (!v) continue;
        if (!gr__require(g, "recurrent layer", v)) return false;
        if (gr_value_rank(g, v) == 3 && gr_value_dim(g, v, 0) == states && gr_value_dim(g, v, 2) == s->hidden &&
            gr_value_dim(g, v, 1) == gr_value_dim(g, x, 0))
            continue;
        gr__graph_fail(g, GR_ERR_SHAPE, "recurrent layer '%s': %s is not (%lld, %lld, %lld), layers*directions first",
                       name ? name : "", i ? "c0" : "h0", (long long)states, (long long)gr_value_dim(g, x, 0),
                       (long long)s->hidden);
        return false;
    }
    return true;
}

static gr_value build(gr_graph *g, const char *name, gr_value x, stack *s, gr_value *h_n, gr_value *c_n)
{
    static const gr_rnn_options standard = {0};
    if (!s->o) s->o = &standard;
    s->layers = s->o->layers ? s->o->layers : 1;
    s->directions = s->o->bidirectional ? 2 : 1;
    if (h_n) *h_n = 0;
    if (c_n) *c_n = 0;
    if (!fits(g, name, x, s)) return 0;
    bool entered = gr__layer_enter(g, name);
    for (int64_t layer = 0; layer < s->layers; layer++) {
        if (layer > 0 && s->o->dropout > 0 && !s->o->evaluate) x = gr_dropout(g, x, s->o->dropout);
        gr_value both[2] = {one(g, s, x, layer, 0)};
        if (s->directions == 2) both[1] = one(g, s, x, layer, 1);
        x = s->directions == 2 ? gr_concat(g, both, 2, 2) : both[0];
    }
    int n = (int)(s->layers * s->directions);
    if (h_n) *h_n = n > 1 ? gr_concat(g, s->h, n, 0) : s->h[0];
    if (c_n) *c_n = n > 1 ? gr_concat(g, s->c, n, 0) : s->c[0];
    gr__layer_leave(g, entered);
    return x;
}

gr_value gr_lstm(gr_graph *g, const char *name, gr_value x, int64_t hidden, const gr_rnn_options *options,
                 gr_value *h_n, gr_value *c_n)
{
    return build(g, name, x, &(stack){.o = options, .scan = gr_lstm_scan, .gates = 4, .hidden = hidden}, h_n, c_n);
}

gr_value gr_gru(gr_graph *g, const char *name, gr_value x, int64_t hidden, const gr_rnn_options *options, gr_value *h_n)
{
    return build(g, name, x, &(stack){.o = options, .scan = gru_scan, .gates = 3, .hidden = hidden}, h_n, NULL);
}

gr_value gr_rnn(gr_graph *g, const char *name, gr_value x, int64_t hidden, const gr_rnn_options *options, gr_value *h_n)
{
    return build(g, name, x, &(stack){.o = options, .scan = rnn_scan, .gates = 1, .hidden = hidden}, h_n, NULL);
}
