#include "model/recommender.h"

#include "gradus/nn.h"

#include <string.h>

enum { MOST_NAMES = 1 << 26 };

gr_status gr__recommender_finish(gr__recommender_config *c, const gr__facts *facts)
{
    if (facts->recommender) {
        *c = *facts->recommender;
        c->items = facts->labels; /* copied; so are the users behind them */
        size_t users = facts->recommender->users.n, columns = facts->recommender->columns.n;
        c->items.n -= users + columns;
        c->users = (gr__conf_strings){.item = c->items.item + c->items.n, .n = users};
        c->columns = (gr__conf_strings){.item = c->users.item + users, .n = columns};
    }
    GR_FAIL_IF(c->items.n == 0, GR_ERR_CONFIG, "a recommender is made by the task 'recommendation' alone");
    return GR_OK;
}

static gr_status read_names(gr__json root, const char *key, gr__arena *arena, gr__conf_strings *out)
{
    gr__json list = gr__json_get(root, key);
    size_t n = gr__json_count(list);
    GR_FAIL_IF(gr__json_kind_of(list) != GR__JSON_ARRAY || n > MOST_NAMES, GR_ERR_CORRUPT,
               "'%s' must be a list of names", key);
    *out = (gr__conf_strings){.item = gr__arena_alloc(arena, (n + 1) * sizeof *out->item)};
    if (!out->item) return gr__fail_memory("names", n * sizeof *out->item);
    for (; out->n < n; out->n++) {
        const char *text;
        size_t length;
        GR_FAIL_IF(!gr__json_string(gr__json_at(list, out->n), &text, &length), GR_ERR_CORRUPT,
                   "'%s' must be a list of names", key);
        if (!(out->item[out->n] = gr__arena_strndup(arena, text, length))) return gr__fail_memory("a name", length);
    }
    return GR_OK;
}

gr_status gr__recommender_read_json(gr__json root, gr__recommender_config *c, gr__arena *arena)
{
    GR_TRY(read_names(root, "users", arena, &c->users));
    GR_TRY(read_names(root, "items", arena, &c->items));
    GR_TRY(read_names(root, "columns", arena, &c->columns));
    GR_FAIL_IF(c->columns.n != 4 || c->users.n == 0 || c->items.n == 0, GR_ERR_CORRUPT,
               "'columns' must be four names, 'users' and 'items' one or more");
    GR_TRY(gr__hf_int(root, "sessions", 0, INT32_MAX, &c->sessions));
    return gr__hf_double(root, "mean", -1e30, 1e30, &c->mean);
}

static void put_names(gr__str *out, const char *key, const gr__conf_strings *names)
{
    gr__str list = {0};
    for (size_t i = 0; i < names->n; i++) {
        gr__str_add(&list, i ? ", " : "[");
        gr__json_add_string(&list, names->item[i], strlen(names->item[i]));
    }
    gr__str_add(&list, names->n ? "]" : "[]");
    if (list.failed) out->failed = true;
    gr__hf_put_raw(out, key, gr__str_get(&list));
    gr__str_release(&list);
}

void gr__recommender_write_json(const gr__recommender_config *c, gr__str *out)
{
    put_names(out, "columns", &c->columns);
    put_names(out, "items", &c->items);
    gr__hf_put_double(out, "mean", c->mean);
    gr__hf_put_int(out, "sessions", c->sessions);
    put_names(out, "users", &c->users);
}

gr_model_info gr__recommender_info(const gr__recommender_config *c)
{
    return (gr_model_info){.users = (int64_t)c->users.n, .items = (int64_t)c->items.n};
}

const gr__conf_strings *gr__recommender_items(const void *config)
{
    return &((const gr__recommender_config *)config)->items;
}

gr_value gr__recommender_there(gr_graph *g, gr_value history)
{
    gr_value x = gr_cast(g, history, GR_F32);
    return gr_greater_equal(g, x, gr_scalar(g, GR_F32, 0));
}

gr_value gr__recommender_widen(gr_graph *g, gr_value x, gr_value bias)
{
    const int64_t dim[] = {gr_value_dim(g, x, 0), 1};
    return gr_concat(g, (gr_value[]){x, bias ? bias : gr_fill(g, GR_F32, 2, dim, 1)}, 2, 1);
}
