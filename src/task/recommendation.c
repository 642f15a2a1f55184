/* Users to items. A model that rates learns the ratings of a file, with a part held out (all alike, drawn by the seed), and
 * is measured by their errors beside those of regularised biases alone. A model that ranks learns what came next in each
 * user's order of time; the last item of each user is held out and is to stand high among all items that the user has not had,
 * beside a list of what is popular. */
#include "task/task.h"

#include "base/rng.h"
#include "data/ratings.h"
#include "data/split.h"
#include "gradus/metric.h"
#include "metric/html.h"
#include "model/recommender.h"
#include "task/rank_log.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LOSS_SOFTMAX, LOSS_IN_BATCH, LOSS_BPR, LOSS_HINGE, TOP = 10, BIAS_ROUNDS = 15 };

typedef struct gr__recommend_options {
    gr__ratings_options file;
    gr__split_options split;
    double session_gap;
    int64_t history;
} gr__recommend_options;

typedef struct gr__recommend_loss {
    int type;
    double temperature, margin;
} gr__recommend_loss;

/* One sample: a rating; of a ranking the item 'at' of the user's order, with those before it. */
typedef struct gr__recommend_task {
    gr__task base;
    gr__ratings data;
    gr__recommend_loss loss;
    gr__recommender_config facts;
    bool ranks;
    int64_t *part[2]; /* samples: rows; of a ranking places in data.order */
    int32_t *session; /* n: of each row, -1: training does not know it; NULL: none */
    float *share;     /* (n, 3): one over the training's ratings of user, item, session */
    int64_t *popular; /* items: ratings in training */
    double *plain;    /* n: what biases alone say */
    float low, high;  /* ratings of training */
    uint64_t seed;
    int64_t history;
    /* of the validation that goes on */
    gr_regression *errors, *plain_errors;
    gr_ranking ranking, popular_ranking;
    gr__rank_log log;
    double *said, *actual, *score, *relevance;
    int64_t n_said;
} gr__recommend_task;

static const char *const headers[] = {"auto", "yes", "no", NULL}, *const losses[] = {"softmax", "in_batch", "bpr",
                                                                                     "hinge", NULL};

#define AT(field) offsetof(gr__recommend_options, field)
static const gr__conf_row data_rows[] = {
    {"source", GR__CONF_STRING, AT(file.source), 0, 0, NULL, NULL, "a CSV file: a row for each rating or click",
     GR__CONF_MAIN | GR__CONF_REQUIRED},
    {"user", GR__CONF_STRING, AT(file.user), 0, 0, NULL, "0", "column (name, or number from 0) of the user", 0},
    {"item", GR__CONF_STRING, AT(file.item), 0, 0, NULL, "1", "column of the item", 0},
    {"rating", GR__CONF_STRING, AT(file.rating), 0, 0, NULL, "2", "column of the rating; \"\": there is none", 0},
    {"time", GR__CONF_STRING, AT(file.time), 0, 0, NULL, "3", "column of the time, a number; \"\": as the rows come",
     0},
    {"header", GR__CONF_ENUM, AT(file.header), 0, 0, headers, "auto", "whether the first row holds names", 0},
    {"skip_bad", GR__CONF_BOOL, AT(file.skip_bad), 0, 0, NULL, "false",
     "leave out rows that cannot be read; default: the first one is an error", 0},
    GR__SPLIT_ROWS(AT(split)),
    {"session_gap", GR__CONF_DOUBLE, AT(session_gap), 0, 1e18, NULL, "0",
     "ratings: time without a rating that ends a sitting, which has a bias of its own; 0: none", 0},
    {"history", GR__CONF_INT, AT(history), 1, 100000, NULL, "50", "rankings: items before that are looked at", 0},
};
#undef AT
#define AT(field) offsetof(gr__recommend_loss, field)
static const gr__conf_row loss_rows[] = {
    {"type", GR__CONF_ENUM, AT(type), 0, 0, losses, "softmax",
     "rankings: softmax over all items, over those in_batch, bpr or hinge against one at random", GR__CONF_MAIN},
    {"temperature", GR__CONF_DOUBLE, AT(temperature), 0, 1e6, NULL, "1", "in_batch: scores are divided by it",
     GR__CONF_ABOVE_MIN},
    {"margin", GR__CONF_DOUBLE, AT(margin), 0, 1e6, NULL, "1", "hinge: by how much the right one is to be ahead", 0},
};

/* ---- samples ---- */

static gr_status make_parts(gr__recommend_task *t, int64_t n)
{
    for (int i = 0; i < 2; i++)
        if (!(t->part[i] = gr__calloc((size_t)n + 1, sizeof *t->part[i])))
            return gr__fail_memory("ratings", (size_t)n * sizeof *t->part[i]);
    return GR_OK;
}

static gr_status split_ratings(gr__recommend_task *t, const gr__recommend_options *o)
{
    int64_t n = t->data.n, train;
    GR_TRY(make_parts(t, n));
    for (int64_t i = 0; i < n; i++) t->part[0][i] = i;
    GR_TRY(gr__split_rows(&o->split, t->seed, NULL, 1, t->part[0], n, &train));
    memcpy(t->part[1], t->part[0] + train, (size_t)(n - train) * sizeof *t->part[1]);
    t->base.samples[0] = train;
    t->base.samples[1] = n - train;
    return GR_OK;
}

/* All but the first and the last of each user are for training, the last for validation. */
static gr_status split_orders(gr__recommend_task *t)
{
    const gr__ratings *d = &t->data;
    GR_TRY(make_parts(t, d->n));
    for (size_t u = 0; u < d->users.n; u++) {
        int64_t from = d->start[u], to = d->start[u + 1];
        for (int64_t i = from + 1; i < to - 1; i++) t->part[0][t->base.samples[0]++] = i;
        if (to - from >= 3) t->part[1][t->base.samples[1]++] = to - 1;
    }
    GR_FAIL_IF(t->base.samples[0] == 0, GR_ERR_DATA, "no user has three items or more: there is no order to learn");
    return GR_OK;
}

/* ---- what training knows ---- */

/* A sitting ends where nothing comes for longer than the gap; only those with a rating of training have a number. */
static gr_status find_sessions(gr__recommend_task *t, double gap, const bool *trains)
{
    const gr__ratings *d = &t->data;
    int32_t all = -1, known = 0;
    int32_t *number = gr__calloc((size_t)d->n + 1, sizeof *number);
    t->session = gr__calloc((size_t)d->n, sizeof *t->session);
    if (!number || !t->session) {
        gr__free(number);
        return gr__fail_memory("sessions", (size_t)d->n * sizeof *number);
    }
    for (int64_t i = 0; i < d->n; i++) {
        int64_t row = d->order[i], before = i ? d->order[i - 1] : row;
        if (i == 0 || d->user[row] != d->user[before] || d->time[row] - d->time[before] > gap) number[++all] = -1;
        t->session[row] = all;
        if (trains[row] && number[all] < 0) number[all] = known++;
    }
    for (int64_t i = 0; i < d->n; i++) t->session[i] = number[t->session[i]];
    gr__free(number);
    t->facts.sessions = known;
    return GR_OK;
}

static gr_status count_shares(gr__recommend_task *t, const bool *trains)
{
    const gr__ratings *d = &t->data;
    size_t users = d->users.n, items = d->items.n, sessions = (size_t)t->facts.sessions;
    int64_t *count = gr__calloc(users + items + sessions + 1, sizeof *count);
    t->share = gr__calloc(3 * (size_t)d->n, sizeof *t->share);
    if (!count || !t->share) {
        gr__free(count);
        return gr__fail_memory("ratings", 3 * (size_t)d->n * sizeof *t->share);
    }
    for (int pass = 0; pass < 2; pass++)
        for (int64_t i = 0; i < d->n; i++) {
            int64_t place[] = {d->user[i], (int64_t)users + d->item[i],
                               t->session && t->session[i] >= 0 ? (int64_t)(users + items) + t->session[i] : -1};
            for (int k = 0; k < 3; k++) {
                if (place[k] < 0) continue;
                if (pass == 0)
                    count[place[k]] += trains[i];
                else if (count[place[k]])
                    t->share[3 * i + k] = 1 / (float)count[place[k]];
            }
        }
    gr__free(count);
    return GR_OK;
}

/* bias (n) of the ids: the mean over the training rows of what 'other' leaves, drawn to 0 as if there were 'drawn' ratings
 * more. */
static void refit(const gr__recommend_task *t, const int32_t *id, const int32_t *other_id, const double *other,
                  double drawn, double *count, double *bias, size_t n)
{
    const gr__ratings *d = &t->data;
    for (size_t k = 0; k < n; k++) bias[k] = 0, count[k] = drawn;
    for (int64_t i = 0; i < t->base.samples[0]; i++) {
        int64_t row = t->part[0][i];
        bias[id[row]] += (double)d->rating[row] - t->facts.mean - other[other_id[row]];
        count[id[row]]++;
    }
    for (size_t k = 0; k < n; k++) bias[k] /= count[k];
}

/* Biases alone, by turns (Koren 2010). */
static gr_status fit_plain(gr__recommend_task *t)
{
    const gr__ratings *d = &t->data;
    size_t users = d->users.n, items = d->items.n;
    double *user = gr__calloc(users, sizeof *user), *item = gr__calloc(items, sizeof *item),
           *count = gr__calloc(GR__MAX(users, items), sizeof *count);
    t->plain = gr__calloc((size_t)d->n, sizeof *t->plain);
    bool fine = user && item && count && t->plain;
    for (int round = 0; round < BIAS_ROUNDS && fine; round++) {
        refit(t, d->item, d->user, user, 5, count, item, items);
        refit(t, d->user, d->item, item, 3, count, user, users);
    }
    for (int64_t i = 0; i < d->n && fine; i++) t->plain[i] = t->facts.mean + user[d->user[i]] + item[d->item[i]];
    gr__free(user);
    gr__free(item);
    gr__free(count);
    return fine ? GR_OK : gr__fail_memory("ratings", (size_t)d->n * sizeof *t->plain);
}

static gr_status learn_ratings(gr__recommend_task *t, const gr__recommend_options *o)
{
    const gr__ratings *d = &t->data;
    double sum = 0;
    bool *trains = gr__calloc((size_t)d->n, sizeof *trains);
    if (!trains) return gr__fail_memory("ratings", (size_t)d->n);
    t->low = INFINITY, t->high = -INFINITY;
    for (int64_t i = 0; i < t->base.samples[0]; i++) {
        int64_t row = t->part[0][i];
        trains[row] = true;
        sum += (double)d->rating[row];
        t->low = fminf(t->low, d->rating[row]);
        t->high = fmaxf(t->high, d->rating[row]);
    }
    t->facts.mean = sum / (double)GR__MAX(t->base.samples[0], 1);
    gr_status status = o->session_gap > 0 ? find_sessions(t, o->session_gap, trains) : GR_OK;
    if (status == GR_OK) status = count_shares(t, trains);
    if (status == GR_OK) status = fit_plain(t);
    gr__free(trains);
    return status;
}

static gr_status count_popular(gr__recommend_task *t)
{
    const gr__ratings *d = &t->data;
    size_t items = d->items.n;
    t->popular = gr__calloc(items, sizeof *t->popular);
    t->score = gr__calloc(items, sizeof *t->score);
    t->relevance = gr__calloc(items, sizeof *t->relevance);
    if (!t->popular || !t->score || !t->relevance) return gr__fail_memory("items", items * sizeof *t->score);
    GR_TRY(gr__rank_log_new(t->base.samples[1], &t->log));
    for (int64_t i = 0; i < d->n; i++) t->popular[d->item[i]]++;
    for (int64_t i = 0; i < t->base.samples[1]; i++) t->popular[d->item[d->order[t->part[1][i]]]]--;
    return GR_OK;
}

/* ---- opening ---- */

/* Items, users and columns one after the other, for the model to copy. */
static gr_status list_all(gr__recommend_task *t, const gr__recommend_options *o, gr__conf_strings *all)
{
    const gr__ratings *d = &t->data;
    size_t items = d->items.n, users = d->users.n;
    all->item = gr__arena_alloc(&t->base.arena, (items + users + 4) * sizeof *all->item);
    if (!all->item) return gr__fail_memory("names", (items + users) * sizeof *all->item);
    memcpy(all->item, d->items.item, items * sizeof *all->item);
    memcpy(all->item + items, d->users.item, users * sizeof *all->item);
    const char *const column[] = {o->file.user, o->file.item, o->file.rating, o->file.time};
    for (size_t i = 0; i < 4; i++) all->item[items + users + i] = column[i];
    all->n = items + users + 4;
    t->facts.items = d->items;
    t->facts.users = d->users;
    t->facts.columns = (gr__conf_strings){.item = all->item + items + users, .n = 4};
    return GR_OK;
}

/* Before the data are cut, for they are cut as the model wants them. */
static gr_status find_kind(gr__recommend_task *t, const gr__task_in *in)
{
    const gr__family *f;
    GR_TRY(gr__model_default(in->root, "mf", &t->base.arena));
    GR_TRY(gr__family_find(gr__model_type(in->root, "mf"), &f));
    if (f->kind != GR_MODEL_RECOMMENDER)
        return gr__conf_fail(gr__conf_find(in->root, "model"),
                             "model '%s' recommends nothing; use 'mf', 'two_tower' or 'next_item'", f->name);
    t->ranks = f->build_rating == NULL;
    return GR_OK;
}

/* Of models that rate: 1, that rank: 2; of losses their bits. */
static const gr__conf_use data_uses[] = {{"session_gap", 1}, {"history", 2}},
                          loss_uses[] = {{"temperature", 1u << LOSS_IN_BATCH}, {"margin", 1u << LOSS_HINGE}};

static gr_status check_idle(const gr__recommend_task *t, const gr__conf *root)
{
    static const char *const cuts[] = {"valid", "folds", "fold"};
    const gr__conf *data = gr__conf_get(root, "data"), *loss = gr__conf_get(root, "loss");
    const char *model = gr__model_type(root, "mf");
    GR_TRY(gr__conf_check_uses(data, data_uses, GR__COUNT(data_uses), t->ranks, "model", model));
    if (!t->ranks && !gr__conf_is_null(loss))
        return gr__conf_fail_at_key(loss,
                                    "'loss' says nothing to the model '%s', which makes squared errors small; "
                                    "leave it out",
                                    model);
    for (size_t i = 0; i < GR__COUNT(cuts) && t->ranks; i++)
        if (!gr__conf_is_null(gr__conf_get(data, cuts[i])))
            return gr__conf_fail_at_key(gr__conf_get(data, cuts[i]),
                                        "the model '%s' ranks, and the last item of each user is held out for "
                                        "validation: there are no other parts or folds; leave out data.%s",
                                        model, cuts[i]);
    return gr__conf_check_uses(loss, loss_uses, GR__COUNT(loss_uses), t->loss.type, "loss", losses[t->loss.type]);
}

static gr_status open(gr__task *base, const gr__task_in *in)
{
    gr__recommend_task *t = (gr__recommend_task *)base;
    const gr__conf *section = gr__conf_get(in->root, "data");
    gr__recommend_options o = {0};
    gr__conf_strings all;
    GR_TRY(gr__conf_read(section, "data", data_rows, GR__COUNT(data_rows), &o, &base->arena));
    GR_TRY(
        gr__conf_read(gr__conf_get(in->root, "loss"), "loss", loss_rows, GR__COUNT(loss_rows), &t->loss, &base->arena));
    GR_TRY(gr__split_check(&o.split, section, NULL));
    t->seed = in->seed;
    t->history = o.history;
    GR_TRY(find_kind(t, in));
    GR_TRY(check_idle(t, in->root));
    GR_TRY(gr__ratings_read(&o.file, NULL, NULL, &base->arena, &t->data));
    GR_TRY(t->ranks ? split_orders(t) : split_ratings(t, &o));
    GR_TRY(t->ranks ? count_popular(t) : learn_ratings(t, &o));
    GR_TRY(list_all(t, &o, &all));
    size_t n = (size_t)base->samples[1] + 1;
    t->said = gr__calloc(n, sizeof *t->said);
    t->actual = gr__calloc(n, sizeof *t->actual);
    if (!t->said || !t->actual) return gr__fail_memory("predictions", n * sizeof *t->said);
    gr__facts facts = {.labels = all, .recommender = &t->facts};
    GR_TRY(gr__model_new(gr__conf_get(in->root, "model"), &facts, NULL, &base->model));
    base->units[0] = base->samples[0];
    base->units[1] = base->samples[1];
    base->units_per_sample = 1;
    base->report =
        gr__arena_printf(&base->arena, "%lld rows of %zu users and %zu items%s", (long long)t->data.n, t->data.users.n,
                         t->data.items.n, t->ranks ? "; the last item of each user is for validation" : "");
    return base->report ? GR_OK : gr__fail_memory("a report", 128);
}

static void close(gr__task *base)
{
    gr__recommend_task *t = (gr__recommend_task *)base;
    void *const owned[] = {t->part[0], t->part[1], t->session, t->share, t->popular,
                           t->plain,   t->said,    t->actual,  t->score, t->relevance};
    for (size_t i = 0; i < GR__COUNT(owned); i++) gr__free(owned[i]);
    gr_regression_free(&t->errors);
    gr_regression_free(&t->plain_errors);
    gr__rank_log_release(&t->log);
    gr__ratings_release(&t->data);
}

/* ---- batches ---- */

static gr_status build_ratings(gr__recommend_task *t, gr_graph *g, int64_t batch, bool train, const char *program,
                               gr_loss *out)
{
    const gr_model *m = t->base.model;
    gr__recommend_in in = {.user = gr_input(g, "user", GR_I32, 1, &batch),
                           .item = gr_input(g, "item", GR_I32, 1, &batch),
                           .session = t->session ? gr_input(g, "session", GR_I32, 1, &batch) : 0,
                           .share = gr_input(g, "share", GR_F32, 2, (int64_t[]){batch, 3}),
                           .batch = batch,
                           .train = train};
    gr_value penalty = 0, weight = gr_input(g, "weight", GR_F32, 1, &batch);
    gr_value p = m->family->build_rating(g, m->config, &in, &penalty);
    *out = gr_loss_mse(g, p, gr_input(g, "rating", GR_F32, 1, &batch), &(gr_loss_options){.weight = weight});
    if (penalty) out->sum = gr_add(g, out->sum, gr_sum(g, gr_mul(g, penalty, weight), 0, false));
    if (!train) gr_output(g, program, "prediction", p);
    return gr_graph_status(g);
}

/* (B): scores of the items of ids. */
static gr_value scores_of(gr_graph *g, const gr_model *m, gr_value query, gr_value ids, bool train)
{
    return gr_sum(g, gr_mul(g, query, m->family->build_items(g, m->config, ids, train)), 2, false);
}

static gr_status build_ranking(gr__recommend_task *t, gr_graph *g, int64_t batch, bool train, const char *program,
                               gr_loss *out)
{
    const gr_model *m = t->base.model;
    gr__recommend_in in = {.user = gr_input(g, "user", GR_I32, 1, &batch),
                           .history = gr_input(g, "history", GR_I32, 2, (int64_t[]){batch, t->history}),
                           .batch = batch,
                           .time = t->history,
                           .train = train};
    gr_value item = gr_input(g, "item", GR_I32, 1, &batch), other = gr_input(g, "other", GR_I32, 1, &batch);
    gr_loss_options o = {.weight = gr_input(g, "weight", GR_F32, 1, &batch)};
    gr_value query = m->family->build_query(g, m->config, &in);
    if (train && t->loss.type == LOSS_SOFTMAX) {
        *out = gr_loss_linear_cross_entropy(g, query, m->family->build_items(g, m->config, 0, train), item, NULL);
    } else if (!train) {
        gr_value all = m->family->build_items(g, m->config, 0, train);
        gr_value scores = gr_matmul(g, query, all, &(gr_matmul_options){.transpose_b = true});
        *out = gr_loss_cross_entropy(g, scores, item, &o);
        gr_output(g, program, "prediction", scores);
    } else if (t->loss.type == LOSS_IN_BATCH) {
        *out = gr_loss_info_nce(g, query, m->family->build_items(g, m->config, item, train), t->loss.temperature, &o);
    } else {
        gr_value right = scores_of(g, m, query, item, train), wrong = scores_of(g, m, query, other, train);
        *out = t->loss.type == LOSS_BPR ? gr_loss_bpr(g, right, wrong, &o)
                                        : gr_loss_pairwise_hinge(g, right, wrong, t->loss.margin, &o);
    }
    return gr_graph_status(g);
}

static gr_status build(gr__task *base, gr_graph *g, int64_t batch, bool train, const char *program, gr_loss *out)
{
    gr__recommend_task *t = (gr__recommend_task *)base;
    return t->ranks ? build_ranking(t, g, batch, train, program, out) : build_ratings(t, g, batch, train, program, out);
}

/* NULL where the program has no such input. */
static void *input(const gr__inputs *in, const char *name)
{
    gr_tensor t;
    return gr__inputs_find(in, name, &t) ? t.data : NULL;
}

/* Items before place 'at' of the user's order, the latest last, then -1. */
static void fill_history(const gr__recommend_task *t, int64_t at, int32_t *out)
{
    const gr__ratings *d = &t->data;
    int64_t begin = d->start[d->user[d->order[at]]], from = GR__MAX(begin, at - t->history), n = at - from;
    for (int64_t k = 0; k < t->history; k++) out[k] = k < n ? d->item[d->order[from + k]] : -1;
}

static void fill(gr__task *base, gr__split split, int64_t first, int64_t batch, const gr__inputs *to)
{
    gr__recommend_task *t = (gr__recommend_task *)base;
    const gr__ratings *d = &t->data;
    int64_t samples = base->samples[split];
    bool train = split == GR__SPLIT_TRAIN;
    int32_t *user = input(to, "user"), *item = input(to, "item"), *sitting = input(to, "session"),
            *history = input(to, "history"), *other = input(to, "other");
    float *rating = input(to, "rating"), *weight = input(to, "weight"), *share = input(to, "share");
    for (int64_t b = 0; b < batch; b++) {
        int64_t i =
            train ? gr__rng_row(t->seed, 0x72656300000000u, samples, first + b) : GR__MIN(first + b, samples - 1);
        int64_t at = t->part[split][i], row = t->ranks ? d->order[at] : at;
        if (user) user[b] = d->user[row];
        if (item) item[b] = d->item[row];
        if (sitting) sitting[b] = t->session[row];
        if (rating) rating[b] = d->rating[row];
        if (share) memcpy(share + 3 * b, t->share + 3 * row, 3 * sizeof *share);
        if (history) fill_history(t, at, history + b * t->history);
        if (other) {
            gr__rng r = gr__rng_sample(t->seed, 0x6e65676174u, (uint64_t)(first + b));
            other[b] = (int32_t)gr__rng_below(&r, d->items.n);
        }
        if (weight) weight[b] = train || first + b < samples ? 1.0f : 0.0f;
    }
}

/* ---- scores ---- */

static gr_status score_ratings(gr__recommend_task *t, int64_t first, int64_t n, const float *p)
{
    if (first == 0) {
        gr_regression_free(&t->errors);
        gr_regression_free(&t->plain_errors);
        GR_TRY(gr_regression_new(&t->errors));
        GR_TRY(gr_regression_new(&t->plain_errors));
    }
    for (int64_t i = 0; i < n; i++) {
        int64_t row = t->part[1][first + i];
        double actual = (double)t->data.rating[row], low = (double)t->low, high = (double)t->high;
        double said = fmin(fmax((double)p[i], low), high), plain = fmin(fmax(t->plain[row], low), high);
        t->said[first + i] = said;
        t->actual[first + i] = actual;
        GR_TRY(gr_regression_update(t->errors, &actual, &said, 1));
        GR_TRY(gr_regression_update(t->plain_errors, &actual, &plain, 1));
    }
    t->n_said = first + n;
    return GR_OK;
}

/* Of all items but those that the user has had before the query's place in 'order'. */
static gr_status rank_one(gr__recommend_task *t, int64_t query, const float *p)
{
    const gr__ratings *d = &t->data;
    int64_t at = t->part[1][query];
    int32_t right = d->item[d->order[at]];
    for (int pass = 0; pass < 2; pass++) {
        size_t n = 0;
        for (size_t k = 0; k < d->items.n; k++) t->score[k] = pass ? (double)t->popular[k] : (double)p[k];
        for (int64_t i = d->start[d->user[d->order[at]]]; i < at; i++)
            if (d->item[d->order[i]] != right) t->score[d->item[d->order[i]]] = (double)NAN;
        gr__rank_log_add(&t->log, query, t->score, pass == 1, (int64_t)d->items.n, right);
        for (size_t k = 0; k < d->items.n; k++) {
            if (isnan(t->score[k])) continue;
            t->relevance[n] = (int32_t)k == right;
            t->score[n++] = t->score[k];
        }
        GR_TRY(gr_ranking_update(pass ? &t->popular_ranking : &t->ranking, t->score, t->relevance, n));
    }
    return GR_OK;
}

static void score(gr__task *base, int64_t first, int64_t batch, gr_session *session)
{
    gr__recommend_task *t = (gr__recommend_task *)base;
    int64_t n = GR__MIN(batch, base->samples[1] - first);
    gr_tensor p;
    if (gr_session_output(session, "prediction", &p) != GR_OK || p.dtype != GR_F32) return;
    if (!t->ranks) { /* what is not finite has no metrics; the loss says so already */
        if (score_ratings(t, first, n, p.data) != GR_OK) t->n_said = 0;
        return;
    }
    if (first == 0) t->ranking = t->popular_ranking = (gr_ranking){.k = TOP};
    for (int64_t b = 0; b < n; b++)
        if (rank_one(t, first + b, (const float *)p.data + b * p.dim[1]) != GR_OK) return;
}

static int finish(gr__task *base, double loss, gr_metric *out, int capacity)
{
    (void)loss;
    const gr__recommend_task *t = (const gr__recommend_task *)base;
    gr_metric m[5];
    int n = 0;
    if (t->ranks) {
        gr_ranking_scores s, popular;
        gr_ranking_result(&t->ranking, &s);
        gr_ranking_result(&t->popular_ranking, &popular);
        m[n++] = (gr_metric){"ndcg10", s.ndcg};
        m[n++] = (gr_metric){"recall10", s.recall};
        m[n++] = (gr_metric){"mrr10", s.mrr};
        m[n++] = (gr_metric){"popular_ndcg10", popular.ndcg};
        m[n++] = (gr_metric){"popular_recall10", popular.recall};
    } else if (t->n_said) {
        gr_regression_scores s, plain;
        if (gr_regression_result(t->errors, &s) != GR_OK || gr_regression_result(t->plain_errors, &plain) != GR_OK)
            return 0;
        m[n++] = (gr_metric){"rmse", s.rmse};
        m[n++] = (gr_metric){"mae", s.mae};
        m[n++] = (gr_metric){"biases_rmse", plain.rmse};
    }
    n = GR__MIN(n, capacity);
    for (int i = 0; i < n; i++) out[i] = m[i];
    return n;
}

static gr_status panels(gr__task *base, gr__str *page)
{
    const gr__recommend_task *t = (const gr__recommend_task *)base;
    char *svg;
    if (t->ranks) return gr__rank_log_panels(&t->log, &t->data, t->part[1], page);
    if (t->n_said == 0) return GR_OK;
    gr__html_section(page, "Ratings");
    gr__html_charts_begin(page);
    GR_TRY(gr__html_figure(page, gr_plot_scatter(t->actual, t->said, (size_t)t->n_said, NULL, &svg), &svg));
    gr_plot_options o = {.title = "Predicted ratings", .x_label = "rating"};
    GR_TRY(gr__html_figure(page, gr_plot_histogram(t->said, (size_t)t->n_said, &o, &svg), &svg));
    gr__html_charts_end(page);
    return GR_OK;
}

static const gr__conf_section sections[] = {
    {"data", data_rows, GR__COUNT(data_rows),
     "a path alone is the source; valid, folds and fold are for ratings: rankings hold out each user's last item"},
    {"loss", loss_rows, GR__COUNT(loss_rows), "a name alone is the type"}};
static const char *const defaults[] = {"train.batch=512", "train.lr={peak: 1e-2, schedule: cosine}", NULL};

const gr__task_kind gr__task_recommendation = {
    .name = "recommendation",
    .summary = "users to items: ratings, or what comes next",
    .unit = "rating",
    .plain = true,
    .folds = true,
    .epochs = 12,
    .defaults = defaults,
    .sections = sections,
    .n_sections = GR__COUNT(sections),
    .bytes = sizeof(gr__recommend_task),
    .open = open,
    .close = close,
    .build = build,
    .fill = fill,
    .score = score,
    .finish = finish,
    .panels = panels,
};
