/* The system calls of the file layer, one thin function each. */
#include "base/file_int.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MOST_TRIES 100 /* of a call that is interrupted; a limit, so that a broken system cannot hang us */

static int (*fault_fn)(void *user, const char *call, const char *path);
static void *fault_user;

void gr__file_set_fault(int (*fault)(void *user, const char *call, const char *path), void *user)
{
    fault_fn = fault;
    fault_user = user;
}

/* > 0: the errno to fail with; < 0: the call may move at most -n bytes; 0: go on. */
static int ask_fault(const char *call, const char *path) { return fault_fn ? fault_fn(fault_user, call, path) : 0; }

int gr__sys_fault(const char *call, const char *path)
{
    int error = ask_fault(call, path);
    if (error <= 0) return 0;
    errno = error;
    return -1;
}

#define RETRY(result, call, path, expression)                             \
    do {                                                                  \
        int gr__tries = 0;                                                \
        do result = gr__sys_fault(call, path) ? -1 : (expression);        \
        while (result < 0 && errno == EINTR && ++gr__tries < MOST_TRIES); \
    } while (0)

int gr__sys_open(const char *path, int flags, mode_t mode)
{
    int fd;
    RETRY(fd, "open", path, open(path, flags | O_CLOEXEC | O_NOCTTY, mode));
    return fd;
}

int gr__sys_close(int fd, const char *path)
{
    int injected = ask_fault("close", path);
    int result = close(fd);
    if (injected > 0) {
        errno = injected;
        result = -1;
    }
    if (result < 0 && errno == EINTR) return 0; /* on Linux it is closed */
    return result;
}

ssize_t gr__sys_read(int fd, const char *path, void *buffer, size_t n)
{
    for (int tries = 0; tries < MOST_TRIES; tries++) {
        int injected = ask_fault("read", path);
        ssize_t got = -1;
        if (injected > 0)
            errno = injected;
        else
            got = read(fd, buffer, injected < 0 ? GR__MIN(n, (size_t)-injected) : n);
        if (got >= 0 || errno != EINTR) return got;
    }
    return -1;
}

int gr__sys_write_all(int fd, const char *path, const void *bytes, size_t n, size_t *done)
{
    const char *p = bytes;
    int tries = 0;
    *done = 0;
    while (*done < n) {
        size_t left = n - *done;
        int injected = ask_fault("write", path);
        ssize_t put = -1;
        if (injected > 0)
            errno = injected;
        else
            put = write(fd, p + *done, injected < 0 ? GR__MIN(left, (size_t)-injected) : left);
        if (put > 0) {
            *done += (size_t)put;
            tries = 0;
        } else if (put == 0 || errno != EINTR || ++tries >= MOST_TRIES) {
            if (put == 0) errno = EIO;
            return -1;
        }
    }
    return 0;
}

int gr__sys_seek(int fd, const char *path, size_t to)
{
    if (gr__sys_fault("lseek", path)) return -1;
    return lseek(fd, (off_t)to, SEEK_SET) < 0 ? -1 : 0;
}

int gr__sys_fstat(int fd, const char *path, struct stat *out)
{
    int r;
    RETRY(r, "fstat", path, fstat(fd, out));
    return r;
}

int gr__sys_stat(const char *path, struct stat *out)
{
    int r;
    RETRY(r, "stat", path, stat(path, out));
    return r;
}

int gr__sys_lstat(const char *path, struct stat *out)
{
    int r;
    RETRY(r, "lstat", path, lstat(path, out));
    return r;
}

int gr__sys_fsync(int fd, const char *path) { return gr__sys_fault("fsync", path) ? -1 : fsync(fd); }

int gr__sys_ftruncate(int fd, const char *path, size_t n)
{
    int r;
    RETRY(r, "ftruncate", path, ftruncate(fd, (off_t)n));
    return r;
}

int gr__sys_fallocate(int fd, const char *path, size_t n)
{
    int r;
    RETRY(r, "fallocate", path, fallocate(fd, 0, 0, (off_t)n));
    return r;
}

int gr__sys_rename(const char *from, const char *to)
{
    int r;
    RETRY(r, "rename", to, rename(from, to));
    return r;
}

int gr__sys_unlink(const char *path)
{
    int r;
    RETRY(r, "unlink", path, unlink(path));
    return r;
}

int gr__sys_mkdir(const char *path)
{
    int r;
    RETRY(r, "mkdir", path, mkdir(path, 0777));
    return r;
}

void *gr__sys_mmap(int fd, const char *path, size_t n)
{
    if (gr__sys_fault("mmap", path)) return NULL;
    void *p = mmap(NULL, n, PROT_READ, MAP_PRIVATE, fd, 0);
    return p == MAP_FAILED ? NULL : p;
}

gr_status gr__file_fail(int error, const char *verb, const char *path)
{
    char reason[128];
    snprintf(reason, sizeof reason, "%s", strerror(error));
    if (reason[0] >= 'A' && reason[0] <= 'Z' && reason[1] >= 'a') reason[0] = (char)(reason[0] + 32);
    const char *hint = error == ENOSPC || error == EDQUOT   ? "; free some space"
                       : error == EACCES || error == EPERM  ? "; check its permissions and those of its folder"
                       : error == EMFILE || error == ENFILE ? "; close some files or raise the limit (ulimit -n)"
                                                            : "";
    gr_status status = error == ENOENT || error == ENOTDIR ? GR_ERR_NOT_FOUND
                       : error == ENOMEM                   ? GR_ERR_MEMORY
                                                           : GR_ERR_IO;
    return gr__fail(status, "cannot %s '%s': %s%s", verb, path, reason, hint);
}

gr_status gr__open_to_read(const char *path, bool regular_only, int *fd, struct stat *info)
{
    /* Without O_NONBLOCK a named pipe would hold us before we know that it is one. */
    *fd = gr__sys_open(path, O_RDONLY | O_NONBLOCK, 0);
    if (*fd < 0) return gr__file_fail(errno, "open", path);
    gr_status status = GR_OK;
    if (gr__sys_fstat(*fd, path, info) < 0)
        status = gr__file_fail(errno, "look at", path);
    else if (S_ISDIR(info->st_mode))
        status = gr__fail(GR_ERR_IO, "cannot read '%s': it is a folder, a file is needed", path);
    else if (regular_only && !S_ISREG(info->st_mode))
        status = gr__fail(GR_ERR_IO, "cannot read '%s': it is not a regular file", path);
    else if (!S_ISREG(info->st_mode) && fcntl(*fd, F_SETFL, 0) < 0)
        status = gr__file_fail(errno, "open", path);
    if (status != GR_OK) gr__sys_close(*fd, path);
    return status;
}

gr_status gr__wait_for_data(int fd, const char *path)
{
    int r;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    RETRY(r, "poll", path, poll(&p, 1, -1)); /* without a writer yet, a read would say that the pipe is empty */
    return r < 0 ? gr__file_fail(errno, "wait for", path) : GR_OK;
}
