/* Who rated, bought or clicked what, and when: a CSV file of user, item and, where there are, rating and time. */
#ifndef GR__RATINGS_H
#define GR__RATINGS_H

#include "base/arena.h"
#include "conf/schema.h"

typedef struct gr__ratings_options {
    const char *source, *user, *item, *rating, *time; /* columns; rating, time "": there is none */
    int header;
    bool skip_bad; /* rows of another number of fields, or that GR_ERR_DATA below names: left out, with a warning */
} gr__ratings_options;

typedef struct gr__ratings {
    int64_t n;
    int32_t *user, *item;          /* n: places in the lists of names; -1: not in a list that was given */
    float *rating;                 /* n: 1 where there is no column */
    double *time;                  /* n: the number of the row where there is no column */
    int64_t *line;                 /* n */
    gr__conf_strings users, items; /* in the arena, in the order in which they come */
    int64_t *order;                /* n: rows by user, then by time, then as they come */
    int64_t *start; /* users + 1: where each begins in 'order' (rows of no known user stand before the first) */
} gr__ratings;

/* known_users, known_items: lists that the file is read for; NULL: those of the file. GR_ERR_DATA with file:line (an empty
 * name, a rating or a time that is no number), GR_ERR_NOT_FOUND (file, column), GR_ERR_MEMORY; *out is then empty. */
gr_status gr__ratings_read(const gr__ratings_options *o, const gr__conf_strings *known_users,
                           const gr__conf_strings *known_items, gr__arena *arena, gr__ratings *out);
void gr__ratings_release(gr__ratings *r);

#endif
