/* SHA-256 (FIPS 180-4), for tests that hold pixels against hashes that other programs made. */
#ifndef GR_SHA256_H
#define GR_SHA256_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* The first 32 bits of the fractional part of the cube (root 3) or square root of the i-th prime, by integers only. */
static inline uint32_t sha256_constant(int i, int root)
{
    unsigned p = 2;
    for (int seen = 0;; p++) {
        unsigned d = 2;
        while (d * d <= p && p % d) d++;
        if (d * d > p && seen++ == i) break;
    }
    unsigned __int128 target = (unsigned __int128)p << (root == 3 ? 96 : 64); /* root of p * 2^(32 root) */
    uint64_t r = 0;
    for (int bit = 37; bit >= 0; bit--) {
        unsigned __int128 t = r | (uint64_t)1 << bit, power = t * t;
        if (root == 3) power = power > target / t ? target + 1 : power * t;
        if (power <= target) r = (uint64_t)t;
    }
    return (uint32_t)r;
}

static inline uint32_t sha256_rot(uint32_t v, int n) { return v >> n | v << (32 - n); }

static inline void sha256_block(uint32_t h[8], const uint32_t k[64], const unsigned char *p)
{
    uint32_t w[64], s[8];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 | (uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
    for (int i = 16; i < 64; i++) {
        uint32_t a = w[i - 15], b = w[i - 2];
        w[i] = w[i - 16] + w[i - 7] + (sha256_rot(a, 7) ^ sha256_rot(a, 18) ^ a >> 3) +
               (sha256_rot(b, 17) ^ sha256_rot(b, 19) ^ b >> 10);
    }
    memcpy(s, h, sizeof s);
    for (int i = 0; i < 64; i++) {
        uint32_t e = s[4], a = s[0];
        uint32_t t1 = s[7] + (sha256_rot(e, 6) ^ sha256_rot(e, 11) ^ sha256_rot(e, 25)) + ((e & s[5]) ^ (~e & s[6])) +
                      k[i] + w[i];
        uint32_t t2 =
            (sha256_rot(a, 2) ^ sha256_rot(a, 13) ^ sha256_rot(a, 22)) + ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));
        memmove(s + 1, s, 7 * sizeof *s);
        s[4] += t1;
        s[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++) h[i] += s[i];
}

static inline void sha256_hex(const void *data, size_t n, char out[65])
{
    static uint32_t k[64];
    uint32_t h[8];
    unsigned char last[128] = {0};
    const unsigned char *p = data;
    for (int i = 0; i < 64 && k[63] == 0; i++) k[i] = sha256_constant(i, 3);
    for (int i = 0; i < 8; i++) h[i] = sha256_constant(i, 2);
    size_t whole = n / 64 * 64, rest = n - whole, tail = rest < 56 ? 64 : 128;
    for (size_t i = 0; i < whole; i += 64) sha256_block(h, k, p + i);
    if (rest) memcpy(last, p + whole, rest);
    last[rest] = 0x80;
    for (int i = 0; i < 8; i++) last[tail - 1 - (size_t)i] = (unsigned char)((uint64_t)n * 8 >> 8 * i);
    for (size_t i = 0; i < tail; i += 64) sha256_block(h, k, last + i);
    for (int i = 0; i < 8; i++) snprintf(out + 8 * i, 9, "%08x", h[i]);
}

#endif
