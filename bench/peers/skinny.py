"""A few rows times a weight that was laid out before, cold: C (m, n) = A (m, k) . W (n, k) transposed.

--library onednn: the one inside PyTorch, with W in the order that it asks for; openblas (f32): the one inside numpy, which
reads W as it lies. Another W each step, out of as many as `gradus bench gemm --cold` takes."""
import os

import peer


def cold_bytes():
    """Past the last cache by a quarter, at least 160 MiB, at most 1 GiB."""
    try:
        with open("/sys/devices/system/cpu/cpu0/cache/index3/size") as f:
            cache = int(f.read().strip().rstrip("K")) << 10
    except (OSError, ValueError):
        cache = 0
    return min(max(160 << 20, cache // 4 * 5), 1 << 30)


def copies(o):
    return cold_bytes() // (o.n * o.k * (2 if o.dtype == "bf16" else 4)) + 2


def by_onednn(o):
    torch = peer.start(o)
    dtype = torch.bfloat16 if o.dtype == "bf16" else torch.float32
    a = torch.rand(o.m, o.k).sub_(0.5).to(dtype)

    def ordered():
        w = torch.rand(o.n, o.k).sub_(0.5).to(dtype)
        return torch.ops.mkldnn._reorder_linear_weight(w, o.m)

    weights = [ordered() for _ in range(copies(o))]
    product = torch.ops.mkldnn._linear_pointwise

    def step(turn=[0]):
        turn[0] = (turn[0] + 1) % len(weights)
        with torch.inference_mode():
            product(a, weights[turn[0]], None, "none", [], "")

    return step


def by_openblas(o):
    if o.dtype != "f32":
        raise SystemExit("skinny: this OpenBLAS has no bf16")
    os.environ["OPENBLAS_NUM_THREADS"] = str(o.threads)
    import numpy

    random = numpy.random.default_rng(o.seed)
    a = random.random((o.m, o.k), dtype=numpy.float32)
    c = numpy.empty((o.m, o.n), dtype=numpy.float32)
    weights = [random.random((o.n, o.k), dtype=numpy.float32).T for _ in range(copies(o))]

    def step(turn=[0]):
        turn[0] = (turn[0] + 1) % len(weights)
        numpy.matmul(a, weights[turn[0]], out=c)

    return step


def main():
    p = peer.parser(__doc__, steps=20)
    p.add_argument("--m", type=int, default=8)
    p.add_argument("--n", type=int, default=4096)
    p.add_argument("--k", type=int, default=4096)
    p.add_argument("--library", choices=("onednn", "openblas"), default="onednn")
    o = p.parse_args()
    step = by_onednn(o) if o.library == "onednn" else by_openblas(o)
    peer.run(f"skinny {o.m}x{o.n}x{o.k} {o.library}", o, step, 2 * o.m * o.n * o.k)


if __name__ == "__main__":
    main()
