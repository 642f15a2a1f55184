/* Gradus' side of tests/interop/metrics.py: a JSON object a line in, a JSON object a line out (tests/metric_cases.h). */
#include "tests/metric_cases.h"

int main(void)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    while ((n = getline(&line, &room, stdin)) > 0) {
        gr__json_doc *doc;
        if (gr__json_parse(line, (size_t)n, "stdin", &doc) != GR_OK) {
            fprintf(stderr, "%s\n", gr_message());
            return 1;
        }
        puts(metric_answer(gr__json_root(doc)));
        gr__json_free(&doc);
    }
    free(line);
    return 0;
}
