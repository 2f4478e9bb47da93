"""S3, S4 and their derivatives straight from the definitions, for any array library.

The published formulas, each sub-expression once: what a careful user of NumPy, SciPy, PyTorch or
JAX would write. Only ``where`` and the library's own sigmoid differ between them.

# Design: the peers get the definition and not the rearranged form of ``src/formulas.py``, because
# the question is what a user gains over writing the definition down; and all peers get the same
# text, so that none is slow by an accident of how it was written here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = Any


@dataclass(frozen=True)
class Definitions:
    """The published formulas over one array library.

    Parameters
    ----------
    sigmoid : callable
        1 / (1 + exp(-x)) as that library offers it.
    where : callable
        Element by element choice, as ``numpy.where``.
    """

    sigmoid: Callable[[Array], Array]
    where: Callable[[Array, Array, Array], Array]

    def s3(self, x: Array) -> Array:
        """Sigmoid up to 0, softsign above."""
        return self.where(x > 0, x / (1 + abs(x)), self.sigmoid(x))

    def s3_dx(self, x: Array) -> Array:
        """Return the derivative of S3, with the left value 1/4 at 0."""
        s = self.sigmoid(x)
        u = 1 + abs(x)
        return self.where(x > 0, 1 / (u * u), s * (1 - s))

    def s4(self, x: Array, k: Array) -> Array:
        """Return softsign and sigmoid, mixed with the weight sigmoid(k x)."""
        a = self.sigmoid(k * x)
        return a * (x / (1 + abs(x))) + (1 - a) * self.sigmoid(x)

    def s4_dx(self, x: Array, k: Array) -> Array:
        """Return the derivative of S4 by x."""
        return self.s4_value_dx(x, k)[1]

    def s4_value_dx(self, x: Array, k: Array) -> tuple[Array, Array]:
        """Return the value and the derivative by x, sharing what they have in common."""
        a, s, u = self.sigmoid(k * x), self.sigmoid(x), 1 + abs(x)
        b, t = 1 - a, x / u
        dx = k * a * b * (t - s) + a / (u * u) + b * s * (1 - s)
        return a * t + b * s, dx

    def s4_backward(self, grad: Array, x: Array, k: Array) -> tuple[Array, Array]:
        """Return the gradients of a loss by x and by a scalar k, from its gradient by S4."""
        a, s, u = self.sigmoid(k * x), self.sigmoid(x), 1 + abs(x)
        b = 1 - a
        slope = a * b * (x / u - s)
        dx = k * slope + a / (u * u) + b * s * (1 - s)
        return grad * dx, (grad * x * slope).sum()


def numpy_sigmoid(x: Array) -> Array:
    """Return the sigmoid as NumPy users write it."""
    return 1 / (1 + np.exp(-x))


NUMPY = Definitions(numpy_sigmoid, np.where)
