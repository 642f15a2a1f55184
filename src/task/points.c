#include "task/points.h"

#include "base/file.h"
#include "base/parallel.h"

#include <string.h>

enum { MOST_EDGE = 1 << 14 };

typedef struct picture_options {
    const char *source, *labels, *test_source, *test_labels;
    gr__conf_ints size;
    int64_t channels;
    bool skip_bad, hundred;
    gr__split_options split;
} picture_options;

#define AT(field) offsetof(picture_options, field)
const gr__conf_row gr__point_rows[] = {
    {"source", GR__CONF_STRING, AT(source), 0, 0, NULL, NULL,
     "a folder of class folders, the same as .tar(.gz), IDX pictures, CIFAR's .bin(.gz); else a CSV file",
     GR__CONF_MAIN | GR__CONF_REQUIRED},
    {"labels", GR__CONF_STRING, AT(labels), 0, 0, NULL, NULL, "IDX: the file of labels; they are only compared with",
     0},
    {"test_source", GR__CONF_STRING, AT(test_source), 0, 0, NULL, NULL,
     "the same for validation; default: a part of 'source'", 0},
    {"test_labels", GR__CONF_STRING, AT(test_labels), 0, 0, NULL, NULL, "IDX: labels of test_source", 0},
    GR__SPLIT_ROWS(AT(split)),
    {"size", GR__CONF_INT_LIST, AT(size), 1, MOST_EDGE, NULL, NULL,
     "edge, or height and width, to which pictures are resized; default: of the first one", 0},
    {"channels", GR__CONF_INT, AT(channels), 0, 3, NULL, "0", "1 gray, 3 colours; 0: as the first picture", 0},
    {"skip_bad", GR__CONF_BOOL, AT(skip_bad), 0, 0, NULL, "false", "leave pictures out that cannot be read", 0},
    {"hundred", GR__CONF_BOOL, AT(hundred), 0, 0, NULL, "false", ".bin: it is CIFAR-100", 0},
};
const size_t gr__n_point_rows = GR__COUNT(gr__point_rows);

/* ---- pictures ---- */

static gr_status open_sets(const picture_options *o, gr__arena *arena, gr__point_data *d)
{
    gr__image_set_options so = {.labels = o->labels, .hundred = o->hundred, .skip_bad = o->skip_bad};
    const char *path[] = {o->source, o->labels, o->test_source, o->test_labels};
    for (size_t i = 0; i < GR__COUNT(path); i++)
        GR_FAIL_IF(path[i] && !gr__file_exists(path[i]), GR_ERR_NOT_FOUND, "'%s' does not exist", path[i]);
    GR_TRY(gr__image_set_open(o->source, &so, &d->set[0]));
    so.labels = o->test_labels;
    if (o->test_source) GR_TRY(gr__image_set_open(o->test_source, &so, &d->set[1]));
    d->shape = (gr__picture_shape){.height = o->size.n ? o->size.item[0] : 0,
                                   .width = o->size.n ? o->size.item[o->size.n - 1] : 0,
                                   .channels = o->channels};
    GR_TRY(gr__pictures_find_shape(d->set[0], o->skip_bad, MOST_EDGE, &d->shape));
    return gr__image_set_labels(d->set[0], arena, &d->classes);
}

/* Both parts keep the order of their set. */
static gr_status cut(const picture_options *o, uint64_t seed, gr__point_data *d)
{
    int64_t n = gr__image_set_count(d->set[0]), train;
    GR_TRY(gr__pictures_new(&d->pictures[0], d->set[0]));
    GR_TRY(gr__pictures_new(&d->pictures[1], d->set[1] ? d->set[1] : d->set[0]));
    for (int s = 0; s < 2 && d->set[1]; s++)
        for (int64_t i = 0; i < gr__image_set_count(d->set[s]); i++)
            d->pictures[s].index[d->pictures[s].n++] = (int32_t)i;
    if (d->set[1]) return GR_OK;
    int64_t *row = gr__calloc((size_t)n + 1, sizeof *row);
    int32_t *label = gr__calloc((size_t)n + 1, sizeof *label);
    gr_status status = row && label ? GR_OK : gr__fail_memory("a list of pictures", (size_t)n * sizeof *row);
    for (int64_t i = 0; i < n && status == GR_OK; i++) row[i] = i, label[i] = gr__image_set_sample(d->set[0], i)->label;
    if (status == GR_OK)
        status = gr__split_rows(&o->split, seed, label, GR__MAX((int64_t)d->classes.n, 1), row, n, &train);
    for (int64_t i = 0; i < n && status == GR_OK; i++) {
        gr__pictures *p = &d->pictures[i >= train];
        p->index[p->n++] = (int32_t)row[i];
    }
    gr__free(row);
    gr__free(label);
    return status;
}

typedef struct pouring {
    const gr__pictures *p;
    float *to;
} pouring;

static void pour(void *context, int64_t i, int thread)
{
    static const float zeros[4] = {0}, ones[4] = {1, 1, 1, 1};
    (void)thread;
    const pouring *c = context;
    gr__pictures_put(c->p, i, NULL, 0, 0, zeros, ones, NULL, c->to + i * gr__pictures_each(c->p));
}

static gr_status read_part(const picture_options *o, gr__point_data *d, int part)
{
    gr__pictures *p = &d->pictures[part];
    gr__picture_sums sums = {0};
    p->shape = d->shape;
    GR_TRY(gr__pictures_read(p, true, o->skip_bad, &sums));
    int64_t each = gr__pictures_each(p);
    size_t bytes = 0;
    bool fits = gr__mul_size((size_t)p->n + 1, (size_t)each * sizeof(float), &bytes);
    d->pixels[part] = fits ? gr__alloc(bytes) : NULL;
    d->labels[part] = gr__calloc((size_t)p->n + 1, sizeof *d->labels[part]);
    if (!d->pixels[part] || !d->labels[part]) return gr__fail_memory("pictures", bytes);
    gr__parallel(p->n, pour, &(pouring){p, d->pixels[part]});
    for (int64_t i = 0; i < p->n; i++) d->labels[part][i] = gr__image_set_sample(p->set, p->index[i])->label;
    d->part[part] = (gr__point_part){.points = {d->pixels[part], p->n, each}, .class = d->labels[part]};
    gr__free(p->pixels);
    p->pixels = NULL;
    return GR_OK;
}

static gr_status open_pictures(const gr__task_in *in, const gr__conf *section, gr__arena *arena, gr__point_data *d)
{
    picture_options o = {0};
    GR_TRY(gr__conf_read(section, "data", gr__point_rows, gr__n_point_rows, &o, arena));
    GR_TRY(gr__split_check(&o.split, section, o.test_source ? "test_source" : NULL));
    if (o.size.n > 2)
        return gr__conf_fail(gr__conf_get(section, "size"), "'data.size' is an edge, or height and width");
    if (o.channels == 2) return gr__conf_fail(gr__conf_get(section, "channels"), "'data.channels' is 1 or 3");
    GR_TRY(open_sets(&o, arena, d));
    GR_TRY(cut(&o, in->seed, d));
    for (int i = 0; i < 2; i++) GR_TRY(read_part(&o, d, i));
    GR_TRY(gr__pictures_leak(d->pictures, arena, &d->report));
    for (int i = 0; i < 2; i++)
        if (d->classes.n < 2) d->part[i].class = NULL;
    return GR_OK;
}

/* ---- tables ---- */

static gr_status open_table(const gr__task_in *in, const gr__conf *section, gr__arena *arena, gr__point_data *d)
{
    gr__table_options o = {0};
    GR_TRY(gr__conf_read(section, "data", gr__table_rows, gr__n_table_rows, &o, arena));
    o.untold = true;
    GR_TRY(gr__table_open(&o, section, in->seed, in->kept.columns, arena, &d->table));
    if (gr__columns_classes(&d->table.columns)) d->classes = d->table.columns.target.words;
    int64_t width = gr__columns_numbers(&d->table.columns);
    for (int i = 0; i < 2; i++) {
        const gr__table_part *p = &d->table.part[i];
        d->part[i] = (gr__point_part){
            .points = {p->numbers, p->n, width}, .class = d->classes.n ? p->class : NULL, .line = p->line};
    }
    d->report = d->table.report;
    return GR_OK;
}

/* ---- either ---- */

static bool holds_pictures(const gr__conf *section)
{
    static const char *const ends[] = {".tar", ".tar.gz", ".tgz",     ".bin", ".bin.gz",
                                       ".y4m", "ubyte",   "ubyte.gz", ".idx"};
    const gr__conf *node = section && section->kind == GR__CONF_MAP ? gr__conf_get(section, "source") : section;
    if (gr__conf_get(section, "labels")) return true;
    if (!node || !node->text) return false;
    for (size_t i = 0; i < GR__COUNT(ends); i++)
        if (gr__str_ends(node->text, ends[i])) return true;
    return gr__file_is_dir(node->text);
}

gr_status gr__point_data_open(const gr__task_in *in, gr__arena *arena, gr__point_data *out)
{
    const gr__conf *section = gr__conf_get(in->root, "data");
    return holds_pictures(section) ? open_pictures(in, section, arena, out) : open_table(in, section, arena, out);
}

void gr__point_data_close(gr__point_data *d)
{
    gr__table_close(&d->table);
    for (int i = 0; i < 2; i++) {
        gr__pictures_release(&d->pictures[i]);
        gr__image_set_close(&d->set[i]);
        gr__free(d->pixels[i]);
        gr__free(d->labels[i]);
    }
}
