"""What every activation is, in 50 digits and straight from its definition.

# Design:
# - An activation is one line of ``ACTIVATIONS``: its value, never the form the kernels compute.
#   Its slopes follow from the rules of differentiation below, so no derivative is written twice.
# - The error of a sum with cancellation is judged against the sum of the absolute values of its
#   terms. Every rule therefore returns a ``Sum``, which holds that size beside the total.
# - The complement 1 - sigma(t) is taken as sigma(-t), and 1 - x/(1 + |x|) likewise has its own
#   entry: at t = 700 the subtraction would need 300 digits, these exact identities need 50.
# - Limits: an infinite input is a number beyond every long double. What it leads to is rounded to
#   0, 1 or infinity like any other value, and 0 times infinity is 0, as the definitions want it.
"""

import inspect
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple

import mpmath
import numpy as np

mp = mpmath.mp.clone()
mp.dps = 50


class Sum(NamedTuple):
    """A sum, its terms' absolute values summed, and what it moves if an inner k*x moves by 1."""

    total: Any
    size: Any
    swing: Any = mp.zero


class Jet(NamedTuple):
    """A quantity, its slope by one input, and 1 minus it without the loss of a subtraction."""

    value: Sum
    slope: Sum
    complement: Any = None


def leaf(value: Any, slope: Any, complement: Any = None) -> Jet:
    """Make a quantity in which nothing cancels."""
    return Jet(Sum(value, abs(value)), Sum(slope, abs(slope)), complement)


def product(k: Jet, x: Jet) -> Jet:
    """Multiply two inputs."""
    slope = k.slope.total * x.value.total + k.value.total * x.slope.total
    return leaf(k.value.total * x.value.total, slope)


@cache
def _logistic(x: Any) -> tuple[Any, Any]:
    return 1 / (1 + mp.exp(-x)), 1 / (1 + mp.exp(x))


def sigmoid(x: Jet) -> Jet:
    """Take 1 / (1 + e^-x)."""
    value, complement = _logistic(x.value.total)
    return leaf(value, x.slope.total * value * complement, complement)


@cache
def _softsign(x: Any) -> tuple[Any, Any, Any]:
    value = x / (1 + abs(x))
    return value, 1 / (1 + x) if x > 0 else 1 - value, 1 / (1 + abs(x)) ** 2


def softsign(x: Jet) -> Jet:
    """Take x / (1 + |x|)."""
    value, complement, slope = _softsign(x.value.total)
    return leaf(value, x.slope.total * slope, complement)


def blend(t: Jet, p: Jet, q: Jet) -> Jet:
    """Take a p + (1 - a) q with the weight a = sigma(t)."""
    a, b = _logistic(t.value.total)
    turn = t.slope.total * a * b
    difference = p.value.total - q.value.total
    if p.value.total > 0.5:
        difference = q.complement - p.complement
    value = a * p.value.total, b * q.value.total
    slope = turn * difference, a * p.slope.total, b * q.slope.total
    shake = abs(t.value.total) * a * b
    steep = abs(t.slope.total * difference) + p.slope.size + q.slope.size
    return Jet(
        Sum(sum(value), sum(map(abs, value)), shake * abs(difference)),
        Sum(sum(slope), sum(map(abs, slope)), shake * steep),
    )


ACTIVATIONS: Mapping[str, Callable[..., Jet]] = {
    "s3": lambda x: sigmoid(x) if x.value.total <= 0 else softsign(x),
    "s4": lambda x, k: blend(product(k, x), softsign(x), sigmoid(x)),
}


@cache
def inputs(activation: str) -> tuple[str, ...]:
    """Name the inputs of an activation, x first."""
    return tuple(inspect.signature(ACTIVATIONS[activation]).parameters)


# Each ufunc: its activation, and for each output the input it is the slope by (None: the value).
UFUNCS: Mapping[str, tuple[str, tuple[str | None, ...]]] = {
    name: (activation, outputs)
    for activation in ACTIVATIONS
    for name, outputs in {
        activation: (None,),
        **{f"{activation}_d{wrt}": (wrt,) for wrt in inputs(activation)},
        f"{activation}_value_dx": (None, "x"),
    }.items()
}


def evaluate(activation: str, wrt: str | None, *point: Any) -> Sum:
    """Evaluate an activation, or its slope by `wrt`, at a point of mpmath numbers."""
    if any(map(mp.isnan, point)):
        return Sum(mp.nan, mp.nan, mp.nan)
    names = inputs(activation)
    jets = [leaf(at, mp.mpf(name == wrt)) for name, at in zip(names, point, strict=True)]
    result = ACTIVATIONS[activation](*jets)
    return result.value if wrt is None else result.slope


class Exact(NamedTuple):
    """Arrays of long doubles: the value in two pieces, and the size and the swing of its sum."""

    high: np.ndarray
    low: np.ndarray
    size: np.ndarray
    swing: np.ndarray


@cache
def widened(number: np.longdouble) -> Any:
    """Turn a long double into an mpmath number, infinity into one beyond every long double."""
    return int(np.sign(number)) * mp.mpf(10) ** 6000 if np.isinf(number) else mp.convert(number)


def rounded(number: Any) -> np.longdouble:
    """Cut an mpmath number to a long double."""
    if mp.isnan(number):
        return np.longdouble(np.nan)
    sign, mantissa, exponent, bits = number._mpf_
    excess = max(bits - np.finfo(np.longdouble).nmant - 1, 0)
    # ldexp takes a C int, and e^-(1e4000) has an exponent of 4000 digits.
    scale = min(max(exponent + excess, -(2**20)), 2**20)
    with np.errstate(over="ignore"):
        magnitude = np.ldexp(np.longdouble(mantissa >> excess), scale)
    return -magnitude if sign else magnitude


@cache
def _exact(activation: str, wrt: str | None, *point: np.longdouble) -> tuple[np.longdouble, ...]:
    total, size, swing = evaluate(activation, wrt, *map(widened, point))
    high = rounded(total)
    low = total - mp.convert(high) if np.isfinite(high) else mp.zero
    return high, rounded(low), rounded(size), rounded(swing)


def exact(activation: str, wrt: str | None, *arrays: Any) -> Exact:
    """Evaluate an activation, or its slope by `wrt`, for arrays that broadcast."""
    wide = np.broadcast_arrays(*[np.asarray(array).astype(np.longdouble) for array in arrays])
    points = zip(*[array.ravel() for array in wide], strict=True)
    columns = np.array([_exact(activation, wrt, *point) for point in points], np.longdouble)
    return Exact(*[column.reshape(wide[0].shape) for column in columns.reshape(-1, 4).T])
