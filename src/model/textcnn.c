/* Convolutions over word vectors (Kim 2014): windows of several widths side by side, the largest answer of each over the
 * text, dropout, a classifier. Parameters are those of
 *
 *   embeddings = torch.nn.Embedding(vocab, width)
 *   convs = torch.nn.ModuleList([torch.nn.Conv1d(width, maps, w) for w in windows])
 *   classifier = torch.nn.Linear(maps*len(windows), labels)
 *
 * Padding counts as zeros on both sides of the text, (w - 1)/2 of them before it and the rest behind. */
#include "gradus/nn.h"
#include "model/sentence.h"

enum { MOST_WINDOWS = 16, MOST_WINDOW = 1024 };

typedef struct textcnn_config {
    gr__sentence_config s; /* first */
    gr__conf_ints windows;
    int64_t maps;
} textcnn_config;

#define AT(field) offsetof(textcnn_config, field)
static const gr__conf_row rows[] = {
    GR__SENTENCE_ROWS,
    {"windows", GR__CONF_INT_LIST, AT(windows), 1, MOST_WINDOW, NULL, "[3, 4, 5]", "tokens that a convolution sees", 0},
    {"maps", GR__CONF_INT, AT(maps), 1, GR__MOST_WIDTH, NULL, "100", "channels of each window", 0},
};

static gr_status finish(void *config, const gr__facts *facts)
{
    textcnn_config *c = config;
    GR_FAIL_IF(c->windows.n < 1 || c->windows.n > MOST_WINDOWS, GR_ERR_CONFIG, "'windows' needs 1 to %d sizes, not %zu",
               MOST_WINDOWS, c->windows.n);
    return gr__sentence_finish(&c->s, facts);
}

/* hidden: the answers of all windows (B, T, windows*maps), 0 behind the text: the largest is not below 0 anyway. */
static void build_encoder(gr_graph *g, const void *config, const gr__encoder_in *in, gr__encoded *out)
{
    const textcnn_config *c = config;
    gr_value mask, x = gr__sentence_embed(g, &c->s, in, &mask), part[MOST_WINDOWS];
    gr_scope_push(g, "convs");
    for (size_t i = 0; i < c->windows.n; i++) {
        int64_t w = c->windows.item[i];
        gr_conv_layer_options o = {.before = {(w - 1) / 2}, .after = {w / 2}};
        gr_scope_push(g, "%zu", i);
        part[i] = gr_conv_layer(g, NULL, x, c->maps, w, &o);
        gr_scope_pop(g);
    }
    gr_scope_pop(g);
    x = gr_relu(g, c->windows.n == 1 ? part[0] : gr_concat(g, part, (int)c->windows.n, 2));
    out->hidden = mask ? gr_mul(g, x, mask) : x;
    gr_value most = gr_max_pool(g, out->hidden, &(gr_pool_options){.size = {in->time}}, NULL);
    out->pooled = gr_reshape(g, most, 2, (int64_t[]){in->batch, c->maps * (int64_t)c->windows.n});
}

static gr_status read_json(gr__json root, void *config, gr__arena *arena)
{
    textcnn_config *c = config;
    *c = (textcnn_config){.maps = 100};
    GR_TRY(gr__sentence_read_json(root, &c->s, arena));
    GR_TRY(gr__hf_int(root, "maps", 1, GR__MOST_WIDTH, &c->maps));
    return gr__hf_ints(root, "windows", MOST_WINDOWS, 1, MOST_WINDOW, arena, &c->windows);
}

static void write_json(const void *config, gr__str *out)
{
    const textcnn_config *c = config;
    gr__sentence_write_json(&c->s, out);
    gr__hf_put_int(out, "maps", c->maps);
    gr__hf_put_ints(out, "windows", &c->windows);
}

static gr_model_info describe(const void *config)
{
    gr_model_info info = gr__sentence_info(config);
    info.layers = 1;
    return info;
}

const gr__family gr__family_textcnn = {
    GR__SENTENCE_FAMILY,
    .name = "textcnn",
    .hf_type = "gradus_textcnn",
    .hf_class = "GradusTextCNN",
    .summary = "convolutions over word vectors, the largest answer over the text",
    .config_bytes = sizeof(textcnn_config),
    .rows = rows,
    .n_rows = GR__COUNT(rows),
    .finish = finish,
    .build_encoder = build_encoder,
    .read_json = read_json,
    .write_json = write_json,
    .describe = describe,
};
