/* Prints the version of the library that it found; fails where header and library differ. */
#include <gradus/base.h>

#include <stdio.h>
#include <string.h>

int main(void)
{
    puts(gr_version());
    return gr_set_threads(1) != GR_OK || strcmp(gr_version(), GR_VERSION) != 0;
}
