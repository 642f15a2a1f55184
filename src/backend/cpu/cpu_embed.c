/* Rows of tables: embedding and the gradient that adds into them. */
#include "backend/cpu/table.h"

#include "kernel/copy.h"
#include "kernel/embed.h"
#include "op/attr.h"

static bool applicable(const gr__args *a, char *why) { return gr__all_fast(a) ? true : gr__refuse(why, "dtype"); }

static bool scatter_applicable(const gr__args *a, char *why)
{
    if (a->out[0].dtype != GR_F32 || !gr__fast_float(&a->in[0])) return gr__refuse(why, "adds into f32 only");
    return true;
}

static gr_status embedding(const gr__args *a, void *state)
{
    (void)state;
    gr__embed e = {.rows = gr__arg_count(&a->in[1]),
                   .v = a->in[0].dim[0],
                   .c = a->in[0].dim[1],
                   .ids = a->in[1].data,
                   .table = gr__rows_of(&a->in[0]),
                   .y = gr__rows_of(&a->out[0])};
    gr__embed_forward(&e);
    return GR_OK;
}

static gr_status scatter_add(const gr__args *a, void *state)
{
    (void)state;
    const gr__arg *out = &a->out[0];
    size_t bytes = (size_t)gr__arg_count(out) * sizeof(float);
    if (a->n_in < 3 || !gr__arg_there(&a->in[2]))
        gr__fill_zero(out->data, bytes);
    else if (a->in[2].data != out->data)
        gr__copy(out->data, a->in[2].data, bytes);
    gr__embed e = {.rows = gr__arg_count(&a->in[1]),
                   .v = out->dim[0],
                   .c = out->dim[1],
                   .ids = a->in[1].data,
                   .dy = gr__rows_of(&a->in[0]),
                   .dtable = gr__rows_of(out)};
    gr__embed_backward(&e);
    return GR_OK;
}

const gr__kernel gr__cpu_embedding = {
    .op = &gr__op_embedding, .name = "embedding", .applicable = applicable, .run = embedding};
const gr__kernel gr__cpu_scatter_add = {
    .op = &gr__op_scatter_add, .name = "scatter_add", .applicable = scatter_applicable, .run = scatter_add};
