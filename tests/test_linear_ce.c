/* linear_cross_entropy in bf16, in parts and blocks of words, beside f32 on the same numbers: loss and both gradients. */
#include "tests/test.h"

#include "base/alloc.h"
#include "gradus/nn.h"
#include "gradus/ops.h"
#include "gradus/plan.h"
#include "kernel/cpu.h"

#include <math.h>
#include <string.h>

typedef struct size {
    int64_t rows, c, words;
    bool gradient, in_columns; /* where there are tiles or dot products of bf16 */
} size;

typedef struct result {
    double loss;
    float *dx, *dw;
} result;

/* Rows differ in how sure they are; one word of each block is loud. */
static double number(int64_t i, int64_t c)
{
    double x = (double)(i * 7919 % 1009) / 504.5 - 1, row = (double)(i / c % 7) / 3;
    return i / c % 701 == 650 ? 3 * x : row * x;
}

static bool has_columns(void) { return gr__cpu_get_level() >= GR__CPU_AVX512 && gr__cpu()->bf16; }

static float *numbers_of(gr_session *s, const char *name)
{
    gr_tensor t;
    assert_ok(gr_session_output(s, name, &t));
    float *x = gr__alloc((size_t)gr_tensor_count(&t) * sizeof *x);
    for (int64_t i = 0; i < gr_tensor_count(&t); i++) x[i] = (float)gr_tensor_get(&t, i);
    return x;
}

static void set_inputs(gr_session *s, const size *z)
{
    static const char *const names[] = {"x", "w"};
    gr_tensor t;
    for (int k = 0; k < 2; k++) {
        assert_ok(gr_session_input(s, names[k], &t));
        for (int64_t i = 0; i < gr_tensor_count(&t); i++)
            gr_tensor_set(&t, i, number(i, z->c) * (k ? 3 / sqrt((double)z->c) : 2));
    }
    assert_ok(gr_session_input(s, "t", &t));
    for (int64_t i = 0; i < z->rows; i++) /* some rows do not count */
        gr_tensor_set(&t, i, (double)(i % 13 == 5 ? -1 : i % 17 == 3 ? z->words : i * 131 % z->words));
}

static result run(const size *z, bool bf16)
{
    gr_graph *g;
    gr_plan *plan;
    gr_session *s;
    gr_store *store;
    gr_value d[2], leaf[2], low[2], count;
    char *text;
    result r = {0};
    assert_ok(gr_graph_new(&g));
    assert_ok(gr_store_new(&store));
    leaf[0] = gr_input(g, "x", GR_F32, 2, (int64_t[]){z->rows, z->c});
    leaf[1] = gr_input(g, "w", GR_F32, 2, (int64_t[]){z->words, z->c});
    for (int k = 0; k < 2; k++) {
        low[k] = gr_cast(g, leaf[k], GR_BF16);
        if (!bf16) low[k] = gr_cast(g, low[k], GR_F32);
    }
    gr_value loss = gr_linear_cross_entropy(g, low[0], low[1], gr_input(g, "t", GR_I32, 1, &z->rows), &count);
    gr_output(g, "run", "loss", loss);
    if (z->gradient) {
        assert_ok(gr_grad(g, loss, leaf, 2, d));
        gr_output(g, "run", "dx", d[0]);
        gr_output(g, "run", "dw", d[1]);
    }
    assert_ok(gr_plan_compile(g, "run", NULL, &plan));
    assert_ok(gr_plan_print(plan, &text));
    if (bf16 && has_columns() && z->in_columns != !!strstr(text, "linear_cross_entropy.columns ("))
        fail_msg("%lld rows: another kernel than wanted:\n%s", (long long)z->rows, text);
    gr_text_free(text);
    assert_ok(gr_session_new(plan, store, &s));
    set_inputs(s, z);
    assert_ok(gr_session_run(s));
    assert_ok(gr_session_run(s)); /* what lay in dweight does not matter */
    float *sum = numbers_of(s, "loss");
    r.loss = (double)*sum;
    gr__free(sum);
    if (z->gradient) r.dx = numbers_of(s, "dx"), r.dw = numbers_of(s, "dw");
    gr_session_free(&s);
    gr_plan_free(&plan);
    gr_store_free(&store);
    gr_graph_free(&g);
    return r;
}

/* Row by row, beside the largest number of the row. */
static void assert_rows(const char *what, const float *got, const float *want, int64_t rows, int64_t c, double share)
{
    for (int64_t r = 0; r < rows; r++) {
        double most = 0, off = 0;
        for (int64_t i = r * c; i < (r + 1) * c; i++) {
            most = fmax(most, fabs((double)want[i]));
            off = fmax(off, fabs((double)got[i] - (double)want[i]));
        }
        if (!(off <= share * most + 1e-4)) fail_msg("%s, row %lld: off by %g of %g", what, (long long)r, off, most);
    }
}

static void like_f32(void **state)
{
    (void)state;
    bool tiles = gr__cpu_has_tiles();
    const size sizes[] = {
        {300, 160, 4500, true, true}, /* two blocks, the last part of each is narrow */
        {16, 8, 700, true, true},     /* as many rows as dweight has room for */
        {40, 8, 700, true, tiles},    /* more */
        {40, 8, 700, false, true},    /* the loss alone */
    };
    for (size_t i = 0; i < GR__COUNT(sizes); i++) {
        const size *z = &sizes[i];
        result got = run(z, true), want = run(z, false);
        bool exact = has_columns() && z->in_columns; /* logits in chunks of rows are rounded to bf16 */
        double off = fabs(got.loss / want.loss - 1), share = exact ? 0.04 : 0.4;
        if (!(off <= (exact ? 1e-5 : 1e-3))) fail_msg("the loss is off by %g", off);
        if (!z->gradient) continue;
        assert_rows("dx", got.dx, want.dx, z->rows, z->c, share);
        assert_rows("dweight", got.dw, want.dw, z->words, z->c, share);
        gr__free(got.dx), gr__free(got.dw), gr__free(want.dx), gr__free(want.dw);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(like_f32)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
