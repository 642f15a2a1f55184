#include "image/ffmpeg.h"

#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { SAID = 512 };

/* Everything to the end; the beginning is kept as text. */
static void drain(int file, char said[SAID])
{
    size_t n = 0;
    for (;;) {
        char more[SAID];
        ssize_t got = read(file, more, sizeof more);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        size_t keep = GR__MIN((size_t)got, SAID - 1 - n);
        memcpy(said + n, more, keep);
        n += keep;
    }
    said[n] = 0;
}

/* The first line without where in the program it comes from: "[h264 @ 0x55..] text". */
static const char *first_line(char *said)
{
    said[strcspn(said, "\r\n")] = 0;
    char *end = *said == '[' ? strstr(said, "] ") : NULL;
    return end ? end + 2 : said;
}

/* In a group of its own, so that the interrupt of a terminal is the caller's alone: a clip that is being read stays whole.
 * said: the program's errors. Returns an error number; *code: what the program ended with. */
static int run(const char *const *words, char said[SAID], int *code)
{
    int error, ends[2];
    pid_t child;
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    *said = 0;
    if (pipe2(ends, O_CLOEXEC) != 0) return errno;
    error = posix_spawn_file_actions_init(&files);
    if (error == 0) {
        error = posix_spawnattr_init(&how);
        if (error == 0) {
            posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
            posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
            posix_spawn_file_actions_adddup2(&files, ends[1], 2);
            posix_spawnattr_setpgroup(&how, 0);
            posix_spawnattr_setflags(&how, POSIX_SPAWN_SETPGROUP);
            error = posix_spawnp(&child, words[0], &files, &how, (char *const *)(uintptr_t)words, environ);
            posix_spawnattr_destroy(&how);
        }
        posix_spawn_file_actions_destroy(&files);
    }
    close(ends[1]);
    if (error == 0) {
        drain(ends[0], said);
        while (waitpid(child, code, 0) < 0 && errno == EINTR) continue;
    }
    close(ends[0]);
    return error;
}

static gr_status convert(const char *path, int64_t width, int64_t height, const char *to)
{
    gr__str input = {0}, filter = {0};
    char said[SAID];
    int code = -1;
    gr__str_printf(&input, "file:%s", path); /* no option, and no other protocol */
    gr__str_add(&filter, "scale=");
    if (width) gr__str_printf(&filter, "w=%lld:h=%lld:", (long long)width, (long long)height);
    gr__str_add(&filter, "flags=bilinear:out_color_matrix=bt601:out_range=tv");
    gr_status status = gr__str_check(&input);
    if (status == GR_OK) status = gr__str_check(&filter);
    if (status == GR_OK) {
        const char *words[24] = {"ffmpeg", "-v", "error", "-xerror", "-nostdin", "-y"};
        const char *rest[] = {"-protocol_whitelist", "file",     "-threads", "1",  "-i",          input.text, "-vf",
                              filter.text,           "-pix_fmt", "yuv444p",  "-f", "yuv4mpegpipe"};
        int n = 6;
        for (size_t i = 0; i < GR__COUNT(rest); i++) words[n++] = rest[i];
        if (!width) words[n++] = "-frames:v", words[n++] = "1";
        words[n] = to;
        int error = run(words, said, &code);
        if (error == ENOENT)
            status =
                gr__fail(GR_ERR_UNSUPPORTED,
                         "cannot read '%s': only folders of frames and .y4m are read without the program 'ffmpeg', "
                         "which is not installed",
                         path);
        else if (error)
            status = gr__fail(GR_ERR_IO, "cannot run ffmpeg for '%s': %s", path, strerror(error));
        else if (code != 0 || *said)
            status = gr__fail(GR_ERR_CORRUPT, "cannot read '%s': ffmpeg says '%s'", path,
                              *said ? first_line(said) : "nothing, but it failed");
    }
    gr__str_release(&input);
    gr__str_release(&filter);
    return status;
}

gr_status gr__ffmpeg_frames(const char *path, int64_t width, int64_t height, gr__mapping *out)
{
    const char *folder = getenv("TMPDIR");
    char *made = gr__path_join(folder && *folder ? folder : "/tmp", "gradus-clip-XXXXXX");
    if (!made) return gr__fail_memory("a path", 64);
    int file = mkstemp(made);
    gr_status status = GR_OK;
    if (file < 0)
        status =
            gr__fail(GR_ERR_IO, "cannot make a file for the frames of '%s' like '%s': %s", path, made, strerror(errno));
    if (file >= 0) {
        close(file);
        status = convert(path, width, height, made);
        if (status == GR_OK) status = gr__file_map(made, out);
        unlink(made);
    }
    gr__free(made);
    return status;
}
