"""Second derivatives straight from the definitions, in 60 digits, and the size of their sums.

# Design:
# - A jet holds a value, its slopes by two inputs and the bend by both. The textbook's definitions,
#   computed with jets instead of arrays, give the second derivatives: no formula of the kernels is
#   involved, nor any of their rules.
# - Beside each number stands the sum of the absolute values of its terms, by which the error of a
#   sum with cancellation is judged.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import mpmath

from s3s4 import _textbook
from s3s4._table import TABLE

mp = mpmath.mp.clone()
mp.dps = 60
CONSTANTS = {
    "selu": {
        "scale": mp.mpf("1.0507009873554804934193349852946"),
        "alpha": mp.mpf("1.6732632423543772848170429916717"),
    },
    "gelu_tanh": {"cubic": mp.mpf("0.044715")},
    "quick_gelu": {"steepness": mp.mpf("1.702")},
}
"""What has more digits than the textbook's numbers."""


class Sum(NamedTuple):
    """A sum, and the absolute values of its terms summed."""

    total: Any
    size: Any


def plus(*terms: Sum) -> Sum:
    return Sum(sum(t.total for t in terms), sum(t.size for t in terms))


def times(*factors: Sum) -> Sum:
    return Sum(mp.fprod(f.total for f in factors), mp.fprod(f.size for f in factors))


def exactly(number: Any) -> Sum:
    return Sum(mp.mpf(number), abs(mp.mpf(number)))


class Jet:
    """A value, its slopes by a and by b, and its bend by both."""

    def __init__(self, value: Sum, a: Sum, b: Sum, bend: Sum) -> None:
        self.value, self.a, self.b, self.bend = value, a, b, bend

    def through(self, *derivatives: Any) -> "Jet":
        """A function of this quantity, by its value and its first two derivatives here."""
        value, slope, bend = (d if isinstance(d, Sum) else exactly(d) for d in derivatives)
        return Jet(
            value,
            times(slope, self.a),
            times(slope, self.b),
            plus(times(bend, self.a, self.b), times(slope, self.bend)),
        )

    def __add__(self, other: Any) -> "Jet":
        other = jet(other)
        pairs = zip(self.parts(), other.parts(), strict=True)
        return Jet(*(plus(one, two) for one, two in pairs))

    def __mul__(self, other: Any) -> "Jet":
        other = jet(other)
        u, v = self, other
        return Jet(
            times(u.value, v.value),
            plus(times(u.a, v.value), times(u.value, v.a)),
            plus(times(u.b, v.value), times(u.value, v.b)),
            plus(times(u.bend, v.value), times(u.a, v.b), times(u.b, v.a), times(u.value, v.bend)),
        )

    def __truediv__(self, other: Any) -> "Jet":
        other = jet(other)
        t = other.value.total
        return self * other.through(1 / t, -1 / t**2, 2 / t**3)

    def __pow__(self, n: float) -> "Jet":
        t = self.value.total
        return self.through(t**n, n * t ** (n - 1), n * (n - 1) * t ** (n - 2))

    def __neg__(self) -> "Jet":
        return self * -1

    def __sub__(self, other: Any) -> "Jet":
        return self + -jet(other)

    def __rsub__(self, other: Any) -> "Jet":
        return jet(other) - self

    def __rtruediv__(self, other: Any) -> "Jet":
        return jet(other) / self

    def __rpow__(self, base: Any) -> "Jet":
        power = mp.mpf(base) ** self.value.total
        return self.through(power, mp.log(base) * power, mp.log(base) ** 2 * power)

    __radd__, __rmul__ = __add__, __mul__

    def __lt__(self, other: Any) -> bool:
        return bool(self.value.total < jet(other).value.total)

    def __le__(self, other: Any) -> bool:
        return bool(self.value.total <= jet(other).value.total)

    def __gt__(self, other: Any) -> bool:
        return not self <= other

    def __ge__(self, other: Any) -> bool:
        return not self < other

    def parts(self) -> tuple[Sum, ...]:
        return self.value, self.a, self.b, self.bend


def jet(number: Any) -> Jet:
    """A constant."""
    if isinstance(number, Jet):
        return number
    return Jet(exactly(number), *(exactly(0),) * 3)


class Jets:
    """The textbook's functions, of jets."""

    e, pi = mp.e, mp.pi

    @staticmethod
    def where(test: bool, yes: Any, no: Any) -> Jet:
        return jet(yes if test else no)

    @staticmethod
    def ones_like(_: Jet) -> Jet:
        return jet(1)

    @staticmethod
    def abs(x: Jet) -> Jet:
        return x if x >= 0 else -x

    @staticmethod
    def sigmoid(x: Jet) -> Jet:
        # The complement without the loss of a subtraction.
        t = x.value.total
        s, rest = 1 / (1 + mp.exp(-t)), 1 / (1 + mp.exp(t))
        return x.through(s, s * rest, Sum(s * rest * (rest - s), s * rest))

    @staticmethod
    def softplus(x: Jet) -> Jet:
        t = x.value.total
        s, rest = 1 / (1 + mp.exp(-t)), 1 / (1 + mp.exp(t))
        return x.through(mp.log1p(mp.exp(t)), s, s * rest)

    @staticmethod
    def tanh(x: Jet) -> Jet:
        t = mp.tanh(x.value.total)
        slope = mp.sech(x.value.total) ** 2
        return x.through(t, slope, Sum(-2 * t * slope, 2 * slope))

    @staticmethod
    def expm1(x: Jet) -> Jet:
        t = x.value.total
        return x.through(mp.expm1(t), mp.exp(t), mp.exp(t))

    @staticmethod
    def ndtr(x: Jet) -> Jet:
        t = x.value.total
        density = mp.npdf(t)
        return x.through(mp.ncdf(t), density, -t * density)

    @staticmethod
    def sqrt(x: Jet) -> Jet:
        return x**0.5

    @staticmethod
    def sin(x: Jet) -> Jet:
        t = x.value.total
        return x.through(mp.sin(t), mp.cos(t), -mp.sin(t))


@cache
def second_derivative(name: str, by: tuple[str, str], *point: float) -> Sum:
    """That of an activation by two of its inputs, at a point: x and the parameters."""
    definition: Callable[..., Jet] = getattr(_textbook, name)
    names = ("x", *TABLE[name].parameters)
    inputs = {
        given: Jet(exactly(at), exactly(given == by[0]), exactly(given == by[1]), exactly(0))
        for given, at in zip(names, point, strict=True)
    }
    return jet(definition(Jets, **inputs, **CONSTANTS.get(name, {}))).bend
