/* DLinear (Zeng et al. 2022): a moving average is the trend, what is left the season, and each row of the future is a linear
 * function of the window of both; all series share it. Parameters are those of the paper's Linear_Trend and Linear_Seasonal,
 * (horizon, window). At its ends the average repeats the first and the last row. */
#include "gradus/nn.h"
#include "model/series.h"

enum { MOST_AVERAGE = 4096 };

typedef struct dlinear_config {
    gr__series_config s; /* first */
    int64_t average;
} dlinear_config;

static const gr__conf_row rows[] = {
    GR__SERIES_ROWS,
    {"average", GR__CONF_INT, offsetof(dlinear_config, average), 1, MOST_AVERAGE, NULL, "25",
     "rows of the moving average, an odd number", 0},
};

static gr_status finish(void *config, const gr__facts *facts)
{
    dlinear_config *c = config;
    GR_FAIL_IF(c->average % 2 == 0, GR_ERR_CONFIG, "'average' is %lld; it must be odd", (long long)c->average);
    return gr__series_finish(&c->s, facts);
}

static gr_value trend_of(gr_graph *g, const dlinear_config *c, gr_value x)
{
    int64_t half = c->average / 2, dim[] = {gr_value_dim(g, x, 0), half, gr_value_dim(g, x, 2)};
    if (half == 0) return x;
    gr_value part[] = {gr_broadcast_to(g, gr_slice(g, x, 1, 0, 1), 3, dim), x,
                       gr_broadcast_to(g, gr__series_last(g, x), 3, dim)};
    return gr_avg_pool(g, gr_concat(g, part, 3, 1), &(gr_pool_options){.size = {c->average}, .stride = {1}});
}

static gr_value build_series(gr_graph *g, const void *config, gr_value x, bool train)
{
    (void)train;
    const dlinear_config *c = config;
    gr_value trend = trend_of(g, c, x);
    gr_value season = gr_linear(g, "Linear_Seasonal", gr__series_turn(g, gr_sub(g, x, trend)), c->s.horizon, NULL);
    gr_value slow = gr_linear(g, "Linear_Trend", gr__series_turn(g, trend), c->s.horizon, NULL);
    return gr__series_turn(g, gr_add(g, season, slow));
}

static gr_status read_json(gr__json root, void *config, gr__arena *arena)
{
    dlinear_config *c = config;
    *c = (dlinear_config){.average = 25};
    GR_TRY(gr__series_read_json(root, &c->s, arena));
    return gr__hf_int(root, "average", 1, MOST_AVERAGE, &c->average);
}

static void write_json(const void *config, gr__str *out)
{
    const dlinear_config *c = config;
    gr__hf_put_int(out, "average", c->average);
    gr__series_write_json(&c->s, out);
}

static gr_model_info describe(const void *config)
{
    gr_model_info info = gr__series_info(config);
    info.layers = 1;
    return info;
}

const gr__family gr__family_dlinear = {
    GR__SERIES_FAMILY,
    .name = "dlinear",
    .hf_type = "gradus_dlinear",
    .hf_class = "GradusDLinear",
    .summary = "DLinear: a linear forecast of trend and season",
    .config_bytes = sizeof(dlinear_config),
    .rows = rows,
    .n_rows = GR__COUNT(rows),
    .finish = finish,
    .build_series = build_series,
    .read_json = read_json,
    .write_json = write_json,
    .describe = describe,
};
