"""Row functions by their definitions, in NumPy's long double, and errors against them.

Errors are counted in eps times what is added up: of softmax that is the value itself.
"""

from typing import Any

import numpy as np

# e^x 1, the sum 5/2, its reciprocal and the product 1/2 each, and those of log_softmax 1/2 more.
VALUE_EPS = 5
# And the sum of products, and the difference.
PRODUCT_EPS = 9


def sample(shape: Any, dtype: Any = "float64", seed: int = 0, spread: float = 12) -> np.ndarray:
    """Return values in +-spread."""
    rng = np.random.default_rng(seed)
    return rng.uniform(-spread, spread, shape).astype(dtype)


def total(terms: np.ndarray) -> Any:
    """Return the sum over the last axis, kept."""
    return terms.sum(axis=-1, keepdims=True)


def exact(name: str, x: np.ndarray, grad: np.ndarray) -> Any:
    """Return value and vector-Jacobian product over the last axis, each with its terms' size."""
    x, grad = x.astype(np.longdouble), grad.astype(np.longdouble)
    y = -x if name == "softmin" else x
    largest = y.max(axis=-1, keepdims=True)
    power = np.exp(y - largest)
    weights = power / total(power)
    if name == "log_softmax":
        others = np.where(y == largest, 0, power)
        log = np.log1p(total(others) + (total(y == largest) - 1))
        # x - largest is one more term that is rounded.
        value = y - largest - log, abs(y - largest) + log
        return value, (
            grad - weights * total(grad),
            abs(grad) + weights * total(abs(grad)),
        )
    sign = -1 if name == "softmin" else 1
    product = sign * weights * (grad - total(grad * weights))
    return (weights, weights), (product, weights * (abs(grad) + total(abs(grad) * weights)))


def errors(result: np.ndarray, expected: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Return errors in eps of the size; below the smallest normal number results may be 0."""
    limits = np.finfo(result.dtype)
    tiny = np.longdouble(limits.smallest_normal)
    return abs(result - expected) / (limits.eps * size + tiny)
