/* The one clock. Tests may replace it. */
#ifndef GR__CLOCK_H
#define GR__CLOCK_H

#include "base/status.h"

double gr__now(void);            /* seconds, monotonic */
double gr__wall_time(void);      /* seconds since 1970 */
size_t gr__peak_rss_bytes(void); /* the most memory that this process held */
size_t gr__rss_bytes(void);

/* NULL brings the real clock back. */
void gr__clock_set(double (*now)(void));

#endif
