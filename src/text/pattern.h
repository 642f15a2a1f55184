/* Regular expressions that cut text into words (PCRE2 behind one door). Patterns are written for Oniguruma, as in
 * tokenizer.json; what PCRE2 reads in another way is rewritten or refused. Matching has limits on steps and memory. */
#ifndef GR__PATTERN_H
#define GR__PATTERN_H

#include "base/status.h"

typedef struct gr__pattern gr__pattern;
/* Scratch memory of one thread for any pattern. */
typedef struct gr__matcher gr__matcher;

extern const char gr__pattern_gpt2[];
/* The pattern called "gpt2", "llama3" or "qwen2"; NULL for other names. */
const char *gr__pattern_named(const char *name);

/* GR_ERR_UNSUPPORTED (what is wrong with it), GR_ERR_MEMORY. */
gr_status gr__pattern_compile(const char *regex, gr__pattern **out);
void gr__pattern_free(gr__pattern **pattern);

gr_status gr__matcher_new(gr__matcher **out);
void gr__matcher_free(gr__matcher **matcher);

/* The first match that starts at or after 'from'; *start = *end = n where there is none. Broken UTF-8 is never part of
 * a match. GR_ERR_LIMIT, GR_ERR_MEMORY. */
gr_status gr__pattern_next(const gr__pattern *pattern, gr__matcher *matcher, const char *text, size_t n, size_t from,
                           size_t *start, size_t *end);

#endif
