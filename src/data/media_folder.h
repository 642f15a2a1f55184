/* The files of a folder of pictures or sounds, and a warning about what else lies in it: nothing of a user's data is passed over
 * in silence. */
#ifndef GR__MEDIA_FOLDER_H
#define GR__MEDIA_FOLDER_H

#include "base/file.h"

typedef struct gr__media_kind {
    bool (*is_named)(const char *name); /* whether a file of this name is one */
    const char *what;                   /* "pictures" */
    const char *ends;                   /* ".png .jpg ..." */
} gr__media_kind;

/* Files that are none, while a folder or an archive is read. */
typedef struct gr__media_odd {
    size_t n; /* without the notes beside data */
    char first[256];
} gr__media_odd;

/* Whether it lies in a hidden folder, is hidden itself, or was put beside data by macOS. */
bool gr__media_is_hidden(const char *name);
/* GR_ERR_DATA for a folder that gives a class its name, n bytes, and is not UTF-8: JSON would show other bytes all alike. */
gr_status gr__media_check_class(const char *path, const char *name, size_t n);
void gr__media_count_odd(gr__media_odd *odd, const char *name);
/* One warning, where there are any; 'more' says why else something is not read ("" for nothing). */
void gr__media_tell_odd(const char *path, const gr__media_kind *kind, const gr__media_odd *odd, const char *more);

/* Names below 'path', sorted bytewise; free as of gr__dir_list(). skipped (may be NULL): files that are none. One warning counts
 * other files and links that are not followed (notes beside the data are no reason), one the class folders without any. skip_bad:
 * folders that cannot be listed are left out, with a warning. */
gr_status gr__media_list(const char *path, const gr__media_kind *kind, bool skip_bad, char ***names, size_t *n,
                         size_t *skipped);

#endif
