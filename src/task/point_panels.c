#include "task/point_score.h"

#include "fit/components.h"
#include "metric/html.h"
#include "metric/plot.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_DOTS = 2000, MOST_GROUPS = 12, MOST_LINES = 64, MOST_INPUTS = 40, MOST_COLUMNS = 8, MOST_SHEET = 40 };

static const gr__fitted_config *config_of(const gr__point_said *s) { return s->model->config; }
static int64_t outputs_of(const gr__point_said *s) { return (int64_t)config_of(s)->names.n; }

/* ---- rows in a plane ---- */

/* Dots at x, y (n), a series for each group; group NULL: one. */
static gr_status add_dots(const double *x, const double *y, const int32_t *group, const gr__conf_strings *names,
                          int64_t n, const char *title, gr__str *page)
{
    gr__series series[MOST_GROUPS + 1] = {0};
    size_t groups = group && names->n <= MOST_GROUPS ? names->n : 1;
    double *own = gr__alloc((2 * (size_t)n + 1) * sizeof *own);
    if (!own) return gr__fail_memory("a picture", 2 * (size_t)n * sizeof *own);
    size_t at = 0;
    for (size_t k = 0; k < groups; k++) {
        series[k] = (gr__series){.x = own + at,
                                 .y = own + n + at,
                                 .label = groups > 1 ? names->item[k] : NULL,
                                 .points = true,
                                 .no_line = true};
        for (int64_t i = 0; i < n; i++) {
            if (groups > 1 && group[i] != (int32_t)k) continue;
            own[at] = x[i], own[(size_t)n + at++] = y[i];
            series[k].n++;
        }
    }
    gr__chart chart = {.title = title,
                       .x_label = "first component",
                       .y_label = "second component",
                       .series = series,
                       .series_count = groups,
                       .height = 480};
    gr__svg_chart(page, &chart);
    gr__free(own);
    return GR_OK;
}

/* The rows that are shown, at equal steps. */
static int64_t shown(const gr__point_said *s) { return GR__MIN(s->n, (int64_t)MOST_DOTS); }
static int64_t row_of(const gr__point_said *s, int64_t i) { return i * s->n / shown(s); }

/* Where the shown rows are along their own first two components: flat (2, shown). Nothing where they have none. */
static gr_status flatten(const gr__point_said *s, double *flat, bool *found)
{
    int64_t width = s->part->points.width, n = shown(s);
    size_t w = (size_t)width;
    *found = false;
    if (width < 2 || n < 3 || GR__MIN(n, width) > 1024) return GR_OK;
    float *x = gr__alloc((size_t)n * w * sizeof *x);
    double *room = gr__alloc((3 * w + 2) * sizeof *room);
    gr__pca p = {.mean = room, .component = room + w, .variance = room + 3 * w};
    gr_status status = x && room ? GR_OK : gr__fail_memory("rows", (size_t)n * w * sizeof *x);
    for (int64_t i = 0; i < n && status == GR_OK; i++)
        memcpy(x + i * width, s->part->points.x + row_of(s, i) * width, w * sizeof *x);
    if (status == GR_OK) status = gr__pca_fit(&(gr__points){x, n, width}, 2, &p);
    *found = status == GR_OK;
    for (int64_t i = 0; i < n && *found; i++)
        for (int64_t k = 0; k < 2; k++) {
            double sum = 0;
            for (int64_t j = 0; j < width; j++)
                sum += ((double)x[i * width + j] - p.mean[j]) * p.component[k * width + j];
            flat[k * n + i] = sum;
        }
    gr__free(x);
    gr__free(room);
    return status == GR_ERR_MEMORY ? status : GR_OK;
}

static gr_status add_plane(const gr__point_said *s, bool clusters, gr__str *page)
{
    int64_t n = shown(s), outputs = outputs_of(s);
    bool found = !clusters && outputs > 1, classes = !clusters && s->part->class;
    double *flat = gr__alloc((2 * (size_t)n + 1) * sizeof *flat);
    int32_t *group = gr__calloc((size_t)n + 1, sizeof *group);
    gr_status status = flat && group ? GR_OK : gr__fail_memory("rows", 2 * (size_t)n * sizeof *flat);
    if (status == GR_OK && clusters) status = flatten(s, flat, &found);
    for (int64_t i = 0; i < n && status == GR_OK; i++) {
        int64_t row = row_of(s, i);
        group[i] = clusters ? gr__point_cluster(s->said + row * outputs, outputs) : classes ? s->part->class[row] : 0;
        for (int64_t k = 0; k < 2 && found && !clusters; k++) flat[k * n + i] = (double)s->said[row * outputs + k];
    }
    if (status == GR_OK && found)
        status = add_dots(flat, flat + n, clusters || classes ? group : NULL,
                          clusters ? &config_of(s)->names : s->classes, n,
                          clusters  ? "Rows, by cluster"
                          : classes ? "Rows, by class"
                                    : "Rows",
                          page);
    gr__free(flat);
    gr__free(group);
    return status;
}

/* ---- pictures of what a model holds ---- */

/* The first rows of a state (k, inputs) as pictures; signed ones around gray. */
static gr_status add_sheet(const gr__point_said *s, const char *state, const char *text, gr__str *page)
{
    const gr__picture_config *p = &config_of(s)->picture;
    gr__picture_shape shape = {.height = p->height, .width = p->width, .channels = p->channels};
    gr_tensor t;
    if (p->height == 0 || p->channels == 2) return GR_OK;
    GR_TRY(gr_store_get(s->model->store, state, &t));
    int64_t each = t.dim[1], n = GR__MIN(t.dim[0], (int64_t)MOST_SHEET);
    float *v = gr__alloc((size_t)(n * each) * sizeof *v);
    if (!v) return gr__fail_memory("pictures", (size_t)(n * each) * sizeof *v);
    for (int64_t k = 0; k < n; k++) {
        double most = 0, least = 0;
        for (int64_t j = 0; j < each; j++) {
            most = fmax(most, fabs(gr_tensor_get(&t, k * each + j)));
            least = fmin(least, gr_tensor_get(&t, k * each + j));
        }
        for (int64_t j = 0; j < each; j++) {
            double x = gr_tensor_get(&t, k * each + j);
            v[k * each + j] = (float)(least < 0 ? 0.5 + 0.5 * x / most : x);
        }
    }
    gr__html_section(page, text);
    gr_status status = gr__pictures_sheet(&shape, v, n, GR__MIN(n, 10), text, page);
    gr__free(v);
    return status;
}

/* A line for each number of a row, a column for each of the first rows of a state (k, inputs); for centres in the file's
 * units. */
static gr_status add_numbers(const gr__point_said *s, const char *state, bool centres, gr__str *page)
{
    const gr__fitted_config *c = config_of(s);
    gr_tensor t;
    if (c->columns.n == 0) return GR_OK;
    GR_TRY(gr_store_get(s->model->store, state, &t));
    size_t columns = (size_t)GR__MIN(t.dim[0], (int64_t)MOST_COLUMNS);
    const char *cell[MOST_COLUMNS + 1] = {""};
    char text[MOST_COLUMNS][32];
    gr_status status = GR_OK;
    gr__html_section(page, centres ? "Centres" : "What components are made of");
    for (size_t k = 0; k < columns; k++) cell[k + 1] = c->names.item[k];
    gr__html_table_begin(page, cell, columns + 1);
    for (int64_t j = 0; j < GR__MIN(c->inputs, (int64_t)MOST_INPUTS) && status == GR_OK; j++) {
        gr__str name = {0};
        for (size_t k = 0; k < columns; k++) {
            double v = gr_tensor_get(&t, (int64_t)k * c->inputs + j);
            snprintf(text[k], sizeof text[k], "%.4g", centres ? gr__fitted_backward(c, j, v) : v);
            cell[k + 1] = text[k];
        }
        status = gr__fitted_input_name(c, j, &name);
        cell[0] = gr__str_get(&name);
        if (status == GR_OK) gr__html_table_row(page, cell, columns + 1);
        gr__str_release(&name);
    }
    gr__html_table_end(page);
    return status;
}

/* ---- clusters ---- */

/* The most frequent class of a cluster's rows; *n: how many have it. */
static const char *leader(const gr__point_said *s, int32_t cluster, int64_t *n, int64_t *room)
{
    int64_t outputs = outputs_of(s);
    size_t best = 0, classes = s->classes->n;
    memset(room, 0, classes * sizeof *room);
    for (int64_t i = 0; i < s->n; i++)
        if (s->part->class[i] >= 0 && gr__point_cluster(s->said + i * outputs, outputs) == cluster)
            room[s->part->class[i]]++;
    for (size_t k = 1; k < classes; k++)
        if (room[k] > room[best]) best = k;
    *n = room[best];
    return s->classes->item[best];
}

static gr_status add_clusters(const gr__point_said *s, gr__str *page)
{
    static const char *const head[] = {"cluster", "rows", "share", "mean distance", "most frequent class", "its share"};
    int64_t outputs = outputs_of(s), *count = gr__calloc((size_t)outputs + s->classes->n, sizeof *count);
    double *far = gr__calloc(3 * (size_t)outputs + 1, sizeof *far), *bar = far + outputs, *edge = bar + outputs;
    size_t columns = s->part->class ? 6 : 4;
    gr_status status = count && far ? GR_OK : gr__fail_memory("clusters", 3 * (size_t)outputs * sizeof *far);
    for (int64_t i = 0; i < s->n && status == GR_OK; i++) {
        int32_t k = gr__point_cluster(s->said + i * outputs, outputs);
        count[k]++;
        far[k] += (double)s->said[i * outputs + k];
    }
    if (status == GR_OK) {
        gr__html_section(page, "Clusters");
        gr__html_table_begin(page, head, columns);
        for (int64_t k = 0; k < GR__MIN(outputs, (int64_t)MOST_LINES); k++) {
            char text[4][32];
            int64_t led = 0;
            const char *class = columns == 6 ? leader(s, (int32_t)k, &led, count + outputs) : "";
            double rows = (double)GR__MAX(count[k], 1);
            snprintf(text[0], 32, "%lld", (long long)count[k]);
            snprintf(text[1], 32, "%.4f", (double)count[k] / (double)s->n);
            snprintf(text[2], 32, "%.4g", far[k] / rows);
            snprintf(text[3], 32, "%.4f", (double)led / rows);
            gr__html_table_row(page,
                               (const char *[]){config_of(s)->names.item[k], text[0], text[1], text[2], class, text[3]},
                               columns);
        }
        gr__html_table_end(page);
        for (int64_t k = 0; k < outputs; k++) bar[k] = (double)count[k], edge[k] = (double)k - 0.5;
        edge[outputs] = (double)outputs - 0.5;
        gr__series sizes = {.x = edge, .y = bar, .n = (size_t)outputs, .bars = true};
        gr__chart chart = {.title = "Sizes of the clusters",
                           .x_label = "cluster",
                           .y_label = "rows",
                           .from_zero = true,
                           .whole_x = true,
                           .series = &sizes,
                           .series_count = 1};
        gr__html_charts_begin(page);
        gr__svg_chart(page, &chart);
        status = add_plane(s, true, page);
        gr__html_charts_end(page);
    }
    gr__free(count);
    gr__free(far);
    GR_TRY(status);
    GR_TRY(add_sheet(s, "centres", "Centres", page));
    return add_numbers(s, "centres", true, page);
}

/* ---- components ---- */

static gr_status add_components(const gr__point_said *s, gr__str *page)
{
    gr_tensor variance, total;
    GR_TRY(gr_store_get(s->model->store, "variance", &variance));
    GR_TRY(gr_store_get(s->model->store, "total_variance", &total));
    size_t n = (size_t)outputs_of(s);
    double *share = gr__calloc(4 * n + 1, sizeof *share), *sum = share + n, *number = sum + n, *edge = number + n;
    if (!share) return gr__fail_memory("components", 4 * n * sizeof *share);
    for (size_t k = 0; k < n; k++) {
        share[k] = gr_tensor_get(&variance, (int64_t)k) / gr_tensor_get(&total, 0);
        sum[k] = share[k] + (k ? sum[k - 1] : 0);
        number[k] = (double)k + 1, edge[k] = (double)k + 0.5;
    }
    edge[n] = (double)n + 0.5;
    gr__series series[] = {{.x = edge, .y = share, .n = n, .bars = true, .label = "each"},
                           {.x = number, .y = sum, .n = n, .points = n <= 40, .label = "up to it"}};
    gr__chart chart = {.title = "Share of the variance",
                       .x_label = "component",
                       .y_label = "share",
                       .from_zero = true,
                       .series = series,
                       .series_count = GR__COUNT(series)};
    gr__html_section(page, "Components");
    gr__html_charts_begin(page);
    gr__svg_chart(page, &chart);
    gr_status status = add_plane(s, false, page);
    gr__html_charts_end(page);
    gr__free(share);
    GR_TRY(status);
    GR_TRY(add_sheet(s, "components", "Components as pictures", page));
    return add_numbers(s, "components", false, page);
}

gr_status gr__point_panels(const gr__point_said *s, gr__str *page)
{
    if (s->n == 0) return GR_OK;
    return gr_model_label_kind(s->model) == GR_LABELS_ONE ? add_clusters(s, page) : add_components(s, page);
}
