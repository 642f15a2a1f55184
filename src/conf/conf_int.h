/* Between the files of conf/: ${NAME} in texts.
 *
 * Inside { } and [ ] a brace ends a plain YAML text, so ${NAME} is hidden from the parser first: its two braces become
 * the private characters U+E000 and U+E001 (one character each, so that columns stay right) and come back after. */
#ifndef GR__CONF_INT_H
#define GR__CONF_INT_H

#include "conf/conf.h"

/* Length of "${NAME}" at the start of 'text', else 0. */
size_t gr__conf_variable_length(const char *text);
/* Adds 'text' to 'out' with its variables hidden; the other way round, for keys, in place. */
void gr__conf_hide_variables(const char *text, size_t n, gr__str *out);
void gr__conf_unhide_variables(char *text);
/* Replaces hidden variables by their values. GR_ERR_CONFIG: 'why' holds the sentence. GR_ERR_MEMORY. */
gr_status gr__conf_expand(const char *hidden, gr__arena *arena, const char **out, gr__str *why);

#endif
