"""Run in an interpreter of its own: everything of the GPU, in Numba's simulator.

Results are compared with the CPU's, whose errors tests/test_accuracy.py bounds. Prints for each
part what it compared, or how it failed, as JSON; test_gpu.py starts it.
"""

import itertools
import json
import pickle
import sys
import threading
import traceback
import types
import warnings

import numpy as np
import pytest
from numba import cuda

import accuracy
import oracle
import row_reference
import s3s4
from s3s4 import _cpu, _devices, _gpu
from s3s4._gpu import foreign, launches, on_host, stored, toolchain
from s3s4._gpu import rows as rows_on_gpu
from s3s4._gpu import sums as sums_of_gradients
from s3s4._gpu.kernels import THREADS, width
from s3s4._measured import cache as _cache
from support import (
    ACTIVATION_KINDS,
    ACTIVATIONS,
    UFUNC_KINDS,
    UFUNCS,
    assert_neighbours,
    assert_same_bits,
    inputs,
    outputs,
)

DTYPES = (np.float16, np.float32, np.float64)
# Where the CPU has no fused operations it rounds differently.
FUSED = _cpu.variant.name in ("avx512", "avx2")
BOUNDS = (row_reference.VALUE_EPS, row_reference.PRODUCT_EPS)
POINTS = 24
SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-8, -1e-8, 30000.0, -30000.0]


def assert_close(actual, expected, scale=1):
    """The same numbers where the CPU fuses operations too, else a few units of rounding.

    A fused operation in double is made of long doubles in the simulator, and rounded twice. A
    quotient of floats may be the other of two neighbours that are equally near, to within 2^-24.
    float16 is computed by shorter steps, whose errors show where terms cancel.
    """
    units = {np.float32: 2, np.float64: 64}
    for one, other in zip(outputs(actual), outputs(expected), strict=True):
        if one.dtype == np.float16:
            assert_neighbours(one, other, scale)
            continue
        eps = np.finfo(one.dtype).eps
        tolerance = eps * (units[one.dtype.type] if FUSED else 64)
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance * scale, strict=True)


def parameters_of(name):
    return UFUNCS[name].nin - 1


def examples():
    """One function of each number of inputs and outputs: where memory matters and not the maths."""
    return [ufunc.__name__ for ufunc in UFUNC_KINDS]


def on_gpu(name, x, *given):
    results = _gpu.evaluate(name, np.asarray(x), given, [None] * UFUNCS[name].nout)
    return results if len(results) > 1 else results[0]


def values():
    """All functions and dtypes, with parameters that are numbers and arrays."""
    compared = 0
    for name, dtype in itertools.product(UFUNCS, DTYPES):
        count = parameters_of(name)
        x, *others = inputs(1 + count, 33, dtype)
        x[: len(SPECIAL)] = SPECIAL
        others = [np.abs(other) for other in others]  # some are meant for positive ones alone
        for given in ([dtype(2.5)] * count, others) if count else ([],):
            assert_close(on_gpu(name, x, *given), UFUNCS[name](x, *given))
            compared += 1
    return compared


def lengths():
    """As many elements as a vector holds, a thread, a block; one more and one less; none."""
    compared = 0
    for name, dtype in itertools.product(examples(), DTYPES):
        count = parameters_of(name)
        block = THREADS * width(dtype)
        for n in (0, 1, 2, 3, 7, 8, 9, 15, block - 1, block, block + 1):
            x, *others = inputs(1 + count, n, dtype)
            for given in ([dtype(2.5)] * count, others) if count else ([],):
                assert_close(on_gpu(name, x, *given), UFUNCS[name](x, *given))
                compared += 1
    return compared


def errors():
    """Against 50 digits: what the CPU is allowed, through the kernels' own steps."""
    compared = 0
    for name, dtype in itertools.product(UFUNCS, map(np.dtype, DTYPES)):
        activation, wanted = oracle.UFUNCS[name]
        columns = accuracy.columns(activation, dtype, 4)
        chosen = np.random.default_rng(5).choice(columns[0].size, POINTS)
        points = tuple(column[chosen] for column in columns)
        for wrt, computed in zip(wanted, outputs(on_gpu(name, *points)), strict=True):
            exact = accuracy.in_range(oracle.exact(activation, wrt, *points), dtype)
            error = accuracy.deviation(computed, exact)
            allowed = np.where(error > 0, accuracy.tolerance(exact, dtype), 1)
            excess = error / allowed
            worst = np.argmax(excess)
            at = [column[worst] for column in points]
            assert excess[worst] <= 1, f"{name} {dtype} at {at}: {excess[worst]} of what is allowed"
            compared += 1
    return compared


def hard_parameters():
    """Zero, negative, huge and non-finite parameters, as numbers and as arrays."""
    compared = 0
    points = np.array([*SPECIAL, 0.3, -0.3, 12.5, -12.5])
    hard = np.array([0.0, -2.5, 1e4, 1e30, np.inf, -np.inf, np.nan])
    for name, dtype in itertools.product(["s4", "s4_dx", "s4_dk", "s4_value_dx"], DTYPES):
        count = parameters_of(name)
        with np.errstate(over="ignore"):
            x, *given = (a.astype(dtype) for a in np.meshgrid(points, *[hard] * count))
        assert_close(on_gpu(name, x, *given), UFUNCS[name](x, *given))
        compared += 1
        for k in given[0][:, 0] if name in examples() else ():
            same = [k] * count
            assert_close(on_gpu(name, x[0], *same), UFUNCS[name](x[0], *same))
            compared += 1
    return compared


def nan_parameters():
    """NaN in any input, as a number and as an array, gives NaN."""
    compared = 0
    x = np.array([-9.0, -1.0, -0.0, 0.0, 0.25, 1.0, 9.0, np.inf, -np.inf], np.float32)
    for name in UFUNCS:
        for place in range(parameters_of(name)):
            given = [np.full_like(x, value) for value in (0.5, 2.0)[: parameters_of(name)]]
            given[place][:] = np.nan
            for parameters in (given, [column[0] for column in given]):
                for result in outputs(on_gpu(name, x, *parameters)):
                    assert np.isnan(result).all(), (name, place)
                    compared += 1
    return compared


def layouts(dtypes=DTYPES):
    """Strides, broadcasting, odd addresses and out, on the device without leaving it."""
    compared = 0
    for name, dtype in itertools.product(examples(), dtypes):
        ufunc, count = UFUNCS[name], parameters_of(name)
        x, k = inputs(2, (4, 3, 6), dtype)
        base = np.zeros(41, dtype)
        base[1:] = np.linspace(-4, 4, 40)
        cases = [
            (x[::2, :, ::3], dtype(1.5)),
            (x.T, dtype(1.5)),
            (x[::-1], k[::-1]),
            (x, k[0, 0]),
            (x, k[0, :, :1]),
            (x[:, :1, :], k),
            (base[1:], dtype(1.5)),
            (base[1:], base[1:]),
            (x[1, 1, 1], dtype(1.5)),
            (x[:, :0], dtype(1.5)),
        ]
        for one, other in cases:
            given = [other] * count
            expected = ufunc(one, *given)
            there = [view(a) if isinstance(a, np.ndarray) else a for a in (one, *given)]
            if isinstance(one, np.generic):
                there[0] = view(np.asarray(one))
            actual = _gpu.evaluate_on_device(name, there[0], there[1:], [None] * ufunc.nout)
            host = tuple(np.asarray(a.copy_to_host()) for a in actual)
            assert_close(host, tuple(map(np.asarray, outputs(expected))))
            compared += 1
    return compared


def rows(dtypes=(np.float32,)):
    """Rows of a thread, of several, of several pieces; along every axis, and the bounds."""
    compared = 0
    before = rows_on_gpu.SHORT, rows_on_gpu.PIECE
    rows_on_gpu.SHORT, rows_on_gpu.PIECE = 4, 16
    try:
        for name, dtype in itertools.product(s3s4._rows.row_activations, dtypes):
            for shape, axis in (((9, 3), 1), ((5, 9), 0), ((2, 40), 1)):
                x, grad = (row_reference.sample(shape, dtype, seed) for seed in (0, 1))
                activation = s3s4.get(name)
                results = (
                    activation(cuda.to_device(x), axis),
                    activation.backward(cuda.to_device(grad), cuda.to_device(x), axis),
                )
                rows = (np.moveaxis(a, axis, -1) for a in (x, grad))
                for result, (expected, size), most in zip(
                    results, row_reference.exact(name, *rows), BOUNDS, strict=True
                ):
                    actual = np.moveaxis(result.copy_to_host(), axis, -1)
                    assert row_reference.errors(actual, expected, size).max() <= most
                    compared += 1
    finally:
        rows_on_gpu.SHORT, rows_on_gpu.PIECE = before
    return compared


def wide():
    """The same with indices of 64 bits, as axes beyond 2^30 need them."""
    before, launches.NARROW = launches.NARROW, 0
    forgotten()
    try:
        return layouts([np.float32]) + gradients([np.float32], ACTIVATION_KINDS)
    finally:
        launches.NARROW = before
        forgotten()


def forgotten():
    """Forget which layouts take which indices."""
    launches._planned.cache_clear()
    sums_of_gradients._planned.cache_clear()


def view(array):
    """An array of the simulated device with the strides of an array of the host."""
    there = cuda.to_device(np.zeros(1, array.dtype))
    return type(there)(array)


def gradients(dtypes=DTYPES, activations=ACTIVATIONS):
    """Sums on the device: every shape of a parameter, and every activation."""
    compared = 0
    for activation, dtype in itertools.product(activations, dtypes):
        if activation not in ACTIVATION_KINDS and dtype is not np.float32:
            continue
        g, x = inputs(2, (3, 2, 4), dtype)
        shapes = [(), (4,), (2, 1), (3, 1, 1), (1, 2, 4), (3, 2, 4)]
        if activation not in ACTIVATION_KINDS or not activation.parameters:
            shapes = shapes[:1]
        for shape in shapes:
            given = [np.full(shape, 1.25, dtype) for _ in activation.parameters]
            expected = activation.backward(g, x, *given)
            actual = activation.backward(g, x, *given, device="gpu")
            assert_close(actual, expected, scale=64)
            for one, other in zip(outputs(actual), outputs(expected), strict=True):
                assert np.shape(one) == np.shape(other)
            compared += 1
            if activation not in ACTIVATION_KINDS:
                continue
            there = activation.backward(*map(cuda.to_device, (g, x, *given)))
            for one, other in zip(outputs(there), outputs(actual), strict=True):
                assert_same_bits(np.asarray(one.copy_to_host()), np.asarray(other))
    return compared


def sums():
    """Many blocks, sums that are infinite, and none at all."""
    x = np.linspace(-3, 3, 120, dtype=np.float32).reshape(5, 24)
    for shape in ((), (24,), (5, 1)):
        k = np.full(shape, 2.0, np.float32)
        expected = s3s4.s4.backward(x.astype(float), x.astype(float), k.astype(float))[1]
        actual = s3s4.s4.backward(x, x, k, device="gpu")[1]
        np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=1e-6)
    g = np.ones_like(x)
    g[3, 17] = np.inf
    for shape in ((), (24,)):
        k = np.full(shape, 2.0, np.float32)
        one, other = (s3s4.s4.backward(g, x, k, device=d)[1] for d in ("cpu", "gpu"))
        np.testing.assert_array_equal(np.isfinite(one), np.isfinite(other))
        np.testing.assert_array_equal(one[()], other[()]) if shape == () else None
    none = x[:0]
    for k in (np.float32(2), np.full(24, 2, np.float32), np.full((1, 1), 2, np.float32)):
        gradient = s3s4.s4.backward(none, none, k, device="gpu")[1]
        assert_same_bits(np.asarray(gradient), np.zeros(np.shape(k), np.float32))
    return 8


def libraries():
    """Arrays of a library that speaks DLPack alone: in, out, on the stream it is asked for."""
    x = inputs(1, (5, 7), np.float32)[0]
    there = Foreign(x.copy())
    for call in (s3s4.s4, s3s4.s4.derivative):
        result = call(there)
        assert type(result) is Foreign
        assert_close(result.array, call(x))
    assert there.streams == {1}, "the producer was not told of CUDA's default stream"
    out = Foreign(np.empty_like(x))
    assert s3s4.s4(there, 2.0, out=out) is out
    assert_close(out.array, s3s4.s4(x, 2.0))
    assert_close(s3s4.s4(Foreign(x.T)).array, s3s4.s4(x.T))
    gradient, by_k = s3s4.s4.backward(Foreign(x), there, np.float32(2))
    for one, other in zip((gradient, by_k), s3s4.s4.backward(x, x, np.float32(2)), strict=True):
        assert_close(one.array, np.asarray(other), scale=64)
    return 6


def blocks():
    """Dask's blocks of another library's arrays: each is computed where it lies."""
    import dask
    import dask.array

    x = inputs(1, (6, 7), np.float32)[0]
    parts = [
        dask.array.from_delayed(dask.delayed(Foreign)(part), part.shape, meta=x[:0])
        for part in (x[:4], x[4:])
    ]
    lazy = dask.array.concatenate(parts)
    for call in (s3s4.s4, s3s4.softmax):
        mapped = lazy.map_blocks(call, dtype=x.dtype, meta=x[:0])
        found = dask.compute(*mapped.to_delayed().ravel(), scheduler="synchronous")
        assert all(type(one) is Foreign for one in found)
        actual = np.concatenate([one.array for one in found])
        np.testing.assert_allclose(actual, call(x), rtol=1e-6)
    return 2


def streams():
    """Which stream an array is worked on, by what its library tells."""

    class Interface:
        def __init__(self, **more):
            shown = {"data": (64, True), "shape": (3, 2), "typestr": "<f4", "version": 3}
            self.__cuda_array_interface__ = {**shown, **more}

        def __dlpack_device__(self):
            return 2, 0

    torch = types.ModuleType("torch")
    current = types.SimpleNamespace(cuda_stream=5678)
    torch.cuda = types.SimpleNamespace(current_stream=lambda device: current)
    known = {
        "data_ptr": lambda self: 64,
        "stride": lambda self: (1, 3),
        "element_size": lambda self: 2,
        "shape": (3, 2),
        "dtype": "torch.float16",
        "device": types.SimpleNamespace(index=2),
    }
    tensor = type("Tensor", (Interface,), {"__module__": "torch", **known})()
    before = sys.modules.get("torch")
    foreign.SIMULATED, sys.modules["torch"] = False, torch
    try:
        for more, stream in (({}, 1), ({"stream": 1}, 1), ({"stream": 2}, 2), ({"stream": 99}, 99)):
            shown = foreign.described("x", Interface(**more))
            assert (shown.stream, shown.is_awaited, shown.is_read_only) == (stream, False, True)
            assert (shown.shape, shown.strides) == ((3, 2), (8, 4))
        shown = foreign.described("x", tensor)
        assert (shown.stream, shown.device, shown.strides) == (5678, 2, (2, 6))
        assert shown.dtype == np.float16
        current.cuda_stream = 0
        assert foreign.described("x", tensor).stream == 1
    finally:
        foreign.SIMULATED = True
        del sys.modules["torch"]
        if before:
            sys.modules["torch"] = before
    by_dlpack = foreign.described("x", Foreign(np.zeros(3)))
    assert (by_dlpack.stream, by_dlpack.is_awaited) == (1, True)
    far = Foreign(np.zeros(3))
    far.ordinal = 3
    for wrong in ({"k": far}, {"out": far}):
        with pytest.raises(ValueError, match="another GPU"):
            s3s4.s4(Foreign(np.zeros(3)), **wrong)
    return 9


class Foreign:
    """An array that lies on the device for all anybody is told."""

    def __init__(self, array):
        self.array, self.streams = array, set()

    shape = property(lambda self: self.array.shape)
    dtype = property(lambda self: self.array.dtype)
    device = "the only one"
    ordinal = 0

    def __dlpack_device__(self):
        return 2, self.ordinal

    def __dlpack__(self, *, stream=None, **options):
        self.streams.add(stream)
        return self.array.__dlpack__()

    def __array_namespace__(self):
        return self

    @staticmethod
    def empty(shape, *, dtype, device):
        assert device == Foreign.device
        return Foreign(np.empty(shape, dtype))


def chunks():
    """Several chunks in turn through two slots, into new arrays and into given ones."""
    on_host.CHUNK, on_host.SMALLEST_CHUNK = 64, 16
    on_host._rings.clear()
    x, k = inputs(2, 100, np.float32)
    for given in (2.0, k):
        assert_close(s3s4.s4(x, given, device="gpu"), s3s4.s4(x, given))
    out = np.empty((10, 20), np.float32)[:, ::2]
    assert s3s4.s4(x.reshape(10, 10), out=out, device="gpu") is out
    assert_close(out, s3s4.s4(x.reshape(10, 10)))
    for odd in (x[::-1], x[::2], x.reshape(10, 10).T, x.astype(">f4")):
        assert_close(s3s4.s4(odd, device="gpu"), s3s4.s4(odd))
        assert_close(s3s4.s4(odd, odd[-1], device="gpu"), s3s4.s4(odd, odd[-1]))
    g, many = inputs(2, (20, 10), np.float32)
    for shape in ((), (10,), (20, 1), (20, 10), (1, 10)):
        given = np.full(shape, 1.5, np.float32)
        found = s3s4.s4.backward(g, many, given, device="gpu")
        for one, other in zip(found, s3s4.s4.backward(g, many, given), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5, strict=True)
    wide = np.empty(100)
    assert s3s4.s4(x, out=wide, device="gpu") is wide
    np.testing.assert_allclose(wide, s3s4.s4(x), rtol=1e-6)
    same = x.copy()
    assert s3s4.s4(same, out=same, device="gpu") is same
    assert_close(same, s3s4.s4(x))
    shifted = x.copy()
    s3s4.s4(shifted[:-1], out=shifted[1:], device="gpu")
    assert_close(shifted[1:], s3s4.s4(x[:-1]))
    return 14


def memory():
    """Memory that runs out: half the chunk, down to the floor, then MemoryError or the CPU."""
    x = inputs(1, 64, np.float32)[0]
    sizes = []
    allocate = cuda.device_array

    def scarce(limit):
        def device_array(shape, *rest, **options):
            sizes.append(shape)
            if shape > limit:
                raise RuntimeError("[2] Call to cuMemAlloc results in CUDA_ERROR_OUT_OF_MEMORY")
            return allocate(shape, *rest, **options)

        return device_array

    on_host.CHUNK, on_host.SMALLEST_CHUNK = 256, 32
    on_host._rings.clear()
    cuda.device_array = scarce(64)
    try:
        assert_close(s3s4.s4(x, device="gpu"), s3s4.s4(x))
        assert sizes[:3] == [256, 128, 64]
        tried = len(sizes)
        assert_close(s3s4.s4(x, device="gpu"), s3s4.s4(x))
        assert len(sizes) == tried, "the buffers are not used again"
        on_host._rings.clear()
        cuda.device_array = scarce(16)
        with pytest.raises(MemoryError):
            s3s4.s4(x, device="gpu")
        big = inputs(1, 1 << 14, np.float32)[0]
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for _ in range(2):
                assert_same_bits(s3s4.s4(big, gpu_threshold=10), s3s4.s4(big, device="cpu"))
        assert len([w for w in caught if "CPU" in str(w.message)]) == 1
    finally:
        cuda.device_array = allocate
        _devices._state.warned = False
    return 4


def device_arrays():
    """What comes from the device stays there, whatever is asked for."""
    x = inputs(1, 20, np.float32)[0]
    there = cuda.to_device(x)
    for device in ("auto", "cpu", "gpu", None):
        result = s3s4.s4(there, device=device)
        assert type(result) is type(there)
        assert_close(result.copy_to_host(), s3s4.s4(x))
    out = cuda.device_array(20, np.float32)
    assert s3s4.s4(there, 2.0, out=out) is out
    assert_close(out.copy_to_host(), s3s4.s4(x, 2.0))
    value, slope = s3s4.s4.value_and_derivative(there)
    assert_close(slope.copy_to_host(), s3s4.s4.derivative(x))
    assert_close(value.copy_to_host(), s3s4.s4(x))
    for wrong in (
        lambda: s3s4.s4(there, x),
        lambda: s3s4.s4(there, out=x),
        lambda: s3s4.s4(there, where=True),
        lambda: s3s4.s4(cuda.to_device(np.arange(3) * 1j)),
    ):
        with pytest.raises(TypeError):
            wrong()
    wide = s3s4.s4(there, cuda.to_device(np.full(20, 2.0)))
    assert_close(wide.copy_to_host(), s3s4.s4(x, np.full(20, 2.0)))
    same = cuda.to_device(x)
    assert s3s4.s4(same, out=same) is same
    assert_close(same.copy_to_host(), s3s4.s4(x))
    for overlapping in (same[1:], same[::-1]):
        with pytest.raises(ValueError, match="overlaps"):
            s3s4.s4(same[: len(overlapping)], out=overlapping)
    return 10


def kept():
    """Kernels kept on disk: found again under the same key alone, and never a reason to fail."""
    toolchain.version, toolchain.pickled = lambda: "1", pickle.dumps
    codegen = types.SimpleNamespace(magic_tuple=lambda: ((13, 0), (9, 0)))
    context = types.SimpleNamespace(codegen=lambda: codegen)
    kernel = Compiled(codegen)
    one = stored.Kept("one")
    assert one.load_overload("(x)", context) is None
    one.save_overload("(x)", kernel)
    assert one.load_overload("(x)", context).codegen.text == "compiled"
    assert one.load_overload("(y)", context) is None
    assert stored.Kept("other").load_overload("(x)", context) is None
    toolchain.version = lambda: "2"
    assert one.load_overload("(x)", context) is None
    toolchain.version = lambda: "1"
    codegen.magic_tuple = lambda: ((13, 0), (8, 0))
    assert one.load_overload("(x)", context) is None
    codegen.magic_tuple = lambda: ((13, 0), (9, 0))
    for garbage in ("", "no base64", "AAAA", 7):
        _cache.store(one._key("(x)", codegen), garbage)
        assert one.load_overload("(x)", context) is None
    toolchain.pickled = None
    one.save_overload("(x)", kernel)
    return 11


class Compiled:
    """A kernel as far as the cache is concerned."""

    def __init__(self, codegen):
        self.codegen = codegen

    def __reduce__(self):
        return Compiled, (Text("compiled"),)


class Text:
    def __init__(self, text):
        self.text = text


def choices():
    """device= in a call, in a block and of an object; other types; threads."""
    x = inputs(1, 20, np.float32)[0]
    assert_close(s3s4.S4Activation(device="gpu", k=2.0)(x), s3s4.s4(x, 2.0))
    assert s3s4.S4Activation(device="gpu").get_backend_info(x)["device"] == "gpu"
    assert s3s4.S3Activation().is_gpu_available
    assert_close(s3s4.s4([1, 2, 3], device="gpu"), s3s4.s4([1, 2, 3]))
    assert isinstance(s3s4.s4(1.5, device="gpu"), np.float64)
    threads = [threading.Thread(target=s3s4.s4, args=(x,), kwargs={"device": "gpu"})] * 1
    for thread in threads:
        thread.start()
        thread.join()
    assert "simulator" in s3s4.build_config()["gpu"]
    return 5


def main():
    """Run the parts that are named, each whatever became of the others."""
    chunk_sizes = on_host.CHUNK, on_host.SMALLEST_CHUNK
    for part in sys.argv[1:]:
        try:
            print(json.dumps([part, globals()[part]()]), flush=True)
        except Exception:  # an assertion or any other
            print(json.dumps([part, traceback.format_exc()]), flush=True)
        on_host.CHUNK, on_host.SMALLEST_CHUNK = chunk_sizes
        on_host._rings.clear()


if __name__ == "__main__":
    main()
