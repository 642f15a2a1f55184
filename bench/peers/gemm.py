"""The rate of one large matrix product, for the peak of the machine: C = A.B, each n x n."""
import peer


def main():
    p = peer.parser(__doc__, steps=20)
    p.add_argument("--n", type=int, default=2048)
    o = p.parse_args()
    torch = peer.start(o)
    dtype = torch.bfloat16 if o.dtype == "bf16" else torch.float32
    a, b = (torch.randn(o.n, o.n, dtype=dtype) for _ in range(2))
    c = torch.empty(o.n, o.n, dtype=dtype)

    def step():
        torch.mm(a, b, out=c)

    peer.run(f"gemm {o.n}", o, step, 2 * o.n**3)


if __name__ == "__main__":
    main()
