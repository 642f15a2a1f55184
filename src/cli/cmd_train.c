#include "cli/out.h"
#include "cli/overview.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "gradus/tools.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_METRICS = 16 };

static struct {
    const char *out, *target;
    bool fresh, resume, dry_run, plan, skip_bad;
    double time_limit;
} o;

static const cli_option options[] = {
    {"out", 'o', CLI_TEXT, &o.out, "DIR", 0, 0, NULL,
     "folder of the run (default: 'out' of the config, else runs/NAME)", false},
    {"target", 0, CLI_TEXT, &o.target, "COLUMN", 0, 0, NULL, "of a CSV file: what to predict; the same as data.target",
     false},
    {"skip-bad", 0, CLI_FLAG, &o.skip_bad, NULL, 0, 0, NULL,
     "leave out what cannot be read, with a warning; the same as data.skip_bad=true", false},
    {"fresh", 0, CLI_FLAG, &o.fresh, NULL, 0, 0, NULL, "begin anew: remove the checkpoints of that folder", false},
    {"resume", 0, CLI_FLAG, &o.resume, NULL, 0, 0, NULL, "refuse to begin anew: there must be a checkpoint", false},
    {"dry-run", 0, CLI_FLAG, &o.dry_run, NULL, 0, 0, NULL, "configuration, tables, memory and time; nothing is written",
     false},
    {"time-limit", 0, CLI_TIME, &o.time_limit, "TIME", 0, 0, NULL, "stop with a checkpoint after 90s, 15m, 2h", false},
    {"plan", 0, CLI_FLAG, &o.plan, NULL, 0, 0, NULL, "print the compiled plan of a step, and end", false},
};

/* ---- opening ---- */

static gr_status open_run(gr_run **run)
{
    const char **overrides = malloc(((size_t)cli.n_settings + 2) * sizeof *overrides);
    char seed[48];
    int n = 0;
    if (!overrides) return GR_ERR_MEMORY;
    if (cli.seed >= 0) { /* first, so that train.seed=... wins */
        snprintf(seed, sizeof seed, "train.seed=%lld", (long long)cli.seed);
        overrides[n++] = seed;
    }
    for (int i = 0; i < cli.n_settings; i++) overrides[n++] = cli.setting[i];
    gr_run_options ro = {.overrides = overrides,
                         .n_overrides = n,
                         .origin = CLI_ORIGIN,
                         .target = o.target,
                         .skip_bad = o.skip_bad,
                         .out = o.out,
                         .fresh = o.fresh,
                         .resume = o.resume,
                         .no_write = o.dry_run || o.plan};
    gr_status s = gr_run_open(cli.argument[0], &ro, run);
    free(overrides);
    return s;
}

/* ---- before ---- */

static int print_plan(gr_run *run)
{
    char *text;
    gr_status s = gr_run_print_plan(run, &text);
    if (s != GR_OK) return cli_fail(s);
    out_text("plan", text);
    gr_text_free(text);
    return EXIT_OK;
}

static int dry_run(gr_run *run, double step_seconds)
{
    char *config = NULL, *defaults = NULL;
    gr_status s = gr_run_config(run, &config);
    if (s == GR_OK) s = gr_run_defaults(run, &defaults);
    if (s != GR_OK) {
        gr_text_free(config);
        return cli_fail(s);
    }
    if (cli.json) {
        json_open('{');
        overview_json(run, step_seconds);
        json_text("config", config);
        json_text("defaults", defaults);
        json_end();
    } else {
        printf("%s\n", config);
        fputs("# by default\n", stdout);
        for (char *line = defaults, *end; (end = strchr(line, '\n')); line = end + 1)
            printf("# %.*s\n", (int)(end - line), line);
        putchar('\n');
        if (gr_run_report(run)) printf("%s\n", gr_run_report(run));
        overview_print(stdout, run, step_seconds);
    }
    gr_text_free(config);
    gr_text_free(defaults);
    return EXIT_OK;
}

static void announce(gr_run *run, double step_seconds)
{
    if (cli.json) {
        json_open('{');
        json_text("event", "start");
        overview_json(run, step_seconds);
        json_end();
    } else if (!cli.quiet) {
        if (gr_run_report(run)) fprintf(stderr, "%s\n", gr_run_report(run));
        overview_print(stderr, run, step_seconds);
    }
}

/* ---- after ---- */

static void print_metrics(const gr_metric *m, int n)
{
    out_table t = {.align = "lr"};
    out_cell(&t, "validation"), out_cell(&t, "value");
    for (int i = 0; i < n; i++) out_cell(&t, "%s", m[i].name), out_cell(&t, "%.5g", m[i].value);
    if (n) out_print_table(stdout, &t, true);
}

static void print_next(gr_run *run, bool trained)
{
    gr_run_plan p = gr_run_describe(run);
    gr_model_kind kind = gr_model_kind_of(gr_run_model(run));
    printf("\n  model     %s\n  metrics   %s/metrics.jsonl\n  report    %s/report.html\n", p.out, p.out, p.out);
    if (trained) overview_print_memory(stdout, &p, (double)gr_process_peak_bytes());
    printf("\n%sNext%s\n", out_bold(stdout), out_plain(stdout));
    if (p.vocab)
        printf("  gradus generate %s --prompt \"Once upon a time\"\n  gradus eval %s TEXT\n", p.out, p.out);
    else if (kind == GR_MODEL_CLIP)
        printf("  gradus predict %s CLIP...\n  gradus eval %s\n", p.out, p.out);
    else if (kind == GR_MODEL_GENERATOR)
        printf("  gradus generate %s --folder pictures\n  gradus eval %s\n", p.out, p.out);
    else if (kind == GR_MODEL_PICTURE || kind == GR_MODEL_DETECTOR ||
             (kind == GR_MODEL_FITTED && gr_model_describe(gr_run_model(run)).height))
        printf("  gradus predict %s PICTURE...\n  gradus eval %s\n", p.out, p.out);
    else if (p.labels && (gr_model_kind_of(gr_run_model(run)) == GR_MODEL_SOUND ||
                          gr_model_kind_of(gr_run_model(run)) == GR_MODEL_SPEECH))
        printf("  gradus predict %s FILE.wav...\n  gradus eval %s\n", p.out, p.out);
    else if (strcmp(p.task, "table") == 0 || kind == GR_MODEL_FITTED)
        printf("  gradus predict %s FILE.csv\n  gradus eval %s FILE.csv\n", p.out, p.out);
    else if (p.labels)
        printf("  gradus predict %s --text \"...\"\n  gradus eval %s\n", p.out, p.out);
    else
        printf("  gradus eval %s\n", p.out);
    printf("  gradus inspect %s\n", p.out);
}

static void json_end_of_run(gr_run *run, const gr_metric *m, int n)
{
    gr_run_plan p = gr_run_describe(run);
    json_open('{');
    json_text("event", "end");
    json_text("model", p.out);
    json_open_key("metrics", '{');
    for (int i = 0; i < n; i++) json_number(m[i].name, m[i].value);
    json_close();
    json_int("peak_bytes", (int64_t)gr_process_peak_bytes());
    json_int("predicted_peak_bytes", (int64_t)p.process_bytes);
    json_end();
}

static gr_status write_report(const char *folder)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%s/report.html", folder) >= (int)sizeof path) return GR_OK;
    return gr_report_write(folder, path, NULL);
}

static int finish(gr_run *run, bool trained)
{
    gr_metric m[MOST_METRICS];
    int n = 0;
    gr_status s = progress_evaluate(run, m, MOST_METRICS, &n);
    if (s != GR_OK) return cli_fail(s);
    if (n > MOST_METRICS) n = MOST_METRICS;
    if (cli.json)
        json_end_of_run(run, m, n);
    else
        print_metrics(m, n);
    if (!cli.json && !cli.quiet) print_next(run, trained);
    s = write_report(gr_run_describe(run).out); /* last: what it needs is no part of the training's memory */
    return s == GR_OK ? EXIT_OK : cli_fail(s);
}

static int train(gr_run *run)
{
    double step_seconds = 0;
    gr_run_plan p = gr_run_describe(run);
    gr_status s = GR_OK;
    if (o.plan) return print_plan(run);
    if (!cli.quiet && p.start_step < p.steps) s = gr_run_time_step(run, &step_seconds);
    if (s != GR_OK) return cli_fail(s);
    if (o.dry_run) return dry_run(run, step_seconds);
    announce(run, step_seconds);
    signals_watch(true);
    s = progress_train(run, o.time_limit);
    return s == GR_OK ? finish(run, p.start_step < p.steps) : cli_fail(s);
}

static int run_command(void)
{
    gr_run *run = NULL;
    if (o.fresh && o.resume) return cli_usage("--fresh and --resume exclude each other");
    gr_status s = open_run(&run);
    if (s != GR_OK) return cli_fail(s);
    int code = train(run);
    gr_run_close(&run);
    return code;
}

static const char *const examples[] = {
    "gradus train book.txt",
    "gradus train texts/ model.layers=6 model.width=384 train.steps=5000 --out runs/texts",
    "gradus train houses.csv --target price",
    "gradus train config.yaml train.lr=1e-3 --dry-run",
    "gradus train config.yaml --time-limit 2h",
    NULL,
};

const cli_command cmd_train = {
    "train",
    "Train",
    "CONFIG|SOURCE [key=value ...]",
    "trains a model from a .yaml configuration, a text file or folder, or a CSV file",
    "The same command goes on where a run was stopped (Ctrl-C, a signal, a power cut) and ends with the same bytes.\n"
    "key=value sets a key of the configuration: 'gradus help config' lists them.",
    options,
    COUNT(options),
    1,
    1,
    true,
    examples,
    run_command,
};
