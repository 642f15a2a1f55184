#include "text/bytemap.h"

#include "text/utf8.h"

/* Bytes 0-32, 127-160 and 173 are not printable: 68 of them. */
GR__INLINE bool printable(unsigned byte) { return (byte > 32 && byte < 127) || (byte > 160 && byte != 173); }

#define HIGH 0x100

uint32_t gr__byte_char(unsigned char byte)
{
    unsigned b = byte;
    if (printable(b)) return b;
    return b <= 32 ? HIGH + b : b <= 160 ? HIGH + 33 + (b - 127) : HIGH + 67;
}

int gr__byte_of_char(uint32_t code)
{
    if (code < HIGH) return printable(code) ? (int)code : -1;
    uint32_t i = code - HIGH;
    return i <= 32 ? (int)i : i <= 66 ? (int)(i - 33 + 127) : i == 67 ? 173 : -1;
}

unsigned char gr__byte_by_rank(int rank)
{
    int n_printable = 0;
    for (unsigned b = 0; b < 256; b++) {
        if (!printable(b)) continue;
        if (n_printable == rank) return (unsigned char)b;
        n_printable++;
    }
    return (unsigned char)gr__byte_of_char((uint32_t)(HIGH + rank - n_printable));
}

void gr__bytemap_add(gr__str *out, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < n; i++) {
        char c[4];
        gr__str_add_n(out, c, gr__utf8_put(gr__byte_char(p[i]), c));
    }
}

size_t gr__bytemap_decode(const char *text, size_t n, char *out)
{
    size_t count = 0;
    for (size_t at = 0, length; at < n; at += length) {
        uint32_t code;
        if (gr__utf8_next(text + at, n - at, &code, &length) != GR__UTF8_GOOD) return SIZE_MAX;
        int byte = gr__byte_of_char(code);
        if (byte < 0) return SIZE_MAX;
        out[count++] = (char)byte;
    }
    return count;
}
