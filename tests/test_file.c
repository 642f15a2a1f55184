/* base/file: round trips, gzip, folders, every system call failing once and for ever, and kill -9 in the middle. */
#include "tests/test.h"

#include "base/file.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

/* ---- faults ---- */

typedef struct fault {
    size_t at;     /* the call of this number fails */
    bool for_ever; /* and all that follow */
    int error;     /* negative: a short count */
    size_t calls;
    size_t hits;
    size_t fsyncs_after_failure;
    bool fsync_failed;
} fault;

static int inject(void *user, const char *call, const char *path)
{
    fault *f = user;
    (void)path;
    size_t n = f->calls++;
    bool hit = n == f->at || (f->for_ever && n > f->at);
    if (strcmp(call, "fsync") == 0 && f->fsync_failed) f->fsyncs_after_failure++;
    if (hit && f->error > 0 && strcmp(call, "fsync") == 0) f->fsync_failed = true;
    f->hits += hit;
    return hit ? f->error : 0;
}

static int close_b(void *user, const char *call, const char *path)
{
    size_t n = strlen(path);
    (void)user;
    return strcmp(call, "opendir") == 0 && n > 2 && strcmp(path + n - 2, "/b") == 0 ? EACCES : 0;
}

static size_t entries(const char *dir)
{
    char **names;
    size_t n;
    assert_ok(gr__dir_list(dir, false, &names, &n));
    gr__names_free(names, n);
    return n;
}

static void assert_content(const char *path, const char *wanted, size_t wanted_n)
{
    char *text;
    size_t n;
    assert_ok(gr__file_read(path, SIZE_MAX, &text, &n));
    assert_int_equal(n, wanted_n);
    assert_memory_equal(text, wanted, n);
    gr__free(text);
}

static const int errors[] = {EIO, ENOSPC, EINTR, ENOMEM, -3};

/* The old file stays until the new one is complete; nothing else is left behind; the message names the file. */
static void write_faults(void **state)
{
    (void)state;
    const char *dir = test_tmpdir(), *path = test_write(dir, "model.bin", "old", 3);
    static char fresh[700000];
    memset(fresh, 'n', sizeof fresh);
    for (size_t e = 0; e < sizeof errors / sizeof errors[0]; e++)
        for (int for_ever = 0; for_ever < 2; for_ever++)
            for (size_t at = 0, hits = 1; hits > 0; at++) {
                fault f = {.at = at, .for_ever = for_ever, .error = errors[e]};
                gr__writer *w = NULL;
                test_write(dir, "model.bin", "old", 3);
                gr__file_set_fault(inject, &f);
                gr_status status = gr__writer_open(path, sizeof fresh + 5, &w);
                if (status == GR_OK) status = gr__writer_write(w, fresh, 1000);
                if (status == GR_OK) status = gr__writer_write(w, fresh, sizeof fresh - 1000);
                bool writable = status == GR_OK;
                if (writable)
                    status = gr__writer_commit(&w);
                else
                    gr__writer_drop(&w);
                gr__file_set_fault(NULL, NULL);
                assert_null(w);
                hits = f.hits;
                assert_int_equal(f.fsyncs_after_failure, 0);
                if (errors[e] < 0 || (errors[e] == EINTR && !for_ever && !f.fsync_failed))
                    assert_int_equal(status, GR_OK);
                if (status != GR_OK && errors[e] > 0 && !strstr(gr_message(), "model.bin") &&
                    !strstr(gr_message(), dir))
                    fail_msg("no path in: %s", gr_message());
                if (status == GR_OK)
                    assert_content(path, fresh, sizeof fresh);
                else if (!strstr(gr_message(), "folder")) /* rename is done when the folder is synced */
                    assert_content(path, "old", 3);
                if (!for_ever) assert_int_equal(entries(dir), 1); /* for ever: unlink fails as well */
                char command[4200];
                snprintf(command, sizeof command, "%s.tmp-%ld", path, (long)getpid());
                unlink(command);
            }
    test_rmtree(dir);
}

static void read_faults(void **state)
{
    (void)state;
    const char *dir = test_tmpdir();
    static char text[200000];
    memset(text, 'r', sizeof text);
    const char *path = test_write(dir, "data.txt", text, sizeof text);
    for (size_t e = 0; e < sizeof errors / sizeof errors[0]; e++)
        for (int for_ever = 0; for_ever < 2; for_ever++)
            for (int how = 0; how < 3; how++)
                for (size_t at = 0, hits = 1; hits > 0 && at < 300; at++) {
                    fault f = {.at = at, .for_ever = for_ever, .error = errors[e]};
                    char *got = NULL;
                    size_t n = 0;
                    gr__mapping map = {0};
                    gr__stream *s = NULL;
                    gr_status status;
                    gr__file_set_fault(inject, &f);
                    if (how == 0) {
                        status = gr__file_read(path, sizeof text, &got, &n);
                    } else if (how == 1) {
                        status = gr__file_map(path, &map);
                        n = map.n;
                    } else {
                        got = gr__alloc(sizeof text + 1);
                        status = gr__stream_open(path, &s);
                        if (status == GR_OK) status = gr__stream_read(s, got, sizeof text + 1, &n);
                    }
                    gr__stream_close(&s);
                    gr__file_set_fault(NULL, NULL);
                    hits = f.hits;
                    if (errors[e] < 0 || (errors[e] == EINTR && !for_ever && how != 1)) assert_int_equal(status, GR_OK);
                    if (status == GR_OK) {
                        assert_int_equal(n, sizeof text);
                        assert_memory_equal(how == 1 ? (const char *)map.data : got, text, n);
                    } else {
                        assert_non_null(strstr(gr_message(), "data.txt"));
                    }
                    gr__file_unmap(&map);
                    gr__free(got);
                }
    test_rmtree(dir);
}

static void folder_faults(void **state)
{
    (void)state;
    const char *dir = test_tmpdir();
    test_write(dir, "a", "1", 1);
    for (size_t at = 0, hits = 1; hits > 0; at++) {
        fault f = {.at = at, .error = EACCES};
        char **names = NULL;
        size_t n = 0;
        gr__file_set_fault(inject, &f);
        gr_status status = gr__dir_list(dir, true, &names, &n);
        gr__file_set_fault(NULL, NULL);
        hits = f.hits;
        if (hits) assert_int_equal(status, GR_ERR_IO);
        if (status == GR_OK) gr__names_free(names, n);
    }
    char *deep = gr__path_join(dir, "x/y/z");
    for (size_t at = 0, hits = 1; hits > 0; at++) {
        fault f = {.at = at, .error = ENOSPC};
        gr__file_set_fault(inject, &f);
        gr_status status = gr__dir_make(deep);
        gr__file_set_fault(NULL, NULL);
        hits = f.hits;
        if (status != GR_OK) assert_non_null(strstr(gr_message(), "no space left on device; free some space"));
        if (!hits) assert_ok(status);
    }
    assert_true(gr__file_is_dir(deep));
    gr__free(deep);
    test_rmtree(dir);
}

/* ---- kill -9 ---- */

static void write_until_killed(const char *path)
{
    static char block[300000];
    for (char c = 'a';; c = c == 'z' ? 'a' : (char)(c + 1)) {
        memset(block, c, sizeof block);
        if (gr__file_write(path, block, sizeof block) != GR_OK) _exit(1);
    }
}

static void kill_safety(void **state)
{
    (void)state;
    const char *dir = test_tmpdir();
    static char first[300000];
    memset(first, '0', sizeof first);
    const char *path = test_write(dir, "state.bin", first, sizeof first);
    size_t replaced = 0;
    for (unsigned trial = 0; trial < 60; trial++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) write_until_killed(path);
        usleep(500 + trial * 211 % 9000);
        kill(child, SIGKILL);
        int how;
        waitpid(child, &how, 0);
        assert_true(WIFSIGNALED(how)); /* no write failed */
        char *text;
        size_t n;
        assert_ok(gr__file_read(path, SIZE_MAX, &text, &n));
        assert_int_equal(n, sizeof first);
        for (size_t i = 1; i < n; i++)
            if (text[i] != text[0]) fail_msg("torn file at %zu", i);
        replaced += text[0] != '0';
        gr__free(text);
    }
    assert_true(replaced > 0);
    test_rmtree(dir);
}

/* ---- ordinary use ---- */

/* What is no plain file stays what it is. */
static void links_and_pipes(void **state)
{
    (void)state;
    const char *folder = test_tmpdir();
    char path[300], link[300], pipe[300], text[8] = "", *read_back;
    struct stat info;
    size_t n;
    snprintf(path, sizeof path, "%s/real", folder);
    snprintf(link, sizeof link, "%s/link", folder);
    snprintf(pipe, sizeof pipe, "%s/pipe", folder);
    assert_ok(gr__file_write(path, "old", 3));
    assert_int_equal(symlink("real", link), 0);
    assert_ok(gr__file_write(link, "new", 3));
    assert_int_equal(lstat(link, &info), 0);
    assert_true(S_ISLNK(info.st_mode));
    assert_ok(gr__file_read(path, 100, &read_back, &n));
    assert_string_equal(read_back, "new");
    gr__free(read_back);
    assert_int_equal(mkfifo(pipe, 0600), 0);
    int fd = open(pipe, O_RDWR | O_NONBLOCK);
    assert_true(fd >= 0);
    assert_ok(gr__file_write(pipe, "abc", 3));
    assert_int_equal(read(fd, text, sizeof text), 3);
    assert_string_equal(text, "abc");
    assert_int_equal(lstat(pipe, &info), 0);
    assert_true(S_ISFIFO(info.st_mode));
    close(fd);
    test_rmtree(folder);
}

static void reading(void **state)
{
    (void)state;
    const char *dir = test_tmpdir(), *path = test_write(dir, "a.txt", "hello", 5), *empty = test_write(dir, "e", "", 0);
    char *text;
    size_t n;
    gr__mapping map;
    assert_ok(gr__file_read(path, 5, &text, &n));
    assert_string_equal(text, "hello");
    gr__free(text);
    assert_fails(gr__file_read(path, 4, &text, &n), GR_ERR_LIMIT, "larger than the 4 B");
    assert_fails(gr__file_read(dir, 100, &text, &n), GR_ERR_IO, "it is a folder, a file is needed");
    char *absent = gr__path_join(dir, "absent");
    assert_fails(gr__file_read(absent, 100, &text, &n), GR_ERR_NOT_FOUND, "absent': no such file or directory");
    gr__free(absent);
    assert_ok(gr__file_read("/proc/self/status", 1 << 20, &text, &n)); /* a file without a size */
    assert_true(n > 100 && text[n] == 0);
    gr__free(text);
    assert_ok(gr__file_map(empty, &map));
    assert_int_equal(map.n, 0);
    gr__file_unmap(&map);
    assert_fails(gr__file_map("/dev/null", &map), GR_ERR_IO, "not a regular file");
    char *pipe_path = gr__path_join(dir, "pipe");
    assert_int_equal(mkfifo(pipe_path, 0600), 0);
    assert_fails(gr__file_map(pipe_path, &map), GR_ERR_IO, "not a regular file"); /* and does not wait */
    gr__free(pipe_path);
    test_rmtree(dir);
}

/* As 'echo later > pipe', which begins after the reader. */
static void write_later(const char *pipe_path)
{
    if (fork() != 0) return;
    alarm(20); /* a reader that did not wait leaves it alone for ever */
    usleep(50000);
    int fd = open(pipe_path, O_WRONLY);
    _exit(write(fd, "later", 5) == 5 ? 0 : 1);
}

static void pipes_wait_for_their_writer(void **state)
{
    (void)state;
    const char *dir = test_tmpdir();
    char *path = gr__path_join(dir, "pipe"), *text, streamed[8] = "";
    size_t n;
    gr__stream *s;
    assert_int_equal(mkfifo(path, 0600), 0);
    write_later(path);
    assert_ok(gr__file_read(path, 100, &text, &n));
    assert_true(n == 5 && strcmp(text, "later") == 0);
    gr__free(text);
    write_later(path);
    assert_ok(gr__stream_open(path, &s));
    assert_ok(gr__stream_read(s, streamed, sizeof streamed, &n));
    assert_true(n == 5 && strcmp(streamed, "later") == 0);
    gr__stream_close(&s);
    for (int i = 0; i < 2; i++) assert_true(wait(NULL) > 0);
    gr__free(path);
    test_rmtree(dir);
}

static size_t pack(const char *text, size_t n, unsigned char *out, size_t room)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (unsigned char *)(uintptr_t)text;
    z.avail_in = (unsigned)n;
    z.next_out = out;
    z.avail_out = (unsigned)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return room - z.avail_out;
}

static gr_status unpack(const char *path, char *out, size_t room, size_t *n)
{
    gr__stream *s;
    GR_TRY(gr__stream_open(path, &s));
    gr_status status = gr__stream_read(s, out, room, n);
    gr__stream_close(&s);
    return status;
}

static void gzip(void **state)
{
    (void)state;
    const char *dir = test_tmpdir();
    static char text[300000], out[700000];
    static unsigned char packed[800000];
    size_t n;
    uint32_t x = 1;
    for (size_t i = 0; i < sizeof text; i++) text[i] = (char)('a' + ((x = x * 1664525u + 1013904223u) >> 28));
    size_t one = pack(text, sizeof text, packed, sizeof packed);
    assert_ok(unpack(test_write(dir, "one.gz", packed, one), out, sizeof out, &n));
    assert_int_equal(n, sizeof text);
    assert_memory_equal(out, text, n);
    memcpy(packed + one, packed, one); /* two members and padding */
    memset(packed + 2 * one, 0, 100);
    assert_ok(unpack(test_write(dir, "two.gz", packed, 2 * one + 100), out, sizeof out, &n));
    assert_int_equal(n, 2 * sizeof text);
    assert_memory_equal(out + sizeof text, text, sizeof text);
    packed[2 * one] = 'x';
    assert_fails(unpack(test_write(dir, "junk.gz", packed, 2 * one + 100), out, sizeof out, &n), GR_ERR_CORRUPT,
                 "not gzip follows");
    for (size_t cut = 2; cut < one; cut = cut < 40 ? cut + 1 : cut + 9973)
        assert_fails(unpack(test_write(dir, "cut.gz", packed, cut), out, sizeof out, &n), GR_ERR_CORRUPT,
                     "it ends early");
    packed[one - 6] ^= 1; /* the checksum */
    assert_fails(unpack(test_write(dir, "bad.gz", packed, one), out, sizeof out, &n), GR_ERR_CORRUPT,
                 "incorrect data check");
    for (size_t step = 1; step < 100000; step = step * 3 + 1) { /* plain files, any size of reads */
        gr__stream *s;
        size_t at = 0, got;
        assert_ok(gr__stream_open(test_write(dir, "plain", text, sizeof text), &s));
        do {
            assert_ok(gr__stream_read(s, out + at, step, &got));
            at += got;
        } while (got == step);
        gr__stream_close(&s);
        assert_int_equal(at, sizeof text);
        assert_memory_equal(out, text, at);
    }
    test_rmtree(dir);
}

static void appending(void **state)
{
    (void)state;
    const char *dir = test_tmpdir(), *path = test_write(dir, "log", "one\ntwo\nthr", 11);
    gr__appender *a;
    assert_ok(gr__appender_open(path, 8, &a));
    assert_int_equal(gr__appender_size(a), 8);
    assert_ok(gr__appender_write(a, "three\n", 6));
    assert_ok(gr__appender_sync(a));
    gr__appender_close(&a);
    assert_null(a);
    assert_content(path, "one\ntwo\nthree\n", 14);
    assert_ok(gr__appender_open(path, SIZE_MAX, &a));
    assert_int_equal(gr__appender_size(a), 14);
    gr__appender_close(&a);
    test_rmtree(dir);
}

/* A line that is written by half does not stay. */
static int short_then_full(void *user, const char *call, const char *path)
{
    int *calls = user;
    (void)path;
    if (strcmp(call, "write") != 0) return 0;
    return (*calls)++ == 0 ? -2 : ENOSPC;
}

static void half_a_line(void **state)
{
    (void)state;
    const char *dir = test_tmpdir(), *path = test_write(dir, "log", "one\n", 4);
    gr__appender *a;
    int calls = 0;
    assert_ok(gr__appender_open(path, SIZE_MAX, &a));
    gr__file_set_fault(short_then_full, &calls);
    assert_fails(gr__appender_write(a, "two\n", 4), GR_ERR_IO, "no space left on device");
    gr__file_set_fault(NULL, NULL);
    assert_ok(gr__appender_write(a, "three\n", 6));
    gr__appender_close(&a);
    assert_content(path, "one\nthree\n", 10);
    test_rmtree(dir);
}

static void folders(void **state)
{
    (void)state;
    const char *dir = test_tmpdir(), *outside = test_tmpdir();
    const char *const wanted[] = {"a.txt", "b/c.txt", "b/d/e.txt", "link.txt"};
    char **names;
    size_t n;
    char *b = gr__path_join(dir, "b/d");
    assert_ok(gr__dir_make(b));
    assert_ok(gr__dir_make(b));
    gr__free(b);
    test_write(dir, "a.txt", "1", 1);
    test_write(dir, "b/c.txt", "1", 1);
    test_write(dir, "b/d/e.txt", "1", 1);
    test_write(dir, ".hidden", "1", 1);
    const char *secret = test_write(outside, "secret.txt", "1", 1);
    char *link = gr__path_join(dir, "out.txt"), *loop = gr__path_join(dir, "b/loop"),
         *in = gr__path_join(dir, "link.txt");
    assert_int_equal(symlink(secret, link) | symlink("..", loop) | symlink("a.txt", in), 0);
    assert_ok(gr__dir_list(dir, true, &names, &n));
    assert_int_equal(n, 4);
    for (size_t i = 0; i < n; i++) assert_string_equal(names[i], wanted[i]);
    gr__names_free(names, n);
    assert_ok(gr__dir_list(dir, false, &names, &n));
    assert_int_equal(n, 3);
    assert_string_equal(names[1], "b");
    gr__names_free(names, n);
    gr__dir_tree tree;
    assert_ok(gr__dir_tree_read(dir, false, &tree)); /* a link to a file is one, wherever that lies */
    assert_int_equal(tree.files.n, 5);
    assert_string_equal(tree.files.item[4], "out.txt");
    assert_int_equal(tree.folders.n, 3);
    assert_string_equal(tree.folders.item[2], "b/d");
    assert_int_equal(tree.links.n, 1);
    assert_string_equal(tree.links.item[0], "b/loop");
    gr__dir_tree_release(&tree);
    gr__file_set_fault(close_b, NULL);
    assert_fails(gr__dir_tree_read(dir, false, &tree), GR_ERR_IO, "cannot list the folder '");
    assert_ok(gr__dir_tree_read(dir, true, &tree)); /* but for what lies in it */
    gr__file_set_fault(NULL, NULL);
    assert_true(tree.files.n < 5 && tree.files.n > 0);
    gr__dir_tree_release(&tree);
    assert_fails(gr__dir_make(in), GR_ERR_IO, "file exists");
    uint64_t size;
    assert_ok(gr__file_size(in, &size));
    assert_int_equal(size, 1);
    assert_ok(gr__file_remove(in));
    assert_false(gr__file_exists(in));
    assert_fails(gr__file_remove(in), GR_ERR_NOT_FOUND, "link.txt");
    gr__free(link);
    gr__free(loop);
    gr__free(in);
    char *fifo = gr__path_join(dir, "pipe"), *nothing = gr__path_join(dir, "b/nothing");
    assert_int_equal(mkfifo(fifo, 0600) | symlink("no file", nothing), 0);
    assert_ok(gr__dir_tree_read(dir, false, &tree)); /* all is in one of the lists */
    assert_true(tree.links.n == 2 && strcmp(tree.links.item[1], "b/nothing") == 0);
    assert_true(tree.others.n == 1 && strcmp(tree.others.item[0], "pipe") == 0);
    gr__dir_tree_release(&tree);
    gr__free(fifo);
    gr__free(nothing);
    assert_true(gr__path_is_base("a..b") && !gr__path_is_base("..") && !gr__path_is_base("a/b") &&
                !gr__path_is_base(""));
    test_rmtree(outside);
    test_rmtree(dir);
}

static void relative_paths(void **state)
{
    (void)state;
    char before[4096];
    const char *dir = test_tmpdir();
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(dir), 0);
    assert_ok(gr__file_write("plain.txt", "x", 1)); /* its folder is "." */
    assert_content("plain.txt", "x", 1);
    assert_int_equal(chdir(before), 0);
    test_rmtree(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading),        cmocka_unit_test(pipes_wait_for_their_writer),
        cmocka_unit_test(gzip),           cmocka_unit_test(appending),
        cmocka_unit_test(half_a_line),    cmocka_unit_test(folders),
        cmocka_unit_test(relative_paths), cmocka_unit_test(write_faults),
        cmocka_unit_test(read_faults),    cmocka_unit_test(folder_faults),
        cmocka_unit_test(kill_safety),    cmocka_unit_test(links_and_pipes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
