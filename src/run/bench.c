/* Opening, running and describing benchmark cases; what the cases share is in bench_util.c. */
#include "run/bench_int.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/str.h"
#include "kernel/peak.h"

#include <math.h>
#include <string.h>
#include <sys/resource.h>

static const gr__bench_case *const cases[] = {&gr__bench_step,      &gr__bench_bert, &gr__bench_mlp,    &gr__bench_loss,
                                              &gr__bench_attention, &gr__bench_rnn,  &gr__bench_resnet, &gr__bench_cnn,
                                              &gr__bench_adamw,     &gr__bench_gemm, &gr__bench_csv};

/* ---- limits ---- */

static void keep_best(double *best, double rate) { *best = fmax(*best, rate); }

/* A ceiling is what was reached once: several rounds, so that a busy moment lowers none of them. */
gr_status gr_bench_measure_limits(gr_bench_limits *out)
{
    enum { ROUNDS = 3 };
    GR_FAIL_IF(!out, GR_ERR_ARGUMENT, "gr_bench_measure_limits: 'out' is NULL");
    gr_bench_limits l = {.threads = gr_threads()};
    for (int i = 0; i < ROUNDS; i++) {
        double rate[GR__PEAK_MEMORY_COUNT];
        GR_TRY(gr__peak_memory_rates(l.threads, rate));
        keep_best(&l.read_bytes, rate[GR__PEAK_READ]);
        keep_best(&l.copy_bytes, rate[GR__PEAK_COPY]);
        keep_best(&l.copy_stream_bytes, rate[GR__PEAK_COPY_STREAM]);
        keep_best(&l.f32_flops_1, gr__peak_flops(false, 1));
        keep_best(&l.bf16_flops_1, gr__peak_flops(true, 1));
        keep_best(&l.f32_flops, gr__peak_flops(false, l.threads));
        keep_best(&l.bf16_flops, gr__peak_flops(true, l.threads));
    }
    *out = l;
    return GR_OK;
}

double gr_bench_limit_seconds(const gr_bench *b, const gr_bench_limits *l)
{
    double peak = b->info.bf16 && l->bf16_flops > 0 ? l->bf16_flops : l->f32_flops;
    return fmax(b->info.flops / peak, b->info.read_bytes / l->read_bytes) +
           b->info.copied_bytes / fmax(l->copy_bytes, l->copy_stream_bytes);
}

int64_t gr_process_page_faults(void)
{
    struct rusage u;
    return getrusage(RUSAGE_SELF, &u) == 0 ? (int64_t)u.ru_minflt : 0;
}

/* ---- cases ---- */

bool gr_bench_case_at(size_t i, const char **name, const char **summary)
{
    if (i >= GR__COUNT(cases)) return false;
    *name = cases[i]->name;
    *summary = cases[i]->summary;
    return true;
}

static gr_status find(const char *name, const gr__bench_case **out)
{
    const char *names[GR__COUNT(cases)];
    for (size_t i = 0; i < GR__COUNT(cases); i++) {
        names[i] = cases[i]->name;
        if (strcmp(name, names[i]) == 0) {
            *out = cases[i];
            return GR_OK;
        }
    }
    const char *near = gr__str_nearest(name, names, GR__COUNT(names));
    return gr__fail(GR_ERR_NOT_FOUND, "there is no benchmark '%s'%s%s%s", name, near ? "; did you mean '" : "",
                    near ? near : "", near ? "'?" : "");
}

/* Sizes that are zero become the case's. */
static gr_status fill_defaults(const gr_bench_options *given, const gr_bench_options *d, gr_bench_options *o)
{
    if (given) *o = *given;
    const struct {
        const char *name;
        int64_t *size, otherwise;
    } sizes[] = {{"layers", &o->layers, d->layers},
                 {"heads", &o->heads, d->heads},
                 {"width", &o->width, d->width},
                 {"context", &o->context, d->context},
                 {"vocab", &o->vocab, d->vocab},
                 {"batch", &o->batch, d->batch},
                 {"tokens", &o->tokens, d->tokens},
                 {"rows", &o->rows, d->rows},
                 {"head size", &o->head_size, d->head_size},
                 {"m", &o->m, d->m},
                 {"n", &o->n, d->n},
                 {"k", &o->k, d->k}};
    for (size_t i = 0; i < GR__COUNT(sizes); i++) {
        if (*sizes[i].size == 0) *sizes[i].size = sizes[i].otherwise;
        GR_FAIL_IF(*sizes[i].size < 0 || *sizes[i].size > 1 << 24, GR_ERR_ARGUMENT,
                   "the benchmark's %s of %lld is not between 1 and 16777216", sizes[i].name,
                   (long long)*sizes[i].size);
    }
    GR_FAIL_IF(o->layout < 0 || o->layout >= GR_BENCH_LAYOUT_COUNT, GR_ERR_ARGUMENT,
               "the benchmark's layout is unknown");
    return GR_OK;
}

gr_status gr_bench_open(const char *name, const gr_bench_options *options, gr_bench **out)
{
    const gr__bench_case *kind = NULL;
    gr_status status = GR_OK;
    GR_FAIL_IF(!name || !out, GR_ERR_ARGUMENT, "gr_bench_open: an argument is NULL");
    GR_TRY(find(name, &kind));
    gr_bench *b = gr__calloc(1, sizeof *b);
    if (!b) return gr__fail_memory("a benchmark", sizeof *b);
    b->kind = kind;
    GR_TRY_DONE(fill_defaults(options, &kind->defaults, &b->o));
    b->info = (gr_bench_info){.name = kind->name, .bf16 = b->o.bf16, .unit = ""};
    GR_TRY_DONE(kind->open(b));
    *out = b;
    b = NULL;
done:
    gr_bench_close(&b);
    return status;
}

void gr_bench_close(gr_bench **bench)
{
    if (!bench || !*bench) return;
    gr_bench *b = *bench;
    if (b->kind->close) b->kind->close(b);
    gr_session_free(&b->session);
    gr_plan_free(&b->plan);
    gr_graph_free(&b->graph);
    gr_store_free(&b->own_store);
    gr_model_free(&b->model);
    gr__free(b);
    *bench = NULL;
}

gr_status gr_bench_run(gr_bench *b, double *seconds, double *loss)
{
    GR_FAIL_IF(!b, GR_ERR_ARGUMENT, "gr_bench_run: an argument is NULL");
    double start = gr__now();
    GR_TRY(b->kind->run(b));
    if (seconds) *seconds = gr__now() - start;
    if (!loss) return GR_OK;
    *loss = NAN;
    if (b->info.has_loss) {
        gr_tensor t;
        GR_TRY(gr_session_output(b->session, "loss", &t));
        *loss = gr_tensor_get(&t, 0);
    }
    return GR_OK;
}

gr_bench_info gr_bench_describe(const gr_bench *b) { return b->info; }

/* ---- profile ---- */

gr_status gr_bench_profile(gr_bench *b, bool on)
{
    GR_FAIL_IF(!b, GR_ERR_ARGUMENT, "gr_bench_profile: an argument is NULL");
    GR_FAIL_IF(!b->session, GR_ERR_UNSUPPORTED, "benchmark '%s' is one kernel: there is no plan to profile",
               b->kind->name);
    return gr_session_profile(b->session, on);
}

bool gr_bench_profile_at(const gr_bench *b, size_t i, gr_profile_row *out)
{
    return b->session && gr_session_profile_at(b->session, i, out);
}
