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
    {"decode", 0, CLI_FLAG, &o.decode, NULL, 0, 0, NULL, "print the text that the ids stand for instead", false},
};

static char *read_input(size_t *n)
{
    size_t capacity = 1 << 16, got;
    char *text = malloc(capacity);
    *n = 0;
    while (text && (got = fread(text + *n, 1, capacity - *n, stdin)) > 0) {
        *n += got;
        if (*n < capacity) continue;
        char *grown = realloc(text, capacity *= 2);
        if (!grown) free(text);
        text = grown;
    }
    return text;
}

static gr_status tokenize(const gr_tokenizer *tok, const char *text, size_t n)
{
    int32_t *ids;
    size_t n_ids, n_back;
    char *back;
    gr_status s = gr_tokenizer_encode(tok, text, n, o.special ? GR_ENCODE_SPECIAL : 0, &ids, &n_ids);
    if (s != GR_OK) return s;
    if (o.decode) {
        s = gr_tokenizer_decode(tok, ids, n_ids, GR_DECODE_SPECIAL | GR_DECODE_BYTES, &back, &n_back);
        if (s == GR_OK) fwrite(back, 1, n_back, stdout), gr_text_free(back);
    } else {
        json_open('[');
        for (size_t i = 0; i < n_ids; i++) json_int(NULL, ids[i]);
        json_end();
    }
    gr_text_free(ids);
    return s;
}

static int run_command(void)
{
    gr_tokenizer *tok = NULL;
    char *input = NULL;
    size_t n = 0;
    if (cli.n_arguments == 1 && !(input = read_input(&n))) return EXIT_FAILED;
    const char *text = input ? input : cli.argument[1];
    gr_status s = gr_tokenizer_open(cli.argument[0], &tok);
    if (s == GR_OK) s = tokenize(tok, text, input ? n : strlen(text));
    gr_tokenizer_close(&tok);
    free(input);
    return s == GR_OK ? EXIT_OK : cli_fail(s);
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
