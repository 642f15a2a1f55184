#include "base/str.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool reserve(gr__str *s, size_t more)
{
    size_t need;
    if (s->failed || !gr__add_size(s->n, more, &need) || !gr__add_size(need, 1, &need) ||
        gr__grow(&s->text, 1, need, &s->capacity) != GR_OK)
        s->failed = true;
    return !s->failed;
}

void gr__str_add_n(gr__str *s, const char *text, size_t n)
{
    if (!reserve(s, n)) return;
    if (n) memcpy(s->text + s->n, text, n);
    s->n += n;
    s->text[s->n] = 0;
}

void gr__str_add(gr__str *s, const char *text) { gr__str_add_n(s, text, strlen(text)); }
void gr__str_add_char(gr__str *s, char c) { gr__str_add_n(s, &c, 1); }

void gr__str_vprintf(gr__str *s, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    if (n >= 0 && reserve(s, (size_t)n)) {
        vsnprintf(s->text + s->n, (size_t)n + 1, format, again);
        s->n += (size_t)n;
    }
    va_end(again);
}

void gr__str_printf(gr__str *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    gr__str_vprintf(s, format, args);
    va_end(args);
}

void gr__str_clear(gr__str *s)
{
    s->n = 0;
    if (s->text) s->text[0] = 0;
}

void gr__str_release(gr__str *s)
{
    gr__free(s->text);
    *s = (gr__str){0};
}

gr_status gr__str_check(const gr__str *s) { return s->failed ? gr__fail_memory("a text", s->capacity) : GR_OK; }

const char *gr__str_get(const gr__str *s) { return s->text ? s->text : ""; }

size_t gr__utf8_step(const char *text, size_t n)
{
    const unsigned char *p = (const unsigned char *)text;
    if (n == 0) return 0;
    size_t length = p[0] < 0x80 ? 1 : p[0] < 0xC2 ? 0 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : p[0] < 0xF5 ? 4 : 0;
    if (length == 0 || length > n) return 0;
    for (size_t i = 1; i < length; i++)
        if ((p[i] & 0xC0) != 0x80) return 0;
    bool overlong = (p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xF0 && p[1] < 0x90);
    bool surrogate = p[0] == 0xED && p[1] > 0x9F, too_high = p[0] == 0xF4 && p[1] > 0x8F;
    return overlong || surrogate || too_high ? 0 : length;
}

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; }

int gr__str_distance(const char *a, const char *b, int most)
{
    enum { LONGEST = 64 };
    size_t na = strlen(a), nb = strlen(b);
    if (na > LONGEST || nb > LONGEST) return most + 1;
    int row[3][LONGEST + 1];
    for (size_t j = 0; j <= nb; j++) row[0][j] = (int)j;
    for (size_t i = 1; i <= na; i++) {
        int *now = row[i % 3], *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];
        now[0] = (int)i;
        for (size_t j = 1; j <= nb; j++) {
            int cost = lower(a[i - 1]) != lower(b[j - 1]);
            int d = GR__MIN(GR__MIN(last[j] + 1, now[j - 1] + 1), last[j - 1] + cost);
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]))
                d = GR__MIN(d, before[j - 2] + 1);
            now[j] = d;
        }
    }
    int d = row[na % 3][nb];
    return d > most ? most + 1 : d;
}

const char *gr__str_nearest(const char *word, const char *const *candidates, size_t n)
{
    int length = (int)strlen(word), most = length > 1 ? length / 3 + 1 : 0, best = most + 1;
    const char *found = NULL;
    for (size_t i = 0; i < n; i++) {
        int d = gr__str_distance(word, candidates[i], most);
        if (d < best) {
            best = d;
            found = candidates[i];
        }
    }
    return found;
}

bool gr__str_glob(const char *pattern, const char *text)
{
    const char *star = NULL, *from = NULL; /* the last '*', and where the text that it takes ends for now */
    while (*text) {
        if (*pattern == '*') {
            star = pattern++;
            from = text;
        } else if (*pattern == '?' || *pattern == *text) {
            pattern++, text++;
        } else if (star) {
            pattern = star + 1;
            text = ++from;
        } else {
            return false;
        }
    }
    while (*pattern == '*') pattern++;
    return *pattern == 0;
}

/* strtod with the decimal point of the C locale, whatever the host program set. */
static locale_t the_c_locale;

static void make_c_locale(void) { the_c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0); }

static locale_t c_locale(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_c_locale);
    return the_c_locale;
}

bool gr__parse_double(const char *text, double *out)
{
    char *end;
    if (*text == 0 || *text == ' ' || *text == '\t' || *text == '\n') return false;
    locale_t l = c_locale();
    double v = l ? strtod_l(text, &end, l) : strtod(text, &end);
    if (*end != 0) return false;
    *out = v;
    return true;
}

bool gr__parse_int(const char *text, int64_t *out)
{
    char *end;
    if (!(*text == '-' || *text == '+' || (*text >= '0' && *text <= '9'))) return false;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    if (errno || *end != 0 || end == text) return false;
    *out = v;
    return true;
}

static void point_for_comma(char *text)
{
    for (char *p = text; *p; p++)
        if (*p == ',') *p = '.';
}

/* The least that are read back as the value (of a denormal, enough). Fewer than 15 are those of 15 without the zeros at
 * their end. */
static int enough_digits(double value)
{
    char text[32];
    double back;
    for (int digits = 15; digits < 17; digits++) {
        snprintf(text, sizeof text, "%.*e", digits - 1, value);
        point_for_comma(text);
        if (!gr__parse_double(text, &back) || back != value) continue;
        for (const char *p = strchr(text, 'e'); digits > 1 && p[-1] == '0'; p--) digits--;
        return digits;
    }
    return 17;
}

void gr__format_double(char out[32], double value)
{
    if (!isfinite(value)) {
        snprintf(out, 32, "%s", isnan(value) ? "nan" : value > 0 ? "inf" : "-inf");
        return;
    }
    if (value == floor(value) && fabs(value) < 1e6) { /* 100, not 1e+02 */
        snprintf(out, 32, "%.0f", value);
        return;
    }
    int digits = enough_digits(value);
    snprintf(out, 32, "%.*g", digits, value);
    point_for_comma(out);
}

void gr__format_bytes(char out[32], double bytes)
{
    static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    int u = 0;
    while (bytes >= 1024 && u < 4) bytes /= 1024, u++;
    bool odd = !(fabs(bytes) < 1e6); /* NaN too */
    snprintf(out, 32, odd ? "%.3g %s" : u == 0 || bytes >= 100 ? "%.0f %s" : "%.1f %s", bytes, unit[u]);
}

void gr__format_count(char out[32], double count)
{
    static const char *const unit[] = {"", " k", " M", " G", " T"};
    int u = 0;
    while (count >= 1000 && u < 4) count /= 1000, u++;
    bool odd = !(fabs(count) < 1e6); /* NaN too */
    snprintf(out, 32, u == 0 || odd ? "%.4g%s" : count >= 100 ? "%.0f%s" : "%.1f%s", count, unit[u]);
}

void gr__format_seconds(char out[32], double s)
{
    if (!(fabs(s) < 1e9)) /* NaN too */
        snprintf(out, 32, "%.3g s", s);
    else if (s < 1)
        snprintf(out, 32, s < 0.0095 ? "%.2g ms" : "%.0f ms", s * 1e3);
    else if (s < 60)
        snprintf(out, 32, "%.1f s", s);
    else if (s < 3600)
        snprintf(out, 32, "%d min %02d s", (int)(s / 60), (int)fmod(s, 60));
    else
        snprintf(out, 32, "%d h %02d min", (int)(s / 3600), (int)fmod(s / 60, 60));
}

bool gr__str_ends(const char *text, const char *end)
{
    size_t n = strlen(text), k = strlen(end);
    return n >= k && strcasecmp(text + n - k, end) == 0;
}

bool gr__str_ends_packed(const char *text, const char *end)
{
    char packed[32];
    snprintf(packed, sizeof packed, "%.28s.gz", end);
    return gr__str_ends(text, end) || gr__str_ends(text, packed);
}
