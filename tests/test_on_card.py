"""On a GPU, where there is one: `pytest -m gpu`. And on the one that is not there: `make gpu`."""

import numpy as np
import pytest

import s3s4
from fakecuda import driver
from s3s4 import _devices
from s3s4._command import doctor as _doctor
from support import ACTIVATIONS, inputs, outputs

pytestmark = pytest.mark.gpu

KERNELS = {"arrays", "strides", "strides, arrays", "sums", "sums, arrays"}


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
