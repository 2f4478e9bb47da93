"""Translate formulas.py into Python that Numba compiles for a GPU.

Usage: python generate_gpu.py formulas.py vecmath.h OUTPUT

Design:
- Loops are `while`: for a `range` Numba divides first, to know how often it will go round.
- A function of the table becomes a scalar function and, by storage width, kernels around it: loops
  over memory cannot be written once for one, two or three arrays, for Numba compiles no *args.
- The polynomials are read out of vecmath.h, the one place that has their coefficients.
- Every name that is not Python's comes in as an argument of `build`: the text imports nothing, and
  the types in memory, of the arithmetic and of indices are among those names: `storage`, `real`
  and `index`.
"""

import ast
import re
import sys
from collections.abc import Callable
from pathlib import Path

from generate import OPERATORS, Formulas, Function, Refused, fused, read, table

WIDTHS = (2, 4, 8)  # elements of 16 bytes
AXES = ("a", "b", "c", "d")
PAIR = ("high", "low")  # of a compensated sum


def expression(node: ast.expr) -> str:
    match fused(node):
        case ast.Constant(value=value):
            return f"real({float(value)!r})"
        case ast.Name(id=name):
            return name
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            return f"divide({expression(left)}, {expression(right)})"
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


def variables(function: Function) -> list[str]:
    return [name for name in function.body.inputs if name != "g"]


def has_factor(function: Function) -> bool:
    """Whether all outputs are multiplied by g."""
    return "g" in function.body.inputs


def operands(function: Function) -> list[str]:
    """Inputs as a kernel calls them: a parameter may have any name, so one of an index as well."""
    return [operand(name) for name in function.body.inputs]


def operand(name: str) -> str:
    return name if name in ("g", "x") else f"p_{name}"


def outputs(function: Function) -> list[str]:
    return [f"out{i}" for i in range(len(function.body.outputs))]


def scalar(function: Function) -> list[str]:
    """One element, without its factor."""
    body = function.body
    results = [o.right if has_factor(function) else o for o in body.outputs]
    return [
        "@inline",
        f"def {function.name}_element({listed(variables(function))}):",
        *(
            f"    {name} = {expression(body.assignments[name])}"
            for name in body.needed(results, set())
        ),
        f"    return {listed([expression(result) for result in results])}",
    ]


def call(function: Function, read: Callable[[str], str], targets: list[str]) -> str:
    values = [read(operand(name)) for name in variables(function)]
    return f"{listed(targets)} = {function.name}_element({listed(values)})"


def element(function: Function, read: Callable[[str], str], targets: list[str]) -> list[str]:
    """One element with its factor, which is read last: it would hold a register all the while."""
    lines = [call(function, read, targets)]
    if has_factor(function):
        lines += [f"factor = {read('g')}", *(f"{target} = factor * {target}" for target in targets)]
    return lines


def flat(function: Function, width: int, shared: bool) -> list[str]:
    """Contiguous arrays; `shared`: each parameter is one number."""
    inputs, outs = operands(function), outputs(function)
    arrays = [name for name in inputs if not shared or name in ("g", "x")]

    def lanes(name: str) -> list[str]:
        return [f"{name}_{j}" for j in range(width)]

    def load(name: str) -> str:
        return f"{listed(lanes(name))} = load({name}, {width} * i)"

    def at(place: str) -> Callable[[str], str]:
        return lambda name: f"real({name}{place})" if name in arrays else name

    loop = [load(name) for name in arrays if name != "g"]
    loop += [call(function, at(f"_{j}"), [f"{out}_{j}" for out in outs]) for j in range(width)]
    if has_factor(function):
        loop.append(load("g"))
        loop += [f"{one} = real(g_{j}) * {one}" for out in outs for j, one in enumerate(lanes(out))]
    loop += [f"store({out}, {width} * i, ({listed(lanes(out))}))" for out in outs]
    name = f"{function.name}_{'shared' if shared else 'full'}_{width}"
    return [
        f"def {name}({listed(['n', *inputs, *outs])}):",
        "    i, step = cuda.grid(1), cuda.gridsize(1)",
        f"    while i < n // {width}:",
        *indented(loop, 2),
        "        i += step",
        f"    i = n - n % {width} + cuda.grid(1)",
        "    while i < n:",
        *indented(element(function, at("[i]"), [f"{out}_0" for out in outs]), 2),
        *(f"        {out}[i] = storage({out}_0)" for out in outs),
        "        i += step",
    ]


def split(value: str, axes: tuple[str, ...]) -> list[str]:
    """Divide a number by the lengths of axes of x, the last one running fastest."""
    lines = [f"rest = {value}"]
    for axis in reversed(axes[1:]):
        size = f"x.shape[{AXES.index(axis)}]"
        lines += [f"{axis} = index(rest % {size})", f"rest = rest // {size}"]
    return [*lines, f"{axes[0]} = index(rest)"]


def steps(axes: tuple[str, ...]) -> list[str]:
    """What a grid advances along each axis: arguments, for a constant takes no register."""
    return [f"step_{axis}" for axis in axes]


def advance(axes: tuple[str, ...]) -> list[str]:
    """Add the steps to what `split` made: divisions would take most of a loop's time.

    Numba makes 64 bits of any sum of integers, so that each is brought back to its type.
    """
    lines = []
    for axis in reversed(axes):
        lines.append(f"{axis} = index({axis} + step_{axis})")
        if axis != axes[0]:
            before = axes[axes.index(axis) - 1]
            lines += [
                f"if {axis} >= {length(axis)}:",
                f"    {axis} = index({axis} - {length(axis)})",
                f"    {before} = index({before} + 1)",
            ]
    return lines


def length(axis: str) -> str:
    return f"index(x.shape[{AXES.index(axis)}])"


def indented(lines: list[str], steps: int) -> list[str]:
    return ["    " * steps + line for line in lines]


def strided(name: str) -> str:
    return f"real(get({name}, {listed(list(AXES))}))"


def walk(function: Function) -> list[str]:
    """Arrays of four axes and any strides."""
    inputs, outs = operands(function), outputs(function)
    at = listed(list(AXES))
    return [
        f"def {function.name}_walk({listed([*steps(AXES), *inputs, *outs])}):",
        *indented(split("cuda.grid(1)", AXES), 1),
        f"    while a < {length('a')}:",
        *indented(element(function, strided, [f"{out}_0" for out in outs]), 2),
        *(f"        put({out}, {at}, {out}_0)" for out in outs),
        *indented(advance(AXES), 2),
    ]


def reduce(function: Function) -> list[str]:
    """The gradient of x, and sums of the others: over the last two axes, for each of the first two.

    A block takes one sum, or a piece of it: it adds what its threads have summed, each in two
    numbers, and leaves one pair.
    """
    inputs, outs = operands(function), outputs(function)
    at = listed(list(AXES))
    sums = outs[1:]
    lines = [
        f"def {function.name}_reduce({listed([*steps(AXES[2:]), *inputs, *outs])}):",
        "    thread, slot, piece = cuda.threadIdx.x, cuda.blockIdx.x, cuda.blockIdx.y",
        *(f"    {out}_{part} = cuda.shared.array(THREADS, real)" for out in sums for part in PAIR),
        *(f"    {out}_high[thread] = {out}_low[thread] = real(0.0)" for out in sums),
        *indented([*split("slot", AXES[:2]), *split("piece * THREADS + thread", AXES[2:])], 1),
        f"    while c < {length('c')}:",
        *indented(element(function, strided, [f"{out}_0" for out in outs]), 2),
        f"        put(out0, {at}, out0_0)",
        *(f"        {added(out, f'{out}_0')}" for out in sums),
        *indented(advance(AXES[2:]), 2),
        "    half = THREADS // 2",
        "    while half > 0:",
        "        cuda.syncthreads()",
        "        if thread < half:",
    ]
    for out in sums:
        lines += [
            f"            {added(out, f'{out}_high[thread + half]')}",
            f"            {out}_low[thread] += {out}_low[thread + half]",
        ]
    lines += ["        half //= 2", "    if thread == 0:"]
    for out in sums:
        lines += [f"        {out}[slot, piece, {i}] = {out}_{p}[0]" for i, p in enumerate(PAIR)]
    return lines


def added(out: str, term: str) -> str:
    """Add a number to a thread's sum, which is two numbers in memory: registers are scarce."""
    pair = listed([f"{out}_{part}[thread]" for part in PAIR])
    return f"{pair} = add({pair}, {term})"


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
    return ["fma", "divide", "add", *sorted(called - {"abs"})]


HORNER = re.compile(
    r"(?:static inline|S3S4_INLINE) (?P<type>float|double) s3s4_(?P<name>\w+)_f(?:32|64)\("
    r"[^{]*\{[^}]*?"
    r"(?P=type) p = (?P<first>\S+?)f?;(?P<rest>(?:\s+p = \w+\(p, \w+, \S+\);)+)"
    r"(?P<last>\s+return fmaf?\(p, \w+, 1\.0f?\);)?"
)


def polynomials(vecmath: str) -> list[str]:
    """The text of a function that makes every polynomial of vecmath.h for a type."""
    found: dict[str, dict[str, list[str]]] = {}
    for match in HORNER.finditer(vecmath):
        rest = re.findall(r", ([^,]+?)f?\);", match["rest"]) + ["0x1p0"] * bool(match["last"])
        found.setdefault(match["type"], {})[match["name"]] = [match["first"], *rest]
    lines = ["def polynomials(inline, real, fma, double):"]
    for kind, by_name in found.items():
        lines.append("    if double:" if kind == "double" else "    if not double:")
        for name, coefficients in by_name.items():
            constants = [f"{name}_{i}" for i in range(len(coefficients))]
            lines += [
                f"        {constant} = real(float.fromhex({digits!r}))"
                for constant, digits in zip(constants, coefficients, strict=True)
            ]
            lines += ["", "        @inline", f"        def {name}(t):"]
            lines.append(f"            p = {constants[0]}")
            lines += [f"            p = fma(p, t, {constant})" for constant in constants[1:]]
            lines += ["            return p", ""]
    return [*lines, "    return locals()"]


def module(functions: list[Function], vecmath: str) -> str:
    lines = [
        '"""The kernels of a GPU, generated from formulas.py: `build` makes those of one type."""',
        "",
        "",
        *polynomials(vecmath),
        "",
        "",
        "def build(module, inline, storage, real, index, access, primitives, THREADS):",
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


def main(source: str, vecmath: str, output: str) -> None:
    functions = table(Formulas(read(source)))
    Path(output).write_text(module(functions, Path(vecmath).read_text()))


if __name__ == "__main__":
    main(*sys.argv[1:])
