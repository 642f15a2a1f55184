/* gradus bench: what the machine can do, and how near a case comes to it. bench/run.sh sets it beside PyTorch. */
#include "cli/bench_profile.h"
#include "cli/out.h"
#include "gradus/bench.h"
#include "gradus/tools.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct sample {
    double seconds, cpu_seconds, loss; /* loss: NaN where there is none */
} sample;

typedef struct samples {
    sample *item;
    size_t n, capacity;
    int64_t page_faults; /* of all of them */
    size_t peak_bytes;   /* of the process, when they were done */
} samples;

typedef struct shape {
    int64_t m, n, k;
    double own, onednn; /* operations a second; 0: cannot */
} shape;

/* ---- statistics ---- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median_of(const samples *r)
{
    double *t = r->n ? malloc(r->n * sizeof *t) : NULL;
    if (!t) return NAN;
    for (size_t i = 0; i < r->n; i++) t[i] = r->item[i].seconds;
    qsort(t, r->n, sizeof *t, by_value);
    double median = (t[(r->n - 1) / 2] + t[r->n / 2]) / 2;
    free(t);
    return median;
}

static double least_of(const samples *r)
{
    double least = NAN;
    for (size_t i = 0; i < r->n; i++) least = fmin(least, r->item[i].seconds);
    return least;
}

/* ---- the machine ---- */

static void print_limits(const gr_bench_limits *l)
{
    gr_system s;
    gr_system_describe(&s);
    printf("%s, %s%s, %d thread%s\n\n", s.cpu, s.isa, s.bf16 ? " with bf16" : "", l->threads,
           l->threads == 1 ? "" : "s");
    out_table t = {.align = "lrr"};
    out_cell(&t, "limit"), out_cell(&t, "all threads"), out_cell(&t, "one thread");
    out_cell(&t, "f32 multiply-add"), out_cell(&t, "%.0f GFLOP/s", l->f32_flops * 1e-9),
        out_cell(&t, "%.0f GFLOP/s", l->f32_flops_1 * 1e-9);
    if (l->bf16_flops > 0)
        out_cell(&t, "bf16 dot product"), out_cell(&t, "%.0f GFLOP/s", l->bf16_flops * 1e-9),
            out_cell(&t, "%.0f GFLOP/s", l->bf16_flops_1 * 1e-9);
    out_cell(&t, "memory read"), out_cell(&t, "%.1f GB/s", l->read_bytes * 1e-9), out_cell(&t, " ");
    out_cell(&t, "memory copy, read + write"), out_cell(&t, "%.1f GB/s", l->copy_bytes * 1e-9), out_cell(&t, " ");
    out_cell(&t, "the same past the caches"), out_cell(&t, "%.1f GB/s", l->copy_stream_bytes * 1e-9), out_cell(&t, " ");
    out_print_table(stdout, &t, true);
}

static void limits_members(const gr_bench_limits *l)
{
    json_int("threads", l->threads);
    json_number("f32_flops", l->f32_flops);
    json_number("bf16_flops", l->bf16_flops);
    json_number("f32_flops_1", l->f32_flops_1);
    json_number("bf16_flops_1", l->bf16_flops_1);
    json_number("read_bytes", l->read_bytes);
    json_number("copy_bytes", l->copy_bytes);
    json_number("copy_stream_bytes", l->copy_stream_bytes);
}

static void json_limits(const gr_bench_limits *l)
{
    gr_system s;
    gr_system_describe(&s);
    json_open('{');
    json_text("cpu", s.cpu);
    json_text("isa", s.isa);
    limits_members(l);
    json_end();
}

/* ---- a case ---- */

static void print_memory(const gr_bench_info *i, const samples *r)
{
    char peak[32], arena[32], state[32];
    gr_show_bytes(peak, (double)r->peak_bytes);
    gr_show_bytes(arena, (double)i->arena_bytes);
    gr_show_bytes(state, (double)i->state_bytes);
    printf("  memory       peak of the process %s", peak);
    if (i->compile_seconds > 0) printf("; arena %s, states %s", arena, state);
    putchar('\n');
}

static void print_times(const gr_bench *bench, const gr_bench_info *i, const samples *r, const gr_bench_limits *l)
{
    char least[32], median[32], limit[32];
    double m = median_of(r), bound = gr_bench_limit_seconds(bench, l), peak = bench_peak_of(l, i->bf16);
    printf("  time         median %s, least %s of %zu\n", bench_show_time(median, m),
           bench_show_time(least, least_of(r)), r->n);
    printf("  limit        %s; the median reaches %.0f %% of it\n", bench_show_time(limit, bound), 100 * bound / m);
    printf("  rate        ");
    if (i->units > 0) printf(" %.4g %s/s", i->units / m, i->unit);
    if (i->flops > 0)
        printf("%s %.1f GFLOP/s, %.0f %% of %.0f", i->units > 0 ? "," : "", i->flops / m * 1e-9,
               100 * i->flops / m / peak, peak * 1e-9);
    if (i->copied_bytes > 0 && i->flops == 0)
        printf(", %.1f GB/s of %.1f", i->copied_bytes / m * 1e-9, fmax(l->copy_bytes, l->copy_stream_bytes) * 1e-9);
    putchar('\n');
    if (i->has_loss) printf("  loss         %.5f -> %.5f\n", r->item[0].loss, r->item[r->n - 1].loss);
    printf("  page faults  %.1f a run\n", (double)r->page_faults / (double)r->n);
}

static void print_case(const gr_bench *bench, const samples *r, const gr_bench_limits *l, bool profile)
{
    gr_bench_info i = gr_bench_describe(bench);
    char compile[32];
    printf("%s: %s, %d thread%s\n\n", i.name, i.text, l->threads, l->threads == 1 ? "" : "s");
    if (r->n) print_times(bench, &i, r, l);
    print_memory(&i, r);
    if (i.compile_seconds > 0) printf("  plan         compiled in %s\n", bench_show_time(compile, i.compile_seconds));
    if (profile) bench_print_profile(bench, l);
}

static void json_times(const samples *r)
{
    json_open_key("seconds", '[');
    for (size_t k = 0; k < r->n; k++) json_number(NULL, r->item[k].seconds);
    json_close();
    json_open_key("loss", '[');
    for (size_t k = 0; k < r->n; k++) json_number(NULL, r->item[k].loss);
    json_close();
}

static void json_answer(const samples *r)
{
    json_open('{');
    json_times(r);
    json_number("rss_mib", (double)r->peak_bytes / 1048576);
    json_open_key("cpu_seconds", '[');
    for (size_t k = 0; k < r->n; k++) json_number(NULL, r->item[k].cpu_seconds);
    json_end();
}

static void json_case(const gr_bench *bench, const samples *r, const gr_bench_limits *l, bool profile)
{
    gr_bench_info i = gr_bench_describe(bench);
    double m = median_of(r), bound = gr_bench_limit_seconds(bench, l);
    json_open('{');
    json_text("name", i.name);
    json_text("case", i.text);
    json_text("dtype", i.bf16 ? "bf16" : "f32");
    json_times(r);
    json_number("median", m);
    json_number("min", least_of(r));
    json_number("limit", bound);
    json_number("share", bound / m);
    json_number("flops", i.flops);
    json_number("read_bytes", i.read_bytes);
    json_number("copied_bytes", i.copied_bytes);
    json_number("mfu", i.flops / m / bench_peak_of(l, i.bf16));
    json_number("units", i.units);
    json_text("unit", i.unit);
    json_int("parameters", i.parameters);
    json_int("peak_bytes", (int64_t)r->peak_bytes);
    json_int("arena_bytes", (int64_t)i.arena_bytes);
    json_int("state_bytes", (int64_t)i.state_bytes);
    json_number("compile_seconds", i.compile_seconds);
    json_number("page_faults", r->n ? (double)r->page_faults / (double)r->n : NAN);
    json_open_key("limits", '{');
    limits_members(l);
    json_close();
    if (profile) bench_json_profile(bench, l);
    json_end();
}

/* ---- gemm ---- */

static void shape_cell(out_table *t, double rate, double peak)
{
    if (rate > 0)
        out_cell(t, "%.0f", rate * 1e-9), out_cell(t, "%.0f %%", 100 * rate / peak);
    else
        out_cell(t, "-"), out_cell(t, " ");
}

static void print_shapes_json(const shape *row, size_t n, double peak, const char *dtype)
{
    json_open('{');
    json_text("dtype", dtype);
    json_number("peak", peak);
    json_open_key("shapes", '[');
    for (size_t i = 0; i < n; i++) {
        json_open('{');
        json_int("m", row[i].m), json_int("n", row[i].n), json_int("k", row[i].k);
        json_number("own", row[i].own), json_number("onednn", row[i].onednn);
        json_close();
    }
    json_end();
}

static void print_shapes(const shape *row, size_t n, double peak, const char *dtype)
{
    double log_sum = 0;
    size_t both = 0;
    if (cli.json) {
        print_shapes_json(row, n, peak, dtype);
        return;
    }
    printf("%s matrix products, GFLOP/s, peak %.0f\n\n", dtype, peak * 1e-9);
    out_table t = {.align = "lrrrrr"};
    out_cell(&t, "M, N, K"), out_cell(&t, "own"), out_cell(&t, "of peak"), out_cell(&t, "oneDNN"),
        out_cell(&t, "of peak");
    out_cell(&t, "own/oneDNN");
    for (size_t i = 0; i < n; i++) {
        const shape *s = &row[i];
        out_cell(&t, "%lld, %lld, %lld", (long long)s->m, (long long)s->n, (long long)s->k);
        shape_cell(&t, s->own, peak);
        shape_cell(&t, s->onednn, peak);
        if (s->own > 0 && s->onednn > 0)
            out_cell(&t, "%.2f", s->own / s->onednn), log_sum += log(s->own / s->onednn), both++;
        else
            out_cell(&t, " ");
    }
    out_print_table(stdout, &t, true);
    if (both) printf("\ngeometric mean own/oneDNN: %.2f\n", exp(log_sum / (double)both));
}

/* ---- the command ---- */

static struct {
    gr_bench_options bench;
    int dtype, layout, engine, cell;
    int64_t steps, warmup;
    double memory_mib;
    bool serve, profile;
} o = {.steps = -1, .warmup = 2, .cell = -1};

static const char *const dtypes[] = {"f32", "bf16", NULL}, *const layouts[] = {"nt", "nn", "tn", NULL},
                         *const engines[] = {"own", "onednn", NULL}, *const cells[] = {"lstm", "gru", NULL};
#define SIZE(name, field, doc)                                              \
    {                                                                       \
        name, 0, CLI_INT, &o.bench.field, "N", 1, 1 << 24, NULL, doc, false \
    }

enum { MOST_STEPS = 1000000 };

static const cli_option options[] = {
    {"dtype", 0, CLI_CHOICE, &o.dtype, NULL, 0, 0, dtypes, "compute in f32 (default) or bf16 with f32 masters", false},
    {"steps", 0, CLI_INT, &o.steps, "N", 0, MOST_STEPS, NULL, "runs that count (default: about 3 s of them); 0: none",
     false},
    {"warmup", 0, CLI_INT, &o.warmup, "N", 0, MOST_STEPS, NULL, "runs before them (default 2)", false},
    {"profile", 0, CLI_FLAG, &o.profile, NULL, 0, 0, NULL,
     "each step of the plan: time, bytes, flops, share of the limit", false},
    {"serve", 0, CLI_FLAG, &o.serve, NULL, 0, 0, NULL, "obey lines 'step N' on standard input, answer in JSON", false},
    SIZE("layers", layers, "of GPT or BERT (default 12)"),
    SIZE("heads", heads, "(default 12)"),
    SIZE("width", width, "(default 768, rnn 512)"),
    SIZE("context", context, "positions of the GPT (default 1024), of BERT (512)"),
    SIZE("vocab", vocab, "(default 50257, bert 30522)"),
    SIZE("batch", batch, "(default: step 4, bert 8, mlp 32, attention 1, rnn 32)"),
    SIZE("tokens", tokens, "of a sequence (default: step 64, bert 128, attention 1024, rnn 128)"),
    {"no-bias", 0, CLI_FLAG, &o.bench.no_bias, NULL, 0, 0, NULL, "GPT without biases", false},
    {"memory", 0, CLI_DOUBLE, &o.memory_mib, "MIB", 0, 1e9, NULL, "step, bert: budget of the arena", false},
    {"strict", 0, CLI_FLAG, &o.bench.strict, NULL, 0, 0, NULL, "cases with a plan: as train.deterministic=strict",
     false},
    SIZE("rows", rows, "loss: rows of x (default 1024)"),
    SIZE("head-size", head_size, "attention (default 64)"),
    {"forward", 0, CLI_FLAG, &o.bench.forward_only, NULL, 0, 0, NULL,
     "attention, bert, rnn, resnet, cnn: without the backward pass", false},
    {"kind", 0, CLI_CHOICE, &o.cell, NULL, 0, 0, cells, "rnn: lstm (default) or gru", false},
    SIZE("m", m, "gemm: rows of A and C; without m, n and k a list of shapes is measured"),
    SIZE("n", n, "gemm: columns of B and C"),
    SIZE("k", k, "gemm: what is summed over"),
    {"layout", 0, CLI_CHOICE, &o.layout, NULL, 0, 0, layouts, "gemm: which of A, B is transposed (default nt)", false},
    {"engine", 0, CLI_CHOICE, &o.engine, NULL, 0, 0, engines, "gemm: own kernel (default) or oneDNN", false},
    {"packed", 0, CLI_FLAG, &o.bench.packed, NULL, 0, 0, NULL, "gemm: B lies in the engine's own order", false},
    {"cold", 0, CLI_FLAG, &o.bench.cold, NULL, 0, 0, NULL, "gemm: B comes from memory in each run", false},
};

static gr_status open_case(gr_bench **out)
{
    o.bench.bf16 = o.dtype == 1;
    o.bench.layout = (gr_bench_layout)o.layout;
    o.bench.onednn = o.engine == 1;
    o.bench.gru = o.cell == 1;
    o.bench.memory_budget_bytes = (size_t)(o.memory_mib * 1048576);
    return gr_bench_open(cli.argument[0], &o.bench, out);
}

/* ---- runs ---- */

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static gr_status append(samples *r, gr_bench *bench)
{
    sample one;
    double cpu = cpu_seconds();
    gr_status s = gr_bench_run(bench, &one.seconds, &one.loss);
    if (s != GR_OK) return s;
    one.cpu_seconds = cpu_seconds() - cpu;
    if (r->n == r->capacity) {
        size_t capacity = r->capacity ? 2 * r->capacity : 64;
        sample *grown = realloc(r->item, capacity * sizeof *grown);
        if (!grown) return GR_ERR_MEMORY;
        r->item = grown;
        r->capacity = capacity;
    }
    r->item[r->n++] = one;
    return GR_OK;
}

/* steps < 0: as many as 'budget' seconds hold, at least 'least'. */
static gr_status run_steps(gr_bench *bench, int64_t steps, double budget, size_t least, samples *r)
{
    double spent = 0;
    r->n = 0;
    for (int64_t i = 0; steps < 0 ? (r->n < least || spent < budget) && r->n < 100000 : i < steps; i++) {
        gr_status s = append(r, bench);
        if (s != GR_OK) return s;
        spent += r->item[r->n - 1].seconds;
    }
    return GR_OK;
}

static gr_status warm_up(gr_bench *bench, int64_t n)
{
    gr_status s = GR_OK;
    for (int64_t i = 0; i < n && s == GR_OK; i++) s = gr_bench_run(bench, NULL, NULL);
    return s;
}

/* ---- modes ---- */

static gr_status measure(gr_bench *bench)
{
    samples r = {0};
    gr_bench_limits limits;
    gr_status s = o.steps == 0 ? GR_OK : warm_up(bench, o.warmup);
    if (s == GR_OK && o.profile) s = gr_bench_profile(bench, true);
    int64_t faults = gr_process_page_faults();
    if (s == GR_OK) s = run_steps(bench, o.steps, 3, 5, &r);
    r.page_faults = gr_process_page_faults() - faults;
    r.peak_bytes = gr_process_peak_bytes(); /* before the limits take memory of their own */
    if (s == GR_OK) s = gr_bench_measure_limits(&limits);
    if (s == GR_OK && cli.json)
        json_case(bench, &r, &limits, o.profile);
    else if (s == GR_OK)
        print_case(bench, &r, &limits, o.profile);
    free(r.item);
    return s;
}

/* The protocol of bench/peers/peer.py. */
static gr_status serve(gr_bench *bench)
{
    char line[256];
    samples r = {0};
    gr_status s = GR_OK;
    while (s == GR_OK && !out_broken() && fgets(line, sizeof line, stdin) && strncmp(line, "quit", 4) != 0) {
        char *end = line;
        long long n = strncmp(line, "step ", 5) == 0 ? strtoll(line + 5, &end, 10) : -1;
        if (line[0] == '\n') continue;
        if (end == line || *end != '\n' || n < 0 || n > MOST_STEPS) {
            json_open('{');
            json_text("error", "unknown line; there are 'step N' and 'quit'");
            json_end();
            continue;
        }
        s = run_steps(bench, n, 0, 0, &r);
        r.peak_bytes = gr_process_peak_bytes();
        if (s == GR_OK) json_answer(&r);
    }
    free(r.item);
    return s;
}

static int run_case(void)
{
    gr_bench *bench = NULL;
    gr_status s = open_case(&bench);
    if (s == GR_ERR_NOT_FOUND) return cli_usage("%s", gr_message());
    if (s == GR_OK) s = o.serve ? serve(bench) : measure(bench);
    gr_bench_close(&bench);
    return s == GR_OK ? EXIT_OK : cli_fail(s);
}

static int run_limits(void)
{
    gr_bench_limits limits;
    gr_status s = gr_bench_measure_limits(&limits);
    if (s != GR_OK) return cli_fail(s);
    if (cli.json)
        json_limits(&limits);
    else
        print_limits(&limits);
    return EXIT_OK;
}

/* ---- gemm: own kernel beside oneDNN ---- */

/* Operations a second of the median run; 0: this engine cannot. */
static gr_status rate_of(bool onednn, double *rate)
{
    gr_bench *bench = NULL;
    samples r = {0};
    o.bench.onednn = onednn;
    *rate = 0;
    gr_status s = gr_bench_open("gemm", &o.bench, &bench);
    if (s == GR_ERR_UNSUPPORTED) return GR_OK;
    if (s == GR_OK) s = warm_up(bench, o.warmup);
    if (s == GR_OK) s = run_steps(bench, o.steps, 0.15, 5, &r);
    if (s == GR_OK && r.n) *rate = gr_bench_describe(bench).flops / median_of(&r);
    free(r.item);
    gr_bench_close(&bench);
    return s;
}

static int run_shapes(void)
{
    static const int64_t shapes[][3] = {{512, 512, 512},   {1024, 1024, 1024}, {2048, 2048, 2048}, {256, 2304, 768},
                                        {256, 3072, 768},  {256, 768, 3072},   {1024, 3072, 768},  {768, 3072, 256},
                                        {256, 50257, 768}, {64, 3072, 768},    {32, 3072, 768},    {8, 3072, 768},
                                        {4, 3072, 768},    {1, 3072, 768},     {1, 4096, 4096}};
    shape row[COUNT(shapes)];
    gr_bench_limits limits;
    gr_status s = gr_bench_measure_limits(&limits);
    o.bench.bf16 = o.dtype == 1;
    o.bench.layout = (gr_bench_layout)o.layout;
    for (size_t i = 0; i < COUNT(shapes) && s == GR_OK; i++) {
        row[i] = (shape){.m = shapes[i][0], .n = shapes[i][1], .k = shapes[i][2]};
        o.bench.m = row[i].m, o.bench.n = row[i].n, o.bench.k = row[i].k;
        s = rate_of(false, &row[i].own);
        if (s == GR_OK) s = rate_of(true, &row[i].onednn);
    }
    if (s != GR_OK) return cli_fail(s);
    double peak = o.bench.bf16 && limits.bf16_flops > 0 ? limits.bf16_flops : limits.f32_flops;
    print_shapes(row, COUNT(shapes), peak, dtypes[o.dtype]);
    return EXIT_OK;
}

static int run_command(void)
{
    if (o.cell >= 0 && (cli.n_arguments == 0 || strcmp(cli.argument[0], "rnn") != 0))
        return cli_usage("--kind says nothing to any case but rnn");
    if (cli.n_arguments == 0) return run_limits();
    bool shapes = strcmp(cli.argument[0], "gemm") == 0 && !o.bench.m && !o.bench.n && !o.bench.k;
    if (shapes && o.serve) return cli_usage("--serve wants --m, --n and --k");
    if (o.profile && (o.serve || o.steps == 0)) return cli_usage("--profile goes with runs of its own");
    return shapes ? run_shapes() : run_case();
}

static const char *const examples[] = {
    "gradus bench",
    "gradus bench step --dtype bf16 --profile",
    "gradus bench step --batch 1 --tokens 1024",
    "gradus bench bert --forward --dtype bf16",
    "gradus bench attention --tokens 4096 --dtype bf16",
    "gradus bench gemm --dtype bf16",
    NULL,
};

const cli_command cmd_bench = {
    "bench",
    "About",
    "[CASE]",
    "measures the machine, or a case beside what the machine could do",
    "Without a case: the peak rates of computing and of memory. Cases: step (training step of GPT-2), bert, mlp,\n"
    "loss (linear and cross-entropy), attention, rnn, resnet, cnn, adamw, gemm, csv. './dev bench' runs them in turn with PyTorch.",
    options,
    COUNT(options),
    0,
    1,
    false,
    examples,
    run_command,
};
