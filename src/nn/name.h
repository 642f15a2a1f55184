/* Kinds by the names that configurations use. */
#ifndef GR__NAME_H
#define GR__NAME_H

#include "base/status.h"

/* The index of 'name' in names[n]; GR_ERR_CONFIG says what it should have been and proposes the nearest. */
gr_status gr__kind_from_name(const char *what, const char *const *names, int n, const char *name, int *out);

#endif
