/* Pictures that are files: class folders, plain folders, tar archives. */
#include "base/limits.h"
#include "base/log.h"
#include "data/image_set_int.h"
#include "data/media_folder.h"
#include "format/tar.h"

#include <string.h>

static gr_status set_root(gr__image_set *set)
{
    set->root = gr__strdup(set->path);
    return set->root ? GR_OK : gr__fail_memory("a file name", strlen(set->path));
}

static const gr__media_kind pictures = {gr__image_is_named, "pictures", ".png .jpg .bmp .ppm .pgm .pbm"};

static gr_status label_of(gr__image_set *set, const char *name, const char *slash, int32_t *out)
{
    size_t n = (size_t)(slash - name);
    GR_TRY(gr__media_check_class(set->path, name, n));
    return gr__image_set_label(set, name, n, out);
}

/* The class is the first folder; pictures that lie in none belong to no class, and must then all be such. */
gr_status gr__image_set_open_folder(gr__image_set *set, const gr__image_set_options *o)
{
    char **names;
    size_t n, loose = 0;
    GR_TRY(set_root(set));
    GR_TRY(gr__media_list(set->path, &pictures, o->skip_bad, &names, &n, &set->skipped));
    gr_status status = GR_OK;
    for (size_t i = 0; i < n && status == GR_OK; i++) {
        const char *slash = strchr(names[i], '/');
        gr__image_sample s = {.label = -1};
        if (slash)
            status = label_of(set, names[i], slash, &s.label);
        else
            loose++;
        if (o->skip_bad && status == GR_ERR_DATA) {
            gr__log(GR_LOG_WARNING, "'%s/%s' is left out: %s", set->path, names[i], gr_message());
            set->skipped++;
            status = GR_OK;
            continue;
        }
        if (status == GR_OK) status = gr__image_set_add(set, names[i], s);
    }
    gr__names_free(names, n);
    GR_TRY(status);
    GR_FAIL_IF(loose && loose < set->count, GR_ERR_DATA,
               "'%s' has %zu pictures beside its class folders; move them into one", set->path, loose);
    return gr__image_set_sort_classes(set);
}

/* ---- tar ---- */

/* How many bytes of folders all names share ("train/" of "train/cat/1.jpg"), the last folder left alone. */
static size_t shared_folders(const gr__image_set *set)
{
    const char *first = set->sample[0].name;
    size_t n = strlen(first);
    for (size_t i = 0; i < set->count; i++) {
        const char *name = set->sample[i].name, *file = strrchr(name, '/'), *folder = file;
        while (folder && folder > name && folder[-1] != '/') folder--;
        size_t most = folder ? (size_t)(folder - name) : 0, k = 0;
        if (!file) return 0;
        while (k < n && k < most && first[k] == name[k]) k++;
        n = k;
    }
    while (n > 0 && first[n - 1] != '/') n--;
    return n;
}

/* Bytes of a plain tar are used where they lie, those of a packed one are kept. */
static gr_status keep(gr__image_set *set, gr__tar *tar, const gr__tar_entry *e, gr__image_sample *s)
{
    char *data;
    size_t n;
    s->place = e->offset;
    s->bytes = e->size_bytes;
    if (set->map.base) return GR_OK;
    GR_TRY(gr__tar_read_all(tar, GR__LIMIT_IMAGE_BYTES, &data, &n));
    gr_status status = GR_OK;
    if (n > GR__LIMIT_IMAGE_SET_BYTES - set->block_n)
        status = gr__fail(GR_ERR_LIMIT, "cannot load '%s': it holds more than %d bytes of pictures; unpack it",
                          set->path, GR__LIMIT_IMAGE_SET_BYTES);
    if (status == GR_OK) status = gr__grow(&set->block, 1, set->block_n + n + 1, &set->block_capacity);
    if (status == GR_OK) {
        memcpy(set->block + set->block_n, data, n);
        s->place = set->block_n;
        set->block_n += n;
    }
    gr__free(data);
    return status;
}

static gr_status read_entries(gr__image_set *set, const gr__image_set_options *o, gr__tar *tar)
{
    gr__tar_entry e;
    gr__media_odd odd = {0};
    size_t refused = 0;
    bool more;
    for (;;) {
        gr_status read = gr__tar_next(tar, &e, &more);
        if (read != GR_OK && o->skip_bad && gr__tar_goes_on(tar)) {
            gr__log(GR_LOG_WARNING, "left out: %s", gr_message());
            set->skipped++;
            refused++;
            continue;
        }
        GR_TRY(read);
        if (!more) break;
        if (e.is_folder) continue;
        bool hidden = gr__media_is_hidden(e.name);
        if (!gr__image_is_named(e.name) || hidden) {
            set->skipped++;
            if (!hidden) gr__media_count_odd(&odd, e.name);
            continue;
        }
        gr__image_sample s = {.label = -1};
        char *name = gr__strdup(e.name); /* the entry's own goes with the next call */
        if (!name) return gr__fail_memory("a name", 0);
        gr_status status = keep(set, tar, &e, &s);
        if (status == GR_OK) status = gr__image_set_add(set, name, s);
        gr__free(name);
        GR_TRY(status);
    }
    gr__media_tell_odd(set->path, &pictures, &odd, "");
    if (refused)
        gr__log(GR_LOG_WARNING, "'%s': %zu entr%s left out", set->path, refused, refused == 1 ? "y was" : "ies were");
    return GR_OK;
}

gr_status gr__image_set_open_tar(gr__image_set *set, const gr__image_set_options *o)
{
    gr__tar *tar;
    GR_TRY(gr__file_map(set->path, &set->map));
    if (set->map.n >= 2 && set->map.data[0] == 0x1f && set->map.data[1] == 0x8b) gr__file_unmap(&set->map);
    GR_TRY(gr__tar_open(set->path, &tar));
    gr_status status = read_entries(set, o, tar);
    gr__tar_close(&tar);
    GR_TRY(status);
    if (set->count == 0) return GR_OK;
    size_t shared = shared_folders(set), loose = 0;
    for (size_t i = 0; i < set->count; i++) {
        const char *name = set->sample[i].name + shared, *slash = strchr(name, '/');
        if (slash)
            GR_TRY(label_of(set, name, slash, &set->sample[i].label));
        else
            loose++;
    }
    GR_FAIL_IF(loose && loose < set->count, GR_ERR_DATA, "'%s' has %zu pictures beside its class folders", set->path,
               loose);
    return gr__image_set_sort_classes(set);
}
