/* A vocabulary of whole words: those of the training text, the most frequent ones first, in the shape of BERT's WordPiece
 * without pieces inside words: what is not in the vocabulary is one unknown. Chinese characters are words of their own. */
#include "text/tokenizer_int.h"

#include <stdlib.h>
#include <string.h>

enum { LONGEST_WORD = 100 }; /* characters */

static gr_status count_word(void *user, const char *word, size_t n)
{
    gr__map *words = user;
    int64_t *count = gr__map_get(words, word, n);
    if (!count) return gr__map_set(words, word, n, 1, NULL);
    ++*count;
    return GR_OK;
}

/* The frequent ones first, equals by their bytes. */
static int by_count(const void *a, const void *b)
{
    const gr__map_entry *x = *(gr__map_entry *const *)a, *y = *(gr__map_entry *const *)b;
    if (x->value != y->value) return x->value < y->value ? 1 : -1;
    int order = memcmp(x->key, y->key, x->n < y->n ? x->n : y->n);
    return order ? order : (x->n > y->n) - (x->n < y->n);
}

static gr_status add_words(gr_tokenizer *tok, int64_t most, int64_t least, const gr__map *words)
{
    gr__map_entry **order = gr__alloc((words->count + 1) * sizeof *order);
    if (!order) return gr__fail_memory("the words of a text", words->count * sizeof *order);
    for (size_t i = 0; i < words->count; i++) order[i] = &words->entry[i];
    qsort(order, words->count, sizeof *order, by_count);
    gr_status status = GR_OK;
    for (size_t i = 0; i < words->count && tok->n_token < most && order[i]->value >= least && status == GR_OK; i++)
        if (gr__find_token(tok, order[i]->key, order[i]->n) < 0)
            status = gr__add_token(tok, order[i]->key, order[i]->n, tok->n_token);
    gr__free(order);
    return status;
}

gr_status gr__make_words(gr_tokenizer *tok, bool keep_case)
{
    gr__step *step;
    tok->inside = "##";
    tok->most_characters = LONGEST_WORD;
    GR_TRY(gr__add_step(&tok->normalize, GR__NORM_BERT, &step));
    step->count = GR__BERT_CLEAN | GR__BERT_CHINESE | (keep_case ? 0 : GR__BERT_LOWER | GR__BERT_ACCENTS);
    GR_TRY(gr__add_step(&tok->split, GR__SPLIT_BERT, &step));
    GR_TRY(gr__add_step(&tok->decode, GR__DECODE_WORD_PIECE, &step));
    step->a = tok->inside;
    step->flag = true;
    return GR_OK;
}

gr_status gr__train_words(gr_tokenizer *tok, int32_t vocab_size, int64_t least_count, const gr_text_source *sources,
                          size_t n_sources)
{
    gr__map words = {0};
    gr_status status = GR_OK;
    for (size_t i = 0; i < n_sources && status == GR_OK; i++) {
        status = gr__each_word(tok, sources[i].n ? sources[i].text : "", sources[i].n, count_word, &words);
        if (status != GR_OK) status = gr__fail_prefix(status, "text %zu", i);
    }
    if (status == GR_OK && words.count == 0) status = gr__fail(GR_ERR_DATA, "the training text has no words");
    if (status == GR_OK) status = add_words(tok, vocab_size, least_count, &words);
    gr__map_release(&words);
    return status;
}
