"""What several test files share: inputs, comparison by bits, a fresh interpreter."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

import s3s4
from s3s4._table import TABLE

# Of single elements: what test_rows.py tests is not in any of these.
ELEMENTWISE = {
    name: activation
    for name, activation in s3s4.activations.items()
    if isinstance(activation, s3s4.Activation)
}
ACTIVATIONS = list(ELEMENTWISE.values())
SECOND_DERIVATIVES = {
    f"{name}_d{a}{b}": getattr(s3s4.ufuncs, f"{name}_d{a}{b}")
    for name, entry in TABLE.items()
    for a, b in entry.second_derivatives
}
"""Apart from the others: they are the same loops around other formulas."""
UFUNCS = {
    name: ufunc
    for name, ufunc in vars(s3s4.ufuncs).items()
    if isinstance(ufunc, np.ufunc) and ufunc.signature is None and name not in SECOND_DERIVATIVES
}


def first_of_each(things: Iterable[Any], kind: Callable[[Any], Any]) -> list[Any]:
    """Return the first thing of each kind."""
    found: dict[Any, Any] = {}
    for thing in things:
        found.setdefault(kind(thing), thing)
    return list(found.values())


# What happens to memory and threads is the same code for every function with as many inputs and
# outputs, so a test of that takes one of them. Values differ: a test of those takes all.
ACTIVATION_KINDS = first_of_each(ACTIVATIONS, lambda a: len(a.parameters))
UFUNC_KINDS = first_of_each(UFUNCS.values(), lambda u: (u.nin, u.nout))
DTYPES = ("float16", "float32", "float64", "longdouble")

# Large enough for threads whatever the threshold is, and no multiple of any vector or block.
LARGE = 1_000_003


def inputs(count: int, shape: Any, dtype: Any = float, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Return `count` arrays of values in +-12."""
    rng = np.random.default_rng(seed)
    return tuple(rng.uniform(-12, 12, shape).astype(dtype) for _ in range(count))


def outputs(result: Any) -> tuple[Any, ...]:
    """Return the outputs of a ufunc as a tuple, also when there is only one."""
    return result if isinstance(result, tuple) else (result,)


def summed(terms: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Sum an array to a shape that broadcasts to it, in long double."""
    terms = np.asarray(terms, np.longdouble)
    terms = terms.sum(axis=tuple(range(terms.ndim - len(shape))))
    kept = tuple(axis for axis, length in enumerate(shape) if length == 1)
    return terms.sum(axis=kept, keepdims=True)


def assert_same_bits(actual: Any, expected: Any) -> None:
    """Compare dtype, shape, values, NaNs (not their signs) and the signs of zeros."""
    actual, expected = outputs(actual), outputs(expected)
    assert len(actual) == len(expected)
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(one, other, strict=True)
        negative = [np.signbit(array) & ~np.isnan(array) for array in (one, other)]
        np.testing.assert_array_equal(*negative)


def assert_neighbours(actual: Any, expected: Any, scale: float = 1) -> None:
    """Equal float16s or neighbours; where terms cancel, to within 2^-20 of the largest result."""
    finite = np.where(np.isfinite(expected), abs(expected), 0).astype(float)
    allowed = np.fmax(
        np.spacing(finite.astype(np.float16)), 2.0**-20 * scale * max(1, finite.max(initial=0))
    )
    equal = (actual == expected) | (np.isnan(actual) & np.isnan(expected))
    off = np.where(equal, 0, abs(actual.astype(float) - np.asarray(expected, float)))
    assert actual.shape == expected.shape
    assert (off <= allowed).all(), (actual[off > allowed], expected[off > allowed])


def python(code: str, *, timeout: float = 60, check: bool = True, **environment: str) -> Any:
    """Run code in a fresh interpreter, which must end in time; return the completed process.

    A variable of the environment that is given as empty is not there at all.
    """
    variables = {name: value for name, value in {**os.environ, **environment}.items() if value}
    done = subprocess.run(
        [sys.executable, "-P", "-W", "default", "-c", code],
        env=variables,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    if check:
        assert done.returncode == 0, done.stderr
    return done


def fresh(ufunc, shape, dtype=float):
    """Return as many arrays as the ufunc has outputs, filled with a mark."""
    return tuple(np.full(shape, 77, dtype) for _ in range(ufunc.nout))
