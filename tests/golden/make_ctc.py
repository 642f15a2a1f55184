#!/usr/bin/env python3
"""Golden values for tests/test_ctc.c: PyTorch's ctc_loss of log_softmax(x), reduction "sum" over samples, and its gradient
of x, f64 from f32 operands.

    ~/.cache/gradus/peers/bin/python tests/golden/make_ctc.py     (torch 2.15)

For each case "<case>/x" (B, T, V), "targets" (B, S), "input_lengths", "target_lengths", "loss" (B), "grad" (B, T, V)."""
import pathlib

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file

rng = np.random.default_rng(8)
out = {}


def case(name, targets, input_lengths, target_lengths, steps, symbols, blank=0, zero_infinity=False, scale=2):
    targets = np.array(targets, np.int32)
    x = (scale * rng.normal(size=(len(targets), steps, symbols))).astype(np.float32)
    p = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    loss = F.ctc_loss(F.log_softmax(p, -1).transpose(0, 1), torch.tensor(targets.astype(np.int64)),
                      torch.tensor(input_lengths), torch.tensor(target_lengths), blank=blank, reduction="none",
                      zero_infinity=zero_infinity)
    loss.sum().backward()
    out[f"{name}/x"] = x
    out[f"{name}/targets"] = targets
    out[f"{name}/input_lengths"] = np.array(input_lengths, np.int32)
    out[f"{name}/target_lengths"] = np.array(target_lengths, np.int32)
    out[f"{name}/loss"] = loss.detach().numpy().astype(np.float32)
    out[f"{name}/grad"] = p.grad.numpy().astype(np.float32)


case("plain", [[1, 2, 3], [4, 1, 0], [2, 0, 0]], [9, 7, 5], [3, 2, 1], 9, 5)
case("repeats", [[1, 1, 1, 2], [3, 3, 2, 2]], [12, 7], [4, 4], 12, 4)
case("blank_last", [[0, 1, 1], [2, 3, 0]], [8, 6], [3, 3], 8, 5, blank=4)
case("empty", [[1, 2], [1, 2], [3, 3]], [6, 4, 6], [0, 1, 2], 6, 4)
case("exact", [[1, 2, 2, 3]], [5], [4], 5, 4)
case("impossible", [[1, 1, 2], [1, 2, 3], [1, 1, 0]], [3, 2, 3], [3, 3, 2], 4, 4, zero_infinity=True)
case("sharp", [[3, 1, 2, 2, 1]], [40], [5], 40, 6, scale=30)
case("long", rng.integers(1, 20, size=(2, 30)).tolist(), [150, 120], [30, 21], 150, 20)

path = pathlib.Path(__file__).with_name("ctc.safetensors")
save_file(out, path)
print(path, path.stat().st_size, "bytes, torch", torch.__version__)
