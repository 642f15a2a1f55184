#include "cli/signals.h"

#include "cli/cli.h"

#include <signal.h>
#include <unistd.h>

static volatile sig_atomic_t asked;
static bool saves;

static void on_signal(int number)
{
    static const char saving[] = "\nstopping after this step, with a checkpoint; once more ends at once\n";
    static const char leaving[] = "\nstopping after this step, nothing is kept; once more ends at once\n";
    (void)number;
    if (asked) _exit(EXIT_INTERRUPTED);
    asked = 1;
    if (cli.quiet) return;
    ssize_t said =
        saves ? write(STDERR_FILENO, saving, sizeof saving - 1) : write(STDERR_FILENO, leaving, sizeof leaving - 1);
    if (said < 0) return;
}

/* Code that oneDNN generates has the stack pointer among its data: what a signal puts on the stack would overwrite some. */
static void take_another_stack(void)
{
    static _Alignas(64) char room[1 << 16]; /* wide registers and tiles are 12 KiB of it */
    stack_t before;
    if (sigaltstack(NULL, &before) == 0 && !(before.ss_flags & SS_DISABLE)) return; /* a sanitizer's */
    sigaltstack(&(stack_t){.ss_sp = room, .ss_size = sizeof room}, NULL);
}

void signals_watch(bool keeps)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGUSR1, SIGHUP};
    struct sigaction before, action = {.sa_handler = on_signal, .sa_flags = SA_RESTART | SA_ONSTACK};
    saves = keeps;
    take_another_stack();
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < COUNT(numbers); i++) {
        bool unheard = sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler == SIG_IGN; /* nohup's SIGHUP */
        if (!unheard) sigaction(numbers[i], &action, NULL);
    }
}

bool signals_asked(void) { return asked != 0; }
