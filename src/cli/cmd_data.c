#include "cli/data_stats.h"
#include "cli/out.h"

#include "gradus/data.h"
#include "gradus/tools.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

static const char *const fills[] = {"none", "median", "mean", "drop", NULL}, *const hows[] = {"over", "under", "smote",
                                                                                              NULL};
static const char *const headers[] = {"auto", "yes", "no", NULL};

static struct {
    const char *out, *target, *by, *group, *time;
    cli_list columns;
    double near, clip, valid, test;
    int fill, how, header;
    int64_t neighbours, least, most;
    bool skip_bad, keep_constant;
} o = {.valid = 0.1, .test = 0.1};

/* Which verbs an option speaks of. */
enum { STATS = 1, CLEAN = 2, SPLIT = 4, DEDUP = 8, LEAKS = 16, BALANCE = 32, CONVERT = 64 };

static const cli_option options[] = {
    {"out", 'o', CLI_TEXT, &o.out, "PATH", 0, 0, NULL, "file to write; of 'split' a folder", false,
     CLEAN | SPLIT | DEDUP | BALANCE | CONVERT},
    {"skip-bad", 0, CLI_FLAG, &o.skip_bad, NULL, 0, 0, NULL,
     "leave out rows that cannot be read (too few or too many cells, no JSON, no UTF-8), and count them", false},
    {"header", 0, CLI_CHOICE, &o.header, NULL, 0, 0, headers,
     "whether the first row of a .csv or .tsv holds names; auto: by its looks, with a note where all cells are text",
     false},
    {"target", 0, CLI_TEXT, &o.target, "COLUMN", 0, 0, NULL,
     "clean: rows without it go; balance: the column whose values are to be equally frequent", false, CLEAN | BALANCE},
    {"columns", 0, CLI_LIST, &o.columns, "COLUMN", 0, 0, NULL,
     "dedup, leaks: compare only these; may be repeated (default: all)", false, DEDUP | LEAKS},
    {"near", 0, CLI_DOUBLE, &o.near, "S", 0, 1, NULL,
     "dedup, leaks: texts with a similarity (Jaccard, of word 3-grams) of at least S are the same too", false,
     DEDUP | LEAKS},
    {"fill", 0, CLI_CHOICE, &o.fill, NULL, 0, 0, fills,
     "clean: what becomes of missing cells; words get the most frequent one; drop: the row goes", false, CLEAN},
    {"clip", 0, CLI_DOUBLE, &o.clip, "K", 0, 1e9, NULL,
     "clean: numbers beyond K interquartile ranges outside of the quartiles are set to that bound (3 is usual); columns "
     "that are mostly one value have no such range and stay",
     false, CLEAN},
    {"min-length", 0, CLI_INT, &o.least, "N", 0, 1e9, NULL,
     "clean: shorter texts go (the column 'text', in characters)", false, CLEAN},
    {"max-length", 0, CLI_INT, &o.most, "N", 0, 1e9, NULL, "clean: longer texts go", false, CLEAN},
    {"keep-constant", 0, CLI_FLAG, &o.keep_constant, NULL, 0, 0, NULL, "clean: columns with one value stay", false,
     CLEAN},
    {"valid", 0, CLI_DOUBLE, &o.valid, "SHARE", 0, 0.99, NULL, "split: for validation (default 0.1)", false, SPLIT},
    {"test", 0, CLI_DOUBLE, &o.test, "SHARE", 0, 0.99, NULL, "split: for the test (default 0.1)", false, SPLIT},
    {"by", 0, CLI_TEXT, &o.by, "COLUMN", 0, 0, NULL, "split: each of its values keeps its share in all parts", false,
     SPLIT},
    {"group", 0, CLI_TEXT, &o.group, "COLUMN", 0, 0, NULL, "split: rows with the same value stay together", false,
     SPLIT},
    {"time", 0, CLI_TEXT, &o.time, "COLUMN", 0, 0, NULL,
     "split: the latest rows are for the test; numbers, or dates as YYYY-MM-DD, with or without a time of day", false,
     SPLIT},
    {"how", 0, CLI_CHOICE, &o.how, NULL, 0, 0, hows,
     "balance: rows again (default), rows left out, or new ones between neighbours", false, BALANCE},
    {"neighbours", 0, CLI_INT, &o.neighbours, "N", 1, 1000, NULL, "balance --how smote: default 5", false, BALANCE},
};

/* ---- ends ---- */

/* What was done, as a line or as an object. */
typedef struct fact {
    const char *name;
    int64_t value;
} fact;

static void print_facts(const fact *f, size_t n)
{
    if (cli.json) json_open('{');
    for (size_t i = 0; i < n; i++)
        if (cli.json)
            json_int(f[i].name, f[i].value);
        else
            printf("%-19s %lld\n", f[i].name, (long long)f[i].value);
    if (cli.json) json_end();
}

static gr_status save(const gr_records *r, const fact *f, size_t n)
{
    gr_status s = gr_records_save(r, o.out);
    if (s == GR_OK) print_facts(f, n);
    return s;
}

static const char *const *columns(void)
{
    static const char *list[CLI_MOST_LIST + 1];
    for (int i = 0; i < o.columns.n; i++) list[i] = o.columns.item[i];
    list[o.columns.n] = NULL;
    return o.columns.n ? list : NULL;
}

static uint64_t seed(void) { return cli.seed >= 0 ? (uint64_t)cli.seed : 1; }

/* ---- what can be done ---- */

static gr_status stats(gr_records *r) { return data_print_stats(r); }

static gr_status clean(gr_records *r)
{
    gr_clean_options c = {.target = o.target,
                          .missing = (gr_missing)o.fill,
                          .clip = o.clip,
                          .keep_constant = o.keep_constant,
                          .least = o.least,
                          .most = o.most};
    gr_clean_report done;
    gr_status s = gr_records_clean(r, &c, &done);
    const fact f[] = {{"rows", gr_records_rows(r)},        {"columns", gr_records_columns(r)},
                      {"rows_removed", done.rows_removed}, {"columns_removed", done.columns_removed},
                      {"cells_trimmed", done.trimmed},     {"cells_filled", done.filled},
                      {"cells_clipped", done.clipped},     {"columns_unclipped", done.columns_unclipped}};
    if (s == GR_OK && done.unclipped)
        out_note(
            "left unclipped: %lld columns that are mostly one value, so that their quartiles are equal; the first: '%s'",
            (long long)done.columns_unclipped, done.unclipped);
    return s == GR_OK ? save(r, f, COUNT(f)) : s;
}

static gr_status dedup(gr_records *r)
{
    gr_dedup_report done;
    gr_status s = gr_records_dedup(r, &(gr_dedup_options){columns(), o.near}, &done);
    const fact f[] = {{"rows", gr_records_rows(r)}, {"exact", done.exact}, {"near", done.near}};
    if (s == GR_OK && done.near)
        out_note("the first near one: line %lld is like line %lld", (long long)done.line, (long long)done.twin);
    return s == GR_OK ? save(r, f, COUNT(f)) : s;
}

static gr_status balance(gr_records *r)
{
    int64_t before = gr_records_rows(r), column;
    gr_balance_options b = {(gr_balance)o.how, o.target, o.neighbours, seed()};
    gr_column_stats target = {.missing = 0};
    gr_status s = gr_records_column(r, o.target, &column);
    if (s == GR_OK) s = gr_records_stats(r, column, &target);
    if (s == GR_OK) s = gr_records_balance(r, &b);
    const fact f[] = {{"rows_before", before}, {"rows_without_target", target.missing}, {"rows", gr_records_rows(r)}};
    if (s == GR_OK && target.missing)
        out_note("left out: %lld rows without the target '%s'", (long long)target.missing, o.target);
    return s == GR_OK ? save(r, f, COUNT(f)) : s;
}

static gr_status convert(gr_records *r)
{
    const fact f[] = {{"rows", gr_records_rows(r)}, {"columns", gr_records_columns(r)}};
    return save(r, f, COUNT(f));
}

/* The ending of the file that was read, without .gz. */
static const char *ending(char room[16])
{
    const char *path = cli.argument[1], *slash = strrchr(path, '/');
    size_t n = strlen(path);
    if (n > 3 && strcasecmp(path + n - 3, ".gz") == 0) n -= 3;
    size_t dot = n;
    while (dot > 0 && path[dot - 1] != '.' && path + dot > (slash ? slash : path)) dot--;
    if (dot == 0 || path[dot - 1] != '.' || n - dot > 10) return "txt";
    snprintf(room, 16, "%.*s", (int)(n - dot), path + dot);
    return room;
}

static const char *const parts[] = {"train", "valid", "test"};

static void path_of_part(char path[4096], int part)
{
    char room[16];
    snprintf(path, 4096, "%s/%s.%s", o.out, parts[part], ending(room));
}

/* A part of an earlier split that this one does not write would lie beside the new ones and share rows with them. */
static int check_old_parts(void)
{
    const bool wanted[] = {true, o.valid > 0, o.test > 0};
    char path[4096];
    struct stat old;
    for (int i = 0; i < 3; i++) {
        path_of_part(path, i);
        if (!wanted[i] && stat(path, &old) == 0)
            return cli_invalid("'%s' is there, and this split has no such part: rows of it may be in the new parts; "
                               "remove it, or take another folder",
                               path);
    }
    return EXIT_OK;
}

static bool no_folder; /* it was told why */

static gr_status write_parts(gr_records *const part[3])
{
    char path[4096];
    if (mkdir(o.out, 0777) != 0 && errno != EEXIST) {
        fprintf(stderr, "gradus: cannot make the folder '%s': %s\n", o.out, strerror(errno));
        no_folder = true;
        return GR_ERR_IO;
    }
    for (int i = 0; i < 3; i++) {
        if (!part[i]) continue;
        path_of_part(path, i);
        gr_status s = gr_records_save(part[i], path);
        if (s != GR_OK) return s;
    }
    return GR_OK;
}

static gr_status split(gr_records *r)
{
    gr_records *part[3];
    gr_split_options so = {o.valid, o.test, o.by, o.group, o.time, seed()};
    gr_status s = gr_records_split(r, &so, part);
    if (s != GR_OK) return s;
    s = write_parts(part);
    fact f[3];
    size_t n = 0;
    for (int i = 0; i < 3; i++)
        if (part[i]) f[n++] = (fact){parts[i], gr_records_rows(part[i])};
    if (s == GR_OK) print_facts(f, n);
    for (int i = 0; i < 3; i++) gr_records_free(&part[i]);
    return s;
}

/* A wrong guess would lose a row, or make one of names. */
static void note_guess(const gr_records *r, const char *path)
{
    enum { WIDTH = 24 };
    char first[4 * WIDTH + 4];
    bool guessed, named = gr_records_named(r, &guessed);
    if (!guessed) return;
    out_cut(first, WIDTH, named ? gr_records_name(r, 0) : gr_records_cell(r, 0, 0));
    out_note(
        "'%s': the first row ('%s'%s) is taken for %s; all cells are text, so that is a guess: say --header %s if it "
        "is wrong, --header %s if it is right",
        path, first, gr_records_columns(r) > 1 ? ", ..." : "", named ? "names" : "a row, not for names",
        named ? "no" : "yes", named ? "yes" : "no");
}

static gr_status open_records(const char *path, gr_records **out)
{
    gr_status s = gr_records_open(path, &(gr_records_options){o.skip_bad, (gr_header)o.header}, out);
    if (s == GR_OK) note_guess(*out, path);
    return s;
}

static int leaks_found;

static gr_status leaks(gr_records *r)
{
    gr_records *other = NULL;
    int64_t n = 0, a = 0, b = 0;
    gr_status s = open_records(cli.argument[2], &other);
    if (s == GR_OK) s = gr_records_overlap(r, other, columns(), o.near, &n, &a, &b);
    const fact f[] = {{"rows", s == GR_OK ? gr_records_rows(other) : 0}, {"in_both", n}};
    gr_records_free(&other);
    if (s != GR_OK) return s;
    print_facts(f, COUNT(f));
    if (n) out_note("the first: %s:%lld is %s:%lld", cli.argument[2], (long long)b, cli.argument[1], (long long)a);
    leaks_found = n > 0;
    return GR_OK;
}

static const struct {
    const char *name;
    gr_status (*run)(gr_records *r);
    unsigned scope;
    bool writes, target;
    int files;
} verbs[] = {{"stats", stats, STATS, false, false, 1},     {"clean", clean, CLEAN, true, false, 1},
             {"split", split, SPLIT, true, false, 1},      {"dedup", dedup, DEDUP, true, false, 1},
             {"leaks", leaks, LEAKS, false, false, 2},     {"balance", balance, BALANCE, true, true, 1},
             {"convert", convert, CONVERT, true, false, 1}};

static int run_command(void)
{
    const char *names[COUNT(verbs)];
    size_t v = 0;
    for (size_t i = 0; i < COUNT(verbs); i++) names[i] = verbs[i].name;
    while (v < COUNT(verbs) && strcmp(verbs[v].name, cli.argument[0]) != 0) v++;
    if (v == COUNT(verbs)) {
        const char *near = gr_nearest_name(cli.argument[0], names, COUNT(verbs));
        return cli_usage("data cannot '%s'%s%s%s", cli.argument[0], near ? "; did you mean '" : "", near ? near : "",
                         near ? "'?" : "; it can stats, clean, split, dedup, leaks, balance, convert");
    }
    if (verbs[v].run == convert && cli.n_arguments == 3 && !o.out) o.out = cli.argument[--cli.n_arguments];
    if (cli.n_arguments != 1 + verbs[v].files)
        return cli_usage("data %s wants %s", verbs[v].name, verbs[v].files == 2 ? "two files" : "one file");
    char what[32];
    snprintf(what, sizeof what, "'data %s'", verbs[v].name);
    if (cli_check_scope(verbs[v].scope, what) != EXIT_OK) return EXIT_USAGE;
    if (verbs[v].writes && !o.out) return cli_usage("data %s writes: say where, --out PATH", verbs[v].name);
    if (verbs[v].target && !o.target) return cli_usage("data %s wants --target COLUMN", verbs[v].name);
    if (verbs[v].run == split && check_old_parts() != EXIT_OK) return EXIT_INVALID;
    gr_records *r = NULL;
    gr_status s = open_records(cli.argument[1], &r);
    if (s == GR_OK && gr_records_bad(r))
        fprintf(stderr, "gradus: warning: %lld rows were left out; the first: %s\n", (long long)gr_records_bad(r),
                gr_records_first_bad(r));
    if (s == GR_OK) s = verbs[v].run(r);
    gr_records_free(&r);
    if (no_folder) return EXIT_FAILED;
    return s != GR_OK ? cli_fail(s) : leaks_found ? EXIT_CHECK : EXIT_OK;
}

static const char *const examples[] = {
    "gradus data stats houses.csv",
    "gradus data clean houses.csv --fill median --clip 3 --target price -o clean.csv",
    "gradus data dedup reviews.jsonl --near 0.9 --columns text -o unique.jsonl",
    "gradus data split unique.jsonl --by label -o parts",
    "gradus data leaks parts/train.jsonl parts/test.jsonl --near 0.8",
    "gradus data balance clean.csv --target sold --how smote -o balanced.csv",
    "gradus data convert reviews.tsv reviews.jsonl --header yes",
    NULL};

const cli_command cmd_data = {
    "data",
    "Prepare",
    "stats|clean|split|dedup|leaks|balance|convert FILE",
    "looks over, cleans, cuts, balances and converts files of records before training",
    "FILE is .csv, .tsv, .jsonl, .npy (or .npz with one array), or lines of text; .gz is read too. What is written has the format of its ending:\n"
    "of these, .ndjson, or .txt for lines of the column 'text' alone.\n"
    "stats    what each column holds: types, missing cells, spread, the most frequent values\n"
    "clean    blanks and control characters go, missing cells are filled, outliers clipped, constant columns go\n"
    "split    train, valid and test into a folder: at random, by value, by group, or by time; an old part that would\n"
    "         stay there beside the new ones is refused\n"
    "dedup    rows that come twice, or nearly, go\n"
    "leaks    TRAIN TEST: rows of the second that are in the first (exit code 5 where there are); columns are\n"
    "         compared by name where both files have names\n"
    "balance  as many rows of each value of --target: over- or undersampling, SMOTE; rows without it go\n"
    "convert  FILE OUT: into another format",
    options,
    COUNT(options),
    1,
    3,
    false,
    examples,
    run_command,
};
