/* A matrix product by oneDNN in pieces that our own pool runs, each by one thread: the library's own threads would wait for
 * each other, and ours for them, whenever something else runs on the machine. */
#include "kernel/onednn_int.h"

#include "base/alloc.h"
#include "base/parallel.h"

enum { MOST_PIECES = 64, PIECES_A_THREAD = 2, LINE = 64 };
#define LEAST_WORK 1e6 /* operations of a piece */

typedef struct piece {
    gr__dnn_piece *dnn;
    int64_t a, b, c, bias; /* where it begins: bytes */
    size_t scratch;
} piece;

struct gr__dnn_matmul {
    gr__dnn_matmul_shape shape;
    int n;
    size_t scratch_bytes;
    piece piece[MOST_PIECES];
};

/* One axis is cut: batches, columns of B, or rows of A; an operand that lies across is reordered by who reads it, so the axis
 * is not one along which it would be reordered again and again. */
typedef enum axis { BATCH, COLUMNS, ROWS } axis;

typedef struct cut {
    axis axis;
    int64_t all, step, least; /* of a piece; what is less joins the piece before it */
} cut;

static int64_t from(const cut *c, int64_t first)
{
    return c->all - first < c->step + c->least ? c->all - first : c->step;
}

static cut cut_of(const gr__dnn_matmul_shape *s)
{
    int64_t batch = GR__MAX(s->batch, 1), width = gr__parallel_width();
    double work = 2.0 * (double)batch * (double)s->m * (double)s->n * (double)s->k;
    int64_t pieces = GR__MIN(GR__MIN((int64_t)(work / LEAST_WORK), PIECES_A_THREAD * width), MOST_PIECES), unit = 1;
    cut c = {.axis = BATCH, .all = batch};
    if (batch < pieces) {
        bool across = s->a_col != 1 && s->m >= s->n / 2;
        c.axis = across ? ROWS : COLUMNS;
        if (c.axis == COLUMNS && s->n < pieces * LINE / 2 && s->m > s->n) c.axis = ROWS;
        c.all = c.axis == ROWS ? s->m : s->n;
        unit = c.axis == ROWS ? 16 : LINE;
    }
    if (width == 1 || pieces < 2 || s->ordered_b) pieces = 1;
    c.step = (c.all + pieces - 1) / pieces;
    if (pieces > 1) c.step = (c.step + unit - 1) / unit * unit;
    c.least = unit / 2;
    return c;
}

static gr_status add_piece(gr__dnn_matmul *mm, const cut *c, int64_t first)
{
    gr__dnn_matmul_shape s = mm->shape;
    piece *p = &mm->piece[mm->n++];
    int64_t n = from(c, first), item = (int64_t)gr_dtype_size_bytes(s.a_dtype),
            c_item = (int64_t)gr_dtype_size_bytes(s.c_dtype);
    if (c->axis == BATCH) {
        s.batch = n;
        *p = (piece){.a = first * s.a_batch * item, .b = first * s.b_batch * item, .c = first * s.c_batch * c_item};
    } else if (c->axis == ROWS) {
        s.m = n;
        *p = (piece){.a = first * s.a_row * item, .c = first * s.c_row * c_item};
    } else {
        s.n = n;
        *p = (piece){.b = first * s.b_col * item, .c = first * s.c_col * c_item, .bias = first * 4};
    }
    GR_TRY(gr__dnn_piece_new(&s, &p->dnn));
    p->scratch = mm->scratch_bytes;
    mm->scratch_bytes += (gr__dnn_piece_scratch_bytes(p->dnn) + LINE - 1) / LINE * LINE;
    return GR_OK;
}

/* A B in the library's own order is cut by the library. */
static int threads_of(const gr__dnn_matmul_shape *s) { return s->ordered_b ? gr_threads() : 1; }

gr_status gr__dnn_matmul_new(const gr__dnn_matmul_shape *shape, gr__dnn_matmul **out)
{
    gr__dnn_matmul *mm = gr__calloc(1, sizeof *mm);
    if (!mm) return gr__fail_memory("a matrix product", sizeof *mm);
    mm->shape = *shape;
    cut c = cut_of(shape);
    gr_status status = GR_OK;
    gr__dnn_use_threads(threads_of(shape));
    for (int64_t first = 0; status == GR_OK && (first == 0 || first < c.all); first += GR__MAX(from(&c, first), 1))
        status = add_piece(mm, &c, first);
    gr__dnn_use_threads(gr_threads());
    if (status != GR_OK)
        gr__dnn_matmul_free(mm);
    else
        *out = mm;
    return status;
}

void gr__dnn_matmul_free(gr__dnn_matmul *mm)
{
    for (int i = 0; mm && i < mm->n; i++) gr__dnn_piece_free(mm->piece[i].dnn);
    gr__free(mm);
}

size_t gr__dnn_matmul_scratch_bytes(const gr__dnn_matmul *mm) { return mm->scratch_bytes; }

size_t gr__dnn_matmul_ordered_bytes(const gr__dnn_matmul *mm) { return gr__dnn_piece_ordered_bytes(mm->piece[0].dnn); }

gr_status gr__dnn_matmul_order(gr__dnn_matmul *mm, const void *b, void *to)
{
    return gr__dnn_piece_order(mm->piece[0].dnn, b, to);
}

const char *gr__dnn_matmul_name(const gr__dnn_matmul *mm) { return gr__dnn_piece_name(mm->piece[0].dnn); }

typedef struct run {
    const gr__dnn_matmul *mm;
    const char *a, *b;
    char *c, *scratch;
    const float *bias;
} run;

static gr_status run_piece(void *context, int64_t chunk)
{
    const run *r = context;
    const piece *p = &r->mm->piece[chunk];
    gr__dnn_use_threads(threads_of(&r->mm->shape));
    return gr__dnn_piece_run(p->dnn, r->a + p->a, r->b + p->b, r->c + p->c, r->bias ? r->bias + p->bias / 4 : NULL,
                             r->scratch ? r->scratch + p->scratch : NULL);
}

gr_status gr__dnn_matmul_run(gr__dnn_matmul *mm, const void *a, const void *b, void *c, const float *bias,
                             void *scratch)
{
    run r = {.mm = mm, .a = a, .b = b, .c = c, .bias = bias, .scratch = scratch};
    gr_status s = gr__dnn_run_pieces(mm->n, run_piece, &r);
    return s == GR_OK
               ? s
               : gr__fail(s, "oneDNN could not run a (%lld, %lld) x (%lld, %lld) product", (long long)mm->shape.m,
                          (long long)mm->shape.k, (long long)mm->shape.k, (long long)mm->shape.n);
}
