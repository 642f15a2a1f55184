/* llama2.c's first model format (karpathy/llama2.c export.py version 0): seven i32, then f32 weights in a fixed order.
 * A negative vocabulary means that the output matrix is not the embedding. */
#ifndef GR__LLAMA2C_H
#define GR__LLAMA2C_H

#include "base/file.h"

/* C = dim, F = hidden, L = layers, H = heads, K = kv_heads, V = vocab, T = context, D = C / H. Borrowed from map. */
typedef struct gr__llama2c {
    int64_t dim, hidden, layers, heads, kv_heads, vocab, context;
    bool tied;                          /* output is token_embedding */
    const float *token_embedding;       /* (V, C) */
    const float *attention_norm;        /* (L, C) */
    const float *wq;                    /* (L, C, C) */
    const float *wk, *wv;               /* (L, K*D, C) */
    const float *wo;                    /* (L, C, C) */
    const float *ffn_norm;              /* (L, C) */
    const float *w1;                    /* (L, F, C) gate */
    const float *w2;                    /* (L, C, F) down */
    const float *w3;                    /* (L, F, C) up */
    const float *final_norm;            /* (C) */
    const float *freq_real, *freq_imag; /* (T, D/2) cosines and sines of the rotary embedding */
    const float *output;                /* (V, C) */
    gr__mapping map;
} gr__llama2c;

/* The file must have exactly the size that its header asks for. Failure: *out is empty. */
gr_status gr__llama2c_open(const char *path, gr__llama2c *out);
void gr__llama2c_close(gr__llama2c *model);

#endif
