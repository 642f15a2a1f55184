#include "data/matrix.h"

#include "base/rng.h"
#include "base/str.h"
#include "format/csv.h"
#include "format/idx.h"

#include <math.h>
#include <string.h>

static const char *const target_kinds[] = {"uniform", "normal", "inputs", NULL};
enum { TARGETS_UNIFORM, TARGETS_NORMAL, TARGETS_INPUTS };

#define AT(field) offsetof(gr__matrix_options, field)
const gr__conf_row gr__matrix_rows[] = {
    {"source", GR__CONF_STRING, AT(source), 0, 0, NULL, NULL, "'random', a CSV file, or IDX images (.gz is read too)",
     GR__CONF_MAIN | GR__CONF_REQUIRED},
    {"labels", GR__CONF_STRING, AT(labels), 0, 0, NULL, NULL, "IDX labels that belong to the images", 0},
    {"test_source", GR__CONF_STRING, AT(test_source), 0, 0, NULL, NULL, "the same kind of file for the test part", 0},
    {"test_labels", GR__CONF_STRING, AT(test_labels), 0, 0, NULL, NULL, "IDX labels of the test part", 0},
    {"target", GR__CONF_STRING_LIST, AT(target), 0, 0, NULL, NULL, "CSV: the columns to predict", 0},
    {"columns", GR__CONF_STRING_LIST, AT(inputs_named), 0, 0, NULL, NULL, "CSV: the input columns; default all others",
     0},
    {"drop", GR__CONF_STRING_LIST, AT(drop), 0, 0, NULL, NULL, "CSV: columns to leave out", 0},
    {"rows", GR__CONF_INT, AT(rows), 1, 1e10, NULL, "1000", "random: rows", 0},
    {"inputs", GR__CONF_INT, AT(inputs), 1, 1e7, NULL, "1", "random: numbers in a row of x", 0},
    {"outputs", GR__CONF_INT, AT(outputs), 1, 1e7, NULL, "1", "random: numbers in a row of y", 0},
    {"targets", GR__CONF_ENUM, AT(targets), 0, 0, target_kinds, "uniform", "random: how y is made; 'inputs': y is x",
     0},
    {"seed", GR__CONF_INT, AT(seed), 0, 1e18, NULL, "0", "random: of the numbers", 0},
    {"scale", GR__CONF_DOUBLE, AT(scale), 0, 0, NULL, "1",
     "x is multiplied by it (images: 0.00392156862745098 is 1/255)", 0},
    {"positive", GR__CONF_INT, AT(positive), -1, 255, NULL, "-1", "IDX: this label against the rest (y is 0 or 1)", 0},
    {"valid", GR__CONF_DOUBLE, AT(valid), 0, 0.9, NULL, "0",
     "share of the last rows for validation, without test_source", 0},
    {"classes", GR__CONF_INT, AT(classes), 0, 65536, NULL, "0", "IDX: number of labels; y is one-hot", 0},
};
const size_t gr__n_matrix_rows = GR__COUNT(gr__matrix_rows);

static gr_status make(gr__matrix *m, int64_t rows, int64_t inputs, int64_t outputs)
{
    size_t nx, ny;
    *m = (gr__matrix){.rows = rows, .inputs = inputs, .outputs = outputs};
    if (!gr__mul_size((size_t)rows, (size_t)inputs, &nx) || !gr__mul_size((size_t)rows, (size_t)outputs, &ny) ||
        !(m->x = gr__calloc(nx ? nx : 1, sizeof *m->x)) || !(m->y = gr__calloc(ny ? ny : 1, sizeof *m->y)))
        return gr__fail_memory("the data", (size_t)rows * (size_t)(inputs + outputs) * sizeof(float));
    return GR_OK;
}

void gr__matrix_release(gr__matrix *m)
{
    gr__free(m->x);
    gr__free(m->y);
    *m = (gr__matrix){0};
}

static gr_status random_rows(const gr__matrix_options *o, gr__matrix *m)
{
    int64_t outputs = o->targets == TARGETS_INPUTS ? o->inputs : o->outputs;
    GR_TRY(make(m, o->rows, o->inputs, outputs));
    gr__rng rx = gr__rng_make((uint64_t)o->seed, 0x78), ry = gr__rng_make((uint64_t)o->seed, 0x79);
    for (int64_t i = 0; i < m->rows * m->inputs; i++) m->x[i] = (float)((double)(gr__rng_u32(&rx) >> 8) * 0x1p-24);
    for (int64_t i = 0; i < m->rows * m->outputs; i++)
        m->y[i] = o->targets == TARGETS_INPUTS   ? m->x[i]
                  : o->targets == TARGETS_NORMAL ? (float)gr__rng_normal(&ry)
                                                 : (float)((double)(gr__rng_u32(&ry) >> 8) * 0x1p-24);
    return GR_OK;
}

/* ---- CSV ---- */

static bool among(const gr__conf_strings *list, const char *name)
{
    for (size_t i = 0; i < list->n; i++)
        if (strcmp(list->item[i], name) == 0) return true;
    return false;
}

static gr_status fill_column(const gr__csv_table *t, size_t column, float *to, int64_t step, double most,
                             double *buffer)
{
    GR_TRY(gr__csv_table_doubles(t, column, buffer));
    for (size_t r = 0; r < t->rows; r++) {
        GR_FAIL_IF(!isfinite(buffer[r]), GR_ERR_DATA, "%s:%lld: column '%s' has no number here", t->path,
                   (long long)t->line[r], t->name[column]);
        if (fabs(buffer[r]) > most) return gr__csv_too_large(t->path, t->line[r], t->name[column], buffer[r], most);
        to[(int64_t)r * step] = (float)buffer[r];
    }
    return GR_OK;
}

static gr_status csv_columns(const gr__matrix_options *o, const gr__csv_table *t, gr__matrix *m, double *buffer)
{
    int64_t inputs = 0, at = 0;
    for (size_t i = 0; i < o->target.n + o->inputs_named.n + o->drop.n; i++) { /* every name must exist */
        size_t column;
        const char *name = i < o->target.n                       ? o->target.item[i]
                           : i < o->target.n + o->inputs_named.n ? o->inputs_named.item[i - o->target.n]
                                                                 : o->drop.item[i - o->target.n - o->inputs_named.n];
        GR_TRY(gr__csv_table_column(t, name, &column));
    }
    for (size_t c = 0; c < t->columns; c++) {
        bool input = !among(&o->target, t->name[c]) && !among(&o->drop, t->name[c]) &&
                     (o->inputs_named.n == 0 || among(&o->inputs_named, t->name[c]));
        inputs += input;
    }
    GR_FAIL_IF(inputs == 0, GR_ERR_DATA, "'%s' has no input column beside the target", t->path);
    GR_TRY(make(m, (int64_t)t->rows, inputs, (int64_t)o->target.n));
    for (size_t c = 0; c < t->columns; c++) {
        if (among(&o->target, t->name[c]) || among(&o->drop, t->name[c]) ||
            (o->inputs_named.n && !among(&o->inputs_named, t->name[c])))
            continue;
        GR_TRY(fill_column(t, c, m->x + at++, inputs, GR__CSV_MOST_SCALED, buffer));
    }
    for (size_t i = 0; i < o->target.n; i++) {
        size_t column;
        GR_TRY(gr__csv_table_column(t, o->target.item[i], &column));
        GR_TRY(fill_column(t, column, m->y + i, m->outputs, GR__CSV_MOST_PLAIN, buffer));
    }
    return GR_OK;
}

static gr_status csv_rows(const gr__matrix_options *o, const gr__conf *section, const char *path, gr__matrix *m)
{
    gr__csv_table t;
    if (o->target.n == 0)
        return gr__conf_fail(section, "data.target is missing: name the column of '%s' that is to be predicted", path);
    GR_TRY(gr__csv_read(path, &(gr__csv_options){.named = o->target.item[0]}, &t));
    gr_status status = GR_OK;
    double *buffer = gr__alloc((t.rows + 1) * sizeof *buffer);
    if (!buffer)
        status = gr__fail_memory("a column", t.rows * sizeof *buffer);
    else if (t.rows == 0)
        status = gr__fail(GR_ERR_DATA, "'%s' has no rows", path);
    else
        status = csv_columns(o, &t, m, buffer);
    gr__free(buffer);
    gr__csv_table_release(&t);
    return status;
}

/* ---- IDX ---- */

static gr_status label_of(const gr__matrix_options *o, const char *path, const gr_tensor *labels, int64_t r, float *y,
                          int64_t outputs)
{
    int64_t label = (int64_t)gr_tensor_get(labels, r);
    if (o->positive >= 0) {
        y[r] = label == o->positive ? 1.0f : 0.0f;
        return GR_OK;
    }
    GR_FAIL_IF(label < 0 || label >= outputs, GR_ERR_DATA,
               "'%s': label %lld of row %lld is not below data.classes = %lld", path, (long long)label, (long long)r,
               (long long)outputs);
    y[r * outputs + label] = 1;
    return GR_OK;
}

static gr_status idx_rows(const gr__matrix_options *o, const gr__conf *section, const char *path,
                          const char *label_path, gr__matrix *m)
{
    gr_tensor images = {0}, labels = {0};
    gr_status status = GR_OK;
    if (!label_path)
        return gr__conf_fail(
            section,
            "'%s' is read as an IDX file, which needs its labels (data.labels); the other files that are read "
            "are .csv and .tsv",
            path);
    if (o->positive < 0 && o->classes <= 0)
        return gr__conf_fail(section, "give data.positive (one label against the rest) or data.classes");
    GR_TRY_DONE(gr__idx_read(path, &images));
    GR_TRY_DONE(gr__idx_read(label_path, &labels));
    if (images.rank < 2 || labels.rank != 1 || images.dim[0] != labels.dim[0])
        GR_TRY_DONE(gr__fail(GR_ERR_DATA, "'%s' has %lld images but '%s' has %lld labels", path,
                             (long long)(images.rank ? images.dim[0] : 0), label_path,
                             (long long)(labels.rank ? labels.dim[0] : 0)));
    GR_TRY_DONE(make(m, images.dim[0], gr_tensor_count(&images) / GR__MAX(images.dim[0], 1),
                     o->positive >= 0 ? 1 : o->classes));
    for (int64_t i = 0, n = gr_tensor_count(&images); i < n; i++) m->x[i] = (float)gr_tensor_get(&images, i);
    for (int64_t r = 0; r < m->rows; r++) GR_TRY_DONE(label_of(o, label_path, &labels, r, m->y, m->outputs));
done:
    gr__free(images.data);
    gr__free(labels.data);
    return status;
}

static bool is_csv(const char *path) { return gr__str_ends_packed(path, ".csv") || gr__str_ends_packed(path, ".tsv"); }

gr_status gr__matrix_load(const gr__matrix_options *o, const gr__conf *section, bool test, gr__matrix *out)
{
    const char *path = test ? o->test_source : o->source;
    GR_FAIL_IF(!path, GR_ERR_NOT_FOUND, "no test data are named (data.test_source)");
    *out = (gr__matrix){0};
    gr_status s = strcmp(path, "random") == 0 ? random_rows(o, out)
                  : is_csv(path)              ? csv_rows(o, section, path, out)
                                              : idx_rows(o, section, path, test ? o->test_labels : o->labels, out);
    if (s != GR_OK) {
        gr__matrix_release(out);
        return s;
    }
    for (int64_t i = 0; o->scale != 1 && i < out->rows * out->inputs; i++) out->x[i] *= (float)o->scale;
    return GR_OK;
}
