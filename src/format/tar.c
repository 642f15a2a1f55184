/* tar: 512-byte headers. A long name or an extended header is an entry of its own in front of the entry it speaks of, so
 * reading a header is a loop: collect what is said, then take the entry. */
#include "format/tar.h"

#include "base/file.h"
#include "base/limits.h"
#include "format/archive_name.h"

#include <string.h>

#define BLOCK ((size_t)512)

struct gr__tar {
    char *path;
    gr__stream *stream;
    uint64_t position; /* in the unpacked stream */
    uint64_t left;     /* data bytes of the entry that were not read */
    uint64_t entries;
    size_t padding; /* behind them */
    gr__str name;
    bool has_name, has_size; /* said by an extended header */
    uint64_t size;
    gr_status refused; /* why the entry whose header is being read cannot be had */
    bool ended, goes_on;
};

/* ---- the stream ---- */

static gr_status cut_off(const gr__tar *t)
{
    return gr__fail(GR_ERR_CORRUPT, "cannot read '%s': it ends early, at byte %llu of its contents; download it again",
                    t->path, (unsigned long long)t->position);
}

static gr_status take(gr__tar *t, void *buffer, size_t n)
{
    size_t got;
    GR_TRY(gr__stream_read(t->stream, buffer, n, &got));
    t->position += got;
    return got == n ? GR_OK : cut_off(t);
}

static gr_status skip(gr__tar *t, uint64_t n)
{
    char dump[8192];
    while (n > 0) {
        size_t part = (size_t)GR__MIN(n, sizeof dump);
        GR_TRY(take(t, dump, part));
        n -= part;
    }
    return GR_OK;
}

/* ---- a header ---- */

/* Octal with blanks or 0 around it, or base 256 with the high bit of the first byte set. */
static bool number(const unsigned char *p, size_t n, uint64_t *out)
{
    uint64_t v = 0;
    size_t i = 0;
    if (p[0] & 0x80) {
        if (p[0] & 0x7f) return false; /* negative or larger than 64 bits */
        for (i = 1; i < n; i++) {
            if (v >> 56) return false;
            v = v << 8 | p[i];
        }
        *out = v;
        return true;
    }
    while (i < n && p[i] == ' ') i++;
    for (; i < n && p[i] >= '0' && p[i] <= '7'; i++) {
        if (v >> 61) return false;
        v = v << 3 | (uint64_t)(p[i] - '0');
    }
    for (; i < n; i++)
        if (p[i] != ' ' && p[i] != 0) return false;
    *out = v;
    return true;
}

static gr_status bad(const gr__tar *t, const char *what)
{
    return gr__fail(GR_ERR_CORRUPT, "cannot read '%s': the tar header at byte %llu has %s", t->path,
                    (unsigned long long)(t->position - BLOCK), what);
}

/* The sum counts its own field as blanks; old writers took bytes as signed. */
static gr_status check_sum(const gr__tar *t, const unsigned char *h)
{
    uint64_t said;
    uint64_t sum = 0;
    int64_t sum_signed = 0;
    for (size_t i = 0; i < BLOCK; i++) {
        unsigned char c = i >= 148 && i < 156 ? ' ' : h[i];
        sum += c;
        sum_signed += (signed char)c;
    }
    if (!number(h + 148, 8, &said) || (said != sum && (int64_t)said != sum_signed))
        return bad(t, "a wrong checksum; is it a tar file?");
    return GR_OK;
}

static gr_status set_name(gr__tar *t, const char *text, size_t n)
{
    while (n >= 2 && text[0] == '.' && text[1] == '/') {
        for (text += 2, n -= 2; n > 0 && text[0] == '/';) text++, n--;
    }
    if (n == 1 && text[0] == '.') n = 0; /* "./" itself: the root */
    if (n > 0) GR_TRY(gr__archive_name_check(t->path, text, n));
    gr__str_clear(&t->name);
    gr__str_add_n(&t->name, text, n);
    return gr__str_check(&t->name);
}

/* prefix + "/" + name, both without closing 0 when they fill their field. */
static gr_status name_of_header(gr__tar *t, const unsigned char *h)
{
    char full[257];
    size_t n = 0, prefix = memcmp(h + 257, "ustar\0", 6) == 0 ? strnlen((const char *)h + 345, 155) : 0;
    size_t rest = strnlen((const char *)h, 100);
    if (prefix) {
        memcpy(full, h + 345, prefix);
        full[prefix] = '/';
        n = prefix + 1;
    }
    memcpy(full + n, h, rest);
    return set_name(t, full, n + rest);
}

/* ---- extended headers ---- */

/* "LENGTH KEY=VALUE\n", LENGTH counting itself; the last one of a key counts. */
static gr_status pax(gr__tar *t, const char *p, size_t n, bool global)
{
    while (n > 0) {
        size_t length = 0, i = 0;
        for (; i < n && i < 8 && p[i] >= '0' && p[i] <= '9'; i++) length = length * 10 + (size_t)(p[i] - '0');
        const char *equals =
            i < n && p[i] == ' ' && length <= n && length > i + 2 ? memchr(p + i + 1, '=', length - i - 2) : NULL;
        if (!equals || p[length - 1] != '\n') return bad(t, "a broken pax record before it");
        size_t key = (size_t)(equals - (p + i + 1)), value = (size_t)(p + length - 1 - (equals + 1));
        bool path = key == 4 && memcmp(p + i + 1, "path", 4) == 0;
        bool size = key == 4 && memcmp(p + i + 1, "size", 4) == 0;
        if ((path || size) && global) return bad(t, "a path or size for all entries before it");
        GR_FAIL_IF(key >= 10 && memcmp(p + i + 1, "GNU.sparse", 10) == 0, GR_ERR_UNSUPPORTED,
                   "cannot read '%s': it holds sparse files; pack it without --sparse", t->path);
        if (path) {
            t->refused = set_name(t, equals + 1, value);
            t->has_name = true;
        } else if (size) {
            uint64_t v = 0;
            for (size_t k = 0; k < value; k++) {
                char c = equals[1 + k];
                if (c < '0' || c > '9' || value > 18) return bad(t, "a broken pax size before it");
                v = v * 10 + (uint64_t)(c - '0');
            }
            if (value == 0) return bad(t, "a broken pax size before it");
            t->size = v;
            t->has_size = true;
        }
        p += length;
        n -= length;
    }
    return GR_OK;
}

static gr_status extended(gr__tar *t, char type, uint64_t size)
{
    GR_FAIL_IF(size > GR__LIMIT_ARCHIVE_HEADER_BYTES, GR_ERR_LIMIT,
               "cannot read '%s': an extended header has %llu bytes, at most %d are allowed", t->path,
               (unsigned long long)size, GR__LIMIT_ARCHIVE_HEADER_BYTES);
    size_t n = (size_t)size, padded = (n + BLOCK - 1) / BLOCK * BLOCK;
    char *text = gr__alloc(padded);
    if (!text) return gr__fail_memory("a tar header", padded);
    gr_status status = take(t, text, padded);
    if (status == GR_OK && type == 'L') {
        t->refused = set_name(t, text, strnlen(text, n));
        t->has_name = true;
    } else if (status == GR_OK && type != 'K') {
        status = pax(t, text, n, type == 'g');
    }
    gr__free(text);
    return status;
}

/* What stands in the header's type field. */
static const struct {
    char type;
    const char *what;
} refused[] = {{'1', "a hard link"},
               {'2', "a symbolic link"},
               {'3', "a device"},
               {'4', "a device"},
               {'6', "a pipe"},
               {'S', "a sparse file"},
               {'M', "a part of a file that spans archives"},
               {'V', "a label"},
               {'D', "a folder dump"}};

static gr_status check_type(const gr__tar *t, char type)
{
    for (size_t i = 0; i < GR__COUNT(refused); i++)
        GR_FAIL_IF(type == refused[i].type, GR_ERR_UNSUPPORTED,
                   "cannot read '%s': entry '%s' is %s; pack files and folders only", t->path, gr__str_get(&t->name),
                   refused[i].what);
    if (type != 0 && type != '0' && type != '5' && type != '7') return bad(t, "an unknown type");
    return GR_OK;
}

/* ---- the interface ---- */

gr_status gr__tar_open(const char *path, gr__tar **out)
{
    gr__tar *t = gr__calloc(1, sizeof *t);
    if (!t) return gr__fail_memory("a tar reader", sizeof *t);
    t->path = gr__strdup(path);
    gr_status status = t->path ? gr__stream_open(path, &t->stream) : gr__fail_memory("a file name", strlen(path));
    if (status != GR_OK)
        gr__tar_close(&t);
    else
        *out = t;
    return status;
}

void gr__tar_close(gr__tar **tar)
{
    gr__tar *t = *tar;
    if (!t) return;
    gr__stream_close(&t->stream);
    gr__str_release(&t->name);
    gr__free(t->path);
    gr__free(t);
    *tar = NULL;
}

gr_status gr__tar_next(gr__tar *t, gr__tar_entry *entry, bool *more)
{
    unsigned char h[BLOCK];
    *more = false;
    if (t->ended) return GR_OK;
    GR_TRY(skip(t, t->left));
    t->left = 0;
    GR_TRY(skip(t, t->padding));
    t->padding = 0;
    t->has_name = t->has_size = t->goes_on = false;
    t->refused = GR_OK;
    for (;;) {
        uint64_t size;
        GR_TRY(take(t, h, BLOCK));
        bool zero = h[0] == 0;
        for (size_t i = 1; zero && i < BLOCK; i++) zero = h[i] == 0;
        if (zero) {
            if (t->has_name || t->has_size) return bad(t, "no entry, though a long name came before it");
            t->ended = true;
            return GR_OK;
        }
        GR_TRY(check_sum(t, h));
        GR_FAIL_IF(++t->entries > GR__LIMIT_ARCHIVE_ENTRIES, GR_ERR_LIMIT,
                   "cannot read '%s': it has more than %d entries", t->path, GR__LIMIT_ARCHIVE_ENTRIES);
        if (!number(h + 124, 12, &size)) return bad(t, "a broken size");
        char type = (char)h[156];
        if (type == 'L' || type == 'K' || type == 'x' || type == 'g') {
            GR_TRY(extended(t, type, size));
            continue;
        }
        if (t->has_size) size = t->size;
        if (size > INT64_MAX - BLOCK) return bad(t, "a size larger than any file");
        if (!t->has_name) t->refused = name_of_header(t, h);
        if (t->refused == GR_OK) t->refused = check_type(t, type);
        if (t->refused != GR_OK) {
            t->left = type >= '1' && type <= '6' ? 0 : size; /* links, devices and folders have no data */
            t->padding = (size_t)((BLOCK - t->left % BLOCK) % BLOCK);
            t->goes_on = t->refused != GR_ERR_MEMORY;
            return t->refused;
        }
        bool slash = t->name.n > 0 && t->name.text[t->name.n - 1] == '/';
        bool folder = type == '5' || (type == 0 && slash) || t->name.n == 0;
        if (slash) t->name.text[--t->name.n] = 0;
        if (folder) size = 0;
        t->left = size;
        t->padding = (size_t)((BLOCK - size % BLOCK) % BLOCK);
        *entry = (gr__tar_entry){gr__str_get(&t->name), size, t->position, folder};
        *more = true;
        return GR_OK;
    }
}

bool gr__tar_goes_on(const gr__tar *t) { return t->goes_on; }

gr_status gr__tar_read(gr__tar *t, void *buffer, size_t n, size_t *got)
{
    *got = (size_t)GR__MIN(n, t->left);
    t->left -= *got;
    return take(t, buffer, *got);
}

/* Memory grows with what really arrives: a header may claim anything. */
gr_status gr__tar_read_all(gr__tar *t, size_t most, char **out, size_t *n)
{
    char *data = NULL;
    size_t capacity = 0, used = 0, got;
    GR_FAIL_IF(t->left > most, GR_ERR_LIMIT, "cannot read '%s': entry '%s' has %llu bytes, at most %zu are allowed",
               t->path, gr__str_get(&t->name), (unsigned long long)t->left, most);
    gr_status status = gr__grow(&data, 1, (size_t)GR__MIN(t->left, (uint64_t)1 << 20) + 1, &capacity);
    while (status == GR_OK && t->left > 0) {
        if (capacity - used < 2) status = gr__grow(&data, 1, capacity + 1, &capacity);
        if (status == GR_OK) status = gr__tar_read(t, data + used, capacity - used - 1, &got);
        if (status == GR_OK) used += got;
    }
    if (status != GR_OK) {
        gr__free(data);
        return status;
    }
    data[used] = 0;
    *out = data;
    *n = used;
    return GR_OK;
}
