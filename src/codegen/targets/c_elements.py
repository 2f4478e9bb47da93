"""C99 of one element at a time, and what C makes of a node.

The text knows no type: it is included once for each, with S3S4_T the type, S3S4_K(name) the name
with its suffix, and S3S4_L(digits) a constant, or a float loop would be computed in double.
"""

from collections.abc import Sequence

from codegen.ir import Function, Node
from codegen.text import Language, Writer, infix

TYPES = {"f32": "float", "f64": "double", "ld": "long double"}
SUFFIX = {"f32": "f", "f64": "", "ld": "L"}
"""Of constants."""
BLOCKS = ("f32", "f64")
"""Types that have block functions: no processor has vectors of the third."""
MACROS = ("far", "near", "small")
"""Names that windows.h defines away, for whoever includes it first."""
TAKEN = (*MACROS, "i", "in", "m", "n", "out", "start")
"""Names of the generated functions' own."""


class OfC(Language):
    """A selection that is a minimum or a maximum says so: it is one instruction."""

    def written(self, node: Node, arguments: list[str]) -> str:
        if node.op == "select" and node.args[0].op in ("lt", "gt"):
            test, *sides = node.args
            if {*sides} == {*test.args} and not all(side.leaves for side in sides):
                is_lesser = (test.op == "lt") == (sides[0] is test.args[0])
                texts = [
                    text if side.leaves else f"S3S4_K(s3s4_variable)({text})"
                    for side, text in zip(sides, arguments[1:], strict=True)
                ]
                return f"S3S4_K(s3s4_{'lesser' if is_lesser else 'greater'})({', '.join(texts)})"
        return super().written(node, arguments)


C = OfC(
    infix(select="({} ? {} : {})"),
    number=lambda digits: f"S3S4_L({digits})",
    call=lambda op: f"S3S4_K(s3s4_{op})",
)


def included(header: str, kind: str) -> str:
    """A header of this kind of text, for one type."""
    return "\n".join([
        f"#define S3S4_T {TYPES[kind]}",
        f"#define S3S4_K(name) name##_{kind}",
        f"#define S3S4_L(digits) digits{'##' if SUFFIX[kind] else ''}{SUFFIX[kind]}",
        f"#define S3S4_IS_BLOCKED {int(kind in BLOCKS)}",
        f'#include "{header}"',
        *(f"#undef S3S4_{name}" for name in ("T", "K", "L", "IS_BLOCKED")),
    ])  # fmt: skip


def element(function: Function, on_vectors: Sequence[tuple[str, str]] = ()) -> str:
    """One element: a single output is returned, several go through pointers.

    Where block functions are made of vectors, so are these, for the same bits.
    """
    writer = Writer(function, C, TAKEN)
    steps = writer.assignments(function.nodes)
    values = [writer.text(output) for output in function.outputs]
    used = {node.text for node in function.nodes if node.op == "input"}
    arguments = [f"S3S4_T {name}" for name in function.inputs]
    returns = "S3S4_T" if len(values) == 1 else "void"
    if len(values) > 1:
        arguments += [f"S3S4_T *out{i}" for i in range(len(values))]
    lines = [
        *(f"(void){name};" for name in function.inputs if name not in used),
        *(f"const S3S4_T {name} = {text};" for name, text in steps),
        *results(values),
    ]
    if on_vectors:
        firsts = [f"S3S4_K(s3s4_v_first)({name})" for name, _ in on_vectors[-len(values) :]]
        lines = [
            "#if S3S4_VECTORS && S3S4_IS_BLOCKED",
            *(f"const S3S4_K(s3s4_v) {name} = {text};" for name, text in on_vectors),
            *results(firsts),
            "#else",
            *lines,
            "#endif",
        ]
    head = f"static inline {returns} S3S4_K(s3s4_{function.name})({', '.join(arguments)}) {{"
    return "\n".join([head, *(line if line[0] == "#" else f"    {line}" for line in lines), "}"])


def results(values: Sequence[str]) -> list[str]:
    """A value that is returned, or several that are stored when all are known."""
    if len(values) == 1:
        return [f"return {values[0]};"]
    return [
        *(f"const S3S4_T value{i} = {value};" for i, value in enumerate(values)),
        *(f"*out{i} = value{i};" for i in range(len(values))),
    ]
