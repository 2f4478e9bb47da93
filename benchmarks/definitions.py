"""Every activation and its derivative straight from the definition, for any array library.

What a careful user of NumPy, SciPy, numexpr, PyTorch or JAX would write, each sub-expression once.
Only the functions that a library has of its own differ between them.

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
    sigmoid : callable
        1 / (1 + exp(-x)) as that library offers it.
    where : callable
        Element by element choice, as ``numpy.where``.
    choose : callable
        A choice between two numbers, as an array of the type of its last argument.
    clip, absolute, exp, expm1, log1p, tanh : callable
        As those of NumPy.
    normal : callable
        The normal distribution's function, or `absent`.
    constant : callable
        A constant that is no integer, as the library wants it beside its arrays.
    """

    sigmoid: Callable[[Array], Array]
    where: Callable[[Array, Array, Array], Array]
    choose: Callable[[Array, float, float, Array], Array]
    clip: Callable[[Array, float, float], Array]
    absolute: Callable[[Array], Array]
    exp: Callable[[Array], Array]
    expm1: Callable[[Array], Array]
    log1p: Callable[[Array], Array]
    tanh: Callable[[Array], Array]
    normal: Callable[[Array], Array] = absent
    constant: Callable[[Any], Any] = as_it_is

    def s3(self, x: Array) -> Array:
        """Sigmoid up to 0, softsign above."""
        return self.where(x > 0, x / (1 + self.absolute(x)), self.sigmoid(x))

    def s3_dx(self, x: Array) -> Array:
        """Return the derivative of S3, with the left value 1/4 at 0."""
        s = self.sigmoid(x)
        u = 1 + self.absolute(x)
        return self.where(x > 0, 1 / (u * u), s * (1 - s))

    def s4(self, x: Array, k: Array) -> Array:
        """Return softsign and sigmoid, mixed with the weight sigmoid(k x)."""
        a = self.sigmoid(self.constant(k) * x)
        return a * (x / (1 + self.absolute(x))) + (1 - a) * self.sigmoid(x)

    def s4_dx(self, x: Array, k: Array) -> Array:
        """Return the derivative of S4 by x."""
        return self.s4_value_dx(x, k)[1]

    def s4_value_dx(self, x: Array, k: Array) -> tuple[Array, Array]:
        """Return the value and the derivative by x, sharing what they have in common."""
        k = self.constant(k)
        a, s, u = self.sigmoid(k * x), self.sigmoid(x), 1 + self.absolute(x)
        b, t = 1 - a, x / u
        dx = k * a * b * (t - s) + a / (u * u) + b * s * (1 - s)
        return a * t + b * s, dx

    def s4_backward(self, grad: Array, x: Array, k: Array) -> tuple[Array, Array]:
        """Return the gradients of a loss by x and by a scalar k, from its gradient by S4."""
        a, s, u = self.sigmoid(k * x), self.sigmoid(x), 1 + self.absolute(x)
        b = 1 - a
        slope = a * b * (x / u - s)
        dx = k * slope + a / (u * u) + b * s * (1 - s)
        return grad * dx, (grad * x * slope).sum()

    def s3_smooth(self, x: Array, eps: Array) -> Array:
        """Return S3 with the cubic from -eps to eps that has its values and slopes there."""
        p, c, width = 1 / (1 + math.exp(eps)), 1 / (1 + eps), 2 * eps
        t = (x + self.constant(eps)) / self.constant(width)
        r = 1 - t
        start, end = self.constant(p), self.constant(eps * c)
        rise, fall = self.constant(width * p * (1 - p)), self.constant(width * c * c)
        inside = r * r * ((1 + 2 * t) * start + t * rise) + t * t * ((1 + 2 * r) * end - r * fall)
        return self.where(self.absolute(x) < self.constant(eps), inside, self.s3(x))

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
        return self.where(self.absolute(x) < self.constant(eps), inside, self.s3_dx(x))

    def sigmoid_dx(self, x: Array) -> Array:
        """Return s (1 - s)."""
        s = self.sigmoid(x)
        return s * (1 - s)

    def pss(self, x: Array, alpha: Array) -> Array:
        """Return sigmoid(alpha x)."""
        return self.sigmoid(self.constant(alpha) * x)

    def pss_dx(self, x: Array, alpha: Array) -> Array:
        """Return its derivative."""
        return self.constant(alpha) * self.sigmoid_dx(self.constant(alpha) * x)

    def softsign(self, x: Array) -> Array:
        """Return x / (1 + |x|)."""
        return x / (1 + self.absolute(x))

    def softsign_dx(self, x: Array) -> Array:
        """Return its derivative."""
        u = 1 + self.absolute(x)
        return 1 / (u * u)

    def rational_softsign(self, x: Array, a: Array, b: Array) -> Array:
        """Return a x / (1 + b |x|)."""
        return self.constant(a) * x / (1 + self.constant(b) * self.absolute(x))

    def rational_softsign_dx(self, x: Array, a: Array, b: Array) -> Array:
        """Return its derivative."""
        u = 1 + self.constant(b) * self.absolute(x)
        return self.constant(a) / (u * u)

    def tanh_dx(self, x: Array) -> Array:
        """Return 1 - tanh(x)^2."""
        t = self.tanh(x)
        return 1 - t * t

    def tanhshrink(self, x: Array) -> Array:
        """Return x - tanh(x)."""
        return x - self.tanh(x)

    def tanhshrink_dx(self, x: Array) -> Array:
        """Return tanh(x)^2."""
        t = self.tanh(x)
        return t * t

    def relu(self, x: Array) -> Array:
        """Return x, or 0 left of 0."""
        return self.where(x > 0, x, 0)

    def relu_dx(self, x: Array) -> Array:
        """Return its derivative."""
        return self.choose(x > 0, 1, 0, x)

    def leaky_relu(self, x: Array, a: Array) -> Array:
        """Return x, or a x left of 0."""
        return self.where(x > 0, x, self.constant(a) * x)

    def leaky_relu_dx(self, x: Array, a: Array) -> Array:
        """Return its derivative."""
        return self.choose(x > 0, 1, a, x)

    prelu = leaky_relu
    prelu_dx = leaky_relu_dx

    def rrelu(self, x: Array, lower: Array, upper: Array) -> Array:
        """Return x, or its product with the mean slope left of 0."""
        return self.leaky_relu(x, (lower + upper) / 2)

    def rrelu_dx(self, x: Array, lower: Array, upper: Array) -> Array:
        """Return its derivative."""
        return self.leaky_relu_dx(x, (lower + upper) / 2)

    def relu6(self, x: Array) -> Array:
        """Return x, cut at 0 and 6."""
        return self.hardtanh(x, 0, 6)

    def relu6_dx(self, x: Array) -> Array:
        """Return its derivative."""
        return self.hardtanh_dx(x, 0, 6)

    def hardtanh(self, x: Array, min: Array, max: Array) -> Array:
        """Return x, cut at min and max."""
        return self.clip(x, min, max)

    def hardtanh_dx(self, x: Array, min: Array, max: Array) -> Array:
        """Return its derivative."""
        return self.choose((x > self.constant(min)) & (x < self.constant(max)), 1, 0, x)

    def hardsigmoid(self, x: Array) -> Array:
        """Return 0, (x + 3) / 6 and 1, changing at -3 and 3."""
        return self.clip(x + 3, 0, 6) / 6

    def hardsigmoid_dx(self, x: Array) -> Array:
        """Return its derivative."""
        return self.choose((x > -3) & (x < 3), 1 / 6, 0, x)

    def hardswish(self, x: Array) -> Array:
        """Return x hardsigmoid(x)."""
        return x * self.clip(x + 3, 0, 6) / 6

    def hardswish_dx(self, x: Array) -> Array:
        """Return its derivative."""
        return self.where(x < 3, self.where(x > -3, (2 * x + 3) / 6, 0), 1)

    def threshold(self, x: Array, threshold: Array) -> Array:
        """Return 1 above the threshold, else 0."""
        return self.choose(x > self.constant(threshold), 1, 0, x)

    def threshold_dx(self, x: Array, threshold: Array) -> Array:
        """Return 0."""
        return 0 * x

    def softshrink(self, x: Array, lambd: Array) -> Array:
        """Return x, lambd nearer to 0."""
        near = self.constant(lambd)
        return self.where(x > near, x - near, self.where(x < -near, x + near, 0))

    def softshrink_dx(self, x: Array, lambd: Array) -> Array:
        """Return its derivative."""
        return self.choose(self.absolute(x) > self.constant(lambd), 1, 0, x)

    def hardshrink(self, x: Array, lambd: Array) -> Array:
        """Return x, or 0 near 0."""
        return self.where(self.absolute(x) > self.constant(lambd), x, 0)

    hardshrink_dx = softshrink_dx

    def elu(self, x: Array, alpha: Array) -> Array:
        """Return x, or alpha (e^x - 1) left of 0."""
        return self.where(x > 0, x, self.constant(alpha) * self.expm1(x))

    def elu_dx(self, x: Array, alpha: Array) -> Array:
        """Return its derivative."""
        return self.where(x > 0, 1, self.constant(alpha) * self.exp(x))

    def celu(self, x: Array, alpha: Array) -> Array:
        """Return x, or alpha (e^(x/alpha) - 1) left of 0."""
        scale = self.constant(alpha)
        return self.where(x > 0, x, scale * self.expm1(x / scale))

    def celu_dx(self, x: Array, alpha: Array) -> Array:
        """Return its derivative."""
        return self.where(x > 0, 1, self.exp(x / self.constant(alpha)))

    def selu(self, x: Array) -> Array:
        """Return elu with its two constants."""
        return self.constant(SELU_SCALE) * self.elu(x, SELU_ALPHA)

    def selu_dx(self, x: Array) -> Array:
        """Return its derivative."""
        return self.constant(SELU_SCALE) * self.elu_dx(x, SELU_ALPHA)

    def logsigmoid(self, x: Array) -> Array:
        """Return -log(1 + e^-x)."""
        return -self.log1p(self.exp(-x))

    def logsigmoid_dx(self, x: Array) -> Array:
        """Return sigmoid(-x)."""
        return self.sigmoid(-x)

    def softplus(self, x: Array, beta: Array, threshold: Array) -> Array:
        """Return log(1 + e^(beta x)) / beta, or x for beta x above the threshold."""
        z = self.constant(beta) * x
        smooth = self.log1p(self.exp(z)) / self.constant(beta)
        return self.where(z > self.constant(threshold), x, smooth)

    def softplus_dx(self, x: Array, beta: Array, threshold: Array) -> Array:
        """Return its derivative."""
        z = self.constant(beta) * x
        return self.where(z > self.constant(threshold), 1, self.sigmoid(z))

    def silu(self, x: Array) -> Array:
        """Return x sigmoid(x)."""
        return x * self.sigmoid(x)

    def silu_dx(self, x: Array) -> Array:
        """Return its derivative."""
        s = self.sigmoid(x)
        return s * (1 + x * (1 - s))

    def swish(self, x: Array, beta: Array) -> Array:
        """Return x sigmoid(beta x)."""
        return x * self.sigmoid(self.constant(beta) * x)

    def swish_dx(self, x: Array, beta: Array) -> Array:
        """Return its derivative."""
        z = self.constant(beta) * x
        s = self.sigmoid(z)
        return s * (1 + z * (1 - s))

    def mish(self, x: Array) -> Array:
        """Return x tanh(log(1 + e^x))."""
        return x * self.tanh(self.log1p(self.exp(x)))

    def mish_dx(self, x: Array) -> Array:
        """Return its derivative."""
        w = self.tanh(self.log1p(self.exp(x)))
        return w + x * (1 - w * w) * self.sigmoid(x)

    def gelu(self, x: Array) -> Array:
        """Return x Phi(x)."""
        return x * self.normal(x)

    def gelu_dx(self, x: Array) -> Array:
        """Return its derivative."""
        return self.normal(x) + x * self.exp(-x * x / 2) * self.constant(DENSITY)

    def gelu_tanh(self, x: Array) -> Array:
        """Return the approximation by tanh."""
        z = self.constant(GELU_SLOPE) * (x + self.constant(GELU_CUBIC) * x * x * x)
        return x * (1 + self.tanh(z)) / 2

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
    sigmoid=numpy_sigmoid,
    where=np.where,
    choose=numpy_choose,
    clip=np.clip,
    absolute=np.absolute,
    exp=np.exp,
    expm1=np.expm1,
    log1p=np.log1p,
    tanh=np.tanh,
)


def exact_normal(x: Array) -> Array:
    """Return the normal distribution's function in long double, an element at a time."""
    with mpmath.workdps(25):
        values = [np.longdouble(mpmath.nstr(mpmath.ncdf(mpmath.mpf(str(at))), 22)) for at in x]
    return np.array(values, np.longdouble)


EXACT = replace(NUMPY, normal=exact_normal)
"""For long doubles: what every contender's results are compared with."""


def undefined(activations: Iterable[str]) -> list[str]:
    """Return the activations and derivatives that have no definition here."""
    wanted = (quantity for name in activations for quantity in (name, f"{name}_dx"))
    return [quantity for quantity in wanted if not hasattr(NUMPY, quantity)]
