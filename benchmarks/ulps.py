"""How wrong a contender is, beside the time that it takes.

Design: over one fixed sample, uniform on [-12, 12], against 50 digits. An error counts in units in
the last place of the exact result, where that is a normal number, and once more in eps of the sum
of its terms' absolute values, which is what this package bounds: where terms cancel, a result may
be many units wrong and yet as good as its input.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

import oracle
from contenders import CONTENDERS
from job import Array, Job, parameters, split

SAMPLE = 1000


@dataclass(frozen=True)
class Error:
    """The largest error: in units in the last place, and in eps of the sum of terms."""

    ulp: float
    terms: float

    def __str__(self) -> str:
        return f"{self.ulp:.2g} ulp, {self.terms:.2g} eps of the terms"


@cache
def exactly(quantity: str, dtype: str) -> oracle.Exact:
    """Return the exact results for the sample, and the size of their terms."""
    name, what = split(quantity)
    x = Job.make(quantity, dtype, SAMPLE).x
    return oracle.exact(name, "x" if what == "dx" else None, x, *parameters(quantity))


@cache
def error(contender: str, quantity: str, dtype: str) -> Error:
    """Measure a contender; NotImplementedError if it lacks the function."""
    job = Job.make(quantity, dtype, SAMPLE)
    got = np.asarray(CONTENDERS[contender].prepare(job)())
    return compared(got, exactly(quantity, dtype))


def compared(got: Array, exact: oracle.Exact) -> Error:
    """Compare results with exact ones in long double."""
    info = np.finfo(got.dtype)
    difference = abs(got - exact.high)
    is_normal = abs(exact.high) >= info.tiny
    unit = np.spacing(abs(exact.high[is_normal]).astype(got.dtype)).astype(np.longdouble)
    # As in the bound: eps of the sum of terms, and the smallest normal number.
    terms = np.maximum(difference - info.tiny, 0) / (info.eps * exact.size)
    return Error(float(np.max(difference[is_normal] / unit)), float(np.max(terms)))
