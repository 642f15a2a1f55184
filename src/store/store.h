#ifndef GR__STORE_H
#define GR__STORE_H

#include "gradus/store.h"

/* Grows whenever an array may have changed. */
uint64_t gr__store_version(const gr_store *store);
bool gr__store_has(const gr_store *store, const char *path);

#endif
