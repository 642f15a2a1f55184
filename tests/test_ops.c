/* Walks the cases of every op row: shape rules, references against decompositions, views, dtypes, gradients against
 * differences, what gradients read, gradients of gradients. `-v`: one line an op with the worst numbers. */
#include "tests/test.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "op/attr.h"
#include "pass/interpret.h"
#include "tests/op_harness.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST_PERTURBED 60 /* elements of an operand */

/* The worst differences of one op. */
typedef struct worst {
    int cases;
    double f32, bf16, decomposed, gradient, second;
    uint32_t reads_in, reads_out;
} worst;

static bool verbose;
static const gr__op *op; /* under test */
static const gr__case *now;

static void bad(const char *what, double value)
{
    fail_msg("%s, case '%s': %s (%g)", op->name, now ? now->name : "", what, value);
}

#define CHECK_OK(expr)                                                                         \
    do {                                                                                       \
        if ((expr) != GR_OK) fail_msg("%s, case '%s': %s", op->name, now->name, gr_message()); \
    } while (0)

static double tolerance(void) { return now->tolerance > 0 ? now->tolerance : 1; }

/* ---- dtypes and wanted outputs ---- */

static void run_reference(op_run *r)
{
    gr__args args = op_run_args(r);
    CHECK_OK(op->reference(&args));
}

/* The reference in a low dtype against itself in f64 on the same (rounded) operands. */
static double low_against_f64(gr_dtype low)
{
    op_run a, b;
    double most = 0;
    CHECK_OK(op_run_make(&a, op, now, low, 1));
    CHECK_OK(op_run_like(&b, &a, GR_F64));
    run_reference(&a);
    run_reference(&b);
    for (int i = 0; i < a.n_out; i++) most = fmax(most, op_difference(&a.out[i], &b.out[i]));
    op_run_free(&a);
    op_run_free(&b);
    return most;
}

/* Each output alone is what it is among the others; nothing else is written. */
static void wanted_outputs(op_run *r)
{
    for (int i = 0; i < r->n_out && r->n_out > 1; i++) {
        op_run one;
        CHECK_OK(op_run_like(&one, r, r->dtype));
        gr__args args = op_run_args(&one);
        args.wanted = 1u << i;
        for (int k = 0; k < one.n_out; k++)
            if (k != i) one.out[k] = (gr__arg){0};
        CHECK_OK(op->reference(&args));
        if (op_difference(&one.out[i], &r->out[i]) != 0) bad("an output differs when it is wanted alone", i);
        op_run_free(&one);
    }
}

/* A view shows the same elements as the copy that the reference makes. */
static void view_shows(op_run *r)
{
    gr__arg seen = r->out[0];
    int64_t offset = 0;
    if (!op->view || !op->view(&r->in[0], r->attr, &r->out[0], &offset, seen.stride)) return;
    seen.data = (char *)r->in[0].data + offset * (int64_t)gr_dtype_size_bytes(seen.dtype);
    double d = op_difference(&seen, &r->out[0]);
    if (d != 0) bad("the view shows other elements", d);
}

/* ---- decomposition ---- */

static void give_leaves(gr__interpret *it, const op_run *r, const gr_value *leaf)
{
    *gr__interpret_control(it) = r->control;
    for (int i = 0; i < r->n_in; i++) {
        if (!leaf[i]) continue;
        gr_tensor t = op_leaf(r, i);
        CHECK_OK(gr__interpret_set(it, leaf[i], &t));
        gr__free(t.data);
    }
}

static double decomposition(op_run *r)
{
    gr_graph *g;
    gr__interpret *it;
    gr_value leaf[GR__MAX_IN], in[GR__MAX_IN], out[GR__MAX_OUT], parts[GR__MAX_OUT] = {0};
    double most = 0;
    assert_ok(gr_graph_new(&g));
    assert_ok(gr__interpret_new(&it, g));
    CHECK_OK(op_graph(g, r, leaf, in, out));
    gr__node n = *gr__producer(g, out[0]);
    op->decompose(g, &n, parts);
    CHECK_OK(gr_graph_status(g));
    give_leaves(it, r, leaf);
    for (int i = 0; i < r->n_out; i++) {
        const gr__value *a = gr__value_get(g, out[i]), *b = gr__value_get(g, parts[i]);
        if (!parts[i] || a->dtype != b->dtype || !gr__same_shape(a, b)) bad("the decomposition has another shape", i);
        CHECK_OK(gr__interpret_run(it, &parts[i], 1));
        gr__arg got = op_tensor_arg(gr__interpret_get(it, parts[i]));
        most = fmax(most, op_difference(&got, &r->out[i]));
    }
    gr__interpret_free(&it);
    gr_graph_free(&g);
    return most;
}

/* ---- gradients ---- */

/* sum(out*weight) of a graph, its gradients, and sum(gradients*weight) as a second loss. */
typedef struct slope {
    gr_graph *g;
    gr__interpret *it;
    gr_value leaf[GR__MAX_IN], in[GR__MAX_IN], out[GR__MAX_OUT], weight, loss;
    gr_value wrt[GR__MAX_IN], dwrt[GR__MAX_IN];
    int operand[GR__MAX_IN], n;
} slope;

static gr_value random_input(slope *s, gr_value like, const char *name, uint64_t seed)
{
    gr__value v = *gr__value_get(s->g, like);
    gr_value x = gr_input(s->g, name, v.dtype, v.rank, v.dim);
    gr_tensor t = {.dtype = v.dtype, .rank = v.rank};
    memcpy(t.dim, v.dim, sizeof t.dim);
    t.data = gr__alloc(gr_tensor_size_bytes(&t));
    gr__rng rng = gr__rng_make(seed, 99);
    for (int64_t i = 0; i < gr_tensor_count(&t); i++) gr_tensor_set(&t, i, 2 * gr__rng_uniform(&rng) - 1);
    CHECK_OK(gr__interpret_set(s->it, x, &t));
    gr__free(t.data);
    return x;
}

static bool differentiable(const op_run *r, int i)
{
    return gr__arg_there(&r->in[i]) && r->in[i].dtype == GR_F64 && !(now->no_grad_in >> i & 1u);
}

static void slope_make(slope *s, const op_run *r)
{
    *s = (slope){0};
    assert_ok(gr_graph_new(&s->g));
    assert_ok(gr__interpret_new(&s->it, s->g));
    CHECK_OK(op_graph(s->g, r, s->leaf, s->in, s->out));
    if (op->random) s->g->node[gr__value_get(s->g, s->out[0])->producer].stream = r->stream;
    give_leaves(s->it, r, s->leaf);
    s->weight = random_input(s, s->out[0], "weight", 7);
    s->loss = gr_sum(s->g, gr_mul(s->g, s->out[0], s->weight), 0, false);
    for (int i = 0; i < r->n_in; i++) {
        if (!differentiable(r, i)) continue;
        s->operand[s->n] = i;
        s->wrt[s->n++] = s->in[i];
    }
}

static void slope_free(slope *s)
{
    gr__interpret_free(&s->it);
    gr_graph_free(&s->g);
}

/* Which operands and outputs the nodes behind the gradients read. */
static void note_reads(slope *s, size_t first_node, worst *w)
{
    bool *live = gr__calloc(s->g->n_nodes + 1, sizeof *live);
    gr__program asked = {.name = "", .guard = s->dwrt, .n_guards = (size_t)s->n};
    CHECK_OK(gr__graph_reach(s->g, &asked, live));
    for (size_t i = first_node; i < s->g->n_nodes; i++)
        for (int k = 0; live[i] && k < s->g->node[i].n_in; k++) {
            gr_value v = s->g->node[i].in[k];
            for (int j = 0; v && j < GR__MAX_IN; j++) w->reads_in |= v == s->in[j] ? 1u << j : 0;
            for (int j = 0; v && j < GR__MAX_OUT; j++) w->reads_out |= v == s->out[j] ? 1u << j : 0;
        }
    gr__free(live);
}

/* sum(output 0 * weight) by the reference alone. */
static double loss_of(op_run *r, const gr_tensor *weight)
{
    run_reference(r);
    int64_t index[GR_MAX_RANK] = {0}, i = 0;
    double sum = 0;
    do sum += gr__load(&r->out[0], gr__offset(&r->out[0], index)) * gr_tensor_get(weight, i++);
    while (gr__next_index(r->out[0].rank, r->out[0].dim, index));
    return sum;
}

/* The derivative of 'loss' by *x from five points. */
typedef double (*loss_fn)(void *context);

static double derivative(loss_fn loss, void *context, double *x)
{
    double old = *x, h = 1e-3 * fmax(1, fabs(old)), sum = 0;
    static const double at[] = {2, 1, -1, -2}, factor[] = {-1, 8, -8, 1};
    for (int i = 0; i < 4; i++) {
        *x = old + at[i] * h;
        sum += factor[i] * loss(context);
    }
    *x = old;
    return sum / (12 * h);
}

typedef struct first_loss {
    op_run *r;
    const gr_tensor *weight;
} first_loss;

static double first(void *context)
{
    first_loss *f = context;
    return loss_of(f->r, f->weight);
}

/* Against 'loss' element by element of operand k of the gradient; the elements are spread over the array. */
static double against_differences(const slope *s, op_run *r, const gr_value *d, int k, loss_fn loss, void *context,
                                  int most_elements)
{
    gr__arg *x = &r->in[s->operand[k]];
    int64_t n = gr__arg_count(x), step = GR__MAX(1, n / most_elements), index[GR_MAX_RANK] = {0}, i = 0;
    double most = 0;
    do {
        if (i % step == 0) {
            double ours = d[k] ? gr_tensor_get(gr__interpret_get(s->it, d[k]), i) : 0;
            double theirs = derivative(loss, context, (double *)x->data + gr__offset(x, index));
            most = fmax(most, fabs(ours - theirs) / fmax(1, fabs(ours)));
            if (!(most < 1e300)) return INFINITY;
        }
        i++;
    } while (gr__next_index(x->rank, x->dim, index));
    return most;
}

static double gradient(op_run *r, worst *w)
{
    slope s;
    slope_make(&s, r);
    size_t nodes = s.g->n_nodes;
    double most = 0;
    CHECK_OK(gr_grad(s.g, s.loss, s.wrt, s.n, s.dwrt));
    CHECK_OK(gr__graph_check(s.g));
    note_reads(&s, nodes, w);
    for (int k = 0; k < s.n; k++) {
        if (s.dwrt[k]) CHECK_OK(gr__interpret_run(s.it, &s.dwrt[k], 1));
        first_loss f = {r, gr__interpret_get(s.it, s.weight)};
        most = fmax(most, against_differences(&s, r, s.dwrt, k, first, &f, now->slow_grad ? 20 : MOST_PERTURBED));
    }
    run_reference(r);
    slope_free(&s);
    return most;
}

/* ---- gradients of gradients ---- */

typedef struct second_loss {
    slope *s;
    op_run *r;
    gr_value loss;
} second_loss;

static double second(void *context)
{
    second_loss *f = context;
    give_leaves(f->s->it, f->r, f->s->leaf);
    CHECK_OK(gr__interpret_run(f->s->it, &f->loss, 1));
    return gr_tensor_get(gr__interpret_get(f->s->it, f->loss), 0);
}

/* The sum of the gradients, weighted, differentiated again; -1: there is no second gradient. */
static double second_gradient(op_run *r)
{
    slope s, again;
    gr_value loss = 0, d[GR__MAX_IN];
    double most = 0;
    slope_make(&s, r);
    CHECK_OK(gr_grad(s.g, s.loss, s.wrt, s.n, s.dwrt));
    for (int k = 0; k < s.n; k++) {
        if (!s.dwrt[k]) continue;
        char name[24];
        snprintf(name, sizeof name, "second%d", k);
        gr_value weight = random_input(&s, s.dwrt[k], name, 11 + (uint64_t)k);
        gr_value part = gr_sum(s.g, gr_mul(s.g, s.dwrt[k], weight), 0, false);
        loss = loss ? gr_add(s.g, loss, part) : part;
    }
    gr_status status = loss ? gr_grad(s.g, loss, s.wrt, s.n, d) : GR_OK;
    if (status == GR_ERR_UNSUPPORTED && !gr__op_is_map(op))
        most = -1;
    else
        CHECK_OK(status);
    again = s;
    for (int k = 0; loss && most >= 0 && k < s.n; k++) {
        second_loss f = {&again, r, loss};
        give_leaves(s.it, r, s.leaf);
        if (d[k]) CHECK_OK(gr__interpret_run(s.it, &d[k], 1));
        gr_value kept[GR__MAX_IN] = {0}; /* the differences forget what was computed: keep the gradient aside */
        gr_tensor copy = {0};
        if (d[k]) {
            gr__arg a = op_tensor_arg(gr__interpret_get(s.it, d[k]));
            copy = op_operand(&a);
            gr__value v = *gr__value_get(s.g, d[k]);
            char name[24];
            snprintf(name, sizeof name, "kept%d", k);
            kept[k] = gr_input(s.g, name, v.dtype, v.rank, v.dim);
            CHECK_OK(gr__interpret_set(s.it, kept[k], &copy));
            gr__free(copy.data);
        }
        most = fmax(most, against_differences(&s, r, kept, k, second, &f, 12));
    }
    slope_free(&s);
    return most;
}

/* ---- shape rules on anything ---- */

static gr_dtype any_dtype(gr__rng *rng)
{
    static const gr_dtype some[] = {GR_F64, GR_F32, GR_F32, GR_BF16, GR_I32, GR_I32, GR_U8, GR_BOOL, GR_I64};
    return some[gr__rng_below(rng, GR__COUNT(some))];
}

static void any_operand(gr__rng *rng, gr__value *v)
{
    *v = (gr__value){.dtype = any_dtype(rng), .rank = (int)gr__rng_below(rng, 6), .producer = -1};
    if (gr__rng_below(rng, 20) == 0) v->rank = GR_MAX_RANK;
    for (int i = 0; i < v->rank; i++) v->dim[i] = 1 + (int64_t)gr__rng_below(rng, 4);
}

/* A case with some operands replaced by anything: the rule answers; what it accepts the reference computes. */
static void anything_goes(gr__rng *rng)
{
    op_run r;
    if (op_run_make(&r, op, now, GR_F32, gr__rng_u32(rng)) != GR_OK) return;
    op_run_free(&r);
    gr__case odd = *now;
    odd.n_in = op->max_in == op->min_in ? op->min_in
                                        : op->min_in + (int)gr__rng_below(rng, (uint64_t)(op->max_in - op->min_in + 1));
    odd.n_in = GR__MIN(odd.n_in, (int)GR__COUNT(odd.in));
    for (int i = 0; i < odd.n_in; i++) {
        gr__value v;
        any_operand(rng, &v);
        if (v.rank > 5 || (i < now->n_in && gr__rng_below(rng, 2))) continue;
        bool left_out = i >= op->min_in && gr__rng_below(rng, 3) == 0;
        odd.in[i] = (gr__case_in){.rank = left_out ? -1 : v.rank, .dtype = v.dtype};
        for (int k = 0; k < v.rank; k++) odd.in[i].dim[k] = v.dim[k];
        if (v.dtype == GR_I32) odd.in[i].fill = GR__FILL_INDEX, odd.in[i].lo = -2, odd.in[i].hi = 6;
    }
    gr_status s = op_run_make(&r, op, &odd, GR_F32, gr__rng_u32(rng));
    if (s != GR_OK) {
        if (!*gr_message() || s == GR_ERR_INTERNAL) bad("refused without a sentence", s);
        return;
    }
    for (int i = 0; i < r.n_out; i++)
        if (gr__arg_count(&r.out[i]) < 1 || r.out[i].rank > GR_MAX_RANK) bad("an impossible shape", i);
    run_reference(&r);
    op_run_free(&r);
}

/* ---- one op ---- */

static void refused(void)
{
    op_run r;
    gr_status s = op_run_make(&r, op, now, GR_F32, 1);
    if (s == GR_OK) op_run_free(&r);
    if (s != now->expect || !*gr_message()) fail_msg("%s, case '%s': %s", op->name, now->name, gr_status_name(s));
}

static void accepted(worst *w)
{
    op_run r;
    CHECK_OK(op_run_make(&r, op, now, GR_F64, 1));
    run_reference(&r);
    wanted_outputs(&r);
    view_shows(&r);
    w->f32 = fmax(w->f32, low_against_f64(GR_F32) / tolerance());
    w->bf16 = fmax(w->bf16, low_against_f64(GR_BF16) / tolerance());
    if (op->decompose) w->decomposed = fmax(w->decomposed, decomposition(&r) / tolerance());
    if (w->f32 > 1e-6) bad("f32 is far from f64", w->f32);
    if (w->bf16 > 0x1p-8) bad("bf16 is far from f64", w->bf16);
    if (w->decomposed > 1e-10) bad("the decomposition differs", w->decomposed);
    bool any = false;
    for (int i = 0; i < r.n_in; i++) any = any || differentiable(&r, i);
    if (op->grad && any && r.out[0].dtype == GR_F64) {
        w->gradient = fmax(w->gradient, gradient(&r, w) / tolerance());
        if (w->gradient > 1e-6) bad("the gradient differs", w->gradient);
        double d = second_gradient(&r);
        w->second = d < 0 ? -1 : fmax(w->second, d / tolerance());
        if (w->second > 1e-6) bad("the second gradient differs", w->second);
    }
    op_run_free(&r);
}

static void test_op(void **state)
{
    worst w = {0};
    gr__rng rng = gr__rng_make(5, 0);
    op = *state;
    now = NULL;
    if (!op->infer || !op->reference || !op->name) bad("the row is incomplete", 0);
    if (!op->grad && !op->no_grad) bad("neither a gradient nor a reason why not", 0);
    if (op->flags & GR__OP_VIEW && !op->view) bad("a view without its rule", 0);
    for (int i = 0; i < op->n_cases; i++) {
        now = &op->cases[i];
        if (now->expect != GR_OK)
            refused();
        else
            accepted(&w);
        w.cases += now->expect == GR_OK;
        for (int k = 0; k < 60; k++) anything_goes(&rng);
    }
    if (w.cases < 3 && !(op->flags & GR__OP_OPAQUE)) bad("fewer than three cases", w.cases);
    if (op->grad && (w.reads_in != op->grad_reads_in || w.reads_out != op->grad_reads_out))
        fail_msg("%s: the gradient reads operands 0x%x and outputs 0x%x, the row says 0x%x and 0x%x", op->name,
                 w.reads_in, w.reads_out, op->grad_reads_in, op->grad_reads_out);
    if (verbose)
        printf("%-22s %2d cases  f32 %7.1e  bf16 %7.1e  decomposed %7.1e  gradient %7.1e  second %8.1e\n", op->name,
               w.cases, w.f32, w.bf16, w.decomposed, w.gradient, w.second);
}

/* ---- what differences cannot see ---- */

typedef struct small {
    gr_graph *g;
    gr__interpret *it;
} small;

static small small_make(void)
{
    small s;
    assert_ok(gr_graph_new(&s.g));
    assert_ok(gr__interpret_new(&s.it, s.g));
    return s;
}

static void small_free(small *s)
{
    gr__interpret_free(&s->it);
    gr_graph_free(&s->g);
}

static gr_value vector(small *s, int64_t n, const double *x)
{
    gr_tensor t = {.dtype = GR_F64, .rank = 1, .dim = {n}, .data = (void *)x};
    return gr_constant(s->g, &t);
}

static void assert_numbers(small *s, gr_value v, int64_t n, const double *wanted)
{
    assert_ok(gr__interpret_run(s->it, &v, 1));
    const gr_tensor *t = gr__interpret_get(s->it, v);
    assert_int_equal(gr_tensor_count(t), n);
    for (int64_t i = 0; i < n; i++)
        if (gr_tensor_get(t, i) != wanted[i])
            fail_msg("element %d is %g, not %g", (int)i, gr_tensor_get(t, i), wanted[i]);
}

static void ties_share_as_promised(void **state)
{
    (void)state;
    small s = small_make();
    gr_value a = vector(&s, 3, (double[]){1, 2, 3}), b = vector(&s, 3, (double[]){1, 3, 2});
    gr_value x = vector(&s, 4, (double[]){5, 1, 5, -5}), d[2];
    assert_ok(gr_grad(s.g, gr_sum(s.g, gr_maximum(s.g, a, b), 0, false), (gr_value[]){a, b}, 2, d));
    assert_numbers(&s, d[0], 3, (double[]){1, 0, 1});
    assert_numbers(&s, d[1], 3, (double[]){0, 1, 0});
    assert_ok(gr_grad(s.g, gr_sum(s.g, gr_minimum(s.g, a, b), 0, false), (gr_value[]){a, b}, 2, d));
    assert_numbers(&s, d[0], 3, (double[]){1, 1, 0});
    assert_numbers(&s, d[1], 3, (double[]){0, 0, 1});
    assert_ok(gr_grad(s.g, gr_max(s.g, x, 0, false), &x, 1, d));
    assert_numbers(&s, d[0], 4, (double[]){0.5, 0, 0.5, 0});
    gr_value kinks = vector(&s, 3, (double[]){0, -1, 1});
    assert_ok(gr_grad(s.g, gr_sum(s.g, gr_relu(s.g, kinks), 0, false), &kinks, 1, d));
    assert_numbers(&s, d[0], 3, (double[]){0, 0, 1});
    assert_ok(gr_grad(s.g, gr_sum(s.g, gr_clamp(s.g, kinks, -1, 0), 0, false), &kinks, 1, d));
    assert_numbers(&s, d[0], 3, (double[]){1, 1, 0});
    small_free(&s);
}

static void stopped_gradients_do_not_flow(void **state)
{
    (void)state;
    small s = small_make();
    gr_value x = vector(&s, 2, (double[]){3, 4}), d;
    assert_ok(gr_grad(s.g, gr_sum(s.g, gr_mul(s.g, x, gr_stop_gradient(s.g, x)), 0, false), &x, 1, &d));
    assert_numbers(&s, d, 2, (double[]){3, 4});
    small_free(&s);
}

static void casts_to_integers_cut(void **state)
{
    (void)state;
    small s = small_make();
    gr_value x = vector(&s, 5, (double[]){1.7, -1.7, 2.5, 1e30, -0.2});
    assert_numbers(&s, gr_cast(s.g, x, GR_I32), 5, (double[]){1, -1, 2, INT32_MAX, 0});
    assert_numbers(&s, gr_cast(s.g, x, GR_U8), 5, (double[]){1, 0, 2, 255, 0});
    assert_numbers(&s, gr_cast(s.g, x, GR_BOOL), 5, (double[]){1, 1, 1, 1, 1});
    small_free(&s);
}

/* Rows 2 and 3 of a batch of 4 get the masks that they get as a batch of their own that begins at sample 2. */
static void dropout_does_not_see_the_cut(void **state)
{
    (void)state;
    double whole[4 * 7], cut[2 * 7];
    gr__control control = {.seed = 12, .micro_step = 5, .sample = 100};
    gr__arg x = {.dtype = GR_F64, .rank = 2, .dim = {4, 7}}, ones = {.data = (double[]){1}, .dtype = GR_F64, .rank = 2};
    gr__args a = {.in = &ones,
                  .out = &x,
                  .n_in = 1,
                  .n_out = 1,
                  .wanted = 1,
                  .attr = &(gr__dropout_attr){0.5},
                  .control = &control,
                  .stream = 9};
    gr__arg_strides(&x);
    ones.dim[0] = 4, ones.dim[1] = 7;
    x.data = whole;
    assert_ok(gr__op_dropout.reference(&a));
    control.sample = 102;
    x.dim[0] = ones.dim[0] = 2;
    x.data = cut;
    assert_ok(gr__op_dropout.reference(&a));
    assert_memory_equal(cut, whole + 14, sizeof cut);
    int kept = 0;
    for (int i = 0; i < 28; i++) kept += whole[i] == 2;
    assert_in_range(kept, 5, 23);
    control.micro_step++;
    assert_ok(gr__op_dropout.reference(&a));
    assert_memory_not_equal(cut, whole + 14, sizeof cut);
}

static void programs_update_together_and_only_when_finite(void **state)
{
    (void)state;
    small s = small_make();
    gr_value a = gr_state(s.g, "a", GR_F32, 0, NULL, NULL), b = gr_state(s.g, "b", GR_F32, 0, NULL, NULL);
    gr_value x = gr_input(s.g, "x", GR_F32, 0, NULL), sum = gr_add(s.g, gr_add(s.g, a, b), x);
    gr_output(s.g, "step", "sum", sum);
    gr_update(s.g, "step", a, b); /* they change places */
    gr_update(s.g, "step", b, a);
    gr_guard(s.g, "step", x);
    assert_fails(gr__interpret_program(s.it, "step"), GR_ERR_NOT_FOUND, "has no numbers");
    assert_fails(gr__interpret_program(s.it, "stop"), GR_ERR_NOT_FOUND, "'stop'");
    gr_tensor t = {.dtype = GR_F32, .data = (float[]){1}}, u = {.dtype = GR_F32, .data = (float[]){2}};
    assert_ok(gr__interpret_set(s.it, a, &t));
    assert_ok(gr__interpret_set(s.it, b, &u));
    assert_ok(gr__interpret_set(s.it, x, &(gr_tensor){.dtype = GR_F32, .data = (float[]){INFINITY}}));
    assert_ok(gr__interpret_program(s.it, "step"));
    assert_false(gr__interpret_control(s.it)->ok);
    assert_true(gr_tensor_get(gr__interpret_get(s.it, a), 0) == 1);
    assert_ok(gr__interpret_set(s.it, x, &(gr_tensor){.dtype = GR_F32, .data = (float[]){0}}));
    assert_ok(gr__interpret_program(s.it, "step"));
    assert_true(gr_tensor_get(gr__interpret_get(s.it, a), 0) == 2 && gr_tensor_get(gr__interpret_get(s.it, b), 0) == 1);
    assert_fails(gr__interpret_set(s.it, a, &(gr_tensor){.dtype = GR_F64, .data = (double[]){0}}), GR_ERR_DTYPE, "f64");
    small_free(&s);
}

static void builders_keep_the_first_error(void **state)
{
    (void)state;
    small s = small_make();
    gr_value x = vector(&s, 3, (double[]){1, 2, 3}), y = vector(&s, 2, (double[]){1, 2});
    gr_scope_push(s.g, "block.%d", 3);
    assert_int_equal(gr_relu(s.g, gr_add(s.g, x, y)), 0);
    assert_int_equal(gr_layer_norm(s.g, x, 0, 0, 0), 0); /* nothing is built any more */
    assert_fails(gr_graph_status(s.g), GR_ERR_SHAPE, "block.3: add: shapes [3] and [2]");
    small_free(&s);
}

int main(int argc, char **argv)
{
    verbose = argc > 1 && strcmp(argv[1], "-v") == 0;
    struct CMUnitTest *tests = calloc((size_t)gr__n_ops + 8, sizeof *tests);
    if (!tests) return 1;
    for (int i = 0; i < gr__n_ops; i++)
        tests[i] = (struct CMUnitTest){gr__ops[i]->name, test_op, NULL, NULL, (void *)gr__ops[i]};
    const struct CMUnitTest others[] = {
        cmocka_unit_test(ties_share_as_promised),
        cmocka_unit_test(stopped_gradients_do_not_flow),
        cmocka_unit_test(casts_to_integers_cut),
        cmocka_unit_test(dropout_does_not_see_the_cut),
        cmocka_unit_test(programs_update_together_and_only_when_finite),
        cmocka_unit_test(builders_keep_the_first_error),
    };
    memcpy(tests + gr__n_ops, others, sizeof others);
    int failed = test_run("ops", tests, (size_t)gr__n_ops + GR__COUNT(others), NULL, NULL);
    free(tests);
    return failed;
}
