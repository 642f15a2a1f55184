/* Steps that wait for each other inside one call of the pool. */
#include "base/parallel.h"
#include "tests/test.h"

#include <stdlib.h>
#include <time.h>

enum { PARTS = 37 };

typedef struct stepped {
    int64_t parts;
    uint64_t sum[2][PARTS]; /* of a step, from those of the step before */
    int early;              /* a part began before the step before was done */
    int done[PARTS];
} stepped;

/* Each part mixes what all parts of the step before left; some take much longer than others. */
static void mix_part(void *context, int64_t step, int64_t part, int thread)
{
    (void)thread;
    stepped *s = context;
    uint64_t sum = (uint64_t)(step * 1000 + part);
    for (int64_t k = 0; k < s->parts; k++) {
        sum = (sum ^ s->sum[step % 2][k]) * 0x9e3779b97f4a7c15u;
        if (__atomic_load_n(&s->done[k], __ATOMIC_RELAXED) < step) __atomic_store_n(&s->early, 1, __ATOMIC_RELAXED);
    }
    if (step % 7 == part % 5) nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
    s->sum[(step + 1) % 2][part] = sum;
    __atomic_store_n(&s->done[part], (int)step + 1, __ATOMIC_RELAXED);
}

static uint64_t run_steps(int threads, int64_t steps, int64_t parts)
{
    stepped *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->parts = parts;
    assert_ok(gr_set_threads(threads));
    gr__parallel_steps(steps, parts, mix_part, s);
    assert_int_equal(s->early, 0);
    uint64_t all = 0;
    for (int64_t k = 0; k < parts; k++) {
        assert_int_equal(s->done[k], steps);
        all = all * 31 + s->sum[steps % 2][k];
    }
    free(s);
    return all;
}

static void nested_steps(void *context, int64_t chunk, int thread)
{
    (void)thread;
    stepped *s = context;
    s[chunk].parts = 5;
    gr__parallel_steps(9, 5, mix_part, &s[chunk]);
}

static void steps_wait_for_each_other(void **state)
{
    (void)state;
    static const int threads[] = {2, 3, 8, 0};
    static const int64_t parts[] = {1, 2, 3, PARTS};
    for (size_t k = 0; k < GR__COUNT(parts); k++) {
        uint64_t one = run_steps(1, 200, parts[k]);
        for (size_t i = 0; i < GR__COUNT(threads); i++) assert_true(run_steps(threads[i], 200, parts[k]) == one);
        run_steps(2, 0, parts[k]);
        run_steps(2, 1, parts[k]);
    }
    run_steps(2, 3, 0);
    stepped *s = calloc(8, sizeof *s);
    assert_non_null(s);
    gr__parallel(8, nested_steps, s); /* from inside a chunk: in place */
    for (int i = 0; i < 8; i++) assert_true(s[i].early == 0 && s[i].done[0] == 9 && s[i].done[4] == 9);
    free(s);
    assert_ok(gr_set_threads(0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(steps_wait_for_each_other)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
