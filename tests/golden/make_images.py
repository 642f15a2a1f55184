"""Small pictures as Pillow writes and reads them, for tests/test_images.c.

    python3 tests/golden/make_images.py

decoded.tsv: file, width, height, SHA-256 of RGBA8 pixels as they are stored, and as EXIF turns them.
"""
import hashlib
import os
import struct

import numpy as np
from PIL import Image, ImageOps

here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "images")
y, x = np.mgrid[0:12, 0:19]
r = np.stack([x * 13, y * 20, (x * y) % 256], 2).astype(np.uint8)
rgb = Image.fromarray(r)


def save(name, image, **options):
    image.save(os.path.join(here, name), **options)


save("rgb.jpg", rgb, quality=90)
save("gray.jpg", rgb.convert("L"), quality=85)
save("progressive.jpg", rgb, quality=80, progressive=True)
save("full.jpg", rgb, quality=75, subsampling=0)
save("restart.jpg", rgb, quality=75, restart_marker_blocks=1)
save("cmyk.jpg", rgb.convert("CMYK"), quality=90)
for k in range(1, 9):
    exif = Image.Exif()
    exif[0x0112] = k
    save(f"turned{k}.jpg", rgb, quality=90, exif=exif)
exif = Image.Exif()
exif[0x0112] = 6
save("turned6.png", rgb, exif=exif)
save("rgb.bmp", rgb)
save("palette.bmp", rgb.quantize(7))
save("bits.bmp", rgb.convert("1"))
save("rgba.bmp", rgb.convert("RGBA"))
save("rgb.ppm", rgb)
save("gray.pgm", rgb.convert("L"))
save("bits.pbm", rgb.convert("1"))
# a run-length coded bitmap: runs, plain indices, a step, ends of rows (written by hand: Pillow writes none)
palette = b"".join(bytes([40 * i, 255 - 30 * i, 20 * i, 0]) for i in range(6))
code = bytes([5, 1, 3, 2, 0, 0, 0, 5, 1, 2, 3, 4, 5, 0, 2, 4, 0, 0, 0, 2, 2, 1, 4, 3, 0, 0, 8, 5, 0, 1])
head = struct.pack("<IiiHHIIiiII", 40, 8, 5, 1, 8, 1, len(code), 0, 0, 6, 6)
with open(os.path.join(here, "runs.bmp"), "wb") as f:
    f.write(struct.pack("<2sIHHI", b"BM", 54 + 24 + len(code), 0, 0, 54 + 24) + head + palette + code)

with open(os.path.join(here, "decoded.tsv"), "w") as out:
    for name in sorted(os.listdir(here)):
        if name.endswith(".tsv"):
            continue
        image = Image.open(os.path.join(here, name))
        image.load()
        raw = hashlib.sha256(image.convert("RGBA").tobytes()).hexdigest()
        turned = hashlib.sha256(ImageOps.exif_transpose(image).convert("RGBA").tobytes()).hexdigest()
        out.write(f"{name}\t{image.width}\t{image.height}\t{raw}\t{turned}\n")
