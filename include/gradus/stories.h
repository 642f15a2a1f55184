/* gradus/stories.h: any amount of small coherent stories, English and Chinese, made from a grammar of our own, and the
 * judge that tells whether a sentence belongs to that grammar. A model trained on them is small enough to learn in a
 * minute, and what it writes can be marked by a program.
 *
 *   char *text;
 *   size_t n;
 *   if (gr_stories_write(&(gr_stories_options){.language = "both", .bytes = 400000}, &text, &n) == GR_OK) {
 *       // train on text
 *       gr_stories_free(&text);
 *   }
 *   gr_stories_sentence s;
 *   for (size_t at = 0; gr_stories_next(sample, sample_n, &at, &s);)
 *       if (gr_stories_check(s.language, s.text, s.n) != GR_OK)
 *           printf("%.*s: %s\n", (int)s.n, s.text, gr_message());
 *
 * Everything here is a pure function of its arguments: any number of threads. */
#ifndef GRADUS_STORIES_H
#define GRADUS_STORIES_H

#include "gradus/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gr_stories_options {
    const char *language;  /* "en", "zh" or "both" (one in turn with the other); default "both" */
    uint64_t seed;         /* default 0 */
    uint64_t first;        /* number of the first story; default 0. Validation texts start far behind */
    size_t bytes;          /* the story that reaches it is the last; up to 1 GiB; default 262144 */
    const char *separator; /* behind each story; default "\n\n" */
} gr_stories_options;

/* Writes stories, each on one line. Story i depends on (seed, language, i) alone.
 * text, n: UTF-8 with a closing 0 that n does not count; the caller gives it back with gr_stories_free().
 * Failure: *text is NULL.
 * Status:  GR_ERR_ARGUMENT (language), GR_ERR_LIMIT (bytes), GR_ERR_MEMORY. */
GR_API gr_status gr_stories_write(const gr_stories_options *options, char **text, size_t *n);

/* Frees and nulls *text. */
GR_API void gr_stories_free(char **text);

/* Is this one sentence (n bytes, with its full stop, without blanks around it) in the language "en" or "zh"? Words,
 * order, agreement (he and Tom, a and an, measure words) and sense (only what is edible is eaten) are looked at.
 * Status: GR_OK it is; GR_ERR_CHECK it is not, gr_message() says why; GR_ERR_ARGUMENT no such language. */
GR_API gr_status gr_stories_check(const char *language, const char *sentence, size_t n);

/* A piece of a larger text. */
typedef struct gr_stories_sentence {
    const char *text;     /* borrowed from the text, blanks trimmed */
    size_t n;             /* > 0 */
    const char *language; /* "zh" when it holds a character beyond ASCII, else "en" */
    bool complete;        /* it ends with . ! ? or their Chinese forms; else the line was cut */
} gr_stories_sentence;

/* The next sentence of 'text' from byte *at (0 to begin with), which moves behind it. False at the end. */
GR_API bool gr_stories_next(const char *text, size_t n, size_t *at, gr_stories_sentence *out);

#ifdef __cplusplus
}
#endif
#endif
