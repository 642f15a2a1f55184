#include "op/rows.h"

#include <math.h>

gr_status gr__infer_rows(gr__infer *c)
{
    const gr__value *x = c->in[0];
    GR_TRY(gr__want_float(c, 0));
    GR_FAIL_IF(x->rank < 1, GR_ERR_SHAPE, "%s: a scalar has no last axis", c->op);
    if (c->n_in == 2) {
        GR_TRY(gr__want_dtype(c, 1, x->dtype));
        GR_TRY(gr__want_shape(c, 1, x->rank, x->dim, "dy"));
    }
    c->out[0] = *x;
    return GR_OK;
}

double gr__row_lse(const gr__arg *x, const int64_t *index)
{
    int64_t row = gr__row(x, index), n = x->dim[x->rank - 1];
    double most = -(double)INFINITY, sum = 0;
    for (int64_t i = 0; i < n; i++) most = fmax(most, gr__load(x, row + i * gr__step(x)));
    if (most == -(double)INFINITY) return most;
    for (int64_t i = 0; i < n; i++) sum += exp(gr__load(x, row + i * gr__step(x)) - most);
    return most + log(sum);
}
