"""table.h and row_table.h: what kernels.pyx and rows.pxi, which know no name, are driven by."""

from collections.abc import Iterable

from codegen.family import Family
from codegen.ir import Function
from codegen.passes import without_idle_scales
from codegen.targets.c_blocks import forms
from codegen.targets.c_elements import BLOCKS, TYPES


def functions(family: Family) -> str:
    """The table of functions of elements."""
    entries = []
    for function in map(without_idle_scales, family.functions):
        own = forms(function)
        entries.append([
            string(function.name),
            string(function.doc),
            len(function.inputs),
            len(function.outputs),
            int(function.is_public),
            len(function.costly),
            *(
                f"s3s4_{function.name}_{form if form in own else 'block'}_{kind}"
                for form in ("block", "ordinary", "uniform")
                for kind in BLOCKS
            ),
            f"s3s4_{function.name}_long" if function.is_public else "NULL",
        ])  # fmt: skip
    return "\n".join([
        "/* Generated from src/formulas: what kernels.pyx knows of each function. */",
        *(long_double_loop(function) for function in family.functions if function.is_public),
        "static const s3s4_function s3s4_functions[] = {",
        *map(entry, entries),
        "};",
        "",
    ])  # fmt: skip


def long_double_loop(function: Function) -> str:
    """One element by pointers, for a loop that has no blocks."""
    inputs = [f"in[{i}]" for i in range(len(function.inputs))]
    call = f"s3s4_{function.name}_ld({', '.join(inputs)}"
    if len(function.outputs) == 1:
        call = f"out[0] = {call})"
    else:
        call += "".join(f", &out[{i}]" for i in range(len(function.outputs))) + ")"
    head = f"static void s3s4_{function.name}_long(const long double *in, long double *out)"
    return f"{head} {{\n    {call};\n}}"


def row_functions(family: Family) -> str:
    """The table of row functions."""
    entries = [
        [
            string(function.name),
            string(function.doc),
            string(signature(function)),
            len(function.inputs),
            *(f"&s3s4_{function.name}_phases_{kind}" for kind in TYPES),
        ]
        for function in family.row_functions
    ]
    return "\n".join([
        "/* Generated from src/formulas: what rows.pxi knows of each row function. */",
        "typedef struct {",
        "    const char *name, *doc, *signature;",
        "    int inputs;",
        *(f"    const s3s4_rows_{kind} *{kind};" for kind in TYPES),
        "} s3s4_row_function;",
        "static const s3s4_row_function s3s4_row_functions[] = {",
        *map(entry, entries),
        "};",
        "",
    ])  # fmt: skip


def signature(function: Function) -> str:
    """That of a generalised ufunc."""
    return f"{','.join('(n)' for _ in function.inputs)}->(n)"


def entry(fields: Iterable[object]) -> str:
    return "    {" + ",\n     ".join(map(str, fields)) + "},"


def string(text: str) -> str:
    """A literal of C."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", '\\n"\n     "')
    return f'"{escaped}"'
