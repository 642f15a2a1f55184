/* Bags of rows of a table, added up, averaged or their largest: built from smaller ops. */
#include "op/op.h"

#include <math.h>

/* (..., T, 1) in f32 (f64 for f64): 1 where the id is a row of the table. */
static gr_value counts_of(gr_graph *g, gr_value ids, int64_t rows, gr_dtype dtype)
{
    gr_value x = gr_cast(g, ids, dtype);
    gr_value high = gr_sub(g, gr_scalar(g, dtype, (double)rows), x),
             low = gr_greater_equal(g, x, gr_scalar(g, dtype, 0));
    return gr_mul(g, low, gr_greater(g, high, gr_scalar(g, dtype, 0)));
}

static gr_value column(gr_graph *g, gr_value x)
{
    gr__value v = *gr__value_get(g, x);
    v.dim[v.rank] = 1;
    return gr_reshape(g, x, v.rank + 1, v.dim);
}

gr_value gr_embedding_bag(gr_graph *g, gr_value table, gr_value ids, const gr_bag_options *options)
{
    gr_bag_options o = options ? *options : (gr_bag_options){0};
    gr_value x = gr_embedding(g, table, ids);
    if (!x) return 0;
    int axis = gr_value_rank(g, ids) - 1;
    if (axis < 0 || axis + 2 > GR_MAX_RANK)
        return gr__graph_fail(g, GR_ERR_SHAPE, "embedding_bag: ids need an axis that is the bag's");
    if (o.weights && o.kind != GR_BAG_SUM)
        return gr__graph_fail(g, GR_ERR_ARGUMENT, "embedding_bag: weights are for sums");
    if (o.weights) x = gr_mul(g, x, column(g, o.weights));
    if (o.kind == GR_BAG_SUM) return gr_sum(g, x, 1u << axis, false);
    gr_dtype wide = gr_value_dtype(g, table) == GR_F64 ? GR_F64 : GR_F32;
    gr_value there = counts_of(g, ids, gr_value_dim(g, table, 0), wide);
    if (o.kind == GR_BAG_MEAN) {
        gr_value n = gr_clamp(g, gr_sum(g, there, 1u << axis, false), 1, INFINITY);
        return gr_div(g, gr_sum(g, x, 1u << axis, false), column(g, n));
    }
    gr_value any = gr_max(g, there, 1u << axis, false), most;
    most = gr_max(g, gr_where(g, column(g, there), x, gr_scalar(g, wide, -1e30)), 1u << axis, false);
    return gr_where(g, column(g, any), most, gr_scalar(g, wide, 0));
}
