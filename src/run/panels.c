/* The part of a report that an evaluation leaves in the run's folder: metrics, and what the task draws. It is made by the
 * process that has the predictions, and read by whoever writes the report. */
#include "run/run.h"

#include "base/file.h"
#include "metric/html.h"

#include <stdio.h>
#include <string.h>

static void add_metrics(gr__str *page, const gr_run *run, const gr_metric *m, int n)
{
    static const char *const head[] = {"measure", "value"};
    char text[64];
    snprintf(text, sizeof text, "After step %lld:", (long long)run->at.step);
    gr__html_section(page, "Evaluation");
    gr__html_paragraph(page, text);
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
    path = gr__path_join(run->out, GR__EVALUATION_FILE);
    status = path ? gr__file_write(path, page.text, page.n) : gr__fail_memory("a path", strlen(run->out));
done:
    gr__free(path);
    gr__str_release(&page);
    return status;
}
