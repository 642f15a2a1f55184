#include "cli/check_onnx.h"

#include "cli/out.h"
#include "gradus/onnx.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_GROUPS = 16, MOST_REASONS = 512 };

typedef struct tally {
    char name[64];
    int64_t n[GR_ONNX_VERDICT_COUNT], plain[GR_ONNX_VERDICT_COUNT];
} tally;

typedef struct count {
    char name[64];
    int64_t n;
} count;

static tally group[MOST_GROUPS];
static int n_groups;
static count reason[MOST_REASONS];
static int n_reasons;

static tally *group_of(const char *name)
{
    for (int i = 0; i < n_groups; i++)
        if (strcmp(group[i].name, name) == 0) return &group[i];
    if (n_groups == MOST_GROUPS) return &group[MOST_GROUPS - 1];
    snprintf(group[n_groups].name, sizeof group[n_groups].name, "%.60s", name);
    return &group[n_groups++];
}

static void count_reason(const char *name)
{
    if (!*name) name = "a tensor's type";
    for (int i = 0; i < n_reasons; i++)
        if (strcmp(reason[i].name, name) == 0) {
            reason[i].n++;
            return;
        }
    if (n_reasons == MOST_REASONS) return;
    snprintf(reason[n_reasons].name, sizeof reason[n_reasons].name, "%.60s", name);
    reason[n_reasons++].n = 1;
}

static int most_first(const void *a, const void *b)
{
    const count *x = a, *y = b;
    return x->n != y->n ? (x->n < y->n ? 1 : -1) : strcmp(x->name, y->name);
}

static const char *const verdicts[] = {"passed", "failed", "refused"};

static bool on_result(void *user, const gr_onnx_result *r)
{
    (void)user;
    tally *t = group_of(r->group);
    t->n[r->verdict]++;
    t->plain[r->verdict] += r->plain;
    if (r->verdict == GR_ONNX_REFUSED) count_reason(r->refused);
    if (cli.json) {
        json_open('{');
        json_text("group", r->group);
        json_text("test", r->test);
        json_text("verdict", verdicts[r->verdict]);
        json_bool("plain", r->plain);
        if (r->verdict == GR_ONNX_REFUSED) json_text("operator", r->refused);
        if (*r->why) json_text("why", r->why);
        json_number("worst", r->worst);
        json_close();
    } else if (r->verdict == GR_ONNX_FAILED || (cli.verbose && r->verdict == GR_ONNX_REFUSED))
        printf("  %-8s %s: %s\n", verdicts[r->verdict], r->test, r->why);
    return !out_broken();
}

static void print_counts(void)
{
    out_table t = {.align = "lrrrrrr"};
    const char *head[] = {"tests", "passed", "failed", "refused", "plain: passed", "failed", "refused"};
    for (size_t i = 0; i < COUNT(head); i++) out_cell(&t, "%s", head[i]);
    for (int i = 0; i < n_groups; i++) {
        out_cell(&t, "%s", *group[i].name ? group[i].name : "folder");
        for (int k = 0; k < GR_ONNX_VERDICT_COUNT; k++) out_cell(&t, "%lld", (long long)group[i].n[k]);
        for (int k = 0; k < GR_ONNX_VERDICT_COUNT; k++) out_cell(&t, "%lld", (long long)group[i].plain[k]);
    }
    out_print_table(stdout, &t, true);
    if (cli.quiet || !n_reasons) return;
    printf("\n  refused by operator:");
    int column = 80;
    for (int i = 0; i < n_reasons; i++) {
        int width = (int)strlen(reason[i].name) + 6;
        if (column + width > 100) {
            printf("\n   ");
            column = 3;
        }
        column += printf(" %s %lld%s", reason[i].name, (long long)reason[i].n, i + 1 < n_reasons ? "," : "\n");
    }
}

static void json_counts(void)
{
    json_open_key("groups", '[');
    for (int i = 0; i < n_groups; i++) {
        json_open('{');
        json_text("group", group[i].name);
        for (int k = 0; k < GR_ONNX_VERDICT_COUNT; k++) json_int(verdicts[k], group[i].n[k]);
        json_open_key("plain", '{');
        for (int k = 0; k < GR_ONNX_VERDICT_COUNT; k++) json_int(verdicts[k], group[i].plain[k]);
        json_close();
        json_close();
    }
    json_close();
    json_open_key("refused", '{');
    for (int i = 0; i < n_reasons; i++) json_int(reason[i].name, reason[i].n);
    json_close();
}

int check_onnx(const char *path, const char *pattern)
{
    gr_onnx_check_options o = {.pattern = pattern};
    int64_t failed = 0;
    if (cli.json) {
        json_open('{');
        json_open_key("tests", '[');
    }
    gr_status s = gr_onnx_check(path, &o, on_result, NULL);
    for (int i = 0; i < n_groups; i++) failed += group[i].n[GR_ONNX_FAILED];
    qsort(reason, (size_t)n_reasons, sizeof *reason, most_first);
    if (cli.json) {
        json_close();
        json_counts();
        json_bool("ok", s == GR_OK && !failed);
        json_close();
        json_end();
    } else if (s == GR_OK)
        print_counts();
    if (s != GR_OK) {
        fprintf(stderr, "gradus: %s\n", gr_message());
        return cli_exit_code(s);
    }
    return failed ? EXIT_CHECK : EXIT_OK;
}
