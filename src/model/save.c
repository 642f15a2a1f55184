/* Writing a model as a Hugging Face folder that Transformers opens as it is. */
#include "format/weights.h"
#include "graph/graph.h"
#include "model/family.h"
#include "model/hf_json.h"

#include <math.h>
#include <string.h>

enum { SHARD_BYTES = 2000000000 };

static void put_id(gr__str *s, const char *key, int32_t id)
{
    if (id < 0)
        gr__hf_put_raw(s, key, "null");
    else
        gr__hf_put_int(s, key, id);
}

static void put_ids(gr__str *s, const gr_model *m)
{
    put_id(s, "bos_token_id", m->bos);
    if (m->n_eos <= 1) {
        put_id(s, "eos_token_id", m->n_eos ? m->eos[0] : -1);
    } else {
        gr__str list = {0};
        for (int i = 0; i < m->n_eos; i++) gr__str_printf(&list, "%s%d", i ? ", " : "[", (int)m->eos[i]);
        gr__str_add_char(&list, ']');
        if (list.failed) s->failed = true;
        gr__hf_put_raw(s, "eos_token_id", gr__str_get(&list));
        gr__str_release(&list);
    }
    put_id(s, "pad_token_id", m->pad);
}

static gr_status write_members(const char *folder, const char *name, const gr__str *members)
{
    gr__str text = {0};
    gr__str_printf(&text, "{\n%s\n}\n", gr__str_get(members));
    char *path = gr__path_join(folder, name);
    gr_status status = path ? gr__str_check(members) : gr__fail_memory("a file name", strlen(folder));
    if (status == GR_OK) status = gr__str_check(&text);
    if (status == GR_OK) status = gr__file_write(path, text.text, text.n);
    gr__free(path);
    gr__str_release(&text);
    return status;
}

void gr__model_put_config(const gr_model *m, gr__str *s)
{
    const gr__family *f = m->family;
    gr__str_printf(s, "  \"architectures\": [\"%s\"]", f->architecture ? f->architecture(m->config) : f->hf_class);
    gr__hf_put_text(s, "model_type", f->hf_type);
    if (f->kind == GR_MODEL_LM || f->kind == GR_MODEL_ENCODER) put_ids(s, m);
    gr__hf_put_text(s, "torch_dtype", "float32");
    if (f->kind == GR_MODEL_LM) gr__hf_put_bool(s, "use_cache", true);
    f->write_json(m->config, s);
    if (!isnan(m->threshold)) gr__hf_put_double(s, "threshold", m->threshold);
}

static gr_status save_config(const gr_model *m, const char *folder)
{
    const gr__family *f = m->family;
    gr__str s = {0};
    gr__model_put_config(m, &s);
    gr_status status = write_members(folder, "config.json", &s);
    gr__str_clear(&s);
    if (status == GR_OK && f->kind == GR_MODEL_LM) {
        put_ids(&s, m);
        status = write_members(folder, "generation_config.json", &s);
    }
    gr__str_release(&s);
    return status;
}

/* ---- weights ---- */

typedef struct list {
    gr__named_tensor *item;
    size_t n;
    gr__arena names;
    float *zeros; /* as many as the largest bias needs */
} list;

static gr_status add_zero_bias(list *l, const char *weight, const gr__value *v)
{
    size_t n = strlen(weight) - strlen(".weight");
    char *name = gr__arena_printf(&l->names, "%.*s.bias", (int)n, weight);
    if (!name) return gr__fail_memory("a model", n);
    l->item[l->n++] =
        (gr__named_tensor){name, {.dtype = GR_F32, .rank = 1, .dim = {v->dim[v->rank - 1]}, .data = l->zeros}};
    return GR_OK;
}

static gr_status collect(const gr_model *m, list *l)
{
    const gr__family *f = m->family;
    int n = gr__model_states(m, NULL, 0);
    bool zeros = f->zero_biases && f->zero_biases(m->config);
    int64_t most = 1;
    l->item = gr__calloc(2 * (size_t)n + 1, sizeof *l->item);
    gr_value *param = gr__calloc((size_t)n + 1, sizeof *param);
    gr_status status = l->item && param ? GR_OK : gr__fail_memory("a model", (size_t)n * sizeof *l->item);
    if (status == GR_OK) gr__model_states(m, param, n);
    for (int i = 0; i < n && status == GR_OK && zeros; i++) {
        const gr__value *v = gr__value_get(m->layout, param[i]);
        most = GR__MAX(most, v->dim[v->rank - 1]);
    }
    if (status == GR_OK && zeros && !(l->zeros = gr__calloc((size_t)most, sizeof *l->zeros)))
        status = gr__fail_memory("a model", (size_t)most * sizeof *l->zeros);
    for (int i = 0; i < n && status == GR_OK; i++) {
        const gr__value *v = gr__value_get(m->layout, param[i]);
        l->item[l->n].name = v->name;
        status = gr_store_get(m->store, v->name, &l->item[l->n++].tensor);
        if (status == GR_OK && zeros && gr__model_matches(f->biased, v->name)) status = add_zero_bias(l, v->name, v);
    }
    gr__free(param);
    return status;
}

static gr_status save_weights(const gr_model *m, const char *folder)
{
    static const gr__name_value metadata[] = {{"format", "pt"}};
    list l = {0};
    gr_status status = collect(m, &l);
    if (status == GR_OK) status = gr__weights_write(folder, l.item, l.n, metadata, GR__COUNT(metadata), SHARD_BYTES);
    gr__free(l.item);
    gr__free(l.zeros);
    gr__arena_release(&l.names);
    return status;
}

gr_status gr_model_save(const gr_model *m, const char *folder)
{
    GR_FAIL_IF(!m || !folder, GR_ERR_ARGUMENT, "gr_model_save: an argument is NULL");
    gr_status status = gr__dir_make(folder);
    if (status == GR_OK) status = save_weights(m, folder);
    if (status == GR_OK && m->tokenizer) status = gr_tokenizer_save(m->tokenizer, folder);
    if (status == GR_OK) status = save_config(m, folder);
    return status == GR_OK ? GR_OK : gr__fail_prefix(status, "cannot save the model to '%s'", folder);
}
