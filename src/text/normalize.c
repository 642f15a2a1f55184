/* Normalize steps: replace, prepend, and the Unicode normal forms (utf8proc). */
#include "text/tokenizer_int.h"
#include "text/utf8.h"

#include <string.h>
#include <utf8proc.h>

void gr__replace_all(gr__str *out, const char *text, size_t n, const char *old, const char *fresh)
{
    size_t n_old = strlen(old), at = 0;
    for (;;) {
        const char *hit = n_old && at < n ? memmem(text + at, n - at, old, n_old) : NULL;
        size_t stop = hit ? (size_t)(hit - text) : n;
        gr__str_add_n(out, text + at, stop - at);
        if (!hit) return;
        gr__str_add(out, fresh);
        at = stop + n_old;
    }
}

static bool all_ascii(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] >= 0x80) return false;
    return true;
}

static gr_status add_normal_form(gr__str *out, const char *text, size_t n, utf8proc_option_t form)
{
    utf8proc_ssize_t need = utf8proc_decompose((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)n, NULL, 0, form);
    GR_FAIL_IF(need < 0, GR_ERR_DATA, "cannot normalize the text: %s", utf8proc_errmsg(need));
    size_t bytes;
    utf8proc_int32_t *code;
    if (!gr__mul_size((size_t)need + 1, sizeof *code, &bytes) || !(code = gr__alloc(bytes)))
        return gr__fail_memory("normalizing a text", (size_t)need * sizeof *code);
    utf8proc_ssize_t got = utf8proc_decompose((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)n, code, need, form);
    if (got >= 0 && got <= need) got = utf8proc_reencode(code, got, form);
    if (got >= 0) gr__str_add_n(out, (const char *)code, (size_t)got);
    gr__free(code);
    GR_FAIL_IF(got < 0, GR_ERR_DATA, "cannot normalize the text: %s", utf8proc_errmsg(got));
    return GR_OK;
}

/* Bytes that are not UTF-8 stay as they are, between normalized stretches. */
static gr_status unicode_form(gr__str *out, const char *text, size_t n, utf8proc_option_t form)
{
    if (all_ascii(text, n)) {
        gr__str_add_n(out, text, n);
        return GR_OK;
    }
    for (size_t at = 0; at < n;) {
        size_t good;
        if (gr__utf8_valid(text + at, n - at, &good)) good = n - at;
        if (good > 0) GR_TRY(add_normal_form(out, text + at, good, form));
        at += good;
        if (at < n) gr__str_add_char(out, text[at++]);
    }
    return GR_OK;
}

/* ---- BERT ---- */

static utf8proc_category_t category(uint32_t code) { return utf8proc_category((utf8proc_int32_t)code); }

bool gr__is_punctuation(uint32_t code)
{
    utf8proc_category_t c = category(code);
    bool ascii = (code >= 33 && code <= 47) || (code >= 58 && code <= 64) || (code >= 91 && code <= 96) ||
                 (code >= 123 && code <= 126);
    return ascii || (c >= UTF8PROC_CATEGORY_PC && c <= UTF8PROC_CATEGORY_PO);
}

/* As Hugging Face tokenizers, which know the categories of Unicode 8: format characters that came later stay, and so does
 * what has no character yet. */
static bool is_control(uint32_t code)
{
    utf8proc_category_t c = category(code);
    bool late =
        code == 0x890 || code == 0x891 || code == 0x8E2 || code == 0x110CD || (code >= 0x13430 && code <= 0x1343F);
    return code != '\t' && code != '\n' && code != '\r' &&
           (c == UTF8PROC_CATEGORY_CC || (c == UTF8PROC_CATEGORY_CF && !late) || c == UTF8PROC_CATEGORY_CO);
}

/* CJK ideographs; not Hangul and Kana, which are written with other rules. */
static bool is_chinese(uint32_t code)
{
    static const uint32_t range[][2] = {{0x4E00, 0x9FFF},   {0x3400, 0x4DBF},   {0x20000, 0x2A6DF}, {0x2A700, 0x2B73F},
                                        {0x2B740, 0x2B81F}, {0x2B920, 0x2CEAF}, {0xF900, 0xFAFF},   {0x2F800, 0x2FA1F}};
    for (size_t i = 0; i < GR__COUNT(range); i++)
        if (code >= range[i][0] && code <= range[i][1]) return true;
    return false;
}

static void put(gr__str *out, uint32_t code)
{
    char bytes[4];
    gr__str_add_n(out, bytes, gr__utf8_put(code, bytes));
}

static void put_lower(gr__str *out, uint32_t code)
{
    put(out, code == 0x130 ? 'i' : (uint32_t)utf8proc_tolower((utf8proc_int32_t)code));
    if (code == 0x130) put(out, 0x307); /* the one capital whose small letter is two characters */
}

typedef void (*put_fn)(gr__str *out, uint32_t code, int64_t bits);

static void put_clean(gr__str *out, uint32_t code, int64_t bits)
{
    bool chinese = bits & GR__BERT_CHINESE && is_chinese(code);
    if (bits & GR__BERT_CLEAN) {
        if (code == 0 || code == 0xFFFD || is_control(code)) return;
        if (gr__utf8_is_space(code)) code = ' ';
    }
    if (chinese) gr__str_add_char(out, ' ');
    put(out, code);
    if (chinese) gr__str_add_char(out, ' ');
}

static void put_small(gr__str *out, uint32_t code, int64_t bits)
{
    if (bits & GR__BERT_ACCENTS && category(code) == UTF8PROC_CATEGORY_MN) return;
    if (bits & GR__BERT_LOWER)
        put_lower(out, code);
    else
        put(out, code);
}

/* Every character through 'fn'; the text is UTF-8. */
static void each_character(gr__str *out, const char *text, size_t n, put_fn fn, int64_t bits)
{
    uint32_t code;
    for (size_t at = 0, length; at < n; at += length)
        if (gr__utf8_next(text + at, n - at, &code, &length) == GR__UTF8_GOOD) fn(out, code, bits);
}

static gr_status bert(gr__str *out, const char *text, size_t n, int64_t bits)
{
    gr__str clean = {0}, apart = {0};
    each_character(&clean, text, n, put_clean, bits);
    gr_status status = gr__str_check(&clean);
    if (status == GR_OK && bits & GR__BERT_ACCENTS)
        status = unicode_form(&apart, gr__str_get(&clean), clean.n, UTF8PROC_STABLE | UTF8PROC_DECOMPOSE);
    if (status == GR_OK) status = gr__str_check(&apart);
    const gr__str *last = bits & GR__BERT_ACCENTS ? &apart : &clean;
    if (status == GR_OK) each_character(out, gr__str_get(last), last->n, put_small, bits);
    gr__str_release(&clean);
    gr__str_release(&apart);
    return status;
}

static gr_status apply(const gr__step *step, const char *text, size_t n, gr__str *out)
{
    const utf8proc_option_t stable = UTF8PROC_STABLE;
    switch (step->kind) {
    case GR__NORM_PREPEND:
        if (n > 0) gr__str_add(out, step->a);
        gr__str_add_n(out, text, n);
        return GR_OK;
    case GR__NORM_REPLACE: gr__replace_all(out, text, n, step->a, step->b); return GR_OK;
    case GR__NORM_NFC: return unicode_form(out, text, n, stable | UTF8PROC_COMPOSE);
    case GR__NORM_NFD: return unicode_form(out, text, n, stable | UTF8PROC_DECOMPOSE);
    case GR__NORM_NFKC: return unicode_form(out, text, n, stable | UTF8PROC_COMPOSE | UTF8PROC_COMPAT);
    case GR__NORM_NFKD: return unicode_form(out, text, n, stable | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT);
    case GR__NORM_BERT: return bert(out, text, n, step->count);
    default: return gr__fail(GR_ERR_INTERNAL, "step %d does not normalize", (int)step->kind);
    }
}

/* The two strings swap roles after every step. */
gr_status gr__normalize(const gr_tokenizer *tok, const char *text, size_t n, gr__str *out, gr__str *scratch)
{
    gr__str_clear(out);
    gr__str_add_n(out, text, n);
    for (int i = 0; i < tok->normalize.n; i++) {
        gr__str_clear(scratch);
        GR_TRY(apply(&tok->normalize.step[i], gr__str_get(out), out->n, scratch));
        GR_TRY(gr__str_check(scratch));
        GR_FAIL_IF(scratch->n / GR__MOST_GROWTH > n + 64, GR_ERR_LIMIT,
                   "normalizing makes the text more than %d times longer", GR__MOST_GROWTH);
        gr__str swap = *out;
        *out = *scratch;
        *scratch = swap;
    }
    return gr__str_check(out);
}
