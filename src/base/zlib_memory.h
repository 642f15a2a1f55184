/* zlib's memory comes from our allocator. */
#ifndef GR__ZLIB_MEMORY_H
#define GR__ZLIB_MEMORY_H

#include "base/alloc.h"

GR__INLINE void *gr__zlib_alloc(void *user, unsigned count, unsigned bytes)
{
    (void)user;
    return gr__calloc(count, bytes);
}

GR__INLINE void gr__zlib_free(void *user, void *pointer)
{
    (void)user;
    gr__free(pointer);
}

#endif
