"""Numba's CUDA compiler and its simulator under one set of names.

The only importer of numba.
"""

# Design:
# - Everything runs in the simulator too. Its arithmetic is NumPy's: fused operations are made of
#   wider ones there, so that the same text gives the same results.
# - What Numba has no Python for is written in LLVM's terms: a fused a b + c, 2^n by shifting bits;
#   what reads and writes memory is in access.py.

import ctypes
import pickle
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from importlib import import_module
from typing import Any

import numpy as np
from numba import config, cuda, types

SIMULATED = bool(config.ENABLE_CUDASIM)


def _import_array_functions() -> None:
    """Import what every compilation needs of numba-cuda, also where NumPy is newer than it.

    numba-cuda 0.30 names `np.row_stack` there, which NumPy 2.5 has no more.
    """
    newer = not hasattr(np, "row_stack")
    if newer:
        np.row_stack = np.vstack
    try:
        import_module("numba.cuda.np.arrayobj")
    finally:
        if newer:
            del np.row_stack


if not SIMULATED:
    _import_array_functions()
    import numba_cuda
    from llvmlite import ir
    from numba.cuda import cgutils, extending, utils
    from numba.cuda.cudadrv import devices
    from numba.cuda.cudadrv.devicearray import DeviceNDArray
    from numba.cuda.serialize import dumps

    # Numba ships no types: these are its decorator's.
    intrinsic: Callable[[Callable[..., Any]], Callable[..., Any]] = extending.intrinsic

__all__ = ["cgutils", "cuda", "ir", "types"]

ALIGNMENT = 16
_AXES = {"flat": 1, "sums": 3, "view": 4}
KINDS = {"n": "q", "wide": "q", "narrow": "i", "real": "r"} | {
    kind: "q" * (5 + 2 * axes) for kind, axes in _AXES.items()
}
"""How Numba passes each kind of argument, as `struct` writes it; r is the type of arithmetic.

An array is two addresses that are 0 here, the number of its elements, the bytes of one, its
address, and its lengths and strides.
"""


def passed(kind: str) -> str:
    """How an argument of a kind is passed; a view may name a type of its own behind a colon."""
    return KINDS[kind.partition(":")[0]]


_MANTISSAS = {32: 23, 64: 52}


def inline(function: Callable[..., Any]) -> Any:
    """A device function that becomes part of its caller.

    LLVM inlines it. Numba would too, but compiles ten times as long then.
    """
    return function if SIMULATED else cuda.jit(device=True, forceinline=True)(function)


if SIMULATED:
    _WIDER: dict[Any, Any] = {np.float32: np.float64, np.float64: np.longdouble}
    _BITS: dict[Any, Any] = {np.float32: np.int32, np.float64: np.int64}

    def fused_operation(real: Any) -> Any:
        """The function (a, b, c) that rounds a b + c once."""
        wide = _WIDER[real]

        def fused(a: Any, b: Any, c: Any) -> Any:
            return real(wide(a) * wide(b) + wide(c))

        return fused

    def power_of_two_by(real: Any) -> Any:
        """The function that makes 2^n of a number with n + bias in its low bits."""
        bits = _BITS[real]
        mantissa = bits(_MANTISSAS[np.dtype(real).itemsize * 8])

        def power_of_two(shifted: Any) -> Any:
            return (shifted.view(bits) << mantissa).view(real)

        return power_of_two

    def _divided(x: Any) -> Any:
        """1 / x of a float."""
        return type(x)(1) / x

    def _power(x: Any) -> Any:
        """2^x of a float; subnormal results are 0."""
        result = np.exp2(x)
        return result if result >= np.finfo(result).smallest_normal else result * type(x)(0)

    reciprocal: Callable[..., Any] = _divided
    approximate_exp2: Callable[..., Any] = _power

else:

    @intrinsic
    def _fused(context: Any, a: Any, b: Any, c: Any) -> Any:
        """One rounding for a b + c; Numba knows `cuda.fma` under its module alone."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.fma(*arguments)

        return a(a, b, c), generate

    @intrinsic
    def _power_of_two(context: Any, shifted: Any) -> Any:
        """2^n of the number that holds n and the exponent's bias in its low bits."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            number = context.get_value_type(signature.return_type)
            width = signature.return_type.bitwidth
            bits = ir.IntType(width)
            shift = ir.Constant(bits, _MANTISSAS[width])
            return builder.bitcast(builder.shl(builder.bitcast(arguments[0], bits), shift), number)

        return shifted(shifted), generate

    def fused_operation(real: Any) -> Any:
        """The function (a, b, c) that rounds a b + c once."""
        return _fused

    def power_of_two_by(real: Any) -> Any:
        """The function that makes 2^n of a number with n + bias in its low bits."""
        return _power_of_two

    def _approximation(builder: Any, instruction: str, arguments: Any) -> Any:
        kind = ir.FunctionType(ir.FloatType(), [ir.FloatType()])
        return builder.call(ir.InlineAsm(kind, f"{instruction} $0, $1;", "=f,f"), arguments)

    @intrinsic
    def _reciprocal(context: Any, x: Any) -> Any:
        """1 / x of a float to within a unit in the last place, and 0 from 2^126 on."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return _approximation(builder, "rcp.approx.ftz.f32", arguments)

        return x(x), generate

    @intrinsic
    def _exp2(context: Any, x: Any) -> Any:
        """2^x of a float to within two units in the last place; subnormal results are 0."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return _approximation(builder, "ex2.approx.ftz.f32", arguments)

        return x(x), generate

    reciprocal, approximate_exp2 = _reciprocal, _exp2


if SIMULATED:

    def pointer(array: Any) -> int:
        """The address of an array of Numba's."""
        return int(array._ary.ctypes.data)

    def device(array: Any) -> int:
        """The number of the device it lies on."""
        return 0

    def new_array(beside: Any, shape: Any, strides: Any, dtype: Any, stream: Any) -> Any:
        """A new array of Numba's on the current device, where another one lies."""
        return cuda.device_array(shape, dtype, strides=strides)

    def prepared(python: Callable[..., Any], registers: int, cache: Any) -> Any:
        """What `loaded` makes a kernel of."""
        return cuda.jit(python)

    def loaded(kernel: Any, taken: Sequence[str], memory: Any, real: Any) -> Any:
        """The kernel, for it to be called with what it is passed on a device."""

        def array(dtype: Any, place: int, shape: Any, strides: Any) -> Any:
            steps = [(n - 1) * s for n, s in zip(shape, strides, strict=True)]
            below = sum(min(0, step) for step in steps)
            size = sum(max(0, step) for step in steps) - below + dtype.itemsize
            room = (ctypes.c_char * size).from_address(place + below)
            made = np.ndarray(shape, dtype, room, -below, strides)
            return type(cuda.to_device(np.empty(0)))(made)

        def call(grid: Any, threads: int, values: Sequence[Any]) -> None:
            left, arguments = list(values), []
            for given in taken:
                kind, _, own = given.partition(":")
                axes = _AXES.get(kind)
                if axes is None:
                    value = left.pop(0)
                    arguments.append(real.type(value) if kind == "real" else value)
                    continue
                place, rest = left[4], left[5 : 5 + 2 * axes]
                dtype = np.dtype(own) if own else real if kind == "sums" else memory
                arguments.append(array(dtype, place, rest[:axes], rest[axes:]))
                del left[: 5 + 2 * axes]
            with np.errstate(all="ignore"):
                kernel[grid, threads](*arguments)

        return call

else:
    _NUMBERS = {"n": types.int64, "wide": types.int64, "narrow": types.int32}
    _TYPES = {np.dtype(bool): types.boolean} | {
        np.dtype(name): getattr(types, name)
        for name in (
            "float16", "float32", "float64", "int8", "int16", "int32", "int64",
            "uint8", "uint16", "uint32", "uint64",
        )
    }  # fmt: skip

    def pointer(array: Any) -> int:
        """The address of an array of Numba's."""
        return array.device_ctypes_pointer.value or 0

    def device(array: Any) -> int:
        """The number of the device it lies on."""
        return int(array.gpu_data.context.device.id)

    def new_array(beside: Any, shape: Any, strides: Any, dtype: Any, stream: Any) -> Any:
        """A new array of Numba's on the current device, where another one lies."""
        if 0 in shape:
            return cuda.device_array(shape, dtype, stream=stream)
        made = object.__new__(DeviceNDArray)
        made.__dict__.update(_described(shape, strides, dtype))
        known = getattr(beside, "gpu_data", None)
        context = devices.get_context() if known is None else known.context
        made.gpu_data = context.memalloc(made.alloc_size)
        made.stream = stream
        return made

    @lru_cache
    def _described(shape: Any, strides: Any, dtype: Any) -> dict[str, Any]:
        """What is the same of all new arrays that lie so: finding it out takes most of the time."""
        return {**vars(cuda.device_array(shape, dtype, strides)), "gpu_data": None}

    def prepared(python: Callable[..., Any], registers: int, cache: Any) -> Any:
        """What `loaded` makes a kernel of: one that asks its cache before it compiles."""
        kernel = cuda.jit(max_registers=registers)(python)
        kernel._cache = cache
        return kernel

    def argument_types(taken: Sequence[str], memory: Any, real: Any) -> Iterator[Any]:
        """Numba's types of arguments of some kinds."""
        for given in taken:
            kind, _, own = given.partition(":")
            axes = _AXES.get(kind)
            if axes is None:
                yield _NUMBERS.get(kind, _TYPES[real])
            else:
                dtype = _TYPES[np.dtype(own) if own else real if kind == "sums" else memory]
                yield types.Array(dtype, axes, "A" if kind == "view" else "C")

    def loaded(kernel: Any, taken: Sequence[str], memory: Any, real: Any) -> Any:
        """The kernel for arrays of a type on the current device, as the driver calls it."""
        with utils.numba_target_override():
            compiled = kernel.compile(tuple(argument_types(taken, memory, real)))
        return int(compiled._codelibrary.get_cufunc().handle)


def stream_number(stream: Any) -> int:
    """The number of a stream of Numba's; 0 is none in particular."""
    return int(stream) if isinstance(stream, int) else int(stream.handle or 0)


def version() -> str:
    """The version of the compiler."""
    return str(numba_cuda.__version__)


def pickled(kernel: Any) -> bytes:
    """A compiled kernel as bytes."""
    return bytes(dumps(kernel))


def unpickled(data: bytes) -> Any:
    """The kernel that `pickled` took."""
    return pickle.loads(data)
