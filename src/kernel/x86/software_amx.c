#include "kernel/x86/software_amx.h"

#include <stdio.h>
#include <stdlib.h>

_Thread_local gr__software_tile gr__software_tiles[GR__SOFTWARE_TILES];

void gr__software_tile_refuse(const char *what)
{
    fprintf(stderr, "a tile %s\n", what); /* the processor's signal; only in a build for tests */
    abort();
}

void gr__software_tile_config(const void *config)
{
    enum { PALETTE = 0, BYTES = 16, ROWS = 48, MOST_BYTES = 64, MOST_ROWS = 16 };
    const uint8_t *at = config;
    memset(gr__software_tiles, 0, sizeof gr__software_tiles);
    if (!config) return;
    if (at[PALETTE] != 1) gr__software_tile_refuse("has another palette");
    for (int i = 0; i < GR__SOFTWARE_TILES; i++) {
        uint16_t bytes;
        memcpy(&bytes, at + BYTES + 2 * i, 2);
        if (bytes > MOST_BYTES || bytes % 4 || at[ROWS + i] > MOST_ROWS || !bytes != !at[ROWS + i])
            gr__software_tile_refuse("has a size that there is not");
        gr__software_tiles[i].rows = at[ROWS + i];
        gr__software_tiles[i].words = bytes / 4;
    }
}
