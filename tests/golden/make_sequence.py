#!/usr/bin/env python3
"""Makes folders of tests/golden/models/ for the families that are not Hugging Face's: textcnn, textrnn, bag,
rnn, forecasters and recommenders. The networks are those that src/model/NAME.c tells, in PyTorch; golden.safetensors holds what make_models.py
says of encoders and of language models; of forecasters x (B, window, N), y and prediction (B, horizon, N), loss (squared
errors) and grad.<name>; of recommenders their inputs, what they answer, loss and grad.<name>; of models of tables numbers,
codes, y, prediction, loss (squared errors; cross-entropy) and grad.<name>. All in float64 rounded once.

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
    "bag-tiny": ("bag", {"ngrams": 3, "buckets": 23, "pool": "root"}),
    "bag-single": ("bag", {"ngrams": 1, "buckets": 1, "pool": "mean"}),
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


class Bag(torch.nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        self.embeddings = torch.nn.Embedding(c["vocab_size"], c["hidden_size"])
        if c["ngrams"] > 1:
            self.ngrams = torch.nn.EmbeddingBag(c["buckets"], c["hidden_size"], mode="sum")
        self.classifier = torch.nn.Linear(c["hidden_size"], 3)

    def forward(self, ids, mask):
        hidden = self.embeddings(ids) * mask[:, :, None]
        pooled = []
        for text, x, length in zip(ids.tolist(), hidden, mask.sum(1).tolist()):
            rows = []
            for n in range(2, self.c["ngrams"] + 1):
                for i in range(length - n + 1):
                    h = text[i]
                    for token in text[i + 1 : i + n]:
                        h = (1000003 * h + 1 + token) % self.c["buckets"]
                    rows.append(h)
            total = x.sum(0)
            if rows:
                total = total + self.ngrams(torch.tensor([rows]))[0]
            number = length + len(rows)
            pooled.append(total / (number**0.5 if self.c["pool"] == "root" else number))
        pooled = torch.stack(pooled)
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


class DLinear(torch.nn.Module):
    def __init__(self, c):
        super().__init__()
        self.average = c["average"]
        self.Linear_Seasonal = torch.nn.Linear(c["window"], c["horizon"])
        self.Linear_Trend = torch.nn.Linear(c["window"], c["horizon"])

    def forward(self, x):
        half = self.average // 2
        longer = torch.cat((x[:, :1].repeat(1, half, 1), x, x[:, -1:].repeat(1, half, 1)), 1)
        trend = torch.nn.functional.avg_pool1d(longer.transpose(1, 2), self.average, 1)
        return (self.Linear_Seasonal(x.transpose(1, 2) - trend) + self.Linear_Trend(trend)).transpose(1, 2)


class LstmForecast(torch.nn.Module):
    def __init__(self, c):
        super().__init__()
        n = len(c["id2label"])
        self.shape = (c["horizon"], n)
        self.rnn = CELLS[c["cell"]](n, c["hidden_size"], c["num_layers"], batch_first=True)
        self.head = torch.nn.Linear(c["hidden_size"], c["horizon"] * n)

    def forward(self, x):
        y = self.rnn(x - x[:, -1:])[0][:, -1]
        return self.head(y).unflatten(1, self.shape) + x[:, -1:]


class PatchTst(torch.nn.Module):
    def __init__(self, c):
        super().__init__()
        self.patch_length, self.stride = c["patch_length"], c["patch_stride"]
        self.count = (c["window"] + self.stride - self.patch_length) // self.stride + 1
        self.patch = torch.nn.Linear(self.patch_length, c["hidden_size"])
        self.position = torch.nn.Parameter(torch.zeros(self.count, c["hidden_size"]))
        self.layers = torch.nn.ModuleList(
            torch.nn.TransformerEncoderLayer(c["hidden_size"], c["num_attention_heads"], c["intermediate_size"],
                                             dropout=0.0, activation="gelu", batch_first=True)
            for _ in range(c["num_hidden_layers"]))
        self.head = torch.nn.Linear(self.count * c["hidden_size"], c["horizon"])

    def forward(self, x):
        batch, _, n = x.shape
        x = x.transpose(1, 2).flatten(0, 1)
        mean = x.mean(1, keepdim=True)
        std = torch.sqrt(x.var(1, keepdim=True, unbiased=False) + 1e-5)
        x = (x - mean) / std
        x = torch.cat((x, x[:, -1:].repeat(1, self.stride)), 1)
        x = self.patch(x.unfold(1, self.patch_length, self.stride)) + self.position
        for layer in self.layers:
            x = layer(x)
        return (self.head(x.flatten(1)) * std + mean).unflatten(0, (batch, n)).transpose(1, 2)


SERIES = {  # name: its network, class, and configuration
    "dlinear-tiny": (DLinear, "GradusDLinear", {"model_type": "gradus_dlinear", "average": 5, "window": 14, "horizon": 4}),
    "lstm-forecast-tiny": (LstmForecast, "GradusLstmForecast",
                           {"model_type": "gradus_lstm_forecast", "cell": "lstm", "num_layers": 2, "hidden_size": 5,
                            "window": 9, "horizon": 3}),
    "patchtst-tiny": (PatchTst, "GradusPatchTST",
                      {"model_type": "gradus_patchtst", "patch_length": 5, "patch_stride": 3, "num_hidden_layers": 2,
                       "num_attention_heads": 2, "hidden_size": 6, "intermediate_size": 8, "window": 16, "horizon": 4}),
}


def recommender_config(kind, architecture, more):
    return {"architectures": [architecture], "model_type": "gradus_" + kind, "columns": ["u", "i", "r", "t"],
            "users": ["ann", "bob", "cy"], "items": ["a", "b", "c", "d", "e"], "mean": 3.5, "sessions": 0} | more


def clear(table, ids):
    """Rows of a table; an id below 0 gives zeros."""
    return table[ids.clamp(min=0)] * (ids >= 0)[..., None]


def mlp(sizes):
    layers = []
    for a, b in zip(sizes, sizes[1:]):
        layers += [torch.nn.Linear(a, b), torch.nn.ReLU(), torch.nn.Dropout(0.0)]
    return torch.nn.Sequential(*layers[:-2])


class Mf(torch.nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        self.user_bias, self.item_bias = torch.nn.Embedding(3, 1), torch.nn.Embedding(5, 1)
        self.session_bias = torch.nn.Embedding(c["sessions"], 1)
        self.users, self.items = torch.nn.Embedding(3, c["hidden_size"]), torch.nn.Embedding(5, c["hidden_size"])

    def forward(self, given):
        u, i, s = (given[k].long() for k in ("user", "item", "session"))
        bu, bi, bs = (clear(b.weight, k)[:, 0] for b, k in
                      ((self.user_bias, u), (self.item_bias, i), (self.session_bias, s)))
        p, q = clear(self.users.weight, u), clear(self.items.weight, i)
        rating = self.c["mean"] + bu + bi + bs + (p * q).sum(1)
        share = given["share"]
        penalty = self.c["l2"] * (p.square() + q.square()).sum(1) + self.c["bias_l2"] * (
            share[:, 0] * bu.square() + share[:, 1] * bi.square()) + self.c["session_l2"] * share[:, 2] * bs.square()
        return {"rating": rating}, ((rating - given["y"]).square() + penalty).mean()


class TwoTower(torch.nn.Module):
    def __init__(self, c):
        super().__init__()
        w = c["hidden_size"]
        self.users, self.items = torch.nn.Embedding(3, w), torch.nn.Embedding(5, w)
        self.item_bias = torch.nn.Embedding(5, 1)
        self.user_tower, self.item_tower = mlp([2 * w, *c["hidden"], w]), mlp([w, *c["hidden"], w])

    def query(self, given):
        there = (given["history"] >= 0).sum(1, keepdim=True).clamp(min=1)
        seen = clear(self.items.weight, given["history"].long()).sum(1) / there
        return self.user_tower(torch.cat((clear(self.users.weight, given["user"].long()), seen), 1))

    def item_vectors(self):
        return self.item_tower(self.items.weight)

    def forward(self, given):
        scores = self.query(given) @ self.item_vectors().T + self.item_bias.weight[:, 0]
        return {"scores": scores}, torch.nn.functional.mse_loss(scores, given["y"])


class NextItem(TwoTower):
    def __init__(self, c):
        torch.nn.Module.__init__(self)
        self.items, self.item_bias = torch.nn.Embedding(5, c["hidden_size"]), torch.nn.Embedding(5, 1)
        self.rnn = CELLS[c["cell"]](c["hidden_size"], c["hidden_size"], c["num_layers"], batch_first=True)

    def query(self, given):
        n = (given["history"] >= 0).sum(1)
        y = self.rnn(clear(self.items.weight, given["history"].long()))[0]
        return y[torch.arange(len(n)), n - 1]

    def item_vectors(self):
        return self.items.weight


class Fm(torch.nn.Module):
    def __init__(self, c):
        super().__init__()
        w = c["hidden_size"]
        self.bias = torch.nn.Parameter(torch.zeros(1))
        self.numbers = torch.nn.Module()
        self.numbers.weights, self.numbers.vectors = (torch.nn.Parameter(torch.zeros(1, n)) for n in (1, w))
        self.categories = torch.nn.ModuleList()
        for codes in (CODES_U, CODES_I):
            both = torch.nn.Module()
            both.weights, both.vectors = torch.nn.Embedding(codes, 1), torch.nn.Embedding(codes, w)
            self.categories.append(both)

    def forward(self, given):
        vectors, linear = [self.numbers.vectors * given["numbers"]], given["numbers"] @ self.numbers.weights + self.bias
        for k, c in enumerate(self.categories):
            ids = given["codes"][:, k].long()
            vectors.append(c.vectors(ids))
            linear = linear + c.weights(ids)
        for k in range(len(vectors)):
            for j in range(k):
                linear = linear + (vectors[k] * vectors[j]).sum(1, keepdim=True)
        return {"prediction": linear}, torch.nn.functional.mse_loss(linear, given["y"])


CODES_U, CODES_I = 4, 3  # words, and one for what is unknown
FM_COLUMNS = {
    "columns": [{"name": "u", "kind": "category", "width": 2, "buckets": 0, "words": ["a", "b", "c"]},
                {"name": "i", "kind": "category", "width": 2, "buckets": 0, "words": ["p", "q"]},
                {"name": "x", "kind": "number", "log": False, "indicator": False, "low": -1, "high": 1, "fill": 0,
                 "shift": 0, "scale": 1}],
    "target": {"name": "y", "kind": "number", "log": False, "indicator": False, "low": None, "high": None, "fill": 0,
               "shift": 0, "scale": 1}}
RECOMMENDER = {  # name: its network, class, and configuration
    "mf-tiny": (Mf, "mf", "GradusMF", {"hidden_size": 4, "l2": 0.3, "bias_l2": 2.0, "session_l2": 1.5, "sessions": 4}),
    "two-tower-tiny": (TwoTower, "two_tower", "GradusTwoTower", {"hidden_size": 4, "hidden": [6], "dropout": 0.1}),
    "next-item-tiny": (NextItem, "next_item", "GradusNextItem", {"cell": "gru", "hidden_size": 4, "num_layers": 2}),
    "fm-tiny": (Fm, "fm", "GradusFM", {"hidden_size": 3} | FM_COLUMNS),
}


class Tabular(torch.nn.Module):
    ACTIVATION = {"relu": torch.nn.ReLU, "gelu": torch.nn.GELU}

    def __init__(self, c):
        super().__init__()
        categories = [k for k in c["columns"] if k["kind"] == "category"]
        learned = [k for k in categories if k["width"] > 0]
        self.embeddings = torch.nn.ModuleList(torch.nn.Embedding(len(k["words"]) + 1, k["width"]) for k in learned)
        numbers = sum(1 + k["indicator"] for k in c["columns"] if k["kind"] == "number")
        numbers += sum(len(k["words"]) + 1 for k in categories if k["width"] == 0)
        classes = len(c["target"].get("words", ""))
        sizes = [numbers + sum(k["width"] for k in learned), *c["hidden"], classes if classes > 2 else 1]
        layers = []
        for a, b in zip(sizes, sizes[1:]):
            layers += [torch.nn.Linear(a, b), self.ACTIVATION[c["activation"]](), torch.nn.Dropout(0.0)]
        self.net = torch.nn.Sequential(*layers[:-2])

    def forward(self, given):
        codes = given["codes"].long()
        x = torch.cat([given["numbers"], *(e(codes[:, k]) for k, e in enumerate(self.embeddings))], 1)
        y = self.net(x)
        loss = torch.nn.functional.mse_loss if y.shape[1] == 1 else torch.nn.functional.cross_entropy
        return {"prediction": y}, loss(y, given["y"] if y.shape[1] == 1 else given["y"].long())


def column(name, words=None, width=2, **more):
    if words:
        return {"name": name, "kind": "category", "width": width, "buckets": 0, "words": words}
    return {"name": name, "kind": "number", "log": False, "indicator": False, "low": None, "high": None, "fill": 0,
            "shift": 0, "scale": 1} | more


TABLE_COLUMNS = [column("x"), column("u", ["a", "b", "c"], 3), column("y", indicator=True), column("i", ["p", "q"]),
                 column("one hot", ["f", "g"], 0)]
TABLE = {  # name: class targets or None, and more of the configuration
    "tabular-classes": (["k", "l", "m"], {"hidden": [6, 5], "activation": "relu"}),
    "tabular-number": (None, {"hidden": [7], "activation": "gelu"}),
    "tabular-linear": (["k", "l", "m"], {"hidden": [], "activation": "relu"}),
}


def make_table(name, classes, more):
    config = {"architectures": ["GradusTabular"], "model_type": "gradus_tabular", "dropout": 0.1,
              "embedding_dropout": 0.2, "columns": TABLE_COLUMNS, "target": column("t", classes)} | more
    folder, single, exact = start(name, config, Tabular)
    hot = torch.nn.functional.one_hot(torch.tensor([1, 0, 2, 2, 1, 0]), 3)
    given = {"numbers": torch.cat((torch.randn(6, 2), torch.tensor([[0.0], [1], [0], [0], [1], [0]]), hot), 1),
             "codes": torch.tensor([[0, 1], [3, 2], [2, 0], [1, 1], [3, 0], [2, 2]]),
             "y": torch.tensor([2, 0, 1, 1, 2, 2]) if classes else torch.randn(6, 1)}
    finish(name, folder, given_answers(exact, given), given_answers(single, given), given)


def given_answers(model, given):
    wide = next(model.parameters()).dtype
    out, loss = model({k: v.to(wide) if v.is_floating_point() else v for k, v in given.items()})
    loss.backward()
    out = {k: v.detach() for k, v in out.items()} | {"loss": loss.detach()}
    return out | {f"grad.{k}": p.grad.clone() for k, p in model.named_parameters()}


def make_recommender(name, model, kind, architecture, more):
    config = recommender_config(kind, architecture, more)
    if kind == "fm":
        for key in ("users", "items", "mean", "sessions"):
            config.pop(key)
    folder, single, exact = start(name, config, model)
    history = torch.tensor([[0, 2, 4, -1], [3, -1, -1, -1], [1, 2, 3, 4], [4, 0, -1, -1]])
    given = {"mf": {"user": torch.tensor([0, 2, -1, 1]), "session": torch.tensor([3, -1, 0, 1]),
                    "item": torch.tensor([4, 0, 2, 2]), "share": torch.rand(4, 3), "y": 5 * torch.rand(4)},
             "two_tower": {"user": torch.tensor([0, 2, -1, 1]), "history": history, "y": torch.randn(4, 5)},
             "next_item": {"history": history, "y": torch.randn(4, 5)},
             "fm": {"numbers": torch.randn(4, 1), "codes": torch.tensor([[0, 1], [3, 2], [2, 0], [1, 1]]),
                    "y": torch.randn(4, 1)}}[kind]
    finish(name, folder, given_answers(exact, given), given_answers(single, given), given)


def series_answers(model, x, y):
    prediction = model(x)
    loss = torch.nn.functional.mse_loss(prediction, y)
    loss.backward()
    out = {"prediction": prediction.detach(), "loss": loss.detach()}
    return out | {f"grad.{k}": p.grad.clone() for k, p in model.named_parameters()}


def make_series(name, model, architecture, more):
    config = {"architectures": [architecture], "id2label": {"0": "a", "1": "b"}, "log": False, "mean": [1.5, -2.0],
              "std": [2.0, 0.5]} | more
    folder, single, exact = start(name, config, model)
    x, y = torch.randn(3, config["window"], 2), torch.randn(3, config["horizon"], 2)
    truth, rough = series_answers(exact, x.double(), y.double()), series_answers(single, x, y)
    finish(name, folder, truth, rough, {"x": x, "y": y})


def start(name, config, model):
    """The folder with its configuration, and the network in f32 and in f64."""
    folder = base.HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    single = model(config).eval()
    base.randomise(single)
    save_file({k: v.contiguous() for k, v in single.state_dict().items()}, folder / "model.safetensors")
    (folder / "model.safetensors").chmod(0o644)
    exact = model(config).double().eval()
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
    classes = {"textcnn": ("GradusTextCNN", TextCnn), "textrnn": ("GradusTextRNN", TextRnn),
               "bag": ("GradusBag", Bag)}
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
    for seed, (name, what) in enumerate(SERIES.items()):
        torch.manual_seed(70 + seed)
        make_series(name, *what)
    for seed, (name, what) in enumerate(RECOMMENDER.items()):
        torch.manual_seed(90 + seed)
        make_recommender(name, *what)
    for seed, (name, what) in enumerate(TABLE.items()):
        torch.manual_seed(110 + seed)
        make_table(name, *what)
    for seed, (name, more) in enumerate(LANGUAGE.items()):
        torch.manual_seed(50 + seed)
        make_language(name, more)


if __name__ == "__main__":
    main()
