/* Sounds with what is said about them: a list that is made once, from a folder or from a table, and files that any number of
 * threads read from it.
 *
 *   folder of class folders             root/CLASS/... .wav .flac ...           the folder is the label
 *   folder, and a pattern of names      "{label}_{group}_*.wav"                 the name has it
 *   table or JSON lines                 path, label (.csv, .tsv, .jsonl)        paths from the table's folder */
#ifndef GR__SOUND_SET_H
#define GR__SOUND_SET_H

#include "audio/features.h"
#include "data/labelled.h"

typedef struct gr__sound_set_options {
    const char *pattern;      /* NULL: class folders */
    const char *path, *label; /* columns by name or number, keys of JSON lines */
    bool skip_bad;            /* names that the pattern does not fit, and rows without a label, are left out */
} gr__sound_set_options;

typedef struct gr__sound_set {
    gr__labelled list; /* text: the path below 'root' */
    const char *root;
    int32_t *group; /* of each, from 0 */
    int32_t n_groups;
} gr__sound_set;

/* GR_ERR_DATA names what does not fit: files beside class folders, names, rows. */
gr_status gr__sound_set_open(const char *path, const gr__sound_set_options *options, gr__sound_set *out);
void gr__sound_set_close(gr__sound_set *set);
/* Sound i as gr__wave_read() gives it; failure names the file, and the line of a table. */
gr_status gr__sound_set_read(const gr__sound_set *set, int64_t i, int64_t rate, gr__wave *out, int64_t *found);

#endif
