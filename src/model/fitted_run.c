/* Fitted models at work: what they say of rows, and of files of pictures. */
#include "gradus/plan.h"
#include "model/fitted.h"

#include <string.h>

enum { BATCH = 512 };

static gr_status compute(gr_session *session, const gr__points *p, int64_t outputs, int64_t batch, float *said,
                         float *rest)
{
    gr_tensor x, y, r;
    GR_TRY(gr_session_input(session, "numbers", &x));
    GR_TRY(gr_session_output(session, "said", &y));
    GR_TRY(gr_session_output(session, "rest", &r));
    for (int64_t first = 0; first < p->n; first += batch) {
        size_t here = (size_t)GR__MIN(batch, p->n - first);
        memcpy(x.data, p->x + first * p->width, here * (size_t)p->width * sizeof(float));
        GR_TRY(gr_session_run(session));
        if (said) memcpy(said + first * outputs, y.data, here * (size_t)outputs * sizeof(float));
        if (rest) memcpy(rest + first, r.data, here * sizeof(float));
    }
    return GR_OK;
}

gr_status gr__fitted_run(const gr_model *m, const gr__points *p, float *said, float *rest)
{
    const gr__fitted_config *c = m->config;
    int64_t batch = GR__MAX(1, GR__MIN((int64_t)BATCH, p->n));
    gr_graph *g = NULL;
    gr_plan *plan = NULL;
    gr_session *session = NULL;
    gr__fitted_out v;
    gr_status status = GR_OK;
    GR_TRY_DONE(gr_graph_new(&g));
    gr__model_build_fitted(m, g, batch, &v);
    gr_output(g, "say", "said", v.said);
    gr_output(g, "say", "rest", v.rest);
    GR_TRY_DONE(gr_plan_compile(g, "say", NULL, &plan));
    GR_TRY_DONE(gr_session_new(plan, m->store, &session));
    GR_TRY_DONE(compute(session, p, (int64_t)c->names.n, batch, said, rest));
done:
    gr_session_free(&session);
    gr_plan_free(&plan);
    gr_graph_free(&g);
    return status;
}

gr_status gr_place_pictures(gr_model *m, const char *const *paths, int64_t n, float *numbers)
{
    GR_FAIL_IF(!m || !paths || !numbers || n < 1, GR_ERR_ARGUMENT,
               "gr_place_pictures: an argument is NULL, or there is no picture");
    GR_FAIL_IF(gr_model_kind_of(m) != GR_MODEL_FITTED, GR_ERR_UNSUPPORTED, "this needs k-means or PCA, not '%s'",
               m->family->name);
    GR_TRY(gr__model_want_items(paths, n, "a picture"));
    const gr__fitted_config *c = m->config;
    GR_FAIL_IF(c->picture.height == 0, GR_ERR_UNSUPPORTED, "this '%s' was fitted to rows of a table, not to pictures",
               m->family->name);
    float *x = gr__alloc((size_t)(n * c->inputs) * sizeof *x);
    if (!x) return gr__fail_memory("pictures", (size_t)(n * c->inputs) * sizeof *x);
    gr_status status = GR_OK;
    for (int64_t i = 0; i < n && status == GR_OK; i++)
        status = gr__picture_read(&c->picture, paths[i], x + i * c->inputs);
    if (status == GR_OK) status = gr__fitted_run(m, &(gr__points){x, n, c->inputs}, numbers, NULL);
    gr__free(x);
    return status;
}
