/* Rows of a CSV file, printed with what a table model says of them. */
#include "cli/out.h"
#include "cli/predict.h"
#include "gradus/table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void cli_csv_cell(const char *text)
{
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

static void print_cell(const char *text, bool first)
{
    if (!first) putchar(',');
    cli_csv_cell(text);
}

static void print_head(const gr_model *m, const gr_predictions *p)
{
    const char *text, *label;
    char name[512];
    for (int64_t c = 0; (text = gr_predictions_cell(p, -1, c)); c++) print_cell(text, c == 0);
    bool fitted = gr_model_kind_of(m) == GR_MODEL_FITTED, clusters = gr_model_label_kind(m) == GR_LABELS_ONE;
    if (!fitted)
        print_cell("prediction", false);
    else if (clusters)
        fputs(",cluster,distance", stdout);
    for (int64_t k = 0; !(fitted && clusters) && (label = gr_model_label(m, k)); k++) {
        snprintf(name, sizeof name, "%s%s", fitted ? "" : "probability_", label);
        print_cell(name, false);
    }
    putchar('\n');
}

static void print_row(const gr_model *m, const gr_predictions *p, int64_t i, const gr_prediction *r)
{
    const char *text;
    for (int64_t c = 0; (text = gr_predictions_cell(p, i, c)); c++) print_cell(text, c == 0);
    if (r->label) print_cell(r->label, false);
    if (!isnan(r->value)) printf(",%.9g", r->value);
    for (int64_t k = 0; r->probability && gr_model_label(m, k); k++) printf(",%.6f", r->probability[k]);
    for (int64_t k = 0; r->place && !r->label && gr_model_label(m, k); k++) printf(",%.9g", r->place[k]);
    putchar('\n');
}

/* The rest of an object: a cluster with the distances to all, or components. */
static void place_object(const gr_model *m, const char *cluster, double distance, const double *place)
{
    if (cluster) json_text("cluster", cluster);
    if (cluster) json_number("distance", distance);
    json_open_key(cluster ? "distances" : "components", '[');
    for (int64_t k = 0; gr_model_label(m, k); k++) json_number(NULL, place[k]);
    json_close();
    json_end();
}

static void print_object(const gr_model *m, const gr_predictions *p, const gr_prediction *r)
{
    json_open('{');
    json_int("line", r->line);
    if (r->place) {
        place_object(m, r->label, r->value, r->place);
        return;
    }
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

static gr_status predict_file(gr_model *m, const char *path, bool skip_bad)
{
    gr_predictions *p = NULL;
    gr_prediction r;
    gr_status s = gr_table_predict(m, path, &(gr_table_options){.skip_bad = skip_bad}, &p);
    if (s != GR_OK) return s;
    for (int i = 0; gr_predictions_note(p, i); i++) out_note("%s", gr_predictions_note(p, i));
    if (!cli.json) print_head(m, p);
    for (int64_t i = 0; gr_predictions_get(p, i, &r) && !out_broken(); i++)
        if (cli.json)
            print_object(m, p, &r);
        else
            print_row(m, p, i, &r);
    s = gr_predictions_check(p);
    gr_predictions_free(&p);
    return s;
}

/* ---- pictures in place of rows ---- */

/* own (n): room */
static void print_picture(const gr_model *m, const char *path, const float *place, int64_t n, double *own)
{
    int64_t best = 0;
    bool clusters = gr_model_label_kind(m) == GR_LABELS_ONE;
    for (int64_t k = 1; k < n; k++)
        if (place[k] < place[best]) best = k;
    if (cli.json) {
        for (int64_t k = 0; k < n; k++) own[k] = (double)place[k];
        json_open('{');
        json_text("picture", path);
        place_object(m, clusters ? gr_model_label(m, best) : NULL, place[best], own);
        return;
    }
    if (clusters)
        printf("%s\t%s\t%.6g", path, gr_model_label(m, best), (double)place[best]);
    else
        fputs(path, stdout);
    for (int64_t k = 0; k < n && !clusters; k++) printf("\t%.6g", (double)place[k]);
    putchar('\n');
}

int predict_places(gr_model *m, const predict_options *o)
{
    int64_t n = gr_model_describe(m).labels, files = cli.n_arguments - 1;
    if (gr_model_describe(m).height == 0) return predict_rows(m, o);
    if (o->text.n || files < 1) return cli_usage("'%s' looks at pictures: name some behind it", cli.argument[0]);
    if (o->skip_bad) return cli_usage("--skip-bad is for rows of a table; '%s' looks at pictures", cli.argument[0]);
    float *place = calloc((size_t)(files * n) + 1, sizeof *place);
    double *own = calloc((size_t)n + 1, sizeof *own);
    gr_status s =
        place && own ? gr_place_pictures(m, (const char *const *)cli.argument + 1, files, place) : GR_ERR_MEMORY;
    for (int64_t i = 0; i < files && s == GR_OK && !out_broken(); i++)
        print_picture(m, cli.argument[i + 1], place + i * n, n, own);
    free(place);
    free(own);
    return s == GR_OK ? EXIT_OK : cli_fail(s);
}

int predict_rows(gr_model *m, const predict_options *o)
{
    bool piped =
        cli.n_arguments == 1 ? !isatty(STDIN_FILENO) : cli.n_arguments == 2 && strcmp(cli.argument[1], "-") == 0;
    if (o->text.n || (cli.n_arguments != 2 && !piped))
        return cli_usage("'%s' predicts rows of a table: give one CSV file, or it on standard input", cli.argument[0]);
    gr_status s = predict_file(m, piped ? "/dev/stdin" : cli.argument[1], o->skip_bad);
    return s == GR_OK ? EXIT_OK : cli_fail(s);
}
