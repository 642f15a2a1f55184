#include "kernel/cpu.h"

#include "base/log.h"
#include "base/parallel.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static gr__cpu_info info;
static int level;
static gr__cpu_info shown;

static const char *const level_names[GR__CPU_LEVEL_COUNT] = {"generic", "avx2", "avx512", "amx"};

#if GR__HAVE_X86
#include <cpuid.h>
#include <sys/syscall.h>

#if GR__SOFTWARE_AMX
static bool ask_for_tiles(void) { return true; } /* x86/software_amx.h */
#else
/* Leaf 7 names the tiles; Linux gives a process their registers only when it asks for them. */
static bool ask_for_tiles(void)
{
    enum { REQUEST = 0x1023, TILE_DATA = 18, BF16 = 1 << 22, TILES = 1 << 24 };
    unsigned a, b, c, d;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d & BF16) || !(d & TILES)) return false;
    return syscall(SYS_arch_prctl, REQUEST, TILE_DATA) == 0;
}
#endif

static void find_features(void)
{
    if (!GR__CPU_SUPPORTS("avx2") || !GR__CPU_SUPPORTS("fma")) return; /* f16c came before avx2 */
    info.best = GR__CPU_AVX2;
    if (!GR__CPU_SUPPORTS("avx512f") || !GR__CPU_SUPPORTS("avx512bw") || !GR__CPU_SUPPORTS("avx512dq") ||
        !GR__CPU_SUPPORTS("avx512vl"))
        return;
    info.best = GR__CPU_AVX512;
    info.bf16 = GR__CPU_SUPPORTS("avx512bf16");
    if (info.bf16 && ask_for_tiles()) info.best = GR__CPU_AMX;
}

static void find_name(void)
{
    unsigned word[12];
    if (!__get_cpuid(0x80000000u, &word[0], &word[1], &word[2], &word[3]) || word[0] < 0x80000004u) return;
    for (unsigned i = 0; i < 3; i++)
        if (!__get_cpuid(0x80000002u + i, &word[4 * i], &word[4 * i + 1], &word[4 * i + 2], &word[4 * i + 3])) return;
    memcpy(info.name, word, 48);
    info.name[48] = 0;
    for (size_t n = strlen(info.name); n && info.name[n - 1] == ' '; n--) info.name[n - 1] = 0;
}

#else
static void find_features(void) {}
static void find_name(void) {}
#endif

static int64_t cache_bytes(int name)
{
    long n = sysconf(name);
    return n > 0 ? n : 0;
}

static void detect(void)
{
    find_features();
    find_name();
    if (!info.name[0]) strcpy(info.name, "unknown");
    info.l1_bytes = cache_bytes(_SC_LEVEL1_DCACHE_SIZE);
    info.l2_bytes = cache_bytes(_SC_LEVEL2_CACHE_SIZE);
    info.l3_bytes = cache_bytes(_SC_LEVEL3_CACHE_SIZE);
    level = info.best;
    const char *wanted = getenv("GRADUS_ISA");
    int at = 0;
    while (wanted && at < GR__CPU_LEVEL_COUNT && strcmp(wanted, level_names[at]) != 0) at++;
    if (wanted && at < info.best) level = at;
    if (wanted && at == GR__CPU_LEVEL_COUNT)
        gr__log(GR_LOG_WARNING, "GRADUS_ISA is '%.40s', which is no level (generic, avx2, avx512, amx); '%s' is taken",
                wanted, level_names[level]);
    shown = info;
}

const gr__cpu_info *gr__cpu(void)
{
    pthread_once(&once, detect);
    return &shown;
}

int gr__cpu_get_level(void)
{
    gr__cpu();
    return level;
}

const char *gr__cpu_level_name(int n)
{
    return n < 0 ? level_names[0] : level_names[GR__MIN(n, GR__CPU_LEVEL_COUNT - 1)];
}

void gr__cpu_set_level(int wanted)
{
    gr__cpu();
    level = GR__MIN(GR__MAX(wanted, 0), info.best);
}

bool gr__cpu_set_strict(bool on) { return gr__parallel_set_mode(on) != 0; }

bool gr__cpu_strict(void) { return gr__parallel_mode() != 0; }

bool gr__cpu_has_tiles(void) { return gr__cpu_get_level() == GR__CPU_AMX && shown.bf16; }

void gr__cpu_set_bf16(bool on)
{
    gr__cpu();
    shown.bf16 = info.bf16 && on;
}
