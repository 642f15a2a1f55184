#include "conf/conf_int.h"

#include <stdlib.h>
#include <string.h>

#define OPEN "\xEE\x80\x80"  /* U+E000 for { */
#define CLOSE "\xEE\x80\x81" /* U+E001 for } */

/* Length of '$' open NAME close at the start of 'text', else 0. */
static size_t length_with(const char *text, const char *open, const char *close)
{
    size_t start = 1 + strlen(open), i = start;
    if (text[0] != '$' || strncmp(text + 1, open, start - 1) != 0) return 0;
    for (;; i++) {
        char c = text[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
        if (!letter && (i == start || c < '0' || c > '9')) break;
    }
    return i > start && strncmp(text + i, close, strlen(close)) == 0 ? i + strlen(close) : 0;
}

size_t gr__conf_variable_length(const char *text) { return length_with(text, "{", "}"); }

static size_t hidden_length(const char *text) { return length_with(text, OPEN, CLOSE); }

void gr__conf_hide_variables(const char *text, size_t n, gr__str *out)
{
    for (size_t i = 0; i < n;) {
        size_t length = text[i] == '$' ? gr__conf_variable_length(text + i) : 0, end = i + 1;
        if (length > 0) {
            gr__str_add(out, "$" OPEN);
            gr__str_add_n(out, text + i + 2, length - 3);
            gr__str_add(out, CLOSE);
            i += length;
            continue;
        }
        while (end < n && text[end] != '$') end++;
        gr__str_add_n(out, text + i, end - i);
        i = end;
    }
}

/* A name, put between "${" and "}"; 'to' may be the text itself, which only becomes shorter. */
static char *put_raw(char *to, const char *hidden, size_t length)
{
    size_t n = length - 1 - strlen(OPEN) - strlen(CLOSE);
    *to++ = '$';
    *to++ = '{';
    memmove(to, hidden + 1 + strlen(OPEN), n);
    to[n] = '}';
    return to + n + 1;
}

void gr__conf_unhide_variables(char *text)
{
    char *to = text;
    for (const char *from = text; *from;) {
        size_t length = hidden_length(from);
        if (length) {
            to = put_raw(to, from, length);
            from += length;
        } else {
            *to++ = *from++;
        }
    }
    *to = 0;
}

static bool is_utf8(const char *text)
{
    size_t n = strlen(text), at = 0, step = 1;
    while (at < n && (step = gr__utf8_step(text + at, n - at)) > 0) at += step;
    return step > 0;
}

static gr_status add_value(const char *hidden, size_t length, gr__str *out, gr__str *why)
{
    gr__str name = {0};
    gr__str_add_n(&name, hidden + 1 + strlen(OPEN), length - 1 - strlen(OPEN) - strlen(CLOSE));
    gr_status status = gr__str_check(&name);
    const char *value = status == GR_OK ? getenv(name.text) : NULL;
    if (status == GR_OK && !value && strcmp(name.text, "GRADUS_DATA") == 0) value = "../shared/data";
    if (status == GR_OK && !value) {
        gr__str_printf(why, "environment variable '%.100s' is not set; set it, or write $${%.100s} for this very text",
                       name.text, name.text);
        status = GR_ERR_CONFIG;
    } else if (status == GR_OK && !is_utf8(value)) {
        gr__str_printf(why, "environment variable '%.100s' is not UTF-8 text", name.text);
        status = GR_ERR_CONFIG;
    } else if (status == GR_OK) {
        gr__str_add(out, value);
    }
    gr__str_release(&name);
    return why->failed ? gr__str_check(why) : status;
}

gr_status gr__conf_expand(const char *hidden, gr__arena *arena, const char **out, gr__str *why)
{
    gr__str s = {0};
    gr_status status = GR_OK;
    for (const char *p = hidden; *p && status == GR_OK;) {
        size_t length = hidden_length(p), escaped = *p == '$' ? hidden_length(p + 1) : 0;
        if (length) {
            status = add_value(p, length, &s, why);
            p += length;
        } else if (escaped) { /* $${NAME} */
            gr__str_add(&s, "${");
            gr__str_add_n(&s, p + 2 + strlen(OPEN), escaped - 1 - strlen(OPEN) - strlen(CLOSE));
            gr__str_add_char(&s, '}');
            p += 1 + escaped;
        } else {
            gr__str_add_char(&s, *p++);
        }
    }
    if (status == GR_OK) status = gr__str_check(&s);
    if (status == GR_OK && !(*out = gr__arena_strndup(arena, gr__str_get(&s), s.n)))
        status = gr__fail_memory("a configuration", s.n);
    gr__str_release(&s);
    return status;
}
