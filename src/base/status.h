/* Raising and forwarding failures. A failure is a code plus a sentence:
 * lower case, no full stop, what failed first, names in single quotes, then a hint. */
#ifndef GR__STATUS_H
#define GR__STATUS_H

#include "base/compiler.h"
#include "gradus/base.h"

#include <stdarg.h>

/* Sets this thread's message and returns 'status'. */
gr_status gr__fail(gr_status status, const char *format, ...) GR_PRINTF(2, 3);
gr_status gr__fail_va(gr_status status, const char *format, va_list args);

/* Puts "prefix: " before this thread's message; returns 'status'. */
gr_status gr__fail_prefix(gr_status status, const char *format, ...) GR_PRINTF(2, 3);

/* The failure of an allocation of 'bytes' for 'what'. */
gr_status gr__fail_memory(const char *what, size_t bytes);

#define GR_TRY(expr)                                    \
    do {                                                \
        gr_status gr__s = (expr);                       \
        if (GR__UNLIKELY(gr__s != GR_OK)) return gr__s; \
    } while (0)

/* Same, with one 'done:' label that releases and returns 'status'. */
#define GR_TRY_DONE(expr)                             \
    do {                                              \
        status = (expr);                              \
        if (GR__UNLIKELY(status != GR_OK)) goto done; \
    } while (0)

#define GR_FAIL_IF(cond, code, ...)                                   \
    do {                                                              \
        if (GR__UNLIKELY(cond)) return gr__fail((code), __VA_ARGS__); \
    } while (0)

#endif
