#!/usr/bin/env python3
"""Example c (examples/tower.c), 1024-512-256-128-64-32-16-1: weights after 1, 10 and 100 updates from the same beginning
on the same rows. The truth is PyTorch in f64, its own f32 runs beside it. (tests/golden/models/mlp.safetensors is the
small version that needs no PyTorch.)"""
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
    model = Tower()
    model.load_state_dict(initial)
    model.to(dtype)
    x, y = data["x"].to(dtype), data["y"].to(dtype)
    adam, out = torch.optim.Adam(model.parameters(), lr=1e-3), {}
    for update in range(1, 101):
        torch.nn.functional.mse_loss(model(x), y).backward()
        adam.step()
        adam.zero_grad()
        if update in (1, 10, 100):
            out[update] = {k: p.detach().clone() for k, p in model.named_parameters()}
    return out


def compare(name):
    with tempfile.TemporaryDirectory() as folder:
        data, got = interop.tower(pathlib.Path(folder))
    truth, single = (by_torch(got[0], data, dtype) for dtype in (torch.float64, torch.float32))
    for update in (1, 10, 100):
        interop.near(f"{name} after {update} updates", got[update], truth[update], single[update])


interop.attempt("tower", compare)
sys.exit(interop.end())
