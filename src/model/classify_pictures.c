/* Labels of files of pictures and of sounds. */
#include "gradus/ops.h"
#include "gradus/plan.h"
#include "image/clip.h"
#include "image/transform.h"
#include "model/picture.h"

#include <string.h>

enum { BATCH = 16 };

typedef struct sight {
    gr_plan *plan;
    gr_session *session;
} sight;

static gr_status sight_new(gr_model *m, int64_t batch, bool bf16, sight *out)
{
    gr_graph *g;
    gr_picture_values v = {0};
    GR_TRY(gr_graph_new(&g));
    gr_status status = gr_model_build_picture(m, g, batch, false, NULL, &v);
    if (status == GR_OK) gr_output(g, "look", "scores", gr_softmax(g, v.logits));
    if (status == GR_OK && bf16) status = gr_autocast_bf16(g);
    if (status == GR_OK) status = gr_plan_compile(g, "look", NULL, &out->plan);
    if (status == GR_OK) status = gr_session_new(out->plan, m->store, &out->session);
    gr_graph_free(&g);
    return status;
}

gr_status gr__picture_load(const gr__picture_config *c, const gr__image *image, float *out)
{
    float mean[4], std[4];
    gr__image sized = *image;
    bool other = image->width != c->width || image->height != c->height;
    if (other) GR_TRY(gr__image_resize(image, c->width, c->height, GR__BILINEAR, true, &sized));
    for (int k = 0; k < 4; k++) {
        mean[k] = k < (int)c->mean.n ? (float)c->mean.item[k] : 0;
        std[k] = k < (int)c->std.n ? (float)c->std.item[k] : 1;
    }
    gr__image_to_floats(&sized, mean, std, false, out);
    if (other) gr__image_release(&sized);
    return GR_OK;
}

/* The pictures of a clip, one behind the other. */
static gr_status watch(const gr_model *m, const char *path, float *out)
{
    const gr__picture_config *c = m->config;
    gr__clip_size size = {m->family->frames(c), c->height, c->width, (int)c->channels};
    int64_t each = c->height * c->width * c->channels;
    uint8_t *pixels = gr__alloc((size_t)(size.frames * each));
    if (!pixels) return gr__fail_memory("a clip", (size_t)(size.frames * each));
    gr_status status = gr__clip_read(path, &size, pixels);
    for (int64_t f = 0; f < size.frames && status == GR_OK; f++) {
        gr__image image = {c->width, c->height, (int)c->channels, 8, pixels + f * each};
        status = gr__picture_load(c, &image, out + f * each);
    }
    gr__free(pixels);
    return status;
}

gr_status gr__picture_read(const gr__picture_config *c, const char *path, float *out)
{
    gr__image image;
    GR_TRY(gr__image_read(path, &(gr__image_options){.channels = (int)c->channels}, &image));
    gr_status status = gr__picture_load(c, &image, out);
    gr__image_release(&image);
    return status;
}

static gr_status hear(const gr__picture_config *c, const float *filters, const char *path, float *out)
{
    gr__wave wave;
    int64_t n = (c->height - 1) * c->sound.hop;
    GR_TRY(gr__wave_read(path, c->sound.rate, &wave, NULL));
    float *samples = gr__alloc((size_t)n * sizeof *samples);
    gr_status status = samples ? GR_OK : gr__fail_memory("the samples of a sound", (size_t)n * sizeof *samples);
    if (status == GR_OK) {
        gr__wave_fit(&wave, samples, n);
        status = gr__features_make(&c->sound, filters, samples, n, out);
    }
    gr__free(samples);
    gr__free(wave.samples);
    return status;
}

static gr_status classify(gr_model *m, const char *const *paths, int64_t n, const gr_classify_options *options,
                          float *scores)
{
    gr_classify_options o = options ? *options : (gr_classify_options){0};
    GR_FAIL_IF(o.batch < 0, GR_ERR_ARGUMENT, "a batch of %lld is not possible", (long long)o.batch);
    const gr__picture_config *c = m->config;
    int64_t batch = GR__MIN(o.batch ? o.batch : BATCH, n), each = c->height * c->width * c->channels;
    float *filters = NULL; /* of sounds */
    if (m->family->frames) each *= m->family->frames(c);
    sight s = {0};
    gr_tensor in, out;
    gr_status status = GR_OK;
    if (c->sound.rate) GR_TRY(gr__features_filters(&c->sound, &filters));
    GR_TRY_DONE(sight_new(m, batch, o.bf16, &s));
    GR_TRY_DONE(gr_session_input(s.session, "pictures", &in));
    GR_TRY_DONE(gr_session_output(s.session, "scores", &out));
    for (int64_t first = 0; first < n; first += batch) {
        int64_t here = GR__MIN(batch, n - first);
        for (int64_t i = 0; i < here; i++) {
            float *to = (float *)in.data + i * each;
            const char *path = paths[first + i];
            GR_TRY_DONE(filters             ? hear(c, filters, path, to)
                        : m->family->frames ? watch(m, path, to)
                                            : gr__picture_read(c, path, to));
        }
        GR_TRY_DONE(gr_session_run(s.session));
        memcpy(scores + first * c->classes, out.data, (size_t)(here * c->classes) * sizeof *scores);
    }
done:
    gr_session_free(&s.session);
    gr_plan_free(&s.plan);
    gr__free(filters);
    return status;
}

gr_status gr_classify_pictures(gr_model *m, const char *const *paths, int64_t n, const gr_classify_options *options,
                               float *scores)
{
    GR_FAIL_IF(!m || !paths || !scores || n < 1, GR_ERR_ARGUMENT,
               "gr_classify_pictures: an argument is NULL, or there is no picture");
    GR_FAIL_IF(gr_model_kind_of(m) != GR_MODEL_PICTURE, GR_ERR_UNSUPPORTED,
               "classifying pictures needs a model for pictures, not '%s'%s", m->family->name,
               gr_model_kind_of(m) == GR_MODEL_SOUND ? " that hears sounds" : "");
    GR_TRY(gr__model_want_items(paths, n, "a picture"));
    return classify(m, paths, n, options, scores);
}

gr_status gr_classify_sounds(gr_model *m, const char *const *paths, int64_t n, const gr_classify_options *options,
                             float *scores)
{
    GR_FAIL_IF(!m || !paths || !scores || n < 1, GR_ERR_ARGUMENT,
               "gr_classify_sounds: an argument is NULL, or there is no sound");
    GR_FAIL_IF(gr_model_kind_of(m) != GR_MODEL_SOUND, GR_ERR_UNSUPPORTED,
               "classifying sounds needs a model that hears them, not '%s'", m->family->name);
    GR_TRY(gr__model_want_items(paths, n, "a sound"));
    return classify(m, paths, n, options, scores);
}

gr_status gr_classify_clips(gr_model *m, const char *const *paths, int64_t n, const gr_classify_options *options,
                            float *scores)
{
    GR_FAIL_IF(!m || !paths || !scores || n < 1, GR_ERR_ARGUMENT,
               "gr_classify_clips: an argument is NULL, or there is no clip");
    GR_FAIL_IF(gr_model_kind_of(m) != GR_MODEL_CLIP, GR_ERR_UNSUPPORTED,
               "classifying clips needs a model that looks at them, not '%s'", m->family->name);
    GR_TRY(gr__model_want_items(paths, n, "a clip"));
    return classify(m, paths, n, options, scores);
}
