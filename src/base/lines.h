/* A text file a line at a time, plain or gzipped. A BOM is skipped; a line has neither its newline nor a CR before it. Where the
 * first 64 KiB have a CR and no newline, CRs end lines. UTF-16 is GR_ERR_DATA. */
#ifndef GR__LINES_H
#define GR__LINES_H

#include "base/status.h"

typedef struct gr__lines gr__lines;

/* Lines longer than 'most' bytes are GR_ERR_LIMIT. */
gr_status gr__lines_open(const char *path, size_t most, gr__lines **out);
void gr__lines_close(gr__lines **lines);
/* n bytes, borrowed until the next call; *more = false at the end. Nothing can be read after a failure. */
gr_status gr__lines_next(gr__lines *lines, const char **text, size_t *n, bool *more);
size_t gr__lines_number(const gr__lines *lines); /* of that line, from 1 */

#endif
