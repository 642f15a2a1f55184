/* What happens to gradients before an optimiser sees them: sums over several runs, norms. */
#include "nn/optimizer.h"

#include <string.h>

gr_value gr__absolute_state(gr_graph *g, const char *prefix, const char *path, gr_value like, const gr_init *init)
{
    if (gr__graph_failed(g)) return 0;
    gr__value shape = like ? *gr__value_get(g, like) : (gr__value){0};
    gr__str full = {0}, scope = g->scope;
    gr__str_printf(&full, "%s:%s", prefix, path);
    gr_value v = 0;
    if (gr__str_check(&full) != GR_OK) {
        gr__graph_fail(g, GR_ERR_MEMORY, "out of memory for the name of a state");
    } else {
        g->scope = (gr__str){0};
        v = gr_state(g, full.text, GR_F32, shape.rank, shape.dim, init);
        g->scope = scope;
    }
    gr__str_release(&full);
    return v;
}

gr_status gr__check_params(const gr_graph *g, const gr_value *params, const gr_value *others, int n)
{
    GR_TRY(gr_graph_status(g));
    GR_FAIL_IF(n < 0 || (n > 0 && (!params || !others)), GR_ERR_ARGUMENT, "%d parameters, or their arrays are NULL", n);
    for (int i = 0; i < n; i++)
        GR_FAIL_IF(!*gr_value_path(g, params[i]), GR_ERR_ARGUMENT, "parameter %d is not a state of this graph", i);
    return GR_OK;
}

/* ---- norms ---- */

gr_value gr__sums_of_squares(gr_graph *g, const gr_value *gradient, int n)
{
    enum { MOST = 16 }; /* operands of a concat: a tree of them */
    static const int64_t one = 1;
    gr_value part[MOST];
    if (n == 1)
        return gradient[0] ? gr_reshape(g, gr_sum_squares(g, gradient[0]), 1, &one) : gr_fill(g, GR_F32, 1, &one, 0);
    int each = 1, parts = 0;
    while (each * MOST < n) each *= MOST;
    for (int i = 0; i < n; i += each) part[parts++] = gr__sums_of_squares(g, gradient + i, GR__MIN(each, n - i));
    return gr_concat(g, part, parts, 0);
}

/* Of nothing that counts it is finite, and so is its square, by which a norm is multiplied. */
gr_value gr__inverse_weight(gr_graph *g, gr_value weight)
{
    gr_value w = gr_reshape(g, gr_cast(g, weight, GR_F32), 0, NULL);
    return gr_reciprocal(g, gr_maximum(g, w, gr_scalar(g, GR_F32, 1e-15)));
}

/* ---- sums over several runs ---- */

/* The sum of a parameter's gradients where accumulate has declared it, else 0. */
static gr_value known_sum(gr_graph *g, const char *path)
{
    gr__str key = {0};
    gr__str_printf(&key, "state:grad:%s", path);
    const int64_t *known = key.failed ? NULL : gr__map_get_name(&g->leaves, key.text);
    gr_value v = known ? (gr_value)*known : 0;
    if (key.failed) gr__graph_fail(g, GR_ERR_MEMORY, "out of memory for the name of a state");
    gr__str_release(&key);
    return v;
}

static gr_value sum_of_weights(gr_graph *g)
{
    gr__str scope = g->scope;
    g->scope = (gr__str){0};
    gr_value v = gr_state(g, "grad.weight", GR_F32, 0, NULL, NULL);
    g->scope = scope;
    return v;
}

/* When the program ends the state is zero. A choice and not a product, which would keep NaN; and an op on the state,
 * which is done in place, and not an array of zeros. */
static void set_to_zero(gr_graph *g, const char *program, gr_value state)
{
    gr_value zero = gr_scalar(g, GR_F32, 0);
    gr_update(g, program, state, gr_where(g, zero, state, zero));
}

gr_status gr_gradients_accumulate(gr_graph *g, const char *program, const gr_value *params, const gr_value *grads,
                                  int n, gr_value weight)
{
    GR_TRY(gr__check_params(g, params, grads, n));
    uint32_t flags = g->node_flags;
    g->node_flags |= GR__NODE_UPDATE; /* early: the gradient's memory is free then */
    for (int i = 0; i < n; i++) {
        if (!grads[i]) continue;
        gr_value sum = gr__absolute_state(g, "grad", gr_value_path(g, params[i]), params[i], NULL);
        gr_update(g, program, sum, gr_add(g, sum, gr_cast(g, grads[i], GR_F32)));
    }
    gr_value total = sum_of_weights(g);
    gr_value more = weight ? gr_reshape(g, gr_cast(g, weight, GR_F32), 0, NULL) : gr_scalar(g, GR_F32, 1);
    gr_update(g, program, total, gr_add(g, total, more));
    g->node_flags = flags;
    return gr_graph_status(g);
}

gr_status gr_gradients_clear(gr_graph *g, const char *program, const gr_value *params, int n)
{
    GR_TRY(gr__check_params(g, params, params, n));
    uint32_t flags = g->node_flags;
    g->node_flags |= GR__NODE_UPDATE;
    for (int i = 0; i < n; i++) {
        gr_value sum = known_sum(g, gr_value_path(g, params[i]));
        if (sum) set_to_zero(g, program, sum);
    }
    set_to_zero(g, program, sum_of_weights(g));
    g->node_flags = flags;
    return gr_graph_status(g);
}

gr_status gr_gradients_use(gr_graph *g, const char *program, const gr_value *params, int n, gr_value *sums,
                           gr_value *weight)
{
    GR_TRY(gr__check_params(g, params, sums, n));
    GR_TRY(gr_gradients_clear(g, program, params, n));
    for (int i = 0; i < n; i++) sums[i] = known_sum(g, gr_value_path(g, params[i]));
    if (weight) *weight = sum_of_weights(g);
    return gr_graph_status(g);
}
