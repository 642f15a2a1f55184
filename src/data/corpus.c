#include "data/corpus.h"

#include "base/log.h"
#include "base/str.h"
#include "text/utf8.h"

#include <string.h>

#define MOST_FILE_BYTES ((size_t)1 << 40)
#define MAPPED_BYTES ((uint64_t)16 << 20) /* and more; a file that another program may still be writing is small */

typedef struct gr__held_text held_text;

static void release(held_text *held)
{
    gr__free(held->read);
    gr__file_unmap(&held->map);
}

/* A byte-order mark is not text. */
static gr_text_source without_mark(const char *text, size_t n)
{
    size_t mark = n >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    return (gr_text_source){text + mark, n - mark};
}

/* Takes 'held' over, also when it fails. */
static gr_status add(gr__corpus *c, held_text held, gr_text_source text)
{
    size_t capacity = c->capacity;
    gr_status s = gr__grow(&c->document, sizeof *c->document, c->n + 1, &c->capacity);
    if (s == GR_OK) s = gr__grow(&c->held, sizeof *c->held, c->n + 1, &capacity);
    if (s != GR_OK) {
        release(&held);
        return s;
    }
    c->held[c->n] = held;
    c->document[c->n++] = text;
    c->bytes += text.n;
    return GR_OK;
}

/* A pipe has no size. */
static gr_status hold(const char *path, held_text *held, gr_text_source *text)
{
    uint64_t size = 0;
    size_t n;
    *held = (held_text){0};
    if (gr__file_size(path, &size) == GR_OK && size >= MAPPED_BYTES) {
        GR_TRY(gr__file_map(path, &held->map));
        *text = without_mark((const char *)held->map.data, held->map.n);
    } else {
        GR_TRY(gr__file_read(path, MOST_FILE_BYTES, &held->read, &n));
        *text = without_mark(held->read, n);
    }
    return GR_OK;
}

static gr_status check_utf8(const char *name, const char *text, size_t n)
{
    size_t at;
    const char *nul = memchr(text, 0, n);
    GR_FAIL_IF(nul, GR_ERR_DATA,
               "'%s' holds a NUL byte at offset %zu; is it a text in UTF-8? Convert it, or use tokenizer.type=byte",
               name, (size_t)(nul - text));
    if (gr__utf8_valid(text, n, &at)) return GR_OK;
    return gr__fail(GR_ERR_DATA,
                    "'%s' is not UTF-8: byte 0x%02x at offset %zu; convert it, or use tokenizer.type=byte; lines of "
                    "label and text in ISO-8859-1 are read with task=text-classification data.encoding=latin-1",
                    name, (unsigned char)text[at], at);
}

static gr_status add_file(gr__corpus *c, const char *path, bool any_bytes, bool only_one)
{
    held_text held;
    gr_text_source text;
    GR_TRY(hold(path, &held, &text));
    gr_status s = any_bytes ? GR_OK : check_utf8(path, text.text, text.n);
    if (s == GR_OK && (text.n > 0 || only_one)) return add(c, held, text);
    release(&held);
    return s;
}

static bool is_text_name(const char *name) { return gr__str_ends(name, ".txt") || gr__str_ends(name, ".md"); }

/* An entry that is no file, though its name says text. */
static gr_status refuse(const char *path, bool link)
{
    bool folder = link && gr__file_is_dir(path);
    if (folder) gr__log(GR_LOG_WARNING, "'%s' is a link to a folder, which is not followed", path);
    GR_FAIL_IF(!folder && is_text_name(path), GR_ERR_DATA,
               "'%s' cannot be read: it is %s; remove it, or set data.skip_bad=true", path,
               link ? "a link to nothing" : "no regular file");
    return GR_OK;
}

typedef enum entry { FILES, LINKS, OTHERS } entry;

static gr_status add_entry(gr__corpus *c, const char *folder, const char *name, entry what, gr__corpus_options o)
{
    char *path = gr__path_join(folder, name);
    if (!path) return gr__fail_memory("a path", strlen(name));
    gr_status status = what != FILES        ? refuse(path, what == LINKS)
                       : is_text_name(name) ? add_file(c, path, o.any_bytes, false)
                                            : GR_OK;
    gr__free(path);
    bool bad = (status == GR_ERR_DATA || status == GR_ERR_IO) && o.skip_bad;
    if (bad) gr__log(GR_LOG_WARNING, "left out: %s", gr_message());
    if (bad || (status == GR_OK && (what != FILES || !is_text_name(name)))) c->skipped++;
    return bad ? GR_OK : status;
}

static gr_status add_folder(gr__corpus *c, const char *path, gr__corpus_options o)
{
    gr__dir_tree tree;
    GR_TRY(gr__dir_tree_read(path, o.skip_bad, &tree));
    size_t no_texts = 0;
    for (size_t i = 0; i < tree.files.n; i++) no_texts += !is_text_name(tree.files.item[i]);
    const gr__names *lists[] = {[FILES] = &tree.files, [LINKS] = &tree.links, [OTHERS] = &tree.others};
    gr_status status = GR_OK;
    for (entry what = FILES; what <= OTHERS; what++)
        for (size_t i = 0; i < lists[what]->n && status == GR_OK; i++)
            status = add_entry(c, path, lists[what]->item[i], what, o);
    gr__dir_tree_release(&tree);
    if (status == GR_OK && no_texts > c->n)
        gr__log(GR_LOG_WARNING,
                "'%s' is read as text: %zu of its files are passed over, as they are no .txt or .md; %s", path,
                no_texts, "for pictures or sounds name a task, like task=image-classification");
    return status;
}

gr_status gr__corpus_read(const char *path, gr__corpus_options o, gr__corpus *out)
{
    *out = (gr__corpus){0};
    gr_status s = gr__file_is_dir(path) ? add_folder(out, path, o) : add_file(out, path, o.any_bytes, true);
    if (s == GR_OK && out->bytes == 0)
        s = gr__fail(GR_ERR_DATA, "'%s' holds no text%s", path,
                     gr__file_is_dir(path) ? " (.txt and .md files are read)" : ": the file is empty");
    if (s != GR_OK) gr__corpus_release(out);
    return s;
}

gr_status gr__corpus_of_text(char *text, size_t n, bool any_bytes, gr__corpus *out)
{
    *out = (gr__corpus){0};
    gr_status s = any_bytes ? GR_OK : check_utf8("the corpus", text, n);
    if (s != GR_OK)
        gr__free(text);
    else
        s = add(out, (held_text){.read = text}, (gr_text_source){text, n});
    if (s == GR_OK && n == 0) s = gr__fail(GR_ERR_DATA, "the corpus is empty");
    if (s != GR_OK) gr__corpus_release(out);
    return s;
}

void gr__corpus_release(gr__corpus *c)
{
    for (size_t i = 0; i < c->n; i++) release(&c->held[i]);
    gr__free(c->held);
    gr__free(c->document);
    *c = (gr__corpus){0};
}
