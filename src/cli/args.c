/* The command line, read by the tables of options. */
#include "cli/cli.h"

#include "cli/out.h"
#include "gradus/tools.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

cli_state cli = {.seed = -1};

static const char *const color_choices[] = {"auto", "always", "never", NULL};
const cli_option cli_common[] = {
    {"help", 'h', CLI_FLAG, &cli.help, NULL, 0, 0, NULL, "this page", false},
    {"json", 0, CLI_FLAG, &cli.json, NULL, 0, 0, NULL, "results as JSON on standard output", false},
    {"quiet", 'q', CLI_FLAG, &cli.quiet, NULL, 0, 0, NULL, "results and errors only", false},
    {"verbose", 'v', CLI_FLAG, &cli.verbose, NULL, 0, 0, NULL, "more about what happens", false},
    {"threads", 0, CLI_INT, &cli.threads, "N", 0, 1024, NULL, "threads to compute with (default: one per core)", false},
    {"seed", 0, CLI_INT, &cli.seed, "N", 0, 9e15, NULL, "of everything random", false},
    {"color", 0, CLI_CHOICE, &cli.color, NULL, 0, 0, color_choices, "colours (default auto; NO_COLOR is heeded)",
     false},
};
const size_t cli_n_common = COUNT(cli_common);

static void say_wrong(const char *kind, const char *format, va_list args)
{
    char text[2048];
    vsnprintf(text, sizeof text, format, args);
    fprintf(stderr, "gradus: %s\n", text);
    if (!cli.json) return;
    json_open('{');
    json_text("error", kind);
    json_text("message", text);
    json_end();
}

int cli_usage(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say_wrong("usage", format, args);
    va_end(args);
    fprintf(stderr, "'gradus %s%s-h' shows what can be said\n", cli.command ? cli.command->name : "",
            cli.command ? " " : "");
    return EXIT_USAGE;
}

int cli_invalid(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say_wrong("invalid", format, args);
    va_end(args);
    return EXIT_INVALID;
}

/* ---- one value ---- */

static bool read_number(const char *text, double *out)
{
    char *end;
    if (!*text || *text == ' ') return false;
    *out = strtod(text, &end);
    return !*end && isfinite(*out);
}

/* "90", "90s", "15m", "1.5h" */
static bool read_time(const char *text, double *out)
{
    static const struct {
        char unit;
        double seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    char *end;
    *out = strtod(text, &end);
    if (end == text || !isfinite(*out) || *out < 0) return false;
    if (!*end) return true;
    for (size_t i = 0; i < COUNT(units); i++)
        if (end[0] == units[i].unit && !end[1]) {
            *out *= units[i].seconds;
            return true;
        }
    return false;
}

static int wrong(const cli_option *o, const char *text, const char *wanted)
{
    if (o->low == 0 && o->high == 0) return cli_usage("--%s wants %s, not '%s'", o->name, wanted, text);
    char low[32], high[32];
    gr_show_number(low, o->low);
    gr_show_number(high, o->high);
    return isfinite(o->high) ? cli_usage("--%s wants %s from %s to %s, not '%s'", o->name, wanted, low, high, text)
                             : cli_usage("--%s wants %s of at least %s, not '%s'", o->name, wanted, low, text);
}

static int set_number(const cli_option *o, const char *text)
{
    const char *wanted = o->type == CLI_INT ? "a whole number" : "a number";
    double v;
    bool fine = read_number(text, &v) && (o->type != CLI_INT || (v == floor(v) && fabs(v) < 9.007e15));
    if (!fine || ((o->low != 0 || o->high != 0) && (v < o->low || v > o->high))) return wrong(o, text, wanted);
    if (o->type == CLI_INT)
        *(int64_t *)o->into = (int64_t)v;
    else
        *(double *)o->into = v;
    return EXIT_OK;
}

static int set_choice(const cli_option *o, const char *text)
{
    size_t n = 0;
    char all[256] = "";
    for (; o->choices[n]; n++) {
        if (strcmp(o->choices[n], text) == 0) {
            *(int *)o->into = (int)n;
            return EXIT_OK;
        }
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", n ? ", " : "", o->choices[n]);
    }
    const char *near = gr_nearest_name(text, o->choices, n);
    return near ? cli_usage("--%s has no choice '%s'; did you mean '%s'?", o->name, text, near)
                : cli_usage("--%s has no choice '%s'; there are %s", o->name, text, all);
}

static const cli_option *given[64];
static size_t n_given;

int cli_check_scope(unsigned scope, const char *what)
{
    for (size_t i = 0; i < n_given; i++)
        if (given[i]->scope && !(given[i]->scope & scope))
            return cli_usage("--%s says nothing to %s", given[i]->name, what);
    return EXIT_OK;
}

static int set_option(const cli_option *o, const char *text)
{
    if (o->scope && n_given < COUNT(given)) given[n_given++] = o;
    switch (o->type) {
    case CLI_FLAG: *(bool *)o->into = true; return EXIT_OK;
    case CLI_INT:
    case CLI_DOUBLE: return set_number(o, text);
    case CLI_TEXT: *(const char **)o->into = text; return EXIT_OK;
    case CLI_CHOICE: return set_choice(o, text);
    case CLI_TIME: return read_time(text, o->into) ? EXIT_OK : wrong(o, text, "a time such as 90s, 15m or 2h");
    case CLI_LIST: {
        cli_list *list = o->into;
        if (list->n == CLI_MOST_LIST) return cli_usage("--%s is given more than %d times", o->name, CLI_MOST_LIST);
        list->item[list->n++] = text;
        return EXIT_OK;
    }
    }
    return EXIT_FAILED;
}

/* ---- finding options ---- */

static const cli_option *option_at(size_t i)
{
    if (i < cli_n_common) return &cli_common[i];
    i -= cli_n_common;
    return cli.command && i < cli.command->n_options ? &cli.command->options[i] : NULL;
}

static const cli_option *find_long(const char *name, size_t n)
{
    const cli_option *o;
    for (size_t i = 0; (o = option_at(i)); i++)
        if (strlen(o->name) == n && strncmp(o->name, name, n) == 0) return o;
    return NULL;
}

static const cli_option *find_letter(char letter)
{
    const cli_option *o;
    for (size_t i = 0; (o = option_at(i)); i++)
        if (o->letter == letter) return o;
    return NULL;
}

static int unknown_option(const char *name, size_t n)
{
    const char *names[128];
    const cli_option *o;
    size_t count = 0;
    char word[128];
    snprintf(word, sizeof word, "%.*s", (int)(n < 100 ? n : 100), name);
    for (size_t i = 0; (o = option_at(i)) && count < COUNT(names); i++)
        if (!o->hidden) names[count++] = o->name;
    const char *near = gr_nearest_name(word, names, count);
    return near ? cli_usage("no option '--%s'; did you mean '--%s'?", word, near) : cli_usage("no option '--%s'", word);
}

/* ---- the line ---- */

typedef struct words {
    char **word;
    int n, at;
} words;

static int take_value(words *w, const cli_option *o, const char *inline_value)
{
    if (o->type == CLI_FLAG) return inline_value ? cli_usage("--%s takes no value", o->name) : set_option(o, "");
    if (inline_value) return set_option(o, inline_value);
    if (w->at == w->n)
        return cli_usage("--%s wants a value%s%s", o->name, o->value ? ": " : "", o->value ? o->value : "");
    return set_option(o, w->word[w->at++]);
}

static int take_option(words *w, const char *word)
{
    if (word[1] == '-') {
        const char *equals = strchr(word, '=');
        size_t n = equals ? (size_t)(equals - word) - 2 : strlen(word) - 2;
        const cli_option *o = find_long(word + 2, n);
        return o ? take_value(w, o, equals ? equals + 1 : NULL) : unknown_option(word + 2, n);
    }
    for (const char *c = word + 1; *c; c++) {
        const cli_option *o = find_letter(*c);
        if (!o) return cli_usage("no option '-%c'; long options begin with two dashes", *c);
        int code = take_value(w, o, NULL);
        if (code != EXIT_OK) return code;
    }
    return EXIT_OK;
}

/* "train.lr=1e-3", but not "a=b/c.txt" where settings are not taken. */
static bool is_setting(const char *word)
{
    const char *equals = strchr(word, '=');
    if (!cli.command->settings || !equals || equals == word) return false;
    for (const char *c = word; c < equals; c++)
        if (*c == '/' || *c == ' ') return false;
    return true;
}

static void take_word(const char *word)
{
    if (is_setting(word))
        cli.setting[cli.n_settings++] = word;
    else
        cli.argument[cli.n_arguments++] = word;
}

static int unknown_command(const char *name)
{
    const char *names[64];
    size_t n = 0;
    for (; n < cli_n_commands && n < COUNT(names); n++) names[n] = cli_commands[n]->name;
    const char *near = gr_nearest_name(name, names, n);
    return near ? cli_usage("no command '%s'; did you mean '%s'?", name, near) : cli_usage("no command '%s'", name);
}

static int check_count(void)
{
    const cli_command *c = cli.command;
    if (cli.help) return EXIT_OK;
    if (cli.n_arguments < c->least) return cli_usage("%s wants %s", c->name, c->arguments);
    if (c->most >= 0 && cli.n_arguments > c->most) {
        const char *extra = cli.argument[c->most];
        return c->settings ? cli_usage("'%s' is one argument too many; settings are written key=value", extra)
                           : cli_usage("'%s' is one argument too many", extra);
    }
    return EXIT_OK;
}

/* As many as there are words, of which the program and its command are no arguments. */
static bool make_room(int argc)
{
    cli.argument = calloc((size_t)argc + 1, sizeof *cli.argument);
    cli.setting = calloc((size_t)argc + 1, sizeof *cli.setting);
    return cli.argument && cli.setting;
}

int cli_parse(int argc, char **argv)
{
    words w = {argv, argc, 1};
    bool only_words = false;
    for (int i = 1; i < argc; i++) cli.json |= strcmp(argv[i], "--json") == 0; /* what fails before it is read too */
    if (!make_room(argc)) {
        fprintf(stderr, "gradus: no memory for %d arguments\n", argc);
        return EXIT_FAILED;
    }
    while (w.at < w.n) {
        const char *word = w.word[w.at++];
        int code = EXIT_OK;
        if (!only_words && strcmp(word, "--") == 0)
            only_words = true;
        else if (!only_words && word[0] == '-' && word[1]) {
            if (!cli.command && strcmp(word, "--version") == 0)
                cli.command = cli_find("version");
            else
                code = take_option(&w, word);
        } else if (!cli.command) {
            cli.command = cli_find(word);
            if (!cli.command) code = unknown_command(word);
        } else {
            take_word(word);
        }
        if (code != EXIT_OK) return code;
    }
    return cli.command ? check_count() : EXIT_OK;
}
