/* The set itself: opening by what the path is, classes, decoding. What each container says is in its own file. */
#include "data/image_set_int.h"

#include "base/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- while the list is made ---- */

gr_status gr__image_set_add(gr__image_set *set, const char *name, gr__image_sample sample)
{
    GR_FAIL_IF(set->count >= INT32_MAX, GR_ERR_LIMIT, "cannot load '%s': it has too many samples", set->path);
    GR_TRY(gr__grow(&set->sample, sizeof *set->sample, set->count + 1, &set->capacity));
    if (!(sample.name = gr__arena_strdup(&set->arena, name))) return gr__fail_memory("a name", strlen(name));
    set->sample[set->count++] = sample;
    return GR_OK;
}

gr_status gr__image_set_add_empty(gr__image_set *set, const gr__box *box, const char *notes)
{
    GR_TRY(gr__grow(&set->empty, sizeof *set->empty, set->empty_boxes + 1, &set->empty_capacity));
    set->empty[set->empty_boxes++] = (gr__empty_box){*box, notes};
    return GR_OK;
}

gr_status gr__image_set_label(gr__image_set *set, const char *name, size_t n, int32_t *out)
{
    int64_t *known = gr__map_get(&set->classes, name, n);
    *out = (int32_t)(known ? *known : (int64_t)set->classes.count);
    GR_FAIL_IF(!known && set->classes.count >= GR__LIMIT_CLASSES, GR_ERR_LIMIT,
               "cannot load '%s': it has more than %d classes", set->path, GR__LIMIT_CLASSES);
    return known ? GR_OK : gr__map_set(&set->classes, name, n, *out, NULL);
}

static int by_name(const void *a, const void *b)
{
    const gr__map_entry *x = *(gr__map_entry *const *)a, *y = *(gr__map_entry *const *)b;
    return strcmp(x->key, y->key);
}

static void renumber_box(const gr__image_set *set, gr__box *box, const int32_t *fresh)
{
    box->class_index = fresh[box->class_index];
    box->class_name = set->class_name[box->class_index];
}

/* Class i is fresh[i] of set->class_name now. */
static void renumber(gr__image_set *set, const int32_t *fresh)
{
    for (size_t i = 0; i < set->count; i++) {
        gr__image_sample *s = &set->sample[i];
        if (s->label >= 0) s->label = fresh[s->label];
        gr__box *box = (gr__box *)(uintptr_t)s->box; /* ours until the set is open */
        for (size_t k = 0; k < s->n_boxes; k++) renumber_box(set, &box[k], fresh);
    }
    for (size_t i = 0; i < set->empty_boxes; i++)
        if (set->empty[i].box.class_index >= 0) renumber_box(set, &set->empty[i].box, fresh);
}

gr_status gr__image_set_sort_classes(gr__image_set *set)
{
    size_t n = set->classes.count;
    if (n == 0) return GR_OK;
    const gr__map_entry **order = gr__calloc(n, sizeof(*order));
    int32_t *fresh = gr__calloc(n, sizeof *fresh);
    set->class_name = gr__arena_alloc(&set->arena, n * sizeof(*set->class_name));
    gr_status status =
        order && fresh && set->class_name ? GR_OK : gr__fail_memory("class names", n * sizeof(*set->class_name));
    for (size_t i = 0; i < n && status == GR_OK; i++) order[i] = &set->classes.entry[i];
    if (status == GR_OK) qsort(order, n, sizeof(*order), by_name);
    for (size_t i = 0; i < n && status == GR_OK; i++) {
        fresh[order[i]->value] = (int32_t)i;
        if (!(set->class_name[i] = gr__arena_strdup(&set->arena, order[i]->key))) status = gr__fail_memory("a name", 0);
    }
    if (status == GR_OK) renumber(set, fresh);
    set->n_classes = n;
    gr__free(order);
    gr__free(fresh);
    return status;
}

gr_status gr__image_set_name_classes(gr__image_set *set, const char *const *names, size_t n)
{
    set->class_name = gr__arena_alloc(&set->arena, n * sizeof(*set->class_name));
    if (!set->class_name) return gr__fail_memory("class names", n * sizeof(*set->class_name));
    for (size_t i = 0; i < n; i++) {
        set->class_name[i] = names ? names[i] : gr__arena_printf(&set->arena, "%zu", i);
        if (!set->class_name[i]) return gr__fail_memory("a name", 8);
    }
    set->n_classes = n;
    return GR_OK;
}

/* Its classes as another set numbers them; it need not have all of those. */
static gr_status take_classes(gr__image_set *set, const gr__image_set *like)
{
    const char **old = set->class_name;
    size_t n = set->n_classes;
    int32_t *fresh = gr__calloc(n + 1, sizeof *fresh);
    gr_status status = fresh ? GR_OK : gr__fail_memory("class names", n * sizeof *fresh);
    for (size_t i = 0; i < n && status == GR_OK; i++) {
        size_t k = 0;
        while (k < like->n_classes && strcmp(old[i], like->class_name[k]) != 0) k++;
        fresh[i] = (int32_t)k;
        if (k == like->n_classes)
            status =
                gr__fail(GR_ERR_DATA, "'%s' has the class '%.100s', which '%s' has not", set->path, old[i], like->path);
    }
    if (status == GR_OK) status = gr__image_set_name_classes(set, like->class_name, like->n_classes);
    if (status == GR_OK) renumber(set, fresh);
    gr__free(fresh);
    return status;
}

/* ---- opening ---- */

static gr_status open_kind(gr__image_set *set, const gr__image_set_options *o)
{
    const char *path = set->path;
    if (gr__file_is_dir(path)) {
        char *annotations = gr__path_join(path, "Annotations");
        if (!annotations) return gr__fail_memory("a file name", strlen(path));
        bool voc = gr__file_is_dir(annotations);
        gr__free(annotations);
        return voc ? gr__image_set_open_voc(set, o) : gr__image_set_open_folder(set, o);
    }
    if (gr__str_ends(path, ".json")) return gr__image_set_open_coco(set, o);
    if (gr__str_ends(path, ".tar") || gr__str_ends(path, ".tar.gz") || gr__str_ends(path, ".tgz"))
        return gr__image_set_open_tar(set, o);
    if (gr__str_ends(path, ".bin") || gr__str_ends(path, ".bin.gz")) return gr__image_set_open_cifar(set, o);
    if (gr__str_ends(path, ".y4m")) return gr__image_set_open_video(set);
    return gr__image_set_open_idx(set, o);
}

gr_status gr__image_set_open(const char *path, const gr__image_set_options *options, gr__image_set **out)
{
    static const gr__image_set_options none = {0};
    gr__image_set *set = gr__calloc(1, sizeof *set);
    if (!set) return gr__fail_memory("a set of images", sizeof *set);
    set->map.data = (const unsigned char *)"";
    set->path = gr__strdup(path);
    gr_status status = set->path ? open_kind(set, options ? options : &none) : gr__fail_memory("a file name", 0);
    if (status == GR_OK && set->count == 0)
        status = gr__fail(GR_ERR_DATA, "'%s' holds no pictures (.png .jpg .bmp .ppm ... in folders by class)", path);
    if (status == GR_OK && options && options->like) status = take_classes(set, options->like);
    gr__map_release(&set->classes);
    if (status != GR_OK)
        gr__image_set_close(&set);
    else
        *out = set;
    return status;
}

void gr__image_set_close(gr__image_set **s)
{
    gr__image_set *set = *s;
    if (!set) return;
    gr__y4m_release(&set->video);
    gr__file_unmap(&set->map);
    gr__arena_release(&set->arena);
    gr__map_release(&set->classes);
    gr__free(set->sample);
    gr__free(set->empty);
    gr__free(set->block);
    gr__free(set->root);
    gr__free(set->path);
    gr__free(set);
    *s = NULL;
}

const char *gr__image_set_path(const gr__image_set *set) { return set->path; }

int64_t gr__image_set_count(const gr__image_set *set) { return (int64_t)set->count; }

size_t gr__image_set_classes(const gr__image_set *set) { return set->n_classes; }

const char *gr__image_set_class(const gr__image_set *set, size_t i) { return set->class_name[i]; }

gr_status gr__image_set_labels(const gr__image_set *set, gr__arena *arena, gr__conf_strings *out)
{
    size_t n = set->n_classes;
    *out = (gr__conf_strings){.item = gr__arena_alloc(arena, (n + 1) * sizeof *out->item), .n = n};
    if (!out->item) return gr__fail_memory("labels", n * sizeof *out->item);
    for (size_t k = 0; k < n; k++) out->item[k] = set->class_name[k];
    return GR_OK;
}

const gr__image_sample *gr__image_set_sample(const gr__image_set *set, int64_t i) { return &set->sample[i]; }

size_t gr__image_set_empty_boxes(const gr__image_set *set) { return set->empty_boxes; }

const gr__box *gr__image_set_empty_box(const gr__image_set *set, size_t i, const char **notes)
{
    *notes = set->empty[i].notes;
    return &set->empty[i].box;
}

size_t gr__image_set_skipped(const gr__image_set *set) { return set->skipped; }

/* ---- decoding ---- */

/* Plain pixels as a picture: a PNM file in memory would be the same, so it takes the same way to what was asked for. */
static gr_status from_raw(const gr__image_set *set, const gr__image_sample *s, const gr__image_options *o,
                          gr__image *out)
{
    char head[64];
    size_t plane = (size_t)(set->raw[0] * set->raw[1]), c = (size_t)set->raw[2];
    int n = snprintf(head, sizeof head, "P%c %lld %lld 255\n", c == 3 ? '6' : '5', (long long)set->raw[1],
                     (long long)set->raw[0]);
    unsigned char *file = gr__alloc((size_t)n + plane * c);
    if (!file) return gr__fail_memory("the pixels of an image", plane * c);
    memcpy(file, head, (size_t)n);
    const unsigned char *from = (unsigned char *)set->block + s->place;
    for (size_t i = 0; i < plane; i++)
        for (size_t k = 0; k < c; k++) file[(size_t)n + i * c + k] = from[set->planes ? k * plane + i : i * c + k];
    gr_status status = gr__image_decode(file, (size_t)n + plane * c, s->name, o, out);
    gr__free(file);
    return status;
}

static gr_status from_video(const gr__image_set *set, int64_t i, const gr__image_options *o, gr__image *out)
{
    gr__image frame;
    gr__str file = {0}; /* PNM again */
    bool as_it_is = !o || (!o->deep && (o->channels == 0 || o->channels == (set->video.chroma_width ? 3 : 1)));
    if (as_it_is) return gr__y4m_frame(&set->video, i, out);
    GR_TRY(gr__y4m_frame(&set->video, i, &frame));
    gr__str_printf(&file, "P%c %lld %lld 255\n", frame.channels == 3 ? '6' : '5', (long long)frame.width,
                   (long long)frame.height);
    gr__str_add_n(&file, frame.pixels, (size_t)(frame.width * frame.height * frame.channels));
    gr__image_release(&frame);
    gr_status status = gr__str_check(&file);
    if (status == GR_OK) status = gr__image_decode((unsigned char *)file.text, file.n, set->sample[i].name, o, out);
    gr__str_release(&file);
    return status;
}

gr_status gr__image_set_decode(const gr__image_set *set, int64_t i, const gr__image_options *options, gr__image *out)
{
    GR_FAIL_IF(i < 0 || (size_t)i >= set->count, GR_ERR_ARGUMENT, "'%s' has no sample %lld", set->path, (long long)i);
    const gr__image_sample *s = &set->sample[i];
    if (set->is_video) return from_video(set, i, options, out);
    if (set->raw[0]) return from_raw(set, s, options, out);
    if (!set->root) {
        const unsigned char *bytes = set->block ? (unsigned char *)set->block : set->map.data;
        gr_status status = gr__image_decode(bytes + s->place, (size_t)s->bytes, s->name, options, out);
        return status == GR_OK ? GR_OK : gr__fail_prefix(status, "'%s'", set->path);
    }
    char *path = gr__path_join(set->root, s->name);
    if (!path) return gr__fail_memory("a file name", strlen(s->name));
    gr_status status = gr__image_read(path, options, out);
    gr__free(path);
    return status;
}
