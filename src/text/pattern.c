/* Two engines must cut every text alike: Oniguruma in the Ruby syntax (where the files come from) and PCRE2 (here).
 * What differs for the patterns in use:
 *   \s     PCRE2 counts U+180E in, Unicode since 6.3 and Oniguruma do not: written out as White_Space;
 *   $ ^    match at every line in Ruby: PCRE2_MULTILINE;
 *   [[ &&  nested sets and intersections inside [...] exist in Oniguruma only: refused. */
#include "text/pattern.h"

#include "base/str.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <string.h>

/* Steps of one match, and KiB of heap; a million blanks in a row need about two million steps. */
#define MATCH_LIMIT 50000000u
#define DEPTH_LIMIT 100000u
#define HEAP_LIMIT_KIB 65536u
#define JIT_STACK_LEAST (32u << 10)
#define JIT_STACK_MOST (4u << 20)

struct gr__pattern {
    pcre2_code *code;
    bool jit;
};

struct gr__matcher {
    pcre2_general_context *memory;
    pcre2_match_context *context;
    pcre2_match_data *data;
    pcre2_jit_stack *stack;
};

const char gr__pattern_gpt2[] = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

const char *gr__pattern_named(const char *name)
{
    static const struct {
        const char *name, *regex;
    } table[] = {
        {"gpt2", gr__pattern_gpt2},
        {"llama3",
         "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|"
         "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"},
        {"qwen2", "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|"
                  "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"},
    };
    for (size_t i = 0; i < GR__COUNT(table); i++)
        if (strcmp(table[i].name, name) == 0) return table[i].regex;
    return NULL;
}

/* PCRE2's memory comes through our one door as well. */
static void *get_memory(size_t bytes, void *user)
{
    (void)user;
    return gr__alloc(bytes);
}

static void give_memory(void *pointer, void *user)
{
    (void)user;
    gr__free(pointer);
}

#define SPACE "\\p{Z}\\t-\\r\\x{85}"

/* Rewrites an Oniguruma pattern for PCRE2. */
static gr_status translate(const char *regex, gr__str *out)
{
    bool in_set = false;
    for (const char *p = regex; *p; p++) {
        if (*p == '\\') {
            p++;
            GR_FAIL_IF(!*p, GR_ERR_UNSUPPORTED, "pattern '%s' ends with a backslash", regex);
            GR_FAIL_IF(strchr("hHRKGCEQXyY", *p), GR_ERR_UNSUPPORTED,
                       "pattern '%s' uses '\\%c', which has another meaning elsewhere", regex, *p);
            if (*p == 's')
                gr__str_add(out, in_set ? SPACE : "[" SPACE "]");
            else if (*p == 'S' && !in_set)
                gr__str_add(out, "[^" SPACE "]");
            else if (*p == 'S')
                gr__str_add(out, "\\S\\x{180E}");
            else
                gr__str_printf(out, "\\%c", *p);
            continue;
        }
        if (in_set) {
            GR_FAIL_IF(*p == '[' || (*p == '&' && p[1] == '&'), GR_ERR_UNSUPPORTED,
                       "pattern '%s' uses nested sets, which are not supported", regex);
            if (*p == ']') in_set = false;
        } else if (*p == '[') {
            in_set = true;
            gr__str_add_char(out, '[');
            if (p[1] == '^') gr__str_add_char(out, *++p);
            if (p[1] == ']') gr__str_add(out, "\\"), gr__str_add_char(out, *++p);
            continue;
        }
        GR_FAIL_IF(!in_set && *p == '(' && p[1] == '*', GR_ERR_UNSUPPORTED,
                   "pattern '%s' uses '(*', which is not supported", regex);
        gr__str_add_char(out, *p);
    }
    return gr__str_check(out);
}

gr_status gr__pattern_compile(const char *regex, gr__pattern **out)
{
    gr_status status = GR_OK;
    gr__str text = {0};
    gr__pattern *pattern = NULL;
    pcre2_compile_context *context = NULL;
    pcre2_general_context *memory = pcre2_general_context_create(get_memory, give_memory, NULL);
    if (!memory || !(context = pcre2_compile_context_create(memory)) || !(pattern = gr__calloc(1, sizeof *pattern))) {
        status = gr__fail_memory("a pattern", sizeof *pattern);
        goto done;
    }
    GR_TRY_DONE(translate(regex, &text));
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    int error;
    PCRE2_SIZE at;
    pattern->code =
        pcre2_compile((PCRE2_SPTR)gr__str_get(&text), text.n,
                      PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C,
                      &error, &at, context);
    if (!pattern->code) {
        PCRE2_UCHAR why[160];
        pcre2_get_error_message(error, why, sizeof why);
        status = error == PCRE2_ERROR_HEAP_FAILED
                     ? gr__fail_memory("a pattern", text.n)
                     : gr__fail(GR_ERR_UNSUPPORTED, "pattern '%s' cannot be used: %s", regex, (const char *)why);
        goto done;
    }
    pattern->jit = pcre2_jit_compile(pattern->code, PCRE2_JIT_COMPLETE) == 0; /* some systems forbid it: slower */
    *out = pattern;
    pattern = NULL;
done:
    gr__pattern_free(&pattern);
    pcre2_compile_context_free(context);
    pcre2_general_context_free(memory);
    gr__str_release(&text);
    return status;
}

void gr__pattern_free(gr__pattern **pattern)
{
    if (!*pattern) return;
    pcre2_code_free((*pattern)->code);
    gr__free(*pattern);
    *pattern = NULL;
}

gr_status gr__matcher_new(gr__matcher **out)
{
    gr__matcher *m = gr__calloc(1, sizeof *m);
    if (!m) return gr__fail_memory("a matcher", sizeof *m);
    m->memory = pcre2_general_context_create(get_memory, give_memory, NULL);
    if (m->memory) {
        m->context = pcre2_match_context_create(m->memory);
        m->data = pcre2_match_data_create(1, m->memory);
        m->stack = pcre2_jit_stack_create(JIT_STACK_LEAST, JIT_STACK_MOST, m->memory);
    }
    if (!m->context || !m->data) { /* the stack is absent where PCRE2 has no JIT */
        gr__matcher_free(&m);
        return gr__fail_memory("a matcher", sizeof *m);
    }
    pcre2_set_match_limit(m->context, MATCH_LIMIT);
    pcre2_set_depth_limit(m->context, DEPTH_LIMIT);
    pcre2_set_heap_limit(m->context, HEAP_LIMIT_KIB);
    if (m->stack) pcre2_jit_stack_assign(m->context, NULL, m->stack);
    *out = m;
    return GR_OK;
}

void gr__matcher_free(gr__matcher **matcher)
{
    gr__matcher *m = *matcher;
    if (!m) return;
    pcre2_jit_stack_free(m->stack);
    pcre2_match_data_free(m->data);
    pcre2_match_context_free(m->context);
    pcre2_general_context_free(m->memory);
    gr__free(m);
    *matcher = NULL;
}

gr_status gr__pattern_next(const gr__pattern *pattern, gr__matcher *matcher, const char *text, size_t n, size_t from,
                           size_t *start, size_t *end)
{
    PCRE2_SPTR subject = (PCRE2_SPTR)text;
    *start = *end = n;
    for (;;) {
        int rc = pattern->jit ? pcre2_jit_match(pattern->code, subject, n, from, 0, matcher->data, matcher->context)
                              : pcre2_match(pattern->code, subject, n, from, 0, matcher->data, matcher->context);
        if (rc == PCRE2_ERROR_NOMATCH) return GR_OK;
        if (rc == PCRE2_ERROR_NOMEMORY) return gr__fail_memory("matching a pattern", 0);
        GR_FAIL_IF(rc < 0, GR_ERR_LIMIT,
                   "cutting the text into words needs too many steps near byte %zu (PCRE2 error %d)", from, rc);
        const PCRE2_SIZE *span = pcre2_get_ovector_pointer(matcher->data);
        if (span[1] > span[0]) {
            *start = span[0];
            *end = span[1];
            return GR_OK;
        }
        from = GR__MAX(from, span[0]) + 1; /* an empty match cuts nothing: go on behind the next character */
        while (from < n && ((unsigned char)text[from] & 0xC0) == 0x80) from++;
        if (from >= n) return GR_OK;
    }
}
