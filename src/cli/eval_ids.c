#include "cli/eval_ids.h"

#include "gradus/nn.h"
#include "gradus/plan.h"
#include "gradus/tools.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

gr_status eval_logits(gr_model *model, const ids_batch *ids, const char *path)
{
    int64_t v = gr_model_describe(model).vocab;
    float *logits = calloc((size_t)(ids->rows * ids->columns * v), sizeof *logits);
    if (!logits) return GR_ERR_MEMORY;
    gr_status s = gr_model_logits(model, ids->id, ids->rows, ids->columns, logits);
    gr_tensor t = {.dtype = GR_F32, .rank = 3, .dim = {ids->rows, ids->columns, v}, .data = logits};
    const char *name = "logits";
    if (s == GR_OK) s = gr_tensors_save(path, &name, &t, 1);
    free(logits);
    return s;
}

gr_status eval_encoder(gr_model *model, const ids_batch *ids, const char *path)
{
    static const char *const names[] = {"hidden", "pooled", "logits"};
    gr_model_info i = gr_model_describe(model);
    const char *name[3];
    float *room[3] = {NULL};
    gr_tensor t[3] = {{.rank = 3, .dim = {ids->rows, ids->columns, i.width}},
                      {.rank = 2, .dim = {ids->rows, i.pooled ? i.width : 0}},
                      {.rank = 2, .dim = {ids->rows, i.labels}}};
    size_t n = 0;
    gr_status s = GR_OK;
    for (int k = 0; k < 3 && s == GR_OK; k++) {
        t[k].dtype = GR_F32;
        if (gr_tensor_count(&t[k]) == 0) continue;
        room[k] = calloc((size_t)gr_tensor_count(&t[k]), sizeof *room[k]);
        if (!room[k]) s = GR_ERR_MEMORY;
        name[n] = names[k];
        t[n] = t[k];
        t[n++].data = room[k];
    }
    if (s == GR_OK) s = gr_model_encode(model, ids->id, ids->mask, ids->rows, ids->columns, room[0], room[1], room[2]);
    if (s == GR_OK) s = gr_tensors_save(path, name, t, n);
    for (int k = 0; k < 3; k++) free(room[k]);
    return s;
}

/* ---- AdamW on one batch ---- */

typedef struct adamw {
    int steps;
    gr_optimizer optimizer;
    gr_graph *graph;
    gr_plan *plan;
    gr_session *session;
    gr_value *param, *grad;
    int n_params;
    double *loss;
} adamw;

static bool read_settings(const char *text, adamw *a)
{
    gr_optimizer *o = &a->optimizer;
    *o = (gr_optimizer){.kind = GR_OPTIMIZER_ADAMW};
    bool fine = sscanf(text, "%d %lf %lf %lf %lf %lf", &a->steps, &o->learning_rate, &o->beta1, &o->beta2, &o->eps,
                       &o->weight_decay) == 6;
    o->no_weight_decay = o->weight_decay == 0;
    return fine && a->steps > 0 && a->steps < 1000000;
}

bool eval_adamw_settings(const char *settings)
{
    adamw a = {0};
    return read_settings(settings, &a);
}

static gr_status build(adamw *a, gr_model *model, int64_t rows, int64_t time)
{
    const int64_t dim[] = {rows, time};
    gr_lm_values v;
    gr_status s = gr_graph_new(&a->graph);
    if (s == GR_OK) s = gr_model_build_lm(model, a->graph, rows, time, false, &v);
    if (s != GR_OK) return s;
    gr_loss loss =
        gr_loss_linear_cross_entropy(a->graph, v.hidden, v.head, gr_input(a->graph, "targets", GR_I32, 2, dim), NULL);
    a->n_params = gr_graph_params(a->graph, NULL, 0);
    a->param = calloc((size_t)a->n_params + 1, sizeof *a->param);
    a->grad = calloc((size_t)a->n_params + 1, sizeof *a->grad);
    if (!a->param || !a->grad) return GR_ERR_MEMORY;
    gr_graph_params(a->graph, a->param, a->n_params);
    gr_optimizer_options o = {.base = a->optimizer, .weight = loss.weight};
    s = gr_grad(a->graph, loss.sum, a->param, a->n_params, a->grad);
    if (s == GR_OK) s = gr_optimizer_apply(a->graph, "step", a->param, a->grad, a->n_params, &o, NULL);
    gr_output(a->graph, "step", "loss_sum", loss.sum);
    gr_output(a->graph, "step", "weight", loss.weight);
    return s == GR_OK ? gr_plan_compile(a->graph, "step", NULL, &a->plan) : s;
}

static gr_status fill(adamw *a, const ids_batch *ids)
{
    gr_tensor x, y;
    int64_t time = ids->columns - 1;
    gr_status s = gr_session_input(a->session, "ids", &x);
    if (s == GR_OK) s = gr_session_input(a->session, "targets", &y);
    for (int64_t b = 0; b < ids->rows && s == GR_OK; b++) {
        memcpy((int32_t *)x.data + b * time, ids->id + b * ids->columns, (size_t)time * sizeof(int32_t));
        memcpy((int32_t *)y.data + b * time, ids->id + b * ids->columns + 1, (size_t)time * sizeof(int32_t));
    }
    return s;
}

static gr_status run_steps(adamw *a, const ids_batch *ids)
{
    gr_tensor sum, weight;
    gr_status s = gr_session_output(a->session, "loss_sum", &sum);
    if (s == GR_OK) s = gr_session_output(a->session, "weight", &weight);
    for (int i = 0; i < a->steps && s == GR_OK; i++) {
        gr_run_control c = {.update = i, .micro_step = i, .learning_rate = a->optimizer.learning_rate};
        gr_session_set_control(a->session, &c);
        s = fill(a, ids);
        if (s == GR_OK) s = gr_session_run(a->session);
        a->loss[i] = gr_tensor_get(&sum, 0) / gr_tensor_get(&weight, 0);
    }
    return s;
}

static gr_status save(const adamw *a, gr_store *store, const char *path)
{
    size_t n = (size_t)a->n_params + 1;
    const char **name = calloc(n, sizeof *name);
    gr_tensor *t = calloc(n, sizeof *t);
    gr_status s = name && t ? GR_OK : GR_ERR_MEMORY;
    for (int i = 0; i < a->n_params && s == GR_OK; i++) {
        name[i] = gr_value_path(a->graph, a->param[i]);
        s = gr_store_get(store, name[i], &t[i]);
    }
    if (s == GR_OK) {
        name[n - 1] = "losses";
        t[n - 1] = (gr_tensor){.dtype = GR_F64, .rank = 1, .dim = {a->steps}, .data = a->loss};
        s = gr_tensors_save(path, name, t, n);
    }
    free(name);
    free(t);
    return s;
}

gr_status eval_adamw(gr_model *model, const ids_batch *ids, const char *settings, const char *path)
{
    adamw a = {0};
    gr_store *store = gr_model_store(model);
    if (!read_settings(settings, &a)) return GR_ERR_ARGUMENT;
    a.loss = calloc((size_t)a.steps, sizeof *a.loss);
    gr_status s = a.loss ? build(&a, model, ids->rows, ids->columns - 1) : GR_ERR_MEMORY;
    if (s == GR_OK) s = gr_store_prepare(store, a.graph, 0);
    if (s == GR_OK) s = gr_session_new(a.plan, store, &a.session);
    if (s == GR_OK) s = run_steps(&a, ids);
    if (s == GR_OK) s = save(&a, store, path);
    gr_session_free(&a.session);
    gr_plan_free(&a.plan);
    gr_graph_free(&a.graph);
    free(a.param);
    free(a.grad);
    free(a.loss);
    return s;
}
