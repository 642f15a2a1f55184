/* Ctrl-C, SIGTERM and SIGUSR1 once: finish the step, save, stop. A second one ends the program at once. */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

#include <stdbool.h>

void signals_watch(bool keeps); /* a checkpoint */
bool signals_asked(void);

#endif
