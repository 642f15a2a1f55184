/* How predicted numbers are shown, by every task that predicts some. */
#ifndef GR__NUMBER_PANELS_H
#define GR__NUMBER_PANELS_H

#include "base/str.h"

/* A section of a page: n predicted numbers against the actual ones, and a histogram of their differences. name: of what is
 * predicted; NULL: there is one thing only. */
gr_status gr__number_panels(const double *actual, const double *predicted, size_t n, const char *name, gr__str *page);

#endif
