#!/usr/bin/env python3
"""Golden values for tests/test_losses.c: PyTorch's losses with reduction "sum" and their gradients, f64 from f32 operands.

    ~/.cache/gradus/peers/bin/python tests/golden/make_losses.py     (torch 2.15)

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
soft = rng.random((6, 4)).astype(np.float32)
corner, size = rng.normal(size=(7, 2)), 0.3 + 2 * rng.random((7, 2))
box = np.concatenate([corner, corner + size], 1).astype(np.float32)
corner, size = corner + rng.normal(size=(7, 2)), 0.3 + 2 * rng.random((7, 2))
corner[0] += 9  # apart
box_target = np.concatenate([corner, corner + size], 1).astype(np.float32)
box_target[1] = box[1] + np.float32([0.1, 0.1, -0.1, -0.05])  # inside
box_mask = np.array([1, 0.5, 0, 2, 1, 1, 1], dtype=np.float32)
out = dict(soft=soft, box=box, box_target=box_target, box_mask=box_mask, x=x, y=y, one=one, binary=binary, big=big, mask=mask, labels=labels, class_weight=class_weight,
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



def focal(p, target, gamma, alpha=None):  # Lin et al. 2017; for soft targets Li et al. 2020
    each = (torch.sigmoid(p) - target).abs() ** gamma * F.binary_cross_entropy_with_logits(p, target, reduction="none")
    return each if alpha is None else each * (alpha * target + (1 - alpha) * (1 - target))


def overlap(a, b, kind):
    def parts(v):
        return v[:, 2] - v[:, 0], v[:, 3] - v[:, 1]
    shared = (torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])).clamp(min=0).prod(1)
    (wa, ha), (wb, hb) = parts(a), parts(b)
    union = wa * ha + wb * hb - shared
    iou = shared / union
    hull = torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])
    if kind == "iou":
        return iou
    if kind == "giou":
        return iou - (hull.prod(1) - union) / hull.prod(1)
    centre = ((a[:, :2] + a[:, 2:] - b[:, :2] - b[:, 2:]) / 2) ** 2
    v = 4 / np.pi**2 * (torch.atan(wa / ha) - torch.atan(wb / hb)) ** 2
    alpha = (v / (1 - iou + v)).detach()
    return iou - centre.sum(1) / (hull**2).sum(1) - alpha * v


case("focal", x, lambda p: focal(p, t(binary), 2).sum())
case("focal_alpha", x, lambda p: focal(p, t(binary), 1.5, 0.25).sum())
case("focal_soft", x, lambda p: (rows * focal(p, t(soft), 2)).sum())
case("focal_softmax", x, lambda p: sum((1 - torch.softmax(p[i], 0)[k]) ** 2 * F.cross_entropy(p[i : i + 1], ids[i : i + 1])
                                       for i, k in enumerate(ids.tolist()) if k >= 0))
for kind in ("iou", "giou", "ciou"):
    case(kind, box, lambda p: (t(box_mask) * (1 - overlap(p, t(box_target), kind))).sum())

path = pathlib.Path(__file__).with_name("losses.safetensors")
save_file(out, path)
print(path, path.stat().st_size, "bytes, torch", torch.__version__)
