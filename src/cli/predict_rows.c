/* Rows of a CSV file, printed with what a table model says of them. */
#include "cli/out.h"
#include "cli/predict.h"
#include "gradus/table.h"

#include <string.h>

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

static gr_status predict_file(gr_model *m, const char *path)
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

int predict_rows(gr_model *m, const predict_options *o)
{
    if (o->text.n || cli.n_arguments != 2)
        return cli_usage("'%s' predicts rows of a table: give one CSV file", cli.argument[0]);
    gr_status s = predict_file(m, cli.argument[1]);
    return s == GR_OK ? EXIT_OK : cli_fail(s);
}
