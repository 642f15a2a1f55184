#include "format/jsonl.h"

#include "base/limits.h"
#include "base/lines.h"

#include <string.h>

struct gr__jsonl {
    char *path;
    gr__lines *lines;
    gr__json_doc *doc;
    const char *text; /* n bytes: the value */
    size_t n;
};

gr_status gr__jsonl_open(const char *path, gr__jsonl **out)
{
    gr__jsonl *j = gr__calloc(1, sizeof *j);
    if (!j) return gr__fail_memory("a JSONL reader", sizeof *j);
    j->path = gr__strdup(path);
    gr_status status = j->path ? gr__lines_open(path, GR__LIMIT_JSONL_LINE_BYTES, &j->lines)
                               : gr__fail_memory("a file name", strlen(path));
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
    gr__lines_close(&j->lines);
    gr__free(j->path);
    gr__free(j);
    *jsonl = NULL;
}

static bool is_blank(const char *line, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (line[i] != ' ' && line[i] != '\t') return false;
    return true;
}

gr_status gr__jsonl_next(gr__jsonl *j, gr__json *value, bool *more)
{
    gr__json_free(&j->doc);
    do {
        GR_TRY(gr__lines_next(j->lines, &j->text, &j->n, more));
        if (!*more) return GR_OK;
    } while (is_blank(j->text, j->n));
    *more = false;
    GR_TRY(gr__json_parse_line(j->text, j->n, j->path, gr__lines_number(j->lines), &j->doc));
    *value = gr__json_root(j->doc);
    *more = true;
    return GR_OK;
}

size_t gr__jsonl_line(const gr__jsonl *j) { return gr__lines_number(j->lines); }

const char *gr__jsonl_text(const gr__jsonl *j, size_t *n)
{
    *n = j->n;
    return j->text;
}
