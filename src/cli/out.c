#include "cli/out.h"

#include "gradus/tools.h"

#include <errno.h>
#include <poll.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* ---- terminals ---- */

bool out_is_terminal(FILE *file)
{
    const char *term = getenv("TERM");
    return isatty(fileno(file)) && !(term && strcmp(term, "dumb") == 0);
}

int out_columns(FILE *file)
{
    struct winsize size;
    return ioctl(fileno(file), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

static bool has_colors(FILE *file)
{
    const char *no = getenv("NO_COLOR");
    if (cli.color) return cli.color == 1;
    return !(no && *no) && out_is_terminal(file);
}

const char *out_bold(FILE *file) { return has_colors(file) ? "\033[1m" : ""; }
const char *out_faint(FILE *file) { return has_colors(file) ? "\033[2m" : ""; }
const char *out_red(FILE *file) { return has_colors(file) ? "\033[31m" : ""; }
const char *out_plain(FILE *file) { return has_colors(file) ? "\033[0m" : ""; }

void out_note(const char *format, ...)
{
    va_list args;
    if (cli.quiet) return;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

static int first_error; /* errno of standard output's first failure */

bool out_broken(void)
{
    if (fflush(stdout) != 0 && !first_error) first_error = errno;
    return first_error != 0;
}

/* ---- tables ---- */

/* Code points of three bytes from U+1100 on are mostly East Asian and take two columns; the block and box characters
 * that we draw (U+2500 to U+28FF) take one. */
/* Of the character that begins here; 0: none does. */
static int width_at(const unsigned char *p)
{
    if ((*p & 0xC0) == 0x80) return 0;
    return (*p >= 0xE3 && *p <= 0xED) || *p >= 0xF0 ? 2 : 1;
}

int out_width(const char *text)
{
    int width = 0;
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) width += width_at(p);
    return width;
}

const char *out_cut(char *out, int width, const char *text)
{
    bool whole = out_width(text) <= width;
    int left = whole ? width : width - 3;
    size_t n = 0;
    for (; text[n] && (left -= width_at((const unsigned char *)text + n)) >= 0; n++) out[n] = text[n];
    strcpy(out + n, whole ? "" : "...");
    return out;
}

void out_cell(out_table *t, const char *format, ...)
{
    va_list args;
    char *text = NULL;
    va_start(args, format);
    if (vasprintf(&text, format, args) < 0) text = NULL;
    va_end(args);
    if (t->n == t->capacity) {
        size_t capacity = t->capacity ? 2 * t->capacity : 64;
        char **cell = realloc(t->cell, capacity * sizeof *cell);
        if (!cell) {
            free(text);
            return;
        }
        t->cell = cell;
        t->capacity = capacity;
    }
    t->cell[t->n++] = text;
}

static void print_cell(FILE *file, const char *text, int width, char align, bool last)
{
    int pad = width - out_width(text);
    if (align == 'r')
        fprintf(file, "%*s%s", pad, "", text);
    else
        fprintf(file, "%s%*s", text, last ? 0 : pad, "");
    fputs(last ? "\n" : "  ", file);
}

void out_print_table(FILE *file, out_table *t, bool head)
{
    size_t columns = strlen(t->align);
    int width[32] = {0};
    for (size_t i = 0; i < t->n; i++) {
        int w = t->cell[i] ? out_width(t->cell[i]) : 0;
        if (w > width[i % columns]) width[i % columns] = w;
    }
    for (size_t i = 0; i < t->n; i++) {
        size_t c = i % columns;
        if (c == 0) fprintf(file, "  %s", head && i == 0 ? out_faint(file) : "");
        print_cell(file, t->cell[i] ? t->cell[i] : "", width[c], t->align[c], c == columns - 1);
        if (head && i == columns - 1) fputs(out_plain(file), file);
        free(t->cell[i]);
    }
    free(t->cell);
    *t = (out_table){.align = t->align};
}

/* ---- JSON ---- */

enum { MOST_DEPTH = 16 };
static struct {
    int depth;
    char close[MOST_DEPTH];
    bool has_items[MOST_DEPTH];
} state;

static void string(const char *text, size_t n)
{
    putchar('"');
    for (size_t i = 0, step; i < n; i += step ? step : 1) {
        unsigned char c = (unsigned char)text[i];
        step = gr_character_bytes(text + i, n - i);
        if (step == 0)
            fputs("\xEF\xBF\xBD", stdout); /* U+FFFD: names of files may be any bytes */
        else if (c == '"' || c == '\\')
            printf("\\%c", c);
        else if (c == '\n')
            fputs("\\n", stdout);
        else if (c < 0x20)
            printf("\\u%04x", c);
        else
            fwrite(text + i, 1, step, stdout);
    }
    putchar('"');
}

static void begin_item(const char *key)
{
    if (state.depth > 0) {
        if (state.has_items[state.depth - 1]) fputs(", ", stdout);
        state.has_items[state.depth - 1] = true;
    }
    if (!key) return;
    string(key, strlen(key));
    fputs(": ", stdout);
}

void json_open_key(const char *key, char bracket)
{
    begin_item(key);
    putchar(bracket);
    if (state.depth == MOST_DEPTH) return;
    state.close[state.depth] = bracket == '{' ? '}' : ']';
    state.has_items[state.depth++] = false;
}

void json_open(char bracket) { json_open_key(NULL, bracket); }

void json_close(void)
{
    if (state.depth > 0) putchar(state.close[--state.depth]);
}

void json_text_n(const char *key, const char *text, size_t n)
{
    begin_item(key);
    string(text, n);
}

void json_text(const char *key, const char *text)
{
    if (text) {
        json_text_n(key, text, strlen(text));
        return;
    }
    begin_item(key);
    fputs("null", stdout);
}

void json_number(const char *key, double value)
{
    char text[32] = "null";
    begin_item(key);
    if (isfinite(value)) gr_show_number(text, value);
    fputs(text, stdout);
}

void json_int(const char *key, int64_t value)
{
    begin_item(key);
    printf("%lld", (long long)value);
}

void json_bool(const char *key, bool value)
{
    begin_item(key);
    fputs(value ? "true" : "false", stdout);
}

void json_raw(const char *key, const char *json)
{
    begin_item(key);
    fputs(json, stdout);
}

void json_end(void)
{
    while (state.depth > 0) json_close();
    putchar('\n');
    out_broken();
}

void out_text(const char *key, const char *text)
{
    if (!cli.json) {
        fputs(text, stdout);
        return;
    }
    json_open('{');
    json_text(key, text);
    json_end();
}

/* ---- the end ---- */

/* A long text fails inside of stdio, which does not keep the reason. */
static bool reader_went_away(void)
{
    struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};
    return poll(&p, 1, 0) == 1 && p.revents & POLLERR;
}

int out_finish(int code)
{
    errno = 0;
    bool failed = out_broken() || ferror(stdout);
    if (!failed || first_error == EPIPE || (!first_error && reader_went_away())) return code;
    fprintf(stderr, "gradus: cannot write to standard output: %s\n", first_error ? strerror(first_error) : "it failed");
    return code ? code : EXIT_FAILED;
}
