/* Little memory left: the library of products makes code for itself at its first product, and without room for it ends the
 * process. A process of its own for each limit: a status each time. */
#include "tests/test.h"

#include "kernel/onednn.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

enum { N = 96, STEP = 1 << 19, LIMITS = 100, RAN = 0, REFUSED = 1, OTHER = 2, NOT_THERE = 3 };

static float a[N * N], b[N * N], c[N * N];

static bool limit(rlim_t more)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    bool known = f && fscanf(f, "%ld", &pages) == 1;
    if (f) fclose(f);
    struct rlimit now;
    if (!known || getrlimit(RLIMIT_AS, &now) != 0) return false;
    now.rlim_cur = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + more;
    return setrlimit(RLIMIT_AS, &now) == 0;
}

static int first_product(rlim_t more)
{
    gr__dnn_matmul_shape s = {.a_dtype = GR_F32, .b_dtype = GR_F32, .c_dtype = GR_F32, .m = N, .n = N, .k = N};
    s.a_row = s.b_row = s.c_row = N;
    s.a_col = s.b_col = s.c_col = 1;
    signal(SIGSEGV, SIG_DFL); /* the test's own handlers would go on in this process */
    signal(SIGABRT, SIG_DFL);
    if (gr_set_threads(1) != GR_OK || !gr__dnn_available() || !limit(more)) return NOT_THERE;
    gr__dnn_matmul *mm = NULL;
    gr_status status = gr__dnn_matmul_new(&s, &mm);
    if (status == GR_OK) status = gr__dnn_matmul_run(mm, a, b, c, NULL, NULL);
    gr__dnn_matmul_free(mm);
    return status == GR_OK ? RAN : status == GR_ERR_MEMORY ? REFUSED : OTHER;
}

static void says_that_there_is_too_little(void **state)
{
    (void)state;
    int n[4] = {0};
    for (int i = 0; i < LIMITS; i++) {
        int how;
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) _exit(first_product((rlim_t)i * STEP));
        assert_int_equal(waitpid(child, &how, 0), child);
        if (!WIFEXITED(how)) fail_msg("with %d KiB left: ended by signal %d", i * STEP / 1024, WTERMSIG(how));
        n[GR__MIN(WEXITSTATUS(how), 3)]++;
    }
    if (n[NOT_THERE] == LIMITS) test_skip("there is no oneDNN, or no /proc");
    assert_int_equal(n[OTHER], 0);
    assert_true(n[REFUSED] > 0);
    assert_true(n[RAN] > 0);
}

#else

static void says_that_there_is_too_little(void **state)
{
    (void)state;
    test_skip("sanitizers take memory of their own");
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(says_that_there_is_too_little)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
