/* A program of a model against a golden.safetensors: inputs by their names, outputs and gradients by theirs. */
#ifndef TESTS_GOLDEN_RIG_H
#define TESTS_GOLDEN_RIG_H

#include "tests/test.h"

#include "format/weights.h"
#include "gradus/nn.h"
#include "gradus/plan.h"
#include "model/family.h"

#include <math.h>
#include <string.h>

typedef struct golden_rig {
    const char *name; /* of the folder below tests/golden/models */
    gr_model *model;
    gr__safetensors *file;
    gr_graph *g;
} golden_rig;

static inline void rig_open(golden_rig *r, const char *name)
{
    char path[300];
    *r = (golden_rig){.name = name};
    snprintf(path, sizeof path, "tests/golden/models/%s", name);
    assert_ok(gr_model_open(test_source(path), &r->model));
    strcat(path, "/golden.safetensors");
    assert_ok(gr__safetensors_open(test_source(path), &r->file));
    assert_ok(gr_graph_new(&r->g));
}

static inline void rig_close(golden_rig *r)
{
    gr_graph_free(&r->g);
    gr__safetensors_close(&r->file);
    gr_model_free(&r->model);
}

static inline const gr_tensor *rig_find(const golden_rig *r, const char *name)
{
    const gr__stored *t = gr__safetensors_find(r->file, name);
    if (!t) fail_msg("%s: no '%s'", r->name, name);
    return &t->tensor;
}

/* An input of the stored shape and dtype. */
static inline gr_value rig_input(golden_rig *r, const char *name)
{
    const gr_tensor *t = rig_find(r, name);
    return gr_input(r->g, name, t->dtype, t->rank, t->dim);
}

/* max|a - b| <= limit*max|b| */
static inline void rig_compare(const golden_rig *r, const char *name, const gr_tensor *a, double limit)
{
    const gr_tensor *b = rig_find(r, name);
    double most = 0, scale = 0;
    assert_int_equal(gr_tensor_count(a), gr_tensor_count(b));
    for (int64_t i = 0, n = gr_tensor_count(a); i < n; i++) {
        double x = gr_tensor_get(a, i), y = gr_tensor_get(b, i);
        most = fabs(x) < 1e30 ? fmax(most, fabs(x - y)) : INFINITY;
        scale = fmax(scale, fabs(y));
    }
    if (!(most <= limit * scale)) fail_msg("%s: '%s' is %g away", r->name, name, most / scale);
}

/* Runs the outputs of these values (n), the loss and its gradients; inputs (up to NULL) come from the file. */
static inline void rig_check(golden_rig *r, gr_loss loss, const char *const *inputs, const char *const *names,
                             const gr_value *values, int n, double limit)
{
    gr_value param[80], grad[80], mean = gr_div(r->g, loss.sum, loss.weight);
    gr_plan *plan;
    gr_session *session;
    gr_tensor t;
    char name[200];
    for (int i = 0; i < n; i++) gr_output(r->g, "eval", names[i], values[i]);
    gr_output(r->g, "eval", "loss", mean);
    int n_params = gr_graph_params(r->g, param, 80);
    assert_in_range(n_params, 1, 80);
    assert_ok(gr_grad(r->g, mean, param, n_params, grad));
    for (int i = 0; i < n_params; i++) gr_output(r->g, "eval", gr_value_path(r->g, param[i]), grad[i]);
    assert_ok(gr_plan_compile(r->g, "eval", NULL, &plan));
    assert_ok(gr_session_new(plan, gr_model_store(r->model), &session));
    for (; *inputs; inputs++) {
        assert_ok(gr_session_input(session, *inputs, &t));
        memcpy(t.data, rig_find(r, *inputs)->data, gr_tensor_size_bytes(&t));
    }
    assert_ok(gr_session_run(session));
    for (int i = 0; i < n; i++) {
        assert_ok(gr_session_output(session, names[i], &t));
        rig_compare(r, names[i], &t, limit);
    }
    assert_ok(gr_session_output(session, "loss", &t));
    rig_compare(r, "loss", &t, limit);
    for (int i = 0; i < n_params; i++) {
        const char *path = gr_value_path(r->g, param[i]);
        snprintf(name, sizeof name, "grad.%s", path);
        assert_ok(gr_session_output(session, path, &t));
        rig_compare(r, name, &t, limit);
    }
    gr_session_free(&session);
    gr_plan_free(&plan);
}

#endif
