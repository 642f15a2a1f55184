/* What the drawings of this folder share. */
#ifndef GR__PLOT_INT_H
#define GR__PLOT_INT_H

#include "metric/plot.h"

enum { GR__SVG_WIDTH = 640, GR__SVG_RIGHT = 22, GR__SVG_TOP = 12 };

/* The opening tag and the title; the caller ends with "</svg>\n". */
void gr__svg_begin(gr__str *out, int height, const char *title);
/* A number of the picture, with one decimal; |v| < 1e6. */
void gr__svg_coordinate(gr__str *out, double v);
/* anchor: "start", "middle" or "end"; more: further attributes, with a blank before each. */
void gr__svg_text(gr__str *out, double x, double y, const char *anchor, const char *more, const char *text);
/* An open <rect with its place; further attributes and the end are the caller's. */
void gr__svg_rect(gr__str *out, double x, double y, double width, double height);
/* About how wide a text is at 12 units: Chinese characters are twice as wide as letters. */
double gr__svg_text_width(const char *text);
/* Appends the text, cut between characters with an ellipsis where it is wider than 'width'. */
void gr__svg_cut(gr__str *out, const char *text, double width);

#endif
