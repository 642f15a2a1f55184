#!/usr/bin/env python3
"""What a second thread brings, and what a busy neighbour costs, for us and for the peer, in one run.

    bench/threads.py --us "build/gradus bench step --serve" --peer "$PY bench/peers/gpt2_step.py --serve"

'--threads N' is added to both commands. Samples are taken in turn: ours and the peer's with one thread, with two, and with
two while a loop that does nothing else is pinned to one of the cores. Medians of --rounds samples.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from interleave import Program, wait_for_idle  # noqa: E402


class Neighbour:
    """A loop on core 0 for as long as the block lasts."""

    def __enter__(self):
        self.process = subprocess.Popen(["taskset", "-c", "0", sys.executable, "-c", "while True: pass"])

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--us", required=True, metavar="COMMAND")
    p.add_argument("--peer", required=True, metavar="COMMAND")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--steps", type=int, default=3, help="steps of a sample, whose time is their median")
    p.add_argument("--warmup", type=int, default=2)
    p.add_argument("--patience", type=float, default=60)
    p.add_argument("--json", action="store_true")
    o = p.parse_args()

    program = {(who, n): Program(f"{command} --threads {n}")
               for n in (1, 2) for who, command in (("us", o.us), ("peer", o.peer))}
    for q in program.values():
        q.run(o.warmup)
    seconds = {}

    def sample(key, case):
        seconds.setdefault((key[0], case), []).append(statistics.median(program[key].run(o.steps)))

    for _ in range(o.rounds):
        for n in (1, 2):
            for who in ("us", "peer"):
                wait_for_idle(o.patience)
                sample((who, n), str(n))
        wait_for_idle(o.patience)
        for who in ("us", "peer"):
            with Neighbour():
                sample((who, 2), "busy")
    for q in program.values():
        q.end()

    median = {key: statistics.median(t) for key, t in seconds.items()}
    result = {who: {"one": median[who, "1"], "two": median[who, "2"], "busy": median[who, "busy"],
                    "scaling": median[who, "1"] / median[who, "2"], "slowed": median[who, "busy"] / median[who, "2"]}
              for who in ("us", "peer")}
    if o.json:
        print(json.dumps(result))
        return
    print(f"{'':6}{'1 thread':>12}{'2 threads':>12}{'1 -> 2':>8}{'busy core':>12}{'slowed':>8}")
    for who, r in result.items():
        print(f"{who:6}{r['one'] * 1e3:9.1f} ms{r['two'] * 1e3:9.1f} ms{r['scaling']:7.2f}x{r['busy'] * 1e3:9.1f} ms"
              f"{r['slowed']:7.2f}x")


if __name__ == "__main__":
    main()
