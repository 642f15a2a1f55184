#include "nn/name.h"

#include "base/str.h"

#include <string.h>

gr_status gr__kind_from_name(const char *what, const char *const *names, int n, const char *name, int *out)
{
    GR_FAIL_IF(!name, GR_ERR_ARGUMENT, "the name of %s is NULL", what);
    for (int i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0) {
            *out = i;
            return GR_OK;
        }
    const char *near = gr__str_nearest(name, names, (size_t)n);
    if (near) return gr__fail(GR_ERR_CONFIG, "'%s' is not %s; did you mean '%s'?", name, what, near);
    gr__str list = {0};
    for (int i = 0; i < n; i++) gr__str_printf(&list, "%s%s", i ? ", " : "", names[i]);
    gr__fail(GR_ERR_CONFIG, "'%s' is not %s; possible are %s", name, what, gr__str_get(&list));
    gr__str_release(&list);
    return GR_ERR_CONFIG;
}
