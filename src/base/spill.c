#include "base/spill.h"

#include "base/alloc.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* Before each block. */
typedef union head {
    size_t mapped; /* bytes with this; 0: in memory */
    char room[64];
} head;

static _Atomic uint64_t large;

void gr__set_large_bytes(uint64_t bytes) { atomic_store(&large, bytes); }

static uint64_t number_in(const char *path)
{
    unsigned long long n = UINT64_MAX; /* "max" */
    FILE *f = fopen(path, "r");
    if (!f) return UINT64_MAX;
    if (fscanf(f, "%llu", &n) != 1) n = UINT64_MAX;
    fclose(f);
    return n;
}

/* What the control group of this process may hold: of its own, and of the one that a container shows as the root. */
static uint64_t group_limit(void)
{
    static const struct {
        const char *controller, *root, *file;
    } kinds[] = {{":memory:", "/sys/fs/cgroup/memory", "memory.limit_in_bytes"},
                 {"0::", "/sys/fs/cgroup", "memory.max"}};
    char line[1024], path[1200];
    uint64_t least = UINT64_MAX;
    for (size_t k = 0; k < GR__COUNT(kinds); k++) {
        snprintf(path, sizeof path, "%s/%s", kinds[k].root, kinds[k].file);
        least = GR__MIN(least, number_in(path));
        FILE *f = fopen("/proc/self/cgroup", "r");
        while (f && fgets(line, sizeof line, f)) {
            const char *at = strstr(line, kinds[k].controller);
            if (!at) continue;
            at += strlen(kinds[k].controller);
            snprintf(path, sizeof path, "%s%.*s/%s", kinds[k].root, (int)strcspn(at, "\n"), at, kinds[k].file);
            least = GR__MIN(least, number_in(path));
        }
        if (f) fclose(f);
    }
    return least;
}

static uint64_t machine_bytes(void)
{
    struct rlimit space;
    uint64_t bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    if (getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY)
        bytes = GR__MIN(bytes, (uint64_t)space.rlim_cur);
    return GR__MIN(bytes, group_limit());
}

uint64_t gr__large_bytes(void)
{
    static _Atomic uint64_t known;
    uint64_t told = atomic_load(&large);
    if (told) return told;
    if (!atomic_load(&known)) atomic_store(&known, machine_bytes() / 8);
    return atomic_load(&known);
}

/* With its space reserved: a disk that is full later would end the process. */
static int open_nameless(size_t bytes)
{
    const char *folder = getenv("TMPDIR");
    char path[4096];
    if (snprintf(path, sizeof path, "%s/gradus-XXXXXX", folder && *folder ? folder : "/var/tmp") >= (int)sizeof path)
        return -1;
    int file = mkstemp(path);
    if (file < 0) return -1;
    unlink(path);
    if (posix_fallocate(file, 0, (off_t)bytes) == 0) return file;
    close(file);
    return -1;
}

static head *map_file(size_t bytes)
{
    int file = open_nameless(bytes);
    if (file < 0) return NULL;
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (p == MAP_FAILED) return NULL;
    head *h = p;
    h->mapped = bytes;
    return h;
}

void *gr__spill_new(size_t count, size_t bytes)
{
    size_t n;
    if (!gr__mul_size(count, bytes, &n) || !gr__add_size(n, sizeof(head), &n)) return NULL;
    head *h = n >= gr__large_bytes() ? map_file(n) : NULL;
    if (!h) h = gr__calloc(1, n);
    return h ? h + 1 : NULL;
}

void gr__spill_free(void *block)
{
    if (!block) return;
    head *h = (head *)block - 1;
    if (h->mapped)
        munmap(h, h->mapped);
    else
        gr__free(h);
}

gr_status gr__spill_grow(void *items, size_t item_bytes, size_t count, size_t *capacity)
{
    if (count <= *capacity) return GR_OK;
    size_t wanted = GR__MAX(GR__MAX(count, 64), *capacity + *capacity / 2);
    void *old, *fresh = gr__spill_new(wanted, item_bytes);
    if (!fresh) return gr__fail_memory("a growing list", wanted * item_bytes);
    memcpy(&old, items, sizeof old);
    if (*capacity) memcpy(fresh, old, *capacity * item_bytes);
    gr__spill_free(old);
    memcpy(items, &fresh, sizeof fresh);
    *capacity = wanted;
    return GR_OK;
}
