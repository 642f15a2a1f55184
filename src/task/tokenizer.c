#include "task/tokenizer.h"

#include "base/file.h"

static const char *const types[] = {"byte", "char", "bpe", NULL};

#define AT(field) offsetof(gr__tokenizer_settings, field)
const gr__conf_row gr__tokenizer_rows[GR__N_TOKENIZER_ROWS] = {
    {"type", GR__CONF_ENUM, AT(type), 0, 0, types, "bpe", "byte, char, or bpe trained on the text", GR__CONF_MAIN},
    {"vocab_size", GR__CONF_INT, AT(vocab_size), 258, 1048576, NULL, "2048", "bpe: number of tokens", 0},
    {"path", GR__CONF_STRING, AT(path), 0, 0, NULL, NULL, "use this tokenizer (a folder or tokenizer.json)", 0},
};

/* *out stays NULL where there is none. */
static gr_status open_kept(const gr__task_in *in, gr_tokenizer **out)
{
    if (!in->run_folder || in->fresh) return GR_OK;
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
        GR_TRY(gr_tokenizer_train((gr_tokenizer_type)settings->type, &to, texts, n, &tok));
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
