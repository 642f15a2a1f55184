#include "base/status.h"

#include <stdio.h>
#include <string.h>

#define MESSAGE_BYTES 2048

static GR__THREAD char message[MESSAGE_BYTES];

const char *gr_message(void) { return message; }

const char *gr_version(void) { return GR_VERSION; }

const char *gr_status_name(gr_status status)
{
    static const char *const names[] = {
#define GR_X(code, name, text) name,
        GR_STATUS_MAP(GR_X)
#undef GR_X
    };
    return (unsigned)status < GR_STATUS_COUNT ? names[status] : "unknown";
}

/* Names from files may hold control characters: they must not reach a terminal. */
static void take(const char fresh[MESSAGE_BYTES])
{
    size_t i = 0;
    for (; fresh[i]; i++)
        message[i] = ((unsigned char)fresh[i] < 0x20 && fresh[i] != '\n' && fresh[i] != '\t') || fresh[i] == 0x7f
                         ? '?'
                         : fresh[i];
    message[i] = 0;
}

gr_status gr__fail_va(gr_status status, const char *format, va_list args)
{
    char fresh[MESSAGE_BYTES]; /* an argument may be the old message */
    vsnprintf(fresh, sizeof fresh, format, args);
    take(fresh);
    return status;
}

gr_status gr__fail(gr_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    gr__fail_va(status, format, args);
    va_end(args);
    return status;
}

gr_status gr__fail_prefix(gr_status status, const char *format, ...)
{
    char fresh[MESSAGE_BYTES];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(fresh, sizeof fresh, format, args);
    va_end(args);
    if (n >= 0 && n < MESSAGE_BYTES - 3)
        snprintf(fresh + n, sizeof fresh - (size_t)n, ": %.*s", MESSAGE_BYTES - 3 - n, message);
    take(fresh);
    return status;
}

gr_status gr__fail_memory(const char *what, size_t bytes)
{
    return gr__fail(
        GR_ERR_MEMORY,
        "out of memory: cannot get %zu bytes for %s; free memory, or use less data, a smaller model, batch or context",
        bytes, what);
}
