"""A training step of GPT-2 in plain PyTorch: forward, backward, fused AdamW; dropout 0, no clipping.

    python3 gpt2_step.py --batch 4 --tokens 64 --dtype bf16 --mode compile

The defaults are GPT-2 124M. Every step sees the same batch: ids of peer.ids stream 0, targets the ids shifted by one.
"""
import math

import peer


def build_model(torch, layers, heads, width, context, vocab, bias=True):
    nn, functional = torch.nn, torch.nn.functional

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.ln_1, self.ln_2 = nn.LayerNorm(width, bias=bias), nn.LayerNorm(width, bias=bias)
            self.attn, self.attn_proj = nn.Linear(width, 3 * width, bias=bias), nn.Linear(width, width, bias=bias)
            self.fc, self.fc_proj = nn.Linear(width, 4 * width, bias=bias), nn.Linear(4 * width, width, bias=bias)

        def forward(self, x):  # (B, T, C)
            b, t, c = x.shape
            q, k, v = (y.view(b, t, heads, c // heads).transpose(1, 2) for y in self.attn(self.ln_1(x)).split(c, 2))
            y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.attn_proj(y.transpose(1, 2).reshape(b, t, c))
            return x + self.fc_proj(functional.gelu(self.fc(self.ln_2(x)), approximate="tanh"))

    class Gpt2(nn.Module):
        def __init__(self):
            super().__init__()
            self.wte, self.wpe = nn.Embedding(vocab, width), nn.Embedding(context, width)
            self.h = nn.ModuleList(Block() for _ in range(layers))
            self.ln_f = nn.LayerNorm(width, bias=bias)
            self.head = nn.Linear(width, vocab, bias=False)
            self.head.weight = self.wte.weight
            for name, p in self.named_parameters():
                if p.dim() == 2:
                    nn.init.normal_(p, std=0.02 / (math.sqrt(2 * layers) if "_proj" in name else 1))
                elif name.endswith("bias"):
                    nn.init.zeros_(p)

        def forward(self, ids, targets):  # (B, T), (B, T)
            x = self.wte(ids) + self.wpe.weight[: ids.shape[1]]
            for block in self.h:
                x = block(x)
            logits = self.head(self.ln_f(x))
            return functional.cross_entropy(logits.view(-1, vocab), targets.view(-1))

    return Gpt2()


def training_flops(o):
    """6 per matrix weight and token, plus the causal half of attention."""
    per_token = o.layers * 12 * o.width**2 + o.vocab * o.width
    return (6 * per_token + 6 * o.layers * o.width * o.tokens) * o.batch * o.tokens


def main():
    p = peer.parser(__doc__.split("\n")[0])
    for name, default in (("layers", 12), ("heads", 12), ("width", 768), ("context", 1024), ("vocab", 50257),
                          ("batch", 4), ("tokens", 64)):
        p.add_argument(f"--{name}", type=int, default=default)
    p.add_argument("--no-bias", action="store_true")
    o = p.parse_args()
    torch = peer.start(o)
    model = build_model(torch, o.layers, o.heads, o.width, o.context, o.vocab, not o.no_bias)
    adamw = torch.optim.AdamW(model.parameters(), lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    stream = torch.from_numpy(peer.ids(o.batch * (o.tokens + 1), o.vocab)).view(o.batch, o.tokens + 1)
    ids, targets = stream[:, :-1].contiguous(), stream[:, 1:].contiguous()
    forward = peer.compiled(torch, o, model)

    def step():
        with peer.autocast(torch, o):
            loss = forward(ids, targets)
        loss.backward()
        adamw.step()
        adamw.zero_grad(set_to_none=True)
        return loss.detach()

    peer.run(f"gpt2_step L{o.layers} H{o.heads} C{o.width} B{o.batch} T{o.tokens}", o, step, training_flops(o))


if __name__ == "__main__":
    main()
