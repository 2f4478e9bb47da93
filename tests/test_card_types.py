"""Types on a GPU, or on the one that is not there (`make gpu`): bfloat16, integers, mixtures."""

import sys

import numpy as np
import pytest

import s3s4
from fakecuda import driver
from row_reference import errors, exact, sample
from s3s4 import _devices
from support import outputs

pytestmark = pytest.mark.gpu

try:
    BACKEND = _devices.gpu()
except s3s4.GPUUnavailable as error:
    pytest.skip(str(error), allow_module_level=True)
if BACKEND.SIMULATED:
    pytest.skip("this is the simulator", allow_module_level=True)

from numba import cuda

from device_libraries import Interface, Tensor, stream, torch_of

X = np.array([-7, -1, 0, 1, 2, 5])
BITS = np.arange(1 << 16, dtype=np.uint16)
EPS = 2.0**-7


@pytest.fixture(autouse=True)
def without_complaints():
    yield
    assert not driver.is_here() or not driver.complaints()


def there(array):
    return cuda.to_device(np.ascontiguousarray(array))


@pytest.mark.parametrize("dtype", ["?", "i1", "u2", "i4", "u8"])
def test_integers_are_promoted_as_by_numpy(dtype):
    x = X.astype(dtype)
    for call in (s3s4.s4, s3s4.relu, s3s4.s4.derivative, s3s4.softmax):
        actual, expected = call(there(x)), call(x)
        assert actual.dtype == expected.dtype
        eps = np.finfo(expected.dtype).eps
        np.testing.assert_allclose(actual.copy_to_host(), expected, rtol=4 * eps, atol=eps)


MIXED = [("f4", "f8"), ("f2", "f4"), ("i4", "f4"), ("f8", "f2"), ("i1", "f2"), ("f4", "i8")]


@pytest.mark.parametrize(("of_x", "of_k"), MIXED)
def test_mixtures_are_promoted_as_by_numpy(of_x, of_k):
    x, k = X.astype(of_x), np.full((2, 1), 2, of_k)
    wide = np.broadcast_to(x, (2, 6)).copy()
    for call, arrays in (
        (s3s4.s4, (x, k)),
        (s3s4.s4, (wide[:, ::2], k)),
        (s3s4.s4.backward, (np.ones_like(wide, of_k), wide, k)),
    ):
        found = outputs(call(*map(cuda.to_device, map(np.ascontiguousarray, arrays))))
        for actual, expected in zip(found, outputs(call(*arrays)), strict=True):
            assert actual.dtype == expected.dtype
            eps = np.finfo(expected.dtype).eps
            np.testing.assert_allclose(actual.copy_to_host(), expected, rtol=4 * eps, atol=4 * eps)


def test_numbers_of_numpy_count_and_those_of_python_do_not():
    x = X.astype("f4")
    for k in (2, 2.0, np.float32(2), np.float64(2), np.array(2.0), np.int64(2)):
        actual, expected = s3s4.s4(there(x), k), s3s4.s4(x, k)
        assert actual.dtype == expected.dtype
        np.testing.assert_allclose(actual.copy_to_host(), expected, rtol=1e-6)


def test_gradients_of_rows_of_several_types():
    x, grad = sample((3, 5), "f4"), sample((3, 5), "f8", seed=1)
    actual = s3s4.log_softmax.backward(there(grad), there(x))
    assert actual.dtype == np.float64
    np.testing.assert_allclose(actual.copy_to_host(), s3s4.log_softmax.backward(grad, x))


def test_copies_go_back_in_the_order_of_the_stream():
    if not driver.is_here():
        pytest.skip("not on fakecuda: a card may be right by chance")
    on = stream()
    x = cuda.to_device(X.astype("i4"), stream=on)
    on.synchronize()
    with driver.counted() as calls:
        result = s3s4.s4(Interface(x, on, typestr="<i4"))
    assert not {"cuStreamSynchronize", "cuMemFree"} & calls.keys(), calls
    assert calls["cuMemAllocAsync"] == calls["cuMemFreeAsync"] == 1
    np.testing.assert_allclose(result.copy_to_host(), s3s4.s4(X))


def test_what_is_no_real_number_is_refused():
    with pytest.raises(TypeError, match="real numbers, not complex64"):
        s3s4.s4(there(X.astype("c8")))
    with pytest.raises(TypeError, match="out must be of float64, not float32"):
        s3s4.s4(there(X), out=cuda.device_array(6, np.float32))
    with pytest.raises(TypeError, match="where= is not supported"):
        s3s4.s4(there(X.astype("f4")), where=there(X > 0))


# --- bfloat16 ------------------------------------------------------------------------------------


def number(bits):
    """Return the numbers of bfloat16s, which are the upper halves of floats."""
    return (np.asarray(bits).astype(np.uint32) << 16).view(np.float32)


def nearest(values):
    """Return the nearest bfloat16s, the even ones of two: eight binary digits."""
    _, exponent = np.frexp(values)
    unit = np.ldexp(1.0, np.maximum(exponent, -125) - 8)
    return np.rint(values / unit) * unit


@pytest.fixture
def tensors(monkeypatch):
    """Return what makes tensors of bits, on a stream of torch's."""
    on = stream()
    monkeypatch.setitem(sys.modules, "torch", torch_of(on))

    def make(bits):
        array = cuda.to_device(np.ascontiguousarray(bits), stream=on)
        on.synchronize()
        return Tensor(array, "bfloat16")

    make.on = on
    return make


def host(tensor, on):
    assert type(tensor) is Tensor
    assert tensor.dtype == "torch.bfloat16"
    on.synchronize()
    return number(tensor.array.copy_to_host())


@pytest.mark.parametrize("activation", [s3s4.s3, s3s4.s4], ids=lambda one: one.name)
def test_bfloat16_is_rounded_once_from_floats(activation, tensors):
    result = host(activation(tensors(BITS)), tensors.on)
    with np.errstate(all="ignore"):
        x = number(BITS).astype(float)
        expected = activation(x)
    np.testing.assert_array_equal(np.isnan(result), np.isnan(expected))
    usual = np.isfinite(expected) & (np.abs(expected) < 3e38) & (np.abs(expected) > 1e-37)
    error = np.abs(result.astype(float) - expected)[usual]
    unit = np.ldexp(1.0, np.frexp(expected[usual])[1] - 8)
    assert (error / unit).max() < 0.502


def test_bfloat16_rounds_to_even(tensors):
    x = np.arange(0xBF80, 0xC080, dtype=np.uint16)  # from -1 to -4: products of 17 digits
    slope = 1 + 2.0**-8
    exact = number(x).astype(float) * slope
    assert np.any(exact != nearest(exact))
    result = host(s3s4.leaky_relu(tensors(x), slope), tensors.on)
    np.testing.assert_array_equal(result, nearest(exact))


def test_bfloat16_with_arrays_of_parameters_strides_and_sums(tensors):
    x = BITS[0x3F00:0x4040].reshape(16, 20)
    k = BITS[0x3F80:0x3F94]
    wide, narrow = number(x), number(k)
    for call, bits, numbers in (
        (s3s4.s4, (x, k), (wide, narrow)),
        (s3s4.s4, (x, np.broadcast_to(k, x.shape)), (wide, np.broadcast_to(narrow, x.shape))),
        (s3s4.s4.backward, (x, x, k), (wide, wide, narrow)),
        (s3s4.s4.value_and_derivative, (x[:, :7], k[:7]), (wide[:, :7], narrow[:7])),
    ):
        found = outputs(call(*map(tensors, bits)))
        for actual, expected in zip(found, outputs(call(*numbers)), strict=True):
            np.testing.assert_allclose(host(actual, tensors.on), expected, rtol=EPS / 2 * 1.01)
    strided = tensors(x)
    strided.array, strided.shape = strided.array[:, ::2], (16, 10)
    actual = host(s3s4.s4(strided, 2.0), tensors.on)
    np.testing.assert_allclose(actual, s3s4.s4(wide[:, ::2], 2.0), rtol=EPS / 2 * 1.01)


def test_rows_of_bfloat16(tensors):
    x = BITS[0x3F00:0x4100].reshape(16, 32)
    result = host(s3s4.log_softmax(tensors(x)), tensors.on)
    (expected, _), _ = exact("log_softmax", number(x), number(x))
    np.testing.assert_allclose(result, expected.astype(float), rtol=EPS / 2 * 1.01)
    assert (
        errors(s3s4.log_softmax(number(x)), *exact("log_softmax", number(x), number(x))[0]).max()
        < 6
    )


def test_bfloat16_beside_others_is_a_float(tensors):
    x, k = BITS[0x3F00:0x3F10], np.full(16, 2, "f4")
    beside = Tensor(there(k), "float32")
    result = s3s4.s4(tensors(x), beside)
    assert result.dtype == "torch.float32"
    tensors.on.synchronize()
    np.testing.assert_allclose(result.array.copy_to_host(), s3s4.s4(number(x), k), rtol=1e-6)


# --- Other ways in -------------------------------------------------------------------------------


def test_a_ufunc_of_numpys_takes_numbas_array_to_the_host():
    """Numba's arrays know no __array_ufunc__: NumPy asks them for a copy, as for np.exp."""
    x = X.astype(np.float32)
    for ufunc, given in ((s3s4.ufuncs.s4, (5.0,)), (np.exp, ())):
        assert type(ufunc(there(x), *given)) is np.ndarray
    np.testing.assert_array_equal(s3s4.ufuncs.s4(there(x), 5.0), s3s4.ufuncs.s4(x, 5.0))


def test_a_library_that_knows_ufuncs_by_its_own_names_refuses():
    """As CuPy does: it looks for a function of the ufunc's name among its own."""

    class Array(Interface):
        def __array_ufunc__(self, ufunc, method, *inputs, **options):
            return NotImplemented

    x = Array(there(X.astype(np.float32)))
    with pytest.raises(TypeError, match="NotImplemented"):
        s3s4.ufuncs.s4(x, 5.0)
    assert type(s3s4.s4(x)) is not np.ndarray
