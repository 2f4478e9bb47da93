"""What the generated forms of _array_forms.py are made of, over a library with NumPy's names."""

# Design:
# - A library differentiates them to any order, so a kink has the slope of the side that the formula
#   takes: the library's own abs, minimum and copysign have the mean of both there, or 0.
# - What a library may lack (the tail of the normal distribution) are polynomials of s3s4's own.

import math
from collections.abc import Callable
from typing import Any

from s3s4._array_forms import HUGE, TAIL_RATIO, TANH_RATIO

Array = Any
ALL_OF_IT = 1e18
"""Where u^2 + b is u^2 in every precision, for all but a huge b."""
TAIL_MIDDLE = 4.0
"""K of the polynomial: (u + K) e^(u^2/2) Phi(-u) in t = (u - K) / (u + K)."""


class Primitives:
    """The primitives over a library.

    Parameters
    ----------
    library : module
        Its `exp`, `expm1`, `log1p`, `sin`, `sqrt`, `isnan`, `where`.
    constant : callable
        Gives a number the dtype of an array, where the library itself does not.
    """

    def __init__(self, library: Any, constant: Callable[[float, Array], Array]) -> None:
        self.exp, self.expm1, self.log1p = library.exp, library.expm1, library.log1p
        self._sin, self._sqrt = library.sin, library.sqrt
        self.isnan, self._where, self._constant = library.isnan, library.where, constant

    def where(self, test: Array, yes: Array, no: Array, like: Array) -> Array:
        """A selection."""
        yes, no = (self._constant(v, like) if isinstance(v, float) else v for v in (yes, no))
        return self._where(test, yes, no)

    def abs(self, x: Array) -> Array:
        """The size, with the slope of the right at 0."""
        return math.fabs(x) if isinstance(x, float) else self._where(x >= 0, x, -x)

    def left_abs(self, x: Array) -> Array:
        """The size, with the slope of the left at 0."""
        return self._where(x > 0, x, -x)

    def copysign(self, u: Array, x: Array) -> Array:
        """The size of u with the sign of x."""
        size = self._where(u >= 0, u, -u)
        return self._where(x < 0, -size, size)

    def minimum(self, x: Array, most: float) -> Array:
        """The smaller one; NaN stays."""
        return min(x, most) if isinstance(x, float) else self.where(x > most, most, x, x)

    def clip(self, x: Array, least: Array, most: Array) -> Array:
        """What is within both."""
        return self._where(x < least, least, self._where(x > most, most, x))

    def sqrt_square_plus(self, u: Array, b: Array) -> Array:
        """The square root of u^2 + b, which is u where the square would be infinite."""
        is_far = u > ALL_OF_IT
        near = self.where(is_far, 1.0, u, u)
        return self._where(is_far, u, self._sqrt(near * near + b))

    def sinc_product(self, k: Array, u: Array) -> Array:
        """sin(t) / t with t = k u, by Taylor's series near 0, for its slopes; 0 at infinity."""
        size = self.minimum(self.abs(k * u), HUGE)
        is_near = size < 0.1
        far, near = self.where(is_near, 1.0, size, size), self.where(is_near, size, 0.0, size)
        square = near * near
        series = 1 - square / 6 * (1 - square / 20 * (1 - square / 42 * (1 - square / 72)))
        wave = self.where(size >= HUGE, 0.0, self._sin(far) / far, size)
        return self._where(is_near, series, wave)

    def tanh_rest(self, u: Array) -> Array:
        """(u - tanh u) / u^3 for u <= 1, constant beyond."""
        u = self.minimum(u, 1.0)
        return polynomial(TANH_RATIO, u * u)

    def normal_tail(self, u: Array) -> Array:
        """e^(u^2/2) Phi(-u) for u >= 0."""
        v = self.minimum(u, HUGE)
        r = 1.0 / (v + TAIL_MIDDLE)
        return polynomial(TAIL_RATIO, (v - TAIL_MIDDLE) * r) * r


def polynomial(coefficients: tuple[float, ...], t: Array) -> Array:
    """By Horner's rule, the highest first."""
    first, second, *rest = coefficients
    p = first * t + second
    for one in rest:
        p = p * t + one
    return p
