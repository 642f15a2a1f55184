/* Videos through the program ffmpeg: our side with a script in its place, and with the real one where it is on the PATH. */
#include "tests/run_rig.h"

#include "base/str.h"
#include "image/clip.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EDGE = 16, FRAMES = 6 };

static const char *folder;

/* A square that goes right, or down; gray, but of three planes: ffmpeg takes the levels of one alone for those of a picture. */
static void make_film(gr__str *film, bool down, int seed)
{
    uint8_t gray[2 * EDGE * EDGE];
    memset(gray, 128, sizeof gray);
    gr__str_printf(film, "YUV4MPEG2 W%d H%d F25:1 Ip A1:1 C444\n", EDGE, EDGE);
    for (int f = 0; f < FRAMES; f++) {
        uint8_t pixels[EDGE * EDGE];
        memset(pixels, 16, sizeof pixels);
        for (int i = 0; i < 16; i++) {
            int along = 1 + 2 * f + seed % 2 + i % 4, across = seed % 12 + i / 4;
            pixels[(down ? along : across) * EDGE + (down ? across : along)] = 235;
        }
        gr__str_add(film, "FRAME\n");
        gr__str_add_n(film, (const char *)pixels, sizeof pixels);
        gr__str_add_n(film, (const char *)gray, sizeof gray);
    }
}

static const char *write_film(const char *name, bool down, int seed)
{
    gr__str film = {0};
    make_film(&film, down, seed);
    const char *path = test_write(folder, name, film.text, film.n);
    gr__str_release(&film);
    return path;
}

/* ---- a script in its place ---- */

static const char script[] =
    "#!/bin/sh\n"
    "printf '%s\\n' \"$@\" > \"$FAKE_WORDS\"\n"
    "for to; do :; done\n"
    "case $FAKE_MODE in\n"
    "itself) for word; do case $was in -i) from=${word#file:} ;; esac; was=$word; done\n"
    "    head -c 9 \"$from\" | grep -q YUV4MPEG2 || { echo 'moov atom not found' >&2; exit 1; }\n"
    "    cp \"$from\" \"$to\" ;;\n"
    "fine) cp \"$FAKE_FILM\" \"$to\" ;;\n"
    "short) head -c 290 \"$FAKE_FILM\" > \"$to\" ;;\n"
    "damaged) cp \"$FAKE_FILM\" \"$to\"; echo '[h264 @ 0x55aa] no frame at 7' >&2 ;;\n"
    "broken) echo '[in#0 @ 0x55aa] moov atom not found' >&2; echo 'a second line' >&2; exit 1 ;;\n"
    "long) i=0; while [ $i -lt 9000 ]; do echo \"line $i is long enough\" >&2; i=$((i + 1)); done ;;\n"
    "silent) exit 3 ;;\n"
    "killed) kill -9 $$ ;;\n"
    "esac\n";

static void expect(const char *mode, gr_status status, const char *sentence)
{
    uint8_t out[2 * EDGE * EDGE];
    const char *path = test_write(folder, "film.mp4", "x", 1);
    setenv("FAKE_MODE", mode, 1);
    gr_status got = gr__clip_read(path, &(gr__clip_size){2, EDGE, EDGE, 1}, out);
    assert_fails(got, status, sentence);
    assert_non_null(strstr(gr_message(), "film.mp4"));
}

static void is_asked_in_its_words(void **state)
{
    (void)state;
    static const char name[] = "-i it's a \"film\" \xE7\x89\x87 %d;$(x).MP4";
    char line[500], *words;
    size_t n;
    uint8_t out[2 * 64];
    gr__clip_size look;
    setenv("FAKE_MODE", "fine", 1);
    const char *path = test_write(folder, name, "x", 1);
    assert_true(gr__clip_is_named(name));
    assert_ok(gr__clip_read(path, &(gr__clip_size){2, 8, 8, 1}, out));
    assert_true(out[0] == 0 && memcmp(out, out + 64, 64) != 0);
    assert_ok(gr__file_read(getenv("FAKE_WORDS"), 1 << 16, &words, &n));
    snprintf(line, sizeof line, "\nfile:%s\n", path);
    assert_non_null(strstr(words, line));
    assert_non_null(strstr(words, "\nscale=w=8:h=8:"));
    assert_null(strstr(words, "-frames:v"));
    gr__free(words);
    assert_ok(gr__clip_look(path, &look));
    assert_true(look.height == EDGE && look.width == EDGE && look.channels == 3);
    assert_ok(gr__file_read(getenv("FAKE_WORDS"), 1 << 16, &words, &n));
    assert_null(strstr(words, "w="));
    assert_non_null(strstr(words, "-frames:v\n1\n"));
    gr__free(words);
    assert_int_equal(chdir(folder), 0); /* a relative name is no option either */
    assert_ok(gr__clip_read(name, &(gr__clip_size){2, 8, 8, 1}, out));
    assert_ok(gr__file_read(getenv("FAKE_WORDS"), 1 << 16, &words, &n));
    assert_non_null(strstr(words, "\nfile:-i it's"));
    gr__free(words);
}

static void faults_are_told(void **state)
{
    (void)state;
    expect("broken", GR_ERR_CORRUPT, "ffmpeg says 'moov atom not found'");
    expect("damaged", GR_ERR_CORRUPT, "ffmpeg says 'no frame at 7'");
    expect("long", GR_ERR_CORRUPT, "ffmpeg says 'line 0 is long enough'");
    expect("silent", GR_ERR_CORRUPT, "nothing, but it failed");
    expect("killed", GR_ERR_CORRUPT, "nothing, but it failed");
    expect("short", GR_ERR_CORRUPT, "is it cut off?");
    expect("nothing", GR_ERR_CORRUPT, "is not a YUV4MPEG2 video");
}

/* What 'gradus WORDS' prints; it must end with 'code'. */
static const char *program(int code, const char *words)
{
    static char text[1 << 14];
    char self[4000], line[5000];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    assert_true(n > 0);
    self[n] = 0;
    *strrchr(self, '/') = 0;
    snprintf(line, sizeof line, "exec '%s/../gradus' %s 2>&1", self, words);
    FILE *pipe = popen(line, "r");
    assert_non_null(pipe);
    text[fread(text, 1, sizeof text - 1, pipe)] = 0;
    int status = pclose(pipe);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != code) fail_msg("'%s' ended with %d: %s", words, status, text);
    return text;
}

/* A folder of classes of .mp4 files: train, predict and eval, by the command. */
static void program_learns_films(void **state)
{
    (void)state;
    char path[400], name[40];
    setenv("FAKE_MODE", "itself", 1);
    assert_int_equal(chdir(folder), 0);
    for (int i = 0; i < 24; i++) {
        snprintf(path, sizeof path, "%s/films/%s", folder, i % 2 ? "right" : "down");
        if (i < 2) assert_ok(gr__dir_make(path));
        snprintf(name, sizeof name, "films/%s/%d.mp4", i % 2 ? "right" : "down", i);
        write_film(name, i % 2 == 0, i);
    }
    write_film("new film.mp4", false, 5);
    write_film("other.MOV", true, 9);
    assert_non_null(strstr(program(3, "train films --out m"), "task=clip-classification"));
#define FILMS                                                                                 \
    "train films task=clip-classification data.frames=4 data.channels=1 'model.maps=[4, 8]' " \
    "model.hidden=16 train.batch=6 train.epochs=12 train.lr=1e-2 --seed 2 --out m --fresh"
    program(0, FILMS " -q");
    const char *said = program(0, "predict m 'new film.mp4' other.MOV");
    assert_true(strncmp(said, "right\t0.", 8) == 0 && strstr(said, "\ndown\t0."));
    assert_non_null(
        strstr(program(0, "predict m 'new film.mp4' --json"), "\"clip\": \"new film.mp4\", \"label\": \"right\""));
    program(0, "eval m --min accuracy=1");
    test_write(folder, "films/down/bad.mp4", "x", 1);
    said = program(3, FILMS);
    assert_true(strstr(said, "films/down/bad.mp4") && strstr(said, "moov atom not found"));
    assert_non_null(strstr(program(0, FILMS " data.skip_bad=true"), "left out: cannot read 'films/down/bad.mp4'"));
    said = program(3, "predict m films/down/bad.mp4");
    assert_non_null(strstr(said, "moov atom not found"));
}

static int files_in(const char *dir)
{
    char **names;
    size_t n;
    assert_ok(gr__dir_list(dir, false, &names, &n));
    gr__names_free(names, n);
    return (int)n;
}

static void with_a_script(void (*test)(void **state))
{
    char path[400], bin[300], temporary[300], *was = strdup(getenv("PATH")), here[4096];
    assert_non_null(getcwd(here, sizeof here));
    snprintf(bin, sizeof bin, "%s/bin", folder);
    snprintf(temporary, sizeof temporary, "%s/temporary", folder);
    assert_ok(gr__dir_make(bin));
    assert_ok(gr__dir_make(temporary));
    assert_int_equal(chmod(test_write(bin, "ffmpeg", script, sizeof script - 1), 0755), 0);
    snprintf(path, sizeof path, "%s:%s", bin, was);
    setenv("PATH", path, 1);
    setenv("TMPDIR", temporary, 1);
    setenv("FAKE_FILM", write_film("film.y4m", false, 0), 1);
    snprintf(path, sizeof path, "%s/words", folder);
    setenv("FAKE_WORDS", path, 1);
    test(NULL);
    assert_int_equal(files_in(temporary), 0);
    assert_int_equal(chdir(here), 0);
    unsetenv("TMPDIR");
    setenv("PATH", was, 1);
    free(was);
}

static void script_is_asked(void **state)
{
    (void)state;
    with_a_script(is_asked_in_its_words);
}

static void script_fails(void **state)
{
    (void)state;
    with_a_script(faults_are_told);
}

static void program_asks_it(void **state)
{
    (void)state;
    char self[4000];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 20);
    assert_true(n > 0);
    self[n] = 0;
    strcpy(strrchr(self, '/'), "/../gradus");
    if (access(self, X_OK) != 0) test_skip("the program was not built");
    with_a_script(program_learns_films);
}

static void is_missed(void **state)
{
    (void)state;
    char *was = strdup(getenv("PATH")), bad[400];
    gr__clip_size look;
    const char *path = test_write(folder, "film.mp4", "x", 1);
    setenv("PATH", folder, 1);
    assert_fails(gr__clip_look(path, &look), GR_ERR_UNSUPPORTED, "the program 'ffmpeg', which is not installed");
    setenv("PATH", was, 1);
    free(was);
    snprintf(bad, sizeof bad, "%s/nowhere", folder);
    setenv("TMPDIR", bad, 1);
    assert_fails(gr__clip_look(path, &look), GR_ERR_IO, "cannot make a file for the frames");
    unsetenv("TMPDIR");
}

/* ---- the real one ---- */

static bool there_is_ffmpeg(void) { return system("ffmpeg -version > /dev/null 2>&1") == 0; }

/* name: no quotes. */
static void encode(const char *film, const char *options, const char *name)
{
    char command[1000];
    snprintf(command, sizeof command, "ffmpeg -v error -nostdin -y -i '%s' %s 'file:%s'", film, options, name);
    if (system(command) != 0) fail_msg("%s", command);
}

static void real_one_reads(void **state)
{
    (void)state;
    if (!there_is_ffmpeg()) test_skip("there is no ffmpeg");
    static const struct {
        const char *name, *options;
        int off; /* of a pixel */
    } cases[] = {{"lossless.mkv", "-c:v ffv1 -pix_fmt yuv444p", 3},
                 {"turns.gif", "", 12},
                 {"a film.mp4", "-c:v mpeg4 -q:v 1 -pix_fmt yuv420p", 60},
                 {"-y.avi", "-c:v mjpeg -q:v 2 -pix_fmt yuvj420p", 60}};
    const char *film = write_film("film.y4m", true, 3);
    uint8_t want[FRAMES * EDGE * EDGE], got[sizeof want], wide[3 * FRAMES * EDGE * EDGE];
    const gr__clip_size gray = {FRAMES, EDGE, EDGE, 1}, colour = {FRAMES, EDGE, EDGE, 3};
    assert_ok(gr__clip_read(film, &gray, want));
    for (size_t c = 0; c < GR__COUNT(cases); c++) {
        char path[500], *bytes;
        size_t n;
        gr__clip_size look;
        snprintf(path, sizeof path, "%s/%s", folder, cases[c].name);
        encode(film, cases[c].options, path);
        assert_ok(gr__clip_look(path, &look));
        assert_true(look.height == EDGE && look.width == EDGE && look.channels == 3);
        assert_ok(gr__clip_read(path, &gray, got));
        assert_ok(gr__clip_read(path, &colour, wide));
        for (size_t i = 0; i < sizeof want; i++) {
            if (abs(want[i] - got[i]) > cases[c].off)
                fail_msg("%s: pixel %d is %d, not %d", cases[c].name, (int)i, got[i], want[i]);
            for (int k = 0; k < 3; k++) assert_true(abs(wide[3 * i + (size_t)k] - got[i]) <= 12 + cases[c].off / 2);
        }
        assert_ok(gr__file_read(path, 1 << 24, &bytes, &n));
        const char *cut = test_write(folder, cases[c].name, bytes, n * 6 / 10);
        assert_fails(gr__clip_read(cut, &gray, got), GR_ERR_CORRUPT, "ffmpeg says '");
        gr__free(bytes);
    }
    const char *list = test_write(folder, "list.mp4", "#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1/a.ts\n", 42);
    assert_fails(gr__clip_read(list, &gray, got), GR_ERR_CORRUPT, "ffmpeg says '");
}

static void real_films_are_told_apart(void **state)
{
    (void)state;
    if (!there_is_ffmpeg()) test_skip("there is no ffmpeg");
    char path[500], film[500], text[400], out[300];
    for (int i = 0; i < 24; i++) {
        snprintf(path, sizeof path, "%s/clips/%s", folder, i % 2 ? "right" : "down");
        if (i < 2) assert_ok(gr__dir_make(path));
        snprintf(film, sizeof film, "%s", write_film("film.y4m", i % 2 == 0, i));
        snprintf(path + strlen(path), 40, i % 3 ? "/%d.avi" : "/%d.MKV", i);
        encode(film, i % 3 ? "-c:v mpeg4 -q:v 2" : "-c:v ffv1", path);
    }
    int n = snprintf(text, sizeof text,
                     "task: clip-classification\ndata: {source: %s/clips, frames: 4, channels: 1, valid: 0.25}\n"
                     "model: {maps: [4, 8], hidden: 16}\ntrain: {batch: 6, epochs: 12, lr: 1e-2, seed: 2}\n",
                     folder);
    const char *config = test_write(folder, "clips.yaml", text, (size_t)n);
    const char *const kept[] = {"train.epochs=1", "data.cache_mib=1"}, *const again[] = {"train.epochs=1",
                                                                                         "data.cache_mib=0",
                                                                                         "train.loaders=1"};
    gr_run *run;
    snprintf(out, sizeof out, "%s/kept", folder);
    assert_ok(run_with(config, kept, 2, out, &run));
    assert_ok(gr_run_train(run, NULL));
    gr_run_close(&run);
    snprintf(film, sizeof film, "%s/again", folder);
    assert_ok(run_with(config, again, 3, film, &run));
    assert_ok(gr_run_train(run, NULL));
    gr_run_close(&run);
    assert_same_run(out, film);
    snprintf(out, sizeof out, "%s/learned", folder);
    assert_ok(run_with(config, NULL, 0, out, &run));
    assert_ok(gr_run_train(run, NULL));
    assert_true(metric_of(run, "accuracy") == 1);
    gr_run_close(&run);

    gr_model *m;
    float score[2];
    assert_ok(gr_model_open(out, &m));
    assert_ok(gr_classify_clips(m, (const char *[]){path}, 1, NULL, score));
    assert_string_equal(gr_model_label(m, 1), "right");
    assert_true(score[1] > 0.5f);
    gr_model_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(script_is_asked), cmocka_unit_test(script_fails),
                                       cmocka_unit_test(program_asks_it), cmocka_unit_test(is_missed),
                                       cmocka_unit_test(real_one_reads),  cmocka_unit_test(real_films_are_told_apart)};
    folder = test_tmpdir();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
