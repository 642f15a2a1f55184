"""Case 7: PyTorch's fused AdamW over the parameters of GPT-2 124M (148 tensors), nothing else."""
import peer
from gpt2_step import build_model


def main():
    p = peer.parser(__doc__, steps=20)
    o = p.parse_args()
    torch = peer.start(o)
    model = build_model(torch, 12, 12, 768, 1024, 50257)
    for q in model.parameters():
        q.grad = torch.randn_like(q) * 1e-2
    adamw = torch.optim.AdamW(model.parameters(), lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    update = peer.compiled(torch, o, adamw.step)

    def step():
        update()

    peer.run(f"adamw {sum(q.numel() for q in model.parameters()) * 1e-6:.1f} M", o, step)


if __name__ == "__main__":
    main()
