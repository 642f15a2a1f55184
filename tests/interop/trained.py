#!/usr/bin/env python3
"""Folders that Gradus trains, opened by Transformers: equal ids, logits and greedy text, for each tokenizer."""
import pathlib
import sys
import tempfile

sys.path.append(sys.path.pop(0))
import interop
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

SENTENCES = ["The old miller counted %d sacks of flour.", "小明今天读了%d本书，很高兴。", "\"Well,\" said Ann, \"that's %d!\"\n",
             "A fox ran past the gate, and %d hens flew up.", "café naïve Ünï %d\n\n"]
TEXTS = ["The old miller", "小明今天", "\"Well,\" said Ann", "A fox ran past the gate", "café", " a  b\n\nc ", "12345"]
CASES = [(f"{model} {tokenizer}", model, tokenizer)
         for tokenizer in ("byte", "char", "bpe") for model in ("gpt", "llama")]


def compare(name, model_type, tokenizer_type, work):
    source = work / "source.txt"
    source.write_text("".join(SENTENCES[i % 5] % (i * 7 % 90) for i in range(2000)), encoding="utf-8")
    settings = [f"model.type={model_type}", "model.layers=2", "model.heads=2", "model.width=32", "model.context=64",
                "train.steps=20", "train.batch=4", f"tokenizer.type={tokenizer_type}"]
    if tokenizer_type == "bpe":
        settings.append("tokenizer.vocab_size=400")
    folder = interop.train(source, work / name.replace(" ", "-"), *settings)

    model = AutoModelForCausalLM.from_pretrained(folder).float().eval()
    auto = AutoTokenizer.from_pretrained(folder)
    fast = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
    known = [t for t in TEXTS if tokenizer_type != "char" or set(t) <= set(source.read_text(encoding="utf-8"))]
    ids = interop.encode(folder, known)
    interop.equal(f"{name}: ids, AutoTokenizer", [auto(t, add_special_tokens=False)["input_ids"] for t in known], ids)
    interop.equal(f"{name}: ids, PreTrainedTokenizerFast",
                  [fast(t, add_special_tokens=False)["input_ids"] for t in known], ids)
    interop.equal(f"{name}: text back", [auto.decode(i, clean_up_tokenization_spaces=False) for i in ids], known)

    batch = torch.randint(model.config.vocab_size, (2, 48), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        wanted = model(input_ids=batch, use_cache=False).logits
    interop.near(f"{name}: logits", {"logits": interop.logits(folder, batch, work)}, {"logits": wanted})

    for prompt in known[:2]:
        start = auto(prompt, return_tensors="pt", add_special_tokens=False)["input_ids"]
        with torch.no_grad():
            out = model.generate(start, do_sample=False, max_new_tokens=24)[0, start.shape[1] :]
        wanted = auto.decode(out, skip_special_tokens=True, clean_up_tokenization_spaces=False).removesuffix("\n")
        interop.equal(f"{name}: greedy text after {prompt!r}", interop.generate(folder, prompt, 24), wanted)


with tempfile.TemporaryDirectory() as work:
    for case in CASES:
        interop.attempt(case[0], lambda name, *rest: compare(name, *rest, pathlib.Path(work)), *case[1:])
sys.exit(interop.end())
