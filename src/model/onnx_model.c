/* The public face: a file, and the session that was compiled for the inputs of the last run. */
#include "gradus/onnx.h"

#include "base/file.h"
#include "gradus/plan.h"
#include "model/onnx_build.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct gr_onnx {
    gr__mapping map;
    char *bytes; /* of gr_onnx_open_bytes */
    char *name;
    char about[256];
    gr__onnx file;
    /* compiled for these inputs; numbers only of those that were baked */
    gr_tensor *last;
    bool *baked;
    bool compiled;
    gr_plan *plan;
    gr_store *store;
    gr_session *session;
    gr__onnx_value *result; /* of each output */
    gr_tensor *output;      /* own data */
};

static gr_status prepare(gr_onnx *m, const unsigned char *bytes, size_t n)
{
    GR_TRY(gr__onnx_read(bytes, n, m->name, &m->file));
    snprintf(m->about, sizeof m->about, "opset %lld, IR %lld%s%.128s", (long long)m->file.opset, (long long)m->file.ir,
             *m->file.producer ? ", " : "", m->file.producer);
    size_t in = m->file.n_inputs + 1, out = m->file.n_outputs + 1;
    m->last = gr__calloc(in, sizeof *m->last);
    m->baked = gr__calloc(in, sizeof *m->baked);
    m->result = gr__calloc(out, sizeof *m->result);
    m->output = gr__calloc(out, sizeof *m->output);
    return m->last && m->baked && m->result && m->output ? GR_OK : gr__fail_memory("a model", in + out);
}

static gr_status new_model(const char *name, gr_onnx **out)
{
    gr_onnx *m = gr__calloc(1, sizeof *m);
    if (!m) return gr__fail_memory("a model", sizeof *m);
    *out = m;
    m->name = gr__strdup(name);
    return m->name ? GR_OK : gr__fail_memory("a name", strlen(name));
}

gr_status gr_onnx_open(const char *path, gr_onnx **out)
{
    gr_onnx *m = NULL;
    gr_status status;
    GR_FAIL_IF(!path || !out, GR_ERR_ARGUMENT, "gr_onnx_open: an argument is NULL");
    GR_TRY_DONE(new_model(path, &m));
    GR_TRY_DONE(gr__file_map(path, &m->map));
    GR_TRY_DONE(prepare(m, m->map.data, m->map.n));
    *out = m;
    return GR_OK;
done:
    gr_onnx_free(&m);
    return status;
}

gr_status gr_onnx_open_bytes(const void *bytes, size_t n, const char *name, gr_onnx **out)
{
    gr_onnx *m = NULL;
    gr_status status;
    GR_FAIL_IF((!bytes && n) || !name || !out, GR_ERR_ARGUMENT, "gr_onnx_open_bytes: an argument is NULL");
    GR_TRY_DONE(new_model(name, &m));
    if (!(m->bytes = gr__alloc(n + 1))) GR_TRY_DONE(gr__fail_memory("a model", n));
    if (n) memcpy(m->bytes, bytes, n);
    GR_TRY_DONE(prepare(m, (const unsigned char *)m->bytes, n));
    *out = m;
    return GR_OK;
done:
    gr_onnx_free(&m);
    return status;
}

/* What was compiled goes. */
static void forget(gr_onnx *m)
{
    gr_session_free(&m->session);
    gr_plan_free(&m->plan);
    gr_store_free(&m->store);
    for (size_t i = 0; m->last && m->baked && i < m->file.n_inputs; i++) {
        gr__free(m->last[i].data);
        m->last[i] = (gr_tensor){0};
        m->baked[i] = false;
    }
    for (size_t i = 0; m->output && i < m->file.n_outputs; i++) {
        gr__free(m->output[i].data);
        m->output[i] = (gr_tensor){0};
    }
    m->compiled = false;
}

void gr_onnx_free(gr_onnx **model)
{
    gr_onnx *m = model ? *model : NULL;
    if (!m) return;
    forget(m);
    gr__free(m->last);
    gr__free(m->baked);
    gr__free(m->result);
    gr__free(m->output);
    gr__onnx_release(&m->file);
    gr__file_unmap(&m->map);
    gr__free(m->bytes);
    gr__free(m->name);
    gr__free(m);
    *model = NULL;
}

static bool port_at(const gr__onnx_port *p, size_t n, size_t i, gr_onnx_port *out)
{
    if (i >= n) return false;
    *out = (gr_onnx_port){.name = p[i].name, .dtype = p[i].dtype, .rank = p[i].rank};
    memcpy(out->dim, p[i].dim, sizeof out->dim);
    return true;
}

bool gr_onnx_input(const gr_onnx *m, size_t i, gr_onnx_port *out)
{
    return port_at(m->file.input, m->file.n_inputs, i, out);
}

bool gr_onnx_output(const gr_onnx *m, size_t i, gr_onnx_port *out)
{
    return port_at(m->file.output, m->file.n_outputs, i, out);
}

const char *gr_onnx_about(const gr_onnx *m) { return m->about; }

/* ---- compiling ---- */

static gr_status keep_inputs(gr_onnx *m, const gr_tensor *input)
{
    for (size_t i = 0; i < m->file.n_inputs; i++) {
        m->last[i] = input[i];
        m->last[i].data = NULL;
        if (!m->baked[i]) continue;
        size_t bytes = gr_tensor_size_bytes(&input[i]);
        if (!(m->last[i].data = gr__alloc(bytes))) return gr__fail_memory("an input", bytes);
        memcpy(m->last[i].data, input[i].data, bytes);
    }
    return GR_OK;
}

static gr_status compile(gr_onnx *m, const gr_tensor *input)
{
    gr_status status;
    bool any = false;
    gr__onnx_build b = {.model = &m->file, .name = m->name, .given = input, .baked = m->baked};
    b.input = gr__calloc(m->file.n_inputs + 1, sizeof *b.input);
    if (!b.input) GR_TRY_DONE(gr__fail_memory("a model", m->file.n_inputs));
    GR_TRY_DONE(gr_graph_new(&b.g));
    GR_TRY_DONE(gr__interpret_new(&b.interpret, b.g));
    GR_TRY_DONE(gr__onnx_build_graph(&b, m->result));
    for (size_t i = 0; i < m->file.n_outputs; i++) {
        gr_tensor *t = &m->output[i];
        any = any || m->result[i].v;
        *t = (gr_tensor){.dtype = m->result[i].dtype, .rank = m->result[i].rank};
        memcpy(t->dim, m->result[i].dim, sizeof t->dim);
        if (!(t->data = gr__alloc(gr_tensor_size_bytes(t) + 1))) GR_TRY_DONE(gr__fail_memory("an output", 1));
    }
    if (any) {
        GR_TRY_DONE(gr_plan_compile(b.g, "run", NULL, &m->plan));
        GR_TRY_DONE(gr_store_new(&m->store));
        GR_TRY_DONE(gr_session_new(m->plan, m->store, &m->session));
    }
    GR_TRY_DONE(keep_inputs(m, input));
    m->compiled = true;
done:
    gr__interpret_free(&b.interpret);
    gr_graph_free(&b.g);
    gr__free(b.input);
    gr__free(b.value);
    gr__map_release(&b.names);
    gr__arena_release(&b.arena);
    return status;
}

static bool fits(const gr_onnx *m, const gr_tensor *input)
{
    bool same = m->compiled;
    for (size_t i = 0; same && i < m->file.n_inputs; i++) {
        const gr_tensor *a = &m->last[i], *b = &input[i];
        same = a->dtype == b->dtype && a->rank == b->rank &&
               memcmp(a->dim, b->dim, (size_t)a->rank * sizeof *a->dim) == 0 &&
               (!a->data || memcmp(a->data, b->data, gr_tensor_size_bytes(b)) == 0);
    }
    return same;
}

/* ---- running ---- */

static gr_status check_inputs(const gr_onnx *m, const gr_tensor *input, int n_inputs, int n_outputs)
{
    GR_FAIL_IF(n_inputs < 0 || (size_t)n_inputs != m->file.n_inputs, GR_ERR_ARGUMENT, "'%s' has %zu inputs, not %d",
               m->name, m->file.n_inputs, n_inputs);
    GR_FAIL_IF(n_outputs < 0 || (size_t)n_outputs != m->file.n_outputs, GR_ERR_ARGUMENT, "'%s' has %zu outputs, not %d",
               m->name, m->file.n_outputs, n_outputs);
    for (int i = 0; i < n_inputs; i++) {
        const gr__onnx_port *p = &m->file.input[i];
        const gr_tensor *t = &input[i];
        GR_FAIL_IF(!p->dtype, GR_ERR_UNSUPPORTED,
                   "'%s': input '%s' is not a tensor, or of a type that is not supported", m->name, p->name);
        GR_FAIL_IF(t->dtype != p->dtype, GR_ERR_DTYPE, "'%s': input '%s' is %s, not %s", m->name, p->name,
                   gr_dtype_name(p->dtype), gr_dtype_name(t->dtype));
        GR_FAIL_IF(t->rank < 0 || t->rank > GR_MAX_RANK || (p->rank >= 0 && p->rank != t->rank), GR_ERR_SHAPE,
                   "'%s': input '%s' has %d axes, not %d", m->name, p->name, p->rank, t->rank);
        size_t bytes = gr_dtype_size_bytes(t->dtype) * 8;
        for (int k = 0; k < t->rank; k++) {
            GR_FAIL_IF(t->dim[k] < 0 || (p->rank >= 0 && p->dim[k] >= 0 && p->dim[k] != t->dim[k]), GR_ERR_SHAPE,
                       "'%s': axis %d of input '%s' has size %lld, not %lld", m->name, k, p->name, (long long)p->dim[k],
                       (long long)t->dim[k]);
            GR_FAIL_IF(t->dim[k] && !gr__mul_size(bytes, (size_t)t->dim[k], &bytes), GR_ERR_SHAPE,
                       "'%s': input '%s' is larger than memory", m->name, p->name);
        }
        GR_FAIL_IF(!t->data && gr_tensor_count(t), GR_ERR_ARGUMENT, "'%s': input '%s' has no data", m->name, p->name);
    }
    return GR_OK;
}

static gr_status widen(gr_tensor *out, const gr_tensor *x, const char *name)
{
    int64_t n = gr_tensor_count(out);
    double bits = 8 * (double)gr_dtype_size_bytes(out->dtype), high, low;
    bool is_signed = out->dtype == GR_I8 || out->dtype == GR_I16 || out->dtype == GR_I32 || out->dtype == GR_I64;
    if (out->dtype == x->dtype) {
        memcpy(out->data, x->data, gr_tensor_size_bytes(out));
        return GR_OK;
    }
    high = bits == 64 ? 0x1p53 : exp2(is_signed ? bits - 1 : bits) - 1;
    low = !is_signed ? 0 : bits == 64 ? -high : -high - 1;
    bool whole = !gr__onnx_is_float(out->dtype) && out->dtype != GR_BOOL;
    for (int64_t i = 0; i < n; i++) {
        double v = gr_tensor_get(x, i);
        GR_FAIL_IF(whole && !(v >= low && v <= high), GR_ERR_NUMERIC, "output '%s': %g does not fit %s", name, v,
                   gr_dtype_name(out->dtype));
        if (out->dtype == GR_I64 || out->dtype == GR_U64)
            ((int64_t *)out->data)[i] = (int64_t)v;
        else
            gr_tensor_set(out, i, v);
    }
    return GR_OK;
}

gr_status gr_onnx_run(gr_onnx *m, const gr_tensor *input, int n_inputs, gr_tensor *output, int n_outputs)
{
    gr_tensor t;
    GR_FAIL_IF(!m || (!input && n_inputs > 0) || (!output && n_outputs > 0), GR_ERR_ARGUMENT,
               "gr_onnx_run: an argument is NULL");
    GR_TRY(check_inputs(m, input, n_inputs, n_outputs));
    if (!fits(m, input)) {
        forget(m);
        gr_status status = compile(m, input);
        if (status != GR_OK) {
            forget(m);
            return status;
        }
    }
    for (int i = 0; m->session && i < n_inputs; i++) {
        GR_TRY(gr__onnx_check_range(&input[i]));
        if (gr_tensor_count(&input[i]) == 0 || gr_session_input(m->session, m->file.input[i].name, &t) != GR_OK)
            continue; /* what no output depends on has no place */
        if (t.dtype == input[i].dtype)
            memcpy(t.data, input[i].data, gr_tensor_size_bytes(&t));
        else
            for (int64_t k = 0, n = gr_tensor_count(&t); k < n; k++) gr_tensor_set(&t, k, gr_tensor_get(&input[i], k));
    }
    if (m->session) GR_TRY(gr_session_run(m->session));
    for (int i = 0; i < n_outputs; i++) {
        if (m->result[i].v) {
            GR_TRY(gr_session_output(m->session, m->file.output[i].name, &t));
            GR_TRY(widen(&m->output[i], &t, m->file.output[i].name));
        }
        output[i] = m->output[i];
    }
    return GR_OK;
}
