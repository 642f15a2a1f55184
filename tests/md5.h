/* MD5 (RFC 1321), for the checksum of its samples that every FLAC file carries. */
#ifndef GR_MD5_H
#define GR_MD5_H

#include <math.h>
#include <stdint.h>
#include <string.h>

static inline void md5_block(uint32_t h[4], const unsigned char *p)
{
    static const int turn[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
    uint32_t a = h[0], b = h[1], c = h[2], d = h[3], m[16];
    for (int i = 0; i < 16; i++)
        m[i] = (uint32_t)p[4 * i] | (uint32_t)p[4 * i + 1] << 8 | (uint32_t)p[4 * i + 2] << 16 |
               (uint32_t)p[4 * i + 3] << 24;
    for (int i = 0; i < 64; i++) {
        uint32_t f = i < 16 ? (b & c) | (~b & d) : i < 32 ? (d & b) | (~d & c) : i < 48 ? b ^ c ^ d : c ^ (b | ~d);
        int g = i < 16 ? i : i < 32 ? 5 * i + 1 : i < 48 ? 3 * i + 5 : 7 * i, s = turn[i / 16][i % 4];
        uint32_t v = a + f + m[g % 16] + (uint32_t)floor(fabs(sin(i + 1)) * 4294967296.0);
        a = d, d = c, c = b;
        b += v << s | v >> (32 - s);
    }
    h[0] += a, h[1] += b, h[2] += c, h[3] += d;
}

static inline void md5(const void *data, size_t n, unsigned char out[16])
{
    uint32_t h[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
    unsigned char last[128] = {0};
    size_t whole = n / 64 * 64, rest = n - whole, tail = rest < 56 ? 64 : 128;
    for (size_t i = 0; i < whole; i += 64) md5_block(h, (const unsigned char *)data + i);
    if (rest) memcpy(last, (const unsigned char *)data + whole, rest);
    last[rest] = 0x80;
    for (size_t i = 0; i < 8; i++) last[tail - 8 + i] = (unsigned char)((uint64_t)n * 8 >> 8 * i);
    for (size_t i = 0; i < tail; i += 64) md5_block(h, last + i);
    for (size_t i = 0; i < 16; i++) out[i] = (unsigned char)(h[i / 4] >> 8 * (i % 4));
}

#endif
