#include "data/table_int.h"

#include "base/spill.h"

#include <stdio.h>
#include <string.h>

static const char *const headers[] = {"auto", "yes", "no", NULL}, *const predicts[] = {"auto", "number", "class", NULL};

/* ORDER BALANCE */
static const char *const balances[] = {"none", "over", "under", "smote", NULL};

#define AT(field) offsetof(gr__table_options, field)
const gr__conf_row gr__table_rows[] = {
    {"source", GR__CONF_STRING, AT(source), 0, 0, NULL, NULL, "a CSV file (.gz is read too)",
     GR__CONF_MAIN | GR__CONF_REQUIRED},
    {"target", GR__CONF_STRING, AT(target), 0, 0, NULL, NULL,
     "the column to predict (name, or number from 0); required but for the task 'unsupervised', which only compares with it",
     0},
    {"test_source", GR__CONF_STRING, AT(test_source), 0, 0, NULL, NULL,
     "the same for validation; default: a part of 'source'", 0},
    GR__SPLIT_ROWS(AT(split)),
    {"header", GR__CONF_ENUM, AT(header), 0, 0, headers, "auto", "whether the first row holds names", 0},
    {"skip_bad", GR__CONF_BOOL, AT(skip_bad), 0, 0, NULL, "false",
     "leave out rows that cannot be read or have another number of fields; default: the first one is an error", 0},
    {"names", GR__CONF_STRING_LIST, AT(names), 0, 0, NULL, NULL, "of the columns, where there is no header", 0},
    {"ignore", GR__CONF_STRING_LIST, AT(ignore), 0, 0, NULL, NULL, "columns to leave out", 0},
    {"predict", GR__CONF_ENUM, AT(predict), 0, 0, predicts, "auto",
     "what the target is; auto: a class where it is text or has two values", 0},
    {"log_target", GR__CONF_BOOL, AT(log_target), 0, 0, NULL, "false",
     "learn sign(y)*log(1 + |y|); metrics stay on the scale of the file", 0},
    {"strip", GR__CONF_STRING, AT(strip), 0, 0, NULL, NULL, "characters to take off the end of the target's cells", 0},
    {"balance", GR__CONF_ENUM, AT(balance), 0, 0, balances, "none",
     "as many training rows of each class: over: rare ones come more often; under: frequent ones less; smote: new ones between "
     "rare ones",
     0},
    {"all", GR__CONF_SECTION, AT(all), 0, 0, NULL, NULL, "what holds for every column, see data.columns", 0},
    {"columns", GR__CONF_SECTION, AT(columns), 0, 0, NULL, NULL,
     "NAME: {type: number, log: true}, NAME: ignore, ...; the rest is inferred", 0},
};
const size_t gr__n_table_rows = GR__COUNT(gr__table_rows);

/* ---- names ---- */

/* All but the one at 'without'. */
static void give_names(const gr__conf_strings *names, gr__csv_table *csv, size_t without)
{
    size_t at = 0;
    for (size_t i = 0; i < names->n; i++)
        if (i != without) csv->name[at++] = names->item[i];
}

static gr_status read_named(const gr__table_options *o, const gr__conf *section, const char *path, gr__csv_table *out)
{
    gr__csv_options c = {.header = o->names.n && o->header == GR__CSV_SNIFF ? GR__CSV_NO : (gr__csv_choice)o->header,
                         .named = o->target,
                         .skip_bad = o->skip_bad,
                         .may_stay = true};
    GR_TRY(gr__csv_read(path, &c, out));
    GR_FAIL_IF(out->rows == 0, GR_ERR_DATA, "'%s' has no rows", path);
    if (o->names.n == 0) return GR_OK;
    if (o->names.n != out->columns)
        return gr__conf_fail(gr__conf_get(section, "names"), "data.names has %zu names, '%s' has %zu columns",
                             o->names.n, path, out->columns);
    give_names(&o->names, out, SIZE_MAX);
    return GR_OK;
}

/* ---- split ---- */

static gr_status split(gr__table_work *w, uint64_t seed)
{
    w->n_train = w->n_rows;
    if (w->o->test_source) return GR_OK;
    GR_TRY(
        gr__split_rows(&w->o->split, seed, w->class, gr__columns_classes(w->columns), w->row, w->n_rows, &w->n_train));
    w->n_valid = w->n_rows - w->n_train;
    return GR_OK;
}

/* ---- cells ---- */

gr_status gr__table_part_new(const gr__columns *c, int64_t n, gr__table_part *out)
{
    size_t numbers = (size_t)gr__columns_numbers(c), codes = (size_t)gr__columns_codes(c), rows = (size_t)n + 1, all;
    *out = (gr__table_part){.n = n, .line = gr__spill_new(rows, sizeof *out->line)};
    if (!gr__mul_size(rows, (numbers + codes + 4) * sizeof(float), &all)) return gr__fail_memory("a table", SIZE_MAX);
    out->numbers = gr__spill_new(rows * numbers + 1, sizeof *out->numbers);
    out->codes = gr__spill_new(rows * codes + 1, sizeof *out->codes);
    out->number = gr__spill_new(rows, sizeof *out->number);
    out->class = gr__spill_new(rows, sizeof *out->class);
    return out->line && out->numbers && out->codes && out->number && out->class ? GR_OK
                                                                                : gr__fail_memory("a table", all);
}

void gr__table_part_release(gr__table_part *p)
{
    gr__spill_free(p->line);
    gr__spill_free(p->numbers);
    gr__spill_free(p->codes);
    gr__spill_free(p->number);
    gr__spill_free(p->class);
    *p = (gr__table_part){0};
}

static void note(gr__table_oddities *odd, gr__cell_fate fate, const gr__column *c, const gr__cell *cell, int64_t line)
{
    gr__table_odd *o = fate == GR__CELL_BAD ? &odd->bad : fate == GR__CELL_UNKNOWN ? &odd->unknown : &odd->missing;
    if (o->count++) return;
    o->line = line;
    o->column = c->name;
    size_t n;
    const char *text = gr__cell_trimmed(cell, &n);
    snprintf(o->text, sizeof o->text, "%.*s", (int)GR__MIN(n, 60), text);
}

static gr_status bad_target(const gr__columns *c, const gr__csv_table *csv, int64_t row, size_t column,
                            gr__cell_fate fate)
{
    const char *text = gr__csv_table_cell(csv, row, column)->text, *name = csv->name[column];
    long long line = (long long)csv->line[row];
    if (fate == GR__CELL_MISSING)
        return gr__fail(GR_ERR_DATA, "%s:%lld: column '%s', the target, is missing", csv->path, line, name);
    double v;
    if (fate == GR__CELL_BAD && gr__cell_number(gr__csv_table_cell(csv, row, column), csv->decimal_comma, &v))
        return gr__csv_too_large(csv->path, line, name, v, GR__CSV_MOST_SCALED);
    if (fate == GR__CELL_BAD)
        return gr__fail(GR_ERR_DATA, "%s:%lld: '%.60s' in column '%s', the target, is not a number", csv->path, line,
                        text, name);
    const char *near = gr__str_nearest(text, c->target.words.item, c->target.words.n);
    return gr__fail(GR_ERR_DATA, "%s:%lld: no row for training has the class '%.60s' in column '%s'%s%s%s", csv->path,
                    line, text, name, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

gr_status gr__table_encode(const gr__columns *c, const gr__csv_table *csv, const size_t *column, size_t target,
                           const int64_t *row, int64_t n, gr__table_part *out, gr__table_oddities *odd)
{
    gr__table_oddities none = {0};
    GR_TRY(gr__table_part_new(c, n, out));
    float *numbers = out->numbers;
    int32_t *codes = out->codes;
    for (int64_t i = 0; i < n; i++) {
        int64_t r = row ? row[i] : i;
        out->line[i] = csv->line[r];
        out->class[i] = -1;
        for (size_t k = 0; k < c->n; k++) {
            const gr__cell *cell = gr__csv_table_cell(csv, r, column[k]);
            gr__cell_fate fate = gr__column_take(&c->item[k], cell, csv->decimal_comma, &numbers, &codes);
            double v;
            if (fate == GR__CELL_BAD && !odd && gr__cell_number(cell, csv->decimal_comma, &v))
                return gr__csv_too_large(csv->path, csv->line[r], c->item[k].name, v, GR__CSV_MOST_SCALED);
            if (fate != GR__CELL_FINE) note(odd ? odd : &none, fate, &c->item[k], cell, csv->line[r]);
        }
        if (target == SIZE_MAX) continue;
        gr__cell_fate fate = gr__columns_target(c, gr__csv_table_cell(csv, r, target), csv->decimal_comma,
                                                &out->number[i], &out->class[i]);
        if (fate != GR__CELL_FINE) return bad_target(c, csv, r, target, fate);
    }
    return GR_OK;
}

/* ---- a file for fitted columns ---- */

static size_t find_name(const gr__csv_table *csv, const char *name)
{
    for (size_t i = 0; i < csv->columns; i++)
        if (strcmp(csv->name[i], name) == 0) return i;
    return SIZE_MAX;
}

/* A file without a header, as the one for training was: all columns, or all but the target. */
static gr_status name_in_order(const gr__columns *c, const char *path, gr__csv_table *csv)
{
    size_t target = 0;
    while (target < c->names.n && strcmp(c->names.item[target], c->target.name) != 0) target++;
    if (csv->columns == c->names.n)
        give_names(&c->names, csv, SIZE_MAX);
    else if (csv->columns + 1 == c->names.n)
        give_names(&c->names, csv, target);
    else
        return gr__fail(GR_ERR_DATA,
                        "'%s' has %zu columns and no header; the file for training had %zu, and %zu without the target",
                        path, csv->columns, c->names.n, c->names.n - 1);
    return GR_OK;
}

gr_status gr__table_read_for(const gr__columns *c, const char *path, bool skip_bad, gr__arena *arena,
                             gr__csv_table *csv, size_t **column, size_t *target)
{
    gr__csv_options o = {.header = c->names.n ? GR__CSV_NO : GR__CSV_YES, .skip_bad = skip_bad, .may_stay = true};
    GR_TRY(gr__csv_read(path, &o, csv));
    if (c->names.n) GR_TRY(name_in_order(c, path, csv));
    *column = gr__arena_alloc(arena, c->n * sizeof **column);
    if (!*column) return gr__fail_memory("a table", c->n * sizeof **column);
    for (size_t i = 0; i < c->n; i++) {
        (*column)[i] = find_name(csv, c->item[i].name);
        if ((*column)[i] != SIZE_MAX) continue;
        const char *near = gr__str_nearest(c->item[i].name, csv->name, csv->columns);
        return gr__fail(GR_ERR_DATA, "'%s' has no column '%.100s', which the model reads%s%s%s", path, c->item[i].name,
                        near ? "; is it '" : "", near ? near : "", near ? "'?" : "");
    }
    *target = *c->target.name ? find_name(csv, c->target.name) : SIZE_MAX;
    return GR_OK;
}

/* ---- opening ---- */

static gr_status usable_rows(gr__table_work *w)
{
    w->row = gr__spill_new(w->csv.rows + 1, sizeof *w->row);
    if (!w->row) return gr__fail_memory("a table", w->csv.rows * sizeof *w->row);
    for (size_t i = 0; i < w->csv.rows; i++)
        if (w->target != SIZE_MAX && gr__cell_is_missing(gr__csv_table_cell(&w->csv, (int64_t)i, w->target)))
            w->no_target++;
        else
            w->row[w->n_rows++] = (int64_t)i;
    GR_FAIL_IF(w->n_rows == 0, GR_ERR_DATA, "'%s': column '%s', the target, is empty", w->csv.path,
               w->csv.name[w->target]);
    return GR_OK;
}

static gr_status encode_test(gr__table_work *w, gr__csv_table *test, gr__table_data *out)
{
    size_t *column, target;
    GR_TRY(read_named(w->o, w->section, w->o->test_source, test));
    column = gr__arena_alloc(w->arena, (w->columns->n + 1) * sizeof *column);
    if (!column) return gr__fail_memory("a table", w->columns->n * sizeof *column);
    for (size_t i = 0; i < w->columns->n; i++) GR_TRY(gr__csv_table_column(test, w->columns->item[i].name, &column[i]));
    target = SIZE_MAX;
    if (*w->columns->target.name) GR_TRY(gr__csv_table_column(test, w->columns->target.name, &target));
    return gr__table_encode(w->columns, test, column, target, NULL, (int64_t)test->rows, &out->part[1], NULL);
}

static gr_status find_target(gr__table_work *w)
{
    w->target = SIZE_MAX;
    if (!w->o->target && (w->o->balance || w->o->log_target))
        return gr__conf_fail(w->section, "data.balance and data.log_target want a target");
    if (!w->o->target && w->o->untold) return GR_OK;
    if (!w->o->target)
        return gr__conf_fail_at_key(w->section,
                                    "'data.target' is missing: the column to predict (name, or number from 0)");
    gr_status s = gr__csv_table_column(&w->csv, w->o->target, &w->target);
    if (s != GR_ERR_NOT_FOUND) return s;
    char why[512];
    snprintf(why, sizeof why, "%s", gr_message());
    return gr__conf_fail(gr__conf_get(w->section, "target"), "%s", why);
}

static gr_status work(gr__table_work *w, uint64_t seed, gr__csv_table *test, gr__table_data *out)
{
    const gr__table_options *o = w->o;
    GR_TRY(gr__split_check(&o->split, w->section, o->test_source ? "test_source" : NULL));
    GR_TRY(read_named(o, w->section, o->source, &w->csv));
    GR_TRY(gr__csv_check_names(w->csv.path, w->csv.name, w->csv.columns));
    GR_TRY(find_target(w));
    GR_TRY(usable_rows(w));
    GR_TRY(gr__table_type_columns(w));
    GR_TRY(gr__table_check_texts(w));
    GR_TRY(gr__table_type_target(w));
    GR_TRY(gr__table_check_numbers(w));
    GR_TRY(split(w, seed));
    GR_FAIL_IF(w->n_train < 2, GR_ERR_DATA, "'%s' leaves %lld rows for training; 2 are the least", o->source,
               (long long)w->n_train);
    GR_TRY(gr__table_fit(w));
    GR_TRY(gr__table_encode(w->columns, &w->csv, w->feature, w->target, w->row, w->n_train, &out->part[0], NULL));
    GR_TRY(gr__table_balance_part(w->columns, o->balance, seed, &out->part[0]));
    if (o->test_source)
        GR_TRY(encode_test(w, test, out));
    else
        GR_TRY(gr__table_encode(w->columns, &w->csv, w->feature, w->target, w->row + w->n_train, w->n_valid,
                                &out->part[1], NULL));
    return gr__table_report(w, test, &out->report);
}

gr_status gr__table_open(const gr__table_options *o, const gr__conf *section, uint64_t seed, const gr__columns *kept,
                         gr__arena *arena, gr__table_data *out)
{
    gr__csv_table test = {0};
    gr__table_work w = {.o = o, .section = section, .kept = kept, .arena = arena, .columns = &out->columns};
    *out = (gr__table_data){0};
    gr_status status = work(&w, seed, &test, out), lost = gr__csv_table_check(&w.csv);
    if (lost == GR_OK) lost = gr__csv_table_check(&test);
    if (lost != GR_OK) status = lost; /* whatever came of it */
    if (status != GR_OK) gr__table_close(out);
    gr__csv_table_release(&test);
    gr__csv_table_release(&w.csv);
    gr__spill_free(w.row);
    gr__spill_free(w.class);
    return status;
}

void gr__table_close(gr__table_data *t)
{
    gr__table_part_release(&t->part[0]);
    gr__table_part_release(&t->part[1]);
}
