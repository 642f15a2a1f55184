#include "backend/cpu/scan.h"

#include "kernel/copy.h"

#include <string.h>

gr__scan gr__scan_of(const gr__args *a)
{
    const gr__recurrent_attr *o = a->attr;
    bool lstm = a->op == &gr__op_lstm || a->op == &gr__op_lstm_grad,
         gru = a->op == &gr__op_gru || a->op == &gr__op_gru_grad;
    gr__rnn_kind kind = lstm  ? GR__RNN_LSTM
                        : gru ? (o->reset_before ? GR__RNN_GRU_BEFORE : GR__RNN_GRU)
                              : (o->relu ? GR__RNN_RELU : GR__RNN_TANH);
    const gr__arg *x = &a->in[GR__RNN_X];
    bool backward = a->op == &gr__op_lstm_grad || a->op == &gr__op_gru_grad || a->op == &gr__op_rnn_grad;
    bool keeps = backward || (a->n_out > GR__RNN_SAVED && gr__wanted(a, GR__RNN_SAVED));
    return (gr__scan){.kind = kind,
                      .b = x->dim[0],
                      .t = x->dim[1],
                      .i = x->dim[2],
                      .h = a->in[GR__RNN_W_HH].dim[1],
                      .g = gr__rnn_gates(kind),
                      .s = keeps ? gr__rnn_saved(kind) : gr__rnn_gates(kind),
                      .keeps = keeps,
                      .dtype = x->dtype,
                      .item = gr_dtype_size_bytes(x->dtype)};
}

bool gr__scan_applicable(const gr__args *a, char *why)
{
    return gr__fast_float(&a->in[GR__RNN_X]) ? true : gr__refuse(why, "dtype");
}

float *gr__scan_floats(const gr__args *a, int i, gr__room *r)
{
    if (!gr__has(a, i)) return NULL;
    const gr__arg *x = &a->in[i];
    if (x->dtype == GR_F32) return x->data;
    int64_t n = gr__arg_count(x);
    float *to = gr__room_take(r, n, sizeof *to);
    if (to) gr__cast(to, GR_F32, x->data, GR_BF16, n);
    return to;
}

float *gr__scan_state(const gr__args *a, int in, int out, int64_t n, gr__room *r)
{
    float *to = out < a->n_out && gr__wanted(a, out) ? a->out[out].data : gr__room_take(r, n, sizeof *to);
    if (!r->base) return NULL;
    if (!gr__has(a, in))
        memset(to, 0, (size_t)n * sizeof *to);
    else if (a->in[in].dtype == GR_F32)
        memcpy(to, a->in[in].data, (size_t)n * sizeof *to);
    else
        gr__cast(to, GR_F32, a->in[in].data, GR_BF16, n);
    return to;
}
