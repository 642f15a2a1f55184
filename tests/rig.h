/* A graph with a store, run program by program: what tests of layers, losses and optimisers need. This is the only
 * place that knows who runs it: now the interpreter of reference kernels.
 *
 *   rig r;
 *   rig_open(&r, g);
 *   memcpy(rig_state(&r, "w"), start, sizeof start);
 *   rig_run(&r, "step", 0.1);
 *   rig_output(&r, "loss")[0]
 *   rig_close(&r);                // and the graph */
#ifndef GR_RIG_H
#define GR_RIG_H

#include "tests/test.h"

#include "format/safetensors.h"
#include "gradus/store.h"
#include "pass/interpret.h"

#include <math.h>
#include <string.h>

enum { RIG_MOST = 8 };

typedef struct rig {
    gr_graph *g;
    gr_store *store;
    gr__interpret *it;
    int64_t update; /* runs in which the states were updated: Adam's step */
    bool taken;     /* no guard stopped the last run */
    const char *output_name[RIG_MOST];
    float *output[RIG_MOST];
    int n_outputs;
} rig;

static inline void rig_open(rig *r, gr_graph *g)
{
    *r = (rig){.g = g};
    assert_ok(gr_graph_status(g));
    assert_ok(gr_store_new(&r->store));
    assert_ok(gr_store_prepare(r->store, g, 1));
    assert_ok(gr__interpret_new(&r->it, g));
}

static inline void rig_close(rig *r)
{
    for (int i = 0; i < r->n_outputs; i++) gr__free(r->output[i]);
    gr__interpret_free(&r->it);
    gr_store_free(&r->store);
    gr_graph_free(&r->g);
}

/* The array of a state, f32; it may be changed between runs. */
static inline float *rig_state(rig *r, const char *path)
{
    gr_tensor t;
    assert_ok(gr_store_get(r->store, path, &t));
    return t.data;
}

static inline bool rig_has_state(const rig *r, const char *path)
{
    gr_tensor t;
    return gr_store_get(r->store, path, &t) == GR_OK;
}

static inline void rig_copy_states(rig *r, bool back)
{
    gr_tensor t;
    for (size_t i = 0; i < r->g->n_values; i++) {
        if (r->g->value[i].role != GR__ROLE_STATE) continue;
        assert_ok(gr_store_get(r->store, r->g->value[i].name, &t));
        if (!back) assert_ok(gr__interpret_set(r->it, (gr_value)(i + 1), &t));
        const gr_tensor *now = gr__interpret_get(r->it, (gr_value)(i + 1));
        if (back) memcpy(t.data, now->data, gr_tensor_size_bytes(&t));
    }
}

/* Gives an input its numbers. */
static inline void rig_input(rig *r, gr_value input, const void *numbers)
{
    gr__value v = *gr__value_get(r->g, input);
    gr_tensor t = {.dtype = v.dtype, .rank = v.rank};
    memcpy(t.dim, v.dim, sizeof t.dim);
    t.data = gr__alloc(gr_tensor_size_bytes(&t));
    memcpy(t.data, numbers, gr_tensor_size_bytes(&t));
    assert_ok(gr__interpret_set(r->it, input, &t));
    gr__free(t.data);
}

static inline void rig_run(rig *r, const char *program, double learning_rate)
{
    gr__program *p = gr__program_get(r->g, program, false);
    assert_non_null(p);
    gr__control *c = gr__interpret_control(r->it);
    c->learning_rate = learning_rate;
    c->update = r->update;
    rig_copy_states(r, false);
    for (int i = 0; i < r->n_outputs; i++) gr__free(r->output[i]);
    r->n_outputs = (int)p->n_outputs;
    assert_true(r->n_outputs <= RIG_MOST);
    for (int i = 0; i < r->n_outputs; i++) {
        assert_ok(gr__interpret_run(r->it, &p->output[i].value, 1));
        const gr_tensor *t = gr__interpret_get(r->it, p->output[i].value);
        r->output_name[i] = p->output[i].name;
        r->output[i] = gr__alloc((size_t)gr_tensor_count(t) * sizeof(float) + 1);
        for (int64_t k = 0; k < gr_tensor_count(t); k++) r->output[i][k] = (float)gr_tensor_get(t, k);
    }
    assert_ok(gr__interpret_program(r->it, program));
    r->taken = c->ok;
    rig_copy_states(r, true);
}

/* What the last run returned under this name, as f32. */
static inline const float *rig_output(const rig *r, const char *name)
{
    for (int i = 0; i < r->n_outputs; i++)
        if (strcmp(r->output_name[i], name) == 0) return r->output[i];
    fail_msg("no output '%s'", name);
    return NULL;
}

/* ---- numbers ---- */

/* |got - want| <= tolerance * (1 + |want|) */
static inline void assert_close(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance * (1 + fabs(want)))) fail_msg("%.9g, not %.9g", got, want);
}

/* ---- golden files ---- */

static inline const gr_tensor *golden(const gr__safetensors *file, const char *name)
{
    const gr__stored *s = gr__safetensors_find(file, name);
    if (!s) fail_msg("the golden file has no '%s'", name);
    return &s->tensor;
}

/* The same for all elements of the golden tensor. */
static inline void assert_near(const char *what, const float *got, const gr_tensor *want, double tolerance)
{
    for (int64_t i = 0; i < gr_tensor_count(want); i++) {
        double w = gr_tensor_get(want, i);
        if (!(fabs((double)got[i] - w) <= tolerance * (1 + fabs(w))))
            fail_msg("%s[%d]: %.9g, not %.9g (off by %.2g)", what, (int)i, (double)got[i], w, fabs((double)got[i] - w));
    }
}

#endif
