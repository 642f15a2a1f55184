/* A look at a corpus before training on it. */
#include "gradus/data.h"
#include "gradus/tools.h"

#include "base/file.h"
#include "base/map.h"
#include "data/corpus.h"
#include "run/run.h"

#include <string.h>

enum { LEAST_LINE = 16, LONG_LINE = 10000, SHORT_DOCUMENT = 32 };

/* Equal texts are counted by a hash of 64 bits and the length: memory stays small, a collision is one in 10^19. */
static gr_status seen_before(gr__map *map, const char *text, size_t n, bool *before)
{
    uint64_t key[2] = {gr__hash_stable(text, n, 0), n};
    return gr__map_set(map, key, sizeof key, 1, before);
}

static gr_status look_at_lines(gr__map *lines, const char *text, size_t n, gr_text_report *r)
{
    for (size_t at = 0; at < n;) {
        const char *end = memchr(text + at, '\n', n - at);
        size_t length = end ? (size_t)(end - (text + at)) : n - at;
        bool before = false;
        if (length >= LEAST_LINE) GR_TRY(seen_before(lines, text + at, length, &before));
        r->lines++;
        r->duplicate_lines += before;
        r->long_lines += length > LONG_LINE;
        at += length + 1;
    }
    return GR_OK;
}

static void count_characters(const char *text, size_t n, gr_text_report *r, int64_t *characters)
{
    *characters = 0;
    for (size_t i = 0; i < n; i++) {
        *characters += ((unsigned char)text[i] & 0xC0) != 0x80;
        if (n - i >= 3 && memcmp(text + i, "\xEF\xBF\xBD", 3) == 0) r->replaced++;
    }
    r->characters += *characters;
}

static gr_status look_at(const gr__corpus *c, gr_text_report *r)
{
    gr__map documents = {0}, lines = {0};
    gr_status status = GR_OK;
    for (size_t i = 0; i < c->n; i++) {
        gr_text_source d = c->document[i];
        int64_t characters;
        bool before = false;
        count_characters(d.text, d.n, r, &characters);
        if (characters == 0)
            r->empty_documents++;
        else if (characters < SHORT_DOCUMENT)
            r->short_documents++;
        if (d.n) GR_TRY_DONE(seen_before(&documents, d.text, d.n, &before));
        r->duplicate_documents += before;
        GR_TRY_DONE(look_at_lines(&lines, d.text, d.n, r));
    }
done:
    gr__map_release(&documents);
    gr__map_release(&lines);
    return status;
}

gr_status gr_text_check(const char *path, gr_text_report *out)
{
    GR_FAIL_IF(!path || !out, GR_ERR_ARGUMENT, "gr_text_check: an argument is NULL");
    gr__corpus c = {0};
    gr_status status = gr__corpus_read(path, (gr__corpus_options){.any_bytes = false}, &c);
    if (status == GR_OK) {
        *out =
            (gr_text_report){.documents = (int64_t)c.n, .bytes = (int64_t)c.bytes, .skipped_files = (int64_t)c.skipped};
        status = look_at(&c, out);
    }
    gr__corpus_release(&c);
    return status;
}

/* The text of data.KEY; NULL: it is not given, or no text. */
static const char *data_text(const gr_run *run, const char *key)
{
    const gr__conf *data = gr__conf_get(run->root, "data");
    const gr__conf *v = data && data->kind == GR__CONF_MAP ? gr__conf_get(data, key) : NULL;
    return gr__conf_is_null(v) || v->kind != GR__CONF_SCALAR ? NULL : v->text;
}

const char *gr_run_source(const gr_run *run)
{
    const gr__conf *source = gr__conf_main(gr__conf_get(run->root, "data"), "source");
    bool none =
        gr__conf_is_null(source) || source->kind != GR__CONF_SCALAR || strncmp(source->text, "builtin:", 8) == 0;
    return none ? NULL : source->text;
}

static bool is_records(const char *path)
{
    static const char *const ends[] = {".csv", ".tsv", ".jsonl", ".txt"};
    for (size_t i = 0; path && i < GR__COUNT(ends); i++)
        if (gr__str_ends_packed(path, ends[i])) return gr__file_exists(path) && !gr__file_is_dir(path);
    return false;
}

/* As training reads them. */
static gr_records_options as_told(const gr_run *run)
{
    const char *header = data_text(run, "header");
    return (gr_records_options){.skip_bad = true,
                                .header = !header                      ? GR_HEADER_AUTO
                                          : strcmp(header, "yes") == 0 ? GR_HEADER_YES
                                          : strcmp(header, "no") == 0  ? GR_HEADER_NO
                                                                       : GR_HEADER_AUTO};
}

gr_status gr_run_leaks(const gr_run *run, int64_t *n, int64_t *line_train, int64_t *line_test)
{
    GR_FAIL_IF(!run || !n || !line_train || !line_test, GR_ERR_ARGUMENT, "gr_run_leaks: an argument is NULL");
    const char *train = gr_run_source(run), *test = data_text(run, "valid_source");
    if (!test) test = data_text(run, "test_source");
    gr_records *a = NULL, *b = NULL;
    gr_records_options skip = as_told(run);
    *n = *line_train = *line_test = 0;
    if (!is_records(train) || !is_records(test)) return GR_OK;
    gr_status status = gr_records_open(train, &skip, &a);
    if (status == GR_OK) status = gr_records_open(test, &skip, &b);
    if (status == GR_OK && gr_records_columns(a) == gr_records_columns(b))
        status = gr_records_overlap(a, b, NULL, 0, n, line_train, line_test);
    gr_records_free(&a);
    gr_records_free(&b);
    return status;
}

gr_status gr_run_duplicates(const gr_run *run, int64_t *n)
{
    GR_FAIL_IF(!run || !n, GR_ERR_ARGUMENT, "gr_run_duplicates: an argument is NULL");
    const char *source = gr_run_source(run);
    gr_dedup_report found = {0};
    gr_records *r = NULL;
    *n = 0;
    if (!is_records(source)) return GR_OK;
    gr_records_options how = as_told(run);
    gr_status status = gr_records_open(source, &how, &r);
    if (status == GR_OK) status = gr_records_dedup(r, NULL, &found);
    if (status == GR_OK) *n = found.exact;
    gr_records_free(&r);
    return status;
}
