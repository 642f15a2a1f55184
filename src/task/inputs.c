#include "task/inputs.h"

#include <string.h>

enum { LINE_BYTES = 64 };

static size_t room(const gr_tensor *t) { return (gr_tensor_size_bytes(t) + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES; }

gr_status gr__inputs_of(gr_session *session, gr__inputs *out)
{
    gr__input next;
    size_t n = 0;
    for (size_t at = 0; gr__session_next_input(session, &at, &next.name, &next.tensor);) n++;
    *out = (gr__inputs){.item = gr__calloc(n + 1, sizeof *out->item)};
    if (!out->item) return gr__fail_memory("a list of inputs", (n + 1) * sizeof *out->item);
    for (size_t at = 0; gr__session_next_input(session, &at, &next.name, &next.tensor);) out->item[out->n++] = next;
    return GR_OK;
}

gr_status gr__inputs_new(const gr__inputs *like, gr__inputs *out)
{
    size_t bytes = 0;
    for (size_t i = 0; i < like->n; i++) bytes += room(&like->item[i].tensor);
    *out = (gr__inputs){.item = gr__calloc(like->n + 1, sizeof *out->item), .n = like->n, .own_bytes = bytes};
    out->own = gr__alloc_large(bytes + 1);
    if (!out->item || !out->own) {
        gr__inputs_release(out);
        return gr__fail_memory("inputs", bytes);
    }
    bytes = 0;
    for (size_t i = 0; i < like->n; i++) {
        out->item[i] = like->item[i];
        out->item[i].tensor.data = out->own + bytes;
        bytes += room(&like->item[i].tensor);
    }
    return GR_OK;
}

void gr__inputs_release(gr__inputs *in)
{
    gr__free(in->item);
    gr__free_large(in->own, in->own_bytes + 1);
    *in = (gr__inputs){0};
}

bool gr__inputs_find(const gr__inputs *in, const char *name, gr_tensor *out)
{
    for (size_t i = 0; i < in->n; i++)
        if (strcmp(in->item[i].name, name) == 0) {
            *out = in->item[i].tensor;
            return true;
        }
    return false;
}

void gr__inputs_copy(const gr__inputs *from, const gr__inputs *to)
{
    for (size_t i = 0; i < to->n; i++)
        memcpy(to->item[i].tensor.data, from->item[i].tensor.data, gr_tensor_size_bytes(&to->item[i].tensor));
}
