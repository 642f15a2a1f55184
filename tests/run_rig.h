/* Runs in tests: opened with settings, measured, and what an evaluation left for the report. */
#ifndef TESTS_RUN_RIG_H
#define TESTS_RUN_RIG_H

#include "tests/test.h"

#include "base/file.h"
#include "gradus/train.h"

#include <math.h>
#include <string.h>

/* out NULL: nothing is written */
static inline gr_status run_with(const char *source, const char *const *set, int n, const char *out, gr_run **run)
{
    gr_run_options o = {.overrides = set, .n_overrides = n, .out = out, .no_write = out == NULL};
    return gr_run_open(source, &o, run);
}

static inline double value_of(const gr_metric *m, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcmp(m[i].name, name) == 0) return m[i].value;
    fail_msg("no metric '%s'", name);
    return (double)NAN;
}

/* Of the weights as they are. */
static inline double metric_of(gr_run *run, const char *name)
{
    gr_metric m[16];
    int n;
    assert_ok(gr_run_evaluate(run, m, 16, &n));
    return value_of(m, n, name);
}

/* Whether the evaluation that a run left in its folder says so. */
static inline bool evaluation_shows(const char *out, const char *what)
{
    char path[4200], *text;
    size_t n;
    snprintf(path, sizeof path, "%s/evaluation.html", out);
    assert_ok(gr__file_read(path, 1 << 24, &text, &n));
    bool found = strstr(text, what) != NULL;
    gr__free(text);
    return found;
}

#endif
