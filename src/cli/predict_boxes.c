#include "cli/out.h"
#include "cli/predict.h"

typedef struct answer {
    const gr_model *model;
    const char *const *path;
} answer;

static void print_object(const answer *a, const char *path, const gr_detection *found, size_t n)
{
    json_open('{');
    json_text("picture", path);
    json_open_key("boxes", '[');
    for (size_t i = 0; i < n; i++) {
        const gr_box *b = &found[i].box;
        json_open('{');
        json_text("label", gr_model_label(a->model, found[i].category));
        json_number("score", found[i].score);
        json_number("x", b->x);
        json_number("y", b->y);
        json_number("width", b->width);
        json_number("height", b->height);
        json_close();
    }
    json_close();
    json_end();
}

static void print_found(void *user, int64_t picture, const gr_detection *found, size_t n)
{
    const answer *a = user;
    const char *path = a->path[picture];
    if (out_broken()) return;
    if (cli.json) {
        print_object(a, path, found, n);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const gr_box *b = &found[i].box;
        printf("%s\t%s\t%.4f\t%.1f\t%.1f\t%.1f\t%.1f\n", path, gr_model_label(a->model, found[i].category),
               found[i].score, b->x, b->y, b->width, b->height);
    }
}

int predict_boxes(gr_model *model, const predict_options *o)
{
    if (cli.n_arguments < 2) return cli_usage("'%s' finds boxes in pictures: name some behind it", cli.argument[0]);
    gr_detect_options d = {.batch = o->batch, .bf16 = o->bf16, .draw = o->draw};
    if (o->least >= 0) d.least = o->least, d.no_least = o->least == 0;
    answer a = {model, cli.argument + 1};
    gr_status s = gr_detect_pictures(model, a.path, cli.n_arguments - 1, &d, print_found, &a);
    return s == GR_OK ? EXIT_OK : cli_fail(s);
}
