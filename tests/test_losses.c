/* Losses and their gradients against PyTorch's (tests/golden/make_losses.py), weights, masks and refusals. */
#include "tests/rig.h"

#include "gradus/nn.h"
#include "gradus/plan.h"

static gr__safetensors *file;

static int open_golden(void **state)
{
    (void)state;
    return gr__safetensors_open(test_source("tests/golden/losses.safetensors"), &file) == GR_OK ? 0 : -1;
}

static int close_golden(void **state)
{
    (void)state;
    gr__safetensors_close(&file);
    return 0;
}

/* An input with the shape of the golden tensor 'name'; 0 for NULL. */
static gr_value operand(gr_graph *g, const char *name)
{
    if (!name) return 0;
    const gr_tensor *t = golden(file, name);
    return gr_input(g, name, t->dtype, t->rank, t->dim);
}

static void feed(rig *r, const char *name)
{
    if (name) rig_input(r, operand(r->g, name), golden(file, name)->data);
}

/* The sum, its gradient and the weight of a loss that was appended to g. */
static void check_loss(gr_graph *g, const char *name, gr_value prediction, gr_loss loss, double weight,
                       const char *const feeds[4])
{
    gr_value d;
    char key[64];
    assert_ok(gr_graph_status(g));
    assert_ok(gr_grad(g, loss.sum, &prediction, 1, &d));
    assert_int_equal(gr_value_rank(g, loss.sum), 0);
    assert_int_equal(gr_value_rank(g, loss.weight), 0);
    gr_output(g, "run", "sum", loss.sum);
    gr_output(g, "run", "weight", loss.weight);
    gr_output(g, "run", "grad", d);
    rig r;
    rig_open(&r, g);
    for (int i = 0; i < 4 && feeds[i]; i++) feed(&r, feeds[i]);
    rig_run(&r, "run", 0);
    snprintf(key, sizeof key, "%s/sum", name);
    assert_near(key, rig_output(&r, "sum"), golden(file, key), 1e-6);
    snprintf(key, sizeof key, "%s/grad", name);
    assert_near(key, rig_output(&r, "grad"), golden(file, key), 1e-6);
    assert_close(rig_output(&r, "weight")[0], weight, 1e-6);
    rig_close(&r);
}

static void matches_pytorch(void **state)
{
    (void)state;
    static const struct {
        const char *name, *prediction, *target, *mask;
        gr_loss_kind kind;
        gr_loss_options o;
        double weight;
    } cases[] = {
        {"mse", "x", "y", NULL, GR_LOSS_MSE, {0}, 24},
        {"mse_half", "x", "y", NULL, GR_LOSS_MSE, {.half = true}, 24},
        {"mse_masked", "x", "y", "mask", GR_LOSS_MSE, {0}, 22},
        {"mse_broadcast", "one", "y", NULL, GR_LOSS_MSE, {.broadcast = true}, 24},
        {"mae", "x", "y", NULL, GR_LOSS_MAE, {0}, 24},
        {"huber", "x", "y", NULL, GR_LOSS_HUBER, {0}, 24},
        {"huber_wide", "x", "y", NULL, GR_LOSS_HUBER, {.delta = 2.5}, 24},
        {"bce", "x", "binary", NULL, GR_LOSS_BCE_WITH_LOGITS, {0}, 24},
        {"bce_big", "big", "binary", NULL, GR_LOSS_BCE_WITH_LOGITS, {0}, 24},
        {"bce_positive", "x", "binary", NULL, GR_LOSS_BCE_WITH_LOGITS, {.positive_weight = 3}, 24},
        {"bce_masked", "x", "binary", "mask", GR_LOSS_BCE_WITH_LOGITS, {0}, 22},
        {"cross_entropy", "x", "labels", NULL, GR_LOSS_CROSS_ENTROPY, {0}, 4},
        {"cross_entropy_smooth", "x", "labels", NULL, GR_LOSS_CROSS_ENTROPY, {.label_smoothing = 0.1}, 4},
        {"cross_entropy_masked", "x", "labels", "mask", GR_LOSS_CROSS_ENTROPY, {0}, 2.5},
    };
    for (size_t i = 0; i < GR__COUNT(cases); i++) {
        gr_graph *g;
        assert_ok(gr_graph_new(&g));
        gr_value p = operand(g, cases[i].prediction);
        gr_loss_options o = cases[i].o;
        o.weight = operand(g, cases[i].mask);
        gr_loss loss = gr_loss_of_kind(g, cases[i].kind, p, operand(g, cases[i].target), &o);
        check_loss(g, cases[i].name, p, loss, cases[i].weight,
                   (const char *[]){cases[i].prediction, cases[i].target, cases[i].mask, NULL});
    }
}

static void matches_class_weights(void **state)
{
    (void)state;
    gr_graph *g;
    assert_ok(gr_graph_new(&g));
    gr_value x = operand(g, "x");
    gr_loss loss = gr_loss_cross_entropy(g, x, operand(g, "labels"),
                                         &(gr_loss_options){.class_weight = operand(g, "class_weight")});
    check_loss(g, "cross_entropy_classes", x, loss, 2 + 1 + 0.25 + 0.5,
               (const char *[]){"x", "labels", "class_weight", NULL});
}

static void matches_linear_cross_entropy(void **state)
{
    (void)state;
    static const char *const feeds[] = {"features", "table", "labels", NULL};
    for (int fused = 0; fused < 2; fused++) {
        gr_graph *g;
        assert_ok(gr_graph_new(&g));
        gr_value x = operand(g, "features"), w = operand(g, "table"), t = operand(g, "labels");
        const gr_matmul_options o = {.transpose_b = true};
        gr_loss loss = fused ? gr_loss_linear_cross_entropy(g, x, w, t, NULL)
                             : gr_loss_cross_entropy(g, gr_matmul(g, x, w, &o), t, NULL);
        check_loss(g, "linear_cross_entropy", x, loss, 4, feeds);
    }
}

static void matches_focal(void **state)
{
    (void)state;
    static const struct {
        const char *name, *target, *mask;
        gr_focal_options o;
        double weight;
    } cases[] = {
        {"focal", "binary", NULL, {0}, 24},
        {"focal_alpha", "binary", NULL, {.gamma = 1.5, .alpha = 0.25}, 24},
        {"focal_soft", "soft", "mask", {0}, 22},
        {"focal_softmax", "labels", NULL, {0}, 4},
        {"cross_entropy", "labels", NULL, {.no_gamma = true}, 4},
    };
    for (size_t i = 0; i < GR__COUNT(cases); i++) {
        gr_graph *g;
        assert_ok(gr_graph_new(&g));
        gr_value x = operand(g, "x"), target = operand(g, cases[i].target);
        gr_focal_options o = cases[i].o;
        o.weight = operand(g, cases[i].mask);
        gr_loss loss = i < 3 ? gr_loss_focal(g, x, target, &o) : gr_loss_focal_softmax(g, x, target, &o);
        check_loss(g, cases[i].name, x, loss, cases[i].weight,
                   (const char *[]){"x", cases[i].target, cases[i].mask, NULL});
    }
}

static void matches_boxes(void **state)
{
    (void)state;
    static const char *const names[] = {"iou", "giou", "ciou"};
    gr_graph *g;
    for (int k = 0; k < GR_OVERLAP_COUNT; k++) {
        assert_ok(gr_graph_new(&g));
        gr_value a = operand(g, "box");
        gr_loss loss = gr_loss_box(g, (gr_overlap_kind)k, a, operand(g, "box_target"),
                                   &(gr_loss_options){.weight = operand(g, "box_mask")});
        check_loss(g, names[k], a, loss, 6.5, (const char *[]){"box", "box_target", "box_mask", NULL});
    }
    assert_ok(gr_graph_new(&g));
    assert_int_equal(gr_box_overlap(g, GR_OVERLAP_IOU, operand(g, "features"), operand(g, "features")), 0);
    assert_fails(gr_graph_status(g), GR_ERR_SHAPE, "x0, y0, x1, y1");
    gr_graph_free(&g);
}

/* The angle of a box that is a point has no bounded gradient; that of the loss is. */
static void points_are_boxes(void **state)
{
    (void)state;
    static const float boxes[4][4] = {{5, 5, 5, 5}, {5, 5, 5.0001f, 5}, {5, 5, 5, 6}, {3, 3, 6, 7}};
    for (int i = 0; i < 4; i++) {
        gr_graph *g;
        gr_store *store;
        gr_plan *plan;
        gr_session *session;
        gr_tensor x, d, target = {.dtype = GR_F32, .rank = 2, .dim = {1, 4}, .data = (float[]){2, 2, 7, 9}};
        assert_ok(gr_graph_new(&g));
        assert_ok(gr_store_new(&store));
        gr_value p = gr_input(g, "p", GR_F32, 2, target.dim), grad;
        gr_loss loss = gr_loss_box(g, GR_OVERLAP_CIOU, p, gr_constant(g, &target), NULL);
        assert_ok(gr_grad(g, loss.sum, &p, 1, &grad));
        gr_output(g, "run", "d", grad);
        assert_ok(gr_plan_compile(g, "run", NULL, &plan));
        assert_ok(gr_session_new(plan, store, &session));
        assert_ok(gr_session_input(session, "p", &x));
        memcpy(x.data, boxes[i], sizeof boxes[i]);
        assert_ok(gr_session_run(session));
        assert_ok(gr_session_output(session, "d", &d));
        for (int k = 0; k < 4; k++)
            if (!(fabs(gr_tensor_get(&d, k)) < 500)) fail_msg("box %d: %g", i, gr_tensor_get(&d, k));
        gr_session_free(&session);
        gr_plan_free(&plan);
        gr_store_free(&store);
        gr_graph_free(&g);
    }
}

/* (B, T, V) with (B, T) targets and (B) weights is the same as its rows one by one. */
static void leading_axes(void **state)
{
    (void)state;
    gr_graph *g;
    assert_ok(gr_graph_new(&g));
    gr_value x = operand(g, "x"), t = operand(g, "labels"), half = gr_slice(g, operand(g, "mask"), 0, 2, 2);
    gr_value logits = gr_reshape(g, x, 3, (int64_t[]){2, 3, 4}), targets = gr_reshape(g, t, 2, (int64_t[]){2, 3});
    gr_loss loss = gr_loss_cross_entropy(g, logits, targets, &(gr_loss_options){.weight = half});
    check_loss(g, "cross_entropy", x, loss, 4, (const char *[]){"x", "labels", "mask", NULL});
}

static void shape_errors(void **state)
{
    (void)state;
    static const struct {
        gr_loss_kind kind;
        int64_t p[2], t[2];
        int t_rank;
        gr_dtype dtype;
        gr_loss_options o;
        gr_status status;
        const char *message;
    } cases[] = {
        {GR_LOSS_MSE,
         {3, 1},
         {3, 0},
         1,
         GR_F32,
         {0},
         GR_ERR_SHAPE,
         "mse: the prediction has shape [3,1], the target [3]"},
        {GR_LOSS_MSE, {3, 2}, {4, 2}, 2, GR_F32, {.broadcast = true}, GR_ERR_SHAPE, "[3,2] and [4,2] do not fit"},
        {GR_LOSS_HUBER, {3, 1}, {3, 1}, 2, GR_F32, {.delta = -1}, GR_ERR_ARGUMENT, "delta"},
        {GR_LOSS_BCE_WITH_LOGITS, {3, 1}, {3, 1}, 2, GR_F32, {.positive_weight = -1}, GR_ERR_ARGUMENT, "above 0"},
        {GR_LOSS_CROSS_ENTROPY, {3, 4}, {4, 0}, 1, GR_I32, {0}, GR_ERR_SHAPE, "one target for each row"},
        {GR_LOSS_CROSS_ENTROPY, {3, 4}, {3, 0}, 1, GR_F32, {0}, GR_ERR_DTYPE, "i32"},
        {GR_LOSS_CROSS_ENTROPY, {3, 4}, {3, 0}, 1, GR_I32, {.label_smoothing = 1}, GR_ERR_ARGUMENT, "label_smoothing"},
    };
    for (size_t i = 0; i < GR__COUNT(cases); i++) {
        gr_graph *g;
        assert_ok(gr_graph_new(&g));
        gr_value p = gr_input(g, "p", GR_F32, 2, cases[i].p);
        gr_value t = gr_input(g, "t", cases[i].dtype, cases[i].t_rank, cases[i].t);
        gr_loss loss = gr_loss_of_kind(g, cases[i].kind, p, t, &cases[i].o);
        assert_true(loss.sum == 0 && loss.weight == 0);
        assert_fails(gr_graph_status(g), cases[i].status, cases[i].message);
        gr_graph_free(&g);
    }
    gr_graph *g;
    assert_ok(gr_graph_new(&g));
    gr_value p = operand(g, "x"), w = gr_input(g, "w", GR_F32, 1, (int64_t[]){4});
    gr_loss loss = gr_loss_mse(g, p, operand(g, "y"), &(gr_loss_options){.weight = w});
    assert_int_equal(loss.sum, 0);
    assert_fails(gr_graph_status(g), GR_ERR_SHAPE, "weights of shape [4] do not fit a loss of shape [6,4]");
    gr_graph_free(&g);
}

static void names(void **state)
{
    (void)state;
    gr_loss_kind kind;
    for (int k = 0; k < GR_LOSS_KIND_COUNT; k++) {
        assert_ok(gr_loss_from_name(gr_loss_name((gr_loss_kind)k), &kind));
        assert_int_equal(kind, k);
    }
    assert_fails(gr_loss_from_name("msee", &kind), GR_ERR_CONFIG, "did you mean 'mse'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_pytorch),
        cmocka_unit_test(matches_class_weights),
        cmocka_unit_test(matches_linear_cross_entropy),
        cmocka_unit_test(matches_focal),
        cmocka_unit_test(matches_boxes),
        cmocka_unit_test(points_are_boxes),
        cmocka_unit_test(leading_axes),
        cmocka_unit_test(shape_errors),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, open_golden, close_golden);
}
