/* Convolutions, poolings, norms of images and interpolations against PyTorch's (tests/golden/make_conv.py), their layers,
 * and what the builders refuse. */
#include "tests/learns.h"
#include "tests/rig.h"

#include "gradus/nn.h"
#include "base/rng.h"
#include "gradus/plan.h"
#include "kernel/conv.h"
#include "kernel/conv_window.h"
#include "kernel/cpu.h"
#include "kernel/onednn.h"
#include "op/op.h"
#include "tensor/convert.h"

#include <stdatomic.h>
#include <stdlib.h>

static gr__safetensors *file;

static int open_golden(void **state)
{
    (void)state;
    return gr__safetensors_open(test_source("tests/golden/conv.safetensors"), &file) == GR_OK ? 0 : -1;
}

static int close_golden(void **state)
{
    (void)state;
    gr__safetensors_close(&file);
    return 0;
}

/* ---- against PyTorch ---- */

typedef struct parts {
    gr_value x, w, b, arg;
} parts;

typedef gr_value build_fn(gr_graph *g, parts *p, const void *options);

static gr_value conv(gr_graph *g, parts *p, const void *options)
{
    gr_conv_options o = *(const gr_conv_options *)options;
    o.bias = p->b;
    return gr_conv(g, p->x, p->w, &o);
}
static gr_value back(gr_graph *g, parts *p, const void *options)
{
    gr_conv_options o = *(const gr_conv_options *)options;
    o.bias = p->b;
    return gr_conv_transpose(g, p->x, p->w, &o);
}
static gr_value max_pool(gr_graph *g, parts *p, const void *options) { return gr_max_pool(g, p->x, options, &p->arg); }
static gr_value avg_pool(gr_graph *g, parts *p, const void *options) { return gr_avg_pool(g, p->x, options); }
static gr_value max_bins(gr_graph *g, parts *p, const void *size)
{
    return gr_adaptive_max_pool(g, p->x, size, &p->arg);
}
static gr_value avg_bins(gr_graph *g, parts *p, const void *size) { return gr_adaptive_avg_pool(g, p->x, size); }
static gr_value avg_global(gr_graph *g, parts *p, const void *none)
{
    (void)none;
    return gr_global_avg_pool(g, p->x);
}
static gr_value upsample(gr_graph *g, parts *p, const void *options) { return gr_upsample(g, p->x, options); }
static gr_value group_norm(gr_graph *g, parts *p, const void *groups)
{
    return gr_group_norm(g, p->x, *(const int64_t *)groups, p->w, p->b, *(const int64_t *)groups ? 0 : 1e-3);
}
static gr_value batch_norm(gr_graph *g, parts *p, const void *none)
{
    (void)none;
    return gr_batch_norm(g, p->x, p->w, p->b, 0, NULL, NULL);
}
static gr_value batch_norm_fixed(gr_graph *g, parts *p, const void *none)
{
    (void)none;
    gr_value mean = gr_constant(g, golden(file, "batch_norm/running_mean"));
    gr_value variance = gr_constant(g, golden(file, "batch_norm/running_var"));
    return gr_batch_norm_fixed(g, p->x, p->w, p->b, mean, variance, 0);
}

static const struct {
    const char *name;
    build_fn *build;
    const void *options;
} cases[] = {
    {"conv1", conv, &(gr_conv_options){.stride = {2}, .padding = 1, .dilation = {2}}},
    {"conv2", conv, &(gr_conv_options){.stride = {2, 1}, .before = {1, 2}, .after = {1, 2}}},
    {"conv2_groups", conv, &(gr_conv_options){.padding = 1, .groups = 2}},
    {"conv2_same", conv, &(gr_conv_options){.dilation = {1, 2}, .before = {0, 2}, .after = {1, 2}}},
    {"conv3", conv, &(gr_conv_options){.padding = 1}},
    {"back1", back, &(gr_conv_options){.stride = {3}, .padding = 1, .output_padding = {2}}},
    {"back2", back, &(gr_conv_options){.stride = {2}, .padding = 1, .output_padding = {1, 1}}},
    {"back2_groups", back, &(gr_conv_options){.stride = {1, 2}, .dilation = {2, 1}, .groups = 2}},
    {"back3", back, &(gr_conv_options){.stride = {2}}},
    {"max1", max_pool, &(gr_pool_options){.size = {3}, .stride = {2}, .padding = 1}},
    {"max2", max_pool, &(gr_pool_options){.size = {3}, .stride = {2}, .padding = 1, .ceil_mode = true}},
    {"max2_apart", max_pool, &(gr_pool_options){.size = {2, 3}, .stride = {1}, .dilation = {2, 1}}},
    {"max3", max_pool, &(gr_pool_options){.size = {2}}},
    {"max_bins", max_bins, (int64_t[]){3, 2}},
    {"avg1", avg_pool, &(gr_pool_options){.size = {3}, .stride = {2}, .padding = 1}},
    {"avg2", avg_pool, &(gr_pool_options){.size = {3}, .stride = {2}, .padding = 1, .ceil_mode = true}},
    {"avg2_real", avg_pool,
     &(gr_pool_options){.size = {3}, .stride = {2}, .padding = 1, .ceil_mode = true, .exclude_padding = true}},
    {"avg3", avg_pool, &(gr_pool_options){.size = {2, 1, 3}, .stride = {2}}},
    {"avg_bins", avg_bins, (int64_t[]){3, 4}},
    {"avg_global", avg_global, NULL},
    {"nearest1", upsample, &(gr_upsample_options){.size = {7}}},
    {"nearest2", upsample, &(gr_upsample_options){.scale = {2}}},
    {"nearest3", upsample, &(gr_upsample_options){.size = {3, 2, 5}}},
    {"linear1", upsample, &(gr_upsample_options){.linear = true, .size = {7}}},
    {"linear2", upsample, &(gr_upsample_options){.linear = true, .size = {5, 3}}},
    {"linear2_corners", upsample, &(gr_upsample_options){.linear = true, .align_corners = true, .size = {5, 3}}},
    {"linear3", upsample, &(gr_upsample_options){.linear = true, .size = {3, 4, 5}}},
    {"linear3_corners", upsample, &(gr_upsample_options){.linear = true, .align_corners = true, .size = {3, 1, 5}}},
    {"group_norm", group_norm, &(const int64_t){3}},
    {"instance_norm", group_norm, &(const int64_t){0}},
    {"batch_norm", batch_norm, NULL},
    {"batch_norm_fixed", batch_norm_fixed, NULL},
};

static const char *key_of(const char *name, const char *part)
{
    static char key[64];
    snprintf(key, sizeof key, "%s/%s", name, part);
    return key;
}

/* An input for a part that the case has; else 0. */
static gr_value input_of(gr_graph *g, const char *name, const char *part)
{
    if (!gr__safetensors_find(file, key_of(name, part))) return 0;
    const gr_tensor *t = golden(file, key_of(name, part));
    return gr_input(g, part, t->dtype, t->rank, t->dim);
}

static void check(rig *r, const char *name, const char *part)
{
    assert_near(key_of(name, part), rig_output(r, part), golden(file, key_of(name, part)), 2e-6);
}

static void matches_pytorch(void **state)
{
    (void)state;
    for (size_t i = 0; i < GR__COUNT(cases); i++) {
        gr_graph *g;
        rig r;
        const char *name = cases[i].name;
        assert_ok(gr_graph_new(&g));
        parts p = {.x = input_of(g, name, "x"), .w = input_of(g, name, "w"), .b = input_of(g, name, "b")};
        gr_value weight = input_of(g, name, "r"), y = cases[i].build(g, &p, cases[i].options);
        assert_ok(gr_graph_status(g));
        gr_value wrt[] = {p.x, p.w, p.b}, d[3];
        int n = p.b ? 3 : p.w ? 2 : 1;
        assert_ok(gr_grad(g, gr_sum(g, gr_mul(g, y, weight), 0, false), wrt, n, d));
        static const char *const grads[] = {"dx", "dw", "db"}, *const feeds[] = {"x", "w", "b", "r"};
        gr_output(g, "run", "y", y);
        for (int k = 0; k < n; k++) gr_output(g, "run", grads[k], d[k]);
        if (p.arg) gr_output(g, "run", "arg", p.arg);
        rig_open(&r, g);
        for (int k = 0; k < 4; k++)
            if (input_of(g, name, feeds[k]))
                rig_input(&r, input_of(g, name, feeds[k]), golden(file, key_of(name, feeds[k]))->data);
        rig_run(&r, "run", 0);
        check(&r, name, "y");
        for (int k = 0; k < n; k++) check(&r, name, grads[k]);
        if (p.arg) check(&r, name, "arg");
        rig_close(&r);
    }
}

/* ---- layers ---- */

static void layers_are_pytorchs(void **state)
{
    (void)state;
    gr_graph *g;
    assert_ok(gr_graph_new(&g));
    gr_value x = gr_input(g, "x", GR_F32, 4, (int64_t[]){2, 7, 5, 4});
    gr_value y =
        gr_conv_layer(g, "conv", x, 6, 3, &(gr_conv_layer_options){.window = {0, 2}, .groups = 2, .same = true});
    gr_value up = gr_conv_transpose_layer(g, "up", y, 3, 2, &(gr_conv_layer_options){.stride = {2}});
    gr_value half =
        gr_conv_layer(g, "half", x, 2, 3, &(gr_conv_layer_options){.stride = {2}, .same = true, .no_bias = true});
    gr_value n = gr_group_norm_layer(g, "norm", y, 3, NULL);
    assert_ok(gr_graph_status(g));
    const int64_t wanted[][4] = {{2, 7, 5, 6}, {2, 14, 10, 3}, {2, 4, 3, 2}, {2, 7, 5, 6}};
    const gr_value got[] = {y, up, half, n};
    for (int i = 0; i < 4; i++) {
        for (int k = 0; k < 4; k++) assert_int_equal(gr_value_dim(g, got[i], k), wanted[i][k]);
        gr_output(g, "run", (const char *[]){"y", "up", "half", "n"}[i], got[i]);
    }
    rig r;
    rig_open(&r, g);
    static const struct {
        const char *path;
        int64_t dim[4];
        double bound;
    } params[] = {{"conv.weight", {6, 2, 3, 2}, 0.28867513},
                  {"conv.bias", {6}, 0.28867513},
                  {"up.weight", {6, 3, 2, 2}, 0.28867513},
                  {"up.bias", {3}, 0.28867513},
                  {"half.weight", {2, 4, 3, 3}, 0.16666667},
                  {"norm.weight", {6}, 1},
                  {"norm.bias", {6}, 0}};
    for (size_t i = 0; i < GR__COUNT(params); i++) {
        gr_tensor t;
        double most = 0;
        assert_ok(gr_store_get(r.store, params[i].path, &t));
        for (int k = 0; k < t.rank; k++) assert_int_equal(t.dim[k], params[i].dim[k]);
        for (int64_t k = 0; k < gr_tensor_count(&t); k++) most = fmax(most, fabs(gr_tensor_get(&t, k)));
        if (most > params[i].bound * (1 + 1e-6) || most < 0.5 * params[i].bound)
            fail_msg("%s begins within %g, not %g", params[i].path, most, params[i].bound);
    }
    assert_false(rig_has_state(&r, "half.bias"));
    rig_close(&r);
}

/* Running statistics follow as PyTorch's do, and evaluation uses them. */
static void batch_norm_remembers(void **state)
{
    (void)state;
    gr_graph *g;
    rig r;
    assert_ok(gr_graph_new(&g));
    gr_value x = input_of(g, "batch_norm", "x");
    gr_output(g, "step", "y", gr_batch_norm_layer(g, "bn", x, &(gr_batch_norm_options){.momentum = 0.25}));
    gr_value small = gr_input(g, "small", GR_F32, 4, (int64_t[]){2, 2, 2, 3});
    gr_output(g, "eval", "y", gr_batch_norm_layer(g, "bn", small, &(gr_batch_norm_options){.evaluate = true}));
    rig_open(&r, g);
    rig_input(&r, x, golden(file, "batch_norm/x")->data);
    rig_input(&r, small, golden(file, "batch_norm_fixed/x")->data);
    memcpy(rig_state(&r, "bn.weight"), golden(file, "batch_norm_fixed/w")->data, 3 * sizeof(float));
    memcpy(rig_state(&r, "bn.bias"), golden(file, "batch_norm_fixed/b")->data, 3 * sizeof(float));
    rig_run(&r, "step", 0);
    assert_near("mean", rig_state(&r, "bn.running_mean"), golden(file, "batch_norm/running_mean"), 1e-6);
    assert_near("variance", rig_state(&r, "bn.running_var"), golden(file, "batch_norm/running_var"), 2e-6);
    rig_run(&r, "eval", 0);
    assert_near("y", rig_output(&r, "y"), golden(file, "batch_norm_fixed/y"), 2e-6);
    rig_close(&r);
}

/* ---- oneDNN's in pieces ---- */

static float *noise(int64_t count, uint64_t stream)
{
    float *x = aligned_alloc(64, ((size_t)count * sizeof *x + 63) & ~(size_t)63);
    gr__rng r = gr__rng_make(5, stream);
    for (int64_t i = 0; i < count; i++) x[i] = (float)gr__rng_uniform(&r) - 0.5f;
    return x;
}

static int64_t size_of(const int64_t *size) { return size[0] * size[1] * size[2]; }

/* The result by oneDNN's pieces and by our own kernel. */
static void compare_pieces(const gr__conv_shape *s, gr__conv_result result)
{
    int64_t count[] = {[GR__CONV_Y] = s->batch * size_of(s->out) * s->cout,
                       [GR__CONV_X] = s->batch * size_of(s->in) * s->cin,
                       [GR__CONV_W] = s->cout * s->cin / s->groups * size_of(s->window)};
    float *x = noise(count[GR__CONV_X], 1), *w = noise(count[GR__CONV_W], 2), *y = noise(count[GR__CONV_Y], 3),
          *bias = noise(s->cout, 4), *made[] = {y, x, w}, *ours = noise(count[result], 5);
    gr__dnn_conv_job j = {*s, result, GR_F32, GR_F32, result == GR__CONV_Y};
    gr__dnn_conv *c;
    assert_ok(gr__dnn_conv_new(&j, &c));
    void *scratch = aligned_alloc(64, (gr__dnn_conv_scratch_bytes(c) + 127) & ~(size_t)63);
    gr__conv own = {.shape = *s,
                    .result = result,
                    .dtype = GR_F32,
                    .out_dtype = GR_F32,
                    .x = result == GR__CONV_X ? ours : x,
                    .w = result == GR__CONV_W ? ours : w,
                    .y = result == GR__CONV_Y ? ours : y,
                    .bias = j.bias ? bias : NULL};
    own.scratch = aligned_alloc(64, (gr__conv_scratch_bytes(&own) + 127) & ~(size_t)63);
    gr__conv_run(&own);
    for (int again = 0; again < 2; again++) {
        for (int64_t i = 0; i < count[result]; i++) made[result][i] = NAN;
        assert_ok(gr__dnn_conv_run(c, x, w, y, j.bias ? bias : NULL, scratch));
        for (int64_t i = 0; i < count[result]; i++)
            if (!(fabs((double)made[result][i] - (double)ours[i]) < 2e-3))
                fail_msg("result %d, batch %lld, element %lld: %g, not %g", (int)result, (long long)s->batch,
                         (long long)i, (double)made[result][i], (double)ours[i]);
    }
    gr__dnn_conv_free(c);
    void *all[] = {x, w, y, bias, ours, scratch, own.scratch};
    for (size_t i = 0; i < GR__COUNT(all); i++) free(all[i]);
}

/* Large enough to be cut: a batch, one picture by its rows, with borders that only some pieces see. */
static void pieces_are_the_whole(void **state)
{
    (void)state;
    static const gr__conv_shape shapes[] = {
        {2, 5, 1, 16, 24, {1, 19, 17}, {1, 3, 3}, {1, 19, 17}, {1, 1, 1}, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}},
        {2, 1, 1, 16, 32, {1, 37, 21}, {1, 5, 3}, {1, 19, 21}, {1, 2, 1}, {1, 1, 1}, {0, 3, 1}, {0, 1, 1}},
        {2, 1, 1, 16, 32, {1, 40, 30}, {1, 1, 1}, {1, 14, 10}, {1, 3, 3}, {1, 1, 1}, {0, 0, 0}, {0, 0, 0}},
        {2, 1, 1, 24, 32, {1, 40, 12}, {1, 3, 3}, {1, 40, 12}, {1, 1, 1}, {1, 4, 1}, {0, 4, 1}, {0, 4, 1}},
        {2, 3, 4, 32, 64, {1, 24, 24}, {1, 3, 3}, {1, 12, 12}, {1, 2, 2}, {1, 1, 1}, {0, 1, 1}, {0, 0, 0}},
        {1, 1, 1, 32, 64, {1, 1, 900}, {1, 1, 9}, {1, 1, 900}, {1, 1, 1}, {1, 1, 1}, {0, 0, 4}, {0, 0, 4}},
        {3, 1, 1, 16, 32, {18, 12, 12}, {3, 3, 3}, {18, 12, 12}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}},
    };
    if (!gr__dnn_available()) test_skip("there is no oneDNN");
    for (int threads = 1; threads <= 3; threads++) {
        assert_ok(gr_set_threads(threads));
        for (size_t i = 0; i < GR__COUNT(shapes); i++)
            for (int result = 0; result < GR__CONV_RESULT_COUNT; result++)
                compare_pieces(&shapes[i], (gr__conv_result)result);
    }
    assert_ok(gr_set_threads(0));
}

/* ---- convolutions of bf16 as products of what a window sees ---- */

static uint16_t *narrow(const float *x, int64_t count)
{
    uint16_t *y = aligned_alloc(64, ((size_t)count * sizeof *y + 63) & ~(size_t)63);
    for (int64_t i = 0; i < count; i++) y[i] = gr__f32_to_bf16(x[i]);
    return y;
}

/* Where tap k is seen from place i of one axis, in what is summed over; -1: nowhere. */
static int64_t seen_from(const gr__conv_shape *s, bool to_x, int axis, int64_t i, int64_t k)
{
    int64_t size = to_x ? s->out[axis] : s->in[axis];
    int64_t at = to_x ? i + s->before[axis] - k * s->dilation[axis]
                      : i * s->stride[axis] + k * s->dilation[axis] - s->before[axis];
    if (to_x && at % s->stride[axis]) return -1;
    if (to_x) at /= s->stride[axis];
    return at >= 0 && at < size ? at : -1;
}

static void place_of(const int64_t *size, int64_t index, int64_t *place)
{
    place[2] = index % size[2], place[1] = index / size[2] % size[1], place[0] = index / size[2] / size[1] % size[0];
}

/* From place i, tap k, of picture n: which row of what is summed over; -1: none. */
static int64_t row_seen(const gr__conv_shape *s, bool to_x, int64_t n, const int64_t *i, const int64_t *k)
{
    const int64_t *size = to_x ? s->out : s->in;
    int64_t row = n;
    for (int axis = 0; axis < GR__SPATIAL; axis++) {
        int64_t at = seen_from(s, to_x, axis, i[axis], k[axis]);
        if (at < 0) return -1;
        row = row * size[axis] + at;
    }
    return row;
}

/* y[n, o, co] of kernel/conv.h, or x[n, i, ci]; one group. */
static double sum_at(const gr__conv_shape *s, bool to_x, const uint16_t *from, const uint16_t *w, int64_t at)
{
    const int64_t *mine = to_x ? s->in : s->out;
    int64_t inner = to_x ? s->cin : s->cout, outer = to_x ? s->cout : s->cin, c = at % inner, taps = size_of(s->window);
    int64_t i[GR__SPATIAL], k[GR__SPATIAL];
    double sum = 0;
    place_of(mine, at / inner, i);
    for (int64_t tap = 0; tap < taps; tap++) {
        place_of(s->window, tap, k);
        int64_t row = row_seen(s, to_x, at / inner / size_of(mine), i, k);
        for (int64_t d = 0; row >= 0 && d < outer; d++) {
            int64_t co = to_x ? d : c, ci = to_x ? c : d;
            sum += (double)gr__bf16_to_f32(from[row * outer + d]) *
                   (double)gr__bf16_to_f32(w[(co * s->cin + ci) * taps + tap]);
        }
    }
    return sum;
}

/* w[co, ci, k] of kernel/conv.h, the same. */
static double weight_at(const gr__conv_shape *s, const uint16_t *x, const uint16_t *y, int64_t at)
{
    int64_t taps = size_of(s->window), ci = at / taps % s->cin, co = at / taps / s->cin;
    int64_t i[GR__SPATIAL], k[GR__SPATIAL];
    double sum = 0;
    place_of(s->window, at % taps, k);
    for (int64_t o = 0; o < s->batch * size_of(s->out); o++) {
        place_of(s->out, o, i);
        int64_t row = row_seen(s, false, o / size_of(s->out), i, k);
        if (row < 0) continue;
        sum += (double)gr__bf16_to_f32(x[row * s->cin + ci]) * (double)gr__bf16_to_f32(y[o * s->cout + co]);
    }
    return sum;
}

/* What 'c' gives is as wanted, whether its weights were packed before or not. */
static void check_rows(gr__conv *c, bool packed, const double *wanted, int64_t count)
{
    float *out = c->result == GR__CONV_X ? c->x : c->result == GR__CONV_W ? c->w : c->y;
    size_t bytes = (gr__conv_scratch_bytes(c) + 127) & ~(size_t)63;
    void *panels = packed ? aligned_alloc(64, (gr__conv_packed_bytes(c) + 63) & ~(size_t)63) : NULL;
    c->scratch = aligned_alloc(64, bytes);
    if (packed) gr__conv_pack_w(c, panels);
    c->packed_w = panels;
    memset(c->scratch, 0xff, bytes);
    for (int64_t i = 0; i < count; i++) out[i] = NAN;
    gr__conv_run(c);
    for (int64_t i = 0; i < count; i++)
        if (!(fabs((double)out[i] - wanted[i]) < 2e-3))
            fail_msg("result %d, batch %lld, element %lld: %g, not %g", (int)c->result, (long long)c->shape.batch,
                     (long long)i, (double)out[i], wanted[i]);
    free(c->scratch);
    free(panels);
    c->scratch = NULL;
    c->packed_w = NULL;
}

static void compare_rows(const gr__conv_shape *s, gr__conv_result result)
{
    int64_t n_x = s->batch * size_of(s->in) * s->cin, n_y = s->batch * size_of(s->out) * s->cout,
            n_w = s->cout * s->cin * size_of(s->window);
    int64_t n_out = result == GR__CONV_X ? n_x : result == GR__CONV_W ? n_w : n_y;
    float *wide[] = {noise(n_x, 1), noise(n_w, 2), noise(n_y, 3)}, *bias = noise(s->cout, 4), *out = noise(n_out, 5);
    uint16_t *x = narrow(wide[0], n_x), *w = narrow(wide[1], n_w), *y = narrow(wide[2], n_y);
    double *wanted = malloc((size_t)n_out * sizeof *wanted);
    for (int64_t i = 0; i < n_out; i++)
        wanted[i] = result == GR__CONV_W   ? weight_at(s, x, y, i)
                    : result == GR__CONV_X ? sum_at(s, true, y, w, i)
                                           : sum_at(s, false, x, w, i) + (double)bias[i % s->cout];
    gr__conv c = {.shape = *s,
                  .result = result,
                  .dtype = GR_BF16,
                  .out_dtype = GR_F32,
                  .x = result == GR__CONV_X ? (void *)out : x,
                  .w = result == GR__CONV_W ? (void *)out : w,
                  .y = result == GR__CONV_Y ? (void *)out : y,
                  .bias = result == GR__CONV_Y ? bias : NULL};
    for (int threads = 1; threads <= 3 && gr__conv_window_applicable(&c); threads++) {
        assert_ok(gr_set_threads(threads));
        check_rows(&c, false, wanted, n_out);
        if (result == GR__CONV_Y) check_rows(&c, true, wanted, n_out);
    }
    void *all[] = {wide[0], wide[1], wide[2], bias, out, x, w, y, wanted};
    for (size_t i = 0; i < GR__COUNT(all); i++) free(all[i]);
}

/* Lines that end within a tile, steps, gaps and borders, pictures smaller than two tiles, more columns than stay near, rows of
 * one place with a rest, one line. */
static void windows_as_products(void **state)
{
    (void)state;
    static const gr__conv_shape shapes[] = {
        {2, 3, 1, 32, 40, {1, 13, 11}, {1, 3, 3}, {1, 13, 11}, {1, 1, 1}, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}},
        {2, 2, 1, 64, 32, {1, 17, 15}, {1, 3, 3}, {1, 9, 8}, {1, 2, 2}, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}},
        {2, 2, 1, 32, 16, {1, 19, 14}, {1, 3, 2}, {1, 7, 15}, {1, 3, 1}, {1, 4, 1}, {0, 5, 1}, {0, 5, 1}},
        {2, 5, 1, 512, 160, {1, 3, 3}, {1, 3, 3}, {1, 3, 3}, {1, 1, 1}, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}},
        {2, 1, 1, 160, 288, {1, 8, 8}, {1, 3, 3}, {1, 8, 8}, {1, 1, 1}, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}},
        {2, 1, 1, 64, 33, {1, 60, 50}, {1, 3, 1}, {1, 60, 50}, {1, 1, 1}, {1, 1, 1}, {0, 1, 0}, {0, 1, 0}},
        {2, 1, 1, 96, 33, {1, 9, 9}, {1, 1, 1}, {1, 9, 9}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}, {0, 0, 0}},
        {2, 1, 1, 32, 20, {1, 97, 10}, {1, 1, 1}, {1, 97, 10}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}, {0, 0, 0}},
        {2, 2, 1, 32, 48, {1, 20, 20}, {1, 1, 1}, {1, 10, 10}, {1, 2, 2}, {1, 1, 1}, {0, 0, 0}, {0, 0, 0}},
        {2, 2, 1, 40, 64, {1, 21, 16}, {1, 3, 3}, {1, 11, 8}, {1, 2, 2}, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}},
        {2, 2, 1, 24, 32, {1, 23, 17}, {1, 5, 2}, {1, 7, 16}, {1, 4, 1}, {1, 1, 1}, {0, 3, 0}, {0, 4, 0}},
        {2, 3, 1, 33, 32, {1, 15, 19}, {1, 1, 2}, {1, 5, 6}, {1, 3, 3}, {1, 1, 1}, {0, 0, 0}, {0, 0, 0}},
        {2, 1, 1, 32, 96, {1, 30, 28}, {1, 1, 1}, {1, 15, 14}, {1, 2, 2}, {1, 1, 1}, {0, 0, 0}, {0, 0, 0}},
        {1, 2, 1, 32, 24, {1, 1, 150}, {1, 1, 5}, {1, 1, 75}, {1, 1, 2}, {1, 1, 1}, {0, 0, 2}, {0, 0, 1}},
        {3, 2, 1, 32, 32, {5, 6, 7}, {3, 3, 3}, {5, 6, 7}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}},
        {3, 1, 1, 64, 32, {7, 8, 9}, {3, 2, 3}, {4, 7, 5}, {2, 1, 2}, {1, 1, 1}, {1, 0, 1}, {1, 0, 1}},
    };
    if (!gr__cpu_has_tiles() && !gr__gemm_by_dots(GR_BF16))
        test_skip("this processor neither has tiles nor dot products");
    for (size_t i = 0; i < GR__COUNT(shapes); i++)
        for (int result = 0; result < GR__CONV_RESULT_COUNT; result++)
            compare_rows(&shapes[i], (gr__conv_result)result);
    assert_ok(gr_set_threads(0));
}

/* ---- mixed precision, plans ---- */

/* A small network: convolution, batch norm, pooling, a transposed convolution, interpolation. */
static gr_value network(gr_graph *g, gr_value x)
{
    gr_value h = gr_conv_layer(g, "a", x, 16, 3, &(gr_conv_layer_options){.same = true, .no_bias = true});
    h = gr_relu(g, gr_batch_norm_layer(g, "bn", h, NULL));
    h = gr_max_pool(g, h, &(gr_pool_options){.size = {2}}, NULL);
    h = gr_silu(g, gr_group_norm_layer(g, "gn", gr_conv_layer(g, "b", h, 8, 3, NULL), 2, NULL));
    h = gr_conv_transpose_layer(g, "c", h, 8, 3, &(gr_conv_layer_options){.stride = {2}});
    h = gr_upsample(g, h, &(gr_upsample_options){.linear = true, .size = {6, 6}});
    h = gr_avg_pool(g, h, &(gr_pool_options){.size = {2}});
    return gr_linear(g, "head", gr_global_avg_pool(g, h), 3, NULL);
}

enum { BATCH = 4, SIDE = 10, CHANNELS = 3, STEPS = 30 };

/* Trains on one batch; the first and the last loss. */
static void train(bool bf16, double loss[2])
{
    static const char *const ops[] = {"conv",     "conv_transpose", "conv_grad_weight", "pool", "pool_grad",
                                      "resample", "group_norm",     "group_norm_grad",  NULL};
    gr_graph *g;
    assert_ok(gr_graph_new(&g));
    gr_value x = gr_input(g, "x", GR_F32, 4, (int64_t[]){BATCH, SIDE, SIDE, CHANNELS});
    learns_in_a_plan(g, network(g, x), 11, ops, STEPS, bf16, loss);
}

static void a_network_learns_in_a_plan(void **state)
{
    (void)state;
    double full[2], low[2];
    train(false, full);
    train(true, low);
    assert_true(full[1] < 0.5 * full[0] && low[1] < 0.5 * low[0]);
    assert_close(low[0], full[0], 0.02);
}

/* ---- out of memory ---- */

static atomic_long calls, fail_at; /* fail_at 0: never */

static void *fragile(void *user, void *pointer, size_t old_size, size_t size, size_t alignment)
{
    (void)user;
    if (size == 0) {
        free(pointer);
        return NULL;
    }
    if (atomic_fetch_add(&calls, 1) + 1 == atomic_load(&fail_at)) return NULL;
    void *fresh = aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    if (fresh && pointer) {
        memcpy(fresh, pointer, old_size < size ? old_size : size);
        free(pointer);
    }
    return fresh;
}

/* The network and its gradients, planned and run once. */
static gr_status whole(void)
{
    gr_status status = GR_OK;
    gr_graph *g = NULL;
    gr_plan *plan = NULL;
    gr_session *s = NULL;
    gr_store *store = NULL;
    gr_value p[16], d[16];
    gr_tensor t;
    GR_TRY_DONE(gr_graph_new(&g));
    GR_TRY_DONE(gr_store_new(&store));
    gr_value x = gr_input(g, "x", GR_F32, 4, (int64_t[]){BATCH, SIDE, SIDE, CHANNELS});
    gr_value loss = gr_sum(g, gr_square(g, network(g, x)), 0, false);
    int n = gr_graph_params(g, p, 16);
    GR_TRY_DONE(gr_grad(g, loss, p, n, d));
    for (int i = 0; i < n; i++) gr_output(g, "step", gr_value_path(g, p[i]), d[i]);
    GR_TRY_DONE(gr_plan_compile(g, "step", NULL, &plan));
    GR_TRY_DONE(gr_store_prepare(store, g, 1));
    GR_TRY_DONE(gr_session_new(plan, store, &s));
    GR_TRY_DONE(gr_session_input(s, "x", &t));
    memset(t.data, 0, gr_tensor_size_bytes(&t));
    GR_TRY_DONE(gr_session_run(s));
done:
    gr_session_free(&s);
    gr_plan_free(&plan);
    gr_store_free(&store);
    gr_graph_free(&g);
    return status;
}

static void survives_without_memory(void **state)
{
    (void)state;
    enum { TRIALS = 200 };
    assert_ok(whole()); /* what the library keeps for good is there now */
    size_t before = gr_memory_used_bytes();
    atomic_store(&calls, 0);
    assert_ok(whole());
    assert_int_equal(gr_memory_used_bytes(), before);
    long total = atomic_load(&calls), step = total / TRIALS + 1, refused = 0;
    for (long n = 1; n <= total; n += step) {
        atomic_store(&calls, 0);
        atomic_store(&fail_at, n);
        gr_status status = whole();
        atomic_store(&fail_at, 0);
        if (status != GR_OK && (status != GR_ERR_MEMORY || !*gr_message()))
            fail_msg("allocation %ld: %s (%s)", n, gr_message(), gr_status_name(status));
        if (gr_memory_used_bytes() != before) fail_msg("allocation %ld: bytes leak", n);
        refused += status != GR_OK;
    }
    assert_true(2 * refused * step > total); /* others had a way around: a kernel of our own */
}

/* ---- what is refused ---- */

static void refusals(void **state)
{
    (void)state;
    static const struct {
        int what;
        const char *message;
        gr_status status;
    } wrong[] = {
        {0, "a window of size 9 that spans 9 does not fit into spatial axis 0 of size 5, 7 with its padding",
         GR_ERR_SHAPE},
        {1, "x [2,5,4,3] has 3 channels, weight [4,2,3,3] reads 2 in each of 1 groups", GR_ERR_SHAPE},
        {2, "output_padding 2 in spatial axis 0 of stride 2", GR_ERR_ARGUMENT},
        {3, "padding of 2 and 2 around spatial axis 0 for a window of size 2", GR_ERR_ARGUMENT},
        {4, "conv layer 'c'", GR_ERR_SHAPE},
        {5, "a pooling over a value with 2 axes", GR_ERR_SHAPE},
        {6, "needs more than one value in each channel", GR_ERR_SHAPE},
        {7, "stride -1", GR_ERR_ARGUMENT},
        {8, "scale of -2", GR_ERR_ARGUMENT},
    };
    for (size_t i = 0; i < GR__COUNT(wrong); i++) {
        gr_graph *g;
        assert_ok(gr_graph_new(&g));
        gr_value x = gr_input(g, "x", GR_F32, 4, (int64_t[]){2, 5, 4, 3}), y = 0;
        gr_value large = gr_input(g, "large", GR_F32, 4, (int64_t[]){4, 3, 9, 3});
        gr_value two = gr_input(g, "two", GR_F32, 4, (int64_t[]){4, 2, 3, 3}),
                 flat = gr_input(g, "flat", GR_F32, 2, (int64_t[]){1, 3});
        gr_value three = gr_input(g, "three", GR_F32, 4, (int64_t[]){3, 2, 3, 3});
        switch (wrong[i].what) {
        case 0: y = gr_conv(g, x, large, &(gr_conv_options){.padding = 1}); break;
        case 1: y = gr_conv(g, x, two, NULL); break;
        case 2: y = gr_conv_transpose(g, x, three, &(gr_conv_options){.stride = {2}, .output_padding = {2}}); break;
        case 3: y = gr_max_pool(g, x, &(gr_pool_options){.size = {2}, .padding = 2}, NULL); break;
        case 4: y = gr_conv_layer(g, "c", x, 4, 3, &(gr_conv_layer_options){.groups = 2}); break;
        case 5: y = gr_global_avg_pool(g, flat); break;
        case 6: y = gr_batch_norm_layer(g, "bn", flat, NULL); break;
        case 7: y = gr_conv(g, x, large, &(gr_conv_options){.stride = {-1}}); break;
        default: y = gr_upsample(g, x, &(gr_upsample_options){.scale = {-2}}); break;
        }
        assert_int_equal(y, 0);
        assert_fails(gr_graph_status(g), wrong[i].status, wrong[i].message);
        gr_graph_free(&g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_pytorch),         cmocka_unit_test(layers_are_pytorchs),
        cmocka_unit_test(pieces_are_the_whole),    cmocka_unit_test(windows_as_products),
        cmocka_unit_test(batch_norm_remembers),    cmocka_unit_test(a_network_learns_in_a_plan),
        cmocka_unit_test(survives_without_memory), cmocka_unit_test(refusals),
    };
    gr_set_allocator(&(gr_allocator){.resize = fragile});
    return cmocka_run_group_tests(tests, open_golden, close_golden);
}
