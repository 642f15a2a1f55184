/* The program as people use it: exit codes, messages, JSON, a small run, and runs that are stopped or killed. */
#include "tests/test.h"

#include "base/file.h"
#include "base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_WORDS = 400, MOST_OUTPUT = 1 << 20, KILLED = 1000 };

static char program[4096];
static const char *folder; /* all files of this test */

/* ---- running the program ---- */

typedef struct result {
    int code; /* KILLED + signal where it was killed */
    char out[MOST_OUTPUT], err[MOST_OUTPUT];
} result;

static result last;

static const char *input = "/dev/null"; /* of the program */

static void say(const char *text)
{
    assert_ok(gr__file_write("in.txt", text, strlen(text)));
    input = *text ? "in.txt" : "/dev/null";
}

/* Starts it with its outputs in files below 'folder'. words end with NULL. */
static pid_t start(const char *const *words)
{
    const char *argv[MOST_WORDS + 2] = {program};
    for (int i = 0; i < MOST_WORDS && words[i]; i++) argv[i + 1] = words[i];
    pid_t pid = fork();
    if (pid != 0) return pid;
    int out = open("out.txt", O_WRONLY | O_CREAT | O_TRUNC, 0644),
        err = open("err.txt", O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (dup2(open(input, O_RDONLY), 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0) _exit(99);
    execv(program, (char *const *)(uintptr_t)argv);
    _exit(99);
}

static void read_text(const char *path, char *text)
{
    FILE *file = fopen(path, "rb");
    size_t n = file ? fread(text, 1, MOST_OUTPUT - 1, file) : 0;
    text[n] = 0;
    if (file) fclose(file);
}

static int finish(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    last.code = WIFEXITED(status) ? WEXITSTATUS(status) : KILLED + WTERMSIG(status);
    read_text("out.txt", last.out);
    read_text("err.txt", last.err);
    return last.code;
}

#define run(...) finish(start((const char *const[]){__VA_ARGS__, NULL}))

static void expect(int code, const char *part_of_stderr)
{
    if (last.code != code) fail_msg("exit code %d instead of %d; it said: %.2000s", last.code, code, last.err);
    if (part_of_stderr && !strstr(last.err, part_of_stderr)) fail_msg("no '%s' in: %.2000s", part_of_stderr, last.err);
    if (strstr(last.err, "Sanitizer")) fail_msg("%.4000s", last.err);
}

static gr__json_doc *json_of(const char *text, size_t n)
{
    gr__json_doc *doc = NULL;
    assert_ok(gr__json_parse(text, n, "standard output", &doc));
    return doc;
}

/* Each line of standard output is JSON; returns how many. */
static int count_json_lines(void)
{
    int n = 0;
    for (const char *at = last.out; *at;) {
        size_t length = strcspn(at, "\n");
        gr__json_doc *doc = json_of(at, length);
        gr__json_free(&doc);
        at += length + (at[length] == '\n');
        n++;
    }
    return n;
}

static bool has_key(const char *key)
{
    gr__json_doc *doc = json_of(last.out, strlen(last.out));
    bool there = gr__json_get(gr__json_root(doc), key) != NULL;
    gr__json_free(&doc);
    return there;
}

static int setup(void **state)
{
    (void)state;
    const char *given = getenv("GRADUS_PROGRAM");
    char self[4000];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (given)
        snprintf(program, sizeof program, "%s", given);
    else if (n > 0) {
        self[n] = 0;
        *strrchr(self, '/') = 0;
        snprintf(program, sizeof program, "%s/../gradus", self);
    }
    folder = test_tmpdir();
    if (chdir(folder) != 0) return -1;
    unsetenv("NO_COLOR");
    FILE *text = fopen("book.txt", "wb");
    for (int i = 0; text && i < 400; i++)
        fprintf(text, "Line %d of a small book about %s.\n", i, i % 3 ? "boats" : "birds");
    return text && fclose(text) == 0 ? 0 : -1;
}

/* A program that is not there is no failure of these tests. */
#define need_program()                                                          \
    do {                                                                        \
        if (access(program, X_OK) != 0) test_skip("the program was not built"); \
    } while (0)

/* ---- usage ---- */

static void wrong_use(void **state)
{
    (void)state;
    need_program();
    run("trian", "x");
    expect(2, "did you mean 'train'?");
    run("train", "book.txt", "--frehs");
    expect(2, "did you mean '--fresh'?");
    run("generate");
    expect(2, "generate wants MODEL");
    run("generate", "m", "--temperature", "hot");
    expect(2, "--temperature wants a number from 0 to 100, not 'hot'");
    run("generate", "m", "--top-k=1.5");
    expect(2, "--top-k wants a whole number");
    run("generate", "m", "--max-tokens");
    expect(2, "--max-tokens wants a value");
    run("generate", "m", "--bf16=yes");
    expect(2, "--bf16 takes no value");
    run("generate", "m", "--color", "alwasy");
    expect(2, "did you mean 'always'?");
    run("generate", "m", "two");
    expect(2, "'two' is one argument too many");
    run("train", "book.txt", "--fresh", "--resume");
    expect(2, "exclude each other");
    run("train", "book.txt", "--time-limit", "soon");
    expect(2, "a time such as 90s");
    run("help", "trian");
    expect(2, "did you mean 'train'?");
    run("-z");
    expect(2, "no option '-z'");
}

static void pages_of_help(void **state)
{
    (void)state;
    need_program();
    static const char *const names[] = {"demo",  "data",    "train",  "generate", "eval",
                                        "check", "inspect", "doctor", "help",     "version"};
    for (size_t i = 0; i < GR__COUNT(names); i++) {
        run(names[i], "-h");
        expect(0, NULL);
        assert_non_null(strstr(last.out, "usage: gradus "));
        assert_non_null(strstr(last.out, "Exit codes"));
        assert_null(strchr(last.out, '\033'));
    }
    run("help", "config", "train.lr");
    expect(0, NULL);
    assert_non_null(strstr(last.out, "schedule"));
    assert_null(strstr(last.out, "vocab_size"));
    run("help", "config");
    expect(0, NULL);
    assert_non_null(strstr(last.out, "vocab_size"));
    run("help", "config", "train.lr.peak");
    expect(0, NULL);
    assert_non_null(strstr(last.out, "\n  peak "));
    assert_null(strstr(last.out, "warmup"));
    run("help", "config", "threshold");
    expect(0, NULL);
    assert_non_null(strstr(last.out, "two labels"));
    run("help", "config", "train.lr.paek");
    expect(2, NULL);
    run("help", "config", "trian");
    expect(2, "did you mean 'train'?");
    run("trian", "--json");
    expect(2, "did you mean 'train'?");
    assert_true(has_key("error") && has_key("message"));
    run("bench", "lose");
    expect(2, "did you mean 'loss'?");
    run("bench", "attention", "--kind", "gru");
    expect(2, "--kind says nothing to any case but rnn");
    run("doctor", "--no-selftest", "--json");
    expect(0, NULL);
    assert_non_null(strstr(last.out, "\"ok\": null"));
    run("-h", "--color", "always");
    expect(0, NULL);
    assert_non_null(strchr(last.out, '\033'));
    run("version", "--json");
    expect(0, NULL);
    assert_true(has_key("version"));
    run("help", "train", "--json");
    expect(0, NULL);
    assert_true(last.out[0] == '{' && has_key("help"));
    run("help", "--json");
    expect(0, NULL);
    assert_true(last.out[0] == '{' && strstr(last.out, "Everywhere\\n"));
}

/* ---- bad input ---- */

static void bad_input(void **state)
{
    (void)state;
    need_program();
    test_write(folder, "bad.yaml", "data: book.txt\ntrain:\n  bacth: 4\n", 33);
    run("train", "bad.yaml");
    expect(3, "bad.yaml:3:3:");
    expect(3, "did you mean 'batch'?");
    run("train", "nowhere.txt");
    expect(3, "'nowhere.txt' does not exist");
    run("train", "book.txt", "model.widht=3", "--dry-run");
    expect(3, "command line: ");
    expect(3, "did you mean 'width'?");
    run("train", "book.txt", "model.type=transformr", "--dry-run");
    expect(3, NULL);
    run("generate", "nowhere");
    expect(3, "nowhere");
    run("inspect", "nowhere.safetensors", "--json");
    expect(3, "does not exist");
    assert_true(has_key("error") && has_key("message"));
    test_write(folder, "cut.safetensors", "\x40\0\0\0\0\0\0\0{\"a\":", 13);
    run("inspect", "cut.safetensors");
    expect(3, "cut.safetensors");
    test_write(folder, "empty.txt", "", 0);
    run("train", "empty.txt");
    expect(3, "empty");
    test_write(folder, "latin.txt", "caf\xe9 and more of it\n", 20);
    run("train", "latin.txt");
    expect(3, "offset 3");
    expect(3, "task=text-classification data.encoding=latin-1");
    test_write(folder, "short.txt", "too short a text\n", 17);
    run("train", "short.txt", "tokenizer.type=byte");
    expect(3, "context");
    static const char ragged[] = "a,b,y\n1,2,0\n3,1,1\n7\n2,2,0\n5,1,1\n4,4,0\n6,2,1\n1,1,0\n8,8,1\n2,7,0\n9,3,1\n";
    test_write(folder, "ragged.csv", ragged, sizeof ragged - 1);
    run("train", "ragged.csv", "--dry-run");
    expect(3, "'ragged.csv' is a table and nothing says what to learn from it: --target COLUMN");
    run("train", "ragged.csv", "task=text-generation", "tokenizer=char", "model.context=4", "--dry-run");
    expect(0, NULL);
    run("train", "ragged.csv", "--target", "y", "--dry-run");
    expect(3, "ragged.csv:4: the row has 1 fields, expected 3");
    run("train", "ragged.csv", "--target", "y", "--dry-run", "--skip-bad");
    expect(0, NULL);
    assert_non_null(strstr(last.err, "ragged.csv:4: the row has 1 fields, expected 3; this row was left out"));
    assert_non_null(strstr(last.out, "type: adamw")); /* of the task; then what stands for the rest */
    assert_non_null(strstr(last.out, "\n# train.accumulate: 1\n"));
    assert_non_null(strstr(last.out, "\n# model.hidden: [128, 64]\n"));
    assert_null(strstr(last.out, "# train.early_stop")); /* off */
    assert_null(strstr(last.out, "# model.heads"));      /* of others */
    run("train", "ragged.csv", "--target", "y", "--dry-run", "--skip-bad", "data.folds=60");
    expect(3, "10 rows make no 60 folds");
    static const char latin[] =
        "a,b,Y\n1,x,0\n3,x,1\n7,caf\xe9,1\n2,y,0\n5,y,1\n4,x,0\n6,y,1\n1,x,0\n8,y,1\n2,x,0\n9,y,1\n";
    test_write(folder, "LATIN.CSV", latin, sizeof latin - 1);
    run("train", "LATIN.CSV", "--target", "Y", "--dry-run");
    expect(3, "LATIN.CSV:4: the text in column 'b' is not UTF-8");
    run("train", "LATIN.CSV", "--target", "Y", "--dry-run", "--skip-bad");
    expect(0, NULL);
    assert_non_null(
        strstr(last.err, "left out: 1 rows of 'LATIN.CSV' with texts that are not UTF-8, the first in line 4"));
    run("check", "LATIN.CSV", "--target", "Y", "--skip-bad", "--strict", "--json");
    expect(5, NULL);
    assert_non_null(strstr(last.out, "\"left out: 1 rows of 'LATIN.CSV'"));
    run("check", "ragged.csv", "--target", "y");
    expect(3, "ragged.csv:4: the row has 1 fields, expected 3");
    run("train", "ragged.csv", "--skip-bad", "task=forecasting");
    expect(3, "--skip-bad: the task 'forecasting' has nothing that it may leave out");
    run("train", "ragged.csv", "--skip-bad", "--target", "y", "task=vector");
    expect(3, "--skip-bad: the task 'vector' has nothing that it may leave out");
    run("train", "ragged.csv", "--target", "y", "--skip-bad", "data.skip_bad=false", "--dry-run"); /* the key wins */
    expect(3, "ragged.csv:4: the row has 1 fields, expected 3");
    static const char odd[] =
        "a,\"say \"\"x\"\"\",${HOME}\n1,2,0\n3,1,1\n2,2,0\n5,1,1\n4,4,0\n6,2,1\n1,1,0\n8,8,1\n2,7,0\n9,3,1\n";
    test_write(folder, "odd.csv", odd, sizeof odd - 1);
    run("train", "odd.csv", "--target", "say \"x\"", "--dry-run");
    expect(0, NULL);
    run("train", "odd.csv", "--target", "${HOME}", "--out", "odd", "-q", "train.epochs=1");
    expect(0, NULL);
    run("eval", "odd"); /* the name comes back from its config.yaml */
    expect(0, NULL);
    char command[10000];
    snprintf(command, sizeof command,
             "'%s' predict odd - < odd.csv > piped.txt && '%s' predict odd < odd.csv | cmp - piped.txt", program,
             program);
    assert_int_equal(system(command), 0);
    static char piped[MOST_OUTPUT];
    read_text("piped.txt", piped);
    run("predict", "odd", "odd.csv");
    assert_string_equal(last.out, piped);
    test_write(folder, "torn.csv", odd, sizeof odd - 1 - 3); /* its last row has 2 fields */
    run("predict", "odd", "torn.csv");
    expect(3, "torn.csv:11: the row has 2 fields, expected 3");
    run("predict", "odd", "torn.csv", "--skip-bad", "--json");
    expect(0, "torn.csv:11: the row has 2 fields, expected 3; this row was left out");
    assert_true(strstr(last.out, "\"line\": 10") && !strstr(last.out, "\"line\": 11"));
    run("eval", "odd", "torn.csv");
    expect(3, "torn.csv:11");
    run("eval", "odd", "torn.csv", "--skip-bad");
    expect(0, "this row was left out");
    run("eval", "odd", "torn.csv", "data.skip_bad=true");
    expect(2, "'data.skip_bad=true' says nothing to a model that is measured on DATA");
    run("eval", "odd", "data.test_source=torn.csv");
    expect(3, "torn.csv:11");
    run("eval", "odd", "data.test_source=torn.csv", "--skip-bad");
    expect(0, "this row was left out");
    run("eval", "odd/config.yaml", "--folds", "3", "--json");
    expect(0, NULL);
    int each = 0;
    for (const char *p = strstr(last.out, "\"each\""); p && (p = strstr(p, "\"loss\"")); p++) each++;
    assert_int_equal(each, 3);
    run("eval", "odd/config.yaml", "--folds", "3", "--min", "f9=1");
    expect(2, "no measure 'f9'");
    assert_non_null(strstr(last.err, "fold 1 "));
    assert_null(strstr(last.err, "fold 2 ")); /* not after all of them */
    static const char words[] =
        "w\na\u4e2d\u6587\u5b57\u7b26\u5f88\u957f\u7684\u4e00\u6bb5\u6587\u5b57\u8d85\u8fc7\nb\n";
    test_write(folder, "words.csv", words, sizeof words - 1);
    run("data", "stats", "words.csv");
    expect(0, NULL);
    assert_non_null(strstr(last.out, "\u4e00\u6bb5\u6587... (1)")); /* whole characters, 24 wide */
    run("data", "stats", "words.csv", "--near", "0.5");
    expect(2, "--near says nothing to 'data stats'");
    run("train", "book.txt", "train.lr.schedule=step", "--dry-run");
    expect(3, "schedule 'step' needs 'period'");
    run("train", "book.txt", "train.clip=-0.5", "--dry-run");
    expect(3, "train.clip");
    static const char twice[] = "a,b,y\n1,2,0\n3,1,1\n7,1,1\n2,2,0\n5,1,1\n3,1,1\n6,2,1\n1,1,0\n8,8,1\n2,7,0\n9,3,1\n";
    test_write(folder, "twice.csv", twice, sizeof twice - 1);
    run("check", "twice.csv", "data.target=y", "--strict");
    expect(5, NULL);
    assert_non_null(strstr(last.out, "1 rows are equal to an earlier one"));
    static const char marked[] = "\xEF\xBB\xBF"
                                 "data: book.txt\nmodel: {lairs: 1}\n";
    test_write(folder, "marked.yaml", marked, sizeof marked - 1);
    run("train", "marked.yaml", "--dry-run");
    expect(3, "marked.yaml:2:9: unknown key 'lairs'");
    char texts[600];
    snprintf(texts, sizeof texts, "%s/texts", folder);
    mkdir(texts, 0777);
    test_write(texts, "a.txt", "one text of some words, and one more of some more words\n", 56);
    test_write(texts, "b.txt", "x\0y", 3);
    run("train", "texts", "tokenizer=char", "model.context=8", "--dry-run");
    expect(3, "b.txt' holds a NUL byte at offset 1");
    run("train", "texts", "tokenizer=char", "model.context=8", "--dry-run", "--skip-bad");
    expect(0, NULL);
    assert_non_null(strstr(last.err, "left out: "));
    for (int i = 0; i < 3; i++) test_write(texts, (const char *[]){"b.txt", "1.jpg", "2.jpg"}[i], "x\n", 2);
    run("train", "texts", "tokenizer=char", "model.context=8", "--dry-run");
    expect(0, NULL);
    assert_null(strstr(last.err, "passed over")); /* mostly texts */
    test_write(texts, "3.jpg", "x", 1);
    run("train", "texts", "tokenizer=char", "model.context=8", "--dry-run");
    expect(0, NULL);
    assert_non_null(strstr(last.err, "3 of its files are passed over"));
    test_write(folder, "x.npy", "x", 1);
    run("train", "x.npy", "task=vector", "--dry-run");
    expect(3, "the other files that are read are .csv and .tsv");
    run("train", "x.npy", "task=vector", "loss=cross_entropy", "--dry-run");
    expect(3, "bce_with_logits");
    assert_null(strstr(last.err, "huber, bce_with_logits, cross_entropy"));
    assert_ok(gr__dir_make("noises"));
    test_write(folder, "noises/dog_anna_3.wav", "x", 1);
    run("train", "noises", "task=sound-classification", "--dry-run");
    expect(3, "as data.pattern={label}_{group}_*.wav");
    test_write(folder, "notes.odt", "x", 1);
    run("inspect", "notes.odt");
    expect(4, "no kind that inspect knows");
    run("train", "book.txt", "--resume", "--out", "none-yet", "-q");
    expect(3, "no checkpoint");
    assert_int_not_equal(access("none-yet", F_OK), 0); /* nor anything else of it */
}

/* gradus data: what is left out is counted. */
static void records_are_prepared(void **state)
{
    (void)state;
    need_program();
    static const char holes[] = "x,y\n1,a\n2,a\n3,b\n4,\n5,NA\n";
    test_write(folder, "holes.csv", holes, sizeof holes - 1);
    run("data", "balance", "holes.csv", "--target", "y", "-o", "even.csv", "--json");
    expect(0, "left out: 2 rows without the target 'y'");
    assert_non_null(strstr(last.out, "\"rows_without_target\": 2, \"rows\": 4"));
    static const char words[] = "Hello\tBonjour\nThanks\tMerci\nBread\tPain\n";
    test_write(folder, "pairs.tsv", words, sizeof words - 1);
    run("data", "convert", "pairs.tsv", "pairs.csv");
    expect(0,
           "'pairs.tsv': the first row ('Hello', ...) is taken for names; all cells are text, so that is a guess: say "
           "--header no");
    run("data", "convert", "pairs.tsv", "pairs.csv", "--header", "no", "--json");
    expect(0, NULL);
    assert_string_equal(last.err, "");
    assert_non_null(strstr(last.out, "\"rows\": 3"));
    static const char ten[] = "x\n1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n";
    test_write(folder, "ten.csv", ten, sizeof ten - 1);
    run("data", "split", "ten.csv", "-o", "parts");
    expect(0, NULL);
    run("data", "split", "ten.csv", "-o", "parts", "--seed", "2");
    expect(0, NULL);
    run("data", "split", "ten.csv", "-o", "parts", "--seed", "3", "--test", "0");
    expect(3, "'parts/test.csv' is there, and this split has no such part");
}

static void standard_output_fails(void **state)
{
    (void)state;
    need_program();
    if (access("/dev/full", W_OK) != 0) test_skip("there is no /dev/full");
    char command[5000];
    snprintf(command, sizeof command, "'%s' help > /dev/full 2> err.txt", program);
    int status = system(command);
    assert_int_equal(WEXITSTATUS(status), 1);
    read_text("err.txt", last.err);
    assert_non_null(strstr(last.err, "No space left"));
    snprintf(command, sizeof command, "'%s' doctor --json > /dev/full 2> err.txt", program);
    status = system(command);
    assert_int_equal(WEXITSTATUS(status), 1);
    read_text("err.txt", last.err);
    assert_non_null(strstr(last.err, "No space left"));
    snprintf(command, sizeof command, "'%s' help config 2> err.txt | head -n 1 > /dev/null", program);
    assert_int_equal(system(command), 0);
    read_text("err.txt", last.err);
    assert_string_equal(last.err, "");
}

/* ---- a small run and what follows from it ---- */

#define SMALL                                                                                        \
    "train", "book.txt", "tokenizer.type=char", "model.layers=1", "model.heads=2", "model.width=16", \
        "model.context=16", "train.batch=4", "train.steps=5", "--seed", "3"

static void small_run(void **state)
{
    (void)state;
    need_program();
    run(SMALL, "--dry-run", "--json", "--out", "small");
    expect(0, NULL);
    assert_true(has_key("parameters") && has_key("memory") && has_key("config"));
    assert_int_not_equal(access("small", F_OK), 0);
    run(SMALL, "--out", "small", "--json");
    expect(0, NULL);
    assert_true(count_json_lines() >= 4); /* start, a step, a validation, the end */
    run("generate", "small", "--prompt", "Line", "--max-tokens", "12", "--temperature", "0");
    expect(0, NULL);
    char text[MOST_OUTPUT];
    memcpy(text, last.out, sizeof text);
    run("generate", "small", "--prompt", "Line", "--max-tokens", "12", "--temperature=0", "--json");
    expect(0, NULL);
    gr__json_doc *doc = json_of(last.out, strlen(last.out));
    const char *same;
    size_t n;
    int64_t tokens;
    assert_true(gr__json_string(gr__json_get(gr__json_root(doc), "text"), &same, &n));
    assert_string_equal(same, text);
    assert_true(gr__json_int(gr__json_get(gr__json_root(doc), "tokens"), &tokens));
    assert_int_equal(tokens, 12);
    gr__json_free(&doc);
    assert_null(strstr(last.err, "left out"));
    char prompt[400];
    snprintf(prompt, sizeof prompt, "%0399d", 0);
    run("generate", "small", "--prompt", prompt, "--max-tokens", "2");
    expect(0, "of the prompt's 399 tokens were left out; the model's context is ");
    run("generate", "small", "--prompt", prompt, "--max-tokens", "2", "-q");
    expect(0, NULL);
    assert_null(strstr(last.err, "left out"));
    run("eval", "small", "book.txt", "--json");
    expect(0, NULL);
    assert_true(has_key("loss") && has_key("perplexity") && has_key("bits_per_byte"));
    run("eval", "small", "--json");
    expect(0, NULL);
    assert_true(has_key("loss"));
    run("inspect", "small", "--stats", "--json");
    expect(0, NULL);
    assert_true(has_key("tensors") && has_key("config") && has_key("tokenizer"));
    run("inspect", "small/model.safetensors", "--tensors");
    expect(0, NULL);
    assert_non_null(strstr(last.out, "wte.weight"));
    run("inspect", "small/config.json");
    expect(0, NULL);
    assert_non_null(strstr(last.out, "configuration of a model"));
    run("inspect", "small/checkpoints/step-00000005.json");
    expect(0, NULL);
    assert_non_null(strstr(last.out, "checkpoint of a run"));
    run("inspect", "small/data/train.tokens", "--json");
    expect(0, NULL);
    assert_non_null(strstr(last.out, "\"bytes_per_id\": 2"));
    static const char steers[] = "\x34\0\0\0\0\0\0\0{\"__metadata__\":{\"a\":\"x\\u001b[31mred\\u009by\\u00e9\"}}";
    test_write(folder, "steers.safetensors", steers, sizeof steers - 1);
    run("inspect", "steers.safetensors");
    expect(0, NULL);
    assert_non_null(strstr(last.out, "x?[31mred??y\u00e9"));
    run("tokenize", "small", "Line 7");
    expect(0, NULL);
    assert_int_equal(count_json_lines(), 1);
    char ids[300];
    snprintf(ids, sizeof ids, "%.299s", last.out);
    run("tokenize", "small", "--decode", ids);
    expect(0, NULL);
    assert_string_equal(last.out, "Line 7");
    run("tokenize", "small", "--decode", "seven");
    expect(2, "not 'seven'");
    assert_int_equal(access("small/report.html", R_OK), 0);
}

static void labels_of_pictures(void **state)
{
    (void)state;
    static const char *const classes[] = {"day", "night"};
    assert_ok(gr__dir_make("sky/day"));
    assert_ok(gr__dir_make("sky/night"));
    for (int i = 0; i < 20; i++) {
        char path[64], bytes[64];
        int n = snprintf(bytes, sizeof bytes, "P5 4 4 255\n");
        for (int k = 0; k < 16; k++) bytes[n++] = (char)((i % 2 ? 20 : 100) + (i + k) % 9);
        snprintf(path, sizeof path, "sky/%s/%d.pgm", classes[i % 2], i);
        assert_ok(gr__file_write(path, bytes, (size_t)n));
    }
    run("train", "sky", "task=image-classification", "model={type: layers, layers: [flatten, linear]}",
        "train.steps=40", "train.batch=8", "train.lr=0.05", "--out", "heaven");
    expect(0, NULL);
    assert_non_null(strstr(last.out, "gradus predict heaven PICTURE..."));
    run("predict", "heaven", "sky/night/1.pgm", "sky/day/2.pgm");
    expect(0, NULL);
    assert_true(strncmp(last.out, "night\t", 6) == 0 && strstr(last.out, "\nday\t") != NULL);
    run("predict", "heaven", "sky/night/1.pgm", "--json");
    expect(0, NULL);
    gr__json_doc *doc = json_of(last.out, strlen(last.out));
    const char *text;
    size_t n;
    assert_true(gr__json_string(gr__json_get(gr__json_root(doc), "label"), &text, &n));
    assert_string_equal(text, "night");
    assert_true(gr__json_string(gr__json_get(gr__json_root(doc), "picture"), &text, &n));
    assert_string_equal(text, "sky/night/1.pgm");
    gr__json_free(&doc);
    char *odd;
    assert_ok(gr__file_read("sky/night/1.pgm", 1000, &odd, &n));
    assert_ok(gr__file_write("sky/caf\xe9.pgm", odd, n));
    gr__free(odd);
    run("predict", "heaven", "sky/caf\xe9.pgm", "--json"); /* a name in Latin 1 */
    expect(0, NULL);
    assert_non_null(strstr(last.out, "\"sky/caf\uFFFD.pgm\""));
    assert_int_equal(remove("sky/caf\xe9.pgm"), 0);
    const char *many[MOST_WORDS] = {"predict", "heaven"};
    for (int i = 2; i < 302; i++) many[i] = "sky/night/1.pgm";
    finish(start(many));
    expect(0, NULL);
    int lines = 0;
    for (const char *c = last.out; *c; c++) lines += *c == '\n';
    assert_int_equal(lines, 300);
    for (int i = 2; i < 302; i++) many[i] = "train.lr=0.1";
    many[0] = "eval";
    finish(start(many));
    expect(0, NULL);
    run("predict", "heaven");
    expect(2, "name some behind it");
    run("predict", "heaven", "sky/day");
    expect(2, "gradus predict heaven sky/day/*");
    run("eval", "heaven", "sky");
    expect(2, "gradus eval heaven data.valid_source=sky\n");
    run("eval", "heaven", "data.valid_source=sky");
    expect(0, NULL);
    char *own, *after;
    size_t n_own;
    run("eval", "heaven", "--report", "own.html");
    expect(0, NULL);
    assert_ok(gr__file_read("heaven/evaluation.html", 1 << 24, &own, &n_own));
    assert_non_null(strstr(own, ", on the validation part of &#39;sky&#39;:"));
    run("eval", "heaven", "data.valid_source=sky", "--threshold", "0.2", "--report", "other.html");
    expect(0, NULL);
    assert_ok(gr__file_read("heaven/evaluation.html", 1 << 24, &after, &n));
    assert_true(n == n_own && memcmp(own, after, n) == 0); /* that of the run stays */
    gr__free(own);
    gr__free(after);
    assert_ok(gr__file_read("other.html", 1 << 24, &after, &n));
    assert_non_null(strstr(after, "settings that are not the run"));
    assert_non_null(strstr(after, "data.valid_source=sky, threshold=0.2"));
    gr__free(after);
    assert_ok(gr__file_read("own.html", 1 << 24, &after, &n));
    assert_null(strstr(after, "settings that are not the run"));
    gr__free(after);
    run("predict", "heaven", "sky/none.pgm");
    expect(3, "sky/none.pgm");
}

static void pictures_are_named(void **state)
{
    (void)state;
    run("train", "sky", "task=image-generation", "model.type=vae", "train.steps=2", "train.batch=4", "--out", "clouds");
    expect(0, NULL);
    run("generate", "clouds", "--folder", "made", "--count", "2", "--json");
    if (last.code == 4) test_skip("this build writes no PNG");
    expect(0, NULL);
    assert_string_equal(last.out, "{\"files\": [\"made/0000.png\", \"made/0001.png\"]}\n");
}

static void labels_of_texts(void **state)
{
    (void)state;
    gr__str s = {0};
    for (int i = 0; i < 40; i++) gr__str_printf(&s, i % 2 ? "no the dog %d\n" : "yes a cat %d\n", i % 4);
    assert_ok(gr__file_write("animals.txt", gr__str_get(&s), s.n));
    gr__str_release(&s);
    run("train", "animals.txt", "task=text-classification", "model.layers=1", "model.heads=2", "model.width=32",
        "model.context=32", "model.dropout=0", "tokenizer.vocab_size=300", "train.steps=60", "train.batch=8",
        "train.lr=0.005", "--out", "animals");
    expect(0, NULL);
    assert_non_null(strstr(last.out, "accuracy"));
    assert_non_null(strstr(last.out, "gradus predict animals"));
    run("predict", "animals", "--text", "a cat 3", "--text", "the dog 2");
    expect(0, NULL);
    assert_true(strncmp(last.out, "yes\t0.", 6) == 0 && strstr(last.out, "\nno\t0.") != NULL);
    run("predict", "animals", "--text", "the dog 1", "--top", "5");
    expect(0, NULL);
    assert_true(strncmp(last.out, "no\t0.", 5) == 0 && strstr(last.out, "\tyes\t0.") != NULL);
    run("predict", "animals", "--text", "a cat 2", "--json");
    expect(0, NULL);
    gr__json_doc *doc = json_of(last.out, strlen(last.out));
    const char *label;
    size_t n;
    double yes = 0, no = 0;
    assert_true(gr__json_string(gr__json_get(gr__json_root(doc), "label"), &label, &n));
    assert_string_equal(label, "yes");
    gr__json scores = gr__json_get(gr__json_root(doc), "scores");
    assert_true(gr__json_double(gr__json_get(scores, "yes"), &yes) && gr__json_double(gr__json_get(scores, "no"), &no));
    assert_true(yes > no && yes + no > 0.999 && yes + no < 1.001);
    gr__json_free(&doc);
    say("a cat 2\n\nthe dog 1\n");
    run("predict", "animals");
    expect(0, NULL);
    assert_true(strncmp(last.out, "yes\t", 4) == 0 && strstr(last.out, "\n\nno\t"));
    assert_non_null(strstr(last.err, "1 empty line has no label"));
    assert_ok(gr__file_write("in.txt", "a cat 2\na\0b\n", 12));
    run("predict", "animals");
    expect(1, "line 2 of standard input holds a zero byte\n");
    assert_int_equal(*last.out, 0);
    say("");
    run("predict", "animals", "--text", "");
    expect(3, "text 1: the text is empty");
    run("predict", "animals", "--text", "x", "--length", "33");
    expect(3, "context is 32");
    run("predict", "nowhere", "--text", "x");
    expect(3, "nowhere");
    run("generate", "animals", "--prompt", "x");
    expect(4, "needs a language model, not 'bert'");
    run("eval", "animals/config.yaml", "--out", "unborn", "--json", "--max", "loss=1000");
    expect(5, NULL);
    assert_non_null(strstr(last.err, "these are the first weights"));
    run("eval", "animals", "--json", "--min", "accuracy=0", "--max", "loss=100", "--report", "animals.html");
    expect(0, NULL);
    char *page;
    size_t n_page;
    assert_ok(gr__file_read("animals.html", 1 << 24, &page, &n_page));
    assert_non_null(strstr(page, "Evaluation"));
    assert_non_null(strstr(page, "Confusion"));
    gr__free(page);
    run("eval", "animals", "--min", "accuracy=1.1");
    expect(5, "accuracy is");
    run("eval", "animals", "--min", "acuracy=0.1");
    expect(2, "there are loss, accuracy");
    run("eval", "animals", "--min", "accuracy");
    expect(2, "NAME=NUMBER");
    run("eval", "animals", "--json");
    expect(0, NULL);
    assert_non_null(strstr(last.out, "\"macro_f1\""));
    run("eval", "animals", "--context", "8");
    expect(2, "--context says nothing to a run that is measured on its own data");
    run("predict", "animals", "--text", "x", "--user", "3");
    expect(2, "--user says nothing to 'animals'");
    run("inspect", "animals", "--json");
    expect(0, NULL);
    doc = json_of(last.out, strlen(last.out));
    int64_t layers = 0;
    gr__json config = gr__json_get(gr__json_root(doc), "config");
    assert_true(gr__json_int(gr__json_get(config, "num_hidden_layers"), &layers) && layers == 1);
    assert_int_equal(gr__json_kind_of(gr__json_get(config, "architectures")), GR__JSON_ARRAY);
    gr__json_free(&doc);
}

static void quiet_run(void **state)
{
    (void)state;
    need_program();
    run(SMALL, "--out", "quiet", "-q");
    expect(0, NULL);
    assert_non_null(strstr(last.out, "perplexity"));
    assert_null(strstr(last.out, "quiet")); /* measures, and no advice */
    assert_string_equal(last.err, "");
}

static void looks(void **state)
{
    (void)state;
    need_program();
    run("check", "book.txt", "tokenizer.type=byte", "model.context=32", "--json");
    expect(0, NULL);
    assert_true(has_key("text") && has_key("warnings") && has_key("ok"));
    FILE *twice = fopen("twice.txt", "wb");
    assert_non_null(twice);
    for (int i = 0; i < 200; i++) fprintf(twice, "the same line again and again\n");
    fclose(twice);
    run("check", "twice.txt", "tokenizer.type=byte", "model.context=32", "--strict");
    expect(5, NULL);
    assert_non_null(strstr(last.out, "repeat an earlier one"));
    run("check", "book.txt", "tokenizer.type=byte", "model.layers=1", "model.width=16", "model.context=8",
        "--gradients");
    expect(0, NULL);
    run("doctor", "--json");
    expect(0, NULL);
    assert_true(has_key("isa") && has_key("selftest"));
}

/* ---- stopped and killed ---- */

#define LONG                                                                                                      \
    "train", "book.txt", "tokenizer.type=char", "model.layers=2", "model.heads=2", "model.width=32",              \
        "model.context=32", "model.dropout=0.1", "train.batch=8", "train.steps=150", "train.checkpoint_every=20", \
        "train.eval_every=50", "--seed", "3", "-q", "--out"

static void sleep_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

/* Waits until metrics.jsonl of a run has so many lines, or the run has ended. */
static bool wait_for_lines(pid_t pid, const char *path, int lines)
{
    static char text[MOST_OUTPUT];
    for (int i = 0; i < 20000; i++) {
        int n = 0, status;
        read_text(path, text);
        for (const char *c = text; *c; c++) n += *c == '\n';
        if (n >= lines) return true;
        if (waitpid(pid, &status, WNOHANG | WNOWAIT) > 0) return false;
        siginfo_t info = {0};
        if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid) return false;
        sleep_ms(2);
    }
    return false;
}

static void assert_same_file(const char *a, const char *b)
{
    char *x, *y;
    size_t nx, ny;
    assert_ok(gr__file_read(a, 1 << 30, &x, &nx));
    assert_ok(gr__file_read(b, 1 << 30, &y, &ny));
    if (nx != ny || memcmp(x, y, nx) != 0) fail_msg("'%s' and '%s' differ", a, b);
    gr__free(x);
    gr__free(y);
}

/* metrics.jsonl without the values of "seconds" and "units_per_second". */
static char *metrics_of(const char *path)
{
    char *text, *out;
    size_t n, k = 0;
    assert_ok(gr__file_read(path, 1 << 30, &text, &n));
    out = malloc(n + 1);
    assert_non_null(out);
    for (const char *at = text; *at;) {
        const char *time = strstr(at, ", \"seconds\""), *end = at + strcspn(at, "\n");
        size_t length = time && time < end ? (size_t)(time - at) : (size_t)(end - at);
        memcpy(out + k, at, length);
        k += length;
        out[k++] = '\n';
        at = end + (*end == '\n');
    }
    out[k] = 0;
    gr__free(text);
    return out;
}

static void assert_same_run(const char *name)
{
    char a[256], b[256];
    snprintf(a, sizeof a, "%s/model.safetensors", name);
    assert_same_file(a, "straight/model.safetensors");
    snprintf(b, sizeof b, "%s/metrics.jsonl", name);
    char *x = metrics_of(b), *y = metrics_of("straight/metrics.jsonl");
    assert_string_equal(x, y);
    free(x);
    free(y);
}

static void interrupted(const char *name, int number, int lines, int code)
{
    char path[256];
    snprintf(path, sizeof path, "%s/metrics.jsonl", name);
    pid_t pid = start((const char *const[]){LONG, name, NULL});
    assert_true(wait_for_lines(pid, path, lines));
    kill(pid, number);
    finish(pid);
    expect(code, NULL);
}

static void goes_on_after_signals(void **state)
{
    (void)state;
    need_program();
    run(LONG, "straight");
    expect(0, NULL);
    signal(SIGHUP, SIG_DFL); /* where the tests themselves run beneath nohup it stays unheard */
    interrupted("stopped", SIGTERM, 10, 75);
    interrupted("stopped", SIGHUP, 35, 75);
    interrupted("stopped", SIGINT, 60, 75);
    run(LONG, "stopped", "--resume");
    expect(0, NULL);
    assert_same_run("stopped");
}

static void goes_on_after_kill(void **state)
{
    (void)state;
    need_program();
    if (access("straight/model.safetensors", R_OK) != 0) run(LONG, "straight");
    interrupted("killed", SIGKILL, 7, KILLED + SIGKILL); /* before the first checkpoint */
    interrupted("killed", SIGKILL, 45, KILLED + SIGKILL);
    interrupted("killed", SIGKILL, 130, KILLED + SIGKILL);
    run(LONG, "killed");
    expect(0, NULL);
    assert_same_run("killed");
}

static void time_limit(void **state)
{
    (void)state;
    need_program();
    run(LONG, "limited", "--time-limit", "0.01s");
    expect(75, "goes on");
    run(LONG, "limited");
    expect(0, NULL);
    assert_same_file("limited/model.safetensors", "straight/model.safetensors");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_use),
        cmocka_unit_test(pages_of_help),
        cmocka_unit_test(bad_input),
        cmocka_unit_test(records_are_prepared),
        cmocka_unit_test(standard_output_fails),
        cmocka_unit_test(small_run),
        cmocka_unit_test(labels_of_texts),
        cmocka_unit_test(labels_of_pictures),
        cmocka_unit_test(pictures_are_named),
        cmocka_unit_test(quiet_run),
        cmocka_unit_test(looks),
        cmocka_unit_test(goes_on_after_signals),
        cmocka_unit_test(goes_on_after_kill),
        cmocka_unit_test(time_limit),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
