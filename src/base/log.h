/* Lines for the log function that the user set; dropped when there is none. */
#ifndef GR__LOG_H
#define GR__LOG_H

#include "base/status.h"

void gr__log(gr_log_level level, const char *format, ...) GR_PRINTF(2, 3);
bool gr__log_on(gr_log_level level);

#endif
