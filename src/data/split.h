/* Rows into two parts, one for training and one for validation: by a share or as one of several folds, drawn by the seed,
 * each class with its share in both. */
#ifndef GR__SPLIT_H
#define GR__SPLIT_H

#include "conf/schema.h"

typedef struct gr__split_options {
    double valid;        /* share for validation; 0: none */
    int64_t folds, fold; /* folds 0: by 'valid' */
} gr__split_options;

/* Rows of a section 'data'; at: offset of a gr__split_options. */
#define GR__SPLIT_ROWS(at)                                                                 \
    {"valid",                                                                              \
     GR__CONF_DOUBLE,                                                                      \
     (at) + offsetof(gr__split_options, valid),                                            \
     0,                                                                                    \
     0.9,                                                                                  \
     NULL,                                                                                 \
     "0.2",                                                                                \
     "share of the rows for validation, drawn by the seed, of each class alike",           \
     0},                                                                                   \
        {"folds", GR__CONF_INT, (at) + offsetof(gr__split_options, folds),      0, 1000,   \
         NULL,    "0",          "cut the rows in so many parts; 0: by 'valid'", 0},        \
    {                                                                                      \
        "fold", GR__CONF_INT, (at) + offsetof(gr__split_options, fold), 0, 999, NULL, "0", \
            "which of the 'folds' is for validation, from 0", 0                            \
    }

/* GR_ERR_CONFIG, with the place of 'section'. other: name of the key of a file for validation that is given, or NULL. */
gr_status gr__split_check(const gr__split_options *o, const gr__conf *section, const char *other);
/* Puts row (n) in another order: *n_train rows for training, then those for validation. group: of each row number, by
 * which the classes are told apart, below 0 as 0; NULL: all one. groups: how many. */
gr_status gr__split_rows(const gr__split_options *o, uint64_t seed, const int32_t *group, int64_t groups, int64_t *row,
                         int64_t n, int64_t *n_train);

#endif
