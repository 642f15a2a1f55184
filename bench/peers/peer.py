"""What all peer programs share: options, timing, and the protocol by which a driver steers them.

    python3 gpt2_step.py --steps 5            runs by itself and prints times
    python3 gpt2_step.py --serve              obeys a driver (bench/interleave.py)

The protocol, spoken by `gradus bench step ... --serve` as well: lines on standard input, one JSON object per line as
the answer on standard output, nothing else on standard output, end of input is "quit".

    step N   -> {"seconds": [N numbers], "loss": [N numbers], "rss_mib": peak resident memory of the process,
                 "cpu_seconds": [N numbers], optional: CPU time of all threads}
    quit     -> the process ends

A step is the whole work of the case, from its inputs to its result; between two lines the process is idle. Making the
data, compiling and warming up happen in the first step, so a driver throws the first ones away.

Data are random but the same everywhere: number i of stream s is splitmix64(s * 2^32 + i), see `ids`.
"""
import argparse
import ctypes
import json
import os
import resource
import statistics
import sys
import time


def parser(description, steps=5):
    p = argparse.ArgumentParser(description=description)
    p.add_argument("--dtype", choices=("f32", "bf16"), default="f32", help="bf16: autocast, masters stay f32")
    p.add_argument("--mode", choices=("eager", "compile"), default="eager")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--steps", type=int, default=steps)
    p.add_argument("--warmup", type=int, default=2)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--malloc", choices=("default", "tuned"), default="tuned",
                   help="tuned: big blocks are kept instead of given back to the system after each step, on huge pages")
    p.add_argument("--json", action="store_true")
    p.add_argument("--serve", action="store_true", help="obey 'step N' lines on standard input")
    return p


def start(options):
    """Sets threads, allocator and seed; to be called before the first `import torch`."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(options.threads)
    if options.malloc == "tuned":
        os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
        libc = ctypes.CDLL(None)
        m_trim_threshold, m_top_pad, m_mmap_threshold = -1, -2, -3
        libc.mallopt(m_mmap_threshold, 1 << 30)
        libc.mallopt(m_trim_threshold, 2**31 - 1)
        libc.mallopt(m_top_pad, 64 << 20)
    import torch

    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    torch.set_flush_denormal(True)
    return torch


def autocast(torch, options):
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=options.dtype == "bf16")


def compiled(torch, options, function):
    return torch.compile(function) if options.mode == "compile" else function


def ids(count, below, stream=0):
    """`count` integers in [0, below): splitmix64(stream * 2^32 + i) mod below."""
    import numpy

    with numpy.errstate(over="ignore"):
        z = numpy.arange(count, dtype=numpy.uint64) + numpy.uint64(stream << 32)
        z = (z + numpy.uint64(1)) * numpy.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
        z = z ^ (z >> numpy.uint64(31))
    return (z % numpy.uint64(below)).astype(numpy.int64)


def rss_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def timed(step, count):
    seconds, cpu_seconds, losses = [], [], []
    for _ in range(count):
        begin, cpu_begin = time.perf_counter(), time.process_time()
        loss = step()
        seconds.append(time.perf_counter() - begin)
        cpu_seconds.append(time.process_time() - cpu_begin)
        losses.append(None if loss is None else float(loss))
    return {"seconds": seconds, "loss": losses, "rss_mib": round(rss_mib(), 1), "cpu_seconds": cpu_seconds}


def serve(step):
    for line in sys.stdin:
        words = line.split()
        if not words:
            continue
        if words[0] == "quit":
            break
        if words[0] == "step" and len(words) == 2 and words[1].isdigit():
            print(json.dumps(timed(step, int(words[1]))), flush=True)
        else:
            print(json.dumps({"error": f"unknown line {line.strip()!r}"}), flush=True)


def run(name, options, step, flops=None):
    """Runs `step` as the options say. flops: of one step, to print the rate."""
    if options.serve:
        return serve(step)
    timed(step, options.warmup)
    result = timed(step, options.steps)
    best, median = min(result["seconds"]), statistics.median(result["seconds"])
    if options.json:
        result |= {"name": name, "min": best, "median": median, "dtype": options.dtype, "mode": options.mode,
                   "threads": options.threads, "flops": flops}
        print(json.dumps(result))
        return
    rate = f", {flops / best * 1e-9:.0f} GFLOP/s" if flops else ""
    loss = "" if result["loss"][-1] is None else f", loss {result['loss'][0]:.4f} .. {result['loss'][-1]:.4f}"
    print(f"{name} {options.dtype} {options.mode}: min {best * 1e3:.2f} ms, median {median * 1e3:.2f} ms"
          f"{rate}, CPU {min(result['cpu_seconds']) * 1e3:.2f} ms, peak RSS {rss_mib():.0f} MiB{loss}")
