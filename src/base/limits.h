/* Limits on what outside data may ask for, by name: GR__LIMIT_CSV_FIELD_BYTES and so on. See limits.def. */
#ifndef GR__LIMITS_H
#define GR__LIMITS_H

enum gr__limit_value {
#define X(name, value, doc) GR__LIMIT_##name = (value),
#include "base/limits.def"
#undef X
};

#endif
