#include "format/zip.h"

#include "base/file.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/zlib_memory.h"
#include "format/archive_name.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define END_BYTES ((size_t)22)
#define CENTRAL_BYTES ((size_t)46)
#define LOCAL_BYTES ((size_t)30)
#define FREE_EXPANSION ((uint64_t)1 << 20) /* small entries may expand as they like */

struct gr__zip {
    char *path;
    gr__mapping map;
    const unsigned char *data;
    size_t n;
    gr__zip_entry *entry;
    size_t count, capacity;
    gr__map index; /* name -> number */
};

/* The end record, 32- or 64-bit. */
typedef struct directory {
    uint64_t entries, offset, bytes;
    uint64_t end; /* where the end record, or the 64-bit one, begins */
} directory;

static uint32_t u16(const unsigned char *p) { return (uint32_t)p[0] | (uint32_t)p[1] << 8; }
static uint32_t u32(const unsigned char *p) { return u16(p) | u16(p + 2) << 16; }
static uint64_t u64(const unsigned char *p) { return u32(p) | (uint64_t)u32(p + 4) << 32; }

static gr_status bad(const gr__zip *z, const char *what, uint64_t at)
{
    return gr__fail(GR_ERR_CORRUPT, "cannot read '%s': %s at byte %llu; download it again", z->path, what,
                    (unsigned long long)at);
}

/* ---- the end record ---- */

static gr_status find_64(const gr__zip *z, size_t end, directory *d)
{
    const unsigned char *p = z->data;
    if (end < 20 || u32(p + end - 20) != 0x07064b50) return bad(z, "a 64-bit end record is missing", end);
    uint64_t at = u64(p + end - 12);
    if (at > end - 20 || end - 20 - at < 56 || u32(p + at) != 0x06064b50)
        return bad(z, "its 64-bit end record is broken", end - 20);
    GR_FAIL_IF(u32(p + at + 16) != 0 || u32(p + at + 20) != 0 || u32(p + end - 16) != 0, GR_ERR_UNSUPPORTED,
               "cannot read '%s': it is one part of a zip file in several parts", z->path);
    *d = (directory){u64(p + at + 32), u64(p + at + 48), u64(p + at + 40), at};
    if (u64(p + at + 24) != d->entries) return bad(z, "two counts of entries differ", at + 24);
    return GR_OK;
}

/* The last record whose comment reaches exactly to the end of the file. */
static gr_status find_end(const gr__zip *z, directory *d)
{
    const unsigned char *p = z->data;
    for (size_t back = END_BYTES; back <= z->n && back <= END_BYTES + 0xFFFF; back++) {
        size_t at = z->n - back;
        if (u32(p + at) != 0x06054b50 || u16(p + at + 20) != back - END_BYTES) continue;
        *d = (directory){u16(p + at + 10), u32(p + at + 16), u32(p + at + 12), at};
        if (d->entries == 0xFFFF || d->offset == 0xFFFFFFFF || d->bytes == 0xFFFFFFFF) return find_64(z, at, d);
        GR_FAIL_IF(u16(p + at + 4) != 0 || u16(p + at + 6) != 0, GR_ERR_UNSUPPORTED,
                   "cannot read '%s': it is one part of a zip file in several parts", z->path);
        if (u16(p + at + 8) != d->entries) return bad(z, "two counts of entries differ", at + 8);
        return GR_OK;
    }
    return gr__fail(GR_ERR_CORRUPT, "cannot read '%s': it is not a zip file, or its end is missing", z->path);
}

/* ---- entries ---- */

/* The 64-bit forms of those fields that are all ones, in this order. */
static bool take_64(const unsigned char *extra, size_t n, uint64_t *size, uint64_t *packed, uint64_t *offset)
{
    uint64_t *field[3] = {size, packed, offset};
    while (n >= 4) {
        size_t length = u16(extra + 2);
        if (length > n - 4) return false;
        if (u16(extra) == 1) {
            const unsigned char *p = extra + 4;
            for (int i = 0; i < 3; i++) {
                if (!field[i] || *field[i] != 0xFFFFFFFF) continue;
                if (length < 8) return false;
                *field[i] = u64(p);
                p += 8;
                length -= 8;
            }
            return true;
        }
        extra += 4 + length;
        n -= 4 + length;
    }
    return *size != 0xFFFFFFFF && *packed != 0xFFFFFFFF && (!offset || *offset != 0xFFFFFFFF);
}

static gr_status check_method(const gr__zip *z, const char *name, uint32_t flags, uint32_t method)
{
    GR_FAIL_IF(flags & 1, GR_ERR_UNSUPPORTED, "cannot read '%s': entry '%s' is encrypted", z->path, name);
    GR_FAIL_IF(method != 0 && method != 8, GR_ERR_UNSUPPORTED,
               "cannot read '%s': entry '%s' is packed with method %u; pack it with deflate or not at all", z->path,
               name, method);
    return GR_OK;
}

/* Local header: same name, same method; sizes may be missing there when flag 8 says that they follow the data. */
static gr_status check_local(const gr__zip *z, gr__zip_entry *e, uint64_t local, uint64_t limit, uint32_t flags)
{
    const unsigned char *p = z->data + local;
    if (limit < LOCAL_BYTES || local > limit - LOCAL_BYTES || u32(p) != 0x04034b50)
        return bad(z, "an entry should begin", local);
    size_t name = u16(p + 26), extra = u16(p + 28), length = strlen(e->name);
    if (name + extra > limit - local - LOCAL_BYTES) return bad(z, "an entry ends past the directory", local);
    bool later = (flags & 8) != 0;
    uint64_t size = u32(p + 22), packed = u32(p + 18);
    bool wide = take_64(p + LOCAL_BYTES + name, extra, &size, &packed, NULL);
    if (name != length || memcmp(p + LOCAL_BYTES, e->name, length) != 0 || u16(p + 8) != (uint32_t)e->method ||
        (u16(p + 6) & 1) ||
        (!later && (!wide || size != e->size_bytes || packed != e->packed_bytes || u32(p + 14) != e->crc)))
        return bad(z, "an entry and the directory contradict each other", local);
    e->offset = local + LOCAL_BYTES + name + extra;
    if (e->packed_bytes > limit - e->offset) return bad(z, "an entry ends past the directory", local);
    if (e->method == 0 && e->size_bytes != e->packed_bytes) return bad(z, "a stored entry has two sizes", local);
    GR_FAIL_IF(e->size_bytes > FREE_EXPANSION && e->size_bytes / GR__LIMIT_ZIP_EXPANSION > e->packed_bytes,
               GR_ERR_LIMIT, "cannot read '%s': entry '%s' claims more than %d times its packed size", z->path, e->name,
               GR__LIMIT_ZIP_EXPANSION);
    return GR_OK;
}

static gr_status add_entry(gr__zip *z, const unsigned char *p, size_t room, uint64_t limit, size_t *used)
{
    size_t at = (size_t)(p - z->data);
    if (room < CENTRAL_BYTES || u32(p) != 0x02014b50) return bad(z, "a record of its directory is broken", at);
    size_t name = u16(p + 28), extra = u16(p + 30), comment = u16(p + 32);
    *used = CENTRAL_BYTES + name + extra + comment;
    if (*used > room) return bad(z, "a record of its directory is broken", at);
    const char *text = (const char *)p + CENTRAL_BYTES;
    GR_TRY(gr__archive_name_check(z->path, text, name));
    uint64_t size = u32(p + 24), packed = u32(p + 20), local = u32(p + 42);
    if (!take_64(p + CENTRAL_BYTES + name, extra, &size, &packed, &local))
        return bad(z, "a record of its directory has a broken 64-bit size", at);
    if (text[name - 1] == '/') return GR_OK;
    GR_TRY(gr__grow(&z->entry, sizeof *z->entry, z->count + 1, &z->capacity));
    bool twice;
    GR_TRY(gr__map_set(&z->index, text, name, (int64_t)z->count, &twice));
    const char *copy = z->index.entry[z->index.count - 1].key;
    GR_FAIL_IF(twice, GR_ERR_CORRUPT, "cannot read '%s': two entries are named '%.*s'", z->path, (int)name, text);
    gr__zip_entry *e = &z->entry[z->count];
    *e = (gr__zip_entry){copy, size, packed, 0, u32(p + 16), (int)u16(p + 10)};
    GR_TRY(check_method(z, e->name, u16(p + 8), (uint32_t)e->method));
    GR_TRY(check_local(z, e, local, limit, u16(p + 8)));
    z->count++;
    return GR_OK;
}

static int by_offset(const void *a, const void *b)
{
    const gr__zip_entry *x = *(gr__zip_entry *const *)a, *y = *(gr__zip_entry *const *)b;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Data that belongs to two entries is how a small file becomes a large one. */
static gr_status check_overlap(const gr__zip *z)
{
    if (z->count < 2) return GR_OK;
    const gr__zip_entry **order = gr__calloc(z->count, sizeof(*order));
    if (!order) return gr__fail_memory("a list of zip entries", z->count * sizeof(*order));
    for (size_t i = 0; i < z->count; i++) order[i] = &z->entry[i];
    qsort(order, z->count, sizeof(*order), by_offset);
    gr_status status = GR_OK;
    for (size_t i = 1; i < z->count && status == GR_OK; i++) {
        const gr__zip_entry *a = order[i - 1], *b = order[i];
        if (b->offset - a->offset < a->packed_bytes + LOCAL_BYTES)
            status =
                gr__fail(GR_ERR_CORRUPT, "cannot read '%s': entries '%s' and '%s' overlap", z->path, a->name, b->name);
    }
    gr__free(order);
    return status;
}

static gr_status read_directory(gr__zip *z)
{
    directory d = {0};
    GR_TRY(find_end(z, &d));
    if (d.offset > d.end || d.bytes > d.end - d.offset) return bad(z, "its directory ends past the file", d.end);
    GR_FAIL_IF(d.entries > GR__LIMIT_ZIP_ENTRIES, GR_ERR_LIMIT,
               "cannot read '%s': it has %llu entries, at most %d are "
               "allowed",
               z->path, (unsigned long long)d.entries, GR__LIMIT_ZIP_ENTRIES);
    if (d.entries > d.bytes / CENTRAL_BYTES) return bad(z, "its directory is too small for its entries", d.offset);
    size_t at = (size_t)d.offset, room = (size_t)d.bytes;
    for (uint64_t i = 0; i < d.entries; i++) {
        size_t used = 0;
        GR_TRY(add_entry(z, z->data + at, room, d.offset, &used));
        at += used;
        room -= used;
    }
    if (room != 0) return bad(z, "unused bytes lie behind the directory", at);
    return check_overlap(z);
}

/* ---- the interface ---- */

static gr_status start(const char *name, gr__zip **out)
{
    gr__zip *z = gr__calloc(1, sizeof *z);
    if (!z || !(z->path = gr__strdup(name))) {
        gr__free(z);
        return gr__fail_memory("a zip reader", sizeof *z);
    }
    z->map.data = (const unsigned char *)"";
    *out = z;
    return GR_OK;
}

gr_status gr__zip_open_bytes(const unsigned char *bytes, size_t n, const char *name, gr__zip **out)
{
    gr__zip *z;
    GR_TRY(start(name, &z));
    z->data = bytes;
    z->n = n;
    gr_status status = read_directory(z);
    if (status != GR_OK)
        gr__zip_close(&z);
    else
        *out = z;
    return status;
}

gr_status gr__zip_open(const char *path, gr__zip **out)
{
    gr__zip *z;
    GR_TRY(start(path, &z));
    gr_status status = gr__file_map(path, &z->map);
    z->data = z->map.data;
    z->n = z->map.n;
    if (status == GR_OK) status = read_directory(z);
    if (status != GR_OK)
        gr__zip_close(&z);
    else
        *out = z;
    return status;
}

void gr__zip_close(gr__zip **zip)
{
    gr__zip *z = *zip;
    if (!z) return;
    gr__file_unmap(&z->map);
    gr__map_release(&z->index);
    gr__free(z->entry);
    gr__free(z->path);
    gr__free(z);
    *zip = NULL;
}

size_t gr__zip_count(const gr__zip *z) { return z->count; }

const gr__zip_entry *gr__zip_at(const gr__zip *z, size_t i) { return &z->entry[i]; }

const gr__zip_entry *gr__zip_find(const gr__zip *z, const char *name)
{
    const int64_t *i = gr__map_get_name(&z->index, name);
    return i ? &z->entry[*i] : NULL;
}

static gr_status bad_data(const gr__zip *z, const gr__zip_entry *e, const char *what)
{
    return gr__fail(GR_ERR_CORRUPT, "cannot read '%s': the data of entry '%s' %s; download it again", z->path, e->name,
                    what);
}

/* Memory grows with what comes out; a byte more than promised is asked for, so that a longer stream shows. */
static gr_status inflate_entry(const gr__zip *z, const gr__zip_entry *e, char **out)
{
    z_stream s = {
        .zalloc = gr__zlib_alloc, .zfree = gr__zlib_free, .next_in = (unsigned char *)(uintptr_t)(z->data + e->offset)};
    size_t total = (size_t)e->size_bytes, used = 0, capacity = 0, left = (size_t)e->packed_bytes;
    char *data = NULL;
    if (inflateInit2(&s, -MAX_WBITS) != Z_OK) return gr__fail_memory("unpacking", (size_t)40 << 10);
    int code = Z_OK;
    gr_status status = gr__grow(&data, 1, GR__MIN(total, (size_t)1 << 16) + 1, &capacity);
    while (status == GR_OK && code == Z_OK && used <= total) {
        if (used == capacity) status = gr__grow(&data, 1, capacity + 1, &capacity);
        if (status != GR_OK) break;
        size_t room = GR__MIN(GR__MIN(capacity, total + 1) - used, (size_t)1 << 30);
        size_t give = s.avail_in == 0 ? GR__MIN(left, (size_t)1 << 30) : 0;
        s.avail_in += (unsigned)give;
        left -= give;
        s.next_out = (unsigned char *)data + used;
        s.avail_out = (unsigned)room;
        if (room == 0) break;
        code = inflate(&s, Z_NO_FLUSH);
        used += room - s.avail_out;
    }
    if (status == GR_OK && code == Z_MEM_ERROR) status = gr__fail_memory("unpacking", (size_t)40 << 10);
    if (status == GR_OK && (code != Z_STREAM_END || s.avail_in > 0 || left > 0 || used != total))
        status = bad_data(z, e, used > total ? "is longer than it claims" : "is broken");
    inflateEnd(&s);
    if (status != GR_OK)
        gr__free(data);
    else if (capacity == used && (status = gr__grow(&data, 1, used + 1, &capacity)) != GR_OK)
        gr__free(data);
    else
        *out = data;
    return status;
}

gr_status gr__zip_read(const gr__zip *z, const gr__zip_entry *e, size_t most, char **out, size_t *n)
{
    char *data = NULL;
    GR_FAIL_IF(e->size_bytes > most, GR_ERR_LIMIT,
               "cannot read '%s': entry '%s' has %llu bytes, at most %zu are "
               "allowed",
               z->path, e->name, (unsigned long long)e->size_bytes, most);
    size_t total = (size_t)e->size_bytes;
    if (e->method == 8) {
        GR_TRY(inflate_entry(z, e, &data));
    } else {
        if (!(data = gr__alloc(total + 1))) return gr__fail_memory("a zip entry", total);
        memcpy(data, z->data + e->offset, total);
    }
    data[total] = 0;
    uLong crc = crc32(0, NULL, 0);
    for (size_t i = 0; i < total; i += GR__MIN(total - i, (size_t)1 << 30))
        crc = crc32(crc, (const unsigned char *)data + i, (unsigned)GR__MIN(total - i, (size_t)1 << 30));
    if (crc != e->crc) {
        gr__free(data);
        return bad_data(z, e, "does not have its checksum");
    }
    *out = data;
    *n = total;
    return GR_OK;
}
