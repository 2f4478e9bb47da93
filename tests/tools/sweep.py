"""Every function at all exponents and signs of x and its parameters: python sweep.py [NAME ...].

# Design:
# - tests/tools/accuracy.py looks closely at parameters as they are meant. This one looks everywhere
#   else: magnitudes of all exponents, zeros, infinities and the ends of the range, in x and in
#   every parameter, and pairs whose product or quotient is moderate, at all exponents.
# - What is outside of a documented domain is not judged: ``PARAMETERS`` and ``SLOPES`` list those.
# - An infinite factor times 0 has no value: NaN is right there. Nothing else may be NaN.
"""

import argparse
import itertools
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

import numpy as np

import accuracy
import oracle
from s3s4 import _cpu

DTYPES = (np.dtype("f4"), np.dtype("f8"))

# Moderate values of k x, or of x / alpha: from where e^t is 1 to where it underflows.
MODERATE = (1e-3, 0.3, 1.0, 5.0, 20.0, 40.0, 50.0, 80.0, 95.0, 300.0, 700.0, 750.0)

# Where the functions are documented: see docs/accuracy.md.
PARAMETERS: Mapping[tuple[str, str], Callable[[np.ndarray, np.floating], np.ndarray]] = {
    ("s3_smooth", "eps"): lambda p, tiny: (p == 0) | ((p >= tiny) & np.isfinite(p)),
    ("softshrink", "lambd"): lambda p, _: p >= 0,
    ("hardshrink", "lambd"): lambda p, _: p >= 0,
    ("rational_softsign", "b"): lambda p, _: p >= 0,
    ("rrelu", "lower"): lambda p, tiny: (p == 0) | (np.abs(p) >= tiny),
    ("rrelu", "upper"): lambda p, tiny: (p == 0) | (np.abs(p) >= tiny),
    ("celu", "alpha"): lambda p, tiny: (p >= tiny) & np.isfinite(p),
    ("softplus", "beta"): lambda p, tiny: np.abs(p) >= tiny,
    ("squareplus", "b"): lambda p, tiny: (p == 0) | ((p >= tiny) & np.isfinite(p)),
}
STEEPEST = {"f": 2.0**100, "d": 2.0**960}
SLOPES: Mapping[tuple[str, str | None], Callable[..., np.ndarray]] = {
    **accuracy.SLOPES,
    ("s4", "x"): lambda x, k: (
        (np.isfinite(4 * x * x) | np.isinf(x))
        & ((np.abs(k) <= STEEPEST[k.dtype.char]) | np.isinf(k))
    ),
    ("swish", "beta"): lambda x, beta: np.isfinite(4 * x * x) | np.isinf(x),
    ("softplus", "beta"): lambda x, beta, threshold: np.abs(beta) >= 2.0**-60,
    ("rational_softsign", "x"): lambda x, a, b: np.isfinite(b),
}

# Parameters that multiply: where one factor is infinite and the other is 0 there is no value.
FACTORS = {
    "leaky_relu": "a", "prelu": "a", "rrelu": "lower upper", "elu": "alpha",
    "rational_softsign": "a",
}  # fmt: skip


class Point(NamedTuple):
    """Where a function was wrong, and by how many times what is allowed."""

    name: str
    dtype: str
    variant: str
    at: str
    computed: str
    exact: str
    excess: float


def magnitudes(dtype: np.dtype, count: int, seed: int) -> np.ndarray:
    """Return 0, numbers of `count` exponents from the smallest on, the largest, and infinity."""
    info = np.finfo(dtype)
    rng = np.random.default_rng(seed)
    powers = np.linspace(info.minexp - info.nmant, info.maxexp - 1, count).astype(np.int32)
    numbers = np.ldexp(rng.uniform(1, 2, count).astype(dtype), powers)
    return np.array([0, *numbers, info.tiny, 1, info.max, np.inf], dtype)


def both_signs(values: np.ndarray) -> np.ndarray:
    """Return the values and their negatives."""
    return np.concatenate([values, -values])


def pairs(dtype: np.dtype, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return x and k of all exponents whose products are moderate."""
    x = magnitudes(dtype, count, 2)
    x = x[np.isfinite(x) & (x > 0)]
    with np.errstate(over="ignore", under="ignore"):
        x, t = (column.ravel() for column in np.meshgrid(x, np.array(MODERATE, dtype)))
        k = t / x
    kept = np.isfinite(k) & (k > 0)
    return x[kept], k[kept]


@cache
def points(
    activation: str, dtype: np.dtype, count: int, sample: int | None = None
) -> tuple[np.ndarray, ...]:
    """Return x and the parameters of an activation, column by column: all, or some of them."""
    if sample:
        whole = points(activation, dtype, count)
        chosen = np.random.default_rng(8).permutation(whole[0].size)[:sample]
        return tuple(column[chosen] for column in whole)
    names = oracle.inputs(activation)[1:]
    if not names:
        return (both_signs(magnitudes(dtype, 20 * count, 1)),)
    x, *others = (both_signs(magnitudes(dtype, count, seed)) for seed in range(1, 2 + len(names)))
    if len(names) == 1:
        grid = [column.ravel() for column in np.meshgrid(x, *others)]
    else:
        rng = np.random.default_rng(7)
        grid = [rng.choice(values, 40 * count) for values in (x, *others)]
    at, k = pairs(dtype, count)
    with np.errstate(over="ignore", under="ignore", divide="ignore"):
        steep = [(at, k), (-at, k), (at, -k), (-at, -k), (at, 1 / k), (-at, 1 / k), (-at, -1 / k)]
    usual = [accuracy.parameters(activation, dtype)[i] for i in range(len(names))]
    rest = [np.resize(values[np.isfinite(values)], at.size) for values in usual]
    columns = [grid]
    for place in range(len(names)):
        for one, other in steep:
            columns.append([one, *rest])
            columns[-1][1 + place] = other
    together = [np.concatenate(parts) for parts in zip(*columns, strict=True)]
    return tuple(column[in_domain(activation, together)] for column in together)


def in_domain(activation: str, columns: list[np.ndarray]) -> np.ndarray:
    """Tell which points the documentation speaks of."""
    info = np.finfo(columns[0].dtype)
    inside = np.ones(columns[0].shape, bool)
    for name, values in zip(oracle.inputs(activation), columns, strict=True):
        inside &= (np.abs(values) <= info.max / 16) | np.isinf(values)
        if (activation, name) in PARAMETERS:
            inside &= PARAMETERS[activation, name](values, info.tiny)
    if activation == "softplus":  # which side of its switch a rounded product falls on is chance
        x, beta, threshold = columns
        inside &= np.abs(beta * x - threshold) > 4 * info.eps * np.abs(threshold) + info.tiny
    return inside


@cache
def reference(activation: str, wrt: str | None, dtype: np.dtype, *chosen: Any) -> oracle.Exact:
    """Return the exact outputs at the points."""
    columns = points(activation, dtype, *chosen)
    return accuracy.in_range(oracle.exact(activation, wrt, *columns), dtype)


def undefined(activation: str, columns: tuple[np.ndarray, ...]) -> np.ndarray:
    """Tell where an infinite factor may meet a 0, or another infinity of the other sign."""
    names = oracle.inputs(activation)
    where = np.zeros(columns[0].shape, bool)
    for name in FACTORS.get(activation, "").split():
        factor = columns[names.index(name)]
        where |= np.isinf(factor) | ((factor == 0) & np.isinf(columns[0]))
    return where


def forms(ufunc: np.ufunc, columns: tuple[np.ndarray, ...]) -> Iterator[list[np.ndarray]]:
    """Yield the outputs for array parameters, and for those that a call shares."""
    whole = np.atleast_2d(ufunc(*columns))
    yield list(whole)
    x, *given = columns
    shared = np.empty_like(whole)
    if not given:
        return
    order = np.lexsort(given)
    keys = np.stack([values[order] for values in given])
    starts = np.flatnonzero(np.any(keys[:, 1:] != keys[:, :-1], axis=0)) + 1
    for part in np.split(order, starts):
        shared[:, part] = np.atleast_2d(ufunc(x[part], *[values[part[0]] for values in given]))
    yield list(shared)


def wrong(
    name: str, dtype: np.dtype, variant: str, count: int, sample: int | None = None
) -> list[Point]:
    """Return the points at which a ufunc errs by more than is allowed, the worst first."""
    activation, wanted = oracle.UFUNCS[name]
    columns = points(activation, dtype, count, sample)
    found: list[Point] = []
    for outputs in forms(_cpu.load(variant).ufuncs[name], columns):
        for wrt, computed in zip(wanted, outputs, strict=True):
            exact = reference(activation, wrt, dtype, count, sample)
            error = accuracy.deviation(computed, exact)
            error[np.isnan(computed) & undefined(activation, columns)] = 0
            if (activation, wrt) in SLOPES:
                error[~SLOPES[activation, wrt](*columns)] = 0
            allowed = accuracy.tolerance(exact, dtype)
            excess = np.divide(error, allowed, out=np.zeros_like(error), where=error > 0)
            found += [
                Point(
                    f"{name}[{wrt}]", dtype.name, variant,
                    " ".join(accuracy.brief(column[i]) for column in columns),
                    accuracy.brief(computed[i]), accuracy.brief(exact.high[i]), float(excess[i]),
                )
                for i in np.flatnonzero(excess > 1)
            ]  # fmt: skip
    return sorted(found, key=lambda point: -point.excess)


def main() -> None:
    """Print what is wrong, the worst of each function, dtype and variant."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=list(oracle.UFUNCS))
    parser.add_argument("--count", type=int, default=16, help="exponents of each input")
    parser.add_argument("--shown", type=int, default=3)
    arguments = parser.parse_args()
    total = 0
    with np.errstate(all="ignore"):
        for name, dtype, variant in itertools.product(arguments.names, DTYPES, _cpu.VARIANTS):
            found = wrong(name, dtype, variant, arguments.count)
            total += len(found)
            if found:
                print(f"{name} {dtype} {variant}: {len(found)}", flush=True)
            for point in found[: arguments.shown]:
                print("   ", f"at {point.at}: {point.computed}, right {point.exact}")
    print(total, "wrong")
    raise SystemExit(total > 0)


if __name__ == "__main__":
    main()
