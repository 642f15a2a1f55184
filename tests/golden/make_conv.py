#!/usr/bin/env python3
"""Golden values for tests/test_conv.c: PyTorch's convolutions, poolings, norms of images and interpolations, with the
gradients of sum(y*r), computed in f64 from f32 operands.

    ~/.cache/gradus/peers/bin/python tests/golden/make_conv.py     (torch 2.15)

For each case "<case>/x", "w", "b" (where there are some) and "r", "y", "dx", "dw", "db"; activations are stored channels
last, weights as PyTorch has them. max_pool has "<case>/arg" as well, batch norm its running statistics."""
import pathlib

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file

rng = np.random.default_rng(11)
out = {}


def draw(*shape):
    return torch.tensor(rng.normal(size=shape).astype(np.float32), dtype=torch.float64, requires_grad=True)


def last(t):
    return t.detach().movedim(1, -1).contiguous().numpy() if t.dim() > 2 else t.detach().numpy()


def case(name, fn, x, w=None, b=None):
    y = fn(*[t for t in (x, w, b) if t is not None])
    r = torch.tensor(rng.normal(size=tuple(y.shape)).astype(np.float32), dtype=torch.float64)
    (y * r).sum().backward()
    for key, t in dict(x=x, r=r, y=y, dx=x.grad).items():
        out[f"{name}/{key}"] = last(t).astype(np.float32)
    for key, t in dict(w=w, b=b).items():
        if t is not None:
            out[f"{name}/{key}"] = t.detach().numpy().astype(np.float32)
            out[f"{name}/d{key}"] = t.grad.numpy().astype(np.float32)


conv = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
back = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}
case("conv1", lambda x, w, b: conv[1](x, w, b, stride=2, padding=1, dilation=2), draw(2, 3, 9), draw(4, 3, 3), draw(4))
case("conv2", lambda x, w, b: conv[2](x, w, b, stride=(2, 1), padding=(1, 2)), draw(2, 3, 6, 5), draw(4, 3, 3, 2), draw(4))
case("conv2_groups", lambda x, w: conv[2](x, w, padding=1, groups=2), draw(1, 4, 5, 4), draw(6, 2, 3, 3))
case("conv2_same", lambda x, w: conv[2](x, w, padding="same", dilation=(1, 2)), draw(1, 2, 4, 6), draw(3, 2, 2, 3))
case("conv3", lambda x, w, b: conv[3](x, w, b, padding=1), draw(1, 2, 3, 4, 3), draw(3, 2, 3, 2, 3), draw(3))
case("back1", lambda x, w, b: back[1](x, w, b, stride=3, padding=1, output_padding=2), draw(2, 3, 4), draw(3, 2, 4), draw(2))
case("back2", lambda x, w, b: back[2](x, w, b, stride=2, padding=1, output_padding=1), draw(1, 3, 3, 4), draw(3, 2, 3, 3), draw(2))
case("back2_groups", lambda x, w: back[2](x, w, stride=(1, 2), dilation=(2, 1), groups=2), draw(1, 4, 3, 2), draw(4, 1, 2, 3))
case("back3", lambda x, w: back[3](x, w, stride=2), draw(1, 2, 2, 2, 2), draw(2, 2, 2, 2, 2))


def max_pool(name, fn, x):
    case(name, lambda x: fn(x)[0], x)
    out[f"{name}/arg"] = last(fn(x)[1]).astype(np.int32)


max_pool("max1", lambda x: F.max_pool1d(x, 3, stride=2, padding=1, return_indices=True), draw(2, 3, 8))
max_pool("max2", lambda x: F.max_pool2d(x, 3, stride=2, padding=1, ceil_mode=True, return_indices=True), draw(2, 3, 6, 5))
max_pool("max2_apart", lambda x: F.max_pool2d(x, (2, 3), stride=1, dilation=(2, 1), return_indices=True), draw(1, 2, 5, 5))
max_pool("max3", lambda x: F.max_pool3d(x, 2, return_indices=True), draw(1, 2, 4, 5, 4))
max_pool("max_bins", lambda x: F.adaptive_max_pool2d(x, (3, 2), return_indices=True), draw(2, 3, 7, 5))
case("avg1", lambda x: F.avg_pool1d(x, 3, stride=2, padding=1), draw(2, 3, 8))
case("avg2", lambda x: F.avg_pool2d(x, 3, stride=2, padding=1, ceil_mode=True), draw(2, 3, 6, 7))
case("avg2_real", lambda x: F.avg_pool2d(x, 3, stride=2, padding=1, ceil_mode=True, count_include_pad=False), draw(1, 2, 6, 7))
case("avg3", lambda x: F.avg_pool3d(x, (2, 1, 3), stride=2), draw(1, 2, 4, 3, 5))
case("avg_bins", lambda x: F.adaptive_avg_pool2d(x, (3, 4)), draw(2, 3, 7, 6))
case("avg_global", lambda x: F.adaptive_avg_pool2d(x, 1).flatten(1), draw(2, 3, 4, 5))
case("nearest1", lambda x: F.interpolate(x, size=7, mode="nearest"), draw(2, 3, 4))
case("nearest2", lambda x: F.interpolate(x, scale_factor=2, mode="nearest"), draw(1, 2, 3, 4))
case("nearest3", lambda x: F.interpolate(x, size=(3, 2, 5), mode="nearest"), draw(1, 2, 2, 3, 3))
case("linear1", lambda x: F.interpolate(x, size=7, mode="linear"), draw(2, 3, 4))
case("linear2", lambda x: F.interpolate(x, size=(5, 3), mode="bilinear"), draw(1, 2, 3, 4))
case("linear2_corners", lambda x: F.interpolate(x, size=(5, 3), mode="bilinear", align_corners=True), draw(1, 2, 3, 4))
case("linear3", lambda x: F.interpolate(x, size=(3, 4, 5), mode="trilinear"), draw(1, 2, 2, 3, 3))
case("linear3_corners", lambda x: F.interpolate(x, size=(3, 1, 5), mode="trilinear", align_corners=True), draw(1, 2, 2, 3, 3))
case("group_norm", lambda x, w, b: F.group_norm(x, 3, w, b), draw(2, 6, 3, 4), draw(6), draw(6))
case("instance_norm", lambda x, w, b: F.instance_norm(x, weight=w, bias=b, eps=1e-3), draw(2, 3, 4, 5), draw(3), draw(3))
mean, variance = torch.zeros(3, dtype=torch.float64), torch.ones(3, dtype=torch.float64)
case("batch_norm", lambda x, w, b: F.batch_norm(x, mean, variance, w, b, training=True, momentum=0.25), draw(2, 3, 4, 5), draw(3), draw(3))
out["batch_norm/running_mean"], out["batch_norm/running_var"] = mean.numpy().astype(np.float32), variance.numpy().astype(np.float32)
case("batch_norm_fixed", lambda x, w, b: F.batch_norm(x, mean, variance, w, b, training=False), draw(2, 3, 2, 2), draw(3), draw(3))

path = pathlib.Path(__file__).with_name("conv.safetensors")
save_file(out, path)
print(path, path.stat().st_size, "bytes, torch", torch.__version__)
