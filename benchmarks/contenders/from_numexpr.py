"""numexpr: the definition as one string, compiled to its virtual machine beforehand."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import numexpr
import numpy as np

import threads
from job import Job, K

SIGMOID = "1 / (1 + exp(-x))"
WEIGHT = "1 / (1 + exp(-k * x))"
SOFTSIGN = "x / (1 + abs(x))"
S4 = f"({WEIGHT}) * ({SOFTSIGN}) + (1 - {WEIGHT}) * ({SIGMOID})"
SLOPE = f"({WEIGHT}) * (1 - {WEIGHT}) * (({SOFTSIGN}) - ({SIGMOID}))"
S4_DX = (
    f"k * ({SLOPE}) + ({WEIGHT}) / (1 + abs(x)) ** 2"
    f" + (1 - {WEIGHT}) * ({SIGMOID}) * (1 - {SIGMOID})"
)

# The virtual machine evaluates a repeated sub-expression once, but has one output a call and no
# reduction below another operation.
EXPRESSIONS = {
    "s3": (f"where(x > 0, {SOFTSIGN}, {SIGMOID})",),
    "s4": (S4,),
    "s4_dx": (S4_DX,),
    "s4_value_dx": (S4, S4_DX),
    "s4_backward": (f"g * ({S4_DX})", f"sum(g * x * ({SLOPE}))"),
}


def prepare(job: Job) -> Callable[[], Any]:
    """Prepare the job with the output given."""
    numexpr.set_num_threads(threads.limit())
    values = {"x": job.x, "g": job.grad, "k": np.array(K, job.x.dtype)}
    kind = numexpr.necompiler.getType(job.x)
    calls = []
    for text, out in zip(EXPRESSIONS[job.quantity], job.out, strict=False):
        names = sorted(set(re.findall(r"\b[gkx]\b", text)))
        compiled = numexpr.NumExpr(text, [(name, kind) for name in names])
        arguments = [values[name] for name in names]
        keywords = {} if text.startswith("sum(") else {"out": out}
        keywords["ex_uses_vml"] = numexpr.use_vml
        calls.append(partial(compiled, *arguments, **keywords))
    if len(calls) == 1:
        return calls[0]
    return lambda: tuple(call() for call in calls)
