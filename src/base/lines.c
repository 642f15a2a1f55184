#include "base/lines.h"

#include "base/file.h"

#include <string.h>

#define READ_BYTES ((size_t)64 << 10)

struct gr__lines {
    char *path;
    gr__stream *stream;
    char *buffer; /* [used, filled) waits */
    size_t used, filled, capacity, most, number;
    bool end;
    char newline;
    gr_status failed; /* for good */
};

static gr_status fill(gr__lines *l)
{
    size_t got;
    GR_TRY(gr__grow(&l->buffer, 1, l->filled + READ_BYTES, &l->capacity));
    GR_TRY(gr__stream_read(l->stream, l->buffer + l->filled, READ_BYTES, &got));
    l->filled += got;
    l->end = got < READ_BYTES;
    return GR_OK;
}

static gr_status begin(gr__lines *l)
{
    GR_TRY(gr__stream_open(l->path, &l->stream));
    GR_TRY(fill(l));
    const char *b = l->buffer;
    bool utf16 = l->filled >= 2 && (memcmp(b, "\xFF\xFE", 2) == 0 || memcmp(b, "\xFE\xFF", 2) == 0);
    GR_FAIL_IF(utf16, GR_ERR_DATA, "%s:1: is in UTF-16; save it as UTF-8", l->path);
    l->newline = !memchr(b, '\n', l->filled) && memchr(b, '\r', l->filled) ? '\r' : '\n';
    if (l->filled >= 3 && memcmp(b, "\xEF\xBB\xBF", 3) == 0) l->used = 3;
    return GR_OK;
}

gr_status gr__lines_open(const char *path, size_t most, gr__lines **out)
{
    gr__lines *l = gr__calloc(1, sizeof *l);
    if (!l) return gr__fail_memory("a reader of lines", sizeof *l);
    l->most = most;
    l->path = gr__strdup(path);
    gr_status status = l->path ? begin(l) : gr__fail_memory("a file name", strlen(path));
    if (status != GR_OK)
        gr__lines_close(&l);
    else
        *out = l;
    return status;
}

void gr__lines_close(gr__lines **lines)
{
    gr__lines *l = *lines;
    if (!l) return;
    gr__stream_close(&l->stream);
    gr__free(l->buffer);
    gr__free(l->path);
    gr__free(l);
    *lines = NULL;
}

/* A line without its newline; *line = NULL at the end of the file. */
static gr_status take_line(gr__lines *l, const char **line, size_t *n)
{
    size_t seen = 0;
    for (;;) {
        char *start = l->buffer + l->used, *newline = NULL;
        size_t waiting = l->filled - l->used;
        if (waiting > seen) newline = memchr(start + seen, l->newline, waiting - seen);
        size_t length = newline ? (size_t)(newline - start) : waiting;
        GR_FAIL_IF(length > l->most, GR_ERR_LIMIT, "%s:%zu: the line is longer than %zu bytes", l->path, l->number + 1,
                   l->most);
        if (newline || (l->end && waiting > 0)) {
            *line = start;
            *n = length;
            l->used += length + (newline != NULL);
            l->number++;
            return GR_OK;
        }
        if (l->end) {
            *line = NULL;
            return GR_OK;
        }
        seen = waiting;
        if (l->used > 0) {
            memmove(l->buffer, start, waiting);
            l->used = 0;
            l->filled = waiting;
        }
        GR_TRY(fill(l));
    }
}

gr_status gr__lines_next(gr__lines *l, const char **text, size_t *n, bool *more)
{
    const char *line = NULL;
    *n = 0;
    *more = false;
    GR_FAIL_IF(l->failed != GR_OK, l->failed, "cannot read '%s': an earlier read failed", l->path);
    l->failed = take_line(l, &line, n);
    if (l->failed != GR_OK || !line) return l->failed;
    if (*n > 0 && line[*n - 1] == '\r') --*n;
    *text = line;
    *more = true;
    return GR_OK;
}

size_t gr__lines_number(const gr__lines *l) { return l->number; }
