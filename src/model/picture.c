#include "model/picture.h"

#include "gradus/nn.h"

#include <math.h>
#include <stdio.h>

const char *const gr__picture_ignored[] = {"*num_batches_tracked", NULL};

static gr_status take(const char *key, int64_t fact, int64_t *out)
{
    if (*out == 0) *out = fact;
    GR_FAIL_IF(*out == 0, GR_ERR_CONFIG, "'%s' must be given: there are no data to take it from", key);
    GR_FAIL_IF(fact && *out != fact, GR_ERR_CONFIG, "'%s' is %lld, but the data have %lld%s", key, (long long)*out,
               (long long)fact, *key == 'c' ? "" : "; data.size resizes pictures");
    return GR_OK;
}

/* "0", "1", ... */
static gr_status number_labels(gr__picture_config *c, gr__arena *arena)
{
    size_t n = (size_t)c->classes;
    c->labels = (gr__conf_strings){.item = gr__arena_alloc(arena, n * sizeof *c->labels.item), .n = n};
    if (!c->labels.item) return gr__fail_memory("labels", n * sizeof *c->labels.item);
    for (size_t i = 0; i < n; i++)
        if (!(c->labels.item[i] = gr__arena_printf(arena, "%zu", i))) return gr__fail_memory("a label", 8);
    return GR_OK;
}

gr_status gr__picture_finish(gr__picture_config *c, const gr__facts *facts)
{
    GR_TRY(take("height", facts->height, &c->height));
    GR_TRY(take("width", facts->width, &c->width));
    GR_TRY(take("channels", facts->channels, &c->channels));
    if (facts->labels.n) c->labels = facts->labels;
    GR_TRY(take("classes", (int64_t)c->labels.n, &c->classes));
    if (c->labels.n == 0) GR_TRY(number_labels(c, facts->arena));
    if (facts->mean.n) c->mean = facts->mean;
    if (facts->std.n) c->std = facts->std;
    if (facts->features) GR_TRY(gr__sound_take(facts->features, facts->arena, &c->sound));
    GR_FAIL_IF(c->sound.rate && (c->width != c->sound.mels || c->channels != 1), GR_ERR_CONFIG,
               "bands of sound are one channel, %lld wide", (long long)c->sound.mels);
    return GR_OK;
}

gr_status gr__picture_read_json(gr__json root, gr__picture_config *c, gr__arena *arena)
{
    static const char *const needed[] = {"height", "width", "num_channels"};
    int64_t *out[] = {&c->height, &c->width, &c->channels};
    for (int i = 0; i < 3; i++) {
        GR_TRY(gr__hf_need(root, needed[i]));
        GR_TRY(gr__hf_int(root, needed[i], 1, i == 2 ? 4 : GR__MOST_PICTURE, out[i]));
    }
    GR_TRY(gr__hf_read_labels(root, 1000, arena, &c->labels));
    c->classes = (int64_t)c->labels.n;
    GR_TRY(gr__hf_doubles(root, "image_mean", 4, arena, &c->mean));
    GR_TRY(gr__hf_doubles(root, "image_std", 4, arena, &c->std));
    size_t n = (size_t)c->channels;
    GR_FAIL_IF((c->mean.n && c->mean.n != n) || (c->std.n && c->std.n != n), GR_ERR_CORRUPT,
               "'image_mean' and 'image_std' need %zu numbers, one for each channel", n);
    for (size_t i = 0; i < c->std.n; i++)
        GR_FAIL_IF(!(c->std.item[i] > 0), GR_ERR_CORRUPT, "'image_std' must hold numbers above 0");
    return gr__sound_read_json(root, arena, &c->sound);
}

void gr__picture_write_json(const gr__picture_config *c, gr__str *out)
{
    gr__hf_put_int(out, "height", c->height);
    gr__hf_put_labels(out, &c->labels);
    if (c->mean.n) gr__hf_put_doubles(out, "image_mean", &c->mean);
    if (c->std.n) gr__hf_put_doubles(out, "image_std", &c->std);
    gr__hf_put_int(out, "num_channels", c->channels);
    gr__hf_put_int(out, "width", c->width);
    gr__sound_write_json(&c->sound, out);
}

gr_model_info gr__picture_info(const gr__picture_config *c)
{
    return (gr_model_info){
        .labels = c->classes, .height = c->height, .picture_width = c->width, .channels = c->channels};
}

const gr__conf_strings *gr__picture_labels(const void *config) { return &((const gr__picture_config *)config)->labels; }

gr_label_kind gr__picture_label_kind(const void *config)
{
    (void)config;
    return GR_LABELS_ONE;
}

gr_value gr__picture_flatten(gr_graph *g, gr_value x)
{
    if (gr_value_rank(g, x) != 4) return gr_reshape(g, x, 2, (int64_t[]){gr_value_dim(g, x, 0), -1});
    gr_value first = gr_permute(g, x, (int[]){0, 3, 1, 2});
    return gr_reshape(g, first, 2, (int64_t[]){gr_value_dim(g, x, 0), -1});
}

gr_value gr__picture_norm(gr_graph *g, const char *name, gr_value x, const gr__picture_in *in)
{
    return gr_batch_norm_layer(g, name, x, &(gr_batch_norm_options){.evaluate = !in->train, .program = in->program});
}

gr_value gr__picture_conv(gr_graph *g, const char *name, gr_value x, int64_t out, int64_t window, int64_t stride,
                          int64_t groups)
{
    gr_init init = {.kind = GR_INIT_NORMAL, .b = sqrt(2 * (double)groups / (double)(out * window * window))};
    gr_conv_layer_options o = {
        .padding = window / 2, .stride = {stride}, .groups = groups, .no_bias = true, .init = &init};
    return gr_conv_layer(g, name, x, out, window, &o);
}
