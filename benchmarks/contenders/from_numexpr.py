"""numexpr: the definition as one expression, compiled to its virtual machine beforehand."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import numexpr
import numpy as np
from numexpr.expressions import ConstantNode, ExpressionNode, VariableNode, functions

import threads
from definitions import Definitions
from job import Job, K, parameters

# The virtual machine evaluates a repeated sub-expression once, but has one output a call and no
# reduction below another operation.
SIGMOID = "1 / (1 + exp(-x))"
WEIGHT = "1 / (1 + exp(-k * x))"
SLOPE = f"({WEIGHT}) * (1 - {WEIGHT}) * (x / (1 + abs(x)) - {SIGMOID})"
S4_DX = (
    f"k * ({SLOPE}) + ({WEIGHT}) / (1 + abs(x)) ** 2"
    f" + (1 - {WEIGHT}) * ({SIGMOID}) * (1 - {SIGMOID})"
)
BACKWARD = (f"g * ({S4_DX})", f"sum(g * x * ({SLOPE}))")


def trees(quantity: str, dtype: np.dtype) -> tuple[ExpressionNode, ...]:
    """Return the expressions of a quantity as the definitions have them."""

    def constant(number: Any) -> ExpressionNode:
        # A Python number would make a double of every float beside it.
        return number if isinstance(number, ExpressionNode) else ConstantNode(dtype.type(number))

    where = functions["where"]
    library = Definitions(
        ones_like=lambda x: constant(1),
        where=where,
        choose=lambda condition, one, other, x: where(condition, constant(one), constant(other)),
        sigmoid=lambda x: 1 / (1 + functions["exp"](-x)),
        constant=constant,
        **{
            name: functions[name]
            for name in ("abs", "exp", "expm1", "log1p", "sin", "sqrt", "tanh")
        },
    )
    x = VariableNode("x", "float" if dtype == np.float32 else "double")
    found = library.formula(quantity)(x, *parameters(quantity))
    return found if isinstance(found, tuple) else (found,)


def prepare(job: Job) -> Callable[[], Any]:
    """Prepare the job with the output given."""
    numexpr.set_num_threads(threads.limit())
    values = {"x": job.x, "g": job.grad, "k": np.array(K, job.x.dtype)}
    kind = numexpr.necompiler.getType(job.x)
    calls = []
    backward = job.quantity == "s4_backward"
    expressions = BACKWARD if backward else trees(job.quantity, job.x.dtype)
    for expression, out in zip(expressions, job.out, strict=False):
        text = expression if isinstance(expression, str) else "x"
        names = sorted(set(re.findall(r"\b[gkx]\b", text)))
        compiled = numexpr.NumExpr(expression, [(name, kind) for name in names])
        arguments = [values[name] for name in names]
        keywords = {} if text.startswith("sum(") else {"out": out}
        keywords["ex_uses_vml"] = numexpr.use_vml
        calls.append(partial(compiled, *arguments, **keywords))
    if len(calls) == 1:
        return calls[0]
    return lambda: tuple(call() for call in calls)
