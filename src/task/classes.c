#include "task/classes.h"

#include "base/log.h"
#include "data/split.h"

gr_status gr__classes_split(const int32_t *label, int64_t n, int64_t classes, double share, uint64_t seed,
                            uint8_t *valid)
{
    int64_t train, *row = gr__alloc((size_t)(n + 1) * sizeof *row);
    if (!row) return gr__fail_memory("a list of samples", (size_t)n * sizeof *row);
    for (int64_t i = 0; i < n; i++) row[i] = i;
    gr_status status = gr__split_rows(&(gr__split_options){.valid = share}, seed, label, classes, row, n, &train);
    for (int64_t i = 0; i < n && status == GR_OK; i++) valid[row[i]] = i >= train;
    gr__free(row);
    return status;
}

gr_status gr__classes_left(const gr__conf_strings *names, const int64_t *count, const char *source, const char *what)
{
    size_t there = 0, last = 0;
    for (size_t k = 0; k < names->n; k++)
        if (count[k]) there++, last = k;
    for (size_t k = 0; k < names->n && there < names->n; k++)
        if (!count[k])
            gr__log(GR_LOG_WARNING, "'%s': the class '%.100s' has no %s that can be read", source, names->item[k],
                    what);
    GR_FAIL_IF(there < 2 && names->n > 1, GR_ERR_DATA,
               "'%s': all %lld %s that can be read have the class '%.100s'; there is nothing to tell apart", source,
               (long long)count[last], what, names->item[last]);
    return GR_OK;
}

gr_status gr__classes_model(const gr__task_in *in, const gr__facts *facts, const char *what, gr__arena *arena,
                            gr_model **out)
{
    const char *standard = facts->frames ? "clip" : "resnet";
    const gr__family *family;
    GR_TRY(gr__model_default(in->root, standard, arena));
    if (gr__family_find(gr__model_type(in->root, standard), &family) == GR_OK &&
        (family->kind != GR_MODEL_PICTURE || (family->frames != NULL) != (facts->frames > 0)))
        return gr__conf_fail(gr__conf_find(in->root, "model"), "model '%s' does not %s; use %s", family->name, what,
                             facts->frames ? "'clip'" : "'resnet', 'lenet' or 'layers'");
    return gr__model_new(gr__conf_get(in->root, "model"), facts, NULL, out);
}

gr_status gr__classes_build(gr_graph *g, gr_value logits, int64_t batch, bool train, double smoothing,
                            const char *program, gr_loss *out)
{
    gr_value targets = gr_input(g, "targets", GR_I32, 1, &batch);
    *out = gr_loss_cross_entropy(g, logits, targets, &(gr_loss_options){.label_smoothing = train ? smoothing : 0});
    if (!train) gr_output(g, program, "probability", gr_softmax(g, logits));
    return gr_graph_status(g);
}

void gr__classes_score(gr__label_score *scores, int64_t first, int64_t n, gr_session *session)
{
    gr_tensor said, targets;
    if (gr_session_output(session, "probability", &said) != GR_OK ||
        gr_session_input(session, "targets", &targets) != GR_OK)
        return;
    if (first == 0) gr__label_score_clear(scores);
    gr__label_score_add_rows(scores, said.data, targets.data, first, n);
}
