/* Text from a model: prompt -> ids -> decoder -> sampler -> text that is certain. Text that could still become a stop
 * text is held back; what the tokenizer's decoder holds back of a character never comes this far. */
#include "gradus/plan.h"
#include "base/clock.h"
#include "model/family.h"
#include "model/sample.h"

#include <string.h>

enum { DEFAULT_TOKENS = 256, CONTEXT_STEP = 64 };

typedef struct writer {
    const gr_generate_options *options;
    gr_text_fn fn;
    void *user;
    gr__str text; /* all of it */
    size_t sent;
    size_t longest;        /* of the stop texts */
    bool stopped, refused; /* a stop text came; the user has enough */
} writer;

/* ---- text ---- */

static void send(writer *w, size_t to)
{
    if (w->refused || to <= w->sent) return;
    if (w->fn && !w->fn(w->user, w->text.text + w->sent, to - w->sent)) w->refused = true;
    w->sent = to;
}

/* How many bytes at the end are the beginning of a stop text. */
static size_t held_back(const writer *w)
{
    size_t most = 0;
    for (int i = 0; i < w->options->n_stop; i++) {
        const char *stop = w->options->stop[i];
        size_t n = strlen(stop);
        for (size_t k = GR__MIN(n - 1, w->text.n); k > most; k--)
            if (memcmp(w->text.text + w->text.n - k, stop, k) == 0) {
                most = k;
                break;
            }
    }
    return most;
}

/* Adds a piece and hands out what is certain. end: nothing follows. */
static gr_status write_piece(writer *w, const char *piece, size_t n, bool end)
{
    size_t from = w->text.n > w->longest ? w->text.n - w->longest : 0, cut = SIZE_MAX;
    if (w->stopped) return GR_OK;
    gr__str_add_n(&w->text, piece, n);
    GR_TRY(gr__str_check(&w->text));
    if (w->text.n == 0) return GR_OK;
    for (int i = 0; i < w->options->n_stop; i++) {
        const char *stop = w->options->stop[i];
        size_t size = strlen(stop);
        for (size_t k = from; k + size <= w->text.n && k < cut; k++)
            if (memcmp(w->text.text + k, stop, size) == 0) cut = k;
    }
    if (cut != SIZE_MAX) {
        w->stopped = true;
        w->text.n = cut;
        w->text.text[cut] = 0;
        send(w, cut);
        return GR_OK;
    }
    send(w, w->text.n - (end ? 0 : held_back(w)));
    return GR_OK;
}

/* ---- tokens ---- */

typedef struct run {
    gr_model *model;
    const gr_generate_options *options;
    gr_lm_decoder *decoder;
    gr__sampler *sampler;
    gr_decoder *text;
    int32_t *ids;            /* prompt and continuation */
    size_t n, capacity, fed; /* fed: of ids, in the cache or dropped */
    int64_t context, at;     /* at: in the cache */
} run;

static bool is_eos(const gr_model *m, int32_t id)
{
    for (int i = 0; i < m->n_eos; i++)
        if (m->eos[i] == id) return true;
    return false;
}

static gr_status push(run *r, int32_t id)
{
    GR_TRY(gr__grow(&r->ids, sizeof *r->ids, r->n + 1, &r->capacity));
    r->ids[r->n++] = id;
    return GR_OK;
}

/* Feeds what is new. When it does not fit, the oldest half is dropped as often as needed and the rest fed anew. */
static gr_status feed(run *r, const float **logits)
{
    size_t fresh = r->n - r->fed;
    if (r->at + (int64_t)fresh > r->context) {
        int64_t keep = r->at + (int64_t)fresh, half = GR__MAX(r->context / 2, 1);
        while (keep > r->context) keep -= half;
        gr_lm_decoder_rewind(r->decoder, 0);
        r->at = 0;
        fresh = (size_t)keep;
    }
    GR_TRY(gr_lm_decoder_feed(r->decoder, r->ids + r->n - fresh, (int64_t)fresh, logits));
    r->at += (int64_t)fresh;
    r->fed = r->n;
    return GR_OK;
}

static gr_status encode_prompt(run *r, const char *prompt)
{
    int32_t *ids = NULL;
    size_t n = 0;
    gr_status status = GR_OK;
    if (*prompt) GR_TRY(gr_tokenizer_encode(r->model->tokenizer, prompt, strlen(prompt), GR_ENCODE_TEMPLATE, &ids, &n));
    for (size_t i = 0; i < n && status == GR_OK; i++) status = push(r, ids[i]);
    gr_text_free(ids);
    GR_TRY(status);
    if (r->n == 0) {
        int32_t first = r->model->bos >= 0 ? r->model->bos : r->model->n_eos ? r->model->eos[0] : -1;
        GR_FAIL_IF(first < 0, GR_ERR_ARGUMENT, "the model has no start token; give it a prompt");
        GR_TRY(push(r, first));
    }
    GR_TRY(gr__model_check_ids(r->model, r->ids, (int64_t)r->n));
    for (size_t i = 0; i < r->n; i++) gr__sampler_see(r->sampler, r->ids[i]);
    return GR_OK;
}

static gr_status loop(run *r, writer *w, int64_t most, gr_generate_result *result)
{
    const float *logits;
    const char *piece;
    size_t n;
    double start = gr__now();
    GR_TRY(feed(r, &logits));
    result->prompt_left_out = result->prompt_tokens - r->at;
    double prompted = gr__now();
    result->prompt_seconds = prompted - start;
    result->reason = GR_FINISH_LENGTH;
    while (result->tokens < most && result->reason == GR_FINISH_LENGTH) {
        int32_t id;
        if (result->tokens > 0) GR_TRY(feed(r, &logits));
        GR_TRY(gr__sampler_next(r->sampler, logits, &id));
        if (!r->options->ignore_eos && is_eos(r->model, id)) {
            result->reason = GR_FINISH_EOS;
            break;
        }
        result->tokens++;
        gr__sampler_see(r->sampler, id);
        GR_TRY(push(r, id));
        if (id < gr_tokenizer_vocab_size(r->model->tokenizer)) { /* rows that only pad the embedding have no text */
            GR_TRY(gr_decoder_push(r->text, id, &piece, &n));
            GR_TRY(write_piece(w, piece, n, false));
        }
        if (w->stopped)
            result->reason = GR_FINISH_STOP;
        else if (w->refused)
            result->reason = GR_FINISH_USER;
    }
    if (!w->stopped && !w->refused) {
        GR_TRY(gr_decoder_end(r->text, &piece, &n));
        GR_TRY(write_piece(w, piece, n, true));
        if (w->stopped) result->reason = GR_FINISH_STOP;
    }
    result->seconds = gr__now() - prompted;
    return GR_OK;
}

/* ---- all of it ---- */

static gr_status check_stops(const gr_generate_options *o, size_t *longest)
{
    GR_FAIL_IF(o->max_tokens < 0, GR_ERR_ARGUMENT, "max_tokens %lld is below 0", (long long)o->max_tokens);
    GR_FAIL_IF(o->n_stop < 0 || (o->n_stop > 0 && !o->stop), GR_ERR_ARGUMENT, "the stop texts are not given");
    *longest = 0;
    for (int i = 0; i < o->n_stop; i++) {
        const char *stop = o->stop[i];
        GR_FAIL_IF(!stop || !*stop, GR_ERR_ARGUMENT, "stop text %d is empty", i);
        size_t n = strlen(stop), at = 0, step;
        for (; at < n; at += step)
            GR_FAIL_IF((step = gr__utf8_step(stop + at, n - at)) == 0, GR_ERR_ARGUMENT, "stop text %d is not UTF-8", i);
        *longest = GR__MAX(*longest, n);
    }
    return GR_OK;
}

/* As much context as is needed, so that a short text of a model with a long one stays cheap. */
static int64_t context_for(int64_t model, int64_t prompt, int64_t tokens)
{
    int64_t room = model - prompt;
    if (room <= 0 || tokens >= room) return model;
    return GR__MIN(model, (prompt + tokens + CONTEXT_STEP - 1) / CONTEXT_STEP * CONTEXT_STEP);
}

static gr_status run_all(run *r, writer *w, const char *prompt, gr_generate_result *result)
{
    gr_model_info info = r->model->family->describe(r->model->config);
    int64_t most = r->options->max_tokens ? r->options->max_tokens : DEFAULT_TOKENS;
    GR_TRY(check_stops(r->options, &w->longest));
    GR_TRY(gr__sampler_new(r->options, info.vocab, &r->sampler));
    GR_TRY(encode_prompt(r, prompt));
    GR_TRY(gr_decoder_open(r->model->tokenizer, *prompt ? GR_DECODE_CONTINUE : 0, &r->text));
    result->prompt_tokens = (int64_t)r->n;
    r->context = context_for(info.context, (int64_t)r->n, most);
    GR_TRY(gr_lm_decoder_new(r->model, r->context, r->options->bf16, &r->decoder));
    return loop(r, w, most, result);
}

gr_status gr_generate(gr_model *model, const char *prompt, const gr_generate_options *options, gr_text_fn fn,
                      void *user, char **text, gr_generate_result *result)
{
    static const gr_generate_options defaults;
    GR_FAIL_IF(!model || !prompt, GR_ERR_ARGUMENT, "gr_generate: an argument is NULL");
    GR_TRY(gr__model_want_lm(model, "generating text"));
    GR_FAIL_IF(!model->tokenizer, GR_ERR_ARGUMENT, "the model has no tokenizer, so it cannot generate text");
    run r = {.model = model, .options = options ? options : &defaults};
    writer w = {.options = r.options, .fn = fn, .user = user};
    gr_generate_result done = {0};
    gr_status status = run_all(&r, &w, prompt, &done);
    if (status == GR_OK && text) {
        char *copy = gr__strndup(gr__str_get(&w.text), w.text.n);
        if (copy)
            *text = copy;
        else
            status = gr__fail_memory("the text", w.text.n);
    }
    if (status == GR_OK && result) *result = done;
    gr_lm_decoder_free(&r.decoder);
    gr__sampler_free(&r.sampler);
    gr_decoder_close(&r.text);
    gr__str_release(&w.text);
    gr__free(r.ids);
    return status;
}
