#include "cli/eval_ids.h"
#include "cli/gate.h"
#include "cli/out.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "gradus/table.h"
#include "gradus/tools.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { MOST_METRICS = 16 };

static struct {
    int64_t batch, context, folds;
    bool bf16, skip_bad;
    double threshold;
    const char *out, *report, *ids, *logits, *adamw, *save;
} o = {.threshold = -1};
static int code; /* what is returned when nothing failed: a gate may be shut */

enum { TEXTS = 1, RUNS = 2, FOLDS = 4 }; /* what options speak of */

static const cli_option options[] = {
    {"batch", 0, CLI_INT, &o.batch, "N", 1, 65536, NULL, "windows at a time (default: chosen from the model)", false,
     TEXTS},
    {"context", 0, CLI_INT, &o.context, "N", 1, 1e9, NULL, "tokens of a window (default: the model's context)", false,
     TEXTS},
    {"bf16", 0, CLI_FLAG, &o.bf16, NULL, 0, 0, NULL, "compute in bf16", false, TEXTS},
    {"folds", 0, CLI_INT, &o.folds, "K", 2, 1000, NULL,
     "with a configuration of a table, labelled texts or ratings: train and measure K models, each on the rows that it has not "
     "learned from (a tuned threshold and an early stop do look at them)",
     false, FOLDS},
    {"threshold", 0, CLI_DOUBLE, &o.threshold, "P", 0, 1, NULL,
     "two labels: say the second from this probability on (default: what training tuned, else the likelier label)",
     false},
    {"skip-bad", 0, CLI_FLAG, &o.skip_bad, NULL, 0, 0, NULL,
     "leave out what cannot be read, with a warning: of a CSV file as DATA rows with another number of fields; with a "
     "configuration or a run the same as data.skip_bad=true",
     false},
    {"out", 'o', CLI_TEXT, &o.out, "DIR", 0, 0, NULL, "folder of the run, with a configuration", false, RUNS},
    {"report", 0, CLI_TEXT, &o.report, "FILE.html", 0, 0, NULL, "with a configuration or a run: write its report",
     false, RUNS},
    GATE_OPTIONS,
    {"ids", 0, CLI_TEXT, &o.ids, "FILE", 0, 0, NULL, "a JSON list of lists of token ids instead of DATA", true},
    {"logits", 0, CLI_TEXT, &o.logits, "FILE", 0, 0, NULL,
     "with --ids: writes the logits, of an encoder all it gives, as safetensors", true},
    {"adamw", 0, CLI_TEXT, &o.adamw, "TEXT", 0, 0, NULL, "with --ids: 'steps lr beta1 beta2 eps decay'", true},
    {"save", 0, CLI_TEXT, &o.save, "FILE", 0, 0, NULL, "with --adamw: writes losses and parameters", true},
};

static bool is_config(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot && (strcasecmp(dot, ".yaml") == 0 || strcasecmp(dot, ".yml") == 0);
}

/* ---- a run ---- */

/* Settings of the command line, and --threshold as one of them. */
static gr_run_options options_of_run(void)
{
    static char threshold[48];
    snprintf(threshold, sizeof threshold, "threshold=%.17g", o.threshold);
    if (o.threshold >= 0) cli.setting[cli.n_settings++] = threshold;
    return (gr_run_options){
        .overrides = cli.setting, .n_overrides = cli.n_settings, .origin = CLI_ORIGIN, .skip_bad = o.skip_bad};
}

static gr_status measure(const char *config, gr_run *run)
{
    gr_metric m[MOST_METRICS];
    int n = 0;
    gr_status s = progress_evaluate(run, m, MOST_METRICS, &n);
    if (s != GR_OK) return s;
    if (n == 0) {
        code = cli_invalid("the data of '%s' have no validation part; set data.valid", config);
        return GR_OK;
    }
    if (n > MOST_METRICS) n = MOST_METRICS;
    gr_run_plan p = gr_run_describe(run);
    if (p.start_step == 0)
        fprintf(stderr, "gradus: warning: no checkpoint in '%s': these are the first weights\n", p.out);
    if (cli.json) {
        json_open('{');
        json_int("step", p.start_step);
    }
    metrics_print(m, n);
    if (cli.json) json_end();
    if (o.report) s = gr_report_write(p.out, o.report, &(gr_report_options){.other_evaluation = cli.n_settings > 0});
    if (s == GR_OK) code = gate_check(m, n);
    if (s == GR_OK && code == EXIT_OK && p.start_step == 0 && (gate_min.n || gate_max.n)) {
        fprintf(stderr, "gradus: nothing was trained that could pass\n");
        code = EXIT_CHECK;
    }
    return s;
}

static int eval_run(const char *config, const char *folder)
{
    gr_run *run = NULL;
    gr_run_options ro = options_of_run();
    ro.out = folder;
    gr_status s = gr_run_open(config, &ro, &run);
    if (s == GR_OK) s = measure(config, run);
    int failed = s == GR_OK ? EXIT_OK : cli_fail(s);
    gr_run_close(&run);
    return s == GR_OK ? code : failed;
}

/* ---- folds ---- */

typedef struct fold_metrics {
    gr_metric m[MOST_METRICS];
    int n;
} fold_metrics;
static bool gates_unknown;

/* A gate without a measure is told before the other folds. */
static void take_fold(void *user, int fold, const gr_metric *m, int n)
{
    fold_metrics *each = user;
    each[fold].n = n < MOST_METRICS ? n : MOST_METRICS;
    memcpy(each[fold].m, m, (size_t)each[fold].n * sizeof *m);
    if (fold == 0) gates_unknown = gate_known(m, n) != EXIT_OK;
    if (cli.json || cli.quiet) return;
    fprintf(stderr, "fold %d ", fold + 1);
    for (int i = 0; i < n; i++) fprintf(stderr, " %s %.5g", m[i].name, m[i].value);
    fputc('\n', stderr);
}

static bool asked_to_stop(void *user)
{
    (void)user;
    return signals_asked() || gates_unknown;
}

static void json_metrics(const char *key, const gr_metric *m, int n)
{
    if (key)
        json_open_key(key, '{');
    else
        json_open('{');
    for (int i = 0; i < n; i++) json_number(m[i].name, m[i].value);
    json_close();
}

static void print_folds(const fold_metrics *each, const gr_metric *mean, const gr_metric *deviation, int n)
{
    if (!cli.json) {
        for (int i = 0; i < n; i++) printf("%-18s %.6g +- %.3g\n", mean[i].name, mean[i].value, deviation[i].value);
        return;
    }
    json_open('{');
    json_int("folds", o.folds);
    json_metrics("mean", mean, n);
    json_metrics("deviation", deviation, n);
    json_open_key("each", '[');
    for (int64_t k = 0; k < o.folds; k++) json_metrics(NULL, each[k].m, each[k].n);
    json_end();
}

static int eval_folds(const char *config)
{
    gr_metric mean[MOST_METRICS], deviation[MOST_METRICS];
    int n = 0;
    fold_metrics *each = calloc((size_t)o.folds, sizeof *each);
    if (!each) return cli_fail(GR_ERR_MEMORY);
    gr_run_options ro = options_of_run();
    gr_train_hooks hooks = {.stop = asked_to_stop};
    signals_watch(false);
    gr_status s = gr_run_folds(config, &ro, (int)o.folds, &hooks, take_fold, each, mean, deviation, MOST_METRICS, &n);
    if (s == GR_OK) print_folds(each, mean, deviation, n);
    free(each);
    if (gates_unknown) return EXIT_USAGE;
    if (s == GR_OK) return gate_check(mean, n);
    int failed = cli_fail(s);
    return s == GR_ERR_STOPPED ? EXIT_INTERRUPTED : failed; /* folds leave no checkpoint */
}

/* ---- a model on a file ---- */

static void print_object(const gr_metric *m, int n)
{
    if (cli.json) json_open('{');
    metrics_print(m, n);
    if (cli.json) json_end();
    code = gate_check(m, n);
}

/* ---- a table model on a CSV file ---- */

static gr_status score_rows(gr_model *model)
{
    gr_metric m[MOST_METRICS];
    int n = 0;
    gr_status s =
        gr_table_score(model, cli.argument[1], &(gr_table_options){.skip_bad = o.skip_bad}, m, MOST_METRICS, &n);
    if (s != GR_OK) return s;
    print_object(m, n);
    return GR_OK;
}

/* ---- a model on text ---- */

static gr_status score(gr_model *model)
{
    gr_eval_options e = {.batch = o.batch, .context = o.context, .bf16 = o.bf16};
    gr_lm_score r;
    gr_status s = gr_model_score_text(model, cli.argument[1], &e, &r);
    if (s != GR_OK) return s;
    print_object((gr_metric[]){{"loss", r.loss},
                               {"perplexity", r.perplexity},
                               {"bits_per_byte", r.bits_per_byte},
                               {"tokens", (double)r.tokens},
                               {"bytes", (double)r.bytes}},
                 5);
    return GR_OK;
}

/* Models whose data are no text and no table are measured by the configuration in their folder. */
static int refuse_data(gr_model_kind kind)
{
    bool other = kind == GR_MODEL_SERIES || kind == GR_MODEL_RECOMMENDER || kind == GR_MODEL_VECTOR ||
                 kind == GR_MODEL_GENERATOR;
    const char *model = cli.argument[0], *data = cli.argument[1];
    return other ? cli_usage("'%s' reads no text; its own data measure it: gradus eval %s", model, model)
                 : cli_usage("'%s' is no language model; measure it as it was trained: gradus eval %s "
                             "data.valid_source=%s",
                             model, model, data);
}

static int eval_model(void)
{
    ids_batch ids = {0};
    gr_model *model = NULL;
    if (o.ids && !ids_read(o.ids, &ids)) return EXIT_INVALID;
    gr_status s = gr_model_open(cli.argument[0], &model);
    if (s == GR_OK && o.threshold >= 0) s = gr_model_set_threshold(model, o.threshold);
    gr_model_kind kind = s == GR_OK ? gr_model_kind_of(model) : GR_MODEL_LM;
    bool encoder = kind == GR_MODEL_ENCODER, rows = kind == GR_MODEL_TABLE || kind == GR_MODEL_FITTED;
    if (s == GR_OK && o.skip_bad && (o.ids || !rows)) {
        gr_model_free(&model);
        ids_release(&ids);
        return cli_usage("--skip-bad is for rows of a table; '%s' reads none", cli.argument[0]);
    }
    if (s == GR_OK && ids.ragged && !encoder) {
        gr_model_free(&model);
        ids_release(&ids);
        return cli_invalid("the lists of '%s' are not equally long", o.ids);
    }
    if (s == GR_OK && o.ids && encoder)
        s = eval_encoder(model, &ids, o.logits);
    else if (s == GR_OK && o.adamw)
        s = eval_adamw(model, &ids, o.adamw, o.save);
    else if (s == GR_OK && o.ids)
        s = eval_logits(model, &ids, o.logits);
    else if (s == GR_OK && rows)
        s = score_rows(model);
    else if (s == GR_OK && kind == GR_MODEL_LM)
        s = score(model);
    else if (s == GR_OK)
        code = refuse_data(kind);
    gr_model_free(&model);
    ids_release(&ids);
    return s == GR_OK ? code : cli_fail(s);
}

/* The folder of a run whose own configuration this is; NULL: it is not one's. */
static const char *run_around(const char *config)
{
    static char folder[4096];
    char checkpoints[4200];
    struct stat info;
    const char *slash = strrchr(config, '/');
    if (strcmp(slash ? slash + 1 : config, "config.yaml") != 0) return NULL;
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - config) : 1, slash ? config : ".");
    snprintf(checkpoints, sizeof checkpoints, "%s/checkpoints", folder);
    return stat(checkpoints, &info) == 0 ? folder : NULL;
}

static int run_command(void)
{
    struct stat info;
    char config[4096];
    const char *first = cli.argument[0];
    if (gate_read() != EXIT_OK) return EXIT_USAGE;
    if (o.ids && !o.adamw && !o.logits) return cli_usage("--ids wants --logits or --adamw");
    if (o.adamw && (!o.ids || !o.save || !eval_adamw_settings(o.adamw)))
        return cli_usage("--adamw wants six numbers, --ids and --save");
    if (o.folds && (cli.n_arguments == 2 || o.ids || !is_config(first)))
        return cli_usage("--folds trains anew and wants a configuration; '%s' is trained already: take its config.yaml",
                         first);
    bool data = cli.n_arguments == 2 || o.ids;
    if (cli_check_scope(o.folds ? FOLDS
                        : data  ? TEXTS
                                : RUNS,
                        o.folds ? "the mean of several models"
                        : data  ? "a model that is measured on DATA"
                                : "a run that is measured on its own data") != EXIT_OK)
        return EXIT_USAGE;
    if (data && cli.n_settings)
        return cli_usage(
            "'%s' says nothing to a model that is measured on DATA; keys are for a configuration or a run, "
            "and rows are left out by --skip-bad",
            cli.setting[0]);
    if (o.folds) return eval_folds(first);
    if (data) return eval_model();
    if (is_config(first)) return eval_run(first, o.out ? o.out : run_around(first));
    snprintf(config, sizeof config, "%s/config.yaml", first);
    if (stat(config, &info) == 0) return eval_run(config, first);
    if (stat(first, &info) != 0) return cli_invalid("'%s' does not exist", first);
    return cli_usage("eval wants MODEL DATA, a configuration, or the folder of a run ('%s' is none)", first);
}

static const char *const examples[] = {"gradus eval runs/book other.txt",
                                       "gradus eval runs/book other.txt --json",
                                       "gradus eval config.yaml",
                                       "gradus eval runs/book",
                                       "gradus eval runs/fsdd_digits data.valid_source=new",
                                       "gradus eval runs/houses test.csv",
                                       "gradus eval runs/mammography test.csv --threshold 0.2",
                                       "gradus eval houses.yaml --folds 5",
                                       "gradus eval runs/questions --min accuracy=0.8 --report questions.html",
                                       NULL};

const cli_command cmd_eval = {
    "eval",
    "Use",
    "MODEL DATA | CONFIG",
    "measures a model: loss, perplexity, bits per byte",
    "With DATA (a text file or folder; for a model of a table a CSV file with the target) MODEL is measured on it. With a configuration, or the folder of a run,\n"
    "the newest checkpoint is measured on the validation part of its data; models of pictures, sounds or labels of texts are\n"
    "measured on other data with data.valid_source=DATA.",
    options,
    COUNT(options),
    1,
    2,
    true,
    examples,
    run_command,
};
