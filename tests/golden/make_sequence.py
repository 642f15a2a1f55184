#!/usr/bin/env python3
"""Makes folders of tests/golden/models/ for the families that are not Hugging Face's: textcnn, textrnn, rnn, and
forecasters. The networks are those that src/model/NAME.c tells, in PyTorch; golden.safetensors holds what make_models.py
says of encoders and of language models; of forecasters x (B, window, N), y and prediction (B, horizon, N), loss (squared
errors) and grad.<name>. All in float64 rounded once.

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
    for seed, (name, what) in enumerate(SERIES.items()):
        torch.manual_seed(70 + seed)
        make_series(name, *what)
    for seed, (name, more) in enumerate(LANGUAGE.items()):
        torch.manual_seed(50 + seed)
        make_language(name, more)


if __name__ == "__main__":
    main()
