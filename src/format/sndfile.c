/* libsndfile, opened at run time: nothing is linked, and a machine without it reads WAV all the same. The few declarations
 * are our own, after its manual; its texts are not shown. */
#include "base/alloc.h"
#include "base/limits.h"
#include "format/sound_int.h"

#include <dlfcn.h>
#include <string.h>

#define READ 0x10
#define PART ((int64_t)1 << 16)

typedef struct info { /* SF_INFO */
    int64_t frames;
    int rate, channels, format, sections, seekable;
} info;

typedef struct library {
    void *(*open)(const char *path, int mode, info *out);
    int64_t (*read)(void *file, float *to, int64_t frames);
    int (*close)(void *file);
} library;

/* A function pointer out of dlsym without a cast that C does not know. */
static bool find(void *handle, const char *name, void *function, size_t n)
{
    void *address = dlsym(handle, name);
    memcpy(function, &address, n);
    return address != NULL;
}

/* Opened again for each file: the loader counts, and the second time costs microseconds. */
static gr_status load(const char *path, void **handle, library *l)
{
    *handle = dlopen("libsndfile.so.1", RTLD_NOW | RTLD_LOCAL);
    bool ok = *handle && find(*handle, "sf_open", &l->open, sizeof l->open) &&
              find(*handle, "sf_readf_float", &l->read, sizeof l->read) &&
              find(*handle, "sf_close", &l->close, sizeof l->close);
    if (ok) return GR_OK;
    if (*handle) dlclose(*handle);
    return gr__fail(GR_ERR_UNSUPPORTED,
                    "cannot load '%s': it needs libsndfile; install libsndfile1 or convert it to WAV", path);
}

static gr_status read_all(const library *l, void *file, const char *path, gr__sound *s)
{
    int64_t done = 0;
    while (done < s->frames) {
        int64_t got = l->read(file, s->samples + done * s->channels, GR__MIN(PART, s->frames - done));
        if (got <= 0) break;
        done += got;
    }
    GR_FAIL_IF(done < s->frames, GR_ERR_CORRUPT,
               "cannot load '%s': it ends after %lld of %lld frames; download it again", path, (long long)done,
               (long long)s->frames);
    return GR_OK;
}

gr_status gr__sndfile_read(const char *path, gr__sound *out)
{
    library l = {0};
    void *handle;
    info i = {0};
    gr__sound s = {0};
    GR_TRY(load(path, &handle, &l));
    void *file = l.open(path, READ, &i);
    gr_status status =
        file ? GR_OK : gr__fail(GR_ERR_CORRUPT, "cannot load '%s': its sound data are broken; download it again", path);
    if (status == GR_OK) {
        s = (gr__sound){i.frames, i.channels, i.rate, NULL};
        status = gr__sound_room(&s, path);
    }
    if (status == GR_OK) status = read_all(&l, file, path, &s);
    if (file) l.close(file);
    dlclose(handle);
    if (status == GR_OK)
        *out = s;
    else
        gr__free(s.samples);
    return status;
}
