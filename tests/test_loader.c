/* Batches that a thread makes beside the step: the same bytes as without it, in every task, from any step on. */
#include "tests/run_rig.h"

#include "base/parallel.h"
#include "base/str.h"
#include "gradus/store.h"
#include "run/loader.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <unistd.h>

static const char *folder;

/* ---- alone ---- */

enum { B = 4, CHUNKS = 16 };

typedef struct slow_task {
    gr__task base;
    pthread_t caller;
    _Atomic int busy, calls, overlaps, elsewhere, strangers; /* strangers: chunks that another thread ran */
} slow_task;

typedef struct chunk_of {
    slow_task *t;
    pthread_t mine;
} chunk_of;

static void look(void *context, int64_t chunk, int thread)
{
    chunk_of *c = context;
    (void)chunk, (void)thread;
    if (!pthread_equal(pthread_self(), c->mine)) c->t->strangers++;
}

static void slow_fill(gr__task *base, gr__split split, int64_t first, int64_t batch, const gr__inputs *to)
{
    slow_task *t = (slow_task *)base;
    gr_tensor x;
    chunk_of c = {t, pthread_self()};
    (void)split;
    if (t->busy++) t->overlaps++;
    if (!pthread_equal(pthread_self(), t->caller)) {
        t->elsewhere++;
        gr__parallel(CHUNKS, look, &c);
    }
    usleep(2000);
    assert_true(gr__inputs_find(to, "x", &x));
    assert_false(gr__inputs_find(to, "y", &x));
    for (int64_t b = 0; b < batch; b++) ((float *)x.data)[b] = (float)(first + b);
    t->calls++;
    t->busy--;
}

static const gr__task_kind slow_kind = {.name = "slow", .fill = slow_fill};

typedef struct program {
    gr_graph *g;
    gr_plan *plan;
    gr_store *store;
    gr_session *session;
} program;

static void open_program(program *p)
{
    assert_ok(gr_graph_new(&p->g));
    gr_value x = gr_input(p->g, "x", GR_F32, 1, (int64_t[]){B});
    gr_output(p->g, "double", "sum", gr_sum(p->g, gr_add(p->g, x, x), 1, false));
    assert_ok(gr_plan_compile(p->g, "double", NULL, &p->plan));
    assert_ok(gr_store_new(&p->store));
    assert_ok(gr_session_new(p->plan, p->store, &p->session));
}

static void close_program(program *p)
{
    gr_session_free(&p->session);
    gr_plan_free(&p->plan);
    gr_store_free(&p->store);
    gr_graph_free(&p->g);
}

static void take(gr__loader *l, program *p, int64_t k)
{
    gr_tensor sum;
    gr__loader_take(l, k);
    assert_ok(gr_session_run(p->session));
    assert_ok(gr_session_output(p->session, "sum", &sum));
    assert_true(gr_tensor_get(&sum, 0) == 2.0 * (double)(k * B * B + B * (B - 1) / 2));
}

static void makes_one_ahead(void **state)
{
    (void)state;
    program p;
    gr__loader *l;
    open_program(&p);
    for (int beside = 0; beside < 2; beside++) {
        slow_task t = {.base.kind = &slow_kind, .caller = pthread_self()};
        assert_ok(gr__loader_new(&t.base, p.session, B, 3, 20, beside, &l));
        for (int64_t k = 3; k < 10; k++) take(l, &p, k);
        gr__loader_rest(l);
        assert_int_equal(t.calls, 7 + beside);
        assert_int_equal(t.elsewhere, beside ? 8 : 0);
        usleep(10000); /* at rest it stays */
        assert_int_equal(t.calls, 7 + beside);
        take(l, &p, 15); /* a jump, as after a step that was left out */
        for (int64_t k = 16; k < 20; k++) take(l, &p, k);
        gr__loader_rest(l);
        assert_int_equal(t.calls, beside ? 8 + 5 : 7 + 5); /* 10 was for nothing; none past the end */
        take(l, &p, 20);
        gr__loader_free(&l);
        assert_null(l);
        assert_int_equal(t.overlaps, 0);
        assert_int_equal(t.strangers, 0);
        assert_ok(gr__loader_new(&t.base, p.session, B, 0, 20, beside, &l));
        gr__loader_free(&l); /* while a batch is being made */
    }
    close_program(&p);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
static void tells_that_there_is_no_thread(void **state)
{
    (void)state;
    program p;
    gr__loader *l = NULL;
    slow_task t = {.base.kind = &slow_kind, .caller = pthread_self()};
    struct rlimit was, little;
    open_program(&p);
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || fscanf(f, "%ld", &pages) != 1) test_skip("there is no /proc");
    fclose(f);
    assert_int_equal(getrlimit(RLIMIT_AS, &was), 0);
    little = was;
    little.rlim_cur = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + (1 << 20); /* no stack fits */
    assert_int_equal(setrlimit(RLIMIT_AS, &little), 0);
    gr_status s = gr__loader_new(&t.base, p.session, B, 0, 20, true, &l);
    assert_int_equal(setrlimit(RLIMIT_AS, &was), 0);
    assert_fails(s, GR_ERR_IO, "set train.loaders to 0");
    assert_null(l);
    close_program(&p);
}
#endif

/* ---- runs ---- */

static const char *const every_run[] = {"train.steps=9", "train.seed=3", "train.lr=0.01", "train.eval_every=4",
                                        "train.checkpoint_every=2"};

static bool stop_now(void *user) { return --*(int *)user <= 0; }

static const char *train(const char *source, const char *const *set, const char *name, int loaders, int stop_after)
{
    static char out[2][300];
    char text[40];
    const char *all[32];
    int n = 0;
    snprintf(out[loaders], sizeof out[0], "%s/%s-%d-%d", folder, name, loaders, stop_after);
    snprintf(text, sizeof text, "train.loaders=%d", loaders);
    for (size_t i = 0; i < GR__COUNT(every_run); i++) all[n++] = every_run[i];
    for (; *set; set++) all[n++] = *set;
    all[n++] = text;
    gr_status status = GR_ERR_STOPPED;
    while (status == GR_ERR_STOPPED) {
        gr_run *run;
        int left = stop_after;
        assert_ok(run_with(source, all, n, out[loaders], &run));
        status = gr_run_train(run, &(gr_train_hooks){.user = &left, .stop = stop_after ? stop_now : NULL});
        gr_run_close(&run);
    }
    assert_ok(status);
    return out[loaders];
}

static void same_in_both_ways(const char *source, const char *const *set, const char *name)
{
    const char *plain = train(source, set, name, 0, 0);
    assert_same_run(plain, train(source, set, name, 1, 0));
    assert_same_run(plain, train(source, set, name, 1, 1));
    assert_same_run(plain, train(source, set, name, 1, 4));
}

static const char *written(const char *name, gr__str *s)
{
    const char *path = test_write(folder, name, gr__str_get(s), s->n);
    gr__str_release(s);
    return path;
}

static const char *table(void)
{
    gr__str s = {0};
    gr__str_add(&s, "a,b,y\n");
    for (int i = 0; i < 60; i++) gr__str_printf(&s, "%d.%d,%d,%d\n", i * 7 % 13, i % 10, i % 3, i * 5 % 17);
    return written("table.csv", &s);
}

/* Drops and swaps of tokens go through memory of the task. */
static const char *reviews(void)
{
    gr__str s = {0};
    gr__str_add(&s, "label,text\n");
    for (int i = 0; i < 60; i++)
        gr__str_printf(&s, "%s,\"number %d was %s good at all\"\n", i % 3 ? "yes" : "no", i % 9,
                       i % 3 ? "very" : "not");
    return written("reviews.csv", &s);
}

static const char *book(void)
{
    gr__str s = {0};
    for (int i = 0; i < 300; i++) gr__str_printf(&s, "%d times %d is %d. ", i % 12, i % 7, i % 12 * (i % 7));
    return written("book.txt", &s);
}

static const char *pictures(void)
{
    enum { EDGE = 8 };
    char name[100], bytes[32 + 3 * EDGE * EDGE], path[300];
    for (int k = 0; k < 24; k++) {
        snprintf(path, sizeof path, "%s/pictures/%d", folder, k % 2);
        if (k < 2) assert_ok(gr__dir_make(path));
        int n = snprintf(bytes, sizeof bytes, "P6 %d %d 255\n", EDGE, EDGE);
        for (int i = 0; i < 3 * EDGE * EDGE; i++) bytes[n++] = (char)(i * (k % 2 ? 3 : 7) + k * 11);
        snprintf(name, sizeof name, "pictures/%d/%02d.ppm", k % 2, k);
        test_write(folder, name, bytes, (size_t)n);
    }
    gr__str s = {0};
    gr__str_printf(&s, "data: {source: %s/pictures}\n", folder);
    return written("pictures.yaml", &s);
}

static void same_of_tables(void **state)
{
    (void)state;
    const char *const set[] = {"data.target=y", "model.type=mlp", "model.hidden=[8]", "train.batch=8", NULL};
    same_in_both_ways(table(), set, "table");
}

static void same_of_texts(void **state)
{
    (void)state;
    const char *const set[] = {"task=text-classification",
                               "tokenizer={type: word, vocab_size: 60, least_count: 1}",
                               "model={type: textcnn, width: 8, maps: 4, context: 12}",
                               "data.swap=0.2",
                               "data.drop=0.2",
                               "train.batch=8",
                               NULL};
    same_in_both_ways(reviews(), set, "texts");
}

static void same_of_books(void **state)
{
    (void)state;
    const char *const set[] = {"model={layers: 1, heads: 2, width: 16, context: 16, dropout: 0.1}",
                               "tokenizer.type=char",
                               "data.valid=0.2",
                               "train.batch=2",
                               "train.accumulate=3",
                               NULL};
    same_in_both_ways(book(), set, "book");
}

static void same_of_pictures(void **state)
{
    (void)state;
    const char *const mixed[] = {
        "task=image-classification",
        "model={type: layers, layers: [{conv: 4, padding: 1}, batch_norm, relu, flatten, linear]}",
        "data.augment={flip: 0.5, shift: 1, mixup: 0.4}",
        "data.cache_mib=0",
        "data.valid=0.25",
        "train.batch=8",
        NULL};
    const char *const made[] = {"task=image-generation", "model={type: vae, latent: 3}", "data.valid=0.25",
                                "train.batch=8", NULL};
    const char *config = pictures();
    same_in_both_ways(config, mixed, "mixed");
    same_in_both_ways(config, made, "made");
}

/* It may be ahead when the end comes before it was due. */
static void stops_early(void **state)
{
    (void)state;
    const char *const set[] = {"data.target=y",
                               "model.type=mlp",
                               "model.hidden=[8]",
                               "train.early_stop={patience: 2, min_delta: 1e6}",
                               "train.eval_every=1",
                               "train.batch=8",
                               NULL};
    same_in_both_ways(table(), set, "early");
}

static void knows_its_key(void **state)
{
    (void)state;
    const char *const set[] = {"data.target=y", "train.loaders=2"};
    gr_run *run;
    assert_fails(run_with(table(), set, 2, NULL, &run), GR_ERR_CONFIG, "loaders");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
        cmocka_unit_test(tells_that_there_is_no_thread), /* first: threads leave their stacks */
#endif
        cmocka_unit_test(makes_one_ahead),
        cmocka_unit_test(same_of_tables),
        cmocka_unit_test(same_of_texts),
        cmocka_unit_test(same_of_books),
        cmocka_unit_test(same_of_pictures),
        cmocka_unit_test(stops_early),
        cmocka_unit_test(knows_its_key)
    };
    folder = test_tmpdir();
    gr_set_threads(2);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
