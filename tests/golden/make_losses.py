#!/usr/bin/env python3
"""Golden values for tests/test_losses.c: PyTorch's losses with reduction "sum" and their gradients, f64 from f32 operands.

    /opt/peers/torch/bin/python tests/golden/make_losses.py     (torch 2.15)

The file holds the operands under their own names, and for each case "<case>/sum", "<case>/grad" (of the prediction)."""
import pathlib

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file

rng = np.random.default_rng(5)
x = (2 * rng.normal(size=(6, 4))).astype(np.float32)
y = (2 * rng.normal(size=(6, 4))).astype(np.float32)
one = rng.normal(size=(1, 4)).astype(np.float32)
binary = (rng.random((6, 4)) > 0.5).astype(np.float32)
big = (60 * rng.normal(size=(6, 4))).astype(np.float32)
mask = np.array([1, 0, 1, 1, 0.5, 2], dtype=np.float32)
labels = np.array([2, 0, -1, 3, 1, 99], dtype=np.int32)
class_weight = np.array([1, 0.5, 2, 0.25], dtype=np.float32)
features = rng.normal(size=(6, 5)).astype(np.float32)
table = rng.normal(size=(4, 5)).astype(np.float32)
out = dict(x=x, y=y, one=one, binary=binary, big=big, mask=mask, labels=labels, class_weight=class_weight,
           features=features, table=table)


def case(name, prediction, loss):
    p = torch.tensor(prediction, dtype=torch.float64, requires_grad=True)
    total = loss(p)
    total.backward()
    out[f"{name}/sum"] = np.array(total.item(), dtype=np.float64)
    out[f"{name}/grad"] = p.grad.numpy().astype(np.float32)


t = lambda a: torch.tensor(a, dtype=torch.float64)
rows = t(mask)[:, None]
ids = torch.tensor(np.where((labels >= 0) & (labels < 4), labels, -100), dtype=torch.int64)
case("mse", x, lambda p: F.mse_loss(p, t(y), reduction="sum"))
case("mse_half", x, lambda p: 0.5 * F.mse_loss(p, t(y), reduction="sum"))
case("mse_masked", x, lambda p: (rows * F.mse_loss(p, t(y), reduction="none")).sum())
case("mse_broadcast", one, lambda p: F.mse_loss(p.expand(6, 4), t(y), reduction="sum"))
case("mae", x, lambda p: F.l1_loss(p, t(y), reduction="sum"))
case("huber", x, lambda p: F.huber_loss(p, t(y), reduction="sum"))
case("huber_wide", x, lambda p: F.huber_loss(p, t(y), reduction="sum", delta=2.5))
case("bce", x, lambda p: F.binary_cross_entropy_with_logits(p, t(binary), reduction="sum"))
case("bce_big", big, lambda p: F.binary_cross_entropy_with_logits(p, t(binary), reduction="sum"))
case("bce_positive", x, lambda p: F.binary_cross_entropy_with_logits(p, t(binary), reduction="sum", pos_weight=t([3.0])))
case("bce_masked", x, lambda p: F.binary_cross_entropy_with_logits(p, t(binary), weight=rows, reduction="sum"))
case("cross_entropy", x, lambda p: F.cross_entropy(p, ids, reduction="sum"))
case("cross_entropy_smooth", x, lambda p: F.cross_entropy(p, ids, reduction="sum", label_smoothing=0.1))
case("cross_entropy_classes", x, lambda p: F.cross_entropy(p, ids, weight=t(class_weight), reduction="sum"))
case("cross_entropy_masked", x, lambda p: (t(mask) * F.cross_entropy(p, ids, reduction="none")).sum())
case("linear_cross_entropy", features, lambda p: F.cross_entropy(p @ t(table).T, ids, reduction="sum"))

path = pathlib.Path(__file__).with_name("losses.safetensors")
save_file(out, path)
print(path, path.stat().st_size, "bytes, torch", torch.__version__)
