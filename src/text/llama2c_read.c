/* The tokenizer .bin of llama2.c, an export of a SentencePiece BPE model:
 *
 *   i32 longest token | per token: f32 score, i32 n, n bytes | ...          (little-endian)
 *   ids: 0 <unk>, 1 <s>, 2 </s>, 3 to 258 the bytes <0x00> to <0xFF>, then pieces with spaces as they are
 *
 * There, two neighbours are joined when their text together is a token, the best score first. The same as a list of
 * merges: every way to cut a token into two tokens is a merge, ranked by the token's score. Spaces become U+2581, so
 * that the tokenizer is the one that Hugging Face makes of such a model. */
#include "base/file.h"
#include "text/tokenizer_int.h"
#include "text/utf8.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_PIECE 259
#define MOST_PIECE_BYTES 1024
#define MARK "\xE2\x96\x81"

typedef struct cut_of {
    float score;
    int32_t id;
    uint32_t n_left;
} cut_of;

typedef struct llama2c {
    gr_tokenizer *tok;
    float *score;
    size_t score_capacity;
    cut_of *cut;
    size_t n_cut, cut_capacity;
} llama2c;

static const char *fixed_name(int64_t id, char name[8])
{
    static const char *const control[] = {"<unk>", "<s>", "</s>"};
    if (id < 3) return control[id];
    const char *digits = "0123456789ABCDEF";
    int byte = (int)(id - 3);
    memcpy(name, "<0x00>", 7);
    name[3] = digits[byte >> 4];
    name[4] = digits[byte & 15];
    return name;
}

/* The export writes the control tokens with line ends around them. */
static bool is_fixed(const char *text, size_t n, const char *name)
{
    while (n > 0 && *text == '\n') text++, n--;
    while (n > 0 && text[n - 1] == '\n') n--;
    return n == strlen(name) && memcmp(text, name, n) == 0;
}

static gr_status add_piece(llama2c *f, int64_t id, const char *text, size_t n)
{
    if (id < FIRST_PIECE) {
        char room[8];
        const char *name = fixed_name(id, room);
        GR_FAIL_IF(!is_fixed(text, n, name), GR_ERR_CORRUPT, "token %lld is not '%s': not a tokenizer of llama2.c",
                   (long long)id, name);
        GR_TRY(gr__add_token(f->tok, name, strlen(name), id));
        return id < 3 ? gr__add_added(f->tok, name, strlen(name), id, (gr__added){.special = true}) : GR_OK;
    }
    GR_FAIL_IF(n == 0 || !gr__utf8_valid(text, n, NULL), GR_ERR_CORRUPT, "token %lld is empty or not UTF-8",
               (long long)id);
    gr__str piece = {0};
    gr__replace_all(&piece, text, n, " ", MARK);
    gr_status status = gr__str_check(&piece);
    if (status == GR_OK) status = gr__add_token(f->tok, gr__str_get(&piece), piece.n, id);
    gr__str_release(&piece);
    return status;
}

static gr_status read_tokens(llama2c *f, const unsigned char *data, size_t n)
{
    GR_FAIL_IF(n < 4, GR_ERR_CORRUPT, "the file is too short");
    int64_t id = 0;
    for (size_t at = 4; at < n; id++) {
        float score;
        int32_t size;
        GR_FAIL_IF(n - at < 8, GR_ERR_CORRUPT, "token %lld is cut off at the end of the file", (long long)id);
        memcpy(&score, data + at, 4);
        memcpy(&size, data + at + 4, 4);
        at += 8;
        GR_FAIL_IF(size < 0 || size > MOST_PIECE_BYTES || (size_t)size > n - at || !isfinite(score), GR_ERR_CORRUPT,
                   "token %lld has %d bytes, which is wrong, or a score that is not a number", (long long)id, size);
        GR_TRY(gr__grow(&f->score, sizeof *f->score, (size_t)id + 1, &f->score_capacity));
        f->score[id] = score;
        GR_TRY(add_piece(f, id, (const char *)data + at, (size_t)size));
        at += (size_t)size;
    }
    GR_FAIL_IF(id < FIRST_PIECE, GR_ERR_CORRUPT, "the file has %lld tokens, fewer than the 256 bytes need",
               (long long)id);
    return GR_OK;
}

/* ---- merges ---- */

static gr_status find_cuts(llama2c *f)
{
    const gr_tokenizer *tok = f->tok;
    for (int32_t id = FIRST_PIECE; id < tok->n_token; id++) {
        const gr__token *t = &tok->token[id];
        for (size_t i = 1; i < t->n_piece; i++) {
            if (((unsigned char)t->piece[i] & 0xC0) == 0x80) continue;
            if (gr__find_token(tok, t->piece, i) < FIRST_PIECE) continue;
            if (gr__find_token(tok, t->piece + i, t->n_piece - i) < FIRST_PIECE) continue;
            GR_TRY(gr__grow(&f->cut, sizeof *f->cut, f->n_cut + 1, &f->cut_capacity));
            f->cut[f->n_cut++] = (cut_of){f->score[id], id, (uint32_t)i};
        }
    }
    return GR_OK;
}

/* Best score first; of one token the cut with the longer left part first, as Hugging Face's converter has it. */
static int by_score(const void *x, const void *y)
{
    const cut_of *a = x, *b = y;
    if (a->score != b->score) return a->score > b->score ? -1 : 1;
    if (a->id != b->id) return a->id < b->id ? -1 : 1;
    return a->n_left > b->n_left ? -1 : a->n_left < b->n_left;
}

static gr_status add_merges(llama2c *f)
{
    GR_TRY(find_cuts(f));
    if (f->n_cut > 0) qsort(f->cut, f->n_cut, sizeof *f->cut, by_score);
    for (size_t i = 0; i < f->n_cut; i++) {
        const gr__token *t = &f->tok->token[f->cut[i].id];
        size_t left = f->cut[i].n_left;
        GR_TRY(gr__add_merge(f->tok, t->piece, left, t->piece + left, t->n_piece - left));
    }
    return GR_OK;
}

/* ---- the whole ---- */

/* Prepend and Replace on the way in; Replace, ByteFallback, Fuse, Strip on the way out; <s> before a text. */
static gr_status add_steps(gr_tokenizer *tok)
{
    gr__step *step;
    GR_TRY(gr__add_step(&tok->normalize, GR__NORM_PREPEND, &step));
    step->a = MARK;
    GR_TRY(gr__add_step(&tok->normalize, GR__NORM_REPLACE, &step));
    step->a = " ", step->b = MARK;
    GR_TRY(gr__add_step(&tok->decode, GR__DECODE_REPLACE, &step));
    step->a = MARK, step->b = " ";
    GR_TRY(gr__add_step(&tok->decode, GR__DECODE_BYTE_FALLBACK, &step));
    GR_TRY(gr__add_step(&tok->decode, GR__DECODE_FUSE, &step));
    GR_TRY(gr__add_step(&tok->decode, GR__DECODE_STRIP, &step));
    step->a = " ", step->count = 1;
    GR_TRY(gr__grow(&tok->before, sizeof *tok->before, 1, &tok->before_capacity));
    tok->before[tok->n_before++] = 1;
    tok->byte_fallback = tok->fuse_unk = true;
    tok->model_unk = 0;
    return GR_OK;
}

gr_status gr__read_llama2c(const char *path, gr_tokenizer *tok)
{
    gr__mapping map;
    llama2c f = {.tok = tok};
    GR_TRY(gr__file_map(path, &map));
    gr_status status = read_tokens(&f, map.data, map.n);
    gr__file_unmap(&map);
    if (status == GR_OK) status = add_merges(&f);
    if (status == GR_OK) status = add_steps(tok);
    gr__free(f.score);
    gr__free(f.cut);
    return status;
}
