#!/usr/bin/env python3
"""Makes tests/golden/speech.safetensors: small CTC recognisers of PyTorch with the names of src/model/ctc.c: logits in
evaluation, loss (sum over samples) and gradients in training.

    ~/.cache/gradus/peers/bin/python tests/golden/make_speech.py        (torch 2.15, safetensors)
"""
import os
import torch
from torch import nn
import torch.nn.functional as F
from safetensors.torch import save_file

torch.manual_seed(3)


class Recogniser(nn.Module):
    def __init__(self, mels, maps, stride, cell, hidden, layers, both, symbols):
        super().__init__()
        ins, self.conv, self.norm = 1, nn.ModuleList(), nn.ModuleList()
        for out, s in zip(maps, stride):
            self.conv.append(nn.Conv2d(ins, out, 3, (s, 2), 1))
            self.norm.append(nn.BatchNorm2d(out))
            ins, mels = out, (mels - 1) // 2 + 1
        self.rnn = cell(mels * ins, hidden, layers, batch_first=True, bidirectional=both)
        self.head = nn.Linear(hidden * (2 if both else 1), symbols + 1)

    def forward(self, x, lengths):
        x = x[:, None]
        for conv, norm in zip(self.conv, self.norm):
            x = F.relu(norm(conv(x)))
        x = x.permute(0, 2, 3, 1).flatten(2)
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        y, _ = nn.utils.rnn.pad_packed_sequence(self.rnn(packed)[0], batch_first=True, total_length=x.shape[1])
        return self.head(y)


cases = {
    "lstm": (Recogniser(7, [3, 4], [2, 1], nn.LSTM, 5, 1, True, 4), 13, [7, 5, 6]),
    "gru": (Recogniser(6, [3], [2], nn.GRU, 4, 2, False, 4), 12, [6, 6, 4]),
}
out = {}
for name, (net, frames, lengths) in cases.items():
    net = net.double()
    mels = {"lstm": 7, "gru": 6}[name]
    x = torch.randn(3, frames, mels).double()
    targets, sizes = torch.tensor([[1, 2, 2], [4, 3, 0], [2, 0, 0]]), torch.tensor([3, 2, 1])
    for k, v in net.state_dict().items():
        if "tracked" not in k:
            if "running_var" in k:
                v.uniform_(0.5, 2)
            if "running_mean" in k:
                v.normal_(0, 0.3)
            out[f"{name}/begin/{k}"] = v.clone()
    out[f"{name}/x"], out[f"{name}/lengths"] = x, torch.tensor(lengths).int()
    out[f"{name}/targets"], out[f"{name}/symbols"] = targets.int(), sizes.int()
    net.eval()
    out[f"{name}/logits"] = net(x, torch.tensor(lengths)).detach()
    net.train()
    y = F.log_softmax(net(x, torch.tensor(lengths)), -1).transpose(0, 1)
    loss = F.ctc_loss(y, targets, torch.tensor(lengths), sizes, reduction="sum")
    loss.backward()
    out[f"{name}/loss"] = loss.detach()[None]
    out.update({f"{name}/grad/{k}": p.grad.clone() for k, p in net.named_parameters()})
out = {k: (v.float() if v.dtype == torch.float64 else v).contiguous() for k, v in out.items()}
save_file(out, os.path.join(os.path.dirname(__file__), "speech.safetensors"))
