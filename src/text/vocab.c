/* Building a tokenizer: tokens, added tokens, merges, steps, and the tables derived from them. */
#include "text/bytemap.h"
#include "text/tokenizer_int.h"
#include "text/utf8.h"

#include <string.h>

#define MARK "\xE2\x96\x81" /* U+2581, a space in Llama's vocabularies */
#define SHOWN 40            /* bytes of a name in a message */

static int shown(size_t n) { return n > SHOWN ? SHOWN : (int)n; }

gr_status gr__tokenizer_new(gr_tokenizer **out)
{
    gr_tokenizer *tok = gr__calloc(1, sizeof *tok);
    if (!tok) return gr__fail_memory("a tokenizer", sizeof *tok);
    tok->model_unk = -1;
    tok->special = (gr_tokenizer_specials){-1, -1, -1, -1};
    for (int b = 0; b < 256; b++) tok->byte_id[b] = -1;
    *out = tok;
    return GR_OK;
}

static void release_steps(gr__steps *steps)
{
    for (int i = 0; i < steps->n; i++) gr__pattern_free(&steps->step[i].pattern);
}

void gr_tokenizer_close(gr_tokenizer **tokenizer)
{
    gr_tokenizer *tok = tokenizer ? *tokenizer : NULL;
    if (!tok) return;
    for (int i = 0; i < GR__SPARE_SCRATCH; i++) {
        gr__scratch *scratch = atomic_load(&tok->spare[i]);
        gr__scratch_free(&scratch);
    }
    release_steps(&tok->split);
    gr__trie_release(&tok->raw);
    gr__trie_release(&tok->normalized);
    gr__pair_map_release(&tok->char_id);
    gr__pair_map_release(&tok->merge_of);
    gr__free(tok->before);
    gr__free(tok->after);
    gr__free(tok->added);
    gr__free(tok->merge);
    gr__free(tok->token);
    gr__map_release(&tok->by_piece);
    gr__arena_release(&tok->arena);
    gr__free(tok);
    *tokenizer = NULL;
}

/* Makes room for an id. Ids may leave gaps, but a small file must not ask for a huge table. */
static gr_status reserve_id(gr_tokenizer *tok, const char *piece, size_t n, int64_t id)
{
    size_t most = GR__MIN(tok->by_piece.count + ((size_t)1 << 20), (size_t)GR__MOST_TOKENS);
    GR_FAIL_IF(id < 0 || (uint64_t)id >= most, GR_ERR_CORRUPT, "token '%.*s' has id %lld, which is out of range",
               shown(n), piece, (long long)id);
    GR_FAIL_IF(n > UINT32_MAX, GR_ERR_LIMIT, "a token of %zu bytes is too long", n);
    if (id < tok->n_token) return GR_OK;
    GR_TRY(gr__grow(&tok->token, sizeof *tok->token, (size_t)id + 1, &tok->token_capacity));
    memset(tok->token + tok->n_token, 0, (size_t)(id + 1 - tok->n_token) * sizeof *tok->token);
    tok->n_token = (int32_t)id + 1;
    return GR_OK;
}

static gr_status name_token(gr_tokenizer *tok, const char *piece, size_t n, int64_t id)
{
    GR_TRY(reserve_id(tok, piece, n, id));
    gr__token *token = &tok->token[id];
    GR_FAIL_IF(token->piece, GR_ERR_CORRUPT, "tokens '%.*s' and '%.*s' have the same id %lld", shown(token->n_piece),
               token->piece, shown(n), piece, (long long)id);
    bool was_there;
    GR_TRY(gr__map_set(&tok->by_piece, piece, n, id, &was_there));
    GR_FAIL_IF(was_there, GR_ERR_CORRUPT, "token '%.*s' is there twice, again with id %lld", shown(n), piece,
               (long long)id);
    token->piece = tok->by_piece.entry[tok->by_piece.count - 1].key;
    token->n_piece = n;
    return GR_OK;
}

gr_status gr__add_token(gr_tokenizer *tok, const char *piece, size_t n, int64_t id)
{
    GR_TRY(name_token(tok, piece, n, id));
    tok->token[id].in_model = true;
    return GR_OK;
}

gr_status gr__add_added(gr_tokenizer *tok, const char *text, size_t n, int64_t id, gr__added flags)
{
    GR_FAIL_IF(n == 0, GR_ERR_CORRUPT, "added token %lld has no text", (long long)id);
    int32_t known = gr__find_token(tok, text, n);
    GR_FAIL_IF(known >= 0 && (known != id || tok->token[known].added), GR_ERR_CORRUPT,
               "added token '%.*s' has id %lld, but the vocabulary has it with id %d", shown(n), text, (long long)id,
               known);
    if (known < 0) GR_TRY(name_token(tok, text, n, id));
    tok->token[id].added = true;
    tok->token[id].special = flags.special;
    tok->token[id].normalized = flags.normalized;
    GR_TRY(gr__grow(&tok->added, sizeof *tok->added, tok->n_added + 1, &tok->added_capacity));
    flags.id = (int32_t)id;
    tok->added[tok->n_added++] = flags;
    return GR_OK;
}

static gr_status model_id(const gr_tokenizer *tok, const char *piece, size_t n, int32_t *id)
{
    *id = gr__find_token(tok, piece, n);
    GR_FAIL_IF(*id < 0 || !tok->token[*id].in_model, GR_ERR_CORRUPT,
               "merge %zu needs '%.*s', which is not in the vocabulary", tok->n_merge, shown(n), piece);
    return GR_OK;
}

gr_status gr__add_merge(gr_tokenizer *tok, const char *a, size_t n_a, const char *b, size_t n_b)
{
    gr__merge merge;
    char small[256], *joined = small;
    size_t n;
    GR_TRY(model_id(tok, a, n_a, &merge.a));
    GR_TRY(model_id(tok, b, n_b, &merge.b));
    if (!gr__add_size(n_a, n_b, &n) || (n > sizeof small && !(joined = gr__alloc(n))))
        return gr__fail_memory("a merge", n_a + n_b);
    memcpy(joined, a, n_a);
    memcpy(joined + n_a, b, n_b);
    gr_status status = model_id(tok, joined, n, &merge.id);
    if (joined != small) gr__free(joined);
    GR_TRY(status);
    GR_TRY(gr__grow(&tok->merge, sizeof *tok->merge, tok->n_merge + 1, &tok->merge_capacity));
    tok->merge[tok->n_merge++] = merge;
    return GR_OK;
}

gr_status gr__add_step(gr__steps *steps, gr__step_kind kind, gr__step **out)
{
    GR_FAIL_IF(steps->n == GR__MOST_STEPS, GR_ERR_LIMIT, "a tokenizer has more than %d steps in one list",
               GR__MOST_STEPS);
    *out = &steps->step[steps->n++];
    **out = (gr__step){.kind = kind};
    return GR_OK;
}

gr_status gr__make_byte_level(gr_tokenizer *tok, const char *pattern)
{
    gr__step *step = NULL;
    bool gpt2 = pattern && strcmp(pattern, gr__pattern_gpt2) == 0;
    if (pattern && !gpt2) {
        GR_TRY(gr__add_step(&tok->split, GR__SPLIT_REGEX, &step));
        step->a = gr__arena_strdup(&tok->arena, pattern);
        if (!step->a) return gr__fail_memory("a pattern", strlen(pattern));
    }
    GR_TRY(gr__add_step(&tok->split, GR__SPLIT_BYTE_LEVEL, &step));
    step->flag = gpt2;
    return gr__add_step(&tok->decode, GR__DECODE_BYTE_LEVEL, &step);
}

/* ---- derived tables ---- */

static gr_status compile_patterns(gr_tokenizer *tok)
{
    for (int i = 0; i < tok->split.n; i++) {
        gr__step *step = &tok->split.step[i];
        const char *regex = NULL;
        if (step->kind == GR__SPLIT_REGEX) regex = step->a;
        if (step->kind == GR__SPLIT_DIGITS) regex = step->flag ? "\\p{N}" : "\\p{N}+";
        if (step->kind == GR__SPLIT_BYTE_LEVEL) {
            tok->byte_level = true;
            if (step->flag) regex = gr__pattern_gpt2;
        }
        if (regex && !step->pattern) GR_TRY(gr__pattern_compile(regex, &step->pattern));
    }
    return GR_OK;
}

static gr_status index_added(gr_tokenizer *tok)
{
    gr_status status = GR_OK;
    gr__str text = {0}, scratch = {0};
    for (size_t i = 0; i < tok->n_added; i++) {
        const gr__token *token = &tok->token[tok->added[i].id];
        bool normalized = tok->added[i].normalized && tok->normalize.n > 0;
        GR_TRY_DONE(normalized ? gr__normalize(tok, token->piece, token->n_piece, &text, &scratch) : GR_OK);
        GR_TRY_DONE(normalized ? gr__trie_add(&tok->normalized, gr__str_get(&text), text.n, (uint32_t)i)
                    : tok->added[i].normalized
                        ? gr__trie_add(&tok->normalized, token->piece, token->n_piece, (uint32_t)i)
                        : gr__trie_add(&tok->raw, token->piece, token->n_piece, (uint32_t)i));
    }
done:
    gr__str_release(&text);
    gr__str_release(&scratch);
    return status;
}

/* Tokens that are one character long, and whether a mark ever follows another character inside a merge's result. */
static gr_status index_characters(gr_tokenizer *tok)
{
    for (int32_t id = 0; id < tok->n_token; id++) {
        const gr__token *token = &tok->token[id];
        uint32_t code;
        size_t length;
        if (!token->in_model || token->n_piece == 0 || token->n_piece > 4) continue;
        if (gr__utf8_next(token->piece, token->n_piece, &code, &length) == GR__UTF8_GOOD && length == token->n_piece)
            GR_TRY(gr__pair_map_set(&tok->char_id, code, (uint64_t)id));
    }
    tok->cut_at_mark = !tok->byte_level;
    for (size_t i = 0; i < tok->n_merge && tok->cut_at_mark; i++) {
        const gr__token *a = &tok->token[tok->merge[i].a], *b = &tok->token[tok->merge[i].b];
        bool a_ends = a->n_piece >= 3 && memcmp(a->piece + a->n_piece - 3, MARK, 3) == 0;
        bool b_starts = b->n_piece >= 3 && memcmp(b->piece, MARK, 3) == 0;
        if (b_starts && !a_ends) tok->cut_at_mark = false;
    }
    return GR_OK;
}

/* Where single bytes start from: their characters in a byte-level model, else tokens like <0x0A>. */
static gr_status index_bytes(gr_tokenizer *tok)
{
    gr__str name = {0};
    for (int b = 0; b < 256 && (tok->byte_level || tok->byte_fallback); b++) {
        unsigned char byte = (unsigned char)b;
        gr__str_clear(&name);
        if (tok->byte_level)
            gr__bytemap_add(&name, &byte, 1);
        else
            gr__str_printf(&name, "<0x%02X>", b);
        int32_t id = gr__find_token(tok, gr__str_get(&name), name.n);
        tok->byte_id[b] = id >= 0 && tok->token[id].in_model ? id : -1;
    }
    gr_status status = gr__str_check(&name);
    gr__str_release(&name);
    return status;
}

static gr_status index_merges(gr_tokenizer *tok)
{
    for (size_t rank = 0; rank < tok->n_merge; rank++) { /* of equal pairs the last one counts */
        const gr__merge *m = &tok->merge[rank];
        GR_TRY(gr__pair_map_set(&tok->merge_of, gr__pair((uint32_t)m->a, (uint32_t)m->b),
                                gr__pair((uint32_t)rank, (uint32_t)m->id)));
    }
    return GR_OK;
}

static gr_tokenizer_type find_type(const gr_tokenizer *tok)
{
    if (tok->inside) return GR_TOKENIZER_WORD_PIECE;
    if (tok->byte_level) {
        for (int b = 0; b < 256; b++)
            if (tok->byte_id[b] != b) return GR_TOKENIZER_BPE;
        return tok->n_merge == 0 ? GR_TOKENIZER_BYTE : GR_TOKENIZER_BPE;
    }
    bool plain = tok->n_merge == 0 && tok->normalize.n == 0 && tok->split.n == 0 && !tok->byte_fallback;
    return plain ? GR_TOKENIZER_CHAR : GR_TOKENIZER_LLAMA;
}

static int32_t first_special(const gr_tokenizer *tok, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int32_t id = gr__find_token(tok, names[i], strlen(names[i]));
        if (id >= 0 && tok->token[id].special) return id;
    }
    return -1;
}

/* Names in use, where no tokenizer_config.json said which. */
static void guess_specials(gr_tokenizer *tok)
{
    static const char *const bos[] = {"<s>", "<|begin_of_text|>", "<bos>", "<|startoftext|>", "[BOS]", "<|endoftext|>"};
    static const char *const eos[] = {"</s>",       "<|end_of_text|>", "<eos>", "<|endoftext|>",
                                      "<|eot_id|>", "<|im_end|>",      "[EOS]"};
    static const char *const unk[] = {"<unk>", "[UNK]", "<|unk|>"};
    static const char *const pad[] = {"<pad>", "[PAD]", "<|pad|>", "<|finetune_right_pad_id|>"};
    gr_tokenizer_specials *s = &tok->special;
    if (s->bos < 0) s->bos = first_special(tok, bos, GR__COUNT(bos));
    if (s->eos < 0) s->eos = first_special(tok, eos, GR__COUNT(eos));
    if (s->unk < 0) s->unk = tok->model_unk >= 0 ? tok->model_unk : first_special(tok, unk, GR__COUNT(unk));
    if (s->pad < 0) s->pad = first_special(tok, pad, GR__COUNT(pad));
}

gr_status gr__tokenizer_finish(gr_tokenizer *tok)
{
    GR_FAIL_IF(tok->by_piece.count == 0, GR_ERR_CORRUPT, "the vocabulary is empty");
    GR_TRY(compile_patterns(tok));
    GR_TRY(index_added(tok));
    GR_TRY(gr__make_token_bytes(tok));
    GR_TRY(index_bytes(tok));
    if (!tok->byte_level) GR_TRY(index_characters(tok));
    GR_TRY(index_merges(tok));
    guess_specials(tok);
    tok->type = find_type(tok);
    return GR_OK;
}
