/* Counts of a two-class decision: what precision, recall, F1 and accuracy are made of. Counts add up. */
#ifndef GR__CONFUSION_H
#define GR__CONFUSION_H

#include "base/compiler.h"

#include <stdbool.h>

typedef struct gr__confusion {
    int64_t true_positive, false_positive, true_negative, false_negative;
} gr__confusion;

GR__INLINE void gr__confusion_add(gr__confusion *c, bool predicted, bool actual)
{
    if (predicted)
        ++*(actual ? &c->true_positive : &c->false_positive);
    else
        ++*(actual ? &c->false_negative : &c->true_negative);
}

/* 0 where nothing was predicted or is there (as scikit-learn's zero_division=0). */
GR__INLINE double gr__confusion_ratio(int64_t part, int64_t whole) { return whole ? (double)part / (double)whole : 0; }
GR__INLINE double gr__confusion_precision(const gr__confusion *c)
{
    return gr__confusion_ratio(c->true_positive, c->true_positive + c->false_positive);
}
GR__INLINE double gr__confusion_recall(const gr__confusion *c)
{
    return gr__confusion_ratio(c->true_positive, c->true_positive + c->false_negative);
}
GR__INLINE double gr__confusion_f1(const gr__confusion *c)
{
    return gr__confusion_ratio(2 * c->true_positive, 2 * c->true_positive + c->false_positive + c->false_negative);
}
GR__INLINE double gr__confusion_accuracy(const gr__confusion *c)
{
    return gr__confusion_ratio(c->true_positive + c->true_negative,
                               c->true_positive + c->true_negative + c->false_positive + c->false_negative);
}

#endif
