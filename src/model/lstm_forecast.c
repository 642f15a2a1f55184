/* A recurrent forecaster: the window, less its last row, through an LSTM (GRU, RNN), and the future, less that row, from the
 * last state; so a level that training has not seen is no harm. Parameters are those of
 *
 *   rnn = torch.nn.LSTM(series, hidden, layers, batch_first=True)
 *   head = torch.nn.Linear(hidden, horizon*series)                   row by row of the future */
#include "model/recurrent.h"
#include "model/series.h"

typedef struct lstm_forecast_config {
    gr__series_config s; /* first */
    int cell;
    int64_t layers, hidden;
    double dropout;
} lstm_forecast_config;

enum { MOST_HIDDEN = 1 << 16 };

#define AT(field) offsetof(lstm_forecast_config, field)
static const gr__conf_row rows[] = {
    GR__SERIES_ROWS,
    {"cell", GR__CONF_ENUM, AT(cell), 0, 0, gr__recurrents, "lstm", "lstm, gru or rnn", 0},
    {"layers", GR__CONF_INT, AT(layers), 1, 2 * GR__MOST_CELLS, NULL, "1", "one on top of the other", 0},
    {"hidden", GR__CONF_INT, AT(hidden), 1, MOST_HIDDEN, NULL, "32", "units of a layer", 0},
    {"dropout", GR__CONF_DOUBLE, AT(dropout), 0, 1, NULL, "0", "between the layers and before the head",
     GR__CONF_BELOW_MAX},
};

static gr_status finish(void *config, const gr__facts *facts)
{
    return gr__series_finish(&((lstm_forecast_config *)config)->s, facts);
}

static gr_value build_series(gr_graph *g, const void *config, gr_value x, bool train)
{
    const lstm_forecast_config *c = config;
    int64_t batch = gr_value_dim(g, x, 0), n = gr_value_dim(g, x, 2);
    gr_value last = gr__series_last(g, x);
    gr_rnn_options o = {.layers = c->layers, .dropout = c->dropout, .evaluate = !train};
    gr_value y = gr__recurrent(g, c->cell, "rnn", gr_sub(g, x, last), c->hidden, &o, NULL, NULL);
    y = gr_reshape(g, gr__series_last(g, y), 2, (int64_t[]){batch, c->hidden});
    if (train && c->dropout > 0) y = gr_dropout(g, y, c->dropout);
    y = gr_linear(g, "head", y, c->s.horizon * n, NULL);
    return gr_add(g, gr_reshape(g, y, 3, (int64_t[]){batch, c->s.horizon, n}), last);
}

static gr_status read_json(gr__json root, void *config, gr__arena *arena)
{
    lstm_forecast_config *c = config;
    *c = (lstm_forecast_config){.layers = 1, .hidden = 32};
    GR_TRY(gr__series_read_json(root, &c->s, arena));
    GR_TRY(gr__hf_choice(root, "cell", gr__recurrents, &c->cell));
    GR_TRY(gr__hf_int(root, "num_layers", 1, 2 * GR__MOST_CELLS, &c->layers));
    GR_TRY(gr__hf_int(root, "hidden_size", 1, MOST_HIDDEN, &c->hidden));
    return gr__hf_double(root, "dropout", 0, 0.999, &c->dropout);
}

static void write_json(const void *config, gr__str *out)
{
    const lstm_forecast_config *c = config;
    gr__hf_put_text(out, "cell", gr__recurrents[c->cell]);
    gr__hf_put_double(out, "dropout", c->dropout);
    gr__hf_put_int(out, "hidden_size", c->hidden);
    gr__hf_put_int(out, "num_layers", c->layers);
    gr__series_write_json(&c->s, out);
}

static gr_model_info describe(const void *config)
{
    const lstm_forecast_config *c = config;
    gr_model_info info = gr__series_info(&c->s);
    info.layers = c->layers;
    info.width = c->hidden;
    return info;
}

const gr__family gr__family_lstm_forecast = {
    GR__SERIES_FAMILY,
    .name = "lstm_forecast",
    .hf_type = "gradus_lstm_forecast",
    .hf_class = "GradusLstmForecast",
    .summary = "an LSTM, GRU or RNN that continues series",
    .config_bytes = sizeof(lstm_forecast_config),
    .rows = rows,
    .n_rows = GR__COUNT(rows),
    .finish = finish,
    .build_series = build_series,
    .read_json = read_json,
    .write_json = write_json,
    .describe = describe,
};
