/* gradus/base.h: what every other header rests on: status codes, the sentence
 * that explains the last failure, the allocator hook, threads and log.
 *
 *   if (gr_set_threads(2) != GR_OK)
 *       fprintf(stderr, "%s\n", gr_message());
 *
 * Settings of this header (allocator, threads, log) belong to the process; make them
 * before the first other call. Everything else lives in objects that you own.
 *
 * NULL, in all headers: a function that returns a gr_status answers GR_ERR_ARGUMENT to a handle, text, array or place for a
 * result that is NULL, unless its comment allows that; arrays without elements may be NULL. All other functions (counts,
 * names, handles) want valid handles, texts and arrays, and allow NULL only where they say so; those that free or close
 * all do, of the pointer and of what it points at. */
#ifndef GRADUS_BASE_H
#define GRADUS_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define GR_API __attribute__((visibility("default")))
#define GR_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#define GR_MUST_USE __attribute__((warn_unused_result))
#else
#define GR_API
#define GR_PRINTF(fmt, first)
#define GR_MUST_USE
#endif

#define GR_VERSION_MAJOR 0
#define GR_VERSION_MINOR 1
#define GR_VERSION_PATCH 0
#define GR_VERSION "0.1.0"

/* Code, name, what it means. */
#define GR_STATUS_MAP(X)                                                               \
    X(GR_OK, "ok", "success")                                                          \
    X(GR_ERR_ARGUMENT, "argument", "the caller passed something that is not allowed")  \
    X(GR_ERR_SHAPE, "shape", "sizes of tensors do not fit each other")                 \
    X(GR_ERR_DTYPE, "dtype", "a tensor has an element type that is not accepted here") \
    X(GR_ERR_CONFIG, "config", "a configuration is invalid")                           \
    X(GR_ERR_DATA, "data", "input data is invalid")                                    \
    X(GR_ERR_CORRUPT, "corrupt", "a file does not follow its format")                  \
    X(GR_ERR_NOT_FOUND, "not-found", "a file, tensor or name does not exist")          \
    X(GR_ERR_IO, "io", "reading or writing failed")                                    \
    X(GR_ERR_MEMORY, "memory", "out of memory")                                        \
    X(GR_ERR_LIMIT, "limit", "a limit was reached")                                    \
    X(GR_ERR_UNSUPPORTED, "unsupported", "not supported by this build or not at all")  \
    X(GR_ERR_NUMERIC, "numeric", "a number became infinite or NaN")                    \
    X(GR_ERR_CHECK, "check", "a check or a gate failed")                               \
    X(GR_ERR_STOPPED, "stopped", "stopped on request, after saving")                   \
    X(GR_ERR_INTERNAL, "internal", "a bug in gradus")

typedef enum gr_status {
#define GR_X(code, name, text) code,
    GR_STATUS_MAP(GR_X)
#undef GR_X
        GR_STATUS_COUNT
} gr_status;

/* Short name of a status ("corrupt"); never NULL. */
GR_API const char *gr_status_name(gr_status status);

/* The sentence of this thread's last failure: what, where, what to do. Never NULL; "" when
 * nothing failed yet. Valid until the next failing call of this thread. */
GR_API const char *gr_message(void);

/* "0.1.0" */
GR_API const char *gr_version(void);

/* ---- memory ------------------------------------------------------------------------ */

/* All memory of the library comes from here.
 * resize: like realloc with an alignment: pointer NULL allocates, size 0 frees (returns NULL).
 *         'old_size' is the size given when 'pointer' was made. Must be thread-safe.
 * Failure is NULL, with the old block intact. */
typedef struct gr_allocator {
    void *(*resize)(void *user, void *pointer, size_t old_size, size_t size, size_t alignment);
    void *user;
} gr_allocator;

/* Replaces the allocator (NULL: the default one). Call it while the library owns no memory. */
GR_API void gr_set_allocator(const gr_allocator *allocator);

/* Bytes that the library holds now, and the most it held. */
GR_API size_t gr_memory_used_bytes(void);
GR_API size_t gr_memory_peak_bytes(void);
GR_API void gr_memory_reset_peak(void);

/* Frees text and arrays that functions of the library made for the caller and that say so; NULL is fine. */
GR_API void gr_text_free(void *memory);

/* ---- threads ----------------------------------------------------------------------- */

/* Number of threads that kernels use; 0: one per usable core (or OMP_NUM_THREADS). They leave signals to the application's
 * threads. A handler that may run while its thread is inside the library needs SA_ONSTACK and sigaltstack(): oneDNN's
 * code keeps data where the stack seems free.
 * Status: GR_ERR_ARGUMENT below 0 or above 1024. */
GR_API gr_status gr_set_threads(int threads);
GR_API int gr_threads(void);

/* ---- log --------------------------------------------------------------------------- */

typedef enum gr_log_level { GR_LOG_DEBUG, GR_LOG_INFO, GR_LOG_WARNING, GR_LOG_LEVEL_COUNT } gr_log_level;

/* The library never prints: it hands lines (no newline at the end) to this function.
 * NULL (the default) drops them. */
typedef void (*gr_log_fn)(void *user, gr_log_level level, const char *line);
GR_API void gr_set_log(gr_log_fn fn, void *user, gr_log_level least);

#ifdef __cplusplus
}
#endif
#endif
