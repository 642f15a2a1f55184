/* libFuzzer's entry. A reader that takes a path gets one that leads to memory. A crash, a leak, a report of a sanitizer or a
 * second of time is a finding; any status is fine, but a failure must have a sentence. */
#include "base/alloc.h"
#include "format/boxes.h"
#include "format/csv.h"
#include "format/idx.h"
#include "format/image.h"
#include "format/jsonl.h"
#include "format/npy.h"
#include "format/onnx.h"
#include "format/safetensors.h"
#include "format/sound.h"
#include "format/tar.h"
#include "format/y4m.h"
#include "format/zip.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static gr_status image(const unsigned char *bytes, size_t n, const char *path)
{
    gr__image x;
    gr__image_options o = {.channels = 4, .most_pixels = 1 << 20};
    (void)path;
    GR_TRY(gr__image_decode(bytes, n, "x", &o, &x));
    gr__image_release(&x);
    return GR_OK;
}

static gr_status wav(const unsigned char *bytes, size_t n, const char *path)
{
    gr__sound x;
    (void)path;
    GR_TRY(gr__wav_decode(bytes, n, "x", &x));
    gr__sound_release(&x);
    return GR_OK;
}

static gr_status zip(const unsigned char *bytes, size_t n, const char *path)
{
    gr__zip *z;
    char *data;
    size_t size;
    (void)path;
    GR_TRY(gr__zip_open_bytes(bytes, n, "x", &z));
    for (size_t i = 0; i < gr__zip_count(z); i++)
        if (gr__zip_read(z, gr__zip_at(z, i), 1 << 20, &data, &size) == GR_OK) gr__free(data);
    gr__zip_close(&z);
    return GR_OK;
}

static gr_status npy(const unsigned char *bytes, size_t n, const char *path)
{
    gr_tensor t;
    (void)path;
    GR_TRY(gr__npy_read_bytes(bytes, n, "x", &t));
    gr__free(t.data);
    return GR_OK;
}

static gr_status safetensors(const unsigned char *bytes, size_t n, const char *path)
{
    gr__safetensors *file;
    (void)path;
    GR_TRY(gr__safetensors_open_bytes(bytes, n, "x", &file));
    gr__safetensors_close(&file);
    return GR_OK;
}

static gr_status onnx(const unsigned char *bytes, size_t n, const char *path)
{
    gr__onnx model;
    (void)path;
    gr_status status = gr__onnx_read(bytes, n, "x", &model);
    gr__onnx_release(&model);
    return status;
}

static gr_status voc(const unsigned char *bytes, size_t n, const char *path)
{
    gr__arena arena = {0};
    gr__annotation a;
    (void)path;
    gr_status status = gr__voc_parse((const char *)bytes, n, "x", &arena, &a);
    gr__arena_release(&arena);
    return status;
}

static gr_status y4m(const unsigned char *bytes, size_t n, const char *path)
{
    gr__y4m v;
    gr__image x;
    (void)path;
    GR_TRY(gr__y4m_open(bytes, n, "x", &v));
    gr_status status = gr__y4m_frame(&v, v.frames - 1, &x);
    if (status == GR_OK) gr__image_release(&x);
    gr__y4m_release(&v);
    return status;
}

static gr_status tar(const unsigned char *bytes, size_t n, const char *path)
{
    gr__tar *t;
    gr__tar_entry e;
    bool more = true;
    (void)bytes, (void)n;
    GR_TRY(gr__tar_open(path, &t));
    gr_status status = GR_OK;
    while (status == GR_OK && more) status = gr__tar_next(t, &e, &more);
    gr__tar_close(&t);
    return status;
}

static gr_status jsonl(const unsigned char *bytes, size_t n, const char *path)
{
    gr__jsonl *j;
    gr__json v;
    bool more = true;
    (void)bytes, (void)n;
    GR_TRY(gr__jsonl_open(path, &j));
    gr_status status = GR_OK;
    while (status == GR_OK && more) status = gr__jsonl_next(j, &v, &more);
    gr__jsonl_close(&j);
    return status;
}

static gr_status csv(const unsigned char *bytes, size_t n, const char *path)
{
    gr__csv_table t;
    (void)bytes, (void)n;
    if (gr__csv_read(path, NULL, &t) == GR_OK) gr__csv_table_release(&t);
    GR_TRY(gr__csv_read(path, &(gr__csv_options){.skip_bad = true}, &t));
    gr__csv_table_release(&t);
    return GR_OK;
}

static gr_status idx(const unsigned char *bytes, size_t n, const char *path)
{
    gr_tensor t;
    (void)bytes, (void)n;
    GR_TRY(gr__idx_read(path, &t));
    gr__free(t.data);
    return GR_OK;
}

static const struct {
    gr_status (*read)(const unsigned char *bytes, size_t n, const char *path);
    bool wants_path;
} readers[] = {{image, false}, {wav, false},  {zip, false}, {npy, false}, {safetensors, false}, {voc, false},
               {y4m, false},   {onnx, false}, {tar, true},  {csv, true},  {jsonl, true},        {idx, true}};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    if (n == 0) return 0;
    size_t which = bytes[0] % GR__COUNT(readers);
    char path[64] = "";
    int fd = -1;
    bytes++, n--;
    if (readers[which].wants_path) {
        fd = memfd_create("fuzz", 0);
        if (fd < 0 || write(fd, bytes, n) != (ssize_t)n) abort();
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    size_t before = gr_memory_used_bytes();
    gr_status status = readers[which].read(bytes, n, path);
    if (gr_memory_used_bytes() != before) abort();
    if (status != GR_OK && gr_message()[0] == 0) abort();
    if (fd >= 0) close(fd);
    return 0;
}
