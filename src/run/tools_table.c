/* Table models on files: predictions and metrics. */
#include "gradus/table.h"

#include "base/spill.h"
#include "data/table.h"
#include "model/fitted.h"
#include "task/point_score.h"
#include "task/table_score.h"

#include <math.h>
#include <string.h>

enum { BATCH = 512, MOST_NOTES = 3 };

struct gr_predictions {
    gr__arena arena;
    gr__csv_table csv;
    const gr__columns *columns; /* the model's: notes and labels are copied, so that it may go */
    gr_prediction *row;         /* rows */
    double *probability;        /* (rows, classes); of a fitted model (rows, outputs): its places */
    const char *target, *note[MOST_NOTES];
    int n_notes;
};

/* ---- the network ---- */

static gr_status compute(gr_session *session, const gr__table_part *part, const gr__columns *c, int64_t batch,
                         float *output)
{
    gr_tensor numbers, codes, y;
    int64_t n = gr__columns_numbers(c), k = gr__columns_codes(c), outputs = gr__columns_outputs(c);
    if (n) GR_TRY(gr_session_input(session, "numbers", &numbers));
    if (k) GR_TRY(gr_session_input(session, "codes", &codes));
    GR_TRY(gr_session_output(session, "prediction", &y));
    for (int64_t first = 0; first < part->n; first += batch) {
        size_t here = (size_t)GR__MIN(batch, part->n - first);
        if (n) memcpy(numbers.data, part->numbers + first * n, here * (size_t)n * sizeof(float));
        if (k) memcpy(codes.data, part->codes + first * k, here * (size_t)k * sizeof(int32_t));
        GR_TRY(gr_session_run(session));
        memcpy(output + first * outputs, y.data, here * (size_t)outputs * sizeof(float));
    }
    return GR_OK;
}

/* Outputs (rows, outputs) of all rows; the caller frees them. */
static gr_status run_rows(const gr_model *m, const gr__table_part *part, float **output)
{
    const gr__columns *c = m->family->columns(m->config);
    int64_t batch = GR__MAX(1, GR__MIN((int64_t)BATCH, part->n));
    gr_graph *g = NULL;
    gr_plan *plan = NULL;
    gr_session *session = NULL;
    gr_status status = GR_OK;
    size_t n = (size_t)(part->n * gr__columns_outputs(c)) + 1;
    if (!(*output = gr__spill_new(n, sizeof **output))) return gr__fail_memory("predictions", n * sizeof **output);
    GR_TRY_DONE(gr_graph_new(&g));
    gr_output(g, "predict", "prediction", gr__model_build_table(m, g, batch, false));
    GR_TRY_DONE(gr_plan_compile(g, "predict", NULL, &plan));
    GR_TRY_DONE(gr_session_new(plan, m->store, &session));
    GR_TRY_DONE(compute(session, part, c, batch, *output));
done:
    gr_session_free(&session);
    gr_plan_free(&plan);
    gr_graph_free(&g);
    return status;
}

static bool is_fitted(const gr_model *m) { return gr_model_kind_of(m) == GR_MODEL_FITTED; }

static gr_status want_table(const gr_model *m, const char *what)
{
    bool rows = gr_model_kind_of(m) == GR_MODEL_TABLE || (is_fitted(m) && gr__fitted_columns(m->config)->n);
    GR_FAIL_IF(!rows, GR_ERR_UNSUPPORTED,
               "%s needs a model for rows of a table, not '%s'; train one with the task 'table'", what,
               m->family->name);
    return GR_OK;
}

/* ---- predictions ---- */

static gr_status add_note(gr_predictions *p, const gr__table_odd *o, const char *what)
{
    if (o->count == 0) return GR_OK;
    char *text = gr__arena_printf(&p->arena, "%s:%lld: '%s' in column '%s' %s%s", p->csv.path, (long long)o->line,
                                  o->text, o->column, what, o->count > 1 ? "; it is the first of more" : "");
    if (!text) return gr__fail_memory("a note", 128);
    p->note[p->n_notes++] = text;
    return GR_OK;
}

static gr_status take_rows(gr_predictions *p, const gr_model *m, const gr__table_part *part, const float *output)
{
    const gr__columns *c = p->columns;
    size_t classes = (size_t)gr__columns_classes(c), outputs = (size_t)gr__columns_outputs(c), n = (size_t)part->n;
    const char **label = gr__arena_alloc(&p->arena, (classes + 1) * sizeof *label);
    p->row = gr__spill_new(n + 1, sizeof *p->row);
    p->probability = gr__spill_new(n * classes + 1, sizeof *p->probability);
    if (!label || !p->row || !p->probability) return gr__fail_memory("predictions", n * sizeof *p->row);
    for (size_t k = 0; k < classes; k++)
        if (!(label[k] = gr__arena_strdup(&p->arena, c->target.words.item[k]))) return gr__fail_memory("a label", 64);
    for (size_t i = 0; i < n; i++) {
        gr_prediction *r = &p->row[i];
        r->line = part->line[i];
        r->value = classes ? (double)NAN : gr__column_backward(&c->target, (double)output[i]);
        if (!classes) continue;
        double *q = p->probability + i * classes;
        gr__table_probabilities(c, output + i * outputs, q);
        r->probability = q;
        r->label = label[gr_model_decide(m, q, (int64_t)classes)];
    }
    return GR_OK;
}

/* Clusters or components. */
static gr_status take_places(gr_predictions *p, const gr_model *m, const gr__table_part *part)
{
    const gr__fitted_config *c = m->config;
    size_t n = (size_t)part->n, outputs = c->names.n;
    bool clusters = gr_model_label_kind(m) == GR_LABELS_ONE;
    const char **label = gr__arena_alloc(&p->arena, (outputs + 1) * sizeof *label);
    float *said = gr__spill_new(n * outputs + 1, sizeof *said);
    p->row = gr__spill_new(n + 1, sizeof *p->row);
    p->probability = gr__spill_new(n * outputs + 1, sizeof *p->probability);
    gr_status status =
        said && label && p->row && p->probability ? GR_OK : gr__fail_memory("predictions", n * sizeof *p->row);
    for (size_t k = 0; k < outputs && status == GR_OK; k++)
        if (!(label[k] = gr__arena_strdup(&p->arena, c->names.item[k]))) status = gr__fail_memory("a label", 64);
    if (status == GR_OK) status = gr__fitted_run(m, &(gr__points){part->numbers, part->n, c->inputs}, said, NULL);
    for (size_t i = 0; i < n && status == GR_OK; i++) {
        double *place = p->probability + i * outputs;
        size_t best = (size_t)gr__point_cluster(said + i * outputs, (int64_t)outputs);
        for (size_t k = 0; k < outputs; k++) place[k] = (double)said[i * outputs + k];
        p->row[i] = (gr_prediction){.line = part->line[i],
                                    .value = clusters ? place[best] : (double)NAN,
                                    .label = clusters ? label[best] : NULL,
                                    .place = place};
    }
    gr__spill_free(said);
    return status;
}

static gr_status predict(gr_model *m, const char *path, const gr_table_options *o, gr_predictions *p)
{
    gr__table_part part = {0};
    gr__table_oddities odd = {0};
    size_t *column, target;
    float *output = NULL;
    gr_status status = GR_OK;
    p->columns = m->family->columns(m->config);
    GR_TRY(gr__table_read_for(p->columns, path, o && o->skip_bad, &p->arena, &p->csv, &column, &target));
    GR_TRY_DONE(gr__table_encode(p->columns, &p->csv, column, SIZE_MAX, NULL, (int64_t)p->csv.rows, &part, &odd));
    if (is_fitted(m)) {
        GR_TRY_DONE(take_places(p, m, &part));
    } else {
        GR_TRY_DONE(run_rows(m, &part, &output));
        GR_TRY_DONE(take_rows(p, m, &part, output));
    }
    GR_TRY_DONE(add_note(p, &odd.bad, "is no number that the model can take and counts as missing"));
    GR_TRY_DONE(add_note(p, &odd.unknown, "was not seen in training and counts as unknown"));
    if (!(p->target = gr__arena_strdup(&p->arena, p->columns->target.name))) status = gr__fail_memory("a name", 64);
    GR_TRY_DONE(status);
    status = gr__csv_table_check(&p->csv);
done:
    gr__table_part_release(&part);
    gr__spill_free(output);
    return status;
}

gr_status gr_table_predict(gr_model *m, const char *path, const gr_table_options *o, gr_predictions **out)
{
    GR_FAIL_IF(!m || !path || !out, GR_ERR_ARGUMENT, "gr_table_predict: an argument is NULL");
    GR_TRY(want_table(m, "predicting from a CSV file"));
    gr_predictions *p = gr__calloc(1, sizeof *p);
    if (!p) return gr__fail_memory("predictions", sizeof *p);
    gr_status s = predict(m, path, o, p);
    if (s != GR_OK)
        gr_predictions_free(&p);
    else
        *out = p;
    return s;
}

void gr_predictions_free(gr_predictions **p)
{
    if (!p || !*p) return;
    gr__csv_table_release(&(*p)->csv);
    gr__spill_free((*p)->row);
    gr__spill_free((*p)->probability);
    gr__arena_release(&(*p)->arena);
    gr__free(*p);
    *p = NULL;
}

bool gr_predictions_get(const gr_predictions *p, int64_t i, gr_prediction *out)
{
    if (i < 0 || (size_t)i >= p->csv.rows) return false;
    *out = p->row[i];
    return true;
}

const char *gr_predictions_cell(const gr_predictions *p, int64_t row, int64_t column)
{
    if (column < 0 || (size_t)column >= p->csv.columns || row < -1 || row >= (int64_t)p->csv.rows) return NULL;
    return row < 0 ? p->csv.name[column] : gr__csv_table_cell(&p->csv, row, (size_t)column)->text;
}

gr_status gr_predictions_check(const gr_predictions *p)
{
    GR_FAIL_IF(!p, GR_ERR_ARGUMENT, "gr_predictions_check: the argument is NULL");
    return gr__csv_table_check(&p->csv);
}

const char *gr_predictions_target(const gr_predictions *p) { return p->target; }
const char *gr_predictions_note(const gr_predictions *p, int i) { return i >= 0 && i < p->n_notes ? p->note[i] : NULL; }

/* ---- metrics ---- */

static gr_status score_places(gr_model *m, const gr__table_part *part, bool known, gr_metric *out, int capacity, int *n)
{
    const gr__fitted_config *c = m->config;
    size_t rows = (size_t)part->n, outputs = c->names.n;
    float *said = gr__spill_new(rows * (outputs + 1) + 1, sizeof *said), *rest = said + rows * outputs;
    if (!said) return gr__fail_memory("predictions", rows * outputs * sizeof *said);
    gr__point_part points = {.points = {part->numbers, part->n, c->inputs},
                             .class = known && gr__columns_classes(&c->columns) ? part->class : NULL,
                             .line = part->line};
    gr__point_said s = {m, &points, &c->columns.target.words, said, rest, part->n};
    gr_status status = gr__fitted_run(m, &points.points, said, rest);
    if (status == GR_OK) status = gr__point_score(&s, out, capacity, n);
    gr__spill_free(said);
    return status;
}

static gr_status score(gr_model *m, const char *path, const gr_table_options *o, gr__arena *arena, gr__csv_table *csv,
                       gr_metric *out, int capacity, int *n)
{
    const gr__columns *c = m->family->columns(m->config);
    gr__table_part part = {0};
    size_t *column, target;
    float *output = NULL;
    gr_status status = GR_OK;
    GR_TRY(gr__table_read_for(c, path, o && o->skip_bad, arena, csv, &column, &target));
    GR_FAIL_IF(target == SIZE_MAX && !is_fitted(m), GR_ERR_DATA,
               "'%s' has no column '%.100s', the target; to predict it: gradus predict", path, c->target.name);
    GR_FAIL_IF(csv->rows == 0, GR_ERR_DATA, "'%s' has no rows", path);
    GR_TRY_DONE(gr__table_encode(c, csv, column, target, NULL, (int64_t)csv->rows, &part, NULL));
    if (is_fitted(m)) {
        GR_TRY_DONE(score_places(m, &part, target != SIZE_MAX, out, capacity, n));
    } else {
        GR_TRY_DONE(run_rows(m, &part, &output));
        GR_TRY_DONE(gr__table_score(c, &part, output, part.n, m->threshold, out, capacity, n));
    }
    status = gr__csv_table_check(csv);
done:
    gr__table_part_release(&part);
    gr__spill_free(output);
    return status;
}

gr_status gr_table_score(gr_model *m, const char *path, const gr_table_options *o, gr_metric *out, int capacity, int *n)
{
    gr__arena arena = {0};
    gr__csv_table csv = {0};
    GR_FAIL_IF(!m || !path || !out || !n, GR_ERR_ARGUMENT, "gr_table_score: an argument is NULL");
    GR_FAIL_IF(capacity < 0, GR_ERR_ARGUMENT, "there is no room for %d metrics", capacity);
    GR_TRY(want_table(m, "measuring on a CSV file"));
    gr_status s = score(m, path, o, &arena, &csv, out, capacity, n);
    gr__csv_table_release(&csv);
    gr__arena_release(&arena);
    return s;
}
