#include "model/sound.h"

#include <string.h>

static gr_status copy(const gr__conf_doubles *from, gr__arena *arena, gr__conf_doubles *out)
{
    size_t bytes = from->n * sizeof *from->item;
    double *own = gr__arena_alloc(arena, bytes + 1);
    if (!own) return gr__fail_memory("means", bytes);
    if (from->n) memcpy(own, from->item, bytes);
    *out = (gr__conf_doubles){own, from->n};
    return GR_OK;
}

gr_status gr__sound_take(const gr__features *from, gr__arena *arena, gr__features *out)
{
    *out = *from;
    GR_TRY(copy(&from->mean, arena, &out->mean));
    GR_TRY(copy(&from->std, arena, &out->std));
    return gr__features_check(out);
}

gr_status gr__sound_read_json(gr__json root, gr__arena *arena, gr__features *out)
{
    *out = (gr__features){0};
    GR_TRY(gr__hf_int(root, "sampling_rate", 1, 768000, &out->rate));
    if (!out->rate) return GR_OK;
    static const char *const needed[] = {"window_length", "hop_length", "num_mel_bins"};
    int64_t *to[] = {&out->window, &out->hop, &out->mels};
    for (int i = 0; i < 3; i++) {
        GR_TRY(gr__hf_need(root, needed[i]));
        GR_TRY(gr__hf_int(root, needed[i], 1, 1 << 16, to[i]));
    }
    GR_TRY(gr__hf_double(root, "low_hz", 0, 384000, &out->low));
    GR_TRY(gr__hf_double(root, "high_hz", 0, 384000, &out->high));
    GR_TRY(gr__hf_doubles(root, "band_mean", 1024, arena, &out->mean));
    GR_TRY(gr__hf_doubles(root, "band_std", 1024, arena, &out->std));
    for (size_t i = 0; i < out->std.n; i++)
        GR_FAIL_IF(!(out->std.item[i] > 0), GR_ERR_CORRUPT, "'band_std' must hold numbers above 0");
    return gr__features_check(out);
}

void gr__sound_write_json(const gr__features *f, gr__str *out)
{
    if (!f->rate) return;
    if (f->mean.n) gr__hf_put_doubles(out, "band_mean", &f->mean);
    if (f->std.n) gr__hf_put_doubles(out, "band_std", &f->std);
    gr__hf_put_double(out, "high_hz", f->high);
    gr__hf_put_int(out, "hop_length", f->hop);
    gr__hf_put_double(out, "low_hz", f->low);
    gr__hf_put_int(out, "num_mel_bins", f->mels);
    gr__hf_put_int(out, "sampling_rate", f->rate);
    gr__hf_put_int(out, "window_length", f->window);
}
