/* One number for ten: 1,000 rows of 10 numbers from [0, 1); the network's single output is compared with every number of
 * its row (the shapes (32, 1) and (32, 10) broadcast), so the best answer is the row's mean, loss 0.0757.
 *
 * Layers and loss from gradus/nn.h, mini-batches by hand. The same as YAML: gradus train broadcast.yaml */
#include <gradus/nn.h>
#include <gradus/plan.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 1000, COLUMNS = 10, BATCH = 32, EPOCHS = 100 };

static void try(gr_status status)
{
    if (status == GR_OK) return;
    fprintf(stderr, "broadcast: %s\n", gr_message());
    exit(1);
}

/* Mean squared error of rows x (n, 10) against themselves. */
static gr_loss build(gr_graph *g, int64_t n)
{
    gr_value x = gr_input(g, "x", GR_F32, 2, (int64_t[]){n, COLUMNS});
    gr_value out = gr_mlp(g, "net", x, (int64_t[]){10, 1}, 2, &(gr_mlp_options){.activation = GR_ACTIVATION_RELU});
    return gr_loss_mse(g, out, x, &(gr_loss_options){.broadcast = true});
}

/* A graph of its own for all rows at once; the store is the same. */
static double loss_of_all(gr_store *store, const float *rows)
{
    gr_graph *g;
    gr_plan *plan;
    gr_session *session;
    gr_tensor x, out;
    try(gr_graph_new(&g));
    gr_loss loss = build(g, ROWS);
    gr_output(g, "eval", "loss", gr_div(g, loss.sum, loss.weight));
    try(gr_store_prepare(store, g, 1));
    try(gr_plan_compile(g, "eval", NULL, &plan));
    try(gr_session_new(plan, store, &session));
    try(gr_session_input(session, "x", &x));
    memcpy(x.data, rows, sizeof(float) * ROWS * COLUMNS);
    try(gr_session_run(session));
    try(gr_session_output(session, "loss", &out));
    double mean = gr_tensor_get(&out, 0);
    gr_session_free(&session);
    gr_plan_free(&plan);
    gr_graph_free(&g);
    return mean;
}

int main(void)
{
    static float rows[ROWS][COLUMNS];
    gr_tensor all = {GR_F32, 2, {ROWS, COLUMNS}, rows}, x;
    gr_graph *g;
    gr_store *store;
    gr_plan *plan;
    gr_session *session;
    gr_value param[4], grad[4];

    try(gr_init_fill(&(gr_init){.kind = GR_INIT_UNIFORM, .b = 1}, 7, "rows", &all));
    try(gr_store_new(&store));
    printf("loss before %.4f\n", loss_of_all(store, rows[0]));

    try(gr_graph_new(&g));
    gr_loss loss = build(g, BATCH);
    int n = gr_graph_params(g, param, 4);
    try(gr_grad(g, loss.sum, param, n, grad));
    gr_optimizer_options adam = {.base = {.kind = GR_OPTIMIZER_ADAM, .learning_rate = 1e-3}, .weight = loss.weight};
    try(gr_optimizer_apply(g, "step", param, grad, n, &adam, NULL));
    try(gr_plan_compile(g, "step", NULL, &plan));
    try(gr_store_prepare(store, g, 1)); /* adds Adam's moments */
    try(gr_session_new(plan, store, &session));
    try(gr_session_input(session, "x", &x));
    for (int step = 0; step < EPOCHS * ROWS / BATCH; step++) {
        for (int i = 0; i < BATCH; i++) /* 31.25 batches an epoch: the last goes on with the first rows */
            memcpy((float *)x.data + i * COLUMNS, rows[(step * BATCH + i) % ROWS], sizeof rows[0]);
        gr_session_set_control(session, &(gr_run_control){.update = step, .learning_rate = 1e-3});
        try(gr_session_run(session));
    }
    printf("loss after  %.4f\n", loss_of_all(store, rows[0]));

    gr_session_free(&session);
    gr_plan_free(&plan);
    gr_graph_free(&g);
    gr_store_free(&store);
    return 0;
}
