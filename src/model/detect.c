#include "model/detect.h"

#include "base/file.h"
#include "base/map.h"
#include "gradus/ops.h"
#include "gradus/plan.h"

#include <math.h>
#include <string.h>

enum { BATCH = 16, MOST = 100, CANDIDATES = 1000 };

gr_detect_options gr__detect_resolve(const gr_detect_options *options)
{
    gr_detect_options o = options ? *options : (gr_detect_options){0};
    if (o.least == 0 && !o.no_least) o.least = 0.3;
    if (o.overlap == 0) o.overlap = 0.5;
    if (o.most == 0) o.most = MOST;
    if (o.batch == 0) o.batch = BATCH;
    return o;
}

static double held(double v, double most) { return fmin(fmax(v, 0), most); }

gr_status gr__detect_boxes(const float *score, const float *boxes, int64_t places, int64_t labels,
                           const gr_detect_options *o, const gr__letterbox *box, int64_t width, int64_t height,
                           gr_detection **found, size_t *n, size_t *capacity)
{
    *n = 0;
    for (int64_t i = 0; i < places * labels; i++) {
        if (!((double)score[i] >= o->least)) continue;
        GR_TRY(gr__grow(found, sizeof **found, *n + 1, capacity));
        const float *b = boxes + i / labels * 4;
        double x0 = held(((double)b[0] - (double)box->x0) / box->scale, (double)width),
               y0 = held(((double)b[1] - (double)box->y0) / box->scale, (double)height),
               x1 = held(((double)b[2] - (double)box->x0) / box->scale, (double)width),
               y1 = held(((double)b[3] - (double)box->y0) / box->scale, (double)height);
        if (!(x1 > x0) || !(y1 > y0)) continue; /* in the border, or no number */
        (*found)[(*n)++] = (gr_detection){{x0, y0, x1 - x0, y1 - y0}, (int32_t)(i % labels), (double)score[i]};
    }
    *n = gr_box_suppress(*found, *n, 1, CANDIDATES); /* the best ones: a low 'least' must not make this slow */
    *n = gr_box_suppress(*found, *n, o->overlap, (size_t)o->most);
    return GR_OK;
}

int64_t gr__detect_thickness(const gr__image *image) { return 1 + GR__MAX(image->width, image->height) / 400; }

const uint8_t *gr__detect_colour(int32_t label)
{
    static const uint8_t colour[][3] = {{230, 60, 50},  {40, 110, 230}, {30, 160, 70},
                                        {240, 170, 20}, {160, 60, 200}, {20, 180, 190}};
    return colour[(size_t)label % GR__COUNT(colour)];
}

void gr__detect_draw(gr__image *image, const gr_detection *found, size_t n)
{
    int64_t thick = gr__detect_thickness(image);
    for (size_t i = n; i-- > 0;) { /* the best on top */
        const gr_box *b = &found[i].box;
        gr__image_frame(image, b->x, b->y, b->x + b->width, b->y + b->height, thick,
                        gr__detect_colour(found[i].category));
    }
}

/* ---- files of pictures ---- */

typedef struct detector {
    gr_plan *plan;
    gr_session *session;
    gr_tensor in, score, boxes;
    gr_detection *found;
    size_t capacity;
} detector;

static gr_status detector_new(gr_model *m, int64_t batch, bool bf16, detector *d)
{
    gr_graph *g;
    gr_detector_values v;
    GR_TRY(gr_graph_new(&g));
    gr_status status = gr_model_build_detector(m, g, batch, false, NULL, &v);
    if (status == GR_OK) {
        gr_output(g, "look", "scores", gr_sigmoid(g, v.logits));
        gr_output(g, "look", "boxes", v.boxes);
    }
    if (status == GR_OK && bf16) status = gr_autocast_bf16(g);
    if (status == GR_OK) status = gr_plan_compile(g, "look", NULL, &d->plan);
    if (status == GR_OK) status = gr_session_new(d->plan, m->store, &d->session);
    gr_graph_free(&g);
    GR_TRY(status);
    GR_TRY(gr_session_input(d->session, "pictures", &d->in));
    GR_TRY(gr_session_output(d->session, "scores", &d->score));
    return gr_session_output(d->session, "boxes", &d->boxes);
}

/* FOLDER/NAME.png of a picture, into fresh memory. */
static gr_status drawn_path(const char *folder, const char *path, char **out)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
    int n = dot && dot != name ? (int)(dot - name) : (int)strlen(name);
    gr__str text = {0};
    gr__str_printf(&text, "%s/%.*s.png", folder, n, name);
    *out = gr__str_check(&text) == GR_OK ? gr__strdup(gr__str_get(&text)) : NULL;
    gr__str_release(&text);
    return *out ? GR_OK : gr__fail_memory("a file name", strlen(folder));
}

/* Nothing that is drawn may take the place of a picture or of another drawing: known before the first is written. */
static gr_status check_drawn(const char *folder, const char *const *paths, int64_t n)
{
    gr__map given = {0}, drawn = {0};
    gr__file_id id;
    char *out = NULL;
    gr_status status = GR_OK;
    for (int64_t i = 0; i < n; i++)
        if (gr__file_identify(paths[i], &id)) GR_TRY_DONE(gr__map_set(&given, &id, sizeof id, i, NULL));
    for (int64_t i = 0; i < n; i++) {
        GR_TRY_DONE(drawn_path(folder, paths[i], &out));
        const int64_t *other = gr__map_get_name(&drawn, out);
        if (other)
            GR_TRY_DONE(gr__fail(GR_ERR_CONFIG,
                                 "'%s' and '%s' would both be drawn as '%s'; rename one, or draw them one by one into "
                                 "folders of their own",
                                 paths[*other], paths[i], out));
        if (gr__file_identify(out, &id) && gr__map_get(&given, &id, sizeof id))
            GR_TRY_DONE(gr__fail(GR_ERR_CONFIG,
                                 "drawing '%s' would overwrite the picture '%s'; draw into another folder", paths[i],
                                 out));
        GR_TRY_DONE(gr__map_set_name(&drawn, out, i, NULL));
        gr__free(out);
        out = NULL;
    }
done:
    gr__free(out);
    gr__map_release(&given);
    gr__map_release(&drawn);
    return status;
}

/* 'colour': with three channels, to be drawn on. */
static gr_status draw(const char *folder, const char *path, gr__image *image, const gr_detection *found, size_t n)
{
    char *out;
    gr__detect_draw(image, found, n);
    GR_TRY(drawn_path(folder, path, &out));
    gr_status status = gr__dir_make(folder);
    if (status == GR_OK) status = gr__png_write(out, image);
    gr__free(out);
    return status;
}

static gr_status load(const gr__picture_config *c, const gr__image *image, gr__letterbox *box, float *out)
{
    gr__image boxed;
    GR_TRY(gr__image_letterbox(image, c->width, c->height, GR__LETTERBOX_FILL, box, &boxed));
    gr_status status = gr__picture_load(c, &boxed, out);
    gr__image_release(&boxed);
    return status;
}

gr_status gr_detect_pictures(gr_model *m, const char *const *paths, int64_t n, const gr_detect_options *options,
                             gr_detect_fn fn, void *user)
{
    GR_FAIL_IF(!m || !paths || !fn || n < 1, GR_ERR_ARGUMENT,
               "gr_detect_pictures: an argument is NULL, or there is no picture");
    GR_TRY(gr__model_want_detector(m, "finding boxes"));
    GR_TRY(gr__model_want_items(paths, n, "a picture"));
    gr_detect_options o = gr__detect_resolve(options);
    GR_FAIL_IF(o.batch < 1 || o.most < 1 || !(o.least >= 0) || !(o.overlap >= 0), GR_ERR_ARGUMENT,
               "gr_detect_pictures: an option is out of its range");
    if (o.draw) GR_TRY(check_drawn(o.draw, paths, n));
    const gr__picture_config *c = m->config;
    int64_t batch = GR__MIN(o.batch, n), each = c->height * c->width * c->channels, height, width, stride;
    m->family->places(m->config, &height, &width, &stride);
    int64_t places = height * width;
    detector d = {0};
    gr__image *image = gr__calloc((size_t)batch, sizeof *image);
    gr__letterbox *box = gr__calloc((size_t)batch, sizeof *box);
    gr_status status = image && box ? detector_new(m, batch, o.bf16, &d) : gr__fail_memory("pictures", (size_t)batch);
    for (int64_t first = 0; first < n && status == GR_OK; first += batch) {
        int64_t here = GR__MIN(batch, n - first), i;
        for (i = 0; i < here && status == GR_OK; i++) {
            int channels = o.draw ? 3 : (int)c->channels;
            status = gr__image_read(paths[first + i], &(gr__image_options){.channels = channels}, &image[i]);
            if (status == GR_OK && channels != (int)c->channels)
                status = gr__fail(GR_ERR_UNSUPPORTED, "boxes are drawn on pictures with colours only");
            if (status == GR_OK) status = load(c, &image[i], &box[i], (float *)d.in.data + i * each);
        }
        if (status == GR_OK) status = gr_session_run(d.session);
        for (i = 0; i < here && status == GR_OK; i++) {
            size_t found;
            status = gr__detect_boxes((float *)d.score.data + i * places * c->classes,
                                      (float *)d.boxes.data + i * places * 4, places, c->classes, &o, &box[i],
                                      image[i].width, image[i].height, &d.found, &found, &d.capacity);
            if (status == GR_OK) fn(user, first + i, d.found, found);
            if (status == GR_OK && o.draw) status = draw(o.draw, paths[first + i], &image[i], d.found, found);
        }
        for (i = 0; i < batch; i++) gr__image_release(&image[i]);
    }
    gr__free(d.found);
    gr__free(image);
    gr__free(box);
    gr_session_free(&d.session);
    gr_plan_free(&d.plan);
    return status;
}
