/* Average precision of detected boxes, as COCO counts it. Each image is matched when it comes: what stays of a detection
 * is its score and, for each of ten overlaps, one bit "right" and one bit "does not count". */
#include "gradus/metric.h"

#include "base/limits.h"
#include "metric/order.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { OVERLAPS = 10, MOST_FOUND = 100, POINTS = 101, NOBODY = -1 };

typedef struct fate {
    double score;
    uint16_t right, ignored; /* bit t: at overlap t */
} fate;

typedef struct kind {
    fate *fate;
    size_t n, capacity;
    int64_t objects; /* that count */
} kind;

struct gr_detections {
    int32_t k;
    kind *of;
};

gr_status gr_detections_new(int32_t n_categories, gr_detections **out)
{
    GR_FAIL_IF(!out, GR_ERR_ARGUMENT, "gr_detections_new: an argument is NULL");
    *out = NULL;
    GR_FAIL_IF(n_categories < 1, GR_ERR_ARGUMENT, "detections of %d categories", (int)n_categories);
    GR_FAIL_IF(n_categories > GR__LIMIT_CLASSES, GR_ERR_LIMIT, "detections have at most %d categories, not %d",
               GR__LIMIT_CLASSES, (int)n_categories);
    gr_detections *d = gr__calloc(1, sizeof *d);
    if (d) d->of = gr__calloc((size_t)n_categories, sizeof *d->of);
    if (!d || !d->of) {
        gr_detections_free(&d);
        return gr__fail_memory("scores of detections", (size_t)n_categories * sizeof(kind));
    }
    d->k = n_categories;
    *out = d;
    return GR_OK;
}

void gr_detections_free(gr_detections **d)
{
    if (!d || !*d) return;
    for (int32_t k = 0; k < (*d)->k; k++) gr__free((*d)->of[k].fate);
    gr__free((*d)->of);
    gr__free(*d);
    *d = NULL;
}

/* ---- one image ---- */

/* What there is of one category in one image: objects that count first, detections by falling score. */
typedef struct scene {
    gr_box *truth, *found; /* (n_truth), (n_found) */
    bool *crowd, *ignore;  /* (n_truth) */
    bool *many;            /* (n_truth): more than one detection may have it */
    double *score;         /* (n_found) */
    double *iou;           /* (n_found, n_truth) */
    size_t *order;
    int64_t *owner; /* (n_truth): the detection that has it */
    size_t n_truth, n_found;
} scene;

static void scene_release(scene *s)
{
    void *const block[] = {s->truth, s->found, s->crowd, s->ignore, s->many, s->score, s->iou, s->order, s->owner};
    for (size_t i = 0; i < GR__COUNT(block); i++) gr__free(block[i]);
}

static gr_status scene_init(scene *s, size_t n_truth, size_t n_found)
{
    size_t most = GR__MIN(n_found, (size_t)MOST_FOUND), pairs;
    *s = (scene){.truth = gr__calloc(n_truth, sizeof *s->truth),
                 .found = gr__calloc(n_found, sizeof *s->found),
                 .crowd = gr__calloc(n_truth, sizeof *s->crowd),
                 .ignore = gr__calloc(n_truth, sizeof *s->ignore),
                 .many = gr__calloc(n_truth, sizeof *s->many),
                 .score = gr__calloc(n_found, sizeof *s->score),
                 .iou = gr__mul_size(most, n_truth, &pairs) ? gr__calloc(pairs, sizeof *s->iou) : NULL,
                 .order = gr__calloc(n_found, sizeof *s->order),
                 .owner = gr__calloc(n_truth, sizeof *s->owner)};
    bool whole = s->truth && s->found && s->crowd && s->ignore && s->many && s->score && s->iou && s->order && s->owner;
    return whole ? GR_OK : gr__fail_memory("the boxes of an image", n_truth * n_found * sizeof(double));
}

static gr_status scene_fill(scene *s, int32_t k, const gr_truth *truth, size_t n_truth, const gr_detection *found,
                            size_t n_found)
{
    s->n_truth = s->n_found = 0;
    for (int ignored = 0; ignored < 2; ignored++)
        for (size_t i = 0; i < n_truth; i++) {
            bool many = truth[i].crowd || truth[i].difficult;
            if (truth[i].category != k || (many || truth[i].ignore) != (ignored == 1)) continue;
            s->truth[s->n_truth] = truth[i].box;
            s->crowd[s->n_truth] = truth[i].crowd;
            s->many[s->n_truth] = many;
            s->ignore[s->n_truth++] = ignored == 1;
        }
    for (size_t i = 0; i < n_found; i++)
        if (found[i].category == k) s->score[s->n_found++] = found[i].score;
    GR_TRY(gr__order(s->score, s->n_found, true, s->order));
    /* order -> index in 'found', through the list of those of this category */
    size_t n = 0, kept = GR__MIN(s->n_found, (size_t)MOST_FOUND);
    for (size_t i = 0; i < n_found; i++) {
        if (found[i].category != k) continue;
        for (size_t r = 0; r < kept; r++)
            if (s->order[r] == n) {
                s->found[r] = found[i].box;
                s->score[r] = found[i].score;
            }
        n++;
    }
    s->n_found = kept;
    gr_box_iou(s->found, s->n_found, s->truth, s->n_truth, s->crowd, s->iou);
    return GR_OK;
}

/* The object that detection f gets at an overlap of at least 'least': the one it overlaps most, the last among equals;
 * one that counts before any that does not. */
static int64_t choose(const scene *s, size_t f, double least)
{
    int64_t best = NOBODY;
    double overlap = fmin(least, 1 - 1e-10);
    for (size_t i = 0; i < s->n_truth; i++) {
        double own = s->iou[f * s->n_truth + i];
        if (s->owner[i] != NOBODY && !s->many[i]) continue;
        if (best != NOBODY && !s->ignore[best] && s->ignore[i]) break;
        if (own < overlap) continue;
        overlap = own;
        best = (int64_t)i;
    }
    return best;
}

static double overlap_at(int t) { return t == OVERLAPS - 1 ? 0.95 : 0.5 + t * ((0.95 - 0.5) / (OVERLAPS - 1)); }

static gr_status match(scene *s, kind *c)
{
    GR_TRY(gr__grow(&c->fate, sizeof *c->fate, c->n + s->n_found, &c->capacity));
    fate *fates = c->fate + c->n;
    for (size_t f = 0; f < s->n_found; f++) fates[f] = (fate){.score = s->score[f]};
    for (int t = 0; t < OVERLAPS; t++) {
        for (size_t i = 0; i < s->n_truth; i++) s->owner[i] = NOBODY;
        for (size_t f = 0; f < s->n_found; f++) {
            int64_t i = choose(s, f, overlap_at(t));
            if (i == NOBODY) continue;
            s->owner[i] = (int64_t)f;
            uint16_t *bits = s->ignore[i] ? &fates[f].ignored : &fates[f].right;
            *bits = (uint16_t)(*bits | 1u << t);
        }
    }
    for (size_t i = 0; i < s->n_truth; i++) c->objects += !s->ignore[i];
    c->n += s->n_found;
    return GR_OK;
}

static gr_status check_box(const gr_box *b, int32_t k, int32_t most, const char *what, size_t i)
{
    GR_FAIL_IF(k < 0 || k >= most, GR_ERR_DATA, "%s %zu: category %d, but categories are 0 to %d", what, i, (int)k,
               (int)most - 1);
    GR_FAIL_IF(!isfinite(b->x) || !isfinite(b->y) || !(b->width >= 0) || !(b->height >= 0) || !isfinite(b->width) ||
                   !isfinite(b->height),
               GR_ERR_DATA, "%s %zu: no box: x %g, y %g, width %g, height %g", what, i, b->x, b->y, b->width,
               b->height);
    return GR_OK;
}

gr_status gr_detections_update(gr_detections *d, const gr_truth *truth, size_t n_truth, const gr_detection *found,
                               size_t n_found)
{
    GR_FAIL_IF(!d || (n_truth && !truth) || (n_found && !found), GR_ERR_ARGUMENT,
               "gr_detections_update: an argument is NULL");
    for (size_t i = 0; i < n_truth; i++) GR_TRY(check_box(&truth[i].box, truth[i].category, d->k, "object", i));
    for (size_t i = 0; i < n_found; i++) {
        GR_TRY(check_box(&found[i].box, found[i].category, d->k, "detection", i));
        GR_FAIL_IF(!isfinite(found[i].score), GR_ERR_DATA, "detection %zu: the score is %g", i, found[i].score);
    }
    scene s;
    gr_status status = scene_init(&s, n_truth, n_found);
    for (int32_t k = 0; k < d->k && status == GR_OK; k++) {
        status = scene_fill(&s, k, truth, n_truth, found, n_found);
        if (status == GR_OK) status = match(&s, &d->of[k]);
    }
    scene_release(&s);
    return status;
}

gr_status gr_detections_merge(gr_detections *d, const gr_detections *other)
{
    GR_FAIL_IF(!d || !other, GR_ERR_ARGUMENT, "gr_detections_merge: an argument is NULL");
    GR_FAIL_IF(d->k != other->k, GR_ERR_SHAPE, "detections of %d and %d categories do not add up", (int)d->k,
               (int)other->k);
    for (int32_t k = 0; k < d->k; k++) {
        kind *to = &d->of[k];
        const kind *from = &other->of[k];
        GR_TRY(gr__grow(&to->fate, sizeof *to->fate, to->n + from->n, &to->capacity));
        if (from->n) memcpy(to->fate + to->n, from->fate, from->n * sizeof *from->fate);
        to->n += from->n;
        to->objects += from->objects;
    }
    return GR_OK;
}

/* ---- precision over recall ---- */

/* recall, precision (n): precision becomes the largest at this recall or beyond. Returns the number of points. */
static size_t envelope(const kind *c, const size_t *order, int t, double *recall, double *precision)
{
    double right = 0, wrong = 0;
    for (size_t i = 0; i < c->n; i++) {
        const fate *f = &c->fate[order[i]];
        bool ignored = f->ignored >> t & 1, hit = f->right >> t & 1;
        right += hit && !ignored;
        wrong += !hit && !ignored;
        recall[i] = right / (double)c->objects;
        precision[i] = right / (right + wrong + DBL_EPSILON);
    }
    for (size_t i = c->n; i-- > 1;) precision[i - 1] = fmax(precision[i - 1], precision[i]);
    return c->n;
}

/* Mean precision at 'points' recalls from 0 to 1; 0 where a recall is not reached. */
static double sampled(const double *recall, const double *precision, size_t n, int points)
{
    double sum = 0;
    size_t at = 0;
    for (int p = 0; p < points; p++) {
        double wanted = p == points - 1 ? 1 : p * (1.0 / (points - 1));
        while (at < n && recall[at] < wanted) at++;
        if (at < n) sum += precision[at];
    }
    return sum / points;
}

static double area(const double *recall, const double *precision, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (recall[i] - (i ? recall[i - 1] : 0)) * precision[i];
    return sum;
}

static gr_status score_category(const kind *c, gr_detection_scores *sum)
{
    gr_status status = GR_OK;
    double *key = gr__calloc(c->n, sizeof *key), *recall = gr__calloc(c->n, sizeof *recall);
    double *precision = gr__calloc(c->n, sizeof *precision);
    size_t *order = gr__calloc(c->n, sizeof *order);
    if (!key || !recall || !precision || !order) {
        status = gr__fail_memory("the curve of a category", c->n * 4 * sizeof *key);
        goto done;
    }
    for (size_t i = 0; i < c->n; i++) key[i] = c->fate[i].score;
    GR_TRY_DONE(gr__order(key, c->n, true, order));
    for (int t = 0; t < OVERLAPS; t++) {
        size_t n = envelope(c, order, t, recall, precision);
        double ap = sampled(recall, precision, n, POINTS);
        sum->ap += ap / OVERLAPS;
        sum->recall += n ? recall[n - 1] / OVERLAPS : 0;
        if (t == 5) sum->ap75 += ap;
        if (t != 0) continue;
        sum->ap50 += ap;
        sum->voc11 += sampled(recall, precision, n, 11);
        sum->voc_area += area(recall, precision, n);
    }
done:
    gr__free(key);
    gr__free(recall);
    gr__free(precision);
    gr__free(order);
    return status;
}

gr_status gr_detections_result(const gr_detections *d, int32_t category, gr_detection_scores *out)
{
    GR_FAIL_IF(!d || !out, GR_ERR_ARGUMENT, "gr_detections_result: an argument is NULL");
    *out = (gr_detection_scores){NAN, NAN, NAN, NAN, NAN, NAN, "there are no objects"};
    GR_FAIL_IF(category >= d->k, GR_ERR_ARGUMENT, "category %d, but categories are 0 to %d", (int)category,
               (int)d->k - 1);
    gr_detection_scores sum = {0};
    double n = 0;
    for (int32_t k = 0; k < d->k; k++) {
        if (d->of[k].objects == 0 || (category >= 0 && k != category)) continue;
        GR_TRY(score_category(&d->of[k], &sum));
        n++;
    }
    if (n > 0)
        *out = (gr_detection_scores){sum.ap / n,    sum.ap50 / n,     sum.ap75 / n, sum.recall / n,
                                     sum.voc11 / n, sum.voc_area / n, NULL};
    return GR_OK;
}
