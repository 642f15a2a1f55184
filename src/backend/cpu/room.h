/* Hands out a kernel's scratch in parts of whole cache lines; from NULL it only counts. */
#ifndef GR__CPU_ROOM_H
#define GR__CPU_ROOM_H

#include "base/compiler.h"

typedef struct gr__room {
    char *base;
    size_t used;
} gr__room;

GR__INLINE void *gr__room_take(gr__room *r, int64_t count, size_t item)
{
    void *p = r->base ? r->base + r->used : NULL;
    r->used += ((size_t)count * item + GR__ALIGN - 1) / GR__ALIGN * GR__ALIGN;
    return p;
}

#endif
