"""A training step of a plain network, ReLU between the layers, cross-entropy, fused Adam: 784-512-512-10 by default."""
import peer


def main():
    p = peer.parser(__doc__, steps=200)
    p.add_argument("--widths", default="784,512,512,10")
    p.add_argument("--batch", type=int, default=32)
    o = p.parse_args()
    torch = peer.start(o)
    widths = [int(w) for w in o.widths.split(",")]
    layers = []
    for a, b in zip(widths, widths[1:]):
        layers += [torch.nn.Linear(a, b), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])
    adam = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    x = torch.rand(o.batch, widths[0])
    targets = torch.from_numpy(peer.ids(o.batch, widths[-1]))
    forward = peer.compiled(torch, o, lambda x: torch.nn.functional.cross_entropy(model(x), targets))

    def step():
        with peer.autocast(torch, o):
            loss = forward(x)
        loss.backward()
        adam.step()
        adam.zero_grad(set_to_none=True)
        return loss.detach()

    flops = 6 * o.batch * sum(a * b for a, b in zip(widths, widths[1:]))
    peer.run(f"mlp_step {o.widths} B{o.batch}", o, step, flops)


if __name__ == "__main__":
    main()
