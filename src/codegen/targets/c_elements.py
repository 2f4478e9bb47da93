"""C99 of one element at a time, and what C makes of a node."""

from codegen.ir import Function
from codegen.text import Language, Writer, infix

TYPES = {"f32": "float", "f64": "double", "ld": "long double"}
SUFFIX = {"f32": "f", "f64": "", "ld": "L"}
BLOCKS = ("f32", "f64")
"""Types that have block functions: no processor has vectors of the third."""
TAKEN = ("i", "in", "m", "n", "out", "start")
"""Names of the generated functions' own."""


def language(kind: str) -> Language:
    """Constants take the type of the loop, or a float loop would be computed in double."""
    return Language(
        infix(select="({} ? {} : {})"),
        number=lambda digits: f"{digits}{SUFFIX[kind]}",
        call=lambda op: f"s3s4_{op}_{kind}",
    )


def element(function: Function, kind: str) -> str:
    """One element: a single output is returned, several go through pointers."""
    ctype = TYPES[kind]
    writer = Writer(function, language(kind), TAKEN)
    steps = writer.assignments(function.nodes)
    values = [writer.text(output) for output in function.outputs]
    used = {node.text for node in function.nodes if node.op == "input"}
    arguments = [f"{ctype} {name}" for name in function.inputs]
    if len(values) == 1:
        returns, results = ctype, [f"return {values[0]};"]
    else:
        returns = "void"
        arguments += [f"{ctype} *out{i}" for i in range(len(values))]
        results = [f"const {ctype} value{i} = {value};" for i, value in enumerate(values)]
        results += [f"*out{i} = value{i};" for i in range(len(values))]
    lines = [
        *(f"(void){name};" for name in function.inputs if name not in used),
        *(f"const {ctype} {name} = {text};" for name, text in steps),
        *results,
    ]
    head = f"static inline {returns} s3s4_{function.name}_{kind}({', '.join(arguments)}) {{"
    return "\n".join([head, *(f"    {line}" for line in lines), "}"])
