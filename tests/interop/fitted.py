#!/usr/bin/env python3
"""k-means and principal components against scikit-learn, on random rows (seeds are fixed) as CSV files whose columns stay as
they are. k-means: scikit-learn's Lloyd, begun at our centres, must rest there and say the same cluster of every row, and its own
ten starts must not be better by more than 1 %. PCA: components, variances and what is said of rows, with whitening too."""
import csv
import pathlib
import sys
import tempfile

sys.path.append(sys.path.pop(0))
import interop
import numpy as np
from safetensors.numpy import load_file
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA

LIMIT = 1e-5
rng = np.random.default_rng(31)
AS_IS = ["data.valid=0", "data.all={scale: none, clip: 0}", "data.header=yes"]


def train(work, x, model):
    """-> tensors of the model, what it says of the rows."""
    path = work / "rows.csv"
    with open(path, "w", newline="") as f:
        out = csv.writer(f)
        out.writerow([f"c{i}" for i in range(x.shape[1])])
        out.writerows([[repr(float(v)) for v in row] for row in x])
    folder = interop.train(path, work / "run", f"model={model}", *AS_IS, "--fresh")
    return load_file(folder / "model.safetensors"), interop.predict_rows(folder, path)


def far(a, b):
    return float(np.abs(np.asarray(a, float) - b).max() / max(np.abs(b).max(), 1e-30))


def judge(name, worst, limit=LIMIT):
    interop.line("ok" if worst <= limit else "FAILED", name, f"{worst:.1e}")


def kmeans(name, work, n, width, k, spread):
    x = (rng.normal(size=(k, width)) * spread)[rng.integers(0, k, n)] + rng.normal(size=(n, width))
    x = x.astype(np.float32)
    ours, said = train(work, x, f"{{type: kmeans, clusters: {k}, tolerance: 0}}")
    x = x.astype(np.float64)
    theirs = KMeans(k, init=ours["centres"].astype(float), n_init=1, tol=0, algorithm="lloyd").fit(x)
    other = np.mean(theirs.labels_ != [int(r["cluster"]) for r in said])
    judge(name, max(far(ours["centres"], theirs.cluster_centers_), other))
    inertia = sum(float(r["distance"]) ** 2 for r in said)
    judge(f"{name}: the sum", max(0, inertia / KMeans(k, n_init=10, random_state=0, tol=0).fit(x).inertia_ - 1), 0.01)


def pca(name, work, n, width, k, white):
    x = (rng.normal(size=(n, width)) @ rng.normal(size=(width, width)) + rng.normal(size=width)).astype(np.float32)
    ours, said = train(work, x, f"{{type: pca, components: {k}, whiten: {str(white).lower()}}}")
    x = x.astype(np.float64)
    theirs = PCA(k, svd_solver="full", whiten=white).fit(x)
    y = [[float(r[f"component_{i}"]) for i in range(k)] for r in said]
    judge(name, max(far(ours["components"], theirs.components_), far(ours["variance"], theirs.explained_variance_),
                    far(ours["mean"], theirs.mean_), far(y, theirs.transform(x))))


with tempfile.TemporaryDirectory() as folder:
    work = pathlib.Path(folder)
    for case in ((300, 2, 3, 8), (1000, 6, 5, 2), (2000, 17, 12, 1.5)):
        interop.attempt("kmeans of {} x {}, {} clusters".format(*case), kmeans, work, *case)
    for case in ((200, 4, 2), (1000, 30, 10), (12, 40, 5)):
        for white in (False, True):
            interop.attempt("pca of {} x {}, {} components".format(*case) + (", whitened" if white else ""), pca, work,
                            *case, white)
sys.exit(interop.end())
