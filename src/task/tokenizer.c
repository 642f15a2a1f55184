#include "task/tokenizer.h"

#include "base/file.h"

/* ORDER TOKENIZER */
static const char *const types[] = {"byte", "char", "bpe", "word", NULL};
static const gr_tokenizer_type kinds[] = {GR_TOKENIZER_BYTE, GR_TOKENIZER_CHAR, GR_TOKENIZER_BPE,
                                          GR_TOKENIZER_WORD_PIECE};

#define AT(field) offsetof(gr__tokenizer_settings, field)
const gr__conf_row gr__tokenizer_rows[GR__N_TOKENIZER_ROWS] = {
    {"type", GR__CONF_ENUM, AT(type), 0, 0, types, "bpe",
     "byte, char, bpe or word, trained on the text (word: a Chinese character is one)", GR__CONF_MAIN},
    {"vocab_size", GR__CONF_INT, AT(vocab_size), 5, 1048576, NULL, "2048", "bpe, word: number of tokens", 0},
    {"least_count", GR__CONF_INT, AT(least_count), 1, 1e9, NULL, "2", "bpe, word: rarer pairs and words are left out",
     0},
    {"keep_case", GR__CONF_BOOL, AT(keep_case), 0, 0, NULL, "false", "word: capitals and accents count", 0},
    {"path", GR__CONF_STRING, AT(path), 0, 0, NULL, NULL, "use this tokenizer (a folder or tokenizer.json)", 0},
};

/* *out stays NULL where there is none. */
static gr_status open_kept(const gr__task_in *in, gr_tokenizer **out)
{
    if (!in->run_folder || in->fresh)
        return GR_OK; /* what a run without a checkpoint left is of some other configuration */
    char *path = gr__path_join(in->run_folder, "tokenizer.json");
    if (!path) return gr__fail_memory("a path", 256);
    gr_status s = gr__file_exists(path) ? gr_tokenizer_open(path, out) : GR_OK;
    gr__free(path);
    return s;
}

gr_status gr__task_make_tokenizer(const gr__tokenizer_settings *settings, const gr_tokenizer_options *o,
                                  const gr_text_source *texts, size_t n, const gr__task_in *in, gr_tokenizer **out)
{
    gr_tokenizer *tok = NULL;
    GR_TRY(open_kept(in, &tok));
    if (!tok && settings->path) {
        GR_TRY(gr_tokenizer_open(settings->path, &tok));
    } else if (!tok) {
        gr_tokenizer_options to = *o;
        to.vocab_size = settings->vocab_size;
        to.least_count = settings->least_count;
        to.keep_case = settings->keep_case;
        GR_TRY(gr_tokenizer_train(kinds[settings->type], &to, texts, n, &tok));
    } else {
        *out = tok;
        return GR_OK;
    }
    gr_status s = in->run_folder ? gr_tokenizer_save(tok, in->run_folder) : GR_OK;
    if (s != GR_OK)
        gr_tokenizer_close(&tok);
    else
        *out = tok;
    return s;
}
