/* Decoding with caches: two plans of the same model, one for a single token and one for a chunk of a prompt, whose
 * sessions share the caches of keys and values.
 *
 *   chunk: | id id id id . . . . |   the last chunk is padded: what padding writes into the caches lies behind 'at',
 *                        ^last       where no query looks, and is written over by what comes next
 */
#include "gradus/ops.h"
#include "gradus/plan.h"
#include "model/family.h"

#include <string.h>

enum { CHUNK = 32 };

typedef struct part {
    int64_t time;
    gr_plan *plan;
    gr_session *session;
    int32_t *ids;        /* (1, time) */
    int32_t *positions;  /* (1, time); NULL: the family does not ask */
    int32_t *start;      /* (1) */
    int32_t *last;       /* (1): row of the logits */
    int32_t *lengths;    /* (1): how many ids are real; NULL: the family does not ask */
    const float *logits; /* (1, V) */
} part;

struct gr_lm_decoder {
    gr_model *model;
    int64_t context, at;
    int32_t *fed;       /* context: of a recurrent model, what it has seen */
    int64_t again;      /* of those, what it must see once more before anything new */
    part single, chunk; /* chunk.time is 0 where the context is one token */
};

static void build(gr_graph *g, const gr_lm_decoder *d, int64_t time, bool bf16)
{
    const gr__family *f = d->model->family;
    gr__lm_in in = {
        .batch = 1, .time = time, .cache = d->context, .cache_dtype = bf16 ? GR_BF16 : GR_F32, .program = "decode"};
    int64_t width = f->describe(d->model->config).width, one = 1, row[] = {1, time};
    gr_value hidden, head;
    in.ids = gr_input(g, "ids", GR_I32, 2, row);
    in.positions = gr_input(g, "positions", GR_I32, 2, row);
    in.start = gr_input(g, "start", GR_I32, 1, &one);
    in.lengths = gr_input(g, "lengths", GR_I32, 1, &one);
    gr_value last = gr_input(g, "last", GR_I32, 1, &one);
    f->build_lm(g, d->model->config, &in, &hidden, &head);
    hidden = gr_embedding(g, gr_reshape(g, hidden, 2, (int64_t[]){time, width}), last);
    gr_output(g, "decode", "logits", gr_matmul(g, hidden, head, &(gr_matmul_options){.transpose_b = true}));
}

/* NULL where the program does not read the input. */
static int32_t *input(gr_session *s, const char *name)
{
    gr_tensor t;
    return gr_session_input(s, name, &t) == GR_OK ? t.data : NULL;
}

static gr_status part_new(gr_lm_decoder *d, part *p, int64_t time, bool bf16)
{
    gr_graph *g;
    gr_tensor logits;
    GR_TRY(gr_graph_new(&g));
    build(g, d, time, bf16);
    gr_status status = gr_graph_status(g);
    if (status == GR_OK && bf16) status = gr_autocast_bf16(g);
    if (status == GR_OK) status = gr_plan_compile(g, "decode", NULL, &p->plan);
    gr_graph_free(&g);
    GR_TRY(status);
    const gr_session *with = p == &d->single ? NULL : d->single.session;
    GR_TRY(gr_session_new_shared(p->plan, d->model->store, with, &p->session));
    GR_TRY(gr_session_output(p->session, "logits", &logits));
    p->ids = input(p->session, "ids");
    p->positions = input(p->session, "positions");
    p->start = input(p->session, "start");
    p->last = input(p->session, "last");
    p->lengths = input(p->session, "lengths");
    p->logits = logits.data;
    p->time = time;
    GR_FAIL_IF(!p->ids || !p->start || !p->last, GR_ERR_INTERNAL, "family '%s' decodes without its inputs",
               d->model->family->name);
    return GR_OK;
}

gr_status gr_lm_decoder_new(gr_model *model, int64_t context, bool bf16, gr_lm_decoder **out)
{
    GR_FAIL_IF(!model || !out, GR_ERR_ARGUMENT, "gr_lm_decoder_new: an argument is NULL");
    GR_TRY(gr__model_want_lm(model, "decoding"));
    int64_t most = model->family->describe(model->config).context;
    GR_FAIL_IF(context < 0 || context > most, GR_ERR_ARGUMENT,
               "a context of %lld tokens is not possible; the model's is %lld", (long long)context, (long long)most);
    gr_lm_decoder *d = gr__calloc(1, sizeof *d);
    if (!d) return gr__fail_memory("a decoder", sizeof *d);
    d->model = model;
    d->context = context ? context : most;
    gr_status status = GR_OK;
    if (model->family->recurrent && !(d->fed = gr__calloc((size_t)d->context, sizeof *d->fed)))
        status = gr__fail_memory("a decoder", (size_t)d->context * sizeof *d->fed);
    if (status == GR_OK) status = part_new(d, &d->single, 1, bf16);
    if (status == GR_OK && d->context > 1) status = part_new(d, &d->chunk, GR__MIN(CHUNK, d->context), bf16);
    if (status != GR_OK) {
        gr_lm_decoder_free(&d);
        return status;
    }
    *out = d;
    return GR_OK;
}

void gr_lm_decoder_free(gr_lm_decoder **decoder)
{
    if (!decoder || !*decoder) return;
    gr_lm_decoder *d = *decoder;
    gr_session_free(&d->chunk.session); /* before the one whose caches it borrows */
    gr_session_free(&d->single.session);
    gr_plan_free(&d->chunk.plan);
    gr_plan_free(&d->single.plan);
    gr__free(d->fed);
    gr__free(d);
    *decoder = NULL;
}

/* The logits are those of the last id. */
static gr_status feed(gr_lm_decoder *d, const int32_t *ids, int64_t n, const float **logits)
{
    part *p = NULL;
    while (n > 0) {
        p = n == 1 || d->chunk.time == 0 ? &d->single : &d->chunk;
        int64_t take = GR__MIN(n, p->time);
        for (int64_t i = 0; i < p->time; i++) {
            p->ids[i] = i < take ? ids[i] : 0;
            if (p->positions) p->positions[i] = (int32_t)(d->at + i);
        }
        *p->start = (int32_t)d->at;
        *p->last = (int32_t)take - 1;
        if (p->lengths) *p->lengths = (int32_t)take;
        GR_TRY(gr_session_run(p->session));
        d->at += take;
        ids += take;
        n -= take;
        *logits = p->logits;
    }
    return GR_OK;
}

gr_status gr_lm_decoder_feed(gr_lm_decoder *d, const int32_t *ids, int64_t n, const float **logits)
{
    GR_FAIL_IF(!d || !ids || !logits || n < 1, GR_ERR_ARGUMENT, "gr_lm_decoder_feed needs at least one id");
    int64_t at = d->at + d->again;
    GR_FAIL_IF(n > d->context - at, GR_ERR_LIMIT, "the context is full: %lld more tokens after %lld of %lld",
               (long long)n, (long long)at, (long long)d->context);
    GR_TRY(gr__model_check_ids(d->model, ids, n));
    GR_TRY(feed(d, d->fed, d->again, logits));
    d->again = 0;
    for (int64_t i = 0; i < n && d->fed; i++) d->fed[at + i] = ids[i];
    return feed(d, ids, n, logits);
}

void gr_lm_decoder_rewind(gr_lm_decoder *d, int64_t n)
{
    if (!d || n >= d->at + d->again) return;
    d->at = GR__MAX(n, 0);
    if (d->fed) d->again = d->at, d->at = 0;
}
