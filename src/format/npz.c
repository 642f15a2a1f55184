#include "format/npz.h"

#include "base/limits.h"
#include "base/str.h"
#include "format/npy.h"
#include "format/zip.h"

#include <string.h>

struct gr__npz {
    char *path;
    gr__zip *zip;
    char **name;
    size_t count;
};

static gr_status list_names(gr__npz *z)
{
    size_t count = gr__zip_count(z->zip);
    if (!(z->name = gr__calloc(count + 1, sizeof *z->name))) return gr__fail_memory("a list of names", count);
    for (size_t i = 0; i < count; i++) {
        const char *name = gr__zip_at(z->zip, i)->name;
        size_t n = strlen(name);
        GR_FAIL_IF(n < 5 || strcmp(name + n - 4, ".npy") != 0, GR_ERR_UNSUPPORTED,
                   "cannot load '%s': entry '%s' is not an .npy array", z->path, name);
        if (!(z->name[i] = gr__strndup(name, n - 4))) return gr__fail_memory("a name", n);
        z->count++;
    }
    return GR_OK;
}

gr_status gr__npz_open(const char *path, gr__npz **out)
{
    gr__npz *z = gr__calloc(1, sizeof *z);
    if (!z || !(z->path = gr__strdup(path))) {
        gr__free(z);
        return gr__fail_memory("an npz reader", sizeof *z);
    }
    gr_status status = gr__zip_open(path, &z->zip);
    if (status == GR_OK) status = list_names(z);
    if (status != GR_OK)
        gr__npz_close(&z);
    else
        *out = z;
    return status;
}

void gr__npz_close(gr__npz **npz)
{
    gr__npz *z = *npz;
    if (!z) return;
    gr__zip_close(&z->zip);
    for (size_t i = 0; i < z->count; i++) gr__free(z->name[i]);
    gr__free(z->name);
    gr__free(z->path);
    gr__free(z);
    *npz = NULL;
}

size_t gr__npz_count(const gr__npz *z) { return z->count; }

const char *gr__npz_name(const gr__npz *z, size_t i) { return z->name[i]; }

gr_status gr__npz_read(const gr__npz *z, const char *name, gr_tensor *out)
{
    size_t i = 0, n;
    while (i < z->count && strcmp(z->name[i], name) != 0) i++;
    if (i == z->count) {
        const char *near = gr__str_nearest(name, (const char *const *)z->name, z->count);
        return gr__fail(GR_ERR_NOT_FOUND, "'%s' has no array '%s'%s%s%s", z->path, name, near ? "; did you mean '" : "",
                        near ? near : "", near ? "'?" : "");
    }
    char *bytes;
    GR_TRY(gr__zip_read(z->zip, gr__zip_at(z->zip, i), SIZE_MAX / 2, &bytes, &n));
    gr_status status = gr__npy_read_bytes((const unsigned char *)bytes, n, name, out);
    gr__free(bytes);
    return status == GR_OK ? GR_OK : gr__fail_prefix(status, "'%s'", z->path);
}
