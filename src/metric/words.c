#include "metric/words.h"

#include "base/str.h"

#include <string.h>

gr_status gr__words_check(const char *text, const char *what)
{
    size_t n = strlen(text);
    for (size_t at = 0; at < n;) {
        size_t step = gr__utf8_step(text + at, n - at);
        GR_FAIL_IF(step == 0, GR_ERR_DATA, "%s is not UTF-8 at byte %zu", what, at);
        at += step;
    }
    return GR_OK;
}

static uint32_t code_point(const char *text, size_t bytes)
{
    static const unsigned char first[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    const unsigned char *p = (const unsigned char *)text;
    uint32_t c = p[0] & first[bytes];
    for (size_t i = 1; i < bytes; i++) c = c << 6 | (p[i] & 0x3Fu);
    return c;
}

/* All blanks are of 1 to 3 bytes; reading stops at the closing 0. */
size_t gr__blank(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    if (p[0] < 0x80) return p[0] == ' ' || (p[0] >= 0x09 && p[0] <= 0x0D) || (p[0] >= 0x1C && p[0] <= 0x1F);
    if (p[0] == 0xC2) return p[1] == 0x85 || p[1] == 0xA0 ? 2 : 0;
    if (p[0] < 0xE1 || p[0] > 0xE3 || !p[1] || !p[2]) return 0;
    uint32_t c = code_point(text, 3);
    bool blank = c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
                 c == 0x205F || c == 0x3000;
    return blank ? 3 : 0;
}

const char *gr__trim(const char *text, size_t *n)
{
    size_t blank, end = 0;
    while ((blank = gr__blank(text)) > 0) text += blank;
    for (size_t at = 0, bytes = strlen(text); at < bytes;) {
        blank = gr__blank(text + at);
        at += blank ? blank : GR__MAX(gr__utf8_step(text + at, bytes - at), 1);
        if (!blank) end = at;
    }
    *n = end;
    return text;
}

static gr_status push(gr__words *w, int32_t id)
{
    GR_TRY(gr__grow(&w->id, sizeof *w->id, w->n + 1, &w->capacity));
    w->id[w->n++] = id;
    return GR_OK;
}

gr_status gr__words_add(gr__words *w, gr__map *ids, const char *word, size_t n)
{
    const int64_t *known = gr__map_get(ids, word, n);
    if (known) return push(w, (int32_t)*known);
    GR_FAIL_IF(ids->count >= INT32_MAX, GR_ERR_LIMIT, "a text has too many different words");
    int32_t id = (int32_t)ids->count;
    GR_TRY(gr__map_set(ids, word, n, id, NULL));
    return push(w, id);
}

gr_status gr__words_split(gr__words *w, gr__map *ids, const char *text, size_t n)
{
    for (size_t at = 0, start = 0; at <= n;) {
        size_t blank = at < n ? gr__blank(text + at) : 1;
        if (blank && at > start) GR_TRY(gr__words_add(w, ids, text + start, at - start));
        at += blank ? blank : GR__MAX(gr__utf8_step(text + at, n - at), 1);
        if (blank) start = at;
    }
    return GR_OK;
}

gr_status gr__words_characters(gr__words *w, const char *text, size_t n)
{
    for (size_t at = 0; at < n;) {
        size_t step = GR__MAX(gr__utf8_step(text + at, n - at), 1);
        GR_TRY(push(w, (int32_t)code_point(text + at, step)));
        at += step;
    }
    return GR_OK;
}

void gr__words_release(gr__words *w)
{
    gr__free(w->id);
    *w = (gr__words){0};
}

gr_status gr__words_count(const gr__words *w, size_t n, gr__map *counts)
{
    for (size_t i = 0; i + n <= w->n; i++) {
        int64_t *count = gr__map_get(counts, w->id + i, n * sizeof *w->id);
        if (count)
            ++*count;
        else
            GR_TRY(gr__map_set(counts, w->id + i, n * sizeof *w->id, 1, NULL));
    }
    return GR_OK;
}
