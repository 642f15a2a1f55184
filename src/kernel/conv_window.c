/* A convolution of bf16 as one product, on tiles or by dot products (window.h). Its operand that holds the weights, K the taps:
 *
 *     y = (what the window sees of x) (positions, K*Cin) * weights (K*Cin, Cout)
 *     x = (what the mirrored window sees of y) (places, K*Cout) * weights (K*Cout, Cin), taps in the opposite order
 *     w = y^T (Cout, positions) * (what the window sees of x) (positions, K*Cin)
 *
 * Scratch: | weights in the order of the product | the same in bf16 | of the product | */
#include "kernel/conv_window.h"

#include "kernel/copy.h"
#include "kernel/gemm_amx.h"
#include "kernel/window.h"

#include <string.h>

typedef struct window_conv {
    const gr__conv *c;
    gr__window_rows window;
    gr__gemm g;
    int64_t taps, run, padded;         /* of a line of the window: its elements, with zeros behind it */
    size_t weight_bytes, narrow_bytes; /* of a gradient: its sums, and those in bf16 */
} window_conv;

static size_t line(size_t bytes) { return (bytes + 63) & ~(size_t)63; }
static int64_t volume(const int64_t *size) { return size[0] * size[1] * size[2]; }

static gr__window_rows window_of(const gr__conv *c)
{
    const gr__conv_shape *s = &c->shape;
    bool mirrored = c->result == GR__CONV_X;
    gr__window_rows w = {.at = mirrored ? c->y : c->x, .channels = mirrored ? s->cout : s->cin};
    for (int i = 0; i < GR__SPATIAL; i++) {
        w.in[i] = mirrored ? s->out[i] : s->in[i];
        w.positions[i] = mirrored ? s->in[i] : s->out[i];
        w.stride[i] = mirrored ? 1 : s->stride[i];
        w.dilation[i] = s->dilation[i];
        w.taps[i] = s->window[i];
        w.before[i] = mirrored ? (s->window[i] - 1) * s->dilation[i] - s->before[i] : s->before[i];
    }
    return w;
}

bool gr__conv_window_applicable(const gr__conv *c)
{
    if (gr__conv_window_steps_applicable(c)) return true;
    const gr__conv_shape *s = &c->shape;
    gr__window_rows w = window_of(c);
    gr__gemm like = {.dtype = c->dtype, .m = 1, .n = 1, .k = 1};
    bool ones = volume(s->stride) == 1, whole = s->window[2] * s->cout % GR__TILES_STEP == 0;
    return gr__gemm_can_see(&like, &w) && s->groups == 1 && s->dilation[2] == 1 && s->batch > 0 &&
           (c->result != GR__CONV_X || (ones && whole));
}

static void make_plan(window_conv *p, const gr__conv *c)
{
    const gr__conv_shape *s = &c->shape;
    *p = (window_conv){.c = c, .window = window_of(c), .taps = volume(s->window)};
    p->run = gr__window_run(&p->window);
    p->padded = gr__window_line_steps(&p->window) * GR__TILES_STEP;
    int64_t width = gr__window_width(&p->window), rows = s->batch * volume(p->window.positions);
    gr__gemm *g = &p->g;
    *g = (gr__gemm){.dtype = GR_BF16, .c_dtype = c->out_dtype, .m = rows, .k = width};
    switch (c->result) {
    case GR__CONV_Y:
        g->n = s->cout, g->b_row = 1, g->b_col = width;
        g->c = c->y, g->c_row = c->y_row ? c->y_row : s->cout, g->bias = c->finish ? NULL : c->bias;
        g->finish = c->finish, g->finish_context = c->finish_context;
        g->step = c->step, g->n_steps = c->n_steps;
        g->packed_b = c->packed_w;
        break;
    case GR__CONV_X:
        g->n = s->cin, g->b_row = s->cin, g->b_col = 1;
        g->c = c->x, g->c_row = s->cin;
        break;
    default:
        g->m = s->cout, g->n = width, g->k = rows;
        g->a = c->y, g->a_row = 1, g->a_col = s->cout;
        g->c_dtype = GR_F32, g->c_row = width;
    }
    size_t item = c->result == GR__CONV_W ? sizeof(float) : 2;
    if (c->packed_w) return;
    p->weight_bytes = line((size_t)(width * (c->result == GR__CONV_X ? s->cin : s->cout)) * item);
    if (c->result == GR__CONV_W && c->out_dtype == GR_BF16) p->narrow_bytes = line(p->weight_bytes / 2);
}

/* The plan points into itself once it lies still. */
static void bind(window_conv *p)
{
    if (p->c->result == GR__CONV_W)
        p->g.b_window = &p->window;
    else
        p->g.a_window = &p->window;
}

bool gr__conv_window_packs_rows(const gr__conv *c)
{
    if (gr__conv_window_steps_applicable(c)) return false; /* for the most part */
    window_conv p;
    make_plan(&p, c);
    bind(&p);
    return gr__gemm_amx_applicable(&p.g) && !gr__gemm_amx_rows_applicable(&p.g);
}

size_t gr__conv_window_scratch_bytes(const gr__conv *c)
{
    if (gr__conv_window_steps_applicable(c)) return gr__conv_window_steps_scratch_bytes(c);
    window_conv p;
    make_plan(&p, c);
    bind(&p);
    return p.weight_bytes + p.narrow_bytes + gr__gemm_scratch_bytes(&p.g);
}

/* ---- weights (Cout, Cin, K) ---- */

/* to (Cout, K, Cin), lines padded */
static void order_for_y(const window_conv *p, uint16_t *to)
{
    const gr__conv_shape *s = &p->c->shape;
    if (p->padded != p->run) memset(to, 0, p->weight_bytes);
    for (int64_t l = 0; l < p->taps / s->window[2]; l++) {
        gr__transpose t = {.batch = s->cout,
                           .rows = s->cin,
                           .cols = s->window[2],
                           .src = (const uint16_t *)p->c->w + l * s->window[2],
                           .src_ld = p->taps,
                           .src_batch = p->taps * s->cin,
                           .dst = to + l * p->padded,
                           .dst_ld = s->cin,
                           .dst_batch = p->g.k,
                           .size_bytes = 2};
        gr__transpose_run(&t);
    }
}

void gr__conv_window_order_for_x(const gr__conv_shape *s, const void *w, void *to)
{
    int64_t each = s->cout * s->cin, taps = volume(s->window);
    gr__transpose t = {.batch = s->cout,
                       .rows = s->cin,
                       .cols = taps,
                       .src = w,
                       .src_ld = taps,
                       .src_batch = taps * s->cin,
                       .dst = (uint16_t *)to + (taps - 1) * each,
                       .dst_ld = -each,
                       .dst_batch = s->cin,
                       .size_bytes = 2};
    gr__transpose_run(&t);
}

/* from sums (Cout, K, Cin), lines padded */
static void give_w(const window_conv *p, char *sums)
{
    const gr__conv_shape *s = &p->c->shape;
    size_t item = gr_dtype_size_bytes(p->c->out_dtype);
    if (p->narrow_bytes) {
        gr__cast(sums + p->weight_bytes, GR_BF16, sums, GR_F32, s->cout * p->g.n);
        sums += p->weight_bytes;
    }
    for (int64_t l = 0; l < p->taps / s->window[2]; l++) {
        gr__transpose t = {.batch = s->cout,
                           .rows = s->window[2],
                           .cols = s->cin,
                           .src = sums + (size_t)(l * p->padded) * item,
                           .src_ld = s->cin,
                           .src_batch = p->g.n,
                           .dst = (char *)p->c->w + (size_t)(l * s->window[2]) * item,
                           .dst_ld = p->taps,
                           .dst_batch = p->taps * s->cin,
                           .size_bytes = item};
        gr__transpose_run(&t);
    }
}

void gr__conv_window_run(const gr__conv *c)
{
    if (gr__conv_window_steps_applicable(c)) {
        gr__conv_window_steps_run(c);
        return;
    }
    window_conv p;
    make_plan(&p, c);
    bind(&p);
    p.g.scratch = (char *)c->scratch + p.weight_bytes + p.narrow_bytes;
    if (c->result == GR__CONV_W) {
        p.g.c = c->scratch;
        gr__gemm_run(&p.g);
        give_w(&p, c->scratch);
        return;
    }
    if (!c->packed_w && c->result == GR__CONV_Y)
        order_for_y(&p, c->scratch);
    else if (!c->packed_w)
        gr__conv_window_order_for_x(&c->shape, c->w, c->scratch);
    p.g.b = c->scratch;
    gr__gemm_run(&p.g);
}

size_t gr__conv_window_packed_bytes(const gr__conv *c)
{
    window_conv p;
    make_plan(&p, c);
    bind(&p);
    return gr__gemm_packed_bytes(&p.g);
}

void gr__conv_window_pack_w(const gr__conv *c, void *to)
{
    window_conv p;
    make_plan(&p, c);
    bind(&p);
    order_for_y(&p, c->scratch);
    p.g.b = c->scratch;
    p.g.scratch = (char *)c->scratch + p.weight_bytes;
    gr__gemm_pack_b(&p.g, to);
}
