/* The convolutions of conv.h for bf16 on AMX tiles: one product, one operand of which is what the window sees. */
#ifndef GR__CONV_AMX_H
#define GR__CONV_AMX_H

#include "kernel/conv.h"

/* bf16, one group, no gaps between taps on the last axis; x: steps of one. And a processor that has tiles. */
bool gr__conv_amx_applicable(const gr__conv *c);
/* What the window sees is packed row by row, not read where it lies (gemm_amx_rows.c). */
bool gr__conv_amx_packs_rows(const gr__conv *c);
size_t gr__conv_amx_scratch_bytes(const gr__conv *c);
void gr__conv_amx_run(const gr__conv *c);
size_t gr__conv_amx_packed_bytes(const gr__conv *c);
void gr__conv_amx_pack_w(const gr__conv *c, void *to);

#endif
