"""Whether the GPU of this machine is right, and how fast it is."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from s3s4 import _cpu, _devices
from s3s4._table import TABLE

ALLOWED = 64.0
"""Eps of a result of about 1 that two correct roundings of different order may be apart."""
SIZES = {"simulator": 1 << 4, "device": 1 << 26}


class Check(NamedTuple):
    """A function on the GPU beside the CPU."""

    function: str
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
    special = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-30, 1e30]
    x = np.concatenate([special, np.linspace(-1, 1, 200), np.linspace(-120, 120, 400)])
    for function in functions() if names is None else names:
        ufunc = _cpu.ufuncs[function]
        for scalar in _cpu.FLOATS:
            difference, right = 0.0, True
            for k in (0.5, 1.0, 5.0, -2.0, 1e4):
                with np.errstate(over="ignore"):
                    points = x.astype(scalar)
                parameters = [scalar(k)] * (ufunc.nin - 1)
                actual = backend.evaluate(function, points, parameters, [None] * ufunc.nout)
                expected = ufunc(points, *parameters)
                expected = expected if isinstance(expected, tuple) else (expected,)
                for one, other in zip(actual, expected, strict=True):
                    with np.errstate(invalid="ignore"):
                        apart = np.abs(one.astype(np.float64) - other.astype(np.float64))
                    same = (one == other) | (np.isnan(one) & np.isnan(other))
                    unit = np.finfo(scalar).eps * np.maximum(np.abs(other.astype(np.float64)), 1)
                    worst = float(np.where(same, 0, apart / unit).max())
                    right = right and bool(worst <= ALLOWED)  # NaN is wrong too
                    difference = max(difference, worst)
            yield Check(function, np.dtype(scalar).name, difference, right)


def speeds() -> Iterator[Speed]:
    """The values of every activation, on arrays that stay on the device."""
    backend = _devices.gpu()
    size = SIZES["simulator" if backend.SIMULATED else "device"]
    for name, entry in TABLE.items():
        for scalar in _cpu.FLOATS:
            parameters = list(entry.parameters.values())
            achieved, copy = backend.bandwidth(name, scalar, size, parameters)
            yield Speed(name, np.dtype(scalar).name, achieved, copy)
