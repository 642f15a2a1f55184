#include "model/sentence.h"

const char *const gr__sentence_begins[] = {"classifier.*", NULL};

gr_status gr__sentence_finish(gr__sentence_config *c, const gr__facts *facts)
{
    if (facts->labels.n) c->labels = facts->labels;
    return gr__lm_vocab(&c->vocab, facts);
}

gr_status gr__sentence_read_json(gr__json root, gr__sentence_config *c, gr__arena *arena)
{
    static const char *const needed[] = {"vocab_size", "hidden_size", "max_position_embeddings"};
    for (size_t i = 0; i < GR__COUNT(needed); i++) GR_TRY(gr__hf_need(root, needed[i]));
    GR_TRY(gr__hf_int(root, "vocab_size", 1, GR__MOST_VOCAB, &c->vocab));
    GR_TRY(gr__hf_int(root, "hidden_size", 1, GR__MOST_WIDTH, &c->width));
    GR_TRY(gr__hf_int(root, "max_position_embeddings", 1, GR__MOST_CONTEXT, &c->context));
    GR_TRY(gr__hf_double(root, "embedding_dropout", 0, 0.999, &c->embedding_dropout));
    GR_TRY(gr__hf_double(root, "classifier_dropout", 0, 0.999, &c->head_dropout));
    if (gr__json_kind_of(gr__json_get(root, "id2label")) != GR__JSON_OBJECT) return GR_OK; /* no head */
    return gr__hf_read_labels(root, 0, arena, &c->labels);
}

void gr__sentence_write_json(const gr__sentence_config *c, gr__str *out)
{
    gr__hf_put_double(out, "classifier_dropout", c->head_dropout);
    gr__hf_put_double(out, "embedding_dropout", c->embedding_dropout);
    gr__hf_put_int(out, "hidden_size", c->width);
    if (c->labels.n) gr__hf_put_labels(out, &c->labels);
    gr__hf_put_int(out, "max_position_embeddings", c->context);
    gr__hf_put_int(out, "vocab_size", c->vocab);
}

gr_model_info gr__sentence_info(const gr__sentence_config *c)
{
    return (gr_model_info){
        .width = c->width, .context = c->context, .vocab = c->vocab, .labels = (int64_t)c->labels.n, .pooled = 1};
}

const gr__conf_strings *gr__sentence_labels(const void *config)
{
    return &((const gr__sentence_config *)config)->labels;
}

gr_label_kind gr__sentence_label_kind(const void *config)
{
    return ((const gr__sentence_config *)config)->labels.n == 1 ? GR_LABELS_NUMBERS : GR_LABELS_ONE;
}

gr_value gr__sentence_embed(gr_graph *g, const gr__sentence_config *c, const gr__encoder_in *in, gr_value *mask)
{
    static const gr_init small = {.kind = GR_INIT_NORMAL, .b = 0.05};
    gr_value x = gr_embedding_layer(g, "embeddings", in->ids, c->vocab, c->width, &small);
    x = gr__lm_dropout(g, x, in->train ? c->embedding_dropout : 0);
    *mask = 0;
    if (!in->mask) return x;
    *mask = gr_reshape(g, gr_cast(g, in->mask, GR_F32), 3, (int64_t[]){in->batch, in->time, 1});
    return gr_mul(g, x, *mask);
}

gr_value gr__sentence_head(gr_graph *g, const void *config, const gr__encoder_in *in, const gr__encoded *body)
{
    const gr__sentence_config *c = config;
    gr_value x = gr__lm_dropout(g, body->pooled, in->train ? c->head_dropout : 0);
    return gr_linear(g, "classifier", x, (int64_t)c->labels.n, NULL);
}
