#include "task/hearing.h"

#include "base/file.h"
#include "base/log.h"
#include "base/map.h"
#include "base/parallel.h"
#include "data/leak.h"
#include "task/classes.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { CHUNK = 256, MOST_CLASSES = 10000 };

typedef struct listen_options {
    double window_ms, hop_ms, low, high;
    int64_t mels;
} listen_options;

#define AT(field) offsetof(listen_options, field)
const gr__conf_row gr__hearing_feature_rows[GR__HEARING_FEATURE_ROWS] = {
    {"window_ms", GR__CONF_DOUBLE, AT(window_ms), 1, 1000, NULL, "25", "length of a window", 0},
    {"hop_ms", GR__CONF_DOUBLE, AT(hop_ms), 1, 1000, NULL, "10", "from one window to the next", 0},
    {"mels", GR__CONF_INT, AT(mels), 1, 1024, NULL, "40", "bands", 0},
    {"low", GR__CONF_DOUBLE, AT(low), 0, 384000, NULL, "20", "Hz, where they begin", 0},
    {"high", GR__CONF_DOUBLE, AT(high), 0, 384000, NULL, "0", "Hz, where they end; 0: half the rate", 0},
};
#undef AT

typedef struct augment_options {
    gr__sound_augment_options sound;
    gr__mask_options mask;
} augment_options;

#define AT(field) offsetof(augment_options, field)
const gr__conf_row gr__hearing_augment_rows[GR__HEARING_AUGMENT_ROWS] = {
    {"shift", GR__CONF_DOUBLE, AT(sound.shift), 0, 1, NULL, "0", "share of the whole length, both ways", 0},
    {"gain_db", GR__CONF_DOUBLE, AT(sound.gain_db), 0, 60, NULL, "0", "louder or softer by up to so much", 0},
    {"noise", GR__CONF_DOUBLE, AT(sound.noise_share), 0, 1, NULL, "0", "probability of white noise", 0},
    {"snr_min", GR__CONF_DOUBLE, AT(sound.snr_least), -20, 100, NULL, "10", "dB of the sound over the noise", 0},
    {"snr_max", GR__CONF_DOUBLE, AT(sound.snr_most), -20, 100, NULL, "40", "at most", 0},
    {"time_masks", GR__CONF_INT, AT(mask.n_time), 0, 100, NULL, "0", "stretches of time that are hidden", 0},
    {"time_width", GR__CONF_INT, AT(mask.most_time), 0, 10000, NULL, "10", "windows in each, at most", 0},
    {"band_masks", GR__CONF_INT, AT(mask.n_bands), 0, 100, NULL, "0", "groups of bands that are hidden", 0},
    {"band_width", GR__CONF_INT, AT(mask.most_bands), 0, 1024, NULL, "5", "bands in each, at most", 0},
};
#undef AT

/* ---- parts ---- */

static gr_status part_new(gr__hearing_part *p, const gr__sound_set *set)
{
    size_t n = (size_t)set->list.n;
    *p = (gr__hearing_part){.set = set,
                            .index = gr__calloc(n + 1, sizeof *p->index),
                            .wave = gr__calloc(n + 1, sizeof *p->wave),
                            .hash = gr__calloc(n + 1, sizeof *p->hash)};
    return p->index && p->wave && p->hash ? GR_OK : gr__fail_memory("a list of sounds", n * sizeof *p->wave);
}

/* The class of each; 0 for all where labels are no classes. A label of 'valid_source' alone is refused. */
static gr_status find_classes(const gr__hearing *h, const gr__sound_set *set, int32_t *out)
{
    gr__map known = {0};
    gr_status status = GR_OK;
    for (size_t k = 0; k < h->names.n; k++) GR_TRY_DONE(gr__map_set_name(&known, h->names.item[k], (int64_t)k, NULL));
    for (int64_t i = 0; i < set->list.n && h->names.n; i++) {
        const gr__labelled_row *row = &set->list.row[i];
        const int64_t *k = gr__map_get_name(&known, row->label);
        if (!k)
            GR_TRY_DONE(gr__fail(GR_ERR_DATA, "'%s': the label '%.100s' is not one of the training part", row->text,
                                 row->label));
        out[i] = (int32_t)*k;
    }
done:
    gr__map_release(&known);
    return status;
}

static bool is_named(const gr__conf_strings *patterns, const char *name)
{
    const char *slash = strrchr(name, '/');
    for (size_t i = 0; i < patterns->n; i++)
        if (gr__str_glob(patterns->item[i], name) || (slash && gr__str_glob(patterns->item[i], slash + 1))) return true;
    return false;
}

static gr_status split(gr__hearing *h)
{
    const gr__hearing_options *o = h->o;
    const gr__sound_set *set = h->set;
    bool other = o->valid_source != NULL;
    size_t n = (size_t)GR__MAX(set[0].list.n, set[1].list.n);
    gr_status status = GR_OK;
    int32_t *label = gr__calloc(n + 1, sizeof *label);
    uint8_t *valid = gr__calloc(n + 1, 1);
    if (!label || !valid) GR_TRY_DONE(gr__fail_memory("labels", n * sizeof *label));
    for (int i = 0; i < 2; i++) GR_TRY_DONE(part_new(&h->part[i], other ? &set[i] : &set[0]));
    if (other) GR_TRY_DONE(find_classes(h, &set[1], label));
    GR_TRY_DONE(find_classes(h, &set[0], label));
    if (!other && o->valid_files.n == 0)
        GR_TRY_DONE(gr__classes_split(label, set[0].list.n, GR__MAX((int64_t)h->names.n, 1), o->valid, h->seed, valid));
    for (int s = 0; s < 2; s++)
        for (int64_t i = 0; i < set[s].list.n; i++) {
            int v = other ? s : o->valid_files.n ? is_named(&o->valid_files, set[s].list.row[i].text) : valid[i];
            h->part[v].index[h->part[v].n++] = (int32_t)i;
        }
    if (h->part[0].n == 0) status = gr__fail(GR_ERR_DATA, "'%s' leaves no sound for training", o->source);
    if (status == GR_OK && o->valid_files.n && h->part[1].n == 0)
        status = gr__fail(GR_ERR_DATA, "none of the sounds in '%s' is named like data.valid_files", o->source);
done:
    gr__free(label);
    gr__free(valid);
    return status;
}

/* ---- the pass over all sounds ---- */

typedef struct pass {
    const gr__hearing *h;
    gr__hearing_part *p;
    int64_t first;
    double *sums; /* (CHUNK, 2, mels) of x and x*x; NULL: not wanted */
    gr_status status[CHUNK];
} pass;

static gr_status add_up(const gr__hearing *h, const gr__wave *w, double *sum)
{
    int64_t frames = gr__features_frames(&h->features, w->n), mels = h->features.mels;
    float *x = gr__alloc((size_t)(frames * mels) * sizeof *x);
    if (!x) return gr__fail_memory("features", (size_t)(frames * mels) * sizeof *x);
    gr_status status = gr__features_make(&h->features, h->filters, w->samples, w->n, x);
    memset(sum, 0, 2 * (size_t)mels * sizeof *sum);
    for (int64_t i = 0; status == GR_OK && i < frames * mels; i++) {
        sum[i % mels] += (double)x[i];
        sum[mels + i % mels] += (double)x[i] * (double)x[i];
    }
    gr__free(x);
    return status;
}

static void read_one(void *context, int64_t i, int thread)
{
    (void)thread;
    pass *s = context;
    gr__wave *w = &s->p->wave[s->first + i];
    s->status[i] = gr__sound_set_read(s->p->set, s->p->index[s->first + i], s->h->features.rate, w, NULL);
    if (s->status[i] == GR_OK)
        s->p->hash[s->first + i] = gr__leak_hash(w->samples, (size_t)w->n * sizeof *w->samples, 0);
    if (s->status[i] == GR_OK && s->sums) s->status[i] = add_up(s->h, w, s->sums + 2 * i * s->h->features.mels);
}

/* The sentence of a failure belongs to a thread: it is made again. */
static gr_status tell(const pass *s, int64_t i)
{
    gr__wave w = {0};
    gr_status status = gr__sound_set_read(s->p->set, s->p->index[s->first + i], s->h->features.rate, &w, NULL);
    gr__free(w.samples);
    return status == GR_OK ? s->status[i] : status;
}

static gr_status read_part(gr__hearing *h, gr__hearing_part *p, double *total, int64_t *frames, int64_t *kept)
{
    char first_bad[256] = "";
    int64_t mels = h->features.mels, good = 0, bad = 0, most = h->o->cache_mib << 20;
    double *sums = total ? gr__alloc(CHUNK * 2 * (size_t)mels * sizeof *sums) : NULL;
    gr_status status = !total || sums ? GR_OK : gr__fail_memory("sums", CHUNK * 2 * (size_t)mels * sizeof *sums);
    for (int64_t first = 0; first < p->n && status == GR_OK; first += CHUNK) {
        int64_t here = GR__MIN(CHUNK, p->n - first);
        pass s = {.h = h, .p = p, .first = first, .sums = sums};
        gr__parallel(here, read_one, &s);
        for (int64_t i = 0; i < here && status == GR_OK; i++) {
            if (s.status[i] != GR_OK) {
                status = tell(&s, i);
                if (!h->o->skip_bad || status == GR_ERR_MEMORY) break;
                gr__log(GR_LOG_WARNING, "left out: %s", gr_message());
                if (bad++ == 0) snprintf(first_bad, sizeof first_bad, "%s", gr_message());
                status = GR_OK;
                continue;
            }
            gr__wave w = p->wave[first + i];
            p->wave[first + i] = (gr__wave){0};
            for (int64_t k = 0; total && k < 2 * mels; k++) total[k] += sums[2 * i * mels + k];
            if (total) *frames += gr__features_frames(&h->features, w.n);
            if (total && w.n > h->longest) {
                h->longest = w.n;
                h->longest_of = p->set->list.row[p->index[first + i]].text;
            }
            *kept += w.n * (int64_t)sizeof *w.samples;
            if (*kept > most) gr__free(w.samples), w.samples = NULL;
            p->index[good] = p->index[first + i];
            p->hash[good] = p->hash[first + i];
            p->wave[good++] = w;
        }
    }
    if (status == GR_OK && p->n > 0 && good == 0)
        status = gr__fail(GR_ERR_DATA, "all %lld sounds were left out; the first: %s", (long long)p->n, first_bad);
    if (status == GR_OK) p->n = good;
    if (bad) gr__log(GR_LOG_WARNING, "%lld sounds that cannot be used were left out", (long long)bad);
    gr__free(sums);
    return status;
}

gr_status gr__hearing_too_long(const gr__hearing *h, int64_t frames)
{
    double seconds = (double)h->longest / (double)h->features.rate;
    return gr__fail(GR_ERR_LIMIT, "%lld windows of sound are too many ('%.200s' takes %.6g s); set data.seconds",
                    (long long)frames, h->longest_of ? h->longest_of : "", seconds);
}

static gr_status read_sounds(gr__hearing *h, const gr__features *fitted, gr__arena *arena)
{
    size_t mels = (size_t)h->features.mels;
    int64_t frames = 0, kept = 0;
    double *total = gr__arena_alloc(arena, 4 * mels * sizeof *total), *mean = total + 2 * mels, *std = mean + mels;
    if (!total) return gr__fail_memory("sums", 4 * mels * sizeof *total);
    memset(total, 0, 2 * mels * sizeof *total);
    GR_TRY(read_part(h, &h->part[0], total, &frames, &kept));
    GR_TRY(read_part(h, &h->part[1], NULL, NULL, &kept));
    for (size_t k = 0; k < mels; k++) {
        mean[k] = total[k] / (double)frames;
        double variance = total[mels + k] / (double)frames - mean[k] * mean[k];
        std[k] = variance > 1e-6 ? sqrt(variance) : 1;
    }
    bool same = fitted && fitted->mean.n == mels && fitted->std.n == mels;
    h->features.mean = same ? fitted->mean : (gr__conf_doubles){mean, mels};
    h->features.std = same ? fitted->std : (gr__conf_doubles){std, mels};
    return GR_OK;
}

static gr_status check_left(gr__hearing *h, gr__arena *arena)
{
    size_t classes = h->names.n;
    int64_t *count = gr__arena_alloc(arena, (classes + 1) * sizeof *count);
    if (!count) return gr__fail_memory("counts of classes", classes * sizeof *count);
    memset(count, 0, (classes + 1) * sizeof *count);
    for (int p = 0; p < 2; p++)
        for (int64_t i = 0; i < h->part[p].n; i++) {
            size_t k = 0;
            while (strcmp(h->names.item[k], gr__hearing_row(&h->part[p], i)->label) != 0) k++; /* split() has looked */
            count[k]++;
        }
    return gr__classes_left(&h->names, count, h->o->source, "sounds");
}

static const char *name_of(const gr__hearing_part *p, int64_t i, gr__arena *arena)
{
    const gr__labelled_row *row = gr__hearing_row(p, i);
    return row->line ? gr__arena_printf(arena, "%s:%lld", p->set->list.path, (long long)row->line)
                     : gr__arena_printf(arena, "'%s' of '%s'", row->text, p->set->list.path);
}

static gr_status find_leak(gr__hearing *h, gr__arena *arena)
{
    const gr__hearing_part *p = h->part;
    gr__leak leak;
    GR_TRY(gr__leak_find(p[0].hash, p[0].n, p[1].hash, p[1].n, &leak));
    if (leak.n == 0) return GR_OK;
    const char *valid = name_of(&p[1], leak.valid, arena), *train = name_of(&p[0], leak.train, arena);
    h->report = valid && train ? gr__leak_note(&leak, "sound", valid, train, arena) : NULL;
    return h->report ? GR_OK : gr__fail_memory("a report", 256);
}

/* ---- opening ---- */

static gr_status find_rate(gr__hearing *h)
{
    gr_status status = GR_OK;
    h->features.rate = h->o->rate;
    for (int64_t i = 0; i < h->set[0].list.n && !h->features.rate; i++) {
        gr__wave w = {0};
        status = gr__sound_set_read(&h->set[0], i, 0, &w, &h->features.rate);
        gr__free(w.samples);
        if (status != GR_OK && !h->o->skip_bad) return status;
        if (status != GR_OK) h->features.rate = 0;
    }
    return h->features.rate ? GR_OK : status;
}

static gr_status choose_features(gr__hearing *h, gr__arena *arena)
{
    listen_options l;
    GR_TRY(
        gr__conf_read(h->o->features, "data.features", gr__hearing_feature_rows, GR__HEARING_FEATURE_ROWS, &l, arena));
    GR_TRY(find_rate(h));
    double rate = (double)h->features.rate;
    h->features.window = GR__MAX(llround(l.window_ms * rate / 1000), 2);
    h->features.hop = GR__MAX(llround(l.hop_ms * rate / 1000), 1);
    h->features.mels = l.mels, h->features.low = l.low, h->features.high = l.high;
    GR_TRY(gr__features_check(&h->features));
    return gr__features_filters(&h->features, &h->filters);
}

static gr_status open_sets(gr__hearing *h, bool classes, gr__arena *arena)
{
    const gr__hearing_options *o = h->o;
    gr__sound_set_options so = {.pattern = o->pattern, .path = o->path, .label = o->label, .skip_bad = o->skip_bad};
    const char *path[] = {o->source, o->valid_source};
    for (int i = 0; i < 2; i++)
        GR_FAIL_IF(path[i] && !gr__file_exists(path[i]), GR_ERR_NOT_FOUND, "'%s' does not exist", path[i]);
    for (int i = 0; i < 2 && path[i]; i++) GR_TRY(gr__sound_set_open(path[i], &so, &h->set[i]));
    if (!classes) return GR_OK;
    GR_TRY(gr__labelled_names(&h->set[0].list, MOST_CLASSES, arena, &h->names));
    GR_FAIL_IF(h->names.n < 2, GR_ERR_DATA, "'%s' has %zu classes; there is nothing to tell apart", o->source,
               h->names.n);
    return GR_OK;
}

gr_status gr__hearing_open(gr__hearing *h, const gr__task_in *in, const gr__conf_row *rows, size_t n_rows,
                           gr__hearing_options *options, bool classes, gr__arena *arena)
{
    augment_options a = {0}; /* the fill of masks has no key: 0 is the mean of a band */
    h->o = options;
    h->seed = in->seed;
    GR_TRY(gr__conf_read(gr__conf_get(in->root, "data"), "data", rows, n_rows, options, arena));
    GR_TRY(
        gr__conf_read(options->augment, "data.augment", gr__hearing_augment_rows, GR__HEARING_AUGMENT_ROWS, &a, arena));
    if (a.sound.snr_most < a.sound.snr_least) return gr__conf_fail(options->augment, "'snr_max' is below 'snr_min'");
    h->change = a.sound, h->mask = a.mask;
    h->changes = !gr__conf_is_null(options->augment);
    GR_TRY(open_sets(h, classes, arena));
    GR_TRY(split(h));
    GR_TRY(choose_features(h, arena));
    GR_TRY(read_sounds(h, in->kept.features, arena));
    if (h->o->skip_bad && h->names.n) GR_TRY(check_left(h, arena));
    return find_leak(h, arena);
}

void gr__hearing_close(gr__hearing *h)
{
    for (int i = 0; i < 2; i++) {
        gr__hearing_part *p = &h->part[i];
        for (int64_t k = 0; p->wave && k < p->set->list.n; k++) gr__free(p->wave[k].samples);
        gr__free(p->wave);
        gr__free(p->index);
        gr__free(p->hash);
    }
    for (int i = 0; i < 2; i++) gr__sound_set_close(&h->set[i]);
    gr__free(h->filters);
}

/* ---- samples ---- */

gr_status gr__hearing_wave(const gr__hearing *h, const gr__hearing_part *p, int64_t i, gr__wave *out, float **own)
{
    *own = NULL;
    *out = p->wave[i];
    if (out->samples) return GR_OK;
    GR_TRY(gr__sound_set_read(p->set, p->index[i], h->features.rate, out, NULL));
    *own = out->samples;
    return GR_OK;
}

gr_status gr__hearing_features(const gr__hearing *h, float *samples, int64_t n, bool random, uint64_t stream,
                               uint64_t sample, float *out)
{
    random = random && h->changes;
    if (random) gr__sound_augment(samples, n, &h->change, h->seed, stream, sample);
    GR_TRY(gr__features_make(&h->features, h->filters, samples, n, out));
    if (random)
        gr__feature_mask(out, gr__features_frames(&h->features, n), h->features.mels, &h->mask, h->seed, stream + 1,
                         sample);
    return GR_OK;
}
