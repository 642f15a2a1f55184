/* Reading whole files: into memory, or by mapping. */
#include "base/file_int.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

static gr_status too_large(const char *path, size_t most)
{
    char text[32];
    gr__format_bytes(text, (double)most);
    return gr__fail(GR_ERR_LIMIT, "cannot read '%s': it is larger than the %s allowed here", path, text);
}

/* The size is a hint only: the file may grow or shrink meanwhile, and pipes have none. */
static gr_status read_all(int fd, const char *path, size_t hint, size_t most, char **out, size_t *n)
{
    char *text = NULL;
    size_t capacity = 0, used = 0;
    gr_status status = gr__grow(&text, 1, hint + 2, &capacity);
    while (status == GR_OK) {
        ssize_t got = gr__sys_read(fd, path, text + used, capacity - used - 1);
        if (got < 0) status = gr__file_fail(errno, "read", path);
        if (got <= 0) break;
        used += (size_t)got;
        if (used > most)
            status = too_large(path, most);
        else if (used + 1 == capacity)
            status = gr__grow(&text, 1, capacity + 1, &capacity);
    }
    if (status != GR_OK) {
        gr__free(text);
        return status;
    }
    text[used] = 0;
    *out = text;
    *n = used;
    return GR_OK;
}

gr_status gr__file_read(const char *path, size_t most, char **out, size_t *n)
{
    int fd;
    struct stat info;
    GR_TRY(gr__open_to_read(path, false, &fd, &info));
    size_t hint = S_ISREG(info.st_mode) ? (size_t)info.st_size : 4096;
    gr_status status = S_ISFIFO(info.st_mode) ? gr__wait_for_data(fd, path) : GR_OK;
    if (S_ISREG(info.st_mode) && hint > most)
        status = too_large(path, most);
    else if (status == GR_OK)
        status = read_all(fd, path, hint, most, out, n);
    gr__sys_close(fd, path);
    return status;
}

gr_status gr__file_map(const char *path, gr__mapping *out)
{
    int fd;
    struct stat info;
    *out = (gr__mapping){.data = (const unsigned char *)""};
    GR_TRY(gr__open_to_read(path, true, &fd, &info));
    gr_status status = GR_OK;
    if ((uint64_t)info.st_size > SIZE_MAX) {
        status = gr__fail(GR_ERR_LIMIT, "cannot map '%s': it is too large for this machine", path);
    } else if (info.st_size > 0) {
        void *base = gr__sys_mmap(fd, path, (size_t)info.st_size);
        if (base)
            *out = (gr__mapping){base, (size_t)info.st_size, base};
        else
            status = gr__file_fail(errno, "map", path);
    }
    gr__sys_close(fd, path);
    return status;
}

void gr__file_unmap(gr__mapping *m)
{
    if (m->base) munmap(m->base, m->n);
    *m = (gr__mapping){.data = (const unsigned char *)""};
}
