/* Sequential reading; gzip is recognised by its first two bytes, whatever the name. Several gzip members in a row
 * (as 'cat a.gz b.gz' makes) are one stream; zero bytes behind the last member are padding. */
#include "base/file_int.h"

#include "base/zlib_memory.h"

#include <errno.h>
#include <string.h>
#include <zlib.h>

#define INPUT_BYTES ((size_t)64 << 10)

struct gr__stream {
    char *path;
    int fd;
    bool end;            /* of the file */
    bool packed;         /* gzip */
    bool between;        /* after a member */
    gr_status failed;    /* stays failed */
    uint64_t offset;     /* in the file, of the byte after the input buffer */
    size_t used, filled; /* input buffer: [used, filled) is waiting */
    z_stream z;
    unsigned char input[INPUT_BYTES];
};

/* Reads on until at least 'least' bytes wait or the file ends. */
static gr_status fill(gr__stream *s, size_t least)
{
    if (s->used > 0 && s->filled - s->used < least) {
        memmove(s->input, s->input + s->used, s->filled - s->used);
        s->filled -= s->used;
        s->used = 0;
    }
    while (!s->end && s->filled - s->used < least) {
        ssize_t got = gr__sys_read(s->fd, s->path, s->input + s->filled, sizeof s->input - s->filled);
        if (got < 0) return gr__file_fail(errno, "read", s->path);
        if (got == 0) s->end = true;
        s->filled += (size_t)got;
        s->offset += (uint64_t)got;
    }
    return GR_OK;
}

gr_status gr__stream_open(const char *path, gr__stream **out)
{
    struct stat info;
    gr__stream *s = gr__calloc(1, sizeof *s);
    if (!s) return gr__fail_memory("a file buffer", sizeof *s);
    s->fd = -1;
    gr_status status = GR_OK;
    if (!(s->path = gr__strdup(path))) status = gr__fail_memory("a file name", strlen(path));
    if (status == GR_OK) status = gr__open_to_read(path, false, &s->fd, &info);
    if (status != GR_OK) s->fd = -1;
    if (status == GR_OK && S_ISFIFO(info.st_mode)) status = gr__wait_for_data(s->fd, path);
    if (status == GR_OK) status = fill(s, 2);
    if (status == GR_OK && s->filled >= 2 && s->input[0] == 0x1f && s->input[1] == 0x8b) {
        s->z.zalloc = gr__zlib_alloc;
        s->z.zfree = gr__zlib_free;
        s->packed = inflateInit2(&s->z, 16 + MAX_WBITS) == Z_OK;
        if (!s->packed) status = gr__fail_memory("unpacking gzip", (size_t)40 << 10);
    }
    if (status != GR_OK) {
        gr__stream_close(&s);
        return status;
    }
    *out = s;
    return GR_OK;
}

static gr_status read_plain(gr__stream *s, unsigned char *p, size_t n, size_t *got)
{
    size_t waiting = GR__MIN(n, s->filled - s->used);
    memcpy(p, s->input + s->used, waiting);
    s->used += waiting;
    *got = waiting;
    while (*got < n && !s->end) {
        if (n - *got >= sizeof s->input) { /* large reads go past the buffer */
            ssize_t more = gr__sys_read(s->fd, s->path, p + *got, n - *got);
            if (more < 0) return gr__file_fail(errno, "read", s->path);
            if (more == 0) s->end = true;
            s->offset += (uint64_t)more;
            *got += (size_t)more;
            continue;
        }
        s->used = s->filled = 0;
        GR_TRY(fill(s, 1));
        size_t part = GR__MIN(n - *got, s->filled);
        memcpy(p + *got, s->input, part);
        s->used = part;
        *got += part;
    }
    return GR_OK;
}

static gr_status bad_gzip(const gr__stream *s, const char *what)
{
    return gr__fail(GR_ERR_CORRUPT, "cannot unpack '%s': %s near byte %llu; download it again", s->path, what,
                    (unsigned long long)(s->offset - (s->filled - s->used)));
}

/* After a member: another one, padding, or the end. */
static gr_status next_member(gr__stream *s)
{
    for (;;) {
        GR_TRY(fill(s, 2));
        if (s->used == s->filled) return GR_OK;
        const unsigned char *p = s->input + s->used;
        if (p[0] == 0) {
            s->used++;
        } else if (s->filled - s->used >= 2 && p[0] == 0x1f && p[1] == 0x8b) {
            s->between = false;
            return inflateReset(&s->z) == Z_OK ? GR_OK : bad_gzip(s, "gzip cannot be restarted");
        } else {
            return bad_gzip(s, "something that is not gzip follows the gzip data");
        }
    }
}

static gr_status read_packed(gr__stream *s, unsigned char *p, size_t n, size_t *got)
{
    while (*got < n) {
        if (s->between) {
            GR_TRY(next_member(s));
            if (s->between) return GR_OK;
        }
        GR_TRY(fill(s, 1));
        if (s->used == s->filled) return bad_gzip(s, "it ends early");
        size_t room = GR__MIN(n - *got, (size_t)1 << 30);
        s->z.next_in = s->input + s->used;
        s->z.avail_in = (unsigned)(s->filled - s->used);
        s->z.next_out = p + *got;
        s->z.avail_out = (unsigned)room;
        int code = inflate(&s->z, Z_NO_FLUSH);
        s->used = s->filled - s->z.avail_in;
        *got += room - s->z.avail_out;
        if (code == Z_STREAM_END)
            s->between = true;
        else if (code == Z_MEM_ERROR)
            return gr__fail_memory("unpacking gzip", (size_t)40 << 10);
        else if (code != Z_OK && code != Z_BUF_ERROR)
            return bad_gzip(s, s->z.msg ? s->z.msg : "its gzip data is broken");
    }
    return GR_OK;
}

gr_status gr__stream_read(gr__stream *s, void *buffer, size_t n, size_t *got)
{
    *got = 0;
    GR_FAIL_IF(s->failed != GR_OK, s->failed, "cannot read '%s': an earlier read failed", s->path);
    s->failed = s->packed ? read_packed(s, buffer, n, got) : read_plain(s, buffer, n, got);
    return s->failed;
}

void gr__stream_close(gr__stream **stream)
{
    gr__stream *s = *stream;
    if (!s) return;
    if (s->packed) inflateEnd(&s->z);
    if (s->fd >= 0) gr__sys_close(s->fd, s->path);
    gr__free(s->path);
    gr__free(s);
    *stream = NULL;
}
