#!/usr/bin/env bash
# Measures Gradus beside PyTorch, or beside what it did before. `./dev bench` builds, then comes here.
#
#   bench/run.sh NAME...           ours and the peer's faster mode in turn: times, ratio, limit, memory, loss
#   bench/run.sh --quick           our cases against bench/baseline.json, as shares of the limits of this run
#   bench/run.sh --quick --update  writes that file
#   bench/run.sh threads [NAME...] what a second thread brings and a busy core costs, ours and the peer (eager)
#   bench/run.sh skinny [ARGS]     few rows times packed weights from memory, beside oneDNN and OpenBLAS (skinny.py)
#   bench/run.sh families [ROW...] trains examples/ on real data: reached beside wanted (families.py)
#   bench/run.sh footprint         start-up, plan compile time, sizes, page faults, allocations, clean build
#   bench/run.sh list              the names
#   bench/run.sh [ARGS]            anything else: gradus bench ARGS
#
# Options before the names: --pairs N, --steps N, --patience SECONDS, --cpus LIST, --busy-ok (as bench/interleave.py has them),
# --threads N, --json (one object per case). GRADUS_PROGRAM: the program (default build/gradus).
# Exit status 5: a result was refused (spread, busy machine), or a case is slower than the baseline.
set -euo pipefail
root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
bench=$root/bench
program=${GRADUS_PROGRAM:-$root/build/gradus}

say() { printf '%s\n' "$*" >&2; }
die() { say "bench: $*"; exit 1; }

# name | gradus bench ... | peers/...
cases() {
    local dtype
    for dtype in f32 bf16; do
        cat <<TABLE
gpt2-b4t64-$dtype | step --batch 4 --tokens 64 --dtype $dtype | gpt2_step.py --batch 4 --tokens 64 --dtype $dtype
gpt2-b1t1024-$dtype | step --batch 1 --tokens 1024 --dtype $dtype | gpt2_step.py --batch 1 --tokens 1024 --dtype $dtype
bert-train-$dtype | bert --dtype $dtype | bert.py --dtype $dtype
bert-infer-$dtype | bert --forward --dtype $dtype | bert.py --forward --dtype $dtype
small-gpt-$dtype | step $small --dtype $dtype | gpt2_step.py $small --dtype $dtype
loss-$dtype | loss --dtype $dtype | linear_ce.py --dtype $dtype
mlp-b32-$dtype | mlp --batch 32 --dtype $dtype | mlp_step.py --batch 32 --dtype $dtype
mlp-b256-$dtype | mlp --batch 256 --dtype $dtype | mlp_step.py --batch 256 --dtype $dtype
TABLE
        attention_cases "$dtype"
        rnn_cases "$dtype"
        picture_cases "$dtype"
    done
    echo "adamw | adamw | adamw.py"
    echo "csv | csv | csv_read.py"
}
small="--layers 4 --heads 4 --width 128 --context 64 --vocab 65 --batch 12 --tokens 64 --no-bias"

attention_cases() { # DTYPE: 12 heads of 64 and 6 of 128, forward with and without backward
    local heads size tokens
    for size in 64 128; do
        heads=$((768 / size))
        for tokens in 512 1024 2048 4096; do
            local what="--heads $heads --head-size $size --tokens $tokens --dtype $1"
            echo "attention-d$size-t$tokens-$1 | attention $what | attention.py $what --backward"
            echo "attention-d$size-t$tokens-$1-forward | attention $what --forward | attention.py $what"
        done
    done
}

rnn_cases() { # DTYPE: a layer of 512 units over 64 steps, forward with and without backward
    local kind batch what
    for kind in lstm gru; do
        for batch in 1 32; do
            what="--kind $kind --batch $batch --tokens 64 --dtype $1"
            echo "$kind-b$batch-$1 | rnn $what | rnn.py $what --backward"
            echo "$kind-b$batch-$1-forward | rnn $what --forward | rnn.py $what"
        done
    done
}

picture_cases() { # DTYPE
    echo "cnn-b64-$1 | cnn --dtype $1 | picture.py --network cnn --batch 64 --dtype $1"
    echo "resnet50-b8-$1 | resnet --dtype $1 | picture.py --batch 8 --dtype $1"
    for batch in 1 8; do
        echo "resnet50-b$batch-$1-forward | resnet --batch $batch --forward --dtype $1 |" \
            "picture.py --batch $batch --forward --dtype $1"
    done
}

# A name stands for itself or for a group.
expand() { # NAME
    local names
    case $1 in
    all) set -- gpt2 bert small-gpt adamw loss mlp attention lstm gru cnn resnet50 ;;
    attention) set -- attention-d64-t1024-f32 attention-d64-t1024-bf16 attention-d64-t1024-f32-forward \
        attention-d64-t1024-bf16-forward ;;
    rnn) set -- lstm gru ;;
    attention-all) set -- attention- ;;
    esac
    for name in "$@"; do
        names=$(cases | cut -d' ' -f1 | awk -v name="$name" '
            $0 == name { exact = 1 }
            index($0, name "-") == 1 || (name ~ /-$/ && index($0, name) == 1) { group = group $0 "\n" }
            END { printf "%s", exact ? name "\n" : group }')
        [ -n "$names" ] || return 1
        printf '%s\n' "$names"
    done
}

field() { cases | awk -F' [|] ' -v name="$1" -v n="$2" '$1 == name { print $n }'; } # NAME COLUMN

need_program() { [ -x "$program" ] || die "'$program' does not exist; ./dev build"; }
need_python() { command -v python3 > /dev/null || die "python3 is missing: apt-get install python3"; }

# ---- beside the peer ---------------------------------------------------------------------------------------

compare() { # NAME: prints, or one JSON object
    local ours theirs python before after driven status=0
    ours=$(field "$1" 2)
    theirs=$(field "$1" 3)
    python=$("$bench/env.sh") || die "no PyTorch (bench/env.sh failed)"
    # shellcheck disable=SC2086 # lists of words
    before=$("$program" bench $ours --threads "$threads" --steps 3 --json)
    driven=$("$bench/interleave.py" --json "${driver[@]}" \
        --us "$program bench $ours --threads $threads --serve" \
        --peer "$python $bench/peers/$theirs --threads $threads --serve" \
        --peer "$python $bench/peers/$theirs --threads $threads --mode compile --serve") || status=$?
    [ -n "$driven" ] || die "$1: the driver failed"
    after=$("$program" bench --threads "$threads" --json)
    printf '%s\n' "$before" "$driven" "$after" | report "$1" "$json"
    return "$status"
}

# Before, driver and after, one JSON object a line, as a page and a row for the table of README.md. The limit is that of
# the better of the two looks at the machine.
report() { # NAME JSON
    python3 -c "$(cat <<'PYTHON'
import json, sys
name, as_json = sys.argv[1], sys.argv[2] == "1"
before, driven, after = (json.loads(line) for line in sys.stdin if line.strip())
us, peer = driven["us"], driven["peer"]
rate = {k: max(before["limits"][k], after[k]) for k in after if k.endswith(("_flops", "_bytes"))}
peak = rate["bf16_flops"] if before["dtype"] == "bf16" and rate["bf16_flops"] else rate["f32_flops"]
limit = max(before["flops"] / peak, before["read_bytes"] / rate["read_bytes"])
limit += before["copied_bytes"] / max(rate["copy_bytes"], rate["copy_stream_bytes"])
mode = "compiled" if "--mode compile" in peer["command"] else "eager"
result = {"name": name, "case": before["case"], "us": us, "peer": peer, "peer_mode": mode, "limit": limit, "rates": rate,
          "cpu": after["cpu"], "threads": after["threads"], "share": limit / us["median"], "share_peer": limit / peer["median"],
          "ratio_median": driven["ratio_median"], "ratio_min": driven["ratio_min"], "spread": driven["spread"],
          "memory_ratio": us["rss_mib"] / peer["rss_mib"], "tried": driven["tried"], "refused": driven["refused"],
          "arena_bytes": before["arena_bytes"], "compile_seconds": before["compile_seconds"]}
if as_json:
    print(json.dumps(result))
    sys.exit()
def ms(seconds):
    return f"{seconds * 1e3:,.2f} ms" if seconds < 0.1 else f"{seconds * 1e3:,.0f} ms"
def losses(f):
    return f"{f['loss'][0]:.4f} -> {f['loss'][1]:.4f}" if f["loss"] and f["loss"][0] is not None else "none"
print(f"{name}: {before['case']}, {after['threads']} threads, {after['cpu']}\n")
for row in (("", "ours", "PyTorch, " + mode, "PyTorch / ours"),
            ("median", ms(us["median"]), ms(peer["median"]), f"{driven['ratio_median']:.3f}, spread {driven['spread']:.1%}"),
            ("least", ms(us["min"]), ms(peer["min"]), f"{driven['ratio_min']:.3f}"),
            (f"of limit {ms(limit)}", f"{limit / us['median']:.0%}", f"{limit / peer['median']:.0%}", ""),
            ("peak memory", f"{us['rss_mib']:,.0f} MiB", f"{peer['rss_mib']:,.0f} MiB", f"{peer['rss_mib'] / us['rss_mib']:.2f}"),
            ("loss", losses(us), losses(peer), "")):
    print(f"  {row[0]:22}{row[1]:>20}{row[2]:>22}   {row[3]}".rstrip())
print("  tried: " + ", ".join(f"{'compiled' if '--mode compile' in t['command'] else 'eager'} {ms(t['min'])}" for t in driven["tried"]))
for why in driven["refused"]:
    print(f"  refused: {why}")
print(f"\n| `{name}` | {ms(us['median'])} | {ms(peer['median'])} ({mode}) | {driven['ratio_median']:.2f}× ± {driven['spread']:.1%} |"
      f" {ms(limit)} | {limit / us['median']:.0%} | {us['rss_mib']:,.0f} | {peer['rss_mib']:,.0f} |\n")
PYTHON
)" "$@"
}

# ---- beside the baseline -----------------------------------------------------------------------------------

quick_names="small-gpt-f32 small-gpt-bf16 mlp-b32-f32 mlp-b256-f32 attention-d64-t1024-f32 attention-d64-t1024-bf16
    loss-bf16 adamw gpt2-b4t64-f32 gpt2-b4t64-bf16"

quick() { # [--update]
    local name
    for name in $quick_names; do printf '%s | %s\n' "$name" "$(field "$name" 2)"; done |
        python3 -c "$(cat <<'PYTHON'
import json, subprocess, sys
program, path, threads, update = sys.argv[1], sys.argv[2], sys.argv[3], "--update" in sys.argv[4:]
ALLOWED, TRIES = 0.08, 3
cpu = json.loads(subprocess.run([program, "bench", "--json"], check=True, stdout=subprocess.PIPE, text=True).stdout)["cpu"]
try:
    with open(path) as f:
        machines = json.load(f) # a share of the limit on one processor says nothing of another
except FileNotFoundError:
    machines = {}
kept = machines.get(cpu, {}).get("cases", {})
if not kept and not update:
    print(f"bench: no baseline for '{cpu}' yet: --quick --update", file=sys.stderr)
cases = dict([part.strip() for part in line.split("|")] for line in sys.stdin)
best, rate = {}, {}
def measure(name):
    line = subprocess.run([program, "bench", *cases[name].split(), "--threads", threads, "--json"], check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    answer = json.loads(line)
    for k, v in answer["limits"].items(): # the ceiling of all looks at the machine counts
        rate[k] = max(rate.get(k, 0), v)
    if name not in best or answer["min"] < best[name]["min"]:
        best[name] = answer
def share(name):
    a = best[name]
    peak = rate["bf16_flops"] if a["dtype"] == "bf16" and rate["bf16_flops"] else rate["f32_flops"]
    limit = max(a["flops"] / peak, a["read_bytes"] / rate["read_bytes"])
    return (limit + a["copied_bytes"] / max(rate["copy_bytes"], rate["copy_stream_bytes"])) / a["min"]
def is_slow(name):
    return name in kept and share(name) < kept[name]["share"] * (1 - ALLOWED)
for name in cases:
    print(f"measuring {name}", file=sys.stderr)
    measure(name)
for _ in range(TRIES - 1): # a busy neighbour is no regression: the best of some tries counts
    for name in filter(is_slow, cases):
        measure(name)
worse = [name for name in cases if is_slow(name)]
print(f"{'case':28}{'least':>12}{'of limit':>10}{'kept':>8}{'peak':>12}{'faults':>8}")
for name, a in best.items():
    old = f"{kept[name]['share']:.1%}" if name in kept else "—"
    print(f"{name:28}{a['min'] * 1e3:9.2f} ms{share(name):10.1%}{old:>8}{a['peak_bytes'] / 2**20:8.0f} MiB"
          f"{a['page_faults']:8.1f}{'   slower' if name in worse else ''}")
if update:
    new = {name: {"share": round(share(name), 4), "seconds": a["min"], "peak_mib": round(a["peak_bytes"] / 2**20)}
           for name, a in best.items()}
    with open(path, "w") as f:
        json.dump({**machines, cpu: {"limits": rate, "cases": new}}, f, indent=1)
        f.write("\n")
    print(f"written: {path}")
elif not kept:
    print(f"nothing to compare with: there is no {path}; --update writes it")
elif worse:
    print(f"more than {ALLOWED:.0%} below the baseline: {', '.join(worse)}")
    sys.exit(5)
PYTHON
)" "$program" "$bench/baseline.json" "$threads" "$@"
}

# ---- threads -----------------------------------------------------------------------------------------------

with_threads() { # [NAME...]
    local name names python
    [ $# != 0 ] || set -- gpt2-b4t64-f32 gpt2-b4t64-bf16 gpt2-b1t1024-bf16
    python=$("$bench/env.sh") || die "no PyTorch (bench/env.sh failed)"
    names=$(for name in "$@"; do expand "$name" || exit 1; done) || die "no case '$name'; bench/run.sh list"
    for name in $names; do
        echo "$name"
        "$bench/threads.py" "${cpus[@]}" --us "$program bench $(field "$name" 2) --serve" \
            --peer "$python $bench/peers/$(field "$name" 3) --serve"
    done
}

# ---- footprint ---------------------------------------------------------------------------------------------

footprint() {
    local folder
    folder=$(mktemp -d "${TMPDIR:-/tmp}/gradus-footprint-XXXXXX")
    # shellcheck disable=SC2064 # the folder of now
    trap "rm -rf '$folder'" EXIT
    python3 -c "$(cat <<'PYTHON'
import json, os, statistics, subprocess, sys, time
root, program, folder, threads = sys.argv[1:]
def run(*command):
    start = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(f"bench: '{' '.join(command)}' failed:\n{done.stdout[-2000:]}")
    return time.perf_counter() - start, done.stdout
def line(what, value, goal=""):
    print(f"  {what:34}{value:>14}   {goal}".rstrip(), flush=True)
starts = [run(program, "version")[0] for _ in range(40)]
line("start-up, least", f"{min(starts) * 1e3:.1f} ms", "≤ 20 ms")
line("start-up, median", f"{statistics.median(starts) * 1e3:.1f} ms")
for dtype in ("f32", "bf16"):
    plans = [json.loads(run(program, "bench", "step", "--dtype", dtype, "--steps", "0", "--json")[1]) for _ in range(3)]
    line(f"plan of GPT-2 124M, {dtype}", f"{min(p['compile_seconds'] for p in plans) * 1e3:.1f} ms", "≤ 1 s")
library = os.path.join(os.path.dirname(program), "libgradus.so")
files = [f for f in (program, library) if os.path.exists(f)]
for f in files:
    line(os.path.basename(f), f"{os.path.getsize(f) / 2**20:.2f} MiB")
line("both", f"{sum(map(os.path.getsize, files)) / 2**20:.2f} MiB", "≤ 10 MB")
small = "--layers 4 --heads 4 --width 128 --context 64 --vocab 65 --batch 12 --tokens 64 --no-bias".split()
step = json.loads(run(program, "bench", "step", *small, "--steps", "50", "--json")[1])
line("page faults per step (small GPT)", f"{step['page_faults']:.2f}", "0")
counter = os.path.join(folder, "count_allocations.so")
run("cc", "-O2", "-shared", "-fPIC", "-o", counter, os.path.join(root, "bench", "count_allocations.c"))
def allocations(what, steps):
    done = subprocess.run([program, "bench", *what, "--warmup", "2", "--steps", str(steps), "--json"], text=True,
                          capture_output=True, env={**os.environ, "LD_PRELOAD": counter})
    found = [l.split()[1] for l in done.stderr.splitlines() if l.startswith("allocations ")]
    if done.returncode or not found:
        sys.exit(f"bench: allocations could not be counted:\n{done.stderr[-2000:]}")
    return int(found[-1])
for name, what in (("small GPT f32", ["step", *small]), ("small GPT bf16", ["step", *small, "--dtype", "bf16"]),
                   ("LSTM B32 f32", ["rnn"]), ("small CNN f32", ["cnn"])):
    line(f"allocations per step ({name})", f"{(allocations(what, 60) - allocations(what, 20)) / 40:.2f}", "0")
line("peak memory (small GPT)", f"{step['peak_bytes'] / 2**20:.1f} MiB")
seconds = run("cmake", "-S", root, "-B", folder, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DGRADUS_TESTS=OFF")[0]
seconds += run("cmake", "--build", folder, "-j", threads, "--target", "gradus_shared", "gradus_program")[0]
line(f"clean build, {threads} jobs", f"{seconds:.0f} s", "≤ 120 s")
PYTHON
)" "$root" "$program" "$folder" "$threads"
}

# ---- the command line --------------------------------------------------------------------------------------

threads=$(nproc)
driver=()
cpus=()
json=0
given=("$@")
while [ $# -gt 0 ]; do
    case $1 in
    --cpus) cpus=(--cpus "${2:?$1 wants a value}"); driver+=("${cpus[@]}"); shift 2 ;;
    --pairs | --steps | --patience | --warmup) driver+=("$1" "${2:?$1 wants a value}"); shift 2 ;;
    --busy-ok) driver+=("$1"); shift ;;
    --threads) threads=${2:?--threads wants a value}; shift 2 ;;
    --json) json=1; shift ;;
    *) break ;;
    esac
done

case ${1:-} in
list)
    echo "groups: all gpt2 bert small-gpt adamw loss mlp attention attention-all rnn cnn resnet50"
    cases | cut -d' ' -f1
    exit
    ;;
--quick) need_program; need_python; shift; quick "$@"; exit ;;
families) need_program; need_python; shift; GRADUS_PROGRAM=$program exec "$bench/families.py" "$@" ;;
footprint) need_program; need_python; footprint; exit ;;
skinny)
    need_program; need_python; shift
    python=$("$bench/env.sh") || die "no PyTorch (bench/env.sh failed)"
    [ "$json" = 0 ] || driver+=(--json)
    exec "$bench/skinny.py" --program "$program" --python "$python" --threads "$threads" "${driver[@]}" "$@"
    ;;
threads) need_program; need_python; shift; with_threads "$@"; exit ;;
esac

need_program
if [ $# = 0 ] || ! names=$(for name in "$@"; do expand "$name" || exit 1; done); then
    exec "$program" bench "${given[@]}" # not names of this table: the program's own cases
fi
need_python
refused=0
for name in $names; do compare "$name" || refused=$?; done
exit "$refused"
