#include "data/sound_set.h"

#include "base/file.h"
#include "base/log.h"
#include "base/map.h"
#include "data/media_folder.h"
#include "data/name_pattern.h"

#include <string.h>

static bool is_sound(const char *name)
{
    static const char *const ends[] = {".wav", ".flac", ".ogg", ".mp3"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < GR__COUNT(ends); i++)
        if (strlen(dot) == strlen(ends[i])) {
            size_t k = 0;
            while (dot[k] && (dot[k] | 0x20) == (ends[i][k] | 0x20)) k++;
            if (!dot[k]) return true;
        }
    return false;
}

static gr_status add(gr__sound_set *s, const char *name, const char *label, size_t n)
{
    gr__labelled *l = &s->list;
    GR_TRY(gr__media_check_class(s->root, label, n));
    gr__labelled_row row = {.text = gr__arena_strdup(&l->arena, name),
                            .n_text = strlen(name),
                            .label = gr__arena_strndup(&l->arena, label, n)};
    if (!row.text || !row.label) return gr__fail_memory("a name", strlen(name));
    return gr__labelled_add(l, &row);
}

/* Of one name: GR_ERR_DATA where it does not say what it is. */
static gr_status add_file(gr__sound_set *s, const gr__sound_set_options *o, const char *name, gr__name_parts *parts)
{
    const char *slash = strchr(name, '/'), *base = strrchr(name, '/');
    *parts = (gr__name_parts){0};
    if (!o->pattern) {
        GR_FAIL_IF(!slash, GR_ERR_DATA,
                   "'%s/%s' lies in no class folder; move it into one, or give data.pattern, "
                   "as data.pattern={label}_{group}_*.wav for names like dog_anna_3.wav",
                   s->root, name);
        return add(s, name, name, (size_t)(slash - name));
    }
    GR_FAIL_IF(!gr__name_pattern_match(o->pattern, base ? base + 1 : name, parts), GR_ERR_DATA,
               "'%s/%s' does not fit the pattern '%s'", s->root, name, o->pattern);
    return add(s, name, parts->label, parts->n_label);
}

static gr_status set_groups(gr__sound_set *s, const gr__sound_set_options *o)
{
    gr__map seen = {0};
    gr_status status = GR_OK;
    s->group = gr__calloc((size_t)s->list.n + 1, sizeof *s->group);
    if (!s->group) return gr__fail_memory("groups", (size_t)s->list.n * sizeof *s->group);
    for (int64_t i = 0; i < s->list.n && o->pattern && strstr(o->pattern, "{group}"); i++) {
        const char *name = s->list.row[i].text, *base = strrchr(name, '/');
        gr__name_parts p = {0};
        if (!gr__name_pattern_match(o->pattern, base ? base + 1 : name, &p)) continue;
        const int64_t *known = gr__map_get(&seen, p.group, p.n_group);
        s->group[i] = (int32_t)(known ? *known : (int64_t)seen.count);
        if (!known) GR_TRY_DONE(gr__map_set(&seen, p.group, p.n_group, s->group[i], NULL));
    }
done:
    s->n_groups = GR__MAX((int32_t)seen.count, 1);
    gr__map_release(&seen);
    return status;
}

static gr_status open_folder(gr__sound_set *s, const gr__sound_set_options *o)
{
    static const gr__media_kind kind = {is_sound, "sounds", ".wav .flac .ogg .mp3"};
    char **names;
    size_t n;
    int64_t bad = 0;
    gr_status status = GR_OK;
    if (o->pattern) GR_TRY(gr__name_pattern_check(o->pattern));
    GR_TRY(gr__media_list(s->root, &kind, o->skip_bad, &names, &n, NULL));
    for (size_t i = 0; i < n && status == GR_OK; i++) {
        gr__name_parts parts;
        status = add_file(s, o, names[i], &parts);
        if (status != GR_ERR_DATA || !o->skip_bad) continue;
        gr__log(GR_LOG_WARNING, "left out: %s", gr_message());
        status = GR_OK;
        bad++;
    }
    gr__names_free(names, n);
    if (bad) gr__log(GR_LOG_WARNING, "%lld sounds without a label were left out", (long long)bad);
    return status;
}

/* Where a table stands its paths begin. */
static const char *folder_of(const char *path, gr__arena *arena)
{
    const char *slash = strrchr(path, '/');
    return slash ? gr__arena_strndup(arena, path, (size_t)(slash - path) + (slash == path)) : ".";
}

static gr_status open_table(gr__sound_set *s, const char *path, const gr__sound_set_options *o)
{
    gr__labelled_options lo = {.text = o->path, .label = o->label, .skip_bad = o->skip_bad};
    GR_TRY(gr__labelled_read(path, &lo, &s->list));
    if (s->list.skipped)
        gr__log(GR_LOG_WARNING, "%lld row%s left out, the first: %s", (long long)s->list.skipped,
                s->list.skipped == 1 ? " was" : "s were", s->list.first_skipped);
    s->root = folder_of(path, &s->list.arena);
    return s->root ? GR_OK : gr__fail_memory("a path", strlen(path));
}

gr_status gr__sound_set_open(const char *path, const gr__sound_set_options *o, gr__sound_set *out)
{
    *out = (gr__sound_set){0};
    gr_status status;
    if (gr__file_is_dir(path)) {
        out->list.path = out->root = gr__arena_strdup(&out->list.arena, path);
        status = out->root ? open_folder(out, o) : gr__fail_memory("a path", strlen(path));
    } else {
        status = open_table(out, path, o);
    }
    if (status == GR_OK) status = set_groups(out, o);
    if (status == GR_OK && out->list.n == 0)
        status = gr__fail(GR_ERR_DATA, "'%s' holds no sounds (.wav .flac .ogg .mp3)", path);
    if (status != GR_OK) gr__sound_set_close(out);
    return status;
}

void gr__sound_set_close(gr__sound_set *s)
{
    gr__labelled_release(&s->list);
    gr__free(s->group);
    *s = (gr__sound_set){0};
}

gr_status gr__sound_set_read(const gr__sound_set *s, int64_t i, int64_t rate, gr__wave *out, int64_t *found)
{
    const gr__labelled_row *row = &s->list.row[i];
    char *path = row->text[0] == '/' ? gr__strdup(row->text) : gr__path_join(s->root, row->text);
    if (!path) return gr__fail_memory("a file name", row->n_text);
    gr_status status = gr__wave_read(path, rate, out, found);
    gr__free(path);
    if (status != GR_OK && row->line) return gr__fail_prefix(status, "%s:%lld", s->list.path, (long long)row->line);
    return status;
}
