/* Sound: WAV of every kind we read, real files, FLAC against WAV, features against librosa's, properties of the rest. */
#include "tests/hostile.h"
#include "tests/md5.h"

#include "audio/fft.h"
#include "audio/mel.h"
#include "audio/resample.h"
#include "audio/sound_augment.h"
#include "audio/spectrum.h"
#include "base/file.h"
#include "format/npz.h"
#include "format/sound.h"

#include <math.h>

#define PI 3.14159265358979323846

static const char *dir;
static gr__npz *golden;

static int setup(void **state)
{
    (void)state;
    dir = test_tmpdir();
    assert_ok(gr__npz_open(test_source("tests/golden/audio.npz"), &golden));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    gr__npz_close(&golden);
    test_rmtree(dir);
    return 0;
}

/* ---- WAV ---- */

static void put(unsigned char *p, uint32_t v, int n)
{
    for (int i = 0; i < n; i++) p[i] = (unsigned char)(v >> 8 * i);
}

/* Header, an odd chunk to pass over, and the data. */
static size_t make_wav(unsigned char b[256], int format, int channels, int bits, const void *data, size_t n,
                       bool extended)
{
    size_t fmt = extended ? 40 : 16;
    memset(b, 0, 256);
    memcpy(b, "RIFF", 4), memcpy(b + 8, "WAVEfmt ", 8);
    put(b + 16, (uint32_t)fmt, 4), put(b + 20, extended ? 0xFFFE : (uint32_t)format, 2);
    put(b + 22, (uint32_t)channels, 2), put(b + 24, 8000, 4), put(b + 32, (uint32_t)(channels * bits / 8), 2);
    put(b + 34, (uint32_t)bits, 2);
    if (extended) {
        put(b + 36, 22, 2), put(b + 44, (uint32_t)format, 2);
        memcpy(b + 46, "\0\0\0\0\x10\0\x80\0\0\xAA\0\x38\x9B\x71", 14);
    }
    size_t at = 20 + fmt;
    memcpy(b + at, "LIST\3\0\0\0abc\0", 12);
    at += 12;
    memcpy(b + at, "data", 4);
    put(b + at + 4, (uint32_t)n, 4);
    memcpy(b + at + 8, data, n);
    put(b + 4, (uint32_t)(at + n), 4);
    return at + 8 + n;
}

static gr_status parse_wav(const unsigned char *bytes, size_t n, void *user)
{
    (void)user;
    gr__sound s;
    GR_TRY(gr__wav_decode(bytes, n, "x", &s));
    gr__sound_release(&s);
    return GR_OK;
}

static void wav_kinds(void **state)
{
    (void)state;
    static const double d[2] = {0.25, -1};
    static const float f[2] = {0.25f, -1};
    static const struct {
        int format, bits;
        const void *data;
    } rows[] = {{1, 8, "\xa0\0"},
                {1, 16, "\0\x20\0\x80"},
                {1, 24, "\0\0\x20\0\0\x80"},
                {1, 32, "\0\0\0\x20\0\0\0\x80"},
                {3, 32, f},
                {3, 64, d}};
    unsigned char b[256];
    for (size_t i = 0; i < GR__COUNT(rows); i++)
        for (int form = 0; form < 4; form++) {
            int channels = 1 + form % 2;
            size_t bytes = (size_t)rows[i].bits / 4,
                   n = make_wav(b, rows[i].format, channels, rows[i].bits, rows[i].data, bytes, form >= 2);
            gr__sound s;
            assert_ok(gr__wav_decode(b, n, "x", &s));
            assert_true(s.rate == 8000 && s.channels == channels && s.frames == 2 / channels);
            assert_true(s.samples[0] == 0.25f && s.samples[1] == -1);
            assert_ok(gr__sound_to_mono(&s));
            assert_true(s.channels == 1 && s.samples[0] == (channels == 2 ? -0.375f : 0.25f));
            gr__sound_release(&s);
            hostile_cuts(parse_wav, b, n, 0, NULL);
            hostile_flips(parse_wav, b, n, 400, NULL);
        }
    size_t n = make_wav(b, 1, 1, 16, "\0\x20\0\x80", 4, false);
    gr__sound s;
    put(b + 4, 0xFFFFFFFF, 4), put(b + 52, 0xFFFFFFFF, 4); /* written into a pipe */
    assert_ok(gr__wav_decode(b, n, "x", &s));
    assert_int_equal(s.frames, 2);
    gr__sound_release(&s);
    put(b + 4, 0, 4), put(b + 52, 0, 4);
    assert_ok(gr__wav_decode(b, n, "x", &s));
    assert_int_equal(s.frames, 2);
    gr__sound_release(&s);
}

static void wav_refuses(void **state)
{
    (void)state;
    static const struct {
        int at, bytes;
        uint32_t value;
        gr_status status;
        const char *message;
    } rows[] = {
        {20, 2, 2, GR_ERR_UNSUPPORTED, "cannot load 'x': it holds Microsoft ADPCM; convert it to PCM"},
        {20, 2, 7, GR_ERR_UNSUPPORTED, "it holds mu-law"},
        {20, 2, 0x55, GR_ERR_UNSUPPORTED, "it holds MP3"},
        {20, 2, 99, GR_ERR_UNSUPPORTED, "format 99 with 16 bits is not read"},
        {34, 2, 12, GR_ERR_UNSUPPORTED, "format 1 with 12 bits is not read"},
        {22, 2, 0, GR_ERR_CORRUPT, "0 channels of 16 bits do not make frames of 2 bytes"},
        {32, 2, 3, GR_ERR_CORRUPT, "do not make frames of 3 bytes"},
        {24, 4, 0, GR_ERR_CORRUPT, "it claims 1 channels at 0 Hz"},
        {0, 4, 0x34364652, GR_ERR_UNSUPPORTED, "it is an RF64 file"},
        {16, 4, 15, GR_ERR_CORRUPT, "its format chunk is broken"},
        {16, 4, 0xFFFFFFF0, GR_ERR_CORRUPT, "it ends early, after 60 bytes"},
        {12, 4, 0x20202020, GR_ERR_CORRUPT, "its data come before their format"},
        {52, 4, 5, GR_ERR_CORRUPT, "it ends early"},
    };
    unsigned char b[256];
    gr__sound s;
    for (size_t i = 0; i < GR__COUNT(rows); i++) {
        size_t n = make_wav(b, 1, 1, 16, "\0\x20\0\x80", 4, false);
        put(b + rows[i].at, rows[i].value, rows[i].bytes);
        assert_fails(gr__wav_decode(b, n, "x", &s), rows[i].status, rows[i].message);
    }
    assert_fails(gr__wav_decode(b, 0, "x", &s), GR_ERR_CORRUPT, "cannot load 'x': it is empty");
}

static void samples_are_numbers(void **state)
{
    (void)state;
    float x[6] = {0, 1, -2147483648.0f, 0.5f, -3, 0};
    gr__sound s = {3, 2, 16000, x}, back;
    char *path = gr__path_join(dir, "n.wav");
    assert_ok(gr__wav_write(path, &s, true));
    assert_ok(gr__sound_read(path, &back)); /* integers written as floats */
    gr__sound_release(&back);
    static const float bad[] = {NAN, -INFINITY, 1e30f};
    static const char *const said[] = {"n.wav': sample 2 is not finite", "n.wav': sample 2 is not finite",
                                       "n.wav': sample 2 is 1e+30, louder than any sound"};
    for (size_t i = 0; i < GR__COUNT(bad); i++) {
        x[5] = bad[i];
        assert_ok(gr__wav_write(path, &s, true));
        assert_fails(gr__sound_read(path, &back), GR_ERR_DATA, said[i]);
    }
    gr__free(path);
}

static void wav_round_trip(void **state)
{
    (void)state;
    float x[6] = {0, 1, -1, 0.5f, -3, 1.0f / 32768};
    gr__sound s = {3, 2, 16000, x}, back;
    char *path = gr__path_join(dir, "a.wav");
    assert_ok(gr__wav_write(path, &s, true));
    assert_ok(gr__sound_read(path, &back));
    assert_true(back.frames == 3 && back.channels == 2 && back.rate == 16000);
    assert_memory_equal(back.samples, x, sizeof x);
    gr__sound_release(&back);
    assert_ok(gr__wav_write(path, &s, false));
    assert_ok(gr__sound_read(path, &back));
    static const float cut[6] = {0, 32767.0f / 32768, -1, 0.5f, -1, 1.0f / 32768};
    assert_memory_equal(back.samples, cut, sizeof cut);
    gr__sound_release(&back);
    gr__free(path);
}

/* STREAMINFO begins at byte 8: bits of a sample at 12, MD5 of all samples at 18. */
static void check_md5(const char *path, const gr__sound *s)
{
    char *bytes;
    unsigned char sum[16];
    size_t n, count = (size_t)s->frames * (size_t)s->channels;
    assert_ok(gr__file_read(path, (size_t)1 << 24, &bytes, &n));
    const unsigned char *info = (unsigned char *)bytes + 8;
    int bits = (info[12] & 1) << 4 | info[13] >> 4;
    size_t each = (size_t)(bits + 8) / 8;
    unsigned char *samples = malloc(count * each);
    for (size_t i = 0; i < count; i++)
        put(samples + i * each, (uint32_t)(int32_t)lrint(ldexp((double)s->samples[i], bits)), (int)each);
    md5(samples, count * each, sum);
    if (memcmp(sum, info + 18, 16) != 0) fail_msg("%s: its samples do not have their MD5", path);
    free(samples);
    gr__free(bytes);
}

static void real_files(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        int64_t frames;
        int channels, rate;
    } files[] = {
        {"speech/fsdd/0_george_0.wav", 2384, 1, 8000},
        {"speech/speech_commands/yes_1000ms.wav", 16000, 1, 16000},
        {"speech/read_english/1272-141231-0002.wav", 0, 1, 16000},
        {"speech/read_english/1272-141231-0002.flac", 0, 1, 16000},
        {"speech/read_english/1272-141231-0002.mp3", 0, 1, 16000},
        {"speech/read_english/jfk.flac", 0, 2, 44100},
        {"speech/flac_suite/subset/01_-_blocksize_4096.flac", 0, 2, 44100},
        {"speech/flac_suite/subset/14_-_wasted_bits.flac", 0, 2, 44100},
        {"speech/flac_suite/subset/23_-_8_bit_per_sample.flac", 0, 2, 44100},
        {"speech/flac_suite/subset/38_-_3_channels_(3.0).flac", 0, 3, 44100},
        {"speech/flac_suite/subset/42_-_7_channels_(6.1).flac", 0, 7, 44100},
        {"speech/flac_suite/subset/60_-_mono_audio.flac", 0, 1, 44100},
    };
    size_t seen = 0;
    for (size_t i = 0; i < GR__COUNT(files); i++) {
        const char *path = test_data(files[i].path);
        gr__sound s;
        if (!path) continue;
        gr_status status = gr__sound_read(path, &s);
        if (status == GR_ERR_UNSUPPORTED) {
            assert_non_null(strstr(gr_message(), "it needs libsndfile; install libsndfile1"));
            printf("skip reason: %s\n", gr_message());
            continue;
        }
        assert_ok(status);
        seen++;
        if (files[i].frames) assert_int_equal(s.frames, files[i].frames);
        if (s.channels != files[i].channels || s.rate != files[i].rate || s.frames < 1000)
            fail_msg("%s: %d channels, %d Hz", files[i].path, s.channels, s.rate);
        if (strstr(path, ".flac")) check_md5(path, &s);
        gr__sound_release(&s);
    }
    if (!seen) skip();
}

static void broken_flac(void **state)
{
    (void)state;
    const char *path = test_data("speech/flac_suite/subset/60_-_mono_audio.flac");
    char *bytes;
    size_t n;
    gr__sound s;
    if (!path) skip();
    assert_ok(gr__file_read(path, (size_t)1 << 24, &bytes, &n));
    gr_status status = gr__sound_read(test_write(dir, "cut.flac", bytes, n / 2), &s);
    gr__free(bytes);
    if (status == GR_ERR_UNSUPPORTED) test_skip(gr_message());
    assert_int_equal(status, GR_ERR_CORRUPT);
    assert_non_null(strstr(gr_message(), "cut.flac"));
    assert_fails(gr__sound_read(test_write(dir, "no.flac", "fLaC\0\0\0\0", 8), &s), GR_ERR_CORRUPT,
                 "its sound data are broken; download it again");
}

/* ---- features ---- */

static float *load(const char *name, size_t *n)
{
    gr_tensor t;
    assert_ok(gr__npz_read(golden, name, &t));
    assert_int_equal(t.dtype, GR_F32);
    *n = (size_t)gr_tensor_count(&t);
    return t.data;
}

/* Frees 'got'. The largest difference, against the largest number. */
static void same(float *got, size_t n, const char *name, double most)
{
    size_t m;
    float *wanted = load(name, &m);
    double top = 0, worst = 0;
    assert_int_equal(n, m);
    for (size_t i = 0; i < n; i++) {
        top = fmax(top, fabs((double)wanted[i]));
        worst = fmax(worst, fabs((double)got[i] - (double)wanted[i]));
    }
    if (!(worst <= most * top)) fail_msg("%s: off by %g of %g", name, worst, top);
    gr__free(wanted);
    gr__free(got);
}

static void fft(void **state)
{
    (void)state;
    static const int64_t lengths[] = {1, 2, 3, 5, 8, 30, 64, 97, 400};
    for (size_t i = 0; i < GR__COUNT(lengths); i++) {
        int64_t n = lengths[i];
        double x[400], re[400], im[400];
        gr__fft *f;
        gr__rng r = gr__rng_make(1, (uint64_t)n);
        assert_ok(gr__fft_new(n, &f));
        double *scratch = malloc(gr__fft_scratch(f) * sizeof *scratch + 8);
        for (int64_t t = 0; t < n; t++) x[t] = re[t] = gr__rng_normal(&r), im[t] = 0;
        gr__fft_run(f, re, im, scratch);
        for (int64_t k = 0; k < n; k++) { /* the sum itself */
            double a = 0, b = 0;
            for (int64_t t = 0; t < n; t++) {
                double angle = 2 * PI * (double)(k * t % n) / (double)n;
                a += x[t] * cos(angle);
                b -= x[t] * sin(angle);
            }
            assert_true(fabs(a - re[k]) < 1e-11 && fabs(b - im[k]) < 1e-11);
        }
        free(scratch);
        gr__fft_free(&f);
    }
    gr__fft *f;
    assert_fails(gr__fft_new(0, &f), GR_ERR_ARGUMENT, "length 0");
}

static void spectra(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        gr__spectrum_options o;
    } rows[] = {{"power_zero", {.n_fft = 256, .window = 200, .hop = 80, .edge = GR__EDGE_ZERO}},
                {"power_reflect", {.n_fft = 300, .hop = 100}},
                {"power_none", {.n_fft = 256, .edge = GR__EDGE_NONE}}};
    size_t n;
    float *x = load("signal", &n), *out;
    int64_t frames, bins;
    for (size_t i = 0; i < GR__COUNT(rows); i++) {
        assert_ok(gr__spectrum(x, (int64_t)n, &rows[i].o, &out, &frames, &bins));
        same(out, (size_t)(frames * bins), rows[i].name, 1e-6);
    }
    gr__spectrum_options o = {.n_fft = 256, .magnitude = true, .edge = GR__EDGE_NONE}, bad = {.n_fft = 4, .window = 9};
    float *power;
    gr__spectrum_options squared = o;
    squared.magnitude = false;
    assert_ok(gr__spectrum(x, (int64_t)n, &o, &out, &frames, &bins));
    assert_ok(gr__spectrum(x, (int64_t)n, &squared, &power, &frames, &bins));
    for (int64_t i = 0; i < frames * bins; i++)
        assert_true(fabs(out[i] * out[i] - power[i]) <= 1e-6 * power[i] + 1e-20);
    gr__free(power);
    gr__free(out);
    assert_fails(gr__spectrum(x, 255, &o, &out, &frames, &bins), GR_ERR_DATA, "255 samples are too few");
    assert_fails(gr__spectrum(x, 1600, &bad, &out, &frames, &bins), GR_ERR_ARGUMENT, "window 9");
    gr__free(x);
}

static float *log_mel(const float *x, int64_t n, int rate, const gr__spectrum_options *o, int64_t mels, int64_t *frames)
{
    float *power, *filters;
    int64_t bins, n_mels;
    gr__mel_options m = {.n_mels = mels};
    assert_ok(gr__spectrum(x, n, o, &power, frames, &bins));
    assert_ok(gr__mel_filters(o->n_fft, rate, &m, &filters, &n_mels));
    float *mel = gr__alloc((size_t)(*frames * n_mels) * sizeof *mel);
    gr__mel_apply(power, *frames, bins, filters, n_mels, mel);
    gr__mel_to_db(mel, *frames * n_mels, 1e-10, 80);
    gr__free(power);
    gr__free(filters);
    return mel;
}

static void mel(void **state)
{
    (void)state;
    gr__mel_options slaney = {.n_mels = 20},
                    htk = {.n_mels = 23, .low = 20, .high = 7600, .htk = true, .no_norm = true};
    float *w;
    size_t n;
    int64_t mels, frames;
    assert_ok(gr__mel_filters(256, 8000, &slaney, &w, &mels));
    same(w, (size_t)(mels * 129), "filters_slaney", 1e-6);
    assert_ok(gr__mel_filters(400, 16000, &htk, &w, &mels));
    same(w, (size_t)(mels * 201), "filters_htk", 1e-6);
    gr__spectrum_options o = {.n_fft = 256, .window = 200, .hop = 80, .edge = GR__EDGE_ZERO};
    float *x = load("signal", &n), *db = log_mel(x, (int64_t)n, 8000, &o, 20, &frames);
    float *cepstra = gr__alloc((size_t)frames * 13 * sizeof *cepstra);
    gr__mel_cepstra(db, frames, 20, 13, cepstra);
    same(db, (size_t)frames * 20, "db", 1e-5);
    same(cepstra, (size_t)frames * 13, "mfcc", 1e-5);
    gr__free(x);
    float v[2] = {0, 2};
    gr__mel_to_log(v, 2, 1e-5);
    assert_true(fabs(v[0] - log(1e-5)) < 1e-6 && fabs(v[1] - log(2)) < 1e-6);
    gr__mel_options bad = {.low = 5000, .high = 4000};
    assert_fails(gr__mel_filters(256, 8000, &bad, &w, &mels), GR_ERR_ARGUMENT, "128 mel filters from 5000 to 4000 Hz");
}

static void digit(void **state)
{
    (void)state;
    const char *path = test_data("speech/fsdd/0_george_0.wav");
    if (!path) skip();
    gr__sound s;
    int64_t frames;
    assert_ok(gr__sound_read(path, &s));
    gr__spectrum_options o = {.n_fft = 512, .hop = 256, .edge = GR__EDGE_ZERO};
    float *db = log_mel(s.samples, s.frames, s.rate, &o, 40, &frames);
    same(db, (size_t)frames * 40, "digit_db", 1e-5);
    gr__sound_release(&s);
}

/* A tone comes out as that tone; what lies above the new band is gone; a constant stays. */
static void resample(void **state)
{
    (void)state;
    static const int rates[][2] = {{16000, 8000}, {8000, 16000}, {44100, 16000}, {48000, 44100}, {16000, 16001}};
    float x[20000], *y;
    int64_t n;
    for (size_t i = 0; i < GR__COUNT(rates); i++) {
        double from = rates[i][0], to = rates[i][1];
        for (int t = 0; t < 20000; t++) x[t] = (float)(sin(2 * PI * 1000 * t / from) + 0.5);
        assert_ok(gr__resample(x, 20000, rates[i][0], rates[i][1], &y, &n));
        assert_int_equal(n, (int64_t)ceil(20000 * to / from));
        double worst = 0;
        for (int64_t t = 400; t < n - 400; t++)
            worst = fmax(worst, fabs((double)y[t] - sin(2 * PI * 1000 * (double)t / to) - 0.5));
        if (worst > 2e-5) fail_msg("%g to %g Hz: off by %g", from, to, worst);
        gr__free(y);
        if (to * 1.2 > from) continue;
        for (int t = 0; t < 20000; t++) x[t] = (float)sin(2 * PI * (to * 0.55) * t / from);
        assert_ok(gr__resample(x, 20000, rates[i][0], rates[i][1], &y, &n));
        for (int64_t t = 400; t < n - 400; t++)
            if (fabsf(y[t]) > 1e-4f) fail_msg("%g to %g Hz: %g of an alias", from, to, (double)y[t]);
        gr__free(y);
    }
    assert_ok(gr__resample(x, 20000, 8000, 8000, &y, &n));
    assert_memory_equal(x, y, sizeof x);
    gr__free(y);
    assert_fails(gr__resample(x, 5, 0, 8000, &y, &n), GR_ERR_ARGUMENT, "rates go from 1 to 768000");
}

static void augment(void **state)
{
    (void)state;
    enum { N = 4000 };
    static float x[N], y[N], z[N];
    gr__sound_augment_options none = {0}, noise = {.noise_share = 1, .snr_least = 20, .snr_most = 20},
                              shift = {.shift = 0.5};
    for (int t = 0; t < N; t++) x[t] = (float)sin(t * 0.3);
    memcpy(y, x, sizeof x);
    gr__sound_augment(y, N, &none, 1, 2, 3);
    assert_memory_equal(x, y, sizeof x);
    gr__sound_augment(y, N, &noise, 1, 2, 3);
    double signal = 0, rest = 0;
    for (int t = 0; t < N; t++) signal += x[t] * x[t], rest += (y[t] - x[t]) * (y[t] - x[t]);
    assert_true(fabs(10 * log10(signal / rest) - 20) < 0.3);
    memcpy(z, x, sizeof x);
    gr__sound_augment(z, N, &noise, 1, 2, 3);
    assert_memory_equal(y, z, sizeof z); /* the same sample again */
    for (uint64_t i = 0; i < 20; i++) {
        memcpy(y, x, sizeof x);
        gr__sound_augment(y, N, &shift, 1, 2, i);
        int by = -N;
        for (int k = -N / 2; k <= N / 2 && by == -N; k++) { /* some shift explains all of it */
            bool fits = true;
            for (int t = 0; t < N && fits; t++) fits = y[t] == (t - k >= 0 && t - k < N ? x[t - k] : 0);
            if (fits) by = k;
        }
        assert_true(by != -N);
    }
    static uint64_t heard[2][512]; /* of two epochs */
    for (uint64_t i = 0; i < 1024; i++) {
        memcpy(y, x, sizeof x);
        gr__sound_augment(y, 32, &noise, 1, 1 + i / 512, i % 512);
        memcpy(&heard[i / 512][i % 512], y, sizeof(uint64_t));
    }
    assert_int_equal(test_in_both(heard[0], heard[1], 512), 0);
    static float f[50 * 40];
    gr__mask_options m = {.n_time = 2, .most_time = 10, .n_bands = 1, .most_bands = 8, .fill = -7};
    size_t masked = 0;
    for (uint64_t i = 0; i < 200; i++) {
        for (int k = 0; k < 2000; k++) f[k] = 1;
        gr__feature_mask(f, 50, 40, &m, 4, 0, i);
        int rows = 0, columns = 0;
        for (int t = 0; t < 50; t++) {
            bool all = true;
            for (int k = 0; k < 40; k++) all = all && f[t * 40 + k] == -7;
            rows += all;
        }
        for (int k = 0; k < 40; k++) {
            bool all = true;
            for (int t = 0; t < 50; t++) all = all && f[t * 40 + k] == -7;
            columns += all;
        }
        assert_true(rows <= 20 && columns <= 8);
        size_t here = 0;
        for (int k = 0; k < 2000; k++) here += f[k] == -7;
        assert_int_equal(here, rows * 40 + columns * 50 - rows * columns);
        masked += here;
    }
    assert_true(masked > 200 * 300 && masked < 200 * 800); /* about 570 each */
}

static gr_status all_of_it(void *user)
{
    (void)user;
    unsigned char b[256];
    size_t n = make_wav(b, 1, 2, 16, "\0\x20\0\x80\0\x20\0\x80", 8, false);
    gr__sound s;
    float x[64] = {1}, *out, *filters;
    int64_t frames, bins, mels;
    GR_TRY(gr__wav_decode(b, n, "x", &s));
    gr_status status = gr__sound_to_mono(&s);
    gr__sound_release(&s);
    GR_TRY(status);
    gr__spectrum_options o = {.n_fft = 12};
    gr__mel_options m = {.n_mels = 3};
    GR_TRY(gr__spectrum(x, 64, &o, &out, &frames, &bins));
    gr__free(out);
    GR_TRY(gr__mel_filters(12, 8000, &m, &filters, &mels));
    gr__free(filters);
    GR_TRY(gr__resample(x, 64, 3, 2, &out, &frames));
    gr__free(out);
    return GR_OK;
}

static void allocations(void **state)
{
    (void)state;
    gr__npz_close(&golden); /* the allocator changes while the library owns nothing */
    hostile_allocations(all_of_it, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wav_kinds),
        cmocka_unit_test(wav_refuses),
        cmocka_unit_test(samples_are_numbers),
        cmocka_unit_test(wav_round_trip),
        cmocka_unit_test(real_files),
        cmocka_unit_test(broken_flac),
        cmocka_unit_test(fft),
        cmocka_unit_test(spectra),
        cmocka_unit_test(mel),
        cmocka_unit_test(digit),
        cmocka_unit_test(resample),
        cmocka_unit_test(augment),
        cmocka_unit_test(allocations),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
