#include "data/tokens.h"

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

/* ---- writing ---- */

static int width_of(int64_t vocab) { return vocab <= 65536 ? 2 : 4; }

gr_status gr__token_writer_open(const char *path, int64_t vocab, uint64_t tokenizer, gr__token_writer *out)
{
    static const unsigned char header[HEADER_BYTES]; /* room */
    *out = (gr__token_writer){.vocab = vocab, .tokenizer = tokenizer, .buffer = gr__alloc((size_t)CHUNK_IDS * 4)};
    if (!out->buffer) return gr__fail_memory("writing tokens", CHUNK_IDS * 4);
    gr__blake2b_init(&out->hash);
    gr_status status = gr__writer_open(path, 0, &out->file);
    if (status == GR_OK) status = gr__writer_write(out->file, header, sizeof header);
    if (status != GR_OK) gr__token_writer_drop(out);
    return status;
}

gr_status gr__token_writer_add(gr__token_writer *w, const int32_t *ids, size_t n)
{
    int width = width_of(w->vocab);
    for (size_t i = 0; i < n; i += CHUNK_IDS) {
        size_t m = GR__MIN(n - i, CHUNK_IDS), bytes = m * (size_t)width;
        for (size_t k = 0; k < m; k++) put(w->buffer + k * (size_t)width, (uint64_t)(uint32_t)ids[i + k], width);
        gr__blake2b_add(&w->hash, w->buffer, bytes);
        GR_TRY(gr__writer_write(w->file, w->buffer, bytes));
    }
    w->n += (int64_t)n;
    return GR_OK;
}

gr_status gr__token_writer_commit(gr__token_writer *w)
{
    unsigned char header[HEADER_BYTES] = {0};
    memcpy(header, MAGIC, 8);
    put(header + 8, VERSION, 4);
    put(header + 12, (uint64_t)width_of(w->vocab), 4);
    put(header + 16, (uint64_t)w->n, 8);
    put(header + 24, (uint64_t)w->vocab, 8);
    put(header + 32, w->tokenizer, 8);
    gr__blake2b_end(&w->hash, header + 40);
    GR_TRY(gr__writer_patch(w->file, 0, header, sizeof header));
    return gr__writer_commit(&w->file);
}

void gr__token_writer_drop(gr__token_writer *w)
{
    gr__writer_drop(&w->file);
    gr__free(w->buffer);
    w->buffer = NULL;
}

/* ---- reading ---- */

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
    t->fingerprint = get(h + 40, 8);
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
