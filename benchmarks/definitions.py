"""Every activation and its derivative straight from the definition, for any array library.

Values are the textbook's; derivatives are what a careful user of NumPy, SciPy, numexpr, PyTorch or
JAX would write, each sub-expression once. Only the functions that a library has of its own differ.

# Design: the peers get the definition and not the rearranged form of
# ``src/formulas/activations.py``, because the question is what a user gains over writing the
# definition down; and all peers get the same text, so that none is slow by an accident of how it
# was written here. Where a library has the activation itself, its contender takes that.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import mpmath
import numpy as np

from s3s4 import _textbook

Array = Any


def absent(x: Array) -> Array:
    """Stand for the normal distribution's function where a library has none."""
    raise NotImplementedError("has no function of the normal distribution, nor erf")


def as_it_is(number: float) -> float:
    """Stand for a constant where a Python number takes the type of the array beside it."""
    return number


@dataclass(frozen=True)
class Definitions:
    """The definitions over one array library.

    Parameters
    ----------
    abs, exp, expm1, log1p, ones_like, sin, sqrt, tanh : callable
        As those of NumPy.
    where : callable
        Element by element choice, as ``numpy.where``.
    choose : callable
        A choice between two numbers, as an array of the type of its last argument.
    sigmoid : callable
        1 / (1 + exp(-x)) as that library offers it.
    ndtr : callable
        The normal distribution's function, or `absent`.
    constant : callable
        A constant that is no integer, as the library wants it beside its arrays.
    """

    abs: Callable[[Array], Array]
    exp: Callable[[Array], Array]
    expm1: Callable[[Array], Array]
    log1p: Callable[[Array], Array]
    ones_like: Callable[[Array], Array]
    sin: Callable[[Array], Array]
    sqrt: Callable[[Array], Array]
    tanh: Callable[[Array], Array]
    where: Callable[[Array, Array, Array], Array]
    choose: Callable[[Array, float, float, Array], Array]
    sigmoid: Callable[[Array], Array]
    ndtr: Callable[[Array], Array] = absent
    constant: Callable[[Any], Any] = as_it_is

    @property
    def e(self) -> Any:
        return self.constant(math.e)

    @property
    def pi(self) -> Any:
        return self.constant(math.pi)

    def softplus(self, x: Array) -> Array:
        """Return log(1 + e^x), as most write it."""
        return self.log1p(self.exp(x))

    def formula(self, quantity: str) -> Callable[..., Any]:
        """Return the function of its arrays, then its parameters, that a quantity is."""
        definition = getattr(_textbook, quantity, None)
        if definition is None:
            formula: Callable[..., Any] = getattr(self, quantity)
            return formula
        constants = {
            name: self.constant(at) for name, at in (definition.__kwdefaults__ or {}).items()
        }

        def value(x: Array, *parameters: float) -> Any:
            return definition(self, x, *map(self.constant, parameters), **constants)

        return value

    def s3_dx(self, x: Array) -> Array:
        """Return the derivative of S3, with the left value 1/4 at 0."""
        s = self.sigmoid(x)
        u = 1 + self.abs(x)
        return self.where(x > 0, 1 / (u * u), s * (1 - s))

    def s4_dx(self, x: Array, k: Array) -> Array:
        """Return the derivative of S4 by x."""
        return self.s4_value_dx(x, k)[1]

    def s4_value_dx(self, x: Array, k: Array) -> tuple[Array, Array]:
        """Return the value and the derivative by x, sharing what they have in common."""
        k = self.constant(k)
        a, s, u = self.sigmoid(k * x), self.sigmoid(x), 1 + self.abs(x)
        b, t = 1 - a, x / u
        dx = k * a * b * (t - s) + a / (u * u) + b * s * (1 - s)
        return a * t + b * s, dx

    def s4_backward(self, grad: Array, x: Array, k: Array) -> tuple[Array, Array]:
        """Return the gradients of a loss by x and by a scalar k, from its gradient by S4."""
        a, s, u = self.sigmoid(k * x), self.sigmoid(x), 1 + self.abs(x)
        b = 1 - a
        slope = a * b * (x / u - s)
        dx = k * slope + a / (u * u) + b * s * (1 - s)
        return grad * dx, (grad * x * slope).sum()

    def s3_smooth_dx(self, x: Array, eps: Array) -> Array:
        """Return its derivative."""
        p, c, width = 1 / (1 + math.exp(eps)), 1 / (1 + eps), 2 * eps
        t = (x + self.constant(eps)) / self.constant(width)
        r = 1 - t
        rise, fall = self.constant(p * (1 - p)), self.constant(c * c)
        inside = (
            6 * t * r * self.constant((eps * c - p) / width)
            + r * (r - 2 * t) * rise
            + t * (t - 2 * r) * fall
        )
        return self.where(self.abs(x) < self.constant(eps), inside, self.s3_dx(x))

    def sigmoid_dx(self, x: Array) -> Array:
        """Return s (1 - s)."""
        s = self.sigmoid(x)
        return s * (1 - s)

    def pss_dx(self, x: Array, alpha: Array) -> Array:
        """Return its derivative."""
        return self.constant(alpha) * self.sigmoid_dx(self.constant(alpha) * x)

    def softsign_dx(self, x: Array) -> Array:
        """Return its derivative."""
        u = 1 + self.abs(x)
        return 1 / (u * u)

    def rational_softsign_dx(self, x: Array, a: Array, b: Array) -> Array:
        """Return its derivative."""
        u = 1 + self.constant(b) * self.abs(x)
        return self.constant(a) / (u * u)

    def tanh_dx(self, x: Array) -> Array:
        """Return 1 - tanh(x)^2."""
        t = self.tanh(x)
        return 1 - t * t

    def tanhshrink_dx(self, x: Array) -> Array:
        """Return tanh(x)^2."""
        t = self.tanh(x)
        return t * t

    def relu_dx(self, x: Array) -> Array:
        """Return its derivative."""
        return self.choose(x > 0, 1, 0, x)

    def leaky_relu_dx(self, x: Array, a: Array) -> Array:
        """Return its derivative."""
        return self.choose(x > 0, 1, a, x)

    prelu_dx = leaky_relu_dx

    def rrelu_dx(self, x: Array, lower: Array, upper: Array) -> Array:
        """Return its derivative."""
        return self.leaky_relu_dx(x, (lower + upper) / 2)

    def relu6_dx(self, x: Array) -> Array:
        """Return its derivative."""
        return self.hardtanh_dx(x, 0, 6)

    def hardtanh_dx(self, x: Array, min: Array, max: Array) -> Array:
        """Return its derivative."""
        return self.choose((x > self.constant(min)) & (x < self.constant(max)), 1, 0, x)

    def hardsigmoid_dx(self, x: Array) -> Array:
        """Return its derivative."""
        return self.choose((x > -3) & (x < 3), 1 / 6, 0, x)

    def hardswish_dx(self, x: Array) -> Array:
        """Return its derivative."""
        return self.where(x < 3, self.where(x > -3, (2 * x + 3) / 6, 0), 1)

    def threshold_dx(self, x: Array, threshold: Array) -> Array:
        """Return 0."""
        return 0 * x

    def softshrink_dx(self, x: Array, lambd: Array) -> Array:
        """Return its derivative."""
        return self.choose(self.abs(x) > self.constant(lambd), 1, 0, x)

    hardshrink_dx = softshrink_dx

    def elu_dx(self, x: Array, alpha: Array) -> Array:
        """Return its derivative."""
        return self.where(x > 0, 1, self.constant(alpha) * self.exp(x))

    def celu_dx(self, x: Array, alpha: Array) -> Array:
        """Return its derivative."""
        return self.where(x > 0, 1, self.exp(x / self.constant(alpha)))

    def selu_dx(self, x: Array) -> Array:
        """Return its derivative."""
        return self.constant(SELU_SCALE) * self.elu_dx(x, SELU_ALPHA)

    def logsigmoid_dx(self, x: Array) -> Array:
        """Return sigmoid(-x)."""
        return self.sigmoid(-x)

    def softplus_dx(self, x: Array, beta: Array, threshold: Array) -> Array:
        """Return its derivative."""
        z = self.constant(beta) * x
        return self.where(z > self.constant(threshold), 1, self.sigmoid(z))

    def quick_gelu_dx(self, x: Array) -> Array:
        """Return its derivative."""
        return self.swish_dx(x, 1.702)

    def squareplus_dx(self, x: Array, b: Array) -> Array:
        """Return its derivative."""
        return (1 + x / self.sqrt(x * x + self.constant(b))) / 2

    def snake_dx(self, x: Array, a: Array) -> Array:
        """Return its derivative."""
        return 1 + self.sin(self.constant(2 * a) * x)

    def silu_dx(self, x: Array) -> Array:
        """Return its derivative."""
        s = self.sigmoid(x)
        return s * (1 + x * (1 - s))

    def swish_dx(self, x: Array, beta: Array) -> Array:
        """Return its derivative."""
        z = self.constant(beta) * x
        s = self.sigmoid(z)
        return s * (1 + z * (1 - s))

    def mish_dx(self, x: Array) -> Array:
        """Return its derivative."""
        w = self.tanh(self.softplus(x))
        return w + x * (1 - w * w) * self.sigmoid(x)

    def gelu_dx(self, x: Array) -> Array:
        """Return its derivative."""
        return self.ndtr(x) + x * self.exp(-x * x / 2) * self.constant(DENSITY)

    def gelu_tanh_dx(self, x: Array) -> Array:
        """Return its derivative."""
        square = self.constant(GELU_CUBIC) * x * x
        t = self.tanh(self.constant(GELU_SLOPE) * x * (1 + square))
        slope = self.constant(GELU_SLOPE) * (1 + 3 * square)
        return (1 + t) / 2 + x * (1 - t * t) * slope / 2


SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772
GELU_SLOPE, GELU_CUBIC = 0.7978845608028654, 0.044715
DENSITY = 0.3989422804014327


def numpy_sigmoid(x: Array) -> Array:
    """Return the sigmoid as NumPy users write it."""
    return 1 / (1 + np.exp(-x))


def numpy_choose(condition: Array, one: float, other: float, x: Array) -> Array:
    """Return one or the other number in the type of x."""
    return np.where(condition, x.dtype.type(one), x.dtype.type(other))


NUMPY = Definitions(
    abs=np.abs,
    sigmoid=numpy_sigmoid,
    where=np.where,
    choose=numpy_choose,
    exp=np.exp,
    expm1=np.expm1,
    log1p=np.log1p,
    ones_like=np.ones_like,
    sin=np.sin,
    sqrt=np.sqrt,
    tanh=np.tanh,
)


def exact_normal(x: Array) -> Array:
    """Return the normal distribution's function in long double, an element at a time."""
    with mpmath.workdps(25):
        values = [np.longdouble(mpmath.nstr(mpmath.ncdf(mpmath.mpf(str(at))), 22)) for at in x]
    return np.array(values, np.longdouble)


EXACT = replace(NUMPY, ndtr=exact_normal)
"""For long doubles: what every contender's results are compared with."""


def undefined(activations: Iterable[str]) -> list[str]:
    """Return the activations and derivatives that have no definition here."""
    wanted = (quantity for name in activations for quantity in (name, f"{name}_dx"))
    known = {*vars(_textbook), *dir(NUMPY)}
    return [quantity for quantity in wanted if quantity not in known]
