"""One cell of the benchmark: a quantity, its input, and the check that a result is right."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

import s3s4
from definitions import EXACT

Array = npt.NDArray[Any]

QUANTITIES = {
    "s3": "S3",
    "s4": "S4",
    "s4_dx": "S4'",
    "s4_value_dx": "S4 and S4'",
    "s4_backward": "backward of S4",
}
"""What is timed, by the name that the contenders know it by, and as it is printed."""

K = 5.0
"""The default k of S4."""

LARGEST_TERM = 5.0
"""What the terms of the formulas reach: k in the derivative of S4; x in those of the rectifiers."""

TOLERANCE = 64
"""Largest error of a contender, in eps of its dtype and units of the largest term.

Wide enough for the rounding of the product k x in float32, which the definition cannot avoid; far
too narrow for a wrong formula or for arithmetic in a narrower type.
"""

CHECKED = 4096
"""Elements of a result that are compared; a sum is compared only where all its terms are."""


@dataclass(frozen=True)
class Job:
    """A quantity to compute, with input and room for the output.

    Attributes
    ----------
    quantity : str
        A key of `QUANTITIES`.
    x, grad : numpy.ndarray
        Input, and the gradient that ``backward`` is given.
    out : tuple of numpy.ndarray
        Two arrays like x. All contenders write to the same pages, so that none has better ones.
    """

    quantity: str
    x: Array
    grad: Array
    out: tuple[Array, Array]

    @classmethod
    def make(cls, quantity: str, dtype: str, n: int) -> "Job":
        """Draw the input: uniform on [-12, 12], where every part of the formulas matters."""
        rng = np.random.default_rng(n)
        # float32 also for float64: at 10^8 the draw would otherwise take longer than the timing.
        x = rng.random(n, dtype=np.float32).astype(dtype)
        x *= 24
        x -= 12
        return cls(quantity, x, np.ones_like(x) / n, (np.ones_like(x), np.ones_like(x)))

    def of(self, quantity: str) -> "Job":
        """Return the same input and output for another quantity."""
        return Job(quantity, self.x, self.grad, self.out)


def split(quantity: str) -> tuple[str, str]:
    """Return the activation that a quantity is of, and what of it: "", "dx", "value_dx" ..."""
    for what in ("value_dx", "backward", "dx"):
        if quantity.endswith(f"_{what}"):
            return quantity.removesuffix(f"_{what}"), what
    return quantity, ""


def parameters(quantity: str) -> tuple[float, ...]:
    """Return the parameters that a quantity is computed with: the defaults."""
    return tuple(s3s4.activations[split(quantity)[0]].parameters.values())


def expected(job: Job) -> tuple[Array, ...]:
    """Compute the checked elements from the definition, in long double."""
    x, grad = (a[:CHECKED].astype(np.longdouble) for a in (job.x, job.grad))
    formula, values = EXACT.formula(job.quantity), parameters(job.quantity)
    result = formula(grad, x, *values) if job.quantity == "s4_backward" else formula(x, *values)
    return result if isinstance(result, tuple) else (result,)


def complaint(job: Job, result: Any) -> str:
    """Compare a contender's result with the definition in long double.

    Returns
    -------
    str
        Empty if the result is right; otherwise by how much it is not, with the tolerance.
    """
    results: Sequence[Any] = result if isinstance(result, tuple | list) else (result,)
    wanted = expected(job)
    if len(results) != len(wanted):
        return f"{len(results)} results instead of {len(wanted)}"
    for got, want in zip(results, wanted, strict=True):
        array = np.asarray(got)
        if want.ndim == 0 and job.x.size > CHECKED:
            continue
        terms = 1 if want.ndim else job.x.size
        scale = LARGEST_TERM * terms * (abs(job.grad[0]) if job.quantity == "s4_backward" else 1)
        error = np.max(abs(array.reshape(-1)[:CHECKED] - want)) / scale / np.finfo(job.x.dtype).eps
        if not error <= TOLERANCE:
            return f"error of {error:.3g} units, tolerance {TOLERANCE}"
    return ""
