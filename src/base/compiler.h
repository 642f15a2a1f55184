/* The only place for compiler extensions and platform macros. */
#ifndef GR__COMPILER_H
#define GR__COMPILER_H

#include <stddef.h>
#include <stdint.h>

#define GR__ALIGN 64 /* every tensor starts on a cache line */

#if defined(__GNUC__)
#define GR__LIKELY(x) __builtin_expect(!!(x), 1)
#define GR__UNLIKELY(x) __builtin_expect(!!(x), 0)
#define GR__INLINE static inline __attribute__((always_inline, unused))
#define GR__UNUSED __attribute__((unused))
#define GR__THREAD _Thread_local
#define GR__ALIGNED(n) __attribute__((aligned(n)))
#define GR__VECTOR(bytes) __attribute__((vector_size(bytes)))            /* the portable SIMD type of src/kernel/simd */
#define GR__CPU_SUPPORTS(feature) (__builtin_cpu_supports(feature) != 0) /* x86 only: processor and system have it */
#else
#define GR__LIKELY(x) (x)
#define GR__UNLIKELY(x) (x)
#define GR__INLINE static inline
#define GR__UNUSED
#define GR__THREAD _Thread_local
#define GR__ALIGNED(n) _Alignas(n)
#endif

/* Before a loop: n copies of its body. */
#define GR__PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#define GR__UNROLL(n) GR__PRAGMA(unroll n)
#elif defined(__GNUC__)
#define GR__UNROLL(n) GR__PRAGMA(GCC unroll n)
#else
#define GR__UNROLL(n)
#endif

/* Around structs that are compared byte by byte: padding, whose bytes nobody defines, is an error of the compiler. */
#if defined(__GNUC__)
#define GR__NO_PADDING_BEGIN GR__PRAGMA(GCC diagnostic push) GR__PRAGMA(GCC diagnostic error "-Wpadded")
#define GR__NO_PADDING_END GR__PRAGMA(GCC diagnostic pop)
#else
#define GR__NO_PADDING_BEGIN
#define GR__NO_PADDING_END
#endif

/* In a loop that waits for another thread. */
#if defined(__x86_64__)
#define GR__PAUSE() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define GR__PAUSE() __asm__ volatile("yield")
#else
#define GR__PAUSE() ((void)0)
#endif

#define GR__COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define GR__MIN(a, b) ((a) < (b) ? (a) : (b))
#define GR__MAX(a, b) ((a) > (b) ? (a) : (b))

/* Our own bugs only; never reachable from outside data. */
#ifdef NDEBUG
#define GR_ASSERT(x) ((void)0)
#else
#include <assert.h>
#define GR_ASSERT(x) assert(x)
#endif

#endif
