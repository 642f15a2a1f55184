#include "model/recurrent.h"

/* ORDER CELL */
const char *const gr__recurrents[] = {"lstm", "gru", "rnn", NULL};

gr_value gr__recurrent(gr_graph *g, int cell, const char *name, gr_value x, int64_t hidden, const gr_rnn_options *o,
                       gr_value *h_n, gr_value *c_n)
{
    if (cell == GR__CELL_LSTM) return gr_lstm(g, name, x, hidden, o, h_n, c_n);
    return cell == GR__CELL_GRU ? gr_gru(g, name, x, hidden, o, h_n) : gr_rnn(g, name, x, hidden, o, h_n);
}
