/* Preloaded into a program by `run.sh footprint`: how often it asked for memory, on standard error when it ends. glibc. */
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static atomic_long asked;

void *malloc(size_t bytes)
{
    asked++;
    return __libc_malloc(bytes);
}
void *calloc(size_t n, size_t bytes)
{
    asked++;
    return __libc_calloc(n, bytes);
}
void *realloc(void *p, size_t bytes)
{
    asked++;
    return __libc_realloc(p, bytes);
}
void *memalign(size_t alignment, size_t bytes)
{
    asked++;
    return __libc_memalign(alignment, bytes);
}
void *aligned_alloc(size_t alignment, size_t bytes) { return memalign(alignment, bytes); }
int posix_memalign(void **p, size_t alignment, size_t bytes)
{
    *p = memalign(alignment, bytes);
    return *p || bytes == 0 ? 0 : 12;
}

__attribute__((destructor)) static void tell(void) { fprintf(stderr, "allocations %ld\n", asked); }
