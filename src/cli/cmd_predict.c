#include "cli/out.h"
#include "gradus/table.h"

#include <stdlib.h>
#include <string.h>

static struct {
    cli_list text;
    int64_t top, batch, length;
    bool bf16;
} o = {.top = 1};

static const cli_option options[] = {
    {"text", 't', CLI_LIST, &o.text, "TEXT", 0, 0, NULL,
     "what to judge; may be repeated (default: each line of standard input)", false},
    {"top", 0, CLI_INT, &o.top, "N", 1, 1e6, NULL, "print the N likeliest labels (default 1)", false},
    {"length", 0, CLI_INT, &o.length, "N", 1, 1e9, NULL, "only the first N tokens count (default: the model's context)",
     false},
    {"batch", 0, CLI_INT, &o.batch, "N", 1, 65536, NULL, "texts at a time (default 16)", false},
    {"bf16", 0, CLI_FLAG, &o.bf16, NULL, 0, 0, NULL, "compute in bf16", false},
};

/* ---- texts ---- */

typedef struct texts {
    char **item;
    int64_t n, capacity;
} texts;

static bool add_text(texts *t, const char *text, size_t n)
{
    if (t->n == t->capacity) {
        int64_t capacity = t->capacity ? 2 * t->capacity : 64;
        char **grown = realloc(t->item, (size_t)capacity * sizeof *grown);
        if (!grown) return false;
        t->item = grown;
        t->capacity = capacity;
    }
    return (t->item[t->n] = strndup(text, n)) != NULL && ++t->n;
}

/* Lines without their ends; empty ones do not count. */
static bool read_input(texts *t)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    bool fine = true;
    while (fine && (n = getline(&line, &room, stdin)) >= 0) {
        while (n && (line[n - 1] == '\n' || line[n - 1] == '\r')) n--;
        if (n) fine = add_text(t, line, (size_t)n);
    }
    free(line);
    return fine && !ferror(stdin);
}

static bool take_texts(texts *t)
{
    bool fine = true;
    for (int i = 0; i < o.text.n && fine; i++) fine = add_text(t, o.text.item[i], strlen(o.text.item[i]));
    if (o.text.n == 0) fine = read_input(t);
    if (!fine) fprintf(stderr, "gradus: the texts cannot be read\n");
    return fine;
}

static void release(texts *t)
{
    for (int64_t i = 0; i < t->n; i++) free(t->item[i]);
    free(t->item);
}

/* ---- answers ---- */

/* The likeliest label that is not taken yet; taken ones become less than any. */
static int64_t take_best(float *score, int64_t n)
{
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++)
        if (score[i] > score[best]) best = i;
    return best;
}

static const char *label_of(const gr_model *m, int64_t i) { return gr_model_label(m, i); }

static void print_one(const gr_model *m, const char *text, float *score, int64_t n)
{
    gr_label_kind kind = gr_model_label_kind(m);
    if (cli.json) {
        json_open('{');
        gr_model_kind kind_of = gr_model_kind_of(m);
        json_text(kind_of == GR_MODEL_PICTURE ? "picture" : kind_of == GR_MODEL_SOUND ? "sound" : "text", text);
        if (kind == GR_LABELS_ONE) json_text("label", label_of(m, take_best(score, n)));
        json_open_key("scores", '{');
        for (int64_t i = 0; i < n; i++) json_number(label_of(m, i), score[i]);
        json_close();
        json_end();
        return;
    }
    for (int64_t k = 0; k < (kind == GR_LABELS_ONE ? o.top : n) && k < n; k++) {
        int64_t i = kind == GR_LABELS_ONE ? take_best(score, n) : k;
        printf("%s%s\t%.4f", k ? "\t" : "", label_of(m, i), (double)score[i]);
        score[i] = -1;
    }
    putchar('\n');
}

static gr_status predict(gr_model *m, const texts *t)
{
    gr_model_kind kind = gr_model_kind_of(m);
    int64_t n = gr_model_describe(m).labels;
    gr_classify_options c = {.batch = o.batch, .length = o.length, .bf16 = o.bf16};
    float *score = calloc((size_t)(t->n * n) + 1, sizeof *score);
    if (!score) return GR_ERR_MEMORY;
    gr_status s = (kind == GR_MODEL_PICTURE ? gr_classify_pictures
                   : kind == GR_MODEL_SOUND ? gr_classify_sounds
                                            : gr_classify)(m, (const char *const *)t->item, t->n, &c, score);
    for (int64_t i = 0; i < t->n && s == GR_OK && !out_broken(); i++) print_one(m, t->item[i], score + i * n, n);
    free(score);
    return s;
}

/* Pictures are the arguments behind the model. */
static bool take_pictures(texts *t)
{
    bool fine = true;
    for (int i = 1; i < cli.n_arguments && fine; i++) fine = add_text(t, cli.argument[i], strlen(cli.argument[i]));
    if (!fine) fprintf(stderr, "gradus: out of memory\n");
    return fine;
}

/* ---- rows of a table ---- */

/* With quotes where the cell holds a separator, a quote or the end of a line. */
static void print_cell(const char *text, bool first)
{
    if (!first) putchar(',');
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, stdout);
        return;
    }
    putchar('"');
    for (; *text; text++) {
        if (*text == '"') putchar('"');
        putchar(*text);
    }
    putchar('"');
}

static void print_head(const gr_model *m, const gr_predictions *p)
{
    const char *text, *label;
    char name[512];
    for (int64_t c = 0; (text = gr_predictions_cell(p, -1, c)); c++) print_cell(text, c == 0);
    print_cell("prediction", false);
    for (int64_t k = 0; (label = gr_model_label(m, k)); k++) {
        snprintf(name, sizeof name, "probability_%s", label);
        print_cell(name, false);
    }
    putchar('\n');
}

static void print_row(const gr_model *m, const gr_predictions *p, int64_t i, const gr_prediction *r)
{
    const char *text;
    for (int64_t c = 0; (text = gr_predictions_cell(p, i, c)); c++) print_cell(text, c == 0);
    if (r->label)
        print_cell(r->label, false);
    else
        printf(",%.9g", r->value);
    for (int64_t k = 0; r->label && gr_model_label(m, k); k++) printf(",%.6f", r->probability[k]);
    putchar('\n');
}

static void print_object(const gr_model *m, const gr_predictions *p, const gr_prediction *r)
{
    json_open('{');
    json_int("line", r->line);
    json_text("target", gr_predictions_target(p));
    if (r->label)
        json_text("prediction", r->label);
    else
        json_number("prediction", r->value);
    if (r->label) {
        json_open_key("probabilities", '{');
        for (int64_t k = 0; gr_model_label(m, k); k++) json_number(gr_model_label(m, k), r->probability[k]);
        json_close();
    }
    json_end();
}

static gr_status predict_rows(gr_model *m, const char *path)
{
    gr_predictions *p = NULL;
    gr_prediction r;
    gr_status s = gr_table_predict(m, path, &p);
    if (s != GR_OK) return s;
    for (int i = 0; gr_predictions_note(p, i); i++) out_note("%s", gr_predictions_note(p, i));
    if (!cli.json) print_head(m, p);
    for (int64_t i = 0; gr_predictions_get(p, i, &r) && !out_broken(); i++)
        if (cli.json)
            print_object(m, p, &r);
        else
            print_row(m, p, i, &r);
    gr_predictions_free(&p);
    return GR_OK;
}

static int run_rows(gr_model *m)
{
    gr_status s = GR_OK;
    if (gr_model_kind_of(m) != GR_MODEL_TABLE)
        return cli_usage("'%s' is no model for rows of a table; give texts with --text", cli.argument[0]);
    if (cli.n_arguments < 2) return cli_usage("'%s' predicts rows of a table: give a CSV file", cli.argument[0]);
    s = predict_rows(m, cli.argument[1]);
    return s == GR_OK ? EXIT_OK : cli_fail(s);
}

static int run_command(void)
{
    gr_model *model = NULL;
    texts t = {0};
    gr_status s = gr_model_open(cli.argument[0], &model);
    bool sounds = s == GR_OK && gr_model_kind_of(model) == GR_MODEL_SOUND,
         pictures = sounds || (s == GR_OK && gr_model_kind_of(model) == GR_MODEL_PICTURE);
    if (s == GR_OK && gr_model_kind_of(model) == GR_MODEL_TABLE) {
        int code = run_rows(model);
        gr_model_free(&model);
        return code;
    }
    if (s == GR_OK && pictures != (cli.n_arguments > 1)) {
        gr_model_free(&model);
        return cli_usage(sounds     ? "'%s' hears sounds: name some behind it"
                         : pictures ? "'%s' looks at pictures: name some behind it"
                                    : "'%s' looks at neither pictures nor tables; give texts with --text",
                         cli.argument[0]);
    }
    bool fine = s != GR_OK || (pictures ? take_pictures(&t) : take_texts(&t));
    if (s == GR_OK && fine && t.n) s = predict(model, &t);
    gr_model_free(&model);
    release(&t);
    return s != GR_OK ? cli_fail(s) : fine ? EXIT_OK : EXIT_FAILED;
}

static const char *const examples[] = {
    "gradus predict runs/questions --text \"How far is the moon?\"",
    "gradus predict runs/questions --text \"Who wrote it?\" --top 3",
    "gradus predict runs/questions --json < questions.txt",
    "gradus predict runs/mnist_lenet seven.png three.jpg",
    "gradus predict runs/fsdd_digits seven.wav",
    "gradus predict runs/houses new.csv > predicted.csv",
    NULL,
};

const cli_command cmd_predict = {
    "predict",
    "Use",
    "MODEL [PICTURE... | SOUND... | FILE.csv]",
    "gives the label of a text, a picture or a sound, or the target of the rows of a CSV file",
    "MODEL is a folder that the task 'text-classification' left, or a Hugging Face folder of BERT, RoBERTa or DistilBERT\n"
    "with a classification head; or one that 'image-classification' left, and then files of pictures follow. A line for each\n"
    "text or picture, and for each sound where 'sound-classification' left it: label, TAB, probability; with --json an object with all of them.\n"
    "A folder that the task 'table' left wants a CSV file as it came, and prints it with the columns 'prediction' and\n"
    "'probability_CLASS'; with --json an object for each row.",
    options,
    COUNT(options),
    1,
    -1,
    false,
    examples,
    run_command,
};
