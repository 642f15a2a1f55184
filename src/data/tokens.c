#include "data/tokens.h"

#include "base/blake2b.h"
#include "base/rng.h"

#include <string.h>

#define MAGIC "GRTOKENS"
enum { VERSION = 1, HEADER_BYTES = 72, CHUNK_IDS = 1 << 16 };

static void put(unsigned char *p, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++) p[i] = (unsigned char)(v >> 8 * i);
}

static uint64_t get(const unsigned char *p, int bytes)
{
    uint64_t v = 0;
    for (int i = 0; i < bytes; i++) v |= (uint64_t)p[i] << 8 * i;
    return v;
}

/* Packs ids chunk by chunk into 'sink' (a hash or a file). */
typedef gr_status (*gr__sink)(void *to, const void *bytes, size_t n);

static gr_status to_hash(void *to, const void *bytes, size_t n)
{
    gr__blake2b_add(to, bytes, n);
    return GR_OK;
}

static gr_status to_file(void *to, const void *bytes, size_t n) { return gr__writer_write(to, bytes, n); }

static gr_status pack(const int32_t *ids, int64_t n, int width, unsigned char *buffer, gr__sink sink, void *to)
{
    for (int64_t i = 0; i < n; i += CHUNK_IDS) {
        int64_t m = GR__MIN(n - i, CHUNK_IDS);
        for (int64_t k = 0; k < m; k++) put(buffer + k * width, (uint64_t)(uint32_t)ids[i + k], width);
        GR_TRY(sink(to, buffer, (size_t)(m * width)));
    }
    return GR_OK;
}

gr_status gr__tokens_write(const char *path, const int32_t *ids, int64_t n, int64_t vocab, uint64_t tokenizer)
{
    int width = vocab <= 65536 ? 2 : 4;
    unsigned char header[HEADER_BYTES] = {0};
    gr__writer *w = NULL;
    gr__blake2b hash;
    gr_status status = GR_OK;
    unsigned char *buffer = gr__alloc((size_t)CHUNK_IDS * 4);
    if (!buffer) return gr__fail_memory("writing tokens", CHUNK_IDS * 4);
    gr__blake2b_init(&hash);
    pack(ids, n, width, buffer, to_hash, &hash);
    memcpy(header, MAGIC, 8);
    put(header + 8, VERSION, 4);
    put(header + 12, (uint64_t)width, 4);
    put(header + 16, (uint64_t)n, 8);
    put(header + 24, (uint64_t)vocab, 8);
    put(header + 32, tokenizer, 8);
    gr__blake2b_end(&hash, header + 40);
    GR_TRY_DONE(gr__writer_open(path, HEADER_BYTES + (size_t)n * (size_t)width, &w));
    GR_TRY_DONE(gr__writer_write(w, header, sizeof header));
    GR_TRY_DONE(pack(ids, n, width, buffer, to_file, w));
    status = gr__writer_commit(&w);
done:
    if (w) gr__writer_drop(&w);
    gr__free(buffer);
    return status;
}

static gr_status verify_ids(const char *path, const gr__tokens *t, int width)
{
    unsigned char sum[32];
    gr__blake2b hash;
    gr__blake2b_init(&hash);
    gr__blake2b_add(&hash, t->map.data + HEADER_BYTES, (size_t)t->n * (size_t)width);
    gr__blake2b_end(&hash, sum);
    GR_FAIL_IF(memcmp(sum, t->map.data + 40, 32) != 0, GR_ERR_CORRUPT,
               "'%s': the checksum does not hold; delete it and start again", path);
    for (int64_t i = 0; i < t->n; i++)
        GR_FAIL_IF(gr__tokens_at(t, i) >= t->vocab || gr__tokens_at(t, i) < 0, GR_ERR_CORRUPT,
                   "'%s': id %d at position %lld is outside the vocabulary of %lld", path, gr__tokens_at(t, i),
                   (long long)i, (long long)t->vocab);
    return GR_OK;
}

static gr_status parse(const char *path, bool verify, gr__tokens *t)
{
    const unsigned char *h = t->map.data;
    GR_FAIL_IF(t->map.n < HEADER_BYTES || memcmp(h, MAGIC, 8) != 0, GR_ERR_CORRUPT, "'%s' is not a token file", path);
    GR_FAIL_IF(get(h + 8, 4) != VERSION, GR_ERR_UNSUPPORTED, "'%s' has version %llu; this build reads %d", path,
               (unsigned long long)get(h + 8, 4), VERSION);
    int width = (int)get(h + 12, 4);
    uint64_t n = get(h + 16, 8), vocab = get(h + 24, 8);
    GR_FAIL_IF((width != 2 && width != 4) || vocab > (uint64_t)INT32_MAX + 1 || vocab == 0, GR_ERR_CORRUPT,
               "'%s': ids of %d bytes, vocabulary %llu", path, width, (unsigned long long)vocab);
    GR_FAIL_IF(n > (t->map.n - HEADER_BYTES) / (size_t)width || n * (size_t)width != t->map.n - HEADER_BYTES,
               GR_ERR_CORRUPT, "'%s' says %llu ids but has %zu bytes of them", path, (unsigned long long)n,
               t->map.n - HEADER_BYTES);
    t->n = (int64_t)n;
    t->vocab = (int64_t)vocab;
    t->tokenizer = get(h + 32, 8);
    if (width == 2)
        t->u16 = (const uint16_t *)(const void *)(h + HEADER_BYTES);
    else
        t->u32 = (const uint32_t *)(const void *)(h + HEADER_BYTES);
    return verify ? verify_ids(path, t, width) : GR_OK;
}

gr_status gr__tokens_open(const char *path, bool verify, gr__tokens *out)
{
    gr__tokens t = {0};
    GR_TRY(gr__file_map(path, &t.map));
    gr_status s = parse(path, verify, &t);
    if (s != GR_OK)
        gr__file_unmap(&t.map);
    else
        *out = t;
    return s;
}

void gr__tokens_close(gr__tokens *t)
{
    if (t->map.base || t->map.n) gr__file_unmap(&t->map);
    *t = (gr__tokens){0};
}

/* ---- windows ---- */

/* One window fewer than fit, so that the phase moves over a whole window. */
int64_t gr__windows_per_epoch(const gr__windows *w)
{
    int64_t fit = w->n > w->time ? (w->n - 1) / w->time : 0;
    return fit > 1 ? fit - 1 : fit;
}

int64_t gr__window_start(const gr__windows *w, int64_t sample)
{
    int64_t per = gr__windows_per_epoch(w), epoch = sample / per, i = sample % per;
    gr__rng r = gr__rng_make(w->seed, 0x77696e646f777300u + (uint64_t)epoch);
    int64_t slack = w->n - 1 - per * w->time; /* the phase uses what does not fill a window */
    int64_t phase = (int64_t)gr__rng_below(&r, (uint64_t)slack + 1);
    return phase + (int64_t)gr__permute(gr__rng_u64(&r), (uint64_t)per, (uint64_t)i) * w->time;
}
