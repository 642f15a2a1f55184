/* What a model was fitted with, as its data had said it: to measure it, or to go on, with the same. */
#include "model/family.h"
#include "model/fitted.h"
#include "model/series.h"
#include "model/speech.h"

gr__facts gr__model_facts(const gr_model *m)
{
    gr__facts f = {.pad = -1};
    const gr__picture_config *p = m->config;
    const gr__speech_config *s = m->config;
    const gr__series_config *series = m->config;
    switch (gr_model_kind_of(m)) {
    case GR_MODEL_PICTURE:
    case GR_MODEL_CLIP:
    case GR_MODEL_DETECTOR:
    case GR_MODEL_SOUND:
        f.height = p->height, f.width = p->width, f.channels = p->channels;
        f.labels = p->labels, f.mean = p->mean, f.std = p->std;
        if (p->sound.rate) f.features = &p->sound;
        break;
    case GR_MODEL_SPEECH: f.labels = s->symbols, f.features = &s->sound, f.words = s->words; break;
    case GR_MODEL_SERIES:
        f.labels = series->names, f.mean = series->mean, f.std = series->std, f.log = series->log;
        break;
    case GR_MODEL_TABLE:
    case GR_MODEL_FITTED:
        f.columns = m->family->columns ? m->family->columns(m->config) : NULL;
        if (f.columns && f.columns->n == 0) f.columns = NULL; /* pictures */
        break;
    default: break;
    }
    return f;
}
