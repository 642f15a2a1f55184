#include "kernel/peak.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/parallel.h"
#include "kernel/cpu.h"
#include "kernel/tiles.h"

#include <stdatomic.h>
#include <string.h>

/* Every trial is cut into more chunks than threads, so that a busy neighbour costs only what it takes. */
enum { TRIALS = 6, CHUNKS_PER_THREAD = 8, ROUNDS = 1 << 18 };
#define BUFFER_BYTES ((size_t)192 << 20)
#define CHUNK_BYTES ((size_t)2 << 20)
enum { MEMORY_CHUNKS = BUFFER_BYTES / CHUNK_BYTES, CHUNK_FLOATS = CHUNK_BYTES / sizeof(float) };

/* ---- plain C ---- */

enum { LANES = 32 };

static float generic_f32(int64_t rounds)
{
    float acc[LANES], sum = 0;
    for (int i = 0; i < LANES; i++) acc[i] = 1 + 0.01f * (float)i;
    for (int64_t r = 0; r < rounds; r++)
        for (int i = 0; i < LANES; i++) acc[i] = acc[i] * 0.999f + 0.001f;
    for (int i = 0; i < LANES; i++) sum += acc[i];
    return sum;
}

static float generic_read(const float *src, int64_t n)
{
    uint32_t sum[16] = {0}, word[16]; /* integers: their sums may be reordered, and so become vectors */
    for (int64_t i = 0; i < n; i += 16) {
        memcpy(word, src + i, sizeof word);
        for (int k = 0; k < 16; k++) sum[k] += word[k];
    }
    for (int k = 1; k < 16; k++) sum[0] += sum[k];
    return (float)sum[0];
}

static void generic_copy(float *dst, const float *src, int64_t n)
{
    for (int64_t i = 0; i < n; i += 1024) memcpy(dst + i, src + i, (size_t)GR__MIN(n - i, 1024) * sizeof *dst);
}

static const gr__peak_kernels generic = {.f32 = generic_f32,
                                         .f32_flops = 2 * LANES,
                                         .read = generic_read,
                                         .copy = generic_copy,
                                         .copy_stream = generic_copy};

#if GR__HAVE_X86
static const gr__peak_kernels *const levels[GR__CPU_LEVEL_COUNT] = {&generic, &gr__peak_avx2, &gr__peak_avx512,
                                                                    &gr__peak_avx512};
#else
#define gr__tiles_peak NULL
static const gr__peak_kernels *const levels[GR__CPU_LEVEL_COUNT] = {&generic, &generic, &generic, &generic};
#endif

/* ---- trials ---- */

static _Atomic float sink; /* keeps the loops from being left out */

typedef struct trial {
    const gr__peak_kernels *kernels;
    float (*compute)(int64_t rounds);
    gr__peak_memory memory;
    float *dst;
    const float *src;
} trial;

static void compute_chunk(void *context, int64_t chunk, int thread)
{
    const trial *t = context;
    (void)chunk, (void)thread;
    sink = t->compute(ROUNDS);
}

static void memory_chunk(void *context, int64_t chunk, int thread)
{
    const trial *t = context;
    int64_t at = chunk * CHUNK_FLOATS;
    (void)thread;
    switch (t->memory) {
    case GR__PEAK_READ: sink = t->kernels->read(t->src + at, CHUNK_FLOATS); break;
    case GR__PEAK_COPY: t->kernels->copy(t->dst + at, t->src + at, CHUNK_FLOATS); break;
    default: t->kernels->copy_stream(t->dst + at, t->src + at, CHUNK_FLOATS); break;
    }
}

static void fill_chunk(void *context, int64_t chunk, int thread)
{
    float *buffer = context;
    (void)thread;
    memset(buffer + chunk * CHUNK_FLOATS, 1, CHUNK_BYTES);
}

/* Seconds of the best trial. One thread: this one. */
static double best_of(int64_t chunks, gr__chunk_fn fn, void *context, int threads)
{
    double best = 0;
    for (int i = 0; i < TRIALS; i++) {
        double start = gr__now();
        if (threads > 1) gr__parallel(chunks, fn, context);
        for (int64_t c = 0; threads <= 1 && c < chunks; c++) fn(context, c, 0);
        double seconds = gr__now() - start;
        if (i == 0 || seconds < best) best = seconds;
    }
    return GR__MAX(best, 1e-9);
}

double gr__peak_flops(bool bf16, int threads)
{
    const gr__peak_kernels *k = levels[gr__cpu_get_level()];
    trial t = {.kernels = k, .compute = bf16 ? k->bf16 : k->f32};
    int64_t chunks = (int64_t)GR__MAX(threads, 1) * CHUNKS_PER_THREAD;
    double flops = bf16 ? k->bf16_flops : k->f32_flops;
    if (bf16 && (!k->bf16 || !gr__cpu()->bf16)) return 0;
    if (bf16 && gr__cpu_has_tiles()) {
        t.compute = gr__tiles_peak;
        flops = GR__TILES_PEAK_FLOPS;
    }
    return (double)chunks * ROUNDS * flops / best_of(chunks, compute_chunk, &t, threads);
}

gr_status gr__peak_memory_rates(int threads, double *out)
{
    trial t = {.kernels = levels[gr__cpu_get_level()]};
    float *src = gr__alloc_large(BUFFER_BYTES), *dst = gr__alloc_large(BUFFER_BYTES);
    if (src && dst) {
        gr__parallel(MEMORY_CHUNKS, fill_chunk, src);
        gr__parallel(MEMORY_CHUNKS, fill_chunk, dst);
        t.src = src;
        t.dst = dst;
        for (int i = 0; i < GR__PEAK_MEMORY_COUNT; i++) {
            t.memory = (gr__peak_memory)i;
            out[i] =
                (i == GR__PEAK_READ ? 1 : 2) * (double)BUFFER_BYTES / best_of(MEMORY_CHUNKS, memory_chunk, &t, threads);
        }
    }
    gr_status status = src && dst ? GR_OK : gr__fail_memory("two buffers to measure memory with", 2 * BUFFER_BYTES);
    gr__free_large(src, BUFFER_BYTES);
    gr__free_large(dst, BUFFER_BYTES);
    return status;
}
