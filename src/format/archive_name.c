#include "format/archive_name.h"

#include "base/limits.h"

#include <string.h>

#define SHOWN 40 /* bytes of a bad name in a message */

gr_status gr__archive_name_check(const char *file, const char *name, size_t n)
{
    char shown[SHOWN + 1];
    size_t k = GR__MIN(n, SHOWN);
    bool control = false, parent = false, other = memchr(name, '\\', n) != NULL;
    GR_FAIL_IF(n == 0, GR_ERR_CORRUPT, "cannot read '%s': an entry has an empty name", file);
    for (size_t i = 0, start = 0; i <= n; i++) {
        if (i < n && ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)) control = true;
        if (i < n && name[i] != '/') continue;
        parent = parent || (i - start == 2 && memcmp(name + start, "..", 2) == 0);
        start = i + 1;
    }
    memcpy(shown, name, k);
    shown[k] = 0;
    for (size_t i = 0; i < k; i++)
        if ((unsigned char)shown[i] < 0x20 || shown[i] == 0x7f) shown[i] = '?';
    GR_FAIL_IF(control, GR_ERR_CORRUPT, "cannot read '%s': the name of entry '%s' holds a control character", file,
               shown);
    GR_FAIL_IF(n > GR__LIMIT_ARCHIVE_NAME_BYTES, GR_ERR_LIMIT,
               "cannot read '%s': entry '%s...' has a name of more "
               "than %d bytes",
               file, shown, GR__LIMIT_ARCHIVE_NAME_BYTES);
    GR_FAIL_IF(name[0] == '/' || parent || other, GR_ERR_CORRUPT,
               "cannot read '%s': entry '%s' leads out of the archive; pack it again with plain names", file, shown);
    return GR_OK;
}
