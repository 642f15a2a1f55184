/* gradus/tools.h: what programs around the library want to know and show: what is in a file, what this machine can do,
 * whether the kernels compute right, what the configuration accepts, whether data look sane.
 *
 *   gr_inspection *file;
 *   gr_inspect_open("model.safetensors", &file);
 *   gr_inspect_tensor t;
 *   for (size_t i = 0; gr_inspect_tensor_at(file, i, &t); i++)
 *       printf("%s %s %llu bytes\n", t.name, t.type, (unsigned long long)t.bytes);
 *   gr_inspect_close(&file);
 *
 * Threads: everything here may be called from any thread; an inspection belongs to one thread at a time. */
#ifndef GRADUS_TOOLS_H
#define GRADUS_TOOLS_H

#include "gradus/train.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- a file or folder ------------------------------------------------------------------ */

typedef struct gr_inspection gr_inspection;

typedef struct gr_inspect_tensor {
    const char *name;
    const char *type; /* as the file says: "F32", "BF16" */
    int rank;
    int64_t dim[GR_MAX_RANK];
    uint64_t bytes; /* as stored */
} gr_inspect_tensor;

typedef struct gr_inspect_stats {
    double mean, deviation, least, most; /* of the finite elements; 0 where there are none */
    int64_t nonfinite;
} gr_inspect_stats;

/* path: a .safetensors file, an index of shards, a Hugging Face folder, a tokenizer.json, a llama2.c .bin file.
 * Owner:  the caller closes *out.
 * Status: GR_ERR_NOT_FOUND, GR_ERR_UNSUPPORTED (nothing known in it), GR_ERR_CORRUPT, GR_ERR_IO, GR_ERR_MEMORY. */
GR_API gr_status gr_inspect_open(const char *path, gr_inspection **out);
GR_API void gr_inspect_close(gr_inspection **file);

/* "safetensors", "Hugging Face folder", "tokenizer", "llama2.c"; borrowed. */
GR_API const char *gr_inspect_format(const gr_inspection *file);
/* Elements and stored bytes of all tensors. */
GR_API int64_t gr_inspect_parameters(const gr_inspection *file);
GR_API uint64_t gr_inspect_bytes(const gr_inspection *file);
/* The i-th tensor by name; texts are borrowed until close. False past the end. */
GR_API bool gr_inspect_tensor_at(const gr_inspection *file, size_t i, gr_inspect_tensor *out);
/* Statistics of its elements (reads them). GR_ERR_ARGUMENT past the end; GR_ERR_UNSUPPORTED for element types that Gradus
 * does not compute with. */
GR_API gr_status gr_inspect_stats_at(const gr_inspection *file, size_t i, gr_inspect_stats *out);
/* The i-th fact: of "config" (config.json), "tokenizer" or "metadata" (of the weights). False past the end. */
GR_API bool gr_inspect_fact_at(const gr_inspection *file, size_t i, const char **section, const char **name,
                               const char **value);
/* Its whole value as JSON, where the text above is one short line; borrowed; NULL past the end. */
GR_API const char *gr_inspect_fact_json(const gr_inspection *file, size_t i);

/* ---- this machine ---------------------------------------------------------------------- */

typedef struct gr_system {
    char cpu[64];               /* "" where unknown */
    const char *isa, *best_isa; /* level of the kernels in use, and the best one here: "generic", "avx2", "avx512" */
    bool bf16;                  /* the processor multiplies bf16 pairs */
    int cores, threads;         /* usable; used */
    const char *onednn;         /* "oneDNN 2.6.3", "none" */
    int64_t l1_bytes, l2_bytes, l3_bytes;
    uint64_t memory_bytes, memory_free_bytes, disk_free_bytes; /* of the current folder; 0: unknown */
    char data[256];                                            /* the folder of test data that was found; "": none */
} gr_system;
GR_API void gr_system_describe(gr_system *out);

/* File name of the i-th shared library that this process uses, with its version ("libjansson.so.4.14.0"), sorted, without
 * the C library's own; false past the end. */
GR_API bool gr_system_library(int i, char out[128]);

/* Memory of the whole process now, and the most it ever was, as the system counts; 0: unknown. */
GR_API size_t gr_process_bytes(void);
GR_API size_t gr_process_peak_bytes(void);

/* Floating-point operations a second that dense products reach here with the threads in use: the best of some large
 * products, measured once for each number format and kept. 0 when it cannot be measured. Takes about 0.1 s. */
GR_API double gr_peak_flops(bool bf16);

/* Kernels against the naive ones, on small inputs. fn (may be NULL) gets each result: the worst difference, relative to
 * the largest value, and what is allowed. Status: GR_OK; GR_ERR_CHECK when one is beyond it; GR_ERR_MEMORY. */
typedef void (*gr_self_test_fn)(void *user, const char *name, double worst, double allowed);
GR_API gr_status gr_self_test(gr_self_test_fn fn, void *user);

/* ---- configuration and data ------------------------------------------------------------ */

/* All keys of a configuration file with what they accept, their defaults and a line each. 'section' ("train", "train.lr")
 * chooses some; NULL: all. Free with gr_text_free(). GR_ERR_NOT_FOUND with did-you-mean. */
GR_API gr_status gr_config_help(const char *section, char **out);
/* The keys that a run's configuration does not give, a line each with the default that stands for them:
 * "train.batch: 256". Free with gr_text_free(). GR_ERR_MEMORY. */
GR_API gr_status gr_run_defaults(const gr_run *run, char **out);

/* What the source of a language model's text looks like. */
typedef struct gr_text_report {
    int64_t documents, bytes, characters, lines;
    int64_t skipped_files; /* of a folder: not text */
    int64_t empty_documents;
    int64_t short_documents;     /* not empty, below 32 characters; of a folder */
    int64_t duplicate_documents; /* equal to an earlier one */
    int64_t duplicate_lines;     /* of at least 16 bytes, equal to an earlier one */
    int64_t long_lines;          /* above 10000 bytes */
    int64_t replaced;            /* characters U+FFFD: the text was broken before */
} gr_text_report;
/* path: a file or a folder, read as training does.
 * Status: GR_ERR_NOT_FOUND, GR_ERR_DATA (invalid UTF-8 with its place), GR_ERR_IO, GR_ERR_MEMORY. */
GR_API gr_status gr_text_check(const char *path, gr_text_report *out);
/* data.source of an open run; NULL where the text came from memory or is built in. Owned by the run. */
GR_API const char *gr_run_source(const gr_run *run);
/* Rows of data.valid_source or data.test_source that stand in data.source too, where both are files of records
 * (gradus/data.h); *line_train, *line_test: of the first pair. 0 where there is no such file.
 * Status: those of gr_records_open(). */
GR_API gr_status gr_run_leaks(const gr_run *run, int64_t *n, int64_t *line_train, int64_t *line_test);
/* Rows of data.source that are equal to an earlier one, where it is such a file; else 0. Status: those of gr_records_open(). */
GR_API gr_status gr_run_duplicates(const gr_run *run, int64_t *n);

/* ---- models and tensors ---------------------------------------------------------------- */

/* gr_model_score() on the text at 'path' (a file or a folder, read as training does; several documents are parted by the
 * end-of-text token). 'bytes' are those of the text itself behind its first token, also where the tokenizer lost some.
 * options may be NULL. GR_ERR_DATA where the model has no tokenizer or the text is too short. */
GR_API gr_status gr_model_score_text(gr_model *model, const char *path, const gr_eval_options *options,
                                     gr_lm_score *out);

/* Writes n tensors as one .safetensors file, atomically. */
GR_API gr_status gr_tensors_save(const char *path, const char *const *names, const gr_tensor *tensors, size_t n);

/* ---- for people ------------------------------------------------------------------------ */

/* "1.5 MiB", "12.3 k", "1 h 02 min", and the shortest text that reads back as the same number. */
GR_API void gr_show_bytes(char out[32], double bytes);
GR_API void gr_show_count(char out[32], double count);
GR_API void gr_show_seconds(char out[32], double seconds);
GR_API void gr_show_number(char out[32], double value);
/* Bytes of the UTF-8 character at 'text' (1 to 4); 0: what stands there is none, or n is 0. */
GR_API size_t gr_character_bytes(const char *text, size_t n);
/* The candidate that 'word' was probably meant to be; NULL: none is near. */
GR_API const char *gr_nearest_name(const char *word, const char *const *candidates, size_t n);
/* The last 'width' of n values as block characters from low to high (3 bytes each), with a closing 0, cut to 'room'. */
GR_API void gr_sparkline(const double *y, size_t n, size_t width, char *out, size_t room);

#ifdef __cplusplus
}
#endif
#endif
