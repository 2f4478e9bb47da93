"""The GPU: kernels compiled by Numba, device arrays, and host arrays in overlapping chunks.

The only importer of numba.
"""

# Design:
# - Kernels and formulas are generated from the same text as the CPU's (src/generate_gpu.py). Here
#   stands what a formula is made of: the primitives, in the arithmetic of vecmath.h.
# - A kernel is compiled when it is first launched, for the device at hand.
# - Everything runs in the simulator too. Its arithmetic is NumPy's: fused operations are made of
#   wider ones there, so that the same primitives give the same results.
# - Contiguous arrays on 16-byte boundaries take kernels with 16-byte loads; every other layout is
#   brought to four axes and walked.

import math
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numba import config, cuda, types

from s3s4 import _formulas_gpu

SIMULATED = bool(config.ENABLE_CUDASIM)
if not SIMULATED:
    from llvmlite import ir
    from numba.cuda import cgutils
    from numba.cuda.extending import intrinsic

THREADS = 8 if SIMULATED else 256
BLOCKS_A_PROCESSOR = 8
ALIGNMENT = 16
AXES = 4
CHUNK, SMALLEST_CHUNK = 1 << 22, 1 << 16
"""Elements of a host array in flight at a time, and the fewest tried when memory runs out."""
FLOATS: dict[type[np.generic], type[np.generic]] = {
    np.float16: np.float32,
    np.float32: np.float32,
    np.float64: np.float64,
}
"""Types in memory, and the types of their arithmetic."""

# --- Primitives ---


class _Constants(NamedTuple):
    """What differs between the arithmetic of two types."""

    bits: type[np.signedinteger]
    mantissa: int
    bias: float
    shifter: float
    log2e: tuple[float, float]
    exp2: tuple[float, ...]
    highest: float
    smallest_scaled: float
    uniform: float
    factor: float
    cap: float


_h = float.fromhex
_CONSTANTS = {
    np.float32: _Constants(
        np.int32,
        23,
        127.0,
        _h("0x1.8p23"),
        (_h("0x1.715476p+0"), _h("0x1.4ae0cp-26")),
        (
            _h("0x1.486064p-13"),
            _h("0x1.5fe1a6p-10"),
            _h("0x1.3b250cp-7"),
            _h("0x1.c6ad6ep-5"),
            _h("0x1.ebfbe6p-3"),
            _h("0x1.62e432p-1"),
            1.0,
        ),
        2.0**100,
        2.0**-62,
        2.0**60,
        2.0**80,
        2.0**80,
    ),
    np.float64: _Constants(
        np.int64,
        52,
        1023.0,
        _h("0x1.8p52"),
        (_h("0x1.71547652b82fep+0"), _h("0x1.777d0ffda0d24p-56")),
        (
            _h("0x1.bdec58357517fp-32"),
            _h("0x1.e60af7eed4cf7p-28"),
            _h("0x1.b5433fe79b782p-24"),
            _h("0x1.62bfd21e8c97cp-20"),
            _h("0x1.ffcbed3be1549p-17"),
            _h("0x1.4309130a33665p-13"),
            _h("0x1.5d87fe7bf7cb6p-10"),
            _h("0x1.3b2ab6fba1afap-7"),
            _h("0x1.c6b08d7048dc4p-5"),
            _h("0x1.ebfbdff82c599p-3"),
            _h("0x1.62e42fefa39f3p-1"),
            1.0,
        ),
        2.0**1000,
        2.0**-958,
        2.0**500,
        2.0**560,
        2.0**600,
    ),
}
_REALS = {32: np.float32, 64: np.float64}


def _inline(function: Callable[..., Any]) -> Any:
    """A device function that is part of its caller."""
    return function if SIMULATED else cuda.jit(device=True, inline="always")(function)


def _primitives(real: Any, uniform: bool) -> tuple[Any, ...]:
    """Fused multiply-add, compensated addition and the primitives of formulas.py for a type."""
    c = _CONSTANTS[real]
    one, scaled_bias = real(1), real(c.bias + 64)
    shifter, scaled_shifter = real(c.shifter + c.bias), real(c.shifter + c.bias + 64)
    least = real(c.shifter)
    log2e, log2e_rest = real(c.log2e[0]), real(c.log2e[1])
    exp_cap = real(c.bias / c.log2e[0])
    highest, smallest, unit = real(c.highest), real(c.smallest_scaled), real(2.0**-64)
    limit, factor, cap = real(c.uniform), real(c.factor), real(c.cap)
    inverse = real(1 / c.factor)
    zero = real(0)
    wide = np.float64 if real is np.float32 else np.longdouble

    if SIMULATED:

        def fma(a: Any, b: Any, c: Any) -> Any:
            return real(wide(a) * wide(b) + wide(c))

        def power_of_two(shifted: Any) -> Any:
            return (shifted.view(c.bits) << c.bits(c.mantissa)).view(real)
    else:
        power_of_two, fma = _power_of_two, _fma

    # Numba types the bodies below anew for each call: an annotation would claim one type of many.
    if real is np.float32:
        p0, p1, p2, p3, p4, p5, p6 = map(real, c.exp2)

        @_inline
        def exp2(f):  # type: ignore[no-untyped-def]
            p = fma(p0, f, p1)
            p = fma(p, f, p2)
            p = fma(p, f, p3)
            p = fma(p, f, p4)
            p = fma(p, f, p5)
            return fma(p, f, p6)
    else:
        q0, q1, q2, q3, q4, q5, q6, q7, q8, q9, q10, q11 = map(real, c.exp2)

        @_inline
        def exp2(f):  # type: ignore[no-untyped-def]
            p = fma(q0, f, q1)
            p = fma(p, f, q2)
            p = fma(p, f, q3)
            p = fma(p, f, q4)
            p = fma(p, f, q5)
            p = fma(p, f, q6)
            p = fma(p, f, q7)
            p = fma(p, f, q8)
            p = fma(p, f, q9)
            p = fma(p, f, q10)
            return fma(p, f, q11)

    @_inline
    def finite(u):  # type: ignore[no-untyped-def]
        return highest if highest < u else u

    @_inline
    def unscaled(y):  # type: ignore[no-untyped-def]
        return (zero if abs(y) < smallest else y) * unit

    @_inline
    def exp_neg(u):  # type: ignore[no-untyped-def]
        v = exp_cap if exp_cap < u else u
        z = fma(-v, log2e, shifter)
        n = z - shifter
        f = fma(-v, log2e_rest, fma(-v, log2e, -n))
        return exp2(f) * power_of_two(z)

    @_inline
    def product_of_any(k, u):  # type: ignore[no-untyped-def]
        large = k > limit
        scaled = k * (inverse if large else one)
        scaled = cap if cap < scaled else scaled
        v = finite(u * (factor if large else one))
        high = scaled * log2e
        low = fma(scaled, log2e_rest, fma(scaled, log2e, -high))
        z = fma(-v, high, scaled_shifter)
        n = z - scaled_shifter
        f = fma(-v, low, fma(-v, high, -n))
        power = exp2(f) * power_of_two(z)
        return zero if z <= least else power

    @_inline
    def product_of_uniform(k, u):  # type: ignore[no-untyped-def]
        high = k * log2e
        low = fma(k, log2e_rest, fma(k, log2e, -high))
        most = finite(scaled_bias / high)
        v = most if most < u else u
        z = fma(-v, high, scaled_shifter)
        n = z - scaled_shifter
        f = fma(-v, low, fma(-v, high, -n))
        return exp2(f) * power_of_two(z)

    @_inline
    def add(high, low, term):  # type: ignore[no-untyped-def]
        total = high + term
        back = total - high
        return total, low + ((high - (total - back)) + (term - back))

    product = product_of_uniform if uniform else product_of_any
    return fma, add, exp_neg, product, unscaled, finite


if SIMULATED:

    def _vector_access(width: int, storage: Any) -> tuple[Any, Any]:
        def load(array: Any, start: int) -> tuple[Any, ...]:
            return tuple(array[start + lane] for lane in range(width))

        def store(array: Any, start: int, values: tuple[Any, ...]) -> None:
            for lane in range(width):
                array[start + lane] = storage(values[lane])

        return load, store

else:
    # Halves would be read four at a time: 16 bytes are always four words.
    _WORDS = ir.VectorType(ir.IntType(32), 4)

    # Numba ships no types for its decorator.
    @intrinsic  # type: ignore[untyped-decorator]
    def _fma(context: Any, a: Any, b: Any, c: Any) -> Any:
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
            shift = ir.Constant(bits, _CONSTANTS[_REALS[width]].mantissa)
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

    def _vector_access(width: int, storage: Any) -> tuple[Any, Any]:
        return _load, _store


@cache
def kernels(dtype: Any, uniform: bool) -> dict[str, Any]:
    """The Python text of the kernels of a type; `uniform`: parameters are numbers of usual size."""
    width = ALIGNMENT // np.dtype(dtype).itemsize
    load, store = _vector_access(width, dtype)
    real = FLOATS[dtype]
    build: Any = _formulas_gpu.build
    built: dict[str, Any] = build(
        cuda, _inline, dtype, real, load, store, _primitives(real, uniform), THREADS
    )
    return built


@cache
def _kernel(name: str, dtype: Any, uniform: bool) -> Any:
    return cuda.jit(kernels(dtype, uniform)[name])


@cache
def _total(dtype: Any) -> Any:
    """The kernel that adds the sums of all blocks: high and low parts, in order."""

    def total(partial, result):  # type: ignore[no-untyped-def]
        for slot in range(cuda.grid(1), partial.shape[0], cuda.gridsize(1)):
            sum_ = 0.0
            for piece in range(partial.shape[1]):
                sum_ += float(partial[slot, piece, 0]) + float(partial[slot, piece, 1])
            result[slot] = dtype(sum_)

    return cuda.jit(total)


# --- The device ---


class Unavailable(RuntimeError):
    """There is no GPU that works, and why."""


class Device(NamedTuple):
    """What was found."""

    name: str
    capability: str
    memory: int


@cache
def device() -> Device:
    """The current device, after one small kernel has run on it.

    Raises
    ------
    Unavailable
        If there is no driver, no device, or the kernel cannot be compiled or run.
    """
    if SIMULATED:
        return Device("Numba's simulator", "none", 0)
    try:
        found = cuda.get_current_device()
        memory = cuda.current_context().get_memory_info().total
    except Exception as error:
        raise Unavailable(f"no driver or no device: {_first_line(error)}") from error
    try:
        evaluate("s3", np.zeros(1, np.float32), [], [None])
    except Exception as error:
        raise Unavailable(
            "a kernel does not run; the driver may be older than the toolkit that numba-cuda found "
            f"(install s3s4[gpu-cu12] or a newer driver): {_first_line(error)}"
        ) from error
    name = found.name.decode() if isinstance(found.name, bytes) else str(found.name)
    return Device(name, "{}.{}".format(*found.compute_capability), int(memory))


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines()]
    return f"{type(error).__name__}: {' '.join(line for line in lines if line)[:300]}"


def _processors() -> int:
    return 1 if SIMULATED else int(cuda.get_current_device().MULTIPROCESSOR_COUNT)


@contextmanager
def _quietly() -> Iterator[None]:
    """Without warnings of few blocks, and in the simulator of infinities."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


# --- Arrays on the device ---


def _pointer(array: Any) -> int:
    return int(array._ary.ctypes.data if SIMULATED else array.device_ctypes_pointer.value or 0)


def _strided(array: Any, shape: Sequence[int], strides: Sequence[int]) -> Any:
    """The memory of an array under another shape and strides."""
    if SIMULATED:
        view = np.lib.stride_tricks.as_strided(array._ary, shape, strides)
        return type(array)(view)
    return type(array)(tuple(shape), tuple(strides), array.dtype, gpu_data=array.gpu_data)


def _broadcast_strides(array: Any, shape: Sequence[int]) -> list[int]:
    missing = len(shape) - len(array.shape)
    return [0] * missing + [
        0 if length == 1 and wanted != 1 else stride
        for length, stride, wanted in zip(array.shape, array.strides, shape[missing:], strict=True)
    ]


def _joined(
    shape: Sequence[int], strides: Sequence[list[int]]
) -> tuple[list[int], list[list[int]]]:
    """The same memory with as few axes as it takes: neighbours that run on are one."""
    lengths: list[int] = []
    kept: list[list[int]] = [[] for _ in strides]
    for axis, length in enumerate(shape):
        if length == 1:
            continue
        runs_on = lengths and all(
            one[-1] == s[axis] * length for one, s in zip(kept, strides, strict=True)
        )
        if runs_on:
            lengths[-1] *= length
        else:
            lengths.append(length)
        for one, s in zip(kept, strides, strict=True):
            one[len(lengths) - 1 :] = [s[axis]]
    return lengths, kept


def _padded(values: Sequence[int], count: int, filling: int) -> list[int]:
    return [filling] * (count - len(values)) + list(values)


def _is_flat(array: Any, shape: tuple[int, ...]) -> bool:
    return (
        tuple(array.shape) == shape
        and array.flags["C_CONTIGUOUS"]
        and _pointer(array) % ALIGNMENT == 0
    )


def _launch(
    function: str, arrays: Sequence[Any], outs: Sequence[Any], variables: int, stream: Any
) -> None:
    """Run a kernel over device arrays; numbers among them are shared parameters.

    The first `variables` arrays are never numbers.
    """
    shape = tuple(outs[0].shape)
    n = math.prod(shape)
    if n == 0:
        return
    dtype = outs[0].dtype.type
    real = FLOATS[dtype]
    parameters = arrays[variables:]
    numbers = [p for p in parameters if isinstance(p, np.generic)]
    usual = all(not abs(float(p)) > _CONSTANTS[real].uniform for p in numbers)
    flat = all(_is_flat(a, shape) for a in (*arrays, *outs) if not isinstance(a, np.generic))
    width = ALIGNMENT // np.dtype(dtype).itemsize
    form = None
    if flat and usual and len(numbers) == len(parameters):
        form = "shared"
    elif flat and not numbers:
        form = "full"
    if form:
        blocks = min(-(-n // (THREADS * width)), _processors() * BLOCKS_A_PROCESSOR)
        operands = [
            real(a) if isinstance(a, np.generic) else _strided(a, (n,), (a.dtype.itemsize,))
            for a in (*arrays, *outs)
        ]
        kernel = _kernel(f"{function}_{form}_{width}", dtype, form == "shared")
        kernel[blocks, THREADS, stream](n, *operands)
        return
    everything = [
        cuda.to_device(np.full(1, a, dtype), stream=stream) if isinstance(a, np.generic) else a
        for a in (*arrays, *outs)
    ]
    lengths, strides = _joined(shape, [_broadcast_strides(a, shape) for a in everything])
    if len(lengths) > AXES:
        raise ValueError(f"on the GPU an array may have {AXES} axes that do not run on")
    views = [
        _strided(a, _padded(lengths, AXES, 1), _padded(s, AXES, 0))
        for a, s in zip(everything, strides, strict=True)
    ]
    blocks = min(-(-n // THREADS), _processors() * BLOCKS_A_PROCESSOR)
    _kernel(f"{function}_walk", dtype, False)[blocks, THREADS, stream](n, *views)


def _stream_of(array: Any) -> Any:
    """The stream that an array's producer named, as `cuda.external_stream` takes it."""
    number = getattr(array, "__cuda_array_interface__", {}).get("stream")
    return cuda.external_stream(number) if number not in (None, 1, 2) else cuda.default_stream()


def _like(x: Any, shape: tuple[int, ...]) -> Any:
    """A new array of the library and dtype that x is of, on its device."""
    library = sys.modules.get(type(x).__module__.partition(".")[0])
    if library is not None and library.__name__ in ("cupy", "torch"):
        return x.new_empty(shape) if hasattr(x, "new_empty") else library.empty(shape, x.dtype)
    return cuda.device_array(shape, x.dtype)


def evaluate_on_device(
    function: str, x: Any, parameters: Sequence[Any], outs: Sequence[Any]
) -> tuple[Any, ...]:
    """Values of a function over arrays that are on the device, without leaving it.

    Parameters
    ----------
    function : str
        Its name in the table.
    x : device array
        Anything with ``__cuda_array_interface__``, of float16, float32 or float64.
    parameters : sequence
        Device arrays of the same dtype, or numbers.
    outs : sequence of device array or None
        Where to put the results; None allocates arrays of x's library.

    Returns
    -------
    tuple of device array

    Raises
    ------
    TypeError, ValueError
        If dtypes or shapes do not fit.
    """
    with _quietly():
        stream = _stream_of(x)
        arrays = [_operand("x", x, None)]
        dtype = arrays[0].dtype
        arrays += [_operand("a parameter", p, dtype) for p in parameters]
        shape = np.broadcast_shapes(*(np.shape(a) for a in arrays))
        results = tuple(_like(x, shape) if out is None else out for out in outs)
        targets = [_operand("out", result, dtype) for result in results]
        for target in targets:
            if tuple(target.shape) != shape:
                raise ValueError(f"out has shape {tuple(target.shape)}, the result has {shape}")
        _launch(function, arrays, targets, 1, stream)
    return results


def _operand(name: str, value: Any, dtype: Any) -> Any:
    """A device array as Numba sees it, or a number of a dtype."""
    if dtype is not None and isinstance(value, (int, float, np.generic)):
        return dtype.type(value)
    if SIMULATED and hasattr(value, "__cuda_ndarray__"):
        array = value
    elif hasattr(value, "__cuda_array_interface__"):
        array = cuda.as_cuda_array(value)  # waits for the producer's stream
    else:
        raise TypeError(f"{name} must be on the GPU as x is, not {type(value).__name__}")
    if array.dtype.type not in FLOATS or (dtype is not None and array.dtype != dtype):
        wanted = dtype or "float16, float32 or float64"
        raise TypeError(f"on the GPU {name} must be of {wanted}, not {array.dtype}")
    return array


def backward_on_device(
    name: str, grad_output: Any, x: Any, parameters: Sequence[Any]
) -> tuple[Any, ...]:
    """Gradients of x and of every parameter, on the device; sums are taken there too.

    Parameters
    ----------
    name : str
        The activation.
    grad_output, x : device array
        x of the shape of the result, grad_output broadcasting to it.
    parameters : sequence
        Device arrays or numbers.

    Returns
    -------
    tuple of device array
        A parameter that is a number gets an array of no axes.
    """
    function = f"{name}_backward"
    with _quietly():
        stream = _stream_of(x)
        array = _operand("x", x, None)
        dtype, shape = array.dtype, tuple(array.shape)
        gradient = _operand("grad_output", grad_output, dtype)
        given = [_operand("a parameter", p, dtype) for p in parameters]
        if np.broadcast_shapes(*(np.shape(a) for a in (array, gradient, *given))) != shape:
            raise ValueError("on the GPU x must have the shape of the result")
        grad_x = _like(x, shape)
        result = [grad_x, *(_like(x, np.shape(p)) for p in given)]
        scratch = [_operand("out", r, dtype) for r in result]
        reduced = [np.shape(p) != shape for p in given]
        if not any(reduced):
            _launch(function, [gradient, array, *given], scratch, 2, stream)
            return tuple(result)
        operands = [
            cuda.to_device(np.full(1, p, dtype), stream=stream) if isinstance(p, np.generic) else p
            for p in given
        ]
        for index, parameter in enumerate(given):
            _reduce(
                function, [gradient, array, *operands], scratch, index, np.shape(parameter), stream
            )
    return tuple(result)


def _reduce(
    function: str,
    arrays: Sequence[Any],
    results: Sequence[Any],
    index: int,
    parameter: tuple[int, ...],
    stream: Any,
) -> None:
    """The gradient of one parameter, summed to its shape; that of x comes with it."""
    x, dtype = arrays[1], arrays[1].dtype
    shape = tuple(x.shape)
    own = _padded(parameter, len(shape), 1)
    groups = [a for a, n in enumerate(own) if n > 1], [a for a, n in enumerate(own) if n == 1]
    strides = [_broadcast_strides(a, shape) for a in (*arrays, results[0])]
    lengths: list[int] = []
    views: list[list[int]] = [[] for _ in strides]
    for axes in groups:
        joined, kept = _joined([shape[a] for a in axes], [[s[a] for a in axes] for s in strides])
        if len(joined) > AXES // 2:
            raise ValueError("on the GPU a parameter may be broadcast along two axes at most")
        lengths += _padded(joined, AXES // 2, 1)
        for view, s in zip(views, kept, strict=True):
            view += _padded(s, AXES // 2, 0)
    kept_size, summed = lengths[0] * lengths[1], lengths[2] * lengths[3]
    pieces = max(1, min(-(-summed // THREADS), _processors() * BLOCKS_A_PROCESSOR // kept_size))
    partial = [
        cuda.device_array((kept_size, pieces, 2), FLOATS[dtype.type], stream=stream)
        for _ in results[1:]
    ]
    operands = [_strided(a, lengths, s) for a, s in zip((*arrays, results[0]), views, strict=True)]
    blocks = min(kept_size, _processors() * BLOCKS_A_PROCESSOR)
    _kernel(f"{function}_reduce", dtype.type, False)[(blocks, pieces), THREADS, stream](
        kept_size, summed, *operands, *partial
    )
    flat = _strided(results[1 + index], (kept_size,), (dtype.itemsize,))
    _total(dtype.type)[-(-kept_size // THREADS), THREADS, stream](partial[index], flat)


# --- Arrays of the host ---


class _Slot:
    """A stream with buffers for one chunk: pinned ones of the host, and those of the device."""

    def __init__(self, dtype: np.dtype, count: int, chunk: int) -> None:
        self.stream = cuda.stream()
        try:
            self.host = [cuda.pinned_array(chunk, dtype) for _ in range(count)]
        except Exception:  # pinned memory is scarce, and pageable memory works
            self.host = [np.empty(chunk, dtype) for _ in range(count)]
        self.device = [cuda.device_array(chunk, dtype, stream=self.stream) for _ in range(count)]
        self.waiting: tuple[slice, Sequence[np.ndarray]] | None = None

    def finish(self) -> None:
        """Hand over what was computed here last."""
        if self.waiting is None:
            return
        part, results = self.waiting
        self.stream.synchronize()
        for result, buffer in zip(results, self.host[-len(results) :], strict=True):
            result[part] = buffer[: part.stop - part.start]
        self.waiting = None


_slots: dict[tuple[np.dtype, int], tuple[int, list[_Slot]]] = {}
_lock = threading.Lock()


def _out_of_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError) or "OUT_OF_MEMORY" in str(error).upper()


def _ring(dtype: np.dtype, count: int, n: int) -> tuple[int, list[_Slot]]:
    """Two slots, and the chunk they have room for."""
    wanted = min(CHUNK, max(SMALLEST_CHUNK, n))
    known = _slots.get((dtype, count))
    if known and known[0] >= wanted:
        return known
    _slots.pop((dtype, count), None)
    while True:
        try:
            ring = wanted, [_Slot(dtype, count, wanted) for _ in range(2)]
        except Exception as error:
            if not _out_of_memory(error):
                raise
            ring = None
        # Outside the handler: what failed has let go of its memory here.
        if ring is not None:
            _slots[dtype, count] = ring
            return ring
        if wanted <= SMALLEST_CHUNK:
            raise MemoryError("the GPU has no memory for the smallest chunk")
        wanted = max(SMALLEST_CHUNK, wanted // 2)


def evaluate(
    function: str, x: np.ndarray, parameters: Sequence[Any], outs: Sequence[Any]
) -> tuple[np.ndarray, ...]:
    """Values of a function over host arrays, in chunks that are copied while others are computed.

    Parameters
    ----------
    function : str
        Its name in the table.
    x : ndarray
        Of float16, float32 or float64.
    parameters : sequence of array_like
        They are cast to the dtype of x.
    outs : sequence of ndarray or None
        Where to put the results; None allocates.

    Returns
    -------
    tuple of ndarray

    Raises
    ------
    MemoryError
        If the device has no room for the smallest chunk.
    """
    dtype = x.dtype.newbyteorder("=")
    given = [np.asarray(p, dtype) for p in parameters]
    shape = np.broadcast_shapes(x.shape, *(p.shape for p in given))
    arrays = [np.ascontiguousarray(np.broadcast_to(x, shape)).reshape(-1)]
    operands: list[Any] = []
    # One kernel takes either numbers or arrays: a single array makes arrays of all of them.
    for p in given:
        if all(q.ndim == 0 for q in given):
            operands.append(p[()])
        else:
            arrays.append(np.ascontiguousarray(np.broadcast_to(p, shape)).reshape(-1))
    results = tuple(np.empty(shape, dtype) if out is None else out for out in outs)
    direct = [r.flags.c_contiguous and r.dtype == dtype for r in results]
    targets = [
        (r if ok else np.empty(shape, dtype)).reshape(-1)
        for r, ok in zip(results, direct, strict=True)
    ]
    with _lock, _quietly():
        _pipeline(function, dtype, arrays, operands, targets)
    for result, target, ok in zip(results, targets, direct, strict=True):
        if not ok:
            result[...] = target.reshape(shape)
    return results


def _pipeline(
    function: str,
    dtype: np.dtype,
    arrays: Sequence[np.ndarray],
    numbers: Sequence[Any],
    targets: Sequence[np.ndarray],
) -> None:
    n = targets[0].size
    chunk, slots = _ring(dtype, len(arrays) + len(targets), n)
    try:
        for turn, start in enumerate(range(0, n, chunk)):
            slot = slots[turn % len(slots)]
            slot.finish()
            part = slice(start, min(start + chunk, n))
            length = part.stop - part.start
            on_device = [d[:length] for d in slot.device]
            for array, host, there in zip(arrays, slot.host, on_device, strict=False):
                host[:length] = array[part]
                there.copy_to_device(host[:length], stream=slot.stream)
            inputs, outputs = on_device[: len(arrays)], on_device[len(arrays) :]
            _launch(function, [*inputs, *numbers], outputs, 1, slot.stream)
            for there, host in zip(outputs, slot.host[len(arrays) :], strict=True):
                there.copy_to_host(host[:length], stream=slot.stream)
            slot.waiting = part, targets
        for slot in slots:
            slot.finish()
    finally:
        # After an error nothing may be handed to a later call's arrays.
        for slot in slots:
            slot.waiting = None


def backward(
    name: str, grad_output: np.ndarray, x: np.ndarray, parameters: Sequence[np.ndarray]
) -> tuple[np.ndarray, ...]:
    """As `backward_on_device`, for host arrays of one dtype: copied there and back."""
    shape = np.broadcast_shapes(x.shape, *(p.shape for p in parameters))
    with _lock, _quietly():
        gradient, there = (cuda.to_device(np.ascontiguousarray(a)) for a in (grad_output, x))
        if x.shape != shape:
            raise ValueError("on the GPU x must have the shape of the result")
        given = [cuda.to_device(np.ascontiguousarray(p)) if p.ndim else p[()] for p in parameters]
        gradients = backward_on_device(name, gradient, there, given)
        return tuple(np.asarray(g.copy_to_host()) for g in gradients)


# --- How fast it is ---


def bandwidth(
    function: str, dtype: Any, size: int, parameters: Sequence[Any]
) -> tuple[float, float]:
    """Bytes a second that a function of one output moves on the device, and that a copy moves.

    Parameters
    ----------
    function : str
        Its name in the table.
    dtype : type
    size : int
        Elements.
    parameters : sequence of float

    Returns
    -------
    of_function, of_copy : float
    """
    x = cuda.to_device(np.linspace(-10, 10, size).astype(dtype))
    out = cuda.device_array(size, dtype)
    moved = 2 * x.size * x.dtype.itemsize
    computing = _seconds(lambda: evaluate_on_device(function, x, parameters, [out]))
    return moved / computing, moved / _seconds(lambda: out.copy_to_device(x))


def _seconds(call: Callable[[], object]) -> float:
    """The least time of a call, of several draws of several calls each."""
    call()
    calls, least = 10, math.inf
    for _ in range(5):
        cuda.synchronize()
        start = time.perf_counter()
        for _ in range(calls):
            call()
        cuda.synchronize()
        least = min(least, (time.perf_counter() - start) / calls)
    return least
