/* Inside of the benchmark cases. A case is a file bench_NAME.c with its row, and a line in bench.c. */
#ifndef GR__BENCH_INT_H
#define GR__BENCH_INT_H

#include "gradus/bench.h"
#include "gradus/model.h"
#include "base/status.h"

typedef struct gr__bench_case {
    const char *name, *summary;
    gr_bench_options defaults; /* numbers for the fields that are zero */
    /* Fills b->info and what 'run' needs; what it made is released by gr_bench_close() after a failure too. */
    gr_status (*open)(gr_bench *b);
    gr_status (*run)(gr_bench *b);
    void (*close)(gr_bench *b); /* NULL: nothing of its own */
} gr__bench_case;

struct gr_bench {
    const gr__bench_case *kind;
    gr_bench_options o;
    gr_bench_info info;
    gr_model *model; /* owns the store of the language model; NULL: 'own_store' is used */
    gr_store *own_store;
    gr_graph *graph;
    gr_plan *plan;
    gr_session *session;
    int64_t update;
    void *own; /* of the case */
};

extern const gr__bench_case gr__bench_step, gr__bench_mlp, gr__bench_loss, gr__bench_attention, gr__bench_adamw,
    gr__bench_gemm, gr__bench_bert, gr__bench_rnn, gr__bench_resnet, gr__bench_cnn, gr__bench_csv;

/* Compiles program 'step' of b->graph, makes its states and the session; fills what the plan knows of b->info. */
gr_status gr__bench_compile(gr_bench *b);
/* One run of that session at learning rate 1e-4. */
gr_status gr__bench_run_session(gr_bench *b);

/* ids[i] = splitmix64(stream * 2^32 + i) mod below, as `ids` of bench/peers/peer.py. */
void gr__bench_ids(int32_t *ids, int64_t n, int64_t below, uint64_t stream);
/* n elements from [-scale, scale). GR_F32 or GR_BF16. */
void gr__bench_fill(void *data, gr_dtype dtype, int64_t n, float scale, uint64_t stream);
/* The same into an input of the session. */
gr_status gr__bench_fill_input(gr_bench *b, const char *name, float scale, uint64_t stream);
gr_status gr__bench_ids_input(gr_bench *b, const char *name, int64_t below);

/* AdamW with the settings of the peers, appended to program 'step'. */
gr_status gr__bench_adamw_update(gr_graph *g, const gr_value *params, const gr_value *grads, int n, gr_value weight);
/* The parameters of b->graph, in fresh memory for gr__free(). */
gr_status gr__bench_params(gr_bench *b, gr_value **out, int *n);
/* GPT-2 of the options with random weights, as b->model. */
gr_status gr__bench_make_gpt(gr_bench *b);

#endif
