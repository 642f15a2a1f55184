/* How fast this machine multiplies, for "share of the peak": the best of some large products in the format asked for,
 * through the same kernels that training uses. Measured once per format and number of threads. */
#include "gradus/tools.h"

#include "base/clock.h"
#include "base/status.h"
#include "gradus/ops.h"

#include <math.h>

enum { SIZE = 768, MOST_RUNS = 12 };
#define BUDGET_SECONDS 0.07

static gr_status build(gr_graph *g, bool bf16)
{
    const int64_t dim[] = {SIZE, SIZE};
    gr_value a = gr_input(g, "a", GR_F32, 2, dim), b = gr_input(g, "b", GR_F32, 2, dim);
    if (bf16) a = gr_cast(g, a, GR_BF16), b = gr_cast(g, b, GR_BF16);
    gr_output(g, "product", "c", gr_matmul(g, a, b, &(gr_matmul_options){.out_dtype = GR_F32}));
    return gr_graph_status(g);
}

static void fill(gr_session *s, const char *name)
{
    gr_tensor t;
    if (gr_session_input(s, name, &t) != GR_OK) return;
    float *x = t.data;
    for (int64_t i = 0, n = gr_tensor_count(&t); i < n; i++) x[i] = (float)(i % 17) * 0.0625f - 0.5f;
}

static gr_status best_of_runs(gr_session *s, double *best)
{
    double begin = gr__now();
    fill(s, "a");
    fill(s, "b");
    *best = INFINITY;
    for (int i = 0; i < MOST_RUNS && (i < 3 || gr__now() - begin < BUDGET_SECONDS); i++) {
        double start = gr__now();
        GR_TRY(gr_session_run(s));
        *best = fmin(*best, gr__now() - start);
    }
    return GR_OK;
}

static double measure(bool bf16)
{
    gr_graph *g = NULL;
    gr_plan *plan = NULL;
    gr_store *store = NULL;
    gr_session *session = NULL;
    gr_status status = GR_OK;
    double best = INFINITY;
    GR_TRY_DONE(gr_graph_new(&g));
    GR_TRY_DONE(build(g, bf16));
    GR_TRY_DONE(gr_plan_compile(g, "product", NULL, &plan));
    GR_TRY_DONE(gr_store_new(&store));
    GR_TRY_DONE(gr_session_new(plan, store, &session));
    GR_TRY_DONE(best_of_runs(session, &best));
done:
    gr_session_free(&session);
    gr_store_free(&store);
    gr_plan_free(&plan);
    gr_graph_free(&g);
    return status == GR_OK && best > 0 ? 2.0 * SIZE * SIZE * SIZE / best : 0;
}

double gr_peak_flops(bool bf16)
{
    static _Thread_local double known[2];
    static _Thread_local int threads[2];
    if (threads[bf16] != gr_threads()) {
        threads[bf16] = gr_threads();
        known[bf16] = measure(bf16);
    }
    return known[bf16];
}
