/* A straight line through four points: y = w·x + b on (1,2) (2,4) (3,6) (4,8), by gradient descent on ½Σ(ŷ−y)².
 *
 *   cc line.c $(pkg-config --cflags --libs gradus) && ./a.out        the same as YAML: gradus train line.yaml
 *
 * Everything by hand: a graph with its gradients, a program "step", a plan of it, a session that runs the plan. */
#include <gradus/nn.h>
#include <gradus/plan.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void try(gr_status status)
{
    if (status == GR_OK) return;
    fprintf(stderr, "line: %s\n", gr_message());
    exit(1);
}

/* Appends the model, its loss, its gradients and the update to 'g'. */
static void build(gr_graph *g)
{
    const gr_init from_0_to_1 = {.kind = GR_INIT_UNIFORM, .a = 0, .b = 1};
    gr_value x = gr_input(g, "x", GR_F32, 2, (int64_t[]){4, 1});
    gr_value y = gr_input(g, "y", GR_F32, 2, (int64_t[]){4, 1});
    gr_value param[2] = {gr_param(g, "w", 2, (int64_t[]){1, 1}, &from_0_to_1),
                         gr_param(g, "b", 1, (int64_t[]){1}, &from_0_to_1)};
    gr_value predicted = gr_add(g, gr_matmul(g, x, param[0], NULL), param[1]); /* (4, 1) */
    gr_loss loss = gr_loss_mse(g, predicted, y, &(gr_loss_options){.half = true});

    gr_value grad[2];
    try(gr_grad(g, loss.sum, param, 2, grad));
    gr_optimizer_options descent = {.base = {.kind = GR_OPTIMIZER_SGD}};
    try(gr_optimizer_apply(g, "step", param, grad, 2, &descent, NULL));
    gr_output(g, "step", "loss", loss.sum);
}

int main(void)
{
    const float xs[] = {1, 2, 3, 4}, ys[] = {2, 4, 6, 8};
    gr_graph *g;
    gr_store *store;
    gr_plan *plan;
    gr_session *session;
    gr_tensor x, y, loss, w, b;

    try(gr_graph_new(&g));
    build(g); /* builders need no check: the graph keeps its first error for gr_plan_compile */
    try(gr_plan_compile(g, "step", NULL, &plan));
    try(gr_store_new(&store));
    try(gr_store_prepare(store, g, 42)); /* makes w and b, drawn with seed 42 */
    try(gr_session_new(plan, store, &session));

    try(gr_session_input(session, "x", &x));
    try(gr_session_input(session, "y", &y));
    try(gr_session_output(session, "loss", &loss));
    memcpy(x.data, xs, sizeof xs);
    memcpy(y.data, ys, sizeof ys);
    for (int epoch = 0; epoch < 1000; epoch++) {
        gr_session_set_control(session, &(gr_run_control){.update = epoch, .learning_rate = 0.01});
        try(gr_session_run(session));
        if (epoch == 0 || epoch == 999) printf("epoch %4d  loss %.6f\n", epoch + 1, gr_tensor_get(&loss, 0));
    }
    try(gr_store_get(store, "w", &w));
    try(gr_store_get(store, "b", &b));
    printf("w = %.4f, b = %.4f\n", gr_tensor_get(&w, 0), gr_tensor_get(&b, 0));

    gr_session_free(&session);
    gr_plan_free(&plan);
    gr_store_free(&store);
    gr_graph_free(&g);
    return 0;
}
