#include "data/ratings.h"

#include "base/log.h"
#include "base/map.h"
#include "base/spill.h"
#include "format/csv.h"
#include "text/utf8.h"

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

static gr_status place_of(names *s, const gr__csv *csv, const char *path, size_t column, int32_t *out)
{
    const gr__cell *c = &gr__csv_cells(csv)[column];
    GR_FAIL_IF(c->n == 0, GR_ERR_DATA, "%s:%lld: column '%.100s' is empty", path, (long long)gr__csv_line(csv),
               gr__csv_name(csv, column));
    size_t at;
    GR_FAIL_IF(!gr__utf8_valid(c->text, c->n, &at), GR_ERR_DATA, "%s:%lld: byte 0x%02x of column '%.100s' is not UTF-8",
               path, (long long)gr__csv_line(csv), (unsigned char)c->text[at], gr__csv_name(csv, column));
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

static gr_status take_number(const gr__csv *csv, const char *path, size_t column, double *out)
{
    const gr__cell *c = &gr__csv_cells(csv)[column];
    if (gr__cell_number(c, gr__csv_decimal_comma(csv), out) && isfinite(*out)) return GR_OK;
    return gr__fail(GR_ERR_DATA, "%s:%lld: '%.*s' in column '%.100s' is not a number", path,
                    (long long)gr__csv_line(csv), (int)GR__MIN(c->n, 60), c->text, gr__csv_name(csv, column));
}

/* SIZE_MAX: there is none. */
static gr_status find_column(const gr__csv *csv, const char *name, size_t *out)
{
    *out = SIZE_MAX;
    return *name ? gr__csv_column(csv, name, out) : GR_OK;
}

typedef struct wanted_columns {
    size_t user, item, rating, time;
} wanted_columns;

static gr_status find_columns(const gr__ratings_options *o, const gr__csv *csv, wanted_columns *c)
{
    GR_TRY(gr__csv_column(csv, o->user, &c->user));
    GR_TRY(gr__csv_column(csv, o->item, &c->item));
    GR_TRY(find_column(csv, o->rating, &c->rating));
    return find_column(csv, o->time, &c->time);
}

static gr_status make_room(gr__ratings *r, size_t n, size_t room[5])
{
    GR_TRY(gr__spill_grow(&r->user, sizeof *r->user, n, &room[0]));
    GR_TRY(gr__spill_grow(&r->item, sizeof *r->item, n, &room[1]));
    GR_TRY(gr__spill_grow(&r->rating, sizeof *r->rating, n, &room[2]));
    GR_TRY(gr__spill_grow(&r->time, sizeof *r->time, n, &room[3]));
    return gr__spill_grow(&r->line, sizeof *r->line, n, &room[4]);
}

/* Row 'number' of the file becomes the next one. Numbers come first: a row whose numbers are bad leaves no names behind. */
static gr_status read_row(const gr__csv *csv, const char *path, const wanted_columns *c, size_t number, names *users,
                          names *items, gr__ratings *r)
{
    double value = 1;
    int64_t at = r->n;
    r->line[at] = gr__csv_line(csv);
    r->time[at] = (double)number;
    if (c->rating != SIZE_MAX) GR_TRY(take_number(csv, path, c->rating, &value));
    if (fabs(value) > GR__CSV_MOST_PLAIN)
        return gr__csv_too_large(path, r->line[at], gr__csv_name(csv, c->rating), value, GR__CSV_MOST_PLAIN);
    if (c->time != SIZE_MAX) GR_TRY(take_number(csv, path, c->time, &r->time[at]));
    r->rating[at] = (float)value;
    GR_TRY(place_of(users, csv, path, c->user, &r->user[at]));
    GR_TRY(place_of(items, csv, path, c->item, &r->item[at]));
    r->n++;
    return GR_OK;
}

static gr_status read_rows(const gr__ratings_options *o, gr__csv *csv, names *users, names *items, gr__ratings *r)
{
    wanted_columns c;
    size_t n = 0, room[5] = {0};
    char first_bad[256] = "";
    bool more = true;
    GR_TRY(find_columns(o, csv, &c));
    for (;; n++) {
        GR_TRY(gr__csv_next_row(csv, &more));
        if (!more) break;
        GR_FAIL_IF(n >= INT32_MAX, GR_ERR_LIMIT, "'%s' has more than 2^31 rows", o->source);
        GR_TRY(make_room(r, (size_t)r->n + 1, room));
        gr_status status = read_row(csv, o->source, &c, n, users, items, r);
        if (status == GR_OK) continue;
        if (status != GR_ERR_DATA || !o->skip_bad) return status;
        if (!*first_bad) snprintf(first_bad, sizeof first_bad, "%s", gr_message());
    }
    GR_FAIL_IF(n == 0, GR_ERR_DATA, "'%s' has no rows", o->source);
    if (*first_bad)
        gr__log(GR_LOG_WARNING, "left out %lld of %zu rows; the first: %s", (long long)n - (long long)r->n, n,
                first_bad);
    GR_FAIL_IF(r->n == 0, GR_ERR_DATA, "'%s' has no row that can be read", o->source);
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
    moment *m = gr__spill_new(n, sizeof *m);
    r->order = gr__spill_new(n, sizeof *r->order);
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
    gr__spill_free(m);
    return status;
}

gr_status gr__ratings_read(const gr__ratings_options *o, const gr__conf_strings *known_users,
                           const gr__conf_strings *known_items, gr__arena *arena, gr__ratings *out)
{
    gr__csv *csv = NULL;
    names users = {0}, items = {0};
    gr_status status = GR_OK;
    *out = (gr__ratings){0};
    GR_TRY(gr__csv_open(
        o->source, &(gr__csv_options){.header = (gr__csv_choice)o->header, .named = o->item, .skip_bad = o->skip_bad},
        &csv));
    GR_TRY_DONE(open_names(known_users, &users));
    GR_TRY_DONE(open_names(known_items, &items));
    GR_TRY_DONE(read_rows(o, csv, &users, &items, out));
    GR_TRY_DONE(list_names(&users, arena, &out->users));
    GR_TRY_DONE(list_names(&items, arena, &out->items));
    GR_TRY_DONE(sort_rows(out));
done:
    gr__map_release(&users.map);
    gr__map_release(&items.map);
    gr__csv_close(&csv);
    if (status != GR_OK) gr__ratings_release(out);
    return status;
}

void gr__ratings_release(gr__ratings *r)
{
    gr__spill_free(r->user);
    gr__spill_free(r->item);
    gr__spill_free(r->rating);
    gr__spill_free(r->time);
    gr__spill_free(r->line);
    gr__spill_free(r->order);
    gr__free(r->start);
    *r = (gr__ratings){0};
}
