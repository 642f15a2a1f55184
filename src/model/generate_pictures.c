/* Pictures from noise. */
#include "base/file.h"
#include "base/rng.h"
#include "gradus/ops.h"
#include "gradus/plan.h"
#include "model/picture.h"

#include <math.h>
#include <string.h>

enum { BATCH = 64 };

static gr_status plan_new(const gr_model *m, int64_t batch, gr_plan **out)
{
    gr_graph *g;
    GR_TRY(gr_graph_new(&g));
    gr_value z = gr_input(g, "noise", GR_F32, 2, (int64_t[]){batch, m->family->latent(m->config)});
    gr_output(g, "make", "pictures",
              gr_sigmoid(g, m->family->build_decode(g, m->config, z, &(gr__picture_in){.program = "make"})));
    gr_status status = gr_graph_status(g);
    if (status == GR_OK) status = gr_plan_compile(g, "make", NULL, out);
    gr_graph_free(&g);
    return status;
}

gr_status gr_generate_pictures(gr_model *m, int64_t n, uint64_t seed, float *pictures)
{
    GR_FAIL_IF(!m || !pictures || n < 1, GR_ERR_ARGUMENT, "gr_generate_pictures: an argument is NULL, or n < 1");
    GR_TRY(gr__model_want_generator(m, "making pictures"));
    const gr__picture_config *c = m->config;
    int64_t batch = GR__MIN(n, BATCH), each = c->height * c->width * c->channels, latent = m->family->latent(m->config);
    gr_plan *plan = NULL;
    gr_session *session = NULL;
    gr_tensor in, out;
    gr_status status = GR_OK;
    GR_TRY_DONE(plan_new(m, batch, &plan));
    GR_TRY_DONE(gr_session_new(plan, m->store, &session));
    GR_TRY_DONE(gr_session_input(session, "noise", &in));
    GR_TRY_DONE(gr_session_output(session, "pictures", &out));
    for (int64_t first = 0; first < n; first += batch) {
        for (int64_t i = 0; i < batch; i++) { /* a picture's numbers are its own, whatever the batch */
            gr__rng r = gr__rng_make(seed, (uint64_t)(first + i));
            for (int64_t k = 0; k < latent; k++) ((float *)in.data)[i * latent + k] = (float)gr__rng_normal(&r);
        }
        GR_TRY_DONE(gr_session_run(session));
        memcpy(pictures + first * each, out.data, (size_t)(GR__MIN(batch, n - first) * each) * sizeof *pictures);
    }
done:
    gr_session_free(&session);
    gr_plan_free(&plan);
    return status;
}

gr_status gr_generate_files(gr_model *m, int64_t n, uint64_t seed, const char *folder)
{
    GR_FAIL_IF(!m || !folder || n < 1 || n > 1 << 20, GR_ERR_ARGUMENT,
               "gr_generate_files: an argument is NULL, or n is not in 1 .. 2^20");
    GR_TRY(gr__model_want_generator(m, "making pictures"));
    const gr__picture_config *c = m->config;
    int64_t each = c->height * c->width * c->channels;
    float *all = gr__alloc((size_t)(n * each) * sizeof *all);
    uint8_t *bytes = gr__alloc((size_t)each);
    gr__str path = {0};
    gr_status status = all && bytes ? gr__dir_make(folder) : gr__fail_memory("pictures", (size_t)(n * each) * 4);
    if (status == GR_OK) status = gr_generate_pictures(m, n, seed, all);
    for (int64_t i = 0; i < n && status == GR_OK; i++) {
        gr__image image = {c->width, c->height, (int)c->channels, 8, bytes};
        for (int64_t k = 0; k < each; k++) bytes[k] = (uint8_t)lrintf(255 * all[i * each + k]);
        gr__str_clear(&path);
        gr__str_printf(&path, "%s/%04lld.png", folder, (long long)i);
        status = gr__str_check(&path);
        if (status == GR_OK) status = gr__png_write(gr__str_get(&path), &image);
    }
    gr__str_release(&path);
    gr__free(all);
    gr__free(bytes);
    return status;
}
