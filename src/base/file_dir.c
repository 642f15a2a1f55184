/* Folders and names. Listing walks with a list of folders still to visit, never by recursion. */
#include "base/file_int.h"
#include "base/limits.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

bool gr__file_exists(const char *path)
{
    struct stat info;
    return gr__sys_stat(path, &info) == 0;
}

bool gr__file_is_dir(const char *path)
{
    struct stat info;
    return gr__sys_stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

gr_status gr__file_size(const char *path, uint64_t *out)
{
    struct stat info;
    if (gr__sys_stat(path, &info) < 0) return gr__file_fail(errno, "look at", path);
    *out = (uint64_t)info.st_size;
    return GR_OK;
}

bool gr__file_identify(const char *path, gr__file_id *out)
{
    struct stat info;
    if (gr__sys_stat(path, &info) < 0) return false;
    *out = (gr__file_id){(uint64_t)info.st_dev, (uint64_t)info.st_ino};
    return true;
}

/* One level; a new folder is synced into its parent, else a power cut could take it with all that is in it. */
static gr_status make_one(const char *path)
{
    if (gr__sys_mkdir(path) == 0) return gr__sync_folder_of(path);
    int error = errno;
    if (error == EEXIST && gr__file_is_dir(path)) return GR_OK;
    return gr__file_fail(error, "make the folder", path);
}

gr_status gr__dir_make(const char *path)
{
    if (gr__file_is_dir(path)) return GR_OK;
    char *part = gr__strdup(path);
    if (!part) return gr__fail_memory("a file name", strlen(path));
    size_t n = strlen(part);
    while (n > 1 && part[n - 1] == '/') part[--n] = 0;
    gr_status status = GR_OK;
    for (size_t i = 1; i < n && status == GR_OK; i++) {
        if (part[i] != '/' || part[i - 1] == '/') continue;
        part[i] = 0;
        if (!gr__file_is_dir(part)) status = make_one(part);
        part[i] = '/';
    }
    if (status == GR_OK) status = make_one(part);
    gr__free(part);
    return status;
}

gr_status gr__dir_lock(const char *path, int *out)
{
    int fd = gr__sys_open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    *out = 0;
    if (fd < 0) return gr__file_fail(errno, "open", path);
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        *out = fd + 1;
        return GR_OK;
    }
    bool held = errno == EWOULDBLOCK;
    close(fd);
    GR_FAIL_IF(held, GR_ERR_IO, "the folder '%s' is in use by another run; wait for it, or name another folder", path);
    return GR_OK;
}

void gr__dir_unlock(int *lock)
{
    if (*lock) close(*lock - 1);
    *lock = 0;
}

gr_status gr__file_remove(const char *path)
{
    return gr__sys_unlink(path) < 0 ? gr__file_fail(errno, "remove", path) : GR_OK;
}

/* ---- listing ---- */

typedef struct names {
    char **item;
    size_t n, capacity;
} names;

typedef struct walk {
    const char *root;
    char real_root[PATH_MAX]; /* without links; for the test of links */
    bool recursive;
    names found, folders; /* relative to the root; folders[0] is "" */
} walk;

static gr_status add_name(names *list, char *name)
{
    gr_status status = name ? gr__grow(&list->item, sizeof *list->item, list->n + 1, &list->capacity)
                            : gr__fail_memory("a file name", 256);
    if (status != GR_OK) {
        gr__free(name);
        return status;
    }
    list->item[list->n++] = name;
    return GR_OK;
}

static bool is_inside(const walk *w, const char *full)
{
    char real[PATH_MAX];
    size_t n = strlen(w->real_root);
    if (!realpath(full, real)) return false;
    return strncmp(real, w->real_root, n) == 0 && (real[n] == '/' || w->real_root[n - 1] == '/');
}

static size_t depth_of(const char *relative)
{
    size_t depth = 1;
    for (; *relative; relative++) depth += *relative == '/';
    return depth;
}

/* Links to files inside the root are files; links to folders are not followed (they could go round for ever). */
static gr_status visit(walk *w, const char *folder, const char *name)
{
    gr_status status = GR_OK;
    struct stat info;
    char *relative = *folder ? gr__path_join(folder, name) : gr__strdup(name);
    char *full = relative ? gr__path_join(w->root, relative) : NULL;
    if (!full) {
        status = gr__fail_memory("a file name", strlen(name));
    } else if (gr__sys_lstat(full, &info) < 0) {
        if (errno != ENOENT)
            status = gr__file_fail(errno, "look at", full); /* removed meanwhile */
        else
            info.st_mode = 0;
    } else if (S_ISLNK(info.st_mode) &&
               (!is_inside(w, full) || gr__sys_stat(full, &info) < 0 || S_ISDIR(info.st_mode))) {
        info.st_mode = 0;
    }
    if (status == GR_OK && info.st_mode != 0) {
        bool folder_here = S_ISDIR(info.st_mode);
        if (w->found.n + w->folders.n >= GR__LIMIT_FOLDER_ENTRIES || depth_of(relative) > GR__LIMIT_FOLDER_DEPTH)
            status = gr__fail(GR_ERR_LIMIT, "cannot list '%s': too many or too deeply nested entries at '%s'", w->root,
                              relative);
        else if (!w->recursive || S_ISREG(info.st_mode))
            status = add_name(&w->found, relative), relative = NULL;
        else if (folder_here)
            status = add_name(&w->folders, relative), relative = NULL;
    }
    gr__free(relative);
    gr__free(full);
    return status;
}

static gr_status list_one(walk *w, const char *folder)
{
    char *full = *folder ? gr__path_join(w->root, folder) : gr__strdup(w->root);
    if (!full) return gr__fail_memory("a file name", strlen(folder));
    gr_status status = GR_OK;
    DIR *dir = gr__sys_fault("opendir", full) ? NULL : opendir(full);
    if (!dir) status = gr__file_fail(errno, "list the folder", full);
    while (status == GR_OK) {
        errno = 0;
        struct dirent *entry = gr__sys_fault("readdir", full) ? NULL : readdir(dir);
        if (!entry) {
            if (errno) status = gr__file_fail(errno, "list the folder", full);
            break;
        }
        if (entry->d_name[0] != '.') status = visit(w, folder, entry->d_name);
    }
    if (dir) closedir(dir);
    gr__free(full);
    return status;
}

static int by_bytes(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

gr_status gr__dir_list(const char *path, bool recursive, char ***out, size_t *n)
{
    walk *w = gr__calloc(1, sizeof *w);
    if (!w) return gr__fail_memory("listing a folder", sizeof *w);
    w->root = path;
    w->recursive = recursive;
    gr_status status = realpath(path, w->real_root) ? GR_OK : gr__file_fail(errno, "list the folder", path);
    if (status == GR_OK) status = add_name(&w->folders, gr__strdup(""));
    for (size_t i = 0; status == GR_OK && i < w->folders.n; i++) {
        status = list_one(w, w->folders.item[i]);
        gr__free(w->folders.item[i]);
        w->folders.item[i] = NULL;
    }
    gr__names_free(w->folders.item, w->folders.n);
    if (status == GR_OK) {
        if (w->found.n) qsort(w->found.item, w->found.n, sizeof *w->found.item, by_bytes);
        *out = w->found.item;
        *n = w->found.n;
    } else {
        gr__names_free(w->found.item, w->found.n);
    }
    gr__free(w);
    return status;
}

void gr__names_free(char **list, size_t n)
{
    for (size_t i = 0; i < n; i++) gr__free(list[i]);
    gr__free(list);
}

char *gr__path_join(const char *dir, const char *name)
{
    size_t n = strlen(dir), m = strlen(name);
    bool slash = n > 0 && dir[n - 1] != '/';
    char *path = gr__alloc(n + m + 2);
    if (!path) return NULL;
    memcpy(path, dir, n);
    if (slash) path[n++] = '/';
    memcpy(path + n, name, m + 1);
    return path;
}

bool gr__path_is_base(const char *name)
{
    return *name && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}
