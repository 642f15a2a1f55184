#!/usr/bin/env python3
"""Products of few rows with packed weights that come from memory, ours beside the best of oneDNN (the one that the program
is built with and PyTorch's, each with weights in its own order) and OpenBLAS (numpy's, f32). `./dev bench skinny` comes here.

    bench/skinny.py --program build/gradus --python PYTHON [--m 1 8] [--shape 3072x768] [--dtype f32] [--pairs N] ...

Each case goes through interleave.py: ours and the fastest peer in turn. Printed: the ratio of medians (above 1: we are
faster) of each case, their geometric mean per number of rows, over all, and the least."""
import argparse
import json
import math
import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROWS, SHAPES, DTYPES = (1, 2, 4, 8, 16, 32, 64), ("3072x768", "768x3072", "4096x4096"), ("f32", "bf16")


def measure(o, dtype, shape, m):
    n, k = shape.split("x")
    size = f"--m {m} --n {n} --k {k} --dtype {dtype} --threads {o.threads} --serve"
    ours = f"{o.program} bench gemm --packed --cold {size}"
    libraries = ["onednn"] + (["openblas"] if dtype == "f32" else [])
    peers = [f"{ours} --engine onednn"] + [f"{o.python} {HERE}/peers/skinny.py --library {x} {size}" for x in libraries]
    command = [sys.executable, os.path.join(HERE, "interleave.py"), "--json", "--us", ours, "--pairs", str(o.pairs),
               "--steps", str(o.steps), "--warmup", "3", "--patience", str(o.patience)]
    command += [word for p in peers for word in ("--peer", p)]
    command += ["--cpus", o.cpus] if o.cpus else []
    command += ["--busy-ok"] if o.busy_ok else []
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if not done.stdout:
        sys.exit(f"skinny: the driver failed at {m} rows of {shape} {dtype}")
    r = json.loads(done.stdout)
    r |= {"dtype": dtype, "shape": shape, "m": m, "status": done.returncode,
          "bytes": int(n) * int(k) * (2 if dtype == "bf16" else 4)}
    peer = r["peer"]["command"]
    r["library"] = "openblas" if "openblas" in peer else "PyTorch's" if "peers/" in peer else "oneDNN"
    return r


def mean(ratios):
    return math.exp(statistics.fmean(math.log(x) for x in ratios))


def print_case(r):
    def side(f):
        return f"{f['median'] * 1e3:9.3f} ms {r['bytes'] / f['median'] * 1e-9:6.1f} GB/s"

    print(f"{r['dtype']:5}{r['shape']:>10}{r['m']:4} {side(r['us'])} |{side(r['peer'])}  {r['library']:10}"
          f"{r['ratio_median']:6.2f}  of least times {r['ratio_min']:.2f}"
          f"{'  refused: ' + r['refused'][0] if r['refused'] else ''}", flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--program", required=True)
    p.add_argument("--python", required=True, help="with PyTorch and numpy: bench/env.sh prints it")
    p.add_argument("--m", type=int, nargs="+", default=ROWS)
    p.add_argument("--shape", nargs="+", default=SHAPES, metavar="NxK")
    p.add_argument("--dtype", nargs="+", choices=DTYPES, default=DTYPES)
    p.add_argument("--threads", type=int, default=os.cpu_count())
    p.add_argument("--pairs", type=int, default=5)
    p.add_argument("--steps", type=int, default=20)
    p.add_argument("--patience", type=float, default=60)
    p.add_argument("--cpus")
    p.add_argument("--busy-ok", action="store_true")
    p.add_argument("--json", action="store_true")
    o = p.parse_args()
    results = []
    for dtype in o.dtype:
        for shape in o.shape:
            for m in o.m:
                results.append(measure(o, dtype, shape, m))
                if not o.json:
                    print_case(results[-1])
    if o.json:
        print(json.dumps(results))
    else:
        for dtype in o.dtype:
            rows = [(m, [r["ratio_median"] for r in results if r["dtype"] == dtype and r["m"] == m]) for m in o.m]
            print(f"{dtype}, ratio of medians by rows: " + ", ".join(f"{m}: {mean(x):.2f}" for m, x in rows))
        for what in ("ratio_median", "ratio_min"):
            ratios = [r[what] for r in results]
            print(f"{what}: geometric mean {mean(ratios):.3f}, least {min(ratios):.3f}")
    sys.exit(0 if o.busy_ok else max(r["status"] for r in results))


if __name__ == "__main__":
    main()
