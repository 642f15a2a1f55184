/* Pictures of numbers as text: line charts in SVG, and one line of block characters for a terminal. Pure functions that
 * append to a gr__str; what they write needs no script, no font and no second file. Colours follow the reader's light
 * or dark theme. Numbers that are not finite leave a gap. Every text is escaped here. */
#ifndef GR__PLOT_H
#define GR__PLOT_H

#include "base/str.h"

/* ---- line charts ---- */

typedef struct gr__range {
    double low, high;
} gr__range;

typedef struct gr__series {
    const double *x; /* (n); NULL: 0, 1, 2, ... */
    const double *y; /* (n) */
    size_t n;
    const char *label;  /* shown in the legend; NULL: none */
    const char *colour; /* any CSS colour; NULL: the next of the palette */
    bool dashed;
    bool points;       /* a dot at each value, as well as the line */
    bool no_line;      /* the dots alone */
    bool bars;         /* instead of a line a bar from 0, as wide as x[i] .. x[i + 1]: x has n + 1 values */
    const double *low; /* (n): the area between it and y is shaded, without a line; NULL: none */
} gr__series;

typedef struct gr__chart {
    const char *title, *x_label, *y_label; /* NULL: none */
    bool log_y;                            /* values <= 0 leave a gap */
    bool from_zero;                        /* the y axis begins at 0 (not with log_y) */
    bool whole_x;                          /* x counts things: only whole numbers from 0 have a place */
    gr__range x_range, y_range;            /* where low < high: what is shown, instead of what the values need */
    int height;                            /* in units; 0: 360 */
    const gr__series *series;
    size_t series_count;
} gr__chart;

/* One <svg> element, 640 by 360 units, as wide as what surrounds it, with its title for those who cannot see it. Long
 * series are thinned out to the extremes of each column, so that a peak is never lost and a million points stay small. */
void gr__svg_chart(gr__str *out, const gr__chart *chart);

/* ---- tables as colours ---- */

typedef struct gr__heatmap {
    const char *title, *x_label, *y_label;
    const char *const *names; /* (k), of rows and columns; NULL: the numbers from 0 */
    const int64_t *count;     /* (k, k): written into the cells */
    const double *share;      /* (k, k), 0 .. 1: their colour */
    size_t k;                 /* 1 .. 64 */
} gr__heatmap;

/* One <svg> element, 640 units wide; each cell tells its numbers when pointed at. */
void gr__svg_heatmap(gr__str *out, const gr__heatmap *map);

/* Round numbers that cover low .. high (low < high, finite): at most 12 of about 'wanted'. Returns their number. */
size_t gr__nice_ticks(double low, double high, int wanted, double out[12]);

/* ---- terminal ---- */

/* The last 'width' of n values as characters from low to high; a blank where a value is not finite. */
void gr__sparkline(gr__str *out, const double *y, size_t n, size_t width);

#endif
