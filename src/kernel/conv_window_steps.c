/* The gradient of data of a convolution with steps: places that leave the same remainder when divided by the step see the
 * same taps, one step of y apart. For each pair of remainders that is a window without steps over y, whose sums go to every
 * step-th place of x. Places that see no tap are zero.
 *
 * Scratch: | weights by taps, the last one first: (K, Cout, Cin) | those of a remainder | of the product | */
#include "kernel/conv_window.h"

#include "kernel/copy.h"
#include "kernel/simd.h"
#include "kernel/window.h"

#include <string.h>

/* The taps k = first + step*t, t < n, that places with this remainder see on an axis, and where: y's place of t = n-1 for place
 * number 0 is -before. */
typedef struct seen_taps {
    int64_t first, n, before, places;
} seen_taps;

typedef struct remainder_job {
    const gr__conv *c;
    int64_t at[GR__SPATIAL]; /* remainders */
    seen_taps taps[GR__SPATIAL];
    gr__window_rows window;
    gr__gemm g;
} remainder_job;

static size_t line(size_t bytes) { return (bytes + 63) & ~(size_t)63; }
static int64_t volume(const int64_t *size) { return size[0] * size[1] * size[2]; }

bool gr__conv_window_steps_applicable(const gr__conv *c)
{
    const gr__conv_shape *s = &c->shape;
    gr__gemm like = {.dtype = c->dtype, .m = 1, .n = 1, .k = 1};
    gr__window_rows w = {.taps = {s->window[0], s->window[1], s->window[2]}, .channels = s->cout};
    return gr__gemm_can_see(&like, &w) && c->result == GR__CONV_X && s->groups == 1 && s->batch > 0 &&
           volume(s->dilation) == 1 && volume(s->stride) > 1 && s->cout % GR__TILES_STEP == 0;
}

static seen_taps taps_of(const gr__conv_shape *s, int axis, int64_t remainder)
{
    int64_t step = s->stride[axis], from = remainder + s->before[axis];
    seen_taps t = {.first = from % step, .places = (s->in[axis] - remainder + step - 1) / step};
    if (s->in[axis] <= remainder) t.places = 0;
    if (t.first < s->window[axis]) t.n = (s->window[axis] - t.first + step - 1) / step;
    t.before = t.n - 1 - (from - t.first) / step;
    return t;
}

enum { BLOCK_COLUMNS = 64 }; /* by dot products */

#if GR__HAVE_X86

/* Rows of sums to their places, line by line. */
static void scatter(void *context, const gr__gemm_block *b)
{
    const remainder_job *j = context;
    const gr__conv_shape *s = &j->c->shape;
    const int64_t *places = j->window.positions;
    for (int64_t r = 0; r < b->rows;) {
        int64_t row = b->row + r, i2 = row % places[2], i1 = row / places[2] % places[1],
                i0 = row / places[2] / places[1] % places[0], n = row / volume(places);
        int64_t rows = GR__MIN(b->rows - r, places[2] - i2);
        int64_t at =
            ((n * s->in[0] + i0 * s->stride[0] + j->at[0]) * s->in[1] + i1 * s->stride[1] + j->at[1]) * s->in[2] +
            i2 * s->stride[2] + j->at[2];
        gr__tiles_block out = {.rows = rows,
                               .columns = b->columns,
                               .sums = b->sums + r * b->ld,
                               .ld = b->ld,
                               .c = (char *)j->c->x +
                                    (at * s->cin + b->column) * (int64_t)gr_dtype_size_bytes(j->c->out_dtype),
                               .c_dtype = j->c->out_dtype,
                               .c_row = s->stride[2] * s->cin};
        gr__tiles_store_sums(&out);
        r += rows;
    }
}

#else
static void scatter(void *context, const gr__gemm_block *b) { (void)context, (void)b; }
#endif

/* False: nothing is seen, or there is no such place. */
static bool make_job(const gr__conv *c, int64_t index, remainder_job *j)
{
    const gr__conv_shape *s = &c->shape;
    *j = (remainder_job){.c = c, .window = {.at = c->y, .channels = s->cout}};
    int64_t taps = 1, places = s->batch;
    for (int i = GR__SPATIAL - 1; i >= 0; i--, index /= s->stride[i + 1]) {
        j->at[i] = index % s->stride[i];
        seen_taps t = j->taps[i] = taps_of(s, i, j->at[i]);
        j->window.in[i] = s->out[i];
        j->window.positions[i] = t.places;
        j->window.stride[i] = j->window.dilation[i] = 1;
        j->window.taps[i] = t.n;
        j->window.before[i] = t.before;
        taps *= t.n;
        places *= t.places;
    }
    j->g = (gr__gemm){.dtype = GR_BF16,
                      .c_dtype = GR_F32,
                      .m = places,
                      .n = s->cin,
                      .k = taps * s->cout,
                      .b_row = s->cin,
                      .b_col = 1,
                      .a_window = &j->window,
                      .finish = scatter,
                      .finish_columns = gr__gemm_by_dots(c->dtype) ? BLOCK_COLUMNS : 0,
                      .finish_context = j};
    return taps > 0 && places > 0;
}

static size_t weight_bytes(const gr__conv_shape *s) { return line((size_t)(s->cout * s->cin * volume(s->window)) * 2); }

size_t gr__conv_window_steps_scratch_bytes(const gr__conv *c)
{
    size_t most = 0;
    for (int64_t i = 0; i < volume(c->shape.stride); i++) {
        remainder_job j;
        if (!make_job(c, i, &j)) continue;
        size_t bytes = gr__gemm_scratch_bytes(&j.g);
        most = GR__MAX(most, bytes);
    }
    return 2 * weight_bytes(&c->shape) + most;
}

/* Of all taps that the remainder sees, the last one first on each axis. */
static void choose_weights(const remainder_job *j, const char *all, char *to)
{
    const gr__conv_shape *s = &j->c->shape;
    size_t each = (size_t)(s->cout * s->cin) * 2;
    const seen_taps *t = j->taps;
    for (int64_t t0 = t[0].n - 1; t0 >= 0; t0--)
        for (int64_t t1 = t[1].n - 1; t1 >= 0; t1--)
            for (int64_t t2 = t[2].n - 1; t2 >= 0; t2--, to += each) {
                int64_t k0 = t[0].first + t0 * s->stride[0], k1 = t[1].first + t1 * s->stride[1],
                        k2 = t[2].first + t2 * s->stride[2];
                int64_t k = (k0 * s->window[1] + k1) * s->window[2] + k2;
                memcpy(to, all + (size_t)(volume(s->window) - 1 - k) * each, each);
            }
}

static void clear(const void *args, int64_t first, int64_t last)
{
    const gr__conv *c = args;
    size_t bytes = (size_t)(volume(c->shape.in) / c->shape.in[1] / c->shape.in[0] * c->shape.cin) *
                   gr_dtype_size_bytes(c->out_dtype);
    memset((char *)c->x + (size_t)first * bytes, 0, (size_t)(last - first) * bytes);
}

void gr__conv_window_steps_run(const gr__conv *c)
{
    const gr__conv_shape *s = &c->shape;
    char *all = c->scratch, *some = all + weight_bytes(s);
    bool sees_nothing = false;
    remainder_job j;
    gr__conv_window_order_for_x(s, c->w, all);
    for (int64_t i = 0; i < volume(s->stride); i++) sees_nothing = !make_job(c, i, &j) || sees_nothing;
    if (sees_nothing) gr__run_range(clear, c, s->batch * s->in[0] * s->in[1], 8, 1);
    for (int64_t i = 0; i < volume(s->stride); i++) {
        if (!make_job(c, i, &j)) continue;
        choose_weights(&j, all, some);
        j.g.b = some;
        j.g.scratch = some + weight_bytes(s);
        gr__gemm_run(&j.g);
    }
}
