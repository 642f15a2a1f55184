#!/usr/bin/env python3
"""Makes tests/golden/clip.safetensors: a small clip classifier of PyTorch with the names of src/model/clip.c: logits in
evaluation, loss and gradients in training.

    ~/.cache/gradus/peers/bin/python tests/golden/make_clip.py        (torch 2.15, safetensors)
"""
import os
import torch
from torch import nn
import torch.nn.functional as F
from safetensors.torch import save_file

torch.manual_seed(4)


class Clip(nn.Module):
    def __init__(self, size, maps, cell, hidden, classes):
        super().__init__()
        ins, self.conv, self.norm = 1, nn.ModuleList(), nn.ModuleList()
        h, w = size
        for out in maps:
            self.conv.append(nn.Conv2d(ins, out, 3, 2, 1))
            self.norm.append(nn.BatchNorm2d(out))
            ins, h, w = out, (h - 1) // 2 + 1, (w - 1) // 2 + 1
        self.rnn = cell(h * w * ins, hidden, batch_first=True)
        self.head = nn.Linear(hidden, classes)

    def forward(self, x):  # (N, F, 1, H, W)
        n, f = x.shape[:2]
        x = x.flatten(0, 1)
        for conv, norm in zip(self.conv, self.norm):
            x = F.relu(norm(conv(x)))
        return self.head(self.rnn(x.reshape(n, f, -1))[0][:, -1])


out = {}
for name, net in {"gru": Clip((9, 7), [3, 4], nn.GRU, 5, 4), "lstm": Clip((9, 7), [3], nn.LSTM, 4, 4)}.items():
    net = net.double()
    x, y = torch.randn(3, 4, 1, 9, 7).double(), torch.tensor([0, 3, 1])
    for k, v in net.state_dict().items():
        if "tracked" not in k:
            if "running_var" in k:
                v.uniform_(0.5, 2)
            if "running_mean" in k:
                v.normal_(0, 0.3)
            out[f"{name}/begin/{k}"] = v.clone()
    out[f"{name}/x"], out[f"{name}/targets"] = x.permute(0, 1, 3, 4, 2), y.int()
    net.eval()
    out[f"{name}/logits"] = net(x).detach()
    net.train()
    loss = F.cross_entropy(net(x), y, reduction="sum")
    loss.backward()
    out[f"{name}/loss"] = loss.detach()[None]
    out.update({f"{name}/grad/{k}": p.grad.clone() for k, p in net.named_parameters()})
out = {k: (v.float() if v.dtype == torch.float64 else v).contiguous() for k, v in out.items()}
save_file(out, os.path.join(os.path.dirname(__file__), "clip.safetensors"))
