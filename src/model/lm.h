/* What the language models share. */
#ifndef GR__LM_H
#define GR__LM_H

#include "gradus/nn.h"
#include "model/family.h"

/* Sizes that no model is beyond; graphs of hostile configurations stay small. */
enum {
    GR__MOST_LAYERS = 1024,
    GR__MOST_HEADS = 1 << 12,
    GR__MOST_WIDTH = 1 << 20,
    GR__MOST_HIDDEN = 1 << 24,
    GR__MOST_VOCAB = 1 << 26,
    GR__MOST_CONTEXT = 1 << 28
};

/* Causal attention of q (B, T, H, D) to k and v (B, T, Hkv, D) and, when decoding, to what the caches of the open scope
 * hold before them. */
gr_value gr__lm_attend(gr_graph *g, const gr__lm_in *in, gr_value q, gr_value k, gr_value v);

/* x, dropped out with probability p (0: as it is). */
gr_value gr__lm_dropout(gr_graph *g, gr_value x, double p);

/* The vocabulary of configuration and tokenizer together, in *vocab. */
gr_status gr__lm_vocab(int64_t *vocab, const gr__facts *facts);

#endif
