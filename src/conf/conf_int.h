/* Between yaml.c and write.c. */
#ifndef GR__CONF_INT_H
#define GR__CONF_INT_H

#include "conf/conf.h"

/* Length of "${NAME}" at the start of 'text', else 0. */
size_t gr__conf_variable_length(const char *text);

#endif
