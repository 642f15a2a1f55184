/* Byte-pair encoding of one word: of all neighbours the pair with the lowest rank is joined, leftmost first, until no
 * pair has a rank. */
#ifndef GR__MERGE_H
#define GR__MERGE_H

#include "text/tokenizer_int.h"

/* Memory for long words; zeroed at the start. */
typedef struct gr__merge_room {
    struct gr__symbol *symbol;
    struct gr__candidate *heap;
    size_t symbol_capacity, heap_capacity, n_heap;
} gr__merge_room;

/* Joins the n ids at 'id' in place; *n becomes the number that is left. GR_ERR_LIMIT, GR_ERR_MEMORY. */
gr_status gr__merge_word(const gr__pair_map *merge_of, gr__merge_room *room, int32_t *id, size_t *n);
void gr__merge_room_release(gr__merge_room *room);

#endif
