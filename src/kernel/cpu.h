/* What this processor can do, found once at run time. A level is a set of instructions that the files of simd/ were
 * compiled for; GRADUS_ISA=generic|avx2|avx512|amx or gr__cpu_set_level() lower it, so that tests can compare levels. */
#ifndef GR__CPU_H
#define GR__CPU_H

#include "base/compiler.h"

#include <stdbool.h>

typedef enum gr__cpu_level {
    GR__CPU_GENERIC, /* what the compiler assumes anyway */
    GR__CPU_AVX2,    /* avx2, fma, f16c */
    GR__CPU_AVX512,  /* avx512 f, bw, dq, vl */
    GR__CPU_AMX,     /* avx512 with bf16, and amx tiles of bf16: those products only, the rest is avx512's */
    GR__CPU_LEVEL_COUNT
} gr__cpu_level;

typedef struct gr__cpu_info {
    char name[64];
    int best;                             /* highest level that may be used */
    bool bf16;                            /* avx512_bf16: dot products of bf16 pairs */
    int64_t l1_bytes, l2_bytes, l3_bytes; /* 0: unknown */
} gr__cpu_info;

const gr__cpu_info *gr__cpu(void);

/* The level in use, and its name ("avx512"). */
int gr__cpu_get_level(void);
const char *gr__cpu_level_name(int level);

/* Lowers the level for tests (clamped to the best one); not while kernels run. */
void gr__cpu_set_level(int level);

/* Whether products of bf16 may use tiles now: the level, and the dot product is not hidden. */
bool gr__cpu_has_tiles(void);

/* Strict mode of this thread and of the chunks that it runs, for the time of making or running a plan: own kernels only, whose results depend neither on
 * the number of threads nor, in f32, on the level. Returns what it was. */
bool gr__cpu_set_strict(bool on);
bool gr__cpu_strict(void);

/* For tests: hides (false) or shows again the bf16 dot product. */
void gr__cpu_set_bf16(bool on);

#endif
