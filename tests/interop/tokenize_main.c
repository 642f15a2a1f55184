/* Gradus' side of tests/interop/tokenizers.py. Reads texts, one JSON string a line, and prints what becomes of each:
 *
 *   tokenize_main encode PATH [special]        {"ids": [..], "text": "..", "bytes": n} or {"error": ".."}
 *   tokenize_main train TYPE OUT FILE [size]   trains on FILE, saves to OUT
 *   tokenize_main save PATH OUT                opens and saves
 *   tokenize_main time PATH FILE               megabytes per second */
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "gradus/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int complain(void)
{
    fprintf(stderr, "%s\n", gr_message());
    return 1;
}

static void print_one(const gr_tokenizer *tok, const char *text, size_t n, unsigned flags)
{
    int32_t *ids = NULL;
    size_t n_ids = 0, n_back = 0;
    char *back = NULL;
    uint64_t bytes = 0;
    gr__str line = {0};
    if (gr_tokenizer_encode(tok, text, n, flags, &ids, &n_ids) != GR_OK ||
        gr_tokenizer_decode(tok, ids, n_ids, GR_DECODE_SPECIAL, &back, &n_back) != GR_OK ||
        gr_tokenizer_text_size(tok, ids, n_ids, GR_DECODE_SPECIAL, &bytes) != GR_OK) {
        gr__str_add(&line, "{\"error\": ");
        gr__json_add_string(&line, gr_message(), strlen(gr_message()));
    } else {
        gr__str_add(&line, "{\"ids\": [");
        for (size_t i = 0; i < n_ids; i++) gr__str_printf(&line, i ? ", %d" : "%d", ids[i]);
        gr__str_add(&line, "], \"text\": ");
        gr__json_add_string(&line, back, n_back);
        gr__str_printf(&line, ", \"bytes\": %llu", (unsigned long long)bytes);
    }
    printf("%s}\n", gr__str_get(&line));
    gr__str_release(&line);
    gr_text_free(ids);
    gr_text_free(back);
}

static int encode_lines(const char *path, unsigned flags)
{
    gr_tokenizer *tok;
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    if (gr_tokenizer_open(path, &tok) != GR_OK) return complain();
    while ((n = getline(&line, &room, stdin)) > 0) {
        gr__json_doc *doc;
        const char *text;
        size_t n_text;
        if (gr__json_parse(line, (size_t)n, "stdin", &doc) != GR_OK) return complain();
        if (gr__json_string(gr__json_root(doc), &text, &n_text)) print_one(tok, text, n_text, flags);
        gr__json_free(&doc);
    }
    free(line);
    gr_tokenizer_close(&tok);
    return 0;
}

static int train(const char *type_name, const char *out, const char *file, const char *size)
{
    gr_tokenizer_type type;
    gr_tokenizer *tok;
    gr_tokenizer_options options = {.vocab_size = size ? atoll(size) : 0};
    gr_text_source source;
    char *text;
    if (!gr_tokenizer_type_from_name(type_name, &type)) return 2;
    if (gr__file_read(file, (size_t)1 << 32, &text, &source.n) != GR_OK) return complain();
    source.text = text;
    double start = gr__now();
    if (gr_tokenizer_train(type, &options, &source, 1, &tok) != GR_OK) return complain();
    fprintf(stderr, "trained %s: %d tokens in %.3f s\n", type_name, gr_tokenizer_vocab_size(tok), gr__now() - start);
    if (gr_tokenizer_save(tok, out) != GR_OK) return complain();
    gr_tokenizer_close(&tok);
    gr__free(text);
    return 0;
}

static int save(const char *path, const char *out)
{
    gr_tokenizer *tok;
    if (gr_tokenizer_open(path, &tok) != GR_OK || gr_tokenizer_save(tok, out) != GR_OK) return complain();
    gr_tokenizer_close(&tok);
    return 0;
}

static int measure(const char *path, const char *file)
{
    gr_tokenizer *tok;
    char *text;
    size_t n, n_ids = 0;
    double start = gr__now(), least = 1e30;
    if (gr_tokenizer_open(path, &tok) != GR_OK) return complain();
    double opened = gr__now() - start;
    if (gr__file_read(file, (size_t)1 << 32, &text, &n) != GR_OK) return complain();
    for (int i = 0; i < 7; i++) {
        int32_t *ids;
        start = gr__now();
        if (gr_tokenizer_encode(tok, text, n, 0, &ids, &n_ids) != GR_OK) return complain();
        double seconds = gr__now() - start;
        if (i == 0) printf("first %.2f MB/s, ", (double)n / seconds / 1e6);
        if (seconds < least) least = seconds;
        gr_text_free(ids);
    }
    printf("best %.2f MB/s, %.3f bytes per id (estimate %.3f), opened in %.1f ms\n", (double)n / least / 1e6,
           (double)n / (double)n_ids, gr_tokenizer_bytes_per_token(tok), opened * 1e3);
    gr__free(text);
    gr_tokenizer_close(&tok);
    return 0;
}

int main(int argc, char **argv)
{
    const char *verb = argc > 1 ? argv[1] : "";
    if (strcmp(verb, "encode") == 0 && argc >= 3) return encode_lines(argv[2], argc > 3 ? GR_ENCODE_SPECIAL : 0);
    if (strcmp(verb, "train") == 0 && argc >= 5) return train(argv[2], argv[3], argv[4], argc > 5 ? argv[5] : NULL);
    if (strcmp(verb, "save") == 0 && argc == 4) return save(argv[2], argv[3]);
    if (strcmp(verb, "time") == 0 && argc == 4) return measure(argv[2], argv[3]);
    fprintf(stderr, "usage: see the top of tokenize_main.c\n");
    return 2;
}
