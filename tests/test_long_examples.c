/* The two examples that take a minute, whole: MNIST's zeros with either schedule, and the GPT on stories. */
#include "tests/examples_rig.h"

static void digits(const char *config)
{
    if (!test_data("images/mnist/train-images-idx3-ubyte.gz")) skip();
    char command[4096];
    snprintf(command, sizeof command, "digits %s", test_source(config));
    double f1 = number_after(run_example(command), "f1 ");
    print_message("%s: F1 %.4f\n", config, f1);
    assert_true(f1 >= 0.98);
}

static void digits_inverse(void **state)
{
    (void)state;
    digits("examples/digits_inverse.yaml");
}

static void digits_linear(void **state)
{
    (void)state;
    digits("examples/digits_linear.yaml");
}

static void story_gpt(void **state)
{
    (void)state;
    const char *text = run_example("story_gpt");
    double before = number_after(text, "before  loss "), after = number_after(text, "after   loss ");
    print_message("story_gpt: loss %.4f before, %.4f after\n", before, after);
    assert_true(after < before - 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(digits_inverse), cmocka_unit_test(digits_linear),
                                       cmocka_unit_test(story_gpt)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
