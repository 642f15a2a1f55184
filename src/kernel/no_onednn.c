/* In place of onednn.c where oneDNN is not built in. */
#include "kernel/onednn.h"

bool gr__dnn_available(void) { return false; }

void gr__dnn_hide(bool on) { (void)on; }

const char *gr__dnn_version(void) { return "none"; }

gr_status gr__dnn_matmul_new(const gr__dnn_matmul_shape *shape, gr__dnn_matmul **out)
{
    (void)shape;
    (void)out;
    return gr__fail(GR_ERR_UNSUPPORTED, "this build has no oneDNN");
}

void gr__dnn_matmul_free(gr__dnn_matmul *mm) { (void)mm; }

size_t gr__dnn_matmul_scratch_bytes(const gr__dnn_matmul *mm)
{
    (void)mm;
    return 0;
}

size_t gr__dnn_matmul_ordered_bytes(const gr__dnn_matmul *mm)
{
    (void)mm;
    return 0;
}

gr_status gr__dnn_matmul_order(gr__dnn_matmul *mm, const void *b, void *to)
{
    (void)mm, (void)b, (void)to;
    return gr__fail(GR_ERR_UNSUPPORTED, "this build has no oneDNN");
}

const char *gr__dnn_matmul_name(const gr__dnn_matmul *mm)
{
    (void)mm;
    return "none";
}

gr_status gr__dnn_matmul_run(gr__dnn_matmul *mm, const void *a, const void *b, void *c, const float *bias,
                             void *scratch)
{
    (void)mm, (void)a, (void)b, (void)c, (void)bias, (void)scratch;
    return gr__fail(GR_ERR_UNSUPPORTED, "this build has no oneDNN");
}

gr_status gr__dnn_conv_new(const gr__dnn_conv_job *job, gr__dnn_conv **out)
{
    (void)job;
    (void)out;
    return gr__fail(GR_ERR_UNSUPPORTED, "this build has no oneDNN");
}

void gr__dnn_conv_free(gr__dnn_conv *conv) { (void)conv; }

size_t gr__dnn_conv_scratch_bytes(const gr__dnn_conv *conv)
{
    (void)conv;
    return 0;
}

const char *gr__dnn_conv_name(const gr__dnn_conv *conv)
{
    (void)conv;
    return "none";
}

gr_status gr__dnn_conv_run(gr__dnn_conv *conv, void *x, void *w, void *y, const float *bias, void *scratch)
{
    (void)conv, (void)x, (void)w, (void)y, (void)bias, (void)scratch;
    return gr__fail(GR_ERR_UNSUPPORTED, "this build has no oneDNN");
}
