/* A quick check that the kernels chosen on this machine compute what the naive ones compute: the same small programs,
 * compiled twice, on the same numbers. */
#include "gradus/tools.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "gradus/nn.h"
#include "gradus/ops.h"

#include <math.h>
#include <string.h>

enum { ROWS = 70, WIDTH = 96, HEADS = 4, SEED = 7 };

typedef struct gr__case {
    const char *name;
    double allowed;
    gr_value (*build)(gr_graph *g, gr_value x, gr_value w); /* x (ROWS, WIDTH), w (WIDTH, WIDTH) */
} gr__case;

static gr_value matmul(gr_graph *g, gr_value x, gr_value w) { return gr_matmul(g, x, w, NULL); }

static gr_value matmul_transposed(gr_graph *g, gr_value x, gr_value w)
{
    return gr_matmul(g, x, w, &(gr_matmul_options){.transpose_b = true});
}

static gr_value matmul_bf16(gr_graph *g, gr_value x, gr_value w)
{
    return gr_matmul(g, gr_cast(g, x, GR_BF16), gr_cast(g, w, GR_BF16), &(gr_matmul_options){.out_dtype = GR_F32});
}

static gr_value softmax(gr_graph *g, gr_value x, gr_value w)
{
    (void)w;
    return gr_softmax(g, x);
}

static gr_value norms(gr_graph *g, gr_value x, gr_value w)
{
    (void)w;
    return gr_rms_norm(g, gr_layer_norm(g, x, 0, 0, 0), 0, 0);
}

static gr_value gelu(gr_graph *g, gr_value x, gr_value w)
{
    (void)w;
    return gr_gelu(g, x);
}

static gr_value attention(gr_graph *g, gr_value x, gr_value w)
{
    const int64_t dim[] = {1, ROWS, HEADS, WIDTH / HEADS};
    (void)w;
    gr_value h = gr_reshape(g, x, 4, dim);
    return gr_attention(g, h, h, h, &(gr_attention_options){.causal = true});
}

/* Forward and backward of a small block, down to the gradient of the weights. */
static gr_value gradient(gr_graph *g, gr_value x, gr_value w)
{
    gr_value dw = 0, y = gr_layer_norm(g, gr_gelu(g, gr_matmul(g, x, w, NULL)), 0, 0, 0);
    gr_value loss = gr_sum(g, gr_mul(g, y, x), 0, false);
    return gr_grad(g, loss, &w, 1, &dw) == GR_OK ? dw : 0;
}

static const gr__case cases[] = {
    {"matmul", 1e-5, matmul},
    {"matmul, transposed", 1e-5, matmul_transposed},
    {"matmul, bf16", 1e-2, matmul_bf16},
    {"softmax", 1e-5, softmax},
    {"norms", 1e-5, norms},
    {"gelu", 1e-5, gelu},
    {"attention", 1e-5, attention},
    {"gradients", 1e-4, gradient},
};

static void fill(gr_session *s, const char *name, uint64_t seed)
{
    gr_tensor t;
    if (gr_session_input(s, name, &t) != GR_OK) return;
    gr__rng r = gr__rng_make(seed, 1);
    float *x = t.data;
    for (int64_t i = 0, n = gr_tensor_count(&t); i < n; i++)
        x[i] = (float)((double)gr__rng_u32(&r) / 4294967296.0 - 0.5);
}

/* The program's result in fresh memory (n floats). */
static gr_status run_case(const gr__case *c, bool naive, float **out, int64_t *n)
{
    const int64_t x_dim[] = {ROWS, WIDTH}, w_dim[] = {WIDTH, WIDTH};
    gr_graph *g = NULL;
    gr_plan *plan = NULL;
    gr_store *store = NULL;
    gr_session *session = NULL;
    gr_tensor y;
    gr_status status = GR_OK;
    GR_TRY_DONE(gr_graph_new(&g));
    gr_value x = gr_input(g, "x", GR_F32, 2, x_dim), w = gr_input(g, "w", GR_F32, 2, w_dim);
    gr_output(g, "test", "y", c->build(g, x, w));
    GR_TRY_DONE(gr_plan_compile(g, "test", &(gr_plan_options){.reference = naive}, &plan));
    GR_TRY_DONE(gr_store_new(&store));
    GR_TRY_DONE(gr_session_new(plan, store, &session));
    fill(session, "x", SEED);
    fill(session, "w", SEED + 1);
    GR_TRY_DONE(gr_session_run(session));
    GR_TRY_DONE(gr_session_output(session, "y", &y));
    *n = gr_tensor_count(&y);
    *out = gr__alloc((size_t)*n * sizeof(float));
    if (*out)
        memcpy(*out, y.data, (size_t)*n * sizeof(float));
    else
        status = gr__fail_memory("a self-test", (size_t)*n * sizeof(float));
done:
    gr_session_free(&session);
    gr_store_free(&store);
    gr_plan_free(&plan);
    gr_graph_free(&g);
    return status;
}

static double worst_of(const float *a, const float *b, int64_t n)
{
    double most = 0, worst = 0;
    for (int64_t i = 0; i < n; i++) {
        double d = fabs((double)a[i] - (double)b[i]);
        if (!isfinite(d)) return INFINITY;
        most = fmax(most, fabs((double)b[i]));
        worst = fmax(worst, d);
    }
    return most > 0 ? worst / most : worst;
}

gr_status gr_self_test(gr_self_test_fn fn, void *user)
{
    const char *failed = NULL;
    for (size_t i = 0; i < GR__COUNT(cases); i++) {
        float *fast = NULL, *naive = NULL;
        int64_t n = 0;
        gr_status status = run_case(&cases[i], true, &naive, &n);
        if (status == GR_OK) status = run_case(&cases[i], false, &fast, &n);
        double worst = status == GR_OK ? worst_of(fast, naive, n) : (double)INFINITY;
        gr__free(fast);
        gr__free(naive);
        GR_TRY(status);
        if (fn) fn(user, cases[i].name, worst, cases[i].allowed);
        if (!(worst <= cases[i].allowed) && !failed) failed = cases[i].name;
    }
    GR_FAIL_IF(failed, GR_ERR_CHECK,
               "the kernel of '%s' computes wrong numbers on this machine; GRADUS_ISA=generic may help; "
               "please report it with the output of 'gradus doctor --json'",
               failed);
    return GR_OK;
}
