"""ResNet-50 on 224 x 224, or a small convolutional network on 28 x 28, in plain PyTorch: a training step (forward,
backward, SGD with momentum), or inference. Channels last, which is the faster layout (--contiguous: the other one)."""
import peer


def resnet50(torch):
    nn = torch.nn

    class Block(nn.Module):
        def __init__(self, channels, width, stride):
            super().__init__()
            out = 4 * width
            self.conv1, self.bn1 = nn.Conv2d(channels, width, 1, bias=False), nn.BatchNorm2d(width)
            self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(width)
            self.conv3, self.bn3 = nn.Conv2d(width, out, 1, bias=False), nn.BatchNorm2d(out)
            self.down = None
            if stride != 1 or channels != out:
                self.down = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))

        def forward(self, x):  # (N, C, H, W)
            y = torch.relu(self.bn1(self.conv1(x)))
            y = torch.relu(self.bn2(self.conv2(y)))
            return torch.relu(self.bn3(self.conv3(y)) + (x if self.down is None else self.down(x)))

    layers = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    channels = 64
    for stage, blocks in enumerate((3, 4, 6, 3)):
        for i in range(blocks):
            layers.append(Block(channels, 64 << stage, 2 if stage and i == 0 else 1))
            channels = 256 << stage
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, 1000))


def small(torch):
    nn = torch.nn
    return nn.Sequential(nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3, padding=1),
                         nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(3136, 128), nn.ReLU(), nn.Linear(128, 10))


NETWORKS = {  # what makes it, edge, channels, labels, multiplications of a picture
    "resnet": (resnet50, 224, 3, 1000, 4.0892e9),
    "cnn": (small, 28, 1, 10, 28 * 28 * 32 * 9 + 14 * 14 * 64 * 288 + 3136 * 128 + 1280),
}


def main():
    p = peer.parser(__doc__.split("\n")[0])
    p.add_argument("--network", choices=tuple(NETWORKS), default="resnet")
    p.add_argument("--batch", type=int, default=8)
    p.add_argument("--forward", action="store_true", help="inference instead of a training step")
    p.add_argument("--contiguous", action="store_true")
    o = p.parse_args()
    torch = peer.start(o)
    make, edge, channels, labels, multiplications = NETWORKS[o.network]
    layout = torch.contiguous_format if o.contiguous else torch.channels_last
    model = make(torch).to(memory_format=layout)
    x = torch.randn(o.batch, channels, edge, edge).contiguous(memory_format=layout)
    targets = torch.from_numpy(peer.ids(o.batch, labels))
    if o.forward:
        model = model.eval().requires_grad_(False)
        if o.dtype == "bf16":
            model, x = model.to(torch.bfloat16), x.to(torch.bfloat16)
    forward = peer.compiled(torch, o, lambda x: torch.nn.functional.cross_entropy(model(x).float(), targets))

    if o.forward:
        def step():
            with torch.inference_mode():
                return forward(x)
    else:
        sgd = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9, fused=True)

        def step():
            with peer.autocast(torch, o):
                loss = forward(x)
            loss.backward()
            sgd.step()
            sgd.zero_grad(set_to_none=True)
            return loss.detach()

    flops = 2 * multiplications * o.batch * (1 if o.forward else 3)
    peer.run(f"{o.network} {'infer' if o.forward else 'train'} B{o.batch}", o, step, flops)


if __name__ == "__main__":
    main()
