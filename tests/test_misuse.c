/* What callers get wrong: values that are none, NULL, sizes and numbers out of range. Nothing crashes; the graph keeps an
 * error, other calls return one. */
#include "tests/test.h"

#include "base/compiler.h"
#include "gradus/nn.h"
#include "gradus/plan.h"

#include <math.h>
#include <string.h>

static const int64_t four[] = {4}, two_by_four[] = {2, 4};

static gr_graph *graph(void)
{
    gr_graph *g;
    assert_ok(gr_graph_new(&g));
    return g;
}

static gr_value vector(gr_graph *g) { return gr_input(g, "vector", GR_F32, 1, four); }
static gr_value matrix(gr_graph *g) { return gr_input(g, "matrix", GR_F32, 2, two_by_four); }
static gr_value ids(gr_graph *g) { return gr_input(g, "ids", GR_I32, 1, (int64_t[]){2}); }
static gr_value signal(gr_graph *g) { return gr_input(g, "signal", GR_F32, 3, (int64_t[]){2, 5, 4}); }
static gr_value picture(gr_graph *g) { return gr_input(g, "picture", GR_F32, 4, (int64_t[]){1, 4, 4, 4}); }

typedef gr_value builder(gr_graph *g, gr_value v);
#define BUILD(name, result) \
    static gr_value name(gr_graph *g, gr_value v) { return result; }

/* ---- a value that is none ---- */

BUILD(cast, gr_cast(g, v, GR_F64))
BUILD(cast_to_none, gr_cast(g, v, GR_DTYPE_NONE))
BUILD(cast_like, gr_cast_like(g, v, vector(g)))
BUILD(cast_like_it, gr_cast_like(g, vector(g), v))
BUILD(reshape, gr_reshape(g, v, 0, NULL))
BUILD(permute, gr_permute(g, v, NULL))
BUILD(transpose, gr_transpose(g, v, 0, 1))
BUILD(slice, gr_slice(g, v, 0, 0, 1))
BUILD(broadcast_to, gr_broadcast_to(g, v, 0, NULL))
BUILD(concat_one, gr_concat(g, &v, 1, 0))
BUILD(concat_two, gr_concat(g, (gr_value[]){v, v}, 2, -1))
BUILD(power_one, gr_power(g, v, 1))
BUILD(dropout_none, gr_dropout(g, v, 0))
BUILD(activation_none, gr_activation(g, GR_ACTIVATION_NONE, v))
BUILD(where, gr_where(g, v, vector(g), vector(g)))
BUILD(attention, gr_attention(g, v, v, v, NULL))
BUILD(rotary, gr_rotary(g, v, NULL))
BUILD(layer_norm, gr_layer_norm_layer(g, "norm", v, NULL))
BUILD(rms_norm, gr_rms_norm_layer(g, "norm", v, NULL))
BUILD(group_norm, gr_group_norm_layer(g, "norm", v, 1, NULL))
BUILD(batch_norm, gr_batch_norm(g, v, 0, 0, 0, NULL, NULL))
BUILD(batch_norm_layer, gr_batch_norm_layer(g, "norm", v, NULL))
BUILD(batch_norm_fixed, gr_batch_norm_fixed(g, matrix(g), 0, 0, v, v, 0))
BUILD(linear, gr_linear(g, "fc", v, 3, NULL))
BUILD(mlp, gr_mlp(g, "mlp", v, four, 1, NULL))
BUILD(embedding, gr_embedding_layer(g, "table", v, 3, 2, NULL))
BUILD(embedding_bag, gr_embedding_bag(g, v, ids(g), NULL))
BUILD(conv, gr_conv(g, v, v, NULL))
BUILD(conv_transpose, gr_conv_transpose(g, v, v, NULL))
BUILD(conv_layer, gr_conv_layer(g, "conv", v, 3, 3, NULL))
BUILD(conv_transpose_layer, gr_conv_transpose_layer(g, "conv", v, 3, 3, NULL))
BUILD(max_pool, gr_max_pool(g, v, NULL, NULL))
BUILD(avg_pool, gr_avg_pool(g, v, NULL))
BUILD(upsample, gr_upsample(g, v, NULL))
BUILD(adaptive_max_pool, gr_adaptive_max_pool(g, v, four, NULL))
BUILD(adaptive_avg_pool, gr_adaptive_avg_pool(g, v, four))
BUILD(global_max_pool, gr_global_max_pool(g, v))
BUILD(global_avg_pool, gr_global_avg_pool(g, v))
BUILD(lstm, gr_lstm(g, "lstm", v, 3, NULL, NULL, NULL))
BUILD(gru, gr_gru(g, "gru", v, 3, NULL, NULL))
BUILD(mse, gr_loss_mse(g, v, vector(g), NULL).sum)
BUILD(mse_target, gr_loss_mse(g, vector(g), v, NULL).sum)
BUILD(bce, gr_loss_bce_with_logits(g, v, v, NULL).sum)
BUILD(cross_entropy, gr_loss_cross_entropy(g, v, ids(g), NULL).sum)
BUILD(cross_entropy_targets, gr_loss_cross_entropy(g, matrix(g), v, NULL).sum)
BUILD(linear_cross_entropy, gr_loss_linear_cross_entropy(g, v, v, ids(g), NULL).sum)
BUILD(focal, gr_loss_focal(g, v, v, NULL).sum)
BUILD(focal_softmax, gr_loss_focal_softmax(g, v, ids(g), NULL).sum)
BUILD(triplet, gr_loss_triplet(g, v, v, v, 0, NULL).sum)
BUILD(info_nce, gr_loss_info_nce(g, v, v, 0, NULL).sum)
BUILD(ctc, gr_loss_ctc(g, v, v, v, v, 0, NULL).sum)
BUILD(box_overlap, gr_box_overlap(g, GR_OVERLAP_IOU, v, v))
BUILD(box, gr_loss_box(g, GR_OVERLAP_IOU, v, v, NULL).sum)
BUILD(output, (gr_output(g, "run", "y", v), 0))
BUILD(update, (gr_update(g, "run", gr_param(g, "w", 1, four, NULL), v), 0))
BUILD(update_of, (gr_update(g, "run", v, vector(g)), 0))
BUILD(guard, (gr_guard(g, "run", v), 0))

static builder *const of_a_value[] = {
    cast,
    cast_to_none,
    cast_like,
    cast_like_it,
    reshape,
    permute,
    transpose,
    slice,
    broadcast_to,
    concat_one,
    concat_two,
    power_one,
    dropout_none,
    activation_none,
    where,
    attention,
    rotary,
    layer_norm,
    rms_norm,
    group_norm,
    batch_norm,
    batch_norm_layer,
    batch_norm_fixed,
    linear,
    mlp,
    embedding,
    embedding_bag,
    conv,
    conv_transpose,
    conv_layer,
    max_pool,
    avg_pool,
    upsample,
    adaptive_max_pool,
    adaptive_avg_pool,
    global_max_pool,
    lstm,
    gru,
    mse,
    mse_target,
    bce,
    cross_entropy,
    focal,
    focal_softmax,
    triplet,
    cross_entropy_targets,
    linear_cross_entropy,
    info_nce,
    ctc,
    box_overlap,
    box,
    output,
    update,
    update_of,
    guard,
    conv_transpose_layer,
    global_avg_pool,
};

/* Optional operands: 0 is none there. */
BUILD(lstm_h0, gr_lstm(g, "lstm", signal(g), 3, &(gr_rnn_options){.h0 = v}, NULL, NULL))
BUILD(bag_weights,
      gr_embedding_bag(g, matrix(g), gr_input(g, "bags", GR_I32, 2, two_by_four), &(gr_bag_options){.weights = v}))
BUILD(mse_weight, gr_loss_mse(g, vector(g), vector(g), &(gr_loss_options){.weight = v}).sum)
BUILD(class_weight, gr_loss_cross_entropy(g, matrix(g), ids(g), &(gr_loss_options){.class_weight = v}).sum)
BUILD(focal_weight, gr_loss_focal(g, vector(g), vector(g), &(gr_focal_options){.weight = v}).sum)
BUILD(norm_gamma, gr_layer_norm(g, matrix(g), v, 0, 0))
BUILD(conv_bias, gr_conv(g, signal(g), gr_param(g, "w", 3, (int64_t[]){3, 4, 2}, NULL), &(gr_conv_options){.bias = v}))

static gr_value optimizer_weight(gr_graph *g, gr_value v)
{
    gr_value w = gr_param(g, "w", 1, four, NULL), dw = vector(g);
    gr_optimizer_apply(g, "step", &w, &dw, 1, &(gr_optimizer_options){.weight = v}, NULL);
    return 0;
}

static gr_value accumulated_weight(gr_graph *g, gr_value v)
{
    gr_value w = gr_param(g, "w", 1, four, NULL), dw = vector(g);
    gr_gradients_accumulate(g, "step", &w, &dw, 1, v);
    return 0;
}

static builder *const of_an_option[] = {lstm_h0,   bag_weights, mse_weight,       class_weight,      focal_weight,
                                        conv_bias, norm_gamma,  optimizer_weight, accumulated_weight};

static void check_operand(const char *list, size_t i, builder *build, gr_value v)
{
    gr_graph *g = graph();
    gr_value y = build(g, v);
    if (y != 0 || gr_graph_status(g) != GR_ERR_ARGUMENT)
        fail_msg("%s %zu of %d: %d, %s", list, i, v, y, gr_status_name(gr_graph_status(g)));
    if (!strstr(gr_message(), "not a value of this graph")) fail_msg("%s %zu: %s", list, i, gr_message());
    gr_graph_free(&g);
}

static void values_that_are_none(void **state)
{
    (void)state;
    static const gr_value none[] = {9999, -9, INT32_MIN, INT32_MAX, 0};
    for (size_t k = 0; k < GR__COUNT(none); k++) {
        for (size_t i = 0; i < GR__COUNT(of_a_value); i++) check_operand("value", i, of_a_value[i], none[k]);
        for (size_t i = 0; none[k] && i < GR__COUNT(of_an_option); i++)
            check_operand("option", i, of_an_option[i], none[k]);
    }
    gr_graph *g = graph();
    assert_int_equal(gr_value_rank(g, 9999), 0);
    assert_int_equal(gr_value_dim(g, -9, 0), 1);
    assert_int_equal(gr_value_dtype(g, 9999), GR_DTYPE_NONE);
    assert_string_equal(gr_value_path(g, 9999), "");
    assert_ok(gr_graph_status(g));
    gr_graph_free(&g);
}

/* ---- no graph ---- */

static void graphs_that_are_null(void **state)
{
    (void)state;
    char *text;
    for (size_t i = 0; i < GR__COUNT(of_a_value); i++) assert_int_equal(of_a_value[i](NULL, 1), 0);
    for (size_t i = 0; i < GR__COUNT(of_an_option); i++) assert_int_equal(of_an_option[i](NULL, 1), 0);
    assert_int_equal(gr_scalar(NULL, GR_F32, 1), 0);
    assert_int_equal(gr_constant(NULL, &(gr_tensor){.dtype = GR_F32, .data = (float[]){1}}), 0);
    assert_int_equal(gr_session_state(NULL, "s", GR_F32, 1, four), 0);
    gr_scope_push(NULL, "a");
    gr_block_push(NULL, "a");
    gr_scope_pop(NULL);
    assert_int_equal(gr_value_rank(NULL, 1), 0);
    assert_int_equal(gr_graph_params(NULL, NULL, 5), 0);
    assert_fails(gr_graph_status(NULL), GR_ERR_ARGUMENT, "the graph is NULL");
    assert_fails(gr_grad(NULL, 1, NULL, 0, NULL), GR_ERR_ARGUMENT, "the graph is NULL");
    assert_fails(gr_autocast_bf16(NULL), GR_ERR_ARGUMENT, "the graph is NULL");
    assert_fails(gr_graph_print(NULL, &text), GR_ERR_ARGUMENT, "the graph is NULL");
    assert_fails(gr_gradients_clear(NULL, "p", NULL, 0), GR_ERR_ARGUMENT, "the graph is NULL");
}

/* ---- what builders refuse ---- */

static gr_value wide(gr_graph *g, int axis)
{
    int64_t dim[] = {1, 1, 1};
    dim[axis] = 1 << 22;
    return gr_input(g, (const char *[]){"a", "b", "c"}[axis], GR_F32, 3, dim);
}

static gr_value broad_matrix(gr_graph *g, int64_t rows, int64_t columns)
{
    return gr_broadcast_to(g, gr_scalar(g, GR_F32, 1), 2, (int64_t[]){rows, columns});
}

static gr_value concat_of_many(gr_graph *g)
{
    gr_value x[16], y = gr_broadcast_to(g, gr_scalar(g, GR_F32, 1), 1, (int64_t[]){(int64_t)1 << 40});
    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < 16; i++) x[i] = y;
        y = gr_concat(g, x, 16, 0);
    }
    return y;
}

static gr_value two_outputs(gr_graph *g)
{
    gr_output(g, "run", "y", vector(g));
    gr_output(g, "run", "y", matrix(g));
    return 0;
}

static gr_value session_state_of(gr_graph *g, bool param)
{
    if (param)
        gr_param(g, "w", 1, four, NULL);
    else
        gr_state(g, "w", GR_F32, 1, four, NULL);
    return gr_session_state(g, "w", GR_F32, 1, four);
}

/* A scope that has no format. */
static gr_value scope(gr_graph *g, void (*push)(gr_graph *, const char *, ...), const char *format)
{
    push(g, format);
    return 0;
}

#define BIG INT64_MAX

typedef struct refusal {
    gr_status status;
    const char *message;
    builder *build;
} refusal;

BUILD(too_large_where, ((void)v, gr_where(g, wide(g, 0), wide(g, 1), wide(g, 2))))
BUILD(too_large_add, ((void)v, gr_add(g, gr_add(g, wide(g, 0), wide(g, 1)), wide(g, 2))))
BUILD(too_large_matmul,
      ((void)v, gr_matmul(g, broad_matrix(g, (int64_t)1 << 33, 1), broad_matrix(g, 1, (int64_t)1 << 33), NULL)))
BUILD(too_large_concat, ((void)v, concat_of_many(g)))
BUILD(input_dtype, ((void)v, gr_input(g, "x", (gr_dtype)55, 1, four)))
BUILD(state_dtype, ((void)v, gr_state(g, "x", GR_DTYPE_NONE, 1, four, NULL)))
BUILD(session_dtype, ((void)v, gr_session_state(g, "x", (gr_dtype)-3, 1, four)))
BUILD(input_name, ((void)v, gr_input(g, NULL, GR_F32, 1, four)))
BUILD(input_empty, ((void)v, gr_input(g, "", GR_F32, 1, four)))
BUILD(input_dim, ((void)v, gr_input(g, "x", GR_F32, 1, NULL)))
BUILD(param_path, ((void)v, gr_param(g, NULL, 1, four, NULL)))
BUILD(param_dim, ((void)v, gr_param(g, "w", 1, NULL, NULL)))
BUILD(state_path, ((void)v, gr_session_state(g, NULL, GR_F32, 1, four)))
BUILD(reshape_dim, ((void)v, gr_reshape(g, vector(g), 1, NULL)))
BUILD(broadcast_dim, ((void)v, gr_broadcast_to(g, vector(g), 2, NULL)))
BUILD(fill_dim, ((void)v, gr_fill(g, GR_F32, 2, NULL, 0)))
BUILD(permute_order, ((void)v, gr_permute(g, matrix(g), NULL)))
BUILD(concat_null, ((void)v, gr_concat(g, NULL, 2, 0)))
BUILD(concat_axis, (v = vector(g), gr_concat(g, &v, 1, 9)))
BUILD(slice_axis, ((void)v, gr_slice(g, vector(g), INT32_MIN, 0, 1)))
BUILD(adaptive_size, ((void)v, gr_adaptive_avg_pool(g, picture(g), NULL)))
BUILD(adaptive_max_size, ((void)v, gr_adaptive_max_pool(g, picture(g), NULL, NULL)))
BUILD(mlp_size, ((void)v, gr_mlp(g, "mlp", matrix(g), NULL, 2, NULL)))
BUILD(session_param, ((void)v, session_state_of(g, true)))
BUILD(session_store, ((void)v, session_state_of(g, false)))
BUILD(outputs, ((void)v, two_outputs(g)))
BUILD(output_program, (gr_output(g, NULL, "y", vector(g)), v = 0))
BUILD(output_name, (gr_output(g, "run", NULL, vector(g)), v = 0))
BUILD(output_empty, (gr_output(g, "run", "", vector(g)), v = 0))
BUILD(update_program, (v = gr_param(g, "w", 1, four, NULL), gr_update(g, NULL, v, v), 0))
BUILD(guard_program, (gr_guard(g, NULL, gr_scalar(g, GR_F32, 1)), v = 0))
BUILD(guard_many, (gr_guard(g, "run", vector(g)), v = 0))
BUILD(guard_index, (gr_guard(g, "run", gr_scalar(g, GR_I32, 1)), v = 0))
BUILD(scope_null, ((void)v, scope(g, gr_scope_push, NULL)))
BUILD(block_null, ((void)v, scope(g, gr_block_push, NULL)))
BUILD(lstm_layers,
      ((void)v, gr_lstm(g, "l", signal(g), 3, &(gr_rnn_options){.layers = BIG, .bidirectional = true}, NULL, NULL)))
BUILD(lstm_hidden, ((void)v, gr_lstm(g, "l", signal(g), BIG / 2, NULL, NULL, NULL)))
BUILD(lstm_dropout, ((void)v, gr_lstm(g, "l", signal(g), 3, &(gr_rnn_options){.dropout = 1}, NULL, NULL)))
BUILD(gru_dropout, ((void)v, gr_gru(g, "l", signal(g), 3, &(gr_rnn_options){.dropout = NAN}, NULL)))
BUILD(conv_padding,
      ((void)v, gr_conv_layer(g, "c", signal(g), 3, 3, &(gr_conv_layer_options){.padding = BIG, .before = {BIG}})))
BUILD(conv_transpose_padding,
      ((void)v, gr_conv_transpose_layer(g, "c", signal(g), 3, 3, &(gr_conv_layer_options){.before = {INT64_MIN + 1}})))
BUILD(conv_same,
      ((void)v, gr_conv_layer(g, "c", signal(g), 3, 3, &(gr_conv_layer_options){.same = true, .before = {BIG}})))
BUILD(conv_output_padding,
      ((void)v, gr_conv_layer(g, "c", signal(g), 3, 3, &(gr_conv_layer_options){.output_padding = {1}})))
BUILD(pool_padding,
      ((void)v, gr_max_pool(g, picture(g), &(gr_pool_options){.size = {2}, .padding = BIG, .after = {BIG}}, NULL)))
BUILD(pool_size, ((void)v, gr_max_pool(g, picture(g), &(gr_pool_options){.size = {-1}}, NULL)))
BUILD(avg_pool_index, ((void)v, gr_avg_pool(g, ids(g), NULL)))
BUILD(adaptive_no_size, ((void)v, gr_adaptive_avg_pool(g, picture(g), (int64_t[]){0, 1})))
BUILD(upsample_axes, ((void)v, gr_upsample(g, matrix(g), NULL)))
BUILD(batch_norm_index, ((void)v, gr_batch_norm(g, gr_input(g, "i", GR_I32, 2, two_by_four), 0, 0, 0, NULL, NULL)))
BUILD(mlp_dropout, ((void)v, gr_mlp(g, "mlp", matrix(g), four, 1, &(gr_mlp_options){.dropout = 1})))
BUILD(layer_norm_eps, ((void)v, gr_layer_norm_layer(g, "n", matrix(g), &(gr_norm_options){.eps = -1})))
BUILD(rms_norm_eps, ((void)v, gr_rms_norm_layer(g, "n", matrix(g), &(gr_norm_options){.eps = NAN})))
BUILD(batch_norm_eps, ((void)v, gr_batch_norm_layer(g, "n", matrix(g), &(gr_batch_norm_options){.eps = -1})))
BUILD(fixed_norm_eps,
      ((void)v, gr_batch_norm_layer(g, "n", matrix(g), &(gr_batch_norm_options){.eps = NAN, .evaluate = true})))
BUILD(rotary_theta, ((void)v, gr_rotary(g, picture(g), &(gr_rotary_options){.theta = -1})))
BUILD(rotary_nan, ((void)v, gr_rotary(g, picture(g), &(gr_rotary_options){.theta = NAN})))
BUILD(attention_scale, (v = picture(g), gr_attention(g, v, v, v, &(gr_attention_options){.scale = NAN})))
BUILD(hinge_margin, ((void)v, gr_loss_pairwise_hinge(g, vector(g), vector(g), NAN, NULL).sum))
BUILD(triplet_margin, (v = matrix(g), gr_loss_triplet(g, v, v, v, NAN, NULL).sum))
BUILD(info_nce_temperature, (v = matrix(g), gr_loss_info_nce(g, v, v, INFINITY, NULL).sum))

static const refusal refusals[] = {
    {GR_ERR_SHAPE, "where: a result of shape [4194304,4194304,4194304]", too_large_where},
    {GR_ERR_SHAPE, "add: a result of shape", too_large_add},
    {GR_ERR_SHAPE, "matmul: a result of shape", too_large_matmul},
    {GR_ERR_SHAPE, "concat: a result of shape", too_large_concat},
    {GR_ERR_DTYPE, "input 'x': 55 is not a dtype", input_dtype},
    {GR_ERR_DTYPE, "state 'x': 0", state_dtype},
    {GR_ERR_DTYPE, "state 'x': -3", session_dtype},
    {GR_ERR_ARGUMENT, "an input without a name", input_name},
    {GR_ERR_ARGUMENT, "an input without a name", input_empty},
    {GR_ERR_ARGUMENT, "input 'x' has no sizes", input_dim},
    {GR_ERR_ARGUMENT, "a state without a name", param_path},
    {GR_ERR_ARGUMENT, "state 'w' has no sizes", param_dim},
    {GR_ERR_ARGUMENT, "a state without a name", state_path},
    {GR_ERR_ARGUMENT, "reshape: 1 axes without sizes", reshape_dim},
    {GR_ERR_ARGUMENT, "broadcast_to: 2 axes", broadcast_dim},
    {GR_ERR_ARGUMENT, "fill: 2 axes", fill_dim},
    {GR_ERR_ARGUMENT, "permute: the order is NULL", permute_order},
    {GR_ERR_ARGUMENT, "concat: the operands are NULL", concat_null},
    {GR_ERR_ARGUMENT, "concat: axis 9", concat_axis},
    {GR_ERR_ARGUMENT, "slice: axis -2147483648 of", slice_axis},
    {GR_ERR_ARGUMENT, "adaptive_avg_pool: 2 axes without sizes", adaptive_size},
    {GR_ERR_ARGUMENT, "adaptive_max_pool: 2 axes without sizes", adaptive_max_size},
    {GR_ERR_ARGUMENT, "mlp 'mlp' has no layers", mlp_size},
    {GR_ERR_ARGUMENT, "state 'w' is declared both", session_param},
    {GR_ERR_ARGUMENT, "state 'w' is declared both", session_store},
    {GR_ERR_ARGUMENT, "program 'run' has two outputs 'y'", outputs},
    {GR_ERR_ARGUMENT, "output: the program has no name", output_program},
    {GR_ERR_ARGUMENT, "an output of program 'run' without a name", output_name},
    {GR_ERR_ARGUMENT, "an output of program 'run' without a name", output_empty},
    {GR_ERR_ARGUMENT, "update: the program has no name", update_program},
    {GR_ERR_ARGUMENT, "guard: the program has no name", guard_program},
    {GR_ERR_SHAPE, "f32 of 4 elements, not one f64, f32 or bf16", guard_many},
    {GR_ERR_DTYPE, "i32 of 1 elements, not one f64, f32 or bf16", guard_index},
    {GR_ERR_ARGUMENT, "a scope without a name", scope_null},
    {GR_ERR_ARGUMENT, "a scope without a name", block_null},
    {GR_ERR_ARGUMENT, "recurrent layer 'l'", lstm_layers},
    {GR_ERR_ARGUMENT, "recurrent layer 'l'", lstm_hidden},
    {GR_ERR_ARGUMENT, "dropout 1 is not in [0, 1)", lstm_dropout},
    {GR_ERR_ARGUMENT, "is not in [0, 1)", gru_dropout},
    {GR_ERR_ARGUMENT, "conv: padding of 9223372036854775807", conv_padding},
    {GR_ERR_ARGUMENT, "padding -9223372036854775807", conv_transpose_padding},
    {GR_ERR_ARGUMENT, "conv: padding of 9223372036854775807", conv_same},
    {GR_ERR_ARGUMENT, "conv: 'output_padding' is for transposed", conv_output_padding},
    {GR_ERR_ARGUMENT, "max_pool: padding of 9223372036854775807", pool_padding},
    {GR_ERR_ARGUMENT, "max_pool: a window of size -1", pool_size},
    {GR_ERR_DTYPE, "avg_pool: operand 0 is i32", avg_pool_index},
    {GR_ERR_ARGUMENT, "adaptive_avg_pool: size 0", adaptive_no_size},
    {GR_ERR_SHAPE, "upsample: operand 0 has shape [2,4]", upsample_axes},
    {GR_ERR_DTYPE, "batch_norm: x is i32", batch_norm_index},
    {GR_ERR_ARGUMENT, "mlp 'mlp': dropout 1", mlp_dropout},
    {GR_ERR_ARGUMENT, "layer_norm: eps is -1", layer_norm_eps},
    {GR_ERR_ARGUMENT, "rms_norm: eps is", rms_norm_eps},
    {GR_ERR_ARGUMENT, "eps is -1", batch_norm_eps},
    {GR_ERR_ARGUMENT, "batch_norm_fixed: eps is", fixed_norm_eps},
    {GR_ERR_ARGUMENT, "rotary: theta is -1", rotary_theta},
    {GR_ERR_ARGUMENT, "rotary: theta is", rotary_nan},
    {GR_ERR_ARGUMENT, "attention: the scale is", attention_scale},
    {GR_ERR_ARGUMENT, "pairwise_hinge: the margin is", hinge_margin},
    {GR_ERR_ARGUMENT, "triplet: the margin is", triplet_margin},
    {GR_ERR_ARGUMENT, "info_nce: temperature", info_nce_temperature},
};

static void builders_refuse(void **state)
{
    (void)state;
    for (size_t i = 0; i < GR__COUNT(refusals); i++) {
        gr_graph *g = graph();
        assert_int_equal(refusals[i].build(g, 0), 0);
        assert_fails(gr_graph_status(g), refusals[i].status, refusals[i].message);
        gr_graph_free(&g);
    }
}

/* ---- what is fine ---- */

static void builders_accept(void **state)
{
    (void)state;
    gr_graph *g = graph();
    char name[] =
        "a scope with a name of more than 255 bytes, of which the last one counts                             "
        "                                                                                                     "
        "                                                                             end 1";
    assert_true(strlen(name) > 255);
    gr_scope_push(g, "%s", name);
    gr_value first = gr_param(g, "w", 1, four, NULL);
    gr_scope_pop(g);
    name[strlen(name) - 1] = '2';
    gr_scope_push(g, "%s", name);
    assert_int_not_equal(gr_param(g, "w", 1, four, NULL), first);
    gr_scope_pop(g);
    gr_guard(g, "run", gr_scalar(g, GR_BF16, 1)); /* a loss under gr_autocast_bf16() */
    assert_int_not_equal(gr_max_pool(g, picture(g), NULL, NULL), 0);
    assert_int_not_equal(gr_avg_pool(g, picture(g), NULL), 0);
    assert_int_not_equal(gr_upsample(g, picture(g), NULL), 0);
    gr_output(g, "run", "y", first);
    gr_output(g, "run", "y", first);
    assert_int_equal(gr_graph_params(g, NULL, 5), 2);
    assert_ok(gr_graph_status(g));
    gr_graph_free(&g);
}

/* ---- arrays and options of functions with a status ---- */

static void gradients_and_optimizers(void **state)
{
    (void)state;
    gr_graph *g = graph();
    gr_value w = gr_param(g, "w", 1, four, NULL), dw, loss = gr_sum(g, gr_square(g, w), 0, false);
    assert_fails(gr_grad(g, loss, NULL, 1, &dw), GR_ERR_ARGUMENT, "gr_grad");
    assert_fails(gr_grad(g, loss, &w, 1, NULL), GR_ERR_ARGUMENT, "gr_grad");
    assert_fails(gr_grad(g, loss, &w, -1, &dw), GR_ERR_ARGUMENT, "gr_grad");
    assert_fails(gr_grad(g, 9999, &w, 1, &dw), GR_ERR_ARGUMENT, "gr_grad");
    assert_ok(gr_grad(g, loss, &w, 1, &dw));
    gr_optimizer_options groups = {.n_groups = 1}, negative = {.n_groups = -1};
    assert_fails(gr_optimizer_apply(g, "p", NULL, &dw, 1, NULL, NULL), GR_ERR_ARGUMENT, "NULL");
    assert_fails(gr_optimizer_apply(g, "p", &w, NULL, 1, NULL, NULL), GR_ERR_ARGUMENT, "NULL");
    assert_fails(gr_optimizer_apply(g, "p", &w, &dw, -1, NULL, NULL), GR_ERR_ARGUMENT, "-1");
    assert_fails(gr_optimizer_apply(g, "p", &w, &dw, 1, &groups, NULL), GR_ERR_ARGUMENT, "groups");
    assert_fails(gr_optimizer_apply(g, "p", &w, &dw, 1, &negative, NULL), GR_ERR_ARGUMENT, "groups");
    assert_fails(gr_gradients_accumulate(g, "p", &w, &dw, -1, 0), GR_ERR_ARGUMENT, "-1");
    assert_fails(gr_gradients_accumulate(g, "p", &w, NULL, 1, 0), GR_ERR_ARGUMENT, "NULL");
    assert_fails(gr_gradients_use(g, "p", &w, 1, NULL, NULL), GR_ERR_ARGUMENT, "NULL");
    assert_fails(gr_gradients_clear(g, "p", &w, -1), GR_ERR_ARGUMENT, "-1");
    assert_ok(gr_optimizer_apply(g, "p", &w, &dw, 1, NULL, NULL));
    assert_fails(gr_graph_print(g, NULL), GR_ERR_ARGUMENT, "NULL");
    assert_fails(gr_optimizer_apply(g, NULL, &w, &dw, 1, NULL, NULL), GR_ERR_ARGUMENT, "the program has no name");
    gr_graph_free(&g);
    assert_true(isnan(gr_schedule_at(&(gr_schedule){.kind = (gr_schedule_kind)77}, 3)));
}

static void stores(void **state)
{
    (void)state;
    gr_store *s;
    gr_tensor t;
    char path[512];
    snprintf(path, sizeof path, "%s/empty.safetensors", test_tmpdir());
    assert_fails(gr_store_new(NULL), GR_ERR_ARGUMENT, NULL);
    assert_ok(gr_store_new(&s));
    assert_fails(gr_store_add(s, NULL, GR_F32, 1, four, NULL), GR_ERR_ARGUMENT, "gr_store_add");
    assert_fails(gr_store_add(s, "w", GR_F32, 1, NULL, NULL), GR_ERR_ARGUMENT, "gr_store_add");
    assert_fails(gr_store_get(s, NULL, &t), GR_ERR_ARGUMENT, "gr_store_get");
    assert_fails(gr_store_save(s, NULL, path), GR_ERR_NOT_FOUND, "matches '*'");
    assert_fails(gr_store_load(s, path), GR_ERR_NOT_FOUND, NULL); /* nothing was written */
    assert_ok(gr_store_add(s, "w", GR_F32, 1, four, &t));
    assert_fails(gr_store_get(s, "w", NULL), GR_ERR_ARGUMENT, "gr_store_get");
    assert_fails(gr_store_save(s, NULL, NULL), GR_ERR_ARGUMENT, "gr_store_save");
    assert_fails(gr_store_load(s, NULL), GR_ERR_ARGUMENT, "gr_store_load");
    assert_fails(gr_store_prepare(s, NULL, 1), GR_ERR_ARGUMENT, "the graph is NULL");
    assert_fails(gr_init_fill(NULL, 1, "w", &t), GR_ERR_ARGUMENT, "gr_init_fill");
    assert_fails(gr_init_fill(&(gr_init){0}, 1, NULL, &t), GR_ERR_ARGUMENT, "gr_init_fill");
    assert_fails(gr_init_fill(&(gr_init){0}, 1, "w", NULL), GR_ERR_ARGUMENT, "gr_init_fill");
    gr_store_free(&s);
}

static void sessions(void **state)
{
    (void)state;
    gr_store *store;
    gr_plan *plan;
    gr_session *s;
    gr_tensor t;
    gr_graph *g = graph();
    gr_value own = gr_session_state(g, "own", GR_F32, 1, four), w = gr_param(g, "w", 1, four, NULL);
    gr_output(g, "run", "y", gr_add(g, own, w));
    assert_ok(gr_store_new(&store));
    assert_ok(gr_store_prepare(store, g, 1));
    assert_ok(gr_plan_compile(g, "run", NULL, &plan));
    assert_ok(gr_session_new(plan, store, &s));
    assert_ok(gr_session_get_state(s, "own", &t));
    assert_fails(gr_session_get_state(s, "w", &t), GR_ERR_NOT_FOUND, "no session state 'w'"); /* the store's */
    assert_fails(gr_session_input(s, NULL, &t), GR_ERR_ARGUMENT, "gr_session_input");
    assert_fails(gr_session_output(s, "y", NULL), GR_ERR_ARGUMENT, "gr_session_output");
    assert_fails(gr_session_get_state(NULL, "own", &t), GR_ERR_ARGUMENT, "gr_session_get_state");
    assert_fails(gr_session_run(NULL), GR_ERR_ARGUMENT, "gr_session_run");
    assert_fails(gr_session_find_nonfinite(NULL), GR_ERR_ARGUMENT, "gr_session_find_nonfinite");
    assert_fails(gr_session_profile(NULL, true), GR_ERR_ARGUMENT, "gr_session_profile");
    gr_profile_row row;
    assert_false(gr_session_profile_at(NULL, 0, &row));
    gr_session_set_control(s, NULL);
    gr_session_set_control(NULL, NULL);
    assert_fails(gr_plan_print(plan, NULL), GR_ERR_ARGUMENT, "gr_plan_print");
    assert_int_equal(gr_plan_memory_of(NULL).arena_bytes, 0);
    assert_true(gr_plan_flops(NULL) == 0);
    assert_int_equal(gr_plan_recompute(NULL), GR_RECOMPUTE_AUTO);
    gr_session_free(&s);
    gr_plan_free(&plan);
    gr_store_free(&store);
    gr_graph_free(&g);
}

static void tensors_that_cannot_be(void **state)
{
    (void)state;
    static const struct {
        gr_tensor t;
        int64_t count;
        size_t bytes;
    } cases[] = {
        {{GR_F32, 2, {3, 4}, NULL}, 12, 48},
        {{GR_F32, 0, {0}, NULL}, 1, 4},
        {{GR_F32, 2, {0, 4}, NULL}, 0, 0},
        {{GR_F32, 2, {BIG, 4}, NULL}, 0, 0},
        {{GR_F32, 2, {BIG, 1}, NULL}, BIG, 0},
        {{GR_F32, 2, {-1, 4}, NULL}, 0, 0},
        {{GR_F32, 9, {1, 1, 1, 1, 1, 1, 1, 1}, NULL}, 0, 0},
        {{GR_F32, -1, {1}, NULL}, 0, 0},
    };
    for (size_t i = 0; i < GR__COUNT(cases); i++) {
        assert_int_equal(gr_tensor_count(&cases[i].t), cases[i].count);
        assert_int_equal(gr_tensor_size_bytes(&cases[i].t), cases[i].bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_that_are_none),
        cmocka_unit_test(graphs_that_are_null),
        cmocka_unit_test(builders_refuse),
        cmocka_unit_test(builders_accept),
        cmocka_unit_test(gradients_and_optimizers),
        cmocka_unit_test(stores),
        cmocka_unit_test(sessions),
        cmocka_unit_test(tensors_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
