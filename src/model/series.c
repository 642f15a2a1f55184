#include "model/series.h"

#include "gradus/nn.h"

#include <math.h>

gr_status gr__series_finish(gr__series_config *c, const gr__facts *facts)
{
    if (facts->labels.n) {
        c->names = facts->labels;
        c->mean = facts->mean;
        c->std = facts->std;
        c->log = facts->log;
    }
    GR_FAIL_IF(c->names.n == 0, GR_ERR_CONFIG, "a forecaster is made by the task 'forecasting' alone");
    return GR_OK;
}

gr_status gr__series_read_json(gr__json root, gr__series_config *c, gr__arena *arena)
{
    static const char *const needed[] = {"window", "horizon", "id2label", "mean", "std"};
    for (size_t i = 0; i < GR__COUNT(needed); i++) GR_TRY(gr__hf_need(root, needed[i]));
    GR_TRY(gr__hf_int(root, "window", 1, GR__MOST_ROWS_OF_SERIES, &c->window));
    GR_TRY(gr__hf_int(root, "horizon", 1, GR__MOST_ROWS_OF_SERIES, &c->horizon));
    GR_TRY(gr__hf_bool(root, "log", &c->log));
    GR_TRY(gr__hf_read_labels(root, 1, arena, &c->names));
    GR_TRY(gr__hf_doubles(root, "mean", GR__MOST_SERIES, arena, &c->mean));
    GR_TRY(gr__hf_doubles(root, "std", GR__MOST_SERIES, arena, &c->std));
    GR_FAIL_IF(c->mean.n != c->names.n || c->std.n != c->names.n, GR_ERR_CORRUPT,
               "'mean' and 'std' need %zu numbers, one for each series", c->names.n);
    for (size_t i = 0; i < c->std.n; i++)
        GR_FAIL_IF(!(c->std.item[i] > 0), GR_ERR_CORRUPT, "'std' must hold numbers above 0");
    return GR_OK;
}

void gr__series_write_json(const gr__series_config *c, gr__str *out)
{
    gr__hf_put_int(out, "horizon", c->horizon);
    gr__hf_put_labels(out, &c->names);
    gr__hf_put_bool(out, "log", c->log);
    gr__hf_put_doubles(out, "mean", &c->mean);
    gr__hf_put_doubles(out, "std", &c->std);
    gr__hf_put_int(out, "window", c->window);
}

gr_model_info gr__series_info(const gr__series_config *c)
{
    return (gr_model_info){.series = (int64_t)c->names.n, .window = c->window, .horizon = c->horizon};
}

const gr__conf_strings *gr__series_names(const void *config) { return &((const gr__series_config *)config)->names; }

double gr__series_forward(const gr__series_config *c, size_t series, double value)
{
    return ((c->log ? log(value) : value) - c->mean.item[series]) / c->std.item[series];
}

double gr__series_backward(const gr__series_config *c, size_t series, double value)
{
    double v = value * c->std.item[series] + c->mean.item[series];
    return c->log ? exp(v) : v;
}

gr_value gr__series_turn(gr_graph *g, gr_value x) { return gr_permute(g, x, (int[]){0, 2, 1}); }

gr_value gr__series_last(gr_graph *g, gr_value x) { return gr_slice(g, x, 1, gr_value_dim(g, x, 1) - 1, 1); }
