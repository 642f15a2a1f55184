/* The pool of threads (base/pool.c, parallel.c, core.c): every chunk once, the same bits, callers, signals, forks, cores that are
 * lent. Steps that wait for each other: test_steps.c. */
#include "base/core.h"
#include "base/parallel.h"
#include "tests/test.h"

#include <time.h>
#include <stdatomic.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHUNKS = 5000 };

typedef struct counts {
    int runs[CHUNKS];
    double part[CHUNKS];
    int width, out_of_range;
} counts;

static void count_chunk(void *context, int64_t chunk, int thread)
{
    counts *c = context;
    c->runs[chunk]++;
    if (thread < 0 || thread >= c->width) __atomic_store_n(&c->out_of_range, 1, __ATOMIC_RELAXED);
    for (int k = 1; k < 20; k++) c->part[chunk] += 1.0 / (double)(chunk * 20 + k);
}

static void nested_chunk(void *context, int64_t chunk, int thread)
{
    (void)thread;
    counts *c = context;
    gr__parallel(1, count_chunk, &c[chunk]);
}

static double run_chunks(int threads, int64_t chunks, bool home)
{
    counts *c = calloc(1, sizeof *c);
    assert_non_null(c);
    assert_ok(gr_set_threads(threads));
    c->width = gr__parallel_width();
    if (home)
        gr__parallel_home(chunks / 3, chunks, chunks % 2, count_chunk, c);
    else
        gr__parallel(chunks, count_chunk, c);
    double total = 0;
    for (int i = 0; i < CHUNKS; i++) {
        assert_int_equal(c->runs[i], i < chunks);
        total += c->part[i];
    }
    assert_false(c->out_of_range);
    free(c);
    return total;
}

static void every_chunk_runs_once(void **state)
{
    (void)state;
    double one = run_chunks(1, CHUNKS, false);
    static const int threads[] = {2, 3, 4, 8, 2, 0};
    for (size_t i = 0; i < GR__COUNT(threads); i++) {
        for (int home = 0; home < 2; home++) {
            double many = run_chunks(threads[i], CHUNKS, home);
            assert_memory_equal(&one, &many, sizeof one); /* same bits for any number of threads */
            run_chunks(threads[i], 0, home);
            run_chunks(threads[i], 1, home);
        }
    }
    assert_true(gr_threads() >= 1);
    assert_fails(gr_set_threads(-1), GR_ERR_ARGUMENT, "threads");
    assert_fails(gr_set_threads(100000), GR_ERR_ARGUMENT, "threads");

    counts *c = calloc(8, sizeof *c);
    assert_non_null(c);
    assert_ok(gr_set_threads(4));
    for (int i = 0; i < 8; i++) c[i].width = gr__parallel_width();
    gr__parallel(8, nested_chunk, c);
    for (int i = 0; i < 8; i++) assert_true(c[i].runs[0] == 1 && !c[i].out_of_range);
    free(c);
    assert_ok(gr_set_threads(0));
}

typedef struct {
    _Atomic int by_others, taking;
} signal_counts;

static void look_at_signals(void *context, int64_t chunk, int thread)
{
    (void)chunk;
    signal_counts *c = context;
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    if (thread == 0)
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    else {
        c->by_others++;
        if (!sigismember(&blocked, SIGTERM) || sigismember(&blocked, SIGSEGV)) c->taking++;
    }
}

/* A signal that came while oneDNN computes would break the heap; the caller's thread has a stack for it (cli/signals.c). */
static void helpers_leave_signals(void **state)
{
    (void)state;
    signal_counts c = {0};
    assert_ok(gr_set_threads(3));
    for (int i = 0; i < 1000 && c.by_others == 0; i++) gr__parallel(20, look_at_signals, &c);
    assert_true(c.by_others > 0);
    assert_int_equal(c.taking, 0);
    assert_ok(gr_set_threads(0));
}

static void *call_in_turn(void *arg)
{
    counts *c = arg;
    for (int i = 0; i < 50; i++) gr__parallel(100, count_chunk, c);
    return NULL;
}

static void several_callers(void **state)
{
    (void)state;
    enum { CALLERS = 4 };
    counts *c = calloc(CALLERS, sizeof *c);
    pthread_t t[CALLERS];
    assert_non_null(c);
    assert_ok(gr_set_threads(3));
    for (int i = 0; i < CALLERS; i++) {
        c[i].width = gr__parallel_width();
        assert_int_equal(pthread_create(&t[i], NULL, call_in_turn, &c[i]), 0);
    }
    for (int i = 0; i < CALLERS; i++) assert_int_equal(pthread_join(t[i], NULL), 0);
    for (int i = 0; i < CALLERS; i++)
        for (int k = 0; k < 100; k++) assert_int_equal(c[i].runs[k], 50);
    free(c);
    assert_ok(gr_set_threads(0));
}

static void the_grid_covers_everything(void **state)
{
    (void)state;
    static const int64_t counts_[] = {0, 1, 7, 255, 256, 257, 1000, 123457, (int64_t)1 << 40};
    static const int64_t least[] = {0, 1, 3, 64, 100000};
    for (size_t i = 0; i < GR__COUNT(counts_); i++)
        for (size_t k = 0; k < GR__COUNT(least); k++) {
            int64_t per = 0, n = gr__chunks(counts_[i], least[k], &per);
            assert_true(per >= 1 && n >= 0 && n <= 256);
            assert_true(n * per >= counts_[i]);
            assert_true(counts_[i] == 0 ? n <= 1 : (n - 1) * per < counts_[i]); /* no empty chunk */
            assert_true(n <= 1 || per >= least[k]);
        }
}

/* The child has none of the workers. */
static void a_child_of_fork_computes(void **state)
{
    (void)state;
#ifdef __SANITIZE_THREAD__
    test_skip("ThreadSanitizer starts no threads after a fork");
#endif
    double before = run_chunks(3, CHUNKS, false);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        double after = run_chunks(3, CHUNKS, false);
        _exit(memcmp(&before, &after, sizeof before) == 0 ? 7 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    assert_ok(gr_set_threads(0));
}

/* ---- a core that is lent ---- */

enum { WAITER = 40, STUCK = 41 };

typedef struct stuck {
    _Atomic int stage; /* 1: has work; 2: shall be done; 3: is */
    _Atomic pid_t thread;
} stuck;

static void pass_time(int64_t ns) { nanosleep(&(struct timespec){.tv_nsec = ns}, NULL); }

/* Has work and does not run: asleep, as far as anybody can tell without a core. */
static void *be_stuck(void *arg)
{
    stuck *s = arg;
    s->thread = gettid();
    gr__core_enter(STUCK);
    s->stage = 1;
    while (s->stage == 1) pass_time(20000000);
    gr__core_leave(true);
    s->stage = 3;
    while (s->stage == 3) pass_time(1000000);
    return NULL;
}

static void who_waits_lends_its_core(void **state)
{
    (void)state;
    stuck s = {0};
    cpu_set_t all, after;
    pthread_t t;
    int64_t lent = gr__core_lent(); /* an idle worker of the pool may be the one that lends */
    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    if (CPU_COUNT(&all) < 2) test_skip("one core");
    assert_int_equal(pthread_create(&t, NULL, be_stuck, &s), 0);
    while (s.stage != 1) pass_time(100000);
    gr__core_enter(WAITER);
    for (int i = 0; i < 1000 && gr__core_lent() == lent; i++) {
        gr__core_lend();
        pass_time(50000);
    }
    gr__core_leave(false);
    assert_int_equal(gr__core_lent(), lent + 1);
    assert_int_equal(sched_getaffinity(s.thread, sizeof after, &after), 0);
    assert_int_equal(CPU_COUNT(&after), 1);
    gr__core_lend(); /* once is enough */
    assert_int_equal(gr__core_lent(), lent + 1);
    s.stage = 2;
    while (s.stage != 3) pass_time(100000);
    assert_int_equal(sched_getaffinity(s.thread, sizeof after, &after), 0);
    assert_true(CPU_EQUAL(&all, &after));
    for (int i = 0; i < 5; i++, pass_time(50000)) gr__core_lend(); /* it has no work now */
    assert_int_equal(gr__core_lent(), lent + 1);
    s.stage = 4;
    assert_int_equal(pthread_join(t, NULL), 0);
}

static void *take_a_core(void *arg)
{
    _Atomic bool *stop = arg;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t)sched_getcpu(), &one);
    sched_setaffinity(0, sizeof one, &one);
    while (!*stop) {}
    return NULL;
}

static void see_mask(void *context, int64_t chunk, int thread)
{
    (void)chunk;
    cpu_set_t now;
    if (sched_getaffinity(0, sizeof now, &now) == 0) ((int *)context)[thread] = CPU_COUNT(&now);
}

/* Beside a loop that keeps a core busy: the same sums, and in the end each thread may run where it might before. */
static void lent_cores_are_given_back(void **state)
{
    (void)state;
    enum { THREADS = 3 };
    _Atomic bool stop = false;
    pthread_t t;
    cpu_set_t all;
    int cores[THREADS] = {0};
    double one = run_chunks(1, CHUNKS, false);
    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    assert_int_equal(pthread_create(&t, NULL, take_a_core, (void *)&stop), 0);
    for (int i = 0; i < 300; i++) {
        double many = run_chunks(THREADS, CHUNKS, i % 2);
        assert_memory_equal(&one, &many, sizeof one);
    }
    stop = true;
    assert_int_equal(pthread_join(t, NULL), 0);
    pass_time(20000000);
    for (int i = 0; i < 200; i++) gr__parallel(16, see_mask, cores);
    for (int i = 0; i < THREADS; i++) assert_true(cores[i] == 0 || cores[i] == CPU_COUNT(&all));
    assert_int_equal(cores[0], CPU_COUNT(&all));
    assert_ok(gr_set_threads(0));
}

/* ---- the caller's mode ---- */

typedef struct modes {
    int wanted;
    atomic_int others, by_workers;
} modes;

static void look_at_mode(void *context, int64_t chunk, int thread)
{
    modes *m = context;
    (void)chunk;
    if (gr__parallel_mode() != m->wanted) atomic_fetch_add(&m->others, 1);
    if (thread > 0) atomic_fetch_add(&m->by_workers, 1);
    nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL); /* the other thread comes, too */
}

static void chunks_have_the_mode_of_their_caller(void **state)
{
    (void)state;
    int threads = gr_threads();
    assert_ok(gr_set_threads(2));
    for (int wanted = 0; wanted < 6; wanted++) {
        modes m = {.wanted = wanted % 3};
        int was = gr__parallel_set_mode(m.wanted);
        assert_int_equal(was, 0);
        for (int i = 0; i < 100 && atomic_load(&m.by_workers) == 0; i++) gr__parallel(20, look_at_mode, &m);
        assert_int_equal(gr__parallel_set_mode(was), m.wanted);
        assert_int_equal(atomic_load(&m.others), 0);
        assert_true(atomic_load(&m.by_workers) > 0);
    }
    assert_ok(gr_set_threads(threads));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_chunk_runs_once),     cmocka_unit_test(several_callers),
        cmocka_unit_test(helpers_leave_signals),     cmocka_unit_test(the_grid_covers_everything),
        cmocka_unit_test(a_child_of_fork_computes),  cmocka_unit_test(who_waits_lends_its_core),
        cmocka_unit_test(lent_cores_are_given_back), cmocka_unit_test(chunks_have_the_mode_of_their_caller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
