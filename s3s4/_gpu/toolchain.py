"""Numba's CUDA compiler and its simulator under one set of names.

The only importer of numba.
"""

# Design:
# - Everything runs in the simulator too. Its arithmetic is NumPy's: fused operations are made of
#   wider ones there, so that the same text gives the same results.
# - What Numba has no Python for is written in LLVM's terms: a fused a b + c, 2^n by shifting bits,
#   16 bytes at once, an element of a strided array without Python's negative indices.

import ctypes
import math
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from cuda.core.utils import StridedMemoryView
from numba import config, cuda, types

SIMULATED = bool(config.ENABLE_CUDASIM)
if not SIMULATED:
    import numba_cuda
    from llvmlite import ir
    from numba.cuda import cgutils
    from numba.cuda.extending import intrinsic
    from numba.cuda.serialize import dumps

__all__ = ["cuda"]

ALIGNMENT = 16
_MANTISSAS = {32: 23, 64: 52}


def inline(function: Callable[..., Any]) -> Any:
    """A device function that becomes part of its caller.

    LLVM inlines it. Numba would too, but compiles ten times as long then.
    """
    return function if SIMULATED else cuda.jit(device=True, forceinline=True)(function)


if SIMULATED:
    _WIDER = {np.float32: np.float64, np.float64: np.longdouble}
    _BITS = {np.float32: np.int32, np.float64: np.int64}

    def _over(view: Any, strides: Any) -> Any:
        span = sum((n - 1) * s for n, s in zip(view.shape, strides, strict=True))
        memory = (ctypes.c_char * (span + view.dtype.itemsize)).from_address(view.ptr)
        array = np.ndarray(view.shape, view.dtype, memory, strides=strides)
        return type(cuda.to_device(np.empty(0)))(array)

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

    def memory_access(storage: Any) -> dict[str, Any]:
        """Reading and writing of a type: 16 bytes at once, and an element of four axes."""
        width = ALIGNMENT // np.dtype(storage).itemsize

        def load(array: Any, start: int) -> tuple[Any, ...]:
            return tuple(array[start + lane] for lane in range(width))

        def store(array: Any, start: int, values: tuple[Any, ...]) -> None:
            for lane in range(width):
                array[start + lane] = storage(values[lane])

        def get(array: Any, a: int, b: int, c: int, d: int) -> Any:
            return array[a, b, c, d]

        def put(array: Any, a: int, b: int, c: int, d: int, value: Any) -> None:
            array[a, b, c, d] = storage(value)

        return {"load": load, "store": store, "get": get, "put": put}

else:
    # Halves would be read four at a time: 16 bytes are always four words.
    _WORDS = ir.VectorType(ir.IntType(32), 4)

    # Numba ships no types for its decorator.
    @intrinsic  # type: ignore[untyped-decorator]
    def _fused(context: Any, a: Any, b: Any, c: Any) -> Any:
        """One rounding for a b + c; Numba knows `cuda.fma` under its module alone."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.fma(*arguments)

        return a(a, b, c), generate

    @intrinsic  # type: ignore[untyped-decorator]
    def _power_of_two(context: Any, shifted: Any) -> Any:
        """2^n of the number that holds n and the exponent's bias in its low bits."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            number = context.get_value_type(signature.return_type)
            width = signature.return_type.bitwidth
            bits = ir.IntType(width)
            shift = ir.Constant(bits, _MANTISSAS[width])
            return builder.bitcast(builder.shl(builder.bitcast(arguments[0], bits), shift), number)

        return shifted(shifted), generate

    @intrinsic  # type: ignore[untyped-decorator]
    def _load(context: Any, array: Any, start: Any) -> Any:
        """As many elements as 16 bytes hold, read at once."""
        width = ALIGNMENT * 8 // array.dtype.bitwidth

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            array = signature.args[0]
            data = context.make_array(array)(context, builder, arguments[0]).data
            place = builder.bitcast(builder.gep(data, [arguments[1]]), _WORDS.as_pointer())
            vector = ir.VectorType(context.get_data_type(array.dtype), width)
            value = builder.bitcast(builder.load(place, align=ALIGNMENT), vector)
            lanes = [ir.Constant(ir.IntType(32), lane) for lane in range(width)]
            return cgutils.pack_array(builder, [builder.extract_element(value, n) for n in lanes])

        return types.UniTuple(array.dtype, width)(array, start), generate

    @intrinsic  # type: ignore[untyped-decorator]
    def _store(context: Any, array: Any, start: Any, values: Any) -> Any:
        """A tuple of numbers of 16 bytes in all, written at once."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            array, _, values = signature.args
            data = context.make_array(array)(context, builder, arguments[0]).data
            item = context.get_data_type(array.dtype)
            vector = ir.Constant(ir.VectorType(item, values.count), ir.Undefined)
            for lane in range(values.count):
                value = builder.extract_value(arguments[2], lane)
                value = context.cast(builder, value, values.dtype, array.dtype)
                vector = builder.insert_element(vector, value, ir.Constant(ir.IntType(32), lane))
            place = builder.bitcast(builder.gep(data, [arguments[1]]), _WORDS.as_pointer())
            builder.store(builder.bitcast(vector, _WORDS), place, align=ALIGNMENT)
            return context.get_dummy_value()

        return types.void(array, start, values), generate

    def _over(view: Any, strides: Any) -> Any:
        interface = {
            "data": (view.ptr, False),
            "shape": view.shape,
            "strides": strides,
            "typestr": view.dtype.str,
            "version": 3,
        }
        return cuda.from_cuda_array_interface(interface, owner=view)

    def _place(context: Any, builder: Any, array: Any, arguments: Any) -> Any:
        view = context.make_array(array)(context, builder, arguments[0])
        return cgutils.get_item_pointer2(
            context,
            builder,
            view.data,
            cgutils.unpack_tuple(builder, view.shape),
            cgutils.unpack_tuple(builder, view.strides),
            array.layout,
            arguments[1:5],
            wraparound=False,
        )

    @intrinsic  # type: ignore[untyped-decorator]
    def _get(context: Any, array: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
        """The element at four indices, none of them negative."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            array = signature.args[0]
            return context.unpack_value(
                builder, array.dtype, _place(context, builder, array, arguments)
            )

        return array.dtype(array, a, b, c, d), generate

    @intrinsic  # type: ignore[untyped-decorator]
    def _put(context: Any, array: Any, a: Any, b: Any, c: Any, d: Any, value: Any) -> Any:
        """Write the element at four indices, none of them negative."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            array, value = signature.args[0], signature.args[5]
            place = _place(context, builder, array, arguments)
            cast = context.cast(builder, arguments[5], value, array.dtype)
            context.pack_value(builder, array.dtype, cast, place)
            return context.get_dummy_value()

        return types.void(array, a, b, c, d, value), generate

    def fused_operation(real: Any) -> Any:
        """The function (a, b, c) that rounds a b + c once."""
        return _fused

    def power_of_two_by(real: Any) -> Any:
        """The function that makes 2^n of a number with n + bias in its low bits."""
        return _power_of_two

    def memory_access(storage: Any) -> dict[str, Any]:
        """Reading and writing of a type: 16 bytes at once, and an element of four axes."""
        return {"load": _load, "store": _store, "get": _get, "put": _put}


def over_dlpack(array: Any, stream: int) -> Any:
    """An array over the memory of one that has DLPack's methods.

    Parameters
    ----------
    array : object
    stream : int
        The stream that shall wait for the producer's, as DLPack numbers it.
    """
    view = StridedMemoryView.from_dlpack(array, stream_ptr=stream)
    shape, steps = view.shape, view.strides
    if steps is None:
        steps = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
    return _over(view, tuple(step * view.dtype.itemsize for step in steps))


@contextmanager
def quietly() -> Iterator[None]:
    """Without Numba's warnings of few blocks, and the simulator's of infinities."""
    before = config.CUDA_LOW_OCCUPANCY_WARNINGS
    config.CUDA_LOW_OCCUPANCY_WARNINGS = 0
    try:
        with np.errstate(all="ignore"):
            yield
    finally:
        config.CUDA_LOW_OCCUPANCY_WARNINGS = before


def version() -> str:
    """The version of the compiler."""
    return str(numba_cuda.__version__)


def pickled(kernel: Any) -> bytes:
    """A compiled kernel as bytes."""
    return bytes(dumps(kernel))


def unpickled(data: bytes) -> Any:
    """The kernel that `pickled` took."""
    return pickle.loads(data)
