/* Facts about this machine and process, as far as the system tells them; what is unknown stays zero. */
#include "gradus/tools.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/parallel.h"
#include "kernel/cpu.h"
#include "kernel/onednn.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

static int usable_cores(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) return CPU_COUNT(&set);
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (int)n : 1;
}

/* "MemAvailable:   123 kB" of /proc/meminfo, in bytes; 0: not there. */
static uint64_t meminfo(const char *text, const char *key)
{
    const char *at = text ? strstr(text, key) : NULL;
    unsigned long long kib = 0;
    return at && sscanf(at + strlen(key), " %llu", &kib) == 1 ? (uint64_t)kib * 1024 : 0;
}

static void find_data(char out[256])
{
    static const char *const places[] = {"../shared/data", "shared/data"};
    const char *given = getenv("GRADUS_DATA");
    out[0] = 0;
    if (given && *given) {
        if (gr__file_is_dir(given)) snprintf(out, 256, "%s", given);
        return;
    }
    for (size_t i = 0; i < GR__COUNT(places) && !out[0]; i++)
        if (gr__file_is_dir(places[i])) snprintf(out, 256, "%s", places[i]);
}

void gr_system_describe(gr_system *out)
{
    const gr__cpu_info *cpu = gr__cpu();
    struct statvfs disk;
    char *text = NULL;
    size_t n;
    *out = (gr_system){.isa = gr__cpu_level_name(gr__cpu_get_level()),
                       .best_isa = gr__cpu_level_name(cpu->best),
                       .bf16 = cpu->bf16,
                       .cores = usable_cores(),
                       .threads = gr_threads(),
                       .onednn = gr__dnn_version(),
                       .l1_bytes = cpu->l1_bytes,
                       .l2_bytes = cpu->l2_bytes,
                       .l3_bytes = cpu->l3_bytes};
    snprintf(out->cpu, sizeof out->cpu, "%s", cpu->name);
    if (gr__file_read("/proc/meminfo", 1 << 20, &text, &n) == GR_OK) {
        out->memory_bytes = meminfo(text, "MemTotal:");
        out->memory_free_bytes = meminfo(text, "MemAvailable:");
        gr__free(text);
    }
    if (statvfs(".", &disk) == 0) out->disk_free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize;
    find_data(out->data);
}

size_t gr_process_bytes(void) { return gr__rss_bytes(); }
size_t gr_process_peak_bytes(void) { return gr__peak_rss_bytes(); }

/* ---- libraries: the mapped files themselves, whose real names carry the version ---- */

enum { MOST_LIBRARIES = 64 };

typedef struct gr__libraries {
    char name[MOST_LIBRARIES][128];
    int n;
} gr__libraries;

static bool is_of_libc(const char *name)
{
    static const char *const own[] = {"ld-linux",   "libc.so", "libc-", "libm.so",  "libm-",
                                      "libpthread", "libdl",   "librt", "libresolv"};
    for (size_t i = 0; i < GR__COUNT(own); i++)
        if (strncmp(name, own[i], strlen(own[i])) == 0) return true;
    return false;
}

static void add_library(gr__libraries *l, const char *line)
{
    const char *slash = strrchr(line, '/');
    if (!slash || l->n == MOST_LIBRARIES) return;
    char name[128];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(slash + 1, "\n "), slash + 1);
    if (!strstr(name, ".so") || is_of_libc(name)) return;
    int at = 0;
    while (at < l->n && strcmp(l->name[at], name) < 0) at++;
    if (at < l->n && strcmp(l->name[at], name) == 0) return;
    memmove(l->name[at + 1], l->name[at], (size_t)(l->n - at) * sizeof l->name[0]);
    memcpy(l->name[at], name, sizeof name);
    l->n++;
}

bool gr_system_library(int i, char out[128])
{
    gr__libraries *l = gr__calloc(1, sizeof *l);
    FILE *maps = l ? fopen("/proc/self/maps", "r") : NULL;
    char line[1024];
    while (maps && fgets(line, sizeof line, maps))
        if (strchr(line, '/') && l->n < MOST_LIBRARIES) add_library(l, line);
    if (maps) fclose(maps);
    bool there = l && i >= 0 && i < l->n;
    if (there) memcpy(out, l->name[i], sizeof l->name[i]);
    gr__free(l);
    return there;
}
