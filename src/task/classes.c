#include "task/classes.h"

#include "base/rng.h"

#include <math.h>

gr_status gr__classes_open(gr__classes *c, int64_t n, gr__arena *arena)
{
    c->n = n;
    GR_TRY(gr_confusion_new((int32_t)n, &c->confusion));
    if (n > 5) GR_TRY(gr_probability_new((int32_t)n, NULL, &c->probability));
    c->row = gr__arena_alloc(arena, (size_t)n * sizeof *c->row);
    return c->row ? GR_OK : gr__fail_memory("probabilities", (size_t)n * sizeof *c->row);
}

void gr__classes_close(gr__classes *c)
{
    gr_confusion_free(&c->confusion);
    gr_probability_free(&c->probability);
}

gr_status gr__classes_split(const int32_t *label, int64_t n, int64_t classes, double share, uint64_t seed,
                            uint8_t *valid)
{
    int64_t *of_class = gr__calloc(2 * (size_t)classes, sizeof *of_class), *seen = of_class + classes;
    if (!of_class) return gr__fail_memory("a list of classes", 16 * (size_t)classes);
    for (int64_t i = 0; i < n; i++) of_class[label[i]]++;
    for (int64_t i = 0; i < n; i++) {
        int32_t k = label[i];
        uint64_t key = gr__rng_key(seed, 0x7369676874000000u + (uint64_t)k);
        int64_t place = (int64_t)gr__permute(key, (uint64_t)of_class[k], (uint64_t)seen[k]++);
        valid[i] = place < llround(share * (double)of_class[k]);
    }
    gr__free(of_class);
    return GR_OK;
}

gr_status gr__classes_model(const gr__task_in *in, const gr__facts *facts, const char *what, gr__arena *arena,
                            gr_model **out)
{
    const gr__conf *section = gr__conf_get(in->root, "model");
    const gr__family *family;
    if (!section || (section->kind == GR__CONF_MAP && !gr__conf_get(section, "type")))
        GR_TRY(gr__conf_set(in->root, "model.type", "resnet", arena));
    if (gr__family_find(gr__model_type(in->root, "resnet"), &family) == GR_OK && family->kind != GR__KIND_PICTURE)
        return gr__conf_fail(gr__conf_find(in->root, "model"),
                             "model '%s' does not %s; use 'resnet', 'lenet' or 'layers'", family->name, what);
    return gr__model_new(gr__conf_get(in->root, "model"), facts, NULL, out);
}

gr_status gr__classes_build(const gr__classes *c, gr_graph *g, gr_value logits, int64_t batch, bool train,
                            double smoothing, const char *program, gr_loss *out)
{
    gr_value targets = gr_input(g, "targets", GR_I32, 1, &batch);
    *out = gr_loss_cross_entropy(g, logits, targets, &(gr_loss_options){.label_smoothing = train ? smoothing : 0});
    if (!train) gr_output(g, program, "prediction", gr_argmax(g, logits));
    if (!train && c->probability) gr_output(g, program, "probability", gr_softmax(g, logits));
    return gr_graph_status(g);
}

void gr__classes_score(gr__classes *c, bool first, const int32_t *label, int64_t n, gr_session *session)
{
    gr_tensor said, all = {0};
    if (gr_session_output(session, "prediction", &said) != GR_OK) return;
    if (c->probability && gr_session_output(session, "probability", &all) != GR_OK) return;
    if (first) {
        gr_confusion_clear(c->confusion);
        if (c->probability) {
            gr_probability_free(&c->probability);
            if (gr_probability_new((int32_t)c->n, NULL, &c->probability) != GR_OK) return;
        }
    }
    for (int64_t i = 0; i < n; i++) {
        if (label[i] < 0) continue; /* it could not be read any more */
        if (gr_confusion_update(c->confusion, label + i, (const int32_t *)said.data + i, 1) != GR_OK) return;
        for (int64_t k = 0; k < c->n && c->probability; k++) c->row[k] = gr_tensor_get(&all, i * c->n + k);
        if (c->probability && gr_probability_update(c->probability, c->row, label + i, 1) != GR_OK) return;
    }
}

int gr__classes_finish(const gr__classes *c, gr_metric *out, int capacity)
{
    gr_confusion_scores all;
    gr_probability_scores top = {0};
    gr_confusion_result(c->confusion, &all);
    if (c->probability) gr_probability_result(c->probability, &top);
    const gr_metric m[] = {{"accuracy", all.accuracy}, {"macro_f1", all.macro.f1}, {"top5", top.top_k}};
    int n = c->probability ? 3 : 2;
    for (int i = 0; i < n && i < capacity; i++) out[i] = m[i];
    return n;
}
