#include "format/jsonl.h"

#include "base/file.h"
#include "base/limits.h"

#include <string.h>

#define READ_BYTES ((size_t)64 << 10)

struct gr__jsonl {
    char *path;
    gr__stream *stream;
    gr__json_doc *doc;
    char *buffer; /* [used, filled) waits */
    size_t used, filled, capacity, line;
    const char *text; /* n bytes of the buffer: the value */
    size_t n;
    bool end;
    gr_status failed; /* for good */
};

gr_status gr__jsonl_open(const char *path, gr__jsonl **out)
{
    gr__jsonl *j = gr__calloc(1, sizeof *j);
    if (!j) return gr__fail_memory("a JSONL reader", sizeof *j);
    j->path = gr__strdup(path);
    gr_status status = j->path ? gr__stream_open(path, &j->stream) : gr__fail_memory("a file name", strlen(path));
    if (status == GR_OK) status = gr__grow(&j->buffer, 1, READ_BYTES, &j->capacity);
    if (status != GR_OK)
        gr__jsonl_close(&j);
    else
        *out = j;
    return status;
}

void gr__jsonl_close(gr__jsonl **jsonl)
{
    gr__jsonl *j = *jsonl;
    if (!j) return;
    gr__json_free(&j->doc);
    gr__stream_close(&j->stream);
    gr__free(j->buffer);
    gr__free(j->path);
    gr__free(j);
    *jsonl = NULL;
}

/* A line without its newline; *line = NULL at the end of the file. */
static gr_status take_line(gr__jsonl *j, char **line, size_t *n)
{
    size_t seen = 0, got;
    for (;;) {
        char *start = j->buffer + j->used, *newline = NULL;
        size_t waiting = j->filled - j->used;
        if (waiting > seen) newline = memchr(start + seen, '\n', waiting - seen);
        size_t length = newline ? (size_t)(newline - start) : waiting;
        GR_FAIL_IF(length > GR__LIMIT_JSONL_LINE_BYTES, GR_ERR_LIMIT,
                   "%s:%zu: the line is longer than %d bytes; JSONL has one value a line", j->path, j->line + 1,
                   GR__LIMIT_JSONL_LINE_BYTES);
        if (newline || (j->end && waiting > 0)) {
            *line = start;
            *n = length;
            j->used += length + (newline != NULL);
            j->line++;
            return GR_OK;
        }
        if (j->end) {
            *line = NULL;
            return GR_OK;
        }
        seen = waiting;
        if (j->used > 0) {
            memmove(j->buffer, start, waiting);
            j->used = 0;
            j->filled = waiting;
        }
        GR_TRY(gr__grow(&j->buffer, 1, j->filled + READ_BYTES, &j->capacity));
        GR_TRY(gr__stream_read(j->stream, j->buffer + j->filled, READ_BYTES, &got));
        j->filled += got;
        j->end = got < READ_BYTES;
    }
}

static bool is_blank(const char *line, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (line[i] != ' ' && line[i] != '\t') return false;
    return true;
}

gr_status gr__jsonl_next(gr__jsonl *j, gr__json *value, bool *more)
{
    char *line = NULL;
    size_t n = 0;
    *more = false;
    gr__json_free(&j->doc);
    GR_FAIL_IF(j->failed != GR_OK, j->failed, "cannot read '%s': an earlier read failed", j->path);
    do {
        j->failed = take_line(j, &line, &n);
        if (j->failed != GR_OK) return j->failed;
        if (!line) return GR_OK;
        if (j->line == 1 && n >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0) line += 3, n -= 3;
        if (n > 0 && line[n - 1] == '\r') n--;
    } while (is_blank(line, n));
    j->text = line;
    j->n = n;
    GR_TRY(gr__json_parse_line(line, n, j->path, j->line, &j->doc));
    *value = gr__json_root(j->doc);
    *more = true;
    return GR_OK;
}

size_t gr__jsonl_line(const gr__jsonl *j) { return j->line; }

const char *gr__jsonl_text(const gr__jsonl *j, size_t *n)
{
    *n = j->n;
    return j->text;
}
