/* What all families that write down what they hear have in common: the first member of their configuration is a
 * gr__speech_config. Symbol 0 of the logits is CTC's blank, the others are 'symbols' in order. */
#ifndef GR__SPEECH_H
#define GR__SPEECH_H

#include "model/family.h"
#include "model/sound.h"

typedef struct gr__speech_config {
    gr__features sound;
    gr__conf_strings symbols; /* words or characters, without the blank */
    bool words;
} gr__speech_config;

gr_status gr__speech_finish(gr__speech_config *c, const gr__facts *facts);
gr_status gr__speech_read_json(gr__json root, gr__speech_config *c, gr__arena *arena);
void gr__speech_write_json(const gr__speech_config *c, gr__str *out);
const gr__conf_strings *gr__speech_symbols(const void *config);

/* The text of n symbols, words with blanks between them, appended. */
void gr__speech_text(const gr__speech_config *c, const int32_t *ids, int64_t n, gr__str *out);

#endif
