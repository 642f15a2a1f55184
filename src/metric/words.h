/* Texts as lists of numbers: what BLEU, ROUGE and edit distances count on. Equal words get equal ids within one map. */
#ifndef GR__WORDS_H
#define GR__WORDS_H

#include "base/map.h"
#include "gradus/metric.h"

typedef struct gr__words {
    int32_t *id;
    size_t n, capacity;
} gr__words;

/* GR_ERR_DATA with the byte offset where 'text' is not UTF-8; 'what' names it. */
gr_status gr__words_check(const char *text, const char *what);

/* Bytes of the blank at 'text' (Unicode's White_Space and the four separators U+001C .. U+001F), 0 where there is none. */
size_t gr__blank(const char *text);
/* Without blanks at its ends. */
const char *gr__trim(const char *text, size_t *n);

/* Appends the words between blanks of n bytes. */
gr_status gr__words_split(gr__words *w, gr__map *ids, const char *text, size_t n);
/* Appends one word. */
gr_status gr__words_add(gr__words *w, gr__map *ids, const char *word, size_t n);
/* Appends the code points of n bytes. */
gr_status gr__words_characters(gr__words *w, const char *text, size_t n);
void gr__words_release(gr__words *w);

/* counts[n-gram] += 1 for all n-grams of n words; the key is the bytes of the ids. */
gr_status gr__words_count(const gr__words *w, size_t n, gr__map *counts);

/* Words as BLEU's tokenizers cut them. */
gr_status gr__bleu_split(gr__words *w, gr__map *ids, gr_bleu_words kind, const char *text);

#endif
