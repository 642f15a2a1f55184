/* Between safetensors.c and safetensors_write.c. */
#ifndef GR__SAFETENSORS_INT_H
#define GR__SAFETENSORS_INT_H

#include "format/safetensors.h"

typedef struct gr__st_type {
    const char *name;
    unsigned bits;
    gr_dtype dtype; /* GR_DTYPE_NONE: listed, not computed with */
} gr__st_type;

extern const gr__st_type gr__st_types[];
extern const size_t gr__st_type_count;

#endif
