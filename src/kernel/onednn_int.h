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
/* The status that fits, with a sentence: "cannot <what>". */
gr_status gr__dnn_failed(dnnl_status_t status, const char *what);

#define DNN_TRY(expr, what)                                                        \
    do {                                                                           \
        dnnl_status_t dnn_status = (expr);                                         \
        if (dnn_status != dnnl_success) return gr__dnn_failed(dnn_status, (what)); \
    } while (0)

#endif
