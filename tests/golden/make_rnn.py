#!/usr/bin/env python3
"""Golden values for tests/test_rnn.c: PyTorch's LSTM, GRU and RNN with the gradients of sum(y*r) + sum(h_n*rh) (+
sum(c_n*rc)), computed in f64 from f32 operands.

    ~/.cache/gradus/peers/bin/python tests/golden/make_rnn.py     (torch 2.15)

For each case "<case>/x", "h0", "c0", the parameters by PyTorch's names, "lengths" (where there are some), "r", "rh", "rc",
"y", "h_n", "c_n", and "d:<name>" for the gradient of each operand."""
import pathlib

import numpy as np
import torch
from safetensors.numpy import save_file
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

rng = np.random.default_rng(12)
out = {}


def draw(*shape):
    return torch.tensor(rng.normal(size=shape).astype(np.float32), dtype=torch.float64)


def case(name, kind, batch, steps, size, hidden, lengths=None, states=True, **options):
    layer = kind(size, hidden, batch_first=True, **options).double()
    with torch.no_grad():
        for p in layer.parameters():
            p.copy_(draw(*p.shape) / 2)
    many = layer.num_layers * (2 if layer.bidirectional else 1)
    leaves = dict(x=draw(batch, steps, size))
    if states:
        leaves["h0"] = draw(many, batch, hidden)
        if kind is torch.nn.LSTM:
            leaves["c0"] = draw(many, batch, hidden)
    for t in leaves.values():
        t.requires_grad_()
    first = None
    if states:
        first = (leaves["h0"], leaves["c0"]) if kind is torch.nn.LSTM else leaves["h0"]
    x = leaves["x"]
    if lengths:
        packed = pack_padded_sequence(x, torch.tensor(lengths), batch_first=True, enforce_sorted=False)
        y, last = layer(packed, first)
        y, _ = pad_packed_sequence(y, batch_first=True, total_length=steps)
        out[f"{name}/lengths"] = np.array(lengths, np.int32)
    else:
        y, last = layer(x, first)
    results = dict(y=y, h_n=last[0], c_n=last[1]) if kind is torch.nn.LSTM else dict(y=y, h_n=last)
    loss = 0
    for key, t in results.items():
        weight = draw(*t.shape)
        loss = loss + (t * weight).sum()
        out[f"{name}/{dict(y='r', h_n='rh', c_n='rc')[key]}"] = weight.numpy().astype(np.float32)
        out[f"{name}/{key}"] = t.detach().numpy().astype(np.float32)
    loss.backward()
    for key, t in {**leaves, **dict(layer.named_parameters())}.items():
        out[f"{name}/{key}"] = t.detach().numpy().astype(np.float32)
        out[f"{name}/d:{key}"] = t.grad.numpy().astype(np.float32)


LSTM, GRU, RNN = torch.nn.LSTM, torch.nn.GRU, torch.nn.RNN
case("lstm", LSTM, 2, 5, 3, 4)
case("lstm_no_bias", LSTM, 2, 3, 3, 4, bias=False, states=False)
case("lstm_lengths", LSTM, 3, 5, 3, 4, lengths=[3, 5, 1])
case("lstm_both", LSTM, 3, 4, 3, 5, lengths=[4, 2, 3], num_layers=2, bidirectional=True)
case("gru", GRU, 2, 5, 3, 4)
case("gru_two", GRU, 2, 4, 3, 4, num_layers=2, states=False)
case("gru_both", GRU, 3, 4, 3, 5, lengths=[1, 4, 3], num_layers=2, bidirectional=True)
case("rnn_tanh", RNN, 2, 5, 3, 4, num_layers=2)
case("rnn_relu", RNN, 3, 4, 3, 4, lengths=[2, 4, 3], nonlinearity="relu", bidirectional=True)

path = pathlib.Path(__file__).with_name("rnn.safetensors")
save_file({key: np.ascontiguousarray(t) for key, t in out.items()}, path)  # y lies with its axes swapped
print(path, path.stat().st_size, "bytes, torch", torch.__version__)
