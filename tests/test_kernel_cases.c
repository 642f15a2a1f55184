/* The cases of every op row through the CPU's plan instead of its reference: alone and fused, with results over
 * their operands, all results or only the first, at every level of instructions, with and without oneDNN, with 1 and
 * 2 threads. What is bound by memory gives the same f32 bits everywhere. `-v`: which kernel served each case. */
#include "base/clock.h"
#include "tests/test.h"

#include "backend/cpu/table.h"
#include "base/alloc.h"
#include "base/str.h"
#include "kernel/cpu.h"
#include "kernel/onednn.h"
#include "plan/plan.h"
#include "tests/op_harness.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* How a case is run. */
typedef struct way {
    int level, threads;
    bool bf16, dnn; /* shown */
    bool fuse;
    bool behind;     /* float operands are results of a node, so that the op may write over them */
    bool first_only; /* no result but the first is asked for */
} way;

static bool verbose;
static bool served[256]; /* by row of the table */
static double worst[2];  /* f32, bf16: in bounds */

static bool convolution(const gr__op *op)
{
    return op == &gr__op_conv || op == &gr__op_conv_transpose || op == &gr__op_conv_grad_weight;
}

static bool recurrent(const gr__op *op)
{
    return op == &gr__op_lstm || op == &gr__op_lstm_grad || op == &gr__op_gru || op == &gr__op_gru_grad ||
           op == &gr__op_rnn || op == &gr__op_rnn_grad;
}

static bool product(const gr__op *op)
{
    return convolution(op) || recurrent(op) || op == &gr__op_matmul || op == &gr__op_linear_cross_entropy ||
           op == &gr__op_attention || op == &gr__op_attention_grad;
}

static void fail_case(const gr__op *op, const gr__case *c, gr_dtype t, const way *w, const char *what, double number)
{
    fail_msg("%s, case '%s', %s, %s%s, oneDNN %s, %d threads%s%s%s: %s (%g)", op->name, c->name, gr_dtype_name(t),
             gr__cpu_level_name(w->level), w->bf16 ? "+bf16" : "", w->dnn ? "on" : "off", w->threads,
             w->fuse ? ", fused" : "", w->behind ? ", over operands" : "", w->first_only ? ", first result" : "", what,
             number);
}

/* ---- a graph of the case ---- */

static bool negated(const op_run *r, int i, const way *w)
{
    return w->behind && (r->in[i].dtype == GR_F32 || r->in[i].dtype == GR_BF16);
}

static gr_status build(gr_graph *g, const op_run *r, const way *w)
{
    gr_value in[GR__MAX_IN] = {0}, out[GR__MAX_OUT] = {0};
    gr__args args = op_run_args((op_run *)r);
    for (int i = 0; i < r->n_in; i++) {
        char name[16];
        const gr__case_in *x = &r->c->in[i];
        if (!gr__arg_there(&r->in[i])) continue;
        gr_tensor t = op_leaf(r, i);
        snprintf(name, sizeof name, "in%d", i);
        in[i] = gr_input(g, name, t.dtype, t.rank, t.dim);
        gr__free(t.data);
        if (negated(r, i, w)) in[i] = gr_neg(g, in[i]);
        if (x->swap_a != x->swap_b) in[i] = gr_transpose(g, in[i], x->swap_a, x->swap_b);
    }
    gr__node_add(g, r->op, in, r->n_in, args.attr, out);
    GR_TRY(gr_graph_status(g));
    if (r->op->random) g->node[gr__value_get(g, out[0])->producer].stream = r->stream;
    for (int i = 0; i < (w->first_only ? 1 : r->n_out); i++) {
        char name[16];
        snprintf(name, sizeof name, "out%d", i);
        gr_output(g, "run", name, out[i]);
    }
    return gr_graph_status(g);
}

static void fill_inputs(gr_session *s, const op_run *r, const way *w)
{
    for (int i = 0; i < r->n_in; i++) {
        char name[16];
        gr_tensor to, t;
        if (!gr__arg_there(&r->in[i])) continue;
        snprintf(name, sizeof name, "in%d", i);
        assert_ok(gr_session_input(s, name, &to));
        t = op_leaf(r, i);
        if (negated(r, i, w))
            for (int64_t k = 0; k < gr_tensor_count(&t); k++) gr_tensor_set(&t, k, -gr_tensor_get(&t, k));
        memcpy(to.data, t.data, gr_tensor_size_bytes(&t));
        gr__free(t.data);
    }
}

static void note_kernels(const gr_plan *plan, const op_run *r, const way *w)
{
    for (size_t i = 0; i < plan->n_steps; i++) {
        const gr__call *c = &plan->step[i];
        if (c->node < 0 || c->kernel == &gr__kernel_copy) continue;
        const gr__op *op = plan->graph->node[c->node].op;
        for (int k = 0; k < gr__cpu_backend.n_rows; k++) served[k] = served[k] || gr__cpu_backend.rows[k] == c->kernel;
        if (verbose && op == r->op && w->threads == 1 && !w->behind && !w->first_only && !w->fuse)
            printf("%-24s %-28s %-5s %-8s%s%s  %s%s%s\n", op->name, r->c->name, gr_dtype_name(r->dtype),
                   gr__cpu_level_name(w->level), w->bf16 ? "+bf16" : "", w->dnn ? " onednn" : "",
                   c->kernel ? c->kernel->name : "reference", *c->why ? "  not " : "", c->why);
    }
}

/* ---- comparing ---- */

/* Both sides round: the reference from f64, the kernel on its way too. */
static double bound_of(const op_run *r, const gr__arg *out)
{
    double b = out->dtype == GR_BF16 ? 0x1p-8 : r->dtype == GR_BF16 ? 0x1p-9 : 1e-6;
    gr__args args = op_run_args((op_run *)r);
    double k = convolution(r->op)                      ? r->op->flops(&args) / 2 / (double)gr__arg_count(out)
               : r->op == &gr__op_matmul               ? (double)r->in[0].dim[r->in[0].rank - 1]
               : r->op == &gr__op_linear_cross_entropy ? (double)(r->in[0].dim[0] + r->in[0].dim[1])
               : product(r->op)                        ? (double)r->in[1].dim[1]
                                                       : 1;
    return b * GR__MAX(r->c->tolerance, 1) * sqrt(GR__MAX(k, 1));
}

/* Results of one way, kept to be compared bit by bit. */
typedef struct results {
    gr_tensor out[GR__MAX_OUT];
    int n;
} results;

static void results_free(results *x)
{
    for (int i = 0; i < x->n; i++) gr__free(x->out[i].data);
    *x = (results){0};
}

static void keep(results *x, const gr_tensor *t)
{
    gr_tensor copy = *t;
    copy.data = gr__alloc(gr_tensor_size_bytes(t));
    assert_non_null(copy.data);
    memcpy(copy.data, t->data, gr_tensor_size_bytes(t));
    x->out[x->n++] = copy;
}

static void run_way(const op_run *r, const way *w, results *kept)
{
    gr_graph *g;
    gr_plan *plan = NULL;
    gr_session *s = NULL;
    gr_store *store;
    gr__cpu_set_level(w->level);
    gr__cpu_set_bf16(w->bf16);
    gr__dnn_hide(!w->dnn);
    assert_ok(gr_set_threads(w->threads));
    assert_ok(gr_graph_new(&g));
    assert_ok(gr_store_new(&store));
    if (build(g, r, w) != GR_OK) fail_case(r->op, r->c, r->dtype, w, gr_message(), 0);
    if (gr_plan_compile(g, "run", &(gr_plan_options){.no_fuse = !w->fuse}, &plan) != GR_OK ||
        gr_session_new(plan, store, &s) != GR_OK)
        fail_case(r->op, r->c, r->dtype, w, gr_message(), 0);
    note_kernels(plan, r, w);
    fill_inputs(s, r, w);
    const gr__control *c = &r->control;
    gr_session_set_control(s, &(gr_run_control){c->seed, c->micro_step, c->sample, c->update, c->learning_rate});
    double start = 0;
    for (int time = 0; time < 2; time++) { /* the second run finds what the first left in the arena */
        start = gr__now();
        if (gr_session_run(s) != GR_OK) fail_case(r->op, r->c, r->dtype, w, gr_message(), 0);
    }
    if (verbose && w->threads == 1 && !w->behind && !w->first_only && !w->fuse)
        printf("%68s %9.1f us\n", "", (gr__now() - start) * 1e6);
    for (int i = 0; i < (w->first_only ? 1 : r->n_out); i++) {
        char name[16];
        gr_tensor t;
        snprintf(name, sizeof name, "out%d", i);
        assert_ok(gr_session_output(s, name, &t));
        gr__arg got = op_tensor_arg(&t);
        double d = op_difference(&got, &r->out[i]) / bound_of(r, &r->out[i]);
        worst[r->dtype == GR_BF16] = fmax(worst[r->dtype == GR_BF16], d);
        if (!(d <= 1)) {
            char *text = NULL;
            if (verbose && gr_plan_print(plan, &text) == GR_OK) printf("%s", text);
            gr_text_free(text);
            fail_case(r->op, r->c, r->dtype, w, "far from the reference, in bounds", d);
        }
        keep(kept, &t);
    }
    gr_session_free(&s);
    gr_plan_free(&plan);
    gr_store_free(&store);
    gr_graph_free(&g);
}

static void same_bits(const op_run *r, const way *w, const results *a, const results *b, const char *what)
{
    for (int i = 0; i < GR__MIN(a->n, b->n); i++)
        if (memcmp(a->out[i].data, b->out[i].data, gr_tensor_size_bytes(&a->out[i])) != 0)
            fail_case(r->op, r->c, r->dtype, w, what, i);
}

/* ---- one case in all ways ---- */

static void ways_of(const op_run *r)
{
    int best = gr__cpu()->best;
    bool has_bf16 = gr__cpu()->bf16,
         uses_dnn = gr__dnn_available() && (convolution(r->op) || recurrent(r->op) || r->op == &gr__op_matmul ||
                                            r->op == &gr__op_linear_cross_entropy);
    results first = {.n = 0};
    for (int level = 0; level <= best; level++)
        for (int dot = 0; dot <= (has_bf16 && level >= GR__CPU_AVX512 && r->dtype == GR_BF16); dot++)
            for (int dnn = 0; dnn <= uses_dnn; dnn++) {
                way w = {.level = level, .threads = 1, .bf16 = dot, .dnn = dnn};
                results a = {.n = 0}, b = {.n = 0};
                run_way(r, &w, &a);
                if (level == 0 && !dnn)
                    keep(&first, &a.out[0]);
                else if (!product(r->op) && r->dtype == GR_F32)
                    same_bits(r, &w, &a, &first, "other bits than at the lowest level");
                w.threads = 2;
                run_way(r, &w, &b);
                if (!dnn || !convolution(r->op)) /* the library may split a gradient's sum by threads */
                    same_bits(r, &w, &a, &b, "other bits with two threads");
                results_free(&b);
                w.threads = 1;
                w.behind = true;
                run_way(r, &w, &b);
                same_bits(r, &w, &a, &b, "other bits over its operands");
                results_free(&b);
                results_free(&a);
            }
    for (int k = 0; k < 2; k++) {
        way w = {
            .level = best, .threads = 1, .bf16 = has_bf16, .dnn = uses_dnn, .fuse = true, .behind = k, .first_only = k};
        results a = {.n = 0};
        run_way(r, &w, &a);
        results_free(&a);
    }
    results_free(&first);
}

static void test_op(void **state)
{
    const gr__op *op = *state;
    bool bf16 = gr__cpu()->bf16;
    int best = gr__cpu()->best;
    for (int i = 0; i < op->n_cases; i++)
        for (int t = 0; t < 2; t++) {
            op_run r;
            const gr__case *c = &op->cases[i];
            if (c->expect != GR_OK || op_run_make(&r, op, c, t ? GR_BF16 : GR_F32, 1) != GR_OK) continue;
            gr__args args = op_run_args(&r);
            assert_ok(op->reference(&args));
            ways_of(&r);
            op_run_free(&r);
            gr__cpu_set_bf16(true);
            gr__dnn_hide(false);
        }
    gr__cpu_set_level(best);
    gr__cpu_set_bf16(bf16);
}

/* Runs last. */
static void every_row_served(void **state)
{
    (void)state;
    gr__str missing = {0};
    for (int k = 0; k < gr__cpu_backend.n_rows; k++) {
        const gr__kernel *row = gr__cpu_backend.rows[k];
        bool possible =
            (gr__dnn_available() || !strstr(row->name, ".onednn")) &&
            (gr__cpu_has_tiles() || (row != &gr__cpu_linear_cross_entropy_columns && row != &gr__cpu_fused_product));
        if (row->op && row->op->flags & GR__OP_OPAQUE) continue;
        if (!served[k] && possible) gr__str_printf(&missing, " %s", row->name);
    }
    printf("worst in bounds: f32 %.2f, bf16 %.2f\n", worst[0], worst[1]);
    if (missing.n) fail_msg("never used:%s", gr__str_get(&missing));
    gr__str_release(&missing);
}

int main(int argc, char **argv)
{
    struct CMUnitTest *tests = calloc((size_t)gr__n_ops + 1, sizeof *tests);
    int n = 0;
    const char *only = NULL;
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "-v") == 0)
            verbose = true;
        else
            only = argv[i];
    for (int i = 0; tests && i < gr__n_ops; i++) {
        if (only && strcmp(only, gr__ops[i]->name) != 0) continue;
        tests[n++] =
            (struct CMUnitTest){.name = gr__ops[i]->name, .test_func = test_op, .initial_state = (void *)gr__ops[i]};
    }
    if (tests && !only) tests[n++] = (struct CMUnitTest){.name = "every row is used", .test_func = every_row_served};
    int failed = tests ? test_run("kernel cases", tests, (size_t)n, NULL, NULL) : 1;
    free(tests);
    return failed;
}
