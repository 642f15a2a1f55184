/* What onednn.c and onednn_conv.c share: the only files that see oneDNN. */
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

#define DNN_TRY(expr, what)                                                        \
    do {                                                                           \
        dnnl_status_t dnn_status = (expr);                                         \
        if (dnn_status != dnnl_success) return gr__dnn_failed(dnn_status, (what)); \
    } while (0)

#endif
