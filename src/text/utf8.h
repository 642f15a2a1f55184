/* UTF-8 as the Unicode standard has it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef GR__UTF8_H
#define GR__UTF8_H

#include "base/status.h"

typedef enum gr__utf8_kind {
    GR__UTF8_GOOD,
    GR__UTF8_BAD,    /* these bytes never start a character */
    GR__UTF8_PARTIAL /* a character may be complete once more bytes come */
} gr__utf8_kind;

/* Reads the first character of n > 0 bytes. *length: bytes of the character, or of the longest broken part of one (1 to
 * 3; what becomes one U+FFFD). *code is set where the result is GR__UTF8_GOOD. */
gr__utf8_kind gr__utf8_next(const char *text, size_t n, uint32_t *code, size_t *length);

/* Whether all n bytes are valid; if not, *offset (may be NULL) is where the first broken character starts. */
bool gr__utf8_valid(const char *text, size_t n, size_t *offset);

/* Writes a character (a valid code point), returns its 1 to 4 bytes. */
size_t gr__utf8_put(uint32_t code, char out[4]);

/* Unicode White_Space. */
bool gr__utf8_is_space(uint32_t code);

#define GR__UTF8_REPLACEMENT "\xEF\xBF\xBD"

#endif
