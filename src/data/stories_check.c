/* The judge: every line of the grammar is matched against the sentence from left to right, each slot trying the words
 * of its variable; when the last byte is reached, the slots must agree. Of all failures the one that came farthest
 * gives the reason. A budget bounds the work on sentences that are built to be ambiguous. */
#include "data/stories.h"
#include "gradus/stories.h"

#include <stdio.h>
#include <string.h>

enum { BUDGET = 200000, LONGEST = 400 };

typedef struct seen_slot {
    gr__story_slot slot;
    uint64_t words; /* those that read like this here */
    size_t at, n;
} seen_slot;

typedef struct judge {
    const gr__story_language *language;
    const char *text;
    size_t n;
    int budget;
    seen_slot seen[GR__STORY_SLOTS];
    int seen_count;
    bool accepted;
    size_t farthest;   /* byte that no line got past */
    char discord[160]; /* a sentence of the right form whose words do not agree */
} judge;

/* Bytes of 'word' (n of them) equal those of the sentence at 'at', but for the capital at its beginning. */
static bool reads(judge *j, size_t at, const char *word, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char c = word[i];
        if (at + i == 0 && j->language->capitals && c >= 'a' && c <= 'z') c = (char)(c - 'a' + 'A');
        if (at + i >= j->n || j->text[at + i] != c) {
            if (at + i > j->farthest) j->farthest = at + i;
            return false;
        }
    }
    return true;
}

/* ---- agreement ---- */

#define PIECE(j, s) (int)(s)->n, (j)->text + (s)->at

static const seen_slot *first_seen(const judge *j, char letter)
{
    for (int i = 0; i < j->seen_count; i++)
        if (j->seen[i].slot.variable->letter == letter) return &j->seen[i];
    return NULL;
}

static void judge_agreement(judge *j)
{
    gr__story_cast cast = {0};
    for (int i = 0; i < j->seen_count; i++) {
        const seen_slot *s = &j->seen[i];
        const gr__story_variable *v = s->slot.variable;
        uint64_t *allowed = &cast.allowed[v->letter - 'A'], words = s->words;
        for (int k = 0; s->slot.kind && k < v->count; k++)
            if (!(v->word[k].kind & s->slot.kind)) words &= ~((uint64_t)1 << k);
        if (!words) {
            snprintf(j->discord, sizeof j->discord, "'%.*s' has no place in such a sentence", PIECE(j, s));
            return;
        }
        const seen_slot *before = first_seen(j, v->letter);
        *allowed = before == s ? words : *allowed & words;
        if (!*allowed) {
            snprintf(j->discord, sizeof j->discord, "'%.*s' and '%.*s' do not agree", PIECE(j, before), PIECE(j, s));
            return;
        }
    }
    const gr__story_tie *tie = gr__story_broken_tie(j->language, &cast);
    if (tie) {
        const seen_slot *a = first_seen(j, tie->a), *b = first_seen(j, tie->b);
        snprintf(j->discord, sizeof j->discord, "'%.*s' and '%.*s' do not go together: %s", PIECE(j, a), PIECE(j, b),
                 tie->what);
        return;
    }
    j->accepted = gr__story_choose(j->language, &cast, NULL);
    if (!j->accepted) snprintf(j->discord, sizeof j->discord, "its words do not agree");
}

/* ---- form ---- */

static void match(judge *j, const char *line, size_t at);

/* Words of the slot that read here, one group for each length. */
static void match_slot(judge *j, const gr__story_slot *slot, const char *rest, size_t at)
{
    const gr__story_variable *v = slot->variable;
    uint64_t tried = 0;
    for (int i = 0; i < v->count && !j->accepted; i++) {
        if (tried >> i & 1) continue;
        size_t n = strlen(v->word[i].form[slot->form]);
        if (!reads(j, at, v->word[i].form[slot->form], n)) continue;
        seen_slot *s = &j->seen[j->seen_count];
        *s = (seen_slot){.slot = *slot, .at = at, .n = n};
        for (int k = i; k < v->count; k++) {
            const char *same = v->word[k].form[slot->form];
            if (strlen(same) == n && memcmp(same, v->word[i].form[slot->form], n) == 0) s->words |= (uint64_t)1 << k;
        }
        tried |= s->words;
        j->seen_count++;
        match(j, rest, at + n);
        j->seen_count--;
    }
}

static void match(judge *j, const char *line, size_t at)
{
    if (j->accepted || --j->budget < 0) return;
    size_t n = strcspn(line, "[");
    if (!reads(j, at, line, n)) return;
    at += n;
    line += n;
    if (!*line) {
        if (at == j->n)
            judge_agreement(j);
        else if (at > j->farthest)
            j->farthest = at;
        return;
    }
    gr__story_slot slot;
    if (j->seen_count == GR__STORY_SLOTS || !gr__story_slot_read(j->language, &line, &slot)) return;
    match_slot(j, &slot, line, at);
}

/* ---- reasons ---- */

/* Does 'word' stand between the blanks and marks of 'text'? */
static bool holds_word(const char *text, const char *word, size_t n)
{
    for (const char *p = text; *p;) {
        size_t k = strcspn(p, " ,.!?[");
        if (k == n && memcmp(p, word, n) == 0) return true;
        p += k;
        if (*p) p += *p == '[' ? strcspn(p, "]") + 1 : 1;
    }
    return false;
}

/* Is it a word of the language at all? (Small first letters only: a capital may just begin the sentence.) */
static bool known_word(const gr__story_language *l, const char *word, size_t n)
{
    for (int i = 0; i < l->variables; i++)
        for (int k = 0; k < l->variable[i].count; k++)
            for (int f = 0; f < GR__STORY_FORMS && l->variable[i].word[k].form[f]; f++)
                if (holds_word(l->variable[i].word[k].form[f], word, n)) return true;
    for (int t = 0; t < l->themes; t++)
        for (int s = 0; s < GR__STORY_STAGES && l->theme[t].stage[s]; s++)
            for (int k = 0; k < GR__STORY_LINES && l->theme[t].stage[s]->line[k]; k++)
                if (holds_word(l->theme[t].stage[s]->line[k], word, n)) return true;
    return false;
}

static gr_status refuse(const judge *j)
{
    if (j->discord[0]) return gr__fail(GR_ERR_CHECK, "%s", j->discord);
    GR_FAIL_IF(j->budget < 0, GR_ERR_CHECK, "the sentence is too ambiguous");
    GR_FAIL_IF(j->farthest >= j->n, GR_ERR_CHECK, "the sentence breaks off");
    size_t from = j->farthest;
    if (j->language->capitals) {
        while (from > 0 && j->text[from - 1] != ' ') from--;
        size_t n = 0;
        while (from + n < j->n && !strchr(" ,.!?", j->text[from + n])) n++;
        if (n && from && !known_word(j->language, j->text + from, n))
            return gr__fail(GR_ERR_CHECK, "'%.*s' is not a word of the stories", (int)GR__MIN(n, 60), j->text + from);
        if (from > 0)
            return gr__fail(GR_ERR_CHECK, "'%.*s' does not fit after '%.*s'", (int)GR__MIN(n, 60), j->text + from,
                            (int)(from - 1), j->text);
    } else {
        while (from > 0 && (j->text[from] & 0xC0) == 0x80) from--;
        size_t n = 1;
        while (from + n < j->n && (j->text[from + n] & 0xC0) == 0x80) n++;
        if (from > 0)
            return gr__fail(GR_ERR_CHECK, "'%.*s' does not fit after '%.*s'", (int)n, j->text + from, (int)from,
                            j->text);
    }
    return gr__fail(GR_ERR_CHECK, "no sentence begins like this");
}

gr_status gr_stories_check(const char *language, const char *sentence, size_t n)
{
    GR_FAIL_IF(!language || (!sentence && n), GR_ERR_ARGUMENT, "gr_stories_check: an argument is NULL");
    const gr__story_language *l = gr__story_language_get(language);
    GR_FAIL_IF(!l, GR_ERR_ARGUMENT, "no stories in '%s'; languages are 'en' and 'zh'", language);
    GR_FAIL_IF(n == 0, GR_ERR_CHECK, "the sentence is empty");
    GR_FAIL_IF(n > LONGEST, GR_ERR_CHECK, "the sentence is longer than any of the stories (%zu bytes)", n);
    judge j = {.language = l, .text = sentence, .n = n, .budget = BUDGET};
    for (int t = 0; t < l->themes; t++)
        for (int s = 0; s < GR__STORY_STAGES && l->theme[t].stage[s]; s++)
            for (int k = 0; k < GR__STORY_LINES && l->theme[t].stage[s]->line[k]; k++) {
                match(&j, l->theme[t].stage[s]->line[k], 0);
                if (j.accepted) return GR_OK;
            }
    return refuse(&j);
}

/* ---- cutting a text into sentences ---- */

/* Bytes of a mark that ends a sentence at p, or 0. */
static size_t end_mark(const char *p, size_t n)
{
    static const char *const mark[] = {".", "!", "?", "。", "！", "？"};
    for (size_t i = 0; i < GR__COUNT(mark); i++) {
        size_t m = strlen(mark[i]);
        if (m <= n && memcmp(p, mark[i], m) == 0) return m;
    }
    return 0;
}

static bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

bool gr_stories_next(const char *text, size_t n, size_t *at, gr_stories_sentence *out)
{
    size_t from = *at;
    while (from < n && is_blank(text[from])) from++;
    if (from >= n) {
        *at = n;
        return false;
    }
    *out = (gr_stories_sentence){.text = text + from, .language = "en"};
    size_t to = from;
    while (to < n && text[to] != '\n' && !out->complete) {
        size_t mark = end_mark(text + to, n - to);
        if (text[to] & 0x80) out->language = "zh";
        out->complete = mark > 0;
        to += mark ? mark : 1;
    }
    *at = to;
    while (to > from && is_blank(text[to - 1])) to--;
    out->n = to - from;
    return true;
}
