/* New rows between rows of a class (SMOTE, Chawla et al. 2002; with words SMOTE-NC): numbers lie on the way to one of the
 * nearest rows of the class, a word is the one that most of these have. */
#ifndef GR__SMOTE_H
#define GR__SMOTE_H

#include "base/rng.h"
#include "base/status.h"

enum { GR__SMOTE_NEIGHBOURS = 5, GR__SMOTE_MOST = 1000 };

typedef struct gr__smote {
    int64_t n, numbers, words;
    const double *number; /* (n, numbers), finite; at least one column */
    const int32_t *word;  /* (n, words): codes */
    double apart;         /* what two different words add to a squared distance; filled by gr__smote_prepare() */
} gr__smote;

/* apart: the square of the median of the deviations of the numbers. */
gr_status gr__smote_prepare(gr__smote *s);
/* One row, from row[at] and its neighbours among row (n_rows >= 2 of a class). number (numbers), word (words). */
void gr__smote_row(const gr__smote *s, const int64_t *row, int64_t n_rows, int64_t at, int64_t neighbours, gr__rng *rng,
                   double *number, int32_t *word);

#endif
