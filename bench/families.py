#!/usr/bin/env python3
"""Trains the configurations of examples/ on real data and prints what each reached beside what it is to reach.

    ./dev bench families             all of them (hours); a row at a time as Markdown
    ./dev bench families adult trec  some
    ./dev bench families --list      the names

A row: how it is measured, and goals on its measures: a run, folds, the mean of several seeds, several runs beside as
many of a peer's, or a run whose pictures build/tests/test_long_generator judges. Exit status 5: a goal was missed. Data: $GRADUS_DATA.
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
AT_LEAST, AT_MOST = ">=", "<="

# How pictures from noise are judged: least confidence, then what holds for all.
def judged(confidence):
    return [("confidence", AT_LEAST, confidence), ("least_share", AT_LEAST, 0.04), ("most_share", AT_MOST, 0.2),
            ("frechet_of_noise", AT_MOST, 0.1)]


# name: (configuration, ("run",) | ("folds", k) | ("seeds", n) | ("peer", n, script, data) | ("judged",), settings,
# [(measure, >= or <=, goal), ...]); a measure may be the difference of two: "a - b"
ROWS = {
    "mnist-lenet": ("mnist_lenet", ("run",), [], [("accuracy", AT_LEAST, 0.99)]),
    "mnist-mlp": ("mnist_layers", ("run",), [], [("accuracy", AT_LEAST, 0.976)]),
    "cifar10": ("cifar_resnet8", ("peer", 4, "cifar_resnet8.py", "images/cifar10"), [],
                [("accuracy", AT_LEAST, 0.73), ("accuracy - peer_accuracy", AT_LEAST, -0.005)]),
    "bccd": ("bccd_detector", ("run",), [], [("map50", AT_LEAST, 0.75)]),
    "fsdd": ("fsdd_digits", ("run",), [], [("accuracy", AT_LEAST, 0.97)]),
    "fsdd-strings": ("fsdd_strings", ("run",), [], [("wer", AT_MOST, 0.05)]),
    "adult": ("adult", ("run",), [], [("auc", AT_LEAST, 0.911), ("accuracy", AT_LEAST, 0.855)]),
    "mammography": ("mammography", ("folds", 10), [],
                    [("average_precision", AT_LEAST, 0.65), ("auc", AT_LEAST, 0.93)]),
    "sms": ("sms_textcnn", ("folds", 5), [], [("f1", AT_LEAST, 0.95), ("auc", AT_LEAST, 0.99)]),
    "trec": ("trec_textcnn", ("run",), [], [("accuracy", AT_LEAST, 0.88)]),
    "mr": ("mr_textcnn", ("folds", 10), [], [("accuracy", AT_LEAST, 0.75)]),
    "hotels-zh": ("hotels_zh_bag", ("folds", 5), [],
                  [("accuracy", AT_LEAST, 0.89), ("macro_f1", AT_LEAST, 0.87)]),
    "penguins": ("penguins_kmeans", ("run",), [], [("adjusted_rand", AT_LEAST, 0.78)]),
    "mnist-pca": ("mnist_pca", ("run",), [], [("explained_variance", AT_LEAST, 0.815)]),
    "movielens": ("movielens_mf", ("seeds", 5), [],
                  [("rmse", AT_MOST, 0.850), ("biases_rmse - rmse", AT_LEAST, 0.010)]),
    "movielens-next": ("movielens_next", ("run",), [], [("ndcg10 - popular_ndcg10", AT_LEAST, 0.01)]),
    "etth1": ("etth1_dlinear", ("run",), [], [("mse", AT_MOST, 0.38), ("mae", AT_MOST, 0.40)]),
    "airline": ("airline_lstm", ("seeds", 5), [], [("rmse", AT_MOST, 25)]),
    "diamonds": ("diamonds", ("run",), [], [("r2", AT_LEAST, 0.975)]),
    "abalone": ("abalone", ("run",), [], [("r2", AT_LEAST, 0.54)]),
    "clips-digit": ("clips_digit", ("run",), [], [("accuracy", AT_LEAST, 0.97)]),
    "clips-direction": ("clips_direction", ("run",), [], [("accuracy", AT_LEAST, 0.97)]),
    "dcgan": ("mnist_dcgan", ("judged",), [], judged(0.9)),
    "vae": ("mnist_vae", ("judged",), [], judged(0.8)),
}


def gradus(program, *words):
    done = subprocess.run([program, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit {done.returncode}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def judge(program, folder, config):
    """What the test of generators says of the run in folder/config."""
    test = os.path.join(os.path.dirname(program), "tests", "test_long_generator")
    done = subprocess.run([test], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env=dict(os.environ, GRADUS_JUDGE=folder))
    said = re.search(rf"{config}: confidence ([\d.]+) .*distance ([\d.]+), that of noise ([\d.]+); shares(.*)", done.stdout)
    if not said:
        raise RuntimeError(f"{test} does not judge '{config}'")
    shares = [float(x) for x in said[4].split()]
    return {"confidence": float(said[1]), "least_share": min(shares), "most_share": max(shares),
            "frechet_of_noise": float(said[2]) / float(said[3])}


def peer(script, data, seeds):
    """The mean over the seeds of the last accuracy that a peer prints."""
    folder = os.path.join(ROOT, "bench")
    python = subprocess.run([os.path.join(folder, "env.sh")], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    root = os.environ.get("GRADUS_DATA", os.path.join(ROOT, "..", "shared", "data"))
    reached = []
    for seed in seeds:
        done = subprocess.run([python, os.path.join(folder, "peers", script), os.path.join(root, data), str(seed)],
                              stdout=subprocess.PIPE, text=True, check=True)
        reached.append(float(re.findall(r"accuracy ([\d.]+)", done.stdout)[-1]))
    return {"peer_accuracy": statistics.mean(reached)}


def measure(program, config, how, settings, folder):
    """The measures of a row by name."""
    path = os.path.join(ROOT, "examples", config + ".yaml")
    if how[0] == "folds":
        return gradus(program, "eval", path, *settings, "--folds", str(how[1]), "--json")["mean"]
    seeds = range(1, how[1] + 1) if how[0] in ("seeds", "peer") else [None]
    runs = []
    for seed in seeds:
        own = [f"train.seed={seed}"] if seed else []
        out = os.path.join(folder, f"{config}-{seed}" if seed else config)
        runs.append(gradus(program, "train", path, *settings, *own, "--out", out, "--fresh", "--json")["metrics"])
    found = {name: statistics.mean(r[name] for r in runs) for name in runs[0]}
    if how[0] == "judged":
        found |= judge(program, folder, config)
    if how[0] == "peer":
        found |= peer(*how[2:], seeds)
    return found


def value_of(found, measure):
    """None where one of its names is not there."""
    parts = [found.get(name) for name in measure.split(" - ")]
    return None if None in parts else parts[0] - sum(parts[1:])


def fulfilled(value, sense, goal):
    return value is not None and (value >= goal if sense == AT_LEAST else value <= goal)


def row(program, name, folder):
    """Prints the row; whether its goals are reached."""
    config, how, settings, goals = ROWS[name]
    start = time.perf_counter()
    try:
        found = measure(program, config, how, settings, folder)
    except RuntimeError as e:
        print(f"| `{name}` | failed: {e} | | | no |", flush=True)
        return False
    seconds = time.perf_counter() - start
    values = [value_of(found, m) for m, _, _ in goals]
    reached = ", ".join(f"no {m}" if v is None else f"{m} {v:.4g}" for (m, _, _), v in zip(goals, values))
    wanted = ", ".join(f"{m} {'≥' if s == AT_LEAST else '≤'} {g:g}" for m, s, g in goals)
    fine = all(fulfilled(v, s, g) for (_, s, g), v in zip(goals, values))
    way = f", {how[1]} {'folds' if how[0] == 'folds' else 'seeds'}" if len(how) > 1 else ""
    print(f"| `{name}` (`{config}.yaml`{way}) | {reached} | {wanted} | {seconds / 60:.1f} min | {'yes' if fine else 'no'} |",
          flush=True)
    return fine


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("names", nargs="*", help="rows; default: all")
    p.add_argument("--list", action="store_true")
    p.add_argument("--program", default=os.environ.get("GRADUS_PROGRAM", os.path.join(ROOT, "build", "gradus")))
    o = p.parse_args()
    if o.list:
        print("\n".join(ROWS))
        return
    unknown = [n for n in o.names if n not in ROWS]
    if unknown:
        sys.exit(f"bench: there is no row '{unknown[0]}'; --list names them")
    print("| row | reached | wanted | time | |\n|---|---|---|--:|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        fine = [row(o.program, n, folder) for n in o.names or ROWS]
    if not all(fine):
        sys.exit(5)


if __name__ == "__main__":
    main()
