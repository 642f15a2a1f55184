#include "cli/check_onnx.h"
#include "cli/out.h"
#include "cli/overview.h"
#include "gradus/tools.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static struct {
    bool strict, gradients, skip_bad;
    int64_t samples;
    const char *target, *onnx, *only;
} o = {.samples = 3};

static const cli_option options[] = {
    {"target", 0, CLI_TEXT, &o.target, "COLUMN", 0, 0, NULL, "of a CSV file: what to predict; the same as data.target",
     false},
    {"skip-bad", 0, CLI_FLAG, &o.skip_bad, NULL, 0, 0, NULL,
     "leave out what cannot be read, with a warning; the same as data.skip_bad=true", false},
    {"strict", 0, CLI_FLAG, &o.strict, NULL, 0, 0, NULL, "warnings fail too (exit code 5)", false},
    {"gradients", 0, CLI_FLAG, &o.gradients, NULL, 0, 0, NULL, "compare the model's gradients with differences, in f64",
     false},
    {"samples", 0, CLI_INT, &o.samples, "N", 1, 1e6, NULL, "with --gradients: elements of each parameter (default 3)",
     false},
    {"onnx", 0, CLI_TEXT, &o.onnx, "PATH", 0, 0, NULL,
     "run ONNX's conformance tests instead: a folder of tests or of archives, or a .tar.gz", false},
    {"only", 0, CLI_TEXT, &o.only, "PATTERN", 0, 0, NULL, "with --onnx: only tests of that name ('*' any characters)",
     false},
};

/* ---- findings ---- */

static int n_warnings;

static void warn(const char *format, ...) GR_PRINTF(1, 2);
static void warn(const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    n_warnings++;
    if (cli.json)
        json_text(NULL, text);
    else
        printf("  warning   %s\n", text);
}

static void look_at_text(const gr_text_report *t)
{
    if (t->duplicate_documents) warn("%lld documents are equal to an earlier one", (long long)t->duplicate_documents);
    if (t->duplicate_lines * 10 > t->lines)
        warn("%lld of %lld lines repeat an earlier one; validation may see training text",
             (long long)t->duplicate_lines, (long long)t->lines);
    if (t->empty_documents) warn("%lld documents are empty", (long long)t->empty_documents);
    if (t->documents > 1 && t->short_documents)
        warn("%lld documents are shorter than 32 characters", (long long)t->short_documents);
    if (t->long_lines) warn("%lld lines are longer than 10,000 bytes", (long long)t->long_lines);
    if (t->replaced) warn("%lld characters are U+FFFD: the text was decoded wrongly before", (long long)t->replaced);
    if (t->skipped_files) warn("%lld files of the folder are not read (.txt and .md are)", (long long)t->skipped_files);
}

static void look_at_duplicates(const gr_run *run)
{
    int64_t n;
    if (gr_run_duplicates(run, &n) == GR_OK && n)
        warn("%lld rows are equal to an earlier one; parts cut at random may share them (gradus data dedup)",
             (long long)n);
}

static void look_at_leaks(const gr_run *run)
{
    int64_t n, a, b;
    if (gr_run_leaks(run, &n, &a, &b) == GR_OK && n)
        warn("%lld rows of the validation part stand in the training part too; the first in lines %lld and %lld",
             (long long)n, (long long)b, (long long)a);
}

static void look_at_sizes(const gr_run_plan *p)
{
    double per_epoch = (double)(p->train_units > 0 ? p->train_units : 1);
    if (p->valid_units == 0)
        warn("there is no validation part; nobody will see over-fitting");
    else if ((double)p->valid_units < 0.005 * per_epoch)
        warn("the validation part is below 0.5 %% of the training part");
    if (p->epochs > 50 && p->vocab)
        warn("the text is read about %lld times; it will be learnt by heart", (long long)p->epochs);
    if (p->vocab && p->vocab > 256 && p->train_units < 4 * p->vocab)
        warn("%lld training tokens for a vocabulary of %lld: most tokens are hardly seen", (long long)p->train_units,
             (long long)p->vocab);
    if (p->samples < p->batch * p->accumulate)
        warn("a step takes more samples than an epoch has (%lld)", (long long)p->samples);
}

static void print_text(const gr_text_report *t)
{
    char bytes[32];
    gr_show_bytes(bytes, (double)t->bytes);
    printf("  text      %lld document%s, %s, %lld characters, %lld lines\n", (long long)t->documents,
           t->documents == 1 ? "" : "s", bytes, (long long)t->characters, (long long)t->lines);
}

static void json_text_report(const gr_text_report *t)
{
    const struct {
        const char *key;
        int64_t value;
    } rows[] = {{"documents", t->documents},
                {"bytes", t->bytes},
                {"characters", t->characters},
                {"lines", t->lines},
                {"skipped_files", t->skipped_files},
                {"empty_documents", t->empty_documents},
                {"short_documents", t->short_documents},
                {"duplicate_documents", t->duplicate_documents},
                {"duplicate_lines", t->duplicate_lines},
                {"long_lines", t->long_lines},
                {"replaced_characters", t->replaced}};
    json_open_key("text", '{');
    for (size_t i = 0; i < COUNT(rows); i++) json_int(rows[i].key, rows[i].value);
    json_close();
}

/* What opening had to say: it is on standard error already, and is one of the findings. */
static char *heard[32];
static int n_heard;

static void hear(const char *line)
{
    n_warnings++;
    if (cli.json && n_heard < (int)COUNT(heard) && (heard[n_heard] = strdup(line))) n_heard++;
}

static void json_heard(void)
{
    for (int i = 0; i < n_heard; i++) {
        json_text(NULL, heard[i]);
        free(heard[i]);
    }
    n_heard = 0;
}

/* ---- gradients ---- */

static void on_gradient(void *user, const char *path, double worst)
{
    (void)user;
    if (!cli.json) {
        printf("  %-48s %.2e\n", path, worst);
        return;
    }
    json_number(path, worst);
}

static gr_status check_gradients(gr_run *run)
{
    if (cli.json)
        json_open_key("gradients", '{');
    else
        printf("  worst relative error of each parameter's gradient, against differences in f64\n");
    gr_status s = gr_run_check_gradients(run, (int)o.samples, on_gradient, NULL);
    if (cli.json) json_close();
    return s;
}

/* ---- the check ---- */

static gr_status check(gr_run *run)
{
    gr_run_plan p = gr_run_describe(run);
    gr_text_report t;
    const char *source = gr_run_source(run);
    bool text = p.vocab > 0 && source && gr_text_check(source, &t) == GR_OK; /* byte models read any bytes */
    gr_status s = GR_OK;
    if (cli.json) {
        json_open('{');
        overview_json(run, 0);
        if (text) json_text_report(&t);
        if (o.gradients) s = check_gradients(run);
        json_open_key("warnings", '[');
        json_heard();
    } else {
        if (!cli.quiet) overview_print(stdout, run, 0);
        if (text) print_text(&t);
        if (!cli.quiet && gr_run_report(run)) printf("%s\n", gr_run_report(run));
        if (o.gradients) s = check_gradients(run);
    }
    if (text)
        look_at_text(&t);
    else
        look_at_duplicates(run);
    look_at_leaks(run);
    look_at_sizes(&p);
    if (cli.json) {
        json_close();
        json_bool("ok", s == GR_OK && !(o.strict && n_warnings));
        json_end();
    } else if (s == GR_OK) {
        printf("  %s\n", n_warnings ? "fine, with warnings" : "fine");
    }
    return s;
}

static int run_command(void)
{
    gr_run *run = NULL;
    if (o.onnx) return check_onnx(o.onnx, o.only);
    if (!cli.n_arguments) return cli_usage("a configuration or a source is missing");
    gr_run_options ro = {.overrides = cli.setting,
                         .n_overrides = cli.n_settings,
                         .origin = CLI_ORIGIN,
                         .target = o.target,
                         .skip_bad = o.skip_bad,
                         .no_write = true};
    cli_on_warning = hear;
    gr_status s = gr_run_open(cli.argument[0], &ro, &run);
    if (s != GR_OK) return cli_fail(s);
    s = check(run);
    gr_run_close(&run);
    if (s != GR_OK) {
        fprintf(stderr, "gradus: %s\n", gr_message());
        return cli_exit_code(s);
    }
    return o.strict && n_warnings ? EXIT_CHECK : EXIT_OK;
}

static const char *const examples[] = {"gradus check config.yaml",
                                       "gradus check houses.csv --target price",
                                       "gradus check book.txt model.context=256 --strict",
                                       "gradus check config.yaml --gradients",
                                       "gradus check --onnx conformance/",
                                       NULL};

const cli_command cmd_check = {
    "check",
    "Look",
    "CONFIG|SOURCE [key=value ...]",
    "looks over a configuration and its data, without training",
    "Reads everything as training would, writes nothing, and tells what looks wrong: duplicates, very short or very long texts,\n"
    "sizes of the parts.",
    options,
    COUNT(options),
    0,
    1,
    true,
    examples,
    run_command,
};
