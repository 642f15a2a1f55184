#!/usr/bin/env python3
"""Golden values for tests/test_schedule.c: learning rates of PyTorch's schedulers, f64, one array per case.

    ~/.cache/gradus/peers/bin/python tests/golden/make_schedule.py     (torch 2.15)"""
import pathlib
import warnings

import numpy as np
import torch
from safetensors.numpy import save_file

warnings.filterwarnings("ignore")
scheduler = torch.optim.lr_scheduler
STEPS = 60
out = {}


def rates(case, make, lr=0.1, steps=STEPS):
    o = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    s = make(o)
    out[case] = []
    for _ in range(steps):
        out[case].append(o.param_groups[0]["lr"])
        o.step()
        s.step()


rates("step", lambda o: scheduler.StepLR(o, 7, 0.5))
rates("exponential", lambda o: scheduler.ExponentialLR(o, 0.95))
rates("cosine", lambda o: scheduler.CosineAnnealingLR(o, 50, 0.01), steps=51)
rates("linear", lambda o: scheduler.LinearLR(o, 1.0, 0.1, 40))
rates("one_cycle", lambda o: scheduler.OneCycleLR(o, 0.4, total_steps=STEPS))
rates("one_cycle_own", lambda o: scheduler.OneCycleLR(o, 0.4, total_steps=STEPS, pct_start=0.45, div_factor=10,
                                                      final_div_factor=100))
rates("inverse_time", lambda o: scheduler.LambdaLR(o, lambda t: 1 / (1 + 0.3 * t)))
rates("linear_decay", lambda o: scheduler.LambdaLR(o, lambda t: max(0.0, 1 - 0.02 * t)))
rates("warmup_cosine", lambda o: scheduler.LambdaLR(
    o, lambda t: (t + 1) / 10 if t < 10 else 0.5 * (1 + np.cos(np.pi * min(1.0, (t - 10) / 40)))))

rng = np.random.default_rng(3)
metric = 1 / (1 + 0.2 * np.arange(STEPS)) + 0.05 * rng.normal(size=STEPS)
metric[20] = np.nan
out["metric"] = metric


def plateau(case, sign, **options):
    o = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    s = scheduler.ReduceLROnPlateau(o, mode="min" if sign > 0 else "max", eps=0, **options)
    out[case] = []
    for x in metric:
        s.step(sign * x if sign > 0 else 2 - x)
        out[case].append(o.param_groups[0]["lr"])


plateau("plateau", 1, factor=0.5, patience=3)
plateau("plateau_max", -1, factor=0.5, patience=2, threshold=0.01, cooldown=2, min_lr=0.02)
plateau("plateau_zero", 1, factor=0.3, patience=0, threshold=0)

path = pathlib.Path(__file__).with_name("schedule.safetensors")
save_file({k: np.array(v, dtype=np.float64) for k, v in out.items()}, path)
print(path, path.stat().st_size, "bytes, torch", torch.__version__)
