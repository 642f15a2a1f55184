/* The English stories: about 140 words, six themes. Letters: H hero, K what the hero is, T how; F friend, L what the
 * friend is, R how they are related; P and Z places; W and Y times; O object, C its colour, V what one does with it, X
 * where it hides, U what mends it; D food, G its taste; A activity; E what is feared; M good mood, N bad mood.
 *
 * Heroes and friends have names of their own, and most agreement is near: a model of less than a million parameters
 * has to learn all of it in a minute. */
#include "data/stories.h"

enum {
    HE = 1 << 0,
    SHE = 1 << 1,
    ANY = HE | SHE,
    LAND = 1 << 2,
    WATER = 1 << 3,
    WHERE = LAND | WATER,
    TOY = 1 << 4,
    WEAR = 1 << 5,
    THING = TOY | WEAR,
    BAKED = 1 << 6,
    FRUIT = 1 << 7,
    SONG = 1 << 8,
};

static const gr__story_word hero[] = {
    {{"Tom", "he", "him", "his"}, HE},    {{"Ben", "he", "him", "his"}, HE},   {{"Max", "he", "him", "his"}, HE},
    {{"Leo", "he", "him", "his"}, HE},    {{"Mia", "she", "her", "her"}, SHE}, {{"Lily", "she", "her", "her"}, SHE},
    {{"Anna", "she", "her", "her"}, SHE}, {{"Zoe", "she", "her", "her"}, SHE},
};

static const gr__story_word friend[] = {
    {{"Sam", "he", "him", "his"}, HE},    {{"Jack", "he", "him", "his"}, HE},   {{"Finn", "he", "him", "his"}, HE},
    {{"Tim", "he", "him", "his"}, HE},    {{"Emma", "she", "her", "her"}, SHE}, {{"Lucy", "she", "her", "her"}, SHE},
    {{"Nina", "she", "her", "her"}, SHE}, {{"Ella", "she", "her", "her"}, SHE},
};

static const gr__story_word creature[] = {
    {{"boy"}, HE},     {{"girl"}, SHE}, {{"fox"}, ANY},  {{"bear"}, ANY},
    {{"rabbit"}, ANY}, {{"cat"}, ANY},  {{"duck"}, ANY}, {{"owl"}, ANY},
};

static const gr__story_word animal[] = {
    {{"fox"}, ANY}, {{"bear"}, ANY}, {{"rabbit"}, ANY}, {{"cat"}, ANY}, {{"duck"}, ANY}, {{"owl"}, ANY},
};

static const gr__story_word trait[] = {
    {{"little", "a little"}, 0}, {{"kind", "a kind"}, 0}, {{"brave", "a brave"}, 0}, {{"clever", "a clever"}, 0},
    {{"shy", "a shy"}, 0},       {{"tiny", "a tiny"}, 0}, {{"old", "an old"}, 0},    {{"honest", "an honest"}, 0},
};

static const gr__story_word relation[] = {
    {{"friend"}, ANY},
    {{"cousin"}, ANY},
    {{"brother"}, HE},
    {{"sister"}, SHE},
};

static const gr__story_word place[] = {
    {{"the park", "in the park"}, LAND},     {{"the garden", "in the garden"}, LAND},
    {{"the forest", "in the forest"}, LAND}, {{"the farm", "on the farm"}, LAND},
    {{"the hill", "on the hill"}, LAND},     {{"the river", "by the river"}, WATER},
    {{"the lake", "by the lake"}, WATER},    {{"the sea", "by the sea"}, WATER},
};

static const gr__story_word time_of[] = {
    {{"one day"}, 0},       {{"one morning"}, 0}, {{"one sunny day"}, 0},
    {{"one rainy day"}, 0}, {{"in spring"}, 0},   {{"in winter"}, 0},
};

static const gr__story_word object[] = {
    {{"ball"}, TOY}, {{"kite"}, TOY}, {{"boat"}, TOY},   {{"drum"}, TOY},  {{"robot"}, TOY},
    {{"doll"}, TOY}, {{"hat"}, WEAR}, {{"scarf"}, WEAR}, {{"coat"}, WEAR}, {{"ring"}, WEAR},
};

static const gr__story_word color[] = {
    {{"red", "a red"}, 0}, {{"blue", "a blue"}, 0}, {{"green", "a green"}, 0}, {{"yellow", "a yellow"}, 0},
    {{"new", "a new"}, 0}, {{"big", "a big"}, 0},   {{"old", "an old"}, 0},    {{"orange", "an orange"}, 0},
};

static const gr__story_word use[] = {
    {{"play with"}, TOY},
    {{"wear"}, WEAR},
};

static const gr__story_word hiding_place[] = {
    {{"under a bush"}, 0}, {{"behind a tree"}, 0}, {{"near the gate"}, 0},
    {{"in the grass"}, 0}, {{"under the bed"}, 0}, {{"behind the door"}, 0},
};

static const gr__story_word mender[] = {
    {{"glue"}, 0},
    {{"tape"}, 0},
    {{"string"}, 0},
    {{"wire"}, 0},
};

static const gr__story_word food[] = {
    {{"cake"}, BAKED}, {{"pie"}, BAKED},  {{"cookie"}, BAKED}, {{"bun"}, BAKED},
    {{"pear"}, FRUIT}, {{"plum"}, FRUIT}, {{"peach"}, FRUIT},  {{"melon"}, FRUIT},
};

static const gr__story_word taste[] = {
    {{"sweet"}, SONG},
    {{"soft"}, SONG},
    {{"fresh"}, 0},
    {{"big"}, 0},
};

static const gr__story_word activity[] = {
    {{"run", "ran", "running"}, WHERE},    {{"jump", "jumped", "jumping"}, WHERE},
    {{"sing", "sang", "singing"}, WHERE},  {{"dance", "danced", "dancing"}, WHERE},
    {{"draw", "drew", "drawing"}, WHERE},  {{"paint", "painted", "painting"}, WHERE},
    {{"swim", "swam", "swimming"}, WATER}, {{"fish", "fished", "fishing"}, WATER},
};

static const gr__story_word fear[] = {
    {{"the dark"}, 0},    {{"the thunder"}, 0},   {{"the wind"}, 0},
    {{"the big dog"}, 0}, {{"the old house"}, 0}, {{"the fog"}, 0},
};

static const gr__story_word good_mood[] = {
    {{"happy", "a happy"}, 0},
    {{"glad", "a glad"}, 0},
    {{"proud", "a proud"}, 0},
    {{"excited", "an exciting"}, 0},
};

static const gr__story_word bad_mood[] = {
    {{"sad"}, 0},
    {{"sorry"}, 0},
    {{"upset"}, 0},
    {{"lonely"}, 0},
};

#define WORDS(list) list, GR__COUNT(list)

static const gr__story_variable variable[] = {
    {'H', {"name", "he", "him", "his"}, WORDS(hero)},
    {'F', {"name", "he", "him", "his"}, WORDS(friend)},
    {'K', {"one"}, WORDS(creature)},
    {'L', {"one"}, WORDS(animal)},
    {'R', {"one"}, WORDS(relation)},
    {'T', {"plain", "a"}, WORDS(trait)},
    {'A', {"do", "did", "doing"}, WORDS(activity)},
    {'P', {"the", "in"}, WORDS(place)},
    {'Z', {"the", "in"}, WORDS(place)},
    {'W', {"when"}, WORDS(time_of)},
    {'Y', {"when"}, WORDS(time_of)},
    {'O', {"one"}, WORDS(object)},
    {'V', {"do"}, WORDS(use)},
    {'C', {"plain", "a"}, WORDS(color)},
    {'X', {"in"}, WORDS(hiding_place)},
    {'U', {"some"}, WORDS(mender)},
    {'D', {"one"}, WORDS(food)},
    {'G', {"plain"}, WORDS(taste)},
    {'E', {"one"}, WORDS(fear)},
    {'M', {"plain", "a"}, WORDS(good_mood)},
    {'N', {"plain"}, WORDS(bad_mood)},
};

static const gr__story_tie tie[] = {
    {'P', 'Z', 0, "the two places differ"},
    {'W', 'Y', 0, "the two times differ"},
    {'H', 'K', ANY, "he or she"},
    {'F', 'R', ANY, "he or she"},
    {'A', 'P', WHERE, "this is not done at such a place"},
    {'V', 'O', THING, "this is not done with such a thing"},
};

static const gr__story_class class_of[] = {{"baked", BAKED}, {"fruit", FRUIT}, {"song", SONG}};

static const gr__story_stage beginning = {{
    "Once there was [T.a] [K] named [H].",
    "[H] was [T.a] [K] and lived [Z.in].",
    "Once upon a time, [T.a] [K] named [H] lived [Z.in].",
}};

static const gr__story_stage end = {{
    "[H] and [F] went home and were very [M].",
    "[H] thanked [F] with a big hug.",
    "What [M.a] day it was for [H] and [F]!",
    "From that day on, [H] and [F] were best friends.",
    "That night, [H] hugged [F] and felt [M].",
}};

/* lost */
static const gr__story_stage lost_has = {{
    "[H] had [C.a] [O] and loved to [V] it.",
    "Every day, [H] liked to [V] [C.a] [O].",
}};
static const gr__story_stage lost_gone = {{
    "[W], [H.he] lost the [C] [O] [P.in].",
    "[W], [H] went to [P] and lost the [O].",
}};
static const gr__story_stage lost_sad = {{
    "[H] was [N] without the [C] [O].",
    "Where was the [C] [O] of [H]?",
    "",
}};
static const gr__story_stage lost_help = {{
    "[H.his] [R] [F] came to help [H.him].",
    "[F] the [L] helped [H] look for the [O].",
}};
static const gr__story_stage lost_found = {{
    "They found the [C] [O] [X].",
    "[F] found the [O] [X] and gave it to [H].",
    "At last, [F] saw the [C] [O] [X]!",
}};

/* wish */
static const gr__story_stage wish_want = {{
    "[W], [H] saw [C.a] [O] and wanted it.",
    "[H] wanted to [V] [C.a] [O].",
}};
static const gr__story_stage wish_no = {{
    "But [H.he] had no money for the [C] [O].",
    "But [H] had no [O] and was [N].",
}};
static const gr__story_stage wish_tell = {{
    "[H.he] told [H.his] [R] [F] about the [C] [O].",
    "[H.he] told [F] the [L] about the [C] [O].",
}};
static const gr__story_stage wish_gift = {{
    "[Y], [F] gave [H] the [C] [O].",
    "[F] made [C.a] [O] for [H] with [U].",
}};
static const gr__story_stage wish_joy = {{
    "Now [H] could [V] the [C] [O] all day!",
    "[H] was so [M] to [V] the [C] [O].",
    "",
}};

/* hungry */
static const gr__story_stage hungry_meet = {{
    "[W], [H] met [F] the [L] [P.in].",
    "[W], [H] saw [H.his] [R] [F] [P.in].",
}};
static const gr__story_stage hungry_bread = {{
    "[F] was hungry and wanted to eat a [G] [D].",
    "[F] was [N] and had nothing to eat.",
}};
static const gr__story_stage hungry_give = {{
    "[H] baked a [G] [D:baked] for [F].",
    "[H] picked a [G] [D:fruit] for [F] [P.in].",
    "[H] gave [F.him] a [G] [D] and a big smile.",
}};
static const gr__story_stage hungry_eat = {{
    "They sat [P.in] and ate the [G] [D].",
    "[F] ate the [G] [D] and felt [M].",
}};

/* learn */
static const gr__story_stage learn_want = {{
    "[H] wanted to [A] as well as [F].",
    "[W], [H] saw [F] the [L] [A] [P.in].",
}};
static const gr__story_stage learn_cannot = {{
    "But [H] could not [A] and felt [N].",
    "[H.he] tried to [A] [P.in], but it was too hard.",
}};
static const gr__story_stage learn_teach = {{
    "[F] showed [H] how to [A] [P.in].",
    "[F.his] friend [H] asked [F.him] for help.",
}};
static const gr__story_stage learn_practice = {{
    "Every day, [H] and [F] had fun [A.doing] [P.in].",
    "They spent the day [A.doing] [P.in].",
}};
static const gr__story_stage learn_can = {{
    "At last, [H] [A.did] better than [F]!",
    "In the end, [H.he] [A.did] [P.in] all day.",
}};

/* fear */
static const gr__story_stage fear_walk = {{
    "[W], [H] and [F] the [L] walked to [P].",
    "[W], [H] went to [P] with [H.his] [R] [F].",
}};
static const gr__story_stage fear_see = {{
    "[H] was afraid of [E] [P.in].",
    "But [H] was afraid of [E] and began to cry.",
}};
static const gr__story_stage fear_help = {{
    "[F] held [H.his] hand and sang a [G:song] song.",
    "[F] took [H] by the hand and told a story.",
}};
static const gr__story_stage fear_over = {{
    "Soon [H] was not afraid of [E] at all!",
    "Now [H] felt [M] and laughed at [E].",
}};

/* broken */
static const gr__story_stage broken_fall = {{
    "[W], the [C] [O] fell and broke [P.in].",
    "[W], [H] fell [P.in] and broke the [O].",
}};
static const gr__story_stage broken_sad = {{
    "[H] was [N] because the [C] [O] was broken.",
    "Who could mend the [C] [O] for [H]?",
}};
static const gr__story_stage broken_mend = {{
    "[H.his] [R] [F] fixed the [O] with [U].",
    "[F] the [L] fixed the [C] [O] with [U].",
}};

static const gr__story_theme theme[] = {
    {"lost", {&beginning, &lost_has, &lost_gone, &lost_sad, &lost_help, &lost_found, &end}},
    {"wish", {&beginning, &wish_want, &wish_no, &wish_tell, &wish_gift, &wish_joy, &end}},
    {"hungry", {&beginning, &hungry_meet, &hungry_bread, &hungry_give, &hungry_eat, &end}},
    {"learn", {&beginning, &learn_want, &learn_cannot, &learn_teach, &learn_practice, &learn_can, &end}},
    {"fear", {&beginning, &fear_walk, &fear_see, &fear_help, &fear_over, &end}},
    {"broken", {&beginning, &lost_has, &broken_fall, &broken_sad, &broken_mend, &wish_joy, &end}},
};

const gr__story_language gr__story_english = {
    .name = "en",
    .between = " ",
    .capitals = true,
    .variable = variable,
    .variables = GR__COUNT(variable),
    .tie = tie,
    .ties = GR__COUNT(tie),
    .class_of = class_of,
    .classes = GR__COUNT(class_of),
    .theme = theme,
    .themes = GR__COUNT(theme),
};
