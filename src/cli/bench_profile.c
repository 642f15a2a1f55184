#include "cli/bench_profile.h"

#include "cli/out.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_KERNELS = 128 };

double bench_peak_of(const gr_bench_limits *l, bool bf16)
{
    return bf16 && l->bf16_flops > 0 ? l->bf16_flops : l->f32_flops;
}

const char *bench_show_time(char out[32], double seconds)
{
    if (seconds >= 1)
        snprintf(out, 32, "%.3f s", seconds);
    else if (seconds >= 1e-3)
        snprintf(out, 32, "%.2f ms", seconds * 1e3);
    else
        snprintf(out, 32, "%.2f us", seconds * 1e6);
    return out;
}

typedef struct kernel_sum {
    const char *name;
    int64_t calls;
    double seconds, flops, bytes;
} kernel_sum;

static int by_time(const void *a, const void *b)
{
    double x = ((const kernel_sum *)a)->seconds, y = ((const kernel_sum *)b)->seconds;
    return (x < y) - (x > y);
}

/* Steps of the plan with the same kernel together, the slowest first. */
static size_t sum_kernels(const gr_bench *bench, kernel_sum *sum, double *total)
{
    gr_profile_row row;
    size_t n = 0;
    *total = 0;
    for (size_t i = 0; gr_bench_profile_at(bench, i, &row); i++) {
        size_t k = 0;
        if (row.runs == 0) continue;
        while (k < n && strcmp(sum[k].name, row.kernel) != 0) k++;
        if (k == n && n == MOST_KERNELS)
            k = n - 1;
        else if (k == n)
            sum[n++] = (kernel_sum){.name = row.kernel};
        sum[k].calls++;
        sum[k].seconds += row.seconds;
        sum[k].flops += row.flops;
        sum[k].bytes += row.bytes;
        *total += row.seconds;
    }
    qsort(sum, n, sizeof *sum, by_time);
    return n;
}

/* What bounds the kernel: its operations at the peak, or its operands at the rate of a copy. */
static double limit_of(const kernel_sum *k, const gr_bench_limits *l, bool bf16)
{
    return fmax(k->flops / bench_peak_of(l, bf16), k->bytes / fmax(l->copy_bytes, l->copy_stream_bytes));
}

/* Time, share of the whole, rates, share of the limit. */
static void rate_cells(out_table *t, const kernel_sum *k, double total, double limit)
{
    char time[32];
    out_cell(t, "%s", bench_show_time(time, k->seconds));
    out_cell(t, "%.1f %%", 100 * k->seconds / total);
    if (k->flops > 0)
        out_cell(t, "%.1f", k->flops / k->seconds * 1e-9);
    else
        out_cell(t, " ");
    out_cell(t, "%.1f", k->bytes / k->seconds * 1e-9);
    if (limit > 1.3 * k->seconds)
        out_cell(t, "in cache"); /* beyond memory's rate: in a cache, or only a part was touched */
    else
        out_cell(t, "%.0f %%", 100 * limit / k->seconds);
}

static void print_steps(const gr_bench *bench, const gr_bench_limits *l, double total)
{
    gr_profile_row row;
    out_table t = {.align = "rlrrrrrll"};
    const char *const heads[] = {"step", "kernel", "time", "share", "GFLOP/s", "GB/s", "of limit", "of", "operands"};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) out_cell(&t, "%s", heads[i]);
    for (size_t i = 0; gr_bench_profile_at(bench, i, &row); i++) {
        if (row.runs == 0) continue;
        kernel_sum one = {row.kernel, 1, row.seconds, row.flops, row.bytes};
        out_cell(&t, "%zu", i), out_cell(&t, "%s", row.kernel);
        rate_cells(&t, &one, total, limit_of(&one, l, gr_bench_describe(bench).bf16));
        out_cell(&t, "%s", *row.scope ? row.scope : "-"), out_cell(&t, "%s", row.operands);
    }
    out_print_table(stdout, &t, true);
    putchar('\n');
}

void bench_print_profile(const gr_bench *bench, const gr_bench_limits *l)
{
    kernel_sum sum[MOST_KERNELS];
    double total;
    size_t n = sum_kernels(bench, sum, &total);
    putchar('\n');
    print_steps(bench, l, total);
    out_table t = {.align = "lrrrrrr"};
    const char *const heads[] = {"kernel", "calls", "time", "share", "GFLOP/s", "GB/s", "of limit"};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) out_cell(&t, "%s", heads[i]);
    for (size_t i = 0; i < n; i++) {
        out_cell(&t, "%s", sum[i].name), out_cell(&t, "%lld", (long long)sum[i].calls);
        rate_cells(&t, &sum[i], total, limit_of(&sum[i], l, gr_bench_describe(bench).bf16));
    }
    out_print_table(stdout, &t, true);
}

static void json_member(const char *kernel, const gr_bench *bench, const kernel_sum *k, const gr_bench_limits *l)
{
    json_text("kernel", kernel);
    json_int("calls", k->calls);
    json_number("seconds", k->seconds);
    json_number("flops", k->flops);
    json_number("bytes", k->bytes);
    json_number("limit_seconds", limit_of(k, l, gr_bench_describe(bench).bf16));
}

void bench_json_profile(const gr_bench *bench, const gr_bench_limits *l)
{
    kernel_sum sum[MOST_KERNELS];
    gr_profile_row row;
    double total;
    size_t n = sum_kernels(bench, sum, &total);
    json_open_key("steps", '[');
    for (size_t i = 0; gr_bench_profile_at(bench, i, &row); i++) {
        if (row.runs == 0) continue;
        kernel_sum one = {row.kernel, 1, row.seconds, row.flops, row.bytes};
        json_open('{');
        json_int("step", (int64_t)i);
        json_member(row.kernel, bench, &one, l);
        json_text("scope", row.scope);
        json_text("operands", row.operands);
        json_close();
    }
    json_close();
    json_open_key("profile", '[');
    for (size_t i = 0; i < n; i++) {
        json_open('{');
        json_member(sum[i].name, bench, &sum[i], l);
        json_close();
    }
    json_close();
}
