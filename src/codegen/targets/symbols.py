"""symbols.h: the C functions that others call, for kernels.pyx.

Each knows its entry in the table by its place there.
"""

from codegen.family import Family
from codegen.ir import Function
from codegen.targets.c_elements import BLOCKS
from codegen.targets.capsule import (
    Symbol,
    array,
    of_any_layout,
    out_names,
    packed,
    public,
    rows,
    symbols,
)


def header(family: Family) -> str:
    lines = [
        "/* Generated from src/formulas: the C functions that others call. After the tables. */",
        "typedef void (*s3s4_loop)(char **, const ptrdiff_t *, const ptrdiff_t *, void *);",
        "static s3s4_loop s3s4_loop_f32, s3s4_loop_f64; /* set by kernels.pyx */",
        "static s3s4_loop s3s4_row_loop_f32, s3s4_row_loop_f64;",
        "static int (*s3s4_strided)(const s3s4_function *, int, int, int, const ptrdiff_t *,",
        "                           const s3s4_array *);",
    ]
    given = public(family)
    for index, function in enumerate(family.functions):
        if function in given:
            for kind in BLOCKS:
                lines += array_function(function, kind, index)
            if len(function.outputs) == 1:
                lines += packed_function(function)
    names = [function.name for function in family.functions]
    for activation in family.activations:
        name = activation.name
        lines += strided_function(f"{name}_strided", names.index(name), 1)
        lines += strided_function(f"{name}_backward", names.index(f"{name}_backward"), 2)
    for index, function in enumerate(family.row_functions):
        for kind in BLOCKS:
            lines += rows_function(function, kind, index)
    return "\n".join([
        *lines,
        "static const s3s4_symbol s3s4_symbols[] = {",
        *(
            f'    {{"{symbol.name}", "{symbol.signature}", (void (*)(void)){symbol.target}}},'
            for symbol in symbols(family)
        ),
        "};",
        "static const s3s4_table s3s4_symbol_table = {",
        "    S3S4_ABI_VERSION, sizeof s3s4_symbols / sizeof *s3s4_symbols, s3s4_symbols};",
        "",
    ])  # fmt: skip


def array_function(function: Function, kind: str, index: int) -> list[str]:
    operands = [*function.inputs, *out_names(function)]
    return [
        *head(array(function, kind), operands, [f"{name}_stride" for name in operands]),
        "    const ptrdiff_t length = n;",
        f"    if (n > 0) s3s4_loop_{kind}(args, &length, steps, (void *)&s3s4_functions[{index}]);",
        "}",
    ]


def rows_function(function: Function, kind: str, index: int) -> list[str]:
    operands = [*function.inputs, "out"]
    steps = [f"{name}{stride}" for stride in ("_row_stride", "_stride") for name in operands]
    return [
        *head(rows(function, kind), operands, steps),
        "    const ptrdiff_t lengths[] = {count, n};",
        f"    s3s4_row_loop_{kind}(args, lengths, steps, (void *)&s3s4_row_functions[{index}]);",
        "}",
    ]


def strided_function(name: str, index: int, first_parameter: int) -> list[str]:
    symbol = of_any_layout(name)
    return [
        f"static {symbol.declaration(symbol.target)} {{",
        f"    return s3s4_strided(&s3s4_functions[{index}], {first_parameter}, most_threads, axes,",
        "                        shape, arrays);",
        "}",
    ]


def head(symbol: Symbol, operands: list[str], steps: list[str]) -> list[str]:
    """A function, as far as the operands of a ufunc's inner loop."""
    return [
        f"static {symbol.declaration(symbol.target)} {{",
        f"    char *args[] = {{{', '.join(f'(char *){name}' for name in operands)}}};",
        f"    const ptrdiff_t steps[] = {{{', '.join(steps)}}};",
    ]


def packed_function(function: Function) -> list[str]:
    symbol = packed(function)
    arguments = ", ".join(f"arguments[{i}]" for i in range(len(function.inputs)))
    return [
        f"static {symbol.declaration(symbol.target)} {{",
        "    (void)n;",
        f"    return s3s4_{function.name}_f64({arguments});",
        "}",
    ]
