/* Pictures that are plain pixels one after the other: IDX, CIFAR, video. */
#include "base/limits.h"
#include "data/image_set_int.h"
#include "format/idx.h"

#include <stdio.h>
#include <string.h>

static gr_status add_raw(gr__image_set *set, int64_t i, int64_t label, uint64_t place)
{
    char name[32];
    snprintf(name, sizeof name, "image %lld", (long long)i);
    gr__image_sample s = {.label = (int32_t)label,
                          .width = set->raw[1],
                          .height = set->raw[0],
                          .place = place,
                          .bytes = (uint64_t)(set->raw[0] * set->raw[1] * set->raw[2])};
    return gr__image_set_add(set, name, s);
}

/* ---- IDX ---- */

static gr_status fill_idx(gr__image_set *set, const gr_tensor *x, const gr_tensor *y, const char *labels)
{
    int64_t most = 0;
    GR_FAIL_IF(x->dtype != GR_U8 || (x->rank != 3 && !(x->rank == 4 && (x->dim[3] == 1 || x->dim[3] == 3))),
               GR_ERR_DATA, "'%s' does not hold pictures: bytes of (n, height, width) are expected", set->path);
    GR_FAIL_IF(y->rank != 1 || y->dtype != GR_U8 || y->dim[0] != x->dim[0], GR_ERR_DATA,
               "'%s' has %lld pictures and '%s' %lld labels", set->path, (long long)x->dim[0], labels,
               (long long)(y->rank == 1 ? y->dim[0] : 0));
    GR_FAIL_IF(x->dim[1] == 0 || x->dim[2] == 0, GR_ERR_DATA, "'%s' has pictures without pixels", set->path);
    for (int d = 0; d < 3; d++) set->raw[d] = x->rank == 4 || d < 2 ? x->dim[d + 1] : 1;
    int64_t each = set->raw[0] * set->raw[1] * set->raw[2];
    for (int64_t i = 0; i < x->dim[0]; i++) {
        int label = ((const uint8_t *)y->data)[i];
        most = GR__MAX(most, label);
        GR_TRY(add_raw(set, i, label, (uint64_t)(i * each)));
    }
    return gr__image_set_name_classes(set, NULL, (size_t)most + 1);
}

gr_status gr__image_set_open_idx(gr__image_set *set, const gr__image_set_options *o)
{
    gr_tensor x, y;
    GR_FAIL_IF(!o->labels, GR_ERR_ARGUMENT,
               "'%s': an IDX file of pictures needs its file of labels; name it with data.labels", set->path);
    GR_TRY(gr__idx_read(set->path, &x));
    set->block = x.data;
    GR_TRY(gr__idx_read(o->labels, &y));
    gr_status status = fill_idx(set, &x, &y, o->labels);
    gr__free(y.data);
    return status;
}

/* ---- CIFAR ---- */

#define PLANE (32 * 32)

static gr_status read_block(gr__image_set *set)
{
    gr__stream *s;
    size_t got = 0;
    GR_TRY(gr__stream_open(set->path, &s));
    gr_status status = GR_OK;
    do {
        status = gr__grow(&set->block, 1, set->block_n + ((size_t)1 << 20), &set->block_capacity);
        if (status == GR_OK)
            status = gr__stream_read(s, set->block + set->block_n, set->block_capacity - set->block_n, &got);
        if (status == GR_OK) set->block_n += got;
        if (status == GR_OK && set->block_n > GR__LIMIT_IMAGE_SET_BYTES)
            status = gr__fail(GR_ERR_LIMIT, "cannot load '%s': it has more than %d bytes", set->path,
                              GR__LIMIT_IMAGE_SET_BYTES);
    } while (status == GR_OK && got > 0);
    gr__stream_close(&s);
    return status;
}

gr_status gr__image_set_open_cifar(gr__image_set *set, const gr__image_set_options *o)
{
    static const char *const ten[] = {"airplane", "automobile", "bird",  "cat",  "deer",
                                      "dog",      "frog",       "horse", "ship", "truck"};
    size_t labels = o->hundred ? 2 : 1, record = labels + 3 * PLANE, classes = o->hundred ? 100 : 10;
    GR_TRY(read_block(set));
    GR_FAIL_IF(set->block_n % record != 0 || set->block_n == 0, GR_ERR_CORRUPT,
               "cannot load '%s': %zu bytes are no multiple of the %zu of a CIFAR-%zu record", set->path, set->block_n,
               record, classes);
    set->raw[0] = set->raw[1] = 32;
    set->raw[2] = 3;
    set->planes = true;
    for (size_t i = 0; i < set->block_n / record; i++) {
        const unsigned char *p = (unsigned char *)set->block + i * record;
        GR_FAIL_IF(p[labels - 1] >= classes || (labels == 2 && p[0] >= 20), GR_ERR_CORRUPT,
                   "cannot load '%s': record %zu has label %d, CIFAR-%zu ends at %zu", set->path, i, p[labels - 1],
                   classes, classes - 1);
        GR_TRY(add_raw(set, (int64_t)i, p[labels - 1], i * record + labels));
    }
    return gr__image_set_name_classes(set, o->hundred ? NULL : ten, classes);
}

/* ---- video ---- */

gr_status gr__image_set_open_video(gr__image_set *set)
{
    GR_TRY(gr__file_map(set->path, &set->map));
    GR_TRY(gr__y4m_open(set->map.data, set->map.n, set->path, &set->video));
    set->is_video = true;
    for (int64_t i = 0; i < set->video.frames; i++) {
        char name[32];
        snprintf(name, sizeof name, "frame %lld", (long long)i);
        gr__image_sample s = {.label = -1, .width = set->video.width, .height = set->video.height};
        GR_TRY(gr__image_set_add(set, name, s));
    }
    return GR_OK;
}
