/* The XML that annotation programs write: elements, text, five entities, comments, one declaration. Attributes are passed
 * over; document types (entities of one's own) are refused. The place of an element is the path of names to it. */
#include "format/boxes.h"

#include "base/limits.h"
#include "base/str.h"

#include <math.h>
#include <string.h>

#define PATH_BYTES 512
#define TEXT_BYTES 1024

typedef struct reader {
    const char *p, *end, *start;
    const char *name;
    gr__arena *arena;
    gr__annotation *out;
    size_t capacity, empty_capacity;
    char path[PATH_BYTES]; /* "annotation/object/name" */
    size_t depth, path_n;
    char text[TEXT_BYTES + 1]; /* of the innermost element so far */
    size_t text_n;
    gr__box box;         /* of the object that is being read */
    unsigned seen;       /* which edges it has */
    const char *counted; /* up to here there are 'lines' ends of lines */
    int32_t lines;
    bool done;
} reader;

static gr_status bad(const reader *r, const char *what)
{
    size_t line = 1;
    const char *begin = r->start;
    for (const char *c = r->start; c < r->p; c++)
        if (*c == '\n') line++, begin = c + 1;
    return gr__fail(GR_ERR_CORRUPT, "%s:%zu:%zu: %s", r->name, line, (size_t)(r->p - begin) + 1, what);
}

static bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.' || c == ':';
}

static bool starts(const reader *r, const char *word)
{
    size_t n = strlen(word);
    return (size_t)(r->end - r->p) >= n && memcmp(r->p, word, n) == 0;
}

/* Goes behind 'word'. */
static gr_status skip_to(reader *r, const char *word, const char *what)
{
    while (r->p < r->end && !starts(r, word)) r->p++;
    if (r->p == r->end) return bad(r, what);
    r->p += strlen(word);
    return GR_OK;
}

/* ---- what elements say ---- */

static gr_status number(const reader *r, double *out)
{
    if (!gr__parse_double(r->text, out) || !(fabs(*out) < 1e7)) return bad(r, "a number is expected in this element");
    return GR_OK;
}

static gr_status keep_text(const reader *r, const char **to)
{
    if (r->text_n == 0) return bad(r, "this element is empty");
    *to = gr__arena_strndup(r->arena, r->text, r->text_n);
    return *to ? GR_OK : gr__fail_memory("an annotation", r->text_n);
}

static gr_status add_box(reader *r, gr__box **list, size_t *count, size_t *capacity)
{
    if (*count == *capacity) { /* the arena frees nothing: twice the room each time */
        size_t more = *capacity ? *capacity * 2 : 8;
        gr__box *box = gr__arena_alloc(r->arena, more * sizeof *box);
        if (!box) return gr__fail_memory("boxes", more * sizeof *box);
        if (*count) memcpy(box, *list, *count * sizeof *box);
        *list = box;
        *capacity = more;
    }
    (*list)[(*count)++] = r->box;
    return GR_OK;
}

static gr_status end_object(reader *r)
{
    gr__annotation *a = r->out;
    if (!r->box.class_name || r->seen != 15) return bad(r, "an object needs a name and xmin, ymin, xmax, ymax");
    if (!(r->box.x0 < r->box.x1) || !(r->box.y0 < r->box.y1))
        return add_box(r, &a->empty, &a->without_area, &r->empty_capacity);
    return add_box(r, &a->box, &a->count, &r->capacity);
}

static gr_status end_element(reader *r)
{
    static const char *const edges[] = {"xmin", "ymin", "xmax", "ymax"};
    double v = 0;
    const char *path = r->path;
    r->text[r->text_n] = 0;
    if (strcmp(path, "annotation/filename") == 0) return keep_text(r, &r->out->file);
    if (strcmp(path, "annotation/object/name") == 0) return keep_text(r, &r->box.class_name);
    if (strcmp(path, "annotation/object") == 0) return end_object(r);
    if (strcmp(path, "annotation/object/difficult") == 0) {
        GR_TRY(number(r, &v));
        r->box.difficult = v != 0;
    }
    if (strcmp(path, "annotation/size/width") == 0 || strcmp(path, "annotation/size/height") == 0) {
        GR_TRY(number(r, &v));
        *(path[16] == 'w' ? &r->out->width : &r->out->height) = (int64_t)fmax(v, 0);
    }
    if (strncmp(path, "annotation/object/bndbox/", 25) == 0)
        for (unsigned i = 0; i < 4; i++) {
            if (strcmp(path + 25, edges[i]) != 0) continue;
            if (r->seen & 1u << i) return bad(r, "this edge of a box is there twice");
            GR_TRY(number(r, &v));
            float *to[4] = {&r->box.x0, &r->box.y0, &r->box.x1, &r->box.y1};
            *to[i] = (float)v;
            r->seen |= 1u << i;
        }
    return GR_OK;
}

/* ---- elements ---- */

static gr_status open_tag(reader *r)
{
    const char *name = r->p;
    while (r->p < r->end && is_name(*r->p)) r->p++;
    size_t n = (size_t)(r->p - name);
    if (n == 0) return bad(r, "the name of an element is expected");
    if (r->done) return bad(r, "something follows the annotation");
    GR_FAIL_IF(r->depth == GR__LIMIT_NESTING || r->path_n + n + 2 > PATH_BYTES, GR_ERR_LIMIT,
               "cannot read '%s': it is nested deeper than %d levels", r->name, GR__LIMIT_NESTING);
    if (r->path_n) r->path[r->path_n++] = '/';
    memcpy(r->path + r->path_n, name, n);
    r->path[r->path_n += n] = 0;
    r->depth++;
    if (r->depth == 1 && strcmp(r->path, "annotation") != 0) return bad(r, "the element 'annotation' is expected");
    if (strcmp(r->path, "annotation/object") == 0) {
        for (; r->counted < r->p; r->counted++) r->lines += *r->counted == '\n';
        r->box = (gr__box){.class_index = -1, .line = r->lines + 1};
        r->seen = 0;
    }
    r->text_n = 0;
    for (char quote = 0; r->p < r->end; r->p++) { /* attributes */
        if (!quote && *r->p == '>') return GR_OK;
        if (!quote && *r->p == '<') break;
        if (*r->p == quote)
            quote = 0;
        else if (!quote && (*r->p == '"' || *r->p == '\''))
            quote = *r->p;
    }
    return bad(r, "an element is opened here and its '>' is missing");
}

static gr_status close_tag(reader *r, const char *name, size_t n)
{
    size_t last = r->path_n;
    while (last > 0 && r->path[last - 1] != '/') last--;
    if (r->depth == 0 || (name && (r->path_n - last != n || memcmp(r->path + last, name, n) != 0)))
        return bad(r, "this does not close what was opened last");
    GR_TRY(end_element(r));
    r->path_n = last ? last - 1 : 0;
    r->path[r->path_n] = 0;
    r->done = --r->depth == 0;
    r->text_n = 0;
    return GR_OK;
}

static gr_status take_tag(reader *r)
{
    if (starts(r, "!--")) return skip_to(r, "-->", "a comment is never closed");
    if (*r->p == '?') return skip_to(r, "?>", "a declaration is never closed");
    GR_FAIL_IF(*r->p == '!', GR_ERR_UNSUPPORTED,
               "cannot read '%s': it has a document type or CDATA, which are not read", r->name);
    if (*r->p == '/') {
        const char *name = ++r->p;
        while (r->p < r->end && is_name(*r->p)) r->p++;
        size_t n = (size_t)(r->p - name);
        GR_TRY(close_tag(r, name, n));
        while (r->p < r->end && is_blank(*r->p)) r->p++;
        if (r->p == r->end || *r->p != '>') return bad(r, "'>' is expected");
        r->p++;
        return GR_OK;
    }
    GR_TRY(open_tag(r));
    bool empty = r->p[-1] == '/';
    r->p++;
    return empty ? close_tag(r, NULL, 0) : GR_OK;
}

static gr_status take_text(reader *r)
{
    static const struct {
        const char *code;
        char c;
    } entities[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}};
    char c = *r->p;
    size_t step = 1;
    for (size_t i = 0; c == '&' && step == 1; i++) {
        if (i == GR__COUNT(entities)) return bad(r, "an unknown entity");
        if (starts(r, entities[i].code)) {
            step = strlen(entities[i].code);
            c = entities[i].c;
            break;
        }
    }
    if (r->depth == 0 && !is_blank(c)) return bad(r, "text outside of the annotation");
    if (is_blank(c) && r->text_n == 0) c = 0; /* blanks at the front */
    if (c && (unsigned char)c < 0x20 && !is_blank(c)) return bad(r, "a control character");
    GR_FAIL_IF(r->text_n == TEXT_BYTES, GR_ERR_LIMIT, "cannot read '%s': a text is longer than %d bytes", r->name,
               TEXT_BYTES);
    if (*r->p == 0) return bad(r, "a control character");
    if (c) r->text[r->text_n++] = c;
    r->p += step;
    return GR_OK;
}

gr_status gr__voc_parse(const char *text, size_t n, const char *name, gr__arena *arena, gr__annotation *out)
{
    gr__annotation a = {0};
    reader r = {.p = text, .end = text + n, .start = text, .counted = text, .name = name, .arena = arena, .out = &a};
    if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) r.p += 3;
    while (r.p < r.end) {
        if (*r.p != '<') {
            GR_TRY(take_text(&r));
            continue;
        }
        if (++r.p == r.end) break;
        while (r.text_n > 0 && is_blank(r.text[r.text_n - 1])) r.text_n--;
        GR_TRY(take_tag(&r));
    }
    if (!r.done) return bad(&r, "it ends early; download it again");
    *out = a;
    return GR_OK;
}
