/* Handwritten digits, the zeros against the rest: 784-256-128-64-32-16-8-1 on MNIST, F1 on 3,000 digits not seen before.
 *
 *   digits CONFIG [key=value ...]        digits digits_inverse.yaml train.epochs=2
 *
 * A whole run from its configuration, as 'gradus train' does it: data, batches, schedule and metrics are the run's.
 * Here nothing is written; give gr_run_options.out and the run leaves checkpoints and the model there. */
#include <gradus/train.h>

#include <stdio.h>
#include <stdlib.h>

static void try(gr_status status)
{
    if (status == GR_OK) return;
    fprintf(stderr, "digits: %s\n", gr_message());
    exit(1);
}

static void show(void *user, gr_run_event event, const gr_progress *p, const char *text)
{
    (void)user;
    if (event == GR_EVENT_VALID)
        printf("epoch %4.1f  loss %.4f  test loss %.4f\n", p->epoch, p->loss_average, p->valid_loss);
    if (event == GR_EVENT_NOTE) printf("%s\n", text);
}

int main(int argc, char **argv)
{
    gr_run *run;
    gr_metric metric[8];
    int n;
    if (argc < 2) {
        fprintf(stderr, "usage: digits CONFIG [key=value ...]\n");
        return 2;
    }
    gr_run_options options = {.overrides = (const char *const *)argv + 2, .n_overrides = argc - 2, .no_write = true};
    try(gr_run_open(argv[1], &options, &run));
    gr_run_plan plan = gr_run_describe(run);
    printf("%lld parameters, %lld steps of %lld of %lld rows\n", (long long)plan.parameters, (long long)plan.steps,
           (long long)plan.batch, (long long)plan.samples);
    try(gr_run_train(run, &(gr_train_hooks){.event = show}));
    try(gr_run_evaluate(run, metric, 8, &n));
    for (int i = 0; i < n; i++) printf("%-10s %.4f\n", metric[i].name, metric[i].value);
    gr_run_close(&run);
    return 0;
}
