/* What columns are, from all rows; and their transforms, from the rows for training alone. */
#include "data/table_int.h"

#include "base/distinct.h"
#include "base/map.h"
#include "base/spill.h"
#include "metric/order.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_CLASSES = 4096, FEW_ROWS = 20, MANY_TEXTS = 50, MOST_ONE_HOT = 4096 };
#define NUMBERS_SHARE 0.95 /* of the cells that are there, in a number column */

static const char *const types[] = {"auto", "number", "category", "ignore", NULL},
                         *const scales[] = {"standard", "min_max", "none", NULL},
                         *const fills[] = {"median", "mean", NULL}, *const choices[] = {"auto", "yes", "no", NULL},
                         *const encodings[] = {"embedding", "one_hot", "hash", NULL};

#define AT(field) offsetof(gr__column_settings, field)
const gr__conf_row gr__table_column_rows[] = {
    {"type", GR__CONF_ENUM, AT(type), 0, 0, types, "auto", "auto: number where nearly all cells are one",
     GR__CONF_MAIN},
    {"scale", GR__CONF_ENUM, AT(scale), 0, 0, scales, "standard",
     "numbers: mean 0 and deviation 1, or least 0 and most 1", 0},
    {"log", GR__CONF_BOOL, AT(log), 0, 0, NULL, "false", "numbers: sign(v)*log(1 + |v|), before scaling", 0},
    {"clip", GR__CONF_DOUBLE, AT(clip), 0, 0.5, NULL, "0.001",
     "numbers: held within this quantile and 1 minus it; 0: not at all", GR__CONF_BELOW_MAX},
    {"missing", GR__CONF_ENUM, AT(missing), 0, 0, fills, "median", "numbers: what stands for missing cells", 0},
    {"indicator", GR__CONF_ENUM, AT(indicator), 0, 0, choices, "auto",
     "numbers: one more input says that the cell is missing; auto: where any is", 0},
    {"encode", GR__CONF_ENUM, AT(encode), 0, 0, encodings, "embedding",
     "categories: a vector for each; 0 and 1; a vector for each of 'buckets'; task 'unsupervised': one_hot", 0},
    {"size", GR__CONF_INT, AT(size), 0, 65536, NULL, "0", "embedding, hash: of the vector; 0: min(50, (codes + 1)/2)",
     0},
    {"rare", GR__CONF_INT, AT(rare), 1, 1e9, NULL, "2", "categories seen less often in training count as unknown", 0},
    {"buckets", GR__CONF_INT, AT(buckets), 1, 1 << 24, NULL, "64", "hash: number of codes", 0},
};
const size_t gr__n_table_column_rows = GR__COUNT(gr__table_column_rows);

/* ---- settings ---- */

/* data.all, and over it what data.columns says of this one. */
static gr_status read_settings(const gr__table_work *w, const gr__conf *own, const char *name, gr__column_settings *out)
{
    char path[160];
    gr__conf *node = gr__conf_is_null(w->o->all) ? NULL : gr__conf_copy(w->o->all, w->arena);
    if (!node) node = gr__conf_new(GR__CONF_MAP, w->arena);
    if (!node) return gr__fail_memory("a configuration", 64);
    if (own && own->kind == GR__CONF_SCALAR)
        GR_TRY(gr__conf_put(node, "type", gr__conf_copy(own, w->arena), w->arena));
    else if (own)
        GR_TRY(gr__conf_merge(node, own, w->arena));
    if (w->o->untold && !gr__conf_get(node, "encode")) GR_TRY(gr__conf_set(node, "encode", "one_hot", w->arena));
    snprintf(path, sizeof path, "data.columns.%.100s", name);
    return gr__conf_read(node, path, gr__table_column_rows, gr__n_table_column_rows, out, w->arena);
}

static gr_status check_column_name(const gr__table_work *w, const gr__conf *node, const char *name)
{
    size_t column;
    char why[512];
    gr_status s = gr__csv_table_column(&w->csv, name, &column);
    if (s != GR_ERR_NOT_FOUND) return s;
    snprintf(why, sizeof why, "%s", gr_message());
    return gr__conf_fail_at_key(node, "%s", why);
}

static gr_status check_settings(const gr__table_work *w)
{
    const gr__table_options *o = w->o;
    if (o->columns && o->columns->kind != GR__CONF_MAP && !gr__conf_is_null(o->columns))
        return gr__conf_fail(o->columns, "data.columns is a map: {NAME: ignore, NAME: {type: number, log: true}}");
    if (o->all && o->all->kind != GR__CONF_MAP && !gr__conf_is_null(o->all))
        return gr__conf_fail(o->all, "data.all is a map: {scale: min_max}");
    for (const gr__conf *c = o->columns ? o->columns->first : NULL; c; c = c->next)
        GR_TRY(check_column_name(w, c, c->key));
    for (size_t i = 0; i < o->ignore.n; i++)
        GR_TRY(check_column_name(w, gr__conf_get(w->section, "ignore"), o->ignore.item[i]));
    return GR_OK;
}

/* ---- types ---- */

/* Rows in memory are passed through column by column; those of a file, which are read again each time, for some columns at
 * once. */
enum { TOGETHER = 16 };
static size_t together(const gr__table_work *w) { return w->csv.cell ? 1 : TOGETHER; }

typedef struct look {
    gr__distinct seen;
    double last;
    int64_t first_text, first_number; /* lines */
} look;

static gr_status look_at(look *l, const gr__cell *cell, bool decimal_comma, int64_t line, gr__column_facts *f)
{
    double v;
    size_t n;
    if (gr__cell_is_missing(cell)) {
        f->missing++;
        return GR_OK;
    }
    if (gr__cell_number(cell, decimal_comma, &v) && isfinite(v)) {
        if (!f->numbers++) l->first_number = line;
        f->most = fmax(f->most, fabs(v));
        f->integers = f->integers && v == floor(v);
        f->sequence = f->sequence && (f->numbers == 1 || v == l->last + 1);
        l->last = v;
    } else if (!f->texts++) {
        l->first_text = line;
    }
    const char *text = gr__cell_trimmed(cell, &n);
    return gr__distinct_add(&l->seen, gr__hash_stable(text, n, 0), NULL);
}

static gr_status look_at_columns(gr__table_work *w, size_t first, size_t n)
{
    const gr__csv_table *t = &w->csv;
    look l[TOGETHER] = {0};
    gr_status status = GR_OK;
    for (size_t k = 0; k < n; k++) w->fact[first + k].integers = w->fact[first + k].sequence = true;
    for (size_t i = 0; i < t->rows && status == GR_OK; i++)
        for (size_t k = 0; k < n && status == GR_OK; k++)
            status = look_at(&l[k], gr__csv_table_cell(t, (int64_t)i, first + k), t->decimal_comma, t->line[i],
                             &w->fact[first + k]);
    for (size_t k = 0; k < n; k++) {
        gr__column_facts *f = &w->fact[first + k];
        f->distinct = gr__distinct_count(&l[k].seen);
        f->odd_line = f->numbers > f->texts ? l[k].first_text : l[k].first_number;
        gr__distinct_release(&l[k].seen);
    }
    return status;
}

static gr__column_kind kind_of(const gr__column_facts *f)
{
    return f->numbers > 0 && (double)f->numbers >= NUMBERS_SHARE * (double)(f->numbers + f->texts)
               ? GR__COLUMN_NUMBER
               : GR__COLUMN_CATEGORY;
}

/* Why a column that nobody spoke of is no feature. */
static const char *reason_to_ignore(const gr__column_facts *f)
{
    int64_t there = f->numbers + f->texts;
    if (there == 0) return "no cell holds anything";
    if (f->distinct == 1 && f->missing == 0) return "all cells are the same";
    if (there < FEW_ROWS) return NULL;
    if (f->kind == GR__COLUMN_NUMBER && f->integers && f->sequence && f->missing == 0) return "numbers the rows";
    if (f->kind == GR__COLUMN_CATEGORY && f->distinct > MANY_TEXTS && 2 * f->distinct > there)
        return "most rows have a text of their own";
    return NULL;
}

static bool among(const gr__conf_strings *list, const char *name)
{
    for (size_t i = 0; i < list->n; i++)
        if (strcmp(list->item[i], name) == 0) return true;
    return false;
}

static gr_status type_column(gr__table_work *w, size_t i)
{
    gr__column_facts *f = &w->fact[i];
    const char *name = w->csv.name[i];
    const gr__conf *own = gr__conf_get(w->o->columns, name);
    GR_TRY(read_settings(w, own, name, &f->set));
    f->kind = kind_of(f);
    if (i == w->target) return GR_OK;
    if (f->set.type == GR__TYPE_AUTO)
        f->ignored = reason_to_ignore(f);
    else
        f->kind = f->set.type == GR__TYPE_NUMBER ? GR__COLUMN_NUMBER : GR__COLUMN_CATEGORY;
    if (f->set.type == GR__TYPE_IGNORE || among(&w->o->ignore, name)) f->ignored = "as told";
    return GR_OK;
}

static gr_status no_feature(const gr__table_work *w)
{
    const char *target = w->csv.name[w->target];
    for (size_t i = 0; i < w->csv.columns; i++)
        GR_FAIL_IF(i != w->target && w->fact[i].set.type == GR__TYPE_AUTO && !among(&w->o->ignore, w->csv.name[i]),
                   GR_ERR_DATA,
                   "'%s' has no column to predict from beside '%s': '%s' is left out (%s); to keep it, set "
                   "data.columns.%s=%s",
                   w->csv.path, target, w->csv.name[i], w->fact[i].ignored, w->csv.name[i],
                   w->fact[i].kind == GR__COLUMN_NUMBER ? "number" : "category");
    return gr__fail(GR_ERR_DATA, "'%s' has no column to predict from beside '%s'", w->csv.path, target);
}

gr_status gr__table_type_columns(gr__table_work *w)
{
    size_t n = 0;
    GR_TRY(check_settings(w));
    w->fact = gr__arena_alloc(w->arena, w->csv.columns * sizeof *w->fact);
    w->feature = gr__arena_alloc(w->arena, w->csv.columns * sizeof *w->feature);
    w->columns->item = gr__arena_alloc(w->arena, w->csv.columns * sizeof *w->columns->item);
    if (!w->fact || !w->feature || !w->columns->item) return gr__fail_memory("a table", w->csv.columns * 64);
    for (size_t i = 0; i < w->csv.columns; i += together(w))
        GR_TRY(look_at_columns(w, i, GR__MIN(together(w), w->csv.columns - i)));
    for (size_t i = 0; i < w->csv.columns; i++) {
        GR_TRY(type_column(w, i));
        if (i != w->target && !w->fact[i].ignored) w->feature[n++] = i;
    }
    GR_FAIL_IF(n == 0 && w->o->untold, GR_ERR_DATA, "'%s' has no column that tells rows apart", w->csv.path);
    w->columns->n = n;
    return n ? GR_OK : no_feature(w);
}

/* ---- vocabularies ---- */

static int by_text(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

/* Keys of 'seen' that came 'least' times or more, sorted, in the arena. */
static gr_status sorted_words(const gr__table_work *w, const gr__map *seen, int64_t least, gr__conf_strings *out)
{
    *out = (gr__conf_strings){.item = gr__arena_alloc(w->arena, (seen->count + 1) * sizeof *out->item)};
    if (!out->item) return gr__fail_memory("a column", seen->count * sizeof *out->item);
    for (size_t i = 0; i < seen->count; i++) {
        const gr__map_entry *e = &seen->entry[i];
        if (e->value < least || memchr(e->key, 0, e->n)) continue;
        if (!(out->item[out->n++] = gr__arena_strndup(w->arena, e->key, e->n))) return gr__fail_memory("a word", e->n);
    }
    if (out->n) qsort(out->item, out->n, sizeof *out->item, by_text);
    return GR_OK;
}

static gr_status count_words(const gr__table_work *w, size_t column, int64_t n, const char *strip, gr__map *seen)
{
    for (int64_t i = 0; i < n; i++) {
        const gr__cell *cell = gr__csv_table_cell(&w->csv, w->row[i], column);
        size_t size;
        if (gr__cell_is_missing(cell)) continue;
        const char *text = gr__cell_trimmed(cell, &size);
        while (strip && size && strchr(strip, text[size - 1])) size--;
        int64_t *count = gr__map_get(seen, text, size);
        GR_TRY(gr__map_set(seen, text, size, count ? *count + 1 : 1, NULL));
    }
    return GR_OK;
}

static gr_status words_of(gr__table_work *w, size_t column, int64_t n, const char *strip, int64_t least,
                          gr__conf_strings *out)
{
    gr__map seen = {0};
    gr_status s = count_words(w, column, n, strip, &seen);
    if (s == GR_OK) s = sorted_words(w, &seen, least, out);
    gr__map_release(&seen);
    return s;
}

/* ---- the target ---- */

static gr_status find_classes(gr__table_work *w, gr__column *target)
{
    const char *name = w->csv.name[w->target];
    GR_TRY(words_of(w, w->target, w->n_rows, w->columns->strip, 1, &target->words));
    GR_FAIL_IF(target->words.n < 2, GR_ERR_DATA,
               "'%s': all rows have the class '%.100s' in column '%s'; there is nothing to tell apart", w->csv.path,
               target->words.n ? target->words.item[0] : "", name);
    GR_FAIL_IF(target->words.n > MOST_CLASSES, GR_ERR_DATA,
               "'%s': column '%s' has %zu classes, more than %d; is it a number? (data.predict=number)", w->csv.path,
               name, target->words.n, MOST_CLASSES);
    return GR_OK;
}

static gr_status copy_names(gr__table_work *w, gr__conf_strings *out)
{
    const gr__csv_table *t = &w->csv;
    *out = (gr__conf_strings){.item = gr__arena_alloc(w->arena, t->columns * sizeof *out->item)};
    if (!out->item) return gr__fail_memory("names", t->columns * sizeof *out->item);
    for (; out->n < t->columns; out->n++)
        if (!(out->item[out->n] = gr__arena_strdup(w->arena, t->name[out->n]))) return gr__fail_memory("a name", 64);
    return GR_OK;
}

/* data.predict, which data.columns.TARGET may say as well. */
static gr_status what_to_predict(const gr__table_work *w, int *predict)
{
    const gr__conf *own = gr__conf_get(w->o->columns, w->csv.name[w->target]);
    int said = own ? w->fact[w->target].set.type : GR__TYPE_AUTO, type = GR__PREDICT_AUTO;
    *predict = w->o->predict;
    if (said == GR__TYPE_AUTO) return GR_OK;
    if (said == GR__TYPE_IGNORE) return gr__conf_fail_at_key(own, "the column to predict cannot be ignored");
    type = said == GR__TYPE_NUMBER ? GR__PREDICT_NUMBER : GR__PREDICT_CLASS;
    if (*predict != GR__PREDICT_AUTO && *predict != type)
        return gr__conf_fail_at_key(own, "data.predict says something else of the column to predict");
    *predict = type;
    return GR_OK;
}

gr_status gr__table_type_target(gr__table_work *w)
{
    const gr__table_options *o = w->o;
    gr__column *target = &w->columns->target;
    *target = (gr__column){.name = w->target == SIZE_MAX ? "" : gr__arena_strdup(w->arena, w->csv.name[w->target]),
                           .low = -(double)INFINITY,
                           .high = (double)INFINITY,
                           .scale = 1};
    if (!target->name) return gr__fail_memory("a name", 64);
    w->columns->strip = o->strip ? gr__arena_strdup(w->arena, o->strip) : NULL;
    if (!w->csv.has_header) GR_TRY(copy_names(w, &w->columns->names));
    if (w->target == SIZE_MAX) return GR_OK;
    const gr__column_facts *f = &w->fact[w->target];
    int predict;
    GR_TRY(what_to_predict(w, &predict));
    bool class =
        predict == GR__PREDICT_AUTO ? f->kind == GR__COLUMN_CATEGORY || f->distinct <= 2 : predict == GR__PREDICT_CLASS;
    if (class && o->log_target) return gr__conf_fail(w->section, "data.log_target is for numbers, not for classes");
    if (!class && o->balance) return gr__conf_fail(w->section, "data.balance is for classes, not for numbers");
    target->kind = class ? GR__COLUMN_CATEGORY : GR__COLUMN_NUMBER;
    target->log = o->log_target;
    if (class) GR_TRY(find_classes(w, target));
    w->class = gr__spill_new(w->csv.rows + 1, sizeof *w->class);
    if (!w->class) return gr__fail_memory("a table", w->csv.rows * sizeof *w->class);
    for (size_t i = 0; i < w->csv.rows; i++) {
        double number;
        w->class[i] = -1;
        if (class)
            gr__columns_target(w->columns, gr__csv_table_cell(&w->csv, (int64_t)i, w->target), false, &number,
                               &w->class[i]);
    }
    return GR_OK;
}

/* ---- numbers ---- */

/* Of sorted values, between neighbours as numpy has it. */
static double quantile(const double *v, size_t n, double q)
{
    double at = q * (double)(n - 1);
    size_t i = (size_t)at;
    return i + 1 < n ? v[i] + (at - (double)i) * (v[i + 1] - v[i]) : v[n - 1];
}

static bool number_of(const gr__table_work *w, int64_t i, size_t column, double *v)
{
    const gr__cell *cell = gr__csv_table_cell(&w->csv, w->row[i], column);
    return !gr__cell_is_missing(cell) && gr__cell_number(cell, w->csv.decimal_comma, v) && isfinite(*v);
}

/* The numbers of some features in the rows for training. */
typedef struct numbers {
    size_t first, n; /* features */
    double *v[TOGETHER];
    size_t count[TOGETHER];
} numbers;

static void release_numbers(numbers *s)
{
    for (size_t k = 0; k < TOGETHER; k++) gr__spill_free(s->v[k]);
    *s = (numbers){0};
}

static gr_status gather(const gr__table_work *w, size_t first, numbers *s)
{
    *s = (numbers){.first = first, .n = GR__MIN(together(w), w->columns->n - first)};
    for (size_t k = 0; k < s->n; k++) {
        if (w->fact[w->feature[first + k]].kind != GR__COLUMN_NUMBER) continue;
        s->v[k] = gr__spill_new((size_t)w->n_train + 1, sizeof *s->v[k]);
        if (!s->v[k]) return gr__fail_memory("a column", (size_t)w->n_train * sizeof *s->v[k]);
    }
    for (int64_t i = 0; i < w->n_train; i++)
        for (size_t k = 0; k < s->n; k++)
            if (s->v[k] && number_of(w, i, w->feature[first + k], &s->v[k][s->count[k]])) s->count[k]++;
    return GR_OK;
}

static double mean_of(const double *v, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += v[i];
    return sum / (double)n;
}

static void set_scale(gr__column *c, const double *v, size_t n, int scale)
{
    if (scale == GR__SCALE_STANDARD) {
        double squares = 0;
        c->shift = mean_of(v, n);
        for (size_t i = 0; i < n; i++) squares += (v[i] - c->shift) * (v[i] - c->shift);
        c->scale = sqrt(squares / (double)n);
    } else if (scale == GR__SCALE_MIN_MAX) {
        c->shift = v[0];
        c->scale = v[n - 1] - v[0];
    }
    if (!(c->scale > 1e-12 * fabs(c->shift)) || !(c->scale > 0)) c->scale = 1; /* a constant */
}

/* v (n): its numbers in the rows for training, which change. */
static gr_status fit_number(const gr__table_work *w, size_t column, gr__column *c, double *v, size_t n)
{
    const gr__column_settings *s = &w->fact[column].set;
    GR_FAIL_IF(n == 0, GR_ERR_DATA,
               "'%s': column '%s' holds no number in the rows for training; ignore it: data.ignore=%s", w->csv.path,
               c->name, c->name);
    GR_TRY(gr__sort(v, n));
    if (s->clip > 0) {
        c->low = quantile(v, n, s->clip);
        c->high = quantile(v, n, 1 - s->clip);
    }
    for (size_t i = 0; i < n; i++) v[i] = fmin(fmax(v[i], c->low), c->high);
    c->fill = s->missing == 0 ? quantile(v, n, 0.5) : mean_of(v, n);
    c->log = c->log || s->log;
    c->indicator = s->indicator == 1 || (s->indicator == 0 && n < (size_t)w->n_train);
    for (size_t i = 0; i < n && c->log; i++) v[i] = copysign(log1p(fabs(v[i])), v[i]);
    set_scale(c, v, n, s->scale);
    return GR_OK;
}

static gr_status fit_category(gr__table_work *w, size_t column, gr__column *c)
{
    const gr__column_settings *s = &w->fact[column].set;
    c->kind = GR__COLUMN_CATEGORY;
    if (s->encode == GR__ENCODE_HASH)
        c->buckets = s->buckets;
    else
        GR_TRY(words_of(w, column, w->n_train, NULL, s->rare, &c->words));
    int64_t codes = gr__column_codes(c);
    GR_FAIL_IF(s->encode == GR__ENCODE_ONE_HOT && codes > MOST_ONE_HOT, GR_ERR_DATA,
               "'%s': column '%s' has %lld categories, too many for one_hot; use embedding or hash", w->csv.path,
               c->name, (long long)codes);
    if (s->encode != GR__ENCODE_ONE_HOT) c->width = s->size ? s->size : GR__MIN(50, (codes + 1) / 2);
    return GR_OK;
}

/* A target's scale is not for settings to say: losses of different runs are to be compared. */
static gr_status fit_target(const gr__table_work *w)
{
    gr__column *c = &w->columns->target;
    size_t n = 0;
    if (c->kind == GR__COLUMN_CATEGORY || w->target == SIZE_MAX) return GR_OK;
    double *v = gr__spill_new((size_t)w->n_train + 1, sizeof *v);
    if (!v) return gr__fail_memory("a column", (size_t)w->n_train * sizeof *v);
    for (int64_t i = 0; i < w->n_train; i++) n += number_of(w, i, w->target, &v[n]);
    for (size_t i = 0; i < n && c->log; i++) v[i] = copysign(log1p(fabs(v[i])), v[i]);
    if (n) set_scale(c, v, n, GR__SCALE_STANDARD);
    gr__spill_free(v);
    GR_FAIL_IF(n == 0, GR_ERR_DATA, "'%s': column '%s', the target, holds no number", w->csv.path, c->name);
    return GR_OK;
}

/* Whether the columns that were fitted before are these. */
static bool are_kept(const gr__table_work *w)
{
    const gr__columns *k = w->kept, *now = w->columns;
    if (!k || k->n != now->n || strcmp(k->target.name, now->target.name) != 0 || k->target.kind != now->target.kind)
        return false;
    for (size_t i = 0; i < k->n; i++)
        if (strcmp(k->item[i].name, w->csv.name[w->feature[i]]) != 0 || k->item[i].kind != w->fact[w->feature[i]].kind)
            return false;
    return true;
}

static gr_status fit_feature(gr__table_work *w, size_t i, numbers *s)
{
    gr__column *c = &w->columns->item[i];
    size_t column = w->feature[i];
    *c = (gr__column){.name = gr__arena_strdup(w->arena, w->csv.name[column]),
                      .low = -(double)INFINITY,
                      .high = (double)INFINITY,
                      .scale = 1};
    if (!c->name) return gr__fail_memory("a name", 64);
    if (w->fact[column].kind != GR__COLUMN_NUMBER) return fit_category(w, column, c);
    if (i >= s->first + s->n) {
        release_numbers(s);
        GR_TRY(gather(w, i, s));
    }
    return fit_number(w, column, c, s->v[i - s->first], s->count[i - s->first]);
}

gr_status gr__table_fit(gr__table_work *w)
{
    if (are_kept(w)) {
        memcpy(w->columns->item, w->kept->item, w->kept->n * sizeof *w->kept->item);
        w->columns->target = w->kept->target;
        return GR_OK;
    }
    gr_status status = GR_OK;
    numbers s = {0};
    for (size_t i = 0; i < w->columns->n && status == GR_OK; i++) status = fit_feature(w, i, &s);
    release_numbers(&s);
    return status == GR_OK ? fit_target(w) : status;
}
