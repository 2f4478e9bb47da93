"""What every activation is, in 50 digits and straight from its definition.

# Design:
# - An activation is its definition in textbook.py, never the form the kernels compute: here stands
#   what that takes from a library, and ``STRICTER``, where terms are to be counted otherwise.
#   Slopes follow from the rules of differentiation below, so no derivative is written twice.
# - The error of a sum with cancellation is judged against the sum of the absolute values of its
#   terms. Every rule therefore returns a ``Sum``, which holds that size beside the total.
# - The complement 1 - sigma(t) is taken as sigma(-t), and 1 - x/(1 + |x|) likewise has its own
#   entry: at t = 700 the subtraction would need 300 digits, these exact identities need 50.
# - Limits: an infinite input is a number beyond every long double. What it leads to is rounded to
#   0, 1 or infinity like any other value, and 0 times infinity is 0, as the definitions want it.
"""

import inspect
from collections.abc import Callable, Mapping
from functools import cache, partial
from types import SimpleNamespace
from typing import Any, NamedTuple

import mpmath
import numpy as np

from s3s4 import _textbook as textbook

mp = mpmath.mp.clone()
mp.dps = 50
INFINITE = mp.mpf(10) ** 6000


class Sum(NamedTuple):
    """A sum, and the absolute values of its terms summed."""

    total: Any
    size: Any


def plus(a: Sum, b: Sum) -> Sum:
    """Add two sums: terms of both."""
    return Sum(a.total + b.total, a.size + b.size)


def times(a: Sum, b: Sum) -> Sum:
    """Multiply two sums, term by term."""
    return Sum(a.total * b.total, a.size * b.size)


class Jet(NamedTuple):
    """A quantity, its slope by one input, and 1 minus it without the loss of a subtraction."""

    value: Sum
    slope: Sum
    complement: Any = None

    def __add__(self, other: Any) -> "Jet":  # type: ignore[override]
        other = jet(other)
        return Jet(plus(self.value, other.value), plus(self.slope, other.slope))

    def __mul__(self, other: Any) -> "Jet":  # type: ignore[override]
        other = jet(other)
        slope = plus(times(self.slope, other.value), times(self.value, other.slope))
        return Jet(times(self.value, other.value), slope)

    def __truediv__(self, other: Any) -> "Jet":
        if jet(other).value.total == 0:
            return leaf(mp.nan, mp.nan)
        return self * apply(jet(other), lambda t: 1 / t, lambda t: -1 / t**2, lambda t: 2 / t**3)

    def __neg__(self) -> "Jet":
        return self * -1

    def __sub__(self, other: Any) -> "Jet":
        return self + -jet(other)

    def __rsub__(self, other: Any) -> "Jet":
        return jet(other) - self

    def __pow__(self, exponent: int) -> "Jet":
        return self * self ** (exponent - 1) if exponent > 1 else self

    __radd__ = __add__
    __rmul__ = __mul__  # type: ignore[assignment]

    def __lt__(self, other: Any) -> bool:  # type: ignore[override]
        return bool(self.value.total < jet(other).value.total)

    def __le__(self, other: Any) -> bool:  # type: ignore[override]
        return bool(self.value.total <= jet(other).value.total)

    def __gt__(self, other: Any) -> bool:  # type: ignore[override]
        return not self <= other

    def __ge__(self, other: Any) -> bool:  # type: ignore[override]
        return not self < other


def jet(value: Any) -> Jet:
    """Make a constant a quantity."""
    return value if isinstance(value, Jet) else leaf(mp.mpf(value), mp.zero)


def leaf(value: Any, slope: Any, complement: Any = None) -> Jet:
    """Make a quantity in which nothing cancels."""
    return Jet(Sum(value, abs(value)), Sum(slope, abs(slope)), complement)


def apply(
    t: Jet, f: Callable[[Any], Any], slope: Callable[[Any], Any], bend: Callable[[Any], Any]
) -> Jet:
    """Take a function of one quantity, given with its first two derivatives."""
    at = t.value.total
    value, first, second = f(at), slope(at), bend(at)
    loose, turn = t.value.size - abs(at), abs(second * t.slope.total)
    return Jet(
        Sum(value, abs(value) + abs(first) * loose),
        Sum(first * t.slope.total, abs(first) * t.slope.size + turn * loose),
    )


def rounded_once(t: Jet) -> Jet:
    """Let the size of what follows include what a rounding of t does to it."""
    return t._replace(value=t.value._replace(size=2 * t.value.size))


@cache
def _logistic(x: Any) -> tuple[Any, Any]:
    return 1 / (1 + mp.exp(-x)), 1 / (1 + mp.exp(x))


def sigmoid(t: Jet) -> Jet:
    """Take 1 / (1 + e^-t)."""
    value, complement = _logistic(t.value.total)
    slope = value * complement
    bend = slope * (complement - value)
    taken = apply(t, lambda _: value, lambda _: slope, lambda _: bend)
    return taken._replace(complement=complement)


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
    return Jet(
        Sum(sum(value), sum(map(abs, value))),
        Sum(sum(slope), sum(map(abs, slope))),
    )


def join(x: Jet, eps: Jet) -> Jet:
    """Take the cubic from the sigmoid at -eps to softsign at eps, with their slopes there."""
    t = (x + eps) / (2 * eps)
    p, s = sigmoid(-eps), softsign(eps)
    left = p * (1 - p)
    right = apply(eps, lambda e: 1 / (1 + e) ** 2, lambda e: -2 / (1 + e) ** 3, lambda e: 0)
    r = (eps - x) / (2 * eps)
    values = r * r * (1 + 2 * t) * p + t * t * (1 + 2 * r) * s
    return values + 2 * eps * (t * r * r * left - t * t * r * right)


def ratio(x: Jet, a: Jet, b: Jet) -> Jet:
    """Take a x / (1 + b |x|)."""
    at, high, steep = x.value.total, a.value.total, b.value.total
    d = 1 + steep * abs(at)
    by_x, by_a, by_b = high / d**2, at / d, -high * at * abs(at) / d**2
    slope = by_x * x.slope.total + by_a * a.slope.total + by_b * b.slope.total
    return leaf(high * at / d, slope)


def _sech2(t: Any) -> Any:
    return mp.sech(t) ** 2


def tanh(t: Jet) -> Jet:
    """Take the hyperbolic tangent."""
    return apply(t, mp.tanh, _sech2, lambda t: -2 * mp.tanh(t) * _sech2(t))


def tanhshrink(x: Jet) -> Jet:
    """Take x - tanh(x), near 0 by its series."""

    def value(x: Any) -> Any:
        return x - mp.tanh(x) if abs(x) > 1e-15 else x**3 / 3 - 2 * x**5 / 15 + 17 * x**7 / 315

    return apply(x, value, lambda x: mp.tanh(x) ** 2, lambda x: 2 * mp.tanh(x) * _sech2(x))


def expm1(t: Jet) -> Jet:
    """Take e^t - 1."""
    return apply(t, mp.expm1, mp.exp, mp.exp)


def softplus(t: Jet) -> Jet:
    """Take log(1 + e^t)."""

    def bend(t: Any) -> Any:
        value, complement = _logistic(t)
        return value * complement

    def value(t: Any) -> Any:
        return max(t, 0) + mp.log1p(mp.exp(-abs(t)))

    return apply(t, value, lambda t: _logistic(t)[0], bend)


def normal(x: Jet) -> Jet:
    """Take Phi(x), the normal distribution's function."""
    at = x.value.total
    half = at * at / 2
    density = mp.exp(-half) / mp.sqrt(2 * mp.pi)
    # Beyond every exponent its tail is its first asymptotic term.
    tail = mp.erfc(abs(at) / mp.sqrt(2)) / 2 if abs(at) < 1e4 else density / abs(at)
    value, slope = (1 - tail if at > 0 else tail), density * x.slope.total
    return leaf(value, slope)


def sine(t: Jet) -> Jet:
    """Take sin(t)."""
    return apply(t, mp.sin, mp.cos, lambda t: -mp.sin(t))


def root(t: Jet) -> Jet:
    """Take the square root."""
    return apply(t, mp.sqrt, lambda t: 1 / (2 * mp.sqrt(t)), lambda t: -1 / (4 * mp.sqrt(t) ** 3))


def squareplus(x: Jet, b: Jet) -> Jet:
    """Take (x + sqrt(x^2 + b)) / 2, left of 0 without its cancellation."""
    if x.value.total == b.value.total == 0:
        return leaf(mp.zero, x.slope.total / 2 + b.slope.total * INFINITE)
    length = root(x * x + b)
    return (x + length) / 2 if x >= 0 else b / (2 * (length - x))


def snake(x: Jet, a: Jet) -> Jet:
    """Take x + sin(a x)^2 / a, its limit at a = 0, and x where there is none."""
    if max(abs(x.value.total), abs(a.value.total)) >= INFINITE:
        return x
    return textbook.snake(MEANS, x, a) if a.value.total else x + a * x * x


def where(test: bool, yes: Any, no: Any) -> Jet:
    """Choose one of two quantities; what is not chosen may be no number."""
    return jet(yes if test else no)


def magnitude(x: Jet) -> Jet:
    """Take |x|."""
    return -x if x < 0 else x


MEANS = SimpleNamespace(
    abs=magnitude,
    e=mp.e,
    expm1=expm1,
    ndtr=normal,
    ones_like=lambda x: jet(1),
    pi=mp.pi,
    sigmoid=sigmoid,
    sin=sine,
    softplus=softplus,
    sqrt=root,
    tanh=tanh,
    where=where,
)
"""What the textbook takes from a library of arrays, for a quantity of 50 digits."""

SCALE, ALPHA = jet("1.0507009873554804934193349852946"), jet("1.6732632423543772848170429916717")
STEEP, CUBIC = jet(2 * mp.sqrt(2 / mp.pi)), jet("0.044715")
QUICK = jet("1.702")

STRICTER: Mapping[str, Callable[..., Jet]] = {
    # Terms that the textbook counts one by one, though they do not cancel.
    "s3": lambda x: sigmoid(x) if x <= 0 else softsign(x),
    "s4": lambda x, k: blend(k * x, softsign(x), sigmoid(x)),
    "s3_smooth": lambda x, eps: (
        sigmoid(x) if x <= -eps else softsign(x) if x >= eps else join(x, eps)
    ),
    "softsign": softsign,
    "rational_softsign": lambda x, a, b: ratio(x, a, b),
    "tanhshrink": tanhshrink,
    # A product or quotient that kernels round.
    "celu": lambda x, alpha: x if x > 0 else alpha * expm1(rounded_once(x / alpha)),
    "gelu_tanh": lambda x: x * sigmoid(rounded_once(STEEP * (x + CUBIC * x * x * x))),
    "quick_gelu": lambda x: x * sigmoid(rounded_once(QUICK * x)),
    # A subtraction that is avoided, and limits.
    "squareplus": squareplus,
    "snake": snake,
    # Constants of more digits than a float has.
    "selu": lambda x: textbook.selu(MEANS, x, scale=SCALE, alpha=ALPHA),
}
"""What is not taken from the textbook as it stands, and why."""

ACTIVATIONS: Mapping[str, Callable[..., Jet]] = {
    name: STRICTER.get(name) or partial(definition, MEANS)
    for name, definition in vars(textbook).items()
    if inspect.isfunction(definition)
}


@cache
def inputs(activation: str) -> tuple[str, ...]:
    """Name the inputs of an activation, x first."""
    taken = inspect.signature(getattr(textbook, activation)).parameters.values()
    return tuple(one.name for one in taken if one.kind is one.POSITIONAL_OR_KEYWORD)[1:]


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


def value_and_slope(activation: str, wrt: str | None, *point: Any) -> tuple[Sum, Sum]:
    """Evaluate an activation and its slope by `wrt` at a point of mpmath numbers."""
    if any(map(mp.isnan, point)):
        return Sum(mp.nan, mp.nan), Sum(mp.nan, mp.nan)
    names = inputs(activation)
    jets = [leaf(at, mp.mpf(name == wrt)) for name, at in zip(names, point, strict=True)]
    result = ACTIVATIONS[activation](*jets)
    return result.value, result.slope


def evaluate(activation: str, wrt: str | None, *point: Any) -> Sum:
    """Evaluate an activation, or its slope by `wrt`, at a point of mpmath numbers."""
    return value_and_slope(activation, wrt, *point)[wrt is not None]


class Exact(NamedTuple):
    """Arrays of long doubles: the value in two pieces, and the size of its sum."""

    high: np.ndarray
    low: np.ndarray
    size: np.ndarray


@cache
def widened(number: np.longdouble) -> Any:
    """Turn a long double into an mpmath number, infinity into one beyond every long double."""
    return int(np.sign(number)) * INFINITE if np.isinf(number) else mp.convert(number)


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
def _value_and_slope(activation: str, wrt: str, *point: np.longdouble) -> tuple[Sum, Sum]:
    return value_and_slope(activation, wrt, *map(widened, point))


@cache
def _exact(activation: str, wrt: str | None, *point: np.longdouble) -> tuple[np.longdouble, ...]:
    # The value costs nothing beside the slope by x, which is asked for as well.
    total, size = _value_and_slope(activation, wrt or "x", *point)[wrt is not None]
    high = rounded(total)
    low = total - mp.convert(high) if np.isfinite(high) else mp.zero
    return high, rounded(low), rounded(size)


def exact(activation: str, wrt: str | None, *arrays: Any) -> Exact:
    """Evaluate an activation, or its slope by `wrt`, for arrays that broadcast."""
    wide = np.broadcast_arrays(*[np.asarray(array).astype(np.longdouble) for array in arrays])
    points = zip(*[array.ravel() for array in wide], strict=True)
    columns = np.array([_exact(activation, wrt, *point) for point in points], np.longdouble)
    return Exact(*[column.reshape(wide[0].shape) for column in columns.reshape(-1, 3).T])
