/* In place of jpeg.c where TurboJPEG is not built in. */
#include "format/image_int.h"

gr_status gr__jpeg_decode(const unsigned char *bytes, size_t n, const char *name, uint64_t most_pixels,
                          gr__decoded *out)
{
    (void)bytes, (void)n, (void)most_pixels, (void)out;
    return gr__fail(GR_ERR_UNSUPPORTED,
                    "cannot load '%s': this build reads no JPEG; install libturbojpeg0-dev and build again", name);
}
