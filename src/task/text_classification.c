/* Texts to labels: an encoder with a head, trained from nothing or from a folder ('from'). Texts are tokenised once and
 * padded to one length, that of the longest unless data.length says; the training order is a permutation for each epoch.
 * Labels are those of the training part, in order. */
#include "task/tokenizer.h"

#include "base/log.h"
#include "base/rng.h"
#include "data/labelled.h"
#include "data/leak.h"
#include "data/split.h"
#include "data/token_noise.h"
#include "model/encode.h"
#include "task/label_score.h"

#include <stdio.h>
#include <string.h>

enum { MOST_LABELS = 4096, MOST_SHOWN = 160 };

/* One part, as ids: sample i has those from start[i] to start[i + 1]. */
typedef struct gr__labelled_ids {
    int32_t *id, *label;
    int64_t *start;
    int64_t n;
    size_t capacity;
} gr__labelled_ids;

/* Where a text came from and how it begins there, in the task's arena: tokens would not say it as it was. */
typedef struct gr__class_origin {
    const char *text;
    int64_t line;
} gr__class_origin;

typedef struct gr__class_loss {
    bool balanced;
    gr__conf_doubles weights;
    double smoothing;
} gr__class_loss;

typedef struct gr__class_options {
    const char *source, *valid_source;
    gr__labelled_options file;
    int encoding;
    gr__split_options split;
    int64_t length;
    gr__token_noise noise;
    gr__tokenizer_settings tokenizer;
} gr__class_options;

typedef struct gr__class_task {
    gr__task base;
    gr__labelled_ids part[2];
    gr__conf_strings labels;
    gr__class_loss loss;
    float *weight; /* of each label; NULL: ones */
    uint64_t seed;
    int64_t time;
    gr__token_noise noise;
    int32_t *room;           /* time: a text with noise */
    gr__class_origin *valid; /* of each text for validation */
    const char *valid_path;
    gr__label_score *scores; /* of the validation part */
} gr__class_task;

static const char *const formats[] = {"auto", "table", "lines", "jsonl", NULL},
                         *const headers[] = {"auto", "yes", "no", NULL},
                         *const encodings[] = {"utf-8", "latin-1", NULL};

#define AT(field) offsetof(gr__class_options, field)
static const gr__conf_row data_rows[] = {
    {"source", GR__CONF_STRING, AT(source), 0, 0, NULL, NULL,
     "a .csv or .tsv table, .jsonl, or a file with lines 'label text'", GR__CONF_MAIN | GR__CONF_REQUIRED},
    {"valid_source", GR__CONF_STRING, AT(valid_source), 0, 0, NULL, NULL,
     "the same for validation; default: a part of 'source'", 0},
    GR__SPLIT_ROWS(AT(split)),
    {"format", GR__CONF_ENUM, AT(file.format), 0, 0, formats, "auto", "auto: by the end of the file's name", 0},
    {"text", GR__CONF_STRING, AT(file.text), 0, 0, NULL, "text", "column (name, or number from 0) or key of the text",
     0},
    {"label", GR__CONF_STRING, AT(file.label), 0, 0, NULL, "label", "column or key of the label", 0},
    {"header", GR__CONF_ENUM, AT(file.header), 0, 0, headers, "auto", "whether a table's first row holds names", 0},
    {"encoding", GR__CONF_ENUM, AT(encoding), 0, 0, encodings, "utf-8", "of the file; latin-1 is ISO-8859-1", 0},
    {"skip_bad", GR__CONF_BOOL, AT(file.skip_bad), 0, 0, NULL, "false",
     "leave out rows without a text or a label, rows that cannot be read and rows with another number of fields; default: the first one is an error",
     0},
    {"length", GR__CONF_INT, AT(length), 0, 1 << 28, NULL, "0",
     "tokens of a text, what is beyond is cut off; 0: of the longest, up to the model's context", 0},
    {"drop", GR__CONF_DOUBLE, AT(noise.drop), 0, 1, NULL, "0", "augmentation: share of the tokens that are left out",
     GR__CONF_BELOW_MAX},
    {"swap", GR__CONF_DOUBLE, AT(noise.swap), 0, 1, NULL, "0",
     "augmentation: share of the tokens that change places with their neighbour", GR__CONF_BELOW_MAX},
};
#undef AT
#define AT(field) offsetof(gr__class_loss, field)
static const gr__conf_row loss_rows[] = {
    {"balanced", GR__CONF_BOOL, AT(balanced), 0, 0, NULL, "false", "rare labels weigh more: texts/(labels*its texts)",
     0},
    {"weights", GR__CONF_DOUBLE_LIST, AT(weights), 0, 1e9, NULL, NULL, "of the labels, in their order",
     GR__CONF_ABOVE_MIN},
    {"label_smoothing", GR__CONF_DOUBLE, AT(smoothing), 0, 1, NULL, "0", "share of each target spread over all labels",
     GR__CONF_BELOW_MAX},
};
static const gr__conf_section sections[] = {
    {"data", data_rows, GR__COUNT(data_rows), "a path alone is the source"},
    {"tokenizer", gr__tokenizer_rows, GR__N_TOKENIZER_ROWS, "with 'from': that of its folder unless 'path' is given"},
    {"loss", loss_rows, GR__COUNT(loss_rows), "cross-entropy"},
};

/* ---- parts ---- */

typedef struct part {
    const gr__labelled_row **row;
    int64_t n;
    const char *path;
} part;

/* The rows 'order' (NULL: all, as they come) of the file. */
static gr_status take_part(gr__arena *arena, const gr__labelled *all, const int64_t *order, int64_t n, part *out)
{
    *out =
        (part){.n = n, .path = all->path, .row = gr__arena_alloc(arena, (size_t)(n + 1) * sizeof(gr__labelled_row *))};
    if (!out->row) return gr__fail_memory("the data", (size_t)n * sizeof *out->row);
    for (int64_t i = 0; i < n; i++) out->row[i] = &all->row[order ? order[i] : i];
    return GR_OK;
}

static int32_t label_of(const gr__class_task *t, const char *name)
{
    for (size_t i = 0; i < t->labels.n; i++)
        if (strcmp(t->labels.item[i], name) == 0) return (int32_t)i;
    return -1;
}

static gr_status cut_parts(gr__class_task *t, const gr__class_options *o, const gr__labelled *train,
                           const gr__labelled *valid, part parts[2])
{
    gr__arena *arena = &t->base.arena;
    size_t n = (size_t)train->n;
    if (o->valid_source) {
        GR_TRY(take_part(arena, train, NULL, train->n, &parts[0]));
        return take_part(arena, valid, NULL, valid->n, &parts[1]);
    }
    int64_t *order = gr__arena_alloc(arena, n * sizeof *order), n_train;
    int32_t *label = gr__arena_alloc(arena, n * sizeof *label);
    if (!order || !label) return gr__fail_memory("the data", n * sizeof *order);
    for (size_t i = 0; i < n; i++) order[i] = (int64_t)i, label[i] = label_of(t, train->row[i].label);
    GR_TRY(gr__split_rows(&o->split, t->seed, label, (int64_t)t->labels.n, order, train->n, &n_train));
    GR_TRY(take_part(arena, train, order, n_train, &parts[0]));
    return take_part(arena, train, order + n_train, train->n - n_train, &parts[1]);
}

/* ---- labels ---- */

static gr_status find_labels(gr__class_task *t, const gr__labelled *train)
{
    gr__conf_strings names;
    GR_TRY(gr__labelled_names(train, MOST_LABELS, &t->base.arena, &names));
    GR_FAIL_IF(names.n < 2, GR_ERR_DATA, "'%s': all %lld texts have the label '%.100s'; there is nothing to tell apart",
               train->path, (long long)train->n, names.item[0]);
    for (size_t i = 0; i < names.n; i++)
        if (!(names.item[i] = gr__arena_strdup(&t->base.arena, names.item[i]))) return gr__fail_memory("a label", 64);
    t->labels = names;
    return gr__label_score_new(&t->labels, &t->scores);
}

static gr_status unknown_label(const gr__class_task *t, const part *p, const gr__labelled_row *row)
{
    const char *near = gr__str_nearest(row->label, t->labels.item, t->labels.n);
    return gr__fail(GR_ERR_DATA, "%s:%lld: no text for training has the label '%.100s'%s%s%s", p->path,
                    (long long)row->line, row->label, near ? "; did you mean '" : "", near ? near : "",
                    near ? "'?" : "");
}

static gr_status set_labels(gr__class_task *t, const part *p, gr__labelled_ids *out)
{
    for (int64_t i = 0; i < p->n; i++) {
        out->label[i] = label_of(t, p->row[i]->label);
        if (out->label[i] < 0) return unknown_label(t, p, p->row[i]);
    }
    return GR_OK;
}

static gr_status set_weights(gr__class_task *t, const gr__conf *section)
{
    const gr__class_loss *l = &t->loss;
    const gr__labelled_ids *p = &t->part[0];
    size_t n = t->labels.n;
    if (!l->balanced && l->weights.n == 0) return GR_OK;
    if (l->balanced && l->weights.n) return gr__conf_fail(section, "loss: 'balanced' and 'weights' exclude each other");
    if (l->smoothing > 0)
        return gr__conf_fail(section, "loss: 'label_smoothing' does not go together with weights of the labels");
    if (!l->balanced && l->weights.n != n)
        return gr__conf_fail(section, "loss.weights has %zu numbers, but there are %zu labels", l->weights.n, n);
    t->weight = gr__arena_alloc(&t->base.arena, n * sizeof *t->weight);
    if (!t->weight) return gr__fail_memory("weights", n * sizeof *t->weight);
    for (size_t k = 0; k < n; k++) {
        int64_t there = 0;
        for (int64_t i = 0; i < p->n && l->balanced; i++) there += p->label[i] == (int32_t)k;
        t->weight[k] = !l->balanced ? (float)l->weights.item[k]
                       : there      ? (float)((double)p->n / ((double)n * (double)there))
                                    : 1.0f;
    }
    return GR_OK;
}

/* ---- ids ---- */

static gr_status append(gr__labelled_ids *out, int64_t i, const int32_t *ids, size_t n)
{
    size_t at = (size_t)out->start[i];
    GR_TRY(gr__grow(&out->id, sizeof *out->id, at + n, &out->capacity));
    memcpy(out->id + at, ids, n * sizeof *ids);
    out->start[i + 1] = (int64_t)(at + n);
    return GR_OK;
}

static gr_status encode(gr__class_task *t, const part *p, int64_t most, gr__labelled_ids *out)
{
    const gr_tokenizer *tok = t->base.model->tokenizer;
    out->n = p->n;
    out->start = gr__calloc((size_t)p->n + 1, sizeof *out->start);
    out->label = gr__calloc((size_t)p->n + 1, sizeof *out->label);
    if (!out->start || !out->label) return gr__fail_memory("the data", (size_t)p->n * sizeof *out->start);
    for (int64_t i = 0; i < p->n; i++) {
        const gr__labelled_row *row = p->row[i];
        int32_t *ids;
        size_t n;
        gr_status s = gr__encode_whole(tok, row->text, row->n_text, most, &ids, &n);
        if (s != GR_OK) return gr__fail_prefix(s, "%s:%lld", p->path, (long long)row->line);
        s = append(out, i, ids, n);
        gr_text_free(ids);
        GR_TRY(s);
        t->time = GR__MAX(t->time, (int64_t)n);
    }
    return gr__model_check_ids(t->base.model, out->id, out->start[p->n]);
}

/* ---- where texts came from ---- */

/* At most MOST_SHOWN bytes of one, whole characters, with an ellipsis where there is more. */
static const char *begin_of(gr__arena *arena, const gr__labelled_row *row)
{
    size_t n = 0, step;
    while ((step = gr__utf8_step(row->text + n, row->n_text - n)) && n + step <= MOST_SHOWN) n += step;
    return gr__arena_printf(arena, "%.*s%s", (int)n, row->text, n < row->n_text ? "\xE2\x80\xA6" : "");
}

static gr_status keep_origins(gr__class_task *t, const part *p)
{
    gr__arena *arena = &t->base.arena;
    size_t bytes = (size_t)(p->n + 1) * sizeof *t->valid;
    t->valid = gr__arena_alloc(arena, bytes);
    t->valid_path = gr__arena_strdup(arena, p->path);
    if (!t->valid || !t->valid_path) return gr__fail_memory("the data", bytes);
    for (int64_t i = 0; i < p->n; i++) {
        t->valid[i] = (gr__class_origin){begin_of(arena, p->row[i]), p->row[i]->line};
        if (!t->valid[i].text) return gr__fail_memory("a text", MOST_SHOWN);
    }
    return GR_OK;
}

/* ---- opening ---- */

static gr_status read_options(gr__class_task *t, const gr__task_in *in, gr__class_options *o)
{
    gr__arena *arena = &t->base.arena;
    GR_TRY(gr__conf_read(gr__conf_get(in->root, "data"), "data", data_rows, GR__COUNT(data_rows), o, arena));
    GR_TRY(gr__conf_read(gr__conf_get(in->root, "tokenizer"), "tokenizer", gr__tokenizer_rows, GR__N_TOKENIZER_ROWS,
                         &o->tokenizer, arena));
    o->file.latin_1 = o->encoding == 1;
    t->seed = in->seed;
    t->noise = o->noise;
    GR_TRY(gr__split_check(&o->split, gr__conf_get(in->root, "data"), o->valid_source ? "valid_source" : NULL));
    return gr__conf_read(gr__conf_get(in->root, "loss"), "loss", loss_rows, GR__COUNT(loss_rows), &t->loss, arena);
}

static gr_status train_tokenizer(gr__class_task *t, const gr__class_options *o, const part *p, const gr__task_in *in,
                                 gr_tokenizer **out)
{
    static const char *const special[] = {"[PAD]", "[CLS]", "[SEP]"};
    const gr_tokenizer_options to = {.special = special,
                                     .n_special = GR__COUNT(special),
                                     .before = "[CLS]",
                                     .after = "[SEP]",
                                     .no_end_of_text = true};
    gr_text_source *texts = gr__arena_alloc(&t->base.arena, (size_t)p->n * sizeof *texts);
    if (!texts) return gr__fail_memory("the data", (size_t)p->n * sizeof *texts);
    for (int64_t i = 0; i < p->n; i++) texts[i] = (gr_text_source){p->row[i]->text, p->row[i]->n_text};
    return gr__task_make_tokenizer(&o->tokenizer, &to, texts, (size_t)p->n, in, out);
}

static gr_status new_model(gr__class_task *t, const gr__class_options *o, const part *p, const gr__task_in *in,
                           gr_tokenizer **tok)
{
    GR_TRY(gr__model_default(in->root, "bert", &t->base.arena));
    GR_TRY(train_tokenizer(t, o, p, in, tok));
    gr__facts facts = {.vocab = gr_tokenizer_vocab_size(*tok), .labels = t->labels};
    GR_TRY(gr__model_new(gr__conf_get(in->root, "model"), &facts, *tok, &t->base.model));
    *tok = NULL;
    return GR_OK;
}

/* The folder's own tokenizer, unless tokenizer.path names another one. */
static gr_status begin_with(gr__class_task *t, const gr__class_options *o, const char *from)
{
    gr_model **m = &t->base.model;
    gr__facts facts = {.labels = t->labels};
    GR_TRY(gr__model_open_as(from, &facts, m));
    if (o->tokenizer.path) {
        gr_tokenizer_close(&(*m)->tokenizer);
        GR_TRY(gr_tokenizer_open(o->tokenizer.path, &(*m)->tokenizer));
    }
    GR_FAIL_IF(!(*m)->tokenizer, GR_ERR_DATA, "'%s' holds no tokenizer; name one: tokenizer.path", from);
    return GR_OK;
}

static gr_status make_model(gr__class_task *t, const gr__class_options *o, const part *p, const gr__task_in *in)
{
    const gr__conf *from = gr__conf_get(in->root, "from"), *section = gr__conf_get(in->root, "model");
    gr_tokenizer *tok = NULL;
    if (!gr__conf_is_null(from) && !gr__conf_is_null(section))
        return gr__conf_fail_at_key(section, "'from' takes the model from a folder; leave 'model' out");
    gr_status status = gr__conf_is_null(from) ? new_model(t, o, p, in, &tok) : begin_with(t, o, from->text);
    gr_tokenizer_close(&tok);
    GR_TRY(status);
    if (t->base.model->family->kind != GR_MODEL_ENCODER)
        return gr__conf_fail(gr__conf_find(in->root, "model"), "model '%s' gives no labels for texts; use 'bert'",
                             t->base.model->family->name);
    return GR_OK;
}

static gr_status open_parts(gr__class_task *t, const gr__task_in *in, const gr__class_options *o, const part parts[2])
{
    GR_TRY(make_model(t, o, &parts[0], in));
    int64_t context = t->base.model->family->describe(t->base.model->config).context;
    if (o->length > context)
        return gr__conf_fail(gr__conf_find(in->root, "data.length"),
                             "data.length is beyond the model's context of %lld", (long long)context);
    for (int i = 0; i < 2; i++) {
        GR_TRY(encode(t, &parts[i], o->length ? o->length : context, &t->part[i]));
        GR_TRY(set_labels(t, &parts[i], &t->part[i]));
        t->base.samples[i] = t->base.units[i] = parts[i].n;
    }
    GR_TRY(keep_origins(t, &parts[1]));
    t->base.units_per_sample = 1;
    t->room = gr__calloc((size_t)t->time + 1, sizeof *t->room);
    if (!t->room) return gr__fail_memory("a text", (size_t)t->time * sizeof *t->room);
    return set_weights(t, gr__conf_get(in->root, "loss"));
}

static void warn_of_skipped(const gr__labelled *train, const gr__labelled *valid)
{
    int64_t n = train->skipped + valid->skipped;
    if (n)
        gr__log(GR_LOG_WARNING, "%lld row%s left out, the first: %s", (long long)n, n == 1 ? " was" : "s were",
                train->first_skipped ? train->first_skipped : valid->first_skipped);
}

static const char *place_of(gr__arena *arena, const part *p, int64_t i)
{
    return gr__arena_printf(arena, "%s:%lld", p->path, (long long)p->row[i]->line);
}

/* Texts of validation that training has too, whatever their labels. */
static gr_status report_leak(gr__class_task *t, const part parts[2])
{
    gr__arena *arena = &t->base.arena;
    uint64_t *hash[2] = {0};
    gr__leak leak;
    gr_status status = GR_OK;
    for (int k = 0; k < 2; k++) {
        hash[k] = gr__alloc((size_t)(parts[k].n + 1) * sizeof *hash[k]);
        if (!hash[k]) GR_TRY_DONE(gr__fail_memory("hashes of texts", (size_t)parts[k].n * sizeof *hash[k]));
        for (int64_t i = 0; i < parts[k].n; i++)
            hash[k][i] = gr__leak_hash(parts[k].row[i]->text, parts[k].row[i]->n_text, 0);
    }
    GR_TRY_DONE(gr__leak_find(hash[0], parts[0].n, hash[1], parts[1].n, &leak));
    if (leak.n) {
        const char *valid = place_of(arena, &parts[1], leak.valid), *train = place_of(arena, &parts[0], leak.train);
        t->base.report = valid && train ? gr__leak_note(&leak, "text", valid, train, arena) : NULL;
        if (!t->base.report) status = gr__fail_memory("a report", 256);
    }
done:
    for (int k = 0; k < 2; k++) gr__free(hash[k]);
    return status;
}

static gr_status open(gr__task *base, const gr__task_in *in)
{
    gr__class_task *t = (gr__class_task *)base;
    gr__class_options o = {0};
    gr__labelled train = {0}, valid = {0};
    part parts[2];
    gr_status status = GR_OK;
    GR_TRY_DONE(read_options(t, in, &o));
    GR_TRY_DONE(gr__labelled_read(o.source, &o.file, &train));
    if (o.valid_source) GR_TRY_DONE(gr__labelled_read(o.valid_source, &o.file, &valid));
    GR_TRY_DONE(find_labels(t, &train));
    warn_of_skipped(&train, &valid);
    GR_TRY_DONE(cut_parts(t, &o, &train, &valid, parts));
    GR_TRY_DONE(report_leak(t, parts));
    GR_TRY_DONE(open_parts(t, in, &o, parts));
done:
    gr__labelled_release(&train);
    gr__labelled_release(&valid);
    return status;
}

static void close(gr__task *base)
{
    gr__class_task *t = (gr__class_task *)base;
    for (int i = 0; i < 2; i++) {
        gr__free(t->part[i].id);
        gr__free(t->part[i].label);
        gr__free(t->part[i].start);
    }
    gr__free(t->room);
    gr__label_score_free(&t->scores);
}

/* ---- batches ---- */

static gr_status build(gr__task *base, gr_graph *g, int64_t batch, bool train, const char *program, gr_loss *out)
{
    gr__class_task *t = (gr__class_task *)base;
    gr_encoder_values v;
    gr_loss_options o = {.label_smoothing = train ? t->loss.smoothing : 0};
    GR_TRY(gr_model_build_encoder(base->model, g, batch, t->time, train, &v));
    gr_value targets = gr_input(g, "targets", GR_I32, 1, &batch);
    if (t->weight && train) /* validation says what a plain text costs, as in tables */
        o.class_weight =
            gr_constant(g, &(gr_tensor){.dtype = GR_F32, .rank = 1, .dim = {(int64_t)t->labels.n}, .data = t->weight});
    *out = gr_loss_cross_entropy(g, v.logits, targets, &o);
    if (!train) gr_output(g, program, "probability", gr_softmax(g, v.logits));
    return gr_graph_status(g);
}

static int64_t training_row(const gr__class_task *t, int64_t sample)
{
    return gr__rng_row(t->seed, 0x7465787400000000u, t->part[0].n, sample);
}

/* The ids of row i; of training what the noise leaves of them between those of the template, as 'sample' draws it. */
static const int32_t *ids_of(const gr__class_task *t, gr__split split, int64_t i, int64_t sample, int64_t *n)
{
    const gr__labelled_ids *p = &t->part[split];
    const int32_t *from = p->id + p->start[i];
    *n = p->start[i + 1] - p->start[i];
    if (split != GR__SPLIT_TRAIN || (t->noise.drop <= 0 && t->noise.swap <= 0)) return from;
    size_t before, after;
    gr_tokenizer_template(t->base.model->tokenizer, &before, &after);
    memcpy(t->room, from, (size_t)*n * sizeof *from);
    gr__rng r = gr__rng_sample(t->seed, 0x6e6f697365u, (uint64_t)sample);
    *n = gr__token_noise_apply(&t->noise, &r, t->room, *n, (int64_t)before, (int64_t)after);
    return t->room;
}

static void fill(gr__task *base, gr__split split, int64_t first, int64_t batch, const gr__inputs *to)
{
    gr__class_task *t = (gr__class_task *)base;
    const gr__labelled_ids *p = &t->part[split];
    gr_tensor ids, mask, targets, types;
    if (!gr__inputs_find(to, "ids", &ids) || !gr__inputs_find(to, "mask", &mask) ||
        !gr__inputs_find(to, "targets", &targets))
        return;
    if (gr__inputs_find(to, "token_types", &types)) memset(types.data, 0, gr_tensor_size_bytes(&types));
    for (int64_t b = 0; b < batch; b++) {
        bool real = split == GR__SPLIT_TRAIN || first + b < p->n;
        int64_t i = split == GR__SPLIT_TRAIN ? training_row(t, first + b) : real ? first + b : p->n - 1, n;
        const int32_t *from = ids_of(t, split, i, first + b, &n);
        for (int64_t k = 0; k < t->time; k++) {
            ((int32_t *)ids.data)[b * t->time + k] = k < n ? from[k] : base->model->pad;
            ((uint8_t *)mask.data)[b * t->time + k] = k < n;
        }
        ((int32_t *)targets.data)[b] = real ? p->label[i] : -1;
    }
}

static void score(gr__task *base, int64_t first, int64_t batch, gr_session *session)
{
    gr__class_task *t = (gr__class_task *)base;
    const gr__labelled_ids *p = &t->part[1];
    gr_tensor said;
    if (gr_session_output(session, "probability", &said) != GR_OK) return;
    if (first == 0) gr__label_score_clear(t->scores);
    gr__label_score_add_rows(t->scores, said.data, p->label + first, first, GR__MIN(batch, p->n - first));
}

static gr_status tune(gr__task *base, const gr__tuning *how)
{
    return gr__label_score_tune(((gr__class_task *)base)->scores, how, base->model);
}

static int finish(gr__task *base, double loss, gr_metric *out, int capacity)
{
    (void)loss;
    int n;
    gr__label_score_metrics(((gr__class_task *)base)->scores, out, capacity, &n);
    return n;
}

static const char *name_of(void *user, int64_t sample, char room[256])
{
    const gr__class_task *t = user;
    const char *path = t->valid_path, *file = strrchr(path, '/');
    if (strlen(path) > 64 && file) path = file + 1; /* the text must fit too */
    snprintf(room, 256, "%.64s:%lld: %s", path, (long long)t->valid[sample].line, t->valid[sample].text);
    return room;
}

static gr_status panels(gr__task *base, gr__str *page)
{
    return gr__label_score_panels(((gr__class_task *)base)->scores, name_of, NULL, base, page);
}

const gr__task_kind gr__task_text_classification = {
    .name = "text-classification",
    .summary = "texts to labels, by an encoder",
    .unit = "text",
    .begins = true,
    .folds = true,
    .epochs = 10,
    .sections = sections,
    .n_sections = GR__COUNT(sections),
    .bytes = sizeof(gr__class_task),
    .open = open,
    .close = close,
    .build = build,
    .fill = fill,
    .score = score,
    .tune = tune,
    .finish = finish,
    .panels = panels,
};
