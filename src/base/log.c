#include "base/log.h"

#include <stdio.h>

static gr_log_fn log_fn;
static void *log_user;
static gr_log_level log_least;

void gr_set_log(gr_log_fn fn, void *user, gr_log_level least)
{
    log_fn = fn;
    log_user = user;
    log_least = least;
}

bool gr__log_on(gr_log_level level) { return log_fn && level >= log_least; }

void gr__log(gr_log_level level, const char *format, ...)
{
    if (!gr__log_on(level)) return;
    char line[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    log_fn(log_user, level, line);
}
