/* What tasks that listen have in common: finding the sounds, the cut into parts, reading, random changes, features. Every
 * sound is read once when the data are opened, so that a bad one is known before training; what fits into data.cache_mib
 * stays in memory. */
#ifndef GR__HEARING_H
#define GR__HEARING_H

#include "audio/sound_augment.h"
#include "data/sound_set.h"
#include "task/task.h"

/* First member of a task's options; its rows of 'data' begin with GR__HEARING_ROWS: the column of labels, and what
 * data.seconds is. */
typedef struct gr__hearing_options {
    const char *source, *valid_source, *pattern, *path, *label;
    gr__conf_strings valid_files;
    double valid, seconds;
    int64_t rate, cache_mib;
    bool skip_bad;
    const gr__conf *features, *augment;
} gr__hearing_options;

#define GR__HEARING_AT(field) offsetof(gr__hearing_options, field)
#define GR__HEARING_ROWS(column, heard)                                                                                \
    {"source",                                                                                                         \
     GR__CONF_STRING,                                                                                                  \
     GR__HEARING_AT(source),                                                                                           \
     0,                                                                                                                \
     0,                                                                                                                \
     NULL,                                                                                                             \
     NULL,                                                                                                             \
     "a folder of class folders, a folder with 'pattern', or a table (.csv, .tsv, .jsonl) of paths",                   \
     GR__CONF_MAIN | GR__CONF_REQUIRED},                                                                               \
        {"valid_source",                                                                                               \
         GR__CONF_STRING,                                                                                              \
         GR__HEARING_AT(valid_source),                                                                                 \
         0,                                                                                                            \
         0,                                                                                                            \
         NULL,                                                                                                         \
         NULL,                                                                                                         \
         "the same for validation; default: a part of 'source'",                                                       \
         0},                                                                                                           \
        {"valid_files",                                                                                                \
         GR__CONF_STRING_LIST,                                                                                         \
         GR__HEARING_AT(valid_files),                                                                                  \
         0,                                                                                                            \
         0,                                                                                                            \
         NULL,                                                                                                         \
         NULL,                                                                                                         \
         "names of the files for validation, with * and ?; default: 'valid'",                                          \
         0},                                                                                                           \
        {"valid",                                                                                                      \
         GR__CONF_DOUBLE,                                                                                              \
         GR__HEARING_AT(valid),                                                                                        \
         0,                                                                                                            \
         0.9,                                                                                                          \
         NULL,                                                                                                         \
         "0.2",                                                                                                        \
         "share for validation, of each class, drawn by the seed",                                                     \
         0},                                                                                                           \
        {"pattern",                                                                                                    \
         GR__CONF_STRING,                                                                                              \
         GR__HEARING_AT(pattern),                                                                                      \
         0,                                                                                                            \
         0,                                                                                                            \
         NULL,                                                                                                         \
         NULL,                                                                                                         \
         "what a file's name says, like \"{label}_{group}_*\"; default: its folder is the label",                      \
         0},                                                                                                           \
        {"path", GR__CONF_STRING, GR__HEARING_AT(path), 0, 0, NULL, "path", "table: the column of the paths", 0},      \
        {"label", GR__CONF_STRING, GR__HEARING_AT(label), 0, 0, NULL, column, "table: the column of what is said", 0}, \
        {"seconds",                                                                                                    \
         GR__CONF_DOUBLE,                                                                                              \
         GR__HEARING_AT(seconds),                                                                                      \
         0,                                                                                                            \
         3600,                                                                                                         \
         NULL,                                                                                                         \
         "0",                                                                                                          \
         heard "; 0: the longest of the training part",                                                                \
         0},                                                                                                           \
        {"rate",                                                                                                       \
         GR__CONF_INT,                                                                                                 \
         GR__HEARING_AT(rate),                                                                                         \
         0,                                                                                                            \
         768000,                                                                                                       \
         NULL,                                                                                                         \
         "0",                                                                                                          \
         "Hz, to which all are brought; 0: as the first",                                                              \
         0},                                                                                                           \
        {"cache_mib",                                                                                                  \
         GR__CONF_INT,                                                                                                 \
         GR__HEARING_AT(cache_mib),                                                                                    \
         0,                                                                                                            \
         1 << 24,                                                                                                      \
         NULL,                                                                                                         \
         "1024",                                                                                                       \
         "sounds stay in memory where they take no more",                                                              \
         0},                                                                                                           \
        {"skip_bad",                                                                                                   \
         GR__CONF_BOOL,                                                                                                \
         GR__HEARING_AT(skip_bad),                                                                                     \
         0,                                                                                                            \
         0,                                                                                                            \
         NULL,                                                                                                         \
         "false",                                                                                                      \
         "leave sounds out that cannot be read or are empty, and rows without a label",                                \
         0},                                                                                                           \
        {"features", GR__CONF_SECTION, GR__HEARING_AT(features), 0, 0, NULL, NULL, "what is made of the samples", 0},  \
    {                                                                                                                  \
        "augment", GR__CONF_SECTION, GR__HEARING_AT(augment), 0, 0, NULL, NULL, "random changes of training sounds", 0 \
    }

enum { GR__HEARING_FEATURE_ROWS = 5, GR__HEARING_AUGMENT_ROWS = 9 };
extern const gr__conf_row gr__hearing_feature_rows[GR__HEARING_FEATURE_ROWS];
extern const gr__conf_row gr__hearing_augment_rows[GR__HEARING_AUGMENT_ROWS];
#define GR__HEARING_SECTIONS                                                                                          \
    {"data.features", gr__hearing_feature_rows, GR__HEARING_FEATURE_ROWS, "logarithms of mel bands"},                 \
    {                                                                                                                 \
        "data.augment", gr__hearing_augment_rows, GR__HEARING_AUGMENT_ROWS, "of samples, then of bands (SpecAugment)" \
    }

/* One part: sounds of a set, by number. */
typedef struct gr__hearing_part {
    const gr__sound_set *set;
    int32_t *index;
    gr__wave *wave; /* NULL: read when they are needed */
    uint64_t *hash; /* of the samples */
    int64_t n;
} gr__hearing_part;

typedef struct gr__hearing {
    const gr__hearing_options *o;
    gr__sound_set set[2]; /* the second: valid_source */
    gr__hearing_part part[2];
    gr__conf_strings names; /* of classes */
    gr__features features;
    float *filters;
    gr__sound_augment_options change;
    gr__mask_options mask;
    bool changes;
    int64_t longest;        /* samples, of the training part */
    const char *longest_of; /* the file; borrowed from its set */
    uint64_t seed;
    const char *report; /* lines about the sounds, in the arena; NULL: none */
} gr__hearing;

/* Reads the section 'data' into 'options' by rows that begin with GR__HEARING_ROWS, opens and reads the sounds, and fits the
 * bands' means and deviations on the training part. classes: labels are classes, whose shares are cut alike. */
gr_status gr__hearing_open(gr__hearing *h, const gr__task_in *in, const gr__conf_row *rows, size_t n_rows,
                           gr__hearing_options *options, bool classes, gr__arena *arena);
void gr__hearing_close(gr__hearing *h);
/* GR_ERR_LIMIT for a model of so many windows. */
gr_status gr__hearing_too_long(const gr__hearing *h, int64_t frames);

GR__INLINE const gr__labelled_row *gr__hearing_row(const gr__hearing_part *p, int64_t i)
{
    return &p->set->list.row[p->index[i]];
}
/* Sound i of a part; *own must be freed, NULL where it is the part's. */
gr_status gr__hearing_wave(const gr__hearing *h, const gr__hearing_part *p, int64_t i, gr__wave *out, float **own);
/* samples (n), which are changed, -> out (frames, mels). stream and sample: of random changes; random false: none. */
gr_status gr__hearing_features(const gr__hearing *h, float *samples, int64_t n, bool random, uint64_t stream,
                               uint64_t sample, float *out);

#endif
