/* Running the examples: the C programs as they are, the configurations as 'gradus train' opens them. */
#ifndef EXAMPLES_RIG_H
#define EXAMPLES_RIG_H

#include "tests/run_rig.h"

#include "gradus/train.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RIG_OUTPUT = 1 << 16 };

/* What build/examples/<command> prints; it must end with 0. The text is valid until the next call. */
static inline const char *run_example(const char *command)
{
    static char text[RIG_OUTPUT];
    char line[8192];
    size_t n = 0, got;
#ifndef GRADUS_EXAMPLES_DIR
    test_skip("built without the examples (GRADUS_EXAMPLES)");
#define GRADUS_EXAMPLES_DIR ""
#endif
    assert_int_equal(chdir(test_source("")), 0); /* where the default of GRADUS_DATA begins */
    snprintf(line, sizeof line, "exec %s/%s 2>&1", GRADUS_EXAMPLES_DIR, command);
    FILE *pipe = popen(line, "r");
    assert_non_null(pipe);
    while ((got = fread(text + n, 1, sizeof text - 1 - n, pipe)) > 0) n += got;
    text[n] = 0;
    int status = pclose(pipe);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) fail_msg("%s ended with %d: %s", command, status, text);
    return text;
}

/* The number behind 'label' in a text. */
static inline double number_after(const char *text, const char *label)
{
    const char *at = strstr(text, label);
    if (!at) fail_msg("no '%s' in: %s", label, text);
    return strtod(at + strlen(label), NULL);
}

/* Opens examples/<config> as from the top folder, where its paths begin. */
static inline gr_run *open_example(const char *config, const char *const *settings, int n, const char *out)
{
    gr_run *run;
    assert_int_equal(chdir(test_source("")), 0);
    assert_ok(run_with(test_source(config), settings, n, out, &run));
    return run;
}

#endif
