#include "text/utf8.h"

#include <string.h>

gr__utf8_kind gr__utf8_next(const char *text, size_t n, uint32_t *code, size_t *length)
{
    const unsigned char *p = (const unsigned char *)text;
    unsigned lead = p[0];
    *length = 1;
    if (lead < 0x80) {
        *code = lead;
        return GR__UTF8_GOOD;
    }
    if (lead < 0xC2 || lead > 0xF4) return GR__UTF8_BAD;
    size_t all = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    /* Only the second byte has a range of its own: it rules out overlong forms, surrogates and the end of Unicode. */
    unsigned low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    unsigned high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    uint32_t c = lead & (0x7Fu >> all);
    for (size_t i = 1; i < all; i++) {
        *length = i;
        if (i == n) return GR__UTF8_PARTIAL;
        if (p[i] < low || p[i] > high) return GR__UTF8_BAD;
        c = c << 6 | (p[i] & 0x3Fu);
        low = 0x80;
        high = 0xBF;
    }
    *length = all;
    *code = c;
    return GR__UTF8_GOOD;
}

bool gr__utf8_valid(const char *text, size_t n, size_t *offset)
{
    size_t at = 0;
    while (at < n) {
        uint64_t eight;
        if (n - at >= sizeof eight) {
            memcpy(&eight, text + at, sizeof eight);
            if (!(eight & 0x8080808080808080u)) {
                at += sizeof eight;
                continue;
            }
        }
        uint32_t code;
        size_t length;
        if (gr__utf8_next(text + at, n - at, &code, &length) != GR__UTF8_GOOD) {
            if (offset) *offset = at;
            return false;
        }
        at += length;
    }
    return true;
}

size_t gr__utf8_put(uint32_t code, char out[4])
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t n = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (code & 0x3F));
        code >>= 6;
    }
    out[0] = (char)((0xF00u >> n & 0xF0u) | code);
    return n;
}

bool gr__utf8_is_space(uint32_t code)
{
    return (code >= 0x09 && code <= 0x0D) || code == 0x20 || code == 0x85 || code == 0xA0 || code == 0x1680 ||
           (code >= 0x2000 && code <= 0x200A) || code == 0x2028 || code == 0x2029 || code == 0x202F || code == 0x205F ||
           code == 0x3000;
}
