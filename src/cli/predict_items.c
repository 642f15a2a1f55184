/* The items that are best for a user. */
#include "cli/out.h"
#include "cli/predict.h"
#include "gradus/table.h"

#include <stdlib.h>

static void print(const gr_recommended *r, int64_t n)
{
    for (int64_t i = 0; i < n && !out_broken(); i++) {
        if (!cli.json) {
            printf("%s\t%.4f\n", r[i].item, r[i].score);
            continue;
        }
        json_open('{');
        json_int("rank", i + 1);
        json_text("item", r[i].item);
        json_number("score", r[i].score);
        json_end();
    }
}

int predict_items(gr_model *model, const predict_options *o)
{
    int64_t n = 0, top = o->top > 1 ? o->top : 10;
    if (!o->user || o->text.n || cli.n_arguments > 2)
        return cli_usage("'%s' recommends: say for whom with --user, and give a CSV file with what users have had",
                         cli.argument[0]);
    gr_recommended *r = calloc((size_t)top, sizeof *r);
    if (!r) return cli_fail(GR_ERR_MEMORY);
    gr_status s = gr_recommend(model, cli.n_arguments == 2 ? cli.argument[1] : NULL, o->user, top, r, &n);
    if (s == GR_OK) print(r, n);
    free(r);
    return s == GR_OK ? EXIT_OK : cli_fail(s);
}
