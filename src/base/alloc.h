/* The one door to memory. Blocks remember their size, so that the accounting is exact. */
#ifndef GR__ALLOC_H
#define GR__ALLOC_H

#include "base/status.h"

/* 64-byte aligned, not cleared; NULL on failure (no message set). Size 0 gives a valid block. */
void *gr__alloc(size_t bytes);
void *gr__calloc(size_t count, size_t bytes); /* checked product, cleared */
void *gr__realloc(void *pointer, size_t bytes);
void gr__free(void *pointer);
char *gr__strdup(const char *text);
char *gr__strndup(const char *text, size_t n);

/* For buffers of many megabytes: from 2 MiB on 2 MiB aligned with huge pages asked for, first touch left to the user.
 * Cleared. */
void *gr__alloc_large(size_t bytes);
/* Asks for huge pages in a block that was not touched yet; it need not be of gr__alloc_large(). */
void gr__alloc_advise_huge(void *block, size_t bytes);
void gr__free_large(void *pointer, size_t bytes);

/* a*b and a+b; false when they do not fit. */
GR__INLINE bool gr__mul_size(size_t a, size_t b, size_t *out)
{
    if (b != 0 && a > SIZE_MAX / b) return false;
    *out = a * b;
    return true;
}
GR__INLINE bool gr__add_size(size_t a, size_t b, size_t *out)
{
    if (a > SIZE_MAX - b) return false;
    *out = a + b;
    return true;
}

/* Grows array *items of 'item_bytes' each so that it holds at least 'count'. */
gr_status gr__grow(void *items, size_t item_bytes, size_t count, size_t *capacity);

#endif
