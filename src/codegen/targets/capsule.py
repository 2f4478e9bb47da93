"""The list of C functions for other people's code, and s3s4_api.h and symbols.h made of it.

Design:
- One list of C functions, each with a name and a signature, serves everyone: the capsule of the
  table (C and C++), capsules one by one (`cimport s3s4`, scipy.LowLevelCallable), addresses
  (ctypes, cffi). Who uses it looks functions up by name and compares signatures, so a new
  activation breaks nothing that was compiled before.
- Signatures are spelled as Cython spells them: they name the capsules it looks for.
- An array function is the ufunc's inner loop: any strides, overlaps, threads, FP status and all.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from codegen.family import Family
from codegen.ir import Function
from codegen.targets.c_elements import BLOCKS, TYPES

API = """\
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
 * computes count rows of n elements, <name>_vjp_rows_... takes g before x. out may be one of them;
 * in the place of g it takes memory, and is NaN where there is none.
 * <name>_packed_f64(n, arguments) takes x and the parameters from an array.
 * <name>_strided(most_threads, axes, shape, arrays) takes x, the parameters and the result, of any
 * strides and of any type of enum s3s4_type each; most_threads of 0 leaves them to s3s4.
 * <name>_backward(most_threads, axes, shape, arrays) takes g, x, the parameters, and then the
 * gradients of x and of each parameter. One whose data is NULL is not wanted; one with a stride of
 * 0 takes the sum along that axis. Both return 0, or -1 where there was no memory.
 */
#ifndef S3S4_API_H
#define S3S4_API_H

#include "capsule.h"
"""


@dataclass(frozen=True)
class Symbol:
    """A function of the list: its name there, its arguments and what they are called."""

    name: str
    returns: str
    types: tuple[str, ...]
    arguments: tuple[str, ...]
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


def public(family: Family) -> list[Function]:
    """Those that have C functions: a second derivative is in s3s4.h, and else for arrays alone."""
    return [one for one in family.functions if one.is_public and not one.is_second]


def out_names(function: Function) -> list[str]:
    count = len(function.outputs)
    return ["out"] if count == 1 else [f"out{i}" for i in range(count)]


def element(function: Function, kind: str) -> Symbol:
    """One element: a single result is returned, several go through pointers."""
    ctype = TYPES[kind]
    outs = [] if len(function.outputs) == 1 else out_names(function)
    return Symbol(
        f"{function.name}_{kind}",
        "void" if outs else ctype,
        (*(ctype for _ in function.inputs), *(f"{ctype} *" for _ in outs)),
        (*function.inputs, *outs),
        f"s3s4_{function.name}_{kind}",
    )


def strided(name: str, kind: str, sizes: str, outs: list[str], inputs: tuple[str, ...]) -> Symbol:
    """Many elements; each array with its strides in bytes, one for each size."""
    strides = {"n": ["_stride"], "count, n": ["_row_stride", "_stride"]}[sizes]
    types, arguments = ["Py_ssize_t" for _ in strides], sizes.split(", ")
    for operand in (*inputs, *outs):
        types += [f"{TYPES[kind]} *" if operand in outs else f"{TYPES[kind]} const *"]
        types += ["Py_ssize_t" for _ in strides]
        arguments += [operand, *(f"{operand}{stride}" for stride in strides)]
    return Symbol(name, "void", tuple(types), tuple(arguments), f"s3s4_{name}")


def array(function: Function, kind: str) -> Symbol:
    """Elements; a stride of 0 repeats one value."""
    name = f"{function.name}_array_{kind}"
    return strided(name, kind, "n", out_names(function), function.inputs)


def rows(function: Function, kind: str) -> Symbol:
    """Rows, with strides from row to row and along a row."""
    return strided(f"{function.name}_rows_{kind}", kind, "count, n", ["out"], function.inputs)


def packed(function: Function) -> Symbol:
    """One element from an array of x and the parameters: an integrand of SciPy's."""
    name = f"{function.name}_packed_f64"
    return Symbol(name, "double", ("int", "double *"), ("n", "arguments"), f"s3s4_{name}")


def of_any_layout(name: str) -> Symbol:
    """Arrays with any number of axes, strides and types."""
    types = ("int", "int", "Py_ssize_t const *", "s3s4_array const *")
    arguments = ("most_threads", "axes", "shape", "arrays")
    return Symbol(name, "int", types, arguments, f"s3s4_{name}")


def symbols(family: Family) -> Iterator[Symbol]:
    for function in public(family):
        for kind in BLOCKS:
            yield element(function, kind)
            yield array(function, kind)
        if len(function.outputs) == 1:
            yield packed(function)
    for activation in family.activations:
        yield of_any_layout(f"{activation.name}_strided")
        yield of_any_layout(f"{activation.name}_backward")
    for function in family.row_functions:
        for kind in BLOCKS:
            yield rows(function, kind)


def api(family: Family) -> str:
    """s3s4_api.h: what an extension module sees of the list."""
    found = list(symbols(family))
    return "\n".join([
        API,
        "typedef struct {",
        *(f"    {symbol.declaration(f'(*{symbol.name})')};" for symbol in found),
        "} s3s4_api;",
        "",
        "/* 0, or -1 with an ImportError set. */",
        "static inline int s3s4_import(s3s4_api *api) {",
        "    const s3s4_table *table = s3s4_open_table();",
        "    if (!table) return -1;",
        *(line for symbol in found for line in filled(symbol)),
        "    return 0;",
        "}",
        "",
        "#endif",
        "",
    ])  # fmt: skip


def filled(symbol: Symbol) -> list[str]:
    pointer = f"{symbol.returns} (*)({', '.join(symbol.types)})"
    return [
        f"    api->{symbol.name} = ({pointer})s3s4_find(",
        f'        table, "{symbol.name}", "{symbol.signature}");',
        f"    if (!api->{symbol.name}) return -1;",
    ]
