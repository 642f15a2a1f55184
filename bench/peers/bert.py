"""BERT with a head of two labels in plain PyTorch: a training step (forward, backward, fused AdamW), or inference.

    python3 bert.py --dtype bf16 --mode compile
    python3 bert.py --forward --dtype bf16

The defaults are BERT-base. Every step sees the same batch: ids of peer.ids stream 0, labels of stream 1; dropout 0, no
clipping, an attention mask of ones. Such a mask hides nothing, so SDPA may run without it: --mask keeps it, as
Transformers would for a batch with padding. Inference in bf16 has its weights in bf16 (no autocast), and no gradients.
"""
import peer


def build_model(torch, o):
    nn, functional = torch.nn, torch.nn.functional
    width, heads = o.width, o.heads

    class Layer(nn.Module):
        def __init__(self):
            super().__init__()
            self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
            self.norm_1, self.norm_2 = nn.LayerNorm(width, eps=1e-12), nn.LayerNorm(width, eps=1e-12)

        def forward(self, x, mask):  # (B, T, C), (B, 1, 1, T) or None
            b, t, c = x.shape
            q, k, v = (y.view(b, t, heads, c // heads).transpose(1, 2) for y in self.qkv(x).split(c, 2))
            y = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
            x = self.norm_1(x + self.out(y.transpose(1, 2).reshape(b, t, c)))
            return self.norm_2(x + self.down(functional.gelu(self.up(x))))

    class Bert(nn.Module):
        def __init__(self):
            super().__init__()
            self.word, self.position = nn.Embedding(o.vocab, width), nn.Embedding(o.context, width)
            self.types = nn.Embedding(2, width)
            self.norm = nn.LayerNorm(width, eps=1e-12)
            self.layers = nn.ModuleList(Layer() for _ in range(o.layers))
            self.pooler, self.classifier = nn.Linear(width, width), nn.Linear(width, 2)
            for name, p in self.named_parameters():
                if p.dim() == 2:
                    nn.init.normal_(p, std=0.02)
                elif name.endswith("bias"):
                    nn.init.zeros_(p)

        def forward(self, ids, types, mask, labels):  # (B, T), (B, T), (B, 1, 1, T) or None, (B)
            x = self.norm(self.word(ids) + self.types(types) + self.position.weight[: ids.shape[1]])
            for layer in self.layers:
                x = layer(x, mask)
            logits = self.classifier(torch.tanh(self.pooler(x[:, 0])))
            return functional.cross_entropy(logits.float(), labels)

    return Bert()


def forward_flops(o):
    """2 per matrix weight and token, all pairs of attention, and the pooler."""
    tokens = o.batch * o.tokens
    return (24 * o.layers * o.width**2 + 4 * o.layers * o.width * o.tokens) * tokens + 2 * o.width**2 * o.batch


def main():
    p = peer.parser(__doc__.split("\n")[0])
    for name, default in (("layers", 12), ("heads", 12), ("width", 768), ("context", 512), ("vocab", 30522),
                          ("batch", 8), ("tokens", 128)):
        p.add_argument(f"--{name}", type=int, default=default)
    p.add_argument("--forward", action="store_true", help="inference instead of a training step")
    p.add_argument("--mask", action="store_true", help="hand the mask of ones to SDPA")
    o = p.parse_args()
    torch = peer.start(o)
    model = build_model(torch, o)
    ids = torch.from_numpy(peer.ids(o.batch * o.tokens, o.vocab)).view(o.batch, o.tokens)
    labels = torch.from_numpy(peer.ids(o.batch, 2, 1))
    types = torch.zeros_like(ids)
    mask = torch.ones(o.batch, 1, 1, o.tokens, dtype=torch.bool) if o.mask else None
    if o.forward:
        model = model.eval().requires_grad_(False)
        if o.dtype == "bf16":
            model = model.to(torch.bfloat16)
    forward = peer.compiled(torch, o, model)

    if o.forward:
        def step():
            with torch.inference_mode():
                return forward(ids, types, mask, labels)
    else:
        adamw = torch.optim.AdamW(model.parameters(), lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)

        def step():
            with peer.autocast(torch, o):
                loss = forward(ids, types, mask, labels)
            loss.backward()
            adamw.step()
            adamw.zero_grad(set_to_none=True)
            return loss.detach()

    what = "infer" if o.forward else "train"
    flops = forward_flops(o) * (1 if o.forward else 3)
    peer.run(f"bert {what} L{o.layers} H{o.heads} C{o.width} B{o.batch} T{o.tokens}", o, step, flops)


if __name__ == "__main__":
    main()
