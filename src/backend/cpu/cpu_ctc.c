/* The CTC loss. */
#include "backend/cpu/table.h"

#include "base/parallel.h"
#include "kernel/ctc.h"
#include "op/attr.h"

static gr__ctc ctc_of(const gr__args *a)
{
    const gr__ctc_attr *o = a->attr;
    return (gr__ctc){.batch = a->in[0].dim[0],
                     .steps = a->in[0].dim[1],
                     .symbols = a->in[0].dim[2],
                     .most = a->in[1].dim[1],
                     .blank = o->blank,
                     .zero_infinity = o->zero_infinity,
                     .logits = a->in[0].data,
                     .targets = a->in[1].data,
                     .input_lengths = a->in[2].data,
                     .target_lengths = a->in[3].data,
                     .loss = a->out[0].data,
                     .dlogits = gr__wanted(a, 1) ? a->out[1].data : NULL,
                     .scratch = a->scratch};
}

static bool ctc_applicable(const gr__args *a, char *why)
{
    return a->in[0].dtype == GR_F32 ? true : gr__refuse(why, "dtype");
}

static size_t ctc_scratch(const gr__args *a)
{
    gr__ctc c = ctc_of(a);
    return gr__ctc_scratch(&c) * sizeof(double) * (size_t)gr__parallel_width();
}

static gr_status ctc(const gr__args *a, void *state)
{
    (void)state;
    gr__ctc c = ctc_of(a);
    gr__ctc_run(&c);
    return GR_OK;
}

const gr__kernel gr__cpu_ctc_loss = {
    .op = &gr__op_ctc_loss, .name = "ctc_loss", .applicable = ctc_applicable, .scratch_bytes = ctc_scratch, .run = ctc};
