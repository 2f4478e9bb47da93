"""One cell of the benchmark: a quantity, its input, and the check that a result is right."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from definitions import NUMPY

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


def expected(job: Job) -> tuple[Array, ...]:
    """Compute the checked elements from the definition, in long double."""
    x, grad = (a[:CHECKED].astype(np.longdouble) for a in (job.x, job.grad))
    match job.quantity:
        case "s3":
            return (NUMPY.s3(x),)
        case "s4":
            return (NUMPY.s4(x, K),)
        case "s4_dx":
            return (NUMPY.s4_dx(x, K),)
        case "s4_value_dx":
            return NUMPY.s4_value_dx(x, K)
        case _:
            return NUMPY.s4_backward(grad, x, K)


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
        scale = K * terms * (abs(job.grad[0]) if job.quantity == "s4_backward" else 1)
        error = np.max(abs(array.reshape(-1)[:CHECKED] - want)) / scale / np.finfo(job.x.dtype).eps
        if not error <= TOLERANCE:
            return f"error of {error:.3g} units, tolerance {TOLERANCE}"
    return ""
