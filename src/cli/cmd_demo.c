/* The whole job in a minute: embedded stories, a small GPT, samples before and after, a judge, a report. */
#include "cli/out.h"
#include "cli/overview.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "gradus/stories.h"
#include "gradus/tools.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    CORPUS_BYTES = 400000,
    SENTENCES = 200,
    MOST_TEXTS = 64,
    MOST_METRICS = 16,
    SAMPLE_TOKENS = 90,
    CHECK_TOKENS = 600
};
#define SAMPLE_TEMPERATURE 0.55

static struct {
    const char *out;
    int64_t steps;
} o = {.out = "runs/demo", .steps = 900};

static const cli_option options[] = {
    {"steps", 0, CLI_INT, &o.steps, "N", 1, 1e7, NULL, "of training (default 900)", false},
    {"out", 'o', CLI_TEXT, &o.out, "DIR", 0, 0, NULL, "folder of the run (default runs/demo)", false},
};

static const char *const languages[] = {"en", "zh"};
static const char *const prompts[] = {"Once upon a time,", "很久以前，"};

/* What was measured of 200 sentences per language. */
typedef struct judged {
    int sentences[2], accepted[2], novel[2];
} judged;

typedef struct demo {
    gr_run *run;
    char *corpus;
    size_t corpus_bytes;
    char *sample[4]; /* before: en, zh; after: en, zh */
    judged judged;
    double seconds;    /* of training, in this call */
    double peak_bytes; /* of the process, when the training ended */
} demo;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- the run ---- */

static gr_status open_run(demo *d, bool fresh)
{
    char steps[48], seed[48], bytes[48];
    snprintf(bytes, sizeof bytes, "data.story_bytes=%d", CORPUS_BYTES);
    snprintf(steps, sizeof steps, "train.steps=%lld", (long long)o.steps);
    snprintf(seed, sizeof seed, "train.seed=%lld", (long long)(cli.seed >= 0 ? cli.seed : 1));
    const char *overrides[] = {bytes,
                               "tokenizer.type=bpe",
                               "tokenizer.vocab_size=1024",
                               "model.type=gpt",
                               "model.layers=4",
                               "model.heads=4",
                               "model.width=128",
                               "model.context=96",
                               "data.valid=0.05",
                               "train.batch=12",
                               "train.lr.peak=2e-3",
                               "train.lr.schedule=cosine",
                               "train.lr.warmup=0.05",
                               "train.lr.min=1e-4",
                               steps,
                               seed};
    gr_run_options ro = {.overrides = overrides, .n_overrides = COUNT(overrides), .out = o.out, .fresh = fresh};
    return gr_run_open("builtin:stories", &ro, &d->run);
}

/* A demo that was stopped goes on; one that is done begins anew. */
static gr_status open_or_begin(demo *d)
{
    gr_status s = open_run(d, false);
    gr_run_plan p = s == GR_OK ? gr_run_describe(d->run) : (gr_run_plan){0};
    bool anew = s == GR_ERR_CONFIG || s == GR_ERR_CORRUPT ||
                (s == GR_OK && (p.start_step >= p.steps || gr_run_change(d->run, 0)));
    if (!anew) return s;
    gr_run_close(&d->run);
    return open_run(d, true);
}

/* ---- samples ---- */

static gr_status sample(demo *d, const char *prompt, int64_t tokens, uint64_t seed, char **out)
{
    gr_generate_options g = {.max_tokens = tokens, .temperature = SAMPLE_TEMPERATURE, .seed = seed, .ignore_eos = true};
    return gr_generate(gr_run_model(d->run), prompt, &g, NULL, NULL, out, NULL);
}

/* The first line of a story, with its beginning. */
static gr_status sample_story(demo *d, int language, int slot)
{
    char *text = NULL;
    gr_status s = sample(d, prompts[language], SAMPLE_TOKENS, 11, &text);
    if (s != GR_OK) return s;
    size_t n = strcspn(text, "\n");
    if (asprintf(&d->sample[slot], "%s%.*s", prompts[language], (int)n, text) < 0) d->sample[slot] = NULL;
    gr_text_free(text);
    return GR_OK;
}

static gr_status show_samples(demo *d, bool after)
{
    static const char *const titles[] = {"English", "Chinese"};
    if (!cli.quiet && !cli.json)
        printf("%s%s training%s\n", out_bold(stdout), after ? "After" : "Before", out_plain(stdout));
    for (int i = 0; i < 2; i++) {
        int slot = 2 * after + i;
        gr_status s = sample_story(d, i, slot);
        if (s != GR_OK) return s;
        if (!cli.quiet && !cli.json) printf("  %-8s  %s\n", titles[i], d->sample[slot] ? d->sample[slot] : "");
    }
    if (!cli.quiet && !cli.json) putchar('\n'), fflush(stdout);
    return GR_OK;
}

/* ---- the judge ---- */

static void judge_text(demo *d, int language, const char *text, size_t n)
{
    gr_stories_sentence s;
    judged *j = &d->judged;
    for (size_t at = 0; j->sentences[language] < SENTENCES && gr_stories_next(text, n, &at, &s);) {
        bool cut = !s.complete && at >= n; /* the sampling ended there, not the model */
        if (cut || strcmp(s.language, languages[language]) != 0) continue;
        j->sentences[language]++;
        j->accepted[language] += gr_stories_check(s.language, s.text, s.n) == GR_OK;
        j->novel[language] += memmem(d->corpus, d->corpus_bytes, s.text, s.n) == NULL;
    }
}

/* Samples texts that begin like stories of a language until there are enough sentences of it. */
static gr_status judge_language(demo *d, int language)
{
    for (uint64_t seed = 0; seed < MOST_TEXTS && d->judged.sentences[language] < SENTENCES; seed++) {
        char *text = NULL, *whole = NULL;
        gr_status s = sample(d, prompts[language], CHECK_TOKENS, 1000 + seed, &text);
        if (s != GR_OK) return s;
        int n = asprintf(&whole, "%s%s", prompts[language], text);
        if (n >= 0) judge_text(d, language, whole, (size_t)n), free(whole);
        gr_text_free(text);
    }
    return GR_OK;
}

static double percent(int part, int whole) { return whole ? 100.0 * part / whole : 0; }

/* ---- the end ---- */

static gr_status write_report(demo *d, char *path, size_t room)
{
    static const char *const titles[] = {"English, before training", "Chinese, before training",
                                         "English, after training", "Chinese, after training", "The grammar's judge"};
    const judged *j = &d->judged;
    char verdict[256];
    snprintf(verdict, sizeof verdict,
             "English: %d sentences, %.1f %% accepted, %.1f %% not in the training text\n"
             "Chinese: %d sentences, %.1f %% accepted, %.1f %% not in the training text",
             j->sentences[0], percent(j->accepted[0], j->sentences[0]), percent(j->novel[0], j->sentences[0]),
             j->sentences[1], percent(j->accepted[1], j->sentences[1]), percent(j->novel[1], j->sentences[1]));
    const char *texts[5];
    for (int i = 0; i < 4; i++) texts[i] = d->sample[i] ? d->sample[i] : "";
    texts[4] = verdict;
    int first = d->sample[0] ? 0 : 2; /* a run that went on has no samples of before */
    gr_report_options ro = {
        .title = "Gradus demo", .sample_titles = titles + first, .samples = texts + first, .n_samples = 5 - first};
    snprintf(path, room, "%s/report.html", o.out);
    return gr_report_write(o.out, path, &ro);
}

static void print_end(const demo *d, const gr_metric *m, int n, const char *report)
{
    static const char *const names[] = {"English", "Chinese"};
    gr_run_plan p = gr_run_describe(d->run);
    const judged *j = &d->judged;
    char time[32];
    gr_show_seconds(time, d->seconds);
    printf("%sSampled sentences%s\n", out_bold(stdout), out_plain(stdout));
    out_table t = {.align = "lrrr"};
    out_cell(&t, "language"), out_cell(&t, "sentences"), out_cell(&t, "grammar accepts"),
        out_cell(&t, "not in the training text");
    for (int i = 0; i < 2; i++) {
        out_cell(&t, "%s", names[i]), out_cell(&t, "%d", j->sentences[i]);
        out_cell(&t, "%.1f %%", percent(j->accepted[i], j->sentences[i]));
        out_cell(&t, "%.1f %%", percent(j->novel[i], j->sentences[i]));
    }
    out_print_table(stdout, &t, true);
    putchar('\n');
    for (int i = 0; i < n; i++) printf("  %-14s %.4g\n", m[i].name, m[i].value);
    printf("  %-14s %s\n", "trained in", time);
    overview_print_memory(stdout, &p, d->peak_bytes);
    printf("\nReport: %s\n\n%sNext%s\n", report, out_bold(stdout), out_plain(stdout));
    printf("  gradus generate %s --prompt \"Once upon a time\"\n", o.out);
    printf("  gradus inspect %s --tensors\n", o.out);
    printf("  gradus train YOUR_TEXT.txt --out runs/mine\n");
}

static void json_end_of_demo(const demo *d, const gr_metric *m, int n, const char *report)
{
    json_open('{');
    json_text("event", "end");
    json_open_key("metrics", '{');
    for (int i = 0; i < n; i++) json_number(m[i].name, m[i].value);
    json_close();
    for (int i = 0; i < 2; i++) {
        json_open_key(languages[i], '{');
        json_text("before", d->sample[i]);
        json_text("after", d->sample[2 + i]);
        json_int("sentences", d->judged.sentences[i]);
        json_int("accepted", d->judged.accepted[i]);
        json_int("novel", d->judged.novel[i]);
        json_close();
    }
    json_number("train_seconds", d->seconds);
    json_text("model", o.out);
    json_text("report", report);
    json_end();
}

/* ---- all of it ---- */

static gr_status train(demo *d)
{
    double step_seconds = 0, start;
    gr_run_plan p = gr_run_describe(d->run);
    gr_status s = gr_run_time_step(d->run, &step_seconds);
    if (s != GR_OK) return s;
    if (cli.json) {
        json_open('{');
        json_text("event", "start");
        overview_json(d->run, step_seconds);
        json_end();
    } else if (!cli.quiet) {
        fflush(stdout);
        overview_print(stdout, d->run, step_seconds);
    }
    if (p.start_step == 0) s = show_samples(d, false);
    fflush(stdout);
    if (s != GR_OK) return s;
    signals_watch(true);
    start = now();
    s = progress_train(d->run, 0);
    d->seconds = now() - start;
    d->peak_bytes = (double)gr_process_peak_bytes(); /* the judge's texts are no part of the training */
    return s;
}

static gr_status after_training(demo *d)
{
    gr_metric m[MOST_METRICS];
    char report[4096];
    int n = 0;
    gr_status s = gr_run_evaluate(d->run, m, MOST_METRICS, &n);
    if (!cli.quiet && !cli.json) putchar('\n');
    if (s == GR_OK) s = show_samples(d, true);
    for (int i = 0; i < 2 && s == GR_OK; i++) s = judge_language(d, i);
    if (s == GR_OK) s = write_report(d, report, sizeof report);
    if (s != GR_OK) return s;
    if (n > MOST_METRICS) n = MOST_METRICS;
    if (cli.json)
        json_end_of_demo(d, m, n, report);
    else
        print_end(d, m, n, report);
    return GR_OK;
}

static int run_command(void)
{
    demo d = {.run = NULL};
    gr_stories_options so = {.language = "both", .bytes = CORPUS_BYTES};
    gr_status s = gr_stories_write(&so, &d.corpus, &d.corpus_bytes);
    if (s == GR_OK) s = open_or_begin(&d);
    if (s == GR_OK) s = train(&d);
    if (s == GR_OK) s = after_training(&d);
    int code = s == GR_OK ? EXIT_OK : cli_fail(s);
    for (size_t i = 0; i < COUNT(d.sample); i++) free(d.sample[i]);
    gr_run_close(&d.run);
    gr_stories_free(&d.corpus);
    return code;
}

static const char *const examples[] = {"gradus demo", "gradus demo --steps 2000 --seed 7 --out runs/longer", NULL};

const cli_command cmd_demo = {
    "demo",
    "Start",
    "",
    "trains a small GPT on embedded stories in a minute and shows what it learnt",
    "The stories, English and Chinese, come from a grammar of our own, so that a program can judge what the model writes.\n"
    "A demo that was stopped goes on with the same command; one that is done begins anew.",
    options,
    COUNT(options),
    0,
    0,
    false,
    examples,
    run_command,
};
