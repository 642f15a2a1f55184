/* ONNX's conformance tests: files of a folder or an archive, grouped into tests, each run and compared. */
#include "gradus/onnx.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/limits.h"
#include "format/onnx.h"
#include "format/tar.h"
#include "model/onnx_build.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct found {
    const char *name;
    char *bytes;
    size_t n;
} found;

typedef struct sweep {
    const gr_onnx_check_options *options;
    bool (*each)(void *user, const gr_onnx_result *result);
    void *user;
    const char *group;
    gr__arena arena; /* names and tensors of a group */
    found *file;
    size_t n, capacity, bytes, tests;
} sweep;

/* ---- files ---- */

static gr_status keep(sweep *s, const char *name, char *bytes, size_t n)
{
    const char *copy = gr__arena_strdup(&s->arena, name);
    gr_status status =
        copy ? gr__grow(&s->file, sizeof *s->file, s->n + 1, &s->capacity) : gr__fail_memory("a name", strlen(name));
    if (status == GR_OK && (s->bytes += n) > GR__LIMIT_ONNX_ARCHIVE_BYTES)
        status = gr__fail(GR_ERR_LIMIT, "'%s' has more than %d bytes of tests", s->group, GR__LIMIT_ONNX_ARCHIVE_BYTES);
    if (status == GR_OK)
        s->file[s->n++] = (found){copy, bytes, n};
    else
        gr__free(bytes);
    return status;
}

static bool is_ours(const char *name) { return gr__str_ends(name, ".onnx") || gr__str_ends(name, ".pb"); }

static gr_status read_archive(sweep *s, const char *path)
{
    gr__tar *tar;
    gr__tar_entry e;
    bool more;
    char *bytes;
    size_t n;
    gr_status status;
    GR_TRY(gr__tar_open(path, &tar));
    for (;;) {
        GR_TRY_DONE(gr__tar_next(tar, &e, &more));
        if (!more) break;
        if (e.is_folder || !is_ours(e.name)) continue;
        const char *name = gr__arena_strdup(&s->arena, e.name);
        if (!name) GR_TRY_DONE(gr__fail_memory("a name", strlen(e.name)));
        GR_TRY_DONE(gr__tar_read_all(tar, GR__LIMIT_ONNX_ARCHIVE_BYTES, &bytes, &n));
        GR_TRY_DONE(keep(s, name, bytes, n));
    }
done:
    gr__tar_close(&tar);
    return status;
}

static gr_status read_folder(sweep *s, const char *path, char **name, size_t n_names)
{
    for (size_t i = 0; i < n_names; i++) {
        char *bytes, *full;
        size_t n;
        if (!is_ours(name[i])) continue;
        if (!(full = gr__path_join(path, name[i]))) return gr__fail_memory("a path", strlen(name[i]));
        gr_status status = gr__file_read(full, GR__LIMIT_ONNX_ARCHIVE_BYTES, &bytes, &n);
        gr__free(full);
        GR_TRY(status);
        GR_TRY(keep(s, name[i], bytes, n));
    }
    return GR_OK;
}

static void drop_files(sweep *s)
{
    for (size_t i = 0; i < s->n; i++) gr__free(s->file[i].bytes);
    gr__arena_release(&s->arena);
    s->n = s->bytes = 0;
}

static int by_name(const void *a, const void *b) { return strcmp(((const found *)a)->name, ((const found *)b)->name); }

static const found *find(const sweep *s, const char *name)
{
    found key = {.name = name};
    return s->n ? bsearch(&key, s->file, s->n, sizeof key, by_name) : NULL;
}

/* ---- one test ---- */

static bool is_plain(gr_dtype t) { return t == GR_F32 || t == GR_I32 || t == GR_I64 || t == GR_BOOL; }

/* The largest difference as a multiple of what is allowed. */
static double compare(const sweep *s, const gr_tensor *got, const gr_tensor *want)
{
    double rtol = s->options && s->options->rtol > 0 ? s->options->rtol : 1e-3;
    double atol = s->options && s->options->atol > 0 ? s->options->atol : 1e-7, worst = 0;
    if (!gr__onnx_is_float(want->dtype)) rtol = 0, atol = 0.5; /* whole numbers are equal */
    for (int64_t i = 0, n = gr_tensor_count(want); i < n; i++) {
        double a = gr_tensor_get(got, i), b = gr_tensor_get(want, i), d;
        if (a == b || (isnan(a) && isnan(b))) continue;
        d = fabs(a - b) / (atol + rtol * fabs(b));
        if (!(d <= worst)) worst = isnan(d) ? (double)INFINITY : d;
    }
    return worst;
}

static gr_status check_output(const sweep *s, size_t i, const gr_tensor *got, const gr_tensor *want, double *worst)
{
    GR_FAIL_IF(got->dtype != want->dtype, GR_ERR_CHECK, "output %zu is %s, not %s", i, gr_dtype_name(got->dtype),
               gr_dtype_name(want->dtype));
    bool same = got->rank == want->rank;
    for (int k = 0; same && k < got->rank; k++) same = got->dim[k] == want->dim[k];
    GR_FAIL_IF(!same, GR_ERR_CHECK, "output %zu has another shape than it should", i);
    double d = compare(s, got, want);
    if (d > *worst) *worst = d;
    GR_FAIL_IF(d > 1, GR_ERR_CHECK, "output %zu differs by %.3g times what is allowed", i, d);
    return GR_OK;
}

static gr_status read_tensor(sweep *s, const found *f, gr__arena *arena, gr_onnx_result *r, gr_tensor *out)
{
    gr__onnx_tensor t;
    (void)s;
    GR_TRY(gr__onnx_read_tensor((const unsigned char *)f->bytes, f->n, f->name, arena, &t));
    GR_FAIL_IF(t.why, GR_ERR_UNSUPPORTED, "'%s': %s cannot be read", f->name, t.why);
    r->plain = r->plain && is_plain(t.tensor.dtype);
    *out = t.tensor;
    return GR_OK;
}

/* The tensors "<folder>input_K.pb", as many as there are; NULL file: the end. */
static const found *numbered(sweep *s, const char *folder, const char *what, size_t k)
{
    const char *name = gr__arena_printf(&s->arena, "%s%s_%zu.pb", folder, what, k);
    return name ? find(s, name) : NULL;
}

static gr_status run_set(sweep *s, gr_onnx *m, const char *folder, gr_onnx_result *r)
{
    gr__arena arena = {0};
    gr_status status = GR_OK;
    size_t n_in = 0, n_out = 0;
    gr_onnx_port port;
    const found *f;
    while (gr_onnx_input(m, n_in, &port)) n_in++;
    while (gr_onnx_output(m, n_out, &port)) n_out++;
    gr_tensor *in = gr__arena_alloc(&arena, (n_in + 1) * sizeof *in), want;
    gr_tensor *out = gr__arena_alloc(&arena, (n_out + 1) * sizeof *out);
    if (!in || !out) GR_TRY_DONE(gr__fail_memory("a test", n_in + n_out));
    for (size_t i = 0; i < n_in; i++) {
        if (!(f = numbered(s, folder, "input", i)))
            GR_TRY_DONE(gr__fail(GR_ERR_NOT_FOUND, "'%s': input %zu is missing", folder, i));
        GR_TRY_DONE(read_tensor(s, f, &arena, r, &in[i]));
    }
    for (size_t i = 0; i < n_out; i++)
        if ((f = numbered(s, folder, "output", i))) GR_TRY_DONE(read_tensor(s, f, &arena, r, &want));
    GR_TRY_DONE(gr_onnx_run(m, in, (int)n_in, out, (int)n_out));
    for (size_t i = 0; i < n_out; i++) {
        if (!(f = numbered(s, folder, "output", i)))
            GR_TRY_DONE(gr__fail(GR_ERR_NOT_FOUND, "'%s': output %zu is missing", folder, i));
        GR_TRY_DONE(read_tensor(s, f, &arena, r, &want));
        GR_TRY_DONE(check_output(s, i, &out[i], &want, &r->worst));
    }
done:
    gr__arena_release(&arena);
    return status;
}

static gr_status run_sets(sweep *s, const found *model, const char *folder, gr_onnx_result *r)
{
    gr_onnx *m;
    gr_onnx_port port;
    gr_status status = GR_OK;
    GR_TRY(gr_onnx_open_bytes(model->bytes, model->n, r->test, &m));
    bool tensors = true; /* a type without a name here: sequences, strings, 8-bit floats */
    for (size_t i = 0; gr_onnx_input(m, i, &port); i++) tensors = tensors && port.dtype != GR_DTYPE_NONE;
    for (size_t i = 0; gr_onnx_output(m, i, &port); i++) {
        tensors = tensors && port.dtype != GR_DTYPE_NONE;
        r->plain = r->plain && is_plain(port.dtype);
    }
    if (!tensors) {
        r->plain = false;
        GR_TRY_DONE(gr__fail(GR_ERR_UNSUPPORTED, "'%s': an input or output is of a type that is not read", r->test));
    }
    for (size_t k = 0; status == GR_OK; k++) {
        const char *set = gr__arena_printf(&s->arena, "%stest_data_set_%zu/", folder, k);
        if (!set) GR_TRY_DONE(gr__fail_memory("a name", strlen(folder)));
        if (k && !numbered(s, set, "output", 0)) break;
        status = run_set(s, m, set, r);
    }
done:
    gr_onnx_free(&m);
    return status;
}

/* A light model: one input of a known shape, counted from 0 to 1. */
static gr_status run_light(sweep *s, const found *model, const found *answer, gr_onnx_result *r)
{
    gr_onnx *m;
    gr_onnx_port port;
    gr_tensor x = {.dtype = GR_F32}, y, want;
    gr__arena arena = {0};
    gr_status status;
    GR_TRY(gr_onnx_open_bytes(model->bytes, model->n, r->test, &m));
    GR_TRY_DONE(read_tensor(s, answer, &arena, r, &want));
    if (!gr_onnx_input(m, 0, &port) || port.dtype != GR_F32 || port.rank < 0)
        GR_TRY_DONE(gr__fail(GR_ERR_UNSUPPORTED, "its input has no known shape"));
    size_t bytes = sizeof(float);
    x.rank = port.rank;
    for (int i = 0; i < port.rank; i++) {
        x.dim[i] = port.dim[i];
        if (port.dim[i] < 1 || !gr__mul_size(bytes, (size_t)port.dim[i], &bytes) ||
            bytes > GR__LIMIT_ONNX_ARCHIVE_BYTES)
            GR_TRY_DONE(gr__fail(GR_ERR_UNSUPPORTED, "its input has no known shape"));
    }
    if (!(x.data = gr__arena_alloc(&arena, bytes))) GR_TRY_DONE(gr__fail_memory("an input", bytes));
    int64_t n = gr_tensor_count(&x);
    for (int64_t i = 0; i < n; i++) ((float *)x.data)[i] = (float)i / (float)n;
    GR_TRY_DONE(gr_onnx_run(m, &x, 1, &y, 1));
    GR_TRY_DONE(check_output(s, 0, &y, &want, &r->worst));
done:
    gr_onnx_free(&m);
    gr__arena_release(&arena);
    return status;
}

/* "'test': Foo node 'x': ..." -> "Foo" */
static const char *operator_of(sweep *s, const char *message)
{
    const char *node = strstr(message, " node '"), *from = node;
    while (from && from > message && from[-1] != ' ') from--;
    const char *op = from ? gr__arena_strndup(&s->arena, from, (size_t)(node - from)) : NULL;
    return op ? op : "";
}

static gr_status judge(sweep *s, gr_status status, gr_onnx_result *r)
{
    if (status == GR_ERR_MEMORY) return status;
    r->verdict = status == GR_OK ? GR_ONNX_PASSED : status == GR_ERR_UNSUPPORTED ? GR_ONNX_REFUSED : GR_ONNX_FAILED;
    r->refused = r->why = "";
    if (status != GR_OK && !(r->why = gr__arena_strdup(&s->arena, gr_message()))) r->why = "";
    if (status == GR_ERR_UNSUPPORTED) r->refused = operator_of(s, r->why);
    s->tests++;
    return s->each(s->user, r) ? GR_OK : gr__fail(GR_ERR_STOPPED, "stopped after test '%s'", r->test);
}

/* Runs what the file at 'i' stands for: a test, or nothing. */
static gr_status look_at(sweep *s, size_t i)
{
    const found *f = &s->file[i], *answer = NULL;
    const char *base = strrchr(f->name, '/'), *test = NULL, *folder = NULL;
    gr_onnx_result r = {.group = s->group, .plain = true};
    base = base ? base + 1 : f->name;
    size_t stem = strlen(f->name) - strlen(".onnx");
    if (!gr__str_ends(f->name, ".onnx")) return GR_OK;
    if (strcmp(base, "model.onnx") == 0) {
        folder = gr__arena_strndup(&s->arena, f->name, (size_t)(base - f->name));
        test = folder && *folder ? gr__arena_strndup(&s->arena, folder, strlen(folder) - 1) : folder;
    } else {
        const char *name = gr__arena_printf(&s->arena, "%.*s_output_0.pb", (int)stem, f->name);
        if (!name) return gr__fail_memory("a name", stem);
        if (!(answer = find(s, name))) return GR_OK;
        test = gr__arena_strndup(&s->arena, f->name, stem);
    }
    if (!test) return gr__fail_memory("a name", stem);
    r.test = strrchr(test, '/') ? strrchr(test, '/') + 1 : test;
    if (s->options && s->options->pattern && !gr__str_glob(s->options->pattern, r.test)) return GR_OK;
    return judge(s, answer ? run_light(s, f, answer, &r) : run_sets(s, f, folder, &r), &r);
}

static gr_status run_group(sweep *s)
{
    gr_status status = GR_OK;
    if (s->n) qsort(s->file, s->n, sizeof *s->file, by_name);
    for (size_t i = 0; status == GR_OK && i < s->n; i++) status = look_at(s, i);
    drop_files(s);
    return status;
}

static gr_status run_archive(sweep *s, const char *path)
{
    const char *base = strrchr(path, '/');
    char *group = gr__strdup(base ? base + 1 : path);
    if (!group) return gr__fail_memory("a name", strlen(path));
    if (strchr(group, '.')) *strchr(group, '.') = 0;
    s->group = group;
    gr_status status = read_archive(s, path);
    if (status == GR_OK) status = run_group(s);
    drop_files(s);
    gr__free(group);
    return status;
}

static gr_status run_folder(sweep *s, const char *path)
{
    char **name;
    size_t n, archives = 0;
    gr_status status = GR_OK;
    GR_TRY(gr__dir_list(path, true, &name, &n));
    for (size_t i = 0; i < n; i++) {
        if (!gr__str_ends(name[i], ".tar.gz") || strchr(name[i], '/')) continue;
        char *full = gr__path_join(path, name[i]);
        if (!full) GR_TRY_DONE(gr__fail_memory("a path", strlen(name[i])));
        archives++;
        status = run_archive(s, full);
        gr__free(full);
        if (status != GR_OK) goto done;
    }
    s->group = "";
    if (!archives) GR_TRY_DONE(read_folder(s, path, name, n));
    if (!archives) GR_TRY_DONE(run_group(s));
done:
    drop_files(s);
    gr__names_free(name, n);
    return status;
}

gr_status gr_onnx_check(const char *path, const gr_onnx_check_options *options,
                        bool (*each)(void *user, const gr_onnx_result *result), void *user)
{
    GR_FAIL_IF(!path || !each, GR_ERR_ARGUMENT, "gr_onnx_check: an argument is NULL");
    sweep s = {.options = options, .each = each, .user = user};
    gr_status status = gr__file_is_dir(path) ? run_folder(&s, path) : run_archive(&s, path);
    drop_files(&s);
    gr__free(s.file);
    GR_TRY(status);
    GR_FAIL_IF(!s.tests, GR_ERR_NOT_FOUND, "'%s' has no tests of that name", path);
    return GR_OK;
}
