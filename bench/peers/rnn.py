"""Case 10: a layer of LSTM or GRU, forward alone or with backward; x is (B, T, C), as many units as channels."""
import peer


def main():
    p = peer.parser(__doc__, steps=10)
    p.add_argument("--kind", choices=("lstm", "gru"), default="lstm")
    for name, default in (("batch", 32), ("tokens", 128), ("width", 512)):
        p.add_argument(f"--{name}", type=int, default=default)
    p.add_argument("--backward", action="store_true")
    o = p.parse_args()
    torch = peer.start(o)
    dtype = torch.bfloat16 if o.dtype == "bf16" else torch.float32
    kind = torch.nn.LSTM if o.kind == "lstm" else torch.nn.GRU
    layer = kind(o.width, o.width, batch_first=True, dtype=dtype).train(o.backward)
    x = torch.randn(o.batch, o.tokens, o.width, dtype=dtype, requires_grad=o.backward)
    dy = torch.randn(o.batch, o.tokens, o.width, dtype=dtype)

    def scan(x):
        return layer(x)[0]

    scan = peer.compiled(torch, o, scan)

    def step():
        if o.backward:
            x.grad = None
            layer.zero_grad(set_to_none=True)
            scan(x).backward(dy)
        else:
            with torch.no_grad():
                scan(x)

    # Two products of (G*H, H) a step and row; backward twice that.
    flops = o.batch * o.tokens * (4 if o.kind == "lstm" else 3) * o.width**2 * (12 if o.backward else 4)
    what = "fwd+bwd" if o.backward else "fwd"
    peer.run(f"{o.kind} {what} B{o.batch} T{o.tokens} H{o.width}", o, step, flops)


if __name__ == "__main__":
    main()
