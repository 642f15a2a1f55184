#!/usr/bin/env python3
"""Golden values of the losses that rank (tests/test_recommendation.c): sums and gradients in f64 of f32 operands.

    python3 tests/golden/make_contrast.py

Operands a, b, c (5, 4), s and d (6); for each case "<case>/sum" and "<case>/grad", of a or s."""
import pathlib

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file

rng = np.random.default_rng(7)
out = {k: rng.normal(size=(5, 4)).astype(np.float32) for k in "abc"}
out |= {k: rng.normal(size=6).astype(np.float32) for k in "sd"}
t = {k: torch.tensor(v, dtype=torch.float64) for k, v in out.items()}


def case(name, of, loss):
    x = t[of].clone().requires_grad_(True)
    total = loss(x)
    total.backward()
    out[f"{name}/sum"] = np.array(total.item())
    out[f"{name}/grad"] = x.grad.numpy().astype(np.float32)


own = torch.arange(5)
case("bpr", "s", lambda s: -F.logsigmoid(s - t["d"]).sum())
case("pairwise_hinge", "s", lambda s: F.margin_ranking_loss(s, t["d"], torch.ones(6).double(), margin=0.5, reduction="sum"))
case("triplet", "a", lambda a: F.triplet_margin_loss(a, t["b"], t["c"], margin=0.7, reduction="sum"))
case("info_nce", "a", lambda a: F.cross_entropy(a @ t["b"].T / 0.5, own, reduction="sum"))
path = pathlib.Path(__file__).with_name("contrast.safetensors")
save_file(out, path)
print(path, path.stat().st_size, "bytes, torch", torch.__version__)
