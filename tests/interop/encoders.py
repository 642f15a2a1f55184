#!/usr/bin/env python3
"""Folders of BERT, RoBERTa and DistilBERT that Transformers writes, with random weights of several shapes, opened by
Gradus: equal hidden states, pooled output and logits for rows of unequal length. Truth is Transformers in f64. And
folders that Gradus trains on texts with labels, opened by Transformers: equal ids and probabilities."""
import pathlib
import sys
import tempfile

sys.path.append(sys.path.pop(0))
import interop
import torch
import transformers

interop.LIMIT = 1e-5
KEYS = {"Bert": ("num_hidden_layers", "num_attention_heads", "hidden_size", "intermediate_size"),
        "DistilBert": ("n_layers", "n_heads", "dim", "hidden_dim")}


def model(kind, end, layers, heads, width, hidden, context, vocab, **more):
    sizes = dict(zip(KEYS.get(kind, KEYS["Bert"]), (layers, heads, width, hidden)))
    shift = 2 if kind == "Roberta" else 0
    config = getattr(transformers, kind + "Config")(vocab_size=vocab, max_position_embeddings=context + shift, **sizes,
                                                    **more)
    return getattr(transformers, kind + end)(config)


HEAD = "ForSequenceClassification"
CASES = [  # name, kind, class, layers, heads, width, hidden, context, vocab, lengths of rows, more
    ("bert two labels", "Bert", HEAD, 2, 4, 64, 256, 64, 300, [64, 1, 33, 50], {}),
    ("bert odd width", "Bert", HEAD, 3, 3, 51, 77, 37, 101, [5, 37, 20], {"num_labels": 7}),
    ("bert gelu_new", "Bert", HEAD, 2, 2, 32, 64, 40, 64, [40, 7], {"hidden_act": "gelu_new", "num_labels": 1}),
    ("bert relu, one type", "Bert", HEAD, 1, 2, 32, 64, 16, 64, [16, 7], {"hidden_act": "relu", "type_vocab_size": 1}),
    ("bert many labels", "Bert", HEAD, 1, 2, 32, 64, 16, 64, [16, 7],
     {"num_labels": 4, "problem_type": "multi_label_classification"}),
    ("bert body", "Bert", "Model", 2, 4, 64, 128, 64, 300, [30, 64], {}),
    ("bert of masked words", "Bert", "ForMaskedLM", 2, 4, 64, 128, 64, 300, [30, 64], {}),
    ("bert wide", "Bert", HEAD, 2, 12, 768, 3072, 128, 1000, [128, 77], {}),
    ("roberta", "Roberta", HEAD, 2, 4, 64, 256, 64, 300, [64, 1, 33, 50], {"num_labels": 3, "type_vocab_size": 1}),
    ("roberta two types", "Roberta", HEAD, 2, 4, 64, 256, 64, 300, [12, 50], {}),
    ("roberta body", "Roberta", "Model", 2, 4, 64, 256, 64, 300, [64, 50], {"type_vocab_size": 1}),
    ("distilbert", "DistilBert", HEAD, 3, 4, 64, 256, 64, 300, [64, 1, 33, 50], {"num_labels": 3}),
    ("distilbert body", "DistilBert", "Model", 2, 4, 64, 256, 64, 300, [64, 50], {}),
    ("distilbert of masked words", "DistilBert", "ForMaskedLM", 2, 4, 64, 256, 64, 300, [64, 50], {}),
]


def answers(net, ids, mask):
    body = getattr(net, net.base_model_prefix, net)
    with torch.no_grad():
        out = body(input_ids=ids, attention_mask=mask)
        all_of = {"hidden": out.last_hidden_state * mask[:, :, None]}
        if getattr(out, "pooler_output", None) is not None:
            all_of["pooled"] = out.pooler_output
        if hasattr(net, "classifier"):
            all_of["logits"] = net(input_ids=ids, attention_mask=mask).logits
    return all_of


def compare(name, kind, end, layers, heads, width, hidden, context, vocab, lengths, more):
    torch.manual_seed(len(name))
    net = model(kind, end, layers, heads, width, hidden, context, vocab, **more).eval()
    with torch.no_grad():
        for p in net.parameters():  # no norm at 1, no bias at 0
            p.add_(torch.randn_like(p) * (0.1 if p.dim() == 1 else 0.05))
    pad = net.config.pad_token_id
    rows = [torch.randint(pad + 1, vocab, (n,)).tolist() for n in lengths]
    ids = torch.tensor([row + [pad] * (max(lengths) - len(row)) for row in rows])
    mask = torch.tensor([[1] * n + [0] * (max(lengths) - n) for n in lengths])
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        net.save_pretrained(work / "model")
        single = answers(net, ids, mask)
        got = interop.encoded(work / "model", rows, work)
    got["hidden"] = got["hidden"] * mask[:, :, None]
    interop.near(name, got, answers(net.double(), ids, mask), single)


BEASTS = ["cat", "dog", "bird"]
SENTENCES = ["%s the %s sat here", "%s a small %s", "%s who saw the %s go by, café?", "%s my %s!"]
TEXTS = ["a small cat", "my dog!", "the bird sat here and who saw the bird go by", "x"]


def begun(name, work):
    """A folder of Transformers with WordPiece, as published ones are, to begin with."""
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "sat", "here", "a", "small", "who", "saw", "go", "by", "my", "cafe"]
    pieces += list("abcdefghijklmnopqrstuvwxyz,?!") + ["##" + c for c in "abcdefghijklmnopqrstuvwxyz"]
    vocab = {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}
    fast = transformers.BertTokenizer(vocab=vocab)
    model("Bert", "ForMaskedLM", 2, 2, 32, 64, 64, len(vocab)).save_pretrained(work / "start")
    fast.save_pretrained(work / "start")
    return interop.train(work / "beasts.txt", work / "run", "task=text-classification", f"from={work / 'start'}",
                         "train.steps=20", "train.lr=3e-3")


def trained(name, kind, tokenizer):
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        lines = [SENTENCES[i % 4].replace("%s", BEASTS[i % 3]) for i in range(120)]
        (work / "beasts.txt").write_text("\n".join(lines), encoding="utf-8")
        folder = begun(name, work) if tokenizer == "wordpiece" else interop.train(
            work / "beasts.txt", work / "run", "task=text-classification", f"model.type={kind}", "model.layers=2",
            "model.heads=2", "model.width=32", "model.context=64", f"tokenizer.type={tokenizer}",
            "tokenizer.vocab_size=300", "train.steps=20", "train.lr=3e-3")
        net = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
        auto = transformers.AutoTokenizer.from_pretrained(folder)
        interop.equal(f"{name}: labels", [net.config.id2label[i] for i in range(3)], sorted(BEASTS))
        batch = auto(TEXTS, return_tensors="pt", padding=True)
        with torch.no_grad():
            wanted = net(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits.softmax(1)
        got = torch.tensor([[s[label] for label in sorted(BEASTS)] for s in interop.predict(folder, TEXTS)])
        interop.near(f"{name}: probabilities", {"p": got}, {"p": wanted})


for name, *case in CASES:
    interop.attempt(name, compare, *case)
for kind in ("bert", "roberta", "distilbert"):
    for tokenizer in ("byte", "char", "bpe"):
        interop.attempt(f"trained {kind} {tokenizer}", trained, kind, tokenizer)
interop.attempt("begun with a folder", trained, "bert", "wordpiece")
sys.exit(interop.end())
