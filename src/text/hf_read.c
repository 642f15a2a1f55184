/* Reading tokenizer.json of Hugging Face tokenizers: BPE and WordPiece models with the steps listed in the tables below; any other
 * type is refused by its name. 'truncation' and 'padding' are left to the callers and not read. */
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "text/tokenizer_int.h"

#include <string.h>

#define MOST_PATTERN_BYTES 8192

typedef gr_status (*read_fn)(gr_tokenizer *tok, gr__json v);

/* One type of step: its name in the file and who reads it. */
typedef struct reader {
    const char *type;
    read_fn read;
} reader;

static bool is_absent(gr__json v)
{
    return gr__json_kind_of(v) == GR__JSON_NONE || gr__json_kind_of(v) == GR__JSON_NULL;
}

static gr_status get_bool(gr__json object, const char *key, bool missing, bool *out)
{
    gr__json v = gr__json_get(object, key);
    *out = missing;
    GR_FAIL_IF(!is_absent(v) && !gr__json_bool(v, out), GR_ERR_CORRUPT, "'%s' is not true or false", key);
    return GR_OK;
}

/* A text without 0 bytes, copied into the arena. */
static gr_status get_text(gr_tokenizer *tok, gr__json object, const char *key, size_t most, const char **out)
{
    const char *text;
    size_t n;
    GR_FAIL_IF(!gr__json_string(gr__json_get(object, key), &text, &n), GR_ERR_CORRUPT, "'%s' is missing or not a text",
               key);
    GR_FAIL_IF(n > most || memchr(text, 0, n), GR_ERR_LIMIT, "'%s' is longer than %zu bytes or has a 0 byte", key,
               most);
    *out = gr__arena_strndup(&tok->arena, text, n);
    return *out ? GR_OK : gr__fail_memory("a text", n);
}

/* Runs the reader of an object's type; a Sequence runs those of its members. */
static gr_status dispatch(gr_tokenizer *tok, gr__json v, const char *what, const char *list_key, const reader *readers,
                          size_t n)
{
    if (is_absent(v)) return GR_OK;
    const char *type;
    size_t n_type;
    GR_FAIL_IF(!gr__json_string(gr__json_get(v, "type"), &type, &n_type), GR_ERR_CORRUPT, "'%s' has no 'type'", what);
    if (strcmp(type, "Sequence") == 0) {
        gr__json list = gr__json_get(v, list_key);
        GR_FAIL_IF(gr__json_kind_of(list) != GR__JSON_ARRAY, GR_ERR_CORRUPT, "'%s': a Sequence without '%s'", what,
                   list_key);
        for (size_t i = 0; i < gr__json_count(list); i++)
            GR_TRY(dispatch(tok, gr__json_at(list, i), what, list_key, readers, n));
        return GR_OK;
    }
    for (size_t i = 0; i < n; i++)
        if (strcmp(type, readers[i].type) == 0) {
            gr_status status = readers[i].read(tok, v);
            return status == GR_OK ? GR_OK : gr__fail_prefix(status, "%s '%s'", what, type);
        }
    return gr__fail(GR_ERR_UNSUPPORTED, "%s '%.60s' is not supported", what, type);
}

/* ---- normalizer ---- */

static gr_status read_prepend(gr_tokenizer *tok, gr__json v)
{
    gr__step *step;
    GR_TRY(gr__add_step(&tok->normalize, GR__NORM_PREPEND, &step));
    return get_text(tok, v, "prepend", GR__MOST_STEP_BYTES, &step->a);
}

/* {"pattern": {"String": "a"}, "content": "b"} */
static gr_status read_replacement(gr_tokenizer *tok, gr__json v, gr__step *step)
{
    gr__json pattern = gr__json_get(v, "pattern");
    GR_FAIL_IF(!is_absent(gr__json_get(pattern, "Regex")), GR_ERR_UNSUPPORTED, "replacing a pattern is not supported");
    GR_TRY(get_text(tok, pattern, "String", GR__MOST_STEP_BYTES, &step->a));
    GR_FAIL_IF(!step->a[0], GR_ERR_UNSUPPORTED, "replacing an empty text is not supported");
    return get_text(tok, v, "content", GR__MOST_STEP_BYTES, &step->b);
}

static gr_status read_norm_replace(gr_tokenizer *tok, gr__json v)
{
    gr__step *step;
    GR_TRY(gr__add_step(&tok->normalize, GR__NORM_REPLACE, &step));
    return read_replacement(tok, v, step);
}

static gr_status read_normal_form(gr_tokenizer *tok, gr__json v)
{
    const char *type = "";
    size_t n;
    gr__step *step;
    gr__json_string(gr__json_get(v, "type"), &type, &n);
    return gr__add_step(&tok->normalize,
                        strcmp(type, "NFC") == 0    ? GR__NORM_NFC
                        : strcmp(type, "NFD") == 0  ? GR__NORM_NFD
                        : strcmp(type, "NFKC") == 0 ? GR__NORM_NFKC
                                                    : GR__NORM_NFKD,
                        &step);
}

/* strip_accents null: accents go where letters become small. */
static gr_status read_norm_bert(gr_tokenizer *tok, gr__json v)
{
    bool clean, chinese, lower, accents;
    gr__step *step;
    GR_TRY(get_bool(v, "clean_text", true, &clean));
    GR_TRY(get_bool(v, "handle_chinese_chars", true, &chinese));
    GR_TRY(get_bool(v, "lowercase", true, &lower));
    GR_TRY(get_bool(v, "strip_accents", lower, &accents));
    GR_TRY(gr__add_step(&tok->normalize, GR__NORM_BERT, &step));
    step->count = (clean ? GR__BERT_CLEAN : 0) | (chinese ? GR__BERT_CHINESE : 0) | (lower ? GR__BERT_LOWER : 0) |
                  (accents ? GR__BERT_ACCENTS : 0) |
                  (is_absent(gr__json_get(v, "strip_accents")) ? 0 : GR__BERT_ACCENTS_TOLD);
    return GR_OK;
}

static const reader normalizers[] = {
    {"BertNormalizer", read_norm_bert}, {"Prepend", read_prepend}, {"Replace", read_norm_replace},
    {"NFC", read_normal_form},          {"NFD", read_normal_form}, {"NFKC", read_normal_form},
    {"NFKD", read_normal_form},
};

/* ---- pre_tokenizer ---- */

static gr_status read_byte_level(gr_tokenizer *tok, gr__json v)
{
    gr__step *step;
    GR_TRY(gr__add_step(&tok->split, GR__SPLIT_BYTE_LEVEL, &step));
    GR_TRY(get_bool(v, "add_prefix_space", true, &step->prefix));
    return get_bool(v, "use_regex", true, &step->flag);
}

static gr_status read_split(gr_tokenizer *tok, gr__json v)
{
    const char *behavior = "";
    size_t n;
    bool invert;
    gr__step *step;
    gr__json pattern = gr__json_get(v, "pattern");
    gr__json_string(gr__json_get(v, "behavior"), &behavior, &n);
    GR_TRY(get_bool(v, "invert", false, &invert));
    GR_FAIL_IF(strcmp(behavior, "Isolated") != 0 || invert, GR_ERR_UNSUPPORTED, "behavior '%.40s'%s is not supported",
               behavior, invert ? " with 'invert'" : "");
    bool regex = !is_absent(gr__json_get(pattern, "Regex"));
    GR_TRY(gr__add_step(&tok->split, regex ? GR__SPLIT_REGEX : GR__SPLIT_TEXT, &step));
    GR_TRY(
        get_text(tok, pattern, regex ? "Regex" : "String", regex ? MOST_PATTERN_BYTES : GR__MOST_STEP_BYTES, &step->a));
    GR_FAIL_IF(!step->a[0], GR_ERR_UNSUPPORTED, "an empty pattern is not supported");
    return GR_OK;
}

static gr_status read_digits(gr_tokenizer *tok, gr__json v)
{
    gr__step *step;
    GR_TRY(gr__add_step(&tok->split, GR__SPLIT_DIGITS, &step));
    return get_bool(v, "individual_digits", false, &step->flag);
}

static gr_status read_metaspace(gr_tokenizer *tok, gr__json v, gr__step *step)
{
    static const char *const schemes[] = {"always", "first", "never"};
    bool prefix;
    GR_TRY(get_text(tok, v, "replacement", 4, &step->a));
    GR_FAIL_IF(!step->a[0] || strcmp(step->a, " ") == 0, GR_ERR_UNSUPPORTED, "replacement '%s' is not supported",
               step->a);
    GR_TRY(get_bool(v, "split", true, &step->flag));
    GR_TRY(get_bool(v, "add_prefix_space", true, &prefix)); /* before prepend_scheme there was this */
    step->scheme = prefix ? GR__PREPEND_ALWAYS : GR__PREPEND_NEVER;
    if (is_absent(gr__json_get(v, "prepend_scheme"))) return GR_OK;
    const char *scheme = "";
    size_t n;
    gr__json_string(gr__json_get(v, "prepend_scheme"), &scheme, &n);
    for (unsigned i = 0; i < GR__COUNT(schemes); i++)
        if (strcmp(scheme, schemes[i]) == 0) {
            step->scheme = (gr__prepend)i;
            return GR_OK;
        }
    return gr__fail(GR_ERR_UNSUPPORTED, "prepend_scheme '%.40s' is not supported", scheme);
}

static gr_status read_split_metaspace(gr_tokenizer *tok, gr__json v)
{
    gr__step *step;
    GR_TRY(gr__add_step(&tok->split, GR__SPLIT_METASPACE, &step));
    return read_metaspace(tok, v, step);
}

static gr_status read_split_bert(gr_tokenizer *tok, gr__json v)
{
    (void)v;
    gr__step *step;
    return gr__add_step(&tok->split, GR__SPLIT_BERT, &step);
}

static const reader pre_tokenizers[] = {
    {"BertPreTokenizer", read_split_bert},
    {"ByteLevel", read_byte_level},
    {"Split", read_split},
    {"Digits", read_digits},
    {"Metaspace", read_split_metaspace},
};

/* ---- decoder ---- */

static gr_status read_decode_byte_level(gr_tokenizer *tok, gr__json v)
{
    (void)v;
    gr__step *step;
    return gr__add_step(&tok->decode, GR__DECODE_BYTE_LEVEL, &step);
}

static gr_status read_byte_fallback(gr_tokenizer *tok, gr__json v)
{
    (void)v;
    gr__step *step;
    return gr__add_step(&tok->decode, GR__DECODE_BYTE_FALLBACK, &step);
}

static gr_status read_fuse(gr_tokenizer *tok, gr__json v)
{
    (void)v;
    gr__step *step;
    return gr__add_step(&tok->decode, GR__DECODE_FUSE, &step);
}

static gr_status read_decode_replace(gr_tokenizer *tok, gr__json v)
{
    gr__step *step;
    GR_TRY(gr__add_step(&tok->decode, GR__DECODE_REPLACE, &step));
    return read_replacement(tok, v, step);
}

static gr_status read_strip(gr_tokenizer *tok, gr__json v)
{
    gr__step *step;
    int64_t stop = 0;
    bool fused = tok->decode.n > 0 && tok->decode.step[tok->decode.n - 1].kind == GR__DECODE_FUSE;
    GR_TRY(gr__add_step(&tok->decode, GR__DECODE_STRIP, &step));
    GR_TRY(get_text(tok, v, "content", 4, &step->a));
    GR_FAIL_IF(!gr__json_int(gr__json_get(v, "start"), &step->count) || !gr__json_int(gr__json_get(v, "stop"), &stop) ||
                   step->count < 0 || !step->a[0],
               GR_ERR_CORRUPT, "'start', 'stop' or 'content' is wrong");
    GR_FAIL_IF(stop != 0 || !fused, GR_ERR_UNSUPPORTED,
               "only stripping the start of the whole text (after Fuse) is supported");
    return GR_OK;
}

static gr_status read_decode_metaspace(gr_tokenizer *tok, gr__json v)
{
    gr__step *step;
    GR_TRY(gr__add_step(&tok->decode, GR__DECODE_METASPACE, &step));
    return read_metaspace(tok, v, step);
}

static gr_status read_decode_word_piece(gr_tokenizer *tok, gr__json v)
{
    gr__step *step;
    GR_TRY(gr__add_step(&tok->decode, GR__DECODE_WORD_PIECE, &step));
    GR_TRY(get_text(tok, v, "prefix", GR__MOST_STEP_BYTES, &step->a));
    return get_bool(v, "cleanup", true, &step->flag);
}

static const reader decoders[] = {
    {"WordPiece", read_decode_word_piece}, {"ByteLevel", read_decode_byte_level},
    {"ByteFallback", read_byte_fallback},  {"Fuse", read_fuse},
    {"Replace", read_decode_replace},      {"Strip", read_strip},
    {"Metaspace", read_decode_metaspace},
};

/* ---- post_processor ---- */

static gr_status add_around(gr_tokenizer *tok, bool before, int64_t id)
{
    GR_FAIL_IF(id < 0 || id >= tok->n_token || !tok->token[id].piece, GR_ERR_CORRUPT,
               "id %lld is not in the vocabulary", (long long)id);
    if (before) {
        GR_TRY(gr__grow(&tok->before, sizeof *tok->before, tok->n_before + 1, &tok->before_capacity));
        tok->before[tok->n_before++] = (int32_t)id;
    } else {
        GR_TRY(gr__grow(&tok->after, sizeof *tok->after, tok->n_after + 1, &tok->after_capacity));
        tok->after[tok->n_after++] = (int32_t)id;
    }
    return GR_OK;
}

static gr_status read_nothing(gr_tokenizer *tok, gr__json v)
{
    (void)tok, (void)v; /* ByteLevel here moves offsets only */
    return GR_OK;
}

static gr_status add_between(gr_tokenizer *tok, int64_t id)
{
    GR_FAIL_IF(id < 0 || id >= tok->n_token || !tok->token[id].piece, GR_ERR_CORRUPT,
               "id %lld is not in the vocabulary", (long long)id);
    GR_FAIL_IF(tok->n_between == (int)GR__COUNT(tok->between), GR_ERR_LIMIT, "more than %zu tokens between two texts",
               GR__COUNT(tok->between));
    tok->between[tok->n_between++] = (int32_t)id;
    return GR_OK;
}

/* Two texts that are two single ones: nothing to remember. */
static bool is_plain_pair(const gr_tokenizer *tok)
{
    bool same = (size_t)tok->n_between == tok->n_after + tok->n_before;
    for (size_t i = 0; same && i < tok->n_after; i++) same = tok->between[i] == tok->after[i];
    for (size_t i = 0; same && i < tok->n_before; i++) same = tok->between[tok->n_after + i] == tok->before[i];
    return same;
}

/* What stands between $A and $B of "pair"; only written again. */
static gr_status read_pair(gr_tokenizer *tok, gr__json v)
{
    gr__json pair = gr__json_get(v, "pair");
    int texts = 0;
    for (size_t i = 0; i < gr__json_count(pair); i++) {
        gr__json special = gr__json_get(gr__json_at(pair, i), "SpecialToken");
        const char *name;
        size_t n;
        int64_t id;
        if (is_absent(special)) {
            texts++;
            continue;
        }
        if (texts != 1 || !gr__json_string(gr__json_get(special, "id"), &name, &n)) continue;
        gr__json ids = gr__json_get(gr__json_get(gr__json_get(v, "special_tokens"), name), "ids");
        for (size_t k = 0; k < gr__json_count(ids); k++) {
            GR_FAIL_IF(!gr__json_int(gr__json_at(ids, k), &id), GR_ERR_CORRUPT, "special token '%.40s' has a wrong id",
                       name);
            GR_TRY(add_between(tok, id));
        }
    }
    if (is_plain_pair(tok)) tok->n_between = 0;
    return GR_OK;
}

/* "single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}], "special_tokens": {"<s>": {"ids": [1]}} */
static gr_status read_template(gr_tokenizer *tok, gr__json v)
{
    gr__json single = gr__json_get(v, "single");
    bool before = true;
    for (size_t i = 0; i < gr__json_count(single); i++) {
        gr__json special = gr__json_get(gr__json_at(single, i), "SpecialToken");
        if (is_absent(special)) {
            before = false;
            continue;
        }
        const char *name;
        size_t n;
        GR_FAIL_IF(!gr__json_string(gr__json_get(special, "id"), &name, &n), GR_ERR_CORRUPT,
                   "a SpecialToken has no 'id'");
        gr__json ids = gr__json_get(gr__json_get(gr__json_get(v, "special_tokens"), name), "ids");
        GR_FAIL_IF(gr__json_count(ids) == 0, GR_ERR_CORRUPT, "special token '%.40s' has no ids", name);
        for (size_t k = 0; k < gr__json_count(ids); k++) {
            int64_t id;
            GR_FAIL_IF(!gr__json_int(gr__json_at(ids, k), &id), GR_ERR_CORRUPT, "special token '%.40s' has a wrong id",
                       name);
            GR_TRY(add_around(tok, before, id));
        }
    }
    return read_pair(tok, v);
}

/* "cls": ["<s>", 0], "sep": ["</s>", 2] */
static gr_status read_cls_sep(gr_tokenizer *tok, gr__json v)
{
    int64_t cls, sep;
    GR_FAIL_IF(!gr__json_int(gr__json_at(gr__json_get(v, "cls"), 1), &cls) ||
                   !gr__json_int(gr__json_at(gr__json_get(v, "sep"), 1), &sep),
               GR_ERR_CORRUPT, "'cls' or 'sep' is wrong");
    GR_TRY(add_around(tok, true, cls));
    GR_TRY(add_around(tok, false, sep));
    return add_between(tok, sep);
}

/* <s> a </s></s> b </s> */
static gr_status read_roberta(gr_tokenizer *tok, gr__json v)
{
    GR_TRY(read_cls_sep(tok, v));
    return add_between(tok, tok->between[0]);
}

static const reader post_processors[] = {
    {"ByteLevel", read_nothing},
    {"TemplateProcessing", read_template},
    {"RobertaProcessing", read_roberta},
    {"BertProcessing", read_cls_sep},
};

/* ---- model and added tokens ---- */

static gr_status read_merges(gr_tokenizer *tok, gr__json merges)
{
    GR_FAIL_IF(gr__json_kind_of(merges) != GR__JSON_ARRAY, GR_ERR_CORRUPT, "'merges' is missing or not a list");
    for (size_t i = 0; i < gr__json_count(merges); i++) {
        gr__json m = gr__json_at(merges, i);
        const char *a, *b;
        size_t n_a, n_b;
        if (gr__json_string(m, &a, &n_a)) { /* "a b" */
            b = memchr(a, ' ', n_a);
            GR_FAIL_IF(!b || memchr(b + 1, ' ', n_a - (size_t)(b + 1 - a)), GR_ERR_CORRUPT,
                       "merge %zu is not two tokens with a space between them", i);
            n_b = n_a - (size_t)(b + 1 - a);
            n_a = (size_t)(b++ - a);
        } else {
            GR_FAIL_IF(gr__json_count(m) != 2 || !gr__json_string(gr__json_at(m, 0), &a, &n_a) ||
                           !gr__json_string(gr__json_at(m, 1), &b, &n_b),
                       GR_ERR_CORRUPT, "merge %zu is not a pair of tokens", i);
        }
        GR_TRY(gr__add_merge(tok, a, n_a, b, n_b));
    }
    return GR_OK;
}

static gr_status refuse_affix(gr__json model, const char *key)
{
    const char *text;
    size_t n;
    GR_FAIL_IF(gr__json_string(gr__json_get(model, key), &text, &n) && n > 0, GR_ERR_UNSUPPORTED,
               "%s '%.40s' is not supported", key, text);
    return GR_OK;
}

/* Old files leave the type of the model out. */
static const char *model_type(gr__json model)
{
    const char *type;
    size_t n;
    if (gr__json_string(gr__json_get(model, "type"), &type, &n)) return type;
    if (gr__json_kind_of(gr__json_get(model, "vocab")) == GR__JSON_ARRAY) return "Unigram";
    return is_absent(gr__json_get(model, "max_input_chars_per_word")) ? "BPE" : "WordPiece";
}

static gr_status read_vocab(gr_tokenizer *tok, gr__json vocab)
{
    for (void *it = gr__json_first(vocab); it; it = gr__json_next(vocab, it)) {
        int64_t id;
        const char *piece = gr__json_key(it);
        GR_FAIL_IF(!gr__json_int(gr__json_value(it), &id), GR_ERR_CORRUPT, "token '%.40s' has no id", piece);
        GR_TRY(gr__add_token(tok, piece, strlen(piece), id));
    }
    return GR_OK;
}

static gr_status read_unknown(gr_tokenizer *tok, gr__json model)
{
    const char *unk;
    size_t n;
    if (!gr__json_string(gr__json_get(model, "unk_token"), &unk, &n)) return GR_OK;
    tok->model_unk = gr__find_token(tok, unk, n);
    GR_FAIL_IF(tok->model_unk < 0, GR_ERR_CORRUPT, "unk_token '%.40s' is not in the vocabulary", unk);
    return GR_OK;
}

static gr_status read_word_piece(gr_tokenizer *tok, gr__json model)
{
    gr__json most = gr__json_get(model, "max_input_chars_per_word");
    tok->inside = "##";
    tok->most_characters = 100;
    if (!is_absent(gr__json_get(model, "continuing_subword_prefix")))
        GR_TRY(get_text(tok, model, "continuing_subword_prefix", GR__MOST_STEP_BYTES, &tok->inside));
    GR_FAIL_IF(!is_absent(most) && (!gr__json_int(most, &tok->most_characters) || tok->most_characters < 1 ||
                                    tok->most_characters > 10000),
               GR_ERR_CORRUPT, "'max_input_chars_per_word' is not from 1 to 10000");
    GR_TRY(read_vocab(tok, gr__json_get(model, "vocab")));
    GR_TRY(read_unknown(tok, model));
    GR_FAIL_IF(tok->model_unk < 0, GR_ERR_CORRUPT, "WordPiece without an 'unk_token'");
    return GR_OK;
}

static gr_status read_model(gr_tokenizer *tok, gr__json model)
{
    const char *type = model_type(model);
    bool word_piece = strcmp(type, "WordPiece") == 0;
    gr__json vocab = gr__json_get(model, "vocab");
    GR_FAIL_IF(gr__json_kind_of(model) != GR__JSON_OBJECT, GR_ERR_CORRUPT, "there is no 'model'");
    GR_FAIL_IF(!word_piece && strcmp(type, "BPE") != 0, GR_ERR_UNSUPPORTED,
               "model '%.40s' is not supported; only 'BPE' and 'WordPiece' are", type);
    GR_FAIL_IF(gr__json_kind_of(vocab) != GR__JSON_OBJECT, GR_ERR_CORRUPT, "the model has no 'vocab'");
    if (word_piece) return read_word_piece(tok, model);
    GR_TRY(refuse_affix(model, "continuing_subword_prefix"));
    GR_TRY(refuse_affix(model, "end_of_word_suffix"));
    GR_TRY(get_bool(model, "fuse_unk", false, &tok->fuse_unk));
    GR_TRY(get_bool(model, "byte_fallback", false, &tok->byte_fallback));
    GR_TRY(get_bool(model, "ignore_merges", false, &tok->ignore_merges));
    GR_TRY(read_vocab(tok, vocab));
    GR_TRY(read_merges(tok, gr__json_get(model, "merges")));
    return read_unknown(tok, model);
}

static gr_status read_added(gr_tokenizer *tok, gr__json list)
{
    for (size_t i = 0; i < gr__json_count(list); i++) {
        gr__json v = gr__json_at(list, i);
        const char *text;
        size_t n;
        int64_t id;
        bool single_word;
        gr__added flags = {0};
        GR_FAIL_IF(!gr__json_string(gr__json_get(v, "content"), &text, &n) || !gr__json_int(gr__json_get(v, "id"), &id),
                   GR_ERR_CORRUPT, "added token %zu has no 'content' or no 'id'", i);
        GR_TRY(get_bool(v, "special", false, &flags.special));
        GR_TRY(get_bool(v, "lstrip", false, &flags.lstrip));
        GR_TRY(get_bool(v, "rstrip", false, &flags.rstrip));
        GR_TRY(get_bool(v, "normalized", !flags.special, &flags.normalized));
        GR_TRY(get_bool(v, "single_word", false, &single_word));
        GR_FAIL_IF(single_word, GR_ERR_UNSUPPORTED, "added token '%.40s': 'single_word' is not supported", text);
        GR_TRY(gr__add_added(tok, text, n, id, flags));
    }
    return GR_OK;
}

static gr_status read_root(gr_tokenizer *tok, gr__json root)
{
    GR_TRY(read_model(tok, gr__json_get(root, "model")));
    GR_TRY(read_added(tok, gr__json_get(root, "added_tokens")));
    GR_TRY(dispatch(tok, gr__json_get(root, "normalizer"), "normalizer", "normalizers", normalizers,
                    GR__COUNT(normalizers)));
    GR_TRY(dispatch(tok, gr__json_get(root, "pre_tokenizer"), "pre_tokenizer", "pretokenizers", pre_tokenizers,
                    GR__COUNT(pre_tokenizers)));
    GR_TRY(dispatch(tok, gr__json_get(root, "decoder"), "decoder", "decoders", decoders, GR__COUNT(decoders)));
    return dispatch(tok, gr__json_get(root, "post_processor"), "post_processor", "processors", post_processors,
                    GR__COUNT(post_processors));
}

/* Dropout of merges is for training; here a text has one way of being cut. */
static void tell_dropout(const char *path, gr__json model)
{
    double dropout;
    if (gr__json_double(gr__json_get(model, "dropout"), &dropout) && dropout > 0)
        gr__log(GR_LOG_WARNING, "'%s': dropout %g of the merges is left out", path, dropout);
}

gr_status gr__read_tokenizer_json(const char *path, gr_tokenizer *tok)
{
    gr__json_doc *doc;
    GR_TRY(gr__json_read(path, GR__LIMIT_JSON_BYTES, &doc));
    gr_status status = read_root(tok, gr__json_root(doc));
    if (status == GR_OK) tell_dropout(path, gr__json_get(gr__json_root(doc), "model"));
    gr__json_free(&doc);
    return status;
}

/* ---- tokenizer_config.json ---- */

gr_status gr__read_tokenizer_config(const char *path, gr_tokenizer *tok)
{
    const struct {
        const char *key;
        int32_t *id;
    } wanted[] = {{"bos_token", &tok->special.bos},
                  {"eos_token", &tok->special.eos},
                  {"unk_token", &tok->special.unk},
                  {"pad_token", &tok->special.pad}};
    gr__json_doc *doc;
    GR_TRY(gr__json_read(path, GR__LIMIT_JSON_BYTES, &doc));
    for (size_t i = 0; i < GR__COUNT(wanted); i++) {
        gr__json v = gr__json_get(gr__json_root(doc), wanted[i].key);
        const char *name;
        size_t n;
        if (gr__json_string(v, &name, &n) || gr__json_string(gr__json_get(v, "content"), &name, &n))
            *wanted[i].id = gr__find_token(tok, name, n);
    }
    gr__json_free(&doc);
    return GR_OK;
}
