#include "task/number_panels.h"

#include "gradus/metric.h"
#include "metric/html.h"

#include <stdio.h>

gr_status gr__number_panels(const double *actual, const double *predicted, size_t n, const char *name, gr__str *page)
{
    char *svg, title[128];
    double *error = gr__calloc(n + 1, sizeof *error);
    if (!error) return gr__fail_memory("errors", n * sizeof *error);
    for (size_t i = 0; i < n; i++) error[i] = predicted[i] - actual[i];
    snprintf(title, sizeof title, "Predictions%s%.100s", name ? " of " : "", name ? name : "");
    gr__html_section(page, title);
    gr__html_charts_begin(page);
    gr_status status = gr__html_figure(page, gr_plot_scatter(actual, predicted, n, NULL, &svg), &svg);
    gr_plot_options o = {.title = "Errors", .x_label = "predicted - actual"};
    if (status == GR_OK) status = gr__html_figure(page, gr_plot_histogram(error, n, &o, &svg), &svg);
    gr__html_charts_end(page);
    gr__free(error);
    return status;
}
