/* Passes keep values: networks of public builders, compiled with every option, against the interpreter on the untouched
 * graph; and each pass does what it is there for. */
#include "tests/test.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "gradus/nn.h"
#include "op/attr.h"
#include "pass/interpret.h"
#include "pass/pass.h"
#include "plan/plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { C = 16, H = 2, V = 19, MOST_PARAMS = 128 };
static int64_t B = 2, T = 8;

/* ---- networks: a program "run" with the loss and the gradients of all parameters ---- */

typedef gr_loss (*network)(gr_graph *g);

static gr_loss mlp(gr_graph *g)
{
    gr_value x = gr_input(g, "x", GR_F32, 2, (int64_t[]){6, 5}), y = gr_input(g, "y", GR_F32, 2, (int64_t[]){6, 3});
    gr_value h = gr_mlp(g, "net", x, (int64_t[]){9, 7, 3}, 3,
                        &(gr_mlp_options){.activation = GR_ACTIVATION_GELU, .dropout = 0.2});
    return gr_loss_huber(g, gr_affine(g, h, 1, 0), y, &(gr_loss_options){.half = true});
}

static gr_value attention_block(gr_graph *g, gr_value x, double dropout)
{
    gr_value part[3], qkv = gr_linear(g, "qkv", gr_layer_norm_layer(g, "ln1", x, NULL), 3 * C, NULL);
    for (int i = 0; i < 3; i++) part[i] = gr_reshape(g, gr_slice(g, qkv, 2, C * i, C), 4, (int64_t[]){B, T, H, C / H});
    gr_value a = gr_attention(g, part[0], part[1], part[2], &(gr_attention_options){.causal = true});
    a = gr_linear(g, "proj", gr_reshape(g, a, 3, (int64_t[]){B, T, C}), C, NULL);
    return gr_add(g, x, dropout > 0 ? gr_dropout(g, a, dropout) : a);
}

static gr_loss transformer(gr_graph *g, int layers, double dropout)
{
    gr_value ids = gr_input(g, "ids", GR_I32, 2, (int64_t[]){B, T}),
             targets = gr_input(g, "targets", GR_I32, 2, (int64_t[]){B, T});
    gr_value table = gr_param(g, "wte.weight", 2, (int64_t[]){V, C}, &(gr_init){.kind = GR_INIT_NORMAL, .b = 0.5});
    gr_value x = gr_embedding(g, table, ids);
    for (int i = 0; i < layers; i++) {
        gr_block_push(g, "h.%d", i);
        x = attention_block(g, x, dropout);
        gr_value up = gr_gelu_tanh(g, gr_linear(g, "fc", gr_layer_norm_layer(g, "ln2", x, NULL), 4 * C, NULL));
        gr_value down = gr_linear(g, "down", up, C, NULL);
        x = gr_add(g, x, dropout > 0 ? gr_dropout(g, down, dropout) : down);
        gr_scope_pop(g);
    }
    return gr_loss_linear_cross_entropy(g, gr_layer_norm_layer(g, "ln_f", x, NULL), table, targets, NULL);
}

static gr_loss gpt(gr_graph *g) { return transformer(g, 2, 0); }
static gr_loss gpt_dropout(gr_graph *g) { return transformer(g, 2, 0.25); }

/* RMS norm, rotary, grouped queries, SwiGLU, and logits that are stored. */
static gr_loss llama(gr_graph *g)
{
    gr_value ids = gr_input(g, "ids", GR_I32, 2, (int64_t[]){B, T}),
             targets = gr_input(g, "targets", GR_I32, 2, (int64_t[]){B, T});
    gr_linear_options bare = {.no_bias = true};
    gr_value x = gr_embedding_layer(g, "embed", ids, V, C, NULL);
    gr_block_push(g, "layers.0");
    gr_value n = gr_rms_norm_layer(g, "norm", x, NULL);
    gr_value q = gr_reshape(g, gr_linear(g, "q", n, C, &bare), 4, (int64_t[]){B, T, H, C / H});
    gr_value k = gr_reshape(g, gr_linear(g, "k", n, C / H, &bare), 4, (int64_t[]){B, T, 1, C / H});
    gr_value v = gr_reshape(g, gr_linear(g, "v", n, C / H, &bare), 4, (int64_t[]){B, T, 1, C / H});
    gr_value a =
        gr_attention(g, gr_rotary(g, q, NULL), gr_rotary(g, k, NULL), v, &(gr_attention_options){.causal = true});
    x = gr_add(g, x, gr_linear(g, "o", gr_reshape(g, a, 3, (int64_t[]){B, T, C}), C, &bare));
    n = gr_rms_norm_layer(g, "norm2", x, NULL);
    gr_value gated = gr_mul(g, gr_silu(g, gr_linear(g, "gate", n, 24, &bare)), gr_linear(g, "up", n, 24, &bare));
    x = gr_add(g, x, gr_linear(g, "down", gated, C, &bare));
    gr_scope_pop(g);
    return gr_loss_cross_entropy(g, gr_linear(g, "head", x, V, NULL), targets,
                                 &(gr_loss_options){.label_smoothing = 0.1});
}

static const struct {
    const char *name;
    network build;
} networks[] = {{"mlp", mlp}, {"gpt", gpt}, {"gpt with dropout", gpt_dropout}, {"llama", llama}};

typedef struct subject {
    gr_graph *g;
    gr_store *store;
    gr_value param[MOST_PARAMS], d[MOST_PARAMS], loss;
    int n;
} subject;

static void subject_open(subject *s, network build, bool bf16)
{
    *s = (subject){0};
    assert_ok(gr_graph_new(&s->g));
    assert_ok(gr_store_new(&s->store));
    gr_loss loss = build(s->g);
    s->loss = gr_div(s->g, loss.sum, loss.weight);
    gr_output(s->g, "run", "loss", s->loss);
    if (bf16) {
        assert_ok(gr_autocast_bf16(s->g));
        s->loss = gr__program_get(s->g, "run", false)->output[0].value;
    }
    s->n = gr_graph_params(s->g, s->param, MOST_PARAMS);
    assert_true(s->n <= MOST_PARAMS);
    assert_ok(gr_grad(s->g, s->loss, s->param, s->n, s->d));
    for (int i = 0; i < s->n; i++) {
        assert_true(s->d[i] != 0);
        gr_output(s->g, "run", gr_value_path(s->g, s->param[i]), s->d[i]);
    }
    assert_ok(gr__graph_check(s->g));
    assert_ok(gr_store_prepare(s->store, s->g, 4));
}

static void subject_close(subject *s)
{
    gr_store_free(&s->store);
    gr_graph_free(&s->g);
}

/* Numbers for an input, the same for everyone. */
static void fill(gr_tensor *t, const char *name)
{
    gr__rng rng = gr__rng_make(9, (uint64_t)name[0]);
    for (int64_t i = 0; i < gr_tensor_count(t); i++)
        gr_tensor_set(t, i, t->dtype == GR_I32 ? (double)gr__rng_below(&rng, V) : 2 * gr__rng_uniform(&rng) - 1);
}

static const gr_run_control control = {.seed = 5, .micro_step = 2, .sample = 4};

/* ---- what an option gives ---- */

typedef struct outcome {
    float *value[MOST_PARAMS + 1]; /* gradients, then the loss */
    int64_t count[MOST_PARAMS + 1];
    int n;
    size_t arena;
    char *text; /* of the plan */
} outcome;

static void outcome_free(outcome *o)
{
    for (int i = 0; i < o->n; i++) gr__free(o->value[i]);
    gr_text_free(o->text);
}

static void keep(outcome *o, const gr_tensor *t)
{
    int64_t n = gr_tensor_count(t);
    float *copy = gr__alloc((size_t)n * sizeof *copy);
    assert_non_null(copy);
    for (int64_t i = 0; i < n; i++) copy[i] = (float)gr_tensor_get(t, i);
    o->count[o->n] = n;
    o->value[o->n++] = copy;
}

static void run_plan(const subject *s, const gr_plan_options *options, outcome *o)
{
    gr_plan *plan;
    gr_session *session;
    gr_tensor t;
    *o = (outcome){.n = 0};
    assert_ok(gr_plan_compile(s->g, "run", options, &plan));
    assert_ok(gr_session_new(plan, s->store, &session));
    gr_session_set_control(session, &control);
    for (size_t i = 0; i < s->g->n_values; i++) {
        const gr__value *v = &s->g->value[i];
        if (v->role != GR__ROLE_INPUT) continue;
        assert_ok(gr_session_input(session, v->name, &t));
        fill(&t, v->name);
    }
    for (int k = 0; k < 2; k++) assert_ok(gr_session_run(session));
    for (int i = 0; i <= s->n; i++) {
        assert_ok(gr_session_output(session, i < s->n ? gr_value_path(s->g, s->param[i]) : "loss", &t));
        keep(o, &t);
    }
    o->arena = gr_plan_memory_of(plan).arena_bytes;
    assert_ok(gr_plan_print(plan, &o->text));
    gr_session_free(&session);
    gr_plan_free(&plan);
}

static void interpret(const subject *s, outcome *o)
{
    gr__interpret *it;
    *o = (outcome){.n = 0};
    assert_ok(gr__interpret_new(&it, s->g));
    *gr__interpret_control(it) =
        (gr__control){.seed = control.seed, .micro_step = control.micro_step, .sample = control.sample, .ok = true};
    for (size_t i = 0; i < s->g->n_values; i++) {
        const gr__value *v = &s->g->value[i];
        gr_tensor t = {.dtype = v->dtype, .rank = v->rank};
        if (v->role == GR__ROLE_STATE) {
            assert_ok(gr_store_get(s->store, v->name, &t));
            assert_ok(gr__interpret_set(it, (gr_value)(i + 1), &t));
        } else if (v->role == GR__ROLE_INPUT) {
            memcpy(t.dim, v->dim, sizeof t.dim);
            t.data = gr__alloc(gr_tensor_size_bytes(&t));
            fill(&t, v->name);
            assert_ok(gr__interpret_set(it, (gr_value)(i + 1), &t));
            gr__free(t.data);
        }
    }
    for (int i = 0; i <= s->n; i++) {
        gr_value v = i < s->n ? s->d[i] : s->loss;
        assert_ok(gr__interpret_run(it, &v, 1));
        keep(o, gr__interpret_get(it, v));
    }
    gr__interpret_free(&it);
}

/* max|a - b| / max|b| of each array. */
static void assert_close(const subject *s, const char *name, const outcome *got, const outcome *want, double limit)
{
    for (int i = 0; i < want->n; i++) {
        double most = 0, off = 0;
        for (int64_t k = 0; k < want->count[i]; k++) {
            most = fmax(most, fabs((double)want->value[i][k]));
            double d = fabs((double)got->value[i][k] - (double)want->value[i][k]);
            off = d <= off ? off : d; /* NaN stays */
        }
        /* gradients that are zero but for rounding (a key's bias) are held against the others */
        if (!(off <= limit * fmax(most, 1e-3)))
            fail_msg("%s, '%s' is off by %.3g of %.3g", name, i < s->n ? gr_value_path(s->g, s->param[i]) : "loss", off,
                     most);
    }
}

static void assert_equal(const subject *s, const char *name, const outcome *a, const outcome *b)
{
    for (int i = 0; i < a->n; i++)
        if (memcmp(a->value[i], b->value[i], (size_t)a->count[i] * sizeof(float)) != 0)
            fail_msg("%s: other bits in '%s'", name, i < s->n ? gr_value_path(s->g, s->param[i]) : "loss");
}

/* ---- values stay ---- */

static void values_stay(void **state)
{
    (void)state;
    static const gr_plan_options options[] = {{.reference = true, .no_fuse = true},
                                              {.reference = true},
                                              {.no_fuse = true},
                                              {.recompute = GR_RECOMPUTE_NONE},
                                              {.recompute = GR_RECOMPUTE_CHEAP},
                                              {.recompute = GR_RECOMPUTE_BLOCKS},
                                              {.reference = true, .recompute = GR_RECOMPUTE_BLOCKS}};
    for (size_t k = 0; k < GR__COUNT(networks); k++) {
        subject s;
        outcome want, got;
        subject_open(&s, networks[k].build, false);
        interpret(&s, &want);
        for (size_t i = 0; i < GR__COUNT(options); i++) {
            run_plan(&s, &options[i], &got);
            assert_close(&s, networks[k].name, &got, &want, 1e-5);
            outcome_free(&got);
        }
        outcome_free(&want);
        subject_close(&s);
    }
}

static void values_stay_in_bf16(void **state)
{
    (void)state;
    for (size_t k = 0; k < GR__COUNT(networks); k++) {
        subject full, low;
        outcome exact, want, got;
        subject_open(&full, networks[k].build, false);
        subject_open(&low, networks[k].build, true);
        interpret(&full, &exact);
        interpret(&low, &want);
        run_plan(&low, NULL, &got);
        assert_close(&low, networks[k].name, &want, &exact, 0.1);
        assert_close(&low, networks[k].name, &got, &exact, 0.1);
        assert_non_null(strstr(got.text, "bf16["));
        bool differs = false;
        for (int i = 0; i < low.n; i++)
            differs = differs || memcmp(got.value[i], exact.value[i], sizeof(float) * (size_t)exact.count[i]) != 0;
        assert_true(differs);
        outcome_free(&got);
        outcome_free(&want);
        outcome_free(&exact);
        subject_close(&low);
        subject_close(&full);
    }
}

/* Recomputing changes no bit, dropout's masks included. */
static void recomputation(void **state)
{
    (void)state;
    for (int bf16 = 0; bf16 < 2; bf16++)
        for (size_t k = 1; k < GR__COUNT(networks); k++) {
            subject s;
            outcome none, cheap, blocks;
            subject_open(&s, networks[k].build, bf16);
            run_plan(&s, &(gr_plan_options){.recompute = GR_RECOMPUTE_NONE}, &none);
            run_plan(&s, &(gr_plan_options){.recompute = GR_RECOMPUTE_CHEAP}, &cheap);
            run_plan(&s, &(gr_plan_options){.recompute = GR_RECOMPUTE_BLOCKS}, &blocks);
            assert_equal(&s, networks[k].name, &cheap, &none);
            assert_equal(&s, networks[k].name, &blocks, &none);
            assert_non_null(strstr(blocks.text, " again"));
            assert_null(strstr(none.text, " again"));
            outcome_free(&none);
            outcome_free(&cheap);
            outcome_free(&blocks);
            subject_close(&s);
        }
}

/* The bytes that a training step of six layers needs. */
static size_t arena_of(const gr_graph *g, const gr_plan_options *o, gr_recompute *level)
{
    gr_plan *plan;
    assert_ok(gr_plan_compile(g, "step", o, &plan));
    size_t bytes = gr_plan_memory_of(plan).arena_bytes;
    *level = gr_plan_recompute(plan);
    gr_plan_free(&plan);
    return bytes;
}

static void budget(void **state)
{
    (void)state;
    B = 4, T = 64;
    for (int bf16 = 0; bf16 < 2; bf16++) {
        gr_graph *g;
        gr_value p[MOST_PARAMS], d[MOST_PARAMS];
        gr_recompute level;
        assert_ok(gr_graph_new(&g));
        gr_loss loss = transformer(g, 6, 0.1);
        if (bf16) assert_ok(gr_autocast_bf16(g));
        int n = gr_graph_params(g, p, MOST_PARAMS);
        assert_ok(gr_grad(g, loss.sum, p, n, d));
        assert_ok(gr_optimizer_apply(
            g, "step", p, d, n, &(gr_optimizer_options){.base = {.kind = GR_OPTIMIZER_ADAMW}, .weight = loss.weight},
            NULL));
        size_t none = arena_of(g, &(gr_plan_options){.recompute = GR_RECOMPUTE_NONE}, &level);
        size_t cheap = arena_of(g, &(gr_plan_options){.recompute = GR_RECOMPUTE_CHEAP}, &level);
        size_t blocks = arena_of(g, &(gr_plan_options){.recompute = GR_RECOMPUTE_BLOCKS}, &level);
        printf("%s: arena %zu, cheap %zu, blocks %zu\n", bf16 ? "bf16" : "f32", none, cheap, blocks);
        /* without oneDNN the scratch of the products weighs more */
        assert_true((double)cheap < 0.9 * (double)none && (double)blocks < 0.65 * (double)none);
        assert_int_equal(arena_of(g, &(gr_plan_options){.memory_budget_bytes = none}, &level), none);
        assert_int_equal(level, GR_RECOMPUTE_NONE);
        assert_int_equal(arena_of(g, &(gr_plan_options){.memory_budget_bytes = cheap}, &level), cheap);
        assert_int_equal(level, GR_RECOMPUTE_CHEAP);
        assert_int_equal(arena_of(g, &(gr_plan_options){.memory_budget_bytes = 1}, &level),
                         blocks); /* the smallest there is */
        assert_int_equal(level, GR_RECOMPUTE_BLOCKS);
        gr_graph_free(&g);
    }
    B = 2, T = 8;
}

/* ---- what plans look like ---- */

/* Lines of the text with 'a' and, behind it, 'b'. */
static int lines_with(const char *text, const char *a, const char *b)
{
    int n = 0;
    for (const char *line = text, *end; *line; line = end + 1) {
        end = strchr(line, '\n');
        if (!end) break;
        const char *x = strstr(line, a), *y = x ? strstr(x, b) : NULL;
        n += x && x < end && y && y < end;
    }
    return n;
}

/* The gradients of q, k and v are written side by side into that of their projection: nothing is copied or padded. */
static void side_by_side(void **state)
{
    (void)state;
    for (int bf16 = 0; bf16 < 2; bf16++) {
        subject s;
        outcome o;
        subject_open(&s, gpt, bf16);
        run_plan(&s, NULL, &o);
        bool bad = lines_with(o.text, "copy (", "") || lines_with(o.text, "pad_slice", "") ||
                   lines_with(o.text, " attention_grad (", "~, ") != 2; /* strided operands and results */
        if (bad) printf("%s", o.text);
        assert_false(bad);
        outcome_free(&o);
        subject_close(&s);
    }
}

/* a + x·W is one product that adds to a; gradients that several parts add to are summed in place. */
static void folded_additions(void **state)
{
    (void)state;
    gr_graph *g;
    gr_plan *plan;
    char *text;
    const int64_t dim[] = {4, 4};
    assert_ok(gr_graph_new(&g));
    gr_value x = gr_input(g, "x", GR_F32, 2, dim), a = gr_input(g, "a", GR_F32, 2, dim),
             w = gr_param(g, "w", 2, dim, NULL);
    gr_value sum = gr_state(g, "sum", GR_F32, 2, dim, NULL);
    gr_output(g, "run", "y", gr_add(g, a, gr_matmul(g, x, w, NULL)));
    gr_update(g, "run", sum, gr_add(g, sum, gr_matmul(g, x, x, &(gr_matmul_options){.transpose_a = true})));
    assert_ok(gr_plan_compile(g, "run", NULL, &plan));
    assert_ok(gr_plan_print(plan, &text));
    assert_int_equal(plan->n_steps, 2);
    for (size_t i = 0; i < 2; i++)
        assert_true(plan->step[i].n_in == 3 && plan->graph->node[plan->step[i].node].op == &gr__op_matmul);
    assert_int_equal(lines_with(text, "f32[4,4]@sum)", "-> f32[4,4]@sum"), 1);
    gr_text_free(text);
    gr_plan_free(&plan);
    gr_graph_free(&g);
}

static size_t live_nodes(const gr_graph *g)
{
    size_t n = 0;
    bool *live = gr__calloc(g->n_nodes + 1, sizeof *live);
    assert_ok(gr__graph_reach(g, NULL, live));
    for (size_t i = 0; i < g->n_nodes; i++) n += live[i];
    gr__free(live);
    return n;
}

static const gr__node *made_by(const gr_graph *g, size_t output)
{
    return gr__producer(g, g->program[0].output[output].value);
}

static void simplified(void **state)
{
    (void)state;
    gr_graph *g;
    const int64_t dim[] = {4, 6}, flat[] = {24};
    assert_ok(gr_graph_new(&g));
    gr_value x = gr_input(g, "x", GR_F32, 2, dim), half = gr_cast(g, x, GR_BF16);
    gr_output(g, "run", "neutral",
              gr_neg(g, gr_mul(g, gr_add(g, x, gr_scalar(g, GR_F32, 0)), gr_scalar(g, GR_F32, 1))));
    gr_output(g, "run", "twice", gr_neg(g, x));
    gr_output(g, "run", "reshaped", gr_exp(g, gr_reshape(g, gr_reshape(g, x, 1, flat), 2, dim)));
    gr_output(g, "run", "narrow", gr_exp(g, gr_cast(g, gr_cast(g, half, GR_F32), GR_BF16)));
    gr_output(g, "run", "rounded", gr_exp(g, gr_cast(g, half, GR_F32))); /* this cast must stay */
    gr_value parts[] = {gr_pad_slice(g, gr_slice(g, x, 1, 0, 2), 1, 4, 6),
                        gr_pad_slice(g, gr_slice(g, x, 1, 2, 4), 1, 0, 6)};
    gr_output(g, "run", "turned", gr_add(g, parts[0], parts[1]));
    assert_ok(gr__pass_simplify(g));
    assert_ok(gr__graph_check(g));
    assert_ptr_equal(made_by(g, 0), made_by(g, 1));
    assert_true(made_by(g, 0)->op == &gr__op_neg && made_by(g, 0)->in[0] == x);
    assert_int_equal(made_by(g, 2)->in[0], x);
    assert_int_equal(made_by(g, 3)->in[0], half);
    assert_true(gr__producer(g, made_by(g, 4)->in[0])->op == &gr__op_cast);
    assert_true(made_by(g, 5)->op == &gr__op_concat && made_by(g, 5)->n_in == 2);
    size_t n = live_nodes(g);
    assert_ok(gr__pass_simplify(g)); /* nothing is left to do */
    assert_int_equal(live_nodes(g), n);
    gr_graph_free(&g);
}

/* What lies between the members of a caller's options says nothing. */
static void padding_does_not_count(void **state)
{
    (void)state;
    gr_graph *g;
    assert_ok(gr_graph_new(&g));
    gr_value x = gr_input(g, "x", GR_F32, 2, (int64_t[]){4, 6});
    for (int i = 0; i < 2; i++) {
        gr_matmul_options o;
        memset(&o, i ? 0xff : 0, sizeof o);
        o.out_dtype = GR_DTYPE_NONE;
        o.transpose_a = false;
        o.transpose_b = true;
        gr_output(g, "run", (const char *[]){"one", "other"}[i], gr_exp(g, gr_matmul(g, x, x, &o)));
    }
    assert_ok(gr__pass_simplify(g));
    assert_ptr_equal(made_by(g, 0), made_by(g, 1));
    gr_graph_free(&g);
}

static void sums_of_pool_gradients(void **state)
{
    (void)state;
    gr_graph *g;
    assert_ok(gr_graph_new(&g));
    gr_value x = gr_input(g, "x", GR_F32, 4, (int64_t[]){2, 6, 6, 3}), dx[2];
    const gr_pool_options pools[] = {{.size = {3}, .stride = {2}, .padding = 1}, {.size = {2}, .dilation = {2}}};
    for (int i = 0; i < 2; i++) {
        gr_value y = gr_max_pool(g, x, &pools[i], NULL);
        assert_ok(gr_grad(g, gr_sum(g, gr_square(g, y), 0, false), &x, 1, &dx[i]));
        gr_output(g, "run", (const char *[]){"all", "gaps"}[i], gr_sum(g, dx[i], 0x7, true));
        gr_output(g, "run", (const char *[]){"lines", "of_gaps"}[i], gr_sum(g, dx[i], 0x5, true)); /* not all places */
    }
    assert_ok(gr__pass_simplify(g));
    assert_ok(gr__graph_check(g));
    bool spread[4];
    for (int i = 0; i < 4; i++) spread[i] = gr__producer(g, made_by(g, i)->in[0])->op == &gr__op_max_pool_grad;
    assert_true(!spread[0] && spread[1] && spread[2] && spread[3]);
    gr_graph_free(&g);
}

static void fused(void **state)
{
    (void)state;
    gr_graph *g;
    const int64_t dim[] = {4, 6}, row[] = {6};
    assert_ok(gr_graph_new(&g));
    gr_value x = gr_input(g, "x", GR_F32, 2, dim), b = gr_param(g, "b", 1, row, NULL);
    gr_value h = gr_gelu(g, gr_add(g, x, b)), y = gr_mul(g, h, gr_sigmoid(g, h));
    gr_output(g, "run", "h", h);
    gr_output(g, "run", "y", y);
    assert_ok(gr__pass_simplify(g));
    assert_ok(gr__pass_fuse(g));
    assert_ok(gr__graph_check(g));
    assert_int_equal(live_nodes(g), 1);
    assert_ptr_equal(made_by(g, 0), made_by(g, 1));
    gr_graph_free(&g);
}

/* The same graph, compiled again, and built again: the same text. */
static void stable(void **state)
{
    (void)state;
    for (size_t k = 0; k < GR__COUNT(networks); k++) {
        subject s, again;
        outcome a, b, c;
        subject_open(&s, networks[k].build, false);
        subject_open(&again, networks[k].build, false);
        run_plan(&s, NULL, &a);
        run_plan(&s, NULL, &b);
        run_plan(&again, NULL, &c);
        assert_string_equal(a.text, b.text);
        assert_string_equal(a.text, c.text);
        outcome_free(&a);
        outcome_free(&b);
        outcome_free(&c);
        subject_close(&s);
        subject_close(&again);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_stay),
        cmocka_unit_test(values_stay_in_bf16),
        cmocka_unit_test(recomputation),
        cmocka_unit_test(budget),
        cmocka_unit_test(side_by_side),
        cmocka_unit_test(folded_additions),
        cmocka_unit_test(simplified),
        cmocka_unit_test(padding_does_not_count),
        cmocka_unit_test(sums_of_pool_gradients),
        cmocka_unit_test(fused),
        cmocka_unit_test(stable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
