/* The layers of the family 'layers': a row each in layers_rows.c. */
#ifndef GR__LAYERS_H
#define GR__LAYERS_H

#include "model/picture.h"

typedef struct gr__layer gr__layer;
typedef struct gr__layer_list {
    gr__layer *item;
    size_t n;
} gr__layer_list;

typedef struct gr__layers_in {
    gr__picture_in base;
    int64_t outputs;         /* of the whole: what 'linear' without a number gives */
    const gr__layer *failed; /* the first that could not be built, and the shape that it got */
    char got[96];
} gr__layers_in;

typedef struct gr__layer_kind {
    const char *name;
    const gr__conf_row *rows; /* of a gr__layer; the first has the layer's name */
    size_t n_rows;
    gr_value (*build)(gr_graph *g, const gr__layer *l, gr_value x, gr__layers_in *in); /* NULL: residual */
} gr__layer_kind;

/* What all kinds can say together. */
struct gr__layer {
    const gr__layer_kind *kind;
    const gr__conf *node;
    int off;     /* of layers that have nothing to say but their name: 1 for 'false' */
    int64_t out; /* channels, columns, groups */
    int64_t groups;
    gr__conf_ints window, stride, padding, dilation;
    bool same, bias, affine;
    double p, eps, momentum;
    const gr__conf *body_given, *shortcut_given;
    gr__layer_list body, shortcut;
};

extern const gr__layer_kind gr__layer_kinds[];
extern const size_t gr__n_layer_kinds;

#endif
