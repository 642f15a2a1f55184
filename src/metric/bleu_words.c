/* The tokenizers of BLEU: rewriting rules one after the other over the whole text, then words between blanks. A rule
 * takes one or two characters and goes on behind them, so that the second is no first again. All signs of the rules are
 * ASCII, and a byte of another character is neither digit nor sign: bytes do. */
#include "metric/words.h"

#include "base/str.h"

#include <string.h>

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_stop(char c) { return c == '.' || c == ','; }

/* ASCII's signs except ' , - . which depend on what stands beside them. */
static bool is_sign(char c)
{
    return (c >= ' ' && c <= '&') || (c >= '(' && c <= '+') || c == '/' || (c >= ':' && c <= '@') ||
           (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
}

static void part_signs(gr__str *out, const char *p)
{
    for (; *p; p++) {
        if (is_sign(*p)) gr__str_add_char(out, ' ');
        gr__str_add_char(out, *p);
        if (is_sign(*p)) gr__str_add_char(out, ' ');
    }
}

/* A stop behind anything but a digit. */
static void part_stop_behind(gr__str *out, const char *p)
{
    for (; *p; p++) {
        gr__str_add_char(out, *p);
        if (is_digit(*p) || !is_stop(p[1])) continue;
        gr__str_add_char(out, ' ');
        gr__str_add_char(out, *++p);
        gr__str_add_char(out, ' ');
    }
}

/* A stop before anything but a digit. */
static void part_stop_before(gr__str *out, const char *p)
{
    for (; *p; p++) {
        bool part = is_stop(*p) && p[1] && !is_digit(p[1]);
        if (part) gr__str_add_char(out, ' ');
        gr__str_add_char(out, *p);
        if (!part) continue;
        gr__str_add_char(out, ' ');
        gr__str_add_char(out, *++p);
    }
}

/* A dash behind a digit. */
static void part_dash(gr__str *out, const char *p)
{
    for (; *p; p++) {
        gr__str_add_char(out, *p);
        if (!is_digit(*p) || p[1] != '-') continue;
        gr__str_add(out, " - ");
        p++;
    }
}

/* What begins with 'what' becomes 'by'. */
static void replace(gr__str *out, const char *p, const char *what, const char *by)
{
    size_t n = strlen(what);
    for (const char *at; (at = strstr(p, what)); p = at + n) {
        gr__str_add_n(out, p, (size_t)(at - p));
        gr__str_add(out, by);
    }
    gr__str_add(out, p);
}

/* Characters that stand alone: the table of sacrebleu's 'zh'. Its rows for the planes behind U+FFFF are written so that
 * they mean U+2001 .. U+2A6D (dashes, quotation marks, arrows, signs) and a part of a row above; characters beyond
 * U+FFFF are not in it. Equal numbers are worth more than a repaired table. */
static bool stands_alone(uint32_t c)
{
    static const uint16_t range[][2] = {
        {0x2001, 0x2A6D}, {0x2E80, 0x2EFF}, {0x2F00, 0x2FDF}, {0x2FF0, 0x2FFF}, {0x3000, 0x303F}, {0x3100, 0x312F},
        {0x31A0, 0x31BF}, {0x31C0, 0x31EF}, {0x3200, 0x33FF}, {0x3400, 0x4DB5}, {0x4E00, 0x9FBB}, {0xF900, 0xFA2D},
        {0xFA30, 0xFA6A}, {0xFA70, 0xFAD9}, {0xFE10, 0xFE1F}, {0xFE30, 0xFE4F}, {0xFF00, 0xFFEF}};
    for (size_t i = 0; i < GR__COUNT(range); i++)
        if (c >= range[i][0] && c <= range[i][1]) return true;
    return false;
}

static void part_chinese(gr__str *out, const char *p, size_t n)
{
    for (size_t at = 0; at < n;) {
        size_t step = GR__MAX(gr__utf8_step(p + at, n - at), 1);
        const unsigned char *c = (const unsigned char *)p + at;
        bool alone =
            step == 3 && stands_alone((uint32_t)(c[0] & 0x0F) << 12 | (uint32_t)(c[1] & 0x3F) << 6 | (c[2] & 0x3Fu));
        if (alone) gr__str_add_char(out, ' ');
        gr__str_add_n(out, p + at, step);
        if (alone) gr__str_add_char(out, ' ');
        at += step;
    }
}

/* Runs a rule from a to b and changes their names. */
static void apply(gr__str *a, gr__str *b, void (*rule)(gr__str *out, const char *p))
{
    gr__str_clear(b);
    rule(b, gr__str_get(a));
    gr__str t = *a;
    *a = *b;
    *b = t;
}

static void no_skipped(gr__str *out, const char *p) { replace(out, p, "<skipped>", ""); }
static void no_hyphen(gr__str *out, const char *p) { replace(out, p, "-\n", ""); }
static void no_line(gr__str *out, const char *p) { replace(out, p, "\n", " "); }
static void no_quot(gr__str *out, const char *p) { replace(out, p, "&quot;", "\""); }
static void no_amp(gr__str *out, const char *p) { replace(out, p, "&amp;", "&"); }
static void no_lt(gr__str *out, const char *p) { replace(out, p, "&lt;", "<"); }
static void no_gt(gr__str *out, const char *p) { replace(out, p, "&gt;", ">"); }

gr_status gr__bleu_split(gr__words *w, gr__map *ids, gr_bleu_words kind, const char *text)
{
    static void (*const western[])(gr__str *, const char *) = {no_skipped, no_hyphen, no_line, no_quot,
                                                               no_amp,     no_lt,     no_gt};
    static void (*const common[])(gr__str *, const char *) = {part_signs, part_stop_behind, part_stop_before,
                                                              part_dash};
    size_t n;
    const char *trimmed = gr__trim(text, &n);
    if (kind == GR_BLEU_BLANKS) return gr__words_split(w, ids, trimmed, n);
    gr__str a = {0}, b = {0};
    if (kind == GR_BLEU_ZH) {
        part_chinese(&a, trimmed, n);
    } else { /* blanks before the text count for its first sign */
        gr__str_add_n(&a, text, (size_t)(trimmed - text) + n);
        for (size_t i = 0; i < GR__COUNT(western); i++) apply(&a, &b, western[i]);
        gr__str_clear(&b);
        gr__str_printf(&b, " %s ", gr__str_get(&a));
        gr__str t = a;
        a = b;
        b = t;
    }
    for (size_t i = 0; i < GR__COUNT(common); i++) apply(&a, &b, common[i]);
    gr_status status = gr__str_check(&a);
    if (status == GR_OK) status = gr__str_check(&b);
    if (status == GR_OK) status = gr__words_split(w, ids, gr__str_get(&a), a.n);
    gr__str_release(&a);
    gr__str_release(&b);
    return status;
}
