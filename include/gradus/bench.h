/* gradus/bench.h: the speed of this machine and of Gradus on it, case by case.
 *
 *   gr_bench *bench;
 *   gr_bench_limits limits;
 *   double seconds, loss;
 *   gr_bench_open("step", &(gr_bench_options){.batch = 4, .tokens = 64, .bf16 = true}, &bench);
 *   for (int i = 0; i < 5; i++) gr_bench_run(bench, &seconds, &loss);
 *   gr_bench_measure_limits(&limits);
 *   printf("%.0f %% of the limit\n", 100 * gr_bench_limit_seconds(bench, &limits) / seconds);
 *   gr_bench_close(&bench);
 *
 * A case makes its own random data, the same in every process, and needs no file. Threads: one case, one thread at a
 * time; kernels use gr_threads(), which must not change while a case is open. */
#ifndef GRADUS_BENCH_H
#define GRADUS_BENCH_H

#include "gradus/plan.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- what the machine can do ----------------------------------------------------------- */

/* Measured by loops that do nothing else; the ceilings of everything below. */
typedef struct gr_bench_limits {
    int threads;
    double f32_flops, bf16_flops;         /* a second, multiply-adds in registers; bf16 0: no instruction for it */
    double f32_flops_1, bf16_flops_1;     /* of one thread */
    double read_bytes;                    /* a second, from memory */
    double copy_bytes, copy_stream_bytes; /* a second, read and written; stream: stores that pass the caches by */
} gr_bench_limits;
/* Takes about a second and, for that time, 384 MiB. Whatever else runs meanwhile lowers them. GR_ERR_MEMORY. */
GR_API gr_status gr_bench_measure_limits(gr_bench_limits *out);

/* ---- cases ------------------------------------------------------------------------------ */

/* Name and summary of the i-th case; false past the end. */
GR_API bool gr_bench_case_at(size_t i, const char **name, const char **summary);

typedef enum gr_bench_layout { GR_BENCH_NT, GR_BENCH_NN, GR_BENCH_TN, GR_BENCH_LAYOUT_COUNT } gr_bench_layout;

/* Zero means the default, which is the case that is published. A field that the case does not know is ignored. */
typedef struct gr_bench_options {
    bool bf16; /* compute in bf16, masters in f32 */
    /* step: 12, 12, 768, 1024, 50257; bert: 12, 12, 768, 512, 30522; rnn: width 512; also of the others where it fits */
    int64_t layers, heads, width, context, vocab;
    int64_t batch,
        tokens;   /* step: 4, 64; bert: 8, 128; attention: 1, 1024; rnn: 32, 128; mlp: 32; cnn: 64; resnet: 8 */
    bool no_bias; /* step */
    bool strict;  /* as train.deterministic: strict */
    size_t memory_budget_bytes; /* step, bert: for the arena; 0: no limit */
    int64_t rows;               /* loss: 1024; csv: 200000 */
    int64_t head_size;          /* attention: 64 */
    bool forward_only;          /* attention, bert, rnn, resnet, cnn */
    bool gru;                   /* rnn: in place of LSTM */
    int64_t m, n, k;            /* gemm: 1024 each */
    gr_bench_layout layout;     /* gemm: C = A·Bᵀ unless told */
    bool onednn;                /* gemm: by oneDNN, not by Gradus' own kernel */
    bool packed;                /* gemm: B lies in the order that the engine likes best, made before the first run */
    bool cold;                  /* gemm: another B in each run, so that it comes from memory */
} gr_bench_options;

typedef struct gr_bench gr_bench;

/* Makes the data and compiles the case. Status: GR_ERR_NOT_FOUND with did-you-mean, GR_ERR_ARGUMENT (sizes),
 * GR_ERR_UNSUPPORTED (gemm: without oneDNN), GR_ERR_MEMORY. */
GR_API gr_status gr_bench_open(const char *name, const gr_bench_options *options, gr_bench **out);
GR_API void gr_bench_close(gr_bench **bench);

/* The whole work once: seconds it took; loss (may be NULL) is NaN where the case has none. */
GR_API gr_status gr_bench_run(gr_bench *bench, double *seconds, double *loss);

typedef struct gr_bench_info {
    const char *name;
    char text[96]; /* "L12 H12 C768 B4 T64 bf16" */
    bool bf16, has_loss;
    double flops;        /* of a run, products and sums counted apart, the unseen half of attention left out */
    double read_bytes;   /* that must come from memory while those are computed */
    double copied_bytes; /* read and written besides: the optimiser */
    double units;        /* of a run; 0: nothing to count */
    const char *unit;    /* "tok", "param" */
    int64_t parameters;
    double compile_seconds; /* of the plan; 0: there is none */
    size_t arena_bytes, state_bytes;
} gr_bench_info;
GR_API gr_bench_info gr_bench_describe(const gr_bench *bench);

/* max(flops/peak, read/rate) + copied/rate of the faster copy: what a run cannot be faster than. */
GR_API double gr_bench_limit_seconds(const gr_bench *bench, const gr_bench_limits *limits);

/* Times of the plan's steps from the next run on, as gr_session_profile(); GR_ERR_UNSUPPORTED where the case has no
 * plan. */
GR_API gr_status gr_bench_profile(gr_bench *bench, bool on);
GR_API bool gr_bench_profile_at(const gr_bench *bench, size_t i, gr_profile_row *out);

/* Page faults of this process so far that needed no disk; 0: unknown. */
GR_API int64_t gr_process_page_faults(void);

#ifdef __cplusplus
}
#endif
#endif
