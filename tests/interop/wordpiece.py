#!/usr/bin/env python3
"""BERT's WordPiece: ids and text back beside Hugging Face tokenizers, on real texts in two scripts and odd strings, with
the published cased vocabulary as it is and with small letters; and the file that Gradus writes gives the same there."""
import json
import os
import pathlib
import sys
import tempfile

sys.path.append(sys.path.pop(0))
import interop
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

DATA = pathlib.Path(os.environ.get("GRADUS_DATA", interop.ROOT / "../shared/data"))
VOCAB = DATA / "tokenizers/bert_cased_vocab.txt"
ODD = ["", " ", "a", "Ünïcödé ÀÉÎ", "İstanbul ΣΑΣ", "中文abc字", "it's a don't-care (test)!?", "tab\tnew\nline\r\n x", "\u200b\ufeff\x07a",
       "x" * 101 + " y", "nbsp\u00a0here\u3000wide", "𠀀𪜀 emoji 🙂 👩‍👩‍👧", "a\u0301e\u0308", "[CLS] [MASK] [sep]", "#hash ##ing", "١٢٣ ½ ²",
       "한국어 テスト", "ﬁ ﬂ ǅ ß ẞ", "—–“quotes”«»", "\ufffd broken"]


def made(**options):
    vocab = {line: i for i, line in enumerate(VOCAB.read_text(encoding="utf-8").split("\n")) if line}
    tok = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]", max_input_chars_per_word=100))
    tok.normalizer = normalizers.BertNormalizer(**options)
    tok.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tok.decoder = decoders.WordPiece()
    tok.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", vocab["[CLS]"]), ("[SEP]", vocab["[SEP]"])])
    tok.add_special_tokens(["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"])
    return tok


def texts():
    out = list(ODD)
    for path, encoding in (("classification/mr.txt", "latin-1"), ("classification/sst2/test.txt", "utf-8"),
                           ("classification/waimai_10k_zh.csv", "utf-8"), ("text/hongloumeng_zh.txt", "utf-8")):
        out += (DATA / path).read_text(encoding=encoding).split("\n")[:1500]
    return [t for t in out if "\0" not in t]


def compare(name, options, work):
    theirs = made(**options)
    folder = work / name.replace(" ", "-")
    folder.mkdir()
    theirs.save(str(folder / "tokenizer.json"))
    all_texts = texts()
    # Gradus takes special tokens in a text for plain text unless told; so do these.
    theirs.encode_special_tokens = True
    wanted = [theirs.encode(t, add_special_tokens=False).ids for t in all_texts]
    lines = "".join(json.dumps(t) + "\n" for t in all_texts).encode()
    ours = [json.loads(line) for line in interop.call(interop.TOKENIZE, "encode", folder, text=lines).splitlines()]
    got = [line["ids"] for line in ours]
    wrong = [i for i, (a, b) in enumerate(zip(got, wanted)) if a != b]
    interop.equal(f"{name}: ids of {len(all_texts)} texts", [(all_texts[i], got[i], wanted[i]) for i in wrong[:3]], [])
    back = theirs.decode_batch(wanted, skip_special_tokens=False)
    wrong = [(line["text"], b) for line, b in zip(ours, back) if line["text"] != b]
    interop.equal(f"{name}: text back", wrong[:3], [])
    interop.call(interop.TOKENIZE, "save", folder, work / "again.json")
    again, plain = Tokenizer.from_file(str(work / "again.json")), made(**options)
    pairs = [(a, b) for a, b in zip(all_texts[:400], all_texts[400:800])]
    interop.equal(f"{name}: written again", [(e.ids, e.type_ids) for e in again.encode_batch(pairs + all_texts)],
                  [(e.ids, e.type_ids) for e in plain.encode_batch(pairs + all_texts)])


if not VOCAB.exists():
    interop.line("skipped", "wordpiece", f"there is no {VOCAB}")
    sys.exit(interop.end())
with tempfile.TemporaryDirectory() as work:
    for case, options in (("cased", {"lowercase": False}), ("small letters", {"lowercase": True}),
                          ("accents only", {"lowercase": False, "strip_accents": True}),
                          ("small letters with accents", {"lowercase": True, "strip_accents": False}),
                          ("nothing", {"lowercase": False, "clean_text": False, "handle_chinese_chars": False})):
        interop.attempt(case, compare, options, pathlib.Path(work))
sys.exit(interop.end())
