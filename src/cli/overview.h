/* What people see of a run before its first step, and at its end. */
#ifndef CLI_OVERVIEW_H
#define CLI_OVERVIEW_H

#include "gradus/train.h"

#include <stdio.h>

/* Tables of parameters and memory, the size of the data, the time that it will take. step_seconds 0: unknown. */
void overview_print(FILE *out, gr_run *run, double step_seconds);
/* The same as members of the JSON object that is open. */
void overview_json(gr_run *run, double step_seconds);
/* The most that the process held, in bytes (0: unknown), against the prediction, as a sentence. */
void overview_print_memory(FILE *out, const gr_run_plan *plan, double measured);

#endif
