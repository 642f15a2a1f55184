/* The part of a report that an evaluation leaves in the run's folder: metrics, and what the task draws. It is made by the
 * process that has the predictions, and read by whoever writes the report. */
#include "run/run.h"

#include "base/file.h"
#include "metric/html.h"

#include <stdio.h>
#include <string.h>

/* What was measured: a page that is read later, or elsewhere, is to say it itself. */
static void add_origin(gr__str *page, const gr_run *run)
{
    static const char *const keys[] = {"valid_source", "test_source", "source"};
    const gr__conf *data = gr__conf_find(run->root, "data"), *source = NULL;
    gr__str text = {0};
    size_t i = 0;
    for (; i < GR__COUNT(keys) && (!source || !source->text); i++)
        source = strcmp(keys[i], "source") == 0 ? gr__conf_main(data, keys[i]) : gr__conf_get(data, keys[i]);
    gr__str_printf(&text, "After step %lld", (long long)run->at.step);
    if (source && source->text)
        gr__str_printf(&text, ", on %s'%s'", i == GR__COUNT(keys) ? "the validation part of " : "", source->text);
    if (!run->trains && *run->said) gr__str_printf(&text, ", with settings that are not the run's own: %s", run->said);
    gr__str_add(&text, ":");
    gr__html_paragraph(page, gr__str_get(&text));
    if (text.failed) page->failed = true;
    gr__str_release(&text);
}

static void add_metrics(gr__str *page, const gr_run *run, const gr_metric *m, int n)
{
    static const char *const head[] = {"measure", "value"};
    char text[64];
    gr__html_section(page, "Evaluation");
    add_origin(page, run);
    gr__html_table_begin(page, head, 2);
    for (int i = 0; i < n; i++) {
        snprintf(text, sizeof text, "%.5g", m[i].value);
        gr__html_table_row(page, (const char *[]){m[i].name, text}, 2);
    }
    gr__html_table_end(page);
}

gr_status gr__run_write_panels(gr_run *run, const gr_metric *metrics, int n)
{
    gr__str page = {0};
    char *path = NULL;
    gr_status status = GR_OK;
    if (!run->out || n == 0 || !gr__file_exists(run->out)) return GR_OK;
    add_metrics(&page, run, metrics, n);
    if (run->task->kind->panels) GR_TRY_DONE(run->task->kind->panels(run->task, &page));
    GR_TRY_DONE(gr__str_check(&page));
    path = gr__path_join(run->out, !run->trains && *run->said ? GR__OTHER_EVALUATION_FILE : GR__EVALUATION_FILE);
    status = path ? gr__file_write(path, page.text, page.n) : gr__fail_memory("a path", strlen(run->out));
done:
    gr__free(path);
    gr__str_release(&page);
    return status;
}
