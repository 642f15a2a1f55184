#include "task/table_score.h"

#include "gradus/metric.h"
#include "task/class_score.h"

void gr__table_probabilities(const gr__columns *c, const float *output, double *probability)
{
    gr__class_probabilities(gr__columns_classes(c), gr__columns_outputs(c), output, probability);
}

static gr_status score_numbers(const gr__columns *c, const gr__table_part *part, const float *output, int64_t n,
                               gr__metrics *l)
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
    gr__metrics_add(l, "rmse", s.rmse);
    gr__metrics_add(l, "mae", s.mae);
    gr__metrics_add(l, "r2", s.r2);
    return GR_OK;
}

gr_status gr__table_score(const gr__columns *c, const gr__table_part *part, const float *output, int64_t n,
                          gr_metric *out, int capacity, int *n_out)
{
    gr__metrics l = {out, capacity, 0};
    int32_t classes = (int32_t)gr__columns_classes(c);
    gr_status status = classes ? gr__class_score(classes, gr__columns_outputs(c), part->class, output, n, &l)
                               : score_numbers(c, part, output, n, &l);
    *n_out = GR__MIN(l.n, capacity);
    return status;
}
