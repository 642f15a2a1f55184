/* Weights of other people in graphs of ours, by the public functions, against the numbers that came with them: MLPerf Tiny's
 * ResNet-8 and auto-encoder (Keras' layouts), Silero's speech detector, PyTorch's super-resolution (ONNX). Burn's digits are
 * in test_vision.c. */
#include "tests/test.h"

#include "data/image_set.h"
#include "format/npy.h"
#include "format/npz.h"
#include "format/safetensors.h"
#include "format/sound.h"
#include "gradus/ops.h"
#include "gradus/onnx.h"
#include "gradus/plan.h"
#include "gradus/store.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_LINE = 200 };

static gr__safetensors *file;

/* A tensor of the file. */
static gr_value weight(gr_graph *g, const char *format, const char *name)
{
    char key[MOST_LINE];
    snprintf(key, sizeof key, format, name);
    const gr__stored *s = gr__safetensors_find(file, key);
    if (!s) fail_msg("no '%s'", key);
    return gr_constant(g, &s->tensor);
}

/* Keras numbers its layers from "dense", "dense_1", ... */
static const char *numbered(char room[MOST_LINE], const char *name, int i)
{
    snprintf(room, MOST_LINE, i ? "%s_%d" : "%s", name, i);
    return room;
}

static gr_value dense(gr_graph *g, gr_value x, int i)
{
    char name[MOST_LINE];
    numbered(name, "dense", i);
    return gr_add(g, gr_matmul(g, x, weight(g, "%s/kernel:0", name), NULL), weight(g, "%s/bias:0", name));
}

static gr_value norm(gr_graph *g, gr_value x, int i)
{
    char name[MOST_LINE];
    numbered(name, "batch_normalization", i);
    return gr_batch_norm_fixed(g, x, weight(g, "%s/gamma:0", name), weight(g, "%s/beta:0", name),
                               weight(g, "%s/moving_mean:0", name), weight(g, "%s/moving_variance:0", name), 1e-3);
}

typedef struct runner {
    gr_graph *g;
    gr_store *store;
    gr_plan *plan;
    gr_session *session;
} runner;

static void runner_new(runner *r, gr_graph *g)
{
    r->g = g;
    assert_ok(gr_graph_status(g));
    assert_ok(gr_store_new(&r->store));
    assert_ok(gr_plan_compile(g, "run", NULL, &r->plan));
    assert_ok(gr_session_new(r->plan, r->store, &r->session));
}

static float *input(runner *r, const char *name)
{
    gr_tensor t;
    assert_ok(gr_session_input(r->session, name, &t));
    return t.data;
}

static const float *output(runner *r, const char *name)
{
    gr_tensor t;
    assert_ok(gr_session_run(r->session));
    assert_ok(gr_session_output(r->session, name, &t));
    return t.data;
}

static void runner_free(runner *r)
{
    gr_session_free(&r->session);
    gr_plan_free(&r->plan);
    gr_store_free(&r->store);
    gr_graph_free(&r->g);
}

static void within(const char *what, const float *got, const float *want, int64_t n, double most)
{
    double worst = 0;
    for (int64_t i = 0; i < n; i++) {
        double d = fabs((double)got[i] - (double)want[i]);
        if (!(d <= most)) fail_msg("%s[%d]: %.9g, not %.9g", what, (int)i, (double)got[i], (double)want[i]);
        worst = fmax(worst, d);
    }
    print_message("%s: %.1e at most\n", what, worst);
}

/* ---- the auto-encoder ---- */

static void anomaly_score(void **state)
{
    (void)state;
    enum { FRAMES = 200, BANDS = 128, WINDOW = 5, N = FRAMES - WINDOW + 1, WIDTH = WINDOW * BANDS };
    const char *weights = test_data("models/mlperf-tiny-autoencoder/weights.safetensors"),
               *sound = test_data("models/mlperf-tiny-autoencoder/normal_id_01_00000000_hist_librosa.bin");
    if (!weights || !sound) skip();
    static float frames[FRAMES * BANDS];
    runner r;
    gr_graph *g;
    FILE *in = fopen(sound, "rb");
    assert_non_null(in);
    assert_int_equal(fread(frames, sizeof *frames, FRAMES * BANDS, in), FRAMES * BANDS);
    fclose(in);
    assert_ok(gr__safetensors_open(weights, &file));
    assert_ok(gr_graph_new(&g));
    gr_value x = gr_input(g, "x", GR_F32, 2, (int64_t[]){N, WIDTH}), y = x;
    for (int i = 0; i < 9; i++) y = gr_relu(g, norm(g, dense(g, y, i), i));
    y = dense(g, y, 9);
    gr_output(g, "run", "error", gr_mean(g, gr_square(g, gr_sub(g, y, x)), 1u << 1, false));
    runner_new(&r, g);
    for (int i = 0; i < N; i++) memcpy(input(&r, "x") + i * WIDTH, frames + i * BANDS, WIDTH * sizeof *frames);
    const float *error = output(&r, "error");
    double score = 0;
    for (int i = 0; i < N; i++) score += (double)error[i] / N;
    print_message("anomaly score %.6f\n", score);
    assert_true(fabs(score - 9.49129) <= 2e-5);
    runner_free(&r);
    gr__safetensors_close(&file);
}

/* ---- ResNet-8 ---- */

/* Keras' "same": what a stride leaves over is padded behind. */
static gr_value conv(gr_graph *g, gr_value x, int i, int64_t stride)
{
    char name[MOST_LINE];
    gr_value w = gr_permute(g, weight(g, "%s/kernel:0", numbered(name, "conv2d", i)), (int[]){3, 2, 0, 1});
    bool wide = gr_value_dim(g, w, 2) == 3;
    gr_conv_options o = {.stride = {stride}, .bias = weight(g, "%s/bias:0", name)};
    for (int k = 0; k < 2 && wide; k++) o.before[k] = stride == 1, o.after[k] = 1;
    return gr_conv(g, x, w, &o);
}

static void resnet8(void **state)
{
    (void)state;
    enum { N = 100, EACH = 32 * 32 * 3 };
    const char *weights = test_data("models/mlperf-tiny-resnet8/weights.safetensors"),
               *answers = test_data("models/mlperf-tiny-resnet8/reference_softmax_first100.npy"),
               *photos = test_data("images/cifar10/test.tar.gz");
    if (!weights || !answers || !photos) skip();
    runner r;
    gr_graph *g;
    gr_tensor want;
    gr__image_set *set;
    gr__image image;
    assert_ok(gr__image_set_open(photos, NULL, &set));
    if (gr__image_set_decode(set, 0, NULL, &image) == GR_ERR_UNSUPPORTED) {
        gr__image_set_close(&set);
        test_skip("this build reads no JPEG");
    }
    gr__image_release(&image);
    assert_ok(gr__safetensors_open(weights, &file));
    assert_ok(gr_graph_new(&g));
    gr_value x = gr_relu(g, norm(g, conv(g, gr_input(g, "x", GR_F32, 4, (int64_t[]){N, 32, 32, 3}), 0, 1), 0));
    gr_value y = gr_relu(g, norm(g, conv(g, x, 1, 1), 1));
    x = gr_relu(g, gr_add(g, x, norm(g, conv(g, y, 2, 1), 2)));
    for (int s = 0; s < 2; s++) { /* convolutions 3, 4, 5 and 6, 7, 8; the last of them is the shortcut */
        y = gr_relu(g, norm(g, conv(g, x, 3 + 3 * s, 2), 3 + 2 * s));
        y = norm(g, conv(g, y, 4 + 3 * s, 1), 4 + 2 * s);
        x = gr_relu(g, gr_add(g, conv(g, x, 5 + 3 * s, 2), y));
    }
    gr_output(g, "run", "all", gr_softmax(g, dense(g, gr_global_avg_pool(g, x), 0)));
    runner_new(&r, g);
    for (int64_t i = 0; i < N; i++) {
        assert_ok(gr__image_set_decode(set, i, NULL, &image));
        for (int k = 0; k < EACH; k++) input(&r, "x")[i * EACH + k] = ((uint8_t *)image.pixels)[k];
        gr__image_release(&image);
    }
    assert_ok(gr__npy_read(answers, &want));
    within("resnet8", output(&r, "all"), want.data, N * 10, 1e-4);
    gr__free(want.data);
    gr__image_set_close(&set);
    runner_free(&r);
    gr__safetensors_close(&file);
}

/* ---- the speech detector ---- */

/* All chunks are a batch up to the LSTM, and its steps there: the state goes from one to the next. */
static void speech(void **state)
{
    (void)state;
    enum { CHUNK = 512, BEFORE = 64, AFTER = 64, N = 1875, LENGTH = BEFORE + CHUNK + AFTER, WIDTH = 128 };
    const char *weights = test_data("models/silero-vad/silero_vad_16k.safetensors"),
               *answers = test_data("models/silero-vad/reference_safetensors_probs_512.npy"),
               *path = test_data("models/silero-vad/test.wav");
    if (!weights || !answers || !path) skip();
    static const int64_t strides[] = {1, 2, 2, 1};
    runner r;
    gr_graph *g;
    gr_tensor want;
    gr__sound sound;
    assert_ok(gr__sound_read(path, &sound));
    assert_true(sound.frames >= N * CHUNK && sound.channels == 1 && sound.rate == 16000);
    assert_ok(gr__safetensors_open(weights, &file));
    assert_ok(gr_graph_new(&g));
    gr_value x = gr_input(g, "x", GR_F32, 3, (int64_t[]){N, LENGTH, 1});
    x = gr_conv(g, x, weight(g, "%s", "stft_conv.weight"), &(gr_conv_options){.stride = {128}}); /* (N, 4, 258) */
    gr_value re = gr_square(g, gr_slice(g, x, 2, 0, 129)), im = gr_square(g, gr_slice(g, x, 2, 129, 129));
    x = gr_sqrt(g, gr_add(g, re, im));
    for (int i = 0; i < 4; i++) {
        char name[MOST_LINE];
        snprintf(name, sizeof name, "conv%d", i + 1);
        gr_conv_options o = {.padding = 1, .stride = {strides[i]}, .bias = weight(g, "%s.bias", name)};
        x = gr_relu(g, gr_conv(g, x, weight(g, "%s.weight", name), &o));
    }
    gr_scan_options o = {.bias_ih = weight(g, "%s", "lstm_cell.bias_ih"),
                         .bias_hh = weight(g, "%s", "lstm_cell.bias_hh")};
    x = gr_lstm_scan(g, gr_reshape(g, x, 3, (int64_t[]){1, N, WIDTH}), weight(g, "%s", "lstm_cell.weight_ih"),
                     weight(g, "%s", "lstm_cell.weight_hh"), &o, NULL, NULL);
    x = gr_conv(g, gr_relu(g, x), weight(g, "%s", "final_conv.weight"),
                &(gr_conv_options){.bias = weight(g, "%s", "final_conv.bias")});
    gr_output(g, "run", "speech", gr_sigmoid(g, x));
    runner_new(&r, g);
    for (int64_t i = 0; i < N; i++) {
        float *to = input(&r, "x") + i * LENGTH;
        for (int64_t k = 0; k < LENGTH; k++) {
            int64_t place = k < LENGTH - AFTER ? k : 2 * (LENGTH - AFTER - 1) - k; /* reflected behind the last */
            int64_t at = i * CHUNK + place - BEFORE;
            to[k] = at < 0 ? 0 : sound.samples[at];
        }
    }
    assert_ok(gr__npy_read(answers, &want));
    within("silero", output(&r, "speech"), want.data, N, 1e-4);
    gr__free(want.data);
    gr__sound_release(&sound);
    runner_free(&r);
    gr__safetensors_close(&file);
}

/* ---- super-resolution ---- */

enum { SMALL = 224, LARGE = 672, SAMPLED = 42 };

static double luma_of(const uint8_t *rgb) { return 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]; }

/* The model's input from the picture: the pipeline of tests/golden/make_superres.py. */
static void make_luma(const gr__image *image, uint8_t *out)
{
    runner r;
    gr_graph *g;
    const int64_t dim[] = {1, image->height, image->width, 3};
    int64_t width = image->width * SMALL / image->height, left = (width - SMALL) / 2;
    assert_ok(gr_graph_new(&g));
    gr_value x = gr_upsample(g, gr_input(g, "x", GR_F32, 4, dim),
                             &(gr_upsample_options){.size = {SMALL, width}, .linear = true});
    gr_output(g, "run", "small", gr_slice(g, gr_floor(g, gr_affine(g, x, 1, 1e-3)), 2, left, SMALL));
    runner_new(&r, g);
    for (int64_t i = 0; i < image->height * image->width * 3; i++) input(&r, "x")[i] = ((uint8_t *)image->pixels)[i];
    const float *small = output(&r, "small");
    for (int i = 0; i < SMALL * SMALL; i++) {
        const uint8_t rgb[] = {(uint8_t)small[3 * i], (uint8_t)small[3 * i + 1], (uint8_t)small[3 * i + 2]};
        out[i] = (uint8_t)rint(luma_of(rgb));
    }
    runner_free(&r);
}

static void super_resolution(void **state)
{
    (void)state;
    const char *path = test_data("models/onnx-superres/pytorch_super_resolution.onnx"),
               *from = test_data("models/onnx-superres/input.png"),
               *to = test_data("models/onnx-superres/expected.png");
    if (!path || !from || !to) skip();
    static uint8_t luma[SMALL * SMALL];
    static float x[SMALL * SMALL], some[SAMPLED * SAMPLED];
    gr__image image, wanted;
    gr_onnx *model;
    gr__npz *golden;
    gr_tensor begin, large, y;
    if (gr__image_read(from, &(gr__image_options){.channels = 3}, &image) == GR_ERR_UNSUPPORTED)
        test_skip("this build reads no PNG");
    assert_ok(gr__image_read(to, &(gr__image_options){.channels = 3}, &wanted));
    assert_ok(gr__npz_open(test_source("tests/golden/superres.npz"), &golden));
    assert_ok(gr__npz_read(golden, "luma", &begin));
    assert_ok(gr__npz_read(golden, "large", &large));
    make_luma(&image, luma);
    int other = 0;
    for (int i = 0; i < SMALL * SMALL; i++) {
        int d = abs(luma[i] - ((uint8_t *)begin.data)[i]);
        assert_true(d <= 1);
        other += d; /* where a sum of floats falls on the other side of a whole number */
        x[i] = (float)((uint8_t *)begin.data)[i] / 255;
    }
    print_message("luma: %d of %d differ by 1\n", other, SMALL * SMALL);
    assert_true(other < SMALL * SMALL / 200);
    assert_ok(gr_onnx_open(path, &model));
    gr_tensor in = {.dtype = GR_F32, .rank = 4, .dim = {1, 1, SMALL, SMALL}, .data = x};
    assert_ok(gr_onnx_run(model, &in, 1, &y, 1));
    assert_int_equal(gr_tensor_count(&y), LARGE * LARGE);
    const float *got = y.data;
    for (int i = 0; i < SAMPLED * SAMPLED; i++) some[i] = got[i / SAMPLED * 16 * LARGE + i % SAMPLED * 16];
    within("super-resolution, onnxruntime", some, large.data, SAMPLED * SAMPLED, 1e-4);
    int64_t compared = 0;
    for (int64_t i = 0; i < LARGE * LARGE; i++) { /* but where a colour was cut to 0 .. 255: the luma is another then */
        const uint8_t *rgb = (uint8_t *)wanted.pixels + 3 * i;
        bool whole = true;
        for (int k = 0; k < 3; k++) whole &= rgb[k] > 0 && rgb[k] < 255;
        if (!whole) continue;
        compared++;
        assert_true(fabs(rint(fmin(fmax((double)got[i] * 255, 0), 255)) - rint(luma_of(rgb))) <= 2);
    }
    assert_true(compared > LARGE * LARGE * 9 / 10);
    gr__free(begin.data);
    gr__free(large.data);
    gr__npz_close(&golden);
    gr__image_release(&image);
    gr__image_release(&wanted);
    gr_onnx_free(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(anomaly_score),
        cmocka_unit_test(resnet8),
        cmocka_unit_test(speech),
        cmocka_unit_test(super_resolution),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
