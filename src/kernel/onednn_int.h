/* What onednn.c, onednn_conv_piece.c and the files that cut work into their pieces share: the only files that see oneDNN. */
#ifndef GR__ONEDNN_INT_H
#define GR__ONEDNN_INT_H

#include "kernel/onednn.h"

#include <dnnl.h>

/* A memory descriptor, borrowed. */
#if DNNL_VERSION_MAJOR >= 3
typedef const_dnnl_memory_desc_t gr__dnn_desc;
#else
typedef const dnnl_memory_desc_t *gr__dnn_desc;
#endif

/* NULL where the library is hidden or found no usable processor. */
dnnl_engine_t gr__dnn_engine(void);
/* Around the making of a piece and its first run, one at a time: GR_ERR_MEMORY (nothing to end) where there is too little
 * left for the code that the library makes for itself. It does not look at what allocations give, or throws what C cannot
 * catch. */
gr_status gr__dnn_begin_first(void);
void gr__dnn_end_first(void);
/* What the library makes and runs for this thread uses so many of OpenMP's threads. */
void gr__dnn_use_threads(int threads);
/* The status that fits, with a sentence: "cannot <what>". */
gr_status gr__dnn_failed(dnnl_status_t status, const char *what);

/* A product or a part of one, by the calling thread alone: as gr__dnn_matmul. */
typedef struct gr__dnn_piece gr__dnn_piece;
gr_status gr__dnn_piece_new(const gr__dnn_matmul_shape *shape, gr__dnn_piece **out);
void gr__dnn_piece_free(gr__dnn_piece *piece);
size_t gr__dnn_piece_scratch_bytes(const gr__dnn_piece *piece);
size_t gr__dnn_piece_ordered_bytes(const gr__dnn_piece *piece);
gr_status gr__dnn_piece_order(gr__dnn_piece *piece, const void *b, void *to);
const char *gr__dnn_piece_name(const gr__dnn_piece *piece);
gr_status gr__dnn_piece_run(gr__dnn_piece *piece, const void *a, const void *b, void *c, const float *bias,
                            void *scratch);

/* A convolution or a part of one, by the calling thread alone, with weights as the library wants them. */
typedef struct gr__dnn_conv_piece gr__dnn_conv_piece;
gr_status gr__dnn_conv_piece_new(const gr__dnn_conv_job *job, gr__dnn_conv_piece **out);
void gr__dnn_conv_piece_free(gr__dnn_conv_piece *piece);
size_t gr__dnn_conv_piece_scratch_bytes(const gr__dnn_conv_piece *piece);
/* Of the weights as the library wants them; 0: as they are stored. */
size_t gr__dnn_conv_piece_blocked_bytes(const gr__dnn_conv_piece *piece);
/* From stored weights to those, or back where they are the result; only with blocked bytes. */
gr_status gr__dnn_conv_piece_reorder(gr__dnn_conv_piece *piece, void *w, void *blocked);
/* Both want the same. */
bool gr__dnn_conv_piece_fits(const gr__dnn_conv_piece *piece, const gr__dnn_conv_piece *other);
const char *gr__dnn_conv_piece_name(const gr__dnn_conv_piece *piece);
gr_status gr__dnn_conv_piece_run(gr__dnn_conv_piece *piece, void *x, void *w, void *y, const float *bias,
                                 void *scratch);

/* Runs pieces 0 .. n-1 on the pool; the status of one that failed, or GR_OK. */
gr_status gr__dnn_run_pieces(int n, gr_status (*run)(void *context, int64_t piece), void *context);

#define DNN_TRY(expr, what)                                                        \
    do {                                                                           \
        dnnl_status_t dnn_status = (expr);                                         \
        if (dnn_status != dnnl_success) return gr__dnn_failed(dnn_status, (what)); \
    } while (0)

#endif
