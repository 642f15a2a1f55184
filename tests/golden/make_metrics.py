#!/usr/bin/env python3
"""Golden cases for tests/test_metric_golden.c: a few small ones of each kind that tests/interop/metrics.py compares, with
the numbers of scikit-learn 1.9.1, sacrebleu 2.6.0, rouge-score 0.1.2, jiwer 4.0.0, pycocotools 2.0.11.

    $(bench/env.sh) tests/golden/make_metrics.py"""
import json
import math
import pathlib
import sys

here = pathlib.Path(__file__).resolve().parent
sys.path.append(str(here.parent / "interop"))
import metrics

MOST = 2500  # characters of a case
cases = []
for make, _ in metrics.GROUPS:
    if make is metrics.bootstrap:  # its numbers are those of our own resamples
        continue
    kept = 0
    for i in range(400):
        case, want = make(i)
        want = {k: v if isinstance(v, str) else None if math.isnan(v) else float(v) for k, v in want.items()}
        line = json.dumps(dict(case=case, want=want), ensure_ascii=False).replace("NaN", "null")
        if len(line) < MOST and kept < 18:
            cases.append(line)
            kept += 1
(here / "metrics.json").write_text("[" + ",\n".join(cases) + "]\n")
