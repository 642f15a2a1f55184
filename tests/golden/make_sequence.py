#!/usr/bin/env python3
"""Makes folders of tests/golden/models/ for the families that are not Hugging Face's: textcnn, textrnn, rnn. The networks
are those that src/model/NAME.c tells, in PyTorch; golden.safetensors holds what make_models.py says of encoders and of
language models, in float64 rounded once.

    python3 tests/golden/make_sequence.py
"""
import json
import shutil
import types

import torch
from safetensors.torch import save_file

import make_models as base

CELLS = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}
TEXT = {  # name: class and its configuration
    "textcnn-tiny": ("textcnn", {"windows": [1, 3, 4], "maps": 5}),
    "textrnn-tiny": ("textrnn", {"cell": "lstm", "num_layers": 2, "rnn_size": 5, "bidirectional": True, "pool": "max"}),
    "textrnn-last": ("textrnn", {"cell": "gru", "num_layers": 1, "rnn_size": 6, "bidirectional": True, "pool": "last"}),
    "textrnn-mean": ("textrnn", {"cell": "rnn", "num_layers": 1, "rnn_size": 6, "bidirectional": False, "pool": "mean"}),
}
LANGUAGE = {
    "rnn-tiny": {"cell": "lstm", "num_layers": 2, "rnn_size": 12, "hidden_size": 12, "tie_word_embeddings": True},
    "rnn-gru": {"cell": "gru", "num_layers": 1, "rnn_size": 10, "hidden_size": 8, "tie_word_embeddings": False},
}


class TextCnn(torch.nn.Module):
    def __init__(self, c):
        super().__init__()
        self.embeddings = torch.nn.Embedding(c["vocab_size"], c["hidden_size"])
        self.convs = torch.nn.ModuleList(torch.nn.Conv1d(c["hidden_size"], c["maps"], w) for w in c["windows"])
        self.classifier = torch.nn.Linear(c["maps"] * len(c["windows"]), 3)

    def forward(self, ids, mask):
        x = (self.embeddings(ids) * mask[:, :, None]).transpose(1, 2)
        parts = []
        for conv in self.convs:
            w = conv.kernel_size[0]
            parts.append(torch.relu(conv(torch.nn.functional.pad(x, ((w - 1) // 2, w // 2)))))
        hidden = torch.cat(parts, 1).transpose(1, 2) * mask[:, :, None]
        pooled = hidden.amax(1)
        return hidden, pooled, self.classifier(pooled)


class TextRnn(torch.nn.Module):
    def __init__(self, c):
        super().__init__()
        self.pool = c["pool"]
        self.layers = c["num_layers"]
        self.directions = 2 if c["bidirectional"] else 1
        self.embeddings = torch.nn.Embedding(c["vocab_size"], c["hidden_size"])
        self.rnn = CELLS[c["cell"]](c["hidden_size"], c["rnn_size"], c["num_layers"], batch_first=True,
                                    bidirectional=c["bidirectional"])
        self.classifier = torch.nn.Linear(c["rnn_size"] * self.directions, 3)

    def forward(self, ids, mask):
        lengths = mask.sum(1)
        packed = torch.nn.utils.rnn.pack_padded_sequence(self.embeddings(ids), lengths, batch_first=True,
                                                         enforce_sorted=False)
        y, h = self.rnn(packed)
        h = h[0] if isinstance(h, tuple) else h
        hidden = torch.nn.utils.rnn.pad_packed_sequence(y, batch_first=True, total_length=ids.shape[1])[0]
        if self.pool == "last":
            pooled = torch.cat(list(h[-self.directions:]), 1)
        elif self.pool == "max":
            pooled = hidden.masked_fill(mask[:, :, None] == 0, -4).amax(1)
        else:
            pooled = hidden.sum(1) / lengths[:, None]
        return hidden, pooled, self.classifier(pooled)


class Rnn(torch.nn.Module):
    def __init__(self, c):
        super().__init__()
        self.embeddings = torch.nn.Embedding(c["vocab_size"], c["hidden_size"])
        self.rnn = CELLS[c["cell"]](c["hidden_size"], c["rnn_size"], c["num_layers"], batch_first=True)
        if not c["tie_word_embeddings"]:
            self.lm_head = torch.nn.Linear(c["rnn_size"], c["vocab_size"], bias=False)

    def forward(self, input_ids, use_cache=False):
        y = self.rnn(self.embeddings(input_ids))[0]
        head = self.lm_head.weight if hasattr(self, "lm_head") else self.embeddings.weight
        return types.SimpleNamespace(logits=y @ head.T)


def start(name, config, model):
    """The folder with its configuration, and the network in f32 and in f64."""
    folder = base.HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    single = model(config)
    base.randomise(single)
    save_file({k: v.contiguous() for k, v in single.state_dict().items()}, folder / "model.safetensors")
    (folder / "model.safetensors").chmod(0o644)
    exact = model(config).double()
    exact.load_state_dict({k: v.double() for k, v in single.state_dict().items()})
    return folder, single, exact


def finish(name, folder, truth, single, given):
    base.report(name, truth, single)
    size = base.write(folder / "golden.safetensors", truth | given)
    print(f"{name}: golden.safetensors {size} bytes, loss {truth['loss']:.4f}")


def text_answers(model, ids, mask, labels):
    hidden, pooled, logits = model(ids, mask)
    loss = torch.nn.functional.cross_entropy(logits, labels)
    loss.backward()
    out = {"hidden": hidden * mask[:, :, None], "pooled": pooled, "logits": logits, "loss": loss}
    out = {k: v.detach() for k, v in out.items()}
    return out | {f"grad.{k}": p.grad.clone() for k, p in model.named_parameters()}


def make_text(name, kind, more):
    classes = {"textcnn": ("GradusTextCNN", TextCnn), "textrnn": ("GradusTextRNN", TextRnn)}
    config = {"architectures": [classes[kind][0]], "model_type": "gradus_" + kind, "vocab_size": 19, "hidden_size": 6,
              "max_position_embeddings": 9, "id2label": {"0": "a", "1": "b", "2": "c"}} | more
    folder, single, exact = start(name, config, classes[kind][1])
    ids = torch.randint(1, 19, (4, 9))
    mask = (torch.arange(9)[None, :] < torch.tensor([9, 1, 4, 8])[:, None]).long()
    ids[mask == 0] = 0
    labels = torch.randint(3, (4,))
    truth, rough = text_answers(exact, ids, mask, labels), text_answers(single, ids, mask, labels)
    finish(name, folder, truth, rough, {"ids": ids, "labels": labels, "mask": mask})


def make_language(name, more):
    context, vocab = 9, 13
    config = {"architectures": ["GradusRNN"], "model_type": "gradus_rnn", "vocab_size": vocab,
              "max_position_embeddings": context} | more
    folder, single, exact = start(name, config, Rnn)
    ids = torch.randint(vocab, (2, context))
    targets = torch.randint(vocab, (2, context))
    targets[:, :-1] = ids[:, 1:]
    targets[-1, 2] = -1
    greedy = ids[:1, :3]
    while greedy.shape[1] < context:
        greedy = torch.cat((greedy, exact(greedy).logits[:, -1:].argmax(-1)), 1)
    truth, rough = base.answers(exact, ids, targets), base.answers(single, ids, targets)
    finish(name, folder, truth, rough, {"ids": ids, "targets": targets, "greedy": greedy[0]})


def main():
    torch.set_num_threads(1)
    for seed, (name, (kind, more)) in enumerate(TEXT.items()):
        torch.manual_seed(seed)
        make_text(name, kind, more)
    for seed, (name, more) in enumerate(LANGUAGE.items()):
        torch.manual_seed(50 + seed)
        make_language(name, more)


if __name__ == "__main__":
    main()
