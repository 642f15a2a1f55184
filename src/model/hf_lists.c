/* Lists, labels and choices in a config.json. */
#include "model/hf_json.h"

#include <stdio.h>
#include <string.h>

enum { MOST_LABELS = 1 << 20 };

/* ---- labels ---- */

static gr_status label_at(gr__json names, int64_t i, gr__arena *arena, const char **out)
{
    char key[32];
    const char *name;
    size_t length;
    snprintf(key, sizeof key, "%lld", (long long)i);
    if (!names) {
        *out = gr__arena_printf(arena, "LABEL_%s", key);
    } else {
        GR_FAIL_IF(!gr__json_string(gr__json_get(names, key), &name, &length) || strlen(name) != length, GR_ERR_CORRUPT,
                   "'id2label' has no text for label %s", key);
        *out = gr__arena_strndup(arena, name, length);
    }
    return *out ? GR_OK : gr__fail_memory("a label", sizeof key);
}

gr_status gr__hf_read_labels(gr__json root, int64_t otherwise, gr__arena *arena, gr__conf_strings *out)
{
    int64_t n = otherwise;
    gr__json names = gr__json_get(root, "id2label");
    if (gr__json_kind_of(names) != GR__JSON_OBJECT) names = NULL;
    GR_TRY(gr__hf_int(root, "num_labels", 1, MOST_LABELS, &n));
    if (names) n = (int64_t)gr__json_count(names);
    GR_FAIL_IF(n < 1 || n > MOST_LABELS, GR_ERR_CORRUPT, "'id2label' has %lld labels", (long long)n);
    out->n = (size_t)n;
    out->item = gr__arena_alloc(arena, (size_t)n * sizeof *out->item);
    if (!out->item) return gr__fail_memory("labels", (size_t)n * sizeof *out->item);
    for (int64_t i = 0; i < n; i++) GR_TRY(label_at(names, i, arena, &out->item[i]));
    return GR_OK;
}

void gr__hf_put_labels(gr__str *out, const gr__conf_strings *labels)
{
    gr__str by_id = {0}, by_name = {0};
    for (size_t i = 0; i < labels->n; i++) {
        const char *name = labels->item[i];
        gr__str_printf(&by_id, "%s\"%zu\": ", i ? ", " : "{", i);
        gr__json_add_string(&by_id, name, strlen(name));
        gr__str_add(&by_name, i ? ", " : "{");
        gr__json_add_string(&by_name, name, strlen(name));
        gr__str_printf(&by_name, ": %zu", i);
    }
    gr__str_add_char(&by_id, '}');
    gr__str_add_char(&by_name, '}');
    if (by_id.failed || by_name.failed) out->failed = true;
    gr__hf_put_raw(out, "id2label", gr__str_get(&by_id));
    gr__hf_put_raw(out, "label2id", gr__str_get(&by_name));
    gr__str_release(&by_id);
    gr__str_release(&by_name);
}

/* ---- lists ---- */

/* The list there, NULL where it is absent. */
static gr_status list_at(gr__json root, const char *key, size_t most, gr__json *out)
{
    gr__json list = gr__json_get(root, key);
    *out = gr__json_kind_of(list) == GR__JSON_NULL ? NULL : list;
    GR_FAIL_IF(*out && (gr__json_kind_of(list) != GR__JSON_ARRAY || gr__json_count(list) > most), GR_ERR_CORRUPT,
               "'%s' must be a list of at most %zu numbers", key, most);
    return GR_OK;
}

gr_status gr__hf_doubles(gr__json root, const char *key, size_t most, gr__arena *arena, gr__conf_doubles *out)
{
    gr__json list;
    GR_TRY(list_at(root, key, most, &list));
    if (!list) return GR_OK;
    size_t n = gr__json_count(list);
    *out = (gr__conf_doubles){.item = gr__arena_alloc(arena, (n + 1) * sizeof *out->item), .n = n};
    if (!out->item) return gr__fail_memory("a list", n * sizeof *out->item);
    for (size_t i = 0; i < n; i++)
        GR_FAIL_IF(!gr__json_double(gr__json_at(list, i), &out->item[i]), GR_ERR_CORRUPT, "'%s' must hold numbers",
                   key);
    return GR_OK;
}

gr_status gr__hf_ints(gr__json root, const char *key, size_t most, int64_t low, int64_t high, gr__arena *arena,
                      gr__conf_ints *out)
{
    gr__json list;
    GR_TRY(list_at(root, key, most, &list));
    if (!list) return GR_OK;
    size_t n = gr__json_count(list);
    *out = (gr__conf_ints){.item = gr__arena_alloc(arena, (n + 1) * sizeof *out->item), .n = n};
    if (!out->item) return gr__fail_memory("a list", n * sizeof *out->item);
    for (size_t i = 0; i < n; i++) {
        int64_t *x = &out->item[i];
        GR_FAIL_IF(!gr__json_int(gr__json_at(list, i), x) || *x < low || *x > high, GR_ERR_CORRUPT,
                   "'%s' must hold integers from %lld to %lld", key, (long long)low, (long long)high);
    }
    return GR_OK;
}

void gr__hf_put_ints(gr__str *out, const char *key, const gr__conf_ints *list)
{
    gr__str s = {0};
    gr__str_add_char(&s, '[');
    for (size_t i = 0; i < list->n; i++) gr__str_printf(&s, "%s%lld", i ? ", " : "", (long long)list->item[i]);
    gr__str_add_char(&s, ']');
    if (s.failed) out->failed = true;
    gr__hf_put_raw(out, key, gr__str_get(&s));
    gr__str_release(&s);
}

void gr__hf_put_doubles(gr__str *out, const char *key, const gr__conf_doubles *list)
{
    gr__str s = {0};
    gr__str_add_char(&s, '[');
    for (size_t i = 0; i < list->n; i++) {
        if (i) gr__str_add(&s, ", ");
        gr__json_add_double(&s, list->item[i]);
    }
    gr__str_add_char(&s, ']');
    if (s.failed) out->failed = true;
    gr__hf_put_raw(out, key, gr__str_get(&s));
    gr__str_release(&s);
}

/* ---- choices ---- */

gr_status gr__hf_choice(gr__json root, const char *key, const char *const *choices, int *out)
{
    const char *name = choices[*out];
    GR_TRY(gr__hf_text(root, key, &name));
    for (int i = 0; choices[i]; i++)
        if (strcmp(choices[i], name) == 0) {
            *out = i;
            return GR_OK;
        }
    return gr__fail(GR_ERR_UNSUPPORTED, "'%s': '%.100s' is unknown", key, name);
}
