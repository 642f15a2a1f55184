/* libFuzzer's entry: a model is read and run once, with small numbers in, as little memory as that may take, and any status. */
#include "gradus/base.h"
#include "gradus/onnx.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { MOST_PORTS = 4, MOST_NUMBERS = 4096, DIM = 2 };

/* A tensor for the port, axes of any size DIM long, all numbers 1; false: there is none so small. */
static bool fill(const gr_onnx_port *port, double *room, gr_tensor *t)
{
    int64_t count = 1;
    *t = (gr_tensor){.dtype = port->dtype, .rank = port->rank < 0 ? 0 : port->rank, .data = room};
    if (port->dtype == GR_DTYPE_NONE) return false;
    for (int i = 0; i < t->rank; i++) {
        t->dim[i] = port->dim[i] < 0 ? DIM : port->dim[i];
        if (t->dim[i] > MOST_NUMBERS || (count *= t->dim[i]) > MOST_NUMBERS) return false;
    }
    for (int64_t i = 0; i < count; i++) gr_tensor_set(t, i, 1);
    return true;
}

static gr_status run(gr_onnx *model)
{
    static double room[MOST_PORTS][MOST_NUMBERS];
    gr_tensor in[MOST_PORTS], out[MOST_PORTS];
    gr_onnx_port port;
    int n_in = 0, n_out = 0;
    for (; gr_onnx_input(model, (size_t)n_in, &port); n_in++)
        if (n_in == MOST_PORTS || !fill(&port, room[n_in], &in[n_in])) return GR_OK;
    while (gr_onnx_output(model, (size_t)n_out, &port))
        if (++n_out > MOST_PORTS) return GR_OK;
    return gr_onnx_run(model, in, n_in, out, n_out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    gr_onnx *model = NULL;
    size_t before = gr_memory_used_bytes();
    gr_status status = gr_onnx_open_bytes(bytes, n, "x", &model);
    if (status == GR_OK) status = run(model);
    gr_onnx_free(&model);
    if (gr_memory_used_bytes() != before) abort();
    if (status != GR_OK && gr_message()[0] == 0) abort();
    return 0;
}
