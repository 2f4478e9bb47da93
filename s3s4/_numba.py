"""The activations inside of functions that Numba compiles: ``s3s4.s4(x)`` under ``@njit``."""

# Design:
# - Numba finds `register` by the entry point numba_extensions, when it compiles for the first time.
# - What is compiled calls the C functions of the variant in use, element by element: scalars,
#   arrays and prange are Numba's own. Their addresses hold for one process, so Numba caches no such
#   code.
# - A parameter that is a number is weak, as in NumPy: it does not make single precision double.
# - Numba wants functions of as many arguments as there are: they are made from text.

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from s3s4._activation import Activation
from s3s4._embedding import c_functions


def register() -> None:
    """Tell Numba what an activation is."""
    from numba import types
    from numba.extending import typeof_impl

    # Numba ships no types: these are its decorator's.
    of_activation: Callable[[Callable[..., Any]], object] = typeof_impl.register(Activation)

    @of_activation
    def typeof(activation: Activation, _: Any) -> Any:
        return types.Dispatcher(compiled(activation.name, tuple(activation.parameters.items())))


@cache
def compiled(name: str, parameters: tuple[tuple[str, float], ...]) -> Any:
    """What Numba compiles for a call."""
    from numba import njit, types
    from numba.extending import overload

    names = ", ".join(["x", *(one for one, _ in parameters)])
    defaults = ", ".join(["x", *(f"{one}={value!r}" for one, value in parameters)])

    def typed(*kinds: Any) -> Any:
        is_number = [isinstance(kind, types.Number) for kind in kinds]
        is_single = all(
            (number and index) or getattr(kind, "dtype", kind) == types.float32
            for index, (kind, number) in enumerate(zip(kinds, is_number, strict=True))
        )
        kind = "f32" if is_single else "f64"
        arguments = ", ".join(
            f"cast({one})" if number else one
            for one, number in zip(names.split(", "), is_number, strict=True)
        )
        return made(
            f"def of_values({names}): return elements({arguments})",
            elements=elements(name, kind, names),
            cast=np.float32 if is_single else np.float64,
        )

    stub = made(f"def stub({names}): raise NotImplementedError")
    overload(stub)(made(f"def of_types({names}): return typed({names})", typed=typed))
    return njit(made(f"def activation({defaults}): return stub({names})", stub=stub))


@cache
def elements(name: str, kind: str, names: str) -> Any:
    """The C function of a precision, as a ufunc of Numba's."""
    from numba import float32, float64, vectorize

    ctype, real = (ctypes.c_float, float32) if kind == "f32" else (ctypes.c_double, float64)
    count = len(names.split(", "))
    function = ctypes.CFUNCTYPE(ctype, *[ctype] * count)(c_functions[f"{name}_{kind}"].address)
    text = f"def element({names}): return function({names})"
    return vectorize([real(*[real] * count)])(made(text, function=function))


def made(text: str, **known: Any) -> Any:
    """The function that a text defines."""
    exec(text, known)
    return known[text.removeprefix("def ").partition("(")[0]]
