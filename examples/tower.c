/* A narrowing tower 1024-512-256-128-64-32-16-1 against fixed random targets: 100 updates by Adam on all 64 rows.
 *
 *   tower [FOLDER]     leaves data.safetensors (x, y) and weights-N.safetensors after N = 0, 1, 10 and 100 updates there;
 *                      tests/interop/mlp.py repeats them in PyTorch
 *
 * The same as YAML: gradus train tower.yaml */
#include <gradus/nn.h>
#include <gradus/plan.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 64, INPUTS = 1024, LAYERS = 7, PARAMS = 2 * LAYERS };
static const int64_t widths[LAYERS] = {512, 256, 128, 64, 32, 16, 1};

static void try(gr_status status)
{
    if (status == GR_OK) return;
    fprintf(stderr, "tower: %s\n", gr_message());
    exit(1);
}

/* A seeded array of [0, 1) in the store, copied into an input of the session. */
static void fill(gr_store *store, gr_session *session, const char *name)
{
    gr_tensor input, kept;
    try(gr_session_input(session, name, &input));
    try(gr_store_add(store, name, GR_F32, input.rank, input.dim, &kept));
    try(gr_init_fill(&(gr_init){.kind = GR_INIT_UNIFORM, .b = 1}, 3, name, &kept));
    memcpy(input.data, kept.data, gr_tensor_size_bytes(&kept));
}

static void save(const gr_store *store, const char *folder, const char *pattern, const char *name)
{
    char path[4096];
    if (!folder) return;
    snprintf(path, sizeof path, "%s/%s.safetensors", folder, name);
    try(gr_store_save(store, pattern, path));
}

static void train(gr_session *session, gr_store *store, const char *folder)
{
    gr_tensor loss;
    try(gr_session_output(session, "loss", &loss));
    save(store, folder, "?", "data"); /* x and y */
    save(store, folder, "net.*", "weights-0");
    for (int update = 1; update <= 100; update++) {
        gr_session_set_control(session, &(gr_run_control){.update = update - 1, .learning_rate = 1e-3});
        try(gr_session_run(session));
        if (update != 1 && update != 10 && update != 100) continue;
        char name[32];
        printf("update %3d  loss %.6f\n", update, gr_tensor_get(&loss, 0)); /* before the update */
        snprintf(name, sizeof name, "weights-%d", update);
        save(store, folder, "net.*", name);
    }
}

int main(int argc, char **argv)
{
    gr_graph *g;
    gr_store *store;
    gr_plan *plan;
    gr_session *session;
    gr_value param[PARAMS], grad[PARAMS];

    try(gr_graph_new(&g));
    gr_value x = gr_input(g, "x", GR_F32, 2, (int64_t[]){ROWS, INPUTS});
    gr_value y = gr_input(g, "y", GR_F32, 2, (int64_t[]){ROWS, 1});
    gr_value out = gr_mlp(g, "net", x, widths, LAYERS, &(gr_mlp_options){.activation = GR_ACTIVATION_RELU});
    gr_loss loss = gr_loss_mse(g, out, y, NULL);
    int n = gr_graph_params(g, param, PARAMS);
    try(gr_grad(g, loss.sum, param, n, grad));
    gr_optimizer_options adam = {.base = {.kind = GR_OPTIMIZER_ADAM, .learning_rate = 1e-3}, .weight = loss.weight};
    try(gr_optimizer_apply(g, "step", param, grad, n, &adam, NULL));
    gr_output(g, "step", "loss", gr_div(g, loss.sum, loss.weight));

    try(gr_plan_compile(g, "step", NULL, &plan));
    try(gr_store_new(&store));
    try(gr_store_prepare(store, g, 5));
    try(gr_session_new(plan, store, &session));
    fill(store, session, "x");
    fill(store, session, "y");
    train(session, store, argc > 1 ? argv[1] : NULL);

    gr_session_free(&session);
    gr_plan_free(&plan);
    gr_store_free(&store);
    gr_graph_free(&g);
    return 0;
}
