#include "task/task.h"

#include <string.h>

const gr__task_kind *const gr__tasks[] = {
#define GR_X(name) &gr__task_##name,
#include "task/tasks.def"
#undef GR_X
};
const size_t gr__n_tasks = GR__COUNT(gr__tasks);

/* What a kind of model is mostly trained for. */
static const gr__task_kind *task_for(const char *model)
{
    const gr__family *f;
    if (gr__family_find(model, &f) != GR_OK) return &gr__task_text_generation; /* which says that there is none */
    return f->kind == GR_MODEL_VECTOR        ? &gr__task_vector
           : f->kind == GR_MODEL_TABLE       ? &gr__task_table
           : f->kind == GR_MODEL_ENCODER     ? &gr__task_text_classification
           : f->kind == GR_MODEL_DETECTOR    ? &gr__task_object_detection
           : f->kind == GR_MODEL_GENERATOR   ? &gr__task_image_generation
           : f->kind == GR_MODEL_SPEECH      ? &gr__task_speech_recognition
           : f->kind == GR_MODEL_SERIES      ? &gr__task_forecasting
           : f->kind == GR_MODEL_RECOMMENDER ? &gr__task_recommendation
           : f->kind == GR_MODEL_FITTED      ? &gr__task_unsupervised
           : f->frames                       ? &gr__task_clip_classification
           : f->kind == GR_MODEL_PICTURE     ? &gr__task_image_classification
                                             : &gr__task_text_generation;
}

/* Rows of numbers are a table where a column of it is named as the target, for families that read tables too. */
static bool reads_tables(const char *model)
{
    const gr__family *f;
    return gr__family_find(model, &f) == GR_OK && f->build_table;
}

static gr_status unknown_task(const gr__conf *node, const char *const names[GR__COUNT(gr__tasks)])
{
    gr__str all = {0};
    const char *near = node->text ? gr__str_nearest(node->text, names, GR__COUNT(gr__tasks)) : NULL;
    for (size_t i = 0; i < GR__COUNT(gr__tasks); i++) gr__str_printf(&all, "%s'%s'", i ? ", " : "", names[i]);
    gr_status s =
        near ? gr__conf_fail(node, "unknown task '%s'; did you mean '%s'?", node->text, near)
             : gr__conf_fail(node, "unknown task '%s'; there are %s", node->text ? node->text : "", gr__str_get(&all));
    gr__str_release(&all);
    return s;
}

/* A table without a target is hardly meant as a text to be learnt letter by letter. */
static gr_status refuse_table(const gr__conf *root)
{
    static const char *const ends[] = {".csv", ".tsv", ".jsonl"};
    const gr__conf *data = gr__conf_find(root, "data"), *source = gr__conf_main(data, "source");
    for (size_t i = 0; i < GR__COUNT(ends) && source && source->text; i++)
        if (gr__str_ends_packed(source->text, ends[i]))
            return gr__conf_fail(
                data,
                "'%s' is a table and nothing says what to learn from it: --target COLUMN (data.target) "
                "is what to predict, task=text-classification reads labelled texts, "
                "task=text-generation learns its raw text; other tasks are named likewise",
                source->text);
    return GR_OK;
}

gr_status gr__task_find(const gr__conf *root, const gr__task_kind **out)
{
    const gr__conf *node = gr__conf_get(root, "task");
    const char *names[GR__COUNT(gr__tasks)], *model = gr__model_type(root, "gpt");
    if (!node) {
        bool table = gr__conf_find(root, "data.target") && (!gr__model_type(root, NULL) || reads_tables(model));
        *out = table ? &gr__task_table : task_for(model);
        return (*out)->language ? refuse_table(root) : GR_OK;
    }
    for (size_t i = 0; i < GR__COUNT(gr__tasks); i++) {
        names[i] = gr__tasks[i]->name;
        if (node->text && strcmp(node->text, gr__tasks[i]->name) == 0) {
            *out = gr__tasks[i];
            return GR_OK;
        }
    }
    return unknown_task(node, names);
}

gr_status gr__task_open(const gr__task_in *in, gr__task **out)
{
    const gr__task_kind *kind = NULL;
    const gr__conf *from = gr__conf_get(in->root, "from");
    GR_TRY(gr__task_find(in->root, &kind));
    if (!gr__conf_is_null(from) && !kind->begins)
        return gr__conf_fail_at_key(from, "the task '%s' cannot begin with a model's folder", kind->name);
    gr__task *t = gr__calloc(1, kind->bytes);
    if (!t) return gr__fail_memory("a task", kind->bytes);
    t->kind = kind;
    gr_status s = kind->open(t, in);
    if (s != GR_OK)
        gr__task_close(&t);
    else
        *out = t;
    return s;
}

gr_status gr__task_fill(gr__task *t, gr__split split, int64_t first, int64_t batch, gr_session *session)
{
    gr__inputs in;
    GR_TRY(gr__inputs_of(session, &in));
    t->kind->fill(t, split, first, batch, &in);
    gr__inputs_release(&in);
    return GR_OK;
}

void gr__task_close(gr__task **t)
{
    if (!t || !*t) return;
    (*t)->kind->close(*t);
    gr_model_free(&(*t)->model);
    gr__arena_release(&(*t)->arena);
    gr__free(*t);
    *t = NULL;
}
