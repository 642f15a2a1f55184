/* Where the time of a benchmark goes: each step of its plan, and the same summed up by kernel. */
#ifndef GR__CLI_BENCH_PROFILE_H
#define GR__CLI_BENCH_PROFILE_H

#include "gradus/bench.h"

#include <stdbool.h>

double bench_peak_of(const gr_bench_limits *l, bool bf16);
/* "1.44 s", "35.6 ms", "12.3 us" */
const char *bench_show_time(char out[32], double seconds);

void bench_print_profile(const gr_bench *bench, const gr_bench_limits *l);
/* The members "steps" and "profile" of the open object. */
void bench_json_profile(const gr_bench *bench, const gr_bench_limits *l);

#endif
