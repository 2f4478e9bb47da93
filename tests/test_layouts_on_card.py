"""However arrays lie on a GPU: the CPU's results, which kernel takes them, and how results lie.

On a card `pytest -m gpu`, on the one that is not there `make gpu`.
"""

import numpy as np
import pytest

import s3s4
from fakecuda import driver
from s3s4 import _devices
from support import assert_neighbours

pytestmark = pytest.mark.gpu

DTYPES = [np.float16, np.float32, np.float64]
# Shapes of x and of k, the order of x in memory, and the loop that takes them.
CASES = {
    "k of no axes": ((21, 37), (), "C", "flat each one"),
    "k of one element": ((21, 37), (1, 1), "C", "flat each one"),
    "k an element of x": ((21, 37), (21, 37), "C", "flat each each"),
    "k a channel, last axis": ((13, 24), (24,), "C", "lines of 2 line line"),
    "k a channel, in the middle": ((3, 5, 4, 8), (5, 1, 1), "C", "lines of 4 line point"),
    "k a row": ((13, 24), (13, 1), "C", "lines of 2 line point"),
    "k a channel, an odd number": ((13, 21), (21,), "C", "walk of 2 view view"),
    "Fortran's order": ((21, 37), (), "F", "flat each one"),
    "Fortran's order, k a row": ((24, 13), (24, 1), "F", "lines of 2 line line"),
    "channels last": ((3, 16, 5, 6), (), (0, 2, 3, 1), "flat each one"),
    "channels last, k a channel": ((3, 16, 5, 6), (16, 1, 1), (0, 2, 3, 1), "lines of 2 line line"),
    "every other element": ((21, 37), (), "strided", "walk of 2 view one"),
    "one element": ((1, 1), (), "C", "flat each each"),
}


@pytest.fixture(scope="module", autouse=True)
def backend():
    try:
        found = _devices.gpu()
    except s3s4.GPUUnavailable as error:
        pytest.skip(str(error))
    if found.SIMULATED:
        pytest.skip("this is the simulator")


@pytest.fixture(autouse=True)
def without_complaints():
    yield
    assert not driver.is_here() or not driver.complaints()


@pytest.fixture
def forms(monkeypatch):
    """The forms of the kernels that are chosen."""
    from s3s4._gpu import launches, sums

    chosen = []

    def noted(function, form, *rest):
        chosen.append(str(form))
        return original(function, form, *rest)

    original = launches.kernel
    for module in (launches, sums):
        module._planned.cache_clear()
        monkeypatch.setattr(module, "kernel", noted)
    yield chosen
    for module in (launches, sums):
        module._planned.cache_clear()


def in_order(host, order):
    """The same numbers in another order of memory."""
    if order == "strided":
        wide = np.zeros((host.shape[0], 2 * host.shape[1]), host.dtype)
        wide[:, ::2] = host
        return wide[:, ::2]
    if isinstance(order, str):
        return np.array(host, order=order)
    return np.ascontiguousarray(host.transpose(order)).transpose(np.argsort(order))


def on_device(host):
    """An array of the device that lies as one of the host does, from the start of its memory."""
    from numba import cuda
    from numba.cuda.cudadrv.devicearray import DeviceNDArray

    base = host if host.base is None else host.base
    memory = cuda.to_device(base.ravel(order="K"))
    return DeviceNDArray(host.shape, host.strides, host.dtype, gpu_data=memory.gpu_data)


def examples(case, dtype):
    shape, of_k, order, form = CASES[case]
    rng = np.random.default_rng(3)
    x, g = (in_order(rng.uniform(-9, 9, shape).astype(dtype), order) for _ in range(2))
    return g, x, rng.uniform(0.5, 4, of_k).astype(dtype), form


def assert_close(there, expected):
    """Equal bits, but for what is computed in float32, where approximations are the card's own."""
    found = np.asarray(there.copy_to_host())
    assert found.shape == np.shape(expected)
    if found.dtype == np.float32:
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
    elif found.dtype == np.float16:
        assert_neighbours(found, expected)
    else:
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES)
def test_values(case, dtype, forms):
    _, x, k, form = examples(case, dtype)
    there, k_there = on_device(x), on_device(k)
    assert there.strides == x.strides or x.size == 1
    found = s3s4.s4(there, k_there)
    assert forms == [form]
    expected = s3s4.s4(x, k)
    assert_close(found, expected)
    assert found.strides == expected.strides or x.size == 1
    out = on_device(np.zeros(x.shape, dtype))
    assert s3s4.s4(there, k_there, out=out) is out
    assert_close(out, expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("case", "form"),
    [
        ("k of no axes", "sum each each one"),
        ("k an element of x", "flat each each each"),
        ("k a channel, last axis", "reduce view view view"),
        ("k a channel, in the middle", "reduce view view view"),
        ("k a row", "reduce view view view"),
        ("channels last", "sum each each one"),
        ("channels last, k a channel", "reduce view view view"),
        ("every other element", "reduce view view one"),
    ],
)
def test_gradients(case, form, dtype, forms):
    g, x, k, _ = examples(case, dtype)
    there = on_device(x)
    gradient, by_k = s3s4.s4.backward(on_device(g), there, on_device(k))
    assert forms[0] == form
    exact = [a.astype(np.longdouble if dtype is np.float64 else np.float64) for a in (g, x, k)]
    assert_close(gradient, s3s4.s4.backward(g, x, k)[0])
    terms = exact[0] * s3s4.s4.derivative(*exact[1:], wrt="k")
    axes = [axis for axis, n in enumerate((1,) * (x.ndim - k.ndim) + k.shape) if n == 1]
    expected = terms.sum(axis=tuple(axes), keepdims=True).reshape(k.shape)
    scale = abs(terms).sum(axis=tuple(axes), keepdims=True).reshape(k.shape)
    found = np.asarray(by_k.copy_to_host()).astype(expected.dtype)
    allowed = 4 * np.finfo(dtype).eps * scale + np.finfo(dtype).smallest_normal
    assert (abs(found - expected) <= allowed).all()


@pytest.mark.parametrize("shift", [1, 2, 3])
def test_what_starts_between_vectors(shift, forms):
    x = np.linspace(-9, 9, 1003, dtype=np.float32)
    there = on_device(x)[shift:]
    assert_close(s3s4.s4(there, 2.5), s3s4.s4(x[shift:], np.float32(2.5)))
    assert forms == ["walk of 2 view number"]


@pytest.mark.parametrize("shape", [(5000, 3), (3, 5000), (2, 3, 700), (40, 1, 50)])
@pytest.mark.parametrize("kept", [0, 1])
def test_sums_of_many_shapes(shape, kept):
    """Few sums of much and many sums of little, along memory and across it."""
    rng = np.random.default_rng(4)
    x, g = (rng.uniform(-9, 9, shape) for _ in range(2))
    of_k = [n if axis % 2 == kept else 1 for axis, n in enumerate(shape)]
    k = rng.uniform(0.5, 4, of_k)
    _, by_k = s3s4.s4.backward(on_device(g), on_device(x), on_device(k))
    terms = g * s3s4.s4.derivative(x, k, wrt="k")
    axes = tuple(axis for axis, n in enumerate(of_k) if n == 1)
    expected = np.array(terms.astype(np.longdouble).sum(axis=axes, keepdims=True), float)
    np.testing.assert_allclose(by_k.copy_to_host(), expected, rtol=1e-12, atol=1e-12)


def test_two_parameters_are_summed_in_one_pass(forms):
    rng = np.random.default_rng(5)
    x, g = (rng.uniform(-9, 9, 999) for _ in range(2))
    given = [np.float64(1.5), np.float64(0.75)]
    found = s3s4.rational_softsign.backward(
        on_device(g), on_device(x), *(on_device(np.asarray(p)) for p in given)
    )
    assert forms == ["sum each each one one", "total"]
    for there, expected in zip(found, s3s4.rational_softsign.backward(g, x, *given), strict=True):
        np.testing.assert_allclose(there.copy_to_host(), expected, rtol=1e-13, atol=1e-13)
