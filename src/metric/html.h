/* HTML pages without scripts, fonts or second files: a head with its style, headings, paragraphs, tables, boxes. Pure
 * functions that append to a gr__str; every text is escaped here. */
#ifndef GR__HTML_H
#define GR__HTML_H

#include "base/str.h"

/* Text with & < > " ' escaped; control characters and broken UTF-8 become U+FFFD. */
void gr__html_text(gr__str *out, const char *text);

void gr__html_begin(gr__str *out, const char *title);
void gr__html_end(gr__str *out);
/* A heading; what is appended next stands below it. */
void gr__html_section(gr__str *out, const char *title);
void gr__html_paragraph(gr__str *out, const char *text);
void gr__html_code(gr__str *out, const char *text);

/* A table: head (may be NULL), then rows of 'columns' cells, then end. Cells that are numbers are set to the right. */
void gr__html_table_begin(gr__str *out, const char *const *head, size_t columns);
void gr__html_table_row(gr__str *out, const char *const *cell, size_t columns);
/* The same, behind a first cell of what functions of this file wrote. */
void gr__html_table_row_with(gr__str *out, const char *html, const char *const *cell, size_t columns);
void gr__html_table_end(gr__str *out);

/* Small boxes with a large number: gr__html_facts_begin, gr__html_fact ..., gr__html_facts_end. */
void gr__html_facts_begin(gr__str *out);
void gr__html_fact(gr__str *out, const char *name, const char *value);
void gr__html_facts_end(gr__str *out);

/* The bytes of a PNG file, inside the page, 'width' units wide (0: as many as pixels), or as wide as the page where that is
 * less; wider than its pixels it shows them as squares. text: for those who cannot see it. */
void gr__html_picture(gr__str *out, const void *png, size_t n, int64_t width, const char *text);

/* A small square of a colour: the key of a legend. */
void gr__html_swatch(gr__str *out, const unsigned char rgb[3]);

/* A box around charts: they stand side by side where there is room. */
void gr__html_charts_begin(gr__str *out);
void gr__html_charts_end(gr__str *out);
/* What one of the gr_plot_ functions drew: its status, and its text, which is freed. */
gr_status gr__html_figure(gr__str *out, gr_status drawn, char **svg);

#endif
