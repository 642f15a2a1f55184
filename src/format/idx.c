#include "format/idx.h"

#include "base/file.h"

#include <string.h>

#define FIRST_BYTES ((size_t)1 << 20)

/* Memory grows with what really arrives, so that a small file cannot claim a large block. */
static gr_status read_data(gr__stream *s, const char *path, size_t total, char **out)
{
    char *data = NULL;
    size_t capacity = 0, used = 0, got = 0;
    gr_status status = gr__grow(&data, 1, GR__MIN(total, FIRST_BYTES) + 1, &capacity);
    while (status == GR_OK) {
        status = gr__stream_read(s, data + used, GR__MIN(capacity, total + 1) - used, &got);
        used += got;
        if (status != GR_OK || used > total || used < GR__MIN(capacity, total + 1)) break;
        status = gr__grow(&data, 1, GR__MIN(capacity + capacity / 2, total) + 1, &capacity);
    }
    if (status == GR_OK && used < total)
        status = gr__fail(GR_ERR_CORRUPT, "cannot load '%s': it ends after %zu of %zu bytes of data; download it again",
                          path, used, total);
    if (status == GR_OK && used > total)
        status = gr__fail(GR_ERR_CORRUPT, "cannot load '%s': more follows its %zu bytes of data", path, total);
    if (status == GR_OK)
        *out = data;
    else
        gr__free(data);
    return status;
}

static void to_little_endian(char *data, size_t count, size_t bytes)
{
    for (size_t i = 0; i < count; i++)
        for (size_t a = i * bytes, b = a + bytes - 1; a < b; a++, b--) {
            char c = data[a];
            data[a] = data[b];
            data[b] = c;
        }
}

static gr_status read_shape(gr__stream *s, const char *path, gr_tensor *t, size_t *total)
{
    static const gr_dtype types[16] = {
        [8] = GR_U8, [9] = GR_I8, [11] = GR_I16, [12] = GR_I32, [13] = GR_F32, [14] = GR_F64};
    unsigned char head[4], size[4];
    size_t got;
    GR_TRY(gr__stream_read(s, head, 4, &got));
    GR_FAIL_IF(got < 4 || head[0] || head[1], GR_ERR_CORRUPT, "cannot load '%s': it is not an IDX file", path);
    t->dtype = head[2] < 16 ? types[head[2]] : GR_DTYPE_NONE;
    GR_FAIL_IF(t->dtype == GR_DTYPE_NONE, GR_ERR_CORRUPT, "cannot load '%s': unknown IDX type 0x%02x", path, head[2]);
    GR_FAIL_IF(head[3] > GR_MAX_RANK, GR_ERR_LIMIT, "cannot load '%s': it has %d dimensions, at most %d are supported",
               path, head[3], GR_MAX_RANK);
    t->rank = head[3];
    *total = gr_dtype_size_bytes(t->dtype);
    for (int i = 0; i < t->rank; i++) {
        GR_TRY(gr__stream_read(s, size, 4, &got));
        GR_FAIL_IF(got < 4, GR_ERR_CORRUPT, "cannot load '%s': it ends in its header", path);
        t->dim[i] = (int64_t)size[0] << 24 | size[1] << 16 | size[2] << 8 | size[3];
        GR_FAIL_IF(!gr__mul_size(*total, (size_t)t->dim[i], total) || *total >= INT64_MAX / 2, GR_ERR_CORRUPT,
                   "cannot load '%s': its sizes are larger than any machine can hold", path);
    }
    return GR_OK;
}

gr_status gr__idx_read(const char *path, gr_tensor *out)
{
    gr__stream *s;
    gr_tensor t = {0};
    size_t total = 0;
    char *data = NULL;
    GR_TRY(gr__stream_open(path, &s));
    gr_status status = read_shape(s, path, &t, &total);
    if (status == GR_OK) status = read_data(s, path, total, &data);
    gr__stream_close(&s);
    GR_TRY(status);
    size_t each = gr_dtype_size_bytes(t.dtype);
    if (each > 1) to_little_endian(data, total / each, each);
    t.data = data;
    *out = t;
    return GR_OK;
}
