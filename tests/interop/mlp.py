#!/usr/bin/env python3
"""Example c at its full size, 1024-512-256-128-64-32-16-1: weights after 1, 10 and 100 updates. The truth is PyTorch in
f64, its own f32 runs beside it. (tests/golden/models/mlp.safetensors is the small version that needs no PyTorch.)"""
import pathlib
import sys
import tempfile

sys.path.append(sys.path.pop(0))
import interop
import torch

WIDTHS = (1024, 512, 256, 128, 64, 32, 16, 1)


class Mlp(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.ModuleList(torch.nn.Linear(a, b) for a, b in zip(WIDTHS, WIDTHS[1:]))

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = torch.relu(layer(x))
        return self.layers[-1](x)


def by_torch(initial, x, y, dtype):
    model = Mlp()
    model.load_state_dict(initial)
    model.to(dtype)
    adam, out = torch.optim.Adam(model.parameters(), lr=1e-3), {}
    for step in range(1, 101):
        torch.nn.functional.mse_loss(model(x.to(dtype)), y.to(dtype)).backward()
        adam.step()
        adam.zero_grad()
        if step in (1, 10, 100):
            out[step] = {k: p.detach().clone() for k, p in model.named_parameters()}
    return out


def compare(name):
    torch.manual_seed(1)
    initial = {k: p.detach().clone() for k, p in Mlp().named_parameters()}
    x, y = torch.rand(64, 1024), torch.rand(64, 1)
    with tempfile.TemporaryDirectory() as folder:
        got = interop.deep_mlp(initial, {"x": x, "y": y}, pathlib.Path(folder))
    if got is None:
        return interop.line("skipped", name, "there is no build/examples/deep_mlp yet")
    truth, single = by_torch(initial, x, y, torch.float64), by_torch(initial, x, y, torch.float32)
    for step in (1, 10, 100):
        interop.near(f"{name} after {step} updates", got[step], truth[step], single[step])


interop.attempt("deep MLP", compare)
sys.exit(interop.end())
