/* For developers: the demo's corpus, and its judge. */
#include "cli/out.h"
#include "gradus/stories.h"

#include <stdlib.h>
#include <string.h>

static const char *const languages[] = {"both", "en", "zh", NULL};
static struct {
    int64_t bytes, first;
    int language;
    bool check;
} o = {.bytes = 262144};

static const cli_option options[] = {
    {"bytes", 0, CLI_INT, &o.bytes, "N", 1, 1 << 30, NULL, "at least so many (default 262144)", false},
    {"first", 0, CLI_INT, &o.first, "N", 0, 9e15, NULL, "number of the first story", false},
    {"language", 0, CLI_CHOICE, &o.language, NULL, 0, 0, languages, "default both", false},
    {"check", 0, CLI_FLAG, &o.check, NULL, 0, 0, NULL,
     "judge the sentences of standard input instead; 5 when one is wrong", false},
};

static int write_stories(void)
{
    char *text;
    size_t n;
    gr_stories_options so = {.language = languages[o.language],
                             .seed = cli.seed > 0 ? (uint64_t)cli.seed : 0,
                             .first = (uint64_t)o.first,
                             .bytes = (size_t)o.bytes};
    gr_status s = gr_stories_write(&so, &text, &n);
    if (s != GR_OK) return cli_fail(s);
    fwrite(text, 1, n, stdout);
    gr_stories_free(&text);
    return EXIT_OK;
}

static int check_stories(void)
{
    char line[65536];
    gr_stories_sentence sentence;
    int64_t good = 0, all = 0;
    while (fgets(line, sizeof line, stdin))
        for (size_t at = 0, n = strlen(line); gr_stories_next(line, n, &at, &sentence); all++) {
            if (gr_stories_check(sentence.language, sentence.text, sentence.n) == GR_OK)
                good++;
            else if (!cli.json)
                printf("%.*s\n  %s\n", (int)sentence.n, sentence.text, gr_message());
        }
    if (cli.json) {
        json_open('{');
        json_int("sentences", all);
        json_int("accepted", good);
        json_end();
    } else {
        printf("%lld of %lld sentences accepted\n", (long long)good, (long long)all);
    }
    return good == all ? EXIT_OK : EXIT_CHECK;
}

static int run_command(void) { return o.check ? check_stories() : write_stories(); }

const cli_command cmd_stories = {
    "stories",
    NULL,
    "",
    "writes small stories made from a grammar, or checks some",
    NULL,
    options,
    COUNT(options),
    0,
    0,
    false,
    NULL,
    run_command,
};
