/* The registry of model families. */
#include "model/family.h"

#include <string.h>

const gr__family *const gr__families[] = {
#define GR_X(name) &gr__family_##name,
#include "model/families.def"
#undef GR_X
};
const int gr__n_families = (int)GR__COUNT(gr__families);

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
