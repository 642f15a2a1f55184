#include "cli/predict.h"

static predict_options o = {.top = 1};

static const cli_option options[] = {
    {"text", 't', CLI_LIST, &o.text, "TEXT", 0, 0, NULL,
     "what to judge; may be repeated (default: each line of standard input)", false},
    {"top", 0, CLI_INT, &o.top, "N", 1, 1e6, NULL,
     "print the N likeliest labels (default 1), or best items (default 10)", false},
    {"length", 0, CLI_INT, &o.length, "N", 1, 1e9, NULL, "only the first N tokens count (default: the model's context)",
     false},
    {"batch", 0, CLI_INT, &o.batch, "N", 1, 65536, NULL, "texts at a time (default 16)", false},
    {"user", 0, CLI_TEXT, &o.user, "NAME", 0, 0, NULL, "for whom items are recommended", false},
    {"bf16", 0, CLI_FLAG, &o.bf16, NULL, 0, 0, NULL, "compute in bf16", false},
};

static const struct {
    gr_model_kind kind;
    predict_fn run;
} kinds[] = {
    {GR_MODEL_ENCODER, predict_texts}, {GR_MODEL_PICTURE, predict_pictures},  {GR_MODEL_TABLE, predict_rows},
    {GR_MODEL_SERIES, predict_series}, {GR_MODEL_RECOMMENDER, predict_items},
};

static int run_command(void)
{
    gr_model *model = NULL;
    gr_status s = gr_model_open(cli.argument[0], &model);
    if (s != GR_OK) return cli_fail(s);
    predict_fn run = NULL;
    for (size_t i = 0; i < COUNT(kinds); i++)
        if (kinds[i].kind == gr_model_kind_of(model)) run = kinds[i].run;
    int code = run ? run(model, &o)
                   : cli_usage("'%s' is a %s, of which nothing can be predicted this way%s", cli.argument[0],
                               gr_model_family(model),
                               gr_model_kind_of(model) == GR_MODEL_LM ? "; 'gradus generate' continues texts" : "");
    gr_model_free(&model);
    return code;
}

static const char *const examples[] = {
    "gradus predict runs/questions --text \"How far is the moon?\"",
    "gradus predict runs/questions --text \"Who wrote it?\" --top 3",
    "gradus predict runs/questions --json < questions.txt",
    "gradus predict runs/mnist_lenet seven.png three.jpg",
    "gradus predict runs/houses new.csv > predicted.csv",
    "gradus predict runs/etth1_dlinear ETTh1.csv",
    "gradus predict runs/movielens_mf ratings.csv --user 42 --top 10",
    NULL,
};

const cli_command cmd_predict = {
    "predict",
    "Use",
    "MODEL [PICTURE... | FILE.csv]",
    "gives the label of a text or a picture, or the target of the rows of a CSV file",
    "MODEL is a folder that the task 'text-classification' left, or a Hugging Face folder of BERT, RoBERTa or DistilBERT\n"
    "with a classification head; or one that 'image-classification' left, and then files of pictures follow. A line for each\n"
    "text or picture: label, TAB, probability; with --json an object with all of them.\n"
    "A folder that the task 'table' left wants a CSV file as it came, and prints it with the columns 'prediction' and\n"
    "'probability_CLASS'; with --json an object for each row. One that 'forecasting' left wants a CSV file with the past of\n"
    "its series, and prints how they go on. One that 'recommendation' left wants --user and a CSV file with what users have had,\n"
    "and prints items that this one has not had, the best first, each with its score.",
    options,
    COUNT(options),
    1,
    -1,
    false,
    examples,
    run_command,
};
