/* For developers: text to ids and back. */
#include "cli/out.h"
#include "gradus/text.h"

#include <stdlib.h>
#include <string.h>

static struct {
    bool special, decode;
} o;

static const cli_option options[] = {
    {"special", 0, CLI_FLAG, &o.special, NULL, 0, 0, NULL, "special tokens in the text become their ids", false},
    {"decode", 0, CLI_FLAG, &o.decode, NULL, 0, 0, NULL, "TEXT is ids: print the text that they stand for", false},
};

static char *read_input(size_t *n)
{
    size_t capacity = 1 << 16, got;
    char *text = malloc(capacity);
    *n = 0;
    while (text && (got = fread(text + *n, 1, capacity - 1 - *n, stdin)) > 0) {
        *n += got;
        if (*n + 1 < capacity) continue;
        char *grown = realloc(text, capacity *= 2);
        if (!grown) free(text);
        text = grown;
    }
    if (text) text[*n] = 0;
    return text;
}

static gr_status encode(const gr_tokenizer *tok, const char *text, size_t n)
{
    int32_t *ids;
    size_t n_ids;
    gr_status s = gr_tokenizer_encode(tok, text, n, o.special ? GR_ENCODE_SPECIAL : 0, &ids, &n_ids);
    if (s != GR_OK) return s;
    json_open('[');
    for (size_t i = 0; i < n_ids; i++) json_int(NULL, ids[i]);
    json_end();
    gr_text_free(ids);
    return s;
}

/* Numbers with blanks, commas or brackets around them, as encode() prints them. NULL: something else, or no memory. */
static int32_t *read_ids(const char *text, size_t *n)
{
    int32_t *ids = malloc((strlen(text) / 2 + 1) * sizeof *ids);
    *n = 0;
    for (const char *at = text; ids && *(at += strspn(at, " \t\r\n,[]"));) {
        char *end;
        long long id = strtoll(at, &end, 10);
        if (end == at || id < 0 || id > INT32_MAX) {
            free(ids);
            return NULL;
        }
        ids[(*n)++] = (int32_t)id;
        at = end;
    }
    return ids;
}

static int decode(const gr_tokenizer *tok, const char *text)
{
    size_t n_ids, n;
    char *back;
    int32_t *ids = read_ids(text, &n_ids);
    if (!ids) return cli_usage("--decode wants ids, like 40 325 or [40,325], not '%.40s'", text);
    gr_status s = gr_tokenizer_decode(tok, ids, n_ids, GR_DECODE_SPECIAL | GR_DECODE_BYTES, &back, &n);
    if (s == GR_OK) fwrite(back, 1, n, stdout), gr_text_free(back);
    free(ids);
    return s == GR_OK ? EXIT_OK : cli_fail(s);
}

static int run_command(void)
{
    gr_tokenizer *tok = NULL;
    char *input = NULL;
    size_t n = 0;
    if (cli.n_arguments == 1 && !(input = read_input(&n))) return EXIT_FAILED;
    const char *text = input ? input : cli.argument[1];
    gr_status s = gr_tokenizer_open(cli.argument[0], &tok);
    int code = s == GR_OK && o.decode ? decode(tok, text) : EXIT_OK;
    if (s == GR_OK && !o.decode) s = encode(tok, text, input ? n : strlen(text));
    gr_tokenizer_close(&tok);
    free(input);
    return s == GR_OK ? code : cli_fail(s);
}

const cli_command cmd_tokenize = {
    "tokenize",
    NULL,
    "TOKENIZER [TEXT]",
    "turns a text (or standard input) into token ids, as JSON",
    NULL,
    options,
    COUNT(options),
    1,
    2,
    false,
    NULL,
    run_command,
};
