#include "data/name_pattern.h"

#include <string.h>

#define LABEL "{label}"
#define GROUP "{group}"

static bool begins(const char *text, const char *with) { return strncmp(text, with, strlen(with)) == 0; }

gr_status gr__name_pattern_check(const char *pattern)
{
    GR_FAIL_IF(!strstr(pattern, LABEL), GR_ERR_CONFIG, "the pattern '%s' needs a " LABEL ", like '" LABEL "_*.wav'",
               pattern);
    for (const char *p = pattern; *p; p++)
        GR_FAIL_IF(*p == '{' && !begins(p, LABEL) && !begins(p, GROUP), GR_ERR_CONFIG,
                   "the pattern '%s': only " LABEL " and " GROUP " are known in braces", pattern);
    return GR_OK;
}

/* Every text of at least 'least' bytes is tried, the shortest first. */
bool gr__name_pattern_match(const char *pattern, const char *name, gr__name_parts *out)
{
    bool label = begins(pattern, LABEL), group = begins(pattern, GROUP);
    if (*pattern == 0) return *name == 0;
    if (!label && !group && *pattern != '*')
        return *name && (*pattern == '?' || *pattern == *name) && gr__name_pattern_match(pattern + 1, name + 1, out);
    const char *rest = pattern + (label ? strlen(LABEL) : group ? strlen(GROUP) : 1);
    for (size_t n = label || group; n <= strlen(name); n++) {
        if (!gr__name_pattern_match(rest, name + n, out)) continue;
        if (label) out->label = name, out->n_label = n;
        if (group) out->group = name, out->n_group = n;
        return true;
    }
    return false;
}
