/* A small classifier trained through a plan: every op of ours must have a fast kernel there, and the loss must fall. */
#ifndef GR_LEARNS_H
#define GR_LEARNS_H

#include "tests/test.h"

#include "gradus/nn.h"
#include "gradus/plan.h"
#include "gradus/store.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* logits (batch, 3) of the input "x"; ops: names whose reference must not run, up to NULL; loss: of the first and of the
 * last of 'steps' steps. Takes the graph over. */
static inline void learns_in_a_plan(gr_graph *g, gr_value logits, int params, const char *const *ops, int steps,
                                    bool bf16, double loss[2])
{
    gr_store *store;
    gr_plan *plan;
    gr_session *s;
    gr_tensor t;
    char *text = NULL, name[40];
    gr_value p[16], d[16];
    gr_optimizer_result result;
    int64_t batch = gr_value_dim(g, logits, 0);
    gr_loss l = gr_loss_cross_entropy(g, logits, gr_input(g, "target", GR_I32, 1, &batch), NULL);
    if (bf16) assert_ok(gr_autocast_bf16(g));
    int n = gr_graph_params(g, p, 16);
    assert_int_equal(n, params);
    assert_ok(gr_grad(g, l.sum, p, n, d));
    for (int i = 0; i < n; i++) assert_int_equal(gr_value_dtype(g, d[i]), GR_F32);
    gr_optimizer_options o = {.base = {.kind = GR_OPTIMIZER_ADAMW, .learning_rate = 1e-2}, .weight = l.weight};
    gr_optimizer_apply(g, "step", p, d, n, &o, &result);
    gr_output(g, "step", "loss", gr_div(g, l.sum, l.weight));
    assert_ok(gr_graph_status(g));
    assert_ok(gr_plan_compile(g, "step", NULL, &plan));
    assert_ok(gr_plan_print(plan, &text));
    for (; *ops; ops++) {
        snprintf(name, sizeof name, "%s.reference", *ops);
        if (strstr(text, name)) fail_msg("%s runs in %s:\n%s", name, bf16 ? "bf16" : "f32", text);
    }
    gr_text_free(text);
    assert_ok(gr_store_new(&store));
    assert_ok(gr_store_prepare(store, g, 1));
    assert_ok(gr_session_new(plan, store, &s));
    assert_ok(gr_session_input(s, "x", &t));
    for (int64_t i = 0; i < gr_tensor_count(&t); i++) gr_tensor_set(&t, i, sin(1.7 * (double)(i * i % 1013)));
    assert_ok(gr_session_input(s, "target", &t));
    for (int64_t i = 0; i < batch; i++) gr_tensor_set(&t, i, (double)(i % 3));
    for (int step = 0; step < steps; step++) {
        gr_session_set_control(s, &(gr_run_control){.update = step, .learning_rate = 1e-2});
        assert_ok(gr_session_run(s));
        assert_ok(gr_session_output(s, "loss", &t));
        if (step == 0) loss[0] = gr_tensor_get(&t, 0);
        loss[1] = gr_tensor_get(&t, 0);
    }
    gr_session_free(&s);
    gr_plan_free(&plan);
    gr_store_free(&store);
    gr_graph_free(&g);
}

#endif
