/* The recurrent layers by name, for the families that stack them. */
#ifndef GR__RECURRENT_H
#define GR__RECURRENT_H

#include "gradus/nn.h"

enum { GR__CELL_LSTM, GR__CELL_GRU, GR__CELL_RNN };
extern const char *const gr__recurrents[]; /* up to NULL; ORDER CELL */
enum { GR__MOST_CELLS = 8 };               /* layers of both directions: gr_rnn_options */

/* The layer of that kind; *c_n is set by LSTMs alone. */
gr_value gr__recurrent(gr_graph *g, int cell, const char *name, gr_value x, int64_t hidden, const gr_rnn_options *o,
                       gr_value *h_n, gr_value *c_n);

#endif
