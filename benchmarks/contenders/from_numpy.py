"""NumPy and SciPy, from the definition."""

from collections.abc import Callable
from typing import Any

from contenders.expressions import bind
from definitions import NUMPY, Definitions
from job import Job


def plain(job: Job) -> Callable[[], Any]:
    """Prepare the job with NumPy alone."""
    return bind(getattr(NUMPY, job.quantity), job.quantity, job.x, job.grad)


def with_expit(job: Job) -> Callable[[], Any]:
    """Prepare the job with SciPy's sigmoid."""
    from scipy.special import expit

    formulas = Definitions(expit, NUMPY.where)
    return bind(getattr(formulas, job.quantity), job.quantity, job.x, job.grad)
