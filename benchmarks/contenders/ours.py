"""s3s4 itself."""

from collections.abc import Callable
from functools import partial
from typing import Any

import s3s4
from contenders.expressions import bind
from job import Job, split

METHODS = {
    "": "__call__",
    "dx": "derivative",
    "value_dx": "value_and_derivative",
    "backward": "backward",
}


def fresh(job: Job) -> Callable[[], Any]:
    """Prepare the job with an output of its own in every call, as most programs do."""
    name, what = split(job.quantity)
    formula = getattr(s3s4.activations[name], METHODS[what])
    return bind(formula, job.quantity, job.x, job.grad)


def into_out(job: Job) -> Callable[[], Any]:
    """Prepare the job with the output given, where there is an argument for it."""
    match split(job.quantity)[1]:
        case "backward":
            return fresh(job)
        case "value_dx":
            return partial(fresh(job), out=job.out)
        case _:
            return partial(fresh(job), out=job.out[0])
