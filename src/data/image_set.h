/* Pictures with what is said about them, whatever they came in: a list that is made once when the set is opened, and samples
 * that any number of threads decode from it. Nothing of it changes after opening.
 *
 *   folder of class folders           root/CLASS/... .png .jpg ...       a label
 *   the same in a tar, also gzipped   .../CLASS/... .jpg                 a label; packed pictures stay in memory
 *   folder of pictures                frames in the order of their names no label
 *   IDX (MNIST)                       images, and 'labels'               a label
 *   CIFAR-10, CIFAR-100 binary        .bin, .bin.gz                      a label (CIFAR-100: the fine one)
 *   Pascal VOC folder                 Annotations/, JPEGImages/          boxes
 *   COCO JSON                         and 'pictures', their folder       boxes
 *   YUV4MPEG2 video                   .y4m                               no label
 *
 *   gr__image_set *set;
 *   GR_TRY(gr__image_set_open("train", NULL, &set));
 *   for (int64_t i = 0; i < gr__image_set_count(set); i++) {
 *       gr__image image;
 *       GR_TRY(gr__image_set_decode(set, i, NULL, &image));
 *       ... gr__image_set_sample(set, i)->label ...
 *       gr__image_release(&image);
 *   }
 *   gr__image_set_close(&set); */
#ifndef GR__IMAGE_SET_H
#define GR__IMAGE_SET_H

#include "conf/schema.h"
#include "format/boxes.h"
#include "format/image.h"

typedef struct gr__image_set gr__image_set;

typedef struct gr__image_set_options {
    const char *labels;        /* IDX: the file of labels; required */
    const char *pictures;      /* COCO: the folder of the pictures; default: the folder of the JSON file */
    const char *split;         /* VOC: ImageSets/Main/SPLIT.txt names the pictures; default: all annotations */
    bool hundred;              /* CIFAR-100; default: CIFAR-10 */
    const gr__image_set *like; /* a set that outlives this one: classes are numbered as there, others are refused */
    bool skip_bad; /* annotations, entries of a tar and folders that cannot be read are left out, with a warning */
} gr__image_set_options;

typedef struct gr__image_sample {
    const char *name;   /* path, entry, or "image 7" */
    int32_t label;      /* -1: none */
    const gr__box *box; /* n_boxes of them */
    size_t n_boxes;
    const char *notes;     /* the file that says the boxes; NULL: none does */
    int64_t width, height; /* 0: not known before it is decoded */
    uint64_t place, bytes; /* where its bytes lie, for those in one block */
} gr__image_sample;

/* options NULL: none. GR_ERR_NOT_FOUND, GR_ERR_DATA (no pictures; a class that is not there), GR_ERR_CORRUPT, ... */
gr_status gr__image_set_open(const char *path, const gr__image_set_options *options, gr__image_set **out);
void gr__image_set_close(gr__image_set **set);

const char *gr__image_set_path(const gr__image_set *set);
int64_t gr__image_set_count(const gr__image_set *set);
size_t gr__image_set_classes(const gr__image_set *set);
const char *gr__image_set_class(const gr__image_set *set, size_t i); /* sorted, or as the format numbers them */
gr_status gr__image_set_labels(const gr__image_set *set, gr__arena *arena, gr__conf_strings *out); /* names borrowed */
const gr__image_sample *gr__image_set_sample(const gr__image_set *set, int64_t i);
/* Boxes that were left out because nothing lies in them, and files that are no pictures. */
size_t gr__image_set_empty_boxes(const gr__image_set *set);
const gr__box *gr__image_set_empty_box(const gr__image_set *set, size_t i, const char **notes); /* and their file */
size_t gr__image_set_skipped(const gr__image_set *set);

/* Failure names the sample; *out is untouched. Any number of threads. */
gr_status gr__image_set_decode(const gr__image_set *set, int64_t i, const gr__image_options *options, gr__image *out);

#endif
