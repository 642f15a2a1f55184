#include "cli/out.h"
#include "gradus/tools.h"

#include <stdlib.h>
#include <string.h>

static struct {
    bool tensors, stats;
} o;

static const cli_option options[] = {
    {"tensors", 0, CLI_FLAG, &o.tensors, NULL, 0, 0, NULL, "every tensor: type, shape, bytes", false},
    {"stats", 0, CLI_FLAG, &o.stats, NULL, 0, 0, NULL, "also mean, deviation, least and greatest element", false},
};

static void shape_text(const gr_inspect_tensor *t, char out[128])
{
    size_t n = 0;
    snprintf(out, 128, "scalar");
    for (int d = 0; d < t->rank && n < 100; d++)
        n += (size_t)snprintf(out + n, 128 - n, "%s%lld", d ? " x " : "", (long long)t->dim[d]);
}

/* ---- JSON ---- */

static void json_facts(const gr_inspection *f)
{
    const char *section, *name, *value, *open = "";
    for (size_t i = 0; gr_inspect_fact_at(f, i, &section, &name, &value); i++) {
        if (strcmp(section, open) != 0) {
            if (*open) json_close();
            json_open_key(section, '{');
            open = section;
        }
        json_raw(name, gr_inspect_fact_json(f, i));
    }
    if (*open) json_close();
}

static gr_status json_tensors(const gr_inspection *f)
{
    gr_inspect_tensor t;
    gr_inspect_stats st;
    gr_status s = GR_OK;
    json_open_key("tensors", '[');
    for (size_t i = 0; gr_inspect_tensor_at(f, i, &t); i++) {
        json_open('{');
        json_text("name", t.name);
        json_text("dtype", t.type);
        json_open_key("shape", '[');
        for (int d = 0; d < t.rank; d++) json_int(NULL, t.dim[d]);
        json_close();
        json_int("bytes", (int64_t)t.bytes);
        if (o.stats && gr_inspect_stats_at(f, i, &st) == GR_OK) {
            json_number("mean", st.mean);
            json_number("deviation", st.deviation);
            json_number("min", st.least);
            json_number("max", st.most);
            json_int("nonfinite", st.nonfinite);
        }
        json_close();
    }
    json_close();
    return s;
}

static void print_json(const gr_inspection *f)
{
    json_open('{');
    json_text("format", gr_inspect_format(f));
    json_int("parameters", gr_inspect_parameters(f));
    json_int("bytes", (int64_t)gr_inspect_bytes(f));
    json_facts(f);
    json_tensors(f);
    json_end();
}

/* ---- for people ---- */

/* What a file says is not to steer the terminal: a copy without control characters; free it. NULL: out of memory. */
static char *printable(const char *text)
{
    char *copy = strdup(text);
    for (unsigned char *c = (unsigned char *)copy; c && *c; c++) {
        if (*c == '\n' || *c == '\t') *c = ' ';
        if (*c < 0x20 || *c == 0x7F) *c = '?';
        if (c[0] == 0xC2 && c[1] >= 0x80 && c[1] < 0xA0) c[0] = c[1] = '?'; /* U+0080 to U+009F */
    }
    return copy;
}

static void print_facts(const gr_inspection *f)
{
    const char *section, *name, *value, *open = "";
    for (size_t i = 0; gr_inspect_fact_at(f, i, &section, &name, &value); i++) {
        if (strcmp(section, open) != 0) printf("\n%s%s%s\n", out_bold(stdout), section, out_plain(stdout));
        open = section;
        char *clean_name = printable(name), *clean = printable(value);
        printf("  %-28s %s\n", clean_name ? clean_name : "", clean ? clean : "");
        free(clean_name), free(clean);
    }
}

static void print_tensors(const gr_inspection *f)
{
    gr_inspect_tensor t;
    gr_inspect_stats st;
    char shape[128], bytes[32];
    out_table table = {.align = o.stats ? "lllrrrrr" : "lllr"};
    out_cell(&table, "tensor"), out_cell(&table, "dtype"), out_cell(&table, "shape"), out_cell(&table, "bytes");
    if (o.stats)
        out_cell(&table, "mean"), out_cell(&table, "deviation"), out_cell(&table, "min"), out_cell(&table, "max");
    for (size_t i = 0; gr_inspect_tensor_at(f, i, &t); i++) {
        shape_text(&t, shape);
        gr_show_bytes(bytes, (double)t.bytes);
        char *name = printable(t.name);
        out_cell(&table, "%s", name ? name : ""), out_cell(&table, "%s", t.type);
        free(name);
        out_cell(&table, "%s", shape), out_cell(&table, "%s", bytes);
        if (!o.stats) continue;
        if (gr_inspect_stats_at(f, i, &st) == GR_OK) {
            out_cell(&table, "%.4g", st.mean), out_cell(&table, "%.4g", st.deviation),
                out_cell(&table, "%.4g", st.least);
            out_cell(&table, st.nonfinite ? "%.4g, and %lld not finite" : "%.4g", st.most, (long long)st.nonfinite);
        } else {
            for (int k = 0; k < 4; k++) out_cell(&table, "-");
        }
    }
    putchar('\n');
    out_print_table(stdout, &table, true);
}

static void print_types(const gr_inspection *f)
{
    gr_inspect_tensor t;
    char name[16][16], bytes[32], count[32];
    int64_t arrays[16] = {0};
    int n = 0;
    for (size_t i = 0; gr_inspect_tensor_at(f, i, &t); i++) {
        int k = 0;
        while (k < n && strncmp(name[k], t.type, 15) != 0) k++;
        if (k == 16) continue;
        if (k == n) snprintf(name[n++], sizeof name[0], "%.15s", t.type);
        arrays[k]++;
    }
    gr_show_count(count, (double)gr_inspect_parameters(f));
    gr_show_bytes(bytes, (double)gr_inspect_bytes(f));
    printf("%s: %s elements, %s in", gr_inspect_format(f), count, bytes);
    for (int k = 0; k < n; k++) printf("%s %lld %s", k ? "," : "", (long long)arrays[k], name[k]);
    printf(" array%s\n", n == 1 && arrays[0] == 1 ? "" : "s");
}

static int run_command(void)
{
    gr_inspection *f = NULL;
    gr_inspect_tensor t;
    gr_status s = gr_inspect_open(cli.argument[0], &f);
    if (s != GR_OK) return cli_fail(s);
    bool has_tensors = gr_inspect_tensor_at(f, 0, &t);
    if (cli.json) {
        print_json(f);
    } else {
        if (has_tensors)
            print_types(f);
        else
            printf("%s\n", gr_inspect_format(f));
        print_facts(f);
        if (has_tensors && (o.tensors || o.stats))
            print_tensors(f);
        else if (has_tensors)
            out_note("\n--tensors lists every tensor, --stats looks at their numbers");
    }
    gr_inspect_close(&f);
    return EXIT_OK;
}

static const char *const examples[] = {"gradus inspect runs/demo", "gradus inspect model.safetensors --stats", NULL};

const cli_command cmd_inspect = {
    "inspect",
    "Look",
    "FILE|FOLDER",
    "shows what is in a model: tensors, sizes, configuration, tokenizer",
    "Reads .safetensors files, Hugging Face folders, tokenizer.json, config.json, llama2.c .bin files, and of a run the\n"
    "step-N.json of its checkpoints and its .tokens files.",
    options,
    COUNT(options),
    1,
    1,
    false,
    examples,
    run_command,
};
