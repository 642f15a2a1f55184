/* In place of png.c where libpng is not built in. */
#include "format/image_int.h"

gr_status gr__png_decode(const unsigned char *bytes, size_t n, const char *name, uint64_t most_pixels, gr__decoded *out)
{
    (void)bytes, (void)n, (void)most_pixels, (void)out;
    return gr__fail(GR_ERR_UNSUPPORTED, "cannot load '%s': this build reads no PNG; install libpng-dev and build again",
                    name);
}

gr_status gr__png_encode(const gr__image *image, const char *name, gr__str *out)
{
    (void)image, (void)out;
    return gr__fail(GR_ERR_UNSUPPORTED,
                    "cannot write '%s': this build writes no PNG; install libpng-dev and build again", name);
}
