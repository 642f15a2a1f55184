/* Two towers (Yi et al. 2019): a user (a vector of their own beside the mean of those of their history) through one MLP, an
 * item through another; what fits has a large product. item_bias is added to it. */
#include "gradus/nn.h"
#include "model/recommender.h"

enum { MOST_WIDTH = 1 << 16, MOST_LAYERS = 16 };

typedef struct two_tower_config {
    gr__recommender_config r; /* first */
    int64_t width;
    gr__conf_ints hidden;
    double dropout;
} two_tower_config;

#define AT(field) offsetof(two_tower_config, field)
static const gr__conf_row rows[] = {
    {"width", GR__CONF_INT, AT(width), 1, MOST_WIDTH, NULL, "64", "size of the vectors", 0},
    {"hidden", GR__CONF_INT_LIST, AT(hidden), 1, MOST_WIDTH, NULL, "[64]", "sizes of the layers inside both towers", 0},
    {"dropout", GR__CONF_DOUBLE, AT(dropout), 0, 1, NULL, "0.2", "behind each activation", GR__CONF_BELOW_MAX},
};

static gr_status finish(void *config, const gr__facts *facts)
{
    two_tower_config *c = config;
    GR_FAIL_IF(c->hidden.n > MOST_LAYERS, GR_ERR_CONFIG, "'hidden' has %zu layers; %d are possible", c->hidden.n,
               MOST_LAYERS);
    return gr__recommender_finish(&c->r, facts);
}

static gr_value table(gr_graph *g, const two_tower_config *c)
{
    static const gr_init small = {.kind = GR_INIT_NORMAL, .b = 0.1};
    return gr_param(g, "items.weight", 2, (int64_t[]){(int64_t)c->r.items.n, c->width}, &small);
}

static gr_value tower(gr_graph *g, const two_tower_config *c, const char *name, gr_value x, bool train)
{
    gr_mlp_options o = {.activation = GR_ACTIVATION_RELU, .dropout = c->dropout, .evaluate = !train};
    int64_t size[MOST_LAYERS + 1];
    for (size_t i = 0; i < c->hidden.n; i++) size[i] = c->hidden.item[i];
    size[c->hidden.n] = c->width;
    return gr_mlp(g, name, x, size, (int)c->hidden.n + 1, &o);
}

static gr_value build_query(gr_graph *g, const void *config, const gr__recommend_in *in)
{
    static const gr_init small = {.kind = GR_INIT_NORMAL, .b = 0.1};
    const two_tower_config *c = config;
    gr_value own = gr_embedding_layer(g, "users", in->user, (int64_t)c->r.users.n, c->width, &small);
    gr_value seen = gr_embedding_bag(g, table(g, c), in->history, &(gr_bag_options){.kind = GR_BAG_MEAN});
    gr_value x = gr_concat(g, (gr_value[]){own, seen}, 2, 1);
    return gr__recommender_widen(g, tower(g, c, "user_tower", x, in->train), 0);
}

static gr_value build_items(gr_graph *g, const void *config, gr_value ids, bool train)
{
    static const gr_init zeros = {.kind = GR_INIT_ZEROS};
    const two_tower_config *c = config;
    gr_value x = table(g, c), bias = gr_param(g, "item_bias.weight", 2, (int64_t[]){(int64_t)c->r.items.n, 1}, &zeros);
    if (ids) x = gr_embedding(g, x, ids), bias = gr_embedding(g, bias, ids);
    return gr__recommender_widen(g, tower(g, c, "item_tower", x, train), bias);
}

static gr_status read_json(gr__json root, void *config, gr__arena *arena)
{
    two_tower_config *c = config;
    *c = (two_tower_config){.width = 64};
    GR_TRY(gr__recommender_read_json(root, &c->r, arena));
    GR_TRY(gr__hf_int(root, "hidden_size", 1, MOST_WIDTH, &c->width));
    GR_TRY(gr__hf_ints(root, "hidden", MOST_LAYERS, 1, MOST_WIDTH, arena, &c->hidden));
    return gr__hf_double(root, "dropout", 0, 0.999, &c->dropout);
}

static void write_json(const void *config, gr__str *out)
{
    const two_tower_config *c = config;
    gr__hf_put_double(out, "dropout", c->dropout);
    gr__hf_put_ints(out, "hidden", &c->hidden);
    gr__hf_put_int(out, "hidden_size", c->width);
    gr__recommender_write_json(&c->r, out);
}

static gr_model_info describe(const void *config)
{
    gr_model_info info = gr__recommender_info(config);
    info.width = ((const two_tower_config *)config)->width;
    return info;
}

const gr__family gr__family_two_tower = {
    GR__RECOMMENDER_FAMILY,
    .name = "two_tower",
    .hf_type = "gradus_two_tower",
    .hf_class = "GradusTwoTower",
    .summary = "users and items through a network each, ranked by products",
    .config_bytes = sizeof(two_tower_config),
    .rows = rows,
    .n_rows = GR__COUNT(rows),
    .finish = finish,
    .build_query = build_query,
    .build_items = build_items,
    .read_json = read_json,
    .write_json = write_json,
    .describe = describe,
};
