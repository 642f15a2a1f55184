/* Cells to numbers and codes. */
#include "format/columns.h"

#include "base/map.h"

#include <math.h>
#include <string.h>

enum { HASH_SEED = 0x7461626c };

int64_t gr__column_codes(const gr__column *c) { return 1 + (c->buckets ? c->buckets : (int64_t)c->words.n); }

int64_t gr__columns_numbers(const gr__columns *c)
{
    int64_t n = 0;
    for (size_t i = 0; i < c->n; i++) {
        const gr__column *k = &c->item[i];
        n += k->kind == GR__COLUMN_NUMBER ? 1 + k->indicator : k->width == 0 ? gr__column_codes(k) : 0;
    }
    return n;
}

int64_t gr__columns_codes(const gr__columns *c)
{
    int64_t n = 0;
    for (size_t i = 0; i < c->n; i++) n += c->item[i].kind == GR__COLUMN_CATEGORY && c->item[i].width > 0;
    return n;
}

int64_t gr__columns_classes(const gr__columns *c)
{
    return c->target.kind == GR__COLUMN_CATEGORY ? (int64_t)c->target.words.n : 0;
}

int64_t gr__columns_outputs(const gr__columns *c)
{
    int64_t classes = gr__columns_classes(c);
    return classes > 2 ? classes : 1;
}

/* ---- numbers ---- */

static double signed_log(double v) { return copysign(log1p(fabs(v)), v); }

double gr__column_forward(const gr__column *c, double v)
{
    if (isnan(v)) v = c->fill;
    v = fmin(fmax(v, c->low), c->high);
    if (c->log) v = signed_log(v);
    return (v - c->shift) / c->scale;
}

double gr__column_backward(const gr__column *c, double v)
{
    v = v * c->scale + c->shift;
    return c->log ? copysign(expm1(fabs(v)), v) : v;
}

/* ---- categories ---- */

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

const char *gr__cell_trimmed(const gr__cell *cell, size_t *n)
{
    const char *text = cell->text, *end = cell->text + cell->n;
    while (text < end && is_blank(*text)) text++;
    while (end > text && is_blank(end[-1])) end--;
    *n = (size_t)(end - text);
    return text;
}

static int compare(const char *text, size_t n, const char *word)
{
    size_t m = strlen(word);
    int order = memcmp(text, word, GR__MIN(n, m));
    return order ? order : (n > m) - (n < m);
}

int64_t gr__column_code(const gr__column *c, const char *text, size_t n)
{
    if (c->buckets) return 1 + (int64_t)(gr__hash_stable(text, n, HASH_SEED) % (uint64_t)c->buckets);
    size_t low = 0, high = c->words.n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(text, n, c->words.item[middle]);
        if (order == 0) return (int64_t)middle + 1;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return 0;
}

/* ---- cells ---- */

static gr__cell_fate take_number(const gr__column *c, const gr__cell *cell, bool comma, float **numbers)
{
    double v = NAN;
    gr__cell_fate fate = gr__cell_is_missing(cell)                         ? GR__CELL_MISSING
                         : gr__cell_number(cell, comma, &v) && isfinite(v) ? GR__CELL_FINE
                                                                           : GR__CELL_BAD;
    float said = (float)gr__column_forward(c, fate == GR__CELL_FINE ? v : (double)NAN);
    if (!isfinite(said)) { /* nothing clips it */
        fate = GR__CELL_BAD;
        said = (float)gr__column_forward(c, (double)NAN);
    }
    *(*numbers)++ = said;
    if (c->indicator) *(*numbers)++ = fate == GR__CELL_FINE ? 0.0f : 1.0f;
    return fate;
}

gr__cell_fate gr__column_take(const gr__column *c, const gr__cell *cell, bool decimal_comma, float **numbers,
                              int32_t **codes)
{
    if (c->kind == GR__COLUMN_NUMBER) return take_number(c, cell, decimal_comma, numbers);
    size_t n;
    const char *text = gr__cell_trimmed(cell, &n);
    bool missing = gr__cell_is_missing(cell);
    int64_t code = missing ? 0 : gr__column_code(c, text, n);
    if (c->width > 0) {
        *(*codes)++ = (int32_t)code;
    } else {
        int64_t all = gr__column_codes(c);
        for (int64_t i = 0; i < all; i++) (*numbers)[i] = i == code ? 1.0f : 0.0f;
        *numbers += all;
    }
    return missing ? GR__CELL_MISSING : code ? GR__CELL_FINE : GR__CELL_UNKNOWN;
}

gr__cell_fate gr__columns_target(const gr__columns *c, const gr__cell *cell, bool decimal_comma, double *number,
                                 int32_t *class)
{
    double v;
    size_t n;
    if (gr__cell_is_missing(cell)) return GR__CELL_MISSING;
    if (c->target.kind == GR__COLUMN_NUMBER) {
        if (!gr__cell_number(cell, decimal_comma, &v) || !isfinite(v)) return GR__CELL_BAD;
        v = gr__column_forward(&c->target, v);
        if (!isfinite((float)v)) return GR__CELL_BAD;
        *number = v;
        return GR__CELL_FINE;
    }
    const char *text = gr__cell_trimmed(cell, &n);
    while (c->strip && n && strchr(c->strip, text[n - 1])) n--;
    int64_t code = gr__column_code(&c->target, text, n);
    if (code == 0) return GR__CELL_UNKNOWN;
    *class = (int32_t)(code - 1);
    return GR__CELL_FINE;
}
