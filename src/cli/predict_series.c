/* How the series of a CSV file go on. */
#include "cli/out.h"
#include "cli/predict.h"
#include "gradus/table.h"

#include <stdlib.h>

static void print_table(const gr_model *m, const gr_model_info *info, const double *value)
{
    printf("step");
    for (int64_t k = 0; k < info->series; k++) {
        putchar(',');
        cli_csv_cell(gr_model_label(m, k));
    }
    putchar('\n');
    for (int64_t h = 0; h < info->horizon && !out_broken(); h++) {
        printf("%lld", (long long)h + 1);
        for (int64_t k = 0; k < info->series; k++) printf(",%.9g", value[h * info->series + k]);
        putchar('\n');
    }
}

static void print_objects(const gr_model *m, const gr_model_info *info, const double *value)
{
    for (int64_t h = 0; h < info->horizon && !out_broken(); h++) {
        json_open('{');
        json_int("step", h + 1);
        for (int64_t k = 0; k < info->series; k++) json_number(gr_model_label(m, k), value[h * info->series + k]);
        json_end();
    }
}

int predict_series(gr_model *model, const predict_options *o)
{
    gr_model_info info = gr_model_describe(model);
    if (o->text.n || cli.n_arguments != 2)
        return cli_usage("'%s' continues series: give one CSV file with their past", cli.argument[0]);
    double *value = calloc((size_t)(info.horizon * info.series) + 1, sizeof *value);
    if (!value) return cli_fail(GR_ERR_MEMORY);
    gr_status s = gr_series_continue(model, cli.argument[1], value);
    if (s == GR_OK) (cli.json ? print_objects : print_table)(model, &info, value);
    free(value);
    return s == GR_OK ? EXIT_OK : cli_fail(s);
}
