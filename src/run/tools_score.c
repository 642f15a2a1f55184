/* Scoring a model on text of any size, and writing tensors. */
#include "gradus/tools.h"

#include "data/corpus.h"
#include "format/safetensors.h"
#include "text/pieces.h"

#include <math.h>
#include <string.h>

typedef struct gr__joined {
    int32_t *id;
    size_t n, capacity;
} gr__joined;

static gr_status take_ids(void *user, const int32_t *id, size_t n)
{
    gr__joined *all = user;
    GR_TRY(gr__grow(&all->id, sizeof *all->id, all->n + n, &all->capacity));
    if (n) memcpy(all->id + all->n, id, n * sizeof *id);
    all->n += n;
    return GR_OK;
}

/* What a tokenizer loses (<unk>, blanks, capitals) is part of the text that the model was asked for. */
static void take_bytes(const gr_tokenizer *tok, const gr__corpus *c, int32_t first, gr_lm_score *s)
{
    s->bytes = (int64_t)(c->bytes - gr__first_bytes(tok, c->document[0].text, c->document[0].n, first));
    s->bits_per_byte = s->bytes ? s->loss * (double)s->tokens / log(2) / (double)s->bytes : NAN;
}

gr_status gr_model_score_text(gr_model *model, const char *path, const gr_eval_options *options, gr_lm_score *out)
{
    GR_FAIL_IF(!model || !path || !out, GR_ERR_ARGUMENT, "gr_model_score_text: an argument is NULL");
    const gr_tokenizer *tok = gr_model_tokenizer(model);
    gr__corpus c = {0};
    gr__joined all = {0};
    gr_lm_score score;
    gr_status status = GR_OK;
    GR_FAIL_IF(!tok, GR_ERR_DATA, "the model has no tokenizer, so it cannot read text");
    bool any = gr_tokenizer_type_of(tok) == GR_TOKENIZER_BYTE;
    GR_TRY_DONE(gr__corpus_read(path, (gr__corpus_options){.any_bytes = any}, &c));
    GR_TRY_DONE(gr__encode_documents(tok, c.document, c.n, take_ids, &all));
    if (all.n < 2)
        status =
            gr__fail(GR_ERR_DATA, "'%s' is too short to be scored: %zu tokens, at least 2 are needed", path, all.n);
    else
        status = gr_model_score(model, all.id, (int64_t)all.n, options, &score);
    if (status != GR_OK) goto done;
    take_bytes(tok, &c, all.id[0], &score);
    *out = score;
done:
    gr__free(all.id);
    gr__corpus_release(&c);
    return status;
}

gr_status gr_tensors_save(const char *path, const char *const *names, const gr_tensor *tensors, size_t n)
{
    GR_FAIL_IF(!path || (n && (!names || !tensors)), GR_ERR_ARGUMENT, "gr_tensors_save: an argument is NULL");
    for (size_t i = 0; i < n; i++) GR_FAIL_IF(!names[i], GR_ERR_ARGUMENT, "tensor %zu has no name", i);
    gr__named_tensor *t = gr__calloc(n ? n : 1, sizeof *t);
    if (!t) return gr__fail_memory("a list of tensors", n * sizeof *t);
    for (size_t i = 0; i < n; i++) t[i] = (gr__named_tensor){names[i], tensors[i]};
    gr_status s = gr__safetensors_write(path, t, n, NULL, 0);
    gr__free(t);
    return s;
}
