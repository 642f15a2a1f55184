/* Help on configurations, printed from the same rows that read them. */
#include "gradus/tools.h"

#include "data/matrix.h"
#include "data/table.h"
#include "run/run.h"
#include "task/points.h"

#include <string.h>

enum { MOST_SECTIONS = 128 };

typedef struct gr__listed {
    gr__conf_section section;
    const char *only; /* "model type gpt"; NULL: always */
} gr__listed;

static size_t list_sections(gr__listed out[MOST_SECTIONS])
{
    size_t n = 0;
    out[n++] = (gr__listed){gr__root_section, NULL};
    for (size_t t = 0; t < gr__n_tasks; t++)
        for (size_t i = 0; i < gr__tasks[t]->n_sections && n < MOST_SECTIONS; i++)
            out[n++] = (gr__listed){gr__tasks[t]->sections[i], gr__tasks[t]->name};
    if (n < MOST_SECTIONS)
        out[n++] = (gr__listed){{"data", gr__matrix_rows, gr__n_matrix_rows, "rows of numbers"}, gr__task_vector.name};
    const gr__listed table[] = {
        {{"data", gr__table_rows, gr__n_table_rows, "a path alone is the source"}, gr__task_table.name},
        {{"data.columns", gr__table_column_rows, gr__n_table_column_rows,
          "of one column, under its name; a word alone is the type"},
         gr__task_table.name},
        {{"data", gr__point_rows, gr__n_point_rows,
          "of pictures; of a CSV file as for the task 'table', without need of a target"},
         gr__task_unsupervised.name},
    };
    for (size_t i = 0; i < GR__COUNT(table) && n < MOST_SECTIONS; i++) out[n++] = table[i];
    for (int f = 0; f < gr__n_families && n < MOST_SECTIONS; f++)
        out[n++] = (gr__listed){{"model", gr__families[f]->rows, gr__families[f]->n_rows, gr__families[f]->summary},
                                gr__families[f]->name};
    for (size_t i = 0; i < gr__n_settings_sections && n < MOST_SECTIONS; i++)
        out[n++] = (gr__listed){gr__settings_sections[i], NULL};
    return n;
}

bool gr__task_has_key(const gr__task_kind *kind, const char *section, const char *key)
{
    gr__listed l[MOST_SECTIONS];
    size_t n = list_sections(l);
    for (size_t i = 0; i < n; i++) {
        const gr__conf_section *s = &l[i].section;
        if (!l[i].only || strcmp(l[i].only, kind->name) != 0 || strcmp(s->path, section) != 0) continue;
        for (size_t k = 0; k < s->n; k++)
            if (strcmp(s->rows[k].key, key) == 0) return true;
    }
    return false;
}

/* "    steps               an integer of at least 0 (default 0)" and the line of help below it. */
static void add_row(gr__str *s, const gr__conf_row *row)
{
    gr__str what = {0};
    gr__conf_describe(row, &what);
    gr__str_printf(s, "  %-18s %s\n", row->key, row->doc);
    gr__str_printf(s, "  %-18s   %s", "", gr__str_get(&what));
    if (row->flags & GR__CONF_REQUIRED)
        gr__str_add(s, "; required");
    else if (row->default_text)
        gr__str_printf(s, "; default %s", *row->default_text ? row->default_text : "''");
    gr__str_add(s, "\n");
    if (what.failed) s->failed = true;
    gr__str_release(&what);
}

static void add_heading(gr__str *s, const gr__listed *l)
{
    bool model = strcmp(l->section.path, "model") == 0;
    gr__str_add(s, *l->section.path ? l->section.path : "(root)");
    if (model)
        gr__str_printf(s, ": {type: %s}", l->only);
    else if (l->only)
        gr__str_printf(s, " (task %s)", l->only);
    gr__str_printf(s, ": %s\n", l->section.doc);
}

static void add_section(gr__str *s, const gr__listed *l)
{
    add_heading(s, l);
    for (size_t i = 0; i < l->section.n; i++) add_row(s, &l->section.rows[i]);
    gr__str_add(s, "\n");
}

/* "train" takes "train.lr" too. */
static bool is_wanted(const char *section, const char *path)
{
    size_t n = section ? strlen(section) : 0;
    return !section || (strncmp(path, section, n) == 0 && (path[n] == 0 || path[n] == '.'));
}

/* The key itself where 'path' names one, as "train.lr.peak", with each section that has it; how many there are. */
static size_t add_key(gr__str *s, const char *path, const gr__listed *l, size_t n)
{
    const char *dot = strrchr(path, '.'), *key = dot ? dot + 1 : path;
    size_t found = 0, length = dot ? (size_t)(dot - path) : 0;
    for (size_t i = 0; i < n; i++) {
        const gr__conf_section *c = &l[i].section;
        if (strlen(c->path) != length || strncmp(c->path, path, length) != 0) continue;
        for (const gr__conf_row *row = c->rows; row < c->rows + c->n; row++) {
            if (strcmp(row->key, key) != 0) continue;
            add_heading(s, &l[i]);
            add_row(s, row);
            gr__str_add(s, "\n");
            found++;
        }
    }
    return found;
}

static gr_status unknown_section(const char *section, const gr__listed *l, size_t n)
{
    const char *names[MOST_SECTIONS];
    for (size_t i = 0; i < n; i++) names[i] = l[i].section.path;
    const char *near = gr__str_nearest(section, names, n);
    return near && *near
               ? gr__fail(GR_ERR_NOT_FOUND, "the configuration has no section '%s'; did you mean '%s'?", section, near)
               : gr__fail(GR_ERR_NOT_FOUND,
                          "the configuration has no section '%s'; there are data, tokenizer, model, loss, train",
                          section);
}

gr_status gr_config_help(const char *section, char **out)
{
    GR_FAIL_IF(!out, GR_ERR_ARGUMENT, "gr_config_help: an argument is NULL");
    gr__listed l[MOST_SECTIONS];
    size_t n = list_sections(l), wanted = 0;
    gr__str s = {0};
    for (size_t i = 0; i < n; i++)
        if (is_wanted(section, l[i].section.path)) wanted++, add_section(&s, &l[i]);
    if (wanted == 0) wanted = add_key(&s, section, l, n);
    gr_status status = gr__str_check(&s);
    if (status == GR_OK && wanted == 0) status = unknown_section(section, l, n);
    if (status == GR_OK && !(*out = gr__strdup(gr__str_get(&s)))) status = gr__fail_memory("help", s.n);
    gr__str_release(&s);
    return status;
}

/* ---- what stands for the keys that a run does not give ---- */

/* Sections that say nothing by being absent. */
static bool is_optional(const char *path)
{
    return strchr(path, '.') && strcmp(path, "train.lr") != 0 && strcmp(path, "train.optimizer") != 0;
}

static bool is_of(const gr_run *run, const gr__listed *l)
{
    bool model = strcmp(l->section.path, "model") == 0;
    return !l->only || strcmp(l->only, model ? run->task->model->family->name : run->task->kind->name) == 0;
}

gr_status gr_run_defaults(const gr_run *run, char **out)
{
    GR_FAIL_IF(!run || !out, GR_ERR_ARGUMENT, "gr_run_defaults: an argument is NULL");
    gr__listed l[MOST_SECTIONS];
    gr__str s = {0};
    size_t n = list_sections(l);
    for (size_t i = 0; i < n; i++) {
        const char *path = l[i].section.path;
        const gr__conf *section = *path ? gr__conf_find(run->root, path) : run->root;
        if (!is_of(run, &l[i]) || (!section && is_optional(path))) continue;
        for (const gr__conf_row *row = l[i].section.rows; row < l[i].section.rows + l[i].section.n; row++)
            if (row->default_text && !gr__conf_given(section, row))
                gr__str_printf(&s, "%s%s%s: %s\n", path, *path ? "." : "", row->key,
                               *row->default_text ? row->default_text : "\"\"");
    }
    gr_status status = gr__str_check(&s);
    if (status == GR_OK && !(*out = gr__strdup(gr__str_get(&s)))) status = gr__fail_memory("defaults", s.n);
    gr__str_release(&s);
    return status;
}
