#include "cli/overview.h"

#include "cli/out.h"
#include "gradus/tools.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---- parameters, the same layer again and again in one line ---- */

typedef struct group {
    char pattern[128], shape[64];
    int64_t count, elements; /* arrays; elements of all */
} group;

/* "h.3.attn.weight" -> "h.*.attn.weight" */
static void pattern_of(const char *path, char out[128])
{
    size_t n = 0;
    for (const char *p = path; *p && n < 126; p++) {
        bool begins = p == path || p[-1] == '.';
        const char *end = p;
        while (isdigit((unsigned char)*end)) end++;
        if (begins && end > p && (*end == '.' || !*end)) {
            out[n++] = '*';
            p = end - 1;
        } else {
            out[n++] = *p;
        }
    }
    out[n] = 0;
}

static void shape_of(const gr_tensor *t, char out[64])
{
    size_t n = 0;
    snprintf(out, 64, "scalar");
    for (int d = 0; d < t->rank && n < 48; d++)
        n += (size_t)snprintf(out + n, 64 - n, "%s%lld", d ? " x " : "", (long long)t->dim[d]);
}

static size_t group_parameters(const gr_run *run, group **out)
{
    const char *path;
    gr_tensor t;
    size_t n = 0, capacity = 0;
    *out = NULL;
    for (int i = 0; gr_run_param(run, i, &path, &t); i++) {
        group g = {.count = 1, .elements = gr_tensor_count(&t)};
        pattern_of(path, g.pattern);
        shape_of(&t, g.shape);
        size_t at = 0;
        while (at < n && (strcmp((*out)[at].pattern, g.pattern) != 0 || strcmp((*out)[at].shape, g.shape) != 0)) at++;
        if (at < n) {
            (*out)[at].count++;
            (*out)[at].elements += g.elements;
            continue;
        }
        if (n == capacity) {
            group *grown = realloc(*out, (capacity = capacity ? 2 * capacity : 32) * sizeof g);
            if (!grown) return n;
            *out = grown;
        }
        (*out)[n++] = g;
    }
    return n;
}

static void print_parameters(FILE *out, const gr_run *run, const gr_run_plan *p)
{
    group *g;
    size_t n = group_parameters(run, &g);
    out_table t = {.align = "lrlr"};
    char count[32];
    out_cell(&t, "parameters"), out_cell(&t, "arrays"), out_cell(&t, "shape"), out_cell(&t, "elements");
    for (size_t i = 0; i < n; i++) {
        gr_show_count(count, (double)g[i].elements);
        out_cell(&t, "%s", g[i].pattern), out_cell(&t, "%lld", (long long)g[i].count);
        out_cell(&t, "%s", g[i].shape), out_cell(&t, "%s", count);
    }
    gr_show_count(count, (double)p->parameters);
    out_cell(&t, "all"), out_cell(&t, " "), out_cell(&t, " "), out_cell(&t, "%s", count);
    out_print_table(out, &t, true);
    free(g);
}

/* ---- memory and time ---- */

static void memory_row(out_table *t, const char *name, size_t bytes, const char *note)
{
    char text[32];
    gr_show_bytes(text, (double)bytes);
    out_cell(t, "%s", name), out_cell(t, "%s", text), out_cell(t, "%s", note);
}

/* stepped: steps were tried, and have shown what code and scratch memory they need */
static void print_memory(FILE *out, const gr_run_plan *p, bool stepped)
{
    static const char *const recomputed[] = {"", "", "norms and activations are computed twice",
                                             "blocks are computed twice"};
    out_table t = {.align = "lrl"};
    const char *note = (unsigned)p->recompute < COUNT(recomputed) ? recomputed[p->recompute] : "";
    out_cell(&t, "memory"), out_cell(&t, "bytes"), out_cell(&t, " ");
    memory_row(&t, "weights", p->weight_bytes, "");
    memory_row(&t, "optimiser", p->optimizer_bytes, "");
    memory_row(&t, "gradients", p->gradient_bytes, p->gradient_bytes ? "" : "live among the activations");
    memory_row(&t, "activations", p->activation_bytes, note);
    memory_row(&t, "process", p->process_bytes,
               stepped ? "about the most that it will hold, with program and data"
                       : "with program and data; the first steps add to it, which 'train' tells");
    out_print_table(out, &t, true);
}

static void print_data(FILE *out, const gr_run_plan *p)
{
    char train[32], valid[32], flops[32];
    gr_show_count(train, (double)p->train_units);
    gr_show_count(valid, (double)p->valid_units);
    gr_show_count(flops, p->flops_per_step);
    const char *plural = strcmp(p->unit, "tok") != 0 ? "s" : "";
    fprintf(out, "  data      %s %s%s for training, %s for validation", train, p->unit, plural, valid);
    if (p->vocab) fprintf(out, "; vocabulary %lld", (long long)p->vocab);
    if (p->labels) fprintf(out, "; %lld labels", (long long)p->labels);
    fprintf(out, "\n  steps     %lld of %lld samples", (long long)p->steps, (long long)(p->batch * p->accumulate));
    if (p->accumulate > 1) fprintf(out, " (%lld at a time)", (long long)p->batch);
    if (p->epochs > 1) fprintf(out, ", about %lld epochs", (long long)p->epochs);
    fprintf(out, "; %s%sFLOP each%s\n", flops, strchr(flops, ' ') ? "" : " ", p->bf16 ? ", products in bf16" : "");
}

void overview_print(FILE *out, gr_run *run, double step_seconds)
{
    gr_run_plan p = gr_run_describe(run);
    fprintf(out, "%s%s on %s%s%s%s\n\n", out_bold(out), p.family, p.task, p.out ? ", in " : "", p.out ? p.out : "",
            out_plain(out));
    print_parameters(out, run, &p);
    fputc('\n', out);
    print_memory(out, &p, step_seconds > 0);
    fputc('\n', out);
    print_data(out, &p);
    if (step_seconds > 0) {
        char step[32], all[32];
        gr_show_seconds(step, step_seconds);
        gr_show_seconds(all, step_seconds * (double)(p.steps - p.start_step));
        fprintf(out, "  time      about %s (%s a step), without validation\n", all, step);
    }
    if (p.start_step > 0) fprintf(out, "  resumes   after step %lld\n", (long long)p.start_step);
    for (int i = 0; gr_run_change(run, i); i++) fprintf(out, "  changed   %s\n", gr_run_change(run, i));
    fputc('\n', out);
}

void overview_json(gr_run *run, double step_seconds)
{
    gr_run_plan p = gr_run_describe(run);
    json_text("task", p.task);
    json_text("family", p.family);
    json_text("out", p.out);
    json_int("parameters", p.parameters);
    json_int("steps", p.steps);
    json_int("start_step", p.start_step);
    json_int("batch", p.batch);
    json_int("accumulate", p.accumulate);
    json_int("samples_per_epoch", p.samples);
    json_text("unit", p.unit);
    json_int("train_units", p.train_units);
    json_int("valid_units", p.valid_units);
    json_int("vocab", p.vocab);
    json_int("labels", p.labels);
    json_number("units_per_step", p.units_per_step);
    json_number("flops_per_step", p.flops_per_step);
    json_open_key("memory", '{');
    json_int("weights", (int64_t)p.weight_bytes);
    json_int("optimizer", (int64_t)p.optimizer_bytes);
    json_int("gradients", (int64_t)p.gradient_bytes);
    json_int("activations", (int64_t)p.activation_bytes);
    json_int("process", (int64_t)p.process_bytes);
    json_close();
    if (step_seconds > 0) {
        json_number("step_seconds", step_seconds);
        json_number("seconds", step_seconds * (double)(p.steps - p.start_step));
    }
    json_open_key("changes", '[');
    for (int i = 0; gr_run_change(run, i); i++) json_text(NULL, gr_run_change(run, i));
    json_close();
}

void overview_print_memory(FILE *out, const gr_run_plan *plan, double measured)
{
    char a[32], b[32];
    if (measured <= 0) return;
    gr_show_bytes(a, measured);
    gr_show_bytes(b, (double)plan->process_bytes);
    fprintf(out, "  memory    %s at the most; %s were predicted (%+.1f %%)\n", a, b,
            100 * (measured / (double)plan->process_bytes - 1));
}
