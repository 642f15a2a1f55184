#include "cli/signals.h"

#include "cli/cli.h"

#include <signal.h>
#include <unistd.h>

static volatile sig_atomic_t asked;

static void on_signal(int number)
{
    static const char again[] = "\nstopping after this step, with a checkpoint; once more ends at once\n";
    (void)number;
    if (asked) _exit(EXIT_INTERRUPTED);
    asked = 1;
    if (!cli.quiet && write(STDERR_FILENO, again, sizeof again - 1) < 0) return;
}

void signals_watch(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGUSR1};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < COUNT(numbers); i++) sigaction(numbers[i], &action, NULL);
}

bool signals_asked(void) { return asked != 0; }
