/* key.path=value from the command line, a program or the environment. */
#include "conf/conf.h"

#include <string.h>

gr_status gr__conf_override(gr__conf *root, const char *assignment, const char *origin, gr__arena *arena)
{
    const char *equals = strchr(assignment, '=');
    GR_FAIL_IF(!equals || equals == assignment, GR_ERR_CONFIG, "%s: '%s' is not a setting; write it like train.lr=1e-3",
               origin, assignment);
    gr__conf_source *source = gr__arena_alloc(arena, sizeof *source);
    char *path = gr__arena_strndup(arena, assignment, (size_t)(equals - assignment));
    if (!source || !path) return gr__fail_memory("a setting", strlen(assignment));
    *source = (gr__conf_source){gr__arena_strdup(arena, origin), gr__arena_strdup(arena, assignment),
                                strlen(assignment), false};
    if (!source->name || !source->text) return gr__fail_memory("a setting", strlen(assignment));

    int column = 0, key_column = 1; /* in characters */
    const char *value_text = equals + 1;
    for (const char *p = assignment; *p;) {
        size_t step = gr__utf8_step(p, strlen(p));
        GR_FAIL_IF(step == 0, GR_ERR_CONFIG, "%s: the setting is not UTF-8 text", origin);
        column += p <= value_text;
        if (p < equals && *p == '.') key_column = column + 1;
        p += step;
    }
    if (!*value_text) column++;
    gr__conf *value = NULL;
    GR_TRY(gr__conf_parse_value(equals + 1, source, column, arena, &value));
    GR_FAIL_IF(!value, GR_ERR_CONFIG, "%s: '%s' has no value", origin, assignment);

    value->key_line = 1;
    value->key_column = key_column;
    gr_status status = gr__conf_set_node(root, path, value, arena);
    return status == GR_ERR_CONFIG ? gr__fail_prefix(status, "%s", origin) : status;
}
