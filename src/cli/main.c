/* gradus: the program. */
#include "cli/out.h"
#include "gradus/base.h"

#if __has_include(<malloc.h>)
#include <malloc.h>
#endif
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COMMANDS(X) \
    X(demo)         \
    X(data)         \
    X(train)        \
    X(generate) X(predict) X(eval) X(check) X(inspect) X(doctor) BENCH(X) X(help) X(version) X(tokenize) X(stories)
#if __has_include("gradus/bench.h")
#define BENCH(X) X(bench)
#else
#define BENCH(X)
#endif

#define DECLARE(name) extern const cli_command cmd_##name;
COMMANDS(DECLARE)
#define LIST(name) &cmd_##name,
const cli_command *const cli_commands[] = {COMMANDS(LIST)};
const size_t cli_n_commands = COUNT(cli_commands);

const cli_command *cli_find(const char *name)
{
    for (size_t i = 0; i < cli_n_commands; i++)
        if (strcmp(cli_commands[i]->name, name) == 0) return cli_commands[i];
    return NULL;
}

/* Statuses that are not here are EXIT_FAILED. */
static const struct {
    gr_status status;
    int code;
} codes[] = {
    {GR_OK, EXIT_OK},
    {GR_ERR_CONFIG, EXIT_INVALID},
    {GR_ERR_DATA, EXIT_INVALID},
    {GR_ERR_ARGUMENT, EXIT_INVALID}, /* a number that the library does not take */
    {GR_ERR_LIMIT, EXIT_INVALID},
    {GR_ERR_CORRUPT, EXIT_INVALID},
    {GR_ERR_NOT_FOUND, EXIT_INVALID},
    {GR_ERR_SHAPE, EXIT_INVALID},
    {GR_ERR_DTYPE, EXIT_INVALID},
    {GR_ERR_UNSUPPORTED, EXIT_UNSUPPORTED},
    {GR_ERR_CHECK, EXIT_CHECK},
    {GR_ERR_STOPPED, EXIT_STOPPED},
};

int cli_exit_code(gr_status status)
{
    for (size_t i = 0; i < COUNT(codes); i++)
        if (codes[i].status == status) return codes[i].code;
    return EXIT_FAILED;
}

int cli_fail(gr_status status)
{
    const char *text = *gr_message() ? gr_message() : gr_status_name(status);
    fprintf(stderr, "%sgradus:%s %s\n", out_red(stderr), out_plain(stderr), text);
    if (cli.json) {
        json_open('{');
        json_text("error", gr_status_name(status));
        json_text("message", text);
        json_end();
    }
    return cli_exit_code(status);
}

void (*cli_on_warning)(const char *line);

static void print_log(void *user, gr_log_level level, const char *line)
{
    (void)user;
    fprintf(stderr, "gradus: %s%s\n", level == GR_LOG_WARNING ? "warning: " : "", line);
    if (cli_on_warning && level == GR_LOG_WARNING) cli_on_warning(line);
}

static int run(int argc, char **argv)
{
    int code = cli_parse(argc, argv);
    if (code != EXIT_OK) return code;
    if (!cli.command) {
        cli_print_overview(cli.help ? stdout : stderr);
        return cli.help ? EXIT_OK : EXIT_USAGE;
    }
    if (cli.help) {
        cli_print_page(stdout, cli.command);
        return EXIT_OK;
    }
    gr_set_log(print_log, NULL, cli.verbose ? GR_LOG_DEBUG : cli.quiet ? GR_LOG_WARNING : GR_LOG_INFO);
    if (cli.threads > 0 && gr_set_threads((int)cli.threads) != GR_OK) return cli_fail(GR_ERR_ARGUMENT);
    return cli.command->run();
}

/* OpenMP's threads spin some milliseconds at the end of each parallel region, which is fine alone and ruinous beside any
 * other work (a step of 16 ms took 100). They read how long from the environment when the library is loaded, so the
 * program starts itself again with a short spin, unless the user has said something. */
static void calm_threads(char **argv)
{
    if (getenv("OMP_WAIT_POLICY") || getenv("GOMP_SPINCOUNT")) return;
    if (setenv("GOMP_SPINCOUNT", "10000", 1) == 0) execv("/proc/self/exe", argv);
}

/* Some of oneDNN's products take a buffer in each call, which glibc may give back to the system each time: a step of a small network then
 * has 47 page faults and takes a third longer, in one start of three. The buffers stay. */
static void keep_buffers(void)
{
#if defined(M_MMAP_THRESHOLD) && defined(M_TRIM_THRESHOLD)
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    mallopt(M_TRIM_THRESHOLD, 64 << 20);
#endif
}

int main(int argc, char **argv)
{
    calm_threads(argv);
    keep_buffers();
    signal(SIGXFSZ, SIG_IGN); /* writing beyond a limit fails, as on a full disk */
    signal(SIGPIPE, SIG_IGN); /* a reader that goes away ends output, not training */
    return out_finish(run(argc, argv));
}
