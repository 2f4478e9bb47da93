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


def tree(quantity: str, dtype: np.dtype) -> ExpressionNode:
    """Return the expression of a quantity that has none above: that of the definitions."""

    def constant(number: Any) -> ExpressionNode:
        # A Python number would make a double of every float beside it.
        return number if isinstance(number, ExpressionNode) else ConstantNode(dtype.type(number))

    def clip(x: Any, low: float, high: float) -> Any:
        # Its minimum and maximum make doubles of floats.
        return where(x < constant(high), where(x > constant(low), x, constant(low)), constant(high))

    where = functions["where"]
    library = Definitions(
        sigmoid=lambda x: 1 / (1 + functions["exp"](-x)),
        where=where,
        choose=lambda condition, one, other, x: where(condition, constant(one), constant(other)),
        clip=clip,
        constant=constant,
        absolute=functions["abs"],
        **{name: functions[name] for name in ("exp", "expm1", "log1p", "tanh")},
    )
    x = VariableNode("x", "float" if dtype == np.float32 else "double")
    return getattr(library, quantity)(x, *parameters(quantity))


def prepare(job: Job) -> Callable[[], Any]:
    """Prepare the job with the output given."""
    numexpr.set_num_threads(threads.limit())
    values = {"x": job.x, "g": job.grad, "k": np.array(K, job.x.dtype)}
    kind = numexpr.necompiler.getType(job.x)
    calls = []
    expressions = EXPRESSIONS.get(job.quantity) or (tree(job.quantity, job.x.dtype),)
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
