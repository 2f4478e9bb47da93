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


def index(names: str = "i", axes: tuple[str, ...] = AXES, array: str = "x") -> list[str]:
    """Split a flat index of the shape of an array into its axes, the last one running fastest."""
    lines = []
    for position in range(len(AXES) - 1, len(AXES) - len(axes), -1):
        lines += [
            f"{AXES[position]} = {names} % {array}.shape[{position}]",
            f"{names} = {names} // {array}.shape[{position}]",
        ]
    return [*lines, f"{axes[0]} = {names}"]


def walk(function: Function) -> list[str]:
    """Arrays of four axes and any strides."""
    inputs, outs = function.body.inputs, outputs(function)
    at = f"[{listed(list(AXES))}]"
    return [
        f"def {function.name}_walk({listed(['n', *inputs, *outs])}):",
        "    for flat in range(cuda.grid(1), n, cuda.gridsize(1)):",
        "        i = flat",
        *(f"        {line}" for line in index()),
        f"        {call(function, [f'real({n}{at})' for n in inputs], [f'{o}_0' for o in outs])}",
        *(f"        {out}{at} = storage({out}_0)" for out in outs),
    ]


def reduce(function: Function) -> list[str]:
    """The gradient of x, and sums of the others: over the last two axes, for each of the first two.

    A block adds what its threads have summed, each in two numbers, and leaves one pair.
    """
    inputs, outs = function.body.inputs, outputs(function)
    at = f"[{listed(list(AXES))}]"
    values = [f"real({name}{at})" for name in inputs]
    sums = outs[1:]
    lines = [
        f"def {function.name}_reduce({listed(['kept', 'summed', *inputs, *outs])}):",
        "    thread, piece, pieces = cuda.threadIdx.x, cuda.blockIdx.y, cuda.gridDim.y",
        "    high = cuda.shared.array(THREADS, real)",
        "    low = cuda.shared.array(THREADS, real)",
        "    for slot in range(cuda.blockIdx.x, kept, cuda.gridDim.x):",
        "        a, b = slot // x.shape[1], slot % x.shape[1]",
        *(f"        {out}_high = {out}_low = real(0.0)" for out in sums),
        "        for j in range(piece * THREADS + thread, summed, pieces * THREADS):",
        "            c, d = j // x.shape[3], j % x.shape[3]",
        f"            {call(function, values, [f'{o}_0' for o in outs])}",
        f"            out0{at} = storage(out0_0)",
    ]
    for out in sums:
        lines.append(f"            {out}_high, {out}_low = add({out}_high, {out}_low, {out}_0)")
    for out in sums:
        lines += [
            f"        high[thread] = {out}_high",
            f"        low[thread] = {out}_low",
            "        cuda.syncthreads()",
            "        half = THREADS // 2",
            "        while half > 0:",
            "            if thread < half:",
            "                total, rest = add(high[thread], low[thread], high[thread + half])",
            "                high[thread] = total",
            "                low[thread] = rest + low[thread + half]",
            "            cuda.syncthreads()",
            "            half //= 2",
            "        if thread == 0:",
            f"            {out}[slot, piece, 0] = high[0]",
            f"            {out}[slot, piece, 1] = low[0]",
            "        cuda.syncthreads()",
        ]
    return lines


def module(functions: list[Function]) -> str:
    lines = [
        '"""The kernels of a GPU, generated from formulas.py: `build` makes those of one type."""',
        "",
        "",
        "def build(module, inline, storage, real, load, store, primitives, THREADS):",
        "    # The simulator looks for the module among a kernel's globals.",
        "    global cuda",
        "    cuda = module",
        "    fma, add, exp_neg, scaled_exp_neg_product, unscaled, finite = primitives",
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
