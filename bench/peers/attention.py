"""Case 9: causal attention (SDPA), forward alone or with backward; q, k, v are (B, H, T, D)."""
import peer


def main():
    p = peer.parser(__doc__, steps=10)
    for name, default in (("batch", 1), ("heads", 12), ("tokens", 1024), ("head-size", 64)):
        p.add_argument(f"--{name}", type=int, default=default)
    p.add_argument("--backward", action="store_true")
    o = p.parse_args()
    torch = peer.start(o)
    dtype = torch.bfloat16 if o.dtype == "bf16" else torch.float32
    # As a network has them: (B, T, H, D) seen as (B, H, T, D).
    q, k, v = (torch.randn(o.batch, o.tokens, o.heads, o.head_size, dtype=dtype).transpose(1, 2) for _ in range(3))
    for t in (q, k, v):
        t.requires_grad_(o.backward)
    dy = torch.randn(o.batch, o.tokens, o.heads, o.head_size, dtype=dtype).transpose(1, 2)

    def attend(q, k, v):
        return torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)

    attend = peer.compiled(torch, o, attend)

    def step():
        y = attend(q, k, v)
        if o.backward:
            q.grad = k.grad = v.grad = None
            y.backward(dy)

    pairs = o.batch * o.heads * o.tokens * (o.tokens + 1) // 2
    flops = pairs * o.head_size * (14 if o.backward else 4)  # two products forward, five backward
    what = "fwd+bwd" if o.backward else "fwd"
    peer.run(f"attention {what} B{o.batch} H{o.heads} T{o.tokens} D{o.head_size}", o, step, flops)


if __name__ == "__main__":
    main()
