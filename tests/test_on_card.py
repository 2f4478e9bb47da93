"""On a GPU, where there is one: `pytest -m gpu`. And on the one that is not there: `make gpu`."""

import numpy as np
import pytest

import s3s4
from fakecuda import driver
from row_reference import PRODUCT_EPS, VALUE_EPS, errors, exact, sample
from s3s4 import _devices
from s3s4._command import doctor as _doctor
from s3s4._row_axes import several
from s3s4._rows import row_activations
from support import ACTIVATIONS, inputs, outputs

pytestmark = pytest.mark.gpu

KERNELS = {"arrays", "strides", "strides, arrays", "sums", "sums, arrays", "rows"}


@pytest.fixture(scope="module", autouse=True)
def backend():
    try:
        found = _devices.gpu()
    except s3s4.GPUUnavailable as error:
        pytest.skip(str(error))
    if found.SIMULATED:
        pytest.skip("this is the simulator")
    return found


@pytest.fixture(autouse=True)
def without_complaints():
    yield
    assert not driver.is_here() or not driver.complaints()


@pytest.mark.parametrize("function", _doctor.functions())
def test_every_function_is_right(function):
    wrong = [check for check in _doctor.compare([function]) if not check.right]
    assert not wrong


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_every_layout_is_right(dtype):
    checks = list(_doctor.layouts([dtype]))
    assert {check.kernel for check in checks} == KERNELS
    assert not [check for check in checks if not check.right]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 1000, 10_000_019])
def test_host_arrays_of_several_chunks(n, dtype):
    (x,) = inputs(1, n, dtype)
    actual, expected = s3s4.s4(x, device="gpu"), s3s4.s4(x, device="cpu")
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(actual, expected, rtol=8 * eps, atol=8 * eps)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_copy_into_pinned_memory_is_exact(dtype):
    from s3s4._gpu import on_host

    bits = np.random.default_rng(0).integers(0, 256, 1 << 21, np.uint8)
    bits[: 1 << 10] &= 0x81  # subnormal numbers and zeros
    x, out = bits.view(dtype), np.empty(bits.nbytes // np.dtype(dtype).itemsize, dtype)
    on_host.copy(out, slice(None), x)
    is_number = x == x
    np.testing.assert_array_equal(out[is_number].view(np.uint8), x[is_number].view(np.uint8))
    assert np.isnan(out[~is_number]).all()


@pytest.mark.parametrize("shape", [(), (30,), (4000, 1), (1, 30), (4000, 30)])
def test_gradients_of_host_arrays_of_several_chunks(shape, monkeypatch):
    from s3s4._gpu import on_host

    monkeypatch.setattr(on_host, "SMALLEST_CHUNK", 1 << 16)
    monkeypatch.setattr(on_host, "_rings", {})
    monkeypatch.setattr(on_host._Ring, "__init__", small_ring)
    g, x = inputs(2, (4000, 30), np.float64)
    k = np.full(shape, 1.5)
    actual = s3s4.s4.backward(g, x, k, device="gpu")
    for one, other in zip(actual, s3s4.s4.backward(g, x, k), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-11)


def small_ring(ring):
    ring.slots, ring.count, ring.chunk, ring.largest = [], 0, 0, 1 << 17


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
@pytest.mark.parametrize("shape", [(), (64,), (200, 1), (200, 64)])
def test_gradients_are_summed_on_the_device(activation, shape):
    g, x = inputs(2, (200, 64), np.float32)
    given = [np.full(shape, 1.5, np.float32) for _ in activation.parameters]
    actual = activation.backward(g, x, *given, device="gpu")
    expected = activation.backward(g, x, *given)
    for one, other in zip(outputs(actual), outputs(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("library", ["cupy", "torch", "jax.numpy"])
def test_arrays_of_a_library_stay_there(library):
    there = pytest.importorskip(library)
    (x,) = inputs(1, (30, 40), np.float32)
    array = there.asarray(x)
    array = array.cuda() if library == "torch" else array
    for activation in ACTIVATIONS:
        for result in (*activation.value_and_derivative(array), activation(array)):
            assert type(result) is type(array)
            assert result.device == array.device
    assert np.allclose(np.asarray(s3s4.s4(array).tolist()), s3s4.s4(x), rtol=1e-6, atol=1e-6)


def test_what_is_measured_can_be_read():
    found = s3s4.calibrate(force=True)
    kinds = {kind for kind, _ in found.comparisons}
    # Kernels on a CPU take longer than a measurement may.
    assert driver.is_here() or kinds >= {"value", "value_dx"}
    assert "threads" in kinds


# Shapes and axes of every form: a row a thread, a warp, a block; rows side by side too.
ROWS = [
    ((37, 3), 0), ((6, 40), 1), ((2, 1025), 1), ((2, 3, 4, 5), (1, 3)), ((5, 1), 1), ((37, 3), 1),
    ((40, 6), 0), ((2, 70, 11), 1), ((2, 1024), 1), ((3, 50), None), ((8193,), 0),
]  # fmt: skip


def last(array, axis):
    """Return rows of any axes along the last one of two."""
    axes = several(axis if axis is None or isinstance(axis, tuple) else (axis,), array.ndim)
    order = [*(one for one in range(array.ndim) if one not in axes), *axes]
    length = np.prod([array.shape[one] for one in axes])
    return array.transpose(order).reshape(-1, length)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("name", list(row_activations))
def test_rows_are_within_the_bounds(name, dtype, backend):
    activation = s3s4.get(name)
    for shape, axis in ROWS if dtype is np.float32 else ROWS[:4]:
        x, grad = sample(shape, dtype), sample(shape, dtype, seed=1)
        (value, size), (product, product_size) = exact(name, last(x, axis), last(grad, axis))
        there, by = backend.there(x), backend.there(grad)
        result = activation(there, axis)
        assert type(result) is type(there)
        assert result.dtype == dtype
        assert errors(last(result.copy_to_host(), axis), value, size).max() <= VALUE_EPS
        result = activation.backward(by, there, axis)
        assert errors(last(result.copy_to_host(), axis), product, product_size).max() <= PRODUCT_EPS


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_bits_of_rows_depend_on_nothing_but_the_row(dtype, backend, monkeypatch):
    from s3s4._gpu import rows

    monkeypatch.setattr(rows, "SHORT", 64)
    monkeypatch.setattr(rows, "PIECE", 300)
    for n in (5, 60, 250, 1000):
        x, grad = sample((11, n), dtype), sample((11, n), dtype, seed=1)
        value, product = (
            np.stack(
                [call(*map(backend.there, row)).copy_to_host() for row in zip(*given, strict=True)]
            )
            for call, given in ((s3s4.softmax, [x]), (s3s4.softmax.backward, [grad, x]))
        )
        across = backend.there(x.T.copy())
        np.testing.assert_array_equal(s3s4.softmax(across, 0).copy_to_host().T, value)
        strided = backend.there(np.repeat(x, 2, axis=1))[:, ::2]
        result = s3s4.softmax.backward(backend.there(grad), strided)
        np.testing.assert_array_equal(result.copy_to_host(), product)
        assert s3s4.softmax(across, 0, out=across) is across
        np.testing.assert_array_equal(across.copy_to_host().T, value)


@pytest.mark.parametrize("name", list(row_activations))
def test_rows_without_a_number(name, backend):
    activation = s3s4.get(name)
    inf, nan = np.inf, np.nan
    rows = [[1, -inf, 3], [1, inf, 3], [1, nan, 3], [-inf] * 3, [inf] * 3, [3e38, -3e38, 3e38]]
    x = np.array([*rows, [0] * 3], np.float32)
    grad = np.ones_like(x) / 3
    for call, given in ((activation, [x]), (activation.backward, [grad, x])):
        with np.errstate(all="ignore"):
            expected = call(*given)
        actual = call(*map(backend.there, given)).copy_to_host()
        np.testing.assert_allclose(actual, expected, rtol=5e-7, atol=1e-7)


def test_rows_of_the_host(backend):
    x = sample((3, 4, 5), np.float32)
    for axis in (1, (0, 2), None):
        result = s3s4.softmax(x, axis, device="gpu")
        np.testing.assert_allclose(result, s3s4.softmax(x, axis), rtol=1e-6)
    out = np.empty((3, 4, 5))
    assert s3s4.softmin.backward(x, x.astype(float), out=out, device="gpu") is out
    np.testing.assert_allclose(out, s3s4.softmin.backward(x, x.astype(float)), atol=1e-15)


def test_rows_that_are_refused(backend):
    x = np.zeros((4, 6, 8), np.float32)
    there = backend.there(x)
    for call, kind, message in (
        (lambda: s3s4.softmax(x, device="gpu", dtype=float), TypeError, "dtype= is not supported"),
        (lambda: s3s4.softmax(there, 3), ValueError, "axis must be from -3 to 2"),
        (lambda: s3s4.softmax(there, (0, 0)), ValueError, "each axis once"),
        (lambda: s3s4.softmax(there, out=x), TypeError, "out must be on the GPU"),
        (lambda: s3s4.softmax(there, out=there[1:]), ValueError, "out has shape"),
        (lambda: s3s4.softmax(there[1:], out=there[:3]), ValueError, "overlaps"),
        (lambda: s3s4.softmax.backward(x, there), TypeError, "grad_output must be on the GPU"),
        (lambda: s3s4.softmax.backward(there, x), TypeError, "grad_output is on the GPU"),
        (lambda: s3s4.softmax.backward(there[0, 0, :3], there), ValueError, "grad_output of shape"),
        (lambda: s3s4.softmax.jacobian(there), NotImplementedError, "no GPU kernel"),
        (lambda: s3s4.softmax(there[:, :2, ::3], None), ValueError, "copy the array"),
    ):
        with pytest.raises(kind, match=message):
            call()
