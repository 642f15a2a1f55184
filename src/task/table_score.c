#include "task/table_score.h"

#include "task/label_score.h"
#include "task/metric_list.h"
#include "task/number_panels.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void gr__table_probabilities(const gr__columns *c, const float *output, double *probability)
{
    int64_t k = gr__columns_classes(c);
    if (k == 2) {
        probability[1] = 1 / (1 + exp(-(double)output[0]));
        probability[0] = 1 - probability[1];
        return;
    }
    double most = (double)output[0], sum = 0;
    for (int64_t i = 1; i < k; i++) most = fmax(most, (double)output[i]);
    for (int64_t i = 0; i < k; i++) sum += probability[i] = exp((double)output[i] - most);
    for (int64_t i = 0; i < k; i++) probability[i] /= sum;
}

static gr_status score_numbers(const gr__columns *c, const gr__table_part *part, const float *output, int64_t n,
                               gr__metric_list *l)
{
    gr_regression *r;
    gr_regression_scores s;
    GR_TRY(gr_regression_new(&r));
    gr_status status = GR_OK;
    for (int64_t i = 0; i < n && status == GR_OK; i++) {
        double actual = gr__column_backward(&c->target, part->number[i]),
               predicted = gr__column_backward(&c->target, (double)output[i]);
        status = gr_regression_update(r, &actual, &predicted, 1);
    }
    if (status == GR_OK) status = gr_regression_result(r, &s);
    gr_regression_free(&r);
    GR_TRY(status);
    gr__metric_add(l, "rmse", s.rmse);
    gr__metric_add(l, "mae", s.mae);
    gr__metric_add(l, "r2", s.r2);
    return GR_OK;
}

/* Of the first n rows; the caller frees *out. */
static gr_status take_classes(const gr__columns *c, const gr__table_part *part, const float *output, int64_t n,
                              gr__label_score **out)
{
    int64_t classes = gr__columns_classes(c), outputs = gr__columns_outputs(c);
    double *row = gr__calloc((size_t)classes, sizeof *row);
    if (!row) return gr__fail_memory("scores", (size_t)classes * sizeof *row);
    gr_status status = gr__label_score_new(&c->target.words, out);
    for (int64_t i = 0; i < n && status == GR_OK; i++) {
        gr__table_probabilities(c, output + i * outputs, row);
        status = gr__label_score_add(*out, row, part->class[i], i);
    }
    gr__free(row);
    return status;
}

static gr_status score_classes(const gr__columns *c, const gr__table_part *part, const float *output, int64_t n,
                               double threshold, gr__metric_list *l)
{
    gr__label_score *s = NULL;
    gr_status status = take_classes(c, part, output, n, &s);
    if (status == GR_OK) gr__label_score_set_threshold(s, threshold);
    if (status == GR_OK) status = gr__label_score_metrics(s, l->item, l->capacity, &l->n);
    gr__label_score_free(&s);
    return status;
}

gr_status gr__table_tune(const gr__columns *c, const gr__table_part *part, const float *output, int64_t n,
                         const gr__tuning *how, gr_model *model)
{
    gr__label_score *s = NULL;
    gr_status status = take_classes(c, part, output, n, &s);
    if (status == GR_OK) status = gr__label_score_tune(s, how, model);
    gr__label_score_free(&s);
    return status;
}

gr_status gr__table_score(const gr__columns *c, const gr__table_part *part, const float *output, int64_t n,
                          double threshold, gr_metric *out, int capacity, int *n_out)
{
    gr__metric_list l = {out, capacity, 0};
    gr_status status = gr__columns_classes(c) ? score_classes(c, part, output, n, threshold, &l)
                                              : score_numbers(c, part, output, n, &l);
    *n_out = GR__MIN(l.n, capacity);
    return status;
}

/* ---- panels ---- */

typedef struct named {
    const gr__table_part *part;
    const char *path;
} named;

static const char *line_of(void *user, int64_t row, char room[256])
{
    const named *n = user;
    snprintf(room, 256, "%.230s:%lld", n->path, (long long)n->part->line[row]);
    return room;
}

static gr_status number_panels(const gr__columns *c, const gr__table_part *part, const float *output, int64_t n,
                               gr__str *page)
{
    double *actual = gr__calloc(2 * (size_t)n + 1, sizeof *actual), *predicted = actual + n;
    if (!actual) return gr__fail_memory("scores", 2 * (size_t)n * sizeof *actual);
    for (int64_t i = 0; i < n; i++) {
        actual[i] = gr__column_backward(&c->target, part->number[i]);
        predicted[i] = gr__column_backward(&c->target, (double)output[i]);
    }
    gr_status status = gr__number_panels(actual, predicted, (size_t)n, NULL, page);
    gr__free(actual);
    return status;
}

gr_status gr__table_panels(const gr__columns *c, const gr__table_part *part, const float *output, int64_t n,
                           double threshold, const char *path, gr__str *page)
{
    gr__label_score *s = NULL;
    if (gr__columns_classes(c) == 0) return number_panels(c, part, output, n, page);
    gr_status status = take_classes(c, part, output, n, &s);
    if (status == GR_OK) gr__label_score_set_threshold(s, threshold);
    if (status == GR_OK) status = gr__label_score_panels(s, line_of, NULL, &(named){part, path}, page);
    gr__label_score_free(&s);
    return status;
}
