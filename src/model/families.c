/* The registry of model families. */
#include "model/family.h"

#include <string.h>

const gr__family *const gr__families[] = {
#define GR_X(name) &gr__family_##name,
#include "model/families.def"
#undef GR_X
};
const int gr__n_families = (int)GR__COUNT(gr__families);

gr_status gr__family_check(const gr__family *f, gr_model_kind kind)
{
    bool ranks = kind == GR_MODEL_RECOMMENDER && !f->build_rating;
    const struct {
        bool needed, there;
        const char *name;
    } rows[] = {
        {true, f->finish != NULL, "finish"},
        {true, f->describe != NULL, "describe"},
        {true, f->hf_type != NULL, "hf_type"},
        {true, f->hf_class || f->architecture, "hf_class"},
        {true, f->read_json != NULL, "read_json"},
        {true, f->write_json != NULL, "write_json"},
        {kind == GR_MODEL_LM, f->build_lm != NULL, "build_lm"},
        {kind == GR_MODEL_VECTOR, f->build_vector != NULL, "build_vector"},
        {kind == GR_MODEL_VECTOR, f->sizes != NULL, "sizes"},
        {kind == GR_MODEL_ENCODER, f->build_encoder != NULL, "build_encoder"},
        {kind == GR_MODEL_ENCODER, f->build_head != NULL, "build_head"},
        {kind == GR_MODEL_ENCODER || kind == GR_MODEL_TABLE, f->labels != NULL, "labels"},
        {kind == GR_MODEL_PICTURE, f->build_picture != NULL, "build_picture"},
        {kind == GR_MODEL_DETECTOR, f->build_detector != NULL, "build_detector"},
        {kind == GR_MODEL_DETECTOR, f->places != NULL, "places"},
        {kind == GR_MODEL_SPEECH, f->build_speech != NULL, "build_speech"},
        {kind == GR_MODEL_SPEECH, f->speech_steps != NULL, "speech_steps"},
        {kind == GR_MODEL_GENERATOR, f->build_decode != NULL, "build_decode"},
        {kind == GR_MODEL_GENERATOR, f->latent != NULL, "latent"},
        {kind == GR_MODEL_GENERATOR, f->build_code || f->build_judge, "build_code or build_judge"},
        {kind == GR_MODEL_TABLE, f->build_table != NULL, "build_table"},
        {kind == GR_MODEL_TABLE || kind == GR_MODEL_FITTED, f->columns != NULL, "columns"},
        {kind == GR_MODEL_SERIES, f->build_series != NULL, "build_series"},
        {ranks, f->build_query && f->build_items, "build_rating, nor build_query and build_items"},
        {kind == GR_MODEL_FITTED, f->build_fitted != NULL, "build_fitted"},
        {kind == GR_MODEL_FITTED, f->fit != NULL, "fit"},
    };
    for (size_t i = 0; i < GR__COUNT(rows); i++)
        GR_FAIL_IF(rows[i].needed && !rows[i].there, GR_ERR_INTERNAL, "the row of the family '%s' has no %s", f->name,
                   rows[i].name);
    return GR_OK;
}

static gr_status unknown(gr_status status, const char *name, const char *const *known, size_t n)
{
    gr__str list = {0};
    for (size_t i = 0; i < n; i++) gr__str_printf(&list, "%s%s", i ? ", " : "", known[i]);
    const char *near = gr__str_nearest(name, known, n);
    status = gr__fail(status, "unknown kind of model '%.100s'%s%s%s; known: %s", name, near ? "; did you mean '" : "",
                      near ? near : "", near ? "'?" : "", gr__str_get(&list));
    gr__str_release(&list);
    return status;
}

gr_status gr__family_find(const char *name, const gr__family **out)
{
    const char *known[GR__COUNT(gr__families)];
    for (int i = 0; i < gr__n_families; i++) {
        known[i] = gr__families[i]->name;
        if (strcmp(known[i], name) != 0) continue;
        *out = gr__families[i];
        return GR_OK;
    }
    return unknown(GR_ERR_CONFIG, name, known, GR__COUNT(known));
}

const char *gr__model_type(const gr__conf *root, const char *otherwise)
{
    const gr__conf *type = gr__conf_main(gr__conf_get(root, "model"), "type");
    return gr__conf_is_null(type) || type->kind != GR__CONF_SCALAR ? otherwise : type->text;
}

gr_status gr__model_default(gr__conf *root, const char *name, gr__arena *arena)
{
    return gr__model_type(root, NULL) ? GR_OK : gr__conf_set(root, "model.type", name, arena);
}

gr_status gr__family_find_hf(const char *model_type, const gr__family **out)
{
    const char *known[GR__COUNT(gr__families)];
    size_t n = 0;
    for (int i = 0; i < gr__n_families; i++) {
        if (!gr__families[i]->hf_type) continue;
        known[n++] = gr__families[i]->hf_type;
        if (strcmp(gr__families[i]->hf_type, model_type) != 0) continue;
        *out = gr__families[i];
        return GR_OK;
    }
    return unknown(GR_ERR_UNSUPPORTED, model_type, known, n);
}
