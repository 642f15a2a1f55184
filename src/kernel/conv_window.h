/* The convolutions of conv.h for bf16 on AMX tiles or by dot products: one product, one operand of which is what the window sees. */
#ifndef GR__CONV_WINDOW_H
#define GR__CONV_WINDOW_H

#include "kernel/conv.h"

/* bf16, one group, no gaps between taps on the last axis; x: whole steps of k, with steps no gaps at all. And a processor whose
 * products see what this window does (gr__gemm_can_see). */
bool gr__conv_window_applicable(const gr__conv *c);
/* On tiles, what the window sees is packed row by row, not read where it lies (gemm_amx_rows.c). */
bool gr__conv_window_packs_rows(const gr__conv *c);
size_t gr__conv_window_scratch_bytes(const gr__conv *c);
void gr__conv_window_run(const gr__conv *c);
size_t gr__conv_window_packed_bytes(const gr__conv *c);
void gr__conv_window_pack_w(const gr__conv *c, void *to);

/* Weights by taps, the last one first: (K, Cout, Cin). */
void gr__conv_window_order_for_x(const gr__conv_shape *s, const void *w, void *to);

/* conv_window_steps.c: x where the window moves by more than one. */
bool gr__conv_window_steps_applicable(const gr__conv *c);
size_t gr__conv_window_steps_scratch_bytes(const gr__conv *c);
void gr__conv_window_steps_run(const gr__conv *c);

#endif
