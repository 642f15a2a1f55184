/* Writing tokenizer.json as Hugging Face tokenizers reads it, and tokenizer_config.json as transformers does. The bytes
 * depend on the tokenizer alone: ids ascend, keys have a fixed order. */
#include "base/json.h"
#include "text/tokenizer_int.h"

#include <string.h>

static void add_text(gr__str *s, const char *text) { gr__json_add_string(s, text, strlen(text)); }
static void add_piece(gr__str *s, const gr__token *t) { gr__json_add_string(s, t->piece, t->n_piece); }
static const char *word(bool value) { return value ? "true" : "false"; }

/* One step in the words of the file. */
static void print_step(gr__str *s, const gr__step *step)
{
    static const char *const schemes[] = {"always", "first", "never"};
    switch (step->kind) {
    case GR__NORM_PREPEND:
        gr__str_add(s, "{\"type\": \"Prepend\", \"prepend\": ");
        add_text(s, step->a);
        break;
    case GR__NORM_REPLACE:
    case GR__DECODE_REPLACE:
        gr__str_add(s, "{\"type\": \"Replace\", \"pattern\": {\"String\": ");
        add_text(s, step->a);
        gr__str_add(s, "}, \"content\": ");
        add_text(s, step->b);
        break;
    case GR__NORM_NFC: gr__str_add(s, "{\"type\": \"NFC\""); break;
    case GR__NORM_NFD: gr__str_add(s, "{\"type\": \"NFD\""); break;
    case GR__NORM_NFKC: gr__str_add(s, "{\"type\": \"NFKC\""); break;
    case GR__NORM_NFKD: gr__str_add(s, "{\"type\": \"NFKD\""); break;
    case GR__NORM_BERT:
        gr__str_printf(s,
                       "{\"type\": \"BertNormalizer\", \"clean_text\": %s, \"handle_chinese_chars\": %s, "
                       "\"strip_accents\": %s, \"lowercase\": %s",
                       word(step->count & GR__BERT_CLEAN), word(step->count & GR__BERT_CHINESE),
                       step->count & GR__BERT_ACCENTS_TOLD ? word(step->count & GR__BERT_ACCENTS) : "null",
                       word(step->count & GR__BERT_LOWER));
        break;
    case GR__SPLIT_BERT: gr__str_add(s, "{\"type\": \"BertPreTokenizer\""); break;
    case GR__DECODE_WORD_PIECE:
        gr__str_add(s, "{\"type\": \"WordPiece\", \"prefix\": ");
        add_text(s, step->a);
        gr__str_printf(s, ", \"cleanup\": %s", word(step->flag));
        break;
    case GR__SPLIT_REGEX:
    case GR__SPLIT_TEXT:
        gr__str_printf(
            s, "{\"type\": \"Split\", \"pattern\": {\"%s\": ", step->kind == GR__SPLIT_REGEX ? "Regex" : "String");
        add_text(s, step->a);
        gr__str_add(s, "}, \"behavior\": \"Isolated\", \"invert\": false");
        break;
    case GR__SPLIT_DIGITS:
        gr__str_printf(s, "{\"type\": \"Digits\", \"individual_digits\": %s", word(step->flag));
        break;
    case GR__SPLIT_BYTE_LEVEL:
        gr__str_printf(s,
                       "{\"type\": \"ByteLevel\", \"add_prefix_space\": %s, \"trim_offsets\": true, \"use_regex\": %s",
                       word(step->prefix), word(step->flag));
        break;
    case GR__DECODE_BYTE_LEVEL:
        gr__str_add(
            s, "{\"type\": \"ByteLevel\", \"add_prefix_space\": true, \"trim_offsets\": true, \"use_regex\": true");
        break;
    case GR__SPLIT_METASPACE:
    case GR__DECODE_METASPACE:
        gr__str_add(s, "{\"type\": \"Metaspace\", \"replacement\": ");
        add_text(s, step->a);
        gr__str_printf(s, ", \"prepend_scheme\": \"%s\", \"split\": %s", schemes[step->scheme], word(step->flag));
        break;
    case GR__DECODE_BYTE_FALLBACK: gr__str_add(s, "{\"type\": \"ByteFallback\""); break;
    case GR__DECODE_FUSE: gr__str_add(s, "{\"type\": \"Fuse\""); break;
    case GR__DECODE_STRIP:
        gr__str_add(s, "{\"type\": \"Strip\", \"content\": ");
        add_text(s, step->a);
        gr__str_printf(s, ", \"start\": %lld, \"stop\": 0", (long long)step->count);
        break;
    }
    gr__str_add_char(s, '}');
}

static void print_steps(gr__str *s, const char *key, const char *list_key, const gr__steps *steps)
{
    gr__str_printf(s, "  \"%s\": ", key);
    if (steps->n == 0) gr__str_add(s, "null");
    if (steps->n > 1) gr__str_printf(s, "{\"type\": \"Sequence\", \"%s\": [", list_key);
    for (int i = 0; i < steps->n; i++) {
        if (i) gr__str_add(s, ", ");
        print_step(s, &steps->step[i]);
    }
    gr__str_add(s, steps->n > 1 ? "]},\n" : ",\n");
}

static void print_added(gr__str *s, const gr_tokenizer *tok)
{
    gr__str_add(s, "  \"added_tokens\": [");
    for (size_t i = 0; i < tok->n_added; i++) {
        const gr__added *a = &tok->added[i];
        gr__str_printf(s, "%s\n    {\"id\": %d, \"content\": ", i ? "," : "", a->id);
        add_piece(s, &tok->token[a->id]);
        gr__str_printf(s,
                       ", \"single_word\": false, \"lstrip\": %s, \"rstrip\": %s, \"normalized\": %s, \"special\": %s}",
                       word(a->lstrip), word(a->rstrip), word(a->normalized), word(a->special));
    }
    gr__str_add(s, tok->n_added ? "\n  ],\n" : "],\n");
}

/* ---- post_processor ---- */

static void print_specials(gr__str *s, const gr_tokenizer *tok, const int32_t *id, size_t n, int type)
{
    for (size_t i = 0; i < n; i++) {
        gr__str_add(s, "{\"SpecialToken\": {\"id\": ");
        add_piece(s, &tok->token[id[i]]);
        gr__str_printf(s, ", \"type_id\": %d}}, ", type);
    }
}

static void print_behind(gr__str *s, const gr_tokenizer *tok, int type)
{
    gr__str after = {0};
    print_specials(&after, tok, tok->after, tok->n_after, type);
    if (after.n > 2) {
        gr__str_add(s, ", ");
        gr__str_add_n(s, after.text, after.n - 2);
    }
    if (after.failed) s->failed = true;
    gr__str_release(&after);
}

static void print_template(gr__str *s, const gr_tokenizer *tok, const char *name, int type)
{
    print_specials(s, tok, tok->before, tok->n_before, type);
    gr__str_printf(s, "{\"Sequence\": {\"id\": \"%s\", \"type_id\": %d}}", name, type);
    print_behind(s, tok, type);
}

static void print_post_processor(gr__str *s, const gr_tokenizer *tok)
{
    if (tok->n_before + tok->n_after == 0) {
        gr__str_add(s, "  \"post_processor\": null,\n");
        return;
    }
    gr__str_add(s, "  \"post_processor\": {\"type\": \"TemplateProcessing\",\n    \"single\": [");
    print_template(s, tok, "A", 0);
    gr__str_add(s, "],\n    \"pair\": [");
    if (tok->n_between) { /* before A, between, B, behind */
        print_specials(s, tok, tok->before, tok->n_before, 0);
        gr__str_add(s, "{\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}, ");
        print_specials(s, tok, tok->between, (size_t)tok->n_between, 0);
        gr__str_add(s, "{\"Sequence\": {\"id\": \"B\", \"type_id\": 1}}");
        print_behind(s, tok, 1);
    } else {
        print_template(s, tok, "A", 0);
        gr__str_add(s, ", ");
        print_template(s, tok, "B", 1);
    }
    gr__str_add(s, "],\n    \"special_tokens\": {");
    const char *comma = "";
    for (int32_t id = 0; id < tok->n_token; id++) {
        bool used = false;
        for (size_t i = 0; i < tok->n_before; i++) used |= tok->before[i] == id;
        for (size_t i = 0; i < tok->n_after; i++) used |= tok->after[i] == id;
        for (int i = 0; i < tok->n_between; i++) used |= tok->between[i] == id;
        if (!used) continue;
        gr__str_add(s, comma);
        add_piece(s, &tok->token[id]);
        gr__str_add(s, ": {\"id\": ");
        add_piece(s, &tok->token[id]);
        gr__str_printf(s, ", \"ids\": [%d], \"tokens\": [", id);
        add_piece(s, &tok->token[id]);
        gr__str_add(s, "]}");
        comma = ", ";
    }
    gr__str_add(s, "}},\n");
}

/* ---- model ---- */

static void print_merges(gr__str *s, const gr_tokenizer *tok)
{
    bool spaces = false; /* then pairs, which only newer readers know */
    for (size_t i = 0; i < tok->n_merge && !spaces; i++) {
        const gr__token *t = &tok->token[tok->merge[i].id];
        spaces = memchr(t->piece, ' ', t->n_piece) != NULL;
    }
    gr__str_add(s, "    \"merges\": [");
    gr__str pair = {0};
    for (size_t i = 0; i < tok->n_merge; i++) {
        const gr__token *a = &tok->token[tok->merge[i].a], *b = &tok->token[tok->merge[i].b];
        gr__str_add(s, i ? ",\n      " : "\n      ");
        if (spaces) {
            gr__str_add_char(s, '[');
            add_piece(s, a);
            gr__str_add(s, ", ");
            add_piece(s, b);
            gr__str_add_char(s, ']');
            continue;
        }
        gr__str_clear(&pair);
        gr__str_add_n(&pair, a->piece, a->n_piece);
        gr__str_add_char(&pair, ' ');
        gr__str_add_n(&pair, b->piece, b->n_piece);
        gr__json_add_string(s, gr__str_get(&pair), pair.n);
    }
    if (pair.failed) s->failed = true;
    gr__str_release(&pair);
    gr__str_add(s, tok->n_merge ? "\n    ]\n" : "]\n");
}

static void print_vocab(gr__str *s, const gr_tokenizer *tok)
{
    const char *comma = "";
    gr__str_add(s, "    \"vocab\": {");
    for (int32_t id = 0; id < tok->n_token; id++) {
        if (!tok->token[id].in_model) continue;
        gr__str_printf(s, "%s\n      ", comma);
        add_piece(s, &tok->token[id]);
        gr__str_printf(s, ": %d", id);
        comma = ",";
    }
    gr__str_add(s, "\n    }");
}

static void print_word_piece(gr__str *s, const gr_tokenizer *tok)
{
    gr__str_add(s, "  \"model\": {\n    \"type\": \"WordPiece\",\n    \"unk_token\": ");
    add_piece(s, &tok->token[tok->model_unk]);
    gr__str_add(s, ",\n    \"continuing_subword_prefix\": ");
    add_text(s, tok->inside);
    gr__str_printf(s, ",\n    \"max_input_chars_per_word\": %lld,\n", (long long)tok->most_characters);
    print_vocab(s, tok);
    gr__str_add(s, "\n  }\n");
}

static void print_model(gr__str *s, const gr_tokenizer *tok)
{
    gr__str_add(s, "  \"model\": {\n    \"type\": \"BPE\",\n    \"dropout\": null,\n    \"unk_token\": ");
    if (tok->model_unk >= 0)
        add_piece(s, &tok->token[tok->model_unk]);
    else
        gr__str_add(s, "null");
    gr__str_printf(
        s,
        ",\n    \"continuing_subword_prefix\": null,\n    \"end_of_word_suffix\": null,\n    \"fuse_unk\": %s,\n"
        "    \"byte_fallback\": %s,\n    \"ignore_merges\": %s,\n",
        word(tok->fuse_unk), word(tok->byte_fallback), word(tok->ignore_merges));
    print_vocab(s, tok);
    gr__str_add(s, ",\n");
    print_merges(s, tok);
    gr__str_add(s, "  }\n");
}

void gr__print_tokenizer_json(const gr_tokenizer *tok, gr__str *out)
{
    gr__str_add(out, "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n");
    print_added(out, tok);
    print_steps(out, "normalizer", "normalizers", &tok->normalize);
    print_steps(out, "pre_tokenizer", "pretokenizers", &tok->split);
    print_post_processor(out, tok);
    print_steps(out, "decoder", "decoders", &tok->decode);
    if (tok->inside)
        print_word_piece(out, tok);
    else
        print_model(out, tok);
    gr__str_add(out, "}\n");
}

void gr__print_tokenizer_config(const gr_tokenizer *tok, gr__str *out)
{
    const struct {
        const char *key;
        int32_t id;
    } specials[] = {{"bos_token", tok->special.bos},
                    {"eos_token", tok->special.eos},
                    {"unk_token", tok->special.unk},
                    {"pad_token", tok->special.pad}};
    gr__str_add(out, "{\n  \"tokenizer_class\": \"PreTrainedTokenizerFast\",\n");
    for (size_t i = 0; i < GR__COUNT(specials); i++) {
        if (specials[i].id < 0) continue;
        gr__str_printf(out, "  \"%s\": ", specials[i].key);
        add_piece(out, &tok->token[specials[i].id]);
        gr__str_add(out, ",\n");
    }
    gr__str_add(out, "  \"clean_up_tokenization_spaces\": false\n}\n");
}
