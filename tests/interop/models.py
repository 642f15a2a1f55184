#!/usr/bin/env python3
"""Folders that Transformers writes, GPT-2 and Llama with random weights of several shapes, opened by Gradus: equal
logits."""
import pathlib
import sys
import tempfile

sys.path.append(sys.path.pop(0))
import interop
import torch
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM


def gpt2(layers, heads, width, context, vocab, **more):
    return GPT2LMHeadModel(GPT2Config(n_layer=layers, n_head=heads, n_embd=width, n_positions=context,
                                      vocab_size=vocab, bos_token_id=0, eos_token_id=0, **more))


def llama(layers, heads, kv_heads, width, inner, context, vocab, theta=10000.0, **more):
    return LlamaForCausalLM(LlamaConfig(
        num_hidden_layers=layers, num_attention_heads=heads, num_key_value_heads=kv_heads, hidden_size=width,
        intermediate_size=inner, max_position_embeddings=context, vocab_size=vocab,
        rope_parameters={"rope_type": "default", "rope_theta": theta}, **more))


def whole(model, folder):
    model.save_pretrained(folder)


def shards(model, folder):
    model.save_pretrained(folder, max_shard_size="300KB")


def body(model, folder):
    """As the published gpt2 folder: names without 'transformer.'."""
    model.transformer.save_pretrained(folder)


def bf16(model, folder):
    model.to(torch.bfloat16).save_pretrained(folder)


CASES = [  # name, model, how it is saved, batch, tokens
    ("gpt2 one head", lambda: gpt2(1, 1, 8, 16, 11), whole, 1, 16),
    ("gpt2 odd width", lambda: gpt2(2, 3, 51, 37, 101), whole, 3, 29),
    ("gpt2 inner width", lambda: gpt2(2, 4, 64, 64, 300, n_inner=100), whole, 2, 64),
    ("gpt2 one token", lambda: gpt2(2, 2, 32, 8, 64), whole, 4, 1),
    ("gpt2 exact gelu", lambda: gpt2(2, 2, 32, 32, 64, activation_function="gelu"), whole, 2, 20),
    ("gpt2 large vocabulary", lambda: gpt2(2, 4, 128, 256, 50257), whole, 1, 200),
    ("gpt2 shards", lambda: gpt2(4, 4, 96, 64, 500), shards, 2, 33),
    ("gpt2 names of the body", lambda: gpt2(3, 4, 64, 64, 300), body, 2, 40),
    ("gpt2 bf16 weights", lambda: gpt2(2, 4, 64, 64, 300), bf16, 2, 40),
    ("llama grouped", lambda: llama(2, 8, 2, 64, 172, 64, 256), whole, 2, 50),
    ("llama every head", lambda: llama(3, 4, 4, 48, 100, 64, 99), whole, 2, 64),
    ("llama one kv head, tied", lambda: llama(2, 6, 1, 96, 200, 128, 500, tie_word_embeddings=True), whole, 1, 100),
    ("llama theta 500000", lambda: llama(2, 4, 2, 64, 160, 512, 128, 500000.0), whole, 1, 400),
    ("llama wide head", lambda: llama(2, 4, 2, 32, 64, 64, 77, head_dim=16), whole, 2, 30),
    ("llama eps 1e-5, shards", lambda: llama(4, 4, 2, 64, 176, 64, 900, rms_norm_eps=1e-5), shards, 2, 40),
    ("llama bf16 weights", lambda: llama(2, 4, 2, 64, 176, 64, 300), bf16, 2, 40),
]


def compare(name, make, save, batch, tokens):
    torch.manual_seed(len(name))
    model = make().eval()
    with torch.no_grad():
        for key, p in model.named_parameters():  # no norm at 1, no bias at 0, differences between tokens
            p.add_(torch.randn_like(p) * (0.1 if p.dim() == 1 else 0.05))
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        save(model, work / "model")
        model = AutoModelForCausalLM.from_pretrained(work / "model", dtype=torch.float32).eval()
        ids = torch.randint(model.config.vocab_size, (batch, tokens))
        with torch.no_grad():
            wanted = model(input_ids=ids, use_cache=False).logits
        interop.near(name, {"logits": interop.logits(work / "model", ids, work)}, {"logits": wanted})


for name, *case in CASES:
    interop.attempt(f"logits of {name}", compare, *case)
sys.exit(interop.end())
