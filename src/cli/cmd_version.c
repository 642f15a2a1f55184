#include "cli/out.h"
#include "gradus/tools.h"

static int run_command(void)
{
    if (cli.json) {
        json_open('{');
        json_text("version", gr_version());
        json_end();
    } else {
        printf("gradus %s\n", gr_version());
    }
    return EXIT_OK;
}

const cli_command cmd_version = {"version", "About", "",   "prints the version", NULL, NULL, 0, 0,
                                 0,         false,   NULL, run_command};
