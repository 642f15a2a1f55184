#include "op/reduce.h"

gr_status gr__infer_reduce(gr__infer *c)
{
    const gr__reduce_attr *a = c->attr;
    const gr__value *x = c->in[0];
    char s[96];
    GR_TRY(gr__want_float(c, 0));
    GR_FAIL_IF(a->axes >> x->rank, GR_ERR_ARGUMENT, "%s: axes 0x%x of shape %s", c->op, (unsigned)a->axes,
               gr__shape_text(s, x->rank, x->dim));
    uint32_t mask = gr__reduce_mask(a, x->rank);
    gr__value *out = &c->out[0];
    out->dtype = x->dtype;
    out->rank = 0;
    for (int i = 0; i < x->rank; i++) {
        bool reduced = mask >> i & 1u;
        if (!reduced || a->keep) out->dim[out->rank++] = reduced ? 1 : x->dim[i];
    }
    return GR_OK;
}

int64_t gr__reduce_count(const gr__reduce_attr *a, int rank, const int64_t *dim)
{
    uint32_t mask = gr__reduce_mask(a, rank);
    int64_t n = 1;
    for (int i = 0; i < rank; i++)
        if (mask >> i & 1u) n *= dim[i];
    return n;
}

/* Outer walk over the results, inner walk over the reduced axes; both index x. */
gr_status gr__reference_reduce(const gr__args *a, gr__fold fold, double first, double scale)
{
    const gr__reduce_attr *attr = a->attr;
    const gr__arg *x = &a->in[0], *y = &a->out[0];
    uint32_t mask = gr__reduce_mask(attr, x->rank);
    int64_t kept[GR_MAX_RANK], gone[GR_MAX_RANK], outer[GR_MAX_RANK] = {0}, step[GR_MAX_RANK];
    for (int i = 0, k = 0; i < x->rank; i++) {
        bool reduced = mask >> i & 1u;
        kept[i] = reduced ? 1 : x->dim[i];
        gone[i] = reduced ? x->dim[i] : 1;
        step[i] = reduced ? 0 : y->stride[k];
        k += !reduced || attr->keep;
    }
    do {
        int64_t inner[GR_MAX_RANK] = {0}, from = gr__offset(x, outer), to = 0;
        double so_far = first;
        do so_far = fold(so_far, gr__load(x, from + gr__offset(x, inner)));
        while (gr__next_index(x->rank, gone, inner));
        for (int i = 0; i < x->rank; i++) to += outer[i] * step[i];
        gr__store(y, to, so_far * scale);
    } while (gr__next_index(x->rank, kept, outer));
    return GR_OK;
}
