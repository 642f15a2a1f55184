/* JSON Lines: one JSON value a line, plain or gzipped, a line at a time. Blank lines and a BOM are skipped, a CR before the
 * newline too. Messages carry file:line:column. A bad line is one failure: the next call goes on behind it, so that the
 * caller may count bad lines instead of giving up. */
#ifndef GR__JSONL_H
#define GR__JSONL_H

#include "base/json.h"

typedef struct gr__jsonl gr__jsonl;

gr_status gr__jsonl_open(const char *path, gr__jsonl **out);
void gr__jsonl_close(gr__jsonl **jsonl);
/* The next value, borrowed until the next call; *more = false at the end. GR_ERR_CORRUPT, GR_ERR_LIMIT: this line is bad;
 * GR_ERR_IO, GR_ERR_MEMORY, and a line above GR__LIMIT_JSONL_LINE_BYTES: nothing more can be read. */
gr_status gr__jsonl_next(gr__jsonl *jsonl, gr__json *value, bool *more);
size_t gr__jsonl_line(const gr__jsonl *jsonl); /* of that value, from 1 */
/* The bytes of that value as they are in the file, borrowed until the next call. */
const char *gr__jsonl_text(const gr__jsonl *jsonl, size_t *n);

#endif
