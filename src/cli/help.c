/* Pages of help, printed from the tables. */
#include "cli/cli.h"

#include "cli/out.h"

#include <string.h>

static const struct {
    int code;
    const char *meaning;
} exit_codes[] = {
    {EXIT_OK, "success"},
    {EXIT_FAILED, "failure"},
    {EXIT_USAGE, "wrong use of the command line"},
    {EXIT_INVALID, "invalid configuration or data"},
    {EXIT_UNSUPPORTED, "a feature that is missing"},
    {EXIT_CHECK, "a check failed"},
    {EXIT_STOPPED, "stopped, a checkpoint is there: the same command goes on"},
    {EXIT_INTERRUPTED, "interrupted"},
};

static void print_option(FILE *out, const cli_option *o)
{
    char left[160], choices[96] = "";
    for (size_t i = 0; o->choices && o->choices[i]; i++)
        snprintf(choices + strlen(choices), sizeof choices - strlen(choices), "%s%s", i ? "|" : "", o->choices[i]);
    const char *value = o->choices ? choices : o->value ? o->value : "";
    if (o->letter)
        snprintf(left, sizeof left, "-%c, --%s%s%s", o->letter, o->name, *value ? " " : "", value);
    else
        snprintf(left, sizeof left, "    --%s%s%s", o->name, *value ? " " : "", value);
    if (strlen(left) > 28)
        fprintf(out, "  %s\n  %-28s  %s\n", left, "", o->doc);
    else
        fprintf(out, "  %-28s  %s\n", left, o->doc);
}

static void print_exit_codes(FILE *out)
{
    fprintf(out, "\n%sExit codes%s\n", out_bold(out), out_plain(out));
    for (size_t i = 0; i < COUNT(exit_codes); i++)
        fprintf(out, "  %3d  %s\n", exit_codes[i].code, exit_codes[i].meaning);
}

void cli_print_overview(FILE *out)
{
    const char *group = "";
    fprintf(
        out,
        "usage: gradus COMMAND [arguments] [options]\n\nNeural networks from one program: trains, generates, evaluates.\n");
    for (size_t i = 0; i < cli_n_commands; i++) {
        const cli_command *c = cli_commands[i];
        if (!c->group) continue; /* for developers */
        if (strcmp(c->group, group) != 0) fprintf(out, "\n%s%s%s\n", out_bold(out), c->group, out_plain(out));
        group = c->group;
        fprintf(out, "  %-10s  %s\n", c->name, c->summary);
    }
    fprintf(out, "\n%sEverywhere%s\n", out_bold(out), out_plain(out));
    for (size_t i = 0; i < cli_n_common; i++) print_option(out, &cli_common[i]);
    fprintf(out, "\n'gradus COMMAND -h' and 'gradus help TOPIC' say more; topics are the commands and 'config'\n");
}

void cli_print_page(FILE *out, const cli_command *c)
{
    fprintf(out, "usage: gradus %s%s%s [options]\n\n%s.\n", c->name, *c->arguments ? " " : "", c->arguments,
            c->summary);
    if (c->details) fprintf(out, "\n%s\n", c->details);
    bool any = false;
    for (size_t i = 0; i < c->n_options; i++) {
        if (c->options[i].hidden) continue;
        if (!any) fprintf(out, "\n%sOptions%s\n", out_bold(out), out_plain(out));
        any = true;
        print_option(out, &c->options[i]);
    }
    fprintf(out, "\n%sEverywhere%s\n", out_bold(out), out_plain(out));
    for (size_t i = 0; i < cli_n_common; i++) print_option(out, &cli_common[i]);
    if (c->examples) fprintf(out, "\n%sExamples%s\n", out_bold(out), out_plain(out));
    for (size_t i = 0; c->examples && c->examples[i]; i++) fprintf(out, "  %s\n", c->examples[i]);
    print_exit_codes(out);
}
