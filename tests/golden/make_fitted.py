#!/usr/bin/env python3
"""Golden values of k-means and principal components (tests/test_fitted.c): what scikit-learn makes of the same rows, in f64.

    python3 tests/golden/make_fitted.py

"rows" (150, 5) f32, "wide" (6, 20) f32. k-means from "start" (4, 5) and from "lonely" (3, 5), whose last centre loses its rows
at once: "<start>/centres", "<start>/inertia". PCA with 3 components: "pca/mean", "/components", "/variance", "/total", "/said" (of
the first 8 rows), "/white"; of the wide rows "wide_pca/...". """
import pathlib

import numpy as np
import sklearn
from safetensors.numpy import save_file
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA

rng = np.random.default_rng(11)
middle = rng.normal(size=(4, 5)) * 2.5
rows = (middle[rng.integers(0, 4, 150)] + rng.normal(size=(150, 5)) * [1, 1.5, 0.5, 1, 2]).astype(np.float32)
wide = rng.normal(size=(6, 20)).astype(np.float32)
out = {"rows": rows, "wide": wide}
x = rows.astype(np.float64)

start = x[[3, 50, 51, 120]]
lonely = np.stack([x[0], x[1], np.full(5, 1000.0)])
for name, begin in (("start", start), ("lonely", lonely)):
    k = KMeans(len(begin), init=begin, n_init=1, tol=0, algorithm="lloyd").fit(x)
    out |= {name: begin, f"{name}/centres": k.cluster_centers_, f"{name}/inertia": np.array(k.inertia_)}

for name, v in (("pca", x), ("wide_pca", wide.astype(np.float64))):
    p = PCA(3, svd_solver="full").fit(v)
    white = PCA(3, svd_solver="full", whiten=True).fit(v)
    out |= {f"{name}/mean": p.mean_, f"{name}/components": p.components_, f"{name}/variance": p.explained_variance_,
            f"{name}/total": np.array(v.var(axis=0, ddof=1).sum()), f"{name}/said": p.transform(v[:8]),
            f"{name}/white": white.transform(v[:8])}
path = pathlib.Path(__file__).with_name("fitted.safetensors")
save_file({k: np.ascontiguousarray(v) for k, v in out.items()}, path)
print(path, path.stat().st_size, "bytes, scikit-learn", sklearn.__version__)
