/* An encoder at work: scores of texts, and the numbers themselves. */
#include "gradus/ops.h"
#include "gradus/plan.h"
#include "model/encode.h"
#include "model/family.h"

#include <string.h>

enum { BATCH = 16, ROUND = 8 }; /* lengths are rounded up, so that few programs are compiled */

gr_status gr__encode_whole(const gr_tokenizer *tok, const char *text, size_t n, int64_t most, int32_t **ids,
                           size_t *n_ids)
{
    size_t before, after;
    gr_tokenizer_template(tok, &before, &after);
    GR_TRY(gr_tokenizer_encode(tok, text, n, GR_ENCODE_TEMPLATE, ids, n_ids));
    gr_status status = GR_OK;
    if (*n_ids <= before + after) status = gr__fail(GR_ERR_DATA, "the text is empty");
    if (status == GR_OK && (int64_t)(before + after) >= most)
        status = gr__fail(GR_ERR_ARGUMENT, "%lld tokens leave no room for a text between the %zu of the tokenizer",
                          (long long)most, before + after);
    if (status != GR_OK) {
        gr_text_free(*ids);
        *ids = NULL;
        return status;
    }
    if ((int64_t)*n_ids > most) {
        memmove(*ids + most - (int64_t)after, *ids + *n_ids - after, after * sizeof **ids);
        *n_ids = (size_t)most;
    }
    return GR_OK;
}

/* ---- one program ---- */

typedef struct encoder {
    gr_plan *plan;
    gr_session *session;
    int64_t batch, time;
} encoder;

static void encoder_release(encoder *e)
{
    gr_session_free(&e->session);
    gr_plan_free(&e->plan);
    *e = (encoder){0};
}

static gr_value scores_of(gr_graph *g, const gr_model *m, gr_value logits)
{
    switch (gr_model_label_kind(m)) {
    case GR_LABELS_ONE: return gr_softmax(g, logits);
    case GR_LABELS_MANY: return gr_sigmoid(g, logits);
    default: return logits;
    }
}

/* Program "encode" with the outputs whose names are given. */
static gr_status encoder_new(gr_model *m, int64_t batch, int64_t time, bool bf16, const char *const *wanted, int n,
                             encoder *out)
{
    gr_graph *g;
    gr_encoder_values v;
    GR_TRY(gr_graph_new(&g));
    *out = (encoder){.batch = batch, .time = time};
    gr_status status = gr_model_build_encoder(m, g, batch, time, false, &v);
    for (int i = 0; i < n && status == GR_OK; i++) {
        gr_value x = strcmp(wanted[i], "hidden") == 0   ? v.hidden
                     : strcmp(wanted[i], "pooled") == 0 ? v.pooled
                     : strcmp(wanted[i], "logits") == 0 ? v.logits
                     : v.logits                         ? scores_of(g, m, v.logits)
                                                        : 0;
        if (!x) status = gr__fail(GR_ERR_UNSUPPORTED, "this '%s' gives no %s", m->family->name, wanted[i]);
        gr_output(g, "encode", wanted[i], x);
    }
    if (status == GR_OK && bf16) status = gr_autocast_bf16(g);
    if (status == GR_OK) status = gr_plan_compile(g, "encode", NULL, &out->plan);
    if (status == GR_OK) status = gr_session_new(out->plan, m->store, &out->session);
    gr_graph_free(&g);
    return status;
}

/* Inputs that the program does not read are left out. */
static void set_types(encoder *e)
{
    gr_tensor types;
    if (gr_session_input(e->session, "token_types", &types) == GR_OK)
        memset(types.data, 0, gr_tensor_size_bytes(&types));
}

/* ---- the numbers ---- */

gr_status gr_model_encode(gr_model *m, const int32_t *ids, const uint8_t *mask, int64_t batch, int64_t time,
                          float *hidden, float *pooled, float *logits)
{
    GR_FAIL_IF(!m || !ids, GR_ERR_ARGUMENT, "gr_model_encode: an argument is NULL");
    GR_TRY(gr__model_want_encoder(m, "gr_model_encode"));
    GR_TRY(gr__model_check_ids(m, ids, batch * time));
    const char *names[3];
    float *to[3];
    int n = 0;
    if (hidden) names[n] = "hidden", to[n++] = hidden;
    if (pooled) names[n] = "pooled", to[n++] = pooled;
    if (logits) names[n] = "logits", to[n++] = logits;
    if (n == 0) return GR_OK;
    encoder e = {0};
    gr_tensor t;
    gr_status status = GR_OK;
    GR_TRY_DONE(encoder_new(m, batch, time, false, names, n, &e));
    GR_TRY_DONE(gr_session_input(e.session, "ids", &t));
    memcpy(t.data, ids, gr_tensor_size_bytes(&t));
    GR_TRY_DONE(gr_session_input(e.session, "mask", &t));
    if (mask)
        memcpy(t.data, mask, gr_tensor_size_bytes(&t));
    else
        memset(t.data, 1, gr_tensor_size_bytes(&t));
    set_types(&e);
    GR_TRY_DONE(gr_session_run(e.session));
    for (int i = 0; i < n; i++) {
        GR_TRY_DONE(gr_session_output(e.session, names[i], &t));
        memcpy(to[i], t.data, gr_tensor_size_bytes(&t));
    }
done:
    encoder_release(&e);
    return status;
}

/* ---- texts ---- */

typedef struct row {
    int32_t *ids;
    size_t n;
} row;

/* Rows side by side; what is missing of a row, and of the batch, is hidden. */
static gr_status fill(const gr_model *m, encoder *e, const row *rows, int64_t n)
{
    gr_tensor ids, mask;
    GR_TRY(gr_session_input(e->session, "ids", &ids));
    GR_TRY(gr_session_input(e->session, "mask", &mask));
    set_types(e);
    for (int64_t b = 0; b < e->batch; b++) {
        const row *r = &rows[b < n ? b : 0]; /* a real one again: a row without tokens means nothing */
        for (int64_t t = 0; t < e->time; t++) {
            bool there = t < (int64_t)r->n;
            ((int32_t *)ids.data)[b * e->time + t] = there ? r->ids[t] : m->pad;
            ((uint8_t *)mask.data)[b * e->time + t] = there;
        }
    }
    return GR_OK;
}

static gr_status encode_rows(const gr_model *m, const char *const *texts, int64_t first, int64_t n, int64_t most,
                             row *rows, int64_t *longest)
{
    *longest = 1;
    for (int64_t i = 0; i < n; i++) {
        const char *text = texts[first + i];
        gr_status s = gr__encode_whole(m->tokenizer, text, strlen(text), most, &rows[i].ids, &rows[i].n);
        if (s != GR_OK) return gr__fail_prefix(s, "text %lld", (long long)(first + i + 1));
        GR_TRY(gr__model_check_ids(m, rows[i].ids, (int64_t)rows[i].n));
        *longest = GR__MAX(*longest, (int64_t)rows[i].n);
    }
    return GR_OK;
}

static gr_status score_rows(gr_model *m, encoder *e, const row *rows, int64_t n, int64_t batch, int64_t time, bool bf16,
                            float *scores)
{
    static const char *const wanted[] = {"scores"};
    gr_tensor t;
    if (e->batch != batch || e->time != time) {
        encoder_release(e);
        GR_TRY(encoder_new(m, batch, time, bf16, wanted, 1, e));
    }
    GR_TRY(fill(m, e, rows, n));
    GR_TRY(gr_session_run(e->session));
    GR_TRY(gr_session_output(e->session, "scores", &t));
    memcpy(scores, t.data, (size_t)(n * t.dim[1]) * sizeof *scores);
    return GR_OK;
}

gr_status gr_classify(gr_model *m, const char *const *texts, int64_t n, const gr_classify_options *options,
                      float *scores)
{
    gr_classify_options o = options ? *options : (gr_classify_options){0};
    GR_FAIL_IF(!m || !texts || !scores || n < 1, GR_ERR_ARGUMENT,
               "gr_classify: an argument is NULL, or there is no text");
    GR_TRY(gr__model_want_encoder(m, "classifying"));
    GR_TRY(gr__model_want_items(texts, n, "a text"));
    gr_model_info info = m->family->describe(m->config);
    GR_FAIL_IF(info.labels == 0, GR_ERR_UNSUPPORTED,
               "this '%s' has no head for labels; train one with the task "
               "'text-classification'",
               m->family->name);
    GR_FAIL_IF(!m->tokenizer, GR_ERR_DATA, "the model has no tokenizer, so it cannot read text");
    GR_TRY(gr__model_check_size(m, o.batch, "length", o.length));
    int64_t most = o.length ? o.length : info.context, batch = GR__MIN(o.batch ? o.batch : BATCH, n);
    encoder e = {0};
    gr_status status = GR_OK;
    row *rows = gr__calloc((size_t)batch, sizeof *rows);
    if (!rows) return gr__fail_memory("texts", (size_t)batch * sizeof *rows);
    for (int64_t first = 0; first < n && status == GR_OK; first += batch) {
        int64_t here = GR__MIN(batch, n - first), longest;
        status = encode_rows(m, texts, first, here, most, rows, &longest);
        int64_t time = GR__MIN((longest + ROUND - 1) / ROUND * ROUND, most);
        if (status == GR_OK) status = score_rows(m, &e, rows, here, batch, time, o.bf16, scores + first * info.labels);
        for (int64_t i = 0; i < batch; i++) {
            gr_text_free(rows[i].ids);
            rows[i] = (row){0};
        }
    }
    encoder_release(&e);
    gr__free(rows);
    return status;
}
