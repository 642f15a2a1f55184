/* Convolutions by oneDNN, by the calling thread alone: activations stay channels-last, weights are reordered between PyTorch's
 * layout and the one that the library asks for. What differs between 2.6 and 3.x stands first. */
#include "kernel/onednn_int.h"

#include "base/alloc.h"

#include <string.h>

enum { X, W, Y, BIAS, SCRATCH, N_MEMORIES };

struct gr__dnn_conv_piece {
    gr__dnn_conv_job job;
    dnnl_primitive_desc_t desc, reorder_desc;
    dnnl_primitive_t primitive, reorder; /* reorder NULL: the weights lie as the library wants them */
    dnnl_stream_t stream;
    dnnl_memory_t memory[N_MEMORIES]; /* W: as the library wants it */
    dnnl_memory_t plain, blocked;     /* the weights as they are stored; as the library wants them */
    dnnl_exec_arg_t args[N_MEMORIES];
    int n_args;
    size_t blocked_bytes,
        scratch_bytes; /* of the weights in blocks (0: as they are stored), of what the primitive borrows */
    const char *name;
    bool ran;
};

/* Sizes and strides as the library names them: batch (group), channels, spatial axes. */
typedef struct array_desc {
    int rank;
    dnnl_dims_t dims, strides;
    dnnl_data_type_t type;
} array_desc;

/* What a convolution is made from. */
typedef struct conv_args {
    gr__conv_result result;
    gr__dnn_desc x, w, y, bias;
    dnnl_dims_t stride, dilation, before, after;
    const_dnnl_primitive_attr_t attr;
} conv_args;

#if DNNL_VERSION_MAJOR >= 3

static gr__dnn_desc borrow(const dnnl_memory_desc_t *md) { return *md; }
static dnnl_status_t plain_desc(dnnl_memory_desc_t *md, const array_desc *d)
{
    return dnnl_memory_desc_create_with_strides(md, d->rank, d->dims, d->type, d->strides);
}
static dnnl_status_t free_desc(dnnl_memory_desc_t *md, const array_desc *d)
{
    return dnnl_memory_desc_create_with_tag(md, d->rank, d->dims, d->type, dnnl_format_tag_any);
}
static void desc_release(dnnl_memory_desc_t *md)
{
    if (*md) dnnl_memory_desc_destroy(*md);
}
static dnnl_status_t forward_desc(dnnl_primitive_desc_t *out, const conv_args *c)
{
    return dnnl_convolution_forward_primitive_desc_create(out, gr__dnn_engine(), dnnl_forward_training,
                                                          dnnl_convolution_direct, c->x, c->w, c->bias, c->y, c->stride,
                                                          c->dilation, c->before, c->after, c->attr);
}
/* The forward convolution is a hint. */
static dnnl_status_t backward_desc(dnnl_primitive_desc_t *out, const conv_args *c, const_dnnl_primitive_desc_t hint)
{
    if (c->result == GR__CONV_X)
        return dnnl_convolution_backward_data_primitive_desc_create(out, gr__dnn_engine(), dnnl_convolution_direct,
                                                                    c->x, c->w, c->y, c->stride, c->dilation, c->before,
                                                                    c->after, hint, c->attr);
    return dnnl_convolution_backward_weights_primitive_desc_create(out, gr__dnn_engine(), dnnl_convolution_direct, c->x,
                                                                   c->w, NULL, c->y, c->stride, c->dilation, c->before,
                                                                   c->after, hint, c->attr);
}

#else

static gr__dnn_desc borrow(const dnnl_memory_desc_t *md) { return md; }
static dnnl_status_t plain_desc(dnnl_memory_desc_t *md, const array_desc *d)
{
    return dnnl_memory_desc_init_by_strides(md, d->rank, d->dims, d->type, d->strides);
}
static dnnl_status_t free_desc(dnnl_memory_desc_t *md, const array_desc *d)
{
    return dnnl_memory_desc_init_by_tag(md, d->rank, d->dims, d->type, dnnl_format_tag_any);
}
static void desc_release(dnnl_memory_desc_t *md) { (void)md; }
static dnnl_status_t forward_desc(dnnl_primitive_desc_t *out, const conv_args *c)
{
    dnnl_convolution_desc_t op;
    dnnl_status_t status =
        dnnl_dilated_convolution_forward_desc_init(&op, dnnl_forward_training, dnnl_convolution_direct, c->x, c->w,
                                                   c->bias, c->y, c->stride, c->dilation, c->before, c->after);
    return status == dnnl_success ? dnnl_primitive_desc_create(out, &op, c->attr, gr__dnn_engine(), NULL) : status;
}
/* The forward convolution is a hint. */
static dnnl_status_t backward_desc(dnnl_primitive_desc_t *out, const conv_args *c, const_dnnl_primitive_desc_t hint)
{
    dnnl_convolution_desc_t op;
    dnnl_status_t status =
        c->result == GR__CONV_X
            ? dnnl_dilated_convolution_backward_data_desc_init(&op, dnnl_convolution_direct, c->x, c->w, c->y,
                                                               c->stride, c->dilation, c->before, c->after)
            : dnnl_dilated_convolution_backward_weights_desc_init(&op, dnnl_convolution_direct, c->x, c->w, NULL, c->y,
                                                                  c->stride, c->dilation, c->before, c->after);
    return status == dnnl_success ? dnnl_primitive_desc_create(out, &op, c->attr, gr__dnn_engine(), hint) : status;
}

#endif

static dnnl_data_type_t type_of(gr_dtype t) { return t == GR_BF16 ? dnnl_bf16 : dnnl_f32; }

/* (batch, spatial..., c) */
static array_desc activations(const gr__conv_shape *s, const int64_t *size, int64_t c, gr_dtype dtype)
{
    array_desc d = {.rank = s->axes + 2, .type = type_of(dtype)};
    int64_t step = c;
    d.dims[0] = s->batch;
    d.dims[1] = c;
    d.strides[1] = 1;
    for (int i = s->axes - 1; i >= 0; i--) {
        d.dims[2 + i] = size[GR__SPATIAL - s->axes + i];
        d.strides[2 + i] = step;
        step *= d.dims[2 + i];
    }
    d.strides[0] = step;
    return d;
}

/* (cout, cin/groups, window...), with an axis of groups in front where there are some */
static array_desc weights(const gr__conv_shape *s, gr_dtype dtype)
{
    bool grouped = s->groups > 1;
    array_desc d = {.rank = s->axes + 2 + grouped, .type = type_of(dtype)};
    int64_t step = 1;
    d.dims[0] = s->groups;
    d.dims[grouped] = s->cout / s->groups;
    d.dims[grouped + 1] = s->cin / s->groups;
    for (int i = 0; i < s->axes; i++) d.dims[grouped + 2 + i] = s->window[GR__SPATIAL - s->axes + i];
    for (int i = d.rank - 1; i >= 0; i--) {
        d.strides[i] = step;
        step *= d.dims[i];
    }
    return d;
}

static gr_dtype dtype_of(const gr__dnn_conv_job *j, gr__conv_result which)
{
    return which == j->result ? j->out_dtype : j->dtype;
}

/* The forward convolution that a gradient's plan is derived from: all arrays in the operands' dtype. */
static gr_status make_hint(const gr__dnn_conv_job *job, const conv_args *a, dnnl_primitive_desc_t *out)
{
    const gr__conv_shape *s = &job->shape;
    array_desc x = activations(s, s->in, s->cin, job->dtype), w = weights(s, job->dtype),
               y = activations(s, s->out, s->cout, job->dtype);
    dnnl_memory_desc_t md[3];
    memset(md, 0, sizeof md);
    dnnl_status_t made = plain_desc(&md[X], &x);
    if (made == dnnl_success) made = free_desc(&md[W], &w);
    if (made == dnnl_success) made = plain_desc(&md[Y], &y);
    if (made == dnnl_success) {
        conv_args forward = *a;
        forward.x = borrow(&md[X]), forward.w = borrow(&md[W]), forward.y = borrow(&md[Y]), forward.bias = NULL;
        made = forward_desc(out, &forward);
    }
    for (int i = 0; i < 3; i++) desc_release(&md[i]);
    DNN_TRY(made, "plan a convolution");
    return GR_OK;
}

static gr_status make_desc(gr__dnn_conv_piece *c, const conv_args *a)
{
    if (a->result == GR__CONV_Y) {
        DNN_TRY(forward_desc(&c->desc, a), "plan a convolution");
    } else {
        dnnl_primitive_desc_t hint = NULL;
        GR_TRY(make_hint(&c->job, a, &hint));
        dnnl_status_t status = backward_desc(&c->desc, a, hint);
        dnnl_primitive_desc_destroy(hint);
        DNN_TRY(status, "plan a convolution's gradient");
    }
    if (dnnl_primitive_desc_query(c->desc, dnnl_query_impl_info_str, 0, &c->name) != dnnl_success) c->name = "?";
    const gr__conv_shape *s = &c->job.shape;
    GR_FAIL_IF(strncmp(c->name, "ref", 3) == 0, GR_ERR_UNSUPPORTED,
               "%s has only its reference code for a convolution of %lld to %lld channels", gr__dnn_version(),
               (long long)s->cin, (long long)s->cout);
    return GR_OK;
}

/* The weights' way between the two layouts. */
static gr_status make_reorder(gr__dnn_conv_piece *c, gr__dnn_desc plain, gr__dnn_desc blocked)
{
    if (dnnl_memory_desc_equal(plain, blocked)) return GR_OK;
    bool out = c->job.result == GR__CONV_W;
    c->blocked_bytes = (dnnl_memory_desc_get_size(blocked) + 63) / 64 * 64;
    DNN_TRY(dnnl_memory_create(&c->plain, plain, gr__dnn_engine(), DNNL_MEMORY_NONE), "make a memory object");
    DNN_TRY(dnnl_memory_create(&c->blocked, blocked, gr__dnn_engine(), DNNL_MEMORY_NONE), "make a memory object");
    DNN_TRY(dnnl_reorder_primitive_desc_create(&c->reorder_desc, out ? blocked : plain, gr__dnn_engine(),
                                               out ? plain : blocked, gr__dnn_engine(), NULL),
            "plan a change of layout");
    DNN_TRY(dnnl_primitive_create(&c->reorder, c->reorder_desc), "make a change of layout");
    return GR_OK;
}

/* Of the weights. */
static gr__dnn_desc wanted(const gr__dnn_conv_piece *c)
{
    return dnnl_primitive_desc_query_md(
        c->desc, c->job.result == GR__CONV_W ? dnnl_query_diff_weights_md : dnnl_query_weights_md, 0);
}

static gr_status make_primitive(gr__dnn_conv_piece *c, const conv_args *a, gr__dnn_desc plain)
{
    static const int arg[GR__CONV_RESULT_COUNT][N_MEMORIES] = {
        [GR__CONV_Y] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST, DNNL_ARG_BIAS, DNNL_ARG_SCRATCHPAD},
        [GR__CONV_X] = {DNNL_ARG_DIFF_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_DST, 0, DNNL_ARG_SCRATCHPAD},
        [GR__CONV_W] = {DNNL_ARG_SRC, DNNL_ARG_DIFF_WEIGHTS, DNNL_ARG_DIFF_DST, 0, DNNL_ARG_SCRATCHPAD},
    };
    GR_TRY(make_desc(c, a));
    GR_TRY(make_reorder(c, plain, wanted(c)));
    DNN_TRY(dnnl_primitive_create(&c->primitive, c->desc), "make a convolution");
    DNN_TRY(dnnl_stream_create(&c->stream, gr__dnn_engine(), dnnl_stream_default_flags), "make a stream");
    gr__dnn_desc scratch = dnnl_primitive_desc_query_md(c->desc, dnnl_query_scratchpad_md, 0);
    c->scratch_bytes = scratch ? dnnl_memory_desc_get_size(scratch) : 0;
    gr__dnn_desc md[N_MEMORIES] = {a->x, wanted(c), a->y, a->bias, c->scratch_bytes ? scratch : NULL};
    for (int i = 0; i < N_MEMORIES; i++) {
        if (!md[i]) continue;
        DNN_TRY(dnnl_memory_create(&c->memory[i], md[i], gr__dnn_engine(), DNNL_MEMORY_NONE), "make a memory object");
        c->args[c->n_args++] = (dnnl_exec_arg_t){arg[a->result][i], c->memory[i]};
    }
    return GR_OK;
}

static gr_status build(gr__dnn_conv_piece *c)
{
    const gr__dnn_conv_job *j = &c->job;
    const gr__conv_shape *s = &j->shape;
    array_desc x = activations(s, s->in, s->cin, dtype_of(j, GR__CONV_X)), w = weights(s, dtype_of(j, GR__CONV_W)),
               y = activations(s, s->out, s->cout, dtype_of(j, GR__CONV_Y)),
               bias = {.rank = 1, .dims = {s->cout}, .strides = {1}, .type = dnnl_f32};
    dnnl_memory_desc_t md[5];
    memset(md, 0, sizeof md);
    dnnl_primitive_attr_t attr = NULL;
    dnnl_status_t made = dnnl_primitive_attr_create(&attr);
    if (made == dnnl_success) made = dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
    if (made == dnnl_success) made = plain_desc(&md[X], &x);
    if (made == dnnl_success) made = free_desc(&md[W], &w);
    if (made == dnnl_success) made = plain_desc(&md[Y], &y);
    if (made == dnnl_success) made = plain_desc(&md[BIAS], &bias);
    if (made == dnnl_success) made = plain_desc(&md[4], &w);
    gr_status status = made == dnnl_success ? GR_OK : gr__dnn_failed(made, "describe a convolution");
    if (status == GR_OK) {
        conv_args a = {.result = j->result,
                       .x = borrow(&md[X]),
                       .w = borrow(&md[W]),
                       .y = borrow(&md[Y]),
                       .bias = j->bias ? borrow(&md[BIAS]) : NULL,
                       .attr = attr};
        for (int i = 0; i < s->axes; i++) {
            int k = GR__SPATIAL - s->axes + i;
            a.stride[i] = s->stride[k];
            a.dilation[i] = s->dilation[k] - 1; /* the library counts what lies between two taps */
            a.before[i] = s->before[k];
            a.after[i] = s->after[k];
        }
        status = make_primitive(c, &a, borrow(&md[4]));
    }
    for (int i = 0; i < 5; i++) desc_release(&md[i]);
    if (attr) dnnl_primitive_attr_destroy(attr);
    return status;
}

gr_status gr__dnn_conv_piece_new(const gr__dnn_conv_job *job, gr__dnn_conv_piece **out)
{
    GR_FAIL_IF(!gr__dnn_available(), GR_ERR_UNSUPPORTED, "%s found no usable processor", gr__dnn_version());
    bool dtypes = (job->dtype == GR_F32 && job->out_dtype == GR_F32) ||
                  (job->dtype == GR_BF16 && (job->out_dtype == GR_F32 || job->out_dtype == GR_BF16));
    GR_FAIL_IF(!dtypes, GR_ERR_UNSUPPORTED, "no oneDNN convolution %s -> %s", gr_dtype_name(job->dtype),
               gr_dtype_name(job->out_dtype));
    gr__dnn_conv_piece *c = gr__calloc(1, sizeof *c);
    if (!c) return gr__fail_memory("a convolution", sizeof *c);
    c->job = *job;
    gr_status status = gr__dnn_begin_first();
    if (status == GR_OK) {
        status = build(c);
        gr__dnn_end_first();
    }
    if (status != GR_OK) {
        gr__dnn_conv_piece_free(c);
        return status;
    }
    *out = c;
    return GR_OK;
}

void gr__dnn_conv_piece_free(gr__dnn_conv_piece *c)
{
    if (!c) return;
    for (int i = 0; i < N_MEMORIES; i++)
        if (c->memory[i]) dnnl_memory_destroy(c->memory[i]);
    if (c->plain) dnnl_memory_destroy(c->plain);
    if (c->blocked) dnnl_memory_destroy(c->blocked);
    if (c->stream) dnnl_stream_destroy(c->stream);
    if (c->primitive) dnnl_primitive_destroy(c->primitive);
    if (c->reorder) dnnl_primitive_destroy(c->reorder);
    if (c->desc) dnnl_primitive_desc_destroy(c->desc);
    if (c->reorder_desc) dnnl_primitive_desc_destroy(c->reorder_desc);
    gr__free(c);
}

size_t gr__dnn_conv_piece_blocked_bytes(const gr__dnn_conv_piece *c) { return c->blocked_bytes; }

size_t gr__dnn_conv_piece_scratch_bytes(const gr__dnn_conv_piece *c) { return c->scratch_bytes; }

const char *gr__dnn_conv_piece_name(const gr__dnn_conv_piece *c) { return c->name; }

bool gr__dnn_conv_piece_fits(const gr__dnn_conv_piece *c, const gr__dnn_conv_piece *other)
{
    return dnnl_memory_desc_equal(wanted(c), wanted(other)) != 0;
}

gr_status gr__dnn_conv_piece_reorder(gr__dnn_conv_piece *c, void *w, void *blocked)
{
    bool out = c->job.result == GR__CONV_W;
    DNN_TRY(dnnl_memory_set_data_handle(c->plain, w), "set a pointer");
    DNN_TRY(dnnl_memory_set_data_handle(c->blocked, blocked), "set a pointer");
    dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, out ? c->blocked : c->plain}, {DNNL_ARG_TO, out ? c->plain : c->blocked}};
    DNN_TRY(dnnl_primitive_execute(c->reorder, c->stream, 2, args), "change the layout of weights");
    DNN_TRY(dnnl_stream_wait(c->stream), "wait for a change of layout");
    return GR_OK;
}

static gr_status run_now(gr__dnn_conv_piece *c, void *x, void *w, void *y, const float *bias, void *scratch)
{
    void *handle[N_MEMORIES] = {x, w, y, (void *)(uintptr_t)bias, scratch};
    for (int i = 0; i < N_MEMORIES; i++)
        if (c->memory[i]) DNN_TRY(dnnl_memory_set_data_handle(c->memory[i], handle[i]), "set a pointer");
    DNN_TRY(dnnl_primitive_execute(c->primitive, c->stream, c->n_args, c->args), "run a convolution");
    DNN_TRY(dnnl_stream_wait(c->stream), "wait for a convolution");
    return GR_OK;
}

gr_status gr__dnn_conv_piece_run(gr__dnn_conv_piece *c, void *x, void *w, void *y, const float *bias, void *scratch)
{
    if (c->ran) return run_now(c, x, w, y, bias, scratch);
    GR_TRY(gr__dnn_begin_first());
    gr_status s = run_now(c, x, w, y, bias, scratch);
    gr__dnn_end_first();
    c->ran = s == GR_OK;
    return s;
}
