/* The examples that take minutes, whole: MNIST's zeros with either schedule, its ten digits by LeNet and by a list of
 * layers, the GPT on stories, and the questions. */
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

static void questions(void **state)
{
    (void)state;
    if (!test_data("classification/trec/train.txt")) skip();
    gr_run *run = open_example("examples/questions.yaml", NULL, 0, NULL);
    assert_ok(gr_run_train(run, NULL));
    double accuracy = metric_of(run, "accuracy");
    print_message("questions: accuracy %.4f\n", accuracy);
    assert_true(accuracy >= 0.78);
    gr_run_close(&run);
}

static void labels_of(const char *config, const char *data, double least)
{
    if (!test_data(data)) skip();
    gr_run *run = open_example(config, NULL, 0, NULL);
    assert_ok(gr_run_train(run, NULL));
    double accuracy = metric_of(run, "accuracy");
    print_message("%s: accuracy %.4f\n", config, accuracy);
    assert_true(accuracy >= least);
    gr_run_close(&run);
}

static void fsdd_digits(void **state)
{
    (void)state;
    labels_of("examples/fsdd_digits.yaml", "speech/fsdd/0_george_0.wav", 0.97);
}

static void clips_direction(void **state)
{
    (void)state;
    labels_of("examples/clips_direction.yaml", "images/mnist/train-images-idx3-ubyte.gz", 0.97);
}

static void clips_digit(void **state)
{
    (void)state;
    labels_of("examples/clips_digit.yaml", "images/mnist/train-images-idx3-ubyte.gz", 0.97);
}

static void fsdd_strings(void **state)
{
    (void)state;
    if (!test_data("speech/fsdd/0_george_0.wav")) skip();
    gr_run *run = open_example("examples/fsdd_strings.yaml", NULL, 0, NULL);
    assert_ok(gr_run_train(run, NULL));
    double wer = metric_of(run, "wer");
    print_message("fsdd_strings: WER %.4f\n", wer);
    assert_true(wer <= 0.05);
    gr_run_close(&run);
}

static void mnist_lenet(void **state)
{
    (void)state;
    labels_of("examples/mnist_lenet.yaml", "images/mnist/train-images-idx3-ubyte.gz", 0.99);
}

static void mnist_layers(void **state)
{
    (void)state;
    labels_of("examples/mnist_layers.yaml", "images/mnist/train-images-idx3-ubyte.gz", 0.976);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(digits_inverse),  cmocka_unit_test(digits_linear),
                                       cmocka_unit_test(story_gpt),       cmocka_unit_test(questions),
                                       cmocka_unit_test(mnist_lenet),     cmocka_unit_test(fsdd_digits),
                                       cmocka_unit_test(clips_direction), cmocka_unit_test(clips_digit),
                                       cmocka_unit_test(fsdd_strings),    cmocka_unit_test(mnist_layers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
