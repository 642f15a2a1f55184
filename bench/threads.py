#!/usr/bin/env python3
"""What a second thread brings, and what a busy neighbour costs, for us and for the peer, in one run.

    bench/threads.py --us "build/gradus bench step --serve" --peer "$PY bench/peers/gpt2_step.py --serve"

'--threads N' is added to both commands. Each round takes, for us and for the peer, slices with one thread and with two in
turn (interleave.py says why), then with two threads, quiet and while a loop that does nothing else is pinned to one of the
cores. Printed: medians, and the median over --rounds of the ratios of a round with its spread.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from interleave import Program, in_turn, rounds_of, spread_of, steps_of, wait_for_idle  # noqa: E402


class Neighbour:
    """A loop on one core for as long as the block lasts."""

    def __init__(self, core):
        self.core = core

    def __enter__(self):
        self.process = subprocess.Popen(["taskset", "-c", self.core, sys.executable, "-c", "while True: pass"])

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def quiet_and_busy(program, steps, core):
    """Times without and with the loop, from slices quiet, busy, busy, quiet."""
    quiet = program.run(steps)
    with Neighbour(core):
        time.sleep(0.2)  # it has to start
        busy = program.run(2 * steps)
    program.settle()
    return quiet + program.run(steps), busy


def ratio(above, below):
    """The median of the rounds' ratios, and its spread."""
    ratios = [a / b for a, b in zip(above, below)]
    return statistics.median(ratios), spread_of(ratios)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--us", required=True, metavar="COMMAND")
    p.add_argument("--peer", required=True, metavar="COMMAND")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--steps", type=int, help="steps of a slice (default: a twentieth of a second)")
    p.add_argument("--warmup", type=int, default=2)
    p.add_argument("--patience", type=float, default=60)
    p.add_argument("--cpus", help="pin all to these, as taskset -c; the loop to the first (default: the loop alone, to 0)")
    p.add_argument("--json", action="store_true")
    o = p.parse_args()

    program = {(who, n): Program(f"{command} --threads {n}", o.cpus)
               for n in (1, 2) for who, command in (("us", o.us), ("peer", o.peer))}
    for q in program.values():
        q.run(o.warmup)
        q.settle()
    core = (o.cpus or "0").replace("-", ",").split(",")[0]
    seconds = {who: {"one": [], "two": [], "quiet": [], "busy": []} for who in ("us", "peer")}
    for who, kept in seconds.items():
        one, two = program[who, 1], program[who, 2]
        step = min(two.run(3))
        steps = o.steps or steps_of(step)
        for _ in range(o.rounds):
            wait_for_idle(o.patience, o.cpus)
            rounds = rounds_of(steps, step)
            turns = in_turn((one, two), steps, rounds)
            turns += quiet_and_busy(two, steps * rounds // 2, core)
            for what, times in zip(kept, turns):
                kept[what].append(statistics.median(times))
    for q in program.values():
        q.end()

    result = {who: {**{what: statistics.median(times) for what, times in kept.items()},
                    "scaling": ratio(kept["one"], kept["two"]), "slowed": ratio(kept["busy"], kept["quiet"])}
              for who, kept in seconds.items()}
    if o.json:
        print(json.dumps(result))
        return
    print(f"{'':6}{'1 thread':>12}{'2 threads':>12}{'1 -> 2':>15}{'quiet':>12}{'busy core':>12}{'slowed':>15}")
    for who, r in result.items():
        ms = {what: f"{r[what] * 1e3:9.1f} ms" for what in ("one", "two", "quiet", "busy")}
        times = {what: "{:.2f}x ± {:.1%}".format(*r[what]).rjust(15) for what in ("scaling", "slowed")}
        print(f"{who:6}{ms['one']}{ms['two']}{times['scaling']}{ms['quiet']}{ms['busy']}{times['slowed']}", flush=True)


if __name__ == "__main__":
    main()
