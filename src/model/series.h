/* What all forecasters have in common: the first member of their configuration is a gr__series_config, their rows begin with
 * GR__SERIES_ROWS, their row in families has GR__SERIES_FAMILY. The statistics by which the series are normalised travel in
 * the model. */
#ifndef GR__SERIES_H
#define GR__SERIES_H

#include "model/family.h"
#include "model/hf_json.h"

typedef struct gr__series_config {
    int64_t window, horizon;
    bool log;
    gr__conf_strings names;
    gr__conf_doubles mean, std; /* of each series (with log: of its logarithm) where the model was trained */
} gr__series_config;

enum { GR__MOST_ROWS_OF_SERIES = 1 << 20, GR__MOST_SERIES = 1 << 16 };

#define GR__SERIES_ROWS                                                                                        \
    {"window", GR__CONF_INT, offsetof(gr__series_config, window), 1, GR__MOST_ROWS_OF_SERIES,                  \
     NULL,     "96",         "rows of the past that it looks at", 0},                                          \
    {                                                                                                          \
        "horizon", GR__CONF_INT, offsetof(gr__series_config, horizon), 1, GR__MOST_ROWS_OF_SERIES, NULL, "24", \
            "rows of the future that it gives", 0                                                              \
    }

gr_status gr__series_finish(gr__series_config *c, const gr__facts *facts);
gr_status gr__series_read_json(gr__json root, gr__series_config *c, gr__arena *arena);
void gr__series_write_json(const gr__series_config *c, gr__str *out);
gr_model_info gr__series_info(const gr__series_config *c);
const gr__conf_strings *gr__series_names(const void *config);

/* Between the scale of the file and that of the network; 'series' from 0. */
double gr__series_forward(const gr__series_config *c, size_t series, double value);
double gr__series_backward(const gr__series_config *c, size_t series, double value);

/* x (B, T, N) -> (B, N, T), and back. */
gr_value gr__series_turn(gr_graph *g, gr_value x);
/* The last row of x (B, T, N): (B, 1, N). */
gr_value gr__series_last(gr_graph *g, gr_value x);

#define GR__SERIES_FAMILY .kind = GR_MODEL_SERIES, .labels = gr__series_names

#endif
