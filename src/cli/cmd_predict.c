#include "cli/predict.h"

#include <sys/stat.h>

static predict_options o = {.top = 1, .least = -1, .threshold = -1};

/* Kinds of models that an option says something to. */
#define OF(kind) (1u << GR_MODEL_##kind)
#define LABELLED (OF(ENCODER) | OF(PICTURE) | OF(SOUND) | OF(CLIP))

static const cli_option options[] = {
    {"text", 't', CLI_LIST, &o.text, "TEXT", 0, 0, NULL,
     "what to judge; may be repeated (default: each line of standard input)", false, OF(ENCODER)},
    {"top", 0, CLI_INT, &o.top, "N", 1, 1e6, NULL,
     "print the N likeliest labels (default 1), or best items (default 10)", false, LABELLED | OF(RECOMMENDER)},
    {"threshold", 0, CLI_DOUBLE, &o.threshold, "P", 0, 1, NULL,
     "two labels: say the second from this probability on (default: what training tuned, else the likelier label)",
     false},
    {"length", 0, CLI_INT, &o.length, "N", 1, 1e9, NULL, "only the first N tokens count (default: the model's context)",
     false, OF(ENCODER)},
    {"batch", 0, CLI_INT, &o.batch, "N", 1, 65536, NULL, "texts at a time (default 16)", false,
     LABELLED | OF(DETECTOR)},
    {"user", 0, CLI_TEXT, &o.user, "NAME", 0, 0, NULL, "for whom items are recommended", false, OF(RECOMMENDER)},
    {"skip-bad", 0, CLI_FLAG, &o.skip_bad, NULL, 0, 0, NULL,
     "rows of a table: leave out those with another number of fields, with a warning", false, OF(TABLE) | OF(FITTED)},
    {"least", 0, CLI_DOUBLE, &o.least, "P", 0, 1, NULL, "boxes: only those with this score (default 0.3)", false,
     OF(DETECTOR)},
    {"draw", 0, CLI_TEXT, &o.draw, "FOLDER", 0, 0, NULL, "boxes: write each picture with them, as PNG", false,
     OF(DETECTOR)},
    {"beam", 0, CLI_INT, &o.beam, "N", 1, 65536, NULL,
     "sounds to texts: keep the N likeliest texts while listening (default: the likeliest symbol at each step)", false,
     OF(SPEECH)},
    {"bf16", 0, CLI_FLAG, &o.bf16, NULL, 0, 0, NULL, "compute in bf16", false, LABELLED | OF(DETECTOR) | OF(SPEECH)},
};

static const struct {
    gr_model_kind kind;
    predict_fn run;
} kinds[] = {
    {GR_MODEL_ENCODER, predict_texts}, {GR_MODEL_PICTURE, predict_files}, {GR_MODEL_SOUND, predict_files},
    {GR_MODEL_CLIP, predict_files},    {GR_MODEL_SPEECH, predict_speech}, {GR_MODEL_DETECTOR, predict_boxes},
    {GR_MODEL_TABLE, predict_rows},    {GR_MODEL_SERIES, predict_series}, {GR_MODEL_RECOMMENDER, predict_items},
    {GR_MODEL_FITTED, predict_places},
};

/* The first argument behind the model that is a folder, where only files are looked at; NULL: none. */
static const char *find_folder(gr_model_kind kind)
{
    struct stat info;
    if (kind != GR_MODEL_PICTURE && kind != GR_MODEL_SOUND && kind != GR_MODEL_SPEECH && kind != GR_MODEL_DETECTOR)
        return NULL;
    for (int i = 1; i < cli.n_arguments; i++)
        if (stat(cli.argument[i], &info) == 0 && S_ISDIR(info.st_mode)) return cli.argument[i];
    return NULL;
}

static int run_command(void)
{
    gr_model *model = NULL;
    gr_status s = gr_model_open(cli.argument[0], &model);
    if (s != GR_OK) return cli_fail(s);
    if (o.threshold >= 0) s = gr_model_set_threshold(model, o.threshold);
    if (s != GR_OK) {
        gr_model_free(&model);
        return cli_fail(s);
    }
    const char *folder = find_folder(gr_model_kind_of(model));
    if (folder) {
        gr_model_free(&model);
        return cli_usage("'%s' is a folder, and files are wanted; name those in it: gradus predict %s %s/*", folder,
                         cli.argument[0], folder);
    }
    char what[300];
    snprintf(what, sizeof what, "'%.200s', a model of type '%s'", cli.argument[0], gr_model_family(model));
    if (cli_check_scope(1u << gr_model_kind_of(model), what) != EXIT_OK) {
        gr_model_free(&model);
        return EXIT_USAGE;
    }
    predict_fn run = NULL;
    for (size_t i = 0; i < COUNT(kinds); i++)
        if (kinds[i].kind == gr_model_kind_of(model)) run = kinds[i].run;
    int code = run ? run(model, &o)
                   : cli_usage("'%s' is a %s, of which nothing can be predicted this way%s", cli.argument[0],
                               gr_model_family(model),
                               gr_model_kind_of(model) == GR_MODEL_LM          ? "; 'gradus generate' continues texts"
                               : gr_model_kind_of(model) == GR_MODEL_GENERATOR ? "; 'gradus generate' makes pictures"
                                                                               : "");
    gr_model_free(&model);
    return code;
}

static const char *const examples[] = {
    "gradus predict runs/questions --text \"How far is the moon?\"",
    "gradus predict runs/questions --text \"Who wrote it?\" --top 3",
    "gradus predict runs/questions --json < questions.txt",
    "gradus predict runs/mnist_lenet seven.png three.jpg",
    "gradus predict runs/bccd_detector blood.jpg --draw boxes",
    "gradus predict runs/fsdd_digits seven.wav",
    "gradus predict runs/fsdd_strings numbers.wav --beam 8",
    "gradus predict runs/houses new.csv > predicted.csv",
    "gradus predict runs/mammography new.csv --threshold 0.2",
    "gradus predict runs/penguins_kmeans new.csv",
    "gradus predict runs/etth1_dlinear ETTh1.csv",
    "gradus predict runs/movielens_mf ratings.csv --user 42 --top 10",
    NULL,
};

const cli_command cmd_predict = {
    "predict",
    "Use",
    "MODEL [PICTURE... | SOUND... | CLIP... | FILE.csv]",
    "gives labels of texts, pictures, sounds or clips, boxes in pictures, what is said, or the target of rows of a CSV file",
    "MODEL is a folder that the task 'text-classification' left, or a Hugging Face folder of BERT, RoBERTa or DistilBERT\n"
    "with a classification head; or one that 'image-classification' left, and then files of pictures follow, or\n"
    "'sound-classification', and files of sounds, or 'clip-classification', and clips (folders of frames, .y4m, what ffmpeg\n"
    "reads). A line for each text, picture, sound or clip: label, TAB, probability; with --json an object with all of them.\n"
    "One that 'speech-recognition' left prints the text of each sound. A folder of 'object-detection' wants pictures too: a\n"
    "line for each box, picture, label, score, left, top, width and height in pixels, separated by TABs.\n"
    "A folder that the task 'table' left wants a CSV file as it came (or it on standard input), and prints it with the columns 'prediction' and\n"
    "'probability_CLASS'; with --json an object for each row. One that 'forecasting' left wants a CSV file with the past of\n"
    "its series, and prints how they go on. One that 'recommendation' left wants --user and a CSV file with what users have had,\n"
    "and prints items that this one has not had, the best first, each with its score. One that 'unsupervised' left wants a CSV\n"
    "file, and prints it with 'cluster' and 'distance', or the components; or, if it was fitted to pictures, files of them.",
    options,
    COUNT(options),
    1,
    -1,
    false,
    examples,
    run_command,
};
