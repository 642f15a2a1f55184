#!/usr/bin/env python3
"""Example c (examples/tower.c), 1024-512-256-128-64-32-16-1: weights after 1, 10 and 100 updates from the same beginning
on the same rows. The truth is PyTorch in f64, its own f32 run beside it. Of the last the network itself leaves much open: a
ReLU that opens at update 65 or does not parts two runs by hundredths. So the truth is run again from beginnings that differ
by a rounding, and their distances are allowed. (tests/golden/models/mlp.safetensors is the small version that needs no
PyTorch.)"""
import pathlib
import sys
import tempfile

sys.path.append(sys.path.pop(0))
import interop
import torch

WIDTHS = (1024, 512, 256, 128, 64, 32, 16, 1)


class Tower(torch.nn.Module):
    def __init__(self):
        super().__init__()
        layers = []
        for a, b in zip(WIDTHS, WIDTHS[1:]):
            layers += [torch.nn.Linear(a, b), torch.nn.ReLU()]
        self.net = torch.nn.Sequential(*layers[:-1])

    def forward(self, x):
        return self.net(x)


def by_torch(initial, data, dtype):
    model = Tower().to(dtype)
    model.load_state_dict(initial)
    x, y = data["x"].to(dtype), data["y"].to(dtype)
    adam, out = torch.optim.Adam(model.parameters(), lr=1e-3), {}
    for update in range(1, 101):
        torch.nn.functional.mse_loss(model(x), y).backward()
        adam.step()
        adam.zero_grad()
        if update in (1, 10, 100):
            out[update] = {k: p.detach().clone() for k, p in model.named_parameters()}
    return out


def rounded(initial, seed):
    """The same in f64, each number changed by about a rounding of f32."""
    g = torch.Generator().manual_seed(seed)
    return {k: v.double() * (1 + 1e-7 * torch.randn(v.shape, generator=g, dtype=torch.float64)) for k, v in initial.items()}


def farthest(runs, truth):
    return {k: max((r[k] for r in runs), key=lambda t: interop.distance(t, b)) for k, b in truth.items()}


def compare(name):
    with tempfile.TemporaryDirectory() as folder:
        data, got = interop.tower(pathlib.Path(folder))
    truth, single = (by_torch(got[0], data, dtype) for dtype in (torch.float64, torch.float32))
    for update in (1, 10):
        interop.near(f"{name} after {update} updates", got[update], truth[update], single[update])
    others = [by_torch(rounded(got[0], seed), data, torch.float64)[100] for seed in range(3)]
    interop.near(f"{name} after 100 updates", got[100], truth[100], farthest(others, truth[100]), "f64 begun a rounding away")


interop.attempt("tower", compare)
sys.exit(interop.end())
