/* Names inside archives: what a tar or zip entry may be called. Nothing is ever unpacked to the disk under such a name,
 * but it stands in messages and becomes a class or a key, so it must be harmless. */
#ifndef GR__ARCHIVE_NAME_H
#define GR__ARCHIVE_NAME_H

#include "base/status.h"

/* n bytes without 0; 'file' is the archive. Relative, no "..", no control character, no backslash, not too long. */
gr_status gr__archive_name_check(const char *file, const char *name, size_t n);

#endif
