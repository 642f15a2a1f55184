/* What a model hears (audio/features.h), kept in its config.json. */
#ifndef GR__MODEL_SOUND_H
#define GR__MODEL_SOUND_H

#include "audio/features.h"
#include "model/hf_json.h"

/* The data's own, copied. GR_ERR_CONFIG: they do not fit together. */
gr_status gr__sound_take(const gr__features *from, gr__arena *arena, gr__features *out);
/* Without 'sampling_rate': out->rate is 0. */
gr_status gr__sound_read_json(gr__json root, gr__arena *arena, gr__features *out);
void gr__sound_write_json(const gr__features *f, gr__str *out);

#endif
