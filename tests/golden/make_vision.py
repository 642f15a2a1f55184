#!/usr/bin/env python3
"""Makes tests/golden/vision.safetensors: small LeNets, ResNets, VGGs and MobileNets of PyTorch with torchvision's names (the modules are
written out here), their logits, loss and gradients, and what three steps of SGD leave, running statistics included.

    python tests/golden/make_vision.py        (torch, safetensors)
"""
import os
import torch
from torch import nn
import torch.nn.functional as F
from safetensors.torch import save_file

torch.manual_seed(11)
torch.use_deterministic_algorithms(True)


class LeNet(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 3, 5, padding=2)
        self.conv2 = nn.Conv2d(3, 4, 5)
        self.fc1 = nn.Linear(4 * 1 * 2, 10)
        self.fc2 = nn.Linear(10, 7)
        self.fc3 = nn.Linear(7, classes)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2).flatten(1)
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))


class Block(nn.Module):
    def __init__(self, ins, width, stride, deep):
        super().__init__()
        out = 4 * width if deep else width
        self.deep = deep
        self.conv1 = nn.Conv2d(ins, width, 1 if deep else 3, 1 if deep else stride, 0 if deep else 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride if deep else 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        if deep:
            self.conv3 = nn.Conv2d(width, out, 1, bias=False)
            self.bn3 = nn.BatchNorm2d(out)
        self.downsample = None
        if stride != 1 or ins != out:
            self.downsample = nn.Sequential(nn.Conv2d(ins, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        if self.deep:
            y = self.bn3(self.conv3(F.relu(y)))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    def __init__(self, layers, base, deep, small, classes):
        super().__init__()
        self.small, self.n = small, len(layers)
        self.conv1 = nn.Conv2d(3, base, 3 if small else 7, 1 if small else 2, 1 if small else 3, bias=False)
        self.bn1 = nn.BatchNorm2d(base)
        ins = base
        for s, n in enumerate(layers):
            width, blocks = base << s, []
            for i in range(n):
                blocks.append(Block(ins, width, 2 if s and not i else 1, deep))
                ins = 4 * width if deep else width
            setattr(self, f"layer{s + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(ins, classes)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        if not self.small:
            x = F.max_pool2d(x, 3, 2, 1)
        for s in range(self.n):
            x = getattr(self, f"layer{s + 1}")(x)
        return self.fc(x.mean((2, 3)))


class Residual(nn.Module):
    def __init__(self, body, shortcut):
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x):
        return self.body(x) + self.shortcut(x)


def layers():
    body = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1, groups=4), nn.BatchNorm2d(4), nn.Tanh())
    return nn.Sequential(nn.Conv2d(3, 4, 3, stride=(1, 2)), nn.BatchNorm2d(4, momentum=0.3), nn.LeakyReLU(),
                         Residual(body, nn.Sequential(nn.Conv2d(4, 4, 1))), nn.MaxPool2d(2), nn.GroupNorm(2, 4),
                         nn.Flatten(), nn.Linear(4 * 4 * 2, 6), nn.BatchNorm1d(6), nn.GELU(), nn.Linear(6, 5))


class VGG(nn.Module):
    def __init__(self):
        super().__init__()
        f, ins = [], 3
        for n, width in ((1, 4), (2, 6)):
            for _ in range(n):
                f += [nn.Conv2d(ins, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
                ins = width
            f.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*f)
        self.classifier = nn.Sequential(nn.Linear(6 * 4, 9), nn.ReLU(), nn.Dropout(0), nn.Linear(9, 5))

    def forward(self, x):
        return self.classifier(F.adaptive_avg_pool2d(self.features(x), 2).flatten(1))


class Unit(nn.Module):
    def __init__(self, ins, out, window, stride, groups):
        super().__init__()
        self.conv = nn.Conv2d(ins, out, window, stride, window // 2, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(out)

    def forward(self, x):
        return F.relu(self.norm(self.conv(x)))


class MobileNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = Unit(3, 4, 3, 2, 1)
        self.blocks = nn.Sequential()
        for i, (ins, out, stride) in enumerate(((4, 6, 1), (6, 8, 2))):
            block = nn.Sequential()
            block.add_module("depthwise", Unit(ins, ins, 3, stride, ins))
            block.add_module("pointwise", Unit(ins, out, 1, 1, 1))
            self.blocks.add_module(str(i), block)
        self.fc = nn.Linear(8, 5)

    def forward(self, x):
        return self.fc(self.blocks(self.stem(x)).mean((2, 3)))


class ViT(nn.Module):
    def __init__(self):
        super().__init__()
        from transformers import ViTConfig, ViTForImageClassification
        net = ViTForImageClassification(ViTConfig(hidden_size=8, num_hidden_layers=2, num_attention_heads=2,
                                                  intermediate_size=12, image_size=(8, 12), patch_size=4,
                                                  num_channels=3, num_labels=5))
        self.vit, self.classifier, self.net = net.vit, net.classifier, [net]

    def forward(self, x):
        return self.net[0](x).logits


cases = {
    "lenet": (LeNet(5), (4, 1, 12, 16)),
    "basic": (ResNet([2, 1, 1, 1], 4, False, False, 5), (4, 3, 40, 36)),
    "bottleneck": (ResNet([1, 2], 3, True, True, 5), (4, 3, 9, 8)),
    "layers": (layers(), (4, 3, 10, 10)),
    "vgg": (VGG(), (4, 3, 11, 12)),
    "mobilenet": (MobileNet(), (4, 3, 11, 12)),
    "vit": (ViT(), (4, 3, 8, 12)),
}
out = {}
for name, (net, shape) in cases.items():
    x, y = torch.randn(shape), torch.tensor([0, 3, 4, 1])
    out[f"{name}/x"], out[f"{name}/targets"] = x.permute(0, 2, 3, 1).contiguous(), y.int()
    keep = lambda kind: {f"{name}/{kind}/{k}": v.clone() for k, v in net.state_dict().items() if "tracked" not in k}
    out.update(keep("begin"))
    net.eval()
    out[f"{name}/logits"] = net(x).detach()
    net.train()
    sgd = torch.optim.SGD(net.parameters(), lr=0.05)
    losses = []
    for step in range(3):
        sgd.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        losses.append(loss.item())
        if step == 0:
            out.update({f"{name}/grad/{k}": p.grad.clone() for k, p in net.named_parameters()})
        sgd.step()
    out[f"{name}/losses"] = torch.tensor(losses)
    out.update({k: v for k, v in keep("end").items() if "running" in k or "fc" in k or "weight" in k and v.dim() == 1})
    net.eval()
    out[f"{name}/end_logits"] = net(x).detach()
save_file({k: v.contiguous() for k, v in out.items()}, os.path.join(os.path.dirname(__file__), "vision.safetensors"))
