/* The little language of the demo stories: an attributed grammar given as tables (stories_en.c, stories_zh.c), walked
 * by random choices in stories.c and parsed in stories_check.c. Both read the same tables, so what is written is
 * accepted by construction.
 *
 *   line      "[H] baked [G.a] [D:baked] for [F]."      a template of one sentence
 *   slot      [letter.form:class]                       form: default the first one; class: default any word
 *   letter    a variable of the story: all its slots show the same word ("Tom", "he", "his")
 *   tie       two variables that agree: they share a kind ("Mia", "sister"), or they differ (hero and friend)
 *   theme     the stages of a story; a stage is a list of lines, one of which is told
 */
#ifndef GR__STORIES_H
#define GR__STORIES_H

#include "base/rng.h"
#include "base/str.h"

#define GR__STORY_FORMS 4  /* most forms of a word */
#define GR__STORY_LINES 6  /* most lines of a stage */
#define GR__STORY_STAGES 7 /* most stages of a theme */
#define GR__STORY_SLOTS 12 /* most slots of a line */
#define GR__STORY_LETTERS 26

typedef struct gr__story_word {
    const char *form[GR__STORY_FORMS];
    uint32_t kind; /* bits that ties and classes look at */
} gr__story_word;

typedef struct gr__story_variable {
    char letter;
    const char *form[GR__STORY_FORMS]; /* names of the forms, the default first */
    const gr__story_word *word;
    int count; /* at most 64: sets of words are bit masks */
} gr__story_variable;

typedef struct gr__story_tie {
    char a, b;
    uint32_t kinds; /* they share one of these; 0: they are different words */
    const char *what;
} gr__story_tie;

typedef struct gr__story_class {
    const char *name;
    uint32_t kind;
} gr__story_class;

typedef struct gr__story_stage {
    const char *line[GR__STORY_LINES]; /* "": nothing is told */
} gr__story_stage;

typedef struct gr__story_theme {
    const char *name;
    const gr__story_stage *stage[GR__STORY_STAGES];
} gr__story_theme;

typedef struct gr__story_language {
    const char *name;
    const char *between; /* two sentences */
    bool capitals;       /* a sentence begins with a capital letter */
    const gr__story_variable *variable;
    int variables;
    const gr__story_tie *tie;
    int ties;
    const gr__story_class *class_of;
    int classes;
    const gr__story_theme *theme;
    int themes;
} gr__story_language;

extern const gr__story_language gr__story_english, gr__story_chinese;

/* "en" or "zh"; NULL for anything else. */
const gr__story_language *gr__story_language_get(const char *name);

typedef struct gr__story_slot {
    const gr__story_variable *variable;
    int form;
    uint32_t kind; /* class asked for; 0: any */
} gr__story_slot;

/* Reads the slot at *line, which points at its '[', and moves behind its ']'. False: the table is wrong. */
bool gr__story_slot_read(const gr__story_language *l, const char **line, gr__story_slot *out);

/* One word for each variable whose set is not empty: the words of a story, or of one sentence. */
typedef struct gr__story_cast {
    uint64_t allowed[GR__STORY_LETTERS]; /* bit i: word i may be chosen; 0: the variable is not used */
    int chosen[GR__STORY_LETTERS];
} gr__story_cast;

/* Chooses words that agree, at random with 'rng', the first ones without. False: there are none. */
bool gr__story_choose(const gr__story_language *l, gr__story_cast *cast, gr__rng *rng);
/* The tie that no pair of allowed words satisfies, or NULL. */
const gr__story_tie *gr__story_broken_tie(const gr__story_language *l, const gr__story_cast *cast);

/* Every word of a variable. */
uint64_t gr__story_all(const gr__story_variable *v);

/* Story number 'index' of 'seed'. */
gr_status gr__story_write(const gr__story_language *l, uint64_t seed, uint64_t index, gr__str *out);

#endif
