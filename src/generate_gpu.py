"""Translate formulas.py into Python that Numba compiles for a GPU.

Usage: python generate_gpu.py formulas.py OUTPUT

Design:
- A function of the table becomes a scalar function and, by storage width, kernels around it: loops
  over memory cannot be written once for one, two or three arrays, for Numba compiles no *args.
- Every name that is not Python's comes in as an argument of `build`: the text imports nothing, and
  the types in memory and of the arithmetic are two of those names, `storage` and `real`.
"""

import ast
import sys
from pathlib import Path

from generate import OPERATORS, Formulas, Function, Refused, fused, table

WIDTHS = (2, 4, 8)  # elements of 16 bytes
AXES = ("a", "b", "c", "d")


def expression(node: ast.expr) -> str:
    match fused(node):
        case ast.Constant(value=value):
            return f"real({float(value)!r})"
        case ast.Name(id=name):
            return name
        case ast.BinOp(left=left, op=op, right=right):
            return f"({expression(left)} {OPERATORS[type(op)]} {expression(right)})"
        case ast.UnaryOp(operand=operand):
            return f"(-{expression(operand)})"
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return f"({expression(left)} {OPERATORS[type(op)]} {expression(right)})"
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return f"({expression(body)} if {expression(test)} else {expression(orelse)})"
        case ast.Call(func=ast.Name(id=name), args=args):
            return f"{name}({', '.join(map(expression, args))})"
    raise Refused(node, f"cannot translate {type(node).__name__}")


def listed(items: list[str]) -> str:
    """As a target or a value that is a tuple only where there are several."""
    return ", ".join(items)


def scalar(function: Function) -> list[str]:
    body = function.body
    return [
        "@inline",
        f"def {function.name}({listed(body.inputs)}):",
        *(
            f"    {name} = {expression(body.assignments[name])}"
            for name in body.needed(body.outputs, set())
        ),
        f"    return {listed([expression(output) for output in body.outputs])}",
    ]


def outputs(function: Function) -> list[str]:
    return [f"out{i}" for i in range(len(function.body.outputs))]


def call(function: Function, values: list[str], targets: list[str]) -> str:
    return f"{listed(targets)} = {function.name}({listed(values)})"


def flat(function: Function, width: int, shared: bool) -> list[str]:
    """Contiguous arrays; `shared`: each parameter is one number."""
    inputs, outs = function.body.inputs, outputs(function)
    arrays = [name for name in inputs if not shared or name in ("g", "x")]

    def lane(names: list[str], index: int) -> list[str]:
        return [f"{name}_{index}" for name in names]

    def values(form: str) -> list[str]:
        return [f"real({n}{form})" if n in arrays else n for n in inputs]

    name = f"{function.name}_{'shared' if shared else 'full'}_{width}"
    return [
        f"def {name}({listed(['n', *inputs, *outs])}):",
        "    start, step = cuda.grid(1), cuda.gridsize(1)",
        f"    for i in range(start, n // {width}, step):",
        *(
            f"        {listed([f'{n}_{j}' for j in range(width)])} = load({n}, {width} * i)"
            for n in arrays
        ),
        *(f"        {call(function, values(f'_{j}'), lane(outs, j))}" for j in range(width)),
        *(
            f"        store({out}, {width} * i, ({listed([f'{out}_{j}' for j in range(width)])}))"
            for out in outs
        ),
        f"    for i in range(n - n % {width} + start, n, step):",
        f"        {call(function, values('[i]'), lane(outs, 0))}",
        *(f"        {out}[i] = storage({out}_0)" for out in outs),
    ]


def split(value: str, axes: tuple[str, ...], prefix: str = "") -> list[str]:
    """Divide a number by the lengths of axes of x, the last one running fastest."""
    lines = [f"rest = {value}"]
    for axis in reversed(axes[1:]):
        length = f"x.shape[{AXES.index(axis)}]"
        lines += [f"{prefix}{axis} = rest % {length}", f"rest = rest // {length}"]
    return [*lines, f"{prefix}{axes[0]} = rest"]


def advance(axes: tuple[str, ...]) -> list[str]:
    """Add a step to what `split` made of an index: divisions of 64 bits would take a loop's time."""
    lines = []
    for axis in reversed(axes):
        lines.append(f"{axis} += step_{axis}")
        if axis != axes[0]:
            length = f"x.shape[{AXES.index(axis)}]"
            before = axes[axes.index(axis) - 1]
            lines += [f"if {axis} >= {length}:", f"    {axis} -= {length}", f"    {before} += 1"]
    return lines


def indented(lines: list[str], steps: int) -> list[str]:
    return ["    " * steps + line for line in lines]


def walk(function: Function) -> list[str]:
    """Arrays of four axes and any strides."""
    inputs, outs = function.body.inputs, outputs(function)
    at = listed(list(AXES))
    values = [f"real(get({name}, {at}))" for name in inputs]
    return [
        f"def {function.name}_walk({listed(['n', *inputs, *outs])}):",
        "    start, step = cuda.grid(1), cuda.gridsize(1)",
        *indented([*split("start", AXES), *split("step", AXES, "step_")], 1),
        "    for _ in range(start, n, step):",
        f"        {call(function, values, [f'{out}_0' for out in outs])}",
        *(f"        put({out}, {at}, {out}_0)" for out in outs),
        *indented(advance(AXES), 2),
    ]


def reduce(function: Function) -> list[str]:
    """The gradient of x, and sums of the others: over the last two axes, for each of the first two.

    A block adds what its threads have summed, each in two numbers, and leaves one pair.
    """
    inputs, outs = function.body.inputs, outputs(function)
    at = listed(list(AXES))
    values = [f"real(get({name}, {at}))" for name in inputs]
    sums = outs[1:]
    lines = [
        f"def {function.name}_reduce({listed(['kept', 'summed', *inputs, *outs])}):",
        "    thread, piece, pieces = cuda.threadIdx.x, cuda.blockIdx.y, cuda.gridDim.y",
        "    high = cuda.shared.array(THREADS, real)",
        "    low = cuda.shared.array(THREADS, real)",
        "    start, step = piece * THREADS + thread, pieces * THREADS",
        *indented(split("step", AXES[2:], "step_"), 1),
        "    for slot in range(cuda.blockIdx.x, kept, cuda.gridDim.x):",
        *indented([*split("slot", AXES[:2]), *split("start", AXES[2:])], 2),
        *(f"        {out}_high = {out}_low = real(0.0)" for out in sums),
        "        for _ in range(start, summed, step):",
        f"            {call(function, values, [f'{o}_0' for o in outs])}",
        f"            put(out0, {at}, out0_0)",
    ]
    for out in sums:
        lines.append(f"            {out}_high, {out}_low = add({out}_high, {out}_low, {out}_0)")
    lines += indented(advance(AXES[2:]), 3)
    for out in sums:
        lines += [
            f"        high[thread] = {out}_high",
            f"        low[thread] = {out}_low",
            "        cuda.syncthreads()",
            "        half = THREADS // 2",
            "        while half > 0:",
            "            if thread < half:",
            "                both, left = add(high[thread], low[thread], high[thread + half])",
            "                high[thread] = both",
            "                low[thread] = left + low[thread + half]",
            "            cuda.syncthreads()",
            "            half //= 2",
            "        if thread == 0:",
            f"            {out}[slot, piece, 0] = high[0]",
            f"            {out}[slot, piece, 1] = low[0]",
            "        cuda.syncthreads()",
        ]
    return lines


TOTAL = """\
def total(n, partial, result):
    for slot in range(cuda.grid(1), n, cuda.gridsize(1)):
        high = low = real(0.0)
        for piece in range(partial.shape[1]):
            high, low = add(high, low, partial[slot, piece, 0])
            low += partial[slot, piece, 1]
        # Where the sum is infinite the rest is NaN.
        result[slot] = storage(high + low if high - high == real(0.0) else high)
"""


def primitives(functions: list[Function]) -> list[str]:
    """What the functions call, but for Python's own abs."""
    called = {
        node.func.id
        for function in functions
        for expression in (*function.body.assignments.values(), *function.body.outputs)
        for node in ast.walk(expression)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    return ["fma", "add", *sorted(called - {"abs"})]


def module(functions: list[Function]) -> str:
    lines = [
        '"""The kernels of a GPU, generated from formulas.py: `build` makes those of one type."""',
        "",
        "",
        "def build(module, inline, storage, real, access, primitives, THREADS):",
        "    # The simulator looks for the module among a kernel's globals.",
        "    global cuda",
        "    cuda = module",
        *(f"    {name} = access[{name!r}]" for name in ("load", "store", "get", "put")),
        *(f"    {name} = primitives[{name!r}]" for name in primitives(functions)),
        "",
        *indented(TOTAL.splitlines(), 1),
    ]
    for function in functions:
        parameters = set(function.body.inputs) - {"g", "x"}
        texts = [scalar(function), walk(function)]
        for width in WIDTHS:
            texts.append(flat(function, width, shared=True))
            if parameters:
                texts.append(flat(function, width, shared=False))
        if not function.public and len(function.body.outputs) > 1:
            texts.append(reduce(function))
        for text in texts:
            lines += ["", *(f"    {line}" for line in text)]
    return "\n".join([*lines, "", "    return locals()", ""])


def main(source: str, output: str) -> None:
    Path(output).write_text(module(table(Formulas(Path(source).read_text()))))


if __name__ == "__main__":
    main(*sys.argv[1:])
