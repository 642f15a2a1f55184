/* Inside image_set*.c: the list while it is made. */
#ifndef GR__IMAGE_SET_INT_H
#define GR__IMAGE_SET_INT_H

#include "data/image_set.h"

#include "base/file.h"
#include "base/map.h"
#include "format/y4m.h"

typedef struct gr__empty_box {
    gr__box box;
    const char *notes;
} gr__empty_box;

struct gr__image_set {
    gr__arena arena; /* names and boxes */
    char *path;
    gr__image_sample *sample;
    size_t count, capacity;
    gr__map classes; /* name -> number, while they are collected */
    const char **class_name;
    size_t n_classes, skipped;
    gr__empty_box *empty;
    size_t empty_boxes, empty_capacity;

    char *root;      /* samples are files below it */
    gr__mapping map; /* or lie in a mapped file */
    char *block;     /* or in memory */
    size_t block_n, block_capacity;
    int64_t raw[3]; /* or are plain pixels: height, width, channels */
    bool planes;    /* stored one channel after the other */
    gr__y4m video;
    bool is_video;
};

/* Adds a sample; its name is copied. */
gr_status gr__image_set_add(gr__image_set *set, const char *name, gr__image_sample sample);
/* A box without area; 'notes' lives as long as the set. */
gr_status gr__image_set_add_empty(gr__image_set *set, const gr__box *box, const char *notes);
/* The number of a class in order of first sight. */
gr_status gr__image_set_label(gr__image_set *set, const char *name, size_t n, int32_t *out);
/* Sorts the classes by name and renumbers labels and boxes. */
gr_status gr__image_set_sort_classes(gr__image_set *set);
/* Classes in a given order ("0", "1", ... where names is NULL). */
gr_status gr__image_set_name_classes(gr__image_set *set, const char *const *names, size_t n);

gr_status gr__image_set_open_folder(gr__image_set *set, const gr__image_set_options *o);
gr_status gr__image_set_open_tar(gr__image_set *set, const gr__image_set_options *o);
gr_status gr__image_set_open_idx(gr__image_set *set, const gr__image_set_options *o);
gr_status gr__image_set_open_cifar(gr__image_set *set, const gr__image_set_options *o);
gr_status gr__image_set_open_video(gr__image_set *set);
gr_status gr__image_set_open_voc(gr__image_set *set, const gr__image_set_options *o);
gr_status gr__image_set_open_coco(gr__image_set *set, const gr__image_set_options *o);

#endif
