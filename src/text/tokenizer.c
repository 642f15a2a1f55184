/* Opening and saving by path, and the small questions about a tokenizer. */
#include "base/file.h"
#include "base/str.h"
#include "text/tokenizer_int.h"

#include <string.h>

static const char *const type_names[] = {"byte", "char", "bpe", "llama", "wordpiece"};

const char *gr_tokenizer_type_name(gr_tokenizer_type type)
{
    return (unsigned)type < GR_TOKENIZER_TYPE_COUNT ? type_names[type] : "unknown";
}

bool gr_tokenizer_type_from_name(const char *name, gr_tokenizer_type *out)
{
    for (unsigned i = 0; i < GR_TOKENIZER_TYPE_COUNT; i++)
        if (strcmp(name, type_names[i]) == 0) {
            *out = (gr_tokenizer_type)i;
            return true;
        }
    return false;
}

gr_tokenizer_type gr_tokenizer_type_of(const gr_tokenizer *tok) { return tok->type; }
int32_t gr_tokenizer_vocab_size(const gr_tokenizer *tok) { return tok->n_token; }
gr_tokenizer_specials gr_tokenizer_special_ids(const gr_tokenizer *tok) { return tok->special; }

void gr_tokenizer_template(const gr_tokenizer *tok, size_t *before, size_t *after)
{
    *before = tok->n_before;
    *after = tok->n_after;
}

static const gr__token *token_of(const gr_tokenizer *tok, int32_t id)
{
    return id >= 0 && id < tok->n_token && tok->token[id].piece ? &tok->token[id] : NULL;
}

const char *gr_tokenizer_token(const gr_tokenizer *tok, int32_t id, size_t *n)
{
    const gr__token *token = token_of(tok, id);
    if (n) *n = token ? token->n_piece : 0;
    return token ? token->piece : NULL;
}

const char *gr_tokenizer_token_bytes(const gr_tokenizer *tok, int32_t id, size_t *n)
{
    const gr__token *token = token_of(tok, id);
    if (n) *n = token ? token->n_bytes : 0;
    return token ? token->bytes : NULL;
}

int32_t gr_tokenizer_id(const gr_tokenizer *tok, const char *token)
{
    return gr__find_token(tok, token, strlen(token));
}

bool gr_tokenizer_is_special(const gr_tokenizer *tok, int32_t id)
{
    const gr__token *token = token_of(tok, id);
    return token && token->special;
}

/* Tokens are used about as Zipf's law says, in the order in which they were learned: the first ones most. */
double gr_tokenizer_bytes_per_token(const gr_tokenizer *tok)
{
    double bytes = 0, weight = 0, place = 8;
    for (int32_t id = 0; id < tok->n_token; id++) {
        const gr__token *token = &tok->token[id];
        if (!token->in_model || token->added || token->n_bytes == 0) continue;
        if (tok->n_merge > 0 && token->n_bytes == 1) continue; /* bytes alone are rare where there are merges */
        bytes += (double)token->n_bytes / place;
        weight += 1 / place;
        place++;
    }
    return weight > 0 ? bytes / weight : 1;
}

gr_status gr_tokenizer_fingerprint(const gr_tokenizer *tok, uint64_t *out)
{
    GR_FAIL_IF(!tok || !out, GR_ERR_ARGUMENT, "gr_tokenizer_fingerprint needs a tokenizer and room for the result");
    gr__str json = {0};
    gr__print_tokenizer_json(tok, &json);
    gr_status status = gr__str_check(&json);
    if (status == GR_OK) *out = gr__hash_stable(gr__str_get(&json), json.n, 0);
    gr__str_release(&json);
    return status;
}

/* ---- opening ---- */

static gr_status path_of(const char *folder, const char *name, char **out)
{
    *out = gr__path_join(folder, name);
    return *out ? GR_OK : gr__fail_memory("a path", strlen(folder) + strlen(name));
}

/* Sets *out to folder/name where that file exists, else to NULL. */
static gr_status find_file(const char *folder, const char *name, char **out)
{
    GR_TRY(path_of(folder, name, out));
    if (gr__file_exists(*out) && !gr__file_is_dir(*out)) return GR_OK;
    gr__free(*out);
    *out = NULL;
    return GR_OK;
}

/* bos, eos, ... of a tokenizer_config.json beside the vocabulary. */
static gr_status read_config_in(const char *folder, gr_tokenizer *tok)
{
    char *path;
    GR_TRY(find_file(folder, "tokenizer_config.json", &path));
    gr_status status = path ? gr__read_tokenizer_config(path, tok) : GR_OK;
    gr__free(path);
    return status;
}

static gr_status read_folder(const char *folder, gr_tokenizer *tok)
{
    static const struct {
        const char *file, *merges;
    } known[] = {
        {"tokenizer.json", NULL}, {"vocab.json", "merges.txt"}, {"encoder.json", "vocab.bpe"}, {"tokenizer.bin", NULL}};
    for (size_t i = 0; i < GR__COUNT(known); i++) {
        char *file = NULL, *merges = NULL;
        gr_status status = find_file(folder, known[i].file, &file);
        if (status == GR_OK && file && known[i].merges) status = path_of(folder, known[i].merges, &merges);
        bool found = file != NULL;
        if (status == GR_OK && found)
            status = merges                                         ? gr__read_gpt2_files(file, merges, tok)
                     : strcmp(known[i].file, "tokenizer.json") == 0 ? gr__read_tokenizer_json(file, tok)
                                                                    : gr__read_llama2c(file, tok);
        gr__free(file);
        gr__free(merges);
        if (status != GR_OK || found) return status == GR_OK ? read_config_in(folder, tok) : status;
    }
    return gr__fail(GR_ERR_NOT_FOUND,
                    "folder '%s' has no tokenizer: tokenizer.json, vocab.json with merges.txt, encoder.json "
                    "with vocab.bpe, or tokenizer.bin",
                    folder);
}

static gr_status read_one_file(const char *path, gr_tokenizer *tok)
{
    if (gr__str_ends(path, ".bin")) return gr__read_llama2c(path, tok);
    GR_TRY(gr__read_tokenizer_json(path, tok));
    const char *slash = strrchr(path, '/');
    char *folder = slash ? gr__strndup(path, (size_t)(slash - path) + 1) : gr__strdup(".");
    if (!folder) return gr__fail_memory("a path", strlen(path));
    gr_status status = read_config_in(folder, tok);
    gr__free(folder);
    return status;
}

gr_status gr_tokenizer_open(const char *path, gr_tokenizer **out)
{
    GR_FAIL_IF(!path || !out, GR_ERR_ARGUMENT, "gr_tokenizer_open needs a path and room for the result");
    gr_tokenizer *tok;
    GR_TRY(gr__tokenizer_new(&tok));
    gr_status status = gr__file_is_dir(path) ? read_folder(path, tok) : read_one_file(path, tok);
    if (status == GR_OK) status = gr__tokenizer_finish(tok);
    if (status != GR_OK) {
        gr_tokenizer_close(&tok);
        return gr__fail_prefix(status, "cannot open tokenizer '%s'", path);
    }
    *out = tok;
    return GR_OK;
}

/* ---- saving ---- */

static gr_status save_text(const gr_tokenizer *tok, void (*print)(const gr_tokenizer *, gr__str *), const char *path)
{
    gr__str json = {0};
    print(tok, &json);
    gr_status status = gr__str_check(&json);
    if (status == GR_OK) status = gr__file_write(path, gr__str_get(&json), json.n);
    gr__str_release(&json);
    return status;
}

static gr_status save_in(const gr_tokenizer *tok, const char *folder, const char *name,
                         void (*print)(const gr_tokenizer *, gr__str *))
{
    char *path;
    GR_TRY(path_of(folder, name, &path));
    gr_status status = save_text(tok, print, path);
    gr__free(path);
    return status;
}

gr_status gr_tokenizer_save(const gr_tokenizer *tok, const char *path)
{
    GR_FAIL_IF(!tok || !path, GR_ERR_ARGUMENT, "gr_tokenizer_save needs a tokenizer and a path");
    if (!gr__file_is_dir(path)) return save_text(tok, gr__print_tokenizer_json, path);
    GR_TRY(save_in(tok, path, "tokenizer.json", gr__print_tokenizer_json));
    return save_in(tok, path, "tokenizer_config.json", gr__print_tokenizer_config);
}
