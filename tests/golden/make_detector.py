#!/usr/bin/env python3
"""Makes tests/golden/detector.safetensors: a small detector (src/model/detector.c) written in PyTorch: its parameters, scores
and boxes as in evaluation, and the gradients of a training step of sum(logits*a) + sum(boxes*b).

    python tests/golden/make_detector.py        (torch, safetensors)
"""
import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn


class Conv(nn.Module):
    def __init__(self, ins, out, window, stride=1):
        super().__init__()
        self.conv = nn.Conv2d(ins, out, window, stride, window // 2, bias=False)
        self.norm = nn.BatchNorm2d(out)

    def forward(self, x):
        return self.norm(self.conv(x))


class Pair(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.a, self.b = Conv(width, width, 3), Conv(width, width, 3)

    def forward(self, x):
        return F.relu(x + self.b(F.relu(self.a(x))))


class Stage(nn.Module):
    def __init__(self, ins, width, blocks):
        super().__init__()
        self.down = Conv(ins, width, 3, 2)
        self.n = blocks
        for i in range(blocks):
            self.add_module(str(i), Pair(width))

    def forward(self, x):
        x = F.relu(self.down(x))
        for i in range(self.n):
            x = getattr(self, str(i))(x)
        return x


class Detector(nn.Module):
    def __init__(self, base, widest, layers, finest, neck, depth, classes):
        super().__init__()
        self.stem = Conv(3, base, 3, 2)
        widths = [base] + [min(base << (s + 1), widest) for s in range(len(layers))]
        for s, n in enumerate(layers):
            self.add_module(f"layer{s + 1}", Stage(widths[s], widths[s + 1], n))
        self.finest, self.last, self.depth = finest, len(layers), depth
        for s in range(finest, len(layers) + 1):
            self.add_module(f"neck{s}", Conv(widths[s], neck, 1))
        for i in range(depth):
            self.add_module(f"head{i}", Conv(neck, neck, 3))
        self.scores, self.sides = nn.Conv2d(neck, classes, 1), nn.Conv2d(neck, 4, 1)

    def forward(self, x):
        maps = [F.relu(self.stem(x))]
        for s in range(self.last):
            maps.append(getattr(self, f"layer{s + 1}")(maps[-1]))
        top = None
        for s in range(self.last, self.finest - 1, -1):
            own = getattr(self, f"neck{s}")(maps[s])
            if top is not None:
                own = own + F.interpolate(top, size=own.shape[2:], mode="nearest")
            top = F.relu(own)
        for i in range(self.depth):
            top = F.relu(getattr(self, f"head{i}")(top))
        n, _, h, w = top.shape
        stride = 2 << self.finest
        scores = self.scores(top).permute(0, 2, 3, 1).reshape(n, h * w, -1)
        sides = F.softplus(self.sides(top)).permute(0, 2, 3, 1).reshape(n, h * w, 4) * stride
        x = ((torch.arange(w) + 0.5) * stride).repeat(h)[None, :, None]
        y = ((torch.arange(h) + 0.5) * stride).repeat_interleave(w)[None, :, None]
        l, t, r, b = sides.split(1, 2)
        return scores, torch.cat([x - l, y - t, x + r, y + b], 2)


def fill(model):
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_(torch.randn_like(p) * (0.3 if p.dim() > 1 else 0.2) + (1 if name.endswith("norm.weight") else 0))
        for name, b in model.named_buffers():
            if "running" in name:
                b.copy_(torch.rand_like(b) + 0.5)


def main():
    torch.manual_seed(3)
    model = Detector(4, 10, [1, 0, 1], 2, 6, 1, 3)
    fill(model)
    x = torch.randn(2, 3, 23, 30)
    out = {"x": x.permute(0, 2, 3, 1).contiguous()}
    out |= {f"state/{k}": v.clone() for k, v in model.state_dict().items() if "num_batches" not in k}
    model.eval()
    with torch.no_grad():
        out["logits"], out["boxes"] = model(x)
    model.train()
    logits, boxes = model(x)
    out["a"], out["b"] = torch.randn_like(logits), torch.randn_like(boxes)
    ((logits * out["a"]).sum() + (boxes * out["b"]).sum()).backward()
    out |= {f"grad/{k}": p.grad for k, p in model.named_parameters()}
    path = pathlib.Path(__file__).with_name("detector.safetensors")
    save_file({k: v.detach().float().contiguous() for k, v in out.items()}, path)
    print(path, path.stat().st_size, "bytes, torch", torch.__version__)


if __name__ == "__main__":
    main()
