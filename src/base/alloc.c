/* Every block carries a header of 64 bytes with its size:
 *
 *   | size ........ pad to 64 | user block ... |
 */
#include "base/alloc.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HEADER 64

static gr_allocator custom;
static bool has_custom;
static atomic_size_t used, peak;

static void *default_resize(void *pointer, size_t old_size, size_t size, size_t alignment)
{
    if (size == 0) {
        free(pointer);
        return NULL;
    }
    void *fresh = aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    if (fresh && pointer) {
        memcpy(fresh, pointer, old_size < size ? old_size : size);
        free(pointer);
    }
    return fresh;
}

static void *resize(void *pointer, size_t old_size, size_t size, size_t alignment)
{
    return has_custom ? custom.resize(custom.user, pointer, old_size, size, alignment)
                      : default_resize(pointer, old_size, size, alignment);
}

static void account(size_t added, size_t removed)
{
    size_t now = atomic_fetch_add(&used, added - removed) + added - removed;
    size_t top = atomic_load(&peak);
    while (now > top && !atomic_compare_exchange_weak(&peak, &top, now)) {}
}

void gr_set_allocator(const gr_allocator *allocator)
{
    has_custom = allocator != NULL;
    if (allocator) custom = *allocator;
}

size_t gr_memory_used_bytes(void) { return atomic_load(&used); }
size_t gr_memory_peak_bytes(void) { return atomic_load(&peak); }
void gr_memory_reset_peak(void) { atomic_store(&peak, atomic_load(&used)); }

void *gr__realloc(void *pointer, size_t bytes)
{
    size_t total, old = 0;
    char *base = NULL;
    if (!gr__add_size(bytes, HEADER, &total) || total > PTRDIFF_MAX) return NULL;
    if (pointer) {
        base = (char *)pointer - HEADER;
        memcpy(&old, base, sizeof old);
    }
    char *fresh = resize(base, old ? old : 0, total, HEADER);
    if (!fresh) return NULL;
    memcpy(fresh, &total, sizeof total);
    account(total, old);
    return fresh + HEADER;
}

void *gr__alloc(size_t bytes) { return gr__realloc(NULL, bytes); }

void *gr__calloc(size_t count, size_t bytes)
{
    size_t total;
    if (!gr__mul_size(count, bytes, &total)) return NULL;
    void *p = gr__alloc(total);
    if (p) memset(p, 0, total);
    return p;
}

void gr__free(void *pointer)
{
    if (!pointer) return;
    char *base = (char *)pointer - HEADER;
    size_t old;
    memcpy(&old, base, sizeof old);
    account(0, old);
    resize(base, old, 0, HEADER);
}

void gr_text_free(void *memory) { gr__free(memory); }

char *gr__strndup(const char *text, size_t n)
{
    char *copy = gr__alloc(n + 1);
    if (copy) {
        memcpy(copy, text, n);
        copy[n] = 0;
    }
    return copy;
}

char *gr__strdup(const char *text) { return gr__strndup(text, strlen(text)); }

#define PAGE ((size_t)65536) /* a multiple of every Linux page size */
#define HUGE ((size_t)2 << 20)

static size_t whole_pages(size_t bytes) { return (bytes + PAGE - 1) / PAGE * PAGE; }

/* A mapping of n bytes on a huge page's boundary: one that is larger, cut at both ends. */
static void *map_aligned(size_t n)
{
    char *base = mmap(NULL, n + HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED) return NULL;
    size_t before = (HUGE - (size_t)(uintptr_t)base % HUGE) % HUGE;
    if (before) munmap(base, before);
    munmap(base + before + n, HUGE - before);
    madvise(base + before, n, MADV_HUGEPAGE);
    return base + before;
}

void gr__alloc_advise_huge(void *block, size_t bytes)
{
    size_t before = (HUGE - (size_t)(uintptr_t)block % HUGE) % HUGE;
    if (bytes < before + HUGE) return;
    madvise((char *)block + before, (bytes - before) / HUGE * HUGE, MADV_HUGEPAGE);
}

/* Through the hook where there is one (tests count and fail it), else straight from the kernel. */
void *gr__alloc_large(size_t bytes)
{
    if (bytes == 0) bytes = 1;
    if (bytes > PTRDIFF_MAX - HUGE) return NULL;
    void *p;
    if (has_custom) {
        p = resize(NULL, 0, bytes, GR__ALIGN);
        if (!p) return NULL;
        memset(p, 0, bytes);
    } else if (bytes >= HUGE) {
        p = map_aligned(whole_pages(bytes));
        if (!p) return NULL;
    } else {
        p = mmap(NULL, whole_pages(bytes), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED) return NULL;
    }
    account(bytes, 0);
    return p;
}

void gr__free_large(void *pointer, size_t bytes)
{
    if (!pointer) return;
    if (bytes == 0) bytes = 1;
    account(0, bytes);
    if (has_custom)
        resize(pointer, bytes, 0, GR__ALIGN);
    else
        munmap(pointer, whole_pages(bytes));
}

gr_status gr__grow(void *items, size_t item_bytes, size_t count, size_t *capacity)
{
    if (count <= *capacity) return GR_OK;
    size_t wanted = *capacity < 8 ? 8 : *capacity + *capacity / 2, bytes;
    if (wanted < count) wanted = count;
    void *old, *fresh;
    memcpy(&old, items, sizeof old);
    if (!gr__mul_size(wanted, item_bytes, &bytes) || !(fresh = gr__realloc(old, bytes)))
        return gr__fail_memory("a growing list", wanted * item_bytes);
    memcpy(items, &fresh, sizeof fresh);
    *capacity = wanted;
    return GR_OK;
}
