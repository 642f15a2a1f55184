/* The program: commands as data, one parser, one way to print. It sees the library only through the public headers.
 *
 * Results go to standard output, everything else to standard error. A command returns an exit code. */
#ifndef CLI_H
#define CLI_H

#include "gradus/base.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum cli_exit {
    EXIT_OK = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_INVALID = 3, /* configuration or data */
    EXIT_UNSUPPORTED = 4,
    EXIT_CHECK = 5,    /* a check or a gate */
    EXIT_STOPPED = 75, /* with a checkpoint: the same command goes on */
    EXIT_INTERRUPTED = 130
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

typedef enum cli_type {
    CLI_FLAG,   /* bool */
    CLI_INT,    /* int64_t */
    CLI_DOUBLE, /* double */
    CLI_TEXT,   /* const char * */
    CLI_CHOICE, /* int: index into choices */
    CLI_LIST,   /* cli_list: the option may be repeated */
    CLI_TIME    /* double, seconds: "90", "90s", "15m", "2h" */
} cli_type;

enum { CLI_MOST_LIST = 64 };
typedef struct cli_list {
    const char *item[CLI_MOST_LIST];
    int n;
} cli_list;

typedef struct cli_option {
    const char *name; /* "max-tokens" */
    char letter;      /* 'q'; 0: none */
    cli_type type;
    void *into;                 /* the variable that it sets; keeps its value when the option is absent */
    const char *value;          /* "N"; NULL for flags */
    double low, high;           /* of numbers; both 0: any */
    const char *const *choices; /* ends with NULL */
    const char *doc;
    bool hidden;
    unsigned scope; /* bits that the command gives a meaning; 0: it always counts */
} cli_option;

typedef struct cli_command {
    const char *name, *group;
    const char *arguments; /* "CONFIG|SOURCE [key=value ...]" */
    const char *summary;   /* one line */
    const char *details;   /* paragraphs for the page; may be NULL */
    const cli_option *options;
    size_t n_options;
    int least, most;             /* number of arguments, without key=value; most < 0: any */
    bool settings;               /* takes key=value */
    const char *const *examples; /* ends with NULL */
    int (*run)(void);
} cli_command;

extern const cli_command *const cli_commands[];
extern const size_t cli_n_commands;
extern const cli_option cli_common[];
extern const size_t cli_n_common;
const cli_command *cli_find(const char *name); /* NULL: none */

/* What the command line said, the same for all commands. */
typedef struct cli_state {
    const cli_command *command;
    const char **argument;
    int n_arguments;
    const char **setting; /* key=value; there is room for one more */
    int n_settings;
    bool help, json, quiet, verbose;
    int64_t threads; /* 0: all */
    int64_t seed;    /* < 0: not given */
    int color;       /* 0 auto, 1 always, 2 never */
} cli_state;
extern cli_state cli;
#define CLI_ORIGIN "command line" /* of key=value, in messages */

/* args.c: fills 'cli' and the command's variables; a usage error prints and gives EXIT_USAGE, else EXIT_OK. */
int cli_parse(int argc, char **argv);
/* "gradus: <sentence>" and a hint to -h, as JSON too where that is asked for; EXIT_USAGE. */
int cli_usage(const char *format, ...) GR_PRINTF(1, 2);
/* The same for data that cannot be used, without the hint; EXIT_INVALID. */
int cli_invalid(const char *format, ...) GR_PRINTF(1, 2);
/* Whether each option that was given counts here; else "--user says nothing to <what>" and EXIT_USAGE. */
int cli_check_scope(unsigned scope, const char *what);

/* help.c */
void cli_print_overview(FILE *out);
void cli_print_page(FILE *out, const cli_command *command);

/* Hears each warning of the library too; NULL: nobody does. */
extern void (*cli_on_warning)(const char *line);

/* The library's last message to standard error (and as JSON where that is asked for), and the exit code of 'status'. */
int cli_fail(gr_status status);
int cli_exit_code(gr_status status);

#endif
