#include "format/llama2c.h"

#include <string.h>

enum { HEADER_BYTES = 28, MOST = 1 << 24 }; /* MOST: no size of a real model is near it; products of three fit 2^64 */

typedef struct cursor {
    const unsigned char *data;
    size_t n, at; /* in bytes */
    bool past;
} cursor;

/* The next a * b * c floats; sizes are at most MOST, so the product cannot wrap. */
static const float *take(cursor *c, int64_t a, int64_t b, int64_t d)
{
    size_t bytes;
    const float *p = NULL;
    if (!gr__mul_size((size_t)a * (size_t)b, (size_t)d, &bytes) || !gr__mul_size(bytes, 4, &bytes) ||
        bytes > c->n - c->at) {
        c->past = true;
        c->at = c->n;
        return NULL;
    }
    p = (const float *)(const void *)(c->data + c->at); /* the mapping is page-aligned, the header 28 bytes */
    c->at += bytes;
    return p;
}

static int64_t load_i32(const unsigned char *p)
{
    return (int32_t)((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24);
}

static gr_status read_sizes(const char *path, gr__llama2c *m)
{
    int64_t *const field[7] = {&m->dim, &m->hidden, &m->layers, &m->heads, &m->kv_heads, &m->vocab, &m->context};
    static const char *const name[7] = {"dim",        "hidden_dim", "n_layers",   "n_heads",
                                        "n_kv_heads", "vocab_size", "max_seq_len"};
    GR_FAIL_IF(m->map.n < HEADER_BYTES, GR_ERR_CORRUPT, "cannot load '%s': it is too short for a llama2.c model", path);
    for (int i = 0; i < 7; i++) *field[i] = load_i32(m->map.data + 4 * i);
    m->tied = m->vocab > 0;
    if (m->vocab < 0) m->vocab = -m->vocab;
    for (int i = 0; i < 7; i++)
        GR_FAIL_IF(*field[i] <= 0 || *field[i] > MOST, GR_ERR_CORRUPT,
                   "cannot load '%s': its %s is %lld; is it a llama2.c model of version 0?", path, name[i],
                   (long long)*field[i]);
    GR_FAIL_IF(m->dim % m->heads || m->heads % m->kv_heads || m->dim / m->heads % 2, GR_ERR_CORRUPT,
               "cannot load '%s': dim %lld, n_heads %lld and n_kv_heads %lld do not divide", path, (long long)m->dim,
               (long long)m->heads, (long long)m->kv_heads);
    return GR_OK;
}

static gr_status read_weights(const char *path, gr__llama2c *m)
{
    int64_t C = m->dim, F = m->hidden, L = m->layers, D = C / m->heads, K = m->kv_heads * D;
    cursor c = {m->map.data, m->map.n, HEADER_BYTES, false};
    m->token_embedding = take(&c, 1, m->vocab, C);
    m->attention_norm = take(&c, 1, L, C);
    m->wq = take(&c, L, C, C);
    m->wk = take(&c, L, K, C);
    m->wv = take(&c, L, K, C);
    m->wo = take(&c, L, C, C);
    m->ffn_norm = take(&c, 1, L, C);
    m->w1 = take(&c, L, F, C);
    m->w2 = take(&c, L, C, F);
    m->w3 = take(&c, L, F, C);
    m->final_norm = take(&c, 1, 1, C);
    m->freq_real = take(&c, 1, m->context, D / 2);
    m->freq_imag = take(&c, 1, m->context, D / 2);
    m->output = m->tied ? m->token_embedding : take(&c, 1, m->vocab, C);
    GR_FAIL_IF(c.past, GR_ERR_CORRUPT, "cannot load '%s': its %zu bytes are too few for the sizes in its header", path,
               c.n);
    GR_FAIL_IF(c.at != c.n, GR_ERR_CORRUPT, "cannot load '%s': %zu bytes follow its weights", path, c.n - c.at);
    return GR_OK;
}

gr_status gr__llama2c_open(const char *path, gr__llama2c *out)
{
    gr__llama2c m = {0};
    *out = m;
    GR_TRY(gr__file_map(path, &m.map));
    gr_status status = read_sizes(path, &m);
    if (status == GR_OK) status = read_weights(path, &m);
    if (status == GR_OK)
        *out = m;
    else
        gr__file_unmap(&m.map);
    return status;
}

void gr__llama2c_close(gr__llama2c *model)
{
    gr__file_unmap(&model->map);
    *model = (gr__llama2c){0};
}
