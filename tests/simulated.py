"""Run in an interpreter of its own: everything of the GPU, in Numba's simulator.

Results are compared with the CPU's, whose errors tests/test_accuracy.py bounds. Prints what it
compared; test_gpu.py starts it.
"""

import itertools
import sys
import threading
import warnings

import numpy as np
from numba import cuda

import s3s4
from s3s4 import _cpu, _devices, _gpu
from s3s4._gpu import on_host
from support import ACTIVATIONS, UFUNCS, assert_same_bits, inputs, outputs

DTYPES = (np.float16, np.float32, np.float64)
# Where the CPU has no fused operations it rounds differently.
FUSED = _cpu.variant in ("avx512", "avx2")
SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-8, -1e-8, 30000.0, -30000.0]


def assert_close(actual, expected, scale=1):
    """The same numbers where the CPU fuses operations too, else a few units of rounding.

    A fused operation in double is made of long doubles in the simulator, and rounded twice.
    """
    for one, other in zip(outputs(actual), outputs(expected), strict=True):
        tolerance = 0 if FUSED and one.dtype != np.float64 else 64 * np.finfo(one.dtype).eps
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance * scale, strict=True)


def parameters_of(name):
    (activation,) = [a for a in ACTIVATIONS if name == a.name or name.startswith(f"{a.name}_")]
    return len(activation.parameters)


def values():
    """All functions and dtypes; scalar, channel and full parameters; lengths around a vector."""
    compared = 0
    for name, dtype in itertools.product(UFUNCS, DTYPES):
        count = parameters_of(name)
        for n in (0, 1, 2, 3, 7, 8, 9, 15, 33):
            x, *others = inputs(1 + count, n, dtype)
            x[: len(SPECIAL)] = SPECIAL[:n]
            for given in ([dtype(2.5)] * count, others) if count else ([],):
                expected = UFUNCS[name](x, *given)
                actual = _gpu.evaluate(name, x, given, [None] * UFUNCS[name].nout)
                assert_close(actual if len(actual) > 1 else actual[0], expected)
                compared += 1
    return compared


def hard_parameters():
    """Zero, negative, huge and non-finite parameters."""
    compared = 0
    for name, dtype in itertools.product(UFUNCS, DTYPES):
        if not parameters_of(name):
            continue
        x = np.array([*SPECIAL, 0.3, -0.3, 12.5, -12.5], dtype)
        for k in (0.0, -2.5, 1e4, 1e30, np.inf, -np.inf, np.nan):
            with np.errstate(over="ignore"):
                k = dtype(k)
            actual = _gpu.evaluate(name, x, [k], [None] * UFUNCS[name].nout)
            assert_close(actual if len(actual) > 1 else actual[0], UFUNCS[name](x, k))
            compared += 1
    return compared


def layouts():
    """Strides, broadcasting, odd addresses and out, on the device without leaving it."""
    compared = 0
    for name, dtype in itertools.product(UFUNCS, DTYPES):
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
            expected = tuple(map(np.asarray, outputs(expected)))
            assert_close(host, expected)
            compared += 1
    return compared


def view(array):
    """An array of the simulated device with the strides of an array of the host."""
    there = cuda.to_device(np.zeros(1, array.dtype))
    return type(there)(array)


def gradients():
    """Sums on the device, for every shape of a parameter."""
    compared = 0
    for activation, dtype in itertools.product(ACTIVATIONS, DTYPES):
        g, x = inputs(2, (3, 2, 4), dtype)
        shapes = ((), (4,), (2, 1), (3, 1, 1), (1, 2, 4), (3, 2, 4))
        for shape in shapes if activation.parameters else ((),):
            given = [np.full(shape, 1.25, dtype) for _ in activation.parameters]
            expected = activation.backward(g, x, *given)
            actual = activation.backward(g, x, *given, device="gpu")
            assert_close(actual, expected, scale=64)
            for one, other in zip(outputs(actual), outputs(expected), strict=True):
                assert np.shape(one) == np.shape(other)
            there = activation.backward(*map(cuda.to_device, (g, x, *given)))
            for one, other in zip(outputs(there), outputs(actual), strict=True):
                assert_same_bits(np.asarray(one.copy_to_host()), np.asarray(other))
            compared += 1
    return compared


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
    same = x.copy()
    assert s3s4.s4(same, out=same, device="gpu") is same
    assert_close(same, s3s4.s4(x))
    shifted = x.copy()
    s3s4.s4(shifted[:-1], out=shifted[1:], device="gpu")
    assert_close(shifted[1:], s3s4.s4(x[:-1]))
    return 5


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
        try:
            s3s4.s4(x, device="gpu")
        except MemoryError:
            pass
        else:
            raise AssertionError("no MemoryError")
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
        lambda: s3s4.s4(cuda.to_device(np.arange(3))),
        lambda: s3s4.s4(there, cuda.to_device(x.astype(float))),
    ):
        try:
            wrong()
        except TypeError:
            continue
        raise AssertionError("no TypeError")
    return 7


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


if __name__ == "__main__":
    # The front of the package passes nothing to the simulator unless told to.
    for part in sys.argv[1:]:
        print(part, globals()[part]())
