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

/* Names below 'path', sorted bytewise; free as of gr__dir_list(). skipped (may be NULL): files that are none. One warning counts
 * other files and links that are not followed (notes beside the data are no reason), one the class folders without any. */
gr_status gr__media_list(const char *path, const gr__media_kind *kind, char ***names, size_t *n, size_t *skipped);

#endif
