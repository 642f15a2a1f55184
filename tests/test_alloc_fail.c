/* Out of memory at any moment: a small run (open, two steps, checkpoint, model folder, text from it), then the same
 * with the n-th allocation failing once, for as many n as there is time for. Always a status and a sentence, never a
 * crash or a leak, and the next try works. `test_alloc_fail N` tries that n alone. */
#include "tests/test.h"

#include "base/rng.h"
#include "gradus/stories.h"
#include "gradus/train.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_TRIALS = 400, SEED = 20 };

static atomic_long calls, fail_at; /* fail_at 0: never */
static long only;

static void *fragile(void *user, void *pointer, size_t old_size, size_t size, size_t alignment)
{
    (void)user;
    if (size == 0) {
        free(pointer);
        return NULL;
    }
    if (atomic_fetch_add(&calls, 1) + 1 == atomic_load(&fail_at)) return NULL;
    void *fresh = aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    if (fresh && pointer) {
        memcpy(fresh, pointer, old_size < size ? old_size : size);
        free(pointer);
    }
    return fresh;
}

static char *corpus;
static size_t corpus_bytes;
static const char *folder;

static const char *const text_run[] = {"model.layers=1",    "model.heads=2",      "model.width=8",
                                       "model.context=8",   "tokenizer.type=bpe", "tokenizer.vocab_size=264",
                                       "model.dropout=0.1", "train.accumulate=2", "train.ema=0.5",
                                       "train.batch=2",     "train.steps=2",      "train.dtype=bf16",
                                       "data.valid=0.2"};
static const char *const table_run[] = {"model.type=mlp",
                                        "model.hidden=[4]",
                                        "data.target=y",
                                        "data.valid=0.3",
                                        "train.batch=4",
                                        "train.steps=2",
                                        "train.lr={peak: 0.01, schedule: cosine}",
                                        "loss=huber"};

static const char *const clusters_run[] = {"model={type: kmeans, clusters: 3, starts: 2}", "data.target=y",
                                           "data.predict=class", "data.valid=0.3"};
static bool clusters; /* in place of the table */

static gr_status use_text_model(void)
{
    gr_model *m;
    char *text = NULL;
    gr_status s = gr_model_open(folder, &m);
    if (s != GR_OK) return s;
    s = gr_generate(m, "A", &(gr_generate_options){.max_tokens = 3}, NULL, NULL, &text, NULL);
    gr_text_free(text);
    gr_model_free(&m);
    return s;
}

/* 'again': the folder already holds a checkpoint to go on from. */
static gr_status whole(bool text, bool again)
{
    char table[256];
    snprintf(table, sizeof table, "%s.csv", folder);
    gr_run_options o = {.out = folder, .fresh = !again, .overrides = text ? text_run : table_run};
    o.n_overrides = text ? (int)(sizeof text_run / sizeof *text_run) : (int)(sizeof table_run / sizeof *table_run);
    if (clusters) o.overrides = clusters_run, o.n_overrides = (int)(sizeof clusters_run / sizeof *clusters_run);
    if (text) o.text = corpus, o.text_bytes = corpus_bytes;
    gr_run *run;
    gr_metric m[8];
    int n;
    char *plan;
    gr_status s = gr_run_open(text ? NULL : table, &o, &run);
    if (s != GR_OK) return s;
    s = gr_run_train(run, NULL);
    if (s == GR_OK) s = gr_run_evaluate(run, m, 8, &n);
    if (s == GR_OK) s = gr_run_print_plan(run, &plan);
    if (s == GR_OK) gr_text_free(plan);
    gr_run_close(&run);
    return s == GR_OK && text ? use_text_model() : s;
}

static gr_status measured(bool text, bool again, long failing, long *used)
{
    atomic_store(&calls, 0);
    atomic_store(&fail_at, failing);
    gr_status s = whole(text, again);
    atomic_store(&fail_at, 0);
    if (used) *used = atomic_load(&calls);
    return s;
}

static void trial(bool text, bool again, long n, size_t before, long *tolerated)
{
    gr_status s = measured(text, again, n, NULL);
    if (s != GR_OK && s != GR_ERR_MEMORY) fail_msg("allocation %ld: %s (%s)", n, gr_message(), gr_status_name(s));
    if (s != GR_OK && !*gr_message()) fail_msg("allocation %ld: no sentence", n);
    if (s == GR_OK) ++*tolerated;
    if (gr_memory_used_bytes() != before)
        fail_msg("allocation %ld: %zu bytes leak", n, gr_memory_used_bytes() - before);
}

static void every_allocation(void **state)
{
    bool text = *state == text_run;
    clusters = *state == clusters_run;
    gr__rng rng = gr__rng_make(SEED, text);
    for (int again = 0; again < 2; again++) {
        long total, tolerated = 0, trials = 0;
        assert_ok(measured(text, again, 0, NULL)); /* what the library keeps for good is there now */
        size_t before = gr_memory_used_bytes();
        assert_ok(measured(text, again, 0, &total));
        assert_int_equal(gr_memory_used_bytes(), before);
        double step = total > MOST_TRIALS / 4 ? (double)total / (MOST_TRIALS / 4) : 1;
        for (double at = 0; at < (double)total && !only; at += step, trials++)
            trial(text, again, (long)(at + step * gr__rng_uniform(&rng)) + 1, before, &tolerated);
        if (only) trial(text, again, only, before, &tolerated), trials++;
        printf("%s%s: %ld allocations, %ld of them failed (seed %d), %ld of these did not matter\n",
               text       ? "text"
               : clusters ? "clusters"
                          : "table",
               again ? " again" : "", total, trials, SEED, tolerated);
        assert_true(only || tolerated * 10 < trials);
        assert_ok(measured(text, again, 0, NULL));
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        {.name = "table", .test_func = every_allocation, .initial_state = NULL},
        {.name = "clusters", .test_func = every_allocation, .initial_state = (void *)clusters_run},
        {.name = "text", .test_func = every_allocation, .initial_state = (void *)text_run},
    };
    if (argc > 1) only = atol(argv[1]);
    folder = test_tmpdir();
    char path[256], rows[2048];
    size_t n = (size_t)snprintf(rows, sizeof rows, "a,b,y\n");
    for (int i = 0; i < 30; i++)
        n += (size_t)snprintf(rows + n, sizeof rows - n, "%d,%d,%d\n", i, i * i % 7, 2 * i % 5);
    snprintf(path, sizeof path, "%s.csv", folder);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(rows, 1, n, f) != n || fclose(f) != 0) return 1;
    gr_set_allocator(&(gr_allocator){.resize = fragile});
    if (gr_set_threads(2) != GR_OK ||
        gr_stories_write(&(gr_stories_options){.bytes = 1500}, &corpus, &corpus_bytes) != GR_OK)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    gr_stories_free(&corpus);
    remove(path);
    return failed;
}
