/* What is in a file or folder: tensors, configuration, tokenizer, metadata. Nothing is loaded that a mapping can show. */
#include "gradus/tools.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/json.h"
#include "data/tokens.h"
#include "format/weights.h"

#include <math.h>
#include <string.h>

enum { MOST_JSON_BYTES = 64 << 20, MOST_VALUE = 160 };

typedef struct gr__fact {
    const char *section, *name, *value, *json;
} gr__fact;

typedef struct gr__seen {
    gr_inspect_tensor about;
    gr_tensor tensor; /* dtype NONE: of a type that is only stored */
} gr__seen;

struct gr_inspection {
    gr__arena arena;
    const char *format;
    gr__weights *weights; /* one of the two owns the tensors' memory */
    gr_model *model;
    gr__seen *tensor;
    size_t n_tensors, tensor_capacity;
    gr__fact *fact;
    size_t n_facts, fact_capacity;
};

/* ---- facts ---- */

/* json NULL: the text itself */
static gr_status add_fact(gr_inspection *f, const char *section, const char *name, const char *value, const char *json)
{
    gr__str quoted = {0};
    GR_TRY(gr__grow(&f->fact, sizeof *f->fact, f->n_facts + 1, &f->fact_capacity));
    gr__fact *fact = &f->fact[f->n_facts];
    if (!json) gr__json_add_string(&quoted, value, strlen(value));
    gr_status status = gr__str_check(&quoted);
    if (status == GR_OK)
        *fact = (gr__fact){section, gr__arena_strdup(&f->arena, name), gr__arena_strdup(&f->arena, value),
                           gr__arena_strdup(&f->arena, json ? json : gr__str_get(&quoted))};
    gr__str_release(&quoted);
    GR_TRY(status);
    if (!fact->name || !fact->value || !fact->json) return gr__fail_memory("a fact", 64);
    f->n_facts++;
    return GR_OK;
}

static gr_status add_number_fact(gr_inspection *f, const char *section, const char *name, int64_t value)
{
    char text[32];
    gr__format_double(text, (double)value);
    return add_fact(f, section, name, text, text);
}

/* A JSON value on one short line. */
static void render(gr__str *s, gr__json v, int depth)
{
    const char *text;
    size_t n;
    switch (gr__json_kind_of(v)) {
    case GR__JSON_STRING:
        if (gr__json_string(v, &text, &n)) gr__str_add_n(s, text, GR__MIN(n, (size_t)MOST_VALUE));
        break;
    case GR__JSON_ARRAY:
        gr__str_add(s, "[");
        for (size_t i = 0; i < gr__json_count(v) && i < 16 && depth < 3; i++) {
            gr__str_add(s, i ? ", " : "");
            render(s, gr__json_at(v, i), depth + 1);
        }
        gr__str_add(s, gr__json_count(v) > 16 ? ", ...]" : "]");
        break;
    case GR__JSON_OBJECT: gr__str_printf(s, "{%zu members}", gr__json_count(v)); break;
    default: gr__json_add(s, v);
    }
}

static gr_status add_members(gr_inspection *f, const char *section, const char *path)
{
    gr__json_doc *doc = NULL;
    gr__str value = {0}, json = {0};
    GR_TRY(gr__json_read(path, MOST_JSON_BYTES, &doc));
    gr__json root = gr__json_root(doc);
    gr_status status = GR_OK;
    if (gr__json_kind_of(root) != GR__JSON_OBJECT) status = gr__fail(GR_ERR_CORRUPT, "'%s' is not a JSON object", path);
    for (void *it = gr__json_first(root); it && status == GR_OK; it = gr__json_next(root, it)) {
        gr__str_clear(&value);
        render(&value, gr__json_value(it), 0);
        gr__str_clear(&json);
        gr__json_add(&json, gr__json_value(it));
        status = gr__str_check(&value);
        if (status == GR_OK) status = gr__str_check(&json);
        if (status == GR_OK) status = add_fact(f, section, gr__json_key(it), gr__str_get(&value), gr__str_get(&json));
    }
    gr__str_release(&value);
    gr__str_release(&json);
    gr__json_free(&doc);
    return status;
}

static gr_status add_tokenizer(gr_inspection *f, const gr_tokenizer *tok)
{
    static const char *const names[] = {"bos", "eos", "unk", "pad"};
    gr_tokenizer_specials s = gr_tokenizer_special_ids(tok);
    const int32_t ids[] = {s.bos, s.eos, s.unk, s.pad};
    GR_TRY(add_fact(f, "tokenizer", "type", gr_tokenizer_type_name(gr_tokenizer_type_of(tok)), NULL));
    GR_TRY(add_number_fact(f, "tokenizer", "vocab_size", gr_tokenizer_vocab_size(tok)));
    for (size_t i = 0; i < GR__COUNT(ids); i++) {
        const char *name = ids[i] >= 0 ? gr_tokenizer_token(tok, ids[i], NULL) : NULL;
        if (!name) continue;
        char *text = gr__arena_printf(&f->arena, "%d %s", (int)ids[i], name);
        if (!text) return gr__fail_memory("a fact", 64);
        GR_TRY(add_fact(f, "tokenizer", names[i], text, NULL));
    }
    return GR_OK;
}

static gr_status open_tokenizer(gr_inspection *f, const char *path)
{
    gr_tokenizer *tok;
    GR_TRY(gr_tokenizer_open(path, &tok));
    gr_status status = add_tokenizer(f, tok);
    gr_tokenizer_close(&tok);
    return status;
}

/* ---- tensors ---- */

static gr_status add_tensor(gr_inspection *f, const char *name, const char *type, const gr_tensor *t, uint64_t bytes)
{
    GR_TRY(gr__grow(&f->tensor, sizeof *f->tensor, f->n_tensors + 1, &f->tensor_capacity));
    gr__seen *seen = &f->tensor[f->n_tensors++];
    *seen = (gr__seen){.about = {.name = name, .type = type, .rank = t->rank, .bytes = bytes}, .tensor = *t};
    memcpy(seen->about.dim, t->dim, sizeof seen->about.dim);
    return GR_OK;
}

static gr_status add_metadata(gr_inspection *f, const char *path)
{
    gr__safetensors *file;
    GR_TRY(gr__safetensors_open(path, &file));
    gr_status status = GR_OK;
    for (size_t i = 0; i < gr__safetensors_metadata_count(file) && status == GR_OK; i++) {
        const gr__name_value *m = gr__safetensors_metadata_at(file, i);
        status = add_fact(f, "metadata", m->name, m->value, NULL);
    }
    gr__safetensors_close(&file);
    return status;
}

static gr_status open_weights(gr_inspection *f, const char *path)
{
    GR_TRY(gr__weights_open(path, &f->weights));
    for (size_t i = 0; i < gr__weights_count(f->weights); i++) {
        const gr__stored *s = gr__weights_at(f->weights, i);
        GR_TRY(add_tensor(f, s->name, s->type, &s->tensor, s->size_bytes));
    }
    return gr__str_ends(path, ".safetensors") ? add_metadata(f, path) : GR_OK;
}

/* A llama2.c file has no names of its own: the model that it becomes has. */
static gr_status open_model(gr_inspection *f, const char *path)
{
    const char *name;
    gr_tensor t;
    GR_TRY(gr_model_open(path, &f->model));
    gr_store *store = gr_model_store(f->model);
    for (size_t i = 0; gr_store_at(store, i, &name, &t); i++)
        GR_TRY(add_tensor(f, name, "F32", &t, gr_tensor_size_bytes(&t)));
    gr_model_info info = gr_model_describe(f->model);
    const struct {
        const char *name;
        int64_t value;
    } facts[] = {{"layers", info.layers}, {"heads", info.heads},     {"kv_heads", info.kv_heads},
                 {"width", info.width},   {"context", info.context}, {"vocab", info.vocab}};
    GR_TRY(add_fact(f, "config", "family", gr_model_family(f->model), NULL));
    for (size_t i = 0; i < GR__COUNT(facts); i++) GR_TRY(add_number_fact(f, "config", facts[i].name, facts[i].value));
    return gr_model_tokenizer(f->model) ? add_tokenizer(f, gr_model_tokenizer(f->model)) : GR_OK;
}

/* ---- opening ---- */

static const char *inside(gr_inspection *f, const char *folder, const char *name)
{
    char *path = gr__arena_printf(&f->arena, "%s/%s", folder, name);
    return path && gr__file_exists(path) ? path : NULL;
}

static bool has_tokenizer(gr_inspection *f, const char *folder)
{
    static const char *const names[] = {"tokenizer.json", "vocab.json", "encoder.json", "tokenizer.bin"};
    for (size_t i = 0; i < GR__COUNT(names); i++)
        if (inside(f, folder, names[i])) return true;
    return false;
}

static gr_status open_folder(gr_inspection *f, const char *path)
{
    const char *config = inside(f, path, "config.json"), *single = inside(f, path, "model.safetensors");
    bool weights = single || inside(f, path, "model.safetensors.index.json");
    f->format = "Hugging Face folder";
    if (config) GR_TRY(add_members(f, "config", config));
    if (weights) GR_TRY(open_weights(f, single ? single : path));
    if (has_tokenizer(f, path) && (config || weights)) GR_TRY(open_tokenizer(f, path));
    if (config || weights) return GR_OK;
    if (inside(f, path, "tokenizer.json") || inside(f, path, "vocab.json") || inside(f, path, "encoder.json")) {
        f->format = "tokenizer";
        return open_tokenizer(f, path);
    }
    f->format = "llama2.c";
    if (open_model(f, path) == GR_OK) return GR_OK;
    return gr__fail(GR_ERR_UNSUPPORTED,
                    "'%s' holds no model: neither config.json, model.safetensors, tokenizer.json nor a llama2.c "
                    ".bin; a run that is not finished has checkpoints/step-N.safetensors",
                    path);
}

/* Members that tell such a file from others. */
static const struct {
    const char *members[2], *format, *section;
} json_kinds[] = {
    {{"step", "tensors"}, "checkpoint of a run (the manifest)", "checkpoint"},
    {{"model_type", NULL}, "configuration of a model", "config"},
    {{"architectures", NULL}, "configuration of a model", "config"},
};

static gr_status open_json(gr_inspection *f, const char *path)
{
    gr__json_doc *doc = NULL;
    GR_TRY(gr__json_read(path, MOST_JSON_BYTES, &doc));
    gr__json root = gr__json_root(doc);
    size_t k = 0;
    for (; k < GR__COUNT(json_kinds); k++) {
        const char *const *m = json_kinds[k].members;
        if (gr__json_get(root, m[0]) && (!m[1] || gr__json_get(root, m[1]))) break;
    }
    gr__json_free(&doc);
    f->format = k < GR__COUNT(json_kinds) ? json_kinds[k].format : "tokenizer";
    return k < GR__COUNT(json_kinds) ? add_members(f, json_kinds[k].section, path) : open_tokenizer(f, path);
}

static gr_status open_tokens(gr_inspection *f, const char *path)
{
    gr__tokens t;
    GR_TRY(gr__tokens_open(path, false, &t));
    const int64_t n = t.n, vocab = t.vocab, bytes = t.u16 ? 2 : 4;
    char *tokenizer = gr__arena_printf(&f->arena, "%016llx", (unsigned long long)t.tokenizer);
    gr__tokens_close(&t);
    if (!tokenizer) return gr__fail_memory("a fact", 64);
    f->format = "tokens of a corpus";
    GR_TRY(add_number_fact(f, "tokens", "ids", n));
    GR_TRY(add_number_fact(f, "tokens", "vocab_size", vocab));
    GR_TRY(add_number_fact(f, "tokens", "bytes_per_id", bytes));
    GR_TRY(add_number_fact(f, "tokens", "bytes", n * bytes));
    return add_fact(f, "tokens", "tokenizer", tokenizer, NULL);
}

static gr_status open_any(gr_inspection *f, const char *path)
{
    GR_FAIL_IF(!gr__file_exists(path), GR_ERR_NOT_FOUND, "'%s' does not exist", path);
    if (gr__file_is_dir(path)) return open_folder(f, path);
    if (gr__str_ends(path, ".safetensors") || gr__str_ends(path, ".safetensors.index.json")) {
        f->format = "safetensors";
        return open_weights(f, path);
    }
    if (gr__str_ends(path, ".json")) return open_json(f, path);
    if (gr__str_ends(path, ".tokens")) return open_tokens(f, path);
    GR_FAIL_IF(!gr__str_ends(path, ".bin"), GR_ERR_UNSUPPORTED,
               "'%s' is of no kind that inspect knows: .safetensors, tokenizer.json, "
               "config.json, a llama2.c .bin, a checkpoint's step-N.json, .tokens, or a folder of them",
               path);
    f->format = "llama2.c";
    if (strstr(path, "tok")) {
        f->format = "tokenizer";
        return open_tokenizer(f, path);
    }
    return open_model(f, path);
}

gr_status gr_inspect_open(const char *path, gr_inspection **out)
{
    GR_FAIL_IF(!path || !out, GR_ERR_ARGUMENT, "gr_inspect_open: an argument is NULL");
    gr_inspection *f = gr__calloc(1, sizeof *f);
    if (!f) return gr__fail_memory("an inspection", sizeof *f);
    gr_status status = open_any(f, path);
    if (status == GR_OK)
        *out = f;
    else
        gr_inspect_close(&f);
    return status;
}

void gr_inspect_close(gr_inspection **file)
{
    if (!file || !*file) return;
    gr__weights_close(&(*file)->weights);
    gr_model_free(&(*file)->model);
    gr__free((*file)->tensor);
    gr__free((*file)->fact);
    gr__arena_release(&(*file)->arena);
    gr__free(*file);
    *file = NULL;
}

/* ---- looking ---- */

const char *gr_inspect_format(const gr_inspection *file) { return file->format; }

static int64_t count_of(const gr_inspect_tensor *t)
{
    int64_t n = 1;
    for (int d = 0; d < t->rank; d++) n *= t->dim[d];
    return n;
}

int64_t gr_inspect_parameters(const gr_inspection *file)
{
    int64_t n = 0;
    for (size_t i = 0; i < file->n_tensors; i++) n += count_of(&file->tensor[i].about);
    return n;
}

uint64_t gr_inspect_bytes(const gr_inspection *file)
{
    uint64_t n = 0;
    for (size_t i = 0; i < file->n_tensors; i++) n += file->tensor[i].about.bytes;
    return n;
}

bool gr_inspect_tensor_at(const gr_inspection *file, size_t i, gr_inspect_tensor *out)
{
    if (i >= file->n_tensors) return false;
    *out = file->tensor[i].about;
    return true;
}

bool gr_inspect_fact_at(const gr_inspection *file, size_t i, const char **section, const char **name,
                        const char **value)
{
    if (i >= file->n_facts) return false;
    *section = file->fact[i].section;
    *name = file->fact[i].name;
    *value = file->fact[i].value;
    return true;
}

const char *gr_inspect_fact_json(const gr_inspection *file, size_t i)
{
    return i < file->n_facts ? file->fact[i].json : NULL;
}

gr_status gr_inspect_stats_at(const gr_inspection *file, size_t i, gr_inspect_stats *out)
{
    GR_FAIL_IF(!file || !out, GR_ERR_ARGUMENT, "gr_inspect_stats_at: an argument is NULL");
    GR_FAIL_IF(i >= file->n_tensors, GR_ERR_ARGUMENT, "there are %zu tensors", file->n_tensors);
    const gr_tensor *t = &file->tensor[i].tensor;
    GR_FAIL_IF(t->dtype == GR_DTYPE_NONE, GR_ERR_UNSUPPORTED,
               "tensor '%s' is of type %s, with which Gradus does not compute", file->tensor[i].about.name,
               file->tensor[i].about.type);
    gr_inspect_stats s = {.least = INFINITY, .most = -INFINITY};
    double n = 0, m2 = 0; /* Welford 1962 */
    for (int64_t k = 0, count = gr_tensor_count(t); k < count; k++) {
        double v = gr_tensor_get(t, k);
        if (!isfinite(v)) {
            s.nonfinite++;
            continue;
        }
        double d = v - s.mean;
        s.mean += d / ++n;
        m2 += d * (v - s.mean);
        s.least = fmin(s.least, v);
        s.most = fmax(s.most, v);
    }
    if (n == 0) s.least = s.most = 0;
    s.deviation = n > 0 ? sqrt(m2 / n) : 0;
    *out = s;
    return GR_OK;
}
