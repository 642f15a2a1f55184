/* A GPT on small stories of our own making: shuffled batches, cross-entropy, Adam 1e-4, 10 epochs; then it tells one.
 *
 *   story_gpt [key=value ...]            story_gpt train.epochs=1
 *
 * The text is given from memory and the configuration as settings. The same as YAML: gradus train story_gpt.yaml */
#include <gradus/stories.h>
#include <gradus/train.h>

#include <stdio.h>
#include <stdlib.h>

static void try(gr_status status)
{
    if (status == GR_OK) return;
    fprintf(stderr, "story_gpt: %s\n", gr_message());
    exit(1);
}

static void show_loss(gr_run *run, const char *when)
{
    gr_metric metric[4]; /* loss, perplexity, bits_per_byte of the text kept for validation */
    int n;
    try(gr_run_evaluate(run, metric, 4, &n));
    printf("%s", when);
    for (int i = 0; i < n; i++) printf("  %s %.4f", metric[i].name, metric[i].value);
    printf("\n");
}

int main(int argc, char **argv)
{
    const char *set[64] = {
        "tokenizer.type=bpe", "tokenizer.vocab_size=1024", "model.type=gpt",   "model.layers=4",
        "model.heads=4",      "model.width=128",           "model.context=64", "train.batch=8",
        "train.epochs=10",    "train.optimizer=adam",      "train.lr=1e-4",    "train.lr.schedule=constant"};
    int n = 12;
    for (int i = 1; i < argc && n < 64; i++) set[n++] = argv[i]; /* the later one wins */
    char *text;
    size_t bytes;
    try(gr_stories_write(&(gr_stories_options){.bytes = 300000}, &text, &bytes));

    gr_run *run;
    try(gr_run_open(
        NULL,
        &(gr_run_options){.text = text, .text_bytes = bytes, .overrides = set, .n_overrides = n, .no_write = true},
        &run));
    gr_stories_free(&text);
    show_loss(run, "before");
    try(gr_run_train(run, NULL));
    show_loss(run, "after ");

    char *story;
    try(gr_generate(gr_run_model(run), "", &(gr_generate_options){.max_tokens = 60, .temperature = 0.8}, NULL, NULL,
                    &story, NULL));
    printf("%s\n", story);
    gr_text_free(story);
    gr_run_close(&run);
    return 0;
}
