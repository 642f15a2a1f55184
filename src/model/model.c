/* Models as objects: made from a configuration, described, put into graphs. */
#include "model/family.h"

#include "graph/graph.h"
#include "model/fitted.h"
#include "model/picture.h"
#include "model/recommender.h"
#include "model/series.h"
#include "model/speech.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_ROWS = 32 };

gr_status gr__model_make(const gr__family *family, gr_model **out)
{
    GR_TRY(gr__family_check(family, family->kind));
    gr_model *m = gr__calloc(1, sizeof *m);
    if (!m) return gr__fail_memory("a model", sizeof *m);
    *m = (gr_model){.family = family, .threshold = (double)NAN, .bos = -1, .pad = -1};
    m->config = gr__arena_alloc(&m->arena, family->config_bytes);
    gr_status status = m->config ? gr_store_new(&m->store) : gr__fail_memory("a model", family->config_bytes);
    if (status != GR_OK) {
        gr_model_free(&m);
        return status;
    }
    *out = m;
    return GR_OK;
}

void gr_model_free(gr_model **model)
{
    if (!model || !*model) return;
    gr_model *m = *model;
    gr_graph_free(&m->layout);
    gr_store_free(&m->store);
    gr_tokenizer_close(&m->tokenizer);
    gr__arena_release(&m->arena);
    gr__free(m);
    *model = NULL;
}

static void take_special_ids(gr_model *m)
{
    if (!m->tokenizer) return;
    gr_tokenizer_specials s = gr_tokenizer_special_ids(m->tokenizer);
    if (m->bos < 0) m->bos = s.bos;
    if (m->pad < 0) m->pad = s.pad;
    if (m->n_eos == 0 && s.eos >= 0) m->eos[m->n_eos++] = s.eos;
}

static void build_encoder(const gr_model *m, gr_graph *g, int64_t batch, int64_t time, bool train,
                          gr_encoder_values *out)
{
    const int64_t dim[] = {batch, time};
    gr__encoder_in in = {.batch = batch, .time = time, .train = train};
    gr__encoded body = {0};
    in.ids = gr_input(g, "ids", GR_I32, 2, dim);
    in.types = m->family->describe(m->config).types > 1 ? gr_input(g, "token_types", GR_I32, 2, dim) : 0;
    in.mask = gr_input(g, "mask", GR_U8, 2, dim);
    m->family->build_encoder(g, m->config, &in, &body);
    gr_value logits = m->family->labels(m->config)->n ? m->family->build_head(g, m->config, &in, &body) : 0;
    *out = (gr_encoder_values){in.ids, in.types, in.mask, body.hidden, body.pooled, logits};
}

gr_value gr__model_build_table(const gr_model *m, gr_graph *g, int64_t batch, bool train)
{
    const gr__columns *c = m->family->columns(m->config);
    int64_t n = gr__columns_numbers(c), k = gr__columns_codes(c);
    gr_value numbers = n ? gr_input(g, "numbers", GR_F32, 2, (int64_t[]){batch, n}) : 0;
    gr_value codes = k ? gr_input(g, "codes", GR_I32, 2, (int64_t[]){batch, k}) : 0;
    return m->family->build_table(g, m->config, numbers, codes, batch, train);
}

static void build_recommender(const gr__family *f, const void *config, gr_graph *g)
{
    const int64_t one[] = {1, 1};
    gr_value id = gr_input(g, "id", GR_I32, 1, one), history = gr_input(g, "history", GR_I32, 2, one), penalty;
    gr__recommend_in in = {.user = id, .item = id, .session = id, .history = history, .batch = 1, .time = 1};
    if (f->build_rating) {
        f->build_rating(g, config, &in, &penalty);
        return;
    }
    f->build_query(g, config, &in);
    f->build_items(g, config, id, false);
}

gr_value gr__model_planes(const gr_model *m, gr_graph *g, const char *name, int64_t batch)
{
    const gr__picture_config *p = m->config;
    if (!m->family->frames) return gr_input(g, name, GR_F32, 4, (int64_t[]){batch, p->height, p->width, p->channels});
    return gr_input(g, name, GR_F32, 5, (int64_t[]){batch, m->family->frames(p), p->height, p->width, p->channels});
}

/* A model for pictures, or a detector; boxes: 0 for the former. Returns the input 'name'. */
static gr_value build_on_pictures(const gr_model *m, gr_graph *g, const char *name, int64_t batch, bool train,
                                  const char *program, gr_value *logits, gr_value *boxes)
{
    gr__picture_in in = {
        .x = gr__model_planes(m, g, name, batch), .train = train, .program = program ? program : "step"};
    gr__detector_out found = {0};
    if (m->family->build_detector)
        m->family->build_detector(g, m->config, &in, &found);
    else
        found.logits = m->family->build_picture(g, m->config, &in);
    *logits = found.logits;
    *boxes = found.boxes;
    return in.x;
}

static void build_generator(const gr_model *m, gr_graph *g)
{
    const gr__family *f = m->family;
    const gr__picture_config *p = m->config;
    enum { BATCH = 2 }; /* one picture has no deviation */
    gr__picture_in in = {.x = gr_input(g, "x", GR_F32, 4, (int64_t[]){BATCH, p->height, p->width, p->channels})};
    gr_value mean, spread;
    f->build_decode(g, m->config, gr_input(g, "noise", GR_F32, 2, (int64_t[]){BATCH, f->latent(m->config)}), &in);
    if (f->build_code) f->build_code(g, m->config, &in, &mean, &spread);
    if (f->build_judge) f->build_judge(g, m->config, &in);
}

static void build_layout(gr_model *m)
{
    const gr__family *f = m->family;
    gr_graph *g = m->layout;
    gr_value hidden, head;
    gr_encoder_values encoder;
    gr_model_kind kind = gr_model_kind_of(m);
    if (kind == GR_MODEL_ENCODER) {
        build_encoder(m, g, 1, 1, false, &encoder);
    } else if ((f->kind == GR_MODEL_PICTURE && kind != GR_MODEL_VECTOR) || kind == GR_MODEL_DETECTOR) {
        gr_value logits, boxes;
        build_on_pictures(m, g, "x", 1, false, NULL, &logits, &boxes);
    } else if (kind == GR_MODEL_GENERATOR) {
        build_generator(m, g);
    } else if (kind == GR_MODEL_VECTOR) {
        int64_t inputs, outputs;
        f->sizes(m->config, &inputs, &outputs);
        f->build_vector(g, m->config, gr_input(g, "x", GR_F32, 2, (int64_t[]){1, inputs}), false, NULL);
    } else if (f->kind == GR_MODEL_SPEECH) {
        const gr__speech_config *s = m->config;
        gr_value x = gr_input(g, "x", GR_F32, 3, (int64_t[]){1, 8, s->sound.mels});
        f->build_speech(g, m->config, &(gr__speech_in){.x = x});
    } else if (kind == GR_MODEL_TABLE) {
        gr__model_build_table(m, g, 1, false);
    } else if (kind == GR_MODEL_FITTED) {
        gr__fitted_out out;
        gr__model_build_fitted(m, g, 1, &out);
    } else if (f->kind == GR_MODEL_SERIES) {
        const gr__series_config *s = m->config;
        gr_value x = gr_input(g, "x", GR_F32, 3, (int64_t[]){1, s->window, (int64_t)s->names.n});
        f->build_series(g, m->config, x, false);
    } else if (f->kind == GR_MODEL_RECOMMENDER) {
        build_recommender(f, m->config, g);
    } else {
        gr_value ids = gr_input(g, "ids", GR_I32, 2, (int64_t[]){1, 1});
        f->build_lm(g, m->config, &(gr__lm_in){.ids = ids, .batch = 1, .time = 1}, &hidden, &head);
    }
}

/* The data's own go with the data. */
static gr_status copy_labels(gr_model *m, gr__conf_strings *labels)
{
    const char **own = gr__arena_alloc(&m->arena, (labels->n + 1) * sizeof *own);
    if (!own) return gr__fail_memory("labels", labels->n * sizeof *own);
    for (size_t i = 0; i < labels->n; i++)
        if (!(own[i] = gr__arena_strdup(&m->arena, labels->item[i])))
            return gr__fail_memory("a label", strlen(labels->item[i]));
    labels->item = own;
    return GR_OK;
}

static gr_status copy_numbers(gr_model *m, gr__conf_doubles *list)
{
    if (list->n == 0) return GR_OK;
    double *own = gr__arena_alloc(&m->arena, list->n * sizeof *own);
    if (!own) return gr__fail_memory("a model", list->n * sizeof *own);
    memcpy(own, list->item, list->n * sizeof *own);
    list->item = own;
    return GR_OK;
}

gr_status gr__model_finish(gr_model *m, const gr__facts *facts)
{
    gr__facts f = *facts;
    take_special_ids(m);
    if (m->pad < 0 && m->family->kind == GR_MODEL_ENCODER) m->pad = m->family->pad;
    f.pad = m->pad;
    f.arena = &m->arena;
    GR_TRY(copy_labels(m, &f.labels));
    GR_TRY(copy_numbers(m, &f.mean));
    GR_TRY(copy_numbers(m, &f.std));
    GR_TRY(m->family->finish(m->config, &f));
    if (m->family->kind_of) GR_TRY(gr__family_check(m->family, m->family->kind_of(m->config)));
    GR_TRY(gr_graph_new(&m->layout));
    build_layout(m);
    return gr_graph_status(m->layout);
}

/* ---- from a configuration ---- */

/* The family's rows and 'type' in one table, so that unknown keys are refused; 'type' itself lies behind the struct. */
static gr_status read_section(gr_model *m, const gr__conf *section)
{
    const gr__family *f = m->family;
    gr__conf_row rows[MOST_ROWS];
    GR_FAIL_IF(f->n_rows + 1 > MOST_ROWS, GR_ERR_INTERNAL, "family '%s' has too many keys", f->name);
    size_t at = (f->config_bytes + 15) / 16 * 16;
    char *both = gr__arena_alloc(&m->arena, at + sizeof(const char *));
    if (!both) return gr__fail_memory("a model", at);
    rows[0] = (gr__conf_row){"type", GR__CONF_STRING, at, 0, 0, NULL, f->name, "kind of model", GR__CONF_MAIN};
    memcpy(rows + 1, f->rows, f->n_rows * sizeof *rows);
    GR_TRY(gr__conf_read(section, "model", rows, f->n_rows + 1, both, &m->arena));
    memcpy(m->config, both, f->config_bytes);
    return GR_OK;
}

gr_status gr__model_new(const gr__conf *section, const gr__facts *facts, gr_tokenizer *tokenizer, gr_model **out)
{
    const gr__conf *type = gr__conf_main(section, "type");
    const gr__family *family = &gr__family_gpt;
    gr_model *m;
    if (!gr__conf_is_null(type) && gr__family_find(type->text, &family) != GR_OK) {
        char why[512];
        snprintf(why, sizeof why, "%s", gr_message());
        return gr__conf_fail(type, "%s", why);
    }
    GR_TRY(gr__model_make(family, &m));
    m->tokenizer = tokenizer;
    gr_status status = read_section(m, section);
    if (status == GR_OK) {
        status = gr__model_finish(m, facts);
        bool placed = strchr(gr_message(), '\n') != NULL; /* file, line and a caret already */
        if (status == GR_ERR_CONFIG && !placed) gr__fail_prefix(status, "section 'model'");
    }
    if (status != GR_OK) {
        m->tokenizer = NULL; /* stays the caller's */
        gr_model_free(&m);
        return status;
    }
    *out = m;
    return GR_OK;
}

/* ---- looking ---- */

bool gr__model_matches(const char *const *patterns, const char *name)
{
    for (; patterns && *patterns; patterns++)
        if (gr__str_glob(*patterns, name)) return true;
    return false;
}

gr_store *gr_model_store(gr_model *m) { return m->store; }
const gr_tokenizer *gr_model_tokenizer(const gr_model *m) { return m->tokenizer; }
const char *gr_model_family(const gr_model *m) { return m->family->name; }

gr_model_kind gr_model_kind_of(const gr_model *m)
{
    gr_model_kind kind = m->family->kind_of ? m->family->kind_of(m->config) : m->family->kind;
    if (kind == GR_MODEL_PICTURE && m->family->frames) return GR_MODEL_CLIP;
    return kind == GR_MODEL_PICTURE && ((const gr__picture_config *)m->config)->sound.rate ? GR_MODEL_SOUND : kind;
}

int gr__model_states(const gr_model *m, gr_value *out, int capacity)
{
    int n = 0;
    for (size_t i = 0; i < m->layout->n_values; i++) {
        if (m->layout->value[i].role != GR__ROLE_STATE) continue;
        if (n < capacity) out[n] = (gr_value)(i + 1);
        n++;
    }
    return n;
}

gr_model_info gr_model_describe(const gr_model *m)
{
    gr_model_info info = m->family->describe(m->config);
    for (size_t i = 0; i < m->layout->n_values; i++)
        if (m->layout->value[i].trainable) {
            int64_t n = 1;
            for (int d = 0; d < m->layout->value[i].rank; d++) n *= m->layout->value[i].dim[d];
            info.parameters += n;
        }
    return info;
}

/* ---- labels ---- */

double gr_model_threshold(const gr_model *m) { return m->threshold; }

gr_status gr_model_set_threshold(gr_model *m, double threshold)
{
    GR_FAIL_IF(!m, GR_ERR_ARGUMENT, "gr_model_set_threshold: an argument is NULL");
    GR_FAIL_IF(!isnan(threshold) && !(threshold >= 0 && threshold <= 1), GR_ERR_ARGUMENT,
               "a threshold is a number from 0 to 1, not %g", threshold);
    const gr__conf_strings *labels = m->family->labels ? m->family->labels(m->config) : NULL;
    bool two = labels && labels->n == 2 && gr_model_kind_of(m) != GR_MODEL_FITTED && m->family->label_kind &&
               gr_model_label_kind(m) == GR_LABELS_ONE;
    GR_FAIL_IF(!two && !isnan(threshold), GR_ERR_UNSUPPORTED,
               "a threshold is for models that tell two labels apart; this '%s' does not", m->family->name);
    m->threshold = threshold;
    return GR_OK;
}

int64_t gr_model_decide(const gr_model *m, const double *probability, int64_t labels)
{
    int64_t best = 0;
    if (labels < 1 || labels != m->family->describe(m->config).labels) return -1;
    if (labels == 2 && !isnan(m->threshold)) return probability[1] >= m->threshold;
    for (int64_t k = 1; k < labels; k++)
        if (probability[k] > probability[best]) best = k;
    return best;
}

/* ---- language models ---- */

gr_status gr__model_want_lm(const gr_model *m, const char *what)
{
    GR_FAIL_IF(m->family->kind != GR_MODEL_LM, GR_ERR_UNSUPPORTED, "%s needs a language model, not '%s'", what,
               m->family->name);
    return GR_OK;
}

gr_status gr__model_check_ids(const gr_model *m, const int32_t *ids, int64_t n)
{
    int64_t vocab = m->family->describe(m->config).vocab;
    for (int64_t i = 0; i < n; i++)
        GR_FAIL_IF(ids[i] < 0 || ids[i] >= vocab, GR_ERR_DATA,
                   "token id %d at position %lld is outside the vocabulary of %lld", (int)ids[i], (long long)i,
                   (long long)vocab);
    return GR_OK;
}

gr_status gr__model_check_size(const gr_model *m, int64_t batch, const char *name, int64_t n)
{
    int64_t context = m->family->describe(m->config).context;
    GR_FAIL_IF(batch < 0, GR_ERR_ARGUMENT, "batch %lld is not possible; it is 1 or more, or 0 for the default",
               (long long)batch);
    GR_FAIL_IF(n < 0 || n > context, GR_ERR_ARGUMENT,
               "%s %lld is not possible; the model's context is %lld, so 1 to %lld are", name, (long long)n,
               (long long)context, (long long)context);
    return GR_OK;
}

gr_status gr_model_build_lm(gr_model *m, gr_graph *g, int64_t batch, int64_t time, bool train, gr_lm_values *out)
{
    GR_FAIL_IF(!m || !g || !out, GR_ERR_ARGUMENT, "gr_model_build_lm: an argument is NULL");
    GR_TRY(gr__model_want_lm(m, "gr_model_build_lm"));
    int64_t context = m->family->describe(m->config).context;
    GR_FAIL_IF(batch < 1 || time < 1 || time > context, GR_ERR_ARGUMENT,
               "a batch of %lld times %lld tokens is not possible; the model's context is %lld", (long long)batch,
               (long long)time, (long long)context);
    gr_lm_values v = {.ids = gr_input(g, "ids", GR_I32, 2, (int64_t[]){batch, time})};
    gr__lm_in in = {.ids = v.ids, .batch = batch, .time = time, .train = train};
    m->family->build_lm(g, m->config, &in, &v.hidden, &v.head);
    GR_TRY(gr_graph_status(g));
    *out = v;
    return GR_OK;
}

/* ---- encoders ---- */

gr_status gr__model_want_encoder(const gr_model *m, const char *what)
{
    GR_FAIL_IF(m->family->kind != GR_MODEL_ENCODER, GR_ERR_UNSUPPORTED, "%s needs an encoder, not '%s'", what,
               m->family->name);
    return GR_OK;
}

gr_status gr_model_build_encoder(gr_model *m, gr_graph *g, int64_t batch, int64_t time, bool train,
                                 gr_encoder_values *out)
{
    GR_FAIL_IF(!m || !g || !out, GR_ERR_ARGUMENT, "gr_model_build_encoder: an argument is NULL");
    GR_TRY(gr__model_want_encoder(m, "gr_model_build_encoder"));
    int64_t context = m->family->describe(m->config).context;
    GR_FAIL_IF(batch < 1 || time < 1 || time > context, GR_ERR_ARGUMENT,
               "a batch of %lld times %lld tokens is not possible; the model's context is %lld", (long long)batch,
               (long long)time, (long long)context);
    gr_encoder_values v;
    build_encoder(m, g, batch, time, train, &v);
    GR_TRY(gr_graph_status(g));
    *out = v;
    return GR_OK;
}

/* ---- pictures ---- */

gr_status gr__model_want_pictures(const gr_model *m, const char *what)
{
    gr_model_kind kind = gr_model_kind_of(m);
    GR_FAIL_IF(kind != GR_MODEL_PICTURE && kind != GR_MODEL_SOUND && kind != GR_MODEL_CLIP, GR_ERR_UNSUPPORTED,
               "%s needs a model for pictures, not '%s'", what, m->family->name);
    return GR_OK;
}

gr_status gr_model_build_picture(gr_model *m, gr_graph *g, int64_t batch, bool train, const char *program,
                                 gr_picture_values *out)
{
    GR_FAIL_IF(!m || !g || !out, GR_ERR_ARGUMENT, "gr_model_build_picture: an argument is NULL");
    GR_TRY(gr__model_want_pictures(m, "gr_model_build_picture"));
    GR_FAIL_IF(batch < 1, GR_ERR_ARGUMENT, "a batch of %lld pictures is not possible", (long long)batch);
    gr_picture_values v;
    gr_value none;
    v.pictures = build_on_pictures(m, g, "pictures", batch, train, program, &v.logits, &none);
    GR_TRY(gr_graph_status(g));
    *out = v;
    return GR_OK;
}

gr_status gr__model_want_items(const char *const *items, int64_t n, const char *what)
{
    for (int64_t i = 0; i < n; i++)
        GR_FAIL_IF(!items[i], GR_ERR_ARGUMENT, "%s is NULL: number %lld", what, (long long)i);
    return GR_OK;
}

gr_status gr__model_want_generator(const gr_model *m, const char *what)
{
    GR_FAIL_IF(gr_model_kind_of(m) != GR_MODEL_GENERATOR, GR_ERR_UNSUPPORTED, "%s needs a generator, not '%s'", what,
               m->family->name);
    return GR_OK;
}

gr_status gr__model_want_detector(const gr_model *m, const char *what)
{
    GR_FAIL_IF(gr_model_kind_of(m) != GR_MODEL_DETECTOR, GR_ERR_UNSUPPORTED, "%s needs a detector, not '%s'", what,
               m->family->name);
    return GR_OK;
}

gr_status gr_model_build_detector(gr_model *m, gr_graph *g, int64_t batch, bool train, const char *program,
                                  gr_detector_values *out)
{
    GR_FAIL_IF(!m || !g || !out, GR_ERR_ARGUMENT, "gr_model_build_detector: an argument is NULL");
    GR_TRY(gr__model_want_detector(m, "gr_model_build_detector"));
    GR_FAIL_IF(batch < 1, GR_ERR_ARGUMENT, "a batch of %lld pictures is not possible", (long long)batch);
    gr_detector_values v;
    v.pictures = build_on_pictures(m, g, "pictures", batch, train, program, &v.logits, &v.boxes);
    GR_TRY(gr_graph_status(g));
    *out = v;
    return GR_OK;
}

/* ---- labels ---- */

gr_label_kind gr_model_label_kind(const gr_model *m)
{
    return m->family->label_kind ? m->family->label_kind(m->config) : GR_LABELS_NUMBERS;
}

const char *gr_model_label(const gr_model *m, int64_t i)
{
    const gr__conf_strings *labels = m->family->labels ? m->family->labels(m->config) : NULL;
    return labels && i >= 0 && i < (int64_t)labels->n ? labels->item[i] : NULL;
}
