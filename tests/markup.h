/* A small reader of XML that stands for the browser: tags nest, attributes are quoted, nothing unescaped, every coordinate
 * is a number inside the picture. Fails the test otherwise. */
#ifndef GR_MARKUP_H
#define GR_MARKUP_H

#include "tests/test.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static inline bool is_void(const char *name)
{
    return !strcmp(name, "meta") || !strcmp(name, "br") || !strcmp(name, "img");
}

/* Numbers of a coordinate list ("M64 12.5h0L70 3"): all inside -1 .. 1e4. */
static inline void read_numbers(const char *p, const char *end)
{
    for (int guard = 0; p < end; guard++) {
        if (isdigit((unsigned char)*p) || *p == '-') {
            char *after;
            double v = strtod(p, &after);
            if (!(v >= -1 && v <= 10000) || after > end) fail_msg("number out of the picture: %.*s", (int)(end - p), p);
            p = after;
        } else if (strchr("MLh ", *p)) {
            p++;
        } else {
            fail_msg("not a number: %.*s", (int)(end - p > 30 ? 30 : end - p), p);
        }
    }
}

static inline const char *read_attributes(const char *p)
{
    static const char *const numeric[] = {"x",  "y", "x1", "x2",      "y1",        "y2",     "cx",
                                          "cy", "r", "d",  "viewBox", "font-size", "height", "fill-opacity"};
    while (*p == ' ') {
        const char *name = ++p;
        p += strcspn(p, "=\" <>/");
        size_t n = (size_t)(p - name);
        assert_true(n > 0);
        if (*p != '=') continue; /* HTML allows an attribute without a value */
        assert_int_equal(p[1], '"');
        const char *value = p + 2, *end = strchr(value, '"');
        assert_non_null(end);
        for (const char *c = value; c < end; c++) assert_true(*c != '<' && *c != '>');
        for (size_t i = 0; i < sizeof numeric / sizeof *numeric; i++)
            if (strlen(numeric[i]) == n && memcmp(numeric[i], name, n) == 0) read_numbers(value, end);
        p = end + 1;
    }
    return p;
}

/* Reads one text; returns the number of elements. */
static inline int read_markup(const char *text)
{
    enum { DEEP = 16 };
    char open[DEEP][16];
    int depth = 0, elements = 0;
    for (const char *p = text; *p;) {
        if (*p == '&') {
            size_t n = strcspn(p, ";<");
            assert_true(p[n] == ';' && n <= 5);
            p += n + 1;
        } else if (*p == '>') {
            fail_msg("a naked > in %.40s", p);
        } else if (*p != '<') {
            assert_true((unsigned char)*p >= 0x20 || *p == '\n' || *p == '\t');
            p++;
        } else if (p[1] == '!') {
            p = strchr(p, '>') + 1;
        } else if (p[1] == '/') {
            assert_true(depth > 0);
            size_t n = strlen(open[--depth]);
            if (memcmp(p + 2, open[depth], n) != 0 || p[2 + n] != '>') fail_msg("<%s> closed by %.12s", open[depth], p);
            p += n + 3;
        } else {
            size_t n = strcspn(++p, " />");
            assert_true(n > 0 && n < sizeof open[0] && depth < DEEP);
            memcpy(open[depth], p, n);
            open[depth][n] = 0;
            p = read_attributes(p + n);
            elements++;
            if (*p == '/')
                p++;
            else if (!is_void(open[depth]))
                depth++;
            assert_int_equal(*p, '>');
            p++;
            if (depth && !strcmp(open[depth - 1], "style")) p = strstr(p, "</style>");
        }
    }
    assert_int_equal(depth, 0);
    return elements;
}

#endif
