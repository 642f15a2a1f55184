/* Sounds to texts, by CTC. Symbols are words or characters of the training texts. With data.join the samples are made on the
 * fly: sounds of one group (a speaker), drawn by the seed and the number of the sample, one behind the other with silence
 * between them. */
#include "task/task.h"

#include "base/log.h"
#include "base/map.h"
#include "base/parallel.h"
#include "base/rng.h"
#include "gradus/metric.h"
#include "metric/html.h"
#include "model/ctc_decode.h"
#include "model/speech.h"
#include "task/hearing.h"
#include "text/utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SYMBOLS = 20000, MOST_JOINED = 64, WORDS = 1, SHOWN = 20 };
static const char *const units[] = {"characters", "words", NULL};

typedef struct join_options {
    int64_t least, most, samples, valid_samples;
    double gap_ms;
} join_options;

typedef struct say_options {
    gr__hearing_options h; /* first */
    int units;
    const gr__conf *join;
} say_options;

/* Which sounds of a part are of a group: rows first[g] .. first[g + 1] - 1. */
typedef struct groups {
    int32_t *row;
    int64_t *first;
    int64_t n; /* groups that have any */
} groups;

typedef struct gr__say_task {
    gr__task base;
    say_options o;
    join_options join;
    bool joins;
    gr__hearing hear;
    groups group[2];
    gr__conf_strings symbols;
    gr__map known;                       /* symbol -> id from 1 */
    int64_t length, frames, steps, most; /* samples, mel rows, steps of the model, symbols of a sample */
    gr_edits words, characters;
    int64_t scored, right;
    gr__str wrong; /* reference, line end, hypothesis, line end: of the first that differ */
    int n_wrong;
} gr__say_task;

#define AT(field) offsetof(say_options, field)
static const gr__conf_row data_rows[] = {
    GR__HEARING_ROWS("text", "of a sample, from its beginning; a longer training sound is left out"),
    {"units", GR__CONF_ENUM, AT(units), 0, 0, units, "characters", "what the symbols are", 0},
    {"join", GR__CONF_SECTION, AT(join), 0, 0, NULL, NULL, "make samples of several sounds of one {group}", 0},
};
#undef AT
#define AT(field) offsetof(join_options, field)
static const gr__conf_row join_rows[] = {
    {"least", GR__CONF_INT, AT(least), 1, MOST_JOINED, NULL, "3", "sounds in a sample, at least", 0},
    {"most", GR__CONF_INT, AT(most), 1, MOST_JOINED, NULL, "7", "and at most", 0},
    {"gap_ms", GR__CONF_DOUBLE, AT(gap_ms), 0, 60000, NULL, "200", "silence between two: from nothing to this", 0},
    {"samples", GR__CONF_INT, AT(samples), 0, 1e9, NULL, "0", "in an epoch; 0: as many as sounds", 0},
    {"valid_samples", GR__CONF_INT, AT(valid_samples), 1, 1e9, NULL, "500", "for validation, always the same", 0},
};
#undef AT
static const gr__conf_section sections[] = {
    {"data", data_rows, GR__COUNT(data_rows), "a path alone is the source"},
    GR__HEARING_SECTIONS,
    {"data.join", join_rows, GR__COUNT(join_rows), "samples made on the fly"},
};

/* ---- symbols ---- */

/* The next symbol of a text from *at, blanks left out between words; false at its end. */
static bool next_symbol(const gr__say_task *t, const char *text, size_t *at, const char **symbol, size_t *n)
{
    uint32_t code;
    size_t length;
    if (t->o.units == WORDS)
        while (text[*at] == ' ' || text[*at] == '\t') ++*at;
    if (!text[*at]) return false;
    *symbol = text + *at;
    if (t->o.units == WORDS) {
        *n = strcspn(*symbol, " \t");
    } else {
        gr__utf8_next(*symbol, strlen(*symbol), &code, &length);
        *n = length;
    }
    *at += *n;
    return true;
}

static int by_bytes(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

static gr_status find_symbols(gr__say_task *t)
{
    const gr__hearing_part *p = &t->hear.part[0];
    gr__map seen = {0};
    gr_status status = GR_OK;
    for (int64_t i = 0; i < p->n; i++) {
        const char *text = gr__hearing_row(p, i)->label, *symbol;
        size_t at = 0, n;
        while (next_symbol(t, text, &at, &symbol, &n))
            if (!gr__map_get(&seen, symbol, n)) GR_TRY_DONE(gr__map_set(&seen, symbol, n, 0, NULL));
        if (seen.count > MOST_SYMBOLS)
            GR_TRY_DONE(gr__fail(GR_ERR_DATA, "more than %d different symbols; is data.units right?", MOST_SYMBOLS));
    }
    t->symbols.item = gr__arena_alloc(&t->base.arena, (seen.count + 1) * sizeof *t->symbols.item);
    if (!t->symbols.item) GR_TRY_DONE(gr__fail_memory("symbols", seen.count * sizeof *t->symbols.item));
    for (size_t k = 0; k < seen.count; k++)
        if (!(t->symbols.item[t->symbols.n++] = gr__arena_strdup(&t->base.arena, seen.entry[k].key)))
            GR_TRY_DONE(gr__fail_memory("a symbol", 8));
    if (t->symbols.n == 0) GR_TRY_DONE(gr__fail(GR_ERR_DATA, "the training texts are empty"));
    qsort(t->symbols.item, t->symbols.n, sizeof *t->symbols.item, by_bytes);
    for (size_t k = 0; k < t->symbols.n; k++)
        GR_TRY_DONE(gr__map_set_name(&t->known, t->symbols.item[k], (int64_t)k + 1, NULL));
done:
    gr__map_release(&seen);
    return status;
}

/* Symbols of a text behind *n others; what training never saw is a symbol that cannot be said. */
static void encode(const gr__say_task *t, const char *text, int32_t *out, int64_t most, int64_t *n)
{
    const char *symbol;
    size_t at = 0, bytes;
    while (*n < most && next_symbol(t, text, &at, &symbol, &bytes)) {
        const int64_t *id = gr__map_get(&t->known, symbol, bytes);
        out[(*n)++] = (int32_t)(id ? *id : (int64_t)t->symbols.n + 1);
    }
}

static int64_t count_symbols(const gr__say_task *t, const char *text)
{
    const char *symbol;
    size_t at = 0, bytes;
    int64_t n = 0;
    while (next_symbol(t, text, &at, &symbol, &bytes)) n++;
    return n;
}

/* Steps that CTC needs for a text: two alike have a blank between them. */
static int64_t steps_needed(const int32_t *ids, int64_t n)
{
    int64_t steps = n;
    for (int64_t i = 1; i < n; i++) steps += ids[i] == ids[i - 1];
    return steps;
}

/* Steps of the model on so many samples. */
static int64_t steps_of(const gr__say_task *t, int64_t n)
{
    return gr_model_speech_steps(t->base.model, gr__features_frames(&t->hear.features, n));
}

/* ---- samples ---- */

static gr_status group_rows(gr__say_task *t, int split)
{
    const gr__hearing_part *p = &t->hear.part[split];
    groups *g = &t->group[split];
    size_t most = (size_t)p->set->n_groups;
    g->row = gr__arena_alloc(&t->base.arena, ((size_t)p->n + 1) * sizeof *g->row);
    g->first = gr__arena_alloc(&t->base.arena, (most + 1) * sizeof *g->first);
    if (!g->row || !g->first) return gr__fail_memory("groups", (size_t)p->n * sizeof *g->row);
    int64_t n = 0;
    for (int32_t k = 0; k < p->set->n_groups; k++) {
        int64_t before = n;
        for (int64_t i = 0; i < p->n; i++)
            if (p->set->group[p->index[i]] == k) g->row[n++] = (int32_t)i;
        if (n > before) g->first[g->n++] = before;
    }
    g->first[g->n] = n;
    return GR_OK;
}

/* The sounds of joined sample 'sample', how many, and the silence before each. */
static int64_t draw(const gr__say_task *t, int split, int64_t sample, int32_t row[MOST_JOINED],
                    int64_t gap[MOST_JOINED])
{
    const groups *g = &t->group[split];
    gr__rng r = gr__rng_make(t->hear.seed, 0x6a6f696e00000000u + ((uint64_t)split << 62) + (uint64_t)sample);
    int64_t k = (int64_t)gr__rng_below(&r, (uint64_t)g->n), size = g->first[k + 1] - g->first[k];
    int64_t n = t->join.least + (int64_t)gr__rng_below(&r, (uint64_t)(t->join.most - t->join.least) + 1);
    int64_t widest = llround(t->join.gap_ms * (double)t->hear.features.rate / 1000);
    for (int64_t i = 0; i < n; i++) {
        row[i] = g->row[g->first[k] + (int64_t)gr__rng_below(&r, (uint64_t)size)];
        gap[i] = (int64_t)gr__rng_below(&r, (uint64_t)widest + 1);
    }
    return n;
}

/* Into samples (t->length), *n of them; ids (t->most), *n_ids; text (may be NULL) gets what is said. */
static gr_status put_joined(const gr__say_task *t, int split, int64_t sample, float *samples, int64_t *n, int32_t *ids,
                            int64_t *n_ids, gr__str *text)
{
    const gr__hearing_part *p = &t->hear.part[split];
    int32_t row[MOST_JOINED];
    int64_t gap[MOST_JOINED], count = draw(t, split, sample, row, gap);
    for (int64_t i = 0; i < count; i++) {
        gr__wave w;
        float *own;
        const char *said = gr__hearing_row(p, row[i])->label;
        GR_TRY(gr__hearing_wave(&t->hear, p, row[i], &w, &own));
        int64_t silence = i > 0 ? gap[i] : 0;
        bool fits = *n + silence + w.n <= t->length;
        if (fits && samples) {
            memset(samples + *n, 0, (size_t)silence * sizeof *samples);
            memcpy(samples + *n + silence, w.samples, (size_t)w.n * sizeof *samples);
        }
        gr__free(own);
        if (!fits) return GR_OK; /* what there is no room for is not said */
        *n += silence + w.n;
        encode(t, said, ids, t->most, n_ids);
        if (text && i > 0 && t->o.units == WORDS) gr__str_add_char(text, ' ');
        if (text) gr__str_add(text, said);
    }
    return GR_OK;
}

static gr_status put_one(const gr__say_task *t, int split, int64_t i, float *samples, int64_t *n, int32_t *ids,
                         int64_t *n_ids, gr__str *text)
{
    const gr__hearing_part *p = &t->hear.part[split];
    gr__wave w;
    float *own;
    const char *said = gr__hearing_row(p, i)->label;
    if (text) gr__str_add(text, said);
    if (!samples) return GR_OK;
    GR_TRY(gr__hearing_wave(&t->hear, p, i, &w, &own));
    *n = GR__MIN(w.n, t->length);
    memcpy(samples, w.samples, (size_t)*n * sizeof *samples);
    if (w.n <= t->length) encode(t, said, ids, t->most, n_ids);
    gr__free(own);
    return GR_OK;
}

/* ---- opening ---- */

static gr_status choose_sizes(gr__say_task *t)
{
    const gr__hearing *h = &t->hear;
    double rate = (double)h->features.rate;
    int64_t longest = h->longest, most = 1;
    for (int s = 0; s < 2; s++)
        for (int64_t i = 0; i < h->part[s].n; i++)
            most = GR__MAX(most, count_symbols(t, gr__hearing_row(&h->part[s], i)->label));
    if (t->joins) longest = t->join.most * (longest + llround(t->join.gap_ms * rate / 1000)), most *= t->join.most;
    t->length = t->o.h.seconds > 0 ? llround(t->o.h.seconds * rate) : longest;
    t->frames = gr__features_frames(&h->features, t->length);
    if (t->frames > 1 << 16) return gr__hearing_too_long(h, t->frames);
    t->most = most;
    return GR_OK;
}

static gr_status make_model(gr__say_task *t, const gr__task_in *in)
{
    const gr__family *family;
    gr__facts facts = {.labels = t->symbols, .features = &t->hear.features, .words = t->o.units == WORDS};
    GR_TRY(gr__model_default(in->root, "ctc", &t->base.arena));
    if (gr__family_find(gr__model_type(in->root, "ctc"), &family) == GR_OK && family->kind != GR_MODEL_SPEECH)
        return gr__conf_fail(gr__conf_find(in->root, "model"),
                             "model '%s' does not write down what it hears; use 'ctc'", family->name);
    GR_TRY(gr__model_new(gr__conf_get(in->root, "model"), &facts, NULL, &t->base.model));
    t->steps = gr_model_speech_steps(t->base.model, t->frames);
    return GR_OK;
}

static void warn_unusable(const gr__say_task *t, int64_t all, const int64_t count[2], const int64_t first[2])
{
    static const char *const why[] = {"training sounds are longer than data.seconds",
                                      "training texts have more symbols than the model has steps for their sounds"};
    static const char *const cure[] = {"raise data.seconds", "lower model.stride or data.features.hop_ms"};
    const gr__sound_set *set = t->hear.part[0].set;
    for (int k = 0; k < 2; k++) {
        if (!count[k]) continue;
        const gr__labelled_row *row = &set->list.row[first[k]];
        char place[32] = "";
        if (row->line) snprintf(place, sizeof place, ":%lld", (long long)row->line);
        gr__log(GR_LOG_WARNING, "%lld of %lld %s and are not trained on; the first is '%s'%s%s%s; %s",
                (long long)count[k], (long long)all, why[k], row->text, row->line ? " in " : "",
                row->line ? set->list.path : "", place, cure[k]);
    }
}

/* Training sounds of which nothing can be learnt leave their part: those that data.seconds cuts, for their text is not all
 * heard, and those too short for their text. Joined, a text has the steps of the whole sample. */
static gr_status drop_unusable(gr__say_task *t)
{
    gr__hearing_part *p = &t->hear.part[0];
    int64_t all = p->n, count[2] = {0}, first[2] = {0};
    int32_t *ids = gr__alloc((size_t)t->most * sizeof *ids);
    if (!ids) return gr__fail_memory("symbols", (size_t)t->most * sizeof *ids);
    p->n = 0;
    for (int64_t i = 0; i < all; i++) {
        gr__wave w = p->wave[i];
        int32_t row = p->index[i];
        int64_t n_ids = 0;
        p->wave[i] = (gr__wave){0};
        if (!t->joins) encode(t, p->set->list.row[row].label, ids, t->most, &n_ids);
        bool cut = w.n > t->length;
        if (cut || steps_needed(ids, n_ids) > steps_of(t, w.n)) {
            if (count[!cut]++ == 0) first[!cut] = row;
            gr__free(w.samples);
        } else {
            p->index[p->n] = row;
            p->wave[p->n++] = w;
        }
    }
    gr__free(ids);
    warn_unusable(t, all, count, first);
    GR_FAIL_IF(
        p->n == 0, GR_ERR_DATA,
        "'%s' leaves no sound to train on: %lld are longer than data.seconds, %lld are too short for their texts; "
        "raise data.seconds, or lower model.stride or data.features.hop_ms",
        t->o.h.source, (long long)count[0], (long long)count[1]);
    return GR_OK;
}

static gr_status open(gr__task *base, const gr__task_in *in)
{
    gr__say_task *t = (gr__say_task *)base;
    GR_TRY(gr__hearing_open(&t->hear, in, data_rows, GR__COUNT(data_rows), &t->o.h, false, &base->arena));
    base->report = t->hear.report;
    t->joins = !gr__conf_is_null(t->o.join);
    GR_TRY(gr__conf_read(t->o.join, "data.join", join_rows, GR__COUNT(join_rows), &t->join, &base->arena));
    if (t->join.most < t->join.least) return gr__conf_fail(t->o.join, "'most' is below 'least'");
    GR_TRY(find_symbols(t));
    GR_TRY(choose_sizes(t));
    GR_TRY(make_model(t, in));
    GR_TRY(drop_unusable(t));
    for (int i = 0; i < 2; i++) {
        GR_TRY(group_rows(t, i));
        int64_t joined = i ? t->join.valid_samples : t->join.samples ? t->join.samples : t->hear.part[0].n;
        base->samples[i] = base->units[i] = !t->joins ? t->hear.part[i].n : t->hear.part[i].n ? joined : 0;
    }
    base->units_per_sample = 1;
    return GR_OK;
}

static void close(gr__task *base)
{
    gr__say_task *t = (gr__say_task *)base;
    gr__hearing_close(&t->hear);
    gr__map_release(&t->known);
    gr__str_release(&t->wrong);
}

/* ---- batches ---- */

static gr_status build(gr__task *base, gr_graph *g, int64_t batch, bool train, const char *program, gr_loss *out)
{
    gr__say_task *t = (gr__say_task *)base;
    gr_speech_values v;
    GR_TRY(gr_model_build_speech(base->model, g, batch, t->frames, train, program, &v));
    gr_value targets = gr_input(g, "targets", GR_I32, 2, (int64_t[]){batch, t->most});
    gr_value symbols = gr_input(g, "symbols", GR_I32, 1, &batch), counts = gr_input(g, "counts", GR_F32, 1, &batch);
    *out = gr_loss_ctc(g, v.logits, targets, v.lengths, symbols, counts, &(gr_ctc_options){.zero_infinity = true});
    if (!train) gr_output(g, program, "logits", v.logits);
    return gr_graph_status(g);
}

typedef struct batch_fill {
    const gr__say_task *t;
    gr__split split;
    int64_t first;
    float *bands;     /* (B, frames, mels) */
    int32_t *lengths; /* (B) */
    int32_t *targets; /* (B, most) */
    int32_t *symbols; /* (B) */
    float *counts;    /* (B) */
} batch_fill;

static void fill_one(void *context, int64_t b, int thread)
{
    (void)thread;
    const batch_fill *f = context;
    const gr__say_task *t = f->t;
    const gr__hearing *h = &t->hear;
    int64_t sample = f->first + b, all = t->base.samples[f->split], each = t->frames * h->features.mels;
    bool train = f->split == GR__SPLIT_TRAIN, fine = train || sample < all;
    float *bands = f->bands + b * each, *samples = gr__alloc((size_t)t->length * sizeof *samples);
    int32_t *ids = f->targets + b * t->most;
    int64_t n = 0, n_ids = 0,
            row = train && !t->joins ? gr__rng_row(h->seed, 0x7370656500000000u, all, sample) : sample;
    memset(bands, 0, (size_t)each * sizeof *bands);
    memset(ids, 0, (size_t)t->most * sizeof *ids);
    fine = fine && samples &&
           (t->joins ? put_joined(t, f->split, row, samples, &n, ids, &n_ids, NULL)
                     : put_one(t, f->split, row, samples, &n, ids, &n_ids, NULL)) == GR_OK &&
           n > 0 && gr__hearing_features(h, samples, n, train, 0x73706500, (uint64_t)sample, bands) == GR_OK;
    int64_t steps = fine ? steps_of(t, n) : 1;
    f->lengths[b] = (int32_t)steps;
    f->symbols[b] = fine ? (int32_t)n_ids : 0;
    f->counts[b] = fine && steps_needed(ids, n_ids) <= steps; /* else its loss is no number to be averaged */
    gr__free(samples);
}

static void fill(gr__task *base, gr__split split, int64_t first, int64_t batch, const gr__inputs *to)
{
    static const char *const names[] = {"bands", "lengths", "targets", "symbols", "counts"};
    gr_tensor in[5];
    for (int i = 0; i < 5; i++)
        if (!gr__inputs_find(to, names[i], &in[i])) return;
    batch_fill f = {(gr__say_task *)base, split, first, in[0].data, in[1].data, in[2].data, in[3].data, in[4].data};
    gr__parallel(batch, fill_one, &f);
}

/* ---- scores ---- */

static void clear_scores(gr__say_task *t)
{
    t->words = t->characters = (gr_edits){0};
    t->scored = t->right = 0;
    t->n_wrong = 0;
    gr__str_clear(&t->wrong);
}

static gr_status score_one(gr__say_task *t, int64_t sample, const float *logits, int64_t steps, int32_t *ids)
{
    gr__str wanted = {0}, said = {0};
    int64_t n = 0, n_ids = 0, symbols = (int64_t)t->symbols.n + 1;
    gr_status status = GR_OK;
    GR_TRY_DONE(t->joins ? put_joined(t, GR__SPLIT_VALID, sample, NULL, &n, ids, &n_ids, &wanted)
                         : put_one(t, GR__SPLIT_VALID, sample, NULL, &n, ids, &n_ids, &wanted));
    gr__ctc_greedy(logits, steps, symbols, ids, &n_ids);
    gr__speech_text(t->base.model->config, ids, n_ids, &said);
    GR_TRY_DONE(gr__str_check(&wanted));
    GR_TRY_DONE(gr__str_check(&said));
    GR_TRY_DONE(gr_edits_update_words(&t->words, gr__str_get(&wanted), gr__str_get(&said)));
    GR_TRY_DONE(gr_edits_update_characters(&t->characters, gr__str_get(&wanted), gr__str_get(&said)));
    bool same = strcmp(gr__str_get(&wanted), gr__str_get(&said)) == 0;
    t->scored++;
    t->right += same;
    if (!same && t->n_wrong < SHOWN && ++t->n_wrong)
        gr__str_printf(&t->wrong, "%s\n%s\n", gr__str_get(&wanted), gr__str_get(&said));
done:
    gr__str_release(&wanted);
    gr__str_release(&said);
    return status;
}

static void score(gr__task *base, int64_t first, int64_t batch, gr_session *session)
{
    gr__say_task *t = (gr__say_task *)base;
    gr_tensor logits, lengths;
    if (gr_session_output(session, "logits", &logits) != GR_OK ||
        gr_session_input(session, "lengths", &lengths) != GR_OK)
        return;
    if (first == 0) clear_scores(t);
    int32_t *ids = gr__alloc((size_t)(t->steps + t->most + 1) * sizeof *ids);
    for (int64_t b = 0; ids && b < batch && first + b < base->samples[1]; b++) {
        const float *row = (const float *)logits.data + b * t->steps * logits.dim[2];
        if (score_one(t, first + b, row, ((const int32_t *)lengths.data)[b], ids) != GR_OK) break;
    }
    gr__free(ids);
}

static int finish(gr__task *base, double loss, gr_metric *out, int capacity)
{
    (void)loss;
    const gr__say_task *t = (const gr__say_task *)base;
    const gr_metric m[] = {{"wer", gr_edits_rate(&t->words)},
                           {"cer", gr_edits_rate(&t->characters)},
                           {"exact", t->scored ? (double)t->right / (double)t->scored : NAN}};
    int n = t->scored ? (int)GR__COUNT(m) : 0;
    for (int i = 0; i < n && i < capacity; i++) out[i] = m[i];
    return n;
}

static gr_status panels(gr__task *base, gr__str *page)
{
    static const char *const head[] = {"said", "understood"};
    gr__say_task *t = (gr__say_task *)base;
    if (t->n_wrong == 0) return GR_OK;
    GR_TRY(gr__str_check(&t->wrong));
    gr__html_section(page, "Misunderstood");
    gr__html_table_begin(page, head, GR__COUNT(head));
    char *all = gr__strdup(gr__str_get(&t->wrong));
    if (!all) return gr__fail_memory("a text", t->wrong.n);
    for (char *at = all; *at;) {
        char *second = strchr(at, '\n'), *end = second ? strchr(second + 1, '\n') : NULL;
        if (!end) break;
        *second++ = *end = 0;
        gr__html_table_row(page, (const char *[]){at, second}, GR__COUNT(head));
        at = end + 1;
    }
    gr__html_table_end(page);
    gr__free(all);
    return GR_OK;
}

const gr__task_kind gr__task_speech_recognition = {
    .name = "speech-recognition",
    .summary = "sounds to texts, by CTC",
    .unit = "sound",
    .epochs = 30,
    .plain = true,
    .sections = sections,
    .n_sections = GR__COUNT(sections),
    .bytes = sizeof(gr__say_task),
    .open = open,
    .close = close,
    .build = build,
    .fill = fill,
    .score = score,
    .finish = finish,
    .panels = panels,
};
