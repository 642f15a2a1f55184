"""What Pillow, torch and torchvision make of a small picture, for tests/test_image_ops.c.

    python3 tests/golden/make_image_ops.py
"""
import os

import numpy as np
import torch
import torchvision.transforms.v2.functional as tv
from PIL import Image

here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "image_ops.npz")
g = np.random.default_rng(5)
y, x = np.mgrid[0:21, 0:29]
rgb = np.stack([127 + 120 * np.sin(x / 5), 127 + 120 * np.cos(y / 4), (x * y) % 256], 2) + g.normal(0, 20, (21, 29, 3))
rgb = np.clip(rgb, 0, 255).astype(np.uint8)
gray = rgb[:, :, 0].copy()
image, gray_image = Image.fromarray(rgb), Image.fromarray(gray)
out = {"rgb": rgb, "gray": gray}
for name, how in [("nearest", Image.NEAREST), ("bilinear", Image.BILINEAR), ("bicubic", Image.BICUBIC)]:
    for w, h in [(20, 11), (29, 50), (59, 21), (29, 8), (40, 40), (1, 1), (7, 44)]:
        out[f"{name}_{w}x{h}"] = np.asarray(image.resize((w, h), how))
    out[f"gray_{name}_20x11"] = np.asarray(gray_image.resize((20, 11), how))
t = torch.from_numpy(rgb.transpose(2, 0, 1).copy())
for w, h in [(20, 11), (40, 40)]:
    v = torch.nn.functional.interpolate(t[None].float(), (h, w), mode="bilinear", align_corners=False)[0]
    out[f"plain_bilinear_{w}x{h}"] = v.round().clamp(0, 255).byte().numpy().transpose(1, 2, 0)
for d in (0, 17, 90, 180, -33.5, 270):
    out[f"rotate_nearest_{d}"] = np.asarray(image.rotate(d, Image.NEAREST))
    out[f"rotate_bilinear_{d}"] = np.asarray(image.rotate(d, Image.BILINEAR))
for f in (0.0, 0.4, 1.0, 1.7):
    out[f"brightness_{f}"] = tv.adjust_brightness(t, f).numpy().transpose(1, 2, 0)
    out[f"contrast_{f}"] = tv.adjust_contrast(t, f).numpy().transpose(1, 2, 0)
    out[f"saturation_{f}"] = tv.adjust_saturation(t, f).numpy().transpose(1, 2, 0)
for f in (-0.5, -0.2, 0.1, 0.37):
    out[f"hue_{f}"] = tv.adjust_hue(t, f).numpy().transpose(1, 2, 0)
np.savez_compressed(here, **{k: np.ascontiguousarray(v) for k, v in out.items()})
print(os.path.getsize(here))
