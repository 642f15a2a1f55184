/* Biased matrix factorisation (Koren et al. 2009): a rating is the mean, what the user adds, what the item adds, and the
 * product of their vectors; with sessions also what the user adds in this sitting (Koren 2010: a bias of user and day).
 * An id that training did not know adds nothing.
 *
 *   rating = mean + user_bias[u] + item_bias[i] + session_bias[s] + users[u]·items[i]
 *
 * Penalties: bias_l2*b² once for each user and item, session_l2*b² once for each session, l2*(|p|² + |q|²) for each rating. */
#include "gradus/nn.h"
#include "model/recommender.h"

enum { MOST_WIDTH = 1 << 16 };

typedef struct mf_config {
    gr__recommender_config r; /* first */
    int64_t width;
    double l2, bias_l2, session_l2;
} mf_config;

#define AT(field) offsetof(mf_config, field)
static const gr__conf_row rows[] = {
    {"width", GR__CONF_INT, AT(width), 0, MOST_WIDTH, NULL, "32", "size of the vectors; 0: biases alone", 0},
    {"l2", GR__CONF_DOUBLE, AT(l2), 0, 1e6, NULL, "0.1", "penalty of the vectors, for each rating", 0},
    {"bias_l2", GR__CONF_DOUBLE, AT(bias_l2), 0, 1e6, NULL, "4", "penalty of each bias of a user or an item", 0},
    {"session_l2", GR__CONF_DOUBLE, AT(session_l2), 0, 1e6, NULL, "4", "penalty of each bias of a sitting", 0},
};

static gr_status finish(void *config, const gr__facts *facts)
{
    return gr__recommender_finish(&((mf_config *)config)->r, facts);
}

/* (B) */
static gr_value bias(gr_graph *g, const char *name, gr_value ids, int64_t n, int64_t batch)
{
    static const gr_init zeros = {.kind = GR_INIT_ZEROS};
    return gr_reshape(g, gr_embedding_layer(g, name, ids, n, 1, &zeros), 1, &batch);
}

static gr_value add(gr_graph *g, gr_value a, gr_value b) { return a ? gr_add(g, a, b) : b; }

/* l2*share*b² of column k of share (B, 3). */
static void penalise(gr_graph *g, const gr__recommend_in *in, int k, gr_value b, double l2, gr_value *penalty)
{
    if (!in->train || !in->share || l2 <= 0) return;
    gr_value share = gr_reshape(g, gr_slice(g, in->share, 1, k, 1), 1, &in->batch);
    *penalty = add(g, *penalty, gr_affine(g, gr_mul(g, gr_square(g, b), share), l2, 0));
}

static gr_value build_rating(gr_graph *g, const void *config, const gr__recommend_in *in, gr_value *penalty)
{
    static const gr_init small = {.kind = GR_INIT_NORMAL, .b = 0.1};
    const mf_config *c = config;
    int64_t users = (int64_t)c->r.users.n, items = (int64_t)c->r.items.n;
    gr_value u = bias(g, "user_bias", in->user, users, in->batch), i = bias(g, "item_bias", in->item, items, in->batch);
    gr_value rating = gr_affine(g, gr_add(g, u, i), 1, c->r.mean);
    *penalty = 0;
    penalise(g, in, 0, u, c->bias_l2, penalty);
    penalise(g, in, 1, i, c->bias_l2, penalty);
    if (c->r.sessions && in->session) {
        gr_value s = bias(g, "session_bias", in->session, c->r.sessions, in->batch);
        rating = gr_add(g, rating, s);
        penalise(g, in, 2, s, c->session_l2, penalty);
    }
    if (c->width == 0) return rating;
    gr_value p = gr_embedding_layer(g, "users", in->user, users, c->width, &small);
    gr_value q = gr_embedding_layer(g, "items", in->item, items, c->width, &small);
    if (in->train && c->l2 > 0) {
        gr_value both = gr_sum(g, gr_add(g, gr_square(g, p), gr_square(g, q)), 2, false);
        *penalty = add(g, *penalty, gr_affine(g, both, c->l2, 0));
    }
    return gr_add(g, rating, gr_sum(g, gr_mul(g, p, q), 2, false));
}

static gr_status read_json(gr__json root, void *config, gr__arena *arena)
{
    mf_config *c = config;
    *c = (mf_config){.l2 = 0.1, .bias_l2 = 4, .session_l2 = 4};
    GR_TRY(gr__recommender_read_json(root, &c->r, arena));
    GR_TRY(gr__hf_need(root, "hidden_size"));
    GR_TRY(gr__hf_int(root, "hidden_size", 0, MOST_WIDTH, &c->width));
    GR_TRY(gr__hf_double(root, "l2", 0, 1e6, &c->l2));
    GR_TRY(gr__hf_double(root, "bias_l2", 0, 1e6, &c->bias_l2));
    return gr__hf_double(root, "session_l2", 0, 1e6, &c->session_l2);
}

static void write_json(const void *config, gr__str *out)
{
    const mf_config *c = config;
    gr__hf_put_double(out, "bias_l2", c->bias_l2);
    gr__hf_put_int(out, "hidden_size", c->width);
    gr__hf_put_double(out, "l2", c->l2);
    gr__hf_put_double(out, "session_l2", c->session_l2);
    gr__recommender_write_json(&c->r, out);
}

static gr_model_info describe(const void *config)
{
    gr_model_info info = gr__recommender_info(config);
    info.width = ((const mf_config *)config)->width;
    return info;
}

const gr__family gr__family_mf = {
    GR__RECOMMENDER_FAMILY,
    .name = "mf",
    .hf_type = "gradus_mf",
    .hf_class = "GradusMF",
    .summary = "ratings by matrix factorisation with biases",
    .config_bytes = sizeof(mf_config),
    .rows = rows,
    .n_rows = GR__COUNT(rows),
    .finish = finish,
    .build_rating = build_rating,
    .read_json = read_json,
    .write_json = write_json,
    .describe = describe,
};
