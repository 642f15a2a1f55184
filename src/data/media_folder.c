#include "data/media_folder.h"

#include "base/log.h"
#include "text/utf8.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* What people and their programs leave beside data. */
static bool is_note(const char *name)
{
    static const char *const ends[] = {".txt", ".md", ".xml", ".json", ".jsonl", ".csv", ".tsv"};
    const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name, *dot = strrchr(base, '.');
    for (size_t i = 0; dot && i < GR__COUNT(ends); i++)
        if (strcasecmp(dot, ends[i]) == 0) return true;
    return strcasecmp(base, "Thumbs.db") == 0;
}

/* Whether one of the sorted names lies below the folder. */
static bool holds_any(const char *folder, char **names, size_t n)
{
    size_t length = strlen(folder), low = 0, high = n;
    while (low < high) { /* to the first name that is not below "FOLDER/" in order */
        size_t middle = low + (high - low) / 2;
        int order = strncmp(names[middle], folder, length);
        if (order < 0 || (order == 0 && (unsigned char)names[middle][length] < '/'))
            low = middle + 1;
        else
            high = middle;
    }
    return low < n && strncmp(names[low], folder, length) == 0 && names[low][length] == '/';
}

static void warn_of_folders(const char *path, const gr__media_kind *kind, const gr__names *folders, char **names,
                            size_t n)
{
    const char *first = NULL;
    size_t empty = 0;
    for (size_t i = 0; i < folders->n; i++) {
        const char *folder = folders->item[i];
        if (!*folder || strchr(folder, '/') || strcmp(folder, "__MACOSX") == 0 || holds_any(folder, names, n)) continue;
        if (empty++ == 0) first = folder;
    }
    if (empty)
        gr__log(GR_LOG_WARNING, "'%s': %zu class folder%s no %s, the first: '%s'", path, empty,
                empty == 1 ? " holds" : "s hold", kind->what, first);
}

bool gr__media_is_hidden(const char *name)
{
    for (const char *part = name; part; part = strchr(part, '/') ? strchr(part, '/') + 1 : NULL)
        if (*part == '.' || strncmp(part, "__MACOSX/", 9) == 0) return true;
    return false;
}

gr_status gr__media_check_class(const char *path, const char *name, size_t n)
{
    size_t at;
    GR_FAIL_IF(!gr__utf8_valid(name, n, &at), GR_ERR_DATA,
               "'%s': the class folder '%.*s' has a name that is not UTF-8 (byte 0x%02x); rename it", path,
               (int)GR__MIN(n, 100), name, (unsigned char)name[at]);
    return GR_OK;
}

void gr__media_count_odd(gr__media_odd *odd, const char *name)
{
    if (is_note(name)) return;
    if (odd->n++ == 0) snprintf(odd->first, sizeof odd->first, "%s", name);
}

void gr__media_tell_odd(const char *path, const gr__media_kind *kind, const gr__media_odd *odd, const char *more)
{
    if (odd->n)
        gr__log(GR_LOG_WARNING, "%zu file%s of '%s' %s not read (%s are%s), the first: '%s'", odd->n,
                odd->n == 1 ? "" : "s", path, odd->n == 1 ? "is" : "are", kind->ends, more, odd->first);
}

gr_status gr__media_list(const char *path, const gr__media_kind *kind, bool skip_bad, char ***names, size_t *n,
                         size_t *skipped)
{
    gr__dir_tree tree;
    size_t kept = 0;
    gr__media_odd odd = {0};
    GR_TRY(gr__dir_tree_read(path, skip_bad, &tree));
    for (size_t i = 0; i < tree.links.n; i++) gr__media_count_odd(&odd, tree.links.item[i]);
    char **item = tree.files.item;
    for (size_t i = 0; i < tree.files.n; i++) { /* others go to the end */
        char *name = item[i];
        if (kind->is_named(name) && !gr__media_is_hidden(name)) {
            item[i] = item[kept];
            item[kept++] = name;
        } else if (!gr__media_is_hidden(name)) {
            gr__media_count_odd(&odd, name);
        }
    }
    gr__media_tell_odd(path, kind, &odd, tree.links.n ? "; links to folders are not followed" : "");
    if (kept) warn_of_folders(path, kind, &tree.folders, item, kept);
    if (skipped) *skipped = tree.files.n - kept;
    for (size_t i = kept; i < tree.files.n; i++) gr__free(item[i]);
    *names = item;
    *n = kept;
    tree.files = (gr__names){0};
    gr__dir_tree_release(&tree);
    return GR_OK;
}
