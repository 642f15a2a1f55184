/* Recommenders and the losses that rank: against PyTorch, files and what is refused, training to a known end, answers. */
#include "tests/large_rig.h"
#include "tests/golden_rig.h"
#include "tests/run_rig.h"

#include "base/file.h"
#include "data/ratings.h"
#include "gradus/ops.h"
#include "gradus/table.h"
#include "gradus/train.h"
#include "model/recommender.h"

static const char *folder;

/* ---- against PyTorch ---- */

static void losses_are_pytorchs(void **state)
{
    (void)state;
    static const char *const names[] = {"bpr", "pairwise_hinge", "triplet", "info_nce"};
    for (int k = 0; k < 4; k++) {
        golden_rig r = {.name = names[k]};
        gr_plan *plan;
        gr_session *session;
        gr_store *store;
        gr_tensor t;
        char key[64];
        assert_ok(gr__safetensors_open(test_source("tests/golden/contrast.safetensors"), &r.file));
        assert_ok(gr_graph_new(&r.g));
        gr_value of = rig_input(&r, k < 2 ? "s" : "a"), d = k < 2 ? rig_input(&r, "d") : rig_input(&r, "b"), grad;
        gr_loss loss = k == 0   ? gr_loss_bpr(r.g, of, d, NULL)
                       : k == 1 ? gr_loss_pairwise_hinge(r.g, of, d, 0.5, NULL)
                       : k == 2 ? gr_loss_triplet(r.g, of, d, rig_input(&r, "c"), 0.7, NULL)
                                : gr_loss_info_nce(r.g, of, d, 0.5, NULL);
        assert_ok(gr_grad(r.g, loss.sum, &of, 1, &grad));
        snprintf(key, sizeof key, "%s/sum", names[k]);
        gr_output(r.g, "eval", key, loss.sum);
        snprintf(key, sizeof key, "%s/grad", names[k]);
        gr_output(r.g, "eval", key, grad);
        gr_output(r.g, "eval", "weight", loss.weight);
        assert_ok(gr_plan_compile(r.g, "eval", NULL, &plan));
        assert_ok(gr_store_new(&store));
        assert_ok(gr_session_new(plan, store, &session));
        static const char *const inputs[] = {"a", "b", "c", "s", "d"};
        for (int i = 0; i < 5; i++)
            if (gr_session_input(session, inputs[i], &t) == GR_OK)
                memcpy(t.data, rig_find(&r, inputs[i])->data, gr_tensor_size_bytes(&t));
        assert_ok(gr_session_run(session));
        assert_ok(gr_session_output(session, key, &t));
        rig_compare(&r, key, &t, 1e-5);
        snprintf(key, sizeof key, "%s/sum", names[k]);
        assert_ok(gr_session_output(session, key, &t));
        rig_compare(&r, key, &t, 1e-5);
        assert_ok(gr_session_output(session, "weight", &t));
        assert_true(gr_tensor_get(&t, 0) == (k < 2 ? 6 : 5));
        gr_session_free(&session);
        gr_store_free(&store);
        gr_plan_free(&plan);
        rig_close(&r);
    }
}

static void families_are_pytorchs(void **state)
{
    (void)state;
    static const char *const names[] = {"mf-tiny", "two-tower-tiny", "next-item-tiny", "fm-tiny"};
    static const char *const inputs[][6] = {{"user", "item", "session", "share", "y", NULL},
                                            {"user", "history", "y", NULL},
                                            {"history", "y", NULL},
                                            {"numbers", "codes", "y", NULL}},
                             *const outputs[] = {"rating", "scores", "scores", "prediction"};
    for (int k = 0; k < 4; k++) {
        golden_rig r;
        rig_open(&r, names[k]);
        const gr__family *f = r.model->family;
        const void *c = r.model->config;
        gr_loss loss;
        gr_value said;
        if (k == 0) {
            gr__recommend_in in = {.user = rig_input(&r, "user"),
                                   .item = rig_input(&r, "item"),
                                   .session = rig_input(&r, "session"),
                                   .share = rig_input(&r, "share"),
                                   .batch = 4,
                                   .train = true};
            gr_value penalty;
            said = f->build_rating(r.g, c, &in, &penalty);
            loss = gr_loss_mse(r.g, said, rig_input(&r, "y"), NULL);
            loss.sum = gr_add(r.g, loss.sum, gr_sum(r.g, penalty, 0, false));
        } else if (k < 3) {
            gr__recommend_in in = {
                .user = k == 1 ? rig_input(&r, "user") : 0, .history = rig_input(&r, "history"), .batch = 4, .time = 4};
            said = gr_matmul(r.g, f->build_query(r.g, c, &in), f->build_items(r.g, c, 0, false),
                             &(gr_matmul_options){.transpose_b = true});
            loss = gr_loss_mse(r.g, said, rig_input(&r, "y"), NULL);
        } else {
            said = f->build_table(r.g, c, rig_input(&r, "numbers"), rig_input(&r, "codes"), 4, false);
            loss = gr_loss_mse(r.g, said, rig_input(&r, "y"), NULL);
        }
        rig_check(&r, loss, inputs[k], &outputs[k], &said, 1, 1e-5);
        rig_close(&r);
    }
}

static void bags_are_pytorchs(void **state)
{
    (void)state;
    static const char *const names[] = {"sum", "mean", "max", "weighted"};
    for (int k = 0; k < 4; k++) {
        golden_rig r = {.name = "bags"};
        gr_plan *plan;
        gr_session *session;
        gr_store *store;
        gr_tensor t;
        char key[64], *text;
        bool weighted = k == 3;
        assert_ok(gr__safetensors_open(test_source("tests/golden/bags.safetensors"), &r.file));
        assert_ok(gr_graph_new(&r.g));
        gr_value of[] = {rig_input(&r, "table"), weighted ? rig_input(&r, "weights") : 0}, d[2];
        gr_bag_options o = {.kind = weighted ? GR_BAG_SUM : (gr_bag_kind)k, .weights = of[1]};
        gr_value y = gr_embedding_bag(r.g, of[0], rig_input(&r, "ids"), &o);
        assert_ok(gr_grad(r.g, gr_sum(r.g, gr_mul(r.g, y, rig_input(&r, "dy")), 0, false), of, 1 + weighted, d));
        gr_output(r.g, "eval", "y", y);
        gr_output(r.g, "eval", "dtable", d[0]);
        if (weighted) gr_output(r.g, "eval", "dweights", d[1]);
        assert_ok(gr_plan_compile(r.g, "eval", NULL, &plan));
        assert_ok(gr_plan_print(plan, &text));
        assert_null(strstr(text, "reference")); /* the fast kernels ran */
        gr_text_free(text);
        assert_ok(gr_store_new(&store));
        assert_ok(gr_session_new(plan, store, &session));
        static const char *const inputs[] = {"table", "ids", "dy", "weights"};
        for (int i = 0; i < 3 + weighted; i++) {
            assert_ok(gr_session_input(session, inputs[i], &t));
            memcpy(t.data, rig_find(&r, inputs[i])->data, gr_tensor_size_bytes(&t));
        }
        assert_ok(gr_session_run(session));
        static const char *const outputs[] = {"y", "dtable", "dweights"};
        for (int i = 0; i < 2 + weighted; i++) {
            assert_ok(gr_session_output(session, outputs[i], &t));
            snprintf(key, sizeof key, "%s/%s", names[k], outputs[i]);
            rig_compare(&r, key, &t, 1e-6);
        }
        gr_session_free(&session);
        gr_store_free(&store);
        gr_plan_free(&plan);
        rig_close(&r);
    }
}

static void bags_of_rows(void **state)
{
    (void)state;
    static const int32_t ids[3][3] = {{0, 2, -1}, {1, 1, 3}, {-1, 9, -5}};
    static const float table[4][2] = {{1, -2}, {3, 4}, {-5, 6}, {7, -8}},
                       weight[3][3] = {{2, 0.5f, 9}, {1, 1, -1}, {1, 1, 1}};
    static const float want[4][3][2] = {{{-4, 4}, {13, 0}, {0, 0}},
                                        {{-2, 2}, {13.f / 3, 0}, {0, 0}},
                                        {{1, 6}, {7, 4}, {0, 0}},
                                        {{-0.5f, -1}, {-1, 16}, {0, 0}}};
    for (int k = 0; k < 4; k++) {
        gr_graph *g;
        gr_plan *plan;
        gr_session *session;
        gr_store *store;
        gr_tensor t;
        assert_ok(gr_graph_new(&g));
        gr_value x = gr_input(g, "table", GR_F32, 2, (int64_t[]){4, 2}),
                 bag = gr_input(g, "ids", GR_I32, 2, (int64_t[]){3, 3});
        gr_bag_options o = {.kind = k == 3 ? GR_BAG_SUM : (gr_bag_kind)k,
                            .weights = k == 3 ? gr_input(g, "weight", GR_F32, 2, (int64_t[]){3, 3}) : 0};
        gr_value y = gr_embedding_bag(g, x, bag, &o), grad;
        assert_ok(gr_grad(g, gr_sum(g, y, 0, false), &x, 1, &grad));
        gr_output(g, "eval", "y", y);
        gr_output(g, "eval", "grad", grad);
        assert_ok(gr_plan_compile(g, "eval", NULL, &plan));
        assert_ok(gr_store_new(&store));
        assert_ok(gr_session_new(plan, store, &session));
        assert_ok(gr_session_input(session, "table", &t));
        memcpy(t.data, table, sizeof table);
        assert_ok(gr_session_input(session, "ids", &t));
        memcpy(t.data, ids, sizeof ids);
        if (k == 3) {
            assert_ok(gr_session_input(session, "weight", &t));
            memcpy(t.data, weight, sizeof weight);
        }
        assert_ok(gr_session_run(session));
        assert_ok(gr_session_output(session, "y", &t));
        for (int i = 0; i < 6; i++) assert_true(fabs(gr_tensor_get(&t, i) - (double)want[k][i / 2][i % 2]) < 1e-6);
        assert_ok(gr_session_output(session, "grad", &t));
        /* of row 1, which stands twice in the second bag */
        static const double first[] = {2, 2. / 3, 0, 2}, second[] = {2, 2. / 3, 1, 2};
        assert_true(fabs(gr_tensor_get(&t, 2) - first[k]) < 1e-6 && fabs(gr_tensor_get(&t, 3) - second[k]) < 1e-6);
        gr_session_free(&session);
        gr_store_free(&store);
        gr_plan_free(&plan);
        gr_graph_free(&g);
    }
}

/* ---- files ---- */

static const char *written(const char *name, const char *text) { return test_write(folder, name, text, strlen(text)); }

static void ratings_are_sorted(void **state)
{
    (void)state;
    gr__arena arena = {0};
    gr__ratings r;
    gr__ratings_options o = {.user = "u", .item = "1", .rating = "2", .time = "when"};
    o.source = written("r.csv", "u,i,r,when\nbob,x,3,7\nann,y,4,5\nbob,z,1.5,2\nann,x,5,5\n");
    assert_ok(gr__ratings_read(&o, NULL, NULL, &arena, &r));
    assert_int_equal(r.n, 4);
    assert_string_equal(r.users.item[0], "bob");
    assert_string_equal(r.items.item[2], "z");
    static const int64_t order[] = {2, 0, 1, 3};
    assert_memory_equal(r.order, order, sizeof order);
    assert_true(r.start[0] == 0 && r.start[1] == 2 && r.start[2] == 4);
    gr__ratings_release(&r);
    const char *ann = "ann";
    const gr__conf_strings one = {.item = &ann, .n = 1};
    assert_ok(gr__ratings_read(&o, &one, NULL, &arena, &r));
    assert_true(r.start[0] == 2 && r.start[1] == 4 && r.user[0] == -1);
    gr__ratings_release(&r);
    o.source = written("bad.csv", "u,i,r,when\nbob,x,3,7\nann,,4,5\n");
    assert_fails(gr__ratings_read(&o, NULL, NULL, &arena, &r), GR_ERR_DATA, "bad.csv:3: column 'i' is empty");
    o.source = written("bad.csv", "u,i,r,when\nbob,x,good,7\n");
    assert_fails(gr__ratings_read(&o, NULL, NULL, &arena, &r), GR_ERR_DATA, "bad.csv:2: 'good' in column 'r'");
    o.source = written("bad.csv", "u,i,r,when\nbob,x,3,7\nann,y,1e30,5\n");
    assert_fails(gr__ratings_read(&o, NULL, NULL, &arena, &r), GR_ERR_DATA,
                 "bad.csv:3: 1e+30 in column 'r' is too large");
    o.source = written("some.csv", "u,i,r,when\nbob,x,good,7\nann,y,4,5\nann,4\n,y,2,6\ncy,x,1,1\n");
    o.skip_bad = true;
    assert_ok(gr__ratings_read(&o, NULL, NULL, &arena, &r));
    assert_int_equal(r.n, 2);
    assert_int_equal(r.users.n, 2);
    assert_string_equal(r.users.item[r.user[1]], "cy");
    assert_int_equal(r.line[0], 3);
    assert_int_equal(r.line[1], 6);
    assert_true(r.rating[0] == 4 && r.rating[1] == 1);
    gr__ratings_release(&r);
    o.source = written("bytes.csv", "u,i,r,when\nbob,x,1,7\nann,\xfe,4,5\n");
    assert_ok(gr__ratings_read(&o, NULL, NULL, &arena, &r));
    assert_int_equal(r.n, 1);
    gr__ratings_release(&r);
    o.skip_bad = false;
    assert_fails(gr__ratings_read(&o, NULL, NULL, &arena, &r), GR_ERR_DATA,
                 "bytes.csv:3: byte 0xfe of column 'i' is not UTF-8");
    o.skip_bad = true;
    o.source = written("none.csv", "u,i,r,when\nbob,x,good,7\n");
    assert_fails(gr__ratings_read(&o, NULL, NULL, &arena, &r), GR_ERR_DATA, "no row that can be read");
    o.skip_bad = false;
    o.item = "film";
    assert_fails(gr__ratings_read(&o, NULL, NULL, &arena, &r), GR_ERR_NOT_FOUND, "film");
    gr__arena_release(&arena);
}

/* ---- training ---- */

/* Two kinds of users and of items that like and hate each other: biases see nothing of it. */
static const char *tastes(void)
{
    gr__str s = {0};
    gr__str_add(&s, "user,item,rating,time\n");
    for (int u = 0; u < 30; u++)
        for (int k = 0; k < 12; k++) {
            int i = (7 * u + 5 * k) % 24;
            gr__str_printf(&s, "u%d,i%d,%d,%d\n", u, i, u % 2 == i % 2 ? 5 : 1, k);
        }
    const char *path = test_write(folder, "tastes.csv", gr__str_get(&s), s.n);
    gr__str_release(&s);
    return path;
}

/* Who has had item i takes item i + 1 next. */
static const char *chains(void)
{
    gr__str s = {0};
    gr__str_add(&s, "user,item,rating,time\n");
    for (int u = 0; u < 60; u++)
        for (int k = 0; k < 7; k++) gr__str_printf(&s, "u%d,i%d,1,%d\n", u, (3 * u + k) % 20, k);
    const char *path = test_write(folder, "chains.csv", gr__str_get(&s), s.n);
    gr__str_release(&s);
    return path;
}

static void learns_tastes(void **state)
{
    (void)state;
    const char *dir = test_tmpdir();
    static const char *const set[] = {"task=recommendation", "model={type: mf, width: 4, l2: 0.01}", "train.epochs=60",
                                      "train.batch=32", "train.lr=0.02"};
    gr_run *run;
    gr_model *m;
    gr_recommended best[3];
    int64_t n;
    assert_ok(run_with(tastes(), set, 5, dir, &run));
    assert_ok(gr_run_train(run, NULL));
    double rmse = metric_of(run, "rmse"), plain = metric_of(run, "biases_rmse");
    if (!(rmse < 0.5 && plain > 1.5)) fail_msg("rmse %g, of biases %g", rmse, plain);
    gr_run_close(&run);
    assert_ok(gr_model_open(dir, &m));
    assert_int_equal(gr_model_describe(m).items, 24);
    assert_ok(gr_recommend(m, tastes(), "u4", 3, best, &n));
    assert_int_equal(n, 3);
    for (int i = 0; i < 3; i++) assert_true((best[i].item[strlen(best[i].item) - 1] - '0') % 2 == 0);
    assert_true(best[0].score >= best[1].score && best[0].score > 3);
    assert_fails(gr_recommend(m, NULL, "nobody", 3, best, &n), GR_ERR_NOT_FOUND, "nobody");
    static const char history[] = "user,item,rating,time\nnew,unheard,1,1\n";
    const char *stranger = test_write(dir, "new.csv", history, sizeof history - 1);
    assert_fails(gr_recommend(m, stranger, "new", 3, best, &n), GR_ERR_NOT_FOUND,
                 "knows neither the user 'new' nor any item");
    assert_fails(gr_recommend(m, stranger, "old", 3, best, &n), GR_ERR_NOT_FOUND, "nor in ");
    gr_model_free(&m);
    test_rmtree(dir);
}

static void ranks(const char *model, const char *loss)
{
    const char *dir = test_tmpdir();
    const char *const set[] = {"task=recommendation", model,           loss, "train.epochs=60", "train.batch=32",
                               "train.lr=0.01",       "data.history=4"};
    gr_run *run;
    gr_model *m;
    gr_recommended best[20];
    int64_t n;
    assert_ok(run_with(chains(), set, 7, dir, &run));
    assert_int_equal(gr_run_describe(run).samples, 60 * 5);
    assert_int_equal(gr_run_describe(run).valid_units, 60);
    assert_ok(gr_run_train(run, NULL));
    double ndcg = metric_of(run, "ndcg10"), popular = metric_of(run, "popular_ndcg10");
    if (!(ndcg > popular + 0.2)) fail_msg("%s %s: ndcg %g, of what is popular %g", model, loss, ndcg, popular);
    assert_true(evaluation_shows(dir, "NDCG at k") && evaluation_shows(dir, "what most take"));
    assert_true(evaluation_shows(dir, "Some recommendations") && evaluation_shows(dir, "took next"));
    gr_run_close(&run);
    assert_ok(gr_model_open(dir, &m));
    assert_ok(gr_recommend(m, chains(), "u2", 20, best, &n)); /* has had 6 .. 12 */
    assert_int_equal(n, 13);
    for (int64_t i = 0; i < n; i++) assert_string_not_equal(best[i].item, "i12");
    gr_model_free(&m);
    test_rmtree(dir);
}

static void learns_what_comes_next(void **state)
{
    (void)state;
    ranks("model={type: next_item, width: 16, dropout: 0}", "loss=softmax");
    ranks("model={type: next_item, width: 16, dropout: 0}", "loss=bpr");
    ranks("model={type: two_tower, width: 16, hidden: [32], dropout: 0}", "loss=softmax");
    ranks("model={type: two_tower, width: 16, hidden: [32], dropout: 0}", "loss=in_batch");
    ranks("model={type: next_item, width: 16, cell: lstm, dropout: 0}", "loss=hinge");
}

static void idle_keys_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *set[3], *says;
    } c[] = {
        {{"model=next_item", "data.valid=0.1"}, "the last item of each user is held out"},
        {{"model=two_tower", "data.folds=4"}, "leave out data.folds"},
        {{"model=two_tower", "data.fold=0"}, "leave out data.fold"},
        {{"model=next_item", "data.session_gap=3"}, "'session_gap' says nothing to the model 'next_item'"},
        {{"data.history=3"}, "'history' says nothing to the model 'mf'"},
        {{"loss=bpr"}, "'loss' says nothing to the model 'mf'"},
        {{"model=mf", "loss.margin=2"}, "'loss' says nothing to the model 'mf'"},
        {{"model=next_item", "loss=bpr", "loss.margin=2"}, "'margin' says nothing to the loss 'bpr'"},
        {{"model=next_item", "loss.temperature=2"}, "'temperature' says nothing to the loss 'softmax'"},
        {{"model=next_item", "loss={type: hinge, margin: 2}", "data.history=3"}, NULL},
        {{"data.folds=3", "data.fold=1", "data.session_gap=3"}, NULL},
    };
    for (size_t i = 0; i < GR__COUNT(c); i++) {
        const char *set[4] = {"task=recommendation"};
        gr_run *run = NULL;
        int n = 1;
        for (int k = 0; k < 3 && c[i].set[k]; k++) set[n++] = c[i].set[k];
        if (c[i].says)
            assert_fails(run_with(chains(), set, n, NULL, &run), GR_ERR_CONFIG, c[i].says);
        else
            assert_ok(run_with(chains(), set, n, NULL, &run));
        gr_run_close(&run);
    }
    gr_metric mean[8], deviation[8];
    int n;
    static const char *const set[] = {"task=recommendation", "model=next_item"};
    assert_fails(gr_run_folds(chains(), &(gr_run_options){.overrides = set, .n_overrides = 2}, 2, NULL, NULL, NULL,
                              mean, deviation, 8, &n),
                 GR_ERR_CONFIG, "there are no other parts or folds");
}

/* A click where both letters agree: no letter says anything by itself. */
static void clicks_by_pairs(void **state)
{
    (void)state;
    static const char *const set[] = {"task=table",      "data.target=click", "model={type: fm, width: 4}",
                                      "train.epochs=60", "train.batch=32",    "train.lr=0.02"};
    gr__str s = {0};
    gr__str_add(&s, "who,what,click\n");
    for (int i = 0; i < 400; i++) {
        int a = i % 4, b = i / 4 % 4;
        gr__str_printf(&s, "%c,%c,%s\n", 'a' + a, 'p' + b, a == b ? "yes" : "no");
    }
    const char *path = test_write(folder, "clicks.csv", gr__str_get(&s), s.n);
    gr__str_release(&s);
    gr_run *run;
    assert_ok(run_with(path, set, 6, NULL, &run));
    assert_ok(gr_run_train(run, NULL));
    assert_true(metric_of(run, "auc") > 0.99);
    gr_run_close(&run);
}

static void films(void **state)
{
    (void)state;
    const char *path = test_data("ratings/ml-latest-small/ratings.csv");
    if (!path) skip();
    static const char *const set[] = {"task=recommendation", "model={type: mf, width: 8}", "train.epochs=3",
                                      "train.batch=2048", "data.session_gap=600"};
    gr_run *run;
    assert_ok(run_with(path, set, 5, NULL, &run));
    assert_int_equal(gr_run_describe(run).samples + gr_run_describe(run).valid_units, 100836);
    assert_ok(gr_run_train(run, NULL));
    double rmse = metric_of(run, "rmse");
    print_message("ml-latest-small: rmse %.4f after three epochs, of biases %.4f\n", rmse,
                  metric_of(run, "biases_rmse"));
    assert_true(rmse < 0.9);
    gr_run_close(&run);
}

int main(void)
{
    folder = test_tmpdir();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(losses_are_pytorchs),
        cmocka_unit_test(families_are_pytorchs),
        cmocka_unit_test(bags_are_pytorchs),
        cmocka_unit_test(bags_of_rows),
        cmocka_unit_test(ratings_are_sorted),
        when_large(ratings_are_sorted),
        cmocka_unit_test(learns_tastes),
        cmocka_unit_test(learns_what_comes_next),
        cmocka_unit_test(idle_keys_are_refused),
        cmocka_unit_test(clicks_by_pairs),
        cmocka_unit_test(films),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    test_rmtree(folder);
    return failed;
}
