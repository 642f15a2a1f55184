#!/usr/bin/env python3
"""Makes tests/golden/task_NAME.safetensors: losses that belong to a task (src/task/image_generation.c, object_detection.c) in
PyTorch, of the networks of make_generator.py and make_detector.py in training:

  autoencoder, vae         cross-entropy of pixels; and the code's divergence from the normal distribution, times 0.5
  dcgan, dcgan_judge       what the generator loses; what the judge does, with smoothing 0.2 and penalty 2
  detector_{iou,giou,ciou} places of boxes (boxes: picture, class, x0, y0, x1, y1, difficult), focal loss towards the overlap
                           that is reached, overlap of boxes

A file holds state/NAME of the network, the inputs of the task's graph, loss and grad.NAME, computed in float64 from the stored
f32 numbers and rounded once.

    python tests/golden/make_tasks.py        (torch, safetensors)
"""
import math
import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

import make_detector as detector
import make_generator as generator

HEIGHT, WIDTH, STRIDE, RADIUS = 20, 24, 4, 1.5


def write(name, model, given, loss_of):
    state = {f"state/{k}": v.clone() for k, v in model.state_dict().items() if "tracked" not in k}
    for t in [*model.parameters(), *model.buffers()]:
        t.data = t.data.double() if t.is_floating_point() else t.data
    wide = {k: v.double() if v.is_floating_point() else v for k, v in given.items()}
    loss = loss_of(model.train(), wide)
    loss.backward()
    out = state | given | {"loss": loss.detach()}
    out |= {f"grad.{k}": p.grad for k, p in model.named_parameters() if p.grad is not None}
    out = {k: (v if v.dtype == torch.int32 else v.float()).contiguous() for k, v in out.items()}
    path = pathlib.Path(__file__).with_name(f"task_{name}.safetensors")
    save_file(out, path)
    print(path, path.stat().st_size, "bytes, loss", loss.item(), "torch", torch.__version__)


# ---- pictures from noise ----


class Maker(nn.Module):
    def __init__(self, judged):
        super().__init__()
        self.decode = generator.Decode([], 1)
        if judged:
            self.judge = generator.Judge([], False, 1)
            for p in self.judge.parameters():
                p.data *= 3  # a slope that counts
        else:
            self.code = generator.Code([], 1)


def nchw(x):
    return x.permute(0, 3, 1, 2)


def back(logits, given):
    each = F.binary_cross_entropy_with_logits(logits, nchw(given["pictures"]), reduction="none").flatten(1).sum(1)
    return (each * given["counts"]).sum()


def autoencoder(model, given):
    mean = model.code(nchw(given["pictures"]))[:, : generator.LATENT]
    return back(model.decode(mean), given) / given["counts"].sum()


def vae(model, given):
    mean, spread = model.code(nchw(given["pictures"])).chunk(2, 1)
    z = torch.distributions.Normal(mean, torch.exp(0.5 * spread))
    far = torch.distributions.kl_divergence(z, torch.distributions.Normal(0.0, 1.0)).sum(1)
    logits = model.decode(mean + z.stddev * given["noise"])
    return (back(logits, given) + 0.5 * (far * given["counts"]).sum()) / given["counts"].sum()


def judged(logits, target, given):
    each = F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target), reduction="none")[:, 0]
    return (each * given["counts"]).sum() / given["counts"].sum()


def dcgan(model, given):
    return judged(model.judge(torch.sigmoid(model.decode(given["noise"]))), 1.0, given)


def dcgan_judge(model, given):
    x = nchw(given["pictures"]).requires_grad_()
    real, made = model.judge(x), model.judge(torch.sigmoid(model.decode(given["noise"])))
    slope = torch.autograd.grad(real.sum(), x, create_graph=True)[0].square().flatten(1).sum(1)
    penalty = (2 * 0.5 * slope * given["counts"]).sum() / given["counts"].sum()
    return judged(real, 1 - 0.2, given) + judged(made, 0.0, given) + penalty


def make_pictures(seed, loss):
    torch.manual_seed(seed)
    given = {"pictures": torch.rand(4, generator.H, generator.W, 1), "noise": torch.randn(4, generator.LATENT),
             "counts": torch.tensor([1.0, 1, 0, 1])}
    write(loss.__name__, Maker(loss.__name__.startswith("dcgan")), given, loss)


# ---- boxes ----

BOXES = [  # picture, class, x0, y0, x1, y1, difficult
    [0, 0, 1, 2, 19, 18, 0], [0, 1, 8, 9, 11, 11, 0],  # one less than a stride in a large one
    [0, 1, 14, 1, 24, 20, 0], [1, 0, 3, 4, 15, 12, 0], [1, 1, 11, 0, 24, 13, 1], [1, 1, 0, 15, 2, 17, 0],
]


def assign(boxes):
    """Of each place: class or -1, box, and whether it counts."""
    h, w = HEIGHT // STRIDE, WIDTH // STRIDE
    label, box, counts = -torch.ones(h * w, dtype=torch.int32), torch.zeros(h * w, 4), torch.ones(h * w)
    for place in range(h * w):
        x, y = (place % w + 0.5) * STRIDE, (place // w + 0.5) * STRIDE
        best, unknown = None, False
        for c, x0, y0, x1, y1, difficult in boxes:
            mx, my = (x0 + x1) / 2, (y0 + y1) / 2
            inside = x0 <= x <= x1 and y0 <= y <= y1
            near = max(abs(x - mx), abs(y - my)) <= RADIUS * STRIDE
            cell = (my // STRIDE, mx // STRIDE) == (place // w, place % w)
            if difficult:
                unknown = unknown or inside or cell
            elif (inside and near) or cell:
                best = min(best or (math.inf,), ((x1 - x0) * (y1 - y0), c, (x0, y0, x1, y1)))
        if best:
            label[place], box[place] = best[1], torch.tensor(best[2]).float()
        elif unknown:
            counts[place] = 0
    return label, box, counts


def overlap(a, b, kind):
    """IoU; GIoU of Rezatofighi et al. 2019; CIoU of Zheng et al. 2020, its trade-off held."""
    def area(z):
        return (z[..., 2] - z[..., 0]) * (z[..., 3] - z[..., 1])
    size = torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])
    common = size.clamp(min=0).prod(-1)
    union = area(a) + area(b) - common
    iou = common / union
    if kind == "iou":
        return iou
    hull = torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])
    if kind == "giou":
        return iou - (hull.prod(-1) - union) / hull.prod(-1)
    apart = ((a[..., :2] + a[..., 2:] - b[..., :2] - b[..., 2:]) / 2).square().sum(-1) / hull.square().sum(-1)
    angle = [torch.atan((z[..., 2] - z[..., 0]) / (z[..., 3] - z[..., 1])) for z in (a, b)]
    v = 4 / math.pi**2 * (angle[1] - angle[0]).square()
    return iou - apart - (v / (1 - iou + v)).detach() * v


def make_boxes(seed, kind):
    torch.manual_seed(seed)
    model = detector.Detector(4, 256, [1], 1, 4, 1, 2)
    detector.fill(model)
    rows = [assign([b[1:] for b in BOXES if b[0] == i]) for i in range(2)]
    label, box, counts = (torch.stack([r[i] for r in rows]) for i in range(3))
    given = {"pictures": torch.randn(2, HEIGHT, WIDTH, 3), "boxes": torch.tensor(BOXES).float(), "labels": label,
             "targets": box, "counts": counts}

    def loss(model, given):
        logits, boxes = model(nchw(given["pictures"]))
        there = label >= 0
        wanted = torch.zeros_like(logits)
        wanted[there, label[there].long()] = overlap(boxes, given["targets"], "iou").detach()[there]
        far = (torch.sigmoid(logits) - wanted).abs().square()
        scores = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none") * far * given["counts"][..., None]
        missed = (1 - overlap(boxes[there], given["targets"][there], kind)).sum()
        return (scores.sum() + 2 * missed) / there.sum().clamp(min=1)

    write(f"detector_{kind}", model, given, loss)


if __name__ == "__main__":
    for k, of in enumerate((autoencoder, vae, dcgan, dcgan_judge)):
        make_pictures(k, of)
    for kind in ("iou", "giou", "ciou"):
        make_boxes(7, kind)
