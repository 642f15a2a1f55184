/* Folders and names. Listing walks with a list of folders still to visit, never by recursion. */
#include "base/file_int.h"
#include "base/log.h"
#include "base/limits.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
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

gr_status gr__dir_still_locked(const char *path, int lock)
{
    struct stat held, now;
    if (!lock || fstat(lock - 1, &held) != 0) return GR_OK;
    bool same = stat(path, &now) == 0 && now.st_dev == held.st_dev && now.st_ino == held.st_ino;
    GR_FAIL_IF(!same, GR_ERR_IO, "the folder '%s' was removed or moved away while it was written to", path);
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

void gr__file_discard(const char *path)
{
    if (!gr__sys_fault("unlink", path)) remove(path);
}

/* ---- listing ---- */

typedef struct walk {
    const char *root;
    char real_root[PATH_MAX]; /* without links; for the test of links */
    bool recursive, all_links;
    gr__dir_tree tree; /* relative to the root */
} walk;

static gr_status add_name(gr__names *list, char *name)
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

typedef enum found { NOTHING, FILE_HERE, FOLDER_HERE, LINK_HERE, OTHER_HERE } found;

/* Links to files inside the root are files, with 'all_links' all to files; links to folders are not followed (they could go
 * round for ever). */
static gr_status look_at(const walk *w, const char *full, found *out)
{
    struct stat info;
    *out = NOTHING;
    if (gr__sys_lstat(full, &info) < 0)
        return errno == ENOENT ? GR_OK : gr__file_fail(errno, "look at", full); /* removed meanwhile */
    if (S_ISLNK(info.st_mode)) {
        bool follow = w->all_links || is_inside(w, full);
        if (!follow || gr__sys_stat(full, &info) < 0 || S_ISDIR(info.st_mode)) {
            *out = w->all_links ? LINK_HERE : NOTHING;
            return GR_OK;
        }
    }
    if (S_ISDIR(info.st_mode))
        *out = w->recursive ? FOLDER_HERE : FILE_HERE;
    else if (S_ISREG(info.st_mode) || !w->recursive)
        *out = FILE_HERE;
    else if (w->all_links)
        *out = OTHER_HERE;
    return GR_OK;
}

static gr_status visit(walk *w, const char *folder, const char *name)
{
    gr__names *const lists[] = {NULL, &w->tree.files, &w->tree.folders, &w->tree.links, &w->tree.others};
    found what = NOTHING;
    char *relative = *folder ? gr__path_join(folder, name) : gr__strdup(name);
    char *full = relative ? gr__path_join(w->root, relative) : NULL;
    gr_status status = full ? look_at(w, full, &what) : gr__fail_memory("a file name", strlen(name));
    if (status == GR_OK && what != NOTHING) {
        size_t n = w->tree.files.n + w->tree.folders.n + w->tree.links.n + w->tree.others.n;
        if (n >= GR__LIMIT_FOLDER_ENTRIES || depth_of(relative) > GR__LIMIT_FOLDER_DEPTH)
            status = gr__fail(GR_ERR_LIMIT, "cannot list '%s': too many or too deeply nested entries at '%s'", w->root,
                              relative);
        else
            status = add_name(lists[what], relative), relative = NULL;
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

static void sort(gr__names *list)
{
    if (list->n) qsort(list->item, list->n, sizeof *list->item, by_bytes);
}

static gr_status walk_all(const char *path, bool recursive, bool all_links, bool skip_bad, gr__dir_tree *out)
{
    walk *w = gr__calloc(1, sizeof *w);
    if (!w) return gr__fail_memory("listing a folder", sizeof *w);
    w->root = path;
    w->recursive = recursive;
    w->all_links = all_links;
    gr_status status = realpath(path, w->real_root) ? GR_OK : gr__file_fail(errno, "list the folder", path);
    if (status == GR_OK) status = add_name(&w->tree.folders, gr__strdup(""));
    for (size_t i = 0; status == GR_OK && i < w->tree.folders.n; i++) {
        status = list_one(w, w->tree.folders.item[i]);
        if (i == 0 || !skip_bad || status != GR_ERR_IO) continue;
        gr__log(GR_LOG_WARNING, "left out: %s", gr_message());
        status = GR_OK;
    }
    sort(&w->tree.files);
    sort(&w->tree.folders);
    sort(&w->tree.links);
    sort(&w->tree.others);
    if (status == GR_OK)
        *out = w->tree;
    else
        gr__dir_tree_release(&w->tree);
    gr__free(w);
    return status;
}

gr_status gr__dir_list(const char *path, bool recursive, char ***out, size_t *n)
{
    gr__dir_tree tree;
    GR_TRY(walk_all(path, recursive, false, false, &tree));
    *out = tree.files.item;
    *n = tree.files.n;
    tree.files = (gr__names){0};
    gr__dir_tree_release(&tree);
    return GR_OK;
}

gr_status gr__dir_tree_read(const char *path, bool skip_bad, gr__dir_tree *out)
{
    return walk_all(path, true, true, skip_bad, out);
}

void gr__dir_tree_release(gr__dir_tree *tree)
{
    gr__names_free(tree->files.item, tree->files.n);
    gr__names_free(tree->folders.item, tree->folders.n);
    gr__names_free(tree->links.item, tree->links.n);
    gr__names_free(tree->others.item, tree->others.n);
    *tree = (gr__dir_tree){0};
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
