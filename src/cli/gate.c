#include "cli/gate.h"

#include "cli/out.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

cli_list gate_min, gate_max;

enum { NAME_ROOM = sizeof((gr_metric *)NULL)->name };

/* False unless it is NAME=NUMBER. */
static bool parse(const char *text, char name[NAME_ROOM], double *limit)
{
    const char *equals = strchr(text, '=');
    char *end;
    if (!equals || equals == text || equals - text >= NAME_ROOM || !equals[1]) return false;
    memcpy(name, text, (size_t)(equals - text));
    name[equals - text] = 0;
    *limit = strtod(equals + 1, &end);
    return *end == 0 && isfinite(*limit);
}

static bool all_fine(const cli_list *l, const char *option)
{
    char name[NAME_ROOM];
    double limit;
    for (int i = 0; i < l->n; i++)
        if (!parse(l->item[i], name, &limit)) {
            cli_usage("--%s wants NAME=NUMBER, as f1=0.9, not '%s'", option, l->item[i]);
            return false;
        }
    return true;
}

int gate_read(void) { return all_fine(&gate_min, "min") && all_fine(&gate_max, "max") ? EXIT_OK : EXIT_USAGE; }

static int unknown(const char *name, const gr_metric *m, int n)
{
    fprintf(stderr, "gradus: there is no measure '%s' here; there are", name);
    for (int i = 0; i < n; i++) fprintf(stderr, "%s %s", i ? "," : "", m[i].name);
    fputc('\n', stderr);
    return EXIT_USAGE;
}

/* The measure of a gate; n: there is none. */
static int find(const char *gate, const gr_metric *m, int n, char name[NAME_ROOM], double *limit)
{
    int k = 0;
    if (!parse(gate, name, limit)) return n;
    while (k < n && strcmp(m[k].name, name) != 0) k++;
    return k;
}

static int known(const cli_list *l, const gr_metric *m, int n)
{
    char name[NAME_ROOM];
    double limit;
    for (int i = 0; i < l->n; i++)
        if (find(l->item[i], m, n, name, &limit) == n) return unknown(name, m, n);
    return EXIT_OK;
}

int gate_known(const gr_metric *m, int n)
{
    int low = known(&gate_min, m, n);
    return low == EXIT_OK ? known(&gate_max, m, n) : low;
}

static int check_list(const cli_list *l, bool least, const gr_metric *m, int n)
{
    int code = EXIT_OK;
    for (int i = 0; i < l->n; i++) {
        char name[NAME_ROOM];
        double limit;
        int k = find(l->item[i], m, n, name, &limit);
        if (least ? m[k].value >= limit : m[k].value <= limit) continue; /* NaN passes neither */
        fprintf(stderr, "gradus: %s is %.6g, wanted is at %s %g\n", name, m[k].value, least ? "least" : "most", limit);
        code = EXIT_CHECK;
    }
    return code;
}

int gate_check(const gr_metric *m, int n)
{
    if (gate_known(m, n) != EXIT_OK) return EXIT_USAGE;
    int low = check_list(&gate_min, true, m, n), high = check_list(&gate_max, false, m, n);
    return high == EXIT_OK ? low : high;
}

void metrics_print(const gr_metric *m, int n)
{
    for (int i = 0; i < n; i++)
        if (cli.json)
            json_number(m[i].name, m[i].value);
        else
            printf("%-18s %.6g\n", m[i].name, m[i].value);
}
