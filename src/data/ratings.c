#include "data/ratings.h"

#include "base/log.h"
#include "base/map.h"
#include "format/csv.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct names {
    gr__map map;
    bool closed; /* no new ones */
} names;

static gr_status open_names(const gr__conf_strings *known, names *out)
{
    *out = (names){.closed = known != NULL};
    for (size_t i = 0; known && i < known->n; i++)
        GR_TRY(gr__map_set_name(&out->map, known->item[i], (int64_t)i, NULL));
    return GR_OK;
}

static gr_status place_of(names *s, const gr__csv_table *t, size_t row, size_t column, int32_t *out)
{
    const gr__cell *c = &t->cell[row * t->columns + column];
    GR_FAIL_IF(c->n == 0, GR_ERR_DATA, "%s:%lld: column '%.100s' is empty", t->path, (long long)t->line[row],
               t->name[column]);
    const int64_t *there = gr__map_get(&s->map, c->text, c->n);
    if (there || s->closed) {
        *out = there ? (int32_t)*there : -1;
        return GR_OK;
    }
    *out = (int32_t)s->map.count;
    return gr__map_set(&s->map, c->text, c->n, *out, NULL);
}

static gr_status list_names(const names *s, gr__arena *arena, gr__conf_strings *out)
{
    out->item = gr__arena_alloc(arena, (s->map.count + 1) * sizeof *out->item);
    if (!out->item) return gr__fail_memory("names", s->map.count * sizeof *out->item);
    for (out->n = 0; out->n < s->map.count; out->n++) {
        out->item[out->n] = gr__arena_strdup(arena, s->map.entry[out->n].key);
        if (!out->item[out->n]) return gr__fail_memory("a name", 64);
    }
    return GR_OK;
}

static gr_status take_number(const gr__csv_table *t, size_t row, size_t column, double *out)
{
    const gr__cell *c = &t->cell[row * t->columns + column];
    if (gr__cell_number(c, t->decimal_comma, out) && isfinite(*out)) return GR_OK;
    return gr__fail(GR_ERR_DATA, "%s:%lld: '%.*s' in column '%.100s' is not a number", t->path, (long long)t->line[row],
                    (int)GR__MIN(c->n, 60), c->text, t->name[column]);
}

/* SIZE_MAX: there is none. */
static gr_status find_column(const gr__csv_table *t, const char *name, size_t *out)
{
    *out = SIZE_MAX;
    return *name ? gr__csv_table_column(t, name, out) : GR_OK;
}

typedef struct wanted_columns {
    size_t user, item, rating, time;
} wanted_columns;

/* Row 'from' of the file becomes row 'at'. Numbers come first: a row whose numbers are bad leaves no names behind. */
static gr_status read_row(const gr__csv_table *t, const wanted_columns *c, size_t from, names *users, names *items,
                          gr__ratings *r, int64_t at)
{
    double value = 1;
    r->line[at] = t->line[from];
    r->time[at] = (double)from;
    if (c->rating != SIZE_MAX) GR_TRY(take_number(t, from, c->rating, &value));
    if (c->time != SIZE_MAX) GR_TRY(take_number(t, from, c->time, &r->time[at]));
    r->rating[at] = (float)value;
    GR_TRY(place_of(users, t, from, c->user, &r->user[at]));
    return place_of(items, t, from, c->item, &r->item[at]);
}

static gr_status read_rows(const gr__ratings_options *o, const gr__csv_table *t, names *users, names *items,
                           gr__ratings *r)
{
    wanted_columns c;
    size_t n = t->rows;
    GR_FAIL_IF(n == 0, GR_ERR_DATA, "'%s' has no rows", t->path);
    GR_FAIL_IF(n > INT32_MAX, GR_ERR_LIMIT, "'%s' has more than 2^31 rows", t->path);
    GR_TRY(gr__csv_table_column(t, o->user, &c.user));
    GR_TRY(gr__csv_table_column(t, o->item, &c.item));
    GR_TRY(find_column(t, o->rating, &c.rating));
    GR_TRY(find_column(t, o->time, &c.time));
    r->user = gr__calloc(n, sizeof *r->user);
    r->item = gr__calloc(n, sizeof *r->item);
    r->rating = gr__calloc(n, sizeof *r->rating);
    r->time = gr__calloc(n, sizeof *r->time);
    r->line = gr__calloc(n, sizeof *r->line);
    if (!r->user || !r->item || !r->rating || !r->time || !r->line) return gr__fail_memory("ratings", n * 32);
    char first_bad[256] = "";
    for (size_t i = 0; i < n; i++) {
        gr_status status = read_row(t, &c, i, users, items, r, r->n);
        if (status == GR_OK)
            r->n++;
        else if (status != GR_ERR_DATA || !o->skip_bad)
            return status;
        else if (!*first_bad)
            snprintf(first_bad, sizeof first_bad, "%s", gr_message());
    }
    if (*first_bad)
        gr__log(GR_LOG_WARNING, "left out %lld of %zu rows; the first: %s", (long long)n - (long long)r->n, n,
                first_bad);
    GR_FAIL_IF(r->n == 0, GR_ERR_DATA, "'%s' has no row that can be read", t->path);
    return GR_OK;
}

typedef struct moment {
    int32_t user;
    double time;
    int64_t row;
} moment;

static int by_user_and_time(const void *a, const void *b)
{
    const moment *x = a, *y = b;
    if (x->user != y->user) return x->user < y->user ? -1 : 1;
    if (x->time != y->time) return x->time < y->time ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

static gr_status sort_rows(gr__ratings *r)
{
    size_t n = (size_t)r->n, users = r->users.n;
    moment *m = gr__alloc(n * sizeof *m);
    r->order = gr__calloc(n, sizeof *r->order);
    r->start = gr__calloc(users + 1, sizeof *r->start);
    gr_status status = m && r->order && r->start ? GR_OK : gr__fail_memory("ratings", n * sizeof *m);
    for (size_t i = 0; i < n && status == GR_OK; i++) m[i] = (moment){r->user[i], r->time[i], (int64_t)i};
    if (status == GR_OK) {
        qsort(m, n, sizeof *m, by_user_and_time);
        size_t at = 0;
        for (size_t u = 0; u <= users; u++) {
            while (at < n && m[at].user < (int32_t)u) at++;
            r->start[u] = (int64_t)at;
        }
        for (size_t i = 0; i < n; i++) r->order[i] = m[i].row;
    }
    gr__free(m);
    return status;
}

gr_status gr__ratings_read(const gr__ratings_options *o, const gr__conf_strings *known_users,
                           const gr__conf_strings *known_items, gr__arena *arena, gr__ratings *out)
{
    gr__csv_table t = {0};
    names users = {0}, items = {0};
    gr_status status = GR_OK;
    *out = (gr__ratings){0};
    GR_TRY(
        gr__csv_read(o->source, &(gr__csv_options){.header = (gr__csv_choice)o->header, .skip_bad = o->skip_bad}, &t));
    GR_TRY_DONE(open_names(known_users, &users));
    GR_TRY_DONE(open_names(known_items, &items));
    GR_TRY_DONE(read_rows(o, &t, &users, &items, out));
    GR_TRY_DONE(list_names(&users, arena, &out->users));
    GR_TRY_DONE(list_names(&items, arena, &out->items));
    GR_TRY_DONE(sort_rows(out));
done:
    gr__map_release(&users.map);
    gr__map_release(&items.map);
    gr__csv_table_release(&t);
    if (status != GR_OK) gr__ratings_release(out);
    return status;
}

void gr__ratings_release(gr__ratings *r)
{
    gr__free(r->user);
    gr__free(r->item);
    gr__free(r->rating);
    gr__free(r->time);
    gr__free(r->line);
    gr__free(r->order);
    gr__free(r->start);
    *r = (gr__ratings){0};
}
