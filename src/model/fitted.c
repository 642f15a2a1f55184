#include "model/fitted.h"

#include "gradus/ops.h"

#include <string.h>

/* ---- configuration ---- */

static gr_status make_names(gr__fitted_config *c, const char *prefix, int64_t n, gr__arena *arena)
{
    c->names = (gr__conf_strings){.item = gr__arena_alloc(arena, ((size_t)n + 1) * sizeof *c->names.item)};
    if (!c->names.item) return gr__fail_memory("names", (size_t)n * sizeof *c->names.item);
    for (; c->names.n < (size_t)n; c->names.n++)
        if (!(c->names.item[c->names.n] = gr__arena_printf(arena, "%s%zu", prefix, c->names.n)))
            return gr__fail_memory("a name", 16);
    return GR_OK;
}

static gr_status refuse_vectors(const gr__columns *columns)
{
    for (size_t i = 0; i < columns->n; i++) {
        const gr__column *c = &columns->item[i];
        GR_FAIL_IF(
            c->kind == GR__COLUMN_CATEGORY && c->width, GR_ERR_CONFIG,
            "column '%.100s' would be a vector that is learnt, which nothing learns here; data.columns: %.100s: {encode: "
            "one_hot}, or ignore",
            c->name, c->name);
    }
    return GR_OK;
}

gr_status gr__fitted_finish(gr__fitted_config *c, const gr__facts *facts, const char *prefix, int64_t outputs)
{
    if (facts->columns) c->columns = *facts->columns;
    if (facts->height)
        c->picture = (gr__picture_config){.height = facts->height, .width = facts->width, .channels = facts->channels};
    GR_FAIL_IF(c->columns.n == 0 && c->picture.height == 0, GR_ERR_CONFIG,
               "such a model is made by the task 'unsupervised' alone");
    GR_TRY(refuse_vectors(&c->columns));
    c->inputs =
        c->columns.n ? gr__columns_numbers(&c->columns) : c->picture.height * c->picture.width * c->picture.channels;
    return make_names(c, prefix, outputs, facts->arena);
}

gr_status gr__fitted_read_json(gr__json root, const char *key, gr__fitted_config *c, gr__arena *arena, int64_t *outputs)
{
    GR_TRY(gr__hf_need(root, key));
    GR_TRY(gr__hf_int(root, key, 1, GR__MOST_FITTED, outputs));
    if (gr__json_get(root, "columns")) return gr__columns_read(root, arena, &c->columns);
    GR_TRY(gr__hf_need(root, "height"));
    GR_TRY(gr__hf_need(root, "width"));
    GR_TRY(gr__hf_need(root, "num_channels"));
    GR_TRY(gr__hf_int(root, "height", 1, GR__MOST_PICTURE, &c->picture.height));
    GR_TRY(gr__hf_int(root, "width", 1, GR__MOST_PICTURE, &c->picture.width));
    return gr__hf_int(root, "num_channels", 1, 4, &c->picture.channels);
}

void gr__fitted_write_json(const gr__fitted_config *c, const char *key, gr__str *out)
{
    gr__hf_put_int(out, key, (int64_t)c->names.n);
    if (c->columns.n) {
        gr__columns_write(&c->columns, out);
        return;
    }
    gr__hf_put_int(out, "height", c->picture.height);
    gr__hf_put_int(out, "num_channels", c->picture.channels);
    gr__hf_put_int(out, "width", c->picture.width);
}

gr_model_info gr__fitted_info(const void *config)
{
    const gr__fitted_config *c = config;
    return (gr_model_info){.layers = 1,
                           .width = c->inputs,
                           .labels = (int64_t)c->names.n,
                           .height = c->picture.height,
                           .picture_width = c->picture.width,
                           .channels = c->picture.channels};
}

const gr__conf_strings *gr__fitted_names(const void *config) { return &((const gr__fitted_config *)config)->names; }
const gr__columns *gr__fitted_columns(const void *config) { return &((const gr__fitted_config *)config)->columns; }

/* ---- graph and states ---- */

gr_value gr__fitted_state(gr_graph *g, const char *name, int rank, const int64_t *dim)
{
    static const gr_init zeros = {.kind = GR_INIT_ZEROS};
    return gr_param(g, name, rank, dim, &zeros);
}

gr_status gr__fitted_set(gr_model *m, const char *name, const double *v, int64_t n)
{
    gr_tensor t;
    GR_TRY(gr_store_get(m->store, name, &t));
    GR_FAIL_IF(gr_tensor_count(&t) != n, GR_ERR_INTERNAL, "'%s' has %lld numbers, not %lld", name,
               (long long)gr_tensor_count(&t), (long long)n);
    for (int64_t i = 0; i < n; i++) gr_tensor_set(&t, i, v[i]);
    gr_store_touch(m->store);
    return GR_OK;
}

void gr__model_build_fitted(const gr_model *m, gr_graph *g, int64_t batch, gr__fitted_out *out)
{
    const gr__fitted_config *c = m->config;
    gr_value x = gr_input(g, "numbers", GR_F32, 2, (int64_t[]){batch, c->inputs});
    m->family->build_fitted(g, c, x, &out->said, &out->rest);
}

/* ---- names of the numbers of a row ---- */

/* 'left' is which of the column's numbers is meant. */
static void name_of(const gr__column *c, int64_t left, gr__str *out)
{
    gr__str_add(out, c->name);
    if (c->kind == GR__COLUMN_NUMBER)
        gr__str_add(out, left ? " is missing" : "");
    else if (left == 0)
        gr__str_add(out, " is another");
    else if ((size_t)left <= c->words.n)
        gr__str_printf(out, "=%s", c->words.item[left - 1]);
    else
        gr__str_printf(out, " in bucket %lld", (long long)left);
}

/* The column that number *i of a row comes from, *i becomes which of the column's it is; NULL: a pixel. */
static const gr__column *find_column(const gr__fitted_config *c, int64_t *i)
{
    for (size_t k = 0; k < c->columns.n; k++) {
        const gr__column *column = &c->columns.item[k];
        int64_t numbers = column->kind == GR__COLUMN_NUMBER ? 1 + column->indicator : gr__column_codes(column);
        if (*i < numbers) return column;
        *i -= numbers;
    }
    return NULL;
}

gr_status gr__fitted_input_name(const gr__fitted_config *c, int64_t i, gr__str *out)
{
    const gr__column *column = find_column(c, &i);
    if (column)
        name_of(column, i, out);
    else
        gr__str_printf(out, "pixel %lld", (long long)i);
    return gr__str_check(out);
}

double gr__fitted_backward(const gr__fitted_config *c, int64_t i, double value)
{
    const gr__column *column = find_column(c, &i);
    return column && column->kind == GR__COLUMN_NUMBER && i == 0 ? gr__column_backward(column, value) : value;
}
