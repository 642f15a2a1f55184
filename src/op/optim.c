/* An output whose state is left out is an unused f32 number, so that p, m and v keep their places. */
#include "op/optim.h"

#include <math.h>

static const struct {
    const char *name;
    bool m, v; /* may have; adamw, lion need m; adamw, rmsprop, adagrad need v */
} kinds[GR__OPTIM_COUNT] = {
#define GR_X(code, name, m, v) {name, m, v},
    GR__OPTIM_MAP(GR_X)
#undef GR_X
};

static gr_status infer(gr__infer *c)
{
    const gr__optim_attr *a = c->attr;
    GR_FAIL_IF((unsigned)a->kind >= GR__OPTIM_COUNT, GR_ERR_ARGUMENT, "optim: %d is not a kind", (int)a->kind);
    GR_TRY(gr__want_float(c, GR__OPTIM_P));
    const gr__value *p = c->in[GR__OPTIM_P];
    GR_FAIL_IF(p->dtype == GR_BF16, GR_ERR_DTYPE, "optim: a bf16 parameter loses small steps; keep it in f32");
    GR_TRY(gr__want_float(c, GR__OPTIM_G));
    GR_TRY(gr__want_out_dtype(c, c->in[GR__OPTIM_G]->dtype, p->dtype));
    GR_TRY(gr__want_shape(c, GR__OPTIM_G, p->rank, p->dim, "the gradient"));
    GR_TRY(gr__want_given(c, GR__OPTIM_LR));
    for (int i = GR__OPTIM_GSCALE; i <= GR__OPTIM_C2; i++) {
        if (!gr__given(c, i)) continue;
        GR_TRY(gr__want_float(c, i));
        GR_FAIL_IF(gr__value_count(c->in[i]) != 1, GR_ERR_SHAPE, "optim: operand %d has more than one element", i);
    }
    bool state[] = {kinds[a->kind].m, kinds[a->kind].v};
    bool needed[] = {a->kind == GR__OPTIM_ADAMW || a->kind == GR__OPTIM_LION, kinds[a->kind].v};
    c->out[GR__OPTIM_OUT_P] = c->out[GR__OPTIM_OUT_COPY] = *p;
    c->out[GR__OPTIM_OUT_COPY].dtype = GR_BF16;
    for (int i = 0; i < 2; i++) {
        bool given = gr__given(c, GR__OPTIM_M + i);
        GR_FAIL_IF(given ? !state[i] : needed[i], GR_ERR_ARGUMENT, "optim: %s is %s for '%s'", i ? "v" : "m",
                   given ? "superfluous" : "missing", kinds[a->kind].name);
        c->out[1 + i] = given ? *p : (gr__value){.dtype = GR_F32};
        if (!given) continue;
        GR_TRY(gr__want_dtype(c, GR__OPTIM_M + i, p->dtype));
        GR_TRY(gr__want_shape(c, GR__OPTIM_M + i, p->rank, p->dim, i ? "v" : "m"));
    }
    return GR_OK;
}

static double number(const gr__args *x, int i) { return gr__has(x, i) ? gr__load(&x->in[i], 0) : 1; }

/* One element: p, m and v are changed in place. */
static void step(const gr__optim_attr *a, double lr, double c1, double c2, double g, double *p, double *m, double *v,
                 bool has_m)
{
    double old = *p;
    if (a->coupled)
        g += a->weight_decay * old;
    else
        *p -= lr * a->weight_decay * old;
    switch (a->kind) {
    case GR__OPTIM_ADAMW:
        *m = a->beta1 * *m + (1 - a->beta1) * g;
        *v = a->beta2 * *v + (1 - a->beta2) * g * g;
        *p -= lr / c1 * *m / (sqrt(*v / c2) + a->eps);
        break;
    case GR__OPTIM_SGD:
        *m = has_m ? a->beta1 * *m + g : g;
        *p -= lr * (has_m && a->nesterov ? g + a->beta1 * *m : *m);
        break;
    case GR__OPTIM_RMSPROP:
        *v = a->beta2 * *v + (1 - a->beta2) * g * g;
        g /= sqrt(*v) + a->eps;
        *m = has_m ? a->beta1 * *m + g : g;
        *p -= lr * *m;
        break;
    case GR__OPTIM_ADAGRAD:
        *v += g * g;
        *p -= lr * g / (sqrt(*v) + a->eps);
        break;
    case GR__OPTIM_LION: {
        double u = a->beta1 * *m + (1 - a->beta1) * g;
        *p -= lr * ((u > 0) - (u < 0));
        *m = a->beta2 * *m + (1 - a->beta2) * g;
        break;
    }
    case GR__OPTIM_COUNT: break;
    }
}

static gr_status reference(const gr__args *x)
{
    const gr__optim_attr *a = x->attr;
    double lr = number(x, GR__OPTIM_LR) * a->lr_scale, gscale = number(x, GR__OPTIM_GSCALE);
    double c1 = number(x, GR__OPTIM_C1), c2 = number(x, GR__OPTIM_C2);
    int64_t index[GR_MAX_RANK] = {0};
    static const int operand[] = {GR__OPTIM_P, GR__OPTIM_M, GR__OPTIM_V};
    do {
        double now[3] = {0};
        double g = gr__load(&x->in[GR__OPTIM_G], gr__offset(&x->in[GR__OPTIM_G], index)) * gscale;
        for (int i = 0; i < 3; i++)
            if (gr__has(x, operand[i])) now[i] = gr__load(&x->in[operand[i]], gr__offset(&x->in[operand[i]], index));
        step(a, lr, c1, c2, g, &now[0], &now[1], &now[2], gr__has(x, GR__OPTIM_M));
        for (int i = 0; i < 3; i++)
            if (gr__has(x, operand[i]) && gr__wanted(x, i))
                gr__store(&x->out[i], gr__offset(&x->out[i], index), now[i]);
        if (gr__wanted(x, GR__OPTIM_OUT_COPY)) {
            const gr__arg *copy = &x->out[GR__OPTIM_OUT_COPY];
            double p = x->in[0].dtype == GR_F32 ? (double)(float)now[0] : now[0];
            gr__store(copy, gr__offset(copy, index), p);
        }
    } while (gr__next_index(x->in[0].rank, x->in[0].dim, index));
    for (int i = 1; i < 3; i++) /* nobody reads it, but it is never left unset */
        if (!gr__has(x, operand[i]) && gr__wanted(x, i)) gr__store(&x->out[i], 0, 0);
    return GR_OK;
}

static double flops(const gr__args *x) { return 14.0 * (double)gr__arg_count(&x->in[0]); }

#define P                              \
    {                                  \
        2, {3, 19}, .dtype = GR__STATS \
    }
#define ONE(low, high)                                    \
    {                                                     \
        0, {0}, .lo = low, .hi = high, .dtype = GR__STATS \
    }
#define V                                                   \
    {                                                       \
        2, {3, 19}, .lo = 0.01, .hi = 1, .dtype = GR__STATS \
    }
static const gr__optim_attr adamw = {GR__OPTIM_ADAMW, 0, 0.9, 0.99, 1e-8, 0.1, 1, false, false},
                            adam = {GR__OPTIM_ADAMW, 0, 0.8, 0.9, 1e-6, 0.1, 0.5, true, false},
                            sgd = {GR__OPTIM_SGD, 0, 0.9, 0, 0, 0, 1, false, false},
                            nesterov = {GR__OPTIM_SGD, 0, 0.9, 0, 0, 0.01, 1, true, true},
                            rmsprop = {GR__OPTIM_RMSPROP, 0, 0.9, 0.99, 1e-8, 0, 1, false, false},
                            adagrad = {GR__OPTIM_ADAGRAD, 0, 0, 0, 1e-8, 0, 1, false, false},
                            lion = {GR__OPTIM_LION, 0, 0.9, 0.99, 0, 0.1, 1, false, false};
static const gr__case cases[] = {
    {.name = "adamw",
     .n_in = 8,
     .attr = &adamw,
     .in = {P, {2, {3, 19}}, ONE(0.5, 2), ONE(0.01, 0.1), ONE(0.1, 1), ONE(0.1, 1), P, V}},
    {.name = "adam", .n_in = 8, .attr = &adam, .in = {P, P, {-1}, ONE(0.01, 0.1), {-1}, {-1}, P, V}},
    {.name = "sgd", .n_in = 4, .attr = &sgd, .in = {P, {2, {3, 19}}, ONE(0.5, 2), ONE(0.01, 0.1)}},
    {.name = "momentum", .n_in = 7, .attr = &sgd, .in = {P, P, ONE(0.5, 2), ONE(0.01, 0.1), {-1}, {-1}, P}},
    {.name = "nesterov", .n_in = 7, .attr = &nesterov, .in = {P, P, {-1}, ONE(0.01, 0.1), {-1}, {-1}, P}},
    {.name = "rmsprop", .n_in = 8, .attr = &rmsprop, .in = {P, P, {-1}, ONE(0.01, 0.1), {-1}, {-1}, {-1}, V}},
    {.name = "rmsprop with momentum",
     .n_in = 8,
     .attr = &rmsprop,
     .in = {P, P, {-1}, ONE(0.01, 0.1), {-1}, {-1}, P, V}},
    {.name = "adagrad", .n_in = 8, .attr = &adagrad, .in = {P, P, {-1}, ONE(0.01, 0.1), {-1}, {-1}, {-1}, V}},
    {.name = "lion", .n_in = 7, .attr = &lion, .in = {P, P, {-1}, ONE(0.01, 0.1), {-1}, {-1}, P}},
    {.name = "one",
     .n_in = 8,
     .attr = &adamw,
     .in = {{0, {0}, .dtype = GR__STATS},
            {0},
            ONE(0.5, 2),
            ONE(0.01, 0.1),
            ONE(0.1, 1),
            ONE(0.1, 1),
            {0, {0}, .dtype = GR__STATS},
            ONE(0.01, 1)}},
    {.name = "no v",
     .n_in = 7,
     .attr = &adamw,
     .in = {P, P, {-1}, ONE(0.01, 0.1), {-1}, {-1}, P},
     .expect = GR_ERR_ARGUMENT},
    {.name = "misfit", .n_in = 4, .attr = &sgd, .in = {P, {2, {19, 3}}, {-1}, ONE(0.01, 0.1)}, .expect = GR_ERR_SHAPE},
    {.name = "bf16",
     .n_in = 4,
     .attr = &sgd,
     .in = {{1, {3}, .dtype = GR_BF16}, {1, {3}}, {-1}, ONE(0.01, 0.1)},
     .expect = GR_ERR_DTYPE},
};
#undef P
#undef ONE
#undef V

const gr__op gr__op_optim = {
    .name = "optim",
    .min_in = 2,
    .max_in = 8,
    .n_out = 4,
    .attr_bytes = sizeof(gr__optim_attr),
    .infer = infer,
    .no_grad = "it is the step of an optimiser",
    .reference = reference,
    .flops = flops,
    .alias = {1, 7, 8},
    .cases = cases,
    .n_cases = GR__COUNT(cases),
};

void gr__optim_add(gr_graph *g, const gr__optim_operands *in, const gr__optim_attr *attr, gr_value out[4])
{
    gr_value operands[] = {in->p, in->g, in->gscale, in->lr, in->correction1, in->correction2, in->m, in->v};
    gr__node_add(g, &gr__op_optim, operands, 8, attr, out);
    if (!in->m) out[1] = 0;
    if (!in->v) out[2] = 0;
}
