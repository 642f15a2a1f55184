/* What the classifiers of texts that begin with word vectors have in common: the first member of their configuration is a
 * gr__sentence_config, their rows begin with GR__SENTENCE_ROWS, their row in families has GR__SENTENCE_FAMILY. Results do
 * not depend on how far a text is padded. */
#ifndef GR__SENTENCE_H
#define GR__SENTENCE_H

#include "model/hf_json.h"
#include "model/lm.h"

typedef struct gr__sentence_config {
    int64_t width, context, vocab;
    double embedding_dropout, head_dropout;
    gr__conf_strings labels;
} gr__sentence_config;

#define GR__SENTENCE_ROWS                                                                                                \
    {"width", GR__CONF_INT, offsetof(gr__sentence_config, width), 1, GR__MOST_WIDTH,                                     \
     NULL,    "128",        "size of a token's vector",           0},                                                    \
        {"context", GR__CONF_INT, offsetof(gr__sentence_config, context), 1, GR__MOST_CONTEXT,                           \
         NULL,      "512",        "most tokens that it sees at once",     0},                                            \
        {"vocab", GR__CONF_INT, offsetof(gr__sentence_config, vocab),         0, GR__MOST_VOCAB,                         \
         NULL,    "0",          "rows of the embedding; 0: as the tokenizer", 0},                                        \
        {"embedding_dropout",      GR__CONF_DOUBLE,   offsetof(gr__sentence_config, embedding_dropout), 0, 1, NULL, "0", \
         "of the tokens' vectors", GR__CONF_BELOW_MAX},                                                                  \
    {                                                                                                                    \
        "head_dropout", GR__CONF_DOUBLE, offsetof(gr__sentence_config, head_dropout), 0, 1, NULL, "0.5",                 \
            "before the classifier", GR__CONF_BELOW_MAX                                                                  \
    }

gr_status gr__sentence_finish(gr__sentence_config *c, const gr__facts *facts);
gr_status gr__sentence_read_json(gr__json root, gr__sentence_config *c, gr__arena *arena);
void gr__sentence_write_json(const gr__sentence_config *c, gr__str *out);
gr_model_info gr__sentence_info(const gr__sentence_config *c);

/* "embeddings.weight" of the ids: (B, T, C), zeros where the mask (B, T, 1) is 0; *mask f32, 0 where 'in' has none. */
gr_value gr__sentence_embed(gr_graph *g, const gr__sentence_config *c, const gr__encoder_in *in, gr_value *mask);
/* "classifier" of the pooled vector. */
gr_value gr__sentence_head(gr_graph *g, const void *config, const gr__encoder_in *in, const gr__encoded *body);
const gr__conf_strings *gr__sentence_labels(const void *config);
gr_label_kind gr__sentence_label_kind(const void *config);
extern const char *const gr__sentence_begins[];

#define GR__SENTENCE_FAMILY                                                                   \
    .kind = GR_MODEL_ENCODER, .build_head = gr__sentence_head, .labels = gr__sentence_labels, \
    .label_kind = gr__sentence_label_kind, .begins = gr__sentence_begins

#endif
