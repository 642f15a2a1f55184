/* How clusters and components are measured and shown, for validation and for a file that is evaluated alike. */
#ifndef GR__POINT_SCORE_H
#define GR__POINT_SCORE_H

#include "base/str.h"
#include "model/fitted.h"
#include "task/points.h"

/* The first n rows of 'part' and what the model said of them. */
typedef struct gr__point_said {
    const gr_model *model;
    const gr__point_part *part;
    const gr__conf_strings *classes; /* of part->class */
    const float *said;               /* (n, outputs) */
    const float *rest;               /* (n): squared distance from what stands for the row */
    int64_t n;
} gr__point_said;

/* The nearest of the centres behind 'said' (outputs). */
int32_t gr__point_cluster(const float *said, int64_t outputs);

/* Clusters: inertia, silhouette (of 2000 rows at most), and with classes purity, adjusted_rand and mutual_information.
 * Components: explained_variance (by all of them, of these rows), reconstruction_mse, and explained_1 .. 5 (shares of the
 * variance of the rows that the model was fitted to). What is not defined is left out; *n gets how many there are. */
gr_status gr__point_score(const gr__point_said *s, gr_metric *out, int capacity, int *n);
/* Sections of a page. Clusters: sizes, rows along the first two principal components, centres. Components: their shares,
 * rows along the first two, what they are made of. */
gr_status gr__point_panels(const gr__point_said *s, gr__str *page);

#endif
