/* Atomic writing and the appender.
 *
 *   open: path.tmp-PID, reserved     write: buffered     commit: flush, fsync, rename, fsync of the folder
 *
 * A link stays one: the file that it names is replaced. A device or a pipe is written to, and not replaced by a file.
 *
 * After the first failure a writer only waits to be dropped: Linux may forget dirty pages once fsync has failed, so a
 * second try could report a success that is none. */
#include "base/file_int.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFER_BYTES ((size_t)256 << 10)

struct gr__writer {
    char *path, *temporary;
    int fd;
    size_t written, reserved, used; /* used: bytes waiting in the buffer */
    bool failed;
    bool direct; /* temporary is path */
    unsigned char *buffer;
};

static void writer_free(gr__writer *w)
{
    if (w->fd >= 0) gr__sys_close(w->fd, w->temporary);
    gr__free(w->buffer);
    gr__free(w->temporary);
    gr__free(w->path);
    gr__free(w);
}

/* A leftover of a killed process with our number is stepped over: it may be in use by another thread. */
static gr_status open_temporary(gr__writer *w)
{
    size_t room = strlen(w->path) + 48;
    if (!(w->temporary = gr__alloc(room))) return gr__fail_memory("a file name", room);
    for (int i = 0; i < 1000; i++) {
        if (i == 0)
            snprintf(w->temporary, room, "%s.tmp-%ld", w->path, (long)getpid());
        else
            snprintf(w->temporary, room, "%s.tmp-%ld.%d", w->path, (long)getpid(), i);
        w->fd = gr__sys_open(w->temporary, O_WRONLY | O_CREAT | O_EXCL, 0666);
        if (w->fd >= 0) return GR_OK;
        if (errno != EEXIST) break;
    }
    return gr__file_fail(errno, "create", w->path);
}

static gr_status take_path(gr__writer *w, const char *path)
{
    struct stat info;
    char *target = lstat(path, &info) == 0 && S_ISLNK(info.st_mode) ? realpath(path, NULL) : NULL;
    w->path = gr__strdup(target ? target : path);
    free(target);
    if (!w->path) return gr__fail_memory("a file name", strlen(path));
    w->direct = gr__sys_stat(w->path, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode);
    return GR_OK;
}

static gr_status open_direct(gr__writer *w)
{
    if (!(w->temporary = gr__strdup(w->path))) return gr__fail_memory("a file name", strlen(w->path));
    w->fd = gr__sys_open(w->path, O_WRONLY, 0);
    return w->fd >= 0 ? GR_OK : gr__file_fail(errno, "open", w->path);
}

static void remove_temporary(const gr__writer *w)
{
    if (!w->direct) gr__sys_unlink(w->temporary);
}

static gr_status reserve_space(gr__writer *w, size_t bytes)
{
    if (bytes == 0) return GR_OK;
    if (bytes > INT64_MAX) return gr__file_fail(EFBIG, "reserve space for", w->path);
    if (gr__sys_fallocate(w->fd, w->temporary, bytes) == 0)
        w->reserved = bytes;
    else if (errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL) /* some file systems cannot; it is a courtesy */
        return gr__file_fail(errno, "reserve space for", w->path);
    return GR_OK;
}

gr_status gr__writer_open(const char *path, size_t reserve, gr__writer **out)
{
    gr__writer *w = gr__calloc(1, sizeof *w);
    if (!w) return gr__fail_memory("a file writer", sizeof *w);
    w->fd = -1;
    gr_status status = take_path(w, path);
    if (status == GR_OK && !(w->buffer = gr__alloc(BUFFER_BYTES)))
        status = gr__fail_memory("a file writer", BUFFER_BYTES);
    if (status == GR_OK) status = w->direct ? open_direct(w) : open_temporary(w);
    if (status == GR_OK && !w->direct) status = reserve_space(w, reserve);
    if (status != GR_OK) {
        if (w->fd >= 0) remove_temporary(w);
        writer_free(w);
        return status;
    }
    *out = w;
    return GR_OK;
}

static gr_status put(gr__writer *w, const void *bytes, size_t n)
{
    size_t done;
    int result = gr__sys_write_all(w->fd, w->temporary, bytes, n, &done);
    w->written += done;
    if (result == 0) return GR_OK;
    w->failed = true;
    return gr__file_fail(errno, "write", w->path);
}

static gr_status flush(gr__writer *w)
{
    size_t n = w->used;
    w->used = 0;
    return n ? put(w, w->buffer, n) : GR_OK;
}

gr_status gr__writer_write(gr__writer *w, const void *bytes, size_t n)
{
    GR_FAIL_IF(w->failed, GR_ERR_IO, "cannot write '%s': an earlier write failed", w->path);
    if (n > BUFFER_BYTES - w->used) GR_TRY(flush(w));
    if (n >= BUFFER_BYTES) return put(w, bytes, n);
    if (n) memcpy(w->buffer + w->used, bytes, n);
    w->used += n;
    return GR_OK;
}

gr_status gr__writer_patch(gr__writer *w, size_t at, const void *bytes, size_t n)
{
    GR_FAIL_IF(w->failed, GR_ERR_IO, "cannot write '%s': an earlier write failed", w->path);
    GR_TRY(flush(w));
    size_t end = w->written;
    w->failed = gr__sys_seek(w->fd, w->temporary, at) < 0;
    if (w->failed) return gr__file_fail(errno, "go back in", w->path);
    GR_TRY(put(w, bytes, n));
    w->written = end;
    w->failed = gr__sys_seek(w->fd, w->temporary, end) < 0;
    return w->failed ? gr__file_fail(errno, "go on in", w->path) : GR_OK;
}

gr_status gr__sync_folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 0;
    char *folder = slash ? gr__strndup(n ? path : "/", n ? n : 1) : gr__strdup(".");
    if (!folder) return gr__fail_memory("a file name", n);
    gr_status status = GR_OK;
    int fd = gr__sys_open(folder, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        status = gr__file_fail(errno, "open the folder", folder);
    else if (gr__sys_fsync(fd, folder) < 0 && errno != EINVAL && errno != ENOTSUP) /* not every system can */
        status = gr__file_fail(errno, "sync the folder", folder);
    if (fd >= 0) gr__sys_close(fd, folder);
    gr__free(folder);
    return status;
}

static gr_status commit(gr__writer *w)
{
    GR_FAIL_IF(w->failed, GR_ERR_IO, "cannot write '%s': an earlier write failed", w->path);
    GR_TRY(flush(w));
    if (w->reserved > w->written && gr__sys_ftruncate(w->fd, w->temporary, w->written) < 0)
        return gr__file_fail(errno, "write", w->path);
    if (!w->direct && gr__sys_fsync(w->fd, w->temporary) < 0) return gr__file_fail(errno, "sync", w->path);
    int fd = w->fd;
    w->fd = -1;
    if (gr__sys_close(fd, w->temporary) < 0) return gr__file_fail(errno, "close", w->path);
    if (!w->direct && gr__sys_rename(w->temporary, w->path) < 0) return gr__file_fail(errno, "replace", w->path);
    return GR_OK;
}

gr_status gr__writer_commit(gr__writer **writer)
{
    gr__writer *w = *writer;
    *writer = NULL;
    gr_status status = commit(w);
    if (status == GR_OK && !w->direct)
        status = gr__sync_folder_of(w->path); /* if this fails the new file is there, but a power cut may undo it */
    else if (status != GR_OK)
        remove_temporary(w);
    writer_free(w);
    return status;
}

void gr__writer_drop(gr__writer **writer)
{
    gr__writer *w = *writer;
    if (!w) return;
    *writer = NULL;
    remove_temporary(w);
    writer_free(w);
}

gr_status gr__file_write(const char *path, const void *bytes, size_t n)
{
    gr__writer *w;
    GR_TRY(gr__writer_open(path, 0, &w));
    gr_status status = gr__writer_write(w, bytes, n);
    if (status == GR_OK) return gr__writer_commit(&w);
    gr__writer_drop(&w);
    return status;
}

/* ---- appending ---- */

struct gr__appender {
    char *path;
    int fd;
    size_t size;
};

/* How much of the file is whole lines. */
static gr_status whole_lines(const gr__appender *a, size_t *n)
{
    char *text = NULL;
    size_t size;
    GR_TRY(gr__file_read(a->path, SIZE_MAX, &text, &size));
    while (size > 0 && text[size - 1] != '\n') size--;
    gr__free(text);
    *n = size;
    return GR_OK;
}

static gr_status appender_start(gr__appender *a, size_t keep)
{
    struct stat info;
    a->fd = gr__sys_open(a->path, O_WRONLY | O_CREAT | O_APPEND, 0666);
    if (a->fd < 0) return gr__file_fail(errno, "open", a->path);
    if (gr__sys_fstat(a->fd, a->path, &info) < 0) return gr__file_fail(errno, "look at", a->path);
    a->size = (size_t)info.st_size;
    if (a->size < keep) {
        gr__log(GR_LOG_WARNING, "'%s' is shorter than it was: lines before this one are missing", a->path);
        GR_TRY(whole_lines(a, &keep));
    }
    if (a->size <= keep) return GR_OK;
    if (gr__sys_ftruncate(a->fd, a->path, keep) < 0) return gr__file_fail(errno, "shorten", a->path);
    a->size = keep;
    return GR_OK;
}

gr_status gr__appender_open(const char *path, size_t keep, gr__appender **out)
{
    gr__appender *a = gr__calloc(1, sizeof *a);
    if (!a || !(a->path = gr__strdup(path))) {
        gr__free(a);
        return gr__fail_memory("a log file", sizeof *a);
    }
    gr_status status = appender_start(a, keep);
    if (status != GR_OK) {
        gr__appender_close(&a);
        return status;
    }
    *out = a;
    return GR_OK;
}

/* A line that got in by half is taken out again, so that the file holds whole lines only. */
gr_status gr__appender_write(gr__appender *a, const void *bytes, size_t n)
{
    size_t done;
    if (gr__sys_write_all(a->fd, a->path, bytes, n, &done) == 0) {
        a->size += n;
        return GR_OK;
    }
    int error = errno;
    if (done > 0 && gr__sys_ftruncate(a->fd, a->path, a->size) < 0) a->size += done;
    return gr__file_fail(error, "write", a->path);
}

gr_status gr__appender_sync(gr__appender *a)
{
    return gr__sys_fsync(a->fd, a->path) < 0 ? gr__file_fail(errno, "sync", a->path) : GR_OK;
}

size_t gr__appender_size(const gr__appender *a) { return a->size; }

void gr__appender_close(gr__appender **appender)
{
    gr__appender *a = *appender;
    if (!a) return;
    if (a->fd >= 0) gr__sys_close(a->fd, a->path);
    gr__free(a->path);
    gr__free(a);
    *appender = NULL;
}
