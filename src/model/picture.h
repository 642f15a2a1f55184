/* What all families that look at pictures have in common: the first member of their configuration is a
 * gr__picture_config, their rows begin with GR__PICTURE_ROWS, their row in families has GR__PICTURE_FAMILY. */
#ifndef GR__PICTURE_H
#define GR__PICTURE_H

#include "format/image.h"
#include "model/family.h"
#include "model/hf_json.h"
#include "model/sound.h"

enum { GR__MOST_PICTURE = 1 << 16, GR__MOST_MAPS = 1 << 20 }; /* edge; channels inside */

typedef struct gr__picture_config {
    int64_t height, width, channels;
    int64_t classes;            /* as many as labels, once finished */
    gr__conf_strings labels;    /* in the order of the logits */
    gr__conf_doubles mean, std; /* of each channel, of numbers in [0, 1]; none: 0 and 1 */
    gr__features sound;         /* rate 0: pictures; else one channel of bands: height is time, width the bands */
} gr__picture_config;

#define GR__PICTURE_ROW(key, most, doc)                                                   \
    {                                                                                     \
#key, GR__CONF_INT, offsetof(gr__picture_config, key), 0, most, NULL, "0", doc, 0 \
    }
#define GR__PICTURE_ROWS                                                          \
    GR__PICTURE_ROW(height, GR__MOST_PICTURE, "of a picture; 0: as the data"),    \
        GR__PICTURE_ROW(width, GR__MOST_PICTURE, "of a picture; 0: as the data"), \
        GR__PICTURE_ROW(channels, 4, "1 gray, 3 colours; 0: as the data"),        \
        GR__PICTURE_ROW(classes, GR__MOST_MAPS, "labels that it tells apart; 0: as the data")

/* Takes what is open from the data; both must agree where both say something. */
gr_status gr__picture_finish(gr__picture_config *c, const gr__facts *facts);
gr_status gr__picture_read_json(gr__json root, gr__picture_config *c, gr__arena *arena);
void gr__picture_write_json(const gr__picture_config *c, gr__str *out);
/* The info that they share. */
gr_model_info gr__picture_info(const gr__picture_config *c);
const gr__conf_strings *gr__picture_labels(const void *config);
gr_label_kind gr__picture_label_kind(const void *config);

extern const char *const gr__picture_ignored[]; /* PyTorch's num_batches_tracked */

#define GR__PICTURE_FAMILY                                                                        \
    .kind = GR_MODEL_PICTURE, .labels = gr__picture_labels, .label_kind = gr__picture_label_kind, \
    .ignored = gr__picture_ignored

/* The file at 'path' into (H, W, C), as gr__picture_load() does. */
gr_status gr__picture_read(const gr__picture_config *c, const char *path, float *out);
/* A picture of 8 bits with c->channels, resized where it must be and normalised, into (H, W, C). */
gr_status gr__picture_load(const gr__picture_config *c, const gr__image *image, float *out);

/* x (N, H, W, C) -> (N, C*H*W), channels first, as PyTorch's Flatten sees its pictures: weights behind it keep their
 * order. */
gr_value gr__picture_flatten(gr_graph *g, gr_value x);
/* A convolution that keeps the size but for its stride, without bias; normal, deviation sqrt(2*groups/(out*window^2)):
 * torchvision's kaiming_normal_ over the outputs. */
gr_value gr__picture_conv(gr_graph *g, const char *name, gr_value x, int64_t out, int64_t window, int64_t stride,
                          int64_t groups);
/* Batch norm as 'in' says; name NULL: no scope of its own. */
gr_value gr__picture_norm(gr_graph *g, const char *name, gr_value x, const gr__picture_in *in);

#endif
