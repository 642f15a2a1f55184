/* Products that take their program along, and packed weights: the same bits as product by product, also when weights
 * change between two runs. */
#include "tests/test.h"

#include "base/alloc.h"
#include "gradus/nn.h"
#include "gradus/ops.h"
#include "gradus/plan.h"
#include "kernel/cpu.h"
#include "kernel/onednn.h"

#include <stdlib.h>
#include <string.h>

enum { N = 2, EDGE = 9, CLASSES = 70, WIDTH = 300, PLACES = 25 };

/* Windows of 3 x 3 and of one place, steps of two, a residual, one value that two programs read, a linear layer. */
static gr_value network(gr_graph *g)
{
    gr_value x = gr_input(g, "x", GR_F32, 4, (int64_t[]){N, EDGE, EDGE, 5});
    gr_conv_layer_options three = {.same = true}, half = {.stride = {2}, .no_bias = true}, one = {.no_bias = true};
    gr_batch_norm_options fixed = {.evaluate = true};
    gr_value h = gr_relu(g, gr_conv_layer(g, "first", x, 40, 3, &three));
    gr_value k = gr_batch_norm_layer(g, "norm", gr_conv_layer(g, "second", h, 40, 1, &one), &fixed);
    h = gr_relu(g, gr_add(g, k, h));
    h = gr_gelu(g, gr_batch_norm_layer(g, "norm2", gr_conv_layer(g, "third", h, 33, 3, &half), &fixed));
    gr_value flat = gr_reshape(g, h, 2, (int64_t[]){N, -1});
    return gr_tanh(g, gr_linear(g, "head", flat, CLASSES, NULL));
}

/* Whole steps of channels, as dot products want them: a residual of a convolution, long sums, rows that end within a panel, and a residual
 * in f32 that the result may lie over while sums are not done. */
static gr_value wide_network(gr_graph *g)
{
    gr_value x = gr_input(g, "x", GR_F32, 4, (int64_t[]){N, EDGE, EDGE, 64});
    gr_conv_layer_options three = {.same = true}, half = {.stride = {2}, .before = {1, 1}, .after = {1, 1}},
                          plain = {.same = true, .no_bias = true};
    gr_batch_norm_options fixed = {.evaluate = true};
    gr_value h = gr_relu(g, gr_batch_norm_layer(g, "norm", gr_conv_layer(g, "first", x, 64, 3, &three), &fixed));
    gr_value k = gr_batch_norm_layer(g, "norm2", gr_conv_layer(g, "second", h, 64, 3, &plain), &fixed);
    h = gr_relu(g, gr_add(g, k, h));
    h = gr_relu(g, gr_batch_norm_layer(g, "norm3", gr_conv_layer(g, "third", h, 320, 3, &half), &fixed));
    h = gr_relu(g, gr_conv_layer(g, "fourth", h, WIDTH, 3, &three));
    h = gr_reshape(g, h, 2, (int64_t[]){N * PLACES, WIDTH});
    gr_value stream = gr_tanh(g, gr_cast(g, h, GR_F32));
    h = gr_relu(g, gr_linear(g, "head", h, 1100, NULL));
    return gr_add(g, gr_linear(g, "tail", h, WIDTH, NULL), stream);
}

/* Rows one by one, whose axis of one has the stride of another axis. */
static gr_value single_rows(gr_graph *g)
{
    gr_value x = gr_permute(g, gr_input(g, "x", GR_F32, 3, (int64_t[]){1, N, 128}), (int[]){1, 0, 2});
    return gr_tanh(g, gr_linear(g, "head", gr_relu(g, gr_linear(g, "third", x, 64, NULL)), CLASSES, NULL));
}

typedef gr_value build_fn(gr_graph *g);

typedef struct subject {
    gr_graph *g;
    gr_store *store;
} subject;

static void subject_open(subject *s, build_fn *build, bool bf16)
{
    assert_ok(gr_graph_new(&s->g));
    assert_ok(gr_store_new(&s->store));
    gr_value y = build(s->g);
    if (bf16) assert_ok(gr_autocast_bf16(s->g));
    gr_output(s->g, "run", "y", y);
    assert_ok(gr_graph_status(s->g));
    assert_ok(gr_store_prepare(s->store, s->g, 3));
}

static void subject_close(subject *s)
{
    gr_store_free(&s->store);
    gr_graph_free(&s->g);
}

static gr_session *open_session(const subject *s, bool fuse, gr_plan **plan)
{
    gr_session *session;
    gr_tensor x;
    assert_ok(gr_plan_compile(s->g, "run", &(gr_plan_options){.no_fuse = !fuse}, plan));
    assert_ok(gr_session_new(*plan, s->store, &session));
    assert_ok(gr_session_input(session, "x", &x));
    for (int64_t i = 0; i < gr_tensor_count(&x); i++) gr_tensor_set(&x, i, (double)((i * 37 + 11) % 101) / 50 - 1);
    return session;
}

static float *run(gr_session *session, int64_t count)
{
    gr_tensor y;
    assert_ok(gr_session_run(session));
    assert_ok(gr_session_output(session, "y", &y));
    assert_int_equal(gr_tensor_count(&y), count);
    float *copy = malloc((size_t)count * sizeof *copy);
    assert_non_null(copy);
    for (int64_t i = 0; i < count; i++) copy[i] = (float)gr_tensor_get(&y, i);
    return copy;
}

static void change(subject *s, const char *name)
{
    gr_tensor w;
    assert_ok(gr_store_get(s->store, name, &w));
    for (int64_t i = 0; i < gr_tensor_count(&w); i++) gr_tensor_set(&w, i, -1.5 * gr_tensor_get(&w, i));
    gr_store_touch(s->store);
}

/* The plan's kernels say what is fused and packed; weights change between two runs. */
static void check(build_fn *build, int64_t count, bool bf16, int n_products)
{
    subject s;
    gr_plan *plan[2];
    char *text;
    size_t bytes = (size_t)count * sizeof(float);
    gr__dnn_hide(true); /* products of the unfused plan by the same kernels */
    subject_open(&s, build, bf16);
    gr_session *plain = open_session(&s, false, &plan[0]), *fused = open_session(&s, true, &plan[1]);
    assert_ok(gr_plan_print(plan[1], &text));
    const char *at = text;
    int products = 0;
    while ((at = strstr(at, "product.fused"))) products++, at++;
    assert_int_equal(products, n_products);
    assert_non_null(strstr(text, "pack "));
    if (bf16 && gr__cpu_has_tiles()) assert_null(strstr(text, "matmul"));
    gr_text_free(text);
    float *first = run(plain, count), *same = run(fused, count), *again = run(fused, count);
    assert_memory_equal(same, first, bytes);
    assert_memory_equal(again, first, bytes);
    change(&s, "third.weight");
    change(&s, "head.weight");
    float *second = run(plain, count), *packed_again = run(fused, count);
    assert_memory_equal(packed_again, second, bytes);
    assert_true(memcmp(first, second, bytes) != 0);
    float *all[] = {first, same, again, second, packed_again};
    for (size_t i = 0; i < GR__COUNT(all); i++) free(all[i]);
    gr_session_free(&plain);
    gr_session_free(&fused);
    gr_plan_free(&plan[0]);
    gr_plan_free(&plan[1]);
    subject_close(&s);
    gr__dnn_hide(false);
}

static void on_tiles(void **state)
{
    (void)state;
    if (!gr__cpu_has_tiles()) test_skip("this processor has no tiles");
    check(network, N * CLASSES, true, 4);
    check(wide_network, N * PLACES * WIDTH, true, 6);
}

/* Vectors take the linear layer alone where channels do not come in whole steps. */
static void by_dot_products(void **state)
{
    (void)state;
    if (gr__cpu_has_tiles() || gr__cpu_get_level() < GR__CPU_AVX512 || !gr__cpu()->bf16)
        test_skip("no tiles and dot products of bf16 wanted");
    check(network, N * CLASSES, true, 1);
    for (int threads = 1; threads <= 2; threads++) {
        assert_ok(gr_set_threads(threads));
        check(wide_network, N * PLACES * WIDTH, true, 6);
    }
    assert_ok(gr_set_threads(0));
}

/* f32: the linear layer alone, whose rows are few. */
static void few_rows(void **state)
{
    (void)state;
    check(network, N * CLASSES, false, 1);
}

static void of_single_rows(void **state)
{
    (void)state;
    check(single_rows, N * CLASSES, false, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(on_tiles), cmocka_unit_test(by_dot_products),
                                       cmocka_unit_test(few_rows), cmocka_unit_test(of_single_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
