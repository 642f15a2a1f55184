/* A training run as people watch it: one line that moves on a terminal, plain lines now and then elsewhere, JSON lines
 * with --json, nothing with -q. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "gradus/train.h"

/* Trains to the end. Signals (signals.h) and the limit (0: none) stop it with a checkpoint. */
gr_status progress_train(gr_run *run, double time_limit_seconds);
/* gr_run_evaluate() with the same line. */
gr_status progress_evaluate(gr_run *run, gr_metric *out, int capacity, int *n);

#endif
