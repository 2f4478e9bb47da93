"""_formulas_gpu.py: the functions of one element as Python, which Numba compiles for a GPU.

Design:
- A function of the table is what each element of it takes; loops over memory are made around it
  when a kernel is first launched, by s3s4/_gpu/loops.py.
- Every name that is not Python's comes in as an argument of `elements`: the text imports nothing,
  and the type of the arithmetic, `real`, is among those names.
- A primitive that the GPU has not got is refused: its kernels would fail at their first launch.
- Products say whether their factor is a number, what the parameters decide, or an element's own:
  the second are as the first where a launch knows that its parameters are usual numbers.
"""

import ast
from dataclasses import replace
from pathlib import Path

from codegen.family import Family
from codegen.ir import ARITHMETIC, Function
from codegen.passes import with_shared_factors
from codegen.targets.polynomials import for_python
from codegen.text import Language, Writer, infix

PRIMITIVES = Path(__file__).parents[3] / "s3s4" / "_gpu" / "primitives.py"
NUMBA = Language(
    infix(div="divide({}, {})", select="({1} if {0} else {2})"),
    number=lambda digits: f"real({float(digits)!r})",
    call=lambda op: op,
)
HEAD = '''\
"""The functions of a GPU, generated from src/formulas: `elements` makes those of one type."""


'''


def module(family: Family) -> str:
    called = used(family)
    parts = [
        HEAD,
        for_python(),
        "\n\ndef elements(inline, real, primitives):\n",
        *(f"    {name} = primitives[{name!r}]\n" for name in called),
        *(element(function, called) for function in family.functions),
        "\n    return locals()\n\n\n",
        "# The inputs of each function, and the number of its outputs.\nFUNCTIONS = {\n",
        *(f"    {f.name!r}: ({f.inputs!r}, {len(f.outputs)}),\n" for f in family.functions),
        "}\n",
        "SECOND_DERIVATIVES = frozenset({\n",
        *(f"    {f.name!r},\n" for f in family.functions if f.is_second),
        "})\n",
    ]
    return "".join(parts)


def element(function: Function, called: list[str]) -> str:
    """One element; of a backward function without its factor g, which a kernel reads last.

    A parameter may have any name, so one of a primitive as well.
    """
    if not function.is_public:
        without_factor = tuple(output.args[1] for output in function.outputs)
        function = replace(function, inputs=function.inputs[1:], outputs=without_factor)
    function = with_shared_factors(function)
    writer = Writer(function, NUMBA, [*called, "real"], inputs="p_{}")
    lines = [f"{name} = {text}" for name, text in writer.assignments(function.nodes)]
    lines.append(f"return {', '.join(map(writer.text, function.outputs))}")
    head = f"def {function.name}_element({', '.join(f'p_{name}' for name in function.inputs)}):"
    return "".join(["\n    @inline\n", f"    {head}\n", *(f"        {line}\n" for line in lines)])


def used(family: Family) -> list[str]:
    """The primitives that the functions call, and what their arithmetic is made of."""
    available = {"abs", *given(PRIMITIVES.read_text())}
    found: set[str] = set()
    for activation in family.activations:
        for function in (activation.value, *activation.derivatives.values()):
            nodes = with_shared_factors(function).nodes
            calls = {node.op for node in nodes if node.args} - (ARITHMETIC - {"fma"})
            for missing in sorted(calls - available):
                place = "s3s4/_gpu/primitives.py"
                family.formulas.refuse(function.name, f"{place} has no primitive {missing}")
            found |= calls
    return ["fma", "divide", *sorted(found - {"abs", "fma"})]


def given(text: str) -> list[str]:
    """The names that `primitives` returns, read without importing what needs Numba."""
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Return(value=ast.Dict(keys=keys)):
                return [str(key.value) for key in keys if isinstance(key, ast.Constant)]
    raise SystemExit(f"{PRIMITIVES} returns no primitives")
