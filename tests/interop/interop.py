"""What the scripts of this folder share: how Gradus is asked, and how an answer is judged.

All calls of the program stand in this file. A script begins with

    sys.path.append(sys.path.pop(0))        # this folder last: it has a tokenizers.py
    import interop

prints one line per comparison ("ok", "FAILED", "skipped", then what and how far), and ends with
sys.exit(interop.end()).
GRADUS_PROGRAM, GRADUS_TOKENIZE, GRADUS_BUILD come from run.sh.
"""
import csv
import io
import json
import os
import pathlib
import subprocess

import torch
import transformers
from safetensors.torch import load_file, save_file

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("GRADUS_BUILD", ROOT / "build"))
PROGRAM = os.environ.get("GRADUS_PROGRAM", str(BUILD / "gradus"))
TOKENIZE = os.environ.get("GRADUS_TOKENIZE", "")
LIMIT = 1e-4  # per tensor max|a - b| / max|b|

transformers.utils.logging.disable_progress_bar()
transformers.utils.logging.set_verbosity_error()
torch.set_num_threads(os.cpu_count() or 1)
counts = {"ok": 0, "FAILED": 0, "skipped": 0}


# ---- Gradus -------------------------------------------------------------------------------------------------

class Refused(Exception):
    """The program ended with an error; the text is what it said."""


def call(*arguments, text=None):
    done = subprocess.run([str(a) for a in arguments], input=text, capture_output=True)
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise Refused(f"exit status {done.returncode}: {said[-1] if said else 'no message'}")
    return done.stdout


def logits(model, ids, work):
    """f32 (B, T, V) of ids (B, T)."""
    (work / "ids.json").write_text(json.dumps(ids.tolist()))
    call(PROGRAM, "eval", model, "--ids", work / "ids.json", "--logits", work / "logits.safetensors")
    return load_file(work / "logits.safetensors")["logits"]


def encoded(model, rows, work):
    """What an encoder gives for rows of ids of any lengths: hidden, pooled, logits, as far as it has them."""
    (work / "ids.json").write_text(json.dumps(rows))
    call(PROGRAM, "eval", model, "--ids", work / "ids.json", "--logits", work / "encoded.safetensors")
    return load_file(work / "encoded.safetensors")


def adamw_steps(model, ids, steps, work):
    """Trains on the one batch ids (B, T + 1), the targets being ids shifted by one: 'steps' AdamW updates with
    lr 1e-3, betas (0.9, 0.95), eps 1e-4, weight decay 0.1 on every parameter, no clipping, no schedule, f32.
    -> losses before each update, parameters after the last by their Hugging Face names."""
    (work / "ids.json").write_text(json.dumps(ids.tolist()))
    out = work / "steps.safetensors"
    recipe = f"{steps} 1e-3 0.9 0.95 1e-4 0.1"  # updates, lr, beta1, beta2, eps, weight decay
    call(PROGRAM, "eval", model, "--ids", work / "ids.json", "--adamw", recipe, "--save", out)
    tensors = load_file(out)
    return tensors.pop("losses"), tensors


def train(source, folder, *settings):
    """-> the folder of the trained model."""
    call(PROGRAM, "train", source, *settings, "--out", folder, "--seed", 1, "-q")
    found = sorted(pathlib.Path(folder).rglob("config.json"), key=lambda p: len(p.parts))
    if not found:
        raise Refused(f"no config.json below '{folder}'")
    return found[0].parent


def generate(model, prompt, tokens):
    """The greedy continuation, without the prompt."""
    out = call(PROGRAM, "generate", model, "--prompt", prompt, "--temperature", 0, "--max-tokens", tokens, "-q")
    return out.decode(errors="replace").removeprefix(prompt).removesuffix("\n")


def predict(model, texts):
    """Probabilities of the labels, one dictionary a text."""
    out = call(PROGRAM, "predict", model, "--json", text="".join(t + "\n" for t in texts).encode())
    return [json.loads(line)["scores"] for line in out.splitlines()]


def predict_rows(model, path):
    """The rows of a CSV file with what a model of tables says of them, one dictionary each."""
    out = call(PROGRAM, "predict", model, path).decode()
    return list(csv.DictReader(io.StringIO(out)))


def encode(model, texts):
    lines = "".join(json.dumps(t) + "\n" for t in texts)
    return [json.loads(line)["ids"] for line in call(TOKENIZE, "encode", model, text=lines.encode()).splitlines()]


def tower(folder):
    """Runs examples/tower.c. -> x and y; {0, 1, 10, 100: parameters after so many updates}."""
    call(BUILD / "examples" / "tower", folder)
    return (load_file(folder / "data.safetensors"),
            {n: load_file(folder / f"weights-{n}.safetensors") for n in (0, 1, 10, 100)})


# ---- judging ------------------------------------------------------------------------------------------------

def line(word, name, text=""):
    counts[word] += 1
    print(f"{word:8}{name}{': ' if text else ''}{text}", flush=True)


def equal(name, got, wanted):
    if got == wanted:
        line("ok", name)
    else:
        line("FAILED", name, f"{str(got)[:200]!r} instead of {str(wanted)[:200]!r}")


def distance(a, b):
    if a.shape != b.shape:
        return float("inf")
    d = (a.double() - b.double()).abs().max() / b.double().abs().max().clamp_min(1e-30)
    return d.item() if d == d else float("inf")


def near(name, got, truth, single=None, whose="PyTorch's f32"):
    """Dictionaries of tensors. single: the same by PyTorch in f32; where PyTorch itself is further than LIMIT from the
    truth, which is in f64, twice its distance is allowed, and the distance of its worst tensor in all of them: rounding
    grows along a long run and does not choose the same tensors twice. whose: what 'single' is, where it is not that."""
    if got.keys() != truth.keys():
        return line("FAILED", name, f"other names: {sorted(got.keys() ^ truth.keys())[:6]}")
    worst, worst_name, peer, failed = 0.0, "", 0.0, []
    peer_worst = max((distance(single[key], b) for key, b in truth.items()), default=0.0) if single else 0.0
    for key, b in truth.items():
        d = distance(got[key], b)
        own = distance(single[key], b) if single else 0.0
        if d > max(LIMIT, 2 * own, peer_worst if peer_worst > LIMIT else 0.0):
            failed.append(key)
        if d >= worst:
            worst, worst_name, peer = d, key, own
    text = f"{worst:.1e} in {worst_name}" + (f" ({whose}: {peer:.1e})" if single else "")
    if failed:
        text += f"; {len(failed)} of {len(truth)} tensors too far"
    line("FAILED" if failed else "ok", name, text)


def attempt(name, function, *arguments):
    """Runs a comparison; what goes wrong in it is a failure of that name."""
    try:
        function(name, *arguments)
    except Refused as e:
        line("FAILED", name, str(e))
    except Exception as e:  # a missing file, a folder that Transformers does not open
        line("FAILED", name, f"{type(e).__name__}: {str(e).splitlines()[0] if str(e) else ''}"[:300])


def end():
    return 1 if counts["FAILED"] else 0
