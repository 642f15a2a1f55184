/* Recommenders on files: the items that are best for a user. */
#include "gradus/table.h"

#include "data/ratings.h"
#include "gradus/ops.h"
#include "model/family.h"
#include "model/recommender.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { HISTORY = 50, BATCH = 512 };

/* What is known of a user: items that they have had, the latest last. */
typedef struct past {
    int32_t user; /* -1: training did not know them */
    int32_t *item;
    int64_t n;
    bool seen; /* the file has them, be it with items that training did not know */
} past;

static gr_status find_past(const gr__recommender_config *c, const char *path, const char *user, gr__arena *arena,
                           past *out)
{
    gr__ratings_options o = {.source = path,
                             .user = c->columns.item[0],
                             .item = c->columns.item[1],
                             .rating = "",
                             .time = c->columns.item[3]};
    const gr__conf_strings one = {.item = &user, .n = 1};
    gr__ratings r;
    *out = (past){.user = -1};
    for (size_t i = 0; i < c->users.n && out->user < 0; i++)
        if (strcmp(c->users.item[i], user) == 0) out->user = (int32_t)i;
    if (!path) return GR_OK;
    GR_TRY(gr__ratings_read(&o, &one, &c->items, arena, &r));
    int64_t from = r.start[0], n = r.start[1] - from;
    out->seen = n > 0;
    gr_status status = (out->item = gr__arena_alloc(arena, (size_t)(n + 1) * sizeof *out->item))
                           ? GR_OK
                           : gr__fail_memory("a history", (size_t)n * sizeof *out->item);
    for (int64_t i = 0; i < n && status == GR_OK; i++) {
        int32_t item = r.item[r.order[from + i]];
        if (item >= 0) out->item[out->n++] = item; /* one that training did not know says nothing */
    }
    gr__ratings_release(&r);
    return status;
}

/* ---- the network ---- */

typedef struct program {
    gr_graph *g;
    gr_plan *plan;
    gr_session *session;
} program;

static gr_status compile(program *p, const gr_model *m)
{
    GR_TRY(gr_graph_status(p->g));
    GR_TRY(gr_plan_compile(p->g, "predict", NULL, &p->plan));
    return gr_session_new(p->plan, m->store, &p->session);
}

static int32_t *ids(const program *p, const char *name)
{
    gr_tensor t;
    return gr_session_input(p->session, name, &t) == GR_OK ? t.data : NULL;
}

static gr_status rate_all(const gr_model *m, const past *u, program *p, double *score)
{
    const gr__recommender_config *c = m->config;
    int64_t batch = BATCH, n = (int64_t)c->items.n;
    gr_value penalty;
    gr_tensor y;
    gr__recommend_in in = {.user = gr_input(p->g, "user", GR_I32, 1, &batch),
                           .item = gr_input(p->g, "item", GR_I32, 1, &batch),
                           .batch = batch};
    gr_output(p->g, "predict", "scores", m->family->build_rating(p->g, c, &in, &penalty));
    GR_TRY(compile(p, m));
    GR_TRY(gr_session_output(p->session, "scores", &y));
    int32_t *user = ids(p, "user"), *item = ids(p, "item");
    for (int64_t first = 0; first < n; first += batch) {
        for (int64_t b = 0; b < batch; b++) user[b] = u->user, item[b] = (int32_t)GR__MIN(first + b, n - 1);
        GR_TRY(gr_session_run(p->session));
        for (int64_t b = 0; b < batch && first + b < n; b++) score[first + b] = gr_tensor_get(&y, b);
    }
    return GR_OK;
}

static gr_status rank_all(const gr_model *m, const past *u, program *p, double *score)
{
    const gr__recommender_config *c = m->config;
    const int64_t one[] = {1, HISTORY};
    gr_tensor y;
    gr__recommend_in in = {.user = gr_input(p->g, "user", GR_I32, 1, one),
                           .history = gr_input(p->g, "history", GR_I32, 2, one),
                           .batch = 1,
                           .time = HISTORY};
    gr_value query = m->family->build_query(p->g, c, &in), all = m->family->build_items(p->g, c, 0, false);
    gr_output(p->g, "predict", "scores", gr_matmul(p->g, query, all, &(gr_matmul_options){.transpose_b = true}));
    GR_TRY(compile(p, m));
    GR_TRY(gr_session_output(p->session, "scores", &y));
    int32_t *user = ids(p, "user"), *history = ids(p, "history");
    int64_t from = GR__MAX(u->n - HISTORY, 0);
    if (user) *user = u->user;
    for (int64_t k = 0; k < HISTORY; k++) history[k] = from + k < u->n ? u->item[from + k] : -1;
    GR_TRY(gr_session_run(p->session));
    for (int64_t i = 0; i < (int64_t)c->items.n; i++) score[i] = gr_tensor_get(&y, i);
    return GR_OK;
}

/* ---- the best ---- */

static int by_score(const void *a, const void *b)
{
    const gr_recommended *x = a, *y = b;
    return x->score != y->score ? (x->score < y->score ? 1 : -1) : (x > y) - (x < y);
}

static gr_status recommend(gr_model *m, const past *u, gr__arena *arena, int64_t top, gr_recommended *out, int64_t *n)
{
    const gr__recommender_config *c = m->config;
    size_t items = c->items.n;
    double *score = gr__arena_alloc(arena, items * sizeof *score);
    gr_recommended *all = gr__arena_alloc(arena, items * sizeof *all);
    program p = {0};
    if (!score || !all) return gr__fail_memory("items", items * sizeof *all);
    GR_TRY(gr_graph_new(&p.g));
    gr_status status = (m->family->build_rating ? rate_all : rank_all)(m, u, &p, score);
    gr_session_free(&p.session);
    gr_plan_free(&p.plan);
    gr_graph_free(&p.g);
    GR_TRY(status);
    for (int64_t i = 0; i < u->n; i++) score[u->item[i]] = (double)NAN; /* they have it */
    size_t left = 0;
    for (size_t i = 0; i < items; i++)
        if (!isnan(score[i])) all[left++] = (gr_recommended){c->items.item[i], score[i]};
    qsort(all, left, sizeof *all, by_score);
    *n = GR__MIN(top, (int64_t)left);
    memcpy(out, all, (size_t)*n * sizeof *out);
    return GR_OK;
}

gr_status gr_recommend(gr_model *m, const char *path, const char *user, int64_t top, gr_recommended *out, int64_t *n)
{
    GR_FAIL_IF(!m || !user || !out || !n || top < 1, GR_ERR_ARGUMENT, "gr_recommend: an argument is NULL, or top is 0");
    GR_FAIL_IF(m->family->kind != GR_MODEL_RECOMMENDER, GR_ERR_UNSUPPORTED,
               "recommending needs a recommender, not '%s'; train one with the task 'recommendation'", m->family->name);
    gr__arena arena = {0};
    past u;
    gr_status s = find_past(m->config, path, user, &arena, &u);
    if (s == GR_OK && u.user < 0 && u.n == 0 && u.seen)
        s = gr__fail(GR_ERR_NOT_FOUND, "the model knows neither the user '%.100s' nor any item that '%s' has of them",
                     user, path);
    else if (s == GR_OK && u.user < 0 && u.n == 0)
        s = gr__fail(GR_ERR_NOT_FOUND, "the user '%.100s' is neither known to the model nor in %s%s", user,
                     path ? "" : "a file; give one with their history", path ? path : "");
    if (s == GR_OK) s = recommend(m, &u, &arena, top, out, n);
    gr__arena_release(&arena);
    return s;
}
