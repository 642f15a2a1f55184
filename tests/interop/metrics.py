#!/usr/bin/env python3
"""src/metric against scikit-learn, sacrebleu, rouge-score, jiwer and pycocotools, on thousands of random and degenerate
inputs (seeds are fixed). A case is a line of JSON for metrics_main.c; each number must be within 1e-9 * (1 + |theirs|),
and be undefined (NaN) where theirs is."""
import contextlib
import io
import json
import logging
import math
import os
import subprocess
import sys
import warnings

sys.path.append(sys.path.pop(0))
import interop
import jiwer
import numpy as np
import sacrebleu
import sklearn.metrics as sk
from pycocotools import mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from rouge_score import rouge_scorer
from sklearn.calibration import calibration_curve

LIMIT = 1e-9
warnings.filterwarnings("ignore")
logging.getLogger("sacrebleu").setLevel(logging.ERROR)
logging.getLogger("absl").setLevel(logging.ERROR)
rng = np.random.default_rng(20)


def floats(a):
    return [float(v) for v in np.asarray(a, dtype=float).ravel()]


def whole(a):
    return [int(v) for v in np.asarray(a).ravel()]


# ---- classes ------------------------------------------------------------------------------------------------

def pick(k, n):
    """Classes 0 .. k - 1, often with some that never occur."""
    return rng.integers(0, rng.integers(1, k + 1), n)


def confusion(i):
    k, n = int(rng.integers(2, 8)), int(rng.choice([0, 1, 2, 5, 30, 200]))
    actual = pick(k, n)
    predicted = actual if i % 9 == 0 else np.where(rng.random(n) < rng.random(), actual, pick(k, n))
    case = dict(metric="confusion", k=k, actual=whole(actual), predicted=whole(predicted))
    if n == 0:
        return case, {key: math.nan for key in ("accuracy", "balanced", "mcc", "macro_f1", "weighted_precision")}
    want = dict(accuracy=sk.accuracy_score(actual, predicted), balanced=sk.balanced_accuracy_score(actual, predicted),
                mcc=sk.matthews_corrcoef(actual, predicted))
    for average in ("micro", "macro", "weighted"):
        p, r, f, _ = sk.precision_recall_fscore_support(actual, predicted, average=average, zero_division=0)
        want.update({f"{average}_precision": p, f"{average}_recall": r, f"{average}_f1": f})
    p, r, f, _ = sk.precision_recall_fscore_support(actual == 1, predicted == 1, labels=[True], zero_division=0)
    want.update(binary_precision=p[0], binary_recall=r[0], binary_f1=f[0])
    table = sk.confusion_matrix(actual, predicted, labels=range(k))
    want.update({f"c{a}_{b}": table[a, b] for a in range(k) for b in range(k)})
    return case, want


def probability(i):
    k, n, bins = int(rng.integers(1, 7)), int(rng.integers(1, 60)), int(rng.choice([1, 3, 10, 15]))
    logits = rng.normal(size=(n, max(k, 2))) * rng.choice([0.1, 1, 5, 40])
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    if i % 4 == 0:  # ties, zeros and ones; the edges of bins
        p = rng.multinomial(10, np.full(max(k, 2), 1 / max(k, 2)), n) / 10
    actual = pick(max(k, 2), n)
    top = int(rng.integers(1, k + 1))
    case = dict(metric="probability", k=k, top=top, bins=bins, actual=whole(actual))
    labels = range(max(k, 2))
    if k == 1:
        case["p"] = floats(p[:, 1])
        confidence, right = p[:, 1], actual == 1
        hits = np.mean((p[:, 1] > 0.5) == right)
        brier = sk.brier_score_loss(actual, p[:, 1], pos_label=1)
    else:
        case["p"] = floats(p)
        confidence, right = p.max(1), p.argmax(1) == actual
        brier = sk.brier_score_loss(actual, p, labels=labels)
        order = np.argsort(p, axis=1, kind="mergesort")[:, ::-1]
        hits = sk.top_k_accuracy_score(actual, p, k=top, labels=labels) if k > 2 else \
            np.mean((order[:, :top] == actual[:, None]).any(1))
    want = dict(log_loss=sk.log_loss(actual, y_proba=p[:, 1] if k == 1 else p, labels=labels), brier=brier, top_k=hits)
    inner = np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], confidence)
    gaps = 0
    for b in range(bins):
        inside = inner == b
        if inside.any():
            want[f"confidence{b}"], want[f"right{b}"] = confidence[inside].mean(), right[inside].mean()
            gaps += abs(confidence[inside].mean() - right[inside].mean()) * inside.mean()
    want["ece"] = gaps
    if k == 1 and len(set(whole(right))) == 2:
        true, mean = calibration_curve(right, confidence, n_bins=bins)
        filled = sorted(set(whole(inner)))
        want.update({f"right{b}": true[j] for j, b in enumerate(filled)})
        want.update({f"confidence{b}": mean[j] for j, b in enumerate(filled)})
    return case, want


# ---- scores -------------------------------------------------------------------------------------------------

def curve(i):
    n = int(rng.choice([1, 2, 3, 10, 100]))
    score = [rng.normal(size=n), rng.integers(0, 4, n) / 4, np.zeros(n)][i % 3 if i % 11 else 2]
    actual = (rng.random(n) < rng.choice([0, 0.05, 0.5, 1])).astype(int)
    case = dict(metric="curve", score=floats(score), actual=whole(actual))
    want = dict(auc=sk.roc_auc_score(actual, score) if len(set(actual)) == 2 else math.nan,
                ap=sk.average_precision_score(actual, score))
    _, fps, _, tps, thresholds = sk._ranking.confusion_matrix_at_thresholds(actual, score, pos_label=1)
    for j, (t, a, b) in enumerate(zip(thresholds, tps, fps)):
        want.update({f"t{j}": t, f"tp{j}": a, f"fp{j}": b})
    goals = {"f1": math.nan, "precision": math.nan, "recall": math.nan}
    if actual.sum():
        p, r = tps / (tps + fps), tps / actual.sum()
        goals["f1"] = np.max(2 * tps / (tps + fps + actual.sum()))
        goals["precision"] = r[p >= 0.6].max() if (p >= 0.6).any() else math.nan
        goals["recall"] = p[r >= 0.6].max()
    want.update({f"best_{k}": v for k, v in goals.items()})
    return case, want


def curve_set(i):
    k, n = int(rng.integers(3, 6)), int(rng.integers(6, 60))
    p = rng.dirichlet(np.ones(k), n) if i % 2 else rng.multinomial(5, np.full(k, 1 / k), n) / 5
    actual = pick(k, n)
    if i % 3:
        actual[:k] = range(k)
    case = dict(metric="curve_set", k=k, score=floats(p), actual=whole(actual))
    hot = np.eye(k, dtype=int)[actual]
    want = dict(ap_macro=sk.average_precision_score(hot, p, average="macro"),
                ap_weighted=sk.average_precision_score(hot, p, average="weighted"))
    for average in ("macro", "weighted"):
        try:
            want["auc_" + average] = sk.roc_auc_score(actual, p, multi_class="ovr", average=average, labels=range(k))
        except ValueError:
            want["auc_" + average] = math.nan
    return case, want


# ---- numbers ------------------------------------------------------------------------------------------------

def regression(i):
    n = int(rng.choice([1, 2, 3, 10, 500]))
    # far from 0 with a small spread, scikit-learn's own rounding is beyond the limit
    scale, centre = [(1e-3, 0), (1e-3, 1), (1, 0), (1, 100), (1e6, 1e4)][rng.integers(5)]
    actual = rng.normal(size=n) * scale + centre
    predicted = actual + rng.normal(size=n) * rng.choice([0.1, 10])
    if i % 5 == 0:
        actual = np.full(n, float(rng.integers(-3, 4)))
        predicted = actual if i % 10 else rng.integers(-3, 4, n).astype(float)
    if i % 7 == 0:
        predicted = actual
    case = dict(metric="regression", actual=floats(actual), predicted=floats(predicted))
    mse = sk.mean_squared_error(actual, predicted)
    return case, dict(mse=mse, rmse=math.sqrt(mse), mae=sk.mean_absolute_error(actual, predicted),
                      median=sk.median_absolute_error(actual, predicted), r2=sk.r2_score(actual, predicted),
                      mape=sk.mean_absolute_percentage_error(actual, predicted),
                      explained=sk.explained_variance_score(actual, predicted))


# ---- texts --------------------------------------------------------------------------------------------------

WORDS = ("the cat sat on a mat with 3.14 and 1,000 dogs -- don't U.S.A. e-mail x-1 2-3 \"quoted\" (so) &amp; &lt;b&gt; "
         "<skipped> end. 你好,世界! 。「猫」坐在垫子上 ２０ 𠀀 —“a”… é naïve Straße \u212a İx "
         "\u00a0 \u3000 A_b c/d 50% $5 . , ..").split(" ")


def sentence(most=12):
    words = list(rng.choice(WORDS, rng.integers(0, most)))
    if rng.random() < 0.1:
        words.append(rng.choice(["\n", "co-\n", "\t", "a,\n", "\u2028", "&quot;"]))
    return rng.choice(["", " "]).join(words) if rng.random() < 0.2 else " ".join(words)


def varied(text):
    words = text.split(" ")
    for _ in range(int(rng.integers(0, 4))):
        at = int(rng.integers(0, len(words) + 1))
        words[at:at + int(rng.integers(0, 3))] = list(rng.choice(WORDS, rng.integers(0, 3)))
    return " ".join(words)


def bleu(i):
    words, smoothing = ("13a", "zh", "none")[i % 3], ("exp", "floor", "none")[i // 3 % 3]
    n, n_references = int(rng.integers(1, 5)), int(rng.integers(1, 4))
    hypotheses = [sentence() for _ in range(n)]
    references = [[varied(h) if rng.random() < 0.8 else sentence() for _ in range(n_references)] for h in hypotheses]
    case = dict(metric="bleu", words=i % 3, smoothing=i // 3 % 3, hypotheses=hypotheses, references=references)
    options = dict(tokenize=words, smooth_method=smoothing, force=True)
    corpus = sacrebleu.BLEU(**options).corpus_score(hypotheses, [list(r) for r in zip(*references)])
    one = sacrebleu.BLEU(**options, effective_order=True)
    want = dict(corpus=corpus.score, words=corpus.sys_len, reference_words=corpus.ref_len)
    want.update({f"s{j}": one.sentence_score(h, r).score for j, (h, r) in enumerate(zip(hypotheses, references))})
    return case, want


rouge_of = rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeL"])


def rouge(i):
    reference = sentence(20)
    prediction = varied(reference) if i % 5 else sentence(20)
    want = {}
    for name, s in rouge_of.score(reference, prediction).items():
        want.update({key + name[5:]: v for key, v in zip("prf", (s.precision, s.recall, s.fmeasure))})
    return dict(metric="rouge", reference=reference, prediction=prediction), want


def edits(i):
    n = int(rng.integers(1, 4))

    def plain():
        return " ".join(rng.choice(["a", "b", "cat", "dog", "你好", "é", "naïve"], rng.integers(0, 9)))
    references = [plain() if i % 6 else "" for _ in range(n)]
    hypotheses = [plain() if rng.random() < 0.5 else " " + r.replace("cat", "cut a") for r in references]
    return (dict(metric="edits", references=references, hypotheses=hypotheses),
            dict(wer=jiwer.wer(references, hypotheses), cer=jiwer.cer(references, hypotheses)))


# ---- boxes --------------------------------------------------------------------------------------------------

def boxes(n, grid):
    b = np.concatenate([rng.integers(0, 20, (n, 2)), rng.integers(0 if grid else 1, 12, (n, 2))], 1).astype(float)
    return b if grid else b + rng.random((n, 4))


def iou(i):
    a, b = boxes(int(rng.integers(1, 6)), i % 2), boxes(int(rng.integers(1, 6)), i % 2)
    crowd = rng.integers(0, 2, len(b))
    got = mask.iou(a, b, whole(crowd))
    return (dict(metric="iou", a=floats(a), b=floats(b), crowd=whole(crowd)),
            {f"o{j}": v for j, v in enumerate(np.asarray(got).ravel())})


def voc(evaluation, sample):
    """Mean over categories from pycocotools' matches at IoU .5."""
    values = []
    e, images = evaluation.evalImgs, len(evaluation.params.imgIds)
    areas = len(evaluation.params.areaRng)
    for k in range(len(evaluation.params.catIds)):
        per = [x for x in e[k * areas * images:k * areas * images + images] if x]
        positives = sum(int((np.asarray(x["gtIgnore"]) == 0).sum()) for x in per)
        if not positives:
            continue
        scores = np.concatenate([x["dtScores"] for x in per]) if per else np.zeros(0)
        order = np.argsort(-scores, kind="mergesort")
        match = np.concatenate([x["dtMatches"][0] for x in per])[order] > 0
        keep = ~np.concatenate([x["dtIgnore"][0] for x in per])[order].astype(bool)
        tp, fp = np.cumsum(match & keep), np.cumsum(~match & keep)
        recall, precision = tp / positives, tp / (tp + fp + np.spacing(1))
        precision = np.maximum.accumulate(precision[::-1])[::-1]
        values.append(sample(recall, precision))
    return np.mean(values) if values else math.nan


def eleven(recall, precision):
    total = 0
    for j in range(11):
        t = 1 if j == 10 else j * 0.1
        total += precision[recall >= t].max() if (recall >= t).any() else 0
    return total / 11


def detection(i):
    images, k, ground, found = int(rng.integers(1, 5)), int(rng.integers(1, 4)), [], []
    for image in range(images):
        own = boxes(int(rng.integers(0, 7)), i % 2) if i % 13 else boxes(0, 1)
        for b in own:
            ground.append([image, int(rng.integers(0, k)), *b, int(rng.random() < 0.15), int(rng.random() < 0.1)])
        n = 130 if i % 17 == 0 else int(rng.integers(0, 10))
        for b in boxes(n, i % 2):
            if len(own) and rng.random() < 0.7:
                b = np.maximum(own[rng.integers(len(own))] + rng.normal(size=4) * rng.choice([0, 0.3, 1.5]), 0)
            score = rng.random() if i % 3 else rng.integers(1, 4) / 4
            found.append([image, int(rng.integers(0, k)), *b, float(score)])
    case = dict(metric="detection", images=images, k=k, truth=floats(ground), found=floats(found))
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = dict(
            images=[dict(id=j) for j in range(images)], categories=[dict(id=j) for j in range(k)],
            annotations=[dict(id=j + 1, image_id=g[0], category_id=g[1], bbox=g[2:6], iscrowd=g[6],
                              area=1e11 if g[7] else g[4] * g[5]) for j, g in enumerate(ground)])
        coco.createIndex()
        results = [dict(image_id=f[0], category_id=f[1], bbox=[float(v) for v in f[2:6]], score=f[6]) for f in found]
        evaluation = COCOeval(coco, coco.loadRes(results) if results else COCO(), "bbox")
        if not results:
            evaluation.cocoDt.dataset = dict(images=coco.dataset["images"], categories=coco.dataset["categories"],
                                             annotations=[])
            evaluation.cocoDt.createIndex()
        evaluation.params.imgIds, evaluation.params.catIds = list(range(images)), list(range(k))
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"][:, :, :, 0, 2]  # overlap, recall, category; all areas, 100 detections
    recall = evaluation.eval["recall"][:, :, 0, 2]

    def mean(v):
        return v[v > -1].mean() if (v > -1).any() else math.nan
    want = dict(ap=mean(precision), ap50=mean(precision[0]), ap75=mean(precision[5]), recall=mean(recall),
                voc11=voc(evaluation, eleven),
                voc_area=voc(evaluation, lambda r, p: (np.diff(r, prepend=0) * p).sum()))
    want.update({f"ap_{c}": mean(precision[:, :, c]) for c in range(k)})
    return case, want


# ---- recommendations and clusters ---------------------------------------------------------------------------

def ranking(i):
    queries, n = int(rng.integers(1, 5)), int(rng.integers(2, 20))
    k = int(rng.integers(1, 25))
    score = rng.normal(size=(queries, n)) if i % 2 else rng.integers(0, 4, (queries, n)).astype(float)
    relevance = rng.integers(0, 4, (queries, n)) * (rng.random((queries, n)) < rng.choice([0, 0.2, 0.8]))
    sums = np.zeros(5)
    for s, r in zip(score, relevance):
        order = np.argsort(-s, kind="mergesort")[:k]
        hits, every = r[order] > 0, int((r > 0).sum())
        if not every:
            continue
        first = np.flatnonzero(hits)
        at = np.cumsum(hits) / (np.arange(len(hits)) + 1)
        own = (at * hits).sum() / min(every, k)
        if k >= n and len(set(s)) == n:  # the whole list without ties: that is average precision
            own = sk.average_precision_score(r > 0, s)
        sums += [hits.sum() / k, hits.sum() / every, len(first) > 0, 1 / (first[0] + 1) if len(first) else 0, own]
    want = dict(zip(("precision", "recall", "hit", "mrr", "map"), sums / queries))
    want["ndcg"] = sk.ndcg_score(relevance, score, k=k)
    return dict(metric="ranking", n=n, k=k, score=floats(score), relevance=floats(relevance)), want


def clusters(i):
    n = int(rng.choice([0, 1, 2, 10, 200]))
    a = pick(int(rng.integers(1, 8)), n)
    b = (a * 3 + 1) % 5 if i % 4 == 0 else np.where(rng.random(n) < 0.6, a, pick(6, n)) - 2
    if i % 9 == 0:
        b = np.arange(n)
    return (dict(metric="clusters", a=whole(a), b=whole(b)),
            dict(ari=sk.adjusted_rand_score(a, b), nmi=sk.normalized_mutual_info_score(a, b)))


def silhouette(i):
    n, d = int(rng.integers(2, 40)), int(rng.integers(1, 5))
    x = rng.normal(size=(n, d)) if i % 2 else rng.integers(0, 3, (n, d)).astype(float)
    label = pick(6, n)
    case = dict(metric="silhouette", x=floats(x), label=whole(label))
    try:
        each = sk.silhouette_samples(x, label)
    except ValueError:
        return case, dict(error="data")
    return case, dict(mean=each.mean(), **{f"s{j}": v for j, v in enumerate(each)})


def bootstrap(i):
    """Percentiles of the resamples that Gradus took: 'judge' looks at them."""
    n = int(rng.integers(1, 40))
    return dict(metric="bootstrap", a=floats(rng.normal(size=n) + 0.2), b=floats(rng.normal(size=n)), seed=i,
                resamples=int(rng.integers(2, 300)), level=float(rng.choice([0.5, 0.9, 0.95]))), {}


# ---- bad numbers --------------------------------------------------------------------------------------------

def refused(i):
    bad = [math.nan, 2.0][i % 2]
    case = [dict(metric="curve", score=[0.5, math.nan], actual=[0, 1]),
            dict(metric="regression", actual=[1.0, math.nan], predicted=[1.0, 1.0]),
            dict(metric="probability", k=1, top=1, bins=5, p=[0.1, bad], actual=[0, 1]),
            dict(metric="ranking", n=2, k=1, score=[1.0, math.nan], relevance=[1.0, 0.0]),
            dict(metric="silhouette", x=[1.0, math.nan, 2.0], label=[0, 1, 1]),
            dict(metric="confusion", k=2, actual=[0, 2], predicted=[0, 0]),
            dict(metric="detection", images=1, k=1, truth=[], found=[0, 0, 0, 0, 1, 1, math.nan])][i % 7]
    return case, dict(error="data")


# ---- judging ------------------------------------------------------------------------------------------------

def ask(cases):
    text = "".join(json.dumps(c).replace("NaN", "null") + "\n" for c in cases)
    done = subprocess.run([os.environ["GRADUS_METRICS"]], input=text.encode(), capture_output=True, check=True)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    if len(answers) != len(cases):
        raise interop.Refused(f"{len(answers)} answers to {len(cases)} cases")
    return answers


def distance(got, want):
    if isinstance(want, str):
        return 0.0 if got == want else math.inf
    if got is None or want is None or math.isnan(want):
        return 0.0 if got is None and (want is None or math.isnan(want)) else math.inf
    return abs(got - want) / (1 + abs(want))


def percentiles(case, got):
    d = [got.pop(f"d{j}") for j in range(case["resamples"])]
    edges = np.percentile(d, [50 * (1 - case["level"]), 50 * (1 + case["level"])])
    return dict(value=np.mean(case["a"]) - np.mean(case["b"]), low=edges[0], high=edges[1],
                above_zero=np.mean(np.array(d) > 0))


def compare(name, make, times):
    pairs = [make(i) for i in range(times)]
    worst, worst_at, numbers = 0.0, "", 0
    for (case, want), got in zip(pairs, ask([c for c, _ in pairs])):
        if case["metric"] == "bootstrap":
            want = percentiles(case, got)
        for key, value in want.items():
            d = distance(got.get(key), value)
            numbers += 1
            if d > worst:
                worst, worst_at = d, f"{key}: {got.get(key, got.get('error'))} instead of {value} in {json.dumps(case)}"
    text = f"{times} cases, {numbers} numbers, at most {worst:.1e} apart"
    if worst <= LIMIT:
        interop.line("ok", name, text)
    else:
        interop.line("FAILED", name, f"{text}; {worst_at[:1500]}")


GROUPS = ((confusion, 1500), (probability, 1000), (curve, 1500), (curve_set, 400), (regression, 1000), (bleu, 3000),
          (rouge, 2000), (edits, 1500), (iou, 500), (detection, 600), (ranking, 1000), (clusters, 1000),
          (silhouette, 500), (bootstrap, 100), (refused, 28))

if __name__ == "__main__":
    for group, count in GROUPS:
        interop.attempt(f"metrics: {group.__name__}", compare, group, count)
    sys.exit(interop.end())
