"""Numba: the definition as parallel loops with fastmath.

# Design: the number one is an argument, since a literal 1 would make every float32 sum a float64.
"""

from collections.abc import Callable
from functools import cache, partial
from math import exp
from typing import Any

import numba
from numba import prange

import threads
from definitions import Array
from job import Job, K


def s3(x: Array, one: Any, out: Array) -> Array:
    """Sigmoid up to 0, softsign above."""
    for i in prange(x.size):
        v = x[i]
        out[i] = v / (one + v) if v > 0 else one / (one + exp(-v))
    return out


def s4(x: Array, k: Any, one: Any, out: Array) -> Array:
    """Return softsign and sigmoid, mixed."""
    for i in prange(x.size):
        v = x[i]
        a = one / (one + exp(-k * v))
        out[i] = a * (v / (one + abs(v))) + (one - a) / (one + exp(-v))
    return out


def s4_dx(x: Array, k: Any, one: Any, out: Array) -> Array:
    """Return the derivative of S4."""
    for i in prange(x.size):
        v = x[i]
        a, s, u = one / (one + exp(-k * v)), one / (one + exp(-v)), one + abs(v)
        b = one - a
        out[i] = k * a * b * (v / u - s) + a / (u * u) + b * s * (one - s)
    return out


def s4_value_dx(x: Array, k: Any, one: Any, out: Array, dx: Array) -> tuple[Array, Array]:
    """Return the value and the derivative of S4 in one pass."""
    for i in prange(x.size):
        v = x[i]
        a, s, u = one / (one + exp(-k * v)), one / (one + exp(-v)), one + abs(v)
        b, t = one - a, v / u
        out[i] = a * t + b * s
        dx[i] = k * a * b * (t - s) + a / (u * u) + b * s * (one - s)
    return out, dx


def s4_backward(grad: Array, x: Array, k: Any, one: Any, out: Array) -> tuple[Array, Any]:
    """Return the gradients of a loss by x and by k."""
    grad_k = 0.0
    for i in prange(x.size):
        v = x[i]
        a, s, u = one / (one + exp(-k * v)), one / (one + exp(-v)), one + abs(v)
        b = one - a
        slope = a * b * (v / u - s)
        out[i] = grad[i] * (k * slope + a / (u * u) + b * s * (one - s))
        grad_k += grad[i] * v * slope
    return out, grad_k


@cache
def compiled(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a loop nest once for all sizes."""
    result: Callable[..., Any] = numba.njit(parallel=True, fastmath=True)(kernel)
    return result


def prepare(job: Job) -> Callable[[], Any]:
    """Prepare the job with the output given."""
    numba.set_num_threads(threads.limit())
    x, out, one, k = job.x, job.out, job.x.dtype.type(1), job.x.dtype.type(K)
    match job.quantity:
        case "s3":
            return partial(compiled(s3), x, one, out[0])
        case "s4":
            return partial(compiled(s4), x, k, one, out[0])
        case "s4_dx":
            return partial(compiled(s4_dx), x, k, one, out[0])
        case "s4_value_dx":
            return partial(compiled(s4_value_dx), x, k, one, *out)
        case _:
            return partial(compiled(s4_backward), job.grad, x, k, one, out[0])
