"""The time of ufuncs in cache on one thread, by variant, beside np.exp.

Design: memory is out of the picture at this size, and so are threads: what is left is the machine
code, whose instructions (tests/instructions.json) stand beside the times.
"""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from s3s4 import _cpu
from tables import markdown
from timing import race

N = 1 << 14
SECONDS, QUICK_SECONDS = 20.0, 2.0
INSTRUCTIONS = Path(__file__).parents[1] / "tests" / "instructions.json"


def run(quick: bool, names: Sequence[str]) -> None:
    """Measure and print."""
    counts = json.loads(INSTRUCTIONS.read_text())
    ufuncs = {variant: _cpu.load(variant).ufuncs for variant in _cpu.VARIANTS if variant in counts}
    rows = []
    for dtype, kind in (("float64", "f64"), ("float32", "f32")):
        x = np.random.default_rng(0).uniform(-12, 12, N).astype(dtype)
        out = np.empty_like(x), np.empty_like(x)
        contenders = {"np.exp": partial(np.exp, x, out=out[0])}
        for variant, functions in ufuncs.items():
            for name, ufunc in functions.items():
                if ufunc.signature is not None or (names and name not in names):
                    continue
                k = [x.dtype.type(5)] * (ufunc.nin - 1)
                call = partial(ufunc, x, *k, out=out[: ufunc.nout])
                contenders[f"{name} {variant}"] = call
        timings = race(
            contenders,
            QUICK_SECONDS if quick else SECONDS,
            min_turns=3 if quick else 30,
            max_turns=400,
            pause=0.0,
        )
        exp = timings["np.exp"].median
        for label, timing in timings.items():
            name, variant = label.split() if " " in label else (label, "")
            known = counts.get(variant, {})
            form = f"{name}_uniform_{kind}"
            instructions = known.get(form, known.get(f"{name}_block_{kind}", ""))
            ns, times = timing.median / N * 1e9, timing.median / exp
            rows.append(
                [f"{name}, {dtype}", variant, f"{ns:.2f}", f"{times:.2f}x", str(instructions)]
            )
    head = ["16384 elements", "variant", "ns an element", "times np.exp", "instructions an element"]
    print(markdown(head, rows))
