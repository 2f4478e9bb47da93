"""__init__.pxd: what `cimport s3s4` gives, inline functions over the capsules' functions."""

from collections.abc import Mapping
from itertools import takewhile

from codegen.family import Family
from codegen.ir import Function
from codegen.targets.c_elements import BLOCKS
from codegen.targets.capsule import array, element, out_names, public, rows

HEAD = """\
# cython: boundscheck=False, wraparound=False, initializedcheck=False
# Generated from src/formulas: what `cimport s3s4` gives. Stable: names and signatures stay.
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


cdef extern from "s3s4.h" nogil:"""


def declarations(family: Family) -> str:
    """The inline functions, and the imported ones they call."""
    functions = public(family)
    scalars = [element(function, kind) for function in functions for kind in BLOCKS]
    imported = [array(function, kind) for function in functions for kind in BLOCKS]
    imported += [rows(function, kind) for function in family.row_functions for kind in BLOCKS]
    default = defaults(family)
    lines = [
        HEAD,
        *(f"    {s.declaration(f'_{s.name} {quoted(s.target)}')} noexcept" for s in scalars),
        "",
        *(f"cdef {s.declaration(s.name)} noexcept nogil" for s in imported),
    ]
    for function in functions:
        lines += scalar_form(function, default.get(function.name, {}))
        lines += array_form(function, "array", "floating[::1]")
        lines += array_form(function, "array_strided", "floating[:]")
    for function in family.row_functions:
        lines += rows_form(function)
    return "\n".join([*lines, ""])


def quoted(name: str) -> str:
    return f'"{name}"'


def defaults(family: Family) -> dict[str, Mapping[str, float]]:
    """The defaults that Cython can have, by function; what has several outputs has none.

    Of a file that is cimported it takes plain literals alone, which have no sign; what stands
    before a parameter without a default has none either.
    """
    found: dict[str, Mapping[str, float]] = {}
    for activation in family.activations:
        last_first = reversed([*activation.defaults.items()])
        literal = dict(takewhile(lambda pair: repr(pair[1])[0].isdigit(), last_first))
        for function in (activation.value, *activation.derivatives.values()):
            found[function.name] = literal
    return found


def scalar_form(function: Function, default: Mapping[str, float]) -> list[str]:
    outs = [] if len(function.outputs) == 1 else out_names(function)
    arguments = [
        f"floating {name}" + (f"={default[name]!r}" if name in default else "")
        for name in function.inputs
    ]
    head = ", ".join([*arguments, *(f"floating *{name}" for name in outs)])
    returns = "" if outs else "return "
    return by_type(
        f"{'void' if outs else 'floating'} {function.name}({head})",
        f"{returns}_{function.name}",
        ", ".join([*function.inputs, *outs]),
    )


def array_form(function: Function, form: str, view: str) -> list[str]:
    outs, parameters = out_names(function), function.inputs[1:]
    head = [
        f"const {view} x",
        *(f"floating {p}" for p in parameters),
        *(f"{view} {o}" for o in outs),
    ]
    length = "x.shape[0]"
    for name in outs:
        # Not min(), which may be a parameter's name.
        length = f"_shorter({length}, {name}.shape[0])"
    call = [
        length,
        "&x[0], x.strides[0]",
        *(f"&{name}, 0" for name in parameters),
        *(f"&{name}[0], {name}.strides[0]" for name in outs),
    ]
    signature = f"void {function.name}_{form}({', '.join(head)})"
    return by_type(signature, f"{function.name}_array", ", ".join(call))


def rows_form(function: Function) -> list[str]:
    names = [*function.inputs, "out"]
    head = ", ".join(f"{'' if name == 'out' else 'const '}floating[:, :] {name}" for name in names)
    count, n = (f"min({', '.join(f'{name}.shape[{axis}]' for name in names)})" for axis in (0, 1))
    call = [count, n]
    call += [f"&{name}[0, 0], {name}.strides[0], {name}.strides[1]" for name in names]
    return by_type(f"void {function.name}_rows({head})", f"{function.name}_rows", ", ".join(call))


def by_type(signature: str, called: str, arguments: str) -> list[str]:
    """An inline function that calls that of its type."""
    return [
        "",
        f"cdef inline {signature} noexcept nogil:",
        "    if floating is float:",
        f"        {called}_f32({arguments})",
        "    else:",
        f"        {called}_f64({arguments})",
    ]
