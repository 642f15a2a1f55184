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

/* A file of a folder; free with gr_text_free(). */
static inline char *read_all(const char *dir, const char *name, size_t *n)
{
    char path[4200], *text;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_ok(gr__file_read(path, (size_t)1 << 30, &text, n));
    return text;
}

/* Lines without their times. */
static inline void drop_times(char *text)
{
    char *to = text;
    for (char *line = text; *line;) {
        char *end = strchr(line, '\n'), *times = strstr(line, ", \"seconds\"");
        if (!end) end = line + strlen(line) - 1;
        size_t keep = (size_t)((times && times < end ? times : end) - line);
        memmove(to, line, keep);
        to += keep;
        *to++ = '\n';
        line = end + 1;
    }
    *to = 0;
}

/* Model and metrics of two runs are the same bytes, but for times. */
static inline void assert_same_run(const char *a, const char *b)
{
    size_t n, m;
    char *x = read_all(a, "model.safetensors", &n), *y = read_all(b, "model.safetensors", &m);
    if (n != m || memcmp(x, y, n) != 0) fail_msg("the models of '%s' and '%s' differ", a, b);
    gr_text_free(x);
    gr_text_free(y);
    x = read_all(a, "metrics.jsonl", &n), y = read_all(b, "metrics.jsonl", &m);
    drop_times(x);
    drop_times(y);
    assert_string_equal(x, y);
    gr_text_free(x);
    gr_text_free(y);
}

#endif
