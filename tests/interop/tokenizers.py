#!/usr/bin/env python3
"""Compares Gradus' tokenizers with Hugging Face's: equal ids and equal text for many texts and every kind.

usage: tokenizers.py PROGRAM DATA
  PROGRAM  the helper built from tests/interop/tokenize_main.c
  DATA     the folder of test data (shared/data)

Needs the packages tokenizers and transformers. Ends with 1 when anything differs."""
import json, os, random, subprocess, sys, tempfile

# This file has the name of the package it needs.
sys.path = [p for p in sys.path if os.path.abspath(p or ".") != os.path.dirname(os.path.abspath(__file__))]
from tokenizers import Tokenizer
from transformers import AutoTokenizer, PreTrainedTokenizerFast

ODD = [
    "", " ", "  ", "a", "\n", "\n\n", " \n ", "\r\n", "a\r\nb\r\n", "\t\tx", "Hello world", " Hello  world ", "don't I'LL we've 'S",
    "1234567890 12 3", "x=1;y=22;", "...!!!???", "na\u00efve caf\u00e9 \u00fcber", "\u4f60\u597d\uff0c\u4e16\u754c\u3002",
    "\U0001F44B \U0001F30D \U0001F468\u200d\U0001F469\u200d\U0001F467", "e\u0301 \u0301", "\u00a0\u2003\u3000\u0085\u180e\u200b\ufeff",
    "\u2028\u2029", "\u017f's '\u017f", "\u0660\u0661\u00b2\u00bd\u2167", "<|endoftext|>", "a<|endoftext|>b <|endoftext|>", "<s>", "</s> <unk>",
    "<s>x</s>", "<0x0A>", "\u2581", "a \u2581 b", "\x00\x01\x7f", "\u0900\u093f\u0902 \u0e01\u0e33", "\uffff\ufffd", "z" * 300, " " * 300,
    "ab" * 200, "\n" * 50 + " x", "<mask>", " <mask> x", "\ud7ff\ue000", "\U0010ffff", "aaa aaaa aaaaa", "\u2581\u2581a", "<|endof", "|>",
]


def random_texts(rng, alphabets, n):
    return ["".join(rng.choice(rng.choice(alphabets)) for _ in range(rng.randrange(1, 60))) for _ in range(n)]


def corpus(data):
    rng = random.Random(7)
    texts = list(ODD)
    for name in ("text/tinyshakespeare.txt", "text/botchan_en.txt", "text/hongloumeng_zh.txt", "tokenizers/bpe_training/german.txt"):
        whole = open(os.path.join(data, name), encoding="utf-8", newline="").read()
        for _ in range(150):
            at = rng.randrange(len(whole))
            texts.append(whole[at:at + rng.randrange(1, 600)])
    texts.append(open(os.path.join(data, "text/tinyshakespeare.txt"), encoding="utf-8", newline="").read()[:100000])
    every = [chr(c) for c in range(1, 0x30000) if not 0xD800 <= c < 0xE000]
    alphabets = ["abc ", " \t\n\r", "0123456789", "'stldrevm ", ".,!?-", "\u00e9\u00fc\u4e2d\u6587\u0416\u05d0\u0627", "<|>endoftxs/unk", "Once upon a time"]
    texts += random_texts(rng, alphabets, 1500) + random_texts(rng, alphabets + [every], 1000) + random_texts(rng, [every], 500)
    texts += ["".join(every[i:i + 256]) for i in range(0, len(every), 256)]
    return texts


def ask(program, path, texts, special):
    lines = "".join(json.dumps(t) + "\n" for t in texts)
    args = [program, "encode", path] + (["special"] if special else [])
    done = subprocess.run(args, input=lines.encode(), stdout=subprocess.PIPE, check=True)
    return [json.loads(line) for line in done.stdout.decode().split("\n") if line]


def assigned(text):
    """Whether both sides can know the characters: their versions of Unicode differ in the newest ones."""
    import unicodedata
    return all(unicodedata.category(c) != "Cn" for c in text)


def long_assigned(text):
    """The normal forms of Hugging Face are those of a Unicode from about 2018."""
    import unicodedata
    return all(unicodedata.ucd_3_2_0.category(c) != "Cn" for c in text)


def compare(name, program, path, json_path, texts, known=assigned):
    hf = Tokenizer.from_file(json_path)
    fast = PreTrainedTokenizerFast(tokenizer_file=json_path)
    bad = 0
    for special in (True, False):
        hf.encode_special_tokens = not special
        wanted = hf.encode_batch(texts, add_special_tokens=False)
        for text, mine, theirs in zip(texts, ask(program, path, texts, special), wanted):
            back = hf.decode(theirs.ids, skip_special_tokens=False)
            same = mine.get("ids") == theirs.ids and (mine["text"] == back or "\ufffd" in back)
            if special and len(text) < 1000:
                same = same and fast(text, add_special_tokens=False)["input_ids"] == mine["ids"]
            if not same and known(text):
                bad += 1
                if bad <= 5:
                    print(f"  {name} special={special} {text[:80]!r}\n    gradus {str(mine)[:300]}\n    hf     {theirs.ids[:40]} {back[:80]!r}")
    print(f"{name:28} {len(texts)} texts, {bad} differ")
    return bad


LLAMA3 = ("(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+"
          "|\\s+(?!\\S)|\\s+")
BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}


def split(regex):
    return {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False}


def sequence(key, *steps):
    return {"type": "Sequence", key: list(steps)}


def metaspace(scheme, cut):
    return {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": scheme, "split": cut}


def added(spec, *tokens):
    """More added tokens, with ids behind the vocabulary."""
    first = max(list(spec["model"]["vocab"].values()) + [t["id"] for t in spec["added_tokens"]]) + 1
    base = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False}
    return spec["added_tokens"] + [{**base, **t, "id": first + i} for i, t in enumerate(tokens)]


def variants(bpe, llama):
    """Files with other steps than Gradus writes itself: name -> tokenizer.json."""
    extra = ({"content": "e a", "lstrip": True}, {"content": "b ", "rstrip": True}, {"content": ", ", "lstrip": True, "rstrip": True}, {"content": "ing ", "special": True},
             {"content": "\u4f60\u597d", "normalized": True}, {"content": "caf\u00e9", "normalized": True})
    return {
        "llama3": {**bpe, "pre_tokenizer": sequence("pretokenizers", split(LLAMA3), BYTE_LEVEL)},
        "llama3 ignore_merges": {**bpe, "pre_tokenizer": sequence("pretokenizers", split(LLAMA3), BYTE_LEVEL),
                                 "model": {**bpe["model"], "ignore_merges": True, "merges": bpe["model"]["merges"][:2000]}},
        "qwen2 nfc": {**bpe, "normalizer": {"type": "NFC"},
                      "pre_tokenizer": sequence("pretokenizers", split(LLAMA3.replace("{1,3}", "")), BYTE_LEVEL)},
        "nfkd": {**bpe, "normalizer": {"type": "NFKD"}}, "nfd": {**bpe, "normalizer": {"type": "NFD"}},
        "nfkc": {**bpe, "normalizer": {"type": "NFKC"}, "added_tokens": added(bpe, *extra)},
        "prefix space": {**bpe, "pre_tokenizer": {**BYTE_LEVEL, "add_prefix_space": True, "use_regex": True},
                         "added_tokens": added(bpe, *extra)},
        "deepseek": {**bpe, "pre_tokenizer": sequence(
            "pretokenizers", split("[\r\n]"), split("\\s?\\p{L}+"), split("\\s?[!-/:-~]+"), split("\\s+$"), split("[\u4e00-\u9fa5]+"),
            {"type": "Digits", "individual_digits": True}, BYTE_LEVEL)},
        "digit runs": {**bpe, "pre_tokenizer": sequence("pretokenizers", {"type": "Digits", "individual_digits": False}, BYTE_LEVEL)},
        "split at text": {**bpe, "pre_tokenizer": sequence(
            "pretokenizers", {**split(""), "pattern": {"String": "th"}}, {**BYTE_LEVEL, "use_regex": True})},
        "no merges in unk": {**llama, "model": {**llama["model"], "byte_fallback": False, "fuse_unk": True}},
        "unk each": {**llama, "model": {**llama["model"], "byte_fallback": False, "fuse_unk": False}},
        "llama added": {**llama, "added_tokens": added(llama, *extra)},
        **{f"metaspace {scheme} {cut}": {**llama, "normalizer": None, "pre_tokenizer": metaspace(scheme, cut),
                                         "decoder": sequence("decoders", {"type": "ByteFallback"}, metaspace(scheme, cut)),
                                         "added_tokens": added(llama, *extra)}
           for scheme in ("always", "first", "never") for cut in (True, False)},
    }


def main():
    program, data = os.path.abspath(sys.argv[1]), sys.argv[2]
    texts = corpus(data)
    bad = 0
    with tempfile.TemporaryDirectory() as tmp:
        shakespeare, botchan = (os.path.join(data, "text", f) for f in ("tinyshakespeare.txt", "botchan_en.txt"))
        chinese = os.path.join(data, "text/hongloumeng_zh.txt")
        run = lambda *args: subprocess.run([program, *args], check=True, stderr=subprocess.DEVNULL)
        for name, kind, file, size in (("byte", "byte", shakespeare, "0"), ("char english", "char", shakespeare, "0"),
                                       ("char chinese", "char", chinese, "0"), ("bpe 8192", "bpe", shakespeare, "8192"),
                                       ("bpe 300", "bpe", botchan, "300"), ("bpe chinese 4000", "bpe", chinese, "4000")):
            folder = os.path.join(tmp, name.replace(" ", "_"))
            os.mkdir(folder)
            run("train", kind, folder, file, size)
            path = os.path.join(folder, "tokenizer.json")
            bad += compare(name, program, path, path, texts)
            auto = AutoTokenizer.from_pretrained(folder)
            if auto.eos_token != "<|endoftext|>" or auto("To be")["input_ids"] != ask(program, folder, ["To be"], False)[0]["ids"]:
                bad += 1
                print(f"  {name}: AutoTokenizer differs")
        for name, source in (("gpt2 pair", "tokenizers/gpt2"), ("roberta", "tokenizers/hf/roberta-base"), ("llama2c", "models/stories260K/tok512.bin")):
            source = os.path.join(data, source)
            saved = os.path.join(tmp, name.replace(" ", "_") + ".json")
            run("save", source, saved)
            bad += compare(name + " as saved", program, source, saved, texts)
            bad += compare(name + " saved, opened", program, saved, saved, texts)
        bpe = json.load(open(os.path.join(tmp, "bpe_8192/tokenizer.json"), encoding="utf-8"))
        llama = json.load(open(os.path.join(tmp, "llama2c.json"), encoding="utf-8"))
        for name, spec in variants(bpe, llama).items():
            path, saved = os.path.join(tmp, "variant.json"), os.path.join(tmp, "variant-saved.json")
            json.dump(spec, open(path, "w", encoding="utf-8"))
            bad += compare(name, program, path, path, texts, long_assigned if name.find("nf") >= 0 else assigned)
            run("save", path, saved)
            bad += compare(name + ", saved", program, saved, saved, texts[:300])
        roberta = os.path.join(data, "tokenizers/hf/roberta-base/tokenizer.json")
        bad += compare("roberta original", program, roberta, roberta, texts)
    return bad != 0


if __name__ == "__main__":
    sys.exit(main())
