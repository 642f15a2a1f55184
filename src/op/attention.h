/* What attention and its gradient share: shape rule of the operands and which key a query sees. */
#ifndef GR__OP_ATTENTION_H
#define GR__OP_ATTENTION_H

#include "op/attr.h"

/* q, k, v are operands 0, 1, 2; start, lengths, key_mask are operands 'optional' and the two behind it. */
gr_status gr__infer_attention(const gr__infer *c, int optional);

/* The references' view of the sizes and of the optional operands. */
typedef struct gr__attention_view {
    const gr__attention_attr *attr;
    const gr__arg *q, *k, *v, *start, *lengths, *mask;
    int64_t batch, tq, tk, heads, kv_heads, d;
} gr__attention_view;

gr__attention_view gr__attention_view_of(const gr__args *a, int optional);
bool gr__attention_sees(const gr__attention_view *w, int64_t b, int64_t i, int64_t j);
/* Sum over d of x(b, t, h, .)*y(b, s, g, .). */
double gr__attention_dot(const gr__arg *x, int64_t b, int64_t t, int64_t h, const gr__arg *y, int64_t s, int64_t g);

#endif
