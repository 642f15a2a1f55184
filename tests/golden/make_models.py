#!/usr/bin/env python3
"""Makes tests/golden/models/: small models with PyTorch's answers. Needs torch, transformers and safetensors
(bench/env.sh makes that environment); the tests read only what is committed.

    python3 tests/golden/make_models.py

A folder per GPT-2 and Llama model, written by Transformers itself (config.json, generation_config.json,
model.safetensors, names as there), and beside it

  golden.safetensors
    ids            i32 (B, T)
    targets        i32 (B, T)      the target of each position as it stands (not shifted again); -1 does not count
    logits         f32 (B, T, V)
    loss           f32 ()          mean of the cross-entropy over the targets that count
    losses         f32 (10)        the loss before each of the ten updates; losses[0] = loss
    grad.<name>    f32             of the loss, for each parameter of model.safetensors
    step10.<name>  f32             the parameter after ten AdamW updates on the same batch:
                                   lr 1e-3, betas (0.9, 0.95), eps 1e-4, weight decay 0.1 on every parameter
    greedy         i32 (context)   ids[0, :3] continued greedily to the full context

  eps is not the usual 1e-8 for a reason: the gradient of a key bias is zero (soft-max does not see it), so what arrives
  is rounding noise of 1e-9 or so, which AdamW with eps 1e-8 blows up to steps of the size of lr. PyTorch's own f32 is
  then 7e-3 away from its f64. With 1e-4 every number here is well defined.

A folder per encoder (BERT, RoBERTa, DistilBERT, each ...ForSequenceClassification), and beside it

  golden.safetensors
    ids            i32 (B, T)      rows of unequal length, padded at the end
    types          i32 (B, T)      token types; only BERT
    mask           u8 (B, T)       1 where a token is
    labels         i32 (B), or f32 (B) of a regression
    hidden         f32 (B, T, C)   after the last layer; 0 at padding
    pooled         f32 (B, C)      only BERT
    logits         f32 (B, labels)
    loss           f32 ()          Transformers' own: cross-entropy, or squared error
    grad.<name>    f32             of the loss, for each parameter but the biases of keys: soft-max does not see them, so
                                   their gradient is zero, and what comes out is rounding

bert-old has the names of BERT's first release (gamma, beta), and a position_ids buffer.

mlp.safetensors is the small sister of the issue's example c, 64-32-16-8-1 with ReLU after all but the last layer,
MSE, Adam 1e-3 (betas (0.9, 0.999), eps 1e-8), full batch of 16; weights (out, in) as in torch.nn.Linear:

    x f32 (16, 64)   y f32 (16, 1)   pred f32 (16, 1)   loss f32 ()   losses f32 (100), before each update
    init.layers.<i>.{weight,bias}    grad.layers...    step1.layers...    step10.layers...    step100.layers...

All of it is computed in float64 from the stored f32 weights and inputs and rounded to f32 once, at the end: the
difference from these numbers is the error of whoever computes in f32, not PyTorch's. The script also runs the same in
f32 and prints how far PyTorch's own f32 is from them: per tensor max|a - b| / max|b|.
"""
import os
import pathlib
import shutil

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers.models.llama import modeling_llama

HERE = pathlib.Path(__file__).resolve().parent / "models"
LIMIT_BYTES = 100 * 1000

GPT2 = {  # name: layers, heads, width, context, vocab, batch
    "gpt2-tiny": (2, 2, 16, 8, 13, 2),
    "gpt2-odd": (3, 3, 15, 11, 17, 3),
}
LLAMA = {  # name: layers, heads, kv heads, width, intermediate, context, vocab, tied, rope theta, rms eps, batch
    "llama-tiny": (2, 4, 2, 16, 40, 8, 13, False, 10000.0, 1e-5, 2),
    "llama-tied": (2, 4, 1, 24, 36, 12, 19, True, 500000.0, 1e-6, 2),
}
ENCODER = {  # name: class, layers, heads, width, hidden, context, vocab, batch, labels, more of the config
    "bert-tiny": ("Bert", 2, 2, 16, 24, 9, 19, 4, 3, {"id2label": {0: "ham", 1: "spam", 2: "new \"line\"\n"}}),
    "bert-old": ("Bert", 1, 3, 12, 20, 8, 17, 3, 2, {"hidden_act": "gelu_new", "layer_norm_eps": 1e-5}),
    "bert-regression": ("Bert", 1, 2, 8, 12, 7, 13, 3, 1, {"hidden_act": "relu", "type_vocab_size": 1}),
    "roberta-tiny": ("Roberta", 2, 2, 16, 24, 9, 19, 4, 3, {"type_vocab_size": 1, "layer_norm_eps": 1e-5}),
    "distilbert-tiny": ("DistilBert", 2, 2, 16, 24, 9, 19, 4, 3, {}),
}


class exact_llama:
    """Transformers computes norms, angles and soft-max of Llama in f32 whatever the model's type is; this is the same
    in the type of the model."""

    def __enter__(self):
        self.norm, self.rotary = modeling_llama.LlamaRMSNorm.forward, modeling_llama.LlamaRotaryEmbedding.forward

        def norm(m, x):
            return m.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + m.variance_epsilon))

        def rotary(m, x, position_ids):
            theta = m.config.rope_parameters["rope_theta"]
            size = m.config.hidden_size // m.config.num_attention_heads
            inverse = theta ** -(torch.arange(0, size, 2, dtype=torch.float64) / size)
            angle = position_ids[:, :, None].double() * inverse
            angle = torch.cat((angle, angle), dim=-1)
            return angle.cos().to(x.dtype), angle.sin().to(x.dtype)

        modeling_llama.LlamaRMSNorm.forward, modeling_llama.LlamaRotaryEmbedding.forward = norm, rotary

    def __exit__(self, *_):
        modeling_llama.LlamaRMSNorm.forward, modeling_llama.LlamaRotaryEmbedding.forward = self.norm, self.rotary


def randomise(model):
    """Weights of a trained model's size: no norm is 1, no bias 0."""
    for name, p in model.named_parameters():
        if p.dim() == 1:
            base = 1.0 if "norm" in name or ".ln_" in name and name.endswith("weight") else 0.0
            p.data = base + 0.2 * torch.randn_like(p)
        else:
            embedding = "embed" in name or "wte" in name or "wpe" in name
            p.data = torch.randn_like(p) * (0.5 if embedding else p.shape[0] ** -0.5)


def gpt2_model(layers, heads, width, context, vocab, batch):
    config = transformers.GPT2Config(
        n_layer=layers, n_head=heads, n_embd=width, n_positions=context, vocab_size=vocab, resid_pdrop=0.0,
        embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=0, eos_token_id=0, attn_implementation="sdpa")
    return transformers.GPT2LMHeadModel(config), batch, context, vocab


def llama_model(layers, heads, kv_heads, width, intermediate, context, vocab, tied, theta, eps, batch):
    config = transformers.LlamaConfig(
        num_hidden_layers=layers, num_attention_heads=heads, num_key_value_heads=kv_heads, hidden_size=width,
        intermediate_size=intermediate, max_position_embeddings=context, vocab_size=vocab, tie_word_embeddings=tied,
        rope_parameters={"rope_type": "default", "rope_theta": theta}, rms_norm_eps=eps, bos_token_id=1,
        eos_token_id=2, attn_implementation="sdpa")
    return transformers.LlamaForCausalLM(config), batch, context, vocab


def encoder_model(kind, layers, heads, width, hidden, context, vocab, labels, more):
    sizes = dict(zip(("n_layers", "n_heads", "dim", "hidden_dim") if kind == "DistilBert" else
                     ("num_hidden_layers", "num_attention_heads", "hidden_size", "intermediate_size"),
                     (layers, heads, width, hidden)))
    shift = 2 if kind == "Roberta" else 0
    config = getattr(transformers, kind + "Config")(vocab_size=vocab, max_position_embeddings=context + shift,
                                                    num_labels=labels, **sizes, **more)
    model = getattr(transformers, kind + "ForSequenceClassification")(config)
    for name, p in model.named_parameters():
        if p.dim() == 1:
            base = 1.0 if "norm" in name.lower() and name.endswith("weight") else 0.0
            p.data = base + 0.2 * torch.randn_like(p)
        else:
            p.data = torch.randn_like(p) * (0.5 if "embeddings" in name else p.shape[1] ** -0.5)
    return model.eval()


def encoder_answers(model, ids, types, mask, labels):
    more = {} if types is None else {"token_type_ids": types.long()}
    body = getattr(model, model.base_model_prefix)(input_ids=ids, attention_mask=mask, **more)
    out = {"hidden": (body.last_hidden_state * mask[:, :, None]).detach()}
    if getattr(body, "pooler_output", None) is not None:
        out["pooled"] = body.pooler_output.detach()
    done = model(input_ids=ids, attention_mask=mask, labels=labels, **more)
    done.loss.backward()
    out |= {"logits": done.logits.detach(), "loss": done.loss.detach()}
    return out | {f"grad.{name}": p.grad.clone() for name, p in model.named_parameters()
                  if not name.endswith(("key.bias", "k_lin.bias"))}


def as_first_release(folder):
    """The names of the files of 2018, and a buffer."""
    tensors = load_file(folder / "model.safetensors")
    old = {name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): t
           for name, t in tensors.items()}
    old["bert.embeddings.position_ids"] = torch.arange(8)[None]
    save_file(old, folder / "model.safetensors")


def make_encoder(name, kind, layers, heads, width, hidden, context, vocab, batch, labels, more):
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    model = encoder_model(kind, layers, heads, width, hidden, context, vocab, labels, more)
    model.save_pretrained(folder)
    pad = model.config.pad_token_id
    ids = torch.randint(pad + 1, vocab, (batch, context))
    mask = torch.arange(context)[None, :] < torch.tensor([context, 1, context // 2, context - 1][:batch])[:, None]
    ids[~mask] = pad
    mask = mask.long()
    types = torch.randint(0, model.config.type_vocab_size, ids.shape) if kind == "Bert" else None
    target = torch.randn(batch) if labels == 1 else torch.randint(labels, (batch,))
    again = type(model).from_pretrained(folder).double().eval()
    truth = encoder_answers(again, ids, types, mask, target.double() if labels == 1 else target)
    report(name, truth, encoder_answers(model, ids, types, mask, target))
    given = {"ids": ids, "labels": target, "mask": mask} | ({} if types is None else {"types": types})
    if name == "bert-old":
        as_first_release(folder)
    (folder / "model.safetensors").chmod(0o644)
    size = write(folder / "golden.safetensors", truth | given)
    print(f"{name}: {sum(p.numel() for p in model.parameters())} parameters, golden.safetensors {size} bytes,"
          f" loss {truth['loss']:.4f}")


def answers(model, ids, targets):
    """Logits, loss, gradients, and the parameters after ten updates, as tensors by name."""
    adamw = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), eps=1e-4, weight_decay=0.1)
    out, losses = {}, []
    for step in range(10):
        logits = model(input_ids=ids, use_cache=False).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-1)
        loss.backward()
        losses.append(loss.detach())
        if step == 0:
            out |= {"logits": logits.detach().clone(), "loss": loss.detach().clone()}
            out |= {f"grad.{name}": p.grad.clone() for name, p in model.named_parameters()}
        adamw.step()
        adamw.zero_grad()
    out |= {f"step10.{name}": p.detach().clone() for name, p in model.named_parameters()}
    return out | {"losses": torch.stack(losses)}


def as_stored(tensors):
    return {name: (t.float() if t.is_floating_point() else t.to(torch.uint8 if name == "mask" else torch.int32)).contiguous()
            for name, t in tensors.items()}


def write(path, tensors):
    save_file(as_stored(tensors), path)
    path.chmod(0o644)
    size = os.path.getsize(path)
    assert size <= LIMIT_BYTES, f"{path}: {size} bytes"
    return size


def report(name, truth, single):
    """How far PyTorch's f32 is from the truth; the golden values are only fit for a test where this is small."""
    error = {key: ((single[key].double() - b).abs().max() / b.abs().max()).item() for key, b in truth.items()}
    worst = sorted(error, key=error.get)[-3:]
    print(f"{name}: worst of f32: " + ", ".join(f"{key} {error[key]:.1e}" for key in reversed(worst)))
    assert error[worst[-1]] < 5e-5, "ill-conditioned: choose another seed"


def make_language_model(name, made):
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    model, batch, context, vocab = made
    randomise(model)
    model.save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)
    ids = torch.randint(vocab, (batch, context))
    targets = torch.randint(vocab, (batch, context))
    targets[:, :-1] = ids[:, 1:]
    targets[-1, 2] = -1
    single = answers(model.eval(), ids, targets)
    again = type(model).from_pretrained(folder).double().eval()
    with exact_llama():
        greedy = again.generate(ids[:1, :3], do_sample=False, max_new_tokens=context - 3, min_new_tokens=context - 3,
                                eos_token_id=None, pad_token_id=0)[0]
        truth = answers(again, ids, targets)
    report(name, truth, single)
    size = write(folder / "golden.safetensors", truth | {"ids": ids, "targets": targets, "greedy": greedy})
    stored = set(load_file(folder / "model.safetensors"))
    assert stored == {key[5:] for key in truth if key.startswith("grad.")}, stored
    print(f"{name}: {sum(p.numel() for p in model.parameters())} parameters, golden.safetensors {size} bytes,"
          f" loss {truth['loss']:.4f}")


class Mlp(torch.nn.Module):
    def __init__(self, widths):
        super().__init__()
        self.layers = torch.nn.ModuleList(torch.nn.Linear(a, b) for a, b in zip(widths, widths[1:]))

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = torch.relu(layer(x))
        return self.layers[-1](x)


def mlp_answers(model, x, y):
    adam = torch.optim.Adam(model.parameters(), lr=1e-3)
    out, losses = {}, []
    out |= {f"init.{name}": p.detach().clone() for name, p in model.named_parameters()}
    for step in range(1, 101):
        pred = model(x)
        loss = torch.nn.functional.mse_loss(pred, y)
        loss.backward()
        losses.append(loss.detach())
        if step == 1:
            out |= {"pred": pred.detach(), "loss": loss.detach()}
            out |= {f"grad.{name}": p.grad.clone() for name, p in model.named_parameters()}
        adam.step()
        adam.zero_grad()
        if step in (1, 10, 100):
            out |= {f"step{step}.{name}": p.detach().clone() for name, p in model.named_parameters()}
    return out | {"losses": torch.stack(losses)}


def make_mlp():
    model = Mlp((64, 32, 16, 8, 1))
    for layer in model.layers:
        torch.nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
        torch.nn.init.uniform_(layer.bias, 0.0, 0.1)
    x, y = torch.randn(16, 64), torch.randn(16, 1)
    truth_model = Mlp((64, 32, 16, 8, 1)).double()
    truth_model.load_state_dict({k: v.double() for k, v in model.state_dict().items()})
    single = mlp_answers(model, x, y)
    truth = mlp_answers(truth_model, x.double(), y.double())
    report("mlp", truth, single)
    size = write(HERE / "mlp.safetensors", truth | {"x": x, "y": y})
    print(f"mlp: {size} bytes, loss {truth['losses'][0]:.4f} .. {truth['losses'][-1]:.4f}")


def main():
    torch.set_num_threads(1)
    transformers.utils.logging.disable_progress_bar()
    HERE.mkdir(parents=True, exist_ok=True)
    seed = 1
    for maker, shapes in ((gpt2_model, GPT2), (llama_model, LLAMA)):
        for name, shape in shapes.items():
            torch.manual_seed(seed)
            make_language_model(name, maker(*shape))
            seed += 1
    torch.manual_seed(seed)
    make_mlp()
    for name, shape in ENCODER.items():
        seed += 1
        torch.manual_seed(seed)
        make_encoder(name, *shape)


if __name__ == "__main__":
    main()
