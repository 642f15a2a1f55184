/* Checkpoints by the commit protocol: tensors first, then the manifest, which is the commit.
 *
 *   checkpoints/step-00001000.safetensors   every array of the store
 *   checkpoints/step-00001000.json          position, configuration, a checksum for each tensor
 *
 * Both are written to temporary files, synced and renamed; older generations are removed only after that. The reader takes the
 * newest manifest whose every checksum holds. */
#include "run/run.h"

#include "base/blake2b.h"
#include "base/file.h"
#include "base/log.h"
#include "format/safetensors.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define FOLDER "checkpoints"
#define MOST_MANIFEST_BYTES ((size_t)256 << 20)

static char *path_of(gr_run *run, int64_t step, const char *suffix)
{
    return gr__arena_printf(&run->arena, "%s/" FOLDER "/step-%08lld.%s", run->out, (long long)step, suffix);
}

/* ---- writing ---- */

static void add_position(gr__str *s, const gr__position *p)
{
    gr__str_printf(
        s,
        "\"step\": %lld, \"update\": %lld, \"skipped\": %lld, \"best_step\": %lld, \"bad_validations\": %lld, "
        "\"metrics_bytes\": %llu, \"plateau_bad\": %lld, \"plateau_cooldown\": %lld, \"plateau_feeds\": %lld, "
        "\"unvalidated\": %d",
        (long long)p->step, (long long)p->update, (long long)p->skipped, (long long)p->best_step,
        (long long)p->bad_validations, (unsigned long long)p->metrics_bytes, (long long)p->plateau.bad,
        (long long)p->plateau.cooldown, (long long)p->plateau.feeds, (int)p->unvalidated);
    const struct {
        const char *key;
        double value;
    } number[] = {{"loss_average", p->loss_average},
                  {"best_loss", p->best_loss},
                  {"plateau_best", p->plateau.best},
                  {"plateau_scale", p->plateau.scale},
                  {"seconds", p->seconds}};
    for (size_t i = 0; i < GR__COUNT(number); i++) {
        gr__str_printf(s, ", \"%s\": ", number[i].key);
        gr__json_add_double(s, number[i].value);
    }
}

static gr_status add_tensors(gr__str *s, const gr__named_tensor *t, size_t n)
{
    gr__str_add(s, "\"tensors\": {");
    for (size_t i = 0; i < n; i++) {
        char hex[GR__BLAKE2B_HEX];
        gr__blake2b_hex_of(t[i].tensor.data, gr_tensor_size_bytes(&t[i].tensor), hex);
        gr__str_add(s, i ? ", " : "");
        gr__json_add_string(s, t[i].name, strlen(t[i].name));
        gr__str_printf(s, ": \"%s\"", hex);
    }
    gr__str_add(s, "}");
    return gr__str_check(s);
}

static gr_status write_manifest(gr_run *run, const gr__named_tensor *t, size_t n)
{
    gr__str s = {0}, config = {0};
    gr_status status = GR_OK;
    char *path = path_of(run, run->at.step, "json");
    if (!path) return gr__fail_memory("a path", 64);
    gr__conf_write_yaml(run->root, &config);
    GR_TRY_DONE(gr__str_check(&config));
    gr__str_add(&s, "{\"format\": 1, \"version\": \"" GR_VERSION "\", ");
    add_position(&s, &run->at);
    gr__str_printf(&s, ", \"samples\": %lld, ", (long long)run->task->samples[0]);
    if (run->task->fingerprint)
        gr__str_printf(&s, "\"data\": \"%016llx\", ", (unsigned long long)run->task->fingerprint);
    gr__str_add(&s, "\"config\": ");
    gr__json_add_string(&s, gr__str_get(&config), config.n);
    gr__str_clear(&config);
    gr__model_put_config(run->task->model, &config);
    gr__str_printf(&s, ", \"model\": {\n%s}, ", gr__str_get(&config));
    GR_TRY_DONE(add_tensors(&s, t, n));
    gr__str_add(&s, "}\n");
    GR_TRY_DONE(gr__str_check(&config));
    GR_TRY_DONE(gr__str_check(&s));
    status = gr__file_write(path, s.text, s.n);
done:
    gr__str_release(&s);
    gr__str_release(&config);
    return status;
}

static bool step_of(const char *name, const char *suffix, int64_t *step)
{
    long long v;
    int used = 0;
    if (sscanf(name, "step-%lld.%n", &v, &used) != 1 || used == 0 || strcmp(name + used, suffix) != 0) return false;
    *step = v;
    return true;
}

/* Keeps the newest 'keep' generations and the best one. */
static gr_status prune(gr_run *run)
{
    char *folder = gr__arena_printf(&run->arena, "%s/" FOLDER, run->out), **names;
    size_t n, kept = 0;
    if (!folder) return gr__fail_memory("a path", 64);
    GR_TRY(gr__dir_list(folder, false, &names, &n));
    gr_status status = GR_OK;
    for (size_t i = n; i-- > 0 && status == GR_OK;) { /* names sort by step */
        int64_t step;
        if (!step_of(names[i], "json", &step)) continue;
        if (++kept <= (size_t)run->set.keep || step == run->at.best_step) continue;
        char *manifest = path_of(run, step, "json"), *tensors = path_of(run, step, "safetensors");
        if (!manifest || !tensors)
            status = gr__fail_memory("a path", 64);
        else {
            status = gr__file_remove(manifest);
            if (status == GR_OK) status = gr__file_remove(tensors);
            if (status == GR_ERR_NOT_FOUND) status = GR_OK;
        }
    }
    gr__names_free(names, n);
    return status;
}

static gr_status list_tensors(gr_run *run, gr__named_tensor **out, size_t *n)
{
    *n = gr_store_count(run->store);
    *out = gr__calloc(*n + 1, sizeof **out);
    if (!*out) return gr__fail_memory("a checkpoint", *n * sizeof **out);
    for (size_t i = 0; i < *n; i++) gr_store_at(run->store, i, &(*out)[i].name, &(*out)[i].tensor);
    return GR_OK;
}

gr_status gr__checkpoint_write(gr_run *run, bool best)
{
    gr__named_tensor *t = NULL;
    size_t n;
    gr_status status = GR_OK;
    if (!run->out) return GR_OK;
    char *folder = gr__arena_printf(&run->arena, "%s/" FOLDER, run->out),
         *path = path_of(run, run->at.step, "safetensors");
    if (!folder || !path) return gr__fail_memory("a path", 64);
    GR_TRY(gr__dir_still_locked(run->out, run->lock));
    if (best) run->at.best_step = run->at.step;
    GR_TRY(gr__dir_make(folder));
    GR_TRY_DONE(list_tensors(run, &t, &n));
    GR_TRY_DONE(gr__safetensors_write(path, t, n, NULL, 0));
    GR_TRY_DONE(write_manifest(run, t, n));
    status = prune(run);
done:
    gr__free(t);
    return status;
}

/* ---- reading ---- */

static int64_t int_of(gr__json o, const char *key)
{
    int64_t v = 0;
    gr__json_int(gr__json_get(o, key), &v);
    return v;
}

static double double_of(gr__json o, const char *key, double otherwise)
{
    double v;
    return gr__json_double(gr__json_get(o, key), &v) ? v : otherwise;
}

static gr__position position_of(gr__json o)
{
    return (gr__position){.step = int_of(o, "step"),
                          .update = int_of(o, "update"),
                          .skipped = int_of(o, "skipped"),
                          .best_step = int_of(o, "best_step"),
                          .bad_validations = int_of(o, "bad_validations"),
                          .metrics_bytes = (uint64_t)int_of(o, "metrics_bytes"),
                          .loss_average = double_of(o, "loss_average", NAN),
                          .best_loss = double_of(o, "best_loss", INFINITY),
                          .seconds = double_of(o, "seconds", 0),
                          .unvalidated = int_of(o, "unvalidated") != 0,
                          .plateau = {.best = double_of(o, "plateau_best", INFINITY),
                                      .scale = double_of(o, "plateau_scale", 1),
                                      .bad = int_of(o, "plateau_bad"),
                                      .cooldown = int_of(o, "plateau_cooldown"),
                                      .feeds = int_of(o, "plateau_feeds")}};
}

/* Every tensor of the manifest is in the file and has its checksum. */
static gr_status verify(gr__json root, const gr__safetensors *file, const char *path)
{
    gr__json tensors = gr__json_get(root, "tensors");
    GR_FAIL_IF(gr__json_kind_of(tensors) != GR__JSON_OBJECT, GR_ERR_CORRUPT, "'%s' has no list of tensors", path);
    for (void *it = gr__json_first(tensors); it; it = gr__json_next(tensors, it)) {
        const char *name = gr__json_key(it), *want;
        size_t n;
        char hex[GR__BLAKE2B_HEX];
        const gr__stored *s = gr__safetensors_find(file, name);
        GR_FAIL_IF(!s, GR_ERR_CORRUPT, "'%s': tensor '%s' is missing", path, name);
        GR_FAIL_IF(!gr__json_string(gr__json_value(it), &want, &n), GR_ERR_CORRUPT, "'%s': no checksum for '%s'", path,
                   name);
        gr__blake2b_hex_of(s->tensor.data, s->size_bytes, hex);
        GR_FAIL_IF(strcmp(hex, want) != 0, GR_ERR_CORRUPT, "'%s': the checksum of tensor '%s' does not hold", path,
                   name);
    }
    return GR_OK;
}

static gr_status open_generation(gr_run *run, int64_t step, gr__json_doc **doc, gr__safetensors **file)
{
    char *manifest = path_of(run, step, "json"), *tensors = path_of(run, step, "safetensors");
    if (!manifest || !tensors) return gr__fail_memory("a path", 64);
    GR_TRY(gr__json_read(manifest, MOST_MANIFEST_BYTES, doc));
    gr_status s = gr__safetensors_open(tensors, file);
    if (s == GR_OK) s = verify(gr__json_root(*doc), *file, tensors);
    if (s == GR_OK && int_of(gr__json_root(*doc), "step") != step)
        s = gr__fail(GR_ERR_CORRUPT, "'%s' is of another step", manifest);
    if (s != GR_OK) {
        gr__safetensors_close(file);
        gr__json_free(doc);
    }
    return s;
}

static gr_status add_change(gr_run *run, const char *text)
{
    char **grown = gr__arena_alloc(&run->arena, (size_t)(run->n_changes + 1) * sizeof *grown);
    if (!grown) return gr__fail_memory("a note", 64);
    for (int i = 0; i < run->n_changes; i++) grown[i] = run->change[i];
    if (!(grown[run->n_changes] = gr__arena_strdup(&run->arena, text))) return gr__fail_memory("a note", 64);
    run->change = grown;
    run->n_changes++;
    return GR_OK;
}

static bool same_conf(const gr__conf *a, const gr__conf *b)
{
    if (!a || !b || a->kind != b->kind) return a == b;
    if (a->kind == GR__CONF_SCALAR) return strcmp(a->text, b->text) == 0;
    const gr__conf *x = a->first, *y = b->first;
    while (x && y && same_conf(x, y)) x = x->next, y = y->next;
    return !x && !y;
}

static const char *shown(const gr__conf *c)
{
    return !c ? "(default)" : c->kind == GR__CONF_SCALAR ? c->text : c->kind == GR__CONF_MAP ? "{...}" : "[...]";
}

/* Keys that give the weights their meaning: with other values they would be another model's. */
static bool stays(const char *key)
{
    static const char *const keys[] = {"task", "tokenizer", "data.target", "data.text", "data.label"};
    for (size_t i = 0; i < GR__COUNT(keys); i++) {
        size_t n = strlen(keys[i]);
        if (strncmp(key, keys[i], n) == 0 && (key[n] == 0 || key[n] == '.')) return true;
    }
    return false;
}

static gr_status compare(gr_run *run, const gr__conf *now, const gr__conf *before, const char *path);

static gr_status compare_key(gr_run *run, const gr__conf *now, const gr__conf *before, const char *path,
                             const char *key)
{
    char *full = gr__arena_printf(&run->arena, "%s%s%s", path, *path ? "." : "", key);
    if (!full) return gr__fail_memory("a note", 64);
    bool maps = (!now || now->kind == GR__CONF_MAP) && (!before || before->kind == GR__CONF_MAP);
    if (maps) return compare(run, now, before, full);
    if (same_conf(now, before)) return GR_OK;
    GR_FAIL_IF(stays(full), GR_ERR_CONFIG,
               "'%s' was %s at the checkpoint of step %lld and is %s now; change it back, or begin anew with --fresh",
               full, shown(before), (long long)run->at.step, shown(now));
    char *line = gr__arena_printf(&run->arena, "%s: %s -> %s", full, shown(before), shown(now));
    return line ? add_change(run, line) : gr__fail_memory("a note", 64);
}

/* What two maps (NULL: empty) have otherwise. */
static gr_status compare(gr_run *run, const gr__conf *now, const gr__conf *before, const char *path)
{
    for (const gr__conf *c = now ? now->first : NULL; c; c = c->next)
        if (c->key) GR_TRY(compare_key(run, c, gr__conf_get(before, c->key), path, c->key));
    for (const gr__conf *b = before ? before->first : NULL; b; b = b->next)
        if (b->key && !gr__conf_get(now, b->key)) GR_TRY(compare_key(run, NULL, b, path, b->key));
    return GR_OK;
}

/* As many samples may still be others; checkpoints of before there were fingerprints say nothing. */
static gr_status note_data(gr_run *run, gr__json root)
{
    const char *before;
    size_t n;
    char now[17];
    snprintf(now, sizeof now, "%016llx", (unsigned long long)run->task->fingerprint);
    if (!run->task->fingerprint || !gr__json_string(gr__json_get(root, "data"), &before, &n)) return GR_OK;
    return strcmp(before, now) == 0 ? GR_OK : add_change(run, "data for training: as many samples, but others");
}

/* The same path may hold other data by now. */
static gr_status note_samples(gr_run *run, gr__json root)
{
    int64_t before, now = run->task->samples[0];
    if (!gr__json_int(gr__json_get(root, "samples"), &before)) return GR_OK;
    if (before == now) return note_data(run, root);
    char *line = gr__arena_printf(&run->arena, "samples for training: %lld -> %lld", (long long)before, (long long)now);
    return line ? add_change(run, line) : gr__fail_memory("a note", 64);
}

static gr_status note_changes(gr_run *run, gr__json root)
{
    const char *text;
    size_t n;
    gr__conf *before;
    GR_TRY(note_samples(run, root));
    run->same_threshold = false;
    if (!gr__json_string(gr__json_get(root, "config"), &text, &n)) return GR_OK;
    gr_status s = gr__conf_parse(text, n, "the checkpoint's configuration", &run->arena, &before);
    if (s != GR_OK) return s == GR_ERR_MEMORY ? s : GR_OK;
    run->same_threshold = same_conf(gr__conf_get(run->root, "threshold"), gr__conf_get(before, "threshold"));
    return compare(run, run->root, before, "");
}

/* Steps of all manifests, newest first. */
static gr_status list_steps(gr_run *run, int64_t **steps, size_t *n)
{
    char *folder = gr__arena_printf(&run->arena, "%s/" FOLDER, run->out), **names;
    size_t n_names;
    *n = 0;
    *steps = NULL;
    if (!folder) return gr__fail_memory("a path", 64);
    if (!gr__file_is_dir(folder)) return GR_OK;
    GR_TRY(gr__dir_list(folder, false, &names, &n_names));
    *steps = gr__arena_alloc(&run->arena, (n_names + 1) * sizeof **steps);
    for (size_t i = n_names; *steps && i-- > 0;)
        if (step_of(names[i], "json", &(*steps)[*n])) ++*n;
    gr__names_free(names, n_names);
    return *steps ? GR_OK : gr__fail_memory("checkpoints", n_names * sizeof **steps);
}

gr_status gr__checkpoint_find(gr_run *run, bool *found)
{
    int64_t *steps;
    size_t n;
    *found = false;
    if (!run->out) return GR_OK;
    GR_TRY(list_steps(run, &steps, &n));
    for (size_t i = 0; i < n; i++) {
        gr__json_doc *doc = NULL;
        gr__safetensors *file = NULL;
        gr_status s = open_generation(run, steps[i], &doc, &file);
        if (s == GR_ERR_MEMORY) return s;
        if (s != GR_OK) {
            gr__log(GR_LOG_WARNING, "checkpoint of step %lld is left out: %s", (long long)steps[i], gr_message());
            continue;
        }
        run->at = position_of(gr__json_root(doc));
        s = note_changes(run, gr__json_root(doc));
        gr__safetensors_close(&file);
        gr__json_free(&doc);
        *found = true;
        return s;
    }
    GR_FAIL_IF(n > 0, GR_ERR_CORRUPT,
               "no checkpoint in '%s/" FOLDER "' is whole; the last failure: %s; --fresh begins anew", run->out,
               gr_message());
    return GR_OK;
}

/* Of the newest manifest that can be read: what is wrong with others is told when weights are looked for. */
gr_status gr__checkpoint_model(gr_run *run, gr_model **out)
{
    int64_t *steps;
    size_t n;
    GR_TRY(list_steps(run, &steps, &n));
    gr_status status = GR_ERR_NOT_FOUND;
    for (size_t i = 0; i < n && status != GR_OK; i++) {
        gr__json_doc *doc = NULL;
        char *path = path_of(run, steps[i], "json");
        if (!path) return gr__fail_memory("a path", 64);
        status = gr__json_read(path, MOST_MANIFEST_BYTES, &doc);
        if (status == GR_OK) status = gr__model_of_config(gr__json_get(gr__json_root(doc), "model"), out);
        gr__json_free(&doc);
        if (status == GR_ERR_MEMORY) return status;
    }
    return GR_OK;
}

static gr_status load_tensor(gr_run *run, const gr__stored *s)
{
    gr_tensor t;
    if (gr_store_get(run->store, s->name, &t) != GR_OK) return GR_OK; /* of an optimiser that is no longer used */
    bool same = t.dtype == s->tensor.dtype && t.rank == s->tensor.rank;
    for (int d = 0; same && d < t.rank; d++) same = t.dim[d] == s->tensor.dim[d];
    GR_FAIL_IF(!same, GR_ERR_CONFIG,
               "the checkpoint's '%s' has another shape than the model of this configuration; change it "
               "back, or begin anew with --fresh",
               s->name);
    memcpy(t.data, s->tensor.data, s->size_bytes);
    return GR_OK;
}

gr_status gr__checkpoint_load(gr_run *run, int64_t step)
{
    gr__json_doc *doc = NULL;
    gr__safetensors *file = NULL;
    GR_TRY(open_generation(run, step, &doc, &file));
    gr_status status = GR_OK;
    for (size_t i = 0; i < gr__safetensors_count(file) && status == GR_OK; i++)
        status = load_tensor(run, gr__safetensors_at(file, i));
    for (int i = 0; i < run->n_params && status == GR_OK; i++) {
        const char *path = gr_value_path(run->graph, run->params[i]);
        if (!gr__safetensors_find(file, path))
            status = gr__fail(GR_ERR_CONFIG,
                              "the checkpoint has no parameter '%s' of this configuration's model; change it "
                              "back, or begin anew with --fresh",
                              path);
    }
    gr_store_touch(run->store);
    gr__safetensors_close(&file);
    gr__json_free(&doc);
    return status;
}

gr_status gr__checkpoint_remove_all(const char *out)
{
    char *folder = gr__path_join(out, FOLDER), **names;
    size_t n;
    if (!folder) return gr__fail_memory("a path", 64);
    gr_status status = GR_OK;
    if (gr__file_is_dir(folder) && (status = gr__dir_list(folder, false, &names, &n)) == GR_OK) {
        for (int pass = 0; pass < 2; pass++) /* manifests first: without one there is no checkpoint */
            for (size_t i = 0; i < n && status == GR_OK; i++) {
                int64_t step;
                if (!step_of(names[i], pass ? "safetensors" : "json", &step)) continue;
                char *path = gr__path_join(folder, names[i]);
                status = path ? gr__file_remove(path) : gr__fail_memory("a path", 64);
                gr__free(path);
            }
        gr__names_free(names, n);
    }
    gr__free(folder);
    return status;
}

/* Names in the folder of checkpoints; none where it is not there. */
static gr_status list_folder(const char *out, char ***names, size_t *n)
{
    char *folder = gr__path_join(out, FOLDER);
    *names = NULL;
    *n = 0;
    if (!folder) return gr__fail_memory("a path", 64);
    gr_status status = gr__file_is_dir(folder) ? gr__dir_list(folder, false, names, n) : GR_OK;
    gr__free(folder);
    return status;
}

gr_status gr__checkpoint_look(const char *out, bool *any)
{
    char **names;
    size_t n;
    int64_t step;
    *any = false;
    GR_TRY(list_folder(out, &names, &n));
    for (size_t i = 0; i < n; i++) *any = *any || step_of(names[i], "json", &step);
    gr__names_free(names, n);
    return GR_OK;
}

/* "NAME.tmp-1234" or "NAME.tmp-1234.1" of a file that a run writes; other names may be the user's. */
static bool is_temporary(const char *name)
{
    static const char *const ours[] = {"step-",
                                       "config.",
                                       "tokenizer",
                                       "train.tokens",
                                       "valid.tokens",
                                       "model",
                                       "generation_config.",
                                       "report.html",
                                       "evaluation.html",
                                       "evaluation_other.html"};
    const char *end = strstr(name, ".tmp-");
    bool known = false;
    for (size_t i = 0; end && i < GR__COUNT(ours); i++) known = known || strncmp(name, ours[i], strlen(ours[i])) == 0;
    return known && end[5] && end[5 + strspn(end + 5, "0123456789.")] == 0;
}

/* Tensors of a step that never got a manifest, or whose manifest is removed already. */
static bool is_orphan(char *const *names, size_t n, size_t i)
{
    int64_t step, other;
    if (!step_of(names[i], "safetensors", &step)) return false;
    for (size_t k = 0; k < n; k++)
        if (step_of(names[k], "json", &other) && other == step) return false;
    return true;
}

static gr_status sweep_folder(const char *folder, bool checkpoints)
{
    char **names = NULL;
    size_t n = 0;
    gr_status status = gr__file_is_dir(folder) ? gr__dir_list(folder, false, &names, &n) : GR_OK;
    for (size_t i = 0; i < n && status == GR_OK; i++) {
        if (!is_temporary(names[i]) && !(checkpoints && is_orphan(names, n, i))) continue;
        char *path = gr__path_join(folder, names[i]);
        status = path ? gr__file_remove(path) : gr__fail_memory("a path", 64);
        gr__free(path);
    }
    gr__names_free(names, n);
    return status;
}

gr_status gr__checkpoint_sweep(const char *out)
{
    static const char *const parts[] = {NULL, "data", FOLDER};
    gr_status status = GR_OK;
    for (size_t i = 0; i < GR__COUNT(parts) && status == GR_OK; i++) {
        char *folder = parts[i] ? gr__path_join(out, parts[i]) : gr__strdup(out);
        status = folder ? sweep_folder(folder, i == 2) : gr__fail_memory("a path", 64);
        gr__free(folder);
    }
    return status;
}
