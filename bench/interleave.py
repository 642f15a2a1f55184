#!/usr/bin/env python3
"""Two programs measured in turn, in one run on one machine. Needs nothing but Python.

    bench/interleave.py --us "build/gradus bench step --dtype bf16 --serve" \\
                        --peer "$PY bench/peers/gpt2_step.py --dtype bf16 --serve" \\
                        --peer "$PY bench/peers/gpt2_step.py --dtype bf16 --mode compile --serve"

All programs speak the protocol of bench/peers/peer.py. Where several peers are given (eager and compiled), each is
tried first, in turn, and the fastest goes on; the others end. Then pairs of samples are taken. A shared host has phases of
a quarter of a second to minutes in which everything takes up to twice as long, so that a pair is made of slices: us,
peer, peer, us, us, peer, ... of --steps steps each (a twentieth of a second, behind as many that do not count), until each
side has run for about half a second; a sample is the median of the steps of its slices. Before each pair the driver waits until the machine is idle
(less than 6 % busy), for at most --patience seconds, and before each slice until all threads of the other program sleep.

The verdict is the ratio peer / us of the medians of all samples and of the least samples (above 1: we are faster). The
spread is half of what the ratios of the pairs range over, divided by their median: of all of them, or from eight pairs on
of the middle half (a range grows with the number of samples: it would punish who measures longer). Above 8 % the result
is refused (exit status 5), as it is when the machine was not idle (--busy-ok: measure all the same and say so).
"""
import argparse
import glob
import json
import shlex
import statistics
import subprocess
import sys
import time

IDLE, SPREAD, SAMPLE, SLICE, TRIALS = 0.06, 0.08, 0.5, 0.05, 4


class Program:
    def __init__(self, command, cpus=None):
        prefix = ["taskset", "-c", cpus] if cpus else []
        self.command = command
        self.process = subprocess.Popen(prefix + shlex.split(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        self.seconds, self.loss, self.rss_mib = [], [], 0.0

    def run(self, steps):
        """The times of so many more steps; losses and peak memory are kept."""
        try:
            self.process.stdin.write(f"step {steps}\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            sys.exit(f"interleave: '{self.command}' ended with status {self.process.wait()}")
        try:
            answer = json.loads(line)
            seconds, self.rss_mib = answer["seconds"], max(self.rss_mib, answer["rss_mib"])
        except (ValueError, KeyError, TypeError):
            sys.exit(f"interleave: '{self.command}' answered {line.strip()[:200]!r}")
        self.loss += answer.get("loss", [])
        return seconds

    def settle(self, patience=1.0):
        """Waits until all threads sleep: those of a parallel section go on looking for work for a while."""
        deadline = time.monotonic() + patience
        while self.is_running() and time.monotonic() < deadline:
            time.sleep(0.001)

    def is_running(self):
        for path in glob.glob(f"/proc/{self.process.pid}/task/*/stat"):
            try:
                with open(path) as f:
                    if f.read().rsplit(")", 1)[1].split()[0] == "R":
                        return True
            except FileNotFoundError:
                pass
        return False

    def end(self):
        try:
            self.process.stdin.write("quit\n")
            self.process.stdin.close()
            self.process.wait(30)
        except (BrokenPipeError, subprocess.TimeoutExpired):
            self.process.kill()


def cores_of(cpus):
    """The names in /proc/stat of a list as taskset has it ("2,4-6"); without one, of all together."""
    ranges = [part.split("-") for part in (cpus or "").split(",") if part]
    return {f"cpu{core}" for r in ranges for core in range(int(r[0]), int(r[-1]) + 1)} or {"cpu"}


def busy_share(cpus=None, seconds=0.3):
    """Share of these cores' time, or of all cores', that was not idle."""
    cores = cores_of(cpus)

    def times():
        with open("/proc/stat") as f:
            rows = [line.split()[:9] for line in f]
        t = [sum(column) for column in zip(*([int(x) for x in row[1:]] for row in rows if row[0] in cores))]
        return sum(t), t[3] + t[4]

    total, idle = times()
    time.sleep(seconds)
    total2, idle2 = times()
    return 1 - (idle2 - idle) / max(1, total2 - total)


def wait_for_idle(patience, cpus=None):
    """Whether the machine, or these cores of it, became idle in time."""
    deadline = time.monotonic() + patience
    while busy_share(cpus) >= IDLE:
        if time.monotonic() > deadline:
            return False
    return True


def in_turn(programs, steps, rounds):
    """The times of each, from slices of so many steps, forth and back so that a drift meets all alike."""
    seconds = [[] for _ in programs]
    for r in range(rounds):
        for i in range(len(programs))[::-1 if r % 2 else 1]:
            if steps > 1:
                programs[i].run(steps)  # caches and sleeping threads: the first 40 ms are up to 10 % slower
            seconds[i] += programs[i].run(steps)
            programs[i].settle()
    return seconds


def steps_of(fastest):
    """How many steps of so many seconds are a slice."""
    return max(1, min(100, round(SLICE / fastest)))


def rounds_of(steps, fastest):
    """How many slices are a sample: even, so that each goes first as often."""
    return 2 * max(2, min(5, round(SAMPLE / steps / fastest / 2)))


def spread_of(ratios):
    """Half the range, or half the distance of the quartiles, over the median."""
    low, high = min(ratios), max(ratios)
    if len(ratios) >= 8:
        low, _, high = statistics.quantiles(ratios, n=4)
    return (high - low) / 2 / statistics.median(ratios)


def figures(program):
    return {"command": program.command, "median": statistics.median(program.seconds), "min": min(program.seconds),
            "seconds": program.seconds, "rss_mib": program.rss_mib,
            "loss": [program.loss[0], program.loss[-1]] if program.loss else None}


def table(result):
    us, peer = result["us"], result["peer"]
    lines = [f"{'':8}{'median':>12}{'min':>12}{'peak RSS':>12}  loss"]
    for name, f in (("us", us), ("peer", peer)):
        loss = "" if not f["loss"] or f["loss"][0] is None else f"{f['loss'][0]:.4f} .. {f['loss'][1]:.4f}"
        lines.append(f"{name:8}{f['median'] * 1e3:9.2f} ms{f['min'] * 1e3:9.2f} ms{f['rss_mib']:8.0f} MiB  {loss}")
    lines.append(f"peer/us {result['ratio_median']:11.3f}{result['ratio_min']:12.3f}"
                 f"{peer['rss_mib'] / max(1.0, us['rss_mib']):12.3f}  {len(result['pairs'])} pairs,"
                 f" spread {result['spread'] * 100:.1f} %")
    lines += [f"peer: {peer['command']}"] + [f"refused: {reason}" for reason in result["refused"]]
    return "\n".join(lines)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--us", required=True, metavar="COMMAND")
    p.add_argument("--peer", required=True, action="append", metavar="COMMAND", help="several: the fastest counts")
    p.add_argument("--pairs", type=int, default=11)
    p.add_argument("--steps", type=int, help="steps of a slice (default: a twentieth of a second)")
    p.add_argument("--warmup", type=int, default=3, help="steps thrown away at the start")
    p.add_argument("--cpus", help="pin all to these, as taskset -c; only they need be idle")
    p.add_argument("--patience", type=float, default=60, help="seconds to wait for an idle machine")
    p.add_argument("--busy-ok", action="store_true")
    p.add_argument("--json", action="store_true")
    o = p.parse_args()

    patience = 0 if o.busy_ok else o.patience
    us = Program(o.us, o.cpus)
    peers = [Program(command, o.cpus) for command in o.peer]
    for program in (us, *peers):
        program.run(o.warmup)
        program.settle()
    idle = wait_for_idle(patience, o.cpus)
    trial = [min(program.run(3)) for program in peers]
    if len(peers) > 1:
        trial = [min(t) for t in in_turn(peers, o.steps or steps_of(min(trial)), TRIALS)]
    best = peers[trial.index(min(trial))]
    for program in peers:
        if program is not best:
            program.end()
    o.steps = o.steps or steps_of(min(trial))
    us.run(o.steps)
    best.loss, us.loss = [], []
    for _ in range(o.pairs):
        idle &= wait_for_idle(patience, o.cpus)
        for program, seconds in zip((us, best), in_turn((us, best), o.steps, rounds_of(o.steps, min(trial)))):
            program.seconds.append(statistics.median(seconds))
    us.end()
    best.end()

    pairs = [b / a for a, b in zip(us.seconds, best.seconds)]
    spread = spread_of(pairs)
    result = {"us": figures(us), "peer": figures(best), "pairs": pairs, "spread": spread, "idle": idle,
              "tried": [{"command": q.command, "min": t} for q, t in zip(peers, trial)], "refused": []}
    result["ratio_median"] = result["peer"]["median"] / result["us"]["median"]
    result["ratio_min"] = result["peer"]["min"] / result["us"]["min"]
    if spread > SPREAD:
        result["refused"].append(f"the spread of {spread * 100:.1f} % is above {SPREAD * 100:.0f} %")
    if not idle:
        result["refused"].append(f"the machine was never idle for {patience:.0f} s")
    if len(pairs) < 5:
        result["refused"].append("fewer than five pairs")
    print(json.dumps(result) if o.json else table(result))
    sys.exit(5 if result["refused"] and not o.busy_ok else 0)


if __name__ == "__main__":
    main()
