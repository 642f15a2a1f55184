/* Texts of sounds. */
#include "cli/out.h"
#include "cli/predict.h"

int predict_speech(gr_model *m, const predict_options *o)
{
    gr_status s = GR_OK;
    gr_transcribe_options t = {.beam = o->beam, .bf16 = o->bf16};
    if (cli.n_arguments < 2) return cli_usage("'%s' hears sounds: name some behind it", cli.argument[0]);
    for (int i = 1; i < cli.n_arguments && s == GR_OK && !out_broken(); i++) {
        char *text;
        s = gr_transcribe(m, cli.argument[i], &t, &text);
        if (s != GR_OK) break;
        if (cli.json) {
            json_open('{');
            json_text("sound", cli.argument[i]);
            json_text("text", text);
            json_end();
        } else {
            printf("%s\n", text);
        }
        gr_text_free(text);
    }
    return s == GR_OK ? EXIT_OK : cli_fail(s);
}
