#include "kernel/attention_int.h"

#include "base/parallel.h"
#include "kernel/cpu.h"
#include "kernel/simd.h"

#include <string.h>

static int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

static gr__attention_plan plan_of(const gr__attention *a, gr__attention_pass pass)
{
    gr__attention_plan p = {.a = *a, .pass = pass};
    p.q_blocks = ceil_div(a->tq, GR__BQ);
    p.k_blocks = ceil_div(a->tk, GR__BK);
    p.dp = ceil_div(a->d, 16) * 16;
    return p;
}

/* Floats; the files of simd/ lay them out in the order of these lines (see carve()). */
static size_t forward_bytes(const gr__attention_plan *p)
{
    int64_t floats = 2 * p->dp * GR__BQ + 2 * GR__BK * GR__BQ + 2 * GR__BK * p->dp + 8 * GR__BQ;
    return (size_t)floats * sizeof(float);
}

static size_t backward_bytes(const gr__attention_plan *p)
{
    int64_t floats = 5 * p->dp * GR__BQ + 4 * GR__BK * GR__BQ + 3 * GR__BK * p->dp + 8 * GR__BQ;
    int64_t keys = p->pass == GR__PASS_ALL ? p->k_blocks * GR__BK : p->pass == GR__PASS_DKV ? GR__BK : 0;
    return (size_t)(floats + 2 * keys * p->dp) * sizeof(float);
}

/* One sweep costs 5 products, two sweeps 7, but give more tasks; the results are the same bits. */
static bool one_sweep(const gr__attention *a)
{
    int64_t tasks = a->batch * a->kv_heads, width = gr__parallel_width();
    return tasks >= 4 * width || ceil_div(tasks, width) * width * 5 <= tasks * 7;
}

/* bf16 goes by pairs where there is a dot product for them, and those by tiles where there are tiles. */
static bool by_pairs(const gr__attention *a)
{
    return a->dtype == GR_BF16 && a->kv_dtype == GR_BF16 && a->d % 2 == 0 && gr__cpu()->bf16 &&
           gr__cpu_get_level() >= GR__CPU_AVX512;
}
static bool by_tiles(const gr__attention *a) { return by_pairs(a) && gr__cpu_has_tiles(); }

static int64_t turned_blocks(const gr__attention *a) { return a->batch * a->kv_heads * ceil_div(a->tk, GR__BK); }

size_t gr__attention_forward_scratch_bytes(const gr__attention *a)
{
    gr__attention_plan p = plan_of(a, GR__PASS_FORWARD);
    size_t turned = by_tiles(a) ? (size_t)(turned_blocks(a) * p.dp * (GR__BK / 2)) * sizeof(float) : 0;
    return forward_bytes(&p) * (size_t)gr__parallel_width() + turned;
}

size_t gr__attention_backward_scratch_bytes(const gr__attention *a)
{
    gr__attention_plan p = plan_of(a, one_sweep(a) ? GR__PASS_ALL : GR__PASS_DKV);
    return backward_bytes(&p) * (size_t)gr__parallel_width();
}

typedef struct task_call {
    const gr__attention_plan *plan;
    gr__task_kernel *fn;
} task_call;

static void run_task(void *context, int64_t task, int thread)
{
    const task_call *t = context;
    t->fn(t->plan, task, thread);
}

#if GR__HAVE_X86
extern gr__task_kernel gr__attention_forward_bf16_amx, gr__attention_backward_bf16_amx;
#else
#define gr__attention_forward_bf16_amx NULL
#define gr__attention_backward_bf16_amx NULL
#endif

static gr__task_kernel *kernel_for(const gr__attention *a, bool backward)
{
    const gr__simd *simd = gr__simd_get();
    if (!by_pairs(a)) return backward ? simd->attention_backward : simd->attention_forward;
    if (by_tiles(a)) return backward ? gr__attention_backward_bf16_amx : gr__attention_forward_bf16_amx;
    return backward ? simd->attention_backward_bf16 : simd->attention_forward_bf16;
}

static void run_pass(const gr__attention *a, gr__attention_pass pass, int64_t tasks)
{
    bool backward = pass >= GR__PASS_ALL;
    gr__attention_plan p = plan_of(a, pass);
    p.thread_bytes = backward ? backward_bytes(&p) : forward_bytes(&p);
    bool turns = (pass == GR__PASS_TURN || pass == GR__PASS_FORWARD) && by_tiles(a);
    if (turns) p.turned = (float *)(void *)((char *)a->scratch + p.thread_bytes * (size_t)gr__parallel_width());
    task_call call = {&p, kernel_for(a, backward)};
    gr__parallel_home(0, tasks, false, run_task, &call);
}

void gr__attention_forward(const gr__attention *a)
{
    if (a->tq <= GR__FEW_QUERIES) {
        run_pass(a, GR__PASS_FEW, a->tq > 0 ? a->batch * a->heads : 0);
        return;
    }
    if (by_tiles(a)) run_pass(a, GR__PASS_TURN, turned_blocks(a));
    run_pass(a, GR__PASS_FORWARD, a->batch * a->heads * ceil_div(a->tq, GR__BQ));
}

void gr__attention_backward(const gr__attention *a)
{
    int64_t groups = a->batch * a->kv_heads;
    if (one_sweep(a)) {
        run_pass(a, GR__PASS_ALL, groups);
    } else {
        run_pass(a, GR__PASS_DKV, groups * ceil_div(a->tk, GR__BK));
        run_pass(a, GR__PASS_DQ, a->batch * a->heads * ceil_div(a->tq, GR__BQ));
    }
}
