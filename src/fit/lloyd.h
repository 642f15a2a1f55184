/* k-means by Lloyd's passes (1982) from several starts: centres are drawn by k-means++ (Arthur and Vassilvitskii 2007; of a few
 * candidates the one that helps most), and the start whose rows end nearest to their centres wins. A cluster that loses all
 * its rows takes the row that is farthest from its centre. Distances are f64, and the result is the same bits for any number
 * of threads. */
#ifndef GR__LLOYD_H
#define GR__LLOYD_H

#include "fit/points.h"

typedef struct gr__kmeans_options {
    int64_t clusters, starts, passes; /* passes: of a start, at most */
    double
        tolerance; /* a start ends when its centres move less than this share of the mean variance of a column; 0: when
                           no row changes its cluster */
    uint64_t seed;
    const double *from; /* (clusters, width): the centres of the only start; NULL: drawn */
} gr__kmeans_options;

typedef struct gr__kmeans_result {
    double inertia; /* sum over the rows of their squared distance to the nearest centre */
    int64_t passes; /* of all starts */
    int64_t start;  /* the best */
    bool rests;     /* it ended by itself, not because 'passes' did */
} gr__kmeans_result;

/* centre: (clusters, width). GR_ERR_DATA: fewer rows, or fewer different ones, than clusters; GR_ERR_STOPPED: 'watch' said
 * so; GR_ERR_MEMORY. */
gr_status gr__kmeans_fit(const gr__points *p, const gr__kmeans_options *o, const gr__watch *watch, double *centre,
                         gr__kmeans_result *out);

#endif
