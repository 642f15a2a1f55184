/* Tree -> YAML that reads back as the same tree: block maps, lists of scalars on one line. */
#include "conf/conf_int.h"

#include <string.h>

/* Plain style only where no reader of YAML could see anything but the text. */
static bool is_plain(const char *text)
{
    size_t n = strlen(text);
    if (n == 0 || text[0] == ' ' || text[n - 1] == ' ' || strcmp(text, "-") == 0) return false;
    if (strncmp(text, "- ", 2) == 0 || strncmp(text, "---", 3) == 0 || strncmp(text, "...", 3) == 0) return false;
    for (const char *p = text; *p; p++) {
        bool letter = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9');
        if (!letter && !strchr("_./+- ~", *p)) return false;
    }
    return text[0] != '~' || n == 1;
}

/* What may not stand between double quotes as it is: controls, and the line breaks and marks of Unicode. */
static bool is_printable(const char *p, size_t step)
{
    const unsigned char *u = (const unsigned char *)p;
    if (step == 1) return u[0] >= 0x20 && u[0] < 0x7f;
    if (step == 2) return u[0] > 0xC2 || u[1] >= 0xA0;
    return !(step == 3 &&
             ((u[0] == 0xE2 && u[1] == 0x80 && (u[2] == 0xA8 || u[2] == 0xA9)) ||
              (u[0] == 0xEF && u[1] == 0xBB && u[2] == 0xBF) || (u[0] == 0xEF && u[1] == 0xBF && u[2] >= 0xBE)));
}

static unsigned code_of(const char *p, size_t step)
{
    const unsigned char *u = (const unsigned char *)p;
    if (step == 1) return u[0];
    if (step == 2) return (u[0] & 0x1Fu) << 6 | (u[1] & 0x3Fu);
    return (u[0] & 0x0Fu) << 12 | (u[1] & 0x3Fu) << 6 | (u[2] & 0x3Fu);
}

/* In a value "${NAME}" as text is written "$${NAME}"; keys are not expanded. */
static void write_quoted(const char *text, bool is_key, gr__str *out)
{
    size_t n = strlen(text);
    gr__str_add_char(out, '"');
    for (size_t i = 0; i < n;) {
        size_t step = gr__utf8_step(text + i, n - i);
        if (!is_key && gr__conf_variable_length(text + i)) gr__str_add_char(out, '$');
        if (text[i] == '"' || text[i] == '\\')
            gr__str_printf(out, "\\%c", text[i]);
        else if (text[i] == '\n')
            gr__str_add(out, "\\n");
        else if (text[i] == '\t')
            gr__str_add(out, "\\t");
        else if (step == 0)
            gr__str_add(out, "\\uFFFD");
        else if (!is_printable(text + i, step))
            gr__str_printf(out, "\\u%04X", code_of(text + i, step));
        else
            gr__str_add_n(out, text + i, step);
        i += step ? step : 1;
    }
    gr__str_add_char(out, '"');
}

static void write_text(const char *text, bool must_quote, bool is_key, gr__str *out)
{
    if (!must_quote && is_plain(text))
        gr__str_add(out, text);
    else
        write_quoted(text, is_key, out);
}

/* "" and "null" need quotes to be texts. */
static bool reads_as_null(const char *text)
{
    gr__conf plain = {.kind = GR__CONF_SCALAR, .text = text};
    return gr__conf_is_null(&plain);
}

static void write_scalar(const gr__conf *node, gr__str *out)
{
    if (gr__conf_is_null(node))
        gr__str_add(out, "null");
    else
        write_text(node->text, reads_as_null(node->text), false, out);
}

static bool has_containers(const gr__conf *list)
{
    for (const gr__conf *c = list->first; c; c = c->next)
        if (c->kind != GR__CONF_SCALAR && c->count > 0) return true;
    return false;
}

static void indent(int depth, gr__str *out)
{
    for (int i = 0; i < depth; i++) gr__str_add(out, "  ");
}

static void write_flow(const gr__conf *node, gr__str *out)
{
    if (node->kind == GR__CONF_MAP) {
        gr__str_add(out, "{}");
    } else if (node->kind == GR__CONF_SCALAR) {
        write_scalar(node, out);
    } else {
        gr__str_add_char(out, '[');
        for (const gr__conf *c = node->first; c; c = c->next) {
            write_flow(c, out);
            if (c->next) gr__str_add(out, ", ");
        }
        gr__str_add_char(out, ']');
    }
}

/* Recursion is bounded by the depth of the tree (conf.c). */
static void write_block(const gr__conf *node, int depth, bool first_inline, gr__str *out)
{
    for (const gr__conf *c = node->first; c; c = c->next) {
        if (!first_inline || c != node->first) indent(depth, out);
        if (node->kind == GR__CONF_MAP) {
            write_text(c->key, reads_as_null(c->key), true, out);
            gr__str_add_char(out, ':');
        } else {
            gr__str_add_char(out, '-');
        }
        bool block = c->kind == GR__CONF_MAP ? c->count > 0 : c->kind == GR__CONF_SEQ && has_containers(c);
        if (!block) {
            gr__str_add_char(out, ' ');
            write_flow(c, out);
            gr__str_add_char(out, '\n');
        } else if (node->kind == GR__CONF_SEQ) {
            gr__str_add_char(out, ' ');
            write_block(c, depth + 1, true, out);
        } else {
            gr__str_add_char(out, '\n');
            write_block(c, depth + 1, false, out);
        }
    }
}

void gr__conf_write_yaml(const gr__conf *node, gr__str *out)
{
    if (node->kind == GR__CONF_SCALAR || node->count == 0) {
        write_flow(node, out);
        gr__str_add_char(out, '\n');
    } else {
        write_block(node, 0, false, out);
    }
}
