/* Muon (Jordan 2024): momentum, made nearly orthogonal by five steps of a Newton-Schulz iteration. The same formulas as
 * torch.optim.Muon, which computes the iteration in bf16; here it is in f32. */
#include "nn/optimizer.h"

#include <math.h>

enum { NEWTON_SCHULZ_STEPS = 5 };

/* The polynomial a*x + b*x³ + c*x⁵ drives singular values in (0, 1] to about 1, fastest near 0. */
static const double a = 3.4445, b = -4.7750, c = 2.0315;

/* x (R, C) -> nearly U·Vᵀ of its singular value decomposition. */
static gr_value orthogonalize(gr_graph *g, gr_value x, double eps)
{
    const gr_matmul_options by_transposed = {.transpose_b = true};
    bool tall = gr_value_dim(g, x, 0) > gr_value_dim(g, x, 1); /* the products are of the short side */
    if (tall) x = gr_transpose(g, x, 0, 1);
    gr_value norm = gr_maximum(g, gr_sqrt(g, gr_sum_squares(g, x)), gr_scalar(g, GR_F32, eps));
    x = gr_div(g, x, norm);
    for (int i = 0; i < NEWTON_SCHULZ_STEPS; i++) {
        gr_value gram = gr_matmul(g, x, x, &by_transposed);
        gr_value update = gr_add(g, gr_affine(g, gram, b, 0), gr_affine(g, gr_matmul(g, gram, gram, NULL), c, 0));
        x = gr_add(g, gr_affine(g, x, a, 0), gr_matmul(g, update, x, NULL));
    }
    return tall ? gr_transpose(g, x, 0, 1) : x;
}

static double size_scale(const gr__param_step *s)
{
    double rows = (double)gr_value_dim(s->g, s->p, 0), cols = (double)gr_value_dim(s->g, s->p, 1);
    switch (s->o.muon_scale) {
    case GR_MUON_SCALE_ADAMW: return 0.2 * sqrt(fmax(rows, cols));
    case GR_MUON_SCALE_SPECTRAL: return sqrt(rows / cols);
    default: return sqrt(fmax(1, rows / cols));
    }
}

gr_value gr__optim_muon(const gr__param_step *s)
{
    gr_graph *g = s->g;
    double beta = s->o.momentum;
    gr_value d = gr__step_gradient(s), m = gr__step_moment(s, "muon.m"), rate = gr__step_rate(s), p = s->p;
    gr_value fresh = gr_affine(g, d, 1 - beta, 0), m1 = gr_add(g, gr_affine(g, m, beta, 0), fresh);
    gr_value mixed = s->o.nesterov ? gr_add(g, gr_affine(g, m1, beta, 0), fresh) : m1;
    gr_value step = orthogonalize(g, mixed, s->o.eps);
    gr_update(g, s->program, m, m1);
    if (s->o.weight_decay > 0) p = gr_mul(g, p, gr_affine(g, rate, -s->o.weight_decay, 1));
    return gr_sub(g, p, gr_mul(g, step, gr_affine(g, rate, size_scale(s), 0)));
}
