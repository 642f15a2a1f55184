/* Opening a Hugging Face folder. Nothing is allocated for the weights before every tensor of the layout was found in
 * the file with its shape: what a hostile config.json asks for cannot be more than the file holds. */
#include "base/limits.h"
#include "base/log.h"
#include "base/map.h"
#include "format/weights.h"
#include "graph/graph.h"
#include "model/family.h"
#include "model/hf_json.h"
#include "tensor/convert.h"

#include <string.h>

/* ---- config.json ---- */

static gr_status read_ids(gr_model *m, gr__json root)
{
    int64_t vocab = m->family->describe(m->config).vocab, id;
    gr__json eos = gr__json_get(root, "eos_token_id");
    bool many = gr__json_kind_of(eos) == GR__JSON_ARRAY;
    size_t n = many ? gr__json_count(eos) : eos ? 1 : 0;
    int found = 0;
    if (gr__json_int(gr__json_get(root, "bos_token_id"), &id) && id >= 0 && id < vocab) m->bos = (int32_t)id;
    if (gr__json_int(gr__json_get(root, "pad_token_id"), &id) && id >= 0 && id < vocab) m->pad = (int32_t)id;
    for (size_t i = 0; i < n && found < GR__MAX_EOS; i++)
        if (gr__json_int(many ? gr__json_at(eos, i) : eos, &id) && id >= 0 && id < vocab) m->eos[found++] = (int32_t)id;
    if (found) m->n_eos = found;
    return GR_OK;
}

gr_status gr__model_of_config(gr__json root, gr_model **out)
{
    gr_model *m = NULL;
    const gr__family *family;
    const char *type = NULL;
    gr_status status = gr__hf_text(root, "model_type", &type);
    if (status == GR_OK && !type) status = gr__fail(GR_ERR_CORRUPT, "'model_type' is missing");
    if (status == GR_OK) status = gr__family_find_hf(type, &family);
    if (status == GR_OK) status = gr__model_make(family, &m);
    if (status == GR_OK) status = family->read_json(root, m->config, &m->arena);
    if (status == GR_OK) status = read_ids(m, root);
    if (status == GR_OK) status = gr__hf_double(root, "threshold", 0, 1, &m->threshold);
    if (status != GR_OK)
        gr_model_free(&m);
    else
        *out = m;
    return status;
}

static gr_status read_config(const char *path, gr_model **out)
{
    gr__json_doc *doc = NULL;
    GR_TRY(gr__json_read(path, GR__LIMIT_JSON_BYTES, &doc));
    gr_status status = gr__model_of_config(gr__json_root(doc), out);
    gr__json_free(&doc);
    return status == GR_OK ? GR_OK : gr__fail_prefix(status, "cannot open '%s'", path);
}

/* Its ids go before those of config.json. */
static gr_status read_generation_config(gr_model *m, const char *folder)
{
    gr__json_doc *doc;
    char *path = gr__path_join(folder, "generation_config.json");
    if (!path) return gr__fail_memory("a file name", strlen(folder));
    gr_status status = GR_OK;
    if (gr__file_exists(path)) {
        status = gr__json_read(path, GR__LIMIT_JSON_BYTES, &doc);
        if (status == GR_OK) {
            status = read_ids(m, gr__json_root(doc));
            gr__json_free(&doc);
        }
    }
    gr__free(path);
    return status;
}

/* ---- tokenizer ---- */

static gr_status open_tokenizer(gr_model *m, const char *folder)
{
    static const char *const names[] = {"tokenizer.json", "vocab.json", "encoder.json", "tokenizer.bin"};
    bool any = false;
    for (size_t i = 0; i < GR__COUNT(names) && !any; i++) {
        char *path = gr__path_join(folder, names[i]);
        if (!path) return gr__fail_memory("a file name", strlen(folder));
        any = gr__file_exists(path);
        gr__free(path);
    }
    if (!any) return GR_OK;
    GR_TRY(gr_tokenizer_open(folder, &m->tokenizer));
    int64_t vocab = m->family->describe(m->config).vocab, ids = gr_tokenizer_vocab_size(m->tokenizer);
    if (vocab > 0 && ids > vocab)
        gr__log(GR_LOG_WARNING, "'%s': the tokenizer has %lld ids, the model only %lld", folder, (long long)ids,
                (long long)vocab);
    return GR_OK;
}

/* ---- weights ---- */

typedef struct loader {
    gr_model *model;
    const gr__weights *weights;
    gr_value *param;           /* of the layout */
    const gr__stored **stored; /* of each, NULL: not there (yet) */
    int n;
    gr__map index;   /* path -> i */
    bool start;      /* only a beginning: what 'begins' names may be missing */
    bool other_head; /* and its head is for other labels */
} loader;

static const gr__value *param_at(const loader *l, int i) { return gr__value_get(l->model->layout, l->param[i]); }

static const char *shape_text(gr__str *s, int rank, const int64_t *dim)
{
    gr__str_clear(s);
    gr__str_add_char(s, '[');
    for (int i = 0; i < rank; i++) gr__str_printf(s, "%s%lld", i ? "," : "", (long long)dim[i]);
    gr__str_add_char(s, ']');
    return s->text ? s->text : "";
}

/* 'name' under the name of today, in 'room' where it has changed. */
static const char *name_of_today(const gr__family *f, const char *name, char *room, size_t n_room)
{
    size_t n = strlen(name);
    for (const gr__old_name *o = f->old_names; o && o->end; o++) {
        size_t end = strlen(o->end);
        if (n < end || strcmp(name + n - end, o->end) != 0 || n - end + strlen(o->now) >= n_room) continue;
        memcpy(room, name, n - end);
        strcpy(room + n - end, o->now);
        return room;
    }
    return name;
}

/* The parameter that a tensor of the file is for, or -1. */
static int find_param(const loader *l, const char *stored)
{
    const char *prefix = l->model->family->prefix;
    char room[GR__LIMIT_TENSOR_NAME_BYTES + 64];
    const char *name = name_of_today(l->model->family, stored, room, sizeof room);
    int64_t *i = gr__map_get_name(&l->index, name);
    if (i || !prefix) return i ? (int)*i : -1;
    char full[GR__LIMIT_TENSOR_NAME_BYTES + 64];
    if (strlen(prefix) + strlen(name) >= sizeof full) return -1;
    strcpy(full, prefix);
    strcat(full, name);
    i = gr__map_get_name(&l->index, full);
    return i ? (int)*i : -1;
}

static bool all_zero(const gr_tensor *t)
{
    for (int64_t i = 0, n = gr_tensor_count(t); i < n; i++)
        if (gr_tensor_get(t, i) != 0) return false;
    return true;
}

/* A bias that the model does without, and that is zero. */
static bool is_zero_bias(const loader *l, const gr__stored *t)
{
    const gr__family *f = l->model->family;
    size_t n = strlen(t->name), cut = strlen(".bias");
    char weight[GR__LIMIT_TENSOR_NAME_BYTES + 64];
    if (!f->zero_biases || !f->zero_biases(l->model->config) || n <= cut || n + 8 >= sizeof weight) return false;
    memcpy(weight, t->name, n - cut);
    strcpy(weight + n - cut, ".weight");
    return strcmp(t->name + n - cut, ".bias") == 0 && gr__model_matches(f->biased, weight) &&
           t->tensor.dtype != GR_DTYPE_NONE && all_zero(&t->tensor);
}

/* Files of tied models may hold the output matrix a second time. */
static gr_status check_tied(const loader *l, const gr__stored *t, bool *is)
{
    const gr__family *f = l->model->family;
    *is = f->head && strcmp(t->name, f->head) == 0;
    if (!*is) return GR_OK;
    for (size_t i = 0; i < gr__weights_count(l->weights); i++) {
        const gr__stored *e = gr__weights_at(l->weights, i);
        int p = find_param(l, e->name);
        if (p < 0 || strcmp(param_at(l, p)->name, f->embedding) != 0) continue;
        GR_FAIL_IF(strcmp(e->type, t->type) != 0 || e->size_bytes != t->size_bytes ||
                       memcmp(e->tensor.data, t->tensor.data, t->size_bytes) != 0,
                   GR_ERR_CORRUPT, "tensor '%s' differs from '%s', but 'tie_word_embeddings' says that they are one",
                   t->name, e->name);
    }
    return GR_OK;
}

static bool is_ignored(const loader *l, const gr__stored *t)
{
    return gr__model_matches(l->model->family->ignored, t->name) || is_zero_bias(l, t);
}

static gr_status check_one(const loader *l, int i, const gr__stored *t)
{
    const gr__value *v = param_at(l, i);
    gr_dtype d = t->tensor.dtype;
    GR_FAIL_IF(d == GR_DTYPE_NONE, GR_ERR_UNSUPPORTED, "tensor '%s' is of type %s, which is not supported", t->name,
               t->type);
    GR_FAIL_IF(d != GR_F32 && d != GR_F64 && d != GR_BF16 && d != GR_F16, GR_ERR_CORRUPT,
               "tensor '%s' is of type %s; weights must be floats", t->name, t->type);
    bool same = t->tensor.rank == v->rank;
    for (int k = 0; same && k < v->rank; k++) same = t->tensor.dim[k] == v->dim[k];
    if (same) return GR_OK;
    gr__str found = {0}, wanted = {0};
    gr_status status =
        gr__fail(GR_ERR_CORRUPT, "tensor '%s' is %s in the file, config.json needs %s", t->name,
                 shape_text(&found, t->tensor.rank, t->tensor.dim), shape_text(&wanted, v->rank, v->dim));
    gr__str_release(&found);
    gr__str_release(&wanted);
    return status;
}

/* A part that begins anew, or may. */
static bool may_begin(const loader *l, const char *name)
{
    return l->start && gr__model_matches(l->model->family->begins, name);
}

static bool is_other_head(const loader *l, const char *name)
{
    return l->start && l->other_head && gr__str_glob(l->model->family->begins[0], name);
}

/* Every parameter found once with its shape, nothing left over. */
static gr_status match(loader *l)
{
    const gr__stored *extra = NULL;
    for (int i = 0; i < l->n; i++) GR_TRY(gr__map_set_name(&l->index, param_at(l, i)->name, i, NULL));
    for (size_t k = 0; k < gr__weights_count(l->weights); k++) {
        const gr__stored *t = gr__weights_at(l->weights, k);
        if (is_other_head(l, t->name)) continue;
        int i = find_param(l, t->name);
        if (i >= 0) {
            GR_FAIL_IF(l->stored[i], GR_ERR_CORRUPT, "tensors '%s' and '%s' are the same parameter", l->stored[i]->name,
                       t->name);
            l->stored[i] = t;
        } else if (!extra && !is_ignored(l, t)) {
            bool tied;
            GR_TRY(check_tied(l, t, &tied));
            if (!tied) extra = t;
        }
    }
    for (int i = 0; i < l->n; i++) {
        if (!l->stored[i] && may_begin(l, param_at(l, i)->name)) continue;
        GR_FAIL_IF(!l->stored[i], GR_ERR_CORRUPT, "tensor '%s' is missing%s%s%s", param_at(l, i)->name,
                   extra ? "; '" : "", extra ? extra->name : "",
                   extra ? "' is there, which the configuration has no use for" : "");
        GR_TRY(check_one(l, i, l->stored[i]));
    }
    GR_FAIL_IF(extra, GR_ERR_CORRUPT, "tensor '%s' has no place in the model that config.json describes", extra->name);
    return GR_OK;
}

static void convert(const gr_tensor *from, float *to)
{
    int64_t n = gr_tensor_count(from);
    const uint16_t *half = from->data;
    const double *wide = from->data;
    switch (from->dtype) {
    case GR_F32: memcpy(to, from->data, (size_t)n * sizeof *to); break;
    case GR_BF16:
        for (int64_t i = 0; i < n; i++) to[i] = gr__bf16_to_f32(half[i]);
        break;
    case GR_F16:
        for (int64_t i = 0; i < n; i++) to[i] = gr__f16_to_f32(half[i]);
        break;
    default:
        for (int64_t i = 0; i < n; i++) to[i] = (float)wide[i];
    }
}

static gr_status load(gr_model *m, const gr__weights *w, bool start, bool other_head)
{
    loader l = {.model = m, .weights = w, .n = gr__model_states(m, NULL, 0), .start = start, .other_head = other_head};
    gr_status status = GR_OK;
    l.param = gr__calloc((size_t)l.n + 1, sizeof *l.param);
    l.stored = gr__calloc((size_t)l.n + 1, sizeof *l.stored);
    if (!l.param || !l.stored) GR_TRY_DONE(gr__fail_memory("a model", (size_t)l.n * 16));
    gr__model_states(m, l.param, l.n);
    GR_TRY_DONE(match(&l));
    for (int i = 0; i < l.n; i++) {
        const gr__value *v = param_at(&l, i);
        gr_tensor t;
        if (!l.stored[i]) continue;
        GR_TRY_DONE(gr_store_add(m->store, v->name, GR_F32, v->rank, v->dim, &t));
        convert(&l.stored[i]->tensor, t.data);
    }
    gr_store_touch(m->store);
done:
    gr__map_release(&l.index);
    gr__free(l.param);
    gr__free(l.stored);
    return status;
}

static bool same_labels(const gr__conf_strings *a, const gr__conf_strings *b)
{
    bool same = a->n == b->n;
    for (size_t i = 0; same && i < a->n; i++) same = strcmp(a->item[i], b->item[i]) == 0;
    return same;
}

/* facts: NULL unless the folder is only a beginning. */
static gr_status load_weights(gr_model *m, const char *folder, const gr__facts *facts)
{
    bool other_head = facts && !same_labels(m->family->labels(m->config), &facts->labels);
    gr__weights *w;
    GR_TRY(gr__weights_open(folder, &w));
    gr_model_info info = m->family->describe(m->config);
    gr_status status = GR_OK;
    if ((size_t)info.layers > gr__weights_count(w)) /* before a graph of that many is built */
        status = gr__fail(GR_ERR_CORRUPT, "config.json speaks of %lld layers, but there are only %zu tensors",
                          (long long)info.layers, gr__weights_count(w));
    if (status == GR_OK) status = gr__model_finish(m, facts ? facts : &(gr__facts){0});
    if (status == GR_ERR_CONFIG || status == GR_ERR_SHAPE || status == GR_ERR_ARGUMENT)
        status = gr__fail_prefix(GR_ERR_CORRUPT, "config.json");
    if (status == GR_OK) status = load(m, w, facts != NULL, other_head);
    gr__weights_close(&w);
    return status == GR_OK ? GR_OK : gr__fail_prefix(status, "cannot open '%s'", folder);
}

/* ---- opening ---- */

static gr_status open_folder(const char *folder, const char *config, const gr__facts *facts, gr_model **out)
{
    gr_model *m;
    GR_TRY(read_config(config, &m));
    gr_status status = facts ? gr__model_want_encoder(m, "beginning with other labels") : GR_OK;
    if (status == GR_OK) status = read_generation_config(m, folder);
    if (status == GR_OK) status = open_tokenizer(m, folder);
    if (status == GR_OK) status = load_weights(m, folder, facts);
    if (status != GR_OK) {
        gr_model_free(&m);
        return status;
    }
    *out = m;
    return GR_OK;
}

/* A folder without config.json: the one .bin in it that is not a tokenizer's. */
static gr_status open_bin_folder(const char *folder, gr_model **out)
{
    char **names, *path = NULL;
    size_t n;
    const char *found = NULL;
    gr_status status = GR_OK;
    GR_TRY(gr__dir_list(folder, false, &names, &n));
    for (size_t i = 0; i < n; i++) {
        if (!gr__str_ends(names[i], ".bin") || strncmp(names[i], "tok", 3) == 0) continue;
        if (found) {
            status = gr__fail(GR_ERR_NOT_FOUND,
                              "cannot open '%s': it holds no config.json, and both '%s' and '%s'; name one", folder,
                              found, names[i]);
            break;
        }
        found = names[i];
    }
    if (status == GR_OK && !found)
        status =
            gr__fail(GR_ERR_NOT_FOUND, "cannot open '%s': it holds no config.json; is it a model's folder?", folder);
    if (status == GR_OK && !(path = gr__path_join(folder, found)))
        status = gr__fail_memory("a file name", strlen(folder));
    if (status == GR_OK) status = gr__model_open_llama2c(path, out);
    gr__free(path);
    gr__names_free(names, n);
    return status;
}

gr_status gr_model_open(const char *path, gr_model **out)
{
    GR_FAIL_IF(!path || !out, GR_ERR_ARGUMENT, "gr_model_open: an argument is NULL");
    GR_FAIL_IF(!gr__file_exists(path), GR_ERR_NOT_FOUND, "cannot open '%s': there is no such file or folder", path);
    if (!gr__file_is_dir(path)) {
        GR_FAIL_IF(!gr__str_ends(path, ".bin"), GR_ERR_UNSUPPORTED,
                   "cannot open '%s': give the folder of a Hugging Face model, or a llama2.c .bin file", path);
        return gr__model_open_llama2c(path, out);
    }
    char *config = gr__path_join(path, "config.json");
    if (!config) return gr__fail_memory("a file name", strlen(path));
    gr_status status = gr__file_exists(config) ? open_folder(path, config, NULL, out) : open_bin_folder(path, out);
    gr__free(config);
    return status;
}

gr_status gr__model_open_as(const char *folder, const gr__facts *facts, gr_model **out)
{
    char *config = gr__path_join(folder, "config.json");
    if (!config) return gr__fail_memory("a file name", strlen(folder));
    gr_status status = gr__file_exists(config)
                           ? open_folder(folder, config, facts, out)
                           : gr__fail(GR_ERR_NOT_FOUND, "cannot open '%s': it holds no config.json", folder);
    gr__free(config);
    return status;
}
