/* Losses that rank: what belongs together is to be nearer, or score higher, than what does not. */
#include "nn/loss.h"

#include <math.h>

gr_loss gr_loss_bpr(gr_graph *g, gr_value positive, gr_value negative, const gr_loss_options *options)
{
    gr_loss_options o = options ? *options : (gr_loss_options){0};
    if (!gr__loss_fits(g, "bpr", positive, negative, &o)) return (gr_loss){0};
    gr_value d = gr_sub(g, gr__loss_wide(g, negative), gr__loss_wide(g, positive));
    return gr__loss_total(g, "bpr", gr_softplus(g, d), o.weight, 1);
}

/* max(0, near - far + margin) of each */
static gr_loss hinge(gr_graph *g, const char *name, gr_value near, gr_value far, double margin, gr_value weight)
{
    if (!isfinite(margin)) {
        gr__graph_fail(g, GR_ERR_ARGUMENT, "%s: the margin is %g", name, margin);
        return (gr_loss){0};
    }
    return gr__loss_total(g, name, gr_relu(g, gr_affine(g, gr_sub(g, near, far), 1, margin)), weight, 1);
}

gr_loss gr_loss_pairwise_hinge(gr_graph *g, gr_value positive, gr_value negative, double margin,
                               const gr_loss_options *options)
{
    gr_loss_options o = options ? *options : (gr_loss_options){0};
    if (!gr__loss_fits(g, "pairwise_hinge", positive, negative, &o)) return (gr_loss){0};
    return hinge(g, "pairwise_hinge", gr__loss_wide(g, negative), gr__loss_wide(g, positive), margin, o.weight);
}

/* (B): the distance of rows a and b (B, C), as PyTorch has it: eps is added to each difference. */
static gr_value distance(gr_graph *g, gr_value a, gr_value b)
{
    gr_value d = gr_affine(g, gr_sub(g, a, b), 1, 1e-6);
    return gr_sqrt(g, gr_sum(g, gr_square(g, d), 2, false));
}

static bool are_rows(gr_graph *g, const char *name, gr_value a, gr_value b)
{
    if (!gr__loss_fits(g, name, a, b, &(gr_loss_options){0})) return false;
    if (gr_value_rank(g, a) == 2) return true;
    gr__graph_fail(g, GR_ERR_SHAPE, "%s: rows of vectors (B, C) are wanted, not a value with %d axes", name,
                   gr_value_rank(g, a));
    return false;
}

gr_loss gr_loss_triplet(gr_graph *g, gr_value anchor, gr_value positive, gr_value negative, double margin,
                        const gr_loss_options *options)
{
    if (!are_rows(g, "triplet", anchor, positive) || !are_rows(g, "triplet", anchor, negative)) return (gr_loss){0};
    gr_value a = gr__loss_wide(g, anchor);
    gr_value near = distance(g, a, gr__loss_wide(g, positive)), far = distance(g, a, gr__loss_wide(g, negative));
    return hinge(g, "triplet", near, far, margin == 0 ? 1 : margin, options ? options->weight : 0);
}

gr_loss gr_loss_info_nce(gr_graph *g, gr_value query, gr_value key, double temperature, const gr_loss_options *options)
{
    if (!are_rows(g, "info_nce", query, key)) return (gr_loss){0};
    if (temperature == 0) temperature = 1;
    if (!(temperature > 0 && temperature < (double)INFINITY)) {
        gr__graph_fail(g, GR_ERR_ARGUMENT, "info_nce: temperature must be above 0 and finite, not %g", temperature);
        return (gr_loss){0};
    }
    int64_t n = gr_value_dim(g, query, 0);
    gr_value scores =
        gr_matmul(g, gr__loss_wide(g, query), gr__loss_wide(g, key), &(gr_matmul_options){.transpose_b = true});
    int32_t *own = gr__calloc((size_t)n + 1, sizeof *own);
    if (!own) {
        gr__graph_fail(g, GR_ERR_MEMORY, "info_nce: no memory for %lld rows", (long long)n);
        return (gr_loss){0};
    }
    for (int64_t i = 0; i < n; i++) own[i] = (int32_t)i;
    gr_value targets = gr_constant(g, &(gr_tensor){.dtype = GR_I32, .rank = 1, .dim = {n}, .data = own});
    gr__free(own);
    return gr_loss_cross_entropy(g, gr_affine(g, scores, 1 / temperature, 0), targets,
                                 &(gr_loss_options){.weight = options ? options->weight : 0});
}
