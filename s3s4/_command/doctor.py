"""Whether the GPU of this machine is right, and how fast it is."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from s3s4 import _cpu, _devices
from s3s4._rows import row_activations
from s3s4._table import TABLE

ALLOWED = 64.0
"""Eps of a result of about 1 that two correct roundings of different order may be apart."""
SLOPES = (0.5, 1.0, 5.0, -2.0, 1e4)
SIZES = {"simulator": 1 << 4, "device": 1 << 26}


class Check(NamedTuple):
    """A function on the GPU beside the CPU, by the kernel for how its arrays lie."""

    function: str
    kernel: str
    dtype: str
    difference: float
    right: bool


class Speed(NamedTuple):
    """Bytes a second of a function, and of a copy."""

    function: str
    dtype: str
    achieved: float
    copy: float


def probe() -> str:
    """What the GPU is.

    Raises
    ------
    GPUUnavailable
        If there is none.
    """
    _devices.gpu()
    return _devices.status()


def functions() -> list[str]:
    """Every function that a GPU has kernels of: those of elements."""
    return [name for name, ufunc in _cpu.ufuncs.items() if ufunc.signature is None]


def compare(names: Iterable[str] | None = None) -> Iterator[Check]:
    """Functions, every one unless some are named, for every dtype: dense near 0 and far out."""
    backend = _devices.gpu()
    for function in functions() if names is None else names:
        ufunc = _cpu.ufuncs[function]
        for scalar in _cpu.FLOATS:
            pairs: list[Any] = []
            for k in SLOPES:
                given = [_points(scalar), *[scalar(k)] * (ufunc.nin - 1)]
                actual = backend.evaluate(function, given[0], given[1:], [None] * ufunc.nout)
                pairs += zip(actual, _outputs(ufunc(*given)), strict=True)
            yield _check(function, "numbers", scalar, pairs)


def layouts(dtypes: Iterable[type[np.generic]] = _cpu.FLOATS) -> Iterator[Check]:
    """The kernels for arrays of parameters, for strides, for sums and for rows.

    They are loops around the same functions of an element: of those with as many inputs and
    outputs one is tried, which does most work.
    """
    backend = _devices.gpu()
    for scalar in dtypes:
        x = _points(scalar)
        slopes = np.resize(np.array(SLOPES, scalar), x.size)
        for function in _largest(functions()):
            ufunc = _cpu.ufuncs[function]
            count = ufunc.nin - 1
            none = [None] * ufunc.nout
            arrays = [backend.there(slopes)] * count
            cases: dict[str, tuple[Any, Sequence[Any], list[Any]]] = {
                "strides": (x[::2], [scalar(2)] * count, [backend.there(x)[::2]])
            }
            if count:
                cases["arrays"] = x, [slopes] * count, [backend.there(x), *arrays]
                some = [array[::2] for array in arrays]
                cases["strides, arrays"] = (
                    x[::2],
                    [slopes[::2]] * count,
                    [backend.there(x)[::2], *some],
                )
            for kernel, (host, parameters, there) in cases.items():
                given = there[1:] or parameters
                results = backend.evaluate_on_device(function, there[0], given, none)
                actual = [result.copy_to_host() for result in results]
                pairs = zip(actual, _outputs(ufunc(host, *parameters)), strict=True)
                yield _check(function, kernel, scalar, pairs)
        x = np.linspace(-12, 12, 600).astype(scalar).reshape(20, 30)
        gradient = np.full(x.shape, 1 / x.size, scalar)
        own = np.linspace(0.5, 2, 30).astype(scalar)
        for name in _largest(TABLE):
            for kernel, k in {"sums": scalar(2), "sums, arrays": own}.items():
                parameters = [np.asarray(k)] * len(TABLE[name].parameters)
                if parameters:
                    actual = backend.backward(name, gradient, x, parameters)
                    expected = _cpu.arrays.backward(name, gradient, x, parameters)
                    pairs = zip(actual, expected, strict=True)
                    yield _check(f"{name}_backward", kernel, scalar, pairs)
        weights = np.cos(x)
        for name, activation in row_activations.items():
            found = [
                (activation(x, device="gpu"), activation(x)),
                (activation.backward(weights, x, device="gpu"), activation.backward(weights, x)),
            ]
            yield _check(name, "rows", scalar, found)


def _points(scalar: Any) -> np.ndarray:
    special = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-30, 1e30]
    x = np.concatenate([special, np.linspace(-1, 1, 200), np.linspace(-120, 120, 400)])
    with np.errstate(over="ignore"):
        return x.astype(scalar)


def _largest(names: Iterable[str]) -> list[str]:
    """One function of each number of inputs and outputs: the one that does most work."""
    kinds: dict[tuple[int, int], str] = {}
    by_work = sorted(names, key=lambda name: _cpu.usual_parallel_size(name, np.dtype(np.float32)))
    for name in by_work:
        ufunc = _cpu.ufuncs[name]
        kinds.setdefault((ufunc.nin, ufunc.nout), name)
    return list(kinds.values())


def _outputs(results: Any) -> tuple[Any, ...]:
    return results if isinstance(results, tuple) else (results,)


def _check(
    function: str, kernel: str, scalar: Any, pairs: Iterable[tuple[np.ndarray, np.ndarray]]
) -> Check:
    """How far the GPU's results are from the CPU's."""
    difference, right = 0.0, True
    for one, other in pairs:
        with np.errstate(invalid="ignore"):
            apart = np.abs(one.astype(np.float64) - other.astype(np.float64))
        same = (one == other) | (np.isnan(one) & np.isnan(other))
        unit = np.finfo(scalar).eps * np.maximum(np.abs(other.astype(np.float64)), 1)
        worst = float(np.where(same, 0, apart / unit).max())
        right = right and bool(worst <= ALLOWED)  # NaN is wrong too
        difference = max(difference, worst)
    return Check(function, kernel, np.dtype(scalar).name, difference, right)


def speeds() -> Iterator[Speed]:
    """The values of every activation, on arrays that stay on the device."""
    backend = _devices.gpu()
    size = SIZES["simulator" if backend.SIMULATED else "device"]
    for name, entry in TABLE.items():
        for scalar in _cpu.FLOATS:
            parameters = list(entry.parameters.values())
            achieved, copy = backend.bandwidth(name, scalar, size, parameters)
            yield Speed(name, np.dtype(scalar).name, achieved, copy)
