/* ModelProto, GraphProto and what lies in them. Each message is read twice: once to count its lists, once to fill them, so
 * that no memory is asked for that the bytes do not stand for. */
#include "format/onnx.h"

#include "base/limits.h"
#include "base/map.h"
#include "format/onnx_int.h"

#include <string.h>

typedef struct reader {
    gr__onnx *m;
    gr__wire_field graph;
    bool has_opset;
} reader;

static void *list_of(gr__arena *arena, size_t n, size_t each)
{
    size_t bytes;
    return gr__mul_size(n ? n : 1, each, &bytes) ? gr__arena_alloc(arena, bytes) : NULL;
}

/* counts[k]: how often field k (below 'most') occurs. */
static gr_status count_fields(gr__wire w, size_t *counts, uint32_t most)
{
    gr__wire_field f;
    bool more;
    memset(counts, 0, most * sizeof *counts);
    for (;;) {
        GR_TRY(gr__wire_next(&w, &f, &more));
        if (!more) return GR_OK;
        if (f.number < most) counts[f.number]++;
    }
}

/* ---- nodes ---- */

/* ints or floats of an attribute: counted, then taken. */
static gr_status read_list(gr__wire w, gr__arena *arena, uint32_t number, int kind, gr__onnx_attribute *a)
{
    gr__wire again = w;
    gr__wire_field f;
    bool more;
    size_t n = 0, got = 0;
    gr_status status = GR_OK;
    for (;;) {
        GR_TRY(gr__wire_next(&w, &f, &more));
        if (!more) break;
        if (f.number == number) GR_TRY(gr__onnx_count_numbers(&w, &f, kind, &n));
    }
    if (!n) return GR_OK;
    uint64_t *bits = gr__calloc(n, sizeof *bits);
    int64_t *ints = list_of(arena, n, sizeof *ints);
    float *floats = (float *)(void *)ints; /* the smaller of the two */
    if (!bits || !ints) GR_TRY_DONE(gr__fail_memory("an attribute", n * sizeof *ints));
    for (;;) {
        GR_TRY_DONE(gr__wire_next(&again, &f, &more));
        if (!more) break;
        if (f.number == number) GR_TRY_DONE(gr__onnx_take_numbers(&again, &f, kind, bits, &got));
    }
    a->n = n;
    if (number == 8) {
        memcpy(ints, bits, n * sizeof *ints);
        a->ints = ints;
    } else {
        for (size_t i = 0; i < n; i++) {
            uint32_t u = (uint32_t)bits[i];
            memcpy(&floats[i], &u, sizeof u);
        }
        a->floats = floats;
    }
done:
    gr__free(bits);
    return status;
}

static gr_status read_attribute(gr__wire w, gr__arena *arena, gr__onnx_attribute *a)
{
    gr__wire again = w;
    gr__wire_field f;
    bool more;
    int64_t kind = -1;
    gr__onnx_kind seen = GR__ONNX_NONE;
    *a = (gr__onnx_attribute){.name = "", .s = ""};
    for (;;) {
        GR_TRY(gr__wire_next(&w, &f, &more));
        if (!more) break;
        uint32_t u = (uint32_t)f.value;
        gr__onnx_tensor *t;
        switch (f.number) {
        case 1: GR_TRY(gr__onnx_text(&w, &f, arena, &a->name)); break;
        case 2:
            GR_TRY(gr__onnx_want(&w, &f, GR__WIRE_FIXED32));
            memcpy(&a->f, &u, sizeof u);
            seen = GR__ONNX_FLOAT;
            break;
        case 3:
            GR_TRY(gr__onnx_want(&w, &f, GR__WIRE_VARINT));
            a->i = (int64_t)f.value;
            seen = GR__ONNX_INT;
            break;
        case 4:
            GR_TRY(gr__onnx_text(&w, &f, arena, &a->s));
            a->s_n = f.n;
            seen = GR__ONNX_STRING;
            break;
        case 5:
            GR_TRY(gr__onnx_want(&w, &f, GR__WIRE_BYTES));
            if (!(t = gr__arena_alloc(arena, sizeof *t))) return gr__fail_memory("a tensor", sizeof *t);
            GR_TRY(gr__onnx_tensor_inside(gr__wire_inside(&w, &f), arena, t));
            a->t = t;
            seen = GR__ONNX_TENSOR;
            break;
        case 6:
        case 11: seen = GR__ONNX_GRAPH; break;
        case 7: seen = GR__ONNX_FLOATS; break;
        case 8: seen = GR__ONNX_INTS; break;
        case 9: seen = GR__ONNX_STRINGS; break;
        case 10:
        case 14:
        case 15:
        case 22:
        case 23: seen = GR__ONNX_OTHER; break;
        case 20:
            GR_TRY(gr__onnx_want(&w, &f, GR__WIRE_VARINT));
            kind = f.value < GR__ONNX_OTHER ? (int64_t)f.value : GR__ONNX_OTHER;
            break;
        default: break;
        }
    }
    a->kind = kind >= 0 ? (gr__onnx_kind)kind : seen; /* old files say no kind; a kind may stand for an empty list */
    if (a->kind == GR__ONNX_TENSOR && !a->t) return gr__wire_corrupt(&w, "attribute '%s' has no tensor", a->name);
    if (a->kind == GR__ONNX_FLOATS) GR_TRY(read_list(again, arena, 7, GR__WIRE_FIXED32, a));
    if (a->kind == GR__ONNX_INTS) GR_TRY(read_list(again, arena, 8, GR__WIRE_VARINT, a));
    return GR_OK;
}

static gr_status read_node(gr__wire w, gr__arena *arena, gr__onnx_node *n)
{
    size_t count[8];
    gr__wire_field f;
    bool more;
    GR_TRY(count_fields(w, count, 8));
    GR_FAIL_IF(count[5] > GR__LIMIT_ONNX_ATTRIBUTES, GR_ERR_LIMIT,
               "cannot load '%s': a node has more than %d attributes", w.name, GR__LIMIT_ONNX_ATTRIBUTES);
    *n = (gr__onnx_node){.name = "", .op = "", .domain = ""};
    n->in = list_of(arena, count[1], sizeof *n->in);
    n->out = list_of(arena, count[2], sizeof *n->out);
    n->attribute = list_of(arena, count[5], sizeof *n->attribute);
    if (!n->in || !n->out || !n->attribute) return gr__fail_memory("a node", count[1] + count[2] + count[5]);
    for (;;) {
        GR_TRY(gr__wire_next(&w, &f, &more));
        if (!more) break;
        switch (f.number) {
        case 1: GR_TRY(gr__onnx_text(&w, &f, arena, &n->in[n->n_in++])); break;
        case 2: GR_TRY(gr__onnx_text(&w, &f, arena, &n->out[n->n_out++])); break;
        case 3: GR_TRY(gr__onnx_text(&w, &f, arena, &n->name)); break;
        case 4: GR_TRY(gr__onnx_text(&w, &f, arena, &n->op)); break;
        case 5:
            GR_TRY(gr__onnx_want(&w, &f, GR__WIRE_BYTES));
            GR_TRY(read_attribute(gr__wire_inside(&w, &f), arena, &n->attribute[n->n_attributes++]));
            break;
        case 7: GR_TRY(gr__onnx_text(&w, &f, arena, &n->domain)); break;
        default: break;
        }
    }
    return *n->op ? GR_OK : gr__wire_corrupt(&w, "node '%s' has no operator", n->name);
}

/* ---- inputs and outputs ---- */

static gr_status read_dim(gr__wire w, int64_t *dim)
{
    gr__wire_field f;
    bool more;
    *dim = -1;
    for (;;) {
        GR_TRY(gr__wire_next(&w, &f, &more));
        if (!more) return GR_OK;
        if (f.number != 1) continue;
        GR_TRY(gr__onnx_want(&w, &f, GR__WIRE_VARINT));
        *dim = f.value <= INT64_MAX ? (int64_t)f.value : -1;
    }
}

static gr_status read_shape(gr__wire w, gr__onnx_port *p)
{
    gr__wire_field f;
    bool more;
    p->rank = 0;
    for (;;) {
        GR_TRY(gr__wire_next(&w, &f, &more));
        if (!more) return GR_OK;
        if (f.number != 1) continue;
        GR_TRY(gr__onnx_want(&w, &f, GR__WIRE_BYTES));
        GR_FAIL_IF(p->rank == GR_MAX_RANK, GR_ERR_LIMIT, "cannot load '%s': '%s' has more than %d axes", w.name,
                   p->name, GR_MAX_RANK);
        GR_TRY(read_dim(gr__wire_inside(&w, &f), &p->dim[p->rank++]));
    }
}

static gr_status read_tensor_type(gr__wire w, gr__onnx_port *p)
{
    gr__wire_field f;
    bool more;
    for (;;) {
        GR_TRY(gr__wire_next(&w, &f, &more));
        if (!more) return GR_OK;
        if (f.number == 1) {
            GR_TRY(gr__onnx_want(&w, &f, GR__WIRE_VARINT));
            p->dtype = gr__onnx_dtype((int64_t)f.value);
        } else if (f.number == 2) {
            GR_TRY(gr__onnx_want(&w, &f, GR__WIRE_BYTES));
            GR_TRY(read_shape(gr__wire_inside(&w, &f), p));
        }
    }
}

static gr_status read_port(gr__wire w, gr__arena *arena, gr__onnx_port *p)
{
    gr__wire_field f, type = {0};
    bool more;
    *p = (gr__onnx_port){.name = "", .rank = -1};
    for (;;) {
        GR_TRY(gr__wire_next(&w, &f, &more));
        if (!more) break;
        if (f.number == 1) GR_TRY(gr__onnx_text(&w, &f, arena, &p->name));
        if (f.number == 2) {
            GR_TRY(gr__onnx_want(&w, &f, GR__WIRE_BYTES));
            type = f;
        }
    }
    if (!type.bytes) return GR_OK;
    gr__wire inside = gr__wire_inside(&w, &type);
    for (;;) {
        GR_TRY(gr__wire_next(&inside, &f, &more));
        if (!more) break;
        if (f.number != 1) continue;
        GR_TRY(gr__onnx_want(&w, &f, GR__WIRE_BYTES));
        GR_TRY(read_tensor_type(gr__wire_inside(&w, &f), p));
    }
    return GR_OK;
}

/* ---- the graph and the model ---- */

/* Before IR 4 initializers were listed among the inputs as well. */
static gr_status drop_initializers(gr__onnx *m)
{
    gr__map names = {0};
    gr_status status = GR_OK;
    size_t n = 0;
    for (size_t i = 0; i < m->n_initializers; i++)
        GR_TRY_DONE(gr__map_set_name(&names, m->initializer[i].name, (int64_t)i, NULL));
    for (size_t i = 0; i < m->n_inputs; i++)
        if (!gr__map_get_name(&names, m->input[i].name)) m->input[n++] = m->input[i];
    m->n_inputs = n;
done:
    gr__map_release(&names);
    return status;
}

static gr_status read_graph(gr__wire w, gr__onnx *m)
{
    size_t count[16];
    gr__wire_field f;
    bool more;
    gr__arena *arena = &m->arena;
    GR_TRY(count_fields(w, count, 16));
    GR_FAIL_IF(count[1] > GR__LIMIT_ONNX_NODES, GR_ERR_LIMIT, "cannot load '%s': it has more than %d nodes", w.name,
               GR__LIMIT_ONNX_NODES);
    GR_FAIL_IF(count[5] > GR__LIMIT_TENSORS || count[11] > GR__LIMIT_TENSORS || count[12] > GR__LIMIT_TENSORS,
               GR_ERR_LIMIT, "cannot load '%s': it has more than %d tensors", w.name, GR__LIMIT_TENSORS);
    m->node = list_of(arena, count[1], sizeof *m->node);
    m->initializer = list_of(arena, count[5], sizeof *m->initializer);
    m->input = list_of(arena, count[11], sizeof *m->input);
    m->output = list_of(arena, count[12], sizeof *m->output);
    if (!m->node || !m->initializer || !m->input || !m->output) return gr__fail_memory("a model", count[1]);
    for (;;) {
        GR_TRY(gr__wire_next(&w, &f, &more));
        if (!more) break;
        if (f.number == 15) m->n_sparse++;
        if (f.number != 1 && f.number != 5 && f.number != 11 && f.number != 12) continue;
        GR_TRY(gr__onnx_want(&w, &f, GR__WIRE_BYTES));
        gr__wire in = gr__wire_inside(&w, &f);
        switch (f.number) {
        case 1: GR_TRY(read_node(in, arena, &m->node[m->n_nodes++])); break;
        case 5: GR_TRY(gr__onnx_tensor_inside(in, arena, &m->initializer[m->n_initializers++])); break;
        case 11: GR_TRY(read_port(in, arena, &m->input[m->n_inputs++])); break;
        default: GR_TRY(read_port(in, arena, &m->output[m->n_outputs++])); break;
        }
    }
    return drop_initializers(m);
}

static gr_status read_opset(gr__wire w, reader *r)
{
    gr__wire_field f;
    bool more;
    const char *domain = "";
    int64_t version = 0;
    for (;;) {
        GR_TRY(gr__wire_next(&w, &f, &more));
        if (!more) break;
        if (f.number == 1) GR_TRY(gr__onnx_text(&w, &f, &r->m->arena, &domain));
        if (f.number == 2) version = f.value <= INT32_MAX ? (int64_t)f.value : INT32_MAX;
    }
    if (*domain && strcmp(domain, "ai.onnx") != 0) return GR_OK;
    r->m->opset = version;
    r->has_opset = true;
    return GR_OK;
}

gr_status gr__onnx_read(const unsigned char *bytes, size_t n, const char *name, gr__onnx *m)
{
    *m = (gr__onnx){.producer = "", .opset = 1};
    gr__wire w = {bytes, bytes + n, bytes, name};
    reader r = {.m = m};
    gr__wire_field f;
    bool more;
    for (;;) {
        GR_TRY(gr__wire_next(&w, &f, &more));
        if (!more) break;
        switch (f.number) {
        case 1:
            GR_TRY(gr__onnx_want(&w, &f, GR__WIRE_VARINT));
            m->ir = f.value <= INT32_MAX ? (int64_t)f.value : INT32_MAX;
            break;
        case 2: GR_TRY(gr__onnx_text(&w, &f, &m->arena, &m->producer)); break;
        case 7:
            GR_TRY(gr__onnx_want(&w, &f, GR__WIRE_BYTES));
            if (r.graph.bytes) return gr__wire_corrupt(&w, "a second graph; is it an ONNX file?");
            r.graph = f;
            break;
        case 8:
            GR_TRY(gr__onnx_want(&w, &f, GR__WIRE_BYTES));
            GR_TRY(read_opset(gr__wire_inside(&w, &f), &r));
            break;
        case 25: m->n_functions++; break;
        default: break;
        }
    }
    if (!r.graph.bytes) return gr__wire_corrupt(&w, "there is no graph; is it an ONNX file?");
    return read_graph(gr__wire_inside(&w, &r.graph), m);
}

void gr__onnx_release(gr__onnx *m)
{
    gr__arena_release(&m->arena);
    *m = (gr__onnx){0};
}
