/* Measures as the program prints them, and gates on them: --min f1=0.9, --max loss=2. */
#ifndef CLI_GATE_H
#define CLI_GATE_H

#include "cli/cli.h"
#include "gradus/train.h"

/* The two options of a command that measures something. */
extern cli_list gate_min, gate_max;
#define GATE_OPTIONS                                                                                                \
    {"min", 0, CLI_LIST, &gate_min, "NAME=N", 0, 0, NULL, "exit code 5 where a measure is less; may be repeated",   \
     false},                                                                                                        \
    {                                                                                                               \
        "max", 0, CLI_LIST, &gate_max, "NAME=N", 0, 0, NULL, "exit code 5 where it is more; may be repeated", false \
    }

/* Before the work: EXIT_OK, or EXIT_USAGE with a sentence where a gate is not NAME=NUMBER. */
int gate_read(void);
/* EXIT_USAGE with a sentence where a gate's name is not among them. */
int gate_known(const gr_metric *m, int n);
/* EXIT_OK; EXIT_CHECK with a sentence for each gate that is not passed; EXIT_USAGE where a name is unknown. */
int gate_check(const gr_metric *m, int n);

/* One line for each measure, or members of the object that is open with --json. */
void metrics_print(const gr_metric *m, int n);

#endif
