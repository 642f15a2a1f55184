/* ONNX: models that are built here byte by byte, mutants of them, and a sample of the conformance tests. */
#include "tests/hostile.h"
#include "tests/test.h"

#include "gradus/onnx.h"

#include <math.h>
#include <string.h>

/* ---- a writer of protobuf: a message is a buffer that grows ---- */

typedef struct message {
    unsigned char bytes[2048];
    size_t n;
} message;

static void put_varint(message *m, uint64_t v)
{
    for (; v >= 128; v >>= 7) m->bytes[m->n++] = (unsigned char)(v | 128);
    m->bytes[m->n++] = (unsigned char)v;
}

static void put_number(message *m, unsigned field, uint64_t v)
{
    put_varint(m, field << 3);
    put_varint(m, v);
}

static void put_bytes(message *m, unsigned field, const void *bytes, size_t n)
{
    put_varint(m, field << 3 | 2);
    put_varint(m, n);
    assert_true(m->n + n < sizeof m->bytes);
    if (n) memcpy(m->bytes + m->n, bytes, n);
    m->n += n;
}

static void put_text(message *m, unsigned field, const char *text) { put_bytes(m, field, text, strlen(text)); }
static void put_message(message *m, unsigned field, const message *inner)
{
    put_bytes(m, field, inner->bytes, inner->n);
}

static message tensor(const char *name, int type, int rank, const int64_t *dim, const void *data, size_t n)
{
    message m = {0};
    for (int i = 0; i < rank; i++) put_number(&m, 1, (uint64_t)dim[i]);
    put_number(&m, 2, (uint64_t)type);
    put_text(&m, 8, name);
    put_bytes(&m, 9, data, n);
    return m;
}

static message port(const char *name, int type, int rank, const int64_t *dim)
{
    message m = {0}, outer = {0}, inner = {0}, shape = {0};
    for (int i = 0; i < rank; i++) {
        message d = {0};
        if (dim[i] >= 0)
            put_number(&d, 1, (uint64_t)dim[i]);
        else
            put_text(&d, 2, "n");
        put_message(&shape, 1, &d);
    }
    put_number(&inner, 1, (uint64_t)type);
    put_message(&inner, 2, &shape);
    put_message(&outer, 1, &inner);
    put_text(&m, 1, name);
    put_message(&m, 2, &outer);
    return m;
}

/* in, out: names, one blank between them. */
static message node(const char *op, const char *in, const char *out)
{
    message m = {0};
    char text[128], *next;
    snprintf(text, sizeof text, "%s", in);
    for (char *word = strtok_r(text, " ", &next); word; word = strtok_r(NULL, " ", &next)) put_text(&m, 1, word);
    snprintf(text, sizeof text, "%s", out);
    for (char *word = strtok_r(text, " ", &next); word; word = strtok_r(NULL, " ", &next)) put_text(&m, 2, word);
    put_text(&m, 3, "the node");
    put_text(&m, 4, op);
    return m;
}

static void put_int(message *n, const char *name, int64_t v)
{
    message a = {0};
    put_text(&a, 1, name);
    put_number(&a, 3, (uint64_t)v);
    put_number(&a, 20, 2);
    put_message(n, 5, &a);
}

/* The graph comes last, so that no cut of the file passes. */
static message model(const message *graph, int opset)
{
    message m = {0}, o = {0};
    put_number(&m, 1, 8);
    put_number(&o, 2, (uint64_t)opset);
    put_message(&m, 8, &o);
    put_message(&m, 7, graph);
    return m;
}

/* y = relu(x*w' + b), x (2, 3), w (2, 3), b (2); b as float_data. */
static message dense_model(void)
{
    static const float w[] = {1, 2, 3, -1, 0, 1}, b[] = {0.5F, -8};
    message g = {0}, n = node("Gemm", "x w b", "h"), bias = {0};
    put_int(&n, "transB", 1);
    put_message(&g, 1, &n);
    n = node("Relu", "h", "y");
    put_message(&g, 1, &n);
    n = tensor("w", 1, 2, (int64_t[]){2, 3}, w, sizeof w);
    put_message(&g, 5, &n);
    put_number(&bias, 1, 2);
    put_number(&bias, 2, 1);
    put_bytes(&bias, 4, b, sizeof b);
    put_text(&bias, 8, "b");
    put_message(&g, 5, &bias);
    n = port("x", 1, 2, (int64_t[]){-1, 3});
    put_message(&g, 11, &n);
    n = port("y", 1, 2, (int64_t[]){-1, 2});
    put_message(&g, 12, &n);
    return model(&g, 17);
}

static gr_onnx *open_message(const message *m)
{
    gr_onnx *file = NULL;
    assert_ok(gr_onnx_open_bytes(m->bytes, m->n, "x", &file));
    return file;
}

static void computes(void **state)
{
    (void)state;
    message m = dense_model();
    gr_onnx *file = open_message(&m);
    float numbers[] = {1, 1, 1, 2, 0, -1, 0, 0, 10};
    gr_tensor x = {.dtype = GR_F32, .rank = 2, .dim = {3, 3}, .data = numbers}, y;
    gr_onnx_port p;
    assert_true(gr_onnx_input(file, 0, &p));
    assert_string_equal(p.name, "x");
    assert_int_equal(p.dim[0], -1);
    assert_false(gr_onnx_input(file, 1, &p)); /* initializers are no inputs */
    assert_string_equal(gr_onnx_about(file), "opset 17, IR 8");
    const double want[] = {6.5, 0, 0, 0, 30.5, 2};
    assert_ok(gr_onnx_run(file, &x, 1, &y, 1));
    assert_int_equal(y.dim[0], 3);
    for (int i = 0; i < 6; i++) assert_true(gr_tensor_get(&y, i) == want[i]);
    x.dim[0] = 1; /* another shape: compiled again */
    assert_ok(gr_onnx_run(file, &x, 1, &y, 1));
    assert_int_equal(y.dim[0], 1);
    assert_true(gr_tensor_get(&y, 0) == 6.5);
    x.dim[1] = 4;
    assert_fails(gr_onnx_run(file, &x, 1, &y, 1), GR_ERR_SHAPE, "'x': axis 1 of input 'x' has size 3, not 4");
    x = (gr_tensor){.dtype = GR_F64, .rank = 2, .dim = {1, 3}, .data = numbers};
    assert_fails(gr_onnx_run(file, &x, 1, &y, 1), GR_ERR_DTYPE, "'x': input 'x' is f32, not f64");
    assert_fails(gr_onnx_run(file, &x, 0, &y, 1), GR_ERR_ARGUMENT, "'x' has 1 inputs, not 0");
    gr_onnx_free(&file);
}

/* The sizes come in as numbers: other numbers need another graph. Integers come out as they went in. */
static message reshape_model(void)
{
    message g = {0}, n = node("Reshape", "x s", "y");
    put_message(&g, 1, &n);
    n = port("x", 7, 1, (int64_t[]){-1});
    put_message(&g, 11, &n);
    n = port("s", 7, 1, (int64_t[]){2});
    put_message(&g, 11, &n);
    n = port("y", 7, 2, (int64_t[]){-1, -1});
    put_message(&g, 12, &n);
    return model(&g, 13);
}

static void bakes_shapes(void **state)
{
    (void)state;
    message m = reshape_model();
    gr_onnx *file = open_message(&m);
    int64_t x[] = {1, -2, 3, 4, ((int64_t)1 << 53) - 1, 6}, s[] = {2, -1};
    gr_tensor in[] = {{.dtype = GR_I64, .rank = 1, .dim = {6}, .data = x},
                      {.dtype = GR_I64, .rank = 1, .dim = {2}, .data = s}};
    gr_tensor y;
    assert_ok(gr_onnx_run(file, in, 2, &y, 1));
    assert_int_equal(y.dim[1], 3);
    assert_memory_equal(y.data, x, sizeof x);
    s[0] = 3;
    assert_ok(gr_onnx_run(file, in, 2, &y, 1));
    assert_int_equal(y.dim[0], 3);
    assert_int_equal(y.dim[1], 2);
    s[0] = 4;
    assert_fails(gr_onnx_run(file, in, 2, &y, 1), GR_ERR_DATA,
                 "'x': Reshape node 'the node': 6 elements do not fill the new shape");
    s[0] = 2;
    x[3] = ((int64_t)1 << 53) + 2;
    assert_int_equal(gr_onnx_run(file, in, 2, &y, 1), GR_ERR_UNSUPPORTED);
    in[0].dim[0] = 0; /* no elements */
    s[0] = 0;
    assert_int_equal(gr_onnx_run(file, in, 2, &y, 1), GR_OK);
    assert_int_equal(gr_tensor_count(&y), 0);
    gr_onnx_free(&file);
}

static void one_node(message *g, const char *op, int type)
{
    message n = node(op, "x", "y");
    put_message(g, 1, &n);
    n = port("x", type, 1, (int64_t[]){-1});
    put_message(g, 11, &n);
    n = port("y", type, 1, (int64_t[]){-1});
    put_message(g, 12, &n);
}

static void refuses(const message *graph, int opset, gr_status wanted, const char *sentence)
{
    float numbers[2] = {0};
    gr_tensor x = {.dtype = GR_F32, .rank = 1, .dim = {2}, .data = numbers}, y;
    message m = model(graph, opset);
    gr_onnx *file = NULL;
    gr_status status = gr_onnx_open_bytes(m.bytes, m.n, "x", &file);
    if (status == GR_OK) status = gr_onnx_run(file, &x, 1, &y, 1);
    if (status != wanted || strcmp(gr_message(), sentence) != 0)
        fail_msg("%s '%s', wanted '%s'", gr_status_name(status), gr_message(), sentence);
    gr_onnx_free(&file);
}

static void refuses_by_name(void **state)
{
    (void)state;
    message g = {0}, n;
    one_node(&g, "Frobnicate", 1);
    refuses(&g, 17, GR_ERR_UNSUPPORTED, "'x': Frobnicate node 'the node': the operator Frobnicate is not supported");
    g.n = 0;
    one_node(&g, "Mod", 1);
    refuses(&g, 9, GR_ERR_UNSUPPORTED, "'x': Mod node 'the node': opset 9 is not supported");
    refuses(&g, 13, GR_ERR_DATA, "'x': Mod node 'the node': 1 operands; 2 to 2 are possible");
    g.n = 0; /* a string goes in */
    one_node(&g, "Identity", 8);
    refuses(&g, 13, GR_ERR_UNSUPPORTED, "'x': input 'x' is not a tensor, or of a type that is not supported");
    g.n = 0;
    one_node(&g, "Relu", 1);
    n = tensor("w", 1, 0, NULL, NULL, 0); /* external data */
    put_number(&n, 14, 1);
    put_message(&g, 5, &n);
    refuses(&g, 13, GR_ERR_UNSUPPORTED,
            "'x': tensor 'w' cannot be read: its numbers lie in another file (external data)");
    g.n = 0;
    one_node(&g, "Relu", 1);
    n = tensor("w", 1, 2, (int64_t[]){(int64_t)1 << 40, (int64_t)1 << 40}, NULL, 0);
    put_message(&g, 5, &n);
    message m = model(&g, 13);
    gr_onnx *file = NULL;
    assert_int_equal(gr_onnx_open_bytes(m.bytes, m.n, "x", &file), GR_ERR_CORRUPT);
    assert_non_null(strstr(gr_message(), "tensor 'w' has more elements than any machine can hold"));
    g.n = 0; /* reads what is not there */
    n = node("Add", "x z", "y");
    put_message(&g, 1, &n);
    one_node(&g, "Relu", 1);
    refuses(&g, 13, GR_ERR_DATA, "'x': Add node 'the node': 'z' is not computed before it is read");
    g.n = 0;
    one_node(&g, "Relu", 1);
    one_node(&g, "Relu", 1);
    assert_int_equal(gr_onnx_open_bytes("\x0a", 1, "x", &file), GR_ERR_CORRUPT);
    assert_null(file);
}

/* ---- hostile files ---- */

/* Numbers on which simple formulas fail. 'out' may be the second result. */
static void odd_numbers(void **state)
{
    (void)state;
    const double inf = (double)INFINITY;
    static const int64_t none[] = {INT64_MAX}, one[] = {1}, four[] = {4}, zero[] = {0};
    const struct {
        const char *op, *in, *out, *attribute;
        int type;            /* of x, c and, but for TopK's places, y */
        const int64_t *list; /* "a" to "c", i64 (1): operands beside x */
        const int64_t *more;
        double x[4], c[4], y[4];
        int n; /* of y */
    } rows[] = {
        {"Slice", "x a b", "y", NULL, 1, one, none, {1, 2, 3, 4}, {0}, {2, 3, 4}, 3},
        {"Mul",
         "x c",
         "y",
         NULL,
         6,
         NULL,
         NULL,
         {123456789, 65536, -3, 2147483647},
         {987654321, 65536, 7, 2},
         {-67153019, 0, -21, -2},
         4},
        {"Neg", "x", "y", NULL, 6, NULL, NULL, {-2147483648.0, 5, -5, 0}, {0}, {-2147483648.0, -5, 5, 0}, 4},
        {"Mod",
         "x c",
         "y",
         "fmod",
         1,
         NULL,
         NULL,
         {1, 5, -7, 9},
         {(double)0.1f, inf, 3, -4},
         {1 - 9 * (double)0.1f, 5, -1, 1},
         4},
        {"TopK", "x a", "v y", NULL, 1, four, NULL, {-inf, 1, -inf, 2}, {0}, {3, 1, 0, 2}, 4},
        {"TopK", "x a", "y i", NULL, 1, four, NULL, {-inf, 1, -inf, 2}, {0}, {2, 1, -inf, -inf}, 4},
        {"CumSum", "x a", "y", NULL, 1, zero, NULL, {1, 2, inf, 3}, {0}, {1, 3, inf, inf}, 4},
        {"CumSum", "x a", "y", "reverse", 1, zero, NULL, {inf, 2, 3, 4}, {0}, {inf, 9, 7, 4}, 4},
        {"CumSum", "x a", "y", "exclusive", 1, zero, NULL, {1, 2, 3, 4}, {0}, {0, 1, 3, 6}, 4},
        {"Sinh", "x", "y", NULL, 1, NULL, NULL, {1e-5, -1e-6, 89, 0}, {0}, {1e-5, -1e-6, 2.2448061e38, 0}, 4},
        {"Sin",
         "x",
         "y",
         NULL,
         1,
         NULL,
         NULL,
         {0x1p60, 0, -0x1p70, 1},
         {0},
         {-0.83064922, 0, 0.99817940, 0.84147098},
         4},
        {"LogSoftmax",
         "x",
         "y",
         NULL,
         1,
         NULL,
         NULL,
         {10000, 9992, 9991, -inf},
         {0},
         {-4.5873e-4, -8.00045873, -9.00045873, -inf},
         4},
        {"ReduceLogSumExp", "x", "y", NULL, 1, NULL, NULL, {1, inf, 2, 3}, {0}, {inf}, 1},
        {"ReduceLogSumExp", "x", "y", NULL, 1, NULL, NULL, {-inf, -inf, -inf, -inf}, {0}, {-inf}, 1},
        {"PRelu", "x c", "y", NULL, 1, NULL, NULL, {1, -1, 2, -2}, {inf, inf, 3, 3}, {1, -inf, 2, -6}, 4},
    };
    for (size_t i = 0; i < GR__COUNT(rows); i++) {
        message g = {0}, n = node(rows[i].op, rows[i].in, rows[i].out);
        if (rows[i].attribute) put_int(&n, rows[i].attribute, 1);
        put_message(&g, 1, &n);
        float x[4], c[4];
        int32_t ix[4], ic[4];
        bool whole = rows[i].type == 6;
        for (int k = 0; k < 4; k++) {
            x[k] = (float)rows[i].x[k], c[k] = (float)rows[i].c[k];
            if (whole) ix[k] = (int32_t)rows[i].x[k], ic[k] = (int32_t)rows[i].c[k];
        }
        n = tensor("c", rows[i].type, 1, (int64_t[]){4}, whole ? (void *)ic : (void *)c, sizeof c);
        put_message(&g, 5, &n);
        const int64_t *list[] = {rows[i].list, rows[i].more};
        for (int k = 0; k < 2 && list[k]; k++) {
            n = tensor(k ? "b" : "a", 7, 1, (int64_t[]){1}, list[k], sizeof **list);
            put_message(&g, 5, &n);
        }
        n = port("x", rows[i].type, 1, (int64_t[]){4});
        put_message(&g, 11, &n);
        n = port("y", rows[i].type, 1, (int64_t[]){-1});
        put_message(&g, 12, &n);
        message m = model(&g, 13);
        gr_onnx *file = open_message(&m);
        gr_tensor in = {.dtype = whole ? GR_I32 : GR_F32,
                        .rank = 1,
                        .dim = {4},
                        .data = whole ? (void *)ix : (void *)x},
                  y;
        assert_ok(gr_onnx_run(file, &in, 1, &y, 1));
        assert_int_equal(gr_tensor_count(&y), rows[i].n);
        for (int k = 0; k < rows[i].n; k++) {
            double got = gr_tensor_get(&y, k), want = rows[i].y[k];
            if (got != want && !(fabs(got - want) <= 2e-5 * fabs(want)))
                fail_msg("%s (%zu), element %d: %.9g, wanted %.9g", rows[i].op, i, k, got, want);
        }
        gr_onnx_free(&file);
    }
}

static gr_status try_run(const unsigned char *bytes, size_t n, void *user)
{
    (void)user;
    gr_onnx *file;
    float numbers[64] = {1, 2, 3};
    int64_t whole[64] = {2, 3};
    gr_tensor in[4], out[4];
    gr_onnx_port p;
    int n_in = 0, n_out = 0;
    GR_TRY(gr_onnx_open_bytes(bytes, n, "x", &file));
    while (n_in < 4 && gr_onnx_input(file, (size_t)n_in, &p)) {
        bool is_float = p.dtype == GR_F32;
        in[n_in] = (gr_tensor){.dtype = is_float ? GR_F32 : GR_I64, .rank = is_float ? 2 : 1, .dim = {n_in ? 2 : 6, 3}};
        in[n_in++].data = is_float ? (void *)numbers : whole;
    }
    while (n_out < 4 && gr_onnx_output(file, (size_t)n_out, &p)) n_out++;
    gr_status status = gr_onnx_run(file, in, n_in, out, n_out);
    gr_onnx_free(&file);
    return status == GR_ERR_SHAPE || status == GR_ERR_DTYPE || status == GR_ERR_ARGUMENT || status == GR_ERR_NOT_FOUND
               ? GR_ERR_DATA
               : status;
}

static void survives_mutants(void **state)
{
    (void)state;
    message dense = dense_model(), shape = reshape_model();
    assert_ok(try_run(dense.bytes, dense.n, NULL));
    assert_ok(try_run(shape.bytes, shape.n, NULL));
    hostile_cuts(try_run, dense.bytes, dense.n, 0, NULL);
    hostile_cuts(try_run, shape.bytes, shape.n, 0, NULL);
    hostile_flips(try_run, dense.bytes, dense.n, 3000, NULL);
    hostile_flips(try_run, shape.bytes, shape.n, 3000, NULL);
}

static gr_status run_message(void *user)
{
    const message *m = user;
    return try_run(m->bytes, m->n, NULL);
}

static void survives_without_memory(void **state)
{
    (void)state;
    message shape = reshape_model(), g = {0};
    hostile_allocations(run_message, &shape);
    one_node(&g, "Neg", 7); /* without a product: those go on with another kernel */
    message neg = model(&g, 13);
    hostile_allocations(run_message, &neg);
}

/* ---- conformance ---- */

static bool count(void *user, const gr_onnx_result *r)
{
    int *n = user;
    n[r->verdict]++;
    if (r->verdict == GR_ONNX_FAILED) print_message("%s: %s\n", r->test, r->why);
    return true;
}

static void conforms(void **state)
{
    (void)state;
    static const struct {
        const char *archive, *pattern;
        int passed, refused;
    } sample[] = {{"pytorch-converted", NULL, 81, 0},
                  {"node-shared", "test_reduce_*", 90, 0},
                  {"node-shared", "test_resize_*", 30, 0},
                  {"light", "light_squeezenet", 1, 0}};
    for (size_t i = 0; i < GR__COUNT(sample); i++) {
        char name[128];
        int n[GR_ONNX_VERDICT_COUNT] = {0};
        snprintf(name, sizeof name, "conformance/onnx/%s.tar.gz", sample[i].archive);
        const char *path = test_data(name);
        if (!path) skip();
        gr_onnx_check_options o = {.pattern = sample[i].pattern};
        assert_ok(gr_onnx_check(path, &o, count, n));
        print_message("%s: %d passed\n", name, n[GR_ONNX_PASSED]);
        assert_int_equal(n[GR_ONNX_FAILED], 0);
        assert_int_equal(n[GR_ONNX_REFUSED], sample[i].refused);
        assert_int_equal(n[GR_ONNX_PASSED], sample[i].passed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(computes),         cmocka_unit_test(bakes_shapes),
        cmocka_unit_test(odd_numbers),      cmocka_unit_test(refuses_by_name),
        cmocka_unit_test(survives_mutants), cmocka_unit_test(survives_without_memory),
        cmocka_unit_test(conforms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
