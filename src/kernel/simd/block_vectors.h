/* Products of pairs in blocks where there are no tiles: by the dot product of vectors. */
#ifndef GR__BLOCK_VECTORS_H
#define GR__BLOCK_VECTORS_H

#include "kernel/simd/block.h"

enum { GR__BLOCK_TILES = 0 };

GR__INLINE void multiply_begin(void) {}
GR__INLINE void multiply_end(void) {}

static GR__UNUSED void multiply_pairs(const block_job *j) { block_run(j, true); }

#endif
