/* Data that may be larger than memory. */
#ifndef GR__SPILL_H
#define GR__SPILL_H

#include "base/status.h"

/* From how many bytes on data had better not lie in memory: an eighth of what this process may have, by the machine, its
 * control group (a container's limit) and its limit of address space. */
uint64_t gr__large_bytes(void);
void gr__set_large_bytes(uint64_t bytes); /* for tests; 0: that eighth */

/* 'count' items of 'bytes', cleared; NULL on failure (no message set). From gr__large_bytes() on they lie in a file without a
 * name, in $TMPDIR or /var/tmp, and the system keeps of them what it has room for; else, or where there is no such room, in
 * memory. */
void *gr__spill_new(size_t count, size_t bytes);
void gr__spill_free(void *block);
/* gr__grow() for such blocks. */
gr_status gr__spill_grow(void *items, size_t item_bytes, size_t count, size_t *capacity);

#endif
