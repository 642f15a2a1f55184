/* Finding added tokens in a text: leftmost first, the longest of those that start there. */
#include "text/tokenizer_int.h"

gr_status gr__trie_add(gr__trie *trie, const char *text, size_t n, uint32_t index)
{
    uint32_t node = 0;
    if (n > 0) trie->first[(unsigned char)text[0]] = true;
    for (size_t i = 0; i < n; i++) {
        uint64_t key = gr__pair(node, (unsigned char)text[i]);
        const uint64_t *next = gr__pair_map_get(&trie->edge, key);
        if (next) {
            node = (uint32_t)*next;
            continue;
        }
        GR_FAIL_IF(trie->n_nodes >= UINT32_MAX - 1, GR_ERR_LIMIT, "the added tokens are too long");
        node = ++trie->n_nodes;
        GR_TRY(gr__pair_map_set(&trie->edge, key, node));
    }
    return gr__pair_map_set(&trie->leaf, node, index);
}

bool gr__trie_find(const gr__trie *trie, const char *text, size_t n, size_t from, size_t *start, size_t *end,
                   uint32_t *index)
{
    if (trie->leaf.count == 0) return false;
    for (size_t at = from; at < n; at++) {
        if (GR__LIKELY(!trie->first[(unsigned char)text[at]])) continue;
        uint64_t node = 0;
        bool found = false;
        for (size_t i = at; i < n; i++) {
            const uint64_t *next = gr__pair_map_get(&trie->edge, gr__pair((uint32_t)node, (unsigned char)text[i]));
            if (!next) break;
            node = *next;
            const uint64_t *leaf = gr__pair_map_get(&trie->leaf, node);
            if (!leaf) continue;
            found = true;
            *start = at;
            *end = i + 1;
            *index = (uint32_t)*leaf;
        }
        if (found) return true;
    }
    return false;
}

void gr__trie_release(gr__trie *trie)
{
    gr__pair_map_release(&trie->edge);
    gr__pair_map_release(&trie->leaf);
}
