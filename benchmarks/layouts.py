"""The layouts that programs have, beside contiguous memory: S4 at 10^7 elements.

Design: the output is given and laid out as NumPy would lay it out for that input, except in the
# row that says otherwise. Each layout is compared with contiguous input of the same precision, and
# float16, which is computed in float32, with float32.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

import results
import s3s4
import tables
from job import Array, K
from load import calm_race
from timing import ratio

ROWS, COLUMNS = 2500, 4000
N = ROWS * COLUMNS
SECONDS, QUICK_SECONDS = 4.0, 1.0


def draw(dtype: str, n: int = N) -> Array:
    """Return contiguous input."""
    return (np.random.default_rng(n).random(n, dtype=np.float32) * 24 - 12).astype(dtype)


def cases(dtype: str) -> dict[str, Callable[[], Any]]:
    """Return a call for each layout; the first is contiguous."""
    x = draw(dtype)
    table = x.reshape(ROWS, COLUMNS)
    cube = x.reshape(100, 100, 1000)
    channels = np.linspace(1, 10, COLUMNS).astype(dtype)
    middle = np.linspace(1, 10, 100).astype(dtype)[:, np.newaxis]
    inputs: dict[str, tuple[Array, Any, Array]] = {
        "contiguous": (x, K, np.empty_like(x)),
        "Fortran order": (np.asfortranarray(table), K, np.empty((ROWS, COLUMNS), dtype, "F")),
        "transposed": (table.T, K, np.empty_like(table).T),
        "transposed, output in C order": (table.T, K, np.empty((COLUMNS, ROWS), dtype)),
        "x[::2]": (draw(dtype, 2 * N)[::2], K, np.empty_like(x)),
        "k per channel, last axis": (table, channels, np.empty_like(table)),
        "k per channel, middle axis": (cube, middle, np.empty_like(cube)),
        "k as large as x": (x, np.full_like(x, K), np.empty_like(x)),
        "big-endian": (x.astype(x.dtype.newbyteorder(">")), K, np.empty_like(x)),
    }
    if dtype == "float32":
        inputs["float16"] = (x.astype("float16"), K, np.empty_like(x, dtype="float16"))
    for array, _, out in inputs.values():
        out.fill(0)  # Touched: page faults are no part of a layout.
        assert array.size == out.size == N
    return {name: partial(s3s4.s4, a, k, out=out) for name, (a, k, out) in inputs.items()}


def measure(seconds: float) -> list[dict[str, Any]]:
    """Time every layout, each dtype for so many seconds.

    Returns
    -------
    list of dict
        dtype, layout, nanoseconds an element, and how many times that is of contiguous, with the
        quartiles of that.
    """
    rows = []
    for dtype in ("float64", "float32"):
        calls = cases(dtype)
        x = draw(dtype)
        calls["copy, 1 thread"] = partial(np.copyto, np.ones_like(x), x)
        timings, _ = calm_race(calls, seconds)
        for name, timing in timings.items():
            compared = ratio(timing, timings["contiguous"])
            rows.append(
                {
                    "dtype": dtype,
                    "layout": name,
                    "ns": float(f"{timing.median / N * 1e9:.4g}"),
                    "ratio": float(f"{compared.median:.3g}"),
                    "quartiles": [float(f"{v:.3g}") for v in (compared.low, compared.high)],
                }
            )
    return rows


def run(quick: bool, names: Sequence[str]) -> None:
    """Measure, print and keep."""
    rows = measure(QUICK_SECONDS if quick else SECONDS)
    print(tables.layouts(rows))
    if not quick:
        results.store("layouts", rows)
