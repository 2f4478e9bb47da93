"""Every activation as a textbook states it, over the functions of any library of arrays.

Design:
- These are the definitions, and share nothing with the rearranged forms of activations.py. They
  are what an oracle computes in 50 digits, what a careful user of NumPy or PyTorch would write, and
  the short forms that a compiler of array expressions fuses.
- `m` holds the library's functions by the names that NumPy, PyTorch, jax.numpy and keras.ops
  share: `abs`, `expm1`, `ones_like`, `sin`, `sqrt`, `tanh` and `where`, the numbers `e` and `pi`;
  and three that each has by a name of its own, without overflow and with a gradient everywhere:
  `sigmoid(x)`, 1 / (1 + e^-x); `softplus(x)`, log(1 + e^x); `ndtr(x)`, the normal distribution's
  function. Each library gets an object with these attributes. Beside them there are arithmetic,
  powers and comparisons.
- The arguments after m are those of the public function: x is an array, a parameter an array or a
  number. What stands behind a `*` is a constant, for whoever needs more digits than a float has.
- Both sides of a `where` are evaluated. Nothing overflows on the side that is not taken, so that
  no gradient becomes NaN there at any finite x. At a kink a gradient is that of activations.py.
  eps of s3_smooth and a of snake must not be 0, nor squareplus' b at x = 0.
- No accuracy is promised beyond that of the terms: differences cancel in the tails, and an infinite
  x gives NaN where the definition says infinity by infinity or 0 times infinity. NaN in x gives
  NaN; in a parameter it does where the parameter is used.
"""

from typing import Any

Array = Any
Namespace = Any


def s3(m: Namespace, x: Array) -> Array:
    return m.where(x <= 0, m.sigmoid(x), softsign(m, x))


def s4(m: Namespace, x: Array, k: Array = 5.0) -> Array:
    a = m.sigmoid(k * x)
    return a * softsign(m, x) + (1 - a) * m.sigmoid(x)


def s3_smooth(m: Namespace, x: Array, eps: Array = 0.5) -> Array:
    t, p, d = m.where(m.abs(x) < eps, x / eps + 1, 0) / 2, 1 / (1 + m.e**eps), 1 / (1 + eps)
    slopes = 2 * eps * (1 - t) * ((1 - t) * p * (1 - p) - t * d * d)
    return m.where(m.abs(x) < eps, p + t * (t * (3 - 2 * t) * (eps * d - p) + slopes), s3(m, x))


def sigmoid(m: Namespace, x: Array) -> Array:
    return m.sigmoid(x)


def softsign(m: Namespace, x: Array) -> Array:
    return x / (1 + m.abs(x))


def tanh(m: Namespace, x: Array) -> Array:
    return m.tanh(x)


def relu6(m: Namespace, x: Array) -> Array:
    return hardtanh(m, x, 0, 6)


def hardtanh(m: Namespace, x: Array, min: Array = -1.0, max: Array = 1.0) -> Array:
    from_min = m.where(x <= min, min, x)
    return m.where(from_min >= max, max, from_min)


def threshold(m: Namespace, x: Array, threshold: Array = 0.0) -> Array:
    return m.where(x <= threshold, 0, m.where(x > threshold, m.ones_like(x), x))


def logsigmoid(m: Namespace, x: Array) -> Array:
    return -m.softplus(-x)


def hardsigmoid(m: Namespace, x: Array) -> Array:
    return (hardtanh(m, x, -3, 3) + 3) / 6


def hardswish(m: Namespace, x: Array) -> Array:
    return x * hardsigmoid(m, x)


def relu(m: Namespace, x: Array) -> Array:
    return m.where(x <= 0, 0, x)


def leaky_relu(m: Namespace, x: Array, a: Array = 0.01) -> Array:
    return m.where(x > 0, x, a * x)


def prelu(m: Namespace, x: Array, a: Array = 0.25) -> Array:
    return leaky_relu(m, x, a)


def rrelu(m: Namespace, x: Array, lower: Array = 1 / 8, upper: Array = 1 / 3) -> Array:
    return leaky_relu(m, x, (lower + upper) / 2)


def elu(m: Namespace, x: Array, alpha: Array = 1.0) -> Array:
    return m.where(x > 0, x, alpha * m.expm1(m.where(x > 0, 0, x)))


def celu(m: Namespace, x: Array, alpha: Array = 1.0) -> Array:
    return m.where(x >= 0, x, alpha * m.expm1(m.where(x >= 0, 0, x) / alpha))


def selu(
    m: Namespace, x: Array, *, scale: Array = 1.0507009873554805, alpha: Array = 1.6732632423543772
) -> Array:
    return scale * elu(m, x, alpha)


def softplus(m: Namespace, x: Array, beta: Array = 1.0, threshold: Array = 20.0) -> Array:
    return m.where(beta * x > threshold, x, m.softplus(beta * x) / beta)


def squareplus(m: Namespace, x: Array, b: Array = 4.0) -> Array:
    return (x + m.sqrt(x * x + b)) / 2


def gelu(m: Namespace, x: Array) -> Array:
    return x * m.ndtr(x)


def gelu_tanh(m: Namespace, x: Array, *, cubic: Array = 0.044715) -> Array:
    return x / 2 * (1 + m.tanh((2 / m.pi) ** 0.5 * (x + cubic * x * x * x)))


def quick_gelu(m: Namespace, x: Array, *, steepness: Array = 1.702) -> Array:
    return x * m.sigmoid(steepness * x)


def silu(m: Namespace, x: Array) -> Array:
    return x * m.sigmoid(x)


def swish(m: Namespace, x: Array, beta: Array = 1.0) -> Array:
    return x * m.sigmoid(beta * x)


def mish(m: Namespace, x: Array) -> Array:
    return x * m.tanh(m.softplus(x))


def snake(m: Namespace, x: Array, a: Array = 1.0) -> Array:
    return x + m.sin(a * x) ** 2 / a


def tanhshrink(m: Namespace, x: Array) -> Array:
    return x - m.tanh(x)


def softshrink(m: Namespace, x: Array, lambd: Array = 0.5) -> Array:
    return m.where(m.abs(x) <= lambd, 0, m.where(x > 0, x - lambd, x + lambd))


def hardshrink(m: Namespace, x: Array, lambd: Array = 0.5) -> Array:
    return m.where(m.abs(x) <= lambd, 0, x)


def pss(m: Namespace, x: Array, alpha: Array = 2.0) -> Array:
    return m.sigmoid(alpha * x)


def rational_softsign(m: Namespace, x: Array, a: Array = 1.0, b: Array = 1.0) -> Array:
    return a * x / (1 + b * m.abs(x))
