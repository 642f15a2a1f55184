#include "metric/plot_int.h"

#include "metric/html.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* The drawing, in units of the view box:
 *
 *   title            TOP
 *   legend           one row of ROW for each line of it
 *   +--------------+ area.top
 *   |              |
 *   +--------------+ area.bottom
 *   tick labels, x label
 */
enum { HEIGHT = 360, LEFT = 64, ROW = 18, BOTTOM = 46, COLUMNS = 560, TICKS = 12 };
enum { WIDTH = GR__SVG_WIDTH, RIGHT = GR__SVG_RIGHT, TOP = GR__SVG_TOP };

static const double EQUAL = 1e-12; /* numbers this close, relatively, are one */

static const char *const palette[] = {"#3b82d6", "#e0762f", "#2a9d78", "#c8508c", "#8c6bd8", "#a3892a",
                                      "#2f9fb8", "#d1495b", "#7f8c3f", "#8a5a44", "#4a55c2", "#c98bb9"};

/* One axis: values low .. high, in log10 where 'log', onto from .. to. */
typedef struct axis {
    double low, high, from, to;
    bool log;
    double tick[TICKS];
    size_t ticks;
} axis;

/* ---- numbers as text, whatever the locale ---- */

void gr__svg_coordinate(gr__str *out, double v)
{
    long tenths = lround(v * 10);
    gr__str_printf(out, "%s%ld", tenths < 0 ? "-" : "", labs(tenths) / 10);
    if (tenths % 10) gr__str_printf(out, ".%ld", labs(tenths) % 10);
}

/* A tick label with just the digits that tell it from its neighbours 'step' away. */
static void put_value(gr__str *out, double v, double step)
{
    static const struct {
        double size;
        const char *unit;
    } scale[] = {{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}};
    const char *unit = "";
    double size = fabs(v);
    if (size >= 1e4 && size < 1e15)
        for (size_t i = 0; i < GR__COUNT(scale); i++)
            if (size >= scale[i].size) {
                v /= scale[i].size;
                step /= scale[i].size;
                unit = scale[i].unit;
                break;
            }
    int whole = v != 0 ? (int)floor(log10(fabs(v))) + 1 : 1;
    int digits = v != 0 && step > 0 ? (int)ceil(log10(fabs(v) / step) - 1e-9) + 1 : 1;
    char text[40];
    snprintf(text, sizeof text, "%.*g", GR__MIN(GR__MAX(digits, GR__MIN(GR__MAX(whole, 3), 4)), 12), v);
    for (char *p = text; *p; p++)
        if (*p == ',') *p = '.';
    gr__str_add(out, text);
    gr__str_add(out, unit);
}

/* ---- axes ---- */

size_t gr__nice_ticks(double low, double high, int wanted, double out[12])
{
    if (!(high > low) || !isfinite(high - low) || wanted < 1) return 0;
    if (high - low < EQUAL * fmax(fabs(low), fabs(high))) return 0; /* steps would vanish beside the values */
    double rough = (high - low) / wanted, power = pow(10, floor(log10(rough))), part = rough / power;
    double step = power * (part < 1.5 ? 1 : part < 3.5 ? 2 : part < 7.5 ? 5 : 10);
    if (!(step > 0) || !isfinite(step)) return 0;
    while (floor(high / step) - ceil(low / step) + 1 > TICKS) step *= 2;
    size_t n = 0;
    for (double k = ceil(low / step - 1e-9); n < TICKS && k * step <= high + step * 1e-9; k++)
        if (n == 0 || k * step > out[n - 1]) out[n++] = k == 0 ? 0 : k * step;
    return n;
}

/* 1, 2, 5 of each decade where they are few, else whole decades. */
static size_t log_ticks(double low, double high, double out[TICKS])
{
    static const double part[3][3] = {{1, 2, 5}, {1, 3, 0}, {1, 0, 0}};
    int first = (int)floor(low), last = (int)ceil(high), skip = (last - first) / 8 + 1;
    for (int set = skip > 1 ? 2 : 0; set < 3; set++) {
        size_t n = 0;
        bool fits = true;
        for (int decade = first; decade <= last; decade += skip)
            for (int i = 0; i < 3 && part[set][i] > 0; i++) {
                double v = decade + log10(part[set][i]);
                if (v < low - 1e-9 || v > high + 1e-9) continue;
                fits = fits && n < 9;
                if (n < TICKS) out[n++] = v;
            }
        if (fits && n >= 2) return n;
    }
    /* less than a factor of two: round numbers of the plain scale */
    size_t n = gr__nice_ticks(pow(10, low), pow(10, high), 5, out);
    for (size_t i = 0; i < n; i++) out[i] = log10(out[i]);
    return n;
}

static double on_scale(const axis *a, double v) { return a->log ? v > 0 ? log10(v) : NAN : v; }

static double place(const axis *a, double v) { return a->from + (v - a->low) / (a->high - a->low) * (a->to - a->from); }

static double series_x(const gr__series *s, size_t i) { return s->x ? s->x[i] : (double)i; }

/* Both coordinates of value i on the scales; false where there is nothing to draw. */
static bool get_point(const gr__series *s, size_t i, const axis *ax, const axis *ay, double *x, double *y)
{
    enum { FAR = 300 }; /* differences of larger numbers are infinite */
    *x = on_scale(ax, series_x(s, i));
    *y = on_scale(ay, s->y[i]);
    return isfinite(*x) && isfinite(*y) && fabs(*x) < pow(10, FAR) && fabs(*y) < pow(10, FAR);
}

static void include(axis *a, double v, bool first)
{
    a->low = first ? v : fmin(a->low, v);
    a->high = first ? v : fmax(a->high, v);
}

static void widen(axis *a, double margin)
{
    double span = a->high - a->low;
    if (!(span > EQUAL * fmax(fabs(a->low), fabs(a->high)))) {
        span = a->log ? 0.5 : a->low != 0 ? fabs(a->low) * 0.1 : 1;
        margin = 1;
    }
    a->low -= span * margin;
    a->high += span * margin;
}

static void set_range(axis *a, const gr__range *r)
{
    if (!(r->low < r->high)) return;
    a->low = r->low;
    a->high = r->high;
}

/* False: no value can be drawn; the axes are then 0 .. 1. */
static bool find_ranges(const gr__chart *c, axis *ax, axis *ay)
{
    bool any = false;
    for (size_t k = 0; k < c->series_count; k++)
        for (size_t i = 0; i < c->series[k].n; i++) {
            const gr__series *s = &c->series[k];
            double x, y;
            if (!get_point(s, i, ax, ay, &x, &y)) continue;
            include(ax, x, !any);
            include(ay, y, !any);
            if (s->bars) include(ax, on_scale(ax, s->x[i + 1]), false);
            if (s->low && isfinite(on_scale(ay, s->low[i]))) include(ay, on_scale(ay, s->low[i]), false);
            any = true;
        }
    if (!any) {
        ax->low = ay->low = 0;
        ax->high = ay->high = 1;
        ay->log = false;
    }
    bool zero = c->from_zero && !ay->log && ay->low >= 0;
    if (zero && ay->high > 0) ay->low = 0;
    widen(ax, 0);
    widen(ay, 0.05);
    if (zero) ay->low = 0;
    set_range(ax, &c->x_range);
    set_range(ay, &c->y_range);
    return any;
}

/* ---- drawing ---- */

void gr__svg_text(gr__str *out, double x, double y, const char *anchor, const char *more, const char *text)
{
    gr__str_add(out, "<text x=\"");
    gr__svg_coordinate(out, x);
    gr__str_add(out, "\" y=\"");
    gr__svg_coordinate(out, y);
    gr__str_printf(out, "\" text-anchor=\"%s\"%s>", anchor, more);
    gr__html_text(out, text);
    gr__str_add(out, "</text>\n");
}

static void put_line(gr__str *out, double x1, double y1, double x2, double y2, const char *more)
{
    const double v[4] = {x1, y1, x2, y2};
    static const char *const name[4] = {"<line x1=\"", "\" y1=\"", "\" x2=\"", "\" y2=\""};
    for (int i = 0; i < 4; i++) {
        gr__str_add(out, name[i]);
        gr__svg_coordinate(out, v[i]);
    }
    gr__str_printf(out, "\"%s/>\n", more);
}

static const char *colour_of(const gr__chart *c, size_t k)
{
    return c->series[k].colour ? c->series[k].colour : palette[k % GR__COUNT(palette)];
}

/* Of the character that begins with this byte; 0 inside of one. */
static double byte_width(char c)
{
    unsigned char u = (unsigned char)c;
    return (u & 0xC0) == 0x80 ? 0 : u >= 0xE2 ? 12.5 : 6.7;
}

double gr__svg_text_width(const char *text)
{
    double width = 0;
    for (const char *p = text; *p; p++) width += byte_width(*p);
    return width;
}

void gr__svg_cut(gr__str *out, const char *text, double width)
{
    static const char dots[] = "\xE2\x80\xA6";
    if (gr__svg_text_width(text) <= width) {
        gr__str_add(out, text);
        return;
    }
    size_t n = 0, end = 0;
    double used = gr__svg_text_width(dots);
    for (; text[n] && used + byte_width(text[n]) <= width; n++) {
        if (byte_width(text[n]) > 0) end = n;
        used += byte_width(text[n]);
    }
    if (byte_width(text[n]) > 0) end = n; /* the last one is whole */
    gr__str_add_n(out, text, end);
    gr__str_add(out, dots);
}

/* Writes the legend from y on and returns the y below it; 'out' NULL: only measures. */
static double put_legend(gr__str *out, const gr__chart *c, double y)
{
    enum { KEY = 24, GAP = 16 };
    double x = LEFT;
    bool any = false;
    for (size_t k = 0; k < c->series_count; k++) {
        const char *label = c->series[k].label;
        if (!label) continue;
        double width = KEY + gr__svg_text_width(label);
        if (any && x + width > WIDTH - RIGHT) {
            x = LEFT;
            y += ROW;
        }
        if (out) {
            gr__str more = {0};
            gr__str_add(&more, " stroke-width=\"3\" stroke-linecap=\"round\" stroke=\"");
            gr__html_text(&more, colour_of(c, k));
            gr__str_add(&more, c->series[k].dashed ? "\" stroke-dasharray=\"3 5\"" : "\"");
            put_line(out, x, y + 6, x + KEY - 8, y + 6, gr__str_get(&more));
            out->failed |= more.failed;
            gr__str_release(&more);
            gr__svg_text(out, x + KEY, y + 10, "start", "", label);
        }
        x += width + GAP;
        any = true;
    }
    return any ? y + ROW : y;
}

static double label_step(const axis *a, size_t i)
{
    size_t k = i + 1 < a->ticks ? i : i - 1;
    if (a->ticks < 2) return 0;
    return a->log ? pow(10, a->tick[k + 1]) - pow(10, a->tick[k]) : a->tick[k + 1] - a->tick[k];
}

static void put_axes(gr__str *out, const axis *ax, const axis *ay)
{
    static const char grid[] = " stroke=\"currentColor\" stroke-opacity=\"0.13\"";
    static const char rule[] = " stroke=\"currentColor\" stroke-opacity=\"0.5\"";
    gr__str label = {0};
    for (size_t i = 0; i < ay->ticks; i++) {
        double y = place(ay, ay->tick[i]);
        put_line(out, ax->from, y, ax->to, y, grid);
        gr__str_clear(&label);
        put_value(&label, ay->log ? pow(10, ay->tick[i]) : ay->tick[i], label_step(ay, i));
        gr__svg_text(out, ax->from - 8, y + 4, "end", "", gr__str_get(&label));
    }
    for (size_t i = 0; i < ax->ticks; i++) {
        double x = place(ax, ax->tick[i]);
        put_line(out, x, ay->from, x, ay->from + 5, rule);
        gr__str_clear(&label);
        put_value(&label, ax->tick[i], label_step(ax, i));
        gr__svg_text(out, x, ay->from + 18, "middle", "", gr__str_get(&label));
    }
    put_line(out, ax->from, ay->from, ax->to, ay->from, rule);
    out->failed |= label.failed;
    gr__str_release(&label);
}

/* The pen of one series: goes from point to point, lifted over gaps. */
typedef struct pen {
    gr__str *out;
    const gr__series *series;
    const axis *ax, *ay;
    bool down;
} pen;

static void move_pen(pen *p, size_t i)
{
    double x, y;
    bool drawn = get_point(p->series, i, p->ax, p->ay, &x, &y);
    if (drawn) {
        gr__str_add(p->out, p->down ? "L" : "M");
        gr__svg_coordinate(p->out, place(p->ax, x));
        gr__str_add_char(p->out, ' ');
        gr__svg_coordinate(p->out, place(p->ay, y));
        if (!p->down) gr__str_add(p->out, "h0"); /* a lone point shows as a dot */
    }
    p->down = drawn;
}

/* Of values from .. to - 1: the first gap, or else the lowest and the highest, in the order they come. */
static void move_over(pen *p, size_t from, size_t to)
{
    size_t low = from, high = from;
    for (size_t i = from; i < to; i++) {
        double x, y;
        if (!get_point(p->series, i, p->ax, p->ay, &x, &y)) {
            low = high = i;
            break;
        }
        if (p->series->y[i] < p->series->y[low]) low = i;
        if (p->series->y[i] > p->series->y[high]) high = i;
    }
    move_pen(p, GR__MIN(low, high));
    if (low != high) move_pen(p, GR__MAX(low, high));
}

/* First of the values that share column i, without overflow of n * i. */
static size_t column_start(size_t n, size_t i) { return n / COLUMNS * i + n % COLUMNS * i / COLUMNS; }

static void put_line_of(gr__str *out, const gr__chart *c, size_t k, const axis *ax, const axis *ay)
{
    const gr__series *s = &c->series[k];
    gr__str_add(out, "<path fill=\"none\" stroke-width=\"2\" stroke-linejoin=\"round\" stroke-linecap=\"round\"");
    gr__str_add(out, " stroke=\"");
    gr__html_text(out, colour_of(c, k));
    gr__str_add(out, s->dashed ? "\" stroke-dasharray=\"3 5\" d=\"" : "\" d=\"");
    pen p = {out, s, ax, ay, false};
    if (s->n <= 2 * COLUMNS)
        for (size_t i = 0; i < s->n; i++) move_pen(&p, i);
    else
        for (size_t i = 0; i < COLUMNS; i++) move_over(&p, column_start(s->n, i), column_start(s->n, i + 1));
    gr__str_add(out, "\"/>\n");
}

static void put_points(gr__str *out, const gr__chart *c, size_t k, const axis *ax, const axis *ay)
{
    const gr__series *s = &c->series[k];
    for (size_t i = 0; i < s->n; i++) {
        double x, y;
        if (!get_point(s, i, ax, ay, &x, &y)) continue;
        gr__str_add(out, "<circle r=\"3\" cx=\"");
        gr__svg_coordinate(out, place(ax, x));
        gr__str_add(out, "\" cy=\"");
        gr__svg_coordinate(out, place(ay, y));
        gr__str_add(out, s->no_line ? "\" fill-opacity=\"0.55\" fill=\"" : "\" fill=\"");
        gr__html_text(out, colour_of(c, k));
        gr__str_add(out, "\"/>\n");
    }
}

void gr__svg_rect(gr__str *out, double x, double y, double width, double height)
{
    gr__str_add(out, "<rect x=\"");
    gr__svg_coordinate(out, x);
    gr__str_add(out, "\" y=\"");
    gr__svg_coordinate(out, y);
    gr__str_add(out, "\" width=\"");
    gr__svg_coordinate(out, width);
    gr__str_add(out, "\" height=\"");
    gr__svg_coordinate(out, height);
    gr__str_add(out, "\"");
}

static void put_bars(gr__str *out, const gr__chart *c, size_t k, const axis *ax, const axis *ay)
{
    const gr__series *s = &c->series[k];
    for (size_t i = 0; i < s->n; i++) {
        double x, y, gap = 1;
        if (!get_point(s, i, ax, ay, &x, &y) || y <= 0) continue;
        double left = place(ax, x), right = place(ax, on_scale(ax, s->x[i + 1])), top = place(ay, y);
        if (right - left < 3 * gap) gap = 0;
        gr__svg_rect(out, left + gap / 2, top, fmax(right - left - gap, 0.1), fmax(ay->from - top, 0));
        gr__str_add(out, " fill-opacity=\"0.8\" fill=\"");
        gr__html_text(out, colour_of(c, k));
        gr__str_add(out, "\"/>\n");
    }
}

/* The outline of one stretch without gaps: along y, back along low. */
static void put_stretch(gr__str *out, const gr__series *s, size_t from, size_t to, const axis *ax, const axis *ay)
{
    for (size_t i = from; i < to; i++) {
        gr__str_add(out, i == from ? "M" : "L");
        gr__svg_coordinate(out, place(ax, on_scale(ax, series_x(s, i))));
        gr__str_add_char(out, ' ');
        gr__svg_coordinate(out, place(ay, on_scale(ay, s->y[i])));
    }
    for (size_t i = to; i-- > from;) {
        gr__str_add(out, "L");
        gr__svg_coordinate(out, place(ax, on_scale(ax, series_x(s, i))));
        gr__str_add_char(out, ' ');
        gr__svg_coordinate(out, place(ay, on_scale(ay, s->low[i])));
    }
}

static void put_band(gr__str *out, const gr__chart *c, size_t k, const axis *ax, const axis *ay)
{
    const gr__series *s = &c->series[k];
    gr__str_add(out, "<path fill-opacity=\"0.22\" fill=\"");
    gr__html_text(out, colour_of(c, k));
    gr__str_add(out, "\" d=\"");
    for (size_t i = 0, from = 0; i <= s->n; i++) {
        double x, y;
        bool drawn = i < s->n && get_point(s, i, ax, ay, &x, &y) && isfinite(on_scale(ay, s->low[i]));
        if (drawn) continue;
        put_stretch(out, s, from, i, ax, ay);
        from = i + 1;
    }
    gr__str_add(out, "\"/>\n");
}

static void put_series(gr__str *out, const gr__chart *c, size_t k, const axis *ax, const axis *ay)
{
    const gr__series *s = &c->series[k];
    if (s->low)
        put_band(out, c, k, ax, ay);
    else if (s->bars)
        put_bars(out, c, k, ax, ay);
    else if (!s->no_line)
        put_line_of(out, c, k, ax, ay);
    if (s->points && (s->no_line || s->n <= COLUMNS)) put_points(out, c, k, ax, ay);
}

void gr__svg_begin(gr__str *out, int height, const char *title)
{
    gr__str_printf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"100%%\" role=\"img\"",
                   WIDTH, height);
    gr__str_add(out, " aria-label=\"");
    gr__html_text(out, title);
    gr__str_add(out, "\" fill=\"currentColor\" font-size=\"12\"");
    gr__str_add(out, " font-family=\"system-ui,'Noto Sans','Noto Sans SC',sans-serif\">\n<title>");
    gr__html_text(out, title);
    gr__str_add(out, "</title>\n");
}

static void keep_whole(axis *a)
{
    size_t n = 0;
    for (size_t i = 0; i < a->ticks; i++)
        if (a->tick[i] >= 0 && a->tick[i] == floor(a->tick[i])) a->tick[n++] = a->tick[i];
    a->ticks = n;
}

void gr__svg_chart(gr__str *out, const gr__chart *c)
{
    const char *title = c->title ? c->title : "chart";
    int height = c->height > 0 ? c->height : HEIGHT;
    double top = c->title ? TOP + 26 : TOP;
    axis ax = {.from = LEFT, .to = WIDTH - RIGHT};
    axis ay = {.from = height - BOTTOM, .to = fmin(put_legend(NULL, c, top), height / 2) + 4, .log = c->log_y};
    bool any = find_ranges(c, &ax, &ay);
    ax.ticks = gr__nice_ticks(ax.low, ax.high, 7, ax.tick);
    if (c->whole_x) keep_whole(&ax);
    ay.ticks = ay.log ? log_ticks(ay.low, ay.high, ay.tick) : gr__nice_ticks(ay.low, ay.high, 5, ay.tick);

    gr__svg_begin(out, height, title);
    if (c->title) gr__svg_text(out, LEFT, TOP + 10, "start", " font-size=\"15\" font-weight=\"600\"", title);
    put_legend(out, c, top);
    put_axes(out, &ax, &ay);
    if (c->x_label)
        gr__svg_text(out, (ax.from + ax.to) / 2, height - 8, "middle", " fill-opacity=\"0.75\"", c->x_label);
    if (c->y_label) {
        gr__str more = {0};
        gr__str_printf(&more, " fill-opacity=\"0.75\" transform=\"rotate(-90 14 %d)\"", (int)(ay.from + ay.to) / 2);
        gr__svg_text(out, 14, (int)(ay.from + ay.to) / 2, "middle", gr__str_get(&more), c->y_label);
        out->failed |= more.failed;
        gr__str_release(&more);
    }
    for (size_t k = 0; any && k < c->series_count; k++) put_series(out, c, k, &ax, &ay);
    if (!any)
        gr__svg_text(out, (ax.from + ax.to) / 2, (ay.from + ay.to) / 2, "middle", " fill-opacity=\"0.6\"", "no data");
    gr__str_add(out, "</svg>\n");
}

/* ---- terminal ---- */

void gr__sparkline(gr__str *out, const double *y, size_t n, size_t width)
{
    static const char *const block[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    size_t from = n > width ? n - width : 0;
    double low = INFINITY, high = -INFINITY;
    for (size_t i = from; i < n; i++) {
        if (!isfinite(y[i])) continue;
        low = fmin(low, y[i]);
        high = fmax(high, y[i]);
    }
    for (size_t i = from; i < n; i++) {
        if (!isfinite(y[i])) {
            gr__str_add_char(out, ' ');
            continue;
        }
        double part = high > low ? (y[i] / 2 - low / 2) / (high / 2 - low / 2) : 0.5; /* halves: no overflow */
        gr__str_add(out, block[GR__MIN((size_t)(part * 8), 7)]);
    }
}
