#include "data/stories.h"

#include "base/map.h"
#include "gradus/stories.h"

#include <string.h>

static const gr__story_language *const languages[] = {&gr__story_english, &gr__story_chinese};

const gr__story_language *gr__story_language_get(const char *name)
{
    for (size_t i = 0; name && i < GR__COUNT(languages); i++)
        if (strcmp(languages[i]->name, name) == 0) return languages[i];
    return NULL;
}

/* ---- reading the tables ---- */

static bool is_word(const char *name, const char *text, size_t n)
{
    return strlen(name) == n && memcmp(name, text, n) == 0;
}

static const gr__story_variable *variable_get(const gr__story_language *l, char letter)
{
    for (int i = 0; i < l->variables; i++)
        if (l->variable[i].letter == letter) return &l->variable[i];
    return NULL;
}

static int form_get(const gr__story_variable *v, const char *name, size_t n)
{
    for (int i = 0; i < GR__STORY_FORMS && v->form[i]; i++)
        if (is_word(v->form[i], name, n)) return i;
    return -1;
}

static uint32_t class_get(const gr__story_language *l, const char *name, size_t n)
{
    for (int i = 0; i < l->classes; i++)
        if (is_word(l->class_of[i].name, name, n)) return l->class_of[i].kind;
    return 0;
}

bool gr__story_slot_read(const gr__story_language *l, const char **line, gr__story_slot *out)
{
    const char *p = *line + 1;
    *out = (gr__story_slot){.variable = variable_get(l, *p)};
    if (!out->variable) return false;
    p++;
    if (*p == '.') {
        size_t n = strcspn(++p, ":]");
        out->form = form_get(out->variable, p, n);
        p += n;
    }
    if (*p == ':') {
        size_t n = strcspn(++p, "]");
        out->kind = class_get(l, p, n);
        if (!out->kind) return false;
        p += n;
    }
    *line = p + 1;
    return *p == ']' && out->form >= 0;
}

uint64_t gr__story_all(const gr__story_variable *v)
{
    return v->count >= 64 ? UINT64_MAX : ((uint64_t)1 << v->count) - 1;
}

/* ---- choosing words that agree ---- */

static bool agree(const gr__story_language *l, const gr__story_tie *t, int a, int b)
{
    const gr__story_word *x = &variable_get(l, t->a)->word[a], *y = &variable_get(l, t->b)->word[b];
    return t->kinds ? (x->kind & y->kind & t->kinds) != 0 : x != y;
}

static int at(char letter) { return letter - 'A'; }

/* Does the word just chosen for variable number v fit those chosen before it? */
static bool fits(const gr__story_language *l, const gr__story_cast *cast, int v)
{
    char letter = l->variable[v].letter;
    for (int i = 0; i < l->ties; i++) {
        const gr__story_tie *t = &l->tie[i];
        if (t->a != letter && t->b != letter) continue;
        char other = t->a == letter ? t->b : t->a;
        if (cast->chosen[at(other)] < 0) continue;
        if (!agree(l, t, cast->chosen[at(t->a)], cast->chosen[at(t->b)])) return false;
    }
    return true;
}

/* Number of one of the words in 'set', which is not empty. */
static int draw(uint64_t set, gr__rng *rng)
{
    int count = 0, i = 0;
    for (uint64_t rest = set; rest; rest &= rest - 1) count++;
    uint64_t skip = rng ? gr__rng_below(rng, (uint64_t)count) : 0;
    for (; !(set >> i & 1) || skip > 0; i++) skip -= set >> i & 1;
    return i;
}

static bool choose_from(const gr__story_language *l, gr__story_cast *cast, gr__rng *rng, int v)
{
    while (v < l->variables && !cast->allowed[at(l->variable[v].letter)]) v++;
    if (v == l->variables) return true;
    int *chosen = &cast->chosen[at(l->variable[v].letter)];
    for (uint64_t left = cast->allowed[at(l->variable[v].letter)]; left;) {
        *chosen = draw(left, rng);
        left &= ~((uint64_t)1 << *chosen);
        if (fits(l, cast, v) && choose_from(l, cast, rng, v + 1)) return true;
    }
    *chosen = -1;
    return false;
}

bool gr__story_choose(const gr__story_language *l, gr__story_cast *cast, gr__rng *rng)
{
    for (int i = 0; i < GR__STORY_LETTERS; i++) cast->chosen[i] = -1;
    return choose_from(l, cast, rng, 0);
}

const gr__story_tie *gr__story_broken_tie(const gr__story_language *l, const gr__story_cast *cast)
{
    for (int i = 0; i < l->ties; i++) {
        const gr__story_tie *t = &l->tie[i];
        uint64_t a = cast->allowed[at(t->a)], b = cast->allowed[at(t->b)];
        bool ok = !a || !b;
        for (int x = 0; x < 64 && !ok; x++)
            for (int y = 0; y < 64 && !ok; y++) ok = (a >> x & 1) && (b >> y & 1) && agree(l, t, x, y);
        if (!ok) return t;
    }
    return NULL;
}

/* ---- writing ---- */

static gr_status collect(const gr__story_language *l, const char *line, gr__story_cast *cast)
{
    for (const char *p = strchr(line, '['); p; p = strchr(p, '[')) {
        gr__story_slot slot;
        GR_FAIL_IF(!gr__story_slot_read(l, &p, &slot), GR_ERR_INTERNAL, "bad slot in story line '%s'", line);
        uint64_t *allowed = &cast->allowed[at(slot.variable->letter)];
        if (!*allowed) *allowed = gr__story_all(slot.variable);
        for (int i = 0; slot.kind && i < slot.variable->count; i++)
            if (!(slot.variable->word[i].kind & slot.kind)) *allowed &= ~((uint64_t)1 << i);
    }
    return GR_OK;
}

static void tell(const gr__story_language *l, const char *line, const gr__story_cast *cast, gr__str *out)
{
    size_t start = out->n;
    for (const char *p = line; *p;) {
        size_t n = strcspn(p, "[");
        gr__str_add_n(out, p, n);
        p += n;
        gr__story_slot slot;
        if (!*p || !gr__story_slot_read(l, &p, &slot)) break;
        gr__str_add(out, slot.variable->word[cast->chosen[at(slot.variable->letter)]].form[slot.form]);
    }
    if (l->capitals && !out->failed && out->text[start] >= 'a' && out->text[start] <= 'z')
        out->text[start] = (char)(out->text[start] - 'a' + 'A');
}

gr_status gr__story_write(const gr__story_language *l, uint64_t seed, uint64_t index, gr__str *out)
{
    gr__rng rng = gr__rng_make(seed ^ gr__hash_stable(l->name, strlen(l->name), 0), index);
    const gr__story_theme *theme = &l->theme[gr__rng_below(&rng, (uint64_t)l->themes)];
    const char *line[GR__STORY_STAGES];
    gr__story_cast cast = {0};
    int stages = 0;
    for (; stages < GR__STORY_STAGES && theme->stage[stages]; stages++) {
        const gr__story_stage *s = theme->stage[stages];
        uint64_t lines = 0;
        while (lines < GR__STORY_LINES && s->line[lines]) lines++;
        line[stages] = s->line[gr__rng_below(&rng, lines)];
        GR_TRY(collect(l, line[stages], &cast));
    }
    GR_FAIL_IF(!gr__story_choose(l, &cast, &rng), GR_ERR_INTERNAL, "no words agree in a story about '%s'", theme->name);
    for (int i = 0; i < stages; i++) {
        if (i > 0 && *line[i]) gr__str_add(out, l->between);
        tell(l, line[i], &cast, out);
    }
    return gr__str_check(out);
}

gr_status gr_stories_write(const gr_stories_options *options, char **text, size_t *n)
{
    enum { MOST = 1 << 30 };
    gr_stories_options o = options ? *options : (gr_stories_options){0};
    if (text) *text = NULL;
    GR_FAIL_IF(!text || !n, GR_ERR_ARGUMENT, "gr_stories_write: an argument is NULL");
    if (!o.bytes) o.bytes = 262144;
    if (!o.separator) o.separator = "\n\n";
    bool both = !o.language || strcmp(o.language, "both") == 0;
    const gr__story_language *l = both ? &gr__story_english : gr__story_language_get(o.language);
    GR_FAIL_IF(!l, GR_ERR_ARGUMENT, "no stories in '%s'; languages are 'en', 'zh' and 'both'", o.language);
    GR_FAIL_IF(o.bytes > MOST, GR_ERR_LIMIT, "%zu bytes of stories are asked for, more than %d", o.bytes, MOST);
    gr__str out = {0};
    gr_status status = GR_OK;
    for (uint64_t i = o.first; out.n < o.bytes; i++)
        for (size_t k = 0; k < (both ? GR__COUNT(languages) : 1) && out.n < o.bytes; k++) {
            GR_TRY_DONE(gr__story_write(both ? languages[k] : l, o.seed, i, &out));
            gr__str_add(&out, o.separator);
            GR_TRY_DONE(gr__str_check(&out));
        }
    *text = out.text;
    *n = out.n;
    return GR_OK;
done:
    gr__str_release(&out);
    return status;
}

void gr_stories_free(char **text)
{
    if (!text) return;
    gr__free(*text);
    *text = NULL;
}
