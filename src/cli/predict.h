/* gradus predict, by kind of model: a file predict_KIND.c and a line in cmd_predict.c each. */
#ifndef CLI_PREDICT_H
#define CLI_PREDICT_H

#include "cli/cli.h"
#include "gradus/model.h"

/* What the command line says; each kind reads what concerns it. */
typedef struct predict_options {
    cli_list text;
    int64_t top, batch, length, beam;
    bool bf16, skip_bad;
    double threshold; /* of two labels; < 0: the model's own */
    double least;     /* score of a box; < 0: the default */
    const char *draw; /* a folder; NULL: none */
    const char *user; /* for whom items are recommended */
} predict_options;

/* Prints the answers for cli.argument[1 ...] (or standard input) and returns an exit code. */
typedef int (*predict_fn)(gr_model *model, const predict_options *o);
int predict_texts(gr_model *model, const predict_options *o);
int predict_files(gr_model *model, const predict_options *o); /* pictures, sounds, clips */
int predict_boxes(gr_model *model, const predict_options *o);
int predict_speech(gr_model *model, const predict_options *o);
int predict_rows(gr_model *model, const predict_options *o);
int predict_places(gr_model *model, const predict_options *o); /* clusters, components: of rows or pictures */
int predict_series(gr_model *model, const predict_options *o);
int predict_items(gr_model *model, const predict_options *o);

/* A cell of CSV on standard output, with quotes where it holds a separator, a quote or the end of a line. */
void cli_csv_cell(const char *text);

#endif
