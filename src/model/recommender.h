/* What all recommenders have in common: the first member of their configuration is a gr__recommender_config, their row in
 * families has GR__RECOMMENDER_FAMILY. They give ratings (build_rating) or rank items (build_query, build_items). */
#ifndef GR__RECOMMENDER_H
#define GR__RECOMMENDER_H

#include "model/family.h"
#include "model/hf_json.h"

typedef struct gr__recommender_config {
    gr__conf_strings users, items; /* names, in the order of the embeddings' rows */
    int64_t sessions;              /* sittings of users that training knows; 0: they do not count */
    double mean;                   /* of the ratings of training */
    gr__conf_strings columns;      /* of the file: user, item, rating, time */
} gr__recommender_config;

struct gr__recommend_in {
    gr_value user, item, session; /* i32 (B), -1: unknown; session: 0: none */
    gr_value history;             /* i32 (B, T): items that came before, the latest last, then -1; rankings only */
    gr_value share; /* f32 (B, 3): one over the ratings of this user, item, session; training of ratings */
    int64_t batch, time;
    bool train;
};

gr_status gr__recommender_finish(gr__recommender_config *c, const gr__facts *facts);
gr_status gr__recommender_read_json(gr__json root, gr__recommender_config *c, gr__arena *arena);
void gr__recommender_write_json(const gr__recommender_config *c, gr__str *out);
gr_model_info gr__recommender_info(const gr__recommender_config *c);
const gr__conf_strings *gr__recommender_items(const void *config);

/* f32 (B, T): 1 where the history has an item. */
gr_value gr__recommender_there(gr_graph *g, gr_value history);
/* Vectors (n, C) and a column behind them: ones, or a bias (n, 1): scores with biases are products then. */
gr_value gr__recommender_widen(gr_graph *g, gr_value x, gr_value bias);

#define GR__RECOMMENDER_FAMILY .kind = GR_MODEL_RECOMMENDER, .labels = gr__recommender_items

#endif
