/* BLAKE2b after RFC 7693: twelve rounds of eight mixing steps on 16 words of 64 bits. */
#include "base/blake2b.h"

#include <stdbool.h>
#include <string.h>

static const uint64_t iv[8] = {
    0x6a09e667f3bcc908u, 0xbb67ae8584caa73bu, 0x3c6ef372fe94f82bu, 0xa54ff53a5f1d36f1u,
    0x510e527fade682d1u, 0x9b05688c2b3e6c1fu, 0x1f83d9abfb41bd6bu, 0x5be0cd19137e2179u,
};

/* Rounds 10 and 11 use rows 0 and 1 again. */
static const unsigned char sigma[10][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4}, {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13}, {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11}, {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5}, {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
};

static uint64_t rotate_right(uint64_t x, int n) { return x >> n | x << (64 - n); }

static uint64_t load_le(const unsigned char *p)
{
    uint64_t x = 0;
    for (int i = 7; i >= 0; i--) x = x << 8 | p[i];
    return x;
}

GR__INLINE void mix(uint64_t v[16], int a, int b, int c, int d, uint64_t x, uint64_t y)
{
    v[a] += v[b] + x;
    v[d] = rotate_right(v[d] ^ v[a], 32);
    v[c] += v[d];
    v[b] = rotate_right(v[b] ^ v[c], 24);
    v[a] += v[b] + y;
    v[d] = rotate_right(v[d] ^ v[a], 16);
    v[c] += v[d];
    v[b] = rotate_right(v[b] ^ v[c], 63);
}

static void compress(gr__blake2b *s, const unsigned char block[128], size_t bytes, bool last)
{
    uint64_t v[16], m[16];
    s->count += bytes;
    for (int i = 0; i < 8; i++) {
        v[i] = s->h[i];
        v[i + 8] = iv[i];
    }
    v[12] ^= s->count;
    if (last) v[14] = ~v[14];
    for (int i = 0; i < 16; i++) m[i] = load_le(block + 8 * i);
    for (int r = 0; r < 12; r++) {
        const unsigned char *p = sigma[r % 10];
        mix(v, 0, 4, 8, 12, m[p[0]], m[p[1]]);
        mix(v, 1, 5, 9, 13, m[p[2]], m[p[3]]);
        mix(v, 2, 6, 10, 14, m[p[4]], m[p[5]]);
        mix(v, 3, 7, 11, 15, m[p[6]], m[p[7]]);
        mix(v, 0, 5, 10, 15, m[p[8]], m[p[9]]);
        mix(v, 1, 6, 11, 12, m[p[10]], m[p[11]]);
        mix(v, 2, 7, 8, 13, m[p[12]], m[p[13]]);
        mix(v, 3, 4, 9, 14, m[p[14]], m[p[15]]);
    }
    for (int i = 0; i < 8; i++) s->h[i] ^= v[i] ^ v[i + 8];
}

void gr__blake2b_init(gr__blake2b *s)
{
    *s = (gr__blake2b){0};
    memcpy(s->h, iv, sizeof iv);
    s->h[0] ^= 0x01010000u ^ GR__BLAKE2B_BYTES; /* fan-out 1, depth 1, no key */
}

void gr__blake2b_add(gr__blake2b *s, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    while (n > 0) {
        if (s->used == sizeof s->block) { /* only when more follows: the last block is marked */
            compress(s, s->block, sizeof s->block, false);
            s->used = 0;
        }
        if (s->used == 0 && n > sizeof s->block) {
            compress(s, p, sizeof s->block, false);
            p += sizeof s->block;
            n -= sizeof s->block;
            continue;
        }
        size_t part = GR__MIN(n, sizeof s->block - s->used);
        memcpy(s->block + s->used, p, part);
        s->used += part;
        p += part;
        n -= part;
    }
}

void gr__blake2b_end(gr__blake2b *s, unsigned char out[GR__BLAKE2B_BYTES])
{
    memset(s->block + s->used, 0, sizeof s->block - s->used);
    compress(s, s->block, s->used, true);
    for (int i = 0; i < GR__BLAKE2B_BYTES; i++) out[i] = (unsigned char)(s->h[i / 8] >> (8 * (i % 8)));
}

void gr__blake2b_of(const void *bytes, size_t n, unsigned char out[GR__BLAKE2B_BYTES])
{
    gr__blake2b s;
    gr__blake2b_init(&s);
    gr__blake2b_add(&s, bytes, n);
    gr__blake2b_end(&s, out);
}

void gr__blake2b_hex_of(const void *bytes, size_t n, char out[GR__BLAKE2B_HEX])
{
    unsigned char sum[GR__BLAKE2B_BYTES];
    gr__blake2b_of(bytes, n, sum);
    gr__hex(sum, sizeof sum, out);
}

void gr__hex(const unsigned char *bytes, size_t n, char *out)
{
    static const char digit[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digit[bytes[i] >> 4];
        out[2 * i + 1] = digit[bytes[i] & 15];
    }
    out[2 * n] = 0;
}
