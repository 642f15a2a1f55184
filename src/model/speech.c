/* Models that write down what they hear: configuration, building, and the texts of files. */
#include "model/speech.h"

#include "gradus/plan.h"
#include "model/ctc_decode.h"

#include <string.h>

gr_status gr__speech_finish(gr__speech_config *c, const gr__facts *facts)
{
    if (facts->labels.n) c->symbols = facts->labels, c->words = facts->words;
    if (facts->features) GR_TRY(gr__sound_take(facts->features, facts->arena, &c->sound));
    GR_FAIL_IF(c->symbols.n == 0 || c->sound.rate == 0, GR_ERR_CONFIG,
               "a model that writes down what it hears takes symbols and features from its data");
    return GR_OK;
}

gr_status gr__speech_read_json(gr__json root, gr__speech_config *c, gr__arena *arena)
{
    GR_TRY(gr__hf_need(root, "sampling_rate"));
    GR_TRY(gr__sound_read_json(root, arena, &c->sound));
    GR_TRY(gr__hf_bool(root, "words", &c->words));
    GR_TRY(gr__hf_need(root, "id2label"));
    return gr__hf_read_labels(root, 1, arena, &c->symbols);
}

void gr__speech_write_json(const gr__speech_config *c, gr__str *out)
{
    gr__hf_put_labels(out, &c->symbols);
    gr__sound_write_json(&c->sound, out);
    gr__hf_put_bool(out, "words", c->words);
}

const gr__conf_strings *gr__speech_symbols(const void *config) { return &((const gr__speech_config *)config)->symbols; }

void gr__speech_text(const gr__speech_config *c, const int32_t *ids, int64_t n, gr__str *out)
{
    for (int64_t i = 0; i < n; i++) {
        if (i > 0 && c->words) gr__str_add_char(out, ' ');
        if (ids[i] >= 1 && (size_t)ids[i] <= c->symbols.n) gr__str_add(out, c->symbols.item[ids[i] - 1]);
    }
}

/* ---- building ---- */

static gr_status want_speech(const gr_model *m, const char *what)
{
    GR_FAIL_IF(m->family->kind != GR_MODEL_SPEECH, GR_ERR_UNSUPPORTED,
               "%s needs a model that writes down what it hears, not '%s'", what, m->family->name);
    return GR_OK;
}

int64_t gr_model_speech_steps(const gr_model *m, int64_t frames)
{
    return m && m->family->kind == GR_MODEL_SPEECH ? m->family->speech_steps(m->config, frames) : 0;
}

gr_status gr_model_build_speech(gr_model *m, gr_graph *g, int64_t batch, int64_t frames, bool train,
                                const char *program, gr_speech_values *out)
{
    GR_FAIL_IF(!m || !g || !out, GR_ERR_ARGUMENT, "gr_model_build_speech: an argument is NULL");
    GR_TRY(want_speech(m, "gr_model_build_speech"));
    GR_FAIL_IF(batch < 1 || frames < 1, GR_ERR_ARGUMENT, "a batch of %lld times %lld frames is not possible",
               (long long)batch, (long long)frames);
    const gr__speech_config *c = m->config;
    gr_speech_values v = {.bands = gr_input(g, "bands", GR_F32, 3, (int64_t[]){batch, frames, c->sound.mels}),
                          .lengths = gr_input(g, "lengths", GR_I32, 1, &batch)};
    gr__speech_in in = {.x = v.bands, .lengths = v.lengths, .train = train, .program = program ? program : "step"};
    v.logits = m->family->build_speech(g, m->config, &in);
    GR_TRY(gr_graph_status(g));
    *out = v;
    return GR_OK;
}

/* ---- texts of files ---- */

typedef struct listener {
    gr_plan *plan;
    gr_session *session;
    int64_t frames;
} listener;

static void release(listener *l)
{
    gr_session_free(&l->session);
    gr_plan_free(&l->plan);
    *l = (listener){0};
}

static gr_status listen_for(gr_model *m, int64_t frames, bool bf16, listener *l)
{
    gr_graph *g;
    gr_speech_values v = {0};
    if (l->frames == frames) return GR_OK;
    release(l);
    l->frames = frames;
    GR_TRY(gr_graph_new(&g));
    gr_status status = gr_model_build_speech(m, g, 1, frames, false, NULL, &v);
    if (status == GR_OK) gr_output(g, "listen", "logits", v.logits);
    if (status == GR_OK && bf16) status = gr_autocast_bf16(g);
    if (status == GR_OK) status = gr_plan_compile(g, "listen", NULL, &l->plan);
    if (status == GR_OK) status = gr_session_new(l->plan, m->store, &l->session);
    gr_graph_free(&g);
    return status;
}

static gr_status decode(const gr_model *m, const gr_tensor *logits, int64_t beam, char **text)
{
    int64_t steps = logits->dim[1], symbols = logits->dim[2], n;
    gr__str out = {0};
    int32_t *ids = gr__alloc((size_t)(steps + 1) * sizeof *ids);
    gr_status status = ids ? GR_OK : gr__fail_memory("symbols", (size_t)steps * sizeof *ids);
    if (status == GR_OK && beam > 1)
        status = gr__ctc_beam(logits->data, steps, symbols, beam, ids, &n);
    else if (status == GR_OK)
        gr__ctc_greedy(logits->data, steps, symbols, ids, &n);
    if (status == GR_OK) {
        gr__speech_text(m->config, ids, n, &out);
        status = gr__str_check(&out);
    }
    if (status == GR_OK && !(*text = gr__strdup(gr__str_get(&out)))) status = gr__fail_memory("a text", out.n);
    gr__str_release(&out);
    gr__free(ids);
    return status;
}

static gr_status transcribe(gr_model *m, const float *filters, const char *path, const gr_transcribe_options *o,
                            listener *l, char **text)
{
    const gr__features *f = &((const gr__speech_config *)m->config)->sound;
    gr__wave wave;
    gr_tensor bands, lengths, logits;
    GR_TRY(gr__wave_read(path, f->rate, &wave, NULL));
    int64_t frames = gr__features_frames(f, wave.n);
    gr_status status = GR_OK;
    GR_TRY_DONE(listen_for(m, frames, o->bf16, l));
    GR_TRY_DONE(gr_session_input(l->session, "bands", &bands));
    GR_TRY_DONE(gr_session_input(l->session, "lengths", &lengths));
    GR_TRY_DONE(gr_session_output(l->session, "logits", &logits));
    GR_TRY_DONE(gr__features_make(f, filters, wave.samples, wave.n, bands.data));
    *(int32_t *)lengths.data = (int32_t)gr_model_speech_steps(m, frames);
    GR_TRY_DONE(gr_session_run(l->session));
    GR_TRY_DONE(decode(m, &logits, o->beam, text));
done:
    gr__free(wave.samples);
    return status;
}

gr_status gr_transcribe(gr_model *m, const char *path, const gr_transcribe_options *options, char **text)
{
    GR_FAIL_IF(!m || !path || !text, GR_ERR_ARGUMENT, "gr_transcribe: an argument is NULL");
    GR_TRY(want_speech(m, "writing down what is said"));
    gr_transcribe_options o = options ? *options : (gr_transcribe_options){0};
    GR_FAIL_IF(o.beam < 0 || o.beam > 1 << 16, GR_ERR_ARGUMENT, "a beam of %lld texts is not possible",
               (long long)o.beam);
    listener l = {0};
    float *filters;
    GR_TRY(gr__features_filters(&((const gr__speech_config *)m->config)->sound, &filters));
    gr_status status = transcribe(m, filters, path, &o, &l, text);
    release(&l);
    gr__free(filters);
    return status;
}
