#include "cli/out.h"
#include "gradus/tools.h"

#include <string.h>

static int print_config(const char *section)
{
    char *text;
    gr_status s = gr_config_help(section, &text);
    if (s != GR_OK) return cli_usage("%s", gr_message());
    if (cli.json) {
        json_open('{');
        json_text("help", text);
        json_end();
    } else {
        fputs(text, stdout);
    }
    gr_text_free(text);
    return EXIT_OK;
}

static int run_command(void)
{
    const char *topic = cli.n_arguments ? cli.argument[0] : NULL, *names[65];
    size_t n = 0;
    if (!topic) {
        cli_print_overview(stdout);
        return EXIT_OK;
    }
    if (strcmp(topic, "config") == 0) return print_config(cli.n_arguments > 1 ? cli.argument[1] : NULL);
    const cli_command *command = cli_find(topic);
    if (command) {
        cli_print_page(stdout, command);
        return EXIT_OK;
    }
    for (; n < cli_n_commands && n < COUNT(names) - 1; n++) names[n] = cli_commands[n]->name;
    names[n++] = "config";
    const char *near = gr_nearest_name(topic, names, n);
    return near ? cli_usage("no topic '%s'; did you mean '%s'?", topic, near) : cli_usage("no topic '%s'", topic);
}

static const char *const examples[] = {"gradus help train", "gradus help config", "gradus help config train.lr", NULL};

const cli_command cmd_help = {
    "help", "About",  "[TOPIC]",  "explains a command, or 'config': all keys of a configuration", NULL, NULL, 0, 0, 2,
    false,  examples, run_command};
