#!/usr/bin/env python3
"""Makes tests/golden/generator.safetensors and generator_hidden.safetensors (layers behind the smallest map, batch norm in the
judge): the towers of src/model/generator.c in PyTorch: parameters, what they give in evaluation, and the gradients of sum(result*weight) in
training.

    python tests/golden/make_generator.py        (torch, safetensors)
"""
import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

H, W, C, LATENT, MAPS = 8, 12, 2, 5, [6, 3]


class Decode(nn.Module):
    def __init__(self, hidden, channels=C):
        super().__init__()
        self.h, self.w, self.n = H >> len(MAPS), W >> len(MAPS), len(hidden)
        ins = [LATENT, *hidden]
        for i in range(self.n):
            self.add_module(f"hidden{i + 1}", nn.Linear(ins[i], ins[i + 1], bias=False))
            self.add_module(f"hidden_norm{i + 1}", nn.BatchNorm1d(ins[i + 1]))
        self.linear = nn.Linear(ins[-1], self.h * self.w * MAPS[0], bias=False)
        self.norm0, self.norm1 = nn.BatchNorm2d(MAPS[0]), nn.BatchNorm2d(MAPS[1])
        self.conv1 = nn.ConvTranspose2d(MAPS[0], MAPS[1], 4, 2, 1, bias=False)
        self.conv2 = nn.ConvTranspose2d(MAPS[1], channels, 4, 2, 1)

    def forward(self, x):  # the linear layer's numbers are channels last
        for i in range(1, self.n + 1):
            x = F.relu(getattr(self, f"hidden_norm{i}")(getattr(self, f"hidden{i}")(x)))
        x = self.linear(x).view(-1, self.h, self.w, MAPS[0]).permute(0, 3, 1, 2)
        x = F.relu(self.norm0(x))
        return self.conv2(F.relu(self.norm1(self.conv1(x))))


class Down(nn.Module):
    def __init__(self, hidden, norm=False, channels=C):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(channels, MAPS[1], 4, 2, 1), nn.Conv2d(MAPS[1], MAPS[0], 4, 2, 1, bias=not norm)
        self.norm2 = nn.BatchNorm2d(MAPS[0], track_running_stats=False) if norm else nn.Identity()
        ins = [2 * 3 * MAPS[0], *reversed(hidden)]
        self.n, self.out = len(hidden), ins[-1]
        for i in range(self.n):
            self.add_module(f"hidden{i + 1}", nn.Linear(ins[i], ins[i + 1], bias=not norm))
            own = nn.BatchNorm1d(ins[i + 1], track_running_stats=False) if norm else nn.Identity()
            self.add_module(f"hidden_norm{i + 1}", own)

    def forward(self, x):
        x = F.leaky_relu(self.norm2(self.conv2(F.leaky_relu(self.conv1(x), 0.2))), 0.2)
        x = x.permute(0, 2, 3, 1).flatten(1)
        for i in range(1, self.n + 1):
            x = F.leaky_relu(getattr(self, f"hidden_norm{i}")(getattr(self, f"hidden{i}")(x)), 0.2)
        return x


class Code(Down):
    def __init__(self, hidden, channels=C):
        super().__init__(hidden, False, channels)
        self.mean, self.spread = (nn.Linear(self.out, LATENT) for _ in range(2))

    def forward(self, x):
        y = super().forward(x)
        return torch.cat([self.mean(y), self.spread(y)], 1)


class Judge(Down):
    def __init__(self, hidden, norm, channels=C):
        super().__init__(hidden, norm, channels)
        self.linear = nn.Linear(self.out, 1)

    def forward(self, x):
        return self.linear(super().forward(2 * x - 1))


def make(file, hidden, norm):
    torch.manual_seed(5)
    out = {}
    x, z = torch.rand(4, C, H, W), torch.randn(4, LATENT)
    out["x"], out["z"] = x.permute(0, 2, 3, 1), z
    for name, net, given in (("decode", Decode(hidden), z), ("code", Code(hidden), x), ("judge", Judge(hidden, norm), x)):
        with torch.no_grad():
            for key, b in net.named_buffers():
                if "running" in key:
                    b.copy_(torch.rand_like(b) + 0.5)
        out |= {f"state/{name}.{k}": v.clone() for k, v in net.state_dict().items() if "tracked" not in k}
        last = (lambda v: v.permute(0, 2, 3, 1)) if name == "decode" else (lambda v: v)
        net.eval()
        out[f"{name}/result"] = last(net(given))
        net.train()
        result = last(net(given))
        out[f"{name}/weight"] = torch.randn_like(result)
        (result * out[f"{name}/weight"]).sum().backward()
        out |= {f"grad/{name}.{k}": p.grad for k, p in net.named_parameters()}
    path = pathlib.Path(__file__).with_name(file)
    save_file({k: v.detach().float().contiguous() for k, v in out.items()}, path)
    print(path, path.stat().st_size, "bytes, torch", torch.__version__)


if __name__ == "__main__":
    make("generator.safetensors", [], False)
    make("generator_hidden.safetensors", [7, 4], True)
