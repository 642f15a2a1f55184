#!/usr/bin/env python3
"""Golden values for tests/test_optim.c: ten steps of PyTorch's optimisers on three small tensors with fixed gradients.

    ~/.cache/gradus/peers/bin/python tests/golden/make_optim.py     (torch 2.15, numpy, safetensors)

All in f64 from f32 starting values, so that the reference carries no rounding of its own. Lion and LAMB follow the
formulas of their papers; Muon is torch.optim.Muon with its bf16 iteration replaced by the same one in f64.
The file holds a.weight (4,3), a.bias (4), b.weight (3,5), their gradients for each step (10, ...) and the parameters
after ten steps as "<case>/<path>"."""
import math
import pathlib

import numpy as np
import torch
import torch.optim._muon as muon_module
from safetensors.numpy import save_file

STEPS = 10
SHAPES = {"a.weight": (4, 3), "a.bias": (4,), "b.weight": (3, 5)}
rng = np.random.default_rng(17)
start = {k: rng.normal(size=s).astype(np.float32) for k, s in SHAPES.items()}
grads = {k: rng.normal(size=(STEPS, *s)).astype(np.float32) for k, s in SHAPES.items()}
out = {f"start/{k}": v for k, v in start.items()} | {f"grad/{k}": v for k, v in grads.items()}


def newton_schulz(grad, coefficients, steps, eps):
    a, b, c = coefficients
    x = grad.clone()
    tall = x.size(0) > x.size(1)
    if tall:
        x = x.T
    x = x / x.norm().clamp(min=eps)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if tall else x


muon_module._zeropower_via_newtonschulz = newton_schulz


def run(case, make, rate=lambda step: None, clip_norm=0.0, clip_value=0.0, penalty=(0.0, 0.0), ema=0.0, weight=1.0):
    """make(dict of parameters) -> list of optimisers."""
    p = {k: torch.nn.Parameter(torch.tensor(v, dtype=torch.float64)) for k, v in start.items()}
    optimizers = make(p)
    average = {k: torch.zeros_like(v) for k, v in p.items()}
    norms = []
    for step in range(STEPS):
        for k, v in p.items():
            v.grad = torch.tensor(grads[k][step], dtype=torch.float64) / weight
            v.grad += penalty[0] * v.detach().sign() + penalty[1] * v.detach()
        norms.append(math.sqrt(sum(float((v.grad**2).sum()) for v in p.values())))
        if clip_norm:
            torch.nn.utils.clip_grad_norm_(p.values(), clip_norm)
        if clip_value:
            torch.nn.utils.clip_grad_value_(p.values(), clip_value)
        for o in optimizers:
            o.step()
        for k, v in p.items():
            average[k] = ema * average[k] + (1 - ema) * v.detach()
    for k, v in p.items():
        out[f"{case}/{k}"] = v.detach().numpy().astype(np.float32)
        if ema:
            out[f"{case}/ema:{k}"] = (average[k] / (1 - ema**STEPS)).numpy().astype(np.float32)
    out[f"{case}/norms"] = np.array(norms, dtype=np.float32)


class Lion(torch.optim.Optimizer):
    """Chen et al. 2023, Algorithm 2."""

    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                m = self.state[p].setdefault("m", torch.zeros_like(p))
                b1, b2 = group["betas"]
                c = b1 * m + (1 - b1) * p.grad
                p.data -= group["lr"] * (c.sign() + group["decay"] * p.data)
                m.mul_(b2).add_((1 - b2) * p.grad)


class Lamb(torch.optim.Optimizer):
    """You et al. 2020, Algorithm 2, phi(z) = z."""

    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                s = self.state[p]
                m, v = s.setdefault("m", torch.zeros_like(p)), s.setdefault("v", torch.zeros_like(p))
                s["t"] = s.get("t", 0) + 1
                b1, b2 = group["betas"]
                m.mul_(b1).add_((1 - b1) * p.grad)
                v.mul_(b2).add_((1 - b2) * p.grad**2)
                r = (m / (1 - b1 ** s["t"])) / ((v / (1 - b2 ** s["t"])).sqrt() + group["eps"]) + group["decay"] * p.data
                p.data -= group["lr"] * float(p.data.norm() / r.norm()) * r


optim = torch.optim
run("sgd", lambda p: [optim.SGD(p.values(), lr=0.1)])
run("sgd_momentum", lambda p: [optim.SGD(p.values(), lr=0.1, momentum=0.9)])
run("sgd_nesterov", lambda p: [optim.SGD(p.values(), lr=0.1, momentum=0.8, nesterov=True, weight_decay=0.05)])
run("sgd_decay", lambda p: [optim.SGD(p.values(), lr=0.1, weight_decay=0.1)])
run("rmsprop", lambda p: [optim.RMSprop(p.values())])
run("rmsprop_momentum", lambda p: [optim.RMSprop(p.values(), lr=0.02, alpha=0.9, momentum=0.7, weight_decay=0.01)])
run("adagrad", lambda p: [optim.Adagrad(p.values())])
run("adagrad_start", lambda p: [optim.Adagrad(p.values(), lr=0.1, initial_accumulator_value=0.1, weight_decay=0.02)])
run("adam", lambda p: [optim.Adam(p.values())])
run("adam_coupled", lambda p: [optim.Adam(p.values(), lr=0.01, betas=(0.8, 0.95), weight_decay=0.1)])
run("adamw", lambda p: [optim.AdamW(p.values(), lr=0.01)])
run("adamw_no_decay", lambda p: [optim.AdamW(p.values(), lr=0.01, weight_decay=0)])
run("lion", lambda p: [Lion(p.values(), dict(lr=1e-2, betas=(0.9, 0.99), decay=0.1))])
run("lamb", lambda p: [Lamb(p.values(), dict(lr=1e-2, betas=(0.9, 0.999), eps=1e-6, decay=0.01))])


def muon(adjust):
    def make(p):
        matrices = [v for v in p.values() if v.ndim == 2]
        return [optim.Muon(matrices, lr=0.02, adjust_lr_fn=adjust), optim.AdamW([p["a.bias"]], lr=0.02)]

    return make


for adjust in ("original", "match_rms_adamw", "spectral_unclamped"):
    run(f"muon_{adjust}", muon(adjust))


def groups(p):
    return [
        optim.AdamW([{"params": [p["b.weight"]]}, {"params": [p["a.bias"]], "weight_decay": 0, "lr": 0.002}], lr=0.01,
                    weight_decay=0.2),
        optim.SGD([p["a.weight"]], lr=0.05, momentum=0.9),
    ]


run("groups", groups)
run("frozen", lambda p: [optim.AdamW([p["a.weight"], p["a.bias"]], lr=0.01)])
run("clip_norm", lambda p: [optim.SGD(p.values(), lr=0.1)], clip_norm=1.5)
run("clip_value", lambda p: [optim.SGD(p.values(), lr=0.1)], clip_value=0.5)
run("penalty", lambda p: [optim.SGD(p.values(), lr=0.1)], penalty=(0.02, 0.05), clip_norm=2.0, weight=7.0)
run("ema", lambda p: [optim.AdamW(p.values(), lr=0.01)], ema=0.9)
run("weight", lambda p: [optim.AdamW(p.values(), lr=0.01)], clip_norm=0.5, weight=7.0)

path = pathlib.Path(__file__).with_name("optim.safetensors")
save_file(out, path)
print(path, path.stat().st_size, "bytes,", len(out), "tensors, torch", torch.__version__)
