"""Reading and writing of memory in kernels, as Numba compiles it and as its simulator does it.

Design:
- 16 bytes at once, and elements of strided arrays without Python's negative indices, are written in
  LLVM's terms: Numba has no Python for them.
- bfloat16 is 16 bits of memory to Numba and to the simulator, and a float wherever it is computed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from s3s4._gpu.toolchain import ALIGNMENT, SIMULATED, inline


class bfloat16:
    """The type of numbers that are the upper half of a float32."""

    dtype = np.dtype(np.uint16)
    """What NumPy and Numba take it for."""


@dataclass(frozen=True)
class Narrow:
    """bfloat16 in the place of a dtype."""

    type: type = bfloat16
    itemsize: int = 2

    def __str__(self) -> str:
        return "bfloat16"


BFLOAT16 = Narrow()


def memory_access(storage: Any) -> dict[str, Any]:
    """Reading and writing of a type, and what makes numbers of it and of them.

    16 bytes at once, an element, or 16 bytes of four axes, each as it lies in memory; `wide` makes
    a number of an element, and `storage` an element of a number, as everything that writes does.
    """
    at = _access(storage)
    if storage is not bfloat16:
        return {**at, "storage": storage}
    put, store, store_line = at["put"], at["store"], at["store_line"]

    @inline
    def put_narrow(array: Any, a: Any, b: Any, c: Any, d: Any, value: Any) -> None:
        put(array, a, b, c, d, to_bits(value))

    @inline
    def eight(v: Any) -> Any:
        return (
            to_bits(v[0]), to_bits(v[1]), to_bits(v[2]), to_bits(v[3]),
            to_bits(v[4]), to_bits(v[5]), to_bits(v[6]), to_bits(v[7]),
        )  # fmt: skip

    @inline
    def store_narrow(array: Any, start: Any, values: Any) -> None:
        store(array, start, eight(values))

    @inline
    def store_line_narrow(array: Any, a: Any, b: Any, c: Any, d: Any, values: Any) -> None:
        store_line(array, a, b, c, d, eight(values))

    narrow = {"put": put_narrow, "store": store_narrow, "store_line": store_line_narrow}
    return {**at, **narrow, "storage": to_bits}


if SIMULATED:

    def _number_of(bits: Any) -> Any:
        """The number of a bfloat16."""
        return np.uint32(int(bits) << 16).view(np.float32)

    def _bits_of(value: Any) -> Any:
        """The bfloat16 that is nearest, the even one of two."""
        if value != value:
            return np.uint16(0x7FC0)
        bits = int(np.float32(value).view(np.uint32))
        return np.uint16((bits + 0x7FFF + (bits >> 16 & 1)) >> 16)

    of_bits: Callable[..., Any] = _number_of
    to_bits: Callable[..., Any] = _bits_of

    def _access(storage: Any) -> dict[str, Any]:
        storage = np.dtype(storage).type
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

        def lanes(array: Any, *place: int) -> Any:
            host = getattr(array, "_item", array)._ary
            start = host[tuple(slice(i, None) for i in place)]
            return np.lib.stride_tricks.as_strided(start, (width,), (host.itemsize,))

        def load_line(array: Any, a: int, b: int, c: int, d: int) -> tuple[Any, ...]:
            return tuple(lanes(array, a, b, c, d))

        def store_line(array: Any, a: int, b: int, c: int, d: int, values: Any) -> None:
            lanes(array, a, b, c, d)[:] = [storage(value) for value in values]

        at = {"get": get, "put": put, "load_line": load_line, "store_line": store_line}
        return {"load": load, "store": store, **at}

else:
    from s3s4._gpu.toolchain import cgutils, intrinsic, ir, types

    _WORDS = ir.VectorType(ir.IntType(32), 4)
    _SHORT = ir.IntType(16)

    def _lanes(count: int) -> list[Any]:
        return [ir.Constant(ir.IntType(32), lane) for lane in range(count)]

    # A vector of eight halves would be moved as two of four: they are taken from words by hand.
    def _parts(builder: Any, words: Any, item: Any, count: int) -> list[Any]:
        """The numbers in four words."""
        if count != 8:
            vector = builder.bitcast(words, ir.VectorType(item, count))
            return [builder.extract_element(vector, lane) for lane in _lanes(count)]
        halves = []
        for lane in _lanes(4):
            word = builder.extract_element(words, lane)
            high = builder.lshr(word, ir.Constant(word.type, 16))
            halves += [builder.bitcast(builder.trunc(w, _SHORT), item) for w in (word, high)]
        return halves

    def _words(builder: Any, parts: Sequence[Any], item: Any) -> Any:
        """Four words of numbers."""
        count = len(parts)
        if count != 8:
            vector = ir.Constant(ir.VectorType(item, count), ir.Undefined)
            for part, lane in zip(parts, _lanes(count), strict=True):
                vector = builder.insert_element(vector, part, lane)
            return builder.bitcast(vector, _WORDS)
        words = ir.Constant(_WORDS, ir.Undefined)
        bits = [builder.zext(builder.bitcast(part, _SHORT), _WORDS.element) for part in parts]
        for lane, low, high in zip(_lanes(4), bits[::2], bits[1::2], strict=True):
            word = builder.or_(low, builder.shl(high, ir.Constant(_WORDS.element, 16)))
            words = builder.insert_element(words, word, lane)
        return words

    def _read(context: Any, builder: Any, array: Any, place: Any) -> Any:
        """As many elements as 16 bytes hold, read at once."""
        item = context.get_data_type(array.dtype)
        words = builder.load(builder.bitcast(place, _WORDS.as_pointer()), align=ALIGNMENT)
        return cgutils.pack_array(builder, _parts(builder, words, item, _width(array)))

    def _write(context: Any, builder: Any, array: Any, place: Any, values: Any, tuple_: Any) -> Any:
        """A tuple of numbers of 16 bytes in all, written at once."""
        item = context.get_data_type(array.dtype)
        parts = [
            context.cast(builder, builder.extract_value(tuple_, lane), values.dtype, array.dtype)
            for lane in range(values.count)
        ]
        words = _words(builder, parts, item)
        builder.store(words, builder.bitcast(place, _WORDS.as_pointer()), align=ALIGNMENT)
        return context.get_dummy_value()

    def _width(array: Any) -> int:
        return ALIGNMENT * 8 // int(array.dtype.bitwidth)

    @intrinsic
    def _load(context: Any, array: Any, start: Any) -> Any:
        """16 bytes of a flat array."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            array = signature.args[0]
            data = context.make_array(array)(context, builder, arguments[0]).data
            return _read(context, builder, array, builder.gep(data, [arguments[1]]))

        return types.UniTuple(array.dtype, _width(array))(array, start), generate

    @intrinsic
    def _store(context: Any, array: Any, start: Any, values: Any) -> Any:
        """16 bytes of a flat array."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            array, _, values = signature.args
            data = context.make_array(array)(context, builder, arguments[0]).data
            place = builder.gep(data, [arguments[1]])
            return _write(context, builder, array, place, values, arguments[2])

        return types.void(array, start, values), generate

    def _place(context: Any, builder: Any, array: Any, arguments: Any) -> Any:
        """The address of an element, without the detour by integers that hides global memory."""
        view = context.make_array(array)(context, builder, arguments[0])
        offset = ir.Constant(ir.IntType(64), 0)
        strides = cgutils.unpack_tuple(builder, view.strides)
        for index, stride in zip(arguments[1:5], strides, strict=True):
            if index.type.width == 64:
                offset = builder.add(offset, builder.mul(index, stride))
            else:
                # One instruction, which the compiler does not find once it has widened a stride.
                narrow = builder.trunc(stride, index.type)
                kind = ir.FunctionType(offset.type, [index.type, narrow.type, offset.type])
                wide = ir.InlineAsm(kind, "mad.wide.s32 $0, $1, $2, $3;", "=l,r,r,l")
                offset = builder.call(wide, [index, narrow, offset])
        start = builder.bitcast(view.data, ir.IntType(8).as_pointer())
        return builder.bitcast(builder.gep(start, [offset]), view.data.type)

    @intrinsic
    def _get(context: Any, array: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
        """The element at four indices, none of them negative."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            array = signature.args[0]
            return context.unpack_value(
                builder, array.dtype, _place(context, builder, array, arguments)
            )

        return array.dtype(array, a, b, c, d), generate

    @intrinsic
    def _put(context: Any, array: Any, a: Any, b: Any, c: Any, d: Any, value: Any) -> Any:
        """Write the element at four indices, none of them negative."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            array, value = signature.args[0], signature.args[5]
            place = _place(context, builder, array, arguments)
            cast = context.cast(builder, arguments[5], value, array.dtype)
            context.pack_value(builder, array.dtype, cast, place)
            return context.get_dummy_value()

        return types.void(array, a, b, c, d, value), generate

    @intrinsic
    def _load_line(context: Any, array: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
        """16 bytes that start at four indices, none of them negative."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            array = signature.args[0]
            return _read(context, builder, array, _place(context, builder, array, arguments))

        return types.UniTuple(array.dtype, _width(array))(array, a, b, c, d), generate

    @intrinsic
    def _store_line(context: Any, array: Any, a: Any, b: Any, c: Any, d: Any, values: Any) -> Any:
        """16 bytes that start at four indices, none of them negative."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            array, values = signature.args[0], signature.args[5]
            place = _place(context, builder, array, arguments)
            return _write(context, builder, array, place, values, arguments[5])

        return types.void(array, a, b, c, d, values), generate

    _WORD = ir.IntType(32)

    def _word(value: int) -> Any:
        return ir.Constant(_WORD, value)

    @intrinsic
    def _number_of_bits(context: Any, bits: Any) -> Any:
        """The number of a bfloat16."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            word = builder.shl(builder.zext(arguments[0], _WORD), _word(16))
            return builder.bitcast(word, ir.FloatType())

        return types.float32(bits), generate

    @intrinsic
    def _nearest_bits(context: Any, value: Any) -> Any:
        """The bfloat16 that is nearest, the even one of two."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            number = context.cast(builder, arguments[0], signature.args[0], types.float32)
            word = builder.bitcast(number, _WORD)
            odd = builder.and_(builder.lshr(word, _word(16)), _word(1))
            rounded = builder.lshr(builder.add(word, builder.add(odd, _word(0x7FFF))), _word(16))
            is_nan = builder.fcmp_unordered("uno", number, number)
            chosen = builder.select(is_nan, _word(0x7FC0), rounded)
            return builder.trunc(chosen, _SHORT)

        return types.uint16(value), generate

    of_bits = _number_of_bits
    to_bits = _nearest_bits

    def _access(storage: Any) -> dict[str, Any]:
        at = {"get": _get, "put": _put, "load_line": _load_line, "store_line": _store_line}
        return {"load": _load, "store": _store, **at}
