/* Forecasters on files. */
#include "gradus/table.h"

#include "data/series.h"
#include "model/family.h"
#include "model/series.h"

static gr_status compute(const gr_model *m, const gr__series_data *d, double *out)
{
    const gr__series_config *c = m->config;
    int64_t n = d->n, from = d->rows - c->window;
    gr_graph *g = NULL;
    gr_plan *plan = NULL;
    gr_session *session = NULL;
    gr_tensor x, y;
    gr_status status = GR_OK;
    GR_TRY_DONE(gr_graph_new(&g));
    gr_value in = gr_input(g, "x", GR_F32, 3, (int64_t[]){1, c->window, n});
    gr_output(g, "predict", "prediction", m->family->build_series(g, c, in, false));
    GR_TRY_DONE(gr_plan_compile(g, "predict", NULL, &plan));
    GR_TRY_DONE(gr_session_new(plan, m->store, &session));
    GR_TRY_DONE(gr_session_input(session, "x", &x));
    for (int64_t i = 0; i < c->window * n; i++)
        ((float *)x.data)[i] = (float)gr__series_forward(c, (size_t)(i % n), d->value[from * n + i]);
    GR_TRY_DONE(gr_session_run(session));
    GR_TRY_DONE(gr_session_output(session, "prediction", &y));
    for (int64_t i = 0; i < c->horizon * n; i++) out[i] = gr__series_backward(c, (size_t)(i % n), gr_tensor_get(&y, i));
done:
    gr_session_free(&session);
    gr_plan_free(&plan);
    gr_graph_free(&g);
    return status;
}

gr_status gr_series_continue(gr_model *m, const char *path, double *out)
{
    GR_FAIL_IF(!m || !path || !out, GR_ERR_ARGUMENT, "gr_series_continue: an argument is NULL");
    GR_FAIL_IF(m->family->kind != GR_MODEL_SERIES, GR_ERR_UNSUPPORTED,
               "continuing series needs a forecaster, not '%s'; train one with the task 'forecasting'",
               m->family->name);
    const gr__series_config *c = m->config;
    gr__arena arena = {0};
    gr__series_data d;
    gr_status s = gr__series_read(&(gr__series_options){.source = path, .columns = c->names, .fill = true}, &arena, &d);
    if (s == GR_OK) {
        if (d.rows < c->window)
            s = gr__fail(GR_ERR_DATA, "'%s' has %lld rows; the model looks at %lld", path, (long long)d.rows,
                         (long long)c->window);
        for (int64_t i = 0; i < d.rows * d.n && c->log && s == GR_OK; i++)
            if (!(d.value[i] > 0))
                s = gr__fail(GR_ERR_DATA, "%s:%lld: %g has no logarithm, with which the model works", path,
                             (long long)d.line[i / d.n], d.value[i]);
        if (s == GR_OK) s = compute(m, &d, out);
        gr__series_release(&d);
    }
    gr__arena_release(&arena);
    return s;
}
