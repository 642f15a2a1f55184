/* GPT-2's pair of files: vocab.json (encoder.json), name -> id, and merges.txt (vocab.bpe), a merge on each line. */
#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "text/tokenizer_int.h"

#include <string.h>

static gr_status read_vocab(gr_tokenizer *tok, gr__json vocab)
{
    GR_FAIL_IF(gr__json_kind_of(vocab) != GR__JSON_OBJECT, GR_ERR_CORRUPT, "the vocabulary is not a JSON object");
    for (void *it = gr__json_first(vocab); it; it = gr__json_next(vocab, it)) {
        int64_t id;
        const char *piece = gr__json_key(it);
        GR_FAIL_IF(!gr__json_int(gr__json_value(it), &id), GR_ERR_CORRUPT, "token '%.40s' has no id", piece);
        GR_TRY(gr__add_token(tok, piece, strlen(piece), id));
    }
    return GR_OK;
}

static gr_status read_merges(gr_tokenizer *tok, const char *text, size_t n)
{
    size_t line = 0;
    for (const char *at = text, *stop = text + n, *next; at < stop; at = next) {
        const char *newline = memchr(at, '\n', (size_t)(stop - at)), *end = newline ? newline : stop;
        next = newline ? newline + 1 : stop;
        line++;
        if (end > at && end[-1] == '\r') end--;
        if (end == at || (line == 1 && *at == '#')) continue; /* "#version: 0.2" */
        const char *space = memchr(at, ' ', (size_t)(end - at));
        GR_FAIL_IF(!space || memchr(space + 1, ' ', (size_t)(end - space - 1)), GR_ERR_CORRUPT,
                   "line %zu is not two tokens with a space between them", line);
        GR_TRY(gr__add_merge(tok, at, (size_t)(space - at), space + 1, (size_t)(end - space - 1)));
    }
    return GR_OK;
}

gr_status gr__read_gpt2_files(const char *vocab_path, const char *merges_path, gr_tokenizer *tok)
{
    static const char end_of_text[] = "<|endoftext|>";
    gr__json_doc *doc;
    char *text;
    size_t n;
    GR_TRY(gr__json_read(vocab_path, GR__LIMIT_JSON_BYTES, &doc));
    gr_status status = read_vocab(tok, gr__json_root(doc));
    gr__json_free(&doc);
    if (status != GR_OK) return gr__fail_prefix(status, "'%s'", vocab_path);
    GR_TRY(gr__file_read(merges_path, GR__LIMIT_JSON_BYTES, &text, &n));
    status = read_merges(tok, text, n);
    gr__free(text);
    if (status != GR_OK) return gr__fail_prefix(status, "'%s'", merges_path);
    int32_t end = gr__find_token(tok, end_of_text, sizeof end_of_text - 1);
    if (end >= 0) GR_TRY(gr__add_added(tok, end_of_text, sizeof end_of_text - 1, end, (gr__added){.special = true}));
    return gr__make_byte_level(tok, gr__pattern_gpt2);
}
