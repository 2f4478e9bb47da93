"""NumPy and SciPy, from the definition or with what they have of their own."""

from collections.abc import Callable
from dataclasses import fields, replace
from functools import cache, partial
from typing import Any

import numpy as np

from contenders.expressions import bind
from definitions import NUMPY, Array, Definitions
from job import Job, parameters

OWN: dict[str, Callable[..., Any]] = {
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "hardtanh": np.clip,
    "hardsigmoid": lambda x: np.clip(x + 3, 0, 6) / 6,
    "hardswish": lambda x: x * np.clip(x + 3, 0, 6) / 6,
}


def plain(job: Job) -> Callable[[], Any]:
    """Prepare the job with NumPy alone."""
    formula = OWN.get(job.quantity) or NUMPY.formula(job.quantity)
    return bind(formula, job.quantity, job.x, job.grad)


def with_scipy(job: Job) -> Callable[[], Any]:
    """Prepare the job with SciPy's sigmoid and normal distribution."""
    from scipy.special import expit, log_expit, ndtr

    if job.quantity == "logsigmoid":
        return partial(log_expit, job.x)
    if not used(job.quantity) & {"sigmoid", "ndtr"}:
        raise NotImplementedError("adds nothing to NumPy")
    formulas = replace(NUMPY, sigmoid=expit, ndtr=ndtr)
    return bind(formulas.formula(job.quantity), job.quantity, job.x, job.grad)


@cache
def used(quantity: str) -> set[str]:
    """Return which functions of a library the definition of a quantity takes."""
    found = set()

    def noted(name: str) -> Callable[..., Array]:
        def call(*arguments: Any) -> Array:
            found.add(name)
            return np.ones(1) if name == "ndtr" else getattr(NUMPY, name)(*arguments)

        return call

    library = Definitions(**{field.name: noted(field.name) for field in fields(Definitions)})
    formula, values = library.formula(quantity), parameters(quantity)
    x = np.ones(1)
    formula(*((x, x) if quantity == "s4_backward" else (x,)), *values)
    return found
