/* Rows that are equal, or nearly: MinHash (Broder 1997) over word 3-grams finds candidates, their exact Jaccard similarity
 * decides. Words are runs of letters and digits, ASCII in lower case; a CJK character is a word. */
#include "data/records.h"

#include "base/map.h"
#include "base/rng.h"
#include "text/utf8.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { HASHES = 128, GRAM = 3, FIRST_CJK = 0x2E80 };

typedef struct kept {
    int64_t id;
    uint64_t *gram; /* n of them, sorted, different */
    size_t n;
} kept;

/* Rows that share a band form a chain. */
typedef struct link {
    int64_t row, next; /* index into kept; index of a link, -1: the last */
} link;

struct gr__near {
    double near;
    int rows; /* of hashes in a band */
    uint64_t factor[HASHES], offset[HASHES];
    gr__map exact, bands;
    kept *kept;
    link *link;
    size_t n, n_links, kept_capacity, link_capacity;
    uint64_t *word, *gram; /* of the text that is looked at */
    size_t n_words, n_grams, word_capacity, gram_capacity;
};

gr_status gr__near_new(double near, gr__near **out)
{
    GR_FAIL_IF(!(near >= 0 && near <= 1), GR_ERR_ARGUMENT, "a similarity of %g is not possible; it is 0 to 1", near);
    gr__near *x = gr__calloc(1, sizeof *x);
    if (!x) return gr__fail_memory("an index of rows", sizeof *x);
    gr__rng rng = gr__rng_make(0x6d696e68617368u, 0);
    for (int i = 0; i < HASHES; i++) x->factor[i] = gr__rng_u64(&rng) | 1, x->offset[i] = gr__rng_u64(&rng);
    x->near = near;
    x->rows = 1; /* the longest bands that miss at most 1 % of what is just similar enough */
    for (int r = 2; r <= 16; r *= 2)
        if (pow(1 - pow(near, r), (double)HASHES / r) <= 0.01) x->rows = r;
    *out = x;
    return GR_OK;
}

void gr__near_free(gr__near **x)
{
    if (!*x) return;
    for (size_t i = 0; i < (*x)->n; i++) gr__free((*x)->kept[i].gram);
    gr__free((*x)->kept);
    gr__free((*x)->link);
    gr__free((*x)->word);
    gr__free((*x)->gram);
    gr__map_release(&(*x)->exact);
    gr__map_release(&(*x)->bands);
    gr__free(*x);
    *x = NULL;
}

/* ---- grams ---- */

static gr_status add_word(gr__near *x, const char *word, size_t n)
{
    char lower[256];
    if (n > sizeof lower) n = sizeof lower;
    for (size_t i = 0; i < n; i++) lower[i] = (char)(word[i] >= 'A' && word[i] <= 'Z' ? word[i] + 32 : word[i]);
    GR_TRY(gr__grow(&x->word, sizeof *x->word, x->n_words + 1, &x->word_capacity));
    x->word[x->n_words++] = gr__hash_stable(lower, n, 0);
    return GR_OK;
}

static gr_status find_words(gr__near *x, const char *text, size_t n)
{
    size_t begin = 0, at = 0, step;
    x->n_words = 0;
    while (at < n) {
        uint32_t code;
        if (gr__utf8_next(text + at, n - at, &code, &step) != GR__UTF8_GOOD) code = ' ';
        bool letter = (code >= '0' && code <= '9') || ((code | 32) >= 'a' && (code | 32) <= 'z') || code >= 0xC0;
        bool alone = code >= FIRST_CJK;
        if (letter && !alone) {
            at += step;
            continue;
        }
        if (at > begin) GR_TRY(add_word(x, text + begin, at - begin));
        if (alone) GR_TRY(add_word(x, text + at, step));
        at += step;
        begin = at;
    }
    return at > begin ? add_word(x, text + begin, at - begin) : GR_OK;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static gr_status find_grams(gr__near *x, const char *text, size_t n)
{
    GR_TRY(find_words(x, text, n));
    size_t length = GR__MIN(x->n_words, (size_t)GRAM), grams = x->n_words - length + 1;
    if (length == 0) grams = 0;
    GR_TRY(gr__grow(&x->gram, sizeof *x->gram, grams + 1, &x->gram_capacity));
    for (size_t i = 0; i < grams; i++) x->gram[i] = gr__hash_stable(x->word + i, length * sizeof *x->word, 1);
    qsort(x->gram, grams, sizeof *x->gram, compare);
    x->n_grams = 0;
    for (size_t i = 0; i < grams; i++)
        if (i == 0 || x->gram[i] != x->gram[x->n_grams - 1]) x->gram[x->n_grams++] = x->gram[i];
    return GR_OK;
}

static double similarity(const gr__near *x, const kept *k)
{
    size_t a = 0, b = 0, both = 0;
    while (a < x->n_grams && b < k->n) {
        uint64_t u = x->gram[a], v = k->gram[b];
        both += u == v;
        a += u <= v;
        b += v <= u;
    }
    size_t all = x->n_grams + k->n - both;
    return all ? (double)both / (double)all : 0;
}

/* ---- the index ---- */

static void sign(const gr__near *x, uint64_t least[HASHES])
{
    for (int k = 0; k < HASHES; k++) {
        least[k] = UINT64_MAX;
        for (size_t i = 0; i < x->n_grams; i++) {
            uint64_t h = x->gram[i] * x->factor[k] + x->offset[k];
            if (h < least[k]) least[k] = h;
        }
    }
}

static gr_status remember(gr__near *x, int64_t id)
{
    GR_TRY(gr__grow(&x->kept, sizeof *x->kept, x->n + 1, &x->kept_capacity));
    uint64_t *own = gr__alloc(x->n_grams * sizeof *own + 1);
    if (!own) return gr__fail_memory("an index of rows", x->n_grams * sizeof *own);
    memcpy(own, x->gram, x->n_grams * sizeof *own);
    x->kept[x->n++] = (kept){id, own, x->n_grams};
    return GR_OK;
}

/* The band's number and its hashes: what rows of the same chain have in common. */
typedef struct band {
    uint64_t which, hash;
} band;

static band band_of(const gr__near *x, const uint64_t least[HASHES], int b)
{
    return (band){(uint64_t)b, gr__hash_stable(least + b * x->rows, (size_t)x->rows * sizeof *least, 2)};
}

static void find_twin(const gr__near *x, const uint64_t least[HASHES], int64_t *twin)
{
    for (int b = 0; b < HASHES / x->rows; b++) {
        band key = band_of(x, least, b);
        const int64_t *chain = gr__map_get(&x->bands, &key, sizeof key);
        for (int64_t l = chain ? *chain : -1; l >= 0; l = x->link[l].next) {
            const kept *k = &x->kept[x->link[l].row];
            if ((*twin < 0 || k->id < *twin) && similarity(x, k) >= x->near) *twin = k->id;
        }
    }
}

static gr_status add_bands(gr__near *x, const uint64_t least[HASHES])
{
    for (int b = 0; b < HASHES / x->rows; b++) {
        band key = band_of(x, least, b);
        const int64_t *chain = gr__map_get(&x->bands, &key, sizeof key);
        GR_TRY(gr__grow(&x->link, sizeof *x->link, x->n_links + 1, &x->link_capacity));
        x->link[x->n_links] = (link){(int64_t)x->n - 1, chain ? *chain : -1};
        GR_TRY(gr__map_set(&x->bands, &key, sizeof key, (int64_t)x->n_links++, NULL));
    }
    return GR_OK;
}

gr_status gr__near_look(gr__near *x, const char *text, size_t bytes, int64_t id, bool add, int64_t *twin, bool *exact)
{
    uint64_t least[HASHES];
    const int64_t *same = gr__map_get(&x->exact, text, bytes);
    *twin = same ? *same : -1;
    *exact = same != NULL;
    if (same) return GR_OK;
    if (x->near > 0) {
        GR_TRY(find_grams(x, text, bytes));
        sign(x, least);
        if (x->n_grams) find_twin(x, least, twin);
    }
    if (!add || *twin >= 0) return GR_OK;
    if (x->near > 0 && x->n_grams) {
        GR_TRY(remember(x, id));
        GR_TRY(add_bands(x, least));
    }
    return gr__map_set(&x->exact, text, bytes, id, NULL);
}
