/* Resize and Upsample: each axis is multiplied by a matrix whose rows are the weights of an output place; the nearest are
 * taken as they are. */
#include "model/onnx_op.h"

#include <math.h>
#include <string.h>

typedef struct resizing {
    const char *mode, *coordinate, *nearest;
    double a; /* of the cubic */
    bool exclude_outside, antialias;
    double outside; /* the number for places outside (tf_crop_and_resize) */
} resizing;

gr_value gr__onnx_weigh(gr_graph *g, gr_value x, int axis, const double *m, int64_t out)
{
    if (!x) return 0;
    gr__value shape = *gr__value_get(g, x);
    int64_t before = 1, behind = 1, in = shape.dim[axis];
    for (int i = 0; i < axis; i++) before *= shape.dim[i];
    for (int i = axis + 1; i < shape.rank; i++) behind *= shape.dim[i];
    gr_tensor t = {.dtype = GR_F64, .rank = 2, .dim = {out, in}};
    memcpy(&t.data, &m, sizeof m);
    gr_value matrix = gr_cast(g, gr_constant(g, &t), shape.dtype);
    gr_value y = gr_matmul(g, matrix, gr_reshape(g, x, 3, (int64_t[]){before, in, behind}), NULL);
    shape.dim[axis] = out;
    return gr_reshape(g, y, shape.rank, shape.dim);
}

/* Where output place o lies in the input. */
static double place_of(const resizing *r, int64_t o, int64_t in, int64_t out, double scale, const double *roi)
{
    double x = (double)o, width = scale * (double)in;
    if (strcmp(r->coordinate, "asymmetric") == 0) return x / scale;
    if (strcmp(r->coordinate, "align_corners") == 0) return out == 1 ? 0 : x * (double)(in - 1) / (width - 1);
    if (strcmp(r->coordinate, "pytorch_half_pixel") == 0) return out > 1 ? (x + 0.5) / scale - 0.5 : 0;
    if (strcmp(r->coordinate, "half_pixel_symmetric") == 0)
        return (double)in / 2 * (1 - (double)out / width) + (x + 0.5) / scale - 0.5;
    if (strcmp(r->coordinate, "tf_crop_and_resize") == 0)
        return out > 1 ? roi[0] * (double)(in - 1) + x * (roi[1] - roi[0]) * (double)(in - 1) / (double)(out - 1)
                       : 0.5 * (roi[0] + roi[1]) * (double)(in - 1);
    return (x + 0.5) / scale - 0.5;
}

static double nearest_of(const resizing *r, double x)
{
    if (strcmp(r->nearest, "floor") == 0) return floor(x);
    if (strcmp(r->nearest, "ceil") == 0) return ceil(x);
    if (strcmp(r->nearest, "round_prefer_ceil") == 0) return floor(x + 0.5);
    return ceil(x - 0.5);
}

static double filter(const resizing *r, bool cubic, double t)
{
    double x = fabs(t), a = r->a;
    if (!cubic) return x < 1 ? 1 - x : 0;
    if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

static int64_t nearest_row(const resizing *r, double at, int64_t in)
{
    double k = nearest_of(r, at);
    return k < 0 ? 0 : k > (double)(in - 1) ? in - 1 : (int64_t)k;
}

static void fill_row(const resizing *r, double at, int64_t in, double scale, double *row)
{
    bool cubic = strcmp(r->mode, "cubic") == 0;
    double shrink = r->antialias && scale < 1 ? scale : 1, reach = (cubic ? 2 : 1) / shrink, sum = 0;
    int64_t first = (int64_t)ceil(at - reach), last = (int64_t)floor(at + reach);
    for (int64_t i = first; i <= last; i++) {
        double w = filter(r, cubic, ((double)i - at) * shrink);
        bool inside = i >= 0 && i < in;
        if (r->exclude_outside && !inside) continue;
        row[inside ? i : i < 0 ? 0 : in - 1] += w;
        sum += w;
    }
    for (int64_t i = 0; i < in && sum != 0; i++) row[i] /= sum;
}

static gr_status resize_axis(gr__onnx_call *c, const resizing *r, int axis, int64_t out, double scale,
                             const double *roi, gr_value *y)
{
    gr_graph *g = c->g;
    int64_t in = gr_value_dim(g, *y, axis);
    if (out < 1 || out > INT32_MAX || out * in > (int64_t)1 << 26)
        return gr__onnx_refuse(c, "from %lld to %lld elements", (long long)in, (long long)out);
    bool nearest = strcmp(r->mode, "nearest") == 0;
    int64_t *rows = gr__arena_alloc(&c->b->arena, (size_t)out * sizeof *rows);
    double *m = gr__arena_alloc(&c->b->arena, (size_t)(nearest ? 1 : out * in) * sizeof *m);
    double *inside = gr__arena_alloc(&c->b->arena, (size_t)out * sizeof *inside);
    if (!rows || !m || !inside) return gr__fail_memory("weights", (size_t)(out * in) * sizeof *m);
    bool crop = strcmp(r->coordinate, "tf_crop_and_resize") == 0, all = true;
    for (int64_t o = 0; o < out; o++) {
        double at = place_of(r, o, in, out, scale, roi);
        if (!isfinite(at) || fabs(at) > 0x1p40) return gr__onnx_invalid(c, "a place at %g", at);
        inside[o] = !crop || (at >= 0 && at <= (double)(in - 1));
        all = all && inside[o] != 0;
        if (nearest)
            rows[o] = nearest_row(r, at, in);
        else
            fill_row(r, at, in, scale, m + o * in);
    }
    *y = nearest ? gr__onnx_rows(g, *y, axis, rows, out) : gr__onnx_weigh(g, *y, axis, m, out);
    GR_TRY(gr_graph_status(g));
    if (all) return GR_OK;
    int64_t dim[GR_MAX_RANK];
    int rank = gr_value_rank(g, *y);
    for (int i = 0; i < rank; i++) dim[i] = i == axis ? out : 1;
    gr_tensor t = {.dtype = GR_F64, .rank = rank, .data = inside};
    memcpy(t.dim, dim, sizeof dim);
    gr_value seen = gr_cast(g, gr_constant(g, &t), GR_F32);
    *y = gr_where(g, seen, *y, gr_scalar(g, gr_value_dtype(g, *y), r->outside));
    return gr_graph_status(g);
}

/* Scales or sizes of the axes that are named, as sizes and scales of all. */
static gr_status read_sizes(gr__onnx_call *c, const int *axis, int n, int64_t *out, double *scale)
{
    const gr__onnx_value *x = &c->in[0];
    const char *policy = gr__onnx_word(c, "keep_aspect_ratio_policy", "stretch");
    int at = c->opset < 11 ? 1 : 2;
    bool sized = gr__onnx_has(c, 3) && c->in[3].v;
    const double *given;
    int64_t count;
    const gr__onnx_attribute *old = gr__onnx_attr(c, "scales");
    double from_attribute[GR_MAX_RANK];
    if (old && old->floats && old->n <= GR_MAX_RANK) { /* Upsample 7 */
        for (size_t i = 0; i < old->n; i++) from_attribute[i] = (double)old->floats[i];
        given = from_attribute;
        count = (int64_t)old->n;
    } else
        GR_TRY(gr__onnx_known(c, sized ? 3 : at, &given, &count));
    if (count != n) return gr__onnx_invalid(c, "%lld scales or sizes for %d axes", (long long)count, n);
    double keep = 0;
    for (int i = 0; i < n; i++) {
        double in = (double)x->dim[axis[i]], s = sized ? given[i] / in : given[i];
        if (!(s > 0) || s > 0x1p20) return gr__onnx_invalid(c, "a scale of %g", s);
        scale[axis[i]] = s;
        out[axis[i]] = sized ? (int64_t)given[i] : (int64_t)floor(in * s);
        bool less = strcmp(policy, "not_larger") == 0 ? s < keep : s > keep;
        if (i == 0 || less) keep = s;
    }
    for (int i = 0; i < n && sized && strcmp(policy, "stretch") != 0; i++) {
        scale[axis[i]] = keep;
        out[axis[i]] = (int64_t)floor(keep * (double)x->dim[axis[i]] + 0.5);
    }
    return GR_OK;
}

gr_status gr__onnx_resize(gr__onnx_call *c)
{
    const gr__onnx_value *x = &c->in[0];
    bool old = c->opset < 11;
    resizing r = {.mode = gr__onnx_word(c, "mode", "nearest"),
                  .coordinate = gr__onnx_word(c, "coordinate_transformation_mode", old ? "asymmetric" : "half_pixel"),
                  .nearest = gr__onnx_word(c, "nearest_mode", old ? "floor" : "round_prefer_floor"),
                  .a = gr__onnx_float(c, "cubic_coeff_a", -0.75),
                  .exclude_outside = gr__onnx_int(c, "exclude_outside", 0) != 0,
                  .antialias = gr__onnx_int(c, "antialias", 0) != 0,
                  .outside = gr__onnx_float(c, "extrapolation_value", 0)};
    int64_t named[GR_MAX_RANK], out[GR_MAX_RANK];
    int n, axis[GR_MAX_RANK];
    double scale[GR_MAX_RANK], roi[2 * GR_MAX_RANK] = {0};
    bool there;
    gr_value y = x->v;
    if (!y) return gr__onnx_refuse(c, "operand 0 has no elements");
    if (strcmp(r.mode, "nearest") != 0 && strcmp(r.mode, "linear") != 0 && strcmp(r.mode, "cubic") != 0)
        return gr__onnx_refuse(c, "the mode '%s'", r.mode);
    GR_TRY(gr__onnx_list(c, -1, "axes", named, GR_MAX_RANK, &n, &there));
    if (!there) n = x->rank;
    for (int i = 0; i < n; i++) GR_TRY(gr__onnx_axis(c, there ? named[i] : i, x->rank, &axis[i]));
    GR_TRY(read_sizes(c, axis, n, out, scale));
    if (strcmp(r.coordinate, "tf_crop_and_resize") == 0) {
        const double *given;
        int64_t count;
        GR_TRY(gr__onnx_known(c, 1, &given, &count));
        if (count != 2 * n) return gr__onnx_invalid(c, "%lld numbers of a region for %d axes", (long long)count, n);
        memcpy(roi, given, (size_t)count * sizeof *roi);
    }
    for (int i = 0; i < n; i++) {
        double region[2] = {roi[i], roi[n + i]};
        bool crop = strcmp(r.coordinate, "tf_crop_and_resize") == 0 && (region[0] != 0 || region[1] != 1);
        if (out[axis[i]] == x->dim[axis[i]] && scale[axis[i]] == 1 && !crop) continue;
        GR_TRY(resize_axis(c, &r, axis[i], out[axis[i]], scale[axis[i]], region, &y));
    }
    return gr__onnx_set(c, 0, y, x->dtype);
}
