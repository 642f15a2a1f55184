/* EXIF is a TIFF file inside the picture: byte order, position of the first directory, 12-byte entries. Only the
 * orientation is wanted, and a broken EXIF is no reason to refuse the pixels. */
#include "format/image_int.h"

#include <string.h>

#define ORIENTATION 0x0112
#define SHORT 3

static uint32_t number(const unsigned char *p, int bytes, bool big)
{
    uint32_t v = 0;
    for (int i = 0; i < bytes; i++) v = v << 8 | p[big ? i : bytes - 1 - i];
    return v;
}

int gr__exif_orientation(const unsigned char *p, size_t n)
{
    if (n < 8 || (memcmp(p, "II*\0", 4) != 0 && memcmp(p, "MM\0*", 4) != 0)) return 1;
    bool big = p[0] == 'M';
    size_t at = number(p + 4, 4, big);
    if (at > n - 2) return 1;
    size_t entries = number(p + at, 2, big);
    for (size_t i = 0; i < entries && (n - at - 2) / 12 > i; i++) {
        const unsigned char *e = p + at + 2 + 12 * i;
        if (number(e, 2, big) != ORIENTATION) continue;
        uint32_t value = number(e + 8, 2, big);
        bool fits = number(e + 2, 2, big) == SHORT && number(e + 4, 4, big) == 1 && value >= 1 && value <= 8;
        return fits ? (int)value : 1;
    }
    return 1;
}
