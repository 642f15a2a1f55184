#include "metric/html.h"

#include <string.h>

/* ---- escaping ---- */

/* Bytes of the well-formed UTF-8 character at p (ends with 0), or 0. */
static size_t utf8_length(const unsigned char *p)
{
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xC2 ? 0 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : p[0] < 0xF5 ? 4 : 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xC0) != 0x80) return 0;
    bool overlong = (p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xF0 && p[1] < 0x90);
    bool beyond = (p[0] == 0xED && p[1] >= 0xA0) || (p[0] == 0xF4 && p[1] >= 0x90);
    return n > 1 && (overlong || beyond) ? 0 : n;
}

static const char *entity(char c)
{
    switch (c) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&quot;";
    case '\'': return "&#39;";
    default: return NULL;
    }
}

void gr__html_text(gr__str *out, const char *text)
{
    for (const char *p = text; *p;) {
        size_t n = utf8_length((const unsigned char *)p);
        bool control = n == 1 && ((unsigned char)*p < 0x20 || *p == 0x7F) && *p != '\n' && *p != '\t';
        const char *special = entity(*p);
        if (n == 0 || control)
            gr__str_add(out, "\xEF\xBF\xBD");
        else if (special)
            gr__str_add(out, special);
        else
            gr__str_add_n(out, p, n);
        p += n ? n : 1;
    }
}

static void element(gr__str *out, const char *open, const char *text, const char *close)
{
    gr__str_add(out, open);
    gr__html_text(out, text);
    gr__str_add(out, close);
}

/* ---- the page ---- */

static const char style[] =
    ":root{color-scheme:light dark;--ink:#1d2330;--paper:#fff;--soft:#f4f5f8;--line:#d9dce3;--faint:#5d6676}\n"
    "@media(prefers-color-scheme:dark){"
    ":root{--ink:#e3e6ee;--paper:#14171d;--soft:#1d2129;--line:#343a46;--faint:#98a1b3}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0 auto;padding:2rem 1.25rem 4rem;max-width:70rem;background:var(--paper);color:var(--ink);"
    "font:16px/1.55 system-ui,\"Noto Sans\",\"Noto Sans SC\",sans-serif}\n"
    "h1{font-size:1.7rem;margin:0 0 1rem;line-height:1.2}\n"
    "h2{font-size:1.2rem;margin:2.2rem 0 .8rem;padding-bottom:.3rem;border-bottom:1px solid var(--line)}\n"
    "p{max-width:46rem}\n"
    "pre{background:var(--soft);border:1px solid var(--line);border-radius:6px;padding:.8rem 1rem;overflow-x:auto;"
    "font:13px/1.5 ui-monospace,monospace;white-space:pre-wrap;overflow-wrap:anywhere}\n"
    ".scroll{overflow-x:auto}\n"
    "table{border-collapse:collapse;font-size:.93rem}\n"
    "th,td{padding:.32rem .9rem .32rem 0;text-align:left;border-bottom:1px solid var(--line);vertical-align:top}\n"
    "th{color:var(--faint);font-weight:600}\n"
    "td.n{text-align:right;font-variant-numeric:tabular-nums}\n"
    ".facts{display:grid;grid-template-columns:repeat(auto-fill,minmax(9.5rem,1fr));gap:.7rem;margin:1rem 0}\n"
    ".facts div{background:var(--soft);border:1px solid var(--line);border-radius:8px;padding:.6rem .9rem}\n"
    ".facts b{display:block;font-size:1.3rem;font-weight:650;font-variant-numeric:tabular-nums;"
    "overflow-wrap:anywhere}\n"
    ".facts span{color:var(--faint);font-size:.85rem}\n"
    ".charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,27rem),1fr));gap:1rem}\n"
    ".charts svg{background:var(--soft);border:1px solid var(--line);border-radius:8px}\n"
    "img{max-width:100%;height:auto}\n"
    ".dots{image-rendering:pixelated}\n"
    ".key{display:inline-block;width:.9rem;height:.9rem;border-radius:3px;vertical-align:middle}\n"
    "svg{width:100%;height:auto;display:block}\n"
    "@media print{body{max-width:none}.charts svg,table{break-inside:avoid}}\n";

void gr__html_begin(gr__str *out, const char *title)
{
    gr__str_add(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                     "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n");
    element(out, "<title>", title, "</title>\n<style>\n");
    gr__str_add(out, style);
    gr__str_add(out, "</style>\n</head>\n<body>\n");
    element(out, "<h1>", title, "</h1>\n");
}

void gr__html_end(gr__str *out) { gr__str_add(out, "</body>\n</html>\n"); }
void gr__html_section(gr__str *out, const char *title) { element(out, "<h2>", title, "</h2>\n"); }
void gr__html_paragraph(gr__str *out, const char *text) { element(out, "<p>", text, "</p>\n"); }
void gr__html_code(gr__str *out, const char *text) { element(out, "<pre>", text, "</pre>\n"); }

/* ---- tables and boxes ---- */

void gr__html_table_begin(gr__str *out, const char *const *head, size_t columns)
{
    gr__str_add(out, "<div class=\"scroll\">\n<table>\n");
    if (!head) return;
    gr__str_add(out, "<tr>");
    for (size_t i = 0; i < columns; i++) element(out, "<th>", head[i], "</th>");
    gr__str_add(out, "</tr>\n");
}

/* A number, perhaps with % behind it. */
static bool is_number(const char *text)
{
    char copy[32];
    double value;
    size_t n = strlen(text);
    if (n == 0 || n >= sizeof copy) return false;
    memcpy(copy, text, n + 1);
    if (copy[n - 1] == '%') copy[n - 1] = 0;
    return gr__parse_double(copy, &value);
}

static void add_cells(gr__str *out, const char *const *cell, size_t columns)
{
    for (size_t i = 0; i < columns; i++)
        element(out, is_number(cell[i]) ? "<td class=\"n\">" : "<td>", cell[i], "</td>");
    gr__str_add(out, "</tr>\n");
}

void gr__html_table_row(gr__str *out, const char *const *cell, size_t columns)
{
    gr__str_add(out, "<tr>");
    add_cells(out, cell, columns);
}

void gr__html_table_row_with(gr__str *out, const char *html, const char *const *cell, size_t columns)
{
    gr__str_add(out, "<tr><td>");
    gr__str_add(out, html);
    gr__str_add(out, "</td>");
    add_cells(out, cell, columns);
}

void gr__html_table_end(gr__str *out) { gr__str_add(out, "</table>\n</div>\n"); }

void gr__html_facts_begin(gr__str *out) { gr__str_add(out, "<div class=\"facts\">\n"); }

void gr__html_fact(gr__str *out, const char *name, const char *value)
{
    element(out, "<div><b>", value, "</b>");
    element(out, "<span>", name, "</span></div>\n");
}

void gr__html_facts_end(gr__str *out) { gr__str_add(out, "</div>\n"); }

static void add_base64(gr__str *out, const unsigned char *p, size_t n)
{
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i += 3) {
        unsigned v = (unsigned)p[i] << 16 | (i + 1 < n ? (unsigned)p[i + 1] << 8 : 0) | (i + 2 < n ? p[i + 2] : 0u);
        const char four[] = {digit[v >> 18], digit[v >> 12 & 63], i + 1 < n ? digit[v >> 6 & 63] : '=',
                             i + 2 < n ? digit[v & 63] : '='};
        gr__str_add_n(out, four, sizeof four);
    }
}

/* Pixels across, from the head of a PNG file; 0: it is none. */
static int64_t png_width(const unsigned char *p, size_t n)
{
    return n < 24 ? 0 : (int64_t)p[16] << 24 | (int64_t)p[17] << 16 | p[18] << 8 | p[19];
}

void gr__html_picture(gr__str *out, const void *png, size_t n, int64_t width, const char *text)
{
    gr__str_add(out, "<img ");
    if (width > png_width(png, n)) gr__str_add(out, "class=\"dots\" ");
    if (width) gr__str_printf(out, "width=\"%lld\" ", (long long)width);
    gr__str_add(out, "alt=\"");
    gr__html_text(out, text);
    gr__str_add(out, "\" src=\"data:image/png;base64,");
    add_base64(out, png, n);
    gr__str_add(out, "\">\n");
}

void gr__html_swatch(gr__str *out, const unsigned char rgb[3])
{
    gr__str_printf(out, "<span class=\"key\" style=\"background:#%02x%02x%02x\"></span>", rgb[0], rgb[1], rgb[2]);
}

void gr__html_charts_begin(gr__str *out) { gr__str_add(out, "<div class=\"charts\">\n"); }
void gr__html_charts_end(gr__str *out) { gr__str_add(out, "</div>\n"); }

gr_status gr__html_figure(gr__str *out, gr_status drawn, char **svg)
{
    if (drawn != GR_OK) return drawn;
    gr__str_add(out, *svg);
    gr__free(*svg);
    *svg = NULL;
    return GR_OK;
}
