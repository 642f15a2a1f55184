/* Plans and sessions: updates of states in place and out of it, guards, hoisted work, memory, errors; and random
 * programs against the interpreter. */
#include "tests/test.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "gradus/nn.h"
#include "pass/interpret.h"
#include "plan/plan.h"
#include "tensor/convert.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- a graph with a store and one session ---- */

typedef struct bench {
    gr_graph *g;
    gr_store *store;
    gr_plan *plan;
    gr_session *s;
} bench;

static void bench_open(bench *b)
{
    *b = (bench){0};
    assert_ok(gr_graph_new(&b->g));
    assert_ok(gr_store_new(&b->store));
}

static void bench_bind(bench *b, const char *program, const gr_plan_options *o)
{
    assert_ok(gr_graph_status(b->g));
    assert_ok(gr_store_prepare(b->store, b->g, 1));
    assert_ok(gr_plan_compile(b->g, program, o, &b->plan));
    assert_ok(gr_session_new(b->plan, b->store, &b->s));
}

static void bench_close(bench *b)
{
    gr_session_free(&b->s);
    gr_plan_free(&b->plan);
    gr_store_free(&b->store);
    gr_graph_free(&b->g);
}

static float *state(bench *b, const char *path)
{
    gr_tensor t;
    assert_ok(gr_store_get(b->store, path, &t));
    return t.data;
}

static float *input(gr_session *s, const char *name)
{
    gr_tensor t;
    assert_ok(gr_session_input(s, name, &t));
    return t.data;
}

static const float *output(gr_session *s, const char *name)
{
    gr_tensor t;
    assert_ok(gr_session_output(s, name, &t));
    return t.data;
}

static void set(float *to, int n, double first, double step)
{
    for (int i = 0; i < n; i++) to[i] = (float)(first + step * i);
}

static void assert_floats(const float *got, const float *want, int n)
{
    for (int i = 0; i < n; i++)
        if (fabsf(got[i] - want[i]) > 1e-6f * fmaxf(1, fabsf(want[i])))
            fail_msg("[%d] is %g, not %g", i, (double)got[i], (double)want[i]);
}

static int count_of(const gr_plan *plan, const char *word)
{
    char *text;
    int n = 0;
    assert_ok(gr_plan_print(plan, &text));
    for (const char *at = text; (at = strstr(at, word)) != NULL; at += strlen(word)) n++;
    gr_text_free(text);
    return n;
}

static const int64_t four[] = {4}, square[] = {3, 3};
static const gr_init ones = {.kind = GR_INIT_CONSTANT, .a = 1};

/* ---- updates ---- */

static void in_place(void **st)
{
    (void)st;
    bench b;
    bench_open(&b);
    gr_value w = gr_param(b.g, "w", 1, four, &ones), x = gr_input(b.g, "x", GR_F32, 1, four);
    gr_update(b.g, "step", w, gr_sub(b.g, w, gr_affine(b.g, x, 0.5, 0)));
    bench_bind(&b, "step", NULL);
    set(input(b.s, "x"), 4, 0, 2);
    assert_ok(gr_session_run(b.s));
    assert_ok(gr_session_run(b.s));
    assert_floats(state(&b, "w"), (float[]){1, -1, -3, -5}, 4);
    assert_int_equal(count_of(b.plan, "copy"), 0);
    bench_close(&b);
}

/* Outputs and updates that show a state, also through views, show it as it was before the run. */
static void old_states(void **st)
{
    (void)st;
    bench b;
    bench_open(&b);
    gr_value w = gr_param(b.g, "w", 2, (int64_t[]){2, 2}, &ones), kept = gr_state(b.g, "kept", GR_F32, 1, four, NULL);
    gr_value fresh = gr_affine(b.g, w, 2, 1), flat = gr_reshape(b.g, w, 1, four);
    gr_update(b.g, "step", w, fresh);
    gr_update(b.g, "step", kept, flat);
    gr_output(b.g, "step", "old", w);
    gr_output(b.g, "step", "view", gr_transpose(b.g, w, 0, 1));
    gr_output(b.g, "step", "double", gr_affine(b.g, w, 2, 0));
    gr_output(b.g, "step", "fresh", fresh);
    bench_bind(&b, "step", NULL);
    set(state(&b, "w"), 4, 0, 1);
    assert_ok(gr_session_run(b.s));
    assert_floats(output(b.s, "old"), (float[]){0, 1, 2, 3}, 4);
    assert_floats(output(b.s, "view"), (float[]){0, 2, 1, 3}, 4);
    assert_floats(output(b.s, "double"), (float[]){0, 2, 4, 6}, 4);
    assert_floats(output(b.s, "fresh"), (float[]){1, 3, 5, 7}, 4);
    assert_floats(state(&b, "kept"), (float[]){0, 1, 2, 3}, 4);
    assert_floats(state(&b, "w"), (float[]){1, 3, 5, 7}, 4);
    assert_ok(gr_session_run(b.s));
    assert_floats(state(&b, "kept"), (float[]){1, 3, 5, 7}, 4);
    bench_close(&b);
}

static void swap(void **st)
{
    (void)st;
    bench b;
    bench_open(&b);
    gr_value a = gr_param(b.g, "a", 1, four, NULL), c = gr_param(b.g, "c", 1, four, NULL);
    gr_update(b.g, "swap", a, c);
    gr_update(b.g, "swap", c, a);
    bench_bind(&b, "swap", NULL);
    set(state(&b, "a"), 4, 0, 1);
    set(state(&b, "c"), 4, 10, 1);
    assert_ok(gr_session_run(b.s));
    assert_floats(state(&b, "a"), (float[]){10, 11, 12, 13}, 4);
    assert_floats(state(&b, "c"), (float[]){0, 1, 2, 3}, 4);
    bench_close(&b);
}

/* An average reads the new weight; another state takes the same value. */
static void reads_new(void **st)
{
    (void)st;
    bench b;
    bench_open(&b);
    gr_value w = gr_param(b.g, "w", 1, four, &ones), e = gr_state(b.g, "e", GR_F32, 1, four, NULL),
             twin = gr_state(b.g, "twin", GR_F32, 1, four, NULL);
    gr_value fresh = gr_affine(b.g, w, 1, 1);
    gr_update(b.g, "step", w, fresh);
    gr_update(b.g, "step", twin, fresh);
    gr_update(b.g, "step", e, gr_add(b.g, gr_affine(b.g, e, 0.5, 0), gr_affine(b.g, fresh, 0.5, 0)));
    bench_bind(&b, "step", NULL);
    assert_ok(gr_session_run(b.s));
    assert_ok(gr_session_run(b.s));
    for (int i = 0; i < 4; i++) {
        assert_true(state(&b, "w")[i] == 3 && state(&b, "twin")[i] == 3);
        assert_true(fabsf(state(&b, "e")[i] - 2) < 1e-6f);
    }
    bench_close(&b);
}

/* A state that is seen otherwise by the node that overwrites it. */
static void reads_itself_otherwise(void **st)
{
    (void)st;
    for (int fuse = 0; fuse < 2; fuse++) {
        bench b;
        bench_open(&b);
        gr_value a = gr_param(b.g, "a", 2, square, NULL), c = gr_param(b.g, "c", 2, square, NULL),
                 d = gr_param(b.g, "d", 2, square, NULL), e = gr_param(b.g, "e", 2, square, NULL);
        gr_update(b.g, "step", a, gr_sub(b.g, a, gr_transpose(b.g, a, 0, 1)));
        gr_update(b.g, "step", c, gr_add(b.g, c, gr_slice(b.g, c, 0, 0, 1)));
        gr_update(b.g, "step", d, gr_mul(b.g, d, d));
        gr_update(b.g, "step", e, gr_matmul_add(b.g, e, e, e, NULL));
        bench_bind(&b, "step", &(gr_plan_options){.no_fuse = !fuse});
        for (const char *p = "acde"; *p; p++) set(state(&b, (char[]){*p, 0}), 9, 0, 1);
        assert_ok(gr_session_run(b.s));
        assert_floats(state(&b, "a"), (float[]){0, -2, -4, 2, 0, -2, 4, 2, 0}, 9);
        assert_floats(state(&b, "c"), (float[]){0, 2, 4, 3, 5, 7, 6, 8, 10}, 9);
        assert_floats(state(&b, "d"), (float[]){0, 1, 4, 9, 16, 25, 36, 49, 64}, 9);
        assert_floats(state(&b, "e"), (float[]){15, 19, 23, 45, 58, 71, 75, 97, 119}, 9);
        bench_close(&b);
    }
}

/* Large enough for kernels to write a part before they read the rest. */
static void adds_its_first_row(void **st)
{
    (void)st;
    enum { ROWS = 70, COLS = 600 };
    bench b;
    bench_open(&b);
    gr_value w = gr_param(b.g, "w", 2, (int64_t[]){ROWS, COLS}, NULL);
    gr_update(b.g, "step", w, gr_add(b.g, w, gr_slice(b.g, w, 0, 0, 1)));
    bench_bind(&b, "step", NULL);
    float *x = state(&b, "w");
    for (int i = 0; i < ROWS * COLS; i++) x[i] = (float)(i % COLS + 1);
    assert_ok(gr_session_run(b.s));
    for (int i = 0; i < ROWS * COLS; i++)
        if (x[i] != (float)(2 * (i % COLS + 1))) fail_msg("[%d] is %g", i, (double)x[i]);
    bench_close(&b);
}

/* The same for values that die in the op: a product may be added to its own factor only in another place. */
static void reads_dying_value_otherwise(void **st)
{
    (void)st;
    for (int fuse = 0; fuse < 2; fuse++) {
        bench b;
        bench_open(&b);
        gr_value x = gr_input(b.g, "x", GR_F32, 2, square), h = gr_softmax(b.g, x),
                 k = gr_softmax(b.g, gr_affine(b.g, x, 2, 0));
        gr_output(b.g, "run", "product", gr_add(b.g, h, gr_matmul(b.g, h, h, NULL)));
        gr_output(b.g, "run", "row", gr_sub(b.g, k, gr_slice(b.g, k, 0, 0, 1)));
        bench_bind(&b, "run", &(gr_plan_options){.no_fuse = !fuse});
        set(input(b.s, "x"), 9, 0, 0);
        input(b.s, "x")[4] = logf(2);
        assert_ok(gr_session_run(b.s));
        const float t = 1.0f / 3, h9[] = {t, t, t, .25f, .5f, .25f, t, t, t};
        const float k9[] = {0, 0, 0, 1.0f / 6 - t, 4.0f / 6 - t, 1.0f / 6 - t, 0, 0, 0};
        float want[9];
        for (int i = 0; i < 9; i++) {
            want[i] = h9[i];
            for (int m = 0; m < 3; m++) want[i] += h9[i / 3 * 3 + m] * h9[m * 3 + i % 3];
        }
        assert_floats(output(b.s, "product"), want, 9);
        assert_floats(output(b.s, "row"), k9, 9);
        bench_close(&b);
    }
}

/* ---- guards ---- */

static void guards(void **st)
{
    (void)st;
    for (int kind = 0; kind < 4; kind++) {
        bench b;
        bench_open(&b);
        gr_value w = gr_param(b.g, "w", 1, four, &ones), x = gr_input(b.g, "x", GR_F32, 1, four),
                 frozen = gr_param(b.g, "frozen", 0, NULL, &ones), one = gr_input(b.g, "one", GR_F32, 0, NULL);
        gr_scope_push(b.g, "layer");
        gr_value y = gr_log(b.g, gr_mul(b.g, x, w));
        gr_scope_pop(b.g);
        gr_value fresh = gr_add(b.g, w, y);
        gr_update(b.g, "step", w,
                  kind == 1 ? gr_reshape(b.g, gr_reshape(b.g, fresh, 2, (int64_t[]){2, 2}), 1, four) : fresh);
        gr_guard(b.g, "step",
                 kind == 0 || kind == 1 ? gr_sum(b.g, y, 0, false)
                 : kind == 2            ? one
                                        : gr_log(b.g, frozen));
        gr_output(b.g, "step", "one", gr_affine(b.g, one, 1, 1));
        bench_bind(&b, "step", NULL);
        set(input(b.s, "x"), 4, 1, 1);
        *input(b.s, "one") = 1;
        assert_ok(gr_session_run(b.s));
        assert_true(state(&b, "w")[3] != 1);
        float before[4];
        memcpy(before, state(&b, "w"), sizeof before);
        if (kind < 2)
            input(b.s, "x")[2] = 0;
        else if (kind == 2)
            *input(b.s, "one") = NAN;
        else
            *state(&b, "frozen") = 0;
        gr_store_touch(b.store);
        assert_fails(gr_session_run(b.s), GR_ERR_NUMERIC, "step");
        assert_memory_equal(before, state(&b, "w"), sizeof before);
        if (kind == 0)
            assert_fails(gr_session_find_nonfinite(b.s), GR_ERR_NUMERIC, "layer: the result of 'map' (mul, log");
        assert_memory_equal(before, state(&b, "w"), sizeof before);
        if (kind < 2)
            input(b.s, "x")[2] = 3;
        else if (kind == 2)
            *input(b.s, "one") = 1;
        else
            *state(&b, "frozen") = 1;
        gr_store_touch(b.store);
        assert_ok(gr_session_run(b.s));
        if (kind < 3) assert_ok(gr_session_find_nonfinite(b.s));
        bench_close(&b);
    }
}

static void names_the_state(void **st)
{
    (void)st;
    bench b;
    bench_open(&b);
    gr_value w = gr_param(b.g, "w", 1, four, &ones);
    gr_output(b.g, "run", "y", gr_affine(b.g, w, 2, 0));
    bench_bind(&b, "run", NULL);
    assert_ok(gr_session_find_nonfinite(b.s));
    state(&b, "w")[1] = INFINITY;
    assert_fails(gr_session_find_nonfinite(b.s), GR_ERR_NUMERIC, "'w'");
    bench_close(&b);
}

/* ---- work on states alone ---- */

static void hoisted(void **st)
{
    (void)st;
    bench b;
    bench_open(&b);
    gr_value w = gr_param(b.g, "w", 2, (int64_t[]){4, 4}, NULL), x = gr_input(b.g, "x", GR_F32, 2, (int64_t[]){2, 4});
    gr_value y =
        gr_matmul(b.g, gr_cast(b.g, x, GR_BF16), gr_cast(b.g, w, GR_BF16), &(gr_matmul_options){.out_dtype = GR_F32});
    gr_output(b.g, "run", "y", gr_sum(b.g, y, 0, false));
    gr_update(b.g, "grow", w, gr_affine(b.g, w, 1, 1));
    bench_bind(&b, "run", NULL);
    assert_true(b.plan->n_prepare > 0);
    gr_plan *grow;
    gr_session *growing;
    assert_ok(gr_plan_compile(b.g, "grow", NULL, &grow));
    assert_ok(gr_session_new(grow, b.store, &growing));
    set(input(b.s, "x"), 8, 1, 0);
    assert_ok(gr_session_run(b.s));
    assert_true(*output(b.s, "y") == 0);
    set(state(&b, "w"), 16, 1, 0);
    assert_ok(gr_session_run(b.s));
    assert_true(*output(b.s, "y") == 0); /* nobody said that it changed */
    gr_store_touch(b.store);
    assert_ok(gr_session_run(b.s));
    assert_true(*output(b.s, "y") == 32);
    assert_ok(gr_session_run(growing)); /* another program changes it */
    assert_ok(gr_session_run(b.s));
    assert_true(*output(b.s, "y") == 64);
    gr_session_free(&growing);
    gr_plan_free(&grow);
    bench_close(&b);
}

/* ---- sessions ---- */

static void two_sessions(void **st)
{
    (void)st;
    bench b;
    bench_open(&b);
    gr_value own = gr_session_state(b.g, "count", GR_F32, 1, four), x = gr_input(b.g, "x", GR_F32, 1, four);
    gr_value w = gr_param(b.g, "w", 1, four, &ones), more = gr_add(b.g, own, gr_mul(b.g, x, w));
    gr_update(b.g, "run", own, more);
    gr_output(b.g, "run", "sum", gr_sum(b.g, more, 0, false));
    bench_bind(&b, "run", NULL);
    gr_session *other, *shared;
    assert_ok(gr_session_new(b.plan, b.store, &other));
    assert_ok(gr_session_new_shared(b.plan, b.store, b.s, &shared));
    set(input(b.s, "x"), 4, 1, 0);
    set(input(other, "x"), 4, 10, 0);
    set(input(shared, "x"), 4, 100, 0);
    assert_ok(gr_session_run(b.s));
    assert_ok(gr_session_run(other));
    assert_ok(gr_session_run(shared));
    assert_true(*output(b.s, "sum") == 4 && *output(other, "sum") == 40 && *output(shared, "sum") == 404);
    gr_tensor t;
    assert_ok(gr_session_get_state(b.s, "count", &t));
    assert_true(((float *)t.data)[0] == 101);
    assert_fails(gr_session_get_state(b.s, "cuont", &t), GR_ERR_NOT_FOUND, "did you mean 'count'");
    gr_session_free(&shared);
    gr_session_free(&other);
    bench_close(&b);
}

static void errors(void **st)
{
    (void)st;
    bench b;
    gr_tensor t;
    gr_session *s;
    bench_open(&b);
    gr_value w = gr_param(b.g, "weights", 1, four, NULL), x = gr_input(b.g, "pixels", GR_F32, 1, four);
    gr_output(b.g, "run", "result", gr_add(b.g, w, x));
    assert_fails(gr_plan_compile(b.g, "walk", NULL, &b.plan), GR_ERR_NOT_FOUND, "walk");
    assert_ok(gr_plan_compile(b.g, "run", NULL, &b.plan));
    assert_fails(gr_session_new(b.plan, b.store, &b.s), GR_ERR_NOT_FOUND, "weights");
    assert_ok(gr_store_add(b.store, "weights", GR_F32, 1, (int64_t[]){5}, NULL));
    assert_fails(gr_session_new(b.plan, b.store, &b.s), GR_ERR_SHAPE, "weights");
    gr_store_free(&b.store);
    assert_ok(gr_store_new(&b.store));
    assert_ok(gr_store_prepare(b.store, b.g, 1));
    assert_ok(gr_session_new(b.plan, b.store, &s));
    assert_fails(gr_session_input(s, "pixel", &t), GR_ERR_NOT_FOUND, "did you mean 'pixels'");
    assert_fails(gr_session_output(s, "rezult", &t), GR_ERR_NOT_FOUND, "did you mean 'result'");
    assert_fails(gr_session_new(NULL, b.store, &b.s), GR_ERR_ARGUMENT, NULL);
    int threads = gr_threads();
    assert_ok(gr_set_threads(threads + 1));
    assert_fails(gr_session_run(s), GR_ERR_ARGUMENT, "threads");
    assert_ok(gr_set_threads(threads));
    gr_session_free(&s);
    bench_close(&b);
}

/* Nothing but an input that goes through, a constant, or nothing at all. */
static void tiny_programs(void **st)
{
    (void)st;
    bench b;
    bench_open(&b);
    gr_value x = gr_input(b.g, "x", GR_F32, 1, four);
    gr_output(b.g, "run", "x", x);
    gr_output(b.g, "run", "seven", gr_scalar(b.g, GR_F32, 7));
    gr_output(b.g, "run", "table", gr_constant(b.g, &(gr_tensor){GR_F32, 1, {2}, (float[]){1, 2}}));
    bench_bind(&b, "run", NULL);
    set(input(b.s, "x"), 4, 1, 1);
    assert_ok(gr_session_run(b.s));
    assert_floats(output(b.s, "x"), (float[]){1, 2, 3, 4}, 4);
    assert_true(*output(b.s, "seven") == 7 && output(b.s, "table")[1] == 2);
    bench_close(&b);
}

/* ---- memory ---- */

static size_t allocations;

static void *counted(void *user, void *pointer, size_t old_size, size_t size, size_t alignment)
{
    (void)user;
    if (size == 0) {
        free(pointer);
        return NULL;
    }
    allocations++;
    void *fresh = aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    if (fresh && pointer) memcpy(fresh, pointer, old_size < size ? old_size : size);
    if (fresh) free(pointer);
    return fresh;
}

/* x (2, 6, 8) through one causal block and a chunked loss. */
static gr_loss small_network(gr_graph *g, double dropout)
{
    gr_value ids = gr_input(g, "ids", GR_I32, 2, (int64_t[]){2, 6}),
             targets = gr_input(g, "targets", GR_I32, 2, (int64_t[]){2, 6});
    gr_value x = gr_embedding_layer(g, "wte", ids, 11, 8, NULL), part[3];
    gr_block_push(g, "h.0");
    gr_value qkv = gr_linear(g, "qkv", gr_layer_norm_layer(g, "ln", x, NULL), 24, NULL);
    for (int i = 0; i < 3; i++) part[i] = gr_reshape(g, gr_slice(g, qkv, 2, 8 * i, 8), 4, (int64_t[]){2, 6, 2, 4});
    gr_value a = gr_attention(g, part[0], part[1], part[2], &(gr_attention_options){.causal = true});
    a = gr_linear(g, "out", gr_reshape(g, a, 3, (int64_t[]){2, 6, 8}), 8, NULL);
    x = gr_add(g, x, dropout > 0 ? gr_dropout(g, a, dropout) : a);
    x = gr_add(g, x, gr_linear(g, "down", gr_gelu(g, gr_linear(g, "up", x, 16, NULL)), 8, NULL));
    gr_scope_pop(g);
    gr_value head = gr_param(g, "head", 2, (int64_t[]){11, 8}, &(gr_init){.kind = GR_INIT_NORMAL, .b = 0.3});
    return gr_loss_linear_cross_entropy(g, x, head, targets, NULL);
}

static void fill_ids(gr_session *s)
{
    gr_tensor ids, targets;
    assert_ok(gr_session_input(s, "ids", &ids));
    assert_ok(gr_session_input(s, "targets", &targets));
    for (int i = 0; i < 12; i++) ((int32_t *)ids.data)[i] = i * 5 % 11, ((int32_t *)targets.data)[i] = i * 7 % 11;
}

static void no_allocation_in_a_run(void **st)
{
    (void)st;
    size_t before = gr_memory_used_bytes();
    gr_set_allocator(&(gr_allocator){.resize = counted});
    bench b;
    gr_value p[32], d[32];
    bench_open(&b);
    gr_loss loss = small_network(b.g, 0.1);
    int n = gr_graph_params(b.g, p, 32);
    assert_ok(gr_grad(b.g, loss.sum, p, n, d));
    gr_optimizer_options o = {
        .base = {.kind = GR_OPTIMIZER_ADAMW}, .weight = loss.weight, .clip_norm = 1, .ema_decay = 0.9};
    gr_optimizer_result r;
    assert_ok(gr_optimizer_apply(b.g, "step", p, d, n, &o, &r));
    gr_output(b.g, "step", "loss", gr_div(b.g, loss.sum, loss.weight));
    bench_bind(&b, "step", NULL);
    fill_ids(b.s);
    float first = 0, last = 0;
    size_t at = allocations;
    for (int i = 0; i < 20; i++) {
        gr_session_set_control(b.s, &(gr_run_control){.seed = 1, .micro_step = i, .update = i, .learning_rate = 0.01});
        assert_ok(gr_session_run(b.s));
        last = *output(b.s, "loss");
        if (i == 0) first = last;
    }
    assert_int_equal(allocations, at);
    assert_true(last < 0.8f * first);
    gr_plan_memory m = gr_plan_memory_of(b.plan);
    assert_true(m.arena_bytes > m.scratch_bytes && m.state_bytes > 0);
    bench_close(&b);
    gr_set_allocator(NULL);
    assert_int_equal(gr_memory_used_bytes(), before);
}

/* ---- large programs ---- */

/* Each slot in turn, the larger first, at the lowest place where no slot of an overlapping life is. */
static void lowest_places(const gr__slot *slot, int n, size_t *offset)
{
    bool *placed = gr__calloc((size_t)n, sizeof *placed);
    for (int turn = 0; turn < n; turn++) {
        int s = -1;
        for (int i = 0; i < n; i++)
            if (!placed[i] && (s < 0 || slot[i].bytes > slot[s].bytes)) s = i;
        offset[s] = 0;
        for (int i = 0; i < n; i++) {
            bool apart = slot[i].last < slot[s].first || slot[i].first > slot[s].last;
            if (!placed[i] || apart || offset[i] >= offset[s] + slot[s].bytes || offset[i] + slot[i].bytes <= offset[s])
                continue;
            offset[s] = offset[i] + slot[i].bytes;
            i = -1;
        }
        placed[s] = true;
    }
    gr__free(placed);
}

static void lowest_offsets(void **state)
{
    (void)state;
    enum { N = 900 };
    gr__slot slot[N];
    size_t want[N];
    for (int shape = 0; shape < 3; shape++) { /* lives: short, of any length, one inside the other */
        gr__rng r = gr__rng_make(5, (uint64_t)shape);
        for (int i = 0; i < N; i++) {
            int first = shape == 2 ? i : (int)gr__rng_below(&r, N), most = shape ? N : 5;
            int last = shape == 2 && i % 8 ? 2 * N - i : first + (int)gr__rng_below(&r, (uint64_t)most);
            slot[i] = (gr__slot){.bytes = (size_t)(1 + gr__rng_below(&r, 9)) * 64, .first = first, .last = last};
        }
        lowest_places(slot, N, want);
        gr_plan p = {.slot = slot, .n_slots = N};
        assert_ok(gr__plan_arena(&p));
        for (int i = 0; i < N; i++) assert_int_equal(slot[i].offset, want[i]);
    }
}

/* Each has a gradient, an update and nodes that passes replace: walks over all of them for each took more than 100 s. */
static void many_states(void **state)
{
    (void)state;
    enum { N = 20000 };
    char name[16];
    gr_graph *g;
    gr_plan *plan;
    double start = (double)clock();
    assert_ok(gr_graph_new(&g));
    gr_value x = gr_input(g, "x", GR_F32, 1, (int64_t[]){4});
    for (int i = 0; i < N; i++) {
        snprintf(name, sizeof name, "w%d", i);
        gr_value w = gr_param(g, name, 1, (int64_t[]){4}, NULL);
        gr_value d = gr_exp(
            g, gr_matmul(g, gr_reshape(g, w, 2, (int64_t[]){2, 2}), gr_reshape(g, x, 2, (int64_t[]){2, 2}), NULL));
        gr_update(g, "run", w, gr_add(g, w, gr_mul(g, gr_reshape(g, d, 1, (int64_t[]){4}), gr_scalar(g, GR_F32, 1))));
    }
    assert_ok(gr_plan_compile(g, "run", NULL, &plan));
    double seconds = ((double)clock() - start) / CLOCKS_PER_SEC;
    if (seconds > 12) fail_msg("%d states took %.1f s", N, seconds);
    gr_plan_free(&plan);
    gr_graph_free(&g);
}

/* ---- accumulation ---- */

static gr_loss two_layers(gr_graph *g, int64_t batch)
{
    gr_value x = gr_input(g, "x", GR_F32, 2, (int64_t[]){batch, 5}),
             y = gr_input(g, "y", GR_F32, 2, (int64_t[]){batch, 2});
    gr_value h = gr_tanh(g, gr_linear(g, "a", x, 7, NULL));
    return gr_loss_mse(g, gr_linear(g, "b", h, 2, NULL), y, NULL);
}

static void fill_rows(gr_session *s, int first, int batch)
{
    float *x = input(s, "x"), *y = input(s, "y");
    for (int r = 0; r < batch; r++) {
        for (int k = 0; k < 5; k++) x[r * 5 + k] = sinf((float)((first + r) * 5 + k));
        for (int k = 0; k < 2; k++) y[r * 2 + k] = cosf((float)((first + r) * 2 + k));
    }
}

static void accumulation(void **st)
{
    (void)st;
    bench large, parts;
    gr_value p[4], d[4], sums[4];
    gr_optimizer_result r;
    gr_optimizer_options o = {.base = {.kind = GR_OPTIMIZER_ADAM, .learning_rate = 0.01}, .clip_norm = 0.5};
    bench_open(&large);
    gr_loss loss = two_layers(large.g, 8);
    assert_int_equal(gr_graph_params(large.g, p, 4), 4);
    assert_ok(gr_grad(large.g, loss.sum, p, 4, d));
    o.weight = loss.weight;
    assert_ok(gr_optimizer_apply(large.g, "step", p, d, 4, &o, &r));
    gr_output(large.g, "step", "norm", r.grad_norm);
    bench_bind(&large, "step", NULL);

    bench_open(&parts);
    loss = two_layers(parts.g, 2);
    gr_graph_params(parts.g, p, 4);
    assert_ok(gr_grad(parts.g, loss.sum, p, 4, d));
    assert_ok(gr_gradients_accumulate(parts.g, "micro", p, d, 4, loss.weight));
    assert_ok(gr_gradients_use(parts.g, "apply", p, 4, sums, &o.weight));
    assert_ok(gr_optimizer_apply(parts.g, "apply", p, sums, 4, &o, &r));
    gr_output(parts.g, "apply", "norm", r.grad_norm);
    bench_bind(&parts, "micro", NULL);
    assert_int_equal(count_of(parts.plan, "copy"), 0);
    gr_plan *apply;
    gr_session *applying;
    assert_ok(gr_plan_compile(parts.g, "apply", NULL, &apply));
    assert_ok(gr_session_new(apply, parts.store, &applying));

    for (int step = 0; step < 5; step++) {
        gr_run_control c = {.update = step, .learning_rate = 0.01};
        fill_rows(large.s, 0, 8);
        gr_session_set_control(large.s, &c);
        assert_ok(gr_session_run(large.s));
        for (int k = 0; k < 4; k++) {
            fill_rows(parts.s, 2 * k, 2);
            gr_session_set_control(parts.s, &c);
            assert_ok(gr_session_run(parts.s));
        }
        gr_session_set_control(applying, &c);
        assert_ok(gr_session_run(applying));
        assert_floats(output(applying, "norm"), output(large.s, "norm"), 1);
    }
    const char *path;
    gr_tensor a, c;
    for (size_t i = 0; gr_store_at(large.store, i, &path, &a); i++) {
        assert_ok(gr_store_get(parts.store, path, &c));
        for (int64_t k = 0; k < gr_tensor_count(&a); k++)
            assert_true(fabs(gr_tensor_get(&a, k) - gr_tensor_get(&c, k)) <= 1e-6);
    }
    gr_session_free(&applying);
    gr_plan_free(&apply);
    bench_close(&parts);
    bench_close(&large);
}

/* ---- a gradient of a gradient ---- */

/* y = sum tanh(w*x), z = sum (dy/dx)^2, dz/dw by hand. */
static void second_gradient(void **st)
{
    (void)st;
    bench b;
    bench_open(&b);
    gr_value w = gr_param(b.g, "w", 1, four, NULL), x = gr_input(b.g, "x", GR_F32, 1, four), dx, dw;
    gr_value y = gr_sum(b.g, gr_tanh(b.g, gr_mul(b.g, w, x)), 0, false);
    assert_ok(gr_grad(b.g, y, &x, 1, &dx));
    assert_ok(gr_grad(b.g, gr_sum(b.g, gr_square(b.g, dx), 0, false), &w, 1, &dw));
    gr_output(b.g, "run", "dw", dw);
    bench_bind(&b, "run", NULL);
    set(state(&b, "w"), 4, -0.7, 0.5);
    set(input(b.s, "x"), 4, 0.3, 0.4);
    gr_store_touch(b.store);
    assert_ok(gr_session_run(b.s));
    float want[4];
    for (int i = 0; i < 4; i++) {
        double wi = (double)state(&b, "w")[i], xi = (double)input(b.s, "x")[i], t = tanh(wi * xi), s = 1 - t * t;
        want[i] = (float)(2 * wi * s * (s - 2 * wi * t * s * xi));
    }
    assert_floats(output(b.s, "dw"), want, 4);
    bench_close(&b);
}

/* ---- random programs against the interpreter ---- */

enum { SIDE = 4, MOST_VALUES = 60, RANDOM_PROGRAMS = 250 };

typedef struct random_program {
    gr_value v[MOST_VALUES]; /* all (SIDE, SIDE), bounded */
    int n;
    gr__rng rng;
} random_program;

static gr_value any(random_program *p) { return p->v[gr__rng_below(&p->rng, (uint64_t)p->n)]; }

/* Something of the same shape from values made before; results stay within a few units. */
static gr_value grow(gr_graph *g, random_program *p)
{
    gr_value a = any(p), c = any(p), d = any(p);
    switch (gr__rng_below(&p->rng, 18)) {
    case 0: return gr_affine(g, gr_add(g, a, c), 0.5, 0);
    case 1: return gr_affine(g, gr_sub(g, a, gr_transpose(g, c, 0, 1)), 0.5, 0);
    case 2: return gr_tanh(g, gr_mul(g, a, c));
    case 3: return gr_maximum(g, a, gr_neg(g, c));
    case 4: return gr_transpose(g, gr_tanh(g, a), 0, 1);
    case 5: return gr_affine(g, gr_matmul(g, a, c, &(gr_matmul_options){.transpose_b = true}), 0.2, 0);
    case 6: return gr_softmax(g, gr_add(g, a, gr_matmul(g, gr_tanh(g, a), c, NULL)));
    case 7: return gr_layer_norm(g, a, 0, 0, 0.1);
    case 8: return gr_sub(g, a, gr_mean(g, c, 1, true));
    case 9: return gr_add(g, gr_slice(g, a, 0, 1, 1), gr_affine(g, c, 0.1, 0));
    case 10: return gr_concat(g, (gr_value[]){gr_slice(g, a, 1, 2, 2), gr_slice(g, c, 1, 0, 2)}, 2, 1);
    case 11:
        return gr_concat(g, (gr_value[]){gr_tanh(g, gr_slice(g, a, 1, 0, 1)), gr_slice(g, gr_sin(g, c), 1, 0, 3)}, 2,
                         1);
    case 12:
        return gr_add(g, gr_pad_slice(g, gr_slice(g, a, 0, 0, 3), 0, 1, SIDE),
                      gr_pad_slice(g, gr_slice(g, c, 0, 2, 1), 0, 0, SIDE));
    case 13:
        return gr_reshape(g, gr_silu(g, gr_reshape(g, gr_transpose(g, a, 0, 1), 1, (int64_t[]){SIDE * SIDE})), 2,
                          (int64_t[]){SIDE, SIDE});
    case 14: return gr_where(g, gr_greater(g, a, c), d, a);
    case 15: return gr_cast(g, gr_cast(g, gr_tanh(g, gr_add(g, a, d)), GR_BF16), GR_F32);
    case 16: return gr_affine(g, gr_add(g, c, gr_affine(g, gr_matmul(g, c, c, NULL), 0.2, 0)), 0.5, 0);
    default: return gr_clamp(g, gr_add(g, a, gr_square(g, gr_sub(g, c, d))), -2, 2);
    }
}

static void build_random(gr_graph *g, random_program *p, uint64_t seed, int *n_states)
{
    static const char *const names[] = {"s0", "s1", "s2", "s3"};
    const int64_t dim[] = {SIDE, SIDE};
    *p = (random_program){.rng = gr__rng_make(seed, 3)};
    p->v[p->n++] = gr_input(g, "x", GR_F32, 2, dim);
    p->v[p->n++] = gr_input(g, "y", GR_F32, 2, dim);
    *n_states = (int)gr__rng_below(&p->rng, 5);
    gr_value states[4];
    for (int i = 0; i < *n_states; i++)
        p->v[p->n++] = states[i] = gr_param(g, names[i], 2, dim, &(gr_init){.kind = GR_INIT_UNIFORM, .a = -1, .b = 1});
    for (int i = 0, n = 4 + (int)gr__rng_below(&p->rng, 30); i < n; i++) {
        gr_value fresh = grow(g, p);
        p->v[p->n++] = fresh;
    }
    if (gr__rng_below(&p->rng, 2)) { /* with the gradient of something */
        gr_value loss = gr_sum(g, gr_square(g, any(p)), 0, false), d[2];
        assert_ok(gr_grad(g, loss, p->v, 2, d));
        for (int i = 0; i < 2; i++)
            if (d[i]) p->v[p->n++] = gr_tanh(g, d[i]);
    }
    for (int i = 0; i < *n_states; i++)
        if (gr__rng_below(&p->rng, 4)) gr_update(g, "run", states[i], any(p));
    for (int i = 0; i < 4; i++) {
        char name[16];
        snprintf(name, sizeof name, "o%d", i);
        gr_output(g, "run", name, i == 3 ? p->v[p->n - 1] : any(p));
    }
    assert_ok(gr_graph_status(g));
}

static void assert_same_numbers(const gr_tensor *got, const gr_tensor *want, uint64_t seed, const char *what,
                                const gr_plan *plan)
{
    for (int64_t i = 0; i < gr_tensor_count(want); i++) {
        double a = gr_tensor_get(got, i), c = gr_tensor_get(want, i);
        if (fabs(a - c) <= 2e-2 * fmax(1, fabs(c))) continue;
        char *text;
        if (gr_plan_print(plan, &text) == GR_OK) printf("%s", text);
        fail_msg("program %d: %s[%d] is %g, not %g", (int)seed, what, (int)i, a, c);
    }
}

static void one_random_program(uint64_t seed, const gr_plan_options *o)
{
    bench b;
    random_program p;
    gr__interpret *it;
    int n_states;
    bench_open(&b);
    build_random(b.g, &p, seed, &n_states);
    bench_bind(&b, "run", o);
    assert_ok(gr__interpret_new(&it, b.g));
    gr__program *pr = gr__program_get(b.g, "run", false);
    for (int run = 0; run < 2; run++) {
        for (int k = 0; k < 2; k++) {
            gr_tensor t = {GR_F32, 2, {SIDE, SIDE}, NULL}, in;
            float numbers[SIDE * SIDE];
            for (int i = 0; i < SIDE * SIDE; i++) numbers[i] = (float)(2 * gr__rng_uniform(&p.rng) - 1);
            t.data = numbers;
            assert_ok(gr__interpret_set(it, p.v[k], &t));
            if (gr_session_input(b.s, k ? "y" : "x", &in) == GR_OK) memcpy(in.data, numbers, sizeof numbers);
        }
        for (int k = 0; k < n_states && run == 0; k++) {
            gr_tensor t;
            assert_ok(gr_store_get(b.store, gr_value_path(b.g, p.v[2 + k]), &t));
            assert_ok(gr__interpret_set(it, p.v[2 + k], &t));
        }
        assert_ok(gr_session_run(b.s));
        for (size_t i = 0; i < pr->n_outputs; i++) {
            gr_tensor t;
            assert_ok(gr__interpret_run(it, &pr->output[i].value, 1));
            assert_ok(gr_session_output(b.s, pr->output[i].name, &t));
            assert_same_numbers(&t, gr__interpret_get(it, pr->output[i].value), seed, pr->output[i].name, b.plan);
        }
        assert_ok(gr__interpret_program(it, "run"));
        for (int k = 0; k < n_states; k++) {
            gr_tensor t;
            assert_ok(gr_store_get(b.store, gr_value_path(b.g, p.v[2 + k]), &t));
            assert_same_numbers(&t, gr__interpret_get(it, p.v[2 + k]), seed, "a state", b.plan);
            assert_ok(gr__interpret_set(it, p.v[2 + k], &t)); /* differences shall not add up */
        }
    }
    gr__interpret_free(&it);
    bench_close(&b);
}

static void random_programs(void **st)
{
    (void)st;
    for (uint64_t seed = 1; seed <= RANDOM_PROGRAMS; seed++) {
        one_random_program(seed, NULL);
        one_random_program(seed, &(gr_plan_options){.no_fuse = true, .recompute = GR_RECOMPUTE_CHEAP});
        one_random_program(seed, &(gr_plan_options){.reference = true});
    }
}

/* ---- copies of weights ---- */

static const uint16_t *copy_of_w(bench *b)
{
    gr_tensor t;
    assert_ok(gr_session_get_state(b->s, "w#bf16", &t));
    assert_int_equal(t.dtype, GR_BF16);
    return t.data;
}

static void assert_copy(bench *b, int n)
{
    for (int i = 0; i < n; i++) assert_int_equal(copy_of_w(b)[i], gr__f32_to_bf16(state(b, "w")[i]));
}

/* The optimiser writes the bf16 form of a weight; a change from outside is seen, a step that is held back changes
 * neither. */
static void carried_copies(void **st)
{
    (void)st;
    enum { IN = 24, OUT = 20, ROWS = 7 };
    bench b;
    bench_open(&b);
    gr_value x = gr_input(b.g, "x", GR_F32, 2, (int64_t[]){ROWS, IN});
    gr_value w = gr_param(b.g, "w", 2, (int64_t[]){IN, OUT}, &(gr_init){.kind = GR_INIT_NORMAL, .b = 1}), d;
    gr_value loss = gr_sum(b.g, gr_square(b.g, gr_sum(b.g, gr_matmul(b.g, x, w, NULL), 1, false)), 0, false);
    assert_ok(gr_autocast_bf16(b.g));
    assert_ok(gr_grad(b.g, loss, &w, 1, &d));
    gr_guard(b.g, "step", loss);
    gr_output(b.g, "step", "loss", loss);
    gr_optimizer_options o = {.base = {.kind = GR_OPTIMIZER_ADAMW, .learning_rate = 0.05}};
    assert_ok(gr_optimizer_apply(b.g, "step", &w, &d, 1, &o, NULL));
    bench_bind(&b, "step", NULL);
    gr_run_control c = {.learning_rate = 0.05};
    set(input(b.s, "x"), ROWS * IN, -1, 0.013);
    float before[IN * OUT];
    for (int step = 0; step < 3; step++, c.update++) {
        memcpy(before, state(&b, "w"), sizeof before);
        gr_session_set_control(b.s, &c);
        assert_ok(gr_session_run(b.s));
        assert_memory_not_equal(before, state(&b, "w"), sizeof before);
        assert_copy(&b, IN * OUT);
    }
    memset(state(&b, "w"), 0, sizeof before);
    gr_store_touch(b.store);
    gr_session_set_control(b.s, &c);
    assert_ok(gr_session_run(b.s));
    assert_float_equal(output(b.s, "loss")[0], 0, 0); /* of the weights that were put there */
    assert_copy(&b, IN * OUT);
    input(b.s, "x")[3] = INFINITY;
    memcpy(before, state(&b, "w"), sizeof before);
    gr_session_set_control(b.s, &c);
    assert_fails(gr_session_run(b.s), GR_ERR_NUMERIC, "not finite");
    assert_memory_equal(before, state(&b, "w"), sizeof before);
    assert_copy(&b, IN * OUT);
    bench_close(&b);
}

/* So many words that the logits of 35 rows do not fit one chunk (cpu_linear_ce.c): the second one adds to the weight's gradient. */
static void a_loss_in_chunks(void **st)
{
    (void)st;
    enum { ROWS = 35, C = 2, WORDS = 530000 };
    float *want = malloc(sizeof(float) * WORDS * C), sum = 0;
    assert_non_null(want);
    for (int fused = 0; fused < 2; fused++) {
        bench b;
        bench_open(&b);
        gr_value x = gr_input(b.g, "x", GR_F32, 2, (int64_t[]){ROWS, C}),
                 w = gr_input(b.g, "w", GR_F32, 2, (int64_t[]){WORDS, C}),
                 t = gr_input(b.g, "labels", GR_I32, 1, (int64_t[]){ROWS}), d;
        gr_value logits = fused ? 0 : gr_matmul(b.g, x, w, &(gr_matmul_options){.transpose_b = true});
        gr_loss loss =
            fused ? gr_loss_linear_cross_entropy(b.g, x, w, t, NULL) : gr_loss_cross_entropy(b.g, logits, t, NULL);
        assert_ok(gr_grad(b.g, loss.sum, &w, 1, &d));
        gr_output(b.g, "run", "sum", loss.sum);
        gr_output(b.g, "run", "grad", d);
        bench_bind(&b, "run", NULL);
        for (int i = 0; i < ROWS * C; i++) input(b.s, "x")[i] = (float)(i * 7 % 11) / 5 - 1;
        float *to = input(b.s, "w");
        for (int i = 0; i < WORDS * C; i++) to[i] = (float)(i * 13 % 1009) / 300 - 1.5f;
        gr_tensor labels;
        assert_ok(gr_session_input(b.s, "labels", &labels));
        for (int i = 0; i < ROWS; i++) ((int32_t *)labels.data)[i] = i == 3 ? -1 : i * 14983 % WORDS;
        assert_ok(gr_session_run(b.s));
        const float *grad = output(b.s, "grad");
        for (int i = 0; fused && i < WORDS * C; i++) {
            if (fabsf(grad[i] - want[i]) > 1e-6f + 1e-4f * fabsf(want[i]))
                fail_msg("gradient %d is %g, wanted %g", i, (double)grad[i], (double)want[i]);
        }
        if (fused)
            assert_true(fabsf(*output(b.s, "sum") - sum) < 1e-3f);
        else
            memcpy(want, grad, sizeof(float) * WORDS * C);
        sum = *output(b.s, "sum");
        bench_close(&b);
    }
    free(want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(carried_copies),
        cmocka_unit_test(a_loss_in_chunks),
        cmocka_unit_test(in_place),
        cmocka_unit_test(old_states),
        cmocka_unit_test(swap),
        cmocka_unit_test(reads_new),
        cmocka_unit_test(reads_itself_otherwise),
        cmocka_unit_test(adds_its_first_row),
        cmocka_unit_test(reads_dying_value_otherwise),
        cmocka_unit_test(guards),
        cmocka_unit_test(names_the_state),
        cmocka_unit_test(hoisted),
        cmocka_unit_test(two_sessions),
        cmocka_unit_test(errors),
        cmocka_unit_test(tiny_programs),
        cmocka_unit_test(no_allocation_in_a_run),
        cmocka_unit_test(lowest_offsets),
        cmocka_unit_test(many_states),
        cmocka_unit_test(accumulation),
        cmocka_unit_test(second_gradient),
        cmocka_unit_test(random_programs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
