#!/usr/bin/env python3
"""Makes tests/golden/superres.npz: the luma (224, 224) that the pictures of models/onnx-superres begin with, and every 16th
number, both ways, of what onnxruntime makes of it (42, 42).

    python tests/golden/make_superres.py DATA        (onnxruntime, torch, PIL; DATA: the folder models/onnx-superres)

The steps before the model are those of onnxruntime-extensions' pipeline, found by comparing with expected.png: the shorter
edge becomes 224 by linear interpolation without a filter, cut to whole numbers; the middle is taken; luma is BT.601's, rounded."""
import pathlib
import sys

import numpy as np
import onnxruntime
import torch
from PIL import Image

data = sys.argv[1]
picture = np.asarray(Image.open(data + "/input.png").convert("RGB")).astype(np.float32)
small = torch.nn.functional.interpolate(torch.tensor(picture).permute(2, 0, 1)[None], size=(224, 232), mode="bilinear")
rgb = np.floor(small[0].permute(1, 2, 0).numpy()[:, 4:228])
luma = np.round(rgb @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
session = onnxruntime.InferenceSession(data + "/pytorch_super_resolution.onnx")
large = session.run(None, {"input": (luma / 255).astype(np.float32)[None, None]})[0][0, 0]
expected = np.asarray(Image.open(data + "/expected.png").convert("RGB")).astype(np.float64)
inside = ((expected > 0) & (expected < 255)).all(2)  # a channel that was clipped moves the luma
d = np.abs(np.clip(large * 255, 0, 255) - expected @ np.array([0.299, 0.587, 0.114]))
print("difference to expected.png: at most", d[inside].max(), "of", inside.mean(), "of the pixels; at most", d.max(), "of all")
path = pathlib.Path(__file__).with_name("superres.npz")
np.savez_compressed(path, luma=luma, large=large[::16, ::16].astype(np.float32))
print(path, path.stat().st_size, "bytes, onnxruntime", onnxruntime.__version__)
