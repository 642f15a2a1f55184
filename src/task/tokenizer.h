/* The section 'tokenizer', which the tasks on text share. */
#ifndef GR__TASK_TOKENIZER_H
#define GR__TASK_TOKENIZER_H

#include "task/task.h"

typedef struct gr__tokenizer_settings {
    int type;
    int64_t vocab_size, least_count;
    bool keep_case;
    const char *path;
} gr__tokenizer_settings;

enum { GR__N_TOKENIZER_ROWS = 5 };
extern const gr__conf_row gr__tokenizer_rows[GR__N_TOKENIZER_ROWS];

/* That of the run's folder where the run goes on, else that of 'path', else one trained on the texts; special tokens of
 * 'o' go into a trained one, its vocab_size is that of the settings. A run with a folder keeps it there. */
gr_status gr__task_make_tokenizer(const gr__tokenizer_settings *settings, const gr_tokenizer_options *o,
                                  const gr_text_source *texts, size_t n, const gr__task_in *in, gr_tokenizer **out);

#endif
