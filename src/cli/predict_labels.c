/* Labels of texts, of pictures and of sounds. */
#include "cli/out.h"
#include "cli/predict.h"

#include <stdlib.h>
#include <string.h>

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

static bool cannot_read(void)
{
    fprintf(stderr, "gradus: the texts cannot be read\n");
    return false;
}

/* Lines without their ends. */
static bool read_input(texts *t)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    bool fine = true, zero = false;
    while (fine && !zero && (n = getline(&line, &room, stdin)) >= 0) {
        while (n && (line[n - 1] == '\n' || line[n - 1] == '\r')) n--;
        zero = memchr(line, 0, (size_t)n) != NULL;
        fine = zero || add_text(t, line, (size_t)n);
    }
    free(line);
    if (zero) fprintf(stderr, "gradus: line %lld of standard input holds a zero byte\n", (long long)t->n + 1);
    return fine && !ferror(stdin) ? !zero : cannot_read();
}

static bool take_texts(texts *t, const predict_options *o)
{
    if (o->text.n == 0) return read_input(t);
    for (int i = 0; i < o->text.n; i++)
        if (!add_text(t, o->text.item[i], strlen(o->text.item[i]))) return cannot_read();
    return true;
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

/* What is said first: of two labels the threshold decides. */
static int64_t take_first(const gr_model *m, float *score, int64_t n)
{
    if (n != 2) return take_best(score, n);
    return gr_model_decide(m, (const double[]){(double)score[0], (double)score[1]}, 2);
}

static const char *label_of(const gr_model *m, int64_t i) { return gr_model_label(m, i); }

static void print_one(const gr_model *m, const char *text, float *score, int64_t n, int64_t top)
{
    gr_label_kind kind = gr_model_label_kind(m);
    if (cli.json) {
        json_open('{');
        json_text(gr_model_kind_of(m) == GR_MODEL_PICTURE ? "picture"
                  : gr_model_kind_of(m) == GR_MODEL_SOUND ? "sound"
                  : gr_model_kind_of(m) == GR_MODEL_CLIP  ? "clip"
                                                          : "text",
                  text);
        if (kind == GR_LABELS_ONE) json_text("label", label_of(m, take_first(m, score, n)));
        json_open_key("scores", '{');
        for (int64_t i = 0; i < n; i++) json_number(label_of(m, i), score[i]);
        json_close();
        json_end();
        return;
    }
    for (int64_t k = 0; k < (kind == GR_LABELS_ONE ? top : n) && k < n; k++) {
        int64_t i = kind != GR_LABELS_ONE ? k : k ? take_best(score, n) : take_first(m, score, n);
        printf("%s%s\t%.4f", k ? "\t" : "", label_of(m, i), (double)score[i]);
        score[i] = -1;
    }
    putchar('\n');
}

/* A line stands for each text: for one without a character, which has no label, an empty one. */
static void print_nothing(void)
{
    if (cli.json) {
        json_open('{');
        json_text("text", "");
        json_text("label", NULL);
        json_end();
    } else {
        putchar('\n');
    }
}

/* Empty lines of standard input go to the end of 'order', in which texts are labelled; returns how many there are before. */
static int64_t order_texts(const texts *t, const predict_options *o, const char **order)
{
    int64_t n = 0;
    for (int64_t i = 0; i < t->n; i++)
        if (t->item[i][0] || o->text.n) order[n++] = t->item[i];
    if (n < t->n)
        fprintf(stderr, "gradus: warning: %lld empty line%s no label\n", (long long)(t->n - n),
                t->n - n == 1 ? " has" : "s have");
    return n;
}

static gr_status classify(gr_model *m, const char *const *item, int64_t n, const gr_classify_options *o, float *score)
{
    switch (gr_model_kind_of(m)) {
    case GR_MODEL_PICTURE: return gr_classify_pictures(m, item, n, o, score);
    case GR_MODEL_SOUND: return gr_classify_sounds(m, item, n, o, score);
    case GR_MODEL_CLIP: return gr_classify_clips(m, item, n, o, score);
    default: return gr_classify(m, item, n, o, score);
    }
}

static gr_status predict(gr_model *m, const texts *t, const predict_options *o)
{
    int64_t n = gr_model_describe(m).labels;
    gr_classify_options c = {.batch = o->batch, .length = o->length, .bf16 = o->bf16};
    float *score = calloc((size_t)(t->n * n) + 1, sizeof *score);
    const char **order = calloc((size_t)t->n + 1, sizeof *order);
    int64_t given = order ? order_texts(t, o, order) : 0, at = 0;
    if (!score || !order) {
        free(score);
        free(order);
        return GR_ERR_MEMORY;
    }
    gr_status s = given ? classify(m, order, given, &c, score) : GR_OK;
    for (int64_t i = 0; i < t->n && s == GR_OK && !out_broken(); i++) {
        if (at < given && order[at] == t->item[i])
            print_one(m, t->item[i], score + at++ * n, n, o->top);
        else
            print_nothing();
    }
    free(score);
    free(order);
    return s;
}

/* Files are the arguments behind the model. */
static bool take_files(texts *t)
{
    bool fine = true;
    for (int i = 1; i < cli.n_arguments && fine; i++) fine = add_text(t, cli.argument[i], strlen(cli.argument[i]));
    if (!fine) fprintf(stderr, "gradus: out of memory\n");
    return fine;
}

static int answer(gr_model *m, texts *t, bool fine, const predict_options *o)
{
    gr_status s = fine && t->n ? predict(m, t, o) : GR_OK;
    release(t);
    return s != GR_OK ? cli_fail(s) : fine ? EXIT_OK : EXIT_FAILED;
}

int predict_texts(gr_model *m, const predict_options *o)
{
    texts t = {0};
    if (cli.n_arguments > 1)
        return cli_usage("'%s' looks at neither pictures nor tables; give texts with --text", cli.argument[0]);
    bool fine = take_texts(&t, o);
    return answer(m, &t, fine, o);
}

int predict_files(gr_model *m, const predict_options *o)
{
    texts t = {0};
    if (cli.n_arguments < 2)
        return cli_usage(gr_model_kind_of(m) == GR_MODEL_SOUND  ? "'%s' hears sounds: name some behind it"
                         : gr_model_kind_of(m) == GR_MODEL_CLIP ? "'%s' looks at clips: name some behind it"
                                                                : "'%s' looks at pictures: name some behind it",
                         cli.argument[0]);
    bool fine = take_files(&t);
    return answer(m, &t, fine, o);
}
