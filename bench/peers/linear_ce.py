"""Case 8: linear and cross-entropy, forward and backward: x (1024, 768), W (50257, 768), both gradients."""
import peer


def main():
    p = peer.parser(__doc__)
    for name, default in (("rows", 1024), ("width", 768), ("vocab", 50257)):
        p.add_argument(f"--{name}", type=int, default=default)
    o = p.parse_args()
    torch = peer.start(o)
    x = torch.randn(o.rows, o.width, requires_grad=True)
    w = (torch.randn(o.vocab, o.width) * 0.02).requires_grad_()
    targets = torch.from_numpy(peer.ids(o.rows, o.vocab))

    def forward(x, w):
        return torch.nn.functional.cross_entropy(torch.nn.functional.linear(x, w), targets)

    forward = peer.compiled(torch, o, forward)

    def step():
        x.grad = w.grad = None
        with peer.autocast(torch, o):
            loss = forward(x, w)
        loss.backward()
        return loss.detach()

    peer.run(f"linear_ce {o.rows}x{o.width}x{o.vocab}", o, step, 6 * o.rows * o.width * o.vocab)


if __name__ == "__main__":
    main()
