/* Learning merges (Sennrich et al. 2016), counting incrementally. Every different word is stored once, all of them in
 * one row of symbols linked to their neighbours; a pair knows the places where it (once) stood:
 *
 *   symbol:  t h e | i n | t h i n ...        (t,h): count 9, places 0 5
 *   after:   1 2 - | 4 - | 6 7 8 - ...        (h,e): count 7, places 1
 *
 * A merge visits the places of its pair only; places that changed since are skipped. Pairs wait in a heap under the
 * count they had when they were put in; counts only fall, except for those touched by a merge, which are put in
 * again. So the top is the most frequent pair once its count is confirmed. Equal counts: the greater left part
 * first, then the greater right part, as bytes. */
#include "text/bytemap.h"
#include "text/tokenizer_int.h"

#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX

typedef struct pair {
    int32_t a, b;
    int64_t count;
    uint32_t *place;
    size_t n_places, place_capacity;
    int64_t touched; /* the merge that last raised the count */
    bool unsorted;
} pair;

typedef struct candidate {
    int64_t count;
    uint32_t pair;
} candidate;

typedef struct trainer {
    gr_tokenizer *tok;
    gr__map words; /* -> how often */

    size_t n;        /* symbols in a row */
    int32_t *symbol; /* -1: joined to the one before */
    uint32_t *before, *after, *word;

    gr__pair_map pair_of;
    pair *pairs;
    size_t n_pairs, pair_capacity;
    candidate *heap;
    size_t n_heap, heap_capacity;
    uint32_t *raised; /* pairs that the current merge touched */
    size_t n_raised, raised_capacity;
    int64_t step;

    gr__str bytes; /* of all tokens, one after the other */
    size_t *start; /* n_token + 1 of them */
    size_t start_capacity;
} trainer;

/* ---- words ---- */

static gr_status count_words(trainer *t, const gr__pattern *pattern, gr__matcher *matcher, const char *text, size_t n)
{
    for (size_t at = 0, start, end; at < n; at = end) {
        GR_TRY(gr__pattern_next(pattern, matcher, text, n, at, &start, &end));
        const size_t bounds[3] = {at, start, end}; /* what no match covers is a word, too */
        for (int i = 0; i < 2; i++) {
            size_t size = bounds[i + 1] - bounds[i];
            if (size == 0) continue;
            int64_t *count = gr__map_get(&t->words, text + bounds[i], size);
            if (count)
                ++*count;
            else
                GR_TRY(gr__map_set(&t->words, text + bounds[i], size, 1, NULL));
        }
    }
    return GR_OK;
}

static gr_status count_sources(trainer *t, const gr__trie *special, const gr_text_source *sources, size_t n_sources)
{
    const gr__steps *split = &t->tok->split;
    gr__pattern *pattern = NULL;
    gr__matcher *matcher = NULL;
    gr_status status =
        gr__pattern_compile(split->step[0].kind == GR__SPLIT_REGEX ? split->step[0].a : gr__pattern_gpt2, &pattern);
    if (status == GR_OK) status = gr__matcher_new(&matcher);
    for (size_t i = 0; i < n_sources && status == GR_OK; i++) {
        const char *text = sources[i].n ? sources[i].text : "";
        size_t at = 0, start, end;
        uint32_t index;
        for (; status == GR_OK && gr__trie_find(special, text, sources[i].n, at, &start, &end, &index); at = end)
            status = count_words(t, pattern, matcher, text + at, start - at);
        if (status == GR_OK) status = count_words(t, pattern, matcher, text + at, sources[i].n - at);
    }
    gr__matcher_free(&matcher);
    gr__pattern_free(&pattern);
    return status;
}

/* ---- pairs ---- */

static gr_status raise(trainer *t, int32_t a, int32_t b, int64_t by, uint32_t place)
{
    uint64_t key = gr__pair((uint32_t)a, (uint32_t)b);
    const uint64_t *known = gr__pair_map_get(&t->pair_of, key);
    size_t index = known ? (size_t)*known : t->n_pairs;
    if (!known) {
        GR_FAIL_IF(index >= NONE, GR_ERR_LIMIT, "the training text has too many different pairs");
        GR_TRY(gr__grow(&t->pairs, sizeof *t->pairs, index + 1, &t->pair_capacity));
        GR_TRY(gr__pair_map_set(&t->pair_of, key, index));
        t->pairs[t->n_pairs++] = (pair){.a = a, .b = b, .touched = -1};
    }
    pair *p = &t->pairs[index];
    p->count += by;
    GR_TRY(gr__grow(&p->place, sizeof *p->place, p->n_places + 1, &p->place_capacity));
    if (p->n_places > 0 && p->place[p->n_places - 1] > place) p->unsorted = true;
    p->place[p->n_places++] = place;
    if (p->touched == t->step) return GR_OK;
    p->touched = t->step;
    GR_TRY(gr__grow(&t->raised, sizeof *t->raised, t->n_raised + 1, &t->raised_capacity));
    t->raised[t->n_raised++] = (uint32_t)index;
    return GR_OK;
}

static void lower(trainer *t, int32_t a, int32_t b, int64_t by)
{
    const uint64_t *known = gr__pair_map_get(&t->pair_of, gr__pair((uint32_t)a, (uint32_t)b));
    if (known) t->pairs[*known].count -= by;
}

static gr_status lay_out(trainer *t)
{
    for (size_t w = 0; w < t->words.count; w++) t->n += t->words.entry[w].n;
    GR_FAIL_IF(t->n >= (size_t)1 << 31 || t->words.count >= NONE, GR_ERR_LIMIT,
               "the different words of the training text have more than 2^31 bytes; train on a part of it");
    t->symbol = gr__calloc(t->n, sizeof *t->symbol);
    t->before = gr__calloc(t->n, sizeof *t->before);
    t->after = gr__calloc(t->n, sizeof *t->after);
    t->word = gr__calloc(t->n, sizeof *t->word);
    if (!t->symbol || !t->before || !t->after || !t->word) return gr__fail_memory("the words of a text", t->n * 16);
    int32_t first = t->tok->n_token - 256, id_of[256];
    for (int rank = 0; rank < 256; rank++) id_of[gr__byte_by_rank(rank)] = first + rank;
    uint32_t at = 0;
    for (uint32_t w = 0; w < t->words.count; w++) {
        const gr__map_entry *e = &t->words.entry[w];
        for (size_t i = 0; i < e->n; i++, at++) {
            t->symbol[at] = id_of[(unsigned char)e->key[i]];
            t->before[at] = i > 0 ? at - 1 : NONE;
            t->after[at] = i + 1 < e->n ? at + 1 : NONE;
            t->word[at] = w;
            if (i > 0) GR_TRY(raise(t, t->symbol[at - 1], t->symbol[at], e->value, at - 1));
        }
    }
    return GR_OK;
}

/* ---- the order of pairs ---- */

/* Bytes of token 'id' into the row of all of them; ids come in order. */
static gr_status note_bytes(trainer *t, int32_t id, const char *text, size_t n)
{
    GR_TRY(gr__grow(&t->start, sizeof *t->start, (size_t)id + 2, &t->start_capacity));
    gr__str_add_n(&t->bytes, text, n);
    t->start[id + 1] = t->bytes.n;
    return gr__str_check(&t->bytes);
}

static gr_status note_first_bytes(trainer *t)
{
    int32_t first = t->tok->n_token - 256;
    GR_TRY(gr__grow(&t->start, sizeof *t->start, 1, &t->start_capacity));
    t->start[0] = 0;
    for (int32_t id = 0; id < t->tok->n_token; id++) {
        char byte = id < first ? 0 : (char)gr__byte_by_rank(id - first);
        GR_TRY(note_bytes(t, id, &byte, id < first ? 0 : 1));
    }
    return GR_OK;
}

static int compare_tokens(const trainer *t, int32_t x, int32_t y)
{
    size_t n_x = t->start[x + 1] - t->start[x], n_y = t->start[y + 1] - t->start[y];
    int order = memcmp(t->bytes.text + t->start[x], t->bytes.text + t->start[y], GR__MIN(n_x, n_y));
    return order ? order : (n_x > n_y) - (n_x < n_y);
}

static bool comes_before(const trainer *t, candidate x, candidate y)
{
    if (x.count != y.count) return x.count > y.count;
    const pair *p = &t->pairs[x.pair], *q = &t->pairs[y.pair];
    int order = compare_tokens(t, p->a, q->a);
    return (order ? order : compare_tokens(t, p->b, q->b)) > 0;
}

static gr_status push(trainer *t, uint32_t index)
{
    candidate fresh = {t->pairs[index].count, index};
    if (fresh.count <= 0) return GR_OK;
    GR_TRY(gr__grow(&t->heap, sizeof *t->heap, t->n_heap + 1, &t->heap_capacity));
    size_t i = t->n_heap++;
    for (; i > 0 && comes_before(t, fresh, t->heap[(i - 1) / 2]); i = (i - 1) / 2) t->heap[i] = t->heap[(i - 1) / 2];
    t->heap[i] = fresh;
    return GR_OK;
}

static candidate pop(trainer *t)
{
    candidate *heap = t->heap, top = heap[0], last = heap[--t->n_heap];
    size_t i = 0, n = t->n_heap;
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && comes_before(t, heap[child + 1], heap[child])) child++;
        if (!comes_before(t, heap[child], last)) break;
        heap[i] = heap[child];
    }
    heap[i] = last;
    return top;
}

static gr_status push_raised(trainer *t)
{
    for (size_t i = 0; i < t->n_raised; i++) GR_TRY(push(t, t->raised[i]));
    t->n_raised = 0;
    t->step++;
    return GR_OK;
}

/* The most frequent pair, or NULL when none has 'least'. */
static gr_status take_best(trainer *t, int64_t least, pair **out)
{
    *out = NULL;
    while (t->n_heap > 0 && t->heap[0].count >= least) {
        candidate top = pop(t);
        pair *p = &t->pairs[top.pair];
        if (p->count == top.count) {
            *out = p;
            return GR_OK;
        }
        if (p->count < top.count) GR_TRY(push(t, top.pair)); /* a risen pair has a newer entry */
    }
    return GR_OK;
}

/* ---- merging ---- */

/* The token that a and b make; it may have been made from other parts before. -1: a special token has this name. */
static gr_status make_token(trainer *t, int32_t a, int32_t b, int32_t *id)
{
    gr_tokenizer *tok = t->tok;
    gr__str name = {0}, bytes = {0};
    gr__str_add_n(&name, tok->token[a].piece, tok->token[a].n_piece);
    gr__str_add_n(&name, tok->token[b].piece, tok->token[b].n_piece);
    gr_status status = gr__str_check(&name);
    *id = status == GR_OK ? gr__find_token(tok, name.text, name.n) : -1;
    bool is_new = *id < 0, taken = !is_new && tok->token[*id].added;
    if (status == GR_OK && is_new) {
        *id = tok->n_token;
        status = gr__add_token(tok, name.text, name.n, *id);
        gr__str_add_n(&bytes, t->bytes.text + t->start[a], t->start[a + 1] - t->start[a]);
        gr__str_add_n(&bytes, t->bytes.text + t->start[b], t->start[b + 1] - t->start[b]);
        if (status == GR_OK) status = gr__str_check(&bytes);
        if (status == GR_OK) status = note_bytes(t, *id, bytes.text, bytes.n);
    }
    if (status == GR_OK && !taken)
        status =
            gr__add_merge(tok, tok->token[a].piece, tok->token[a].n_piece, tok->token[b].piece, tok->token[b].n_piece);
    if (taken) *id = -1;
    gr__str_release(&name);
    gr__str_release(&bytes);
    return status;
}

static int by_place(const void *x, const void *y)
{
    uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;
    return (a > b) - (a < b);
}

/* Joins a and b wherever they are neighbours. 'place' is taken out of the pair, since the list of pairs moves. */
static gr_status join(trainer *t, int32_t a, int32_t b, int32_t id, const uint32_t *place, size_t n_places)
{
    for (size_t i = 0; i < n_places; i++) {
        uint32_t at = place[i], next = t->after[at];
        if (t->symbol[at] != a || next == NONE || t->symbol[next] != b) continue;
        int64_t count = t->words.entry[t->word[at]].value;
        uint32_t left = t->before[at], right = t->after[next];
        if (left != NONE) {
            lower(t, t->symbol[left], a, count);
            GR_TRY(raise(t, t->symbol[left], id, count, left));
        }
        if (right != NONE) {
            lower(t, b, t->symbol[right], count);
            GR_TRY(raise(t, id, t->symbol[right], count, at));
            t->before[right] = at;
        }
        t->symbol[at] = id;
        t->symbol[next] = -1;
        t->after[at] = right;
    }
    return GR_OK;
}

static gr_status merge(trainer *t, pair *best)
{
    int32_t a = best->a, b = best->b, id;
    uint32_t *place = best->place;
    size_t n_places = best->n_places, index = (size_t)(best - t->pairs);
    best->place = NULL;
    best->n_places = best->place_capacity = 0;
    if (best->unsorted) qsort(place, n_places, sizeof *place, by_place);
    gr_status status = make_token(t, a, b, &id);
    if (status == GR_OK && id >= 0) status = join(t, a, b, id, place, n_places);
    gr__free(place);
    t->pairs[index].count = 0;
    return status == GR_OK ? push_raised(t) : status;
}

static void release(trainer *t)
{
    for (size_t i = 0; i < t->n_pairs; i++) gr__free(t->pairs[i].place);
    gr__free(t->pairs);
    gr__free(t->symbol);
    gr__free(t->before);
    gr__free(t->after);
    gr__free(t->word);
    gr__free(t->heap);
    gr__free(t->raised);
    gr__free(t->start);
    gr__str_release(&t->bytes);
    gr__pair_map_release(&t->pair_of);
    gr__map_release(&t->words);
}

gr_status gr__train_bpe(gr_tokenizer *tok, int32_t vocab_size, int64_t least_count, const gr_text_source *sources,
                        size_t n_sources)
{
    gr_status status = GR_OK;
    trainer t = {.tok = tok};
    gr__trie special = {0};
    for (size_t i = 0; i < tok->n_added; i++) {
        const gr__token *token = &tok->token[tok->added[i].id];
        GR_TRY_DONE(gr__trie_add(&special, token->piece, token->n_piece, 0));
    }
    GR_TRY_DONE(count_sources(&t, &special, sources, n_sources));
    GR_TRY_DONE(note_first_bytes(&t));
    GR_TRY_DONE(lay_out(&t));
    GR_TRY_DONE(push_raised(&t));
    while (tok->n_token < vocab_size) {
        pair *best;
        GR_TRY_DONE(take_best(&t, least_count, &best));
        if (!best) break;
        GR_TRY_DONE(merge(&t, best));
    }
done:
    release(&t);
    gr__trie_release(&special);
    return status;
}
