/* Batches of token ids in JSON: a list of equally long lists. */
#ifndef CLI_IDS_H
#define CLI_IDS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct ids_batch {
    int32_t *id; /* (rows, columns); the reader frees it */
    int64_t rows, columns;
} ids_batch;

/* false: prints what is wrong. */
bool ids_read(const char *path, ids_batch *out);

#endif
