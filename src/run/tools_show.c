/* Formatting that programs share with the library, and names that were probably meant. */
#include "gradus/tools.h"

#include "metric/plot.h"

#include <string.h>

void gr_show_bytes(char out[32], double bytes) { gr__format_bytes(out, bytes); }
void gr_show_count(char out[32], double count) { gr__format_count(out, count); }
void gr_show_seconds(char out[32], double seconds) { gr__format_seconds(out, seconds); }
void gr_show_number(char out[32], double value) { gr__format_double(out, value); }

size_t gr_character_bytes(const char *text, size_t n) { return gr__utf8_step(text, n); }

const char *gr_nearest_name(const char *word, const char *const *candidates, size_t n)
{
    return gr__str_nearest(word, candidates, n);
}

void gr_sparkline(const double *y, size_t n, size_t width, char *out, size_t room)
{
    gr__str s = {0};
    if (room == 0) return;
    gr__sparkline(&s, y, n, width);
    size_t length = GR__MIN(s.n, room - 1);
    while (length > 0 && length < s.n && ((unsigned char)s.text[length] & 0xC0) == 0x80) length--;
    if (length) memcpy(out, s.text, length);
    out[length] = 0;
    gr__str_release(&s);
}
