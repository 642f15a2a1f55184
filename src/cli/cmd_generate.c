#include "cli/out.h"
#include "gradus/model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct {
    const char *prompt;
    double temperature, top_p, min_p, repetition_penalty;
    int64_t top_k, max_tokens;
    cli_list stop;
    bool bf16, ignore_eos;
    int64_t count;
    const char *folder;
} o = {.count = 16, .temperature = 0.8, .max_tokens = 256, .top_p = 1, .repetition_penalty = 1};

enum { TEXTS = 1, PICTURES = 2 }; /* what options speak of */

static const cli_option options[] = {
    {"prompt", 'p', CLI_TEXT, &o.prompt, "TEXT", 0, 0, NULL,
     "what to continue; '-' reads standard input (default: nothing); of more than the model's context the end counts",
     false, TEXTS},
    {"max-tokens", 'n', CLI_INT, &o.max_tokens, "N", 1, 1e9, NULL, "at most so many tokens (default 256)", false,
     TEXTS},
    {"temperature", 't', CLI_DOUBLE, &o.temperature, "X", 0, 100, NULL, "0: always the likeliest token (default 0.8)",
     false, TEXTS},
    {"top-k", 0, CLI_INT, &o.top_k, "N", 0, 1e9, NULL, "only the N likeliest tokens (default 0: all)", false, TEXTS},
    {"top-p", 0, CLI_DOUBLE, &o.top_p, "X", 1e-9, 1, NULL,
     "the likeliest tokens that share X of the probability (default 1)", false, TEXTS},
    {"min-p", 0, CLI_DOUBLE, &o.min_p, "X", 0, 1, NULL, "no token below X times the likeliest one (default 0)", false,
     TEXTS},
    {"repetition-penalty", 0, CLI_DOUBLE, &o.repetition_penalty, "X", 1e-3, 100, NULL,
     "above 1: what was said is less likely (default 1)", false, TEXTS},
    {"stop", 's', CLI_LIST, &o.stop, "TEXT", 0, 0, NULL, "end before this text; may be repeated", false, TEXTS},
    {"folder", 'f', CLI_TEXT, &o.folder, "FOLDER", 0, 0, NULL, "pictures: where they are written, as PNG", false,
     PICTURES},
    {"count", 'c', CLI_INT, &o.count, "N", 1, 1 << 20, NULL, "pictures: how many (default 16)", false, PICTURES},
    {"bf16", 0, CLI_FLAG, &o.bf16, NULL, 0, 0, NULL, "compute in bf16", false, TEXTS},
    {"ignore-eos", 0, CLI_FLAG, &o.ignore_eos, NULL, 0, 0, NULL, "go on behind the end-of-text token", false, TEXTS},
};

static const char *const reasons[] = {"length", "eos", "stop", "user"};

/* Standard input, all of it; NULL where reading fails. */
static char *read_input(void)
{
    size_t n = 0, capacity = 4096, got;
    char *text = malloc(capacity);
    while (text && (got = fread(text + n, 1, capacity - n - 1, stdin)) > 0) {
        n += got;
        if (n + 1 < capacity) continue;
        char *grown = realloc(text, capacity *= 2);
        if (!grown) free(text);
        text = grown;
    }
    if (text && (ferror(stdin) || memchr(text, 0, n))) {
        fprintf(stderr, "gradus: the prompt on standard input %s\n",
                ferror(stdin) ? "cannot be read" : "holds a zero byte");
        free(text);
        return NULL;
    }
    if (text) text[n] = 0;
    return text;
}

static bool on_text(void *user, const char *text, size_t n)
{
    (void)user;
    fwrite(text, 1, n, stdout);
    return !out_broken();
}

static void print_result(const char *text, const gr_generate_result *r)
{
    double speed = r->seconds > 0 ? (double)r->tokens / r->seconds : 0;
    if (cli.json) {
        json_open('{');
        json_text("text", text);
        json_int("prompt_tokens", r->prompt_tokens);
        json_int("prompt_left_out", r->prompt_left_out);
        json_int("tokens", r->tokens);
        json_number("prompt_seconds", r->prompt_seconds);
        json_number("seconds", r->seconds);
        json_number("tokens_per_second", speed);
        json_text("finish_reason", reasons[r->reason]);
        json_end();
        return;
    }
    if (out_is_terminal(stdout)) putchar('\n');
    fflush(stdout);
    if (cli.verbose || (out_is_terminal(stdout) && out_is_terminal(stderr)))
        out_note("%s%lld tokens, %.1f tok/s, ended by %s%s", out_faint(stderr), (long long)r->tokens, speed,
                 reasons[r->reason], out_plain(stderr));
}

static gr_status generate(gr_model *model, const char *prompt)
{
    gr_generate_options g = {.max_tokens = o.max_tokens,
                             .temperature = o.temperature,
                             .greedy = o.temperature == 0,
                             .top_k = o.top_k,
                             .top_p = o.top_p,
                             .min_p = o.min_p,
                             .repetition_penalty = o.repetition_penalty,
                             .seed = cli.seed >= 0 ? (uint64_t)cli.seed : 0,
                             .stop = o.stop.item,
                             .n_stop = o.stop.n,
                             .bf16 = o.bf16,
                             .ignore_eos = o.ignore_eos};
    gr_generate_result r;
    char *text = NULL;
    if (!cli.json && out_is_terminal(stdout))
        printf("%s%s%s", out_faint(stdout), prompt, out_plain(stdout)), fflush(stdout);
    gr_status s = gr_generate(model, prompt, &g, cli.json ? NULL : on_text, NULL, cli.json ? &text : NULL, &r);
    if (s == GR_OK) print_result(text, &r);
    if (s == GR_OK && r.prompt_left_out)
        out_note("note: the first %lld of the prompt's %lld tokens were left out; the model's context is %lld",
                 (long long)r.prompt_left_out, (long long)r.prompt_tokens, (long long)gr_model_describe(model).context);
    gr_text_free(text);
    return s;
}

static gr_status make_pictures(gr_model *model)
{
    gr_status s = gr_generate_files(model, o.count, cli.seed >= 0 ? (uint64_t)cli.seed : 0, o.folder);
    size_t room = strlen(o.folder) + 32;
    char *path = s == GR_OK && cli.json ? malloc(room) : NULL;
    if (!path) return s == GR_OK && cli.json ? GR_ERR_MEMORY : s;
    json_open('{');
    json_open_key("files", '[');
    for (int64_t i = 0; i < o.count; i++) {
        snprintf(path, room, "%s/%04lld.png", o.folder, (long long)i);
        json_text(NULL, path);
    }
    json_close();
    json_end();
    free(path);
    return GR_OK;
}

static int run_command(void)
{
    gr_model *model = NULL;
    char *input = NULL;
    for (int i = 0; i < o.stop.n; i++)
        if (!*o.stop.item[i]) return cli_usage("--stop wants a text that is not empty");
    if (o.prompt && strcmp(o.prompt, "-") == 0 && !(input = read_input())) return EXIT_FAILED;
    gr_status s = gr_model_open(cli.argument[0], &model);
    bool pictures = s == GR_OK && gr_model_kind_of(model) == GR_MODEL_GENERATOR;
    int wrong = EXIT_OK;
    if (s == GR_OK)
        wrong = cli_check_scope(pictures ? PICTURES : TEXTS, pictures ? "a model of pictures" : "a model of texts");
    if (wrong == EXIT_OK && pictures && !o.folder)
        wrong = cli_usage("'%s' makes pictures: say where to with --folder", cli.argument[0]);
    if (wrong != EXIT_OK) {
        gr_model_free(&model);
        free(input);
        return wrong;
    }
    if (pictures) s = make_pictures(model);
    if (s == GR_OK && !pictures) s = generate(model, input ? input : o.prompt ? o.prompt : "");
    gr_model_free(&model);
    free(input);
    return s == GR_OK ? EXIT_OK : cli_fail(s);
}

static const char *const examples[] = {
    "gradus generate runs/demo --prompt \"Once upon a time\"",
    "gradus generate runs/demo --prompt \"Lily\" --temperature 0 --max-tokens 40",
    "gradus generate runs/mnist_dcgan --folder digits --count 100",
    "cat question.txt | gradus generate runs/demo --prompt - --stop $'\\n\\n'",
    NULL,
};

const cli_command cmd_generate = {
    "generate",
    "Use",
    "MODEL",
    "continues a text with a language model, or makes pictures",
    "MODEL is a folder that training left, a Hugging Face folder (GPT-2, Llama), or a llama2.c .bin file. The text comes as it\n"
    "is made; nothing else is written to standard output. The same seed gives the same text.\n"
    "Of a folder that the task 'image-generation' left, pictures: FOLDER/0000.png and so on; with --json their names.",
    options,
    COUNT(options),
    1,
    1,
    false,
    examples,
    run_command,
};
