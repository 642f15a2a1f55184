#include "kernel/simd.h"

#include "base/parallel.h"
#include "kernel/cpu.h"

extern const gr__simd gr__simd_generic, gr__simd_exact;
#if GR__HAVE_X86
extern const gr__simd gr__simd_avx2, gr__simd_avx512;
static const gr__simd *const table[GR__CPU_LEVEL_COUNT] = {&gr__simd_generic, &gr__simd_avx2, &gr__simd_avx512,
                                                           &gr__simd_avx512};
#else
static const gr__simd *const table[GR__CPU_LEVEL_COUNT] = {&gr__simd_generic, &gr__simd_generic, &gr__simd_generic,
                                                           &gr__simd_generic};
#endif

const gr__simd *gr__simd_get(void)
{
    int level = gr__cpu_get_level();
    return level == GR__CPU_GENERIC && gr__cpu_strict() ? &gr__simd_exact : table[level];
}

const gr__simd *gr__simd_get_bf16(void)
{
    int level = gr__cpu_get_level();
    return table[level >= GR__CPU_AVX512 && !gr__cpu()->bf16 ? GR__CPU_AVX2 : level];
}

typedef struct range {
    gr__range_kernel *fn;
    const void *args;
    int64_t count, per;
} range;

static void run_chunk(void *context, int64_t chunk, int thread)
{
    (void)thread;
    const range *r = context;
    int64_t first = chunk * r->per;
    r->fn(r->args, first, GR__MIN(first + r->per, r->count));
}

void gr__run_range(gr__range_kernel *fn, const void *args, int64_t count, int64_t least, int64_t align)
{
    if (count <= 0) return;
    range r = {fn, args, count, 0};
    gr__chunks(count, least, &r.per);
    r.per = (r.per + align - 1) / align * align;
    gr__parallel_home(0, (count + r.per - 1) / r.per, false, run_chunk, &r);
}
