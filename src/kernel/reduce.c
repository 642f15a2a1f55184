#include "kernel/reduce.h"

#include "base/parallel.h"
#include "kernel/simd_int.h"

static int64_t padded(int64_t c) { return (c + 15) & ~(int64_t)15; }

/* A large sum over rows goes by chunks of rows, the rest by columns. */
static bool by_parts(int64_t n, int64_t inner) { return n * inner >= 65536 && n >= 64; }

size_t gr__reduce_scratch_bytes(int64_t outer, int64_t n, int64_t inner)
{
    (void)outer;
    int64_t per, chunks = gr__chunks(n, gr__least_rows(inner), &per);
    return (size_t)(chunks * padded(inner)) * sizeof(float);
}

static void sum_by_parts(gr__sum_rows_part *part, gr__add_parts *sum, int64_t rows)
{
    int64_t chunks = rows > 0 ? gr__chunks(rows, gr__least_rows(part->c), &part->per) : 0;
    part->ld = padded(part->c);
    gr__run_range(gr__simd_get()->sum_rows, part, rows, gr__least_rows(part->c), 1);
    sum->parts = part->parts;
    sum->n = chunks;
    sum->ld = part->ld;
    gr__run_range(gr__simd_get()->add_parts, sum, part->c, gr__least_rows(chunks), GR__ALIGN);
}

void gr__reduce_run(const gr__reduce *r)
{
    const gr__simd *simd = gr__simd_get();
    bool sums = r->kind != GR__REDUCE_MAX && r->kind != GR__REDUCE_MIN;
    if (r->inner == 1) {
        gr__run_range(simd->reduce_last, r, r->outer, gr__least_rows(r->n), 1);
    } else if (!sums || !by_parts(r->n, r->inner)) {
        gr__run_range(simd->reduce_columns, r, r->outer * r->inner, gr__least_rows(r->n), GR__ALIGN);
    } else {
        size_t x_bytes = gr_dtype_size_bytes(r->x_dtype);
        for (int64_t o = 0; o < r->outer; o++) {
            char *x = (char *)(uintptr_t)r->x + (size_t)(o * r->n * r->inner) * x_bytes;
            gr__sum_rows_part part = {.x = {x, r->x_dtype, r->inner},
                                      .c = r->inner,
                                      .parts = r->scratch,
                                      .squares = r->kind == GR__REDUCE_SUM_SQUARES};
            gr__add_parts sum = {.scale = r->kind == GR__REDUCE_MEAN ? 1.0f / (float)r->n : 1.0f,
                                 .accumulate = r->accumulate};
            if (r->y_dtype == GR_F32)
                sum.y = (float *)r->y + o * r->inner;
            else
                sum.y16 = (uint16_t *)r->y + o * r->inner;
            sum_by_parts(&part, &sum, r->n);
        }
    }
}

/* Small ones too: one chunk of rows, then one part. */
void gr__sum_rows(int64_t rows, int64_t c, gr__rows x, float *y, bool accumulate, void *scratch)
{
    gr__sum_rows_part part = {.x = x, .c = c, .parts = scratch};
    gr__add_parts sum = {.y = y, .scale = 1, .accumulate = accumulate};
    sum_by_parts(&part, &sum, rows);
}

enum { SQUARES_LEAST = 65536, SQUARES_ALIGN = 1024 };

static int64_t squares_chunks(gr__squares *s, int64_t count)
{
    gr__chunks(count, SQUARES_LEAST, &s->per);
    s->per = (s->per + SQUARES_ALIGN - 1) / SQUARES_ALIGN * SQUARES_ALIGN;
    return (count + s->per - 1) / s->per;
}

double gr__sum_squares(const void *x, gr_dtype dtype, int64_t count)
{
    double part[256], sum = 0;
    gr__squares s = {.x = x, .dtype = dtype, .sum = part};
    int64_t chunks = squares_chunks(&s, count);
    gr__run_range(gr__simd_get()->sum_squares, &s, count, SQUARES_LEAST, SQUARES_ALIGN);
    for (int64_t i = 0; i < chunks; i++) sum += part[i];
    return sum;
}

bool gr__all_finite(const void *x, gr_dtype dtype, int64_t count)
{
    double part[256], sum = 0;
    gr__squares s = {.x = x, .dtype = dtype, .sum = part};
    int64_t chunks = squares_chunks(&s, count);
    gr__run_range(gr__simd_get()->all_finite, &s, count, SQUARES_LEAST, SQUARES_ALIGN);
    for (int64_t i = 0; i < chunks; i++) sum += part[i];
    return sum == 0;
}
