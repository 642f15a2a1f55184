"""The small character GPT of nanoGPT's README (its CPU setting), trained in plain PyTorch on a text file.

    python3 small_gpt.py ../shared/data/text/tinyshakespeare.txt

4 layers, 4 heads, width 128, context 64, batch 12, 2,000 steps, no bias, dropout 0; AdamW 1e-3 -> 1e-4 by cosine after
100 steps of warm-up, betas (0.9, 0.99), weight decay 0.1 on matrices, gradient norm clipped to 1. The first 90 % of the
text are for training. The loss at the end is the mean over the whole last 10 %, cut into windows of 64 characters.

With --serve or --measure it is the speed case instead: the same step without clipping and schedule, on one batch.
"""
import math
import pathlib
import statistics
import time

import peer
from gpt2_step import build_model


def learning_rate(step, steps):
    if step < 100:
        return 1e-3 * (step + 1) / 101
    return 1e-4 + 0.5 * (1 + math.cos(math.pi * (step - 100) / (steps - 100))) * 9e-4


def make_adamw(torch, model):
    matrices = [p for p in model.parameters() if p.dim() >= 2]
    rest = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99), fused=True)


def validation_loss(torch, o, model, data):
    """Mean over every character but the first of 'data'."""
    total, count = 0.0, 0
    with torch.no_grad(), peer.autocast(torch, o):
        for at in range(0, len(data) - 1, 64):
            target = data[at + 1 : at + 65]
            loss = model(data[at : at + len(target)][None], target[None])
            total, count = total + loss.item() * len(target), count + len(target)
    return total / count


def main():
    p = peer.parser(__doc__.split("\n")[0], steps=2000)
    p.add_argument("text")
    p.add_argument("--measure", action="store_true")
    o = p.parse_args()
    torch = peer.start(o)
    text = pathlib.Path(o.text).read_text(encoding="utf-8")
    characters = sorted(set(text))
    code = {c: i for i, c in enumerate(characters)}
    data = torch.tensor([code[c] for c in text])
    training, validation = data[: len(data) * 9 // 10], data[len(data) * 9 // 10 :]
    model = build_model(torch, 4, 4, 128, 64, len(characters), bias=False)
    adamw = make_adamw(torch, model)
    forward = peer.compiled(torch, o, model)

    def batch():
        starts = torch.randint(len(training) - 64, (12,)).tolist()
        return (torch.stack([training[s + shift : s + shift + 64] for s in starts]) for shift in (0, 1))

    def step(ids, targets, clip):
        with peer.autocast(torch, o):
            loss = forward(ids, targets)
        loss.backward()
        if clip:
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adamw.step()
        adamw.zero_grad(set_to_none=True)
        return loss.detach()

    if o.serve or o.measure:
        ids, targets = batch()
        return peer.run("small_gpt", o, lambda: step(ids, targets, False))

    begin, seconds = time.perf_counter(), []
    for i in range(o.steps):
        for group in adamw.param_groups:
            group["lr"] = learning_rate(i, o.steps)
        ids, targets = batch()
        at = time.perf_counter()
        loss = step(ids, targets, True).item()
        seconds.append(time.perf_counter() - at)
        if i % 100 == 0 and not o.json:
            print(f"step {i}: loss {loss:.4f}", flush=True)
    total = time.perf_counter() - begin
    final = validation_loss(torch, o, model, validation)
    result = {"name": "small_gpt", "loss": final, "total_seconds": total, "min": min(seconds),
              "median": statistics.median(seconds), "rss_mib": round(peer.rss_mib(), 1), "dtype": o.dtype,
              "mode": o.mode, "threads": o.threads}
    print(peer.json.dumps(result) if o.json else
          f"small_gpt {o.dtype} {o.mode}: loss {final:.4f} on the last 10 %, {total:.1f} s in all,"
          f" a step min {min(seconds) * 1e3:.2f} ms, median {result['median'] * 1e3:.2f} ms,"
          f" peak RSS {peer.rss_mib():.0f} MiB")


if __name__ == "__main__":
    main()
