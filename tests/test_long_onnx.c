/* Every conformance test of ONNX that is here: none may fail, and no fewer may pass than did. */
#include "tests/test.h"

#include "base/compiler.h"
#include "gradus/onnx.h"

#include <string.h>

static bool count(void *user, const gr_onnx_result *r)
{
    int *n = user;
    n[r->verdict]++;
    if (r->verdict == GR_ONNX_FAILED) print_message("%s: %s\n", r->test, r->why);
    return true;
}

static void conforms(void **state)
{
    (void)state;
    static const struct {
        const char *archive;
        int least;
    } all[] = {{"light", 9}, {"node-shared", 745}, {"pytorch-converted", 81}};
    for (size_t i = 0; i < GR__COUNT(all); i++) {
        char name[128];
        int n[GR_ONNX_VERDICT_COUNT] = {0};
        snprintf(name, sizeof name, "conformance/onnx/%s.tar.gz", all[i].archive);
        const char *path = test_data(name);
        if (!path) skip();
        assert_ok(gr_onnx_check(path, NULL, count, n));
        print_message("%s: %d passed, %d refused\n", name, n[GR_ONNX_PASSED], n[GR_ONNX_REFUSED]);
        assert_int_equal(n[GR_ONNX_FAILED], 0);
        assert_true(n[GR_ONNX_PASSED] >= all[i].least);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(conforms)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
