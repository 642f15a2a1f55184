#include "model/lm.h"

/* cache (B, Tmax, H, D) with 'fresh' (B, T, H, D) at its place; the program leaves it so. */
static gr_value cached(gr_graph *g, const gr__lm_in *in, const char *path, gr_value fresh)
{
    int64_t dim[] = {in->batch, in->cache, gr_value_dim(g, fresh, 2), gr_value_dim(g, fresh, 3)};
    gr_value cache = gr_session_state(g, path, in->cache_dtype, 4, dim);
    gr_value now = gr_cache_write(g, cache, fresh, in->start);
    gr_update(g, in->program, cache, now);
    return now;
}

gr_value gr__lm_attend(gr_graph *g, const gr__lm_in *in, gr_value q, gr_value k, gr_value v)
{
    gr_attention_options o = {.causal = true, .start = in->start};
    if (!in->start) return gr_attention(g, q, k, v, &o);
    k = cached(g, in, "cache.k", k);
    v = cached(g, in, "cache.v", v);
    if (in->cache_dtype == GR_F32) return gr_attention(g, q, k, v, &o);
    return gr_cast(g, gr_attention(g, gr_cast(g, q, in->cache_dtype), k, v, &o), GR_F32);
}

gr_value gr__lm_dropout(gr_graph *g, gr_value x, double p) { return p > 0 ? gr_dropout(g, x, p) : x; }

gr_status gr__lm_vocab(int64_t *vocab, const gr__facts *facts)
{
    if (*vocab == 0) *vocab = facts->vocab;
    GR_FAIL_IF(*vocab == 0, GR_ERR_CONFIG, "'vocab' must be given: there is no tokenizer to take it from");
    GR_FAIL_IF(*vocab < facts->vocab, GR_ERR_CONFIG, "'vocab' is %lld, but the tokenizer has %lld ids",
               (long long)*vocab, (long long)facts->vocab);
    return GR_OK;
}
