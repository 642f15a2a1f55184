#include "metric/order.h"

#include "base/spill.h"

#include <string.h>

/* Merge sort from runs of 1 upwards: from -> to and back, the result in 'index'. */
gr_status gr__order(const double *key, size_t n, bool descending, size_t *index)
{
    for (size_t i = 0; i < n; i++) index[i] = i;
    if (n < 2) return GR_OK;
    size_t bytes;
    size_t *spare = gr__mul_size(n, sizeof *spare, &bytes) ? gr__alloc(bytes) : NULL;
    if (!spare) return gr__fail_memory("the order of values", n * sizeof *spare);
    size_t *from = index, *to = spare;
    double sign = descending ? -1 : 1;
    for (size_t run = 1; run < n; run *= 2) {
        for (size_t start = 0; start < n; start += 2 * run) {
            size_t a = start, a_end = GR__MIN(start + run, n), b = a_end, b_end = GR__MIN(start + 2 * run, n);
            for (size_t k = start; k < b_end; k++) {
                bool first = a < a_end && (b == b_end || sign * key[from[a]] <= sign * key[from[b]]);
                to[k] = from[first ? a++ : b++];
            }
        }
        size_t *swap = from;
        from = to;
        to = swap;
    }
    if (from != index) memcpy(index, from, n * sizeof *index);
    gr__free(spare);
    return GR_OK;
}

gr_status gr__sort(double *value, size_t n)
{
    if (n < 2) return GR_OK;
    double *spare = gr__spill_new(n, sizeof *spare), *from = value, *to = spare;
    if (!spare) return gr__fail_memory("sorted values", n * sizeof *spare);
    for (size_t run = 1; run < n; run *= 2) {
        for (size_t start = 0; start < n; start += 2 * run) {
            size_t a = start, a_end = GR__MIN(start + run, n), b = a_end, b_end = GR__MIN(start + 2 * run, n);
            for (size_t k = start; k < b_end; k++)
                to[k] = a < a_end && (b == b_end || from[a] <= from[b]) ? from[a++] : from[b++];
        }
        double *swap = from;
        from = to;
        to = swap;
    }
    if (from != value) memcpy(value, from, n * sizeof *value);
    gr__spill_free(spare);
    return GR_OK;
}

double gr__percentile(const double *sorted, size_t n, double share)
{
    double at = share * (double)(n - 1);
    size_t i = GR__MIN((size_t)at, n - 1), next = GR__MIN(i + 1, n - 1);
    if (sorted[i] == sorted[next]) return sorted[i]; /* infinity too */
    return sorted[i] + (at - (double)i) * (sorted[next] - sorted[i]);
}
