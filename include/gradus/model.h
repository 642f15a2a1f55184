/* gradus/model.h: a network with its weights and tokenizer, as a Hugging Face folder on disk.
 *
 *   gr_model *model;
 *   gr_model_open("runs/demo", &model);
 *   char *text;
 *   gr_generate(model, "Once upon a time", &(gr_generate_options){.max_tokens = 100}, NULL, NULL, &text, NULL);
 *
 * Families are files of src/model/: gpt (GPT-2), llama, mlp, bert (with RoBERTa and DistilBERT), lenet, resnet, vgg,
 * mobilenet, vit, layers, detector, autoencoder, vae, dcgan, tabular, ctc, clip, dlinear, lstm_forecast, patchtst,
 * textcnn, textrnn, bag, rnn, linear, fm, mf, two_tower, next_item, kmeans, pca. */
#ifndef GRADUS_MODEL_H
#define GRADUS_MODEL_H

#include "gradus/graph.h"
#include "gradus/metric.h"
#include "gradus/store.h"
#include "gradus/text.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gr_model gr_model;

/* Opens a model:
 *   - a Hugging Face folder (config.json, model.safetensors or its shards, tokenizer.json) of a known family;
 *   - a llama2.c .bin file, or a folder that holds one beside its tokenizer .bin.
 * Weights of any float dtype become f32. Status: GR_ERR_NOT_FOUND, GR_ERR_IO, GR_ERR_CORRUPT (which tensor, expected and found
 * shape), GR_ERR_UNSUPPORTED (the architecture's name, the nearest known one), GR_ERR_MEMORY. */
GR_API gr_status gr_model_open(const char *path, gr_model **out);
/* Writes the folder: config.json, model.safetensors, tokenizer.json, generation_config.json, each atomically. */
GR_API gr_status gr_model_save(const gr_model *model, const char *folder);
GR_API void gr_model_free(gr_model **model);

GR_API gr_store *gr_model_store(gr_model *model);                     /* borrowed */
GR_API const gr_tokenizer *gr_model_tokenizer(const gr_model *model); /* borrowed; NULL: none */
GR_API const char *gr_model_family(const gr_model *model);            /* "gpt" */

typedef enum gr_model_kind {
    GR_MODEL_LM,          /* token ids in, the next token out */
    GR_MODEL_VECTOR,      /* rows of numbers in and out */
    GR_MODEL_ENCODER,     /* token ids in; out a vector of each, one of the whole, labels where there is a head */
    GR_MODEL_PICTURE,     /* pictures in, labels out */
    GR_MODEL_DETECTOR,    /* pictures in, boxes with labels out */
    GR_MODEL_TABLE,       /* cells of a table in; out a number, or labels (gradus/table.h) */
    GR_MODEL_SOUND,       /* sounds in, labels out: a model for pictures that looks at their mel bands */
    GR_MODEL_SPEECH,      /* sounds in, texts out */
    GR_MODEL_CLIP,        /* clips of video in, labels out */
    GR_MODEL_SERIES,      /* the past of series in, what follows out (gradus/table.h) */
    GR_MODEL_GENERATOR,   /* noise in, pictures out */
    GR_MODEL_RECOMMENDER, /* a user in, items out (gradus/table.h) */
    GR_MODEL_FITTED       /* rows of a table (gradus/table.h) or pictures in; out a cluster, or components */
} gr_model_kind;
GR_API gr_model_kind gr_model_kind_of(const gr_model *model);

/* Sizes that people ask for; 0 where the family has no such thing. */
typedef struct gr_model_info {
    int64_t parameters;
    int64_t layers, heads, kv_heads, width, context, vocab;
    int64_t types;                           /* of tokens: 2 where pairs of texts are told apart */
    int64_t labels;                          /* outputs of a classification head; classes of a table model */
    int64_t height, picture_width, channels; /* of the pictures that it looks at */
    int64_t pooled;                          /* 1: an encoder with one vector of the whole text */
    int64_t users, items;                    /* that a recommender knows */
    int64_t series, window, horizon;         /* of a forecaster: how many, rows that it looks at, rows that it gives */
} gr_model_info;
GR_API gr_model_info gr_model_describe(const gr_model *model);

/* ---- building graphs ------------------------------------------------------------------ */

typedef struct gr_lm_values {
    gr_value ids;    /* i32 (B, T), input "ids" */
    gr_value hidden; /* (B, T, C) after the last norm */
    gr_value head;   /* (V, C): the output matrix, the embedding itself when tied */
} gr_lm_values;
/* The forward part of a language model for training and scoring. train: with dropout. */
GR_API gr_status gr_model_build_lm(gr_model *model, gr_graph *g, int64_t batch, int64_t time, bool train,
                                   gr_lm_values *out);

typedef struct gr_encoder_values {
    gr_value ids;    /* i32 (B, T), input "ids" */
    gr_value types;  /* i32 (B, T), input "token_types": 0 in the first text, 1 in the second; 0: it knows no types */
    gr_value mask;   /* u8 (B, T), input "mask": 1 where a token is, 0 where padding */
    gr_value hidden; /* (B, T, C) after the last layer */
    gr_value pooled; /* (B, C): of the whole text; 0: this model has none */
    gr_value logits; /* (B, labels); 0: it has no head */
} gr_encoder_values;
/* The forward part of an encoder. train: with dropout. Rows without a single token give numbers without meaning. */
GR_API gr_status gr_model_build_encoder(gr_model *model, gr_graph *g, int64_t batch, int64_t time, bool train,
                                        gr_encoder_values *out);

typedef struct gr_picture_values {
    gr_value pictures; /* f32 (N, H, W, C), input "pictures": (v/255 - mean)/std of each channel; of a model that hears
                          the bands of sounds (N, time, bands, 1); of clips (N, frames, H, W, C) */
    gr_value logits;   /* (N, labels) */
} gr_picture_values;
/* The forward part of a model for pictures. train: with dropout, and norms by the batch, whose running statistics the
 * program (NULL: "step") updates. */
GR_API gr_status gr_model_build_picture(gr_model *model, gr_graph *g, int64_t batch, bool train, const char *program,
                                        gr_picture_values *out);

typedef struct gr_detector_values {
    gr_value pictures; /* as in gr_picture_values */
    gr_value logits;   /* (N, L, labels): of L places, each label by itself */
    gr_value boxes;    /* f32 (N, L, 4): x0, y0, x1, y1 in pixels of "pictures" */
} gr_detector_values;
/* The same of a detector. */
GR_API gr_status gr_model_build_detector(gr_model *model, gr_graph *g, int64_t batch, bool train, const char *program,
                                         gr_detector_values *out);
typedef struct gr_speech_values {
    gr_value bands;   /* f32 (N, T, bands), input "bands": normalised logarithms of mel bands, 0 past the end */
    gr_value lengths; /* i32 (N), input "lengths": steps that are real, gr_model_speech_steps() of the frames */
    gr_value logits;  /* (N, steps, symbols + 1); 0 is CTC's blank */
} gr_speech_values;
/* The forward part of a model that writes down what it hears, for 'frames' rows of bands. program: as above. */
GR_API gr_status gr_model_build_speech(gr_model *model, gr_graph *g, int64_t batch, int64_t frames, bool train,
                                       const char *program, gr_speech_values *out);
/* Steps of the logits for so many frames; 0 for another kind of model. */
GR_API int64_t gr_model_speech_steps(const gr_model *model, int64_t frames);

/* ---- generation ------------------------------------------------------------------------ */

typedef struct gr_generate_options {
    int64_t max_tokens;        /* 0: 256 */
    double temperature;        /* 0 with 'greedy' unset: 1; see greedy */
    bool greedy;               /* always the likeliest token */
    int64_t top_k;             /* 0: all */
    double top_p;              /* 0: 1 */
    double min_p;              /* drop tokens below min_p times the likeliest one's probability; 0: off */
    double repetition_penalty; /* 0: 1 (Keskar et al. 2019) */
    uint64_t seed;
    const char *const *stop; /* texts that end the output; they are not part of it */
    int n_stop;
    bool bf16; /* compute in bf16 */
    bool ignore_eos;
} gr_generate_options;

/* Called with each piece of text (whole UTF-8 characters) as it comes; false stops. */
typedef bool (*gr_text_fn)(void *user, const char *text, size_t n);

typedef enum gr_finish_reason { GR_FINISH_LENGTH, GR_FINISH_EOS, GR_FINISH_STOP, GR_FINISH_USER } gr_finish_reason;

typedef struct gr_generate_result {
    int64_t prompt_tokens, tokens;
    int64_t prompt_left_out; /* of prompt_tokens, at the beginning: the context had no room for them */
    double prompt_seconds, seconds;
    gr_finish_reason reason;
} gr_generate_result;

/* Continues 'prompt' ("" begins with the model's start token). *text (may be NULL) gets the continuation; free it with
 * gr_text_free(). result may be NULL. When the context is full the oldest half is dropped, of
 * a prompt that does not fit as many halves of the context as needed.
 * Same model, options and number of threads: same text. */
GR_API gr_status gr_generate(gr_model *model, const char *prompt, const gr_generate_options *options, gr_text_fn fn,
                             void *user, char **text, gr_generate_result *result);

/* One step at a time, on token ids: a decoder with its cache of keys and values. */
typedef struct gr_lm_decoder gr_lm_decoder;
/* context: tokens that it has room for; 0: the model's context. bf16: compute in it. 'model' must outlive it. Owner: the caller
 * frees *out. Status: GR_ERR_ARGUMENT, GR_ERR_UNSUPPORTED (no language model), GR_ERR_MEMORY. */
GR_API gr_status gr_lm_decoder_new(gr_model *model, int64_t context, bool bf16, gr_lm_decoder **out);
/* Appends n ids; *logits borrows the f32 logits (V) behind the last one until the next call.
 * GR_ERR_LIMIT when the context is full, GR_ERR_DATA for an id outside the vocabulary. */
GR_API gr_status gr_lm_decoder_feed(gr_lm_decoder *decoder, const int32_t *ids, int64_t n, const float **logits);
/* Keeps the first n positions of the cache (0: empty). */
GR_API void gr_lm_decoder_rewind(gr_lm_decoder *decoder, int64_t n);
GR_API void gr_lm_decoder_free(gr_lm_decoder **decoder);

/* ---- scoring ---------------------------------------------------------------------------- */

typedef struct gr_eval_options {
    int64_t batch, context; /* 0: chosen from the model */
    bool bf16;
} gr_eval_options;
typedef struct gr_lm_score {
    double loss; /* mean negative log-likelihood of a token, natural log */
    double perplexity;
    double bits_per_byte; /* NaN where 'bytes' is 0 */
    int64_t tokens;
    int64_t bytes; /* of the text that the tokens stand for; 0: not known */
} gr_lm_score;
/* Mean over all tokens of the array but the first, in windows of the context side by side. 'bytes' come from the tokenizer;
 * they are not known of a model without one, and where an id stands for what its vocabulary does not have (<unk>):
 * gr_model_score_text() (gradus/tools.h) knows them. */
GR_API gr_status gr_model_score(gr_model *model, const int32_t *ids, int64_t n, const gr_eval_options *options,
                                gr_lm_score *out);
/* Logits of a batch of ids (B, T) into the caller's f32 (B, T, V). */
GR_API gr_status gr_model_logits(gr_model *model, const int32_t *ids, int64_t batch, int64_t time, float *logits);

/* ---- labels ------------------------------------------------------------------------------ */

/* What the logits of a head are. */
typedef enum gr_label_kind {
    GR_LABELS_ONE,    /* one label of several: soft-max gives probabilities */
    GR_LABELS_MANY,   /* each label by itself: the sigmoid gives its probability */
    GR_LABELS_NUMBERS /* no labels: the logits are the numbers */
} gr_label_kind;
GR_API gr_label_kind gr_model_label_kind(const gr_model *model);
/* Name of the i-th label (of a forecaster: of the i-th series, of a recommender: of the i-th item, of k-means or PCA: of
 * the i-th cluster or component), borrowed; NULL past the end, and where there is no head. */
GR_API const char *gr_model_label(const gr_model *model, int64_t i);

/* Of a model of two labels (GR_LABELS_ONE): the second is said where its probability is at least this; NaN: the likelier one
 * is said. It is a part of the folder ("threshold" of config.json); training may tune it ('threshold' of a configuration). */
GR_API double gr_model_threshold(const gr_model *model);
/* 0 .. 1, or NaN. GR_ERR_ARGUMENT, GR_ERR_UNSUPPORTED (not two labels). */
GR_API gr_status gr_model_set_threshold(gr_model *model, double threshold);
/* Which label is said of these probabilities (labels); -1 where the model has not so many labels. */
GR_API int64_t gr_model_decide(const gr_model *model, const double *probability, int64_t labels);

typedef struct gr_classify_options {
    int64_t batch;  /* texts at a time; 0: 16 */
    int64_t length; /* most tokens of a text, what is beyond is cut off; 0: the model's context */
    bool bf16;      /* compute in bf16 */
} gr_classify_options;
/* Scores of n texts into the caller's f32 (n, labels): probabilities, or the numbers themselves (gr_label_kind).
 * GR_ERR_UNSUPPORTED (no head), GR_ERR_DATA (no tokenizer; an empty text, counted from 1), GR_ERR_MEMORY. */
GR_API gr_status gr_classify(gr_model *model, const char *const *texts, int64_t n, const gr_classify_options *options,
                             float *scores);
/* The same of n files of pictures (PNG, JPEG, BMP, PNM), resized to what the model wants; 'length' does not count. */
GR_API gr_status gr_classify_pictures(gr_model *model, const char *const *paths, int64_t n,
                                      const gr_classify_options *options, float *scores);
/* Where n files of pictures lie for k-means or PCA (GR_MODEL_FITTED), into the caller's f32 (n, labels): the distance to each
 * centre, or each component, in the order of gr_model_label(). GR_ERR_UNSUPPORTED (another model, or one of a table), GR_ERR_IO,
 * GR_ERR_MEMORY, and what reading pictures gives. */
GR_API gr_status gr_place_pictures(gr_model *model, const char *const *paths, int64_t n, float *numbers);
typedef struct gr_detect_options {
    double least;   /* score from which a box counts; 0: 0.3, see no_least */
    double overlap; /* of two boxes of a label the worse one is dropped above it; 0: 0.5 */
    int64_t most;   /* boxes of a picture; 0: 100 */
    int64_t batch;  /* pictures at a time; 0: 16 */
    bool no_least;
    bool bf16;
    const char *draw; /* a folder into which each picture is written with its boxes, NAME.png; NULL: none */
} gr_detect_options;
/* Called for each picture in turn with what was found in it: by falling score, in pixels of the picture as it is. */
typedef void (*gr_detect_fn)(void *user, int64_t picture, const gr_detection *found, size_t n);
/* Boxes in n files of pictures. GR_ERR_UNSUPPORTED (no detector), GR_ERR_CONFIG (a drawing would take the place of a picture or
 * of another drawing; nothing is written then), GR_ERR_IO, GR_ERR_MEMORY, and what reading pictures gives. */
GR_API gr_status gr_detect_pictures(gr_model *model, const char *const *paths, int64_t n,
                                    const gr_detect_options *options, gr_detect_fn fn, void *user);
/* The same of n clips: folders of frames, .y4m files, or what the program 'ffmpeg' reads where it is installed. */
GR_API gr_status gr_classify_clips(gr_model *model, const char *const *paths, int64_t n,
                                   const gr_classify_options *options, float *scores);
/* The same of n files of sound (WAV; FLAC, Ogg, MP3 where libsndfile is), brought to the rate of the model, of which its
 * middle is heard. GR_ERR_DATA: there is no sound in one. */
GR_API gr_status gr_classify_sounds(gr_model *model, const char *const *paths, int64_t n,
                                    const gr_classify_options *options, float *scores);
typedef struct gr_transcribe_options {
    int64_t beam; /* texts that are kept at each step; 0 and 1: the likeliest symbol of each step alone */
    bool bf16;
} gr_transcribe_options;
/* What is said in a file of sound; free with gr_text_free(). Status: as gr_classify_sounds(). */
GR_API gr_status gr_transcribe(gr_model *model, const char *path, const gr_transcribe_options *options, char **text);
/* n pictures from noise into the caller's f32 (n, H, W, C), in [0, 1]; picture i is a function of (seed, i).
 * GR_ERR_UNSUPPORTED (no generator), GR_ERR_MEMORY. */
GR_API gr_status gr_generate_pictures(gr_model *model, int64_t n, uint64_t seed, float *pictures);
/* The same into a folder as 0000.png, ...; the folder is made. GR_ERR_IO; GR_ERR_UNSUPPORTED (a build without PNG). */
GR_API gr_status gr_generate_files(gr_model *model, int64_t n, uint64_t seed, const char *folder);
/* The encoder's own numbers: ids (B, T) with mask (B, T) (NULL: all ones) into the caller's f32 arrays, of which each may
 * be NULL: hidden (B, T, C), pooled (B, C), logits (B, labels). GR_ERR_UNSUPPORTED where the model lacks one. */
GR_API gr_status gr_model_encode(gr_model *model, const int32_t *ids, const uint8_t *mask, int64_t batch, int64_t time,
                                 float *hidden, float *pooled, float *logits);

#ifdef __cplusplus
}
#endif
#endif
