"""C functions of arrays with any strides and types, and of gradients with their sums."""

import ctypes

import numpy as np
import pytest

import oracle
import s3s4
from support import ELEMENTWISE

TYPES = {np.dtype("f4"): 0, np.dtype("f8"): 1, np.dtype("f2"): 2, np.dtype("u2"): 3}
"""bfloat16, which NumPy has not, is the upper half of a float."""


class Array(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("strides", ctypes.POINTER(ctypes.c_ssize_t)),
        ("type", ctypes.c_int),
    ]


def call(name, shape, arrays, threads=0):
    """Call a C function; an array broadcasts by strides of 0, and None is not wanted."""
    function = s3s4.c_functions[name]
    assert function.signature == "int (int, int, ptrdiff_t const *, s3s4_array const *)"
    sizes = ctypes.c_ssize_t * len(shape)
    given = []
    for array in arrays:
        if array is None:
            given.append(Array(None, None, 0))
            continue
        strides = np.broadcast_to(array, shape).strides
        given.append(Array(array.ctypes.data, sizes(*strides), TYPES[array.dtype]))
    pointers = (ctypes.POINTER(ctypes.c_ssize_t), ctypes.POINTER(Array))
    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_int, *pointers)
    return kind(function.address)(threads, len(shape), sizes(*shape), (Array * len(given))(*given))


def exact(name, wrt, x, *parameters):
    return oracle.exact(name, wrt, x, *parameters).high.astype(float)


@pytest.mark.parametrize("dtype", ["f4", "f8", "f2"])
@pytest.mark.parametrize("name", ["s4", "rational_softsign", "relu"])
def test_values_and_gradients(name, dtype):
    """Against 50 digits: every second element backwards, parameters along an axis, in any type."""
    random = np.random.default_rng(1)
    values = list(ELEMENTWISE[name].parameters.values())
    x = random.normal(0, 3, (3, 8, 5)).astype(dtype)[:, ::-2]
    g = np.asfortranarray(random.normal(size=x.shape).astype(dtype))
    parameters = [
        np.full((4, 1), value, kind) for value, kind in zip(values, ("f8", "f4"), strict=False)
    ]
    out = np.empty((5, 4, 3), dtype).T
    assert call(f"{name}_strided", x.shape, [x, *parameters, out]) == 0
    tolerance = {"f2": 1e-3, "f4": 1e-6, "f8": 1e-14}[dtype]
    np.testing.assert_allclose(out, exact(name, None, x, *parameters), tolerance, tolerance)

    gradients = [np.empty_like(one) for one in (x, *parameters)]
    assert call(f"{name}_backward", x.shape, [g, x, *parameters, *gradients]) == 0
    for wrt, found in zip(oracle.inputs(name), gradients, strict=True):
        products = g.astype(float) * exact(name, wrt, x, *parameters)
        wanted = products if wrt == "x" else products.sum((0, 2)).reshape(4, 1)
        close = max(10 * tolerance, np.finfo(found.dtype).eps)
        np.testing.assert_allclose(found, wanted, close, close)

    alone = [None, *(np.empty_like(one) for one in parameters)]
    assert call(f"{name}_backward", x.shape, [g, x, *parameters, *alone]) == 0
    for found, again in zip(gradients[1:], alone[1:], strict=True):
        np.testing.assert_array_equal(again, found)


def rounded_to_bfloat(x):
    """The upper halves of floats, rounded to nearest even by exact arithmetic."""
    mantissa, exponent = np.frexp(x.astype(np.longdouble))
    rounded = np.ldexp(np.rint(np.ldexp(mantissa, 8)), exponent - 8)  # rint is to even
    return (rounded.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)


def test_bfloat16():
    x = np.linspace(-9, 9, 1003, dtype=np.float32).view(np.uint32) >> 16
    wide = (x << 16).view(np.float32)
    x, k = x.astype(np.uint16), np.array([2.5], np.float32)
    out = np.empty_like(x)
    assert call("s4_strided", x.shape, [x, k, out]) == 0
    np.testing.assert_array_equal(out, rounded_to_bfloat(s3s4.s4(wide, np.float32(2.5))))
    g, slope, by_k = np.full_like(x, 0x3F80), np.empty_like(x), np.empty(1, np.float32)  # g is 1
    assert call("s4_backward", x.shape, [g, x, k, slope, by_k]) == 0
    np.testing.assert_array_equal(slope, rounded_to_bfloat(s3s4.s4.derivative(wide, k)))
    np.testing.assert_allclose(by_k, exact("s4", "k", wide, k).sum(), 1e-6)
    special = np.array([0x7FC0, 0x7F81, 0x7F80, 0xFF80], np.uint16)  # NaN, NaN, inf, -inf
    assert call("relu_strided", special.shape, [special, special]) == 0
    assert special.tolist()[2:] == [0x7F80, 0]
    assert (special[:2] & 0x7FFF > 0x7F80).all()


def test_sums_do_not_depend_on_threads():
    x = np.random.default_rng(0).normal(size=1_000_003).astype(np.float32)
    one, k, found = np.ones(1, np.float32), np.full(1, 2.0, np.float32), set()
    for threads in (0, 1, 2, 3):
        by_k = np.empty_like(k)
        call("s4_backward", x.shape, [one, x, k, None, by_k], threads)
        found.add(by_k.item())
    assert len(found) == 1


def test_edges():
    k, by_k = np.full(1, 2.0), np.full(1, 9.0)
    empty = np.empty((0, 3))
    assert call("s4_backward", empty.shape, [empty, empty, k, empty.copy(), by_k]) == 0
    assert by_k == 0
    single, out = np.full((), 0.5), np.empty(())
    assert call("s4_strided", (), [single, np.full((), 2.0), out]) == 0
    assert out == pytest.approx(exact("s4", None, 0.5, 2.0), rel=1e-15)
