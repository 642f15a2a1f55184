/* Operators that move elements without computing. */
#include "model/onnx_op.h"

#include "base/limits.h"

#include <string.h>

static int64_t product(const int64_t *dim, int from, int to)
{
    int64_t n = 1;
    for (int i = from; i < to; i++) n *= dim[i];
    return n;
}

/* The operand with other sizes; its elements stay as they are. */
static gr_status with_shape(gr__onnx_call *c, int rank, const int64_t *dim)
{
    const gr__onnx_value *x = &c->in[0];
    if (rank > GR_MAX_RANK)
        return gr__onnx_refuse(c, "a result with %d axes, at most %d are possible", rank, GR_MAX_RANK);
    if (!x->v) return gr__onnx_set_empty(c, 0, x->dtype, rank, dim);
    return gr__onnx_set(c, 0, gr_reshape(c->g, x->v, rank, dim), x->dtype);
}

gr_status gr__onnx_shape(gr__onnx_call *c)
{
    const gr__onnx_value *x = &c->in[0];
    int64_t start = gr__onnx_int(c, "start", 0), end = gr__onnx_int(c, "end", x->rank);
    if (start < 0) start += x->rank;
    if (end < 0) end += x->rank;
    start = start < 0 ? 0 : start > x->rank ? x->rank : start;
    end = end < start ? start : end > x->rank ? x->rank : end;
    return gr__onnx_set_ints(c, 0, GR_I64, (int)(end - start), x->dim + start);
}

gr_status gr__onnx_size(gr__onnx_call *c)
{
    return gr__onnx_set_numbers(c, 0, GR_I64, 0, NULL, &(double){(double)gr__onnx_count(&c->in[0])});
}

gr_status gr__onnx_reshape(gr__onnx_call *c)
{
    const gr__onnx_value *x = &c->in[0];
    int64_t dim[GR_MAX_RANK], known = 1, count = gr__onnx_count(x);
    int rank, open = -1;
    bool there, keep_zero = gr__onnx_int(c, "allowzero", 0) != 0;
    GR_TRY(gr__onnx_list(c, c->opset < 5 ? -1 : 1, "shape", dim, GR_MAX_RANK, &rank, &there));
    if (!there) return gr__onnx_invalid(c, "the new shape is missing");
    for (int i = 0; i < rank; i++) {
        if (dim[i] == 0 && !keep_zero) {
            if (i >= x->rank) return gr__onnx_invalid(c, "axis %d is kept, but there are %d", i, x->rank);
            dim[i] = x->dim[i];
        }
        if (dim[i] < -1 || (dim[i] == -1 && open >= 0)) return gr__onnx_invalid(c, "size %lld", (long long)dim[i]);
        if (dim[i] == -1)
            open = i;
        else if (dim[i] && known > (INT64_MAX >> 4) / dim[i])
            return gr__onnx_invalid(c, "the new shape has more elements than any machine can hold");
        else
            known *= dim[i];
    }
    if (open >= 0) dim[open] = known ? count / known : 0;
    if (product(dim, 0, rank) != count)
        return gr__onnx_invalid(c, "%lld elements do not fill the new shape", (long long)count);
    return with_shape(c, rank, dim);
}

gr_status gr__onnx_flatten(gr__onnx_call *c)
{
    const gr__onnx_value *x = &c->in[0];
    int64_t axis = gr__onnx_int(c, "axis", 1);
    if (axis < 0) axis += x->rank;
    if (axis < 0 || axis > x->rank) return gr__onnx_invalid(c, "axis %lld of %d", (long long)axis, x->rank);
    return with_shape(c, 2, (int64_t[]){product(x->dim, 0, (int)axis), product(x->dim, (int)axis, x->rank)});
}

/* Bits of the axes that operand 1 or the attribute names. */
static gr_status axes_mask(gr__onnx_call *c, int rank, uint32_t *mask, bool *there)
{
    int64_t axis[GR_MAX_RANK];
    int n, k;
    *mask = 0;
    GR_TRY(gr__onnx_list(c, c->opset < 13 ? -1 : 1, "axes", axis, GR_MAX_RANK, &n, there));
    for (int i = 0; i < n; i++) {
        GR_TRY(gr__onnx_axis(c, axis[i], rank, &k));
        if (*mask >> k & 1u) return gr__onnx_invalid(c, "axis %d is named twice", k);
        *mask |= 1u << k;
    }
    return GR_OK;
}

gr_status gr__onnx_squeeze(gr__onnx_call *c)
{
    const gr__onnx_value *x = &c->in[0];
    int64_t dim[GR_MAX_RANK];
    int rank = 0;
    uint32_t mask;
    bool there;
    GR_TRY(axes_mask(c, x->rank, &mask, &there));
    for (int i = 0; i < x->rank; i++) {
        bool gone = there ? mask >> i & 1u : x->dim[i] == 1;
        if (gone && x->dim[i] != 1) return gr__onnx_invalid(c, "axis %d has size %lld", i, (long long)x->dim[i]);
        if (!gone) dim[rank++] = x->dim[i];
    }
    return with_shape(c, rank, dim);
}

gr_status gr__onnx_unsqueeze(gr__onnx_call *c)
{
    const gr__onnx_value *x = &c->in[0];
    int64_t dim[2 * GR_MAX_RANK], axis[GR_MAX_RANK];
    int n, from = 0;
    uint32_t mask;
    bool there;
    GR_TRY(gr__onnx_list(c, c->opset < 13 ? -1 : 1, "axes", axis, GR_MAX_RANK, &n, &there));
    if (!there) return gr__onnx_invalid(c, "the axes are missing");
    if (x->rank + n > GR_MAX_RANK)
        return gr__onnx_refuse(c, "a result with %d axes, at most %d are possible", x->rank + n, GR_MAX_RANK);
    GR_TRY(axes_mask(c, x->rank + n, &mask, &there));
    for (int i = 0; i < x->rank + n; i++) dim[i] = mask >> i & 1u ? 1 : x->dim[from++];
    return with_shape(c, x->rank + n, dim);
}

gr_status gr__onnx_transpose(gr__onnx_call *c)
{
    const gr__onnx_value *x = &c->in[0];
    int64_t perm[GR_MAX_RANK], dim[GR_MAX_RANK];
    int n, order[GR_MAX_RANK];
    bool there;
    uint32_t seen = 0;
    GR_TRY(gr__onnx_list(c, -1, "perm", perm, GR_MAX_RANK, &n, &there));
    if (there && n != x->rank) return gr__onnx_invalid(c, "an order of %d axes for %d", n, x->rank);
    for (int i = 0; i < x->rank; i++) {
        GR_TRY(gr__onnx_axis(c, there ? perm[i] : x->rank - 1 - i, x->rank, &order[i]));
        if (seen >> order[i] & 1u) return gr__onnx_invalid(c, "axis %d is named twice", order[i]);
        seen |= 1u << order[i];
        dim[i] = x->dim[order[i]];
    }
    if (!x->v) return gr__onnx_set_empty(c, 0, x->dtype, x->rank, dim);
    return gr__onnx_set(c, 0, gr_permute(c->g, x->v, order), x->dtype);
}

gr_status gr__onnx_expand(gr__onnx_call *c)
{
    const gr__onnx_value *x = &c->in[0];
    int64_t want[GR_MAX_RANK], dim[GR_MAX_RANK];
    int n;
    bool there, empty = false;
    GR_TRY(gr__onnx_list(c, 1, NULL, want, GR_MAX_RANK, &n, &there));
    int rank = n > x->rank ? n : x->rank;
    for (int i = 0; i < rank; i++) {
        int64_t a = i < rank - x->rank ? 1 : x->dim[i - (rank - x->rank)], b = i < rank - n ? 1 : want[i - (rank - n)];
        if (b < 0 || (a != b && a != 1 && b != 1))
            return gr__onnx_invalid(c, "size %lld does not become %lld", (long long)a, (long long)b);
        dim[i] = a == 1 ? b : a;
        empty = empty || dim[i] == 0;
    }
    if (empty || !x->v) return gr__onnx_set_empty(c, 0, x->dtype, rank, dim);
    return gr__onnx_set(c, 0, gr_broadcast_to(c->g, x->v, rank, dim), x->dtype);
}

gr_status gr__onnx_tile(gr__onnx_call *c)
{
    const gr__onnx_value *x = &c->in[0];
    int64_t times[GR_MAX_RANK], dim[2 * GR_MAX_RANK];
    int n;
    bool there;
    gr_value y = x->v;
    GR_TRY(gr__onnx_list(c, 1, NULL, times, GR_MAX_RANK, &n, &there));
    if (n != x->rank) return gr__onnx_invalid(c, "%d repeats for %d axes", n, x->rank);
    for (int axis = 0; axis < n; axis++) {
        if (times[axis] < 1 || times[axis] > GR__LIMIT_ONNX_BAKED)
            return gr__onnx_refuse(c, "%lld repeats", (long long)times[axis]);
        if (times[axis] == 1) continue;
        /* (before, 1, rest) -> (before, times, rest) */
        int64_t before = 1, rest = 1;
        for (int i = 0; i < n; i++) {
            dim[i] = i < axis ? x->dim[i] * times[i] : x->dim[i];
            if (i < axis)
                before *= dim[i];
            else
                rest *= dim[i];
        }
        y = gr_reshape(c->g, y, 3, (int64_t[]){before, 1, rest});
        y = gr_broadcast_to(c->g, y, 3, (int64_t[]){before, times[axis], rest});
        GR_TRY(gr_graph_status(c->g)); /* the product of sizes is known to be a number */
        dim[axis] *= times[axis];
        y = gr_reshape(c->g, y, n, dim);
    }
    return gr__onnx_set(c, 0, y, x->dtype);
}

/* ---- Concat, Split, Slice ---- */

gr_status gr__onnx_join(gr__onnx_call *c)
{
    int axis, n = 0;
    const gr__onnx_value *x = &c->in[0];
    GR_TRY(gr__onnx_axis(c, gr__onnx_int(c, "axis", c->opset < 4 ? 1 : 0), x->rank, &axis));
    gr_value *part = gr__arena_alloc(&c->b->arena, (size_t)(c->n_in + 1) * sizeof *part);
    if (!part) return gr__fail_memory("operands", (size_t)c->n_in);
    int64_t dim[GR_MAX_RANK], sum = 0;
    for (int i = 0; i < c->n_in; i++) {
        if (c->in[i].rank != x->rank || c->in[i].dtype != x->dtype)
            return gr__onnx_invalid(c, "operand %d differs in its axes or dtype", i);
        if (c->in[i].v) part[n++] = c->in[i].v;
        sum += c->in[i].dim[axis];
    }
    memcpy(dim, x->dim, sizeof dim);
    dim[axis] = sum;
    if (!n) return gr__onnx_set_empty(c, 0, x->dtype, x->rank, dim);
    return gr__onnx_set(c, 0, gr__onnx_concat(c->g, part, n, axis), x->dtype);
}

gr_status gr__onnx_split(gr__onnx_call *c)
{
    const gr__onnx_value *x = &c->in[0];
    int64_t size[256], at = 0;
    int axis, n, parts = c->n_out;
    bool there;
    GR_TRY(gr__onnx_axis(c, gr__onnx_int(c, "axis", 0), x->rank, &axis));
    GR_TRY(gr__onnx_list(c, c->opset >= 2 && c->opset < 13 ? -1 : 1, "split", size, (int)GR__COUNT(size), &n, &there));
    if (parts > (int)GR__COUNT(size)) return gr__onnx_refuse(c, "%d outputs", parts);
    if (there && n != parts) return gr__onnx_invalid(c, "%d sizes for %d outputs", n, parts);
    int64_t whole = x->dim[axis], each = (whole + parts - 1) / parts;
    for (int i = 0; i < parts; i++) {
        int64_t take = there ? size[i] : whole - at < each ? whole - at : each;
        if (take < 0 || take > whole - at) return gr__onnx_invalid(c, "a part of size %lld", (long long)take);
        int64_t dim[GR_MAX_RANK];
        memcpy(dim, x->dim, sizeof dim);
        dim[axis] = take;
        if (take == 0 || !x->v)
            GR_TRY(gr__onnx_set_empty(c, i, x->dtype, x->rank, dim));
        else
            GR_TRY(gr__onnx_set(c, i, gr_slice(c->g, x->v, axis, at, take), x->dtype));
        at += take;
    }
    if (at != whole)
        return gr__onnx_invalid(c, "the parts have %lld of %lld elements", (long long)at, (long long)whole);
    return GR_OK;
}

static int64_t clamp(int64_t x, int64_t low, int64_t high) { return x > high ? high : x < low ? low : x; }

/* How many elements start, end and step take; *start becomes the first. */
static int64_t slice_count(int64_t size, int64_t *start, int64_t end, int64_t step)
{
    bool up = step > 0;
    if (size == 0) return 0;
    int64_t s = clamp(*start < 0 ? *start + size : *start, 0, up ? size : size - 1);
    end = clamp(end < 0 ? end + size : end, up ? 0 : -1, up ? size : size - 1);
    *start = s;
    if (up) return end > s ? 1 + (end - s - 1) / step : 0;
    return s > end ? 1 + (s - end - 1) / -step : 0;
}

gr_status gr__onnx_slice(gr__onnx_call *c)
{
    const gr__onnx_value *x = &c->in[0];
    int64_t start[GR_MAX_RANK], end[GR_MAX_RANK], axis[GR_MAX_RANK], step[GR_MAX_RANK], dim[GR_MAX_RANK];
    int n, n_end, n_axes, n_steps;
    bool there, axes, steps, old = c->opset < 10;
    gr_value y = x->v;
    GR_TRY(gr__onnx_list(c, old ? -1 : 1, "starts", start, GR_MAX_RANK, &n, &there));
    GR_TRY(gr__onnx_list(c, old ? -1 : 2, "ends", end, GR_MAX_RANK, &n_end, &there));
    GR_TRY(gr__onnx_list(c, old ? -1 : 3, "axes", axis, GR_MAX_RANK, &n_axes, &axes));
    GR_TRY(gr__onnx_list(c, old ? -1 : 4, NULL, step, GR_MAX_RANK, &n_steps, &steps));
    if (n_end != n || (axes && n_axes != n) || (steps && n_steps != n))
        return gr__onnx_invalid(c, "starts, ends, axes and steps differ in length");
    memcpy(dim, x->dim, sizeof dim);
    for (int i = 0; i < n; i++) {
        int k;
        int64_t by = steps ? step[i] : 1, from = start[i];
        GR_TRY(gr__onnx_axis(c, axes ? axis[i] : i, x->rank, &k));
        if (by == 0 || by == INT64_MIN) return gr__onnx_invalid(c, "step %lld", (long long)by);
        int64_t take = slice_count(dim[k], &from, end[i], by);
        dim[k] = take;
        if (take == 0) y = 0;
        if (!y) continue;
        if (by == 1) {
            y = gr_slice(c->g, y, k, from, take);
            continue;
        }
        int64_t *rows = gr__arena_alloc(&c->b->arena, (size_t)take * sizeof *rows);
        if (!rows) return gr__fail_memory("rows", (size_t)take * sizeof *rows);
        for (int64_t r = 0; r < take; r++) rows[r] = from + r * by;
        y = gr__onnx_rows(c->g, y, k, rows, take);
    }
    return y ? gr__onnx_set(c, 0, y, x->dtype) : gr__onnx_set_empty(c, 0, x->dtype, x->rank, dim);
}

/* ---- blocks ---- */

gr_status gr__onnx_depth_to_space(gr__onnx_call *c)
{
    const gr__onnx_value *x = &c->in[0];
    int64_t b = gr__onnx_int(c, "blocksize", 0);
    if (x->rank != 4) return gr__onnx_invalid(c, "its operand has %d axes, not 4", x->rank);
    int64_t n = x->dim[0], ch = x->dim[1], h = x->dim[2], w = x->dim[3];
    if (b < 1 || b > ch || ch % (b * b))
        return gr__onnx_invalid(c, "%lld channels in blocks of %lld", (long long)ch, (long long)b);
    bool crd = strcmp(gr__onnx_word(c, "mode", "DCR"), "CRD") == 0;
    int64_t deep = ch / (b * b);
    gr_value y = crd ? gr_reshape(c->g, x->v, 6, (int64_t[]){n, deep, b, b, h, w})
                     : gr_reshape(c->g, x->v, 6, (int64_t[]){n, b, b, deep, h, w});
    y = gr_permute(c->g, y, crd ? (int[]){0, 1, 4, 2, 5, 3} : (int[]){0, 3, 4, 1, 5, 2});
    return gr__onnx_set(c, 0, gr_reshape(c->g, y, 4, (int64_t[]){n, deep, h * b, w * b}), x->dtype);
}

gr_status gr__onnx_space_to_depth(gr__onnx_call *c)
{
    const gr__onnx_value *x = &c->in[0];
    int64_t b = gr__onnx_int(c, "blocksize", 0);
    if (x->rank != 4 || b < 1 || x->dim[2] % b || x->dim[3] % b)
        return gr__onnx_invalid(c, "blocks of %lld do not fill its operand", (long long)b);
    int64_t n = x->dim[0], ch = x->dim[1], h = x->dim[2] / b, w = x->dim[3] / b;
    gr_value y = gr_reshape(c->g, x->v, 6, (int64_t[]){n, ch, h, b, w, b});
    y = gr_permute(c->g, y, (int[]){0, 3, 5, 1, 2, 4});
    return gr__onnx_set(c, 0, gr_reshape(c->g, y, 4, (int64_t[]){n, ch * b * b, h, w}), x->dtype);
}

/* ---- Pad ---- */

/* Where element i of a padded axis comes from. */
static int64_t source(const char *mode, int64_t i, int64_t n)
{
    if (strcmp(mode, "edge") == 0) return i < 0 ? 0 : i >= n ? n - 1 : i;
    if (strcmp(mode, "wrap") == 0) return ((i % n) + n) % n;
    if (n == 1) return 0;
    int64_t period = 2 * (n - 1), k = ((i % period) + period) % period; /* reflect */
    return k < n ? k : period - k;
}

static gr_value fill_like(gr_graph *g, gr_value x, int axis, int64_t size, gr_value number)
{
    gr__value like = *gr__value_get(g, x);
    like.dim[axis] = size;
    return gr_broadcast_to(g, gr_reshape(g, gr_cast(g, number, like.dtype), 0, NULL), like.rank, like.dim);
}

static gr_status pad_axis(gr__onnx_call *c, gr_value *y, int axis, int64_t before, int64_t after, const char *mode,
                          gr_value number)
{
    gr_graph *g = c->g;
    int64_t n = gr_value_dim(g, *y, axis), limit = GR__LIMIT_ONNX_BAKED;
    if (before > limit || after > limit || before < -n || after < -n || n + before + after < 1)
        return gr__onnx_refuse(c, "padding of %lld and %lld around %lld elements", (long long)before, (long long)after,
                               (long long)n);
    if (strcmp(mode, "constant") != 0) {
        int64_t *rows = gr__arena_alloc(&c->b->arena, (size_t)(n + before + after) * sizeof *rows);
        if (!rows) return gr__fail_memory("rows", (size_t)(n + before + after));
        for (int64_t i = 0; i < n + before + after; i++) rows[i] = source(mode, i - before, n);
        *y = gr__onnx_rows(g, *y, axis, rows, n + before + after);
        return GR_OK;
    }
    int64_t from = before < 0 ? -before : 0, to = n - (after < 0 ? -after : 0);
    if (to <= from) return gr__onnx_refuse(c, "padding leaves nothing of axis %d", axis);
    gr_value part[3], x = gr_slice(g, *y, axis, from, to - from);
    int k = 0;
    if (!x) return gr_graph_status(g);
    if (before > 0) part[k++] = fill_like(g, x, axis, before, number);
    part[k++] = x;
    if (after > 0) part[k++] = fill_like(g, x, axis, after, number);
    *y = gr_concat(g, part, k, axis);
    return GR_OK;
}

gr_status gr__onnx_pad(gr__onnx_call *c)
{
    const gr__onnx_value *x = &c->in[0];
    const char *mode = gr__onnx_word(c, "mode", "constant"), *known[] = {"constant", "edge", "reflect", "wrap"};
    int64_t pad[2 * GR_MAX_RANK], axis[GR_MAX_RANK];
    int n, n_axes;
    bool there, axes, old = c->opset < 11, fine = false;
    gr_value y = x->v, number = 0;
    for (size_t i = 0; i < GR__COUNT(known); i++) fine = fine || strcmp(mode, known[i]) == 0;
    if (!fine) return gr__onnx_refuse(c, "the mode '%s'", mode);
    GR_TRY(gr__onnx_list(c, old ? -1 : 1, c->opset < 2 ? "paddings" : "pads", pad, 2 * GR_MAX_RANK, &n, &there));
    GR_TRY(gr__onnx_list(c, old ? -1 : 3, NULL, axis, GR_MAX_RANK, &n_axes, &axes));
    if (!axes) n_axes = x->rank;
    if (n != 2 * n_axes) return gr__onnx_invalid(c, "%d numbers for %d axes", n, n_axes);
    if (!old && gr__onnx_has(c, 2)) number = c->in[2].v;
    if (!number) number = gr_scalar(c->g, gr__onnx_stored(x->dtype), old ? gr__onnx_float(c, "value", 0) : 0);
    for (int i = 0; i < n_axes; i++) {
        int k;
        GR_TRY(gr__onnx_axis(c, axes ? axis[i] : i, x->rank, &k));
        if (pad[i] || pad[n_axes + i]) GR_TRY(pad_axis(c, &y, k, pad[i], pad[n_axes + i], mode, number));
        GR_TRY(gr_graph_status(c->g));
    }
    return gr__onnx_set(c, 0, y, x->dtype);
}
