/* How parameters begin. Element i draws from philox(seed, hash(name), i): no order, no state. */
#include "base/map.h"
#include "base/parallel.h"
#include "base/rng.h"
#include "store/store.h"

#include <math.h>
#include <string.h>

#define TWO_PI 6.283185307179586476925

typedef struct gr__draw {
    gr_tensor *t;
    uint64_t seed, stream;
    bool normal;
    double a, b;  /* uniform: [a, b); normal: mean, deviation */
    double limit; /* normal: redraw beyond limit deviations; 0: never */
    int64_t per;
} gr__draw;

/* Box and Muller 1958: two numbers from one draw, elements 2i and 2i+1. In f32, but for the logarithm's argument. */
static void normal_pair(const gr__draw *d, uint64_t pair, uint64_t attempt, float z[2])
{
    uint32_t r[4];
    gr__philox(d->seed, d->stream + (attempt << 56), pair, r);
    float radius = sqrtf(-2 * logf(((float)(r[0] >> 8) + 0.5f) * 0x1p-24f)),
          angle = (float)TWO_PI * ((float)(r[1] >> 8) * 0x1p-24f);
    z[0] = radius * cosf(angle);
    z[1] = radius * sinf(angle);
}

static double normal_at(const gr__draw *d, uint64_t i)
{
    float z[2];
    for (uint64_t attempt = 0;; attempt++) {
        normal_pair(d, i / 2, attempt, z);
        if (d->limit == 0 || fabsf(z[i % 2]) <= d->limit || attempt == 127) return z[i % 2];
    }
}

static double uniform_at(const gr__draw *d, uint64_t i)
{
    uint32_t r[4];
    gr__philox(d->seed, d->stream, i, r);
    return (double)((uint64_t)r[0] << 21 ^ r[1] >> 11) * 0x1p-53;
}

static void draw_chunk(void *context, int64_t chunk, int thread)
{
    (void)thread;
    const gr__draw *d = context;
    int64_t n = gr_tensor_count(d->t), end = GR__MIN(n, (chunk + 1) * d->per);
    if (d->normal && d->limit == 0 && d->t->dtype == GR_F32) {
        float z[2] = {0};
        for (int64_t i = chunk * d->per; i < end; i++) {
            if (i % 2 == 0 || i == chunk * d->per) normal_pair(d, (uint64_t)i / 2, 0, z);
            ((float *)d->t->data)[i] = (float)(d->a + d->b * z[i % 2]);
        }
        return;
    }
    for (int64_t i = chunk * d->per; i < end; i++) {
        double x =
            d->normal ? d->a + d->b * normal_at(d, (uint64_t)i) : d->a + (d->b - d->a) * uniform_at(d, (uint64_t)i);
        if (d->t->dtype == GR_F32) {
            float f = (float)x;
            if (!d->normal && f >= (float)d->b && d->b > d->a) f = nextafterf((float)d->b, (float)d->a);
            ((float *)d->t->data)[i] = f;
        } else {
            ((double *)d->t->data)[i] = x;
        }
    }
}

static void draw(gr__draw *d)
{
    int64_t chunks = gr__chunks(gr_tensor_count(d->t), 4096, &d->per);
    gr__parallel(chunks, draw_chunk, d);
}

/* in and out of a weight: matrices as named, convolutions count their window (all axes behind the first two). */
static void fans(const gr_tensor *t, bool fan_out_first, double *in, double *out)
{
    double window = 1;
    for (int i = 2; i < t->rank; i++) window *= (double)t->dim[i];
    double first = t->rank > 0 ? (double)t->dim[0] : 1, second = t->rank > 1 ? (double)t->dim[1] : first;
    *in = (fan_out_first ? second : first) * window;
    *out = (fan_out_first ? first : second) * window;
}

/* Rows (or columns, where there are more rows) made orthonormal by modified Gram-Schmidt, twice for exactness. */
static gr_status orthogonal(gr_tensor *t, gr__draw *d, double gain)
{
    GR_FAIL_IF(t->rank < 2, GR_ERR_ARGUMENT, "an orthogonal initialiser needs two axes");
    int64_t rows = t->dim[0], cols = gr_tensor_count(t) / rows;
    bool flip = rows > cols; /* make the columns orthonormal */
    int64_t n = flip ? cols : rows, len = flip ? rows : cols;
    double *q = gr__calloc((size_t)(n * len), sizeof *q);
    if (!q) return gr__fail_memory("an orthogonal matrix", (size_t)(n * len) * sizeof *q);
    for (int64_t i = 0; i < n * len; i++) q[i] = normal_at(d, (uint64_t)i);
    for (int64_t i = 0; i < n; i++)
        for (int pass = 0; pass < 2; pass++) {
            double *qi = q + i * len, norm = 0;
            for (int64_t j = 0; j < i; j++) {
                double dot = 0;
                for (int64_t k = 0; k < len; k++) dot += qi[k] * q[j * len + k];
                for (int64_t k = 0; k < len; k++) qi[k] -= dot * q[j * len + k];
            }
            for (int64_t k = 0; k < len; k++) norm += qi[k] * qi[k];
            norm = 1 / sqrt(norm);
            for (int64_t k = 0; k < len; k++) qi[k] *= norm;
        }
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < len; k++) gr_tensor_set(t, flip ? k * cols + i : i * cols + k, gain * q[i * len + k]);
    gr__free(q);
    return GR_OK;
}

gr_status gr_init_fill(const gr_init *init, uint64_t seed, const char *name, gr_tensor *t)
{
    GR_FAIL_IF(!init || !name || !t || !t->data, GR_ERR_ARGUMENT, "gr_init_fill: an argument is NULL");
    GR_FAIL_IF(t->dtype != GR_F32 && t->dtype != GR_F64, GR_ERR_DTYPE, "'%s': only f32 and f64 arrays are initialised",
               name);
    gr__draw d = {.t = t, .seed = seed, .stream = gr__hash_stable(name, strlen(name), 0x696e6974)};
    double in, out, gain = init->a != 0 ? init->a : 1, he = init->a != 0 ? init->a : sqrt(2), r;
    fans(t, init->fan_out_first, &in, &out);
    switch (init->kind) {
    case GR_INIT_ZEROS: memset(t->data, 0, gr_tensor_size_bytes(t)); return GR_OK;
    case GR_INIT_CONSTANT:
        for (int64_t i = 0, n = gr_tensor_count(t); i < n; i++) gr_tensor_set(t, i, init->a);
        return GR_OK;
    case GR_INIT_UNIFORM: d.a = init->a, d.b = init->b; break;
    case GR_INIT_NORMAL: d.normal = true, d.a = init->a, d.b = init->b; break;
    case GR_INIT_TRUNCATED_NORMAL: d.normal = true, d.a = init->a, d.b = init->b, d.limit = 2; break;
    case GR_INIT_XAVIER_UNIFORM: r = gain * sqrt(6 / (in + out)), d.a = -r, d.b = r; break;
    case GR_INIT_XAVIER_NORMAL: d.normal = true, d.b = gain * sqrt(2 / (in + out)); break;
    case GR_INIT_HE_UNIFORM: r = he * sqrt(3 / in), d.a = -r, d.b = r; break;
    case GR_INIT_HE_NORMAL: d.normal = true, d.b = he / sqrt(in); break;
    case GR_INIT_LECUN_UNIFORM: r = sqrt(3 / in), d.a = -r, d.b = r; break;
    case GR_INIT_LECUN_NORMAL: d.normal = true, d.b = 1 / sqrt(in); break;
    case GR_INIT_ORTHOGONAL: return orthogonal(t, &d, gain);
    default: return gr__fail(GR_ERR_ARGUMENT, "'%s': unknown initialiser %d", name, (int)init->kind);
    }
    draw(&d);
    return GR_OK;
}
