"""s3s4 itself."""

from collections.abc import Callable
from functools import partial
from typing import Any

import s3s4
from contenders.expressions import bind
from job import Job

FORMULAS: dict[str, Callable[..., Any]] = {
    "s3": s3s4.s3,
    "s4": s3s4.s4,
    "s4_dx": s3s4.s4.derivative,
    "s4_value_dx": s3s4.s4.value_and_derivative,
    "s4_backward": s3s4.s4.backward,
}


def fresh(job: Job) -> Callable[[], Any]:
    """Prepare the job with an output of its own in every call, as most programs do."""
    return bind(FORMULAS[job.quantity], job.quantity, job.x, job.grad)


def into_out(job: Job) -> Callable[[], Any]:
    """Prepare the job with the output given, where there is an argument for it."""
    match job.quantity:
        case "s4_backward":
            return fresh(job)
        case "s4_value_dx":
            return partial(fresh(job), out=job.out)
        case _:
            return partial(fresh(job), out=job.out[0])
