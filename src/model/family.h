/* A model family is one file: its configuration rows, the function that appends its nodes, and its Hugging Face names.
 * Adding one: src/model/NAME.c with `const gr__family gr__family_NAME`, and a line in families.def.
 * States are stored under Hugging Face's parameter names and shapes, so reading and writing need no map. */
#ifndef GR__FAMILY_H
#define GR__FAMILY_H

#include "gradus/model.h"
#include "audio/features.h"
#include "base/json.h"
#include "conf/schema.h"
#include "format/columns.h"

/* What the data say before the model is made. */
typedef struct gr__facts {
    int64_t vocab;           /* LM, ENCODER: of the tokenizer; 0: the config must say */
    int64_t inputs, outputs; /* VECTOR: columns of x and y */
    gr__conf_strings labels; /* ENCODER, PICTURE, SPEECH: what the head tells apart, in order; none: as the config
                                says. SERIES: their names */
    int64_t height, width, channels; /* PICTURE: 0: the config must say */
    int64_t frames;                  /* PICTURE, of clips: pictures in a row */
    gr__conf_doubles mean, std;      /* PICTURE: of each channel of the data in [0, 1]; none: as the config says.
                                        SERIES: of each */
    bool words;                      /* SPEECH: labels are words, else characters */
    bool log;                        /* SERIES: mean and std are those of their logarithms */
    const gr__features *features; /* SPEECH; PICTURE: its pictures are the bands of sounds; NULL: as the config says */
    const struct gr__recommender_config *recommender; /* RECOMMENDER: 'labels' then holds items, users and columns */
    const gr__columns *columns; /* TABLE: fitted; they outlive the model. NULL: as the config says */
    int32_t pad;                /* ENCODER: id of padding, -1: none; filled by gr__model_finish() */
    gr__arena *arena;           /* the model's; filled by gr__model_finish() */
} gr__facts;

typedef struct gr__lm_in {
    gr_value ids; /* i32 (B, T) */
    int64_t batch, time;
    bool train;           /* dropout on */
    gr_value start;       /* i32 (B): decoding with caches; 0: none */
    gr_value positions;   /* i32 (B, T): with start */
    gr_value lengths;     /* i32 (B): with start: how many ids are real, what is behind them must leave no trace */
    int64_t cache;        /* positions in the caches */
    gr_dtype cache_dtype; /* f32, or bf16 where gr_autocast_bf16() follows */
    const char *program;  /* in which the caches are updated */
} gr__lm_in;

typedef struct gr__encoder_in {
    gr_value ids;   /* i32 (B, T) */
    gr_value types; /* i32 (B, T): which of two texts a token belongs to; 0: all the first */
    gr_value mask;  /* u8 (B, T): 0 hides padding; 0: none */
    int64_t batch, time;
    bool train; /* dropout on */
} gr__encoder_in;

typedef struct gr__encoded {
    gr_value hidden; /* (B, T, C) after the last layer */
    gr_value pooled; /* (B, C): what stands for the whole; 0: the configuration has none */
} gr__encoded;

typedef struct gr__picture_in {
    gr_value x;          /* f32 (N, H, W, C), of clips (N, frames, H, W, C), normalised */
    bool train;          /* dropout on, norms by the batch */
    const char *program; /* train: in which running statistics are updated */
} gr__picture_in;

/* What a detector says of each of its L places, row by row. */
typedef struct gr__detector_out {
    gr_value logits; /* (N, L, labels): each label by itself */
    gr_value boxes;  /* f32 (N, L, 4): x0, y0, x1, y1 in pixels of the model's picture */
} gr__detector_out;

typedef struct gr__speech_in {
    gr_value x;          /* f32 (N, T, mels), normalised, 0 past the end */
    gr_value lengths;    /* i32 (N): steps of the result that are real; 0: all */
    bool train;          /* dropout on, norms by the batch */
    const char *program; /* train: in which running statistics are updated */
} gr__speech_in;

typedef struct gr__recommend_in gr__recommend_in; /* model/recommender.h */
typedef struct gr__fitting gr__fitting;           /* model/fitted.h */

/* A name that older files have, by its end: "LayerNorm.gamma" -> "LayerNorm.weight". */
typedef struct gr__old_name {
    const char *end, *now;
} gr__old_name;

typedef struct gr__family {
    const char *name;     /* "gpt" */
    const char *hf_type;  /* model_type of config.json; NULL: not a Hugging Face model */
    const char *hf_class; /* what config.json calls the architecture; NULL: 'architecture' says */
    const char *summary;  /* one line for help */
    gr_model_kind kind;
    gr_model_kind (*kind_of)(const void *config); /* what it is once it is finished; NULL: 'kind' */
    size_t config_bytes;
    const gr__conf_row *rows; /* of the section 'model', beside 'type' */
    size_t n_rows;
    /* Fills what follows from the rest and checks it; messages name config keys. */
    gr_status (*finish)(void *config, const gr__facts *facts);
    /* LM: hidden states after the last norm, and the output matrix. */
    void (*build_lm)(gr_graph *g, const void *config, const gr__lm_in *in, gr_value *hidden, gr_value *head);
    bool recurrent; /* LM: its states cannot be cut short, so that going back is beginning again */
    /* VECTOR: x (N, inputs) -> (N, outputs), before the output activation: losses work on that. program: as in
     * gr__picture_in. */
    gr_value (*build_vector)(gr_graph *g, const void *config, gr_value x, bool train, const char *program);
    void (*sizes)(const void *config, int64_t *inputs, int64_t *outputs);
    /* VECTOR: what a prediction is of build_vector's result; NULL: the same. */
    gr_value (*activate)(gr_graph *g, const void *config, gr_value y);
    /* ENCODER: the body, and the logits (B, labels) of its head; the head is asked for only where there are labels. */
    void (*build_encoder)(gr_graph *g, const void *config, const gr__encoder_in *in, gr__encoded *out);
    gr_value (*build_head)(gr_graph *g, const void *config, const gr__encoder_in *in, const gr__encoded *body);
    /* PICTURE: the logits (N, labels). What all such configurations begin with is in model/picture.h. */
    gr_value (*build_picture)(gr_graph *g, const void *config, const gr__picture_in *in);
    /* DETECTOR: its configuration begins like a PICTURE's. Place i is at ((i % width) + 0.5, (i / width) + 0.5)*stride. */
    void (*build_detector)(gr_graph *g, const void *config, const gr__picture_in *in, gr__detector_out *out);
    void (*places)(const void *config, int64_t *height, int64_t *width, int64_t *stride);
    int64_t (*frames)(const void *config); /* of a clip; NULL: single pictures */
    /* SPEECH: logits (N, steps, labels + 1), the first is CTC's blank; steps that T frames give. What all such
     * configurations begin with is in model/speech.h. */
    gr_value (*build_speech)(gr_graph *g, const void *config, const gr__speech_in *in);
    int64_t (*speech_steps)(const void *config, int64_t frames);
    /* GENERATOR: its configuration begins like a PICTURE's. z (N, latent) -> logits of pixels (N, H, W, C); and what it is
     * trained with, each may be NULL: in->x, pixels in [0, 1], to its code, spread: logarithm of the variance, 0: none; and
     * to logits (N, 1) of its being real. Their scopes are 'decode', 'code', 'judge'. */
    gr_value (*build_decode)(gr_graph *g, const void *config, gr_value z, const gr__picture_in *in);
    void (*build_code)(gr_graph *g, const void *config, const gr__picture_in *in, gr_value *mean, gr_value *spread);
    gr_value (*build_judge)(gr_graph *g, const void *config, const gr__picture_in *in);
    int64_t (*latent)(const void *config);
    /* TABLE: numbers f32 (B, N) (0: none) and codes i32 (B, K) (0: none) -> (B, outputs); the columns behind them. FITTED:
     * the columns, n = 0 where there is no table. */
    gr_value (*build_table)(gr_graph *g, const void *config, gr_value numbers, gr_value codes, int64_t batch,
                            bool train);
    const gr__columns *(*columns)(const void *config);
    /* SERIES: x (B, window, N), normalised -> (B, horizon, N). What all such configurations begin with is in
     * model/series.h. */
    gr_value (*build_series)(gr_graph *g, const void *config, gr_value x, bool train);
    /* RECOMMENDER, one that rates: (B); penalty (B) is what training adds to the squared error of each rating, 0: nothing. */
    gr_value (*build_rating)(gr_graph *g, const void *config, const gr__recommend_in *in, gr_value *penalty);
    /* RECOMMENDER, one that ranks: the score of an item is a product of (B, C) and the items' (n, C). ids i32 (n); 0: all. */
    gr_value (*build_query)(gr_graph *g, const void *config, const gr__recommend_in *in);
    gr_value (*build_items)(gr_graph *g, const void *config, gr_value ids, bool train);
    /* FITTED: x (N, inputs) -> what is said of a row (N, outputs), and the squared distance (N) of the row from what stands
     * for it; and the algorithm that sets the states: what is declared by gr__fitted_state(). GR_ERR_STOPPED where somebody
     * asked for it. What all such configurations begin with is in model/fitted.h. */
    void (*build_fitted)(gr_graph *g, const void *config, gr_value x, gr_value *said, gr_value *rest);
    gr_status (*fit)(struct gr_model *model, const gr__fitting *how);
    /* ENCODER, PICTURE, DETECTOR, TABLE, SPEECH: names of the labels; what their logits mean. SERIES, RECOMMENDER, FITTED:
     * of the series, the items, what is said of a row. */
    const gr__conf_strings *(*labels)(const void *config);
    gr_label_kind (*label_kind)(const void *config);
    const char *(*architecture)(const void *config);
    int32_t pad; /* ENCODER: id of padding where neither file nor tokenizer says */
    /* config.json both ways: hf names. 'read' refuses what the family cannot do by its key. */
    gr_status (*read_json)(gr__json root, void *config, gr__arena *arena);
    void (*write_json)(const void *config, gr__str *out); /* members by gr__hf_put_* of model/hf_json.h */
    gr_model_info (*describe)(const void *config);        /* 'parameters' is filled by others */
    /* Weights */
    const char *prefix;            /* of the names; files without it are read too. NULL: none */
    const char *const *ignored;    /* patterns of tensors that hold no weights (buffers), up to NULL; NULL: none */
    const gr__old_name *old_names; /* up to one of NULL; NULL: none */
    /* ENCODER: patterns, up to NULL, of what a folder that is only a beginning may lack: head and pooler. The first is
     * the head's, which begins anew with other labels. */
    const char *const *begins;
    const char *head, *embedding; /* a file of a tied model may hold 'head' too, equal to 'embedding'. NULL: no head */
    /* Hugging Face has biases where this model has none: written as zeros, must be zero when read. NULL: never. */
    bool (*zero_biases)(const void *config);
    const char *const *biased; /* patterns of the weights beside which they stand, up to NULL */
} gr__family;

#define GR_X(name) extern const gr__family gr__family_##name;
#include "model/families.def"
#undef GR_X
extern const gr__family *const gr__families[];
extern const int gr__n_families;
/* Whether the row has what a model of this kind needs: GR_ERR_INTERNAL names what it lacks. */
gr_status gr__family_check(const gr__family *family, gr_model_kind kind);
/* GR_ERR_CONFIG / GR_ERR_UNSUPPORTED with did-you-mean. */
gr_status gr__family_find(const char *name, const gr__family **out);
/* The type that the section 'model' names; 'otherwise' where it names none. */
const char *gr__model_type(const gr__conf *root, const char *otherwise);
/* Where it names none it gets this one. */
gr_status gr__model_default(gr__conf *root, const char *name, gr__arena *arena);
gr_status gr__family_find_hf(const char *model_type, const gr__family **out);

enum { GR__MAX_EOS = 8 };

struct gr_model {
    const gr__family *family;
    void *config; /* family->config_bytes, in 'arena' */
    gr__arena arena;
    gr_store *store;
    gr_tokenizer *tokenizer; /* owned; NULL: none */
    gr_graph *layout;        /* forward part for one token or row: declares every parameter; never run */
    double threshold;        /* of two labels; NaN: none */
    int32_t bos, pad;        /* -1: none */
    int32_t eos[GR__MAX_EOS];
    int n_eos;
};

/* The folder as a beginning: facts->labels replace its own, and what a body without a fitting head lacks is left to
 * gr_store_prepare(). Only for encoders: GR_ERR_UNSUPPORTED. */
gr_status gr__model_open_as(const char *folder, const gr__facts *facts, gr_model **out);

/* config.json's members, with neither brace; and a model of them without weights, for what it says of itself.
 * GR_ERR_CORRUPT. */
void gr__model_put_config(const gr_model *model, gr__str *members);
gr_status gr__model_of_config(gr__json root, gr_model **out);
/* Borrowed from the model. */
gr__facts gr__model_facts(const gr_model *model);

/* From the section 'model' of a configuration (NULL: all defaults); the store is empty, 'tokenizer' is taken over on
 * success (may be NULL). */
gr_status gr__model_new(const gr__conf *section, const gr__facts *facts, gr_tokenizer *tokenizer, gr_model **out);

/* ---- inside of model/ ---- */

/* A model with a zeroed configuration and an empty store. */
gr_status gr__model_make(const gr__family *family, gr_model **out);
/* finish(), then the layout. Special ids of the tokenizer count where the model has none yet. */
gr_status gr__model_finish(gr_model *model, const gr__facts *facts);
/* x f32 (batch, H, W, C), or (batch, frames, H, W, C), as what the model looks at. */
gr_value gr__model_planes(const gr_model *model, gr_graph *g, const char *name, int64_t batch);
/* The states of the layout: parameters and, where norms keep them, running statistics. Returns how many, fills at most
 * 'capacity'. */
int gr__model_states(const gr_model *model, gr_value *out, int capacity);
/* GR_ERR_UNSUPPORTED unless it is a language model, an encoder, for pictures; 'what' cannot be done otherwise. */
gr_status gr__model_want_lm(const gr_model *model, const char *what);
gr_status gr__model_want_encoder(const gr_model *model, const char *what);
gr_status gr__model_want_generator(const gr_model *model, const char *what);
gr_status gr__model_want_detector(const gr_model *model, const char *what);
gr_status gr__model_want_pictures(const gr_model *model, const char *what);
/* GR_ERR_ARGUMENT where one of n texts or paths is NULL; what: "a text". */
gr_status gr__model_want_items(const char *const *items, int64_t n, const char *what);
/* Of table models, whose configuration begins with its gr__columns (cells.c). */
const gr__conf_strings *gr__table_labels(const void *config);
gr_label_kind gr__table_label_kind(const void *config);
/* A table model: inputs "numbers" f32 (B, N) and "codes" i32 (B, K) where there are any -> (B, outputs). */
gr_value gr__model_build_table(const gr_model *model, gr_graph *g, int64_t batch, bool train);
/* GR_ERR_DATA unless all ids are in the vocabulary. */
gr_status gr__model_check_ids(const gr_model *model, const int32_t *ids, int64_t n);
/* GR_ERR_ARGUMENT unless a caller's 'batch' is 0 or more, and 'n' of its option 'name' from 0 to the context. */
gr_status gr__model_check_size(const gr_model *model, int64_t batch, const char *name, int64_t n);
/* Whether 'name' matches one of the patterns (up to NULL; NULL: none). */
bool gr__model_matches(const char *const *patterns, const char *name);
/* The llama2.c .bin at 'path' and the tokenizer beside it. */
gr_status gr__model_open_llama2c(const char *path, gr_model **out);

#endif
