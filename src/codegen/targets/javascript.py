"""Functions of one number in JavaScript: what the explorer of the documentation computes with.

Design:
- The primitives are docs/explorer/primitives.js; what that has not got is refused.
- Values and first derivatives of elements: pages draw curves, and need no gradients or rows.
"""

import json
import re
from pathlib import Path

from codegen.family import Activation, Family
from codegen.ir import Function
from codegen.text import Language, Writer, infix

PRIMITIVES = Path(__file__).parents[3] / "docs" / "explorer" / "primitives.js"
JAVASCRIPT = Language(
    infix(
        fma="({} * {} + {})",
        select="({} ? {} : {})",
        eq="({} === {})",
        ne="({} !== {})",
    ),
    number=lambda digits: {"nan": "NaN", "inf": "Infinity"}.get(digits, repr(float(digits))),
    call=lambda op: f"primitives.{op}",
)
TAKEN = ["primitives", "activations", "let", "var", "new", "in", "of", "function", "delete"]


def module(family: Family) -> str:
    """`activations`: of each its documentation, parameters, value and derivatives, by name."""
    text = ",\n".join(map(activation, family.activations))
    known = {*re.findall(r"^  (\w+)\(", PRIMITIVES.read_text(), re.MULTILINE)}
    for missing in sorted({*re.findall(r"\bprimitives\.(\w+)", text)} - known):
        raise SystemExit(f"docs/explorer/primitives.js has no primitive {missing}")
    return f"export const activations = {{\n{text},\n}};\n"


def activation(one: Activation) -> str:
    derivatives = ",\n".join(f"{by}: {arrow(f)}" for by, f in one.derivatives.items())
    return (
        f"{one.name}: {{\n"
        f"doc: {json.dumps(one.value.doc)},\n"
        f"parameters: {json.dumps(dict(one.defaults))},\n"
        f"value: {arrow(one.value)},\n"
        f"derivatives: {{\n{derivatives},\n}},\n}}"
    )


def arrow(function: Function) -> str:
    writer = Writer(function, JAVASCRIPT, TAKEN, inputs="{}_")
    lines = [f"const {name} = {text};" for name, text in writer.assignments(function.nodes)]
    lines.append(f"return {writer.text(function.outputs[0])};")
    inputs = ", ".join(f"{name}_" for name in function.inputs)
    return "\n".join([f"({inputs}) => {{", *lines, "}"])
