"""Whether this processor computes right, on several threads at once, and how fast."""

# Design:
# - The kernels that are checked are those of the variant in use: vectors of float32 and of float64.
#   Values are compared with the textbook's definition in long double. Everything else is compared
#   with the package's own loops in long double, which use none of the vectors' code.
# - How many threads ran at once is told by the processor time that went by while a second did. On
#   a machine where even one thread has to wait for a processor, that says nothing.

import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import s3s4
from s3s4 import _cpu, _textbook
from s3s4._command.doctor import Speed
from s3s4._row_table import ROWS
from s3s4._table import TABLE

Long = NDArray[np.longdouble]

ALLOWED = 64.0
"""Eps of the result, or of 1 where that is more; no function of the package comes near."""
PARAMETERS = (0.5, 1.0, 5.0)
LARGE = 1 << 20
CALLS = 20
TRIES = 3
AT_ONCE = 1.25
"""Processors that are busy, from which on more than one thread was running."""
IDLE = 0.9
"""The share of a processor that one thread gets on a machine with nothing else to do."""


class Check(NamedTuple):
    """A ufunc beside its reference."""

    function: str
    dtype: str
    difference: float
    """The largest, in eps."""
    right: bool


class Threads(NamedTuple):
    """What threads are worth here."""

    most: int
    """How many there are."""
    speedup: float
    """Beside one."""
    at_once: bool | None
    """Whether they ran at once; None if the machine was too busy to tell."""
    equal: bool
    """Whether the results are those of one thread, to the last bit."""


def _ndtr(x: Long) -> Long:
    halves = [math.erfc(-number / math.sqrt(2)) / 2 for number in x.astype(np.float64).tolist()]
    return np.array(halves, np.longdouble)


TEXTBOOK = SimpleNamespace(
    abs=np.abs,
    expm1=np.expm1,
    ones_like=np.ones_like,
    sin=np.sin,
    sqrt=np.sqrt,
    tanh=np.tanh,
    where=np.where,
    e=np.exp(np.longdouble(1)),
    pi=np.longdouble("3.14159265358979323846"),
    sigmoid=lambda x: 1 / (1 + np.exp(-x)),
    softplus=lambda x: np.logaddexp(0, x),
    ndtr=_ndtr,
)


def checks() -> Iterator[Check]:
    """Every ufunc in float32 and float64: dense near 0, far out, and at what is no number."""
    special = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-30, -120, 120]
    points = np.concatenate([special, np.linspace(-1, 1, 100), np.linspace(-20, 20, 200)])
    rows = np.linspace(-20, 20, 320).reshape(20, 16)
    for name, ufunc in _cpu.ufuncs.items():
        # Far out some derivatives are what two large terms leave, or have no limit.
        x = points if name in TABLE else points[~(np.abs(points) > 100)]
        given: list[tuple[Any, ...]] = [(x, *[k] * (ufunc.nin - 1)) for k in PARAMETERS]
        if ufunc.signature is not None:
            given = [(np.cos(rows), rows) if ufunc.nin == 2 else (rows,)]
        for scalar in (np.float32, np.float64):
            typed = [tuple(map(scalar, arguments)) for arguments in given]
            yield _check(name, ufunc, scalar, typed)


def _check(name: str, ufunc: np.ufunc, scalar: Any, given: list[tuple[Any, ...]]) -> Check:
    worst = 0.0
    for arguments in given:
        actual = ufunc(*arguments)
        expected = _reference(name, ufunc, [np.asarray(one, np.longdouble) for one in arguments])
        if ufunc.nout == 1:
            actual, expected = (actual,), (expected,)
        for one, other in zip(actual, expected, strict=True):
            worst = max(worst, _apart(one, other))
    return Check(name, np.dtype(scalar).name, worst, worst <= ALLOWED)


def _apart(actual: NDArray[Any], expected: Long) -> float:
    """The largest difference, in eps; NaN, which is more than any number allows, where one is."""
    with np.errstate(invalid="ignore", over="ignore"):
        rounded = expected.astype(actual.dtype)
        same = (actual == rounded) | (np.isnan(actual) & np.isnan(rounded))
        unit = np.finfo(actual.dtype).eps * np.maximum(np.abs(expected), 1)
        apart = np.where(same, 0, np.abs(actual.astype(np.longdouble) - expected) / unit)
    return float(np.where(np.isnan(apart), np.inf, apart).max())


def _reference(name: str, ufunc: np.ufunc, arguments: list[Any]) -> Any:
    """The result in long double, by the textbook if that has the function."""
    with np.errstate(all="ignore"):
        if name in ROWS:
            return _rows(name, arguments[0])
        expected = ufunc(*arguments)
        if name in TABLE:
            x, *parameters = arguments
            by_definition = getattr(_textbook, name)(TEXTBOOK, x, *parameters)
            return np.where(np.isfinite(x), by_definition, expected)
    return expected


def _rows(name: str, x: Long) -> Any:
    x = -x if name == "softmin" else x
    shifted = x - x.max(-1, keepdims=True)
    total = np.exp(shifted).sum(-1, keepdims=True)
    return shifted - np.log(total) if name == "log_softmax" else np.exp(shifted) / total


def threads() -> Threads:
    """Compute on one thread and on all of them, in turns."""
    count = s3s4.get_num_threads()
    x = np.linspace(-10, 10, LARGE)
    shares: dict[int, list[float]] = {1: [], count: []}
    seconds: dict[int, list[float]] = {1: [], count: []}
    results = {number: np.empty_like(x) for number in seconds}
    for number in (1, count) * TRIES:
        with s3s4.threads(number):
            start, spent = time.perf_counter(), time.process_time()
            for _ in range(CALLS):
                s3s4.s4(x, out=results[number])
            seconds[number].append(time.perf_counter() - start)
            shares[number].append((time.process_time() - spent) / seconds[number][-1])
    at_once = count == 1 or max(shares[count]) > AT_ONCE
    return Threads(
        most=count,
        speedup=min(seconds[1]) / min(seconds[count]),
        at_once=None if max(shares[1]) < IDLE and not at_once else at_once,
        equal=bool(np.array_equal(results[1], results[count])),
    )


def speeds() -> Iterator[Speed]:
    """S3, S4 and their derivatives into arrays that are there already."""
    for activation in (s3s4.s3, s3s4.s4):
        functions = {activation.name: activation, f"{activation.name}_dx": activation.derivative}
        for name, function in functions.items():
            for scalar in (np.float32, np.float64):
                x = np.linspace(-10, 10, 4 * LARGE).astype(scalar)
                y = np.empty_like(x)
                moved = x.nbytes + y.nbytes
                with _copying(x, y) as copy:
                    least = _least_seconds(partial(function, x, out=y), copy)
                yield Speed(name, np.dtype(scalar).name, *(moved / one for one in least))


@contextmanager
def _copying(x: NDArray[Any], y: NDArray[Any]) -> Iterator[Callable[[], object]]:
    """Give what copies an array on as many threads as the package computes on."""
    count = s3s4.get_num_threads()
    pairs = list(zip(np.array_split(x, count), np.array_split(y, count), strict=True))
    with ThreadPoolExecutor(count) as pool:
        yield lambda: list(pool.map(lambda pair: np.copyto(pair[1], pair[0]), pairs))


def _least_seconds(*calls: Callable[[], object]) -> list[float]:
    """The least time of each, in turns."""
    least = [math.inf] * len(calls)
    for _ in range(TRIES):
        for place, call in enumerate(calls):
            start = time.perf_counter()
            call()
            least[place] = min(least[place], time.perf_counter() - start)
    return least
