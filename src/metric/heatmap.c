#include "metric/plot_int.h"

#include "metric/html.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The drawing: a square of cells behind the names of the rows, the names of the columns below.
 *
 *   title
 *   name | 12 |  0 |
 *   name |  3 | 48 |
 *         name name
 *          x label
 */
typedef struct layout {
    double left, top, cell;
    bool slanted; /* names of columns that are wider than a cell */
    double widest;
} layout;

enum { LABEL = 22, LARGEST_CELL = 96, WIDEST_NAME = 130 };

static const char *name_of(const gr__heatmap *m, size_t i, char number[24])
{
    if (m->names && m->names[i]) return m->names[i];
    snprintf(number, 24, "%zu", i);
    return number;
}

static layout lay_out(const gr__heatmap *m)
{
    layout l = {.top = GR__SVG_TOP + (m->title ? 26 : 0)};
    for (size_t i = 0; i < m->k; i++) {
        char number[24];
        l.widest = fmax(l.widest, gr__svg_text_width(name_of(m, i, number)));
    }
    l.left = LABEL + 12 + fmin(l.widest, WIDEST_NAME);
    l.cell = fmin((GR__SVG_WIDTH - GR__SVG_RIGHT - l.left) / (double)m->k, LARGEST_CELL);
    l.slanted = m->names && l.widest > l.cell - 4;
    l.left += (GR__SVG_WIDTH - GR__SVG_RIGHT - l.left - l.cell * (double)m->k) / 2;
    return l;
}

static void put_cell(gr__str *out, const gr__heatmap *m, const layout *l, size_t i, size_t k)
{
    double share = fmin(fmax(m->share[i * m->k + k], 0), 1), x = l->left + (double)k * l->cell;
    double y = l->top + (double)i * l->cell;
    long long count = (long long)m->count[i * m->k + k];
    char row[24], column[24], text[32];
    gr__svg_rect(out, x + 0.5, y + 0.5, l->cell - 1, l->cell - 1);
    gr__str_printf(out, " fill=\"#2563b0\" fill-opacity=\"0.%02d\"><title>", GR__MIN(4 + (int)(share * 95), 99));
    gr__html_text(out, name_of(m, i, row));
    gr__str_add(out, " as ");
    gr__html_text(out, name_of(m, k, column));
    gr__str_printf(out, ": %lld (%d%%)</title></rect>\n", count, (int)lround(100 * share));
    snprintf(text, sizeof text, "%lld", count);
    double size = fmin(13, 1.7 * (l->cell - 4) / fmax((double)strlen(text), 1));
    if (count == 0 || size < 7 || l->cell < 14) return;
    gr__str more = {0};
    gr__str_printf(&more, " pointer-events=\"none\" font-size=\"%d\"%s", (int)size,
                   share > 0.8 ? " fill=\"#fff\"" : "");
    gr__svg_text(out, x + l->cell / 2, y + l->cell / 2 + size * 0.35, "middle", gr__str_get(&more), text);
    out->failed |= more.failed;
    gr__str_release(&more);
}

static void put_names(gr__str *out, const gr__heatmap *m, const layout *l)
{
    size_t step = (size_t)fmax(ceil((m->names ? 13 : 20) / l->cell), 1); /* names that would overlap are left out */
    double below = l->top + l->cell * (double)m->k;
    for (size_t i = 0; i < m->k; i += step) {
        char number[24];
        double middle = ((double)i + 0.5) * l->cell, x = l->left + middle;
        gr__str name = {0}, more = {0};
        gr__svg_cut(&name, name_of(m, i, number), WIDEST_NAME);
        gr__svg_text(out, l->left - 6, l->top + middle + 4, "end", "", gr__str_get(&name));
        if (l->slanted) {
            gr__str_printf(&more, " transform=\"rotate(-40 %d %d)\"", (int)x + 4, (int)below + 12);
            gr__svg_text(out, x + 4, below + 12, "end", gr__str_get(&more), gr__str_get(&name));
        } else {
            gr__svg_text(out, x, below + 16, "middle", "", gr__str_get(&name));
        }
        out->failed |= more.failed | name.failed;
        gr__str_release(&more);
        gr__str_release(&name);
    }
}

void gr__svg_heatmap(gr__str *out, const gr__heatmap *m)
{
    layout l = lay_out(m);
    double side = l.cell * (double)m->k;
    double names = l.slanted ? 16 + fmin(l.widest, WIDEST_NAME) * 0.65 : 20;
    int height = (int)ceil(l.top + side + names + 26);
    gr__svg_begin(out, height, m->title ? m->title : "table");
    if (m->title)
        gr__svg_text(out, LABEL, GR__SVG_TOP + 10, "start", " font-size=\"15\" font-weight=\"600\"", m->title);
    for (size_t i = 0; i < m->k; i++)
        for (size_t k = 0; k < m->k; k++) put_cell(out, m, &l, i, k);
    put_names(out, m, &l);
    if (m->x_label) gr__svg_text(out, l.left + side / 2, height - 8, "middle", " fill-opacity=\"0.75\"", m->x_label);
    if (m->y_label) {
        gr__str more = {0};
        int x = (int)(l.left - fmin(l.widest, WIDEST_NAME)) - 18, y = (int)(l.top + side / 2);
        gr__str_printf(&more, " fill-opacity=\"0.75\" transform=\"rotate(-90 %d %d)\"", x, y);
        gr__svg_text(out, x, y, "middle", gr__str_get(&more), m->y_label);
        out->failed |= more.failed;
        gr__str_release(&more);
    }
    gr__str_add(out, "</svg>\n");
}
