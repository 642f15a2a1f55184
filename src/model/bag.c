/* A bag of tokens and of their n-grams (Joulin et al. 2016, fastText): the vectors of all that stand in the text, added up
 * and scaled, a classifier. Parameters are those of
 *
 *   embeddings = torch.nn.Embedding(vocab, width)
 *   ngrams = torch.nn.EmbeddingBag(buckets, width)          (with n-grams of 2 tokens and more)
 *   classifier = torch.nn.Linear(width, labels)
 *
 * The bucket of an n-gram: h = id of its first token, then h = (1000003*h + 1 + next id) mod buckets for each further one. */
#include "gradus/nn.h"
#include "model/sentence.h"

enum { MOST_NGRAM = 8, MOST_BUCKETS = 1 << 26, FACTOR = 1000003 };
enum { POOL_MEAN, POOL_ROOT };
static const char *const pools[] = {"mean", "root", NULL};

typedef struct bag_config {
    gr__sentence_config s; /* first */
    int64_t ngrams, buckets;
    int pool;
} bag_config;

#define AT(field) offsetof(bag_config, field)
static const gr__conf_row rows[] = {
    GR__SENTENCE_ROWS,
    {"ngrams", GR__CONF_INT, AT(ngrams), 1, MOST_NGRAM, NULL, "2", "most tokens that are looked at together", 0},
    {"buckets", GR__CONF_INT, AT(buckets), 1, MOST_BUCKETS, NULL, "65536",
     "vectors that the n-grams of 2 tokens and more share", 0},
    {"pool", GR__CONF_ENUM, AT(pool), 0, 0, pools, "mean",
     "mean of the vectors, or root: their sum over the root of their number, so that long texts are surer", 0},
};

static gr_status finish(void *config, const gr__facts *facts)
{
    bag_config *c = config;
    return gr__sentence_finish(&c->s, facts);
}

/* h, f64 (B, T): those of n - 1 tokens -> (B, T - 1): those of n tokens. */
static gr_value longer(gr_graph *g, gr_value h, gr_value ids, int64_t n, int64_t buckets)
{
    int64_t t = gr_value_dim(g, h, 1) - 1;
    gr_value next = gr_slice(g, ids, 1, n - 1, t), whole = gr_scalar(g, GR_F64, (double)buckets);
    h = gr_add(g, gr_affine(g, gr_slice(g, h, 1, 0, t), FACTOR, 1), next);
    return gr_sub(g, h, gr_mul(g, gr_floor(g, gr_div(g, h, whole)), whole));
}

/* (B, C): the n-grams of 2 tokens and more, added up. mask: f32 (B, T), or 0. */
static gr_value ngrams(gr_graph *g, const bag_config *c, const gr__encoder_in *in, gr_value mask)
{
    static const gr_init small = {.kind = GR_INIT_NORMAL, .b = 0.05};
    gr_value table = gr_param(g, "ngrams.weight", 2, (int64_t[]){c->buckets, c->s.width}, &small);
    gr_value ids = gr_cast(g, in->ids, GR_F64), h = ids, part[MOST_NGRAM];
    int parts = 0;
    for (int64_t n = 2; n <= c->ngrams && n <= in->time; n++) {
        int64_t t = in->time - n + 1;
        h = longer(g, h, ids, n, c->buckets);
        gr_value there = mask ? gr_cast(g, gr_slice(g, mask, 1, n - 1, t), GR_F64) : 0;
        part[parts++] = there ? gr_where(g, there, h, gr_scalar(g, GR_F64, -1)) : h;
    }
    if (parts == 0) return 0;
    gr_value all = gr_cast(g, parts == 1 ? part[0] : gr_concat(g, part, parts, 1), GR_I32);
    return gr_embedding_bag(g, table, all, NULL);
}

/* f32 (B, 1): how many vectors a text has. */
static gr_value number_of(gr_graph *g, const bag_config *c, const gr__encoder_in *in, gr_value mask)
{
    int64_t dim[] = {in->batch, 1};
    gr_value length = mask ? gr_sum(g, mask, 2, true) : gr_fill(g, GR_F32, 2, dim, (double)in->time), all = length;
    for (int64_t n = 2; n <= c->ngrams; n++)
        all = gr_add(g, all, gr_clamp(g, gr_affine(g, length, 1, -(double)(n - 1)), 0, 1e9));
    return gr_clamp(g, all, 1, 1e9);
}

/* hidden: the vectors of the tokens (B, T, C). */
static void build_encoder(gr_graph *g, const void *config, const gr__encoder_in *in, gr__encoded *out)
{
    const bag_config *c = config;
    gr_value mask;
    out->hidden = gr__sentence_embed(g, &c->s, in, &mask);
    if (mask) mask = gr_reshape(g, mask, 2, (int64_t[]){in->batch, in->time});
    gr_value sum = gr_sum(g, out->hidden, 2, false), more = c->ngrams > 1 ? ngrams(g, c, in, mask) : 0,
             number = number_of(g, c, in, mask);
    if (more) sum = gr_add(g, sum, more);
    out->pooled = gr_div(g, sum, c->pool == POOL_ROOT ? gr_sqrt(g, number) : number);
}

static gr_status read_json(gr__json root, void *config, gr__arena *arena)
{
    bag_config *c = config;
    *c = (bag_config){.ngrams = 1, .buckets = 1};
    GR_TRY(gr__sentence_read_json(root, &c->s, arena));
    GR_TRY(gr__hf_int(root, "ngrams", 1, MOST_NGRAM, &c->ngrams));
    GR_TRY(gr__hf_int(root, "buckets", 1, MOST_BUCKETS, &c->buckets));
    return gr__hf_choice(root, "pool", pools, &c->pool);
}

static void write_json(const void *config, gr__str *out)
{
    const bag_config *c = config;
    gr__sentence_write_json(&c->s, out);
    gr__hf_put_int(out, "buckets", c->buckets);
    gr__hf_put_int(out, "ngrams", c->ngrams);
    gr__hf_put_text(out, "pool", pools[c->pool]);
}

static gr_model_info describe(const void *config)
{
    gr_model_info info = gr__sentence_info(config);
    info.layers = 1;
    return info;
}

const gr__family gr__family_bag = {
    GR__SENTENCE_FAMILY,
    .name = "bag",
    .hf_type = "gradus_bag",
    .hf_class = "GradusBag",
    .summary = "the vectors of tokens and n-grams added up (fastText)",
    .config_bytes = sizeof(bag_config),
    .rows = rows,
    .n_rows = GR__COUNT(rows),
    .finish = finish,
    .build_encoder = build_encoder,
    .read_json = read_json,
    .write_json = write_json,
    .describe = describe,
};
