#include "cli/data_stats.h"

#include "cli/out.h"
#include "gradus/tools.h"

static const char *const types[] = {"numbers", "words", "text", "empty"};
enum { OFTEN = 3 };

static void json_column(const char *name, const gr_column_stats *s)
{
    json_open('{');
    json_text("column", name);
    json_text("type", types[s->type]);
    json_int("missing", s->missing);
    json_int("distinct", s->distinct);
    if (s->type == GR_COLUMN_NUMBERS) {
        json_number("mean", s->mean);
        json_number("deviation", s->deviation);
        json_number("least", s->least);
        json_number("quarter", s->quarter);
        json_number("median", s->median);
        json_number("three_quarters", s->three_quarters);
        json_number("most", s->most);
    } else {
        json_number("mean_length", s->length);
    }
    json_open_key("often", '{');
    for (int k = 0; k < OFTEN && s->often[k] && s->type != GR_COLUMN_TEXT; k++)
        json_int(s->often[k], s->often_count[k]);
    json_close();
    json_close();
}

static const char *shown(char out[32], double value)
{
    snprintf(out, 32, "%.5g", value);
    return out;
}

/* The most frequent words, each with how often it comes. */
static void add_words(out_table *t, const gr_column_stats *s)
{
    enum { WIDTH = 24 };
    char first[4 * WIDTH + 4], second[4 * WIDTH + 4];
    out_cut(first, WIDTH, s->often[0]);
    if (!s->often[1])
        out_cell(t, "%s (%lld)", first, (long long)s->often_count[0]);
    else
        out_cell(t, "%s (%lld), %s%s", first, (long long)s->often_count[0], out_cut(second, WIDTH, s->often[1]),
                 s->often[2] ? ", ..." : "");
}

static void add_row(out_table *t, const char *name, const gr_column_stats *s)
{
    enum { WIDTH = 32 };
    char own[4 * WIDTH + 4], a[32], b[32], c[32], d[32], e[32];
    out_cell(t, "%s", out_cut(own, WIDTH, name)), out_cell(t, "%s", types[s->type]);
    out_cell(t, "%lld", (long long)s->missing), out_cell(t, "%lld", (long long)s->distinct);
    if (s->type == GR_COLUMN_NUMBERS)
        out_cell(t, "%s +- %s, %s .. %s .. %s", shown(a, s->mean), shown(b, s->deviation), shown(c, s->least),
                 shown(d, s->median), shown(e, s->most));
    else if (s->type == GR_COLUMN_TEXT)
        out_cell(t, "%s characters", shown(a, s->length));
    else if (s->type == GR_COLUMN_WORDS)
        add_words(t, s);
    else
        out_cell(t, "%s", "");
}

gr_status data_print_stats(const gr_records *r)
{
    out_table t = {.align = "llrrl"};
    int64_t n = gr_records_columns(r);
    if (cli.json) {
        json_open('{');
        json_int("rows", gr_records_rows(r));
        json_open_key("columns", '[');
    } else {
        printf("%lld rows, %lld columns\n\n", (long long)gr_records_rows(r), (long long)n);
        out_cell(&t, "column"), out_cell(&t, "type"), out_cell(&t, "missing"), out_cell(&t, "distinct");
        out_cell(&t, "holds");
    }
    gr_status s = GR_OK;
    for (int64_t k = 0; k < n && s == GR_OK; k++) {
        gr_column_stats c;
        s = gr_records_stats(r, k, &c);
        if (s != GR_OK) break;
        if (cli.json)
            json_column(gr_records_name(r, k), &c);
        else
            add_row(&t, gr_records_name(r, k), &c);
    }
    if (cli.json) {
        json_close();
        json_end();
    } else {
        out_print_table(stdout, &t, true);
    }
    return s;
}
