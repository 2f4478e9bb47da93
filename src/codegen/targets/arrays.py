"""Expressions over whole arrays, for libraries with NumPy's names: torch, jax.numpy, keras.ops.

Design:
- The primitives become the library's own functions: their range and accuracy are that library's.
- Such libraries differentiate what is written here, and both sides of a selection: one that was not
  chosen must not be infinite or NaN, or its gradient, 0 times that, is NaN. (An infinite x may.)
- At 0, |x| is x: its slope there is 1, as the formulas choose x >= 0 with it. Where they choose
  x > 0, |x| on the other side is -x, and what they ask of a product, they ask of its factors.
- A selection takes x beside its sides, which may both be numbers, for their dtype.
- `np` is the first argument, as in textbook.py: an object of s3s4/_array_primitives.py. What that
  has not got is refused.
"""

import ast
import re
from pathlib import Path

from codegen.family import Family, table
from codegen.ir import Function, Node, number, read, walk
from codegen.passes import rewritten
from codegen.text import Language, Writer, infix
from formulas.coefficients import COEFFICIENTS

ARRAYS = Language(
    infix(
        fma="({} * {} + {})",
        select="np.where({}, {}, {}, x)",
        abs="np.abs({})",
        copysign="np.copysign({}, {})",
        finite="np.minimum({}, HUGE)",
        unless_nan="np.where(np.isnan({1}), {1}, {0}, x)",
        unscaled="({} * 2.0**-64)",
        unscaled_product="({} * {} * 2.0**-64)",
        within_exp="np.minimum({}, HUGE)",
        within_normal="np.minimum({}, HUGE)",
        exp_neg="np.exp(-({}))",
        expm1_neg="np.expm1(-({}))",
        log1p="np.log1p({})",
        scaled_exp_neg="(2.0**64 * np.exp(-({})))",
        scaled_exp_neg_half_square="(2.0**64 * np.exp(-0.5 * ({0} * {0})))",
        exp_neg_product="np.exp(-({} * {}))",
        scaled_exp_neg_product="(2.0**64 * np.exp(-({} * {})))",
        clip="np.clip({0}, -{1}, {1})",
        positive="np.where({0} > 0.0, {0}, 1.0, x)",
    ),
    number=lambda digits: repr(float(digits)),
    call=lambda op: f"np.{op}",
)
PRIMITIVES = Path(__file__).parents[3] / "s3s4" / "_array_primitives.py"
NAN, ZERO, X = number("nan"), number("0.0"), read("x")
DECAYING = {"unscaled", "exp_neg", "exp_neg_product", "scaled_exp_neg_product"}
KINKED = {"elu", "selu"}
"""Those whose slope at 0 is that of the left, although their value is taken from the right."""

MODULE = '''\
"""The activations, and g times their derivatives, over the arrays of a library. Generated.

``np`` is a `Primitives` of _array_primitives.py, which takes the polynomials below.
"""

# ruff: noqa
# mypy: ignore-errors

from math import nan

HUGE = 1e30
'''


def module(family: Family) -> str:
    """The same with `np` as an argument, and what it needs of coefficients.py."""
    parts = [MODULE]
    for name in ("tanh_ratio", "tail_ratio"):
        digits = [float.fromhex(one) for one in COEFFICIENTS[name]["f64"]]
        parts.append(f"{name.upper()} = {tuple(digits)!r}\n")
    text = functions(family)
    known = given(PRIMITIVES.read_text())
    for missing in sorted({*re.findall(r"\bnp\.(\w+)", text)} - known):
        raise SystemExit(f"s3s4/_array_primitives.py has no primitive {missing}")
    return "".join(parts) + "\n\n" + text


def given(text: str) -> set[str]:
    """The names that the class of that file has: its methods, and what it takes from a library."""
    names = set()
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.FunctionDef(name=name):
                names.add(name)
            case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()):
                names.add(name)
    return names


def functions(family: Family) -> str:
    """Each activation, and g times its derivatives."""
    parts = []
    for activation in family.activations:
        value, *_, backward = table(activation)
        if activation.name in KINKED:
            value = rewritten(value, left_at_zero)
        parts += [text(rewritten(one, differentiable)) for one in (value, backward)]
    return "\n\n".join(parts)


def left_at_zero(node: Node) -> Node:
    match node:
        case Node(op="ge", args=(one, zero)) if one is X and zero is ZERO:
            return Node("gt", X, ZERO)
    return node


def differentiable(node: Node) -> Node:
    """What has the slopes of the function everywhere, also on the side that is not chosen."""
    match node:
        case Node(op="div", args=(one, other)) if one is other:
            return NAN  # 0 / 0: as an operation, its slope would be NaN
        case Node(op="mul", args=(Node(op="abs") as size, factor)) if factor.op in DECAYING:
            return Node("mul", Node("finite", size), factor)
        case Node(op="lt", args=(Node(op="mul", args=(one, other)), zero)) if zero is ZERO:
            return Node("ne", Node("lt", one, ZERO), Node("lt", other, ZERO))
        case Node(op="gt", args=(Node(op="mul", args=(one, other)), zero)) if zero is ZERO:
            return Node("eq", Node("lt", one, ZERO), Node("lt", other, ZERO))
        case Node(op="copysign", args=(Node(op="div", args=(one, other)), sign)):
            if one.op == "expm1_neg":  # <= 0, and its slope is asked for at 0
                return Node("copysign", Node("div", Node("neg", one), other), sign)
        case Node(op="select", args=(Node(op="gt", args=(one, other)) as test, yes, no)):
            if one is X and other is ZERO:
                no = replaced(no, Node("abs", X), Node("left_abs", X))
                return Node("select", test, yes, no)
            if no is one and yes is other:  # the same where they meet: there it has no slope
                return Node("select", Node("ge", one, other), yes, no)
        case Node(op="select", args=(Node(op="lt", args=(one, other)), yes, no)) if (
            no is one and yes is other
        ):
            return Node("select", Node("le", one, other), yes, no)
        case Node(op="select", args=(Node(op="lt", args=(Node(op="abs"), most)) as test, yes, no)):
            width = Node("positive", most)
            inside = replaced(replaced(yes, most, width), X, Node("clip", X, width))
            return Node("select", test, inside, no)
    return node


def replaced(root: Node, old: Node, new: Node) -> Node:
    """The same with another node in place of one."""
    made: dict[Node, Node] = {}
    for node in walk([root]):
        args = (made[arg] for arg in node.args)
        made[node] = new if node is old else Node(node.op, *args, text=node.text)
    return made[root]


def text(one: Function) -> str:
    """One function over arrays."""
    writer = Writer(one, ARRAYS, ["np", "nan", "HUGE"])
    lines = [f"{name} = {text}" for name, text in writer.assignments(one.nodes)]
    lines.append(f"return {', '.join(map(writer.text, one.outputs))}")
    head = f"def {one.name}({', '.join(('np', *one.inputs))}):"
    return "\n    ".join([head, *lines]) + "\n"
