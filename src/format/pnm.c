/* PBM, PGM and PPM, as text (P1 P2 P3) or raw (P4 P5 P6): header words, '#' comments, then samples. */
#include "format/image_int.h"

#include <string.h>

typedef struct scanner {
    const unsigned char *p;
    size_t n, at;
    const char *name;
} scanner;

static bool is_blank(unsigned char c) { return c == ' ' || (c >= 9 && c <= 13); }

static void skip_blanks(scanner *s)
{
    for (; s->at < s->n; s->at++) {
        if (s->p[s->at] == '#')
            while (s->at + 1 < s->n && s->p[s->at] != '\n' && s->p[s->at] != '\r') s->at++;
        else if (!is_blank(s->p[s->at]))
            return;
    }
}

static gr_status take_number(scanner *s, uint32_t most, uint32_t *out)
{
    uint32_t v = 0, digits = 0;
    skip_blanks(s);
    for (; s->at < s->n && s->p[s->at] >= '0' && s->p[s->at] <= '9' && digits < 9; s->at++, digits++)
        v = v * 10 + (uint32_t)(s->p[s->at] - '0');
    GR_FAIL_IF(digits == 0 && s->at == s->n, GR_ERR_CORRUPT,
               "cannot load '%s': it ends early, after %zu bytes; download it again", s->name, s->n);
    GR_FAIL_IF(digits == 0 || digits == 9 || v > most, GR_ERR_CORRUPT,
               "cannot load '%s': a number from 0 to %u is expected at byte %zu", s->name, most, s->at);
    *out = v;
    return GR_OK;
}

static void put(gr__decoded *d, size_t i, uint32_t v, uint32_t most)
{
    uint32_t top = d->depth == 8 ? 255 : 65535;
    if (most != top) v = (uint32_t)(((uint64_t)v * top + most / 2) / most);
    if (d->depth == 8)
        ((uint8_t *)d->pixels)[i] = (uint8_t)v;
    else
        ((uint16_t *)d->pixels)[i] = (uint16_t)v;
}

static gr_status read_text(scanner *s, gr__decoded *d, size_t count, uint32_t most, bool bits)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t v = 0;
        skip_blanks(s);
        if (bits && s->at < s->n && (s->p[s->at] == '0' || s->p[s->at] == '1'))
            v = s->p[s->at++] == '0'; /* digits may touch each other; 1 is black */
        else
            GR_TRY(take_number(s, bits ? 1 : most, &v));
        put(d, i, v, most);
    }
    return GR_OK;
}

static gr_status read_raw(scanner *s, gr__decoded *d, uint32_t most, bool bits)
{
    size_t row = (size_t)d->width * (size_t)d->channels, each = most > 255 ? 2 : 1;
    size_t row_bytes = bits ? (row + 7) / 8 : row * each, height = (size_t)d->height;
    const unsigned char *p = s->p + s->at;
    GR_FAIL_IF(row_bytes > (s->n - s->at) / height, GR_ERR_CORRUPT,
               "cannot load '%s': it ends early, after %zu bytes; download it again", s->name, s->n);
    for (size_t y = 0; y < height; y++, p += row_bytes)
        for (size_t x = 0; x < row; x++) {
            uint32_t v = bits        ? !(p[x / 8] >> (7 - x % 8) & 1)
                         : each == 2 ? (uint32_t)p[2 * x] << 8 | p[2 * x + 1]
                                     : p[x];
            GR_FAIL_IF(v > most, GR_ERR_CORRUPT, "cannot load '%s': sample %zu of row %zu is above its maximum %u",
                       s->name, x, y, most);
            put(d, y * row + x, v, most);
        }
    return GR_OK;
}

gr_status gr__pnm_decode(const unsigned char *bytes, size_t n, const char *name, uint64_t most_pixels, gr__decoded *out)
{
    scanner s = {bytes, n, 2, name};
    uint32_t width, height, most = 1;
    int kind = bytes[1] - '0';
    bool bits = kind == 1 || kind == 4, raw = kind >= 4;
    GR_TRY(take_number(&s, INT32_MAX, &width));
    GR_TRY(take_number(&s, INT32_MAX, &height));
    if (!bits) GR_TRY(take_number(&s, 65535, &most));
    GR_FAIL_IF(most == 0, GR_ERR_CORRUPT, "cannot load '%s': its largest sample is 0", name);
    GR_FAIL_IF(raw && (s.at == n || !is_blank(bytes[s.at])), GR_ERR_CORRUPT,
               "cannot load '%s': a blank is expected at byte %zu", name, s.at);
    out->width = width;
    out->height = height;
    out->channels = kind % 3 == 0 ? 3 : 1;
    out->depth = most > 255 ? 16 : 8;
    GR_TRY(gr__decoded_room(out, name, most_pixels, n, 8));
    s.at += raw;
    if (raw) return read_raw(&s, out, most, bits);
    return read_text(&s, out, (size_t)width * height * (size_t)out->channels, most, bits);
}
