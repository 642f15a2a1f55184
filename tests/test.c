#include "tests/test.h"

#include <errno.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_FOLDERS 64
#define SKIPPED_ALL 77

static char folders[MOST_FOLDERS][128]; /* still to be removed; "" = free */
static pid_t owner;                     /* a forked child leaves its parent's folders alone */
static size_t skipped;

/* Under AddressSanitizer a request that is too large fails, as it does without. */
GR_API const char *__asan_default_options(void);
#ifdef __clang__
const char *__asan_default_options(void) { return "allocator_may_return_null=1:detect_stack_use_after_return=1"; }
#else /* gcc before 13.3 puts 64-byte vectors at unaligned places of the fake stack (its bug 110027) */
const char *__asan_default_options(void) { return "allocator_may_return_null=1:detect_stack_use_after_return=0"; }
#endif
GR_API const char *__tsan_default_options(void);
const char *__tsan_default_options(void) { return "allocator_may_return_null=1:halt_on_error=1"; }

/* One of 16 buffers in turn. */
static const char *path_of(const char *dir, const char *relative)
{
    static _Thread_local char buffer[16][4096];
    static _Thread_local unsigned turn;
    char *out = buffer[turn++ % 16];
    int n = snprintf(out, sizeof buffer[0], "%s/%s", dir, relative);
    if (n < 0 || (size_t)n >= sizeof buffer[0]) fail_msg("path too long: %s/%s", dir, relative);
    return out;
}

const char *test_source(const char *relative) { return path_of(GRADUS_SOURCE_DIR, relative); }

const char *test_data(const char *relative)
{
    const char *dir = getenv("GRADUS_DATA");
    if (!dir || !*dir) {
        dir = GRADUS_SOURCE_DIR "/../shared/data";
        if (access(dir, R_OK) == 0) setenv("GRADUS_DATA", dir, 1); /* for configurations, wherever the test runs */
    }
    const char *path = path_of(dir, relative);
    if (access(path, R_OK) == 0) return path;
    printf("skip reason: no test data (%s is absent; set GRADUS_DATA)\n", relative);
    return NULL;
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info, (void)kind, (void)walk;
    return remove(path);
}

void test_rmtree(const char *path)
{
    if (!path) return;
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    for (size_t i = 0; i < MOST_FOLDERS; i++)
        if (strcmp(folders[i], path) == 0) folders[i][0] = 0;
}

static void remove_folders(void)
{
    for (size_t i = 0; i < MOST_FOLDERS && owner == getpid(); i++)
        if (folders[i][0]) nftw(folders[i], remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

const char *test_tmpdir(void)
{
    if (!owner) {
        owner = getpid();
        atexit(remove_folders);
    }
    size_t i = 0;
    while (i < MOST_FOLDERS && folders[i][0]) i++;
    if (i == MOST_FOLDERS) fail_msg("more than %d temporary folders", MOST_FOLDERS);
    const char *base = getenv("TMPDIR");
    int n = snprintf(folders[i], sizeof folders[i], "%s/gradus-test-XXXXXX", base && *base ? base : "/tmp");
    if (n < 0 || (size_t)n >= sizeof folders[i] || !mkdtemp(folders[i])) {
        folders[i][0] = 0;
        fail_msg("cannot make a temporary folder: %s", strerror(errno));
    }
    return folders[i];
}

const char *test_write(const char *dir, const char *name, const void *bytes, size_t n)
{
    const char *path = path_of(dir, name);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(bytes, 1, n, f) != n || fclose(f) != 0) fail_msg("cannot write %s: %s", path, strerror(errno));
    return path;
}

void test_assert_fails(gr_status got, gr_status wanted, const char *part, const char *expr, const char *file, int line)
{
    if (got == wanted && gr_message()[0] && (!part || strstr(gr_message(), part))) return;
    print_error("%s: got %s '%s', wanted %s%s%s\n", expr, gr_status_name(got), got == GR_OK ? "" : gr_message(),
                gr_status_name(wanted), part ? " with " : "", part ? part : "");
    _fail(file, line);
}

void test_count_skip(void) { skipped++; }

int test_run(const char *name, const struct CMUnitTest *tests, size_t n, CMFixtureFunction setup,
             CMFixtureFunction teardown)
{
    skipped = 0;
    int failed = _cmocka_run_group_tests(name, tests, n, setup, teardown);
    fflush(stderr);
    size_t bad = failed < 0 ? n : (size_t)failed;
    size_t passed = n > bad + skipped ? n - bad - skipped : 0;
    printf("cases: %zu passed, %zu failed, %zu skipped\n", passed, bad, skipped);
    fflush(stdout);
    return bad ? 1 : skipped == n ? SKIPPED_ALL : 0;
}
