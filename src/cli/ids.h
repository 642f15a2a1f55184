/* Batches of token ids in JSON: a list of lists, which language models want equally long. */
#ifndef CLI_IDS_H
#define CLI_IDS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct ids_batch {
    int32_t *id;   /* (rows, columns); the reader frees it, and 'mask' */
    uint8_t *mask; /* (rows, columns): 0 behind the end of a shorter row, where ids are 0 */
    int64_t rows, columns;
    bool ragged; /* some row is shorter */
} ids_batch;

/* false: prints what is wrong. */
bool ids_read(const char *path, ids_batch *out);
void ids_release(ids_batch *ids);

#endif
