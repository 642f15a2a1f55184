"""Reading a table: the CSV file of `gradus bench csv` by pandas' C reader."""
import os
import tempfile

import peer


def main():
    p = peer.parser(__doc__, steps=20)
    p.add_argument("--rows", type=int, default=200000)
    o = p.parse_args()
    import pandas

    words = "red green blue violet orange yellow white black".split()
    ids = peer.ids(o.rows * 8, 2000000, 1).reshape(-1, 8).tolist()
    with tempfile.NamedTemporaryFile("w", suffix=".csv") as f:
        f.write("a,b,c,d,e,f,colour,kind\n")
        for r in ids:
            numbers = ",".join(f"{(v - 1000000) / 1e4:.4f}" for v in r[:4])
            f.write(f"{numbers},{r[4]},{r[5] % 100},{words[r[6] % 8]},{words[r[7] % 3]}\n")
        f.flush()
        size = os.path.getsize(f.name)

        def step():
            t = pandas.read_csv(f.name, engine="c")
            assert len(t) == o.rows and t.shape[1] == 8

        peer.run(f"csv {o.rows} rows, {size * 1e-6:.1f} MB", o, step)


if __name__ == "__main__":
    main()
