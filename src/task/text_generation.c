/* A language model on a corpus: predict the next token.
 * The corpus is cut at the end for validation, tokenised once, and kept in the run folder as mapped shards. */
#include "task/tokenizer.h"

#include "data/corpus.h"
#include "data/leak.h"
#include "data/tokens.h"
#include "gradus/stories.h"
#include "text/pieces.h"

#include <math.h>
#include <string.h>

typedef struct gr__text_task {
    gr__task base;
    gr__tokens tokens[2]; /* of each split */
    int32_t *owned[2];    /* ids in memory, when nothing may be written */
    gr__windows windows;  /* of the training part */
    int64_t time;
    double bytes_per_token; /* of the validation part */
} gr__text_task;

typedef struct gr__text_options {
    const char *source, *valid_source;
    gr__tokenizer_settings tokenizer;
    int64_t story_bytes;
    double valid;
    bool skip_bad;
} gr__text_options;

/* As data.source: small stories in English and Chinese, made on the spot (gradus/stories.h). */
#define STORIES "builtin:stories"

static const gr__conf_row data_rows[] = {
    {"source", GR__CONF_STRING, offsetof(gr__text_options, source), 0, 0, NULL, NULL,
     "a text file, a folder of .txt and .md files, or " STORIES, GR__CONF_MAIN},
    {"valid_source", GR__CONF_STRING, offsetof(gr__text_options, valid_source), 0, 0, NULL, NULL,
     "text for validation; default: the end of 'source'", 0},
    {"valid", GR__CONF_DOUBLE, offsetof(gr__text_options, valid), 0, 0.9, NULL, "0.1",
     "share of the end of 'source' for validation", 0},
    {"skip_bad", GR__CONF_BOOL, offsetof(gr__text_options, skip_bad), 0, 0, NULL, "false",
     "of a folder: leave out files that are no text in UTF-8 or cannot be read, with a warning; default: the first one is an error",
     0},
    {"story_bytes", GR__CONF_INT, offsetof(gr__text_options, story_bytes), 1, 1 << 30, NULL, "300000",
     STORIES ": how much text", 0},
};
static const gr__conf_section sections[] = {
    {"data", data_rows, GR__COUNT(data_rows), "a path alone is the source"},
    {"tokenizer", gr__tokenizer_rows, GR__N_TOKENIZER_ROWS, "a name alone is the type"},
};

/* ---- tokens ---- */

/* Where the ids of a split go: into a shard, or into memory. */
typedef struct gr__ids {
    gr__token_writer shard;
    bool to_shard;
    int32_t *id;
    size_t n, capacity;
} gr__ids;

static gr_status take_ids(void *user, const int32_t *id, size_t n)
{
    gr__ids *ids = user;
    if (ids->to_shard) {
        GR_TRY(gr__token_writer_add(&ids->shard, id, n));
    } else {
        GR_TRY(gr__grow(&ids->id, sizeof *ids->id, ids->n + n, &ids->capacity));
        if (n) memcpy(ids->id + ids->n, id, n * sizeof *id);
    }
    ids->n += n;
    return GR_OK;
}

/* The first part of the last document that is cut between two characters. */
static size_t cut_at(const char *text, size_t n, size_t at)
{
    while (at < n && ((unsigned char)text[at] & 0xC0) == 0x80) at++;
    return at;
}

typedef struct gr__parts {
    gr_text_source *train, *valid;
    size_t n_train, n_valid;
    size_t train_bytes, valid_bytes;
} gr__parts;

/* The corpus up to (1 - valid) of its bytes trains, the rest validates. */
static gr_status split_corpus(gr__arena *arena, const gr__corpus *c, double valid, gr__parts *out)
{
    size_t limit = (size_t)((1 - valid) * (double)c->bytes), so_far = 0;
    out->train = gr__arena_alloc(arena, (c->n + 1) * sizeof *out->train);
    out->valid = gr__arena_alloc(arena, (c->n + 1) * sizeof *out->valid);
    if (!out->train || !out->valid) return gr__fail_memory("the corpus", c->n * sizeof *out->train);
    for (size_t i = 0; i < c->n; i++) {
        gr_text_source d = c->document[i];
        size_t cut = so_far >= limit ? 0 : limit - so_far >= d.n ? d.n : cut_at(d.text, d.n, limit - so_far);
        if (cut) out->train[out->n_train++] = (gr_text_source){d.text, cut};
        if (cut < d.n) out->valid[out->n_valid++] = (gr_text_source){d.text + cut, d.n - cut};
        so_far += d.n;
        out->train_bytes += cut;
        out->valid_bytes += d.n - cut;
    }
    return GR_OK;
}

static gr_status encode_split(gr__text_task *t, const gr__task_in *in, int split, const gr_text_source *doc, size_t n,
                              gr__ids *ids)
{
    static const char *const names[] = {"data/train.tokens", "data/valid.tokens"};
    const gr_tokenizer *tok = t->base.model->tokenizer;
    int64_t vocab = gr_tokenizer_vocab_size(tok);
    uint64_t fingerprint;
    if (!in->run_folder) {
        GR_TRY(gr__encode_documents(tok, doc, n, take_ids, ids));
        t->owned[split] = ids->id;
        t->tokens[split] = (gr__tokens){.u32 = (const uint32_t *)ids->id, .n = (int64_t)ids->n, .vocab = vocab};
        ids->id = NULL;
        return GR_OK;
    }
    char *folder = gr__arena_printf(&t->base.arena, "%s/data", in->run_folder);
    char *path = gr__arena_printf(&t->base.arena, "%s/%s", in->run_folder, names[split]);
    if (!folder || !path) return gr__fail_memory("a path", 256);
    GR_TRY(gr__dir_make(folder));
    GR_TRY(gr_tokenizer_fingerprint(tok, &fingerprint));
    GR_TRY(gr__token_writer_open(path, vocab, fingerprint, &ids->shard));
    ids->to_shard = true;
    GR_TRY(gr__encode_documents(tok, doc, n, take_ids, ids));
    GR_TRY(gr__token_writer_commit(&ids->shard));
    return gr__tokens_open(path, false, &t->tokens[split]);
}

/* As gr_model_score_text() has it: of the text itself, behind its first token, which nothing foretells. */
static double bytes_per_token(const gr__text_task *t, const gr__parts *parts)
{
    const gr__tokens *tokens = &t->tokens[1];
    if (tokens->n < 2) return 1;
    gr_text_source d = parts->valid[0];
    size_t first = gr__first_bytes(t->base.model->tokenizer, d.text, d.n, gr__tokens_at(tokens, 0));
    return (double)(parts->valid_bytes - first) / (double)(tokens->n - 1);
}

static gr_status tokenise(gr__text_task *t, const gr__task_in *in, const gr__parts *parts)
{
    for (int split = 0; split < 2; split++) {
        gr__ids ids = {0};
        gr_status status = encode_split(t, in, split, split ? parts->valid : parts->train,
                                        split ? parts->n_valid : parts->n_train, &ids);
        gr__token_writer_drop(&ids.shard);
        gr__free(ids.id);
        GR_TRY(status);
    }
    t->bytes_per_token = bytes_per_token(t, parts);
    return GR_OK;
}

/* ---- opening ---- */

static gr_status read_options(gr__text_task *t, const gr__task_in *in, gr__text_options *o)
{
    GR_TRY(gr__conf_read(gr__conf_get(in->root, "data"), "data", data_rows, GR__COUNT(data_rows), o, &t->base.arena));
    GR_TRY(gr__conf_read(gr__conf_get(in->root, "tokenizer"), "tokenizer", gr__tokenizer_rows, GR__N_TOKENIZER_ROWS,
                         &o->tokenizer, &t->base.arena));
    GR_FAIL_IF(!o->source && !in->text, GR_ERR_CONFIG, "data.source is missing: name a text file or a folder");
    return GR_OK;
}

static gr_status read_corpora(const gr__text_options *o, const gr__task_in *in, gr__corpus *train, gr__corpus *valid)
{
    bool any = o->tokenizer.type == GR_TOKENIZER_BYTE && !o->tokenizer.path;
    gr__corpus_options how = {.any_bytes = any, .skip_bad = o->skip_bad};
    if (in->text) {
        char *copy = gr__strndup(in->text, in->text_bytes);
        if (!copy) return gr__fail_memory("the corpus", in->text_bytes);
        GR_TRY(gr__corpus_of_text(copy, in->text_bytes, any, train));
    } else if (strcmp(o->source, STORIES) == 0) {
        char *text;
        size_t n;
        GR_TRY(gr_stories_write(&(gr_stories_options){.bytes = (size_t)o->story_bytes}, &text, &n));
        GR_TRY(gr__corpus_of_text(text, n, true, train));
    } else {
        gr_status status = gr__corpus_read(o->source, how, train);
        if (status == GR_ERR_DATA && gr__file_is_dir(o->source))
            return gr__fail_prefix(status,
                                   "as text, for pictures or clips name a task, like task=image-classification or "
                                   "task=clip-classification");
        GR_TRY(status);
    }
    return o->valid_source ? gr__corpus_read(o->valid_source, how, valid) : GR_OK;
}

static uint64_t hash_of(const gr_text_source *d, bool whole) { return whole ? gr__leak_hash(d->text, d->n, 0) : d->n; }

/* Whole documents of validation that training has too. They are read for it only where some are of one size. */
static gr_status report_leak(gr__text_task *t, const gr__parts *parts)
{
    gr__arena *arena = &t->base.arena;
    size_t n[2] = {parts->n_train, parts->n_valid};
    uint64_t *hash = gr__alloc((n[0] + n[1] + 1) * sizeof *hash);
    gr__leak leak = {.n = 1};
    gr_status status = hash ? GR_OK : gr__fail_memory("hashes of documents", (n[0] + n[1]) * sizeof *hash);
    for (int whole = 0; whole < 2 && leak.n && status == GR_OK; whole++) {
        for (size_t i = 0; i < n[0]; i++) hash[i] = hash_of(&parts->train[i], whole);
        for (size_t i = 0; i < n[1]; i++) hash[n[0] + i] = hash_of(&parts->valid[i], whole);
        status = gr__leak_find(hash, (int64_t)n[0], hash + n[0], (int64_t)n[1], &leak);
    }
    gr__free(hash);
    if (status != GR_OK || leak.n == 0) return status;
    const char *valid = gr__arena_printf(arena, "number %lld of validation", (long long)leak.valid + 1),
               *train = gr__arena_printf(arena, "number %lld of training", (long long)leak.train + 1);
    t->base.report = valid && train ? gr__leak_note(&leak, "document", valid, train, arena) : NULL;
    return t->base.report ? GR_OK : gr__fail_memory("a report", 256);
}

static gr_status check_length(const gr__text_task *t, const char *source)
{
    int64_t n = t->tokens[0].n;
    const char *name = source ? source : "the corpus";
    GR_FAIL_IF(n < 2, GR_ERR_DATA,
               "the training text of '%s' has %lld token%s, at least 2 are needed; use a longer text", name,
               (long long)n, n == 1 ? "" : "s");
    GR_FAIL_IF(n <= t->time, GR_ERR_DATA,
               "the training text of '%s' has %lld tokens, no more than the context of %lld; use a longer text or "
               "model.context=%lld",
               name, (long long)n, (long long)t->time, (long long)(n / 2));
    return GR_OK;
}

static gr_status open(gr__task *base, const gr__task_in *in)
{
    gr__text_task *t = (gr__text_task *)base;
    gr__text_options o = {0};
    gr__corpus train = {0}, valid = {0};
    gr__parts parts = {0};
    gr_tokenizer *tok = NULL;
    gr_status status = GR_OK;
    GR_TRY_DONE(read_options(t, in, &o));
    GR_TRY_DONE(read_corpora(&o, in, &train, &valid));
    GR_TRY_DONE(split_corpus(&base->arena, &train, o.valid_source ? 0 : o.valid, &parts));
    if (o.valid_source) {
        parts.valid = valid.document;
        parts.n_valid = valid.n;
        parts.valid_bytes = valid.bytes;
    }
    GR_TRY_DONE(report_leak(t, &parts));
    GR_TRY_DONE(
        gr__task_make_tokenizer(&o.tokenizer, &(gr_tokenizer_options){0}, parts.train, parts.n_train, in, &tok));
    gr__facts facts = {.vocab = gr_tokenizer_vocab_size(tok)};
    GR_TRY_DONE(gr__model_new(gr__conf_get(in->root, "model"), &facts, tok, &base->model));
    tok = NULL;
    t->time = base->model->family->describe(base->model->config).context;
    GR_TRY_DONE(tokenise(t, in, &parts));
    GR_TRY_DONE(check_length(t, o.source));
    t->windows = (gr__windows){t->tokens[0].n, t->time, in->seed};
    base->samples[0] = gr__windows_per_epoch(&t->windows);
    base->samples[1] = t->tokens[1].n > 1 ? (t->tokens[1].n - 2) / t->time + 1 : 0;
    base->units_per_sample = (double)t->time;
    for (int i = 0; i < 2; i++) base->units[i] = t->tokens[i].n;
    base->fingerprint = t->tokens[0].fingerprint;
done:
    gr_tokenizer_close(&tok);
    gr__corpus_release(&train);
    gr__corpus_release(&valid);
    return status;
}

static void close(gr__task *base)
{
    gr__text_task *t = (gr__text_task *)base;
    for (int i = 0; i < 2; i++) {
        if (t->owned[i])
            gr__free(t->owned[i]);
        else
            gr__tokens_close(&t->tokens[i]);
    }
}

/* ---- batches ---- */

static gr_status build(gr__task *base, gr_graph *g, int64_t batch, bool train, const char *program, gr_loss *out)
{
    (void)program;
    gr__text_task *t = (gr__text_task *)base;
    gr_lm_values v;
    GR_TRY(gr_model_build_lm(base->model, g, batch, t->time, train, &v));
    gr_value targets = gr_input(g, "targets", GR_I32, 2, (int64_t[]){batch, t->time});
    *out = gr_loss_linear_cross_entropy(g, v.hidden, v.head, targets, NULL);
    return gr_graph_status(g);
}

static void fill(gr__task *base, gr__split split, int64_t first, int64_t batch, const gr__inputs *to)
{
    gr__text_task *t = (gr__text_task *)base;
    const gr__tokens *tokens = &t->tokens[split];
    gr_tensor ids, targets;
    if (!gr__inputs_find(to, "ids", &ids) || !gr__inputs_find(to, "targets", &targets)) return;
    for (int64_t b = 0; b < batch; b++) {
        int32_t *x = (int32_t *)ids.data + b * t->time, *y = (int32_t *)targets.data + b * t->time;
        int64_t start = split == GR__SPLIT_TRAIN ? gr__window_start(&t->windows, first + b) : (first + b) * t->time;
        for (int64_t i = 0; i < t->time; i++) {
            bool there = start + i + 1 < tokens->n;
            x[i] = there ? gr__tokens_at(tokens, start + i) : 0;
            y[i] = there ? gr__tokens_at(tokens, start + i + 1) : -1;
        }
    }
}

static int finish(gr__task *base, double loss, gr_metric *out, int capacity)
{
    const gr__text_task *t = (const gr__text_task *)base;
    const gr_metric m[] = {{"perplexity", exp(loss)}, {"bits_per_byte", loss / log(2) / t->bytes_per_token}};
    for (int i = 0; i < 2 && i < capacity; i++) out[i] = m[i];
    return 2;
}

const gr__task_kind gr__task_text_generation = {
    .name = "text-generation",
    .summary = "a language model on text",
    .unit = "tok",
    .language = true,
    .sections = sections,
    .n_sections = GR__COUNT(sections),
    .bytes = sizeof(gr__text_task),
    .open = open,
    .close = close,
    .build = build,
    .fill = fill,
    .finish = finish,
};
