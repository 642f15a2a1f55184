"""Small archives as other programs write them, for tests/test_archives.c: Python's tarfile and zipfile, and NumPy.

    python3 tests/golden/make_archives.py
"""
import io
import os
import tarfile
import zipfile

import numpy as np

here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "archives")
long_name = "/".join(["folder-of-a-long-name"] * 6) + "/file.txt"  # 141 bytes: more than the field, fits ustar's prefix
longer_name = "/".join(["x" * 60] * 5) + ".txt"  # 308 bytes: needs an extension


def tar(name, form, names):
    with tarfile.open(os.path.join(here, name), "w", format=form) as t:
        folder = tarfile.TarInfo("./data")
        folder.type = tarfile.DIRTYPE
        t.addfile(folder)
        for i, entry in enumerate(names):
            body = (f"body {i} ").encode() * (i * 80)
            info = tarfile.TarInfo(entry)
            info.size = len(body)
            t.addfile(info, io.BytesIO(body))


tar("ustar.tar", tarfile.USTAR_FORMAT, ["./a.txt", "data/b.txt", long_name])
tar("gnu.tar", tarfile.GNU_FORMAT, ["a.txt", "data/b.txt", longer_name])
tar("pax.tar", tarfile.PAX_FORMAT, ["a.txt", "data/b.txt", longer_name, "data/\u6587.txt"])

date = (1980, 1, 1, 0, 0, 0)


class Pipe(io.RawIOBase):
    """Cannot seek, so that sizes follow the data."""

    def __init__(self, f):
        self.f = f

    def writable(self):
        return True

    def write(self, b):
        return self.f.write(b)


def entries(z, force):
    z.writestr(zipfile.ZipInfo("folder/", date), b"")
    for name, body, method in [("folder/stored.txt", b"stored " * 9, zipfile.ZIP_STORED),
                               ("deflated.txt", b"deflated " * 500, zipfile.ZIP_DEFLATED), ("empty", b"", zipfile.ZIP_STORED)]:
        info = zipfile.ZipInfo(name, date)
        info.compress_type = method
        with z.open(info, "w", force_zip64=force) as f:
            f.write(body)


with zipfile.ZipFile(os.path.join(here, "plain.zip"), "w") as z:
    entries(z, False)
    z.comment = b"a comment"
with zipfile.ZipFile(os.path.join(here, "zip64.zip"), "w") as z:
    entries(z, True)
with open(os.path.join(here, "piped.zip"), "wb") as f, zipfile.ZipFile(Pipe(f), "w") as z:
    entries(z, False)
np.savez_compressed(os.path.join(here, "arrays.npz"), x=np.arange(12, dtype=np.float32).reshape(3, 4),
                    order=np.asfortranarray(np.arange(6, dtype=np.int64).reshape(2, 3)), zeros=np.zeros(70000, np.uint8))
