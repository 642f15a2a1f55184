/* Pictures with boxes: Pascal VOC folders and COCO's JSON. */
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/str.h"
#include "data/image_set_int.h"
#include "data/media_folder.h"
#include "format/archive_name.h"
#include "text/utf8.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define ANNOTATION_BYTES ((size_t)16 << 20)

static char *join3(const char *a, const char *b, const char *c)
{
    char *ab = gr__path_join(a, b), *all = ab ? gr__path_join(ab, c) : NULL;
    gr__free(ab);
    return all;
}

/* ---- VOC ---- */

/* Whether an annotation that cannot be read, for whatever reason, is left out. */
static bool leaves_out(const gr__image_set_options *o, gr_status status, size_t *count)
{
    if (status == GR_OK || !o->skip_bad || status == GR_ERR_MEMORY) return false;
    gr__log(GR_LOG_WARNING, "left out: %s", gr_message());
    ++*count;
    return true;
}

static void tell_left_out(gr__image_set *set, size_t count)
{
    set->skipped += count;
    if (count)
        gr__log(GR_LOG_WARNING, "'%s': %zu annotation%s that cannot be read %s left out", set->path, count,
                count == 1 ? "" : "s", count == 1 ? "was" : "were");
}

/* JSON would show other bytes all alike. */
static gr_status check_name(const char *path, int line, const char *name)
{
    size_t at;
    GR_FAIL_IF(!gr__utf8_valid(name, strlen(name), &at), GR_ERR_DATA, "%s:%d: byte 0x%02x of a name is not UTF-8", path,
               line, (unsigned char)name[at]);
    return GR_OK;
}

static gr_status add_annotation(gr__image_set *set, const char *name)
{
    char *path = join3(set->path, "Annotations", name), *text = NULL;
    size_t n = 0;
    gr__annotation a = {0};
    gr_status status = path ? gr__file_read(path, ANNOTATION_BYTES, &text, &n) : gr__fail_memory("a file name", 0);
    if (status == GR_OK) status = gr__voc_parse(text, n, path, &set->arena, &a);
    if (status == GR_OK && (!a.file || !gr__path_is_base(a.file)))
        status = gr__fail(GR_ERR_DATA, "'%s' does not name its picture, or not by a plain file name", path);
    if (status == GR_OK) status = check_name(path, 1, a.file);
    for (size_t i = 0; status == GR_OK && i < a.count; i++)
        status = check_name(path, a.box[i].line, a.box[i].class_name);
    const char *notes = path ? gr__arena_strdup(&set->arena, path) : NULL;
    if (status == GR_OK && !notes) status = gr__fail_memory("a file name", strlen(name));
    gr__free(text);
    gr__free(path);
    GR_TRY(status);
    for (size_t i = 0; i < a.count; i++)
        GR_TRY(gr__image_set_label(set, a.box[i].class_name, strlen(a.box[i].class_name), &a.box[i].class_index));
    for (size_t i = 0; i < a.without_area; i++) {
        a.empty[i].class_index = -1; /* it has a name, and makes no class */
        GR_TRY(gr__image_set_add_empty(set, &a.empty[i], notes));
    }
    gr__image_sample s = {
        .label = -1, .box = a.box, .n_boxes = a.count, .notes = notes, .width = a.width, .height = a.height};
    return gr__image_set_add(set, a.file, s);
}

/* A line for each picture: its name without ending. */
static gr_status add_split(gr__image_set *set, const gr__image_set_options *o)
{
    const char *split = o->split;
    char file[256], *path, *text, *line, *save = NULL;
    size_t n, left_out = 0;
    GR_FAIL_IF(!gr__path_is_base(split) || strlen(split) > 200, GR_ERR_ARGUMENT, "'%s' is not the name of a split",
               split);
    snprintf(file, sizeof file, "%s.txt", split);
    char *folder = join3(set->path, "ImageSets", "Main");
    path = folder ? gr__path_join(folder, file) : NULL;
    gr__free(folder);
    gr_status status =
        path ? gr__file_read(path, ANNOTATION_BYTES, &text, &n) : gr__fail_memory("a file name", strlen(set->path));
    gr__free(path);
    GR_TRY(status);
    for (line = strtok_r(text, "\r\n", &save); line && status == GR_OK; line = strtok_r(NULL, "\r\n", &save)) {
        line[strcspn(line, " \t")] = 0;
        if (!*line) continue;
        if (!gr__path_is_base(line) || strlen(line) > 200) {
            status = gr__fail(GR_ERR_DATA, "split '%s' names '%.40s', which is no plain name", split, line);
            break;
        }
        snprintf(file, sizeof file, "%s.xml", line);
        status = add_annotation(set, file);
        if (leaves_out(o, status, &left_out)) status = GR_OK;
    }
    tell_left_out(set, left_out);
    gr__free(text);
    return status;
}

static size_t stem_of(const char *name) { return (size_t)(strrchr(name, '.') - name); }

/* Pictures that no annotation names are not seen in training: a forgotten file, or a wrong name in one. */
static gr_status warn_of_pictures(const gr__image_set *set, const gr__map *left_out)
{
    gr__map named = {0};
    char **names = NULL;
    const char *first = NULL;
    size_t n = 0, count = 0;
    gr_status status = GR_OK;
    if (!gr__file_is_dir(set->root)) return GR_OK;
    GR_TRY_DONE(gr__dir_list(set->root, false, &names, &n));
    for (size_t i = 0; i < set->count; i++) GR_TRY_DONE(gr__map_set_name(&named, set->sample[i].name, 0, NULL));
    for (size_t i = 0; i < n; i++) {
        if (!gr__image_is_named(names[i]) || gr__map_get_name(&named, names[i])) continue;
        if (gr__map_get(left_out, names[i], stem_of(names[i]))) continue; /* its annotation has been told */
        if (count++ == 0) first = names[i];
    }
    if (count)
        gr__log(GR_LOG_WARNING, "%zu picture%s of '%s' %s no annotation and %s left out, the first: '%s'", count,
                count == 1 ? "" : "s", set->root, count == 1 ? "has" : "have", count == 1 ? "is" : "are", first);
done:
    gr__names_free(names, n);
    gr__map_release(&named);
    return status;
}

static bool is_annotation(const char *name) { return gr__str_ends(name, ".xml"); }
static const gr__media_kind notes = {is_annotation, "annotations", ".xml"};

gr_status gr__image_set_open_voc(gr__image_set *set, const gr__image_set_options *o)
{
    set->root = gr__path_join(set->path, "JPEGImages");
    if (!set->root) return gr__fail_memory("a file name", strlen(set->path));
    if (o->split) {
        GR_TRY(add_split(set, o));
        return gr__image_set_sort_classes(set);
    }
    char *folder = gr__path_join(set->path, "Annotations"), **names = NULL;
    size_t n = 0, count = 0;
    gr__map left_out = {0};
    gr__media_odd odd = {0};
    gr_status status = folder ? gr__dir_list(folder, false, &names, &n) : gr__fail_memory("a file name", 0);
    gr__free(folder);
    for (size_t i = 0; i < n && status == GR_OK; i++) {
        if (notes.is_named(names[i])) {
            status = add_annotation(set, names[i]);
            if (leaves_out(o, status, &count)) status = gr__map_set(&left_out, names[i], stem_of(names[i]), 0, NULL);
        } else {
            set->skipped++;
            gr__media_count_odd(&odd, names[i]);
        }
    }
    gr__names_free(names, n);
    gr__media_tell_odd(set->path, &notes, &odd, "");
    tell_left_out(set, count);
    if (status == GR_OK) status = warn_of_pictures(set, &left_out);
    gr__map_release(&left_out);
    return status == GR_OK ? gr__image_set_sort_classes(set) : status;
}

/* ---- COCO ---- */

typedef struct coco {
    gr__image_set *set;
    const gr__image_set_options *o;
    gr__map image, category; /* id -> number */
} coco;

static gr_status bad(const coco *c, const char *part, size_t i, const char *what)
{
    return gr__fail(GR_ERR_DATA, "cannot load '%s': %s %zu %s", c->set->path, part, i, what);
}

static gr_status take_categories(coco *c, gr__json list)
{
    for (size_t i = 0; i < gr__json_count(list); i++) {
        gr__json v = gr__json_at(list, i);
        const char *name;
        size_t n;
        int64_t id;
        int32_t label;
        bool twice;
        if (!gr__json_int(gr__json_get(v, "id"), &id) || !gr__json_string(gr__json_get(v, "name"), &name, &n) || n == 0)
            return bad(c, "category", i, "needs an id and a name");
        if (gr__map_get(&c->set->classes, name, n)) return bad(c, "category", i, "has the name of another one");
        GR_TRY(gr__image_set_label(c->set, name, n, &label));
        GR_TRY(gr__map_set(&c->category, &id, sizeof id, label, &twice));
        if (twice) return bad(c, "category", i, "has the id of another one");
    }
    return GR_OK;
}

static gr_status take_images(coco *c, gr__json list)
{
    for (size_t i = 0; i < gr__json_count(list); i++) {
        gr__json v = gr__json_at(list, i);
        const char *name;
        size_t n;
        int64_t id, w = 0, h = 0;
        bool twice;
        if (!gr__json_int(gr__json_get(v, "id"), &id) || !gr__json_string(gr__json_get(v, "file_name"), &name, &n))
            return bad(c, "image", i, "needs an id and a file_name");
        GR_TRY(gr__archive_name_check(c->set->path, name, n));
        gr__json_int(gr__json_get(v, "width"), &w);
        gr__json_int(gr__json_get(v, "height"), &h);
        GR_TRY(gr__map_set(&c->image, &id, sizeof id, (int64_t)c->set->count, &twice));
        if (twice) return bad(c, "image", i, "has the id of another one");
        gr__image_sample s = {.label = -1, .notes = c->set->path, .width = GR__MAX(w, 0), .height = GR__MAX(h, 0)};
        GR_TRY(gr__image_set_add(c->set, name, s));
    }
    return GR_OK;
}

/* Where a box belongs, and the box itself; *sample = NULL when nothing lies in it. */
static gr_status take_box(coco *c, gr__json v, size_t i, gr__image_sample **sample, gr__box *box)
{
    int64_t image, category, crowd = 0;
    double edge[4];
    gr__json list = gr__json_get(v, "bbox");
    bool four = gr__json_kind_of(list) == GR__JSON_ARRAY && gr__json_count(list) == 4;
    for (size_t k = 0; k < 4 && four; k++)
        four = gr__json_double(gr__json_at(list, k), &edge[k]) && fabs(edge[k]) < 1e7;
    if (!four) return bad(c, "annotation", i, "needs a bbox of four numbers");
    if (!gr__json_int(gr__json_get(v, "image_id"), &image) || !gr__json_int(gr__json_get(v, "category_id"), &category))
        return bad(c, "annotation", i, "needs an image_id and a category_id");
    const int64_t *at = gr__map_get(&c->image, &image, sizeof image),
                  *label = gr__map_get(&c->category, &category, sizeof category);
    if (!at || !label) return bad(c, "annotation", i, "speaks of an image or a category that is not there");
    gr__json_int(gr__json_get(v, "iscrowd"), &crowd);
    *box = (gr__box){(float)edge[0],
                     (float)edge[1],
                     (float)(edge[0] + edge[2]),
                     (float)(edge[1] + edge[3]),
                     (int32_t)*label,
                     (int32_t)GR__MIN(i, (size_t)INT32_MAX),
                     crowd != 0,
                     crowd != 0,
                     NULL};
    *sample = box->x0 < box->x1 && box->y0 < box->y1 ? &c->set->sample[*at] : NULL;
    return GR_OK;
}

/* Twice through the list: count, then fill. */
static gr_status take_annotations(coco *c, gr__json list)
{
    gr__image_sample *s = NULL;
    gr__box box;
    size_t n = gr__json_count(list), left_out = 0;
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < n; i++) {
            gr_status status = take_box(c, gr__json_at(list, i), i, &s, &box);
            if (status != GR_OK) {
                if (!c->o->skip_bad || status != GR_ERR_DATA) return status;
                if (round) leaves_out(c->o, status, &left_out);
                continue;
            }
            if (!s) {
                if (round) GR_TRY(gr__image_set_add_empty(c->set, &box, c->set->path));
                continue;
            }
            if (round) ((gr__box *)(uintptr_t)s->box)[s->n_boxes] = box;
            s->n_boxes++;
        }
        for (size_t i = 0; i < c->set->count && round == 0; i++) {
            s = &c->set->sample[i];
            if (s->n_boxes && !(s->box = gr__arena_alloc(&c->set->arena, s->n_boxes * sizeof *s->box)))
                return gr__fail_memory("boxes", s->n_boxes * sizeof *s->box);
            s->n_boxes = 0;
        }
    }
    tell_left_out(c->set, left_out);
    return GR_OK;
}

static gr_status coco_root(gr__image_set *set, const char *pictures)
{
    const char *slash = strrchr(set->path, '/');
    set->root = pictures ? gr__strdup(pictures)
                : slash  ? gr__strndup(set->path, (size_t)(slash - set->path) + 1)
                         : gr__strdup(".");
    return set->root ? GR_OK : gr__fail_memory("a file name", strlen(set->path));
}

gr_status gr__image_set_open_coco(gr__image_set *set, const gr__image_set_options *o)
{
    gr__json_doc *doc;
    coco c = {.set = set, .o = o};
    GR_TRY(coco_root(set, o->pictures));
    GR_TRY(gr__json_read(set->path, GR__LIMIT_COCO_BYTES, &doc));
    gr__json root = gr__json_root(doc), images = gr__json_get(root, "images"),
             annotations = gr__json_get(root, "annotations"), categories = gr__json_get(root, "categories");
    gr_status status = GR_OK;
    if (gr__json_kind_of(images) != GR__JSON_ARRAY || gr__json_kind_of(annotations) != GR__JSON_ARRAY ||
        gr__json_kind_of(categories) != GR__JSON_ARRAY)
        status = gr__fail(GR_ERR_DATA, "cannot load '%s': it lacks one of images, annotations, categories", set->path);
    if (status == GR_OK) status = take_categories(&c, categories);
    if (status == GR_OK) status = take_images(&c, images);
    if (status == GR_OK) status = take_annotations(&c, annotations);
    if (status == GR_OK) status = gr__image_set_sort_classes(set);
    gr__map_release(&c.image);
    gr__map_release(&c.category);
    gr__json_free(&doc);
    return status;
}
