/* train.deterministic=strict: the same weights, bit for bit, whatever the number of threads and, in f32, the instruction
 * set. */
#include "tests/test.h"

#include "base/blake2b.h"
#include "gradus/store.h"
#include "gradus/train.h"
#include "kernel/cpu.h"

#include <string.h>

enum { TEXT = 6000 };

static const char *const gpt[] = {"tokenizer.type=char", "model.layers=2",
                                  "model.heads=2",       "model.width=48",
                                  "model.context=40",    "model.dropout=0.1",
                                  "train.batch=3",       "train.steps=3",
                                  "train.lr=0.01",       "train.seed=5",
                                  "train.clip=0.5",      "data.valid=0.1",
                                  "train.accumulate=2",  NULL};
static const char *const llama[] = {"tokenizer.type=char",
                                    "model.type=llama",
                                    "model.layers=1",
                                    "model.heads=4",
                                    "model.kv_heads=2",
                                    "model.width=64",
                                    "model.context=70",
                                    "train.batch=2",
                                    "train.steps=3",
                                    "train.lr=0.01",
                                    "train.seed=7",
                                    "data.valid=0.1",
                                    NULL};

#define RECURRENT(cell)                                                                                   \
    {                                                                                                     \
        "tokenizer.type=char", "model.type=rnn", "model.cell=" cell, "model.layers=2", "model.width=40",  \
            "model.hidden=70", "model.context=30", "model.tied=false", "train.batch=17", "train.steps=3", \
            "train.lr=0.01", "train.seed=3", "data.valid=0.1", NULL                                       \
    }
static const char *const lstm[] = RECURRENT("lstm"), *const gru[] = RECURRENT("gru");

static const char *text(void)
{
    static char t[TEXT];
    for (size_t i = 0; i + 1 < sizeof t; i++) t[i] = (char)('a' + (i * i / 7 + i / 3) % 23);
    return t;
}

typedef struct digest {
    unsigned char byte[GR__BLAKE2B_BYTES];
} digest;

/* Of all states after the training. */
static digest train(const char *const *set, const char *mode, const char *dtype, int level, int threads)
{
    const char *all[32];
    int n = 0;
    while (set[n]) all[n] = set[n], n++;
    all[n++] = mode;
    all[n++] = dtype;
    gr_run *run;
    gr_run_options o = {.overrides = all, .n_overrides = n, .no_write = true, .text = text(), .text_bytes = TEXT - 1};
    gr__cpu_set_level(level);
    assert_ok(gr_set_threads(threads));
    assert_ok(gr_run_open(NULL, &o, &run));
    assert_ok(gr_run_train(run, NULL));
    const gr_store *store = gr_model_store(gr_run_model(run));
    gr__blake2b state;
    digest d;
    gr_tensor t;
    gr__blake2b_init(&state);
    for (size_t i = 0; gr_store_at(store, i, NULL, &t); i++) gr__blake2b_add(&state, t.data, gr_tensor_size_bytes(&t));
    gr__blake2b_end(&state, d.byte);
    gr_run_close(&run);
    return d;
}

static bool same(digest a, digest b) { return memcmp(a.byte, b.byte, sizeof a.byte) == 0; }

static void any_processor(const char *const *set)
{
    static const int threads[] = {1, 2, 4};
    int best = gr__cpu()->best;
    digest first = train(set, "train.deterministic=strict", "train.dtype=f32", best, 1);
    for (int level = 0; level <= best; level++)
        for (size_t i = level == GR__CPU_GENERIC; i < GR__COUNT(threads) - (level == GR__CPU_GENERIC);
             i++) /* slow there */
            if (!same(train(set, "train.deterministic=strict", "train.dtype=f32", level, threads[i]), first))
                fail_msg("other weights at level %s with %d threads", gr__cpu_level_name(level), threads[i]);
    gr__cpu_set_level(best);
}

static void gpt_on_any_processor(void **state)
{
    (void)state;
    any_processor(gpt);
}

static void llama_on_any_processor(void **state)
{
    (void)state;
    any_processor(llama);
}

static void lstm_on_any_processor(void **state)
{
    (void)state;
    any_processor(lstm);
}

static void gru_on_any_processor(void **state)
{
    (void)state;
    any_processor(gru);
}

static void bf16_with_any_threads(void **state)
{
    (void)state;
    int best = gr__cpu()->best;
    digest first = train(gpt, "train.deterministic=strict", "train.dtype=bf16", best, 1);
    assert_true(same(first, train(gpt, "train.deterministic=strict", "train.dtype=bf16", best, 2)));
    assert_true(same(first, train(gpt, "train.deterministic=strict", "train.dtype=bf16", best, 3)));
    assert_false(same(first, train(gpt, "train.deterministic=strict", "train.dtype=f32", best, 1)));
}

static void default_from_run_to_run(void **state)
{
    (void)state;
    int best = gr__cpu()->best;
    digest first = train(gpt, "train.deterministic=default", "train.dtype=f32", best, 2);
    assert_true(same(first, train(gpt, "train.deterministic=default", "train.dtype=f32", best, 2)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gpt_on_any_processor),  cmocka_unit_test(llama_on_any_processor),
        cmocka_unit_test(lstm_on_any_processor), cmocka_unit_test(gru_on_any_processor),
        cmocka_unit_test(bf16_with_any_threads), cmocka_unit_test(default_from_run_to_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
