/* How well a model knows a text, and its logits as numbers. */
#include "gradus/ops.h"
#include "gradus/plan.h"
#include "model/family.h"
#include "text/pieces.h"

#include <math.h>
#include <string.h>

#define LN2 0.69314718055994530942
enum { TOKENS_AT_ONCE = 1024 };

typedef struct bench {
    gr_plan *plan;
    gr_session *session;
} bench;

static gr_status bench_new(gr_model *m, gr_graph *g, const char *program, bool bf16, bench *out)
{
    GR_TRY(gr_graph_status(g));
    if (bf16) GR_TRY(gr_autocast_bf16(g));
    GR_TRY(gr_plan_compile(g, program, NULL, &out->plan));
    return gr_session_new(out->plan, m->store, &out->session);
}

static void bench_release(bench *b)
{
    gr_session_free(&b->session);
    gr_plan_free(&b->plan);
}

/* ---- score ---- */

static gr_status score_new(gr_model *m, int64_t batch, int64_t time, bool bf16, bench *out)
{
    gr_graph *g;
    gr_lm_values v = {0};
    GR_TRY(gr_graph_new(&g));
    int64_t rows = batch * time, width = m->family->describe(m->config).width;
    gr_status status = gr_model_build_lm(m, g, batch, time, false, &v);
    if (status == GR_OK) {
        gr_value targets = gr_input(g, "targets", GR_I32, 1, &rows);
        gr_value hidden = gr_reshape(g, v.hidden, 2, (int64_t[]){rows, width});
        gr_output(g, "score", "loss", gr_linear_cross_entropy(g, hidden, v.head, targets, NULL));
        status = bench_new(m, g, "score", bf16, out);
    }
    gr_graph_free(&g);
    return status;
}

/* Windows of 'time' tokens side by side, each token the target of the one before it; sum of the losses. */
static gr_status score_run(bench *b, const int32_t *ids, int64_t n, int64_t batch, int64_t time, double *sum)
{
    gr_tensor in, targets, loss;
    GR_TRY(gr_session_input(b->session, "ids", &in));
    GR_TRY(gr_session_input(b->session, "targets", &targets));
    GR_TRY(gr_session_output(b->session, "loss", &loss));
    int64_t rows = batch * time;
    *sum = 0;
    for (int64_t at = 0; at < n - 1; at += rows) {
        for (int64_t i = 0; i < rows; i++) {
            bool real = i < n - 1 - at;
            ((int32_t *)in.data)[i] = real ? ids[at + i] : 0;
            ((int32_t *)targets.data)[i] = real ? ids[at + i + 1] : -1;
        }
        GR_TRY(gr_session_run(b->session));
        *sum += gr_tensor_get(&loss, 0);
    }
    GR_FAIL_IF(!isfinite(*sum), GR_ERR_NUMERIC, "the model's loss on this text is not finite; are its weights whole?");
    return GR_OK;
}

/* 0: not known. */
static gr_status bytes_of(const gr_model *m, const int32_t *ids, int64_t n, uint64_t *bytes)
{
    *bytes = 0;
    if (!m->tokenizer) return GR_OK;
    for (int64_t i = 0; i < n; i++)
        if (gr__is_unknown(m->tokenizer, ids[i])) return GR_OK;
    return gr_tokenizer_text_size(m->tokenizer, ids, (size_t)n, GR_DECODE_BYTES | GR_DECODE_CONTINUE, bytes);
}

gr_status gr_model_score(gr_model *m, const int32_t *ids, int64_t n, const gr_eval_options *options, gr_lm_score *out)
{
    gr_eval_options o = options ? *options : (gr_eval_options){0};
    GR_FAIL_IF(!m || !ids || !out, GR_ERR_ARGUMENT, "gr_model_score: an argument is NULL");
    GR_TRY(gr__model_want_lm(m, "scoring"));
    GR_FAIL_IF(n < 2, GR_ERR_DATA, "a text of %lld tokens has nothing to score; at least 2 are needed", (long long)n);
    int64_t context = m->family->describe(m->config).context;
    GR_TRY(gr__model_check_size(m, o.batch, "context", o.context));
    GR_TRY(gr__model_check_ids(m, ids, n));
    int64_t time = GR__MIN(o.context ? o.context : context, n - 1), windows = (n - 1 + time - 1) / time;
    int64_t batch = GR__MIN(o.batch ? o.batch : GR__MAX(TOKENS_AT_ONCE / time, 1), windows);
    gr_lm_score s = {.tokens = n - 1};
    uint64_t bytes = 0;
    double sum = 0;
    GR_TRY(bytes_of(m, ids + 1, n - 1, &bytes));
    bench b = {0};
    gr_status status = score_new(m, batch, time, o.bf16, &b);
    if (status == GR_OK) status = score_run(&b, ids, n, batch, time, &sum);
    bench_release(&b);
    GR_TRY(status);
    s.bytes = (int64_t)bytes;
    s.loss = sum / (double)s.tokens;
    s.perplexity = exp(s.loss);
    s.bits_per_byte = bytes ? sum / LN2 / (double)bytes : NAN;
    *out = s;
    return GR_OK;
}

/* ---- logits ---- */

gr_status gr_model_logits(gr_model *m, const int32_t *ids, int64_t batch, int64_t time, float *logits)
{
    GR_FAIL_IF(!m || !ids || !logits, GR_ERR_ARGUMENT, "gr_model_logits: an argument is NULL");
    gr_graph *g;
    gr_lm_values v = {0};
    gr_tensor in, out;
    bench b = {0};
    GR_TRY(gr_graph_new(&g));
    gr_status status = gr_model_build_lm(m, g, batch, time, false, &v);
    if (status == GR_OK) status = gr__model_check_ids(m, ids, batch * time);
    if (status == GR_OK) {
        gr_output(g, "logits", "logits", gr_matmul(g, v.hidden, v.head, &(gr_matmul_options){.transpose_b = true}));
        status = bench_new(m, g, "logits", false, &b);
    }
    gr_graph_free(&g);
    if (status == GR_OK) status = gr_session_input(b.session, "ids", &in);
    if (status == GR_OK) status = gr_session_output(b.session, "logits", &out);
    if (status == GR_OK) {
        memcpy(in.data, ids, gr_tensor_size_bytes(&in));
        status = gr_session_run(b.session);
    }
    if (status == GR_OK) memcpy(logits, out.data, gr_tensor_size_bytes(&out));
    bench_release(&b);
    return status;
}
