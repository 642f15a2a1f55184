/* What every test program includes: cmocka, folders, data, and assertions on statuses.
 *
 *   static void reads_iris(void **state)
 *   {
 *       (void)state;
 *       const char *path = test_data("tabular/iris.csv");
 *       if (!path) skip();
 *       assert_ok(gr_something(path));
 *   }
 *   int main(void)
 *   {
 *       const struct CMUnitTest tests[] = {cmocka_unit_test(reads_iris)};
 *       return cmocka_run_group_tests(tests, NULL, NULL);
 *   }
 *
 * A program ends with 77 when all its cases were skipped; its last line counts its cases for `dev test`. */
#ifndef GR_TEST_H
#define GR_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "gradus/base.h"

/* Path of a file or folder of the test data ($GRADUS_DATA, else ../shared/data beside the source tree); NULL where it
 * is absent, and the reason is printed. The text is valid for the next 15 calls. */
const char *test_data(const char *relative);

/* Path of something in the source tree ("tests/data/x.json"). The text is valid for the next 15 calls. */
const char *test_source(const char *relative);

/* A fresh empty folder. It goes with test_rmtree(), at the latest when the program ends. */
const char *test_tmpdir(void);
void test_rmtree(const char *path);

/* dir/name, the file written with n bytes; the text is valid for the next 15 calls. */
const char *test_write(const char *dir, const char *name, const void *bytes, size_t n);

/* How many of a are in b; n each. */
static inline size_t test_in_both(const uint64_t *a, const uint64_t *b, size_t n)
{
    size_t both = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++)
            if (a[i] == b[k]) {
                both++;
                break;
            }
    return both;
}

/* expr must succeed; else the test fails with the sentence of gr_message(). */
#define assert_ok(expr)                                                                                      \
    do {                                                                                                     \
        gr_status test_status = (expr);                                                                      \
        if (test_status != GR_OK) fail_msg("%s: %s (%s)", #expr, gr_message(), gr_status_name(test_status)); \
    } while (0)

/* expr must fail with this status, and its message must contain 'part' (NULL: anything but an empty message). */
#define assert_fails(expr, status, part) test_assert_fails((expr), (status), (part), #expr, __FILE__, __LINE__)

void test_assert_fails(gr_status got, gr_status wanted, const char *part, const char *expr, const char *file, int line);

/* Same as cmocka's, with counting. */
#undef skip
#define skip()                     \
    do {                           \
        test_count_skip();         \
        _skip(__FILE__, __LINE__); \
    } while (0)

/* Same, with the reason in words ("this processor has no AVX-512"). */
#define test_skip(reason)                      \
    do {                                       \
        printf("skip reason: %s\n", (reason)); \
        skip();                                \
    } while (0)

#undef cmocka_run_group_tests
#define cmocka_run_group_tests(tests, setup, teardown) \
    test_run(#tests, tests, sizeof(tests) / sizeof((tests)[0]), setup, teardown)

void test_count_skip(void);
int test_run(const char *name, const struct CMUnitTest *tests, size_t n, CMFixtureFunction setup,
             CMFixtureFunction teardown);

#endif
