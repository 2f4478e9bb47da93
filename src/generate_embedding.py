"""Write what other people's code is compiled against: the C table and the Cython declarations.

Usage: python generate_embedding.py formulas.py s3s4_api.h|symbols.h|__init__.pxd OUTPUT

Design:
- One list of C functions, each with a name and a signature, serves everyone: the capsule of the
  table (C and C++), capsules one by one (`cimport s3s4`, scipy.LowLevelCallable), addresses
  (ctypes, cffi). Who uses it looks functions up by name and compares signatures, so a new
  activation breaks nothing that was compiled before.
- Signatures are spelled as Cython spells them: they name the capsules it looks for.
- An array function is the ufunc's inner loop: any strides, overlaps, threads, FP status and all.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from generate import BLOCK_TYPES, C_TYPES, Formulas, Function, read, table
from generate_rows import RowFunction, row_functions

ABI_VERSION = 1
"""To be raised when the structs of the table change; the list of functions may grow without."""


@dataclass
class Symbol:
    """A function of the table: its name there, its arguments and what they are called."""

    name: str
    returns: str
    types: Sequence[str]
    arguments: Sequence[str]
    target: str

    @property
    def signature(self) -> str:
        return f"{self.returns} ({', '.join(self.types)})"

    def declaration(self, name: str) -> str:
        pairs = zip(self.types, self.arguments, strict=True)
        return f"{self.returns} {name}({', '.join(spaced(t, a) for t, a in pairs)})"


def spaced(ctype: str, name: str) -> str:
    """A declaration as people write it, and Cython reads it."""
    if ctype.endswith(" const *"):
        ctype = f"const {ctype.removesuffix(' const *')} *"
    return f"{ctype}{'' if ctype.endswith('*') else ' '}{name}"


def public(functions: Sequence[Function]) -> list[Function]:
    return [function for function in functions if function.public]


def out_names(function: Function) -> list[str]:
    count = len(function.body.outputs)
    return ["out"] if count == 1 else [f"out{i}" for i in range(count)]


def scalar(function: Function, kind: str) -> Symbol:
    """One element: a single result is returned, several go through pointers."""
    ctype = C_TYPES[kind][0]
    outs = [] if len(function.body.outputs) == 1 else out_names(function)
    return Symbol(
        f"{function.name}_{kind}",
        "void" if outs else ctype,
        [ctype] * len(function.body.inputs) + [f"{ctype} *"] * len(outs),
        [*function.body.inputs, *outs],
        f"s3s4_{function.name}_{kind}",
    )


def array(function: Function, kind: str) -> Symbol:
    """Many elements; each array with its stride in bytes, 0 for one value."""
    ctype = C_TYPES[kind][0]
    types, arguments = ["Py_ssize_t"], ["n"]
    for name in function.body.inputs:
        types += [f"{ctype} const *", "Py_ssize_t"]
        arguments += [name, f"{name}_stride"]
    for name in out_names(function):
        types += [f"{ctype} *", "Py_ssize_t"]
        arguments += [name, f"{name}_stride"]
    name = f"{function.name}_array_{kind}"
    return Symbol(name, "void", types, arguments, f"s3s4_{name}")


def packed(function: Function) -> Symbol:
    """One element from an array of x and the parameters: an integrand of SciPy's."""
    name = f"{function.name}_packed_f64"
    return Symbol(name, "double", ["int", "double *"], ["n", "arguments"], f"s3s4_{name}")


def rows(function: RowFunction, kind: str) -> Symbol:
    """Many rows; each array with its strides in bytes, from row to row and along a row."""
    ctype = C_TYPES[kind][0]
    types, arguments = ["Py_ssize_t", "Py_ssize_t"], ["count", "n"]
    for name in (*function.body.inputs, "out"):
        types += [f"{ctype} *" if name == "out" else f"{ctype} const *", "Py_ssize_t", "Py_ssize_t"]
        arguments += [name, f"{name}_row_stride", f"{name}_stride"]
    name = f"{function.name}_rows_{kind}"
    return Symbol(name, "void", types, arguments, f"s3s4_{name}")


def symbols(functions: Sequence[Function], of_rows: Sequence[RowFunction]) -> Iterator[Symbol]:
    for function in functions:
        for kind in BLOCK_TYPES:
            yield scalar(function, kind)
            yield array(function, kind)
        if len(function.body.outputs) == 1:
            yield packed(function)
    for row_function in of_rows:
        for kind in BLOCK_TYPES:
            yield rows(row_function, kind)


API = f"""\
/* s3s4_api.h: the functions of the installed package for extension modules. Generated.
 *
 * Include s3s4.h after Python.h, and call s3s4_import(&api) when the module is initialised: it
 * imports s3s4, checks its ABI version and fills a struct with the functions of the variant for
 * this processor, with its threads. All may be called without the GIL.
 *
 * <name>_<f32|f64>(x, parameters...) computes one element.
 * <name>_array_<f32|f64>(n, x, x_stride, ..., out, out_stride) computes n elements. Strides are in
 * bytes; 0 repeats one value. out may be one of the inputs, and may overlap them.
 * <name>_rows_<f32|f64>(count, n, x, x_row_stride, x_stride, out, out_row_stride, out_stride)
 * computes count rows of n elements, <name>_vjp_rows_... takes g before x. out may be one of them.
 * <name>_packed_f64(n, arguments) takes x and the parameters from an array.
 */
#ifndef S3S4_API_H
#define S3S4_API_H

#include <string.h>

#define S3S4_ABI_VERSION {ABI_VERSION}
#define S3S4_CAPSULE "s3s4._C_API"

typedef struct {{
    const char *name, *signature;
    void (*function)(void);
}} s3s4_symbol;

typedef struct {{
    int abi_version, count;
    const s3s4_symbol *symbols;
}} s3s4_table;
"""

FIND = """\
static inline void (*s3s4_find(const s3s4_table *table, const char *name,
                               const char *signature))(void) {
    int i;
    for (i = 0; i < table->count; i++)
        if (strcmp(table->symbols[i].name, name) == 0 &&
            strcmp(table->symbols[i].signature, signature) == 0)
            return table->symbols[i].function;
    PyErr_Format(PyExc_ImportError, "s3s4 has no C function %s: %s", name, signature);
    return NULL;
}
"""

IMPORT = """\
/* 0, or -1 with an ImportError set. */
static inline int s3s4_import(s3s4_api *api) {
    const s3s4_table *table = (const s3s4_table *)PyCapsule_Import(S3S4_CAPSULE, 0);
    if (!table) return -1;
    if (table->abi_version != S3S4_ABI_VERSION) {
        PyErr_Format(PyExc_ImportError, "s3s4 has ABI version %d, this module was built for %d",
                     table->abi_version, S3S4_ABI_VERSION);
        return -1;
    }"""


def api_header(functions: Sequence[Function], of_rows: Sequence[RowFunction]) -> str:
    """What an extension module sees of the table."""
    found = list(symbols(functions, of_rows))
    return "\n".join(
        [
            API,
            "typedef struct {",
            *(f"    {symbol.declaration(f'(*{symbol.name})')};" for symbol in found),
            "} s3s4_api;",
            "",
            FIND,
            IMPORT,
            *(line for symbol in found for line in filled(symbol)),
            "    return 0;",
            "}",
            "",
            "#endif",
            "",
        ]
    )


def filled(symbol: Symbol) -> list[str]:
    pointer = f"{symbol.returns} (*)({', '.join(symbol.types)})"
    return [
        f"    api->{symbol.name} = ({pointer})s3s4_find(",
        f'        table, "{symbol.name}", "{symbol.signature}");',
        f"    if (!api->{symbol.name}) return -1;",
    ]


def symbols_header(functions: Sequence[Function], of_rows: Sequence[RowFunction]) -> str:
    """The table itself, for kernels.pyx; it knows a function by its place among all of them."""
    lines = [
        "/* Generated from formulas.py: the C functions that others call. After the tables. */",
        "typedef void (*s3s4_loop)(char **, const ptrdiff_t *, const ptrdiff_t *, void *);",
        "static s3s4_loop s3s4_loop_f32, s3s4_loop_f64; /* of the ufuncs, set by kernels.pyx */",
        "static s3s4_loop s3s4_row_loop_f32, s3s4_row_loop_f64;",
    ]
    for index, function in enumerate(functions):
        if not function.public:
            continue
        for kind in BLOCK_TYPES:
            lines += array_function(function, kind, index)
        if len(function.body.outputs) == 1:
            lines += packed_function(function)
    for index, row_function in enumerate(of_rows):
        for kind in BLOCK_TYPES:
            lines += rows_function(row_function, kind, index)
    lines.append("static const s3s4_symbol s3s4_symbols[] = {")
    lines += [
        f'    {{"{s.name}", "{s.signature}", (void (*)(void)){s.target}}},'
        for s in symbols(public(functions), of_rows)
    ]
    lines += [
        "};",
        "static const s3s4_table s3s4_symbol_table = {",
        "    S3S4_ABI_VERSION, sizeof s3s4_symbols / sizeof *s3s4_symbols, s3s4_symbols};",
    ]
    return "\n".join([*lines, ""])


def array_function(function: Function, kind: str, index: int) -> list[str]:
    symbol = array(function, kind)
    operands = [*function.body.inputs, *out_names(function)]
    return [
        f"static {symbol.declaration(symbol.target)} {{",
        f"    char *args[] = {{{', '.join(f'(char *){name}' for name in operands)}}};",
        f"    const ptrdiff_t steps[] = {{{', '.join(f'{name}_stride' for name in operands)}}};",
        "    const ptrdiff_t length = n;",
        f"    if (n > 0) s3s4_loop_{kind}(args, &length, steps, (void *)&s3s4_functions[{index}]);",
        "}",
    ]


def rows_function(function: RowFunction, kind: str, index: int) -> list[str]:
    symbol = rows(function, kind)
    names = [*function.body.inputs, "out"]
    steps = [f"{name}{stride}" for stride in ("_row_stride", "_stride") for name in names]
    return [
        f"static {symbol.declaration(symbol.target)} {{",
        f"    char *args[] = {{{', '.join(f'(char *){name}' for name in names)}}};",
        f"    const ptrdiff_t steps[] = {{{', '.join(steps)}}};",
        "    const ptrdiff_t lengths[] = {count, n};",
        f"    s3s4_row_loop_{kind}(args, lengths, steps, (void *)&s3s4_row_functions[{index}]);",
        "}",
    ]


def packed_function(function: Function) -> list[str]:
    symbol = packed(function)
    arguments = ", ".join(f"arguments[{i}]" for i in range(len(function.body.inputs)))
    return [
        f"static {symbol.declaration(symbol.target)} {{",
        "    (void)n;",
        f"    return s3s4_{function.name}_f64({arguments});",
        "}",
    ]


PXD = """\
# cython: boundscheck=False, wraparound=False, initializedcheck=False
# Generated from formulas.py: what `cimport s3s4` gives. Stable: names and signatures stay.
#
# name(x, parameters...)                the value at a number, inlined, compiled with your flags
# name_array(x, parameters..., out)     contiguous memoryviews: the variant for this processor,
#                                       picked when s3s4 is imported, and its threads
# name_array_strided(x, parameters..., out)   the same for memoryviews with any stride
#
# name_rows(x, out)                     the rows of memoryviews of two axes, with any strides
# name_vjp_rows(g, x, out)              their vector-Jacobian products
#
# All are noexcept nogil and take float and double. Of arrays that differ in length the shortest
# counts. s3s4 is imported with your module, which fails then if signatures do not fit.

from cython cimport floating


cdef inline Py_ssize_t _shorter(Py_ssize_t a, Py_ssize_t b) noexcept nogil:
    return a if a < b else b
"""


def declarations(
    functions: Sequence[Function], of_rows: Sequence[RowFunction], formulas: Formulas
) -> str:
    """`__init__.pxd`: the inline functions, and the imported ones they call."""
    lines = [PXD, 'cdef extern from "s3s4.h" nogil:']
    for function in functions:
        for kind in BLOCK_TYPES:
            symbol = scalar(function, kind)
            named = symbol.declaration(f'_{symbol.name} "{symbol.target}"')
            lines.append(f"    {named} noexcept")
    lines.append("")
    for function in functions:
        for kind in BLOCK_TYPES:
            symbol = array(function, kind)
            lines.append(f"cdef {symbol.declaration(symbol.name)} noexcept nogil")
    for row_function in of_rows:
        for kind in BLOCK_TYPES:
            symbol = rows(row_function, kind)
            lines.append(f"cdef {symbol.declaration(symbol.name)} noexcept nogil")
    for function in functions:
        lines += scalar_form(function, formulas)
        lines += array_form(function, "array", "floating[::1]")
        lines += array_form(function, "array_strided", "floating[:]")
    for row_function in of_rows:
        lines += rows_form(row_function)
    return "\n".join([*lines, ""])


def defaults(function: Function, formulas: Formulas) -> dict[str, float]:
    """The defaults that Cython can have, of the activation that a function belongs to.

    Of a file that is cimported it takes plain literals alone, which have no sign; what stands
    before a parameter without a default has none either.
    """
    owners = [a for a in formulas.activations() if f"{function.name}_".startswith(f"{a.name}_")]
    parameters = max(owners, key=lambda activation: len(activation.name)).parameters
    literal = takewhile(lambda pair: repr(pair[1])[0].isdigit(), reversed(parameters.items()))
    return dict(literal)


def scalar_form(function: Function, formulas: Formulas) -> list[str]:
    outs = [] if len(function.body.outputs) == 1 else out_names(function)
    default = {} if outs else defaults(function, formulas)
    arguments = [
        f"floating {name}" + (f"={default[name]!r}" if name in default else "")
        for name in function.body.inputs
    ]
    head = ", ".join([*arguments, *(f"floating *{name}" for name in outs)])
    call = ", ".join([*function.body.inputs, *outs])
    returns = "" if outs else "return "
    return [
        "",
        f"cdef inline {'void' if outs else 'floating'} {function.name}({head}) noexcept nogil:",
        "    if floating is float:",
        f"        {returns}_{function.name}_f32({call})",
        "    else:",
        f"        {returns}_{function.name}_f64({call})",
    ]


def array_form(function: Function, form: str, view: str) -> list[str]:
    outs = out_names(function)
    parameters = function.body.inputs[1:]
    head = ", ".join(
        [
            f"const {view} x",
            *(f"floating {name}" for name in parameters),
            *(f"{view} {name}" for name in outs),
        ]
    )
    length = "x.shape[0]"
    for name in outs:
        # Not min(), which may be a parameter's name.
        length = f"_shorter({length}, {name}.shape[0])"
    call = ", ".join(
        [
            length,
            "&x[0], x.strides[0]",
            *(f"&{name}, 0" for name in parameters),
            *(f"&{name}[0], {name}.strides[0]" for name in outs),
        ]
    )
    return [
        "",
        f"cdef inline void {function.name}_{form}({head}) noexcept nogil:",
        "    if floating is float:",
        f"        {function.name}_array_f32({call})",
        "    else:",
        f"        {function.name}_array_f64({call})",
    ]


def rows_form(function: RowFunction) -> list[str]:
    names = [*function.body.inputs, "out"]
    head = ", ".join(f"{'' if name == 'out' else 'const '}floating[:, :] {name}" for name in names)
    count, n = (f"min({', '.join(f'{name}.shape[{axis}]' for name in names)})" for axis in (0, 1))
    call = ", ".join(f"&{name}[0, 0], {name}.strides[0], {name}.strides[1]" for name in names)
    return [
        "",
        f"cdef inline void {function.name}_rows({head}) noexcept nogil:",
        "    if floating is float:",
        f"        {function.name}_rows_f32({count}, {n}, {call})",
        "    else:",
        f"        {function.name}_rows_f64({count}, {n}, {call})",
    ]


def main(source: str, kind: str, output: str) -> None:
    formulas = Formulas(read(source))
    functions, of_rows = table(formulas), row_functions(formulas)
    texts = {
        "s3s4_api.h": lambda: api_header(public(functions), of_rows),
        "symbols.h": lambda: symbols_header(functions, of_rows),
        "__init__.pxd": lambda: declarations(public(functions), of_rows, formulas),
    }
    Path(output).write_text(texts[kind]())


if __name__ == "__main__":
    main(*sys.argv[1:])
