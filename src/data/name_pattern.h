/* What the name of a file says: "{label}_{group}_*.wav" on "7_jackson_3.wav" gives "7" and "jackson". '*' is any text, '?'
 * one character, {label} and {group} the shortest text that fits. */
#ifndef GR__NAME_PATTERN_H
#define GR__NAME_PATTERN_H

#include "base/status.h"

typedef struct gr__name_parts {
    const char *label, *group; /* inside of the name; NULL: the pattern does not ask */
    size_t n_label, n_group;
} gr__name_parts;

/* GR_ERR_CONFIG: braces that are not known, no {label}. */
gr_status gr__name_pattern_check(const char *pattern);
/* Whether it fits; *out is filled where it does. */
bool gr__name_pattern_match(const char *pattern, const char *name, gr__name_parts *out);

#endif
