/* Overlap of boxes as a function with a gradient, and the losses of it. */
#include "nn/loss.h"

#define EPS 1e-9
#define TWO_OVER_PI 0.63661977236758134308

/* What two boxes are measured by; each (...). */
typedef struct sides {
    gr_value x0, y0, x1, y1;
    gr_value width, height;
} sides;

static sides between(gr_graph *g, gr_value x0, gr_value y0, gr_value x1, gr_value y1)
{
    return (sides){x0, y0, x1, y1, gr_sub(g, x1, x0), gr_sub(g, y1, y0)};
}

static sides sides_of(gr_graph *g, gr_value boxes)
{
    gr__value v = *gr__value_get(g, boxes);
    gr_value edge[4];
    for (int i = 0; i < 4; i++) edge[i] = gr_reshape(g, gr_slice(g, boxes, -1, i, 1), v.rank - 1, v.dim);
    return between(g, edge[0], edge[1], edge[2], edge[3]);
}

static gr_value area(gr_graph *g, const sides *s) { return gr_mul(g, s->width, s->height); }

/* a / b of numbers >= 0, 0 for 0 / 0 */
static gr_value share(gr_graph *g, gr_value a, gr_value b) { return gr_div(g, a, gr_affine(g, b, 1, EPS)); }

/* The penalty of CIoU: centres' distance over the diagonal of 'hull', and the shapes' difference. */
static gr_value apart(gr_graph *g, const sides *a, const sides *b, const sides *hull, gr_value iou)
{
    gr_value dx = gr_sub(g, gr_add(g, a->x0, a->x1), gr_add(g, b->x0, b->x1)),
             dy = gr_sub(g, gr_add(g, a->y0, a->y1), gr_add(g, b->y0, b->y1));
    gr_value distance = gr_affine(g, gr_add(g, gr_square(g, dx), gr_square(g, dy)), 0.25, 0),
             diagonal = gr_add(g, gr_square(g, hull->width), gr_square(g, hull->height));
    gr_value turn = gr_sub(g, gr_atan(g, share(g, a->width, a->height)), gr_atan(g, share(g, b->width, b->height)));
    gr_value v = gr_affine(g, gr_square(g, turn), TWO_OVER_PI * TWO_OVER_PI, 0);
    /* The angle of a box that is a point turns at once: its gradient fades within a thousandth of the diagonal. */
    gr_value size = gr_add(g, gr_square(g, a->width), gr_square(g, a->height)), still = gr_stop_gradient(g, v),
             part = gr_stop_gradient(g, gr_clamp(g, share(g, size, gr_affine(g, diagonal, 1e-6, 0)), 0, 1));
    v = gr_add(g, still, gr_mul(g, part, gr_sub(g, v, still)));
    gr_value alpha = gr_stop_gradient(g, share(g, v, gr_add(g, gr_affine(g, iou, -1, 1), v)));
    return gr_add(g, share(g, distance, diagonal), gr_mul(g, alpha, v));
}

gr_value gr_box_overlap(gr_graph *g, gr_overlap_kind kind, gr_value first, gr_value second)
{
    if ((unsigned)kind >= GR_OVERLAP_COUNT)
        return gr__graph_fail(g, GR_ERR_ARGUMENT, "%d is not a kind of overlap", (int)kind);
    if (!gr__loss_fits(g, "overlap of boxes", first, second, &(gr_loss_options){0})) return 0;
    if (gr_value_rank(g, first) < 1 || gr_value_dim(g, first, -1) != 4)
        return gr__graph_fail(g, GR_ERR_SHAPE, "overlap of boxes: the last axis must hold x0, y0, x1, y1");
    sides a = sides_of(g, gr__loss_wide(g, first)), b = sides_of(g, gr__loss_wide(g, second));
    sides both = between(g, gr_maximum(g, a.x0, b.x0), gr_maximum(g, a.y0, b.y0), gr_minimum(g, a.x1, b.x1),
                         gr_minimum(g, a.y1, b.y1));
    gr_value shared = gr_mul(g, gr_relu(g, both.width), gr_relu(g, both.height));
    gr_value all = gr_sub(g, gr_add(g, area(g, &a), area(g, &b)), shared), iou = share(g, shared, all);
    if (kind == GR_OVERLAP_IOU) return iou;
    sides hull = between(g, gr_minimum(g, a.x0, b.x0), gr_minimum(g, a.y0, b.y0), gr_maximum(g, a.x1, b.x1),
                         gr_maximum(g, a.y1, b.y1));
    if (kind == GR_OVERLAP_CIOU) return gr_sub(g, iou, apart(g, &a, &b, &hull, iou));
    gr_value around = area(g, &hull);
    return gr_sub(g, iou, share(g, gr_sub(g, around, all), around));
}

gr_loss gr_loss_box(gr_graph *g, gr_overlap_kind kind, gr_value prediction, gr_value target,
                    const gr_loss_options *options)
{
    gr_value overlap = gr_box_overlap(g, kind, prediction, target);
    if (!overlap) return (gr_loss){0};
    return gr__loss_total(g, "loss of boxes", gr_affine(g, overlap, -1, 1), options ? options->weight : 0, 1);
}
