/* 中文故事: the Chinese stories. Letters as in stories_en.c. A noun carries its measure word (form "a": 一只, 一条),
 * so that the judge sees whether the two agree. */
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
};

static const gr__story_word hero[] = {
    {{"明明", "他"}, HE},  {{"乐乐", "他"}, HE},  {{"小军", "他"}, HE},  {{"阿宝", "他"}, HE},
    {{"小红", "她"}, SHE}, {{"丽丽", "她"}, SHE}, {{"朵朵", "她"}, SHE}, {{"阿花", "她"}, SHE},
};

static const gr__story_word friend[] = {
    {{"大山", "他"}, HE},  {{"天天", "他"}, HE},  {{"小虎", "他"}, HE},  {{"东东", "他"}, HE},
    {{"小雨", "她"}, SHE}, {{"小梅", "她"}, SHE}, {{"月月", "她"}, SHE}, {{"甜甜", "她"}, SHE},
};

static const gr__story_word creature[] = {
    {{"小男孩", "一个"}, HE}, {{"小女孩", "一个"}, SHE}, {{"小熊", "一只"}, ANY}, {{"小兔", "一只"}, ANY},
    {{"小猫", "一只"}, ANY},  {{"小狗", "一只"}, ANY},   {{"小马", "一匹"}, ANY}, {{"小鱼", "一条"}, ANY},
};

static const gr__story_word animal[] = {
    {{"小熊"}, ANY}, {{"小兔"}, ANY}, {{"小猫"}, ANY}, {{"小狗"}, ANY}, {{"小马"}, ANY}, {{"小鱼"}, ANY},
};

static const gr__story_word trait[] = {
    {{"可爱"}, 0}, {{"勇敢"}, 0}, {{"聪明"}, 0}, {{"善良"}, 0},
    {{"害羞"}, 0}, {{"安静"}, 0}, {{"调皮"}, 0}, {{"温柔"}, 0},
};

static const gr__story_word relation[] = {
    {{"朋友"}, ANY},
    {{"同学"}, ANY},
    {{"哥哥"}, HE},
    {{"姐姐"}, SHE},
};

static const gr__story_word place[] = {
    {{"公园", "公园里"}, LAND}, {{"花园", "花园里"}, LAND}, {{"森林", "森林里"}, LAND}, {{"草地", "草地上"}, LAND},
    {{"山坡", "山坡上"}, LAND}, {{"河边", "河边"}, WATER},  {{"湖边", "湖边"}, WATER},  {{"海边", "海边"}, WATER},
};

static const gr__story_word time_of[] = {
    {{"有一天"}, 0}, {{"一天早上"}, 0}, {{"春天里"}, 0}, {{"下雪那天"}, 0}, {{"下雨那天"}, 0}, {{"生日那天"}, 0},
};

static const gr__story_word object[] = {
    {{"皮球", "一个", "那个"}, TOY},  {{"小车", "一辆", "那辆"}, TOY},  {{"木马", "一个", "那个"}, TOY},
    {{"布熊", "一个", "那个"}, TOY},  {{"风筝", "一个", "那个"}, TOY},  {{"木偶", "一个", "那个"}, TOY},
    {{"帽子", "一顶", "那顶"}, WEAR}, {{"围巾", "一条", "那条"}, WEAR}, {{"手套", "一副", "那副"}, WEAR},
    {{"手表", "一块", "那块"}, WEAR},
};

static const gr__story_word color[] = {
    {{"红色的"}, 0}, {{"蓝色的"}, 0}, {{"黄色的"}, 0}, {{"绿色的"}, 0},
    {{"白色的"}, 0}, {{"漂亮的"}, 0}, {{"小小的"}, 0}, {{"大大的"}, 0},
};

static const gr__story_word use[] = {
    {{"玩"}, TOY},
    {{"戴"}, WEAR},
};

static const gr__story_word hiding_place[] = {
    {{"大树下"}, 0}, {{"石头后面"}, 0}, {{"草丛里"}, 0}, {{"门后面"}, 0}, {{"床底下"}, 0}, {{"山洞里"}, 0},
};

static const gr__story_word mender[] = {
    {{"胶水"}, 0},
    {{"绳子"}, 0},
    {{"胶带"}, 0},
    {{"针线"}, 0},
};

static const gr__story_word food[] = {
    {{"蛋糕", "一块"}, BAKED}, {{"饼干", "一块"}, BAKED}, {{"面包", "一个"}, BAKED}, {{"包子", "一个"}, BAKED},
    {{"苹果", "一个"}, FRUIT}, {{"桃子", "一个"}, FRUIT}, {{"葡萄", "一串"}, FRUIT}, {{"香蕉", "一根"}, FRUIT},
};

static const gr__story_word taste[] = {
    {{"香甜的"}, 0},
    {{"新鲜的"}, 0},
    {{"好吃的"}, 0},
    {{"大大的"}, 0},
};

static const gr__story_word activity[] = {
    {{"跑步"}, WHERE}, {{"踢球"}, WHERE}, {{"唱歌"}, WHERE}, {{"跳舞"}, WHERE},
    {{"画画"}, WHERE}, {{"写字"}, WHERE}, {{"游泳"}, WATER}, {{"钓鱼"}, WATER},
};

static const gr__story_word fear[] = {
    {{"黑夜"}, 0}, {{"打雷"}, 0}, {{"大风"}, 0}, {{"大狗"}, 0}, {{"老屋"}, 0}, {{"毛虫"}, 0},
};

static const gr__story_word good_mood[] = {
    {{"高兴"}, 0},
    {{"开心"}, 0},
    {{"快乐"}, 0},
    {{"得意"}, 0},
};

static const gr__story_word bad_mood[] = {
    {{"难过"}, 0},
    {{"伤心"}, 0},
    {{"着急"}, 0},
    {{"失望"}, 0},
};

#define WORDS(list) list, GR__COUNT(list)

static const gr__story_variable variable[] = {
    {'H', {"name", "he"}, WORDS(hero)},
    {'F', {"name", "he"}, WORDS(friend)},
    {'K', {"one", "a"}, WORDS(creature)},
    {'L', {"one"}, WORDS(animal)},
    {'R', {"one"}, WORDS(relation)},
    {'T', {"plain"}, WORDS(trait)},
    {'A', {"do"}, WORDS(activity)},
    {'P', {"the", "in"}, WORDS(place)},
    {'Z', {"the", "in"}, WORDS(place)},
    {'W', {"when"}, WORDS(time_of)},
    {'Y', {"when"}, WORDS(time_of)},
    {'O', {"one", "a", "that"}, WORDS(object)},
    {'V', {"do"}, WORDS(use)},
    {'C', {"plain"}, WORDS(color)},
    {'X', {"in"}, WORDS(hiding_place)},
    {'U', {"some"}, WORDS(mender)},
    {'D', {"one", "a"}, WORDS(food)},
    {'G', {"plain"}, WORDS(taste)},
    {'E', {"one"}, WORDS(fear)},
    {'M', {"plain"}, WORDS(good_mood)},
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

static const gr__story_class class_of[] = {{"baked", BAKED}, {"fruit", FRUIT}};

static const gr__story_stage beginning = {{
    "从前有[K.a][T]的[K]，名叫[H]。",
    "[H]是[K.a][T]的[K]，住在[Z.in]。",
    "很久以前，[Z.in]住着[K.a][K]，名叫[H]。",
}};

static const gr__story_stage end = {{
    "[H]和[F]一起回家，心里很[M]。",
    "[H]抱住[F]，大声说谢谢。",
    "这一天，[H]和[F]多么[M]啊！",
    "从此，[H]和[F]成了最好的朋友。",
    "那天夜里，[H]抱着[F]，觉得很[M]。",
}};

/* lost */
static const gr__story_stage lost_has = {{
    "[H]有[O.a][C][O]，每天都[V]它。",
    "[H.he]最喜欢[V][O.that][C][O]。",
}};
static const gr__story_stage lost_gone = {{
    "[W]，[H.he]在[P.in]丢了[C][O]。",
    "[W]，[H]来到[P]，[O]不见了。",
}};
static const gr__story_stage lost_sad = {{
    "[H]找不到[C][O]，非常[N]。",
    "[H]的[C][O]在哪里呢？",
    "",
}};
static const gr__story_stage lost_help = {{
    "[H.he]的[R][F]来帮[H.he]。",
    "[L][F]帮[H]一起找[O]。",
}};
static const gr__story_stage lost_found = {{
    "两个朋友在[X]找到了[C][O]。",
    "[F]在[X]找到[O]，还给了[H]。",
    "最后，[F]在[X]看见了[C][O]！",
}};

/* wish */
static const gr__story_stage wish_want = {{
    "[W]，[H]看见[O.a][C][O]，很想要。",
    "[H]很想[V][O.a][C][O]。",
}};
static const gr__story_stage wish_no = {{
    "可是[H.he]没有钱买[C][O]。",
    "可是[H]没有[O]，心里很[N]。",
}};
static const gr__story_stage wish_tell = {{
    "[H.he]把这件事告诉了[R][F]。",
    "[H.he]对[L][F]说起了[C][O]。",
}};
static const gr__story_stage wish_gift = {{
    "[Y]，[F]送给[H][O.a][C][O]。",
    "[F]用[U]给[H]做了[O.a][C][O]。",
}};
static const gr__story_stage wish_joy = {{
    "现在[H]天天[V][O.that][C][O]！",
    "[H][V][C][O]，觉得很[M]。",
    "",
}};

/* hungry */
static const gr__story_stage hungry_meet = {{
    "[W]，[H]在[P.in]遇见了[L][F]。",
    "[W]，[H]在[P.in]看见了[R][F]。",
}};
static const gr__story_stage hungry_bread = {{
    "[F]饿了，很想吃[D.a][G][D]。",
    "[F]没有东西吃，非常[N]。",
}};
static const gr__story_stage hungry_give = {{
    "[H]给[F]做了[D.a:baked][G][D:baked]。",
    "[H]在[P.in]给[F]摘了[D.a:fruit][G][D:fruit]。",
    "[H]笑着给了[F.he][D.a][G][D]。",
}};
static const gr__story_stage hungry_eat = {{
    "两个朋友坐在[P.in]，吃了[G][D]。",
    "[F]吃了[G][D]，觉得很[M]。",
}};

/* learn */
static const gr__story_stage learn_want = {{
    "[H]想和[R][F]一样会[A]。",
    "[W]，[H]看见[L][F]在[P.in][A]。",
}};
static const gr__story_stage learn_cannot = {{
    "可是[H]不会[A]，心里很[N]。",
    "[H.he]在[P.in]学[A]，可是太难了。",
}};
static const gr__story_stage learn_teach = {{
    "[F]在[P.in]教[H]怎么[A]。",
    "[H]请[F]来教怎么[A]。",
}};
static const gr__story_stage learn_practice = {{
    "[H]和[F]每天在[P.in]练习[A]。",
    "两个朋友整天在[P.in][A]。",
}};
static const gr__story_stage learn_can = {{
    "最后，[H][A]比[F]还要好！",
    "后来，[H.he]天天在[P.in][A]。",
}};

/* fear */
static const gr__story_stage fear_walk = {{
    "[W]，[H]和[L][F]走到了[P]。",
    "[W]，[H]跟着[R][F]去了[P]。",
}};
static const gr__story_stage fear_see = {{
    "[H]在[P.in]很怕[E]。",
    "可是[H]怕[E]，[N]得哭了。",
}};
static const gr__story_stage fear_help = {{
    "[F]拉着[H]的手，一起离开[P]。",
    "[F]抱住[H]，讲了一个故事。",
}};
static const gr__story_stage fear_over = {{
    "很快，[H]一点也不怕[E]了！",
    "现在[H]不怕[E]，觉得很[M]。",
}};

/* broken */
static const gr__story_stage broken_fall = {{
    "[W]，[C][O]在[P.in]坏掉了。",
    "[W]，[H]在[P.in]弄坏了[O]。",
}};
static const gr__story_stage broken_sad = {{
    "[C][O]坏了，[H]非常[N]。",
    "谁能帮[H]修好[C][O]呢？",
}};
static const gr__story_stage broken_mend = {{
    "[R][F]用[U]修好了[C][O]。",
    "[L][F]用[U]修好了[H]的[O]。",
}};

static const gr__story_theme theme[] = {
    {"lost", {&beginning, &lost_has, &lost_gone, &lost_sad, &lost_help, &lost_found, &end}},
    {"wish", {&beginning, &wish_want, &wish_no, &wish_tell, &wish_gift, &wish_joy, &end}},
    {"hungry", {&beginning, &hungry_meet, &hungry_bread, &hungry_give, &hungry_eat, &end}},
    {"learn", {&beginning, &learn_want, &learn_cannot, &learn_teach, &learn_practice, &learn_can, &end}},
    {"fear", {&beginning, &fear_walk, &fear_see, &fear_help, &fear_over, &end}},
    {"broken", {&beginning, &lost_has, &broken_fall, &broken_sad, &broken_mend, &wish_joy, &end}},
};

const gr__story_language gr__story_chinese = {
    .name = "zh",
    .between = "",
    .capitals = false,
    .variable = variable,
    .variables = GR__COUNT(variable),
    .tie = tie,
    .ties = GR__COUNT(tie),
    .class_of = class_of,
    .classes = GR__COUNT(class_of),
    .theme = theme,
    .themes = GR__COUNT(theme),
};
