#!/usr/bin/env python3
"""Ten AdamW updates at real sizes. The truth is PyTorch in f64; its own f32 is run beside it.

eps is 1e-4: with 1e-8 a weight whose gradient is rounding noise (key biases, and the few among millions whose gradient
passes through zero) moves by the full learning rate in an arbitrary direction, and PyTorch's own f32 ends up to 6e-3
away from its f64."""
import gc
import pathlib
import sys
import tempfile

sys.path.append(sys.path.pop(0))
import interop
import torch
from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig

CASES = [  # name, config, batch, tokens
    ("gpt2 of width 256", GPT2Config(n_layer=4, n_head=4, n_embd=256, n_positions=256, vocab_size=2000), 4, 64),
    ("llama of width 256",
     LlamaConfig(num_hidden_layers=4, num_attention_heads=8, num_key_value_heads=2, hidden_size=256,
                 intermediate_size=688, max_position_embeddings=256, vocab_size=2000), 4, 64),
    ("gpt2 124M", GPT2Config(), 1, 32),
]


def by_torch(folder, ids, dtype):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation="sdpa").eval()  # no dropout
    adamw = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), eps=1e-4, weight_decay=0.1, foreach=False)
    losses = []
    for _ in range(10):
        logits = model(input_ids=ids[:, :-1], use_cache=False).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
        loss.backward()
        losses.append(loss.item())
        adamw.step()
        adamw.zero_grad()
    return torch.tensor(losses, dtype=torch.float64), {k: p.detach().float() for k, p in model.named_parameters()}


def compare(name, config, batch, tokens):
    torch.manual_seed(1)
    ids = torch.randint(config.vocab_size, (batch, tokens + 1))
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        AutoModelForCausalLM.from_config(config).save_pretrained(work / "model")
        losses, got = interop.adamw_steps(work / "model", ids, 10, work)
        true_losses, truth = by_torch(work / "model", ids, torch.float64)
        gc.collect()
        single_losses, single = by_torch(work / "model", ids, torch.float32)
        interop.near(f"{name}: losses", {"losses": losses}, {"losses": true_losses}, {"losses": single_losses})
        interop.near(name, got, truth, single)


for name, *case in CASES:
    interop.attempt(f"ten AdamW steps of {name}", compare, *case)
sys.exit(interop.end())
