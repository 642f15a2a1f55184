#include "cli/out.h"
#include "gradus/tools.h"

#include <stdlib.h>
#include <string.h>

static int print_config(const char *section)
{
    char *text;
    gr_status s = gr_config_help(section, &text);
    if (s != GR_OK) return cli_usage("%s", gr_message());
    out_text("help", text);
    gr_text_free(text);
    return EXIT_OK;
}

/* Of a command, or of all of them. */
static int print_page(const cli_command *command)
{
    char *text = NULL;
    size_t n = 0;
    FILE *page = cli.json ? open_memstream(&text, &n) : stdout;
    if (!page) return EXIT_FAILED;
    if (command)
        cli_print_page(page, command);
    else
        cli_print_overview(page);
    if (page == stdout) return EXIT_OK;
    bool written = fclose(page) == 0;
    if (written) out_text("help", text);
    free(text);
    return written ? EXIT_OK : EXIT_FAILED;
}

static int run_command(void)
{
    const char *topic = cli.n_arguments ? cli.argument[0] : NULL, *names[65];
    size_t n = 0;
    if (!topic) return print_page(NULL);
    if (strcmp(topic, "config") == 0) return print_config(cli.n_arguments > 1 ? cli.argument[1] : NULL);
    const cli_command *command = cli_find(topic);
    if (command) return print_page(command);
    for (; n < cli_n_commands && n < COUNT(names) - 1; n++) names[n] = cli_commands[n]->name;
    names[n++] = "config";
    const char *near = gr_nearest_name(topic, names, n);
    return near ? cli_usage("no topic '%s'; did you mean '%s'?", topic, near) : cli_usage("no topic '%s'", topic);
}

static const char *const examples[] = {"gradus help train", "gradus help config", "gradus help config train.lr", NULL};

const cli_command cmd_help = {
    "help", "About",  "[TOPIC]",  "explains a command, or 'config': all keys of a configuration", NULL, NULL, 0, 0, 2,
    false,  examples, run_command};
