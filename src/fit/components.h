/* Principal components (Pearson 1901; Hotelling 1933), exact: eigenvectors of the covariance, or, where there are fewer
 * rows than numbers in each, of the rows' products with each other. */
#ifndef GR__COMPONENTS_H
#define GR__COMPONENTS_H

#include "fit/points.h"

enum { GR__PCA_MOST = 4096 }; /* of the smaller of rows and width */

typedef struct gr__pca {
    double *mean; /* (width) */
    double
        *component;   /* (components, width), of length 1, the largest variance first; its largest number is positive */
    double *variance; /* (components), over n - 1 */
    double total;     /* variance of all directions */
} gr__pca;

/* components: 1 .. min(n - 1, width). The arrays of 'out' are the caller's.
 * GR_ERR_DATA: all rows are the same, or they spread in fewer directions; GR_ERR_LIMIT, GR_ERR_MEMORY. */
gr_status gr__pca_fit(const gr__points *p, int64_t components, gr__pca *out);

#endif
