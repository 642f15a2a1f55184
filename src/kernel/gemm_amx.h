/* The product of gemm.h on AMX tiles, for bf16, and for f32 in three parts of bf16 where the product asks for it ('split'). Every element of C is summed over k in an order that k alone fixes. */
#ifndef GR__GEMM_AMX_H
#define GR__GEMM_AMX_H

#include "kernel/gemm.h"

/* Two matrices of bf16, or two of f32 that are large enough to be split, and a processor that has tiles. */
bool gr__gemm_amx_applicable(const gr__gemm *g);
size_t gr__gemm_amx_scratch_bytes(const gr__gemm *g);
void gr__gemm_amx_run(const gr__gemm *g);
void gr__gemm_amx_run_columns(const gr__gemm *g, int64_t first, int64_t columns);
size_t gr__gemm_amx_packed_bytes(const gr__gemm *g);
void gr__gemm_amx_pack_b(const gr__gemm *g, void *to);
/* Elements of k of a chunk: packed B lies in [chunk][panel of 32 columns], panels of whole chunks also in the last one. */
int64_t gr__gemm_amx_chunk(const gr__gemm *g);

/* gemm_amx_rows.c: rows of A are not packed but read where they lie, or where a window's part was copied to. */
bool gr__gemm_amx_rows_applicable(const gr__gemm *g);
size_t gr__gemm_amx_rows_scratch_bytes(const gr__gemm *g);
void gr__gemm_amx_rows_run(const gr__gemm *g);

#endif
