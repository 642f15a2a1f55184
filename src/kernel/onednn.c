/* oneDNN 2.6 (descriptors are structs, an op descriptor comes first) and 3.x (descriptors are handles). What differs is
 * in the first half of the file; engine, memories and arguments are the same in both. The engine, and pieces of matrix products (onednn_matmul.c). */
#include "kernel/onednn_int.h"

#include "base/alloc.h"
#include "base/parallel.h"
#include "kernel/cpu.h"

#include <omp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ROOM = 16 << 20 }; /* twice what 2.6 was seen to need for its first product */

struct gr__dnn_piece {
    gr__dnn_matmul_shape shape;
    dnnl_primitive_desc_t desc;
    dnnl_primitive_t primitive;
    dnnl_stream_t stream;
    dnnl_memory_t memory[5]; /* source, weights, bias, destination, scratch */
    dnnl_exec_arg_t args[5];
    int n_args;
    size_t scratch_bytes;
    const char *name;
    bool ran;
};

typedef struct matrix_desc {
    int rank;
    dnnl_dims_t dims, strides;
    dnnl_data_type_t type;
} matrix_desc;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static dnnl_engine_t engine;
static char version_text[48];
static bool hidden;
static pthread_mutex_t first = PTHREAD_MUTEX_INITIALIZER;

static void make_engine(void)
{
    hidden = getenv("GRADUS_NO_ONEDNN") != NULL;
    const dnnl_version_t *v = dnnl_version();
    snprintf(version_text, sizeof version_text, "oneDNN %d.%d.%d", v->major, v->minor, v->patch);
    if (dnnl_engine_create(&engine, dnnl_cpu, 0) != dnnl_success) engine = NULL;
}

bool gr__dnn_available(void)
{
    pthread_once(&once, make_engine);
    return engine != NULL && !hidden && !gr__cpu_strict();
}

void gr__dnn_hide(bool on)
{
    pthread_once(&once, make_engine);
    hidden = on;
}

const char *gr__dnn_version(void)
{
    pthread_once(&once, make_engine);
    return version_text;
}

void gr__dnn_use_threads(int threads) { omp_set_num_threads(threads); }

dnnl_engine_t gr__dnn_engine(void) { return gr__dnn_available() ? engine : NULL; }

gr_status gr__dnn_begin_first(void)
{
    pthread_mutex_lock(&first);
    void *p = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p != MAP_FAILED) {
        munmap(p, ROOM);
        return GR_OK;
    }
    pthread_mutex_unlock(&first);
    return gr__fail_memory(version_text, ROOM);
}

void gr__dnn_end_first(void) { pthread_mutex_unlock(&first); }

gr_status gr__dnn_failed(dnnl_status_t status, const char *what)
{
    gr_status code = status == dnnl_unimplemented   ? GR_ERR_UNSUPPORTED
                     : status == dnnl_out_of_memory ? GR_ERR_MEMORY
                                                    : GR_ERR_INTERNAL;
    return gr__fail(code, "cannot %s: %s answers status %d", what, version_text, (int)status);
}

#if DNNL_VERSION_MAJOR >= 3

typedef dnnl_memory_desc_t held_desc;

static dnnl_status_t desc_init(held_desc *md, const matrix_desc *d)
{
    return dnnl_memory_desc_create_with_strides(md, d->rank, d->dims, d->type, d->strides);
}
static void desc_release(held_desc *md)
{
    if (*md) dnnl_memory_desc_destroy(*md);
}
static dnnl_status_t desc_free(held_desc *md, const matrix_desc *d)
{
    return dnnl_memory_desc_create_with_tag(md, d->rank, d->dims, d->type, dnnl_format_tag_any);
}
static gr__dnn_desc borrow(const held_desc *md) { return *md; }
static dnnl_status_t append_sum(dnnl_post_ops_t ops)
{
    return dnnl_post_ops_append_sum(ops, 1.0f, 0, dnnl_data_type_undef);
}
static dnnl_status_t matmul_desc(dnnl_primitive_desc_t *out, held_desc *a, held_desc *b, held_desc *bias, held_desc *c,
                                 const_dnnl_primitive_attr_t attr)
{
    return dnnl_matmul_primitive_desc_create(out, engine, *a, *b, bias ? *bias : NULL, *c, attr);
}
static dnnl_status_t make_scratch(dnnl_memory_t *out, const_dnnl_primitive_desc_t desc, size_t *bytes)
{
    const_dnnl_memory_desc_t md = dnnl_primitive_desc_query_md(desc, dnnl_query_scratchpad_md, 0);
    *bytes = md ? dnnl_memory_desc_get_size(md) : 0;
    return *bytes ? dnnl_memory_create(out, md, engine, DNNL_MEMORY_NONE) : dnnl_success;
}

#else

typedef dnnl_memory_desc_t held_desc;

static dnnl_status_t desc_init(held_desc *md, const matrix_desc *d)
{
    return dnnl_memory_desc_init_by_strides(md, d->rank, d->dims, d->type, d->strides);
}
static void desc_release(held_desc *md) { (void)md; }
static dnnl_status_t desc_free(held_desc *md, const matrix_desc *d)
{
    return dnnl_memory_desc_init_by_tag(md, d->rank, d->dims, d->type, dnnl_format_tag_any);
}
static gr__dnn_desc borrow(const held_desc *md) { return md; }
static dnnl_status_t append_sum(dnnl_post_ops_t ops) { return dnnl_post_ops_append_sum(ops, 1.0f); }
static dnnl_status_t matmul_desc(dnnl_primitive_desc_t *out, held_desc *a, held_desc *b, held_desc *bias, held_desc *c,
                                 const_dnnl_primitive_attr_t attr)
{
    dnnl_matmul_desc_t op;
    dnnl_status_t status = dnnl_matmul_desc_init(&op, a, b, bias, c);
    return status == dnnl_success ? dnnl_primitive_desc_create(out, &op, attr, engine, NULL) : status;
}
static dnnl_status_t make_scratch(dnnl_memory_t *out, const_dnnl_primitive_desc_t desc, size_t *bytes)
{
    const dnnl_memory_desc_t *md = dnnl_primitive_desc_query_md(desc, dnnl_query_scratchpad_md, 0);
    *bytes = md ? dnnl_memory_desc_get_size(md) : 0;
    return *bytes ? dnnl_memory_create(out, md, engine, DNNL_MEMORY_NONE) : dnnl_success;
}

#endif

/* A dimension of size 1 gets the stride that a dense matrix has: implementations look at it. */
static matrix_desc describe(gr_dtype dtype, int64_t batch, int64_t rows, int64_t cols, int64_t row, int64_t col,
                            int64_t step)
{
    if (rows == 1) row = col == 1 ? cols : 1;
    if (cols == 1) col = row == 1 && rows > 1 ? rows : 1;
    int rank = batch > 1 ? 3 : 2;
    matrix_desc d = {.rank = rank, .type = dtype == GR_BF16 ? dnnl_bf16 : dnnl_f32};
    d.dims[0] = step == 0 ? 1 : batch;
    d.strides[0] = step == 0 ? (rows * row > cols * col ? rows * row : cols * col) : step;
    d.dims[rank - 2] = rows;
    d.strides[rank - 2] = row;
    d.dims[rank - 1] = cols;
    d.strides[rank - 1] = col;
    return d;
}

enum { A, B, BIAS, C, SCRATCH };

static gr__dnn_desc ordered(const gr__dnn_piece *mm)
{
    return dnnl_primitive_desc_query_md(mm->desc, dnnl_query_weights_md, 0);
}

static gr_status make_primitive(gr__dnn_piece *mm, held_desc md[4], const_dnnl_primitive_attr_t attr)
{
    const gr__dnn_matmul_shape *s = &mm->shape;
    DNN_TRY(matmul_desc(&mm->desc, &md[A], &md[B], s->bias ? &md[BIAS] : NULL, &md[C], attr), "plan a matrix product");
    if (dnnl_primitive_desc_query(mm->desc, dnnl_query_impl_info_str, 0, &mm->name) != dnnl_success) mm->name = "?";
    GR_FAIL_IF(strncmp(mm->name, "ref", 3) == 0, GR_ERR_UNSUPPORTED,
               "%s has only its reference code for a (%lld, %lld) x (%lld, %lld) product with these strides",
               version_text, (long long)s->m, (long long)s->k, (long long)s->k, (long long)s->n);
    DNN_TRY(dnnl_primitive_create(&mm->primitive, mm->desc), "make a matrix product");
    DNN_TRY(dnnl_stream_create(&mm->stream, engine, dnnl_stream_default_flags), "make a stream");
    static const int arg[5] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_BIAS, DNNL_ARG_DST, DNNL_ARG_SCRATCHPAD};
    for (int i = 0; i < 4; i++)
        if (i != BIAS || s->bias)
            DNN_TRY(dnnl_memory_create(&mm->memory[i], i == B && s->ordered_b ? ordered(mm) : borrow(&md[i]), engine,
                                       DNNL_MEMORY_NONE),
                    "make a memory object");
    if (s->scratchpad)
        DNN_TRY(make_scratch(&mm->memory[SCRATCH], mm->desc, &mm->scratch_bytes), "make a scratch memory object");
    for (int i = 0; i < 5; i++)
        if (mm->memory[i]) mm->args[mm->n_args++] = (dnnl_exec_arg_t){arg[i], mm->memory[i]};
    return GR_OK;
}

static gr_status make_attr(const gr__dnn_matmul_shape *s, dnnl_primitive_attr_t *attr)
{
    DNN_TRY(dnnl_primitive_attr_create(attr), "make attributes");
    if (s->scratchpad)
        DNN_TRY(dnnl_primitive_attr_set_scratchpad_mode(*attr, dnnl_scratchpad_mode_user), "set attributes");
    if (!s->accumulate) return GR_OK;
    dnnl_post_ops_t ops = NULL;
    DNN_TRY(dnnl_post_ops_create(&ops), "make post-operations");
    dnnl_status_t status = append_sum(ops);
    if (status == dnnl_success) status = dnnl_primitive_attr_set_post_ops(*attr, ops);
    dnnl_post_ops_destroy(ops);
    DNN_TRY(status, "set post-operations");
    return GR_OK;
}

static matrix_desc describe_b(const gr__dnn_matmul_shape *s)
{
    return describe(s->b_dtype, s->batch, s->k, s->n, s->b_row, s->b_col, s->b_batch);
}

static bool empty(const gr__dnn_matmul_shape *s) { return s->m == 0 || s->n == 0 || s->k == 0; }

static gr_status build(gr__dnn_piece *mm)
{
    const gr__dnn_matmul_shape *s = &mm->shape;
    matrix_desc d[4] = {
        describe(s->a_dtype, s->batch, s->m, s->k, s->a_row, s->a_col, s->a_batch),
        describe_b(s),
        describe(GR_F32, s->batch, 1, s->n, s->n, 1, 0),
        describe(s->c_dtype, s->batch, s->m, s->n, s->c_row, s->c_col, s->c_batch),
    };
    held_desc md[4];
    memset(md, 0, sizeof md);
    dnnl_primitive_attr_t attr = NULL;
    gr_status status = make_attr(s, &attr);
    for (int i = 0; i < 4 && status == GR_OK; i++) {
        dnnl_status_t made = i == B && s->ordered_b ? desc_free(&md[i], &d[i]) : desc_init(&md[i], &d[i]);
        if (made != dnnl_success) status = gr__dnn_failed(made, "describe a matrix");
    }
    if (status == GR_OK) status = make_primitive(mm, md, attr);
    for (int i = 0; i < 4; i++) desc_release(&md[i]);
    if (attr) dnnl_primitive_attr_destroy(attr);
    return status;
}

gr_status gr__dnn_piece_new(const gr__dnn_matmul_shape *shape, gr__dnn_piece **out)
{
    GR_FAIL_IF(!gr__dnn_available(), GR_ERR_UNSUPPORTED, "%s found no usable processor", version_text);
    bool dtypes = shape->a_dtype == shape->b_dtype &&
                  ((shape->a_dtype == GR_F32 && shape->c_dtype == GR_F32) ||
                   (shape->a_dtype == GR_BF16 && (shape->c_dtype == GR_F32 || shape->c_dtype == GR_BF16)));
    GR_FAIL_IF(!dtypes, GR_ERR_UNSUPPORTED, "no oneDNN product %s x %s -> %s", gr_dtype_name(shape->a_dtype),
               gr_dtype_name(shape->b_dtype), gr_dtype_name(shape->c_dtype));
    /* 3.7.2 takes these for lines without gaps and answers wrong; they are too small to miss. */
    bool row_with_gaps = shape->m == 1 && shape->k > 1 && shape->a_col != 1;
    bool column_with_gaps = shape->n == 1 && shape->m > 1 && shape->c_row != 1;
    GR_FAIL_IF(row_with_gaps || column_with_gaps, GR_ERR_UNSUPPORTED, "no oneDNN product of a %s with gaps",
               row_with_gaps ? "row" : "column");
    gr__dnn_piece *mm = gr__calloc(1, sizeof *mm);
    if (!mm) return gr__fail_memory("a matrix product", sizeof *mm);
    mm->shape = *shape;
    mm->name = "empty";
    if (mm->shape.batch == 0) mm->shape.batch = 1;
    gr_status status = GR_OK;
    if (!empty(shape)) {
        status = gr__dnn_begin_first();
        if (status == GR_OK) {
            status = build(mm);
            gr__dnn_end_first();
        }
    }
    if (status != GR_OK) {
        gr__dnn_piece_free(mm);
        return status;
    }
    *out = mm;
    return GR_OK;
}

void gr__dnn_piece_free(gr__dnn_piece *mm)
{
    if (!mm) return;
    for (int i = 0; i < 5; i++)
        if (mm->memory[i]) dnnl_memory_destroy(mm->memory[i]);
    if (mm->stream) dnnl_stream_destroy(mm->stream);
    if (mm->primitive) dnnl_primitive_destroy(mm->primitive);
    if (mm->desc) dnnl_primitive_desc_destroy(mm->desc);
    gr__free(mm);
}

size_t gr__dnn_piece_scratch_bytes(const gr__dnn_piece *mm) { return mm->scratch_bytes; }

size_t gr__dnn_piece_ordered_bytes(const gr__dnn_piece *mm)
{
    return mm->shape.ordered_b && mm->desc ? dnnl_memory_desc_get_size(ordered(mm)) : 0;
}

gr_status gr__dnn_piece_order(gr__dnn_piece *mm, const void *b, void *to)
{
    matrix_desc d = describe_b(&mm->shape);
    held_desc plain = {0};
    dnnl_memory_t memory[2] = {NULL, NULL};
    dnnl_primitive_desc_t desc = NULL;
    dnnl_primitive_t reorder = NULL;
    dnnl_status_t s = desc_init(&plain, &d);
    if (s == dnnl_success) s = dnnl_memory_create(&memory[0], borrow(&plain), engine, (void *)(uintptr_t)b);
    if (s == dnnl_success) s = dnnl_memory_create(&memory[1], ordered(mm), engine, to);
    if (s == dnnl_success)
        s = dnnl_reorder_primitive_desc_create(&desc, borrow(&plain), engine, ordered(mm), engine, NULL);
    if (s == dnnl_success) s = dnnl_primitive_create(&reorder, desc);
    dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, memory[0]}, {DNNL_ARG_TO, memory[1]}};
    if (s == dnnl_success) s = dnnl_primitive_execute(reorder, mm->stream, 2, args);
    if (s == dnnl_success) s = dnnl_stream_wait(mm->stream);
    if (reorder) dnnl_primitive_destroy(reorder);
    if (desc) dnnl_primitive_desc_destroy(desc);
    for (int i = 0; i < 2; i++)
        if (memory[i]) dnnl_memory_destroy(memory[i]);
    desc_release(&plain);
    DNN_TRY(s, "order a matrix");
    return GR_OK;
}

const char *gr__dnn_piece_name(const gr__dnn_piece *mm) { return mm->name; }

/* m, n or k is 0: an empty sum. */
static gr_status run_empty(const gr__dnn_matmul_shape *s, void *c, const float *bias)
{
    GR_FAIL_IF(bias && s->c_dtype != GR_F32 && s->m && s->n, GR_ERR_UNSUPPORTED,
               "a product over k = 0 with a bias needs an f32 result");
    size_t bytes = gr_dtype_size_bytes(s->c_dtype);
    for (int64_t b = 0; b < s->batch; b++)
        for (int64_t i = 0; i < s->m; i++)
            for (int64_t j = 0; j < s->n; j++) {
                char *at = (char *)c + (b * s->c_batch + i * s->c_row + j * s->c_col) * (int64_t)bytes;
                if (!s->accumulate) memset(at, 0, bytes);
                if (bias) {
                    float sum;
                    memcpy(&sum, at, sizeof sum);
                    sum += bias[j];
                    memcpy(at, &sum, sizeof sum);
                }
            }
    return GR_OK;
}

static gr_status run_now(gr__dnn_piece *mm, const void *a, const void *b, void *c, const float *bias, void *scratch)
{
    void *handle[5] = {(void *)(uintptr_t)a, (void *)(uintptr_t)b, (void *)(uintptr_t)bias, c, scratch};
    for (int i = 0; i < 5; i++)
        if (mm->memory[i]) DNN_TRY(dnnl_memory_set_data_handle(mm->memory[i], handle[i]), "set a pointer");
    DNN_TRY(dnnl_primitive_execute(mm->primitive, mm->stream, mm->n_args, mm->args), "run a matrix product");
    DNN_TRY(dnnl_stream_wait(mm->stream), "wait for a matrix product");
    return GR_OK;
}

gr_status gr__dnn_piece_run(gr__dnn_piece *mm, const void *a, const void *b, void *c, const float *bias, void *scratch)
{
    if (empty(&mm->shape)) return run_empty(&mm->shape, c, bias);
    if (mm->ran) return run_now(mm, a, b, c, bias, scratch);
    GR_TRY(gr__dnn_begin_first());
    gr_status s = run_now(mm, a, b, c, bias, scratch);
    gr__dnn_end_first();
    mm->ran = s == GR_OK;
    return s;
}

/* ---- pieces on the pool ---- */

typedef struct pieces_run {
    gr_status (*run)(void *context, int64_t piece);
    void *context;
    _Atomic int failed; /* a status */
} pieces_run;

static void run_one(void *context, int64_t chunk, int thread)
{
    (void)thread;
    pieces_run *r = context;
    gr_status s = r->run(r->context, chunk);
    if (s != GR_OK) atomic_store(&r->failed, (int)s);
}

gr_status gr__dnn_run_pieces(int n, gr_status (*run)(void *context, int64_t piece), void *context)
{
    pieces_run r = {run, context, GR_OK};
    gr__parallel_home(0, n, false, run_one, &r);
    return (gr_status)atomic_load(&r.failed);
}
