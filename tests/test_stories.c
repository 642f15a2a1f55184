/* The demo stories: everything written is accepted, most of what is damaged is refused, the language is large, and a
 * story is a pure function of (seed, language, index). */
#include "tests/test.h"

#include "base/map.h"
#include "data/stories.h"
#include "gradus/stories.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST = 400, BYTES = 300000 };

static char *written(const char *language, uint64_t seed, size_t bytes, size_t *n)
{
    char *text = NULL;
    assert_ok(gr_stories_write(&(gr_stories_options){.language = language, .seed = seed, .bytes = bytes}, &text, n));
    return text;
}

/* ---- the tables ---- */

static void check_line(const gr__story_language *l, const char *line)
{
    int slots = 0;
    for (const char *p = strchr(line, '['); p; p = strchr(p, '[')) {
        gr__story_slot slot;
        assert_true(gr__story_slot_read(l, &p, &slot));
        int with_class = 0;
        for (int i = 0; i < slot.variable->count; i++) {
            assert_non_null(slot.variable->word[i].form[slot.form]);
            with_class += (slot.variable->word[i].kind & slot.kind) != 0;
        }
        assert_true(!slot.kind || with_class > 1);
        slots++;
    }
    assert_true(slots <= GR__STORY_SLOTS);
}

static void tables_are_sound(void **state)
{
    (void)state;
    const gr__story_language *const all[] = {&gr__story_english, &gr__story_chinese};
    for (size_t i = 0; i < GR__COUNT(all); i++) {
        const gr__story_language *l = all[i];
        assert_ptr_equal(gr__story_language_get(l->name), l);
        for (int v = 0; v < l->variables; v++) {
            assert_true(l->variable[v].count > 1 && l->variable[v].count <= 64);
            for (int w = 0; w < v; w++) assert_int_not_equal(l->variable[v].letter, l->variable[w].letter);
        }
        for (int t = 0; t < l->themes; t++)
            for (int s = 0; s < GR__STORY_STAGES && l->theme[t].stage[s]; s++)
                for (int k = 0; k < GR__STORY_LINES && l->theme[t].stage[s]->line[k]; k++)
                    check_line(l, l->theme[t].stage[s]->line[k]);
    }
    gr__story_slot slot;
    const char *const bad[] = {"[?]", "[H.it]", "[H", "[D:wood]", "[H.he", "["};
    for (size_t i = 0; i < GR__COUNT(bad); i++) {
        const char *p = bad[i];
        assert_false(gr__story_slot_read(&gr__story_english, &p, &slot));
    }
}

/* Every line of every theme can be told: with many stories each theme and line shows up and words are found. */
static void every_story_can_be_told(void **state)
{
    (void)state;
    const gr__story_language *const all[] = {&gr__story_english, &gr__story_chinese};
    for (size_t i = 0; i < GR__COUNT(all); i++)
        for (uint64_t k = 0; k < 3000; k++) {
            gr__str story = {0};
            assert_int_equal(gr__story_write(all[i], 5, k, &story), GR_OK);
            gr_stories_sentence s;
            int sentences = 0;
            for (size_t at = 0; gr_stories_next(story.text, story.n, &at, &s); sentences++) {
                assert_true(s.complete);
                assert_string_equal(s.language, all[i]->name);
            }
            assert_in_range(sentences, 4, 7);
            gr__str_release(&story);
        }
}

/* ---- written = accepted; damaged = refused ---- */

static void all_written_is_accepted(void **state)
{
    (void)state;
    size_t n;
    char *text = written("both", 11, BYTES, &n);
    gr_stories_sentence s;
    int count = 0;
    for (size_t at = 0; gr_stories_next(text, n, &at, &s); count++)
        if (gr_stories_check(s.language, s.text, s.n) != GR_OK) fail_msg("%.*s: %s", (int)s.n, s.text, gr_message());
    assert_true(count > 5000);
    gr_stories_free(&text);
    assert_null(text);
}

/* The units that are damaged: words (with the mark behind them) in English, characters in Chinese. */
typedef struct unit {
    size_t at, n;
} unit;

static int units_of(const gr_stories_sentence *s, unit *out, int most)
{
    int count = 0;
    bool chinese = strcmp(s->language, "zh") == 0;
    for (size_t i = 0; i < s->n && count < most;) {
        size_t n = 1;
        if (chinese)
            while (i + n < s->n && (s->text[i + n] & 0xC0) == 0x80) n++;
        else
            while (i + n < s->n && !strchr(" ,.!?", s->text[i + n])) n++;
        out[count++] = (unit){i, n};
        i += n;
        while (i < s->n && s->text[i] == ' ') i++;
    }
    return count;
}

enum { DROP, SWAP, REPLACE, CUT, REPEAT, DAMAGES };

static size_t damaged(const gr_stories_sentence *s, const unit *u, int count, int how, int k, const char *other,
                      char out[2 * LONGEST])
{
    gr__str t = {0};
    bool blanks = strcmp(s->language, "en") == 0;
    int second = k + 1 < count - 1 ? k + 1 : 0;
    for (int i = 0; i < count; i++) {
        int from = how == SWAP && i == k ? second : how == SWAP && i == second ? k : i;
        if ((how == DROP && i == k) || (how == CUT && i > k)) continue;
        if (blanks && t.n > 0 && (s->text[u[i].at - 1] == ' ')) gr__str_add_char(&t, ' ');
        if (how == REPLACE && i == k)
            gr__str_add(&t, other);
        else
            gr__str_add_n(&t, s->text + u[from].at, u[from].n);
        if (how == REPEAT && i == k) {
            if (blanks) gr__str_add_char(&t, ' ');
            gr__str_add_n(&t, s->text + u[i].at, u[i].n);
        }
    }
    assert_false(t.failed);
    size_t n = t.n;
    assert_true(n < 2 * LONGEST);
    memcpy(out, gr__str_get(&t), n + 1);
    gr__str_release(&t);
    return n;
}

static void damage_is_refused_in(const char *language)
{
    static const char *const name[DAMAGES] = {"drop", "swap", "replace", "cut", "repeat"};
    static const char *const english[] = {"happy", "the", "Tom", "lake", "ate", "and", "under", "red"};
    static const char *const chinese[] = {"的", "他", "里", "红", "吃", "和", "熊", "很"};
    size_t n;
    char *text = written(language, 12, 60000, &n), bad[2 * LONGEST];
    gr__rng rng = gr__rng_make(3, 0);
    int tried[DAMAGES] = {0}, refused[DAMAGES] = {0};
    gr_stories_sentence s;
    for (size_t at = 0; gr_stories_next(text, n, &at, &s);) {
        unit u[128];
        int count = units_of(&s, u, 128);
        for (int how = 0; how < DAMAGES; how++) {
            int k = (int)gr__rng_below(&rng, (uint64_t)(count - 1)); /* the full stop stays, but for CUT */
            const char *other = (strcmp(language, "zh") ? english : chinese)[gr__rng_below(&rng, 8)];
            size_t m = damaged(&s, u, count, how, k, other, bad);
            if (m == s.n && memcmp(bad, s.text, m) == 0) continue;
            tried[how]++;
            refused[how] += gr_stories_check(language, bad, m) == GR_ERR_CHECK && gr_message()[0];
        }
    }
    for (int how = 0; how < DAMAGES; how++) {
        print_message("%s %-8s %d of %d refused\n", language, name[how], refused[how], tried[how]);
        assert_true(tried[how] > 500);
        assert_true(refused[how] >= 0.95 * tried[how]);
    }
    gr_stories_free(&text);
}

static void damage_is_refused(void **state)
{
    (void)state;
    damage_is_refused_in("en");
    damage_is_refused_in("zh");
}

static void reasons_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *language, *sentence, *reason; /* NULL: it is fine */
    } row[] = {
        {"en", "Once there was a little fox named Tom.", NULL},
        {"en", "once there was a little fox named Tom.", "no sentence begins like this"},
        {"en", "Once there was an little fox named Tom.", "'little' does not fit after 'Once there was an'"},
        {"en", "Once there was a little wolf named Tom.", "'wolf' is not a word of the stories"},
        {"en", "Once there was a little girl named Tom.", "'Tom' and 'girl' do not go together: he or she"},
        {"en", "Once there was a little fox named Tom", "the sentence breaks off"},
        {"en", "She told her sister Emma about the red hat.", NULL},
        {"en", "She told his sister Emma about the red hat.", "'She' and 'his' do not agree"},
        {"en", "She told her brother Emma about the red hat.", "'Emma' and 'brother' do not go together: he or she"},
        {"en", "Mia and Mia went home and were very happy.", "'Mia' does not fit after 'Mia and'"},
        {"en", "Tom baked a sweet pie for Emma.", NULL},
        {"en", "Tom baked a sweet plum for Emma.", "'plum' has no place in such a sentence"},
        {"en", "Tom baked a sweet drum for Emma.", "'drum' does not fit after 'Tom baked a sweet'"},
        {"en", "Every day, Tom liked to wear a red drum.", "this is not done with such a thing"},
        {"en", "They spent the day swimming in the forest.", "this is not done at such a place"},
        {"en", "They spent the day swimming by the lake.", NULL},
        {"en", "They spent the day swim by the lake.", "'swim' does not fit after 'They spent the day'"},
        {"en", "", "the sentence is empty"},
        {"zh", "明明有一条红色的围巾，每天都戴它。", NULL},
        {"zh", "明明有一个红色的围巾，每天都戴它。", "'一个' and '围巾' do not agree"},
        {"zh", "明明有一条红色的围巾，每天都玩它。", "this is not done with such a thing"},
        {"zh", "从前有一只可爱的小熊，名叫小红。", NULL},
        {"zh", "从前有一匹可爱的小熊，名叫小红。", "'一匹' and '小熊' do not agree"},
        {"zh", "明明给小雨做了一个好吃的苹果。", "'苹果' has no place in such a sentence"},
        {"zh", "明明的姐姐来帮他。", "'姐' does not fit after '明明的'"},
    };
    for (size_t i = 0; i < GR__COUNT(row); i++) {
        gr_status got = gr_stories_check(row[i].language, row[i].sentence, strlen(row[i].sentence));
        if (!row[i].reason) {
            if (got != GR_OK) fail_msg("%s: %s", row[i].sentence, gr_message());
            continue;
        }
        if (got != GR_ERR_CHECK) fail_msg("%s: accepted", row[i].sentence);
        if (!strstr(gr_message(), row[i].reason)) fail_msg("%s: %s", row[i].sentence, gr_message());
    }
    assert_int_equal(gr_stories_check("fr", "Bon.", 4), GR_ERR_ARGUMENT);
    assert_int_equal(gr_stories_check(NULL, "Bon.", 4), GR_ERR_ARGUMENT);
}

/* Bytes of any kind: refused, never more. */
static void noise_is_refused(void **state)
{
    (void)state;
    gr__rng rng = gr__rng_make(9, 0);
    for (int i = 0; i < 5000; i++) {
        char noise[600];
        size_t n = gr__rng_below(&rng, sizeof noise);
        for (size_t k = 0; k < n; k++) noise[k] = (char)gr__rng_u32(&rng);
        assert_int_equal(gr_stories_check(i & 1 ? "en" : "zh", noise, n), GR_ERR_CHECK);
        gr_stories_sentence s;
        size_t at = 0, last = 0;
        while (gr_stories_next(noise, n, &at, &s)) {
            assert_true(s.n > 0 && at > last && at <= n);
            assert_true(s.text >= noise && s.text + s.n <= noise + n);
            last = at;
        }
    }
}

/* ---- size, determinism ---- */

/* Twice as much text holds almost twice as many sentences: the language is far larger than what is written. */
static void language_is_large(void **state)
{
    (void)state;
    static const char *const language[] = {"en", "zh"};
    for (size_t i = 0; i < GR__COUNT(language); i++) {
        size_t n;
        char *text = written(language[i], 1, 30000000, &n);
        gr__map seen = {0};
        gr_stories_sentence s;
        for (size_t at = 0; gr_stories_next(text, n, &at, &s);)
            assert_int_equal(gr__map_set(&seen, s.text, s.n, 1, NULL), GR_OK);
        print_message("%s: %zu distinct sentences in %zu bytes\n", language[i], seen.count, n);
        assert_true(seen.count > 100000);
        gr__map_release(&seen);
        gr_stories_free(&text);
    }
}

static void writing_is_a_pure_function(void **state)
{
    (void)state;
    size_t n, m, k;
    char *a = written("both", 4, 20000, &n), *b = written("both", 4, 20000, &m), *c = written("both", 5, 20000, &k);
    assert_int_equal(n, m);
    assert_memory_equal(a, b, n);
    assert_true(k != n || memcmp(a, c, n) != 0);
    assert_true(n >= 20000 && n < 20000 + 1000 && strlen(a) == n);
    gr_stories_free(&b);
    gr_stories_free(&c);

    /* story 3 is the same alone, and a longer text begins with the shorter one */
    gr__str one = {0};
    assert_int_equal(gr__story_write(&gr__story_english, 4, 3, &one), GR_OK);
    assert_non_null(strstr(a, one.text));
    const gr_stories_options alone = {.language = "en", .seed = 4, .first = 3, .bytes = 1, .separator = "|"};
    assert_ok(gr_stories_write(&alone, &b, &m));
    assert_int_equal(m, one.n + 1);
    assert_memory_equal(b, one.text, one.n);
    assert_int_equal(b[one.n], '|');
    gr_stories_free(&b);
    gr__str_release(&one);
    b = written("both", 4, 40000, &m);
    assert_memory_equal(a, b, n);
    gr_stories_free(&b);
    gr_stories_free(&a);

    assert_int_equal(gr_stories_write(NULL, &a, &n), GR_OK);
    assert_true(n >= 262144);
    gr_stories_free(&a);
    assert_int_equal(gr_stories_write(&(gr_stories_options){.language = "fr"}, &a, &n), GR_ERR_ARGUMENT);
    assert_int_equal(gr_stories_write(&(gr_stories_options){.bytes = (size_t)1 << 40}, &a, &n), GR_ERR_LIMIT);
    assert_null(a);
    gr_stories_free(NULL);
}

static void sentences_are_cut(void **state)
{
    (void)state;
    const char text[] = "  One.Two! \n\n 很好。很 \nlast one ";
    static const struct {
        const char *text, *language;
        bool complete;
    } want[] = {{"One.", "en", true},
                {"Two!", "en", true},
                {"很好。", "zh", true},
                {"很", "zh", false},
                {"last one", "en", false}};
    gr_stories_sentence s;
    size_t at = 0;
    for (size_t i = 0; i < GR__COUNT(want); i++) {
        assert_true(gr_stories_next(text, sizeof text - 1, &at, &s));
        assert_int_equal(s.n, strlen(want[i].text));
        assert_memory_equal(s.text, want[i].text, s.n);
        assert_string_equal(s.language, want[i].language);
        assert_int_equal(s.complete, want[i].complete);
    }
    assert_false(gr_stories_next(text, sizeof text - 1, &at, &s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_sound),        cmocka_unit_test(every_story_can_be_told),
        cmocka_unit_test(all_written_is_accepted), cmocka_unit_test(damage_is_refused),
        cmocka_unit_test(reasons_are_told),        cmocka_unit_test(noise_is_refused),
        cmocka_unit_test(language_is_large),       cmocka_unit_test(writing_is_a_pure_function),
        cmocka_unit_test(sentences_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
