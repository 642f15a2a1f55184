/* Texts as encoders take them: what the tokenizer puts around each, cut to a length. */
#ifndef GR__ENCODE_H
#define GR__ENCODE_H

#include "gradus/text.h"

/* The ids of a text with the tokenizer's template around it, at most 'most' of them: the end of the text is cut off, the
 * template stays. Fresh memory for gr_text_free(). GR_ERR_DATA: no token is left of the text. */
gr_status gr__encode_whole(const gr_tokenizer *tok, const char *text, size_t n, int64_t most, int32_t **ids,
                           size_t *n_ids);

#endif
