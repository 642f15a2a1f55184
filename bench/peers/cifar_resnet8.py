#!/usr/bin/env python3
"""examples/cifar_resnet8.yaml in PyTorch: the same network, pictures, augmentation, schedule, epochs, batch and optimiser;
other random numbers. Prints the accuracy on the test pictures.

    python bench/peers/cifar_resnet8.py DATA [SEED]        (torch, Pillow; DATA: the folder images/cifar10)
"""
import io
import os
import sys
import tarfile
import time

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

EPOCHS, BATCH, PEAK = 6, 128, 0.15


def load(path):
    pictures, names = [], []
    with tarfile.open(path) as tar:
        for entry in tar:
            if entry.isfile():
                pictures.append(np.asarray(Image.open(io.BytesIO(tar.extractfile(entry).read())).convert("RGB")))
                names.append(entry.name.split("/")[-2])
    classes = sorted(set(names))
    return np.stack(pictures), np.array([classes.index(n) for n in names])


class Block(nn.Module):
    def __init__(self, ins, width, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(ins, width, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(width), nn.BatchNorm2d(width)
        self.skip = nn.Identity()
        if stride != 1:
            self.skip = nn.Sequential(nn.Conv2d(ins, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x):
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))) + self.skip(x))


def resnet8():
    net = nn.Sequential(nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), Block(16, 16, 1),
                        Block(16, 32, 2), Block(32, 64, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))
    for m in net.modules():
        if isinstance(m, nn.Conv2d):
            nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
    return net.to(memory_format=torch.channels_last)


def augment(x, fill):
    n, _, h, w = x.shape
    padded = fill.expand(n, 3, h + 8, w + 8).clone()
    padded[:, :, 4:-4, 4:-4] = x
    out = torch.empty_like(x)
    for i, (dy, dx, flip) in enumerate(zip(torch.randint(9, (n,)), torch.randint(9, (n,)), torch.rand(n) < 0.5)):
        cut = padded[i, :, dy : dy + h, dx : dx + w]
        out[i] = cut.flip(2) if flip else cut
    return out


def main():
    torch.manual_seed(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    train, labels = load(sys.argv[1] + "/train.tar.gz")
    test, answers = load(sys.argv[1] + "/test.tar.gz")
    mean, std = train.mean((0, 1, 2)) / 255, train.std((0, 1, 2)) / 255
    prepare = lambda a: torch.tensor((a / 255 - mean) / std, dtype=torch.float32).permute(0, 3, 1, 2)
    x, y, tx, ty = prepare(train), torch.tensor(labels), prepare(test), torch.tensor(answers)
    fill = torch.tensor(-mean / std, dtype=torch.float32).view(1, 3, 1, 1)
    net = resnet8()
    sgd = torch.optim.SGD(net.parameters(), lr=PEAK, momentum=0.9, nesterov=True, weight_decay=5e-4)
    steps = EPOCHS * (len(x) // BATCH)
    rate = torch.optim.lr_scheduler.OneCycleLR(sgd, PEAK, total_steps=steps + 1, cycle_momentum=False)
    begin = time.time()
    for epoch in range(EPOCHS):
        order = torch.randperm(len(x))
        for first in range(0, len(x) - BATCH + 1, BATCH):
            rows = order[first : first + BATCH]
            loss = F.cross_entropy(net(augment(x[rows], fill).contiguous(memory_format=torch.channels_last)), y[rows])
            sgd.zero_grad()
            loss.backward()
            sgd.step()
            rate.step()
        net.eval()
        with torch.no_grad():
            right = sum((net(tx[i : i + 500]).argmax(1) == ty[i : i + 500]).sum().item() for i in range(0, len(tx), 500))
        net.train()
        print(f"epoch {epoch + 1}: accuracy {right / len(tx):.4f}, {time.time() - begin:.0f} s", flush=True)


main()
