#include "cli/out.h"
#include "gradus/tools.h"

#include <math.h>

static struct {
    bool no_selftest;
} o;

static const cli_option options[] = {
    {"no-selftest", 0, CLI_FLAG, &o.no_selftest, NULL, 0, 0, NULL, "leave the check of the kernels and their speed out",
     false},
};

static void on_test(void *user, const char *name, double worst, double allowed)
{
    (void)user;
    if (cli.json) {
        json_open('{');
        json_text("name", name);
        json_number("worst", worst);
        json_number("allowed", allowed);
        json_bool("ok", worst <= allowed);
        json_close();
    } else {
        printf("  %-20s %s  %.1e (allowed %.0e)\n", name, worst <= allowed ? "ok    " : "FAILED", worst, allowed);
    }
}

static void bytes_row(const char *name, double bytes)
{
    char text[32];
    gr_show_bytes(text, bytes);
    if (bytes > 0) printf("  %-12s %s\n", name, text);
}

static void print_system(const gr_system *s)
{
    char library[128];
    printf("gradus %s\n", gr_version());
    printf("  %-12s %s\n", "processor", *s->cpu ? s->cpu : "unknown");
    printf("  %-12s %s in use, %s is the best here%s\n", "kernels", s->isa, s->best_isa,
           s->bf16 ? "; multiplies bf16" : "");
    printf("  %-12s %d of %d cores\n", "threads", s->threads, s->cores);
    printf("  %-12s %s\n", "oneDNN", s->onednn);
    bytes_row("L1 cache", (double)s->l1_bytes);
    bytes_row("L2 cache", (double)s->l2_bytes);
    bytes_row("L3 cache", (double)s->l3_bytes);
    bytes_row("memory", (double)s->memory_bytes);
    bytes_row("free", (double)s->memory_free_bytes);
    bytes_row("disk free", (double)s->disk_free_bytes);
    printf("  %-12s %s\n", "test data", *s->data ? s->data : "not found (GRADUS_DATA names the folder)");
    for (int i = 0; gr_system_library(i, library); i++) printf("  %-12s %s\n", i ? "" : "libraries", library);
}

static void json_system(const gr_system *s)
{
    char library[128];
    json_text("version", gr_version());
    json_text("cpu", s->cpu);
    json_text("isa", s->isa);
    json_text("best_isa", s->best_isa);
    json_bool("bf16", s->bf16);
    json_int("cores", s->cores);
    json_int("threads", s->threads);
    json_text("onednn", s->onednn);
    json_int("l1_bytes", s->l1_bytes);
    json_int("l2_bytes", s->l2_bytes);
    json_int("l3_bytes", s->l3_bytes);
    json_int("memory_bytes", (int64_t)s->memory_bytes);
    json_int("memory_free_bytes", (int64_t)s->memory_free_bytes);
    json_int("disk_free_bytes", (int64_t)s->disk_free_bytes);
    json_text("data", *s->data ? s->data : NULL);
    json_open_key("libraries", '[');
    for (int i = 0; gr_system_library(i, library); i++) json_text(NULL, library);
    json_close();
}

static void show_speed(void)
{
    static const char *const names[] = {"f32", "bf16"};
    for (int bf16 = 0; bf16 < 2; bf16++) {
        double flops = gr_peak_flops(bf16 != 0);
        if (cli.json)
            json_number(names[bf16], flops);
        else if (flops > 0)
            printf("  %-20s %.1f GFLOP/s\n", bf16 ? "products in bf16" : "products in f32", flops * 1e-9);
    }
}

static int run_command(void)
{
    gr_system s;
    gr_status status = GR_OK;
    gr_system_describe(&s);
    if (cli.json)
        json_open('{'), json_system(&s);
    else
        print_system(&s);
    if (!o.no_selftest) {
        if (cli.json)
            json_open_key("selftest", '[');
        else
            printf("\nself-test of the kernels\n");
        status = gr_self_test(on_test, NULL);
        if (cli.json) json_close(), json_open_key("flops", '{');
        show_speed();
        if (cli.json) json_close();
    }
    if (cli.json && o.no_selftest) json_text("ok", NULL); /* null: nothing was tested */
    if (cli.json && !o.no_selftest) json_bool("ok", status == GR_OK);
    if (cli.json) json_end();
    if (status == GR_OK) return EXIT_OK;
    fprintf(stderr, "gradus: %s\n", gr_message());
    return cli_exit_code(status);
}

static const char *const examples[] = {"gradus doctor", "GRADUS_ISA=avx2 gradus doctor", NULL};

const cli_command cmd_doctor = {
    "doctor",
    "Look",
    "",
    "shows what this machine offers, and checks the kernels on it",
    NULL,
    options,
    COUNT(options),
    0,
    0,
    false,
    examples,
    run_command,
};
