#!/usr/bin/env python3
"""Golden values of bags of rows (tests/test_recommendation.c): torch.nn.functional.embedding_bag, in f64 of f32 operands.

    python3 tests/golden/make_bags.py

"table" (11, 7), "ids" (6, 5) where 11 is padding and the last bag is empty, "weights" (6, 5), "dy" (6, 7); for each of sum, mean,
max and weighted "<case>/y" and "<case>/dtable" of the sum of y*dy, "weighted/dweights" too."""
import pathlib

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file

rng = np.random.default_rng(23)
ids = rng.integers(0, 12, size=(6, 5)).astype(np.int32)
ids[1] = [4, 4, 11, 2, 4]
ids[5] = 11
out = {"table": rng.normal(size=(11, 7)).astype(np.float32), "ids": ids,
       "weights": rng.normal(size=(6, 5)).astype(np.float32), "dy": rng.normal(size=(6, 7)).astype(np.float32)}
dy = torch.tensor(out["dy"], dtype=torch.float64)
for case in ("sum", "mean", "max", "weighted"):
    table = torch.tensor(np.vstack([out["table"], np.zeros((1, 7))]), dtype=torch.float64, requires_grad=True)
    weights = torch.tensor(out["weights"], dtype=torch.float64, requires_grad=True)
    y = F.embedding_bag(torch.tensor(ids), table, mode="sum" if case == "weighted" else case, padding_idx=11,
                        per_sample_weights=weights if case == "weighted" else None)
    (y * dy).sum().backward()
    out |= {f"{case}/y": y.detach().numpy().astype(np.float32), f"{case}/dtable": table.grad[:11].numpy().astype(np.float32)}
    if case == "weighted":
        out["weighted/dweights"] = np.where(ids < 11, weights.grad.numpy(), 0).astype(np.float32)
path = pathlib.Path(__file__).with_name("bags.safetensors")
save_file({k: np.ascontiguousarray(v) for k, v in out.items()}, path)
print(path, path.stat().st_size, "bytes, torch", torch.__version__)
